"""Points and moves against volumes: footprint, both limits and hours in one call.

One row per part of a zone, in the order of `v2x.polygons.PolygonIndex`. ``mode`` tells in one byte
what to do with it: 0 nothing, it is not in force; else `ACTIVE`, the height reference of its floor
and of its ceiling, and whether one of them slopes. A limit is ``m + gx e + gy n + g |place -
origin|``; none is infinite. An unknown height is NaN and passes: that is what the two "outside"
tests are for.
"""

import math

import numpy as np

from v2x.columns import F8, I4, U1
from v2x.jit import kernel
from v2x.polygons import FAR_M, cell_number, grown_by, holds, look_up, stretch, touch

ACTIVE, FLOOR_REF, CEILING_REF, SLOPES = 1, 1, 3, 32
"""Bits of a mode: in force; shifts of the two references (2 bits each); a limit slopes."""


@kernel
def _limits(mode: int, part: int, levels: F8, rise: F8, x: float, y: float) -> tuple[float, float]:
    """Floor and ceiling of a part over a place, m; -inf and inf where there is none."""
    floor, ceiling = levels[part, 0], levels[part, 1]
    if mode & SLOPES:
        floor += rise[part, 0] * x + rise[part, 1] * y
        if rise[part, 2] != 0.0:
            dx, dy = x - rise[part, 3], y - rise[part, 4]
            floor += rise[part, 2] * math.sqrt(dx * dx + dy * dy)
        ceiling += rise[part, 5] * x + rise[part, 6] * y
        if rise[part, 7] != 0.0:
            dx, dy = x - rise[part, 8], y - rise[part, 9]
            ceiling += rise[part, 7] * math.sqrt(dx * dx + dy * dy)
    return floor, ceiling


@kernel
def _room(
    mode: int, part: int, levels: F8, rise: F8, height: F8, row: int, x: float, y: float
) -> tuple[float, float]:
    """Metres above the floor and below the ceiling of a part; NaN unknown, inf without a limit."""
    floor, ceiling = _limits(mode, part, levels, rise, x, y)
    over, under = np.inf, np.inf
    if floor > -np.inf:
        over = height[row, (mode >> FLOOR_REF) & 3] - floor
    if ceiling < np.inf:
        under = ceiling - height[row, (mode >> CEILING_REF) & 3]
    return over, under


@kernel
def parts_holding(
    flat: F8,
    order: I4,
    height: F8,
    mode: U1,
    levels: F8,
    rise: F8,
    grid: F8,
    nx: int,
    ny: int,
    cell_start: I4,
    entries: I4,
    edges: F8,
    ahead: I4,
    warm: F8,
    maybe: I4,
    stop: I4,
    span: I4,
    held: I4,
) -> int:
    """Parts that hold points, looked up in `order` -> held (size,), span (n, 2); number found.

    flat (n, 2) m and height (n, 3) m of the points; mode (p,), levels (p, 2), rise (p, 10) of the
    parts. held[span[i, 0] : span[i, 1]] are those of point i. Where as many or more are found than
    there is room for, all of the output is to be thrown away.

    ahead (4, b), warm (b,), stop (b,) and maybe, which has room for all entries of any cell, are
    scratch. Blocks of points go through every look-up together, as in
    `v2x.polygons.points_inside`; so do the limits of all their entries, without a branch, which
    would be a coin toss to the processor, before the geometry of those that are left.
    """
    x0, side, tol = grid[0], grid[2], grid[3]
    size = held.shape[0] - 1
    found = 0
    for base in range(0, order.shape[0], warm.shape[0]):
        n = min(warm.shape[0], order.shape[0] - base)
        look_up(flat, order, base, n, grid, nx, ny, cell_start, ahead)
        for i in range(n):
            warm[i] = entries[ahead[2, i], 1]
        for i in range(n):
            warm[i] = edges[int(warm[i]), 0]
        i = 0
        while i < n:
            begin, many = i, 0
            while i < n and many + ahead[3, i] - ahead[2, i] <= maybe.shape[0]:
                row = ahead[0, i]
                x, y = flat[row, 0], flat[row, 1]
                for j in range(ahead[2, i], ahead[3, i]):
                    p = entries[j, 0] >> 1
                    m = mode[p]
                    floor, ceiling = levels[p, 0], levels[p, 1]
                    if m & SLOPES:
                        floor, ceiling = _limits(m, p, levels, rise, x, y)
                    outside = height[row, (m >> FLOOR_REF) & 3] < floor
                    outside |= height[row, (m >> CEILING_REF) & 3] > ceiling
                    maybe[many] = j
                    many += 0 if outside | (m == 0) else 1
                stop[i] = many
                i += 1
            k = 0
            for q in range(begin, i):
                row = ahead[0, q]
                x, y, left = flat[row, 0], flat[row, 1], x0 + ahead[1, q] * side
                span[row, 0] = found
                while k < stop[q]:
                    j = maybe[k]
                    k += 1
                    first, last = entries[j, 1], entries[j, 2]
                    held[min(found, size)] = entries[j, 0] >> 1
                    if first == last or holds(
                        x, y, left, entries[j, 0] & 1, edges, first, last, tol
                    ):
                        found += 1
                span[row, 1] = found
    return found


