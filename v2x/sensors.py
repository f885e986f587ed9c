"""Sensors: configured inputs, their place, noise, datum and reach, as rows of one table."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from math import inf, isfinite, isnan, nan

import numpy as np

from v2x.columns import F8, I8, U1
from v2x.errors import ConfigError
from v2x.geodesy import Tile


class SensorKind(IntEnum):
    """How a sensor knows what it says; the bit number in `Tracks.sensor_kinds`."""

    UNKNOWN = 0
    RADAR = 1
    CAMERA = 2
    LIDAR = 3
    REMOTE_ID = 4
    ADS_B = 5
    SELF_REPORT = 6
    RELAYED = 7
    RSU = 8


class Datum(IntEnum):
    """Horizontal datum a sensor reports in. CGCS2000 has WGS-84's numbers for our purposes."""

    WGS84 = 0
    CGCS2000 = 1
    GCJ02 = 2


INDEPENDENT = frozenset({SensorKind.RADAR, SensorKind.CAMERA, SensorKind.LIDAR, SensorKind.RSU})
"""Kinds that see an object without its help: only they corroborate a claim."""


@dataclass(frozen=True, slots=True)
class Sensor:
    """One input.

    Lengths in metres, angles in degrees at this door, coverage in tile metres.

    Attributes
    ----------
    name
        Unique; canonical order of everything is the order of names.
    format
        Wire format of its frames; empty for arrays handed to the tracker directly.
    p_detect
        Probability that a look sees an object inside the coverage.
    clutter_density
        False plots per look, per m² (2-D), m³ (3-D) or sr (bearings); NaN: not known, and learned
        by the tracker.
    sd_m, sd_up_m
        Position noise, one standard deviation per horizontal axis, and vertical.
    sd_range_m, sd_deg
        Noise of range and of angles for polar and bearing sensors.
    lat, lon, hae_m, yaw_deg
        Pose: where the sensor stands and where its zero azimuth points, clockwise from north.
    east_m, north_m, up_m
        The same place in the tile (`placed` computes it).
    coverage
        Polygon of (east_m, north_m) vertices, empty for "everywhere".
    coverage_lonlat
        The same polygon as (lon, lat) degrees; `placed` turns it into `coverage`.
    blind
        Sectors (from_deg, to_deg), clockwise from true north at its place, that it cannot see:
        masts, buildings. They are cut out of `coverage`, which must be given then.
    floor_m, ceiling_m
        Height band it can see, metres above the ellipsoid.
    scans
        True: a look that misses an object is evidence. False: single reports (terminals).
    track_input
        What it sends is already filtered; its errors are correlated over `correlation_s`.
    mapping
        How its frames are to be read, for format ``json``: `v2x.mapping.JsonMapping.text`.
    cipher
        M1, IA1 and IC1 of JT/T 809: secrets of the platform that sends.
    hears_low_m, hears_high_m, p_hear
        Of a Remote ID receiver: range at which it hears half of what it hears close by, for drones
        near the ground and for those with a free line of sight; and how much it hears close by.
    """

    name: str
    format: str = ""
    kind: SensorKind = SensorKind.UNKNOWN
    datum: Datum = Datum.WGS84
    p_detect: float = 0.9
    clutter_density: float = nan
    sd_m: float = nan
    sd_up_m: float = nan
    sd_range_m: float = nan
    sd_deg: float = nan
    lat: float = nan
    lon: float = nan
    hae_m: float = nan
    yaw_deg: float = 0.0
    east_m: float = 0.0
    north_m: float = 0.0
    up_m: float = 0.0
    coverage: tuple[tuple[float, float], ...] = ()
    coverage_lonlat: tuple[tuple[float, float], ...] = ()
    blind: tuple[tuple[float, float], ...] = ()
    floor_m: float = -1e9
    ceiling_m: float = 1e9
    may_spawn: bool = True
    scans: bool = True
    track_input: bool = False
    reorder_wait_ms: float = 200.0
    period_s: float = nan
    correlation_s: float = 0.0
    edition: str = "auto"
    mapping: str = ""
    cipher: tuple[int, int, int] | None = field(default=None, repr=False)
    hears_low_m: float = 1000.0
    hears_high_m: float = 3000.0
    p_hear: float = 0.95

    def __post_init__(self) -> None:
        if not self.name:
            raise ConfigError("a sensor needs a name")
        if not 0.0 < self.p_detect <= 1.0:
            raise ConfigError(f"sensor {self.name}: p_detect {self.p_detect} is not in (0, 1]")
        if not (isnan(self.clutter_density) or 0.0 <= self.clutter_density < inf):
            raise ConfigError(
                f"sensor {self.name}: clutter_density {self.clutter_density} is not >= 0"
            )
        if len(self.coverage) in (1, 2) or len(self.coverage_lonlat) in (1, 2):
            raise ConfigError(f"sensor {self.name}: a coverage polygon needs 3 vertices or more")
        if self.blind and not (self.coverage or self.coverage_lonlat):
            raise ConfigError(f"sensor {self.name}: blind sectors need a coverage polygon")
        if self.blind and self.coverage:
            ring = _without(self.name, self.coverage, (self.east_m, self.north_m), self.blind)
            object.__setattr__(self, "coverage", ring)

    def placed(self, tile: Tile) -> "Sensor":
        """The same sensor with pose and coverage in the metres of `tile`."""
        made = self
        if isfinite(self.lat) and isfinite(self.lon):
            hae = self.hae_m if isfinite(self.hae_m) else tile.h0
            e, n, u = tile.to_enu(np.array([self.lat]), np.array([self.lon]), np.array([hae]))[
                0
            ].tolist()
            made = replace(made, east_m=e, north_m=n, up_m=u)
        if self.coverage_lonlat:
            lon, lat = np.array(self.coverage_lonlat, np.float64).T
            enu = tile.to_enu(lat, lon, np.full(lat.shape, tile.h0))
            made = replace(made, coverage=tuple((e, n) for e, n in enu[:, :2].tolist()))
        return made


