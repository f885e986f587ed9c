"""Drones that fly together, and no plan says so."""

from collections.abc import Iterator

import numpy as np

from v2x.alert import Finding, Reason
from v2x.alerts.subjects import corroborated, flying, prohibited_zone, step_down
from v2x.picture import GroupKind, Picture

RAISE, KEEP = 5, 3


class UasSwarm:
    """Five drones or more within 300 m, of one velocity, without a plan.

    Cause: a show that nobody announced, or an attack. Consequence: more than one answer can meet.
    Answer within 2 min: verify the event.

    Raises at five members, keeps at three. Severity 2; 1 where a member is inside a prohibited
    zone; one step down where nothing but self-reports says so. Members with a plan do not count: an
    authorised show raises nothing, and a stranger in it is another rule's.
    """

    type = "uas_swarm"
    hold_s = 3.0
    quiet_s = 20.0

    def check(self, picture: Picture) -> Iterator[Finding]:
        """One finding per swarm, on a track it was founded with."""
        groups, group = picture.groups, picture.identities.group
        swarms = np.flatnonzero(groups.kind == GroupKind.SWARM)
        if not len(swarms):
            return
        members, zones = flying(picture), prohibited_zone(picture)
        for k in swarms.tolist():
            rows = np.flatnonzero(members & (group == k))
            if len(rows) < KEEP:
                continue
            reasons: list[Reason] = [
                ("count", len(rows), RAISE, ""),
                ("radius", float(groups.radius_m[k]), None, "m"),
                ("spread", float(groups.value[k]), None, "m/s"),
            ]
            inside = zones[rows][zones[rows] >= 0]
            if len(inside):
                reasons.append(("zone", picture.zone_ids[inside.min()], None, ""))
            alone = not any(corroborated(picture, i) for i in rows.tolist())
            severity = step_down(1 if len(inside) else 2, reasons, (alone, "self_report_only"))
            founder = np.flatnonzero(picture.tracks.id[rows] == groups.key[k])
            yield Finding(
                ("track", int(groups.key[k])),
                severity,
                raises=len(rows) >= RAISE,
                value=len(rows),
                limit=RAISE,
                reasons=tuple(reasons),
                track=int(rows[founder[0]]) if len(founder) else int(rows[0]),
                lat=float(groups.lat[k]),
                lon=float(groups.lon[k]),
            )


RULE = UasSwarm()
