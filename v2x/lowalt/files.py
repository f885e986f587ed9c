"""Files that people edit: read strictly, refused with words that say where and what.

Every function takes `where`, the beginning of the message: file, then the entry in it.
"""

import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from v2x.columns import F8
from v2x.errors import ConfigError
from v2x.geodesy import wgs84_from_gcj02

Ring = tuple[tuple[float, float], ...]
"""Corners as (lon, lat) degrees, the first one again at the end."""

REFERENCES = ("hae", "amsl", "agl")
"""Height references, in the order of the columns of `v2x.lowalt.zones.Places.heights`."""
DATUMS = ("wgs84", "cgcs2000", "gcj02")
GCJ_STEP_DEG = 0.003
"""Longest piece of an edge that GCJ-02 leaves straight within 1 cm: about 300 m."""

_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?"
    r"(?:([Zz])|([+-])(\d\d):?(\d\d))"
)


def parse_time(text: str) -> int:
    """Ns UTC of ``2026-05-01T08:00:00+08:00``; seconds and decimals may be left out.

    The zone may not: a time without one is eight hours wrong for half of its readers.

    Raises
    ------
    ValueError
        Not such a time, or no such day or hour.
    """
    match = _TIME.fullmatch(text.strip())
    if match is None:
        raise ValueError(
            f"{text!r} is not a time like 2026-05-01T08:00:00+08:00 (the zone, Z or +08:00, "
            "is needed)"
        )
    date, hour, minute, second, part, _, sign, zone_h, zone_min = match.groups()
    clock = (int(hour), int(minute), int(second or 0), int(zone_h or 0), int(zone_min or 0))
    if any(n > most for n, most in zip(clock, (23, 59, 59, 14, 59), strict=True)):
        raise ValueError(f"{text!r}: no such time of day")
    try:
        days = int(np.datetime64(date, "D").astype(np.int64))
    except ValueError:
        raise ValueError(f"{text!r}: no such day") from None
    offset = (clock[3] * 60 + clock[4]) * (-60 if sign == "-" else 60)
    whole = days * 86400 + clock[0] * 3600 + clock[1] * 60 + clock[2] - offset
    return whole * 1_000_000_000 + int((part or "").ljust(9, "0"))


def read_json(path: Path) -> Any:
    """Content of a JSON file; NaN and Infinity are no JSON and are refused."""
    try:
        return json.loads(path.read_text("utf-8-sig"), parse_constant=_no_number)
    except OSError as e:
        raise ConfigError(f"{path}: {e.strerror or e}") from e
    except (ValueError, RecursionError) as e:
        raise ConfigError(f"{path}: not valid JSON: {e}") from e


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is not a number")


def members(where: str, value: Any) -> dict[str, Any]:
    """`value`, which must be a JSON object."""
    if not isinstance(value, dict):
        raise ConfigError(f"{where}: expected an object, found {_short(value)}")
    return value


def entries(where: str, tree: dict[str, Any], key: str) -> list[Any]:
    """List `key` of an object; it must be there, and may be empty."""
    value = tree.get(key)
    if not isinstance(value, list):
        raise ConfigError(f"{where}: {key} must be a list, found {_short(value)}")
    return value


def text(where: str, tree: dict[str, Any], key: str, default: str | None = None) -> str:
    """Text `key` of an object, without outer blanks; empty or missing is refused."""
    value = default if tree.get(key) is None else tree[key]
    if not isinstance(value, str) or not (value.strip() or value == default):
        raise ConfigError(f"{where}: {key} must be a text, found {_short(value)}")
    return value.strip()


def choice(
    where: str, tree: dict[str, Any], key: str, words: Sequence[str], default: str | None = None
) -> str:
    """Text `key` of an object, one of `words`; in any case of letters."""
    value = text(where, tree, key, default).lower()
    if value not in words:
        raise ConfigError(f"{where}: {key} {value!r} is none of {', '.join(words)}")
    return value


def moment(where: str, tree: dict[str, Any], key: str) -> int | None:
    """Time `key` of an object in ns UTC; None where it is missing or null."""
    value = tree.get(key)
    if value is None:
        return None
    if not isinstance(value, str):
        raise ConfigError(f"{where}: {key} must be a time as text, found {_short(value)}")
    try:
        return parse_time(value)
    except ValueError as e:
        raise ConfigError(f"{where}: {key}: {e}") from None


def window(where: str, tree: dict[str, Any]) -> tuple[int | None, int | None]:
    """``valid_from`` and ``valid_to`` in ns UTC; an empty window is refused."""
    begin, end = moment(where, tree, "valid_from"), moment(where, tree, "valid_to")
    if begin is not None and end is not None and begin >= end:
        raise ConfigError(f"{where}: valid_from is not before valid_to: it would never be in force")
    return begin, end


