"""The life of a track apart from its motion: slots, claims, kinds, who fed it, when it ends."""

import math

from v2x.columns import F8, I4, I8, U1
from v2x.fusion.layout import (
    AIR,
    CLAIMS,
    FED,
    FREE,
    HEAD,
    KINDS,
    LIVE,
    SECOND,
    SERIAL,
    TAIL,
    TOP,
    WIDTH,
    Beams,
    Live,
    Settings,
)
from v2x.fusion.motion import MAX_VAR, exp_neg
from v2x.jit import inlined, kernel

R_CAP = 1.0 - 1e-7
"""Existence never reaches 1: ``1 - r p_D`` would cancel."""
WIDE_UP_VAR, WIDE_CLIMB_VAR = 2.5e7, 225.0
"""Variance of up and its rate while no height was measured: 5 km, 15 m/s."""
CLAIM_FLAG, RELAYED_FLAG = 1, 1 << 12
REMOTE_ID, ADS_B, SELF_REPORT, RELAYED = 4, 5, 6, 7
"""Bits of `Flag` and numbers of `SensorKind`, which kernels cannot import; a test compares."""


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


@inlined
def expired(live: Live, i: int, beams: Beams, t: int, cfg: Settings) -> bool:
    """No plot for too long, or its ellipse has grown larger than useful.

    Never within 2 s or 2.5 periods of the slowest sensor that fed it.
    """
    age = t - live.last[i]
    if age <= 2 * SECOND or age <= 2.5 * SECOND * longest_period(live, i, beams, t, 2**62):
        return False
    limit = cfg.end_var_air if live.mode[i] & AIR else cfg.end_var_ground
    return bool(age > cfg.end_ns or max(live.bar[i, 4], live.bar[i, 6]) > limit)


@inlined
def boundless(bar: F8, i: int) -> bool:
    """The ellipse of track `i` is larger than numbers are kept for."""
    return bool(max(bar[i, 4], bar[i, 6]) > MAX_VAR)


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


@inlined
def survival(death: float, dt: float) -> float:
    """``exp(-death dt)``."""
    x = -death * dt
    return 1.0 + x * (1.0 + x * (0.5 + x / 6.0)) if x > -5e-3 else exp_neg(x)


@inlined
def is_claim(kind: int) -> bool:
    """Kinds that only repeat what the object says of itself."""
    return kind == RELAYED or REMOTE_ID <= kind <= SELF_REPORT


@inlined
def kind_in_effect(kind: int, flags: int) -> int:
    """`SensorKind` of a row: a relay is no second opinion, a self-report says so."""
    if flags & RELAYED_FLAG:
        return RELAYED
    if flags & CLAIM_FLAG and kind != REMOTE_ID and kind != ADS_B:
        return SELF_REPORT
    return kind


@inlined
def feed(
    fed_sensor: I4,
    fed_kind: U1,
    fed_ns: I8,
    fed_ref: I8,
    i: int,
    k: int,
    kind: int,
    t: int,
    ref: int,
) -> None:
    """Note that sensor `k` fed track `i`, as `kind`, with its number; the stalest gives way."""
    spot, oldest = -1, 2**62
    # no early end: which sensor stands where is a coin toss to the processor
    for f in range(FED):
        if (fed_sensor[i, f] == k) & (fed_kind[i, f] == kind):
            spot = f
    if spot >= 0:
        fed_ns[i, spot], fed_ref[i, spot] = t, ref
        return
    for f in range(FED):
        if fed_sensor[i, f] < 0:
            spot = f
            break
        if fed_ns[i, f] < oldest:
            spot, oldest = f, fed_ns[i, f]
    fed_sensor[i, spot] = k
    fed_kind[i, spot] = kind
    fed_ns[i, spot] = t
    fed_ref[i, spot] = ref


