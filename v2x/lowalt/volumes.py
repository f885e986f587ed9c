"""Which points are in which zones, how deep, and which moves went through one: exact tests.

Plan: one kernel call for all points. Footprints stand in the grid index of `v2x.polygons`; hours,
floor and ceiling are asked before geometry, in the reference the limit was written in, by the
point's height in that reference. So no zone's limit is ever converted, and undulation and terrain
count where the point is. A limit that slopes is a function of the place, ``m + gx e + gy n +
g |place - origin|``: a plane or a cone.

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
from v2x.lowalt.files import REFERENCES
from v2x.lowalt.terrain import Ground
from v2x.lowalt.volume_kernels import (
    ACTIVE,
    CEILING_REF,
    FLOOR_REF,
    SLOPES,
    deepest_parts,
    pairs_by_point,
    parts_holding,
    zones_crossed,
)
from v2x.lowalt.zones import EARLIEST, LATEST, Limit, Zones
from v2x.picture import ZoneRows

STEP_M = 500.0
REACH_M = 1_000_000.0
"""A tile's flat plane says little further out, and folds back on itself beyond the horizon."""
CELL_M = 160.0


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


class Hits(NamedTuple):
    """Sparse (point, zone) pairs, sorted; a point in several parts of a zone has several."""

    point: I4
    zone: I4
    height_unknown: U1


class ZoneIndex:
    """Zones ready for questions in one tile; never changed: edits build another one.

    Parameters
    ----------
    zones, tile
        What, and in which local frame.
    ground
        Ground above sea level, for heights handed to `at` in another reference.

    Raises
    ------
    ConfigError
        A zone that reaches further than `REACH_M` from the tile's origin.
    """

    def __init__(self, zones: Zones, tile: Tile, ground: Ground | None = None) -> None:
        self.zones = zones
        self.tile = tile
        self.ground = Ground() if ground is None else ground
        self.ids = zones.ids
        self.hash = zones.hash
        self.kind: U1 = np.array([zone.kind for zone in zones], np.uint8)
        begins, ends = (
            zip(*(zone.window for zone in zones), strict=True) if len(zones) else ((), ())
        )
        self._begin, self._end = np.array(begins, np.int64), np.array(ends, np.int64)
        self._scheduled = [row for row, zone in enumerate(zones) if zone.periods]
        self._active: tuple[int, int, B1] = (LATEST, EARLIEST, np.zeros(len(zones), np.bool_))
        parts = [part for zone in zones for part in zone.parts]
        self._owner: I4 = np.repeat(
            np.arange(len(zones), dtype=np.int32), [len(zone.parts) for zone in zones]
        )
        floor, floor_ref, floor_rise = _limits(tile, [part.floor for part in parts], -np.inf)
        ceiling, ceiling_ref, ceiling_rise = _limits(tile, [p.ceiling for p in parts], np.inf)
        self._levels = np.ascontiguousarray(np.column_stack((floor, ceiling)))
        self._rise = np.ascontiguousarray(np.hstack((floor_rise, ceiling_rise)))
        slopes = self._rise.any(axis=1)
        self._mode = np.asarray(
            ACTIVE | floor_ref << FLOOR_REF | ceiling_ref << CEILING_REF | SLOPES * slopes, np.uint8
        )
        shapes = in_metres(tile, zones)
        self._index = polygons.build(shapes, CELL_M)
        self.walls = walls.build(
            shapes, self._owner, len(zones),
            np.column_stack((floor, floor_ref, floor_rise)),
            np.column_stack((ceiling, ceiling_ref, ceiling_rise)),
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.zones)

    def active(self, t_ns: int) -> B1:
        """(m,) where the zone is in force: from its first ns on, its last one no more."""
        since, until, in_force = self._active
        if not since <= t_ns < until:
            in_force = (self._begin <= t_ns) & (t_ns < self._end)
            edges = np.concatenate((self._begin, self._end))
            since = int(edges[edges <= t_ns].max(initial=EARLIEST))
            until = int(edges[edges > t_ns].min(initial=LATEST))
            for row in self._scheduled:
                in_force[row], begin, end = self.zones[row].in_force(t_ns)
                since, until = max(since, begin), min(until, end)
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
        levels = heights.in_all_references(*where, np.array([height]), reference, self.ground)
        return self.inside(self.places(*where, *levels.T), self.active(t_ns))

    def hits(self, places: Places, active: B1) -> Hits:
        """Pairs where the zone holds the point, at full speed: `inside` without the depth."""
        point, part, unknown = self._held(places, self._modes(active))
        return Hits(point, self._owner[part], unknown)

    def inside(self, places: Places, active: B1) -> Pairs:
        """Pairs where the zone holds the point; boundary, floor and ceiling are inside.

        Where a limit exists and the point's height in that reference is unknown only the
        footprint and the other limit are tested: `height_unknown`. Depth is the distance to
        the nearest side, over or beside; of a zone of several polygons the deepest counts.
        """
        mode = self._modes(active)
        point, part, unknown = self._held(places, mode)
        lateral = -self._index.distance(places.flat[point], part)
        depth = np.empty(len(point))
        n = deepest_parts(
            len(point), _own(places.flat), _own(places.heights), mode, self._levels, self._rise,
            self._owner, lateral, point, part, unknown, depth,
        )  # fmt: skip
        return Pairs(point[:n], part[:n], depth[:n], unknown[:n])

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
        a, a_levels = _own(before.flat), _own(before.heights)
        b, b_levels = _own(now.flat), _own(now.heights)
        held_point, held_zone = (np.ascontiguousarray(x, np.int32) for x in held[:2])
        mode = self._modes(active)
        size = max(64, 2 * len(now.flat))
        while True:
            move, zone = np.empty((2, size), np.int32)
            unknown = np.empty(size, np.uint8)
            n = zones_crossed(
                a, a_levels, b, b_levels, held_point, held_zone,
                mode, self._levels, self._rise, self._owner,
                *self._index.cells, np.full(len(mode), -1, np.int32), move, zone, unknown,
            )  # fmt: skip
            if n <= size:
                return Pairs(move[:n], zone[:n], np.full(n, np.nan), unknown[:n])
            size = n

    def _modes(self, active: B1) -> U1:
        """Mode (p,) of each part: 0 where its zone is not in force."""
        return np.where(active[self._owner], self._mode, np.uint8(0))

    def _held(self, places: Places, mode: U1) -> tuple[I4, I4, U1]:
        """Points and the parts that hold them, sorted; was a height unknown."""
        flat, levels = _own(places.flat), _own(places.heights)
        block = polygons.BLOCK
        ahead, warm = np.empty((4, block), np.int32), np.empty(block)
        maybe = np.empty(max(block * 8, self._index.busiest), np.int32)
        stop = np.empty(block, np.int32)
        order, span = self._index.order(flat), np.empty((len(flat), 2), np.int32)
        size = max(64, 2 * len(flat))
        while True:
            held = np.empty(size, np.int32)
            n = parts_holding(
                flat, order, levels, mode, self._levels, self._rise, *self._index.cells,
                ahead, warm, maybe, stop, span, held,
            )  # fmt: skip
            if n < size:  # one place is left over: the kernel writes before it decides
                break
            size = n + 1
        point, part = np.empty((2, n), np.int32)
        unknown = np.empty(n, np.uint8)
        pairs_by_point(
            span, held, flat, levels, mode, self._levels, self._rise, point, part, unknown
        )
        return point, part, unknown


