import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from math import inf, nan
from pathlib import Path
from typing import Any

import pytest

from v2x.alert import Alert, Finding, alert_id
from v2x.alerts import rules
from v2x.alerts.engine import digest_alerts
from v2x.alerts.rules import registry
from v2x.alerts.rules.uas_dark import RULE as UAS_DARK
from v2x.alerts.rules.zone_intrusion import RULE as ZONE_INTRUSION
from v2x.alerts.stamps import iso_utc
from v2x.alerts.texts import LANGUAGES, catalogue, render
from v2x.observations import Kind
from v2x.picture import ClaimStatus, Picture, Registered, Verdict, ZoneKind
from v2x.readings import Name
from v2x.tracks import Status

from .pictures import (
    RADAR,
    RID,
    SCHEMA,
    ZONES,
    done,
    drone,
    engine,
    heard,
    ns,
    picture,
    run,
    steps,
    story,
    violations,
)

Say = Callable[[Picture], Sequence[Finding]]
ANY = ("device", "radar-1")


class Scripted:
    """A rule that says what a function says; borrows a type so that it has a text."""

    hold_s, quiet_s = 1.0, 5.0

    def __init__(self, say: Say, type: str = "device_silent", **given: Any) -> None:
        self.say, self.type = say, type
        for name, value in given.items():
            setattr(self, name, value)

    def check(self, picture: Picture) -> Iterator[Finding]:
        yield from self.say(picture)


def at(*spans: tuple[float, float], **finding: Any) -> Say:
    """One finding in each slice of the spans (s, both ends in)."""

    def say(picture: Picture) -> list[Finding]:
        inside = any(ns(a) <= picture.t_ns <= ns(b) for a, b in spans)
        return [Finding(**{"subject": ANY, "severity": 3} | finding)] if inside else []

    return say


def play(rule: Scripted, times: Sequence[float], **more: Any) -> list[tuple[float, int, str, int]]:
    return story(run(engine(rule, **more), [picture(t) for t in times]))


# Hold, quiet, dead band


@pytest.mark.parametrize(("last", "raised"), [(1.0, True), (0.95, False)])
def test_a_finding_must_last_for_the_hold(last: float, raised: bool) -> None:
    assert bool(play(Scripted(at((0, last))), steps(0, 3, 0.05))) == raised


@pytest.mark.parametrize(("gap", "raised_at"), [(0.30, 1.0), (0.35, 1.75)])
def test_a_hold_survives_gaps_of_three_tenths(gap: float, raised_at: float) -> None:
    told = play(Scripted(at((0, 0.4), (0.4 + gap, 9))), steps(0, 3, 0.05))
    assert told[0][0] == raised_at


def test_the_onset_is_the_first_slice_of_the_hold() -> None:
    (alert,) = run(engine(Scripted(at((2, 9)))), [picture(t) for t in steps(0, 4)])
    assert alert.body["onset"] == "2026-03-01T02:00:02.000Z"
    assert alert.body["event_time"] == "2026-03-01T02:00:03.000Z"
    assert alert.id == alert_id("device_silent", ANY, "", ns(2))


@pytest.mark.parametrize(("kept", "raised_at"), [(0.5, 1.5), (0.9, 1.9), (1.5, 3.0)])
def test_a_finding_that_only_keeps_stops_the_hold_and_does_not_end_it(
    kept: float, raised_at: float
) -> None:
    def say(picture: Picture) -> list[Finding]:
        return [Finding(ANY, 3, raises=not ns(0.45) < picture.t_ns <= ns(0.45 + kept))]

    (alert, *_) = run(engine(Scripted(say)), [picture(t) for t in steps(0, 4, 0.05)])
    onset = 0.0 if kept < 1.0 else raised_at - 1.0
    assert story([alert]) == [(raised_at, 1, "active", 3)]
    assert alert.body["onset"] == iso_utc(ns(onset))


def test_two_missed_looks_delay_an_alert_by_as_much_and_no_more() -> None:
    def seen(t: float) -> Picture:
        one = drone(verdict=Verdict.DARK, exist=0.86 if 2.0 < t <= 2.6 else 0.99)
        return picture(t, [one])

    (alert,) = run(engine(UAS_DARK), [seen(t) for t in steps(0, 8)])
    assert story([alert]) == [(5.6, 1, "active", 3)]


