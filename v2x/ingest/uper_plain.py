"""UPER messages as plain data, both ways, by the types of a table: slow, complete, exact.

===========  ====================================================================
wire         value
===========  ====================================================================
number       int
enumeration  int; a value of a later edition is ``"+2"`` (its index among those)
bits         text of 0 and 1, first bit first
octets       bytes
letters      str
list         list
sequence     dict without the fields that were not sent; what a later edition added
             stands under ``"+"`` as a list of bytes or None
choice       dict of one alternative; one of a later edition is ``{"+2": bytes}``
open         bytes
===========  ====================================================================

What `read` gives, `write` turns into the same bytes where the sender wrote canonically (an
extensible bit string or addition in its shortest form). Decoders of the hot path do not use this:
`v2x.ingest.uper` is theirs.
"""

from collections.abc import Iterator
from typing import Any

from v2x.errors import DecodeError
from v2x.ingest.decoded import Reject
from v2x.ingest.uper_types import Code, Field, Type, Types

Plain = Any
"""A value of the table above."""

MOST_VALUES = 8_192
"""Values of one message; a message of more is `Reject.TOO_COMPLEX`.

Ours: it bounds what one hostile frame costs.
"""

LATER = "+"


class RefusedError(DecodeError):
    """Bytes that are no message of this type; `reject` says why."""

    def __init__(self, reject: Reject) -> None:
        super().__init__(reject.name.lower())
        self.reject = reject


class Reader:
    """Bits of one frame, taken from the front; `RefusedError` at the first fault."""

    def __init__(self, data: bytes, types: Types) -> None:
        self._data = data
        self._end = 8 * len(data)
        self._left = MOST_VALUES
        self.types = types
        self.at = 0

    def number(self, n: int) -> int:
        """Next `n` bits."""
        a, b = self.at, self.at + n
        if b > self._end:
            raise RefusedError(Reject.SHORT)
        self.at = b
        wide = int.from_bytes(self._data[a >> 3 : (b + 7) >> 3], "big")
        return wide >> (-b & 7) & ((1 << n) - 1)

    def bounded(self, n: int, top: int) -> int:
        """Next `n` bits, at most `top`."""
        raw = self.number(n)
        if raw > top:
            raise RefusedError(Reject.VALUE_RANGE)
        return raw

    def length(self) -> int:
        """Length determinant below 16,384."""
        if not self.number(1):
            return self.number(7)
        if self.number(1):
            raise RefusedError(Reject.OVERSIZE)
        return self.number(14)

    def small(self) -> int:
        """Index of an addition, below 64."""
        if self.number(1):
            raise RefusedError(Reject.OVERSIZE)
        return self.number(6)

    def octets(self, count: int) -> bytes:
        """Next `count` octets."""
        return self.number(8 * count).to_bytes(count, "big")

    def end(self) -> None:
        """Refuse what stands behind the message, but for up to 7 zero bits."""
        left = self._end - self.at
        if left >= 8 or self.number(left):
            raise RefusedError(Reject.TRAILING_DATA)

    def type(self, name: str) -> Plain:
        """Value of a named type."""
        kind = self.types[name]
        if kind.items is not None:
            return self.value(kind.items)
        later = kind.extensible and self.number(1) == 1
        if kind.choice:
            return self._choice(kind, later)
        present = [not field.optional or self.number(1) == 1 for field in kind.fields]
        made = {
            field.name: self.value(field.code)
            for field, here in zip(kind.fields, present, strict=True)
            if here
        }
        if later:
            self._additions(kind, made)
        return made

    def value(self, code: Code) -> Plain:
        """Value of a code."""
        self._left -= 1
        if self._left < 0:
            raise RefusedError(Reject.TOO_COMPLEX)
        match code.kind:
            case "number":
                return self.bounded(code.n, code.top) + code.low
            case "type":
                return self.type(code.of)
            case "enum":
                if code.extensible and self.number(1):
                    return f"{LATER}{self.small()}"
                return self.bounded(code.n, code.top)
            case "list":
                count = self.bounded(code.n, code.top) + code.low
                return [self.type(code.of) for _ in range(count)]
            case "bits":
                n = self.length() if code.extensible and self.number(1) else code.n
                return f"{self.number(n):0{n}b}" if n else ""
            case "octets":
                fixed = code.high == 0
                return self.octets(code.n if fixed else self.bounded(code.n, code.top) + code.low)
            case "letters":
                count = self.bounded(code.n, code.top) + code.low
                return "".join(chr(self.number(7)) for _ in range(count))
            case "group":
                return {field.name: self.value(field.code) for field in code.fields}
            case _:
                return self.octets(self.length())

    def _choice(self, kind: Type, later: bool) -> Plain:
        if later:
            index = self.small()
            raw = self.octets(self.length())
            known = _inner(kind.added[index], raw, self.types) if index < len(kind.added) else None
            return {f"{LATER}{index}": raw} if known is None else known
        field = kind.fields[self.bounded(kind.choice, len(kind.fields) - 1)]
        return {field.name: self.value(field.code)}

    def _additions(self, kind: Type, made: dict[str, Plain]) -> None:
        present = [self.number(1) == 1 for _ in range(self.small() + 1)]
        rest: list[bytes | None] = [None] * len(present)
        for i, here in enumerate(present):
            if not here:
                continue
            raw = self.octets(self.length())
            known = _inner(kind.added[i], raw, self.types) if i < len(kind.added) else None
            if known is None:
                rest[i] = raw
            else:
                made.update(known)
        if any(rest) or len(rest) != len(kind.added):
            made[LATER] = rest


