"""Maps of objects: the rules of the column frame, one object at a time, and what is refused."""

import json

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from v2x.frames import FrameBatch
from v2x.ingest.decoded import Reject
from v2x.ingest.formats.columns import ColumnFrame
from v2x.ingest.formats.objects import Objects, encode_objects
from v2x.ingest.timestamps import parse_iso
from v2x.observations import Flag, Kind, Model, ident_of
from v2x.readings import Name
from v2x.sensors import Datum, Sensor, SensorTable

from .naive_objects import column_frames

T = 1_795_486_272_345_000_000
RECV = T + 50_000_000
SENSORS = SensorTable.of(
    [
        Sensor("gcj", "objects", datum=Datum.GCJ02, sd_m=2.0),
        Sensor("radar", "objects", sd_m=3.0, sd_up_m=4.0, sd_range_m=5.0, sd_deg=0.5),
    ]
)
RADAR, GCJ = SENSORS.row("radar"), SENSORS.row("gcj")
PLACE = {"lat": 39.124, "lon": 117.346}


def batch(name: str, payloads, sensor: int = RADAR) -> FrameBatch:
    n = len(payloads)
    return FrameBatch.of(name, payloads, [sensor] * n, [RECV] * n)


def decode(*payloads: bytes, sensor: int = RADAR):
    return Objects().decode(batch("objects", payloads, sensor), SENSORS, None)


def packed(*maps, form: str = "json") -> bytes:
    tree = maps[0] if len(maps) == 1 else list(maps)
    return json.dumps(tree).encode() if form == "json" else msgpack.packb(tree)


def same(one, two, but=("frame",)) -> None:
    for name, _, _, _ in one.schema():
        if name not in but:
            assert np.array_equal(getattr(one, name), getattr(two, name), equal_nan=True), name


NUMBER = st.none() | st.floats(-1e3, 1e3, width=32)
OBJECT = st.fixed_dictionaries(
    {},
    optional={
        "height": NUMBER,
        "vel": st.lists(NUMBER, min_size=3, max_size=3),
        "size": st.lists(NUMBER, min_size=3, max_size=3),
        "cov": st.lists(st.floats(-9, 9, width=32) | st.none(), min_size=6, max_size=6),
        "vel_sd": NUMBER,
        "radial": NUMBER,
        "radial_sd": NUMBER,
        "rssi": NUMBER,
        "kind": st.integers(0, 255),
        "kind_conf": NUMBER,
        "track_ref": st.integers(-(2**63), 2**63 - 1),
        "flags": st.integers(0, 65535),
        "ident": st.text(st.characters(codec="utf-8"), min_size=1, max_size=9),
        "hr": st.sampled_from(["hae", "amsl", "agl", "takeoff", "baro"]),
        "datum": st.just("wgs84"),
        "t_ns": st.integers(0, 2**62 - 1),
        "v": st.just(1),
    },
)
SITE = st.fixed_dictionaries(
    {"lat": st.floats(-91, 91), "lon": st.floats(-181, 181)}
) | st.fixed_dictionaries(
    {"az": st.floats(-8, 8), "el": st.floats(-2, 2)}, optional={"range": st.floats(-1, 2e6)}
)


@given(st.lists(st.tuples(SITE, OBJECT), min_size=1, max_size=4), st.sampled_from(["json", "mp"]))
def test_a_map_is_judged_as_the_same_row_of_a_column_frame(objects, form):
    maps = [{**site, **more} for site, more in objects]
    payload = packed(*maps, form=form)
    made = decode(payload)
    frames = column_frames(payload, RECV)
    twin = ColumnFrame().decode(batch("columns", frames), SENSORS, None)
    late = np.array(["t_ns" not in one for one in maps])[twin.observations.frame]
    twin.observations.flags[late] |= np.uint16(Flag.TIME_FROM_ARRIVAL)
    same(made.observations, twin.observations)
    assert made.rejects.tolist() == [Reject.OK if len(made.observations) else Reject.VALUE_RANGE]
    for ident in made.observations.ident[made.observations.ident >= 0].tolist():
        assert made.idents[ident] == twin.idents[ident]


