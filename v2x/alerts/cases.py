"""Cases: what became of an alert, as the fold of its history.

A `Case` is a value. `refused` says whether a `Transition` may happen to it, `after` what it is
then: pure functions, used by the engine as things happen, by the command line on a store, and to
rebuild everything from the history.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Any

from v2x.alerts.stamps import iso_utc
from v2x.alerts.timers import ack_due_ns, assign_due_ns
from v2x.alerts.transitions import (
    ACKED,
    ALIASES,
    ASIDE,
    CLOSED,
    CODES,
    COMPUTED,
    DISMISSAL,
    ENGINE,
    FIELD,
    MERGED,
    NONE,
    OPEN,
    PRIOR,
    RESOLVED,
    RESPONDING,
    SAME,
    SHELF_NS,
    SHELVED,
    SUPERVISOR,
    TABLE,
    allowed,
)

TAG_BYTES = 8
MOST_ESCALATED = 3
_RESTART = frozenset({
    "raise", "reopen", "unsuppress", "unshelve", "split", "unresolve", "raise_severity",
})  # fmt: skip
"""Events from which the timers of people count anew."""


@dataclass(frozen=True, slots=True)
class Transition:
    """Something that happened to an alert, or that somebody asks for.

    Attributes
    ----------
    event
        A key of `TABLE`.
    t_ns
        Event time.
    given
        What belongs to it, as JSON-able values; see `after` for what each event takes.
    """

    event: str
    t_ns: int
    who: str = ENGINE
    role: str = ENGINE
    given: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Case:
    """State of one alert on both axes, and what its next transition depends on.

    `since_ns` is when the timers of people began to count, `timed` how many of them have gone off;
    `state_ns` when the state was entered, `closed_ns` when it was last closed (0 never).
    """

    id: str = ""
    rev: int = 0
    state: str = NONE
    prior_state: str = ""
    active: bool = False
    severity: int = 4
    latched: bool = False
    auto: bool = False
    returns: int = 0
    previous: str = ""
    incident: str = ""
    parent: str = ""
    by: str = ""
    shelved_until_ns: int = 0
    escalation: int = 0
    timed: int = 0
    since_ns: int = 0
    state_ns: int = 0
    closed_ns: int = 0
    unit: str = ""
    task: str = ""
    eta_s: float | None = None
    code: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Around:
    """What else a guard must know: all of it about other alerts, as of now.

    `busy` units and the alert each is bound to; `parent` the case asked for by a merge, None if it
    is not known; `children` cases merged into this one.
    """

    busy: Mapping[str, str] = field(default_factory=dict)
    parent: Case | None = None
    children: tuple[Case, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a transition may not happen. Nothing has changed.

    `status` is the number that HTTP has for it: 403 not by you, 404 no such alert, 409 not in this
    state, 412 it changed meanwhile, 422 something is missing or wrong in what was asked.
    """

    status: int
    reason: str
    event: str
    state: str = ""
    allowed: tuple[str, ...] = ()
    detail: str = ""

    def plain(self) -> dict[str, Any]:
        """The same as JSON-able values: ``from``, ``event``, ``allowed`` and why."""
        made: dict[str, Any] = {"status": self.status, "reason": self.reason, "event": self.event}
        if self.state:
            made |= {"from": self.state, "allowed": list(self.allowed)}
        if self.detail:
            made["detail"] = self.detail
        return made


NOWHERE = Around()


def refused(case: Case, asked: Transition, around: Around = NOWHERE) -> Refused | None:
    """Why `asked` may not happen to `case`; None: it may.

    In this order: is the role one that may ever do this, is it in the table for the state, is it
    this person's to do, do its guards hold.
    """
    event = asked.event
    row = TABLE.get(event)

    def no(status: int, reason: str, detail: str = "") -> Refused:
        return Refused(status, reason, event, case.state, allowed(case.state), detail)

    if row is None:
        return no(422, "unknown_event")
    if asked.role not in row.roles:
        return no(403, "role", asked.role)
    if not row.possible(case.state, asked.role):
        return no(409, "illegal", f"merged into {case.parent}" if case.state == MERGED else "")
    if asked.role == FIELD and (not case.unit or asked.given.get("unit") != case.unit):
        return no(403, "other_unit", case.unit)
    guard = _GUARDS.get(event)
    why = guard(case, asked, around) if guard is not None else ""
    if not why:
        return None
    reason, _, detail = why.partition(":")
    return no(_STATUS.get(reason, 422), reason, detail)


