"""What a tracker could reach on a scenario if it knew which object made each plot.

Every object has a filter of its own that gets exactly its plots; no association can do better with
the same motion model. `known`: births and deaths are known too, and an object is reported from its
first plot to its death. `inferred`: an object is there with a probability that Bayes' rule draws
from hits, misses and clutter, and is reported above 0.5. Not mathematical limits: a better motion
model goes below them.

The filter is an interacting multiple model estimator (Blom and Bar-Shalom, "The interacting
multiple model algorithm for systems with Markovian switching coefficients", IEEE TAC 1988) over
straight motion and coordinated turns of fixed rates. A mode is left at one rate for a mode drawn
from fixed weights, hence mixing needs one common mean and covariance for all modes.
"""

from dataclasses import dataclass
from math import cos, exp, pi, radians, sin
from typing import TYPE_CHECKING

import numpy as np

from v2x.cli.bench.measuring import Estimates
from v2x.columns import B1, F8, I8
from v2x.sensors import Sensor

if TYPE_CHECKING:
    from replay.scenarios.scenario import Scenario

DEATH_RATE = 0.03
"""Deaths per second and object."""
BIRTH_RATIO = 0.01
"""Density of first plots over that of clutter."""
REPORTED = 0.5
FORGOTTEN = 1e-4
"""An object that died is followed until it is less likely than this."""
START_SD = 10.0
"""m/s: velocity of a first plot, each axis."""
LEAVE_RATE = 0.2
LEAST_MODE = 1e-4
MOST_EXIST = 1.0 - 1e-9


@dataclass(frozen=True)
class Mode:
    """Motion with white acceleration noise `psd` m²/s³, turning at `turn_deg` deg/s.

    `weight` is how often a switch ends here, relative to other modes.
    """

    psd: float
    turn_deg: float = 0.0
    weight: float = 1.0

    def matrices(self, dim: int, dt: float) -> tuple[F8, F8]:
        """Transition and noise (2 dim, 2 dim) over `dt` s; state is place, then velocity."""
        F, Q = np.eye(2 * dim), np.zeros((2 * dim, 2 * dim))
        place, speed = np.arange(dim), np.arange(dim, 2 * dim)
        F[place, speed] = dt
        Q[place, place], Q[speed, speed] = self.psd * dt**3 / 3.0, self.psd * dt
        Q[place, speed] = Q[speed, place] = self.psd * dt**2 / 2.0
        w = radians(self.turn_deg)
        if w:
            along, across = sin(w * dt) / w, (1.0 - cos(w * dt)) / w
            F[:2, dim : dim + 2] = [[along, -across], [across, along]]
            c, s = cos(w * dt), sin(w * dt)
            F[dim : dim + 2, dim : dim + 2] = [[c, -s], [s, c]]
        return F, Q


MODELS: dict[str, tuple[Mode, ...]] = {
    "cv": (Mode(4.0),),
    "turn": (
        Mode(0.1, 0.0, 6.0),
        *(Mode(0.1, side * rate) for rate in (7.5, 12.5, 17.5) for side in (1, -1)),
    ),
}


def run(world: "Scenario", scans: int) -> dict[str, Estimates]:
    """Bounds over the first `scans` scans, what they report at each truth instant.

    Parameters
    ----------
    world
        Scenario whose plots are positions and whose `origin` says what made them.

    Returns
    -------
    dict
        ``bound-known-cv``, ``bound-inferred-cv``, ``bound-known-turn``, ``bound-inferred-turn``.

    Raises
    ------
    ValueError
        The scenario does not say what made its plots, or they are not places with the noise of
        their sensor from sensors that look everywhere.
    """
    if len(world.origin) != len(world.plots):
        raise ValueError(f"scenario {world.name} does not say which object made each plot")
    if world.cov or world.covered or set(world.kinds) - {"position"}:
        raise ValueError(f"no bounds for scenario {world.name}: plain places seen everywhere only")
    made: dict[str, Estimates] = {}
    for name, modes in MODELS.items():
        known, inferred = _follow(world, scans, modes)
        made[f"bound-known-{name}"], made[f"bound-inferred-{name}"] = known, inferred
    return made


def _follow(world: "Scenario", scans: int, modes: tuple[Mode, ...]) -> tuple[Estimates, Estimates]:
    """Filter all objects; what is reported with life and death known, and inferred."""
    filters = Filters(modes, world.dim, _objects(world))
    sensors, d = world.sensors(), world.dim
    known, inferred = Estimates(), Estimates()
    instants = [round(t * 1e9) for t in world.truth_s]
    t_ns, at = world.scan_ns[0], 0
    for k in range(scans):
        filters.predict((world.scan_ns[k] - t_ns) / 1e9)
        t_ns = world.scan_ns[k]
        filters.look(sensors[world.scan_sensor[k]], world.plots[k], world.origin[k])
        end = world.scan_ns[k + 1] if k + 1 < scans else t_ns + 2_000_000
        while at < len(instants) and t_ns <= instants[at] < end:
            alive = np.zeros(filters.n, bool)
            alive[world.truth_id[at]] = True
            filters.forget(~alive)
            x, P = filters.moments((instants[at] - t_ns) / 1e9)
            rows = filters.live
            for said, kept in (
                (known, alive[rows]),
                (inferred, filters.exist[rows] >= REPORTED),
            ):
                said.add(rows[kept], x[kept, :d], d, P[kept, :d, :d])
            at += 1
    return known, inferred


def _objects(world: "Scenario") -> int:
    """One more than the largest number of an object."""
    return 1 + max(int(who.max(initial=-1)) for who in (*world.truth_id, *world.origin))


