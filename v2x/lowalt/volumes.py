"""Which points are in which zones, how deep, and which moves went through one: exact tests.

Plan: footprints go through the grid index of `v2x.polygons`; what it finds, a few pairs, is judged
vertically in the reference the limit was written in, by the point's height in that reference. So
no zone's limit is ever converted, and undulation counts where the point is. A limit that slopes is
a function of the place, ``m + gx e + gy n + g |place - origin|``: a plane or a cone.

Footprints are compared on the tile's own height: a point is first moved there along its vertical
(100 m of height shift it by 0.9 m at 60 km otherwise). Edges, straight in longitude and latitude,
are cut into pieces of `STEP_M` before they become straight lines in metres, which leaves
STEP_M² tan(lat) / 8R: 4 mm at 39 degrees north, below 1 cm up to 64 degrees.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from v2x import polygons
from v2x.columns import B1, F8, I4, I8, U1
from v2x.errors import ConfigError
from v2x.geodesy import Tile
from v2x.lowalt import heights, walls
from v2x.lowalt.files import REFERENCES, Ring, split
from v2x.lowalt.zones import EARLIEST, LATEST, Limit, Zone, Zones
from v2x.picture import ZoneRows

STEP_M = 500.0
REACH_M = 1_000_000.0
"""A tile's flat plane says little further out, and folds back on itself beyond the horizon."""
CELL_M = 250.0


class _Limits(NamedTuple):
    """Floors or ceilings of all parts; none is infinite.

    `m` (p,) metres at the origin, `ref` (p,) column of `REFERENCES`, `rise` (p, 5): gx, gy and g
    per metre, and the origin of g, east and north.
    """

    m: F8
    ref: I8
    rise: F8

    def rows(self) -> F8:
        """(p, 7) limits as `v2x.lowalt.walls` has them."""
        return np.column_stack((self.m, self.ref, self.rise))

    def at(self, flat: F8, part: I4) -> F8:
        """(k,) metres of the limit of each pair over its place (k, 2)."""
        rise = self.rise[part]
        metres = self.m[part] + rise[:, 0] * flat[:, 0] + rise[:, 1] * flat[:, 1]
        cone = np.flatnonzero(rise[:, 2])
        if len(cone):
            away = flat[cone] - rise[cone, 3:]
            metres[cone] += rise[cone, 2] * np.hypot(away[:, 0], away[:, 1])
        return metres


class Places(NamedTuple):
    """Points made ready for zones.

    `flat` (n, 2) metres east and north of the foot of each point on the tile's height; `heights`
    (n, 3) metres HAE, AMSL and AGL, NaN where unknown.
    """

    flat: F8
    heights: F8

    def take(self, rows: NDArray[np.integer]) -> "Places":
        """Points by row."""
        return Places(self.flat[rows], self.heights[rows])


class Pairs(NamedTuple):
    """Sparse (point, zone) pairs, sorted; `depth` in metres; `height_unknown` 1: footprint only."""

    point: I4
    zone: I4
    depth: F8
    height_unknown: U1