def after(case: Case, done: Transition) -> Case:
    """Return the case after a transition that is legal.

    What the events take from `given`: raise and suppress of a new alert ``id``, ``severity``,
    ``latched``, ``auto`` and ``previous``; raise_severity, and an update by which it falls,
    ``severity``; suppress ``by``; assign and reassign ``unit``, ``task``, ``eta_s``; resolve,
    close and dismiss ``code``, ``text``; shelve ``until_ns``; merge ``parent``; escalate
    ``timer``, its number, if one went off; any ``incident``.
    """
    event, given, t = done.event, done.given, done.t_ns
    to = target(case, event)
    new: dict[str, Any] = {"rev": case.rev + 1, "state": to}
    if to != case.state:
        new["state_ns"] = t
        if to in ASIDE:
            new["prior_state"] = case.state or OPEN
        elif case.state in ASIDE:
            new["prior_state"] = ""
    if case.state == NONE:
        new |= {
            "id": given["id"],
            "severity": given["severity"],
            "active": True,
            "latched": bool(given.get("latched", False)),
            "auto": bool(given.get("auto", False)),
            "previous": given.get("previous", ""),
        }
    if event in _RESTART or (event == "return" and case.state == RESOLVED) or case.state == NONE:
        new |= {"since_ns": t, "timed": 0}
    if "incident" in given:
        new["incident"] = given["incident"]
    new |= _particular(case, done)
    return replace(case, **new)


def target(case: Case, event: str) -> str:
    """Return the state after `event`."""
    to = TABLE[event].target
    if to == SAME:
        return case.state
    if to == PRIOR:
        return case.prior_state
    if to != COMPUTED:
        return to
    if event == "return":
        return OPEN if case.state == RESOLVED else case.state
    if event == "unresolve":
        return RESPONDING if case.unit else ACKED
    return OPEN if case.state == ACKED else case.state  # raise_severity


def _particular(case: Case, done: Transition) -> dict[str, Any]:
    """What only this event changes."""
    event, given = done.event, done.given
    match event:
        case "clear":
            return {"active": False}
        case "return":
            return {"active": True, "returns": case.returns + 1} | _severity(given)
        case "reopen":
            came_back = {"active": True, "returns": case.returns + 1} if done.role == ENGINE else {}
            afresh = {"code": "", "text": "", "escalation": 0, "parent": ""}
            return afresh | came_back | _severity(given)
        case "update" | "raise_severity":
            return _severity(given)
        case "assign" | "reassign":
            return {"unit": given["unit"], "task": given.get("task", ""),
                    "eta_s": given.get("eta_s")}  # fmt: skip
        case "accept":
            return {"eta_s": given.get("eta_s", case.eta_s)}
        case "unassign":
            return {"unit": "", "task": "", "eta_s": None}
        case "resolve" | "self_clear":
            return {"code": given.get("code", ""), "text": given.get("text", "")}
        case "close" | "dismiss":
            return {"code": given.get("code") or case.code, "text": given.get("text") or case.text,
                    "closed_ns": done.t_ns}  # fmt: skip
        case "unresolve":
            return {"code": "", "text": ""}
        case "shelve":
            kept = {"prior_state": case.prior_state} if case.state == SHELVED else {}
            return {"shelved_until_ns": given["until_ns"], **kept}
        case "unshelve":
            return {"shelved_until_ns": 0}
        case "suppress":
            return {"by": given["by"]}
        case "unsuppress":
            return {"by": ""}
        case "merge":
            return {"parent": given["parent"]}
        case "split":
            return {"parent": ""}
        case "escalate":
            made = {"escalation": min(case.escalation + 1, MOST_ESCALATED)}
            return made | ({"timed": given["timer"] + 1} if "timer" in given else {})
    return {}


def _severity(given: Mapping[str, Any]) -> dict[str, Any]:
    return {"severity": given["severity"]} if "severity" in given else {}


_STATUS = {"unit_busy": 409, "child_active": 409, "still_active": 409, "not_active": 409,
           "not_cleared": 409, "supervisor": 403, "unknown_parent": 404, "cycle": 409,
           "parent_closed": 409, "depth": 409, "severity": 409}  # fmt: skip


def _gets_unit(case: Case, asked: Transition, around: Around) -> str:
    unit = asked.given.get("unit")
    if not unit:
        return "unit"
    bound = around.busy.get(unit, case.id)
    return f"unit_busy:{bound}" if bound != case.id else ""


def _resolves(case: Case, asked: Transition, around: Around) -> str:
    """The condition is over, or it never ends by itself, or a reason is given for the override."""
    override = asked.given.get("override") and asked.given.get("text")
    if asked.given.get("code") not in (None, *CODES):
        return "code"
    if override:
        return ""
    if case.active and not case.latched:
        return "still_active"
    for child in around.children:
        if child.active and not child.latched:
            return f"child_active:{child.id}"
    return ""


