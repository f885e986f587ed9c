"""Roadside messages of YD/T 3709-2020: a run of them in one call, for the formats that carry them.

`v2x.ingest.j2735cn` reads RSM, BSM and SSM and `v2x.ingest.j2735cn_rows` makes their rows;
`v2x.ingest.j2735cn_told` does both for RSI, SPAT and MAP. Here all get their identities: ``bsm:``
and 16 hex digits for vehicles, ``rsu:`` and its name for the unit, ``obstacle:<unit>/<obsId>``.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from v2x.columns import I4, I8, U1
from v2x.frames import FrameBatch
from v2x.geodesy import wgs84_from_gcj02
from v2x.ingest.decoded import ACCEPTED, Decoded
from v2x.ingest.j2735cn import (
    EDITION_UNKNOWN,
    EDITIONS,
    PENDING,
    REGISTER,
    SSM_PROGRAM,
    Heads,
    rows_at_most,
    walk,
)
from v2x.ingest.j2735cn_names import ident_text
from v2x.ingest.j2735cn_parts import HAS_ID, ID_HIGH, ID_LOW, WIRE
from v2x.ingest.j2735cn_program import DEPTH
from v2x.ingest.j2735cn_rows import Said, Seen, become, tables_of
from v2x.ingest.j2735cn_told import Told, bits_at, hashed, tell
from v2x.ingest.j2735cn_types import SSM
from v2x.observations import Observations, ident_of
from v2x.readings import Name, Readings
from v2x.sensors import Datum, SensorTable

_OF_VEHICLE = np.array([Name.BSM_EVENTS, Name.SIREN, Name.BRAKE], np.uint16)

MOST_IDENTS = 65_536
"""Identities whose hashes are kept at hand; when full they are dropped and made again."""


@dataclass
class Memory:
    """What one pipeline remembers of roadside messages.

    Attributes
    ----------
    learned, unit
        (sensors,) u1 edition that "auto" settled on: by the last path history of a vehicle that
        showed it, and by the last RSI or MAP of the unit itself. They are different writers.
    names
        Hash and identity text by (scheme, 8 octets): at hand, not needed; a copy has none.
    told
        What RSI, SPAT and MAP need at hand; likewise.
    """

    learned: U1 = field(default_factory=lambda: np.zeros(0, np.uint8))
    unit: U1 = field(default_factory=lambda: np.zeros(0, np.uint8))
    names: dict[tuple[str, int], tuple[int, str]] = field(default_factory=dict)
    told: Told = field(default_factory=Told)

    def __reduce__(self) -> tuple[type["Memory"], tuple[U1, U1]]:
        return Memory, (self.learned.copy(), self.unit.copy())

    def state(self) -> dict[str, Any]:
        """What must survive a restart."""
        return {"learned": self.learned, "unit": self.unit}

    def restore(self, state: dict[str, Any]) -> None:
        """Put back what `state` gave."""
        self.learned, self.unit = state["learned"], state["unit"]

    def fit(self, sensors: int) -> None:
        """Make room for all rows of the sensor table."""
        self.learned, self.unit = _grown(self.learned, sensors), _grown(self.unit, sensors)

    def idents(self, scheme: str, octets: NDArray[np.uint64], used: dict[int, str]) -> I8:
        """(n,) hashes of 8-octet ids, -1 for all zero; the texts go into `used`."""
        some, back = np.unique(octets, return_inverse=True)
        names = self.names
        hashes = np.empty(some.shape[0], np.int64)
        for i, raw in enumerate(some.tolist()):
            known = names.get((scheme, raw))
            if known is None:
                if len(names) >= MOST_IDENTS:
                    names.clear()
                text = ident_text(scheme, raw.to_bytes(8, "big"))
                known = names[scheme, raw] = (ident_of(text), text)
            hashes[i] = known[0]
            if known[1]:
                used[known[0]] = known[1]
        return hashes[back]

    def obstacle(self, unit: int, number: int, used: dict[int, str]) -> int:
        """Hash of an obstacle of the unit with these 8 octets; the text goes into `used`."""
        names, key = self.names, (f"obstacle {number}", unit)
        known = names.get(key)
        if known is None:
            if len(names) >= MOST_IDENTS:
                names.clear()
            name = ident_text("rsu", unit.to_bytes(8, "big")).removeprefix("rsu:")
            text = f"obstacle:{name}/{number}"
            known = names[key] = (ident_of(text), text)
        used[known[0]] = known[1]
        return known[0]


def _grown(editions: U1, sensors: int) -> U1:
    if editions.shape[0] >= sensors:
        return editions
    grown = np.zeros(sensors, np.uint8)
    grown[: editions.shape[0]] = editions
    return grown


@dataclass(frozen=True)
class Messages:
    """What a run of messages gave; `code` (n,) per message, `sec_mark` of each or -1."""

    decoded: Decoded
    code: U1
    sec_mark: I8


def decode_messages(
    batch: FrameBatch, start: I8, stop: I8, outer: I4, sensors: SensorTable, memory: Memory
) -> Messages:
    """Decode the messages ``batch.buf[start[j]:stop[j]]`` that stand in frames `outer`.

    `outer` (n,) ascends. In the result ``frame`` is the outer frame; ``decoded.rejects`` is
    per message here, and the caller's to fold where a frame holds several.
    """
    memory.fit(len(sensors))
    sensor, recv_ns = batch.sensor[outer], batch.recv_ns[outer]
    edition = np.array(
        [EDITIONS.get(s.edition, EDITION_UNKNOWN) for s in sensors.sensors], np.uint8
    )
    n = start.shape[0]
    wire = np.empty((rows_at_most(batch.buf, start, stop), WIRE), np.int32)
    first, heads, code = np.empty(n + 1, np.int64), Heads.room(n), np.empty(n, np.uint8)
    rows = walk(
        batch.buf, start, stop, sensor, edition, memory.learned, SSM_PROGRAM, wire, first, heads,
        code, np.empty((1, REGISTER), np.int32), np.empty(DEPTH, np.int64),
    )  # fmt: skip
    made = Observations.blank(rows)
    row = np.empty(rows, np.int64)
    seen = Seen(row, *(getattr(made, name) for name in Seen._fields[1:]))
    said_most = rows + 4 * n
    said = Said(
        np.empty(said_most, np.int32), np.empty(said_most, np.int64),
        np.empty(said_most, np.uint16), np.empty(said_most), np.full(said_most, np.nan),
        np.full(said_most, np.nan), np.full(said_most, -1, np.int64),
    )  # fmt: skip
    tables = tables_of(sensors)
    k, m = become(wire, first, heads, outer, sensor, recv_ns, code, tables, seen, said)
    if k < rows:
        made, row = made.take(slice(k)), row[:k]
    idents: dict[int, str] = {}
    named = np.flatnonzero(wire[row, HAS_ID])
    high, low = wire[row[named], ID_HIGH], wire[row[named], ID_LOW]
    octets = (high.view(np.uint32).astype(np.uint64) << np.uint64(32)) | low.view(np.uint32)
    made.ident[named], who = _names(said, m, octets, heads, memory, idents)
    message = said.frame[:m]
    readings = [
        Readings(
            outer[message], said.t_ns[:m], recv_ns[message], sensor[message], who, said.name[:m],
            said.value[:m], np.full(m, -1, np.int64), said.lat[:m], said.lon[:m],
        )
    ]  # fmt: skip
    counts = _skipped(heads)
    if heads.region.any():
        _hash_coverage(batch, heads, said, readings[0], idents)
    pending = np.flatnonzero((code == PENDING) | (np.isin(code, ACCEPTED) & (heads.events > 0)))
    if pending.size:
        more, told = tell(
            batch, start, stop, pending, outer, edition, memory.unit, tables, heads, code,
            memory.told, idents, counts,
        )  # fmt: skip
        refused = pending[~np.isin(code[pending], ACCEPTED)]
        if refused.size:  # an event off the globe, say: seen only now, behind its objects
            of_row = np.searchsorted(first, row, "right") - 1
            made = made.take(~np.isin(of_row, refused))
            readings = [readings[0].take(~np.isin(message, refused))]
        readings.append(told)
        if len(more):
            made = Observations.concat([made, more])
            made = made.take(np.argsort(made.frame, kind="stable"))
    said_all = Readings.concat(readings)
    if len(readings) > 1 and len(said_all):
        said_all = said_all.take(np.argsort(said_all.frame, kind="stable"))
    _to_wgs84(said_all, sensors)
    return Messages(Decoded(made, said_all, code, idents, counts=counts), code, heads.sec_mark)


def _skipped(heads: Heads) -> dict[str, int]:
    """Messages of T/CSAE 157 that were not read, by id."""
    ids = heads.extension[(heads.extension >= 0) & (heads.extension != SSM)]
    if not ids.size:
        return {}
    known, how_many = np.unique(ids, return_counts=True)
    return {f"extension_{i}": n for i, n in zip(known.tolist(), how_many.tolist(), strict=True)}


def _names(
    said: Said, m: int, octets: NDArray[np.uint64], heads: Heads, memory: Memory,
    idents: dict[int, str],
) -> tuple[I8, I8]:  # fmt: skip
    """Identities of the objects with these ids, and of whom the readings are about.

    That is the unit or the vehicle at the head of the message, or an obstacle of the unit.
    """
    head = heads.octets[said.frame[:m]].view(np.uint64)
    of_vehicle = np.isin(said.name[:m], _OF_VEHICLE)
    objects = octets.shape[0]
    both = memory.idents("bsm", np.concatenate([octets, head[of_vehicle]]), idents)
    who = np.empty(m, np.int64)
    who[of_vehicle] = both[objects:]
    if not of_vehicle.all():
        who[~of_vehicle] = memory.idents("rsu", head[~of_vehicle], idents)
    for i in np.flatnonzero(said.number[:m] >= 0).tolist():
        who[i] = memory.obstacle(int(head[i]), int(said.number[i]), idents)
    return both[:objects], who


def _hash_coverage(
    batch: FrameBatch, heads: Heads, said: Said, readings: Readings, idents: dict[int, str]
) -> None:
    """Put the hash of its polygons, and of the place they count from, into each COVERAGE_HASH."""
    for i in np.flatnonzero(readings.name == Name.COVERAGE_HASH).tolist():
        j = said.frame[i]
        first, behind = heads.region[j].tolist()
        size = behind - first
        octets = bits_at(batch.buf, first, size).to_bytes((size + 7) // 8, "big")
        value, text = hashed("coverage", octets + heads.base[j].tobytes())
        readings.value[i], readings.ident2[i] = value, ident_of(text)
        idents[int(readings.ident2[i])] = text


def _to_wgs84(readings: Readings, sensors: SensorTable) -> None:
    """Convert the places of readings of GCJ-02 sensors."""
    shifted = sensors.datum() == Datum.GCJ02
    if not shifted.any():
        return
    rows = np.flatnonzero(shifted[readings.sensor] & np.isfinite(readings.lat))
    if rows.size:
        lat, lon = readings.lat, readings.lon
        lat[rows], lon[rows] = wgs84_from_gcj02(lat[rows], lon[rows])
