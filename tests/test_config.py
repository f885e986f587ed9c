"""Configuration: what is wrong is named with file and key, and nothing is silently taken."""

import pytest

from v2x.config import load_config
from v2x.errors import ConfigError
from v2x.sensors import Datum, SensorKind

GOOD = """
[site]
lat = 39.1244
lon = 117.3460

[[sensors]]
name = "radar-1"
format = "columns"
kind = "radar"
datum = "gcj02"
sd_m = 8.0
coverage = [[117.3, 39.1], [117.4, 39.1], [117.4, 39.2]]
"""


def load(tmp_path, text, environment=None):
    path = tmp_path / "v2x.toml"
    path.write_text(text, "utf-8")
    return load_config(path, environment or {})


def test_a_good_file_becomes_sensors_in_the_tile(tmp_path):
    table = load(tmp_path, GOOD).table()
    sensor = table[table.row("radar-1")]
    assert (sensor.kind, sensor.datum, sensor.scans) == (SensorKind.RADAR, Datum.GCJ02, True)
    assert len(sensor.coverage) == 3
    assert sensor.coverage[0][0] == pytest.approx(-3975, abs=20)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("altitude = 3", "altitude: unknown key"),
        ("sd_m = -1.0", "sensors.0.sd_m"),
        ('kind = "sonar"', "sensors.0.kind"),
        ("p_detect = nan", "sensors.0.p_detect"),
        ("coverage = [[117.3, 39.1], [117.4, 39.1]]", "3 vertices"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, line, told):
    key = line.split(" ")[0]
    text = "\n".join(row for row in GOOD.splitlines() if not row.startswith(key)) + "\n" + line
    with pytest.raises(ConfigError, match=told):
        load(tmp_path, text)


def test_a_missing_or_broken_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match="nowhere"):
        load_config(tmp_path / "nowhere.toml")
    with pytest.raises(ConfigError, match="not valid TOML"):
        load(tmp_path, "[site\n")


def test_a_sensor_name_used_twice_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="used twice: radar-1"):
        load(tmp_path, GOOD + GOOD[GOOD.index("[[sensors]]") :])


def test_the_environment_wins_for_addresses_and_secrets(tmp_path):
    text = GOOD + '[kafka]\nbootstrap = "file:1"\n'
    config = load(tmp_path, text, {"V2X_KAFKA_BOOTSTRAP": "env:2", "V2X_KAFKA_PASSWORD": "hunter2"})
    assert config.kafka.bootstrap == "env:2"
    assert "hunter2" not in repr(config)


def test_the_hash_changes_with_what_is_derived_and_not_with_where_it_goes(tmp_path):
    base = load(tmp_path, GOOD).digest()
    assert load(tmp_path, GOOD + '[kafka]\nbootstrap = "a:1"\n').digest() == base
    assert load(tmp_path, GOOD.replace("8.0", "9.0")).digest() != base
