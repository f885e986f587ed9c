"""What becomes of alerts after they were raised: commands, timers, shelves, closings."""

import json
from collections.abc import Iterable
from math import inf
from typing import Any

import pytest

from v2x.alert import Alert, Finding
from v2x.alerts.cases import operator_tag
from v2x.alerts.commands import Command, Reply
from v2x.alerts.desk import REMEMBERED, IllegalError
from v2x.alerts.engine import Engine
from v2x.alerts.rules import registry
from v2x.picture import Picture

from .pictures import done, engine, ns, picture, run, steps, violations
from .test_engine import ANY, Scripted, at

TIMERS_RUN = True


class Auto(Scripted):
    auto = True


def events(alerts: Iterable[Alert]) -> list[tuple[float, str, str]]:
    """(s, event, state after it)."""
    return [((a.event_ns - ns(0)) / 1e9, a.entry["event"], a.body["state"]) for a in alerts]


def ask(made: Engine, id: str, event: str, t_s: float, **given: Any) -> tuple[Reply, list[Alert]]:
    plain = {"id": id, "event": event, "who": "li.wei", "role": "operator"} | given
    return made.obey(Command.parse(json.dumps(plain).encode(), ns(t_s)), ns(t_s))


def raised(severity: int = 2, until: float = 1e6, **more: Any) -> tuple[Engine, str]:
    """An engine with one alert of the severity, raised at 0 s, active until then."""
    made = engine(Auto(at((0, until), severity=severity), hold_s=0.0, **more))
    (alert,) = run(made, [picture(0)])
    return made, alert.id


def to(made: Engine, start: float, end: float, step: float = 1.0) -> list[Alert]:
    return run(made, [picture(t) for t in steps(start, end, step)])


# Timers


@pytest.mark.parametrize(
    ("severity", "times"),
    [(1, [30.0, 60.0, 120.0, 180.0]), (2, [120.0, 300.0, 600.0]), (3, [1800.0]), (4, [])],
)
def test_nobody_answers(severity: int, times: list[float]) -> None:
    made, _ = raised(severity)
    told = to(made, 1, 3000)
    assert events(told) == [(t, "escalate", "open") for t in times]
    escalations = [a.body["escalation"] for a in told]
    assert escalations == [min(n + 1, 3) for n in range(len(times))]
    heard = [a.entry["given"]["to"] for a in told]
    assert heard == ["supervisor", *["duty_officer"] * 3][: len(times)]


@pytest.mark.parametrize(
    ("event", "given", "then"),
    [("ack", {}, [120.0, 180.0]), ("assign", {"unit": "u"}, [180.0]),
     ("shelve", {"for_s": 7200, "reason": "x"}, [])],
)  # fmt: skip
def test_who_answers_in_time_hears_only_of_what_is_still_missing(
    event: str, given: dict[str, Any], then: list[float]
) -> None:
    made, id = raised(1)
    done(made, id, event, 20, **given)
    assert [t for t, e, _ in events(to(made, 21, 1000)) if e == "escalate"] == then


def test_a_unit_that_is_taken_back_too_late_is_missed_at_once() -> None:
    made, id = raised(1)
    done(made, id, "assign", 20, unit="u")
    to(made, 21, 170)
    done(made, id, "unassign", 170.5)
    assert events(to(made, 171, 400)) == [
        (171.0, "escalate", "acked"),
        (180.0, "escalate", "acked"),
    ]


def test_what_has_cleared_must_still_be_seen_but_needs_nobody_on_his_way() -> None:
    made, _ = raised(1, until=5)
    assert events(to(made, 1, 2000)) == [
        (10.0, "clear", "open"), (30.0, "escalate", "open"), (60.0, "escalate", "open"),
    ]  # fmt: skip


