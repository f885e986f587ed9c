"""What one run of one tracker said, what it cost, and which of its seconds the host disturbed.

Every tracker is measured by the same `Stopwatch`: process CPU time for throughput, wall time per
scan for latency, both over the steps alone. A virtual machine loses tens of milliseconds at a time
to its host, so percentiles are given twice: over all scans, and over those of seconds in which
``/proc/stat`` counted no steal.
"""

import gc
import time
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from v2x.columns import F8, I8

if TYPE_CHECKING:
    from replay.scenarios.scenario import Scenario

_STAT = Path("/proc/stat")
_SCHEDSTAT = Path("/proc/self/schedstat")
_STEAL = 8
_SECOND_NS = 1_000_000_000


def steal_s() -> float:
    """Seconds the host took from this machine since it started, all cores; 0 where unknown."""
    try:
        fields = _STAT.read_text(encoding="ascii").split("\n", 1)[0].split()
    except OSError:
        return 0.0
    return float(fields[_STEAL]) / 100.0 if len(fields) > _STEAL else 0.0


def wait_s() -> float:
    """Seconds this process stood ready to run while others ran; 0 where unknown."""
    try:
        return float(_SCHEDSTAT.read_text(encoding="ascii").split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0


@contextmanager
def quiet_heap() -> Iterator[None]:
    """Collect, then set aside what lives: a collection inside meets only what the run made."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


class Stopwatch:
    """CPU and wall time of steps: ``with watch: step()``.

    Attributes
    ----------
    cpu_ns
        Process CPU time inside.
    wall_ns
        Wall time of each step.
    clean
        Whether the host took nothing in the second of the step; equally many, after `close`.
    steal_s, wait_s
        Taken by the host, and spent waiting for a core, from the first step to `close`.
    """

    def __init__(self) -> None:
        self.cpu_ns = 0
        self.wall_ns: list[int] = []
        self.clean: list[bool] = []
        self.steal_s = self.wait_s = 0.0
        self._second = self._begin = self._cpu = 0
        self._steal, self._wait = steal_s(), wait_s()

    def __enter__(self) -> None:
        self._cpu = time.process_time_ns()
        self._begin = time.perf_counter_ns()
        if not self._second:
            self._second = self._begin

    def __exit__(self, *_: object) -> None:
        end = time.perf_counter_ns()
        self.cpu_ns += time.process_time_ns() - self._cpu
        self.wall_ns.append(end - self._begin)
        if end - self._second >= _SECOND_NS:
            self._judge()
            self._second = end

    def _judge(self) -> None:
        """Mark the steps since the last call."""
        steal, wait = steal_s(), wait_s()
        fresh = len(self.wall_ns) - len(self.clean)
        self.clean += [steal <= self._steal] * fresh
        self.steal_s += steal - self._steal
        self.wait_s += wait - self._wait
        self._steal, self._wait = steal, wait

    def close(self) -> "Stopwatch":
        """Judge what has not been judged."""
        self._judge()
        return self


@dataclass
class Estimates:
    """What a tracker says at each truth instant.

    Attributes
    ----------
    ids
        (n,) numbers of the tracks, one array per instant.
    positions
        (n, dim) m.
    covariances
        (n, dim, dim) m² of the positions; empty where the tracker states none.
    """

    ids: list[I8] = field(default_factory=list)
    positions: list[F8] = field(default_factory=list)
    covariances: list[F8] = field(default_factory=list)

    def add(self, ids: Any, positions: Any, dim: int, covariances: Any = None) -> None:
        """Append one instant; lists of rows may be empty."""
        n = len(ids)
        self.ids.append(np.asarray(ids, np.int64).reshape(n))
        self.positions.append(np.asarray(positions, np.float64).reshape(n, dim))
        if covariances is not None:
            self.covariances.append(np.asarray(covariances, np.float64).reshape(n, dim, dim))


def ends(scenario: "Scenario") -> dict[int, int]:
    """Scans that end a slice at a truth instant: index of the scan -> ns of the instant."""
    instants = [round(t * 1e9) for t in scenario.truth_s]
    return {bisect_right(scenario.scan_ns, t) - 1: t for t in instants}


class Numbers:
    """Small numbers for a tracker's own names of its tracks, in order of appearance."""

    def __init__(self) -> None:
        self._known: dict[Any, int] = {}

    def of(self, name: Any) -> int:
        """Return the number of `name`."""
        return self._known.setdefault(name, len(self._known))


def latency(wall_ns: list[int], clean: list[bool]) -> dict[str, Any]:
    """Percentiles of ms per scan, raw and over steal-free seconds (None if there were none)."""
    ms = np.array(wall_ns, np.float64) / 1e6
    made: dict[str, Any] = {"scans": len(ms), "clean_scans": int(np.sum(clean))}
    for name, values in (("", ms), ("_clean", ms[np.array(clean, bool)])):
        for q in (50, 99):
            made[f"p{q}{name}"] = float(np.percentile(values, q)) if len(values) else None
    return made
