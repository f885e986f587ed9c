"""Stone Soup on our scenarios: what its trackers share, and its JPDA.

Imported only when asked for. Nearly constant velocity with PSD 4 m²/s³ and starting speed of
10 m/s deviation, as ours; each sensor's own noise; kd-tree gate. The JPDA finds its joint
probabilities by efficient hypothesis management; a track is confirmed by so many hits and ends
after so many misses, the best of the counts tried (4/5 on sparse clutter, 8/4 on dense).
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from stonesoup.dataassociator.probability import JPDAwithEHM2
from stonesoup.dataassociator.tree import DetectionKDTreeGNN2D, DetectionKDTreeMixIn
from stonesoup.deleter.time import UpdateTimeStepsDeleter
from stonesoup.hypothesiser.distance import DistanceHypothesiser
from stonesoup.hypothesiser.probability import PDAHypothesiser
from stonesoup.initiator.simple import MultiMeasurementInitiator
from stonesoup.measures import Mahalanobis
from stonesoup.models.measurement.linear import LinearGaussian
from stonesoup.models.transition.linear import (
    CombinedLinearGaussianTransitionModel,
    ConstantVelocity,
)
from stonesoup.predictor.kalman import KalmanPredictor
from stonesoup.tracker.simple import MultiTargetMixtureTracker
from stonesoup.types.detection import Detection
from stonesoup.types.state import GaussianState
from stonesoup.updater.kalman import KalmanUpdater

from replay.scenarios.scenario import Scenario
from v2x.cli.bench.measuring import Estimates, Numbers, Stopwatch, ends
from v2x.sensors import Sensor

COUNTS = {"hard": (8, 4), "lanes": (6, 4), "duplicates": (8, 3), "coverage": (3, 9)}
"""Confirmation hits and deletion misses where others than 4/5 did best."""
START = datetime(2024, 1, 1)  # noqa: DTZ001 - scenario time, not a clock


class KDTreeJPDA2(DetectionKDTreeMixIn, JPDAwithEHM2):  # type: ignore[misc]
    """JPDA by EHM2 behind the kd-tree gate."""


def moment(t_ns: int) -> datetime:
    """Scenario time as Stone Soup wants it."""
    return START + timedelta(microseconds=t_ns / 1000)


class Feed:
    """Scans of a scenario as Stone Soup's detection reader."""

    def __init__(self, scenario: Scenario) -> None:
        self.scans: list[tuple[datetime, set[Any]]] = []
        self.ends = {k: moment(t) for k, t in ends(scenario).items()}
        d = scenario.dim
        for k, z in enumerate(scenario.plots):
            when = moment(scenario.scan_ns[k])
            # the kd-tree takes one model a scan
            R = scenario.noise(k).mean(axis=0) if len(z) else np.eye(d)
            model = LinearGaussian(2 * d, tuple(range(0, 2 * d, 2)), R)
            self.scans.append(
                (when, {Detection(row[:, None], when, measurement_model=model) for row in z})
            )

    def __iter__(self) -> Iterator[tuple[datetime, set[Any]]]:
        return iter(self.scans)


class Parts:
    """Motion, filter, gate, initiator and deleter that GNN and JPDA share."""

    def __init__(self, scenario: Scenario, counts: dict[str, tuple[int, int]]) -> None:
        d = scenario.dim
        confirm, delete = counts.get(scenario.name, (4, 5))
        motion = CombinedLinearGaussianTransitionModel([ConstantVelocity(4.0)] * d)
        self.predictor = KalmanPredictor(motion)
        self.updater = KalmanUpdater(None)
        self.deleter = UpdateTimeStepsDeleter(delete)
        self.prior = GaussianState(np.zeros((2 * d, 1)), np.diag([0.0, 100.0] * d))
        self.initiator = MultiMeasurementInitiator(
            self.prior, self.deleter, self.nearest(), self.updater,
            min_points=confirm, measurement_model=None,
        )  # fmt: skip

    def distance(self) -> Any:
        """Gate of Mahalanobis distance 4."""
        return DistanceHypothesiser(self.predictor, self.updater, Mahalanobis(), missed_distance=4)

    def nearest(self) -> Any:
        """Global nearest neighbour behind a kd-tree."""
        return DetectionKDTreeGNN2D(
            hypothesiser=self.distance(), predictor=self.predictor, updater=self.updater,
            number_of_neighbours=None, max_distance=15.0,
        )  # fmt: skip

    def jpda(self, sensor: Sensor) -> Any:
        """Joint probabilities behind a kd-tree."""
        return KDTreeJPDA2(
            hypothesiser=PDAHypothesiser(
                self.predictor, self.updater, clutter_spatial_density=sensor.clutter_density,
                prob_detect=sensor.p_detect, prob_gate=0.9999,
            ),
            predictor=self.predictor, updater=self.updater,
            number_of_neighbours=None, max_distance=15.0,
        )  # fmt: skip


def drive(steps: Iterator[Any], feed: Feed, parts: Parts, dim: int, watch: Stopwatch) -> Estimates:
    """Step a tracker through its scans; its tracks predicted to each truth instant, untimed."""
    made, numbers = Estimates(), Numbers()
    for k in range(len(feed.scans)):
        with watch:
            _, tracks = next(steps)
        if k in feed.ends:
            states = [(numbers.of(track.id), track[-1]) for track in tracks]
            say(made, states, parts, feed.ends[k], dim)
    return made


def say(made: Estimates, states: list[Any], parts: Parts, t: datetime, dim: int) -> None:
    """Predict numbered states to `t`, in the order of their numbers."""
    states.sort(key=lambda pair: pair[0])
    moved = [parts.predictor.predict(state, timestamp=t) for _, state in states]
    made.add(
        [number for number, _ in states],
        [np.asarray(state.state_vector, np.float64)[::2, 0] for state in moved],
        dim,
        [np.asarray(state.covar, np.float64)[::2, ::2] for state in moved],
    )


def run(scenario: Scenario, watch: Stopwatch) -> Estimates:
    """JPDA over all scans; detections are made beforehand, untimed."""
    parts, feed = Parts(scenario, COUNTS), Feed(scenario)
    joint = parts.jpda(scenario.sensors()[0])
    tracker = MultiTargetMixtureTracker(parts.initiator, parts.deleter, feed, joint, parts.updater)
    return drive(iter(tracker), feed, parts, scenario.dim, watch)
