"""NMEA 0183 sentences: found in bytes, checked, read into numbers, and written.

``$`` address fields ``*`` two hex digits, the digits the XOR of what stands between ``$`` and ``*``
(NMEA 0183, 5.3). One kernel finds all sentences of a poll; only those that we read meet Python.
`formats/nmea.py` builds epochs from them.
"""

import re
from functools import lru_cache
from math import isfinite

import numpy as np

from v2x.columns import I8, U1
from v2x.ingest.decoded import Reject
from v2x.ingest.timestamps import DAY, SECOND, civil_ns, iso
from v2x.jit import uncounted

GGA, RMC, VTG, GST, GNS, GLL, GBS, ZDA, GSA, GSV = range(10)
"""Kinds of sentence; from GBS on they are no part of an epoch, and the last two have no time."""
PARTS = 6
"""Kinds that an epoch is made of."""
PLACED = {GGA: 1, RMC: 2, GNS: 1, GLL: 0}
"""Place of the six coordinate fields in the kinds that have them."""

OK, BAD_MAGIC = int(Reject.OK), int(Reject.BAD_MAGIC)
BAD_CHECKSUM, BAD_TEXT = int(Reject.BAD_CHECKSUM), int(Reject.BAD_TEXT)
UNKNOWN_MESSAGE = int(Reject.UNKNOWN_MESSAGE)

_TIME = rb"((?:[01]\d|2[0-3])[0-5]\d(?:[0-5]\d|60)(?:\.\d{0,9})?|)"
_LAT = rb"(?:(\d\d)([0-5]\d(?:\.\d{0,12})?),([NS])|,[NS]?)"
_LON = rb"(?:(\d{3})([0-5]\d(?:\.\d{0,12})?),([EW])|,[EW]?)"
_PLUS = rb"(\d{1,9}(?:\.\d{0,9})?|\.\d{1,9}|)"
_SIGNED = rb"(-?\d{1,9}(?:\.\d{0,9})?|-?\.\d{1,9}|)"

PATTERNS = (
    # time, lat, lon, quality, satellites (some send spaces), HDOP, AMSL, separation, age, station
    rb"%b,%b,%b,(\d?),( *\d{0,3} *),%b,%b,M?,%b,M?(?:,%b(?:,[^,]*)?)?"
    % (_TIME, _LAT, _LON, _PLUS, _SIGNED, _SIGNED, _PLUS),
    # time, A or V, lat, lon, knots, course, date, variation, its side, mode, navigation status
    rb"%b,([AV]?),%b,%b,%b,%b,(\d{6}|)(?:,[^,]*(?:,[^,]*(?:,([A-Z]?)(?:,([A-Z]?))?)?)?)?"
    % (_TIME, _LAT, _LON, _PLUS, _PLUS),
    # course, T, magnetic course, M, knots, N, km/h, K, mode
    rb"%b,T?,[^,]*,M?,[^,]*,N?,%b,K?(?:,([A-Z]?))?" % (_PLUS, _PLUS),
    # time, rms, major, minor, orientation, sd of lat, of lon, of height
    rb"%b,[^,]*,%b,%b,%b,%b,%b,%b" % (_TIME, *[_PLUS] * 6),
    # time, lat, lon, modes, satellites, HDOP, AMSL, separation, age, station, status
    rb"%b,%b,%b,([A-Z]*),( *\d{0,3} *),%b,%b,%b,%b(?:,[^,]*(?:,([A-Z]?))?)?"
    % (_TIME, _LAT, _LON, _PLUS, _SIGNED, _SIGNED, _PLUS),
    # lat, lon, time, A or V, mode
    rb"%b,%b,%b,([AV]?)(?:,([A-Z]?))?" % (_LAT, _LON, _TIME),
    # time, errors of lat, lon, height, failed satellite, probability, bias, sd, system, signal
    rb"%b,%b,%b,%b,(\d{0,3}),[^,]*,%b,%b(?:,[^,]*(?:,[^,]*)?)?"
    % (_TIME, _PLUS, _PLUS, _PLUS, _SIGNED, _PLUS),
    # time, day, month, year, local zone
    rb"%b,(\d\d|),(\d\d|),(\d{4}|)(?:,[^,]*(?:,[^,]*)?)?" % _TIME,
    # selection, 1 no fix 2 2-D 3 3-D, twelve satellites, PDOP, HDOP, VDOP, system
    rb"[MA]?,([123]?)(?:,[^,]{0,4}){12},%b,%b,%b(?:,[^,]*)?" % (_PLUS, _PLUS, _PLUS),
)
"""Fields after the address and its comma, by kind up to GSA; a minus sign beside N, S, E, W never
matches."""

