from typing import Any

import pytest

from v2x.alerts.rules.uas_dark import RULE
from v2x.observations import Kind
from v2x.picture import ClaimStatus, Verdict, Why
from v2x.tracks import Status

from .pictures import RADAR, RID, codes, drone, engine, findings, only, picture, run, steps, story

NAN = float("nan")
UNDER = 1e-6


@pytest.mark.parametrize(
    ("given", "raises"),
    [
        ({"agl": 10.0 + UNDER}, True),
        ({"agl": 10.0}, False),
        ({"agl": 5.0 + UNDER}, False),
        ({"agl": 5.0}, None),
        ({"agl": NAN}, True),
        ({"exist": 0.5}, True),
        ({"exist": 0.5 - UNDER}, None),
        ({"status": Status.TENTATIVE}, None),
        ({"status": Status.COASTING, "last": -3.0}, True),
        ({"status": Status.COASTING, "last": -3.0 - UNDER}, None),
        ({"kind": Kind.UNKNOWN}, True),
        ({"kind": Kind.UNKNOWN, "agl": 5.0}, None),
        ({"kind": Kind.UNKNOWN, "agl": NAN}, None),
        ({"kind": Kind.BIRD}, None),
        ({"kind": Kind.CAR}, None),
        ({"kind": Kind.AIRCRAFT}, None),
        ({"verdict": Verdict.UNDECIDED}, False),
        ({"verdict": Verdict.UNDECIDED, "agl": 5.0}, None),
        ({"verdict": Verdict.UNDECIDED, "agl": NAN}, None),
        ({"verdict": Verdict.UNDECIDED, "claim": ClaimStatus.CLAIMED}, None),
        ({"verdict": Verdict.UNIDENTIFIED}, True),
        ({"verdict": Verdict.UNIDENTIFIED, "agl": 10.0}, False),
        ({"verdict": Verdict.MANNED}, None),
        ({"verdict": Verdict.SPOOFED}, None),
        ({"verdict": Verdict.UNREGISTERED}, None),
        ({"verdict": Verdict.UNAUTHORISED}, None),
        ({"verdict": Verdict.AUTHORISED}, None),
    ],
)
def test_each_limit_from_both_sides(given: dict[str, Any], raises: bool | None) -> None:
    found = findings(RULE, picture(0, [drone(**{"verdict": Verdict.DARK} | given)]))
    assert [f.raises for f in found] == ([] if raises is None else [raises])


@pytest.mark.parametrize(
    ("given", "inside", "severity"),
    [
        ({}, [], 3),
        ({"needs_approval": 1}, [], 2),
        ({"needs_approval": 1}, [(0, "P-1", 0.9)], 1),
        ({"needs_approval": 1}, [(0, "P-1", 0.9 - UNDER)], 2),
        ({"needs_approval": 1}, [(0, "R-1", 0.99)], 2),
        ({"sensors": RID}, [], 4),
        ({"sensors": RID}, [(0, "P-1", 0.9)], 2),
        ({"agl": NAN}, [], 4),
        ({"agl": NAN, "needs_approval": 1}, [], 3),
        ({"agl": NAN}, [(0, "P-1", 0.9, {"height_unknown": 1})], 4),
        ({"verdict": Verdict.UNIDENTIFIED}, [], 4),
        ({"verdict": Verdict.UNIDENTIFIED}, [(0, "P-1", 0.99)], 4),
        ({"verdict": Verdict.UNIDENTIFIED, "sensors": RID}, [], 4),
    ],
)
def test_severity(given: dict[str, Any], inside: list[Any], severity: int) -> None:
    made = picture(0, [drone(**{"verdict": Verdict.DARK} | given)], inside=inside)
    assert only(RULE, made).severity == severity


def test_a_closed_prohibited_zone_makes_nothing_worse() -> None:
    row = drone(verdict=Verdict.DARK)
    made = picture(0, [row], inside=[(0, "P-1", 0.99)], closed=["P-1"])
    assert only(RULE, made).severity == 3


