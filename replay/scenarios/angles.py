"""Inverse trigonometry with the same bits on every CPU.

NumPy's vectorised arctan2 and arcsin differ in the last bit between instruction sets; its sine and
cosine do not. These go through the C library, number by number.
"""

import math

import numpy as np

from v2x.columns import F8


def arctan2(y: F8, x: F8) -> F8:
    """Angles (n,) rad of (n,) y and x."""
    return np.array(list(map(math.atan2, y.tolist(), x.tolist())), np.float64)


def arcsin(x: F8) -> F8:
    """Angles (n,) rad of (n,) sines."""
    return np.array(list(map(math.asin, x.tolist())), np.float64)
