"""Doubts: what speaks against each Remote ID claim, from slice to slice.

Every new claim of a receiver is put beside what sensors see at its time (`bodies`), into the ring
of its identity (`histories`); the tests of `spoofing` run on the rings of those heard in the slice.
A doubt counts once its test has held for as long as `HOLD_NS` says, and for `LIFE_NS` after.

Satellite navigation that fails over an area is decided first: identities that one shift carries off
together are victims. And what one transmitter invents is one group.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from v2x.columns import B1, F8, I4, I8
from v2x.geodesy import Tile, undulation
from v2x.lowalt.bodies import Bodies, Leans, bodies_of, matched
from v2x.lowalt.ghosts import GROUP, SECOND, SURE, Sight, Suspects, transmitters
from v2x.lowalt.histories import (
    BARO,
    EAST,
    LAW,
    LOG_RANGE,
    NORTH,
    OFF_EAST,
    OFF_NORTH,
    OFF_SD,
    OFF_SD_UP,
    OFF_UP,
    POWER,
    SD,
    SD_UP,
    UP,
    V_EAST,
    V_NORTH,
    V_UP,
    Histories,
)
from v2x.lowalt.spoofing import (
    GNSS_SD_M,
    LLR,
    PILOT_M,
    WORST_SD_M,
    common_shift,
    height_law_broken,
    impossible_motion,
    malformed,
    position_llr,
    power_against_range,
    power_without_range,
    two_places,
)
from v2x.lowalt.terrain import Ground
from v2x.observations import Flag, Observations
from v2x.picture import GroupKind, Groups, Heights, Why
from v2x.readings import Name, Readings
from v2x.sensors import SensorKind, SensorTable
from v2x.tracks import Residuals, Tracks

WINDOW_NS = 10 * SECOND
LIFE_NS = 10 * SECOND
FORGET_NS = 120 * SECOND
GHOST_NS = 5 * SECOND
SPAN_NS = 2 * SECOND
SILENT_NS = 5 * SECOND
"""Claims further apart begin a new ghost."""
FROZEN_NS = 3 * SECOND
TIMES = 3
"""Broadcasts of one time, or that came before, until that is no chance."""
STALE_NS = 30 * SECOND
"""No transmitter's clock that GNSS sets, and no link, is so late."""
LOW_M = 15.0
"""Below this over ground a radar may see nothing, and a drone is not yet a ghost. Ours."""
FLYING_MPS = 5.0
"""A drone of unknown height that says it moves faster does not stand on the ground."""
APART_NS = 2 * SECOND
"""Between received powers of one receiver that are kept."""
CALIBRATED = 64
"""A receiver's level follows so many honest drones."""

TESTS = (
    Why.POSITION, Why.GHOST, Why.TWO_PLACES, Why.KINEMATICS, Why.RSSI, Why.CLOCK, Why.HEIGHT_LAW,
    Why.FORM, Why.PILOT_PLACE, Why.TRANSMITTER, Why.POSITION_UNTRUSTED,
)  # fmt: skip
HOLD_NS = np.array([0, 0, 0, 0, 0, 0, 10 * SECOND, 0, 0, 0, 0])
"""How long each must hold; a ghost's 5 s are its own."""
EVIDENCE = Why.FORM | Why.PILOT_PLACE
"""Worth a look, no contradiction."""
_AT = {why: k for k, why in enumerate(TESTS)}
_BITS = np.array([int(why) for why in TESTS])
_CONTRADICTS = np.array([not why & (EVIDENCE | Why.POSITION_UNTRUSTED) for why in TESTS])
_NO_HEIGHT = int(Flag.HEIGHT_BAROMETRIC | Flag.HEIGHT_ABOVE_TAKEOFF | Flag.DATUM_UNCERTAIN)
_NAMES = np.array([Name.RID_HEARD, Name.PILOT, Name.RID_REGISTRATION, Name.UAS_CLASS,
                   Name.HEIGHT_TAKEOFF, Name.PRESSURE_ALTITUDE])  # fmt: skip


class Doubted(NamedTuple):
    """What speaks against the claims of tracks, one a row."""

    contradicted: B1
    waiting: B1
    """Sensors should see it and do not: neither believed nor a ghost yet."""
    why: I8
    llr: F8
    claim: I8
    """Identity that the doubt is about, -1 none; also of the body that another track's claim is."""
    group: I4
    """Row of the group it belongs to, -1 none."""


