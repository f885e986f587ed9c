"""When will a track be inside a zone: its predicted mean and covariance against moving distances.

The mean goes on as the track moves, in its turn for `TURN_S` at most and then straight; the
covariance with it, and with the acceleration noise of the tracker's calm mode. On a grid of
`STEP_S` to `HORIZON_S` the signed distances a to the sides of a part (outline, floor, ceiling;
positive outside) and their deviations sigma are taken, and

    expected   first time with a <= 0 on all sides,
    earliest   first time with a - 1.64 sigma <= 0 on all sides,
    latest     first time with a + 1.64 sigma <= 0 on all sides,
    p          largest probability of being inside, a product over the sides' Phi(-a / sigma);

in the cell where one of them turns, bisection. Each side has its own sigma: a place far below the
floor is not made likely by what is unsure about its east.

A distance changes no faster than the track moves. So a place 900 m away is not looked at again
before it could have come so near that one of the times, or a larger p, is in reach; most pairs
cost a few looks instead of 241.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from v2x.columns import B1, F8, I4, I8, U1, Columns, column
from v2x.jit import inlined, kernel
from v2x.lowalt.heights import SPHERE_M
from v2x.lowalt.probability import GEOID_SD_M, phi
from v2x.lowalt.walls import Walls, _off, clearance, limit_at, pairs_near

HORIZON_S = 120.0
STEP_S = 0.5
TURN_S = 20.0
"""Nobody circles on: a turn is followed this long, then straight."""
REACH_M = 5_000.0
"""Zones whose box is further away are not looked at."""
ONE_SIDED = 1.64
"""Deviations: 95 % on one side."""
SAFE_SD = 3.0
"""Zones further than this off everything a track may reach are not looked at."""
SLACK_SD = 0.05
"""A look must promise to better p by this many deviations: p is right to 0.02."""
PSD, PSD_UP = 0.3, 0.1
"""Acceleration noise, m²/s³: the tracker's calm mode of a multirotor (`v2x.fusion.modes`)."""
STILL_MPS = 0.5
AWAY_S = 10.0
SEEN_P = 0.05
"""A pair less likely than this that the mean does not enter is not told."""
_STEPS = round(HORIZON_S / STEP_S)
_FIELDS = 10


class Course(NamedTuple):
    """Where (n,) tracks are and how they move, for `breaches`.

    flat (n, 2) m; levels (n, 3) heights in the three references, NaN unknown; vel (n, 3) m/s;
    cov (n, 6, 6) of position and velocity; turn (n,) rad/s to the left, NaN unknown.
    """

    flat: F8
    levels: F8
    vel: F8
    cov: F8
    turn: F8


@dataclass(frozen=True, slots=True)
class Ahead(Columns):
    """Pairs (k,) of tracks and zones, sorted; seconds from now, NaN never within the horizon.

    `height_unknown` where a limit was left out because the track has no height to compare.
    """

    point: I4 = column("i4")
    zone: I4 = column("i4")
    earliest: F8 = column("f8")
    expected: F8 = column("f8")
    latest: F8 = column("f8")
    p: F8 = column("f8")
    height_unknown: U1 = column("u1")


@inlined
def _turned(turn: float, t: float) -> tuple[float, float]:
    """Re and im of the factor that velocity moves a place by within t: v (1 - exp(-iwt)) / iw."""
    w = min(t, TURN_S)
    angle = turn * w
    if abs(angle) < 1e-4:
        re, im = w, 0.5 * angle * w
    else:
        re, im = math.sin(angle) / turn, (1.0 - math.cos(angle)) / turn
    if t > w:
        re += (t - w) * math.cos(angle)
        im += (t - w) * math.sin(angle)
    return re, im


