"""Envelopes of roadside units: single, multiple, clocks, and what fits neither."""

import json

import numpy as np
import pytest

from tests.ingest.roadside import BSM, MAP, RSI, RSM, SPAT, SSM, assert_same
from tests.shared_data import shared
from v2x.frames import FrameBatch
from v2x.ingest.decoded import Reject
from v2x.ingest.formats.rsu import FORMATS
from v2x.ingest.formats.ydt3709 import FORMATS as BARE
from v2x.ingest.j2735cn_encode import Vehicle, encode_bsm, encode_envelope
from v2x.ingest.j2735cn_plain import read_message, write_message
from v2x.ingest.timestamps import parse_iso
from v2x.observations import Flag, Kind
from v2x.readings import Name
from v2x.sensors import Sensor, SensorTable

FORMAT = FORMATS[0]
RECV = parse_iso("2026-03-01T08:00:12.5Z")
MS = RECV // 1_000_000
PSM = bytes.fromhex("8005000f0200ff")
SENSORS = SensorTable.of([Sensor("unit", "rsu")])


def decode(payloads, recv=RECV, state=None, sensors=SENSORS):
    payloads = [payloads] if isinstance(payloads, bytes) else payloads
    batch = FrameBatch.of("rsu", payloads, [0] * len(payloads), [recv] * len(payloads))
    return FORMAT.decode(batch, sensors, state or FORMAT.new_state())


def bare(payload):
    batch = FrameBatch.of("ydt3709", [payload], [0], [RECV])
    return BARE[0].decode(batch, SENSORS, BARE[0].new_state())


def said(made, name):
    return made.readings.value[made.readings.name == name].tolist()


def test_vector():
    head = bytes.fromhex("444c303030303031594b520ba20100003c00")
    t_ms = int.from_bytes(head[8:16], "little")
    assert encode_envelope("DL000001", t_ms, RSM) == head + RSM
    made = decode(head + RSM, recv=t_ms * 1_000_000 + 40_000_000)
    assert made.rejects.tolist() == [Reject.OK]
    assert made.observations.track_ref.tolist() == [7, 8]
    assert said(made, Name.RSU_CLOCK_OFFSET_S) == [pytest.approx(-0.04)]
    inner = (12_345 - t_ms % 60_000) / 1e3
    assert said(made, Name.RSU_INNER_OFFSET_S) == [pytest.approx((inner + 30) % 60 - 30)]
    clocks = made.readings.take(made.readings.name != Name.RSM_COUNT)
    assert {made.idents[i] for i in clocks.ident.tolist()} == {"rsu:DL000001"}
    assert (clocks.t_ns == clocks.recv_ns).all()


def test_recorded_envelope():
    recorded = json.loads(shared("rsu/rsm.json").read_text())
    payload = bytes.fromhex(recorded["payload_hex"])
    t_ms = recorded["envelope"]["unix_ms"]
    assert encode_envelope("u_id_123", t_ms, bytes.fromhex(recorded["frame_hex"])) == payload
    made = decode(payload, recv=t_ms * 1_000_000)
    assert made.observations.lat.tolist() == [recorded["si"]["lat"]]
    assert said(made, Name.RSU_CLOCK_OFFSET_S) == [0.0]
    assert said(made, Name.RSU_INNER_OFFSET_S) == [pytest.approx(12.902 + 60 - 44.71)]
    assert "rsu:u_id_123" in made.idents.values()


@pytest.mark.parametrize("frame", [RSM, BSM])
def test_inside_an_envelope_a_message_gives_the_same_rows(frame):
    made, plain = decode(encode_envelope("A", MS, frame)), bare(frame)
    assert_same(made.observations, plain.observations)
    rest = made.readings.take(made.readings.name > Name.RSU_INNER_OFFSET_S)
    assert_same(rest, plain.readings)


def vehicles(n, **fields):
    return [
        encode_bsm(Vehicle(bytes([i + 1] * 8), 39.0, 117.0 + i / 100, sec_mark=12_000, **fields))
        for i in range(n)
    ]


@pytest.mark.parametrize("n", [1, 2, 16, 255])
def test_many_vehicles_in_one_envelope(n):
    made = decode([encode_envelope("A", MS, vehicles(n)), encode_envelope("B", MS, BSM)])
    assert made.rejects.tolist() == [Reject.OK] * 2
    assert made.observations.frame.tolist() == [0] * n + [1]
    assert len(said(made, Name.RSU_CLOCK_OFFSET_S)) == 2
    assert said(made, Name.RSU_INNER_OFFSET_S)[0] == -0.5


