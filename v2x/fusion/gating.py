"""The plots of one scan on a grid, and which of them may belong to which track.

The grid has a fixed origin and wraps round like a torus; the order it brings the plots into
depends on what they are and not on how they came.
"""

import math

from v2x.columns import F8, I8
from v2x.fusion.lanes import likelihood_flat, likelihood_tall, raise_up
from v2x.fusion.layout import (
    BEARING,
    BEARINGS,
    DUPLICATES,
    HAS_UP,
    KINDS,
    MODEL,
    POINT,
    RADIAL,
    RADIAL_SD,
    REFUSED,
    SECOND,
    SECTORS,
    SIGHTED,
    WORST,
    YOUNG,
    Edges,
    Live,
    Look,
    Motion,
    Settings,
    Sheet,
)
from v2x.fusion.lives import CLAIM_FLAG, RELAYED_FLAG, certain, ref_factor
from v2x.fusion.motion import MAX_VAR, MIN_VAR, TWO_PI, exp_neg, full_innovation
from v2x.fusion.sights import passes, radial_factor, sectors_near, view
from v2x.jit import inlined, kernel

HEAVIEST = 1e200
"""Largest weight of an edge; more, or no number at all, is none, and must not reach the others."""

ROUNDEST = 1e-7
"""Part of its whole variance that a plot has in every direction: a needle has no inverse."""
REACH = 1e7
"""m: nothing farther from the tile's origin is a position; also keeps cell numbers in range."""


@kernel
def has_height(z: F8, cov: F8, j: int) -> bool:
    """Up and its variance were measured."""
    return not (math.isnan(z[j, 2]) or math.isnan(cov[j, 5]))


@kernel
def usable(z: F8, cov: F8, j: int) -> bool:
    """Finite, near enough, and with a covariance that has an inverse."""
    if not (abs(z[j, 0]) <= REACH and abs(z[j, 1]) <= REACH):
        return False
    a, b, c = cov[j, 0], cov[j, 1], cov[j, 3]
    if not (0.0 < a <= MAX_VAR and 0.0 < c <= MAX_VAR and a * c - b * b > 0.0):
        return False
    if has_height(z, cov, j):
        e, f, g = cov[j, 2], cov[j, 4], cov[j, 5]
        det = a * (c * g - f * f) - b * (b * g - f * e) + e * (b * f - c * e)
        return bool(abs(z[j, 2]) <= REACH and 0.0 < g <= MAX_VAR and det > 0.0)
    return True


@kernel
def compare(z: F8, ident: I8, a: int, b: int) -> int:
    """Canonical order of two rows of one scan: -1, 0 or 1; NaN stands last."""
    for k in range(3):
        x, y = z[a, k], z[b, k]
        if x < y or (math.isnan(y) and not math.isnan(x)):
            return -1
        if x > y or (math.isnan(x) and not math.isnan(y)):
            return 1
    if ident[a] != ident[b]:
        return -1 if ident[a] < ident[b] else 1
    return 0


@kernel
def differs(x: float, y: float) -> bool:
    """Not equal, nor both NaN."""
    return bool(x != y and not (math.isnan(x) and math.isnan(y)))


@kernel
def less(x: float, y: float) -> bool:
    """Of two that differ: `x` stands first."""
    return bool(x < y or math.isnan(y))


@kernel
def before(sheet: Sheet, a: int, b: int) -> bool:
    """Order of two copies (equal place and identity): which of them is kept; NaN stands last."""
    for k in range(6):
        if differs(sheet.cov[a, k], sheet.cov[b, k]):
            return less(sheet.cov[a, k], sheet.cov[b, k])
    for k in range(3):
        if differs(sheet.vel[a, k], sheet.vel[b, k]):
            return less(sheet.vel[a, k], sheet.vel[b, k])
    if sheet.sight.shape[0]:
        for k in range(sheet.sight.shape[1]):
            if differs(sheet.sight[a, k], sheet.sight[b, k]):
                return less(sheet.sight[a, k], sheet.sight[b, k])
    if sheet.kind[a] != sheet.kind[b]:
        return bool(sheet.kind[a] < sheet.kind[b])
    if sheet.kind_conf[a] != sheet.kind_conf[b]:
        return bool(sheet.kind_conf[a] < sheet.kind_conf[b])
    return bool(sheet.flags[a] < sheet.flags[b])


