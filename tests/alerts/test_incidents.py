"""Which alerts are merged, withheld or told less often, and when they speak again."""

from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from v2x.alert import Alert, Finding, Subject
from v2x.alerts.engine import Engine
from v2x.alerts.inhibition import Window
from v2x.picture import Picture

from .pictures import done, engine, ns, picture, run, steps
from .test_engine import Scripted

TRACK: Subject = ("track", 7)
Spans = Mapping[tuple[Subject, str], Iterable[tuple[float, float, int]]]


def rule(type: str, spans: Spans, **more: Any) -> Scripted:
    """Findings by (subject, zone) in spans of (from s, to s, severity)."""

    def say(p: Picture) -> list[Finding]:
        return [
            Finding(subject, severity, zone=zone)
            for (subject, zone), parts in spans.items()
            for start, end, severity in parts
            if ns(start) <= p.t_ns <= ns(end)
        ]

    return Scripted(say, type, **({"hold_s": 0.0} | more))


def to(made: Engine, start: float, end: float) -> list[Alert]:
    return run(made, [picture(t) for t in steps(start, end, 1.0)])


def story(alerts: Iterable[Alert]) -> list[tuple[float, str, str, str]]:
    return [((a.event_ns - ns(0)) / 1e9, a.type, a.entry["event"], a.body["state"]) for a in alerts]


def now(made: Engine) -> dict[str, str]:
    """State of each alert by its type."""
    return {life.rule: life.case.state for life in made.desk.held.values()}


def two(first: Iterable[tuple[float, float, int]], second: Iterable[tuple[float, float, int]]
        ) -> Engine:  # fmt: skip
    """An alert of a dark drone, and one of the same drone inside a zone."""
    return engine(
        rule("uas_dark", {(TRACK, ""): first}), rule("zone_intrusion", {(TRACK, "P-1"): second})
    )


def test_a_second_alert_about_one_target_is_raised_and_then_merged_into_the_first() -> None:
    made = two([(0, 99, 1)], [(5, 99, 1)])
    told = to(made, 0, 9)
    assert story(told) == [
        (0.0, "uas_dark", "raise", "open"),
        (5.0, "uas_dark", "update", "open"),
        (5.0, "zone_intrusion", "raise", "open"),
        (5.0, "zone_intrusion", "merge", "merged"),
    ]
    head, child = told[1].body, told[3].body
    assert head["reasons"][-1] == {"code": "also", "value": "zone_intrusion"}
    assert head["incident"] == child["incident"]
    assert (child["parent"], child["prior_state"]) == (head["id"], "open")


def test_the_more_urgent_one_speaks_for_both() -> None:
    made = two([(0, 99, 3)], [(5, 99, 1)])
    told = to(made, 0, 9)
    assert now(made) == {"uas_dark": "merged", "zone_intrusion": "open"}
    assert [(t, e) for t, type, e, _ in story(told) if type == "zone_intrusion"] == [
        (5.0, "raise"), (5.0, "update"),
    ]  # fmt: skip


def test_children_of_a_head_that_is_outranked_go_to_the_new_one() -> None:
    made = engine(
        rule("uas_dark", {(TRACK, ""): [(0, 99, 3)]}),
        rule("uas_unregistered", {(TRACK, ""): [(2, 99, 4)]}),
        rule("zone_intrusion", {(TRACK, "P-1"): [(5, 99, 1)]}),
    )
    to(made, 0, 9)
    heads = {life.rule: life.case.parent for life in made.desk.held.values()}
    (head,) = [life for life in made.desk.held.values() if life.rule == "zone_intrusion"]
    assert heads == {"uas_dark": head.id, "uas_unregistered": head.id, "zone_intrusion": ""}
    assert head.also == ("uas_dark", "uas_unregistered")
    assert len({life.case.incident for life in made.desk.held.values()}) == 1