def test_both_forms_of_what_is_encoded_hold_the_same():
    rng = np.random.default_rng(4)
    columns = {
        "lat": rng.uniform(38, 40, 50),
        "lon": rng.uniform(116, 118, 50),
        "height": np.where(np.arange(50) % 3, rng.uniform(-10, 300, 50), np.nan),
        "vel": rng.normal(0, 10, (50, 3)),
        "ident": np.arange(50) % 3 - 1,
        "kind": rng.integers(0, 13, 50),
    }
    forms = [
        encode_objects(T + np.arange(50), columns, ["rid:A", "b"], form=form, reference="amsl")
        for form in ("json", "msgpack")
    ]
    text, binary = (decode(payload) for payload in forms)
    same(text.observations, binary.observations)
    assert np.array_equal(text.observations.t_ns, T + np.arange(50))
    assert np.array_equal(text.observations.vel, columns["vel"].astype("f4"))
    assert np.array_equal(text.amsl, columns["height"].astype("f4"), equal_nan=True)
    hashes = np.array([-1, ident_of("rid:A"), ident_of("ext:b")])
    assert np.array_equal(text.observations.ident, hashes[columns["ident"] + 1])


@pytest.mark.parametrize(
    ("said", "t_ns", "flag"),
    [
        ({"t_ns": T}, T, 0),
        ({"t": "2026-11-24T10:11:12.345678901+08:00"}, parse_iso("2026-11-24T02:11:12Z")
         + 345_678_901, 0),
        ({"t": "2026-11-24T02:11:12Z"}, parse_iso("2026-11-24T02:11:12Z"), 0),
        ({"t0": T, "dt": -1_000}, T - 1_000_000, 0),
        ({"t0": T, "dt": 700_000_000}, T + 700_000_000_000, Flag.TIME_SUSPECT),
        ({}, RECV, Flag.TIME_FROM_ARRIVAL),
        ({"t_ns": None}, RECV, Flag.TIME_FROM_ARRIVAL),
    ],
)  # fmt: skip
def test_a_map_says_its_time_in_one_of_three_ways_or_not_at_all(said, t_ns, flag):
    rows = decode(packed({**PLACE, **said})).observations
    assert rows.t_ns.tolist() == [t_ns]
    assert rows.flags.tolist() == [flag]


def test_a_kind_has_a_number_or_a_name():
    kinds = ["uas", "Bus", 5, "hovercraft", 200, None, -1]
    rows = decode(packed(*({**PLACE, "kind": kind} for kind in kinds))).observations
    assert rows.kind.tolist() == [Kind.UAS, Kind.BUS, Kind.TRUCK, 0, 0, 0, 0]


def test_angles_with_a_range_are_polar_and_without_one_a_bearing():
    rows = decode(packed({"az": 1.0, "el": 0.1, "range": 500}, {"az": 1, "el": 0})).observations
    assert rows.model.tolist() == [Model.POLAR, Model.BEARING]
    assert rows.range_sd.tolist() == [5.0, 5.0]


def test_an_empty_list_is_an_empty_look():
    made = decode(b"[]", b"\x90")
    assert made.rejects.tolist() == [Reject.NOTHING_TO_OBSERVE] * 2
    assert made.readings.name.tolist() == [Name.SCAN_EMPTY] * 2
    assert made.readings.t_ns.tolist() == [RECV] * 2


def test_a_bad_object_is_dropped_alone_and_counted():
    bad = [{"lat": 39.1}, {**PLACE, "rssi": "loud"}, {**PLACE, "vel": [1, 2]}, {}]
    made = decode(packed({**PLACE, "track_ref": 1}, *bad, {**PLACE, "track_ref": 2}))
    assert made.rejects.tolist() == [Reject.OK]
    assert made.observations.track_ref.tolist() == [1, 2]
    assert made.counts["bad_object"] == 4


