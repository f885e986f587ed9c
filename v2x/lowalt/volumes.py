"""Which points are in which zones, how deep, and which moves went through one: exact tests.

Plan: footprints go through the grid index of `v2x.polygons`; what it finds, a few pairs, is judged
vertically in the reference the limit was written in, by the point's height in that reference. So
no zone's limit is ever converted, and undulation counts where the point is.

Footprints are compared on the tile's own height: a point is first moved there along its vertical
(100 m of height shift it by 0.9 m at 60 km otherwise). Edges, straight in longitude and latitude,
are cut into pieces of `STEP_M` before they become straight lines in metres, which leaves
STEP_M² tan(lat) / 8R: 4 mm at 39 degrees north, below 1 cm up to 64 degrees.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from v2x import polygons
from v2x.columns import B1, F8, I4, U1
from v2x.errors import ConfigError
from v2x.geodesy import Tile
from v2x.lowalt import heights
from v2x.lowalt.files import REFERENCES, Ring, split
from v2x.lowalt.zones import Zone, Zones
from v2x.picture import ZoneRows

STEP_M = 500.0
REACH_M = 1_000_000.0
"""A tile's flat plane says little further out, and folds back on itself beyond the horizon."""
CELL_M = 250.0

_EVER = np.iinfo(np.int64)


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
        self._from = np.array([_clamped(z.valid_from_ns, _EVER.min) for z in zones], np.int64)
        self._to = np.array([_clamped(z.valid_to_ns, _EVER.max) for z in zones], np.int64)
        self._floor = np.array([-np.inf if z.floor_m is None else z.floor_m for z in zones])
        self._ceiling = np.array([np.inf if z.ceiling_m is None else z.ceiling_m for z in zones])
        self._floor_ref = np.array([_column(z.floor_ref) for z in zones], np.int64)
        self._ceiling_ref = np.array([_column(z.ceiling_ref) for z in zones], np.int64)
        shapes = [
            [_in_metres(tile, zone, ring) for ring in polygon]
            for zone in zones
            for polygon in zone.polygons
        ]
        owner = [row for row, zone in enumerate(zones) for _ in zone.polygons]
        self._owner = np.array(owner, np.int32)
        self._index = polygons.build(shapes, CELL_M)

    def __len__(self) -> int:
        return len(self.zones)

    def active(self, t_ns: int) -> B1:
        """(m,) where the zone is in force: from its first ns on, its last one no more."""
        in_force: B1 = (self._from <= t_ns) & (t_ns < self._to)
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
        held, unknown, vertical = self._between(places.heights[point], zone)
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
        begin, end, unknown = self._part(before.heights[move], now.heights[move], zone)
        a, b = before.flat[move], now.flat[move]
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

    def _between(self, levels: F8, zone: I4) -> tuple[B1, B1, F8]:
        """Of pairs: not outside the band; unknown because a limit has no height; vertical depth.

        levels (k, 3) of the pair's point -> (k,) each; depth NaN where there is no limit or none
        that can be compared.
        """
        k = np.arange(len(zone))
        over = levels[k, self._floor_ref[zone]] - self._floor[zone]
        under = self._ceiling[zone] - levels[k, self._ceiling_ref[zone]]
        has_floor, has_ceiling = self._floor[zone] > -np.inf, self._ceiling[zone] < np.inf
        over[~has_floor] = np.nan
        under[~has_ceiling] = np.nan
        unknown = (has_floor & np.isnan(over)) | (has_ceiling & np.isnan(under))
        return ~(over < 0.0) & ~(under < 0.0), unknown, np.fmin(over, under)

    def _part(self, before: F8, now: F8, zone: I4) -> tuple[F8, F8, B1]:
        """Begin and end, 0..1, of the part of each move in its zone's band; unknown heights pass.

        before, now (k, 3) heights of the ends -> (k,) each; begin > end where no part is.
        """
        k = np.arange(len(zone))
        begin, end = np.zeros(len(zone)), np.ones(len(zone))
        unknown = np.zeros(len(zone), np.bool_)
        for limit, reference, sign in (
            (self._floor, self._floor_ref, 1.0),
            (self._ceiling, self._ceiling_ref, -1.0),
        ):
            has = np.isfinite(limit[zone])
            # Metres on the right side of the limit at both ends: the part is where it is >= 0.
            first = np.where(has, sign * (before[k, reference[zone]] - limit[zone]), 1.0)
            last = np.where(has, sign * (now[k, reference[zone]] - limit[zone]), 1.0)
            unknown |= np.isnan(first) | np.isnan(last)
            with np.errstate(divide="ignore", invalid="ignore"):
                turn = first / (first - last)
            begin = np.where((first < 0.0) & (last >= 0.0), np.maximum(begin, turn), begin)
            end = np.where((first >= 0.0) & (last < 0.0), np.minimum(end, turn), end)
            begin = np.where((first < 0.0) & (last < 0.0), 2.0, begin)
        return begin, end, unknown


def _clamped(t_ns: int | None, missing: int) -> int:
    """Time that fits the column: years like 9999, written for "always", do not."""
    return int(missing) if t_ns is None else max(int(_EVER.min), min(int(_EVER.max), t_ns))


def _column(reference: str | None) -> int:
    return 0 if reference is None else REFERENCES.index(reference)


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
