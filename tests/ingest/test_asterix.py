import math
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ingest import naive_asterix
from tests.ingest.drawn_asterix import drawn_blocks
from v2x.frames import FrameBatch
from v2x.fusion.placing import place as place_rows
from v2x.geodesy import Tile, undulation
from v2x.ingest.asterix_encode import (
    blocks,
    encode_block,
    encode_record,
    plot_items,
    six_bit,
    split_block,
    track_items,
)
from v2x.ingest.asterix_items import LAYOUTS
from v2x.ingest.asterix_places import bench, place, poses
from v2x.ingest.asterix_rows import MOST_RECORDS
from v2x.ingest.decoded import Reject
from v2x.ingest.formats.asterix import FORMATS
from v2x.ingest.timestamps import DAY, SECOND, parse_iso
from v2x.observations import Flag, Kind, Model, ident_of
from v2x.readings import Name, Readings
from v2x.sensors import Sensor, SensorTable

(FORMAT,) = FORMATS
T = parse_iso("2026-11-24T02:14:31.5Z")
RECV = T + SECOND // 2
V48 = bytes.fromhex("30001ff51f08190a0fc3c02005805555000a01410260fea000a3d55540000a")
V62 = bytes.fromhex(
    "3e0028bb0d1504190a010fc3c0006f49f5014dcbaa0031fff2030918001cffd1d0000c0008fffa0a"
)
RADAR = Sensor(
    "radar", "asterix", lat=39.124, lon=117.346, hae_m=22.0, yaw_deg=1.5, sd_range_m=20.0,
    sd_deg=0.1,
)  # fmt: skip
TABLE = SensorTable.of(
    [
        RADAR,
        Sensor("rough", "asterix", lat=39.3, lon=117.0, sd_m=5.0, sd_up_m=30.0),
        Sensor("tracks", "asterix"),
    ]
)
SOAK = os.environ.get("V2X_SOAK") == "1"


def decode(payloads, table=TABLE, sensor="radar", recv=RECV, state=None):
    n = len(payloads)
    batch = FrameBatch.of("asterix", payloads, [table.row(sensor)] * n, [recv] * n)
    return FORMAT.decode(batch, table, FORMAT.new_state() if state is None else state)


def one(items, category=62, **how):
    made = decode([encode_block(category, [items])], **how)
    assert made.rejects[0] in (Reject.OK, Reject.NOTHING_TO_OBSERVE)
    return made


def told(made, name):
    rows = made.readings
    return rows.value[rows.name == name].tolist()


def equal(made, payloads, sensors, recv, table=TABLE, atol=1e-7):
    """`made` is what the plain twin makes of the payloads."""
    seen, said, rejects = naive_asterix.decode(payloads, recv, sensors, table)
    assert made.rejects.tolist() == rejects
    assert len(made.observations) == len(seen)
    assert len(made.readings) == len(said)
    exact = {"frame", "t_ns", "recv_ns", "sensor", "ident", "track_ref", "kind", "model", "flags"}
    # A radius of curvature stands for the ellipsoid: 0.5 m at the end of the scale.
    near = {"lat": 6e-6, "lon": 6e-6, "height": 1e-6, "el": 1e-5}
    for column, dtype, _, _ in made.observations.schema():
        got = getattr(made.observations, column)
        want = np.array([row[column] for row in seen]).reshape(got.shape)
        if column in exact:
            np.testing.assert_array_equal(got, want, err_msg=column)
        elif column == "cov":
            level = ~(np.abs([row["el"] for row in seen]) > 1.45)  # overhead it is capped
            scale = np.nanmax(np.abs(want), axis=1, keepdims=True, initial=1.0)
            got, want = (got / scale)[level], (want / scale)[level]
            np.testing.assert_allclose(got, want, 0, 5e-3, err_msg=column)
        else:
            rtol = 1e-6 if dtype.itemsize == 4 else 1e-9
            np.testing.assert_allclose(got, want, rtol, near.get(column, atol), err_msg=column)
    np.testing.assert_allclose(made.amsl, [row["amsl"] for row in seen], 1e-12)
    for column, _, _, _ in Readings.schema():
        got = getattr(made.readings, column)
        want = np.array([row[column] for row in said]).reshape(got.shape)
        np.testing.assert_allclose(got, want, 1e-12, near.get(column, 1e-8), err_msg=column)
    assert all(ident_of(text) == key for key, text in made.idents.items())


