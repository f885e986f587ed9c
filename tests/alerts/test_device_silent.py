import pytest

from v2x.alerts.rules.device_silent import RULE
from v2x.sensors import Sensor, SensorTable

from .pictures import engine, findings, only, picture, run, steps, story

TABLE = SensorTable.of(
    [
        Sensor("fast", period_s=0.1),
        Sensor("none"),
        Sensor("slow", period_s=15.0, lat=39.1, lon=117.3),
    ]
)
TICK = 1e-6


@pytest.mark.parametrize(
    ("name", "silent", "found"),
    [
        ("fast", 3.0, False),
        ("fast", 3.0 + TICK, True),
        ("slow", 45.0, False),
        ("slow", 45.0 + TICK, True),
        ("none", 1e6, False),
    ],
)
def test_three_periods_and_at_least_three_seconds(name: str, silent: float, found: bool) -> None:
    spoke = {"fast": 0.0, "none": 0.0, "slow": 0.0} | {name: -silent}
    made = findings(RULE, picture(0, spoke=spoke, sensors=TABLE))
    assert [f.subject for f in made] == ([("device", name)] if found else [])


@pytest.mark.parametrize(("watching", "count"), [(-3.0, 0), (-3.1, 1), (-45.1, 2)])
def test_one_that_never_spoke_counts_from_the_start_of_watching(
    watching: float, count: int
) -> None:
    made = picture(0, spoke={}, sensors=TABLE, watching=watching)
    assert len(findings(RULE, made)) == count


def test_the_finding_says_how_long_and_where() -> None:
    finding = only(RULE, picture(0, spoke={"fast": 0.0, "slow": -60.0}, sensors=TABLE))
    assert finding.severity == 3
    assert finding.reasons == (("silent_s", 60.0, 45.0, "s"),)
    assert (finding.lat, finding.lon, finding.quiet_s) == (39.1, 117.3, 45.0)


def test_one_alert_however_long_it_lasts_and_clear_after_three_periods_of_talk() -> None:
    def spoke(t: float) -> dict[str, float]:
        return {"fast": t, "slow": 0.0 if t < 100 else t}

    alerts = run(engine(RULE), [picture(t, spoke=spoke(t), sensors=TABLE)
                                for t in steps(0, 200, 0.5)])  # fmt: skip
    assert story(alerts) == [
        (45.5, 1, "active", 3), (144.5, 2, "cleared", 3), (144.5, 3, "cleared", 3)
    ]  # fmt: skip
    assert alerts[2].body["state"] == "resolved"
    assert alerts[0].body["cause"] == "device"
    assert alerts[0].body["subject"] == {"device": "slow"}
    assert alerts[0].body["evidence"] == [
        {"sensor": "slow", "kind": "unknown", "last_seen": "2026-03-01T02:00:00.000Z"}
    ]