def test_one_bad_message_does_not_lose_the_rest():
    made = decode(encode_envelope("A", MS, [PSM, *vehicles(2), BSM[:-3], MAP, PSM]))
    assert made.rejects.tolist() == [Reject.OK]
    assert len(made.observations) == 2
    assert made.counts == {
        "message_UNKNOWN_MESSAGE": 2, "message_SHORT": 1, "extension_15": 2,
    }  # fmt: skip


def test_without_a_good_message_the_first_says_why():
    made = decode([encode_envelope("A", MS, [BSM[:-3], PSM]), encode_envelope("A", MS, PSM)])
    assert made.rejects.tolist() == [Reject.SHORT, Reject.UNKNOWN_MESSAGE]
    assert (len(made.observations), len(made.readings)) == (0, 0)
    assert made.counts == {"extension_15": 2}


def test_every_message_of_a_unit_gives_its_rows_in_the_order_of_the_frames():
    frames = [SPAT, RSM, [MAP, RSI], BSM, SSM, RSI]
    made = decode([encode_envelope("A", MS, frame) for frame in frames])
    nothing = Reject.NOTHING_TO_OBSERVE
    assert made.rejects.tolist() == [nothing, 0, 0, 0, 0, 0]
    assert made.observations.frame.tolist() == [1, 1, 2, 3, 4, 5]
    assert sorted(set(made.readings.frame.tolist())) == [0, 1, 2, 3, 4, 5]
    assert (np.diff(made.readings.frame) >= 0).all()


def test_an_envelope_of_nothing_still_tells_the_time():
    made = decode(encode_envelope("A", MS + 250, []))
    assert made.rejects.tolist() == [Reject.NOTHING_TO_OBSERVE]
    assert said(made, Name.RSU_CLOCK_OFFSET_S) == [0.25]
    assert said(made, Name.RSU_INNER_OFFSET_S) == []


def test_lengths_that_fit_both_forms_are_multiple_where_the_single_does_not_decode():
    value = read_message(RSI).value
    value["rtes"][0]["description"] = {"textGB2312": b"ab" * 102}
    event = write_message("rsiFrame", value)
    payload = encode_envelope("A", MS, [b"\x50", event])
    assert 18 + int.from_bytes(payload[16:18], "little") == len(payload)
    made = decode(payload)
    assert made.rejects.tolist() == [Reject.OK]
    assert made.observations.kind.tolist() == [Kind.OBSTACLE]
    assert made.counts == {"message_BAD_MAGIC": 1}


def test_an_envelope_that_is_single_and_multiple_is_what_decodes():
    as_multiple = encode_envelope("A", MS, [b""])
    assert len(as_multiple) == 19  # count 1, length 0: also length 1 and one byte 00
    made = decode(as_multiple)
    assert made.rejects.tolist() == [Reject.SHORT]


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"", Reject.SHORT), (bytes(16), Reject.SHORT),
        (encode_envelope("A", MS, RSM) + b"\0", Reject.BAD_LENGTH),
        (encode_envelope("A", MS, RSM)[:-1], Reject.BAD_LENGTH),
        (encode_envelope("A", MS, [BSM, BSM])[:-1], Reject.BAD_LENGTH),
        (encode_envelope("A", MS, b""), Reject.SHORT),
    ],
)  # fmt: skip
def test_lengths_that_fit_neither_are_refused(payload, code):
    made = decode(payload)
    assert made.rejects.tolist() == [code]
    assert len(made.readings) == 0


@pytest.mark.parametrize("t_ms", [0, 2**63, 2**64 - 1, 9_000_000_000_000])
def test_impossible_envelope_times_are_no_times(t_ms):
    made = decode(encode_envelope("A", t_ms, RSM))
    assert made.rejects.tolist() == [Reject.OK]
    assert made.readings.name.tolist() == [Name.RSM_COUNT]


def test_a_clock_eight_hours_off_is_told_and_not_repaired():
    made = decode(encode_envelope("A", MS + 8 * 3_600_000, RSM))
    assert said(made, Name.RSU_CLOCK_OFFSET_S) == [28_800.0]
    assert made.observations.t_ns[0] == parse_iso("2026-03-01T08:00:12.345Z")


