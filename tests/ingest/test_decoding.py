"""From frames to rows: duplicates, strangers, datums, and nothing that depends on poll cuts."""

import numpy as np
import pytest

from v2x.frames import Frame
from v2x.ingest.decoding import DEAD, DUPLICATE, PROCESSED, Decoding
from v2x.ingest.formats.columns import encode_columns
from v2x.observations import Flag
from v2x.sensors import Datum, Sensor, SensorTable

T0 = 1_795_486_272_000_000_000
S = 1_000_000_000
SENSORS = SensorTable.of(
    [
        Sensor("box", "nmea", sd_m=1.0),
        Sensor("map", "columns", datum=Datum.GCJ02, sd_m=1.0),
        Sensor("radar", "columns", sd_m=1.0),
    ]
)


def look(seq: int = 1, lat: float = 39.1244, lon: float = 117.346) -> bytes:
    return encode_columns(T0, seq, {"lat": [lat], "lon": [lon]})


def frame(payload: bytes, at_s: float = 0.0, sensor="radar", form="columns", seq=0) -> Frame:
    return Frame(T0 + round(at_s * S), sensor, form, payload, ("t", 0), seq)


def test_a_frame_of_a_stranger_or_of_no_format_is_dead_lettered_by_name():
    rows = Decoding(SENSORS).decode(
        [frame(look(), sensor="who"), frame(look(), form="morse"), frame(b"x" * (1 << 20) + b"y")]
    )
    assert rows.fate.tolist() == [DEAD] * 3
    assert sorted(d.reason for d in rows.dead) == ["oversize", "unknown_format", "unknown_sensor"]
    assert not len(rows.observations)


def test_an_undecodable_frame_takes_no_other_with_it():
    rows = Decoding(SENSORS).decode([frame(look(1)), frame(b"\xc1", seq=7), frame(look(2))])
    assert rows.fate.tolist() == [PROCESSED, DEAD, PROCESSED]
    assert rows.observations.frame.tolist() == [0, 2]
    assert [(d.reason, d.frame.seq) for d in rows.dead] == [("bad_map", 7)]


@pytest.mark.parametrize(("gap_s", "fate"), [(0.0, DUPLICATE), (10.0, DUPLICATE), (10.1, 0)])
def test_equal_bytes_with_their_own_clock_repeat_within_ten_seconds(gap_s, fate):
    rows = Decoding(SENSORS).decode([frame(look()), frame(look(), gap_s)])
    assert rows.fate.tolist() == [PROCESSED, fate]


def test_equal_lines_without_a_clock_are_a_repeat_only_when_redelivered():
    line = b"$GNVTG,090.0,T,,M,24.62,N,45.6,K,R*2B\r\n"
    rows = Decoding(SENSORS).decode(
        [frame(line, at, "box", "nmea", seq) for seq, at in enumerate((0.0, 1.0, 1.0))]
    )
    assert (rows.fate == DUPLICATE).tolist() == [False, False, True]


def test_two_sensors_may_say_the_same():
    rows = Decoding(SENSORS).decode([frame(look()), frame(look(), sensor="map")])
    assert rows.fate.tolist() == [PROCESSED, PROCESSED]


def test_rows_of_a_sensor_in_the_shifted_datum_are_converted_and_flagged():
    rows = Decoding(SENSORS).decode([frame(look(1)), frame(look(2), sensor="map")]).observations
    assert rows.lat[0] == 39.1244
    north_m = (39.1244 - rows.lat[1]) * 111_000
    east_m = (117.346 - rows.lon[1]) * 111_320 * np.cos(np.radians(39.12))
    assert (east_m, north_m) == pytest.approx((559.9, 124.2), abs=3.0)
    assert rows.flags[1] & Flag.DATUM_CONVERTED
    assert not rows.flags[0] & Flag.DATUM_CONVERTED


def test_where_polls_are_cut_changes_no_row_and_no_fate():
    rng = np.random.default_rng(1)
    frames = []
    for i in range(60):
        payload = look(i, 39 + rng.random() / 10) if i % 7 else rng.bytes(30)
        frames.append(frame(payload if i % 5 else look(0), i / 10, seq=i))
    whole = Decoding(SENSORS).decode(frames)
    cut = Decoding(SENSORS)
    parts = [cut.decode(frames[i : i + 1]) for i in range(len(frames))]
    assert whole.fate.tolist() == [int(p.fate[0]) for p in parts]
    lat = np.concatenate([p.observations.lat for p in parts])
    assert np.array_equal(lat, whole.observations.lat)
