import csv
import json
from itertools import pairwise
from math import isnan, nan
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ingest import naive_jt808
from tests.shared_data import shared
from v2x.frames import FrameBatch
from v2x.geodesy import undulation, wgs84_from_gcj02
from v2x.ingest.decoded import Decoded, Reject
from v2x.ingest.formats.jt808 import (
    FORMATS,
    encode_batch,
    encode_frame,
    encode_heartbeat,
    encode_position,
    position_body,
)
from v2x.ingest.jt808_encode import encode_authentication, encode_registration
from v2x.ingest.terminals import pseudonym
from v2x.ingest.timestamps import DAY, HOUR, SECOND, parse_iso
from v2x.observations import Flag, Kind, Observations, ident_of
from v2x.readings import Name, Readings
from v2x.sensors import Datum, Sensor, SensorTable

(FORMAT,) = FORMATS
SENSORS = SensorTable.of([Sensor("bus", "jt808"), Sensor("fine", "jt808", sd_m=1.5, sd_up_m=3.0)])
T = parse_iso("2026-11-24T02:11:12Z")
RECV = T + SECOND
PHONE = "13800138000"
EXTRAS = {0x01: (4128).to_bytes(4, "big"), 0x30: b"\x15", 0x31: b"\x0c"}
VECTOR_2013 = bytes.fromhex(
    "7e020000280138001380007d027d0100000000000c00030254fc2006fe9e70000301c8005a261124101112"
    "01040000102030011531010cad7e"
)
VECTOR_2019 = bytes.fromhex(
    "7e020040280100000000013800138000000100000000000c00030254fc2006fe9e70000301c8005a261124"
    "10111201040000102030011531010cee7e"
)


def decode(*payloads: bytes, recv=RECV, sensor=0, sensors=SENSORS, state=None) -> Decoded:
    n = len(payloads)
    recv = recv if isinstance(recv, list) else [recv] * n
    batch = FrameBatch.of("jt808", list(payloads), [sensor] * n, recv)
    return FORMAT.decode(batch, sensors, state or FORMAT.new_state())


def rejects(*payloads: bytes) -> list[Reject]:
    return [Reject(int(c)) for c in decode(*payloads).rejects]


def values(d: Decoded, name: Name) -> list[float]:
    return d.readings.value[d.readings.name == name].tolist()


def sample(**changes) -> bytes:
    at = dict(t_ns=T, lat=39.124, lon=117.35, amsl_m=3.0, speed_mps=45.6 / 3.6, heading_deg=90.0)
    return encode_position(PHONE, 1, **(at | changes))


def resealed(frame: bytes, at: int, new: bytes) -> bytes:
    """Frame with bytes of its unescaped form replaced and the check byte made right again."""
    plain = bytearray(naive_jt808.plain(frame)[:-1])
    plain[at : at + len(new)] = new
    check = 0
    for byte in plain:
        check ^= byte
    plain.append(check)
    return b"\x7e" + plain.replace(b"}", b"}\x01").replace(b"~", b"}\x02") + b"\x7e"


def same(a: Decoded, b: Decoded) -> None:
    for x, y in ((a.observations, b.observations), (a.readings, b.readings)):
        for name, *_ in x.schema():
            np.testing.assert_array_equal(getattr(x, name), getattr(y, name), name)
    np.testing.assert_array_equal(a.rejects, b.rejects)
    np.testing.assert_array_equal(a.amsl, b.amsl)
    assert a.idents == b.idents


def check_with_naive(payloads: list[bytes], recv: list[int], **known) -> Decoded:
    """Decode both ways and compare every column that the format fills."""
    got = decode(*payloads, recv=recv)
    want = [naive_jt808.decode(p, r, **known) for p, r in zip(payloads, recv, strict=True)]
    assert [Reject(int(c)).name for c in got.rejects] == [w.code.name for w in want]
    for rows, part in ((got.observations, "observations"), (got.readings, "readings")):
        flat = [(i, row) for i, w in enumerate(want) for row in getattr(w, part)]
        assert rows.frame.tolist() == [i for i, _ in flat]
        assert rows.recv_ns.tolist() == [recv[i] for i, _ in flat]
        for name in flat[0][1] if flat else ():
            column = got.amsl if name == "amsl" else getattr(rows, name)
            expected = np.array([row[name] for _, row in flat], np.float64)
            if name in ("ident", "ident2"):
                assert column.tolist() == [row.get(name, -1) for _, row in flat]
            elif name in ("t_ns", "flags", "name", "kind"):
                assert column.tolist() == [int(row[name]) for _, row in flat], name
            else:
                np.testing.assert_allclose(column, expected, rtol=1e-12, atol=1e-9, err_msg=name)
    in_range(got)
    return got


