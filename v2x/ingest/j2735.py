"""SAE J2735 frames and safety messages: kernels from bits to wire numbers.

::

    MessageFrame        bit 0, message id 15, then length and value (octets), to the frame's end
      BasicSafetyMessage  x + 2; core 290 bits, partII? 1..8 (3): id 6, length, octets,
                          regional? 1..4 (2): id 8, length, octets
        core              msgCnt 7, id 32, secMark 16, lat 31, long 32, elev 16, semiMajor 8,
                          semiMinor 8, orientation 16, transmission 3, speed 13, heading 15,
                          angle 8, accel 12 12 8 16, wheelBrakes 5, traction abs scs boost aux 2
                          each, width 10, length 12
        partII 0          x + 4; events? x13, ...
        partII 1          x + 3; vehicleAlerts? x + 2; 5 bits, siren 2, lights 3, multi 2, events?
                          16, responseType? x3

"x" is an extension bit, "+ n" presence bits. Checked against public frames with known values
(`v2x.ingest.j2735_types` says which); the events of part II 0 stand where the layout of the
related Chinese message has them, and the 16 bits of part II 1's own events are doubtful.
"""

from v2x.columns import I8, U1
from v2x.ingest.decoded import Reject
from v2x.ingest.interning import u8
from v2x.ingest.j2735_types import BSM, MAP, PSM, SDSM, SPAT
from v2x.ingest.uper import (
    FAULT,
    additions,
    bits,
    enumerated,
    finished,
    length,
    ranged,
    skip,
    take,
)
from v2x.jit import uncounted

ABSENT = -1 << 31

(
    IDENT, SEC_MARK, LAT, LON, ELEVATION, SEMI_MAJOR, SEMI_MINOR, ORIENTATION, SPEED, HEADING,
    WIDTH, LENGTH, BRAKES, EVENTS, SIREN, RESPONSE,
) = range(16)  # fmt: skip
WIRE = 16
"""Columns of a wire row, in the units of the wire."""

LAT_NONE, LON_NONE, ELEVATION_NONE = 900_000_001, 1_800_000_001, -4096

_OK, _SHORT, _BAD_MAGIC = int(Reject.OK), int(Reject.SHORT), int(Reject.BAD_MAGIC)
_TRAILING, _OVERSIZE = int(Reject.TRAILING_DATA), int(Reject.OVERSIZE)
_UNKNOWN_MESSAGE = int(Reject.UNKNOWN_MESSAGE)


@uncounted
def open_frames(buf: U1, off: I8, message: I8, start: I8, code: U1) -> None:
    """Find the value of every frame, which ends where its frame ends.

    buf u1 padded, off (n + 1,) -> message (n,) id or -1, start (n,) byte of the value, code (n,).
    """
    for i in range(code.shape[0]):
        a, b = off[i], off[i + 1]
        message[i], start[i], code[i] = -1, b, _SHORT
        if b - a < 3:
            continue
        number = (u8(buf, a) << 8) | u8(buf, a + 1)
        known = number in (BSM, SPAT, MAP, PSM, SDSM)
        if not known and not 18 <= number <= 63 and not 240 <= number <= 255:
            code[i] = _BAD_MAGIC
            continue
        first, at = u8(buf, a + 2), a + 3
        if first >= 0xC0:
            code[i] = _OVERSIZE
            continue
        if first >= 0x80:
            first, at = ((first & 0x3F) << 8) | u8(buf, at), at + 1
        if at + first > b:
            continue
        if at + first < b:
            code[i] = _TRAILING
        elif not known:
            code[i] = _UNKNOWN_MESSAGE
        else:
            message[i], start[i], code[i] = number, at, _OK