READ = tuple(re.compile(pattern).fullmatch for pattern in PATTERNS)


def found(buf: U1, off: I8) -> list[list[int]]:
    """Sentences and junk of a batch, one list a row.

    Frame, first byte of the address, ``*``, code, kind, and of a GSV the satellites with a C/N0:
    how many, their sum, sum of squares and largest, dB-Hz. A code is `Reject`; a kind is set where
    the code is OK.
    """
    starts = np.count_nonzero(buf == 0x24) + np.count_nonzero(buf == 0x21)
    made = np.empty((2 * int(starts) + off.shape[0], 9), np.int64)
    rows: list[list[int]] = made[: _find(buf, off, made)].tolist()
    return rows


@uncounted
def _hex(byte: int) -> int:
    if 0x30 <= byte <= 0x39:
        return byte - 0x30
    byte &= 0xDF
    return byte - 0x37 if 0x41 <= byte <= 0x46 else -1


@uncounted
def _kind(buf: U1, p: int, end: int) -> int:
    """Kind of the sentence whose address starts at p; -1 another one, -2 no address."""
    k = p
    while k < end and buf[k] != 0x2C:
        upper = 0x41 <= buf[k] <= 0x5A or 0x30 <= buf[k] <= 0x39
        if not upper:
            return -2
        k += 1
    if k == p:
        return -2
    if k != p + 5 or k >= end:
        return -1
    talker = (int(buf[p]) << 8) | int(buf[p + 1])
    # GN GP GL GA GB BD GQ GI
    if not (
        talker == 0x474E or talker == 0x4750 or talker == 0x474C or talker == 0x4741
        or talker == 0x4742 or talker == 0x4244 or talker == 0x4751 or talker == 0x4749
    ):  # fmt: skip
        return -1
    name = (int(buf[p + 2]) << 16) | (int(buf[p + 3]) << 8) | int(buf[p + 4])
    if name == 0x474741:
        return GGA
    if name == 0x524D43:
        return RMC
    if name == 0x565447:
        return VTG
    if name == 0x475356:
        return GSV
    if name == 0x475341:
        return GSA
    if name == 0x474E53:
        return GNS
    if name == 0x474C4C:
        return GLL
    if name == 0x474253:
        return GBS
    if name == 0x5A4441:
        return ZDA
    return GST if name == 0x475354 else -1


@uncounted
def _sky(buf: U1, p: int, end: int, out: I8, n: int) -> bool:
    """Add the C/N0 of a GSV, whose fields stand in ``buf[p:end]``, to row n; False for bad text.

    Three numbers, then four fields a satellite, C/N0 the last. From 4.10 on a signal id ends the
    sentence: one field is left over, which is what tells it from a satellite. C/N0 of 0 is none.
    """
    field, value, digits = 0, 0, 0
    whole = True
    while True:
        last = p == end
        if last or buf[p] == 0x2C:
            if field >= 6 and field % 4 == 2 and value:
                out[n, 5] += 1
                out[n, 6] += value
                out[n, 7] += value * value
                out[n, 8] = max(out[n, 8], value)
            if last:
                break
            field, value, digits, whole = field + 1, 0, 0, True
        elif field >= 6 and field % 4 == 2:
            if buf[p] == 0x2E and whole and digits:
                whole = False
            elif not 0x30 <= buf[p] <= 0x39 or digits == 3:
                return False
            elif whole:
                value = value * 10 + buf[p] - 0x30
                digits += 1
        p += 1
    return field >= 2 and (field - 2) % 4 <= 1


