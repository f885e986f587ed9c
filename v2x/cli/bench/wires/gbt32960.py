"""GB/T 32960: reports of an electric vehicle with its motion, cell voltages and position."""

from collections.abc import Callable, Sequence

import numpy as np

from v2x.cli.bench.wires import LAG_NS, T_NS, Peer, Wire, of_clone
from v2x.ingest.formats.gbt32960 import encode_report, position_block, vehicle_block

VEHICLES = 100
_CELLS = b"\x08\x01" + bytes(9) + b"\x60" + bytes(192)


def _reports(rng: np.random.Generator, n: int) -> list[bytes]:
    return [
        encode_report(
            f"LTPSBTESTVEHI{k % VEHICLES:04d}", T_NS + k // VEHICLES * 1_000_000_000,
            vehicle_block(rng.uniform(0, 30), 41e6, 0.8) + _CELLS
            + position_block(39.0 + rng.random() / 4, 117.2 + rng.random() / 4),
        )
        for k in range(n)
    ]  # fmt: skip


def _twin() -> Callable[[Sequence[bytes]], int]:
    naive = of_clone("naive_terminals")

    def read(payloads: Sequence[bytes]) -> int:
        seen = (naive.decode_gbt32960(one, T_NS + LAG_NS) for one in payloads)
        return sum(len(one.observations) for one in seen)

    return read


WIRES = (Wire("gbt32960-report", "gbt32960", _reports, peer=Peer("Python twin", "", _twin)),)
