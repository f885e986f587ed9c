import pytest

from v2x.alerts.rules.uas_swarm import RULE
from v2x.observations import Kind
from v2x.picture import GroupKind, Groups, Verdict

from .pictures import LAT, LON, RID, codes, drone, engine, findings, only, picture, run, steps

SWARM = Groups.blank(
    1, kind=GroupKind.SWARM, key=1, size=5, lat=LAT, lon=LON, radius_m=40.0, value=0.5
)


def swarm(n, t=0.0, inside=(), **given):
    rows = [drone(**{"id": 1 + k, "group": 0, "east": 10.0 * k} | given) for k in range(n)]
    return picture(t, rows, groups=SWARM, inside=inside)


@pytest.mark.parametrize(("n", "raises"), [(2, None), (3, False), (4, False), (5, True)])
def test_five_raise_and_three_keep(n, raises):
    assert [f.raises for f in findings(RULE, swarm(n))] == ([] if raises is None else [raises])


def test_it_tells_how_many_how_wide_and_how_alike():
    found = only(RULE, swarm(6))
    assert (found.subject, found.severity, found.track) == (("track", 1), 2, 0)
    assert found.reasons[:3] == (
        ("count", 6, 5, ""), ("radius", 40.0, None, "m"), ("spread", 0.5, None, "m/s"),
    )  # fmt: skip


def test_a_member_in_a_prohibited_zone_makes_it_severity_1():
    assert only(RULE, swarm(5, inside=[(2, "P-1", 0.95)])).severity == 1
    assert only(RULE, swarm(5, inside=[(2, "P-1", 0.89)])).severity == 2
    assert only(RULE, swarm(5, inside=[(2, "R-1", 0.95)])).severity == 2


def test_a_swarm_known_by_its_own_word_alone_is_one_step_less():
    found = only(RULE, swarm(5, sensors=RID))
    assert found.severity == 3
    assert "self_report_only" in codes(found)


@pytest.mark.parametrize(
    "given", [{"kind": Kind.BIRD}, {"verdict": Verdict.MANNED}, {"exist": 0.4}, {"group": -1}]
)
def test_only_drones_that_are_there_count(given):
    assert not findings(RULE, swarm(5, **given))


def test_the_alert_stays_when_its_founder_is_gone_and_clears_after_20_s():
    def at(t):
        if t < 5:
            return swarm(6, t)
        rows = [drone(id=1 + k, group=0, east=10.0 * k) for k in range(1, 6)]
        return picture(t, rows if t < 8 else [], groups=SWARM if t < 8 else None)

    made = run(engine(RULE), [at(t) for t in steps(0, 30)])
    assert len({a.id for a in made}) == 1
    assert made[-1].condition == "cleared"
    assert (made[-1].event_ns - made[0].event_ns) / 1e9 == pytest.approx(27.9 - 3.0, abs=0.15)
    assert "Unplanned swarm of 6 drones" in made[0].body["text"]["en"]
