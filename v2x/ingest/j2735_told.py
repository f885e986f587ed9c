"""SAE J2735: SPAT, MAP, PSM and SDSM of a poll, with their identities, texts and hashes.

`v2x.ingest.j2735_units` reads the bits; here is what no kernel does. Identities are
``node:<region>/<id>`` (``node:<id>`` where no region is sent), ``phase:<region>/<id>/<group>``,
``psm:`` and ``sdsm:`` with 8 hex digits.
"""

from dataclasses import dataclass, field
from hashlib import blake2b

import numpy as np

from v2x.columns import F8, I8, U1
from v2x.frames import FrameBatch
from v2x.ingest.interning import Texts
from v2x.ingest.j2735_programs import PROGRAMS, Scratch
from v2x.ingest.j2735_types import MAP, PSM, SDSM, SPAT
from v2x.ingest.j2735_units import (
    NODE_TEXT,
    PERSON_TEXT,
    SENSOR_TEXT,
    Loose,
    Noise,
    read_units,
)
from v2x.ingest.rows import readings_of, room_for, writable
from v2x.observations import Observations, ident_of
from v2x.readings import Readings
from v2x.sensors import SensorTable

CHUNK_BYTES = 65_536
"""Messages are read this many bytes at a time: their identities fit the table of texts then."""

_FEWEST_BITS = 12
"""Bits of a SPAT for each of its readings: a phase of 24 bits gives two."""
_OBJECT_BITS = 128
"""Bits of the smallest object."""


def text_of(first: int, second: int, third: int) -> str:
    """Identity text of the three words that a kernel kept."""
    tag, word = first >> 32, first & 0xFFFF_FFFF
    if tag in (PERSON_TEXT, SENSOR_TEXT):
        return f"{'psm' if tag == PERSON_TEXT else 'sdsm'}:{word:08x}"
    node = f"{word - 1}/{second}" if word else f"{second}"
    return f"node:{node}" if tag == NODE_TEXT else f"phase:{node}/{third}"


@dataclass
class Told:
    """What is at hand between polls, and made again where it is missing."""

    texts: Texts = field(default_factory=lambda: Texts(text_of))
    scratch: Scratch = field(default_factory=Scratch.room)
    consts: F8 = field(default_factory=lambda: np.empty(7))
    enu: F8 = field(default_factory=lambda: np.empty((256, 3)))


def tell(
    batch: FrameBatch, sensors: SensorTable, frames: I8, message: I8, start: I8, code: U1,
    told: Told, idents: dict[int, str],
) -> tuple[Observations, Readings, dict[str, int]]:  # fmt: skip
    """Rows of the messages of `frames`, which ascend, and what was passed over in them.

    message, start, code as `v2x.ingest.j2735.open_frames` has them; `code` is set, and `idents`
    added to.
    """
    noise = Noise(sensors.floats("sd_m"), sensors.floats("sd_up_m"))
    seen: list[Observations] = []
    said: list[Readings] = []
    optional = at = 0
    behind = np.cumsum(batch.off[frames + 1] - start[frames])
    while at < frames.shape[0]:
        before = behind[at - 1] if at else 0
        to = max(at + 1, int(np.searchsorted(behind, before + CHUNK_BYTES, "right")))
        one, other, lost = _chunk(batch, frames[at:to], message, start, code, noise, told, idents)
        seen.append(one)
        said.append(other)
        optional += lost
        at = to
    counts = {"object_optional_data": optional} if optional else {}
    return Observations.concat(seen), Readings.concat(said), counts


def _chunk(
    batch: FrameBatch, frames: I8, message: I8, start: I8, code: U1, noise: Noise, told: Told,
    idents: dict[int, str],
) -> tuple[Observations, Readings, int]:  # fmt: skip
    n, kinds = frames.shape[0], message[frames]
    bits = 8 * (batch.off[frames + 1] - start[frames])
    objects = bits[kinds == SDSM]
    most_seen = int(np.count_nonzero(kinds == PSM)) + int((objects // _OBJECT_BITS).sum())
    rows = Observations.blank(most_seen)
    out = room_for(int((bits[kinds == SPAT] // _FEWEST_BITS).sum()) + 2 * n)
    letters = int(bits[kinds == MAP].sum())
    loose = Loose(
        np.empty(letters, np.uint8), np.zeros((n, 3), np.int64), np.zeros(2, np.int64),
        told.consts, told.enu,
    )  # fmt: skip
    told.texts.make_room()
    k, m = read_units(
        PROGRAMS, batch.buf, batch.off, message, start, frames, batch.sensor, batch.recv_ns,
        noise, told.scratch, told.texts.slots, writable(rows), out, loose, code,
    )  # fmt: skip
    told.texts.resolve()
    readings = readings_of(out, m)
    rows = rows.take(slice(k))
    idents.update(told.texts.hashed(rows.ident, readings.ident))
    for r, begin, end in loose.maps[: loose.told[0]].tolist():
        digest = blake2b(loose.content[begin:end].tobytes(), digest_size=8).digest()
        text = f"map:{digest.hex()}"
        readings.value[r], readings.ident2[r] = int.from_bytes(digest[:6], "big"), ident_of(text)
        idents[int(readings.ident2[r])] = text
    return rows, readings, int(loose.told[1])
