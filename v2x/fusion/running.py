"""One scan after the other, and the report at the end: the verbs of fusion in their order.

A scan is `begin`, `foresee`, `judge`, then what its plots do to the tracks, then `finish`. `step`
is all of it for one thread, a call a slice. With more threads the tracks are dealt out by slot
(`v2x.fusion.crew`): `foresee`, `renew` and `tell` run on parts of the slots at once, each with
scratch of its own and its own stretch of the edges, which `close_up` brings together, and its own
residuals, which `collect` does. Nothing is summed by part, so every number comes out of the same
operations in the same order.
"""

import math
from typing import Any

import numpy as np

from v2x.columns import I4
from v2x.fusion.association import associate
from v2x.fusion.crossings import cross
from v2x.fusion.gating import gate, gather, lay_out, widest
from v2x.fusion.intensity import expect, look_over, wake
from v2x.fusion.kernels import (
    advance,
    choose,
    conflicts,
    extent,
    report,
    spawn,
    turn_to,
)
from v2x.fusion.layout import (
    ALIVE,
    BLOCK,
    BOX,
    CHOSEN,
    CLAIMS,
    COPIES,
    DUPLICATES,
    ENDS,
    GRID,
    LIVE,
    LOCAL,
    LOOKED,
    PLACES,
    REFUSED,
    RESIDUALS,
    SIDE,
    SPOILT,
    TOP,
    TOTAL,
    WIDE,
    YOUNG,
    Edges,
    Look,
    Output,
    Sheet,
)
from v2x.fusion.lives import compact, end_track
from v2x.fusion.rates import enrol, gauge
from v2x.fusion.updating import learn, mix, residuals, sample, settle, weigh
from v2x.fusion.windows import EPOCH
from v2x.jit import kernel

ZERO: Any = np.int64(0)
ONE: Any = np.int64(1)
"""Plain numbers are types of their own to the compiler, which would compile their callees twice."""
LEAST = 0.1
"""Share of its detection probability that a sensor has at least where it gave a plot. Ours."""


@kernel
def begin(m: Any, sheet: Sheet, q: int) -> None:
    """Lay out the plots of scan `q`; `Look.size` and `Look.pose` say how."""
    beams, look, counts, book, cfg = m.beams, m.look, m.counts, m.ledger, m.cfg
    size, pose = look.size, look.pose
    k, t = sheet.scan_sensor[q], sheet.scan_ns[q]
    inflate, c = beams.inflate[k], beams.clutter[k] + beams.birth[k]
    size[COPIES], size[SPOILT] = counts[DUPLICATES], counts[REFUSED]
    n, grid, side = lay_out(sheet, sheet.scan_first[q], sheet.scan_end[q], inflate, look, counts)
    gauge(book, beams.clutter, beams.birth, k, sheet.z, sheet.cov, look.row, n)
    gather(sheet, n, inflate, book.doubt[k], c, cfg.unclaimed, look)
    size[TOTAL] = turn_to(beams, k, sheet, q, n, grid * grid, c, cfg.unclaimed, look, counts)
    size[GRID], pose[SIDE] = grid, side
    size[LOCAL], worst, west, east, south, north = extent(beams, k, look, n)
    pose[BOX], pose[BOX + 1], pose[BOX + 2] = worst, west, east
    pose[BOX + 3], pose[BOX + 4] = south, north
    pose[WIDE], pose[WIDE + 1] = widest(look, n)
    m.edges.first[0] = 0
    wake(m.chart, m.unseen, k, t)
    expect(
        m.chart, m.unseen, t, look.z, n, beams.clutter[k], beams.birth[k], look.c, look.new
    )  # fmt: skip


@kernel
def foresee(m: Any, sheet: Sheet, q: int, lo: int, hi: int, ne: int) -> int:
    """Predict the tracks in slots ``lo:hi`` that scan `q` concerns; list the plots each may own.

    A block of slots after the other, so that the gate finds what was predicted still at hand. Goes
    on after `ne` edges; returns the number of edges, -1 where they have no room.
    """
    live, beams, look, g, cfg, motion = m.live, m.beams, m.look, m.edges, m.cfg, m.motion
    size, pose = look.size, look.pose
    k, t = sheet.scan_sensor[q], sheet.scan_ns[q]
    least = LEAST * min(beams.p_detect[k], 1.0 - 1e-6)
    near = (
        size[LOCAL] > 0,
        pose[BOX], pose[BOX + 1], pose[BOX + 2], pose[BOX + 3], pose[BOX + 4],
    )  # fmt: skip
    wide, n, grid, side = (pose[WIDE], pose[WIDE + 1]), size[PLACES], size[GRID], pose[SIDE]
    for a in range(lo, hi, BLOCK):
        b = min(a + BLOCK, hi)
        advance(live, beams, k, t, g, cfg, motion, a, b, near)
        ne = gate(live, sheet, look, k, n, grid, side, least, g, cfg, motion, a, b, wide, ne)
        if ne < 0:
            return -1
    return ne


