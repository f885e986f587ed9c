"""Consensus: which sensors agree, when only their differences can be seen.

No data tell a common offset, clock or rotation of all sensors from none. A Gaussian prior on every
sensor would settle it at the mean, and smear the fault of one over all. Here a sensor as a whole
is either like the others or not: its biases, in units of what a good sensor may have, are
multivariate Student-t, so that the many hold the frame and the odd one out is let go.
"""

from typing import NamedTuple

import numpy as np

from v2x.columns import F8
from v2x.fusion.elimination import BIASES
from v2x.fusion.inverse import invert
from v2x.jit import kernel

FREEDOM = 2.0
"""Degrees of freedom of the Student-t: about one sensor in ten is off by more than five units."""
_HUBER = 3.0
"""Length in units where the opening, convex rounds go from quadratic to linear."""
_OPENING, _ROUNDS = 12, 60


LET_GO = 0.5
"""A sensor of less weight is let go."""
SLAB = 50.0
"""Deviation of the biases of a sensor that nothing is known of, in units of a good one's."""
_DOUBT = 0.7
"""Sensors of less weight are tried as the frame."""


@kernel
def agree(info: F8, right: F8, weight: F8, mean: F8, C: F8, opening: int) -> int:
    """Biases, their covariance and each sensor's weight in the consensus; how many rounds.

    `info` (D, D), `right` (D,) normal equations in units of the prior, D = 6 sensors. Changed in
    place: `weight` (sensors,), the start, 1 for a sensor like the others, near 0 for one let go;
    `mean` (D,) and `C` (D, D) under these weights.

    Expectation maximisation for the Student-t (Lange, Little and Taylor 1989) after up to
    `opening` rounds of a Huber loss: that is convex, so where they lead does not depend on the
    start.
    """
    n, many = len(right), len(weight)
    for k in range(_ROUNDS):
        convex = k < opening
        for i in range(n):
            for j in range(n):
                C[i, j] = info[i, j]
            C[i, i] += weight[i // BIASES]
        if not invert(C, n):
            return 0
        moved = 0.0
        for s in range(many):
            length2 = 0.0
            for i in range(BIASES * s, BIASES * (s + 1)):
                mean[i] = 0.0
                for j in range(n):
                    mean[i] += C[i, j] * right[j]
                length2 += mean[i] * mean[i]
                if not convex:
                    length2 += C[i, i]
            if convex:
                new = min(1.0, _HUBER / np.sqrt(max(length2, 1e-12)))
            else:
                new = min(1.0, (FREEDOM + BIASES) / (FREEDOM + length2))
            moved = max(moved, abs(new - weight[s]) / weight[s])
            weight[s] = new
        if convex and moved < 0.1:
            opening = 0
        elif not convex and moved < 1e-2:
            return k
    return _ROUNDS


class View(NamedTuple):
    """One way to see who is off.

    Attributes
    ----------
    share
        Its probability among the ways found.
    weight
        (sensors,) as `agree` left them.
    prior
        (sensors,) precision of the prior that `mean` and `C` rest on.
    mean, C
        (D,), (D, D) biases and their covariance.
    """

    share: float
    weight: F8
    prior: F8
    mean: F8
    C: F8


def views(info: F8, right: F8) -> list[View]:
    """All ways to see who is off; mostly there is one, but two halves that differ leave two.

    Found by taking each sensor that the consensus doubts as the frame in turn; weighed by their
    posterior density.
    """
    found, cost = [], []
    first, first_cost = _view(info, right, -1)
    found.append(first)
    cost.append(first_cost)
    for s in np.flatnonzero(first.weight < _DOUBT).tolist():
        other, other_cost = _view(info, right, s)
        if all(np.abs(other.mean - v.mean).max() > 1.0 for v in found):
            found.append(other)
            cost.append(other_cost)
    share = np.exp(min(cost) - np.array(cost))
    share[share < 1e-6] = 0.0
    share /= share.sum()
    return [v._replace(share=p) for v, p in zip(found, share.tolist(), strict=True) if p > 0.0]


def consensus(info: F8, right: F8) -> View:
    """The way that a neutral start leads to."""
    return _view(info, right, -1)[0]


def _view(info: F8, right: F8, anchor: int) -> tuple[View, float]:
    """Way that the neutral start, or one with sensor `anchor` as the frame, leads to; its cost.

    A sensor once let go has nothing to do with what a good one may have: as long as a majority
    holds the frame, its prior is opened, lest it be pulled to zero and the others towards it.
    Without a majority every prior is as wide as what its sensor is suspected of.
    """
    n, many = len(right), len(right) // BIASES
    weight = np.ones(many)
    if anchor >= 0:
        weight[:] = 1e-4
        weight[anchor] = 1.0
    mean, C = np.zeros(n), np.zeros((n, n))
    agree(info, right, weight, mean, C, _OPENING if anchor < 0 else 0)
    length2 = (mean.reshape(-1, BIASES) ** 2).sum(axis=1)
    spread = 0.5 * (FREEDOM + BIASES) * np.log1p(length2 / FREEDOM).sum()
    cost = float(0.5 * mean @ info @ mean - right @ mean + spread)
    if 2 * np.count_nonzero(weight >= LET_GO) > many:
        prior = np.where(weight < LET_GO, SLAB**-2, weight)
    else:
        prior = np.minimum(weight, 1.0 / (1.0 + length2))
    C = info + np.diag(np.repeat(prior, BIASES))
    if invert(C, n):
        mean = C @ right
    return View(1.0, weight, prior, mean, C), cost
