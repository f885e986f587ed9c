from typing import Any

import pytest

from v2x.alerts.rules.uas_unregistered import RULE
from v2x.picture import Verdict, Why

from .pictures import (
    RADAR,
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

SERIAL = "rid:1581F4XX0001"


def stranger(**given: Any) -> dict[str, Any]:
    row = {"verdict": Verdict.UNREGISTERED, "ident": SERIAL, "sensors": RADAR | RID}
    return drone(**row | {"n_receivers": 2} | given)


@pytest.mark.parametrize(
    ("given", "severity"),
    [
        ({}, 2),
        ({"n_receivers": 1}, 3),
        ({"n_receivers": 0}, 3),
        ({"sensors": RID}, 3),
        ({"sensors": RID, "n_receivers": 1}, 3),
        ({"n_receivers": 3}, 2),
    ],
)
def test_one_receiver_or_no_sensor_is_one_step_and_never_two(
    given: dict[str, Any], severity: int
) -> None:
    assert only(RULE, picture(0, [stranger(**given)])).severity == severity


@pytest.mark.parametrize("verdict", [v for v in Verdict if v != Verdict.UNREGISTERED])
def test_no_other_verdict_raises_it(verdict: Verdict) -> None:
    assert not findings(RULE, picture(0, [stranger(verdict=verdict)]))


def test_the_mark_and_the_receivers_are_told() -> None:
    made = picture(0, [stranger(mark="mark:12345678")], readings=heard(SERIAL, "rid-1", "rid-2"))
    finding = only(RULE, made)
    assert finding.reasons == (("mark", "mark:12345678", None, ""), ("n_receivers", 2, 2, ""))
    assert finding.evidence == (SENSORS.row("rid-1"), SENSORS.row("rid-2"))
    assert codes(only(RULE, picture(0, [stranger()])))[0] == "mark"


@pytest.mark.parametrize(("age", "named"), [(10.0, 1), (10.001, 0)])
def test_a_receiver_counts_for_ten_seconds(age: float, named: int) -> None:
    made = picture(0, [stranger()], readings=heard(SERIAL, "rid-1", t=-age))
    assert len(only(RULE, made).evidence) == named


def test_held_three_seconds_cleared_after_thirty_and_raised_by_a_second_receiver() -> None:
    def row(t: float) -> list[dict[str, Any]]:
        return [stranger(n_receivers=1 if t < 5 else 2)] if t <= 10 else []

    alerts = run(engine(RULE), [picture(t, row(t)) for t in steps(0, 45)])
    assert story(alerts) == [
        (3.0, 1, "active", 3),
        (5.0, 2, "active", 2),
        (40.0, 3, "cleared", 2),
    ]


def test_age_of_the_registry_that_lacks_it_is_told() -> None:
    row = stranger(why=int(Why.NOT_IN_REGISTRY))
    found = only(RULE, picture(0, [row], registry=-7200.0))
    assert ("registry_age", 2.0, 24.0, "h") in found.reasons
    bare = only(RULE, picture(0, [stranger(why=int(Why.MARK_MISSING))], registry=-7200.0))
    assert "registry_age" not in codes(bare)
