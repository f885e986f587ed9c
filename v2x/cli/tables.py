"""CSV and TOML of the researchers' contract: PLOTS, TRACKS, TRUTH and the sensor file.

Columns are found by name in the header. Errors name file, column and row: the row's own line
in the file, blank lines counted.
"""

import csv
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from math import inf, isfinite, isnan, nan, radians
from pathlib import Path
from typing import Any

import numpy as np

from v2x.columns import F8, I4, I8
from v2x.errors import ConfigError, SourceError
from v2x.fusion.polar import polar_to_position
from v2x.observations import Kind, Model, ident_of
from v2x.plots import PlotColumns, Plots, Sights
from v2x.sensors import Sensor, SensorKind, SensorTable
from v2x.tracks import Status, Tracks

PLOT_COLUMNS = [
    "t_s",
    "sensor",
    "east_m",
    "north_m",
    "up_m",
    "range_m",
    "az_deg",
    "el_deg",
    "radial_mps",
    "var_e",
    "var_n",
    "var_u",
    "cov_en",
    "cov_eu",
    "cov_nu",
    "ve",
    "vn",
    "vu",
    "kind",
    "ident",
    "conf",
]
TRACK_COLUMNS = [
    "t_s",
    "track",
    "east_m",
    "north_m",
    "up_m",
    "ve",
    "vn",
    "vu",
    "exist",
    "kind",
    "ident",
    "status",
    "var_e",
    "var_n",
    "var_u",
    "cov_en",
    "cov_eu",
    "cov_nu",
]
REPLAY_COLUMNS = ["lat", "lon", "hae_m"]
"""What ``v2x replay`` adds to TRACKS.csv."""
TRUTH_COLUMNS = ["t_s", "object", "east_m", "north_m", "up_m"]
SENSOR_KEYS = {
    f.name for f in fields(Sensor) if f.name not in ("lat", "lon", "hae_m", "coverage_lonlat")
} | {"clutter_per_scan", "area"}
NOISE_KEYS = ("sd_m", "sd_up_m", "sd_range_m", "sd_deg")
MAX_S = 4_611_686_018
"""Times are smaller than this, before and after 1970: 2**62 ns."""


@dataclass
class Table:
    """A CSV file as columns of text, and the line of the file each row begins at."""

    path: Path
    lines: Sequence[int]
    columns: dict[str, tuple[str, ...]]

    @property
    def n(self) -> int:
        """Rows."""
        return len(self.lines)

    def fail(self, row: int, column: str, why: str) -> ConfigError:
        """Build the error for row number `row` (from 0)."""
        return ConfigError(f"{self.path}: row {self.lines[row]}, column {column}: {why}")

    def text(self, name: str) -> tuple[str, ...]:
        """One column, blank if the file lacks it."""
        return self.columns.get(name) or ("",) * self.n

    def numbers(self, name: str) -> F8:
        """(n,) f8 of one column, NaN where empty; words, ``nan`` and ``inf`` are refused."""
        words = self.columns.get(name)
        if words is None or not any(words):
            return np.full(self.n, nan)
        try:
            values = np.array([float(w) if w else nan for w in words])
        except ValueError:
            for row, word in enumerate(words):
                try:
                    float(word or 0)
                except ValueError:
                    raise self.fail(row, name, f"{word!r} is not a number") from None
            raise
        for row in np.flatnonzero(~np.isfinite(values)).tolist():
            if words[row]:
                raise self.fail(row, name, f"{words[row]!r} is not finite")
        return values

    def times(self) -> I8:
        """(n,) ns of column ``t_s``, exact to the nanosecond."""
        words = self.text("t_s")
        known: dict[str, int] = {}
        for row, word in enumerate(words):
            if word not in known:
                try:
                    value = Decimal(word)
                except (ArithmeticError, ValueError):
                    value = Decimal("nan")
                if value.is_nan():
                    raise self.fail(row, "t_s", f"{word!r} is not a time in seconds")
                if value.copy_abs() >= MAX_S:
                    raise self.fail(row, "t_s", f"{word!r} is out of range")
                known[word] = int(value.scaleb(9).to_integral_value())
        return np.array([known[w] for w in words], np.int64)


