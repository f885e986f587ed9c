"""Which tracks the low-altitude rules judge, and what makes their findings more or less severe."""

from math import isfinite

import numpy as np

from v2x.alert import Reason
from v2x.columns import B1, I4
from v2x.observations import Kind
from v2x.picture import Picture, Verdict, Why, ZoneKind
from v2x.readings import Name
from v2x.sensors import INDEPENDENT
from v2x.tracks import Status

COAST_NS = 3_000_000_000
EXIST = 0.5
AIRBORNE_AGL_M = 5.0
P_RAISE, P_KEEP = 0.9, 0.2
"""Probability of being inside a zone from which a rule raises, and down to which it keeps."""
ZONE_SEVERITY = {
    ZoneKind.PROHIBITED: 1,
    ZoneKind.OBSTACLE_SURFACE: 1,
    ZoneKind.RESTRICTED: 2,
    ZoneKind.WARNING: 3,
    ZoneKind.OPERATING: 4,
}
"""How severe it is to be inside, before doubt takes it down."""
LATERAL_M, VERTICAL_M, LATE_S = 30.0, 15.0, 60.0
"""How far outside its plan, and its time, a drone may be."""
HEARD_NS = 10_000_000_000
LEAST_URGENT = 4
INDEPENDENT_BITS = sum(1 << kind for kind in INDEPENDENT)


def flying(picture: Picture) -> B1:
    """Tracks that may be a drone, and are more likely there than not.

    Confirmed, or coasting for at most 3 s; existence 0.5 or more (the engine raises from 0.9 on);
    of kind `UAS`, or of unknown kind more than 5 m above ground; not manned. A bird or a road user
    is neither.
    """
    tracks = picture.tracks
    seen = tracks.status == Status.CONFIRMED
    seen |= (tracks.status == Status.COASTING) & (picture.t_ns - tracks.last_ns <= COAST_NS)
    drone = tracks.kind == Kind.UAS
    drone |= (tracks.kind == Kind.UNKNOWN) & (picture.heights.agl > AIRBORNE_AGL_M)
    manned = picture.identities.verdict == Verdict.MANNED
    judged: B1 = seen & (tracks.exist >= EXIST) & drone & ~manned
    return judged


def excused(picture: Picture) -> B1:
    """Tracks whose approved plan fits in identity, volume and time, or may well: nobody is told."""
    identities = picture.identities
    made: B1 = (identities.verdict == Verdict.AUTHORISED) & (identities.plan >= 0)
    waits = (identities.why & int(Why.AMBIGUOUS)) != 0
    made |= waits & (identities.verdict == Verdict.UNDECIDED)
    made |= (identities.why & int(Why.DOUBLE)) != 0
    return made


def spoken_for(zone: int, head: int) -> int:
    """Zone row under which a pair is told: nested surfaces have one that speaks for all."""
    return head if head >= 0 else zone


def rows_with(picture: Picture, *verdicts: Verdict) -> list[int]:
    """Rows of flying tracks whose verdict is one of these."""
    verdict = picture.identities.verdict
    wanted = verdict == verdicts[0]
    for other in verdicts[1:]:
        wanted |= verdict == other
    if not wanted.any():  # most slices: `flying` need not be asked
        return []
    return np.flatnonzero(wanted & flying(picture)).tolist()


def prohibited_zone(picture: Picture) -> I4:
    """Row of an active prohibited zone that each track is inside of (p >= 0.9), -1 none.

    A track of unknown height is not counted: only its footprint was tested.
    """
    inside, zones = picture.inside, picture.zones
    found = np.full(len(picture.tracks), -1, np.int32)
    within = (inside.p_inside >= P_RAISE) & (inside.height_unknown == 0)
    within &= (zones.kind[inside.zone] == ZoneKind.PROHIBITED) & (zones.active[inside.zone] != 0)
    rows = np.flatnonzero(within)[::-1]  # of several zones the first row stays
    found[inside.track[rows]] = inside.zone[rows]
    return found


def corroborated(picture: Picture, row: int) -> bool:
    """Tell whether a sensor that needs no help of the object has fed the track lately."""
    return bool(int(picture.tracks.sensor_kinds[row]) & INDEPENDENT_BITS)


def step_down(severity: int, reasons: list[Reason], *causes: tuple[bool, str]) -> int:
    """Take one step from `severity` for each cause that holds, and add its code to `reasons`."""
    for holds, code in causes:
        if holds:
            severity += 1
            reasons.append((code, None, None, ""))
    return min(severity, LEAST_URGENT)


def measured(code: str, value: float, limit: float | None, unit: str) -> list[Reason]:
    """Make a reason of `value`, or none at all where it was not measured."""
    return [(code, value, limit, unit)] if isfinite(value) else []


def receivers(picture: Picture, row: int) -> tuple[int, ...]:
    """Sensor rows that heard the identity of the track in the last 10 s."""
    ident = int(picture.tracks.ident[row])
    if ident < 0:
        return ()
    readings = picture.readings
    heard = (readings.ident == ident) & (readings.name == Name.RID_HEARD)
    heard &= picture.t_ns - readings.t_ns <= HEARD_NS
    return tuple(np.unique(readings.sensor[heard]).tolist())


def thought_of(picture: Picture, row: int) -> list[Reason]:
    """What is thought of who flies: it colours an alert, and changes nothing of it."""
    why = int(picture.identities.why[row])
    words = ((Why.BLACKLISTED, "operator_blacklisted"), (Why.FRIEND, "friend"))
    return [(code, None, None, "") for bit, code in words if why & bit]


def departures(picture: Picture, row: int) -> list[Reason]:
    """How far outside its plan a drone is, and how early or late."""
    identities = picture.identities
    if identities.plan[row] < 0:
        return []
    lateral, vertical = identities.deviation_m[row].tolist()
    late = float(identities.late_s[row])
    made: list[Reason] = [("plan", picture.plan_ids[identities.plan[row]], None, "")]
    for code, value, limit, unit in (
        ("lateral", lateral, LATERAL_M, "m"),
        ("vertical", vertical, VERTICAL_M, "m"),
        ("early", -late, LATE_S, "s"),
        ("late", late, LATE_S, "s"),
    ):
        if value > 0.0 or (code == "vertical" and value < 0.0):
            made.append((code, value, limit, unit))
    return made
