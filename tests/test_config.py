"""Configuration: what is wrong is named with file and key, and nothing is silently taken."""

import pytest

from v2x.app import Pipeline
from v2x.config import config_from, load_config
from v2x.errors import ConfigError
from v2x.observations import Kind
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
        ("coverage = [[117.3, 39.1], [117.4, 39.1]]", "sensors.0.coverage: .*3 vertices"),
        ("coverage = [[39.1, 117.3], [39.1, 117.4], [39.2, 117.4]]", r"coverage: vertex 0: lat"),
        ("coverage = [[181, 39.1], [117.4, 39.1], [117.4, 39.2]]", r"coverage: vertex 0: lon"),
        ("coverage = [[0, 0], [2, 2], [2, 0], [0, 2]]", "coverage: edges 0 and 2 cross"),
        ("coverage = [[0, 0], [4, 0], [4, 4], [2, 0], [0, 4]]", "coverage: edges 0 and 2"),
        ("coverage = [[0, 0], [1, 1], [2, 2]]", "coverage: .*no area"),
        ('name = "road/1"', "sensors.0.name: '/'"),
        ('edition = "2018"', "sensors.0.edition"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, line, told):
    key = line.split(" ")[0]
    text = "\n".join(row for row in GOOD.splitlines() if not row.startswith(key)) + "\n" + line
    with pytest.raises(ConfigError, match=told):
        load(tmp_path, text)
    with pytest.raises(ConfigError, match=r"v2x\.toml: "):
        load(tmp_path, text)


@pytest.mark.parametrize("edition", ["auto", "2017", "2019", "2020", "day2"])
def test_a_known_edition_is_taken(tmp_path, edition):
    assert load(tmp_path, GOOD + f'edition = "{edition}"').sensors[0].edition == edition


def test_a_closed_coverage_and_one_with_a_dent_are_taken(tmp_path):
    for ring in (
        "[[0, 0], [2, 0], [2, 2], [0, 2], [0, 0]]",
        "[[0, 0], [4, 0], [4, 4], [2, 1], [0, 4]]",
    ):
        text = "\n".join(row for row in GOOD.splitlines() if not row.startswith("coverage"))
        assert load(tmp_path, f"{text}\ncoverage = {ring}").sensors[0].coverage


def test_a_file_sink_without_its_file_and_two_sinks_of_one_name_are_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"v2x\.toml: sinks\.0\.path: "):
        load(tmp_path, GOOD + '[[sinks]]\nkind = "jsonl"\n')
    with pytest.raises(ConfigError, match=r"v2x\.toml: sinks\.0\.url: "):
        load(tmp_path, GOOD + '[[sinks]]\nkind = "webhook"\n')
    with pytest.raises(ConfigError, match=r"v2x\.toml: sinks: name: used twice: kafka"):
        load(tmp_path, GOOD + '[[sinks]]\nkind = "kafka"\n' * 2)


def test_secrets_of_webhooks_may_come_from_the_environment(tmp_path):
    path = tmp_path / "v2x.toml"
    path.write_text(GOOD + '[[sinks]]\nkind = "webhook"\nurl = "https://x.example"\n')
    config = load_config(path, {"V2X_WEBHOOK_SECRETS": "whsec_b, whsec_a"})
    assert config.sinks[0].secrets == ("whsec_b", "whsec_a")
    assert "whsec" not in repr(config)


def test_what_shows_only_when_the_pipeline_is_built_is_named_with_its_file_too(tmp_path):
    with pytest.raises(ConfigError, match=r"v2x\.toml: \[site\] lat, lon"):
        load(tmp_path, "[site]\nlat = 3.0\n").tile()
    with pytest.raises(ConfigError, match=r"v2x\.toml: \[alerts\.nosuch\]"):
        Pipeline(load(tmp_path, GOOD + "[alerts.nosuch]\nhold_s = 1\n"))
    with pytest.raises(ConfigError, match=r"v2x\.toml: sensor radar-1: format: .*'morse'"):
        Pipeline(load(tmp_path, GOOD.replace('"columns"', '"morse"')))


def test_where_a_configuration_comes_from_is_no_key_and_changes_no_hash(tmp_path):
    tree = {"site": {"lat": 1.0, "lon": 2.0}}
    one, two = (config_from(tree, name, tmp_path) for name in ("one.toml", "two.toml"))
    assert (one.origin, one.digest()) == ("one.toml", two.digest())
    with pytest.raises(ConfigError, match="origin: unknown key"):
        config_from({**tree, "origin": "x"}, "one.toml", tmp_path)


def test_a_byte_order_mark_before_the_text_is_taken(tmp_path):
    (tmp_path / "v2x.toml").write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    assert load_config(tmp_path / "v2x.toml", {}).site.lat == 39.1244


def test_a_section_that_is_no_table_is_refused_also_where_the_environment_speaks(tmp_path):
    for environment in ({}, {"V2X_KAFKA_BOOTSTRAP": "x:1"}):
        with pytest.raises(ConfigError, match=r"v2x\.toml: kafka: "):
            load(tmp_path, "kafka = 5\n" + GOOD, environment)


def test_a_missing_or_broken_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match="nowhere"):
        load_config(tmp_path / "nowhere.toml")
    with pytest.raises(ConfigError, match="not valid TOML"):
        load(tmp_path, "[site\n")


def test_a_sensor_name_used_twice_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"v2x\.toml: sensors: name: used twice: radar-1"):
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


def test_a_fleet_names_each_identity_once_and_with_its_scheme(tmp_path):
    fleet = '[fleet]\nbus = ["808:13800138000"]\nemergency_vehicle = ["vin:00ff"]\n'
    table = load(tmp_path, GOOD + fleet).table()
    assert table.fleet == {"808:13800138000": Kind.BUS, "vin:00ff": Kind.EMERGENCY_VEHICLE}
    assert load(tmp_path, GOOD).digest() != load(tmp_path, GOOD + fleet).digest()
    with pytest.raises(ConfigError, match=r"fleet.emergency_vehicle: named twice: vin:00ff"):
        load(tmp_path, GOOD + fleet.replace("808:13800138000", "vin:00ff"))
    with pytest.raises(ConfigError, match=r"fleet\.bus\.0"):
        load(tmp_path, GOOD + fleet.replace("808:", ""))
    with pytest.raises(ConfigError, match=r"fleet\.tram: unknown key"):
        load(tmp_path, GOOD + fleet.replace("bus", "tram"))


def test_work_on_a_device_ends_after_its_start_and_says_its_offset_from_utc(tmp_path):
    def window(**more):
        tree = {"maintenance": [{"device": "radar-1", "start": "2026-03-01T10:00:00+08:00",
                                 "end": "2026-03-01T12:00:00+08:00"} | more]}  # fmt: skip
        return config_from(tree, "test", tmp_path).maintenance[0]

    made = window()
    assert (made.start_ns, made.end_ns - made.start_ns) == (1_772_330_400 * 10**9, 7200 * 10**9)
    assert made.start_ns == window(start="2026-03-01T02:00:00Z").start_ns
    for wrong in ({"end": "2026-03-01T10:00:00+08:00"}, {"start": "2026-03-01T10:00:00"},
                  {"device": ""}):  # fmt: skip
        with pytest.raises(ConfigError, match=r"maintenance\.0"):
            window(**wrong)
