"""Measurements that are not places: lines of sight, range and angles, range rate, reflections.

What a sensor measured is turned into a place anew for every track it may belong to: where that
track would be if the measurement were its own. Mean and covariance go into a scratch row behind
the plots of the scan, and gate, likelihood and update know no other kind of plot. Each is
linearised where track and measurement agree (one round of the iterated filter: Bell and Cathey,
"The iterated Kalman filter update as a Gauss-Newton method", IEEE TAC 38(2), 1993), so that the
noise stated does not follow the error made (Bordonaro, Willett, Bar-Shalom, "Decorrelated unbiased
converted measurement Kalman filter", IEEE TAES 50(2), 2014). Angles are never subtracted: nothing
wraps, and the zenith is a direction like any other.
"""

import math

from v2x.columns import F8
from v2x.fusion.layout import (
    ANG_SD,
    INFLATE,
    KINDS,
    MODEL,
    PLACES,
    POINT,
    POLAR,
    RANGE,
    RANGE_SD,
    SIGHTED,
    TO_E,
    TO_N,
    TO_U,
    Look,
)
from v2x.fusion.modes import sine
from v2x.fusion.motion import MIN_VAR, TWO_PI, exp_neg, flat_innovation, full_innovation
from v2x.jit import inlined, kernel

NEAR = 0.5
"""m: from nearer than this nothing is seen; also keeps ranges from being divided by."""

WIDE = 1e4
"""A line of sight is a place with so many times the variance the track has along it: the range is
left open, and the determinants keep ten digits."""

NO_HEIGHT = 1e6
"""m²: with a larger variance of up, the track has no height to speak of."""

RADIAL_FLOOR = 0.05
"""m/s: no range rate is known better."""

RADIAL_SD_UNSAID = 0.5
"""m/s: deviation of a range rate that comes without one. Ours."""

RADIAL_SPAN = 60.0
"""m/s: range rates of false and new plots are taken as uniform over so much. Ours."""

RADIAL_LEAST = 0.05
"""Least likelihood of a range rate, relative: that of a wheel must not break a track."""

SIDEWAYS = 1.0
"""m/s: slower tracks have no heading."""

CAR, TRUCK, BUS, EMERGENCY = 4, 5, 6, 7
"""Numbers of `Kind`, which kernels cannot import; a test compares."""


@kernel
def aim(sight: F8, az: F8, el: F8) -> None:
    """Unit lines of sight of azimuths and elevations (n,) rad, into the rows of `sight`.

    Up is NaN where the elevation is. The same bits for the same angles, wherever they stand.
    """
    for j in range(sight.shape[0]):
        sight[j, TO_E] = sight[j, TO_N] = sight[j, TO_U] = math.nan
        if not (abs(az[j]) < 1e6 and (math.isnan(el[j]) or abs(el[j]) < 1e6)):
            continue
        se, ve = 0.0, 0.0
        if not math.isnan(el[j]):
            se, ve = sine(el[j] - TWO_PI * math.floor(el[j] / TWO_PI + 0.5))
            sight[j, TO_U] = se
        sa, va = sine(az[j] - TWO_PI * math.floor(az[j] / TWO_PI + 0.5))
        sight[j, TO_E] = sa * (1.0 - ve)
        sight[j, TO_N] = (1.0 - va) * (1.0 - ve)


@kernel
def around(e: float, n: float) -> float:
    """How far round the horizon a direction is: grows with the angle from east, from 0 to 4."""
    whole = abs(e) + abs(n)
    if not whole > 0.0:
        return 0.0
    if n >= 0.0:
        return n / whole if e >= 0.0 else 1.0 - e / whole
    return 2.0 - n / whole if e < 0.0 else 3.0 + e / whole


