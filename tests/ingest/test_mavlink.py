import json
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ingest import naive_mavlink as naive
from tests.ingest.test_formats import mutations
from v2x.frames import FrameBatch
from v2x.geodesy import undulation
from v2x.ingest.decoded import Reject
from v2x.ingest.formats import format_named
from v2x.ingest.mavlink import MOST
from v2x.ingest.mavlink_messages import (
    ARM_STATUS,
    AUTHENTICATION,
    BASIC_ID,
    GLOBAL_POSITION_INT,
    HEARTBEAT,
    LOCATION,
    MESSAGE_PACK,
    MESSAGES,
    OPERATOR_ID,
    SELF_ID,
    SYSTEM,
    SYSTEM_UPDATE,
    encode_mavlink,
    extra_of,
    layout_of,
)
from v2x.ingest.rid_odid import encode_odid_basic_id, encode_odid_location
from v2x.ingest.timestamps import HOUR, SECOND, parse_iso
from v2x.observations import Flag, Kind, ident_of
from v2x.readings import Name
from v2x.sensors import Sensor, SensorTable

T = parse_iso("2026-11-24T02:11:12.400Z")
TABLE = SensorTable.of([Sensor("a"), Sensor("b", sd_m=4.0, sd_up_m=6.0)])
PUBLISHED = {
    HEARTBEAT: (50, 9), GLOBAL_POSITION_INT: (104, 28), BASIC_ID: (114, 44), LOCATION: (254, 59),
    AUTHENTICATION: (140, 53), SELF_ID: (249, 46), SYSTEM: (77, 54), OPERATOR_ID: (49, 43),
    MESSAGE_PACK: (94, 249), ARM_STATUS: (139, 51), SYSTEM_UPDATE: (7, 18),
}  # fmt: skip
"""CRC extra and payload length as the released headers of the MAVLink project have them."""
MAC = bytes.fromhex("8c1ed90309b2")
SERIAL = b"1581F5FJD239C00DV1"
HERE = {"latitude": 391_250_000, "longitude": 1_173_500_000}
FLIGHT = HERE | {
    "altitude_barometric": 64.0, "altitude_geodetic": 52.5, "height": 60.0, "timestamp": 672.25,
    "direction": 9050, "speed_horizontal": 1230, "speed_vertical": -150, "status": 2,
    "horizontal_accuracy": 11, "vertical_accuracy": 5, "speed_accuracy": 4,
    "timestamp_accuracy": 1,
}  # fmt: skip
POSITION = {
    "time_boot_ms": 123_456, "lat": 391_250_000, "lon": 1_173_500_000, "alt": 61_000,
    "relative_alt": 60_000, "vx": 300, "vy": -400, "vz": -150, "hdg": 30_000,
}  # fmt: skip


def decode(payloads, recv=None, rows=None, table=TABLE):
    fmt = format_named("mavlink")
    n = len(payloads)
    recv = [T] * n if recv is None else recv
    batch = FrameBatch.of("mavlink", payloads, [0] * n if rows is None else rows, recv)
    return fmt.decode(batch, table, fmt.new_state())


def facts(made):
    return [
        (Name(n), v)
        for n, v in zip(made.readings.name.tolist(), made.readings.value.tolist(), strict=True)
    ]


def why(payload):
    return Reject(int(decode([payload]).rejects[0]))


def assert_as_naive(payloads, recv=None, rows=None, table=TABLE):
    recv = [T] * len(payloads) if recv is None else recv
    rows = [0] * len(payloads) if rows is None else rows
    made = decode(payloads, recv, rows, table)
    seen, told, rejects, idents, counts, amsl = naive.decode(payloads, recv, rows, table)
    assert made.rejects.tolist() == rejects
    assert made.idents == idents
    assert made.counts == counts
    np.testing.assert_array_equal(made.amsl, np.array(amsl))
    for got, want in ((made.observations, seen), (made.readings, told)):
        assert len(got) == len(want)
        for column in want[0] if want else ():
            expected, here = np.array([row[column] for row in want]), getattr(got, column)
            if here.dtype.kind == "f":
                np.testing.assert_allclose(here, expected, 1e-6, 1e-9, err_msg=column)
            else:
                assert np.array_equal(here, expected), column


