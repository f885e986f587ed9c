"""Interning: an identity text that comes off a wire is hashed once, not once a frame.

Writing and hashing a text for every frame costs more than reading the frame. So a kernel hands out
one slot per distinct key of three words (7 bytes each, so that no word is ever negative), and
`Texts.resolve` turns the new slots into texts and their `ident_of` after the kernel.

The table caches a pure function. It is emptied whenever it is half full, which therefore changes
no row; chunks of a poll are cut so small that it cannot fill in between. A copy starts empty, and
so does the table of a pipeline that goes on from a checkpoint.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from v2x.columns import B1, I4, I8, U1
from v2x.ingest.digests import idents_of
from v2x.jit import uncounted

CAPACITY = 65_536
PROBES = 32
"""A key not found after so many steps gets a slot that is not found again: chosen keys that
collide cost double work, never a long search and never a wrong identity."""

CHUNK = 8_192
"""Frames read at a time; each may bring up to four new texts: half of `CAPACITY`."""


class Slots(NamedTuple):
    """What kernels see of a `Texts`."""

    words: I8
    """(CAPACITY, 3) keys."""
    table: I4
    """(2 CAPACITY,) slot + 1; 0 empty."""
    handed: I8
    """(1,) slots handed out."""


@uncounted
def mixed(h: int, word: int) -> int:
    """Hash `word` into `h`, both from 0 to 2**62; overflow only loses bits that are masked away.

    Two rounds: after one, the last letters of a text hardly reach the low bits that find a place.
    """
    p = ((int(h) ^ int(word)) * 0x2545F4914F6CDD1D) & 0x3FFF_FFFF_FFFF_FFFF
    p = ((p ^ (p >> 31)) * 0x1B03738712FAD5C9) & 0x3FFF_FFFF_FFFF_FFFF
    return p ^ (p >> 32)


@uncounted
def slot_of(slots: Slots, w0: int, w1: int, w2: int) -> int:
    """Slot of the key, a new one where it is not known yet."""
    mask = slots.table.shape[0] - 1
    at = mixed(mixed(mixed(7, w0), w1), w2) & mask
    fresh = slots.handed[0]
    for _ in range(PROBES):
        slot = slots.table[at] - 1
        if slot < 0:
            slots.table[at] = fresh + 1
            break
        if slots.words[slot, 0] == w0 and slots.words[slot, 1] == w1 and slots.words[slot, 2] == w2:
            return int(slot)
        at = (at + 1) & mask
    slots.words[fresh, 0] = w0
    slots.words[fresh, 1] = w1
    slots.words[fresh, 2] = w2
    slots.handed[0] = fresh + 1
    return int(fresh)


@uncounted
def u8(buf: U1, p: int) -> int:
    """One byte at `p` >= 0, as a signed number wide enough to be shifted.

    The unsigned index spares Numba the look whether it counts from the end.
    """
    return int(np.int64(buf[np.uint64(p)]))


@uncounted
def word_of(buf: U1, start: int, size: int) -> int:
    """Little-endian word of up to 7 bytes."""
    word = 0
    for k in range(size):
        word |= u8(buf, start + k) << (8 * k)
    return word


@uncounted
def _to_hashes(column: I8, hashes: I8, seen: B1) -> None:
    """Hashes for slots in place; slots met are marked in seen (slots,)."""
    for i in range(column.shape[0]):
        slot = column[i]
        if slot >= 0:
            seen[slot] = True
            column[i] = hashes[slot]


class Texts:
    """Identity texts by slot, with their hashes.

    Parameters
    ----------
    text_of
        Text ``scheme:value`` of the three words of a key; a function of a module, so that the
        state that holds this table can be copied.
    """

    def __init__(self, text_of: Callable[[int, int, int], str]) -> None:
        self.text_of = text_of
        self.slots = Slots(
            np.empty((CAPACITY, 3), np.int64),
            np.zeros(2 * CAPACITY, np.int32),
            np.zeros(1, np.int64),
        )
        self.hashes = np.full(CAPACITY, -1, np.int64)
        """By slot."""
        self.texts: list[str] = []

    def __reduce__(self) -> tuple[type["Texts"], tuple[Callable[[int, int, int], str]]]:
        return Texts, (self.text_of,)

    def make_room(self) -> None:
        """Before each chunk: empty the table where a chunk might not fit any more."""
        if len(self.texts) > CAPACITY // 2:
            self.slots.table[:] = 0
            self.slots.handed[0] = 0
            self.texts.clear()

    def resolve(self) -> None:
        """Hash the texts that are new since the last call."""
        known, handed = len(self.texts), int(self.slots.handed[0])
        if handed > known:
            new = [self.text_of(*words) for words in self.slots.words[known:handed].tolist()]
            self.hashes[known:handed] = idents_of(new)
            self.texts += new

    def hashed(self, *columns: I8) -> dict[int, str]:
        """Put hashes in the place of slots (-1 stays); hash and text of those that stood there."""
        seen = np.zeros(len(self.texts), np.bool_)
        for column in columns:
            _to_hashes(column, self.hashes, seen)
        slots = np.flatnonzero(seen)
        texts = map(self.texts.__getitem__, slots.tolist())
        return dict(zip(self.hashes[slots].tolist(), texts, strict=True))