@uncounted
def _core(buf: U1, p: int, end: int, row: I8) -> int:
    """Core of a BSM into a wire row; the next position."""
    p = skip(p, end, 7)
    row[IDENT], p = take(buf, p, end, 32)
    row[SEC_MARK], p = take(buf, p, end, 16)
    lat, p = ranged(buf, p, end, 31, 1_800_000_001)
    lon, p = ranged(buf, p, end, 32, 3_600_000_000)
    up, p = take(buf, p, end, 16)
    row[LAT], row[LON] = lat - 900_000_000, lon - 1_799_999_999
    row[ELEVATION] = up + ELEVATION_NONE
    row[SEMI_MAJOR], p = take(buf, p, end, 8)
    row[SEMI_MINOR], p = take(buf, p, end, 8)
    row[ORIENTATION], p = take(buf, p, end, 16)
    p = skip(p, end, 3)
    row[SPEED], p = take(buf, p, end, 13)
    row[HEADING], p = ranged(buf, p, end, 15, 28_800)
    _, p = ranged(buf, p, end, 8, 253)
    _, p = ranged(buf, p, end, 12, 4_001)
    _, p = ranged(buf, p, end, 12, 4_001)
    _, p = ranged(buf, p, end, 8, 254)
    _, p = ranged(buf, p, end, 16, 65_534)
    row[BRAKES], p = take(buf, p, end, 5)
    p = skip(p, end, 6)
    _, p = ranged(buf, p, end, 2, 2)
    p = skip(p, end, 2)
    row[WIDTH], p = take(buf, p, end, 10)
    row[LENGTH], p = take(buf, p, end, 12)
    return p


@uncounted
def _events(buf: U1, p: int, end: int, row: I8) -> None:
    """Event bits of a vehicle safety extension."""
    head, p = take(buf, p, end, 5)
    if head & 8:
        value, p = bits(buf, p, end, 13)
        if p < FAULT:
            row[EVENTS] = value


@uncounted
def _alerts(buf: U1, p: int, end: int, row: I8) -> None:
    """Siren and response type of a special vehicle extension."""
    head, p = take(buf, p, end, 4)
    if head & 4 == 0:
        return
    head, p = take(buf, p, end, 3)
    p = skip(p, end, 5)
    siren, p = take(buf, p, end, 2)
    p = skip(p, end, 3 + 2)
    if head & 2:
        p = skip(p, end, 16)
    response = -1
    if head & 1:
        response, p = enumerated(buf, p, end, 3, 6)
    if p < FAULT:
        row[SIREN] = siren
        if response >= 0:
            row[RESPONSE] = response


@uncounted
def _safety_message(buf: U1, p: int, end: int, row: I8) -> int:
    """One BSM into a wire row; the position behind it, or the first fault."""
    row[EVENTS] = row[SIREN] = row[RESPONSE] = ABSENT
    head, p = take(buf, p, end, 3)
    p = _core(buf, p, end, row)
    if head & 2:
        count, p = take(buf, p, end, 3)
        for _ in range(count + 1):
            part, p = take(buf, p, end, 6)
            octets, p = length(buf, p, end)
            inner, p = p, skip(p, end, 8 * octets)
            if p >= FAULT:
                return p
            if part == 0:
                _events(buf, inner, p, row)
            elif part == 1:
                _alerts(buf, inner, p, row)
    if head & 1:
        count, p = take(buf, p, end, 2)
        for _ in range(count + 1):
            p = skip(p, end, 8)
            octets, p = length(buf, p, end)
            p = skip(p, end, 8 * octets)
            if p >= FAULT:
                return p
    if head & 4:
        p = additions(buf, p, end)
    return finished(buf, p, end)


@uncounted
def read_vehicles(buf: U1, off: I8, message: I8, start: I8, wire: I8, frame: I8, code: U1) -> int:
    """Wire rows of all BSM; how many there are.

    off, message, start, code as `open_frames` has them -> wire (BSM, WIRE), frame (BSM,), and the
    code of frames whose message is none.
    """
    n = 0
    for i in range(code.shape[0]):
        if message[i] != BSM:
            continue
        p = _safety_message(buf, 8 * start[i], 8 * off[i + 1], wire[n])
        if p >= FAULT:
            code[i] = p - FAULT
        else:
            frame[n] = i
            n += 1
    return n