@pytest.mark.parametrize("message", MESSAGES)
def test_the_tables_hash_to_the_published_extras_and_lengths(message):
    assert (extra_of(message), layout_of(message).size) == PUBLISHED[message]


def test_a_frame_by_hand_is_what_the_encoder_makes():
    body = bytes([9, 0, 0, 7, 42, 1, 0, 0, 0]) + b"\x01\0\0\0\x02\x03\x51\x04\x03"
    by_hand = b"\xfd" + body + naive.crc(body + bytes([50])).to_bytes(2, "little")
    made = encode_mavlink(
        HEARTBEAT, system=42, sequence=7, custom_mode=1, type=2, autopilot=3, base_mode=0x51,
        system_status=4, mavlink_version=3,
    )  # fmt: skip
    assert made == by_hand


def test_trailing_zeros_are_not_sent_and_mean_the_same():
    short = encode_mavlink(BASIC_ID, id_type=1, uas_id=b"AB")
    assert short[1] == 26
    body = short[1:2].replace(b"\x1a", b"\x2c") + short[2:10] + short[10:36] + bytes(18)
    long = b"\xfd" + body + naive.crc(body + bytes([114])).to_bytes(2, "little")
    for payload in (short, long):
        assert decode([payload]).idents == {ident_of("rid:AB"): "rid:AB"}


def test_a_location_says_what_was_put_in():
    rows = decode([encode_mavlink(LOCATION, system=5, **FLIGHT)]).observations
    assert (rows.lat[0], rows.lon[0], rows.height[0]) == (39.125, 117.35, 52.5)
    assert rows.t_ns[0] == T // HOUR * HOUR + 672_250_000_000
    assert rows.track_ref[0] == 5
    assert rows.kind[0] == Kind.UAS
    assert rows.flags[0] == Flag.SELF_REPORTED
    np.testing.assert_allclose(rows.vel[0], [12.29953, -0.10734, -1.5], atol=1e-5)
    assert rows.vel_sd[0] == pytest.approx(0.15)
    assert rows.cov[0, 3] == pytest.approx(1.5**2, rel=1e-3)


def test_frames_of_one_aircraft_in_a_payload_are_one_row():
    made = decode(
        [
            encode_mavlink(BASIC_ID, id_type=1, ua_type=2, uas_id=SERIAL)
            + encode_mavlink(LOCATION, **FLIGHT)
            + encode_mavlink(
                SYSTEM, operator_latitude=391_240_000, operator_longitude=1_173_460_000,
                operator_altitude_geo=-5.0, operator_location_type=1, classification_type=1,
                category_eu=2,
            )
            + encode_mavlink(OPERATOR_ID, operator_id=b"OP-1")
        ]
    )  # fmt: skip
    assert made.observations.ident.tolist() == [ident_of("rid:" + SERIAL.decode())]
    assert facts(made) == [
        (Name.RID_HEARD, 1), (Name.RID_MAC, 1), (Name.RID_REGISTRATION, 1), (Name.PILOT, 1),
        (Name.RID_REGISTERED, 1), (Name.RID_STATUS, 2), (Name.UAS_CATEGORY, 2),
        (Name.PILOT_HEIGHT, -5), (Name.HEIGHT_TAKEOFF, 60), (Name.PRESSURE_ALTITUDE, 64),
    ]  # fmt: skip


def test_frames_about_other_aircraft_are_rows_of_their_own():
    other = MAC[::-1]
    made = decode(
        [
            encode_mavlink(BASIC_ID, id_or_mac=MAC, id_type=1, uas_id=b"SERIAL-A")
            + encode_mavlink(BASIC_ID, id_or_mac=other, id_type=1, uas_id=b"SERIAL-B")
            + encode_mavlink(LOCATION, id_or_mac=other, **FLIGHT)
            + encode_mavlink(LOCATION, id_or_mac=MAC, **FLIGHT)
        ]
    )
    rows = made.observations
    assert rows.track_ref.tolist() == [int.from_bytes(MAC, "big"), int.from_bytes(other, "big")]
    assert rows.ident.tolist() == [ident_of("rid:SERIAL-A"), ident_of("rid:SERIAL-B")]


