"""One slice of fusion: canonical order, gate, associate, update, spawn, prune, report.

TOMB/P (Williams, "Marginal multi-Bernoulli filters", IEEE TAES 2015) with a birth density that is
a fixed share of the sensor's clutter. Scans run one after another in time order, each sensor with
its own noise, detection probability and clutter; two sensors never meet in one association. State
changes only at scans (a report predicts copies), so how a stream is cut into steps changes nothing.
Every sum runs in an order that content decides.

`run` is one call per slice. Longer than a page because Numba wants the verbs side by side.
"""

import math

from v2x.columns import F8, I4, I8, U1
from v2x.fusion.association import associate
from v2x.fusion.layout import (
    AIR,
    ALIVE,
    CHOSEN,
    CLAIMS,
    CONFIRMED,
    DUPLICATES,
    FED,
    FLOODED,
    FREE,
    HAS_UP,
    HEAD,
    KINDS,
    LIVE,
    MEAN,
    PLACE,
    REFUSED,
    RESIDUALS,
    SERIAL,
    TAIL,
    TOP,
    WIDTH,
    Beams,
    Edges,
    Live,
    Look,
    Notes,
    Output,
    Settings,
    Sheet,
)
from v2x.fusion.motion import (
    MAX_VAR,
    MIN_VAR,
    TWO_PI,
    clamp,
    exp_neg,
    flat_innovation,
    flat_update,
    full_innovation,
    full_update,
    predict,
    scalar_update,
)
from v2x.jit import kernel

