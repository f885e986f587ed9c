"""GOSPA per instant, with its parts.

Rahmathullah, García-Fernández and Svensson, "Generalized optimal sub-pattern assignment metric",
FUSION 2017, with alpha = 2: the one choice that splits into located, missed and false.
"""

from dataclasses import dataclass

import numpy as np

from v2x.assignment import assign
from v2x.columns import B1, F8, I8
from v2x.scoring.frames import Frames, Near


@dataclass(frozen=True)
class GospaSeries:
    """GOSPA over time: arrays of one value per instant.

    Attributes
    ----------
    gospa
        (instants,) f8 m; its p-th power is the sum of those of the three parts.
    localisation, missed, false
        (instants,) f8 m: p-th roots of ``sum d^p``, ``c^p / 2`` per object without a track and
        ``c^p / 2`` per track without an object.
    objects, tracks, pairs
        (instants,) i8 how many there are, and how many objects have a track.
    """

    gospa: F8
    localisation: F8
    missed: F8
    false: F8
    objects: I8
    tracks: I8
    pairs: I8


def gospa_series(truth: Frames, tracks: Frames, c: float = 5.0, p: float = 2.0) -> GospaSeries:
    """GOSPA of each instant with its parts and the numbers behind them.

    Parameters
    ----------
    truth, tracks
        Equally many instants, positions of one width.
    c, p
        Cut-off in metres, and order.

    Raises
    ------
    ValueError
        The instants or widths differ, an id stands twice in one instant, or `c` is not above 0.
    """
    return series(Near.of(truth, tracks, c), p)


def series(near: Near, p: float) -> GospaSeries:
    """GOSPA of pairs already measured."""
    located = np.zeros(len(near))
    pairs = np.zeros(len(near), np.int64)
    for k in range(len(near)):
        kept = best_pairs(near, k, p)
        located[k] = (near.distance[near.pairs(k)][kept] ** p).sum()
        pairs[k] = kept.sum()
    objects, tracks = near.truth.counts(), near.tracks.counts()
    half = 0.5 * near.c**p
    missed, false = half * (objects - pairs), half * (tracks - pairs)
    return GospaSeries(
        gospa=(located + missed + false) ** (1.0 / p),
        localisation=located ** (1.0 / p),
        missed=missed ** (1.0 / p),
        false=false ** (1.0 / p),
        objects=objects,
        tracks=tracks,
        pairs=pairs,
    )


def best_pairs(near: Near, k: int, p: float) -> B1:
    """Which pairs of instant k the optimal assignment takes: a mask over ``near.pairs(k)``."""
    i, j, d = near.at(k)
    n, m = len(near.truth.at(k)[0]), len(near.tracks.at(k)[0])
    match = assign(n, m, i, j, d**p, near.c**p)
    return np.asarray(match[i] == j)