def test_an_id_in_the_place_of_the_address_is_the_identity():
    made = decode([encode_mavlink(LOCATION, id_or_mac=SERIAL, **FLIGHT)])
    assert made.observations.ident[0] == ident_of("rid:" + SERIAL.decode())
    assert made.observations.track_ref[0] == -1


def test_two_positions_of_one_aircraft_in_a_payload_are_two_rows():
    later = FLIGHT | {"timestamp": 673.25, "latitude": 391_251_000}
    first = encode_mavlink(BASIC_ID, id_type=1, uas_id=SERIAL)
    made = decode(
        [first + encode_mavlink(LOCATION, **FLIGHT) + encode_mavlink(LOCATION, **later)]
    ).observations
    assert made.lat.tolist() == [39.125, 39.1251]
    assert np.diff(made.t_ns).tolist() == [SECOND]
    assert (made.ident == ident_of("rid:" + SERIAL.decode())).all()


def test_a_telemetry_position_is_above_the_sea_until_the_undulation_is_added():
    made = decode([encode_mavlink(GLOBAL_POSITION_INT, system=3, **POSITION)])
    rows = made.observations
    geoid = float(undulation([39.125], [117.35])[0])
    assert made.amsl.tolist() == [61.0]
    assert rows.height[0] == 61.0 + geoid
    assert rows.kind_conf[0] == 0.5
    assert rows.track_ref[0] == 3
    assert rows.flags[0] == Flag.SELF_REPORTED | Flag.TIME_FROM_ARRIVAL
    np.testing.assert_allclose(rows.vel[0], [-4.0, 3.0, 1.5], atol=1e-12)
    assert facts(made) == [(Name.HEIGHT_TAKEOFF, 60.0)]


def test_outside_the_table_of_undulations_a_telemetry_position_has_no_height():
    made = decode([encode_mavlink(GLOBAL_POSITION_INT, **POSITION | {"lat": 500_000_000})])
    assert np.isnan(made.observations.height[0])
    assert made.amsl.tolist() == [61.0]


def test_a_pack_is_read_as_remote_id_reads_it():
    messages = encode_odid_basic_id(SERIAL.decode()) + encode_odid_location(
        39.125, 117.35, height=52.5, t_ns=T
    )
    made = decode(
        [
            encode_mavlink(
                MESSAGE_PACK, id_or_mac=MAC, single_message_size=25, msg_pack_size=2,
                messages=messages,
            )
        ]
    )  # fmt: skip
    assert made.observations.height.tolist() == [52.5]
    assert made.observations.ident[0] == ident_of("rid:" + SERIAL.decode())
    assert made.observations.track_ref[0] == int.from_bytes(MAC, "big")


def test_heartbeat_and_arm_state_are_readings():
    beats = encode_mavlink(HEARTBEAT, type=2) + encode_mavlink(ARM_STATUS, status=1, error=b"no")
    made = decode([beats, encode_mavlink(LOCATION, **FLIGHT) + beats])
    assert made.rejects.tolist() == [Reject.OK, Reject.OK]
    assert facts(made)[:2] == [(Name.HEARTBEAT, 1), (Name.ODID_ARM_STATUS, 1)]
    assert made.readings.frame.tolist() == [0, 0, 1, 1, 1, 1, 1]


def test_a_signed_frame_is_read_and_its_signature_not():
    payload = encode_mavlink(LOCATION, signature=bytes(range(13)), **FLIGHT)
    assert len(decode([payload, payload[:-1]]).observations) == 1
    assert why(payload[:-1]) is Reject.SHORT


