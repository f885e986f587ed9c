import json
import math
import tracemalloc

import numpy as np
import pytest
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Transformer
from sapient_msg.bsi_flex_335_v2_0 import sapient_message_pb2

from tests.ingest.test_formats import mutations
from v2x.frames import FrameBatch
from v2x.geodesy import undulation
from v2x.ingest.decoded import Reject
from v2x.ingest.formats import format_named
from v2x.ingest.protobuf import MOST_FIELDS, MalformedError, parse, serialize
from v2x.ingest.sapient_messages import SCHEMA, encode_sapient
from v2x.ingest.timestamps import SECOND, parse_iso
from v2x.ingest.utm import from_utm
from v2x.observations import Flag, Kind, Model, ident_of
from v2x.readings import Name
from v2x.sensors import Sensor, SensorTable

T = parse_iso("2026-11-24T02:11:12.250Z")
NODE = "a8654cdf-4328-47de-81fa-c495589e30c9"
THING = "01HF0000000000000000000001"
TABLE = SensorTable.of(
    [Sensor("s", lat=39.1, lon=117.3), Sensor("turned", yaw_deg=-7.5, sd_deg=2.0, sd_range_m=20.0),
     Sensor("noisy", sd_m=4.0, sd_up_m=6.0)]
)  # fmt: skip
S, TURNED, NOISY = (TABLE.row(name) for name in ("s", "turned", "noisy"))
HERE = {"x": 117.35, "y": 39.125, "z": 52.5, "coordinate_system": 1, "datum": 1}
BEARING = {"azimuth": 90.0, "elevation": 3.0, "range": 1500.0, "coordinate_system": 1, "datum": 1}
Oracle = sapient_message_pb2.SapientMessage