def limit(where: str, tree: dict[str, Any], name: str) -> tuple[float | None, str | None]:
    """Height limit ``<name>_m`` with ``<name>_ref``: a number with its reference, or none.

    The key itself must be there, so that a slip in its spelling does not lift the limit: null says
    that there is none.
    """
    if f"{name}_m" not in tree:
        raise ConfigError(f"{where}: {name}_m is missing; write null where there is no limit")
    value = tree[f"{name}_m"]
    reference = tree.get(f"{name}_ref")
    if reference is not None:
        reference = choice(where, tree, f"{name}_ref", REFERENCES)
    if value is None:
        return None, reference
    metres = number(value)
    if metres is None:
        raise ConfigError(f"{where}: {name}_m must be metres or null, found {_short(value)}")
    if reference is None:
        raise ConfigError(
            f"{where}: {name}_m is {metres:g} m but {name}_ref is missing: above the ellipsoid "
            "(hae), sea level (amsl) or ground (agl)?"
        )
    return metres, reference


def limits(
    where: str, tree: dict[str, Any]
) -> tuple[float | None, str | None, float | None, str | None]:
    """Floor with its reference and ceiling with its own; a floor above its ceiling is refused."""
    floor, floor_ref = limit(where, tree, "floor")
    ceiling, ceiling_ref = limit(where, tree, "ceiling")
    if floor is not None and ceiling is not None and floor_ref == ceiling_ref and floor > ceiling:
        raise ConfigError(f"{where}: floor_m {floor:g} is above ceiling_m {ceiling:g}")
    return floor, floor_ref, ceiling, ceiling_ref


def number(value: Any) -> float | None:
    """Finite number of a JSON value, else None; true and false are no numbers."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        metres = float(value)
    except OverflowError:
        return None
    return metres if math.isfinite(metres) else None


def position(where: str, value: Any) -> tuple[float, float]:
    """Check a position [lon, lat] in degrees; a height behind it is not read."""
    pair = value[:2] if isinstance(value, list) else []
    lon, lat = [number(v) for v in pair] if len(pair) == 2 else (None, None)
    if lon is None or lat is None:
        raise ConfigError(f"{where} must be [lon, lat], found {_short(value)}")
    if not (abs(lon) <= 180.0 and abs(lat) <= 90.0):
        turned = " (latitude first?)" if abs(lon) <= 90.0 and abs(lat) <= 180.0 else ""
        raise ConfigError(f"{where} [{lon:g}, {lat:g}] is not [lon, lat] in degrees{turned}")
    return lon, lat


def true_position(where: str, value: Any, datum: str) -> tuple[float, float]:
    """Check a position and give it in WGS-84."""
    lon, lat = position(where, value)
    if datum == "gcj02":
        north, east = wgs84_from_gcj02(np.array([lat]), np.array([lon]))
        return float(east[0]), float(north[0])
    return lon, lat


def ring(where: str, positions: Any) -> Ring:
    """Check a linear ring of RFC 7946: four positions or more, closed, on the Earth."""
    if not isinstance(positions, list):
        raise ConfigError(f"{where}: expected a list of positions, found {_short(positions)}")
    corners = [position(f"{where}: position {k}", xy) for k, xy in enumerate(positions)]
    if len(corners) < 4:
        raise ConfigError(f"{where}: {len(corners)} positions; a closed ring has 4 or more")
    if corners[0] != corners[-1]:
        raise ConfigError(
            f"{where}: not closed: begins at {list(corners[0])}, ends at {list(corners[-1])}"
        )
    return tuple(corners)


def polygon(where: str, rings: Any, datum: str) -> tuple[Ring, ...]:
    """Check a polygon, outline and holes, and give it in WGS-84.

    Crossing outlines, holes outside and what else GEOS calls invalid is refused: parity would make
    something of it, but not what its author drew.
    """
    import shapely
    from shapely.validation import explain_validity

    if not isinstance(rings, list) or not rings:
        raise ConfigError(f"{where}: a polygon needs an outline, found {_short(rings)}")
    checked = [ring(f"{where}, ring {k}", r) for k, r in enumerate(rings)]
    shape = shapely.Polygon(checked[0], checked[1:])
    if not shape.is_valid:
        raise ConfigError(f"{where}: {explain_validity(shape)} (lon lat)")
    if datum == "gcj02":
        checked = [_true_ring(r) for r in checked]
    return tuple(checked)


def _true_ring(shifted: Ring) -> Ring:
    """Ring in WGS-84 of one in China's shifted datum.

    The shift bends straight lines: by 8 m in the middle of an edge of 10 km. So edges are cut into
    pieces of `GCJ_STEP_DEG` first, and then converted corner by corner.
    """
    lon, lat = split(np.array(shifted, np.float64), GCJ_STEP_DEG).T
    lat, lon = wgs84_from_gcj02(lat, lon)
    return tuple(zip(lon.tolist(), lat.tolist(), strict=True))


def split(corners: F8, step: float) -> F8:
    """(m, 2) the same ring with every edge in equal pieces of `step` or less; corners unchanged."""
    edge = np.diff(corners, axis=0)
    pieces = np.maximum(1, np.ceil(np.hypot(edge[:, 0], edge[:, 1]) / step)).astype(np.int64)
    first = np.repeat(np.cumsum(pieces) - pieces, pieces)
    along = (np.arange(pieces.sum()) - first) / np.repeat(pieces, pieces)
    begin, edge = np.repeat(corners[:-1], pieces, axis=0), np.repeat(edge, pieces, axis=0)
    return np.vstack((begin + along[:, None] * edge, corners[-1:]))


def _short(value: Any) -> str:
    words = "nothing" if value is None else json.dumps(value, ensure_ascii=False)
    return words if len(words) <= 60 else words[:57] + "..."