def in_range(d: Decoded) -> None:
    o, r = d.observations, d.readings
    assert (np.abs(o.lat) <= 90).all()
    assert (np.abs(o.lon) <= 180).all()
    assert (np.diff(o.frame) >= 0).all()
    assert (np.diff(r.frame) >= 0).all()
    assert np.isin(o.frame, np.flatnonzero(d.rejects == Reject.OK)).all()
    refused = ~np.isin(d.rejects, (Reject.OK, Reject.NOTHING_TO_OBSERVE))
    assert not np.isin(r.frame, np.flatnonzero(refused)).any()
    assert (o.cov[:, 0] * o.cov[:, 3] > o.cov[:, 1] ** 2).all()
    speed = np.hypot(o.vel[:, 0], o.vel[:, 1])
    assert not (speed > 140).any()
    assert (np.isnan(o.height) == np.isnan(o.cov[:, 5])).all()
    assert not (o.height > 9100).any()
    assert set(o.ident[o.ident >= 0].tolist()) <= set(d.idents)
    assert set(r.ident[r.ident >= 0].tolist()) <= set(d.idents)
    assert len(d.amsl) == len(o)


# What the standard and the vectors say


@pytest.mark.parametrize(
    ("frame", "serial", "edition"), [(VECTOR_2013, 0x7E7D, "2013"), (VECTOR_2019, 1, "2019")]
)
def test_encoder_gives_the_published_bytes(frame, serial, edition):
    made = encode_position(
        PHONE, serial, T, 39.124, 117.350, 3.0, 45.6 / 3.6, 90.0, edition=edition, extras=EXTRAS
    )
    assert made.hex() == frame.hex()


@pytest.mark.parametrize("frame", [VECTOR_2013, VECTOR_2019])
def test_vector_becomes_one_car_with_height_above_the_ellipsoid(frame):
    d = decode(frame)
    o = d.observations
    assert len(o) == 1
    assert (o.lat[0], o.lon[0], o.t_ns[0]) == (39.124, 117.35, T)
    assert o.height[0] == 3.0 + undulation([39.124], [117.35])[0]
    assert d.amsl.tolist() == [3.0]
    np.testing.assert_allclose(o.vel[0, :2], [45.6 / 3.6, 0], atol=1e-12)
    assert isnan(o.vel[0, 2])
    assert o.cov[0].tolist() == [25, 0, 0, 25, 0, 64]
    assert (o.kind[0], round(float(o.kind_conf[0]), 3)) == (4, 0.4)
    assert d.idents == {int(o.ident[0]): "808:13800138000"}
    assert o.flags[0] == Flag.SELF_REPORTED


def test_readings_of_a_position_are_alarm_status_fix_satellites_link_and_odometer():
    d = decode(VECTOR_2013)
    named = {Name(int(n)): v for n, v in zip(d.readings.name, d.readings.value, strict=True)}
    assert named == {
        Name.ALARM_BITS: 0, Name.STATUS_BITS: 0x000C0003, Name.FIX: 1, Name.GNSS_SATS: 12,
        Name.LINK_RSSI: 21, Name.ODOMETER_M: 412_800,
    }  # fmt: skip
    assert d.readings.lat.tolist() == [39.124] * 6


def test_heartbeat_is_a_reading_and_no_observation():
    d = decode(encode_heartbeat(PHONE, 7), encode_heartbeat(PHONE, 8, edition="2019"))
    assert d.rejects.tolist() == [Reject.NOTHING_TO_OBSERVE] * 2
    assert values(d, Name.HEARTBEAT) == [1.0, 1.0]
    assert set(d.readings.ident.tolist()) == {ident_of("808:13800138000")}


def test_phone_is_one_identity_in_both_headers():
    d = decode(VECTOR_2013, VECTOR_2019)
    assert len(set(d.observations.ident.tolist())) == 1


def test_columns_that_the_format_never_fills_are_blank():
    o = decode(VECTOR_2013).observations
    blank = Observations.blank(1)
    filled = {"frame", "t_ns", "recv_ns", "sensor", "ident", "kind", "kind_conf", "lat", "lon",
              "height", "cov", "vel", "vel_sd", "flags"}  # fmt: skip
    for name, dtype, shape, _ in Observations.schema():
        column = getattr(o, name)
        assert column.dtype == dtype
        assert column.shape == (1, *shape)
        assert column.flags.writeable
        if name not in filled:
            np.testing.assert_array_equal(column, getattr(blank, name), name)
    for name, dtype, _, _ in Readings.schema():
        assert getattr(decode(VECTOR_2013).readings, name).dtype == dtype


def test_noise_of_the_sensor_replaces_the_default():
    assert decode(VECTOR_2013, sensor=1).observations.cov[0].tolist() == [2.25, 0, 0, 2.25, 0, 9]


def test_only_heartbeats_are_not_told_apart_by_their_bytes():
    assert FORMAT.timed(VECTOR_2013)
    assert not FORMAT.timed(encode_heartbeat(PHONE, 7))


# Recordings


def table(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(shared(name).read_text().splitlines()))


def recorded(name: str) -> list[bytes]:
    return [bytes.fromhex(line) for line in shared(name).read_text().split()]


