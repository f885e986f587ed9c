import pytest

from v2x.alerts.rules.identity_spoof import CODES, RULE
from v2x.alerts.texts import render
from v2x.observations import Kind, ident_of
from v2x.picture import GroupKind, Groups, Verdict, Why

from .pictures import (
    LAT,
    LON,
    RADAR,
    RID,
    SENSORS,
    codes,
    drone,
    engine,
    findings,
    only,
    picture,
    run,
    steps,
)

WHO = "rid:ABCDE012345678901234"
RID_1 = SENSORS.row("rid-1")


def claims(*why, who=WHO, llr=float("nan"), **more):
    """Groups with one identity that these tests speak against, and other rows."""
    bits = sum(int(one) for one in why)
    row = Groups.blank(
        1, kind=GroupKind.CLAIM, key=ident_of(who), sensor=RID_1, size=1, lat=LAT, lon=LON,
        value=llr, why=bits,
    )  # fmt: skip
    others = [
        Groups.blank(1, kind=kind, key=RID_1, sensor=RID_1, size=size, lat=LAT, lon=LON)
        for kind, size in more.get("others", ())
    ]
    return Groups.concat([*([row] if why else []), *others])


def spoofed(*why, t=0.0, groups=None, **given):
    row = drone(**{"ident": WHO, "verdict": Verdict.SPOOFED, "sensors": RADAR | RID} | given)
    made = claims(*why, llr=25.0) if groups is None else groups
    return picture(t, [row], groups=made, plans=("P1",))


def test_every_test_of_a_claim_has_a_reason_of_its_own():
    assert len(set(CODES.values())) == len(CODES)
    for bit, code in CODES.items():
        assert code in codes(only(RULE, spoofed(bit, verdict=Verdict.CLAIMED)))


def test_a_claim_that_sensors_contradict_is_severity_2_and_tells_the_likelihood():
    found = only(RULE, spoofed(Why.POSITION))
    assert (found.severity, found.subject, found.track) == (2, ("ident", WHO), 0)
    assert ("position", 25.0, 10.0, "") in found.reasons
    assert found.raises


def test_a_claim_with_an_approved_plan_is_severity_1():
    assert only(RULE, spoofed(Why.POSITION, plan=0)).severity == 1


def test_remote_id_alone_never_raises_severity_1():
    found = only(RULE, spoofed(Why.GHOST, plan=0, sensors=RID))
    assert found.severity == 2
    assert "self_report_only" in codes(found)
    assert only(RULE, spoofed(Why.GHOST, sensors=RID)).severity == 3


def test_a_ghost_that_no_track_carries_is_found_where_it_claims_to_be():
    found = only(RULE, picture(0.0, [], groups=claims(Why.GHOST)))
    assert (found.severity, found.track) == (3, -1)
    assert (found.lat, found.lon) == (LAT, LON)


@pytest.mark.parametrize("why", [Why.FORM, Why.PILOT_PLACE])
@pytest.mark.parametrize(
    ("verdict", "raises"),
    [
        (Verdict.AUTHORISED, True), (Verdict.CLAIMED, True), (Verdict.UNDECIDED, True),
        (Verdict.UNREGISTERED, False), (Verdict.UNAUTHORISED, False), (Verdict.DARK, False),
        (Verdict.NONCONFORMING, False), (Verdict.MANNED, False),
    ],
)  # fmt: skip
def test_evidence_alone_is_severity_4_where_no_other_verdict_speaks(why, verdict, raises):
    found = findings(RULE, spoofed(why, verdict=verdict))
    assert [f.severity for f in found] == ([4] if raises else [])


def test_a_manned_aircraft_is_never_spoofed_here():
    assert not findings(RULE, spoofed(Why.TWO_PLACES, verdict=Verdict.MANNED, kind=Kind.AIRCRAFT))


def test_the_alert_is_shown_by_the_object_that_sensors_see_elsewhere():
    rows = [
        drone(id=1, ident=WHO, verdict=Verdict.SPOOFED, sensors=RID, east=100.0),
        drone(id=2, ident="", about=WHO, verdict=Verdict.SPOOFED, sensors=RADAR),
    ]
    found = only(RULE, picture(0.0, rows, groups=claims(Why.POSITION)))
    assert (found.track, found.severity) == (1, 2)


def test_groups_at_one_receiver_are_one_finding():
    groups = claims(
        others=((GroupKind.TRANSMITTER, 30), (GroupKind.TRANSMITTER, 20), (GroupKind.FLOOD, 980))
    )
    found = only(RULE, picture(0.0, [], groups=groups))
    assert (found.subject, found.severity) == (("device", "rid-1"), 2)
    assert [r[:2] for r in found.reasons] == [("one_transmitter", 50), ("flood", 980)]


def test_an_area_or_a_swarm_is_no_forgery():
    groups = claims(others=((GroupKind.AREA, 9), (GroupKind.SWARM, 9)))
    assert not findings(RULE, picture(0.0, [], groups=groups))


def test_it_must_last_3_s_and_is_told_in_both_languages():
    made = run(engine(RULE), [spoofed(Why.POSITION, Why.GHOST, t=t) for t in steps(0, 4)])
    assert made[0].body["event_time"].startswith("2026-03-01T02:00:03")
    assert made[0].severity == 2
    text = render(made[0].body)
    assert WHO in text["en"]
    assert text["en"].startswith("Drone is not where its Remote ID says")
    assert text["zh-CN"].startswith("无人机不在其远程识别所报位置")


def test_a_group_is_told_with_its_receiver_and_its_number():
    groups = claims(others=((GroupKind.TRANSMITTER, 50),))
    made = run(engine(RULE), [picture(t, [], groups=groups) for t in steps(0, 4)])
    assert [a.rev for a in made] == [1]
    assert "rid-1, 50 identities" in made[0].body["text"]["en"]