# --- the twin ------------------------------------------------------------------------------------


@pytest.mark.parametrize("sensor", ["radar", "rough", "tracks"])
def test_random_records_of_all_categories_give_the_rows_of_the_plain_twin(sensor):
    n = 1_000 if SOAK else 80
    payloads = [b for category in LAYOUTS for b in drawn_blocks(category, n, 4)]
    made = decode(payloads, sensor=sensor)
    equal(made, payloads, [TABLE.row(sensor)] * len(payloads), [RECV] * len(payloads))


def test_plots_near_and_far_high_and_low_give_the_rows_of_the_plain_twin():
    rng = np.random.default_rng(48)
    payloads = []
    for k in range(2_000 if SOAK else 150):
        rho = float(rng.choice([200.0, 2e3, 2e4, 2e5, 4e5]) * rng.uniform(0.5, 1.1))
        height = float(rng.uniform(-400, 13_000)) if k % 3 else None
        how = {"amsl": height} if k % 2 else {"pressure": height}
        az, detection = rng.uniform(0, 6.28), int(rng.integers(1, 8))
        items = plot_items(T, rho, az, detection=detection, track=k, **how)
        payloads.append(encode_block(48, [items]))
    for sensor in ("radar", "rough"):
        made = decode(payloads, sensor=sensor)
        near = np.isnan(made.observations.range) | (made.observations.range < 60e3)
        assert near.sum() > 50
        seen, _, _ = naive_asterix.decode(
            payloads, [RECV] * len(payloads), [TABLE.row(sensor)] * len(payloads), TABLE
        )
        metres = 111_320.0 * np.hypot(
            made.observations.lat - [row["lat"] for row in seen],
            (made.observations.lon - [row["lon"] for row in seen]) * math.cos(math.radians(39)),
        )
        assert metres[near].max() < 0.01
        assert metres.max() < 0.5


# --- vectors -------------------------------------------------------------------------------------


def test_a_plot_of_a_3d_radar_is_a_position_with_the_errors_of_range_azimuth_and_height():
    made = decode([V48])
    o = made.observations
    assert o.t_ns[0] == T
    assert o.track_ref[0] == 321
    assert o.range[0] == pytest.approx(5.5 * 1852)
    assert math.degrees(o.az[0]) == pytest.approx(119.998, abs=1e-3)
    assert o.model[0] == Model.POSITION
    assert made.amsl[0] == pytest.approx(250 * 0.3048)
    geoid = undulation(o.lat, o.lon)
    assert o.height[0] == pytest.approx(made.amsl[0] + geoid[0])
    speed = math.hypot(*o.vel[0, :2])
    assert speed == pytest.approx(163 / 16384 * 1852)
    enu = Tile(RADAR.lat, RADAR.lon, RADAR.hae_m).to_enu(o.lat, o.lon, o.height)[0]
    assert np.linalg.norm(enu) == pytest.approx(5.5 * 1852, abs=0.2)
    assert math.degrees(math.atan2(enu[0], enu[1])) == pytest.approx(119.998 + 1.5, abs=1e-3)
    ee, en, _, nn, _, uu = o.cov[0]
    arc = math.radians(0.1) * 10_186
    assert np.linalg.eigvalsh([[ee, en], [en, nn]]) ** 0.5 == pytest.approx([arc, 20.0], abs=0.05)
    assert uu**0.5 == pytest.approx(math.hypot(arc, 7.62 / 12**0.5), rel=1e-3)
    assert told(made, Name.PRESSURE_ALTITUDE) == [pytest.approx(76.2)]