@kernel
def lay_out(
    sheet: Sheet, first: int, end: int, inflate: float, look: Look, counts: I8
) -> tuple[int, int, float]:
    """Sort one scan onto a grid that wraps round like a torus, and into canonical order.

    Cells are squares from the tile's origin, their side a power of two of at least ten deviations
    of the least accurate plot, and up to 64 m where plots are so few that a cell would not hold
    one; cell (x, y) falls into bucket (x mod m, y mod m), so one to four buckets a plot will do
    whatever the extent, and strangers in a bucket fail the gate. Order is (bucket, position,
    identity). Copies are dropped. Returns plots, m and the side. Lines of sight have no place on
    it and are left to `v2x.fusion.sectors`.
    """
    z, cov, ident = sheet.z, sheet.cov, sheet.ident
    rows, order, start, bucket = look.row, look.order, look.start, look.bucket
    sight, sighted = sheet.sight, sheet.sight.shape[0] > 0
    n = 0
    for j in range(first, end):
        if sighted and sight[j, MODEL] == BEARING:
            continue
        if usable(z, cov, j):
            rows[n] = j
            n += 1
        else:
            counts[REFUSED] += 1
    while True:
        worst = 0.0
        west = south = 1e300
        east = north = -1e300
        for p in range(n):
            j = rows[p]
            worst = max(worst, max(cov[j, 0], cov[j, 3]))
            west, east = min(west, z[j, 0]), max(east, z[j, 0])
            south, north = min(south, z[j, 1]), max(north, z[j, 1])
        side = 8.0
        while side < 4096.0 and side * side < 100.0 * worst * inflate:
            side *= 2.0
        while n and side < 64.0 and 4.0 * n * side * side < (east - west) * (north - south):
            side *= 2.0
        scale = 1.0 / side
        m = 1
        while m * m < n:
            m *= 2
        mask = m - 1
        for b in range(m * m + 1):
            start[b] = 0
        for p in range(n):
            j = rows[p]
            x = math.floor(z[j, 0] * scale) & mask
            y = math.floor(z[j, 1] * scale) & mask
            bucket[p] = y * m + x
            start[y * m + x + 1] += 1
        for b in range(m * m):
            start[b + 1] += start[b]
        for p in range(n - 1, -1, -1):
            b = bucket[p] + 1
            start[b] -= 1
            order[start[b]] = rows[p]
        # start[b + 1] now holds the first plot of bucket b; sort inside, drop copies, close gaps
        put = 0
        for b in range(m * m):
            lo = start[b + 1]
            hi = start[b + 2] if b + 2 <= m * m else n
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
        start[m * m] = put
        # The grid decides the order of the plots: once more without the copies, if there were any.
        if put == n:
            return put, m, side
        n = put


@kernel
def gather(
    sheet: Sheet, n: int, inflate: float, more: float, c: float, unclaimed: float, look: Look
) -> None:
    """Copy the plots of one scan in canonical order: `look.z`, `look.R`, `look.c`.

    Covariances are inflated, and `more` m² is added on every axis.
    """
    z, cov, ident = sheet.z, sheet.cov, sheet.ident
    label, vel, flags, plain = sheet.kind, sheet.vel, sheet.flags, look.plain
    ref = sheet.track_ref
    rows, out, R, density = look.row, look.z, look.R, look.c
    for p in range(n):
        j = rows[p]
        out[p, 0], out[p, 1] = z[j, 0], z[j, 1]
        tall = has_height(z, cov, j)
        least = cov[j, 0] + cov[j, 3] + (cov[j, 5] if tall else 0.0)
        least = MIN_VAR + more + ROUNDEST * least * inflate
        R[p, 0] = cov[j, 0] * inflate + least
        R[p, 1] = cov[j, 1] * inflate
        R[p, 3] = cov[j, 3] * inflate + least
        if tall:
            out[p, 2] = z[j, 2]
            R[p, 2] = cov[j, 2] * inflate
            R[p, 4] = cov[j, 4] * inflate
            R[p, 5] = cov[j, 5] * inflate + least
        else:
            out[p, 2] = math.nan
            R[p, 2] = R[p, 4] = R[p, 5] = 0.0
        density[p] = c * unclaimed if ident[j] >= 0 else c
        plain[p] = (
            ident[j] < 0
            and label[j] == 0
            and vel[j, 0] != vel[j, 0]
            and ref[j] < 0
            and not flags[j] & (CLAIM_FLAG | RELAYED_FLAG)
        )


@inlined
def claim_factor(
    claims: I8,
    heard_ns: I8,
    i: int,
    ident: int,
    t: int,
    same: float,
    unclaimed: float,
    other: float,
) -> float:
    """Likelihood of identity `ident` (>= 0) on track `i`, relative: same, none, another."""
    if claims[i, 0] < 0:
        return unclaimed
    if claims[i, 0] == ident:
        return same
    if claims[i, 1] == ident and t - heard_ns[i, 1] <= 10 * SECOND:
        return same
    return other