@pytest.mark.parametrize(
    ("frames", "positions"),
    [
        ("jt808/frames.hex", "jt808/positions.csv"),
        ("jt808/made_2019.hex", "jt808/made_2019_positions.csv"),
    ],
)
def test_every_recorded_position_is_read_as_the_reference_reads_it(frames, positions):
    payloads = recorded(frames)
    rows = table(positions)
    d = decode(*payloads, recv=parse_iso("2026-01-01T00:00:00Z"))
    o, r = d.observations, d.readings
    fixed = [row for row in rows if row["fix"] == "1"]
    assert o.frame.tolist() == [int(row["line"]) - 1 for row in fixed]
    alarms = r.take(r.name == Name.ALARM_BITS)
    assert alarms.frame.tolist() == [int(row["line"]) - 1 for row in rows]
    assert alarms.value.tolist() == [int(row["alarm_hex"], 16) for row in rows]
    assert values(d, Name.STATUS_BITS) == [int(row["status_hex"], 16) for row in rows]
    assert values(d, Name.FIX) == [float(row["fix"]) for row in rows]
    assert alarms.t_ns.tolist() == [parse_iso(row["t_utc"]) for row in rows]
    assert values(d, Name.GNSS_SATS) == [float(r["satellites"]) for r in rows if r["satellites"]]
    np.testing.assert_allclose(
        values(d, Name.ODOMETER_M), [float(r["mileage_km"]) * 1e3 for r in rows if r["mileage_km"]]
    )
    assert o.lat.tolist() == [float(row["lat"]) for row in fixed]
    assert o.lon.tolist() == [float(row["lon"]) for row in fixed]
    altitude = np.array([float(row["altitude_m"]) or nan for row in fixed])
    np.testing.assert_array_equal(d.amsl, altitude)
    speed = np.array([float(row["speed_mps"]) for row in fixed])
    turn = np.radians([float(row["direction_deg"]) for row in fixed])
    np.testing.assert_allclose(o.vel[:, 0], speed * np.sin(turn), atol=1e-4)
    np.testing.assert_allclose(o.vel[:, 1], speed * np.cos(turn), atol=1e-4)


def test_every_recorded_header_is_read_as_the_reference_reads_it():
    payloads = recorded("jt808/frames.hex")
    rows = table("jt808/frames.csv")
    d = decode(*payloads)
    said = set()
    for i, row in enumerate(rows):
        code = Reject(int(d.rejects[i]))
        if int(row["message"], 16) not in (*naive_jt808.SIGNS_OF_LIFE, 0x0200, 0x0704):
            assert code is Reject.UNKNOWN_MESSAGE
            continue
        if row["split"] == "1":  # two of them are the parts of one message
            assert code is (Reject.NOTHING_TO_OBSERVE if row["line"] == "73" else Reject.FRAGMENT)
            continue
        assert code in (Reject.OK, Reject.NOTHING_TO_OBSERVE)
        mine = d.readings.take(d.readings.frame == i)
        assert {d.idents[k] for k in mine.ident.tolist()} == {"808:" + row["phone"].lstrip("0")}
        flags = d.observations.flags[d.observations.frame == i]
        assert ((flags & Flag.CHECKSUM_BAD == 0) == (row["xor_ok"] == "1")).all()
        wrong = row["declared_body_bytes"] != row["body_bytes"]
        assert ((flags & Flag.LENGTH_BAD != 0) == wrong).all()
        said.add(row["message"])
    assert {"0x0002", "0x0100", "0x0102", "0x0200", "0x0201", "0x0500", "0x0702", "0x0704"} < said
    assert "0x0801" not in said  # all of them are parts without the others


@pytest.mark.parametrize("frames", ["jt808/frames.hex", "jt808/made_2019.hex"])
def test_kernels_equal_the_naive_twin_on_recordings(frames):
    payloads = [
        p for p in recorded(frames) if naive_jt808.decode(p, RECV).code is not Reject.FRAGMENT
    ]
    check_with_naive(payloads, [RECV] * len(payloads))


def test_batch_whose_second_length_lies_gives_one_position_and_invents_none():
    frame = recorded("jt808/frames.hex")[59]
    d = decode(frame)
    assert d.observations.lat.tolist() == [23.417058]
    assert d.observations.flags[0] & Flag.LENGTH_BAD
    assert values(d, Name.ALARM_BITS) == [0.0]
    assert d.counts["batch_lengths_bad"] == 1


# Envelope


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"", Reject.SHORT),
        (b"\x7e", Reject.SHORT),
        (b"\x7e\x7e", Reject.SHORT),
        (b"(01234567890BR00)", Reject.BAD_MAGIC),
        (b"\xe7" + VECTOR_2013[1:], Reject.BAD_MAGIC),
        (VECTOR_2013[1:], Reject.BAD_MAGIC),
        (VECTOR_2013[:-1], Reject.BAD_MAGIC),
        (VECTOR_2013 + b"\r", Reject.BAD_MAGIC),
        (VECTOR_2013 * 2, Reject.BAD_ESCAPE),
        (VECTOR_2013[:20] + b"\x7d\x03" + VECTOR_2013[22:], Reject.BAD_ESCAPE),
        (VECTOR_2013[:-1] + b"\x7d\x7e", Reject.BAD_ESCAPE),
        (encode_frame(0x0200, PHONE, 1, bytes(27)), Reject.SHORT),
        (encode_frame(0x0704, PHONE, 1, b"\x00\x01"), Reject.SHORT),
        (encode_frame(0x0704, PHONE, 1, b"\x00\x01\x00\x00\x00"), Reject.BAD_LENGTH),
        (encode_frame(0x0704, PHONE, 1, b"\x00\x00\x00"), Reject.NOTHING_TO_OBSERVE),
        (encode_frame(0x0801, PHONE, 1, bytes(40)), Reject.NOTHING_TO_OBSERVE),
        (encode_frame(0x8001, PHONE, 1, bytes(5)), Reject.UNKNOWN_MESSAGE),
        (encode_frame(0x0091, PHONE, 1, bytes(5)), Reject.UNKNOWN_MESSAGE),
        (encode_frame(0x1FFF, PHONE, 1, bytes(5)), Reject.UNKNOWN_MESSAGE),
        (resealed(VECTOR_2013, 2, b"\x24"), Reject.ENCRYPTED),
        (resealed(VECTOR_2013, 2, b"\x20"), Reject.FRAGMENT),
        (resealed(VECTOR_2013, 0, b"\x08\x01\x20"), Reject.FRAGMENT),
        (resealed(VECTOR_2013, 0, b"\x80\x01\x20"), Reject.UNKNOWN_MESSAGE),
    ],
)
def test_frames_that_cannot_be_read_are_refused_by_name(payload, code):
    assert rejects(payload) == [code]


