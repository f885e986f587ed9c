"""Row algebra of one track in all its motion modes at once: one Gaussian a lane.

Interacting multiple model (Blom and Bar-Shalom, IEEE TAC 1988). Rows of ``s`` hold what a track
without height needs, rows of ``up`` what a height adds, so that a flat track touches no more than
it has. A row holds number ``c`` of lane ``m`` at ``c * L + m``, so that one instruction serves all
lanes; L, the length of `lanes`, is part of its type and a constant to the compiler. The numbers of
a lane are those of `v2x.fusion.layout`, with its probability (at `MU`) last in ``s``; ``bar`` holds
the same numbers of the mixture, without it.

Every loop over lanes works on lanes apart. Sums across them go through a scratch row and a fixed
tree of additions, never through a reduction the compiler may order as it likes. The exponential is
that of `v2x.fusion.motion`, by hand: a call would keep a loop from running on all lanes at once.
"""

import math

from v2x.columns import F8
from v2x.fusion.folding import sum_of_eight
from v2x.fusion.layout import MU, WIDTH
from v2x.fusion.motion import MIN_VAR, TWO_PI
from v2x.jit import inlined

LEAST_MODE = 1e-9
"""No mode is ever impossible."""
ROUND = 1e-14
"""Part of a variance that stays whatever is taken away: more than rounding can, so that what is
left is positive definite."""
SLACK = 1.0 + 1e-7
"""No plot is taken for more exact than 1e-7 of the variance it corrects, per axis: beyond that
eight bytes cannot tell whether anything is left."""


@inlined
def total(p: F8, c: int, lanes: tuple[int, ...]) -> float:
    """Sum of number `c` over the lanes of scratch row `p`, as a fixed tree."""
    if len(lanes) == 8:
        return sum_of_eight(p, 8 * c)
    v = p[c * len(lanes)]
    for m in range(1, len(lanes)):
        v += p[c * len(lanes) + m]
    return float(v)


@inlined
def total_row(p: F8, o: int, lanes: tuple[int, ...]) -> float:
    """Sum over the lanes of row `o`, as a fixed tree."""
    if len(lanes) == 8:
        return sum_of_eight(p, 8 * o)
    v = p[o, 0]
    for m in range(1, len(lanes)):
        v += p[o, m]
    return float(v)


@inlined
def left(square: float, mean: float) -> float:
    """Variance from a mean square: positive, whatever rounding says."""
    return max(square - mean * mean, MIN_VAR) + ROUND * square


@inlined
def fan_out(s: F8, bar: F8, i: int, share: F8, k: int, lanes: tuple[int, ...]) -> None:
    """All lanes of row `i` start from its mixture, with the probabilities ``share[k]``."""
    for c in range(MU):
        v = bar[i, c]
        for m in range(len(lanes)):
            s[i, c * len(lanes) + m] = v
    for m in range(len(lanes)):
        s[i, MU * len(lanes) + m] = share[k, m]


@inlined
def raise_up(up: F8, bar: F8, i: int, lanes: tuple[int, ...]) -> None:
    """All lanes of row `i` start with the height of its mixture."""
    for c in range(MU, WIDTH):
        v = bar[i, c]
        for m in range(len(lanes)):
            up[i, (c - MU) * len(lanes) + m] = v


@inlined
def torn(bar: F8, i: int, tall: int) -> bool:
    """Some covariances of row `i` are more than their variances allow: what rounding made of them.

    Plots that are needles do that: what they leave of a variance may be below the last bit of what
    it was. NaN is torn too.
    """
    e, n, u = bar[i, 4], bar[i, 6], bar[i, 16]
    whole = (
        bar[i, 5] * bar[i, 5] <= e * n
        and bar[i, 7] * bar[i, 7] <= e * bar[i, 11]
        and bar[i, 10] * bar[i, 10] <= n * bar[i, 13]
    )
    if tall:
        whole = (
            whole
            and bar[i, 19] * bar[i, 19] <= e * u
            and bar[i, 20] * bar[i, 20] <= n * u
            and bar[i, 17] * bar[i, 17] <= u * bar[i, 18]
        )
    return not whole


@inlined
def untie(s: F8, up: F8, i: int, tall: int, lanes: tuple[int, ...]) -> None:
    """All lanes of row `i` keep their variances and lose every covariance."""
    L = len(lanes)
    for m in range(L):
        for c in (5, 7, 8, 9, 10, 12):
            s[i, c * L + m] = 0.0
        for c in (3, 5, 6, 7, 8, 9, 10, 11, 12):
            if tall:
                up[i, c * L + m] = 0.0


