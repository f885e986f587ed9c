"""Mode S: positions of 200 aircraft, even and odd, as hex; with velocities; in Beast."""

from collections.abc import Callable, Sequence

import numpy as np

from v2x.cli.bench.wires import LAG_NS, T_NS, Peer, Wire, of_clone
from v2x.ingest.modes_encode import encode_airborne_position, encode_beast, encode_velocity
from v2x.sensors import Sensor, SensorTable

AIRCRAFT = 200
RECEIVER = {"lat": 39.1, "lon": 117.3}


def _position(rng: np.random.Generator, k: int) -> bytes:
    lat = 39.0 + k % AIRCRAFT / 1000 + rng.random() / 1000
    lon = 117.3 + rng.random() / 1000
    return encode_airborne_position(0x780000 + k % AIRCRAFT, lat, lon, 3000, k // AIRCRAFT % 2 == 1)


def _positions(rng: np.random.Generator, n: int) -> list[bytes]:
    return [_position(rng, k).hex().encode() for k in range(n)]


def _mixed(rng: np.random.Generator, n: int) -> list[bytes]:
    """Positions and velocities by turns."""
    return [
        (
            encode_velocity(0x780000 + k // 2 % AIRCRAFT, 60, -125, -640, 50)
            if k % 2
            else _position(rng, k // 2)
        )
        .hex()
        .encode()
        for k in range(n)
    ]


def _beast(rng: np.random.Generator, n: int) -> list[bytes]:
    return [encode_beast(_position(rng, k), k * 12_000) for k in range(n)]


def _twin() -> Callable[[Sequence[bytes]], int]:
    naive = of_clone("naive_adsb")
    table = SensorTable.of([Sensor("bench", **RECEIVER)])  # type: ignore[arg-type]

    def read(payloads: Sequence[bytes]) -> int:
        n = len(payloads)
        made = naive.decode(payloads, [T_NS + LAG_NS] * n, [0] * n, table)
        return len(made[0])

    return read


TWIN = Peer("Python twin", "", _twin)

WIRES = (
    Wire("adsb-position", "adsb", _positions, floor=5e6, peer=TWIN, sensor=dict(RECEIVER)),
    Wire("adsb-mixed", "adsb", _mixed, peer=TWIN, sensor=dict(RECEIVER)),
    Wire("adsb-beast", "adsb", _beast, floor=5e6, peer=TWIN, sensor=dict(RECEIVER)),
)
