"""How many objects nobody has seen yet: the Poisson intensity of the undetected, place by place.

TOMB/P (Williams, "Marginal multi-Bernoulli filters", IEEE TAES 2015) keeps beside the tracks an
intensity of objects that no sensor has detected. It says how likely a first plot is a new object:
high at start-up, after silence and where nobody looks; low in the middle of a watched area. What
pruned tracks stood for goes back to it (Williams, "Hybrid Poisson and multi-Bernoulli filters",
FUSION 2012).

Its unit here is the birth density of the sensor that looks, ``birth_ratio x clutter``: 1 is the
steady state of a watched place, by definition, whatever sensors watch it. Kept is the excess over
1, which obeys::

    nobody has looked for a second    d excess / dt = rate (most - excess)
    a look                            excess <- (1 - p_D) excess, where the sensor may see

`most` is ``unseen_ratio / birth_ratio``. Both steps are affine and the same for all cells that the
same sensors see (a *zone*), so only zones are touched by a look: a cell has ``kept x level +
added`` with its zone's two numbers. At the first scan of each cell of a fixed grid of event time
all cells are brought up to date, and some of the intensity moves to the neighbours.

Cells lie round the polygons of the sensors; everything else is one more cell, without area: mass
given back there is lost.
"""

import math
from typing import NamedTuple

import numpy as np

from v2x.columns import B1, F8, I4, I8
from v2x.fusion.layout import HAS_UP, Beams, Live
from v2x.fusion.motion import exp_neg
from v2x.jit import inlined, kernel

SWEEP_NS = 500_000_000
"""Event time between two sweeps over all cells. Ours: 10 m/s take 12 s across a cell."""
PATIENCE_NS = 1_000_000_000
"""Births of so long after a look are those that 1 stands for."""
RATE = 0.1
"""1/s at which a place fills that nobody looks at. Ours."""
NEVER = -(2**62)
LEAST_SIDE = 128.0
MOST_CELLS = 128
"""m, and cells along an axis: beyond that the side doubles."""
SPEED = 10.0
"""m/s, of what moves from cell to cell: a gas of this mean speed loses ``speed / (pi side)`` of a
cell over each border per second."""
DEPTH = 100.0
"""m of height over which three-dimensional mass is spread when it is given back. Ours."""


class Chart(NamedTuple):
    """Where cells are and who sees them; nothing here ever changes but the scratch.

    Attributes
    ----------
    zone
        (cells + 1) zone of each cell, row by row from the south-west; the last cell is elsewhere.
    first, zones
        Zones that sensor k watches: ``zones[first[k]:first[k + 1]]``. It watches where it may see
        and its rows may found tracks.
    west, south, side
        m: corner and side of the cells.
    wide, high
        Cells east-west and south-north; 0: elsewhere is all there is.
    most, rate
        Excess that nothing passes (0: the map is off), and 1/s at which it gets there where
        nobody looks.
    moved
        (cells + 1) scratch.
    """

    zone: I4
    first: I4
    zones: I4
    west: float
    south: float
    side: float
    wide: int
    high: int
    most: float
    rate: float
    moved: F8


class Unseen(NamedTuple):
    """The intensity: what of it is state.

    Attributes
    ----------
    level
        (cells + 1) excess at the last sweep.
    kept, added, when
        (zones) of each zone since then, as of the ns `when`.
    looked
        (zones) ns of the last look at it.
    sweep
        (1) cell of event time in which the last sweep was, `NEVER` at first.
    """

    level: F8
    kept: F8
    added: F8
    when: I8
    looked: I8
    sweep: I8


