from math import isnan, nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ingest.naive_terminals import decode_gbt32960
from v2x.frames import FrameBatch
from v2x.geodesy import wgs84_from_gcj02
from v2x.ingest.decoded import Decoded, Reject
from v2x.ingest.formats.gbt32960 import (
    FORMATS,
    encode_frame,
    encode_report,
    encode_time,
    position_block,
    vehicle_block,
)
from v2x.ingest.gbt32960_blocks import CutBlockError, UnknownBlockError, blocks
from v2x.ingest.terminals import pseudonym
from v2x.ingest.timestamps import DAY, HOUR, SECOND, parse_iso
from v2x.observations import Flag, Kind
from v2x.readings import Name
from v2x.sensors import Datum, Sensor, SensorTable

(FORMAT,) = FORMATS
SENSORS = SensorTable.of([Sensor("cars", "gbt32960")])
T = parse_iso("2026-11-24T02:11:12Z")
RECV = T + SECOND
VIN = "LTPSBTESTVEHICLE1"
EDITIONS = pytest.mark.parametrize("edition", [2016, 2025])

# A block of every kind whose length is not fixed, with how many bytes it has; contents are counted
# up so that a length taken from the wrong place is another one.
MANY = {
    2016: {
        0x02: b"\2" + bytes(range(24)),
        0x03: bytes(6) + b"\0\3" + bytes(13),
        0x04: bytes(5),
        0x06: bytes(range(14)),
        0x07: b"\2" + b"\0\0\1\4" + b"\1" + bytes(4) + b"\0" + b"\2" + bytes(8) + b"\0",
        0x08: b"\2" + (bytes(9) + b"\3" + bytes(6)) + (bytes(9) + b"\1" + bytes(2)),
        0x09: b"\2" + b"\1\0\3" + bytes(3) + b"\2\0\0",
        0x80: b"\0\5" + bytes(5),
        0xFE: b"\0\0",
        0x01: vehicle_block(12.5, 41e6, 0.8)[1:],
        0x05: position_block(39.124, 117.35)[1:],
    },
    2025: {
        0x02: b"\2" + bytes(range(20)),
        0x03: bytes(range(12)),
        0x04: bytes(2),
        0x06: b"\2" + b"\0\0\1\4" + b"\1" + bytes(4) + b"\0\0\0" + b"\2" + bytes(4),
        0x07: b"\2" + (bytes(5) + b"\0\3" + bytes(6)) + (bytes(5) + b"\0\0"),
        0x08: b"\2" + b"\1\0\3" + bytes(3) + b"\2\0\0",
        0x30: b"\2" + (bytes(10) + b"\0\2" + bytes(2)) + (bytes(10) + b"\0\0"),
        0x31: bytes(5) + b"\0\2" + bytes(4) + b"\0\3" + bytes(3),
        0x32: bytes(range(18)),
        0x83: b"\0\5" + bytes(5),
        0x01: vehicle_block(12.5, 41e6, 0.8, edition=2025)[1:],
        0x05: position_block(39.124, 117.35, edition=2025)[1:],
    },
}


def joined(found: dict[int, bytes]) -> bytes:
    return b"".join(bytes([kind]) + content for kind, content in found.items())


def report(edition: int = 2016, *, t_ns: int = T, again: bool = False, **place) -> bytes:
    at = dict(lat=39.124, lon=117.35) | place
    content = vehicle_block(0.0, 41e6, 0.8, edition=edition)
    content += position_block(edition=edition, **at)
    return encode_report(VIN, t_ns, content, edition=edition, again=again)


def decode(*payloads: bytes, recv=RECV, sensors=SENSORS) -> Decoded:
    n = len(payloads)
    batch = FrameBatch.of("gbt32960", list(payloads), [0] * n, [recv] * n)
    return FORMAT.decode(batch, sensors, None)


def codes(*payloads: bytes) -> list[Reject]:
    return [Reject(int(code)) for code in decode(*payloads).rejects]


def values(d: Decoded) -> dict[Name, float]:
    return {Name(int(n)): v for n, v in zip(d.readings.name, d.readings.value, strict=True)}