def altered(payload: bytes, at: int, value: int) -> bytes:
    return payload[:at] + bytes([value]) + payload[at + 1 :]


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", Reject.SHORT),
        (b"\xfd", Reject.SHORT),
        (b"\x7e" + bytes(20), Reject.BAD_MAGIC),
        (b"\xfe\x01\0\1\1\0\0\xab\xcd", Reject.UNSUPPORTED_VERSION),
        (altered(encode_mavlink(LOCATION, **FLIGHT), 2, 2), Reject.UNSUPPORTED_VERSION),
        (altered(encode_mavlink(LOCATION, **FLIGHT), 20, 1), Reject.BAD_CHECKSUM),
        (encode_mavlink(HEARTBEAT) * (MOST + 1), Reject.TOO_COMPLEX),
        (b"\xfd\0\0\0\0\1\1\x1e\0\0\0\0", Reject.NOTHING_TO_OBSERVE),
        (encode_mavlink(AUTHENTICATION, length=3), Reject.NOTHING_TO_OBSERVE),
        (encode_mavlink(SELF_ID, description=b"survey"), Reject.NOTHING_TO_OBSERVE),
        (
            encode_mavlink(MESSAGE_PACK, single_message_size=25, msg_pack_size=1, messages=b"\x19"),
            Reject.UNSUPPORTED_VERSION,
        ),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(payload, reason):
    assert why(payload) is reason


def test_one_bad_frame_does_not_lose_the_others_of_its_payload():
    good = encode_mavlink(LOCATION, **FLIGHT)
    made = decode([altered(good, 20, 1) + b"\xfe\0\0\0\0\0\0\0" + good + good[:30]])
    assert made.rejects.tolist() == [Reject.OK]
    assert made.observations.flags[0] & Flag.LENGTH_BAD
    assert made.counts == {"bad_checksum": 1, "mavlink_1": 1}


@pytest.mark.parametrize(
    "changed",
    [
        {"latitude": 0, "longitude": 0},
        {"altitude_geodetic": -1000.0},
        {"altitude_geodetic": float("nan"), "altitude_barometric": float("inf")},
        {"timestamp": 65535.0},
        {"timestamp": -1e30},
        {"direction": 36_100, "speed_horizontal": 20},
        {"speed_horizontal": 25_500},
        {"speed_vertical": 6_300},
        {"height_reference": 1},
        {"horizontal_accuracy": 255, "vertical_accuracy": 9, "speed_accuracy": 200},
        {"timestamp_accuracy": 200},
        {"latitude": 910_000_000},
    ],
)
def test_what_a_location_does_not_know_is_not_measured(changed):
    assert_as_naive([encode_mavlink(LOCATION, **FLIGHT | changed)])


def frames() -> st.SearchStrategy[bytes]:
    place = st.fixed_dictionaries(
        {"latitude": st.integers(-91 * 10**7, 91 * 10**7),
         "longitude": st.integers(-181 * 10**7, 181 * 10**7)}
    )  # fmt: skip
    whom = st.sampled_from([b"", MAC, SERIAL, b"\0\0\0\0\0\0\0\x01"])
    small, height = st.integers(0, 255), st.floats(width=32)
    location = st.builds(
        lambda where, who, system, sort, high, more: encode_mavlink(
            LOCATION, system=system, id_or_mac=who,
            **FLIGHT | where | {"status": sort, "altitude_geodetic": high} | more,
        ),
        place, whom, st.integers(1, 2), small, height,
        st.fixed_dictionaries(
            {},
            optional={
                "direction": st.integers(0, 65535), "speed_horizontal": st.integers(0, 65535),
                "speed_vertical": st.integers(-32768, 32767), "timestamp": height,
                "horizontal_accuracy": small, "height_reference": st.integers(0, 1),
            },
        ),
    )  # fmt: skip
    identity = st.builds(
        lambda who, system, kind, text: encode_mavlink(
            BASIC_ID, system=system, id_or_mac=who, id_type=kind, uas_id=text
        ),
        whom, st.integers(1, 2), st.integers(0, 20), st.binary(max_size=20),
    )  # fmt: skip
    operator = st.builds(
        lambda who, where, kind, grade: encode_mavlink(
            SYSTEM, id_or_mac=who, operator_latitude=where["latitude"],
            operator_longitude=where["longitude"], operator_location_type=kind,
            classification_type=1, category_eu=grade,
        ),
        whom, place, small, small,
    )  # fmt: skip
    position = st.builds(
        lambda where, up, north, east: encode_mavlink(
            GLOBAL_POSITION_INT,
            **POSITION
            | {"lat": where["latitude"], "lon": where["longitude"], "alt": up, "relative_alt": -up,
               "vx": north, "vy": east},
        ),
        place, st.integers(-(2**31) + 1, 2**31 - 1), st.integers(-9, 9), st.integers(-9, 9),
    )  # fmt: skip
    pack = st.builds(
        lambda n, raw: encode_mavlink(
            MESSAGE_PACK, single_message_size=25, msg_pack_size=n, messages=raw
        ),
        st.integers(0, 10), st.binary(max_size=225),
    )  # fmt: skip
    update = st.builds(
        lambda where: encode_mavlink(
            SYSTEM_UPDATE, operator_latitude=where["latitude"],
            operator_longitude=where["longitude"], operator_altitude_geo=3.5,
        ),
        place,
    )  # fmt: skip
    owner = st.builds(lambda t: encode_mavlink(OPERATOR_ID, operator_id=t), st.binary(max_size=20))
    small_ones = st.sampled_from(
        [encode_mavlink(HEARTBEAT), encode_mavlink(ARM_STATUS, status=1), b"\xfe\0\0\0\0\0\0\0",
         b"\xfd\0\0\0\0\1\1\x1e\0\0\0\0", b"\xfd", b"xyz"]
    )  # fmt: skip
    return st.one_of(location, identity, operator, position, pack, update, owner, small_ones)