def message(**content):
    stamp = {"seconds": T // SECOND, "nanos": T % SECOND}
    return {"timestamp": stamp, "node_id": NODE, **content}


def seen(location=None, bearing=None, **more):
    report = {"report_id": THING, "object_id": THING, **more}
    if bearing is not None:
        report["range_bearing"] = bearing
    elif location is not None:
        report["location"] = location
    return encode_sapient(message(detection_report=report))


def decode(payloads, row=S, table=TABLE):
    fmt = format_named("sapient")
    n = len(payloads)
    return fmt.decode(
        FrameBatch.of("sapient", payloads, [row] * n, [T] * n), table, fmt.new_state()
    )


def one(payload, row=S):
    made = decode([payload], row)
    assert made.rejects.tolist() == [Reject.OK]
    assert len(made.observations) == 1
    return made.observations


def why(payload, row=S):
    return Reject(int(decode([payload], row).rejects[0]))


def facts(payload):
    readings = decode([payload]).readings
    return [
        (Name(n), v) for n, v in zip(readings.name.tolist(), readings.value.tolist(), strict=True)
    ]


# --- the wire ------------------------------------------------------------------------------------

OF_TYPE = {1: "double", 2: "float", 3: "long", 5: "int", 8: "bool", 9: "string", 12: "bytes",
           14: "enum"}  # fmt: skip


def walk(descriptor, table, done):
    """Compare a descriptor with a table, and every message below it."""
    if table in done:
        return
    done.add(table)
    assert {f.number for f in descriptor.fields} == set(SCHEMA[table]), table
    for field in descriptor.fields:
        ours = SCHEMA[table][field.number]
        assert (ours.name, ours.repeated) == (field.name, field.is_repeated), (table, field.name)
        group = field.containing_oneof
        rivals = [f.name for f in group.fields if f is not field] if group else []
        assert sorted(ours.rivals) == sorted(rivals), (table, field.name)
        if field.message_type:
            walk(field.message_type, ours.type, done)
        else:
            assert ours.type == OF_TYPE[field.type], (table, field.name)
            if not field.is_repeated:
                assert ours.always == (not field.has_presence), (table, field.name)


def test_the_tables_are_the_published_definitions():
    done: set[str] = set()
    walk(Oracle.DESCRIPTOR, "SapientMessage", done)
    assert done == set(SCHEMA)


SCALARS = {
    "double": st.floats(allow_nan=False),
    "float": st.floats(width=32, allow_nan=False),
    "long": st.integers(-(2**63), 2**63 - 1),
    "int": st.integers(-(2**31), 2**31 - 1),
    "enum": st.integers(0, 5),
    "bool": st.booleans(),
    "string": st.text(max_size=5),
    "bytes": st.binary(max_size=5),
}


def values(name: str, depth: int = 0) -> st.SearchStrategy[dict]:
    """Messages with any of their fields; of a ``oneof`` one at most."""

    @st.composite
    def draw(draw):
        made = {}
        for field in SCHEMA[name].values():
            if not draw(st.booleans()) or any(rival in made for rival in field.rivals):
                continue
            if field.type in SCALARS:
                value = SCALARS[field.type]
            elif depth > 3:
                continue
            else:
                value = values(field.type, depth + 1)
            if field.repeated:
                some = draw(st.lists(value, max_size=2))
                if some:
                    made[field.name] = some
            else:
                one = draw(value)
                if one or not field.always:
                    made[field.name] = one
        return made

    return draw()


@settings(max_examples=60)
@given(st.sampled_from(sorted(SCHEMA)).flatmap(lambda n: st.tuples(st.just(n), values(n, 2))))
def test_any_message_written_is_read_again(drawn):
    name, made = drawn
    assert parse(serialize(made, name, SCHEMA), name, SCHEMA) == made


@settings(max_examples=60)
@given(values("SapientMessage", 1))
def test_bytes_are_those_of_the_protobuf_runtime(made):
    data = encode_sapient(made, prefixed=False)
    theirs = Oracle.FromString(data)
    assert theirs.SerializeToString(deterministic=True) == data
    assert parse(data, "SapientMessage", SCHEMA) == made


def as_plain(theirs) -> dict:
    """A message of the runtime as our reader gives it."""
    made = {}
    for field, value in theirs.ListFields():
        if field.message_type:
            made[field.name] = (
                [as_plain(v) for v in value] if field.is_repeated else as_plain(value)
            )
        else:
            made[field.name] = list(value) if field.is_repeated else value
    return made


def without_zeros(made: dict, name: str) -> dict:
    """Fields without presence vanish when they are 0."""
    out = {}
    for field in SCHEMA[name].values():
        if field.name not in made or (field.always and not made[field.name]):
            continue
        value = made[field.name]
        if field.type not in SCALARS:
            value = (
                [without_zeros(v, field.type) for v in value]
                if field.repeated
                else without_zeros(value, field.type)
            )
        if not field.repeated or value:
            out[field.name] = value
    return out


def test_broken_bytes_mean_what_they_mean_to_the_protobuf_runtime():
    both = 0
    for payload in mutations("sapient"):
        data = payload[4:]
        try:
            theirs = Oracle.FromString(data)
        except DecodeError:
            theirs = None
        try:
            ours = parse(data, "SapientMessage", SCHEMA)
        except MalformedError:
            continue
        if theirs is not None:
            left, right = without_zeros(ours, "SapientMessage"), as_plain(theirs)
            assert json.dumps(left, default=bytes.hex, sort_keys=True) == json.dumps(
                right, default=bytes.hex, sort_keys=True
            )
            both += 1
    assert both > 500


def test_a_packed_and_an_unpacked_list_are_the_same():
    packed = serialize({"region_type": [1, 4, 2]}, "RegistrationRegionDefinition", SCHEMA)
    for data in (packed, b"\x08\x01\x08\x04\x08\x02"):
        made = parse(data, "RegistrationRegionDefinition", SCHEMA)
        assert made == {"region_type": [1, 4, 2]}


def test_a_message_in_two_parts_is_merged_and_the_last_of_a_oneof_holds():
    first = encode_sapient({"detection_report": {"object_id": "a"}}, prefixed=False)
    second = encode_sapient({"detection_report": {"state": "b"}}, prefixed=False)
    third = encode_sapient({"alert": {"alert_id": "c"}}, prefixed=False)
    merged = parse(first + second, "SapientMessage", SCHEMA)
    assert merged == {"detection_report": {"object_id": "a", "state": "b"}}
    assert parse(first + third, "SapientMessage", SCHEMA) == {"alert": {"alert_id": "c"}}


def test_a_text_that_is_no_utf8_is_taken_as_chinese():
    body = "无人机".encode("gb18030")
    data = b"\x12" + bytes([len(body)]) + body
    assert parse(data, "SapientMessage", SCHEMA) == {"node_id": "无人机"}


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", Reject.SHORT),
        (b"\x00", Reject.BAD_MAGIC),
        (encode_sapient(message(), prefixed=True), Reject.UNKNOWN_MESSAGE),
        (encode_sapient({}, prefixed=True), Reject.BAD_MAGIC),
        (seen(HERE)[:-5], Reject.SHORT),
        (seen(HERE)[4:-5], Reject.SHORT),
        (seen(HERE) + b"\x00\x00", Reject.BAD_LENGTH),
        (b"\x0b", Reject.BAD_MAGIC),
        (b"\x0a" + b"\xff" * 10 + b"\x01", Reject.BAD_MAGIC),
        (b"\x10\x00" * (MOST_FIELDS + 1), Reject.TOO_COMPLEX),
        (encode_sapient(message(task={"task_id": "t"})), Reject.NOTHING_TO_OBSERVE),
        (seen(), Reject.NOTHING_TO_OBSERVE),
        (seen(HERE | {"y": 91.0}), Reject.VALUE_RANGE),
        (seen(HERE | {"x": math.nan}), Reject.VALUE_RANGE),
        (seen(HERE | {"coordinate_system": 3}), Reject.VALUE_RANGE),
        (seen({"x": 0.0, "y": 0.001, "coordinate_system": 1}), Reject.VALUE_RANGE),
        (seen(bearing=BEARING | {"datum": 2}), Reject.VALUE_RANGE),
        (seen(bearing=BEARING | {"datum": 3}), Reject.VALUE_RANGE),
        (seen(bearing=BEARING | {"coordinate_system": 6}), Reject.VALUE_RANGE),
        (seen(bearing=BEARING | {"azimuth": math.inf}), Reject.VALUE_RANGE),
        (seen(bearing=BEARING | {"elevation": 91.0}), Reject.VALUE_RANGE),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(payload, reason):
    assert why(payload) is reason


def test_messages_too_deep_in_one_another_are_refused():
    deep = {"type": "x"}
    for _ in range(30):
        deep = {"sub_class": [deep]}
    assert why(seen(HERE, classification=[deep])) is Reject.TOO_COMPLEX


def test_a_bare_message_is_the_same_as_one_behind_its_length():
    payload = seen(HERE)
    bare, prefixed = one(payload[4:]), one(payload)
    for column, *_ in bare.schema():
        one_, two = getattr(bare, column), getattr(prefixed, column)
        assert np.array_equal(one_, two, equal_nan=True), column


# --- what it means -------------------------------------------------------------------------------


def test_a_detection_in_degrees_above_the_ellipsoid():
    row = one(
        seen(
            HERE | {"x_error": 3e-5, "y_error": 2e-5, "z_error": 4.0},
            enu_velocity={"east_rate": 5.0, "north_rate": -3.0, "up_rate": 0.5,
                          "east_rate_error": 0.4, "north_rate_error": 0.2},
            id="B-1234",
        )
    )  # fmt: skip
    assert (row.lat[0], row.lon[0], row.height[0]) == (39.125, 117.35, 52.5)
    assert row.t_ns[0] == T
    assert row.track_ref[0] == ident_of(f"object:{THING}")
    assert row.ident[0] == ident_of("ext:B-1234")
    assert row.model[0] == Model.POSITION
    assert row.flags[0] == 0
    np.testing.assert_allclose(row.vel[0], [5.0, -3.0, 0.5])
    assert row.vel_sd[0] == np.float32(0.4)
    east, north, up = np.sqrt(row.cov[0, [0, 3, 5]])
    assert north == pytest.approx(2.224, rel=1e-3)
    assert east == pytest.approx(3.336 * math.cos(math.radians(39.125)), rel=1e-3)
    assert up == 4.0


def test_radians_are_the_same_place():
    radians = HERE | {"x": math.radians(117.35), "y": math.radians(39.125), "coordinate_system": 2}
    row = one(seen(radians))
    np.testing.assert_allclose([row.lat[0], row.lon[0]], [39.125, 117.35], atol=1e-12)


@pytest.mark.parametrize("zone", ["50S", " 50 s", ""])
def test_utm_is_the_same_place_with_its_zone_or_that_of_the_sensor(zone):
    east, north = Transformer.from_crs(4326, 32650, always_xy=True).transform(117.35, 39.125)
    at = {"x": east, "y": north, "coordinate_system": 5, "datum": 1}
    row = one(seen(at | ({"utm_zone": zone} if zone else {})))
    np.testing.assert_allclose([row.lat[0], row.lon[0]], [39.125, 117.35], atol=1e-9)


def test_utm_without_a_zone_and_a_place_of_the_sensor_is_refused():
    at = {"x": 530_000.0, "y": 4_330_000.0, "coordinate_system": 5, "datum": 1}
    assert why(seen(at), TURNED) is Reject.VALUE_RANGE


@given(st.floats(-80, 84), st.floats(-3.5, 3.5), st.integers(1, 60), st.booleans())
def test_utm_equals_the_projection_library(lat, off, zone, south):
    lat = -abs(lat) if south else abs(lat)
    lon = (6 * zone - 183 + off + 180) % 360 - 180
    code = (32700 if south else 32600) + zone
    east, north = Transformer.from_crs(4326, code, always_xy=True).transform(lon, lat)
    got = from_utm(east, north, zone, south)
    metres = 111_320.0
    assert abs(got[0] - lat) * metres < 1e-3
    assert abs((got[1] - lon + 180) % 360 - 180) * metres * math.cos(math.radians(lat)) < 1e-3


def test_a_height_above_the_geoid_gets_the_undulation():
    made = decode([seen(HERE | {"datum": 2}), seen(HERE)])
    geoid = float(undulation([39.125], [117.35])[0])
    np.testing.assert_allclose(made.observations.height, [52.5 + geoid, 52.5])
    np.testing.assert_array_equal(made.amsl, [52.5, math.nan])


def test_an_unspecified_datum_is_flagged():
    bare = {k: v for k, v in HERE.items() if k != "datum"}
    assert one(seen(bare)).flags[0] & Flag.DATUM_UNCERTAIN


def test_errors_that_are_no_angles_are_metres():
    made = decode([seen(HERE | {"x_error": 5.0, "y_error": 3.0})])
    np.testing.assert_allclose(made.observations.cov[0, [0, 3]], [25.0, 9.0])
    assert made.counts == {"error_in_metres": 1}


def test_a_claim_is_believed_down_to_the_noise_of_the_sensor():
    cov = one(seen(HERE | {"x_error": 5.0, "y_error": 3.0, "z_error": 1.0}), NOISY).cov[0]
    np.testing.assert_allclose(cov[[0, 3, 5]], [25.0, 16.0, 36.0])
    cov = one(seen({k: v for k, v in HERE.items() if k != "z"}), NOISY).cov[0]
    np.testing.assert_array_equal(cov[[0, 3, 5]], [16.0, 16.0, math.nan])


@pytest.mark.parametrize(
    ("system", "angle", "length"),
    [(1, 1.0, 1.0), (2, math.pi / 180, 1.0), (3, 1.0, 1e-3), (4, math.pi / 180, 1e-3)],
)
def test_range_and_bearing_in_every_unit(system, angle, length):
    row = one(
        seen(
            bearing={"azimuth": 90.0 * angle, "elevation": 3.0 * angle, "range": 1500.0 * length,
                     "azimuth_error": 0.5 * angle, "elevation_error": 1.0 * angle,
                     "range_error": 10.0 * length, "coordinate_system": system, "datum": 1}
        )
    )  # fmt: skip
    assert row.model[0] == Model.POLAR
    assert np.isnan(row.lat[0])
    np.testing.assert_allclose(
        [row.az[0], row.el[0], row.range[0], row.ang_sd[0], row.range_sd[0]],
        [math.pi / 2, math.radians(3), 1500.0, math.radians(1), 10.0],
    )


def test_without_a_range_it_is_a_bearing():
    row = one(seen(bearing={"azimuth": -10.0, "coordinate_system": 1, "datum": 4}), TURNED)
    assert row.model[0] == Model.BEARING
    np.testing.assert_allclose([row.az[0], row.el[0]], [math.radians(350), 0])
    assert row.ang_sd[0] == pytest.approx(math.radians(2))
    assert row.flags[0] == 0


def test_other_norths_need_the_yaw_of_the_sensor_which_the_tracker_adds():
    for datum in (2, 3):
        row = one(seen(bearing=BEARING | {"datum": datum}), TURNED)
        assert row.az[0] == pytest.approx(math.pi / 2)
    made = decode([seen(bearing=BEARING | {"datum": 2})])
    assert made.counts == {"azimuth_without_yaw": 1}


@pytest.mark.parametrize(
    ("classes", "kind", "conf"),
    [
        ([], Kind.UNKNOWN, 0.0),
        ([{"type": "Human", "confidence": 0.6}], Kind.PEDESTRIAN, 0.6),
        ([{"type": "Human"}], Kind.PEDESTRIAN, 0.7),
        ([{"type": "Land vehicle", "confidence": 0.8}], Kind.CAR, 0.4),
        ([{"type": "Air Vehicle", "confidence": 0.9}], Kind.UNKNOWN, 0.0),
        ([{"type": "sapient_core:UAV rotary wing", "confidence": 0.5}], Kind.UAS, 0.5),
        ([{"type": "UAV_KAMIKAZE", "confidence": 0.5}], Kind.UAS, 0.5),
        ([{"type": "UAS Control Station", "confidence": 0.5}], Kind.UNKNOWN, 0.0),
        (
            [{"type": "Human", "confidence": 0.2},
             {"type": "Air vehicle", "confidence": 0.9,
              "sub_class": [{"type": "UAV Fixed Wing", "confidence": 0.75, "level": 1,
                             "sub_class": [{"type": "Military", "level": 2}]}]}],
            Kind.UAS, 0.75,
        ),
        (
            [{"type": "Air vehicle", "confidence": 1.0,
              "sub_class": [{"type": "Manned Rotary Wing", "confidence": 0.25},
                            {"type": "Manned Fixed Wing", "confidence": 0.5}]}],
            Kind.AIRCRAFT, 0.5,
        ),
        (
            [{"type": "Animal", "confidence": 1.0, "sub_class": [{"type": "Bird", "level": 1}]}],
            Kind.BIRD, 1.0,
        ),
        ([{"type": "Human", "confidence": math.nan}], Kind.PEDESTRIAN, 0.0),
    ],
)  # fmt: skip
def test_the_most_confident_class_is_the_kind(classes, kind, conf):
    row = one(seen(HERE, classification=classes))
    assert (row.kind[0], row.kind_conf[0]) == (kind, np.float32(conf))


def test_a_lost_object_is_a_reading_and_no_observation():
    made = decode([seen(HERE, state="Lost")])
    assert not len(made.observations)
    assert made.readings.name.tolist() == [Name.TRACK_LOST]
    assert made.idents[int(made.readings.ident2[0])] == f"object:{THING}"


def test_a_status_tells_what_the_node_is_and_where():
    payload = encode_sapient(
        message(
            status_report={
                "system": 2, "info": 1, "mode": "Default", "power": {"level": 80, "source": 2},
                "node_location": HERE, "obscuration": [{"location_list": {"locations": [HERE]}}],
                "status": [{"status_level": 3, "status_type": 5, "status_value": "high"}],
            }
        )
    )  # fmt: skip
    assert facts(payload) == [
        (Name.HEARTBEAT, 1), (Name.NODE_STATUS, 2), (Name.NODE_CONDITION, 3), (Name.NODE_POWER, 80),
        (Name.NODE_LOCATION, 52.5), (Name.NODE_OBSCURED, 1),
    ]  # fmt: skip
    made = decode([payload])
    assert {made.idents[int(i)] for i in made.readings.ident} == {f"node:{NODE}"}
    assert made.idents[int(made.readings.ident2[2])] == "status:5:high"
    assert made.readings.lat[4] == 39.125


@pytest.mark.parametrize(("status", "value"), [(1, 3.0), (2, 3.0), (3, 0.0), (5, 0.0)])
def test_an_alert_is_a_reading_until_it_is_taken_back(status, value):
    alert = {"alert_id": "A1", "alert_type": 3, "status": status, "location": HERE}
    made = decode([encode_sapient(message(alert=alert))])
    assert made.readings.value.tolist() == [value]
    assert made.readings.lat.tolist() == [39.125]
    assert made.idents[int(made.readings.ident2[0])] == "alert:A1"


def test_a_registration_tells_what_a_node_is():
    made = decode(
        [encode_sapient(message(registration={"node_definition": [{"node_type": 2}], "name": "N"}))]
    )
    assert made.readings.value.tolist() == [2]
    assert made.idents[int(made.readings.ident2[0])] == "N"


@pytest.mark.parametrize(
    ("stamp", "t_ns", "flags"),
    [
        (None, T, Flag.TIME_FROM_ARRIVAL),
        ({"seconds": T // SECOND - 90_000}, T // SECOND * SECOND - 90_000 * SECOND,
         Flag.TIME_SUSPECT),
        ({"seconds": T // SECOND, "nanos": -1}, T, Flag.TIME_FROM_ARRIVAL | Flag.TIME_SUSPECT),
        ({"seconds": 2**62}, T, Flag.TIME_FROM_ARRIVAL | Flag.TIME_SUSPECT),
    ],
)  # fmt: skip
def test_the_time_is_that_of_the_message_if_it_can_be(stamp, t_ns, flags):
    made = message(detection_report={"location": HERE})
    made.pop("timestamp")
    row = one(encode_sapient(made | ({"timestamp": stamp} if stamp else {})))
    assert (row.t_ns[0], row.flags[0]) == (t_ns, flags)


def test_extra_is_the_whole_message_and_takes_any_bytes():
    extra = format_named("sapient").extra
    told = extra(seen(HERE, colour="red"))
    assert told["detection_report"]["colour"] == "red"
    for payload in mutations("sapient"):
        json.dumps(extra(payload), allow_nan=False)


def test_the_heaviest_frames_are_read_in_bounded_memory():
    heavy = [
        encode_sapient(message(status_report={"status": [{"status_type": 1}] * 13_000})),
        seen(HERE, classification=[{"type": "", "sub_class": [{}] * 15_000}]),
        b"\x12\x00" * 32_768,
    ]
    tracemalloc.start()
    made = [why(payload) for payload in heavy]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert made == [Reject.TOO_COMPLEX, Reject.OK, Reject.TOO_COMPLEX]
    assert peak < 64 << 20