def test_a_system_track_has_its_own_covariance():
    made = decode([V62], sensor="tracks")
    o = made.observations
    assert o.t_ns[0] == T
    assert (o.lat[0], o.lon[0]) == pytest.approx((39.125002, 117.350003), abs=1e-6)
    assert o.vel[0].tolist() == pytest.approx([12.25, -3.5, -293.75 * 0.3048 / 60])
    assert o.track_ref[0] == 777
    assert o.height[0] == pytest.approx(175 * 0.3048)
    assert o.cov[0].tolist() == pytest.approx([36, -9, 0, 16, 0, (62.5 * 0.3048) ** 2])
    assert o.flags[0] == 0
    rough = decode([V62], sensor="rough").observations
    assert rough.cov[0].tolist() == pytest.approx([36, -9, 0, 25, 0, 900])


# --- rules ---------------------------------------------------------------------------------------


def test_a_plot_without_height_keeps_range_and_azimuth_and_doubts_the_range_by_the_slant():
    for rho, slant in ((1_000.0, 5.0), (10_000.0, 0.5), (40.0, 40.0)):
        o = one(plot_items(T, rho, 1.0), 48).observations
        assert o.model[0] == Model.POLAR
        assert o.range_sd[0] == pytest.approx(math.hypot(20.0, slant), rel=0.1)
        assert np.isnan(o.height[0])
        assert np.isnan(o.el[0])
        assert np.isnan(o.cov[0, 5])
        assert np.isfinite([o.lat[0], o.lon[0], *o.cov[0, :5]]).all()


def test_a_mode_c_height_corrects_the_slant_and_is_no_height():
    level = one(plot_items(T, 5_000.0, 0.0, detection=2), 48).observations
    o = one(plot_items(T, 5_000.0, 0.0, detection=2, pressure=3_000.0), 48).observations
    assert o.model[0] == Model.POSITION
    assert np.isnan(o.height[0])
    assert o.flags[0] & Flag.HEIGHT_BAROMETRIC
    ground = (o.lat[0] - RADAR.lat) / (level.lat[0] - RADAR.lat)
    assert ground == pytest.approx(0.8, abs=0.01)
    # 100 m of height at 37 deg of elevation are 75 m on the ground.
    radial = o.cov[0, 3] if o.cov[0, 3] > o.cov[0, 0] else o.cov[0, 0]
    assert radial**0.5 == pytest.approx(math.hypot(75.0, 25.0), rel=0.03)


def test_a_height_that_the_range_cannot_reach_is_dropped_and_counted():
    made = one(plot_items(T, 2_000.0, 0.0, amsl=9_000.0), 48)
    assert made.counts == {"height_beyond_range": 1}
    assert made.observations.model[0] == Model.POLAR
    assert np.isnan(made.amsl[0])


def test_the_tracker_is_given_what_the_radar_measured():
    tile = Tile(39.1, 117.3, 0.0)
    table = SensorTable.of([RADAR.placed(tile)])
    plots_sent = [plot_items(T, 3_000.0, 0.7, amsl=500.0), plot_items(T, 3_000.0, 0.7)]
    payload = encode_block(48, plots_sent)
    made = decode([payload], table=table)
    plots, refused = place_rows(made.observations, Readings.blank(), tile, table, 0.0)
    assert refused == 0
    assert plots.sights.model.tolist() == [Model.POSITION, Model.POLAR]
    away = plots.rows.z - [table[0].east_m, table[0].north_m, table[0].up_m]
    assert np.linalg.norm(away[0]) == pytest.approx(3_000.0, abs=4.0)
    assert np.linalg.norm(away[1, :2]) == pytest.approx(3_000.0, abs=4.0)
    for row in away:
        assert math.atan2(row[0], row[1]) == pytest.approx(0.7 + math.radians(1.5), abs=1e-3)