def read_table(path: Path, allowed: Iterable[str], needed: Iterable[str]) -> Table:
    """Read a CSV file with a header; unknown and missing columns are refused by name."""
    body: list[list[str]] = []
    lines: list[int] = []
    try:
        with path.open(newline="", encoding="utf-8-sig") as f:
            reader, line = csv.reader(f), 1
            for cells in reader:
                if cells:
                    body.append(cells)
                    lines.append(line)
                # a quoted field may hold line ends: the next row begins after the last of them
                line = reader.line_num + 1
    except (OSError, UnicodeDecodeError, csv.Error) as e:
        raise SourceError(f"{path}: {e}") from None
    if not body:
        raise ConfigError(f"{path}: row 1: a header is missing")
    header, top = [name.strip() for name in body.pop(0)], lines.pop(0)
    allowed = list(allowed)
    for name in header:
        if name not in allowed:
            raise ConfigError(
                f"{path}: row {top}: unknown column {name!r}; known: {','.join(allowed)}"
            )
        if header.count(name) > 1:
            raise ConfigError(f"{path}: row {top}: column {name!r} stands twice")
    for name in needed:
        if name not in header:
            raise ConfigError(f"{path}: row {top}: column {name!r} is missing")
    width = len(header)
    for line, row in zip(lines, body, strict=True):
        if len(row) != width:
            raise ConfigError(f"{path}: row {line}: {len(row)} fields, the header has {width}")
    columns = dict(zip(header, zip(*body, strict=True), strict=True)) if body else {}
    return Table(path, lines, columns)


