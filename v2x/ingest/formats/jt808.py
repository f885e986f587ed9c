"""JT/T 808-2011, -2013 and -2019: what vehicle terminals send, big-endian.

``7E | header | body | XOR | 7E`` with ``7E`` written ``7D 02`` and ``7D`` written ``7D 01`` between
the marks, undone left to right in one pass. XOR runs over header and body. One frame a payload,
both marks present (4.4 of the standard).

========================  ===============================================  =====================
header field              2011, 2013                                       2019
========================  ===============================================  =====================
message id                u16                                              u16
properties                u16: b0-9 body bytes, b10-12 encryption,         the same and b14 = 1
                          b13 part of a longer message
protocol version          -                                                u8
terminal phone            BCD[6]                                           BCD[10]
serial                    u16                                              u16
parts, if b13             u16 how many, u16 which, from 1                  the same
========================  ===============================================  =====================

0x0200 position: alarm u32, status u32, lat u32 and lon u32 in 1e-6 deg, altitude u16 m above mean
sea level, speed u16 0.1 km/h, direction u16 deg, time BCD[6] YYMMDDhhmmss at GMT+8, then items
``{id u8, bytes u8, value}``: 0x01 odometer u32 0.1 km, 0x30 link strength u8, 0x31 satellites u8;
others are skipped and counted. Status b1 fixed, b2 south, b3 west, b5 shifted datum (GCJ-02).
0x0704 batch: count u16, type u8 (1 = stored while out of reach), then ``{bytes u16, position}``.
0x0100 registration, 0x0102 authentication: `jt808_texts`. These and every other message that a
terminal may send (`jt808_positions.WORDS`) are a sign of life: reading HEARTBEAT. So are 0x0201 and
0x0500, whose position the platform asked for: it may repeat an old one, and is no observation.

Parts of a longer message wait for the others (code fragment) and are read as one with the part that
completes it (`jt808_parts`).

Refused by name: messages that no terminal sends (unknown_message), encrypted bodies (encrypted),
no ``7E`` at either end (bad_magic, counted by
first byte), an unknown escape or a bare ``7E`` inside (bad_escape), less than header or 28 position
bytes (short).

Lenient, as terminals in the field need: a wrong XOR sets `Flag.CHECKSUM_BAD`, a wrong body length
`Flag.LENGTH_BAD`; a broken BCD digit leaves phone or time unknown. Item lengths of a batch that do
not add up: a position counts where its time, place, speed and direction are those of a vehicle, and
after a lie the next one is searched for, whose length field must fit (``batch_item_found`` counts
them). The alarm and status words are read from every position, fixed or not; only a wrong XOR
together with coordinates off the globe is refused (value_range), so that noise raises no alarm. Not
fixed, off the globe, or within 0.01 deg of (0, 0): no observation.

Time: more than 2 s ahead of arrival, more than a day behind it, or, unless it was stored, within a
minute of 1, 2, ... 14 whole hours behind it (a clock in UTC where GMT+8 belongs): flag
`Flag.TIME_SUSPECT` and reading CLOCK_OFFSET_S, which also tells of any other position that was not
stored and comes more than 10 min late by its own clock. Two digits of a year are 2000 to 2099.

Kind: car, 0.4 sure; what the fleet table of the configuration says, 0.9.

Ours: speeds above 500 km/h and altitudes above 9,000 m are not measured, an altitude of exactly 0
is what most terminals send for "unknown", position noise 5 m and 8 m up where the sensor has none
configured, 0.5 m/s per axis of velocity.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from v2x.columns import F8, I8, U1
from v2x.frames import FrameBatch
from v2x.geodesy import undulation, wgs84_from_gcj02
from v2x.ingest.decoded import Decoded, Reject, Settled
from v2x.ingest.jt808_bytes import room
from v2x.ingest.jt808_encode import (
    encode_batch,
    encode_frame,
    encode_heartbeat,
    encode_position,
    position_body,
)
from v2x.ingest.jt808_parts import Joined, Parts
from v2x.ingest.jt808_positions import (
    BAD_BATCH,
    BAD_MAGIC,
    CONVERTED,
    CUT_ITEM,
    FLAGS,
    FOUND_ITEM,
    FRAME,
    NEAR_ZERO,
    OFF_GLOBE,
    SLOT,
    STATUS,
    TALLIES,
    WIDTH,
    observe,
    parse,
    read,
)
from v2x.ingest.jt808_texts import details, said
from v2x.ingest.terminals import Terminals
from v2x.observations import Kind, Observations
from v2x.readings import Readings
from v2x.sensors import Datum, SensorTable

__all__ = (
    "FORMATS",
    "encode_batch",
    "encode_frame",
    "encode_heartbeat",
    "encode_position",
    "position_body",
)

_SD_M, _SD_UP_M = 5.0, 8.0
_CAR = int(Kind.CAR)
_TALLIES = {
    CUT_ITEM: "cut_item",
    BAD_BATCH: "batch_lengths_bad",
    OFF_GLOBE: "position_off_globe",
    NEAR_ZERO: "position_near_zero",
    FOUND_ITEM: "batch_item_found",
}


@dataclass
class Memory:
    """Parts that wait for others; and a memo of phones, which a checkpoint need not hold."""

    parts: Parts = field(default_factory=Parts)
    terminals: Terminals = field(default_factory=lambda: Terminals("808:".__add__))

    def state(self) -> dict[str, Any]:
        """What must survive a restart, as plain data."""
        return self.parts.state()

    def restore(self, state: dict[str, Any]) -> None:
        """Put back what `state` gave."""
        self.parts.restore(state)


class Jt808:
    """The format `jt808`."""

    name = "jt808"

    def timed(self, payload: bytes) -> bool:
        """Tell whether a time or serial makes equal bytes a repeat: all but heartbeats."""
        return payload[1:3] != b"\x00\x02"

    def new_state(self) -> Memory:
        """No part waits."""
        return Memory()

    def finish(self, sensors: SensorTable, state: Memory) -> Decoded:
        """Give up the parts that still wait."""
        made = Decoded.nothing()
        settled = tuple(state.parts.give_up())
        return Decoded(made.observations, made.readings, made.rejects, settled=settled)

    def extra(self, payload: bytes) -> dict[str, Any]:
        """Header, and what of the body stands in no column, for ``v2x decode``."""
        return details(payload)

    def decode(self, batch: FrameBatch, sensors: SensorTable, state: Memory) -> Decoded:
        """Positions, alarm and status words, satellites, link, odometer, signs of life, texts."""
        parsed = _parsed(batch, state.terminals)
        if state.parts.idle(parsed.codes):
            return _decoded(parsed, sensors, state.terminals)
        joined = state.parts.join(batch, parsed.codes)
        if joined.whole:
            payloads = [joined.whole.get(i) or batch.payload(i) for i in range(len(batch))]
            batch = FrameBatch.of(
                batch.format, payloads, batch.sensor.tolist(), batch.recv_ns.tolist()
            )
            parsed = _parsed(batch, state.terminals)
        for i, code in joined.codes.items():
            parsed.codes[i] = code
        return _decoded(parsed, sensors, state.terminals, _settled(joined, parsed.codes))


@dataclass(frozen=True, slots=True)
class _Parsed:
    """A batch as `parse` leaves it; `word`, `lat`, `lon` by row."""

    batch: FrameBatch
    codes: U1
    tally: I8
    word: I8
    lat: F8
    lon: F8
    rows: int
    facts: int
    shifted: int
    texts: int
    idents: dict[int, str]


def _parsed(batch: FrameBatch, terminals: Terminals) -> _Parsed:
    n = len(batch)
    terminals.open(n)
    most, longest = room(batch.buf, batch.off)
    word = np.empty((most, WIDTH), np.int64)
    lat, lon = np.empty((2, most))
    codes, tally = np.empty(n, np.uint8), np.zeros(TALLIES, np.int64)
    used = np.empty(n, np.int32)
    items, rows, facts, phones, shifted, texts = parse(
        batch.buf, batch.off, batch.recv_ns, np.empty(longest, np.uint8), terminals.keys,
        terminals.seen, terminals.poll, used, codes, tally, word, lat, lon,
    )  # fmt: skip
    return _Parsed(
        batch, codes, tally, word[:items], lat[:items], lon[:items], rows, facts, shifted, texts,
        terminals.resolve(used[:phones]),
    )  # fmt: skip


def _decoded(
    parsed: _Parsed, sensors: SensorTable, terminals: Terminals, settled: tuple[Settled, ...] = ()
) -> Decoded:
    batch, word, lat, lon = parsed.batch, parsed.word, parsed.lat, parsed.lon
    idents = parsed.idents
    counts = _counts(batch, parsed.codes, parsed.tally)
    if not len(word):
        none = Observations.blank()
        return Decoded(none, Readings.blank(), parsed.codes, {}, np.empty(0), counts, settled)
    if parsed.shifted:
        _to_wgs84(word, lat, lon, sensors.datum()[batch.sensor[word[:, FRAME]]])
    amsl = np.empty(parsed.rows)
    sd, sd_up = sensors.floats("sd_m"), sensors.floats("sd_up_m")
    o = _blank_observations(parsed.rows)
    observe(
        word, lat, lon, undulation(lat, lon), batch.recv_ns, batch.sensor, terminals.ident,
        np.where(np.isnan(sd), _SD_M, sd), np.where(np.isnan(sd_up), _SD_UP_M, sd_up),
        o.frame, o.t_ns, o.recv_ns, o.sensor, o.ident, o.lat, o.lon, o.height, o.cov, o.vel,
        o.vel_sd, o.flags, amsl,
    )  # fmt: skip
    if sensors.fleet:
        terminals.say_kinds(word[np.isfinite(lat), SLOT], sensors.fleet, o)
    r = _blank_readings(parsed.facts)
    read(
        word, lat, lon, batch.recv_ns, batch.sensor, terminals.ident,
        r.frame, r.t_ns, r.recv_ns, r.sensor, r.ident, r.name, r.value, r.lat, r.lon,
    )  # fmt: skip
    if parsed.texts:
        r, texts = said(batch, word, r)
        idents = idents | texts
    return Decoded(o, r, parsed.codes, idents, amsl, counts, settled)


def _settled(joined: Joined, codes: U1) -> tuple[Settled, ...]:
    """Parts that wait no more: they share the code of the frame that completed them."""
    made = [Settled(ticket, Reject.FRAGMENT) for ticket in joined.given_up]
    for i, tickets in joined.tickets.items():
        made += [Settled(ticket, Reject(int(codes[i]))) for ticket in tickets]
    return tuple(sorted(made))


FORMATS = (Jt808(),)


def _blank_observations(n: int) -> Observations:
    """Columns that `observe` fills, beside constant ones: 4x faster than `Observations.blank`."""
    nan8, nan4 = np.full((5, n), np.nan), np.full(6 * n, np.nan, np.float32)
    i8, f8 = np.empty((3, n), np.int64), np.empty((3, n))
    return Observations(
        frame=np.empty(n, np.int32), t_ns=i8[0], recv_ns=i8[1], sensor=np.empty(n, np.int32),
        ident=i8[2], track_ref=np.full(n, -1, np.int64), kind=np.full(n, _CAR, np.uint8),
        kind_conf=np.full(n, 0.4, np.float32), model=np.zeros(n, np.uint8), lat=f8[0], lon=f8[1],
        height=f8[2], cov=np.empty((n, 6)), vel=np.empty((n, 3)), vel_sd=np.empty(n, np.float32),
        range=nan8[0], az=nan8[1], el=nan8[2], range_sd=nan8[3], ang_sd=nan8[4],
        radial=nan4[:n], radial_sd=nan4[n : 2 * n], rssi=nan4[2 * n : 3 * n],
        size=nan4[3 * n :].reshape(n, 3), flags=np.empty(n, np.uint16),
    )  # fmt: skip


def _blank_readings(n: int) -> Readings:
    i8, f8 = np.empty((3, n), np.int64), np.empty((3, n))
    return Readings(
        frame=np.empty(n, np.int32), t_ns=i8[0], recv_ns=i8[1], sensor=np.empty(n, np.int32),
        ident=i8[2], name=np.empty(n, np.uint16), value=f8[0], ident2=np.full(n, -1, np.int64),
        lat=f8[1], lon=f8[2],
    )  # fmt: skip


def _to_wgs84(word: I8, lat: F8, lon: F8, datum: U1) -> None:
    """Undo the map shift of positions that declare it; whole sensors in GCJ-02 come later."""
    shifted = (word[:, STATUS] & 0x20 != 0) & (datum != Datum.GCJ02) & np.isfinite(lat)
    if shifted.any():
        lat[shifted], lon[shifted] = wgs84_from_gcj02(lat[shifted], lon[shifted])
        word[shifted, FLAGS] |= CONVERTED


def _counts(batch: FrameBatch, codes: U1, tally: I8) -> dict[str, int]:
    found = {
        _TALLIES.get(i, f"unknown_item_0x{i:02x}"): int(tally[i])
        for i in np.flatnonzero(tally).tolist()
    }
    if (codes == BAD_MAGIC).any():
        first = batch.buf[batch.off[:-1][codes == BAD_MAGIC]]
        for byte, n in zip(*np.unique(first, return_counts=True), strict=True):
            found[f"first_byte_0x{byte:02x}"] = int(n)
    return found
