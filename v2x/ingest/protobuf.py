"""Protocol Buffers on the wire, read and written by tables, without generated code.

::

    message   (tag, value)*; tag is a varint: field number << 3 | wire type
    0         varint, 7 bits a byte, low first; negative numbers as 64 bits
    1, 5      8, 4 bytes little-endian
    2         length as a varint, then a text, bytes, a message or packed numbers

Source: "Encoding", protobuf.dev. What a reader must do is done: unknown fields and known ones of
another wire type are passed over, the last of several singular values holds, messages are merged,
setting one of a ``oneof`` takes back the others, repeated numbers come packed or not. Groups
(wire types 3 and 4), gone since 2008, are refused. Texts that are no UTF-8 are taken as GB 18030.

Building values costs memory, so depth and number of fields are limited.
"""

import struct
from dataclasses import dataclass
from typing import Any

from v2x.ingest.decoded import Reject

MOST_FIELDS = 20_000
MOST_DEPTH = 16

_DOUBLE, _FLOAT = struct.Struct("<d"), struct.Struct("<f")
_SCALARS = {
    "double": 1, "float": 5, "long": 0, "int": 0, "enum": 0, "bool": 0, "string": 2, "bytes": 2,
}  # fmt: skip
"""Wire type by type of a table; any other word is the name of a message."""


class MalformedError(Exception):
    """Bytes that are no message; `why` is its reject code."""

    def __init__(self, why: Reject) -> None:
        super().__init__(why.name)
        self.why = why


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a message.

    Attributes
    ----------
    type, wire
        Key of ``_SCALARS``, or a message of the schema; and the wire type of a single value.
    repeated, always
        A list; and without presence: written unless 0 and not told apart from it.
    rivals
        Names of the other fields of its ``oneof``.
    """

    number: int
    name: str
    type: str
    wire: int
    repeated: bool
    always: bool
    rivals: tuple[str, ...]


Schema = dict[str, dict[int, Field]]


def schema_of(text: str) -> Schema:
    """Tables of messages.

    One message a line, ``Name: number name type, ...``; lines that begin with blanks go on. Behind
    a type: ``[]`` repeated, ``!`` no presence, ``|word`` member of the ``oneof`` of that word.
    """
    schema: Schema = {}
    for line in text.strip().replace("\n ", "").splitlines():
        message, _, body = line.partition(":")
        rows = [item.split() for item in body.split(",")]
        groups: dict[str, list[str]] = {}
        for _, name, kind in rows:
            groups.setdefault(kind.partition("|")[2] if "|" in kind else f"={name}", []).append(
                name
            )
        schema[message] = {}
        for number, name, kind in rows:
            bare = kind.partition("|")[0].rstrip("!").removesuffix("[]")
            members = groups[kind.partition("|")[2] if "|" in kind else f"={name}"]
            schema[message][int(number)] = Field(
                int(number), name, bare, _SCALARS.get(bare, 2), kind.endswith("[]"),
                kind.endswith("!"), tuple(one for one in members if one != name),
            )  # fmt: skip
    return schema


class _Reader:
    """One pass over one frame."""

    def __init__(self, data: bytes, schema: Schema) -> None:
        self.data = data
        self.schema = schema
        self.left = MOST_FIELDS

    def varint(self, at: int, end: int) -> tuple[int, int]:
        """Unsigned number of up to 64 bits at `at`, and the place behind it."""
        value = shift = 0
        data = self.data
        while at < end:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value & 0xFFFF_FFFF_FFFF_FFFF, at
            shift += 7
            if shift > 63:
                raise MalformedError(Reject.BAD_MAGIC)
        raise MalformedError(Reject.SHORT)

    def message(self, name: str, at: int, end: int, into: dict[str, Any], depth: int) -> None:
        """Read the fields between `at` and `end` into `into`."""
        if depth > MOST_DEPTH:
            raise MalformedError(Reject.TOO_COMPLEX)
        fields, data = self.schema[name], self.data
        while at < end:
            self.left -= 1
            if self.left < 0:
                raise MalformedError(Reject.TOO_COMPLEX)
            tag = data[at]
            if tag < 0x80:
                at += 1
            else:
                tag, at = self.varint(at, end)
            wire = tag & 7
            if not 0 < tag >> 3 < 1 << 29:
                raise MalformedError(Reject.BAD_MAGIC)
            raw = 0
            if wire == 0:
                raw, stop = self.varint(at, end)
            elif wire == 2:
                size, at = self.varint(at, end)
                stop = at + size
            elif wire == 1:
                stop = at + 8
            elif wire == 5:
                stop = at + 4
            else:
                raise MalformedError(Reject.BAD_MAGIC)
            if stop > end:
                raise MalformedError(Reject.SHORT)
            field = fields.get(tag >> 3)
            if field is not None:
                if field.wire == wire:
                    self.set(field, raw, at, stop, into, depth)
                elif field.repeated and wire == 2:
                    self.packed(field, at, stop, into)
            at = stop

    def set(
        self, field: Field, raw: int, at: int, stop: int, into: dict[str, Any], depth: int
    ) -> None:
        """Put one value, `raw` or the bytes between `at` and `stop`, into `into`."""
        kind, value = field.type, None
        if kind == "double":
            value = _DOUBLE.unpack_from(self.data, at)[0]
        elif kind == "float":
            value = _FLOAT.unpack_from(self.data, at)[0]
        elif kind == "string":
            value = text_of_bytes(self.data[at:stop])
        elif kind == "bytes":
            value = self.data[at:stop]
        elif kind == "bool":
            value = raw != 0
        elif kind in _SCALARS:
            value = _signed(raw, 64 if kind == "long" else 32)
        else:
            value = {} if field.repeated else into.get(field.name, {})
            self.message(kind, at, stop, value, depth + 1)
        for rival in field.rivals:
            into.pop(rival, None)
        if field.repeated:
            into.setdefault(field.name, []).append(value)
        else:
            into[field.name] = value

    def packed(self, field: Field, at: int, stop: int, into: dict[str, Any]) -> None:
        """Put the numbers of a packed field into `into`; only varints stand in our tables."""
        values = into.setdefault(field.name, [])
        while at < stop:
            self.left -= 1
            if self.left < 0:
                raise MalformedError(Reject.TOO_COMPLEX)
            raw, at = self.varint(at, stop)
            values.append(_signed(raw, 32))


def _signed(raw: int, bits: int) -> int:
    """Two's complement of the low `bits`; what stands above them is not looked at."""
    raw &= (1 << bits) - 1
    return raw - (1 << bits) if raw >> (bits - 1) else raw


