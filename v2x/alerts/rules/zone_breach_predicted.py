"""Something will fly into a zone, if it goes on as it does."""

from collections.abc import Iterator
from math import isfinite

import numpy as np

from v2x.alert import Finding, Reason
from v2x.alerts.subjects import (
    P_RAISE,
    ZONE_SEVERITY,
    corroborated,
    excused,
    flying,
    measured,
    spoken_for,
    step_down,
)
from v2x.picture import Picture, ZoneKind

RAISE_P, KEEP_P = 0.7, 0.4
HORIZON_S = 120.0
AT_ONCE_S = 30.0
"""A breach that may come within this time is as urgent as the breach itself."""


class ZoneBreachPredicted:
    """A drone, or an unknown object in the air, that will enter an active zone within 120 s.

    Cause: a pilot who does not know or does not care, or a fly-away. Consequence: an intrusion.
    Answer: warn whoever is responsible for the zone, and the pilot if he is known, before it is
    one.

    Raises at probability 0.7 where the predicted path itself enters within 120 s, keeps at 0.4.
    What heads away has no prediction, and who is inside has no breach before him. One step below
    the intrusion's severity, the same where the earliest entry is within 30 s; a step down more
    for unknown height, and for self-reports alone. Nested obstacle surfaces are one matter.
    """

    type = "zone_breach_predicted"
    hold_s = 2.0
    quiet_s = 5.0

    def check(self, picture: Picture) -> Iterator[Finding]:
        """Findings per (track, zone)."""
        breach, tracks = picture.breach, picture.tracks
        if not len(breach):
            return
        inside = picture.inside
        sure = inside.p_inside >= P_RAISE
        within = set(zip(inside.track[sure].tolist(), inside.zone[sure].tolist(), strict=True))
        judged = flying(picture) & ~excused(picture)
        hit = judged[breach.track] & (breach.p >= KEEP_P)
        hit &= picture.zones.active[breach.zone] != 0
        told: set[tuple[int, int]] = set()
        for k in sorted(np.flatnonzero(hit).tolist(), key=lambda k: _order(picture, k)):
            i, zone = int(breach.track[k]), int(breach.zone[k])
            head = spoken_for(zone, int(breach.head[k]))
            if (i, head) in told or (i, zone) in within:
                continue
            told.add((i, head))
            p = float(breach.p[k])
            earliest, expected, latest = (
                float(column[k]) for column in (breach.earliest, breach.expected, breach.latest)
            )
            reasons: list[Reason] = [
                *measured("earliest", earliest, AT_ONCE_S, "s"),
                *measured("expected", expected, HORIZON_S, "s"),
                *measured("latest", latest, None, "s"),
                ("p", p, RAISE_P, ""),
            ]
            if head != zone:
                reasons.append(("surface", picture.zone_ids[zone], None, ""))
            severity = ZONE_SEVERITY[ZoneKind(int(picture.zones.kind[zone]))]
            severity += not earliest <= AT_ONCE_S
            severity = step_down(
                severity,
                reasons,
                (bool(breach.height_unknown[k]), "height_unknown"),
                (not corroborated(picture, i), "self_report_only"),
            )
            yield Finding(
                ("track", int(tracks.id[i])),
                severity,
                raises=p >= RAISE_P and expected <= HORIZON_S,
                zone=picture.zone_ids[head],
                value=p,
                limit=RAISE_P,
                reasons=tuple(reasons),
                track=i,
            )


def _order(picture: Picture, k: int) -> tuple[float, int]:
    """Soonest first: of nested zones that one is told."""
    soon = float(picture.breach.expected[k])
    return (soon if isfinite(soon) else HORIZON_S + 1.0), k


RULE = ZoneBreachPredicted()
