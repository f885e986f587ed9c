"""RSI, SPAT and MAP of a run of messages to rows, with their identities, texts and hashes.

`v2x.ingest.j2735cn_unit` reads the bits; here is what no kernel can do. A description is GB 18030
in practice, whatever the schema calls it; it stands behind ``ident2`` of its reading as
``text:...``. The hash of a map leaves out its counter and time, so that it changes when the
content does.
"""

from dataclasses import dataclass, field
from hashlib import blake2b

import numpy as np

from v2x.columns import I4, I8, U1
from v2x.frames import FrameBatch
from v2x.ingest.interning import Texts
from v2x.ingest.j2735cn import EXTENSION, MAP, RSI, Heads
from v2x.ingest.j2735cn_names import ident_text
from v2x.ingest.j2735cn_rows import Tables
from v2x.ingest.j2735cn_unit import (
    EVENT_TEXT,
    NODE_TEXT,
    PHASE_TEXT,
    PROGRAMS,
    SIGN_TEXT,
    UNIT_TEXT,
    Loose,
    Scratch,
    Sites,
    Units,
    read_units,
)
from v2x.ingest.rows import readings_of, room_for, writable
from v2x.observations import Observations, ident_of
from v2x.readings import Readings

CHUNK_BYTES = 65_536
"""Messages are read this many bytes at a time: their identities fit the table of texts then."""

_FEWEST_BITS = 8
"""Bits of a message for each of its readings: a phase of 19 bits gives two."""

_AROUND = 6
"""Readings a message may give beside those."""

_MOST_EVENTS = 8


def text_of(first: int, second: int, third: int) -> str:
    """Identity text of the three words that a kernel kept."""
    tag, word = first >> 32, first & 0xFFFF_FFFF
    if tag in (NODE_TEXT, PHASE_TEXT):
        node = f"{word - 1}/{second}" if word else f"{second}"
        return f"node:{node}" if tag == NODE_TEXT else f"phase:{node}/{third}"
    unit = ident_text("rsu", (word << 32 | second).to_bytes(8, "big"))
    if tag == UNIT_TEXT:
        return unit
    scheme = {EVENT_TEXT: "event", SIGN_TEXT: "sign"}[tag]
    return f"{scheme}:{unit.removeprefix('rsu:')}/{third}"


@dataclass
class Told:
    """What is at hand between polls, and made again where it is missing."""

    texts: Texts = field(default_factory=lambda: Texts(text_of))
    scratch: Scratch = field(default_factory=Scratch.room)


def tell(
    batch: FrameBatch, start: I8, stop: I8, pending: I8, outer: I4, edition: U1, learned: U1,
    tables: Tables, heads: Heads, code: U1, told: Told, idents: dict[int, str],
    counts: dict[str, int],
) -> tuple[Observations, Readings]:  # fmt: skip
    """Rows of the messages `pending` (rows of start and stop, ascending).

    Sets their `code`, and adds to `idents` and `counts`; ``frame`` is the outer frame.
    """
    sensor, recv_ns = batch.sensor[outer], batch.recv_ns[outer]
    sites = Sites(edition, learned, tables.own, tables.own_up, tables.ground, tables.sea)
    made: list[Observations] = []
    said: list[Readings] = []
    at = 0
    behind = np.cumsum(np.minimum(stop[pending] - start[pending], CHUNK_BYTES))
    while at < pending.shape[0]:
        before = behind[at - 1] if at else 0
        to = max(at + 1, int(np.searchsorted(behind, before + CHUNK_BYTES, "right")))
        rows = pending[at:to]
        units = Units(start[rows], stop[rows], rows, outer[rows], sensor[rows], recv_ns[rows])
        one, other = _chunk(batch, units, sites, heads, code, told, idents, counts)
        made.append(one)
        said.append(other)
        at = to
    return Observations.concat(made), Readings.concat(said)


def _chunk(
    batch: FrameBatch, units: Units, sites: Sites, heads: Heads, code: U1, told: Told,
    idents: dict[int, str], counts: dict[str, int],
) -> tuple[Observations, Readings]:  # fmt: skip
    n = units.start.shape[0]
    kinds = batch.buf[units.start] >> 4
    size = np.minimum(units.stop - units.start, CHUNK_BYTES)
    most = int((size[kinds != MAP] * 8 // _FEWEST_BITS).sum()) + _AROUND * n
    events = int(np.count_nonzero((kinds == RSI) | (kinds >= EXTENSION)))
    rows = Observations.blank(_MOST_EVENTS * events)
    out = room_for(most)
    loose = Loose(np.empty((most, 3), np.int64), np.full(n, -1, np.int64), np.zeros(1, np.int64))
    told.texts.make_room()
    k, m = read_units(
        PROGRAMS, batch.buf, units, sites, heads, code, told.scratch, told.texts.slots,
        writable(rows), out, loose,
    )  # fmt: skip
    told.texts.resolve()
    readings = readings_of(out, m)
    idents.update(told.texts.hashed(readings.ident))
    for r in np.flatnonzero(loose.text[:m, 2] >= 0).tolist():
        text = description(batch.buf, *loose.text[r].tolist())
        readings.ident2[r] = ident_of(text)
        idents[int(readings.ident2[r])] = text
    for i in np.flatnonzero(loose.map_hash >= 0).tolist():
        frame = batch.buf[units.start[i] : units.stop[i]].tobytes()
        value, text = hashed("map", content(frame))
        r = int(loose.map_hash[i])
        readings.value[r], readings.ident2[r] = value, ident_of(text)
        idents[int(readings.ident2[r])] = text
    if loose.ends[0]:
        known = counts.get("spat_end_before_start", 0)
        counts["spat_end_before_start"] = known + int(loose.ends[0])
    return rows.take(slice(k)), readings


def description(buf: U1, bit: int, letters: int, kind: int) -> str:
    """Text ``text:...`` of a description at a bit: kind 0 in 7-bit letters, 1 in octets."""
    width = 7 if kind == 0 else 8
    raw = bits_at(buf, bit, width * letters)
    if kind == 0:
        return "text:" + "".join(chr(raw >> 7 * i & 0x7F) for i in reversed(range(letters)))
    return "text:" + raw.to_bytes(letters, "big").decode("gb18030", "replace")


def bits_at(buf: U1, bit: int, n: int) -> int:
    """`n` bits from `bit` on, as one number."""
    end = bit + n
    return int.from_bytes(buf[bit >> 3 : (end + 7) >> 3].tobytes(), "big") >> (-end & 7) & (
        (1 << n) - 1
    )


def content(frame: bytes) -> bytes:
    """A MAP without its counter (bits 6 to 12) and, where it is sent, its time (20 bits more)."""
    head = int.from_bytes(frame[:5], "big") << 8 * max(0, 5 - len(frame))
    timed = head >> 34 & 1
    hidden = (1 << 27 if timed else 1 << 7) - 1
    shift = 7 if timed else 27
    return (head & ~(hidden << shift)).to_bytes(5, "big") + frame[5:]


def hashed(scheme: str, data: bytes) -> tuple[float, str]:
    """48 bits of the hash of `data`, which a float holds exactly, and its text."""
    digest = blake2b(data, digest_size=8).digest()
    return float(int.from_bytes(digest[:6], "big")), f"{scheme}:{digest.hex()}"
