"""Who each aircraft or unknown object is, whether it may be there, and why that is the answer.

Plan: receivers' words become `Claims`; claims are bound to tracks by how both move (`Binding`);
coverage says what silence means (`Hearing`); registry and plans say who may fly. Out of all this
comes one `Verdict` a track, with its reasons as bits of `Why`.

What must be remembered from slice to slice is one row per track, found again by track id.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from v2x.assignment import pairs_within
from v2x.columns import B1, F8, I4, I8, U1, Columns, column
from v2x.geodesy import Tile
from v2x.lowalt.binding import Binding, Paths, contested, newest
from v2x.lowalt.claims import CLAIM_LIFE_NS, EMERGENCIES, ON_GROUND, RECENT_NS, SECOND, Claims
from v2x.lowalt.doubts import Doubts
from v2x.lowalt.hearing import CHANCES, Coverage, Hearing
from v2x.lowalt.permits import Permits
from v2x.lowalt.plans import LATE_NS, LATERAL_M, VERTICAL_M, Fit, normal_cdf
from v2x.lowalt.proximity import beyond_drones
from v2x.lowalt.registry import Known, Registry
from v2x.lowalt.verdicts import Evidence, verdicts
from v2x.lowalt.volumes import Places
from v2x.observations import Kind, Observations
from v2x.picture import (
    ClaimStatus,
    Heights,
    Identities,
    PilotSource,
    Registered,
    Standing,
    UasClass,
    Verdict,
    Why,
)
from v2x.readings import Readings
from v2x.sensors import INDEPENDENT, SensorKind, SensorTable
from v2x.tracks import Status, Tracks

AIRBORNE_AGL_M = 5.0
"""An object of unknown kind above this may be an aircraft; a dark one stays dark above it."""
DARK_AGL_M = 10.0
"""Above this a drone without identity is dark. Ours, as the one above."""
STANDING_AGL_M = 2.0
"""A drone that says it stands on the ground is believed below this."""
GROUND_SD_M = 2.0
"""The ground is where it is said to be, give or take this: the plain is flat."""
MANNED_PROB = 0.8
P_HEARD = 0.9
LEAST_CHANCES = 3
"""Seconds in which it could be heard before silence means anything: a broadcast a second is the
law's word, how long one takes from the air to us is nobody's."""
P_ABOVE = 0.9
SAME_DRONE_M = 50.0
"""Two tracks of one identity closer than this may be one drone, torn in two. Ours."""
DOUBLE_M = 100.0
"""So close to the track that has its identity, a claim's own track is that drone again. Ours."""
HEARD_NOW_NS = 3 * SECOND
"""A claim older than this says nothing of where its drone is now."""
DENIED = 3
"""Comparisons after which an identity that does not fit is taken off a track."""
PILOT_SD_M = 30.0
APPROVAL_AGL_M = np.array([120.0, 50.0, 120.0, 120.0, 0.0, 0.0])
"""Height above ground from which a flight needs an approval in open airspace, by `UasClass`: 120 m
for all (Interim Regulations on unmanned aircraft flight, in force 2024-01-01, article 19), 50 m for
micro ones, and always for medium and large ones (article 31, as read). Unknown: as small."""

RID, ICAO = 1, 2
"""Schemes of identities that matter here; 0 none."""
_INDEPENDENT_BITS = sum(1 << kind for kind in INDEPENDENT)
_CLAIMED = ("said", "mark", "pilot", "pilot_live", "status", "uas_class")


class Answer(NamedTuple):
    """Identities by row, and which drones say that they stand and are believed, (n,)."""

    identities: Identities
    standing: B1