def test_the_record_says_by_when() -> None:
    made, id = raised(1)
    (alert,) = done(made, id, "note", 1, text="camera 4 sees it")
    assert alert.body["timers"] == {"ack_due": "2026-03-01T02:00:30.000Z",
                                    "assign_due": "2026-03-01T02:02:00.000Z"}  # fmt: skip
    (alert,) = done(made, id, "ack", 2)
    assert set(alert.body["timers"]) == {"assign_due"}
    (alert,) = done(made, id, "assign", 3, unit="u", eta_s=90)
    assert "timers" not in alert.body
    assert alert.body["responders"] == [
        {"unit": "u", "status": "assigned", "eta_s": {"expected": 90}}
    ]


def test_more_urgent_it_asks_again() -> None:
    def say(p: Picture) -> list[Finding]:
        return [Finding(ANY, 2 if p.t_ns < ns(50) else 1)]

    made = engine(Scripted(say, hold_s=0.0))
    (first,) = run(made, [picture(0)])
    done(made, first.id, "ack", 10)
    assert events(to(made, 11, 100)) == [
        (50.0, "raise_severity", "open"),
        (80.0, "escalate", "open"),
    ]


def test_a_timer_goes_off_on_ticks_alone_and_once_after_a_gap() -> None:
    made, _ = raised(2)
    assert events(run(made, [picture(130)])) == [(130.0, "escalate", "open")]
    assert events(run(made, [picture(131)])) == []


# Shelves


def test_a_shelf_ends_by_itself_and_what_was_under_it_asks_again() -> None:
    made, id = raised(2)
    (alert,) = done(made, id, "shelve", 10, for_s=600, reason="known works")
    assert (alert.body["state"], alert.body["prior_state"]) == ("shelved", "open")
    assert alert.body["shelved_until"] == "2026-03-01T02:10:10.000Z"
    told = to(made, 11, 740)
    assert events(told) == [(610.0, "unshelve", "open"), (730.0, "escalate", "open")]
    assert "shelved_until" not in told[0].body


def test_a_shelf_breaks_when_it_grows_more_urgent() -> None:
    def say(p: Picture) -> list[Finding]:
        return [Finding(ANY, 3 if p.t_ns < ns(50) else 1)]

    made = engine(Scripted(say, hold_s=0.0))
    (first,) = run(made, [picture(0)])
    done(made, first.id, "ack", 5)
    done(made, first.id, "shelve", 10, for_s=600, reason="known")
    assert events(to(made, 11, 60)) == [
        (50.0, "unshelve", "acked"), (50.0, "raise_severity", "open"),
    ]  # fmt: skip


# Over by itself, over by a person, and back


def test_severity_three_that_has_cleared_is_resolved_and_then_closed_by_the_engine() -> None:
    made, _ = raised(3, until=5)
    told = to(made, 1, 700)
    assert events(told) == [(10.0, "clear", "open"), (10.0, "self_clear", "resolved"),
                            (610.0, "close", "closed")]  # fmt: skip
    assert told[-1].body["close"] == {"code": "self_cleared"}


@pytest.mark.parametrize("severity", [1, 2])
def test_the_engine_ends_no_severity_one_or_two(severity: int) -> None:
    made, id = raised(severity, until=5)
    to(made, 1, 30)
    done(made, id, "ack", 31)
    assert {state for _, _, state in events(to(made, 32, 5000))} <= {"acked"}
    done(made, id, "resolve", 5001, code="confirmed_unauthorised")
    (alert,) = done(made, id, "note", 5002, text="report 17")
    assert alert.body["state"] == "resolved"


def test_a_rule_that_is_not_auto_waits_for_a_person() -> None:
    made = engine(Scripted(at((0, 5)), hold_s=0.0))
    run(made, [picture(0)])
    assert events(to(made, 1, 1700)) == [(10.0, "clear", "open")]


