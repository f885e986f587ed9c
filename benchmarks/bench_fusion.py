"""Time of a second and a half of scans, by scenario, size and tracker.

``pytest benchmarks/bench_fusion.py --benchmark-enable --benchmark-only``; the adapters and settings
are those of `v2x bench fusion`, which has accuracy and latency beside them. Peers need the extra
``bench``. Where nothing is measured, each tracker runs the smallest case once.
"""

import pytest

from replay.scenarios.fusion import NAMES, make
from v2x.cli.bench import peers, runs
from v2x.cli.bench.measuring import Stopwatch
from v2x.fusion import TrackerConfig

SCANS = 45
SIZES = {
    "v2x": (10, 100, 1000, 10_000),
    "stonesoup-gnn": (10, 100),
    "stonesoup-jpda": (10, 100),
    "stonesoup-phd": (10, 100),
    "filterpy-gnn": (10, 100, 1000),
    "norfair": (10, 100, 1000),
    "trackforge-sort": (10, 100, 1000),
}
assert SIZES.keys() == {"v2x", *peers.PEERS}
SWEEP = [(who, size) for who, sizes in SIZES.items() for size in sizes]
BOXES = "trackforge-sort"
"""Reports only what the last scan saw."""


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("who", "size"), SWEEP)
def test_every_tracker_follows_most_objects_and_takes_this_long(benchmark, who, size, name):
    if benchmark.disabled and (name, size) != ("nominal", 10):
        pytest.skip("only when measuring")
    if who != "v2x" and not peers.installed(who):
        pytest.skip(f"{who} is not installed")
    world = make(name, size, 0, scans=SCANS)
    if who == "v2x":
        rows, config = runs.feed(world), TrackerConfig()
        followed = len(benchmark(lambda: runs.track(world, rows, config, Stopwatch()))[-1])
    else:
        run = peers.load(who)
        said = benchmark.pedantic(
            lambda: run(world, Stopwatch()), rounds=3 if size < 100 else 1, iterations=1
        )
        followed = len(said.ids[-1])
    there = len(world.truth_id[-1])
    assert (0.6 if who == BOXES else 0.8) * there - 2 <= followed <= 1.6 * there + 4
    plots = sum(len(z) for z in world.plots)
    benchmark.extra_info["plots"] = plots
    if not benchmark.disabled:
        benchmark.extra_info["plots_per_s"] = plots / benchmark.stats.stats.median
