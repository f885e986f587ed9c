"""A drone that left the volume, or the time, of its own plan."""

from collections.abc import Iterator
from math import isfinite

import numpy as np

from v2x.alert import Finding
from v2x.alerts.subjects import (
    LATERAL_M,
    corroborated,
    departures,
    flying,
    prohibited_zone,
    receivers,
    step_down,
    thought_of,
)
from v2x.picture import Picture, Verdict
from v2x.readings import Name

FAR_M = 200.0


class UasNonconforming:
    """A drone with a plan, outside of it, where it needs no approval.

    Cause: wind, a wrong waypoint, a pilot who stretches it. Consequence: it meets traffic that was
    kept clear of the plan. Answer within the shift: tell the operator to go back.

    Raises on verdict `NONCONFORMING`: outside with probability 0.9, and by more than 30 m beside,
    15 m above or below, or 60 s; keeps while it is outside at all. Severity 3; 2 beyond 200 m or
    inside a prohibited zone; one step down with only self-reports.
    """

    type = "uas_nonconforming"
    hold_s = 5.0
    quiet_s = 10.0
    reads = (Name.RID_HEARD,)

    def check(self, picture: Picture) -> Iterator[Finding]:
        """Findings on drones outside their plan."""
        tracks, identities = picture.tracks, picture.identities
        raising = identities.verdict == Verdict.NONCONFORMING
        away = np.nan_to_num(np.abs(identities.deviation_m)).max(axis=1, initial=0.0)
        out = (away > 0.0) | (np.nan_to_num(identities.late_s) != 0.0)
        out &= (identities.plan >= 0) & (identities.verdict == Verdict.AUTHORISED)
        rows = np.flatnonzero((raising | out) & flying(picture)).tolist()
        zones = prohibited_zone(picture) if rows else None
        for i in rows:
            reasons = departures(picture, i)
            severity = 3
            if zones is not None and zones[i] >= 0:
                severity = 2
                reasons.append(("zone", picture.zone_ids[zones[i]], None, ""))
            elif away[i] > FAR_M:
                severity = 2
            severity = step_down(
                severity, reasons, (not corroborated(picture, i), "self_report_only")
            )
            lateral = float(identities.deviation_m[i, 0])
            yield Finding(
                ("track", int(tracks.id[i])),
                severity,
                raises=bool(raising[i]),
                value=lateral if isfinite(lateral) else float(away[i]),
                limit=LATERAL_M,
                reasons=(*reasons, *thought_of(picture, i)),
                track=i,
                evidence=receivers(picture, i),
            )


RULE = UasNonconforming()
