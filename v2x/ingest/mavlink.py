"""MAVLink 2: the kernel that finds and reads the frames of a payload. Little-endian.

::

    0       FD               (FE: MAVLink 1, not read)
    1       payload length n, trailing zero bytes of the payload are not sent
    2       incompatibility flags: bit 0 signed, 13 bytes follow the checksum
    3-6     compatibility flags, sequence, system, component
    7-9     message id
    10      payload
    10 + n  CRC-16/MCRF4XX of bytes 1 to 9 + n and of the message's CRC extra

Source: MAVLink guide, "Packet serialization"; the messages are in `v2x.ingest.mavlink_messages`.
Flags other than bit 0 change what a frame means in a way nobody has told: such frames are skipped.
The checksum of messages that are not read cannot be tested, since its extra is not known.

What a frame says goes into a row of `v2x.ingest.rid`: the frames of one payload that speak of the
same aircraft into one, a GLOBAL_POSITION_INT and each message pack into a row of its own. An
aircraft is a system and what ``id_or_mac`` holds: all zero is the system itself, six bytes the
address of another one that it received, and more than six (ours, doubtful) its serial number.
"""

import math
from typing import NamedTuple

import numpy as np

from v2x.columns import F8, I8, U1
from v2x.ingest.accuracy import NACP_SD, SPEED_SD, VERTICAL_SD
from v2x.ingest.decoded import Reject
from v2x.ingest.interning import Slots, u8, word_of
from v2x.ingest.mavlink_messages import (
    ARM_STATUS,
    AUTHENTICATION,
    BASIC_ID,
    GLOBAL_POSITION_INT,
    HEARTBEAT,
    LOCATION,
    MESSAGE_PACK,
    MESSAGES,
    OPERATOR_ID,
    OVERHEAD,
    SIGNATURE,
    SIGNED,
    STX,
    STX_V1,
    SYSTEM,
    SYSTEM_UPDATE,
    extra_of,
    layout_of,
)
from v2x.ingest.rid import (
    ADDRESS,
    CATEGORY,
    CLIMB,
    FAMILY,
    FLAGS,
    HEIGHT,
    IDENT,
    LAT,
    LON,
    MAC,
    ODID,
    OPERATOR,
    PILOT_HEIGHT,
    PILOT_LAT,
    PILOT_LON,
    PILOT_TYPE,
    PRESSURE,
    REGISTERED,
    RID,
    SD,
    SD_SPEED,
    SD_TIME,
    SD_UP,
    SPEED,
    START,
    STATUS,
    STOP,
    T_NS,
    TAKEOFF,
    TRACK,
    by_code,
    i32,
    intern,
    says,
    u16,
)
from v2x.ingest.rid import OPERATOR_ID as SCHEME_OPERATOR
from v2x.ingest.rid_odid import MOST as MOST_PACKED
from v2x.ingest.rid_odid import SIZE, basic_id
from v2x.ingest.rows import on_globe
from v2x.ingest.timestamps import HOUR, nearest
from v2x.jit import uncounted
from v2x.observations import Flag

MOST = 2_048
"""Frames in a payload: a datagram of 64 KiB holds 900 positions. More are too complex."""

TELEMETRY = -1
"""Rank of rows of a GLOBAL_POSITION_INT, which names nobody."""

PACK = 3 + MOST_PACKED * SIZE
"""Bytes of the largest message pack."""

BAD_CRC, VERSION_1, FLAGGED, OTHER, AUTH, POSITION_RANGE, ABOVE_GROUND, BAD_PACK = range(8)
TALLY = 8
"""Places of what was skipped inside good payloads."""

KEY = 4
"""Columns of a key: twice the system, odd where frames may share the row, and the three words of
``id_or_mac``."""


def _crc_table() -> I8:
    table = np.zeros(256, np.int64)
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x8408 if crc & 1 else 0)
        table[byte] = crc
    return table


_CRC = _crc_table()
_IDS = np.array(list(MESSAGES), np.int64)
_EXTRAS = np.array([extra_of(message) for message in MESSAGES], np.int64)
_SIZES = np.array([layout_of(message).size for message in MESSAGES], np.int64)
_OK, _SHORT, _BAD_MAGIC = int(Reject.OK), int(Reject.SHORT), int(Reject.BAD_MAGIC)
_BAD_CHECKSUM, _VERSION = int(Reject.BAD_CHECKSUM), int(Reject.UNSUPPORTED_VERSION)
_TOO_COMPLEX, _LENGTH_BAD = int(Reject.TOO_COMPLEX), int(Flag.LENGTH_BAD)


