"""Fuzz targets, one a decoder: ``python -m tests.ingest.fuzz N [--format NAME] [--seed S]``.

With atheris (extra ``fuzz``) and ``--atheris``, coverage of the Python side guides the bytes.
Without it the mutator of `tests.ingest.hostile` works on samples and on what it finds: a frame with
an outcome never seen before (code, rows, readings) joins them, so that it gets deeper than the
samples lie.

A poll that breaks a promise is written to a file, one frame a line in hex; ``--again FILE`` feeds
it to a fresh decoder, frame by frame and then whole.
"""

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np

from tests.ingest.hostile import RECV, judge, mutated, samples, table
from v2x.frames import FrameBatch
from v2x.ingest.decoded import Decoded, Reject
from v2x.ingest.formats import registry

POLL = 500
MOST = 2_000
"""Frames worth mutating; a new one takes the place of an old one at random."""


class Target:
    """One decoder with its state, fed with hostile frames.

    Attributes
    ----------
    executions
        Frames fed.
    told
        How often each code came.
    corpus
        Frames worth mutating.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.format = registry()[name]
        self.sensors = table(name)
        self.state = self.format.new_state()
        self.corpus = samples(name)
        self.executions = 0
        self.told: Counter[str] = Counter()
        self._seen: set[tuple[int, int, int]] = set()

    def feed(self, payloads: list[bytes]) -> Decoded:
        """Decode a poll; an AssertionError says that a promise was broken."""
        n = len(payloads)
        recv = RECV + (self.executions + np.arange(n)) * 10_000_000
        batch = FrameBatch.of(self.name, payloads, np.zeros(n, np.int32), recv)
        made = self.format.decode(batch, self.sensors, self.state)
        self.executions += n
        assert judge(made, n), f"{self.name}: a row out of range"
        return made

    def step(self, rng: np.random.Generator) -> None:
        """Feed one poll of mutations, and keep those that came out as none before."""
        payloads = mutated(self.corpus, POLL, rng)
        try:
            made = self.feed(payloads)
        except Exception as e:
            where = Path(f"fuzz-{self.name}-{self.executions}.hex")
            where.write_text("\n".join(payload.hex() for payload in payloads) + "\n")
            raise AssertionError(f"{self.name}: {e!r}; the poll is in {where}") from e
        rows = np.bincount(made.observations.frame, minlength=POLL)
        facts = np.bincount(made.readings.frame, minlength=POLL)
        self.told.update(Reject(int(code)).name for code in made.rejects)
        outcomes = zip(made.rejects.tolist(), rows.tolist(), facts.tolist(), strict=True)
        for i, outcome in enumerate(outcomes):
            if outcome not in self._seen and len(payloads[i]) < 4_096:
                self._seen.add(outcome)
                if len(self.corpus) < MOST:
                    self.corpus.append(payloads[i])
                else:
                    self.corpus[int(rng.integers(MOST))] = payloads[i]


def again(name: str, file: Path) -> None:
    """Feed a poll that was written down, whole and then frame by frame."""
    payloads = [bytes.fromhex(line) for line in file.read_text().split()]
    target = Target(name)
    for payload in payloads:
        try:
            target.feed([payload])
        except Exception as e:
            print(f"{payload.hex()}: {e!r}")
    Target(name).feed(payloads)
    print("the poll as a whole breaks nothing from a fresh state")


def run(names: list[str], n: int, seed: int) -> int:
    """Feed n frames to the decoders in turns; how many were fed."""
    targets = [Target(name) for name in names]
    rng = np.random.default_rng([seed, 0xF0CC])
    begin = time.perf_counter()
    fed = 0
    while fed < n:
        for target in targets:
            target.step(rng)
        fed = sum(target.executions for target in targets)
    for target in targets:
        target.format.finish(target.sensors, target.state)
        print(target.name, target.executions, len(target.corpus), dict(target.told.most_common(6)))
    spent = time.perf_counter() - begin
    print(f"{fed:,} executions over {len(targets)} decoders in {spent:.0f} s, nothing broken")
    return fed


def _atheris(names: list[str], n: int) -> None:
    import atheris

    targets = [Target(name) for name in names]

    def one(data: bytes) -> None:
        if data:
            targets[data[0] % len(targets)].feed([data[1:]])

    atheris.instrument_all()
    atheris.Setup([sys.argv[0], f"-runs={n}"], one)
    atheris.Fuzz()


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    words.add_argument("n", type=int, nargs="?", default=100_000)
    words.add_argument("--format", action="append", choices=list(registry()))
    words.add_argument("--seed", type=int, default=0)
    words.add_argument("--again", type=Path)
    words.add_argument("--atheris", action="store_true")
    asked = words.parse_args()
    names = asked.format or list(registry())
    if asked.again is not None:
        again(names[0], asked.again)
    elif asked.atheris:
        _atheris(names, asked.n)
    else:
        run(names, asked.n, asked.seed)


if __name__ == "__main__":
    main()
