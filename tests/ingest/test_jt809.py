from math import isnan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ingest.naive_terminals import crc, decode_jt809
from v2x.frames import FrameBatch
from v2x.geodesy import undulation, wgs84_from_gcj02
from v2x.ingest.decoded import Decoded, Reject
from v2x.ingest.formats.jt809 import (
    FORMATS,
    framed,
    position_2011,
    position_2019,
    vehicle_body,
)
from v2x.ingest.jt808_encode import position_body
from v2x.ingest.jt809_frames import Message, ciphered, opened
from v2x.ingest.terminals import pseudonym
from v2x.ingest.timestamps import DAY, HOUR, SECOND, parse_iso
from v2x.observations import Flag, Kind
from v2x.readings import Name
from v2x.sensors import Datum, Sensor, SensorTable

(FORMAT,) = FORMATS
SENSORS = SensorTable.of([Sensor("platform", "jt809")])
T = parse_iso("2026-11-24T02:11:12Z")
RECV = T + SECOND
PLATE = "津A12345"
FLAGS = Flag.SELF_REPORTED | Flag.RELAYED
CIPHER = (30_000_000, 20_000_000, 20_000_000)

# Frames that a public library (SmallChi/JT809, MIT) prints in its tests: a login of 2011 encrypted
# with CIPHER and key 256178, and a message of 2019 with an escape in its time.
LOGIN_2011 = bytes.fromhex(
    "5b000000480000008510010133efb8010000010003e8b2d37d9cc4900c77dc78f8676527d8ae12243cfb64cc2fba"
    "619aefad33accb3256f67bff19df33097841098665703fe36e5d"
)
HEAD_2019 = bytes.fromhex(
    "5b000000c9000006821700013415f4010000000000270f000000005e02a507b8d4c14131323334350000000000"
    "00000000000000000217010000008b0102030405060708091011"
)
MESSAGE_2019 = HEAD_2019 + bytes(128) + bytes.fromhex("e7d35d")


def position(edition: int = 2011, *, t_ns: int = T, lat=39.124, lon=117.35, **how) -> bytes:
    """Data of an 0x1202 at 45 km/h to the east, 3 m above the sea."""
    if edition == 2011:
        at = dict(speed_kmh=45, heading_deg=90, altitude_m=3, distance_km=412) | how
        return position_2011(t_ns, lat, lon, **at)
    shifted = how.pop("shifted", False)
    extras = {0x01: (4120).to_bytes(4, "big"), 0x31: b"\x0c", 0x30: b"\x15", 0x25: bytes(4)}
    body = position_body(t_ns, lat, lon, 3, 12.5, 90, **({"extras": extras} | how))
    return position_2019(body, shifted=shifted)