@pytest.mark.parametrize(
    ("one", "code"),
    [
        ({}, Reject.BAD_COLUMN),
        ({"lat": 39.0}, Reject.BAD_COLUMN),
        ({**PLACE, "az": 1.0}, Reject.BAD_COLUMN),
        ({**PLACE, "az": 1.0, "el": 0.0}, Reject.BAD_COLUMN),
        ({"lat": "39", "lon": 117.0}, Reject.BAD_COLUMN),
        ({"lat": True, "lon": 117.0}, Reject.BAD_COLUMN),
        ({"lat": None, "lon": 117.0}, Reject.VALUE_RANGE),
        ({"lat": 91.0, "lon": 117.0}, Reject.VALUE_RANGE),
        ({"lat": 0.0, "lon": 0.0}, Reject.VALUE_RANGE),
        ({**PLACE, "vel": [1, 2, "3"]}, Reject.BAD_COLUMN),
        ({**PLACE, "cov": {"e": 1}}, Reject.BAD_COLUMN),
        ({**PLACE, "track_ref": 1.5}, Reject.BAD_COLUMN),
        ({**PLACE, "track_ref": 1 << 63}, Reject.BAD_COLUMN),
        ({**PLACE, "flags": -1}, Reject.BAD_COLUMN),
        ({**PLACE, "kind": [4]}, Reject.BAD_COLUMN),
        ({**PLACE, "ident": 7}, Reject.BAD_MAP),
        ({**PLACE, "hr": "roof"}, Reject.BAD_MAP),
        ({**PLACE, "hr": ["hae"]}, Reject.BAD_MAP),
        ({**PLACE, "t": "yesterday"}, Reject.BAD_MAP),
        ({**PLACE, "t": "2026-11-24T02:11:12"}, Reject.BAD_MAP),
        ({**PLACE, "t": "2026-11-24T02:11:12Z", "t_ns": T}, Reject.BAD_MAP),
        ({**PLACE, "t_ns": 1.5e18}, Reject.BAD_MAP),
        ({**PLACE, "t_ns": -1}, Reject.VALUE_RANGE),
        ({**PLACE, "t0": T, "dt": 1 << 40}, Reject.VALUE_RANGE),
        ({**PLACE, "v": 2}, Reject.UNSUPPORTED_VERSION),
        ({**PLACE, "datum": "gcj02"}, Reject.UNKNOWN_EDITION),
    ],
)
@pytest.mark.parametrize("form", ["json", "msgpack"])
def test_a_frame_without_a_good_object_is_refused_by_name(one, code, form):
    payload = packed(one, form=form)
    made = decode(payload, packed({**PLACE, "t_ns": T}, form=form))
    assert made.rejects.tolist() == [code, Reject.OK]
    assert len(made.observations) == 1


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"", Reject.SHORT),
        (b" \t", Reject.BAD_TEXT),
        (b'{"lat": 39.0,', Reject.BAD_TEXT),
        (b'{"lat": 39, "lon": 117, "lat": 39}', Reject.BAD_MAP),
        (b"\x82\xa1a\x01\xa1a\x02", Reject.BAD_MAP),
        (b"\x81\xc4\x01a\x01", Reject.BAD_MAP),
        (b"[1, 2]", Reject.BAD_MAGIC),
        (b"\x07", Reject.BAD_MAGIC),
        (b"[" * 5_000 + b"]" * 5_000, Reject.TOO_COMPLEX),
        (b"[" + b"[]," * 9_000 + b"[]]", Reject.TOO_COMPLEX),
        (b"[" + b"0," * 140_000 + b"0]", Reject.TOO_COMPLEX),
        (b"[" + b"{}," * 5_000 + b"{}]", Reject.TOO_COMPLEX),
        (b'{"lat": ' + b"9" * 5_000 + b"}", Reject.BAD_TEXT),
        (b'{"ident": "\\ud800", "lat": 39, "lon": 117}', Reject.BAD_MAP),
        (json.dumps({f"k{i}": i for i in range(65)}).encode(), Reject.BAD_MAP),
    ],
)
def test_a_frame_that_is_no_list_of_maps_is_refused_by_name(payload, code):
    assert decode(payload, packed(PLACE)).rejects.tolist() == [code, Reject.OK]


def test_text_comes_with_a_mark_zeros_another_encoding_or_numbers_that_are_no_json():
    texts = [
        b"\xef\xbb\xbf" + packed(PLACE),
        b"\r\n " + packed(PLACE) + b"\0\0",
        json.dumps({**PLACE, "ident": "车辆"}, ensure_ascii=False).encode("gb18030"),
        b'{"lat": 39.124, "lon": 117.346, "height": NaN, "rssi": -Infinity}',
    ]
    made = decode(*texts)
    assert not made.rejects.any()
    assert list(made.idents.values()) == ["ext:车辆"]
    assert np.isnan(made.observations.rssi).all()


def test_unknown_keys_are_counted_and_no_stranger_can_fill_the_log_with_them():
    made = decode(packed({**PLACE, "colour": 1}), packed({**PLACE, "colour": 2}))
    assert made.counts == {"unknown_key_colour": 2}
    many = [{**PLACE, **{f"k{i}_{j}": 0 for j in range(50)}} for i in range(20)]
    made = decode(packed(*many))
    assert len(made.counts) <= 65
    assert sum(made.counts.values()) == 1_000


def test_a_number_too_large_for_its_column_is_not_measured():
    rows = decode(packed({**PLACE, "rssi": 1e300, "radial": 10**40, "height": -1e39})).observations
    assert np.isnan([rows.rssi[0], rows.radial[0], rows.height[0]]).all()


def test_frames_that_say_a_time_or_a_counter_are_repeats_if_they_come_twice():
    timed = Objects().timed
    for form in ("json", "msgpack"):
        assert timed(packed({**PLACE, "t_ns": T}, form=form))
        assert timed(packed({**PLACE, "seq": 1}, form=form))
        assert not timed(packed({**PLACE, "height": 1.0}, form=form))
