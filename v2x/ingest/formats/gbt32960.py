"""GB/T 32960.3-2016 and -2025: what electric vehicles and their platforms send, big-endian.

======  =====  ===============================================================================
offset  bytes  field
======  =====  ===============================================================================
0       2      ``##`` edition 2016, ``$$`` edition 2025
2       1      command: 01 login, 02 real time, 03 sent again, 04 logout, 05, 06 login and logout
               of a platform, 07 heartbeat, 08 time asked for, 09 activation, 0B key exchange
3       1      FE: a command; anything else: an answer to one
4       17     VIN; of platforms, their own number
21      1      encryption: 01 none, 02 RSA, 03 AES, 04 SM2, 05 SM4
22      2      bytes of data
24      n      data: of 01 to 06 a time, year - 2000, month, day, hour, minute, second, at GMT+8
24 + n  1      XOR of command to data
======  =====  ===============================================================================

Real-time data are a time and information blocks (`gbt32960_blocks`). Read are 05 the position
(state u8: b0 not valid, b1 south, b2 west; 2025: datum u8, 1 WGS-84, 2 GCJ-02, 3 another; longitude
u32, then latitude u32, 1e-6 deg); of 01 the vehicle: speed u16 at 3, 0.1 km/h, distance u32 at 5,
0.1 km, charge u8 at 13, %; of the alarms (07, in 2025 06): highest level u8, bits u32. A field of
FE.. is "abnormal", one of FF.. "not valid": not measured.

It has no direction: a velocity is known only where the vehicle stands. It has no height either.

Becomes: observation with `ident` ``vin:<hash>``, kind car 0.4 or what the fleet table says; GCJ-02
is converted and flagged, another datum flagged `Flag.DATUM_UNCERTAIN`; sent again: `Flag.BACKLOG`.
Readings FIX, VEHICLE_SPEED, ODOMETER_M, STATE_OF_CHARGE, VEHICLE_ALARM_LEVEL, VEHICLE_ALARM_BITS;
LOGIN 1 or 0; HEARTBEAT for the others, and without a position. Times that are not believed: as in
`formats/jt808.py`.

Refused by name: less than header and check byte, or less data than it says (short), another
beginning (bad_magic), encrypted data, commands no vehicle sends (unknown_message), data of which
nothing can be read (bad_length). Lenient: a wrong XOR sets `Flag.CHECKSUM_BAD`, bytes behind the
end and a block that runs over it `Flag.LENGTH_BAD`; a block of unknown length hides those behind
it and is counted by its type.
"""

from typing import Any

import numpy as np

from v2x.frames import FrameBatch
from v2x.ingest.decoded import Decoded, Reject
from v2x.ingest.gbt32960_blocks import (
    ALARMS,
    POSITION,
    VEHICLE,
    CutBlockError,
    UnknownBlockError,
    blocks,
)
from v2x.ingest.reports import GMT8, Reports, local_ns
from v2x.ingest.terminals import pseudonym
from v2x.ingest.timestamps import DAY, SECOND
from v2x.observations import Flag
from v2x.readings import Name
from v2x.sensors import SensorTable

LOGIN, REAL_TIME, AGAIN, LOGOUT, PLATFORM_IN, PLATFORM_OUT = range(1, 7)
_SIGNS_OF_LIFE = (0x07, 0x08, 0x09, 0x0B)
_EDITIONS = {b"##": 2016, b"$$": 2025}
_COMMAND, _PLAIN = 0xFE, 0x01
_TOP_SPEED = 5000  # 0.1 km/h, as JT/T 808


class Gbt32960:
    """The format `gbt32960`: every frame stands alone."""

    name = "gbt32960"

    def timed(self, payload: bytes) -> bool:
        """Tell whether a time makes equal bytes a repeat: all but heartbeats and their like."""
        return payload[2:3] not in (b"\x07", b"\x08")

    def new_state(self) -> None:
        """Return no state."""

    def finish(self, sensors: SensorTable, state: Any) -> Decoded:
        """Nothing is ever pending."""
        return Decoded.nothing()

    def decode(self, batch: FrameBatch, sensors: SensorTable, state: Any) -> Decoded:
        """Positions, speed, distance, charge, alarms, logins and signs of life."""
        rows = Reports(batch, sensors)
        codes = np.zeros(len(batch), np.uint8)
        for i in range(len(batch)):
            codes[i] = _read(rows, i, batch.payload(i))
        return rows.decoded(codes)


