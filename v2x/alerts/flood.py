"""Flood: more alerts than a person can take in, and what is told less often while it lasts.

More than ten alerts asking for attention within ten minutes are a flood (EEMUA 191 counts so, by
secondary sources). While it lasts, repeats of severity 3 and 4 are told together, once a minute;
first revisions, and severity 1 and 2, wait for nothing, and nothing is dropped.
"""

from collections import deque
from collections.abc import Iterable
from typing import Any

from v2x.alerts.life import Life
from v2x.alerts.transitions import MERGED, SUPPRESSED

WINDOW_NS = 600_000_000_000
MOST_RAISED = 10
DIGEST_NS = 60_000_000_000


class Flood:
    """Alerts of the last ten minutes that asked for attention."""

    def __init__(self) -> None:
        self.count = 0
        self._raised: deque[int] = deque()
        self._on = False

    def count_in(self, new: Iterable[Life], t_ns: int) -> None:
        """Count alerts that asked for attention in this slice; those withheld did not."""
        self._raised.extend(t_ns for life in new if life.case.state not in (SUPPRESSED, MERGED))
        while self._raised and self._raised[0] <= t_ns - WINDOW_NS:
            self._raised.popleft()
        on = len(self._raised) > MOST_RAISED
        self.count += on and not self._on
        self._on = on

    def may_repeat(self, life: Life, t_ns: int, period_ns: int) -> bool:
        """Tell whether an alert may be told again although nothing but its place is new."""
        if self._on and life.severity >= 3:
            return t_ns // DIGEST_NS > life.published_ns // DIGEST_NS
        return t_ns - life.published_ns >= period_ns

    def state(self) -> list[Any]:
        """What must survive a restart, as plain data."""
        return [self.count, self._on, list(self._raised)]

    def restore(self, state: list[Any]) -> None:
        """Put back what `state` gave."""
        self.count, self._on, raised = state
        self._raised = deque(raised)
