import json
import struct
from copy import deepcopy
from functools import cache
from math import isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ingest import naive_remote_id as naive
from tests.shared_data import shared
from v2x.frames import FrameBatch
from v2x.ingest.decoded import Reject
from v2x.ingest.formats import format_named
from v2x.ingest.interning import CAPACITY, CHUNK
from v2x.ingest.rid_gb46750 import Gb46750, encode_gb46750
from v2x.ingest.rid_odid import (
    encode_odid_basic_id,
    encode_odid_location,
    encode_odid_operator_id,
    encode_odid_pack,
    encode_odid_system,
)
from v2x.ingest.timestamps import HOUR, SECOND, parse_iso
from v2x.observations import Flag, Kind, ident_of
from v2x.readings import Name
from v2x.sensors import Sensor, SensorTable

T = 1_795_486_272_345_000_000
GB_VECTOR = bytes.fromhex(
    "ff2048fffffe414243444530313233343536373839303132333431323334353637380101012094f14540d95117c607"
    "6030f2455000521789037b00c846833908500802010b0504594b520ba20105"
)
ODID_VECTOR = bytes.fromhex("11225a2804500052176030f2455008390848084b43431a0100")
REPORT = Gb46750(
    product_id="ABCDE012345678901234", mark="12345678", category=1, uas_class=1, pilot_live=True,
    pilot_lat=39.124, pilot_lon=117.346, pilot_height=-5.0, lat=39.125, lon=117.35,
    track_deg=90.5, speed=12.3, height_takeoff=60.0, climb=-1.5, height=52.5,
    pressure_altitude=64.0, status=2, datum=1, nacp=11, vertical=5, speed_accuracy=4, t_ns=T,
    time_accuracy=5,
)  # fmt: skip
MAC = 0x8C1ED90309B2
TABLE = SensorTable.of([Sensor("a"), Sensor("b", sd_m=4.0, sd_up_m=6.0)])


def but(**changes) -> bytes:
    """The vector's packet with some items changed."""
    values = {name: getattr(REPORT, name) for name in REPORT.__slots__}
    return encode_gb46750(Gb46750(**(values | changes)))


def decode(payloads, name="remote_id", recv=None, rows=None, table=TABLE, state=None):
    fmt = format_named(name)
    n = len(payloads)
    recv = [T] * n if recv is None else recv
    batch = FrameBatch.of(name, payloads, [0] * n if rows is None else rows, recv)
    return fmt.decode(batch, table, fmt.new_state() if state is None else state)


def one(payload, **more):
    """The single observation of one frame."""
    made = decode([payload], **more)
    assert made.rejects.tolist() == [Reject.OK]
    assert len(made.observations) == 1
    return made.observations


def facts(made) -> dict[Name, float]:
    return {
        Name(n): v
        for n, v in zip(made.readings.name.tolist(), made.readings.value.tolist(), strict=True)
    }


def why(payload, name="remote_id") -> Reject:
    return Reject(int(decode([payload], name).rejects[0]))


def beacon(element: bytes, mac: int = MAC, radiotap: bool = False) -> bytes:
    header = b"\x80\0\0\0" + b"\xff" * 6 + mac.to_bytes(6, "big") * 2 + b"\0\0"
    body = bytes(12) + b"\0\x04RID-" + element + b"\x01\x01\x82"
    return (b"\0\0\x0c\0" + bytes(8) if radiotap else b"") + header + body


def element(message: bytes, counter: int = 7) -> bytes:
    return bytes([0xDD, 5 + len(message)]) + b"\xfa\x0b\xbc\x0d" + bytes([counter]) + message


def bluetooth(message: bytes) -> bytes:
    return b"\x02\x01\x06" + bytes([5 + len(message)]) + b"\x16\xfa\xff\x0d\x07" + message


def aware(message: bytes) -> bytes:
    header = (
        b"\xd0\0\0\0" + b"\x51\x6f\x9a\x01\0\0" + MAC.to_bytes(6, "big") + b"\x50\x6f\x9a\x01\0\xff"
    )
    service = b"\x03\x28\0" + bytes.fromhex("8869199d9209") + b"\x01\0\x10"
    return (
        header + b"\0\0\x04\x09\x50\x6f\x9a\x13" + service + bytes([1 + len(message)]) + b"\x07"
        + message
    )  # fmt: skip


def assert_as_naive(payloads, name="remote_id", recv=None, rows=None, table=TABLE):
    """Kernels and plain Python agree on every column of every row."""
    recv = [T] * len(payloads) if recv is None else recv
    rows = [0] * len(payloads) if rows is None else rows
    families = {"remote_id": naive.GB | naive.ODID, "gb46750": naive.GB, "odid": naive.ODID}[name]
    made = decode(payloads, name, recv, rows, table)
    seen, told, rejects, idents, counts = naive.decode(payloads, recv, rows, table, families)
    assert made.rejects.tolist() == rejects
    assert made.idents == idents
    assert made.counts == counts
    for got, want in ((made.observations, seen), (made.readings, told)):
        assert len(got) == len(want)
        for column in want[0] if want else ():
            expected, made_here = np.array([row[column] for row in want]), getattr(got, column)
            if made_here.dtype.kind == "f":
                np.testing.assert_allclose(made_here, expected, 1e-6, 1e-9, err_msg=column)
            else:
                assert np.array_equal(made_here, expected), column


# --- GB 46750 ------------------------------------------------------------------------------------


def test_the_printed_packet_is_what_the_encoder_makes():
    assert encode_gb46750(REPORT) == GB_VECTOR


def test_the_printed_packet_says_what_is_printed_with_it():
    row = one(GB_VECTOR, name="gb46750")
    assert row.t_ns[0] == T
    assert row.ident[0] == ident_of("rid:ABCDE012345678901234")
    assert (row.lat[0], row.lon[0], row.height[0]) == (39.125, 117.35, 52.5)
    assert row.kind[0] == Kind.UAS
    assert row.kind_conf[0] == np.float32(0.95)
    assert row.flags[0] == Flag.SELF_REPORTED
    assert row.track_ref[0] == -1
    np.testing.assert_allclose(row.vel[0], [12.29953, -0.10734, -1.5], atol=1e-5)
    assert row.vel_sd[0] == pytest.approx(0.3)  # code 4, doubled: the sign of 012 is not settled