def check_with_naive(payloads: list[bytes], recv: int = RECV) -> Decoded:
    d = decode(*payloads, recv=recv)
    o, r = d.observations, d.readings
    want = [decode_gbt32960(payload, recv) for payload in payloads]
    assert [Reject(int(code)).name for code in d.rejects] == [w.code.name for w in want]
    seen = [(i, *row) for i, w in enumerate(want) for row in w.observations]
    assert o.frame.tolist() == [row[0] for row in seen]
    assert o.t_ns.tolist() == [row[1] for row in seen]
    assert [d.idents.get(i) for i in o.ident.tolist()] == [row[2] for row in seen]
    for column, k in ((o.lat, 3), (o.lon, 4), (o.vel[:, 0], 5), (o.vel[:, 1], 6)):
        np.testing.assert_allclose(column, [row[k] for row in seen], rtol=1e-12, atol=1e-9)
    assert o.flags.tolist() == [row[7] for row in seen]
    said = [(i, *fact) for i, w in enumerate(want) for fact in w.readings]
    assert r.frame.tolist() == [fact[0] for fact in said]
    assert r.name.tolist() == [int(fact[1]) for fact in said]
    np.testing.assert_allclose(r.value, [fact[2] for fact in said], rtol=1e-12)
    return d


@EDITIONS
def test_a_report_becomes_a_car_at_its_place(edition):
    d = check_with_naive([report(edition)])
    o = d.observations
    assert codes(report(edition)) == [Reject.OK]
    assert (o.lat[0], o.lon[0], o.t_ns[0]) == (39.124, 117.35, T)
    assert d.idents == {int(o.ident[0]): pseudonym("vin", VIN)}
    assert o.flags.tolist() == [Flag.SELF_REPORTED]
    assert (o.kind[0], round(float(o.kind_conf[0]), 3)) == (Kind.CAR, 0.4)
    assert o.cov[0, [0, 1, 3]].tolist() == [25, 0, 25]
    assert isnan(o.height[0])
    assert isnan(o.cov[0, 5])
    assert values(d) == {
        Name.VEHICLE_SPEED: 0, Name.ODOMETER_M: 41e6, Name.STATE_OF_CHARGE: 0.8, Name.FIX: 1,
    }  # fmt: skip


@EDITIONS
def test_the_position_is_reached_behind_every_kind_of_block(edition):
    many = MANY[edition]
    kinds = list(many)
    assert [(kind, bytes(c)) for kind, c in blocks(joined(many), edition)] == list(many.items())
    for k in range(len(kinds)):  # each block in front once
        turned = {kind: many[kind] for kind in kinds[k:] + kinds[:k]}
        d = check_with_naive([encode_report(VIN, T, joined(turned), edition=edition)])
        assert d.observations.lat.tolist() == [39.124], hex(kinds[k])
        assert values(d)[Name.VEHICLE_ALARM_LEVEL] == 2
        assert values(d)[Name.VEHICLE_ALARM_BITS] == 0x104


@EDITIONS
def test_a_block_cut_anywhere_is_told_from_a_whole_one(edition):
    for kind, content in MANY[edition].items():
        whole = bytes([kind]) + content
        for k in range(1, len(whole)):
            with pytest.raises(CutBlockError):
                list(blocks(whole[:k], edition))


def test_a_block_of_unknown_length_hides_what_is_behind_it_and_is_counted():
    with pytest.raises(UnknownBlockError, match="63"):
        list(blocks(b"\x3f\1\2", 2025))
    hidden = encode_report(VIN, T, vehicle_block(5, 1e6, 0.5) + b"\x0a\1" + position_block(39, 117))
    d = check_with_naive([hidden])
    assert d.rejects.tolist() == [Reject.NOTHING_TO_OBSERVE]
    assert d.counts == {"unknown_block_0x0a": 1}
    assert values(d)[Name.HEARTBEAT] == 1


def test_a_signature_ends_the_blocks_of_2025_only():
    place = position_block(39.124, 117.35, edition=2025)
    signed = place + b"\xff\2\0\4" + bytes(4) + b"\0\0"
    assert codes(encode_report(VIN, T, signed, edition=2025)) == [Reject.OK]
    assert codes(encode_report(VIN, T, b"\xff" + place, edition=2025)) == [Reject.BAD_LENGTH]
    d = decode(encode_report(VIN, T, position_block(39.124, 117.35) + b"\xff\0\0"))
    assert d.counts == {"unknown_block_0xff": 1}