@kernel
def sectors_near(
    bar: F8, i: int, pose: F8, worst: float, gate: float, sectors: int
) -> tuple[int, int]:
    """First and last sector in which lines of sight that may meet track `i` stand; they wrap.

    Seen from above a line within reach of the track passes it within the same reach.
    """
    x, y = bar[i, 0] - pose[0], bar[i, 1] - pose[1]
    h2 = x * x + y * y
    if bar[i, 16] > NO_HEIGHT or sectors == 1:
        return 0, sectors - 1
    up = bar[i, 14] - pose[2]
    var = bar[i, 4] + bar[i, 6] + bar[i, 16] + worst * (h2 + up * up)
    s2 = gate * var / h2 if h2 > 0.0 else 1.0
    if not s2 < 0.5:
        return 0, sectors - 1
    s, c = math.sqrt(s2), math.sqrt(1.0 - s2)
    scale = 0.25 * sectors
    a = math.floor(around(x * c + y * s, y * c - x * s) * scale)
    b = math.floor(around(x * c - y * s, y * c + x * s) * scale)
    return a, b if b >= a else b + sectors


@kernel
def put_line(
    z: F8, R: F8, q: int, pose: F8, far: float, line: F8, d: F8, r: float, v: float
) -> None:
    """Row `q`: the point `far` along `line`, with variance `v` along `d` and `r` across it."""
    e, n, u = d[0], d[1], d[2]
    z[q, 0], z[q, 1], z[q, 2] = (
        pose[0] + far * line[0],
        pose[1] + far * line[1],
        pose[2] + far * line[2],
    )
    f = v - r
    r += MIN_VAR
    R[q, 0], R[q, 1], R[q, 2] = r + f * e * e, f * e * n, f * e * u
    R[q, 3], R[q, 4], R[q, 5] = r + f * n * n, f * n * u, r + f * u * u


@kernel
def along(bar: F8, i: int, d: F8) -> float:
    """Variance of the position of row `i` along the unit vector `d`."""
    e, n, u = d[0], d[1], d[2]
    v = e * e * bar[i, 4] + n * n * bar[i, 6] + u * u * bar[i, 16]
    return float(v + 2.0 * (e * n * bar[i, 5] + e * u * bar[i, 19] + n * u * bar[i, 20]))


@kernel
def agree(bar: F8, i: int, z: F8, R: F8, q: int, pose: F8, up: float, d: F8) -> float:
    """Where track `i`, its height taken as `up`, and row `q` agree: range, direction into `d`."""
    y0, y1, _, ia, ib, ic, ie, ig, ih, _ = full_innovation(bar, i, z, R, q)
    y2 = z[q, 2] - up
    a, b, c = ia * y0 + ib * y1 + ic * y2, ib * y0 + ie * y1 + ig * y2, ic * y0 + ig * y1 + ih * y2
    e = bar[i, 0] - pose[0] + bar[i, 4] * a + bar[i, 5] * b + bar[i, 19] * c
    n = bar[i, 1] - pose[1] + bar[i, 5] * a + bar[i, 6] * b + bar[i, 20] * c
    u = up - pose[2] + bar[i, 19] * a + bar[i, 20] * b + bar[i, 16] * c
    far = math.sqrt(e * e + n * n + u * u)
    if far > NEAR:
        d[0], d[1], d[2] = e / far, n / far, u / far
    return far


@kernel
def view_line(bar: F8, i: int, z: F8, R: F8, pose: F8, d: F8, j: int, q: int, gate: float) -> float:
    """Line of sight `j` as a place of track `i`, into row `q`.

    Returns what turns a density per m³ there into one per sr; 0 if the two cannot meet. Of a track
    without height the elevation says nothing, and is taken as uniform over the sphere: returned is
    the density itself then, negative.
    """
    m, var = z[j], R[j, 0]
    x, y = bar[i, 0] - pose[0], bar[i, 1] - pose[1]
    lateral, level = bar[i, 4] + bar[i, 6], m[0] * m[0] + m[1] * m[1]
    open_up = bar[i, 16] > NO_HEIGHT
    if open_up:
        if level < 1e-4:
            return 0.0
        far = (x * m[0] + y * m[1]) / level
        off = (x * m[1] - y * m[0]) * (x * m[1] - y * m[0]) / level
        up = pose[2] + far * m[2]
        wide = WIDE * lateral / level
    else:
        up = bar[i, 14]
        u = up - pose[2]
        far = x * m[0] + y * m[1] + u * m[2]
        off = x * x + y * y + u * u - far * far
        lateral += bar[i, 16]
        wide = WIDE * lateral
    if not (far > NEAR and off <= gate * (lateral + var * far * far)):
        return 0.0
    put_line(z, R, q, pose, far, m, m, var * far * far, wide)
    far = agree(bar, i, z, R, q, pose, up, d)
    ahead = m[0] * d[0] + m[1] * d[1] + m[2] * d[2]
    if not (far > NEAR and ahead > 0.1):
        return 0.0
    spread = along(bar, i, d)
    if not open_up:
        wide = WIDE * spread
    put_line(z, R, q, pose, far / ahead, m, d, var * far * far, wide)
    if not open_up:
        return float(far * far * math.sqrt(TWO_PI * (wide + spread)))
    e, n = m[1], -m[0]
    v = (e * e * bar[i, 4] + 2.0 * e * n * bar[i, 5] + n * n * bar[i, 6]) / level + var * far * far
    flat = far * math.sqrt(level)
    return float(-0.5 * flat * exp_neg(-0.5 * off / v) / math.sqrt(TWO_PI * v))


