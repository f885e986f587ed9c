"""A known drone where it may not be without a plan, and there is none."""

from collections.abc import Iterator

import numpy as np

from v2x.alert import Finding, Reason
from v2x.alerts.subjects import (
    corroborated,
    departures,
    flying,
    measured,
    prohibited_zone,
    receivers,
    step_down,
    thought_of,
)
from v2x.columns import B1
from v2x.picture import ClaimStatus, Picture, Registered, UasClass, Verdict, Why
from v2x.readings import Name


class UasUnauthorised:
    """A registered drone that needs an approval here, and no plan fits it.

    Cause: pilot late, out of his volume, or without a plan. Consequence: conflict with approved
    traffic. Answer within 2 min: look for the plan, tell the pilot to land.

    Raises on verdict `UNAUTHORISED`. Keeps while it is above the limit of its class (120 m over
    ground, 50 m for micro ones) with probability 0.5 or more and still without a plan, so that
    height noise at the limit does not flap. A plan that it has left is told, with how far. Severity
    2, inside a prohibited zone 1; one step down with only self-reports.
    """

    type = "uas_unauthorised"
    hold_s = 3.0
    quiet_s = 10.0
    reads = (Name.RID_HEARD,)

    def check(self, picture: Picture) -> Iterator[Finding]:
        """Findings on unauthorised tracks."""
        tracks, identities = picture.tracks, picture.identities
        raising = identities.verdict == Verdict.UNAUTHORISED
        rows = np.flatnonzero(flying(picture) & (raising | _keeps(picture))).tolist()
        zones = prohibited_zone(picture) if rows else None
        for i in rows:
            reasons: list[Reason] = departures(picture, i) or [("plan_missing", None, None, "")]
            limit = float(identities.approval_agl_m[i])
            severity, zone = 2, int(identities.approval_zone[i])
            if zones is not None and zones[i] >= 0:
                severity, zone = 1, int(zones[i])
            agl = float(picture.heights.agl[i])
            if zone >= 0:
                reasons.append(("zone", picture.zone_ids[zone], None, ""))
                reasons += measured("agl", agl, None, "m")
            else:
                reasons += measured("agl", agl, limit, "m")
            if int(identities.why[i]) & Why.CLASS_LIMIT:
                reasons.append(
                    ("uas_class", UasClass(int(identities.uas_class[i])).name.lower(), None, "")
                )
            severity = step_down(
                severity, reasons, (not corroborated(picture, i), "self_report_only")
            )
            yield Finding(
                ("track", int(tracks.id[i])),
                severity,
                raises=bool(raising[i]),
                value=agl,
                limit=limit,
                reasons=(*reasons, *thought_of(picture, i)),
                track=i,
                evidence=receivers(picture, i),
            )


def _keeps(picture: Picture) -> B1:
    """Tracks that an alert stays on: high, known, with no plan, and not another rule's.

    A normal height is above the limit with probability 0.5 where its mean is.
    """
    identities = picture.identities
    open_yet = np.isin(identities.verdict, (Verdict.AUTHORISED, Verdict.CLAIMED, Verdict.UNDECIDED))
    known = np.isin(identities.status, (ClaimStatus.CLAIMED, ClaimStatus.CORROBORATED))
    high: B1 = picture.heights.agl >= identities.approval_agl_m
    high &= open_yet & known & (identities.plan < 0) & (identities.registered != Registered.NO)
    return high


RULE = UasUnauthorised()
