"""The low airspace, slice by slice: heights, zones, identities and verdicts of all tracks.

Plan: heights are for every track; all else is for those that are or may be aircraft, which on a
road are few. What must be remembered from slice to slice (last seen place, identity once heard,
since when in a receiver's reach) is one row per such track, found again by track id.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from v2x.columns import B1, F8, I8, U1, Columns, column
from v2x.geodesy import Tile
from v2x.lowalt.heights import GROUND_AMSL_M, track_heights
from v2x.lowalt.identity import (
    CLAIM_LIFE_NS,
    HEAR_WAIT_NS,
    RECENT_NS,
    SECOND,
    Claims,
    Coverage,
    Evidence,
    verdicts,
)
from v2x.lowalt.registry import PlanIndex, Plans, Registry
from v2x.lowalt.volumes import Pairs, Places, ZoneIndex
from v2x.lowalt.zones import Zones
from v2x.observations import Kind
from v2x.picture import (
    ClaimStatus,
    Devices,
    Heights,
    Identities,
    Inside,
    Registered,
    ZoneKind,
    ZoneRows,
)
from v2x.readings import Readings
from v2x.sensors import INDEPENDENT, SensorKind, SensorTable
from v2x.tracks import Status, Tracks

APPROVAL_AGL_M = 120.0
"""Controlled airspace everywhere from this height above ground: Interim Regulations on unmanned
aircraft flight (in force 2024-01-01), article 19."""
AIRBORNE_AGL_M = 5.0
"""An object of unknown kind above this may be an aircraft; a dark one stays dark above it."""
DARK_AGL_M = 10.0
"""Above this a drone without identity is dark. Ours, as the one above."""
STANDING_AGL_M = 2.0
"""A drone that says it stands on the ground is believed below this."""
MANNED_PROB = 0.8
SURE_PROB = 0.5
"""A kind less likely than this is as good as unknown."""
GAP_NS = 5 * SECOND
"""Longest gap over which a track's move is taken as a straight line."""

SCHEMES = 65_536
"""Identities whose scheme is remembered, to spare the look at their text; all go at once."""

_GROUND = np.zeros(256, np.bool_)
_GROUND[[Kind.PEDESTRIAN, Kind.BICYCLE, Kind.MOTORCYCLE, Kind.CAR, Kind.TRUCK, Kind.BUS]] = True
_GROUND[[Kind.EMERGENCY_VEHICLE, Kind.BIRD, Kind.OBSTACLE]] = True
_INDEPENDENT_BITS = sum(1 << kind for kind in INDEPENDENT)
_RID, _ICAO, _OTHER = 1, 2, 3


class Judgement(NamedTuple):
    """What lowalt gives to the picture; rows of the first three are those of the tracks."""

    geodetic: F8
    heights: Heights
    identities: Identities
    zones: ZoneRows
    inside: Inside


@dataclass(frozen=True, slots=True)
class _Memory(Columns):
    """What is kept of each aircraft or unknown object; -1 never.

    ``seen_ns``, ``flat`` and ``levels`` are its last place that a sensor confirmed, ``covered_ns``
    since when a live receiver reaches it without a break.
    """

    id: I8 = column("i8")
    seen_ns: I8 = column("i8", blank=-1)
    flat: F8 = column("f8", 2)
    levels: F8 = column("f8", 3)
    rid: I8 = column("i8", blank=-1)
    heard_ns: I8 = column("i8", blank=-1)
    said: U1 = column("u1")
    mark: I8 = column("i8", blank=-1)
    pilot: F8 = column("f8", 2)
    on_ground: U1 = column("u1")
    aircraft_ns: I8 = column("i8", blank=-1)
    covered_ns: I8 = column("i8", blank=-1)
    dark: U1 = column("u1")