def test_the_reasons_are_numbers_with_their_limits() -> None:
    row = drone(verdict=Verdict.DARK, first=-30.0, p_heard=0.97, agl=41.0)
    finding = only(RULE, picture(0, [row], inside=[(0, "P-1", 1.0)]))
    assert finding.reasons == (
        ("rid_absent_s", 30.0, None, "s"),
        ("p_heard", 0.97, 0.9, ""),
        ("agl", 41.0, 10.0, "m"),
        ("n_sensors", 1, None, ""),
        ("zone", "P-1", None, ""),
    )
    assert finding.subject == ("track", 1)


def test_without_coverage_the_reason_says_so() -> None:
    row = drone(verdict=Verdict.UNIDENTIFIED, p_heard=0.2)
    assert "no_rid_coverage" in codes(only(RULE, picture(0, [row])))


def test_dark_before_the_prohibited_zone_starts_orange_and_turns_red_inside() -> None:
    dark = drone(verdict=Verdict.DARK, needs_approval=1)
    alerts = run(
        engine(RULE),
        [picture(t, [dark], inside=[(0, "P-1", 1.0)] if t >= 6 else []) for t in steps(0, 8)],
    )
    assert story(alerts) == [(5.0, 1, "active", 2), (6.0, 2, "active", 1)]


def test_a_receiver_that_falls_silent_does_not_take_the_verdict_back() -> None:
    def row(t: float) -> dict[str, Any]:
        return drone(verdict=Verdict.DARK if t < 6 else Verdict.UNDECIDED, p_heard=0.7)

    alerts = run(engine(RULE), [picture(t, [row(t)]) for t in steps(0, 60)])
    assert story(alerts) == [(5.0, 1, "active", 3)]


def test_a_receiver_that_was_lost_since_is_told() -> None:
    row = drone(verdict=Verdict.DARK, why=int(Why.RECEIVER_LOST), p_heard=0.0)
    assert codes(only(RULE, picture(0, [row])))[-1] == "receiver_lost"


def named(t: float, since: float, verdict: Verdict = Verdict.AUTHORISED) -> dict[str, Any]:
    """A drone that was dark until it said who it is."""
    return drone(
        verdict=verdict, ident="rid:LATE", claim=ClaimStatus.CORROBORATED, sensors=RADAR | RID,
        why=int(Why.LATE_IDENTITY), named=since,
    )  # fmt: skip


@pytest.mark.parametrize(
    "verdict", [Verdict.AUTHORISED, Verdict.UNREGISTERED, Verdict.UNAUTHORISED]
)
@pytest.mark.parametrize(("age", "told"), [(0.0, True), (30.0, True), (30.0 + UNDER, False)])
def test_late_identity_is_told_for_half_a_minute_and_raises_nothing(verdict, age, told) -> None:
    found = findings(RULE, picture(0, [named(0, -age, verdict)]))
    assert [(f.raises, f.severity, f.reasons[0][0]) for f in found] == (
        [(False, 4, "late_identity")] if told else []
    )


@pytest.mark.parametrize("verdict", [Verdict.MANNED, Verdict.SPOOFED])
def test_aircraft_or_forgery_is_no_late_identity(verdict: Verdict) -> None:
    assert not findings(RULE, picture(0, [named(0, 0, verdict)]))


def test_an_identity_that_comes_late_revises_the_alert_and_never_deletes_it() -> None:
    def row(t: float) -> dict[str, Any]:
        return drone(verdict=Verdict.DARK, needs_approval=1) if t < 6 else named(t, 6.0)

    alerts = run(engine(RULE), [picture(t, [row(t)]) for t in steps(0, 60)])
    told = [(at, condition, severity) for at, _, condition, severity in story(alerts)]
    assert told[0] == (5.0, "active", 2)
    assert (15.9, "active", 4) in told
    assert told[-1] == (46.0, "cleared", 4)
    assert len({alert.id for alert in alerts}) == 1
    last = alerts[-1].body
    assert last["subject"]["identity"] == "rid:LATE"
    assert "late_identity" in [reason["code"] for reason in last["reasons"]]