@kernel
def pairs_by_point(
    span: I4, held: I4, flat: F8, height: F8, mode: U1, levels: F8, rise: F8,
    point: I4, part: I4, unknown: U1,
) -> None:  # fmt: skip
    """What `parts_holding` found, point by point -> point, part (k,); is a limit not compared."""
    at = 0
    for i in range(span.shape[0]):
        for k in range(span[i, 0], span[i, 1]):
            p = held[k]
            m = mode[p]
            dark = math.isnan(height[i, (m >> FLOOR_REF) & 3]) & (levels[p, 0] > -np.inf)
            dark |= math.isnan(height[i, (m >> CEILING_REF) & 3]) & (levels[p, 1] < np.inf)
            point[at] = i
            part[at] = p
            unknown[at] = 1 if dark else 0
            at += 1


@kernel
def deepest_parts(
    n: int,
    flat: F8,
    height: F8,
    mode: U1,
    levels: F8,
    rise: F8,
    owner: I4,
    lateral: F8,
    point: I4,
    part: I4,
    unknown: U1,
    depth: F8,
) -> int:
    """Turn `n` pairs of points and parts into pairs of points and zones, in place; their number.

    lateral (n,) m is how deep each point is in the part's footprint. Depth is the least distance
    to a side, over, below or beside; of a zone of several parts the deepest stays (the first of
    equals), with its `unknown`. ``part`` becomes the zone's row.
    """
    made = 0
    for k in range(n):
        i, p = point[k], part[k]
        over, under = _room(mode[p], p, levels, rise, height, i, flat[i, 0], flat[i, 1])
        d = lateral[k]
        d = over if over < d else d
        d = under if under < d else d
        zone = owner[p]
        same = made > 0 and point[made - 1] == i and part[made - 1] == zone
        if same and not d > depth[made - 1]:
            continue
        at = made - 1 if same else made
        point[at], part[at], depth[at], unknown[at] = i, zone, d, unknown[k]
        made = at + 1
    return made


@kernel
def _stretch_of(
    mode: int, part: int, levels: F8, rise: F8, before: F8, now: F8, i: int,
    ax: float, ay: float, bx: float, by: float,
) -> tuple[float, float, bool]:  # fmt: skip
    """Begin and end, 0..1, of the stretch of a move within a part's limits; is one not known.

    Begin > end where there is none. Unknown heights pass. Along a move a plane is straight; a cone
    is taken as straight too, which is off by length² / 8 radius times its gradient.
    """
    over_a, under_a = _room(mode, part, levels, rise, before, i, ax, ay)
    over_b, under_b = _room(mode, part, levels, rise, now, i, bx, by)
    begin, end, unknown = 0.0, 1.0, False
    for first, last in ((over_a, over_b), (under_a, under_b)):
        if first == np.inf:
            continue
        unknown |= math.isnan(first) or math.isnan(last)
        if first < 0.0 and last < 0.0:
            begin = 2.0
        elif first < 0.0 and last >= 0.0:
            begin = max(begin, first / (first - last))
        elif first >= 0.0 and last < 0.0:
            end = min(end, first / (first - last))
    return begin, end, unknown


@kernel
def _touches(
    p: int, ax: float, ay: float, bx: float, by: float, grid: F8, nx: int, ny: int,
    cell_start: I4, entries: I4, edges: F8,
) -> bool:  # fmt: skip
    """Whether a move a -> b touches the footprint of part `p`, its boundary included."""
    x0, y0, side, tol = grid[0], grid[1], grid[2], grid[3]
    # As in `v2x.polygons.moves_crossing`: half of what edges were filed with.
    grow = 0.5 * grown_by(side, tol)
    x1, y1, x2, y2 = (ax, ay, bx, by) if ay <= by else (bx, by, ax, ay)
    lowest, highest = (y1 - grow - y0) / side, (y2 + grow - y0) / side
    if highest < 0.0 or lowest >= ny:
        return False
    start_c, start_r = math.floor((ax - x0) / side), math.floor((ay - y0) / side)
    for r in range(cell_number(lowest, ny), cell_number(highest, ny) + 1):
        y = y0 + r * side
        xa, xb = stretch(x1, y1, x2, y2, y - grow, y + side + grow)
        west, east = (xa - grow - x0) / side, (xb + grow - x0) / side
        if east < 0.0 or west >= nx:
            continue
        for c in range(cell_number(west, nx), cell_number(east, nx) + 1):
            cell = r * nx + c
            for j in range(cell_start[cell], cell_start[cell + 1]):
                if entries[j, 0] >> 1 != p:
                    continue
                first, last = entries[j, 1], entries[j, 2]
                if first == last:
                    return True
                for k in range(first, last):
                    if touch(
                        ax, ay, bx, by, edges[k, 0], edges[k, 1], edges[k, 2], edges[k, 3], tol
                    ):
                        return True
                if r == start_r and c == start_c:
                    left = x0 + c * side
                    if holds(ax, ay, left, entries[j, 0] & 1, edges, first, last, tol):
                        return True
    return False


