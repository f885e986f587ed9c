"""Row algebra of one track: predict, gate distance, update, all written out by hand.

Nearly constant velocity with white acceleration noise (Bar-Shalom, Li, Kirubarajan 2001, 6.2.2).
A row of state is laid out as `v2x.fusion.layout` says. The flat case (no height ever measured)
touches its first 14 numbers only; its up stays at 0 with the variance it was founded with.
"""

import math

from v2x.columns import F8
from v2x.fusion.layout import MEAN, PLACE
from v2x.jit import kernel

TWO_PI = 2.0 * math.pi
MIN_VAR, MAX_VAR = 1e-6, 1e8
"""(1 mm)² and (10 km)²: no variance leaves this band, whatever a sensor claims."""


@kernel
def exp_neg(x: float) -> float:
    """``exp(x)`` for x <= 0 by one polynomial: the same bits wherever IEEE arithmetic is.

    Libraries differ in the last bit. Relative error below 1e-14 to -9, 2e-10 to -20; held at -60.
    """
    y = max(x, -60.0) * 0.015625
    p = 1.0 + y * (1.0 / 8.0) * (1.0 + y * (1.0 / 9.0))
    p = 1.0 + y * (1.0 / 6.0) * (1.0 + y * (1.0 / 7.0) * p)
    p = 1.0 + y * (1.0 / 4.0) * (1.0 + y * (1.0 / 5.0) * p)
    p = 1.0 + y * (1.0 + y * 0.5 * (1.0 + y * (1.0 / 3.0) * p))
    p *= p
    p *= p
    p *= p
    p *= p
    p *= p
    return p * p


@kernel
def predict(s: F8, i: int, has_up: int, dt: float, psd: float, psd_up: float) -> None:
    """Row `i` moves on by `dt` >= 0 s under acceleration noise `psd`, `psd_up` m²/s³."""
    q1, q2, q3 = psd * dt, psd * dt * dt * 0.5, psd * dt * dt * dt / 3.0
    s[i, 0] += dt * s[i, 2]
    s[i, 1] += dt * s[i, 3]
    ee, en, nn = s[i, 11], s[i, 12], s[i, 13]
    s[i, 4] += dt * (2.0 * s[i, 7] + dt * ee) + q3
    s[i, 5] += dt * (s[i, 8] + s[i, 9] + dt * en)
    s[i, 6] += dt * (2.0 * s[i, 10] + dt * nn) + q3
    s[i, 7] += dt * ee + q2
    s[i, 8] += dt * en
    s[i, 9] += dt * en
    s[i, 10] += dt * nn + q2
    s[i, 11] = ee + q1
    s[i, 13] = nn + q1
    if has_up:
        uu, eu, nu = s[i, 18], s[i, 25], s[i, 26]
        s[i, 14] += dt * s[i, 15]
        s[i, 16] += dt * (2.0 * s[i, 17] + dt * uu) + psd_up * dt * dt * dt / 3.0
        s[i, 19] += dt * (s[i, 21] + s[i, 23] + dt * eu)
        s[i, 20] += dt * (s[i, 22] + s[i, 24] + dt * nu)
        s[i, 17] += dt * uu + psd_up * dt * dt * 0.5
        s[i, 21] += dt * eu
        s[i, 23] += dt * eu
        s[i, 22] += dt * nu
        s[i, 24] += dt * nu
        s[i, 18] = uu + psd_up * dt


@kernel
def flat_innovation(
    s: F8, i: int, z: F8, R: F8, j: int
) -> tuple[float, float, float, float, float, float]:
    """Innovation y (2) of plot `j`, inverse of its covariance (3, upper) and its determinant."""
    a, b, c = s[i, 4] + R[j, 0], s[i, 5] + R[j, 1], s[i, 6] + R[j, 3]
    det = a * c - b * b
    f = 1.0 / det
    return z[j, 0] - s[i, 0], z[j, 1] - s[i, 1], c * f, -b * f, a * f, det


