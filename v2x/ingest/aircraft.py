"""What is remembered of each aircraft between its messages.

Everything a rule of `v2x.ingest.formats.adsb` needs from earlier messages is one row of `Memory`:
the emitter category, an accuracy, integrity bits, a height difference, a velocity that waits, a
pair of positions, whether it was on the ground.
"""

from typing import NamedTuple

import numpy as np

from v2x.columns import F8, I8
from v2x.ingest.interning import Slots, mixed, slot_of
from v2x.ingest.rows import ReadingOut, put
from v2x.jit import kernel, uncounted
from v2x.readings import Name

SECOND = 1_000_000_000
KEEP_NS = 60 * SECOND
"""How long an accuracy, a height difference and an address hold."""
NEVER = -(1 << 62)
SEED = 11
"""Of the hash that finds an address."""

PLACES = 32_768
AIRCRAFT = PLACES // 2
"""Addresses remembered. When they are full, those heard once or silent for 60 s are forgotten, and
all if that leaves more than three quarters."""

CALLSIGN_KEY = 3
"""Scheme of interned callsigns, beside `ICAO` and `ADSB18`."""

(
    WHO, HEARD, TIMES, KIND, NACP, NACP_NS, BASE_NS, VEL_NS, VEL_RECV, EVEN_NS, EVEN, ODD_NS, ODD,
    INTEGRITY, INTEGRITY_NS, NIC, NIC_NS, GROUND,
) = range(18)  # fmt: skip
"""Whole columns of what is remembered by address: sensor << 32 | key, ..., lat << 17 | lon, version
<< 2 | NIC supplements A and C, the NIC last told and when, 1 on the ground."""
WHOLES = 18
BASE, EAST, NORTH, UP, VEL_SD = range(5)
"""And real ones: GNSS minus barometric in m, and the velocity that waits, m/s."""

_VE = int(Name.VELOCITY_EAST)


class Memory(NamedTuple):
    """What is remembered by (sensor, address), as an open hash table."""

    whole: I8
    """(PLACES, WHOLES)."""
    real: F8
    """(PLACES, 5)."""
    known: I8
    """(1,)."""
    slot: I8
    """(PLACES,) where the identity was last found among the interned texts: a hint."""


def new_memory() -> Memory:
    """No aircraft known."""
    whole, real = np.zeros((PLACES, WHOLES), np.int64), np.zeros((PLACES, 5))
    return Memory(whole, real, np.zeros(1, np.int64), np.full(PLACES, -1))


@uncounted
def _place(memory: Memory, who: int) -> int:
    """Place of an address, or of the free row where it would go."""
    mask = memory.whole.shape[0] - 1
    at = mixed(SEED, who) & mask
    while memory.whole[at, WHO] != 0 and memory.whole[at, WHO] != who:
        at = (at + 1) & mask
    return int(at)


@kernel
def _forget(memory: Memory, t_ns: int) -> int:
    """Make room (see `AIRCRAFT`): how many were forgotten."""
    whole, real = memory.whole.copy(), memory.real.copy()  # rare: only when full
    before = memory.known[0]
    kept = 0
    for at in range(whole.shape[0]):
        silent = abs(t_ns - whole[at, HEARD]) > KEEP_NS
        if whole[at, WHO] != 0 and (silent or whole[at, TIMES] < 2):
            whole[at, WHO] = 0
        if whole[at, WHO] != 0:
            kept += 1
    if 4 * kept > 3 * before:
        kept = 0
        whole[:, WHO] = 0
    memory.whole[:] = 0
    for at in range(whole.shape[0]):
        if whole[at, WHO] != 0:
            to = _place(memory, whole[at, WHO])
            memory.whole[to] = whole[at]
            memory.real[to] = real[at]
    memory.known[0] = kept
    return int(before - kept)


@uncounted
def known(memory: Memory, who: int, t_ns: int) -> int:
    """Row of an address heard with its own parity in the last minute; -1 if there is none."""
    at = _place(memory, who)
    fresh = memory.whole[at, WHO] == who and abs(t_ns - memory.whole[at, HEARD]) <= KEEP_NS
    return at if fresh else -1


@uncounted
def recall(memory: Memory, who: int, t_ns: int, tally: I8) -> int:
    """Row of an address, a new one where it is not known; counts the forgotten in tally (1,)."""
    at = _place(memory, who)
    if memory.whole[at, WHO] == 0:
        if memory.known[0] >= AIRCRAFT:
            tally[0] += _forget(memory, t_ns)
            at = _place(memory, who)
        memory.known[0] += 1
        memory.whole[at] = 0
        memory.whole[at, WHO] = who
        memory.whole[at, KIND] = -1
        for column in (NACP_NS, BASE_NS, VEL_NS, EVEN_NS, ODD_NS, INTEGRITY_NS, NIC_NS):
            memory.whole[at, column] = NEVER
    memory.whole[at, HEARD] = t_ns
    memory.whole[at, TIMES] += 1
    return at


@uncounted
def ident_slot(memory: Memory, at: int, key: int, slots: Slots) -> int:
    """Slot of the identity of the aircraft at `at`; a look at the hint spares the search."""
    slot = memory.slot[at]
    if 0 <= slot < slots.handed[0]:
        w0, w1, w2 = slots.words[slot, 0], slots.words[slot, 1], slots.words[slot, 2]
        if w0 == key & 0xFFFFFF and w1 == 0 and w2 == key >> 24:
            return int(slot)
    slot = slot_of(slots, key & 0xFFFFFF, 0, key >> 24)
    memory.slot[at] = slot
    return int(slot)


@uncounted
def release(memory: Memory, at: int, frame: int, ident: int, out: ReadingOut, k: int) -> int:
    """Make readings of the velocity that waits at `at`, if any; the next free row."""
    t = memory.whole[at, VEL_NS]
    if t > NEVER:
        memory.whole[at, VEL_NS] = NEVER
        sensor = int(memory.whole[at, WHO] >> 32)
        for axis in range(3):
            if memory.real[at, EAST + axis] == memory.real[at, EAST + axis]:
                value = memory.real[at, EAST + axis]
                recv = memory.whole[at, VEL_RECV]
                k = put(out, k, frame, t, recv, sensor, ident, _VE + axis, value)
    return k
