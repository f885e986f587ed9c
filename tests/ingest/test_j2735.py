import json
import tracemalloc

import asn1tools
import numpy as np
import pytest

from tests.ingest import naive_j2735 as naive
from tests.ingest import naive_j2735_plain as plain
from tests.ingest.test_formats import mutations
from v2x.frames import FrameBatch
from v2x.geodesy import Tile
from v2x.ingest.decoded import Reject
from v2x.ingest.formats import format_named
from v2x.ingest.formats.j2735 import encode_j2735
from v2x.ingest.j2735_types import BSM, MAP, NAMES, PSM, SDSM, SPAT, TYPES
from v2x.ingest.timestamps import DAY, HOUR, MINUTE, SECOND, parse_iso
from v2x.ingest.uper_plain import read, write
from v2x.observations import Flag, Kind, ident_of
from v2x.readings import Name
from v2x.sensors import Sensor, SensorTable

T = parse_iso("2026-11-24T02:11:12.400Z")
TABLE = SensorTable.of([Sensor("a"), Sensor("b", sd_m=4.0, sd_up_m=6.0)])

# Frames of public code of the United States' Department of Transportation (V2X-Hub, CARMA), made
# with the standard's own schema; their values stand beside them there.
PUBLIC_BSM = "001425004043030280ffdbfba868b3584ec40824646400320032000c888fc834e37fff0aaa960fa0"
PUBLIC_EMERGENCY = (
    "00143d604043030280ffdbfba868b3584ec40824646400320032000c888fc834e37fff0aaa960fa0040d0824088011"
    "48d693a431ad275c7c6b49d9e8d693b60e"
)
PUBLIC_PSM = "00202320000200da00457ab7c04cdcf6403d4dc9ffffffffff0003e8a0008000200008000000"
PUBLIC_SDSM = "0029250a010c0c0a101f9c37ea97fc66b10b430c34000a00000020002bba0a000200004400240009"
PUBLIC_SPAT = "00131c44630800812f6800000c2d40100204342b3fac0a0020232159495f9c"
PUBLIC_MAP = (
    "0012815a38033020a04bda0d4cdcf8143d4dc48811860224164802280008002297d4bc80a0a0a9825825923a90b2f2"
    "e418986f41b7006480602403812020084015480010004521d9f001414160c7c42a1879858619502a42a060e9271006"
    "62000400105be6bf41c8aded5816ebc050507dcb860ec57aead5079e02828900890001000417223a50728b750f9c6e"
    "a9e8ae480a0a0f68746ad447c002828900a0880704404020803b9000200062b68d5305d1f9269a725027d8352f7286"
    "7d6c82403340004000c53f5b761abbb7d35d3c0813ec1a3baac16bfc048050240301202008402208001000310fe55f"
    "849acd608d8ace136b440000dfe4808880008002086365c0017d1612eb34026067404895390907bd84805044030220"
    "1c100024000200000090026180a0a0f2852600140001000000169fc1585bd1da000b00008000000a3bb2f439459a80"
    "060000400000046d55c416c67f40414032a0304000"
)
FRAMES = {
    BSM: PUBLIC_BSM, PSM: PUBLIC_PSM, SDSM: PUBLIC_SDSM, SPAT: PUBLIC_SPAT, MAP: PUBLIC_MAP,
}  # fmt: skip


def decode(payloads, recv=None, rows=None, table=TABLE):
    fmt = format_named("j2735")
    n = len(payloads)
    recv = [T] * n if recv is None else recv
    batch = FrameBatch.of("j2735", payloads, [0] * n if rows is None else rows, recv)
    return fmt.decode(batch, table, fmt.new_state())


def public(message):
    made = decode([bytes.fromhex(FRAMES[message])])
    assert made.rejects.tolist() == [Reject.OK]
    return made


def facts(made):
    return [
        (Name(n), v)
        for n, v in zip(made.readings.name.tolist(), made.readings.value.tolist(), strict=True)
    ]


def why(payload):
    return Reject(int(decode([payload]).rejects[0]))


def inside(frame):
    """Value of a frame, read whole."""
    opened = read("MessageFrame", frame, TYPES)
    return read(NAMES[opened["messageId"]], opened["value"], TYPES)