def test_a_radar_without_a_place_gives_polar_rows_without_position():
    o = one(plot_items(T, 3_000.0, 0.7, amsl=500.0), 48, sensor="tracks").observations
    assert o.model[0] == Model.POLAR
    assert np.isnan([o.lat[0], o.lon[0], o.height[0]]).all()
    assert o.range[0] == pytest.approx(3_000.0, abs=4.0)
    assert o.range_sd[0] == 120.0


@pytest.mark.parametrize(
    ("category", "items"),
    [
        (48, plot_items(T, 3_000.0, 1.0, detection=0, track=55)),
        (62, track_items(T, 39.2, 117.4, 55, status=b"\x01\x01\x01\x80")),
    ],
)
def test_a_guess_of_another_tracker_is_a_reading_and_no_observation(category, items):
    made = one(items, category)
    assert made.rejects[0] == Reject.NOTHING_TO_OBSERVE
    assert told(made, Name.TRACK_COASTING) == [55]
    assert np.isfinite([made.readings.lat[0], made.readings.lon[0]]).all()


def test_the_last_message_of_a_track_ends_it():
    track = one(track_items(T, 39.2, 117.4, 4, status=b"\x01\x40"))
    plot = one(plot_items(T, 3_000.0, 1.0, track=4) | {"170": b"\x01\x80"}, 48)
    for made in (track, plot):
        assert told(made, Name.TRACK_END) == [4]
        assert made.observations.flags[0] == Flag.LOW_QUALITY


def test_a_site_monitor_is_no_target():
    made = one(plot_items(T, 8_000.0, 3.0) | {"020": b"\x42"}, 48)
    assert not len(made.observations)
    assert told(made, Name.RADAR_MONITOR) == [pytest.approx(8_000.0, abs=4.0)]
    assert told(made, Name.RADAR_MONITOR_AZ) == [pytest.approx(3.0, abs=1e-4)]


@pytest.mark.parametrize(
    ("category", "items"),
    [
        (62, track_items(T, 39.2, 117.4, 4, status=b"\x01\x80")),
        (48, plot_items(T, 3_000.0, 1.0) | {"020": b"\x30"}),
        (48, plot_items(T, 3_000.0, 1.0) | {"020": b"\x21\x80"}),
    ],
)
def test_simulated_and_test_targets_are_flagged(category, items):
    assert one(items, category).observations.flags[0] & Flag.SIMULATED


def test_a_range_beyond_the_scale_or_of_zero_gives_no_row():
    beyond = one(plot_items(T, 3_000.0, 1.0) | {"020": b"\x21\x40"}, 48)
    zero = one(plot_items(T, 0.0, 1.0), 48)
    assert beyond.counts == {"range_beyond_scale": 1}
    assert zero.counts == {"range_zero": 1}
    assert not len(beyond.observations) + len(zero.observations)


@pytest.mark.parametrize(
    ("category", "more", "kind", "conf"),
    [
        (62, {"380": {21: b"\x0d"}}, Kind.UAS, 0.9),
        (62, {"380": {21: b"\x0a"}}, Kind.HELICOPTER, 0.9),
        (62, {"380": {21: b"\x14"}}, Kind.EMERGENCY_VEHICLE, 0.9),
        (62, {"380": {21: b"\x10"}}, Kind.UNKNOWN, 0.0),
        (62, {"300": b"\x09"}, Kind.BUS, 0.7),
        (62, {"300": b"\x07"}, Kind.EMERGENCY_VEHICLE, 0.7),
        (62, {"060": b"\x02\x00"}, Kind.AIRCRAFT, 0.6),
        (62, {}, Kind.UNKNOWN, 0.0),
        (48, {"030": b"\x26"}, Kind.BIRD, 0.7),
        (48, {"030": b"\x0b\x30"}, Kind.HELICOPTER, 0.7),
        (48, {"020": b"\x40"}, Kind.AIRCRAFT, 0.6),
        (48, {}, Kind.UNKNOWN, 0.0),
    ],
)
def test_the_kind_comes_from_the_best_that_is_said(category, more, kind, conf):
    base = track_items(T, 39.2, 117.4, 4) if category == 62 else plot_items(T, 3_000.0, 1.0)
    o = one(base | more, category).observations
    assert o.kind[0] == kind
    assert o.kind_conf[0] == pytest.approx(conf)


