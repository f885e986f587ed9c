"""Columns of the living tracks, as kernels see them: named arrays owned by the tracker.

A track is a *slot*. Slots of ended tracks are used again, so a slot number means nothing outside;
`links` chains the living slots in the order of their founding.

A Gaussian is a row of 27 numbers, mean and upper triangle of the covariance. What a track without
height needs stands first, so that the flat case needs no more than 14 of them::

    0 E   1 N   2 vE  3 vN
    4 EE  5 EN  6 NN  7 EvE  8 EvN  9 NvE  10 NvN  11 vEvE  12 vEvN  13 vNvN
    14 U  15 vU
    16 UU 17 UvU 18 vUvU 19 EU 20 NU 21 EvU 22 NvU 23 UvE 24 UvN 25 vEvU 26 vNvU

A track has one Gaussian per motion mode (its lanes, see `v2x.fusion.lanes`), and their mixture.
"""

from typing import NamedTuple

import numpy as np

from v2x.columns import F4, F8, I4, I8, U1, U2

SECOND = 1_000_000_000
"""ns."""
WIDTH = 27
MU = 14
"""How many of them are flat; also the place of the probability of a lane, behind its flat ones."""
FLAT, TALL = MU + 1, WIDTH - MU
"""Numbers of a lane in rows of `Live.s` and of `Live.up`."""
KINDS = 13
BLOCK = 128
"""Slots whose rows a verb leaves in the cache for the next one."""
FED = 8
"""Sensors remembered per track; with more than that the one heard longest ago gives way."""

EXACT_TRACKS, EXACT_PLOTS = 8, 6
"""Contested clusters up to this size may be summed exactly."""

ALIVE, CONFIRMED, HAS_UP, AIR, YOUNG, HINT = 1, 2, 4, 8, 16, 32
"""Bits of `Live.mode`. HAS_UP: a height was measured. AIR: the most likely kind flies. YOUNG: only
its founding plot is known, so all lanes would be alike and only the mixture is kept. HINT: no track
but a line of sight that may found one, see `v2x.fusion.crossings`; never ALIVE."""

MODEL, RANGE, TO_E, TO_N, TO_U, RANGE_SD, ANG_SD, RADIAL, RADIAL_SD = range(9)
"""Columns of `Sheet.sight`: `Model`; range; unit line of sight; deviations; range rate and its."""
N_SIGHT = 9
POLAR, BEARING = 1, 2
"""Numbers of `Model`, which kernels cannot import; a test compares."""

PLACES, BEARINGS, SECTORS, SIGHTED, POINT, TOTAL, GRID, LOCAL, COPIES, SPOILT = range(10)
"""Elements of `Look.size`: plots with a place, and lines of sight behind them; sectors; whether
rows may have more to them than a place; whether the sensor sees single reflections; plots of all
kinds; buckets along a side of the grid; whether only tracks nearby are concerned; DUPLICATES and
REFUSED as they were before the scan."""
N_SIZE = 10
INFLATE, WORST, SIDE, WIDE, BOX = 3, 4, 5, 6, 8
"""Elements of `Look.pose` after east, north, up of the sensor: factor on the covariance of its
plots; largest variance of its lines of sight, rad²; side of a bucket, m; two of
`v2x.fusion.gating.widest`; five of `v2x.fusion.kernels.extent`."""
N_POSE = 13
ENDS = -2.0
"""In `Edges.p_detect`: the track has expired."""

MEAN = np.array([0, 1, 14, 2, 3, 15])
"""Place of (east, north, up, their rates) in a row of `s`."""

PLACE = np.array(
    [
        [4, 5, 19, 7, 8, 21],
        [5, 6, 20, 9, 10, 22],
        [19, 20, 16, 23, 24, 17],
        [7, 9, 23, 11, 12, 25],
        [8, 10, 24, 12, 13, 26],
        [21, 22, 17, 25, 26, 18],
    ]
)
"""Place of covariance element (a, b), both in the order of `MEAN`, in a row of `s`."""

(
    TOP, LIVE, FREE, HEAD, TAIL, SERIAL, CLAIMS, DUPLICATES, REFUSED, FLOODED, RESIDUALS, CHOSEN,
    LOOKED, NAMELESS,
) = range(14)  # fmt: skip
"""Elements of `counts`: slots in use or free, living, free; chain ends; tracks ever founded;
living tracks that rest on claims alone; plots dropped as copies, as unusable, for the flood limit;
residuals of this step; tracks to report; scans of this step; tracks to report that have no id."""
N_COUNTS = 14