def test_frames_of_another_kind_are_counted_by_their_first_byte():
    d = decode(b"\xe7" + VECTOR_2013[1:], b"(A)", b"(B)")
    assert d.counts == {"first_byte_0xe7": 1, "first_byte_0x28": 2}


def test_escapes_are_undone_once_from_left_to_right():
    # 7D 01 02 on the wire is 7D 02 in the body; a second pass would make it 7E.
    body = position_body(T, 39.124, 117.35, 3, 0, 0, extras={0x01: b"\x7d\x02\x7e\x7d"})
    d = decode(encode_frame(0x0200, PHONE, 1, body))
    assert values(d, Name.ODOMETER_M) == [0x7D027E7D * 100.0]
    assert d.observations.flags[0] == Flag.SELF_REPORTED


def test_wrong_check_byte_is_decoded_and_flagged():
    frame = bytearray(VECTOR_2013)
    frame[-2] ^= 0x11
    o = decode(bytes(frame)).observations
    assert o.flags[0] == Flag.SELF_REPORTED | Flag.CHECKSUM_BAD
    assert o.lat[0] == 39.124


@pytest.mark.parametrize("declared", [0, 39, 41, 1023])
def test_wrong_declared_length_is_decoded_to_the_end_and_flagged(declared):
    d = decode(resealed(VECTOR_2013, 2, declared.to_bytes(2, "big")))
    assert d.observations.flags[0] == Flag.SELF_REPORTED | Flag.LENGTH_BAD
    assert values(d, Name.GNSS_SATS) == [12]


# Content


def test_not_fixed_gives_no_observation_but_its_alarm():
    d = decode(sample(status=0x1, alarm=1))
    assert len(d.observations) == 0
    assert d.rejects.tolist() == [Reject.NOTHING_TO_OBSERVE]
    assert values(d, Name.ALARM_BITS) == [1.0]
    assert np.isnan(d.readings.lat).all()


@pytest.mark.parametrize(("lat", "lon"), [(0, 0), (0.0099, -0.0099), (1e-6, 0)])
def test_no_fix_encoders_near_zero_zero_give_no_position(lat, lon):
    d = decode(sample(lat=lat, lon=lon, alarm=1))
    assert len(d.observations) == 0
    assert values(d, Name.ALARM_BITS) == [1.0]
    assert d.counts["position_near_zero"] == 1


def test_the_equator_and_greenwich_are_places():
    d = decode(sample(lat=0.0, lon=10.0), sample(lat=51.5, lon=0.0))
    assert d.observations.lat.tolist() == [0.0, 51.5]


def test_position_off_the_globe_is_counted_and_keeps_its_alarm_if_the_check_byte_is_right():
    frame = sample(lat=139.0, lon=39.0, alarm=1)
    d = decode(frame)
    assert d.rejects.tolist() == [Reject.NOTHING_TO_OBSERVE]
    assert values(d, Name.ALARM_BITS) == [1.0]
    assert d.counts["position_off_globe"] == 1
    broken = bytearray(frame)
    broken[-2] ^= 0x11
    assert rejects(bytes(broken)) == [Reject.VALUE_RANGE]


@pytest.mark.parametrize(("lat", "lon"), [(39.1, 117.2), (-33.9, 151.2), (40.7, -74.0), (-23, -46)])
def test_south_and_west_bits_sign_the_coordinates(lat, lon):
    o = decode(sample(lat=lat, lon=lon)).observations
    assert (o.lat[0], o.lon[0]) == (lat, lon)


def test_longitude_sent_first_is_swapped_only_into_china_and_flagged():
    o = decode(sample(lat=117.35, lon=39.124), sample(lat=69.6, lon=18.9)).observations
    assert o.lat.tolist() == [39.124, 69.6]
    assert (o.flags & Flag.ORDER_GUESSED != 0).tolist() == [True, False]


def test_shifted_datum_is_converted_unless_the_whole_sensor_is():
    frame = sample(status=0x23)
    o = decode(frame).observations
    want = wgs84_from_gcj02([39.124], [117.35])
    assert (o.lat[0], o.lon[0]) == (want[0][0], want[1][0])
    assert o.flags[0] & Flag.DATUM_CONVERTED
    table = SensorTable.of([Sensor("map", "jt808", datum=Datum.GCJ02)])
    kept = decode(frame, sensors=table).observations
    assert (kept.lat[0], kept.lon[0]) == (39.124, 117.35)
    assert not kept.flags[0] & Flag.DATUM_CONVERTED