@kernel
def full_innovation(s: F8, i: int, z: F8, R: F8, j: int) -> tuple[float, ...]:
    """The same with height: y (3), inverse (6, upper) and determinant."""
    a, b, c = s[i, 4] + R[j, 0], s[i, 5] + R[j, 1], s[i, 19] + R[j, 2]
    d, e, f = s[i, 6] + R[j, 3], s[i, 20] + R[j, 4], s[i, 16] + R[j, 5]
    ia, ib, ic = d * f - e * e, c * e - b * f, b * e - c * d
    det = a * ia + b * ib + c * ic
    g = 1.0 / det
    y0, y1, y2 = z[j, 0] - s[i, 0], z[j, 1] - s[i, 1], z[j, 2] - s[i, 14]
    return (
        y0,
        y1,
        y2,
        ia * g,
        ib * g,
        ic * g,
        (a * f - c * c) * g,
        (b * c - a * e) * g,
        (a * d - b * b) * g,
        det,
    )


@kernel
def flat_update(s: F8, i: int, u0: float, u1: float, m00: float, m01: float, m11: float) -> None:
    """``x += G u``, ``P -= G M Gᵀ`` with G = P[:, :2], for a row without height."""
    a, b, c = s[i, 4], s[i, 5], s[i, 6]
    d, e, f, g = s[i, 7], s[i, 8], s[i, 9], s[i, 10]
    s[i, 0] += a * u0 + b * u1
    s[i, 1] += b * u0 + c * u1
    s[i, 2] += d * u0 + f * u1
    s[i, 3] += e * u0 + g * u1
    t0, t1 = a * m00 + b * m01, a * m01 + b * m11
    s[i, 4] -= t0 * a + t1 * b
    s[i, 5] -= t0 * b + t1 * c
    s[i, 7] -= t0 * d + t1 * f
    s[i, 8] -= t0 * e + t1 * g
    t0, t1 = b * m00 + c * m01, b * m01 + c * m11
    s[i, 6] -= t0 * b + t1 * c
    s[i, 9] -= t0 * d + t1 * f
    s[i, 10] -= t0 * e + t1 * g
    t0, t1 = d * m00 + f * m01, d * m01 + f * m11
    s[i, 11] -= t0 * d + t1 * f
    s[i, 12] -= t0 * e + t1 * g
    t0, t1 = e * m00 + g * m01, e * m01 + g * m11
    s[i, 13] -= t0 * e + t1 * g