class Live(NamedTuple):
    """One slot a row.

    Attributes
    ----------
    s, up
        (cap, 15 lanes) flat half of the Gaussian of every motion mode, and its probability, at time
        `t`; (cap, 13 lanes) the tall half, valid with HAS_UP: without, all lanes have that of
        `bar`. Apart, so that a flat track costs no memory traffic for a height it has not.
    bar
        (cap, 27) their mixture: m, m/s and their products.
    manner
        Group of kinds whose motion modes it has, a row of `v2x.fusion.modes.MANNERS`.
    r, t
        Existence, and the ns at which `s`, `up` and `r` hold.
    mode
        Bits ALIVE, CONFIRMED, HAS_UP, AIR, YOUNG.
    last, first
        ns of the newest plot and of the founding one.
    links
        (cap, 2) slot founded before and after, -1 at the ends.
    serial, id
        Number of the founding; 63-bit id, -1 until first reported.
    ident, ident_ns
        (cap, 2) newest and previous identity claim (-1 none), and when each was last heard.
    kinds
        (cap, 13) weight of evidence per kind.
    kind, kind_prob
        The most likely kind, and how likely.
    fed_sensor, fed_kind, fed_ns, fed_ref
        (cap, FED) sensors that fed it: row (-1 none), `SensorKind` in effect, time, and the
        sender's own number of the object (-1 none).
    claimed
        1 while only self-reports and relays of them ever fed it.
    born_sensor, born_z, born_ident
        The founding plot, for the id.
    free
        Stack of free slots.
    """

    s: F8
    up: F8
    bar: F8
    manner: U1
    r: F8
    t: I8
    mode: U1
    last: I8
    first: I8
    links: I4
    serial: I8
    id: I8
    ident: I8
    ident_ns: I8
    kinds: F8
    kind: U1
    kind_prob: F4
    fed_sensor: I4
    fed_kind: U1
    fed_ns: I8
    fed_ref: I8
    claimed: U1
    born_sensor: I4
    born_z: F8
    born_ident: I8
    free: I4


class Beams(NamedTuple):
    """Sensors as numbers, one a row; `edge` holds all coverage polygons end to end.

    Attributes
    ----------
    p_detect, clutter, birth
        Detection probability; false plots and new objects per look and m² or m³.
    inflate
        Factor on the covariance of its plots (inputs that are already filtered).
    spawns, looks, bounded
        May found tracks; a miss is evidence; has a polygon or a height band.
    kind
        `SensorKind`.
    first, end, edge
        Vertices ``edge[first:end]`` (k, 2) m; none: everywhere.
    low, high
        Height band, m above the ellipsoid.
    period
        s between looks, 0 unknown.
    place
        (S, 3) where they stand, m.
    """

    p_detect: F8
    clutter: F8
    birth: F8
    inflate: F8
    spawns: U1
    looks: U1
    bounded: U1
    kind: U1
    first: I4
    end: I4
    edge: F8
    low: F8
    high: F8
    period: F8
    place: F8


class Sheet(NamedTuple):
    """Rows handed to a step: columns of `Plots` and its scans.

    Attributes
    ----------
    sight
        (n, 9) what rows measured that is no place, or (0, 9) if no row did; see `MODEL`. Rows of
        angles alone have the unit line of sight in `z`.
    """

    z: F8
    cov: F8
    vel: F8
    vel_sd: F4
    ident: I8
    track_ref: I8
    kind: U1
    kind_conf: F4
    flags: U2
    sight: F8
    scan_sensor: I4
    scan_ns: I8
    scan_first: I4
    scan_end: I4


