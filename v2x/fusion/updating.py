"""What a look does to the tracks it concerns: existence, residuals, state, and what else plots say.

`settle` runs these verbs over a block of slots after the other, so that what a track is made of
comes from memory once. Blocks follow the order of the slots, and so does every sum.
"""

import math

from v2x.columns import F8, I8
from v2x.fusion.intensity import Chart, Unseen, give_back
from v2x.fusion.lanes import (
    add_flat,
    add_tall,
    apply_flat,
    apply_tall,
    clear,
    fan_out,
    merge,
    raise_up,
    steer,
    torn,
    untie,
)
from v2x.fusion.layout import (
    ALIVE,
    BLOCK,
    CLAIMS,
    CONFIRMED,
    FED,
    HAS_UP,
    KINDS,
    PLACES,
    RADIAL,
    RADIAL_SD,
    RESIDUALS,
    SIGHTED,
    TOP,
    YOUNG,
    Beams,
    Edges,
    Live,
    Look,
    Motion,
    Notes,
    Settings,
    Sheet,
)
from v2x.fusion.lives import (
    R_CAP,
    end_track,
    feed,
    is_claim,
    kind_in_effect,
    take_claim,
    take_kind,
    velocity_var,
)
from v2x.fusion.motion import MAX_VAR, flat_innovation, full_innovation
from v2x.fusion.rates import Ledger
from v2x.fusion.sights import radial_doubt
from v2x.fusion.windows import EPOCH, LIMIT, Windows, enter, rank_of
from v2x.jit import kernel


@kernel
def weigh(
    live: Live,
    beams: Beams,
    k: int,
    t: int,
    g: Edges,
    cfg: Settings,
    on: Chart,
    unseen: Unseen,
    told: F8,
    row: int,
    counts: I8,
    lo: int,
    hi: int,
) -> None:
    """Existence of the tracks in slots ``lo:hi`` after this look; ends those below the prune level.

    Fills ``g.mu`` of each edge with its share of the mixture, given that the object exists, and
    ``g.tail`` of each slot with its best edge (-1 none). Adds to ``told[row]`` how many of the
    tracks that were confirmed before this look got a plot, and how many of them it could have seen.
    """
    hits, seen = told[row, 0], told[row, 1]
    whole = 1.0 / min(beams.p_detect[k], 1.0 - 1e-6)
    r, mode, last = live.r, live.mode, live.last
    first, beta, share, beta0 = g.first, g.beta, g.mu, g.beta0
    chance, best_edge = g.p_detect, g.tail
    looks, prune, confirm, drop = beams.looks[k], cfg.prune, cfg.confirm, cfg.drop
    for i in range(lo, hi):
        best_edge[i] = -1
        p = chance[i]
        a, b = first[i], first[i + 1]
        if p < 0.0 or (a == b and not looks):
            continue
        kept = r[i] * (1.0 - p) / (1.0 - r[i] * p) if looks else r[i]
        hit = 0.0
        if a == b:
            r[i] = kept
        else:
            best = a
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
        if mode[i] & CONFIRMED:
            hits += hit * p * whole
            seen += r[i] * p * whole
        if not r[i] >= prune:  # nor what is no number
            give_back(on, unseen, live, i, beams)
            end_track(live, i, counts)
            best_edge[i] = -1
        elif r[i] > confirm:
            mode[i] |= CONFIRMED
        elif r[i] < drop:
            mode[i] &= ~CONFIRMED & 255
    told[row, 0], told[row, 1] = hits, seen if looks else 0.0


@kernel
def sample(
    live: Live,
    k: int,
    t: int,
    sheet: Sheet,
    look: Look,
    g: Edges,
    span_ns: int,
    w: Windows,
    lo: int,
    hi: int,
) -> None:
    """Put plots that belong to a confirmed track in ``lo:hi`` beyond doubt into its window.

    Of the tracks drawn, if another sensor fed the track within the last `span_ns`.
    """
    epoch, fed, fed_ns, serial = w.head[EPOCH], live.fed_sensor, live.fed_ns, live.serial
    beta, plot, best_edge, mode = g.beta, g.plot, g.tail, live.mode
    for i in range(lo, hi):
        best = best_edge[i]
        if best < 0 or not (beta[best] > 0.9 and mode[i] & CONFIRMED):
            continue
        p = plot[best]
        if p >= look.size[PLACES]:
            continue
        rank = rank_of(serial[i], epoch)
        if rank > w.head[LIMIT]:
            continue
        backed = False
        for f in range(FED):
            backed |= fed[i, f] >= 0 and fed[i, f] != k and t - fed_ns[i, f] <= span_ns
        if backed:
            enter(w, rank, t, k, serial[i], look.z, sheet.cov, p, look.row[p])


