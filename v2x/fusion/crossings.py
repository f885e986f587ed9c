"""Tracks founded where two lines of sight meet, for one says nothing about range.

A line that belongs to no track is kept as a *hint* for 0.1 s, in a slot of its own that no other
part of the tracker touches. A later line of another sensor that passes it within three deviations
founds a track at the point nearest to both. How probable that is follows from Bayes: the density
of the second line under the first, its range being anything between 10 m and 1 km (uniform in the
logarithm), against that of false and new ones. Where lines of different objects cross there are
ghosts; the third sensor does not see them, and they end like any other false track.
"""

import math

from v2x.columns import I4, I8
from v2x.fusion.lanes import add_tall, apply_tall, clear, likelihood_tall
from v2x.fusion.layout import (
    AIR,
    ALIVE,
    BEARINGS,
    CONFIRMED,
    FED,
    FLOODED,
    FREE,
    HAS_UP,
    HINT,
    KINDS,
    MU,
    PLACES,
    SECOND,
    SERIAL,
    TALL,
    TOP,
    WIDTH,
    YOUNG,
    Beams,
    Live,
    Look,
    Motion,
    Settings,
    Sheet,
)
from v2x.fusion.lives import certain, is_claim, kind_in_effect, manner_of, take_slot
from v2x.fusion.motion import MIN_VAR, TWO_PI, clamp, exp_neg, predict
from v2x.fusion.sights import NEAR, put_line
from v2x.jit import kernel

KEPT_NS = SECOND // 10
"""A hint is as old as this at most."""
SIN2_CROSSING = 0.0027390523158633
"""Squared sine of 3 degrees: lines more nearly parallel have no point to speak of."""
MISS_D2 = 9.0
"""Squared deviations by which the lines may miss one another."""
LEAST_ALONE = 0.2
"""A line is a hint if it belongs to no track with this probability."""
FAR = 2e4
"""m: no farther than this from either sensor."""
LOG_RANGES = 4.605170185988092
"""Logarithm of the ratio of the farthest and nearest range at which something new may be."""
MOST_LINES, MOST_TRACKS = 256, 4
"""Lines of one scan that are looked at, and tracks one of them may found: floods stay cheap."""
ALOFT = 10.0
"""m over the higher sensor: what is there and says nothing else flies."""
ROTOR = 2
"""Row of `v2x.fusion.modes.MANNERS`."""


@kernel
def drop_hint(live: Live, i: int, counts: I8) -> None:
    """Give back the slot of hint `i`."""
    live.mode[i] = 0
    live.free[counts[FREE]] = i
    counts[FREE] += 1


@kernel
def keep_hint(
    live: Live,
    k: int,
    kind: int,
    t: int,
    sheet: Sheet,
    look: Look,
    j: int,
    alone: float,
    counts: I8,
) -> None:
    """Line `j` of sensor `k` into a slot: direction, variance and place of the sensor in `bar`."""
    if counts[FREE] > 0:
        counts[FREE] -= 1
        i = live.free[counts[FREE]]
    else:
        i = counts[TOP]
        counts[TOP] += 1
    blank(live, i, t)
    row = look.row[j]
    for q in range(3):
        live.bar[i, q], live.bar[i, 4 + q] = look.z[j, q], look.pose[q]
        live.born_z[i, q] = look.z[j, q]
    live.bar[i, 3] = look.R[j, 0]
    live.mode[i], live.manner[i], live.r[i] = HINT | YOUNG, 0, alone
    live.links[i, 0] = live.links[i, 1] = -1
    live.id[i], live.serial[i] = -1, counts[SERIAL]
    live.ident[i, 0], live.ident_ns[i, 0] = sheet.ident[row], t
    if 0 < sheet.kind[row] < KINDS:
        live.kinds[i, sheet.kind[row]] = max(0.05, certain(sheet.kind_conf[row]))
    live.fed_sensor[i, 0], live.fed_ns[i, 0] = k, t
    live.fed_kind[i, 0], live.fed_ref[i, 0] = kind, sheet.track_ref[row]
    live.born_sensor[i], live.born_ident[i] = k, sheet.ident[row]


@kernel
def blank(live: Live, i: int, t: int) -> None:
    """Slot `i` as of something that nothing is known of, at `t`."""
    for q in range(WIDTH):
        live.bar[i, q] = 0.0
    for q in range(KINDS):
        live.kinds[i, q] = 0.0
    for q in range(FED):
        live.fed_sensor[i, q], live.fed_ns[i, q], live.fed_kind[i, q] = -1, 0, 0
        live.fed_ref[i, q] = -1
    live.kind[i], live.kind_prob[i] = 0, 1.0 / KINDS
    live.t[i] = live.last[i] = live.first[i] = t
    live.ident[i, 0] = live.ident[i, 1] = -1
    live.ident_ns[i, 0] = live.ident_ns[i, 1] = 0
    live.claimed[i] = 0


