"""The tracker a day's work gives: filterpy's Kalman filter, SciPy's assignment and kd-tree.

Nearly constant velocity with PSD 4 m²/s³, starting speed of 10 m/s deviation, each sensor's own
noise, gate of Mahalanobis distance 4, global nearest neighbour by the least sum of squared
distances. Confirmed by hits, ended by misses in a row, a tentative track by the first: 4/5, and
`COUNTS` where others did best.
"""

import numpy as np
from filterpy.kalman import (  # type: ignore[import-not-found,import-untyped,unused-ignore]
    KalmanFilter,
)
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree

from replay.scenarios.scenario import Scenario
from v2x.cli.bench.measuring import Estimates, Stopwatch, ends
from v2x.columns import F8

COUNTS = {
    "hard": (8, 4, 1), "lanes": (8, 4, 1), "duplicates": (8, 4, 1), "coverage": (3, 9, 3)
}  # fmt: skip
"""Confirming hits, ending misses, and ending misses of a tentative track."""
PSD, START_SPEED_SD = 4.0, 10.0
GATE_D2, REACH_M = 16.0, 15.0
FAR = 1e6


class Track:
    """A filter with its hits and misses."""

    def __init__(self, number: int, z: F8, R: F8) -> None:
        d = len(z)
        self.number, self.hits, self.misses = number, 1, 0
        self.kalman = KalmanFilter(dim_x=2 * d, dim_z=d)
        self.kalman.H = np.eye(d, 2 * d)
        self.kalman.x[:d, 0] = z
        self.kalman.P = np.diag([START_SPEED_SD**2] * (2 * d))
        self.kalman.P[:d, :d] = R


class Tracker:
    """Predict, assign, update, found, end."""

    def __init__(self, dim: int, confirm: int, delete: int, doubt: int) -> None:
        self.dim, self.confirm, self.delete, self.doubt = dim, confirm, delete, doubt
        self.tracks: list[Track] = []
        self.founded = 0
        self.last_s = 0.0

    def step(self, t_s: float, z: F8, R: F8) -> None:
        """Fold in one scan: z (n, dim) m, R (n, dim, dim) m²."""
        d, dt = self.dim, t_s - self.last_s
        F, Q = np.eye(2 * d), np.zeros((2 * d, 2 * d))
        i = np.arange(d)
        F[i, i + d] = dt
        Q[i, i], Q[i + d, i + d] = PSD * dt**3 / 3.0, PSD * dt
        Q[i, i + d] = Q[i + d, i] = PSD * dt**2 / 2.0
        for track in self.tracks:
            track.kalman.predict(F=F, Q=Q)
        self.last_s = t_s
        taken = np.zeros(len(z), bool)
        hit: set[int] = set()
        for a, b in self._pairs(z, R):
            self.tracks[a].kalman.update(z[b], R=R[b])
            taken[b] = True
            hit.add(a)
        for a, track in enumerate(self.tracks):
            track.misses = 0 if a in hit else track.misses + 1
            track.hits += a in hit
        self.tracks = [track for track in self.tracks if not self._over(track)]
        for b in np.flatnonzero(~taken).tolist():
            self.tracks.append(Track(self.founded, z[b], R[b]))
            self.founded += 1

    def _over(self, track: Track) -> bool:
        return track.misses >= (self.delete if track.hits >= self.confirm else self.doubt)

    def _pairs(self, z: F8, R: F8) -> list[tuple[int, int]]:
        if not self.tracks or not len(z):
            return []
        d = self.dim
        x = np.stack([track.kalman.x[:d, 0] for track in self.tracks])
        P = np.stack([track.kalman.P[:d, :d] for track in self.tracks])
        near = cKDTree(z).query_ball_point(x, REACH_M)
        a = np.repeat(np.arange(len(x)), [len(n) for n in near])
        b = np.array([j for n in near for j in n], np.intp)
        if not len(a):
            return []
        y = z[b] - x[a]
        d2 = np.einsum("ni,nij,nj->n", y, np.linalg.inv(P[a] + R[b]), y)
        cost = np.full((len(x), len(z)), FAR)
        inside = d2 < GATE_D2
        cost[a[inside], b[inside]] = d2[inside]
        rows, columns = linear_sum_assignment(cost)
        return [(i, j) for i, j in zip(rows, columns, strict=True) if cost[i, j] < FAR]


def run(scenario: Scenario, watch: Stopwatch) -> Estimates:
    """Track all scans."""
    d = scenario.dim
    tracker = Tracker(d, *COUNTS.get(scenario.name, (4, 5, 1)))
    made, last = Estimates(), ends(scenario)
    for k, z in enumerate(scenario.plots):
        R, t_ns = scenario.noise(k), scenario.scan_ns[k]
        with watch:
            tracker.step(t_ns / 1e9, z, R)
        if k in last:
            sure = [track for track in tracker.tracks if track.hits >= tracker.confirm]
            _say(made, sure, (last[k] - t_ns) / 1e9, d)
    return made


def _say(made: Estimates, tracks: list[Track], dt: float, d: int) -> None:
    """Tracks `dt` s after the scan."""
    made.add(
        [track.number for track in tracks],
        [track.kalman.x[:d, 0] + dt * track.kalman.x[d:, 0] for track in tracks],
        d,
        [track.kalman.P[:d, :d] for track in tracks],
    )