@kernel
def residuals(
    live: Live,
    k: int,
    t: int,
    sheet: Sheet,
    look: Look,
    g: Edges,
    notes: Notes,
    sums: F8,
    counts: I8,
    lo: int,
    hi: int,
) -> None:
    """Residuals of the plots that belong to a confirmed track in ``lo:hi`` beyond doubt."""
    beta, plot, spot, best_edge, mode = g.beta, g.plot, g.spot, g.tail, live.mode
    s, z, R, rows, idents = live.bar, look.z, look.R, look.row, sheet.ident
    room = notes.t.shape[0]
    times, sensors, slots, serials = notes.t, notes.sensor, notes.slot, notes.serial
    tracks, claims, innovation = notes.track, notes.ident, notes.innovation
    nis, dim, conflict, serial, ids = notes.nis, notes.dim, notes.conflict, live.serial, live.id
    q = counts[RESIDUALS]
    for i in range(lo, hi):
        best = best_edge[i]
        if best < 0 or not (beta[best] > 0.9 and mode[i] & CONFIRMED):
            continue
        p, j = plot[best], spot[best]
        line = p >= look.size[PLACES]
        if math.isnan(z[j, 2]):
            y0, y1, a, b, c, _ = flat_innovation(s, i, z, R, j)
            y2, size = math.nan, 1 if line else 2
            d2 = a * y0 * y0 + 2.0 * b * y0 * y1 + c * y1 * y1
        else:
            y0, y1, y2, a, b, c, d, e, f, _ = full_innovation(s, i, z, R, j)
            size = 2 if line else 3
            d2 = a * y0 * y0 + d * y1 * y1 + f * y2 * y2
            d2 += 2.0 * (b * y0 * y1 + c * y0 * y2 + e * y1 * y2)
        sums[k, 0] += d2
        sums[k, 1] += size
        if q == room:
            continue
        times[q], sensors[q], slots[q], serials[q] = t, k, i, serial[i]
        tracks[q], claims[q], conflict[q] = ids[i], idents[rows[p]], 0
        innovation[q, 0], innovation[q, 1], innovation[q, 2] = y0, y1, y2
        nis[q], dim[q] = d2, size
        q += 1
    counts[RESIDUALS] = q