def _inner(field: Field, raw: bytes, types: Types) -> dict[str, Plain] | None:
    """Value of an addition that the table knows; None where it does not, or the octets differ."""
    if field.code.of not in types:
        return None
    inner = Reader(raw, types)
    try:
        value = inner.value(field.code)
        inner.end()
    except RefusedError:
        return None
    return {field.name: value} if write(field.code.of, value, types) == raw else None


def read(name: str, data: bytes, types: Types) -> Plain:
    """Value of the type `name` that fills `data`.

    Raises
    ------
    RefusedError
        With the `Reject` that the decoders of the hot path give.
    """
    reader = Reader(data, types)
    made = reader.type(name)
    reader.end()
    return made


def write(name: str, value: Plain, types: Types) -> bytes:
    """Octets of a value; `ValueError` where it does not fit its type."""
    out = Writer(types)
    out.type(name, value)
    return out.octets()


class Writer:
    """Bits written one value after the other."""

    def __init__(self, types: Types) -> None:
        self.types = types
        self._parts: list[str] = []

    def put(self, n: int, number: int) -> None:
        """Append `n` bits."""
        if not 0 <= number < 1 << n:
            raise ValueError(f"{number} does not fit {n} bits")
        if n:
            self._parts.append(f"{number:0{n}b}")

    def bounded(self, n: int, number: int, top: int) -> None:
        """Append `n` bits that hold at most `top`."""
        if not 0 <= number <= top:
            raise ValueError(f"{number} is outside 0..{top}")
        self.put(n, number)

    def length(self, n: int) -> None:
        """Append a length determinant."""
        if n < 128:
            self.put(8, n)
        elif n < 16_384:
            self.put(16, 0x8000 | n)
        else:
            raise ValueError(f"{n} octets or bits need fragments, which are not written")

    def octets(self) -> bytes:
        """Everything, filled up with zero bits; one octet at least."""
        text = "".join(self._parts)
        size = max(1, -(-len(text) // 8))
        return int(text.ljust(8 * size, "0"), 2).to_bytes(size, "big")

    def raw(self, data: bytes) -> None:
        """Append octets."""
        self.put(8 * len(data), int.from_bytes(data, "big"))

    def type(self, name: str, value: Plain) -> None:
        """Append a value of a named type."""
        kind = self.types[name]
        if kind.items is not None:
            self.value(kind.items, value)
            return
        if kind.choice:
            self._choice(name, kind, value)
            return
        fields = {field.name for field in (*kind.fields, *kind.added)}
        if not set(value) <= fields | {LATER}:
            raise ValueError(f"{name} has no field {', '.join(sorted(set(value) - fields))}")
        added = list(_added(kind, value, self.types))
        if kind.extensible:
            self.put(1, bool(added))
        for field in kind.fields:
            if field.optional:
                self.put(1, field.name in value)
        for field in kind.fields:
            if field.name in value:
                self.value(field.code, value[field.name])
            elif not field.optional:
                raise ValueError(f"{name} needs {field.name}")
        if added:
            self.put(7, len(added) - 1)
            for one in added:
                self.put(1, one is not None)
            for one in added:
                if one is not None:
                    self.length(len(one))
                    self.raw(one)

    def value(self, code: Code, value: Plain) -> None:
        """Append a value of a code."""
        match code.kind:
            case "number":
                self.bounded(code.n, value - code.low, code.top)
            case "type":
                self.type(code.of, value)
            case "enum":
                later = isinstance(value, str)
                if code.extensible:
                    self.put(1, later)
                if later:
                    self.put(7, int(value.removeprefix(LATER)))
                else:
                    self.bounded(code.n, value, code.top)
            case "list":
                self.bounded(code.n, len(value) - code.low, code.top)
                for one in value:
                    self.type(code.of, one)
            case "bits":
                self._bits(code, value)
            case "octets":
                if code.high:
                    self.bounded(code.n, len(value) - code.low, code.top)
                elif len(value) != code.n:
                    raise ValueError(f"{len(value)} octets where {code.n} belong")
                self.raw(value)
            case "letters":
                self.bounded(code.n, len(value) - code.low, code.top)
                for letter in value:
                    self.put(7, ord(letter))
            case "group":
                for field in code.fields:
                    self.value(field.code, value[field.name])
            case _:
                self.length(len(value))
                self.raw(value)

    def _bits(self, code: Code, value: str) -> None:
        longer = len(value) != code.n
        if longer and not code.extensible:
            raise ValueError(f"{len(value)} bits where {code.n} belong")
        if code.extensible:
            self.put(1, longer)
        if longer:
            self.length(len(value))
        self.put(len(value), int(value or "0", 2))

    def _choice(self, name: str, kind: Type, value: dict[str, Plain]) -> None:
        ((alternative, inner),) = value.items()
        root = [field.name for field in kind.fields]
        added = [field.name for field in kind.added]
        later = alternative not in root
        if kind.extensible:
            self.put(1, later)
        if not later:
            index = root.index(alternative)
            self.put(kind.choice, index)
            self.value(kind.fields[index].code, inner)
            return
        if alternative in added:
            index = added.index(alternative)
            inner = write(kind.added[index].code.of, inner, self.types)
        elif kind.extensible and alternative.startswith(LATER):
            index = int(alternative.removeprefix(LATER))
        else:
            raise ValueError(f"{name} has no alternative {alternative!r}")
        self.put(7, index)
        self.length(len(inner))
        self.raw(inner)


def _added(kind: Type, value: dict[str, Plain], types: Types) -> Iterator[bytes | None]:
    """Octets of the additions, None for those not sent; none at all where none is sent."""
    rest = value.get(LATER, ())
    known = [field.name in value for field in kind.added]
    if not rest and not any(known):
        return
    for i in range(max(len(rest), len(kind.added))):
        if i < len(kind.added) and known[i]:
            field = kind.added[i]
            inner = Writer(types)
            inner.value(field.code, value[field.name])
            yield inner.octets()
        else:
            yield rest[i] if i < len(rest) else None
