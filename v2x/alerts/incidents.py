"""Incidents: alerts about one target are one incident, and one of them speaks for all.

The most urgent alert of a target is its head; the others are merged into it and named among its
reasons (``also``). Alerts about different targets in one zone within a minute share the id of the
incident, so that they are listed together, and nothing more: each of them still asks for an answer
of its own. A head that a unit was sent for is never merged away, and a child that grows more urgent
than its head is an alert of its own again.
"""

from bisect import bisect_left
from collections.abc import Iterable
from hashlib import blake2b
from itertools import islice

from v2x.alert import Subject
from v2x.alerts.life import Life
from v2x.alerts.transitions import ACKED, ASSIGNED, OPEN, OVER, RESPONDING

TOGETHER_NS = 60_000_000_000
_AT_WORK = frozenset({OPEN, ACKED, ASSIGNED, RESPONDING})


def incident_id(first: str) -> str:
    """Return the incident that an alert began: blake2b of its id, 16 bytes in hex."""
    return blake2b(first.encode(), digest_size=16).hexdigest()


class Mates:
    """Alerts by what they are about, as of one slice."""

    def __init__(self, lives: Iterable[Life]) -> None:
        self._about: dict[Subject, list[Life]] = {}
        self._zones: dict[str, list[Life]] = {}
        for life in lives:
            for subject in about(life):
                self._about.setdefault(subject, []).append(life)
            if life.zone and life.case.state not in OVER:
                self._zones.setdefault(life.zone, []).append(life)
        for mates in self._zones.values():
            mates.sort(key=_age)

    def head(self, life: Life) -> Life | None:
        """Return the alert that speaks for the target of `life`, another one and at work.

        The most urgent, of those the oldest.
        """
        found = {
            mate.id: mate
            for subject in about(life)
            for mate in self._about.get(subject, ())
            if mate is not life and mate.case.state in _AT_WORK
        }
        return min(found.values(), key=rank) if found else None

    def neighbour(self, life: Life) -> Life | None:
        """Return an alert of another target in the same zone, raised within a minute; the first."""
        mates = self._zones.get(life.zone, [])
        first = bisect_left(mates, (life.onset_ns - TOGETHER_NS, ""), key=_age)
        near = (mate for mate in islice(mates, first, None) if mate is not life)
        return next((mate for mate in near if mate.case.state not in OVER), None)


def _age(life: Life) -> tuple[int, str]:
    return life.onset_ns, life.id


def about(life: Life) -> set[Subject]:
    """What an alert is about: its subject, and the identity that it goes by."""
    found = {life.subject}
    named = life.facts.get("subject", {}).get("claimed_identity")
    if named:
        found.add(("ident", named))
    return found


def rank(life: Life) -> tuple[int, int, str, str, str]:
    """Order in which alerts may speak for a target: the most urgent, of those the oldest."""
    return life.severity, life.onset_ns, life.rule, life.zone, life.id


def may_step_back(head: Life) -> bool:
    """Tell whether a head may be merged away: nobody was sent for it."""
    return head.case.state in (OPEN, ACKED)
