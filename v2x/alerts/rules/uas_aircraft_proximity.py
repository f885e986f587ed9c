"""A drone near a manned aircraft, or in the way of one that lands."""

from collections.abc import Iterator
from math import isnan

import numpy as np

from v2x.alert import Finding, Reason
from v2x.alerts.subjects import flying, measured
from v2x.picture import Picture

P_RAISE = 0.7
BESIDE_M, ABOVE_M = 610.0, 76.0
"""Well clear: 2,000 ft beside, 250 ft above (ASTM F3442; doubtful)."""
NEAR_M = 1_500.0
KEEP = 1.2
ONE_SIDED = 1.64
HORIZON_S = 60.0


class UasAircraftProximity:
    """A drone that is, or within 60 s will be, too near to something manned.

    Cause: a drone where aircraft fly. Consequence: a collision. Answer now: tell air traffic
    control.

    Severity 1 where both limits of well clear are broken at one time with probability 0.7, and
    inside an approach in use whatever the height; 2 where that is less sure but they come within
    1.5 km of each other and a vertical distance below 76 m cannot be excluded (one side, 95 %).
    Keeps with limits 1.2 times as wide. Aircraft whose position is not to be trusted count here
    too: what exempts nobody may still warn. No step down for self-reports: the aircraft's word is
    all there is of it.
    """

    type = "uas_aircraft_proximity"
    hold_s = 0.5
    quiet_s = 10.0

    def check(self, picture: Picture) -> Iterator[Finding]:
        """One finding per drone: its most urgent pair."""
        near = picture.proximity
        if not len(near):
            return
        judged = flying(picture)
        worst: dict[int, tuple[tuple[int, bool, float], int]] = {}
        for k in np.flatnonzero(judged[near.track]).tolist():
            if (urgency := _urgency(picture, k)) is None:
                continue
            i = int(near.track[k])
            if i not in worst or urgency < worst[i][0]:
                worst[i] = urgency, k
        for i, ((severity, keeps, _), k) in sorted(worst.items()):
            yield Finding(
                ("track", int(picture.tracks.id[i])),
                severity,
                raises=not keeps,
                value=float(near.p[k]),
                limit=P_RAISE,
                reasons=_reasons(picture, k),
                track=i,
            )


def _urgency(picture: Picture, k: int) -> tuple[int, bool, float] | None:
    """Severity, whether it only keeps, and less the probability; None: far enough apart."""
    near = picture.proximity
    p = float(near.p[k]) if near.other[k] >= 0 else 0.0
    if near.approach[k] >= 0 or p >= P_RAISE:
        return 1, False, -p
    if near.other[k] < 0:
        return None
    if near.p_keep[k] >= P_RAISE:
        return 1, True, -p
    beside, above = float(near.cpa_m[k]), abs(float(near.vertical_m[k]))
    above -= ONE_SIDED * float(near.vertical_sd[k])
    for factor, keeps in ((1.0, False), (KEEP, True)):
        if beside < factor * NEAR_M and (isnan(above) or above < factor * ABOVE_M):
            return 2, keeps, -p
    return None


def _reasons(picture: Picture, k: int) -> tuple[Reason, ...]:
    near = picture.proximity
    reasons: list[Reason] = []
    if near.approach[k] >= 0:
        reasons.append(("approach_in_use", picture.zone_ids[near.approach[k]], None, ""))
    if near.other[k] >= 0:
        other = int(near.other[k])
        who = picture.idents.get(int(picture.tracks.ident[other]))
        reasons += [
            ("aircraft", who or str(int(picture.tracks.id[other])), None, ""),
            *measured("cpa_m", float(near.cpa_m[k]), BESIDE_M, "m"),
            *measured("cpa_s", float(near.cpa_s[k]), HORIZON_S, "s"),
            *measured("vertical_m", float(near.vertical_m[k]), ABOVE_M, "m"),
            *measured("p", float(near.p[k]), P_RAISE, ""),
        ]
    return tuple(reasons)


RULE = UasAircraftProximity()