@kernel
def close_up(look: Look, g: Edges, lo: int, hi: int, ne: int, a: int, b: int) -> None:
    """Move edges ``a:b``, those of slots ``lo:hi``, to where edges end so far: `ne`.

    What a plot says of one track alone stands in a row numbered by edge, and moves with it.
    """
    gap, total = a - ne, look.size[TOTAL]
    if gap == 0:
        return
    z, R, plot, spot, w, like, modal = look.z, look.R, g.plot, g.spot, g.w, g.like, g.modal
    for e in range(a, b):
        d = e - gap
        plot[d], spot[d], w[d], like[d] = plot[e], spot[e], w[e], like[e]
        for m in range(modal.shape[1]):
            modal[d, m] = modal[e, m]
        if spot[e] >= total:
            spot[d] = spot[e] - gap
            for m in range(3):
                z[total + d, m] = z[total + e, m]
            for m in range(6):
                R[total + d, m] = R[total + e, m]
    for i in range(lo, hi):
        g.first[i + 1] -= gap


@kernel
def judge(m: Any, sheet: Sheet, q: int) -> None:
    """End the tracks that `foresee` found expired, and say who belongs to whom."""
    live, beams, look, g, cfg, counts = m.live, m.beams, m.look, m.edges, m.cfg, m.counts
    k, t, chance = sheet.scan_sensor[q], sheet.scan_ns[q], g.p_detect
    for i in range(counts[TOP]):
        if chance[i] == ENDS:
            end_track(live, i, counts)
            chance[i] = -1.0
    look_over(m.chart, m.unseen, k, t, min(beams.p_detect[k], 1.0 - 1e-6))
    top, total = counts[TOP], look.size[TOTAL]
    associate(top, total, g, cfg.sweeps, cfg.tolerance, cfg.exact, look.alone)


@kernel
def finish(m: Any, sheet: Sheet, q: int) -> None:
    """Count what scan `q` gave, found tracks on what is left of its plots, close gaps of slots."""
    live, beams, look, cfg, counts, told = m.live, m.beams, m.look, m.cfg, m.counts, m.told
    k, t = sheet.scan_sensor[q], sheet.scan_ns[q]
    n, total, row = look.size[PLACES], look.size[TOTAL], counts[LOOKED]
    told[row, 4] = sheet.scan_end[q] - sheet.scan_first[q]
    told[row, 5] = counts[DUPLICATES] - look.size[COPIES]
    enrol(m.ledger, k, t, look.alone, n, told, row)
    counts[LOOKED] = row + 1
    if n:
        conflicts(live, k, t, sheet, look, n, m.notes, counts)
        if beams.spawns[k]:
            spawn(live, beams, k, t, sheet, look, n, cfg, counts)
    if total > n and beams.spawns[k]:
        cross(live, beams, k, t, sheet, look, m.edges.follow, m.motion, cfg, counts)
    if counts[TOP] > 256 and counts[TOP] > 4 * counts[LIVE]:
        compact(live, m.edges.parent, counts)


@kernel
def undo(m: Any) -> None:
    """Take back the counts of a scan that has to begin again, with more room for its edges."""
    m.counts[DUPLICATES], m.counts[REFUSED] = m.look.size[COPIES], m.look.size[SPOILT]


@kernel
def run(m: Any, sheet: Sheet, scan: int, end: int) -> int:
    """Run scans ``scan:end``; how many are done.

    `m` is a `Memory` that is borrowed. Fewer than all are done where the next one begins
    another epoch of the windows, or the edges have no room. Turn or grow, and call again.
    """
    for q in range(scan, end):
        k, t = sheet.scan_sensor[q], sheet.scan_ns[q]
        if t // m.ledger.epoch_ns != m.windows.head[EPOCH]:
            return q
        begin(m, sheet, q)
        if foresee(m, sheet, q, ZERO, m.counts[TOP], ZERO) < 0:
            undo(m)
            return q
        judge(m, sheet, q)
        settle(
            m.live, m.beams, k, t, sheet, m.look, m.edges, m.cfg, m.motion, m.chart, m.unseen,
            m.notes, m.told, m.counts[LOOKED], m.ledger, m.windows, m.counts,
        )  # fmt: skip
        finish(m, sheet, q)
    return end


@kernel
def choose_all(m: Any, t_end: int) -> None:
    """Choose what to report at `t_end`, into `Memory.slots`."""
    m.counts[CHOSEN] = choose(m.live, m.beams, t_end, m.cfg, m.slots, m.counts)


@kernel
def tell(m: Any, t_end: int, chosen: int, part: int, parts: int, out: Output) -> None:
    """Report so many tracks chosen as they are at `t_end`: one of `parts`, dealt by the block."""
    for lo in range(part * BLOCK, chosen, parts * BLOCK):
        hi = min(lo + BLOCK, chosen)
        report(m.live, m.beams, t_end, m.cfg, m.motion, m.slots, lo, hi, out)


