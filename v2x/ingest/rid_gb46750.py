"""GB 46750-2025 identification packet: reading kernel and encoder. Numbers are little-endian.

======  =========================================================================================
offset  field
======  =========================================================================================
0       ``FF``, the data type
1       version: bits 7-5 major, 4-0 minor; major 1 is read
2       content length: bytes behind the bitmap
3..     bitmap: bit 7 to bit 1 are the next seven items, bit 0 says that another byte follows
then    the items present, in number order, without padding
======  =========================================================================================

====  ==============================  =====  ===========================================  ========
item  what                            bytes  coding                                       unknown
====  ==============================  =====  ===========================================  ========
001   product id                      20     ASCII, NUL padded                            NUL
002   registration mark               8      ASCII digits; all zeros: not registered      NUL
003   operation category (optional)   1      0 undefined 1 open 2 specific 3 certified    0
004   class                           1      0 micro 1 light 2 small 3 medium 4 large
005   station position type           1      0 take-off point 1 live
006   station position                8      two i32 in 1e-7 deg, longitude first (below) FFFFFFFF
007   station height                  2      u16 / 2 - 1000 m above the ellipsoid         0
008   aircraft position               8      as 006                                       FFFFFFFF
009   track angle                     2      u16 0.1 deg, 0 to 3599                       FFFF
010   ground speed                    2      u16 0.1 m/s (doubtful: unproven on air)      FFFF
011   height above take-off (opt.)    2      u16 / 2 - 9000 m                             0, FFFF
012   vertical speed (optional)       1      bit 7: 1 down (doubtful); bits 6-0 0.5 m/s   FF
013   geodetic height                 2      as 007                                       0
014   pressure altitude (optional)    2      as 007                                       0
015   status                          1      1 ground 2 airborne 3 emergency 4 RID failed
016   datum                           1      0 WGS-84 1 CGCS2000 2 PZ-90
017   horizontal accuracy             1      NACp code (`accuracy.NACP_SD`)               0
018   vertical accuracy               1      `accuracy.VERTICAL_SD`                       0
019   speed accuracy                  1      `accuracy.SPEED_SD`                          0
020   time                            6      u48 Unix ms                                  0
021   time accuracy                   1      1..5: 0.5 to 0.1 s; 6 50, 7 20, 8 10 ms      0
====  ==============================  =====  ===========================================  ========

Items beyond 21 have no known length: what stands before them is kept, the rest is not read, and
they are counted. Otherwise the items must fill the content exactly (bad_length): the bitmap and
the length are the packet's only check on each other.

Doubtful, and what is done about it:

* Order in 006 and 008: longitude first on the air, latitude first in several encoders that cite
  the issued table. Pairs that are a place in China (lat 3..54, lon 73..136) one way only decide
  themselves; the last such pair of a sender decides its others. Latitude first is flagged.
* 011: the draft of 2025-01 had the offset 1000. Raw values below 17,000 would be flights 500 m
  below take-off, so they are read that way and flagged `Flag.LOW_QUALITY`.
* 012: two readers of the issued text have 0 up, the draft's reader the reverse. Taken as 0 up,
  with the velocity's standard deviation doubled, until the sender's heights have told
  (`v2x.ingest.rid_climb`); RID_VS_SIGN says so when it is known, and when it changes.
* Ground speeds above 500 m/s are not measured, heights of FFFF unknown (both ours).
* A time after 2255 cannot be held and counts as unknown and suspect.
* 021 is taken as a 95 % figure like the other accuracies: one standard deviation is half.
"""

from dataclasses import dataclass

import numpy as np

