from typing import Any

import pytest

from v2x.alerts.rules.uas_emergency import RULE
from v2x.observations import Kind
from v2x.picture import Verdict, Why

from .pictures import (
    RID,
    SENSORS,
    codes,
    drone,
    engine,
    findings,
    heard,
    only,
    picture,
    run,
    steps,
    story,
)

SERIAL = "rid:1581F4XX0003"


def caller(**given: Any) -> dict[str, Any]:
    row = {"ident": SERIAL, "emergency": 1, "verdict": Verdict.AUTHORISED}
    return drone(**row | given)


@pytest.mark.parametrize(
    ("given", "severity"),
    [
        ({}, 2),
        ({"sensors": RID, "verdict": Verdict.CLAIMED}, 2),
        ({"agl": 0.5}, 2),
        ({"verdict": Verdict.UNREGISTERED}, 2),
        ({"emergency": 0}, None),
        ({"verdict": Verdict.SPOOFED}, None),
        ({"verdict": Verdict.MANNED}, None),
        ({"kind": Kind.CAR}, None),
        ({"exist": 0.49}, None),
    ],
)
def test_call_is_severity_2_whoever_hears_it(given: dict[str, Any], severity: int | None) -> None:
    found = findings(RULE, picture(0, [caller(**given)]))
    assert [f.severity for f in found] == ([] if severity is None else [severity])


def test_who_heard_it_is_evidence_and_a_friend_is_named_one() -> None:
    made = picture(0, [caller(why=int(Why.FRIEND))], readings=heard(SERIAL, "rid-1"))
    finding = only(RULE, made)
    assert finding.evidence == (SENSORS.row("rid-1"),)
    assert codes(finding) == ["status", "friend"]


def test_held_one_second_and_cleared_after_ten() -> None:
    alerts = run(engine(RULE), [picture(t, [caller()] if t <= 4 else []) for t in steps(0, 20)])
    assert story(alerts) == [(1.0, 1, "active", 2), (14.0, 2, "cleared", 2)]