class ZoneIndex:
    """Zones ready for questions in one tile; never changed: edits build another one.

    Parameters
    ----------
    zones, tile
        What, and in which local frame.
    ground_amsl_m
        Ground above sea level, for heights handed to `at` in another reference.

    Raises
    ------
    ConfigError
        A zone that reaches further than `REACH_M` from the tile's origin.
    """

    def __init__(
        self, zones: Zones, tile: Tile, ground_amsl_m: float = heights.GROUND_AMSL_M
    ) -> None:
        self.zones = zones
        self.tile = tile
        self.ground_amsl_m = ground_amsl_m
        self.ids = tuple(zone.id for zone in zones)
        self.hash = zones.hash
        self.kind: U1 = np.array([zone.kind for zone in zones], np.uint8)
        self._active: tuple[int, int, B1] = (LATEST, EARLIEST, np.zeros(len(zones), np.bool_))
        parts = [(row, part) for row, zone in enumerate(zones) for part in zone.parts]
        self._owner = np.array([row for row, _ in parts], np.int32)
        self._floor = _limits(tile, [part.floor for _, part in parts], -np.inf)
        self._ceiling = _limits(tile, [part.ceiling for _, part in parts], np.inf)
        shapes = [[_in_metres(tile, zones[row], r) for r in part.polygon] for row, part in parts]
        self._index = polygons.build(shapes, CELL_M)
        floor, ceiling = self._floor.rows(), self._ceiling.rows()
        self.walls = walls.build(shapes, self._owner, len(zones), floor, ceiling)

    def __len__(self) -> int:
        return len(self.zones)

    def active(self, t_ns: int) -> B1:
        """(m,) where the zone is in force: from its first ns on, its last one no more."""
        since, until, in_force = self._active
        if not since <= t_ns < until:
            told = [zone.in_force(t_ns) for zone in self.zones]
            since = max((begin for _, begin, _ in told), default=EARLIEST)
            until = min((end for _, _, end in told), default=LATEST)
            in_force = np.array([held for held, _, _ in told], np.bool_)
            self._active = since, until, in_force
        return in_force

    def rows(self, t_ns: int) -> ZoneRows:
        """Zones as the picture holds them."""
        return ZoneRows.blank(len(self), kind=self.kind, active=self.active(t_ns))

    def places(self, lat: F8, lon: F8, hae: F8, amsl: F8, agl: F8) -> Places:
        """Points (n,) in degrees and metres, made ready."""
        foot = self.tile.to_enu(lat, lon, np.full(len(lat), self.tile.h0))[:, :2]
        return Places(foot, np.column_stack((hae, amsl, agl)))

    def at(self, lat: float, lon: float, height: float, reference: str, t_ns: int) -> Pairs:
        """Zones in force that hold one point, its height given in one reference (NaN unknown)."""
        where = np.array([lat]), np.array([lon])
        levels = heights.in_all_references(
            *where, np.array([height]), reference, self.ground_amsl_m
        )
        return self.inside(self.places(*where, *levels.T), self.active(t_ns))

    def inside(self, places: Places, active: B1) -> Pairs:
        """Pairs where the zone holds the point; boundary, floor and ceiling are inside.

        Where a limit exists and the point's height in that reference is unknown only the
        footprint and the other limit are tested: `height_unknown`. Depth is the distance to
        the nearest side, over or beside; of a zone of several polygons the deepest counts.
        """
        point, polygon = self._index.inside(places.flat, active=active[self._owner].view(np.uint8))
        zone = self._owner[polygon]
        held, unknown, vertical = self._between(places.heights[point], places.flat[point], polygon)
        point, polygon, zone = point[held], polygon[held], zone[held]
        lateral = -self._index.distance(places.flat[point], polygon)
        depth = np.fmin(lateral, vertical[held])
        order = np.lexsort((-depth, zone, point))
        point, zone, depth = point[order], zone[order], depth[order]
        first = np.ones(len(point), np.bool_)
        first[1:] = (point[1:] != point[:-1]) | (zone[1:] != zone[:-1])
        unknown = unknown[held][order]
        return Pairs(point[first], zone[first], depth[first], unknown[first].astype(np.uint8))

    def crossed(self, before: Places, now: Places, held: Pairs, active: B1) -> Pairs:
        """Pairs where the straight move went through a zone that holds neither of its ends.

        Heights run straight from one end to the other. The part of the move between floor and
        ceiling is what must touch the footprint. Depth is NaN.

        Parameters
        ----------
        before, now
            Both ends, row by row; NaN in `before.flat` where there was no end to move from.
        held
            What `inside` says of `now`.
        """
        move, polygon = self._index.crossed(before.flat, now.flat)
        zone = self._owner[polygon]
        wanted = active[zone] & ~self._among(move, zone, held)
        move, polygon, zone = move[wanted], polygon[wanted], zone[wanted]
        a, b = before.flat[move], now.flat[move]
        begin, end, unknown = self._part(before.heights[move], now.heights[move], a, b, polygon)
        touched = begin <= end
        # Only moves that are partly outside the band need the footprint asked again.
        part = np.flatnonzero(touched & ((begin > 0.0) | (end < 1.0)))
        if len(part):
            ab = b[part] - a[part]
            k, hit = self._index.crossed(
                a[part] + begin[part, None] * ab, a[part] + end[part, None] * ab
            )
            touched[part] = False
            touched[part[k[hit == polygon[part[k]]]]] = True
        move, zone, unknown = move[touched], zone[touched], unknown[touched]
        asked = np.unique(move)
        held = self.inside(before.take(asked), active)
        held = held._replace(point=asked[held.point])
        left = ~self._among(move, zone, held)
        move, zone, unknown = move[left], zone[left], unknown[left]
        _, first = np.unique(self._codes(move, zone), return_index=True)
        return Pairs(
            move[first],
            zone[first],
            np.full(len(first), np.nan),
            unknown[first].astype(np.uint8),
        )

    def _among(self, point: I4, zone: I4, pairs: Pairs) -> B1:
        """(k,) which pairs are among some others."""
        codes = self._codes(pairs.point, pairs.zone)
        asked = self._codes(point, zone)
        at = np.minimum(np.searchsorted(codes, asked), max(len(codes) - 1, 0))
        return codes[at] == asked if len(codes) else np.zeros(len(asked), np.bool_)

    def _codes(self, point: I4, zone: I4) -> NDArray[np.int64]:
        """One number per pair, growing as sorted pairs do."""
        return point.astype(np.int64) * len(self) + zone

    def _between(self, levels: F8, flat: F8, part: I4) -> tuple[B1, B1, F8]:
        """Of pairs: not outside the band; unknown because a limit has no height; vertical depth.

        levels (k, 3), flat (k, 2) of the pair's point -> (k,) each; depth NaN where there is no
        limit or none that can be compared.
        """
        k = np.arange(len(part))
        floor, ceiling = self._floor, self._ceiling
        over = levels[k, floor.ref[part]] - floor.at(flat, part)
        under = ceiling.at(flat, part) - levels[k, ceiling.ref[part]]
        has_floor, has_ceiling = floor.m[part] > -np.inf, ceiling.m[part] < np.inf
        over[~has_floor] = np.nan
        under[~has_ceiling] = np.nan
        unknown = (has_floor & np.isnan(over)) | (has_ceiling & np.isnan(under))
        return ~(over < 0.0) & ~(under < 0.0), unknown, np.fmin(over, under)

    def _part(self, before: F8, now: F8, start: F8, stop: F8, part: I4) -> tuple[F8, F8, B1]:
        """Begin and end, 0..1, of the stretch of each move in its part's band.

        before, now (k, 3) heights and start, stop (k, 2) places of the ends -> (k,) each; begin >
        end where no stretch is. Unknown heights pass. Along a move a plane is straight; a cone is
        taken as straight too, which is off by length² / 8 radius times its gradient.
        """
        k = np.arange(len(part))
        begin, end = np.zeros(len(part)), np.ones(len(part))
        unknown = np.zeros(len(part), np.bool_)
        for limit, sign in ((self._floor, 1.0), (self._ceiling, -1.0)):
            has = np.isfinite(limit.m[part])
            reference = limit.ref[part]
            # Metres on the right side of the limit at both ends: the stretch is where it is >= 0.
            with np.errstate(invalid="ignore"):
                first = sign * (before[k, reference] - limit.at(start, part))
                last = sign * (now[k, reference] - limit.at(stop, part))
            first, last = np.where(has, first, 1.0), np.where(has, last, 1.0)
            unknown |= np.isnan(first) | np.isnan(last)
            with np.errstate(divide="ignore", invalid="ignore"):
                turn = first / (first - last)
            begin = np.where((first < 0.0) & (last >= 0.0), np.maximum(begin, turn), begin)
            end = np.where((first >= 0.0) & (last < 0.0), np.minimum(end, turn), end)
            begin = np.where((first < 0.0) & (last < 0.0), 2.0, begin)
        return begin, end, unknown


