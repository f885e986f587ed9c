"""Hostile input in bulk: ``python -m tests.ingest.hostile N [SEED]``.

Feeds N random or mutated frames to every wire format and checks that rows or a named reject come
out and nothing else. With ``NUMBA_BOUNDSCHECK=1`` it first plants a fault, to prove that the checks
are compiled in.
"""

import json
import sys
from collections import Counter
from pathlib import Path

import numpy as np

from v2x.frames import FrameBatch
from v2x.ingest.decoded import Reject
from v2x.ingest.formats import registry
from v2x.jit import kernel
from v2x.sensors import Sensor, SensorTable

SAMPLES = Path(__file__).parent / "samples"
RECV = 1_795_486_273_000_000_000


@kernel
def planted(buf):
    return buf[buf.shape[0] + 3]


def frames(name: str, n: int, rng: np.random.Generator) -> list[bytes]:
    """Half random bytes, half samples with flipped, cut, joined or repeated parts."""
    good = [bytes.fromhex(s["hex"]) for s in json.loads((SAMPLES / f"{name}.json").read_text())]
    made: list[bytes] = []
    for i in range(n):
        base = bytearray(good[int(rng.integers(len(good)))])
        how = int(rng.integers(6)) if i % 4 else 6
        if how == 6 or not base:
            base = bytearray(rng.bytes(int(rng.integers(0, 400))))
        elif how == 0:
            base[int(rng.integers(len(base)))] ^= 1 << int(rng.integers(8))
        elif how == 1:
            for at in rng.integers(0, len(base), int(rng.integers(1, 12))):
                base[at] = int(rng.integers(256))
        elif how == 2:
            del base[int(rng.integers(len(base))) :]
        elif how == 3:
            at, size = int(rng.integers(len(base))), int(rng.integers(1, 30))
            base[at : at + size] = rng.bytes(size)
        elif how == 4:
            other = good[int(rng.integers(len(good)))]
            base = base[: int(rng.integers(len(base)))] + other[int(rng.integers(len(other) + 1)) :]
        else:
            at = int(rng.integers(len(base)))
            base[at:at] = rng.choice([0, 255, 0x7D, 0x7E, 0x1A, 0x80], 4).astype(np.uint8).tobytes()
        made.append(bytes(base))
    return made


def check(name: str, payloads: list[bytes]) -> Counter[str]:
    """Decode in polls of 500 with state carried on; returns how often each code came."""
    fmt = registry()[name]
    table = SensorTable.of([Sensor("s", name, sd_m=2.0, sd_up_m=3.0)])
    state, told = fmt.new_state(), Counter()
    for at in range(0, len(payloads), 500):
        part = payloads[at : at + 500]
        recv = [RECV + (at + i) * 10_000_000 for i in range(len(part))]
        made = fmt.decode(FrameBatch.of(name, part, [0] * len(part), recv), table, state)
        rows = made.observations
        accepted = (made.rejects == 0) | (made.rejects == Reject.NOTHING_TO_OBSERVE)
        flat = rows.model == 0
        fine = (
            made.rejects.shape == (len(part),)
            and accepted[rows.frame].all()
            and (np.abs(rows.lat[flat]) <= 90).all()
            and (np.abs(rows.lon[flat]) <= 180).all()
            and not np.isinf(rows.height).any()
            and not np.isinf(rows.cov).any()
            and not np.isinf(made.readings.value).any()
            and (rows.kind <= 12).all()
            and (rows.t_ns > 0).all()
        )
        if not fine:
            raise AssertionError(f"{name}: frames {at}..{at + len(part)} gave a row out of range")
        told.update(Reject(int(code)).name for code in made.rejects)
    fmt.finish(table, state)
    return told


def main(n: int, seed: int) -> None:
    import numba

    if numba.config.BOUNDSCHECK:
        try:
            planted(np.zeros(4, np.uint8))
        except IndexError:
            print("bounds checks are on")
        else:
            raise SystemExit("bounds checks were asked for and are not compiled in")
    for name in registry():
        told = check(name, frames(name, n, np.random.default_rng([seed, *name.encode()])))
        print(name, dict(told.most_common()))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)