@pytest.mark.parametrize(
    ("datum", "flag"), [(1, 0), (2, Flag.DATUM_CONVERTED), (3, Flag.DATUM_UNCERTAIN)]
)
def test_datum_of_2025_is_converted_or_doubted(datum, flag):
    o = check_with_naive([report(2025, datum=datum)]).observations
    assert o.flags.tolist() == [Flag.SELF_REPORTED | flag]
    lat, lon = wgs84_from_gcj02([39.124], [117.35]) if datum == 2 else ([39.124], [117.35])
    assert (o.lat[0], o.lon[0]) == (lat[0], lon[0])


def test_a_sensor_in_the_map_datum_is_not_converted_twice():
    table = SensorTable.of([Sensor("cars", "gbt32960", datum=Datum.GCJ02)])
    o = decode(report(2025, datum=2), sensors=table).observations
    assert (o.lat[0], o.flags[0]) == (39.124, Flag.SELF_REPORTED)


@EDITIONS
@pytest.mark.parametrize(("lat", "lon"), [(-33.9, 151.2), (40.7, -74.0), (-23.5, -46.6)])
def test_south_and_west_are_signed(edition, lat, lon):
    o = check_with_naive([report(edition, lat=lat, lon=lon)]).observations
    assert (o.lat[0], o.lon[0]) == (lat, lon)


@EDITIONS
def test_no_valid_fix_and_no_place_give_no_observation(edition):
    frames = [
        report(edition, fixed=False), report(edition, lat=0, lon=0),
        report(edition, lat=117.35, lon=39.124), report(edition, lat=95, lon=100),
    ]  # fmt: skip
    d = check_with_naive(frames)
    assert d.observations.frame.tolist() == [2]
    assert d.observations.flags[0] & Flag.ORDER_GUESSED
    assert d.counts == {"position_near_zero": 1, "position_off_globe": 1}


def test_a_moving_vehicle_has_a_speed_and_no_velocity():
    content = vehicle_block(12.5, nan, nan) + position_block(39.124, 117.35)
    d = check_with_naive([encode_report(VIN, T, content)])
    assert np.isnan(d.observations.vel).all()
    assert isnan(d.observations.vel_sd[0])
    assert values(d) == {Name.VEHICLE_SPEED: 12.5, Name.FIX: 1}
    assert decode(report()).observations.vel[0, :2].tolist() == [0, 0]


@EDITIONS
def test_what_was_sent_again_is_backlog_and_no_wrong_clock(edition):
    d = check_with_naive([report(edition, t_ns=T - 8 * HOUR, again=True)])
    assert d.observations.flags.tolist() == [Flag.SELF_REPORTED | Flag.BACKLOG]
    d = check_with_naive([report(edition, t_ns=T - 8 * HOUR)])
    assert d.observations.flags.tolist() == [Flag.SELF_REPORTED | Flag.TIME_SUSPECT]
    assert values(d)[Name.CLOCK_OFFSET_S] == -8 * 3600 - 1
    assert check_with_naive([report(edition, t_ns=T + DAY)]).observations.flags[0] & 1 << 9


@pytest.mark.parametrize(
    "raw", [b"\x1a\x0d\x18\0\0\0", b"\x1a\x02\x1d\0\0\0", b"\x1a\x0b\x18\x18\0\0", b"\xff" * 6]
)
def test_a_time_that_is_no_time_comes_from_arrival(raw):
    content = raw + position_block(39.124, 117.35)
    o = check_with_naive([encode_frame(2, VIN, content)]).observations
    assert o.t_ns.tolist() == [RECV]
    assert o.flags.tolist() == [Flag.SELF_REPORTED | Flag.TIME_FROM_ARRIVAL]


@EDITIONS
def test_logins_and_signs_of_life_are_readings(edition):
    at = encode_time(T)
    frames = [
        encode_frame(command, VIN, at + b"\0\1" + b"8" * 20 + b"\0\0", edition=edition)
        for command in (1, 4, 5, 6, 7, 8)
    ]
    d = check_with_naive(frames)
    assert set(codes(*frames)) == {Reject.NOTHING_TO_OBSERVE}
    assert d.readings.name.tolist() == [int(Name.LOGIN)] * 4 + [int(Name.HEARTBEAT)] * 2
    assert d.readings.value.tolist() == [1, 0, 1, 0, 1, 1]
    assert (d.readings.ident >= 0).tolist() == [True, True, False, False, True, True]


