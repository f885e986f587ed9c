"""Wild clocks of receivers, drones and gateways through the whole pipeline."""

from dataclasses import replace

import numpy as np
import pytest

from v2x.app import Pipeline
from v2x.config import config_from
from v2x.frames import Frame, Poll
from v2x.ingest.decoding import Decoding
from v2x.ingest.formats.columns import encode_columns
from v2x.ingest.formats.nmea import encode_rmc
from v2x.ingest.modes_encode import encode_airborne_position, encode_beast, gnss_clock
from v2x.ingest.rid_gb46750 import Gb46750, encode_gb46750
from v2x.readings import Name

S = 1_000_000_000
T = 1_795_486_272 * S
HOUR = 3600 * S
LAT, LON = 39.1244, 117.3460
SECONDS = 10


def receiver(t_ns: int, k: int, off_ns: int) -> bytes:
    return encode_rmc(t_ns + off_ns, LAT, LON + k * 1e-4, 8.6, 90.0)


def drone(t_ns: int, k: int, off_ns: int) -> bytes:
    report = Gb46750(
        product_id="ABCDE012345678901234", lat=LAT, lon=LON + k * 1e-4, height=52.5,
        track_deg=90.0, speed=8.6, nacp=11, vertical=5, t_ns=t_ns + off_ns,
    )  # fmt: skip
    return encode_gb46750(report, counter=k)


def squitter(t_ns: int, k: int, off_ns: int) -> bytes:
    message = encode_airborne_position(0x780ABC, LAT, LON + k * 1e-3, 1200, k % 2 == 1)
    return encode_beast(message, gnss_clock(t_ns + off_ns))


def look(t_ns: int, k: int, off_ns: int) -> bytes:
    columns = {"lat": [LAT], "lon": [LON + k * 1e-4], "height": [3.0], "track_ref": [7]}
    columns["cov"] = [[1.0, 0.0, 0.0, 1.0, 0.0, 4.0]]
    return encode_columns(t_ns + off_ns, k, {n: np.array(v) for n, v in columns.items()})


SENDERS = {"nmea": receiver, "gb46750": drone, "adsb": squitter, "columns": look}
KINDS = {"nmea": "self_report", "gb46750": "remote_id", "adsb": "ads_b", "columns": "radar"}


def pipeline_of(format: str, folder, pictures: list) -> Pipeline:
    more = {"edition": "gnss", "lat": LAT, "lon": LON} if format == "adsb" else {}
    more |= {"clutter_density": 1e-8} if format == "columns" else {}
    sensors = [
        {"name": name, "format": format, "kind": KINDS[format], **more} for name in ("good", "wild")
    ]
    tree = {"site": {"lat": LAT, "lon": LON}, "sensors": sensors}
    return Pipeline(config_from(tree, "test", folder), watch=pictures.append)


def frames(format: str, sensor: str, off_ns: int) -> list[Frame]:
    return [
        Frame(t + S // 10, sensor, format, SENDERS[format](t, k, off_ns), ("t", 0), k)
        for k, t in enumerate(T + k * S for k in range(SECONDS))
    ]


def run(format: str, folder, given: list[Frame]):
    pictures: list = []
    pipeline = pipeline_of(format, folder, pictures)
    ordered = sorted(given, key=lambda f: (f.recv_ns, f.sensor))
    pipeline.feed(Poll([replace(f, seq=k) for k, f in enumerate(ordered)]))
    pipeline.finish()
    return pipeline, pictures


WILD = {
    "1970": 3 * HOUR - T,
    "2099": 73 * 365 * 24 * HOUR,
    "local time sent as UTC": 8 * HOUR,
    "UTC taken for local time": -8 * HOUR,
}
CASES = [
    (format, off)
    for format in SENDERS
    for off in WILD
    # a clock without a date cannot be years off
    if not (format == "adsb" and off in ("1970", "2099"))
]


@pytest.mark.parametrize(("format", "off"), CASES)
def test_a_wild_clock_founds_no_track_and_holds_up_nobody(tmp_path, format, off):
    good = frames(format, "good", 0)
    _, alone = run(format, tmp_path, good)
    assert len({int(i) for picture in alone for i in picture.tracks.id}) == 1

    pipeline, both = run(format, tmp_path, good + frames(format, "wild", WILD[off]))
    for one, two in zip(alone, both, strict=False):
        assert one.t_ns == two.t_ns
        assert one.tracks.id.tolist() == two.tracks.id.tolist()
        assert one.tracks.x.tobytes() == two.tracks.x.tobytes()
    assert abs(len(both) - len(alone)) <= 3
    rows = pipeline.counts.rows
    assert rows["late"] + rows["refused_future"] == SECONDS
    assert rows["used"] == SECONDS

    only, _ = run(format, tmp_path, frames(format, "wild", WILD[off]))
    assert only.tracks == 0


@pytest.mark.parametrize(("format", "off"), CASES)
def test_a_wild_clock_is_told(tmp_path, format, off):
    if format == "columns" and off == "UTC taken for local time":
        pytest.skip("a gateway may send what it had stored: hours late is no fault of its clock")
    pipeline = pipeline_of(format, tmp_path, [])
    rows = Decoding(pipeline.sensors).decode(frames(format, "wild", WILD[off]))
    told = rows.readings.value[rows.readings.name == Name.CLOCK_OFFSET_S]
    assert len(told) >= SECONDS - 1  # the last epoch of a receiver is still open
    if format == "nmea" and off in ("1970", "2099"):  # two digits of a year: 2070, 1999
        assert (np.abs(told) > 20 * 365 * 24 * 3600).all()
    else:
        assert told == pytest.approx(WILD[off] / S, abs=1.0)
