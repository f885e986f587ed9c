"""Eviction: what is forgotten when there are more alerts than may be remembered.

First what is closed, then what is suppressed, then what has cleared, then severity 4 that no
independent sensor saw, and only then, for something more urgent, what is less urgent. An alert of
severity 1 or 2 that is not closed is never forgotten: what is new is refused instead, and counted.
"""

from collections.abc import Mapping

from v2x.alerts.life import Life
from v2x.alerts.transitions import CLOSED, SUPPRESSED


class Eviction:
    """Keeps the number of alerts within bounds.

    Attributes
    ----------
    evicted, refused
        Alerts forgotten, and findings for which there was no room.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.evicted = 0
        self.refused = 0
        self._order: list[Life] = []
        self._of_ns = -1

    def full(self, remembered: int) -> bool:
        """Tell whether there is no room for one more."""
        return remembered >= self.most

    def make_room(
        self, held: Mapping[str, Life], severity: int, t_ns: int
    ) -> tuple[Life | None, bool]:
        """Name the alert to forget for one of `severity`; is there room then.

        The order is made once a slice: a burst does not look at all alerts for each of its own.
        """
        if self._of_ns != t_ns:
            self._order = sorted(
                (life for life in held.values() if _may_go(life)), key=_rank, reverse=True
            )
            self._of_ns = t_ns
        while self._order:
            victim = self._order[-1]
            if victim.id not in held or not _may_go(victim):
                self._order.pop()
                continue
            standing = victim.active and victim.case.state not in (CLOSED, SUPPRESSED)
            if standing and victim.severity <= max(severity, 2):
                return None, False
            self._order.pop()
            self.evicted += 1
            return victim, True
        return None, False


def _may_go(life: Life) -> bool:
    return life.case.state == CLOSED or life.severity > 2


def _rank(life: Life) -> tuple[int, int, int, str]:
    """Position in the order of forgetting; of equals the one that said something longest ago."""
    state = life.case.state
    if state == CLOSED:
        return 0, 0, life.case.closed_ns, life.id
    if state == SUPPRESSED:
        return 1, 0, life.base_ns, life.id
    if not life.active:
        return 2, 0, life.cleared_ns, life.id
    corroborated = life.motion is not None and life.motion.corroborated
    return 3, -2 * life.severity + corroborated, life.base_ns, life.id