class Look(NamedTuple):
    """Scratch of one scan: its plots in canonical order, and the grid over them.

    Attributes
    ----------
    row, bucket, order
        Row in the sheet; bucket of each row; rows in bucket order.
    start
        First plot of each bucket, then of each sector of the lines of sight.
    z, R
        (n, 3), (n, 6) plots, up NaN where not measured, and inflated covariance; then those of the
        lines of sight: unit vector, and variance in rad² first. Behind them room for one row an
        edge: what a plot says of one track.
    size, pose
        Numbers of the scan and of its sensor: see `PLACES`, `INFLATE`.
    d
        (3) scratch.
    c
        Density of false and new plots at each plot, with its identity factor.
    plain
        1 for plots that say where something is and nothing else.
    new
        Density of new objects at each plot, of a birth in a look.
    alone
        Probability that the plot belongs to no track.
    """

    row: I4
    bucket: I4
    order: I4
    start: I4
    z: F8
    R: F8
    c: F8
    plain: U1
    new: F8
    alone: F8
    size: I8
    pose: F8
    d: F8


class Edges(NamedTuple):
    """Scratch of one association: which plot may belong to which track.

    ``plot, spot, w, mu, nu, beta, prefix, by_plot`` one per edge (`spot` is the row of `Look.z` to
    take for the plot), `like` the density of the plot and `modal` (edges, lanes) that of each
    lane, ``first`` (slots + 1) where the edges of a slot begin, ``p_detect, beta0, parent, follow,
    tail, contested`` one per slot, ``degree, owner,
    start, mine`` one per plot, `table` for exact sums; see `v2x.fusion.association`.
    """

    plot: I4
    spot: I4
    w: F8
    like: F8
    modal: F8
    mu: F8
    nu: F8
    beta: F8
    prefix: F8
    by_plot: I4
    first: I4
    p_detect: F8
    beta0: F8
    parent: I4
    follow: I4
    tail: I4
    contested: I4
    degree: I4
    owner: I4
    start: I4
    mine: I4
    table: F8


class Motion(NamedTuple):
    """How tracks move: `manners` from `v2x.fusion.modes`, and scratch.

    `move` holds the transitions prepared last, `acc` ten sums a lane, `row` (1, 15 lanes), `up`
    (1, 13 lanes), `bar` (1, 27) and `p` (16 lanes) one track.
    """

    manners: F8
    share: F8
    move: F8
    acc: F8
    row: F8
    up: F8
    bar: F8
    p: F8


class Notes(NamedTuple):
    """Residuals written by the kernels; `serial` guards against a slot used twice in a step."""

    t: I8
    sensor: I4
    slot: I4
    serial: I8
    track: I8
    ident: I8
    innovation: F8
    nis: F8
    dim: U1
    conflict: U1


class Output(NamedTuple):
    """Columns of `v2x.tracks.Tracks`, to be filled."""

    id: I8
    t_ns: I8
    x: F8
    P: F8
    exist: F8
    kind: U1
    kind_prob: F4
    ident: I8
    first_ns: I8
    last_ns: I8
    status: U1
    n_sensors: U1
    sensor_kinds: U2


class Settings(NamedTuple):
    """Numbers of `TrackerConfig` as kernels use them: seconds, metres, squares where named."""

    death: float
    gate_flat: float
    gate_full: float
    prune: float
    confirm: float
    drop: float
    start_var_ground: float
    start_var_air: float
    start_var_up: float
    end_var_ground: float
    end_var_air: float
    end_ns: int
    sweeps: int
    exact: int
    tolerance: float
    same: float
    unclaimed: float
    other: float
    same_ref: float
    kind_floor: float
    velocity_factor: float
    max_claims: int
    height_ref: float
    lanes: tuple[int, ...]