def _limits(tile: Tile, limits: Sequence[Limit | None], none: float) -> _Limits:
    """Limits in the metres of the tile."""
    metres, rise = np.full(len(limits), none), np.zeros((len(limits), 5))
    ref = np.zeros(len(limits), np.int64)
    for k, limit in enumerate(limits):
        if limit is None:
            continue
        metres[k], ref[k] = limit.m, REFERENCES.index(limit.ref)
        slope = limit.slope
        if slope is None:
            continue
        # The second point tells where the course runs in the tile, whose north is not everyone's.
        lat = np.array([slope.lat, slope.lat + 1e-3])
        foot = tile.to_enu(lat, np.full(2, slope.lon), np.full(2, tile.h0))[:, :2]
        if slope.course_deg is None:
            rise[k, 2:] = slope.gradient, *foot[0]
            continue
        north = (foot[1] - foot[0]) / np.hypot(*(foot[1] - foot[0]))
        course = np.deg2rad(slope.course_deg)
        along = np.cos(course) * north + np.sin(course) * np.array([north[1], -north[0]])
        rise[k, :2] = slope.gradient * along
        metres[k] -= float(rise[k, :2] @ foot[0])
    return _Limits(metres, ref, rise)


def _in_metres(tile: Tile, zone: Zone, ring: Ring) -> F8:
    """(k, 2) east and north of a ring on the tile's height, long edges in pieces."""
    corners = np.array(ring, np.float64)
    _near(tile, zone, corners)
    # Degrees of longitude are shorter: pieces come out at STEP_M or less.
    lon, lat = split(corners, STEP_M / 111_700.0).T
    return tile.to_enu(lat, lon, np.full(lat.shape, tile.h0))[:, :2]


def _near(tile: Tile, zone: Zone, corners: F8) -> None:
    lon, lat = np.deg2rad(corners).T
    lat0, lon0 = np.deg2rad(tile.lat0), np.deg2rad(tile.lon0)
    half = np.sin((lat - lat0) / 2.0) ** 2
    half += np.cos(lat) * np.cos(lat0) * np.sin((lon - lon0) / 2.0) ** 2
    far = 2.0 * heights.SPHERE_M * np.arcsin(np.sqrt(np.minimum(half, 1.0)))
    if far.max() > REACH_M:
        k = int(far.argmax())
        raise ConfigError(
            f"zone {zone.id}: corner {corners[k].tolist()} is {far[k] / 1000.0:.0f} km from the "
            f"tile's origin; zones of a tile end within {REACH_M / 1000.0:.0f} km"
        )
