"""The table of transitions: every event in every state, by every role, against a table by hand."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v2x.alerts.cases import (
    PEOPLE,
    Around,
    Case,
    Transition,
    after,
    fold,
    operator_tag,
    people,
    refused,
)
from v2x.alerts.transitions import (
    CODES,
    COMMANDS,
    DISMISSAL,
    ENGINE,
    EVENTS,
    ROLES,
    STATES,
    TABLE,
    allowed,
)

TIMERS_RUN = True
S = 1_000_000_000
T = 1_772_330_400 * S
ID, OTHER = "a" * 32, "b" * 32

SHORT = {"o": "open", "a": "acked", "s": "assigned", "p": "responding", "r": "resolved",
         "c": "closed", "h": "shelved", "u": "suppressed", "m": "merged", "-": ""}  # fmt: skip
BY_HAND = """
raise          -        o                        e
update         oasprhum =                        e
clear          oasprchum =                       e
return         oasprhum r>o                      e
ack            o        a                        os
assign         oa       s                        os
reassign       sp       s                        ose
accept         s        p                        fe
unassign       s        a                        os
resolve        asp      r                        osf
unresolve      r        p                        ose
close          r        c                        ose
dismiss        a        c                        os
self_clear     oa       r                        e
reopen         c        o                        se
shelve         oash     h                        os
unshelve       h        <                        ose
suppress       -oa      u                        e
unsuppress     u        <                        e
merge          oaspr    m                        ose
split          m        <                        ose
raise_severity oasprhum a>o                      e
escalate       oasphm   =                        ose
note           oasprchum =                       osf
"""
"""event, states it may happen in, the state after it, who: operator, supervisor, field, engine."""

GIVEN: dict[str, dict[str, Any]] = {
    "raise": {"id": ID, "severity": 3},
    "suppress": {"id": ID, "severity": 3, "by": OTHER},
    "assign": {"unit": "patrol-1"},
    "reassign": {"unit": "patrol-1"},
    "accept": {"unit": "patrol-1"},
    "resolve": {"unit": "patrol-1", "code": "repaired"},
    "unresolve": {"reason": "again"},
    "close": {"code": "repaired"},
    "dismiss": {"code": "bird_or_clutter"},
    "reopen": {"reason": "again"},
    "shelve": {"until_ns": T + 3600 * S, "reason": "works"},
    "merge": {"parent": OTHER},
    "split": {"reason": "another drone"},
    "raise_severity": {"severity": 2},
    "note": {"text": "seen", "unit": "patrol-1"},
}


def legal() -> dict[tuple[str, str], tuple[str, str]]:
    """(event, state) of the table by hand: state after, roles."""
    found = {}
    for line in BY_HAND.strip().splitlines():
        event, sources, to, who = line.split()
        for letter in sources:
            state = SHORT[letter]
            if to == "=":
                then = state
            elif to == "<":
                then = "acked"
            elif ">" in to:
                then = SHORT[to[2]] if SHORT[to[0]] == state else state
            else:
                then = SHORT[to]
            found[event, state] = (then, who)
    return found


LEGAL = legal()


def case_in(state: str, **more: Any) -> Case:
    """A case of severity 3 in a state, as its history would leave it; before it `acked`."""
    if not state:
        return Case()
    aside = state in ("shelved", "suppressed", "merged")
    made = Case(
        id=ID, rev=4, state=state, prior_state="acked" if aside else "", active=True, severity=3,
        auto=True, since_ns=T - 60 * S, state_ns=T - 30 * S, unit="patrol-1",
        parent=OTHER if state == "merged" else "",
        shelved_until_ns=T + 60 * S if state == "shelved" else 0,
        by=OTHER if state == "suppressed" else "",
        code="repaired" if state in ("resolved", "closed") else "",
    )  # fmt: skip
    return replace(made, **more)


def asked(event: str, role: str, **more: Any) -> Transition:
    return Transition(event, T, "li.wei", role, {**GIVEN.get(event, {}), **more})


def world(event: str, case: Case) -> Case:
    """The case with the condition that the guard of an event wants."""
    return replace(case, active=event not in ("return", "resolve", "self_clear"))


AROUND = Around(parent=case_in("open", id=OTHER))


def test_there_are_nine_states_and_twenty_four_events() -> None:
    assert (len(STATES), len(EVENTS)) == (9, 24)
    assert {event for event, _ in LEGAL} == set(EVENTS)


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("state", ["", *STATES])
def test_every_event_in_every_state_by_every_role_is_as_the_table_by_hand(
    event: str, state: str
) -> None:
    case = world(event, case_in(state))
    then, who = LEGAL.get((event, state), ("", ""))
    for role in (*ROLES, ENGINE):
        if role == ENGINE:
            letter = "e"
        else:
            letter = role[0] if role in ("operator", "supervisor", "field") else "?"
        why = refused(case, asked(event, role), AROUND)
        with_its_head = (event, state, role) == ("close", "merged", ENGINE)
        if with_its_head:
            assert why is None
            assert after(case, asked(event, role)).state == "closed"
        elif letter in who:
            assert why is None, (role, why)
            done = after(case, asked(event, role))
            assert (done.state, done.rev) == (then, case.rev + 1)
        else:
            assert why is not None
            assert (why.event, why.state) == (event, state)
            assert set(why.allowed) == {e for (e, s), (_, w) in LEGAL.items()
                                        if s == state and w != "e"}  # fmt: skip
            if letter not in "".join(w for (e, _), (_, w) in LEGAL.items() if e == event):
                assert (why.status, why.reason) == (403, "role")
            else:
                assert (why.status, why.reason) == (409, "illegal")


def test_states_aside_keep_the_one_before_them_and_go_back_to_it() -> None:
    for event, back in (("shelve", "unshelve"), ("suppress", "unsuppress"), ("merge", "split")):
        for state in TABLE[event].sources - {"", "shelved"}:
            case = case_in(state)
            aside = after(case, asked(event, "supervisor"))
            assert (aside.state, aside.prior_state) == (TABLE[event].target, state)
            home = after(aside, asked(back, ENGINE))
            assert (home.state, home.prior_state, home.parent, home.by) == (state, "", "", "")


def test_a_shelf_that_is_renewed_goes_back_to_where_it_was_before_the_first() -> None:
    shelved = after(case_in("assigned"), asked("shelve", "operator"))
    longer = after(shelved, asked("shelve", "operator", until_ns=T + 7200 * S))
    assert (longer.prior_state, longer.shelved_until_ns) == ("assigned", T + 7200 * S)


def test_the_engine_cannot_close_an_unacked_alert_nor_anybody_one_that_is_open() -> None:
    case = case_in("open", severity=1, active=False)
    for event in ("close", "dismiss", "self_clear", "resolve"):
        for role in (*ROLES, ENGINE):
            assert refused(case, asked(event, role)) is not None, (event, role)


@pytest.mark.parametrize(
    ("state", "more", "event", "role", "given", "reason"),
    [
        ("assigned", {}, "accept", "field", {"unit": "patrol-2"}, "other_unit"),
        ("responding", {"active": False}, "resolve", "field", {"unit": "patrol-2"}, "other_unit"),
        ("open", {"unit": ""}, "note", "field", {}, "other_unit"),
        ("open", {}, "shelve", "operator", {"until_ns": 0}, "until"),
        ("open", {}, "shelve", "operator", {"until_ns": T}, "until"),
        ("open", {}, "shelve", "operator", {"until_ns": T + 8 * 3600 * S + 1}, "until"),
        ("open", {}, "shelve", "operator", {"until_ns": T + 8 * 3600 * S}, ""),
        ("open", {}, "shelve", "operator", {"reason": ""}, "reason"),
        ("open", {"severity": 1}, "shelve", "operator", {}, "supervisor"),
        ("open", {"severity": 1}, "shelve", "supervisor", {}, ""),
        ("acked", {}, "resolve", "operator", {}, "still_active"),
        ("acked", {"latched": True}, "resolve", "operator", {}, ""),
        ("acked", {}, "resolve", "operator", {"override": True}, "still_active"),
        ("acked", {}, "resolve", "operator", {"override": True, "text": "seen to land"}, ""),
        ("acked", {"active": False}, "resolve", "operator", {"code": "luck"}, "code"),
        ("resolved", {"code": ""}, "close", "operator", {"code": ""}, "code"),
        ("resolved", {"code": "repaired"}, "close", "operator", {"code": ""}, ""),
        ("resolved", {}, "close", "operator", {"code": "luck"}, "code"),
        ("acked", {}, "dismiss", "operator", {"code": "confirmed_incident"}, "code"),
        ("acked", {}, "dismiss", "operator", {"code": "drill"}, ""),
        ("open", {"active": False, "auto": False}, "self_clear", ENGINE, {}, "not_auto"),
        ("open", {"active": False, "severity": 2}, "self_clear", ENGINE, {}, "not_auto"),
        ("closed", {}, "reopen", "supervisor", {"reason": ""}, "reason"),
        ("open", {}, "merge", "operator", {"parent": ID}, "cycle"),
        ("open", {}, "assign", "operator", {"unit": ""}, "unit"),
        ("open", {"active": False}, "clear", ENGINE, {}, "not_active"),
        ("open", {}, "return", ENGINE, {}, "not_cleared"),
        ("open", {}, "raise_severity", ENGINE, {"severity": 3}, "severity"),
        ("open", {}, "raise_severity", ENGINE, {"severity": 0}, "severity"),
        ("open", {}, "note", "operator", {"text": ""}, "text"),
        ("merged", {}, "split", "operator", {"reason": ""}, "reason"),
    ],
)
def test_guards(
    state: str, more: dict[str, Any], event: str, role: str, given: dict[str, Any], reason: str
) -> None:
    around = Around(parent=case_in("open", id=given.get("parent", OTHER)))
    why = refused(case_in(state, **more), asked(event, role, **given), around)
    assert (why.reason if why else "") == reason


def test_guards_that_look_at_other_alerts() -> None:
    merge, assign, resolve = (asked(e, "operator") for e in ("merge", "assign", "resolve"))
    open_, cleared = case_in("open", unit=""), case_in("acked", active=False)

    def reason(case: Case, what: Transition, **around: Any) -> str:
        why = refused(case, what, Around(**around))
        return f"{why.reason} {why.detail}".strip() if why else ""

    child = case_in("merged", id="c" * 32)
    assert reason(open_, merge) == "unknown_parent"
    assert reason(open_, merge, parent=case_in("closed", id=OTHER)) == "parent_closed"
    assert reason(open_, merge, parent=case_in("merged", id=OTHER)) == "depth"
    assert reason(open_, merge, parent=case_in("open", id=OTHER), children=(child,)) == "depth"
    assert reason(open_, assign, busy={"patrol-1": OTHER}) == f"unit_busy {OTHER}"
    assert reason(open_, assign, busy={"patrol-1": ID}) == ""
    assert reason(cleared, resolve, children=(child,)) == f"child_active {child.id}"
    assert reason(cleared, resolve, children=(replace(child, active=False),)) == ""


def test_a_merged_child_names_its_head_when_it_is_asked() -> None:
    why = refused(case_in("merged"), asked("ack", "operator"))
    assert why is not None
    assert why.plain() == {
        "status": 409, "reason": "illegal", "event": "ack", "from": "merged",
        "allowed": ["split", "escalate", "note"], "detail": f"merged into {OTHER}",
    }  # fmt: skip


def test_what_each_event_records() -> None:
    raised = after(Case(), asked("raise", ENGINE, latched=True, auto=True, previous=OTHER))
    assert (raised.id, raised.previous, raised.latched, raised.auto) == (ID, OTHER, True, True)
    assert (raised.active, raised.since_ns, raised.state_ns) == (True, T, T)
    assigned = after(case_in("acked", unit=""), asked("assign", "operator", task="t1", eta_s=90.0))
    assert (assigned.unit, assigned.task, assigned.eta_s) == ("patrol-1", "t1", 90.0)
    assert after(assigned, asked("unassign", "operator")).unit == ""
    closed = after(case_in("resolved"), asked("close", "operator", code="repaired", text="new"))
    assert (closed.code, closed.text, closed.closed_ns) == ("repaired", "new", T)
    again = after(replace(closed, escalation=2), asked("reopen", ENGINE))
    assert (again.code, again.escalation, again.returns, again.active) == ("", 0, 1, True)
    asked_for = after(closed, asked("reopen", "supervisor"))
    assert (asked_for.returns, asked_for.active) == (0, closed.active)
    assert after(case_in("resolved", unit=""), asked("unresolve", "operator")).state == "acked"
    most = fold([asked("escalate", "operator")] * 9, case_in("open"))
    assert (most.escalation, most.timed) == (3, 0)
    assert after(case_in("open"), asked("escalate", ENGINE, timer=1)).timed == 2


def test_the_tag_tells_what_a_person_decides_upon_and_nothing_else() -> None:
    case = case_in("assigned")
    tag = operator_tag(people(case))
    for same in ({"rev": 9}, {"returns": 3}, {"escalation": 2}, {"active": False}):
        assert operator_tag(people(replace(case, **same))) == tag
    for other in ({"state": "acked"}, {"severity": 2}, {"unit": "patrol-2"}, {"parent": OTHER},
                  {"shelved_until_ns": T}, {"prior_state": "open"}):  # fmt: skip
        assert operator_tag(people(replace(case, **other))) != tag
    assert operator_tag({**people(case), "position": {"lat": 1.0}}) == tag


def test_the_words_for_people_are_those_that_a_record_may_have() -> None:
    for state in STATES:
        told = people(case_in(state, escalation=1, task="t", incident=ID, previous=ID, eta_s=3.0))
        assert set(told) <= PEOPLE
    assert {"raise", "update", "clear", "suppress"}.isdisjoint(COMMANDS)
    assert set(CODES) > DISMISSAL
    assert allowed("closed") == ("reopen", "note")


@given(st.lists(st.tuples(st.sampled_from(EVENTS), st.sampled_from([*ROLES, ENGINE])), max_size=40))
def test_whatever_is_asked_a_case_stays_whole(wishes: list[tuple[str, str]]) -> None:
    case, done = Case(), []
    for n, (event, role) in enumerate(wishes):
        step = replace(asked(event, role), t_ns=T + n * S)
        if refused(case, step, AROUND) is None:
            case = after(case, step)
            done.append(step)
        assert case.state in ("", *STATES)
        aside = case.state in ("shelved", "suppressed", "merged")
        assert bool(case.prior_state) == aside
        assert case.prior_state not in ("shelved", "suppressed", "merged", "closed")
        assert bool(case.shelved_until_ns) <= (case.state == "shelved")
        assert (case.state == "closed") <= bool(case.code)
        assert case.rev == len(done)
    assert fold(done) == case