def test_the_vehicle_number_itself_is_nowhere():
    d = decode(report(), report(2025), encode_frame(1, VIN, encode_time(T)))
    assert not any(VIN in text for text in d.idents.values())
    assert len(d.idents) == 1


def test_fleet_table_says_what_a_vehicle_is():
    table = SensorTable.of([Sensor("cars", "gbt32960")], {pseudonym("vin", VIN): Kind.BUS})
    o = decode(report(), sensors=table).observations
    assert (o.kind[0], round(float(o.kind_conf[0]), 3)) == (Kind.BUS, 0.9)


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (b"", Reject.SHORT),
        (b"#", Reject.SHORT),
        (b"#$" + bytes(30), Reject.BAD_MAGIC),
        (report()[:-1], Reject.SHORT),
        (encode_frame(2, VIN, b"\x1a"), Reject.SHORT),
        (encode_frame(2, VIN, encode_time(T)), Reject.NOTHING_TO_OBSERVE),
        (encode_frame(2, VIN, encode_time(T) + b"\5\0"), Reject.BAD_LENGTH),
        (encode_frame(2, VIN, b"", ack=1), Reject.NOTHING_TO_OBSERVE),
        (encode_frame(0x80, VIN, b""), Reject.UNKNOWN_MESSAGE),
        (report()[:21] + b"\3" + report()[22:], Reject.ENCRYPTED),
        (report() + b"\0", Reject.OK),
    ],
)
def test_frames_that_cannot_be_read_are_refused_by_name(frame, code):
    assert codes(frame) == [code]
    check_with_naive([frame])


def test_wrong_check_byte_and_cut_block_are_read_and_flagged():
    broken = bytearray(report())
    broken[-1] ^= 1
    cut = encode_report(VIN, T, position_block(39.124, 117.35) + b"\1\1")
    o = check_with_naive([bytes(broken), cut, report() + b"\0"]).observations
    marks = [Flag.CHECKSUM_BAD, Flag.LENGTH_BAD, Flag.LENGTH_BAD]
    assert o.flags.tolist() == [Flag.SELF_REPORTED | mark for mark in marks]


def test_only_heartbeats_are_not_told_apart_by_their_bytes():
    assert FORMAT.timed(report())
    assert not FORMAT.timed(encode_frame(7, VIN, b""))


def good() -> list[bytes]:
    return [encode_report(VIN, T, joined(MANY[e]), edition=e) for e in (2016, 2025)]


def test_every_truncation_and_every_flip_equals_the_naive_twin():
    for frame in good():
        assert set(codes(*(frame[:k] for k in range(len(frame))))) == {Reject.SHORT}
        flips = []
        for k in range(len(frame) * 8):
            flipped = bytearray(frame)
            flipped[k // 8] ^= 1 << k % 8
            flips.append(bytes(flipped))
        check_with_naive(flips)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([0, 1]), st.data())
def test_damaged_blocks_equal_the_naive_twin(which, data):
    frame = good()[which]
    content = bytearray(frame[30:-1])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
        content = content or bytearray(b"\0")
    check_with_naive([encode_report(VIN, T, bytes(content), edition=(2016, 2025)[which])])


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from([2016, 2025]), st.integers(0, 86400 * 20), st.integers(-90_000_000, 90_000_000),
    st.integers(-180_000_000, 180_000_000), st.integers(0, 5000), st.booleans(),
)  # fmt: skip
def test_what_is_encoded_comes_back(edition, second, lat, lon, speed, again):
    content = vehicle_block(speed / 36, 1e6, 0.5, edition=edition)
    content += position_block(lat / 1e6, lon / 1e6, edition=edition)
    t_ns = T - second * SECOND
    d = check_with_naive([encode_report(VIN, t_ns, content, edition=edition, again=again)])
    assert values(d)[Name.VEHICLE_SPEED] == pytest.approx(speed / 36)
    for o in d.observations.lat:
        assert o in (lat / 1e6, lon / 1e6)
