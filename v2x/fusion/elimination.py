"""Elimination: a window's plots, reduced to what they say about the biases of their sensors.

All sensors that saw an object within a second saw it on one short path. The path is a cubic in
each axis, fitted by weighted least squares and eliminated (Schur complement); what is left are
normal equations over the biases of the sensors of the window, which add up over windows.

Regressors (lever arm, velocity) are taken from the fitted path, not from the plots or the track.
What is left of a plot beside the fit is independent of the fit, so the noise in the regressors
does not pull the estimate; regressors made of the noisy plots themselves would.
"""

from typing import NamedTuple

import numpy as np

from v2x.columns import F8, I4, I8
from v2x.fusion.inverse import invert
from v2x.fusion.windows import EPOCH, FREE, LIMIT, Windows, rank_of, weigh
from v2x.jit import kernel

POWERS = 4
"""Coefficients of the path in each axis."""
BIASES = 6
"""East, north, up, yaw, scale, clock."""
SIGHTED = 8
"""Sensors of one window; plots of others are left out of it."""
_AT = np.array([[0, 1, 2], [1, 3, 4], [2, 4, 5]])
"""Place of matrix element (a, b) in an upper triangle."""
_MOVING = 4.0
"""A path slower than this many deviations of its own speed says nothing about clocks."""


class Priors(NamedTuple):
    """Numbers of the fit.

    Attributes
    ----------
    half
        Half of a window, s.
    path
        (4,) precision of the path's coefficients, 1/m², for time in half windows.
    unit
        (6,) what one unit of each bias is, m, m, m, rad, 1, s.
    """

    half: float
    path: F8
    unit: F8


class Scratch(NamedTuple):
    """Room for one window: local sensor of each plot, time in half windows, weights, offset.

    `moment` (sensors, 7, 6) sums of u^m W, `right` (sensors, 4, 3) of u^m W y; `A` the normal
    matrix of the path and its inverse, `b` its right side, `c` (4, 3) the path; `T`, `g`, `X` the
    blocks of the biases with themselves, the residual and the path; `Y` = A⁻¹ X; `Q` (7, 6) the
    path's covariance as a polynomial of time.
    """

    who: I4
    local: I4
    u: F8
    weight: F8
    y: F8
    moment: F8
    right: F8
    A: F8
    b: F8
    c: F8
    T: F8
    g: F8
    X: F8
    Y: F8
    Q: F8


class Crossed(NamedTuple):
    """Plots against the path of the other sensors, a row each; see `CrossResiduals`."""

    t: I8
    sensor: I4
    track: I8
    residual: F8
    cov: F8
    vel: F8


def new_scratch(cap: int) -> Scratch:
    """Room for a window of up to `cap` plots."""
    k, c = SIGHTED, 3 * POWERS
    return Scratch(
        who=np.zeros(k, np.int32),
        local=np.zeros(cap, np.int32),
        u=np.zeros(cap),
        weight=np.zeros((cap, 6)),
        y=np.zeros((cap, 3)),
        moment=np.zeros((k, 7, 6)),
        right=np.zeros((k, POWERS, 3)),
        A=np.zeros((c, c)),
        b=np.zeros(c),
        c=np.zeros((POWERS, 3)),
        T=np.zeros((k, BIASES, BIASES)),
        g=np.zeros((k, BIASES)),
        X=np.zeros((k, c, BIASES)),
        Y=np.zeros((k, c, BIASES)),
        Q=np.zeros((7, 6)),
    )


def new_crossed(rows: int) -> Crossed:
    """Room for so many rows."""
    return Crossed(
        t=np.zeros(rows, np.int64),
        sensor=np.zeros(rows, np.int32),
        track=np.zeros(rows, np.int64),
        residual=np.zeros((rows, 3)),
        cov=np.zeros((rows, 6)),
        vel=np.zeros((rows, 3)),
    )