from v2x.columns import F8, I4, I8, U1
from v2x.ingest.accuracy import NACP_SD, SPEED_SD, VERTICAL_SD
from v2x.ingest.decoded import Reject
from v2x.ingest.interning import Slots, mixed, slot_of, u8, word_of
from v2x.ingest.rid import (
    ADDRESS,
    CATEGORY,
    CLASS,
    CLIMB,
    FAMILY,
    FLAGS,
    GB46750,
    HEIGHT,
    IDENT,
    LAT,
    LON,
    MAC,
    MARK,
    PILOT_HEIGHT,
    PILOT_LAT,
    PILOT_LON,
    PILOT_TYPE,
    PRESSURE,
    REGISTERED,
    REGISTRATION,
    RID,
    SD,
    SD_SPEED,
    SD_TIME,
    SD_UP,
    SHORT,
    SPEED,
    START,
    STATUS,
    STOP,
    TAKEOFF,
    TRACK,
    VS_SIGN,
    by_code,
    carried,
    half_metres,
    i32,
    key_of,
    says,
    stamp,
    u16,
)  # fmt: skip
from v2x.ingest.rid_climb import Climbs, arbitrate
from v2x.ingest.rows import on_globe
from v2x.jit import uncounted
from v2x.observations import Flag

SIZES = np.array([20, 8, 1, 1, 1, 8, 2, 8, 2, 2, 2, 1, 2, 2, 1, 1, 1, 1, 1, 6, 1])
"""Bytes of items 001 to 021."""
ITEMS = 21

TIME_SD: F8 = np.array([np.nan, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01]) / 2

SENDERS = 1024
"""Senders whose order of coordinates is remembered; a newcomer takes the place of one whose hash
is alike."""

FASTEST = 5_000
"""Ground speeds above 500 m/s (ours) are not measured."""

UNKNOWN_ITEM, POSITION_RANGE, BAD_MARK = 0, 64, 65
"""Places in the tally: first unknown item by number (below 64), and what else was skipped."""
TALLY = 66

_BAD_LENGTH = int(Reject.BAD_LENGTH)
_DATUM_UNCERTAIN = int(Flag.DATUM_UNCERTAIN)
_LENGTH_BAD = int(Flag.LENGTH_BAD)
_LOW_QUALITY = int(Flag.LOW_QUALITY)
_ORDER_GUESSED = int(Flag.ORDER_GUESSED)
_TIME_SUSPECT = int(Flag.TIME_SUSPECT)
_LATEST_MS = 9_000_000_000_000


@uncounted
def in_china(lat: float, lon: float) -> bool:
    """Inside the box that tells the order of coordinates; the swapped box never overlaps it."""
    return 3.0 <= lat <= 54.0 and 73.0 <= lon <= 136.0


@uncounted
def lat_first(buf: U1, p: int, sensor: int, senders: I8, seen: int) -> bool:
    """Whether a sender puts latitude first, after `seen` in this packet (1 yes, -1 no, 0 unseen).

    senders (SENDERS + 1, 4): key and sensor + 1 of those who do; the last row counts them. `p` is
    the sender's id; -1 (none) speaks for itself alone.
    """
    last = senders.shape[0] - 1
    if p < 0 or (seen <= 0 and senders[last, 0] == 0):
        return seen > 0
    w0, w1, w2 = key_of(buf, p, 0)
    at = mixed(mixed(mixed(sensor, w0), w1), w2) % last
    known = (
        senders[at, 0] == w0
        and senders[at, 1] == w1
        and senders[at, 2] == w2
        and senders[at, 3] == sensor + 1
    )
    if seen > 0 and not known:
        if senders[at, 3] == 0:
            senders[last, 0] += 1
        senders[at, 0], senders[at, 1], senders[at, 2], senders[at, 3] = w0, w1, w2, sensor + 1
    elif seen < 0 and known:
        senders[at, 3] = 0
        senders[last, 0] -= 1
    return bool(known) if seen == 0 else seen > 0


@uncounted
def order_of(buf: U1, p: int) -> int:
    """What one pair says: -1 longitude first, 1 latitude first, 0 either or neither."""
    if p < 0:
        return 0
    first, second = i32(buf, p) / 1e7, i32(buf, p + 4) / 1e7
    if in_china(second, first):
        return -1
    return 1 if in_china(first, second) else 0


