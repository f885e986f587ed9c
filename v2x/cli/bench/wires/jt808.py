"""JT/T 808: position reports (0x0200) with three additional items."""

from collections.abc import Callable, Sequence

import numpy as np

from v2x.cli.bench.wires import LAG_NS, T_NS, Peer, Wire, of_clone
from v2x.ingest.formats.jt808 import encode_position

TERMINALS = 100
EXTRAS = {0x01: (4128).to_bytes(4, "big"), 0x30: b"\x15", 0x31: b"\x0c"}


def _reports(rng: np.random.Generator, n: int) -> list[bytes]:
    return [
        encode_position(
            str(13800000000 + k % TERMINALS), k, T_NS + k // TERMINALS * 1_000_000_000,
            39.0 + rng.random() / 4, 117.2 + rng.random() / 4, float(rng.integers(1, 60)),
            float(rng.integers(0, 33)), float(rng.integers(0, 360)), extras=EXTRAS,
        )
        for k in range(n)
    ]  # fmt: skip


def _twin() -> Callable[[Sequence[bytes]], int]:
    naive = of_clone("naive_jt808")

    def read(payloads: Sequence[bytes]) -> int:
        return sum(len(naive.decode(one, T_NS + LAG_NS).observations) for one in payloads)

    return read


WIRES = (Wire("jt808-position", "jt808", _reports, floor=3e6, peer=Peer("Python twin", "", _twin)),)
