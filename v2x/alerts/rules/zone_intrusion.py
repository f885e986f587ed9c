"""Something flies inside a zone."""

from collections.abc import Iterator

import numpy as np

from v2x.alert import Finding, Reason
from v2x.alerts.subjects import (
    P_KEEP,
    P_RAISE,
    corroborated,
    flying,
    measured,
    step_down,
)
from v2x.picture import Picture, Verdict, ZoneKind

SEVERITY = {
    ZoneKind.PROHIBITED: 1,
    ZoneKind.OBSTACLE_SURFACE: 1,
    ZoneKind.RESTRICTED: 2,
    ZoneKind.WARNING: 3,
    ZoneKind.OPERATING: 4,
}


class ZoneIntrusion:
    """A drone, or an unknown object in the air, inside an active zone.

    Cause: a pilot who does not know or does not care, or a fly-away. Consequence: as the kind of
    the zone says. Answer: tell the owner of the zone.

    Raises at probability 0.9, or at once where the track went through between two slices; keeps
    at 0.2. Severity by kind of zone; one step down where only the footprint could be tested
    (`height_unknown`), and one where only self-reports say so. Whether it may have been lost
    inside is the engine's question, not this rule's.

    Manned aircraft and road users are skipped, and so is a flight whose approved plan fits in
    identity, volume and time: its approval is the answer that the alert would ask for.
    """

    type = "zone_intrusion"
    hold_s = 1.0
    quiet_s = 5.0

    def check(self, picture: Picture) -> Iterator[Finding]:
        """Findings per (track, zone)."""
        inside, tracks, identities = picture.inside, picture.tracks, picture.identities
        if not len(inside):
            return
        judged = flying(picture)
        judged &= ~((identities.verdict == Verdict.AUTHORISED) & (identities.plan >= 0))
        crossed = inside.crossed != 0
        hit = (inside.p_inside >= P_KEEP) | crossed
        hit &= judged[inside.track] & (picture.zones.active[inside.zone] != 0)
        for k in np.flatnonzero(hit).tolist():
            i, zone = int(inside.track[k]), int(inside.zone[k])
            p = float(inside.p_inside[k])
            reasons: list[Reason] = [
                *measured("p_inside", p, P_RAISE, ""),
                *measured("margin_m", float(inside.margin_m[k]), None, "m"),
            ]
            through = bool(crossed[k]) and not p >= P_RAISE
            if through:
                reasons.append(("crossed", None, None, ""))
            severity = step_down(
                SEVERITY[ZoneKind(int(picture.zones.kind[zone]))],
                reasons,
                (bool(inside.height_unknown[k]), "height_unknown"),
                (not corroborated(picture, i), "self_report_only"),
            )
            yield Finding(
                ("track", int(tracks.id[i])),
                severity,
                raises=through or p >= P_RAISE,
                zone=picture.zone_ids[zone],
                value=p,
                limit=P_RAISE,
                reasons=tuple(reasons),
                track=i,
                hold_s=0.0 if through else float("nan"),
            )


RULE = ZoneIntrusion()
