"""Which way a sender's vertical speed counts: arbitrated by the heights that it sends beside it.

Readers of GB 46750-2025 disagree about the direction bit of item 012. The heights of the same
packets (item 013) cannot: over ten seconds and more in which both say that it moved five metres or
more, and about equally far, they have one sign or the other.
"""

from typing import NamedTuple

import numpy as np

from v2x.columns import F8, I8
from v2x.ingest.interning import mixed
from v2x.jit import uncounted

CLIMBERS = 1024
"""Senders remembered; a newcomer takes the place of one whose hash is alike."""
SPAN_NS = 10_000_000_000
GAP_NS = 5_000_000_000
"""Packets further apart start anew."""
MOVED_M = 5.0

_W0, _W1, _W2, _SENSOR, _SIGN, _START, _LAST = range(7)
_FROM, _SUM, _CLIMB = range(3)


class Climbs(NamedTuple):
    """What is remembered by sender."""

    whole: I8
    """(CLIMBERS, 7) the id, sensor + 1 (0: nobody), sign (0: not known), ns of start and last."""
    real: F8
    """(CLIMBERS, 3) height at the start, metres climbed since by item 012, the last climb."""


def new_climbs() -> Climbs:
    """Nobody heard yet."""
    return Climbs(np.zeros((CLIMBERS, 7), np.int64), np.zeros((CLIMBERS, 3)))


@uncounted
def arbitrate(
    climbs: Climbs, w0: int, w1: int, w2: int, sensor: int, t_ns: int, height: float, climb: float
) -> tuple[int, bool]:
    """Take a packet; the sign that holds (1 as read, -1 reversed, 0 not known), and is it new.

    `t_ns` is the arrival: the clock of a drone may be set in flight.
    """
    whole, real = climbs.whole, climbs.real
    at = mixed(mixed(mixed(sensor, w0), w1), w2) % whole.shape[0]
    same = whole[at, _SENSOR] == sensor + 1 and whole[at, _W0] == w0
    if not (same and whole[at, _W1] == w1 and whole[at, _W2] == w2):
        whole[at, _W0], whole[at, _W1], whole[at, _W2] = w0, w1, w2
        whole[at, _SENSOR], whole[at, _SIGN] = sensor + 1, 0
        whole[at, _LAST] = t_ns - 2 * GAP_NS
    if height != height:
        return int(whole[at, _SIGN]), False
    gap = t_ns - whole[at, _LAST]
    if gap < 0 or gap > GAP_NS:
        whole[at, _START], real[at, _FROM], real[at, _SUM] = t_ns, height, 0.0
    else:
        real[at, _SUM] += 0.5 * (real[at, _CLIMB] + climb) * (gap * 1e-9)
    whole[at, _LAST], real[at, _CLIMB] = t_ns, climb
    if t_ns - whole[at, _START] < SPAN_NS:
        return int(whole[at, _SIGN]), False
    rise, said = height - real[at, _FROM], real[at, _SUM]
    whole[at, _START], real[at, _FROM], real[at, _SUM] = t_ns, height, 0.0
    near, far = min(abs(rise), abs(said)), max(abs(rise), abs(said))
    if near < MOVED_M or far > 2.0 * near:
        return int(whole[at, _SIGN]), False
    sign = 1 if rise * said > 0.0 else -1
    news = whole[at, _SIGN] != sign
    whole[at, _SIGN] = sign
    return sign, news
