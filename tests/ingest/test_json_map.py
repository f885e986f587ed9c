"""JSON by a mapping: the examples, every unit, what is refused at the start and in frames."""

import json
import math
import tomllib
from pathlib import Path

import msgpack
import numpy as np
import pytest

from v2x.config import config_from, load_mapping
from v2x.errors import ConfigError
from v2x.frames import FrameBatch
from v2x.fusion import Tracker, TrackerConfig
from v2x.geodesy import Tile, undulation
from v2x.ingest.decoded import Reject
from v2x.ingest.formats.json_map import JsonMessages
from v2x.ingest.timestamps import parse_iso
from v2x.mapping import UNITS, JsonMapping, KindName
from v2x.observations import Flag, Kind, Model, ident_of
from v2x.sensors import Datum, Sensor, SensorTable

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "example" / "mappings"
RECV = parse_iso("2026-11-24T02:11:12.400Z")
LAT, LON = 39.124, 117.346


def decode(mapping, *messages, recv: int = RECV, form: str = "json", **more):
    tree = mapping if isinstance(mapping, JsonMapping) else JsonMapping.model_validate(mapping)
    settings = {"sd_m": 2.0, "sd_up_m": 3.0, "lat": LAT, "lon": LON, "hae_m": 10.0, **more}
    sensors = SensorTable.of([Sensor("s", "json", mapping=tree.text(), **settings)])
    pack = msgpack.packb if form == "msgpack" else lambda m: json.dumps(m).encode()
    payloads = [m if isinstance(m, bytes) else pack(m) for m in messages]
    n = len(payloads)
    batch = FrameBatch.of("json", payloads, [0] * n, [recv] * n)
    return JsonMessages().decode(batch, sensors, JsonMessages().new_state())


def simple(**fields):
    return {"fields": {"lat": "lat", "lon": "lon", **fields}}


PLACE = {"lat": LAT, "lon": LON}


def test_a_list_of_units_with_their_rsm_objects_is_read_by_the_example_mapping():
    car = {"ptcType": "motor", "ptcId": 17, "timeStamp": 1795486272345, "secMark": 12345,
           "pos_lat": LAT, "pos_lon": LON, "heading": 90.0, "speed": 12.5, "source": 5,
           "width": 1.8, "length": 4.5, "height": 1.5}  # fmt: skip
    walker = {**car, "ptcType": "pedestrian", "ptcId": 18, "speed": 0.1, "heading": 360}
    other = {**car, "ptcType": "tram", "ptcId": 19}
    unit = {"dev_pos": PLACE, "content": [car, walker]}
    made = decode(load_mapping(EXAMPLES / "rsm.toml"), [unit, {**unit, "content": [other]}])
    rows = made.observations
    assert made.rejects.tolist() == [Reject.OK]
    assert rows.track_ref.tolist() == [17, 18, 19]
    assert rows.kind.tolist() == [Kind.CAR, Kind.PEDESTRIAN, Kind.UNKNOWN]
    assert rows.t_ns.tolist() == [1_795_486_272_345_000_000] * 3
    assert np.allclose(rows.vel[0, :2], [12.5, 0.0])
    assert rows.vel[1, :2].tolist() == [0.0, 0.0]
    assert rows.size[0].tolist() == pytest.approx([4.5, 1.8, 1.5])
    assert (rows.flags == int(Flag.RELAYED)).all()
    assert made.counts == {"unlisted_kind": 1}


def test_a_radar_in_metres_of_its_own_becomes_positions_around_its_pose():
    message = {
        "header": {"type": "targets", "utc": "2026-11-24 10:11:12.345"},
        "data": {"targets": [
            {"id": 5, "pos": [30.0, 400.0], "v": 36.0, "course": 9000, "p": 80, "class": 3},
        ]},
    }  # fmt: skip
    mapping = load_mapping(EXAMPLES / "radar.toml")
    rows = decode(mapping, message, yaw_deg=90.0).observations
    enu = Tile(LAT, LON, 10.0).to_enu(rows.lat, rows.lon, np.array([10.0]))
    assert enu[0, :2] == pytest.approx([400.0, -30.0], abs=0.02)
    assert rows.t_ns.tolist() == [parse_iso("2026-11-24T02:11:12.345Z")]
    assert rows.vel[0, :2] == pytest.approx([10.0, 0.0])
    assert rows.kind_conf[0] == pytest.approx(0.8)
    assert rows.cov[0].tolist()[:4] == pytest.approx([0.64, 0.0, 0.0, 0.64])
    assert np.isnan(rows.height[0])
    heartbeat = {"header": {"type": "status", "utc": "2026-11-24 10:11:12.345"}}
    assert decode(mapping, heartbeat).rejects.tolist() == [Reject.UNKNOWN_MESSAGE]


