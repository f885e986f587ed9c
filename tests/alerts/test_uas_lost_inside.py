from typing import Any

import pytest

from v2x.alerts.rules.uas_lost_inside import RULE
from v2x.picture import StayWord

from .pictures import codes, drone, engine, findings, only, picture, run, steps, story

UNDER = 1e-6
LOST = {"seen": -4.0, "p_inside": 0.8, "p_detect": 0.9}


@pytest.mark.parametrize(
    ("word", "more", "found"),
    [
        (StayWord.LOST, {}, True),
        (StayWord.LOST, {"p_inside": 0.5}, True),
        (StayWord.LOST, {"p_inside": 0.5 - UNDER}, False),
        (StayWord.LOST, {"sure": 0}, False),
        (StayWord.COVERAGE_EDGE, {"p_detect": 0.2}, True),
        (StayWord.COASTING, {}, False),
        (StayWord.INSIDE, {}, False),
        (StayWord.EXITED, {}, False),
        (StayWord.ZONE_ENDED, {}, False),
    ],
)
def test_who_is_lost(word: StayWord, more: dict[str, Any], found: bool) -> None:
    made = picture(0, [], stays=[(-1, "P-1", word, LOST | more)])
    assert bool(findings(RULE, made)) == found


@pytest.mark.parametrize(
    ("zone", "word", "severity"),
    [
        ("P-1", StayWord.LOST, 2),
        ("R-1", StayWord.LOST, 3),
        ("P-1", StayWord.COVERAGE_EDGE, 3),
        ("O-1", StayWord.LOST, 4),
    ],
)
def test_severity_is_one_below_being_inside(zone: str, word: StayWord, severity: int) -> None:
    finding = only(RULE, picture(0, [], stays=[(-1, zone, word, LOST)]))
    assert finding.severity == severity
    assert ("coverage_edge" in codes(finding)) == (word == StayWord.COVERAGE_EDGE)
    assert finding.reasons[0] == ("last_seen_s", 4.0, None, "s")


def test_it_raises_at_once_where_it_was_last_seen_and_stays_until_a_person_ends_it() -> None:
    def stay(t: float) -> list[tuple[Any, ...]]:
        if t < 1:
            return [(0, "P-1", StayWord.INSIDE, {"seen": t})]
        if t < 4:
            return [(-1, "P-1", StayWord.COASTING, {"seen": 1.0})]
        return [(-1, "P-1", StayWord.LOST, LOST | {"seen": 1.0})] if t < 20 else []

    def rows(t: float) -> list[dict[str, Any]]:
        return [drone()] if t < 1 else []

    alerts = run(engine(RULE), [picture(t, rows(t), stays=stay(t)) for t in steps(0, 60, 0.5)])
    assert story(alerts)[0] == (4.0, 1, "active", 2)
    assert all(a.condition == "active" for a in alerts)
    assert alerts[0].body["position"] == {"lat": 39.124, "lon": 117.346}
    assert alerts[0].body["text"]["en"].startswith("Unknown flying object vanished inside P-1 3 s")
