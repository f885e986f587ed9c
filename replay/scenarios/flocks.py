"""Movers that keep close: crossing and parallel pairs, a swarm of drones, walking groups.

Who they are and what is drawn when: docs/scenarios.md. Nobody dies and nobody is born here.
"""

from math import pi, sqrt

import numpy as np
from numpy.random import Generator

from v2x.columns import F8, I8

PAIR_GRID = 200.0
"""Metres between the middles of pairs: they do not meet other pairs."""
APART = 0.5, 5.0
SWARM_SPACING, SWARM_SPEED = 4.0, 10.0
SPRING, DAMPING = 1.0, 1.4
"""1/s² and 1/s."""
WALKING = 1.0, 2.0
GROUP = 3


class Pairs:
    """`n` objects, two by two: even pairs go side by side, odd ones cross at about 5 s.

    Draws at the start, for all pairs: distance apart (side by side, or the least of those that
    cross); speed; heading; crossing angle 10-60 degrees; time of crossing 4-6 s. Motion is
    straight, no draws.
    A last object without a partner goes alone.
    """

    def __init__(self, n: int, rng: Generator) -> None:
        m = (n + 1) // 2
        apart, speed = rng.uniform(*APART, m), rng.uniform(5.0, 15.0, m)
        heading, angle = rng.uniform(0.0, 2.0 * pi, m), np.radians(rng.uniform(10.0, 60.0, m))
        meet_s = rng.uniform(4.0, 6.0, m)
        side = int(np.ceil(sqrt(m)))
        middle = PAIR_GRID * (0.5 + np.stack(np.divmod(np.arange(m), side), 1))
        crossing = np.arange(m) % 2 == 1
        half = np.where(crossing, 0.5 * angle, 0.0)
        # who crosses is told apart along the common heading, across which the two close up
        aside = np.where(crossing, heading, heading + 0.5 * pi)
        off = 0.5 * apart[:, None] * np.stack((np.cos(aside), np.sin(aside)), 1)
        p, v = np.empty((2 * m, 2)), np.empty((2 * m, 2))
        for k, sign in enumerate((1.0, -1.0)):
            h = heading + sign * half
            v[k::2] = speed[:, None] * np.stack((np.cos(h), np.sin(h)), 1)
            p[k::2] = middle + sign * off - meet_s[:, None] * v[k::2]
        self.p, self.v, self.id = p[:n], v[:n], np.arange(n)

    def step(self, dt: float) -> None:
        """Move on by `dt` s."""
        self.p = self.p + self.v * dt


class Swarm:
    """`n` drones in a cubic formation of 4 m that flies at 10 m/s, turns, climbs and sinks.

    Draws at the start: offsets from the places in the formation, normal (n, 3) with sd 0.5 m;
    heading. Step: one random (at 0.3 /s a new turn rate), its uniform (-20, 20) deg/s and climb
    uniform (-2, 2) m/s; normal (n, 3), the noise of a damped spring that keeps the offsets at
    0.5 m per axis.
    """

    def __init__(self, n: int, rng: Generator) -> None:
        side = int(np.ceil(n ** (1.0 / 3.0)))
        cell = np.stack(np.unravel_index(np.arange(n), (side, side, side)), 1)
        self.rng, self.n = rng, n
        self.slot: F8 = SWARM_SPACING * (cell - cell.mean(0))
        self.offset = rng.normal(0.0, 0.5, (n, 3))
        self.heading = float(rng.uniform(0.0, 2.0 * pi))
        self.middle = np.array([0.0, 0.0, 60.0 + float(self.slot[:, 2].max())])
        self.omega = self.climb = 0.0
        self.drift = np.zeros((n, 3))
        self.id = np.arange(n)

    @property
    def p(self) -> F8:
        """(n, 3) m."""
        return np.asarray(self.middle + self.slot + self.offset)

    @property
    def v(self) -> F8:
        """(n, 3) m/s."""
        return np.asarray(self._course() + self.drift)

    def _course(self) -> F8:
        h = self.heading
        return np.array([SWARM_SPEED * np.cos(h), SWARM_SPEED * np.sin(h), self.climb])

    def step(self, dt: float) -> None:
        """Move on by `dt` s."""
        rng = self.rng
        change = rng.random() < 0.3 * dt
        omega, climb = np.radians(rng.uniform(-20.0, 20.0)), float(rng.uniform(-2.0, 2.0))
        if change:
            self.omega, self.climb = float(omega), climb
        self.heading += self.omega * dt
        self.middle = self.middle + self._course() * dt
        # stationary variance of the offset: noise / (2 damping stiffness) = 0.25 m²
        pull = -SPRING * self.offset - DAMPING * self.drift
        noise = rng.normal(0.0, sqrt(0.5 * DAMPING * SPRING * dt), (self.n, 3))
        self.drift = self.drift + pull * dt + noise
        self.offset = self.offset + self.drift * dt


class Crowd:
    """`n` pedestrians at 1-2 m/s in groups of three, 0.8 m apart, who turn back at the walls.

    Draws at the start, for all groups: middle; speed; heading. Step: normal per group, by which
    headings wander (0.3 rad per root second); random per group (0.05 /s: a new direction) with
    its uniform heading.
    """

    def __init__(self, n: int, box: F8, rng: Generator) -> None:
        m = -(-n // GROUP)
        self.n, self.box, self.rng, self.m = n, box, rng, m
        self.middle = rng.uniform(box[:, 0] + 1.0, box[:, 1] - 1.0, (m, 2))
        self.speed, self.heading = rng.uniform(*WALKING, m), rng.uniform(0.0, 2.0 * pi, m)
        self.group = np.arange(n) // GROUP
        turn = 2.0 * pi * (np.arange(n) % GROUP) / GROUP
        self.place: F8 = 0.8 / sqrt(3.0) * np.stack((np.cos(turn), np.sin(turn)), 1)
        self.id: I8 = np.arange(n)

    @property
    def p(self) -> F8:
        """(n, 2) m."""
        return np.asarray(self.middle[self.group] + self.place)

    @property
    def v(self) -> F8:
        """(n, 2) m/s."""
        return np.asarray(self._courses()[self.group])

    def _courses(self) -> F8:
        direction = np.stack((np.cos(self.heading), np.sin(self.heading)), 1)
        return np.asarray(self.speed[:, None] * direction)

    def step(self, dt: float) -> None:
        """Move on by `dt` s."""
        rng, m = self.rng, self.m
        self.heading = self.heading + rng.normal(0.0, 0.3 * sqrt(dt), m)
        new = rng.random(m) < 0.05 * dt
        self.heading = np.where(new, rng.uniform(0.0, 2.0 * pi, m), self.heading)
        v = self._courses()
        low = self.middle < self.box[:, 0] + 1.0
        high = self.middle > self.box[:, 1] - 1.0
        back = (low & (v < 0.0)) | (high & (v > 0.0))
        self.heading = np.where(back[:, 0], pi - self.heading, self.heading)
        self.heading = np.where(back[:, 1], -self.heading, self.heading)
        self.middle = self.middle + np.where(back, -v, v) * dt
