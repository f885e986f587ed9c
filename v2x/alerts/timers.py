"""Timers of people: by when an alert must be acked, assigned and answered, and who hears otherwise.

All of it in event time, so that a replay fires them where the live run did; recorded ticks move it
on a quiet wire. The numbers are ours, to be tuned. A timer that is due goes off while the alert is
in one of its states: once somebody has acked, assigned or answered in time it has nothing to say.
"""

from typing import NamedTuple, Protocol

from v2x.alerts.transitions import ACKED, ASSIGNED, OPEN

SECOND = 1_000_000_000
NEVER = 1 << 62


class Timer(NamedTuple):
    """Seconds after the alert asked for attention, in which states it goes off, who hears of it."""

    after_s: int
    states: frozenset[str]
    to: str


_UNACKED = frozenset({OPEN})
_UNASSIGNED = frozenset({OPEN, ACKED})
_UNANSWERED = frozenset({OPEN, ACKED, ASSIGNED})

TIMERS: dict[int, tuple[Timer, ...]] = {
    1: (
        Timer(30, _UNACKED, "supervisor"),
        Timer(60, _UNACKED, "duty_officer"),
        Timer(120, _UNASSIGNED, "duty_officer"),
        Timer(180, _UNANSWERED, "duty_officer"),
    ),
    2: (
        Timer(120, _UNACKED, "supervisor"),
        Timer(300, _UNASSIGNED, "duty_officer"),
        Timer(600, _UNANSWERED, "duty_officer"),
    ),
    3: (Timer(1_800, _UNACKED, "supervisor"),),
    4: (),
}
"""By severity. That of severity 2: unacked, unassigned, nobody responding."""


class Timed(Protocol):
    """What the timers need to know of a case."""

    @property
    def state(self) -> str:
        """Its state."""
        ...

    @property
    def active(self) -> bool:
        """Its condition."""
        ...

    @property
    def severity(self) -> int:
        """1 to 4."""
        ...

    @property
    def since_ns(self) -> int:
        """When it asked for attention."""
        ...

    @property
    def timed(self) -> int:
        """How many of its timers have gone off or were passed over by one that did."""
        ...


def next_timer(case: Timed) -> tuple[int, int]:
    """When the next timer goes off if nothing changes, and its number; `NEVER`, -1 if none does.

    Whether somebody is on his way matters while the condition is active; that somebody has seen it
    matters always.
    """
    for n, timer in enumerate(TIMERS[case.severity]):
        if n < case.timed or case.state not in timer.states:
            continue
        if case.active or timer.states == _UNACKED:
            return case.since_ns + timer.after_s * SECOND, n
    return NEVER, -1


def ack_due_ns(case: Timed) -> int:
    """When it must be acked; 0: it was, or never must."""
    return _due(case, _UNACKED)


def assign_due_ns(case: Timed) -> int:
    """When a unit must be assigned; 0: it was, or never must."""
    return _due(case, _UNASSIGNED) if case.active else 0


def _due(case: Timed, states: frozenset[str]) -> int:
    if case.state not in states:
        return 0
    first = (t.after_s for t in TIMERS[case.severity] if t.states == states)
    after_s = next(first, 0)
    return case.since_ns + after_s * SECOND if after_s else 0