def test_what_comes_back_while_it_is_resolved_is_open_again() -> None:
    made = engine(Scripted(at((0, 5), (100, 1000)), hold_s=0.0))
    (first,) = run(made, [picture(0)])
    to(made, 1, 20)
    done(made, first.id, "ack", 21)
    done(made, first.id, "resolve", 22)
    told = to(made, 23, 110)
    assert events(told) == [(100.0, "return", "open")]
    assert told[0].body["returns"] == 1


def test_what_was_closed_although_it_lasts_stays_closed_until_it_ends_and_comes_back() -> None:
    made = engine(Scripted(at((0, 50), (100, 1000)), hold_s=0.0))
    (first,) = run(made, [picture(0)])
    for event, given in (("ack", {}), ("resolve", {"override": True, "text": "ours"}),
                         ("close", {"code": "no_incident"})):  # fmt: skip
        done(made, first.id, event, 10, **given)
    told = to(made, 11, 110)
    assert events(told) == [(55.0, "clear", "closed"), (100.0, "reopen", "open")]
    assert "close" not in told[-1].body


def test_what_was_closed_as_harmless_and_grows_more_urgent_is_open_again() -> None:
    def say(p: Picture) -> list[Finding]:
        return [Finding(ANY, 3 if p.t_ns < ns(50) else 1)]

    made = engine(Scripted(say, hold_s=0.0))
    (first,) = run(made, [picture(0)])
    done(made, first.id, "ack", 5)
    done(made, first.id, "dismiss", 6, code="bird_or_clutter")
    told = to(made, 7, 60)
    assert [(e, a.severity) for (_, e, _), a in zip(events(told), told, strict=True)] == [
        ("reopen", 1)
    ]


def test_a_latched_alert_that_a_person_ended_can_be_raised_again() -> None:
    made = engine(Scripted(at((0, 20), (100, 101)), hold_s=0.0, quiet_s=inf))
    (first,) = run(made, [picture(0)])
    done(made, first.id, "ack", 5)
    done(made, first.id, "resolve", 6, code="no_incident")
    done(made, first.id, "close", 7)
    assert events(to(made, 8, 110)) == [(30.0, "clear", "closed"), (100.0, "reopen", "open")]


def test_a_device_that_is_back_needs_no_person() -> None:
    assert registry()["device_silent"].auto  # type: ignore[attr-defined]
    spoke = {"radar-1": 0.0, "radar-2": 0.0}
    made = engine(registry()["device_silent"])
    told = run(made, [picture(t, spoke=spoke if t < 20 else {"radar-1": t, "radar-2": t})
                      for t in steps(0, 30, 1.0)])  # fmt: skip
    assert {a.body["state"] for a in told if a.event_ns > ns(21)} == {"open", "resolved"}


# Commands


def test_two_acks_are_one_and_two_different_assigns_are_one_told_to_the_other() -> None:
    made, id = raised()
    tag = ask(made, id, "note", 1, text="x")[0].tag
    first, one = ask(made, id, "ack", 2, if_match=tag, key="a")
    second, none = ask(made, id, "ack", 3, if_match=tag, key="b")
    assert (first.changed, second.changed, second.refused, none) == (True, False, None, [])
    assert (second.state, second.rev) == ("acked", one[0].rev)
    tag = operator_tag(one[0].body)
    assert ask(made, id, "assign", 4, if_match=tag, unit="u1")[0].refused is None
    late, _ = ask(made, id, "assign", 5, if_match=tag, unit="u2")
    assert late.refused is not None
    assert (late.refused.status, late.refused.reason) == (412, "changed")
    assert (late.state, late.refused.detail) == ("assigned", late.tag)


def test_the_tag_outlives_a_target_that_moves() -> None:
    made, id = raised()
    before = ask(made, id, "note", 1, text="x")[0].tag
    moved = engine_moves(made)
    assert moved
    assert ask(made, id, "ack", 9, if_match=before)[0].refused is None


def engine_moves(made: Engine) -> bool:
    life = next(iter(made.desk.held.values()))
    revs = life.case.rev
    for k in range(3):
        life.facts = {**life.facts, "position": {"lat": 1.0 + k, "lon": 2.0}}
        made.desk.act(life, "update", ns(5 + k))
    return life.case.rev == revs + 3


