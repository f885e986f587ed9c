"""Walls of zones: how far a place is from the side of a volume, and which way that side faces.

`v2x.polygons` says which polygons hold a point. What becomes of a track needs more: the distance of
a place that is *near*, along a path, many times over. So the edges of each part are kept in the
order of their ring, the inside to their left, under two levels of boxes: `FAN` edges to a leaf,
`FAN` leaves to a branch. A circle of 5 km has 2,200 edges; its distance costs some 80 comparisons.

Limits are rows of seven numbers: height, column of `v2x.lowalt.files.REFERENCES`, rise per metre
east and north, rise per metre away from a point, and that point.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from v2x.columns import B1, F8, I4, I8
from v2x.jit import inlined, kernel

FAN = 8
ON_M = 1e-9
"""A place this near to an edge is on it, and so inside: rounding of float64 at 100 km, and more."""


class Walls(NamedTuple):
    """Edges, boxes and limits of all parts of all zones.

    Attributes
    ----------
    owner
        (p,) zone row of each part.
    apart
        (m,) of each zone: no two of its parts share any volume.
    bounds
        (p, 4) west, south, east, north of each part.
    start
        (p + 1, 3) first edge, leaf and branch of each part.
    edge
        (e, 4) from and to, east and north in metres, the inside to the left.
    leaf, branch
        (l, 4), (b, 4) boxes of `FAN` edges, and of `FAN` leaves.
    limits
        (p, 2, 7) floor and ceiling; a height of -inf or inf is none.
    """

    owner: I4
    apart: B1
    bounds: F8
    start: I8
    edge: F8
    leaf: F8
    branch: F8
    limits: F8


def build(shapes: Sequence[Sequence[F8]], owner: I4, zones: int, floor: F8, ceiling: F8) -> Walls:
    """Walls of parts.

    Parameters
    ----------
    shapes
        Rings of each part, metres: the outline, then its holes; closed or not, either way round.
    owner, zones
        Zone row of each part, and how many zones there are.
    floor, ceiling
        (p, 7) limits.
    """
    edges, leaves, branches = [np.empty((0, 4))], [np.empty((0, 4))], [np.empty((0, 4))]
    count = np.zeros((len(shapes) + 1, 3), np.int64)
    for p, rings in enumerate(shapes):
        mine = np.concatenate([_sides(ring, hole=k > 0) for k, ring in enumerate(rings)])
        boxes = np.hstack(
            (np.minimum(mine[:, :2], mine[:, 2:]), np.maximum(mine[:, :2], mine[:, 2:]))
        )
        leaf = _boxed(boxes)
        branch = _boxed(leaf)
        edges.append(mine)
        leaves.append(leaf)
        branches.append(branch)
        count[p + 1] = len(mine), len(leaf), len(branch)
    limits = np.stack((floor, ceiling), axis=1).reshape(len(shapes), 2, 7)
    bounds = np.array([_boxed(b, len(b))[0] for b in branches[1:]]).reshape(-1, 4)
    return Walls(
        owner, _apart(shapes, owner, zones, limits), bounds, np.cumsum(count, axis=0),
        np.concatenate(edges), np.concatenate(leaves), np.concatenate(branches), limits,
    )  # fmt: skip


def _sides(ring: F8, *, hole: bool) -> F8:
    """(k, 4) edges of a ring with the inside of the part to their left; none of length 0."""
    corner = np.asarray(ring, np.float64)
    following = np.roll(corner, -1, axis=0)
    about = corner - corner[0]  # far from the origin the products would lose their last digits
    ahead = np.roll(about, -1, axis=0)
    area = float((about[:, 0] * ahead[:, 1] - ahead[:, 0] * about[:, 1]).sum())
    edge = np.hstack((corner, following))
    edge = edge[(corner != following).any(axis=1)]
    if (area < 0.0) != hole:
        edge = edge[::-1][:, [2, 3, 0, 1]]
    sides: F8 = edge
    return sides


def _boxed(boxes: F8, fan: int = FAN) -> F8:
    """(k, 4) boxes around `fan` boxes each."""
    first = np.arange(0, len(boxes), fan)
    low = np.minimum.reduceat(boxes[:, :2], first, axis=0)
    high = np.maximum.reduceat(boxes[:, 2:], first, axis=0)
    return np.hstack((low, high))


def _apart(shapes: Sequence[Sequence[F8]], owner: I4, zones: int, limits: F8) -> B1:
    """(m,) zones whose parts share no volume: what they hold may be summed.

    Parts one over the other in the same reference are apart too, also where they touch.
    """
    import shapely

    apart = np.ones(zones, np.bool_)
    for zone in np.flatnonzero(np.bincount(owner, minlength=zones) > 1).tolist():
        rows = np.flatnonzero(owner == zone).tolist()
        made = [shapely.Polygon(shapes[r][0], shapes[r][1:]).buffer(0) for r in rows]
        for k, (one, row) in enumerate(zip(made, rows, strict=True)):
            for other, second in zip(made[:k], rows[:k], strict=True):
                if _stacked(limits[row], limits[second]):
                    continue
                # A square metre: neighbours drawn in degrees overlap by rounding.
                if one.intersection(other).area > 1.0:
                    apart[zone] = False
    return apart


def _stacked(one: F8, other: F8) -> bool:
    """Tell whether one part ends where the other begins, or below, both level."""
    level = not one[:, 2:5].any() and not other[:, 2:5].any()
    same = one[0, 1] == one[1, 1] == other[0, 1] == other[1, 1]
    return bool(level and same and (one[1, 0] <= other[0, 0] or other[1, 0] <= one[0, 0]))


@inlined
def _off(x: float, y: float, box: F8, k: int) -> float:
    """Squared distance of a place from a box, 0 within."""
    dx = max(box[k, 0] - x, x - box[k, 2], 0.0)
    dy = max(box[k, 1] - y, y - box[k, 3], 0.0)
    squared: float = dx * dx + dy * dy
    return squared


@inlined
def _foot(x: float, y: float, edge: F8, k: int) -> tuple[float, float]:
    """Nearest place of an edge, less the place asked for."""
    ax, ay = edge[k, 0] - x, edge[k, 1] - y
    dx, dy = edge[k, 2] - edge[k, 0], edge[k, 3] - edge[k, 1]
    t = min(max(-(ax * dx + ay * dy) / (dx * dx + dy * dy), 0.0), 1.0)
    return ax + t * dx, ay + t * dy


@inlined
def holds(x: float, y: float, p: int, start: I8, edge: F8, leaf: F8, branch: F8) -> bool:
    """Tell whether a part's footprint holds a place, by parity; on an edge either."""
    odd = False
    first, last = start[p, 0], start[p + 1, 0]
    for b in range(start[p, 2], start[p + 1, 2]):
        if not (branch[b, 1] <= y < branch[b, 3] and x <= branch[b, 2]):
            continue
        low = start[p, 1] + FAN * (b - start[p, 2])
        for c in range(low, min(low + FAN, start[p + 1, 1])):
            if not (leaf[c, 1] <= y < leaf[c, 3] and x <= leaf[c, 2]):
                continue
            begin = first + FAN * (c - start[p, 1])
            for k in range(begin, min(begin + FAN, last)):
                y1, y2 = edge[k, 1], edge[k, 3]
                if (y1 <= y) == (y2 <= y):
                    continue
                turn = (edge[k, 2] - edge[k, 0]) * (y - y1) - (x - edge[k, 0]) * (y2 - y1)
                odd ^= (turn > 0.0) == (y2 > y1)
    return odd