@kernel
def view_azimuth(bar: F8, i: int, z: F8, R: F8, pose: F8, j: int, q: int, gate: float) -> float:
    """Azimuth `j` of a sensor without elevation as a place of track `i`, into row `q`.

    Returns what turns a density per m² there into one per rad; 0 if the two cannot meet.
    """
    e, n, var = z[j, 0], z[j, 1], R[j, 0]
    x, y = bar[i, 0] - pose[0], bar[i, 1] - pose[1]
    far, side = x * e + y * n, x * n - y * e
    lateral = bar[i, 4] + bar[i, 6]
    if not (far > NEAR and side * side <= gate * (lateral + var * far * far)):
        return 0.0
    z[q, 2] = math.nan
    R[q, 2] = R[q, 4] = R[q, 5] = 0.0
    d0, d1, ahead, wide = e, n, 1.0, WIDE * lateral
    for again in range(2):
        r = var * far * far
        z[q, 0], z[q, 1] = pose[0] + far / ahead * e, pose[1] + far / ahead * n
        R[q, 0], R[q, 3] = r + (wide - r) * d0 * d0 + MIN_VAR, r + (wide - r) * d1 * d1 + MIN_VAR
        R[q, 1] = (wide - r) * d0 * d1
        if again:
            break
        y0, y1, ia, ib, ic, _ = flat_innovation(bar, i, z, R, q)
        a, b = ia * y0 + ib * y1, ib * y0 + ic * y1
        x, y = x + bar[i, 4] * a + bar[i, 5] * b, y + bar[i, 5] * a + bar[i, 6] * b
        far = math.sqrt(x * x + y * y)
        ahead = (e * x + n * y) / far if far > NEAR else 0.0
        if not ahead > 0.1:
            return 0.0
        d0, d1 = x / far, y / far
    spread = d0 * d0 * bar[i, 4] + 2.0 * d0 * d1 * bar[i, 5] + d1 * d1 * bar[i, 6]
    return float(far * math.sqrt(TWO_PI * (wide + spread)))


@kernel
def view_polar(
    bar: F8, i: int, sight: F8, row: int, z: F8, R: F8, pose: F8, d: F8, j: int, q: int
) -> bool:
    """Range and angles of plot `j` as a place of track `i`, into row `q`; False: leave it as it is.

    The range counts along the line of sight on which track and plot agree, the angles across it;
    so the arc of a plot with much noise in angle is bent where it should be.
    """
    e, n, u = sight[row, TO_E], sight[row, TO_N], sight[row, TO_U]
    flat = math.isnan(u) or math.isnan(z[j, 2])
    if flat:
        y0, y1, ia, ib, ic, _ = flat_innovation(bar, i, z, R, j)
        a, b = ia * y0 + ib * y1, ib * y0 + ic * y1
        x = bar[i, 0] - pose[0] + bar[i, 4] * a + bar[i, 5] * b
        y = bar[i, 1] - pose[1] + bar[i, 5] * a + bar[i, 6] * b
        far, u = math.sqrt(x * x + y * y), 0.0
        if far > NEAR:
            d[0], d[1], d[2] = x / far, y / far, 0.0
    else:
        far = agree(bar, i, z, R, j, pose, bar[i, 14], d)
    if not far > NEAR:
        return False
    ahead = e * d[0] + n * d[1] + u * d[2]
    if not ahead > 0.1:
        return False
    r, f, inflate = sight[row, RANGE], far / ahead, pose[INFLATE]
    z[q, 0] = pose[0] + (r - far) * d[0] + f * e
    z[q, 1] = pose[1] + (r - far) * d[1] + f * n
    across = sight[row, ANG_SD] * far
    across *= across * inflate
    deep = inflate * sight[row, RANGE_SD] * sight[row, RANGE_SD]
    # noise in azimuth moves less the higher the line of sight: cos² el = level
    level = d[0] * d[0] + d[1] * d[1]
    v, w = across + MIN_VAR, (across * (1.0 - level) / level if level > 1e-9 else 0.0)
    g = deep - across
    R[q, 0] = v + g * d[0] * d[0] - w * d[1] * d[1]
    R[q, 1] = g * d[0] * d[1] + w * d[0] * d[1]
    R[q, 3] = v + g * d[1] * d[1] - w * d[0] * d[0]
    if flat:
        z[q, 2] = math.nan
        R[q, 2] = R[q, 4] = R[q, 5] = 0.0
        return True
    z[q, 2] = pose[2] + (r - far) * d[2] + f * u
    R[q, 2], R[q, 4], R[q, 5] = g * d[0] * d[2], g * d[1] * d[2], v + g * d[2] * d[2]
    return True