def test_a_track_is_a_self_report_only_if_squitters_alone_feed_it():
    base = track_items(T, 39.2, 117.4, 4)
    for ages, alone in (
        ({1: b"\0", 6: b"\x04"}, True),
        ({6: b"\x04", 2: b"\xff"}, True),
        ({6: b"\x04", 2: b"\x20"}, False),
        ({6: b"\xff"}, False),
        ({2: b"\x04"}, False),
    ):
        flags = one(base | {"290": ages}).observations.flags[0]
        assert bool(flags & Flag.SELF_REPORTED) == alone, ages


def test_heights_above_the_sea_become_heights_above_the_ellipsoid():
    made = one(track_items(T, 39.2, 117.4, 4, amsl=121.92))
    o = made.observations
    assert made.amsl[0] == pytest.approx(121.92)
    assert o.height[0] == pytest.approx(121.92 + undulation(o.lat, o.lon)[0])
    away = one(track_items(T, 50.0, 8.0, 4, amsl=121.92))
    assert np.isnan(away.observations.height[0])
    assert np.isnan(away.observations.cov[0, 5])
    assert away.observations.flags[0] & Flag.DATUM_UNCERTAIN
    assert away.amsl[0] == pytest.approx(121.92)


def test_a_pressure_altitude_is_a_reading_and_leaves_the_height_unknown():
    for items in ({"136": b"\x00\x0a"}, {"135": b"\x00\x0a"}):
        made = one(track_items(T, 39.2, 117.4, 4) | items)
        assert told(made, Name.PRESSURE_ALTITUDE) == [pytest.approx(76.2)]
        assert made.observations.flags[0] & Flag.HEIGHT_BAROMETRIC
        assert np.isnan(made.observations.height[0])
    low = one(track_items(T, 39.2, 117.4, 4, height=-11.43))
    assert low.observations.height[0] == pytest.approx(-11.43)


def test_identity_callsign_squawk_and_emergency_are_told():
    items = track_items(
        T, 39.2, 117.4, 4, icao=0x780ABC, callsign="CCA1234", squawk=7700,
        status=b"\x01\x01\x01\x01\x08",
    )  # fmt: skip
    made = one(items)
    assert made.idents[int(made.observations.ident[0])] == "icao:780abc"
    assert (made.readings.ident == made.observations.ident[0]).all()
    assert told(made, Name.SQUAWK) == [7700]
    assert told(made, Name.EMERGENCY) == [1]
    (row,) = np.flatnonzero(made.readings.name == Name.CALLSIGN)
    assert made.idents[int(made.readings.ident2[row])] == "callsign:CCA1234"
    registered = one(track_items(T, 39.2, 117.4, 4) | {"245": b"\x80" + six_bit("B1234")})
    assert list(registered.idents.values()) == ["registration:B1234"]
    planned = one(track_items(T, 39.2, 117.4, 4) | {"390": {2: b"CSN88  "}})
    assert "callsign:CSN88" in planned.idents.values()
    nobody = one(track_items(T, 39.2, 117.4, 4, icao=0))
    assert nobody.observations.ident[0] == -1


def test_a_covariance_that_is_none_loses_its_cross_term():
    made = one(track_items(T, 39.2, 117.4, 4, cov=(4.0, 25.0, 4.0)))
    assert made.observations.cov[0, :4].tolist() == [4.0, 0.0, 0.0, 4.0]
    assert made.counts == {"covariance_not_positive": 1}


