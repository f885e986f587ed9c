"""Throughput of the tracker by size, and of Stone Soup's JPDA on the same scans.

``pytest benchmarks/bench_fusion.py --benchmark-enable``; `v2x bench fusion` prints the ratio of
one run with accuracy beside it.
"""

import numpy as np
import pytest

from replay.scenarios.fusion import SENSOR_SD, make
from v2x.fusion import Tracker
from v2x.plots import Plots

SCANS = 45


def feed(world):
    d = world.dim
    return [
        (t, k, z, np.broadcast_to(np.eye(d) * SENSOR_SD[k] ** 2, (len(z), d, d)))
        for t, k, z in zip(world.scan_ns, world.scan_sensor, world.plots, strict=True)
    ]


def track(world, scans):
    tracker = Tracker(world.sensors())
    for t, k, z, cov in scans:
        tracks = tracker.step(Plots.positions(t, k, z, cov), t)
    return tracks


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("nominal", 10),
        ("nominal", 100),
        ("nominal", 1000),
        ("nominal", 10_000),
        ("hard", 1000),
        ("air3d", 1000),
    ],
)
def test_ours(benchmark, name, size):
    if benchmark.disabled and size > 100:
        pytest.skip("large sizes only when measuring")
    world = make(name, size, 0, scans=SCANS)
    scans = feed(world)
    tracks = benchmark(track, world, scans)
    assert 0.9 * size < len(tracks) < 1.1 * size + 2
    benchmark.extra_info["plots"] = sum(len(z) for _, _, z, _ in scans)


def test_stone_soup_jpda(benchmark):
    pytest.importorskip("stonesoup")
    if benchmark.disabled:
        pytest.skip("minutes of CPU; only when measuring")
    from v2x.cli.bench import stonesoup

    world = make("nominal", 100, 0, scans=SCANS)
    _, positions, _ = benchmark.pedantic(stonesoup.run, (world, SCANS), rounds=1, iterations=1)
    mine = track(world, feed(world))
    assert abs(len(positions[-1]) - len(mine)) < 10
    benchmark.extra_info["plots"] = sum(len(z) for z in world.plots)