def read_sensors(path: Path) -> SensorTable:
    """Read ``[[sensors]]`` of a TOML file in the researchers' form."""
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as e:
        raise SourceError(f"{path}: {e}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
        raise ConfigError(f"{path}: {e}") from None
    for key in tree:
        if key != "sensors":
            raise ConfigError(f"{path}: unknown key {key!r}; only [[sensors]] is known")
    entries = tree.get("sensors")
    if not isinstance(entries, list) or not entries:
        raise ConfigError(f"{path}: no [[sensors]] entry")
    made = [_sensor(path, k, e) for k, e in enumerate(entries, 1)]
    try:
        return SensorTable.of(made)
    except ConfigError as e:
        raise ConfigError(f"{path}: {e}") from None


def _sensor(path: Path, number: int, entry: Any) -> Sensor:
    if not isinstance(entry, Mapping):
        raise ConfigError(f"{path}: sensors[{number}]: {entry!r} is not a table of keys")
    given = dict(entry)
    if given.get("name", "") == "":
        raise ConfigError(f"{path}: sensors[{number}]: a sensor needs a name")
    where = f"{path}: sensors[{number}] {given['name']!r}"
    for key in given:
        if key not in SENSOR_KEYS:
            raise ConfigError(f"{where}: unknown key {key!r}")
    types = {f.name: f.type for f in fields(Sensor)}
    for key, value in given.items():
        number_wanted = types.get(key) is float or key in ("clutter_per_scan", "area")
        if number_wanted and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise ConfigError(f"{where}: key {key!r}: {value!r} is not a number")
        if number_wanted:
            given[key] = _number(key, value, where)
        if types.get(key) is bool and not isinstance(value, bool):
            raise ConfigError(f"{where}: key {key!r}: {value!r} is not true or false")
        if types.get(key) is str and not isinstance(value, str):
            raise ConfigError(f"{where}: key {key!r}: {value!r} is not text")
    per_scan, area = given.pop("clutter_per_scan", None), given.pop("area", None)
    if per_scan is not None:
        if "clutter_density" in given:
            raise ConfigError(f"{where}: key 'clutter_per_scan': clutter_density is given too")
        if area is None or not area > 0.0:
            raise ConfigError(f"{where}: key 'area': clutter_per_scan needs a positive area")
        given["clutter_density"] = per_scan / area
    if "kind" in given:
        try:
            given["kind"] = SensorKind[str(given["kind"]).upper()]
        except KeyError:
            raise ConfigError(f"{where}: key 'kind': unknown {given['kind']!r}") from None
    given.pop("datum", None)
    if "coverage" in given:
        try:
            given["coverage"] = tuple((float(e), float(n)) for e, n in given["coverage"])
            if not np.isfinite(given["coverage"]).all():
                raise ValueError
        except (TypeError, ValueError, OverflowError):
            raise ConfigError(f"{where}: key 'coverage': wants [[east_m, north_m], ...]") from None
    try:
        return Sensor(**given)
    except (TypeError, ConfigError) as e:
        raise ConfigError(f"{where}: {e}") from None


def _number(key: str, value: float, where: str) -> float:
    """Finite, heights of the band apart; noise is squared later, and must be finite then too."""
    try:
        number = float(value)
    except OverflowError:
        number = inf
    noise = key in NOISE_KEYS
    endless = key in ("floor_m", "ceiling_m") and not isnan(number)
    if not (endless or isfinite(number * number if noise else number)):
        raise ConfigError(f"{where}: key {key!r}: {number} is not finite")
    if noise and number < 0.0:
        raise ConfigError(f"{where}: key {key!r}: {number} is negative")
    return number


@dataclass(frozen=True)
class PlotFile:
    """PLOTS.csv: the plots, texts of its identities, whether any height stands in it."""

    plots: Plots
    idents: dict[int, str]
    has_up: bool


def read_plots(path: Path, sensors: SensorTable) -> PlotFile:
    """Read PLOTS.csv into scans; the order of its rows does not matter.

    A row with ``t_s`` and ``sensor`` only is an empty look. Range and angles are kept as measured,
    with the noise of their sensor; rows with a covariance of their own become places here.
    """
    table = read_table(path, PLOT_COLUMNS, ("t_s", "sensor"))
    t, sensor = table.times(), _sensor_rows(table, sensors)
    east, north, up = (table.numbers(c) for c in ("east_m", "north_m", "up_m"))
    reach, az, el = (table.numbers(c) for c in ("range_m", "az_deg", "el_deg"))
    radial = table.numbers("radial_mps")
    position, polar = ~np.isnan(east), ~np.isnan(reach) & np.isnan(east)
    bearing = ~position & ~polar & ~np.isnan(az)
    seen = position | polar | bearing
    _refuse(table, position & np.isnan(north), "north_m", "east_m without north_m")
    _refuse(table, ~position & ~np.isnan(north), "east_m", "north_m without east_m")
    _refuse(table, polar & np.isnan(az), "az_deg", "range_m without az_deg")
    _refuse(table, polar & ~(reach > 0.0), "range_m", "a range is positive")
    _refuse(table, ~seen & ~np.isnan(el), "az_deg", "el_deg without az_deg")
    _refuse(table, np.abs(az) > 720.0, "az_deg", "an azimuth is from -720 to 720")
    _refuse(table, np.abs(el) > 90.0, "el_deg", "an elevation is from -90 to 90")
    _refuse(table, ~position & ~polar & ~np.isnan(up), "up_m", "up_m without a position")
    _refuse(table, ~seen & ~np.isnan(radial), "radial_mps", "radial_mps without a place or bearing")
    z = np.stack([east, north, up], axis=1)
    cov = _noise(table, sensors, sensor, position | polar, polar | bearing, z)
    sights = _sights(table, sensors, sensor, polar, bearing, cov)
    for k in np.unique(sensor[polar]).tolist():
        rows, s = np.flatnonzero(polar & (sensor == k)), sensors[k]
        z[rows], made = polar_to_position(
            reach[rows],
            np.radians(az[rows]),
            np.radians(el[rows]),
            s.sd_range_m if s.sd_range_m > 0.0 else 0.0,
            radians(s.sd_deg) if s.sd_deg > 0.0 else 0.0,
            (s.east_m, s.north_m, s.up_m),
        )
        own = np.isnan(cov[rows, 0])
        cov[rows[own]] = made[own]
    vel = np.stack([table.numbers(c) for c in ("ve", "vn", "vu")], axis=1)
    idents: dict[int, str] = {}
    rows = np.flatnonzero(seen)
    conf = np.nan_to_num(table.numbers("conf"), nan=1.0)
    _refuse(table, ~((conf >= 0.0) & (conf <= 1.0)), "conf", "a confidence is from 0 to 1")
    made_rows = PlotColumns.blank(
        len(rows),
        t_ns=t[rows],
        sensor=sensor[rows],
        z=z[rows],
        cov=cov[rows],
        vel=vel[rows],
        ident=_idents(table, idents)[rows],
        kind=_kinds(table)[rows],
        kind_conf=conf[rows],
    )
    more = ((sights.model > 0) | ~np.isnan(radial)).any()
    plots = Plots.of(made_rows, sensor[~seen], t[~seen], sights.take(rows) if more else None)
    return PlotFile(plots, idents, bool((~np.isnan(up) | ~np.isnan(el)).any()))


def _sights(
    table: Table, sensors: SensorTable, sensor: I4, polar: Any, bearing: Any, cov: F8
) -> Sights:
    """What each row measured that is no place; a row with its own covariance is one."""
    polar = polar & np.isnan(cov[:, 0])
    sd_range, sd = sensors.floats("sd_range_m")[sensor], sensors.floats("sd_deg")[sensor]
    for lost, needed, own in (
        (polar & ~((sd_range > 0.0) & (sd > 0.0)), "sd_range_m and sd_deg", ", or the row var_e"),
        (bearing & ~(sd > 0.0), "sd_deg", ""),
    ):
        if lost.any():
            row = int(np.flatnonzero(lost)[0])
            name = sensors[int(sensor[row])].name
            raise table.fail(row, "az_deg", f"sensor {name!r} needs {needed} for its angles{own}")
    return Sights.blank(
        table.n,
        model=np.where(polar, Model.POLAR, np.where(bearing, Model.BEARING, Model.POSITION)),
        range=table.numbers("range_m"),
        az=np.radians(table.numbers("az_deg")),
        el=np.radians(table.numbers("el_deg")),
        range_sd=sd_range,
        ang_sd=np.radians(sd),
        radial=table.numbers("radial_mps"),
    )


def _refuse(table: Table, bad: Any, column: str, why: str) -> None:
    if bad.any():
        raise table.fail(int(np.flatnonzero(bad)[0]), column, why)


def _sensor_rows(table: Table, sensors: SensorTable) -> I4:
    words = table.text("sensor")
    known = {w: sensors.row(w) if w in sensors else -1 for w in set(words)}
    rows = np.array([known[w] for w in words], np.int32)
    if (rows < 0).any():
        row = int(np.flatnonzero(rows < 0)[0])
        raise table.fail(row, "sensor", f"no [[sensors]] entry is named {words[row]!r}")
    return rows


def _noise(table: Table, sensors: SensorTable, sensor: I4, seen: Any, polar: Any, z: F8) -> F8:
    """Covariance of each row: its own, else the sensor's; rows with angles without stay NaN."""
    ve, vn, vu = (table.numbers(c) for c in ("var_e", "var_n", "var_u"))
    en, eu, nu = (np.nan_to_num(table.numbers(c), nan=0.0) for c in ("cov_en", "cov_eu", "cov_nu"))
    cov = np.stack([ve, en, eu, vn, nu, vu], axis=1)
    own = ~np.isnan(ve) & ~np.isnan(vn)
    for column, v in (("var_e", ve), ("var_n", vn), ("var_u", vu)):
        _refuse(table, seen & ~np.isnan(v) & ~(v > 0.0), column, "a variance is positive")
    sd = sensors.floats("sd_m")[sensor]
    sd_up = sensors.floats("sd_up_m")[sensor]
    sd_up = np.where(np.isnan(sd_up), sd, sd_up)
    lost = seen & ~polar & ~own & ~(sd > 0.0)
    if lost.any():
        row = int(np.flatnonzero(lost)[0])
        name = sensors[int(sensor[row])].name
        raise table.fail(row, "var_e", f"empty, and sensor {name!r} has no sd_m")
    plain = ~own & ~polar
    cov[plain, 0] = cov[plain, 3] = sd[plain] ** 2
    cov[plain, 1] = cov[plain, 2] = cov[plain, 4] = 0.0
    cov[polar & ~own] = nan
    height = np.isfinite(z[:, 2])
    fill = height & np.isnan(cov[:, 5]) & ~polar
    _refuse(table, fill & ~(sd_up > 0.0), "var_u", "up_m without var_u, sd_up_m or sd_m")
    cov[fill, 5] = sd_up[fill] ** 2
    _refuse(
        table,
        seen & own & ~(cov[:, 0] * cov[:, 3] > cov[:, 1] ** 2),
        "cov_en",
        "the covariance is not positive definite",
    )
    return cov


def _idents(table: Table, texts: dict[int, str]) -> I8:
    words = table.text("ident")
    known = {w: ident_of(w) for w in set(words)}
    texts.update({number: word for word, number in known.items() if word})
    return np.array([known[w] for w in words], np.int64)


def _kinds(table: Table) -> Any:
    words = table.text("kind")
    known: dict[str, int] = {"": 0}
    for word in sorted(set(words) - {""}):
        try:
            known[word] = int(Kind[word.upper()])
        except KeyError:
            row = words.index(word)
            raise table.fail(row, "kind", f"unknown kind {word!r}") from None
    return np.array([known[w] for w in words], np.uint8)


class TrackWriter:
    """Collects the tracks of each instant and writes TRACKS.csv."""

    def __init__(self, idents: Mapping[int, str], has_up: bool) -> None:
        self.idents, self.has_up = idents, has_up
        self.lines: list[str] = [",".join(TRACK_COLUMNS)]
        self.ids: set[int] = set()

    def add(self, tracks: Tracks, t_ns: int) -> None:
        """Rows with existence of 0.5 or more at one output instant, sorted by id text."""
        t = f"{Decimal(t_ns).scaleb(-9):.3f}"
        keep = tracks.take(tracks.exist >= 0.5)
        P = keep.P
        flat = [P[:, 0, 0], P[:, 1, 1], P[:, 2, 2], P[:, 0, 1], P[:, 0, 2], P[:, 1, 2]]
        numbers = np.concatenate([keep.x, keep.exist[:, None], np.stack(flat, axis=1)], axis=1)
        rows = []
        names = [k.name.lower() for k in Kind]
        states = [s.name.lower() for s in Status]
        for who, v, kind, ident, status in zip(
            keep.id.tolist(),
            (np.round(numbers, 4) + 0.0).tolist(),
            keep.kind.tolist(),
            keep.ident.tolist(),
            keep.status.tolist(),
            strict=True,
        ):
            self.ids.add(who)
            up = self.has_up and v[9] < 1e7
            rows.append(
                f"{t},{who},{v[0]:.4f},{v[1]:.4f},{f'{v[2]:.4f}' if up else ''},"
                f"{v[3]:.4f},{v[4]:.4f},{f'{v[5]:.4f}' if up else ''},{v[6]:.4f},"
                f"{names[kind]},{_quoted(self.idents.get(ident, ''))},{states[status]},"
                f"{v[7]:.4f},{v[8]:.4f},{f'{v[9]:.4f}' if up else ''},{v[10]:.4f},"
                f"{f'{v[11]:.4f},{v[12]:.4f}' if up else ','}"
            )
        rows.sort(key=lambda line: line.split(",", 2)[1])
        self.lines += rows

    def write(self, path: Path) -> None:
        """Write the file."""
        try:
            path.write_text("\n".join(self.lines) + "\n", encoding="utf-8")
        except OSError as e:
            raise SourceError(f"{path}: {e}") from None


def _quoted(word: str) -> str:
    """A field of CSV."""
    if any(c in word for c in ',"\r\n'):
        return '"' + word.replace('"', '""') + '"'
    return word


@dataclass(frozen=True)
class Instants:
    """A track or truth file by instant: rows ``first[k]:first[k + 1]`` hold at ``t_ns[k]``."""

    t_ns: I8
    first: I8
    id: I8
    position: F8
    velocity: F8
    has_up: bool


def read_truth(path: Path) -> Instants:
    """Read TRUTH.csv; a row with an empty object says that nothing is there at its time."""
    table = read_table(path, TRUTH_COLUMNS, ("t_s", "object", "east_m", "north_m"))
    present = np.array([bool(w) for w in table.text("object")], bool)
    return _instants(table, "object", present)


def read_tracks(path: Path) -> Instants:
    """Read TRACKS.csv; rows with existence below 0.5 count as an instant but not as a track.

    The places on earth that ``v2x replay`` adds are not read.
    """
    table = read_table(path, TRACK_COLUMNS + REPLAY_COLUMNS, ("t_s", "track", "east_m", "north_m"))
    exist = np.nan_to_num(table.numbers("exist"), nan=1.0)
    return _instants(table, "track", exist >= 0.5)


def _instants(table: Table, who: str, present: Any) -> Instants:
    words = table.text(who)
    t = table.times()
    position = np.stack([table.numbers(c) for c in ("east_m", "north_m", "up_m")], axis=1)
    velocity = np.stack([table.numbers(c) for c in ("ve", "vn", "vu")], axis=1)
    for k, column in enumerate(("east_m", "north_m")):
        _refuse(table, present & np.isnan(position[:, k]), column, "empty")
    _refuse(table, present & np.array([not w for w in words], bool), who, "empty")
    numbers = {w: k for k, w in enumerate(sorted(set(words)))}
    ids = np.array([numbers[w] for w in words], np.int64)
    times, inverse = np.unique(t, return_inverse=True)
    order = np.lexsort((ids, inverse))
    order = order[present[order]]
    inverse, ids = inverse[order], ids[order]
    twice = np.flatnonzero((inverse[1:] == inverse[:-1]) & (ids[1:] == ids[:-1]))
    if len(twice):
        row = int(max(order[twice[0]], order[twice[0] + 1]))
        raise table.fail(row, who, f"{words[row]!r} stands twice at t_s {table.text('t_s')[row]}")
    position = position[order]
    return Instants(
        times,
        np.searchsorted(inverse, np.arange(len(times) + 1)).astype(np.int64),
        ids,
        position,
        np.nan_to_num(velocity[order], nan=0.0),
        bool(len(position)) and not np.isnan(position[:, 2]).any(),
    )


def clean(value: float | int) -> float | int | None:
    """NaN and infinities become null in JSON."""
    return None if isnan(value) or value in (inf, -inf) or not isfinite(value) else value
