"""Detection, clutter and duplicates of each sensor, from the sums of its scans."""

import numpy as np

from v2x.columns import F8, I4, I8
from v2x.fusion.windows import UNSET
from v2x.jit import kernel

N_COUNTS = 6
"""Hits, looks, unexplained plots, area, rows, copies."""


def posteriors(counts: F8) -> dict[str, F8]:
    """Columns of `SensorFacts` under Jeffreys' priors: Beta(½, ½) and Gamma(½, 0)."""
    hits, looks, unexplained, area, plots, copies = counts.T
    a, b = hits + 0.5, np.maximum(looks - hits, 0.0) + 0.5
    p = a / (a + b)
    seen = looks > 0.0
    return {
        "p_detect": np.where(seen, p, np.nan),
        "p_detect_sd": np.where(seen, np.sqrt(p * (1.0 - p) / (a + b + 1.0)), np.nan),
        "clutter": ratio(unexplained + 0.5, area),
        "clutter_sd": ratio(np.sqrt(unexplained + 0.5), area),
        "duplicates": ratio(copies, plots),
    }


def ratio(a: F8, b: F8) -> F8:
    """`a` / `b`; NaN where `b` is 0."""
    made: F8 = np.divide(a, b, out=np.full(len(a), np.nan), where=b > 0.0)
    return made


@kernel
def fold(t: I8, sensor: I4, values: F8, half_ns: float, counts: F8, last: I8) -> None:
    """Add scans to what is left of the older ones. A scan without known area counts no clutter."""
    for i in range(len(t)):
        s = sensor[i]
        if t[i] > last[s]:
            kept = 0.5 ** ((t[i] - last[s]) / half_ns) if last[s] != UNSET else 0.0
            for a in range(counts.shape[1]):
                counts[s, a] *= kept
            last[s] = t[i]
        clutter = values[i, 3] > 0.0
        for a in range(counts.shape[1]):
            if a not in (2, 3) or clutter:
                counts[s, a] += values[i, a]
