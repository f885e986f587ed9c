"""Mode S extended squitter: envelope, checksum, altitude, compact positions, and encoders.

Bits of the 56-bit ME field are numbered from 0, the first transmitted. ICAO Annex 10 volume IV;
RTCA DO-260B section 2.2.3.2; the parity polynomial is that of 3.1.2.3.3 of the annex.
"""

import numpy as np

from v2x.columns import F8, I8, U1
from v2x.ingest.decoded import Reject
from v2x.ingest.interning import u8
from v2x.jit import kernel

OK = int(Reject.OK)
SHORT = int(Reject.SHORT)
BAD_MAGIC = int(Reject.BAD_MAGIC)
BAD_LENGTH = int(Reject.BAD_LENGTH)
BAD_CHECKSUM = int(Reject.BAD_CHECKSUM)
BAD_ESCAPE = int(Reject.BAD_ESCAPE)
UNKNOWN_MESSAGE = int(Reject.UNKNOWN_MESSAGE)
TRAILING_DATA = int(Reject.TRAILING_DATA)
BAD_TEXT = int(Reject.BAD_TEXT)

KEY, ME, RELAYED, GROUND_DERIVED = range(4)
"""Columns of a message: scheme << 24 | address (0: none), ME field, two facts about its way."""
MESSAGE = 4

ICAO, ADSB18 = 1, 2
"""Schemes of addresses: ICAO's, and those that a DF 18 sender made up."""

FOOT = 0.3048
KNOT = 1852.0 / 3600.0
CPR = 131_072.0
"""2**17 steps of a compact coordinate."""


def _crc_table() -> I8:
    table = np.zeros(256, np.int64)
    for byte in range(256):
        rest = byte << 16
        for _ in range(8):
            rest = (rest << 1) ^ (0x1FFF409 if rest & 0x800000 else 0)
        table[byte] = rest & 0xFFFFFF
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


CRC = _crc_table()
ZONE_EDGES = _zone_edges()
HEX = _hex_values()
CALLSIGN = "#ABCDEFGHIJKLMNOPQRSTUVWXYZ##### ###############0123456789######"
"""Characters by 6-bit code; # is not one."""


# --- envelope ------------------------------------------------------------------------------------


@kernel
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
        return BAD_MAGIC, 0
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
    return (TRAILING_DATA if p < stop else OK), size


