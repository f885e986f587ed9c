import csv
import pickle
from functools import cache
from math import cos, hypot, isnan, nan, radians, sin

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ingest import naive_adsb as naive
from tests.shared_data import shared
from v2x.frames import FrameBatch
from v2x.ingest.aircraft import AIRCRAFT
from v2x.ingest.decoded import Reject
from v2x.ingest.formats import format_named
from v2x.ingest.modes import AIR, altitude13_ft, altitude_ft, local, squawk, zones
from v2x.ingest.modes_encode import (
    encode_airborne_position,
    encode_beast,
    encode_emergency,
    encode_identification,
    encode_operational_status,
    encode_reply,
    encode_squitter,
    encode_surface_position,
    encode_target_state,
    encode_velocity,
    gnss_clock,
)
from v2x.ingest.timestamps import SECOND
from v2x.observations import Flag, Kind, ident_of
from v2x.readings import Name
from v2x.sensors import Sensor, SensorTable

T = 1_795_486_272_000_000_000
EVEN = bytes.fromhex("8D780ABC580B82132FFD91A418AC")
ODD = bytes.fromhex("8D780ABC580B85A3EF56AAA86D91")
VELOCITY = bytes.fromhex("8D780ABC99103D8FC82C035F4523")
ICAO = 0x780ABC
WHO = ident_of("icao:780abc")
PLACED = SensorTable.of([Sensor("a", lat=39.1, lon=117.3)])
UNPLACED = SensorTable.of([Sensor("a"), Sensor("b", sd_m=40.0, sd_up_m=30.0)])
FMT = format_named("adsb")


def decode(payloads, t_s=None, table=PLACED, state=None, rows=None):
    n = len(payloads)
    recv = [T + round(t * SECOND) for t in (t_s if t_s is not None else [0.0] * n)]
    batch = FrameBatch.of("adsb", payloads, [0] * n if rows is None else rows, recv)
    return FMT.decode(batch, table, FMT.new_state() if state is None else state)


def why(payload) -> Reject:
    return Reject(int(decode([payload]).rejects[0]))


def said(made) -> list[tuple[Name, float]]:
    names = map(Name, made.readings.name.tolist())
    return list(zip(names, made.readings.value.tolist(), strict=True))


def at(lat, lon, ft=1200, odd=False, icao=ICAO, **more) -> bytes:
    return encode_airborne_position(icao, lat, lon, ft, odd, **more)


HERE = at(39.2, 117.4)


def assert_same(got, want):
    for column in want[0] if want else ():
        expected, made = np.array([row[column] for row in want]), getattr(got, column)
        if made.dtype.kind == "f":
            np.testing.assert_allclose(made, expected, 1e-6, 1e-7, err_msg=column)
        else:
            assert np.array_equal(made, expected), column


def assert_as_naive(payloads, t_s, table, rows=None):
    """Kernels and plain Python agree on every column of every row."""
    rows = [0] * len(payloads) if rows is None else rows
    made = decode(payloads, t_s, table, rows=rows)
    recv = [T + round(t * SECOND) for t in t_s]
    seen, told, rejects, idents, counts = naive.decode(payloads, recv, rows, table)
    assert made.rejects.tolist() == rejects
    assert made.idents == idents
    assert made.counts == counts
    assert (len(made.observations), len(made.readings)) == (len(seen), len(told))
    assert_same(made.observations, seen)
    assert_same(made.readings, told)
    return made


# --- forms and envelope --------------------------------------------------------------------------


def beast(message: bytes, kind: int = 0x33, clock: bytes = b"\x1a\1\2\3\x1a\5") -> bytes:
    return b"\x1a" + bytes([kind]) + (clock + b"\x1a" + message).replace(b"\x1a", b"\x1a\x1a")


FORMS = {
    "bytes": lambda m: m,
    "hex": lambda m: m.hex().encode(),
    "HEX": lambda m: m.hex().upper().encode() + b"\r\n",
    "avr": lambda m: b"*" + m.hex().encode() + b";\n",
    "clock": lambda m: b"@0123456789ab" + m.hex().encode() + b";",
    "beast": beast,
}


@pytest.mark.parametrize("form", FORMS)
def test_a_message_is_the_same_in_every_form(form):
    made = decode([FORMS[form](EVEN)])
    assert made.rejects.tolist() == [Reject.OK]
    assert made.observations.lat[0] == pytest.approx(39.11238, abs=1e-5)
    assert said(made) == [(Name.PRESSURE_ALTITUDE, pytest.approx(365.76)), (Name.NIC, 8)]


@pytest.mark.parametrize("form", FORMS)
def test_every_truncation_is_refused(form):
    payload = FORMS[form](EVEN).rstrip()
    for cut in range(len(payload)):
        assert decode([payload[:cut]]).rejects[0] not in (Reject.OK, Reject.NOTHING_TO_OBSERVE)


def test_a_doubled_escape_inside_a_message_is_one_byte():
    message = encode_velocity(0x1A1A1A, 100, 100)
    assert beast(message).count(b"\x1a\x1a") >= 3
    state = FMT.new_state()
    assert decode([beast(message)], state=state).rejects.tolist() == [Reject.OK]
    assert list(FMT.finish(PLACED, state).idents.values()) == ["icao:1a1a1a"]


def test_envelopes_are_refused_by_name():
    assert why(b"") is Reject.SHORT
    assert why(b"\x1a\x39" + bytes(20)) is Reject.BAD_MAGIC
    assert why(beast(EVEN)[:9] + b"\x1a\x00" + beast(EVEN)[11:]) is Reject.BAD_ESCAPE
    assert why(beast(EVEN) + beast(ODD)) is Reject.TRAILING_DATA
    assert why(beast(b"\x12\x34", 0x31)) is Reject.UNKNOWN_MESSAGE
    assert why(b"*" + EVEN.hex().encode()) is Reject.SHORT
    assert why(b"*" + EVEN.hex().encode()[:-1] + b"x;") is Reject.BAD_TEXT
    assert why(b"@0123456789xx" + EVEN.hex().encode() + b";") is Reject.BAD_TEXT
    assert why(EVEN.hex().encode() + b"00") is Reject.BAD_LENGTH
    assert why(b"$GPGGA,021112.40,3907.5000,N") is Reject.BAD_MAGIC


