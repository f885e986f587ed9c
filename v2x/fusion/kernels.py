"""One slice of fusion: predict, spawn, report.

TOMB/P (Williams, "Marginal multi-Bernoulli filters", IEEE TAES 2015) with a birth density that is
a share of the sensor's clutter: fixed, or as much as `v2x.fusion.intensity` expects. Scans run one
after another in time order, each sensor with its own noise, detection probability and clutter; two
sensors never meet in one association. State changes only at scans (a report predicts copies), so
how a stream is cut into steps changes nothing. Every sum runs in an order that content decides.

What tracks do before the association and what new ones are made of is here; the plots, the grid
and the gate are in `v2x.fusion.gating`, what an association does to the tracks is in
`v2x.fusion.updating`, and the order of it all in `v2x.fusion.running`.
"""

import math

from v2x.columns import F8, I4, I8
from v2x.fusion.lanes import (
    merge,
    predict_flat,
    predict_tall,
)
from v2x.fusion.layout import (
    AIR,
    ALIVE,
    BEARINGS,
    CLAIMS,
    CONFIRMED,
    ENDS,
    FED,
    FLAT,
    FLOODED,
    HAS_UP,
    HEAD,
    INFLATE,
    KINDS,
    NAMELESS,
    PLACES,
    POINT,
    RADIAL,
    RADIAL_SD,
    RESIDUALS,
    SECOND,
    SECTORS,
    SIGHTED,
    TALL,
    TOP,
    WIDTH,
    YOUNG,
    Beams,
    Edges,
    Live,
    Look,
    Motion,
    Notes,
    Output,
    Settings,
    Sheet,
)
from v2x.fusion.lives import (
    R_CAP,
    boundless,
    expired,
    found_state,
    is_claim,
    kind_in_effect,
    longest_period,
    manner_of,
    share_inside,
    survival,
    take_kind,
    take_slot,
    velocity_var,
)
from v2x.fusion.modes import prepare
from v2x.fusion.motion import clamp, flat_innovation, full_innovation, predict
from v2x.fusion.sectors import gather_sights, lay_sights
from v2x.fusion.sights import radial_start
from v2x.jit import inlined, kernel

RADAR = 1
"""Number of `SensorKind`, which kernels cannot import; a test compares."""


@kernel
def extent(
    beams: Beams, k: int, look: Look, n: int
) -> tuple[bool, float, float, float, float, float]:
    """Whether a look of sensor `k` concerns only what is near, and near what.

    The largest variance of its plots, and a box (west, east, south, north) round plots and
    coverage.
    """
    edge, first, end, looks = beams.edge, beams.first[k], beams.end[k], beams.looks[k]
    worst = 0.0
    lo_e = lo_n = 1e300
    hi_e = hi_n = -1e300
    if (looks and end == first) or look.size[BEARINGS]:
        return False, worst, lo_e, hi_e, lo_n, hi_n
    for j in range(n):
        worst = max(worst, max(look.R[j, 0], look.R[j, 3]))
        lo_e, hi_e = min(lo_e, look.z[j, 0]), max(hi_e, look.z[j, 0])
        lo_n, hi_n = min(lo_n, look.z[j, 1]), max(hi_n, look.z[j, 1])
    for v in range(first, end if looks else first):
        lo_e, hi_e = min(lo_e, edge[v, 0]), max(hi_e, edge[v, 0])
        lo_n, hi_n = min(lo_n, edge[v, 1]), max(hi_n, edge[v, 1])
    return True, worst, lo_e, hi_e, lo_n, hi_n


@kernel
def advance(
    live: Live,
    beams: Beams,
    k: int,
    t: int,
    g: Edges,
    cfg: Settings,
    motion: Motion,
    lo: int,
    hi: int,
    near: tuple[bool, float, float, float, float, float],
) -> None:
    """Predict to `t` the tracks in slots ``lo:hi`` this look concerns; how likely it sees each.

    Looks concern every track that may be where the sensor sees; rows of a sensor that only reports
    concern the tracks near them (`extent`). The others stay as they are, predicted when a look
    concerns them. Fills ``g.p_detect`` (-1: not concerned, `ENDS`: expired).
    """
    s, up, bar, r, when, mode = live.s, live.up, live.bar, live.r, live.t, live.mode
    last = live.last
    chance, edge, manner = g.p_detect, beams.edge, live.manner
    move, scratch, lanes = motion.move, motion.p, cfg.lanes
    stamp = 13 * len(lanes) + 1
    first, end, low, high = beams.first[k], beams.end[k], beams.low[k], beams.high[k]
    looks, bounded = beams.looks[k], beams.bounded[k]
    p = min(beams.p_detect[k], 1.0 - 1e-6)
    local, worst, lo_e, hi_e, lo_n, hi_n = near
    death = cfg.death
    for i in range(lo, hi):
        chance[i] = -1.0
        if not mode[i] & ALIVE:
            continue
        dt = (t - when[i]) * 1e-9
        if local:
            far = 5.0 * math.sqrt(bar[i, 4] + bar[i, 6] + 2.0 * worst)
            far += dt * (40.0 + abs(bar[i, 2]) + abs(bar[i, 3]))
            far += dt * 5.0 * math.sqrt(bar[i, 11] + bar[i, 13])
            e, v = bar[i, 0], bar[i, 1]
            if e + far < lo_e or e - far > hi_e or v + far < lo_n or v - far > hi_n:
                if t - last[i] > cfg.end_ns and expired(live, i, beams, t, cfg):
                    chance[i] = ENDS
                continue
        if dt > 0.0:
            way = manner[i]
            if move[way, stamp] != dt:
                prepare(motion.manners, way, dt, move, lanes)
            if mode[i] & YOUNG:
                psd, psd_up = motion.manners[way, 1, 0], motion.manners[way, 2, 0]
                predict(bar, i, mode[i] & HAS_UP, dt, psd, psd_up)
            else:
                if mode[i] & HAS_UP:
                    predict_tall(s, up, bar, i, move, way, scratch, lanes)
                predict_flat(s, bar, i, move, way, scratch, lanes)
            r[i] *= survival(death, dt)
            when[i] = t
        if boundless(bar, i) or (t - last[i] > 2 * SECOND and expired(live, i, beams, t, cfg)):
            chance[i] = ENDS
            continue
        chance[i] = p
        if bounded and looks:
            has_up = mode[i] & HAS_UP
            chance[i] *= share_inside(bar, i, has_up, edge, first, end, low, high, cfg.height_ref)