def chart(beams: Beams, most: float) -> Chart:
    """Cells round the polygons of all sensors that watch, and zones of equal watch.

    A cell counts as watched if any of it is in the polygon: what is seen of a cell across the
    border is not to pass for new because of the rest.
    """
    watch = (beams.looks & beams.spawns) > 0
    bounded = watch & (beams.end > beams.first)
    wide = high = 0
    west = south = 0.0
    side = LEAST_SIDE
    if most > 0.0 and bounded.any():
        corners = np.concatenate(
            [beams.edge[beams.first[k] : beams.end[k]] for k in np.flatnonzero(bounded)]
        )
        low, top = corners.min(0), corners.max(0)
        while max(top - low) > (MOST_CELLS - 5) * side:
            side *= 2.0
        start = np.floor(low / side) - 2.0
        wide, high = (int(n) for n in np.floor(top / side) + 3.0 - start)
        west, south = (float(x) for x in start * side)
    seen = np.zeros((wide * high + 1, len(watch)), bool)
    seen[:, watch & ~bounded] = True
    if wide:
        north, east = np.divmod(np.arange(wide * high), wide)
        middle = np.stack((west + (east + 0.5) * side, south + (north + 0.5) * side), 1)
        for k in np.flatnonzero(bounded):
            seen[:-1, k] = _touched(middle, beams.edge[beams.first[k] : beams.end[k]], side)
    kinds, zone = np.unique(seen, axis=0, return_inverse=True)
    lists = [np.flatnonzero(kinds[:, k]) for k in range(len(watch))]
    return Chart(
        zone=zone.reshape(-1).astype(np.int32),
        first=np.cumsum([0, *map(len, lists)]).astype(np.int32),
        zones=np.concatenate([np.zeros(0, np.int64), *lists]).astype(np.int32),
        west=west,
        south=south,
        side=side,
        wide=wide,
        high=high,
        most=most,
        rate=RATE,
        moved=np.zeros(wide * high + 1),
    )


def _touched(middle: F8, polygon: F8, side: float) -> B1:
    """Whether the circle round each cell (n, 2) meets the polygon."""
    inside = np.zeros(len(middle), bool)
    nearest = np.full(len(middle), np.inf)
    e, n = middle.T
    for (ax, ay), (bx, by) in zip(np.roll(polygon, 1, 0), polygon, strict=True):
        if ay != by:
            inside ^= ((ay > n) != (by > n)) & (e < ax + (n - ay) / (by - ay) * (bx - ax))
        dx, dy = bx - ax, by - ay
        length = dx * dx + dy * dy
        f = np.clip(((e - ax) * dx + (n - ay) * dy) / length, 0.0, 1.0) if length > 0.0 else 0.0
        nearest = np.minimum(nearest, np.hypot(e - ax - f * dx, n - ay - f * dy))
    touched: B1 = inside | (nearest <= side * math.sqrt(0.5))
    return touched


def new_unseen(on: Chart) -> Unseen:
    """Nobody has looked yet."""
    zones = int(on.zone.max()) + 1
    made = Unseen(
        level=np.zeros(len(on.zone)),
        kept=np.zeros(zones),
        added=np.zeros(zones),
        when=np.zeros(zones, np.int64),
        looked=np.zeros(zones, np.int64),
        sweep=np.zeros(1, np.int64),
    )
    forget(on, made)
    return made


def copy_of(unseen: Unseen) -> Unseen:
    """Arrays of its own, for a checkpoint."""
    u = unseen
    return Unseen(
        u.level.copy(), u.kept.copy(), u.added.copy(), u.when.copy(), u.looked.copy(),
        u.sweep.copy(),
    )  # fmt: skip


def forget(on: Chart, unseen: Unseen) -> None:
    """As at the start."""
    unseen.level[:] = on.most
    unseen.kept[:], unseen.added[:], unseen.sweep[:] = 1.0, 0.0, NEVER
    unseen.when[:], unseen.looked[:] = 0, NEVER


@inlined
def stay_until(on: Chart, unseen: Unseen, z: int, t: int) -> float:
    """Share of what zone `z` lacks to `most` that it still lacks at `t`."""
    dt = t - max(unseen.when[z], unseen.looked[z] + PATIENCE_NS)
    return exp_neg(-min(50.0, on.rate * 1e-9 * dt)) if dt > 0 else 1.0


@kernel
def grow(on: Chart, unseen: Unseen, z: int, t: int) -> None:
    """Births of zone `z` until `t`."""
    stay = stay_until(on, unseen, z, t)
    unseen.kept[z] *= stay
    unseen.added[z] = unseen.added[z] * stay + on.most * (1.0 - stay)
    unseen.when[z] = t