@inlined
def predict_flat(s: F8, bar: F8, i: int, move: F8, k: int, p: F8, lanes: tuple[int, ...]) -> None:
    """Mix the lanes of row `i` and move each on, by row `k` of `move`; no height.

    Leaves the position of the mixture in `bar`; its velocity stays that of before.
    """
    L = len(lanes)
    b0, b1, b2, b3 = bar[i, 0], bar[i, 1], bar[i, 2], bar[i, 3]
    b4, b5, b6, b7, b8 = bar[i, 4], bar[i, 5], bar[i, 6], bar[i, 7], bar[i, 8]
    b9, b10, b11, b12, b13 = bar[i, 9], bar[i, 10], bar[i, 11], bar[i, 12], bar[i, 13]
    stay, dt = move[k, 13 * L], move[k, 13 * L + 1]
    e0, n0 = b0 + dt * b2, b1 + dt * b3
    for m in range(L):
        jump = move[k, 12 * L + m]
        mu = max(stay * s[i, 14 * L + m] + jump, LEAST_MODE)
        w = jump / mu
        h = 1.0 - w
        q = w * h
        e, n, ve, vn = s[i, m], s[i, L + m], s[i, 2 * L + m], s[i, 3 * L + m]
        de, dn, dve, dvn = b0 - e, b1 - n, b2 - ve, b3 - vn
        ee = h * s[i, 4 * L + m] + w * b4 + q * de * de
        en = h * s[i, 5 * L + m] + w * b5 + q * de * dn
        nn = h * s[i, 6 * L + m] + w * b6 + q * dn * dn
        eve = h * s[i, 7 * L + m] + w * b7 + q * de * dve
        evn = h * s[i, 8 * L + m] + w * b8 + q * de * dvn
        nve = h * s[i, 9 * L + m] + w * b9 + q * dn * dve
        nvn = h * s[i, 10 * L + m] + w * b10 + q * dn * dvn
        vee = h * s[i, 11 * L + m] + w * b11 + q * dve * dve
        ven = h * s[i, 12 * L + m] + w * b12 + q * dve * dvn
        vnn = h * s[i, 13 * L + m] + w * b13 + q * dvn * dvn
        e, n, ve, vn = e + w * de, n + w * dn, ve + w * dve, vn + w * dvn
        a, b, c, d = move[k, m], move[k, L + m], move[k, 2 * L + m], move[k, 3 * L + m]
        q1, q2, q3 = move[k, 4 * L + m], move[k, 5 * L + m], move[k, 6 * L + m]
        x00, x01 = eve + (a * vee - b * ven), evn + (a * ven - b * vnn)
        x10, x11 = nve + (b * vee + a * ven), nvn + (b * ven + a * vnn)
        y00, y01 = c * vee - d * ven, c * ven - d * vnn
        y10, y11 = d * vee + c * ven, d * ven + c * vnn
        e, n = e + a * ve - b * vn, n + b * ve + a * vn
        ee = ee + a * eve - b * evn + a * x00 - b * x01 + q3
        en = en + b * eve + a * evn + a * x10 - b * x11
        nn = nn + b * nve + a * nvn + b * x10 + a * x11 + q3
        s[i, m], s[i, L + m] = e, n
        s[i, 2 * L + m], s[i, 3 * L + m] = c * ve - d * vn, d * ve + c * vn
        s[i, 4 * L + m], s[i, 5 * L + m], s[i, 6 * L + m] = ee, en, nn
        s[i, 7 * L + m], s[i, 8 * L + m] = c * x00 - d * x01 + q2, d * x00 + c * x01
        s[i, 9 * L + m], s[i, 10 * L + m] = c * x10 - d * x11, d * x10 + c * x11 + q2
        s[i, 11 * L + m] = c * y00 - d * y01 + q1
        s[i, 12 * L + m] = d * y00 + c * y01
        s[i, 13 * L + m] = d * y10 + c * y11 + q1
        s[i, 14 * L + m] = mu
        e, n = e - e0, n - n0
        p[m], p[L + m] = mu * e, mu * n
        p[2 * L + m], p[3 * L + m] = mu * (ee + e * e), mu * (en + e * n)
        p[4 * L + m] = mu * (nn + n * n)
    e, n = total(p, 0, lanes), total(p, 1, lanes)
    bar[i, 0], bar[i, 1] = e0 + e, n0 + n
    bar[i, 4] = left(total(p, 2, lanes), e)
    bar[i, 5] = total(p, 3, lanes) - e * n
    bar[i, 6] = left(total(p, 4, lanes), n)