FORMATS = (Gbt32960(),)


def _read(rows: Reports, i: int, frame: bytes) -> Reject:
    edition = _EDITIONS.get(frame[:2])
    if edition is None:
        return Reject.BAD_MAGIC if len(frame) > 1 else Reject.SHORT
    if len(frame) < 25:
        return Reject.SHORT
    command, end = frame[2], 24 + int.from_bytes(frame[22:24], "big")
    if frame[3] != _COMMAND:
        return Reject.NOTHING_TO_OBSERVE
    if not LOGIN <= command <= PLATFORM_OUT and command not in _SIGNS_OF_LIFE:
        return Reject.UNKNOWN_MESSAGE
    if frame[21] != _PLAIN:
        return Reject.ENCRYPTED
    if end >= len(frame):
        return Reject.SHORT
    flags = int(Flag.SELF_REPORTED)
    check = 0
    for byte in frame[2 : end + 1]:
        check ^= byte
    if check:
        flags |= Flag.CHECKSUM_BAD
    if end + 1 < len(frame):
        flags |= Flag.LENGTH_BAD
    vin, data = _vin(frame[4:21]), frame[24:end]
    if command in _SIGNS_OF_LIFE:
        t_ns, _ = rows.time(i, None, vin, flags)
        rows.say(i, t_ns, vin, Name.HEARTBEAT, 1.0)
        return Reject.NOTHING_TO_OBSERVE
    if len(data) < 6:
        return Reject.SHORT
    if command == AGAIN:
        flags |= Flag.BACKLOG
    own_ns = local_ns(2000 + data[0], *data[1:6])
    if command in (REAL_TIME, AGAIN):
        return _report(rows, i, own_ns, vin, data[6:], edition, flags)
    t_ns, _ = rows.time(i, own_ns, vin, flags)
    who = vin if command in (LOGIN, LOGOUT) else ""
    rows.say(i, t_ns, who, Name.LOGIN, float(command in (LOGIN, PLATFORM_IN)))
    return Reject.NOTHING_TO_OBSERVE


def _vin(raw: bytes) -> str:
    """Identity of a vehicle; none where the field is no text."""
    text = raw.decode("ascii", "replace").strip("\0 ")
    return pseudonym("vin", text) if text.isalnum() and text.isascii() else ""


def _report(
    rows: Reports, i: int, own_ns: int | None, vin: str, data: bytes, edition: int, flags: int
) -> Reject:
    found: dict[int, bytes] = {}
    try:
        for kind, content in blocks(data, edition):
            found.setdefault(kind, content)
    except CutBlockError:
        flags |= Flag.LENGTH_BAD
    except UnknownBlockError as e:
        rows.count(f"unknown_block_0x{e.args[0]:02x}")
    if not found:
        return Reject.BAD_LENGTH if data else Reject.NOTHING_TO_OBSERVE
    t_ns, flags = rows.time(i, own_ns, vin, flags)
    speed = float("nan")
    if VEHICLE in found:
        block = found[VEHICLE]
        raw, distance = int.from_bytes(block[3:5], "big"), int.from_bytes(block[5:9], "big")
        if raw <= _TOP_SPEED:
            speed = raw / 36.0
            rows.say(i, t_ns, vin, Name.VEHICLE_SPEED, speed)
        if distance < 0xFFFF_FFFE:
            rows.say(i, t_ns, vin, Name.ODOMETER_M, distance * 100.0)
        if block[13] <= 100:
            rows.say(i, t_ns, vin, Name.STATE_OF_CHARGE, block[13] / 100.0)
    if ALARMS[edition] in found:
        block = found[ALARMS[edition]]
        if block[0] < 0xFE:
            rows.say(i, t_ns, vin, Name.VEHICLE_ALARM_LEVEL, float(block[0]))
        bits = int.from_bytes(block[1:5], "big")
        rows.say(i, t_ns, vin, Name.VEHICLE_ALARM_BITS, float(bits))
    if POSITION not in found:
        rows.say(i, t_ns, vin, Name.HEARTBEAT, 1.0)
        return Reject.NOTHING_TO_OBSERVE
    return _position(rows, i, t_ns, vin, found[POSITION], edition, flags, speed)