@kernel
def sighted(w: Windows, k: int, who: I4) -> int:
    """Sensors of window `k` in `who`, and how many; of too many those of lowest rank, by lot."""
    many = 0
    for i in range(w.n[k]):
        j = 0
        while j < many and who[j] != w.sensor[k, i]:
            j += 1
        if j < many:
            continue
        if many < len(who):
            who[many] = w.sensor[k, i]
            many += 1
            continue
        last = 0
        for m in range(1, many):
            if rank_of(who[m], w.rank[k]) > rank_of(who[last], w.rank[k]):
                last = m
        if rank_of(w.sensor[k, i], w.rank[k]) < rank_of(who[last], w.rank[k]):
            who[last] = w.sensor[k, i]
    return many


@kernel
def survey(w: Windows, k: int, epoch_ns: int, inflate: F8, s: Scratch) -> tuple[int, int, int]:
    """Weights, moments and local sensors of window `k`: (sensors, axes, plot with the origin)."""
    many, axes, origin = sighted(w, k, s.who), 2, 0
    middle = w.head[EPOCH] * epoch_ns + epoch_ns // 2
    s.moment[:] = 0.0
    s.right[:] = 0.0
    for i in range(w.n[k]):
        if axes == 2 and not np.isnan(w.z[k, i, 2]):
            axes, origin = 3, i
        s.local[i] = -1
        for j in range(many):
            if s.who[j] == w.sensor[k, i]:
                s.local[i] = j
    for i in range(w.n[k]):
        j = s.local[i]
        if j < 0:
            continue
        flat = np.isnan(w.z[k, i, 2])
        weigh(w.cov[k], i, flat, s.weight, i)
        for a in range(6):
            s.weight[i, a] /= inflate[s.who[j]]
        for a in range(3):
            s.y[i, a] = w.z[k, i, a] - w.z[k, origin, a]
        if flat:
            s.y[i, 2] = 0.0
        s.u[i] = 2.0 * (w.t[k, i] - middle) / epoch_ns
        power = 1.0
        for m in range(7):
            for a in range(6):
                s.moment[j, m, a] += power * s.weight[i, a]
            if m < POWERS:
                for a in range(3):
                    for b in range(3):
                        s.right[j, m, a] += power * s.weight[i, _AT[a, b]] * s.y[i, b]
            power *= s.u[i]
    return many, axes, origin


@kernel
def fit(s: Scratch, many: int, axes: int, without: int, path: F8) -> bool:
    """Path `c` of all local sensors but one (-1: all), and its covariance in `A`."""
    n = POWERS * axes
    for p in range(POWERS):
        for q in range(POWERS):
            for a in range(axes):
                for b in range(axes):
                    total = path[p] if p == q and a == b else 0.0
                    for j in range(many):
                        if j != without:
                            total += s.moment[j, p + q, _AT[a, b]]
                    s.A[p * axes + a, q * axes + b] = total
        for a in range(axes):
            total = 0.0
            for j in range(many):
                if j != without:
                    total += s.right[j, p, a]
            s.b[p * axes + a] = total
    if not invert(s.A, n):
        return False
    s.c[:] = 0.0
    for p in range(POWERS):
        for a in range(axes):
            for q in range(n):
                s.c[p, a] += s.A[p * axes + a, q] * s.b[q]
    return True