def car(**changed):
    """A BSM with some fields of its core changed."""
    value = inside(bytes.fromhex(PUBLIC_BSM))
    value["coreData"] |= {"lat": 391_250_000, "long": 1_173_500_000} | changed
    return value


# --- the layouts ---------------------------------------------------------------------------------


@pytest.mark.parametrize("message", [BSM, SDSM, SPAT, MAP])
def test_public_frames_are_read_to_the_last_bit_and_written_again(message):
    frame = bytes.fromhex(FRAMES[message])
    assert encode_j2735(message, inside(frame)) == frame


def test_the_public_emergency_vehicle_is_written_again():
    frame = bytes.fromhex(PUBLIC_EMERGENCY)
    assert encode_j2735(BSM, inside(frame)) == frame


@pytest.fixture(scope="module")
def oracle():
    return asn1tools.compile_string(naive.schema(), "uper")


@pytest.mark.parametrize("message", NAMES)
def test_an_independent_codec_writes_and_reads_the_same(oracle, message):
    name, rng = NAMES[message], np.random.default_rng(message)
    for _ in range(30):
        value = naive.Inventor(rng).type(name)
        data = write(name, value, TYPES)
        assert oracle.encode(name, naive.theirs_type(name, value)) == data
        assert read(name, data, TYPES) == value


# --- what the public frames say ------------------------------------------------------------------


def test_the_public_safety_message_says_what_its_authors_put_in():
    made = public(BSM)
    rows = made.observations
    assert (rows.lat[0], rows.lon[0], rows.height[0]) == (3.8954961, -7.7149303, 7.2)
    assert rows.t_ns[0] == T // MINUTE * MINUTE + 1_023_000_000
    assert made.idents == {int(rows.ident[0]): "bsm:010c0c0a"}
    assert (rows.kind[0], rows.kind_conf[0]) == (Kind.CAR, 0.5)
    np.testing.assert_allclose(rows.size[0], [5.0, 3.0, np.nan])
    speed = 100 * 0.02
    np.testing.assert_allclose(
        rows.vel[0, :2], [speed * np.sin(np.radians(0.15)), speed * np.cos(np.radians(0.15))]
    )
    np.testing.assert_allclose(rows.cov[0, [0, 3]], [100.0, 100.0])
    assert rows.flags[0] & Flag.SELF_REPORTED
    assert facts(made) == [(Name.BRAKE, 1)]


def test_the_public_emergency_vehicle_has_its_siren_on():
    made = decode([bytes.fromhex(PUBLIC_EMERGENCY)])
    assert made.observations.kind.tolist() == [Kind.EMERGENCY_VEHICLE]
    assert facts(made) == [(Name.SIREN, 1), (Name.BRAKE, 1)]


def test_the_public_pedestrian_is_where_its_authors_put_it():
    made = public(PSM)
    rows = made.observations
    assert (rows.lat[0], rows.lon[0]) == (38.9549376, -77.149184)
    assert rows.kind[0] == Kind.PEDESTRIAN
    assert np.isnan(rows.height[0])
    assert made.idents == {int(rows.ident[0]): "psm:115eadf0"}
    np.testing.assert_array_equal(rows.vel[0], [0.0, 0.0, np.nan])


def test_the_public_sensor_message_has_one_object_beside_its_reference():
    made = public(SDSM)
    rows = made.observations
    lat, lon, _ = Tile(3.8121212, -7.7121212).to_geodetic(np.array([[0.1, 0.1, np.nan]]))
    np.testing.assert_allclose([rows.lat[0], rows.lon[0]], [lat[0], lon[0]], rtol=0, atol=1e-12)
    assert rows.track_ref.tolist() == [1]
    assert rows.kind[0] == Kind.UNKNOWN
    assert rows.t_ns[0] == T + 1_000_000
    np.testing.assert_allclose(rows.cov[0, 0], 250.0**2 + 2.6**2, rtol=1e-3)
    assert facts(made) == [(Name.RSM_COUNT, 1)]