@kernel
def step(m: Any, sheet: Sheet, scan: int, t_end: int, out: Output) -> int:
    """Run the scans from number `scan` on, then report at `t_end` into `out` if it has room.

    Returns how many scans are done, as `run` does; unless all are, nothing is reported.
    """
    end = sheet.scan_ns.shape[0]
    scan = run(m, sheet, scan, end)
    if scan == end:
        choose_all(m, t_end)
        if m.counts[CHOSEN] <= out.id.shape[0]:
            tell(m, t_end, m.counts[CHOSEN], ZERO, ONE, out)
    return scan


@kernel
def deal(m: Any, parts: I4) -> None:
    """Cut the slots in use into `parts` of about the same work, at multiples of `BLOCK`.

    Fills ``parts[:, :2]``. A track without lanes yet takes a fifth of the time of others.
    """
    mode, top, n = m.live.mode, m.counts[TOP], parts.shape[0]
    whole = 0
    for i in range(top):
        if mode[i] & ALIVE:
            whole += 1 if mode[i] & YOUNG else 5
    p = done = 0
    parts[0, 0] = 0
    for i in range(top):
        if i % BLOCK == 0 and p + 1 < n and done * n >= whole * (p + 1):
            parts[p, 1] = parts[p + 1, 0] = i
            p += 1
        if mode[i] & ALIVE:
            done += 1 if mode[i] & YOUNG else 5
    parts[p, 1] = top
    for q in range(p + 1, n):
        parts[q, 0] = parts[q, 1] = top


@kernel
def weigh_all(m: Any, sheet: Sheet, q: int, parts: I4) -> None:
    """What `judge` does, and the existence of all tracks, where `foresee` ran on parts.

    parts (n, 4): the slots of each, and its edges.
    """
    live, beams, look, g, counts = m.live, m.beams, m.look, m.edges, m.counts
    k, t, span_ns = sheet.scan_sensor[q], sheet.scan_ns[q], m.ledger.epoch_ns
    for p in range(1, parts.shape[0]):
        lo, hi, a, b = parts[p, 0], parts[p, 1], parts[p, 2], parts[p, 3]
        close_up(look, g, lo, hi, g.first[lo], a, b)
    judge(m, sheet, q)
    row = counts[LOOKED]
    m.told[row, 0] = m.told[row, 1] = 0.0
    for lo in range(0, counts[TOP], BLOCK):
        hi = min(lo + BLOCK, counts[TOP])
        weigh(live, beams, k, t, g, m.cfg, m.chart, m.unseen, m.told, row, counts, lo, hi)
        if g.first[lo] < g.first[hi]:
            sample(live, k, t, sheet, look, g, span_ns, m.windows, lo, hi)


@kernel
def renew(m: Any, sheet: Sheet, q: int, lo: int, hi: int) -> None:
    """What plots do to the tracks in slots ``lo:hi`` that were weighed; residuals before that.

    Residuals and counts go into those of this part.
    """
    live, beams, look, g, cfg, motion = m.live, m.beams, m.look, m.edges, m.cfg, m.motion
    k, t = sheet.scan_sensor[q], sheet.scan_ns[q]
    factor = cfg.velocity_factor * math.sqrt(beams.inflate[k])
    for a in range(lo, hi, BLOCK):
        b = min(a + BLOCK, hi)
        if g.first[a] < g.first[b]:
            residuals(live, k, t, sheet, look, g, m.notes, m.ledger.nis, m.counts, a, b)
        mix(live, look, g, motion, cfg, a, b)
        if g.first[a] < g.first[b]:
            learn(live, beams, k, t, sheet, look, g, factor, motion, cfg, m.counts, a, b)


@kernel
def collect(m: Any, part: Any, sheet: Sheet, q: int) -> None:
    """Put the residuals and counts of a part behind those there are, as if there were no parts."""
    to, of, sums, counts, mine = m.notes, part.notes, m.ledger.nis, m.counts, part.counts
    k, room, at = sheet.scan_sensor[q], to.t.shape[0], counts[RESIDUALS]
    for e in range(mine[RESIDUALS]):
        sums[k, 0] += of.nis[e]
        sums[k, 1] += of.dim[e]
        if at == room:
            continue
        to.t[at], to.sensor[at], to.slot[at] = of.t[e], of.sensor[e], of.slot[e]
        to.serial[at], to.track[at], to.ident[at] = of.serial[e], of.track[e], of.ident[e]
        to.nis[at], to.dim[at], to.conflict[at] = of.nis[e], of.dim[e], of.conflict[e]
        for a in range(3):
            to.innovation[at, a] = of.innovation[e, a]
        at += 1
    counts[RESIDUALS] = at
    counts[CLAIMS] += mine[CLAIMS]
    mine[RESIDUALS] = mine[CLAIMS] = 0