@kernel
def place(i: int, t: float, flat: F8, vel: F8, cov: F8, turn: F8, out: F8, k: int) -> None:
    """Predicted place and covariance of track i in t s, to row k of out (., 10).

    East, north, height gained; variances and covariances ee, en, nn, eu, nu, uu; widest horizontal
    deviation.
    """
    re, im = _turned(turn[i], t)
    e = flat[i, 0] + re * vel[i, 0] - im * vel[i, 1]
    n = flat[i, 1] + im * vel[i, 0] + re * vel[i, 1]
    # Up is not height: the plane of the tile leaves the ground with the square of the distance.
    drop = e * e + n * n - flat[i, 0] * flat[i, 0] - flat[i, 1] * flat[i, 1]
    up = t * vel[i, 2] + drop / (2.0 * SPHERE_M)
    P = cov[i]
    # Rows of the transition: place = (I, A) (place, velocity), A = (re, -im; im, re); up by t.
    ee = P[0, 0] + 2.0 * (re * P[0, 3] - im * P[0, 4])
    ee += re * re * P[3, 3] - 2.0 * re * im * P[3, 4] + im * im * P[4, 4]
    nn = P[1, 1] + 2.0 * (im * P[1, 3] + re * P[1, 4])
    nn += im * im * P[3, 3] + 2.0 * re * im * P[3, 4] + re * re * P[4, 4]
    en = P[0, 1] + im * P[0, 3] + re * P[0, 4] + re * P[1, 3] - im * P[1, 4]
    en += re * im * (P[3, 3] - P[4, 4]) + (re * re - im * im) * P[3, 4]
    eu = P[0, 2] + t * P[0, 5] + re * (P[3, 2] + t * P[3, 5]) - im * (P[4, 2] + t * P[4, 5])
    nu = P[1, 2] + t * P[1, 5] + im * (P[3, 2] + t * P[3, 5]) + re * (P[4, 2] + t * P[4, 5])
    uu = P[2, 2] + 2.0 * t * P[2, 5] + t * t * P[5, 5]
    cube = t * t * t / 3.0
    ee, nn, uu = ee + PSD * cube, nn + PSD * cube, uu + PSD_UP * cube
    widest = 0.5 * (ee + nn) + math.sqrt(0.25 * (ee - nn) ** 2 + en * en)
    out[k, 0], out[k, 1], out[k, 2] = e, n, up
    out[k, 3], out[k, 4], out[k, 5] = ee, en, nn
    out[k, 6], out[k, 7], out[k, 8] = eu, nu, uu
    out[k, 9] = math.sqrt(max(widest, 0.0))


@inlined
def _over(
    levels: F8, i: int, row: F8, k: int, p: int, side: int, limits: F8, ref_var: F8
) -> tuple[float, float]:
    """Signed metres outside a limit, and their deviation; NaN where the height is unknown."""
    reference = int(limits[p, side, 1])
    metres, rx, ry = limit_at(limits, p, side, row[k, 0], row[k, 1])
    z = levels[i, reference] + row[k, 2]
    var = row[k, 8] + ref_var[reference] - 2.0 * (rx * row[k, 6] + ry * row[k, 7])
    var += rx * rx * row[k, 3] + 2.0 * rx * ry * row[k, 4] + ry * ry * row[k, 5]
    return (metres - z if side == 0 else z - metres), math.sqrt(max(var, 1e-12))


@inlined
def _look(
    levels: F8, i: int, row: F8, k: int, p: int, hint: int, ref_var: F8,
    start: I8, edge: F8, leaf: F8, branch: F8, limits: F8, told: F8,
) -> int:  # fmt: skip
    """Distances at one predicted place.

    To told (6,): largest a, a - 1.64 sigma, a + 1.64 sigma over the sides, p, lateral a, largest
    a / sigma. Returns
    the nearest edge.
    """
    gap, gx, gy, where = clearance(row[k, 0], row[k, 1], p, hint, start, edge, leaf, branch)
    var = gx * gx * row[k, 3] + 2.0 * gx * gy * row[k, 4] + gy * gy * row[k, 5]
    sd = math.sqrt(max(var, 1e-12))
    a, low, high, share = gap, gap - ONE_SIDED * sd, gap + ONE_SIDED * sd, phi(-gap / sd)
    between, known, off = 1.0, False, gap / sd
    for side in range(2):
        if abs(limits[p, side, 0]) == np.inf:
            continue
        over, sd = _over(levels, i, row, k, p, side, limits, ref_var)
        if over != over:
            continue
        known = True
        a = max(a, over)
        low = max(low, over - ONE_SIDED * sd)
        high = max(high, over + ONE_SIDED * sd)
        off = max(off, over / sd)
        between -= phi(over / sd)
    if known:
        share *= max(between, 0.0)
    told[0], told[1], told[2], told[3], told[4] = a, low, high, share, gap
    told[5] = off
    return where


