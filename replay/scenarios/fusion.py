"""Seeded scenarios for fusion: `nominal`, `hard`, `lanes`, `air3d`, `stopgo`, to the bit.

Every draw comes from one NumPy generator in a fixed order, so that a seed names the same plots for
every tracker and every release: `FINGERPRINTS` holds what seed 0 must give. Seeds 0-9 are the
published ones; tune on `stream=1`, which draws from ``default_rng([seed, 1])``.

N live objects at all times for 10 s; three sensors at 10 Hz, phase-shifted: a scan every 1/30 s,
1 ms before the truth instants 0.1, 0.2, ... 10.0 s. Noise 0.5, 1 and 2 m per axis, detection 0.9,
clutter uniform in the box.
"""

from collections.abc import Callable
from math import pi, sqrt

import numpy as np
from numpy.random import Generator

from replay.scenarios.scenario import P_DETECT, SENSOR_SD, Scenario
from replay.scenarios.stopgo import StopGo
from v2x.columns import F8

__all__ = ["FINGERPRINTS", "NAMES", "P_DETECT", "SCANS", "SENSOR_SD", "Scenario", "make"]

SCANS = 300
LANES = (1.75, 5.25, 8.75, 12.25, 15.75, 19.25)
WIDTH_LANE = 3.5

FINGERPRINTS: dict[tuple[str, int], tuple[str, int]] = {
    ("nominal", 10): ("e4b3f8b4e32bb041", 3_309),
    ("nominal", 100): ("734a1f26383692dc", 32_972),
    ("nominal", 1000): ("83972d53bc43534f", 329_862),
    ("hard", 10): ("f25d07c663f54502", 5_700),
    ("hard", 100): ("8fadbb91483ea9ed", 57_147),
    ("hard", 1000): ("8dd26dd2a253d6be", 568_968),
    ("lanes", 60): ("f6917fe963854c76", 21_618),
    ("air3d", 10): ("6c082152dbf6c5c2", 3_302),
    ("air3d", 100): ("6e2049a2101663a0", 33_180),
    ("air3d", 1000): ("d251d4ea9d8d2ca4", 329_782),
    ("stopgo", 10): ("89512b5b25411559", 3_293),
    ("stopgo", 100): ("3e408a3c6c88d08d", 33_010),
    ("stopgo", 1000): ("9789a45cecfd6d91", 329_980),
}
"""SHA-256 over all plots of seed 0 (first 16 digits), and how many plots there are."""


class Fleet:
    """Free movers of `nominal`, `hard` and `air3d`: straight or turning, replaced when gone."""

    def __init__(self, n: int, box: F8, rng: Generator) -> None:
        self.n, self.box, self.rng, self.dim = n, box, rng, len(box)
        self.p, self.v, self.omega = self._new(n)
        self.id = np.arange(n)
        self.next_id = n

    def _new(self, k: int) -> tuple[F8, F8, F8]:
        rng = self.rng
        p = rng.uniform(self.box[:, 0], self.box[:, 1], (k, self.dim))
        speed = rng.uniform(5.0, 20.0, k)
        heading = rng.uniform(0.0, 2.0 * pi, k)
        v = np.zeros((k, self.dim))
        v[:, 0], v[:, 1] = speed * np.cos(heading), speed * np.sin(heading)
        if self.dim == 3:
            v[:, 2] = rng.uniform(-2.0, 2.0, k)
        straight = rng.random(k) < 0.5
        rate, sign = rng.uniform(5.0, 20.0, k), rng.choice([-1, 1], k)
        omega = np.where(straight, 0.0, np.radians(rate * sign))
        return p, v, omega

    def step(self, dt: float) -> None:
        """Move on by `dt` s; who is gone is replaced."""
        rng, n = self.rng, self.n
        c, s = np.cos(self.omega * dt), np.sin(self.omega * dt)
        vx, vy = self.v[:, 0].copy(), self.v[:, 1].copy()
        self.v[:, 0], self.v[:, 1] = c * vx - s * vy, s * vx + c * vy
        self.v += rng.normal(0.0, 0.3 * sqrt(dt), (n, self.dim))
        self.p += self.v * dt
        if self.dim == 3:
            low, high = self.p[:, 2] < 10.0, self.p[:, 2] > 290.0
            self.v[low, 2] = np.abs(self.v[low, 2])
            self.v[high, 2] = -np.abs(self.v[high, 2])
        switch = rng.random(n) < 0.1 * dt
        rate, sign = rng.uniform(5.0, 20.0, n), rng.choice([-1, 1], n)
        new = np.where(self.omega == 0.0, np.radians(rate * sign), 0.0)
        self.omega = np.where(switch, new, self.omega)
        dead = rng.random(n) < 0.02 * dt
        dead |= ((self.p < self.box[:, 0]) | (self.p > self.box[:, 1])).any(axis=1)
        k = int(dead.sum())
        if k:
            self.p[dead], self.v[dead], self.omega[dead] = self._new(k)
            self.id[dead] = np.arange(self.next_id, self.next_id + k)
            self.next_id += k


