"""Roadside messages of YD/T 3709-2020: a run of them in one call, for the formats that carry them.

`v2x.ingest.j2735cn` reads the bits and `v2x.ingest.j2735cn_rows` makes the rows; here they get
their identities: ``bsm:`` and 16 hex digits for vehicles, ``rsu:`` and its name for the unit.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from v2x.columns import I4, I8, U1
from v2x.frames import FrameBatch
from v2x.geodesy import wgs84_from_gcj02
from v2x.ingest.decoded import Decoded
from v2x.ingest.j2735cn import (
    EDITION_UNKNOWN,
    EDITIONS,
    HAS_ID,
    ID_HIGH,
    ID_LOW,
    SEC_MARK,
    WIRE,
    rows_at_most,
    walk,
)
from v2x.ingest.j2735cn_rows import Said, Seen, become, tables_of
from v2x.observations import Observations, ident_of
from v2x.readings import Name, Readings
from v2x.sensors import Datum, SensorTable

MOST_IDENTS = 65_536
"""Identities whose hashes are kept at hand; when full they are dropped and made again."""


@dataclass
class Memory:
    """What one pipeline remembers of roadside messages.

    Attributes
    ----------
    learned
        (sensors,) u1 edition that "auto" settled on by the last path history that showed it.
    names
        Hash and identity text by (scheme, 8 octets): at hand, not needed; a copy has none.
    """

    learned: U1 = field(default_factory=lambda: np.zeros(0, np.uint8))
    names: dict[tuple[str, int], tuple[int, str]] = field(default_factory=dict)

    def __reduce__(self) -> tuple[type["Memory"], tuple[U1]]:
        return Memory, (self.learned.copy(),)

    def state(self) -> dict[str, Any]:
        """What must survive a restart."""
        return {"learned": self.learned}

    def restore(self, state: dict[str, Any]) -> None:
        """Put back what `state` gave."""
        self.learned = state["learned"]

    def fit(self, sensors: int) -> None:
        """Make room for all rows of the sensor table."""
        if self.learned.shape[0] < sensors:
            grown = np.zeros(sensors, np.uint8)
            grown[: self.learned.shape[0]] = self.learned
            self.learned = grown

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


def ident_text(scheme: str, octets: bytes) -> str:
    """Identity text of an 8-octet id: ``bsm:`` in hex, ``rsu:`` in ASCII where it is that.

    Empty for padding alone (NUL, and blanks in a unit's name).
    """
    if not octets.strip(b"\0"):
        return ""
    if scheme == "rsu":
        name = octets.strip(b"\0 ")
        if not name:
            return ""
        if all(0x20 < c < 0x7F for c in name):
            return f"rsu:{name.decode('ascii')}"
    return f"{scheme}:{octets.hex()}"


@dataclass(frozen=True)
class Messages:
    """What a run of messages gave; `code` (n,) per message, `sec_mark` of its first row or -1."""

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
    first, head, code = np.empty(n + 1, np.int64), np.empty(n, np.int64), np.empty(n, np.uint8)
    rows = walk(batch.buf, start, stop, sensor, edition, memory.learned, wire, first, head, code)
    made = Observations.blank(rows)
    row = np.empty(rows, np.int64)
    seen = Seen(row, *(getattr(made, name) for name in Seen._fields[1:]))
    said_most = rows + 3 * n
    said = Said(
        np.empty(said_most, np.int32), np.empty(said_most, np.int64),
        np.empty(said_most, np.uint16), np.empty(said_most),
        np.full(said_most, np.nan), np.full(said_most, np.nan),
    )  # fmt: skip
    k, m = become(wire, first, outer, sensor, recv_ns, code, tables_of(sensors), seen, said)
    if k < rows:
        made, row = made.take(slice(k)), row[:k]
    idents: dict[int, str] = {}
    named = np.flatnonzero(wire[row, HAS_ID])
    if named.size:
        high, low = wire[row[named], ID_HIGH], wire[row[named], ID_LOW]
        octets = (high.view(np.uint32).astype(np.uint64) << np.uint64(32)) | low.view(np.uint32)
        made.ident[named] = memory.idents("bsm", octets, idents)
    readings = _readings(said, m, outer, sensor, recv_ns, head, sensors, memory, idents)
    sec_mark = np.full(n, -1, np.int64)
    full = first[1:] > first[:-1]
    sec_mark[full] = wire[first[:-1][full], SEC_MARK]
    return Messages(Decoded(made, readings, code, idents), code, sec_mark)


def _readings(
    said: Said, m: int, outer: I4, sensor: I4, recv_ns: I8, head: I8, sensors: SensorTable,
    memory: Memory, idents: dict[int, str],
) -> Readings:  # fmt: skip
    """Readings of the messages; about the unit (RSM) or the vehicle (BSM) named at their head."""
    message, name = said.frame[:m], said.name[:m]
    lat, lon = said.lat[:m], said.lon[:m]
    octets = head[message].view(np.uint64)
    of_unit = (name == Name.RSM_COUNT) | (name == Name.RSU_LOCATION)
    who = np.empty(m, np.int64)
    for scheme, mask in (("rsu", of_unit), ("bsm", ~of_unit)):
        if mask.any():
            who[mask] = memory.idents(scheme, octets[mask], idents)
    shifted = np.flatnonzero(np.isfinite(lat) & (sensors.datum()[sensor[message]] == Datum.GCJ02))
    if shifted.size:
        lat[shifted], lon[shifted] = wgs84_from_gcj02(lat[shifted], lon[shifted])
    return Readings(
        outer[message], said.t_ns[:m], recv_ns[message], sensor[message], who, name,
        said.value[:m], np.full(m, -1, np.int64), lat, lon,
    )  # fmt: skip
