"""Movers of `stopgo`: vehicles that brake to a stand, wait, pull away, and turn corners sharply.

A vehicle cruises at 5-15 m/s. At a rate of 0.25 /s it brakes (2-5 m/s²): half of the time to a
stand that lasts 1-4 s, else to the speed at which a corner of 90 degrees, taken at 15-45 deg/s,
needs no more than 4 m/s² sideways. Then it pulls away (1.5-3.5 m/s²) to a new cruising speed,
unless it is faster already. On
the way speed wanders by 0.2 m/s per root second and heading by 0.01 rad per root second; a standing
vehicle stands still to the bit.

Draw order. *Start, for k vehicles*: positions uniform (k, 2); cruising speeds; headings. *Step*,
each for all N whatever they do: random (manoeuvre?), random (stand or corner?), braking, turn rate,
sign of the turn, seconds to stand, pulling away, next cruising speed, speed noise, heading noise,
random (death?), then the start of those that died, in slot order.
"""

from math import pi, sqrt

import numpy as np
from numpy.random import Generator

from v2x.columns import F8

CRUISE, BRAKE, STAND, CORNER, PULL = range(5)
"""What a vehicle is doing."""
SPEED = 5.0, 15.0
BRAKING, PULLING, STANDING_S = (2.0, 5.0), (1.5, 3.5), (1.0, 4.0)
TURN_DEG_S = 15.0, 45.0
SIDEWAYS = 4.0
RATE = 0.25
"""Manoeuvres per second of cruising."""


class StopGo:
    """Vehicles in a box; `p`, `v` (n, 2) and `id` (n,) are what a look needs."""

    def __init__(self, n: int, box: F8, rng: Generator) -> None:
        self.n, self.box, self.rng = n, box, rng
        self.doing = np.zeros(n, np.int64)
        self.p, self.cruise, self.heading = self._new(n)
        self.speed = self.cruise.copy()
        self.accel, self.goal, self.omega = np.zeros(n), self.cruise.copy(), np.zeros(n)
        self.pull, self.stand_s, self.angle = np.ones(n), np.zeros(n), np.zeros(n)
        self.id, self.next_id = np.arange(n), n

    @property
    def v(self) -> F8:
        """(n, 2) m/s."""
        direction = np.stack((np.cos(self.heading), np.sin(self.heading)), 1)
        return np.asarray(self.speed[:, None] * direction)

    def _new(self, k: int) -> tuple[F8, F8, F8]:
        rng = self.rng
        p = rng.uniform(self.box[:, 0], self.box[:, 1], (k, 2))
        return p, rng.uniform(*SPEED, k), rng.uniform(0.0, 2.0 * pi, k)

    def step(self, dt: float) -> None:
        """Move on by `dt` s."""
        self._choose(dt)
        self._move(dt)
        rng, n = self.rng, self.n
        dead = rng.random(n) < 0.02 * dt
        dead |= ((self.p < self.box[:, 0]) | (self.p > self.box[:, 1])).any(axis=1)
        k = int(dead.sum())
        if k:
            self.p[dead], self.cruise[dead], self.heading[dead] = self._new(k)
            self.speed[dead], self.doing[dead] = self.cruise[dead], CRUISE
            self.id[dead] = np.arange(self.next_id, self.next_id + k)
            self.next_id += k

    def _choose(self, dt: float) -> None:
        """Draw for all, and let those that cruise begin to brake."""
        rng, n = self.rng, self.n
        begin = (rng.random(n) < RATE * dt) & (self.doing == CRUISE)
        stands = rng.random(n) < 0.5
        braking = rng.uniform(*BRAKING, n)
        rate, sign = np.radians(rng.uniform(*TURN_DEG_S, n)), rng.choice([-1.0, 1.0], n)
        stand_s, pull = rng.uniform(*STANDING_S, n), rng.uniform(*PULLING, n)
        cruise = rng.uniform(*SPEED, n)
        slow = np.where(stands, 0.0, np.minimum(SIDEWAYS / rate, self.speed))
        self.doing[begin] = BRAKE
        self.accel[begin], self.goal[begin] = -braking[begin], slow[begin]
        self.omega[begin] = np.where(stands, 0.0, rate * sign)[begin]
        self.angle[begin] = np.where(stands, 0.0, pi / 2.0)[begin]
        self.stand_s[begin] = np.where(stands, stand_s, 0.0)[begin]
        self.pull[begin], self.cruise[begin] = pull[begin], cruise[begin]

    def _move(self, dt: float) -> None:
        """One step of everybody, each at what it was doing; then who is done goes on."""
        rng, n, doing = self.rng, self.n, self.doing
        wander, sway = rng.normal(0.0, 0.2 * sqrt(dt), n), rng.normal(0.0, 0.01 * sqrt(dt), n)
        moving, turning = doing != STAND, doing == CORNER
        changing = (doing == BRAKE) | (doing == PULL)
        self.speed[changing] += self.accel[changing] * dt
        free = (doing == CRUISE) | turning
        self.speed[free] = np.maximum(self.speed[free] + wander[free], 0.5)
        self.heading[moving] += sway[moving]
        turn = np.minimum(np.abs(self.omega) * dt, self.angle)[turning]
        self.heading[turning] += np.sign(self.omega[turning]) * turn
        self.angle[turning] -= turn
        self.stand_s[~moving] -= dt

        braked = (doing == BRAKE) & (self.speed <= self.goal)
        pulled = (doing == PULL) & (self.speed >= self.goal)
        self.speed[braked | pulled] = self.goal[braked | pulled]
        leaves = (turning & (self.angle <= 0.0)) | (~moving & (self.stand_s <= 0.0))
        self.doing[braked] = np.where(self.omega[braked] == 0.0, STAND, CORNER)
        self.doing[pulled] = CRUISE
        self.doing[leaves] = PULL
        self.accel[leaves] = self.pull[leaves]
        self.goal[leaves] = np.maximum(self.cruise, self.speed)[leaves]
        self.p += self.v * dt