@pytest.mark.parametrize(
    ("sent", "arrives"),
    [
        ("2026-11-23T23:59:59.5Z", "2026-11-24T00:00:00.2Z"),
        ("2026-11-24T00:00:00.5Z", "2026-11-23T23:59:59.9Z"),
        ("2026-11-24T00:00:00Z", "2026-11-24T00:00:00Z"),
        ("2026-11-24T13:00:00Z", "2026-11-24T02:00:00Z"),
    ],
)
def test_the_day_is_the_one_nearest_to_arrival(sent, arrives):
    t, recv = parse_iso(sent), parse_iso(arrives)
    for items, category in ((track_items(t, 39.2, 117.4, 4), 62), (plot_items(t, 3e3, 1.0), 48)):
        o = one(items, category, recv=recv).observations
        assert o.t_ns[0] == t
        assert bool(o.flags[0] & Flag.TIME_SUSPECT) == (t - recv > 2 * SECOND)


def test_a_time_that_is_none_becomes_the_arrival():
    base = track_items(T, 39.2, 117.4, 4)
    missing = one({name: item for name, item in base.items() if name != "070"})
    beyond = one(base | {"070": b"\xff\xff\xff"})
    for made in (missing, beyond):
        assert made.observations.t_ns[0] == RECV
        assert made.observations.flags[0] == Flag.TIME_FROM_ARRIVAL
    assert beyond.counts == {"time_of_day_range": 1}
    last = one(base | {"070": (86_400 * 128 + 64).to_bytes(3, "big")}, recv=T // DAY * DAY)
    assert last.observations.t_ns[0] == T // DAY * DAY + SECOND // 2


def test_status_messages_are_readings():
    north = {
        "010": b"\x19\x0a", "000": b"\x01", "030": b"\x0f\xc3\xc0", "041": b"\x02\x00",
        "050": {1: b"\x92"}, "090": b"\xff\x02",
    }  # fmt: skip
    made = one(north, 34)
    assert told(made, Name.HEARTBEAT) == [1]
    assert told(made, Name.RADAR_STATUS) == [1 | 2 | 4]
    assert told(made, Name.ANTENNA_PERIOD_S) == [4.0]
    assert told(made, Name.RADAR_RANGE_ERROR_M) == [pytest.approx(-1852 / 128)]
    assert told(made, Name.RADAR_AZ_ERROR) == [pytest.approx(math.radians(2 * 360 / 16384))]
    assert made.readings.t_ns.tolist() == [T] * 5
    system = one({"010": b"\1\2", "030": b"\x0f\xc3\xc0", "040": b"\x70"}, 65)
    assert told(system, Name.RADAR_STATUS) == [16 | 2 | 4]


def test_a_squitter_is_a_self_report_with_its_own_accuracy():
    items = {
        "010": b"\x19\x0a", "040": b"\x00", "073": b"\x0f\xc3\xc0", "080": b"\x78\x0a\xbc",
        "130": (round(39.2 / 180 * 2**23)).to_bytes(3, "big")
        + (round(117.4 / 180 * 2**23)).to_bytes(3, "big"),
        "140": b"\x00\x40", "145": b"\x00\x28", "090": b"\x25\x14", "020": b"\x0d",
        "170": six_bit("UAS7"),
    }  # fmt: skip
    made = one(items, 21, sensor="tracks")
    o = made.observations
    assert o.t_ns[0] == T
    assert (o.lat[0], o.lon[0]) == pytest.approx((39.2, 117.4), abs=2e-5)
    assert o.height[0] == pytest.approx(400 * 0.3048)
    assert o.cov[0, 0] == 25.0
    assert o.kind[0] == Kind.UAS
    assert o.flags[0] == Flag.SELF_REPORTED
    assert made.idents[int(o.ident[0])] == "icao:780abc"
    assert told(made, Name.NACP) == [10]
    assert told(made, Name.GEO_MINUS_BARO_M) == [pytest.approx((400 - 1000) * 0.3048)]
    hidden = one(items | {"040": b"\x60"}, 21)
    assert "adsb18:780abc" in hidden.idents.values()
    fixed = one(items | {"040": b"\x02"}, 21)
    assert not len(fixed.observations)
    assert fixed.counts == {"site_monitor": 1}
    assert FORMAT.timed(encode_block(21, [items]))


# --- envelope ------------------------------------------------------------------------------------


def test_blocks_of_several_categories_stand_in_one_payload():
    payload = V62 + V48 + b"\xf0\x00\x05ab" + V48
    made = decode([payload])
    assert made.observations.track_ref.tolist() == [777, 321, 321]
    assert made.counts == {"category_240": 1}
    assert [len(block) for block in blocks(payload)] == [len(V62), len(V48), 5, len(V48)]
    assert list(FORMAT.cut(payload)) == blocks(payload)


@pytest.mark.parametrize("block", [V48, V62])
def test_no_part_of_a_block_is_a_frame(block):
    made = decode([block[:n] for n in range(len(block))])
    assert (made.rejects == Reject.SHORT).all()
    assert not len(made.observations) + len(made.readings)


@pytest.mark.parametrize("block", [V48, V62])
def test_a_record_cut_inside_its_block_is_refused(block):
    cut = [block[:1] + n.to_bytes(2, "big") + block[3:n] for n in range(4, len(block))]
    assert (decode(cut).rejects == Reject.BAD_LENGTH).all()


def test_zeros_behind_the_blocks_are_flagged_and_anything_else_is_refused():
    made = decode([V62 + bytes(5), V62 + b"\0\0\0\1", V62 + b"\x3e"])
    assert made.rejects.tolist() == [Reject.OK, Reject.BAD_LENGTH, Reject.SHORT]
    assert made.observations.flags.tolist() == [Flag.LENGTH_BAD]
    assert made.counts == {"padded": 1}


def test_another_edition_is_refused_by_name():
    spare = bytes.fromhex("3e0007c001020304")[:8]
    beyond = b"\x3e\x00\x09\x01\x01\x01\x01\x01\x80"
    south = V62[:13] + b"\x7f" + V62[14:]
    compound = b"\x22\x00\x07\x04" + b"\x40\x00\x00"
    made = decode([b"\x3e\x00\x08" + spare[3:8], beyond, south, compound])
    assert made.rejects.tolist() == [Reject.UNKNOWN_EDITION] * 4


def test_a_frame_of_too_many_records_is_refused():
    record = encode_record(62, {"015": b"\1"})
    fits = b"\x3e" + (3 + 2 * MOST_RECORDS).to_bytes(2, "big") + record * MOST_RECORDS
    over = fits + b"\x3e\x00\x05" + record
    made = decode([fits, over])
    assert made.rejects.tolist() == [Reject.NOTHING_TO_OBSERVE, Reject.TOO_COMPLEX]


def test_more_addresses_than_the_table_of_texts_holds_are_all_told_apart():
    items = [track_items(T, 39.2, 117.4, 4, icao=k + 1, callsign=f"C{k}") for k in range(40_000)]
    payloads = [encode_block(62, items[at : at + 800]) for at in range(0, len(items), 800)]
    made = decode(payloads)
    assert len(made.observations) == 40_000
    assert len(np.unique(made.observations.ident)) == 40_000
    assert made.idents[int(made.observations.ident[39_999])] == f"icao:{40_000:06x}"


def test_a_frame_with_its_own_time_is_known_by_it():
    assert FORMAT.timed(V48)
    assert FORMAT.timed(V62)
    assert not FORMAT.timed(encode_block(62, [{"010": b"\1\2"}]))
    assert not FORMAT.timed(b"\xf0\x00\x03")
    assert not FORMAT.timed(b"")


@given(st.binary(max_size=80), st.sampled_from(list(LAYOUTS)))
@settings(max_examples=300 if not SOAK else 20_000, deadline=None)
def test_any_bytes_in_a_block_give_what_the_plain_twin_gives(body, category):
    payload = bytes([category]) + (3 + len(body)).to_bytes(2, "big") + body
    equal(decode([payload]), [payload], [TABLE.row("radar")], [RECV])
    records = FORMAT.extra(payload).get("records", [])
    assert all(record["category"] == category for record in records)


@given(st.binary(max_size=80))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_told_about_without_an_error(payload):
    FORMAT.extra(payload)
    list(FORMAT.cut(payload))


# --- encoder -------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", [V48, V62])
def test_what_is_taken_apart_is_joined_to_the_same_bytes(block):
    assert encode_block(block[0], split_block(block)) == block


def test_the_vectors_are_what_the_encoder_makes_of_their_values():
    track = track_items(
        T, 39.125002, 117.350003, 777, sac=25, sic=10, vel=(12.25, -3.5), height=53.34,
        climb=-1.49225, cov=(36, -9, 16), height_sd=19.05, status=b"\x18",
    )  # fmt: skip
    assert encode_block(62, [track | {"015": b"\x01"}]) == V62
    plot = plot_items(
        T, 10_186.0, math.radians(119.998), sac=25, sic=10, track=321, pressure=76.2, amsl=76.2,
        vel=(18.4249, math.radians(299.998)),
    )  # fmt: skip
    assert encode_block(48, [plot | {"042": b"\x02\x60\xfe\xa0", "170": b"\x40"}]) == V48


def test_the_encoder_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="no item 999"):
        encode_record(62, {"999": b""})
    with pytest.raises(ValueError, match="no subfields"):
        encode_record(62, {"500": {9: b""}})
    with pytest.raises(ValueError, match="does not fit"):
        track_items(T, 39.2, 117.4, 4, vel=(9_000.0, 0.0))
    with pytest.raises(ValueError, match="longer"):
        encode_block(62, [{"010": b"\1\2"}] * 30_000)
    with pytest.raises(ValueError, match="A-Z"):
        track_items(T, 39.2, 117.4, 4, callsign="lower")