@kernel
def _zone_holds(
    zone: int, x: float, y: float, height: F8, row: int, mode: U1, levels: F8, rise: F8, owner: I4,
    grid: F8, nx: int, ny: int, cell_start: I4, entries: I4, edges: F8,
) -> bool:  # fmt: skip
    """Whether any part of a zone that is in force holds a point."""
    x0, y0, side, tol = grid[0], grid[1], grid[2], grid[3]
    fx, fy = (x - x0) / side, (y - y0) / side
    if not ((fx >= 0.0) & (fx < nx) & (fy >= 0.0) & (fy < ny)):
        return False
    c = int(fx)
    cell = int(fy) * nx + c
    for j in range(cell_start[cell], cell_start[cell + 1]):
        p = entries[j, 0] >> 1
        if owner[p] != zone or mode[p] == 0:
            continue
        over, under = _room(mode[p], p, levels, rise, height, row, x, y)
        if over < 0.0 or under < 0.0:
            continue
        left = x0 + c * side
        if holds(x, y, left, entries[j, 0] & 1, edges, entries[j, 1], entries[j, 2], tol):
            return True
    return False


@kernel
def zones_crossed(
    before: F8,
    before_height: F8,
    now: F8,
    now_height: F8,
    held_point: I4,
    held_zone: I4,
    mode: U1,
    levels: F8,
    rise: F8,
    owner: I4,
    grid: F8,
    nx: int,
    ny: int,
    cell_start: I4,
    entries: I4,
    edges: F8,
    seen: I4,
    move: I4,
    zone: I4,
    unknown: U1,
) -> int:
    """Pairs of moves and zones that they went through and that hold neither end; number found.

    before, now (n, 2) m and their heights (n, 3) m; held_point, held_zone (h,) the sorted pairs of
    points `now` and the zones that hold them. seen (p,) holds -1. -> move, zone, unknown (size,),
    sorted; of several parts of a zone the first that was touched says what was unknown. Where more
    are found than there is room for, all of the output is to be thrown away.
    """
    x0, y0, side, tol = grid[0], grid[1], grid[2], grid[3]
    grow = 0.5 * grown_by(side, tol)
    found, held = 0, 0
    for i in range(before.shape[0]):
        while held < held_point.shape[0] and held_point[held] < i:
            held += 1
        ax, ay, bx, by = before[i, 0], before[i, 1], now[i, 0], now[i, 1]
        if not (abs(ax) <= FAR_M and abs(ay) <= FAR_M and abs(bx) <= FAR_M and abs(by) <= FAR_M):
            continue
        begin_of_move = found
        x1, y1, x2, y2 = (ax, ay, bx, by) if ay <= by else (bx, by, ax, ay)
        lowest, highest = (y1 - grow - y0) / side, (y2 + grow - y0) / side
        if highest < 0.0 or lowest >= ny:
            continue
        for r in range(cell_number(lowest, ny), cell_number(highest, ny) + 1):
            y = y0 + r * side
            xa, xb = stretch(x1, y1, x2, y2, y - grow, y + side + grow)
            west, east = (xa - grow - x0) / side, (xb + grow - x0) / side
            if east < 0.0 or west >= nx:
                continue
            for c in range(cell_number(west, nx), cell_number(east, nx) + 1):
                cell = r * nx + c
                for j in range(cell_start[cell], cell_start[cell + 1]):
                    p = entries[j, 0] >> 1
                    if mode[p] == 0 or seen[p] == i:
                        continue
                    seen[p] = i
                    k, there = held, False
                    while k < held_point.shape[0] and held_point[k] == i:
                        there |= held_zone[k] == owner[p]
                        k += 1
                    if there:
                        continue
                    begin, end, dark = _stretch_of(
                        mode[p], p, levels, rise, before_height, now_height, i, ax, ay, bx, by
                    )  # fmt: skip
                    if begin > end:
                        continue
                    # As they are where the move is whole: b need not be a + (b - a).
                    cx, cy = ax + begin * (bx - ax), ay + begin * (by - ay)
                    dx, dy = bx, by
                    if end < 1.0:
                        dx, dy = ax + end * (bx - ax), ay + end * (by - ay)
                    if not _touches(p, cx, cy, dx, dy, grid, nx, ny, cell_start, entries, edges):
                        continue
                    if _zone_holds(
                        owner[p], ax, ay, before_height, i, mode, levels, rise, owner,
                        grid, nx, ny, cell_start, entries, edges,
                    ):  # fmt: skip
                        continue
                    if found < move.shape[0]:
                        k = found  # a move meets few parts: insertion keeps them sorted
                        while k > begin_of_move and zone[k - 1] > p:
                            zone[k], unknown[k] = zone[k - 1], unknown[k - 1]
                            k -= 1
                        zone[k], unknown[k], move[found] = p, dark, i
                    found += 1
        if found <= move.shape[0]:
            last = begin_of_move
            for k in range(begin_of_move, found):
                of = owner[zone[k]]
                if k > begin_of_move and last > begin_of_move and zone[last - 1] == of:
                    continue
                zone[last], unknown[last] = of, unknown[k]
                last += 1
            found = last
    return found