@kernel
def blocks(
    w: Windows, k: int, s: Scratch, many: int, axes: int, origin: int, places: F8, pri: Priors
) -> None:
    """Normal equations of the biases around the fitted path: `T`, `g` and `X`."""
    half, unit, c = pri.half, pri.unit, s.c
    slow = 0.0
    for a in range(axes):
        slow += s.A[axes + a, axes + a]
    speed2 = c[1, 0] ** 2 + c[1, 1] ** 2 + c[1, 2] ** 2
    moving = 1.0 if speed2 > _MOVING**2 * slow else 0.0
    s.T[:] = 0.0
    s.g[:] = 0.0
    s.X[:] = 0.0
    B = np.zeros((3, BIASES))
    WB = np.zeros((3, BIASES))
    d = np.zeros(3)
    r = np.zeros(3)
    for i in range(w.n[k]):
        j = s.local[i]
        if j < 0:
            continue
        u = s.u[i]
        for a in range(axes):
            at = c[0, a] + u * (c[1, a] + u * (c[2, a] + u * c[3, a]))
            r[a] = s.y[i, a] - at
            d[a] = at + w.z[k, origin, a] - places[s.who[j], a]
            B[a, a] = unit[a]
            B[a, 4] = unit[4] * d[a]
            v = (c[1, a] + u * (2.0 * c[2, a] + u * 3.0 * c[3, a])) / half
            B[a, 5] = moving * unit[5] * v
        B[0, 3], B[1, 3] = -unit[3] * d[1], unit[3] * d[0]
        for a in range(axes):
            for q in range(BIASES):
                total = 0.0
                for b in range(axes):
                    total += s.weight[i, _AT[a, b]] * B[b, q]
                WB[a, q] = total
        for p in range(BIASES):
            for a in range(axes):
                s.g[j, p] += WB[a, p] * r[a]
            for q in range(p, BIASES):
                for a in range(axes):
                    s.T[j, p, q] += B[a, p] * WB[a, q]
        power = 1.0
        for p in range(POWERS):
            for a in range(axes):
                for q in range(BIASES):
                    s.X[j, p * axes + a, q] += power * WB[a, q]
            power *= u


@kernel
def eliminate(s: Scratch, many: int, axes: int, info: F8, right: F8) -> None:
    """Add the normal equations of a window, its path eliminated, to `info` (D, D), `right` (D,)."""
    n = POWERS * axes
    for j in range(many):
        for p in range(n):
            for q in range(BIASES):
                total = 0.0
                for m in range(n):
                    total += s.A[p, m] * s.X[j, m, q]
                s.Y[j, p, q] = total
    for j in range(many):
        at = BIASES * s.who[j]
        for p in range(BIASES):
            right[at + p] += s.g[j, p]
        for l in range(j + 1):  # noqa: E741
            to = BIASES * s.who[l]
            for p in range(BIASES):
                for q in range(p if l == j else 0, BIASES):
                    total = s.T[j, p, q] if l == j else 0.0
                    for m in range(n):
                        total -= s.X[j, m, p] * s.Y[l, m, q]
                    info[at + p, to + q] += total
                    if l != j or p != q:
                        info[to + q, at + p] += total


@kernel
def scatter(w: Windows, k: int, s: Scratch, many: int, axes: int, inflate: F8, chi: F8) -> None:
    """Add each sensor's scatter about its own mean beside the path to `chi` (sensors, 2).

    Chi-square under the stated covariances, and its degrees of freedom: those of the plots less
    the mean's and its leverage on the path's shape. A bias constant for a second does not show.
    """
    M = np.zeros((3, 3))
    r = np.zeros(3)
    g = np.zeros(3)
    for j in range(many):
        n, free, q = 0, 0.0, 0.0
        g[:] = 0.0
        for i in range(w.n[k]):
            if s.local[i] != j:
                continue
            n += 1
            flat = np.isnan(w.z[k, i, 2])
            free += 2.0 if flat else 3.0
            u = s.u[i]
            for a in range(axes):
                at = s.c[0, a] + u * (s.c[1, a] + u * (s.c[2, a] + u * s.c[3, a]))
                r[a] = s.y[i, a] - at
            for a in range(axes):
                for b in range(axes):
                    wr = s.weight[i, _AT[a, b]] * r[b]
                    g[a] += wr
                    q += r[a] * wr
        own = 3 if axes == 3 and s.moment[j, 0, 5] > 0.0 else 2
        if n < 3:
            continue
        for a in range(own):
            for b in range(own):
                M[a, b] = s.moment[j, 0, _AT[a, b]]
        if not invert(M, own):
            continue
        for a in range(own):
            for b in range(own):
                q -= g[a] * M[a, b] * g[b]
        free -= own
        for p in range(1, POWERS):
            for m in range(1, POWERS):
                for a in range(own):
                    for b in range(own):
                        free -= s.A[p * axes + a, m * axes + b] * s.moment[j, p + m, _AT[a, b]]
        if free > 0.0:
            chi[s.who[j], 0] += q * inflate[s.who[j]]
            chi[s.who[j], 1] += free