class Heard(NamedTuple):
    """Rows that `read` fills, as many as there are frames; said, whole as `v2x.ingest.rid` has it.

    Attributes
    ----------
    said, whole
        (rows, SAID) NaN and (rows, WHOLE) -1 at first.
    owner
        (rows,) payload of each row.
    key, rank
        (rows, KEY) of whom the row speaks, (rows,) rank of its identity.
    amsl
        (rows,) height above mean sea level, NaN where the row has none.
    pack, pack_spot, pack_row
        (packs * PACK + 8,) message packs as Remote ID has them, (packs, SPOT) where they lie, and
        (packs,) their rows.
    beat, beat_value
        (beats, 2) payload and message id of heartbeats and arm states, (beats,) their value.
    """

    said: F8
    whole: I8
    owner: I8
    key: I8
    rank: I8
    amsl: F8
    pack: U1
    pack_spot: I8
    pack_row: I8
    beat: I8
    beat_value: F8


@uncounted
def frame_at(buf: U1, p: int, end: int) -> int:
    """Bytes of the frame of either version that begins at `p`; 0 no frame, -1 cut off."""
    if buf[p] == STX:
        if end - p < OVERHEAD:
            return -1
        size = OVERHEAD + u8(buf, p + 1) + (SIGNATURE if buf[p + 2] & SIGNED else 0)
    elif buf[p] == STX_V1:
        if end - p < 8:
            return -1
        size = 8 + u8(buf, p + 1)
    else:
        return 0
    return size if p + size <= end else -1


@uncounted
def message_id(buf: U1, p: int) -> int:
    """Message id of the frame at `p`."""
    return u16(buf, p + 7) | (u8(buf, p + 9) << 16)


@uncounted
def count_frames(buf: U1, off: I8, counts: I8) -> None:
    """Frames in each payload, at most MOST + 1, and message packs; off (n + 1,), counts (n, 2)."""
    for i in range(counts.shape[0]):
        p = off[i]
        while p < off[i + 1] and counts[i, 0] <= MOST:
            size = frame_at(buf, p, off[i + 1])
            if size <= 0:
                break
            counts[i, 0] += 1
            if buf[p] == STX and message_id(buf, p) == MESSAGE_PACK:
                counts[i, 1] += 1
            p += size


@uncounted
def sound(buf: U1, p: int, extra: int) -> bool:
    """Whether the checksum of the frame at `p` is right."""
    n = u8(buf, p + 1)
    crc = 0xFFFF
    for k in range(p + 1, p + 10 + n):
        crc = (crc >> 8) ^ _CRC[(crc ^ u8(buf, k)) & 0xFF]
    crc = (crc >> 8) ^ _CRC[(crc ^ extra) & 0xFF]
    return bool(crc == u16(buf, p + 10 + n))


@uncounted
def _f32(buf: U1, p: int) -> float:
    """Little-endian IEEE 754 single; infinities are NaN."""
    raw = i32(buf, p)
    power, part = (raw >> 23) & 0xFF, raw & 0x7F_FFFF
    if power == 0xFF:
        return np.nan
    value = math.ldexp(float(part | 0x80_0000 if power else part), max(power, 1) - 150)
    return -value if raw < 0 else value


@uncounted
def _metres(buf: U1, p: int) -> float:
    """Height in metres within what Remote ID can say; -1000 is unknown."""
    value = _f32(buf, p)
    return value if -1000.0 < value < 31_767.5 else np.nan


@uncounted
def _i16(buf: U1, p: int) -> int:
    raw = u16(buf, p)
    return raw - (1 << 16) if raw >= 1 << 15 else raw


@uncounted
def _place(lat: float, lon: float, tally: I8) -> tuple[float, float]:
    """The pair, or NaN where it is no position; (0, 0) is "unknown" and no fault."""
    if on_globe(lat, lon):
        return lat, lon
    if lat != 0.0 or lon != 0.0:
        tally[POSITION_RANGE] += 1
    return np.nan, np.nan


@uncounted
def _open(heard: Heard, row: int, i: int, system: int, own: int) -> int:
    """Begin row `row` of payload `i` about a system itself; the row after it."""
    heard.owner[row] = i
    heard.whole[row, FLAGS] = 0
    heard.whole[row, ADDRESS] = system
    heard.key[row, 0] = (system << 1) | own
    heard.key[row, 1] = heard.key[row, 2] = heard.key[row, 3] = 0
    return row + 1