@inlined
def kind_factor(kinds: F8, i: int, kind: int, conf: float, floor: float) -> float:
    """Likelihood of the label `kind` with confidence `conf` on track `i`; 1 for no evidence.

    A wrong label costs at most ``floor`` times the number of kinds.
    """
    total = 0.0
    for k in range(KINDS):
        total += kinds[i, k]
    p = (kinds[i, kind] + 1.0 / KINDS) / (total + 1.0)
    match = p * conf + (1.0 - p) * (1.0 - conf) / (KINDS - 1)
    return float(KINDS * max(floor, match))


@inlined
def flat_likelihood(s: F8, i: int, z: F8, R: F8, j: int, gate: float, whole: int) -> float:
    """Density of plot `j` (no height) under row `i`, m⁻²; 0 outside the gate.

    Inside it merely 1 unless the `whole` answer is asked for.
    """
    y0, y1 = z[j, 0] - s[i, 0], z[j, 1] - s[i, 1]
    a, b, c = s[i, 4] + R[j, 0], s[i, 5] + R[j, 1], s[i, 6] + R[j, 3]
    det = a * c - b * b
    d2 = c * y0 * y0 - 2.0 * b * y0 * y1 + a * y1 * y1
    if not (d2 < gate * det and det > 0.0):
        return 0.0
    return exp_neg(-0.5 * d2 / det) / (TWO_PI * math.sqrt(det)) if whole else 1.0


@inlined
def full_likelihood(s: F8, i: int, z: F8, R: F8, j: int, gate: float, whole: int) -> float:
    """The same with height, m⁻³."""
    y0, y1, y2, a, b, c, d, e, f, det = full_innovation(s, i, z, R, j)
    d2 = a * y0 * y0 + d * y1 * y1 + f * y2 * y2
    d2 += 2.0 * (b * y0 * y1 + c * y0 * y2 + e * y1 * y2)
    if not (d2 < gate and det > 0.0):
        return 0.0
    return exp_neg(-0.5 * d2) / (TWO_PI * math.sqrt(TWO_PI * det)) if whole else 1.0


@kernel
def widest(look: Look, n: int) -> tuple[float, float]:
    """Largest variance of the plots to the east and to the north."""
    e = north = 0.0
    for j in range(n):
        e, north = max(e, look.R[j, 0]), max(north, look.R[j, 3])
    return e, north


