"""Roadside messages by table: a message's types become a program, and one kernel runs it.

RSI, SPAT, MAP and SSM nest deep and are wanted in few of their fields. Instead of a kernel each,
the table of types is flattened into instructions that read, check and skip as
`v2x.ingest.uper_plain` does, and put the wanted fields into columns of a register row. At the end
of an element that was marked, the register becomes a wire row; what stands above the element
(message, intersection) is therefore in each of its rows.

Each instruction is six i4: operation, bits, largest raw number (unsigned), what to add, column or
-1, where to jump. Every list has one element at least and every element takes bits, so that a
program ends with its frame. Positions and offsets, and participants of an SSM, are read by the
kernels of `v2x.ingest.j2735cn_parts`; the tables of SAE J2735 (`v2x.ingest.j2735_programs`) have
types of the same names and other bits, and are read field by field.
"""

from typing import NamedTuple

import numpy as np

from v2x.columns import I4, I8, U1
from v2x.ingest.decoded import Reject
from v2x.ingest.j2735cn_parts import ABSENT, offset, participant, position
from v2x.ingest.uper import (
    FAULT,
    OVERSIZE,
    TRAILING_DATA,
    UNKNOWN,
    VALUE_RANGE,
    additions,
    enumerated,
    finished,
    length,
    skip,
    take,
)
from v2x.ingest.uper import bits as extensible_bits
from v2x.ingest.uper_types import Code, Types
from v2x.jit import uncounted

TOO_COMPLEX = FAULT + int(Reject.TOO_COMPLEX)
DEPTH = 32
"""Sequences and lists inside one another; the deepest message (SSM) needs 14."""

(
    _END, _NUMBER, _UNLESS, _OPEN, _CLOSE, _LIST, _NEXT, _OFFSET, _ENUM, _CHOICE, _JUMP, _BITS,
    _POSITION, _OCTETS, _TEXT, _CLEAR, _SET, _ROW, _AT, _PARTICIPANT, _OPEN_TYPE,
) = range(21)  # fmt: skip

NATIVE = {
    "Position3D": _POSITION, "PositionOffsetLLV": _OFFSET, "ParticipantData": _PARTICIPANT,
}  # fmt: skip
"""Types of the Chinese messages that have an instruction of their own."""


class Mark(NamedTuple):
    """What happens at a field, or at every element of the list it is.

    Attributes
    ----------
    clear
        Columns (from, below) that become `ABSENT` before it is read.
    put
        (column, value) pairs put into the register before it is read.
    row
        (column, value) put behind it, and then the register becomes a wire row; column -1: none.
    at
        Columns that take the bit where the whole field begins and ends, -1 none.
    """

    clear: tuple[int, int] = (0, 0)
    put: tuple[tuple[int, int], ...] = ()
    row: tuple[int, int] | None = None
    at: tuple[int, int] = (-1, -1)


def program(
    types: Types, name: str, columns: dict[str, int], marks: dict[str, Mark],
    native: dict[str, int] = NATIVE,
) -> I4:  # fmt: skip
    """Program (n, 6) i4 of a message.

    Parameters
    ----------
    types, name
        The table, and the message's type in it.
    columns
        Column by path, such as ``intersections.phases.id``. A position or offset takes three
        columns, 8 octets two, 4 octets one, a text two (the bit where it begins, its length).
    marks
        What happens at a path; "" is the whole message.
    native
        Instruction by name of the types that have one.
    """
    made = _Flattened(types, columns, marks, native)
    made.marked("", Code("type", of=name))
    made.put(_END)
    unused = (set(columns) | set(marks)) - made.seen
    if unused:
        raise ValueError(f"{name} has no field {', '.join(sorted(unused))}")
    return (np.array(made.code, np.int64) & 0xFFFF_FFFF).astype(np.uint32).view(np.int32)