class Filters:
    """Estimators of `n` objects over the same modes; rows of arrays are object numbers.

    Attributes
    ----------
    live
        (m,) objects that had a plot and are not forgotten.
    exist
        (n,) probability of existence.
    """

    def __init__(self, modes: tuple[Mode, ...], dim: int, n: int) -> None:
        self.modes, self.dim, self.n = modes, dim, n
        weight = np.array([mode.weight for mode in modes])
        self.weight = weight / weight.sum()
        m, d = len(modes), 2 * dim
        self.x, self.P = np.zeros((n, m, d)), np.zeros((n, m, d, d))
        self.mode = np.zeros((n, m))
        self.exist = np.zeros(n)
        self.live: I8 = np.zeros(0, np.int64)
        self._seen: B1 = np.zeros(n, bool)
        self._matrices: dict[float, tuple[F8, F8]] = {}

    def predict(self, dt: float) -> None:
        """Mix, and move on by `dt` s."""
        rows = self.live
        if dt <= 0.0 or not len(rows):
            return
        x, P, mode = self.x[rows], self.P[rows], self.mode[rows]
        common, spread = _moments(x, P, mode)
        stay = exp(-LEAVE_RATE * dt)
        reached = stay * mode + (1.0 - stay) * self.weight
        own = (stay * mode / reached)[..., None]
        e = x - common[:, None]
        x = common[:, None] + own * e
        own = own[..., None]
        P = own * P + (1.0 - own) * (spread[:, None] + own * _outer(e))
        F, Q = self._transition(dt)
        self.x[rows] = (F @ x[..., None])[..., 0]
        self.P[rows] = F @ P @ F.swapaxes(1, 2) + Q
        self.mode[rows] = reached
        self.exist[rows] *= exp(-DEATH_RATE * dt)

    def look(self, sensor: Sensor, plots: F8, origin: I8) -> None:
        """One scan: every object gets its own plot, or a miss; new objects begin."""
        plot = np.full(self.n, -1)
        # backwards, so that of two plots of one object the first stays
        mine = np.flatnonzero(origin >= 0)[::-1]
        plot[origin[mine]] = mine
        missed = self.live[plot[self.live] < 0]
        self.exist[missed] *= (1.0 - sensor.p_detect) / (1.0 - sensor.p_detect * self.exist[missed])
        hit = self.live[plot[self.live] >= 0]
        self._update(hit, plots[plot[hit]], sensor)
        fresh = np.flatnonzero((plot >= 0) & ~self._seen)
        self._begin(fresh, plots[plot[fresh]], sensor)

    def forget(self, dead: B1) -> None:
        """Let go of the dead that are hardly believed in."""
        rows = self.live
        self.live = rows[~dead[rows] | (self.exist[rows] >= FORGOTTEN)]

    def moments(self, dt: float) -> tuple[F8, F8]:
        """Mean (m, 2 dim) and covariance of the live objects, `dt` s on with no noise added."""
        x, P = _moments(self.x[self.live], self.P[self.live], self.mode[self.live])
        x[:, : self.dim] += dt * x[:, self.dim :]
        return x, P

    def _transition(self, dt: float) -> tuple[F8, F8]:
        """F and Q (modes, 2 dim, 2 dim)."""
        if dt not in self._matrices:
            pairs = [mode.matrices(self.dim, dt) for mode in self.modes]
            self._matrices[dt] = np.stack([F for F, _ in pairs]), np.stack([Q for _, Q in pairs])
        return self._matrices[dt]

    def _update(self, rows: I8, z: F8, sensor: Sensor) -> None:
        d, R = self.dim, np.eye(self.dim) * sensor.sd_m**2
        x, P = self.x[rows], self.P[rows]
        y = z[:, None] - x[..., :d]
        inverse = np.linalg.inv(P[..., :d, :d] + R)
        K = P[..., :, :d] @ inverse
        self.x[rows] = x + (K @ y[..., None])[..., 0]
        P = P - K @ P[..., :d, :]
        self.P[rows] = 0.5 * (P + P.swapaxes(2, 3))
        d2 = (y[..., None, :] @ inverse @ y[..., None])[..., 0, 0]
        likelihood = (
            self.mode[rows]
            * np.exp(-0.5 * d2)
            * np.sqrt(np.linalg.det(inverse))
            / (2.0 * pi) ** (d / 2.0)
        )
        total = likelihood.sum(1)
        mode = np.maximum(likelihood / np.maximum(total, 1e-300)[:, None], LEAST_MODE)
        self.mode[rows] = mode / mode.sum(1, keepdims=True)
        r, p_d = self.exist[rows], sensor.p_detect
        w = r * p_d * total / (1.0 - r * p_d)
        mine = w / (w + sensor.clutter_density * (1.0 + BIRTH_RATIO))
        missed = r * (1.0 - p_d) / (1.0 - r * p_d)
        self.exist[rows] = np.minimum(mine + (1.0 - mine) * missed, MOST_EXIST)

    def _begin(self, rows: I8, z: F8, sensor: Sensor) -> None:
        d = self.dim
        self.x[rows, :, :d] = z[:, None]
        self.P[rows] = np.diag([sensor.sd_m**2] * d + [START_SD**2] * d)
        self.mode[rows] = self.weight
        self.exist[rows] = BIRTH_RATIO / (1.0 + BIRTH_RATIO)
        self._seen[rows] = True
        self.live = np.union1d(self.live, rows)


def _outer(e: F8) -> F8:
    made: F8 = e[..., :, None] * e[..., None, :]
    return made


def _moments(x: F8, P: F8, mode: F8) -> tuple[F8, F8]:
    """Mean and covariance of mixtures: x (m, modes, d), P, weights (m, modes)."""
    mean = (mode[..., None] * x).sum(1)
    spread = P + _outer(x - mean[:, None])
    return mean, (mode[..., None, None] * spread).sum(1)
