from typing import Any

import pytest

from v2x.alerts.rules.zone_intrusion import RULE
from v2x.observations import Kind
from v2x.picture import StayWord, Verdict

from .pictures import RADAR, RID, codes, drone, engine, findings, only, picture, run, steps, story

NAN = float("nan")
UNDER = 1e-6


@pytest.mark.parametrize(
    ("p", "more", "raises"),
    [
        (0.9, {}, True),
        (0.9 - UNDER, {}, False),
        (0.2, {}, False),
        (0.2 - UNDER, {}, None),
        (0.0, {"crossed": 1}, True),
        (NAN, {"crossed": 1}, True),
        (NAN, {}, None),
    ],
)
def test_each_limit_from_both_sides(p: float, more: dict[str, Any], raises: bool | None) -> None:
    found = findings(RULE, picture(0, [drone()], inside=[(0, "P-1", p, more)]))
    assert [f.raises for f in found] == ([] if raises is None else [raises])


@pytest.mark.parametrize(
    ("zone", "given", "more", "severity"),
    [
        ("P-1", {}, {}, 1),
        ("S-1", {}, {}, 1),
        ("R-1", {}, {}, 2),
        ("W-1", {}, {}, 3),
        ("O-1", {}, {}, 4),
        ("P-1", {"sensors": RID}, {}, 2),
        ("P-1", {"sensors": RID | RADAR}, {}, 1),
        ("P-1", {"agl": NAN}, {"height_unknown": 1}, 2),
        ("P-1", {"agl": NAN, "sensors": RID}, {"height_unknown": 1}, 3),
        ("O-1", {"agl": NAN, "sensors": RID}, {"height_unknown": 1}, 4),
    ],
)
def test_severity_by_kind_of_zone_and_doubt(
    zone: str, given: dict[str, Any], more: dict[str, Any], severity: int
) -> None:
    finding = only(RULE, picture(0, [drone(**given)], inside=[(0, zone, 1.0, more)]))
    assert finding.severity == severity
    assert ("height_unknown" in codes(finding)) == bool(more)
    assert ("self_report_only" in codes(finding)) == (given.get("sensors") == RID)


@pytest.mark.parametrize(
    "given",
    [
        {"verdict": Verdict.MANNED},
        {"kind": Kind.CAR},
        {"kind": Kind.PEDESTRIAN},
        {"kind": Kind.BIRD},
        {"kind": Kind.UNKNOWN, "agl": 5.0},
        {"kind": Kind.UNKNOWN, "agl": NAN},
        {"verdict": Verdict.AUTHORISED, "plan": 0},
        {"exist": 0.49},
    ],
)
def test_who_is_never_an_intruder(given: dict[str, Any]) -> None:
    assert not findings(RULE, picture(0, [drone(**given)], inside=[(0, "P-1", 1.0)]))


@pytest.mark.parametrize(
    "given",
    [
        {"verdict": Verdict.DARK},
        {"verdict": Verdict.UNDECIDED},
        {"verdict": Verdict.SPOOFED},
        {"verdict": Verdict.AUTHORISED, "plan": -1},
        {"verdict": Verdict.UNAUTHORISED, "plan": 0},
        {"kind": Kind.UNKNOWN, "agl": 5.1},
    ],
)
def test_who_is(given: dict[str, Any]) -> None:
    assert only(RULE, picture(0, [drone(**given)], inside=[(0, "P-1", 1.0)])).raises


def test_each_zone_has_its_own_finding_and_a_closed_one_has_none() -> None:
    pairs = [(0, zone, 1.0) for zone in ("P-1", "R-1", "W-1")]
    found = findings(RULE, picture(0, [drone()], inside=pairs, closed=["R-1"]))
    assert [(f.zone, f.severity) for f in found] == [("P-1", 1), ("W-1", 3)]


def test_a_zone_crossed_between_two_slices_is_entered_at_once() -> None:
    through = [(0, "P-1", 0.0, {"crossed": 1})]
    alerts = run(
        engine(RULE), [picture(t, [drone()], inside=through if t == 1 else []) for t in steps(0, 9)]
    )
    assert story(alerts) == [(1.0, 1, "active", 1), (6.0, 2, "cleared", 1)]
    assert alerts[0].body["reasons"][-1] == {"code": "crossed"}
    assert "passed through P-1" in alerts[0].body["text"]["en"]


def test_a_first_fix_already_inside_alerts_from_its_first_slice_on() -> None:
    alerts = run(
        engine(RULE), [picture(t, [drone(first=0.0)], inside=[(0, "P-1", 1.0)])
                       for t in steps(0, 3)],
    )  # fmt: skip
    assert story(alerts) == [(1.0, 1, "active", 1)]
    assert alerts[0].body["onset"] == "2026-03-01T02:00:00.000Z"


def test_noise_along_the_edge_gives_one_enter_and_one_exit() -> None:
    ps = [0.93, 0.95, 0.4, 0.91, 0.25, 0.6, 0.97, 0.92, 0.99, 0.3]
    inside = [picture(t, [drone()], inside=[(0, "P-1", ps[i % 10])])
              for i, t in enumerate(steps(0, 50, 0.05))]  # fmt: skip
    outside = [picture(t, [drone()], inside=[(0, "P-1", 0.1)]) for t in steps(50.05, 60, 0.05)]
    settings = {"zone_intrusion": (True, 0.0, None)}
    alerts = run(engine(RULE, settings=settings), inside + outside)
    assert [a.condition for a in alerts] == ["active", "cleared"]


def test_an_unknown_height_leaves_the_footprint_and_takes_a_step() -> None:
    doubt = {"height_unknown": 1, "p_footprint": 0.95}
    finding = only(RULE, picture(0, [drone(agl=NAN)], inside=[(0, "P-1", NAN, doubt)]))
    assert (finding.severity, finding.raises, finding.value) == (2, True, 0.95)
    doubt["p_footprint"] = 0.1
    assert not findings(RULE, picture(0, [drone(agl=NAN)], inside=[(0, "P-1", NAN, doubt)]))


def test_nested_surfaces_are_one_alert_under_their_head_with_the_lowest_named() -> None:
    zones = {"S-1": 4, "S-2": 4, "S-3": 4}

    def over(t: float) -> list[tuple[Any, ...]]:
        lowest = "S-3" if t < 3 else "S-2"
        depth = {name: 30.0 if name == lowest else 5.0 for name in zones}
        held = [name for name in zones if name != "S-3" or t < 5]
        return [(0, n, 1.0, {"head": "S-3", "margin_m": depth[n]}) for n in held]

    pictures = [picture(t, [drone()], inside=over(t), zones=zones) for t in steps(0, 10)]
    alerts = run(engine(RULE), pictures)
    assert {a.id for a in alerts} == {alerts[0].id}
    assert {a.body["zone"] for a in alerts} == {"S-3"}
    assert "surface" not in [r["code"] for r in alerts[0].body["reasons"]]
    assert {"code": "surface", "value": "S-2"} in alerts[-1].body["reasons"]


def test_dwell_and_gap_of_the_stay_are_told() -> None:
    stay = [(0, "P-1", StayWord.INSIDE, {"onset": -30.0, "gap": 2.5})]
    finding = only(RULE, picture(0, [drone()], inside=[(0, "P-1", 1.0)], stays=stay))
    assert ("dwell_s", 30.0, None, "s") in finding.reasons
    assert ("gap_s", 2.5, None, "s") in finding.reasons