def text_of_bytes(raw: bytes) -> str:
    """Text of UTF-8, or else of GB 18030."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("gb18030", "replace")


def parse(data: bytes, message: str, schema: Schema) -> dict[str, Any]:
    """Values by field name; messages are dictionaries, repeated fields lists.

    Raises
    ------
    MalformedError
        With SHORT where the bytes end inside a field, TOO_COMPLEX beyond `MOST_FIELDS` fields or
        `MOST_DEPTH` messages in one another, BAD_MAGIC for anything else.
    """
    made: dict[str, Any] = {}
    _Reader(data, schema).message(message, 0, len(data), made, 0)
    return made


def _varint(value: int) -> bytes:
    value &= 0xFFFF_FFFF_FFFF_FFFF
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def serialize(values: dict[str, Any], message: str, schema: Schema) -> bytes:
    """Write what `parse` reads: fields in the order of their numbers, numbers packed.

    Raises
    ------
    KeyError
        For a name that is no field of the message.
    """
    out = bytearray()
    unknown = values.keys() - {field.name for field in schema[message].values()}
    if unknown:
        raise KeyError(f"{message} has no field {', '.join(sorted(unknown))}")
    for number in sorted(schema[message]):
        field = schema[message][number]
        if field.name not in values:
            continue
        value = values[field.name]
        if field.repeated and field.wire == 0:
            if value:
                body = b"".join(_varint(int(one)) for one in value)
                out += _varint(number << 3 | 2) + _varint(len(body)) + body
        elif field.repeated:
            for one in value:
                out += _one(field, one, schema)
        elif value or not field.always:
            out += _one(field, value, schema)
    return bytes(out)


def _one(field: Field, value: Any, schema: Schema) -> bytes:
    tag = _varint(field.number << 3 | field.wire)
    if field.type == "double":
        return tag + _DOUBLE.pack(value)
    if field.type == "float":
        return tag + _FLOAT.pack(value)
    if field.wire == 0:
        return tag + _varint(int(value))
    body: bytes
    if field.type == "string":
        body = value.encode()
    elif field.type == "bytes":
        body = value
    else:
        body = serialize(value, field.type, schema)
    return tag + _varint(len(body)) + body
