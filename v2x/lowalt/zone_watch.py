"""Zones against tracks, slice by slice: who is inside, who went through, who will be, who stays."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from v2x.columns import B1, F8, I4, I8
from v2x.lowalt.claims import SECOND
from v2x.lowalt.foresight import Course, foresee
from v2x.lowalt.nested import Heads
from v2x.lowalt.presence import Present, Through, outside_by, present, through
from v2x.lowalt.sight import Sight
from v2x.lowalt.stays import KEEP_P, Key, Slice, StayBook, crossings
from v2x.lowalt.terrain import GROUND_SD_M
from v2x.lowalt.volumes import Pairs, Places, ZoneIndex
from v2x.picture import Breach, Inside, Stays, ZoneKind
from v2x.sensors import SensorTable
from v2x.tracks import Status, Tracks

GAP_NS = 5 * SECOND
"""Longest gap over which a track's move is taken as a straight line."""
KEEP_BREACH_P = 0.4


class Aircraft(NamedTuple):
    """What is or may be in the air, (n,) rows each.

    Attributes
    ----------
    row, tracks
        Rows in the slice's tracks, and those tracks.
    places, cov
        Made ready for zones; (n, 6) covariance of the place, of height that of its reference.
    seen_ns, flat, levels
        When and where it was last seen before, -1 never.
    standing, manned, sure
        On the ground by its own word; manned; a drone beyond doubt that no approval excuses.
    lat, lon, hae
        Where it is.
    turn
        Its rate of turn, rad/s to the left.
    """

    row: NDArray[np.intp]
    tracks: Tracks
    places: Places
    cov: F8
    seen_ns: I8
    flat: F8
    levels: F8
    standing: B1
    manned: B1
    sure: B1
    lat: F8
    lon: F8
    hae: F8
    turn: F8