def _closes(case: Case, asked: Transition, around: Around) -> str:
    return "" if (asked.given.get("code") or case.code) in CODES else "code"


def _dismisses(case: Case, asked: Transition, around: Around) -> str:
    return "" if asked.given.get("code") in DISMISSAL else "code"


def _self_clears(case: Case, asked: Transition, around: Around) -> str:
    if case.active or any(child.active for child in around.children):
        return "still_active"
    return "" if case.auto and case.severity >= 3 else "not_auto"


def _shelves(case: Case, asked: Transition, around: Around) -> str:
    if case.severity == 1 and asked.role != SUPERVISOR:
        return "supervisor"
    until = asked.given.get("until_ns", 0)
    if not until or not asked.t_ns < until <= asked.t_ns + SHELF_NS:
        return "until"
    return "" if asked.given.get("reason") else "reason"


def _merges(case: Case, asked: Transition, around: Around) -> str:
    parent = around.parent
    if parent is None:
        return "unknown_parent"
    if parent.id == case.id:
        return "cycle"
    if parent.state == CLOSED:
        return "parent_closed"
    return "depth" if parent.state == MERGED or around.children else ""


def _needs(*names: str) -> Any:
    def guard(case: Case, asked: Transition, around: Around) -> str:
        return next((name for name in names if not asked.given.get(name)), "")

    return guard


def _reopens(case: Case, asked: Transition, around: Around) -> str:
    return "" if asked.role == ENGINE or asked.given.get("reason") else "reason"


_GUARDS: Mapping[str, Any] = {
    "clear": lambda case, asked, around: "" if case.active else "not_active",
    "return": lambda case, asked, around: "not_cleared" if case.active else "",
    "assign": _gets_unit,
    "reassign": _gets_unit,
    "resolve": _resolves,
    "unresolve": _needs("reason"),
    "close": _closes,
    "dismiss": _dismisses,
    "self_clear": _self_clears,
    "reopen": _reopens,
    "shelve": _shelves,
    "suppress": _needs("by"),
    "merge": _merges,
    "split": _needs("reason"),
    "raise_severity": lambda case, asked, around: (
        "" if 0 < asked.given.get("severity", 0) < case.severity else "severity"
    ),
    "note": lambda case, asked, around: (
        "" if asked.given.get("text") or asked.given.get("file") else "text"
    ),
}


def operator_tag(body: Mapping[str, Any]) -> str:
    """Hash of what a person decides upon: state, responders, parent, shelf and severity.

    A command carries the tag of the record its sender saw. The position is not in it, so that a
    target that moves does not make every command fail.
    """
    seen = [
        body.get(name)
        for name in ("state", "prior_state", "responders", "parent", "shelved_until", "severity")
    ]
    return blake2b(repr(seen).encode(), digest_size=TAG_BYTES).hexdigest()


def people(case: Case) -> dict[str, Any]:
    """Those fields of the alert record that say what people did; absent is what does not apply."""
    made: dict[str, Any] = {
        "id": case.id,
        "rev": case.rev,
        "severity": case.severity,
        "condition": "active" if case.active else "cleared",
        "state": case.state,
        "returns": case.returns,
    }
    for name in ("prior_state", "previous", "incident", "parent", "escalation", "task"):
        if value := getattr(case, name):
            made[name] = value
    if case.by:
        made["suppressed_by"] = case.by
    if case.shelved_until_ns:
        made["shelved_until"] = iso_utc(case.shelved_until_ns)
    if case.unit:
        unit: dict[str, Any] = {
            "unit": case.unit,
            "status": "responding" if case.state == RESPONDING else "assigned",
        }
        if case.eta_s is not None:
            unit["eta_s"] = {"expected": case.eta_s}
        made["responders"] = [unit]
    if case.state in (RESOLVED, CLOSED) and case.code:
        made["close"] = {"code": case.code} | ({"text": case.text} if case.text else {})
    timers = {
        name: iso_utc(due)
        for name, due in (("ack_due", ack_due_ns(case)), ("assign_due", assign_due_ns(case)))
        if due
    }
    if timers:
        made["timers"] = timers
    return made


PEOPLE = frozenset({
    "id", "rev", "severity", "condition", "state", "returns", "prior_state", "previous", "incident",
    "parent", "escalation", "task", "suppressed_by", "shelved_until", "responders", "close",
    "timers",
})  # fmt: skip
"""All names that `people` can give."""


def fold(history: Iterable[Transition], case: Case | None = None) -> Case:
    """Case that a history gives: the only truth about an alert there is."""
    made = case or Case()
    for done in history:
        made = after(made, done)
    return made


def event_named(word: str) -> str:
    """Return the event that a person means; the word itself if it is none."""
    word = word.replace("-", "_")
    return ALIASES.get(word, word)
