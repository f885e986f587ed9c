"""Norfair on points: the tracker most video pipelines start from.

Euclidean distance, its own optimised Kalman filter; noise cannot change from scan to scan, so it
gets the mean of all sensors'. Its filter counts time in scans: acceleration noise of PSD
4 m²/s³ and starting speed of 10 m/s deviation are converted. Confirmation and deletion 4/5, and
`COUNTS`, did best of those tried; its counter lets a track live as many misses as it
needs hits at least. Works with norfair-enough, the maintained fork of the same module.
"""

import logging

import numpy as np
from norfair import (  # type: ignore[import-not-found,unused-ignore]
    Detection,
    OptimizedKalmanFilterFactory,
    Tracker,
)

from replay.scenarios.scenario import Scenario
from v2x.cli.bench.measuring import Estimates, Stopwatch, ends

COUNTS = {"hard": (8, 4), "lanes": (8, 6), "duplicates": (8, 5), "coverage": (2, 15)}
PSD, START_SPEED_SD = 4.0, 10.0
REACH_M = 5.0

logging.getLogger("norfair").setLevel(logging.ERROR)


def mean_variance(scenario: Scenario) -> float:
    """m² an axis over all plots."""
    scans = [k for k, z in enumerate(scenario.plots) if len(z)]
    traces = [scenario.noise(k).mean(axis=0).trace() for k in scans]
    return float(np.mean(traces)) / scenario.dim if traces else 1.0


def run(scenario: Scenario, watch: Stopwatch) -> Estimates:
    """Track all scans; the making of detections counts, as of our plots."""
    d = scenario.dim
    confirm, delete = COUNTS.get(scenario.name, (4, 5))
    R = mean_variance(scenario)
    step_s = (scenario.scan_ns[-1] - scenario.scan_ns[0]) / 1e9 / (len(scenario.plots) - 1)
    tracker = Tracker(
        "euclidean", REACH_M, initialization_delay=confirm - 1,
        hit_counter_max=max(confirm, delete),
        filter_factory=OptimizedKalmanFilterFactory(
            R=R, Q=PSD * step_s**3, pos_variance=R, vel_variance=(START_SPEED_SD * step_s) ** 2
        ),
        past_detections_length=0,
    )  # fmt: skip
    made, last = Estimates(), ends(scenario)
    for k, z in enumerate(scenario.plots):
        with watch:
            objects = tracker.update([Detection(points=row[None, :]) for row in z])
        if k in last:
            scans = (last[k] - scenario.scan_ns[k]) / 1e9 / step_s
            x = [o.filter.x[:d, 0] + scans * o.filter.x[d:, 0] for o in objects]
            made.add([o.id for o in objects], x, d)
    return made
