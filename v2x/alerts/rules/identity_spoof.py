"""An identity that is not where, or what, it says."""

from collections.abc import Iterator
from math import isfinite

import numpy as np

from v2x.alert import Finding, Reason
from v2x.alerts.subjects import corroborated, step_down
from v2x.picture import GroupKind, Picture, Verdict, Why

LLR = 10.0
CODES = {
    Why.POSITION: "position",
    Why.GHOST: "ghost",
    Why.TWO_PLACES: "two_places",
    Why.KINEMATICS: "impossible_motion",
    Why.RSSI: "power_against_range",
    Why.CLOCK: "clock_or_replay",
    Why.HEIGHT_LAW: "height_law",
    Why.TRANSMITTER: "one_transmitter",
    Why.FORM: "malformed_id",
    Why.PILOT_PLACE: "pilot_place",
}
"""Reason of each test of a claim."""
_EVIDENCE = int(Why.FORM | Why.PILOT_PLACE)
_OPEN = (Verdict.AUTHORISED, Verdict.CLAIMED, Verdict.UNDECIDED)


class IdentitySpoof:
    """A Remote ID identity that sensors, physics or its own history contradict.

    Cause: a forger, a recording that is played again, a broken transmitter. Consequence: another
    answers for the flight, or units chase what is not there. Answer within 2 min: trust the sensor
    track.

    Raises once per identity, also where no track carries it: a ghost needs none. It is shown by the
    object that sends it, where that is known. Severity 2, or 1 where the claim carries an approved
    plan; one step down where nothing but Remote ID says so, so that it alone never raises severity
    1. What is evidence and no proof (a malformed id, a pilot who cannot be there) raises severity
    4, where no other verdict speaks. Claims of one transmitter, and floods of new identities, are
    one finding per receiver, severity 2.
    """

    type = "identity_spoof"
    hold_s = 3.0
    quiet_s = 30.0

    def check(self, picture: Picture) -> Iterator[Finding]:
        """Findings per identity, and per receiver for what one transmitter invents."""
        yield from _grouped(picture)
        groups = picture.groups
        for k in np.flatnonzero(groups.kind == GroupKind.CLAIM).tolist():
            finding = _finding(picture, k)
            if finding is not None:
                yield finding


def _finding(picture: Picture, k: int) -> Finding | None:
    """Finding on a claim, row `k` of the groups; None where another verdict speaks."""
    groups, identities = picture.groups, picture.identities
    claim, why, llr = int(groups.key[k]), int(groups.why[k]), float(groups.value[k])
    i = _track(picture, claim)
    verdict = Verdict(int(identities.verdict[i])) if i >= 0 else Verdict.SPOOFED
    if verdict == Verdict.MANNED:
        return None
    proven = bool(why & ~_EVIDENCE)
    if not proven and verdict not in _OPEN:
        return None
    text = picture.idents.get(claim)
    reasons: list[Reason] = [("identity", text, None, "")]
    for bit, code in CODES.items():
        if why & bit:
            value = llr if bit == Why.POSITION and isfinite(llr) else None
            reasons.append((code, value, None if value is None else LLR, ""))
    severity = 4
    if proven:
        planned = i >= 0 and identities.plan[i] >= 0
        if planned:
            reasons.append(("plan", picture.plan_ids[identities.plan[i]], None, ""))
        alone = i < 0 or not corroborated(picture, i)
        severity = step_down(1 if planned else 2, reasons, (alone, "self_report_only"))
    return Finding(
        ("ident", text or f"{claim:016x}"),
        severity,
        value=llr,
        limit=LLR,
        reasons=tuple(reasons),
        track=i,
        lat=float(groups.lat[k]) if i < 0 else float("nan"),
        lon=float(groups.lon[k]) if i < 0 else float("nan"),
        evidence=tuple({int(groups.sensor[k])} - {-1}),
        ident=claim,
    )


def _track(picture: Picture, claim: int) -> int:
    """Row of the track that a claim is best shown by, -1 none.

    What sensors see goes before what only claims; of that an object that lies elsewhere than it
    claims before the one that lies there.
    """
    rows = np.flatnonzero(picture.identities.claim == claim).tolist()
    return min(rows, key=lambda i: _rank(picture, i)) if rows else -1


def _rank(picture: Picture, i: int) -> tuple[bool, bool, int]:
    own = picture.tracks.ident[i] == picture.identities.claim[i]
    return not corroborated(picture, i), bool(own), int(picture.tracks.id[i])


def _grouped(picture: Picture) -> Iterator[Finding]:
    """One finding per receiver, however many identities and groups."""
    groups = picture.groups
    several = (groups.kind == GroupKind.TRANSMITTER) | (groups.kind == GroupKind.FLOOD)
    for sensor in np.unique(groups.sensor[several & (groups.sensor >= 0)]).tolist():
        mine = several & (groups.sensor == sensor)
        reasons: list[Reason] = []
        for kind, code in ((GroupKind.TRANSMITTER, "one_transmitter"), (GroupKind.FLOOD, "flood")):
            size = int(groups.size[mine & (groups.kind == kind)].sum())
            if size:
                reasons.append((code, size, None, ""))
        if reasons:
            device = picture.sensors[sensor]
            yield Finding(
                ("device", device.name),
                2,
                value=float(groups.size[mine].sum()),
                reasons=tuple(reasons),
                lat=device.lat,
                lon=device.lon,
                evidence=(sensor,),
            )


RULE = IdentitySpoof()
