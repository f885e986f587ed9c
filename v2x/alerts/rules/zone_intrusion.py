"""Something flies inside a zone."""

from collections.abc import Iterator
from math import isfinite

import numpy as np

from v2x.alert import Finding, Reason
from v2x.alerts.subjects import (
    P_KEEP,
    P_RAISE,
    ZONE_SEVERITY,
    corroborated,
    excused,
    flying,
    measured,
    spoken_for,
    step_down,
)
from v2x.columns import F8
from v2x.picture import Picture, StayWord, ZoneKind


class ZoneIntrusion:
    """A drone, or an unknown object in the air, inside an active zone.

    Cause: a pilot who does not know or does not care, or a fly-away. Consequence: as the kind of
    the zone says. Answer: tell the owner of the zone.

    Raises at probability 0.9, or at once where the track went through between two slices; keeps
    at 0.2. Severity by kind of zone; one step down where only the footprint could be tested
    (`height_unknown`), and one where only self-reports say so. Nested obstacle surfaces are one
    alert, under the one that was lowest when it began; `surface` names the lowest now. Whether it
    may have been lost inside is the engine's question, not this rule's.

    Manned aircraft and road users are skipped, and so is a flight whose approved plan fits in
    identity, volume and time: its approval is the answer that the alert would ask for.
    """

    type = "zone_intrusion"
    hold_s = 1.0
    quiet_s = 5.0

    def check(self, picture: Picture) -> Iterator[Finding]:
        """Findings per (track, zone)."""
        inside, tracks = picture.inside, picture.tracks
        if not len(inside):
            return
        judged = flying(picture) & ~excused(picture)
        crossed = inside.crossed != 0
        p_inside = np.where(np.isnan(inside.p_inside), inside.p_footprint, inside.p_inside)
        hit = (p_inside >= P_KEEP) | crossed
        hit &= judged[inside.track] & (picture.zones.active[inside.zone] != 0)
        stays = _stays(picture)
        for i, head, k in _told(picture, np.flatnonzero(hit).tolist(), p_inside):
            zone, p = int(inside.zone[k]), float(p_inside[k])
            reasons: list[Reason] = [
                *measured("p_inside", p, P_RAISE, ""),
                *measured("margin_m", float(inside.margin_m[k]), None, "m"),
            ]
            if head != zone:
                reasons.append(("surface", picture.zone_ids[zone], None, ""))
            if (stay := stays.get((i, zone))) is not None:
                reasons += _dwell(picture, stay)
            through = bool(crossed[k]) and not p >= P_RAISE
            if through:
                reasons.append(("crossed", None, None, ""))
            severity = step_down(
                ZONE_SEVERITY[ZoneKind(int(picture.zones.kind[zone]))],
                reasons,
                (bool(inside.height_unknown[k]), "height_unknown"),
                (not corroborated(picture, i), "self_report_only"),
            )
            yield Finding(
                ("track", int(tracks.id[i])),
                severity,
                raises=through or p >= P_RAISE,
                zone=picture.zone_ids[head],
                value=p,
                limit=P_RAISE,
                reasons=tuple(reasons),
                track=i,
                hold_s=0.0 if through else float("nan"),
            )


def _told(picture: Picture, pairs: list[int], p: F8) -> Iterator[tuple[int, int, int]]:
    """Track row, zone row to tell it under, and the pair that is told, of those that go together.

    Of nested surfaces the lowest one that holds the track for sure is told: the one it is deepest
    in; where none does, the likeliest.
    """
    inside = picture.inside
    best: dict[tuple[int, int], int] = {}

    def weight(k: int) -> tuple[bool, float, float]:
        depth = float(inside.margin_m[k])
        sure = bool(p[k] >= P_RAISE)
        return sure, (depth if sure and isfinite(depth) else 0.0), float(np.nan_to_num(p[k]))

    for k in pairs:
        key = int(inside.track[k]), spoken_for(int(inside.zone[k]), int(inside.head[k]))
        if key not in best or weight(k) > weight(best[key]):
            best[key] = k
    for (i, head), k in sorted(best.items()):
        yield i, head, k


def _stays(picture: Picture) -> dict[tuple[int, int], int]:
    """Rows of stays that go on, by track and zone row."""
    stays = picture.stays
    on = np.flatnonzero((stays.track >= 0) & (stays.word <= StayWord.COASTING))
    keys = zip(stays.track[on].tolist(), stays.zone[on].tolist(), strict=True)
    return dict(zip(keys, on.tolist(), strict=True))


def _dwell(picture: Picture, stay: int) -> list[Reason]:
    """How long it has been inside, and how long of it unseen."""
    dwell_s = (picture.t_ns - int(picture.stays.onset_ns[stay])) / 1e9
    gap_s = int(picture.stays.gap_ns[stay]) / 1e9
    return [("dwell_s", dwell_s, None, "s"), *([("gap_s", gap_s, None, "s")] if gap_s else [])]


RULE = ZoneIntrusion()