@pytest.mark.parametrize(
    ("off_s", "flagged"),
    [
        (0, False), (-1.5, False), (1.9, False), (2.1, True), (-1800, False), (-3600, True),
        (-8 * 3600 + 4, True), (8 * 3600, True), (-86_500, True), (-7 * 3600 - 60, False),
    ],
)  # fmt: skip
def test_rows_of_a_wrong_clock_are_suspect(off_s, flagged):
    made = decode(encode_envelope("A", MS + int(off_s * 1000), RSM))
    assert (made.observations.flags & Flag.TIME_SUSPECT > 0).tolist() == [flagged] * 2


@pytest.mark.parametrize("t_ms", [0, 1, 4_070_908_800_000, 2**63])
def test_rows_of_a_clock_in_1970_or_2099_are_suspect(t_ms):
    made = decode(encode_envelope("A", t_ms, RSM))
    assert (made.observations.flags & Flag.TIME_SUSPECT > 0).all()
    assert made.observations.t_ns[0] == parse_iso("2026-03-01T08:00:12.345Z")


def test_lights_tell_how_far_their_clock_is_from_the_envelopes():
    made = decode(encode_envelope("A", MS + 500, SPAT))  # 30.5 s past the minute, 13 s past it
    assert said(made, Name.RSU_INNER_OFFSET_S) == [17.5]


@pytest.mark.parametrize("name", ["", " "])
def test_units_without_a_name_have_no_identity(name):
    made = decode(encode_envelope(name, MS, vehicles(1)))
    clock = made.readings.name == Name.RSU_CLOCK_OFFSET_S
    assert made.readings.ident[clock].tolist() == [-1]


def test_damage_gives_a_code_or_rows():
    rng = np.random.default_rng(117)
    good = [encode_envelope("DL000001", MS, RSM), encode_envelope("A", MS, vehicles(3, siren=2))]
    frames = [f[:n] for f in good for n in range(len(f))]
    truncated = len(frames)
    for f in good:
        for bit in range(8 * len(f)):
            broken = bytearray(f)
            broken[bit // 8] ^= 1 << bit % 8
            frames.append(bytes(broken))
    frames += [rng.bytes(int(rng.integers(0, 100))) for _ in range(2000)]
    made = decode(frames)
    assert not (made.observations.frame < truncated).any()
    assert set(made.rejects[:truncated].tolist()) <= {Reject.SHORT, Reject.BAD_LENGTH}
    accepted = np.isin(made.rejects, [Reject.OK, Reject.NOTHING_TO_OBSERVE])
    assert accepted[made.observations.frame].all()
    assert accepted[made.readings.frame].all()
    assert (np.diff(made.observations.frame) >= 0).all()
    assert (np.diff(made.readings.frame) >= 0).all()
    for name in ("lat", "lon"):
        assert np.isfinite(getattr(made.observations, name)).all()
    again = decode(frames)
    assert_same(made.observations, again.observations)
    assert_same(made.readings, again.readings)


def test_one_frame_a_poll_gives_the_same_rows():
    frames = [
        encode_envelope("A", MS, RSM), b"", encode_envelope("B", MS, vehicles(3)),
        encode_envelope("C", MS, MAP), encode_envelope("A", MS, [MAP, BSM]),
    ]  # fmt: skip
    whole = decode(frames)
    state = FORMAT.new_state()
    parts = [decode(f, state=state) for f in frames]
    for i, part in enumerate(parts):
        part.observations.frame[:] = i
        part.readings.frame[:] = i
    for name in ("observations", "readings"):
        rows = [getattr(p, name) for p in parts]
        assert_same(getattr(whole, name), type(rows[0]).concat(rows))
    assert whole.rejects.tolist() == [int(p.rejects[0]) for p in parts]


def test_sensors_keep_their_editions_and_rows():
    sensors = SensorTable.of([Sensor("new", "rsu"), Sensor("old", "rsu", edition="2017")])
    frame = encode_envelope("A", MS, RSM)
    batch = FrameBatch.of("rsu", [frame, frame], [0, 1], [RECV, RECV])
    made = FORMAT.decode(batch, sensors, FORMAT.new_state())
    assert made.rejects.tolist() == [Reject.OK, Reject.UNKNOWN_EDITION]
    assert made.observations.sensor.tolist() == [0, 0]


def test_no_frames_no_rows():
    made = decode([])
    assert (len(made.observations), len(made.readings), len(made.rejects)) == (0, 0, 0)
    assert len(FORMAT.finish(SENSORS, FORMAT.new_state()).observations) == 0
    assert FORMAT.timed(b"")
