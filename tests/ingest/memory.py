"""Memory each decoder takes for hostile bytes: ``python -m tests.ingest.memory [NAME ...]``.

One child process a decoder, forked when its kernels are compiled, so that what is measured is that
decoder alone: how far the resident memory of the child rises over what it was at its birth. It is
fed, one a poll, the largest frames a pipeline lets through (1 MiB): repeated samples, runs of one
byte, random bytes, and a sample that goes on with each; and then 20,000 mutations in polls of 500.
"""

import os
import resource
import sys
import traceback
from collections.abc import Iterator

import numpy as np

from tests.ingest.hostile import RECV, frames, samples, table
from v2x.frames import FrameBatch
from v2x.ingest.decoding import MAX_FRAME_BYTES
from v2x.ingest.formats import registry

MOST_MB = 64
POLL = 500


def large(good: list[bytes], rng: np.random.Generator) -> Iterator[bytes]:
    """Frames as large as may be."""
    fills = [bytes([byte]) * MAX_FRAME_BYTES for byte in (0x00, 0x7D, 0x90, 0x91, 0xFF)]
    fills += [b"[" * MAX_FRAME_BYTES, b'{"a":' * (MAX_FRAME_BYTES // 5)]
    fills.append(rng.bytes(MAX_FRAME_BYTES))
    yield from fills
    for one in good[:: max(1, len(good) // 6)]:
        yield (one * (MAX_FRAME_BYTES // max(1, len(one)) + 1))[:MAX_FRAME_BYTES]
        for fill in fills:
            yield (one[: len(one) // 2] + fill)[:MAX_FRAME_BYTES]


def resident_mb() -> float:
    """Most resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def rise_mb(name: str) -> float:
    """How far this process rises while it decodes."""
    decoder, sensors = registry()[name], table(name)
    state, rng = decoder.new_state(), np.random.default_rng([64, *name.encode()])
    mutations = frames(name, 20_000, rng)
    before = resident_mb()
    at = 0

    def feed(payloads: list[bytes]) -> None:
        nonlocal at
        recv = [RECV + (at + i) * 10_000_000 for i in range(len(payloads))]
        decoder.decode(FrameBatch.of(name, payloads, [0] * len(payloads), recv), sensors, state)
        at += len(payloads)

    for payload in large(samples(name), rng):
        feed([payload])
    for k in range(0, len(mutations), POLL):
        feed(mutations[k : k + POLL])
    return resident_mb() - before


def main(names: list[str]) -> int:
    """Print the rise of each decoder; 1 if one is above `MOST_MB`."""
    bad = 0
    for name in names or list(registry()):
        decoder, good = registry()[name], samples(name)
        n = len(good)
        decoder.decode(
            FrameBatch.of(name, good, [0] * n, [RECV] * n), table(name), decoder.new_state()
        )
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            code = 1
            try:
                rise = rise_mb(name)
                print(f"{name} {rise:.1f} MB", flush=True)
                code = int(rise > MOST_MB)
            except BaseException:
                traceback.print_exc()
            os._exit(code)
        bad |= os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return bad


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
