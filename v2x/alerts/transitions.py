"""Transitions: what may happen to an alert, from which state, and by whose hand. Data, no code.

Two axes, never one (as ISA-18.2 and IEC 62682 have it): the *condition*, active or cleared, is what
the world does; the *state* is what people did. A drone that leaves does not erase an alert nobody
has seen, and an alert somebody has seen does not end because he has seen it.

``TABLE`` holds one row an event. What is not in it is refused by name (`v2x.alerts.cases.Refused`),
is a row of the audit, and changes nothing. Three readings of ours: a shelf may be renewed while
it holds; the engine may split what it merged, when the child grows more urgent than its head or
the head is gone; and it closes a merged child together with its head.
"""

from dataclasses import dataclass

OPEN, ACKED, ASSIGNED, RESPONDING = "open", "acked", "assigned", "responding"
RESOLVED, CLOSED = "resolved", "closed"
SHELVED, SUPPRESSED, MERGED = "shelved", "suppressed", "merged"
NONE = ""
"""Before it is raised."""

STATES = (
    OPEN, ACKED, ASSIGNED, RESPONDING, RESOLVED, CLOSED, SHELVED, SUPPRESSED, MERGED,
)  # fmt: skip
ASIDE = frozenset({SHELVED, SUPPRESSED, MERGED})
"""States that keep the one before them as `prior_state`, and go back to it."""
OVER = frozenset({RESOLVED, CLOSED})

ENGINE = "engine"
VIEWER, OPERATOR, SUPERVISOR, FIELD = "viewer", "operator", "supervisor", "field"
ROLES = (
    VIEWER, OPERATOR, SUPERVISOR, FIELD, "zone-admin", "auditor", "privacy-officer",
)  # fmt: skip
"""Roles of people; the process itself is `ENGINE`, which no command can claim to be."""

SAME, PRIOR, COMPUTED = "=", "<", "?"

CODES = (
    "confirmed_unauthorised", "confirmed_incident", "authorised_late_plan", "manned_aircraft",
    "bird_or_clutter", "sensor_fault", "spoof", "no_incident", "self_cleared", "repaired",
    "not_reproduced", "maintenance", "drill", "duplicate", "unknown",
)  # fmt: skip
"""Close codes: labels by which the rules are judged later."""
FALSE_ALARM = frozenset({
    "authorised_late_plan", "manned_aircraft", "bird_or_clutter", "sensor_fault", "spoof",
    "no_incident", "not_reproduced", "maintenance",
})  # fmt: skip
DISMISSAL = FALSE_ALARM | {"duplicate", "drill"}
"""Codes with which an alert may be closed without having been resolved."""

SHELF_NS = 8 * 3_600_000_000_000
"""The longest shelf: one shift."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table.

    Attributes
    ----------
    sources
        States it may happen in.
    target
        The state after it: a name, `SAME`, `PRIOR` (of a state aside), or `COMPUTED`, which
        `v2x.alerts.cases` works out.
    roles
        Who may do it.
    engine
        States in which the engine may do it besides.
    """

    sources: frozenset[str]
    target: str
    roles: frozenset[str]
    engine: frozenset[str] = frozenset()

    def possible(self, state: str, role: str) -> bool:
        """Tell whether it may happen in `state` by the hand of somebody of that role."""
        return state in self.sources or (role == ENGINE and state in self.engine)


def _row(sources: tuple[str, ...], target: str, *roles: str, engine: tuple[str, ...] = ()) -> Row:
    return Row(frozenset(sources), target, frozenset(roles), frozenset(engine))


_BUT_CLOSED = tuple(s for s in STATES if s != CLOSED)
_WORKED = (OPEN, ACKED, ASSIGNED, RESPONDING)
_STAFF = (OPERATOR, SUPERVISOR)

TABLE: dict[str, Row] = {
    "raise": _row((NONE,), OPEN, ENGINE),
    "update": _row(_BUT_CLOSED, SAME, ENGINE),
    "clear": _row(STATES, SAME, ENGINE),
    "return": _row(_BUT_CLOSED, COMPUTED, ENGINE),
    "ack": _row((OPEN,), ACKED, *_STAFF),
    "assign": _row((OPEN, ACKED), ASSIGNED, *_STAFF),
    "reassign": _row((ASSIGNED, RESPONDING), ASSIGNED, *_STAFF, ENGINE),
    "accept": _row((ASSIGNED,), RESPONDING, FIELD, ENGINE),
    "unassign": _row((ASSIGNED,), ACKED, *_STAFF),
    "resolve": _row((ACKED, ASSIGNED, RESPONDING), RESOLVED, *_STAFF, FIELD),
    "unresolve": _row((RESOLVED,), COMPUTED, *_STAFF, ENGINE),
    "close": _row((RESOLVED,), CLOSED, *_STAFF, ENGINE, engine=(MERGED,)),
    "dismiss": _row((ACKED,), CLOSED, *_STAFF),
    "self_clear": _row((OPEN, ACKED), RESOLVED, ENGINE),
    "reopen": _row((CLOSED,), OPEN, SUPERVISOR, ENGINE),
    "shelve": _row((OPEN, ACKED, ASSIGNED, SHELVED), SHELVED, *_STAFF),
    "unshelve": _row((SHELVED,), PRIOR, *_STAFF, ENGINE),
    "suppress": _row((NONE, OPEN, ACKED), SUPPRESSED, ENGINE),
    "unsuppress": _row((SUPPRESSED,), PRIOR, ENGINE),
    "merge": _row((*_WORKED, RESOLVED), MERGED, *_STAFF, ENGINE),
    "split": _row((MERGED,), PRIOR, *_STAFF, ENGINE),
    "raise_severity": _row(_BUT_CLOSED, COMPUTED, ENGINE),
    "escalate": _row((*_WORKED, SHELVED, MERGED), SAME, *_STAFF, ENGINE),
    "note": _row(STATES, SAME, *_STAFF, FIELD),
}
EVENTS = tuple(TABLE)
ALIASES = {"depart": "accept", "attach": "note"}
"""Other words for an event: to depart is to accept, a file is a note with a hash."""
COMMANDS = tuple(e for e, row in TABLE.items() if row.roles - {ENGINE})
"""Events that a person can ask for."""


def allowed(state: str) -> tuple[str, ...]:
    """Events that people may ask for in `state`, in table order."""
    return tuple(event for event in COMMANDS if state in TABLE[event].sources)