def test_a_key_gives_its_first_answer_and_does_nothing_again() -> None:
    made, id = raised()
    _, alerts = ask(made, id, "ack", 1, key="k")
    done(made, id, "assign", 2, unit="u")
    again, none = ask(made, id, "ack", 3, key="k")
    assert (len(alerts), none) == (1, [])
    assert (again.repeated, again.changed, again.state, again.rev) == (True, True, "acked", 2)
    other, none = ask(made, id, "note", 4, key="k", text="another thing")
    assert none == []
    assert other.refused is not None
    assert (other.refused.status, other.refused.reason) == (422, "key_reused")
    assert ask(made, id, "ack", 5, key="k")[0].refused is None


def test_who_nobody_is_and_what_nobody_knows() -> None:
    made, id = raised()
    for id_, role, status in ((id, "viewer", 403), ("f" * 32, "viewer", 403),
                              ("f" * 32, "operator", 404), (id, "auditor", 403)):  # fmt: skip
        reply, alerts = ask(made, id_, "ack", 1, role=role)
        assert alerts == []
        assert reply.refused is not None
        assert reply.refused.status == status
    reply, _ = ask(made, id, "close", 2, code="repaired")
    assert reply.plain()["refused"]["from"] == "open"
    assert reply.plain()["refused"]["allowed"] == [
        "ack", "assign", "shelve", "merge", "escalate", "note",
    ]  # fmt: skip


def test_one_unit_is_sent_to_one_alert() -> None:
    made = engine(Scripted(lambda p: [Finding(("device", n), 2) for n in "ab"], hold_s=0.0))
    a, b = run(made, [picture(0)])[:2]
    done(made, a.id, "assign", 1, unit="u")
    reply, _ = ask(made, b.id, "assign", 2, unit="u")
    assert reply.refused is not None
    assert (reply.refused.reason, reply.refused.detail) == ("unit_busy", a.id)
    done(made, a.id, "unassign", 3)
    done(made, b.id, "assign", 4, unit="u")


def test_answers_are_remembered_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("v2x.alerts.desk.REMEMBERED", 3)
    made, id = raised()
    for n in range(5):
        ask(made, id, "note", n + 1, key=f"k{n}", text="x")
    assert list(made.desk.replies) == ["k2", "k3", "k4"]
    assert REMEMBERED == 10_000


def test_the_engine_asking_for_what_is_not_in_the_table_is_our_bug() -> None:
    made, id = raised()
    with pytest.raises(IllegalError, match="close in 'open': illegal"):
        made.desk.act(made.desk.held[id], "close", ns(1), code="unknown")


def test_every_revision_has_its_entry_and_is_good_by_the_schema() -> None:
    made, id = raised(1)
    alerts = done(made, id, "assign", 1, unit="u", key="k")
    alerts += done(made, id, "accept", 2, role="field", unit="u", who="car 7", eta_s=40)
    alerts += done(made, id, "resolve", 3, override=True, text="landed", code="confirmed_incident")
    alerts += done(made, id, "close", 4)
    for alert in alerts:
        assert not list(violations(alert.body))
        assert (alert.entry["id"], alert.entry["rev"]) == (alert.id, alert.rev)
        assert (alert.entry["from"] == alert.entry["to"]) is False
    assert [a.entry["to"] for a in alerts] == ["assigned", "responding", "resolved", "closed"]
    assert alerts[0].entry == {
        "id": id, "rev": 2, "t": "2026-03-01T02:00:01.000Z", "t_ns": ns(1), "event": "assign",
        "from": "open", "to": "assigned", "who": "li.wei", "role": "supervisor",
        "given": {"unit": "u"}, "command": "k",
    }  # fmt: skip
    assert alerts[-1].body["close"] == {"code": "confirmed_incident", "text": "landed"}
