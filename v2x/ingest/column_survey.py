"""Kernels of the column frame: where its columns lie, and all of a poll side by side.

A frame as senders write it, with known keys and columns each once, is surveyed without a Python
object; any other goes the slow way (`v2x.ingest.formats.columns`) and joins the rest at `gather`.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from v2x.columns import B1, I4, I8, U1, U2
from v2x.frames import LAST_NS
from v2x.ingest.decoded import Reject
from v2x.ingest.interning import u8
from v2x.ingest.looks import COLUMNS, EMPTY, MAX_ROWS, REFERENCES, SPAN_US
from v2x.jit import kernel, uncounted
from v2x.observations import Flag

BYTES = {name: np.dtype(dtype).itemsize * width for name, (dtype, width) in COLUMNS.items()}
"""Bytes of one row of each column."""
_MAX_BYTES = 262_144

SLOW, ROW, T0, N, HEIGHT_REF, DATUM, TEXTS, TEXTS_END, IDENTS, FIRST_IDENT, AT = range(11)
"""Columns of a survey; from AT on the place of each column's bytes, -1 absent. SLOW: not known to
be in order. DATUM is 0 unsaid, else its number + 1. TEXTS is the array of identities."""
SURVEY = AT + len(COLUMNS)

_ASCII = 0x7F


def _word(name: str) -> int:
    """Up to nine ASCII letters as one number: a name is compared at once."""
    return sum(byte << 7 * k for k, byte in enumerate(name.encode("ascii")))


_NAMES = np.array([_word(name) for name in COLUMNS])
_WIDTHS = np.array([BYTES[name] for name in COLUMNS])
_V, _SEQ, _T0, _N, _HR, _DATUM, _IDENTS, _C = range(8)
_KEYS = np.array([_word(key) for key in ("v", "seq", "t0", "n", "hr", "datum", "idents", "c")])
_REFS = np.array([_word(name) for name in REFERENCES])
_DATUMS = np.array([_word(name) for name in ("wgs84", "cgcs2000", "gcj02")])
_LAT = list(COLUMNS).index("lat")
_SUSPECT, _BAD_COLUMN = int(Flag.TIME_SUSPECT), int(Reject.BAD_COLUMN)


# --- survey --------------------------------------------------------------------------------------


@uncounted
def _short_text(buf: U1, p: int, end: int) -> tuple[int, int]:
    """Word of a fixstr of up to nine ASCII letters at p, and what follows it; -1 another thing."""
    if p >= end or buf[p] >> 5 != 5:
        return -1, p
    size = buf[p] & 31
    if size > 9 or p + 1 + size > end:
        return -1, p
    word = 0
    for k in range(size):
        byte = u8(buf, p + 1 + k)
        if byte > _ASCII:
            return -1, p
        word |= byte << (7 * k)
    return word, p + 1 + size


@uncounted
def _whole(buf: U1, p: int, end: int) -> tuple[int, int]:
    """Non-negative integer at p, and what follows it; -1 another thing."""
    if p < end and buf[p] < 0x80:
        return u8(buf, p), p + 1
    size = 1 << (buf[p] - 0xCC) if p < end and 0xCC <= buf[p] <= 0xCF else 0
    if size == 0 or p + 1 + size > end or (size == 8 and buf[p + 1] > 0x7F):
        return -1, p
    value = 0
    for k in range(size):
        value = value << 8 | u8(buf, p + 1 + k)
    return value, p + 1 + size


@uncounted
def _texts(buf: U1, p: int, end: int) -> tuple[int, int]:
    """How many ASCII texts the array at p holds, and what follows it; -1 another thing."""
    if p < end and buf[p] >> 4 == 9:
        n, p = buf[p] & 15, p + 1
    elif p + 2 < end and buf[p] == 0xDC:
        n, p = (u8(buf, p + 1) << 8) | u8(buf, p + 2), p + 3
    else:
        return -1, p
    if n > MAX_ROWS:
        return -1, p
    for _ in range(n):
        if p < end and buf[p] >> 5 == 5:
            size, p = buf[p] & 31, p + 1
        elif p + 1 < end and buf[p] == 0xD9:
            size, p = u8(buf, p + 1), p + 2
        else:
            return -1, p
        if p + size > end:
            return -1, p
        for k in range(size):
            if buf[p + k] > _ASCII:
                return -1, p
        p += size
    return int(n), p


@uncounted
def _survey_columns(buf: U1, p: int, end: int, found: I8, size: I8) -> int:
    """Places and sizes of the columns of the map at p; what follows it, -1 another thing."""
    if p < end and buf[p] >> 4 == 8:
        entries, p = buf[p] & 15, p + 1
    elif p + 2 < end and buf[p] == 0xDE:
        entries, p = (u8(buf, p + 1) << 8) | u8(buf, p + 2), p + 3
    else:
        return -1
    for _ in range(entries):
        word, p = _short_text(buf, p, end)
        column = -1
        for k in range(_NAMES.shape[0]):
            if _NAMES[k] == word:
                column = k
        if column < 0 or found[AT + column] >= 0 or p >= end or not 0xC4 <= buf[p] <= 0xC6:
            return -1
        width = 1 << (buf[p] - 0xC4)
        if p + 1 + width > end:
            return -1
        length = 0
        for k in range(width):
            length = length << 8 | u8(buf, p + 1 + k)
        p += 1 + width
        if length > _MAX_BYTES or p + length > end:
            return -1
        found[AT + column], size[column] = p, length
        p += length
    return int(p)


@uncounted
def _survey_one(buf: U1, p: int, end: int, found: I8, size: I8) -> bool:
    """Survey of the frame ``buf[p:end]``; False where it is not as senders write it."""
    found[:] = -1
    size[:] = 0
    found[HEIGHT_REF] = found[DATUM] = found[IDENTS] = 0
    if p >= end or buf[p] >> 4 != 8:
        return False
    entries, p = buf[p] & 15, p + 1
    seen, version, word = 0, -1, 0
    for _ in range(entries):
        word, p = _short_text(buf, p, end)
        key = -1
        for k in range(_KEYS.shape[0]):
            if _KEYS[k] == word:
                key = k
        if key < 0 or seen >> key & 1:
            return False
        seen |= 1 << key
        if key == _C:
            p = _survey_columns(buf, p, end, found, size)
            if p < 0:
                return False
        elif key == _IDENTS:
            found[TEXTS] = p
            found[IDENTS], p = _texts(buf, p, end)
            found[TEXTS_END] = p
            if found[IDENTS] < 0:
                return False
        elif key in (_HR, _DATUM):
            word, p = _short_text(buf, p, end)
            names = _REFS if key == _HR else _DATUMS
            which = -1
            for k in range(names.shape[0]):
                if names[k] == word:
                    which = k
            if which < 0:
                return False
            if key == _HR:
                found[HEIGHT_REF] = which
            else:
                found[DATUM] = which + 1
        else:
            word, p = _whole(buf, p, end)
            if word < 0:
                return False
            if key == _V:
                version = word
            elif key == _T0:
                found[T0] = word
            elif key == _N:
                found[N] = word
    n = found[N]
    if p != end or version != 1 or not 0 <= found[T0] <= LAST_NS or not 0 <= n <= MAX_ROWS:
        return False
    lat, lon = found[AT + _LAT] >= 0, found[AT + _LAT + 1] >= 0
    angles = found[AT + _LAT + 2] >= 0 and found[AT + _LAT + 3] >= 0
    if n and (found[AT] < 0 or lat != lon or lat == angles):
        return False
    for k in range(_WIDTHS.shape[0]):
        if n and found[AT + k] >= 0 and size[k] != n * _WIDTHS[k]:
            return False
    return True


@uncounted
def survey(buf: U1, off: I8, rejects: U1, found: I8, size: I8) -> None:
    """Survey of each frame off (n+1,) that is not refused, into found (n, SURVEY).

    size (columns,): scratch.
    """
    for i in range(off.shape[0] - 1):
        if rejects[i] == 0:
            found[i, SLOW] = not _survey_one(buf, off[i], off[i + 1], found[i], size)
        found[i, ROW] = i


# --- columns side by side ------------------------------------------------------------------------


@kernel
def _gather(buf: U1, found: I8, column: int, width: int, blank: U1, out: U1) -> None:
    """Bytes of one column of all frames, one behind the other."""
    at = 0
    for i in range(found.shape[0]):
        size = found[i, N] * width
        p = found[i, AT + column]
        if p >= 0:
            out[at : at + size] = buf[p : p + size]
        else:
            for k in range(size):
                out[at + k] = blank[k % width]
        at += size


def gather(buf: U1, found: I8) -> dict[str, NDArray[Any]]:
    """Columns of frames found (n, SURVEY) whose bytes stand in `buf`, joined; not those of none."""
    total = int(found[:, N].sum())
    made: dict[str, NDArray[Any]] = {}
    for column, (name, (dtype, width)) in enumerate(COLUMNS.items()):
        if not (found[:, AT + column] >= 0).any():
            continue
        kind = np.dtype(dtype)
        out = np.empty(total * BYTES[name], np.uint8)
        blank = np.full(width, 0 if name == "dt" else EMPTY.get(name, np.nan), kind)
        _gather(buf, found, column, BYTES[name], blank.view(np.uint8), out)
        values = out.view(kind.newbyteorder("="))
        made[name] = values if width == 1 else values.reshape(-1, width)
    return made


class Spread(NamedTuple):
    """What a frame says of all its rows, and what a row says of its time and identity."""

    frame: I4
    t_ns: I8
    doubts: U2
    flat: B1
    reference: U1
    ident: I8


@uncounted
def _spread(found: I8, dt: I4, index: I4, hashes: I8, rejects: U1, out: Spread) -> None:
    r = 0
    for i in range(found.shape[0]):
        for _ in range(found[i, N]):
            away = int(dt[r])
            out.frame[r] = found[i, ROW]
            out.t_ns[r] = found[i, T0] + away * 1000
            out.doubts[r] = _SUSPECT if abs(away) > SPAN_US else 0
            out.flat[r] = found[i, AT + _LAT] >= 0
            out.reference[r] = found[i, HEIGHT_REF]
            out.ident[r] = -1
            if index.shape[0]:
                listed = index[r]
                if listed < -1 or listed >= found[i, IDENTS]:
                    rejects[found[i, ROW]] = _BAD_COLUMN
                elif listed >= 0:
                    out.ident[r] = hashes[found[i, FIRST_IDENT] + listed]
            r += 1


def spread(found: I8, dt: I4, index: I4, hashes: I8, rejects: U1) -> Spread:
    """Frame, time, identity of every row of found (n, SURVEY).

    dt (rows,) us; index (rows,) in a frame's identities or empty; hashes of all identities. A frame
    with an identity that it does not list is refused whole, in rejects.
    """
    n = dt.shape[0]
    made = Spread(
        np.empty(n, np.int32), np.empty(n, np.int64), np.empty(n, np.uint16),
        np.empty(n, np.bool_), np.empty(n, np.uint8), np.empty(n, np.int64),
    )  # fmt: skip
    _spread(found, dt, index, hashes, rejects, made)
    return made