def test_a_gateway_in_radians_and_feet_becomes_si():
    craft = {"tid": "T-9", "sn": "SN1", "rx": -71,
             "p": {"la": math.radians(LAT), "lo": math.radians(LON), "alt": 328.084},
             "v": {"e": 10, "n": 0.0, "climb": 600}}  # fmt: skip
    lost = {**craft, "p": {**craft["p"], "alt": -9999}, "sn": "0000"}
    message = {"frame": {"ts": 1795486272.345, "aircraft": {"A1": craft, "A2": lost}}}
    made = decode(load_mapping(EXAMPLES / "gateway.toml"), message)
    rows = made.observations
    assert rows.lat[0] == pytest.approx(LAT)
    assert rows.height[0] == pytest.approx(100.0 + float(undulation([LAT], [LON])[0]), abs=1e-3)
    assert rows.height[0] == pytest.approx(100.0 - 8.2, abs=0.1)
    assert np.isnan(rows.height[1])
    assert made.amsl[0] == pytest.approx(100.0, abs=1e-3)
    assert rows.vel[0].tolist() == pytest.approx([5.144, 0.0, 3.048], abs=1e-3)
    assert rows.kind.tolist() == [Kind.UAS] * 2
    assert rows.ident.tolist() == [ident_of("rid:SN1"), -1]
    assert made.idents == {ident_of("rid:SN1"): "rid:SN1"}
    assert rows.track_ref.tolist() == [ident_of("T-9")] * 2
    assert abs(rows.t_ns[0] - 1_795_486_272_345_000_000) < 1000


def test_every_example_mapping_is_good_and_read_from_msgpack_too():
    assert {path.stem for path in EXAMPLES.glob("*.toml")} == {"rsm", "radar", "gateway"}
    message = {"lat": LAT, "lon": LON, "h": 5}
    mapping = {**simple(height={"path": "h", "unit": "m"}), "height_reference": "hae"}
    one, two = (decode(mapping, message, form=form) for form in ("json", "msgpack"))
    assert one.observations.height.tolist() == two.observations.height.tolist() == [5.0]


@pytest.mark.parametrize(
    ("unit", "raw", "t"),
    [
        ("s", 1795486272.25, "2026-11-24T02:11:12.250Z"),
        ("s", "1795486272", "2026-11-24T02:11:12Z"),
        ("ms", 1795486272345, "2026-11-24T02:11:12.345Z"),
        ("ms", "1795486272345", "2026-11-24T02:11:12.345Z"),
        ("us", 1795486272345678, "2026-11-24T02:11:12.345678Z"),
        ("iso", "2026-11-24T10:11:12.345+08:00", "2026-11-24T02:11:12.345Z"),
        ("iso", "2026-11-24T02:11:12Z", "2026-11-24T02:11:12Z"),
        ("ms_of_minute", 12_345, "2026-11-24T02:11:12.345Z"),
        ("ms_of_minute", 59_900, "2026-11-24T02:10:59.900Z"),
    ],
)
def test_a_time_is_read_in_its_unit(unit, raw, t):
    rows = decode(simple(t={"path": "t", "unit": unit}), {**PLACE, "t": raw}).observations
    assert rows.t_ns.tolist() == [parse_iso(t)]
    assert rows.flags.tolist() == [0]


def test_nanoseconds_keep_every_digit():
    rows = decode(simple(t={"path": "t", "unit": "ns"}), {**PLACE, "t": RECV - 1}).observations
    assert rows.t_ns.tolist() == [RECV - 1]


@pytest.mark.parametrize(
    ("unit", "raw"),
    [
        ("iso", "2026-11-24T10:11:12"),
        ("iso", "soon"),
        ("iso", 5),
        ("ms_of_minute", 65_535),
        ("ms", -1),
        ("s", 1e30),
        ("s", "x"),
        ("ms", [1]),
    ],
)
def test_a_time_nobody_can_read_gives_way_to_the_arrival_and_is_counted(unit, raw):
    mapping = simple(t={"path": "t", "unit": unit})
    made = decode(mapping, {**PLACE, "t": raw})
    assert made.observations.t_ns.tolist() == [RECV]
    assert made.observations.flags.tolist() == [Flag.TIME_FROM_ARRIVAL]
    assert made.counts == {"bad_t": 1}
    mapping["fields"]["t"]["required"] = True
    made = decode(mapping, {**PLACE, "t": raw})
    assert made.rejects.tolist() == [Reject.BAD_MAP]
    assert made.counts == {"bad_t": 1, "missing_t": 1}


