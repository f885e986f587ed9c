from typing import Any

import pytest

from v2x.alerts.rules.zone_breach_predicted import RULE
from v2x.observations import Kind
from v2x.picture import Verdict

from .pictures import RID, codes, drone, engine, findings, only, picture, run, steps, story

NAN = float("nan")
UNDER = 1e-6
SOON = {"earliest": 8.0, "expected": 10.0, "latest": 13.0}
FAR = {"earliest": 31.0, "expected": 40.0, "latest": 55.0}


@pytest.mark.parametrize(
    ("p", "more", "raises"),
    [
        (0.7, {}, True),
        (0.7 - UNDER, {}, False),
        (0.4, {}, False),
        (0.4 - UNDER, {}, None),
        (0.9, {"expected": 120.0}, True),
        (0.9, {"expected": 120.1}, False),
        (0.9, {"expected": NAN}, False),
        (NAN, {}, None),
    ],
)
def test_each_limit_from_both_sides(p: float, more: dict[str, Any], raises: bool | None) -> None:
    found = findings(RULE, picture(0, [drone()], breach=[(0, "P-1", p, SOON | more)]))
    assert [f.raises for f in found] == ([] if raises is None else [raises])


@pytest.mark.parametrize(
    ("zone", "given", "times", "severity"),
    [
        ("P-1", {}, SOON, 1),
        ("P-1", {}, FAR, 2),
        ("P-1", {}, FAR | {"earliest": 30.0}, 1),
        ("P-1", {}, FAR | {"earliest": 30.1}, 2),
        ("P-1", {}, FAR | {"earliest": NAN}, 2),
        ("R-1", {}, FAR, 3),
        ("S-1", {}, SOON, 1),
        ("O-1", {}, FAR, 4),
        ("P-1", {"sensors": RID}, SOON, 2),
        ("P-1", {}, SOON | {"height_unknown": 1}, 2),
    ],
)
def test_severity_by_kind_of_zone_how_soon_and_doubt(
    zone: str, given: dict[str, Any], times: dict[str, Any], severity: int
) -> None:
    finding = only(RULE, picture(0, [drone(**given)], breach=[(0, zone, 0.9, times)]))
    assert finding.severity == severity
    assert ("height_unknown" in codes(finding)) == ("height_unknown" in times)


@pytest.mark.parametrize(
    "given",
    [
        {"verdict": Verdict.MANNED},
        {"kind": Kind.BIRD},
        {"verdict": Verdict.AUTHORISED, "plan": 0},
    ],
)
def test_who_is_never_warned_of(given: dict[str, Any]) -> None:
    assert not findings(RULE, picture(0, [drone(**given)], breach=[(0, "P-1", 1.0, SOON)]))


def test_who_is_inside_is_no_prediction_and_a_closed_zone_has_none() -> None:
    coming = [(0, "P-1", 0.9, SOON), (0, "R-1", 0.9, SOON)]
    inside = [(0, "P-1", 0.95)]
    assert [
        f.zone for f in findings(RULE, picture(0, [drone()], breach=coming, inside=inside))
    ] == ["R-1"]
    assert not findings(RULE, picture(0, [drone()], breach=coming[1:], closed=["R-1"]))


def test_nested_surfaces_are_told_under_their_head_with_the_one_that_is_next() -> None:
    zones = {"S-1": 4, "S-2": 4, "S-3": 4}
    made = picture(
        0, [drone()], zones=zones, closed=[],
        breach=[
            (0, "S-1", 0.8, FAR | {"head": "S-2"}), (0, "S-2", 0.9, FAR | {"head": "S-2"}),
            (0, "S-3", 0.9, SOON | {"head": "S-2"}),
        ],
    )  # fmt: skip
    finding = only(RULE, made)
    assert finding.zone == "S-2"
    assert ("surface", "S-3", None, "") in finding.reasons
    assert finding.severity == 1


def test_it_raises_after_two_seconds_and_clears_five_after_the_prediction_is_gone() -> None:
    def coming(t: float) -> list[tuple[Any, ...]]:
        times = {"earliest": 20.0 - t, "expected": 25.0 - t, "latest": 30.0 - t}
        return [(0, "P-1", 0.9, times)] if 1.0 <= t <= 6.0 else []

    alerts = run(engine(RULE), [picture(t, [drone()], breach=coming(t)) for t in steps(0, 15)])
    assert story(alerts)[0] == (3.0, 1, "active", 1)
    assert story(alerts)[-1][0] == 11.0
    assert story(alerts)[-1][2] == "cleared"
    first = alerts[0].body
    assert first["time_to_breach_s"] == {"earliest": 17.0, "expected": 22.0, "latest": 27.0}
    assert "in 22 s" in first["text"]["en"]
    assert "22 秒" in first["text"]["zh-CN"]


def test_an_alert_without_a_zone_tells_the_next_breach_of_one_that_must_not_be_entered() -> None:
    from v2x.alerts.record import time_to_breach

    made = picture(
        0, [drone(), drone(id=2)],
        breach=[(0, "W-1", 0.9, {"expected": 1.0}), (0, "P-1", 0.9, SOON), (0, "R-1", 0.9, FAR)],
        inside=[(1, "P-1", 0.95), (1, "W-1", 1.0)],
    )  # fmt: skip
    assert time_to_breach(made, 0, "") == SOON
    assert time_to_breach(made, 0, "R-1") == FAR
    assert time_to_breach(made, 0, "W-1") == {"expected": 1.0}
    assert time_to_breach(made, 0, "O-1") == {}
    assert time_to_breach(made, 1, "")["expected"] == 0.0
