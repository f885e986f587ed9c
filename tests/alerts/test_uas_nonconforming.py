from typing import Any

import pytest

from v2x.alerts.rules.uas_nonconforming import RULE
from v2x.picture import ClaimStatus, Verdict, Why

from .pictures import RADAR, RID, codes, drone, engine, findings, only, picture, run, steps, story


def drifter(**given: Any) -> dict[str, Any]:
    row = {
        "verdict": Verdict.NONCONFORMING, "ident": "rid:1581F4XX0004", "sensors": RADAR | RID,
        "claim": ClaimStatus.CORROBORATED, "plan": 0, "lateral": 40.0, "vertical": 0.0,
        "late_s": 0.0,
    }  # fmt: skip
    return drone(**row | given)


@pytest.mark.parametrize(
    ("given", "inside", "severity"),
    [
        ({}, [], 3),
        ({"lateral": 200.0}, [], 3),
        ({"lateral": 200.1}, [], 2),
        ({"lateral": 0.0, "vertical": -200.1}, [], 2),
        ({}, [(0, "P-1", 0.95)], 2),
        ({}, [(0, "R-1", 0.95)], 3),
        ({"sensors": RID}, [], 4),
        ({"sensors": RID, "lateral": 300.0}, [], 3),
    ],
)
def test_severity(given: dict[str, Any], inside: list[Any], severity: int) -> None:
    assert only(RULE, picture(0, [drifter(**given)], inside=inside)).severity == severity


@pytest.mark.parametrize(
    ("given", "raises"),
    [
        ({}, True),
        ({"verdict": Verdict.AUTHORISED, "lateral": 1.0}, False),
        ({"verdict": Verdict.AUTHORISED, "lateral": 0.0, "vertical": -1.0}, False),
        ({"verdict": Verdict.AUTHORISED, "lateral": 0.0, "late_s": -5.0}, False),
        ({"verdict": Verdict.AUTHORISED, "lateral": 0.0}, None),
        ({"verdict": Verdict.AUTHORISED, "plan": -1}, None),
        ({"verdict": Verdict.UNAUTHORISED}, None),
        ({"verdict": Verdict.SPOOFED}, None),
        ({"exist": 0.49}, None),
    ],
)
def test_raises_when_outside_for_sure_and_keeps_while_outside_at_all(
    given: dict[str, Any], raises: bool | None
) -> None:
    found = findings(RULE, picture(0, [drifter(**given)]))
    assert [f.raises for f in found] == ([] if raises is None else [raises])


@pytest.mark.parametrize(
    ("given", "reasons"),
    [
        ({}, [("lateral", 40.0, 30.0, "m")]),
        ({"lateral": 0.0, "vertical": 20.0}, [("vertical", 20.0, 15.0, "m")]),
        ({"lateral": 0.0, "vertical": -20.0}, [("vertical", -20.0, 15.0, "m")]),
        ({"lateral": 0.0, "late_s": 90.0}, [("late", 90.0, 60.0, "s")]),
        ({"lateral": 0.0, "late_s": -90.0}, [("early", 90.0, 60.0, "s")]),
    ],
)
def test_where_and_by_how_much_is_told(given: dict[str, Any], reasons: list[Any]) -> None:
    found = only(RULE, picture(0, [drifter(**given)]))
    assert list(found.reasons) == [("plan", "P-17", None, ""), *reasons]


def test_operator_is_coloured() -> None:
    made = picture(0, [drifter(why=int(Why.BLACKLISTED))])
    assert codes(only(RULE, made))[-1] == "operator_blacklisted"


def test_held_five_seconds_kept_along_the_border_and_cleared_after_ten() -> None:
    def row(t: float) -> dict[str, Any]:
        if t <= 6:
            return drifter()
        return drifter(verdict=Verdict.AUTHORISED, lateral=2.0 if t <= 20 else 0.0)

    alerts = run(engine(RULE), [picture(t, [row(t)]) for t in steps(0, 40)])
    assert story(alerts) == [(5.0, 1, "active", 3), (30.0, 2, "cleared", 3)]
    assert "P-17" in alerts[0].body["text"]["en"]
    assert "40 m beside" in alerts[0].body["text"]["en"]
