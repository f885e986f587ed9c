"""Zones of an aerodrome from its runways: obstacle limitation surfaces and areas around them.

Annex 14 Vol. I (8th ed.) tables 4-1 and 4-2, code number 4, which MH 5001-2021 follows; the numbers
are in `Surfaces`, to be replaced by those of the aerodrome. From November 2030 ICAO has another
scheme. A surface is a zone whose floor slopes: what is above it, inside its outline, is in it, and
the lowest one over a place governs.

Everything is drawn in the plane of the tile at the reference point, along each runway: x from one
end towards the other, y to the side, s outward from where a surface begins.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import shapely

from v2x.columns import F8
from v2x.errors import ConfigError
from v2x.geodesy import Tile
from v2x.lowalt import shapes
from v2x.lowalt.files import Ring, split
from v2x.lowalt.zones import Limit, Part, Slope, Zone, Zones
from v2x.picture import ZoneKind

XY = tuple[float, float]


@dataclass(frozen=True)
class Surfaces:
    """Dimensions for a precision approach runway of code number 4; metres, and metres per metre."""

    strip_half_m: float = 140.0
    strip_beyond_m: float = 60.0
    inner_radius_m: float = 4_000.0
    inner_height_m: float = 45.0
    conical_slope: float = 0.05
    conical_height_m: float = 100.0
    outer_radius_m: float = 15_000.0
    outer_height_m: float = 150.0
    approach_before_m: float = 60.0
    approach_spread: float = 0.15
    approach_slopes: tuple[tuple[float, float], ...] = ((3_000.0, 0.02), (6_600.0, 0.025))
    """Ends of the sloping sections, s, and their slopes; level from there on."""
    approach_length_m: float = 15_000.0
    transitional_slope: float = 1.0 / 7.0
    climb_beyond_m: float = 60.0
    climb_half_m: float = 90.0
    climb_spread: float = 0.125
    climb_half_most_m: float = 600.0
    climb_slope: float = 0.02
    climb_length_m: float = 15_000.0
    inner_half_m: float = 60.0
    inner_approach_m: float = 900.0
    inner_transitional_slope: float = 1.0 / 3.0
    balked_after_m: float = 1_800.0
    balked_spread: float = 0.1
    balked_slope: float = 1.0 / 30.0


@dataclass(frozen=True)
class End:
    """One direction of a runway: landing threshold and end of the pavement, degrees WGS-84."""

    name: str
    threshold: tuple[float, float]
    end: tuple[float, float]
    elevation_m: float
    """Above mean sea level, of both."""


@dataclass(frozen=True)
class Runway:
    """Two ends, and the declared length that their distance must agree with."""

    ends: tuple[End, End]
    length_m: float
    precision: bool = True
    estimated: bool = False
    """Positions are estimates: a length that does not fit them is no error."""


@dataclass(frozen=True)
class Aerodrome:
    """An aerodrome: reference point (lon, lat), elevation above mean sea level, runways."""

    name: str
    reference: tuple[float, float]
    elevation_m: float
    runways: tuple[Runway, ...]
    surfaces: Surfaces = Surfaces()

    @cached_property
    def tile(self) -> Tile:
        """Plane everything is drawn in."""
        return Tile(self.reference[1], self.reference[0], 0.0)

    def flat(self, lonlat: tuple[float, float]) -> F8:
        """(2,) metres east and north of a position."""
        lon, lat = lonlat
        return self.tile.to_enu(np.array([lat]), np.array([lon]), np.zeros(1))[0, :2]

    def lonlat(self, flat: Sequence[XY] | F8) -> F8:
        """(n, 2) degrees of places in the plane."""
        places = np.asarray(flat, np.float64).reshape(-1, 2)
        lat, lon, _ = self.tile.to_geodetic(
            np.column_stack((places, np.full(len(places), math.nan)))
        )
        return np.column_stack((lon, lat))

    def ring(self, corners: Sequence[XY] | F8) -> Ring:
        """Closed ring of (lon, lat) of a closed or open ring in the plane."""
        flat = np.asarray(corners, np.float64)
        if np.any(flat[0] != flat[-1]):
            flat = np.vstack((flat, flat[:1]))
        edge = self.lonlat(split(flat, shapes.STEP_M)).tolist()
        return (*((lon, lat) for lon, lat in edge[:-1]), (edge[0][0], edge[0][1]))


@dataclass(frozen=True)
class _Axis:
    """A frame along a runway: x from `origin` along `along`, y to its right; heights of its line.

    `mirror` -1 turns y over: what is drawn on one side stands on the other.
    """

    field: Aerodrome
    origin: F8
    along: F8
    height: float
    rise: float = 0.0
    mirror: float = 1.0

    def flat(self, corners: Iterable[XY]) -> F8:
        """(n, 2) places in the plane of corners in this frame."""
        xy = np.array(list(corners), np.float64)
        right = self.mirror * np.array([self.along[1], -self.along[0]])
        return self.origin + xy[:, :1] * self.along + xy[:, 1:] * right

    def part(self, corners: Iterable[XY], at: XY, above: float, gx: float, gy: float) -> Part:
        """Part over corners; its floor is `above` the line's height at `at`, rising gx and gy."""
        places = self.flat([at, (at[0] + gx, at[1] + gy)])
        metres = self.height + above
        gradient = math.hypot(gx, gy)
        slope = None
        if gradient:
            slope = _slope(self.field, places[0], places[1] - places[0], gradient)
        return Part((self.field.ring(self.flat(corners)),), Limit(metres, "amsl", slope))

    def other_side(self) -> "_Axis":
        """The same with y turned over."""
        return _Axis(self.field, self.origin, self.along, self.height, self.rise, -self.mirror)

    def moved(self, x: float, back: bool = False) -> "_Axis":
        """The same from `x` on, in the other direction if `back`."""
        return _Axis(
            self.field,
            self.flat([(x, 0.0)])[0],
            -self.along if back else self.along,
            self.height + self.rise * x,
            -self.rise if back else self.rise,
        )


