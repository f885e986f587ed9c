"""Row algebra of one track: predict, gate distance, update, all written out by hand.

Nearly constant velocity with white acceleration noise (Bar-Shalom, Li, Kirubarajan 2001, 6.2.2).
A row of state is laid out as `v2x.fusion.layout` says. The flat case (no height ever measured)
touches its first 14 numbers only; its up stays at 0 with the variance it was founded with.
"""

import math

from v2x.columns import F8
from v2x.jit import inlined, kernel

TWO_PI = 2.0 * math.pi
MIN_VAR, MAX_VAR = 1e-6, 1e8
"""(1 mm)² and (10 km)²: no variance leaves this band, whatever a sensor claims."""


@inlined
def exp_neg(x: float) -> float:
    """``exp(x)`` for x <= 0 by one polynomial: the same bits wherever IEEE arithmetic is.

    Libraries differ in the last bit. Relative error below 1e-14 to -9, 2e-10 to -20; held at -60.
    """
    y = max(x, -60.0) * 0.015625
    q = y * y
    h = q * q
    p = (1.0 / 24.0 + y * (1.0 / 120.0)) + q * (1.0 / 720.0 + y * (1.0 / 5040.0))
    p = p + h * (1.0 / 40320.0 + y * (1.0 / 362880.0))
    p = ((1.0 + y) + q * (0.5 + y * (1.0 / 6.0))) + h * p
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


@inlined
def flat_innovation(
    s: F8, i: int, z: F8, R: F8, j: int
) -> tuple[float, float, float, float, float, float]:
    """Innovation y (2) of plot `j`, inverse of its covariance (3, upper) and its determinant."""
    a, b, c = s[i, 4] + R[j, 0], s[i, 5] + R[j, 1], s[i, 6] + R[j, 3]
    det = a * c - b * b
    f = 1.0 / det
    return z[j, 0] - s[i, 0], z[j, 1] - s[i, 1], c * f, -b * f, a * f, det


@inlined
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


@inlined
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
