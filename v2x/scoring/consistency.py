"""Is the stated uncertainty the real one: normalised errors and the band they should lie in.

Bar-Shalom, Li and Kirubarajan, "Estimation with applications to tracking and navigation", 2001,
section 5.4.
"""

from math import sqrt

import numpy as np

from v2x.columns import F8


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
    """
    return np.asarray(np.einsum("ni,ni->n", error, np.linalg.solve(P, error[..., None])[..., 0]))


def nees_band(dim: int, samples: int) -> tuple[float, float]:
    """95 % band of the mean of so many *independent* NEES values of dimension `dim`.

    Consecutive instants of one track are not independent: take one per object and second.
    """
    half = 1.96 * sqrt(2.0 * dim / samples)
    return dim - half, dim + half