@inlined
def predict_tall(
    s: F8, up: F8, bar: F8, i: int, move: F8, k: int, p: F8, lanes: tuple[int, ...]
) -> None:
    """What a height adds to `predict_flat`, to be called before it (it needs the old velocities).

    Leaves up, its variance and its covariance with east and north in `bar`.
    """
    L = len(lanes)
    b0, b1, b2, b3, bup, bv = bar[i, 0], bar[i, 1], bar[i, 2], bar[i, 3], bar[i, 14], bar[i, 15]
    b16, b17, b18, b19, b20 = bar[i, 16], bar[i, 17], bar[i, 18], bar[i, 19], bar[i, 20]
    b21, b22, b23, b24 = bar[i, 21], bar[i, 22], bar[i, 23], bar[i, 24]
    b25, b26 = bar[i, 25], bar[i, 26]
    stay, dt = move[k, 13 * L], move[k, 13 * L + 1]
    e0, n0, u0 = b0 + dt * b2, b1 + dt * b3, bup + dt * bv
    for m in range(L):
        jump = move[k, 12 * L + m]
        mu = max(stay * s[i, 14 * L + m] + jump, LEAST_MODE)
        w = jump / mu
        h = 1.0 - w
        q = w * h
        e, n, ve, vn = s[i, m], s[i, L + m], s[i, 2 * L + m], s[i, 3 * L + m]
        u, v = up[i, m], up[i, L + m]
        de, dn, dve, dvn, du, dv = b0 - e, b1 - n, b2 - ve, b3 - vn, bup - u, bv - v
        uu = h * up[i, 2 * L + m] + w * b16 + q * du * du
        uv = h * up[i, 3 * L + m] + w * b17 + q * du * dv
        vv = h * up[i, 4 * L + m] + w * b18 + q * dv * dv
        eu = h * up[i, 5 * L + m] + w * b19 + q * de * du
        nu = h * up[i, 6 * L + m] + w * b20 + q * dn * du
        ev = h * up[i, 7 * L + m] + w * b21 + q * de * dv
        nv = h * up[i, 8 * L + m] + w * b22 + q * dn * dv
        uve = h * up[i, 9 * L + m] + w * b23 + q * du * dve
        uvn = h * up[i, 10 * L + m] + w * b24 + q * du * dvn
        vev = h * up[i, 11 * L + m] + w * b25 + q * dve * dv
        vnv = h * up[i, 12 * L + m] + w * b26 + q * dvn * dv
        e, n, ve, vn = e + w * de, n + w * dn, ve + w * dve, vn + w * dvn
        u, v = u + w * du, v + w * dv
        a, b, c, d = move[k, m], move[k, L + m], move[k, 2 * L + m], move[k, 3 * L + m]
        g, f = move[k, 7 * L + m], move[k, 8 * L + m]
        e, n, u = e + a * ve - b * vn, n + b * ve + a * vn, u + g * v
        uve, uvn = uve + g * vev, uvn + g * vnv
        eu = eu + g * ev + a * uve - b * uvn
        nu = nu + g * nv + b * uve + a * uvn
        uu = uu + g * (uv + uv + g * vv) + move[k, 11 * L + m]
        up[i, m], up[i, L + m] = u, f * v
        up[i, 2 * L + m] = uu
        up[i, 3 * L + m] = f * (uv + g * vv) + move[k, 10 * L + m]
        up[i, 4 * L + m] = f * f * vv + move[k, 9 * L + m]
        up[i, 5 * L + m], up[i, 6 * L + m] = eu, nu
        up[i, 7 * L + m] = f * (ev + a * vev - b * vnv)
        up[i, 8 * L + m] = f * (nv + b * vev + a * vnv)
        up[i, 9 * L + m], up[i, 10 * L + m] = c * uve - d * uvn, d * uve + c * uvn
        up[i, 11 * L + m] = f * (c * vev - d * vnv)
        up[i, 12 * L + m] = f * (d * vev + c * vnv)
        e, n, u = e - e0, n - n0, u - u0
        p[m], p[L + m], p[2 * L + m] = mu * e, mu * n, mu * u
        p[3 * L + m] = mu * (uu + u * u)
        p[4 * L + m], p[5 * L + m] = mu * (eu + e * u), mu * (nu + n * u)
    e, n, u = total(p, 0, lanes), total(p, 1, lanes), total(p, 2, lanes)
    bar[i, 14] = u0 + u
    bar[i, 16] = left(total(p, 3, lanes), u)
    bar[i, 19] = total(p, 4, lanes) - e * u
    bar[i, 20] = total(p, 5, lanes) - n * u


@inlined
def likelihood_flat(
    s: F8, i: int, z: F8, R: F8, j: int, lk: F8, o: int, lanes: tuple[int, ...]
) -> float:
    """Density of plot `j` (no height) under row `i`, m⁻²; that of each lane in ``lk[o]``."""
    L = len(lanes)
    z0, z1, r0, r1, r2 = z[j, 0], z[j, 1], R[j, 0], R[j, 1], R[j, 3]
    for m in range(L):
        a, b, c = s[i, 4 * L + m] * SLACK + r0, s[i, 5 * L + m] + r1, s[i, 6 * L + m] * SLACK + r2
        f = 1.0 / max(a * c - b * b, ROUND * a * c)
        y0, y1 = z0 - s[i, m], z1 - s[i, L + m]
        x = (b * y0 * y1 - 0.5 * (c * y0 * y0 + a * y1 * y1)) * f
        y = max(x, -60.0) * 0.015625
        q = y * y
        h = q * q
        g = (1.0 / 24.0 + y * (1.0 / 120.0)) + q * (1.0 / 720.0 + y * (1.0 / 5040.0))
        g = g + h * (1.0 / 40320.0 + y * (1.0 / 362880.0))
        g = ((1.0 + y) + q * (0.5 + y * (1.0 / 6.0))) + h * g
        g *= g
        g *= g
        g *= g
        g *= g
        g *= g
        lk[o, m] = s[i, 14 * L + m] * (g * g) * math.sqrt(f) * (1.0 / TWO_PI)
    return total_row(lk, o, lanes)


