"""JT/T 809: positions of vehicles as one platform relays them to another."""

from collections.abc import Callable, Sequence

import numpy as np

from v2x.cli.bench.wires import LAG_NS, T_NS, Peer, Wire, of_clone
from v2x.ingest.formats.jt809 import position_2011, vehicle_body
from v2x.ingest.jt809_frames import framed

VEHICLES = 100


def _relayed(rng: np.random.Generator, n: int) -> list[bytes]:
    return [
        framed(
            0x1200, k,
            vehicle_body(
                f"津A{k % VEHICLES:05d}", 2, 0x1202,
                position_2011(
                    T_NS + k // VEHICLES * 1_000_000_000, 39.0 + rng.random() / 4,
                    117.2 + rng.random() / 4, speed_kmh=45, heading_deg=80, altitude_m=3,
                ),
            ),
        )
        for k in range(n)
    ]  # fmt: skip


def _twin() -> Callable[[Sequence[bytes]], int]:
    naive = of_clone("naive_terminals")

    def read(payloads: Sequence[bytes]) -> int:
        seen = (naive.decode_jt809(one, T_NS + LAG_NS) for one in payloads)
        return sum(len(one.observations) for one in seen)

    return read


WIRES = (Wire("jt809-position", "jt809", _relayed, peer=Peer("Python twin", "", _twin)),)