@uncounted
def _about(
    heard: Heard, first: int, row: int, i: int, system: int, b: U1, at: int, slots: Slots
) -> tuple[int, int]:
    """Row of payload `i` about the aircraft of ``id_or_mac`` at `at`, opened where it is new.

    (the newest such row, next free row); `at` below 0 is the system itself, the payload's rows
    begin at `first`.
    """
    w0 = w1 = w2 = 0
    if at >= 0:
        w0, w1, w2 = word_of(b, at, 7), word_of(b, at + 7, 7), word_of(b, at + 14, 6)
    word = (system << 1) | 1
    for k in range(row - 1, first - 1, -1):
        key = heard.key[k]
        if key[0] == word and key[1] == w0 and key[2] == w1 and key[3] == w2:
            return k, row
    _open(heard, row, i, system, 1)
    key = heard.key[row]
    key[1], key[2], key[3] = w0, w1, w2
    if w0 or w1 or w2:
        mac = 0
        for k in range(6):
            mac = (mac << 8) | u8(b, at + k)
        text = w1 != 0 or w2 != 0 or b[at + 6] != 0
        heard.whole[row, ADDRESS] = -1 if text else mac
        if text and says(b, at, 20):
            heard.whole[row, IDENT] = intern(b, at, RID, slots)
    return row, row + 1


@uncounted
def _afresh(heard: Heard, r: int, row: int, i: int) -> tuple[int, int]:
    """`r`, or where it has a position already another row about the same aircraft; next free."""
    if heard.said[r, STATUS] != heard.said[r, STATUS]:
        return r, row
    heard.owner[row] = i
    heard.whole[row, :] = -1
    heard.whole[row, FLAGS] = 0
    for c in (ADDRESS, IDENT):
        heard.whole[row, c] = heard.whole[r, c]
    for c in range(heard.key.shape[1]):
        heard.key[row, c] = heard.key[r, c]
    heard.rank[row] = heard.rank[r]
    return row, row + 1


@uncounted
def _location(b: U1, said: F8, whole: I8, r: int, recv_ns: int, tally: I8) -> None:
    lat, lon = _place(i32(b, 0) / 1e7, i32(b, 4) / 1e7, tally)
    said[r, LAT], said[r, LON] = lat, lon
    said[r, PRESSURE], said[r, HEIGHT], said[r, TAKEOFF] = (
        _metres(b, 8), _metres(b, 12), _metres(b, 16),
    )  # fmt: skip
    if b[53]:
        if said[r, TAKEOFF] == said[r, TAKEOFF]:
            tally[ABOVE_GROUND] += 1
        said[r, TAKEOFF] = np.nan
    second = _f32(b, 20)
    whole[r, T_NS] = -1
    if 0.0 <= second <= 3600.0:
        whole[r, T_NS] = nearest(recv_ns, int(second * 1e9 + 0.5), HOUR)
    track, speed, climb = u16(b, 24), u16(b, 26), _i16(b, 28)
    said[r, TRACK] = track / 100.0 if track < 36_000 else np.nan
    said[r, SPEED] = speed / 100.0 if speed <= 25_425 else np.nan
    said[r, CLIMB] = climb / 100.0 if abs(climb) <= 6_200 else np.nan
    said[r, STATUS] = b[52]
    said[r, SD], said[r, SD_UP] = by_code(NACP_SD, b[54]), by_code(VERTICAL_SD, b[55])
    said[r, SD_SPEED] = by_code(SPEED_SD, b[57])
    said[r, SD_TIME] = b[58] * 0.05 if 0 < b[58] < 16 else np.nan


@uncounted
def _position(b: U1, said: F8, amsl: F8, r: int, tally: I8) -> None:
    lat, lon = _place(i32(b, 4) / 1e7, i32(b, 8) / 1e7, tally)
    said[r, LAT], said[r, LON] = lat, lon
    up, above = i32(b, 12) / 1e3, i32(b, 16) / 1e3
    if abs(up) < 100_000.0:
        amsl[r] = up
    if abs(above) < 100_000.0:
        said[r, TAKEOFF] = above
    north, east = _i16(b, 20) / 1e2, _i16(b, 22) / 1e2
    said[r, SPEED] = math.sqrt(north * north + east * east)
    if said[r, SPEED] > 0.0:
        said[r, TRACK] = math.degrees(math.atan2(east, north))
    said[r, CLIMB] = -_i16(b, 24) / 1e2


@uncounted
def _operator(b: U1, said: F8, r: int, height: int, tally: I8) -> None:
    lat, lon = _place(i32(b, 0) / 1e7, i32(b, 4) / 1e7, tally)
    said[r, PILOT_LAT], said[r, PILOT_LON] = lat, lon
    said[r, PILOT_HEIGHT] = _metres(b, height)