class _Flattened:
    """Instructions so far."""

    def __init__(
        self, types: Types, columns: dict[str, int], marks: dict[str, Mark], native: dict[str, int]
    ) -> None:
        self.types = types
        self.columns = columns
        self.marks = marks
        self.native = native
        self.code: list[list[int]] = []
        self.seen: set[str] = set()

    def put(
        self, op: int, n: int = 0, top: int = 0, add: int = 0, column: int = -1, to: int = 0
    ) -> list[int]:
        made = [op, n, top, add, column, to]
        self.code.append(made)
        return made

    def marked(self, path: str, code: Code) -> None:
        """One value, with what its mark says."""
        mark = self.marks.get(path, Mark())
        self.seen.add(path)
        if mark.at[0] >= 0:
            self.put(_AT, column=mark.at[0])
        if code.kind == "list":
            self._list(path, code, mark)
        else:
            self._one(path, code, mark)
        if mark.at[1] >= 0:
            self.put(_AT, column=mark.at[1])

    def _list(self, path: str, code: Code, mark: Mark) -> None:
        self.put(_LIST, code.n, code.top, code.low)
        start = len(self.code)
        self._one(path, Code("type", of=code.of), mark)
        self.put(_NEXT, to=start)

    def _one(self, path: str, code: Code, mark: Mark) -> None:
        first, below = mark.clear
        if below > first:
            self.put(_CLEAR, top=below, column=first)
        for column, value in mark.put:
            self.put(_SET, add=value, column=column)
        self._value(path, code)
        if mark.row is not None:
            self.put(_ROW, add=mark.row[1], column=mark.row[0])

    def _value(self, path: str, code: Code) -> None:
        column = self.columns.get(path, -1)
        match code.kind:
            case "number":
                self.put(_NUMBER, code.n, code.top, code.low, column)
            case "enum" if code.extensible:
                self.put(_ENUM, code.n, code.top, 0, column)
            case "enum":
                self.put(_NUMBER, code.n, code.top, 0, column)
            case "bits":
                self.put(_BITS, code.n, 0, int(code.extensible), column)
            case "octets" if code.high == 0:
                self.put(_OCTETS, 8 * code.n, 0, 0, column)
            case "octets" | "letters":
                self.put(_TEXT, code.n, code.top, code.low, column, 8 - (code.kind == "letters"))
            case "group":
                for field in code.fields:
                    self.marked(_under(path, field.name), field.code)
            case "list":
                self._list(path, code, Mark())
            case "type":
                self._type(path, code.of, column)
            case _:
                self.put(_OPEN_TYPE)

    def _type(self, path: str, name: str, column: int) -> None:
        native = self.native.get(name)
        if native is not None and (name != "ParticipantData" or column >= 0):
            self.put(native, column=column)
            return
        kind = self.types[name]
        if kind.items is not None:
            self._value(path, kind.items)
            return
        if kind.choice:
            self._choice(path, name, column)
            return
        optional = kind.optional
        framed = kind.extensible or bool(optional)
        if framed:
            self.put(_OPEN, int(kind.extensible) + len(optional))
        for field in kind.fields:
            gate = None
            if field.optional:
                bit = len(optional) - 1 - optional.index(field.name)
                gate = self.put(_UNLESS, add=1 << bit)
            self.marked(_under(path, field.name), field.code)
            if gate is not None:
                gate[5] = len(self.code)
        if framed:
            self.put(_CLOSE, add=1 << len(optional) if kind.extensible else 0)

    def _choice(self, path: str, name: str, column: int) -> None:
        kind = self.types[name]
        head = self.put(_CHOICE, kind.choice, len(kind.fields) - 1, int(kind.extensible), column)
        table = [self.put(_JUMP) for _ in kind.fields]
        ends = []
        for jump, field in zip(table, kind.fields, strict=True):
            jump[5] = len(self.code)
            self.marked(_under(path, field.name), field.code)
            ends.append(self.put(_JUMP))
        for end in (*ends, head):
            end[5] = len(self.code)


