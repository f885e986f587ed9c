"""How likely a track is inside a zone: its covariance over the footprint, and between the limits.

Lateral: the integral of the track's normal density over the footprint, exactly. With the density
made round (whitened), Green's theorem turns it into one integral per edge: seen from the mean, an
edge at signed distance d takes in

    1 / 2 pi * int d (1 - exp(-q / 2)) / q ds,    q = d² + s²,

where s runs along it; the terms of all edges add up to the probability. (It is Owen's T function,
"Tables for computing bivariate normal probabilities", 1956, in a form without poles.) Of edges more
than `FAR_SD` away only the angle counts, and all angles together are 0 or one turn. So a straight
side gives Phi(-a / sigma_a), a right corner the product of both, a strip or a disc smaller than the
uncertainty what it deserves.

Vertical: the share of a normal height between floor and ceiling, where a limit that slopes moves
with the place, so that its deviation has the horizontal one in it. Both are multiplied.

Where a deviation is below `EXACT_SD_M` the test is that of a point; limits and edges are inside.
"""

import math
from typing import NamedTuple

import numpy as np

from v2x.columns import F8, I4, I8
from v2x.jit import kernel
from v2x.lowalt.walls import FAN, ON_M, Walls, _off, clearance, limit_at

EXACT_SD_M = 0.5
"""Better known than this, a place is a point."""
FAR_SD = 7.0
"""An edge this many deviations away changes nothing: exp(-24.5) is 2e-11."""
GEOID_SD_M = 0.5
"""EGM96 against China's levelling datum: a few dm (doubtful), in every height above the sea."""
SURELY_NOT = 0.01
_TURN = 2.0 * math.pi
_NODES = np.array(
    [-0.906179845938664, -0.538469310105683, 0.0, 0.538469310105683, 0.906179845938664]
)
_WEIGHTS = np.array(
    [0.236926885056189, 0.478628670499366, 0.568888888888889, 0.478628670499366, 0.236926885056189]
)


class Chances(NamedTuple):
    """Of (k,) pairs of places and parts.

    `lateral`, `vertical` probabilities, `vertical` NaN where a limit cannot be compared; `beside`
    and `over` signed metres to the outline and to the nearest limit, negative inside, -inf where
    there is no limit.
    """

    lateral: F8
    vertical: F8
    beside: F8
    over: F8


@kernel
def phi(x: float) -> float:
    """Cumulative normal distribution."""
    return 0.5 * math.erfc(-x * math.sqrt(0.5))


@kernel
def _edge_share(d: float, s1: float, s2: float) -> float:
    """Integral over s1..s2 of d (1 - exp(-q/2)) / q less its form without exp, both over 2 pi.

    What is left falls off as exp(-s²/2), so it is cut there, and is done in pieces of about one
    deviation with five nodes each (Gauss and Legendre): 1e-7 at most.
    """
    low, high = max(s1, -FAR_SD), min(s2, FAR_SD)
    if low >= high:
        return 0.0
    pieces = math.ceil(high - low)
    half = 0.5 * (high - low) / pieces
    total = 0.0
    for j in range(pieces):
        middle = low + (2 * j + 1) * half
        for g in range(5):
            s = middle + half * _NODES[g]
            q = d * d + s * s
            # (1 - exp(-q/2)) / q, which is 1/2 at 0
            smooth = -math.expm1(-0.5 * q) / q if q > 1e-12 else 0.5
            total += half * _WEIGHTS[g] * d * smooth
    angle = math.atan2(d * (high - low), d * d + low * high)
    return (total - angle) / _TURN