@kernel
def reflections(kinds: F8, i: int) -> float:
    """Variance along the heading of where on track `i` a radar's reflection comes from, m².

    Uniform over the length of its kind, where that is known; 0 for what is short.
    """
    half, best, known = 0.0, 0, 0.0
    for k in range(KINDS):
        known += kinds[i, k]
        if kinds[i, k] > kinds[i, best]:
            best = k
    if known < 0.5 or best < CAR or best > EMERGENCY:
        return 0.0
    if best == CAR:
        half = 2.3
    elif best == EMERGENCY:
        half = 3.0
    else:
        half = 6.0 if best == BUS else 5.0
    return half * half / 3.0


@kernel
def stretch(bar: F8, i: int, kinds: F8, z: F8, R: F8, j: int, q: int) -> int:
    """Row of plot `j` for a track that may reflect from anywhere along it; `q` is free for it."""
    var, e, n = reflections(kinds, i), bar[i, 2], bar[i, 3]
    speed2 = e * e + n * n
    if var == 0.0 or speed2 < SIDEWAYS * SIDEWAYS:
        return j
    if j != q:
        for k in range(3):
            z[q, k] = z[j, k]
        for k in range(6):
            R[q, k] = R[j, k]
    f = var / speed2
    R[q, 0] += f * e * e
    R[q, 1] += f * e * n
    R[q, 3] += f * n * n
    return q


@inlined
def passes(bar: F8, i: int, z: F8, R: F8, j: int, pose: F8, gate: float) -> bool:
    """Line of sight `j` cannot meet track `i`: too far off, or behind; told without a call."""
    if bar[i, 16] > NO_HEIGHT or math.isnan(z[j, 2]):
        return False
    x, y, u = bar[i, 0] - pose[0], bar[i, 1] - pose[1], bar[i, 14] - pose[2]
    far = x * z[j, 0] + y * z[j, 1] + u * z[j, 2]
    reach = gate * (bar[i, 4] + bar[i, 6] + bar[i, 16] + R[j, 0] * far * far)
    return bool(far <= NEAR or x * x + y * y + u * u - far * far > reach)


@kernel
def view(
    bar: F8, i: int, kinds: F8, sight: F8, look: Look, j: int, q: int, gate: float
) -> tuple[int, float]:
    """Row to use for plot `j` with track `i`, and a factor on the density: see `view_line`."""
    z, R, pose, d = look.z, look.R, look.pose, look.d
    made, unit = j, 1.0
    if j >= look.size[PLACES]:
        if math.isnan(z[j, 2]):
            made, unit = q, view_azimuth(bar, i, z, R, pose, j, q, gate)
        else:
            made, unit = q, view_line(bar, i, z, R, pose, d, j, q, gate)
    else:
        if look.size[SIGHTED]:
            row = look.row[j]
            if sight[row, MODEL] == POLAR and view_polar(bar, i, sight, row, z, R, pose, d, j, q):
                made = q
        if look.size[POINT]:
            made = stretch(bar, i, kinds, z, R, made, q)
    return made, unit


