"""Protocol Buffers by table, in one pass of a kernel: the wanted fields into columns of a register.

`v2x.ingest.protobuf` builds a dictionary of everything; this walks the same bytes, gives the same
`Reject` for what is no message, and keeps what a decoder asked for by path. The schema becomes a
table of states: a message type, and where on the way to a wanted field it stands.

===============  =================================================================================
instruction      what it does with a field
===============  =================================================================================
skip             nothing
whole, long      number of 32 or 64 bits into a column
double, float    number into the same column of the register as floats
text             where it begins and ends into two columns
message          goes in; fields of the same message sent twice meet in the same columns
count            adds 1 to a column, goes in
exclusive        puts the field's number into a column; where another stood there, the columns
                 behind it become blank first, as members of a ``oneof`` end one another
element          keeps some columns aside, blanks them, goes in; at its end they become a wire row,
                 behind the depth, and what was kept comes back: so children stand before parents
===============  =================================================================================
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from v2x.columns import F8, I4, I8, U1
from v2x.ingest.decoded import Reject
from v2x.ingest.interning import u8
from v2x.ingest.protobuf import MOST_DEPTH, MOST_FIELDS, Field, Schema
from v2x.jit import uncounted

WIDE = 24
"""Field numbers below are looked up; a schema with others is refused."""
OWN = 4
"""Columns that an element may have to itself."""

_SKIP, _WHOLE, _LONG, _DOUBLE, _FLOAT, _TEXT, _MESSAGE, _COUNT, _EXCLUSIVE, _ELEMENT = range(10)
_WIRE, _OP, _COLUMN, _BELOW, _TO, _REPEATED, _DROPS = range(7)
_NUMBERS = {"int": _WHOLE, "enum": _WHOLE, "bool": _WHOLE, "long": _LONG,
            "double": _DOUBLE, "float": _FLOAT, "string": _TEXT}  # fmt: skip

_OK, _SHORT, _BAD = int(Reject.OK), int(Reject.SHORT), int(Reject.BAD_MAGIC)
_COMPLEX = int(Reject.TOO_COMPLEX)


class Mark(NamedTuple):
    """What happens at a message field: one of these.

    Attributes
    ----------
    counted
        Column that counts how often it came.
    exclusive
        Column that takes the field's number, and the one below which those behind it are blanked
        when another number stood there; with `drops` wire rows so far are dropped then too.
    element
        Its own columns (from, below), `OWN` at most.
    """

    counted: int = -1
    exclusive: tuple[int, int] = (-1, -1)
    drops: bool = False
    element: tuple[int, int] = (-1, -1)


def table_of(
    schema: Schema, root: str, columns: dict[str, int], marks: dict[str, Mark],
    endless: frozenset[str] = frozenset(),
) -> I4:  # fmt: skip
    """Table (states, WIDE, 7) of a message.

    Parameters
    ----------
    columns
        Column by path, ``detection_report.location.x``. A text takes two. Where the path names a
        message that is `exclusive` or counted, the mark does that.
    marks
        What happens at a path.
    endless
        Paths of messages that hold themselves, in a field that leads back to the same state.

    Raises
    ------
    ValueError
        For a path that the schema does not have.
    """
    wanted = set(columns) | set(marks)
    prefixes = {""} | {p[:k] for p in wanted for k in range(len(p)) if p[k] == "."} | wanted
    states: dict[tuple[str, str], int] = {}
    rows: list[list[list[int]]] = []
    seen: set[str] = set()

    def state(name: str, path: str) -> int:
        key = (name, path if path in prefixes else "-")
        if key not in states:
            states[key] = len(rows)
            made = [[-1] + [0] * 6 for _ in range(WIDE)]
            rows.append(made)
            for number, field in schema[name].items():
                if number >= WIDE:
                    raise ValueError(f"{name}.{field.name}: number {number} is too large")
                made[number] = entry(name, field, key[1])
        return states[key]

    def entry(name: str, field: Field, path: str) -> list[int]:
        here = field.name if not path else f"{path}.{field.name}"
        column, mark = columns.get(here, -1), marks.get(here, Mark())
        seen.add(here)
        made = [field.wire, _SKIP, column, 0, 0, int(field.repeated), int(mark.drops)]
        if field.type in _NUMBERS or field.type == "bytes":
            if column >= 0:
                made[_OP] = _NUMBERS[field.type]
            return made
        if path in endless and field.type == name:
            here, mark = path, marks.get(path, Mark())
        made[_OP], made[_TO] = _MESSAGE, state(field.type, here)
        if mark.counted >= 0:
            made[_OP], made[_COLUMN] = _COUNT, mark.counted
        elif mark.exclusive[0] >= 0:
            made[_OP], (made[_COLUMN], made[_BELOW]) = _EXCLUSIVE, mark.exclusive
        elif mark.element[0] >= 0:
            made[_OP], (made[_COLUMN], made[_BELOW]) = _ELEMENT, mark.element
        return made

    state(root, "")
    unused = wanted - seen
    if unused:
        raise ValueError(f"{root} has no field {', '.join(sorted(unused))}")
    return np.array(rows, np.int32)


class Walk(NamedTuple):
    """What a message is walked with, made once by `room`.

    Attributes
    ----------
    register, floats
        (columns,) i8, and the same memory as f8.
    blank
        (columns,) i8 what the columns are when nothing was sent.
    rows, row_floats
        (MOST_FIELDS, 1 + OWN) i8 wire rows, and the same memory as f8.
    stack
        (MOST_DEPTH + 1, 5 + OWN) what is gone back to.
    bits, single
        (1,) u4, and the same memory as f4.
    """

    register: I8
    floats: F8
    blank: I8
    rows: I8
    row_floats: F8
    stack: I8
    bits: NDArray[np.uint32]
    single: NDArray[np.float32]

    @classmethod
    def room(cls, blank: I8) -> "Walk":
        """Room for the largest message with these columns."""
        register, bits = blank.copy(), np.zeros(1, np.uint32)
        rows = np.empty((MOST_FIELDS, 1 + OWN), np.int64)
        return cls(
            register, register.view(np.float64), blank, rows, rows.view(np.float64),
            np.empty((MOST_DEPTH + 1, 5 + OWN), np.int64), bits, bits.view(np.float32),
        )  # fmt: skip


@uncounted
def _varint(buf: U1, at: int, end: int) -> tuple[int, int]:
    """Number of up to 64 bits at `at` and the place behind it, or minus a reject code."""
    value = shift = 0
    while at < end:
        byte = u8(buf, at)
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            return 0, -_BAD
    return 0, -_SHORT


@uncounted
def _four(buf: U1, at: int) -> int:
    """Little-endian number of 4 bytes."""
    b = np.uint64(at)
    w = (
        np.uint64(buf[b])
        | (np.uint64(buf[b + np.uint64(1)]) << np.uint64(8))
        | (np.uint64(buf[b + np.uint64(2)]) << np.uint64(16))
        | (np.uint64(buf[b + np.uint64(3)]) << np.uint64(24))
    )
    return int(np.int64(w))


@uncounted
def _whole(raw: int) -> int:
    """Two's complement of the low 32 bits."""
    return ((raw & 0xFFFF_FFFF) ^ 0x8000_0000) - 0x8000_0000


