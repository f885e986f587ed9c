"""Unaligned packed encoding (ITU-T X.691, UPER) as the roadside messages use it.

::

    whole number    N bits, raw + lower bound; above the upper bound is a fault
    enumerated      as a number; extensible: 1 bit, then the number, or 1 bit 0 + 6 bits unknown
    list            count in N bits, then the items
    bit string      N bits; extensible: 1 bit, then N bits, or a length and that many bits
    sequence        extension bit if extensible, one presence bit per optional field, fields,
                    additions: 1 bit 0 + 6 bits count - 1, presence bits, each length + octets
    length          0 + 7 bits, or 10 + 14 bits; 11 announces fragments, which are refused
    end             0 to 7 bits, all zero; more, or a 1, is data behind the message

Reading keeps no object: every function takes the position in bits and gives back the next one.
A position at `FAULT` or above is no position but ``FAULT + reject code``. It sticks: whatever is
read from there is 0 and leaves it unchanged, so a walk may check once, where it ends, and the
first fault in the stream is the one reported. No read looks behind the end of its frame; a wide
load may touch the zero bytes that a batch carries behind its last frame.
"""

import numpy as np

from v2x.columns import U1
from v2x.ingest.decoded import Reject
from v2x.jit import uncounted

FAULT = 1 << 40
SHORT = FAULT + int(Reject.SHORT)
VALUE_RANGE = FAULT + int(Reject.VALUE_RANGE)
TRAILING_DATA = FAULT + int(Reject.TRAILING_DATA)
OVERSIZE = FAULT + int(Reject.OVERSIZE)

UNKNOWN = -1
"""Value of an enumeration that a later edition added."""


@uncounted
def take(buf: U1, p: int, end: int, n: int) -> tuple[int, int]:
    """Next `n` bits (1..57) as an unsigned number, and the position behind them."""
    if p + n > end:
        return 0, max(p, SHORT)
    # Eight bytes become one load; signed indices would be tested for negative and prevent it.
    b = np.uint64(p >> 3)
    w = (
        (np.uint64(buf[b]) << np.uint64(56))
        | (np.uint64(buf[b + np.uint64(1)]) << np.uint64(48))
        | (np.uint64(buf[b + np.uint64(2)]) << np.uint64(40))
        | (np.uint64(buf[b + np.uint64(3)]) << np.uint64(32))
        | (np.uint64(buf[b + np.uint64(4)]) << np.uint64(24))
        | (np.uint64(buf[b + np.uint64(5)]) << np.uint64(16))
        | (np.uint64(buf[b + np.uint64(6)]) << np.uint64(8))
        | np.uint64(buf[b + np.uint64(7)])
    )
    return int(np.int64((w << np.uint64(p & 7)) >> np.uint64(64 - n))), p + n


@uncounted
def ranged(buf: U1, p: int, end: int, n: int, top: int) -> tuple[int, int]:
    """Next `n` bits, at most `top`: numbers with a bound, enumerations, counts, choices."""
    v, p = take(buf, p, end, n)
    if v > top:
        return 0, VALUE_RANGE
    return v, p


@uncounted
def skip(p: int, end: int, n: int) -> int:
    """Position behind `n` bits (any number) that nobody needs."""
    if p + n > end:
        return max(p, SHORT)
    return p + n


@uncounted
def enumerated(buf: U1, p: int, end: int, n: int, top: int) -> tuple[int, int]:
    """Extensible enumeration of `n` bits; a value of a later edition is `UNKNOWN`."""
    more, p = take(buf, p, end, 1)
    if more == 0:
        return ranged(buf, p, end, n, top)
    large, p = take(buf, p, end, 1)
    if large:
        return 0, OVERSIZE
    return UNKNOWN, skip(p, end, 6)


@uncounted
def length(buf: U1, p: int, end: int) -> tuple[int, int]:
    """Length determinant below 16,384."""
    long, p = take(buf, p, end, 1)
    if long == 0:
        return take(buf, p, end, 7)
    fragments, p = take(buf, p, end, 1)
    if fragments:
        return 0, OVERSIZE
    return take(buf, p, end, 14)


@uncounted
def bits(buf: U1, p: int, end: int, n: int) -> tuple[int, int]:
    """Extensible bit string of `n` (up to 31) named bits: first bit of the wire is bit 0.

    Bits that a later edition added behind the 31st are read over.
    """
    more, p = take(buf, p, end, 1)
    if more:
        n, p = length(buf, p, end)
    behind = skip(p, end, n)
    value = 0
    for i in range(min(n, 31)):
        v, p = take(buf, p, end, 1)
        value |= v << i
    return value, behind


@uncounted
def additions(buf: U1, p: int, end: int) -> int:
    """Position behind the extension additions of a sequence whose extension bit was 1."""
    large, p = take(buf, p, end, 1)
    if large:
        return OVERSIZE
    count, p = take(buf, p, end, 6)
    here, p = p, skip(p, end, count + 1)
    if p >= FAULT:
        return p
    for i in range(count + 1):
        present, _ = take(buf, here + i, end, 1)
        if present:
            octets, p = length(buf, p, end)
            p = skip(p, end, 8 * octets)
    return p


@uncounted
def finished(buf: U1, p: int, end: int) -> int:
    """`p`, or the fault of a message that does not end where its frame ends."""
    if p >= FAULT:
        return p
    left = end - p
    if left == 0:
        return p
    if left >= 8:
        return TRAILING_DATA
    rest, p = take(buf, p, end, left)
    return TRAILING_DATA if rest else p
