"""Status messages of roadside units."""

import copy
import json

import numpy as np
import pytest

from v2x.frames import FrameBatch
from v2x.ingest.decoded import Reject
from v2x.ingest.formats import rsu_status
from v2x.ingest.formats.rsu_status import FORMATS
from v2x.ingest.j2735cn_encode import encode_heartbeat, encode_state
from v2x.ingest.timestamps import SECOND, parse_iso
from v2x.observations import ident_of
from v2x.readings import Name
from v2x.sensors import Datum, Sensor, SensorTable

FORMAT = FORMATS[0]
RECV = parse_iso("2026-03-01T08:00:12Z")
HB = {"rsuEsn": "R328-0007", "hbRate": 5}
STATE = {"base": {"tm": RECV // SECOND, "ID": "DL000001"}, "errList": [{"gps": 11}, {"ltev": 54}]}
INFO = {
    "rsuId": "DL000001", "rsuEsn": "R328-0007", "rsuName": "东丽1", "rsuStatus": True,
    "version": "2.4.1", "location": {"lon": 117.346, "lat": 39.124},
    "config": {"rsiConfig": {"maxRsiNum": 50, "curRsiNum": "3", "downRsis": []},
               "mapConfig": {"mapSlice": "a", "eTag": "b"}},
}  # fmt: skip
RUNNING = {
    "rsuEsn": "R328-0007",
    "runningInfo": {
        "cpu": {"load": "0.42", "uti": "10.0,30"}, "mem": {"total": 2000, "used": "500"},
        "disk": {"total": 8000, "free": 1250, "tps": 3}, "net": {"rx": 1},
    },
}  # fmt: skip


def raw(value):
    return value if isinstance(value, bytes) else json.dumps(value, ensure_ascii=False).encode()


def decode(messages, state=None, recv=RECV, **kwargs):
    messages = messages if isinstance(messages, list) else [messages]
    n = len(messages)
    batch = FrameBatch.of("rsu_status", [raw(m) for m in messages], [0] * n, [recv] * n)
    table = SensorTable.of([Sensor("unit", "rsu_status", **kwargs)])
    return FORMAT.decode(batch, table, state or FORMAT.new_state())


def said(made):
    """[(name, value)], and texts where a reading carries one."""
    rows = made.readings
    return [
        (Name(n).name, made.idents.get(int(i), v))
        for n, v, i in zip(rows.name.tolist(), rows.value.tolist(), rows.ident2, strict=True)
    ]


def test_heartbeat():
    made = decode(HB)
    assert said(made) == [("HEARTBEAT", 1.0)]
    assert made.rejects.tolist() == [Reject.OK]
    assert made.readings.ident.tolist() == [ident_of("rsu:R328-0007")]
    assert made.readings.t_ns.tolist() == [RECV]
    assert len(made.observations) == 0


def test_state_lists_faults_and_tells_the_clock():
    made = decode(STATE, recv=RECV + SECOND // 4)
    assert said(made) == [
        ("FAULT", "module:gps"), ("FAULT", "module:ltev"), ("CLOCK_OFFSET_S", -0.25),
    ]  # fmt: skip
    assert made.readings.value.tolist()[:2] == [11.0, 54.0]
    assert (made.readings.t_ns == RECV).all()


def test_a_fault_that_leaves_the_list_is_zero_once():
    state = FORMAT.new_state()
    decode(STATE, state)
    state = copy.deepcopy(state)
    made = decode(STATE | {"errList": [{"ltev": 53}]}, state)
    assert made.readings.value.tolist()[:2] == [53.0, 0.0]
    assert said(made)[1] == ("FAULT", "module:gps")
    healthy = STATE | {"errList": []}
    assert [n for n, _ in said(decode(healthy, state))] == ["FAULT", "CLOCK_OFFSET_S"]
    assert [n for n, _ in said(decode(healthy, state))] == ["CLOCK_OFFSET_S"]
    assert state.faults == {}


def test_faults_of_one_unit_are_not_those_of_another():
    state = FORMAT.new_state()
    other = STATE | {"base": STATE["base"] | {"ID": "DL000002"}, "errList": []}
    decode(STATE, state)
    assert [n for n, _ in said(decode(other, state))] == ["CLOCK_OFFSET_S"]


@pytest.mark.parametrize(
    ("tm", "t_ns", "offset"),
    [
        (RECV // SECOND - 60, RECV - 60 * SECOND, -60.0),
        (str(RECV // SECOND), RECV, 0.0),
        (RECV // SECOND + 28_800, RECV, 28_800.0),
        (RECV // SECOND - 90_000, RECV, -90_000.0),
        (RECV // 1_000_000, RECV, None), (0, RECV, None), (-5, RECV, None), ("x", RECV, None),
        (None, RECV, None), (True, RECV, None), (1e300, RECV, None),
    ],
)  # fmt: skip
def test_state_time_that_cannot_be_dates_nothing(tm, t_ns, offset):
    made = decode({"base": {"tm": tm, "ID": "A"}, "errList": [{"gps": 1}]})
    assert made.readings.t_ns[0] == t_ns
    assert dict(said(made)).get("CLOCK_OFFSET_S") == offset


def test_info():
    made = decode(INFO, lat=39.124, lon=117.346)
    told = said(made)
    assert [n for n, _ in told] == ["RSU_STATUS", "RSU_VERSION", "RSU_LOCATION", "RSI_COUNT"]
    assert dict(told)["RSU_STATUS"] == 1.0
    assert dict(told)["RSU_VERSION"] == "version:2.4.1"
    assert dict(told)["RSI_COUNT"] == 3.0
    place = made.readings.name == Name.RSU_LOCATION
    assert made.readings.lat[place].tolist() == [39.124]
    assert made.readings.lon[place].tolist() == [117.346]
    assert made.counts == {}


@pytest.mark.parametrize(
    ("north_m", "moved"), [(0, False), (19.9, False), (20.1, True), (5000, True)]
)
def test_a_unit_away_from_its_pose_has_moved(north_m, moved):
    made = decode(INFO, lat=39.124 - north_m / 111_320.0, lon=117.346)
    values = made.readings.value[made.readings.name == Name.RSU_MOVED_M]
    assert (values.size == 1) == moved
    if moved:
        assert values[0] == pytest.approx(north_m)
    assert Name.RSU_MOVED_M not in decode(INFO).readings.name


def test_place_of_a_unit_in_the_map_datum_is_converted():
    made = decode(INFO, datum=Datum.GCJ02)
    place = made.readings.name == Name.RSU_LOCATION
    assert 400 < abs(made.readings.lon[place][0] - 117.346) * 86_000 < 700


@pytest.mark.parametrize(
    "location", [{}, {"lat": 91, "lon": 0}, {"lat": 0.001, "lon": "0"}, {"lat": "n", "lon": 5}]
)
def test_no_place_is_no_location(location):
    made = decode(INFO | {"location": location})
    assert "RSU_LOCATION" not in dict(said(made))
    assert made.counts == {"bad_place": 1}


@pytest.mark.parametrize(
    ("status", "value"), [(True, 1), (False, 0), ("true", 1), ("False", 0), ("1", 1), (0, 0)]
)
def test_status_as_bool_text_or_number(status, value):
    assert dict(said(decode(INFO | {"rsuStatus": status})))["RSU_STATUS"] == value


def test_running_info():
    made = decode(RUNNING)
    assert said(made) == [
        ("CPU_LOAD", 0.42), ("CPU_USE", 0.2), ("MEM_USE", 0.25), ("DISK_FREE", 1.25e9)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("uti", "use"),
    [("12.5%", 0.125), (50, 0.5), ([10, "20"], 0.15), ("", None), ("101", None), ("a,b", None),
     (-1, None), (None, None), ("1,,2", None)],
)  # fmt: skip
def test_processor_use_as_units_send_it(uti, use):
    made = decode({"rsuEsn": "A", "runningInfo": {"cpu": {"uti": uti}}})
    assert dict(said(made)).get("CPU_USE") == (None if use is None else pytest.approx(use))


@pytest.mark.parametrize(
    "message",
    [
        {"rsuId": "A", "rsuEsn": "B", "protocolVersion": "1", "rsuStatus": True, "imei": "1"},
        {"ID": "A", "smState": 1, "strategy": 1, "vID": "x"}, {}, {"rsuEsn": ""}, {"a": 1},
        {"base": [], "errList": []}, {"rsuEsn": "A", "OTA": 1, "SoftwareVersion": "3"},
    ],
)  # fmt: skip
def test_other_messages_of_the_family_are_unknown_by_name(message):
    made = decode(message)
    assert made.rejects.tolist() == [Reject.UNKNOWN_MESSAGE]
    assert len(made.readings) == 0


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"", Reject.SHORT), (b"[1]", Reject.BAD_TEXT), (b"{", Reject.BAD_TEXT),
        (b"\xff\xfe", Reject.BAD_TEXT), (b"17", Reject.BAD_TEXT),
        (b'{"a":' * 200_000, Reject.TOO_COMPLEX), (b"9" * 5000, Reject.BAD_TEXT),
        (json.dumps(STATE | {"errList": [{"m": 1}] * 257}).encode(), Reject.TOO_COMPLEX),
        (b"\xef\xbb\xbf" + json.dumps(HB).encode(), Reject.OK),
        (json.dumps(HB).encode() + b"\0\0", Reject.OK),
    ],
)  # fmt: skip
def test_text(payload, code):
    assert decode(payload).rejects.tolist() == [code]


@pytest.mark.parametrize("codec", ["utf-8", "gb18030"])
def test_names_in_both_codecs_are_one_identity(codec):
    made = decode(json.dumps({"rsuEsn": "东丽一号"}, ensure_ascii=False).encode(codec))
    assert made.idents == {ident_of("rsu:东丽一号"): "rsu:东丽一号"}


def test_unknown_keys_are_counted_and_bounded():
    made = decode(HB | {"foo": 1, "bar": {}})
    assert made.counts == {"unknown_key_bar": 1, "unknown_key_foo": 1}
    many = decode([HB | {f"k{i}": 1 for i in range(500)}] * 2)
    assert len(many.counts) <= 65
    assert sum(many.counts.values()) == 1000


def test_memory_of_faults_is_bounded(monkeypatch):
    monkeypatch.setattr(rsu_status, "MOST_UNITS", 4)
    state = FORMAT.new_state()
    for i in range(20):
        decode(STATE | {"base": {"tm": 1, "ID": f"U{i}"}}, state)
    assert [unit for _, unit in state.faults] == ["U16", "U17", "U18", "U19"]
    modules = [{f"m{i}": 1 for i in range(100)}]
    made = decode(STATE | {"errList": modules}, state)
    assert (made.readings.name == Name.FAULT).sum() == 64
    assert made.counts == {"bad_fault": 36}


def test_encoded_messages_read_back():
    made = decode([encode_heartbeat("R1"), encode_state("R1", RECV // SECOND, {"gps": 11})])
    assert said(made) == [("HEARTBEAT", 1.0), ("FAULT", "module:gps"), ("CLOCK_OFFSET_S", 0.0)]
    assert len(set(made.readings.ident.tolist())) == 1
    assert made.readings.frame.tolist() == [0, 1, 1]


def test_only_states_have_a_time_of_their_own():
    assert FORMAT.timed(raw(STATE))
    assert not FORMAT.timed(raw(HB))


def test_damage_gives_a_code_or_readings():
    rng = np.random.default_rng(42)
    frames = [raw(m)[:n] for m in (HB, STATE, INFO, RUNNING) for n in range(len(raw(m)))]
    truncated = len(frames)
    for message in map(raw, (HB, STATE, INFO, RUNNING)):
        for bit in range(8 * len(message)):
            broken = bytearray(message)
            broken[bit // 8] ^= 1 << bit % 8
            frames.append(bytes(broken))
    frames += [rng.bytes(int(rng.integers(0, 60))) for _ in range(2000)]
    made = decode(frames, lat=39.0, lon=117.0)
    assert set(made.rejects[:truncated].tolist()) <= {Reject.SHORT, Reject.BAD_TEXT}
    ok = made.rejects == Reject.OK
    assert ok[made.readings.frame].all()
    assert not np.isinf(made.readings.value).any()
    for value in made.readings.value[made.readings.name == Name.CPU_USE].tolist():
        assert 0 <= value <= 1


def test_one_frame_a_poll_gives_the_same_readings():
    frames = [STATE, HB, STATE | {"errList": []}, b"", INFO, RUNNING, STATE]
    whole = decode(frames)
    state, rows = FORMAT.new_state(), []
    for i, frame in enumerate(frames):
        part = decode(frame, state)
        part.readings.frame[:] = i
        rows.append(part.readings)
    joined = type(rows[0]).concat(rows)
    for name, *_ in joined.schema():
        np.testing.assert_array_equal(getattr(whole.readings, name), getattr(joined, name))
    assert len(FORMAT.finish(SensorTable.of([]), state).readings) == 0