@kernel
def cross(
    w: Windows, k: int, s: Scratch, many: int, axes: int, origin: int, pri: Priors,
    inflate: F8, out: Crossed, row: int,
) -> int:  # fmt: skip
    """Each plot against the path of the other sensors, from row `row` on; the next free row."""
    for j in range(many):
        if not fit(s, many, axes, j, pri.path):
            continue
        s.Q[:] = 0.0
        for p in range(POWERS):
            for q in range(POWERS):
                for a in range(axes):
                    for b in range(a, axes):
                        s.Q[p + q, _AT[a, b]] += s.A[p * axes + a, q * axes + b]
        seen_up = False
        for i in range(w.n[k]):
            if s.local[i] >= 0 and s.local[i] != j and not np.isnan(w.z[k, i, 2]):
                seen_up = True
        for i in range(w.n[k]):
            if s.local[i] != j:
                continue
            u = s.u[i]
            out.t[row], out.sensor[row], out.track[row] = w.t[k, i], w.sensor[k, i], w.track[k]
            for a in range(3):
                c0, c1, c2, c3 = s.c[0, a], s.c[1, a], s.c[2, a], s.c[3, a]
                out.residual[row, a] = s.y[i, a] - (c0 + u * (c1 + u * (c2 + u * c3)))
                out.vel[row, a] = (c1 + u * (2.0 * c2 + u * 3.0 * c3)) / pri.half
            for a in range(6):
                total, power = w.cov[k, i, a] * inflate[s.who[j]], 1.0
                for m in range(7):
                    total += power * s.Q[m, a]
                    power *= u
                out.cov[row, a] = total
            if not seen_up or np.isnan(w.z[k, i, 2]):
                out.residual[row, 2] = np.nan
                out.cov[row, 2] = out.cov[row, 4] = out.cov[row, 5] = np.nan
            if not seen_up:
                out.vel[row, 2] = np.nan
            row += 1
    return row


@kernel
def close(
    w: Windows, epoch_ns: int, places: F8, pri: Priors, inflate: F8, s: Scratch,
    info: F8, right: F8, chi: F8, looks: F8, out: Crossed,
) -> int:  # fmt: skip
    """Fold all windows into `info`, `right`, `chi` and `looks`, and free them; rows in `out`.

    A window seen by one sensor says nothing about biases. Slots are swept by rank, for the sums
    must not depend on which slot a track came to sit in.
    """
    row, last = 0, np.int64(-1)
    for _ in range(len(w.track)):
        k = -1
        for i in range(len(w.track)):
            if last < w.rank[i] < FREE and (k < 0 or w.rank[i] < w.rank[k]):
                k = i
        if k < 0:
            break
        last = w.rank[k]
        many, axes, origin = survey(w, k, epoch_ns, inflate, s)
        if many < 2 or not fit(s, many, axes, -1, pri.path):
            continue
        blocks(w, k, s, many, axes, origin, places, pri)
        eliminate(s, many, axes, info, right)
        scatter(w, k, s, many, axes, inflate, chi)
        for j in range(many):
            looks[s.who[j]] += 1.0
        row = cross(w, k, s, many, axes, origin, pri, inflate, out, row)
    w.track[:] = -1
    w.rank[:] = FREE
    w.n[:] = 0
    w.head[LIMIT] = FREE
    return row
