"""Remote ID and ADS-B decoding: a poll to columns, beside the plain twins.

Results are compared before anything is timed, so a figure is a ratio on one host. Covariance,
readings and identity texts are part of what is timed.
"""

import numpy as np
import pytest

from tests.ingest import naive_adsb, naive_remote_id
from v2x.frames import FrameBatch
from v2x.ingest.formats import format_named
from v2x.ingest.modes_encode import encode_airborne_position, encode_velocity
from v2x.ingest.rid_gb46750 import Gb46750, encode_gb46750
from v2x.ingest.rid_odid import encode_odid_basic_id, encode_odid_location, encode_odid_pack
from v2x.ingest.timestamps import SECOND, parse_iso
from v2x.sensors import Sensor, SensorTable

T = parse_iso("2026-11-24T02:11:12Z")
DRONES = 200
TABLE = SensorTable.of([Sensor("receiver", lat=39.1, lon=117.3)])
UNPLACED = SensorTable.of([Sensor("receiver")])


def places(n: int) -> np.ndarray:
    rng = np.random.default_rng(46750)
    return np.column_stack([39.0 + rng.random(n) / 4, 117.2 + rng.random(n) / 4])


def gb46750(n: int) -> list[bytes]:
    """Packets with every item."""
    return [
        encode_gb46750(
            Gb46750(
                product_id=f"1581F5FJD239C00{k % DRONES:05d}", mark="12345678", category=1,
                pilot_lat=39.124, pilot_lon=117.346, pilot_height=-5.0, lat=lat, lon=lon,
                track_deg=k % 360, speed=12.3, height_takeoff=60.0, climb=-1.5, height=52.5,
                pressure_altitude=64.0, nacp=11, vertical=5, speed_accuracy=4, t_ns=T,
                time_accuracy=5,
            )
        )
        for k, (lat, lon) in enumerate(places(n).tolist())
    ]  # fmt: skip


def locations(n: int) -> list[bytes]:
    return [
        encode_odid_location(
            lat, lon, height=52.5, pressure_altitude=64.0, height_takeoff=60.0,
            track_deg=k % 360, speed=10.0, climb=2.0, nacp=11, vertical=4, speed_accuracy=3,
            t_ns=T, time_accuracy=1,
        )
        for k, (lat, lon) in enumerate(places(n).tolist())
    ]  # fmt: skip


def packs(n: int) -> list[bytes]:
    return [
        encode_odid_pack(encode_odid_basic_id(f"1581F5FJD239C00{k % DRONES:05d}"), m, counter=k)
        for k, m in enumerate(locations(n))
    ]


def squitters(n: int) -> list[bytes]:
    """Positions, even and odd, and velocities, of 200 aircraft by turns, as hex."""
    made = []
    for k, (lat, lon) in enumerate(places(n).tolist()):
        icao, turn = 0x780000 + k % DRONES, k // DRONES % 4
        if turn % 2:
            message = encode_velocity(icao, 60, -125, -640, 50)
        else:
            lat, lon = 39.0 + k % DRONES / 1000 + lat % 0.001, 117.3 + lon % 0.001
            message = encode_airborne_position(icao, lat, lon, 3000, turn == 2)
        made.append(message.hex().encode())
    return made


CASES = {
    "gb46750": ("gb46750", gb46750, TABLE),
    "odid location": ("odid", locations, TABLE),
    "odid pack": ("odid", packs, TABLE),
    "adsb, receiver known": ("adsb", squitters, TABLE),
    "adsb, pairs": ("adsb", squitters, UNPLACED),
}


def naively(name, payloads, recv, table):
    if name == "adsb":
        return naive_adsb.decode(payloads, recv, [0] * len(payloads), table)
    return naive_remote_id.decode(payloads, recv, [0] * len(payloads), table)


def times(n: int) -> list[int]:
    return [T + k * SECOND // 1000 for k in range(n)]


@pytest.mark.parametrize("frames", [16, 256, 4096, 65_536])
@pytest.mark.parametrize("case", CASES)
def test_ours(benchmark, case, frames):
    benchmark.group = f"{case}, {frames} frames"
    name, make, table = CASES[case]
    payloads = make(min(frames, 4096)) * (-(-frames // 4096))  # encoding is slow, decoding is timed
    recv = times(frames)
    decoder = format_named(name)
    batch = FrameBatch.of(name, payloads, [0] * frames, recv)
    made = decoder.decode(batch, table, decoder.new_state())
    n = min(frames, 1_000)
    seen, told, rejects, _, _ = naively(name, payloads[:n], recv[:n], table)
    assert made.rejects[:n].tolist() == rejects
    for got, want in ((made.observations, seen), (made.readings, told)):
        for column in want[0] if want else ():
            expected = np.array([row[column] for row in want])
            near = getattr(got, column)[: len(want)]
            np.testing.assert_allclose(near, expected, 1e-6, 1e-7, err_msg=column)
    state = decoder.new_state()
    benchmark(decoder.decode, batch, table, state)
    benchmark.extra_info["frames"] = frames
    benchmark.extra_info["readings"] = len(made.readings)


@pytest.mark.parametrize("case", CASES)
def test_naive(benchmark, case):
    benchmark.group = f"{case}, 256 frames"
    name, make, table = CASES[case]
    payloads, recv = make(256), times(256)
    benchmark(naively, name, payloads, recv, table)
    benchmark.extra_info["frames"] = 256
