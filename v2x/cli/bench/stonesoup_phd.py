"""Stone Soup's Gaussian-mixture PHD filter with births at the plots of the scan before.

Vo and Ma, "The Gaussian mixture probability hypothesis density filter", 2006; births driven by
measurements as in Ristic, Clark, Vo and Vo, "Adaptive target birth intensity for PHD and CPHD
filters", 2012, which spares it one broad birth component that every plot would have to be paired
with. Motion, noise and gate as of the other Stone Soup peers. A component is a track while it
lives once it has had weight above `EXTRACT`.
"""

from typing import Any

import numpy as np
from stonesoup.hypothesiser.gaussianmixture import GaussianMixtureKDTreeHypothesiser
from stonesoup.mixturereducer.gaussianmixture import GaussianMixtureReducer
from stonesoup.types.state import TaggedWeightedGaussianState
from stonesoup.updater.pointprocess import PHDUpdater

from replay.scenarios.scenario import Scenario
from v2x.cli.bench.measuring import Estimates, Numbers, Stopwatch
from v2x.cli.bench.stonesoup import Feed, Parts, say

EXTRACT, PRUNE, MERGE = 0.5, 4e-3, 9.0
SURVIVE = 0.999
"""Objects die at 0.02 /s or leave, and scans stand 1/30 s apart."""
BIRTH = 1e-3
"""Weight of a birth at each plot; ten times as much let births pull at what is tracked already."""


def run(scenario: Scenario, watch: Stopwatch) -> Estimates:
    """Track all scans; detections are made beforehand, untimed."""
    d = scenario.dim
    parts, feed = Parts(scenario, {}), Feed(scenario)
    sensor = scenario.sensors()[0]
    hypothesise = GaussianMixtureKDTreeHypothesiser(
        hypothesiser=parts.distance(), order_by_detection=True, predictor=parts.predictor,
        updater=parts.updater, number_of_neighbours=None, max_distance=15.0,
    ).hypothesise  # fmt: skip
    updater = PHDUpdater(
        parts.updater, clutter_spatial_density=sensor.clutter_density,
        prob_detection=sensor.p_detect, prob_survival=SURVIVE,
    )  # fmt: skip
    reduce = GaussianMixtureReducer(
        prune_threshold=PRUNE, merge_threshold=MERGE, kdtree_max_distance=15.0
    ).reduce
    made, numbers = Estimates(), Numbers()
    mixture: list[Any] = []
    births: list[Any] = []
    tracked: set[Any] = set()
    for k, (when, detections) in enumerate(feed.scans):
        with watch:
            hypotheses = hypothesise(mixture + births, detections, when)
            mixture = list(reduce(updater.update(hypotheses).components))
            births = [_birth(detection, d) for detection in detections]
            tracked = {c.tag for c in mixture if c.weight > EXTRACT or c.tag in tracked}
        if k in feed.ends:
            states = [(numbers.of(c.tag), c) for c in mixture if c.tag in tracked]
            say(made, states, parts, feed.ends[k], d)
    return made


def _birth(detection: Any, dim: int) -> Any:
    """A component that may be founded where `detection` was."""
    x = np.zeros((2 * dim, 1))
    x[::2] = detection.state_vector
    P = np.diag([0.0, 100.0] * dim)
    P[::2, ::2] = detection.measurement_model.noise_covar
    return TaggedWeightedGaussianState(
        x, P, weight=BIRTH, tag=TaggedWeightedGaussianState.BIRTH, timestamp=detection.timestamp
    )