def _without(
    name: str,
    ring: tuple[tuple[float, float], ...],
    place: tuple[float, float],
    sectors: tuple[tuple[float, float], ...],
) -> tuple[tuple[float, float], ...]:
    """Ring without sectors seen from a place; where it falls apart there, it passes it again.

    Cut once more it stays as it is.
    """
    import shapely

    far = 4.0 * max(np.hypot(e - place[0], n - place[1]) for e, n in ring) + 1.0
    wedges = []
    for begin, end in sectors:
        sweep = (end - begin) % 360.0
        if not (isfinite(sweep) and sweep > 0.0):
            raise ConfigError(f"sensor {name}: blind sector from {begin:g} to {end:g} deg")
        bearing = np.radians(np.linspace(begin, begin + sweep, 2 + int(sweep // 30.0)))
        arc = np.column_stack((np.sin(bearing), np.cos(bearing))) * far + place
        wedges.append(shapely.Polygon([place, *arc.tolist()]))
    seen = shapely.Polygon(ring).buffer(0.0).difference(shapely.union_all(wedges))
    parts = [part for part in shapely.get_parts(seen) if part.area > 1e-6]
    rings = [[(float(e), float(n)) for e, n in part.exterior.coords[:-1]] for part in parts]
    if not rings or any(part.interiors for part in parts):
        raise ConfigError(f"sensor {name}: blind sectors leave no coverage polygon")
    if len(rings) == 1:
        return tuple(rings[0])
    made: list[tuple[float, float]] = []
    for corners in rings:
        away = [np.hypot(e - place[0], n - place[1]) for e, n in corners]
        first = int(np.argmin(away))
        if away[first] > 1e-6:
            raise ConfigError(
                f"sensor {name}: blind sectors cut its coverage into parts that do not meet at it"
            )
        made += [place, *corners[first + 1 :], *corners[:first]]
    return tuple(made)


def coverage_fault(ring: Sequence[tuple[float, float]]) -> str | None:
    """What makes a polygon of (lon, lat) vertices no area on the map; None if nothing does.

    The first vertex may stand again at the end. Edges may meet only at the vertex they share.
    """
    for i, (lon, lat) in enumerate(ring):
        for name, value, most in (("lon", lon, 180.0), ("lat", lat, 90.0)):
            if not -most <= value <= most:
                return f"vertex {i}: {name} {value} is not in -{most:.0f}..{most:.0f}"
    corners = list(ring[:-1] if len(ring) > 1 and ring[0] == ring[-1] else ring)
    n = len(corners)
    if n < 3:
        return "a coverage polygon needs 3 vertices or more" if ring else None
    for i in range(n):
        a, b = corners[i], corners[(i + 1) % n]
        for j in range(i + 2, n - (i == 0)):
            if _meet(a, b, corners[j], corners[(j + 1) % n]):
                return f"edges {i} and {j} cross or touch"
    if all(_turn(corners[0], corners[1], corner) == 0 for corner in corners):
        return "a coverage polygon whose vertices lie on one line has no area"
    return None


def _turn(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> int:
    """1 if a, b, c turn left, -1 right, 0 on one line."""
    twice = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
    return (twice > 0) - (twice < 0)


def _meet(
    a: tuple[float, float], b: tuple[float, float], c: tuple[float, float], d: tuple[float, float]
) -> bool:
    """Whether the segments a-b and c-d have a point in common."""
    if max(a[0], b[0]) < min(c[0], d[0]) or max(c[0], d[0]) < min(a[0], b[0]):
        return False
    if max(a[1], b[1]) < min(c[1], d[1]) or max(c[1], d[1]) < min(a[1], b[1]):
        return False
    return _turn(a, b, c) * _turn(a, b, d) <= 0 and _turn(c, d, a) * _turn(c, d, b) <= 0


@dataclass(frozen=True, eq=False)
class SensorTable:
    """Sensors in name order; their numbers are columns for kernels and decoders.

    `row` finds a sensor by name. Unknown names are a `ConfigError`, not a new row. `fleet` is what
    is known beforehand of who reports: kinds (`v2x.observations.Kind`) by identity text.
    """

    sensors: tuple[Sensor, ...]
    _rows: dict[str, int] = field(default_factory=dict)
    fleet: Mapping[str, int] = field(default_factory=dict)
    _tables: dict[tuple[str, ...], F8] = field(default_factory=dict)

    @classmethod
    def of(cls, sensors: Iterable[Sensor], fleet: Mapping[str, int] | None = None) -> "SensorTable":
        """Sort by name; a name twice is refused."""
        ordered = tuple(sorted(sensors, key=lambda s: s.name))
        rows = {s.name: i for i, s in enumerate(ordered)}
        if len(rows) != len(ordered):
            names: Sequence[str] = [s.name for s in ordered]
            twice = sorted({n for n in names if names.count(n) > 1})
            raise ConfigError(f"sensor name used twice: {', '.join(twice)}")
        return cls(ordered, rows, dict(fleet or {}))

    def row(self, name: str) -> int:
        """Row of the sensor called `name`."""
        try:
            return self._rows[name]
        except KeyError:
            raise ConfigError(f"no [[sensors]] entry is named {name!r}") from None

    def __contains__(self, name: object) -> bool:
        return name in self._rows

    def __len__(self) -> int:
        return len(self.sensors)

    def __getitem__(self, row: int) -> Sensor:
        return self.sensors[row]

    def floats(self, attribute: str) -> F8:
        """(m,) f8 of one numeric attribute."""
        return np.array([getattr(s, attribute) for s in self.sensors], np.float64)

    def table(self, *attributes: str) -> F8:
        """(m, k) f8 of numeric attributes, made once: to be read, not changed."""
        known = self._tables.get(attributes)
        if known is None:
            known = np.column_stack([self.floats(name) for name in attributes])
            self._tables[attributes] = known
        return known

    def wait_ns(self) -> I8:
        """(m,) i8 ns that a slice waits for each sensor; 0: it does not hold the grid."""
        return np.array([round(s.reorder_wait_ms * 1e6) for s in self.sensors], np.int64)

    def datum(self) -> U1:
        """(m,) u1 of `Datum`."""
        return np.array([s.datum for s in self.sensors], np.uint8)

    def kinds(self) -> U1:
        """(m,) u1 of `SensorKind`."""
        return np.array([s.kind for s in self.sensors], np.uint8)