@uncounted
def _find(buf: U1, off: I8, out: I8) -> int:
    """Sentences of buf by frame off -> out (rows, 9) as for `found`; how many.

    Whatever is neither sentence nor white space is one row of bad_magic up to the next start: a
    ``$`` anywhere, a ``!`` at the start of a line. A ``$`` inside a sentence cuts it off there.
    """
    n = 0
    for i in range(off.shape[0] - 1):
        p, end = off[i], off[i + 1]
        fresh = True  # at the start of a line
        while p < end:
            byte = buf[p]
            if byte == 0x20 or byte == 0x09 or byte == 0x0D or byte == 0x0A:
                fresh = fresh or (byte >= 0x0A and byte != 0x20)
                p += 1
                continue
            out[n, 0], out[n, 1], out[n, 4] = i, p + 1, -1
            out[n, 5], out[n, 6], out[n, 7], out[n, 8] = 0, 0, 0, 0
            if byte != 0x24 and not (byte == 0x21 and fresh):
                while p < end and buf[p] != 0x24 and not (buf[p] == 0x21 and fresh):
                    fresh = buf[p] == 0x0D or buf[p] == 0x0A
                    p += 1
                out[n, 2], out[n, 3] = p, BAD_MAGIC
                n += 1
                continue
            fresh = False
            p += 1
            check, odd = 0, False
            while p < end and buf[p] != 0x2A and buf[p] != 0x24:
                if buf[p] == 0x0D or buf[p] == 0x0A:
                    break
                check ^= buf[p]
                odd |= buf[p] < 0x20 or buf[p] > 0x7E
                p += 1
            out[n, 2], out[n, 3] = p, BAD_CHECKSUM
            if p < end and buf[p] == 0x2A:
                said = -1
                if p + 2 < end and _hex(buf[p + 1]) >= 0 and _hex(buf[p + 2]) >= 0:
                    said = _hex(buf[p + 1]) << 4 | _hex(buf[p + 2])
                if check == said:
                    kind = _kind(buf, out[n, 1], p)
                    out[n, 4] = kind
                    out[n, 3] = OK if kind >= 0 else UNKNOWN_MESSAGE
                    odd |= kind == -2 or (kind == GSV and not _sky(buf, out[n, 1] + 6, p, out, n))
                    if odd:
                        out[n, 3] = BAD_TEXT
                    p += 3
                else:
                    while p < end and buf[p] != 0x24 and buf[p] != 0x0D and buf[p] != 0x0A:
                        p += 1
            n += 1
    return n


@lru_cache(1024)
def time_of_day(text: bytes) -> int:
    """Nanoseconds since midnight of hhmmss[.s...], checked before; second 60 is the next one."""
    whole = int(text[:6])
    seconds = whole // 10000 * 3600 + whole // 100 % 100 * 60 + whole % 100
    return seconds * SECOND + int(text[7:].ljust(9, b"0"))


