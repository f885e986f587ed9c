"""Ground above mean sea level: one number for a plain, a grid for hills, with what is not known.

A grid is an ESRI ASCII file (``.asc``), chosen because it is text that every GIS writes, needs no
library to read, and shows in a diff what changed: ``gdal_translate -of AAIGrid`` makes it of any
elevation model, in degrees (EPSG:4326). Six lines of header, then rows from the north::

    ncols 3
    nrows 2
    xllcorner 117.0          # or xllcenter: degrees of the south-west cell's corner or centre
    yllcorner 39.0
    cellsize 0.25            # or dx and dy
    NODATA_value -9999
    3.0 3.5 4.0
    2.5 3.0 -9999

Values are metres above sea level, at the cells' centres, and run straight between them. Buildings
are no ground: a surface model says what a roof is, and AGL over a town is then too small.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from v2x.columns import B1, F8
from v2x.errors import ConfigError
from v2x.geodesy import Grid

GROUND_AMSL_M = 3.0
GROUND_SD_M = 2.0
"""Ground where nothing else is said: the plain around the airport is flat, 3 m +- 2 m."""
GRID_SD_M = 3.0
"""Of the heights of a grid: global models of 30 m cells promise 4 m at 90 % (LE90), which is an sd
of 2.4 m (doubtful over towns and woods)."""
MOST_NODES = 64_000_000
"""Half a gigabyte; a square degree in steps of one second of arc has 13 million."""

_HEADER = ("ncols", "nrows", "xllcorner", "xllcenter", "yllcorner", "yllcenter", "cellsize")
_KEYS = frozenset({*_HEADER, "dx", "dy", "nodata_value"})


class GroundAt(NamedTuple):
    """Ground at some places, (n,): metres AMSL, its sd, and whether a grid says so."""

    amsl: F8
    sd: F8
    mapped: B1


@dataclass(frozen=True)
class Ground:
    """Ground of an area.

    Parameters
    ----------
    amsl_m, sd_m
        Above mean sea level, where there is no grid, or none that reaches.
    grid, grid_sd_m
        Heights by place, and the sd of each.
    """

    amsl_m: float = GROUND_AMSL_M
    sd_m: float = GROUND_SD_M
    grid: Grid | None = None
    grid_sd_m: float = GRID_SD_M

    def at(self, lat: F8, lon: F8) -> GroundAt:
        """Ground at positions (n,) in degrees; the constant outside the grid and over its gaps."""
        n = len(lat)
        if self.grid is None:
            flat = np.full(n, self.amsl_m), np.full(n, self.sd_m)
            return GroundAt(*flat, np.zeros(n, np.bool_))
        told = self.grid.at(lat, lon)
        mapped = np.isfinite(told)
        return GroundAt(
            np.where(mapped, told, self.amsl_m),
            np.where(mapped, self.grid_sd_m, self.sd_m),
            mapped,
        )


def load_terrain(path: Path) -> Grid:
    """Read an ESRI ASCII grid in degrees.

    Raises
    ------
    ConfigError
        Names the file, the line, and what is wrong with it.
    """
    try:
        text = path.read_text("utf-8-sig")
    except OSError as e:
        raise ConfigError(f"{path}: {e.strerror or e}") from e
    except ValueError as e:
        raise ConfigError(f"{path}: not a text file: {e}") from e
    header, body = _header(str(path), text)
    columns, rows = (_whole(str(path), header, key) for key in ("ncols", "nrows"))
    if columns * rows > MOST_NODES:
        raise ConfigError(f"{path}: {columns} x {rows} nodes are more than {MOST_NODES}")
    dlon, dlat = (_step(str(path), header, key) for key in ("dx", "dy"))
    lon0 = _west_or_south(str(path), header, "xll", dlon)
    lat0 = _west_or_south(str(path), header, "yll", dlat)
    north, east = lat0 + (rows - 1) * dlat, lon0 + (columns - 1) * dlon
    if not (lat0 >= -90.0 and north <= 90.0 and lon0 >= -180.0 and east <= 360.0):
        raise ConfigError(
            f"{path}: reaches from {lon0:g}, {lat0:g} to {east:g}, {north:g}: not degrees; "
            "project it to EPSG:4326 first"
        )
    try:
        values = np.array(body.split(), np.float64)
    except ValueError as e:
        raise ConfigError(f"{path}: a height is no number: {e}") from None
    if len(values) != columns * rows:
        raise ConfigError(
            f"{path}: {len(values)} heights; {rows} rows of {columns} make {columns * rows}"
        )
    values[values == header.get("nodata_value", -9999.0)] = np.nan
    wild = np.flatnonzero(np.isinf(values) | (np.abs(values) > 9000.0))
    if len(wild):
        raise ConfigError(f"{path}: {values[wild[0]]:g} m is no height of the ground")
    return Grid(lat0, lon0, dlat, dlon, np.ascontiguousarray(values.reshape(rows, columns)[::-1]))


def _header(where: str, text: str) -> tuple[dict[str, float], str]:
    """Keys and numbers of the first lines, and the text after them."""
    made: dict[str, float] = {}
    at = 0
    while at < len(text):
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        words = text[at:end].split()
        if words and not words[0][0].isalpha():
            break
        at = end + 1
        if not words:
            continue
        key = words[0].lower()
        if key not in _KEYS or len(words) != 2:
            raise ConfigError(f"{where}: {' '.join(words)[:60]!r} is no line of an ASCII grid")
        try:
            made[key] = float(words[1])
        except ValueError:
            raise ConfigError(f"{where}: {key} {words[1]!r} is no number") from None
    return made, text[at:]


def _whole(where: str, header: dict[str, float], key: str) -> int:
    value = header.get(key, np.nan)
    if not (2.0 <= value <= MOST_NODES and value == int(value)):
        raise ConfigError(f"{where}: {key} must be a whole number of 2 or more")
    return int(value)


def _step(where: str, header: dict[str, float], key: str) -> float:
    value = header.get(key, header.get("cellsize", np.nan))
    if not 0.0 < value <= 180.0:
        raise ConfigError(f"{where}: cellsize must be above 0, in degrees")
    return value


def _west_or_south(where: str, header: dict[str, float], side: str, step: float) -> float:
    """Degrees of the first node: given as such, or as the corner of its cell."""
    corner, centre = header.get(f"{side}corner"), header.get(f"{side}center")
    if (corner is None) == (centre is None):
        raise ConfigError(f"{where}: give one of {side}corner and {side}center")
    if centre is not None:
        return centre
    assert corner is not None
    return corner + 0.5 * step