@uncounted
def walk(table: I4, buf: U1, at: int, end: int, it: Walk) -> tuple[int, int]:
    """Walk the message in ``buf[at:end]``: (reject code, wire rows).

    table as `table_of` made it; `it.register` is filled, texts as places in `buf`.
    """
    register, blank, stack, rows = it.register, it.blank, it.stack, it.rows
    for c in range(blank.shape[0]):
        register[c] = blank[c]
    depth = state = n = 0
    left = MOST_FIELDS
    while True:
        if at >= end:
            if depth == 0:
                return _OK, n
            depth -= 1
            first, below = stack[depth, 2], stack[depth, 3]
            if below > first:
                rows[n, 0] = depth
                for c in range(first, below):
                    rows[n, 1 + c - first] = register[c]
                    register[c] = stack[depth, 4 + c - first]
                n += 1
            end, state = stack[depth, 0], stack[depth, 1]
            continue
        left -= 1
        if left < 0:
            return _COMPLEX, n
        tag = u8(buf, at)
        if tag < 0x80:
            at += 1
        else:
            tag, at = _varint(buf, at, end)
            if at < 0:
                return -at, n
        number, wire = tag >> 3, tag & 7
        if not 0 < number < 1 << 29:
            return _BAD, n
        raw = 0
        if wire == 0:
            raw, stop = _varint(buf, at, end)
            if stop < 0:
                return -stop, n
        elif wire == 2:
            size, at = _varint(buf, at, end)
            if at < 0:
                return -at, n
            if size < 0 or size > end - at:
                return _SHORT, n
            stop = at + size
        elif wire == 1 or wire == 5:
            stop = at + (8 if wire == 1 else 4)
            if stop > end:
                return _SHORT, n
        else:
            return _BAD, n
        if number >= WIDE or table[state, number, _WIRE] < 0:
            at = stop
            continue
        op, column = table[state, number, _OP], table[state, number, _COLUMN]
        if table[state, number, _WIRE] != wire:
            if (
                table[state, number, _REPEATED] and wire == 2
            ):  # numbers, packed: none of them is wanted
                while at < stop:
                    left -= 1
                    if left < 0:
                        return _COMPLEX, n
                    _, at = _varint(buf, at, stop)
                    if at < 0:
                        return -at, n
            at = stop
        elif op >= _MESSAGE:
            if depth >= MOST_DEPTH:
                return _COMPLEX, n
            below = table[state, number, _BELOW]
            stack[depth, 0], stack[depth, 1] = end, state
            stack[depth, 2] = stack[depth, 3] = 0
            if op == _COUNT:
                register[column] += 1
            elif op == _EXCLUSIVE:
                if register[column] != number:
                    for c in range(column + 1, below):
                        register[c] = blank[c]
                    register[column] = number
                    if table[state, number, _DROPS]:
                        n = 0
            elif op == _ELEMENT:
                stack[depth, 2], stack[depth, 3] = column, below
                for c in range(column, below):
                    stack[depth, 4 + c - column] = register[c]
                    register[c] = blank[c]
            depth += 1
            end, state = stop, table[state, number, _TO]
        else:
            if op == _WHOLE:
                register[column] = _whole(raw)
            elif op == _LONG:
                register[column] = raw
            elif op == _DOUBLE:
                register[column] = _four(buf, at) | _four(buf, at + 4) << 32
            elif op == _FLOAT:
                it.bits[0] = np.uint32(_four(buf, at))
                it.floats[column] = float(it.single[0])
            elif op == _TEXT:
                register[column], register[column + 1] = at, stop
            at = stop