@pytest.mark.parametrize(
    ("name", "unit", "want"),
    [
        ("speed", "m/s", 36.0), ("speed", "km/h", 10.0), ("speed", "kt", 18.52),
        ("speed", "mph", 16.09344), ("speed", "cm/s", 0.36), ("speed", "ft/min", 0.18288),
    ],
)  # fmt: skip
def test_speeds_come_in_every_unit(name, unit, want):
    fields = {name: {"path": "v", "unit": unit}, "heading": {"path": "h", "unit": "rad"}}
    rows = decode(simple(**fields), {**PLACE, "v": 36.0, "h": math.pi / 2}).observations
    assert rows.vel[0, 0] == pytest.approx(want)


@pytest.mark.parametrize(
    ("unit", "want"),
    [("m", 25.0), ("km", 25_000.0), ("cm", 0.25), ("mm", 0.025), ("ft", 7.62), ("nmi", 46_300.0)],
)
def test_lengths_come_in_every_unit(unit, want):
    mapping = {**simple(height={"path": "h", "unit": unit}), "height_reference": "hae"}
    assert decode(mapping, {**PLACE, "h": 25}).observations.height[0] == pytest.approx(want)


def test_scaled_integers_of_a_wire_are_what_they_stand_for():
    fields = {
        "lat": {"path": "lat", "unit": "1e-7deg"},
        "lon": {"path": "lon", "unit": "deg", "scale": 1e-6},
        "height": {"path": "h", "unit": "m", "scale": 0.5, "offset": -1000, "invalid": [0]},
    }
    mapping = {"fields": fields, "height_reference": "hae"}
    rows = decode(
        mapping, *({"lat": 391_240_000, "lon": 117_346_000, "h": h} for h in (2_105, 0))
    ).observations
    assert rows.lat[0] == pytest.approx(LAT, abs=1e-9)
    assert rows.lon[0] == pytest.approx(LON, abs=1e-9)
    assert rows.height[0] == 52.5
    assert np.isnan(rows.height[1])


def test_angles_and_a_range_are_polar_and_turn_with_the_sensor():
    fields = {
        "az": {"path": "az", "unit": "deg"},
        "el": {"path": "el", "unit": "deg"},
        "range": {"path": "r", "unit": "km"},
        "radial": {"path": "d", "unit": "m/s"},
    }
    got = decode(
        {"fields": fields}, {"az": 350.0, "el": 5.0, "r": 1.5, "d": -3}, {"az": 1, "el": 2},
        yaw_deg=20.0, sd_range_m=4.0, sd_deg=0.5,
    )  # fmt: skip
    rows = got.observations
    assert rows.model.tolist() == [Model.POLAR]
    assert got.rejects.tolist() == [Reject.OK, Reject.BAD_MAP]
    assert rows.az[0] == pytest.approx(math.radians(10.0))
    assert rows.range.tolist() == [1500.0]
    assert rows.range_sd.tolist() == [4.0]
    assert rows.radial.tolist() == [-3.0]
    del fields["range"]
    rows = decode({"fields": fields}, {"az": 350.0, "el": 5.0}).observations
    assert rows.model.tolist() == [Model.BEARING]


def test_a_range_without_elevation_is_a_position_with_the_errors_of_both():
    fields = {"az": {"path": "az", "unit": "deg"}, "range": {"path": "r", "unit": "m"}}
    rows = decode(
        {"fields": fields}, {"az": 30.0, "r": 1000.0}, yaw_deg=60.0, sd_range_m=2.0, sd_deg=1.0
    ).observations
    enu = Tile(LAT, LON, 10.0).to_enu(rows.lat, rows.lon, np.array([10.0]))
    assert rows.model.tolist() == [Model.POSITION]
    assert enu[0, :2] == pytest.approx([1000.0, 0.0], abs=0.1)
    cross = (1000.0 * math.radians(1.0)) ** 2
    assert rows.cov[0, [0, 1, 3]] == pytest.approx([4.0, 0.0, cross], abs=1e-2)


