from typing import Any

import pytest

from v2x.alerts.rules.uas_unauthorised import RULE
from v2x.picture import ClaimStatus, Registered, UasClass, Verdict, Why

from .pictures import RADAR, RID, codes, drone, engine, findings, only, picture, run, steps, story

NAN = float("nan")


def stray(**given: Any) -> dict[str, Any]:
    row = {
        "verdict": Verdict.UNAUTHORISED, "ident": "rid:1581F4XX0002", "sensors": RADAR | RID,
        "registered": Registered.YES, "claim": ClaimStatus.CORROBORATED, "n_receivers": 1,
        "needs_approval": 1,
    }  # fmt: skip
    return drone(**row | given)


@pytest.mark.parametrize(
    ("given", "inside", "severity"),
    [
        ({}, [], 2),
        ({"approval_zone": "R-1"}, [(0, "R-1", 1.0)], 2),
        ({"approval_zone": "P-1"}, [(0, "P-1", 0.9)], 1),
        ({"approval_zone": "P-1"}, [(0, "P-1", 0.899)], 2),
        ({"sensors": RID}, [], 3),
        ({"sensors": RID}, [(0, "P-1", 1.0)], 2),
    ],
)
def test_severity(given: dict[str, Any], inside: list[Any], severity: int) -> None:
    assert only(RULE, picture(0, [stray(**given)], inside=inside)).severity == severity


@pytest.mark.parametrize(
    ("given", "keeps"),
    [
        ({"agl": 120.0}, True),
        ({"agl": 119.99}, False),
        ({"agl": 119.99, "sd": 0.0}, False),
        ({"agl": 120.0, "sd": 0.0}, True),
        ({"agl": NAN}, False),
        ({"agl": 50.0, "approval_agl": 50.0}, True),
        ({"agl": 49.99, "approval_agl": 50.0}, False),
        ({"agl": 130.0, "plan": 0}, False),
        ({"agl": 130.0, "registered": Registered.NO}, False),
        ({"agl": 130.0, "claim": ClaimStatus.NONE}, False),
        ({"agl": 130.0, "verdict": Verdict.CLAIMED}, True),
        ({"agl": 130.0, "verdict": Verdict.UNDECIDED}, True),
        ({"agl": 130.0, "verdict": Verdict.UNREGISTERED}, False),
        ({"agl": 130.0, "verdict": Verdict.DARK}, False),
    ],
)
def test_height_at_the_limit_keeps_and_never_raises(given: dict[str, Any], keeps: bool) -> None:
    found = findings(RULE, picture(0, [stray(**{"verdict": Verdict.AUTHORISED} | given)]))
    assert [f.raises for f in found] == ([False] if keeps else [])


def test_a_zone_that_asks_for_the_approval_is_named() -> None:
    made = picture(0, [stray(approval_zone="R-1")])
    assert only(RULE, made).reasons[:2] == (("plan_missing", None, None, ""),
                                            ("zone", "R-1", None, ""))  # fmt: skip
    assert codes(only(RULE, picture(0, [stray(agl=130.0)]))) == ["plan_missing", "agl"]


def test_held_three_seconds_and_cleared_after_ten() -> None:
    alerts = run(engine(RULE), [picture(t, [stray()] if t <= 4 else []) for t in steps(0, 20)])
    assert story(alerts) == [(3.0, 1, "active", 2), (14.0, 2, "cleared", 2)]


def test_class_whose_limit_it_is_above_is_named_and_who_flies_is_coloured() -> None:
    row = stray(agl=70.0, approval_agl=50.0, uas_class=UasClass.MICRO,
                why=int(Why.CLASS_LIMIT | Why.BLACKLISTED))  # fmt: skip
    finding = only(RULE, picture(0, [row]))
    assert finding.reasons == (
        ("plan_missing", None, None, ""),
        ("agl", 70.0, 50.0, "m"),
        ("uas_class", "micro", None, ""),
        ("operator_blacklisted", None, None, ""),
    )
    assert finding.severity == 2


def test_plan_that_it_left_is_named_with_how_far() -> None:
    row = stray(agl=170.0, plan=0, lateral=40.0, vertical=20.0, late_s=0.0)
    assert only(RULE, picture(0, [row])).reasons[:3] == (
        ("plan", "P-17", None, ""),
        ("lateral", 40.0, 30.0, "m"),
        ("vertical", 20.0, 15.0, "m"),
    )