def _slope(field: Aerodrome, at: F8, direction: F8, gradient: float) -> Slope:
    """Slope from a place of the plane in a direction of it."""
    lon, lat = field.lonlat([tuple(at)])[0].tolist()
    north = field.flat((lon, lat + 1e-3)) - field.flat((lon, lat))
    course = math.atan2(direction[0], direction[1]) - math.atan2(north[0], north[1])
    return Slope(lon, lat, gradient, math.degrees(course) % 360.0)


def surfaces(field: Aerodrome) -> Zones:
    """Obstacle limitation surfaces of an aerodrome as zones.

    Raises
    ------
    ConfigError
        A runway whose ends are not as far apart as it is long (by more than 1 %), and that is not
        marked as estimated; or one that has no length.
    """
    zones = [*_around(field)]
    for runway in field.runways:
        for axis, end, far in _axes(field, runway):
            zones += _of_end(field, runway, axis, end, far)
        first, end, far = next(_axes(field, runway))
        name = f"{runway.ends[0].name}/{runway.ends[1].name}"
        zones.append(_zone(field, f"{name}-strip", _strip(field, first, far)))
        zones.append(_zone(field, f"{name}-transitional", _beside_strip(field, first, far)))
    return Zones.of(zones)


def _zone(field: Aerodrome, name: str, parts: Sequence[Part]) -> Zone:
    title = f"{field.name} {name.replace('-', ' ')}"
    return Zone(f"{field.name}-{name}", title, ZoneKind.OBSTACLE_SURFACE, tuple(parts))