@uncounted
def pair(buf: U1, p: int, swap: bool) -> tuple[float, float, int]:
    """Latitude, longitude, and -1 unknown, 0 out of range, 1 good."""
    if p < 0:
        return np.nan, np.nan, -1
    first, second = i32(buf, p), i32(buf, p + 4)
    if first == -1 or second == -1:
        return np.nan, np.nan, -1
    lat, lon = second / 1e7, first / 1e7
    if swap:
        lat, lon = lon, lat
    return (lat, lon, 1) if on_globe(lat, lon) else (np.nan, np.nan, 0)


@uncounted
def read_bitmap(buf: U1, p: int, end: int, at: I8) -> tuple[int, int, int]:
    """Places of the items from the content's start, into at (ITEMS,), -1 absent.

    (bytes of the bitmap that begins at `p`, 0 if it does not end before `end`; bytes of the known
    items; first unknown item, 0 none).
    """
    at[:] = -1
    item = unknown = need = size = 0
    while p + size < end:
        byte = u8(buf, p + size)
        size += 1
        for bit in range(7, 0, -1):
            if byte >> bit & 1:
                if item < ITEMS:
                    at[item] = need
                    need += SIZES[item]
                elif unknown == 0:
                    unknown = item + 1
            item += 1
        if byte & 1 == 0:
            return size, need, unknown
    return 0, need, unknown