@kernel
def sightable(sight: F8, j: int) -> bool:
    """A direction, and a deviation that has an inverse."""
    return not math.isnan(sight[j, TO_E]) and bool(1e-7 <= sight[j, ANG_SD] <= 0.5)


@kernel
def radial_var(bar: F8, i: int, pose: F8, sd: float, h: F8) -> float:
    """Variance of a range rate against track `i`, its line of sight into `h`; -1: no telling.

    Where the line of sight is uncertain, so is what the motion across it adds.
    """
    h[0], h[1], h[2] = bar[i, 0] - pose[0], bar[i, 1] - pose[1], bar[i, 14] - pose[2]
    spread, fast = bar[i, 4] + bar[i, 6], bar[i, 11] + bar[i, 13]
    if bar[i, 16] > NO_HEIGHT:
        h[2] = 0.0
    else:
        spread += bar[i, 16]
        fast += bar[i, 18]
    far2 = h[0] * h[0] + h[1] * h[1] + h[2] * h[2]
    if not far2 > NEAR * NEAR:
        return -1.0
    f = 1.0 / math.sqrt(far2)
    h[0], h[1], h[2] = h[0] * f, h[1] * f, h[2] * f
    e, n, u = bar[i, 2], bar[i, 3], bar[i, 15]
    rate = h[0] * e + h[1] * n + h[2] * u
    sd = max(RADIAL_FLOOR, sd) if sd == sd else RADIAL_SD_UNSAID
    fast += max(0.0, e * e + n * n + u * u - rate * rate)
    return float(sd * sd + fast * min(1.0, 0.5 * spread / far2))


@kernel
def radial_gap(bar: F8, i: int, h: F8, radial: float) -> tuple[float, float]:
    """Range rate along `h` minus that of track `i`, and the variance of the track's."""
    e, n, u = h[0], h[1], h[2]
    y = radial - (e * bar[i, 2] + n * bar[i, 3])
    v = e * e * bar[i, 11] + n * n * bar[i, 13] + 2.0 * e * n * bar[i, 12]
    if u != 0.0:
        y -= u * bar[i, 15]
        v += u * u * bar[i, 18] + 2.0 * u * (e * bar[i, 25] + n * bar[i, 26])
    return y, v


@kernel
def radial_factor(bar: F8, i: int, pose: F8, radial: float, sd: float, h: F8) -> float:
    """Likelihood of a range rate on track `i`, relative to that on none."""
    var = radial_var(bar, i, pose, sd, h)
    if var < 0.0:
        return 1.0
    y, v = radial_gap(bar, i, h, radial)
    var += v
    return max(RADIAL_LEAST, RADIAL_SPAN * exp_neg(-0.5 * y * y / var) / math.sqrt(TWO_PI * var))


@kernel
def radial_doubt(bar: F8, i: int, pose: F8, radial: float, sd: float, beta: float, h: F8) -> float:
    """Variance with which to update track `i` if the plot is its own with probability `beta`.

    It makes gain and covariance those of the mixture with no update (Bar-Shalom, Li, Kirubarajan
    2001, probabilistic data association), its spread included where that is large. -1: do not.
    """
    var = radial_var(bar, i, pose, sd, h)
    if var < 0.0:
        return -1.0
    y, v = radial_gap(bar, i, h, radial)
    return var + max(v + var, y * y) * (1.0 / beta - 1.0)


@kernel
def radial_start(s: F8, i: int, tall: int, pose: F8, radial: float, sd: float, h: F8) -> None:
    """Velocity of a new track `i`, so far unknown, from the range rate of its plot."""
    var = radial_var(s, i, pose, sd, h)
    if var < 0.0:
        return
    ge, gn, gu = s[i, 11] * h[0], s[i, 13] * h[1], s[i, 18] * h[2]
    f = 1.0 / (h[0] * ge + h[1] * gn + h[2] * gu + var)
    s[i, 2], s[i, 3] = ge * radial * f, gn * radial * f
    s[i, 11] -= ge * ge * f
    s[i, 12] -= ge * gn * f
    s[i, 13] -= gn * gn * f
    if tall:
        s[i, 15] = gu * radial * f
        s[i, 18] -= gu * gu * f
        s[i, 25] -= ge * gu * f
        s[i, 26] -= gn * gu * f
