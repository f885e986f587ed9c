"""One tracker over one scenario: run, measured and judged."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from replay.scenarios.scenario import Scenario
from v2x.cli.bench import peers
from v2x.cli.bench.feeding import Scan, feed, reaching
from v2x.cli.bench.judging import WARM_UP_S, judge
from v2x.cli.bench.measuring import Estimates, Stopwatch, ends, latency, quiet_heap
from v2x.columns import F8, I8
from v2x.errors import ConfigError
from v2x.fusion import Tracker, TrackerConfig
from v2x.tracks import Tracks

ENOUGH_NS, MOST_ROUNDS = 300_000_000, 20
"""Short runs of ours are repeated until so much CPU time was measured."""
EXIST = 0.5
"""Tracks as likely as this are counted."""


@dataclass(frozen=True)
class Result:
    """One tracker on one scenario over one window; a bound has no `watch`.

    Attributes
    ----------
    score
        Means over the scored instants, for JSON.
    series
        The same instant by instant, see `judge`.
    to_s
        Last truth instant.
    rounds
        Runs behind the times in `watch`.
    """

    tracker: str
    scenario: str
    size: int
    seed: int
    scans: int
    plots: int
    to_s: float
    score: dict[str, Any] = field(default_factory=dict)
    series: dict[str, list[Any]] = field(default_factory=dict)
    watch: Stopwatch | None = None
    rounds: int = 1

    @property
    def cpu_s(self) -> float | None:
        """Process CPU time of one run."""
        return self.watch.cpu_ns / 1e9 / self.rounds if self.watch else None

    @property
    def plots_per_cpu_s(self) -> float | None:
        """Throughput."""
        return self.plots / self.cpu_s if self.cpu_s else None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        made = {
            "tracker": self.tracker,
            "scenario": self.scenario,
            "size": self.size,
            "seed": self.seed,
            "scans": self.scans,
            "scored_from_s": WARM_UP_S,
            "scored_to_s": self.to_s,
            "plots": self.plots,
            "cpu_s": self.cpu_s,
            "plots_per_cpu_s": self.plots_per_cpu_s,
            "rounds": self.rounds,
            "scan_ms": None,
            "steal_s": None,
            "wait_s": None,
            **self.score,
            "series": self.series,
        }
        if self.watch:
            made["scan_ms"] = latency(self.watch.wall_ns, self.watch.clean)
            made["steal_s"], made["wait_s"] = self.watch.steal_s, self.watch.wait_s
        return made


def track(
    world: Scenario, scans: list[Scan], config: TrackerConfig, watch: Stopwatch
) -> list[Tracks]:
    """Tracks at each truth instant."""
    tracker, last = Tracker(world.sensors(), config), ends(world)
    kept: list[Tracks] = []
    for n, scan in enumerate(scans):
        until = last.get(n, scan.t_ns)
        with watch:
            tracks = tracker.step(scan.plots(), until)
        if n in last:
            kept.append(tracks)
    return kept


def ours(world: Scenario, config: TrackerConfig, *, judged: bool = True) -> Result:
    """Run our tracker, repeated while short; tracks are kept, and scored when all is measured.

    `Plots.positions` and `step` are inside the clock.
    """
    scans, watch, rounds = feed(world), Stopwatch(), 0
    config = reaching(world, config)
    kept: list[Tracks] = []
    with quiet_heap():
        while watch.cpu_ns < ENOUGH_NS and rounds < MOST_ROUNDS:
            kept = track(world, scans, config, watch)
            rounds += 1
    watch.close()
    if not judged:
        return _result("v2x", world, None, None, watch, rounds)
    said, d = Estimates(), world.dim
    for tracks in kept:
        sure = tracks.exist >= EXIST
        said.add(tracks.id[sure], tracks.x[sure, :d], d, tracks.P[sure, :d, :d])
    return _result("v2x", world, said, innovations(world, scans, config), watch, rounds)


def peer(name: str, world: Scenario, *, judged: bool = True) -> Result:
    """Run a competitor on the same scans."""
    run, watch = peers.load(name), Stopwatch()
    with quiet_heap():
        said = run(world, watch)
    return _result(name, world, said if judged else None, None, watch.close())


def bounds(world: Scenario) -> list[Result]:
    """What clairvoyant association reaches on the same scans."""
    return [_result(name, world, said) for name, said in _clairvoyant(world).items()]


def refuse(world: Scenario, *, peers: bool, bound: bool) -> None:
    """Try the first scans of a scenario, before hours go into others.

    Raises
    ------
    ConfigError
        The peers cannot take what its sensors measure, or there is no bound to it.
    """
    if peers and "bearing" in world.kinds:
        raise ConfigError(f"scenario {world.name}: no peer takes bearings: --competitor none")
    if bound:
        _clairvoyant(world)


def _clairvoyant(world: Scenario) -> dict[str, Estimates]:
    from v2x.cli.bench import bounds as clairvoyant

    try:
        return clairvoyant.run(world, len(world.plots))
    except ValueError as e:
        raise ConfigError(f"--bound: {e}") from e


def _result(
    name: str,
    world: Scenario,
    said: Estimates | None,
    nis: list[tuple[F8, I8]] | None = None,
    watch: Stopwatch | None = None,
    rounds: int = 1,
) -> Result:
    made, series = judge(world, said, nis) if said is not None else ({}, {})
    plots = sum(len(z) for z in world.plots)
    return Result(
        name, world.name, world.size, world.seed, len(world.plots), plots, world.truth_s[-1],
        made, series, watch, rounds,
    )  # fmt: skip


def innovations(world: Scenario, scans: list[Scan], config: TrackerConfig) -> list[tuple[F8, I8]]:
    """NIS and dimension of the sure plots up to each truth instant: a run of its own, untimed."""
    tracker, last = Tracker(world.sensors(), config), ends(world)
    made: list[tuple[F8, I8]] = []
    nis, dim = np.zeros(0), np.zeros(0, np.int64)
    for n, scan in enumerate(scans):
        tracker.step(scan.plots(), last.get(n, scan.t_ns))
        seen = tracker.residuals
        seen = seen.take(seen.conflict == 0)
        nis, dim = np.concatenate([nis, seen.nis]), np.concatenate([dim, seen.dim])
        if n in last:
            made.append((nis, dim))
            nis, dim = np.zeros(0), np.zeros(0, np.int64)
    return made
