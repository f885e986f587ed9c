"""Scenarios of limited sight: partial coverage, range-azimuth radars, occlusion in a crowd."""

from dataclasses import replace
from math import exp, radians, sqrt

import numpy as np
from numpy.random import Generator

from replay.scenarios.angles import arcsin, arctan2
from replay.scenarios.film import empty, film
from replay.scenarios.flocks import Crowd
from replay.scenarios.fusion import Fleet
from replay.scenarios.scenario import Scenario, radars
from v2x.columns import B1, F8
from v2x.sensors import Sensor, SensorKind

BODY_M = 0.25
"""Half the width of a pedestrian."""
BINS = 7_200
"""Of azimuth, for who hides whom."""
SD_RANGE, SD_DEG = 1.0, 0.5


def square(n: int, metres: float) -> F8:
    """Box with `metres` squared for each of `n` objects."""
    side = metres * sqrt(n)
    return np.array([[0.0, side], [0.0, side]])


def coverage(size: int, seed: int, rng: Generator, scans: int | None) -> Scenario:
    """Objects of `nominal`; sensors see the strips 0-40, 30-70 and 60-85 % of the width.

    The last 15 % nobody sees: objects leave the sight of all, and some come back.
    """
    box = square(size, 100.0)
    side = float(box[0, 1])
    strips = (0.0, 0.4), (0.3, 0.7), (0.6, 0.85)
    devices = [
        replace(
            sensor,
            coverage=((a * side, 0.0), (b * side, 0.0), (b * side, side), (a * side, side)),
        )
        for sensor, (a, b) in zip(radars(box, 0.2 * size), strips, strict=True)
    ]

    def inside(sensor: Sensor, place: F8) -> B1:
        low, high = sensor.coverage[0][0], sensor.coverage[1][0]
        return np.asarray((place[:, 0] >= low) & (place[:, 0] <= high))

    def clutter(sensor: Sensor, rng: Generator) -> F8:
        low, high = sensor.coverage[0][0], sensor.coverage[1][0]
        m = int(rng.poisson(sensor.clutter_density * (high - low) * side))
        return rng.uniform((low, 0.0), (high, side), (m, 2))

    made = empty("coverage", size, seed, box, devices, 0.2 * size)
    world = Fleet(size, box, rng)
    return film(made, world, rng, scans, see=inside, invent=clutter, limited=True)


def polar(size: int, seed: int, rng: Generator, scans: int | None) -> Scenario:
    """Objects of `nominal` before three radars at its corners: 1 m in range, 0.5 deg in azimuth.

    Rows are places, converted without bias, with the covariance of the place they came out at.
    """
    box = square(size, 100.0)
    side = float(box[0, 1])
    density = 0.2 * size / side**2
    devices = [
        Sensor(
            f"radar-{k + 1}", kind=SensorKind.RADAR, p_detect=0.9, clutter_density=density,
            sd_range_m=SD_RANGE, sd_deg=SD_DEG, east_m=east, north_m=north, period_s=0.1,
        )
        for k, (east, north) in enumerate(((0.0, 0.0), (side, 0.0), (0.5 * side, side)))
    ]  # fmt: skip
    made = empty("polar", size, seed, box, devices, 0.2 * size)
    world = Fleet(size, box, rng)
    return film(made, world, rng, scans, measure=converted, covariance=stated)


def converted(sensor: Sensor, place: F8, noise: F8) -> F8:
    """Places (n, 2) measured in range and azimuth; `noise` in standard deviations of the two.

    The factor exp(sd²/2) takes away the bias (Mo et al., "Unbiased converted measurements for
    tracking", IEEE TAES 1998).
    """
    way = place - (sensor.east_m, sensor.north_m)
    sd = radians(sensor.sd_deg)
    far = np.maximum(np.hypot(way[:, 0], way[:, 1]), 1e-9)
    grown = (far + sensor.sd_range_m * noise[:, 0]) * exp(0.5 * sd**2) / far
    c, s = np.cos(sd * noise[:, 1]), np.sin(sd * noise[:, 1])
    east, north = grown * (c * way[:, 0] + s * way[:, 1]), grown * (c * way[:, 1] - s * way[:, 0])
    return np.column_stack((sensor.east_m + east, sensor.north_m + north))


def stated(sensor: Sensor, place: F8) -> F8:
    """Covariance (n, 2, 2) m² of such places, from where they came out (first order)."""
    way = place - (sensor.east_m, sensor.north_m)
    r = np.maximum(np.hypot(way[:, 0], way[:, 1]), 1e-9)
    along = way / r[:, None]
    across = np.column_stack((-along[:, 1], along[:, 0]))
    sd = radians(sensor.sd_deg)
    outer = np.einsum("ni,nj->nij", along, along), np.einsum("ni,nj->nij", across, across)
    made: F8 = sensor.sd_range_m**2 * outer[0] + (r * sd)[:, None, None] ** 2 * outer[1]
    return made


def crowd(size: int, seed: int, rng: Generator, scans: int | None) -> Scenario:
    """Pedestrians, 36 m² for each, before four sensors at the corners; the nearer hide others.

    Standard deviation 0.2 m, p_D 0.9 for who is in sight, 0.05 false plots a pedestrian and scan.
    """
    box = square(size, 6.0)
    side = float(box[0, 1])
    devices = [
        Sensor(
            f"lidar-{k + 1}", kind=SensorKind.LIDAR, p_detect=0.9,
            clutter_density=0.05 * size / side**2, sd_m=0.2, sd_up_m=0.2,
            east_m=east, north_m=north, period_s=0.1,
        )
        for k, (east, north) in enumerate(((0.0, 0.0), (side, 0.0), (side, side), (0.0, side)))
    ]  # fmt: skip
    made = empty("crowd", size, seed, box, devices, 0.05 * size)
    return film(made, Crowd(size, box, rng), rng, scans, see=in_sight, limited=True)


def in_sight(sensor: Sensor, place: F8) -> B1:
    """Who (n, 2) is not hidden: no nearer body covers the azimuth of his middle.

    Bodies are drawn into bins of azimuth, the nearest wins (a z-buffer): bins of 0.05 degrees
    make it right to a centimetre at 10 m.
    """
    way = place - (sensor.east_m, sensor.north_m)
    r = np.hypot(way[:, 0], way[:, 1])
    az = arctan2(way[:, 0], way[:, 1])
    half = arcsin(np.minimum(1.0, BODY_M / np.maximum(r, BODY_M)))
    per = BINS / (2.0 * np.pi)
    first = np.floor((az - half) * per).astype(np.int64)
    count = np.floor((az + half) * per).astype(np.int64) - first + 1
    who = np.repeat(np.arange(len(r)), count)
    start = np.cumsum(count) - count
    bins = (first[who] + np.arange(len(who)) - start[who]) % BINS
    nearest = np.full(BINS, np.inf)
    np.minimum.at(nearest, bins, r[who])
    return np.asarray(r <= nearest[np.floor(az * per).astype(np.int64) % BINS])