@lru_cache(64)
def day_of(text: bytes) -> int | None:
    """Midnight, ns UTC, of ddmmyy or ddmmyyyy; None if there is no such day.

    Years 80 to 99 of two digits are 19xx.
    """
    day, month, year = int(text[:2]), int(text[2:4]), int(text[4:])
    if len(text) == 6:
        year += 1900 if year >= 80 else 2000
    elif not 1900 <= year < 2200:
        return None
    if not 1 <= month <= 12 or day < 1:
        return None
    t_ns = int(civil_ns(year, month, day, 0))
    after = civil_ns(year + month // 12, month % 12 + 1, 1, 0)
    return t_ns if t_ns < after else None


def degrees(whole: bytes, minutes: bytes, side: bytes) -> float:
    """Signed degrees of (d)ddmm.mmmm and N, S, E or W."""
    value = int(whole) + float(minutes) / 60.0
    return -value if side in b"SW" else value


# Writing


def sentence(text: str) -> bytes:
    """``$`` text ``*`` checksum, without the line end."""
    check = 0
    for byte in text.encode("ascii"):
        check ^= byte
    return f"${text}*{check:02X}".encode("ascii")


def _clock(t_ns: int) -> str:
    cs = t_ns % DAY // 10_000_000
    return f"{cs // 360000:02d}{cs // 6000 % 60:02d}{cs // 100 % 60:02d}.{cs % 100:02d}"


def _angle(value: float, width: int, sides: str) -> str:
    """Degrees, minutes with seven decimals (0.2 mm), side; rounded as a whole so 60 never shows."""
    ticks = round(abs(value) * 600_000_000)
    whole, rest = divmod(ticks, 600_000_000)
    minutes = f"{rest // 10_000_000:02d}.{rest % 10_000_000:07d}"
    return f"{whole:0{width}d}{minutes},{sides[value < 0]}"


def _place(lat: float, lon: float) -> str:
    if not (isfinite(lat) and isfinite(lon)):
        return ",,,"
    return f"{_angle(lat, 2, 'NS')},{_angle(lon, 3, 'EW')}"


def _number(value: float, decimals: int) -> str:
    return f"{value:.{decimals}f}" if isfinite(value) else ""


def encode_gga(
    t_ns: int,
    lat: float,
    lon: float,
    amsl_m: float,
    separation_m: float,
    *,
    quality: int = 1,
    satellites: int = 12,
    hdop: float = 1.0,
    age_s: float = float("nan"),
    station: str = "",
    talker: str = "GN",
) -> bytes:
    """GGA; NaN leaves a field empty; time to 0.01 s, heights to 0.01 m."""
    return sentence(
        f"{talker}GGA,{_clock(t_ns)},{_place(lat, lon)},{quality},{satellites:02d},"
        f"{_number(hdop, 1)},{_number(amsl_m, 2)},M,{_number(separation_m, 2)},M,"
        f"{_number(age_s, 1)},{station}"
    )


def encode_rmc(
    t_ns: int,
    lat: float,
    lon: float,
    speed_mps: float,
    course_deg: float,
    *,
    valid: bool = True,
    mode: str = "A",
    nav_status: str = "S",
    talker: str = "GN",
) -> bytes:
    """RMC with date, mode and navigation status (4.1); NaN leaves a field empty."""
    day = iso(t_ns)
    course = _number(course_deg, 1)
    return sentence(
        f"{talker}RMC,{_clock(t_ns)},{'AV'[not valid]},{_place(lat, lon)},"
        f"{_number(speed_mps * 3600 / 1852, 2)},{course and course.zfill(5)},"
        f"{day[8:10]}{day[5:7]}{day[2:4]},,,{mode},{nav_status}"
    )


def encode_gst(
    t_ns: int,
    sd_lat_m: float,
    sd_lon_m: float,
    sd_up_m: float,
    *,
    ellipse: tuple[float, float, float] | None = None,
    rms: float = float("nan"),
    talker: str = "GN",
) -> bytes:
    """GST; `ellipse` is major and minor sd in m and the major axis in degrees from north."""
    axes = ",," if ellipse is None else "{:.1f},{:.1f},{:.0f}".format(*ellipse)
    return sentence(
        f"{talker}GST,{_clock(t_ns)},{_number(rms, 0)},{axes},"
        f"{_number(sd_lat_m, 1)},{_number(sd_lon_m, 1)},{_number(sd_up_m, 1)}"
    )