@kernel
def within(
    x: float, y: float, ee: float, en: float, nn: float, p: int, gap: float, where: int,
    start: I8, edge: F8, leaf: F8, branch: F8,
) -> float:  # fmt: skip
    """Probability that a normal place lies in a part's footprint.

    Mean x, y m, covariance ee, en, nn m²; gap and nearest edge of `clearance` at the mean.
    """
    middle, spread = 0.5 * (ee + nn), math.sqrt(0.25 * (ee - nn) ** 2 + en * en)
    widest = math.sqrt(middle + spread)
    if widest < EXACT_SD_M:
        return 1.0 if gap <= ON_M else 0.0
    if abs(gap) >= FAR_SD * widest:
        return 1.0 if gap < 0.0 else 0.0
    inside = gap <= 0.0
    if abs(gap) < 1e-6:
        # On an edge, or a corner, there is no telling sides from rounded products: a micron inward,
        # and one towards the middle of the edge.
        mx, my = 0.5 * (edge[where, 0] + edge[where, 2]), 0.5 * (edge[where, 1] + edge[where, 3])
        dx, dy = edge[where, 2] - edge[where, 0], edge[where, 3] - edge[where, 1]
        micron = 1e-6 / math.hypot(dx, dy)
        ahead = 1.0 if (mx - x) * dx + (my - y) * dy >= 0.0 else -1.0
        x, y = x + micron * (ahead * dx - dy), y + micron * (ahead * dy + dx)
        inside = True
    # Cholesky factor of the covariance, the narrow side not below a millimetre.
    a = math.sqrt(max(ee, 1e-6))
    b = en / a
    c = math.sqrt(max(nn - b * b, 1e-6))
    reach = FAR_SD * widest
    reach *= reach
    total = 1.0 if inside else 0.0
    first, last = start[p, 0], start[p + 1, 0]
    for block in range(start[p, 2], start[p + 1, 2]):
        if _off(x, y, branch, block) > reach:
            continue
        low = start[p, 1] + FAN * (block - start[p, 2])
        for box in range(low, min(low + FAN, start[p + 1, 1])):
            if _off(x, y, leaf, box) > reach:
                continue
            begin = first + FAN * (box - start[p, 1])
            for k in range(begin, min(begin + FAN, last)):
                e1 = (edge[k, 0] - x) / a
                n1 = (edge[k, 1] - y - b * e1) / c
                e2 = (edge[k, 2] - x) / a
                n2 = (edge[k, 3] - y - b * e2) / c
                de, dn = e2 - e1, n2 - n1
                length = math.hypot(de, dn)
                d = (e1 * n2 - n1 * e2) / length
                if abs(d) < FAR_SD:
                    s1 = (e1 * de + n1 * dn) / length
                    total += _edge_share(d, s1, s1 + length)
    return min(max(total, 0.0), 1.0)


@kernel
def chances(
    flat: F8, cov: F8, levels: F8, point: I4, part: I4, ref_var: F8,
    start: I8, edge: F8, leaf: F8, branch: F8, limits: F8,
    lateral: F8, vertical: F8, beside: F8, over: F8,
) -> None:  # fmt: skip
    """`Chances` of pairs point, part (k,), filled in place.

    flat (n, 2) m; cov (n, 6) upper triangle of the position's covariance, m²; levels (n, 3) heights
    in the three references, NaN unknown; ref_var (3,) m² of each reference.
    """
    for j in range(point.shape[0]):
        i, p = point[j], part[j]
        x, y = flat[i, 0], flat[i, 1]
        ee, en, nn = cov[i, 0], cov[i, 1], cov[i, 3]
        gap, _, _, where = clearance(x, y, p, -1, start, edge, leaf, branch)
        beside[j] = gap
        lateral[j] = within(x, y, ee, en, nn, p, gap, where, start, edge, leaf, branch)
        over[j] = -np.inf
        share, known = 1.0, True
        for side in range(2):
            if abs(limits[p, side, 0]) == np.inf:
                continue
            reference = int(limits[p, side, 1])
            z = levels[i, reference]
            metres, rx, ry = limit_at(limits, p, side, x, y)
            outside = metres - z if side == 0 else z - metres
            var = cov[i, 5] + ref_var[reference] - 2.0 * (rx * cov[i, 2] + ry * cov[i, 4])
            var += rx * rx * ee + 2.0 * rx * ry * en + ry * ry * nn
            sd = math.sqrt(max(var, 0.0))
            if outside != outside:
                known = False
                continue
            over[j] = max(over[j], outside)
            ground = side == 0 and reference == 2 and metres <= 0.0 and rx == 0.0 and ry == 0.0
            if ground and outside <= 2.0 * sd:
                continue  # nothing flies below the ground: what seems to is above it
            if sd < EXACT_SD_M:
                missing = 0.0 if outside <= 0.0 else 1.0
            else:
                missing = phi(outside / sd)
            share -= missing
        # What is over the ceiling is outside, whatever the floor.
        vertical[j] = max(share, 0.0) if known or share < SURELY_NOT else np.nan


def chances_of(
    walls: Walls, flat: F8, cov: F8, levels: F8, point: I4, part: I4, ground_sd_m: float
) -> Chances:
    """Chances of pairs of places and parts; see `chances`."""
    ref_var = np.array([0.0, GEOID_SD_M**2, GEOID_SD_M**2 + ground_sd_m**2])
    made = Chances(*np.empty((4, len(point))))
    chances(
        flat, cov, levels, point, part, ref_var,
        walls.start, walls.edge, walls.leaf, walls.branch, walls.limits, *made,
    )  # fmt: skip
    return made
