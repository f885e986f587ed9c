"""Slow twins of the fusion kernels: dense, with matrices, one line of textbook at a time."""

from dataclasses import dataclass, field
from itertools import product

import numpy as np

H3 = np.hstack([np.eye(3), np.zeros((3, 3))])


def transition(dt, psd, psd_up):
    """F and Q of nearly constant velocity, order east, north, up, rates."""
    F = np.eye(6)
    F[:3, 3:] = dt * np.eye(3)
    q = np.diag([psd, psd, psd_up])
    Q = np.block([[q * dt**3 / 3, q * dt**2 / 2], [q * dt**2 / 2, q * dt]])
    return F, Q


def density(x, P, z, R):
    """Density of plot z (NaN: no height) under a track, its squared distance, H, S, y."""
    rows = 2 if np.isnan(z[2]) else 3
    H = H3[:rows]
    y = z[:rows] - H @ x
    S = H @ P @ H.T + R[:rows, :rows]
    d2 = y @ np.linalg.solve(S, y)
    return np.exp(-0.5 * d2) / np.sqrt(np.linalg.det(2 * np.pi * S)), d2, H, S, y


def mixture(x, P, parts, weights, kept):
    """Moments of a mixture of (H, S, y) updates with `weights`, and the prediction with `kept`."""
    means, covs, w = [x], [P], [kept]
    for (H, S, y), weight in zip(parts, weights, strict=True):
        K = P @ H.T @ np.linalg.inv(S)
        means.append(x + K @ y)
        covs.append(P - K @ S @ K.T)
        w.append(weight)
    mean = sum(a * m for a, m in zip(w, means, strict=True))
    cov = sum(
        a * (C + np.outer(m - mean, m - mean)) for a, m, C in zip(w, means, covs, strict=True)
    )
    return mean, cov


def propagate(w, sweeps=1000):
    """Dense belief propagation: w (tracks, plots) relative to clutter; beta, beta0, alone."""
    mu, nu = np.zeros_like(w), np.ones_like(w)
    for _ in range(sweeps):
        for i, j in np.ndindex(*w.shape):
            mu[i, j] = w[i, j] / (1 + sum(w[i, k] * nu[i, k] for k in range(w.shape[1]) if k != j))
        for i, j in np.ndindex(*w.shape):
            nu[i, j] = 1 / (1 + sum(mu[m, j] for m in range(w.shape[0]) if m != i))
    total = 1 + (w * nu).sum(axis=1)
    return w * nu / total[:, None], 1 / total, 1 / (1 + mu.sum(axis=0))


def enumerate_all(w):
    """Exact marginals over every joint assignment; beta, beta0, alone."""
    n, m = w.shape
    beta, beta0, taken, total = np.zeros_like(w), np.zeros(n), np.zeros(m), 0.0
    for choice in product(range(-1, m), repeat=n):
        used = [j for j in choice if j >= 0]
        if len(set(used)) != len(used):
            continue
        p = np.prod([w[i, j] for i, j in enumerate(choice) if j >= 0])
        total += p
        for i, j in enumerate(choice):
            if j < 0:
                beta0[i] += p
            else:
                beta[i, j] += p
                taken[j] += p
    return beta / total, beta0 / total, 1 - taken / total


@dataclass
class Track:
    x: np.ndarray
    P: np.ndarray
    r: float
    confirmed: bool
    up: bool
    last: float
    born: tuple


@dataclass
class Reference:
    """Section by section the recursion of `v2x.fusion.kernels`, dense. One kind, no claims.

    One sensor that looks everywhere and never pauses for a second.
    """

    config: object
    tracks: list = field(default_factory=list)
    t: float = 0.0
    excess: float = 0.0

    def __post_init__(self):
        self.excess = self.config.unseen_ratio / self.config.birth_ratio

    def scan(self, t, z, R, p_d, clutter):
        c = self.config
        birth = c.birth_ratio * clutter if clutter > 0.0 else c.birth_floor
        birth *= 1.0 + self.excess
        self.excess *= 1.0 - p_d
        dt = t - self.t
        for a in self.tracks:
            F, Q = transition(dt, c.psd_m2_s3, c.psd_up_m2_s3)
            if a.up:
                a.x, a.P = F @ a.x, F @ a.P @ F.T + Q
            else:
                flat = np.ix_([0, 1, 3, 4], [0, 1, 3, 4])
                a.x[[0, 1, 3, 4]] = F[flat] @ a.x[[0, 1, 3, 4]]
                a.P[flat] = F[flat] @ a.P[flat] @ F[flat].T + Q[flat]
            a.r *= np.exp(-c.death_per_s * dt)
        self.t = t
        w = np.zeros((len(self.tracks), len(z)))
        parts = {}
        for i, a in enumerate(self.tracks):
            for j in range(len(z)):
                v, d2, *rest = density(a.x, a.P, z[j], R[j])
                if d2 < (c.gate_d2 if np.isnan(z[j][2]) else c.gate_d2_3d):
                    w[i, j] = a.r * p_d * v / (1 - a.r * p_d) / (clutter + birth)
                    parts[i, j] = rest
        beta, beta0, alone = propagate(w, c.bp_sweeps)
        for i, a in enumerate(self.tracks):
            kept = beta0[i] * a.r * (1 - p_d) / (1 - a.r * p_d)
            r = beta[i].sum() + kept
            mine = [j for j in range(len(z)) if (i, j) in parts]
            if mine:
                a.x, a.P = mixture(
                    a.x, a.P, [parts[i, j] for j in mine], beta[i, mine] / r, kept / r
                )
                a.up |= any(not np.isnan(z[j][2]) for j in mine)
            a.r = min(r, 1 - 1e-7)
            a.confirmed = a.r > c.confirm_exist or (a.confirmed and a.r >= c.drop_exist)
        self.tracks = [a for a in self.tracks if a.r >= c.prune_exist]
        for j in range(len(z)):
            r = alone[j] * birth / (birth + clutter)
            if r < c.prune_exist:
                continue
            up = not np.isnan(z[j][2])
            x = np.array([z[j][0], z[j][1], z[j][2] if up else 0.0, 0, 0, 0])
            P = np.zeros((6, 6))
            P[:3, :3] = R[j] if up else np.diag([0, 0, 2.5e7])
            P[:2, :2] = R[j][:2, :2]
            P[3, 3] = P[4, 4] = c.start_speed_sd_ground_mps**2
            P[5, 5] = c.start_climb_sd_mps**2 if up else 225.0
            self.tracks.append(Track(x, P, r, r > c.confirm_exist, up, t, tuple(z[j])))

    def reported(self):
        return [a for a in self.tracks if a.r >= self.config.confirm_exist or a.confirmed]