@kernel
def gate(
    live: Live,
    sheet: Sheet,
    look: Look,
    k: int,
    n: int,
    m: int,
    side: float,
    least: float,
    g: Edges,
    cfg: Settings,
    motion: Motion,
    lo: int,
    hi: int,
    wide: tuple[float, float],
    ne: int,
) -> int:
    """List which plots of sensor `k` may belong to which track in ``lo:hi``; weighs them.

    A plot near a track that the sensor cannot see, as its coverage says, is evidence against that
    coverage: such a track is taken as seen with probability `least`, if it has an edge at all.
    Without one it keeps its own, and a miss means nothing.

    A track visits the cells under its innovation ellipse: by bounding box, and row by row along
    the ellipse where that is large (a radar at 5 km is 5 m by 44 m); then the sectors of the lines
    of sight that may meet it. `wide` as `widest` says. Goes on after `ne` edges; fills ``g.first``,
    ``g.plot``, ``g.spot``, ``g.w``; returns the number of edges, -1 where they ran out of room.
    """
    s, up, bar, r, when = live.s, live.up, live.bar, live.r, live.t
    mode, manner = live.mode, live.manner
    claims, heard, kinds = live.ident, live.ident_ns, live.kinds
    lanes, like, modal = cfg.lanes, g.like, g.modal
    z, R, c, start, rows, plain = look.z, look.R, look.c, look.start, look.row, look.plain
    first, plot, weight, chance = g.first, g.plot, g.w, g.p_detect
    idents, labels, conf, refs = sheet.ident, sheet.kind, sheet.kind_conf, sheet.track_ref
    flags = sheet.flags
    fed_sensor, fed_ref = live.fed_sensor, live.fed_ref
    flat, full, most = cfg.gate_flat, cfg.gate_full, max(cfg.gate_flat, cfg.gate_full)
    same, unclaimed, other, floor = cfg.same, cfg.unclaimed, cfg.other, cfg.kind_floor
    viewed, sectors, sighted = g.spot, look.size[SECTORS], look.size[SIGHTED]
    lines, odd, sight = look.size[BEARINGS], sighted or look.size[POINT], sheet.sight
    total, cells = n + lines, m * m
    re, rn = wide
    scale, mask = 1.0 / side, m - 1
    cap = plot.shape[0]
    for i in range(lo, hi):
        first[i + 1] = ne
        if not (chance[i] >= 0.0 and total):
            continue
        seen = max(chance[i], least)
        e, u = bar[i, 0], bar[i, 1]
        hx = math.sqrt(most * (bar[i, 4] + re))
        hy = math.sqrt(most * (bar[i, 6] + rn))
        if not (abs(e) + hx <= 2.0 * REACH and abs(u) + hy <= 2.0 * REACH):
            continue
        factor = r[i] * seen / (1.0 - r[i] * seen)
        x0, x1 = math.floor((e - hx) * scale), math.floor((e + hx) * scale)
        y0, y1 = math.floor((u - hy) * scale), math.floor((u + hy) * scale)
        y1 = min(y1, y0 + mask)
        slope = half = 0.0
        thin = x1 - x0 > 3 and y1 - y0 > 3 and y1 - y0 < mask
        if thin:
            slope = bar[i, 5] / bar[i, 6]
            half = math.sqrt(most * max(0.0, bar[i, 4] - slope * bar[i, 5]))
            half += math.sqrt(most * re) + abs(slope) * math.sqrt(most * rn)
        for y in range(y0, y1 + (2 if lines else 1)):
            a, b = x0, x1
            base, wrap = (y & mask) * m, mask
            if y > y1:
                a, b = sectors_near(bar, i, look.pose, look.pose[WORST], most, sectors)
                base, wrap = cells, sectors - 1
            elif thin:
                p = slope * max(-hy, y * side - u)
                q = slope * min(hy, (y + 1) * side - u)
                a = max(a, math.floor((e + min(p, q) - half) * scale))
                b = min(b, math.floor((e + max(p, q) + half) * scale))
            if b < a:
                continue
            # buckets side by side are one run of plots, two where the grid wraps round
            a, b = a & wrap, min(b - a, wrap)
            b += a
            for beyond in range(2 if b > wrap else 1):
                q, stop = base + a, base + min(b, wrap) + 1
                if beyond:
                    q, stop = base, base + b - wrap
                for p in range(start[q], start[stop]):
                    if p < n and not (abs(z[p, 0] - e) <= hx and abs(z[p, 1] - u) <= hy):
                        continue
                    j, unit = p, 1.0
                    if odd:
                        if p >= n and passes(bar, i, z, R, p, look.pose, most):
                            continue
                        j, unit = view(bar, i, kinds, sight, look, p, total + ne, flat)
                        if unit == 0.0:
                            continue
                    tall = not math.isnan(z[j, 2])
                    if tall:
                        limit = full if p < n else flat
                        v = full_likelihood(bar, i, z, R, j, limit, mode[i] & YOUNG)
                    else:
                        v = flat_likelihood(bar, i, z, R, j, flat, mode[i] & YOUNG)
                    if v == 0.0:
                        continue
                    if ne == cap:
                        return -1
                    if mode[i] & YOUNG:
                        for q in range(len(lanes)):
                            modal[ne, q] = v * motion.share[manner[i], q]
                    elif tall:
                        if not mode[i] & HAS_UP:
                            raise_up(up, bar, i, lanes)
                        v = likelihood_tall(s, up, i, z, R, j, modal, ne, lanes)
                    else:
                        v = likelihood_flat(s, i, z, R, j, modal, ne, lanes)
                    like[ne] = v
                    row = rows[p]
                    if odd:
                        v = v * unit if unit > 0.0 else -unit
                        if sighted and math.isfinite(sight[row, RADIAL]):
                            rate, sd = sight[row, RADIAL], sight[row, RADIAL_SD]
                            v *= radial_factor(bar, i, look.pose, rate, sd, look.d)
                    if not plain[p]:
                        ident, label = idents[row], labels[row]
                        if ident >= 0:
                            told = claim_factor(
                                claims, heard, i, ident, when[i], same, unclaimed, other
                            )
                            # What flies keeps its identity: two that claim are two objects, or a
                            # swarm in the dark of other sensors becomes one track.
                            if (
                                told == other
                                and 8 <= label <= 11
                                and flags[row] & CLAIM_FLAG
                                and when[i] - heard[i, 0] <= 10 * SECOND
                            ):
                                continue
                            v *= told
                        if refs[row] >= 0:
                            v *= ref_factor(fed_sensor, fed_ref, i, k, refs[row], cfg.same_ref)
                        if 0 < label < KINDS:
                            v *= kind_factor(kinds, i, label, max(0.5, certain(conf[row])), floor)
                    plot[ne], viewed[ne] = p, j
                    weight[ne] = factor * v / c[p]
                    if not weight[ne] <= HEAVIEST:
                        continue
                    ne += 1
                    chance[i] = seen
        first[i + 1] = ne
    return ne