def report(edition: int = 2011, *, number: int = 0x1202, data: bytes | None = None, **how) -> bytes:
    data = position(edition, **how) if data is None else data
    body = vehicle_body(PLATE, 2, number, data)
    return framed(0x1200, 5, body, edition=edition, time_s=T // SECOND)


def decode(*payloads: bytes, recv=RECV, sensors=SENSORS) -> Decoded:
    n = len(payloads)
    batch = FrameBatch.of("jt809", list(payloads), [0] * n, [recv] * n)
    return FORMAT.decode(batch, sensors, None)


def codes(*payloads: bytes, **how) -> list[Reject]:
    return [Reject(int(code)) for code in decode(*payloads, **how).rejects]


def values(d: Decoded) -> dict[Name, float]:
    return {Name(int(n)): v for n, v in zip(d.readings.name, d.readings.value, strict=True)}


def check_with_naive(payloads: list[bytes], recv: int = RECV) -> Decoded:
    d = decode(*payloads, recv=recv)
    o, r = d.observations, d.readings
    want = [decode_jt809(payload, recv) for payload in payloads]
    assert [Reject(int(code)).name for code in d.rejects] == [w.code.name for w in want]
    seen = [(i, *row) for i, w in enumerate(want) for row in w.observations]
    assert o.frame.tolist() == [row[0] for row in seen]
    assert o.t_ns.tolist() == [row[1] for row in seen]
    assert [d.idents.get(i) for i in o.ident.tolist()] == [row[2] for row in seen]
    for column, k in ((o.lat, 3), (o.lon, 4), (o.vel[:, 0], 5), (o.vel[:, 1], 6)):
        np.testing.assert_allclose(column, [row[k] for row in seen], rtol=1e-12, atol=1e-9)
    abroad = np.isfinite(d.amsl) & np.isnan(o.height)  # the geoid table ends
    doubts = np.where(abroad, int(Flag.DATUM_UNCERTAIN), 0).tolist()
    assert o.flags.tolist() == [row[7] | doubt for row, doubt in zip(seen, doubts, strict=True)]
    said = [(i, *fact) for i, w in enumerate(want) for fact in w.readings]
    assert r.frame.tolist() == [fact[0] for fact in said]
    assert r.name.tolist() == [int(fact[1]) for fact in said]
    np.testing.assert_allclose(r.value, [fact[2] for fact in said], rtol=1e-12)
    return d


EDITIONS = pytest.mark.parametrize("edition", [2011, 2019])


# Frames


def test_published_login_is_opened_with_its_keys_alone():
    message = opened(LOGIN_2011, CIPHER)
    assert isinstance(message, Message)
    assert message.body[:12] == (20180920).to_bytes(4, "big") + b"20180920"
    assert message.body[12:21] == b"127.0.0.1"
    assert opened(LOGIN_2011, None) is Reject.ENCRYPTED
    table = SensorTable.of([Sensor("platform", "jt809", cipher=CIPHER)])
    assert values(decode(LOGIN_2011, sensors=table)) == {Name.LOGIN: 1.0}
    made = framed(0x1001, 133, message.body, centre=20180920, key=256178, cipher=CIPHER)
    assert made == LOGIN_2011


def test_published_message_of_2019_has_the_right_check_and_is_a_sign_of_life():
    assert crc(MESSAGE_2019[1:-3].replace(b"\x5e\x02", b"\x5e")) == 0xE7D3
    assert values(decode(MESSAGE_2019)) == {Name.HEARTBEAT: 1.0}


@pytest.mark.parametrize(("key", "m1"), [(0, 5_000_000), (77, 0), (0xFFFFFFFF, 0xFFFFFFFF)])
def test_what_is_encrypted_twice_is_clear_again(key, m1):
    cipher = (m1, 0xFEDCBA98, 0x12345678)
    body = bytes(range(256))
    assert ciphered(body, key, cipher) != body
    assert ciphered(ciphered(body, key, cipher), key, cipher) == body


@EDITIONS
def test_encrypted_positions_need_the_right_keys(edition):
    body = vehicle_body(PLATE, 2, 0x1202, position(edition))
    frame = framed(0x1200, 5, body, edition=edition, key=4711, cipher=CIPHER)
    right = SensorTable.of([Sensor("platform", "jt809", cipher=CIPHER)])
    wrong = SensorTable.of([Sensor("platform", "jt809", cipher=(30_000_001, *CIPHER[1:]))])
    assert codes(frame) == codes(frame, sensors=wrong) == [Reject.ENCRYPTED]
    assert decode(frame, sensors=right).observations.lat.tolist() == [39.124]
    assert codes(report(edition), sensors=right) == [Reject.OK]  # the header says it is in clear


def test_every_mark_and_escape_byte_survives_the_wire():
    data = bytes(range(0x50, 0x68)) * 3
    frame = framed(0x1200, 0x5B5D5A5E, vehicle_body(PLATE, 2, 0x1240, data))
    assert frame[1:-1].count(b"\x5b") == frame[1:-1].count(b"\x5d") == 0
    message = opened(frame, None)
    assert isinstance(message, Message)
    assert message.body.endswith(data)
    assert message.length_ok


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (b"", Reject.SHORT),
        (b"\x5b\x5d", Reject.SHORT),
        (b"\x7e" + report()[1:], Reject.BAD_MAGIC),
        (report() + b"\n", Reject.BAD_MAGIC),
        (report() * 2, Reject.BAD_ESCAPE),
        (report()[:30] + b"\x5a\x03" + report()[30:], Reject.BAD_ESCAPE),
        (report()[:-1] + b"\x5e\x5d", Reject.BAD_ESCAPE),
        (report()[:30] + b"\x99" + report()[31:], Reject.BAD_CHECKSUM),
        (framed(0x9200, 1, b""), Reject.UNKNOWN_MESSAGE),
        (framed(0x1200, 1, bytes(40)), Reject.BAD_LENGTH),
        (report(data=position()[:-1]), Reject.SHORT),
        (report(2019, data=b"\0\0\0\0\x1b" + bytes(27)), Reject.SHORT),
        (report(number=0x1203, data=b""), Reject.SHORT),
    ],
)
def test_frames_that_cannot_be_read_are_refused_by_name(frame, code):
    assert codes(frame) == [code]
    check_with_naive([frame])


# Positions