@kernel
def _when(
    which: int, before: float, after: float, hint: int, i: int, p: int,
    flat: F8, levels: F8, vel: F8, cov: F8, turn: F8, ref_var: F8,
    start: I8, edge: F8, leaf: F8, branch: F8, limits: F8, row: F8, told: F8,
) -> float:  # fmt: skip
    """Time between two at which the distance `which` of `_look` comes to 0, by bisection."""
    for _ in range(6):
        t = 0.5 * (before + after)
        place(i, t, flat, vel, cov, turn, row, 0)
        hint = _look(levels, i, row, 0, p, hint, ref_var, start, edge, leaf, branch, limits, told)
        if told[which] <= 0.0:
            after = t
        else:
            before = t
    return 0.5 * (before + after)


@inlined
def _skips(
    levels: F8, i: int, path: F8, k: int, p: int, gap: float, speed: float, climb: float,
    limits: F8, ref_var: F8, z: float,
) -> int:  # fmt: skip
    """Next step that is worth a look: before it some side stays more than z deviations away."""
    most = k + 1
    j = k + 1
    while j <= _STEPS and gap - speed * STEP_S * (j - k) > z * path[j, 9]:
        j += 1
    most = max(most, j)
    for side in range(2):
        if abs(limits[p, side, 0]) == np.inf:
            continue
        over, _ = _over(levels, i, path, k, p, side, limits, ref_var)
        if over != over:
            continue
        steep = math.hypot(limits[p, side, 2], limits[p, side, 3]) + abs(limits[p, side, 4])
        rate = climb + steep * speed
        floor_var = ref_var[int(limits[p, side, 1])]
        j = k + 1
        while j <= _STEPS:
            sd = math.sqrt(max(path[j, 8], 0.0) + floor_var) + steep * path[j, 9]
            if over - rate * STEP_S * (j - k) <= z * sd:
                break
            j += 1
        most = max(most, j)
    return most


@inlined
def _wanted(found: int, best: float) -> float:
    """Deviations outside that a look must come down to: the next time, or a larger p."""
    if not found & 2:
        return ONE_SIDED
    if not found & 1:
        return max(best - SLACK_SD, 0.0)
    return best - SLACK_SD if found & 4 else max(best - SLACK_SD, -ONE_SIDED)


@kernel
def breaches(
    point: I4, part: I4, flat: F8, levels: F8, vel: F8, cov: F8, turn: F8, ref_var: F8,
    bounds: F8, start: I8, edge: F8, leaf: F8, branch: F8, limits: F8,
    path: F8, told: F8, out: F8,
) -> None:  # fmt: skip
    """Times until each of pairs (k,), sorted by point: earliest, expected, latest, p, a now.

    To out (k, 5). path (steps + 2, 10) and told (6,) are room to work in.
    """
    steps, spare = _STEPS, path[_STEPS + 1 :]
    last = -1
    for j in range(point.shape[0]):
        i, p = point[j], part[j]
        if i != last:
            for k in range(steps + 1):
                place(i, STEP_S * k, flat, vel, cov, turn, path, k)
            last = i
        speed = math.hypot(vel[i, 0], vel[i, 1])
        far = math.hypot(flat[i, 0], flat[i, 1]) + speed * HORIZON_S
        climb = abs(vel[i, 2]) + far * speed / SPHERE_M
        out[j, 0], out[j, 1], out[j, 2], out[j, 3] = np.nan, np.nan, np.nan, 0.0
        out[j, 4] = math.sqrt(_off(flat[i, 0], flat[i, 1], bounds, p))
        first = _skips(levels, i, path, 0, p, out[j, 4], speed, climb, limits, ref_var, ONE_SIDED)
        if out[j, 4] > 0.0 and first > steps:
            continue  # not even its box is in reach
        hint = _look(levels, i, path, 0, p, -1, ref_var, start, edge, leaf, branch, limits, told)
        now = told[0]
        out[j, 3], out[j, 4] = told[3], now
        if now <= 0.0:
            continue  # it is inside
        found = 0  # bits of what is known: expected, earliest, latest
        if told[1] <= 0.0:
            out[j, 0], found = 0.0, 2
        best = told[5]  # fewest deviations outside so far: the largest p
        z = _wanted(found, best)
        k = _skips(levels, i, path, 0, p, told[4], speed, climb, limits, ref_var, z)
        while k <= steps:
            hint = _look(
                levels, i, path, k, p, hint, ref_var, start, edge, leaf, branch, limits, told
            )
            gap, off, new = told[4], told[5], 0
            out[j, 3] = max(out[j, 3], told[3])
            for which in range(3):
                if told[which] <= 0.0 and not found & (1 << which):
                    new |= 1 << which
            for which in range(3):
                if new & (1 << which):
                    column = 1 if which == 0 else (0 if which == 1 else 2)
                    out[j, column] = _when(
                        which, STEP_S * (k - 1), STEP_S * k, hint, i, p,
                        flat, levels, vel, cov, turn, ref_var,
                        start, edge, leaf, branch, limits, spare, told,
                    )  # fmt: skip
            found |= new
            if found == 7 and out[j, 3] > 0.9986:
                break
            best = min(best, off)
            z = _wanted(found, best)
            k = _skips(levels, i, path, k, p, gap, speed, climb, limits, ref_var, z)
        if found & 1 or not found:
            continue
        # The mean never enters: is it coming nearer at all, or is it only that nothing is sure?
        k = round(AWAY_S / STEP_S)
        _look(levels, i, path, k, p, hint, ref_var, start, edge, leaf, branch, limits, told)
        if told[0] > now or math.hypot(speed, vel[i, 2]) < STILL_MPS:
            out[j, 0], out[j, 2], out[j, 3] = np.nan, np.nan, np.nan