def _axes(field: Aerodrome, runway: Runway) -> Iterator[tuple[_Axis, End, float]]:
    """Frame from each end of the pavement towards the other, that end, and its distance."""
    a, b = runway.ends
    for near, other in ((a, b), (b, a)):
        origin, far = field.flat(near.end), field.flat(other.end)
        length = float(np.hypot(*(far - origin)))
        name = f"runway {a.name}/{b.name}"
        if length < 1.0:
            raise ConfigError(f"{field.name}: {name}: its ends are at one place")
        if not runway.estimated and abs(length - runway.length_m) > 0.01 * runway.length_m:
            raise ConfigError(
                f"{field.name}: {name}: its ends are {length:.0f} m apart and its length is "
                f"{runway.length_m:.0f} m; mend them, or mark it estimated = true"
            )
        rise = (other.elevation_m - near.elevation_m) / length
        yield _Axis(field, origin, (far - origin) / length, near.elevation_m, rise), near, length


def _around(field: Aerodrome) -> Iterator[Zone]:
    """Yield inner horizontal, conical and outer horizontal surface of all runways together."""
    dim, base = field.surfaces, field.elevation_m + field.surfaces.inner_height_m
    ends = [
        axis.flat([(-dim.strip_beyond_m, 0.0)])[0]
        for runway in field.runways
        for axis, _, _ in _axes(field, runway)
    ]
    hull = shapely.MultiPoint(np.array(ends)).convex_hull
    quarter = shapes.pieces(dim.inner_radius_m, 90.0)
    inside = hull.buffer(dim.inner_radius_m, quad_segs=quarter)
    inner = Part((field.ring(shapely.get_coordinates(inside.exterior)),), Limit(base, "amsl"))
    yield _zone(field, "inner-horizontal", [inner])
    reach = dim.inner_radius_m + dim.conical_height_m / dim.conical_slope
    yield _zone(field, "conical", [*_conical(field, hull, base, reach)])
    within = hull.buffer(reach, quad_segs=shapes.pieces(reach, 90.0))
    disc = shapely.Point(0.0, 0.0).buffer(
        dim.outer_radius_m, quad_segs=shapes.pieces(dim.outer_radius_m, 90.0)
    )
    ground = Limit(field.elevation_m + dim.outer_height_m, "amsl")
    outer = disc.difference(within)
    rings = [outer.exterior, *outer.interiors]
    shape = tuple(field.ring(shapely.get_coordinates(ring)) for ring in rings)
    yield _zone(field, "outer-horizontal", [Part(shape, ground)])


def _conical(field: Aerodrome, hull: shapely.Geometry, base: float, reach: float) -> Iterator[Part]:
    """Yield a plane along each side of the hull and a cone about each corner."""
    dim = field.surfaces
    corners = shapely.get_coordinates(hull.exterior if isinstance(hull, shapely.Polygon) else hull)
    if isinstance(hull, shapely.Polygon):
        corners = shapely.get_coordinates(shapely.geometry.polygon.orient(hull).exterior)[:-1]
    n = len(corners)
    sides = [corners[(k + 1) % n] - corners[k] for k in range(n)]
    normals = [np.array([e[1], -e[0]]) / np.hypot(*e) for e in sides]
    inner = dim.inner_radius_m
    for k in range(n):
        a, b, out = corners[k], corners[(k + 1) % n], normals[k]
        box = np.array([a + inner * out, b + inner * out, b + reach * out, a + reach * out])
        slope = _slope(field, box[0], out, dim.conical_slope)
        yield Part((field.ring(box),), Limit(base, "amsl", slope))
    for k in range(n):
        before, after = normals[k - 1], normals[k]
        begin = math.atan2(before[1], before[0])
        sweep = (math.atan2(after[1], after[0]) - begin) % (2.0 * math.pi)
        angle = begin + np.linspace(0.0, sweep, shapes.pieces(reach, math.degrees(sweep)) + 1)
        circle = np.column_stack((np.cos(angle), np.sin(angle)))
        edge = np.vstack((corners[k] + reach * circle, corners[k] + inner * circle[::-1]))
        lon, lat = field.lonlat(corners[k])[0].tolist()
        cone = Limit(base - dim.conical_slope * inner, "amsl", Slope(lon, lat, dim.conical_slope))
        yield Part((field.ring(edge),), cone)


