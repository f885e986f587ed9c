"""Mode S messages: envelope, checksum, altitude, identity, compact positions, integrity.

Bits of the 56-bit ME field are numbered from 0, the first transmitted. ICAO Annex 10 volume IV;
RTCA DO-260B section 2.2.3.2; the parity polynomial is that of 3.1.2.3.3 of the annex.
"""

import numpy as np

from v2x.columns import B1, F8, I4, I8, U1
from v2x.ingest.decoded import Reject
from v2x.ingest.interning import u8
from v2x.ingest.timestamps import DAY, nearest
from v2x.jit import uncounted

OK = int(Reject.OK)
SHORT = int(Reject.SHORT)
BAD_MAGIC = int(Reject.BAD_MAGIC)
BAD_LENGTH = int(Reject.BAD_LENGTH)
BAD_CHECKSUM = int(Reject.BAD_CHECKSUM)
BAD_ESCAPE = int(Reject.BAD_ESCAPE)
UNKNOWN_MESSAGE = int(Reject.UNKNOWN_MESSAGE)
TRAILING_DATA = int(Reject.TRAILING_DATA)
BAD_TEXT = int(Reject.BAD_TEXT)

KEY, ME, DF, T_NS, CLOCKED, RELAYED, GROUND_DERIVED = range(7)
"""Columns of a message: scheme << 24 | address (0: none); ME field, or of a reply its flight status
and 13-bit code; downlink format; event time, and whether a clock gave it; two facts about its
way."""
MESSAGE = 7

ICAO, ADSB18 = 1, 2
"""Schemes of addresses: ICAO's, and those that a DF 18 sender made up."""

FOOT = 0.3048
KNOT = 1852.0 / 3600.0
CPR = 131_072.0
"""2**17 steps of a compact coordinate."""
AIR, SURFACE = 360.0, 90.0
"""Degrees that compact coordinates are cut from: surface zones are a quarter as large."""

CLOCK = 14
"""Place of the six clock bytes in an envelope, behind the message; then whether there are any."""
ENVELOPE = CLOCK + 7
INTERROGATORS = 80
"""Remainders of a DF 11 below this are interrogator codes (Annex 10 volume IV, 3.1.2.3.3.2)."""


def _parities(most: int) -> I4:
    """Parity that a byte adds with 0 to `most` - 1 data bytes behind it: (most, 256)."""
    table = np.zeros((most, 256), np.int32)
    for byte in range(256):
        rest = byte << 16
        for k in range(most):
            for _ in range(8):
                rest = (rest << 1) ^ (0x1FFF409 if rest & 0x800000 else 0)
            table[k, byte] = rest
    return table


def _zone_edges() -> F8:
    """Latitudes where the number of longitude zones falls by one: 59 to 58 first, 2 to 1 last."""
    zones = np.arange(59, 2, -1)
    cosine = np.sqrt((1 - np.cos(np.pi / 30)) / (1 - np.cos(2 * np.pi / zones)))
    return np.append(np.degrees(np.arccos(cosine)), 87.0)


def _hex_values() -> U1:
    values = np.full(256, 255, np.uint8)
    for k, digits in enumerate("0123456789abcdef"):
        values[ord(digits)] = values[ord(digits.upper())] = k
    return values


PARITIES = _parities(11)
ZONE_EDGES = _zone_edges()
HEX = _hex_values()
CALLSIGN = "#ABCDEFGHIJKLMNOPQRSTUVWXYZ##### ###############0123456789######"
"""Characters by 6-bit code; # is not one."""


# --- envelope ------------------------------------------------------------------------------------


@uncounted
def _from_beast(buf: U1, start: int, stop: int, out: U1) -> tuple[int, int]:
    if stop - start < 2:
        return SHORT, 0
    size = 0
    if buf[start + 1] == 0x31:
        size = 2
    elif buf[start + 1] == 0x32:
        size = 7
    elif buf[start + 1] == 0x33:
        size = 14
    else:
        return (UNKNOWN_MESSAGE if buf[start + 1] == 0x34 else BAD_MAGIC), 0
    out[CLOCK + 6] = 1
    p = start + 2
    for k in range(7 + size):
        if p >= stop:
            return SHORT, 0
        byte = buf[p]
        if byte == 0x1A:
            p += 1
            if p >= stop:
                return SHORT, 0
            if buf[p] != 0x1A:
                return BAD_ESCAPE, 0
        p += 1
        if k >= 7:
            out[k - 7] = byte
        elif k < 6:
            out[CLOCK + k] = byte
    return (TRAILING_DATA if p < stop else OK), size


