"""Interning of texts by their bytes: what `v2x.ingest.interning` does for keys of three words.

A kernel hands out one slot per distinct (scheme, number, bytes); after it `Wordings.resolve` turns
new slots into text, hash and whatever else a decoder wants of each. The texts of a frame of more
than `MOST_BYTES` have no room; it is to be read otherwise. The table is emptied when it is half
full, which changes no row, since it caches a pure function.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from v2x.columns import B1, I4, I8, U1
from v2x.ingest.digests import idents_of
from v2x.ingest.interning import PROBES, mixed, u8
from v2x.jit import uncounted

MOST_BYTES = 1 << 20
_HEAD = 5
"""Bytes of a key before those of its text: scheme, number."""

CHUNK_BYTES = 262_144
"""Bytes of frames read at a time; a text takes two of them at least besides its own."""
_CAPACITY = 262_144
_ROOM = 1 << 22


class Spans(NamedTuple):
    """What kernels see of `Wordings`.

    `bytes` (_ROOM,) keys back to back, each beginning with its scheme; `ends` (_CAPACITY + 1,) of
    each behind a 0; `table` slot + 1 by hash; `handed` (1,) slots handed out.
    """

    bytes: U1
    ends: I8
    table: I4
    handed: I8


@uncounted
def slot_of_text(spans: Spans, scheme: int, number: int, buf: U1, at: int, end: int) -> int:
    """Slot of the key, a new one where it is not known yet; `number` has 32 bits."""
    fresh = spans.handed[0]
    begin = spans.ends[fresh]
    keys = spans.bytes
    keys[begin] = scheme
    for k in range(4):
        keys[begin + 1 + k] = (number >> (8 * k)) & 0xFF
    size = _HEAD + end - at
    for k in range(end - at):
        keys[begin + _HEAD + k] = buf[at + k]
    h = mixed(7, scheme | ((number & 0xFFFF_FFFF) << 8))
    for first in range(begin + _HEAD, begin + size, 7):
        word = 0
        for k in range(min(7, begin + size - first)):
            word |= u8(keys, first + k) << (8 * k)
        h = mixed(h, word)
    mask = spans.table.shape[0] - 1
    place = h & mask
    for _ in range(PROBES):
        slot = spans.table[place] - 1
        if slot < 0:
            spans.table[place] = fresh + 1
            break
        if spans.ends[slot + 1] - spans.ends[slot] == size:
            other = spans.ends[slot]
            same = 0
            while same < size and keys[other + same] == keys[begin + same]:
                same += 1
            if same == size:
                return int(slot)
        place = (place + 1) & mask
    spans.handed[0] = fresh + 1
    spans.ends[fresh + 1] = begin + size
    return int(fresh)


@uncounted
def _to_hashes(column: I8, hashes: I8, seen: B1) -> None:
    """Hashes for slots in place; slots met are marked in seen (slots,)."""
    for i in range(column.shape[0]):
        slot = column[i]
        if slot >= 0:
            seen[slot] = True
            column[i] = hashes[slot]


class Wordings:
    """Texts by slot, with their hashes.

    Parameters
    ----------
    text_of
        Text of a scheme, a number and the bytes; a function of a module, so that the state that
        holds this table can be copied.
    """

    def __init__(self, text_of: Callable[[int, int, bytes], str]) -> None:
        self.text_of = text_of
        self.spans = Spans(
            np.empty(_ROOM, np.uint8), np.zeros(_CAPACITY + 1, np.int64),
            np.zeros(2 * _CAPACITY, np.int32), np.zeros(1, np.int64),
        )  # fmt: skip
        self.hashes = np.full(1024, -1, np.int64)
        """By slot; grows with them."""
        self.texts: list[str] = []

    def __reduce__(self) -> tuple[type["Wordings"], tuple[Callable[[int, int, bytes], str]]]:
        return Wordings, (self.text_of,)

    def make_room(self) -> bool:
        """Before each chunk: empty the table where a chunk might not fit any more; whether so."""
        known = len(self.texts)
        if known <= _CAPACITY // 2 and self.spans.ends[known] <= _ROOM // 2:
            return False
        self.spans.table[:] = 0
        self.spans.handed[0] = 0
        self.texts.clear()
        return True

    def resolve(self) -> list[str]:
        """Hash the texts that are new since the last call, and give them."""
        known, handed = len(self.texts), int(self.spans.handed[0])
        if handed == known:
            return []
        while self.hashes.shape[0] < handed:
            self.hashes = np.concatenate([self.hashes, np.full_like(self.hashes, -1)])
        ends = self.spans.ends[known : handed + 1].tolist()
        keys = self.spans.bytes[ends[0] : ends[-1]].tobytes()
        new = []
        for a, b in pairwise(ends):
            key = keys[a - ends[0] : b - ends[0]]
            number = int.from_bytes(key[1:_HEAD], "little", signed=True)
            new.append(self.text_of(key[0], number, key[_HEAD:]))
        self.hashes[known:handed] = idents_of(new)
        self.texts += new
        return new

    def hashed(self, *columns: I8) -> dict[int, str]:
        """Put hashes in the place of slots (-1 stays); hash and text of those that stood there."""
        seen = np.zeros(len(self.texts), np.bool_)
        for column in columns:
            _to_hashes(column, self.hashes, seen)
        slots = np.flatnonzero(seen)
        texts = map(self.texts.__getitem__, slots.tolist())
        return dict(zip(self.hashes[slots].tolist(), texts, strict=True))