def _own(values: F8) -> F8:
    """Contiguous and writable, as the kernels are compiled for."""
    array = np.ascontiguousarray(values, np.float64)
    return array if array.flags.writeable else array.copy()


def _limits(tile: Tile, limits: Sequence[Limit | None], none: float) -> tuple[F8, I8, F8]:
    """Limits in the metres of the tile.

    Returns
    -------
    metres : (p,)
        At the origin, `none` where there is no limit.
    ref : (p,)
        Column of `REFERENCES`.
    rise : (p, 5)
        gx, gy and g per metre, and the origin of g, east and north.
    """
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
    return metres, ref, rise


def in_metres(tile: Tile, zones: Zones) -> list[list[F8]]:
    """Rings (k, 2) east and north of every part, on the tile's height, long edges in pieces."""
    parts = [part for zone in zones for part in zone.parts]
    rings = [ring for part in parts for ring in part.corners]
    if not rings:
        return []
    corners = np.concatenate(rings)
    length = np.array([len(ring) for ring in rings])
    _near(tile, zones, corners)
    # All rings at once: each corner begins an edge, the last of a ring one of no length.
    end = np.cumsum(length)
    following = np.arange(1, len(corners) + 1)
    following[end - 1] = end - 1
    edge = corners[following] - corners
    # Degrees of longitude are shorter: pieces come out at STEP_M or less.
    step = STEP_M / 111_700.0
    pieces = np.maximum(1, np.ceil(np.hypot(edge[:, 0], edge[:, 1]) / step)).astype(np.int64)
    first = np.repeat(np.cumsum(pieces) - pieces, pieces)
    along = (np.arange(pieces.sum()) - first) / np.repeat(pieces, pieces)
    places = np.repeat(corners, pieces, axis=0) + along[:, None] * np.repeat(edge, pieces, axis=0)
    lon, lat = np.ascontiguousarray(places.T)
    flat = tile.to_enu(lat, lon, np.full(lat.shape, tile.h0))[:, :2]
    made = iter(np.split(flat, np.cumsum(np.add.reduceat(pieces, end - length))[:-1]))
    return [[next(made) for _ in part.polygon] for part in parts]


def _near(tile: Tile, zones: Zones, corners: F8) -> None:
    lon, lat = np.deg2rad(corners).T
    lat0, lon0 = np.deg2rad(tile.lat0), np.deg2rad(tile.lon0)
    half = np.sin((lat - lat0) / 2.0) ** 2
    half += np.cos(lat) * np.cos(lat0) * np.sin((lon - lon0) / 2.0) ** 2
    far = 2.0 * heights.SPHERE_M * np.arcsin(np.sqrt(np.minimum(half, 1.0)))
    if far.max() > REACH_M:
        k = int(far.argmax())
        sizes = [sum(len(ring) for part in zone.parts for ring in part.polygon) for zone in zones]
        zone = zones[int(np.searchsorted(np.cumsum(sizes), k, side="right"))]
        raise ConfigError(
            f"zone {zone.id}: corner {corners[k].tolist()} is {far[k] / 1000.0:.0f} km from the "
            f"tile's origin; zones of a tile end within {REACH_M / 1000.0:.0f} km"
        )
