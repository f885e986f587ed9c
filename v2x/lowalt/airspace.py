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
from v2x.geodesy import Tile, undulation
from v2x.lowalt.claims import CLAIM_LIFE_NS
from v2x.lowalt.doubts import Doubts
from v2x.lowalt.ghosts import Admission
from v2x.lowalt.heights import NEVER_MEASURED_SD_M, track_heights
from v2x.lowalt.identity import AIRBORNE_AGL_M, ICAO, RID, Identification
from v2x.lowalt.levels import Levels
from v2x.lowalt.permits import Permits
from v2x.lowalt.pilots import Pilots
from v2x.lowalt.plans import Plans
from v2x.lowalt.presence import covariances
from v2x.lowalt.proximity import Flying, Protection
from v2x.lowalt.registry import Registry
from v2x.lowalt.swarms import Swarms
from v2x.lowalt.terrain import Ground
from v2x.lowalt.trust import Trust
from v2x.lowalt.turns import sure_turn, turned
from v2x.lowalt.volumes import Pairs, Places, ZoneIndex
from v2x.lowalt.zone_watch import Aircraft, ZoneWatch
from v2x.lowalt.zones import Zones
from v2x.observations import Kind, Observations
from v2x.picture import (
    Breach,
    Devices,
    GroupKind,
    Groups,
    Heights,
    Identities,
    Inside,
    PilotSource,
    Proximity,
    Stays,
    Verdict,
    Why,
    ZoneKind,
    ZoneRows,
)
from v2x.readings import Readings
from v2x.sensors import SensorTable
from v2x.tracks import Residuals, Status, Tracks

SURE_PROB = 0.5
"""A kind less likely than this is as good as unknown."""
SURE_EXIST = 0.9
"""A drone that is less likely there is not missed when it is lost."""

SCHEMES = 65_536
"""Identities whose scheme is remembered, to spare the look at their text; all go at once."""

_GROUND = np.zeros(256, np.bool_)
_GROUND[[Kind.PEDESTRIAN, Kind.BICYCLE, Kind.MOTORCYCLE, Kind.CAR, Kind.TRUCK, Kind.BUS]] = True
_GROUND[[Kind.EMERGENCY_VEHICLE, Kind.BIRD, Kind.OBSTACLE]] = True
_OTHER = 3


class Judgement(NamedTuple):
    """What lowalt gives to the picture; rows of the first three are those of the tracks."""

    geodetic: F8
    heights: Heights
    identities: Identities
    zones: ZoneRows
    inside: Inside
    groups: Groups
    breach: Breach = Breach.blank()
    stays: Stays = Stays.blank()
    proximity: Proximity = Proximity.blank()


@dataclass(frozen=True, slots=True)
class _Memory(Columns):
    """Last place of each aircraft or unknown object that a sensor confirmed; -1 never."""

    id: I8 = column("i8")
    seen_ns: I8 = column("i8", blank=-1)
    flat: F8 = column("f8", 2)
    levels: F8 = column("f8", 3)
    vel: F8 = column("f8", 2)
    vel_ns: I8 = column("i8", blank=-1)
    turn: F8 = column("f8", blank=0)