def _under(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


@uncounted
def run(
    code: I4, buf: U1, p: int, end: int, register: I4, wire: I4, n: int, stack: I8
) -> tuple[int, int]:
    """Run a program from bit `p`: (the bit behind the message or a fault, rows in `wire`).

    code (instructions, 6), register (1, columns), wire (rows, first columns of the register)
    filled from row `n`, stack (DEPTH,) scratch. Bits kept in a column count from `p`.
    """
    pc = depth = 0
    start = p
    lat0 = lon0 = up0 = ABSENT
    row = register[0]
    while True:
        op, bits, top = code[pc, 0], code[pc, 1], int(code[pc, 2]) & 0xFFFF_FFFF
        add, column, to = code[pc, 3], code[pc, 4], code[pc, 5]
        pc += 1
        if op == _NUMBER:
            v, p = take(buf, p, end, bits)
            if v > top:
                return VALUE_RANGE, n
            if column >= 0:
                row[column] = v + add
        elif op == _UNLESS:
            if not stack[depth - 1] & add:
                pc = to
        elif op == _OPEN:
            stack[depth], p = take(buf, p, end, bits)
            depth += 1
        elif op == _CLOSE:
            depth -= 1
            if stack[depth] & add:
                p = additions(buf, p, end)
        elif op == _LIST:
            v, p = take(buf, p, end, bits)
            if v > top:
                return VALUE_RANGE, n
            if p >= FAULT:
                return p, n
            stack[depth] = v + add
            depth += 1
        elif op == _NEXT:
            stack[depth - 1] -= 1
            if p >= FAULT:
                return p, n
            if stack[depth - 1] > 0:
                pc = to
            else:
                depth -= 1
        elif op == _OFFSET:
            if column >= 0:
                row[column], row[column + 1], row[column + 2], p = offset(
                    buf, p, end, lat0, lon0, up0
                )
            else:
                _, _, _, p = offset(buf, p, end, ABSENT, ABSENT, ABSENT)
        elif op == _ENUM:
            v, p = enumerated(buf, p, end, bits, top)
            if column >= 0:
                row[column] = v
        elif op == _CHOICE:
            more = 0
            if add:
                more, p = take(buf, p, end, 1)
            if more:
                p = _later(buf, p, end)
                v = UNKNOWN
                pc = to
            else:
                v, p = take(buf, p, end, bits)
                if v > top:
                    return VALUE_RANGE, n
                pc += v
            if column >= 0:
                row[column] = v
        elif op == _JUMP:
            pc = to
        elif op == _BITS:
            if add:
                v, p = extensible_bits(buf, p, end, bits)
            elif column >= 0:
                raw, p = take(buf, p, end, bits)
                v = 0
                for i in range(bits):
                    v |= ((raw >> (bits - 1 - i)) & 1) << i
            else:
                v, p = 0, skip(p, end, bits)
            if column >= 0:
                row[column] = v
        elif op == _POSITION:
            lat, lon, up, p = position(buf, p, end)
            if column >= 0:
                row[column], row[column + 1], row[column + 2] = lat, lon, up
                lat0, lon0, up0 = lat, lon, up
        elif op == _OCTETS:
            if column >= 0 and bits == 32:
                low, p = take(buf, p, end, 32)
                row[column] = np.int32(low)
            elif column >= 0:
                high, p = take(buf, p, end, 32)
                low, p = take(buf, p, end, 32)
                row[column], row[column + 1] = np.int32(high), np.int32(low)
            else:
                p = skip(p, end, bits)
        elif op == _TEXT:
            v, p = take(buf, p, end, bits)
            if v > top:
                return VALUE_RANGE, n
            if column >= 0:
                row[column], row[column + 1] = np.int32(p - start), v + add
            p = skip(p, end, to * (v + add))
        elif op == _CLEAR:
            for c in range(column, top):
                row[c] = ABSENT
        elif op == _SET:
            row[column] = add
        elif op == _ROW:
            if p >= FAULT:
                return p, n
            if n >= wire.shape[0]:
                return TOO_COMPLEX, n
            if column >= 0:
                row[column] = add
            for c in range(wire.shape[1]):
                wire[n, c] = row[c]
            n += 1
        elif op == _AT:
            row[column] = np.int32(p - start)
        elif op == _PARTICIPANT:
            p = participant(buf, p, end, lat0, lon0, up0, register, 0)
        elif op == _OPEN_TYPE:
            octets, p = length(buf, p, end)
            p = skip(p, end, 8 * octets)
        else:
            return p, n


@uncounted
def _later(buf: U1, p: int, end: int) -> int:
    """Position behind an alternative that a later edition added."""
    large, p = take(buf, p, end, 1)
    if large:
        return max(p, OVERSIZE)
    octets, p = length(buf, skip(p, end, 6), end)
    return skip(p, end, 8 * octets)


@uncounted
def extension(buf: U1, p: int, end: int) -> tuple[int, int, int, int]:
    """Message of T/CSAE 157 in a frame whose extension bit is 1, from that bit on.

    Its id (-1 where the frame is of a kind of extension that nobody knows), first bit, end, and
    the position behind the frame or a fault.
    """
    head, p = take(buf, p, end, 8)
    if p >= FAULT:
        return -1, 0, 0, p
    if head != 0x80:
        return -1, 0, 0, p
    octets, p = length(buf, p, end)
    behind = skip(p, end, 8 * octets)
    if behind >= FAULT:
        return -1, 0, 0, behind
    more, p = take(buf, p, behind, 1)
    message, p = take(buf, p, behind, 15)
    octets, first = length(buf, p, behind)
    last = p = skip(first, behind, 8 * octets)
    if more:
        p = additions(buf, p, behind)
    p = finished(buf, p, behind)
    if p < FAULT and end > behind:
        p = TRAILING_DATA
    return message, first, last, p