@pytest.mark.parametrize("amsl_m", [0.0, 9001.0, 65535.0])
def test_altitude_zero_and_above_all_roads_is_not_measured(amsl_m):
    d = decode(sample(amsl_m=amsl_m))
    assert isnan(d.observations.height[0])
    assert isnan(d.observations.cov[0, 5])
    assert isnan(d.amsl[0])
    assert not d.observations.flags[0] & Flag.DATUM_UNCERTAIN


def test_altitude_outside_the_geoid_table_has_no_ellipsoid_height():
    d = decode(sample(lat=22.5, lon=113.9))
    assert isnan(d.observations.height[0])
    assert d.observations.flags[0] & Flag.DATUM_UNCERTAIN
    assert d.amsl.tolist() == [3.0]


@pytest.mark.parametrize(
    ("speed", "direction", "vel"),
    [
        (0, 0xFFFF, (0, 0)),
        (17, 361, (0, 0)),
        (18, 361, (nan, nan)),
        (0xFFFF, 90, (nan, nan)),
        (36, 360, (0, 1)),
        (5000, 0, (0, 138.8888888888889)),
    ],
)
def test_velocity_needs_a_direction_unless_it_stands(speed, direction, vel):
    words = speed.to_bytes(2, "big") + direction.to_bytes(2, "big")
    o = decode(resealed(VECTOR_2013, 12 + 18, words)).observations
    np.testing.assert_allclose(o.vel[0, :2], vel, atol=1e-12)
    assert isnan(o.vel_sd[0]) == isnan(vel[0])


def test_unknown_items_are_skipped_by_length_and_counted():
    d = decode(sample(extras={0x25: bytes(4), 0xEB: bytes(200), 0x30: b"\x05"}))
    assert values(d, Name.LINK_RSSI) == [5.0]
    assert d.counts == {"unknown_item_0x25": 1, "unknown_item_0xeb": 1}


def test_item_that_runs_over_the_end_ends_the_items_and_keeps_the_position():
    body = position_body(T, 39.124, 117.35, 3, 0, 0, extras={0x31: b"\x09"}) + b"\x30\x09\x01"
    d = decode(encode_frame(0x0200, PHONE, 1, body))
    assert values(d, Name.GNSS_SATS) == [9.0]
    assert len(d.observations) == 1
    assert d.counts == {"cut_item": 1}


# Time (a wild clock is never "latest")


@pytest.mark.parametrize(
    ("t", "suspect"),
    [
        (RECV + 2 * SECOND, False),
        (RECV + 3 * SECOND, True),
        (RECV + HOUR, True),
        (RECV - DAY, False),
        (RECV - DAY - SECOND, True),
        (parse_iso("2037-01-01T00:00:00Z"), True),
        (parse_iso("2000-01-01T00:00:00Z") - 8 * HOUR, True),
    ],
)
def test_time_far_from_arrival_is_flagged_and_its_offset_read(t, suspect):
    if t < parse_iso("2000-01-01T00:00:00Z"):
        frame = resealed(VECTOR_2013, 12 + 22, bytes.fromhex("000101000000"))
    else:
        frame = sample(t_ns=t)
    d = decode(frame)
    assert d.observations.t_ns.tolist() == [t]
    assert bool(d.observations.flags[0] & Flag.TIME_SUSPECT) is suspect
    told = suspect or RECV - t > 600 * SECOND
    want = [pytest.approx((t - RECV) / SECOND)] if told else []
    assert values(d, Name.CLOCK_OFFSET_S) == want


@pytest.mark.parametrize(
    "bcd",
    ["000000000000", "2a1124101112", "261324101112", "260230101112", "261124241112",
     "261124106012", "261124101161", "ffffffffffff", "250229000000"],
)  # fmt: skip
def test_time_that_is_no_time_comes_from_arrival(bcd):
    o = decode(resealed(VECTOR_2013, 12 + 22, bytes.fromhex(bcd))).observations
    assert o.t_ns.tolist() == [RECV]
    assert o.flags[0] == Flag.SELF_REPORTED | Flag.TIME_FROM_ARRIVAL


def test_leap_day_and_leap_second_are_times():
    d = decode(
        resealed(VECTOR_2013, 12 + 22, bytes.fromhex("240229000000")),
        resealed(VECTOR_2013, 12 + 22, bytes.fromhex("170101075960")),
    )
    want = [parse_iso("2024-02-28T16:00:00Z"), parse_iso("2017-01-01T00:00:00Z")]
    assert d.observations.t_ns.tolist() == want


def test_phone_with_a_bad_digit_or_all_zero_is_nobody():
    d = decode(resealed(VECTOR_2013, 4, b"\x0a"), encode_position("0", 1, T, 39.1, 117.3, 3, 0, 0))
    assert d.observations.ident.tolist() == [-1, -1]
    assert d.idents == {}


