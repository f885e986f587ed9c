"""A drone that says itself, or whose mark says, that nobody registered it."""

from collections.abc import Iterator

from v2x.alert import Finding, Reason
from v2x.alerts.subjects import corroborated, receivers, rows_with, step_down, thought_of
from v2x.picture import Picture, Verdict, Why
from v2x.readings import Name

RECEIVERS = 2
REGISTRY_H = 24.0
"""An older registry says nothing about what it lacks."""
HOUR = 3600 * 1_000_000_000


class UasUnregistered:
    """A drone whose Remote ID carries no registration mark, or one that the registry lacks.

    Cause: a new, foreign or home-made drone, or an owner who did not register. Consequence: no
    owner to call. Answer within the shift, sooner near an airfield: serial to owner, call him.

    Raises on verdict `UNREGISTERED`. Severity 2; 3 where one receiver alone heard it, or where
    nothing but its own reports says that it is there: the same doubt once, so never both.
    """

    type = "uas_unregistered"
    hold_s = 3.0
    quiet_s = 30.0
    reads = (Name.RID_HEARD,)

    def check(self, picture: Picture) -> Iterator[Finding]:
        """Findings on unregistered tracks."""
        tracks, identities = picture.tracks, picture.identities
        for i in rows_with(picture, Verdict.UNREGISTERED):
            heard = int(identities.n_receivers[i])
            mark = picture.idents.get(int(identities.mark[i]))
            reasons: list[Reason] = [
                ("mark", mark, None, ""),
                ("n_receivers", heard, RECEIVERS, ""),
            ]
            if int(identities.why[i]) & Why.NOT_IN_REGISTRY and picture.registry_ns >= 0:
                age_h = (picture.t_ns - picture.registry_ns) / HOUR
                reasons.append(("registry_age", age_h, REGISTRY_H, "h"))
            severity = 3
            if heard >= RECEIVERS:
                alone = not corroborated(picture, i)
                severity = step_down(2, reasons, (alone, "self_report_only"))
            yield Finding(
                ("track", int(tracks.id[i])),
                severity,
                value=heard,
                limit=RECEIVERS,
                reasons=(*reasons, *thought_of(picture, i)),
                track=i,
                evidence=receivers(picture, i),
            )


RULE = UasUnregistered()