@inlined
def likelihood_tall(
    s: F8, up: F8, i: int, z: F8, R: F8, j: int, lk: F8, o: int, lanes: tuple[int, ...]
) -> float:
    """Density of plot `j` (with height) under row `i`, m⁻³; that of each lane in ``lk[o]``."""
    L = len(lanes)
    z0, z1, z2 = z[j, 0], z[j, 1], z[j, 2]
    r0, r1, r2, r3, r4, r5 = R[j, 0], R[j, 1], R[j, 2], R[j, 3], R[j, 4], R[j, 5]
    scale = 1.0 / (TWO_PI * math.sqrt(TWO_PI))
    for m in range(L):
        a, b, c = s[i, 4 * L + m] * SLACK + r0, s[i, 5 * L + m] + r1, up[i, 5 * L + m] + r2
        d, e = s[i, 6 * L + m] * SLACK + r3, up[i, 6 * L + m] + r4
        h = up[i, 2 * L + m] * SLACK + r5
        # S = L D L': the squares of L⁻¹ y over D, and no more than eight bytes can carry
        f = 1.0 / a
        l1, l2 = b * f, c * f
        d1 = max(d - l1 * b, ROUND * d)
        e1 = e - l1 * c
        g = 1.0 / d1
        l3 = e1 * g
        d2 = max(h - l2 * c - l3 * e1, ROUND * h)
        k = 1.0 / d2
        y0, y1, y2 = z0 - s[i, m], z1 - s[i, L + m], z2 - up[i, m]
        y1 = y1 - l1 * y0
        y2 = y2 - l2 * y0 - l3 * y1
        x = y0 * y0 * f + y1 * y1 * g + y2 * y2 * k
        f = f * g * k
        y = max(-0.5 * x, -60.0) * 0.015625
        q = y * y
        h = q * q
        g = (1.0 / 24.0 + y * (1.0 / 120.0)) + q * (1.0 / 720.0 + y * (1.0 / 5040.0))
        g = g + h * (1.0 / 40320.0 + y * (1.0 / 362880.0))
        g = ((1.0 + y) + q * (0.5 + y * (1.0 / 6.0))) + h * g
        g *= g
        g *= g
        g *= g
        g *= g
        g *= g
        lk[o, m] = s[i, 14 * L + m] * (g * g) * math.sqrt(f) * scale
    return total_row(lk, o, lanes)


@inlined
def clear(acc: F8, lanes: tuple[int, ...]) -> None:
    """Empty the ten sums per lane of a mixture of plots."""
    for q in range(10 * len(lanes)):
        acc[q] = 0.0


@inlined
def add_flat(
    s: F8, i: int, z: F8, R: F8, j: int, lk: F8, o: int, f: float, acc: F8, lanes: tuple[int, ...]
) -> None:
    """Add plot `j`, in every lane with weight ``f lk[o]``, to the mixture.

    Sums per lane: weight w; w a (3) with a = S⁻¹ y; w (S⁻¹ - a aᵀ) (6, upper triangle).
    """
    L = len(lanes)
    z0, z1, r0, r1, r2 = z[j, 0], z[j, 1], R[j, 0], R[j, 1], R[j, 3]
    for m in range(L):
        w = lk[o, m] * f
        a, b, c = s[i, 4 * L + m] * SLACK + r0, s[i, 5 * L + m] + r1, s[i, 6 * L + m] * SLACK + r2
        g = 1.0 / max(a * c - b * b, ROUND * a * c)
        y0, y1 = z0 - s[i, m], z1 - s[i, L + m]
        i00, i01, i11 = c * g, -b * g, a * g
        a0, a1 = i00 * y0 + i01 * y1, i01 * y0 + i11 * y1
        acc[m] += w
        acc[L + m] += w * a0
        acc[2 * L + m] += w * a1
        acc[4 * L + m] += w * (i00 - a0 * a0)
        acc[5 * L + m] += w * (i01 - a0 * a1)
        acc[7 * L + m] += w * (i11 - a1 * a1)


@inlined
def add_tall(
    s: F8, up: F8, i: int, z: F8, R: F8, j: int, lk: F8, o: int, f: float, acc: F8,
    lanes: tuple[int, ...],
) -> None:  # fmt: skip
    """`add_flat` with height."""
    L = len(lanes)
    z0, z1, z2 = z[j, 0], z[j, 1], z[j, 2]
    r0, r1, r2, r3, r4, r5 = R[j, 0], R[j, 1], R[j, 2], R[j, 3], R[j, 4], R[j, 5]
    for m in range(L):
        w = lk[o, m] * f
        a, b, c = s[i, 4 * L + m] * SLACK + r0, s[i, 5 * L + m] + r1, up[i, 5 * L + m] + r2
        d, e = s[i, 6 * L + m] * SLACK + r3, up[i, 6 * L + m] + r4
        h = up[i, 2 * L + m] * SLACK + r5
        g = 1.0 / a
        l1, l2 = b * g, c * g
        d1 = max(d - l1 * b, ROUND * d)
        e1 = e - l1 * c
        k1 = 1.0 / d1
        l3 = e1 * k1
        i22 = 1.0 / max(h - l2 * c - l3 * e1, ROUND * h)
        q = l1 * l3 - l2
        i12, i02 = -l3 * i22, q * i22
        i11, i01 = k1 - l3 * i12, -l1 * k1 - l3 * i02
        i00 = g + l1 * l1 * k1 + q * i02
        y0, y1, y2 = z0 - s[i, m], z1 - s[i, L + m], z2 - up[i, m]
        a0 = i00 * y0 + i01 * y1 + i02 * y2
        a1 = i01 * y0 + i11 * y1 + i12 * y2
        a2 = i02 * y0 + i12 * y1 + i22 * y2
        acc[m] += w
        acc[L + m] += w * a0
        acc[2 * L + m] += w * a1
        acc[3 * L + m] += w * a2
        acc[4 * L + m] += w * (i00 - a0 * a0)
        acc[5 * L + m] += w * (i01 - a0 * a1)
        acc[6 * L + m] += w * (i02 - a0 * a2)
        acc[7 * L + m] += w * (i11 - a1 * a1)
        acc[8 * L + m] += w * (i12 - a1 * a2)
        acc[9 * L + m] += w * (i22 - a2 * a2)