@kernel
def mix(live: Live, look: Look, g: Edges, motion: Motion, cfg: Settings, lo: int, hi: int) -> None:
    """Moment-matched mixture of all edges of the tracks in slots ``lo:hi``, then of their lanes."""
    s, up, bar, mode, manner = live.s, live.up, live.bar, live.mode, live.manner
    z, R, acc, p, lanes = look.z, look.R, motion.acc, motion.p, cfg.lanes
    first, spot, share, best_edge, chance = g.first, g.spot, g.mu, g.tail, g.p_detect
    like, modal = g.like, g.modal
    for i in range(lo, hi):
        if chance[i] < 0.0 or not mode[i] & ALIVE:
            continue
        if best_edge[i] < 0:
            if not mode[i] & YOUNG:
                merge(s, up, bar, i, mode[i] & HAS_UP, p, lanes)
            continue
        tall, kept = mode[i] & HAS_UP, 1.0
        if mode[i] & YOUNG:
            mode[i] &= ~YOUNG & 255
            fan_out(s, bar, i, motion.share, manner[i], lanes)
            if tall:
                raise_up(up, bar, i, lanes)
        clear(acc, lanes)
        for e in range(first[i], first[i + 1]):
            w, j = share[e], spot[e]
            if w < 1e-6:
                continue
            kept -= w
            if math.isnan(z[j, 2]):
                add_flat(s, i, z, R, j, modal, e, w / like[e], acc, lanes)
            else:
                if not tall:
                    raise_up(up, bar, i, lanes)
                tall = HAS_UP
                add_tall(s, up, i, z, R, j, modal, e, w / like[e], acc, lanes)
        if tall:
            mode[i] |= HAS_UP
            apply_tall(s, up, i, acc, max(0.0, kept), lanes)
        else:
            apply_flat(s, i, acc, max(0.0, kept), lanes)
        merge(s, up, bar, i, tall, p, lanes)
        if torn(bar, i, tall):
            untie(s, up, i, tall, lanes)
            merge(s, up, bar, i, tall, p, lanes)


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
    motion: Motion,
    cfg: Settings,
    counts: I8,
    lo: int,
    hi: int,
) -> None:
    """What plots say beside their position: who fed, identity, kind, velocity.

    Only a plot that belongs to its track more likely than not is heard.
    """
    beta, plot, best_edge, rows = g.beta, g.plot, g.tail, look.row
    idents, labels, conf, flags = sheet.ident, sheet.kind, sheet.kind_conf, sheet.flags
    vel, vel_sd = sheet.vel, sheet.vel_sd
    fed_sensor, fed_kind, fed_ns = live.fed_sensor, live.fed_kind, live.fed_ns
    fed_ref, refs = live.fed_ref, sheet.track_ref
    claims, heard, claimed = live.ident, live.ident_ns, live.claimed
    s, up, bar, mode, p, lanes = live.s, live.up, live.bar, live.mode, motion.p, cfg.lanes
    sight, sighted, h = sheet.sight, look.size[SIGHTED], look.d
    for i in range(lo, hi):
        best = best_edge[i]
        if best < 0 or beta[best] <= 0.5:
            continue
        row, plain = rows[plot[best]], look.plain[plot[best]]
        kind = beams.kind[k] if plain else kind_in_effect(beams.kind[k], flags[row])
        feed(fed_sensor, fed_kind, fed_ns, fed_ref, i, k, kind, t, -1 if plain else refs[row])
        if claimed[i] and not is_claim(kind):
            claimed[i] = 0
            counts[CLAIMS] -= 1
        if plain:
            continue
        if idents[row] >= 0:
            take_claim(claims, heard, i, idents[row], t)
        if 0 < labels[row] < KINDS:
            take_kind(live, i, labels[row], conf[row])
        if vel[row, 0] == vel[row, 0]:
            var = velocity_var(vel_sd[row], factor) / beta[best]
            if not var < MAX_VAR:
                continue
            tall = mode[i] & HAS_UP
            if abs(vel[row, 0]) < 1e4 and abs(vel[row, 1]) < 1e4:
                steer(s, up, i, tall, 1.0, 0.0, 0.0, vel[row, 0], var, p, lanes)
                steer(s, up, i, tall, 0.0, 1.0, 0.0, vel[row, 1], var, p, lanes)
            if abs(vel[row, 2]) < 1e4 and tall:
                steer(s, up, i, tall, 0.0, 0.0, 1.0, vel[row, 2], var, p, lanes)
            merge(s, up, bar, i, tall, p, lanes)
        elif sighted and abs(sight[row, RADIAL]) < 1e4:
            rate, sd = sight[row, RADIAL], sight[row, RADIAL_SD]
            var = radial_doubt(bar, i, look.pose, rate, sd, beta[best], h)
            if var > 0.0:
                steer(s, up, i, mode[i] & HAS_UP, h[0], h[1], h[2], rate, var, p, lanes)
                merge(s, up, bar, i, mode[i] & HAS_UP, p, lanes)


@kernel
def settle(
    live: Live,
    beams: Beams,
    k: int,
    t: int,
    sheet: Sheet,
    look: Look,
    g: Edges,
    cfg: Settings,
    motion: Motion,
    on: Chart,
    unseen: Unseen,
    notes: Notes,
    told: F8,
    row: int,
    book: Ledger,
    w: Windows,
    counts: I8,
) -> None:
    """Update every track with its share of the plots of one look; `told[row]` as `weigh` says."""
    told[row, 0] = told[row, 1] = 0.0
    factor = cfg.velocity_factor * math.sqrt(beams.inflate[k])
    for lo in range(0, counts[TOP], BLOCK):
        hi = min(lo + BLOCK, counts[TOP])
        weigh(live, beams, k, t, g, cfg, on, unseen, told, row, counts, lo, hi)
        if g.first[lo] < g.first[hi]:
            sample(live, k, t, sheet, look, g, book.epoch_ns, w, lo, hi)
            residuals(live, k, t, sheet, look, g, notes, book.nis, counts, lo, hi)
        mix(live, look, g, motion, cfg, lo, hi)
        if g.first[lo] < g.first[hi]:
            learn(live, beams, k, t, sheet, look, g, factor, motion, cfg, counts, lo, hi)
