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
0x0002 heartbeat: empty body.

Refused by name: other messages (unknown_message; also their parts, which nobody waits for),
encrypted bodies (encrypted), a lone part of a position or batch (fragment: parts are not put
together in this first form), no ``7E`` at either end (bad_magic, counted by first byte), an
unknown escape or a bare ``7E`` inside (bad_escape), less than header or 28 position bytes (short).

Lenient, as terminals in the field need: a wrong XOR sets `Flag.CHECKSUM_BAD`, a wrong body length
`Flag.LENGTH_BAD`; a broken BCD digit leaves phone or time unknown. Item lengths of a batch that do
not add up: items are taken while they fit and look like positions, none is searched for. The alarm
and status words are read from every position, fixed or not; only a wrong XOR together with
coordinates off the globe is refused (value_range), so that noise raises no alarm. Not fixed, off
the globe, or within 0.01 deg of (0, 0): no observation.

Ours: speeds above 500 km/h and altitudes above 9,000 m are not measured, an altitude of exactly 0
is what most terminals send for "unknown", position noise 5 m and 8 m up where the sensor has none
configured, 0.5 m/s per axis of velocity.
"""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

import numpy as np

from v2x.columns import F8, I8, U1
from v2x.frames import FrameBatch
from v2x.geodesy import undulation, wgs84_from_gcj02
from v2x.ingest.decoded import Decoded
from v2x.ingest.jt808_positions import (
    BAD_BATCH,
    BAD_MAGIC,
    BATCH,
    CONVERTED,
    CUT_ITEM,
    FLAGS,
    FRAME,
    GMT8,
    HEARTBEAT,
    NEAR_ZERO,
    OFF_GLOBE,
    POSITION,
    STATUS,
    TALLIES,
    WIDTH,
    observe,
    parse,
    read,
    room,
)
from v2x.ingest.terminals import Terminals
from v2x.ingest.timestamps import iso
from v2x.observations import Kind, Observations
from v2x.readings import Readings
from v2x.sensors import Datum, SensorTable

_SD_M, _SD_UP_M = 5.0, 8.0
_CAR = int(Kind.CAR)
_TALLIES = {
    CUT_ITEM: "cut_item",
    BAD_BATCH: "batch_lengths_bad",
    OFF_GLOBE: "position_off_globe",
    NEAR_ZERO: "position_near_zero",
}


class Jt808:
    """The format `jt808`. State is a memo of phones: nothing of a frame waits for another."""

    name = "jt808"

    def timed(self, payload: bytes) -> bool:
        """Tell whether a time or serial makes equal bytes a repeat: all but heartbeats."""
        return payload[1:3] != b"\x00\x02"

    def new_state(self) -> Terminals:
        """Return an empty memo."""
        return Terminals("808:".__add__)

    def finish(self, sensors: SensorTable, state: Any) -> Decoded:
        """Nothing is ever pending."""
        return Decoded.nothing()

    def decode(self, batch: FrameBatch, sensors: SensorTable, state: Terminals) -> Decoded:
        """Positions, alarm and status words, satellites, link, odometer and heartbeats."""
        n = len(batch)
        state.open(n)
        most, longest = room(batch.buf, batch.off)
        word = np.empty((most, WIDTH), np.int64)
        lat, lon = np.empty((2, most))
        codes, tally = np.empty(n, np.uint8), np.zeros(TALLIES, np.int64)
        used = np.empty(n, np.int32)
        items, rows, facts, phones, shifted = parse(
            batch.buf, batch.off, batch.recv_ns, np.empty(longest, np.uint8), state.keys,
            state.seen, state.poll, used, codes, tally, word, lat, lon,
        )  # fmt: skip
        word, lat, lon = word[:items], lat[:items], lon[:items]
        idents = state.resolve(used[:phones])
        counts = _counts(batch, codes, tally)
        if not items:
            return Decoded(Observations.blank(), Readings.blank(), codes, {}, np.empty(0), counts)
        if shifted:
            _to_wgs84(word, lat, lon, sensors.datum()[batch.sensor[word[:, FRAME]]])
        amsl = np.empty(rows)
        sd, sd_up = sensors.floats("sd_m"), sensors.floats("sd_up_m")
        observations = _blank_observations(rows)
        o = observations
        observe(
            word, lat, lon, undulation(lat, lon), batch.recv_ns, batch.sensor, state.ident,
            np.where(np.isnan(sd), _SD_M, sd), np.where(np.isnan(sd_up), _SD_UP_M, sd_up),
            o.frame, o.t_ns, o.recv_ns, o.sensor, o.ident, o.lat, o.lon, o.height, o.cov, o.vel,
            o.vel_sd, o.flags, amsl,
        )  # fmt: skip
        r = _blank_readings(facts)
        read(
            word, lat, lon, batch.recv_ns, batch.sensor, state.ident,
            r.frame, r.t_ns, r.recv_ns, r.sensor, r.ident, r.name, r.value, r.lat, r.lon,
        )  # fmt: skip
        return Decoded(observations, r, codes, idents, amsl, counts)


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


def encode_frame(
    message: int, phone: str, serial: int, body: bytes, *, edition: str = "2013"
) -> bytes:
    """One frame as on the wire; `phone` decimal digits, `edition` 2011, 2013 or 2019."""
    late = edition == "2019"
    head = message.to_bytes(2, "big") + ((len(body) & 0x3FF) | (late << 14)).to_bytes(2, "big")
    head += b"\x01" + bytes.fromhex(phone.zfill(20)) if late else bytes.fromhex(phone.zfill(12))
    plain = head + (serial & 0xFFFF).to_bytes(2, "big") + body
    check = 0
    for byte in plain:
        check ^= byte
    plain += bytes([check])
    return b"\x7e" + plain.replace(b"\x7d", b"\x7d\x01").replace(b"\x7e", b"\x7d\x02") + b"\x7e"


def position_body(
    t_ns: int,
    lat: float,
    lon: float,
    amsl_m: float,
    speed_mps: float,
    heading_deg: float,
    *,
    status: int = 0x000C0003,
    alarm: int = 0,
    extras: Mapping[int, bytes] | None = None,
) -> bytes:
    """Body of a 0x0200.

    The south and west bits of `status` follow the signs. The wire has whole metres from 0 up and
    whole seconds: an unknown or negative height becomes 0, which reads back as not measured.
    """
    status = (status & ~0x0C) | (4 if lat < 0 else 0) | (8 if lon < 0 else 0)
    height = min(max(round(amsl_m), 0), 0xFFFF) if isfinite(amsl_m) else 0
    made = alarm.to_bytes(4, "big") + status.to_bytes(4, "big")
    made += round(abs(lat) * 1e6).to_bytes(4, "big") + round(abs(lon) * 1e6).to_bytes(4, "big")
    made += height.to_bytes(2, "big") + round(speed_mps * 36.0).to_bytes(2, "big")
    made += (round(heading_deg) % 360).to_bytes(2, "big")
    digits = "".join(c for c in iso(t_ns + GMT8)[2:19] if c.isdigit())
    made += bytes.fromhex(digits)
    for name, value in (extras or {}).items():
        made += bytes([name, len(value)]) + value
    return made


def encode_position(
    phone: str,
    serial: int,
    t_ns: int,
    lat: float,
    lon: float,
    amsl_m: float,
    speed_mps: float,
    heading_deg: float,
    *,
    status: int = 0x000C0003,
    alarm: int = 0,
    edition: str = "2013",
    extras: Mapping[int, bytes] | None = None,
) -> bytes:
    """A 0x0200 frame; degrees WGS-84, metres above mean sea level, see `position_body`."""
    body = position_body(
        t_ns, lat, lon, amsl_m, speed_mps, heading_deg, status=status, alarm=alarm, extras=extras
    )
    return encode_frame(POSITION, phone, serial, body, edition=edition)


def encode_batch(
    phone: str, serial: int, bodies: Sequence[bytes], *, backlog: bool = True,
    edition: str = "2013",
) -> bytes:  # fmt: skip
    """A 0x0704 frame of `position_body` bodies; `backlog`: stored while out of reach."""
    body = len(bodies).to_bytes(2, "big") + bytes([backlog])
    body += b"".join(len(b).to_bytes(2, "big") + b for b in bodies)
    return encode_frame(BATCH, phone, serial, body, edition=edition)


def encode_heartbeat(phone: str, serial: int, *, edition: str = "2013") -> bytes:
    """A 0x0002 frame."""
    return encode_frame(HEARTBEAT, phone, serial, b"", edition=edition)