@inlined
def apply_flat(s: F8, i: int, acc: F8, kept: float, lanes: tuple[int, ...]) -> None:
    """Fold the sums of `add_flat` into every lane; `kept` is the weight of no plot at all.

    With u = sum w a and M = sum w (S⁻¹ - a aᵀ) + u uᵀ: x += G u, P -= G M Gᵀ, where G is the part
    of P that belongs to the position. So the state is touched once, whatever the number of plots.
    """
    L = len(lanes)
    for m in range(L):
        mu = acc[m] + kept * s[i, 14 * L + m] + 1e-300
        f = 1.0 / mu
        u0, u1 = acc[L + m] * f, acc[2 * L + m] * f
        m00, m01 = acc[4 * L + m] * f + u0 * u0, acc[5 * L + m] * f + u0 * u1
        m11 = acc[7 * L + m] * f + u1 * u1
        a, b, c = s[i, 4 * L + m], s[i, 5 * L + m], s[i, 6 * L + m]
        d, e, g, h = s[i, 7 * L + m], s[i, 8 * L + m], s[i, 9 * L + m], s[i, 10 * L + m]
        s[i, 14 * L + m] = mu
        s[i, m] += a * u0 + b * u1
        s[i, L + m] += b * u0 + c * u1
        s[i, 2 * L + m] += d * u0 + g * u1
        s[i, 3 * L + m] += e * u0 + h * u1
        t0, t1 = a * m00 + b * m01, a * m01 + b * m11
        s[i, 4 * L + m] = max(a - (t0 * a + t1 * b), MIN_VAR) + ROUND * a
        s[i, 5 * L + m] = b - (t0 * b + t1 * c)
        s[i, 7 * L + m] = d - (t0 * d + t1 * g)
        s[i, 8 * L + m] = e - (t0 * e + t1 * h)
        t0, t1 = b * m00 + c * m01, b * m01 + c * m11
        s[i, 6 * L + m] = max(c - (t0 * b + t1 * c), MIN_VAR) + ROUND * c
        s[i, 9 * L + m] = g - (t0 * d + t1 * g)
        s[i, 10 * L + m] = h - (t0 * e + t1 * h)
        t0, t1 = d * m00 + g * m01, d * m01 + g * m11
        v = s[i, 11 * L + m]
        s[i, 11 * L + m] = max(v - (t0 * d + t1 * g), MIN_VAR) + ROUND * v
        s[i, 12 * L + m] -= t0 * e + t1 * h
        t0, t1 = e * m00 + h * m01, e * m01 + h * m11
        v = s[i, 13 * L + m]
        s[i, 13 * L + m] = max(v - (t0 * e + t1 * h), MIN_VAR) + ROUND * v


