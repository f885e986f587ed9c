"""WHAT IS WRONG, in one sentence: replace this line, and everything in capitals.

Recipe: copy to ``my_rule.py``, with ``type = "my_rule"``; write `check`; put a headline and a
response line into ``alerts/texts.en.json`` and ``alerts/texts.zh-CN.json``; write the table of
(time, picture) to (time, state) in ``tests/alerts/test_my_rule.py``, with one row just under and
one just over each limit. The registry finds the module by itself.
"""

from collections.abc import Iterator

import numpy as np

from v2x.alert import Finding
from v2x.observations import Kind
from v2x.picture import Picture

RAISE_MPS, KEEP_MPS = 40.0, 38.0
"""An alert starts above the first and lives above the second. Ours, to be tuned."""


class Template:
    """A car faster than any road allows.

    Cause: WHY IT HAPPENS. Consequence: WHAT IT LEADS TO. Answer: WHO DOES WHAT, BY WHEN.

    Raises above 40 m/s, keeps above 38 m/s. It judges the present only: how long it must last
    (`hold_s`) and be gone (`quiet_s`) is the engine's business.
    """

    type = "template"
    hold_s = 3.0
    quiet_s = 5.0

    def check(self, picture: Picture) -> Iterator[Finding]:
        """Findings on cars."""
        tracks = picture.tracks
        speed = np.hypot(tracks.x[:, 3], tracks.x[:, 4])
        for i in np.flatnonzero((speed > KEEP_MPS) & (tracks.kind == Kind.CAR)).tolist():
            yield Finding(
                ("track", int(tracks.id[i])),
                4,
                raises=bool(speed[i] > RAISE_MPS),
                value=float(speed[i]),
                limit=RAISE_MPS,
                reasons=(("speed", float(speed[i]), RAISE_MPS, "m/s"),),
                track=i,
            )


RULE = Template()