@uncounted
def _from_text(buf: U1, start: int, stop: int, out: U1) -> tuple[int, int]:
    p, end = start, stop
    while end > p and (buf[end - 1] == 0x0A or buf[end - 1] == 0x0D or buf[end - 1] == 0x20):
        end -= 1
    if end == p:
        return SHORT, 0
    marked = buf[p] == 0x2A or buf[p] == 0x40  # * without, @ with a 48-bit clock
    if marked:
        clock = 12 if buf[p] == 0x40 else 0
        if buf[end - 1] != 0x3B:
            return SHORT, 0
        p, end = p + 1, end - 1
        if end - p < clock:
            return SHORT, 0
        for k in range(clock):
            if HEX[buf[p + k]] > 15:
                return BAD_TEXT, 0
        for k in range(clock // 2):
            out[CLOCK + k] = (HEX[buf[p + 2 * k]] << 4) | HEX[buf[p + 2 * k + 1]]
        out[CLOCK + 6] = clock > 0
        p += clock
    elif HEX[buf[p]] > 15:
        return BAD_MAGIC, 0
    digits = end - p
    bad = 0
    for k in range(min(digits, 28) // 2):
        high, low = HEX[buf[p + 2 * k]], HEX[buf[p + 2 * k + 1]]
        bad |= high | low
        out[k] = (high << 4) | (low & 15)
    if digits & 1 and digits < 28:
        bad |= HEX[buf[end - 1]]
    if bad > 15:
        return BAD_TEXT, 0
    if digits != 14 and digits != 28:
        return (SHORT if digits < 28 else BAD_LENGTH), 0
    return OK, digits // 2


@uncounted
def envelope(buf: U1, start: int, stop: int, out: U1) -> tuple[int, int]:
    """Bytes of the Mode S message in one frame, into out (ENVELOPE,): (reject, 7 or 14; 2 for A/C).

    Beast (``1A``), raw 7 or 14 bytes, or text: hex digits, AVR ``*hex;``, ``@clock hex;``. Raw
    bytes that all are hex digits are text; as messages they would not be DF 17 or 18.
    """
    size = stop - start
    out[CLOCK + 6] = 0
    if size == 0:
        return SHORT, 0
    if buf[start] == 0x1A:
        return _from_beast(buf, start, stop, out)
    if size == 7 or size == 14:
        text = size == 14
        for k in range(size):
            text = text and HEX[buf[start + k]] <= 15
        if not text:
            for k in range(size):
                out[k] = buf[start + k]
            return OK, size
    return _from_text(buf, start, stop, out)


@uncounted
def remainder(message: U1, size: int) -> int:
    """Parity of all but the last three of `size` bytes, XOR those three: 0 for a good DF 17."""
    rest = (u8(message, size - 3) << 16) | (u8(message, size - 2) << 8) | u8(message, size - 1)
    for k in range(size - 3):
        rest ^= int(PARITIES[size - 4 - k, message[k]])
    return rest


@uncounted
def clock_ns(out: U1, recv_ns: int) -> int:
    """Time by a GNSS clock, 18 bits second of the day and 30 bits ns; -1 if it is none."""
    ticks = 0
    for k in range(6):
        ticks = (ticks << 8) | u8(out, CLOCK + k)
    second, ns = ticks >> 30, ticks & 0x3FFF_FFFF
    if out[CLOCK + 6] == 0 or second > 86_400 or ns >= 1_000_000_000:
        return -1
    return nearest(recv_ns, second * 1_000_000_000 + ns, DAY)


@uncounted
def _reply(out: U1, size: int, messages: I8, i: int) -> int:
    """Read a reply of DF 0, 4, 5, 11, 16, 20 or 21 into row i; its reject code.

    All but DF 11 have their address only laid over the parity: whether somebody is there who has
    that address is for the memory to say.
    """
    df, rest = out[0] >> 3, remainder(out, size)
    long = df >= 16
    if size != (14 if long else 7):
        return SHORT if long else BAD_LENGTH
    messages[i, RELAYED] = messages[i, GROUND_DERIVED] = 0
    if df == 11:
        if rest >= INTERROGATORS:
            return BAD_CHECKSUM
        rest = (u8(out, 1) << 16) | (u8(out, 2) << 8) | u8(out, 3)
    code = ((u8(out, 2) << 8) | u8(out, 3)) & 0x1FFF
    grounded = u8(out, 0) & 7  # flight status, or behind the vertical status in DF 0 and 16
    if df == 0 or df == 16:
        grounded >>= 2
    messages[i, ME] = grounded << 13 | code
    messages[i, KEY] = 0 if rest == 0 or rest == 0xFFFFFF else (ICAO << 24) | rest
    return OK


@uncounted
def read_messages(
    buf: U1, off: I8, recv: I8, sensor: I4, gnss: B1, messages: I8, reject: U1, out: U1
) -> tuple[int, int]:
    """Read the messages among frames ``off`` (n+1,) into messages (n, MESSAGE) and reject (n,).

    gnss (sensors,): whose receiver clocks count from GNSS midnight. DF 18: CF 0 ADS-B, 1 the same
    with an address of its own, 2 and 5 traffic information of a ground station about an ICAO and
    another address, 6 rebroadcast; others are refused. out (ENVELOPE,) is scratch. Returns how
    many bear a position, and the most readings that all can give.
    """
    positions = readings = 0
    for i in range(off.shape[0] - 1):
        why, size = envelope(buf, off[i], off[i + 1], out)
        if why == OK:
            df = out[0] >> 3
            messages[i, DF] = df
            messages[i, T_NS], messages[i, CLOCKED] = recv[i], 0
            if gnss[sensor[i]]:
                t = clock_ns(out, recv[i])
                if t >= 0:
                    messages[i, T_NS], messages[i, CLOCKED] = t, 1
            if size == 2:
                why = UNKNOWN_MESSAGE
            elif df != 17 and df != 18:
                known = df == 0 or df == 4 or df == 5 or df == 11 or df == 16 or df >> 1 == 10
                why = _reply(out, size, messages, i) if known else UNKNOWN_MESSAGE
                readings += 3
            elif size != 14:
                why = SHORT
            elif remainder(out, 14):
                why = BAD_CHECKSUM
            else:
                cf = out[0] & 7 if df == 18 else 0
                if cf == 3 or cf == 4 or cf == 7:
                    why = UNKNOWN_MESSAGE
                address = (u8(out, 1) << 16) | (u8(out, 2) << 8) | u8(out, 3)
                scheme = ADSB18 if cf == 1 or cf == 5 else ICAO
                nobody = address == 0 or address == 0xFFFFFF
                messages[i, KEY] = 0 if nobody else (scheme << 24) | address
                me = 0
                for k in range(4, 11):
                    me = (me << 8) | u8(out, k)
                messages[i, ME] = me
                messages[i, RELAYED] = cf == 2 or cf >= 5
                messages[i, GROUND_DERIVED] = cf == 2 or cf == 5
                tc = me >> 51
                if 5 <= tc <= 22 and tc != 19:
                    positions += 1
                    readings += 8
                else:
                    readings += 6
        reject[i] = why
    return positions, readings


# --- fields --------------------------------------------------------------------------------------


@uncounted
def bits(me: int, first: int, last: int) -> int:
    """Bits `first` to `last` of an ME field."""
    return (me >> (55 - last)) & ((1 << (last - first + 1)) - 1)


@uncounted
def _ungray(code: int) -> int:
    value = code
    shift = code >> 1
    while shift:
        value ^= shift
        shift >>= 1
    return value


@uncounted
def altitude_ft(code: int) -> float:
    """Feet of a 12-bit altitude code; NaN unknown or no such code.

    With Q (0x10) 25 ft steps from -1000 ft; else the Gillham code C1 A1 C2 A2 C4 A4 B1 Q B2 D2 B4
    D4 in steps of 100 ft.
    """
    if code == 0:
        return np.nan
    if code & 0x10:
        return ((code >> 5) << 4 | code & 15) * 25.0 - 1000.0
    c1, a1, c2, a2, c4, a4 = (
        code >> 11 & 1, code >> 10 & 1, code >> 9 & 1, code >> 8 & 1, code >> 7 & 1, code >> 6 & 1
    )  # fmt: skip
    b1, b2, d2, b4, d4 = code >> 5 & 1, code >> 3 & 1, code >> 2 & 1, code >> 1 & 1, code & 1
    fives = _ungray(d2 << 7 | d4 << 6 | a1 << 5 | a2 << 4 | a4 << 3 | b1 << 2 | b2 << 1 | b4)
    ones = _ungray(c1 << 2 | c2 << 1 | c4)
    if ones == 7:
        ones = 5
    elif ones == 0 or ones >= 5:
        return np.nan
    if fives & 1:
        ones = 6 - ones
    return fives * 500.0 + ones * 100.0 - 1300.0


@uncounted
def zones(lat: float) -> int:
    """Number of longitude zones at a latitude, NL: 59 at the equator, 1 beyond 87 degrees."""
    here = abs(lat)
    low, high = 0, ZONE_EDGES.shape[0]
    while low < high:
        middle = (low + high) // 2
        if here < ZONE_EDGES[middle]:
            high = middle
        else:
            low = middle + 1
    return 59 - low


@uncounted
def altitude13_ft(code: int) -> float:
    """Feet of the 13-bit altitude code of a reply; NaN where it counts metres (bit M)."""
    return np.nan if code & 0x40 else altitude_ft((code >> 7) << 6 | code & 0x3F)


@uncounted
def squawk(code: int) -> int:
    """Four octal digits, as a decimal number, of a 13-bit identity C1 A1 C2 A2 C4 A4 X B1 .. D4."""
    a = (code >> 7 & 1) << 2 | (code >> 9 & 1) << 1 | (code >> 11 & 1)
    b = (code >> 1 & 1) << 2 | (code >> 3 & 1) << 1 | (code >> 5 & 1)
    c = (code >> 8 & 1) << 2 | (code >> 10 & 1) << 1 | (code >> 12 & 1)
    d = (code & 1) << 2 | (code >> 2 & 1) << 1 | (code >> 4 & 1)
    return a * 1000 + b * 100 + c * 10 + d


@uncounted
def movement_kt(code: int) -> float:
    """Knots of a surface movement code, the lower edge of its step; NaN unknown or reserved."""
    if code == 0 or code > 124:
        return np.nan
    if code == 1:
        return 0.0
    if code < 9:
        return 0.125 * (code - 1)
    if code < 13:
        return 1.0 + 0.25 * (code - 9)
    if code < 39:
        return 2.0 + 0.5 * (code - 13)
    if code < 94:
        return 15.0 + (code - 39)
    if code < 109:
        return 70.0 + 2.0 * (code - 94)
    return 100.0 + 5.0 * (code - 109)


@uncounted
def containment(tc: int, version: int, a: int, b: int, c: int) -> tuple[int, float]:
    """Navigation integrity category and containment radius in metres (NaN unknown) of a position.

    By type code and NIC supplements a, b, c (ICAO Doc 9871, tables B-2-2 and C-2); version 1 has a
    alone, version 0, which has none, is read as 1.
    """
    both = a and (b or version < 2)
    if tc == 9 or tc == 20 or tc == 5:
        return 11, 7.5
    if tc == 10 or tc == 21 or tc == 6:
        return 10, 25.0
    if tc == 11 or tc == 7:
        fine = both if tc == 11 else a
        return (9, 75.0) if fine else (8, 185.2)
    if tc == 12:
        return 7, 370.4
    if tc == 13:
        if both:
            return 6, 1111.2
        return (6, 555.6) if version >= 2 and b else (6, 926.0)
    if tc == 14:
        return 5, 1852.0
    if tc == 15:
        return 4, 3704.0
    if tc == 16:
        return (3, 7408.0) if both else (2, 14_816.0)
    if tc == 17:
        return 1, 37_040.0
    if tc == 8 and version >= 2:
        if a and c:
            return 7, 370.4
        if a or c:
            return (6, 555.6) if a else (6, 1111.2)
    return 0, np.nan


@uncounted
def _wrapped(lon: float) -> float:
    return lon - 360.0 * float(np.floor((lon + 180.0) / 360.0))


@uncounted
def local(
    lat17: int, lon17: int, odd: int, near_lat: float, near_lon: float, span: float
) -> tuple[float, float]:
    """Position nearest to a reference, unambiguous within 180 NM (`AIR`) or 45 (`SURFACE`)."""
    y, x = lat17 / CPR, lon17 / CPR
    d = span / (60 - odd)
    j = near_lat / d
    lat = d * (np.floor(j) + np.floor(0.5 + (j - np.floor(j)) - y) + y)
    d = span / max(zones(lat) - odd, 1)
    m = near_lon / d
    lon = d * (np.floor(m) + np.floor(0.5 + (m - np.floor(m)) - x) + x)
    return lat, _wrapped(lon)


@uncounted
def from_pair(
    even_lat: int, even_lon: int, odd_lat: int, odd_lon: int, odd: int
) -> tuple[float, float]:
    """Position of the later message of a pair, odd 1 or even 0; NaN where they do not belong."""
    y0, y1, x0, x1 = even_lat / CPR, odd_lat / CPR, even_lon / CPR, odd_lon / CPR
    j = np.floor(59.0 * y0 - 60.0 * y1 + 0.5)
    lat0 = 6.0 * ((j - 60.0 * np.floor(j / 60.0)) + y0)
    lat1 = 360.0 / 59.0 * ((j - 59.0 * np.floor(j / 59.0)) + y1)
    if lat0 >= 270.0:
        lat0 -= 360.0
    if lat1 >= 270.0:
        lat1 -= 360.0
    nl = zones(lat0)
    if abs(lat0) > 90.0 or abs(lat1) > 90.0 or nl != zones(lat1):
        return np.nan, np.nan
    m = np.floor(x0 * (nl - 1) - x1 * nl + 0.5)
    n = max(nl - odd, 1)
    lon = 360.0 / n * ((m - n * np.floor(m / n)) + (x1 if odd else x0))
    return (lat1 if odd else lat0), _wrapped(lon)
