"""The lines of sight of one scan in canonical order, by sectors of the horizon."""

import math

from v2x.columns import I8
from v2x.fusion.gating import before, compare
from v2x.fusion.layout import (
    ANG_SD,
    BEARING,
    BEARINGS,
    DUPLICATES,
    MODEL,
    PLACES,
    REFUSED,
    SECTORS,
    WORST,
    Look,
    Sheet,
)
from v2x.fusion.sights import around, sightable
from v2x.jit import kernel


@kernel
def lay_sights(
    sheet: Sheet, first: int, end: int, n: int, cells: int, look: Look, counts: I8
) -> int:
    """Put the lines of sight behind the `n` places of a scan, and their sectors behind the grid.

    Sectors are equal parts of the way round the horizon, at least as many as lines. Order is
    (sector, direction, identity). Copies are dropped. `cells` is the number of buckets of the grid.
    Returns how many plots of all kinds there are; `look.size` says what they are.
    """
    z, ident, sight = sheet.z, sheet.ident, sheet.sight
    rows, order, start, bucket = look.row, look.order, look.start, look.bucket
    total = n
    for j in range(first, end):
        if sight[j, MODEL] == BEARING:
            if sightable(sight, j):
                rows[total] = j
                total += 1
            else:
                counts[REFUSED] += 1
    while True:
        sectors = 1
        while sectors < total - n:
            sectors *= 2
        for b in range(cells, cells + sectors + 1):
            start[b] = 0
        for p in range(n, total):
            j = rows[p]
            b = cells + min(sectors - 1, math.floor(around(z[j, 0], z[j, 1]) * 0.25 * sectors))
            bucket[p] = b
            start[b + 1] += 1
        start[cells] = n
        for b in range(cells, cells + sectors):
            start[b + 1] += start[b]
        for p in range(total - 1, n - 1, -1):
            b = bucket[p] + 1
            start[b] -= 1
            order[start[b]] = rows[p]
        # start[b + 1] now holds the first line of sector b; sort inside, drop copies, close gaps
        put = n
        for b in range(cells, cells + sectors):
            lo = start[b + 1]
            hi = start[b + 2] if b + 2 <= cells + sectors else total
            start[b] = put
            for p in range(lo + 1, hi):
                j, q = order[p], p
                while q > lo:
                    k = order[q - 1]
                    d = compare(z, ident, j, k)
                    if d > 0 or (d == 0 and not before(sheet, j, k)):
                        break
                    order[q] = k
                    q -= 1
                order[q] = j
            for p in range(lo, hi):
                if p > lo and compare(z, ident, order[p - 1], order[p]) == 0:
                    counts[DUPLICATES] += 1
                    continue
                rows[put] = order[p]
                put += 1
        start[cells + sectors] = put
        if put == total:
            break
        total = put
    look.size[PLACES], look.size[BEARINGS], look.size[SECTORS] = n, total - n, sectors
    return total


@kernel
def gather_sights(
    sheet: Sheet, n: int, total: int, inflate: float, c: float, unclaimed: float, look: Look
) -> None:
    """Copy the lines of sight in canonical order: `look.z` unit vectors, `look.R` variance."""
    z, sight, ident, rows = sheet.z, sheet.sight, sheet.ident, look.row
    worst = 0.0
    for p in range(n, total):
        j = rows[p]
        for k in range(3):
            look.z[p, k] = z[j, k]
        var = sight[j, ANG_SD] * sight[j, ANG_SD] * inflate
        worst = max(worst, var)
        look.R[p, 0] = var
        look.c[p] = c * unclaimed if ident[j] >= 0 else c
    look.pose[WORST] = worst
