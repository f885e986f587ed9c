"""Desk: where what happens to alerts is written down, and where people's commands are answered.

Every transition, of a person or of the engine, is one check, one change of the case, one revision
and one entry of the history. The desk knows no pictures and no rules, so that the command line can
sit at one that was rebuilt from a store.
"""

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from heapq import heappop, heappush
from typing import Any, Generic, Protocol, TypeVar

from v2x.alert import Alert
from v2x.alerts.cases import (
    Around,
    Case,
    Refused,
    Transition,
    after,
    operator_tag,
    people,
    refused,
)
from v2x.alerts.commands import Command, Reply
from v2x.alerts.stamps import iso_utc
from v2x.alerts.texts import render
from v2x.alerts.timers import NEVER, TIMERS, next_timer
from v2x.alerts.transitions import (
    ACKED,
    CLOSED,
    ENGINE,
    MERGED,
    OVER,
    RESOLVED,
    SHELVED,
    TABLE,
    allowed,
)

CLOSE_AFTER_NS = 600_000_000_000
REMEMBERED = 10_000
"""Answers kept for commands that come again, oldest out."""


class Held(Protocol):
    """An alert at the desk: its case, and what the world said when it was last published."""

    case: Case
    facts: dict[str, Any]


H = TypeVar("H", bound=Held)


class IllegalError(RuntimeError):
    """The engine asked for what the table does not allow: a bug of ours."""


def revision(case: Case, facts: Mapping[str, Any], done: Transition, before: str) -> Alert:
    """Return the revision that `done` made, with its entry for the history.

    Parameters
    ----------
    case
        The case after it.
    facts
        What the record says of the world.
    before
        The state before it.
    """
    body: dict[str, Any] = {**facts, **people(case), "event_time": iso_utc(done.t_ns)}
    body["text"] = render(body)
    made = Alert(
        id=case.id,
        rev=case.rev,
        type=body["type"],
        severity=case.severity,
        condition=body["condition"],
        event_ns=int(done.t_ns),
        body=body,
    )
    entry = {
        "id": case.id,
        "rev": case.rev,
        "t": body["event_time"],
        "t_ns": int(done.t_ns),
        "event": done.event,
        "from": before,
        "to": case.state,
        "who": done.who,
        "role": done.role,
        "given": {name: value for name, value in done.given.items() if name != "id"},
    }
    made.entry.update(entry)
    return made