class _Traffic:
    """Six lanes one way; cars change lane, and come in again at the start."""

    def __init__(self, n: int, box: F8, rng: Generator) -> None:
        self.n, self.box, self.rng = n, box, rng
        x = rng.uniform(0.0, box[0, 1], n)
        self.target = np.array(LANES)[np.arange(n) % 6]
        y = self.target + rng.normal(0.0, 0.2, n)
        vx = rng.uniform(15.0, 35.0, n)
        vy = rng.normal(0.0, 0.05, n)
        self.p, self.v = np.stack([x, y], 1), np.stack([vx, vy], 1)
        self.id = np.arange(n)
        self.next_id = n

    def step(self, dt: float) -> None:
        """Move on by `dt` s; who is gone is replaced."""
        rng, n = self.rng, self.n
        change = rng.random(n) < 0.03 * dt
        side = rng.choice([-WIDTH_LANE, WIDTH_LANE], n)
        moved = np.clip(self.target + side, LANES[0], LANES[-1])
        self.target = np.where(change, moved, self.target)
        ay = np.clip(0.8 * (self.target - self.p[:, 1]) - 1.6 * self.v[:, 1], -1.5, 1.5)
        self.v[:, 1] += ay * dt
        self.v[:, 0] += rng.normal(0.0, 0.3 * sqrt(dt), n)
        self.p += self.v * dt
        gone = self.p[:, 0] > self.box[0, 1]
        k = int(gone.sum())
        if k:
            self.p[gone, 0] = rng.uniform(0.0, 1.0, k)
            self.id[gone] = np.arange(self.next_id, self.next_id + k)
            self.next_id += k


def _box(name: str, n: int) -> tuple[F8, float]:
    side = {"nominal": 100.0, "hard": 25.0, "air3d": 100.0, "stopgo": 100.0}.get(name, 0.0) * sqrt(
        n
    )
    if name == "lanes":
        return np.array([[0.0, 25.0 * n / 6.0], [0.0, 6 * WIDTH_LANE]]), 0.3 * n
    if name == "air3d":
        return np.array([[0.0, side], [0.0, side], [0.0, 300.0]]), 0.2 * n
    return np.array([[0.0, side], [0.0, side]]), (1.0 if name == "hard" else 0.2) * n


_MOVERS: dict[str, Callable[[int, F8, Generator], Fleet | _Traffic | StopGo]] = {
    "lanes": _Traffic,
    "stopgo": StopGo,
}
NAMES = ("nominal", "hard", "lanes", "air3d", "stopgo")


def make(
    name: str, size: int = 100, seed: int = 0, stream: int = 0, scans: int = SCANS
) -> Scenario:
    """Draw one scenario; the first `scans` of its 300 scans.

    Raises
    ------
    ValueError
        For a name not in `NAMES`.
    """
    if name not in NAMES:
        raise ValueError(f"no scenario {name!r}; there are {', '.join(NAMES)}")
    rng = np.random.default_rng([seed, stream] if stream else seed)
    box, clutter = _box(name, size)
    dim = len(box)
    world = _MOVERS.get(name, Fleet)(size, box, rng)
    made = Scenario(name, size, seed, dim, box, clutter, [], [], [], [], [], [])
    for k in range(scans):
        if k:
            world.step(1.0 / 30.0)
        seen = rng.random(size) < P_DETECT
        sd = SENSOR_SD[k % 3]
        z = world.p[seen] + rng.normal(0.0, sd, (int(seen.sum()), dim))
        m = int(rng.poisson(clutter))
        false = rng.uniform(box[:, 0], box[:, 1], (m, dim))
        z = np.concatenate([z, false])
        who = np.concatenate([world.id[seen], np.full(m, -1)])
        order = rng.permutation(len(z))
        made.plots.append(z[order])
        made.origin.append(who[order])
        made.scan_sensor.append(k % 3)
        made.scan_ns.append(round(((k + 1) / 30.0 - 0.001) * 1e9))
        if k % 3 == 2:
            made.truth_s.append((k + 1) // 3 / 10.0)
            made.truth_id.append(world.id.copy())
            made.truth.append(world.p + world.v * 0.001)
    return made