def _position(
    rows: Reports, i: int, t_ns: int, vin: str, block: bytes, edition: int, flags: int, speed: float
) -> Reject:
    status, datum = block[0], block[1] if edition == 2025 else 1
    lon, lat = (int.from_bytes(raw, "big") / 1e6 for raw in (block[-8:-4], block[-4:]))
    fixed = not status & 1
    rows.say(i, t_ns, vin, Name.FIX, float(fixed))
    if not fixed:
        return Reject.NOTHING_TO_OBSERVE
    lat, lon = -lat if status & 2 else lat, -lon if status & 4 else lon
    if datum not in (1, 2):
        flags |= Flag.DATUM_UNCERTAIN
    lat, lon, flags = rows.place(i, lat, lon, flags, shifted=datum == 2)
    if lat != lat:
        return Reject.NOTHING_TO_OBSERVE
    rows.observe(i, t_ns, vin, lat, lon, flags, speed=speed)
    return Reject.OK


def encode_frame(
    command: int, vin: str, data: bytes, *, edition: int = 2016, ack: int = _COMMAND
) -> bytes:
    """One frame as on the wire, not encrypted."""
    body = bytes([command, ack]) + vin.encode("ascii").ljust(17, b"\0")
    body += bytes([_PLAIN]) + len(data).to_bytes(2, "big") + data
    check = 0
    for byte in body:
        check ^= byte
    return (b"##" if edition == 2016 else b"$$") + body + bytes([check])


def encode_time(t_ns: int) -> bytes:
    """Six bytes of a time at GMT+8; whole seconds."""
    days, rest = divmod(t_ns + GMT8, DAY)
    year, month, day = np.datetime64(days, "D").astype(str).split("-")
    seconds = rest // SECOND
    return bytes(
        [int(year) - 2000, int(month), int(day), seconds // 3600, seconds // 60 % 60, seconds % 60]
    )


def position_block(
    lat: float, lon: float, *, edition: int = 2016, fixed: bool = True, datum: int = 1
) -> bytes:
    """Type and content of block 05; `datum` is on the wire of edition 2025 alone."""
    status = (not fixed) | (lat < 0) << 1 | (lon < 0) << 2
    made = bytes([POSITION, status]) + (bytes([datum]) if edition == 2025 else b"")
    made += round(abs(lon) * 1e6).to_bytes(4, "big")
    return made + round(abs(lat) * 1e6).to_bytes(4, "big")


def vehicle_block(
    speed_mps: float, odometer_m: float, charge: float, *, edition: int = 2016
) -> bytes:
    """Type and content of block 01: driving, electric, 350 V, 10 A, gear D; NaN is "not valid"."""
    made = bytes([VEHICLE, 1, 3, 1])
    made += (0xFFFF if speed_mps != speed_mps else round(speed_mps * 36)).to_bytes(2, "big")
    made += (0xFFFF_FFFF if odometer_m != odometer_m else round(odometer_m / 100)).to_bytes(
        4, "big"
    )
    made += (3500).to_bytes(2, "big") + (10_100 if edition == 2016 else 30_100).to_bytes(2, "big")
    made += bytes([0xFF if charge != charge else round(charge * 100), 1, 0x2E]) + b"\x03\xe8"
    return made + (b"\0\0" if edition == 2016 else b"")


def encode_report(
    vin: str, t_ns: int, content: bytes, *, edition: int = 2016, again: bool = False
) -> bytes:
    """A real-time frame of `content`, blocks one behind the other; `again`: sent a second time."""
    data = encode_time(t_ns) + content
    return encode_frame(AGAIN if again else REAL_TIME, vin, data, edition=edition)