def test_other_downlink_formats_are_named_whatever_their_parity():
    for first in (0x08, 0x98, 0xC8):
        assert why(bytes([first]) + EVEN[1:]) is Reject.UNKNOWN_MESSAGE
    for first in (0x00, 0x20, 0x28, 0x58):
        assert why(bytes([first]) + EVEN[1:]) is Reject.BAD_LENGTH
    for first in (0x80, 0xA0, 0xA8):
        assert why(bytes([first]) + EVEN[1:]) is Reject.BAD_CHECKSUM
        assert why(bytes([first]) + EVEN[1:7]) is Reject.SHORT
    assert why(b"\x5d" + EVEN[1:7]) is Reject.BAD_CHECKSUM
    assert why(EVEN[:7]) is Reject.SHORT
    assert why(b"\x1a4" + bytes(9)) is Reject.UNKNOWN_MESSAGE


def test_every_single_bit_error_fails_the_parity_or_is_no_squitter():
    for bit in range(112):
        raw = bytearray(EVEN)
        raw[bit // 8] ^= 0x80 >> bit % 8
        df = raw[0] >> 3
        want = Reject.BAD_CHECKSUM if df in (16, 17, 18, 20, 21) else Reject.UNKNOWN_MESSAGE
        assert why(bytes(raw)) is want, bit


@pytest.mark.parametrize("tc", [23, 24, 25, 26, 27, 30])
def test_reserved_types_are_named(tc):
    assert why(encode_squitter(ICAO, tc << 51)) is Reject.UNKNOWN_MESSAGE


def test_messages_that_say_nothing_are_accepted():
    assert why(encode_squitter(ICAO, 0)) is Reject.NOTHING_TO_OBSERVE
    assert why(encode_squitter(ICAO, 29 << 51 | 1 << 50)) is Reject.NOTHING_TO_OBSERVE
    assert why(encode_squitter(ICAO, 31 << 51 | 1 << 49)) is Reject.NOTHING_TO_OBSERVE
    made = decode([encode_squitter(ICAO, int.from_bytes(EVEN[4:11], "big") & ~(31 << 51))])
    assert said(made) == [(Name.PRESSURE_ALTITUDE, pytest.approx(365.76))]


# --- printed vectors -----------------------------------------------------------------------------


def test_the_printed_messages_are_what_the_encoders_make():
    assert encode_airborne_position(ICAO, 39.11240, 117.35413, 1200, False) == EVEN
    assert encode_airborne_position(ICAO, 39.11240, 117.35413, 1200, True) == ODD
    assert encode_velocity(ICAO, 60, -125, -640, 50) == VELOCITY


def test_the_printed_pair_gives_the_printed_place_without_a_receiver_place():
    made = assert_as_naive([EVEN, ODD], [0.0, 0.5], UNPLACED)
    assert made.rejects.tolist() == [Reject.OK, Reject.OK]  # the first has an altitude to tell
    assert made.observations.frame.tolist() == [1]
    assert made.observations.ident.tolist() == [WHO]
    assert made.observations.lat[0] == pytest.approx(39.11240, abs=5e-6)
    assert made.observations.lon[0] == pytest.approx(117.35413, abs=5e-6)
    assert made.idents == {WHO: "icao:780abc"}


def test_the_printed_velocity_goes_with_the_next_position():
    made = decode([VELOCITY, EVEN], [0.0, 1.9])
    ve, vn, up = made.observations.vel[0]
    assert hypot(ve, vn) * 3600 / 1852 == pytest.approx(138, abs=0.7)
    assert np.degrees(np.arctan2(ve, vn)) == pytest.approx(154.4, abs=0.05)
    assert up == pytest.approx(-640 * 0.3048 / 60)
    assert made.observations.vel_sd[0] == 1.5
    assert said(made) == [
        (Name.GEO_MINUS_BARO_M, pytest.approx(15.24)),
        (Name.PRESSURE_ALTITUDE, pytest.approx(365.76)),
        (Name.NIC, 8),
    ]


# --- rules ---------------------------------------------------------------------------------------


def test_a_velocity_is_used_once():
    made = decode([VELOCITY, EVEN, ODD], [0.0, 0.5, 1.0])
    assert not np.isnan(made.observations.vel[0]).any()
    assert np.isnan(made.observations.vel[1]).all()


def test_a_velocity_that_no_position_follows_becomes_readings():
    names = [Name.VELOCITY_EAST, Name.VELOCITY_NORTH, Name.VELOCITY_UP]
    made = decode([VELOCITY, EVEN], [0.0, 2.1])
    assert np.isnan(made.observations.vel).all()
    late = made.readings.take(np.isin(made.readings.name, names))
    assert late.name.tolist() == names
    assert (late.t_ns == T).all()
    assert (late.recv_ns == T).all()
    assert late.frame.tolist() == [1, 1, 1]
    assert (late.ident == WHO).all()

    made = decode([VELOCITY, encode_velocity(ICAO, 1, 2)], [0.0, 0.5])
    assert [n for n, _ in said(made)] == [Name.GEO_MINUS_BARO_M, *names]


def test_a_velocity_still_waiting_at_the_end_is_told_then():
    state = FMT.new_state()
    decode([VELOCITY, encode_velocity(0x780001, 10, None)], [1.0, 0.0], state=state)
    rest = FMT.finish(PLACED, state)
    assert rest.readings.frame.tolist() == [-1] * 4
    assert rest.readings.t_ns.tolist() == [T] + [T + SECOND] * 3
    assert set(rest.idents.values()) == {"icao:780abc", "icao:780001"}
    assert len(FMT.finish(PLACED, state).readings) == 0


def test_airspeed_gives_the_vertical_rate_and_no_velocity():
    me = 19 << 51 | 3 << 48 | 1 << 19 | 11 << 10
    made = decode([encode_squitter(ICAO, me), HERE], [0.0, 0.5])
    assert said(made)[0] == (Name.VELOCITY_UP, pytest.approx(-640 * 0.3048 / 60))
    assert np.isnan(made.observations.vel).all()


def test_supersonic_velocity_counts_in_fours():
    me = int.from_bytes(VELOCITY[4:11], "big") + (1 << 48)
    slow, fast = decode([VELOCITY, EVEN]), decode([encode_squitter(ICAO, me), EVEN])
    assert fast.observations.vel[0, 0] == pytest.approx(4 * slow.observations.vel[0, 0])
    assert fast.observations.vel[0, 2] == slow.observations.vel[0, 2]


def test_unknown_and_saturated_velocities_are_unknown():
    made = decode([encode_velocity(ICAO, None, 5, None), HERE])
    assert np.isnan(made.observations.vel[0]).tolist() == [True, False, True]
    full = 19 << 51 | 1 << 48 | 1023 << 32 | 1023 << 21 | 511 << 10 | 127
    assert why(encode_squitter(ICAO, full)) is Reject.NOTHING_TO_OBSERVE


def test_barometric_altitude_is_no_height_until_the_difference_is_known():
    made = decode([HERE, VELOCITY, HERE, HERE, HERE], [0.0, 1.0, 2.0, 61.0, 61.1])
    rows = made.observations
    assert np.isnan(rows.height).tolist() == [True, False, False, True]
    assert rows.height[1] == pytest.approx((1200 + 50) * 0.3048)
    barometric = (rows.flags & Flag.HEIGHT_BAROMETRIC) != 0
    assert barometric.tolist() == [True, False, False, True]
    assert np.isnan(rows.cov[0, 5])
    assert rows.cov[1, 5] == 15**2
    altitudes = [v for n, v in said(made) if n == Name.PRESSURE_ALTITUDE]
    assert altitudes == pytest.approx([365.76] * 4)


def test_an_unknown_altitude_is_neither_height_nor_flag():
    made = decode([at(39.2, 117.4, None)])
    assert isnan(made.observations.height[0])
    assert not made.observations.flags[0] & Flag.HEIGHT_BAROMETRIC
    assert said(made) == [(Name.NIC, 8)]


def test_gnss_height_is_the_height():
    made = decode([at(39.2, 117.4, 1000, tc=20)])
    assert made.observations.height[0] == pytest.approx(304.8)
    assert not made.observations.flags[0] & Flag.HEIGHT_BAROMETRIC
    assert said(made) == [(Name.NIC, 11)]


def test_accuracy_from_the_type_code_until_one_is_heard():
    status = encode_operational_status(ICAO, 10)
    made = decode([HERE, status, HERE, HERE], [0.0, 1.0, 2.0, 61.5])
    variances = made.observations.cov[:, 0]
    by_type = 37.04**2 + 2.25
    assert variances == pytest.approx([by_type, 5**2 + 2.25, by_type])
    assert (Name.NACP, 10) in said(made)
    assert (made.observations.cov[:, 3] == variances).all()
    assert isnan(decode([at(39.2, 117.4, tc=18)]).observations.cov[0, 0])


def test_an_accuracy_of_zero_or_of_version_0_changes_nothing():
    made = decode([encode_operational_status(ICAO, 0), HERE])
    assert made.observations.cov[0, 0] == pytest.approx(37.04**2 + 2.25)
    assert (Name.NACP, 0) in said(made)
    old = encode_operational_status(ICAO, 11, version=0)
    assert why(old) is Reject.NOTHING_TO_OBSERVE


def test_the_noise_of_the_sensor_is_the_floor():
    table = SensorTable.of([Sensor("a", lat=39.1, lon=117.3, sd_m=50.0, sd_up_m=20.0)])
    cov = decode([VELOCITY, HERE], table=table).observations.cov[0]
    np.testing.assert_allclose(cov, [2502.25, 0, 0, 2502.25, 0, 400])


@pytest.mark.parametrize(
    ("category", "kind"),
    [("A1", Kind.AIRCRAFT), ("A6", Kind.AIRCRAFT), ("A7", Kind.HELICOPTER), ("B1", Kind.AIRCRAFT),
     ("B6", Kind.UAS), ("C1", Kind.EMERGENCY_VEHICLE), ("C3", Kind.CAR), ("C5", Kind.OBSTACLE)],
)  # fmt: skip
def test_the_category_names_the_kind_of_later_positions(category, kind):
    name = encode_identification(ICAO, "CES5123", category)
    made = decode([HERE, name, HERE, encode_identification(ICAO, "CES5123", "A0"), HERE])
    assert made.observations.kind.tolist() == [Kind.AIRCRAFT, kind, kind]
    assert made.observations.kind_conf.tolist() == pytest.approx([0.6, 0.9, 0.9])
    assert "callsign:CES5123" in made.idents.values()
    callsign = made.readings.name == Name.CALLSIGN
    assert made.readings.ident2[callsign].tolist() == [ident_of("callsign:CES5123")] * 2
    assert (made.readings.ident[callsign] == WHO).all()


def test_a_callsign_of_blanks_or_with_other_codes_is_none():
    assert why(encode_identification(ICAO, "")) is Reject.NOTHING_TO_OBSERVE
    made = decode([encode_squitter(ICAO, 4 << 51 | 3 << 48 | 63)])
    assert len(made.readings) == 0
    assert made.counts == {"bad_callsign": 1}


@pytest.mark.parametrize("code", [0, 7, 1234, 7500, 7600, 7700, 7777])
def test_a_squawk_is_the_four_digits_that_were_set(code):
    made = decode([encode_emergency(ICAO, 5, code)])
    assert said(made) == [(Name.EMERGENCY, 5), (Name.SQUAWK, code)]


def test_pulses_of_a_squawk_stand_in_their_order():
    # C1 A1 C2 A2 C4 A4 X B1 D1 B2 D2 B4 D4 (Annex 10 volume IV, 3.1.1.6)
    assert squawk(0b0_1010_1010_1010) == 7700
    assert [squawk(1 << k) for k in range(12, -1, -1)] == [
        10, 1000, 20, 2000, 40, 4000, 0, 100, 1, 200, 2, 400, 4
    ]  # fmt: skip


def test_a_target_state_has_accuracy_and_integrity():
    # Captured and decoded by an independent decoder: NACp 9, SIL 3
    captured = bytes.fromhex("8da47fd9ea159885733f8c5d8877")
    assert said(decode([captured])) == [(Name.NACP, 9), (Name.SIL, 3)]
    for subtype in (0, 1):
        made = decode([encode_target_state(ICAO, 10, 2, subtype=subtype), HERE])
        assert said(made)[:2] == [(Name.NACP, 10), (Name.SIL, 2)]
        assert made.observations.cov[0, 0] == pytest.approx(5**2 + 2.25)


@pytest.mark.parametrize(
    ("tc", "version", "a", "b", "nic", "radius"),
    [(11, 2, 1, 1, 9, 75), (11, 2, 1, 0, 8, 185.2), (11, 1, 1, 0, 9, 75), (13, 2, 0, 1, 6, 555.6),
     (13, 2, 1, 1, 6, 1111.2), (13, 2, 0, 0, 6, 926), (16, 2, 1, 1, 3, 7408),
     (16, 2, 0, 0, 2, 14816), (9, 2, 0, 0, 11, 7.5), (17, 2, 0, 0, 1, 37040)],
)  # fmt: skip
def test_integrity_is_the_type_code_and_the_supplements(tc, version, a, b, nic, radius):
    status = encode_operational_status(ICAO, 0, version=version, nic_a=a, sil=3)
    me = int.from_bytes(at(39.2, 117.4, tc=tc)[4:11], "big") | b << 48
    made = decode([status, encode_squitter(ICAO, me)])
    assert (Name.NIC, nic) in said(made)
    assert (Name.SIL, 3) in said(made)
    assert made.observations.cov[0, 0] == pytest.approx((radius / 5) ** 2 + 2.25)


@pytest.mark.parametrize(
    ("a", "c", "nic", "radius"), [(1, 1, 7, 370.4), (1, 0, 6, 555.6), (0, 1, 6, 1111.2)]
)
def test_integrity_on_the_ground_has_a_supplement_of_its_own(a, c, nic, radius):
    status = encode_operational_status(ICAO, 0, nic_a=a, surface=c)
    made = decode([status, encode_surface_position(ICAO, 39.12, 117.35, 0, 90, False, tc=8)])
    assert (Name.NIC, nic) in said(made)
    assert made.observations.cov[0, 0] == pytest.approx((radius / 5) ** 2 + 0.16)


def test_integrity_is_told_when_it_changes_and_else_every_five_seconds():
    worse = at(39.2, 117.4, tc=12)
    made = decode([HERE, HERE, worse, worse, worse], [0.0, 1.0, 2.0, 6.9, 7.0])
    told = made.readings.take(made.readings.name == Name.NIC)
    assert told.frame.tolist() == [0, 2, 4]
    assert told.value.tolist() == [8, 7, 7]


# --- on the ground -------------------------------------------------------------------------------


def test_a_surface_position_has_speed_and_track_and_no_height():
    made = decode([encode_surface_position(ICAO, 39.1201, 117.3502, 17.2, 90.0, True)])
    row = made.observations
    assert metres(39.1201, 117.3502, row.lat[0], row.lon[0]) < 1.5
    assert row.vel[0, :2] == pytest.approx([17 * 1852 / 3600, 0], abs=1e-9)
    assert np.isnan(row.vel[0, 2])
    assert np.isnan(row.height[0])
    assert not row.flags[0] & Flag.HEIGHT_BAROMETRIC
    assert row.cov[0, 0] == pytest.approx(37.04**2 + 0.16)
    assert said(made) == [(Name.GROUND_BIT, 1), (Name.NIC, 8)]


@pytest.mark.parametrize(
    ("speed", "track", "vel"),
    [(0.0, None, (0, 0)), (20.0, None, (nan, nan)), (None, 90.0, (nan, nan)),
     (0.6, None, (0, 0)), (176, 180.0, (0, -175 * 1852 / 3600))],
)  # fmt: skip
def test_a_surface_velocity_needs_a_track_unless_it_stands(speed, track, vel):
    row = decode([encode_surface_position(ICAO, 39.12, 117.35, speed, track, False)]).observations
    np.testing.assert_allclose(row.vel[0, :2], vel, atol=1e-9)


def test_without_a_place_of_its_receiver_an_aircraft_on_the_ground_is_only_heard():
    pair = [encode_surface_position(ICAO, 39.12, 117.35, 5, 90, odd) for odd in (False, True)]
    made = decode(pair, [0.0, 0.5], UNPLACED)
    assert made.rejects.tolist() == [Reject.OK, Reject.OK]
    assert len(made.observations) == 0
    assert [n for n, _ in said(made)] == [Name.GROUND_BIT, Name.NIC, Name.GROUND_BIT]


def test_leaving_the_ground_is_told_once():
    taxi = encode_surface_position(ICAO, 39.12, 117.35, 5, 90, False)
    made = decode([HERE, taxi, taxi, HERE, HERE])
    told = made.readings.take(made.readings.name == Name.GROUND_BIT)
    assert told.frame.tolist() == [1, 2, 3]
    assert told.value.tolist() == [1, 1, 0]


@given(
    st.floats(-60, 60), st.floats(-179, 179), st.booleans(), st.integers(0, 127),
    st.sampled_from([0, 0.125, 0.5, 1, 1.75, 2, 14.5, 15, 69, 70, 98, 100, 170]),
)  # fmt: skip
def test_a_surface_position_round_trips_within_the_coding_step(lat, lon, odd, turn, speed):
    table = SensorTable.of([Sensor("a", lat=lat + 0.2, lon=lon)])
    made = decode(
        [encode_surface_position(ICAO, lat, lon, speed, turn * 360 / 128, odd)], table=table
    )
    if max(abs(lat), abs(lon)) > 0.02:
        row = made.observations
        assert metres(lat, 0, row.lat[0], (row.lon[0] - lon + 180) % 360 - 180) < 1.5
        assert hypot(*row.vel[0, :2]) == pytest.approx(speed * 1852 / 3600)


# --- replies -------------------------------------------------------------------------------------


def test_a_reply_counts_only_if_its_address_was_heard_with_a_parity_of_its_own():
    squawking = encode_reply(5, ICAO, 7700)
    assert why(squawking) is Reject.BAD_CHECKSUM
    for first in (HERE, encode_reply(11, ICAO), encode_squitter(ICAO, 0)):
        made = decode([first, squawking, squawking], [0.0, 60.0, 60.1])
        assert made.rejects[1:].tolist() == [Reject.OK, Reject.BAD_CHECKSUM]
        assert said(made)[-1] == (Name.SQUAWK, 7700)
        assert made.readings.ident[-1] == WHO
        assert made.idents[WHO] == "icao:780abc"
    elsewhere = decode([HERE, squawking], table=UNPLACED, rows=[0, 1])
    assert elsewhere.rejects.tolist()[1] == Reject.BAD_CHECKSUM


@pytest.mark.parametrize("df", [0, 4, 16, 20])
@pytest.mark.parametrize("feet", [-1000 + 25, 0, 1200, 38_000, 50_175])
def test_altitude_replies_give_the_pressure_altitude(df, feet):
    made = decode([encode_reply(11, ICAO), encode_reply(df, ICAO, feet)])
    assert made.rejects.tolist() == [Reject.NOTHING_TO_OBSERVE, Reject.OK]
    assert said(made) == [(Name.PRESSURE_ALTITUDE, pytest.approx(feet * 0.3048))]


@pytest.mark.parametrize(
    ("df", "status", "told"),
    [(4, 1, [1]), (21, 3, [1]), (4, 0, []), (5, 2, []), (20, 4, []), (0, 1, [1]), (16, 0, [])],
)
def test_replies_say_whether_an_aircraft_is_on_the_ground(df, status, told):
    made = decode([encode_reply(11, ICAO), encode_reply(df, ICAO, 1000, status=status)])
    assert [v for n, v in said(made) if n == Name.GROUND_BIT] == told


def test_a_reply_that_counts_metres_gives_no_altitude():
    assert isnan(altitude13_ft(0x40 | 0x1000))
    assert altitude13_ft(1 << 8) == -1200.0  # C4 alone


def test_an_all_call_reply_may_bear_an_interrogator_code():
    raw = bytearray(encode_reply(11, ICAO))
    raw[-1] ^= 79
    assert why(bytes(raw)) is Reject.NOTHING_TO_OBSERVE
    raw[-1] ^= 79 ^ 80
    assert why(bytes(raw)) is Reject.BAD_CHECKSUM


def test_noise_makes_no_replies():
    rng = np.random.default_rng(11)
    noise = [rng.bytes(7) for _ in range(20_000)] + [rng.bytes(14) for _ in range(5_000)]
    made = decode([HERE, *noise])
    assert len(made.readings) == 2  # those of the position


# --- clocks --------------------------------------------------------------------------------------

GNSS = SensorTable.of([Sensor("a", lat=39.1, lon=117.3, edition="gnss")])


def test_a_gnss_clock_is_the_time_where_the_receiver_is_said_to_have_one():
    t_ns = T - 123_456_789
    for payload in (
        encode_beast(HERE, gnss_clock(t_ns)),
        b"@%012x%s;" % (gnss_clock(t_ns), HERE.hex().encode()),
    ):
        row = decode([payload], table=GNSS).observations
        assert (row.t_ns[0], row.recv_ns[0]) == (t_ns, T)
        assert not row.flags[0] & Flag.TIME_FROM_ARRIVAL
        assert decode([payload]).observations.t_ns[0] == T
    bare = decode([HERE], table=GNSS).observations
    assert bare.flags[0] & Flag.TIME_FROM_ARRIVAL


def test_a_gnss_clock_before_midnight_belongs_to_the_day_before():
    midnight = T // (86_400 * SECOND) * 86_400 * SECOND
    late = encode_beast(HERE, gnss_clock(midnight - 1_000))
    row = decode([late], [(midnight - T) / SECOND + 0.2], GNSS).observations
    assert row.t_ns[0] == midnight - 1_000


def test_a_clock_that_cannot_be_right_is_flagged_and_told():
    ahead = T + 8 * 3600 * SECOND
    made = decode([encode_beast(HERE, gnss_clock(ahead))], table=GNSS)
    assert made.observations.flags[0] & Flag.TIME_SUSPECT
    assert (Name.CLOCK_OFFSET_S, 8 * 3600) in said(made)
    counter = encode_beast(HERE, (1 << 48) - 1)  # more seconds than a day has: no such clock
    assert decode([counter], table=GNSS).observations.flags[0] & Flag.TIME_FROM_ARRIVAL


def test_a_stream_is_cut_into_its_messages():
    messages = [encode_beast(m, k << 40 | 0x1A1A) for k, m in enumerate((EVEN, ODD, VELOCITY))]
    assert list(FMT.cut(b"".join(messages))) == messages
    assert list(FMT.cut(b"junk" + messages[0] + messages[1][:5])) == [
        b"junk", messages[0], messages[1][:5]
    ]  # fmt: skip
    lines = b"*" + EVEN.hex().encode() + b";\r\n*" + ODD.hex().encode() + b";\n"
    assert [len(decode([p]).observations) for p in FMT.cut(lines)] == [1, 1]


def test_squawk_and_emergency():
    me = 28 << 51 | 1 << 48 | 1 << 45  # 7700: A = 7, B = 7
    for bit in (12, 14, 16, 18, 20, 22):
        me |= 1 << (55 - bit)
    assert said(decode([encode_squitter(ICAO, me)])) == [(Name.EMERGENCY, 1), (Name.SQUAWK, 7700)]
    assert why(encode_squitter(ICAO, 28 << 51 | 2 << 48)) is Reject.NOTHING_TO_OBSERVE


def test_the_time_is_the_arrival_and_says_so():
    row = decode([HERE], [3.25]).observations
    assert row.t_ns[0] == row.recv_ns[0] == T + 3_250_000_000
    assert row.flags[0] == Flag.SELF_REPORTED | Flag.TIME_FROM_ARRIVAL | Flag.HEIGHT_BAROMETRIC


@pytest.mark.parametrize(
    ("cf", "text", "relayed", "own"),
    [(0, "icao", False, True), (1, "adsb18", False, True), (2, "icao", True, False),
     (5, "adsb18", True, False), (6, "icao", True, True)],
)  # fmt: skip
def test_df_18_says_whose_address_and_whose_report_it_is(cf, text, relayed, own):
    me = int.from_bytes(HERE[4:11], "big")
    row = decode([encode_squitter(ICAO, me, df=18, ca=cf)]).observations
    assert row.ident[0] == ident_of(f"{text}:780abc")
    assert bool(row.flags[0] & Flag.RELAYED) is relayed
    assert bool(row.flags[0] & Flag.SELF_REPORTED) is own


@pytest.mark.parametrize("cf", [3, 4, 7])
def test_other_control_fields_of_df_18_are_named(cf):
    me = int.from_bytes(HERE[4:11], "big")
    assert why(encode_squitter(ICAO, me, df=18, ca=cf)) is Reject.UNKNOWN_MESSAGE


@pytest.mark.parametrize("icao", [0, 0xFFFFFF])
def test_no_address_is_no_identity_and_nothing_is_remembered(icao):
    messages = [encode_velocity(icao, 1, 2, 3, 50), at(39.2, 117.4, icao=icao)]
    made = decode(messages)
    assert made.rejects.tolist() == [Reject.NOTHING_TO_OBSERVE, Reject.OK]
    assert made.observations.ident.tolist() == [-1]
    assert np.isnan(made.observations.vel).all()
    assert len(made.readings) == 0
    assert made.idents == {}


def test_a_position_beyond_the_range_of_the_receiver_is_refused():
    table = SensorTable.of([Sensor("a", lat=39.1, lon=117.3)])
    far = at(39.1 + 2.99, 117.3 + 3.85)
    assert decode([far], table=table).rejects.tolist() == [Reject.VALUE_RANGE]
    near = at(39.1 + 2.9, 117.3)
    assert decode([near], table=table).rejects.tolist() == [Reject.OK]


def test_pairs_more_than_ten_seconds_apart_or_of_other_receivers_are_not_joined():
    assert len(decode([EVEN, ODD], [0, 10], UNPLACED).observations) == 1
    assert len(decode([EVEN, ODD], [0, 10.1], UNPLACED).observations) == 0
    assert len(decode([EVEN, ODD], [0, 1], UNPLACED, rows=[0, 1]).observations) == 0
    assert len(decode([EVEN, EVEN], [0, 1], UNPLACED).observations) == 0
    other = encode_airborne_position(0x780001, 39.1, 117.3, 1200, True)
    assert len(decode([EVEN, other], [0, 1], UNPLACED).observations) == 0


def test_a_pair_across_a_change_of_zones_is_refused():
    lat = next(x for x in np.arange(38, 41, 1e-4) if zones(x) != zones(x + 1e-4))
    pair = [at(lat - 0.02, 117.3), at(lat + 0.02, 117.3, odd=True)]
    made = assert_as_naive(pair, [0.0, 1.0], UNPLACED)
    assert len(made.observations) == 0


@pytest.mark.parametrize(
    ("lat", "lon"), [(39.12, 117.35), (-33.9, 18.4), (51.5, -0.1), (-23.5, -46.6)]
)
def test_every_quadrant_comes_out_where_it_went_in(lat, lon):
    table = SensorTable.of([Sensor("a", lat=lat + 0.3, lon=lon - 0.3)])
    for used in (table, UNPLACED):
        rows = decode([at(lat, lon), at(lat, lon, odd=True)], table=used).observations
        assert rows.lat[-1] == pytest.approx(lat, abs=3e-5)
        assert rows.lon[-1] == pytest.approx(lon, abs=6e-5)


def test_the_number_of_zones_is_that_of_the_formula():
    assert (zones(0.0), zones(39.1), zones(87.5), zones(-89.0)) == (59, 46, 1, 1)
    for lat in np.linspace(-89.9, 89.9, 4001):
        assert zones(lat) == naive.zones(lat), lat


def test_gillham_altitudes_are_a_gray_code_of_hundreds_of_feet():
    heights = {}
    for code in range(1, 4096):
        assert altitude_ft(code) == naive.altitude_ft(code) or isnan(naive.altitude_ft(code))
        if not code & 0x10 and not isnan(altitude_ft(code)):
            heights[altitude_ft(code)] = code
    assert heights[-1200] == 1 << 7  # C4 alone
    assert sorted(heights) == list(np.arange(-1200, 126_800, 100))
    for low, high in zip(sorted(heights), sorted(heights)[1:], strict=False):
        assert (heights[low] ^ heights[high]).bit_count() == 1


def test_more_aircraft_than_can_be_remembered_are_forgotten_and_counted():
    state = FMT.new_state()
    regular = [encode_velocity(ICAO, 1, 2), HERE, encode_velocity(ICAO, 3, 4)]
    flood = [at(39.2, 117.4, icao=0x100000 + k) for k in range(AIRCRAFT + 10)]
    made = decode(regular + flood + [HERE], state=state)
    assert made.counts["aircraft_forgotten"] >= AIRCRAFT - 2
    assert state.memory.known[0] < AIRCRAFT
    assert len(made.observations) == AIRCRAFT + 12
    assert made.observations.vel[-1, :2] == pytest.approx([3 * 1852 / 3600, 4 * 1852 / 3600])


# --- recordings ----------------------------------------------------------------------------------


@cache
def published() -> list[dict]:
    return list(csv.DictReader(shared("adsb/published.csv").read_text().splitlines()))


@cache
def recording() -> list[dict]:
    return list(csv.DictReader(shared("adsb/made.csv").read_text().splitlines()))


def test_published_frames_give_their_published_values():
    rows = published()
    name, odd, even, ground, air = rows[0], rows[2], rows[1], rows[3], rows[4]
    state = FMT.new_state()
    payloads = [r["frame"].encode() for r in (name, odd, even, ground, air, *rows[5:])]
    made = decode(payloads, np.arange(7.0), UNPLACED, state)
    assert made.rejects.tolist() == [Reject.OK] * 7
    assert "callsign:KLM1023" in made.idents.values()
    assert made.observations.lat[0] == pytest.approx(float(even["lat"]), abs=5e-7)
    assert made.observations.lon[0] == pytest.approx(float(even["lon"]), abs=5e-7)
    assert said(made).count((Name.PRESSURE_ALTITUDE, pytest.approx(11582.4))) == 2
    assert (Name.VELOCITY_UP, pytest.approx(float(air["climb_mps"]), abs=0.01)) in said(made)
    table = SensorTable.of([Sensor("a", lat=52.31, lon=4.74)])
    for row, payload in zip(rows[5:], payloads[5:], strict=True):
        seen = decode([payload], table=table).observations
        assert seen.lat[0] == pytest.approx(float(row["lat"]), abs=5e-7)
        assert seen.lon[0] == pytest.approx(float(row["lon"]), abs=5e-7)
        assert hypot(*seen.vel[0, :2]) == pytest.approx(float(row["speed_mps"]), abs=0.01)
        track = np.degrees(np.arctan2(*seen.vel[0, :2])) % 360
        assert track == pytest.approx(float(row["track_deg"]), abs=1e-4)
    waiting = FMT.finish(UNPLACED, state)
    (_, east), (_, north), (_, up) = said(waiting)
    assert hypot(east, north) == pytest.approx(float(ground["speed_mps"]), abs=0.01)
    assert np.degrees(np.arctan2(east, north)) % 360 == pytest.approx(182.88, abs=0.01)
    assert up == pytest.approx(float(ground["climb_mps"]), abs=0.01)


def metres(lat0, lon0, lat1, lon1) -> float:
    return hypot(lat1 - lat0, (lon1 - lon0) * cos(radians(lat0))) * 111_195


@pytest.mark.parametrize("placed", [True, False], ids=["receiver known", "pairs"])
def test_the_recording_decodes_to_what_was_sent(placed):
    rows = recording()
    times = [float(r["t_s"]) for r in rows]
    table = PLACED if placed else UNPLACED
    made = decode([r["frame"].encode() for r in rows], times, table)
    obs, read = made.observations, made.readings
    by_frame = {int(f): i for i, f in enumerate(obs.frame)}
    checked = velocities = callsigns = surfaces = 0
    last = {}
    for i, row in enumerate(rows):
        reject = Reject(int(made.rejects[i]))
        if row["kind"] == "damaged":
            assert reject is Reject.BAD_CHECKSUM
            continue
        assert reject is Reject.OK, row
        here = read.take(read.frame == i)
        if row["kind"] == "surface":
            assert here.value[here.name == Name.GROUND_BIT].tolist() == [1.0]
            if placed:
                k = by_frame[i]
                assert metres(float(row["lat"]), float(row["lon"]), obs.lat[k], obs.lon[k]) < 1.5
                speed, track = float(row["speed_mps"]), radians(float(row["track_deg"]))
                assert obs.vel[k, :2] == pytest.approx(
                    [speed * sin(track), speed * cos(track)], abs=0.01
                )
                surfaces += 1
            continue
        if row["kind"] == "velocity":
            last[row["icao"]] = (times[i], row)
        if row["kind"] == "identity":
            assert f"callsign:{row['callsign']}" in made.idents.values()
            callsigns += 1
        if row["kind"] != "position":
            continue
        altitude = here.value[here.name == Name.PRESSURE_ALTITUDE]
        assert altitude.tolist() == pytest.approx([float(row["baro_alt_m"])], abs=0.01)
        if i not in by_frame:
            assert not placed
            continue
        k = by_frame[i]
        assert metres(float(row["lat"]), float(row["lon"]), obs.lat[k], obs.lon[k]) < 5.0
        checked += 1
        t, sent = last.pop(row["icao"], (-9.0, None))
        if times[i] - t <= 2.0:
            speed, track = float(sent["speed_mps"]), radians(float(sent["track_deg"]))
            assert obs.vel[k, 0] == pytest.approx(speed * sin(track), abs=0.01)
            assert obs.vel[k, 1] == pytest.approx(speed * cos(track), abs=0.01)
            assert obs.vel[k, 2] == pytest.approx(float(sent["climb_mps"]), abs=0.01)
            velocities += 1
        else:
            assert np.isnan(obs.vel[k]).all()
    sent = sum(r["kind"] == "position" for r in rows)
    assert checked == sent if placed else checked > 0.98 * sent
    assert velocities > 500
    assert callsigns > 50
    assert surfaces == (66 if placed else 0)
    assert (made.rejects == Reject.BAD_CHECKSUM).sum() == 25


def test_positions_are_not_paired_across_the_gap_in_the_recording():
    rows = [r for r in recording() if r["icao"] == "780a01" and r["kind"] == "position"]
    made = decode([r["frame"].encode() for r in rows], [float(r["t_s"]) for r in rows], UNPLACED)
    first = next(i for i, r in enumerate(rows) if float(r["t_s"]) >= 150)
    assert first not in made.observations.frame
    assert first + 1 in made.observations.frame


@pytest.mark.parametrize("table", [PLACED, UNPLACED], ids=["receiver known", "pairs"])
def test_the_recording_is_the_same_in_plain_python(table):
    rows = recording()
    assert_as_naive([r["frame"].encode() for r in rows], [float(r["t_s"]) for r in rows], table)


# --- against plain Python, cuts and noise --------------------------------------------------------


def corpus() -> tuple[list[bytes], list[float]]:
    """Squitters with random contents in all forms, and damaged ones, over five minutes."""
    rng = np.random.default_rng(1090)
    forms = list(FORMS.values())
    payloads = []
    for k in range(3_000):
        tc = int(rng.choice([0, 1, 2, 3, 4, 9, 11, 11, 13, 16, 18, 19, 19, 19, 20, 22, 28, 29, 31,
                             31, 5, 7, 8]))  # fmt: skip
        icao = int(rng.choice([ICAO, 0x780001, 0x780002, 0xFFFFFF]))
        me = tc << 51 | int(rng.integers(0, 1 << 51))
        if tc in (19, 28, 31):
            me = me & ~(7 << 48) | int(rng.integers(0, 5)) << 48
        df, ca = (17, 5) if rng.random() < 0.8 else (18, int(rng.integers(0, 8)))
        message = encode_squitter(icao, me, df=df, ca=ca)
        if rng.random() < 0.1:
            df = int(rng.choice([0, 4, 5, 11, 16, 20, 21]))
            code = 25 * int(rng.integers(2000)) if df not in (5, 21) else 1234
            message = encode_reply(df, icao, code, status=int(rng.integers(2)))
        elif rng.random() < 0.1:
            place = 39.1 + rng.normal() * 0.01, 117.3 + rng.normal() * 0.01
            message = encode_surface_position(
                icao, *place, float(rng.integers(180)), float(rng.integers(360)), bool(k & 1)
            )
        elif rng.random() < 0.4:
            place = 39.1 + rng.normal() * 0.3, 117.3 + rng.normal() * 0.3
            message = at(*place, 25.0 * int(rng.integers(0, 400)), bool(k & 1), icao)
        payload = bytearray(forms[k % len(forms)](message))
        if rng.random() < 0.15:
            payload[rng.integers(len(payload))] = rng.integers(256)
        if rng.random() < 0.05:
            del payload[rng.integers(len(payload)) :]
        payloads.append(bytes(payload))
    payloads += [rng.bytes(int(n)) for n in rng.integers(0, 40, 2_000)]
    return payloads, np.sort(rng.uniform(0, 300, len(payloads))).tolist()


@pytest.mark.parametrize("table", [PLACED, UNPLACED], ids=["receiver known", "pairs"])
def test_kernels_and_plain_python_agree(table):
    payloads, times = corpus()
    rows = [k // 7 % len(table.sensors) for k in range(len(payloads))]
    made = assert_as_naive(payloads, times, table, rows)
    assert np.isin(made.rejects, list(Reject)).all()
    assert len(made.observations) > 500
    assert len(made.readings) > 1_000
    assert (np.abs(made.observations.lat) <= 90).all()
    assert (np.abs(made.observations.lon) <= 180).all()


@pytest.mark.parametrize("size", [1, 64, "random"])
@pytest.mark.parametrize("table", [PLACED, UNPLACED], ids=["receiver known", "pairs"])
def test_how_polls_are_cut_changes_nothing(size, table):
    payloads, times = corpus()
    payloads, times = payloads[:1500], times[:1500]
    state = FMT.new_state()
    whole = decode(payloads, times, table, state)
    rest = FMT.finish(table, state)
    state, rng = FMT.new_state(), np.random.default_rng(7)
    parts, at_row = [], 0
    while at_row < len(payloads):
        n = int(rng.integers(1, 200)) if size == "random" else size
        cut = slice(at_row, at_row + n)
        part = decode(payloads[cut], times[cut], table, state)
        part.observations.frame[:] += at_row
        part.readings.frame[:] += at_row
        parts.append(part)
        at_row += n
    assert np.array_equal(np.concatenate([p.rejects for p in parts]), whole.rejects)
    for name in ("observations", "readings"):
        want = getattr(whole, name)
        got = type(want).concat([getattr(p, name) for p in parts])
        for column, _, _, _ in want.schema():
            one, two = getattr(got, column), getattr(want, column)
            assert np.array_equal(one, two, equal_nan=True), column
    again = FMT.finish(table, state)
    assert np.array_equal(again.readings.value, rest.readings.value)
    assert again.idents == rest.idents


@given(
    lat=st.floats(-85, 85), lon=st.floats(-180, 179.9), odd=st.booleans(), ft=st.integers(-39, 2000)
)
def test_a_position_round_trips_within_the_coding_step(lat, lon, odd, ft):
    table = SensorTable.of([Sensor("a", lat=min(lat + 0.4, 85), lon=lon)])
    made = decode([at(lat, lon, 25 * ft, odd, tc=20)], table=table)
    if max(abs(lat), abs(lon)) > 0.02:
        row = made.observations
        assert metres(lat, 0, row.lat[0], (row.lon[0] - lon + 180) % 360 - 180) < 5.0
        assert row.height[0] == pytest.approx(25 * ft * 0.3048)


@given(
    st.integers(-1021, 1021),
    st.integers(-1021, 1021),
    st.integers(-508, 508),
    st.integers(-125, 125),
)
def test_a_velocity_round_trips(ve, vn, climb, base):
    made = decode([encode_velocity(ICAO, ve, vn, 64 * climb, 25 * base), HERE])
    knots = made.observations.vel[0, :2] * 3600 / 1852
    assert knots == pytest.approx([ve, vn])
    assert made.observations.vel[0, 2] == pytest.approx(64 * climb * 0.3048 / 60)
    assert said(made)[0] == (Name.GEO_MINUS_BARO_M, pytest.approx(25 * base * 0.3048))


@given(st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=1, max_size=8))
def test_a_callsign_round_trips(callsign):
    made = decode([encode_identification(ICAO, callsign, "A3")])
    assert f"callsign:{callsign}" in made.idents.values()


def test_values_that_do_not_fit_are_refused_by_the_encoders():
    with pytest.raises(ValueError, match="25 ft"):
        at(39.0, 117.0, 60_000)
    with pytest.raises(ValueError, match="steps"):
        encode_velocity(ICAO, 1100, 0)
    with pytest.raises(ValueError, match="callsign"):
        encode_identification(ICAO, "ces5123")


def test_local_decoding_is_right_at_the_edges_of_zones():
    for lat in (38.999, 39.0, 39.001, -0.5, 0.5):
        raw = int.from_bytes(at(lat, 117.0)[4:11], "big")
        got = local(raw >> 17 & 0x1FFFF, raw & 0x1FFFF, 0, lat + 1.0, 118.0, AIR)
        assert got == pytest.approx((lat, 117.0), abs=5e-5)


def test_a_copy_of_the_state_goes_on_where_the_state_was():
    payloads, times = corpus()
    state = FMT.new_state()
    decode(payloads[:700], times[:700], UNPLACED, state)
    copy = pickle.loads(pickle.dumps(state))
    one, two = (decode(payloads[700:1400], times[700:1400], UNPLACED, s) for s in (state, copy))
    for column, _, _, _ in one.readings.schema():
        left, right = getattr(one.readings, column), getattr(two.readings, column)
        assert np.array_equal(left, right, equal_nan=True), column
    assert one.idents == two.idents