def _strip(field: Aerodrome, axis: _Axis, length: float) -> list[Part]:
    dim = field.surfaces
    a, b, half = -dim.strip_beyond_m, length + dim.strip_beyond_m, dim.strip_half_m
    box = [(a, -half), (b, -half), (b, half), (a, half)]
    return [axis.part(box, (0.0, 0.0), 0.0, axis.rise, 0.0)]


def _top(field: Aerodrome, axis: _Axis) -> float:
    """Height of the inner horizontal surface above the line of a frame."""
    return field.elevation_m + field.surfaces.inner_height_m - axis.height


def _beside_strip(field: Aerodrome, axis: _Axis, length: float) -> list[Part]:
    dim = field.surfaces
    span = (-dim.strip_beyond_m, length + dim.strip_beyond_m)
    return _beside(field, axis, span, dim.strip_half_m, 0.0, axis.rise, dim.transitional_slope)


def _beside(
    field: Aerodrome, axis: _Axis, span: XY, half: float, spread: float, rise: float, slope: float,
) -> list[Part]:  # fmt: skip
    """Transitional surface on both sides of a line's surface, up to the inner horizontal one.

    The surface is `half` wide on either side at x = 0, by `spread` wider per metre, and rises by
    `rise`; what is beside it rises by `slope` outward from its edge.
    """
    top = _top(field, axis)
    first, last = span
    edge: Callable[[float], float] = lambda x: half + spread * x  # noqa: E731
    outer: Callable[[float], float] = lambda x: edge(x) + (top - rise * x) / slope  # noqa: E731
    if rise > 0.0:
        last = min(last, top / rise)
    corners = [(first, edge(first)), (last, edge(last))]
    if outer(last) > edge(last) + 1e-6:
        corners.append((last, outer(last)))
    corners.append((first, outer(first)))
    return [
        side.part(corners, (0.0, half), 0.0, rise - slope * spread, slope)
        for side in (axis, axis.other_side())
    ]


def _of_end(
    field: Aerodrome, runway: Runway, axis: _Axis, end: End, length: float
) -> Iterator[Zone]:
    """Yield the surfaces that begin at one end: approach over it, climb out over it."""
    dim = field.surfaces
    displaced = float((field.flat(end.threshold) - axis.origin) @ axis.along)
    if not -1.0 <= displaced < length:
        raise ConfigError(f"{field.name}: threshold {end.name} does not lie on its runway")
    level = _Axis(field, axis.origin, axis.along, end.elevation_m)
    out = level.moved(displaced - dim.approach_before_m, back=True)
    yield _zone(field, f"{end.name}-approach", [*_approach(field, out)])
    yield _zone(field, f"{end.name}-transitional", [*_beside_approach(field, out)])
    climb = level.moved(-dim.climb_beyond_m, back=True)
    yield _zone(field, f"{end.name}-take-off-climb", [_climb(field, climb)])
    if runway.precision:
        yield from _obstacle_free(field, axis, level, out, end, displaced, length)


def _approach(field: Aerodrome, out: _Axis) -> Iterator[Part]:
    """Yield the sections of an approach surface, one plane each."""
    dim = field.surfaces
    s, above = 0.0, 0.0
    for stop, slope in (*dim.approach_slopes, (dim.approach_length_m, 0.0)):
        a, b = (dim.strip_half_m + dim.approach_spread * x for x in (s, stop))
        yield out.part([(s, -a), (stop, -b), (stop, b), (s, a)], (s, 0.0), above, slope, 0.0)
        s, above = stop, above + slope * (stop - s)


def _beside_approach(field: Aerodrome, out: _Axis) -> Iterator[Part]:
    """Yield the transitional surface beside the sections below the inner horizontal surface."""
    dim, s = field.surfaces, 0.0
    for stop, slope in dim.approach_slopes:
        if _top(field, out) <= 0.0:
            return
        half = dim.strip_half_m + dim.approach_spread * s
        yield from _beside(
            field, out, (0.0, stop - s), half, dim.approach_spread, slope, dim.transitional_slope
        )
        out = _Axis(
            field, out.flat([(stop - s, 0.0)])[0], out.along, out.height + slope * (stop - s)
        )
        s = stop