def test_a_track_that_may_not_be_there_starts_no_alert_and_keeps_one() -> None:
    def seen(t: float) -> Picture:
        return picture(t, [drone(verdict=Verdict.DARK, exist=0.89 if t < 30 or t > 50 else 0.9)])

    assert story(run(engine(UAS_DARK), [seen(t) for t in steps(0, 80)])) == [(35.0, 1, "active", 3)]


def test_quiet_time_counts_from_the_last_finding() -> None:
    told = play(Scripted(at((0, 2), (6.9, 8))), steps(0, 20))
    assert told == [(1.0, 1, "active", 3), (13.0, 2, "cleared", 3)]


def test_between_keep_and_raise_limit_it_stays_and_does_not_start() -> None:
    def say(picture: Picture) -> list[Finding]:
        return [Finding(ANY, 3, raises=ns(5) <= picture.t_ns <= ns(7))]

    assert play(Scripted(say), steps(0, 60)) == [(6.0, 1, "active", 3)]


def test_a_finding_may_need_less_hold_and_more_quiet_than_its_rule() -> None:
    rule = Scripted(at((0, 0), hold_s=0.0, quiet_s=8.0))
    assert play(rule, steps(0, 20)) == [(0.0, 1, "active", 3), (8.0, 2, "cleared", 3)]
    rule = Scripted(at((0, 9), hold_s=60.0, quiet_s=1.0))
    assert play(rule, steps(0, 20)) == [(1.0, 1, "active", 3), (14.0, 2, "cleared", 3)]


def test_an_operator_sets_hold_and_quiet_or_switches_a_rule_off() -> None:
    rule = Scripted(at((0, 5)))
    told = play(rule, steps(0, 20), settings={"device_silent": (True, 2.0, 3.0)})
    assert told == [(2.0, 1, "active", 3), (8.0, 2, "cleared", 3)]
    assert not play(rule, steps(0, 20), settings={"device_silent": (False, None, None)})


def test_latched_never_clears_by_itself() -> None:
    told = play(Scripted(at((0, 1)), hold_s=0.0, quiet_s=inf), steps(0, 4000, 40.0))
    assert told == [(0.0, 1, "active", 3)]


def test_a_clock_that_skips_an_hour_is_no_hold() -> None:
    assert not play(Scripted(at((0, 9000))), [0.0, 3600.0, 7200.0])


# Return, previous


@pytest.mark.parametrize(("again", "same"), [(906.9, True), (907.1, False)])
def test_back_within_fifteen_minutes_of_its_close_is_the_same_alert_and_later_a_new_one(
    again: float, same: bool
) -> None:
    made = engine(Scripted(at((0, 2), (again - 1.0, again))))
    alerts = run(made, [picture(t) for t in steps(0, 7)])
    assert story(alerts)[1] == (7.0, 2, "cleared", 3)
    for event, given in (("ack", {}), ("dismiss", {"code": "no_incident"})):
        done(made, alerts[0].id, event, 7.0, **given)
    alerts += run(made, [picture(t) for t in [*steps(7.1, 8), *steps(905, 910)]])
    back = alerts[2]
    if same:
        assert (back.id, back.rev, back.condition) == (alerts[0].id, 5, "active")
        assert back.body["state"] == "open"
        assert (back.body["returns"], back.body.get("previous")) == (1, None)
        assert back.body["onset"] == alerts[0].body["onset"]
    else:
        assert back.rev == 1
        assert (back.body["returns"], back.body["previous"]) == (0, alerts[0].id)


def test_what_nobody_has_closed_comes_back_as_itself_however_late() -> None:
    rule = Scripted(at((0, 2), (90_000, 90_002)))
    alerts = run(engine(rule), [picture(t) for t in [*steps(0, 8), *steps(90_000, 90_002)]])
    assert [a.rev for a in alerts] == [1, 2, 3]
    assert len({a.id for a in alerts}) == 1
    assert alerts[2].body["returns"] == 1


def test_raise_and_clear_alternate() -> None:
    rule = Scripted(at(*[(t, t + 2.0) for t in range(0, 80, 10)]))
    alerts = run(engine(rule), [picture(t) for t in steps(0, 90)])
    assert [a.condition for a in alerts] == ["active", "cleared"] * 8
    assert [a.rev for a in alerts] == list(range(1, 17))


# Severity, reasons, rates


