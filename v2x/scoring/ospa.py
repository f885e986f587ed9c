"""OSPA(2): how far a set of tracks is from the set of objects, as pieces of paths.

Beard, Vo and Vo, "A solution for large-scale multi-object tracking", IEEE Transactions on Signal
Processing 68, 2020. A track that changes its object, or breaks, is far from every path, so identity
counts, which GOSPA of single instants does not see.
"""

import numpy as np

from v2x.assignment import assign
from v2x.columns import B1, F8, I8
from v2x.scoring.frames import Frames, Near, couples

WINDOW = 10
"""Instants a piece of path spans: a second of the usual 10 Hz truth."""


def ospa2_series(near: Near, p: float = 2.0, window: int = WINDOW) -> F8:
    """OSPA of the pieces of path within the last instants, at every instant.

    The distance of two pieces is the mean, over instants of the window where at least one exists,
    of ``min(d, c)``, and of c where only one does. The first instants see as much as there is.

    Returns
    -------
    (instants,) f8
        m, 0 (all alike, or nothing there) to c.
    """
    made = np.zeros(len(near))
    for k in range(len(near)):
        start = max(0, k + 1 - window)
        objects, there = _pieces(near.truth, start, k + 1)
        tracks, seen = _pieces(near.tracks, start, k + 1)
        n, m = len(there), len(seen)
        if not n + m:
            continue
        here = near.pairs(start, k + 1)
        i, j, which = couples(
            objects[near.row[here] - near.truth.first[start]],
            tracks[near.column[here] - near.tracks.first[start]],
            m,
        )
        either = (there[i] | seen[j]).sum(axis=1)
        close = np.bincount(which, minlength=len(i))
        total = np.bincount(which, near.distance[here], len(i)) + near.c * (either - close)
        cost = (total / either) ** p
        match = assign(n, m, i.astype(np.int32), j.astype(np.int32), cost, near.c**p)
        kept = match[i] == j
        alone = max(n, m) - int(kept.sum())
        made[k] = ((cost[kept].sum() + near.c**p * alone) / max(n, m)) ** (1.0 / p)
    return made


def _pieces(frames: Frames, start: int, stop: int) -> tuple[I8, B1]:
    """Number of the piece each row is of, from 0; (pieces, stop - start) where each one exists."""
    ids, number = np.unique(frames.id[frames.rows(start, stop)], return_inverse=True)
    exists = np.zeros((len(ids), stop - start), bool)
    exists[number, np.repeat(np.arange(stop - start), frames.counts()[start:stop])] = True
    return number, exists