@given(st.lists(st.lists(frames(), max_size=6).map(b"".join), max_size=8), st.integers(0, HOUR))
def test_kernel_and_plain_python_agree(payloads, later):
    n = len(payloads)
    assert_as_naive(payloads, [T + later] * n, [k % 2 for k in range(n)])


def test_kernel_and_plain_python_agree_on_broken_bytes():
    assert_as_naive(mutations("mavlink"))


def test_the_largest_payloads_are_read_in_bounded_memory():
    tells = [
        encode_mavlink(BASIC_ID, id_or_mac=k.to_bytes(6, "big"), id_type=1, uas_id=b"%d" % k)
        for k in range(1, MOST + 1)
    ]
    pack = b"".join(encode_odid_basic_id(f"{k}") for k in range(1, 10))
    heavy = [
        b"".join(tells),
        encode_mavlink(MESSAGE_PACK, single_message_size=25, msg_pack_size=9, messages=pack) * 260,
        b"\xfd\0\0\0\0\1\1\x1e\0\0\0\0" * MOST,
    ]
    tracemalloc.start()
    made = [decode([payload]) for payload in heavy]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 << 20
    assert [len(one.readings) for one in made] == [2 * MOST, 2 * 260, 0]


def test_more_texts_than_the_table_holds_are_all_told():
    tells = [
        b"".join(
            encode_mavlink(BASIC_ID, id_or_mac=b"ADDRESS%06d" % k, id_type=1, uas_id=b"%dS" % k)
            for k in range(at, at + MOST)
        )
        for at in range(1, 20 * MOST, MOST)
    ]
    made = decode(tells)
    assert len(made.idents) == 20 * MOST
    assert made.idents[ident_of(f"rid:{20 * MOST}S")] == f"rid:{20 * MOST}S"


def test_extra_shows_every_frame_as_plain_data():
    payload = (
        encode_mavlink(SELF_ID, system=9, sequence=3, description=b"survey") + b"\xfe" + bytes(7)
    )
    payload += b"\xfd\0\0\0\0\1\1\x1e\0\0\0\0"
    told = format_named("mavlink").extra(payload)
    assert told["frames"][0]["description"] == "survey"
    assert told["frames"][0]["system"] == 9
    assert [frame["message"] for frame in told["frames"]] == ["OPEN_DRONE_ID_SELF_ID", 30]
    json.dumps(told, allow_nan=False)


def test_extra_takes_any_bytes():
    extra = format_named("mavlink").extra
    for payload in mutations("mavlink"):
        json.dumps(extra(payload), allow_nan=False)
    assert extra(b"") == {}


def test_an_encoder_refuses_what_no_frame_can_hold():
    with pytest.raises(TypeError, match="no field latitude"):
        encode_mavlink(HEARTBEAT, latitude=1)
    with pytest.raises(ValueError, match="13 bytes"):
        encode_mavlink(HEARTBEAT, signature=b"x")