@inlined
def apply_tall(s: F8, up: F8, i: int, acc: F8, kept: float, lanes: tuple[int, ...]) -> None:
    """`apply_flat` with height."""
    L = len(lanes)
    for m in range(L):
        mu = acc[m] + kept * s[i, 14 * L + m] + 1e-300
        f = 1.0 / mu
        u0, u1, u2 = acc[L + m] * f, acc[2 * L + m] * f, acc[3 * L + m] * f
        m00, m01 = acc[4 * L + m] * f + u0 * u0, acc[5 * L + m] * f + u0 * u1
        m02, m11 = acc[6 * L + m] * f + u0 * u2, acc[7 * L + m] * f + u1 * u1
        m12, m22 = acc[8 * L + m] * f + u1 * u2, acc[9 * L + m] * f + u2 * u2
        e0, e1, e2 = s[i, 4 * L + m], s[i, 5 * L + m], up[i, 5 * L + m]
        n1, n2, uu = s[i, 6 * L + m], up[i, 6 * L + m], up[i, 2 * L + m]
        a0, a1, a2 = s[i, 7 * L + m], s[i, 9 * L + m], up[i, 9 * L + m]
        b0, b1, b2 = s[i, 8 * L + m], s[i, 10 * L + m], up[i, 10 * L + m]
        c0, c1, c2 = up[i, 7 * L + m], up[i, 8 * L + m], up[i, 3 * L + m]
        s[i, 14 * L + m] = mu
        s[i, m] += e0 * u0 + e1 * u1 + e2 * u2
        s[i, L + m] += e1 * u0 + n1 * u1 + n2 * u2
        up[i, m] += e2 * u0 + n2 * u1 + uu * u2
        s[i, 2 * L + m] += a0 * u0 + a1 * u1 + a2 * u2
        s[i, 3 * L + m] += b0 * u0 + b1 * u1 + b2 * u2
        up[i, L + m] += c0 * u0 + c1 * u1 + c2 * u2
        t0 = e0 * m00 + e1 * m01 + e2 * m02
        t1 = e0 * m01 + e1 * m11 + e2 * m12
        t2 = e0 * m02 + e1 * m12 + e2 * m22
        s[i, 4 * L + m] = max(e0 - (t0 * e0 + t1 * e1 + t2 * e2), MIN_VAR) + ROUND * e0
        s[i, 5 * L + m] = e1 - (t0 * e1 + t1 * n1 + t2 * n2)
        up[i, 5 * L + m] = e2 - (t0 * e2 + t1 * n2 + t2 * uu)
        s[i, 7 * L + m] = a0 - (t0 * a0 + t1 * a1 + t2 * a2)
        s[i, 8 * L + m] = b0 - (t0 * b0 + t1 * b1 + t2 * b2)
        up[i, 7 * L + m] = c0 - (t0 * c0 + t1 * c1 + t2 * c2)
        t0 = e1 * m00 + n1 * m01 + n2 * m02
        t1 = e1 * m01 + n1 * m11 + n2 * m12
        t2 = e1 * m02 + n1 * m12 + n2 * m22
        s[i, 6 * L + m] = max(n1 - (t0 * e1 + t1 * n1 + t2 * n2), MIN_VAR) + ROUND * n1
        up[i, 6 * L + m] = n2 - (t0 * e2 + t1 * n2 + t2 * uu)
        s[i, 9 * L + m] = a1 - (t0 * a0 + t1 * a1 + t2 * a2)
        s[i, 10 * L + m] = b1 - (t0 * b0 + t1 * b1 + t2 * b2)
        up[i, 8 * L + m] = c1 - (t0 * c0 + t1 * c1 + t2 * c2)
        t0 = e2 * m00 + n2 * m01 + uu * m02
        t1 = e2 * m01 + n2 * m11 + uu * m12
        t2 = e2 * m02 + n2 * m12 + uu * m22
        up[i, 2 * L + m] = max(uu - (t0 * e2 + t1 * n2 + t2 * uu), MIN_VAR) + ROUND * uu
        up[i, 9 * L + m] = a2 - (t0 * a0 + t1 * a1 + t2 * a2)
        up[i, 10 * L + m] = b2 - (t0 * b0 + t1 * b1 + t2 * b2)
        up[i, 3 * L + m] = c2 - (t0 * c0 + t1 * c1 + t2 * c2)
        t0 = a0 * m00 + a1 * m01 + a2 * m02
        t1 = a0 * m01 + a1 * m11 + a2 * m12
        t2 = a0 * m02 + a1 * m12 + a2 * m22
        v = s[i, 11 * L + m]
        s[i, 11 * L + m] = max(v - (t0 * a0 + t1 * a1 + t2 * a2), MIN_VAR) + ROUND * v
        s[i, 12 * L + m] -= t0 * b0 + t1 * b1 + t2 * b2
        up[i, 11 * L + m] -= t0 * c0 + t1 * c1 + t2 * c2
        t0 = b0 * m00 + b1 * m01 + b2 * m02
        t1 = b0 * m01 + b1 * m11 + b2 * m12
        t2 = b0 * m02 + b1 * m12 + b2 * m22
        v = s[i, 13 * L + m]
        s[i, 13 * L + m] = max(v - (t0 * b0 + t1 * b1 + t2 * b2), MIN_VAR) + ROUND * v
        up[i, 12 * L + m] -= t0 * c0 + t1 * c1 + t2 * c2
        t0 = c0 * m00 + c1 * m01 + c2 * m02
        t1 = c0 * m01 + c1 * m11 + c2 * m12
        t2 = c0 * m02 + c1 * m12 + c2 * m22
        v = up[i, 4 * L + m]
        up[i, 4 * L + m] = max(v - (t0 * c0 + t1 * c1 + t2 * c2), MIN_VAR) + ROUND * v


@inlined
def steer_flat(
    s: F8, i: int, he: float, hn: float, z: float, var: float, p: F8,
    lanes: tuple[int, ...],
) -> None:  # fmt: skip
    """Update every lane of row `i` with one number ``z = h · velocity`` of variance `var`.

    Also weighs the lanes by how well they foresaw it.
    """
    L = len(lanes)
    for m in range(L):
        g0 = he * s[i, 7 * L + m] + hn * s[i, 8 * L + m]
        g1 = he * s[i, 9 * L + m] + hn * s[i, 10 * L + m]
        g2 = he * s[i, 11 * L + m] + hn * s[i, 12 * L + m]
        g3 = he * s[i, 12 * L + m] + hn * s[i, 13 * L + m]
        f = 1.0 / (he * g2 + hn * g3 + var)
        y = z - (he * s[i, 2 * L + m] + hn * s[i, 3 * L + m])
        x = max(-0.5 * y * y * f, -60.0) * 0.015625
        q = x * x
        h = q * q
        g = (1.0 / 24.0 + x * (1.0 / 120.0)) + q * (1.0 / 720.0 + x * (1.0 / 5040.0))
        g = g + h * (1.0 / 40320.0 + x * (1.0 / 362880.0))
        g = ((1.0 + x) + q * (0.5 + x * (1.0 / 6.0))) + h * g
        g *= g
        g *= g
        g *= g
        g *= g
        g *= g
        p[m] = s[i, 14 * L + m] * (g * g) * math.sqrt(f) + 1e-300
        y *= f
        s[i, m] += g0 * y
        s[i, L + m] += g1 * y
        s[i, 2 * L + m] += g2 * y
        s[i, 3 * L + m] += g3 * y
        v = s[i, 4 * L + m]
        s[i, 4 * L + m] = max(v - g0 * g0 * f, MIN_VAR) + ROUND * v
        s[i, 5 * L + m] -= g0 * g1 * f
        v = s[i, 6 * L + m]
        s[i, 6 * L + m] = max(v - g1 * g1 * f, MIN_VAR) + ROUND * v
        s[i, 7 * L + m] -= g0 * g2 * f
        s[i, 8 * L + m] -= g0 * g3 * f
        s[i, 9 * L + m] -= g1 * g2 * f
        s[i, 10 * L + m] -= g1 * g3 * f
        v = s[i, 11 * L + m]
        s[i, 11 * L + m] = max(v - g2 * g2 * f, MIN_VAR) + ROUND * v
        s[i, 12 * L + m] -= g2 * g3 * f
        v = s[i, 13 * L + m]
        s[i, 13 * L + m] = max(v - g3 * g3 * f, MIN_VAR) + ROUND * v
    f = 1.0 / total(p, 0, lanes)
    for m in range(L):
        s[i, 14 * L + m] = p[m] * f


