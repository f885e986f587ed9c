"""Windows: a second of the plots of a few tracks, drawn by lot."""

from typing import NamedTuple

import numpy as np

from v2x.columns import F8, I4, I8
from v2x.jit import kernel

EPOCH, LIMIT = 0, 1
"""Elements of `Windows.head`."""
UNSET = np.iinfo(np.int64).min
"""Epoch, or time, before the first."""
FREE = np.iinfo(np.int64).max
"""Rank of a slot that holds nothing, and the limit while there is one."""

_MIX = (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
"""Constants of splitmix64 (Steele, Lea and Flood 2014)."""


class Windows(NamedTuple):
    """Open windows of one epoch, a slot a row.

    Attributes
    ----------
    head
        (2,) epoch, and the rank up to which a track is let in.
    track, rank, n
        Whose plots, the track's place in the draw, how many plots.
    t, sensor, z, cov
        (slots, cap, ...) the plots: ns, row of the sensor table, m, m² (upper triangle).
    """

    head: I8
    track: I8
    rank: I8
    n: I4
    t: I8
    sensor: I4
    z: F8
    cov: F8


def new_windows(slots: int, cap: int) -> Windows:
    """No window is open."""
    return Windows(
        head=np.array([UNSET, FREE]),
        track=np.full(slots, -1, np.int64),
        rank=np.full(slots, FREE, np.int64),
        n=np.zeros(slots, np.int32),
        t=np.zeros((slots, cap), np.int64),
        sensor=np.zeros((slots, cap), np.int32),
        z=np.zeros((slots, cap, 3)),
        cov=np.zeros((slots, cap, 6)),
    )


@kernel
def rank_of(track: int, epoch: int) -> int:
    """Place of a track in the draw of an epoch: 62 pseudo-random bits, the same every time."""
    x = np.uint64(track) + np.uint64(epoch) * np.uint64(_MIX[0])
    x = (x ^ (x >> np.uint64(30))) * np.uint64(_MIX[1])
    x = (x ^ (x >> np.uint64(27))) * np.uint64(_MIX[2])
    return int((x ^ (x >> np.uint64(31))) >> np.uint64(2))


@kernel
def slot_of(w: Windows, track: int, rank: int) -> int:
    """Slot of a track that ranks within the limit: its own, a free one, or that of the last."""
    worst = 0
    for k in range(len(w.track)):
        if w.rank[k] == rank and w.track[k] == track:
            return k
        if w.rank[k] > w.rank[worst]:
            worst = k
    w.track[worst], w.rank[worst], w.n[worst] = track, rank, 0
    limit = w.rank[0]
    for k in range(1, len(w.track)):
        limit = max(limit, w.rank[k])
    w.head[LIMIT] = limit
    return worst


@kernel
def weigh(R: F8, i: int, flat: bool, W: F8, j: int) -> bool:
    """Inverse of covariance row `i` into row `j`; False if it is not positive definite."""
    a, b, d = R[i, 0], R[i, 1], R[i, 3]
    det = a * d - b * b
    if not (a > 0.0 and 0.0 < det < np.inf):
        return False
    if flat:
        W[j, 0], W[j, 1], W[j, 3] = d / det, -b / det, a / det
        W[j, 2] = W[j, 4] = W[j, 5] = 0.0
        return True
    c, e, f = R[i, 2], R[i, 4], R[i, 5]
    ia, ib, ic = d * f - e * e, c * e - b * f, b * e - c * d
    full = a * ia + b * ib + c * ic
    if not 0.0 < full < np.inf:
        return False
    W[j, 0], W[j, 1], W[j, 2] = ia / full, ib / full, ic / full
    W[j, 3], W[j, 4], W[j, 5] = (a * f - c * c) / full, (b * c - a * e) / full, det / full
    return True


@kernel
def enter(
    w: Windows, rank: int, t: int, sensor: int, track: int, z: F8, cov: F8, i: int, j: int
) -> None:
    """Put place ``z[i]`` with covariance ``cov[j]`` into the window of a track within the limit."""
    k = slot_of(w, track, rank)
    m = w.n[k]
    if m == w.t.shape[1]:
        return
    w.t[k, m], w.sensor[k, m] = t, sensor
    for a in range(3):
        w.z[k, m, a] = z[i, a]
    for a in range(6):
        w.cov[k, m, a] = cov[j, a]
    w.n[k] = m + 1


@kernel
def collect(
    w: Windows, epoch_ns: int, t: I8, sensor: I4, track: I8, z: F8, cov: F8,
    nis: F8, dim: F8, sums: F8, work: F8, first: int,
) -> int:  # fmt: skip
    """Put rows from `first` on into windows; the first row of another epoch, or their number.

    Of all tracks of an epoch those of lowest rank are kept, as many as there are slots: which
    ones does not depend on the order of rows. `sums` (sensors, 2) gains NIS and dimension.
    """
    epoch = w.head[EPOCH]
    if epoch == UNSET:
        return first
    end = (epoch + 1) * epoch_ns
    for i in range(first, len(t)):
        if t[i] >= end:
            return i
        if nis[i] >= 0.0:
            sums[sensor[i], 0] += nis[i]
            sums[sensor[i], 1] += dim[i]
        rank = rank_of(track[i], epoch)
        if rank > w.head[LIMIT]:
            continue
        fit = np.isfinite(z[i, 0]) and np.isfinite(z[i, 1]) and not np.isinf(z[i, 2])
        if not (fit and weigh(cov, i, np.isnan(z[i, 2]), work, 0)):
            continue
        enter(w, rank, t[i], sensor[i], track[i], z, cov, i, i)
    return len(t)