@pytest.mark.parametrize(
    ("late_s", "suspect"),
    [(8 * 3600, True), (8 * 3600 + 59, True), (8 * 3600 - 60, True), (8 * 3600 + 90, False),
     (14 * 3600, True), (15 * 3600, False), (3600, True), (3000, False), (601, False),
     (600, False), (1, False)],
)  # fmt: skip
def test_a_clock_that_is_whole_hours_behind_is_suspect_unless_the_position_was_stored(
    late_s, suspect
):
    recv = T + late_s * SECOND
    live = decode(sample(t_ns=T), recv=recv)
    assert bool(live.observations.flags[0] & Flag.TIME_SUSPECT) is suspect
    assert values(live, Name.CLOCK_OFFSET_S) == ([-late_s] if late_s > 600 else [])
    stored = decode(encode_batch(PHONE, 1, [position_body(T, 39.1, 117.3, 3, 5, 10)]), recv=recv)
    assert not stored.observations.flags[0] & Flag.TIME_SUSPECT
    assert values(stored, Name.CLOCK_OFFSET_S) == []


def test_the_age_of_a_stored_position_is_no_clock_offset():
    old = encode_batch(PHONE, 1, [position_body(T - 3 * DAY, 39.1, 117.3, 3, 5, 10)])
    ahead = encode_batch(PHONE, 1, [position_body(T + 3 * DAY, 39.1, 117.3, 3, 5, 10)])
    d = decode(old, ahead)
    assert (d.observations.flags & Flag.TIME_SUSPECT != 0).all()
    assert values(d, Name.CLOCK_OFFSET_S) == [pytest.approx(3 * 86400 - 1)]


# Signs of life and texts


def registration(edition: str, plate: str = "津A12345", **changes) -> bytes:
    said = dict(maker="70111", model="KT-800", terminal="0000123", colour=1, plate=plate)
    return encode_registration(PHONE, 7, **(said | changes), edition=edition)


def named(d: Decoded) -> dict[Name, str | None]:
    return {
        Name(int(n)): d.idents.get(int(i)) if i >= 0 else None
        for n, i in zip(d.readings.name, d.readings.ident2, strict=True)
    }


@pytest.mark.parametrize("edition", ["2011", "2013", "2019"])
def test_registration_tells_maker_model_and_the_pseudonym_of_the_plate(edition):
    d = check_with_naive([registration(edition)], [RECV])
    said = named(d)
    assert said[Name.HEARTBEAT] is None
    assert said[Name.TERMINAL_MAKER] == "maker:70111"
    assert said[Name.TERMINAL_MODEL] == "model:KT-800"
    assert values(d, Name.TERMINAL_REGISTERED) == [1.0]
    assert said[Name.TERMINAL_REGISTERED] == pseudonym("plate", "津A12345")
    assert "12345" not in "".join(d.idents.values()).replace("808:13800138000", "")


def test_a_plate_has_one_pseudonym_however_it_is_padded():
    assert pseudonym("plate", "津a12345") == pseudonym("plate", " 津A12345\0\0")
    assert pseudonym("plate", "津A12345") != pseudonym("plate", "津A12346")
    assert pseudonym("plate", "津A12345") != pseudonym("vin", "津A12345").replace("vin", "plate")
    assert pseudonym("plate", "\0 ") == pseudonym("plate", "-") == ""


def test_registration_of_a_vehicle_without_a_plate_still_says_its_model():
    said = named(decode(registration("2013", plate="", colour=0)))
    assert said[Name.TERMINAL_REGISTERED] is None
    assert said[Name.TERMINAL_MODEL] == "model:KT-800"


def test_authentication_tells_the_version_and_never_the_code():
    late = encode_authentication(
        PHONE, 1, "secret", imei="861234567890123", version="1.2.0", edition="2019"
    )
    d = check_with_naive([late, encode_authentication(PHONE, 2, "secret")], [RECV] * 2)
    assert "version:1.2.0" in d.idents.values()
    assert not any("secret" in text for text in d.idents.values())
    assert values(d, Name.HEARTBEAT) == [1.0, 1.0]


def test_texts_stand_with_their_frames():
    frames = [VECTOR_2013, registration("2013"), encode_heartbeat(PHONE, 1), registration("2019")]
    d = check_with_naive(frames, [RECV] * 4)
    assert (np.diff(d.readings.frame) >= 0).all()
    assert np.bincount(d.readings.frame).tolist() == [6, 4, 1, 4]


def test_fleet_table_says_what_a_terminal_is():
    table = SensorTable.of(
        [Sensor("bus", "jt808")], {"808:13800138000": Kind.BUS, "808:7": Kind.TRUCK}
    )
    other = encode_position("13800138001", 1, T, 39.1, 117.3, 3, 0, 0)
    nobody = resealed(VECTOR_2013, 4, b"\x0a")
    o = decode(
        other, VECTOR_2013, nobody, sample(status=0), VECTOR_2019, sensors=table
    ).observations
    assert o.kind.tolist() == [Kind.CAR, Kind.BUS, Kind.CAR, Kind.BUS]
    assert o.kind_conf.tolist() == pytest.approx([0.4, 0.9, 0.4, 0.9])