def lanes_in(s: F8) -> int:
    """Number of lanes in rows like those of `Live.s`."""
    return int(s.shape[1] // FLAT)


def new_live(cap: int, lanes: int) -> Live:
    """Empty slots for `cap` tracks of so many lanes."""
    return Live(
        s=np.zeros((cap, FLAT * lanes)),
        up=np.zeros((cap, TALL * lanes)),
        bar=np.zeros((cap, WIDTH)),
        manner=np.zeros(cap, np.uint8),
        r=np.zeros(cap),
        t=np.zeros(cap, np.int64),
        mode=np.zeros(cap, np.uint8),
        last=np.zeros(cap, np.int64),
        first=np.zeros(cap, np.int64),
        links=np.full((cap, 2), -1, np.int32),
        serial=np.full(cap, -1, np.int64),
        id=np.full(cap, -1, np.int64),
        ident=np.full((cap, 2), -1, np.int64),
        ident_ns=np.zeros((cap, 2), np.int64),
        kinds=np.zeros((cap, KINDS)),
        kind=np.zeros(cap, np.uint8),
        kind_prob=np.zeros(cap, np.float32),
        fed_sensor=np.full((cap, FED), -1, np.int32),
        fed_kind=np.zeros((cap, FED), np.uint8),
        fed_ns=np.zeros((cap, FED), np.int64),
        fed_ref=np.full((cap, FED), -1, np.int64),
        claimed=np.zeros(cap, np.uint8),
        born_sensor=np.zeros(cap, np.int32),
        born_z=np.zeros((cap, 3)),
        born_ident=np.full(cap, -1, np.int64),
        free=np.zeros(cap, np.int32),
    )


def new_look(n: int, edges: int = 0) -> Look:
    """Scratch for scans of up to `n` plots, and so many edges."""
    buckets = 1
    while buckets < n:
        buckets *= 4
    return Look(
        row=np.zeros(n, np.int32),
        bucket=np.zeros(n, np.int32),
        order=np.zeros(n, np.int32),
        start=np.zeros(3 * buckets + 2, np.int32),
        z=np.zeros((n + edges + 1, 3)),
        R=np.zeros((n + edges + 1, 6)),
        c=np.zeros(n),
        plain=np.zeros(n, np.uint8),
        new=np.zeros(n),
        alone=np.zeros(n),
        size=np.zeros(N_SIZE, np.int64),
        pose=np.zeros(N_POSE),
        d=np.zeros(3),
    )


def new_motion(manners: F8, moves: F8) -> Motion:
    """Tables of `v2x.fusion.modes` with scratch beside them."""
    lanes = manners.shape[2]
    return Motion(
        manners=manners,
        share=np.ascontiguousarray(manners[:, 4]),
        move=moves,
        acc=np.zeros(10 * lanes),
        row=np.zeros((1, FLAT * lanes)),
        up=np.zeros((1, TALL * lanes)),
        bar=np.zeros((1, WIDTH)),
        p=np.zeros(16 * lanes),
    )


def new_edges(slots: int, plots: int, edges: int, lanes: int) -> Edges:
    """Scratch for so many slots, plots of one scan, edges and lanes."""

    def ints(n: int) -> I4:
        return np.zeros(n, np.int32)

    return Edges(
        plot=ints(edges),
        spot=ints(edges),
        w=np.zeros(edges),
        like=np.zeros(edges),
        modal=np.zeros((edges, lanes)),
        mu=np.zeros(edges),
        nu=np.zeros(edges),
        beta=np.zeros(edges),
        prefix=np.zeros(edges),
        by_plot=ints(edges),
        first=ints(slots + 1),
        p_detect=np.zeros(slots),
        beta0=np.zeros(slots),
        parent=ints(slots),
        follow=ints(slots),
        tail=ints(slots + EXACT_TRACKS),
        contested=ints(slots),
        degree=ints(plots),
        owner=ints(plots),
        start=ints(plots + 1),
        mine=ints(plots),
        table=np.zeros((2, EXACT_TRACKS + 1, 1 << EXACT_PLOTS)),
    )


def new_output(n: int) -> Output:
    """Room for `n` reported tracks; the caller keeps it."""
    whole = np.empty((5, n), np.int64)
    return Output(
        id=whole[0],
        t_ns=whole[1],
        x=np.empty((n, 6)),
        P=np.empty((n, 6, 6)),
        exist=np.empty(n),
        kind=np.empty(n, np.uint8),
        kind_prob=np.empty(n, np.float32),
        ident=whole[2],
        first_ns=whole[3],
        last_ns=whole[4],
        status=np.empty(n, np.uint8),
        n_sensors=np.empty(n, np.uint8),
        sensor_kinds=np.empty(n, np.uint16),
    )


def new_notes(n: int) -> Notes:
    """Room for `n` residuals."""
    return Notes(
        t=np.zeros(n, np.int64),
        sensor=np.zeros(n, np.int32),
        slot=np.zeros(n, np.int32),
        serial=np.zeros(n, np.int64),
        track=np.zeros(n, np.int64),
        ident=np.zeros(n, np.int64),
        innovation=np.zeros((n, 3)),
        nis=np.zeros(n),
        dim=np.zeros(n, np.uint8),
        conflict=np.zeros(n, np.uint8),
    )