def test_severity_rises_at_once_and_falls_after_the_quiet_time_to_the_worst_of_it() -> None:
    def say(picture: Picture) -> list[Finding]:
        second = (picture.t_ns - ns(0)) // 1_000_000_000
        return [Finding(ANY, {0: 3, 1: 3, 2: 2, 3: 4, 4: 1, 7: 2}.get(second, 4))]

    told = play(Scripted(say), steps(0, 20))
    assert [(t, s) for t, _, _, s in told] == [(1.0, 3), (2.0, 2), (4.0, 1), (9.9, 2), (14.9, 4)]


def test_a_latched_alert_never_becomes_less_severe() -> None:
    def say(picture: Picture) -> list[Finding]:
        return [Finding(ANY, 1 if picture.t_ns <= ns(1) else 3)]

    told = play(Scripted(say, quiet_s=inf), steps(0, 60))
    assert [s for *_, s in told] == [1]


def test_a_new_reason_is_told_at_once_and_a_flapping_one_at_the_rate() -> None:
    def say(picture: Picture) -> list[Finding]:
        odd = (picture.t_ns // 100_000_000) % 2
        more = (("zone", "P-1", None, ""),) if odd and picture.t_ns > ns(2) else ()
        return [Finding(ANY, 3, reasons=(("silent_s", 4.0, 3.0, "s"), *more))]

    told = play(Scripted(say), steps(0, 12))
    assert told[0][0] == 1.0
    assert told[1][0] == 2.1
    assert [b[0] - a[0] >= 5.0 for a, b in pairwise(told[1:])] == [True]


def test_a_reason_names_its_text_a_number_alone_is_no_news() -> None:
    def say(picture: Picture) -> list[Finding]:
        zone = "P-1" if picture.t_ns < ns(3) else "P-2"
        value = (picture.t_ns - ns(0)) / 1e9
        reasons = (("zone", zone, None, ""), ("silent_s", value, 3.0, "s"))
        return [Finding(ANY, 3, reasons=reasons)]

    assert [t for t, *_ in play(Scripted(say), steps(0, 60))] == [1.0, 3.0]


@pytest.mark.parametrize(("zone", "period"), [("P-1", 1.0), ("R-1", 1.0), ("W-1", 5.0)])
def test_positions_are_told_once_a_second_or_every_five(zone: str, period: float) -> None:
    made = [picture(t, [drone(east=10.0 * t)], inside=[(0, zone, 1.0)]) for t in steps(0, 21)]
    times = [t for t, *_ in story(run(engine(ZONE_INTRUSION), made))]
    assert times == [round(1.0 + i * period, 3) for i in range(len(times))]
    assert len(times) == 1 + int(20 / period)


def test_who_stands_still_is_not_told_again() -> None:
    made = [picture(t, [drone()], inside=[(0, "P-1", 1.0)]) for t in steps(0, 60)]
    assert len(run(engine(ZONE_INTRUSION), made)) == 1


# Lost, found again, zones that end


def inside(t: float, *rows: dict[str, Any], p: float = 1.0) -> Picture:
    return picture(t, list(rows), inside=[(i, "P-1", p) for i in range(len(rows))])


def test_a_track_lost_inside_is_no_exit() -> None:
    made = [inside(t, drone()) if t <= 2 else picture(t) for t in steps(0, 200, 0.2)]
    alerts = run(engine(ZONE_INTRUSION), made)
    assert story(alerts) == [(1.0, 1, "active", 1), (2.2, 2, "active", 1)]
    assert alerts[1].body["reasons"][-1] == {"code": "lost_inside"}
    assert "lost from sight inside P-1" in alerts[1].body["text"]["en"]
    assert alerts[1].body["position"] == alerts[0].body["position"]


def test_a_track_that_coasts_out_of_the_zone_is_no_exit() -> None:
    def at_time(t: float) -> Picture:
        if t <= 2:
            return inside(t, drone(v_east=20.0))
        gone = drone(v_east=20.0, east=20.0 * (t - 2), status=Status.COASTING, last=2.0)
        return picture(t, [gone] if t <= 12 else [])

    alerts = run(engine(ZONE_INTRUSION), [at_time(t) for t in steps(0, 60)])
    assert story(alerts) == [(1.0, 1, "active", 1), (12.1, 2, "active", 1)]
    assert alerts[-1].body["position"]["lon"] == 117.346


def test_a_track_seen_outside_and_then_lost_has_left() -> None:
    def at_time(t: float) -> Picture:
        return inside(t, drone(), p=1.0 if t <= 2 else 0.0) if t <= 4 else picture(t)

    alerts = run(engine(ZONE_INTRUSION), [at_time(t) for t in steps(0, 20)])
    assert story(alerts) == [(1.0, 1, "active", 1), (7.0, 2, "cleared", 1)]


def test_what_a_drone_says_of_itself_does_not_clear_severity_one() -> None:
    def at_time(t: float, sensors: int) -> Picture:
        return inside(t, drone(sensors=RADAR | RID if t <= 2 else sensors), p=float(t <= 2))

    own = run(engine(ZONE_INTRUSION), [at_time(t, RID) for t in steps(0, 20)])
    assert story(own) == [(1.0, 1, "active", 1)]
    seen = run(engine(ZONE_INTRUSION), [at_time(t, RADAR) for t in steps(0, 20)])
    assert story(seen)[-1] == (7.0, 2, "cleared", 1)


def lost_and_found(gap: float, p: float = 1.0, **new: Any) -> list[Alert]:
    """Inside until 2 s, then away for `gap` seconds, then a new track 2 at p."""

    def at_time(t: float) -> Picture:
        if t <= 2:
            return inside(t, drone(ident=new.get("old_ident", "")))
        if t < 2 + gap:
            return picture(t)
        fields = {k: v for k, v in new.items() if k != "old_ident"}
        return inside(t, drone(**{"id": 2, "first": 2 + gap} | fields), p=p)

    return run(engine(ZONE_INTRUSION), [at_time(t) for t in steps(0, 50)])


@pytest.mark.parametrize(
    ("gap", "new", "kept"),
    [
        (10.0, {"east": 99.0}, True),
        (10.0, {"east": 101.0}, False),
        (10.0, {"pos_sd": 1.0, "east": 99.0}, True),
        (19.9, {}, True),
        (20.2, {}, False),
        (30.0, {"ident": "rid:A", "old_ident": "rid:A", "east": 900.0}, True),
        (10.0, {"ident": "rid:B", "old_ident": "rid:A"}, False),
        (10.0, {"ident": "rid:B"}, True),
        (10.0, {"first": 1.0}, False),
    ],
)
def test_a_lost_track_that_comes_back_as_another_keeps_its_alert(
    gap: float, new: dict[str, Any], kept: bool
) -> None:
    alerts = [
        a for a in lost_and_found(gap, **new) if a.entry["given"].get("changed") != ["incident"]
    ]
    assert len({a.id for a in alerts}) == (1 if kept else 2)
    assert [a.body["subject"]["track"] for a in alerts] == ["1", "1", "2"]
    assert alerts[1].body["reasons"][-1]["code"] == "lost_inside"
    if kept:
        assert (alerts[2].rev, alerts[2].condition) == (3, "active")
        assert alerts[2].body["reasons"][-1]["code"] != "lost_inside"


def test_found_again_near_where_it_should_be_by_now() -> None:
    def at_time(t: float) -> Picture:
        if t <= 2:
            return inside(t, drone(v_north=30.0))
        return inside(t, drone(id=2, first=12.0, north=330.0)) if t >= 12 else picture(t)

    alerts = run(engine(ZONE_INTRUSION), [at_time(t) for t in steps(0, 15)])
    assert len({a.id for a in alerts}) == 1


@pytest.mark.parametrize(
    ("gap", "new", "condition"),
    [
        (10.0, {}, "cleared"),
        (10.0, {"sensors": RID}, "active"),
        (10.0, {"kind": Kind.CAR}, "active"),
        (10.0, {"status": Status.TENTATIVE}, "active"),
        (10.0, {"status": Status.COASTING}, "active"),
        (10.0, {"east": 200.0}, "active"),
        (30.0, {}, "active"),
        (30.0, {"ident": "rid:A", "old_ident": "rid:A", "east": 900.0}, "cleared"),
        (30.0, {"ident": "rid:A", "old_ident": "rid:A", "sensors": RID}, "active"),
    ],
)
def test_only_the_same_drone_seen_outside_ends_what_was_lost_inside(
    gap: float, new: dict[str, Any], condition: str
) -> None:
    alerts = lost_and_found(gap, p=0.0, **new)
    assert len({a.id for a in alerts}) == 1
    assert alerts[-1].condition == condition
    if condition == "cleared":
        assert (alerts[-1].event_ns - ns(2 + gap)) / 1e9 == pytest.approx(5.0, abs=0.11)


def test_two_drones_side_by_side_are_not_taken_for_one() -> None:
    def at_time(t: float) -> Picture:
        other = drone(id=2, east=20.0)
        return inside(t, drone(), other) if t <= 2 else inside(t, other)

    alerts = run(engine(ZONE_INTRUSION), [at_time(t) for t in steps(0, 30)])
    assert len({a.id for a in alerts}) == 2
    assert {a.body["subject"]["track"] for a in alerts if "lost_inside" in str(a.body)} == {"1"}


def test_a_new_track_beside_the_coasting_old_one_is_one_alert_not_two() -> None:
    def at_time(t: float) -> Picture:
        if t <= 2:
            return inside(t, drone())
        old = drone(status=Status.COASTING, last=2.0)
        new = drone(id=2, first=2.5, east=5.0)
        return inside(t, *([old, new] if t <= 6 else [new]))

    alerts = run(engine(ZONE_INTRUSION), [at_time(t) for t in steps(0, 30)])
    assert len({a.id for a in alerts}) == 1
    assert [a.body["subject"]["track"] for a in alerts][-1] == "2"


def test_a_dark_drone_that_comes_back_within_its_quiet_time_or_after_is_one_alert() -> None:
    for back in (8.0, 18.0):

        def at_time(t: float, back: float = back) -> Picture:
            if t <= 6:
                return picture(t, [drone(verdict=Verdict.DARK)])
            new = drone(id=2, first=back, verdict=Verdict.DARK)
            return picture(t, [new] if t >= back else [])

        alerts = run(engine(UAS_DARK), [at_time(t) for t in steps(0, 30)])
        assert len({a.id for a in alerts}) == 1
        assert alerts[-1].condition == "active"
        assert alerts[-1].body["subject"]["track"] == "2"
        assert alerts[-1].body["returns"] == (back > 16)


@pytest.mark.parametrize("how", ["closed", "deleted"])
@pytest.mark.parametrize("lost", [False, True])
def test_a_zone_that_ends_clears_its_alerts(how: str, lost: bool) -> None:
    kinds = {k: v for k, v in ZONES.items() if how == "closed" or k != "P-1"}

    def at_time(t: float) -> Picture:
        rows = [] if lost and t >= 2 else [drone()]
        pairs = [(0, "P-1", 1.0)] if rows and t < 4 else []
        over = t >= 4
        return picture(t, rows, inside=pairs, zones=kinds if over else ZONES,
                       closed=["P-1"] if over and how == "closed" else [])  # fmt: skip

    alerts = run(engine(ZONE_INTRUSION), [at_time(t) for t in steps(0, 20)])
    assert story(alerts)[-1][0] == 4.0
    assert alerts[-1].condition == "cleared"
    assert alerts[-1].body["reasons"][-1] == {"code": "zone_ended"}
    assert len(alerts) == (3 if lost else 2)


# Order, bounds, errors


def test_revisions_of_a_slice_stand_in_order_of_rule_subject_and_zone() -> None:
    rows = [drone(id=i, verdict=Verdict.DARK) for i in (10, 9, 100)]
    pairs = [(i, z, 1.0) for i in range(3) for z in ("R-1", "P-1")]
    at_once = (True, 0.0, None)
    settings = {"uas_dark": at_once, "zone_intrusion": at_once}
    made = engine(ZONE_INTRUSION, UAS_DARK, settings=settings)
    alerts = run(made, [picture(0, rows, inside=pairs)])
    got = [(a.type, int(a.body["subject"]["track"]), a.body.get("zone", "")) for a in alerts]
    assert got == sorted(got)
    first = [a for a in alerts if a.rev == 1]
    assert len(first) == 9


def test_of_two_findings_for_one_key_the_raising_and_more_severe_counts() -> None:
    def say(picture: Picture) -> list[Finding]:
        return [Finding(ANY, 1, raises=False), Finding(ANY, 3), Finding(ANY, 2)]

    assert play(Scripted(say, hold_s=0.0), [0.0]) == [(0.0, 1, "active", 2)]


def many(severity: int, count: int, start: int = 0) -> list[Finding]:
    return [Finding(("device", f"d{start + i:03d}"), severity) for i in range(count)]


def test_a_full_engine_forgets_the_cleared_first_and_then_the_least_severe() -> None:
    waves: dict[float, list[Finding]] = {
        0.0: many(4, 4),
        1.0: many(4, 4) + many(2, 4, 100),
        2.0: many(4, 4) + many(2, 4, 100) + many(3, 2, 200) + many(1, 1, 300),
        3.0: many(2, 4, 100) + many(4, 1, 400),
    }
    rule = Scripted(lambda p: waves[(p.t_ns - ns(0)) / 1e9], hold_s=0.0, quiet_s=0.0)
    made = engine(rule, most=8)
    run(made, [picture(0), picture(1)])
    third = run(made, [picture(2)])
    told = [(a.body["subject"]["device"], a.condition) for a in third]
    assert [t for t in told if t[1] == "active"] == [
        ("d200", "active"), ("d201", "active"), ("d300", "active"),
    ]  # fmt: skip
    gone = [a for a in third if a.condition == "cleared"]
    assert len(gone) == 3
    assert all(a.severity == 4 and a.body["reasons"][-1]["code"] == "evicted" for a in gone)
    assert made.counts()["remembered"] == 8
    run(made, [picture(3)])
    assert made.counts() == {
        "active": 5, "remembered": 8, "evicted": 4, "refused": 0, "floods": 1
    }  # fmt: skip


def test_severity_one_and_two_are_never_evicted_and_a_flood_is_refused_and_counted() -> None:
    waves = {0: many(2, 8), 1: many(2, 8) + many(4, 50, 100) + many(1, 1, 300)}
    rule = Scripted(lambda p: waves[(p.t_ns - ns(0)) // 10**9], hold_s=0.0)
    made = engine(rule, most=8)
    run(made, [picture(0)])
    assert run(made, [picture(1)]) == []
    assert made.counts() == {
        "active": 8, "remembered": 8, "evicted": 0, "refused": 51, "floods": 0
    }  # fmt: skip


def test_a_rule_that_breaks_breaks_the_slice() -> None:
    def say(picture: Picture) -> list[Finding]:
        raise ZeroDivisionError("ours")

    with pytest.raises(ZeroDivisionError):
        engine(Scripted(say)).judge(picture(0))


# The record


def test_the_whole_record_of_a_dark_drone_inside_a_prohibited_zone() -> None:
    row = drone(
        id=4611686018427387904, verdict=Verdict.DARK, east=10.0, v_east=3.0, v_north=-4.0,
        agl=85.254, pilot=(39.12, 117.34),
    )  # fmt: skip
    made = engine(UAS_DARK, settings={"uas_dark": (True, 0.0, None)})
    (alert,) = run(made, [picture(0.05, [row], inside=[(0, "P-1", 1.0)])])
    text = alert.body.pop("text")
    assert alert.body == {
        "id": alert.id, "rev": 1, "type": "uas_dark", "severity": 1, "condition": "active",
        "state": "open", "cause": "target", "returns": 0, "drill": False, "replay": False,
        "onset": "2026-03-01T02:00:00.050Z", "event_time": "2026-03-01T02:00:00.050Z",
        "subject": {"track": "4611686018427387904", "kind": "uas", "exist": 0.99},
        "position": {"lat": 39.124, "lon": 117.3460901, "hae_m": 80.05, "amsl_m": 88.25,
                     "agl_m": 85.25, "sd_m": 5.0},
        "velocity": {"east_mps": 3.0, "north_mps": -4.0, "up_mps": 0.0},
        "reasons": [
            {"code": "rid_absent_s", "value": 60.05, "unit": "s"},
            {"code": "p_heard", "value": 0.95, "limit": 0.9},
            {"code": "agl", "value": 85.254, "limit": 10, "unit": "m"},
            {"code": "n_sensors", "value": 1},
            {"code": "zone", "value": "P-1"},
        ],
        "evidence": [{"kind": "radar"}],
        "time_to_breach_s": {"earliest": 0.0, "expected": 0.0, "latest": 0.0},
        "pilot": {"lat": 39.12, "lon": 117.34, "sd_m": 30.0, "source": "remote_id"},
        "v2x": {"version": "1.0", "config_hash": "c0", "zones_hash": "z0"},
    }  # fmt: skip
    assert text == {
        "en": "Drone without Remote ID (suspected) inside P-1, 85 m above ground at 39.12400, "
        "117.34609\nCheck the camera picture, tell the tower, send the nearest unit to look for "
        "the pilot.",
        "zh-CN": "无远程识别信号的无人机(疑似),在 P-1 内,离地 85 米,位置 39.12400, 117.34609\n"
        "核对光电画面,通知塔台,派最近的巡组寻找飞手。",
    }


def test_an_unknown_height_is_absent_in_all_three_references() -> None:
    row = drone(verdict=Verdict.DARK, agl=nan)
    made = engine(UAS_DARK, settings={"uas_dark": (True, 0.0, None)})
    (alert,) = run(made, [picture(0, [row])])
    assert set(alert.body["position"]) == {"lat", "lon", "sd_m"}
    assert "up_mps" not in alert.body["velocity"]
    assert "above ground" not in alert.body["text"]["en"]


def test_a_claim_is_called_an_identity_only_when_a_sensor_agrees() -> None:
    serial = "rid:1581F4XX0003"
    for claim, names in (
        (ClaimStatus.CLAIMED, {"claimed_identity"}),
        (ClaimStatus.CORROBORATED, {"claimed_identity", "identity"}),
    ):
        row = drone(ident=serial, claim=claim, sensors=RADAR | RID)
        made = engine(ZONE_INTRUSION, settings={"zone_intrusion": (True, 0.0, None)})
        told = picture(0, [row], inside=[(0, "P-1", 1.0)], readings=heard(serial, "rid-1"))
        (alert,) = run(made, [told])
        assert set(alert.body["subject"]) == names | {"track", "kind", "exist"}
        assert alert.body["evidence"] == [
            {"sensor": "rid-1", "kind": "remote_id", "last_seen": "2026-03-01T02:00:00.000Z"},
            {"kind": "radar"},
        ]
        assert "(confirmed)" in alert.body["text"]["en"]


@pytest.mark.parametrize(
    ("lat", "lon"), [(39.12, 117.35), (39.12, -117.35), (-39.12, 117.35), (-39.12, -117.35)]
)
def test_a_place_keeps_its_signs_in_every_quadrant(lat: float, lon: float) -> None:
    made = engine(Scripted(at((0, 0), lat=lat, lon=lon), hold_s=0.0))
    (alert,) = run(made, [picture(0)])
    assert alert.body["position"] == {"lat": lat, "lon": lon}
    assert f"{lat:.5f}, {lon:.5f}" in alert.body["text"]["en"]


def test_the_demo_scene_raises_what_it_should() -> None:
    """A dark drone and a stray one inside P-1, a stranger outside, an SOS, a silent radar."""
    stray, stranger, bus = "rid:STRAY", "rid:STRANGER", "808:013800138000"
    rows = [
        drone(id=1, verdict=Verdict.DARK),
        drone(id=2, verdict=Verdict.UNAUTHORISED, ident=stray, claim=ClaimStatus.CORROBORATED,
              registered=Registered.YES, sensors=RADAR | RID, n_receivers=1, east=300.0,
              needs_approval=1, approval_zone="P-1"),
        drone(id=3, verdict=Verdict.UNREGISTERED, ident=stranger, sensors=RADAR | RID,
              claim=ClaimStatus.CORROBORATED, registered=Registered.NO, n_receivers=2,
              east=3000.0),
        drone(id=4, kind=Kind.AIRCRAFT, verdict=Verdict.MANNED, agl=300.0, east=-2000.0),
        drone(id=5, verdict=Verdict.AUTHORISED, plan=0, east=-3000.0),
        drone(id=6, kind=Kind.CAR, agl=0.0, east=50.0),
    ]  # fmt: skip
    pairs = [(0, "P-1", 1.0), (1, "P-1", 1.0), (3, "P-1", 1.0), (4, "O-1", 1.0), (5, "P-1", 1.0)]
    alarm = {"sensor": "bds-1", "ident": bus, "name": Name.ALARM_BITS, "value": 1}

    def at_time(t: float) -> Picture:
        return picture(t, rows, inside=pairs, spoke={"radar-1": t, "radar-2": 0.0},
                       readings=[alarm, *heard(stranger, "rid-1", "rid-2", t=t)])  # fmt: skip

    made = engine(*registry().values())
    assert set(made.reads) == {
        Name.CLOCK_OFFSET_S, Name.ALARM_BITS, Name.RID_HEARD, Name.CHANGE_REFUSED,
    }  # fmt: skip
    alerts = run(made, [at_time(t) for t in steps(0, 20)])
    newest = {a.id: a for a in alerts}.values()
    assert sorted((a.type, a.severity, a.body["subject"].get("track", "")) for a in newest) == [
        ("device_silent", 3, ""),
        ("sos", 1, ""),
        ("uas_dark", 1, "1"),
        ("uas_unauthorised", 1, "2"),
        ("uas_unregistered", 2, "3"),
        ("zone_intrusion", 1, "1"),
        ("zone_intrusion", 1, "2"),
    ]
    again = run(engine(*registry().values()), [at_time(t) for t in steps(0, 20)])
    assert [a.canonical() for a in again] == [a.canonical() for a in alerts]
    assert digest_alerts(reversed(again)) == digest_alerts(alerts)


def test_the_digest_is_blind_to_where_it_ran_and_to_alerts_about_ourselves() -> None:
    made = [inside(t, drone(east=t)) for t in steps(0, 3)]
    alerts = run(engine(ZONE_INTRUSION), made)
    elsewhere = [
        replace(a, body=a.body | {"v2x": {}, "replay": True, "drill": True}) for a in alerts
    ]
    ours = replace(alerts[0], body=alerts[0].body | {"cause": "self"})
    assert digest_alerts([*elsewhere, ours]) == digest_alerts(alerts)
    other = replace(alerts[0], body=alerts[0].body | {"severity": 4})
    assert digest_alerts([other, *alerts[1:]]) != digest_alerts(alerts)
    assert digest_alerts([]) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


# Rules, texts, schema


@pytest.mark.parametrize("type", registry())
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_rule_has_a_response_text(type: str, language: str) -> None:
    entry = catalogue(language)["rules"][type]
    assert entry["headline"]
    assert entry["action"]


def test_the_rules_are_found_and_the_catalogues_say_nothing_else() -> None:
    folder = Path(rules.__file__).parent
    files = sorted(path.stem for path in folder.glob("*.py") if not path.stem.startswith("_"))
    assert sorted(registry()) == files
    assert {"device_silent", "sos", "uas_dark", "zone_intrusion"} < set(files)
    for language in LANGUAGES:
        assert sorted(catalogue(language)["rules"]) == sorted(registry())


def test_a_rule_without_a_text_is_refused() -> None:
    body = {"type": "nobody_wrote_one", "subject": {}, "reasons": [], "evidence": []}
    with pytest.raises(KeyError):
        render(body | {"cause": "target", "condition": "active"})


def test_every_kind_of_zone_has_a_severity() -> None:
    from v2x.alerts.subjects import ZONE_SEVERITY

    assert set(ZONE_SEVERITY) == set(ZoneKind)


def test_the_schema_refuses_what_is_missing_invented_or_no_number() -> None:
    (alert,) = run(engine(Scripted(at((0, 0)), hold_s=0.0)), [picture(0)])
    good = json.loads(alert.canonical())
    assert not list(violations(good))
    assert list(violations({k: v for k, v in good.items() if k != "rev"}))
    assert list(violations(good | {"incident": "x"}))
    assert list(violations(good | {"rev": True}))
    assert list(violations(good | {"position": {"lat": nan, "lon": 0.0}}))
    assert list(violations(good | {"zone": None}))
    assert SCHEMA["additionalProperties"] is False


@pytest.mark.parametrize(
    ("t_ns", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (-1, "1969-12-31T23:59:59.999999999Z"),
        (951_782_400_000_000_000, "2000-02-29T00:00:00.000Z"),
        (4_107_542_399_050_000_000, "2100-02-28T23:59:59.050Z"),
        (4_107_542_400_000_000_000, "2100-03-01T00:00:00.000Z"),
        (1_772_330_400_000_000_001, "2026-03-01T02:00:00.000000001Z"),
        (-62_135_596_800_000_000_000, "0001-01-01T00:00:00.000Z"),
    ],
)
def test_times_as_text(t_ns: int, text: str) -> None:
    assert iso_utc(t_ns) == text


def test_times_as_text_agree_with_the_library() -> None:
    from datetime import UTC, datetime, timedelta

    for day in range(0, 80_000, 37):
        when = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day, seconds=day % 86_400)
        whole = (day * 86_400 + day % 86_400) * 10**9
        assert iso_utc(whole) == when.strftime("%Y-%m-%dT%H:%M:%S.000Z")