@inlined
def steer_tall(
    s: F8, up: F8, i: int, he: float, hn: float, hu: float, z: float, var: float, p: F8,
    lanes: tuple[int, ...],
) -> None:  # fmt: skip
    """`steer_flat` with height."""
    L = len(lanes)
    for m in range(L):
        g0 = he * s[i, 7 * L + m] + hn * s[i, 8 * L + m] + hu * up[i, 7 * L + m]
        g1 = he * s[i, 9 * L + m] + hn * s[i, 10 * L + m] + hu * up[i, 8 * L + m]
        g2 = he * s[i, 11 * L + m] + hn * s[i, 12 * L + m] + hu * up[i, 11 * L + m]
        g3 = he * s[i, 12 * L + m] + hn * s[i, 13 * L + m] + hu * up[i, 12 * L + m]
        g4 = he * up[i, 9 * L + m] + hn * up[i, 10 * L + m] + hu * up[i, 3 * L + m]
        g5 = he * up[i, 11 * L + m] + hn * up[i, 12 * L + m] + hu * up[i, 4 * L + m]
        f = 1.0 / (he * g2 + hn * g3 + hu * g5 + var)
        y = z - (he * s[i, 2 * L + m] + hn * s[i, 3 * L + m] + hu * up[i, L + m])
        x = max(-0.5 * y * y * f, -60.0) * 0.015625
        q = x * x
        h = q * q
        g = (1.0 / 24.0 + x * (1.0 / 120.0)) + q * (1.0 / 720.0 + x * (1.0 / 5040.0))
        g = g + h * (1.0 / 40320.0 + x * (1.0 / 362880.0))
        g = ((1.0 + x) + q * (0.5 + x * (1.0 / 6.0))) + h * g
        g *= g
        g *= g
        g *= g
        g *= g
        g *= g
        p[m] = s[i, 14 * L + m] * (g * g) * math.sqrt(f) + 1e-300
        y *= f
        s[i, m] += g0 * y
        s[i, L + m] += g1 * y
        s[i, 2 * L + m] += g2 * y
        s[i, 3 * L + m] += g3 * y
        up[i, m] += g4 * y
        up[i, L + m] += g5 * y
        v = s[i, 4 * L + m]
        s[i, 4 * L + m] = max(v - g0 * g0 * f, MIN_VAR) + ROUND * v
        s[i, 5 * L + m] -= g0 * g1 * f
        v = s[i, 6 * L + m]
        s[i, 6 * L + m] = max(v - g1 * g1 * f, MIN_VAR) + ROUND * v
        s[i, 7 * L + m] -= g0 * g2 * f
        s[i, 8 * L + m] -= g0 * g3 * f
        s[i, 9 * L + m] -= g1 * g2 * f
        s[i, 10 * L + m] -= g1 * g3 * f
        v = s[i, 11 * L + m]
        s[i, 11 * L + m] = max(v - g2 * g2 * f, MIN_VAR) + ROUND * v
        s[i, 12 * L + m] -= g2 * g3 * f
        v = s[i, 13 * L + m]
        s[i, 13 * L + m] = max(v - g3 * g3 * f, MIN_VAR) + ROUND * v
        v = up[i, 2 * L + m]
        up[i, 2 * L + m] = max(v - g4 * g4 * f, MIN_VAR) + ROUND * v
        up[i, 3 * L + m] -= g4 * g5 * f
        v = up[i, 4 * L + m]
        up[i, 4 * L + m] = max(v - g5 * g5 * f, MIN_VAR) + ROUND * v
        up[i, 5 * L + m] -= g0 * g4 * f
        up[i, 6 * L + m] -= g1 * g4 * f
        up[i, 7 * L + m] -= g0 * g5 * f
        up[i, 8 * L + m] -= g1 * g5 * f
        up[i, 9 * L + m] -= g4 * g2 * f
        up[i, 10 * L + m] -= g4 * g3 * f
        up[i, 11 * L + m] -= g2 * g5 * f
        up[i, 12 * L + m] -= g3 * g5 * f
    f = 1.0 / total(p, 0, lanes)
    for m in range(L):
        s[i, 14 * L + m] = p[m] * f


