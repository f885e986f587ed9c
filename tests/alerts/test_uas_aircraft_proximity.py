from typing import Any

import pytest

from v2x.alerts.rules.uas_aircraft_proximity import RULE
from v2x.observations import Kind
from v2x.picture import Verdict

from .pictures import codes, drone, engine, findings, only, picture, run, steps, story

NAN = float("nan")
UNDER = 1e-6
PLANE = drone(id=9, kind=Kind.AIRCRAFT, verdict=Verdict.MANNED, ident="icao:780abc", agl=200.0)
NEAR = {
    "cpa_s": 20.0, "cpa_m": 400.0, "vertical_m": 30.0, "vertical_sd": 10.0, "p": 0.9,
    "p_keep": 0.95,
}  # fmt: skip
UNSURE = NEAR | {"p": 0.3, "p_keep": 0.4}


@pytest.mark.parametrize(
    ("near", "want"),
    [
        (NEAR | {"p": 0.7}, (1, True)),
        (NEAR | {"p": 0.7 - UNDER}, (1, False)),
        (NEAR | {"p": 0.5, "p_keep": 0.7 - UNDER}, (2, True)),
        (UNSURE | {"cpa_m": 1500.0 - UNDER}, (2, True)),
        (UNSURE | {"cpa_m": 1500.0}, (2, False)),
        (UNSURE | {"cpa_m": 1800.0}, None),
        (UNSURE | {"vertical_m": 76.0 + 16.4 - UNDER}, (2, True)),
        (UNSURE | {"vertical_m": -76.0 - 16.4}, (2, False)),
        (UNSURE | {"vertical_m": 91.2 + 16.5}, None),
        (UNSURE | {"vertical_m": 300.0, "vertical_sd": 140.0}, (2, True)),
        (UNSURE | {"vertical_m": NAN, "vertical_sd": NAN}, (2, True)),
    ],
)
def test_each_limit_from_both_sides(near: dict[str, Any], want: tuple[int, bool] | None) -> None:
    found = findings(RULE, picture(0, [drone(), PLANE], near=[(0, 1, near)]))
    assert [(f.severity, f.raises) for f in found] == ([] if want is None else [want])


def test_inside_an_approach_in_use_is_severity_1_with_nothing_in_sight() -> None:
    made = picture(0, [drone()], near=[(0, -1, {"approach": "S-1"})])
    finding = only(RULE, made)
    assert finding.severity == 1
    assert finding.raises
    assert codes(finding) == ["approach_in_use"]


def test_of_several_aircraft_the_most_urgent_is_told() -> None:
    other = drone(id=10, verdict=Verdict.MANNED, ident="icao:780def")
    made = picture(0, [drone(), PLANE, other], near=[(0, 1, UNSURE), (0, 2, NEAR)])
    finding = only(RULE, made)
    assert finding.severity == 1
    assert finding.reasons[0] == ("aircraft", "icao:780def", None, "")


@pytest.mark.parametrize(
    "given", [{"kind": Kind.BIRD}, {"verdict": Verdict.MANNED}, {"exist": 0.4}]
)
def test_who_is_no_drone_is_no_danger(given: dict[str, Any]) -> None:
    assert not findings(RULE, picture(0, [drone(**given), PLANE], near=[(0, 1, NEAR)]))


def test_it_raises_after_half_a_second_and_clears_ten_after_the_last() -> None:
    pictures = [
        picture(t, [drone(), PLANE], near=[(0, 1, NEAR)] if 1 <= t <= 3 else [])
        for t in steps(0, 15)
    ]
    alerts = run(engine(RULE), pictures)
    assert story(alerts)[0] == (1.5, 1, "active", 1)
    assert story(alerts)[-1] == (13.0, alerts[-1].rev, "cleared", 1)
    assert "icao:780abc, 400 m in 20 s" in alerts[0].body["text"]["en"]
