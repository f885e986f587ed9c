"""Scenarios of sensors and links that do not do what is configured.

`biased`, `yawed`, `late_clock`: five sensors, the third of which is wrong while its configuration
says that it is right. `duplicates` and `late_rows`: `nominal`, sent badly.
"""

from dataclasses import replace
from math import radians

import numpy as np
from numpy.random import Generator

from replay.scenarios.film import Measure, empty, film, isotropic
from replay.scenarios.fusion import Fleet
from replay.scenarios.limits import square
from replay.scenarios.scenario import Scenario, radars
from v2x.columns import F8
from v2x.sensors import Sensor

FIVE_SD = 0.5, 1.0, 0.7, 1.5, 2.0
WRONG = 2
"""Row of the sensor that is wrong."""
BIAS_M, YAW_DEG, LATE_STEPS = 1.5, 0.5, 6
"""Towards the north-east; clockwise; of 20 ms: 120 ms."""
DUPLICATED = 0.3
LATE, LATEST_S, LINK_S = 0.1, 5.0, 0.1


def _five(name: str, size: int, seed: int) -> Scenario:
    """Sensors at the corners and in the middle, all of which see everything."""
    box = square(size, 100.0)
    side = float(box[0, 1])
    places = (0.0, 0.0), (side, 0.0), (0.5 * side, 0.5 * side), (0.0, side), (side, side)
    devices = [
        Sensor(
            f"radar-{k + 1}", p_detect=0.9, clutter_density=0.2 * size / side**2, sd_m=sd,
            sd_up_m=sd, east_m=east, north_m=north, period_s=0.1,
        )
        for k, (sd, (east, north)) in enumerate(zip(FIVE_SD, places, strict=True))
    ]  # fmt: skip
    return empty(name, size, seed, box, devices, 0.2 * size)


def _film(made: Scenario, rng: Generator, scans: int | None, measure: Measure) -> Scenario:
    return film(made, Fleet(made.size, made.box, rng), rng, scans, measure=measure)


def biased(size: int, seed: int, rng: Generator, scans: int | None) -> Scenario:
    """One of five shows everything 1.5 m to the north-east."""
    made = _five("biased", size, seed)
    name = made.devices[WRONG].name
    shift = BIAS_M / np.sqrt(2.0)

    def measure(sensor: Sensor, place: F8, noise: F8) -> F8:
        return isotropic(sensor, place, noise) + (shift if sensor.name == name else 0.0)

    return _film(made, rng, scans, measure)


def yawed(size: int, seed: int, rng: Generator, scans: int | None) -> Scenario:
    """One of five, in the middle, is turned clockwise by 0.5 degrees more than it believes.

    So it shows everything turned anticlockwise about itself.
    """
    made = _five("yawed", size, seed)
    name = made.devices[WRONG].name
    c, s = np.cos(radians(YAW_DEG)), np.sin(radians(YAW_DEG))

    def measure(sensor: Sensor, place: F8, noise: F8) -> F8:
        if sensor.name != name:
            return isotropic(sensor, place, noise)
        stand = np.array([sensor.east_m, sensor.north_m])
        east, north = (place - stand).T
        turned = np.column_stack((c * east - s * north, s * east + c * north))
        return isotropic(sensor, stand + turned, noise)

    return _film(made, rng, scans, measure)


def late_clock(size: int, seed: int, rng: Generator, scans: int | None) -> Scenario:
    """One of five stamps what it saw 120 ms late: its plots show where things were."""
    made = _five("late_clock", size, seed)
    behind = [LATE_STEPS * (k == WRONG) for k in range(5)]
    world = Fleet(size, made.box, rng)
    return film(made, world, rng, scans, behind=behind)


def _nominal(name: str, size: int, seed: int, rng: Generator, scans: int | None) -> Scenario:
    box = square(size, 100.0)
    made = empty(name, size, seed, box, radars(box, 0.2 * size), 0.2 * size)
    return _film(made, rng, scans, isotropic)


def duplicates(size: int, seed: int, rng: Generator, scans: int | None) -> Scenario:
    """30 % of the rows of each scan stand in it twice, to the bit.

    Draws after all scans, one after another: random (n), then a permutation of the longer scan.
    """
    made = _nominal("duplicates", size, seed, rng, scans)
    for k, (z, who) in enumerate(zip(made.plots, made.origin, strict=True)):
        twice = rng.random(len(z)) < DUPLICATED
        order = rng.permutation(len(z) + int(twice.sum()))
        made.plots[k] = np.concatenate([z, z[twice]])[order]
        made.origin[k] = np.concatenate([who, who[twice]])[order]
    return made


def late_rows(size: int, seed: int, rng: Generator, scans: int | None) -> Scenario:
    """One row in ten arrives up to 5 s late, the others within 0.1 s.

    Draws after all scans, one after another: random (n), uniform (n) s for the late, uniform (n)
    s for the others.
    """
    made = _nominal("late_rows", size, seed, rng, scans)
    arrival = []
    for t_ns, z in zip(made.scan_ns, made.plots, strict=True):
        late = rng.random(len(z)) < LATE
        long, short = rng.uniform(LINK_S, LATEST_S, len(z)), rng.uniform(0.0, LINK_S, len(z))
        arrival.append(t_ns + np.rint(np.where(late, long, short) * 1e9).astype(np.int64))
    return replace(made, arrival_ns=arrival)
