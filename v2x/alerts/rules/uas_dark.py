"""A drone that should have been heard, and was not."""

from collections.abc import Iterator
from math import isnan

from v2x.alert import Finding, Reason
from v2x.alerts.subjects import (
    corroborated,
    measured,
    prohibited_zone,
    rows_with,
    step_down,
)
from v2x.picture import ClaimStatus, Picture, Verdict

RAISE_AGL_M, KEEP_AGL_M = 10.0, 5.0
P_HEARD = 0.9


class UasDark:
    """A flying drone without Remote ID where a live receiver would have heard one.

    Cause: transmitter off, absent or jammed. Consequence: nobody knows whose it is or where it
    goes. Answer within 2 min: look, tell the tower, find the pilot.

    Raises on verdict `DARK` above 10 m over ground, and at severity 4 (`no_rid_coverage`) on
    `UNIDENTIFIED`, where silence means nothing. Keeps above 5 m, also while the verdict is open
    again: a receiver that falls silent does not take back what was true when it was raised.
    Severity 2, inside a prohibited zone 1; one step down with only self-reports, and one where
    the height is unknown.

    This first form leaves out "prohibited zone within 120 s" and "outside controlled airspace":
    neither a predicted entry nor controlled airspace is in the picture yet.
    """

    type = "uas_dark"
    hold_s = 5.0
    quiet_s = 10.0

    def check(self, picture: Picture) -> Iterator[Finding]:
        """Findings on dark and unidentified tracks."""
        tracks, identities = picture.tracks, picture.identities
        rows = rows_with(picture, Verdict.DARK, Verdict.UNIDENTIFIED, Verdict.UNDECIDED)
        zones = prohibited_zone(picture) if rows else None
        for i in rows:
            verdict = int(identities.verdict[i])
            undecided = verdict == Verdict.UNDECIDED
            if undecided and identities.status[i] != ClaimStatus.NONE:
                continue
            agl = float(picture.heights.agl[i])
            if agl <= KEEP_AGL_M or (undecided and isnan(agl)):
                continue
            since = max(int(identities.heard_ns[i]), int(tracks.first_ns[i]))
            reasons: list[Reason] = [
                ("rid_absent_s", (picture.t_ns - since) / 1e9, None, "s"),
                *measured("p_heard", float(identities.p_heard[i]), P_HEARD, ""),
                *measured("agl", agl, RAISE_AGL_M, "m"),
                ("n_sensors", int(tracks.n_sensors[i]), None, ""),
            ]
            severity = 2
            if verdict == Verdict.UNIDENTIFIED:
                severity = 4
                reasons.append(("no_rid_coverage", None, None, ""))
            elif zones is not None and zones[i] >= 0:
                severity = 1
                reasons.append(("zone", picture.zone_ids[zones[i]], None, ""))
            severity = step_down(
                severity,
                reasons,
                (isnan(agl), "height_unknown"),
                (not corroborated(picture, i), "self_report_only"),
            )
            yield Finding(
                ("track", int(tracks.id[i])),
                severity,
                raises=not undecided and not agl <= RAISE_AGL_M,
                value=float(identities.p_heard[i]),
                limit=P_HEARD,
                reasons=tuple(reasons),
                track=i,
            )


RULE = UasDark()
