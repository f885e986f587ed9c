"""Items of ASTERIX records: which a category has, in which order, and how long each one is.

EUROCONTROL specification for surveillance data exchange, part 1 (envelope), and the parts named
beside `LAYOUTS`. A block is category u8, length u16 with these 3 bytes, records; a record is the
field specification (octets of 7 flags, first item highest, and a lowest bit "one more octet
follows") and the flagged items, in the order of their field reference numbers (FRN). Nothing says
where an item ends but this table, so every item's length must be known, also of those not used.

Forms: ``n`` that many octets; ``v`` octets until one has lowest bit 0; ``g`` three octets at a
time, until the third has lowest bit 0; ``rn`` a count octet and so many times n octets; ``e`` a
first octet that holds the whole length; ``c(...)`` a field specification of its own, and subfields;
``-`` spare: no edition has it, so a flag there means another edition or another order of items.
"""

from typing import NamedTuple

import numpy as np

from v2x.columns import I8, U1
from v2x.ingest.interning import u8
from v2x.jit import uncounted

LAYOUTS = {
    # ADS-B target reports, ed. 2.1-2.7 (part 12); 0.23 to 0.26 have another order.
    21: "010:2 040:v 161:2 015:1 071:3 130:6 131:8 072:3 150:2 151:2 080:3 073:3 074:4 075:3 076:4"
    " 140:2 090:v 210:1 070:2 230:2 145:2 152:2 200:1 155:2 157:2 160:4 165:2 077:3 170:6 020:1"
    " 220:c(2,2,2,1) 146:2 148:2 110:c(v,r15) 016:1 008:1 271:v 132:1 250:r8 260:7 400:1"
    " 295:c(1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1) -:- -:- -:- -:- -:- RE:e SP:e",
    # Monoradar service messages, ed. 1.27-1.29 (part 2b).
    34: "010:2 000:1 030:3 020:1 041:2 050:c(1,-,-,1,1,2) 060:c(1,-,-,1,1,1) 070:r2 100:8 110:1"
    " 120:8 090:2 RE:e SP:e",
    # Monoradar target reports, ed. 1.27-1.32 (part 4).
    48: "010:2 140:3 020:v 040:4 070:2 090:2 130:c(1,1,1,1,1,1,1) 220:3 240:6 250:r8 161:2 042:4"
    " 200:4 170:v 210:4 030:v 080:2 100:4 110:2 120:c(2,r6) 230:2 260:7 055:1 050:2 065:1 060:2"
    " SP:e RE:e",
    # System track data, ed. 1.16-1.21 (part 9).
    62: "010:2 -:- 015:1 070:3 105:8 100:6 185:4 210:2 060:2 245:7"
    " 380:c(3,6,2,2,2,2,2,v,r15,2,2,7,2,2,2,2,2,2,1,8,1,6,2,1,r8,2,2,2) 040:2 080:v"
    " 290:c(1,1,1,1,2,1,1,1,1,1) 200:1"
    " 295:c(1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1)"
    " 136:2 130:2 135:2 220:2 390:c(2,7,4,1,4,1,4,4,3,2,2,r4,6,1,7,7,2,7) 270:v 300:1"
    " 110:c(1,4,6,2,2,1,1) 120:2 510:g 500:c(4,2,4,1,1,2,2,1) 340:c(2,4,2,2,2,1)"
    " -:- -:- -:- -:- -:- RE:e SP:e",
    # Status of a data processing system, ed. 1.4-1.6 (part 15).
    65: "010:2 000:1 015:1 030:3 020:1 040:1 050:1 -:- -:- -:- -:- -:- RE:e SP:e",
}
"""Items by category in the order of their numbers, ``item:form``."""

SPARE, VARIABLE, EXPLICIT, TRIPLES, REPEATED, COMPOUND = 0, -1, -2, -3, -100, -1000
"""Forms as numbers: above 0 octets; at most REPEATED, times n: REPEATED - n; COMPOUND - row."""

OCTETS = 7
"""Most octets of a field specification, here and in other categories."""

CUT, STRANGE = -1, -2
"""An item runs over the end; a flag of an item that no edition has."""


def split_layout(text: str) -> list[tuple[str, str]]:
    """(item, form) of each number of a layout."""
    return [(name, form) for name, _, form in (word.partition(":") for word in text.split())]


def subfields(form: str) -> list[str]:
    """Forms of the subfields of a compound item."""
    return form[2:-1].split(",")


def _number(form: str, compounds: list[list[str]]) -> int:
    if form.isdigit():
        return int(form)
    if form[0] == "r":
        return REPEATED - int(form[1:])
    if form[0] == "c":
        compounds.append(subfields(form))
        return COMPOUND - (len(compounds) - 1)
    return {"-": SPARE, "v": VARIABLE, "e": EXPLICIT, "g": TRIPLES}[form]