REACH = 1e7
"""m: nothing farther from the tile's origin is a position; also keeps cell numbers in range."""
WIDE_UP_VAR, WIDE_CLIMB_VAR = 2.5e7, 225.0
"""Variance of up and its rate while no height was measured: 5 km, 15 m/s."""
R_CAP = 1.0 - 1e-7
CLAIM_FLAG, RELAYED_FLAG = 1, 1 << 12
REMOTE_ID, ADS_B, SELF_REPORT, RELAYED = 4, 5, 6, 7
"""Bits of `Flag` and numbers of `SensorKind`, which kernels cannot import; a test compares."""
SECOND = 1_000_000_000


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
def before(sheet: Sheet, a: int, b: int) -> bool:
    """Order of two copies (equal place and identity): which of them is kept."""
    for k in range(6):
        if sheet.cov[a, k] != sheet.cov[b, k]:
            return bool(sheet.cov[a, k] < sheet.cov[b, k])
    for k in range(3):
        if sheet.vel[a, k] != sheet.vel[b, k]:
            return bool(sheet.vel[a, k] < sheet.vel[b, k])
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
    of the least accurate plot; cell (x, y) falls into bucket (x mod m, y mod m), so one to four
    buckets a plot will do whatever the extent, and strangers in a bucket fail the gate. Order is
    (bucket, position, identity). Copies are dropped. Returns plots, m and the side.
    """
    z, cov, ident = sheet.z, sheet.cov, sheet.ident
    rows, order, start, bucket = look.row, look.order, look.start, look.bucket
    worst, n = 0.0, 0
    for j in range(first, end):
        if usable(z, cov, j):
            worst = max(worst, max(cov[j, 0], cov[j, 3]))
            rows[n] = j
            n += 1
        else:
            counts[REFUSED] += 1
    side = 8.0
    while side < 4096.0 and side * side < 100.0 * worst * inflate:
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
    # start[b + 1] now holds the first plot of bucket b; sort inside, drop copies, close the gaps
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
    return put, m, side


@kernel
def gather(sheet: Sheet, n: int, inflate: float, c: float, unclaimed: float, look: Look) -> None:
    """Copy the plots of one scan in canonical order: `look.z`, `look.R` inflated, `look.c`."""
    z, cov, ident = sheet.z, sheet.cov, sheet.ident
    rows, out, R, density = look.row, look.z, look.R, look.c
    for p in range(n):
        j = rows[p]
        out[p, 0], out[p, 1] = z[j, 0], z[j, 1]
        R[p, 0] = cov[j, 0] * inflate + MIN_VAR
        R[p, 1] = cov[j, 1] * inflate
        R[p, 3] = cov[j, 3] * inflate + MIN_VAR
        if has_height(z, cov, j):
            out[p, 2] = z[j, 2]
            R[p, 2] = cov[j, 2] * inflate
            R[p, 4] = cov[j, 4] * inflate
            R[p, 5] = cov[j, 5] * inflate + MIN_VAR
        else:
            out[p, 2] = math.nan
            R[p, 2] = R[p, 4] = R[p, 5] = 0.0
        density[p] = c * unclaimed if ident[j] >= 0 else c


@kernel
def share_inside(
    s: F8,
    i: int,
    has_up: int,
    edge: F8,
    first: int,
    end: int,
    low: float,
    high: float,
    height_ref: float,
) -> float:
    """Soft P(track inside polygon ``edge[first:end]`` and height band).

    Takes the track's ellipse along the normal of the nearest border, and a logistic curve in place
    of the normal distribution, off by less than 0.01.
    """
    e, n = s[i, 0], s[i, 1]
    share = 1.0
    if end > first:
        best, ne, nn = 1e300, 1.0, 0.0
        inside = False
        a = end - 1
        for b in range(first, end):
            ax, ay = edge[a, 0], edge[a, 1]
            bx, by = edge[b, 0], edge[b, 1]
            if (ay > n) != (by > n) and e < ax + (n - ay) / (by - ay) * (bx - ax):
                inside = not inside
            dx, dy = bx - ax, by - ay
            length = dx * dx + dy * dy
            f = 0.0
            if length > 0.0:
                f = min(1.0, max(0.0, ((e - ax) * dx + (n - ay) * dy) / length))
            px, py = e - ax - f * dx, n - ay - f * dy
            d = px * px + py * py
            if d < best:
                best, ne, nn = d, px, py
            a = b
        d = math.sqrt(best)
        var = max(s[i, 4], s[i, 6])
        if d > 0.0:
            ne, nn = ne / d, nn / d
            var = ne * ne * s[i, 4] + 2.0 * ne * nn * s[i, 5] + nn * nn * s[i, 6]
        share = step_curve(d if inside else -d, var)
    if has_up:
        height = s[i, 14] + height_ref + (e * e + n * n) / 12_742_000.0
        share *= step_curve(height - low, s[i, 16])
        share *= step_curve(high - height, s[i, 16])
    return share


@kernel
def step_curve(d: float, var: float) -> float:
    """About P(N(d, var) > 0); exactly 0 and 1 beyond five deviations."""
    x = d / math.sqrt(var)
    if x > 5.0:
        return 1.0
    if x < -5.0:
        return 0.0
    t = exp_neg(-1.702 * abs(x))
    return 1.0 / (1.0 + t) if x > 0.0 else t / (1.0 + t)


@kernel
def longest_period(live: Live, i: int, beams: Beams, t: int, span: int) -> float:
    """Longest period of the sensors that fed track `i` within `span` ns before `t`, in s."""
    longest = 0.0
    for k in range(FED):
        if live.fed_sensor[i, k] >= 0 and t - live.fed_ns[i, k] <= span:
            longest = max(longest, beams.period[live.fed_sensor[i, k]])
    return longest


@kernel
def expired(live: Live, i: int, beams: Beams, t: int, cfg: Settings) -> bool:
    """No plot for too long, or its ellipse has grown larger than useful.

    Never within 2 s or 2.5 periods of the slowest sensor that fed it.
    """
    age = t - live.last[i]
    if age <= 2 * SECOND or age <= 2.5 * SECOND * longest_period(live, i, beams, t, 2**62):
        return False
    limit = cfg.end_var_air if live.mode[i] & AIR else cfg.end_var_ground
    return bool(age > cfg.end_ns or max(live.s[i, 4], live.s[i, 6]) > limit)


@kernel
def end_track(live: Live, i: int, counts: I8) -> None:
    """Take slot `i` out of the chain and give it back."""
    a, b = live.links[i, 0], live.links[i, 1]
    if a >= 0:
        live.links[a, 1] = b
    else:
        counts[HEAD] = b
    if b >= 0:
        live.links[b, 0] = a
    else:
        counts[TAIL] = a
    live.mode[i] = 0
    live.free[counts[FREE]] = i
    counts[FREE] += 1
    counts[LIVE] -= 1
    counts[CLAIMS] -= live.claimed[i]


@kernel
def survival(death: float, dt: float) -> float:
    """``exp(-death dt)``."""
    x = -death * dt
    return 1.0 + x * (1.0 + x * (0.5 + x / 6.0)) if x > -5e-3 else exp_neg(x)


@kernel
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


@kernel
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


@kernel
def flat_likelihood(s: F8, i: int, z: F8, R: F8, j: int, gate: float) -> float:
    """Density of plot `j` (no height) under row `i`, m⁻²; 0 outside the gate."""
    y0, y1, a, b, c, det = flat_innovation(s, i, z, R, j)
    d2 = a * y0 * y0 + 2.0 * b * y0 * y1 + c * y1 * y1
    if not (d2 < gate and det > 0.0):
        return 0.0
    return exp_neg(-0.5 * d2) / (TWO_PI * math.sqrt(det))


@kernel
def full_likelihood(s: F8, i: int, z: F8, R: F8, j: int, gate: float) -> float:
    """Density of plot `j` (with height) under row `i`, m⁻³; 0 outside the gate."""
    y0, y1, y2, a, b, c, d, e, f, det = full_innovation(s, i, z, R, j)
    d2 = a * y0 * y0 + d * y1 * y1 + f * y2 * y2
    d2 += 2.0 * (b * y0 * y1 + c * y0 * y2 + e * y1 * y2)
    if not (d2 < gate and det > 0.0):
        return 0.0
    return exp_neg(-0.5 * d2) / (TWO_PI * math.sqrt(TWO_PI * det))


@kernel
def advance(
    live: Live,
    beams: Beams,
    k: int,
    t: int,
    look: Look,
    n: int,
    g: Edges,
    cfg: Settings,
    counts: I8,
) -> None:
    """Predict to `t` the tracks this look concerns, and say how likely it sees each.

    Looks concern every track; rows of a sensor that only reports concern the tracks near them.
    Fills ``g.p_detect`` (-1: not concerned). Ends tracks that expired.
    """
    s, r, when, mode, last = live.s, live.r, live.t, live.mode, live.last
    chance, edge = g.p_detect, beams.edge
    first, end, low, high = beams.first[k], beams.end[k], beams.low[k], beams.high[k]
    looks, bounded = beams.looks[k], beams.bounded[k]
    p = min(beams.p_detect[k], 1.0 - 1e-6)
    worst = 0.0
    lo_e = lo_n = 1e300
    hi_e = hi_n = -1e300
    if not looks:
        for j in range(n):
            worst = max(worst, max(look.R[j, 0], look.R[j, 3]))
            lo_e, hi_e = min(lo_e, look.z[j, 0]), max(hi_e, look.z[j, 0])
            lo_n, hi_n = min(lo_n, look.z[j, 1]), max(hi_n, look.z[j, 1])
    ground, air, up, death = cfg.psd_ground, cfg.psd_air, cfg.psd_up, cfg.death
    for i in range(counts[TOP]):
        chance[i] = -1.0
        if not mode[i] & ALIVE:
            continue
        dt = (t - when[i]) * 1e-9
        if not looks:
            far = 5.0 * math.sqrt(s[i, 4] + s[i, 6] + 2.0 * worst)
            far += dt * (40.0 + abs(s[i, 2]) + abs(s[i, 3]))
            far += dt * 5.0 * math.sqrt(s[i, 11] + s[i, 13])
            e, u = s[i, 0], s[i, 1]
            if e + far < lo_e or e - far > hi_e or u + far < lo_n or u - far > hi_n:
                if t - last[i] > cfg.end_ns and expired(live, i, beams, t, cfg):
                    end_track(live, i, counts)
                continue
        if dt > 0.0:
            predict(s, i, mode[i] & HAS_UP, dt, air if mode[i] & AIR else ground, up)
            r[i] *= survival(death, dt)
            when[i] = t
        if t - last[i] > 2 * SECOND and expired(live, i, beams, t, cfg):
            end_track(live, i, counts)
            continue
        chance[i] = p
        if bounded and looks:
            has_up = mode[i] & HAS_UP
            chance[i] *= share_inside(s, i, has_up, edge, first, end, low, high, cfg.height_ref)


@kernel
def gate(
    live: Live,
    sheet: Sheet,
    look: Look,
    n: int,
    m: int,
    side: float,
    g: Edges,
    cfg: Settings,
    counts: I8,
) -> int:
    """List which plot may belong to which track, with its weight relative to clutter.

    A track visits the cells under its innovation ellipse: by bounding box, and row by row along
    the ellipse where that is large (a radar at 5 km is 5 m by 44 m). Fills ``g.first``,
    ``g.plot``, ``g.w``; returns the number of edges, -1 where they ran out of room.
    """
    s, r, when = live.s, live.r, live.t
    claims, heard, kinds = live.ident, live.ident_ns, live.kinds
    z, R, c, start, rows = look.z, look.R, look.c, look.start, look.row
    first, plot, weight, chance = g.first, g.plot, g.w, g.p_detect
    idents, labels, conf = sheet.ident, sheet.kind, sheet.kind_conf
    flat, full, widest = cfg.gate_flat, cfg.gate_full, max(cfg.gate_flat, cfg.gate_full)
    same, unclaimed, other, floor = cfg.same, cfg.unclaimed, cfg.other, cfg.kind_floor
    re = rn = 0.0
    for j in range(n):
        re, rn = max(re, R[j, 0]), max(rn, R[j, 3])
    scale, mask = 1.0 / side, m - 1
    cap, ne = plot.shape[0], 0
    for i in range(counts[TOP]):
        first[i] = ne
        seen = chance[i]
        if not (seen > 0.0 and n):
            continue
        e, u = s[i, 0], s[i, 1]
        hx = math.sqrt(widest * (s[i, 4] + re))
        hy = math.sqrt(widest * (s[i, 6] + rn))
        if not (abs(e) + hx <= 2.0 * REACH and abs(u) + hy <= 2.0 * REACH):
            continue
        factor = r[i] * seen / (1.0 - r[i] * seen)
        x0, x1 = math.floor((e - hx) * scale), math.floor((e + hx) * scale)
        y0, y1 = math.floor((u - hy) * scale), math.floor((u + hy) * scale)
        y1 = min(y1, y0 + mask)
        slope = half = 0.0
        thin = x1 - x0 > 3 and y1 - y0 > 3 and y1 - y0 < mask
        if thin:
            slope = s[i, 5] / s[i, 6]
            half = math.sqrt(widest * max(0.0, s[i, 4] - slope * s[i, 5]))
            half += math.sqrt(widest * re) + abs(slope) * math.sqrt(widest * rn)
        for y in range(y0, y1 + 1):
            a, b = x0, x1
            if thin:
                p = slope * max(-hy, y * side - u)
                q = slope * min(hy, (y + 1) * side - u)
                a = max(a, math.floor((e + min(p, q) - half) * scale))
                b = min(b, math.floor((e + max(p, q) + half) * scale))
            b = min(b, a + mask)
            for x in range(a, b + 1):
                k = (y & mask) * m + (x & mask)
                for j in range(start[k], start[k + 1]):
                    if not (abs(z[j, 0] - e) <= hx and abs(z[j, 1] - u) <= hy):
                        continue
                    if math.isnan(z[j, 2]):
                        v = flat_likelihood(s, i, z, R, j, flat)
                    else:
                        v = full_likelihood(s, i, z, R, j, full)
                    if v == 0.0:
                        continue
                    row = rows[j]
                    if idents[row] >= 0:
                        ident = idents[row]
                        v *= claim_factor(claims, heard, i, ident, when[i], same, unclaimed, other)
                    if 0 < labels[row] < KINDS:
                        v *= kind_factor(kinds, i, labels[row], max(0.5, conf[row]), floor)
                    if ne == cap:
                        return -1
                    plot[ne] = j
                    weight[ne] = factor * v / c[j]
                    ne += 1
    first[counts[TOP]] = ne
    return ne


@kernel
def is_claim(kind: int) -> bool:
    """Kinds that only repeat what the object says of itself."""
    return kind == RELAYED or REMOTE_ID <= kind <= SELF_REPORT


@kernel
def kind_in_effect(kind: int, flags: int) -> int:
    """`SensorKind` of a row: a relay is no second opinion, a self-report says so."""
    if flags & RELAYED_FLAG:
        return RELAYED
    if flags & CLAIM_FLAG and kind != REMOTE_ID and kind != ADS_B:
        return SELF_REPORT
    return kind


@kernel
def feed(fed_sensor: I4, fed_kind: U1, fed_ns: I8, i: int, k: int, kind: int, t: int) -> None:
    """Note that sensor `k` fed track `i`, as `kind`; the stalest entry gives way."""
    spot, oldest = 0, 2**62
    for f in range(FED):
        if fed_sensor[i, f] < 0:
            spot = f
            break
        if fed_sensor[i, f] == k and fed_kind[i, f] == kind:
            fed_ns[i, f] = t
            return
        if fed_ns[i, f] < oldest:
            spot, oldest = f, fed_ns[i, f]
    fed_sensor[i, spot] = k
    fed_kind[i, spot] = kind
    fed_ns[i, spot] = t


@kernel
def take_claim(claims: I8, heard_ns: I8, i: int, ident: int, t: int) -> None:
    """Bind identity `ident` to track `i`; the one before it stays known for 10 s."""
    if claims[i, 0] == ident:
        heard_ns[i, 0] = t
    elif claims[i, 1] == ident and t - heard_ns[i, 0] <= 10 * SECOND:
        heard_ns[i, 1] = t
    else:
        claims[i, 1], heard_ns[i, 1] = claims[i, 0], heard_ns[i, 0]
        claims[i, 0], heard_ns[i, 0] = ident, t


@kernel
def take_kind(kinds: F8, mode: U1, i: int, kind: int, conf: float) -> None:
    """Add a label to the evidence (bounded, so that a later truth can win); sets AIR."""
    total = 0.0
    for k in range(KINDS):
        total += kinds[i, k]
    if total > 20.0:
        for k in range(KINDS):
            kinds[i, k] *= 20.0 / total
    kinds[i, kind] += max(0.05, conf)
    best = 0
    for k in range(1, KINDS):
        if kinds[i, k] > kinds[i, best]:
            best = k
    if 8 <= best <= 11:
        mode[i] |= AIR
    else:
        mode[i] &= ~AIR & 255


@kernel
def weigh(live: Live, beams: Beams, k: int, t: int, g: Edges, cfg: Settings, counts: I8) -> None:
    """Existence of every track after this look; ends those below the prune level.

    Fills ``g.mu`` of each edge with its share of the mixture, given that the object exists, and
    ``g.tail`` of each slot with its best edge (-1 none).
    """
    r, mode, last = live.r, live.mode, live.last
    first, beta, share, beta0 = g.first, g.beta, g.mu, g.beta0
    chance, best_edge = g.p_detect, g.tail
    looks, prune, confirm, drop = beams.looks[k], cfg.prune, cfg.confirm, cfg.drop
    for i in range(counts[TOP]):
        best_edge[i] = -1
        p = chance[i]
        a, b = first[i], first[i + 1]
        if p < 0.0 or (a == b and not looks):
            continue
        kept = r[i] * (1.0 - p) / (1.0 - r[i] * p) if looks else r[i]
        if a == b:
            r[i] = kept
        else:
            hit, best = 0.0, a
            for e in range(a, b):
                hit += beta[e]
                if beta[e] > beta[best]:
                    best = e
            total = hit + beta0[i] * kept
            f = 1.0 / total
            for e in range(a, b):
                share[e] = beta[e] * f
            r[i] = min(R_CAP, total)
            best_edge[i] = best
            if hit > 0.5:
                last[i] = t
        if r[i] < prune:
            end_track(live, i, counts)
            best_edge[i] = -1
        elif r[i] > confirm:
            mode[i] |= CONFIRMED
        elif r[i] < drop:
            mode[i] &= ~CONFIRMED & 255


@kernel
def mix(live: Live, look: Look, g: Edges, counts: I8) -> None:
    """Moment-matched mixture of all edges of every track.

    With a_j = S_j⁻¹ y_j: x += G sum w_j a_j, P -= G (sum w_j (S_j⁻¹ - a_j a_jᵀ) + u uᵀ) Gᵀ, where
    u = sum w_j a_j. So the state is touched once, whatever the number of plots.
    """
    s, mode, z, R = live.s, live.mode, look.z, look.R
    first, plot, share, best_edge = g.first, g.plot, g.mu, g.tail
    for i in range(counts[TOP]):
        if best_edge[i] < 0:
            continue
        tall = mode[i] & HAS_UP
        u0 = u1 = u2 = 0.0
        m00 = m01 = m02 = m11 = m12 = m22 = 0.0
        for e in range(first[i], first[i + 1]):
            w, j = share[e], plot[e]
            if w < 1e-6:
                continue
            if math.isnan(z[j, 2]):
                y0, y1, a, b, d, _ = flat_innovation(s, i, z, R, j)
                a0, a1 = a * y0 + b * y1, b * y0 + d * y1
            else:
                tall = HAS_UP
                y0, y1, y2, a, b, c, d, q, f, _ = full_innovation(s, i, z, R, j)
                a0 = a * y0 + b * y1 + c * y2
                a1 = b * y0 + d * y1 + q * y2
                a2 = c * y0 + q * y1 + f * y2
                u2 += w * a2
                m02 += w * (c - a0 * a2)
                m12 += w * (q - a1 * a2)
                m22 += w * (f - a2 * a2)
            u0 += w * a0
            u1 += w * a1
            m00 += w * (a - a0 * a0)
            m01 += w * (b - a0 * a1)
            m11 += w * (d - a1 * a1)
        m00 += u0 * u0
        m01 += u0 * u1
        m11 += u1 * u1
        if tall:
            mode[i] |= HAS_UP
            m02 += u0 * u2
            m12 += u1 * u2
            m22 += u2 * u2
            full_update(s, i, u0, u1, u2, m00, m01, m02, m11, m12, m22)
        else:
            flat_update(s, i, u0, u1, m00, m01, m11)
        clamp(s, i, tall)


@kernel
def learn(
    live: Live,
    beams: Beams,
    k: int,
    t: int,
    sheet: Sheet,
    look: Look,
    g: Edges,
    factor: float,
    counts: I8,
) -> None:
    """What plots say beside their position: who fed, identity, kind, velocity.

    Only a plot that belongs to its track more likely than not is heard.
    """
    beta, plot, best_edge, rows = g.beta, g.plot, g.tail, look.row
    idents, labels, conf, flags = sheet.ident, sheet.kind, sheet.kind_conf, sheet.flags
    vel, vel_sd = sheet.vel, sheet.vel_sd
    fed_sensor, fed_kind, fed_ns = live.fed_sensor, live.fed_kind, live.fed_ns
    claims, heard, kinds, claimed = live.ident, live.ident_ns, live.kinds, live.claimed
    s, mode = live.s, live.mode
    for i in range(counts[TOP]):
        best = best_edge[i]
        if best < 0 or beta[best] <= 0.5:
            continue
        row = rows[plot[best]]
        kind = kind_in_effect(beams.kind[k], flags[row])
        feed(fed_sensor, fed_kind, fed_ns, i, k, kind, t)
        if claimed[i] and not is_claim(kind):
            claimed[i] = 0
            counts[CLAIMS] -= 1
        if idents[row] >= 0:
            take_claim(claims, heard, i, idents[row], t)
        if 0 < labels[row] < KINDS:
            take_kind(kinds, mode, i, labels[row], conf[row])
        if vel[row, 0] == vel[row, 0]:
            var = velocity_var(vel_sd[row], factor) / beta[best]
            for axis in range(3):
                if abs(vel[row, axis]) < 1e4 and (axis < 2 or mode[i] & HAS_UP):
                    scalar_update(s, i, 3 + axis, vel[row, axis], var)
            clamp(s, i, mode[i] & HAS_UP)


@kernel
def velocity_var(sd: float, factor: float) -> float:
    """Variance of a reported velocity per axis; 1 m/s where its sender gives none."""
    d = factor * (max(0.25, sd) if sd == sd else 1.0)
    return d * d


@kernel
def note(
    live: Live,
    i: int,
    ident: int,
    look: Look,
    j: int,
    k: int,
    t: int,
    conflict: int,
    notes: Notes,
    counts: I8,
) -> None:
    """Write the residual of plot `j` against the prediction of track `i`, while there is room."""
    q = counts[RESIDUALS]
    if q >= notes.t.shape[0]:
        return
    counts[RESIDUALS] = q + 1
    notes.t[q], notes.sensor[q], notes.slot[q] = t, k, i
    notes.serial[q], notes.track[q] = live.serial[i], live.id[i]
    notes.ident[q], notes.conflict[q] = ident, conflict
    if math.isnan(look.z[j, 2]):
        y0, y1, a, b, c, _ = flat_innovation(live.s, i, look.z, look.R, j)
        notes.innovation[q, 2] = math.nan
        notes.nis[q] = a * y0 * y0 + 2.0 * b * y0 * y1 + c * y1 * y1
        notes.dim[q] = 2
    else:
        y0, y1, y2, a, b, c, d, e, f, _ = full_innovation(live.s, i, look.z, look.R, j)
        notes.innovation[q, 2] = y2
        notes.nis[q] = a * y0 * y0 + d * y1 * y1 + f * y2 * y2
        notes.nis[q] += 2.0 * (b * y0 * y1 + c * y0 * y2 + e * y1 * y2)
        notes.dim[q] = 3
    notes.innovation[q, 0], notes.innovation[q, 1] = y0, y1


@kernel
def residuals(
    live: Live, k: int, t: int, sheet: Sheet, look: Look, g: Edges, notes: Notes, counts: I8
) -> None:
    """Residuals of the plots that belong to a confirmed track beyond doubt."""
    beta, plot, best_edge, mode = g.beta, g.plot, g.tail, live.mode
    s, z, R, rows, idents = live.s, look.z, look.R, look.row, sheet.ident
    room = notes.t.shape[0]
    times, sensors, slots, serials = notes.t, notes.sensor, notes.slot, notes.serial
    tracks, claims, innovation = notes.track, notes.ident, notes.innovation
    nis, dim, conflict, serial, ids = notes.nis, notes.dim, notes.conflict, live.serial, live.id
    q = counts[RESIDUALS]
    for i in range(counts[TOP]):
        best = best_edge[i]
        if best < 0 or not (beta[best] > 0.9 and mode[i] & CONFIRMED) or q >= room:
            continue
        j = plot[best]
        times[q], sensors[q], slots[q], serials[q] = t, k, i, serial[i]
        tracks[q], claims[q], conflict[q] = ids[i], idents[rows[j]], 0
        if math.isnan(z[j, 2]):
            y0, y1, a, b, c, _ = flat_innovation(s, i, z, R, j)
            innovation[q, 2] = math.nan
            nis[q] = a * y0 * y0 + 2.0 * b * y0 * y1 + c * y1 * y1
            dim[q] = 2
        else:
            y0, y1, y2, a, b, c, d, e, f, _ = full_innovation(s, i, z, R, j)
            innovation[q, 2] = y2
            nis[q] = a * y0 * y0 + d * y1 * y1 + f * y2 * y2
            nis[q] += 2.0 * (b * y0 * y1 + c * y0 * y2 + e * y1 * y2)
            dim[q] = 3
        innovation[q, 0], innovation[q, 1] = y0, y1
        q += 1
    counts[RESIDUALS] = q


@kernel
def take_slot(live: Live, counts: I8) -> int:
    """Get a free slot and chain it to the end of the living."""
    if counts[FREE] > 0:
        counts[FREE] -= 1
        i = live.free[counts[FREE]]
    else:
        i = counts[TOP]
        counts[TOP] += 1
    live.links[i, 0], live.links[i, 1] = counts[TAIL], -1
    if counts[TAIL] >= 0:
        live.links[counts[TAIL], 1] = i
    else:
        counts[HEAD] = i
    counts[TAIL] = i
    counts[LIVE] += 1
    live.id[i], live.serial[i] = -1, counts[SERIAL]
    counts[SERIAL] += 1
    return int(i)


@kernel
def found_state(s: F8, i: int, z: F8, R: F8, j: int, var: float, var_up: float) -> bool:
    """Row `i` from plot `j` with unknown velocity; returns whether it has a height."""
    for q in range(WIDTH):
        s[i, q] = 0.0
    s[i, 0], s[i, 1] = z[j, 0], z[j, 1]
    s[i, 4], s[i, 5], s[i, 6] = R[j, 0], R[j, 1], R[j, 3]
    s[i, 11] = s[i, 13] = var
    if math.isnan(z[j, 2]):
        s[i, 16], s[i, 18] = WIDE_UP_VAR, WIDE_CLIMB_VAR
        return False
    s[i, 14], s[i, 16] = z[j, 2], R[j, 5]
    s[i, 19], s[i, 20] = R[j, 2], R[j, 4]
    s[i, 18] = var_up
    return True


@kernel
def spawn(
    live: Live,
    beams: Beams,
    k: int,
    t: int,
    sheet: Sheet,
    look: Look,
    n: int,
    cfg: Settings,
    counts: I8,
) -> None:
    """One new track per plot that probably belongs to none, in canonical order.

    Past `max_claims` living tracks that rest on claims alone, further claims found nothing: a
    flood of invented identities must not push out what is there.
    """
    share = beams.birth[k] / (beams.birth[k] + beams.clutter[k])
    factor = cfg.velocity_factor * math.sqrt(beams.inflate[k])
    s, z, R, rows, alone = live.s, look.z, look.R, look.row, look.alone
    vel, labels, conf, idents, flags = (
        sheet.vel,
        sheet.kind,
        sheet.kind_conf,
        sheet.ident,
        sheet.flags,
    )
    kinds, fed_sensor, born_z = live.kinds, live.fed_sensor, live.born_z
    for j in range(n):
        r = min(R_CAP, alone[j] * share)
        if r < cfg.prune:
            continue
        row = rows[j]
        kind = kind_in_effect(beams.kind[k], flags[row])
        if is_claim(kind) and counts[CLAIMS] >= cfg.max_claims:
            counts[FLOODED] += 1
            continue
        i = take_slot(live, counts)
        label = labels[row]
        air = 8 <= label <= 11
        var = cfg.start_var_air if air else cfg.start_var_ground
        up = found_state(s, i, z, R, j, var, cfg.start_var_up)
        live.mode[i] = (
            ALIVE
            | (AIR if air else 0)
            | (CONFIRMED if r > cfg.confirm else 0)
            | (HAS_UP if up else 0)
        )
        if abs(vel[row, 0]) < 1e4 and abs(vel[row, 1]) < 1e4:
            v = velocity_var(sheet.vel_sd[row], factor)
            s[i, 2], s[i, 3] = vel[row, 0], vel[row, 1]
            s[i, 11] = s[i, 13] = min(var, v)
            if up and abs(vel[row, 2]) < 1e4:
                s[i, 15], s[i, 18] = vel[row, 2], min(cfg.start_var_up, v)
        clamp(s, i, True)
        live.r[i], live.t[i], live.last[i], live.first[i] = r, t, t, t
        live.ident[i, 0], live.ident_ns[i, 0], live.ident[i, 1] = idents[row], t, -1
        for q in range(KINDS):
            kinds[i, q] = 0.0
        if 0 < label < KINDS:
            kinds[i, label] = max(0.05, conf[row])
        for q in range(FED):
            fed_sensor[i, q] = -1
        fed_sensor[i, 0], live.fed_ns[i, 0], live.fed_kind[i, 0] = k, t, kind
        live.claimed[i] = is_claim(kind)
        counts[CLAIMS] += is_claim(kind)
        live.born_sensor[i], live.born_ident[i] = k, idents[row]
        for q in range(3):
            born_z[i, q] = z[j, q]


@kernel
def conflicts(
    live: Live, k: int, t: int, sheet: Sheet, look: Look, n: int, notes: Notes, counts: I8
) -> None:
    """Note rows that claim the identity of a confirmed track but belong elsewhere.

    Only rows that belong to no track are looked up, and at most 64 a look: a flood stays cheap.
    """
    asked = 0
    rows, alone, idents = look.row, look.alone, sheet.ident
    mode, claims, first = live.mode, live.ident, live.first
    for j in range(n):
        ident = idents[rows[j]]
        if ident < 0 or alone[j] < 0.5:
            continue
        asked += 1
        if asked > 64:
            return
        for i in range(counts[TOP]):
            if mode[i] & CONFIRMED and claims[i, 0] == ident and first[i] < t:
                note(live, i, ident, look, j, k, t, 1, notes, counts)


@kernel
def compact(live: Live, moved: I4, counts: I8) -> None:
    """Close the gaps once three slots of four are free, as after a flood; keeps the slot order.

    Decided after a scan from what lives then, so cuts between steps do not matter. `moved` (slots)
    is scratch.
    """
    to = 0
    for i in range(counts[TOP]):
        if live.mode[i] & ALIVE:
            moved[i] = to
            to += 1
    for i in range(counts[TOP]):
        if not live.mode[i] & ALIVE:
            continue
        d = moved[i]
        a, b = live.links[i, 0], live.links[i, 1]
        live.links[d, 0] = moved[a] if a >= 0 else -1
        live.links[d, 1] = moved[b] if b >= 0 else -1
        if d == i:
            continue
        live.s[d] = live.s[i]
        live.r[d], live.t[d], live.mode[d] = live.r[i], live.t[i], live.mode[i]
        live.last[d], live.first[d] = live.last[i], live.first[i]
        live.serial[d], live.id[d], live.claimed[d] = live.serial[i], live.id[i], live.claimed[i]
        live.ident[d], live.ident_ns[d], live.kinds[d] = (
            live.ident[i],
            live.ident_ns[i],
            live.kinds[i],
        )
        live.fed_sensor[d], live.fed_kind[d], live.fed_ns[d] = (
            live.fed_sensor[i],
            live.fed_kind[i],
            live.fed_ns[i],
        )
        live.born_sensor[d], live.born_ident[d] = live.born_sensor[i], live.born_ident[i]
        live.born_z[d] = live.born_z[i]
        live.mode[i] = 0
    if counts[HEAD] >= 0:
        counts[HEAD], counts[TAIL] = moved[counts[HEAD]], moved[counts[TAIL]]
    counts[TOP], counts[FREE] = to, 0


@kernel
def choose(live: Live, beams: Beams, t: int, cfg: Settings, slots: I4, counts: I8) -> int:
    """Slots to report at `t`, in the order of founding, into `slots`; how many."""
    r, when, mode, last, links = live.r, live.t, live.mode, live.last, live.links
    death, drop, confirm = cfg.death, cfg.drop, cfg.confirm
    n, i = 0, counts[HEAD]
    while i >= 0:
        exist = r[i] * survival(death, (t - when[i]) * 1e-9)
        wanted = exist >= confirm or (mode[i] & CONFIRMED and exist >= drop)
        if wanted and (t - last[i] <= 2 * SECOND or not expired(live, i, beams, t, cfg)):
            slots[n] = i
            n += 1
        i = links[i, 1]
    return n


@kernel
def run(
    live: Live,
    beams: Beams,
    sheet: Sheet,
    look: Look,
    g: Edges,
    cfg: Settings,
    notes: Notes,
    counts: I8,
    scan: int,
    t_end: int,
    slots: I4,
) -> int:
    """Run the scans from number `scan` on, then choose what to report at `t_end` into `slots`.

    Returns how many scans are done. Fewer than all: `g` has no room for the edges of the next
    one. Grow it and call again.
    """
    for q in range(scan, sheet.scan_ns.shape[0]):
        k, t = sheet.scan_sensor[q], sheet.scan_ns[q]
        c = beams.clutter[k] + beams.birth[k]
        copies, refused, inflate = counts[DUPLICATES], counts[REFUSED], beams.inflate[k]
        n, m, side = lay_out(sheet, sheet.scan_first[q], sheet.scan_end[q], inflate, look, counts)
        gather(sheet, n, inflate, c, cfg.unclaimed, look)
        advance(live, beams, k, t, look, n, g, cfg, counts)
        ne = gate(live, sheet, look, n, m, side, g, cfg, counts)
        if ne < 0:
            counts[DUPLICATES], counts[REFUSED] = copies, refused
            return q
        associate(counts[TOP], n, g, cfg.sweeps, cfg.tolerance, cfg.exact, look.alone)
        weigh(live, beams, k, t, g, cfg, counts)
        if ne:
            residuals(live, k, t, sheet, look, g, notes, counts)
            mix(live, look, g, counts)
            factor = cfg.velocity_factor * math.sqrt(inflate)
            learn(live, beams, k, t, sheet, look, g, factor, counts)
        if n:
            conflicts(live, k, t, sheet, look, n, notes, counts)
            if beams.spawns[k]:
                spawn(live, beams, k, t, sheet, look, n, cfg, counts)
        if counts[TOP] > 256 and counts[TOP] > 4 * counts[LIVE]:
            compact(live, g.parent, counts)
    counts[CHOSEN] = choose(live, beams, t_end, cfg, slots, counts)
    return int(sheet.scan_ns.shape[0])


@kernel
def report(
    live: Live, beams: Beams, t: int, cfg: Settings, slots: I4, n: int, row: F8, out: Output
) -> None:
    """Copies of the chosen tracks predicted to `t`; `row` (1, 27) is scratch."""
    s, r, when, mode, last = live.s, live.r, live.t, live.mode, live.last
    kinds, claims, first, ids = live.kinds, live.ident, live.first, live.id
    fed_sensor, fed_kind, fed_ns = live.fed_sensor, live.fed_kind, live.fed_ns
    x, P, exist, status = out.x, out.P, out.exist, out.status
    ground, air, up, death = cfg.psd_ground, cfg.psd_air, cfg.psd_up, cfg.death
    for q in range(n):
        i = slots[q]
        for k in range(WIDTH):
            row[0, k] = s[i, k]
        dt = (t - when[i]) * 1e-9
        if dt > 0.0:
            predict(row, 0, mode[i] & HAS_UP, dt, air if mode[i] & AIR else ground, up)
        for a in range(6):
            x[q, a] = row[0, MEAN[a]]
            for b in range(a, 6):
                P[q, a, b] = P[q, b, a] = row[0, PLACE[a, b]]
        exist[q] = r[i] * survival(death, dt)
        out.id[q], out.t_ns[q], out.ident[q] = ids[i], t, claims[i, 0]
        out.first_ns[q], out.last_ns[q] = first[i], last[i]
        total, best = 0.0, 0
        for k in range(KINDS):
            total += kinds[i, k]
            if kinds[i, k] > kinds[i, best]:
                best = k
        out.kind[q] = best
        out.kind_prob[q] = (kinds[i, best] + 1.0 / KINDS) / (total + 1.0)
        age = t - last[i]
        status[q] = 1 if mode[i] & CONFIRMED else 0
        if (
            status[q] == 1
            and age > SECOND // 2
            and age > 2.5 * SECOND * longest_period(live, i, beams, t, 10 * SECOND)
        ):
            status[q] = 2
        sensors = bits = 0
        for k in range(FED):
            if fed_sensor[i, k] < 0:
                break
            if t - fed_ns[i, k] > 5 * SECOND:
                continue
            bits |= 1 << fed_kind[i, k]
            new = 1
            for a in range(k):
                if fed_sensor[i, a] == fed_sensor[i, k] and t - fed_ns[i, a] <= 5 * SECOND:
                    new = 0
            sensors += new
        out.n_sensors[q], out.sensor_kinds[q] = sensors, bits