@kernel
def meet(
    live: Live, h: int, look: Look, j: int, drift: float
) -> tuple[float, float, float, float, float]:
    """Hint `h` and line `j`: density of the line under the hint, per sr; 0 if they do not meet.

    And the ranges from both sensors to where they are nearest, the variance with which they may
    miss each other (`drift` of it for the motion between), and the squared sine of their angle.
    """
    b, z, pose = live.bar, look.z, look.pose
    x, y, u = b[h, 4] - pose[0], b[h, 5] - pose[1], b[h, 6] - pose[2]
    a = b[h, 0] * z[j, 0] + b[h, 1] * z[j, 1] + b[h, 2] * z[j, 2]
    d = b[h, 0] * x + b[h, 1] * y + b[h, 2] * u
    e = z[j, 0] * x + z[j, 1] * y + z[j, 2] * u
    sin2 = 1.0 - a * a
    if not sin2 >= SIN2_CROSSING:
        return 0.0, 0.0, 0.0, 0.0, 0.0
    far, near = (a * e - d) / sin2, (e - a * d) / sin2
    if not (NEAR < far < FAR and NEAR < near < FAR):
        return 0.0, 0.0, 0.0, 0.0, 0.0
    x += far * b[h, 0] - near * z[j, 0]
    y += far * b[h, 1] - near * z[j, 1]
    u += far * b[h, 2] - near * z[j, 2]
    var = b[h, 3] * far * far + look.R[j, 0] * near * near + drift + MIN_VAR
    d2 = (x * x + y * y + u * u) / var
    if not d2 <= MISS_D2:
        return 0.0, 0.0, 0.0, 0.0, 0.0
    density = exp_neg(-0.5 * d2) / math.sqrt(TWO_PI * var)
    return density * near * near / (math.sqrt(sin2) * LOG_RANGES * far), far, near, var, sin2


@kernel
def place_crossing(
    live: Live,
    i: int,
    h: int,
    look: Look,
    j: int,
    q: int,
    found: tuple[float, float, float, float, float],
    start: float,
    dt: float,
    motion: Motion,
) -> None:
    """Gaussian of a new track `i`: hint `h` moved on by `dt` s, updated with line `j`.

    Row `q` of the look is free for it. `start` is the variance of each velocity component.
    """
    bar, z, R, row, up = live.bar, look.z, look.R, motion.row, motion.up
    acc, lk = motion.acc, motion.p[:1].reshape((1, 1))
    _, far, near, var, sin2 = found
    wide = min(1e4 * var / sin2, 5e7)
    hint = bar[h]
    put_line(z, R, q, hint[4:7], far, hint, hint, hint[3] * far * far, wide)
    bar[i, 0], bar[i, 1], bar[i, 14] = z[q, 0], z[q, 1], z[q, 2]
    bar[i, 4], bar[i, 5], bar[i, 19] = R[q, 0], R[q, 1], R[q, 2]
    bar[i, 6], bar[i, 20], bar[i, 16] = R[q, 3], R[q, 4], R[q, 5]
    bar[i, 11] = bar[i, 13] = bar[i, 18] = start
    way = live.manner[i]
    predict(bar, i, 1, dt, motion.manners[way, 1, 0], motion.manners[way, 2, 0])
    line = z[j]
    put_line(z, R, q, look.pose, near, line, line, R[j, 0] * near * near, wide)
    for c in range(MU):
        row[0, c] = bar[i, c]
    row[0, MU] = 1.0
    for c in range(TALL):
        up[0, c] = bar[i, MU + c]
    clear(acc, (0,))
    v = likelihood_tall(row, up, 0, z, R, q, lk, 0, (0,))
    add_tall(row, up, 0, z, R, q, lk, 0, 1.0 / v, acc, (0,))
    apply_tall(row, up, 0, acc, 0.0, (0,))
    for c in range(WIDTH):
        bar[i, c] = row[0, c] if c < MU else up[0, c - MU]
    clamp(bar, i, True)