@uncounted
def _pack(b: U1, heard: Heard, packs: int, row: int, system: int) -> bool:
    """Copy the pack in `b` out to be read as Remote ID; False where its counts say nothing."""
    n = u8(b, 23)
    if b[22] != SIZE or n < 1 or n > MOST_PACKED:
        return False
    at = packs * PACK
    heard.pack[at] = 0xF0 | (b[24] & 15)
    for k in range(2 + n * SIZE):
        heard.pack[at + 1 + k] = b[22 + k]
    spot = heard.pack_spot[packs]
    spot[FAMILY], spot[START], spot[STOP] = ODID, at, at + 3 + n * SIZE
    mac, zero = 0, True
    for k in range(20):
        zero = zero and b[2 + k] == 0
    for k in range(6):
        mac = (mac << 8) | u8(b, 2 + k)
    spot[MAC] = system if zero else mac
    heard.pack_row[packs] = row
    return True


@uncounted
def read(
    buf: U1, off: I8, recv: I8, frames: I8, slots: Slots, b: U1, heard: Heard, reject: U1, tally: I8
) -> tuple[int, int, int]:
    """Read every payload: (rows, packs, beats) filled in `heard`.

    buf u1, off (n + 1,), recv (n,), frames (n,) as `count_frames` has it, `b` (264,) u1 scratch ->
    reject (n,): OK where a payload held any sound frame, else why its first was not.
    """
    row = packs = beats = 0
    for i in range(reject.shape[0]):
        if frames[i] > MOST:
            reject[i] = _TOO_COMPLEX
            continue
        p, end, first, good = off[i], off[i + 1], row, 0
        why = _SHORT if p == end else _OK
        while p < end:
            size = frame_at(buf, p, end)
            if size <= 0:
                if why == _OK:
                    why = _SHORT if size < 0 else _BAD_MAGIC
                break
            start, p = p, p + size
            if buf[start] == STX_V1 or buf[start + 2] & ~SIGNED & 0xFF:
                tally[VERSION_1 if buf[start] == STX_V1 else FLAGGED] += 1
                if why == _OK:
                    why = _VERSION
                continue
            message, which = message_id(buf, start), -1
            for k in range(_IDS.shape[0]):
                if _IDS[k] == message:
                    which = k
            if which < 0:
                tally[OTHER] += 1
                good += 1
                continue
            if not sound(buf, start, _EXTRAS[which]):
                tally[BAD_CRC] += 1
                if why == _OK:
                    why = _BAD_CHECKSUM
                continue
            good += 1
            n = min(u8(buf, start + 1), _SIZES[which])
            for k in range(n):
                b[k] = buf[start + 10 + k]
            for k in range(n, _SIZES[which]):
                b[k] = 0
            system = u8(buf, start + 5)
            if message == GLOBAL_POSITION_INT:
                _position(b, heard.said, heard.amsl, row, tally)
                heard.rank[row] = TELEMETRY
                row = _open(heard, row, i, system, 0)
            elif message == LOCATION:
                r, row = _about(heard, first, row, i, system, b, 32, slots)
                r, row = _afresh(heard, r, row, i)
                _location(b, heard.said, heard.whole, r, recv[i], tally)
            elif message == BASIC_ID:
                r, row = _about(heard, first, row, i, system, b, 2, slots)
                b[23] = ((b[22] & 15) << 4) | (b[23] & 15)  # as Remote ID has the two
                heard.rank[r] = basic_id(b, 22, heard.rank[r], slots, heard.whole, heard.said, r)
            elif message == SYSTEM:
                r, row = _about(heard, first, row, i, system, b, 30, slots)
                _operator(b, heard.said, r, 16, tally)
                heard.said[r, PILOT_TYPE] = b[50] & 3
                if b[51] == 1 and b[52]:
                    heard.said[r, CATEGORY] = b[52]
            elif message == SYSTEM_UPDATE:
                r, row = _about(heard, first, row, i, system, b, -1, slots)
                _operator(b, heard.said, r, 8, tally)
                heard.said[r, PILOT_TYPE] = 1.0
            elif message == OPERATOR_ID:
                r, row = _about(heard, first, row, i, system, b, 2, slots)
                if says(b, 23, 20):
                    heard.whole[r, OPERATOR] = intern(b, 23, SCHEME_OPERATOR, slots)
                    heard.said[r, REGISTERED] = 1.0
            elif message == MESSAGE_PACK:
                if _pack(b, heard, packs, row, system):
                    row = _open(heard, row, i, system, 0)
                    packs += 1
                else:
                    tally[BAD_PACK] += 1
            elif message in (HEARTBEAT, ARM_STATUS):
                heard.beat[beats, 0], heard.beat[beats, 1] = i, message
                heard.beat_value[beats] = 1.0 if message == HEARTBEAT else float(b[0])
                beats += 1
            elif message == AUTHENTICATION:
                tally[AUTH] += 1
        reject[i] = _OK if good else why
        if good and p < end:
            for k in range(first, row):
                heard.whole[k, FLAGS] |= _LENGTH_BAD
    return row, packs, beats