class Airspace:
    """Judges every slice's tracks against zones, registry and plans.

    Parameters
    ----------
    tile, sensors
        The local frame, and the sensors placed in it.
    zones, registry, plans
        None: nothing is known of them. `zones` may be replaced between slices.
    ground
        Ground above mean sea level, by place.
    qnh_hpa
        Air pressure reduced to sea level, where no emitters show it; NaN unknown.
    """

    def __init__(
        self,
        tile: Tile,
        sensors: SensorTable,
        zones: ZoneIndex | None = None,
        registry: Registry | None = None,
        plans: Plans | None = None,
        ground: Ground | None = None,
        qnh_hpa: float = float("nan"),
    ) -> None:
        self.ground = Ground() if ground is None else ground
        self.zones = ZoneIndex(Zones(), tile, self.ground) if zones is None else zones
        self.levels = Levels(tile.lat0, tile.lon0, self.ground, qnh_hpa)
        self.identification = Identification(tile, sensors, Permits.of(registry, plans, tile))
        self.doubts = Doubts(tile, sensors, self.ground)
        self._admission = Admission(sensors)
        self._swarms = Swarms(tile)
        self._pilots = Pilots(tile, sensors)
        self._tile = tile
        ground_sd = self.ground.sd_m if self.ground.grid is None else self.ground.grid_sd_m
        self._watch = ZoneWatch(sensors, ground_sd)
        self._protection = Protection(ground_sd)
        self._trust = Trust(sensors)
        self._memory = _Memory.blank(0)
        self._schemes: dict[int, int] = {}

    @property
    def plan_ids(self) -> tuple[str, ...]:
        """Plan ids by the rows that `Identities.plan` names."""
        return self.identification.permits.plan_index.ids

    @property
    def registry_ns(self) -> int:
        """When the registry was true, ns; -1 there is none."""
        registry = self.identification.permits.registry
        return -1 if registry is None else registry.as_of_ns

    def judge(
        self,
        t_ns: int,
        tracks: Tracks,
        readings: Readings,
        devices: Devices,
        idents: Mapping[int, str],
        observations: Observations | None = None,
        residuals: Residuals | None = None,
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
        observations
            Rows of the slice as they came, with heights from `Levels.complete`: what Remote ID
            receivers say are claims, to be compared with the tracks. None: no rows.
        residuals
            Of this slice's step: how far off its track each sensor saw an object.
        """
        rows = Observations.blank() if observations is None else observations
        live = devices.live.astype(np.bool_)
        geodetic, heights = track_heights(self._tile, tracks, self.ground)
        pressed = self._pressed(t_ns, tracks, heights)
        readings, rows = self._admitted(t_ns, readings, rows)
        self.identification.listen(t_ns, readings, rows, live)
        self._trust.hear(t_ns, readings, rows)
        self._pilots.hear(t_ns, readings)
        groups = self.doubts.judge(
            t_ns, rows, readings, tracks, heights,
            Residuals.blank() if residuals is None else residuals, live, idents,
            self.levels.offset()[0],
        )  # fmt: skip
        groups = Groups.concat([groups, self._floods(t_ns)])
        identities = Identities.blank(len(tracks))
        zone_rows = self.zones.rows(t_ns)
        air, scheme = self._aircraft(tracks, heights, idents)
        if not air.size:
            self.identification.forget()
            self._memory = _Memory.blank()
            stays = self._watch.nobody(t_ns, self.zones, live)
            return Judgement(
                geodetic, heights, identities, zone_rows, Inside.blank(), groups, stays=stays
            )
        places = self.zones.places(
            geodetic[air, 0], geodetic[air, 1],
            np.where(pressed[air], np.nan, heights.hae[air]), heights.amsl[air], heights.agl[air],
        )  # fmt: skip
        near = tracks.take(air)
        pairs = self.zones.inside(places, self.zones.active(t_ns))
        answer = self.identification.judge(
            t_ns, near, scheme, places, heights.take(air), rows, live,
            self._asking(pairs, len(air)), self.doubts, self._admission.refusing(t_ns),
            (scheme == ICAO) & self._trust.doubtful(near.ident),
        )  # fmt: skip
        swarms = self._together(t_ns, near, heights.agl[air], answer.identities, len(groups))
        self._point_at_pilots(t_ns, near, heights.agl[air], answer.identities)
        for name, *_ in Identities.schema():
            getattr(identities, name)[air] = getattr(answer.identities, name)
        identities.why[air[pressed[air]]] |= int(Why.HEIGHT_BAROMETRIC)

        before = self._remembered(near)
        said = answer.identities
        manned = said.verdict == Verdict.MANNED
        excused = (said.verdict == Verdict.AUTHORISED) & (said.plan >= 0)
        drone = (near.kind == Kind.UAS) | (heights.agl[air] > AIRBORNE_AGL_M)
        sure = (near.status == Status.CONFIRMED) & (near.exist >= SURE_EXIST)
        vel = near.x[:, 3:5].copy()
        before.turn[:] = turned(before.turn, before.vel, before.vel_ns, vel, t_ns)
        before.vel[:], before.vel_ns[:] = vel, t_ns
        cov = covariances(near.P, heights.sd[air])
        inside, breach, stays = self._watch.judge(
            t_ns,
            self.zones,
            Aircraft(
                air, near, places, cov,
                before.seen_ns, before.flat, before.levels,
                answer.standing, manned, sure & drone & ~manned & ~excused,
                geodetic[air, 0], geodetic[air, 1], heights.hae[air], sure_turn(before.turn),
            ),
            pairs,
            live,
        )  # fmt: skip
        proximity = self._near_aircraft(
            t_ns, air, near, places, geodetic, heights, cov, drone & ~manned & ~answer.standing,
            manned | (scheme == ICAO),
        )  # fmt: skip
        seen = near.status != Status.COASTING
        before.seen_ns[seen] = t_ns
        before.flat[seen] = places.flat[seen]
        before.levels[seen] = places.heights[seen]
        self._memory = before
        groups = Groups.concat([groups, swarms])
        return Judgement(
            geodetic, heights, identities, zone_rows, inside, groups, breach, stays, proximity
        )

    def state(self) -> dict[str, Any]:
        """What must survive a restart: lists, numbers and arrays."""
        return {
            "identification": self.identification.state(),
            "levels": self.levels.state(),
            "memory": {name: getattr(self._memory, name) for name, *_ in _Memory.schema()},
            "zones": self._watch.state(),
            "approaches": self._protection.state(),
            "trust": self._trust.state(),
            "schemes": list(self._schemes.items()),  # their texts may be forgotten by now
            "doubts": self.doubts.state(),
            "admission": self._admission.state(),
            "swarms": self._swarms.state(),
            "pilots": self._pilots.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Put back what `state` gave."""
        self.identification.restore(state["identification"])
        self.levels.restore(state["levels"])
        self._watch.restore(state["zones"])
        self._protection.restore(state["approaches"])
        self._trust.restore(state["trust"])
        self._memory = _Memory(
            **{n: np.array(state["memory"][n], dtype) for n, dtype, *_ in _Memory.schema()}
        )
        self._schemes = {ident: scheme for ident, scheme in state["schemes"]}
        self.doubts.restore(state["doubts"])
        self._admission.restore(state["admission"])
        self._swarms.restore(state["swarms"])
        self._pilots.restore(state["pilots"])

    def _admitted(
        self, t_ns: int, readings: Readings, observations: Observations
    ) -> tuple[Readings, Observations]:
        """Rows of the slice without what a flood of new identities says."""
        n = len(readings)
        if not n and not len(observations):
            return readings, observations
        ident = np.concatenate((readings.ident, observations.ident))
        known = self.identification.claims.rows(ident) >= 0
        sensor = np.concatenate((readings.sensor, observations.sensor))
        passes = self._admission.admit(t_ns, sensor, ident, known)
        if passes.all():
            return readings, observations
        return readings.take(passes[:n]), observations.take(passes[n:])

    def _floods(self, t_ns: int) -> Groups:
        """Receivers that a flood of new identities reaches."""
        sensors = self._admission.floods(t_ns)
        return Groups.blank(
            len(sensors), kind=GroupKind.FLOOD, sensor=sensors, key=sensors,
            size=self._admission.refused[sensors],
        )  # fmt: skip

    def _together(
        self, t_ns: int, near: Tracks, agl: F8, identities: Identities, first: int
    ) -> Groups:
        """Swarms among drones without a plan; `first` is the row that the first one will have.

        A claim that nobody sees where it should be seen makes no swarm, and no more does a forger.
        """
        drones = (near.kind == Kind.UAS) & (near.status != Status.TENTATIVE)
        drones &= (agl > AIRBORNE_AGL_M) & (identities.plan < 0)
        drones &= (identities.verdict != Verdict.MANNED) & (identities.verdict != Verdict.SPOOFED)
        drones &= (identities.why & int(Why.WAITING | Why.FLOOD)) == 0
        swarms, swarm = self._swarms.judge(t_ns, near.id, near.x, drones)
        member = swarm >= 0
        identities.group[member] = first + swarm[member]
        return swarms

    def _point_at_pilots(self, t_ns: int, near: Tracks, agl: F8, identities: Identities) -> None:
        """Fill in where pilots are whose drones do not say it."""
        place, sd, source = self._pilots.judge(t_ns, near, agl, identities.ident)
        silent = identities.pilot_source == PilotSource.NONE
        silent &= (near.kind == Kind.UAS) | (near.kind == Kind.UNKNOWN)
        identities.pilot_lat[silent], identities.pilot_lon[silent] = place[silent].T
        identities.pilot_sd[silent] = sd[silent]
        identities.pilot_source[silent] = source[silent]

    def _pressed(self, t_ns: int, tracks: Tracks, heights: Heights) -> B1:
        """Fill in pressure altitudes that are no heights yet: the datum stays unknown. Which ones.

        Good to 100 m, and to look at: no verdict comes from them.
        """
        asked = np.flatnonzero(np.isnan(heights.hae) & (tracks.ident >= 0))
        made = np.zeros(len(tracks), np.bool_)
        if not len(asked):
            return made
        p = self.levels.pressure(tracks.ident[asked], t_ns, CLAIM_LIFE_NS)
        known = np.isfinite(p)
        heights.hae[asked[known]] = p[known]
        heights.sd[asked[known]] = NEVER_MEASURED_SD_M
        made[asked[known]] = True
        return made

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
        may = flies | (scheme == RID) | (scheme == ICAO) | (high & (scheme != _OTHER))
        return rows[may], scheme[may]

    def _schemes_of(self, ident: list[int], idents: Mapping[int, str]) -> list[int]:
        """Scheme of each identity: Remote ID, ICAO address, or another."""
        known = self._schemes
        found = [known.get(one, 0) for one in ident]
        for k, scheme in enumerate(found):
            if scheme == 0:
                words = idents.get(ident[k], "")
                found[k] = {"rid": RID, "icao": ICAO}.get(words.partition(":")[0], _OTHER)
                if words:
                    known[ident[k]] = found[k]
        if len(known) > SCHEMES:
            known.clear()
        return found

    def _remembered(self, near: Tracks) -> _Memory:
        """What is known of these tracks from the last slice, copied."""
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
        return made

    def _asking(self, pairs: Pairs, n: int) -> NDArray[np.int32]:
        """Which zone asks for an approval, (n,), -1 none: prohibited first, then by row.

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
        return asking

    def _near_aircraft(
        self, t_ns: int, air: NDArray[np.intp], near: Tracks, places: Places, geodetic: F8,
        heights: Heights, cov: F8, drone: B1, manned: B1,
    ) -> Proximity:  # fmt: skip
        """Pairs of drones and manned aircraft, by rows of the slice's tracks."""
        if not manned.any() and not self._protection.in_use:
            return Proximity.blank()
        lat, lon = geodetic[air].T.copy()
        ground = undulation(lat, lon) + self.ground.at(lat, lon).amsl
        flying = Flying(
            places.flat, np.ascontiguousarray(near.x[:, 3:]), near.P,
            heights.hae[air], heights.sd[air], ground,
        )  # fmt: skip
        made = self._protection.judge(t_ns, self.zones, flying, places, cov, drone, manned)
        made.track[:] = air[made.track]
        made.other[made.other >= 0] = air[made.other[made.other >= 0]]
        return made