@kernel
def found_crossing(
    live: Live,
    beams: Beams,
    k: int,
    t: int,
    sheet: Sheet,
    look: Look,
    h: int,
    j: int,
    r: float,
    found: tuple[float, float, float, float, float],
    motion: Motion,
    cfg: Settings,
    counts: I8,
) -> None:
    """One new track where hint `h` and line `j` of sensor `k` meet."""
    row, i = look.row[j], take_slot(live, counts)
    blank(live, i, t)
    label = sheet.kind[row]
    if 0 < label < KINDS:
        live.kinds[i, label] = max(0.05, certain(sheet.kind_conf[row]))
    total = 0.0
    for q in range(1, KINDS):
        live.kinds[i, q] += live.kinds[h, q]
        total += live.kinds[i, q]
        if live.kinds[i, q] > live.kinds[i, label if label < KINDS else 0]:
            label = q
    if 0 < label < KINDS:
        live.kind[i] = label
        live.kind_prob[i] = (live.kinds[i, label] + 1.0 / KINDS) / (total + 1.0)
    up = look.pose[2] + found[2] * look.z[j, 2]
    aloft = label == 0 and up > ALOFT + max(look.pose[2], live.bar[h, 6])
    live.manner[i] = ROTOR if aloft else manner_of(label)
    place_crossing(
        live, i, h, look, j, look.size[PLACES] + look.size[BEARINGS], found,
        cfg.start_var_air, (t - live.t[h]) * 1e-9, motion,
    )  # fmt: skip
    live.mode[i] = (
        ALIVE
        | YOUNG
        | HAS_UP
        | (AIR if aloft or 8 <= label <= 11 else 0)
        | (CONFIRMED if r > cfg.confirm else 0)
    )
    live.r[i] = r
    ident = sheet.ident[row]
    live.ident[i, 0] = ident if ident >= 0 else live.ident[h, 0]
    live.ident_ns[i, 0] = t
    live.fed_sensor[i, 0], live.fed_ns[i, 0] = live.fed_sensor[h, 0], live.fed_ns[h, 0]
    live.fed_sensor[i, 1], live.fed_ns[i, 1] = k, t
    live.fed_kind[i, 0] = live.fed_kind[h, 0]
    live.fed_ref[i, 0], live.fed_ref[i, 1] = live.fed_ref[h, 0], sheet.track_ref[row]
    live.fed_kind[i, 1] = kind_in_effect(beams.kind[k], sheet.flags[row])
    live.born_sensor[i], live.born_ident[i] = k, ident
    live.born_z[i, 0], live.born_z[i, 1] = live.bar[i, 0], live.bar[i, 1]
    live.born_z[i, 2] = live.bar[i, 14]


@kernel
def cross(
    live: Live,
    beams: Beams,
    k: int,
    t: int,
    sheet: Sheet,
    look: Look,
    hints: I4,
    motion: Motion,
    cfg: Settings,
    counts: I8,
) -> None:
    """Found tracks where lines of this scan meet hints of other sensors; keep the rest as hints.

    `hints` (slots) is scratch. A line that founds a track is the less of a hint for another.
    """
    n = 0
    for i in range(counts[TOP]):
        if live.mode[i] & HINT:
            if t - live.t[i] > KEPT_NS:
                drop_hint(live, i, counts)
            else:
                hints[n] = i
                n += 1
    p, c = beams.p_detect[k], beams.clutter[k] + beams.birth[k]
    asked, begin = 0, look.size[PLACES]
    for j in range(begin, begin + look.size[BEARINGS]):
        alone, kind = look.alone[j], kind_in_effect(beams.kind[k], sheet.flags[look.row[j]])
        if not alone >= LEAST_ALONE or math.isnan(look.z[j, 2]) or is_claim(kind):
            continue
        if asked == MOST_LINES:
            counts[FLOODED] += 1
            continue
        asked += 1
        for _ in range(MOST_TRACKS):
            best, most = -1, cfg.prune
            found = (0.0, 0.0, 0.0, 0.0, 0.0)
            for q in range(n):
                h = hints[q]
                other, dt = live.born_sensor[h], (t - live.t[h]) * 1e-9
                if other == k or live.ident_ns[h, 1] == j + 1:
                    continue
                pair = meet(live, h, look, j, cfg.start_var_air * dt * dt)
                if pair[0] == 0.0:
                    continue
                new = beams.birth[other] / (beams.birth[other] + beams.clutter[other])
                odds = new * p * pair[0] / c
                r = live.r[h] * alone * odds / (1.0 + odds)
                if r >= most:
                    best, most, found = h, r, pair
            if best < 0:
                break
            live.ident_ns[best, 1] = j + 1
            found_crossing(
                live, beams, k, t, sheet, look, best, j, most, found, motion, cfg, counts
            )
            live.r[best] *= 1.0 - most
            alone *= 1.0 - most
        if alone >= LEAST_ALONE:
            keep_hint(live, k, kind, t, sheet, look, j, alone, counts)