def test_a_head_somebody_was_sent_for_is_not_merged_away() -> None:
    made = two([(0, 99, 3)], [(5, 99, 1)])
    (first,) = to(made, 0, 1)
    done(made, first.id, "assign", 2, unit="u")
    to(made, 3, 9)
    assert now(made) == {"uas_dark": "assigned", "zone_intrusion": "open"}
    assert len({life.case.incident for life in made.desk.held.values()}) == 1


def test_a_child_that_grows_more_urgent_than_its_head_speaks_for_both() -> None:
    made = two([(0, 99, 2)], [(5, 19, 3), (20, 99, 1)])
    to(made, 0, 10)
    assert now(made) == {"uas_dark": "open", "zone_intrusion": "merged"}
    told = to(made, 11, 25)
    assert [(t, e) for t, type, e, _ in story(told) if type == "zone_intrusion"] == [
        (20.0, "raise_severity"), (20.0, "split"),
    ]  # fmt: skip
    assert now(made)["zone_intrusion"] == "open"


def pair(first: Iterable[tuple[float, float, int]], second: Iterable[tuple[float, float, int]]
         ) -> Engine:  # fmt: skip
    """Two alerts about one drone that no zone keeps."""
    return engine(
        rule("uas_dark", {(TRACK, ""): first}), rule("uas_unregistered", {(TRACK, ""): second})
    )


def test_what_is_closed_with_its_head_bears_its_code() -> None:
    made = pair([(0, 3, 1)], [(0, 3, 1)])
    told = to(made, 0, 20)
    head = told[0].id
    done(made, head, "ack", 21)
    done(made, head, "resolve", 22, code="confirmed_unauthorised")
    alerts = done(made, head, "close", 23)
    assert [(a.body["state"], a.body["close"]["code"]) for a in alerts] == [
        ("closed", "confirmed_unauthorised")
    ] * 2


def test_a_head_is_not_over_while_a_child_lasts_and_a_child_that_returns_opens_it() -> None:
    made = pair([(0, 3, 1)], [(0, 3, 1), (40, 99, 1)])
    told = to(made, 0, 20)
    head = told[0].id
    done(made, head, "ack", 21)
    done(made, head, "resolve", 22)
    told = to(made, 23, 45)
    assert story(told) == [
        (40.0, "uas_dark", "unresolve", "acked"),
        (40.0, "uas_unregistered", "return", "merged"),
    ]
    made = pair([(0, 3, 1)], [(0, 99, 1)])
    to(made, 0, 20)
    done(made, head, "ack", 21)
    with pytest.raises(AssertionError, match="child_active"):
        done(made, head, "resolve", 22)


def test_a_person_splits_and_merges() -> None:
    made = two([(0, 99, 1)], [(0, 99, 1)])
    to(made, 0, 1)
    (child,) = [life for life in made.desk.held.values() if life.case.state == "merged"]
    head = child.case.parent
    done(made, child.id, "split", 2, reason="another drone")
    assert child.case.state == "open"
    to(made, 3, 9)
    assert child.case.state == "open"  # what a person took apart the engine leaves apart
    done(made, child.id, "merge", 10, parent=head)
    assert child.case.parent == head


def test_two_drones_in_one_zone_are_one_incident_and_ask_one_by_one() -> None:
    far = ("track", 8)
    made = engine(rule("zone_intrusion", {(TRACK, "P-1"): [(0, 99, 1)], (far, "P-1"): [(30, 99, 1)],
                                          (("track", 9), "P-1"): [(95, 99, 1)]}))  # fmt: skip
    to(made, 0, 99)
    lives = list(made.desk.held.values())
    assert [life.case.state for life in lives] == ["open"] * 3
    first, second, third = (life.case.incident for life in lives)
    assert (first, first != "") == (second, True)
    assert third == ""


# Inhibition


def device(*spans: tuple[float, float, int], name: str = "radar-1") -> Spans:
    return {(("device", name), ""): spans}


