"""A drone that should have been heard, and was not."""

from collections.abc import Iterator
from math import isnan

from v2x.alert import Finding, Reason
from v2x.alerts.subjects import (
    LEAST_URGENT,
    corroborated,
    measured,
    prohibited_zone,
    rows_with,
    step_down,
)
from v2x.picture import ClaimStatus, Picture, Verdict, Why

RAISE_AGL_M, KEEP_AGL_M = 10.0, 5.0
P_HEARD = 0.9
TOLD_NS = 30_000_000_000
"""So long after its identity arrived the alert goes on, to say whose drone it was. Ours; longer
than the quiet time after which severity may fall."""
NAMED = (
    Verdict.UNREGISTERED, Verdict.UNAUTHORISED, Verdict.NONCONFORMING, Verdict.AUTHORISED,
    Verdict.CLAIMED,
)  # fmt: skip


class UasDark:
    """A flying drone without Remote ID where a live receiver would have heard one.

    Cause: transmitter off, absent or jammed. Consequence: nobody knows whose it is or where it
    goes. Answer within 2 min: look, tell the tower, find the pilot.

    Raises on verdict `DARK` above 10 m over ground, and at severity 4 (`no_rid_coverage`) on
    `UNIDENTIFIED`, where silence means nothing. Keeps above 5 m, also while the verdict is open
    again: a receiver that falls silent does not take back what was true when it was raised
    (`receiver_lost`). An identity that arrives late takes it down to 4, `late_identity`, and is
    named in it; what is wrong with that identity is then for the other rules to say.

    Severity 2 in controlled airspace, 3 outside, 1 inside a prohibited zone; one step down with
    only self-reports, and one where the height is unknown.
    """

    type = "uas_dark"
    hold_s = 5.0
    quiet_s = 10.0

    def check(self, picture: Picture) -> Iterator[Finding]:
        """Findings on dark and unidentified tracks."""
        tracks, identities = picture.tracks, picture.identities
        rows = rows_with(picture, Verdict.DARK, Verdict.UNIDENTIFIED, Verdict.UNDECIDED, *NAMED)
        zones = prohibited_zone(picture) if rows else None
        for i in rows:
            verdict, why = int(identities.verdict[i]), int(identities.why[i])
            undecided = verdict == Verdict.UNDECIDED
            named = bool(why & Why.LATE_IDENTITY)
            if named and picture.t_ns - identities.named_ns[i] > TOLD_NS:
                continue
            if not named and (
                verdict in NAMED or (undecided and identities.status[i] != ClaimStatus.NONE)
            ):
                continue
            agl = float(picture.heights.agl[i])
            if agl <= KEEP_AGL_M or ((undecided or named) and isnan(agl)):
                continue
            since = max(int(identities.heard_ns[i]), int(tracks.first_ns[i]))
            reasons: list[Reason] = [
                ("rid_absent_s", (picture.t_ns - since) / 1e9, None, "s"),
                *measured("p_heard", float(identities.p_heard[i]), P_HEARD, ""),
                *measured("agl", agl, RAISE_AGL_M, "m"),
                ("n_sensors", int(tracks.n_sensors[i]), None, ""),
            ]
            if named:
                severity = LEAST_URGENT
                reasons[0] = ("late_identity", None, None, "")
            elif verdict == Verdict.UNIDENTIFIED:
                severity = LEAST_URGENT
                reasons.append(("no_rid_coverage", None, None, ""))
            elif zones is not None and zones[i] >= 0:
                severity = 1
                reasons.append(("zone", picture.zone_ids[zones[i]], None, ""))
            else:
                severity = 2 if identities.needs_approval[i] else 3
            severity = step_down(
                severity,
                reasons,
                (isnan(agl), "height_unknown"),
                (not corroborated(picture, i), "self_report_only"),
            )
            if why & Why.RECEIVER_LOST:
                reasons.append(("receiver_lost", None, None, ""))
            yield Finding(
                ("track", int(tracks.id[i])),
                severity,
                raises=not (undecided or named) and not agl <= RAISE_AGL_M,
                value=float(identities.p_heard[i]),
                limit=P_HEARD,
                reasons=tuple(reasons),
                track=i,
            )


RULE = UasDark()