def test_the_public_signal_message_shows_red_and_green():
    made = public(SPAT)
    assert [name for name, _ in facts(made)] == [
        Name.SIGNAL_STATUS, Name.SIGNAL_LIGHT, Name.SIGNAL_LEFT_S, Name.SIGNAL_LIGHT,
        Name.SIGNAL_LEFT_S,
    ]  # fmt: skip
    assert [value for name, value in facts(made) if name is Name.SIGNAL_LIGHT] == [3, 6]
    assert [made.idents[int(i)] for i in made.readings.ident] == [
        "node:9709", "phase:9709/2", "phase:9709/2", "phase:9709/4", "phase:9709/4",
    ]  # fmt: skip


def test_the_public_map_stands_at_its_intersection():
    made = public(MAP)
    assert [name for name, _ in facts(made)] == [Name.MAP_HASH, Name.MAP_NODES]
    assert (made.readings.lat[0], made.readings.lon[0]) == (38.9549844, -77.1493239)
    assert facts(made)[1][1] == 1


# --- meaning, beyond those -----------------------------------------------------------------------


def test_kernel_and_plain_python_agree_on_any_safety_message():
    rng = np.random.default_rng(2735)
    payloads = []
    for _ in range(400):
        value = naive.Inventor(rng).type("BasicSafetyMessage")
        for part in value.get("partII", []):
            part["id"] = int(rng.choice([0, 1, 2]))
            if part["id"] == 0:
                part["value"] = bytes([int(rng.integers(128)) & 0xFB]) + part["value"][:7]
        payloads.append(encode_j2735(BSM, value))
    recv = [T + int(k) for k in rng.integers(0, DAY, len(payloads))]
    for row in (0, 1):
        made = decode(payloads, recv, [row] * len(payloads))
        seen, told = naive.decode(payloads, recv, TABLE, row)
        for got, want in ((made.observations, seen), (made.readings, told)):
            assert len(got) == len(want)
            for column in want[0]:
                expected, here = np.array([one[column] for one in want]), getattr(got, column)
                if here.dtype.kind == "f":
                    np.testing.assert_allclose(here, expected, 1e-6, 1e-9, err_msg=column)
                else:
                    assert np.array_equal(here, expected), column


def same(made, want):
    """Compare everything that two decoders of the same poll gave."""
    assert made.rejects.tolist() == want.rejects.tolist()
    for got, rows in ((made.observations, want.observations), (made.readings, want.readings)):
        assert len(got) == len(rows)
        for column, dtype, *_ in rows.schema():
            one, other = getattr(got, column), getattr(rows, column)
            if dtype.kind == "f":
                np.testing.assert_allclose(one, other, 1e-6, 1e-9, err_msg=column)
            else:
                assert np.array_equal(one, other), column
    used = {int(i) for rows in (made.observations, made.readings) for i in rows.ident}
    used |= {int(i) for i in made.readings.ident2}
    assert made.idents == {i: want.idents[i] for i in used - {-1}}
    assert made.counts == want.counts


def both(payloads, recv=None, rows=None):
    n = len(payloads)
    recv = [T] * n if recv is None else recv
    batch = FrameBatch.of("j2735", payloads, [0] * n if rows is None else rows, recv)
    same(decode(payloads, recv, rows), plain.decode(batch, TABLE))


def drawn(rng, message):
    """A frame of random values, with the places of most near the district."""
    value = naive.Inventor(rng).type(NAMES[message])
    if message == SDSM:
        for one in value["objects"][:-1]:
            one["present"] = "00"
        if rng.random() < 0.7:
            value["objects"][-1]["present"] = "00"
        if rng.random() < 0.7:
            value["sDSMTimeStamp"] |= {
                "year": 2026, "month": 11, "day": 24, "hour": 2, "minute": 11, "second": 4711,
            }  # fmt: skip
    return encode_j2735(message, value)


@pytest.mark.parametrize("message", [SPAT, MAP, PSM, SDSM])
def test_kernel_and_plain_reader_agree_on_any_message(message):
    rng = np.random.default_rng(message)
    payloads = [drawn(rng, message) for _ in range(300)]
    recv = [T + int(k) for k in rng.integers(0, 400 * DAY, len(payloads))]
    both(payloads, recv, rng.integers(0, 2, len(payloads)))


