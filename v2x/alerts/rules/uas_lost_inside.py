"""A drone that vanished inside a zone, where it should have been seen."""

from collections.abc import Iterator

import numpy as np

from v2x.alert import Finding, Reason
from v2x.alerts.subjects import ZONE_SEVERITY, measured, step_down
from v2x.picture import Picture, StayWord, ZoneKind

P_INSIDE, P_DETECT = 0.5, 0.7


class UasLostInside:
    """A drone that was inside a zone when last seen, is not seen for 3 s, and should be.

    Cause: it landed, crashed, or was made to. Consequence: it lies in the zone, or goes on unseen.
    Answer: search the place where it was last seen.

    One step below the severity of being inside; latched: only a person ends it, or the end of the
    zone. Where no sensor sees well enough (probability of detection below 0.7) losing it says
    nothing but that coverage ends there: the reason is `coverage_edge`, one step further down.
    """

    type = "uas_lost_inside"
    hold_s = 0.0
    quiet_s = float("inf")

    def check(self, picture: Picture) -> Iterator[Finding]:
        """One finding per stay whose drone is lost."""
        stays = picture.stays
        lost = (stays.word == StayWord.LOST) | (stays.word == StayWord.COVERAGE_EDGE)
        lost &= (stays.p_inside >= P_INSIDE) & (stays.sure != 0) & (stays.zone >= 0)
        for k in np.flatnonzero(lost).tolist():
            zone, p_detect = int(stays.zone[k]), float(stays.p_detect[k])
            seen_s = (picture.t_ns - int(stays.seen_ns[k])) / 1e9
            reasons: list[Reason] = [
                ("last_seen_s", seen_s, None, "s"),
                *measured("p_detect", p_detect, P_DETECT, ""),
                *measured("p_inside", float(stays.p_inside[k]), P_INSIDE, ""),
            ]
            edge = bool(stays.word[k] == StayWord.COVERAGE_EDGE)
            severity = step_down(
                ZONE_SEVERITY[ZoneKind(int(picture.zones.kind[zone]))] + 1,
                reasons,
                (edge, "coverage_edge"),
            )
            yield Finding(
                ("track", int(stays.id[k])),
                severity,
                zone=picture.zone_ids[zone],
                value=seen_s,
                reasons=tuple(reasons),
                track=int(stays.track[k]),
                lat=float(stays.lat[k]),
                lon=float(stays.lon[k]),
                ident=int(stays.ident[k]),
            )


RULE = UasLostInside()