def test_readings_of_the_printed_packet():
    made = decode([GB_VECTOR])
    assert facts(made) == {
        Name.RID_HEARD: 1, Name.RID_REGISTERED: 1, Name.RID_REGISTRATION: 1, Name.PILOT: 1,
        Name.PILOT_HEIGHT: -5, Name.RID_STATUS: 2, Name.UAS_CLASS: 1, Name.UAS_CATEGORY: 1,
        Name.HEIGHT_TAKEOFF: 60, Name.PRESSURE_ALTITUDE: 64,
    }  # fmt: skip
    assert (made.readings.ident == ident_of("rid:ABCDE012345678901234")).all()
    mark = made.readings.name == Name.RID_REGISTRATION
    assert made.readings.ident2[mark].tolist() == [ident_of("mark:12345678")]
    assert (made.readings.ident2[~mark] == -1).all()
    pilot = made.readings.name == Name.PILOT
    assert made.readings.lat[pilot].tolist() == [39.124]
    assert made.readings.lon[pilot].tolist() == [117.346]
    assert made.idents == {
        ident_of(text): text for text in ("rid:ABCDE012345678901234", "mark:12345678")
    }


def test_time_accuracy_widens_the_covariance_along_the_velocity_only():
    row = one(but(track_deg=90.0, time_accuracy=1))
    lag = 12.3 * 0.25
    np.testing.assert_allclose(row.cov[0], [2.25 + lag**2, 0, 0, 2.25, 0, 2.25], atol=1e-9)


def test_a_claimed_accuracy_is_believed_down_to_the_noise_of_the_sensor():
    cov = one(but(time_accuracy=0), rows=[1]).cov[0]
    assert cov.tolist() == [16, 0, 0, 16, 0, 36]
    cov = one(but(time_accuracy=0, nacp=0, vertical=0), rows=[1]).cov[0]
    assert cov.tolist() == [16, 0, 0, 16, 0, 36]
    cov = one(but(time_accuracy=0, nacp=8), rows=[1]).cov[0]
    assert cov[0] == pytest.approx(46.3**2)
    assert isnan(one(but(nacp=0)).cov[0, 0])


def test_sentinels_are_unknown_and_not_values():
    row = one(
        but(track_deg=None, speed=None, climb=None, height=None, pressure_altitude=None,
            height_takeoff=None, pilot_height=None, pilot_lat=None)
    )  # fmt: skip
    assert np.isnan(row.vel).all()
    assert isnan(row.height[0])
    assert isnan(row.cov[0, 5])
    raw = bytearray(GB_VECTOR)
    raw[61] = 0xFF  # 012, optional but present
    assert isnan(one(bytes(raw)).vel[0, 2])
    assert one(bytes(raw)).vel_sd[0] == pytest.approx(0.15)
    raw[59:61] = b"\xff\xff"  # 011
    assert Name.HEIGHT_TAKEOFF not in facts(decode([bytes(raw)]))
    raw[59:61] = b"\0\0"
    assert Name.HEIGHT_TAKEOFF not in facts(decode([bytes(raw)]))


@pytest.mark.parametrize("height", [-5.0, 0.0, 5.0, -999.5])
def test_heights_of_zero_and_below_are_real(height):
    assert one(but(height=height)).height[0] == height


def test_height_above_take_off_never_becomes_the_height():
    made = decode([but(height=None, pressure_altitude=None)])
    assert isnan(made.observations.height[0])
    assert facts(made)[Name.HEIGHT_TAKEOFF] == 60
    assert not made.observations.flags[0] & Flag.HEIGHT_ABOVE_TAKEOFF


def test_pressure_altitude_stands_in_only_where_the_height_is_unknown_and_is_flagged():
    made = decode([but(height=None)])
    assert made.observations.height[0] == 64
    assert made.observations.flags[0] & Flag.HEIGHT_BAROMETRIC
    assert made.observations.cov[0, 5] == 100**2
    assert Name.PRESSURE_ALTITUDE not in facts(made)
    assert not one(GB_VECTOR).flags[0] & Flag.HEIGHT_BAROMETRIC


def test_three_heights_of_one_drone_keep_their_labels():
    made = decode([but(height=52.5, pressure_altitude=64.0, height_takeoff=60.0)])
    said = facts(made)
    assert made.observations.height[0] == 52.5
    assert (said[Name.PRESSURE_ALTITUDE], said[Name.HEIGHT_TAKEOFF]) == (64, 60)


def test_the_offset_of_the_draft_is_read_and_flagged():
    raw = bytearray(GB_VECTOR)
    raw[59:61] = struct.pack("<H", (60 + 1000) * 2)
    made = decode([bytes(raw)])
    assert facts(made)[Name.HEIGHT_TAKEOFF] == 60
    assert made.observations.flags[0] & Flag.LOW_QUALITY


def test_an_identity_without_a_position_has_been_heard_all_the_same():
    made = decode([but(lat=None)])
    assert made.rejects.tolist() == [Reject.OK]
    assert len(made.observations) == 0
    said = facts(made)
    assert said[Name.RID_HEARD] == 1
    assert said[Name.PRESSURE_ALTITUDE] == 64
    assert (made.readings.t_ns == T).all()


@pytest.mark.parametrize(
    ("lat", "lon"), [(0.0, 0.0), (0.005, -0.005), (95.0, 170.0), (10.0, 180.5)]
)
def test_no_fix_and_places_off_the_globe_make_no_row_but_are_heard(lat, lon):
    made = decode([but(lat=lat, lon=lon, pilot_lat=None)])
    assert len(made.observations) == 0
    assert Name.RID_HEARD in facts(made)
    assert made.counts == {"position_range": 1}


def test_registration_marks():
    assert facts(decode([but(mark="00000000")]))[Name.RID_REGISTERED] == 0
    assert Name.RID_REGISTRATION not in facts(decode([but(mark="00000000")]))
    assert Name.RID_REGISTERED not in facts(decode([but(mark=None)]))
    made = decode([but(mark="12-4567!")])
    assert Name.RID_REGISTERED not in facts(made)
    assert made.counts == {"bad_mark": 1}


@pytest.mark.parametrize("name", [None, "", "0" * 20, " ", "000"])
def test_an_empty_or_zero_identity_is_none(name):
    made = decode([but(product_id=name)])
    assert made.observations.ident.tolist() == [-1]
    assert Name.RID_HEARD not in facts(made)
    assert Name.RID_REGISTERED in facts(made)


def swapped(packet: bytes) -> bytes:
    """Latitude first in 006 and 008."""
    raw = bytearray(packet)
    for at in (37, 47):
        raw[at : at + 8] = raw[at + 4 : at + 8] + raw[at : at + 4]
    return bytes(raw)