def foresee(
    walls: Walls, course: Course, active: B1, ground_sd_m: float, reach_m: float = REACH_M
) -> Ahead:
    """Zones in force that tracks come to within `HORIZON_S`, and are not inside of.

    A zone of several parts is reached with the first of them; a zone one part of which holds the
    track is not told. Nor is one that the mean does not enter with p below `SEEN_P`.
    """
    speed = np.hypot(course.vel[:, 0], course.vel[:, 1])
    spread = np.sqrt(np.maximum(course.cov[:, 3, 3] + course.cov[:, 4, 4], 0.0)) * HORIZON_S
    sure = np.sqrt(np.maximum(course.cov[:, 0, 0] + course.cov[:, 1, 1], 0.0))
    noise = math.sqrt(PSD * HORIZON_S**3 / 3.0)
    most = speed * HORIZON_S + SAFE_SD * (sure + spread + noise)
    known = np.isfinite(most) & np.isfinite(course.vel).all(axis=1)
    reach = np.where(known, np.minimum(most, reach_m), -1.0)
    point, part = pairs_near(walls, np.where(known[:, None], course.flat, np.nan), reach, active)
    if not len(point):
        return Ahead.blank()
    ref_var = np.array([0.0, GEOID_SD_M**2, GEOID_SD_M**2 + ground_sd_m**2])
    out = np.empty((len(point), 5))
    breaches(
        point, part, course.flat, course.levels, course.vel, course.cov,
        np.nan_to_num(course.turn), ref_var,
        walls.bounds, walls.start, walls.edge, walls.leaf, walls.branch, walls.limits,
        np.empty((_STEPS + 2, _FIELDS)), np.empty(6), out,
    )  # fmt: skip
    zone = walls.owner[part]
    code = point.astype(np.int64) * len(walls.apart) + zone
    order = np.argsort(code, kind="stable")
    code, out = code[order], out[order]
    first = np.flatnonzero(np.diff(code, prepend=-1))
    inside = np.minimum.reduceat(out[:, 4], first) <= 0.0
    times = np.fmin.reduceat(out[:, :3], first, axis=0)
    p = np.fmax.reduceat(out[:, 3], first)
    told = ~inside & np.isfinite(times[:, 0]) & (np.isfinite(times[:, 1]) | (p >= SEEN_P))
    limits = walls.limits[part[order]]
    height = course.levels[point[order][:, None], limits[:, :, 1].astype(np.int64)]
    missing = (np.isfinite(limits[:, :, 0]) & np.isnan(height)).any(axis=1)
    unknown = np.maximum.reduceat(missing.view(np.uint8), first)
    rows = order[first][told]
    earliest, expected, latest = times[told].T
    return Ahead(point[rows], zone[rows], earliest, expected, latest, p[told], unknown[told])
