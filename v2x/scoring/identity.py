"""Does a track stay with its object: IDF1 and HOTA over the whole sequence.

Ristani et al., "Performance measures and a data set for multi-target, multi-camera tracking", ECCV
Workshops 2016; Luiten et al., "HOTA: a higher order metric for evaluating multi-object tracking",
International Journal of Computer Vision 129, 2021.
"""

from dataclasses import dataclass
from math import nan, sqrt

import numpy as np

from v2x.assignment import assign
from v2x.columns import B1, F8
from v2x.scoring.frames import Near, couples

THRESHOLDS = np.arange(1, 20) * 0.05
"""Least similarity of a pair, 0.05 to 0.95: section 3 of the HOTA paper."""
_EPS = float(np.finfo(float).eps)
"""Slack of a threshold, so that 0.15 counts as reached by a similarity of 0.15."""


def idf1(near: Near) -> float:
    """Share of instants explained by the best one-to-one choice of tracks and objects."""
    total = len(near.truth.id) + len(near.tracks.id)
    if not total:
        return nan
    objects, number = np.unique(near.truth.id, return_inverse=True)
    tracks, name = np.unique(near.tracks.id, return_inverse=True)
    i, j, which = couples(number[near.row], name[near.column], len(tracks))
    common = np.bincount(which, minlength=len(i)).astype(np.float64)
    match = assign(len(objects), len(tracks), i.astype(np.int32), j.astype(np.int32), -common, 0.0)
    return float(2.0 * common[match[i] == j].sum() / total)


@dataclass(frozen=True)
class Hota:
    """HOTA with its two sides; means over the thresholds, NaN without objects and tracks.

    Attributes
    ----------
    hota
        Geometric mean of the two below, per threshold.
    det_a
        Pairs over pairs + missed + false.
    ass_a
        Mean over pairs of how well their object and track stay together.
    """

    hota: float
    det_a: float
    ass_a: float

    @classmethod
    def of(cls, near: Near) -> "Hota":
        """Judge pairs by the similarity ``max(0, 1 - d / c)``.

        One assignment per instant serves all thresholds: it maximises similarity times how well
        object and track agree over the whole sequence, as the authors' own program does.
        """
        total = len(near.truth.id) + len(near.tracks.id)
        if not total:
            return cls(nan, nan, nan)
        number, times = np.unique(near.truth.id, return_inverse=True, return_counts=True)[1:]
        name, seen = np.unique(near.tracks.id, return_inverse=True, return_counts=True)[1:]
        i, j, which = couples(number[near.row], name[near.column], len(seen))
        present = times[i] + seen[j]
        similarity = 1.0 - near.distance / near.c
        overlap = np.bincount(which, _shares(near, similarity), len(i))
        kept = _best(near, similarity * (overlap / (present - overlap))[which])
        made = np.zeros((len(THRESHOLDS), 3))
        for k, least in enumerate(THRESHOLDS):
            hit = kept & (similarity >= least - _EPS)
            common = np.bincount(which[hit], minlength=len(i))
            pairs = int(hit.sum())
            det_a = pairs / (total - pairs)
            ass_a = float((common * (common / (present - common))).sum()) / max(pairs, 1)
            made[k] = sqrt(det_a * ass_a), det_a, ass_a
        return cls(*made.mean(axis=0).tolist())


def _shares(near: Near, similarity: F8) -> F8:
    """Similarity of each pair over all that its object and its track have at the instant."""
    objects = np.bincount(near.row, similarity, len(near.truth.id))
    tracks = np.bincount(near.column, similarity, len(near.tracks.id))
    either: F8 = objects[near.row] + tracks[near.column] - similarity
    # a pair a hair below the cut-off may have no similarity, and then has no share
    return np.divide(similarity, either, out=np.zeros(len(either)), where=either > _EPS)


def _best(near: Near, value: F8) -> B1:
    """Pairs of the assignments of each instant that have the largest sum of `value`."""
    kept = np.zeros(len(value), bool)
    for k in range(len(near)):
        i, j, _ = near.at(k)
        n, m = len(near.truth.at(k)[0]), len(near.tracks.at(k)[0])
        kept[near.pairs(k)] = assign(n, m, i, j, -value[near.pairs(k)], 0.0)[i] == j
    return kept
