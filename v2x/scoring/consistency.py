"""Is the stated uncertainty the real one: normalised errors and the band they should lie in.

Bar-Shalom, Li and Kirubarajan, "Estimation with applications to tracking and navigation", 2001,
section 5.4. Figures are per axis: the sum of squares over the sum of degrees of freedom, 1 for an
honest filter, above 1 for one that is too sure of itself, so that 2-D and 3-D, and scans of mixed
sensors, compare.
"""

from dataclasses import dataclass
from math import nan, sqrt

import numpy as np
from numpy.typing import ArrayLike

from v2x.columns import F8, I8
from v2x.scoring.frames import Frames, Near
from v2x.scoring.gospa import best_pairs

APART_NS = 1_000_000_000
"""Between two samples of one object: nearer ones share their errors and so prove less."""


@dataclass(frozen=True)
class Consistency:
    """Mean of normalised errors squared, and where it should lie.

    Attributes
    ----------
    mean
        Per axis; 1 for an honest filter, NaN without samples.
    n
        Samples.
    low, high
        95 % band of `mean` for so many independent samples, NaN without any.
    inside
        `mean` lies in the band.
    """

    mean: float
    n: int
    low: float
    high: float
    inside: bool


def nees(error: F8, P: F8) -> F8:
    """Normalised estimation error squared.

    Parameters
    ----------
    error : (n, d) f8
        Estimate minus truth.
    P : (n, d, d) f8
        Covariance the estimator states.

    Returns
    -------
    (n,) f8
        ``eᵀ P⁻¹ e``; its expectation is d for an honest estimator.

    Raises
    ------
    numpy.linalg.LinAlgError
        A covariance is singular.
    """
    return np.asarray(np.einsum("ni,ni->n", error, np.linalg.solve(P, error[..., None])[..., 0]))


def nees_band(dim: int, samples: int) -> tuple[float, float]:
    """95 % band of the mean of so many *independent* NEES values of dimension `dim`.

    Consecutive instants of one track are not independent: take one per object and second.
    """
    half = 1.96 * sqrt(2.0 * dim / samples)
    return dim - half, dim + half


def consistency(squares: ArrayLike, dim: ArrayLike) -> Consistency:
    """Judge independent normalised errors squared: NEES, or NIS of innovations.

    Parameters
    ----------
    squares : (n,) f8
        Values, of NIS those of plots that surely were the track's; NaN is left out.
    dim : int or (n,) int
        Degrees of freedom of each: the width of its error.

    Raises
    ------
    ValueError
        The shapes do not go together, or a dimension is below 1.
    """
    values = np.asarray(squares, np.float64)
    dims = np.asarray(dim, np.int64)
    if values.ndim != 1 or dims.shape not in ((), values.shape):
        raise ValueError(f"squares {values.shape} with dim {dims.shape}: (n,) with () or (n,)")
    if (dims < 1).any():
        raise ValueError(f"dim {int(dims.min())}: 1 or more")
    known = ~np.isnan(values)
    n, freedom = int(known.sum()), int(np.broadcast_to(dims, values.shape)[known].sum())
    if not n:
        return Consistency(nan, 0, nan, nan, False)
    mean = float(values[known].sum()) / freedom
    # d degrees of freedom are d independent samples of one
    low, high = nees_band(1, freedom)
    return Consistency(mean, n, low, high, low <= mean <= high)


def nees_of_pairs(truth: Frames, tracks: Frames, P: F8, t_ns: I8, c: float = 5.0) -> Consistency:
    """NEES of tracks against the objects they were paired with, an object once a second.

    Pairs are those of GOSPA (p = 2). An object's first pair is a sample, then the first one a
    second or more after its last sample, whichever track it has by then.

    Parameters
    ----------
    truth, tracks
        Equally many instants, positions of one width d.
    P : (n, d, d) f8
        Covariance of each row of ``tracks.position``, m².
    t_ns : (instants,) i8
        Times of the instants, ascending.
    c
        Largest distance of a pair, m. It cuts large errors off: keep it above three standard
        deviations of the tracks.

    Raises
    ------
    ValueError
        As `gospa_series`, or `P` or `t_ns` have another shape or order.
    """
    d = tracks.position.shape[1]
    P, t_ns = np.asarray(P, np.float64), np.asarray(t_ns, np.int64)
    if P.shape != (len(tracks.id), d, d):
        raise ValueError(f"P {P.shape}: {(len(tracks.id), d, d)}, one for each row of tracks")
    if t_ns.shape != (len(truth),) or (np.diff(t_ns) <= 0).any():
        raise ValueError(f"t_ns {t_ns.shape}: ({len(truth)},), ascending")
    near = Near.of(truth, tracks, c)
    last: dict[int, int] = {}
    samples: list[int] = []
    for k, t in enumerate(t_ns.tolist()):
        pairs = np.arange(near.first[k], near.first[k + 1])[best_pairs(near, k, 2.0)]
        for pair, who in zip(pairs.tolist(), truth.id[near.row[pairs]].tolist(), strict=True):
            if who not in last or t - last[who] >= APART_NS:
                last[who] = t
                samples.append(pair)
    taken = np.array(samples, np.int64)
    row, column = near.row[taken], near.column[taken]
    return consistency(nees(tracks.position[column] - truth.position[row], P[column]), d)