@kernel
def full_update(
    s: F8,
    i: int,
    u0: float,
    u1: float,
    u2: float,
    m00: float,
    m01: float,
    m02: float,
    m11: float,
    m12: float,
    m22: float,
) -> None:
    """``x += G u``, ``P -= G M Gᵀ`` with G = P[:, :3] (u2 = m.2 = 0 for plots without height)."""
    e0, e1, e2 = s[i, 4], s[i, 5], s[i, 19]
    n1, n2, up = s[i, 6], s[i, 20], s[i, 16]
    a0, a1, a2 = s[i, 7], s[i, 9], s[i, 23]
    b0, b1, b2 = s[i, 8], s[i, 10], s[i, 24]
    c0, c1, c2 = s[i, 21], s[i, 22], s[i, 17]
    s[i, 0] += e0 * u0 + e1 * u1 + e2 * u2
    s[i, 1] += e1 * u0 + n1 * u1 + n2 * u2
    s[i, 14] += e2 * u0 + n2 * u1 + up * u2
    s[i, 2] += a0 * u0 + a1 * u1 + a2 * u2
    s[i, 3] += b0 * u0 + b1 * u1 + b2 * u2
    s[i, 15] += c0 * u0 + c1 * u1 + c2 * u2
    t0 = e0 * m00 + e1 * m01 + e2 * m02
    t1 = e0 * m01 + e1 * m11 + e2 * m12
    t2 = e0 * m02 + e1 * m12 + e2 * m22
    s[i, 4] -= t0 * e0 + t1 * e1 + t2 * e2
    s[i, 5] -= t0 * e1 + t1 * n1 + t2 * n2
    s[i, 19] -= t0 * e2 + t1 * n2 + t2 * up
    s[i, 7] -= t0 * a0 + t1 * a1 + t2 * a2
    s[i, 8] -= t0 * b0 + t1 * b1 + t2 * b2
    s[i, 21] -= t0 * c0 + t1 * c1 + t2 * c2
    t0 = e1 * m00 + n1 * m01 + n2 * m02
    t1 = e1 * m01 + n1 * m11 + n2 * m12
    t2 = e1 * m02 + n1 * m12 + n2 * m22
    s[i, 6] -= t0 * e1 + t1 * n1 + t2 * n2
    s[i, 20] -= t0 * e2 + t1 * n2 + t2 * up
    s[i, 9] -= t0 * a0 + t1 * a1 + t2 * a2
    s[i, 10] -= t0 * b0 + t1 * b1 + t2 * b2
    s[i, 22] -= t0 * c0 + t1 * c1 + t2 * c2
    t0 = e2 * m00 + n2 * m01 + up * m02
    t1 = e2 * m01 + n2 * m11 + up * m12
    t2 = e2 * m02 + n2 * m12 + up * m22
    s[i, 16] -= t0 * e2 + t1 * n2 + t2 * up
    s[i, 23] -= t0 * a0 + t1 * a1 + t2 * a2
    s[i, 24] -= t0 * b0 + t1 * b1 + t2 * b2
    s[i, 17] -= t0 * c0 + t1 * c1 + t2 * c2
    t0 = a0 * m00 + a1 * m01 + a2 * m02
    t1 = a0 * m01 + a1 * m11 + a2 * m12
    t2 = a0 * m02 + a1 * m12 + a2 * m22
    s[i, 11] -= t0 * a0 + t1 * a1 + t2 * a2
    s[i, 12] -= t0 * b0 + t1 * b1 + t2 * b2
    s[i, 25] -= t0 * c0 + t1 * c1 + t2 * c2
    t0 = b0 * m00 + b1 * m01 + b2 * m02
    t1 = b0 * m01 + b1 * m11 + b2 * m12
    t2 = b0 * m02 + b1 * m12 + b2 * m22
    s[i, 13] -= t0 * b0 + t1 * b1 + t2 * b2
    s[i, 26] -= t0 * c0 + t1 * c1 + t2 * c2
    t0 = c0 * m00 + c1 * m01 + c2 * m02
    t1 = c0 * m01 + c1 * m11 + c2 * m12
    t2 = c0 * m02 + c1 * m12 + c2 * m22
    s[i, 18] -= t0 * c0 + t1 * c1 + t2 * c2


@kernel
def hold(v: float) -> float:
    """A variance inside its band."""
    return min(max(v, MIN_VAR), MAX_VAR)


@kernel
def clamp(s: F8, i: int, has_up: int) -> None:
    """Keep the variances of row `i` inside their band."""
    s[i, 4], s[i, 6] = hold(s[i, 4]), hold(s[i, 6])
    s[i, 11], s[i, 13] = hold(s[i, 11]), hold(s[i, 13])
    if has_up:
        s[i, 16], s[i, 18] = hold(s[i, 16]), hold(s[i, 18])


@kernel
def scalar_update(s: F8, i: int, axis: int, z: float, var: float) -> None:
    """Kalman update of row `i` with one measured component, `axis` in the order of `MEAN`."""
    f = 1.0 / (s[i, PLACE[axis, axis]] + var)
    y = (z - s[i, MEAN[axis]]) * f
    g0, g1, g2 = s[i, PLACE[0, axis]], s[i, PLACE[1, axis]], s[i, PLACE[2, axis]]
    g3, g4, g5 = s[i, PLACE[3, axis]], s[i, PLACE[4, axis]], s[i, PLACE[5, axis]]
    g = (g0, g1, g2, g3, g4, g5)
    for a in range(6):
        s[i, MEAN[a]] += g[a] * y
        for b in range(a, 6):
            s[i, PLACE[a, b]] -= g[a] * g[b] * f