@kernel
def wake(on: Chart, unseen: Unseen, k: int, t: int) -> None:
    """Bring what sensor `k` watches to `t`, and all cells where a sweep is due."""
    if on.most <= 0.0:
        return
    cell = -(-t // SWEEP_NS)
    if cell > unseen.sweep[0]:
        sweep(on, unseen, t, cell)
    for q in range(on.first[k], on.first[k + 1]):
        grow(on, unseen, on.zones[q], t)


@kernel
def sweep(on: Chart, unseen: Unseen, t: int, cell: int) -> None:
    """Bring all cells to `t`, and let some of them leak into one another."""
    level, kept, added, zone, moved = unseen.level, unseen.kept, unseen.added, on.zone, on.moved
    passed = (cell - unseen.sweep[0]) * (SWEEP_NS * 1e-9)
    first = unseen.sweep[0] == NEVER
    unseen.sweep[0] = cell
    if first:
        unseen.when[:] = t
        return
    for z in range(kept.shape[0]):
        grow(on, unseen, z, t)
    for c in range(level.shape[0]):
        level[c] = kept[zone[c]] * level[c] + added[zone[c]]
    for z in range(kept.shape[0]):
        kept[z], added[z] = 1.0, 0.0
    if on.wide == 0:
        return
    leak = 0.25 * (1.0 - exp_neg(-min(50.0, 4.0 * SPEED / (math.pi * on.side) * passed)))
    wide, high = on.wide, on.high
    outside = level[wide * high]
    for y in range(high):
        for x in range(wide):
            c = y * wide + x
            near = level[c - 1] if x > 0 else outside
            near += level[c + 1] if x + 1 < wide else outside
            near += level[c - wide] if y > 0 else outside
            near += level[c + wide] if y + 1 < high else outside
            moved[c] = level[c] + leak * (near - 4.0 * level[c])
    for c in range(wide * high):
        level[c] = moved[c]


@kernel
def cell_at(on: Chart, east: float, north: float) -> int:
    """Cell of a place within reach of the grid of plots."""
    x = math.floor((east - on.west) / on.side)
    y = math.floor((north - on.south) / on.side)
    if 0 <= x < on.wide and 0 <= y < on.high:
        return int(y) * on.wide + int(x)
    return on.wide * on.high


@kernel
def excess_at(on: Chart, unseen: Unseen, c: int, t: int) -> float:
    """Excess of cell `c` at `t`; changes nothing."""
    z = on.zone[c]
    excess = unseen.kept[z] * unseen.level[c] + unseen.added[z]
    return float(excess + (on.most - excess) * (1.0 - stay_until(on, unseen, z, t)))


@kernel
def expect(
    on: Chart, unseen: Unseen, t: int, z: F8, n: int, clutter: float, birth: float, c: F8, new: F8
) -> None:
    """Density of new objects at each plot into `new`; `c`, as made for `birth`, follows it."""
    if on.most <= 0.0:
        for j in range(n):
            new[j] = birth
        return
    usual = 1.0 / (clutter + birth)
    if on.wide == 0:
        all_new = birth * (1.0 + excess_at(on, unseen, 0, t))
        for j in range(n):
            new[j] = all_new
            c[j] *= (clutter + all_new) * usual
        return
    for j in range(n):
        new[j] = birth * (1.0 + excess_at(on, unseen, cell_at(on, z[j, 0], z[j, 1]), t))
        c[j] *= (clutter + new[j]) * usual


@kernel
def look_over(on: Chart, unseen: Unseen, k: int, t: int, p: float) -> None:
    """Sensor `k` has looked: what it watches is less likely to hide anything."""
    if on.most <= 0.0:
        return
    for q in range(on.first[k], on.first[k + 1]):
        z = on.zones[q]
        # More than that and mass given back could not be told from nothing.
        unseen.kept[z] = max(1e-30, (1.0 - p) * unseen.kept[z])
        unseen.added[z] *= 1.0 - p
        unseen.looked[z] = t


@kernel
def give_back(on: Chart, unseen: Unseen, live: Live, i: int, beams: Beams) -> None:
    """What track `i` still stood for goes back to the undetected of its cell."""
    if on.wide == 0:
        return
    c = cell_at(on, live.bar[i, 0], live.bar[i, 1])
    if c == on.wide * on.high:
        return
    depth = DEPTH if live.mode[i] & HAS_UP else 1.0
    mass = live.r[i] / (on.side * on.side * depth * beams.birth[live.born_sensor[i]])
    z = on.zone[c]
    room = on.most - unseen.added[z] - unseen.kept[z] * unseen.level[c]
    unseen.level[c] += max(0.0, min(mass, room)) / unseen.kept[z]