def test_decode_command_shows_the_header_and_unread_items():
    said = FORMAT.extra(sample(extras={0x25: b"\0\0\0\7", 0x30: b"\5"}))
    assert said == {
        "message": "0x0200", "serial": 1, "edition": "2013", "items": {"0x25": "00000007"}
    }  # fmt: skip
    rng = np.random.default_rng(5)
    for frame in [*good_frames(), *(rng.bytes(int(rng.integers(0, 60))) for _ in range(300))]:
        for cut in range(0, len(frame) + 1, 7):
            json.dumps(FORMAT.extra(frame[:cut]))
            json.dumps(FORMAT.extra(b"\x7e" + frame[1:cut] + b"\x7e"))


# Batches


def bodies(n: int, **changes) -> list[bytes]:
    at = dict(amsl_m=3, speed_mps=5, heading_deg=10)
    return [
        position_body(T - (n - k) * 60 * SECOND, 39.1 + k / 100, 117.3, **(at | changes))
        for k in range(n)
    ]


@pytest.mark.parametrize("backlog", [True, False])
def test_stored_positions_are_marked_as_backlog(backlog):
    o = decode(encode_batch(PHONE, 1, bodies(5), backlog=backlog)).observations
    assert len(o) == 5
    assert ((o.flags & Flag.BACKLOG != 0) == backlog).all()
    assert (np.diff(o.t_ns) == 60 * SECOND).all()


def test_every_item_of_a_batch_has_its_alarm_word_fixed_or_not():
    items = [*bodies(2, alarm=1), *bodies(1, alarm=2, status=0)]
    d = decode(encode_batch(PHONE, 1, items))
    assert values(d, Name.ALARM_BITS) == [1.0, 1.0, 2.0]
    assert len(d.observations) == 2


@pytest.mark.parametrize("count", [1, 4, 65535])
def test_batch_with_a_wrong_count_gives_the_items_that_are_there(count):
    frame = resealed(encode_batch(PHONE, 1, bodies(3)), 12, count.to_bytes(2, "big"))
    d = decode(frame)
    assert len(d.observations) == 3
    assert (d.observations.flags & Flag.LENGTH_BAD != 0).all()


@pytest.mark.parametrize("length", [0, 27, 29, 60, 65535])
@pytest.mark.parametrize("which", [0, 1, 2])
def test_batch_with_a_lying_item_length_gives_all_its_items(length, which):
    extras = {0x01: (4128).to_bytes(4, "big")}
    frame = encode_batch(PHONE, 1, bodies(3, extras=extras))
    d = decode(resealed(frame, 15 + 36 * which, length.to_bytes(2, "big")))
    assert d.observations.lat.tolist() == [39.1, 39.11, 39.12]
    assert (d.observations.flags & Flag.LENGTH_BAD != 0).all()
    assert values(d, Name.ALARM_BITS) == [0.0] * 3
    assert set(values(d, Name.ODOMETER_M)) == {412_800.0}


def test_what_follows_lost_bytes_of_a_batch_is_searched_for_and_counted():
    frame = encode_batch(PHONE, 1, bodies(4))
    plain = naive_jt808.plain(frame)
    cut = plain[12 : 15 + 30 + 10] + plain[15 + 30 + 13 : -1]  # the second position lost 3 bytes
    d = check_with_naive([encode_frame(0x0704, PHONE, 1, cut)], [RECV])
    assert d.observations.lat.tolist() == [39.1, 39.12, 39.13]
    assert d.counts["batch_item_found"] == 1


def test_a_position_of_another_day_is_not_searched_out_of_a_broken_batch():
    items = bodies(3)
    items[2] = position_body(T - 40 * DAY, 39.1, 117.3, 3, 5, 10)
    broken = (
        (3).to_bytes(2, "big") + b"\1" + b"\0\x1c" + items[0] + b"\0" * 7 + b"\0\x1c" + items[2]
    )
    d = check_with_naive([encode_frame(0x0704, PHONE, 1, broken)], [RECV])
    assert d.observations.lat.tolist() == [39.1]


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_damage_to_a_batch_equals_the_naive_twin(data):
    extras = {0x01: b"\0\0\x10\x20", 0x31: b"\x09"} if data.draw(st.booleans()) else None
    frame = encode_batch(PHONE, 1, bodies(data.draw(st.integers(1, 5)), extras=extras))
    body = bytearray(naive_jt808.plain(frame)[12:-1])
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(body) - 1))
        how = data.draw(st.sampled_from(["cut", "add", "change"]))
        if how == "cut":
            del body[at : at + data.draw(st.integers(1, 5))]
        elif how == "add":
            body[at:at] = data.draw(st.binary(min_size=1, max_size=5))
        else:
            body[at : at + 2] = data.draw(st.binary(min_size=2, max_size=2))
        if not body:
            return
    check_with_naive([encode_frame(0x0704, PHONE, 1, bytes(body))], [RECV])


# Every cut, every flip, any noise


def good_frames() -> list[bytes]:
    return [
        VECTOR_2013, VECTOR_2019, encode_batch(PHONE, 3, bodies(3)), encode_heartbeat("9", 1),
        registration("2011"), registration("2013"), registration("2019"),
        encode_authentication(PHONE, 1, "secret", imei="861234567890123", version="1.2.0",
                              edition="2019"),
    ]  # fmt: skip


