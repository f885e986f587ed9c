from typing import Any

import pytest

from v2x.alerts.rules.sos import RULE
from v2x.observations import Kind
from v2x.readings import Name

from .pictures import SENSORS, drone, engine, findings, only, picture, run, steps, story

PHONE = "808:013800138000"


def word(value: float = 1, **given: Any) -> dict[str, Any]:
    return {"sensor": "bds-1", "ident": PHONE, "name": Name.ALARM_BITS, "value": value,
            "lat": 39.1, "lon": 117.4, "t": 0.0} | given  # fmt: skip


@pytest.mark.parametrize(
    ("reading", "raised"),
    [
        (word(1), True),
        (word(0), False),
        (word(2), False),
        (word(3), True),
        (word(0xFFFFFFFF), True),
        (word(0xFFFFFFFE), False),
        (word(float("nan")), False),
        (word(1, t=-600.0, recv=0.0), True),
        (word(1, t=-600.001, recv=0.0), False),
        (word(1, t=0.0, recv=-2.0), True),
        (word(1, name=Name.STATUS_BITS), False),
    ],
)
def test_the_bit_and_its_age(reading: dict[str, Any], raised: bool) -> None:
    found = findings(RULE, picture(0, readings=[reading]))
    assert [f.severity for f in found] == ([1] if raised else [])


def test_who_where_and_how_late_come_from_the_reading() -> None:
    finding = only(RULE, picture(0, readings=[word(t=-300.0, recv=0.0)]))
    assert finding.subject == ("ident", PHONE)
    assert (finding.lat, finding.lon) == (39.1, 117.4)
    assert finding.reasons == (("alarm_bit", 0, None, ""), ("late_s", 300.0, 600.0, "s"))
    assert finding.evidence == (SENSORS.row("bds-1"),)


def test_a_terminal_without_a_readable_number_is_not_dropped() -> None:
    assert only(RULE, picture(0, readings=[word(ident="")])).subject == ("ident", "sensor:bds-1")


def test_latched_it_stays_when_the_bit_is_gone() -> None:
    alerts = run(
        engine(RULE), [picture(t, readings=[word(1 if t < 1 else 0)]) for t in steps(0, 60, 1)]
    )
    assert story(alerts) == [(0.0, 1, "active", 1)]


def test_the_record_names_the_vehicle_and_its_track_gives_the_kind() -> None:
    bus = drone(kind=Kind.BUS, ident=PHONE, sensors=0)
    (alert,) = run(engine(RULE), [picture(0, [bus], readings=[word()])])
    assert alert.body["subject"] == {"claimed_identity": PHONE, "kind": "bus"}
    assert alert.body["position"] == {"lat": 39.1, "lon": 117.4}
    assert alert.body["evidence"] == [
        {"sensor": "bds-1", "kind": "self_report", "last_seen": "2026-03-01T02:00:00.000Z"}
    ]
    assert alert.body["text"]["en"].startswith(f"Emergency button pressed: {PHONE} at 39.10000")


def test_without_a_fix_the_track_says_where() -> None:
    nowhere = word(lat=float("nan"), lon=float("nan"))
    bus = drone(kind=Kind.BUS, ident=PHONE)
    (alert,) = run(engine(RULE), [picture(0, [bus], readings=[nowhere])])
    assert alert.body["position"]["lat"] == 39.124
    (alone,) = run(engine(RULE), [picture(0, readings=[nowhere])])
    assert "position" not in alone.body


def clock(offset_s: float, **given: Any) -> dict[str, Any]:
    return {"sensor": "bds-1", "ident": PHONE, "name": Name.CLOCK_OFFSET_S, "value": offset_s,
            "t": offset_s, "recv": 0.0} | given  # fmt: skip


@pytest.mark.parametrize(
    ("readings", "late_s"),
    [
        ([word(t=-12_000.0, recv=0.0)], None),
        ([word(t=-12_000.0, recv=0.0), clock(-12_000.0)], 0.0),
        # stored for 5 min and for 3 h while its clock was behind by 200 min
        ([word(t=-12_300.0, recv=0.0), clock(-12_000.0, recv=200.0)], 300.0),
        ([word(t=-22_800.0, recv=0.0), clock(-12_000.0)], None),
        # of another terminal, of another time, or of one that nobody can name
        ([word(t=-12_000.0, recv=0.0), clock(-12_000.0, ident="808:7")], None),
        ([word(t=-12_000.0, recv=0.0), clock(-12_000.0, sensor="rid-1")], None),
        ([word(t=-12_000.0, recv=0.0), clock(-12_000.0, recv=-601.0)], None),
        ([word(t=-12_000.0, recv=0.0), clock(-12_000.0, recv=-600.0)], 0.0),
        ([word(t=-12_000.0, recv=0.0, ident=""), clock(-12_000.0, ident="", t=-9.0)], None),
        ([word(t=-12_000.0, recv=0.0, ident=""), clock(-12_000.0, ident="")], 0.0),
        # one that runs ahead makes nothing late
        ([word(t=-300.0, recv=0.0), clock(400.0)], 300.0),
    ],
)
def test_a_clock_that_is_known_to_be_behind_makes_no_call_late(
    readings: list[dict[str, Any]], late_s: float | None
) -> None:
    found = findings(RULE, picture(0, readings=readings))
    assert [f.value for f in found] == ([] if late_s is None else [late_s])
