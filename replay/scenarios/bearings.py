"""`bearing`: four cameras on the corners of a square, drones above it, and nothing but angles.

The drones have no ranges to be read off; two lines of sight that cross within 0.1 s are the least
that locates one. Every image has one false bearing, uniform over the upper hemisphere.
"""

from math import pi, radians

import numpy as np
from numpy.random import Generator

from replay.scenarios.angles import arcsin, arctan2
from replay.scenarios.film import empty, film
from replay.scenarios.scenario import Scenario
from v2x.columns import F8
from v2x.sensors import Sensor, SensorKind

SIDE = 140.0
HEIGHTS = 30.0, 80.0
MOST_SPEED, ACCEL, CLIMB = 15.0, 5.0, 4.0
SD_DEG, P_DETECT = 0.1, 0.6
CAMERA_UP = 3.0


class Drones:
    """Drones that fly from one random place to the next, turning with 5 m/s².

    Draws at the start: places, then targets, each uniform (n, 2) and then heights (n,). Step:
    targets again for all n; those who are within 15 m of theirs take them.
    """

    def __init__(self, n: int, rng: Generator) -> None:
        self.n, self.rng = n, rng
        self.p, self.v = self._somewhere(), np.zeros((n, 3))
        self.target = self._somewhere()
        self.id = np.arange(n)

    def _somewhere(self) -> F8:
        # 25 m from the edge, 3 m from either height: more than it takes to turn round
        flat = self.rng.uniform(25.0, SIDE - 25.0, (self.n, 2))
        up = self.rng.uniform(HEIGHTS[0] + 3.0, HEIGHTS[1] - 3.0, self.n)
        return np.column_stack((flat, up))

    def step(self, dt: float) -> None:
        """Move on by `dt` s."""
        new = self._somewhere()
        way = self.target - self.p
        near = np.linalg.norm(way, axis=1) < 15.0
        self.target[near] = new[near]
        way = self.target - self.p
        far = np.maximum(np.linalg.norm(way, axis=1, keepdims=True), 1e-9)
        wanted = MOST_SPEED * way / far
        wanted[:, 2] = np.clip(wanted[:, 2], -CLIMB, CLIMB)
        change = wanted - self.v
        size = np.maximum(np.linalg.norm(change, axis=1, keepdims=True), 1e-9)
        self.v = self.v + change * np.minimum(1.0, ACCEL * dt / size)
        self.p = self.p + self.v * dt


def cameras() -> list[Sensor]:
    """One on each corner."""
    corners = (0.0, 0.0), (SIDE, 0.0), (SIDE, SIDE), (0.0, SIDE)
    return [
        Sensor(
            f"camera-{k + 1}",
            kind=SensorKind.CAMERA,
            p_detect=P_DETECT,
            clutter_density=1.0 / (2.0 * pi),
            sd_deg=SD_DEG,
            east_m=east,
            north_m=north,
            up_m=CAMERA_UP,
            period_s=0.1,
        )
        for k, (east, north) in enumerate(corners)
    ]


def sight(sensor: Sensor, place: F8, noise: F8) -> F8:
    """Azimuth and elevation (n, 2) rad of places (n, 3), with noise in the tangent plane.

    `noise` in standard deviations along growing azimuth and elevation.
    """
    way = place - (sensor.east_m, sensor.north_m, sensor.up_m)
    ray = way / np.linalg.norm(way, axis=1, keepdims=True)
    flat = np.maximum(np.hypot(ray[:, 0], ray[:, 1]), 1e-12)
    aside = np.column_stack((ray[:, 1], -ray[:, 0], np.zeros(len(ray)))) / flat[:, None]
    above = np.cross(aside, ray)
    sd = radians(sensor.sd_deg)
    ray = ray + sd * (noise[:, :1] * aside + noise[:, 1:] * above)
    return np.column_stack(
        (arctan2(ray[:, 0], ray[:, 1]), arctan2(ray[:, 2], np.hypot(ray[:, 0], ray[:, 1])))
    )


def one_anywhere(_: Sensor, rng: Generator) -> F8:
    """One bearing, uniform over the upper hemisphere: azimuth, then sine of the elevation."""
    azimuth = rng.uniform(-pi, pi, 1)
    return np.column_stack((azimuth, arcsin(rng.uniform(0.0, 1.0, 1))))


def bearing(size: int, seed: int, rng: Generator, scans: int | None) -> Scenario:
    """`size` drones; the published case has one."""
    box = np.array([[0.0, SIDE], [0.0, SIDE], list(HEIGHTS)])
    made = empty("bearing", size, seed, box, cameras(), 1.0, ["bearing"] * 4)
    return film(made, Drones(size, rng), rng, scans, measure=sight, invent=one_anywhere)
