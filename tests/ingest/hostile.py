"""Hostile input in bulk: ``python -m tests.ingest.hostile N [SEED]``.

Feeds N random or mutated frames to every wire format and checks that rows or a named reject come
out and nothing else. `tests.ingest.fuzz` does the same with samples that it finds itself. With
``NUMBA_BOUNDSCHECK=1`` it first plants a fault, to prove that the checks are compiled in.
"""

import json
import sys
from collections import Counter
from pathlib import Path

import numpy as np

from v2x.frames import FrameBatch
from v2x.ingest.decoded import Decoded, Reject
from v2x.ingest.formats import registry
from v2x.jit import kernel
from v2x.mapping import JsonMapping
from v2x.sensors import Datum, Sensor, SensorTable

SAMPLES = Path(__file__).parent / "samples"
RECV = 1_795_486_273_000_000_000


@kernel
def planted(buf):
    return buf[buf.shape[0] + 3]


def samples(name: str) -> list[bytes]:
    """Frames of ``samples/<name>.json``."""
    rows = json.loads((SAMPLES / f"{name}.json").read_text("utf-8"))
    return [bytes.fromhex(row["hex"]) for row in rows]


def frames(name: str, n: int, rng: np.random.Generator) -> list[bytes]:
    """Mutations of the samples of a format."""
    return mutated(samples(name), n, rng)


def mutated(good: list[bytes], n: int, rng: np.random.Generator) -> list[bytes]:
    """A quarter random bytes, else `good` with flipped, cut, joined or repeated parts."""
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


def judge(made: Decoded, n: int) -> bool:
    """Whether what came of n frames is rows in range and codes, and no row of a refused frame."""
    rows = made.observations
    accepted = (made.rejects == 0) | (made.rejects == Reject.NOTHING_TO_OBSERVE)
    flat = rows.model == 0
    return bool(
        made.rejects.shape == (n,)
        and accepted[rows.frame].all()
        and accepted[made.readings.frame].all()
        and (np.abs(rows.lat[flat]) <= 90).all()
        and (np.abs(rows.lon[flat]) <= 180).all()
        and not np.isinf(rows.height).any()
        and not np.isinf(rows.cov).any()
        and not np.isinf(made.readings.value).any()
        and (rows.kind <= 12).all()
        and (rows.t_ns > 0).all()
    )


def table(name: str) -> SensorTable:
    """A sensor of a format, with all that one needs."""
    settings = json.loads((SAMPLES / f"{name}.json").read_text("utf-8"))[0].get("sensor", {})
    if "mapping" in settings:
        settings["mapping"] = JsonMapping.model_validate(settings["mapping"]).text()
    if "datum" in settings:
        settings["datum"] = Datum(settings["datum"])
    return SensorTable.of([Sensor("s", name, **{"sd_m": 2.0, "sd_up_m": 3.0, **settings})])


def check(name: str, payloads: list[bytes]) -> Counter[str]:
    """Decode in polls of 500 with state carried on; returns how often each code came."""
    fmt = registry()[name]
    sensors = table(name)
    state, told = fmt.new_state(), Counter()
    for at in range(0, len(payloads), 500):
        part = payloads[at : at + 500]
        recv = [RECV + (at + i) * 10_000_000 for i in range(len(part))]
        made = fmt.decode(FrameBatch.of(name, part, [0] * len(part), recv), sensors, state)
        if not judge(made, len(part)):
            raise AssertionError(f"{name}: frames {at}..{at + len(part)} gave a row out of range")
        told.update(Reject(int(code)).name for code in made.rejects)
    fmt.finish(sensors, state)
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