@kernel
def clearance(
    x: float, y: float, p: int, hint: int, start: I8, edge: F8, leaf: F8, branch: F8
) -> tuple[float, float, float, int]:
    """Signed distance to a part's outline, its gradient, and the nearest edge.

    Metres, negative inside, 0 on the outline; (east, north) of the unit vector that leads out of
    the part. `hint` is an edge that may be near, else -1: it spares the look at others.
    """
    first, last = start[p, 0], start[p + 1, 0]
    best, where, fx, fy = np.inf, -1, 0.0, 0.0
    if first <= hint < last:
        fx, fy = _foot(x, y, edge, hint)
        best, where = fx * fx + fy * fy, hint
    for b in range(start[p, 2], start[p + 1, 2]):
        if _off(x, y, branch, b) >= best:
            continue
        low = start[p, 1] + FAN * (b - start[p, 2])
        for c in range(low, min(low + FAN, start[p + 1, 1])):
            if _off(x, y, leaf, c) >= best:
                continue
            begin = first + FAN * (c - start[p, 1])
            for k in range(begin, min(begin + FAN, last)):
                gx, gy = _foot(x, y, edge, k)
                d = gx * gx + gy * gy
                if d < best:
                    best, where, fx, fy = d, k, gx, gy
    distance = math.sqrt(best)
    if distance <= ON_M:
        dx, dy = edge[where, 2] - edge[where, 0], edge[where, 3] - edge[where, 1]
        length = math.hypot(dx, dy)
        return 0.0, dy / length, -dx / length, where
    if holds(x, y, p, start, edge, leaf, branch):
        return -distance, fx / distance, fy / distance, where
    return distance, -fx / distance, -fy / distance, where


@inlined
def limit_at(limits: F8, p: int, side: int, x: float, y: float) -> tuple[float, float, float]:
    """Height of a limit over a place, and how it rises there per metre east and north."""
    height = limits[p, side, 0]
    gx, gy, cone = limits[p, side, 2], limits[p, side, 3], limits[p, side, 4]
    height += gx * x + gy * y
    if cone != 0.0:
        dx, dy = x - limits[p, side, 5], y - limits[p, side, 6]
        away = math.hypot(dx, dy)
        height += cone * away
        if away > 0.0:
            gx += cone * dx / away
            gy += cone * dy / away
    return height, gx, gy


@kernel
def near(flat: F8, reach: F8, active: NDArray[np.uint8], bounds: F8, point: I4, part: I4) -> int:
    """Pairs of places (n, 2) and parts whose boxes lie within reach (n,) m of them; their number.

    active (p,) u1. Pairs go to point, part (size,), sorted; beyond their size they are counted.
    """
    found = 0
    for i in range(flat.shape[0]):
        if not (abs(flat[i, 0]) < np.inf and abs(flat[i, 1]) < np.inf):
            continue
        r2 = reach[i] * reach[i]
        for p in range(bounds.shape[0]):
            if active[p] and _off(flat[i, 0], flat[i, 1], bounds, p) <= r2:
                if found < point.shape[0]:
                    point[found], part[found] = i, p
                found += 1
    return found


def pairs_near(walls: Walls, flat: F8, reach: F8, active: B1) -> tuple[I4, I4]:
    """Pairs (k,) of places and parts within reach of each other's box; active (m,) by zone."""
    parts = np.ascontiguousarray(active[walls.owner], np.uint8)
    size = 64 + 8 * len(flat)
    while True:
        point, part = np.empty((2, size), np.int32)
        found = near(flat, reach, parts, walls.bounds, point, part)
        if found <= size:
            return point[:found], part[:found]
        size = found