def test_positions_lie_where_the_tests_swap_them():
    assert GB_VECTOR[37:41] == struct.pack("<i", 1_173_460_000)
    assert GB_VECTOR[47:51] == struct.pack("<i", 1_173_500_000)


def test_latitude_first_is_told_by_range_and_flagged():
    made = decode([swapped(GB_VECTOR)])
    assert (made.observations.lat[0], made.observations.lon[0]) == (39.125, 117.35)
    assert made.observations.flags[0] & Flag.ORDER_GUESSED
    pilot = made.readings.name == Name.PILOT
    assert made.readings.lat[pilot].tolist() == [39.124]


def test_places_outside_china_stay_as_read():
    made = one(but(lat=45.5, lon=-122.9, pilot_lat=45.4, pilot_lon=-122.9))
    assert (made.lat[0], made.lon[0]) == (45.5, -122.9)
    assert not made.flags[0] & Flag.ORDER_GUESSED


def test_the_order_of_a_sender_is_remembered_until_it_shows_another():
    far = {"lat": 20.0, "lon": 10.0, "pilot_lat": None}  # in no box either way
    here = {"lat": 39.1, "lon": 117.3, "pilot_lat": None}
    state = format_named("gb46750").new_state()

    def place(packet, row=0):
        rows = decode([packet], "gb46750", rows=[row], state=state).observations
        return rows.lat[0], rows.lon[0], bool(rows.flags[0] & Flag.ORDER_GUESSED)

    assert place(but(**far)) == (20, 10, False)
    assert place(swapped(but(**here))) == (39.1, 117.3, True)
    assert place(swapped(but(**far))) == (20, 10, True)
    assert place(but(**far, product_id="SOMEBODY ELSE")) == (20, 10, False)
    assert place(but(**far), row=1) == (20, 10, False)  # another receiver
    assert place(but(**here)) == (39.1, 117.3, False)
    assert place(but(**far)) == (20, 10, False)


def test_a_copy_of_the_state_remembers_the_order():
    state = format_named("gb46750").new_state()
    decode([swapped(but(lat=39.1, lon=117.3))], "gb46750", state=state)
    packet = swapped(but(lat=20.0, lon=10.0, pilot_lat=None))
    rows = decode([packet], "gb46750", state=deepcopy(state)).observations
    assert (rows.lat[0], rows.lon[0]) == (20, 10)


def test_datum_other_than_wgs84_and_cgcs2000_is_uncertain():
    assert one(but(datum=2)).flags[0] & Flag.DATUM_UNCERTAIN
    assert not one(but(datum=0)).flags[0] & Flag.DATUM_UNCERTAIN