@uncounted
def read_gb46750(
    buf: U1, off: I8, sensor: I4, recv: I8, spot: I8, senders: I8, climbs: Climbs, slots: Slots,
    said: F8, whole: I8, reject: U1, tally: I8, at: I8,
) -> None:  # fmt: skip
    """Read the packets among frames ``off`` (n+1,), located by spot (n, SPOT).

    said (n, SAID) and whole (n, WHOLE) come as NaN and -1 and get what each packet says; senders
    (SENDERS + 1, 4) and climbs are remembered from poll to poll; tally (TALLY,) counts what was
    skipped; at (ITEMS,) is scratch: most packets have the bitmap of the one before.
    """
    bitmap, need, unknown = -1, 0, 0
    for i in range(spot.shape[0]):
        if spot[i, FAMILY] != GB46750:
            continue
        start, stop = spot[i, START], off[i + 1]
        if stop - start < 4:
            reject[i] = SHORT
            continue
        here = word_of(buf, start + 3, 3)
        size = 3
        if here != bitmap:
            size, need, unknown = read_bitmap(buf, start + 3, stop, at)
            bitmap = here if size == 3 else -1
        p, content = start + 3 + size, u8(buf, start + 2)
        end = p + content
        if size == 0 or end > stop:
            reject[i] = SHORT
            continue
        if need > content or (need < content and unknown == 0):
            reject[i] = _BAD_LENGTH
            continue
        if unknown:
            tally[UNKNOWN_ITEM + min(unknown, 63)] += 1
        flags = 0 if end == spot[i, STOP] else _LENGTH_BAD

        whole[i, ADDRESS] = spot[i, MAC]
        sender = -1
        w0 = w1 = w2 = 0
        if at[0] >= 0 and says(buf, p + at[0], 20):
            sender = p + at[0]
            w0, w1, w2 = key_of(buf, sender, RID)
            whole[i, IDENT] = slot_of(slots, w0, w1, w2)
        if at[1] >= 0 and buf[p + at[1]]:
            mark = p + at[1]
            known = True
            for k in range(8):
                c = buf[mark + k]
                known = known and (c == 0 or 48 <= c <= 57 or 65 <= c <= 90 or 97 <= c <= 122)
            if not known:
                tally[BAD_MARK] += 1
            elif says(buf, mark, 8):
                said[i, REGISTERED] = 1.0
                last = u8(buf, mark + 7)
                whole[i, MARK] = slot_of(slots, word_of(buf, mark, 7), last, REGISTRATION << 48)
            else:
                said[i, REGISTERED] = 0.0
        if at[2] >= 0 and buf[p + at[2]]:
            said[i, CATEGORY] = buf[p + at[2]]
        if at[3] >= 0:
            said[i, CLASS] = buf[p + at[3]]
        if at[14] >= 0:
            said[i, STATUS] = buf[p + at[14]]

        station = p + at[5] if at[5] >= 0 else -1
        aircraft = p + at[7] if at[7] >= 0 else -1
        pilot, craft = order_of(buf, station), order_of(buf, aircraft)
        swap = lat_first(buf, sender, sensor[i], senders, craft if craft else pilot)
        lat, lon, good = pair(buf, aircraft, swap if craft == 0 else craft > 0)
        said[i, LAT], said[i, LON] = lat, lon
        if good == 0:
            tally[POSITION_RANGE] += 1
        if craft > 0 or (swap and craft == 0 and good > 0):
            flags |= _ORDER_GUESSED
        lat, lon, good = pair(buf, station, swap if pilot == 0 else pilot > 0)
        said[i, PILOT_LAT], said[i, PILOT_LON] = lat, lon
        if at[4] >= 0:
            said[i, PILOT_TYPE] = buf[p + at[4]]
        if at[6] >= 0:
            said[i, PILOT_HEIGHT] = half_metres(u16(buf, p + at[6]))

        if at[8] >= 0 and u16(buf, p + at[8]) < 3600:
            said[i, TRACK] = u16(buf, p + at[8]) / 10.0
        if at[9] >= 0 and u16(buf, p + at[9]) <= FASTEST:
            said[i, SPEED] = u16(buf, p + at[9]) / 10.0
        if at[18] >= 0:
            said[i, SD_SPEED] = by_code(SPEED_SD, buf[p + at[18]])
        if at[11] >= 0 and buf[p + at[11]] != 0xFF:
            climb = (buf[p + at[11]] & 0x7F) * 0.5
            said[i, CLIMB] = -climb if buf[p + at[11]] & 0x80 else climb
        if at[10] >= 0:
            raw = u16(buf, p + at[10])
            if raw != 0 and raw != 0xFFFF:
                said[i, TAKEOFF] = raw * 0.5 - (9000.0 if raw >= 17_000 else 1000.0)
                if raw < 17_000:
                    flags |= _LOW_QUALITY
        if at[12] >= 0:
            said[i, HEIGHT] = half_metres(u16(buf, p + at[12]))
        if at[13] >= 0:
            said[i, PRESSURE] = half_metres(u16(buf, p + at[13]))
        if at[15] >= 0 and buf[p + at[15]] > 1:
            flags |= _DATUM_UNCERTAIN
        if at[16] >= 0:
            said[i, SD] = by_code(NACP_SD, buf[p + at[16]])
        if at[17] >= 0:
            said[i, SD_UP] = by_code(VERTICAL_SD, buf[p + at[17]])
        if at[19] >= 0:
            ms = word_of(buf, p + at[19], 6)
            if ms >= _LATEST_MS:
                flags |= _TIME_SUSPECT
            elif ms:
                flags |= stamp(said, whole, i, ms * 1_000_000, recv[i])
        if at[20] >= 0:
            said[i, SD_TIME] = by_code(TIME_SD, buf[p + at[20]])
        if said[i, CLIMB] == said[i, CLIMB]:
            sign, news = 0, False
            if sender >= 0:
                sign, news = arbitrate(
                    climbs, w0, w1, w2, sensor[i], recv[i], said[i, HEIGHT], said[i, CLIMB]
                )
            if sign == 0:
                said[i, SD_SPEED] *= 2.0
            elif sign < 0:
                said[i, CLIMB] = -said[i, CLIMB]
            if news:
                said[i, VS_SIGN] = sign
        whole[i, FLAGS] = flags