@kernel
def turn_to(
    beams: Beams,
    k: int,
    sheet: Sheet,
    scan: int,
    n: int,
    cells: int,
    c: float,
    unclaimed: float,
    look: Look,
    counts: I8,
) -> int:
    """Note where sensor `k` stands, and bring in its lines of sight; plots of all kinds."""
    size, pose, inflate = look.size, look.pose, beams.inflate[k]
    size[PLACES], size[BEARINGS], size[SECTORS] = n, 0, 1
    size[SIGHTED], size[POINT] = sheet.sight.shape[0] > 0, beams.kind[k] == RADAR
    pose[0], pose[1], pose[2] = beams.place[k, 0], beams.place[k, 1], beams.place[k, 2]
    pose[INFLATE] = inflate
    if not size[SIGHTED]:
        return n
    total = lay_sights(sheet, sheet.scan_first[scan], sheet.scan_end[scan], n, cells, look, counts)
    gather_sights(sheet, n, total, inflate, c, unclaimed, look)
    for p in range(total):
        look.plain[p] = 0
    return total


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
        y0, y1, a, b, c, _ = flat_innovation(live.bar, i, look.z, look.R, j)
        notes.innovation[q, 2] = math.nan
        notes.nis[q] = a * y0 * y0 + 2.0 * b * y0 * y1 + c * y1 * y1
        notes.dim[q] = 2
    else:
        y0, y1, y2, a, b, c, d, e, f, _ = full_innovation(live.bar, i, look.z, look.R, j)
        notes.innovation[q, 2] = y2
        notes.nis[q] = a * y0 * y0 + d * y1 * y1 + f * y2 * y2
        notes.nis[q] += 2.0 * (b * y0 * y1 + c * y0 * y2 + e * y1 * y2)
        notes.dim[q] = 3
    notes.innovation[q, 0], notes.innovation[q, 1] = y0, y1


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
    new, clutter = look.new, beams.clutter[k]
    factor = cfg.velocity_factor * math.sqrt(beams.inflate[k])
    s, z, R, rows, alone = live.bar, look.z, look.R, look.row, look.alone
    vel, labels, conf, idents, flags = (
        sheet.vel,
        sheet.kind,
        sheet.kind_conf,
        sheet.ident,
        sheet.flags,
    )
    kinds, fed_sensor, born_z = live.kinds, live.fed_sensor, live.born_z
    sighted = look.size[SIGHTED]
    for j in range(n):
        r = min(R_CAP, alone[j] * (new[j] / (new[j] + clutter)))
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
        live.manner[i] = manner_of(label)
        live.mode[i] = (
            ALIVE
            | YOUNG
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
        elif sighted and abs(sheet.sight[row, RADIAL]) < 1e4:
            rate, sd = sheet.sight[row, RADIAL], sheet.sight[row, RADIAL_SD]
            radial_start(s, i, up, look.pose, rate, sd, look.d)
        clamp(s, i, True)
        live.r[i], live.t[i], live.last[i], live.first[i] = r, t, t, t
        live.ident[i, 0], live.ident[i, 1] = idents[row], -1
        live.ident_ns[i, 0], live.ident_ns[i, 1] = t, 0
        for q in range(KINDS):
            kinds[i, q] = 0.0
        live.kind[i], live.kind_prob[i] = 0, 1.0 / KINDS
        if 0 < label < KINDS:
            take_kind(live, i, label, conf[row])
        for q in range(FED):
            fed_sensor[i, q], live.fed_ns[i, q], live.fed_kind[i, q] = -1, 0, 0
            live.fed_ref[i, q] = -1
        fed_sensor[i, 0], live.fed_ns[i, 0], live.fed_kind[i, 0] = k, t, kind
        live.fed_ref[i, 0] = sheet.track_ref[row]
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
def choose(live: Live, beams: Beams, t: int, cfg: Settings, slots: I4, counts: I8) -> int:
    """Slots to report at `t`, in the order of founding, into `slots`; how many."""
    r, when, mode, last, links = live.r, live.t, live.mode, live.last, live.links
    death, drop, confirm, ids = cfg.death, cfg.drop, cfg.confirm, live.id
    n, i = 0, counts[HEAD]
    counts[NAMELESS] = 0
    while i >= 0:
        exist = r[i] * survival(death, (t - when[i]) * 1e-9)
        wanted = exist >= confirm or (mode[i] & CONFIRMED and exist >= drop)
        if wanted and (t - last[i] <= 2 * SECOND or not expired(live, i, beams, t, cfg)):
            slots[n] = i
            n += 1
            counts[NAMELESS] += ids[i] < 0
        i = links[i, 1]
    return n


@inlined
def unfold(s: F8, i: int, x: F8, P: F8, q: int) -> None:
    """Row `i` of Gaussians as mean ``x[q]`` (6) and covariance ``P[q]`` (6, 6)."""
    x[q, 0], x[q, 1], x[q, 2] = s[i, 0], s[i, 1], s[i, 14]
    x[q, 3], x[q, 4], x[q, 5] = s[i, 2], s[i, 3], s[i, 15]
    P[q, 0, 0], P[q, 1, 1], P[q, 2, 2] = s[i, 4], s[i, 6], s[i, 16]
    P[q, 3, 3], P[q, 4, 4], P[q, 5, 5] = s[i, 11], s[i, 13], s[i, 18]
    P[q, 0, 1] = P[q, 1, 0] = s[i, 5]
    P[q, 0, 2] = P[q, 2, 0] = s[i, 19]
    P[q, 0, 3] = P[q, 3, 0] = s[i, 7]
    P[q, 0, 4] = P[q, 4, 0] = s[i, 8]
    P[q, 0, 5] = P[q, 5, 0] = s[i, 21]
    P[q, 1, 2] = P[q, 2, 1] = s[i, 20]
    P[q, 1, 3] = P[q, 3, 1] = s[i, 9]
    P[q, 1, 4] = P[q, 4, 1] = s[i, 10]
    P[q, 1, 5] = P[q, 5, 1] = s[i, 22]
    P[q, 2, 3] = P[q, 3, 2] = s[i, 23]
    P[q, 2, 4] = P[q, 4, 2] = s[i, 24]
    P[q, 2, 5] = P[q, 5, 2] = s[i, 17]
    P[q, 3, 4] = P[q, 4, 3] = s[i, 12]
    P[q, 3, 5] = P[q, 5, 3] = s[i, 25]
    P[q, 4, 5] = P[q, 5, 4] = s[i, 26]


@kernel
def report(
    live: Live,
    beams: Beams,
    t: int,
    cfg: Settings,
    motion: Motion,
    slots: I4,
    begin: int,
    end: int,
    out: Output,
) -> None:
    """Copies of the chosen tracks, those of number ``begin:end``, predicted to `t`."""
    s, up, bar, r, when, mode = live.s, live.up, live.bar, live.r, live.t, live.mode
    last = live.last
    row, lane_row, up_row, p, move = motion.bar, motion.row, motion.up, motion.p, motion.move
    manner, lanes, manners = live.manner, cfg.lanes, motion.manners
    stamp = 13 * len(lanes) + 1
    claims, first, ids = live.ident, live.first, live.id
    fed_sensor, fed_kind, fed_ns = live.fed_sensor, live.fed_kind, live.fed_ns
    x, P, exist, status = out.x, out.P, out.exist, out.status
    death = cfg.death
    for q in range(begin, end):
        i = slots[q]
        dt, tall = (t - when[i]) * 1e-9, mode[i] & HAS_UP
        if dt > 0.0:
            for k in range(WIDTH):
                row[0, k] = bar[i, k]
        if dt > 0.0 and mode[i] & YOUNG:
            predict(row, 0, tall, dt, manners[manner[i], 1, 0], manners[manner[i], 2, 0])
        elif dt > 0.0:
            if move[manner[i], stamp] != dt:
                prepare(manners, manner[i], dt, move, lanes)
            for k in range(FLAT * len(lanes)):
                lane_row[0, k] = s[i, k]
            if tall:
                for k in range(TALL * len(lanes)):
                    up_row[0, k] = up[i, k]
                predict_tall(lane_row, up_row, row, 0, move, manner[i], p, lanes)
            predict_flat(lane_row, row, 0, move, manner[i], p, lanes)
            merge(lane_row, up_row, row, 0, tall, p, lanes)
        if dt > 0.0:
            unfold(row, 0, x, P, q)
        else:
            unfold(bar, i, x, P, q)
        exist[q] = r[i] * survival(death, dt)
        out.id[q], out.t_ns[q], out.ident[q] = ids[i], t, claims[i, 0]
        out.first_ns[q], out.last_ns[q] = first[i], last[i]
        out.kind[q], out.kind_prob[q] = live.kind[i], live.kind_prob[i]
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