@pytest.mark.parametrize("block", [b"\xf0\x00\x03", V48])
def test_extra_tells_4096_records_of_a_payload_that_is_made_of_them(block):
    payload = block * 5_000
    assert len(FORMAT.extra(payload)["records"]) == 4_096
    assert len(FORMAT.extra(payload[: 100 * len(block)])["records"]) == 100


def test_extra_tells_what_no_column_holds():
    made = FORMAT.extra(V62 + V48 + b"\xf0\x00\x05ab")
    assert made == {
        "records": [
            {"category": 62, "sac": 25, "sic": 10, "items": {"015": "01", "080": "18"}},
            {
                "category": 48,
                "sac": 25,
                "sic": 10,
                "items": {"020": "20", "042": "0260fea0", "170": "40"},
            },
            {"category": 240, "bytes": 5},
        ]
    }


# --- places --------------------------------------------------------------------------------------


@given(
    st.floats(100.0, 4e5), st.floats(0.0, 6.3), st.one_of(st.just(math.nan), st.floats(-400, 2e4)),
    st.floats(-85, 85), st.floats(-180, 180),
)  # fmt: skip
@settings(max_examples=500, deadline=None)
def test_covariances_are_positive_wherever_the_target_is(rho, az, height, lat, lon):
    (pose,) = poses(SensorTable.of([Sensor("r", lat=lat, lon=lon, hae_m=50.0)]))
    room = bench()
    if math.isnan(place(pose, rho, az, height, 20.0, 0.002, 50.0, room)):
        return
    ee, en, eu, nn, nu, uu = room.cov[:6]
    made = np.array([[ee, en, eu], [en, nn, nu], [eu, nu, uu]])
    if math.isnan(height):
        made = made[:2, :2]
    assert np.isfinite(made).all()
    assert np.linalg.eigvalsh(made)[0] > -1e-9 * np.trace(made)