def test_times():
    row = one(but(t_ns=None))
    assert row.t_ns[0] == T
    assert row.flags[0] & Flag.TIME_FROM_ARRIVAL
    for recv, doubt in (
        (T - 3 * SECOND, True), (T + 25 * HOUR, True), (T + HOUR // 2, False),
        (T + 8 * HOUR, True), (T - 8 * HOUR, True), (T + HOUR + 60 * SECOND, False),
    ):  # fmt: skip
        made = decode([GB_VECTOR], recv=[recv])
        assert made.observations.t_ns[0] == T
        assert bool(made.observations.flags[0] & Flag.TIME_SUSPECT) is doubt
        assert facts(made).get(Name.CLOCK_OFFSET_S) == ((T - recv) / SECOND if doubt else None)
    raw = bytearray(GB_VECTOR)
    raw[-7:-1] = b"\xff" * 6  # no int64 holds it in ns
    row = one(bytes(raw))
    assert row.t_ns[0] == T
    assert row.flags[0] & (Flag.TIME_SUSPECT | Flag.TIME_FROM_ARRIVAL) == 0x300


def test_unknown_items_are_counted_and_what_stands_before_them_is_kept():
    raw = bytearray(GB_VECTOR)
    raw[2] += 5
    raw[5] |= 1  # a fourth bitmap byte: items 22 to 28
    packet = bytes(raw[:6]) + b"\x40" + bytes(raw[6:]) + b"extra"
    made = decode([packet])
    assert made.observations.lat.tolist() == [39.125]
    assert made.observations.flags[0] == Flag.SELF_REPORTED
    assert made.counts == {"unknown_item_23": 1}


def test_lengths_that_contradict_each_other_are_refused():
    raw = bytearray(GB_VECTOR)
    raw[3] &= 0x7F  # item 001 no longer announced
    assert why(bytes(raw)) is Reject.BAD_LENGTH
    raw = bytearray(GB_VECTOR)
    raw[2] -= 1
    assert why(bytes(raw)) is Reject.BAD_LENGTH
    raw[2] += 2
    assert why(bytes(raw)) is Reject.SHORT


def test_another_major_version_is_named():
    raw = bytearray(GB_VECTOR)
    raw[1] = 0x40
    assert why(bytes(raw), "gb46750") is Reject.UNSUPPORTED_VERSION


@pytest.mark.parametrize("cut", range(len(GB_VECTOR)))
def test_every_truncation_of_a_packet_is_refused(cut):
    assert why(GB_VECTOR[:cut], "gb46750") is Reject.SHORT


def test_trailing_bytes_are_ignored_and_flagged():
    row = one(GB_VECTOR + b"\0\0")
    assert row.flags[0] & Flag.LENGTH_BAD
    assert row.lat[0] == 39.125


# --- carriers ------------------------------------------------------------------------------------

PACK = encode_odid_pack(encode_odid_basic_id("1581F5FJD239C00DVF1X"), ODID_VECTOR)
CARRIERS = {
    "bare": (lambda m: m, -1),
    "counter": (lambda m: b"\x2b" + m, -1),
    "counter FF": (lambda m: b"\xff" + m, -1),
    "element": (element, -1),
    "beacon": (lambda m: beacon(element(m)), MAC),
    "radiotap": (lambda m: beacon(element(m), radiotap=True), MAC),
    "bluetooth": (bluetooth, -1),
    "aware": (aware, MAC),
}


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize("message", [GB_VECTOR, ODID_VECTOR, PACK], ids=["gb46750", "odid", "pack"])
def test_a_message_is_the_same_in_every_carrier(carrier, message):
    wrap, mac = CARRIERS[carrier]
    row = one(wrap(message))
    assert (row.lat[0], row.lon[0], row.height[0]) == (39.125, 117.35, 52.5)
    assert row.track_ref[0] == mac
    assert not row.flags[0] & Flag.LENGTH_BAD


def test_the_encoder_wraps_as_the_carriers_do():
    assert encode_gb46750(REPORT, counter=7, wifi=True) == element(GB_VECTOR)
    assert encode_gb46750(REPORT, counter=7) == b"\x07" + GB_VECTOR
    assert encode_odid_pack(ODID_VECTOR, counter=7, wifi=True) == element(
        encode_odid_pack(ODID_VECTOR)
    )


def advertised(message: bytes, kind: int = 2) -> bytes:
    """A link-layer frame of legacy (0, 2, 4, 6) or extended (7) advertising."""
    address = MAC.to_bytes(6, "little")
    if kind == 7:
        body = b"\x09\x09" + address + b"\x23\x40" + bluetooth(message)
    else:
        body = address + bluetooth(message)
    return b"\xd6\xbe\x89\x8e" + bytes([0x40 | kind, len(body)]) + body + b"\0\0\0"


@pytest.mark.parametrize(
    "carrier",
    [advertised, lambda m: advertised(m, 0), lambda m: advertised(m, 7),
     lambda m: b"\x25\xd3\x00\x00\x10\x00\x00\x00\x00\x00" + advertised(m),
     lambda m: b"\x04\x3e\x2b\x02\x01\x03\x01" + MAC.to_bytes(6, "little") + b"\x1f" + bluetooth(m),
     lambda m: b"\x04\x3e\x37\x0d\x01\0\0\x01" + MAC.to_bytes(6, "little") + bytes(14)
     + bluetooth(m)],
)  # fmt: skip
@pytest.mark.parametrize("message", [GB_VECTOR, ODID_VECTOR], ids=["gb46750", "odid"])
def test_a_bluetooth_capture_has_the_address_of_the_advertiser(carrier, message):
    row = one(carrier(message))
    assert row.track_ref[0] == MAC
    assert row.lat[0] == 39.125
    assert_as_naive([carrier(message)])


def test_a_bluetooth_frame_without_an_address_has_none():
    anonymous = b"\xd6\xbe\x89\x8e\x47\x40\x03\x08\x23\x40\x00" + bluetooth(ODID_VECTOR)
    assert one(anonymous).track_ref[0] == -1
    assert_as_naive([anonymous])


@pytest.mark.parametrize("uuid", ["faff", "500d", "ffff"])
def test_the_uuids_seen_in_the_field_are_read(uuid):
    message = bytearray(bluetooth(ODID_VECTOR))
    message[5:7] = bytes.fromhex(uuid)
    assert one(bytes(message)).lat[0] == 39.125
    assert_as_naive([bytes(message)])


def test_the_element_of_old_esp32_firmware_is_read():
    old = element(ODID_VECTOR).replace(b"\xfa\x0b\xbc\x0d", b"\x06\x05\x04\xfd")
    assert one(old).lat[0] == 39.125
    assert one(beacon(old)).track_ref[0] == MAC
    assert_as_naive([old, beacon(old), beacon(old, radiotap=True)])


def test_the_address_of_the_transmitter_is_bound_to_the_identity():
    said = facts(decode([beacon(element(GB_VECTOR))]))
    assert said[Name.RID_MAC] == MAC
    assert Name.RID_MAC not in facts(decode([GB_VECTOR]))


def test_a_carrier_whose_length_is_wrong_is_read_and_flagged():
    raw = bytearray(element(GB_VECTOR))
    raw[1] += 1
    assert one(bytes(raw)).flags[0] & Flag.LENGTH_BAD


def test_a_frame_with_both_families_gives_each_format_its_own():
    both = beacon(element(PACK) + element(GB_VECTOR))
    assert one(both, name="gb46750").ident[0] == ident_of("rid:ABCDE012345678901234")
    assert one(both, name="odid").ident[0] == ident_of("rid:1581F5FJD239C00DVF1X")


def test_each_family_refuses_the_other():
    for wrap, _ in CARRIERS.values():
        assert why(wrap(GB_VECTOR), "odid") is Reject.BAD_MAGIC
        assert why(wrap(PACK), "gb46750") is Reject.BAD_MAGIC
        assert why(wrap(ODID_VECTOR), "gb46750") is Reject.BAD_MAGIC


def test_frames_without_a_message_are_not_ours():
    assert why(b"") is Reject.SHORT
    assert why(beacon(b"")) is Reject.BAD_MAGIC
    assert why(element(b"\xff\x40" + bytes(40))) is Reject.UNKNOWN_MESSAGE
    assert why(element(b"")) is Reject.SHORT
    assert why(b"\xaa" * 30) is Reject.BAD_MAGIC


def test_only_bytes_with_a_counter_have_a_time_of_their_own():
    fmt = format_named("remote_id")
    for message in (GB_VECTOR, ODID_VECTOR, PACK):
        assert not fmt.timed(message)
        assert fmt.timed(b"\x2b" + message)
        assert fmt.timed(element(message))
        assert fmt.timed(bluetooth(message))
    assert not fmt.timed(b"")


# --- ODID ----------------------------------------------------------------------------------------


def test_the_printed_location_says_what_is_printed_with_it():
    made = decode([ODID_VECTOR], "odid")
    row = made.observations
    assert (row.lat[0], row.lon[0], row.height[0]) == (39.125, 117.35, 52.5)
    np.testing.assert_allclose(row.vel[0], [-10, 0, 2], atol=1e-9)
    assert row.t_ns[0] % HOUR == 672_300_000_000
    assert row.ident[0] == -1
    assert row.vel_sd[0] == pytest.approx(0.5)
    np.testing.assert_allclose(row.cov[0], [2.25 + 0.25, 0, 0, 2.25, 0, 25], atol=1e-9)
    assert facts(made) == {
        Name.RID_STATUS: 2, Name.HEIGHT_TAKEOFF: 60, Name.PRESSURE_ALTITUDE: 64
    }  # fmt: skip


def test_the_printed_location_is_what_the_encoder_makes():
    made = encode_odid_location(
        39.125, 117.35, height=52.5, pressure_altitude=64, height_takeoff=60, track_deg=270,
        speed=10, climb=2, nacp=11, vertical=4, speed_accuracy=3, t_ns=672_300_000_000,
        time_accuracy=1,
    )  # fmt: skip
    assert made == ODID_VECTOR[:20] + b"\x03" + ODID_VECTOR[21:]  # the vector has baro accuracy 4


def test_a_position_alone_has_the_address_and_no_identity():
    made = decode([beacon(element(ODID_VECTOR)), beacon(element(PACK[3:28]))])
    assert made.observations.ident.tolist() == [-1]
    assert made.observations.track_ref.tolist() == [MAC]
    about = made.readings.frame == 1
    assert made.readings.name[about].tolist() == [Name.RID_HEARD, Name.RID_MAC]
    assert (made.readings.ident[about] == ident_of("rid:1581F5FJD239C00DVF1X")).all()


def test_a_pack_joins_identity_and_position():
    row = one(PACK)
    assert row.ident[0] == ident_of("rid:1581F5FJD239C00DVF1X")


def test_the_serial_number_is_the_identity_and_the_registration_a_reading():
    registration = encode_odid_basic_id("CAAC-77", id_type=2)
    serial = encode_odid_basic_id("1581F5FJD239C00DVF1X")
    for order in ((registration, serial), (serial, registration)):
        made = decode([encode_odid_pack(*order, ODID_VECTOR)])
        assert made.observations.ident[0] == ident_of("rid:1581F5FJD239C00DVF1X")
        assert facts(made)[Name.RID_REGISTERED] == 1
        assert ident_of("mark:CAAC-77") in made.readings.ident2
    made = decode([registration])
    assert (made.readings.ident == -1).all()
    assert Name.RID_HEARD not in facts(made)


def test_session_and_utm_ids_are_bytes_in_hex():
    raw = bytearray(encode_odid_basic_id(""))
    raw[1], raw[2:22] = 0x32, bytes(range(16)) + bytes(4)
    assert list(decode([bytes(raw)]).idents.values()) == ["rid:" + bytes(range(16)).hex()]
    raw[1] = 0x42
    assert list(decode([bytes(raw)]).idents.values()) == [
        "rid:" + bytes(range(16)).hex() + "00000000"
    ]


def test_an_operator_id_is_a_registration():
    made = decode([encode_odid_pack(PACK[3:28], encode_odid_operator_id("OP-1"))])
    assert facts(made)[Name.RID_REGISTERED] == 1
    assert ident_of("operator:OP-1") in made.readings.ident2
    assert Name.RID_REGISTERED not in facts(decode([PACK]))


def test_sentinels_of_a_location():
    unknown = encode_odid_location(None, None)
    made = decode([encode_odid_pack(PACK[3:28], unknown)])
    assert len(made.observations) == 0
    assert facts(made) == {Name.RID_HEARD: 1, Name.RID_STATUS: 2}
    row = one(encode_odid_location(39.1, 117.3))
    assert np.isnan(row.vel).all()
    assert isnan(row.height[0])
    assert row.flags[0] == Flag.SELF_REPORTED | Flag.TIME_FROM_ARRIVAL


# --- which way vertical speed counts --------------------------------------------------------------


def flight(direction: int, seconds: float = 30.0, rise: float = 2.0, **more):
    """A climb of `rise` m/s, told by 012 in the sense `direction`."""
    times = np.arange(0.0, seconds, 0.5)
    packets = [
        but(height=50.0 + round(2 * rise * t) / 2, climb=direction * rise, t_ns=None, **more)
        for t in times
    ]
    return packets, [T + round(t * SECOND) for t in times]


@pytest.mark.parametrize("direction", [1, -1])
@pytest.mark.parametrize("rise", [1.0, -3.0])
def test_heights_tell_which_way_vertical_speed_counts(direction, rise):
    packets, recv = flight(direction, rise=rise)
    made = decode(packets, recv=recv)
    vel, sd = made.observations.vel[:, 2], made.observations.vel_sd
    assert vel[0] == direction * rise
    assert sd[0] == pytest.approx(0.3)
    assert vel[20:].tolist() == [rise] * 40
    assert sd[20:] == pytest.approx([0.15] * 40)
    told = made.readings.take(made.readings.name == Name.RID_VS_SIGN)
    assert told.frame.tolist() == [20]
    assert told.value.tolist() == [direction]
    assert_as_naive(packets, recv=recv)


def test_too_little_movement_and_heights_that_do_not_fit_tell_nothing():
    for packets, recv in (flight(1, rise=0.4), flight(1, seconds=10.0)):
        assert Name.RID_VS_SIGN not in facts(decode(packets, recv=recv))
    packets, recv = flight(1)
    steep = [but(height=50.0 + 10 * k, climb=2.0, t_ns=None) for k in range(len(packets))]
    assert Name.RID_VS_SIGN not in facts(decode(steep, recv=recv))
    apart = [T + k * 6 * SECOND for k in range(len(packets))]
    assert Name.RID_VS_SIGN not in facts(decode(packets, recv=apart))
    nobody, recv = flight(1, product_id=None)
    assert Name.RID_VS_SIGN not in facts(decode(nobody, recv=recv))


def test_a_sign_survives_a_restart_and_is_each_senders_own():
    packets, recv = flight(-1)
    fmt, state = format_named("gb46750"), format_named("gb46750").new_state()
    decode(packets[:30], "gb46750", recv[:30], state=state)
    again = fmt.new_state()
    again.restore(state.state())
    row = decode(packets[30:31], "gb46750", recv[30:31], state=again).observations
    assert row.vel[0, 2] == 2.0
    other = but(product_id="SOMEBODY ELSE", climb=2.0)
    assert decode([other], "gb46750", recv[30:31], state=again).observations.vel[0, 2] == 2.0
    elsewhere = decode(packets[30:31], "gb46750", recv[30:31], rows=[1], state=again).observations
    assert elsewhere.vel[0, 2] == -2.0


def test_standing_still_without_a_heading_is_no_motion():
    assert one(encode_odid_location(39.1, 117.3, speed=0.25)).vel[0, :2].tolist() == [0, 0]
    assert np.isnan(one(encode_odid_location(39.1, 117.3, speed=0.5)).vel[0, :2]).all()


def test_height_above_ground_is_the_drones_own_claim_and_no_height():
    raw = bytearray(encode_odid_location(39.1, 117.3, height_takeoff=60))
    raw[1] |= 4
    made = decode([bytes(raw)])
    assert Name.HEIGHT_TAKEOFF not in facts(made)
    assert isnan(made.observations.height[0])
    assert made.counts == {"height_above_ground": 1}


def test_the_hour_is_completed_from_the_arrival():
    turn = parse_iso("2026-11-24T03:00:00Z")
    for recv, seconds, want in (
        (turn + SECOND, 3599.5, turn - SECOND // 2),
        (turn - SECOND, 0.5, turn + SECOND // 2),
        (turn + 5 * SECOND, 3.0, turn + 3 * SECOND),
    ):
        payload = encode_odid_location(39.1, 117.3, t_ns=round(seconds * SECOND))
        assert one(payload, recv=[recv]).t_ns[0] == want


def test_an_operator_one_byte_late_is_found_and_flagged():
    system = encode_odid_system(39.05, 117.35, pilot_height=12.0)
    late = system[:2] + b"\x80" + system[2:24]
    made = decode([encode_odid_pack(PACK[3:28], ODID_VECTOR, late)])
    said = facts(made)
    assert said[Name.PILOT_HEIGHT] == 12
    assert made.readings.lat[made.readings.name == Name.PILOT].tolist() == [39.05]
    assert made.observations.flags[0] & Flag.ORDER_GUESSED


def test_authentication_and_self_id_are_accepted_and_say_nothing():
    auth, text = b"\x21" + bytes(24), b"\x31" + bytes(24)
    assert why(auth) is Reject.NOTHING_TO_OBSERVE
    assert why(text) is Reject.NOTHING_TO_OBSERVE
    made = decode([encode_odid_pack(PACK[3:28], auth, text, ODID_VECTOR)])
    assert len(made.observations) == 1
    assert made.counts == {"auth": 1}


def test_unknown_types_and_versions():
    assert why(b"\x61" + bytes(24)) is Reject.UNKNOWN_MESSAGE
    assert why(b"\xf3\x19\x01" + ODID_VECTOR) is Reject.UNSUPPORTED_VERSION
    made = decode([b"\xf1\x19\x03" + ODID_VECTOR + b"\x61" + bytes(24) + b"\x15" + bytes(24)])
    assert len(made.observations) == 1
    assert made.counts == {"unknown_message_0x6": 1, "unknown_version": 1}
    assert why(b"\xf1\x19\x0a" + 10 * ODID_VECTOR) is Reject.BAD_LENGTH


@pytest.mark.parametrize("message", [ODID_VECTOR, PACK], ids=["location", "pack"])
def test_every_truncation_of_a_message_is_refused(message):
    for cut in range(len(message)):
        assert why(message[:cut], "odid") in (Reject.SHORT, Reject.BAD_MAGIC)


# --- recordings ----------------------------------------------------------------------------------


def gb_recordings():
    return json.loads(shared("remote_id/gb46750.json").read_text())


def test_the_captured_packet_decodes_to_its_items():
    captured = gb_recordings()["captured"]
    for payload in (captured["hex"], captured["on_the_air"]["vendor element"]):
        made = decode([bytes.fromhex(payload)])
        row, said = made.observations, facts(made)
        assert (row.lat[0], row.lon[0], row.height[0]) == (30.0675106, 121.1859817, 121.0)
        assert row.t_ns[0] == 1779505147000 * 1_000_000
        assert made.idents == {ident_of(t): t for t in ("rid:1581FANLC258U029RTN6",)}
        assert np.hypot(*row.vel[0, :2]) == pytest.approx(2.8)
        assert said[Name.RID_REGISTERED] == 0
        assert said[Name.HEIGHT_TAKEOFF] == 108
        assert said[Name.PRESSURE_ALTITUDE] == 182.5
        assert said[Name.PILOT_HEIGHT] == 14.5


@pytest.mark.parametrize("k", range(20))
def test_made_packets_decode_to_their_items(k):
    made_here = gb_recordings()["made"][k]
    items = made_here["items"]
    made = decode([bytes.fromhex(made_here["hex"])], "gb46750")
    row, said = made.observations, facts(made)
    if items["008"] is None:
        assert len(row) == 0
    else:
        assert (row.lon[0], row.lat[0]) == tuple(items["008"])
        height = items["013"]
        if height is None and items.get("014") is not None:
            height = items["014"]
            assert row.flags[0] & Flag.HEIGHT_BAROMETRIC
        assert row.height[0] == height if height is not None else isnan(row.height[0])
        speed, track = items["010"], items["009"]
        if speed is not None and track is not None:
            got = np.degrees(np.arctan2(row.vel[0, 0], row.vel[0, 1])) % 360
            assert np.hypot(*row.vel[0, :2]) == pytest.approx(speed, abs=1e-9)
            assert speed == 0 or got == pytest.approx(track, abs=1e-6)
        if items.get("012") is not None:
            assert row.vel[0, 2] == items["012"]
    if items["001"]:
        assert f"rid:{items['001']}" in made.idents.values()
    registered = None if not items["002"] else float(items["002"] != "00000000")
    assert said.get(Name.RID_REGISTERED) == registered
    assert said.get(Name.UAS_CATEGORY, 0) == items.get("003", 0)
    assert said[Name.UAS_CLASS] == items["004"]
    assert said.get(Name.PILOT_HEIGHT) == items["007"]
    assert said.get(Name.HEIGHT_TAKEOFF) == items.get("011")
    assert said[Name.RID_STATUS] == items["015"]
    if items["006"] is not None:
        pilot = made.readings.name == Name.PILOT
        assert made.readings.lon[pilot].tolist() == [items["006"][0]]
        assert made.readings.lat[pilot].tolist() == [items["006"][1]]
        assert said[Name.PILOT] == items["005"]


@cache
def packs():
    return json.loads(shared("remote_id/packs.json").read_text())


def test_the_captured_packs_decode_to_what_was_expected():
    beacon_frame, whole, indoors = packs()["captured"]
    made = decode([bytes.fromhex(beacon_frame["hex"])])
    row, said, want = made.observations, facts(made), beacon_frame["expected"]
    assert (row.lat[0], row.lon[0], row.height[0]) == (want["lat"], want["lon"], want["alt_geo"])
    assert row.track_ref[0] == MAC == said[Name.RID_MAC]
    assert row.ident[0] == ident_of(f"rid:{want['uas_id']}")
    assert np.hypot(*row.vel[0, :2]) == pytest.approx(5.5)
    assert row.vel[0, 2] == 0
    assert said[Name.HEIGHT_TAKEOFF] == 84.5
    assert said[Name.PRESSURE_ALTITUDE] == 137
    assert said[Name.PILOT_HEIGHT] == 24
    assert row.t_ns[0] % HOUR == 967 * SECOND

    made = decode([bytes.fromhex(whole["hex"])])
    row, said, want = made.observations, facts(made), whole["expected"]
    assert (row.lat[0], row.lon[0], row.height[0]) == (want["lat"], want["lon"], want["alt_geo"])
    assert row.ident[0] == ident_of("rid:MFG1A0123456789")
    assert isnan(row.vel[0, 2])
    assert said[Name.RID_REGISTERED] == 1
    assert Name.PRESSURE_ALTITUDE not in said
    assert "operator:GBR-OP-123ABCD" in made.idents.values()
    assert said[Name.UAS_CATEGORY] == 1

    made = decode([bytes.fromhex(indoors["hex"])])
    said = facts(made)
    assert len(made.observations) == 0
    assert made.idents == {ident_of(t): t for t in ("rid:1581F6N8C23AQ0035CAJ",)}
    assert said[Name.PRESSURE_ALTITUDE] == -38
    pilot = made.readings.name == Name.PILOT
    assert made.readings.lat[pilot].tolist() == [39.1531613]
    assert made.readings.lon[pilot].tolist() == [117.7671816]


@pytest.mark.parametrize("k", range(20))
def test_made_packs_decode_to_what_was_expected(k):
    sample = packs()["made"][k]
    want = sample["expected"]
    made = decode([bytes.fromhex(sample["pack_hex"])], "odid")
    row, said = made.observations, facts(made)
    assert f"rid:{want['uas_id']}" in made.idents.values()
    assert said[Name.RID_HEARD] == 1
    assert said[Name.RID_STATUS] == want["status"]
    if "height_above_ground" in made.counts:  # the recording does not say which height it is
        assert Name.HEIGHT_TAKEOFF not in said
    else:
        assert said.get(Name.HEIGHT_TAKEOFF) == want["height"]
    pilot = made.readings.name == Name.PILOT
    where = list(zip(made.readings.lat[pilot], made.readings.lon[pilot], strict=True))
    assert where == ([tuple(want["operator"])] if want["operator"] else [])
    if want["lat"] is None:
        assert len(row) == 0
        return
    assert (row.lat[0], row.lon[0]) == (want["lat"], want["lon"])
    if want["alt_geo"] is not None:
        assert row.height[0] == want["alt_geo"]
    assert row.t_ns[0] % HOUR == round(want["ts"] * SECOND)
    if want["vspeed"] is not None:
        assert row.vel[0, 2] == want["vspeed"]
    if want["dir"] is not None and want["speed"] is not None:
        assert np.hypot(*row.vel[0, :2]) == pytest.approx(want["speed"])
        got = np.degrees(np.arctan2(row.vel[0, 0], row.vel[0, 1])) % 360
        assert got == pytest.approx(want["dir"], abs=1e-6)


# --- against plain Python, cuts and noise --------------------------------------------------------

degrees_lat, degrees_lon = st.floats(-89, 89), st.floats(-179, 179)
heights = st.none() | st.integers(-1999, 20_000).map(lambda n: n / 2)
codes = st.integers(0, 15)
reports = st.builds(
    Gb46750,
    product_id=st.none() | st.text("0123456789ABCDEFGH", max_size=20),
    mark=st.none() | st.text("0123456789", max_size=8),
    category=st.none() | st.integers(0, 3), uas_class=st.integers(0, 4),
    pilot_live=st.booleans(), pilot_lat=st.none() | degrees_lat, pilot_lon=degrees_lon,
    pilot_height=heights, lat=st.none() | degrees_lat, lon=degrees_lon,
    track_deg=st.none() | st.floats(0, 359.9), speed=st.none() | st.floats(0, 400),
    height_takeoff=st.none() | st.integers(-400, 4000).map(lambda n: n / 2),
    climb=st.none() | st.integers(-100, 100).map(lambda n: n / 2), height=heights,
    pressure_altitude=heights, status=st.integers(0, 5), datum=st.integers(0, 2),
    nacp=codes, vertical=codes, speed_accuracy=codes,
    t_ns=st.none() | st.integers(1, 2 * 10**12).map(lambda ms: ms * 1_000_000),
    time_accuracy=codes,
)  # fmt: skip


@given(report=reports)
def test_what_is_encoded_is_decoded(report):
    made = decode([encode_gb46750(report)], "gb46750")
    row, said = made.observations, facts(made)
    known = report.lat is not None and max(abs(report.lat), abs(report.lon)) > 0.011
    # a pair whose swap lies in China is read swapped, and so are the others of its sender
    swapped = any(
        lat is not None and 73 <= lat <= 136 and 3 <= lon <= 54
        for lat, lon in ((report.lat, report.lon), (report.pilot_lat, report.pilot_lon))
    )
    if known and not swapped:
        assert row.lat[0] == pytest.approx(report.lat, abs=1.6e-7)
        assert row.lon[0] == pytest.approx(report.lon, abs=1.6e-7)
        if report.height is not None:
            assert row.height[0] == report.height
        if report.speed is not None and report.track_deg is not None:
            assert np.hypot(*row.vel[0, :2]) == pytest.approx(report.speed, abs=0.051)
        if report.climb is not None:
            assert row.vel[0, 2] == report.climb
        if report.t_ns is not None:
            assert row.t_ns[0] == report.t_ns
    assert said.get(Name.HEIGHT_TAKEOFF) == report.height_takeoff
    assert said.get(Name.PILOT_HEIGHT) == report.pilot_height
    if report.product_id and report.product_id.strip("0"):
        assert f"rid:{report.product_id}" in made.idents.values()
    assert_as_naive([encode_gb46750(report)], "gb46750")


@given(
    lat=degrees_lat, lon=degrees_lon, height=heights, track=st.none() | st.integers(0, 359),
    speed=st.none() | st.integers(0, 250), climb=st.none() | st.integers(-62, 62),
    t=st.none() | st.integers(0, 35_999),
)  # fmt: skip
def test_a_location_round_trips(lat, lon, height, track, speed, climb, t):
    payload = encode_odid_location(
        lat, lon, height=height, track_deg=track, speed=speed, climb=climb,
        t_ns=None if t is None else t * 100_000_000,
    )  # fmt: skip
    rows = decode([payload], "odid").observations
    if max(abs(lat), abs(lon)) > 0.011:
        assert rows.lat[0] == pytest.approx(lat, abs=5.1e-8)
        assert rows.lon[0] == pytest.approx(lon, abs=5.1e-8)
        assert rows.height[0] == height if height is not None else isnan(rows.height[0])
        assert rows.vel[0, 2] == climb if climb is not None else isnan(rows.vel[0, 2])
        if speed is not None and track is not None:
            assert np.hypot(*rows.vel[0, :2]) == pytest.approx(speed, abs=0.38)
    assert_as_naive([payload], "odid")


def corpus() -> list[bytes]:
    """Good messages in all carriers, and what random damage makes of them."""
    rng = np.random.default_rng(46750)
    good = [GB_VECTOR, ODID_VECTOR, PACK, swapped(GB_VECTOR), but(lat=None), but(mark="00000000")]
    good += [
        encode_odid_pack(PACK[3:28], ODID_VECTOR, encode_odid_system(39.0, 117.0), b"\x21" * 25)
    ]
    wrapped = [wrap(m) for m in good for wrap, _ in CARRIERS.values()]
    damaged = []
    for payload in wrapped:
        for _ in range(20):
            raw = bytearray(payload)
            for at in rng.integers(0, len(raw), rng.integers(1, 4)):
                raw[at] = rng.integers(256)
            damaged.append(
                bytes(raw[: rng.integers(1, len(raw) + 1)] if rng.random() < 0.3 else raw)
            )
    noise = [rng.bytes(int(n)) for n in rng.integers(0, 120, 400)]
    heads = [
        b"\xff\x20",
        b"\xf1\x19\x02",
        b"\x11",
        b"\x01",
        b"\x2b\xff\x21",
        b"\xdd\x60\xfa\x0b\xbc\x0d",
    ]
    noise += [heads[k % 6] + rng.bytes(int(rng.integers(0, 100))) for k in range(400)]
    noise += [heads[2 + k % 2] + rng.bytes(24) for k in range(200)]
    return wrapped + damaged + noise


@pytest.mark.parametrize("name", ["remote_id", "gb46750", "odid"])
def test_kernels_and_plain_python_agree(name):
    payloads = corpus()
    rng = np.random.default_rng(3411)
    n = len(payloads)
    recv = (T + rng.integers(0, 10**12, n)).tolist()
    assert_as_naive(payloads, name, recv, rng.integers(0, 2, n).tolist())


def test_single_bit_flips_give_rows_or_a_named_reject():
    flips = []
    for good in (GB_VECTOR, ODID_VECTOR, PACK, beacon(element(GB_VECTOR))):
        for bit in range(8 * len(good)):
            raw = bytearray(good)
            raw[bit // 8] ^= 1 << bit % 8
            flips.append(bytes(raw))
    made = decode(flips)
    assert np.isin(made.rejects, list(Reject)).all()
    rows = made.observations
    assert (np.abs(rows.lat) <= 90).all()
    assert (np.abs(rows.lon) <= 180).all()
    assert not np.isinf(rows.vel).any()
    assert_as_naive(flips)


@pytest.mark.parametrize("size", [1, 64, "random"])
def test_how_polls_are_cut_changes_nothing(size):
    payloads = corpus()[::3]
    whole = decode(payloads)
    state, rng = format_named("remote_id").new_state(), np.random.default_rng(7)
    seen, told, rejects, at = [], [], [], 0
    while at < len(payloads):
        n = int(rng.integers(1, 200)) if size == "random" else size
        part = decode(payloads[at : at + n], state=state)
        part.observations.frame[:] += at
        part.readings.frame[:] += at
        seen.append(part.observations)
        told.append(part.readings)
        rejects.append(part.rejects)
        at += n
    assert np.array_equal(np.concatenate(rejects), whole.rejects)
    for parts, want in ((seen, whole.observations), (told, whole.readings)):
        got = type(want).concat(parts)
        for name, _, _, _ in want.schema():
            assert np.array_equal(getattr(got, name), getattr(want, name), equal_nan=True), name


def test_a_flood_of_identities_fills_no_memory_and_changes_no_row():
    names = [f"FLOOD{k:015d}" for k in range(CAPACITY + 5_000)]
    payloads = [GB_VECTOR[:6] + name.encode() + GB_VECTOR[26:] for name in names]
    state = format_named("gb46750").new_state()
    made = decode(payloads, "gb46750", state=state)
    assert len(state.texts.texts) <= CAPACITY
    for k in (0, 40_000, len(names) - 1):
        assert made.observations.ident[k] == ident_of("rid:" + names[k])
    assert len(made.idents) == len(names) + 1


@pytest.mark.parametrize(
    "pattern", ["1581F5FJD239C00{:05d}", "{:05d}", "{:020d}", "A{:05d}" + "0" * 14]
)
def test_names_that_differ_in_a_few_digits_are_found_again(pattern):
    payloads = [but(product_id=pattern.format(k + 1)) for k in range(2_000)]
    state = format_named("gb46750").new_state()
    for _ in range(2):
        decode(payloads, "gb46750", state=state)
    assert len(state.texts.texts) == 2_001  # and the mark


def test_values_that_do_not_fit_are_refused_by_the_encoders():
    for changes in (
        {"height": 40_000.0}, {"speed": 600.0}, {"climb": 64.0}, {"product_id": "A" * 21},
    ):  # fmt: skip
        with pytest.raises(ValueError, match="GB 46750"):
            but(**changes)
    with pytest.raises(ValueError, match="Location"):
        encode_odid_location(39.0, 117.0, speed=300.0)
    with pytest.raises(ValueError, match="Basic ID"):
        encode_odid_basic_id("A" * 21)
    with pytest.raises(ValueError, match="1 to 9"):
        encode_odid_pack()


def test_a_place_that_would_look_unknown_is_written_beside_it():
    made = decode([encode_gb46750(Gb46750(lat=1.0, lon=-1e-7))], "gb46750")
    assert made.observations.lon.tolist() == [0.0]


def test_a_pack_of_nine_identities_brings_no_more_texts_than_a_chunk_has_room_for():
    kinds = (1, 2, 3, 4, 1, 2, 3, 4, 1)
    packs = [
        encode_odid_pack(
            *(encode_odid_basic_id(f"F{k:06d}{m}", id_type=i) for m, i in enumerate(kinds))
        )
        for k in range(3_000)
    ]
    fmt = format_named("odid")
    state = fmt.new_state()
    batch = FrameBatch.of("odid", packs, [0] * len(packs), [T] * len(packs))
    made = fmt.decode(batch, SensorTable.of([Sensor("s", "odid")]), state)
    assert int(state.texts.slots.handed[0]) * CHUNK <= len(packs) * CAPACITY // 2
    last = made.readings.ident[made.readings.frame == 2_999]
    assert any("F002999" in made.idents[i] for i in last.tolist() if i != -1)