def test_every_truncation_is_refused_by_name():
    for frame in good_frames():
        cuts = [frame[:k] for k in range(len(frame))]
        assert set(rejects(*cuts)) <= {Reject.SHORT, Reject.BAD_MAGIC}


def test_every_truncation_between_the_marks_equals_the_naive_twin():
    for frame in good_frames():
        inner = naive_jt808.plain(frame)
        cuts = []
        for k in range(len(inner)):
            short = inner[:k].replace(b"}", b"}\x01").replace(b"~", b"}\x02")
            cuts.append(b"\x7e" + short + b"\x7e")
        check_with_naive(cuts, [RECV] * len(cuts))


def test_every_single_bit_flip_equals_the_naive_twin():
    for frame in good_frames():
        flips = []
        for k in range(len(frame) * 8):
            flipped = bytearray(frame)
            flipped[k // 8] ^= 1 << k % 8
            flips.append(bytes(flipped))
        check_with_naive(flips, [RECV] * len(flips))


def test_noise_equals_the_naive_twin():
    rng = np.random.default_rng(808)
    heads = [b"", b"\x7e", b"\x7e\x02\x00", b"\x7e\x07\x04\x00", b"\x7e\x02\x00\x40\x28"]
    payloads = [
        heads[k % 5] + rng.bytes(int(rng.integers(0, 160))) + (b"\x7e" if k % 3 else b"")
        for k in range(2000)
    ]
    check_with_naive(payloads, [RECV] * len(payloads))


def test_how_a_poll_is_cut_changes_no_row():
    rng = np.random.default_rng(1)
    frames = [
        encode_position(str(13800000000 + k % 40), k, T + k * SECOND, 39 + k / 1000, 117, 3, 5, k,
                        extras=EXTRAS) for k in range(200)
    ]  # fmt: skip
    frames[50:50] = [encode_batch(PHONE, 1, bodies(3)), b"junk", encode_heartbeat("5", 1)]
    recv = [T + k * SECOND for k in range(len(frames))]
    whole = decode(*frames, recv=recv)
    random_cuts = sorted({0, len(frames), *rng.integers(0, len(frames), 9).tolist()})
    for cuts in (
        list(range(len(frames) + 1)), [*range(0, len(frames), 64), len(frames)], random_cuts
    ):  # fmt: skip
        state, parts = FORMAT.new_state(), []
        for a, b in pairwise(cuts):
            d = decode(*frames[a:b], recv=recv[a:b], state=state)
            d.observations.frame[:] += a
            d.readings.frame[:] += a
            parts.append(d)
        idents = {}
        for d in parts:
            idents |= d.idents
        same(whole, Decoded(
            Observations.concat([d.observations for d in parts]),
            Readings.concat([d.readings for d in parts]),
            np.concatenate([d.rejects for d in parts]), idents,
            np.concatenate([d.amsl for d in parts]),
        ))  # fmt: skip
    assert len(FORMAT.finish(SENSORS, FORMAT.new_state()).observations) == 0


def test_a_fleet_larger_than_the_memo_keeps_its_identities():
    state = FORMAT.new_state()
    for start in range(0, 9000, 3000):
        frames = [encode_heartbeat(str(10**10 + start + k), k) for k in range(3000)]
        d = decode(*frames, state=state)
        want = [ident_of(f"808:{10**10 + start + k}") for k in range(3000)]
        assert d.readings.ident.tolist() == want
        assert len(d.idents) == 3000


@settings(max_examples=150, deadline=None)
@given(
    phone=st.integers(1, 10**12 - 1),
    serial=st.integers(0, 0xFFFF),
    second=st.integers(0, 86400 * 20),
    lat=st.integers(-90_000_000, 90_000_000),
    lon=st.integers(-180_000_000, 180_000_000),
    amsl=st.integers(0, 9000),
    speed=st.integers(0, 5000),
    heading=st.integers(0, 359),
    status=st.integers(0, 0xFFFFFFFF),
    alarm=st.integers(0, 0xFFFFFFFF),
    edition=st.sampled_from(["2011", "2013", "2019"]),
)
def test_what_is_encoded_comes_back(
    phone, serial, second, lat, lon, amsl, speed, heading, status, alarm, edition
):
    frame = encode_position(
        str(phone), serial, T - second * SECOND, lat / 1e6, lon / 1e6, amsl, speed / 36, heading,
        status=status, alarm=alarm, edition=edition, extras=EXTRAS,
    )  # fmt: skip
    d = check_with_naive([frame], [RECV])
    assert d.readings.ident[0] == ident_of(f"808:{phone}")
    assert values(d, Name.ALARM_BITS) == [alarm]
    for o in d.observations.take(d.observations.flags & Flag.DATUM_CONVERTED == 0).lat:
        assert o in (lat / 1e6, lon / 1e6)


def test_samples_say_what_they_give():
    samples = json.loads((Path(__file__).parent / "samples" / "jt808.json").read_text())
    for s in samples:
        table = SensorTable.of([Sensor("s", "jt808", **s.get("sensor", {}))])
        d = decode(bytes.fromhex(s["hex"]), recv=parse_iso(s["recv"]), sensors=table)
        assert len(d.observations) == s["observations"]
        assert len(d.readings) == s["readings"]
        assert Reject(int(d.rejects[0])).name == s["reject"]