def test_fields_around_the_object_and_of_the_message_are_reached():
    mapping = {
        "objects": "sites.*.lanes.*.cars",
        "fields": {
            "lat": "lat", "lon": "lon", "track_ref": "$.base", "ident": "^.lane",
            "rssi": {"path": "^.^.rx", "unit": "dBm"},
        },
    }  # fmt: skip
    message = {
        "base": 7,
        "sites": [{"rx": -60, "lanes": [{"lane": "A", "cars": [PLACE, PLACE]}]},
                  {"rx": -70, "lanes": {"b": {"lane": "B", "cars": PLACE}}}],
    }  # fmt: skip
    made = decode(mapping, message)
    assert made.observations.track_ref.tolist() == [7, 7, 7]
    assert [made.idents[int(i)] for i in made.observations.ident] == ["ext:A", "ext:A", "ext:B"]
    assert made.observations.rssi.tolist() == [-60.0, -60.0, -70.0]


def test_objects_without_a_required_field_are_dropped_and_a_frame_of_them_is_refused():
    mapping = {"objects": "o", **simple(rssi={"path": "r", "unit": "dBm", "required": True})}
    good = {**PLACE, "r": -50}
    made = decode(mapping, {"o": [PLACE, good]}, {"o": [PLACE]}, {"o": [{"lat": 1, "r": 1}]}, {},
                  {"o": []}, {"o": [{**good, "lat": 91}]})  # fmt: skip
    assert [Reject(code) for code in made.rejects] == [
        Reject.OK, Reject.BAD_MAP, Reject.BAD_MAP, Reject.BAD_MAP, Reject.NOTHING_TO_OBSERVE,
        Reject.VALUE_RANGE,
    ]  # fmt: skip
    assert made.counts == {
        "missing_rssi": 2, "missing_lon": 1, "missing_objects": 1, "position_out_of_range": 1,
    }  # fmt: skip
    assert len(made.observations) == 1
    assert made.readings.frame.tolist() == [4]


@pytest.mark.parametrize(
    "raw", [True, [1], {"a": 1}, "fast", "1" * 400, "nan(0x1)", 10**400, 1e308]
)
def test_a_value_that_is_no_number_is_not_measured_and_counted(raw):
    mapping = simple(vel_sd={"path": "v", "unit": "m/s", "scale": 10.0})
    made = decode(mapping, json.dumps({**PLACE, "v": raw}).encode())
    assert np.isnan(made.observations.vel_sd).all()
    assert made.counts == {"bad_vel_sd": 1}


def test_numbers_may_come_as_text():
    made = decode(simple(), {"lat": "39.124", "lon": " 117.346 "})
    assert made.observations.lat.tolist() == [LAT]


def test_a_time_far_from_the_arrival_is_suspect():
    mapping = simple(t={"path": "t", "unit": "ns"})
    made = decode(mapping, *({**PLACE, "t": RECV + d} for d in (0, 3 * 10**9, -90_000 * 10**9)))
    assert (made.observations.flags & int(Flag.TIME_SUSPECT) > 0).tolist() == [False, True, True]


def test_a_sensor_without_a_mapping_reads_nothing():
    sensors = SensorTable.of([Sensor("s", "json")])
    batch = FrameBatch.of("json", [b"{}"], [0], [RECV])
    made = JsonMessages().decode(batch, sensors, JsonMessages().new_state())
    assert made.rejects.tolist() == [Reject.UNKNOWN_EDITION]


def site(mapping, **more):
    sensor = {"name": "s", "format": "json", "lat": LAT, "lon": LON, "mapping": mapping, **more}
    return {"site": {"lat": LAT, "lon": LON}, "sensors": [sensor]}


GOOD = simple()