def _climb(field: Aerodrome, out: _Axis) -> Part:
    dim = field.surfaces
    far, most = dim.climb_length_m, dim.climb_half_most_m
    full = (most - dim.climb_half_m) / dim.climb_spread
    right = [(0.0, dim.climb_half_m), (full, most), (far, most)]
    left = [(s, -y) for s, y in reversed(right)]
    return out.part(right + left, (0.0, 0.0), 0.0, dim.climb_slope, 0.0)


def _obstacle_free(
    field: Aerodrome, axis: _Axis, level: _Axis, out: _Axis, end: End, displaced: float,
    length: float,
) -> Iterator[Zone]:  # fmt: skip
    """Yield the obstacle-free zone: inner approach, balked landing, inner transitional beside."""
    dim = field.surfaces
    half, steep = dim.inner_half_m, dim.inner_transitional_slope
    slope, far = dim.approach_slopes[0][1], dim.inner_approach_m
    box = [(0.0, -half), (far, -half), (far, half), (0.0, half)]
    yield _zone(field, f"{end.name}-inner-approach", [out.part(box, (0.0, 0.0), 0.0, slope, 0.0)])
    begin = min(displaced + dim.balked_after_m, length)
    landing = _Axis(
        field, axis.flat([(begin, 0.0)])[0], axis.along, axis.height + axis.rise * begin
    )
    stop = _top(field, landing) / dim.balked_slope
    wide = half + dim.balked_spread * stop
    fan = [(0.0, -half), (stop, -wide), (stop, wide), (0.0, half)]
    yield _zone(
        field,
        f"{end.name}-balked-landing",
        [landing.part(fan, (0.0, 0.0), 0.0, dim.balked_slope, 0.0)],
    )
    beside = _beside(field, out, (0.0, far), half, 0.0, slope, steep)
    line = (displaced - dim.approach_before_m, begin)
    beside += _beside(field, axis, line, half, 0.0, axis.rise, steep)
    fanned = (0.0, stop)
    beside += _beside(field, landing, fanned, half, dim.balked_spread, dim.balked_slope, steep)
    yield _zone(field, f"{end.name}-inner-transitional", beside)


def patrol_area(field: Aerodrome, beside_m: float = 10_000.0, beyond_m: float = 20_000.0) -> Zones:
    """Areas to keep an eye on: 10 km to each side of a runway and 20 km beyond its ends.

    CAAC document 35 of 2022.
    """
    zones = []
    for runway in field.runways:
        axis, _, length = next(_axes(field, runway))
        a, b = -beyond_m, length + beyond_m
        box = [(a, -beside_m), (b, -beside_m), (b, beside_m), (a, beside_m)]
        name = f"{runway.ends[0].name}/{runway.ends[1].name}"
        zones.append(
            Zone(
                f"{field.name}-{name}-patrol",
                f"{field.name} {name} patrol area",
                ZoneKind.WARNING,
                (Part((field.ring(axis.flat(box)),)),),
            )
        )
    return Zones.of(zones)


def controlled_airspace(
    field: Aerodrome, radius_m: float = 55_000.0, agl_m: float = 120.0
) -> Zones:
    """Everything above 120 m over ground around the aerodrome: needs an approval.

    Interim Regulations on unmanned aircraft flight (in force 2024-01-01), article 19; the radius is
    that of the obstacle protection area (CAAC document 35 of 2022).
    """
    lon, lat = field.reference
    ring = shapes.circle(field.name, lon, lat, radius_m)
    return Zones.of(
        [
            Zone(
                f"{field.name}-above-{agl_m:.0f}",
                f"{field.name} above {agl_m:.0f} m",
                ZoneKind.RESTRICTED,
                (Part((ring,), Limit(agl_m, "agl")),),
            )
        ]
    )


GENERATORS: dict[str, Callable[[Aerodrome], Zones]] = {
    "surfaces": surfaces,
    "patrol": patrol_area,
    "controlled": controlled_airspace,
}
"""What can be drawn of an aerodrome, by name."""