@inlined
def ref_factor(fed_sensor: I4, fed_ref: I8, i: int, k: int, ref: int, same: float) -> float:
    """Weight of the number `ref` >= 0 that sensor `k` gives a plot, on track `i`."""
    for f in range(FED):
        if fed_sensor[i, f] == k and fed_ref[i, f] == ref:
            return same
    return 1.0


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
def take_kind(live: Live, i: int, kind: int, conf: float) -> None:
    """Add a label to the evidence (bounded, so that a later truth can win); sets how it moves."""
    kinds, mode, manner = live.kinds, live.mode, live.manner
    total = 0.0
    for k in range(KINDS):
        total += kinds[i, k]
    if total > 20.0:
        for k in range(KINDS):
            kinds[i, k] *= 20.0 / total
        total = 20.0
    kinds[i, kind] += max(0.05, certain(conf))
    total += max(0.05, certain(conf))
    best = 0
    for k in range(1, KINDS):
        if kinds[i, k] > kinds[i, best]:
            best = k
    live.kind[i], live.kind_prob[i] = best, (kinds[i, best] + 1.0 / KINDS) / (total + 1.0)
    manner[i] = manner_of(best)
    if 8 <= best <= 11:
        mode[i] |= AIR
    else:
        mode[i] &= ~AIR & 255


@inlined
def certain(conf: float) -> float:
    """A confidence inside [0, 1]; 0 for what is none."""
    return min(conf, 1.0) if conf > 0.0 else 0.0


@kernel
def manner_of(kind: int) -> int:
    """Row of `v2x.fusion.modes.MANNERS` for a kind; the unknown move like what drives."""
    if kind in (1, 2):
        return 1
    if kind in (8, 10, 11):
        return 2
    return 3 if kind == 9 else 0


@kernel
def velocity_var(sd: float, factor: float) -> float:
    """Variance of a reported velocity per axis; 1 m/s where its sender gives none."""
    d = factor * (max(0.25, sd) if sd == sd else 1.0)
    return d * d


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
def compact(live: Live, moved: I4, counts: I8) -> None:
    """Close the gaps once three slots of four are free, as after a flood; keeps the slot order.

    Decided after a scan from what lives then, so cuts between steps do not matter. `moved` (slots)
    is scratch.
    """
    to = 0
    for i in range(counts[TOP]):
        if live.mode[i]:
            moved[i] = to
            to += 1
    for i in range(counts[TOP]):
        if not live.mode[i]:
            continue
        d = moved[i]
        a, b = live.links[i, 0], live.links[i, 1]
        live.links[d, 0] = moved[a] if a >= 0 else -1
        live.links[d, 1] = moved[b] if b >= 0 else -1
        if d == i:
            continue
        live.s[d], live.up[d], live.bar[d] = live.s[i], live.up[i], live.bar[i]
        live.manner[d] = live.manner[i]
        live.r[d], live.t[d], live.mode[d] = live.r[i], live.t[i], live.mode[i]
        live.last[d], live.first[d] = live.last[i], live.first[i]
        live.serial[d], live.id[d], live.claimed[d] = live.serial[i], live.id[i], live.claimed[i]
        live.kind[d], live.kind_prob[d] = live.kind[i], live.kind_prob[i]
        live.ident[d], live.ident_ns[d], live.kinds[d] = (
            live.ident[i],
            live.ident_ns[i],
            live.kinds[i],
        )
        live.fed_sensor[d], live.fed_kind[d] = live.fed_sensor[i], live.fed_kind[i]
        live.fed_ns[d], live.fed_ref[d] = live.fed_ns[i], live.fed_ref[i]
        live.born_sensor[d], live.born_ident[d] = live.born_sensor[i], live.born_ident[i]
        live.born_z[d] = live.born_z[i]
        live.mode[i] = 0
    if counts[HEAD] >= 0:
        counts[HEAD], counts[TAIL] = moved[counts[HEAD]], moved[counts[TAIL]]
    counts[TOP], counts[FREE] = to, 0