@EDITIONS
def test_a_position_becomes_a_car_with_height_and_velocity(edition):
    d = check_with_naive([report(edition)])
    o = d.observations
    assert (o.lat[0], o.lon[0], o.t_ns[0]) == (39.124, 117.35, T)
    np.testing.assert_allclose(o.vel[0, :2], [12.5, 0], atol=1e-12)
    assert d.amsl.tolist() == [3.0]
    assert o.height[0] == 3.0 + undulation([39.124], [117.35])[0]
    assert o.cov[0].tolist() == [25, 0, 0, 25, 0, 64]
    assert o.flags.tolist() == [FLAGS]
    assert d.idents == {int(o.ident[0]): pseudonym("plate", PLATE)}
    assert values(d)[Name.ODOMETER_M] == 412_000
    assert {Name.ALARM_BITS, Name.STATUS_BITS, Name.FIX} < set(values(d))
    assert (Name.GNSS_SATS in values(d)) == (edition == 2019)


@EDITIONS
def test_shifted_positions_are_converted_once(edition):
    frame = report(edition, shifted=True)
    o = check_with_naive([frame]).observations
    lat, lon = wgs84_from_gcj02([39.124], [117.35])
    assert (o.lat[0], o.lon[0], o.flags[0]) == (lat[0], lon[0], FLAGS | Flag.DATUM_CONVERTED)
    table = SensorTable.of([Sensor("platform", "jt809", datum=Datum.GCJ02)])
    assert decode(frame, sensors=table).observations.lat.tolist() == [39.124]


def test_status_bit_5_of_an_embedded_position_says_shifted_too():
    o = check_with_naive([report(2019, status=0x23)]).observations
    assert o.flags[0] & Flag.DATUM_CONVERTED


@EDITIONS
def test_positions_sent_later_are_backlog(edition):
    items = [position(edition, t_ns=T - k * 60 * SECOND, lat=39 + k / 100) for k in range(1, 6)]
    d = check_with_naive([report(edition, number=0x1203, data=b"\5" + b"".join(items))])
    assert d.observations.lat.tolist() == [39.01, 39.02, 39.03, 39.04, 39.05]
    assert (d.observations.flags == FLAGS | Flag.BACKLOG).all()


def test_positions_of_2019_sent_later_need_no_platforms():
    items = [position(2019, lat=39 + k / 100)[:-45] for k in (1, 2)]
    d = check_with_naive([report(2019, number=0x1203, data=b"\2" + b"".join(items))])
    assert d.observations.lat.tolist() == [39.01, 39.02]


@EDITIONS
def test_a_count_that_lies_gives_the_positions_that_are_there(edition):
    items = position(edition, lat=39.01) + position(edition, lat=39.02)
    d = check_with_naive([report(edition, number=0x1203, data=b"\7" + items)])
    assert d.observations.lat.tolist() == [39.01, 39.02]


@EDITIONS
def test_not_fixed_gives_no_observation_but_its_alarm(edition):
    d = check_with_naive([report(edition, status=1, alarm=1)])
    assert d.rejects.tolist() == [Reject.NOTHING_TO_OBSERVE]
    assert values(d)[Name.ALARM_BITS] == 1


@EDITIONS
@pytest.mark.parametrize(("lat", "lon"), [(-33.9, 151.2), (40.7, -74.0)])
def test_south_and_west_bits_sign_the_coordinates(edition, lat, lon):
    o = check_with_naive([report(edition, lat=lat, lon=lon)]).observations
    assert (o.lat[0], o.lon[0]) == (lat, lon)


def test_what_no_vehicle_does_is_not_measured():
    fast = report(speed_kmh=501, altitude_m=9001)
    turned = report(heading_deg=361, altitude_m=0)
    d = check_with_naive([fast, turned, report(heading_deg=400, speed_kmh=0)])
    assert np.isnan(d.observations.height).tolist() == [True, True, False]
    assert np.isnan(d.observations.vel[:, 0]).tolist() == [True, True, False]


@EDITIONS
def test_a_clock_in_the_wrong_zone_is_suspect(edition):
    d = check_with_naive([report(edition, t_ns=T - 8 * HOUR), report(edition, t_ns=T + DAY)])
    assert (d.observations.flags & Flag.TIME_SUSPECT != 0).all()
    offsets = d.readings.value[d.readings.name == Name.CLOCK_OFFSET_S]
    assert offsets.tolist() == [-8 * 3600 - 1, 86400 - 1]


def test_a_date_in_decimal_digits_is_read_as_such():
    binary = position()
    decimal = binary[:1] + bytes.fromhex("24112026101112") + binary[8:]
    o = check_with_naive([report(data=decimal), report(data=binary)]).observations
    assert o.t_ns.tolist() == [T, T]
    never = binary[:1] + bytes.fromhex("99112026101112") + binary[8:]
    o = check_with_naive([report(data=never)]).observations
    assert o.flags[0] & Flag.TIME_FROM_ARRIVAL