@pytest.mark.parametrize(
    ("mapping", "named"),
    [
        ({}, "mapping.fields"),
        ({**GOOD, "objekts": "a"}, "mapping.objekts: unknown key"),
        ({"fields": {}}, "no place"),
        (simple(sped="v"), "sped: unknown field"),
        (simple(speed={"path": "v", "unit": "m/h"}, heading={"path": "h", "unit": "deg"}), "'m/h'"),
        (simple(radial="v"), "radial.unit: not set"),
        (simple(ident={"path": "v", "unit": "m"}), "ident.unit"),
        (simple(rssi={"path": "r", "unit": "dBm", "wat": 1}), "rssi.wat: unknown key"),
        (simple(rssi={"unit": "dBm"}), "rssi: either a path or a value"),
        (simple(rssi={"path": "a", "value": 1, "unit": "dBm"}), "rssi: either a path or a value"),
        (simple(rssi={"value": "loud", "unit": "dBm"}), "rssi.value: 'loud' is no number"),
        (simple(kind={"path": "k", "values": {"1": "lorry"}}), "kind.values.1: 'lorry' is no kind"),
        (simple(kind={"value": "lorry"}), "kind.value: 'lorry' is no kind"),
        (simple(kind={"path": "k", "default": "car"}), "default: there are no values"),
        (simple(t={"path": "t", "unit": "iso", "zone": "CST"}), "t.zone"),
        (simple(t={"path": "t", "unit": "ms", "zone": "+08:00"}), "t.zone: only t in iso"),
        (simple(height={"path": "h", "unit": "m"}), "height_reference"),
        (simple(speed={"path": "v", "unit": "m/s"}), "speed and heading"),
        (simple(vel_east={"path": "v", "unit": "m/s"}), "vel_east and vel_north"),
        (simple(az={"path": "a", "unit": "deg"}), "more than one place"),
        (simple(range={"path": "a", "unit": "m"}), "belong to az"),
        (simple(track_ref="a..b"), "'a..b' is no path"),
        (simple(track_ref="a.$.b"), "is no path"),
        (simple(track_ref="a.*"), "a field has one value"),
        ({**GOOD, "objects": "^.a"}, "it begins at the message"),
        ({**GOOD, "only": {"$.a": [1]}}, "it begins at the message"),
        ({**GOOD, "flags": ["low_quality"]}, "flags"),
    ],
)  # fmt: skip
def test_a_mapping_that_cannot_work_is_refused_at_the_start_by_key(mapping, named):
    with pytest.raises(ConfigError) as refused:
        config_from(site(mapping), "site.toml", Path())
    assert named in str(refused.value)
    assert "sensors.0.mapping" in str(refused.value)


def test_a_mapping_in_a_file_of_its_own_counts_from_the_configuration(tmp_path):
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps" / "radar.toml").write_text((EXAMPLES / "radar.toml").read_text())
    config = config_from(site("maps/radar.toml"), "site.toml", tmp_path)
    inline = tomllib.loads((EXAMPLES / "radar.toml").read_text())
    again = config_from(site(inline), "site.toml", tmp_path)
    text = config.table()[0].mapping
    assert text == again.table()[0].mapping
    assert JsonMapping.of_text(text) == load_mapping(EXAMPLES / "radar.toml")
    assert config.digest() == again.digest()
    (tmp_path / "maps" / "radar.toml").write_text("objects = 'a'\nfields = {lat = 'x'}")
    with pytest.raises(ConfigError, match=r"radar\.toml: fields"):
        config_from(site("maps/radar.toml"), "site.toml", tmp_path)
    with pytest.raises(ConfigError, match=r"none\.toml"):
        config_from(site("none.toml"), "site.toml", tmp_path)


def test_the_format_and_its_mapping_go_together():
    with pytest.raises(ConfigError, match="format json needs one"):
        config_from(site(None), "site.toml", Path())
    with pytest.raises(ConfigError, match="no other format has one"):
        config_from(site(GOOD, format="objects"), "site.toml", Path())


def test_places_that_count_from_the_sensor_need_its_pose_in_wgs84():
    metres = {"fields": {n: {"path": n, "unit": "m"} for n in ("x", "y")}}
    with pytest.raises(ConfigError, match="lat, lon: not set"):
        config_from(site(metres, lat=None), "site.toml", Path())
    with pytest.raises(ConfigError, match="datum"):
        config_from(site(metres, datum="gcj02"), "site.toml", Path())
    assert config_from(site(metres), "site.toml", Path()).table()[0].datum == Datum.WGS84


@pytest.mark.parametrize("name", ["rsm", "radar", "gateway"])
def test_a_mapping_is_the_same_after_it_was_a_text_in_the_sensor_table(name):
    mapping = load_mapping(EXAMPLES / f"{name}.toml")
    assert JsonMapping.of_text(mapping.text()) == mapping
    tree = tomllib.loads((EXAMPLES / f"{name}.toml").read_text())
    sensors = config_from(site(tree), "site.toml", Path()).table()
    Tracker(sensors, TrackerConfig())  # its identity packs every field of every sensor


def test_kinds_of_a_mapping_are_those_of_observations_and_every_field_has_its_units():
    assert list(KindName.__args__) == [kind.name.lower() for kind in Kind]
    for name, units in UNITS.items():
        assert units or name in ("ident", "kind", "track_ref")