@dataclass(frozen=True, slots=True)
class _Memory(Columns):
    """What is kept of each aircraft or unknown object; -1 never.

    ``trail`` is where it was at the last whole seconds, newest first, metres; ``quiet`` 1 once it
    was dark or unidentified, ``named_ns`` since when it has its name.
    """

    id: I8 = column("i8")
    rid: I8 = column("i8", blank=-1)
    named_ns: I8 = column("i8", blank=-1)
    heard_ns: I8 = column("i8", blank=-1)
    said: U1 = column("u1")
    mark: I8 = column("i8", blank=-1)
    pilot: F8 = column("f8", 2)
    pilot_live: U1 = column("u1")
    status: U1 = column("u1")
    uas_class: U1 = column("u1")
    aircraft_ns: I8 = column("i8", blank=-1)
    flown_ns: I8 = column("i8", blank=-1)
    dark: U1 = column("u1")
    quiet: U1 = column("u1")
    trail: F8 = column("f8", (CHANCES, 3))


class Identification:
    """Judges who tracks are, slice by slice.

    Parameters
    ----------
    tile, sensors
        The local frame, and the sensors placed in it.
    permits
        Who may fly; may be replaced between slices.
    """

    def __init__(self, tile: Tile, sensors: SensorTable, permits: Permits) -> None:
        self.permits = permits
        self.claims = Claims(sensors)
        self.hearing = Hearing(sensors)
        self.binding = Binding()
        self._tile = tile
        self._watchers = Coverage(sensors, INDEPENDENT)
        self._receiver = sensors.kinds() == SensorKind.REMOTE_ID
        self._memory = _Memory.blank(0)
        self._chances = np.zeros((0, CHANCES, len(self.hearing)))
        self._stamp = self._learnt = 0

    def listen(self, t_ns: int, readings: Readings, observations: Observations, live: B1) -> None:
        """Take in what a slice that ends at `t_ns` brought; live (sensors,)."""
        self.claims.hear(t_ns, readings, observations)
        self.hearing.watch(t_ns, live)

    def forget(self) -> None:
        """No aircraft is left to remember."""
        self._memory, self._chances = _Memory.blank(0), self._chances[:0]

    def judge(
        self, t_ns: int, near: Tracks, scheme: U1, places: Places, heights: Heights,
        observations: Observations, live: B1, asking: I4, doubts: Doubts, flood: bool,
        doubtful: B1 | None = None,
    ) -> Answer:  # fmt: skip
        """Identities of the tracks that are or may be aircraft.

        Parameters
        ----------
        near, scheme
            The tracks, and the scheme of the identity that each carries (0 none).
        places, heights
            Of the tracks, row by row.
        observations
            All rows of the slice: Remote ID receivers' are claims.
        live
            (sensors,) which are alive.
        asking
            (n,) row of a zone that asks for an approval here, -1 none.
        doubts
            What speaks against claims, by the end of the slice.
        flood
            Whether identities are being refused: one that is not known may be one of them.
        doubtful
            (n,) tracks whose aircraft's identity comes with positions that are not to be trusted:
            it does not make them manned. None: no doubts.
        """
        memory, fresh = self._remembered(near)
        self._walk(t_ns, near, places, heights, memory, fresh)
        independent = (near.sensor_kinds & _INDEPENDENT_BITS) != 0
        self._bind(t_ns, near, places, heights, memory, observations, independent)
        elsewhere = self._name(t_ns, near, scheme, memory, places, independent)
        row = self._hear(t_ns, near, scheme, memory)
        named = memory.rid >= 0
        self.claims.vouch(memory.rid[named & independent & ~elsewhere].tolist())

        agl, sd = heights.agl, heights.sd
        aircraft = (memory.aircraft_ns >= 0) & (t_ns - memory.aircraft_ns <= CLAIM_LIFE_NS)
        flown = (near.kind == Kind.AIRCRAFT) | (near.kind == Kind.HELICOPTER)
        flown &= near.kind_prob >= np.float32(MANNED_PROB)
        if doubtful is not None:
            aircraft &= ~doubtful
            flown &= ~doubtful | independent
        flown |= beyond_drones(near, heights) & independent & ~named
        memory.flown_ns[flown] = t_ns
        flown |= (memory.flown_ns >= 0) & (t_ns - memory.flown_ns <= CLAIM_LIFE_NS) & ~named
        manned = aircraft | flown
        standing = (memory.status == ON_GROUND) & (agl < STANDING_AGL_M)

        known, registered, fresh_registry = self._registered(t_ns, memory)
        uas_class = np.where(known.held, known.uas_class, memory.uas_class).astype(np.uint8)
        limit = APPROVAL_AGL_M[uas_class]
        sd_agl = np.hypot(sd, GROUND_SD_M)
        too_high = normal_cdf((agl - limit) / sd_agl) >= P_ABOVE
        needs = ((asking >= 0) | too_high) & ~manned & ~standing
        sd_flat = np.sqrt(0.5 * (near.P[:, 0, 0] + near.P[:, 1, 1]))
        member = self._unresolved(t_ns, near, memory, places, independent)
        rid = np.where(elsewhere, -1, np.where(named, memory.rid, member))
        fit = self.permits.plan_index.fit(t_ns, places, rid, sd_flat, sd_agl)
        out = (fit.lateral > LATERAL_M) | (np.abs(fit.vertical) > VERTICAL_M)
        out |= np.abs(fit.late) > LATE_NS / SECOND
        deviates = named & (fit.plan >= 0) & ~fit.keeps & out & ~manned & ~standing
        waits = (member >= 0) & fit.keeps

        count = (t_ns - near.first_ns) // SECOND
        p_heard, chances = self.hearing.p_heard(self._chances, self._stamp, count)
        here = self.hearing.chance(places.flat, heights.hae, agl)
        covered = self.hearing.likely(here) >= 0.5
        # An unknown object must be that high for sure: a car's poor height is not a flight.
        surely = np.where(near.kind == Kind.UNKNOWN, agl - sd, agl)
        may_be_dark = (
            ~manned & ~named & ~waits & ((near.kind == Kind.UAS) | (near.kind == Kind.UNKNOWN))
        )
        silent = (p_heard >= P_HEARD) & (chances >= LEAST_CHANCES)
        dark = independent & (near.status == Status.CONFIRMED) & silent & (surely > DARK_AGL_M)
        dark |= (memory.dark == 1) & (agl > AIRBORNE_AGL_M)
        dark &= may_be_dark
        lost = dark & (memory.dark == 1) & (p_heard < P_HEARD)
        memory.dark[:] = dark

        carried = np.where((scheme == RID) & (near.ident >= 0), near.ident, memory.rid)
        doubt = doubts.of(t_ns, near.id, carried, independent)
        contradicted = doubt.contradicted & ~manned
        refused = named & ~independent & (row < 0) & flood
        verdict = verdicts(
            Evidence(
                manned=manned,
                contradicted=contradicted,
                named=named,
                elsewhere=elsewhere,
                dark=dark,
                covered=covered | waits,
                registered=registered,
                needs_approval=needs,
                planned=fit.keeps,
                deviates=deviates,
                independent=independent,
                watched=self._watchers.reaches(places.flat, heights.hae, live),
            )
        )
        # Neither believed nor refuted yet; nor is a victim dark whose claim is carried off.
        waiting = (doubt.waiting & named | refused) & ~manned & ~contradicted
        victim = (doubt.why & int(Why.POSITION_UNTRUSTED)) != 0
        verdict[waiting | (victim & (verdict == Verdict.DARK))] = Verdict.UNDECIDED
        claimed = named | aircraft
        status = np.where(independent, ClaimStatus.CORROBORATED, ClaimStatus.CLAIMED)
        status[contradicted] = ClaimStatus.CONTRADICTED
        emergency = named & np.isin(memory.status, EMERGENCIES)
        why = _why(
            (aircraft, Why.MANNED_IDENTITY),
            (flown, Why.MANNED_KIND),
            (may_be_dark & silent, Why.NOT_HEARD),
            (may_be_dark & ~covered, Why.NO_RID_COVERAGE),
            (may_be_dark & covered & ~silent, Why.P_HEARD),
            (lost, Why.RECEIVER_LOST),
            (np.isnan(heights.hae), Why.HEIGHT_UNKNOWN),
            (np.isfinite(heights.hae) & (heights.datum_known == 0), Why.DATUM_UNKNOWN),
            (named & (memory.said == Registered.NO), Why.MARK_MISSING),
            (named & fresh_registry & ~known.held, Why.NOT_IN_REGISTRY),
            (named & (not fresh_registry), Why.REGISTRY_STALE),
            (needs & (normal_cdf((agl - APPROVAL_AGL_M[0]) / sd_agl) >= P_ABOVE), Why.ABOVE_LIMIT),
            (needs & (asking >= 0), Why.IN_ZONE),
            (needs & too_high & (uas_class != UasClass.UNKNOWN) & (limit < APPROVAL_AGL_M[0]),
             Why.CLASS_LIMIT),
            (named & needs & ~fit.keeps & ~deviates, Why.PLAN_MISSING),
            *_departures(fit),
            (named & (memory.quiet == 1), Why.LATE_IDENTITY),
            (named & ~independent, Why.ALONE),
            (emergency, Why.EMERGENCY),
            (waits, Why.AMBIGUOUS),
            (elsewhere & self._beside_its_owner(near, memory, places), Why.DOUBLE),
            (known.standing == Standing.BLACKLISTED, Why.BLACKLISTED),
            (known.friend, Why.FRIEND),
            (doubt.waiting & named, Why.WAITING),
            (refused, Why.FLOOD),
        )  # fmt: skip
        why |= doubt.why
        memory.quiet[np.isin(verdict, (Verdict.DARK, Verdict.UNIDENTIFIED))] = 1
        piloted = np.isfinite(memory.pilot).all(axis=1)
        source = np.where(memory.pilot_live == 1, PilotSource.LIVE, PilotSource.TAKE_OFF)
        made = Identities.blank(
            len(near),
            verdict=verdict,
            status=np.where(claimed, status, ClaimStatus.NONE),
            registered=registered,
            ident=memory.rid,
            named_ns=memory.named_ns,
            heard_ns=np.where(named, memory.heard_ns, memory.aircraft_ns),
            n_receivers=self._receivers_of(t_ns, row),
            p_heard=p_heard,
            plan=np.where(fit.keeps | deviates, fit.plan, -1),
            needs_approval=needs,
            approval_zone=np.where(needs, asking, -1),
            approval_agl_m=limit,
            mark=memory.mark,
            pilot_lat=memory.pilot[:, 0],
            pilot_lon=memory.pilot[:, 1],
            pilot_sd=np.where(piloted, PILOT_SD_M, np.nan),
            pilot_source=np.where(piloted, source, PilotSource.NONE),
            why=why,
            spoof_llr=doubt.llr,
            claim=doubt.claim,
            group=doubt.group,
            deviation_m=np.column_stack((fit.lateral, fit.vertical)),
            late_s=fit.late,
            uas_class=uas_class,
            standing=known.standing,
            emergency=emergency,
        )
        self._learn(t_ns, row, here, independent & (verdict == Verdict.AUTHORISED))
        self._memory = memory
        return Answer(made, standing)

    def state(self) -> dict[str, Any]:
        """What must survive a restart: lists, numbers and arrays."""
        return {
            "claims": self.claims.state(),
            "hearing": self.hearing.state(),
            "binding": self.binding.state(),
            "memory": {name: getattr(self._memory, name) for name, *_ in _Memory.schema()},
            "chances": self._chances,
            "stamp": self._stamp,
            "learnt": self._learnt,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Put back what `state` gave."""
        self.claims.restore(state["claims"])
        self.hearing.restore(state["hearing"])
        self.binding.restore(state["binding"])
        memory = state["memory"]
        self._memory = _Memory(**{n: np.array(memory[n], dt) for n, dt, *_ in _Memory.schema()})
        self._chances = np.array(state["chances"], np.float64)
        self._stamp, self._learnt = state["stamp"], state["learnt"]

    def _remembered(self, near: Tracks) -> tuple[_Memory, B1]:
        """Rows of memory for these tracks, copied from the last slice, and which are new."""
        order = np.argsort(self._memory.id, kind="stable")
        ids = self._memory.id[order]
        at = np.searchsorted(ids, near.id)
        known = np.zeros(len(near), np.bool_)
        within = at < len(ids)
        known[within] = ids[at[within]] == near.id[within]
        rows = order[at[known]]
        made = _Memory.blank(len(near), id=near.id)
        for name, *_ in _Memory.schema():
            getattr(made, name)[known] = getattr(self._memory, name)[rows]
        chances = np.zeros((len(near), CHANCES, len(self.hearing)))
        chances[known] = self._chances[rows]
        self._chances = chances
        return made, ~known

    def _walk(
        self, t_ns: int, near: Tracks, places: Places, heights: Heights, memory: _Memory, fresh: B1
    ) -> None:
        """Note where each track was at the whole seconds that passed, and who could hear it there.

        The past of a new track is where its velocity came from.
        """
        stamp = t_ns // SECOND * SECOND
        passed = min((stamp - self._stamp) // SECOND, CHANCES)
        self._stamp = stamp
        if passed > 0:
            memory.trail[:, passed:] = memory.trail[:, : CHANCES - passed].copy()
            self._chances[:, passed:] = self._chances[:, : CHANCES - passed].copy()
        new = np.arange(CHANCES) < np.where(fresh, CHANCES, passed)[:, None]
        if not new.any():
            return
        track, k = np.nonzero(new)
        ago = (t_ns - stamp) / SECOND + k
        here = np.column_stack((places.flat, heights.hae))[track]
        was = here - near.x[track, 3:] * ago[:, None]
        memory.trail[track, k] = was
        agl = heights.agl[track] - (here[:, 2] - was[:, 2])
        self._chances[track, k] = self.hearing.chance(was[:, :2], was[:, 2], agl)

    def _bind(
        self, t_ns: int, near: Tracks, places: Places, heights: Heights, memory: _Memory,
        observations: Observations, independent: B1,
    ) -> None:  # fmt: skip
        """Compare the slice's claims with the tracks that do not live by claims alone."""
        rows = np.flatnonzero(
            (observations.ident >= 0)
            & self._receiver[observations.sensor]
            & np.isfinite(observations.lat + observations.lon)
        )
        if not len(rows):
            return
        o, tile = observations, self._tile
        flat = tile.to_enu(o.lat[rows], o.lon[rows], np.full(len(rows), tile.h0))[:, :2]
        seen = np.flatnonzero(independent & (near.status != Status.COASTING))
        here = np.column_stack((places.flat, heights.hae))[seen]
        past_ns = self._stamp - SECOND * np.arange(CHANCES, dtype=np.int64)
        self.binding.hear(
            t_ns,
            newest(observations, rows, flat, t_ns),
            Paths(
                id=near.id[seen],
                past=np.concatenate((here[:, None], memory.trail[seen]), axis=1),
                past_ns=np.concatenate(([t_ns], past_ns)),
                cov=near.P[seen, :2, :2],
                sd_up=heights.sd[seen],
                vel=near.x[seen, 3:],
                vel_var=0.5 * (near.P[seen, 3, 3] + near.P[seen, 4, 4]),
            ),
        )

    def _name(
        self, t_ns: int, near: Tracks, scheme: U1, memory: _Memory, places: Places, independent: B1
    ) -> B1:
        """Write each track's identity into its memory; (n,) which ones are bound elsewhere.

        What is bound by motion goes first, then what the tracker carries, then what was heard
        before in the life of the track. A name that is bound to another track, or that the
        comparisons speak against, is not the name of one that a sensor sees.
        """
        carried = np.where(scheme == RID, near.ident, -1)
        bound = self.binding.of_tracks(near.id)
        name = np.where(bound >= 0, bound, np.where(carried >= 0, carried, memory.rid))
        owner = self.binding.of_idents(name)
        taken = (name >= 0) & (owner >= 0) & (owner != near.id)
        llr, seen = self.binding.support(name, near.id)
        denied = (seen >= DENIED) & (llr < 0.0)
        elsewhere: B1 = taken & ~independent
        name[independent & (bound < 0) & (taken | denied)] = -1
        name[self._doubles(near, np.where(elsewhere, -1, name), bound, carried, places)] = -1
        changed = name != memory.rid
        for one, _, _, blank in _Memory.schema():
            if one in _CLAIMED or one == "heard_ns":
                getattr(memory, one)[changed] = blank
        memory.named_ns[changed] = np.where(name >= 0, t_ns, -1)[changed]
        memory.rid[:] = name
        return elsewhere

    def _doubles(
        self, near: Tracks, name: I8, bound: I8, carried: I8, places: Places
    ) -> NDArray[np.intp]:
        """Rows whose name another track has with better right, further away than one drone is.

        The better right: bound by motion; seen now; carries it now; older; the smaller id.
        """
        lost: list[int] = []
        rows = np.flatnonzero(contested(name))
        coasts = near.status == Status.COASTING
        for one in np.unique(name[rows]).tolist():
            of = rows[name[rows] == one]
            order = np.lexsort(
                (near.id[of], near.first_ns[of], carried[of] != one, coasts[of], bound[of] != one)
            )
            best, others = of[order[0]], of[order[1:]]
            away = np.hypot(*(places.flat[others] - places.flat[best]).T)
            lost += others[away > SAME_DRONE_M].tolist()
        return np.array(lost, np.intp)

    def _beside_its_owner(self, near: Tracks, memory: _Memory, places: Places) -> B1:
        """(n,) within `DOUBLE_M` of the track that its identity is bound to."""
        row = {track: k for k, track in enumerate(near.id.tolist())}
        owner = self.binding.of_idents(memory.rid).tolist()
        at = np.array([row.get(track, -1) for track in owner], np.int64)
        away = np.hypot(*(places.flat - places.flat[at]).T)
        beside: B1 = (at >= 0) & (away <= DOUBLE_M)
        return beside

    def _unresolved(
        self, t_ns: int, near: Tracks, memory: _Memory, places: Places, independent: B1
    ) -> I8:
        """Identity that each nameless track may well have, (n,), -1 none.

        A radar that cannot tell the drones of a show apart makes tracks that no claim fits. Of the
        identities that plans name and that claim a place now, those without a track of their own
        are given to the nearest such tracks, one each: nobody is a stranger while somebody who
        should be there is missing.
        """
        made = np.full(len(near), -1, np.int64)
        nameless = np.flatnonzero(independent & (memory.rid < 0) & (near.kind != Kind.BIRD))
        if not len(nameless) or not len(self.permits.plan_index.ids):
            return made
        own = set(memory.rid[independent].tolist())
        heard = self.claims.placed(t_ns - HEARD_NOW_NS)
        members = [i for i in heard if i not in own and self.permits.plan_index.names(i)]
        if not members:
            return made
        row = np.array([heard[ident] for ident in members], np.int64)
        held, tile = self.claims.held, self._tile
        lat, lon = held.place[row].T
        flat = tile.to_enu(lat, lon, np.full(len(row), tile.h0))[:, :2]
        age_s = (t_ns - held.place_ns[row]) / SECOND
        flat += np.nan_to_num(held.velocity[row, :2]) * age_s[:, None]
        a, b, away = pairs_within(places.flat[nameless], flat, SAME_DRONE_M)
        taken: set[int] = set()
        for k in np.lexsort((b, a, away)).tolist():
            if made[nameless[a[k]]] < 0 and members[b[k]] not in taken:
                made[nameless[a[k]]] = members[b[k]]
                taken.add(members[b[k]])
        return made

    def _hear(self, t_ns: int, near: Tracks, scheme: U1, memory: _Memory) -> I4:
        """Write what was heard of each identity into its memory; (n,) its row in the claims."""
        last = np.minimum(near.last_ns, t_ns)
        carried = (scheme == RID) & (near.ident == memory.rid)
        now = carried & ((near.sensor_kinds & (1 << SensorKind.REMOTE_ID)) != 0)
        now |= carried & (memory.heard_ns < 0)
        memory.heard_ns[now] = np.maximum(memory.heard_ns[now], last[now])
        row = np.full(len(near), -1, np.int32)
        row[memory.rid >= 0] = self.claims.rows(memory.rid[memory.rid >= 0])
        kept, held = row >= 0, self.claims.held
        memory.heard_ns[kept] = np.maximum(memory.heard_ns[kept], held.last_ns[row[kept]])
        for name in _CLAIMED:
            getattr(memory, name)[kept] = getattr(held, name)[row[kept]]

        aircraft = scheme == ICAO
        word = np.full(len(near), -1, np.int64)
        word[aircraft] = self.claims.aircraft_ns(near.ident[aircraft])
        now = aircraft & ((near.sensor_kinds & (1 << SensorKind.ADS_B)) != 0)
        now |= aircraft & (memory.aircraft_ns < 0)
        word[now] = np.maximum(word[now], last[now])
        memory.aircraft_ns[:] = np.maximum(memory.aircraft_ns, word)
        return row

    def _learn(self, t_ns: int, row: I4, here: F8, sure: B1) -> None:
        """Once a second, compare how drones beyond doubt were heard with the receivers' law."""
        second = t_ns // SECOND
        if second == self._learnt or not len(self.hearing):
            return
        self._learnt = second
        sure = sure & (row >= 0)
        heard = self.claims.heard_ns[row[sure], : len(self.hearing)]
        self.hearing.learn(here[sure], t_ns - heard < SECOND)

    def _registered(self, t_ns: int, memory: _Memory) -> tuple[Known, U1, bool]:
        """What the registry knows; `Registered` (n,); whether absence from it says anything.

        The broadcast's own "no" counts, else what a fresh registry says.
        """
        made = np.full(len(memory), Registered.UNKNOWN, np.uint8)
        named = memory.rid >= 0
        registry = self.permits.registry
        known = (registry or Registry(0)).known(t_ns, memory.rid)
        fresh = registry is not None and registry.fresh(t_ns)
        if fresh:
            made[named] = np.where(known.held, Registered.YES, Registered.NO)[named]
        made[named & (memory.said == Registered.NO)] = Registered.NO
        return known, made, fresh

    def _receivers_of(self, t_ns: int, row: I4) -> U1:
        """How many receivers heard lately what stands in each row of the claims, (n,)."""
        made = np.zeros(len(row), np.uint8)
        heard = self.claims.heard_ns[row[row >= 0]]
        n = ((heard >= 0) & (t_ns - heard <= RECENT_NS)).sum(axis=1)
        made[row >= 0] = np.minimum(n, 255)
        return made


def _departures(fit: Fit) -> tuple[tuple[B1, Why], ...]:
    """In what a drone does not keep to its plan."""
    off = (fit.plan >= 0) & ~fit.keeps
    return (
        (off & (fit.lateral > LATERAL_M), Why.LATERAL),
        (off & (np.abs(fit.vertical) > VERTICAL_M), Why.VERTICAL),
        (off & (fit.late < -LATE_NS / SECOND), Why.EARLY),
        (off & (fit.late > LATE_NS / SECOND), Why.LATE),
    )


def _why(*reasons: tuple[B1, Why]) -> I8:
    """(n,) bits of the reasons that hold."""
    made = np.zeros(len(reasons[0][0]), np.int64)
    for holds, bit in reasons:
        made[holds] |= int(bit)
    return made