class ZoneWatch:
    """Judges where aircraft are against zones, and remembers their stays."""

    def __init__(self, sensors: SensorTable, ground_sd_m: float = GROUND_SD_M) -> None:
        self._sight = Sight(sensors)
        self._stays = StayBook()
        self._inside_heads, self._breach_heads = Heads(), Heads()
        self._ground_sd_m = ground_sd_m

    def judge(
        self, t_ns: int, zones: ZoneIndex, air: Aircraft, held: Pairs, live: B1
    ) -> tuple[Inside, Breach, Stays]:
        """Zones at the end of a slice.

        Parameters
        ----------
        t_ns, zones, air
            The slice, the zones as they are now, the aircraft.
        held
            What `zones.inside` says of their places.
        live
            (sensors,) who would have spoken.
        """
        active = zones.active(t_ns)
        here = present(zones.walls, air.places, air.cov, active, self._ground_sd_m)
        flies = ~air.standing
        here = here.take(flies[here.point])
        seen = air.tracks.status != Status.COASTING
        lately = (air.seen_ns >= 0) & (t_ns - air.seen_ns <= GAP_NS) & seen
        then = Places(np.where(lately[:, None], air.flat, np.nan), air.levels)
        moved = zones.crossed(then, air.places, held, active)
        went = through(zones.walls, then, air.places, air.cov, moved, self._ground_sd_m)
        went = went.take(flies[went.point])
        stays = self._stay(t_ns, zones, air, here, then, went, seen, live)
        inside = self._inside(t_ns, zones, air, here, went)
        return inside, self._breach(t_ns, zones, air, here, active), stays

    def nobody(self, t_ns: int, zones: ZoneIndex, live: B1) -> Stays:
        """Stays at the end of a slice with nothing in the air."""
        if not len(self._stays):
            return Stays.blank()
        nothing = Tracks.blank()
        flags, metres = np.zeros(0, np.bool_), np.empty(0)
        return self.judge(
            t_ns,
            zones,
            Aircraft(
                np.zeros(0, np.intp), nothing, Places(np.empty((0, 2)), np.empty((0, 3))),
                np.empty((0, 6)), np.zeros(0, np.int64), np.empty((0, 2)), np.empty((0, 3)),
                flags, flags, flags, metres, metres, metres, metres,
            ),
            Pairs(np.zeros(0, np.int32), np.zeros(0, np.int32), metres, np.zeros(0, np.uint8)),
            live,
        )[2]  # fmt: skip

    def state(self) -> dict[str, Any]:
        """What must survive a restart, as plain data."""
        return {
            "stays": self._stays.state(),
            "inside": self._inside_heads.state(),
            "breach": self._breach_heads.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Put back what `state` gave."""
        self._stays.restore(state["stays"])
        self._inside_heads.restore(state["inside"])
        self._breach_heads.restore(state["breach"])

    def _stay(
        self, t_ns: int, zones: ZoneIndex, air: Aircraft, here: Present, then: Places,
        went: Through, seen: B1, live: B1,
    ) -> Stays:  # fmt: skip
        """Stays of the slice, and the moves that went through a zone."""
        now = Slice(
            air.tracks.id, seen, here.point, here.zone, here.p, here.margin, air.sure,
            air.lat, air.lon, air.hae, air.tracks.kind, air.tracks.ident,
        )  # fmt: skip
        if not (len(here.point) or len(self._stays) or len(went.point)):
            return Stays.blank()
        onset = np.full(len(here.point), -1, np.int64)
        left: dict[Key, float] = {}
        sides = self._stays.sides(now, zones.ids)
        if len(sides.came):
            point, zone = here.point[sides.came], here.zone[sides.came]
            off = self._off(zones, then, air.cov, point, zone)
            deep = here.margin[sides.came]
            met = off >= 0.0  # NaN: nowhere to come from
            before = air.seen_ns[point]
            share = np.divide(off, off + deep, out=np.zeros_like(off), where=off + deep > 0.0)
            times = before + np.rint(np.nan_to_num(share) * (t_ns - before)).astype(np.int64)
            onset[sides.came] = np.where(met, times, -1)
        if sides.left:
            off = self._off(zones, air.places, air.cov, sides.point, sides.zone)
            left = dict(zip(sides.left, off.tolist(), strict=True))
        keys, places = self._stays.unseen(now)
        chance = np.empty(0)
        if keys:
            flat = zones.tile.to_enu(
                places[:, 0], places[:, 1], np.full(len(places), zones.tile.h0)
            )
            chance = self._sight.p_detect(flat[:, :2], places[:, 2], live)
        made = self._stays.take(
            t_ns, now, zones.ids, zones.active(t_ns), (keys, chance), onset, left
        )
        if len(went.point):
            through_now = crossings(
                t_ns, air.seen_ns, now, went.point, went.zone, went.begin, went.end
            )
            made = Stays.concat([made, through_now])
        track = made.track
        track[track >= 0] = air.row[track[track >= 0]]
        return made

    def _off(self, zones: ZoneIndex, places: Places, cov: F8, point: I4, zone: I4) -> F8:
        """(k,) metres outside, NaN where there is no place."""
        off = np.full(len(point), np.nan)
        known = np.isfinite(places.flat[point]).all(axis=1)
        off[known] = outside_by(
            zones.walls, places, cov, point[known], zone[known], self._ground_sd_m
        )
        return off

    def _inside(
        self, t_ns: int, zones: ZoneIndex, air: Aircraft, here: Present, went: Through
    ) -> Inside:
        """Pairs as the picture holds them, those that were gone through among them."""
        code = here.point.astype(np.int64) * max(len(zones), 1) + here.zone
        passed = went.point.astype(np.int64) * max(len(zones), 1) + went.zone
        fresh = ~np.isin(passed, code)
        crossed = np.concatenate((np.isin(code, passed), np.ones(fresh.sum(), np.bool_)))
        nothing = np.full(fresh.sum(), np.nan)
        point = np.concatenate((here.point, went.point[fresh]))
        zone = np.concatenate((here.zone, went.zone[fresh]))
        head = np.full(len(point), -1, np.int32)
        nested = zones.kind[zone] == ZoneKind.OBSTACLE_SURFACE
        p = np.concatenate((here.p, np.zeros(fresh.sum())))
        footprint = np.concatenate((here.footprint, np.zeros(fresh.sum())))
        told = np.flatnonzero(nested & (np.fmax(p, footprint * np.isnan(p)) >= KEEP_P))
        above = np.concatenate((here.above, nothing))
        rows = told[np.lexsort((zone[told], point[told]))]
        head[rows] = self._inside_heads.take(
            t_ns, air.tracks.id, point[rows], zone[rows],
            np.nan_to_num(above[rows], nan=-np.inf), zones.ids,
        )  # fmt: skip
        order = np.lexsort((zone, point))
        unknown = np.concatenate((here.unknown, went.unknown[fresh]))
        margin = np.concatenate((here.margin, nothing))
        return Inside(
            track=air.row[point[order]].astype(np.int32),
            zone=zone[order].astype(np.int32),
            p_inside=p[order],
            p_footprint=footprint[order],
            crossed=crossed[order].astype(np.uint8),
            margin_m=margin[order],
            height_unknown=unknown[order].astype(np.uint8),
            head=head[order],
        )

    def _breach(
        self, t_ns: int, zones: ZoneIndex, air: Aircraft, here: Present, active: B1
    ) -> Breach:
        """Zones that drones come to; of nested ones none where the drone is above one already."""
        rows = np.flatnonzero(~air.standing & ~air.manned).astype(np.int32)
        if not (len(rows) and len(zones)):
            return Breach.blank()
        tracks = air.tracks
        P = tracks.P[rows]
        P[:, 2, 2] = air.cov[rows, 5]
        course = Course(
            air.places.flat[rows], air.places.heights[rows],
            np.ascontiguousarray(tracks.x[rows, 3:]), P, air.turn[rows],
        )  # fmt: skip
        ahead = foresee(zones.walls, course, active, self._ground_sd_m)
        point = rows[ahead.point]
        nested = zones.kind[ahead.zone] == ZoneKind.OBSTACLE_SURFACE
        above = (zones.kind[here.zone] == ZoneKind.OBSTACLE_SURFACE) & (here.p >= KEEP_P)
        kept = np.flatnonzero(~(nested & np.isin(point, here.point[above])))
        head = np.full(len(point), -1, np.int32)
        told = kept[nested[kept] & (ahead.p[kept] >= KEEP_BREACH_P)]
        soon = np.where(np.isnan(ahead.expected), np.inf, ahead.expected)
        head[told] = self._breach_heads.take(
            t_ns, tracks.id, point[told], ahead.zone[told], -soon[told], zones.ids
        )
        return Breach(
            track=air.row[point[kept]].astype(np.int32),
            zone=ahead.zone[kept].astype(np.int32),
            earliest=ahead.earliest[kept],
            expected=ahead.expected[kept],
            latest=ahead.latest[kept],
            p=ahead.p[kept],
            height_unknown=ahead.height_unknown[kept],
            head=head[kept],
        )