def test_a_silent_device_hides_what_else_is_wrong_with_it_and_with_no_other() -> None:
    made = engine(
        rule("device_silent", device((10, 50, 3)), quiet_s=3.0),
        rule("device_biased", device((0, 99, 3)) | device((0, 99, 3), name="radar-2")),
        texts=("device_biased",),
    )
    told = [a for a in to(made, 0, 70) if a.body["subject"]["device"] == "radar-1"]
    assert story(told) == [
        (0.0, "device_biased", "raise", "open"),
        (10.0, "device_biased", "suppress", "suppressed"),
        (10.0, "device_silent", "raise", "open"),
        (53.0, "device_biased", "unsuppress", "open"),
        (53.0, "device_silent", "clear", "open"),
    ]
    assert told[1].body["suppressed_by"] == told[2].id
    assert "suppressed_by" not in told[3].body
    assert told[3].body["onset"] == told[0].body["onset"]


def test_what_begins_while_its_device_is_silent_pages_nobody_until_it_speaks() -> None:
    made = engine(
        rule("device_silent", device((0, 20, 3)), quiet_s=3.0),
        rule("device_biased", device((10, 99, 2))),
        texts=("device_biased",),
    )
    told = [a for a in to(made, 0, 40) if a.type == "device_biased"]
    assert [(t, e, s) for t, _, e, s in story(told)] == [
        (10.0, "suppress", "suppressed"), (23.0, "unsuppress", "open"),
    ]  # fmt: skip
    assert (told[0].rev, told[0].body["prior_state"]) == (1, "open")


@pytest.mark.parametrize(("start", "times"), [(0, [(0.0, "suppress"), (30.0, "unsuppress")]),
                                              (10, [(0.0, "raise"), (10.0, "suppress"),
                                                    (30.0, "unsuppress")])])  # fmt: skip
def test_work_on_a_device_hides_its_alerts_for_as_long(
    start: int, times: list[tuple[float, str]]
) -> None:
    window = Window("radar-1", ns(start), ns(30))
    made = engine(rule("device_silent", device((0, 99, 3))), windows=(window,))
    told = to(made, 0, 40)
    assert [(t, e) for t, _, e, _ in story(told)] == times
    assert told[-2].body["suppressed_by"] == "maintenance:radar-1"


def test_what_came_and_went_while_it_was_hidden_is_over_by_itself_afterwards() -> None:
    window = Window("radar-1", ns(0), ns(30))
    made = engine(rule("device_silent", device((5, 10, 3)), auto=True), windows=(window,))
    assert [(t, e, s) for t, _, e, s in story(to(made, 0, 40))] == [
        (5.0, "suppress", "suppressed"), (15.0, "clear", "suppressed"),
        (30.0, "unsuppress", "open"), (30.0, "self_clear", "resolved"),
    ]  # fmt: skip


# Flood


def flood(severity: int, n: int) -> list[float]:
    """Seconds at which the first of n alerts, whose place changes all the time, is told."""

    def say(p: Picture) -> list[Finding]:
        east = (p.t_ns - ns(0)) / 1e15
        return [Finding(("device", f"d{k:02d}"), severity, lat=39.0, lon=117.0 + east)
                for k in range(n)]  # fmt: skip

    made = engine(Scripted(say, hold_s=0.0))
    told = run(made, [picture(t) for t in steps(0, 200, 0.5)])
    assert made.counts()["floods"] == (n > 10)
    assert {a.body["subject"]["device"] for a in told if a.rev == 1} == {
        f"d{k:02d}" for k in range(n)
    }
    return [(a.event_ns - ns(0)) / 1e9 for a in told if a.body["subject"]["device"] == "d00"]


def test_more_than_ten_in_ten_minutes_tell_their_repeats_together_once_a_minute() -> None:
    assert flood(3, 10) == [5.0 * k for k in range(41)]
    assert flood(3, 11) == [0.0, 60.0, 120.0, 180.0]
    assert flood(2, 11) == [1.0 * k for k in range(201)]