class Airspace:
    """Judges every slice's tracks against zones, registry and plans.

    Parameters
    ----------
    tile, sensors
        The local frame, and the sensors placed in it.
    zones, registry, plans
        None: nothing is known of them. `zones` may be replaced between slices.
    ground_amsl_m
        Ground above mean sea level.
    """

    def __init__(
        self,
        tile: Tile,
        sensors: SensorTable,
        zones: ZoneIndex | None = None,
        registry: Registry | None = None,
        plans: Plans | None = None,
        ground_amsl_m: float = GROUND_AMSL_M,
    ) -> None:
        self.zones = ZoneIndex(Zones(), tile, ground_amsl_m) if zones is None else zones
        self.claims = Claims(sensors)
        self._tile = tile
        self._registry = registry
        self._plans = PlanIndex(plans or Plans(), tile)
        self._ground_amsl_m = ground_amsl_m
        self._receivers = Coverage(sensors, (SensorKind.REMOTE_ID,))
        self._watchers = Coverage(sensors, INDEPENDENT)
        self._memory = _Memory.blank(0)
        self._schemes: dict[int, int] = {}

    @property
    def plan_ids(self) -> tuple[str, ...]:
        """Plan ids by the rows that `Identities.plan` names."""
        return self._plans.ids

    def judge(
        self,
        t_ns: int,
        tracks: Tracks,
        readings: Readings,
        devices: Devices,
        idents: Mapping[int, str],
    ) -> Judgement:
        """Heights, zones and verdicts at the end of one slice.

        Parameters
        ----------
        t_ns
            End of the slice; grows from call to call.
        readings
            Those that are new this slice, sorted.
        devices
            One row per sensor; a receiver or radar that is not live proves nothing.
        idents
            Text of the identity hashes that tracks carry.
        """
        geodetic, heights = track_heights(self._tile, tracks, self._ground_amsl_m)
        self.claims.hear(t_ns, readings)
        identities = Identities.blank(len(tracks))
        zone_rows = self.zones.rows(t_ns)
        air, scheme = self._aircraft(tracks, heights, idents)
        if not air.size:
            self._memory = _Memory.blank()
            return Judgement(geodetic, heights, identities, zone_rows, Inside.blank())
        places = self.zones.places(
            geodetic[air, 0], geodetic[air, 1],
            heights.hae[air], heights.amsl[air], heights.agl[air],
        )  # fmt: skip
        near = tracks.take(air)
        before, known = self._remembered(near)
        memory, row = self._identified(t_ns, near, scheme, before)
        live = devices.live.astype(np.bool_)
        agl, sd = heights.agl[air], heights.sd[air]

        covered = self._receivers.reaches(places.flat, heights.hae[air], live)
        since = np.where(known, t_ns, near.first_ns)
        since = np.where(before.covered_ns >= 0, before.covered_ns, since)
        memory.covered_ns[:] = np.where(covered, since, -1)
        p_heard = (covered & (t_ns - since >= HEAR_WAIT_NS)).astype(np.float64)

        named = memory.rid >= 0
        independent = (near.sensor_kinds & _INDEPENDENT_BITS) != 0
        self.claims.vouch(memory.rid[named & independent].tolist())
        aircraft = (memory.aircraft_ns >= 0) & (t_ns - memory.aircraft_ns <= CLAIM_LIFE_NS)
        flown = (near.kind == Kind.AIRCRAFT) | (near.kind == Kind.HELICOPTER)
        manned = aircraft | (flown & (near.kind_prob >= np.float32(MANNED_PROB)))
        standing = (memory.on_ground == 1) & (agl < STANDING_AGL_M)

        pairs = self.zones.inside(places, self.zones.active(t_ns))
        asks, asking = self._asking(pairs, len(air))
        needs = (asks | (agl >= APPROVAL_AGL_M)) & ~manned & ~standing
        plan = self._plans.match(t_ns, places, memory.rid)
        registered = self._registered(t_ns, memory)

        # An unknown object must be that high for sure: a car's poor height is not a flight.
        surely = np.where(near.kind == Kind.UNKNOWN, agl - sd, agl)
        may_be_dark = ~manned & ~named & ((near.kind == Kind.UAS) | (near.kind == Kind.UNKNOWN))
        dark = independent & (near.status == Status.CONFIRMED)
        dark &= (p_heard >= 0.9) & (surely > DARK_AGL_M)
        dark |= (memory.dark == 1) & (agl > AIRBORNE_AGL_M)
        dark &= may_be_dark
        memory.dark[:] = dark

        contradicted = np.zeros(len(air), np.bool_)
        verdict = verdicts(
            Evidence(
                manned=manned,
                named=named,
                dark=dark,
                covered=covered,
                registered=registered,
                needs_approval=needs,
                planned=plan >= 0,
                independent=independent,
                watched=self._watchers.reaches(places.flat, heights.hae[air], live),
                contradicted=contradicted,
            )
        )
        claimed = named | aircraft
        status = np.where(independent, ClaimStatus.CORROBORATED, ClaimStatus.CLAIMED)
        status[contradicted] = ClaimStatus.CONTRADICTED
        identities.verdict[air] = verdict
        identities.status[air] = np.where(claimed, status, ClaimStatus.NONE)
        identities.registered[air] = registered
        identities.heard_ns[air] = np.where(named, memory.heard_ns, memory.aircraft_ns)
        identities.n_receivers[air] = self._receivers_of(t_ns, row)
        identities.p_heard[air] = p_heard
        identities.plan[air] = plan
        identities.needs_approval[air] = needs
        identities.approval_zone[air] = np.where(needs, asking, -1)
        identities.mark[air] = memory.mark
        identities.pilot_lat[air], identities.pilot_lon[air] = memory.pilot.T

        moved = self._crossed(t_ns, near, before, places, pairs)
        inside = self._inside(air, standing, pairs, moved)
        seen = near.status != Status.COASTING
        memory.seen_ns[seen] = t_ns
        memory.flat[seen] = places.flat[seen]
        memory.levels[seen] = places.heights[seen]
        self._memory = memory
        return Judgement(geodetic, heights, identities, zone_rows, inside)

    def state(self) -> dict[str, Any]:
        """What must survive a restart: lists, numbers and arrays."""
        memory = {name: getattr(self._memory, name) for name, *_ in _Memory.schema()}
        return {
            "claims": self.claims.state(),
            "memory": memory,
            "schemes": list(self._schemes.items()),  # their texts may be forgotten by now
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Put back what `state` gave."""
        self.claims.restore(state["claims"])
        self._memory = _Memory(
            **{n: np.array(state["memory"][n], dtype) for n, dtype, *_ in _Memory.schema()}
        )
        self._schemes = {ident: scheme for ident, scheme in state["schemes"]}

    def _aircraft(
        self, tracks: Tracks, heights: Heights, idents: Mapping[int, str]
    ) -> tuple[NDArray[np.intp], U1]:
        """Rows of tracks that are or may be aircraft, and the scheme of each one's identity.

        An object of unknown kind may be one if it carries an aircraft's identity, or is in the
        air and carries no other. Without a height it is taken for what moves on the ground.
        """
        sure = tracks.kind_prob >= np.float32(SURE_PROB)
        rows = np.flatnonzero(~(_GROUND[tracks.kind] & sure))
        scheme = np.zeros(len(rows), np.uint8)
        ident = tracks.ident[rows]
        marked = ident >= 0
        scheme[marked] = self._schemes_of(ident[marked].tolist(), idents)
        kind = tracks.kind[rows]
        flies = (kind == Kind.UAS) | (kind == Kind.AIRCRAFT) | (kind == Kind.HELICOPTER)
        agl = heights.agl[rows]
        high = (agl > AIRBORNE_AGL_M) | (np.isnan(agl) & np.isfinite(heights.hae[rows]))
        may = flies | (scheme == _RID) | (scheme == _ICAO) | (high & (scheme != _OTHER))
        return rows[may], scheme[may]

    def _schemes_of(self, ident: list[int], idents: Mapping[int, str]) -> list[int]:
        """Scheme of each identity: Remote ID, ICAO address, or another."""
        known = self._schemes
        found = [known.get(one, 0) for one in ident]
        for k, scheme in enumerate(found):
            if scheme == 0:
                words = idents.get(ident[k], "")
                found[k] = {"rid": _RID, "icao": _ICAO}.get(words.partition(":")[0], _OTHER)
                if words:
                    known[ident[k]] = found[k]
        if len(known) > SCHEMES:
            known.clear()
        return found

    def _remembered(self, near: Tracks) -> tuple[_Memory, B1]:
        """What is known of these tracks from the last slice, and which were known at all."""
        made = _Memory.blank(len(near), id=near.id)
        order = np.argsort(self._memory.id, kind="stable")
        ids = self._memory.id[order]
        at = np.searchsorted(ids, near.id)
        known = np.zeros(len(near), np.bool_)
        within = at < len(ids)
        known[within] = ids[at[within]] == near.id[within]
        rows = order[at[known]]
        for name, *_ in _Memory.schema():
            if name != "id":
                getattr(made, name)[known] = getattr(self._memory, name)[rows]
        return made, known

    def _identified(
        self, t_ns: int, near: Tracks, scheme: U1, before: _Memory
    ) -> tuple[_Memory, NDArray[np.int32]]:
        """Memory with the identities that tracks carry now, and their rows in the claims.

        An identity once heard stays for the life of the track.
        """
        memory = _Memory(**{name: getattr(before, name).copy() for name, *_ in _Memory.schema()})
        last = np.minimum(near.last_ns, t_ns)
        heard_by = near.sensor_kinds

        new = (scheme == _RID) & (near.ident != memory.rid)
        blank = _Memory.blank(1)
        memory.rid[new] = near.ident[new]
        for name in ("said", "mark", "pilot", "on_ground"):
            getattr(memory, name)[new] = getattr(blank, name)[0]
        memory.heard_ns[new] = last[new]
        again = (scheme == _RID) & ((heard_by & (1 << SensorKind.REMOTE_ID)) != 0)
        memory.heard_ns[again] = np.maximum(memory.heard_ns[again], last[again])
        row = np.full(len(near), -1, np.int32)
        row[memory.rid >= 0] = self.claims.rows(memory.rid[memory.rid >= 0])
        kept = row >= 0
        memory.heard_ns[kept] = np.maximum(memory.heard_ns[kept], self.claims.last_ns[row[kept]])
        for name in ("said", "mark", "pilot", "on_ground"):
            getattr(memory, name)[kept] = getattr(self.claims, name)[row[kept]]

        aircraft = scheme == _ICAO
        word = np.full(len(near), -1, np.int64)
        word[aircraft] = self.claims.aircraft_ns(near.ident[aircraft])
        now = aircraft & ((heard_by & (1 << SensorKind.ADS_B)) != 0)
        now |= aircraft & (memory.aircraft_ns < 0)
        word[now] = np.maximum(word[now], last[now])
        memory.aircraft_ns[:] = np.maximum(memory.aircraft_ns, word)
        return memory, row

    def _registered(self, t_ns: int, memory: _Memory) -> U1:
        """`Registered` (n,): the broadcast's own "no", else what a fresh registry says."""
        made = np.full(len(memory), Registered.UNKNOWN, np.uint8)
        named = memory.rid >= 0
        if self._registry is not None and self._registry.fresh(t_ns):
            held = self._registry.holds(memory.rid)
            made[named] = np.where(held, Registered.YES, Registered.NO)[named]
        made[named & (memory.said == Registered.NO)] = Registered.NO
        return made

    def _receivers_of(self, t_ns: int, row: NDArray[np.int32]) -> U1:
        """How many receivers heard lately what stands in each row of the claims, (n,)."""
        made = np.zeros(len(row), np.uint8)
        heard = self.claims.heard_ns[row[row >= 0]]
        n = ((heard >= 0) & (t_ns - heard <= RECENT_NS)).sum(axis=1)
        made[row >= 0] = np.minimum(n, 255)
        return made

    def _asking(self, pairs: Pairs, n: int) -> tuple[B1, NDArray[np.int32]]:
        """Where a zone asks for an approval, (n,), and which: prohibited first, then by row.

        A zone with limits asks nothing of a drone of unknown height: whether it is inside is not
        known.
        """
        kind = self.zones.kind[pairs.zone]
        wanted = (kind == ZoneKind.PROHIBITED) | (kind == ZoneKind.RESTRICTED)
        wanted &= pairs.height_unknown == 0
        point, zone, kind = pairs.point[wanted], pairs.zone[wanted], kind[wanted]
        order = np.lexsort((zone, kind, point))[::-1]
        asking = np.full(n, -1, np.int32)
        asking[point[order]] = zone[order]  # written backwards: the first one stays
        return asking >= 0, asking

    def _crossed(
        self, t_ns: int, near: Tracks, before: _Memory, places: Places, held: Pairs
    ) -> Pairs:
        """Zones that a track went through since it was last seen, at neither end inside."""
        lately = (before.seen_ns >= 0) & (t_ns - before.seen_ns <= GAP_NS)
        lately &= near.status != Status.COASTING
        then = Places(np.where(lately[:, None], before.flat, np.nan), before.levels)
        return self.zones.crossed(then, places, held, self.zones.active(t_ns))

    def _inside(self, air: NDArray[np.intp], standing: B1, pairs: Pairs, moved: Pairs) -> Inside:
        """Pairs as the picture holds them; a drone that stands on the ground is in no zone."""
        through = np.repeat(np.array([0, 1], np.uint8), [len(pairs.point), len(moved.point)])
        point = np.concatenate((pairs.point, moved.point))
        zone = np.concatenate((pairs.zone, moved.zone))
        depth = np.concatenate((pairs.depth, moved.depth))
        unknown = np.concatenate((pairs.height_unknown, moved.height_unknown))
        rows = np.lexsort((zone, point))
        rows = rows[~standing[point[rows]]]
        return Inside(
            track=air[point[rows]].astype(np.int32),
            zone=zone[rows].astype(np.int32),
            p_inside=1.0 - through[rows].astype(np.float64),
            crossed=through[rows],
            margin_m=depth[rows],
            height_unknown=unknown[rows],
        )
