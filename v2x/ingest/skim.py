"""One pass over a msgpack value before it is unpacked: is it small enough to build in memory.

msgpack's own limits hold per container: a megabyte of nested empty arrays passes them and becomes
seventy in memory, a header may claim four thousand million items. The skim allocates nothing,
counts depth, containers and nodes, compares what is claimed with what is there, and refuses
extension types.
"""

import numpy as np

from v2x.columns import I8, U1
from v2x.ingest.decoded import Reject
from v2x.jit import uncounted

MAX_DEPTH = 16
MAX_CONTAINERS = 8_192
MAX_NODES = 131_072

_SHORT = int(Reject.SHORT)
_TRAILING = int(Reject.TRAILING_DATA)
_COMPLEX = int(Reject.TOO_COMPLEX)
_BAD_MAP = int(Reject.BAD_MAP)


@uncounted
def _skim_one(buf: U1, at: int, end: int, left: I8) -> int:
    """Reject code of the msgpack value in ``buf[at:end]``; `left` (MAX_DEPTH + 2,) i8 scratch."""
    depth = 0
    left[0] = 1
    containers = 0
    nodes = 0
    while True:
        while left[depth] == 0:
            if depth == 0:
                return 0 if at == end else _TRAILING
            depth -= 1
        left[depth] -= 1
        nodes += 1
        if nodes > MAX_NODES:
            return _COMPLEX
        if at >= end:
            return _SHORT
        byte = int(buf[at])
        at += 1
        skip = 0
        items = -1
        width = 0
        if byte < 0x80 or byte >= 0xE0 or byte == 0xC0 or byte == 0xC2 or byte == 0xC3:
            continue
        if byte < 0x90:
            items = (byte & 15) * 2
        elif byte < 0xA0:
            items = byte & 15
        elif byte < 0xC0:
            skip = byte & 31
        elif 0xC4 <= byte <= 0xC6:
            width = 1 << (byte - 0xC4)
        elif byte == 0xCA or byte == 0xCE or byte == 0xD2:
            skip = 4
        elif byte == 0xCB or byte == 0xCF or byte == 0xD3:
            skip = 8
        elif byte == 0xCC or byte == 0xD0:
            skip = 1
        elif byte == 0xCD or byte == 0xD1:
            skip = 2
        elif 0xD9 <= byte <= 0xDB:
            width = 1 << (byte - 0xD9)
        elif byte == 0xDC or byte == 0xDE:
            width = 2
        elif byte == 0xDD or byte == 0xDF:
            width = 4
        else:
            return _BAD_MAP
        if width:
            if at + width > end:
                return _SHORT
            size = 0
            for i in range(width):
                size = size << 8 | int(buf[at + i])
            at += width
            if byte >= 0xDE:
                items = size * 2
            elif byte >= 0xDC:
                items = size
            else:
                skip = size
        if items >= 0:
            containers += 1
            if items > end - at:
                return _SHORT
            if containers > MAX_CONTAINERS or depth == MAX_DEPTH:
                return _COMPLEX
            depth += 1
            left[depth] = items
        elif skip > end - at:
            return _SHORT
        else:
            at += skip


@uncounted
def _skim(buf: U1, off: I8, left: I8, rejects: U1) -> None:
    """Reject code of every frame; buf u1, off (n + 1,) i8 -> rejects (n,) u1."""
    for i in range(rejects.shape[0]):
        rejects[i] = _skim_one(buf, off[i], off[i + 1], left)


def skim(buf: U1, off: I8) -> U1:
    """(n,) u1 `Reject` per frame of a batch; OK for what may be unpacked."""
    rejects = np.zeros(off.shape[0] - 1, np.uint8)
    _skim(buf, off, np.zeros(MAX_DEPTH + 2, np.int64), rejects)
    return rejects