def _tables() -> tuple[I8, I8, I8, I8, I8]:
    compounds: list[list[str]] = []
    rows = np.full(256, -1, np.int64)
    forms = np.zeros((len(LAYOUTS), 7 * OCTETS), np.int64)
    most = np.zeros(len(LAYOUTS), np.int64)
    for row, (category, text) in enumerate(LAYOUTS.items()):
        items = split_layout(text)
        rows[category], most[row] = row, -(-len(items) // 7)
        forms[row, : len(items)] = [_number(form, compounds) for _, form in items]
    parts = np.zeros((len(compounds), 7 * OCTETS), np.int64)
    parts_most = np.array([-(-len(fields) // 7) for fields in compounds])
    for k, fields in enumerate(compounds):
        parts[k, : len(fields)] = [_number(form, []) for form in fields]
    return rows, forms, most, parts, parts_most


ROW, FORM, MOST, PART, PART_MOST = _tables()
"""Row of a category, -1 unknown; forms (row, FRN - 1) and octets of its field specification; the
same of compound items."""


def frn(category: int, item: str) -> int:
    """Place of an item in its category, from 0."""
    return [name for name, _ in split_layout(LAYOUTS[category])].index(item)


def compound(category: int, item: str) -> int:
    """Row of a compound item."""
    return COMPOUND - int(FORM[ROW[category], frn(category, item)])


class Found(NamedTuple):
    """Where the items of one record are: scratch of the kernels, written over by the next."""

    at: I8
    """(7 OCTETS,) by FRN - 1; -1 not there."""
    part: I8
    """(compounds, 7 OCTETS) the same of subfields; only of compounds that are there."""


def scratch() -> Found:
    """Room for one record."""
    return Found(np.empty(7 * OCTETS, np.int64), np.empty(PART.shape, np.int64))


@uncounted
def _flags(buf: U1, p: int, end: int, most: int) -> tuple[int, int, int]:
    """Field specification at `p`: its flags, how many there are, and where it ends."""
    word = 0
    for octet in range(most):
        if p >= end:
            return 0, 0, CUT
        byte = u8(buf, p)
        p += 1
        word = word << 7 | byte >> 1
        if not byte & 1:
            return word, 7 * (octet + 1), p
    return 0, 0, STRANGE


@uncounted
def _behind(buf: U1, p: int, end: int, form: int) -> int:
    """Where an item of a form without subfields ends, CUT or STRANGE."""
    if form > 0:
        p += form
    elif form == SPARE:
        return STRANGE
    elif form == VARIABLE:
        while p < end and u8(buf, p) & 1:
            p += 1
        p += 1
    elif form == EXPLICIT:
        if p >= end or u8(buf, p) == 0:
            return CUT
        p += u8(buf, p)
    elif form == TRIPLES:
        p += 2
        while p < end and u8(buf, p) & 1:
            p += 3
        p += 1
    else:
        if p >= end:
            return CUT
        p += 1 + (REPEATED - form) * u8(buf, p)
    return p if p <= end else CUT


@uncounted
def _parts(buf: U1, p: int, end: int, k: int, at: I8) -> int:
    """Find the subfields of compound `k` at `p`: where it ends, CUT or STRANGE."""
    word, n, p = _flags(buf, p, end, PART_MOST[k])
    if p < 0:
        return p
    at[: 7 * PART_MOST[k]] = -1
    for i in range(n):
        if word >> (n - 1 - i) & 1:
            at[i] = p
            p = _behind(buf, p, end, PART[k, i])
            if p < 0:
                return p
    return p


@uncounted
def find(buf: U1, p: int, end: int, row: int, found: Found) -> int:
    """Find the items of the record at `p` of category `row`: where it ends, CUT or STRANGE.

    A record without items is CUT: nothing fills its place.
    """
    word, n, p = _flags(buf, p, end, MOST[row])
    if p < 0:
        return p
    if word == 0:
        return CUT
    found.at[: 7 * MOST[row]] = -1
    for i in range(n):
        if word >> (n - 1 - i) & 1:
            form = FORM[row, i]
            found.at[i] = p
            if form > COMPOUND:
                p = _behind(buf, p, end, form)
            else:
                p = _parts(buf, p, end, COMPOUND - form, found.part[COMPOUND - form])
            if p < 0:
                return p
    return p


@uncounted
def u16(buf: U1, p: int) -> int:
    """Two octets."""
    return u8(buf, p) << 8 | u8(buf, p + 1)


@uncounted
def i16(buf: U1, p: int) -> int:
    """Two octets, two's complement."""
    word = u8(buf, p) << 8 | u8(buf, p + 1)
    return word - 0x10000 if word >= 0x8000 else word


@uncounted
def i8(buf: U1, p: int) -> int:
    """One octet, two's complement."""
    byte = u8(buf, p)
    return byte - 0x100 if byte >= 0x80 else byte


@uncounted
def u24(buf: U1, p: int) -> int:
    """Three octets."""
    return u8(buf, p) << 16 | u8(buf, p + 1) << 8 | u8(buf, p + 2)


@uncounted
def i24(buf: U1, p: int) -> int:
    """Three octets, two's complement."""
    word = u24(buf, p)
    return word - 0x1000000 if word >= 0x800000 else word


@uncounted
def i32(buf: U1, p: int) -> int:
    """Four octets, two's complement."""
    word = u16(buf, p) << 16 | u16(buf, p + 2)
    return word - 0x1_0000_0000 if word >= 0x8000_0000 else word


@uncounted
def u48(buf: U1, p: int) -> int:
    """Six octets."""
    return u24(buf, p) << 24 | u24(buf, p + 3)
