"""Remote ID: GB 46750 packets with every item, F3411 locations alone and in packs."""

from collections.abc import Callable, Sequence

import numpy as np

from v2x.cli.bench.wires import LAG_NS, T_NS, Peer, Wire, of_clone
from v2x.ingest.rid_gb46750 import Gb46750, encode_gb46750
from v2x.ingest.rid_odid import encode_odid_basic_id, encode_odid_location, encode_odid_pack
from v2x.sensors import Sensor, SensorTable

DRONES = 200


def places(rng: np.random.Generator, n: int) -> list[list[float]]:
    """Latitude and longitude of n messages."""
    made: list[list[float]] = (np.array([39.0, 117.2]) + rng.random((n, 2)) / 4).tolist()
    return made


def _packets(rng: np.random.Generator, n: int) -> list[bytes]:
    return [
        encode_gb46750(
            Gb46750(
                product_id=f"1581F5FJD239C00{k % DRONES:05d}", mark="12345678", category=1,
                pilot_lat=39.124, pilot_lon=117.346, pilot_height=-5.0, lat=lat, lon=lon,
                track_deg=k % 360, speed=12.3, height_takeoff=60.0, climb=-1.5, height=52.5,
                pressure_altitude=64.0, nacp=11, vertical=5, speed_accuracy=4, t_ns=T_NS,
                time_accuracy=5,
            )
        )
        for k, (lat, lon) in enumerate(places(rng, n))
    ]  # fmt: skip


def _locations(rng: np.random.Generator, n: int) -> list[bytes]:
    return [
        encode_odid_location(
            lat, lon, height=52.5, pressure_altitude=64.0, height_takeoff=60.0,
            track_deg=k % 360, speed=10.0, climb=2.0, nacp=11, vertical=4, speed_accuracy=3,
            t_ns=T_NS, time_accuracy=1,
        )
        for k, (lat, lon) in enumerate(places(rng, n))
    ]  # fmt: skip


def _packs(rng: np.random.Generator, n: int) -> list[bytes]:
    return [
        encode_odid_pack(encode_odid_basic_id(f"1581F5FJD239C00{k % DRONES:05d}"), one, counter=k)
        for k, one in enumerate(_locations(rng, n))
    ]


def _twin() -> Callable[[Sequence[bytes]], int]:
    naive = of_clone("naive_remote_id")
    table = SensorTable.of([Sensor("bench")])

    def read(payloads: Sequence[bytes]) -> int:
        n = len(payloads)
        made = naive.decode(payloads, [T_NS + LAG_NS] * n, [0] * n, table)
        return len(made[0])

    return read


TWIN = Peer("Python twin", "", _twin)

WIRES = (
    Wire("gb46750", "gb46750", _packets, floor=3e6, peer=TWIN),
    Wire("odid-location", "odid", _locations, floor=3e6, peer=TWIN),
    Wire("odid-pack", "odid", _packs, floor=3e6, peer=TWIN),
)