def test_kernel_and_plain_reader_agree_on_broken_messages():
    rng = np.random.default_rng(7)
    payloads = []
    for message in (SPAT, MAP, PSM, SDSM):
        for good in [bytes.fromhex(FRAMES[message])] + [drawn(rng, message) for _ in range(40)]:
            for at in rng.integers(16, 8 * len(good), 12):
                hit = bytearray(good)
                hit[at // 8] ^= 1 << at % 8
                payloads.append(bytes(hit))
            cut = int(rng.integers(3, len(good)))
            payloads.append(encode_open(message, good[4 if good[2] & 0x80 else 3 :][:cut]))
            tail = rng.bytes(int(rng.integers(1, 40)))
            payloads.append(encode_open(message, good[4 if good[2] & 0x80 else 3 :] + tail))
            payloads.append(encode_open(message, rng.bytes(int(rng.integers(1, 120)))))
    codes = decode(payloads).rejects
    assert {Reject.OK, Reject.SHORT, Reject.VALUE_RANGE, Reject.TRAILING_DATA} <= set(codes)
    both(payloads)


def encode_open(message, value):
    """A frame around octets that need not be a message."""
    return write("MessageFrame", {"messageId": message, "value": value}, TYPES)


def test_a_refused_message_leaves_nothing_in_the_rows_behind_it():
    broken = sensed([thing(), thing()])[:-20] + b"\xff" * 20
    assert why(broken) is Reject.VALUE_RANGE
    both([broken, bytes.fromhex(PUBLIC_PSM), broken, sensed([thing()])])


def test_messages_of_all_kinds_stay_in_the_order_of_their_frames():
    rng = np.random.default_rng(3)
    payloads = [bytes.fromhex(FRAMES[m]) for m in rng.choice(list(FRAMES), 200)]
    made = decode(payloads)
    alone = [decode([payload]) for payload in payloads]
    for rows in ("observations", "readings"):
        frames = np.repeat(range(len(payloads)), [len(getattr(one, rows)) for one in alone])
        assert getattr(made, rows).frame.tolist() == frames.tolist()


def crowd(size):
    """A SPAT of `size` bytes or little more, in which every phase is another."""
    state = {"signalGroup": 0, "state-time-speed": [{"eventState": 3}]}
    nodes = [
        {"id": {"region": node, "id": 65_535 - node}, "revision": 1, "status": "0" * 16,
         "states": [state | {"signalGroup": k} for k in range(255)]}
        for node in range(size // 775 + 1)
    ]  # fmt: skip
    return encode_j2735(SPAT, {"intersections": nodes})


def test_a_poll_of_more_identities_than_the_table_holds_is_told_in_full():
    frame = crowd(14_000)
    made = decode([frame] * 8 + [crowd(3_000)])
    phases = made.readings.name == Name.SIGNAL_LIGHT
    assert np.count_nonzero(phases) == 8 * 19 * 255 + 4 * 255
    assert len(np.unique(made.readings.ident[phases])) == 19 * 255


def test_an_event_flag_is_its_bit():
    value = car() | {"partII": [{"id": 0, "value": bytes([0b0100_0000 | 0b10, 0, 0])}]}
    made = decode([encode_j2735(BSM, value)])
    assert (Name.BSM_EVENTS, 1) in facts(made)


@pytest.mark.parametrize(
    "changed", [{"lat": 900_000_001}, {"long": 1_800_000_001}, {"lat": 5, "long": -99_999}]
)
def test_a_vehicle_without_a_place_gives_no_row(changed):
    made = decode([encode_j2735(BSM, car(**changed))])
    assert not len(made.observations)
    assert facts(made) == [(Name.BRAKE, 1)]


def signals(timing=None, state=3, **more):
    event = {"eventState": state} | ({"timing": timing} if timing else {})
    one = {
        "id": {"region": 7, "id": 1021}, "revision": 1, "status": "0010000000000001",
        "timeStamp": 12_400, "states": [{"signalGroup": 5, "state-time-speed": [event]}],
    }  # fmt: skip
    return encode_j2735(SPAT, {"intersections": [one | more]})


def test_status_bits_count_from_the_first():
    made = decode([signals()])
    assert facts(made)[0] == (Name.SIGNAL_STATUS, (1 << 2) | (1 << 15))
    assert made.idents[int(made.readings.ident[0])] == "node:7/1021"


@pytest.mark.parametrize(
    ("timing", "left"),
    [
        ({"minEndTime": 11 * 600 + 224}, 10.0),
        ({"minEndTime": 11 * 600 + 224, "likelyTime": 11 * 600 + 174}, 5.0),
        ({"minEndTime": 11 * 600 + 100}, 0.0),
        ({"minEndTime": 36_001}, None),
        ({"minEndTime": 36_111}, None),
    ],
)
def test_time_left_counts_to_the_mark_in_the_hour(timing, left):
    told = dict(facts(decode([signals(timing)])))
    assert told.get(Name.SIGNAL_LEFT_S) == left


def test_time_left_reaches_into_the_next_hour():
    recv = T // HOUR * HOUR + HOUR - 6 * SECOND
    made = decode([signals({"minEndTime": 30}, timeStamp=54_000)], [recv])
    assert dict(facts(made))[Name.SIGNAL_LEFT_S] == 9.0


@pytest.mark.parametrize(("state", "light"), [(0, 0), (4, 3), (6, 6), (7, 7), (8, 7), (9, 8)])
def test_lights_have_the_codes_of_the_other_messages(state, light):
    assert dict(facts(decode([signals(state=state)])))[Name.SIGNAL_LIGHT] == light


def test_a_map_has_the_same_hash_until_its_content_changes():
    value = inside(bytes.fromhex(PUBLIC_MAP))
    later = value | {"timeStamp": 4711, "msgIssueRevision": 9}
    other = inside(bytes.fromhex(PUBLIC_MAP))
    other["intersections"][0]["laneWidth"] = 300
    hashes = [facts(decode([encode_j2735(MAP, one)]))[0][1] for one in (value, later, other)]
    assert hashes[0] == hashes[1] != hashes[2]


def sensed(objects, **changed):
    head = {
        "msgCnt": 1, "sourceID": b"\1\2\3\4", "equipmentType": 1,
        "sDSMTimeStamp": {"year": 2026, "month": 11, "day": 24, "hour": 2, "minute": 11,
                          "second": 12_300},
        "refPos": {"lat": 391_250_000, "long": 1_173_500_000, "elevation": -50},
        "refPosXYConf": {"semiMajor": 255, "semiMinor": 255, "orientation": 65_535},
    }  # fmt: skip
    return encode_j2735(SDSM, head | changed | {"objects": objects})


def thing(present="00", **changed):
    common = {
        "objType": 1, "objTypeCfd": 80, "objectID": 7, "measurementTime": -100,
        "timeConfidence": 0, "pos": {"offsetX": 500, "offsetY": -300, "offsetZ": 12},
        "posConfidence": {"pos": 10, "elevation": 9}, "speed": 500, "speedConfidence": 5,
        "heading": 7200, "headingConf": 4,
    }  # fmt: skip
    return {"present": present, "common": common | changed}


def test_an_object_stands_east_and_north_of_its_sensor():
    made = decode([sensed([thing(), thing(objectID=8, objType=2, objTypeCfd=101)])])
    rows = made.observations
    lat, lon, height = Tile(39.125, 117.35, -5.0).to_geodetic(np.array([[50.0, -30.0, 1.2]]))
    np.testing.assert_allclose(rows.lat, lat[0], rtol=0, atol=1e-12)
    np.testing.assert_allclose(rows.lon, lon[0], rtol=0, atol=1e-12)
    np.testing.assert_allclose(rows.height, height[0])
    assert rows.t_ns.tolist() == [parse_iso("2026-11-24T02:11:12.200Z")] * 2
    assert rows.track_ref.tolist() == [7, 8]
    assert rows.kind.tolist() == [Kind.CAR, Kind.PEDESTRIAN]
    np.testing.assert_allclose(rows.kind_conf, [0.4, 0.7], rtol=1e-6)
    np.testing.assert_allclose(rows.vel[0, :2], [10.0, 0.0], atol=1e-12)
    np.testing.assert_allclose(rows.cov[0, [0, 3, 5]], [0.0625, 0.0625, 0.25])
    assert facts(made) == [(Name.RSM_COUNT, 2), (Name.RSU_LOCATION, -5.0)]


@pytest.mark.parametrize("present", ["01", "10"])
def test_objects_behind_optional_data_are_counted_as_lost(present):
    whole = sensed([thing(), thing(present, objectID=8), thing(objectID=9)])
    made = decode([whole])
    assert made.observations.track_ref.tolist() == [7, 8]
    assert (made.observations.flags & Flag.LENGTH_BAD).all()
    assert made.counts == {"object_optional_data": 1}


def test_the_clock_of_a_sensor_may_be_anything():
    for stamp in ({}, {"second": 12_300}, {"year": 4095, "month": 12, "day": 31, "hour": 31},
                  {"year": 2026, "month": 11, "day": 24, "hour": 10, "minute": 11, "second": 12_300,
                   "offset": 480}):  # fmt: skip
        rows = decode([sensed([thing()], sDSMTimeStamp=stamp)]).observations
        assert abs(int(rows.t_ns[0]) - T) < SECOND, stamp
        assert bool(rows.flags[0] & Flag.TIME_FROM_ARRIVAL) == ("second" not in stamp)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", Reject.SHORT),
        (b"\x00\x14", Reject.SHORT),
        (b"\x80\x14\x00", Reject.BAD_MAGIC),
        (b"\x00\x07\x00", Reject.BAD_MAGIC),
        (b"\x00\x1f\x01\x00", Reject.UNKNOWN_MESSAGE),
        (b"\x00\x14\xc1\x00", Reject.OVERSIZE),
        (bytes.fromhex(PUBLIC_BSM) + b"\x00", Reject.TRAILING_DATA),
        (bytes.fromhex(PUBLIC_BSM)[:-1], Reject.SHORT),
        (bytes.fromhex(PUBLIC_MAP)[:2] + b"\x02\x00\x00", Reject.NOTHING_TO_OBSERVE),
        (b"\x00\x13\x02\x00\x00", Reject.SHORT),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(payload, reason):
    assert why(payload) is reason


def test_a_heading_beyond_the_circle_is_refused():
    bits = int.from_bytes(bytes.fromhex(PUBLIC_BSM)[3:], "big")
    size = 8 * (len(PUBLIC_BSM) // 2 - 3)
    at = 3 + 7 + 32 + 16 + 31 + 32 + 16 + 32 + 3 + 13
    bits |= 0x7FFF << (size - at - 15)
    assert (
        why(bytes.fromhex(PUBLIC_BSM)[:3] + bits.to_bytes(size // 8, "big")) is Reject.VALUE_RANGE
    )


@pytest.mark.parametrize("message", NAMES)
def test_no_truncation_of_a_public_frame_is_taken_for_one(message):
    whole = bytes.fromhex(FRAMES[message])
    made = decode([whole[:n] for n in range(len(whole))])
    assert not np.isin(made.rejects, (Reject.OK, Reject.NOTHING_TO_OBSERVE)).any()


def test_the_largest_frames_are_read_in_bounded_memory():
    lane = {
        "laneID": 1,
        "laneAttributes": {"directionalUse": "10", "sharedWith": "0" * 10,
                           "laneType": {"vehicle": "0" * 8}},
        "nodeList": {"nodes": [{"delta": {"node-XY1": {"x": 1, "y": 2}}}] * 63},
    }  # fmt: skip
    place = {
        "id": {"id": 1},
        "revision": 1,
        "refPoint": {"lat": 391_250_000, "long": 1_173_500_000},
    }
    wide = {"msgIssueRevision": 1, "intersections": [place | {"laneSet": [lane] * 70}]}
    frame = encode_j2735(MAP, wide)
    assert len(frame) > 13_000
    tracemalloc.start()
    made = decode([frame])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert made.rejects.tolist() == [Reject.OK]
    assert peak < 64 << 20


def test_extra_is_the_message_as_plain_data_and_takes_any_bytes():
    extra = format_named("j2735").extra
    told = extra(bytes.fromhex(PUBLIC_MAP))
    assert told["message"] == "MapData"
    assert told["value"]["intersections"][0]["id"] == {"id": 9709}
    assert extra(bytes.fromhex(PUBLIC_SDSM))["value"]["sourceID"] == "010c0c0a"
    for payload in mutations("j2735")[::3]:
        json.dumps(extra(payload), allow_nan=False)


def test_an_identity_is_the_temporary_id():
    rows = decode([encode_j2735(BSM, car(id=b"\0\0\0\0")), encode_j2735(BSM, car())]).observations
    assert rows.ident.tolist() == [-1, ident_of("bsm:010c0c0a")]
