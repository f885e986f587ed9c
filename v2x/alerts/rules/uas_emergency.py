"""A drone that calls an emergency."""

from collections.abc import Iterator

import numpy as np

from v2x.alert import Finding
from v2x.alerts.subjects import flying, receivers, thought_of
from v2x.picture import Picture, Verdict
from v2x.readings import Name


class UasEmergency:
    """A drone whose Remote ID says "emergency".

    Cause: it lost a motor, its link or its way, and says so. Consequence: it comes down, where is
    not up to anybody. Answer within 2 min: clear the ground below, call its pilot.

    Raises on status 3 (GB 46750 item 015, and F3411 Location) and 5. Severity 2, without a step
    down: a call is not doubted for coming from the one who calls. A claim that is proven false
    (verdict `SPOOFED`) calls nobody.
    """

    type = "uas_emergency"
    hold_s = 1.0
    quiet_s = 10.0
    reads = (Name.RID_HEARD,)

    def check(self, picture: Picture) -> Iterator[Finding]:
        """Findings on drones that call."""
        calls = picture.identities.emergency != 0
        if not calls.any():
            return
        calls &= flying(picture) & (picture.identities.verdict != Verdict.SPOOFED)
        for i in np.flatnonzero(calls).tolist():
            yield Finding(
                ("track", int(picture.tracks.id[i])),
                2,
                reasons=(("status", "emergency", None, ""), *thought_of(picture, i)),
                track=i,
                evidence=receivers(picture, i),
            )


RULE = UasEmergency()