@inlined
def steer(
    s: F8, up: F8, i: int, tall: int, he: float, hn: float, hu: float, z: float, var: float, p: F8,
    lanes: tuple[int, ...],
) -> None:  # fmt: skip
    """`steer_flat` or, if it has a height, `steer_tall`."""
    if tall:
        steer_tall(s, up, i, he, hn, hu, z, var, p, lanes)
    else:
        steer_flat(s, i, he, hn, z, var, p, lanes)


@inlined
def merge(s: F8, up: F8, bar: F8, i: int, tall: int, p: F8, lanes: tuple[int, ...]) -> None:
    """Moments of the mixture of the lanes of row `i` into `bar`.

    Deviations are taken from what `bar` held, which is near.
    """
    L = len(lanes)
    e0, n0, ve0, vn0 = bar[i, 0], bar[i, 1], bar[i, 2], bar[i, 3]
    for m in range(L):
        mu = s[i, 14 * L + m]
        e, n = s[i, m] - e0, s[i, L + m] - n0
        ve, vn = s[i, 2 * L + m] - ve0, s[i, 3 * L + m] - vn0
        p[m], p[L + m], p[2 * L + m], p[3 * L + m] = mu * e, mu * n, mu * ve, mu * vn
        p[4 * L + m] = mu * (s[i, 4 * L + m] + e * e)
        p[5 * L + m] = mu * (s[i, 5 * L + m] + e * n)
        p[6 * L + m] = mu * (s[i, 6 * L + m] + n * n)
        p[7 * L + m] = mu * (s[i, 7 * L + m] + e * ve)
        p[8 * L + m] = mu * (s[i, 8 * L + m] + e * vn)
        p[9 * L + m] = mu * (s[i, 9 * L + m] + n * ve)
        p[10 * L + m] = mu * (s[i, 10 * L + m] + n * vn)
        p[11 * L + m] = mu * (s[i, 11 * L + m] + ve * ve)
        p[12 * L + m] = mu * (s[i, 12 * L + m] + ve * vn)
        p[13 * L + m] = mu * (s[i, 13 * L + m] + vn * vn)
    e, n = total(p, 0, lanes), total(p, 1, lanes)
    ve, vn = total(p, 2, lanes), total(p, 3, lanes)
    bar[i, 0], bar[i, 1], bar[i, 2], bar[i, 3] = e0 + e, n0 + n, ve0 + ve, vn0 + vn
    bar[i, 4] = left(total(p, 4, lanes), e)
    bar[i, 5] = total(p, 5, lanes) - e * n
    bar[i, 6] = left(total(p, 6, lanes), n)
    bar[i, 7] = total(p, 7, lanes) - e * ve
    bar[i, 8] = total(p, 8, lanes) - e * vn
    bar[i, 9] = total(p, 9, lanes) - n * ve
    bar[i, 10] = total(p, 10, lanes) - n * vn
    bar[i, 11] = left(total(p, 11, lanes), ve)
    bar[i, 12] = total(p, 12, lanes) - ve * vn
    bar[i, 13] = left(total(p, 13, lanes), vn)
    if tall:
        u0, v0 = bar[i, 14], bar[i, 15]
        for m in range(L):
            mu = s[i, 14 * L + m]
            de, dn = s[i, m] - e0, s[i, L + m] - n0
            dve, dvn = s[i, 2 * L + m] - ve0, s[i, 3 * L + m] - vn0
            du, dv = up[i, m] - u0, up[i, L + m] - v0
            p[m], p[L + m] = mu * du, mu * dv
            p[2 * L + m] = mu * (up[i, 2 * L + m] + du * du)
            p[3 * L + m] = mu * (up[i, 3 * L + m] + du * dv)
            p[4 * L + m] = mu * (up[i, 4 * L + m] + dv * dv)
            p[5 * L + m] = mu * (up[i, 5 * L + m] + de * du)
            p[6 * L + m] = mu * (up[i, 6 * L + m] + dn * du)
            p[7 * L + m] = mu * (up[i, 7 * L + m] + de * dv)
            p[8 * L + m] = mu * (up[i, 8 * L + m] + dn * dv)
            p[9 * L + m] = mu * (up[i, 9 * L + m] + du * dve)
            p[10 * L + m] = mu * (up[i, 10 * L + m] + du * dvn)
            p[11 * L + m] = mu * (up[i, 11 * L + m] + dve * dv)
            p[12 * L + m] = mu * (up[i, 12 * L + m] + dvn * dv)
        u, v = total(p, 0, lanes), total(p, 1, lanes)
        bar[i, 14], bar[i, 15] = u0 + u, v0 + v
        bar[i, 16] = left(total(p, 2, lanes), u)
        bar[i, 17] = total(p, 3, lanes) - u * v
        bar[i, 18] = left(total(p, 4, lanes), v)
        bar[i, 19] = total(p, 5, lanes) - e * u
        bar[i, 20] = total(p, 6, lanes) - n * u
        bar[i, 21] = total(p, 7, lanes) - e * v
        bar[i, 22] = total(p, 8, lanes) - n * v
        bar[i, 23] = total(p, 9, lanes) - ve * u
        bar[i, 24] = total(p, 10, lanes) - vn * u
        bar[i, 25] = total(p, 11, lanes) - ve * v
        bar[i, 26] = total(p, 12, lanes) - vn * v