class Desk(Generic[H]):
    """The alerts at hand, by id, and the answers given.

    Attributes
    ----------
    held
        Alerts by id; whoever owns them puts them in and takes them out.
    """

    def __init__(self, held: Iterable[tuple[str, H]] = ()) -> None:
        self.held: dict[str, H] = dict(held)
        self.replies: dict[str, Reply] = {}
        self._due: list[tuple[int, str]] = []
        for id, life in self.held.items():
            self._watch(id, life)

    def act(
        self, life: H, event: str, t_ns: int, *, who: str = ENGINE, role: str = ENGINE,
        **given: Any,
    ) -> Alert:  # fmt: skip
        """Let something happen to an alert; `IllegalError` if it may not."""
        done = Transition(event, t_ns, who, role, given)
        why = refused(life.case, done, self._around(life, done))
        if why is not None:
            raise IllegalError(f"{life.case.id}: {event} in {life.case.state!r}: {why.reason}")
        return self._do(life, done)

    def _do(self, life: H, done: Transition) -> Alert:
        before = life.case.state
        life.case = after(life.case, done)
        self.held[life.case.id] = life
        self._watch(life.case.id, life)
        return revision(life.case, life.facts, done, before)

    def obey(self, command: Command, t_ns: int) -> tuple[Reply, list[Alert]]:
        """Answer a command, and do what it asks for if it may be done.

        Returns
        -------
        reply, alerts
            New revisions: of the alert, and where it was a head that is closed of its children.
        """
        known = self.replies.get(command.key)
        if known is not None and known.content == command.content:
            return replace(known, repeated=True), []
        life = self.held.get(command.id)
        asked = command.transition(t_ns)
        if known is not None:
            why: Refused | None = Refused(422, "key_reused", command.event)
        elif command.role not in TABLE[command.event].roles:
            why = Refused(403, "role", command.event, detail=command.role)
        elif life is None:
            why = Refused(404, "unknown_alert", command.event)
        else:
            why = self._refused(life, command, asked)
        made: list[Alert] = []
        if why is None and life is not None and not _is_done(life.case, command):
            made.append(self._do(life, asked))
            made[0].entry["command"] = command.key
            if life.case.state == CLOSED:
                made += self.close_children(life, t_ns)
        reply = Reply(
            command.key, command.id, command.event, command.who, command.role, t_ns,
            command.content, changed=bool(made), refused=why, **_now(life),
        )  # fmt: skip
        if known is None:
            self.remember(reply)
        return reply, made

    def _refused(self, life: H, command: Command, asked: Transition) -> Refused | None:
        if _is_done(life.case, command):
            return None
        tag = _tag(life.case)
        if command.if_match and command.if_match != tag:
            return Refused(
                412, "changed", command.event, life.case.state, allowed(life.case.state), tag
            )
        return refused(life.case, asked, self._around(life, asked))

    def remember(self, reply: Reply) -> None:
        """Keep an answer for a command that comes again."""
        self.replies[reply.key] = reply
        if len(self.replies) > REMEMBERED:
            del self.replies[next(iter(self.replies))]

    def close_children(self, head: H, t_ns: int) -> list[Alert]:
        """Close what was merged into a head that was closed, with its code."""
        code = head.case.code
        return [
            self.act(child, "close", t_ns, code=code, parent=head.case.id)
            for child in self.children(head.case.id)
        ]

    def children(self, id: str) -> list[H]:
        """Alerts merged into this one, by id."""
        found = [
            (name, life)
            for name, life in self.held.items()
            if life.case.parent == id and life.case.state == MERGED
        ]
        return [life for _, life in sorted(found, key=lambda pair: pair[0])]

    def fire(self, t_ns: int) -> list[Alert]:
        """Let all timers go off that are due: escalations, ends of shelves, closings.

        In the order of when they were due; one that was due long ago goes off now.
        """
        made: list[Alert] = []
        while self._due and self._due[0][0] <= t_ns:
            due, id = heappop(self._due)
            life = self.held.get(id)
            if life is None or due != due_ns(life.case):
                continue
            case = life.case
            if case.state == SHELVED:
                made.append(self.act(life, "unshelve", t_ns, cause="end"))
            elif case.state == RESOLVED:
                made.append(self.act(life, "close", t_ns, code=case.code or "unknown"))
                made += self.close_children(life, t_ns)
            else:
                n = next_timer(case)[1]
                to = TIMERS[case.severity][n].to
                made.append(self.act(life, "escalate", t_ns, timer=n, to=to))
        return made

    def state(self) -> list[Any]:
        """What must survive a restart beside the alerts, as plain data: the answers given."""
        return [
            (*(getattr(reply, name) for name in _REPLY), _plain(reply.refused))
            for reply in self.replies.values()
        ]

    def restore(self, state: Iterable[Any]) -> None:
        """Put back what `state` gave."""
        self.replies = {}
        for *values, why in state:
            told = dict(zip(_REPLY, values, strict=True))
            refusal = None
            if why is not None:
                status, reason, event, state_then, allowed_then, detail = why
                refusal = Refused(status, reason, event, state_then, tuple(allowed_then), detail)
            self.replies[told["key"]] = Reply(**told, refused=refusal)

    def forget(self, id: str) -> None:
        """Take an alert away from the desk."""
        self.held.pop(id, None)

    def _watch(self, id: str, life: H) -> None:
        due = due_ns(life.case)
        if due < NEVER:
            heappush(self._due, (due, id))

    def _around(self, life: H, asked: Transition) -> Around:
        """What the guards of `asked` look at; looked for only where one does."""
        busy: dict[str, str] = {}
        unit = asked.given.get("unit")
        if asked.event in ("assign", "reassign") and unit:
            for id, other in self.held.items():
                if other.case.unit == unit and other.case.state not in OVER:
                    busy[unit] = id
                    if id != life.case.id:
                        break
        parent = None
        if asked.event == "merge":
            head = self.held.get(asked.given.get("parent", ""))
            parent = head.case if head is not None else None
        children: tuple[Case, ...] = ()
        if asked.event in ("resolve", "self_clear", "merge"):
            children = tuple(child.case for child in self.children(life.case.id))
        return Around(busy, parent, children)


def due_ns(case: Case) -> int:
    """When something will happen to a case by itself; `NEVER` if nothing will."""
    if case.state == SHELVED:
        return case.shelved_until_ns
    if case.state == RESOLVED:
        return case.state_ns + CLOSE_AFTER_NS if case.auto else NEVER
    return next_timer(case)[0]


_REPLY = [f.name for f in fields(Reply) if f.name != "refused"]


def _plain(why: Refused | None) -> tuple[Any, ...] | None:
    return None if why is None else tuple(getattr(why, f.name) for f in fields(Refused))


def _is_done(case: Case, command: Command) -> bool:
    """Tell whether it asks for what is so: somebody acks what has been acked."""
    return command.event == "ack" and case.state == ACKED


def _tag(case: Case) -> str:
    return operator_tag(people(case))


def _now(life: Held | None) -> dict[str, Any]:
    if life is None:
        return {}
    return {"state": life.case.state, "rev": life.case.rev, "tag": _tag(life.case)}