# --- encoder -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Gb46750:
    """What one packet says, in SI units; None is "unknown", or leaves an optional item out.

    Parameters
    ----------
    product_id, mark
        Items 001 (up to 20 characters) and 002 (up to 8 digits; "00000000" not registered).
    category, uas_class, status, datum
        Codes of items 003 (optional), 004, 015 and 016.
    pilot_live, pilot_lat, pilot_lon, pilot_height
        Items 005 to 007: degrees, metres above the ellipsoid.
    lat, lon, height
        Items 008 and 013.
    track_deg, speed, climb
        Items 009, 010 and 012 (optional): degrees from north, m/s, m/s up.
    height_takeoff, pressure_altitude
        Items 011 and 014, both optional, metres.
    nacp, vertical, speed_accuracy, time_accuracy
        Codes of items 017 to 019 and 021.
    t_ns
        Item 020, ns UTC; sent in ms.
    """

    product_id: str | None = None
    mark: str | None = None
    category: int | None = None
    uas_class: int = 1
    pilot_live: bool = True
    pilot_lat: float | None = None
    pilot_lon: float | None = None
    pilot_height: float | None = None
    lat: float | None = None
    lon: float | None = None
    track_deg: float | None = None
    speed: float | None = None
    height_takeoff: float | None = None
    climb: float | None = None
    height: float | None = None
    pressure_altitude: float | None = None
    status: int = 2
    datum: int = 1
    nacp: int = 0
    vertical: int = 0
    speed_accuracy: int = 0
    t_ns: int | None = None
    time_accuracy: int = 0


def _height(value: float | None, offset: float = 1000.0) -> bytes:
    raw = 0 if value is None else round((value + offset) * 2)
    if value is not None and not 0 < raw < 0xFFFF:
        raise ValueError(f"height {value} m does not fit GB 46750")
    return raw.to_bytes(2, "little")


def _tenths(value: float | None, most: int) -> bytes:
    raw = 0xFFFF if value is None else round(value * 10)
    if value is not None and not 0 <= raw <= most:
        raise ValueError(f"{value} is not in 0..{most / 10} (GB 46750)")
    return raw.to_bytes(2, "little")


def _place(lat: float | None, lon: float | None) -> bytes:
    if lat is None or lon is None:
        return b"\xff" * 8
    raw = (round(lon * 1e7), round(lat * 1e7))
    # -1 is how "unknown" looks: a place 1 cm west or south of 0 is written as 0
    return b"".join((0 if r == -1 else r).to_bytes(4, "little", signed=True) for r in raw)


def _climb(value: float) -> bytes:
    raw = round(abs(value) * 2)
    if raw > 0x7E:
        raise ValueError(f"vertical speed {value} m/s is beyond 63 m/s (GB 46750)")
    return bytes([raw | (0x80 if value < 0 else 0)])


def _ascii(text: str | None, size: int) -> bytes:
    raw = (text or "").encode("ascii")
    if len(raw) > size:
        raise ValueError(f"{text!r} is longer than {size} characters (GB 46750)")
    return raw.ljust(size, b"\0")


def encode_gb46750(report: Gb46750, *, counter: int | None = None, wifi: bool = False) -> bytes:
    """Packet of `report`: bare, behind its message `counter`, or as the Wi-Fi vendor element."""
    r = report
    ms = 0 if r.t_ns is None else r.t_ns // 1_000_000
    track = r.track_deg if r.track_deg is None else round(r.track_deg * 10) % 3600 / 10
    items: list[bytes | None] = [
        _ascii(r.product_id, 20), _ascii(r.mark, 8),
        None if r.category is None else bytes([r.category]),
        bytes([r.uas_class]), bytes([r.pilot_live]),
        _place(r.pilot_lat, r.pilot_lon), _height(r.pilot_height), _place(r.lat, r.lon),
        _tenths(track, 3599), _tenths(r.speed, FASTEST),
        None if r.height_takeoff is None else _height(r.height_takeoff, 9000.0),
        None if r.climb is None else _climb(r.climb),
        _height(r.height),
        None if r.pressure_altitude is None else _height(r.pressure_altitude),
        bytes([r.status]), bytes([r.datum]), bytes([r.nacp]), bytes([r.vertical]),
        bytes([r.speed_accuracy]), ms.to_bytes(6, "little"), bytes([r.time_accuracy]),
    ]  # fmt: skip
    bitmap = bytes(
        sum((items[7 * row + k] is not None) << (7 - k) for k in range(7)) | (row < 2)
        for row in range(3)
    )
    content = b"".join(item for item in items if item is not None)
    packet = bytes([0xFF, 0x20, len(content)]) + bitmap + content
    return carried(packet, counter, wifi)