# Other messages


@EDITIONS
def test_registration_tells_maker_and_model_and_no_plate_in_clear(edition):
    model = b"KT-800".ljust(20 if edition == 2011 else 30, b"\0")
    data = b"10000000001" + b"70111".ljust(11, b"\0") + model + bytes(7) + b"013800138000"
    d = check_with_naive([report(edition, number=0x1201, data=data)])
    said = {Name(int(n)): d.idents.get(int(i)) for n, i in zip(
        d.readings.name, d.readings.ident2, strict=True)}  # fmt: skip
    assert said[Name.TERMINAL_MAKER] == "maker:70111"
    assert said[Name.TERMINAL_MODEL] == "model:KT-800"
    assert said[Name.TERMINAL_REGISTERED] == pseudonym("plate", PLATE)
    assert values(d)[Name.TERMINAL_REGISTERED] == 2
    assert not any("12345" in text for text in d.idents.values())


@EDITIONS
def test_platforms_log_in_and_out_and_test_their_link(edition):
    frames = [
        framed(number, 1, body, edition=edition)
        for number, body in ((0x1001, bytes(46)), (0x1003, bytes(12)), (0x1005, b""))
    ]
    d = check_with_naive(frames)
    assert d.readings.name.tolist() == [Name.LOGIN, Name.LOGIN, Name.HEARTBEAT]
    assert d.readings.value.tolist() == [1, 0, 1]
    assert (d.readings.ident == -1).all()


def test_fleet_table_says_what_a_vehicle_is():
    table = SensorTable.of([Sensor("p", "jt809")], {pseudonym("plate", PLATE): Kind.TRUCK})
    assert decode(report(), sensors=table).observations.kind.tolist() == [Kind.TRUCK]


def test_a_wrong_length_is_flagged():
    later = b"\2" + position(heading_deg=92) * 2
    frame = bytearray(report(number=0x1203, data=later))  # nothing in it is escaped
    frame[4] ^= 1
    frame[-3:-1] = crc(bytes(frame[1:-3])).to_bytes(2, "big")
    want = [FLAGS | Flag.BACKLOG | Flag.LENGTH_BAD] * 2
    assert decode(bytes(frame)).observations.flags.tolist() == want


# Every cut, every flip, any noise


def good() -> list[bytes]:
    later = b"\2" + position() * 2
    return [report(), report(2019), report(number=0x1203, data=later)]


def test_every_truncation_is_refused_by_name():
    for frame in good():
        cuts = [frame[:k] for k in range(len(frame))]
        assert set(codes(*cuts)) == {Reject.SHORT, Reject.BAD_MAGIC}
        check_with_naive(cuts)


def test_every_flipped_bit_is_refused_as_the_naive_twin_refuses_it():
    for frame in good():
        flips = []
        for k in range(len(frame) * 8):
            flipped = bytearray(frame)
            flipped[k // 8] ^= 1 << k % 8
            flips.append(bytes(flipped))
        assert not len(check_with_naive(flips).observations)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([2011, 2019]), st.data())
def test_damaged_bodies_with_a_right_check_equal_the_naive_twin(edition, data):
    number = data.draw(st.sampled_from([0x1201, 0x1202, 0x1203, 0x1204]))
    count = data.draw(st.integers(0, 3))
    items = position(edition) * max(count, 1)
    body = bytearray(
        vehicle_body(PLATE, 2, number, bytes([count]) + items if number == 0x1203 else items)
    )
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(0, len(body)))
        body[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    check_with_naive([framed(0x1200, 1, bytes(body), edition=edition)])


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from([2011, 2019]), st.integers(0, 86400 * 20), st.integers(-90_000_000, 90_000_000),
    st.integers(-180_000_000, 180_000_000), st.integers(0, 0xFFFFFFFF), st.integers(0, 0xFFFFFFFF),
)  # fmt: skip
def test_what_is_encoded_comes_back(edition, second, lat, lon, status, alarm):
    frame = report(
        edition, t_ns=T - second * SECOND, lat=lat / 1e6, lon=lon / 1e6, status=status, alarm=alarm
    )
    d = check_with_naive([frame])
    assert values(d)[Name.ALARM_BITS] == alarm
    for o in d.observations.take(d.observations.flags & Flag.DATUM_CONVERTED == 0).lat:
        assert o in (lat / 1e6, lon / 1e6)
    assert all(not isnan(t) for t in d.observations.lat)