@kernel
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
        p += clock
    elif HEX[buf[p]] > 15:
        return BAD_MAGIC, 0
    digits = end - p
    for k in range(min(digits, 28)):
        if HEX[buf[p + k]] > 15:
            return BAD_TEXT, 0
    if digits != 14 and digits != 28:
        return (SHORT if digits < 28 else BAD_LENGTH), 0
    for k in range(digits // 2):
        out[k] = (HEX[buf[p + 2 * k]] << 4) | HEX[buf[p + 2 * k + 1]]
    return OK, digits // 2


@kernel
def envelope(buf: U1, start: int, stop: int, out: U1) -> tuple[int, int]:
    """Bytes of the Mode S message in one frame, into out (14,): (reject, 7 or 14; 2 for A/C).

    Beast (``1A``), raw 7 or 14 bytes, or text: hex digits, AVR ``*hex;``, ``@clock hex;``. Raw
    bytes that all are hex digits are text; as messages they would not be DF 17 or 18.
    """
    size = stop - start
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


@kernel
def remainder(message: U1, size: int) -> int:
    """Parity of all but the last three of `size` bytes, XOR those three: 0 for a good DF 17."""
    rest = 0
    for k in range(size - 3):
        rest = ((rest << 8) & 0xFFFFFF) ^ int(CRC[(rest >> 16) ^ message[k]])
    return rest ^ (
        (u8(message, size - 3) << 16) | (u8(message, size - 2) << 8) | u8(message, size - 1)
    )


@kernel
def read_messages(buf: U1, off: I8, messages: I8, reject: U1) -> tuple[int, int]:
    """Read the squitters among frames ``off`` (n+1,) into messages (n, MESSAGE) and reject (n,).

    DF 18: CF 0 ADS-B, 1 the same with an address of its own, 2 and 5 traffic information of a
    ground station about an ICAO and another address, 6 rebroadcast; others are refused. Returns
    how many bear an airborne position, and the most readings that all can give.
    """
    out = np.zeros(14, np.uint8)  # one for all frames
    positions = readings = 0
    for i in range(off.shape[0] - 1):
        why, size = envelope(buf, off[i], off[i + 1], out)
        if why == OK:
            df = out[0] >> 3
            if size == 2 or (df != 17 and df != 18):
                why = UNKNOWN_MESSAGE
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
                if 9 <= tc <= 18 or 20 <= tc <= 22:
                    positions += 1
                    readings += 4
                elif tc == 19:
                    readings += 5
                else:
                    readings += 2
        reject[i] = why
    return positions, readings


# --- fields --------------------------------------------------------------------------------------


@kernel
def bits(me: int, first: int, last: int) -> int:
    """Bits `first` to `last` of an ME field."""
    return (me >> (55 - last)) & ((1 << (last - first + 1)) - 1)


@kernel
def _ungray(code: int) -> int:
    value = code
    shift = code >> 1
    while shift:
        value ^= shift
        shift >>= 1
    return value


@kernel
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


@kernel
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


@kernel
def _wrapped(lon: float) -> float:
    return lon - 360.0 * float(np.floor((lon + 180.0) / 360.0))


@kernel
def local(
    lat17: int, lon17: int, odd: int, near_lat: float, near_lon: float
) -> tuple[float, float]:
    """Position nearest to a reference, unambiguous within 180 NM of it."""
    y, x = lat17 / CPR, lon17 / CPR
    d = 360.0 / (60 - odd)
    j = near_lat / d
    lat = d * (np.floor(j) + np.floor(0.5 + (j - np.floor(j)) - y) + y)
    d = 360.0 / max(zones(lat) - odd, 1)
    m = near_lon / d
    lon = d * (np.floor(m) + np.floor(0.5 + (m - np.floor(m)) - x) + x)
    return lat, _wrapped(lon)


@kernel
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


# --- encoders ------------------------------------------------------------------------------------


def encode_squitter(icao: int, me: int, *, df: int = 17, ca: int = 5) -> bytes:
    """Extended squitter of a 56-bit ME field, with its parity; `ca` is CF in DF 18."""
    body = bytes([df << 3 | ca]) + icao.to_bytes(3, "big") + me.to_bytes(7, "big")
    parity = int(remainder(np.frombuffer(body + bytes(3), np.uint8), 14))
    return body + parity.to_bytes(3, "big")


def encode_airborne_position(
    icao: int, lat: float, lon: float, baro_ft: float | None, odd: bool, tc: int = 11
) -> bytes:
    """Airborne position: degrees, and feet of pressure altitude (height with `tc` 20 to 22).

    Altitude goes out in steps of 25 ft, -975 to 50,175 ft; None is unknown.
    """
    code = 0
    if baro_ft is not None:
        steps = round((baro_ft + 1000) / 25)
        if not 0 < steps < 2048:
            raise ValueError(f"altitude {baro_ft} ft does not fit 25 ft steps")
        code = (steps >> 4) << 5 | 0x10 | steps & 15
    d = 360 / (60 - odd)
    y = int(np.floor(CPR * (lat % d) / d + 0.5))
    lat_sent = d * (y / CPR + np.floor(lat / d))
    d = 360 / max(zones(lat_sent) - odd, 1)
    x = int(np.floor(CPR * (lon % d) / d + 0.5))
    me = tc << 51 | code << 36 | int(odd) << 34 | (y & 0x1FFFF) << 17 | x & 0x1FFFF
    return encode_squitter(icao, me)


def _signed(value: float, step: float, most: int) -> tuple[int, int]:
    """Sign bit, and magnitude in steps plus one."""
    steps = round(abs(value) / step)
    if steps + 1 > most:
        raise ValueError(f"{value} is beyond {most - 1} steps of {step}")
    return int(value < 0 and steps > 0), steps + 1


def encode_velocity(
    icao: int,
    ve_kt: float | None,
    vn_kt: float | None,
    climb_fpm: float | None = None,
    gnss_minus_baro_ft: float | None = None,
    *,
    nacv: int = 2,
) -> bytes:
    """Velocity over ground (TC 19, subtype 1): knots to 1021, ft/min to 32,576, feet to 3,125."""
    west, east = (0, 0) if ve_kt is None else _signed(ve_kt, 1, 1022)
    south, north = (0, 0) if vn_kt is None else _signed(vn_kt, 1, 1022)
    down, climb = (0, 0) if climb_fpm is None else _signed(climb_fpm, 64, 510)
    below, gnss = (0, 0) if gnss_minus_baro_ft is None else _signed(gnss_minus_baro_ft, 25, 126)
    me = (
        19 << 51 | 1 << 48 | nacv << 43 | west << 42 | east << 32 | south << 31 | north << 21
        | down << 19 | climb << 10 | below << 7 | gnss
    )  # fmt: skip
    return encode_squitter(icao, me)


def encode_identification(icao: int, callsign: str, category: str = "A0") -> bytes:
    """Identification (TC 1 to 4): up to 8 of A-Z, 0-9 and blank; category "A0" to "D7"."""
    if len(callsign) > 8 or any(c == "#" or c not in CALLSIGN for c in callsign):
        raise ValueError(f"callsign {callsign!r} is not up to 8 of A-Z, 0-9 and blank")
    me = (4 - "ABCD".index(category[0])) << 51 | int(category[1]) << 48
    for k, c in enumerate(callsign.ljust(8)):
        me |= CALLSIGN.index(c) << (42 - 6 * k)
    return encode_squitter(icao, me)


def encode_operational_status(icao: int, nacp: int, *, version: int = 2) -> bytes:
    """Operational status of an airborne aircraft (TC 31): its navigation accuracy."""
    return encode_squitter(icao, 31 << 51 | version << 13 | nacp << 8)