class Doubts:
    """Judges claims against sensors, physics and each other.

    Parameters
    ----------
    tile, sensors
        The local frame, and the sensors placed in it.
    ground
        Of the area.
    """

    def __init__(self, tile: Tile, sensors: SensorTable, ground: Ground) -> None:
        self.histories = Histories(len(TESTS))
        self._tile = tile
        self._sensors = sensors
        self._ground = ground
        kinds = sensors.kinds()
        self._receiver = kinds == SensorKind.REMOTE_ID
        self._place = (
            sensors.table("east_m", "north_m", "up_m") if len(sensors) else np.zeros((0, 3))
        )
        self._sight = Sight(sensors)
        self._leans = Leans(sensors)
        self._level = np.zeros((len(sensors), 2))  # dB off, and drones it was learnt from
        self._bodies: dict[int, tuple[int, int]] = {}  # track id: identity that lies there, when
        self._groups: list[tuple[int, int, list[int]]] = []
        self._second = -1

    def judge(
        self,
        t_ns: int,
        observations: Observations,
        readings: Readings,
        tracks: Tracks,
        heights: Heights,
        residuals: Residuals,
        live: B1,
        idents: Mapping[int, str],
        region_m: float = np.nan,
    ) -> Groups:
        """Take in one slice; the groups that are known at its end.

        Parameters
        ----------
        observations, readings
            New in this slice; of the first only those of Remote ID receivers count.
        tracks, heights, residuals
            At the end of the slice, and of it.
        live
            (sensors,) a sensor that is not proves no absence.
        region_m
            Height above the ellipsoid less pressure altitude, NaN unknown.
        """
        h = self.histories
        h.forget(t_ns - FORGET_NS)
        self._leans.take(residuals, tracks)
        facts = self._told(t_ns, readings, idents)
        rows, slots = self._claims(t_ns, observations, facts, idents)
        if len(rows):
            bodies = bodies_of(tracks, self._leans, heights.agl, np.isfinite(heights.hae))
            self._compare(t_ns, rows, slots, bodies, live)
            self._test(t_ns, np.unique(rows), region_m)
        if t_ns // SECOND != self._second:
            self._second = t_ns // SECOND
            self._area(t_ns)
            self._gather(t_ns)
        return Groups.concat([self._told_groups(), self._told_claims(t_ns)])

    def of(self, t_ns: int, track: I8, ident: I8, independent: B1) -> Doubted:
        """Doubts about tracks (n,): by the identity each carries, or as the body of a claim.

        A claim is contradicted on all tracks that carry it but those that sensors see where it
        says it is.
        """
        h = self.histories
        row = h.rows(ident)
        body_of = self._accused(t_ns)
        for k in np.flatnonzero(row < 0).tolist():
            row[k] = body_of.get(int(track[k]), -1)
        known = row >= 0
        at = np.maximum(row, 0)
        on = (h.until_ns[at] >= t_ns - LIFE_NS) & (h.until_ns[at] >= 0) & known[:, None]
        honest = known & independent & (ident >= 0) & self._supported(t_ns, at)
        on[honest, _AT[Why.GHOST]] = False
        victim = on[:, _AT[Why.POSITION_UNTRUSTED]]
        on[victim, _AT[Why.POSITION]] = on[victim, _AT[Why.GHOST]] = False
        contradicted = (on & _CONTRADICTS).any(axis=1)
        waiting = known & ~independent & (h.unseen_ns[at] >= 0)
        why = (on * _BITS).sum(axis=1)
        group = np.full(len(track), -1, np.int32)
        place = {who: k for k, (_, _, members) in enumerate(self._groups) for who in members}
        if place:
            group[known] = [place.get(who, -1) for who in h.ident[row[known]].tolist()]
        doubtful = known & ((why != 0) | (group >= 0))
        return Doubted(
            contradicted,
            waiting & ~contradicted,
            why,
            np.where(known & on[:, _AT[Why.POSITION]], h.llr[at], np.nan),
            np.where(doubtful, h.ident[at], -1),
            group,
        )

    def state(self) -> dict[str, Any]:
        """What must survive a restart, as plain data."""
        return {
            "histories": self.histories.state(),
            "leans": self._leans.state(),
            "level": self._level,
            "bodies": list(self._bodies.items()),
            "groups": self._groups,
            "second": self._second,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Put back what `state` gave."""
        self.histories.restore(state["histories"])
        self._leans.restore(state["leans"])
        self._level[:] = state["level"]
        self._bodies = {body: (who, when) for body, (who, when) in state["bodies"]}
        self._groups = [(kind, sensor, list(members)) for kind, sensor, members in state["groups"]]
        self._second = state["second"]

    def _accused(self, t_ns: int) -> dict[int, int]:
        """Row of the claim that each body's is, by track id, where the claim lies elsewhere."""
        h = self.histories
        rows = h.live()
        tests = [_AT[Why.POSITION], _AT[Why.POSITION_UNTRUSTED]]
        on = (h.until_ns[rows][:, tests] >= max(t_ns - LIFE_NS, 0)).any(axis=1)
        forged = h.until_ns[rows, _AT[Why.TRANSMITTER]] >= max(t_ns - LIFE_NS, 0)
        rows = rows[on & ~forged & ~self._supported(t_ns, rows)]
        found = zip(h.partner[rows].tolist(), rows.tolist(), strict=True)
        return {body: row for body, row in found if body >= 0}

    def _supported(self, t_ns: int, rows: NDArray[Any]) -> B1:
        seen = self.histories.seen_ns[rows]
        supported: B1 = (seen >= 0) & (t_ns - seen <= 3 * SECOND)
        return supported

    def _told_groups(self) -> Groups:
        """Groups as the picture holds them."""
        h, n = self.histories, len(self._groups)
        made = Groups.blank(n)
        for k, (kind, sensor, members) in enumerate(self._groups):
            at = h.rows(np.array(members, np.int64))
            at = at[at >= 0]
            place = h.fix[at, (h.count[at, 0] - 1) % h.fix.shape[1]][:, [EAST, NORTH]]
            if not len(at):
                continue
            middle = place.mean(axis=0)
            lat, lon, _ = self._tile.to_geodetic(np.array([[*middle, 0.0]]))
            made.kind[k], made.sensor[k], made.key[k], made.size[k] = (
                kind,
                sensor,
                sensor,
                len(members),
            )
            made.lat[k], made.lon[k] = lat[0], lon[0]
            made.radius_m[k] = np.linalg.norm(place - middle, axis=1).max()
            if kind == GroupKind.AREA:
                made.value[k] = np.linalg.norm(h.shift[at].mean(axis=0))
        return made

    def _told_claims(self, t_ns: int) -> Groups:
        """Identities that something speaks against, but for members of groups, one a row."""
        h = self.histories
        rows = h.live()
        on = (h.until_ns[rows] >= max(t_ns - LIFE_NS, 0)) & (_BITS > 0)
        grouped = on[:, _AT[Why.TRANSMITTER]]
        victim = on[:, _AT[Why.POSITION_UNTRUSTED]]
        on[victim, _AT[Why.POSITION]] = on[victim, _AT[Why.GHOST]] = False
        on[:, _AT[Why.POSITION_UNTRUSTED]] = False
        kept = on.any(axis=1) & ~grouped
        rows, on = rows[kept], on[kept]
        if not len(rows):
            return Groups.blank()
        fix = h.fix[rows, (h.count[rows, 0] - 1) % h.fix.shape[1]]
        lat, lon, _ = self._tile.to_geodetic(np.nan_to_num(fix[:, [EAST, NORTH, UP]]))
        lat[np.isnan(fix[:, EAST])] = np.nan  # no claim of a place came in time
        llr = np.where(on[:, _AT[Why.POSITION]], h.llr[rows], np.nan)
        return Groups.blank(
            len(rows), kind=GroupKind.CLAIM, key=h.ident[rows], sensor=h.heard_by[rows], size=1,
            lat=lat, lon=lon, radius_m=fix[:, SD], value=llr, why=(on * _BITS).sum(axis=1),
        )  # fmt: skip

    # --- one slice

    def _told(
        self, t_ns: int, readings: Readings, idents: Mapping[int, str]
    ) -> dict[tuple[int, int, int], float]:
        """Take in readings; heights of the slice by (identity, time, name)."""
        h = self.histories
        facts: dict[tuple[int, int, int], float] = {}
        wanted = self._receiver[readings.sensor] & (readings.ident >= 0)
        wanted &= np.isin(readings.name, _NAMES)
        r = readings.take(wanted)
        for ident, at, recv, sensor, name, value, ident2, lat, lon in zip(
            r.ident.tolist(), r.t_ns.tolist(), r.recv_ns.tolist(), r.sensor.tolist(),
            r.name.tolist(), r.value.tolist(), r.ident2.tolist(), r.lat.tolist(), r.lon.tolist(),
            strict=True,
        ):  # fmt: skip
            row = self._row(t_ns, ident, idents)
            if name == Name.RID_HEARD:
                self._clock(t_ns, row, at, recv, sensor)
            elif name == Name.PILOT:
                if lat == lat and lon == lon:
                    h.pilot[row] = lat, lon, value
            elif name == Name.RID_REGISTRATION:
                scheme, _, mark = idents.get(ident2, "").partition(":")
                h.malformed[row] |= scheme == "mark" and malformed("", mark)
            elif name == Name.UAS_CLASS:
                h.uas_class[row] = int(value) if 0.0 <= value < 16.0 else -1
            else:
                facts[ident, at, name] = value
        return facts

    def _row(self, t_ns: int, ident: int, idents: Mapping[int, str]) -> int:
        h = self.histories
        row = h.touch(ident)
        if h.last_ns[row] < 0:
            scheme, _, text = idents.get(ident, "").partition(":")
            h.malformed[row] = scheme == "rid" and malformed(text, "")
        h.last_ns[row] = t_ns
        return row

    def _clock(self, t_ns: int, row: int, at: int, recv: int, sensor: int) -> None:
        """Judge the times of broadcasts: one that stands still, or comes again from a recording."""
        h = self.histories
        time, since, times, again, again_ns = h.clock[row].tolist()
        times, since = (times + 1, since) if at == time and times else (1, recv)
        frozen = times >= TIMES and recv - since >= FROZEN_NS
        if h.sent_before(row, at, recv, sensor) and at != time:
            again = again + 1 if recv - again_ns <= WINDOW_NS else 1
            again_ns = recv
        h.clock[row] = at, since, times, again, again_ns
        replayed = again >= TIMES and recv - again_ns <= WINDOW_NS
        if frozen or replayed or self._stale(row, at, recv) or h.again[row] >= TIMES:
            h.until_ns[row, _AT[Why.CLOCK]] = t_ns

    def _stale(self, row: int, at: int, recv: int) -> bool:
        """Whether broadcasts are told long after their time, and at the pace of that time.

        That is a recording of a flight that nobody here heard. What a receiver had stored while it
        was cut off comes faster than it happened.
        """
        began, began_at, times = self.histories.stale[row].tolist()
        passed, told = recv - began, at - began_at
        if recv - at <= STALE_NS:
            times = 0
        elif not times or (passed > SPAN_NS and not passed // 2 <= told <= 2 * passed):
            began, began_at, times = recv, at, 1
        else:
            times += 1
        self.histories.stale[row] = began, began_at, times
        return bool(times >= 2 * TIMES and passed >= WINDOW_NS)

    def _claims(
        self, t_ns: int, observations: Observations, facts: Mapping[tuple[int, int, int], float],
        idents: Mapping[int, str],
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:  # fmt: skip
        """Put the slice's claims into the rings; rows and slots of those that are new."""
        h = self.histories
        wanted = self._receiver[observations.sensor] & (observations.ident >= 0)
        wanted &= (observations.flags & int(Flag.RELAYED)) == 0
        wanted &= np.isfinite(observations.lat) & np.isfinite(observations.lon)
        if not wanted.any():
            return np.zeros(0, np.intp), np.zeros(0, np.intp)
        o = observations.take(wanted)
        enu = self._tile.to_enu(o.lat, o.lon, o.height)
        o, enu = o.take(np.isfinite(enu[:, 0])), enu[np.isfinite(enu[:, 0])]
        mark = np.rint(enu[:, :2] * 1000.0).astype(np.int64) @ np.array([1_000_003, 1])
        height = np.where((o.flags & _NO_HEIGHT) != 0, np.nan, o.height)
        up = np.where(np.isfinite(height), enu[:, 2], np.nan)
        sd = np.sqrt(np.maximum(o.cov[:, 0], o.cov[:, 3]))
        sd = np.clip(np.where(np.isfinite(sd), sd, WORST_SD_M), GNSS_SD_M, WORST_SD_M)
        sd_up = np.sqrt(o.cov[:, 5])
        sd_up = np.clip(np.where(np.isfinite(sd_up), sd_up, WORST_SD_M), GNSS_SD_M, WORST_SD_M)
        stand = self._place[o.sensor]
        apart = enu - stand
        apart[:, 2] = np.nan_to_num(apart[:, 2])
        log_range = 20.0 * np.log10(np.maximum(np.linalg.norm(apart, axis=1), 1.0))
        made: list[tuple[int, int]] = []
        for k, (ident, at, sensor, mac, rssi) in enumerate(
            zip(o.ident.tolist(), o.t_ns.tolist(), o.sensor.tolist(), o.track_ref.tolist(),
                o.rssi.tolist(), strict=True)
        ):  # fmt: skip
            row = self._row(t_ns, ident, idents)
            by = int(h.heard_by[row])
            h.heard_by[row] = sensor if by < 0 else min(by, sensor)
            if rssi == rssi:
                h.hear(row, at, sensor, rssi - self._level[sensor, 0], float(log_range[k]))
            last = h.newest(row)
            e, n = float(enu[k, 0]), float(enu[k, 1])
            same = last >= 0 and (e, n) == (h.fix[row, last, EAST], h.fix[row, last, NORTH])
            if same and abs(at - int(h.fix_ns[row, last])) < 3 * SECOND:
                continue  # the same broadcast at another receiver
            law = height[k] - facts.get((ident, at, int(Name.HEIGHT_TAKEOFF)), np.nan)
            baro = height[k] - facts.get((ident, at, int(Name.PRESSURE_ALTITUDE)), np.nan)
            claim = [
                e,
                n,
                float(up[k]),
                *o.vel[k].tolist(),
                float(sd[k]),
                float(sd_up[k]),
                law,
                baro,
            ]
            made.append((row, h.push(row, at, mac, claim)))
            moves = abs(claim[V_EAST]) + abs(claim[V_NORTH]) > FLYING_MPS
            if moves:
                h.again[row] = h.again[row] + 1 if h.been_before(row, at, int(mark[k])) else 0
        rows, slots = np.array(made, np.intp).reshape(-1, 2).T
        return rows, slots

    def _compare(
        self, t_ns: int, rows: NDArray[np.intp], slots: NDArray[np.intp], bodies: Bodies, live: B1
    ) -> None:
        """Put each new claim beside the body it belongs to, and note whether one should be seen."""
        h = self.histories
        fix = h.fix[rows, slots]
        place, velocity = fix[:, [EAST, NORTH, UP]], fix[:, [V_EAST, V_NORTH, V_UP]]
        who = h.ident[rows]
        at = self._owners(t_ns, bodies)
        taken = ((at >= 0) & (at != who[:, None])) | (
            (bodies.ident >= 0) & (bodies.ident != who[:, None])
        )
        when, last = h.fix_ns[rows, slots], (slots - 1) % h.body.shape[1]
        match = matched(bodies, when, place, velocity, fix[:, [SD, SD_UP]], taken, h.partner[rows])
        found = match.body >= 0
        h.body[rows[found], slots[found]] = bodies.id[match.body[found]]
        h.partner[rows[found]] = bodies.id[match.body[found]]
        h.fix[rows, slots, OFF_EAST : OFF_UP + 1] = match.offset
        h.fix[rows, slots, OFF_SD : OFF_SD_UP + 1] = match.sd
        for k in np.flatnonzero(match.supported).tolist():
            self._bodies[int(bodies.id[match.body[k]])] = int(who[k]), t_ns

        lat, lon, hae = self._tile.to_geodetic(np.nan_to_num(place))
        hae[np.isnan(place[:, 2])] = np.nan
        agl = hae - undulation(lat, lon) - self._ground.at(lat, lon).amsl
        speed = np.hypot(velocity[:, 0], velocity[:, 1])
        airborne = np.where(np.isnan(agl), speed > FLYING_MPS, agl > LOW_M)
        looked = airborne & (self._sight.p_seen(place[:, :2], hae, live) >= SURE)
        gap = when - h.fix_ns[rows, last]
        for k, row in enumerate(rows.tolist()):
            if match.supported[k]:
                h.seen_ns[row] = t_ns
            if match.supported[k] or not looked[k]:
                h.unseen_ns[row] = -1
            elif h.unseen_ns[row] < 0 or gap[k] > SILENT_NS:
                h.unseen_ns[row] = when[k]
        h.vouch(who[match.supported].tolist())

    def _owners(self, t_ns: int, bodies: Bodies) -> I8:
        """(bodies,) identity that lies there by its own claim, -1 none; old ones are forgotten."""
        self._bodies = {b: o for b, o in self._bodies.items() if t_ns - o[1] <= 3 * SECOND}
        owners = self._bodies
        return np.array([owners.get(b, (-1, 0))[0] for b in bodies.id.tolist()], np.int64)

    def _test(self, t_ns: int, rows: NDArray[np.intp], region_m: float) -> None:
        """Run the tests on rows that were heard."""
        h = self.histories
        fix, when, mac, body, _ = h.ordered(rows, t_ns - WINDOW_NS)
        newest = body[:, -1]
        same = (body == newest[:, None]) & (newest >= 0)[:, None]
        offset = np.where(same[:, :, None], fix[:, :, OFF_EAST:], np.nan)
        llr, shift = position_llr(
            offset[:, :, : OFF_NORTH - OFF_EAST + 1], fix[:, :, [V_EAST, V_NORTH]],
            offset[:, :, OFF_SD - OFF_EAST], offset[:, :, OFF_UP - OFF_EAST],
            offset[:, :, OFF_SD_UP - OFF_EAST],
        )  # fmt: skip
        told = np.isfinite(llr)
        h.llr[rows[told]], h.shift[rows[told]] = llr[told], shift[told]
        place, sd = fix[:, :, [EAST, NORTH]], fix[:, :, SD]
        velocity = fix[:, :, [V_EAST, V_NORTH, V_UP]]
        span = when[:, -1] - np.where(same, when, when[:, -1:]).min(axis=1)
        unseen = h.unseen_ns[rows]
        supported = h.seen_ns[rows] == t_ns
        raw = np.zeros((len(rows), len(TESTS)), np.bool_)
        sure = supported | (unseen >= 0)
        raw[:, _AT[Why.POSITION]] = (llr >= LLR) & (span >= SPAN_NS) & sure
        raw[:, _AT[Why.GHOST]] = (unseen >= 0) & (when[:, -1] - unseen >= GHOST_NS)
        raw[:, _AT[Why.TWO_PLACES]] = two_places(when, place, sd, mac)
        raw[:, _AT[Why.KINEMATICS]] = impossible_motion(
            when, place, velocity, sd, h.uas_class[rows]
        )
        raw[:, _AT[Why.RSSI]] = self._power(t_ns, rows, supported)
        long = h.ordered(rows, t_ns - 3 * WINDOW_NS)[0]
        raw[:, _AT[Why.HEIGHT_LAW]] = height_law_broken(long[:, :, LAW], long[:, :, BARO], region_m)
        raw[:, _AT[Why.FORM]] = h.malformed[rows] > 0
        raw[:, _AT[Why.PILOT_PLACE]] = self._pilot_far(rows, place[:, -1])
        since = np.where(raw, np.where(h.since_ns[rows] >= 0, h.since_ns[rows], t_ns), -1)
        h.since_ns[rows] = since
        held = raw & (t_ns - since >= HOLD_NS)
        h.until_ns[rows] = np.where(held, t_ns, h.until_ns[rows])

    def _power(self, t_ns: int, rows: NDArray[np.intp], supported: B1) -> B1:
        """Tests of received power; what honest drones say calibrates the receivers."""
        h = self.histories
        since = h.power_ns[rows] > t_ns - WINDOW_NS
        by = np.where(since, h.power_by[rows], -1)
        if not since.any():
            return np.zeros(len(rows), np.bool_)
        receivers = np.unique(by[by >= 0])
        level = np.full((2, len(rows), len(receivers)), np.nan)
        for c, receiver in enumerate(receivers.tolist()):
            mine = by == receiver
            n = mine.sum(axis=1)
            for what in (POWER, LOG_RANGE):
                total = np.where(mine, h.power[rows][:, :, what], 0.0).sum(axis=1)
                level[what, n > 0, c] = total[n > 0] / n[n > 0]
        self._calibrate(level[POWER] + level[LOG_RANGE], receivers, supported)
        last = (h.count[rows, 1] - 1) % h.power_by.shape[1]
        at = np.arange(len(rows))
        same = h.power_by[rows] == h.power_by[rows, last][:, None]
        one = np.where(same[:, :, None], h.power[rows], np.nan)
        made: B1 = power_against_range(level[POWER], level[LOG_RANGE])
        made |= power_without_range(one[at, :, POWER], one[at, :, LOG_RANGE])
        return made

    def _calibrate(self, level: F8, receivers: I8, supported: B1) -> None:
        for k in np.flatnonzero(supported).tolist():
            heard = np.isfinite(level[k])
            if heard.sum() < 3:
                continue
            rest = level[k, heard] - level[k, heard].mean()
            at = receivers[heard]
            self._level[at, 1] = np.minimum(self._level[at, 1] + 1.0, CALIBRATED)
            self._level[at, 0] += rest / self._level[at, 1]

    def _pilot_far(self, rows: NDArray[np.intp], place: F8) -> B1:
        pilot = self.histories.pilot[rows]
        far = np.zeros(len(rows), np.bool_)
        told = np.isfinite(pilot[:, 0])
        if told.any():
            at = self._tile.to_enu(pilot[told, 0], pilot[told, 1], np.zeros(int(told.sum())))
            far[told] = np.linalg.norm(at[:, :2] - place[told], axis=1) > PILOT_M
        return far

    # --- once a second

    def _area(self, t_ns: int) -> None:
        """Take from the doubts what one shift of an area explains."""
        h = self.histories
        self._groups = []
        rows = h.live()
        rows = rows[(h.last_ns[rows] > t_ns - SILENT_NS) & (h.count[rows, 0] > 0)]
        newest = h.body[rows, (h.count[rows, 0] - 1) % h.body.shape[1]]
        compared = (newest >= 0) & np.isfinite(h.llr[rows])
        rows, newest = rows[compared], newest[compared]
        victims = rows[common_shift(h.shift[rows], newest)]
        h.until_ns[victims, _AT[Why.POSITION_UNTRUSTED]] = t_ns
        if len(victims):
            self._groups.append((int(GroupKind.AREA), -1, sorted(h.ident[victims].tolist())))

    def _explained(self, t_ns: int, rows: NDArray[Any]) -> B1:
        """Whether a claim (n,) is a victim's, or alone belongs to an object that sensors see."""
        h = self.histories
        victim = h.until_ns[rows, _AT[Why.POSITION_UNTRUSTED]] >= max(t_ns - LIFE_NS, 0)
        body = h.body[rows, (h.count[rows, 0] - 1) % h.body.shape[1]]
        _, back, count = np.unique(body, return_inverse=True, return_counts=True)
        explained: B1 = victim | ((body >= 0) & (count[back] == 1))
        return explained

    def _gather(self, t_ns: int) -> None:
        """Find identities that one transmitter sends."""
        h = self.histories
        rows = h.live()
        rows = rows[(h.last_ns[rows] > t_ns - SILENT_NS) & (h.count[rows, 0] > 0)]
        rows = rows[(h.seen_ns[rows] < 0) | (h.seen_ns[rows] < t_ns - WINDOW_NS)]
        rows = rows[~self._explained(t_ns, rows)]
        if len(rows) < GROUP:
            return
        receiver = np.where(h.anchor[rows] >= 0, h.anchor[rows], h.heard_by[rows])
        power, log_range = np.full(len(rows), np.nan), np.full(len(rows), np.nan)
        recent = h.power_ns[rows] > t_ns - WINDOW_NS
        for k, row in enumerate(rows.tolist()):
            by = np.where(recent[k], h.power_by[row], -1)
            heard = {r: h.power[row][by == r].mean(axis=0) for r in np.unique(by[by >= 0]).tolist()}
            if heard:
                held = int(h.anchor[row])
                best = held if held in heard else max(heard, key=lambda r: (heard[r][POWER], -r))
                receiver[k] = best
                power[k], log_range[k] = heard[best].tolist()
        newest = h.fix_ns[rows, (h.count[rows, 0] - 1) % h.fix_ns.shape[1]]
        unseen = (h.unseen_ns[rows] >= 0) & (newest - h.unseen_ns[rows] >= SPAN_NS)
        h.anchor[rows] = -1
        for lot in transmitters(Suspects(receiver, power, log_range, unseen)):
            members = rows[lot]
            h.anchor[members] = receiver[lot]
            h.until_ns[members, _AT[Why.TRANSMITTER]] = t_ns
            self._groups.append(
                (
                    int(GroupKind.TRANSMITTER),
                    int(receiver[lot[0]]),
                    sorted(h.ident[members].tolist()),
                )
            )
