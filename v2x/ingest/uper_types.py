"""Types of a message set written as a table, and what they are once read.

::

    Name: x 3                   extension bit, then presence bits for the 3 fields marked "?"
        field u7; other? xe3{6}; third (lon s12, lat s12) || added Type
    Name: x choice 1            alternatives, their index in 1 bit; x: an extension bit before it
    Name: list                  the type is a list
        [1..9]4*Item

    uN, sN, N{lo..hi}           N bits: as they are, offset binary, counted from lo up to hi
    eN{k}, xeN{k}               enumeration of k values in N bits; x: extensible
    bN, xbN                     bit string
    oN, o[a..b]N, a[a..b]N      octets: N of them, or a to b counted in N bits; 7-bit letters
    [a..b]N*Type                list, counted in N bits
    (...)                       inner sequence without a preamble
    open                        any type, by its length

Behind ``||`` stand the additions of a later edition, each carried by its length.
"""

import re
from typing import NamedTuple

_TOKEN = re.compile(
    r"(?P<kind>xe|e|xb|b|o|a|u|s)?(?:\[(?P<least>\d+)\.\.(?P<most>\d+)\])?(?P<n>\d+)"
    r"(?:\{(?P<low>-?\d+)(?:\.\.(?P<high>-?\d+))?\})?(?:\*(?P<of>[A-Z][\w-]*))?"
)


class Code(NamedTuple):
    """How one value is written.

    `kind` is number, enum, bits, octets, letters, list, type, group or open; `n` bits hold a value
    from `low` to `high` (number), an index below `high` (enum), a count from `low` to `high`
    (octets, letters, list), or `n` is the fixed size (bits, octets without a range).
    """

    kind: str
    n: int = 0
    low: int = 0
    high: int = 0
    extensible: bool = False
    of: str = ""
    fields: tuple["Field", ...] = ()

    @property
    def top(self) -> int:
        """Largest raw number of the `n` bits."""
        return self.high - self.low


class Field(NamedTuple):
    """A field of a sequence, or an alternative of a choice."""

    name: str
    code: Code
    optional: bool = False


class Type(NamedTuple):
    """A named type. ``choice`` is the index's bits, 0 for a sequence; ``items`` makes it a list."""

    extensible: bool = False
    choice: int = 0
    fields: tuple[Field, ...] = ()
    added: tuple[Field, ...] = ()
    items: Code | None = None

    @property
    def optional(self) -> tuple[str, ...]:
        """Fields that have a presence bit, in its order."""
        return tuple(field.name for field in self.fields if field.optional)


Types = dict[str, Type]


def parsed(table: str) -> Types:
    """Types of a table; a later line of the same name counts. `ValueError` for a bad notation."""
    types: Types = {}
    for block in re.split(r"\n(?=\S)", table.strip()):
        head, _, body = block.partition("\n")
        name, _, preamble = head.partition(":")
        words = preamble.split()
        text = " ".join(body.split())
        if words == ["list"]:
            types[name] = Type(items=_code(text))
            continue
        extensible = words[:1] == ["x"]
        rest = words[extensible:]
        root, _, added = text.partition(" || ")
        made = Type(
            extensible,
            int(rest[1]) if rest[:1] == ["choice"] else 0,
            _fields(root, "; "),
            _fields(added, "; ") if added else (),
        )
        presence = int(rest[0]) if rest and not made.choice else 0
        if len(made.optional) != presence:
            raise ValueError(f"{name}: {len(made.optional)} optional fields, {presence} announced")
        types[name] = made
    return types


def _fields(text: str, between: str) -> tuple[Field, ...]:
    made = []
    for part in text.split(between):
        name, _, code = part.partition(" ")
        made.append(Field(name.removesuffix("?"), _code(code), name.endswith("?")))
    return tuple(made)


def _code(text: str) -> Code:
    if text == "open":
        return Code("open")
    if text.startswith("("):
        return Code("group", fields=_fields(text[1:-1], ", "))
    if re.fullmatch(r"[A-Z][\w-]*", text):
        return Code("type", of=text)
    match = _TOKEN.fullmatch(text)
    if match is None:
        raise ValueError(f"no code: {text!r}")
    kind, n = match["kind"] or "", int(match["n"])
    extensible = kind.startswith("x")
    least, most = int(match["least"] or 0), int(match["most"] or 0)
    if match["of"]:
        return Code("list", n, least, most, of=match["of"])
    if kind in ("e", "xe"):
        return Code("enum", n, 0, int(match["low"]) - 1, extensible)
    if kind in ("b", "xb"):
        return Code("bits", n, extensible=extensible)
    if kind in ("o", "a"):
        return Code("octets" if kind == "o" else "letters", n, least, most)
    if kind == "u":
        return Code("number", n, 0, (1 << n) - 1)
    if kind == "s":
        return Code("number", n, -(1 << (n - 1)), (1 << (n - 1)) - 1)
    return Code("number", n, int(match["low"]), int(match["high"]))
