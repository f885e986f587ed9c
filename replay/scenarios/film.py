"""How sensors film movers: one loop for all scenarios but those of `fusion`.

S sensors at 10 Hz, evenly shifted: scan k is by sensor k mod S at (k + 1) / (10 S) s, less 1 ms;
the world moves on by 1 / (10 S) s before every scan but the first. Truth instants 0.1, 0.2, ... s
are 1 ms after each scan of the last sensor.

Draw order of a scan, after that of the movers' step: random (N) against p_D; standard normal
(N, width), whoever is seen; false plots (their number, then their places); a permutation of
[seen, false]. What is seen apart from p_D (coverage, occlusion) draws nothing.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.random import Generator

from replay.scenarios.scenario import PlotKind, Scenario
from v2x.columns import B1, F8, I8
from v2x.sensors import Sensor

SECONDS = 10

See = Callable[[Sensor, F8], B1]
"""Which of the places (n, dim) a sensor can see at all."""
Measure = Callable[[Sensor, F8, F8], F8]
"""Rows (n, width) for places (n, dim) and unit noise (n, width)."""
Invent = Callable[[Sensor, Generator], F8]
"""False rows (m, width) of one scan."""


class Movers(Protocol):
    """What is filmed."""

    @property
    def p(self) -> F8:
        """(n, dim) m."""

    @property
    def v(self) -> F8:
        """(n, dim) m/s."""

    @property
    def id(self) -> I8:
        """(n,) number of the object in each slot."""

    def step(self, dt: float) -> None:
        """Move on by `dt` s."""


def everything(_: Sensor, place: F8) -> B1:
    """No limits."""
    return np.ones(len(place), bool)


def isotropic(sensor: Sensor, place: F8, noise: F8) -> F8:
    """Places with the noise of the sensor, equal on all axes."""
    return place + sensor.sd_m * noise


def in_box(box: F8) -> Invent:
    """Poisson clutter of the sensor's density, uniform in a box."""
    volume = float(np.prod(box[:, 1] - box[:, 0]))

    def invent(sensor: Sensor, rng: Generator) -> F8:
        m = int(rng.poisson(sensor.clutter_density * volume))
        return rng.uniform(box[:, 0], box[:, 1], (m, len(box)))

    return invent


def film(
    made: Scenario,
    world: Movers,
    rng: Generator,
    scans: int | None,
    *,
    see: See = everything,
    measure: Measure = isotropic,
    invent: Invent | None = None,
    covariance: Callable[[Sensor, F8], F8] | None = None,
    behind: Sequence[int] = (),
    limited: bool = False,
) -> Scenario:
    """Fill an empty scenario with 10 s, or the first `scans` scans of them.

    Parameters
    ----------
    made
        With its sensors and nothing else; returned.
    covariance
        Covariance (n, dim, dim) that a sensor states for its rows, where it is not its `sd_m`.
    behind
        By sensor: how many steps older than its stamp says what it shows is.
    limited
        Whether to say which objects some sensor could see.
    """
    sensors = made.sensors()
    rate = 10.0 * len(sensors)
    false = invent or in_box(made.box)
    width = 2 if "bearing" in made.kinds else made.dim
    past: deque[tuple[F8, I8]] = deque(maxlen=1 + max(behind, default=0))
    for k in range(SECONDS * 10 * len(sensors) if scans is None else scans):
        if k:
            world.step(1.0 / rate)
        past.append((world.p.copy(), world.id.copy()))
        row = k % len(sensors)
        sensor = sensors[row]
        place, who = past[max(-1 - (behind[row] if behind else 0), -len(past))]
        seen = (rng.random(len(place)) < sensor.p_detect) & see(sensor, place)
        noise = rng.standard_normal((len(place), width))
        invented = false(sensor, rng)
        z = np.concatenate([measure(sensor, place[seen], noise[seen]), invented])
        origin = np.concatenate([who[seen], np.full(len(invented), -1)])
        order = rng.permutation(len(z))
        made.plots.append(z[order])
        made.origin.append(origin[order])
        made.scan_sensor.append(row)
        made.scan_ns.append(round(((k + 1) / rate - 0.001) * 1e9))
        if covariance is not None:
            made.cov.append(covariance(sensor, z[order]))
        if row == len(sensors) - 1:
            made.truth_s.append((k + 1) // len(sensors) / 10.0)
            made.truth_id.append(world.id.copy())
            made.truth.append(world.p + world.v * 0.001)
            if limited:
                masks = [see(one, world.p) for one in sensors]
                made.covered.append(np.logical_or.reduce(masks))
    return made


def empty(
    name: str,
    size: int,
    seed: int,
    box: F8,
    devices: Sequence[Sensor],
    clutter: float,
    kinds: Sequence[PlotKind] = (),
) -> Scenario:
    """Make a scenario to be filmed."""
    return Scenario(
        name, size, seed, len(box), box, clutter, [], [], [], [], [], [],
        devices=tuple(devices), kinds=tuple(kinds),
    )  # fmt: skip
