"""Rate of turn of tracks, from how their velocity turned lately.

The tracker weighs modes of turning but reports their mean state only; what it thought of the turn
is in how the velocity went round. So the rate is the change of course per second, averaged with a
time constant of `MEMORY_S`, and drawn towards 0 where it is no more than noise.
"""

import numpy as np

from v2x.columns import F8, I8
from v2x.lowalt.claims import SECOND

MEMORY_S = 2.0
NOISE = 0.02
"""rad/s: 0.5 m/s across 15 m/s are 2 deg of course, told apart over 2 s. Ours, to be tuned."""
MOST = 0.6
SLOWEST_MPS = 2.0
"""Below this a velocity has no course to speak of."""
GAP_NS = 2 * SECOND


def turned(rate: F8, before: F8, before_ns: I8, now: F8, t_ns: int) -> F8:
    """(n,) rad/s to the left, averaged up to now.

    rate (n,) the average so far, NaN none; before, now (n, 2) velocities m/s, `before` of
    `before_ns` (n,), -1 never.
    """
    dt = (t_ns - before_ns) / 1e9
    cross = before[:, 0] * now[:, 1] - before[:, 1] * now[:, 0]
    dot = before[:, 0] * now[:, 0] + before[:, 1] * now[:, 1]
    fast = np.minimum(np.hypot(*before.T), np.hypot(*now.T)) >= SLOWEST_MPS
    usable = (before_ns >= 0) & (t_ns - before_ns <= GAP_NS) & (dt > 0.0) & fast
    step = np.where(usable, dt, 1.0)
    fresh = np.where(usable, np.arctan2(cross, dot) / step, 0.0)
    share = np.where(usable, 1.0 - np.exp(-step / MEMORY_S), 0.0)
    made = np.nan_to_num(rate) + share * (fresh - np.nan_to_num(rate))
    kept: F8 = np.where(usable, np.clip(made, -MOST, MOST), 0.0)
    return kept


def sure_turn(rate: F8) -> F8:
    """(n,) rates drawn towards 0 by what is noise in them."""
    squared = rate * rate
    made: F8 = rate * squared / (squared + NOISE * NOISE)
    return made
