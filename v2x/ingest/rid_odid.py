"""Open Drone ID messages: reading kernel and encoders. Numbers are little-endian.

ASTM F3411-19 and -22a (5.4.5), EN 4709-002 and GB 42590-2023: 25 bytes, of which byte 0 has the
type in its high nibble and the version in its low one (0 F3411-19, 1 EN and GB, 2 F3411-22a; one
layout for all), or a pack: type F, ``19`` (25), n <= 9, then n messages.

====  ============  ==============================================================================
type  message       bytes
====  ============  ==============================================================================
0     Basic ID      1 id type << 4 (0 none 1 serial 2 registration 3 UTM UUID 4 session) + type of
                    aircraft; 2-21 the id
1     Location      1 status << 4, b2 height is above ground, b1 add 180 deg, b0 speed scale
                    2 direction 0..179 deg; 3 speed x 0.25, or x 0.75 + 63.75 m/s with b0
                    4 i8 x 0.5 m/s up; 5-8 lat, 9-12 lon, i32 in 1e-7 deg
                    13-14 pressure altitude, 15-16 height above the ellipsoid, 17-18 height:
                    u16 / 2 - 1000 m
                    19 vertical << 4 + horizontal accuracy; 20 speed accuracy in the low nibble
                    21-22 tenths of a second in the UTC hour; 23 low nibble 0.1 s accuracy
2     Auth          accepted and skipped
3     Self ID       accepted, nothing in it
4     System        1 b1-0 operator position (0 take-off 1 live 2 fixed), b4-2 classification
                    2-5 lat, 6-9 lon of the operator; 17 category << 4 + class if classification
                    is 1 (EU); 18-19 operator height above the ellipsoid, u16 / 2 - 1000 m
5     Operator ID   2-21 the id
====  ============  ==============================================================================

Unknown: direction above 179, speed 255 with the large scale, climb 126 (and, ours, beyond 62 m/s),
lat and lon both 0, heights 0 (and, ours, FFFF), accuracies 0, time FFFF (and beyond 36,000).

**Identity.** The serial number, else an id of type 0, a UTM UUID or a session id (those two in
hex). Registrations (type 2) are no identity: they are `Name.RID_REGISTRATION` beside it, as is the
operator id. A message alone has what it has: a position has no ident and its `track_ref` is the
transmitter's MAC; a Basic ID gives `Name.RID_MAC`, which binds the two.

Doubtful: one public decoder reads the System message of GB 42590 one byte later. Where the operator
is off the globe as read and in China one byte later, that is taken and flagged
`Flag.ORDER_GUESSED`. The EU class is not given out: `Name.UAS_CLASS` has GB 46750's codes. Height
above ground (b2) is the drone's own claim; it is counted and not used.
"""

import numpy as np

from v2x.columns import F8, I8, U1
from v2x.ingest.accuracy import NACP_SD, SPEED_SD, VERTICAL_SD
from v2x.ingest.decoded import Reject
from v2x.ingest.interning import Slots, u8
from v2x.ingest.rid import (
    ADDRESS,
    CATEGORY,
    CLIMB,
    CLOCK_OFF,
    FAMILY,
    FLAGS,
    HEIGHT,
    IDENT,
    LAT,
    LON,
    MAC,
    MARK,
    ODID,
    OPERATOR,
    OPERATOR_ID,
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
    SESSION,
    SHORT,
    SPEED,
    START,
    STATUS,
    STOP,
    TAKEOFF,
    TRACK,
    UNKNOWN_MESSAGE,
    UNSUPPORTED_VERSION,
    UUID,
    by_code,
    carried,
    half_metres,
    i32,
    intern,
    says,
    stamp,
    u16,
)  # fmt: skip
from v2x.ingest.rows import on_globe
from v2x.ingest.timestamps import HOUR, nearest
from v2x.jit import uncounted
from v2x.observations import Flag

SIZE = 25
MOST = 9
"""Messages in a pack."""

AUTH, POSITION_RANGE, ABOVE_GROUND, UNKNOWN_TYPE, UNKNOWN_VERSION = 0, 1, 2, 3, 19
"""Places in the tally; messages of type t in a pack at UNKNOWN_TYPE + t."""
TALLY = 20

_BAD_LENGTH = int(Reject.BAD_LENGTH)
_LENGTH_BAD = int(Flag.LENGTH_BAD)
_ORDER_GUESSED = int(Flag.ORDER_GUESSED)
_TIME_SUSPECT = int(Flag.TIME_SUSPECT)


@uncounted
def basic_id(buf: U1, p: int, rank: int, slots: Slots, whole: I8, said: F8, i: int) -> int:
    """Take the id at `p` if it outranks the one there is; the rank that then holds."""
    kind = buf[p + 1] >> 4
    if kind == 2 and says(buf, p + 2, 20):
        whole[i, MARK] = intern(buf, p + 2, REGISTRATION, slots)
        said[i, REGISTERED] = 1.0
    ours, scheme, some = 0, RID, False
    if kind == 0 or kind == 1:
        ours, some = 3 + kind, says(buf, p + 2, 20)
    elif kind == 3 or kind == 4:
        ours, scheme = 5 - kind, UUID if kind == 3 else SESSION
        for k in range(20):
            some = some or buf[p + 2 + k] != 0
    if some and ours > rank:
        whole[i, IDENT] = intern(buf, p + 2, scheme, slots)
        return ours
    return rank


@uncounted
def _location(buf: U1, p: int, recv_ns: int, said: F8, whole: I8, i: int, tally: I8) -> int:
    """Flags of a Location message."""
    bits = buf[p + 1]
    said[i, STATUS] = bits >> 4
    said[i, TRACK] = said[i, SPEED] = said[i, CLIMB] = np.nan
    if buf[p + 2] < 180:
        said[i, TRACK] = buf[p + 2] + (180.0 if bits & 2 else 0.0)
    if bits & 1 == 0:
        said[i, SPEED] = buf[p + 3] * 0.25
    elif buf[p + 3] != 255:
        said[i, SPEED] = buf[p + 3] * 0.75 + 63.75
    climb = u8(buf, p + 4)
    if climb >= 128:
        climb -= 256
    if -124 <= climb <= 124:
        said[i, CLIMB] = climb * 0.5
    lat, lon = i32(buf, p + 5), i32(buf, p + 9)
    good = on_globe(lat / 1e7, lon / 1e7)
    said[i, LAT] = lat / 1e7 if good else np.nan
    said[i, LON] = lon / 1e7 if good else np.nan
    if not good and (lat or lon):
        tally[POSITION_RANGE] += 1
    said[i, PRESSURE] = half_metres(u16(buf, p + 13))
    said[i, HEIGHT] = half_metres(u16(buf, p + 15))
    said[i, TAKEOFF] = half_metres(u16(buf, p + 17))
    if bits & 4:
        if said[i, TAKEOFF] == said[i, TAKEOFF]:
            tally[ABOVE_GROUND] += 1
        said[i, TAKEOFF] = np.nan
    said[i, SD] = by_code(NACP_SD, buf[p + 19] & 15)
    said[i, SD_UP] = by_code(VERTICAL_SD, buf[p + 19] >> 4)
    said[i, SD_SPEED] = by_code(SPEED_SD, buf[p + 20] & 15)
    accuracy = buf[p + 23] & 15
    said[i, SD_TIME] = accuracy * 0.05 if accuracy else np.nan
    tenths = u16(buf, p + 21)
    if tenths > 36_000:
        return 0
    said[i, CLOCK_OFF] = np.nan
    return stamp(said, whole, i, nearest(recv_ns, tenths * 100_000_000, HOUR), recv_ns)


@uncounted
def _system(buf: U1, p: int, said: F8, i: int) -> int:
    """Flags of a System message."""
    at, flags = p + 2, 0
    lat, lon = i32(buf, at) / 1e7, i32(buf, at + 4) / 1e7
    if abs(lat) > 90.0 or abs(lon) > 180.0:
        late_lat, late_lon = i32(buf, at + 1) / 1e7, i32(buf, at + 5) / 1e7
        if 3.0 <= late_lat <= 54.0 and 73.0 <= late_lon <= 136.0:
            lat, lon, at, flags = late_lat, late_lon, at + 1, _ORDER_GUESSED
    good = on_globe(lat, lon)
    said[i, PILOT_LAT] = lat if good else np.nan
    said[i, PILOT_LON] = lon if good else np.nan
    said[i, PILOT_TYPE] = buf[p + 1] & 3
    if buf[p + 1] >> 2 & 7 == 1 and buf[p + 17] >> 4:
        said[i, CATEGORY] = buf[p + 17] >> 4
    said[i, PILOT_HEIGHT] = half_metres(u16(buf, at + 16))
    return flags


@uncounted
def read_odid(
    buf: U1, off: I8, recv: I8, spot: I8, slots: Slots, said: F8, whole: I8, reject: U1, tally: I8
) -> None:
    """Read the messages and packs among frames ``off`` (n+1,), located by spot (n, SPOT).

    said (n, SAID) and whole (n, WHOLE) come as NaN and -1 and get what each frame says; a later
    message of a pack overwrites an earlier one of its type. tally (TALLY,) counts what was skipped.
    """
    for i in range(spot.shape[0]):
        if spot[i, FAMILY] != ODID:
            continue
        p, end = spot[i, START], off[i + 1]
        packed = buf[p] >> 4 == 15
        if buf[p] & 15 > 2:
            reject[i] = UNSUPPORTED_VERSION
            continue
        n = 1
        if packed:
            if end - p < 3:
                reject[i] = SHORT
                continue
            n = u8(buf, p + 2)
            p += 3
            if n > MOST:
                reject[i] = _BAD_LENGTH
                continue
        if end - p < n * SIZE:
            reject[i] = SHORT
            continue
        flags = 0 if p + n * SIZE == spot[i, STOP] else _LENGTH_BAD
        rank = 0
        whole[i, ADDRESS] = spot[i, MAC]
        for _ in range(n):
            kind = u8(buf, p) >> 4
            if buf[p] & 15 > 2:
                tally[UNKNOWN_VERSION] += 1
            elif kind == 0:
                rank = basic_id(buf, p, rank, slots, whole, said, i)
            elif kind == 1:
                flags &= ~_TIME_SUSPECT
                flags |= _location(buf, p, recv[i], said, whole, i, tally)
            elif kind == 2:
                tally[AUTH] += 1
            elif kind == 4:
                flags |= _system(buf, p, said, i)
            elif kind == 5:
                if says(buf, p + 2, 20):
                    whole[i, OPERATOR] = intern(buf, p + 2, OPERATOR_ID, slots)
                    said[i, REGISTERED] = 1.0
            elif kind != 3:
                if packed:
                    tally[UNKNOWN_TYPE + kind] += 1
                else:
                    reject[i] = UNKNOWN_MESSAGE
            p += SIZE
        whole[i, FLAGS] = flags


# --- encoders ------------------------------------------------------------------------------------


def _height(value: float | None) -> bytes:
    raw = 0 if value is None else round((value + 1000.0) * 2)
    if value is not None and not 0 < raw < 0xFFFF:
        raise ValueError(f"height {value} m does not fit a Location message")
    return raw.to_bytes(2, "little")


def _degrees(value: float | None) -> bytes:
    return (0 if value is None else round(value * 1e7)).to_bytes(4, "little", signed=True)


def encode_odid_basic_id(
    text: str, *, id_type: int = 1, ua_type: int = 2, version: int = 1
) -> bytes:
    """Basic ID message; up to 20 ASCII characters."""
    raw = text.encode("ascii")
    if len(raw) > 20:
        raise ValueError(f"{text!r} is longer than 20 characters (Basic ID)")
    return bytes([version, id_type << 4 | ua_type]) + raw.ljust(20, b"\0") + bytes(3)


def encode_odid_operator_id(text: str, *, version: int = 1) -> bytes:
    """Operator ID message; up to 20 ASCII characters."""
    raw = text.encode("ascii")
    if len(raw) > 20:
        raise ValueError(f"{text!r} is longer than 20 characters (Operator ID)")
    return bytes([0x50 | version, 0]) + raw.ljust(20, b"\0") + bytes(3)


def encode_odid_location(
    lat: float | None,
    lon: float | None,
    *,
    height: float | None = None,
    pressure_altitude: float | None = None,
    height_takeoff: float | None = None,
    track_deg: float | None = None,
    speed: float | None = None,
    climb: float | None = None,
    status: int = 2,
    nacp: int = 0,
    vertical: int = 0,
    speed_accuracy: int = 0,
    t_ns: int | None = None,
    time_accuracy: int = 0,
    version: int = 1,
) -> bytes:
    """Location message in SI units; None is "unknown". Speeds up to 254 m/s."""
    bits = status << 4
    turn = 361 if track_deg is None else round(track_deg) % 360
    direction = min(turn, 181)
    if 180 <= turn < 360:
        bits |= 2
        direction = turn - 180
    if speed is None:
        bits |= 1
        fast = 255
    elif round(speed * 4) <= 255:
        fast = round(speed * 4)
    else:
        bits |= 1
        fast = round((speed - 63.75) / 0.75)
        if fast > 254:
            raise ValueError(f"speed {speed} m/s does not fit a Location message")
    up = 126 if climb is None else round(climb * 2)
    if climb is not None and abs(up) > 124:
        raise ValueError(f"vertical speed {climb} m/s does not fit a Location message")
    tenths = 0xFFFF if t_ns is None else t_ns % HOUR // 100_000_000
    known = lat is not None and lon is not None
    return (
        bytes([0x10 | version, bits, direction, fast])
        + up.to_bytes(1, "little", signed=True)
        + _degrees(lat if known else None)
        + _degrees(lon if known else None)
        + _height(pressure_altitude)
        + _height(height)
        + _height(height_takeoff)
        + bytes([vertical << 4 | nacp, speed_accuracy])
        + tenths.to_bytes(2, "little")
        + bytes([time_accuracy, 0])
    )


def encode_odid_system(
    pilot_lat: float | None,
    pilot_lon: float | None,
    *,
    pilot_height: float | None = None,
    pilot_type: int = 1,
    version: int = 1,
) -> bytes:
    """System message: where the operator is."""
    return (
        bytes([0x40 | version, pilot_type])
        + _degrees(pilot_lat)
        + _degrees(pilot_lon)
        + (1).to_bytes(2, "little")
        + bytes(6)
        + _height(pilot_height)
        + bytes(5)
    )


def encode_odid_pack(
    *messages: bytes, version: int = 1, counter: int | None = None, wifi: bool = False
) -> bytes:
    """Pack of up to nine messages: bare, behind its counter, or as the Wi-Fi vendor element."""
    if not 1 <= len(messages) <= MOST or any(len(m) != SIZE for m in messages):
        raise ValueError(f"a pack holds 1 to {MOST} messages of {SIZE} bytes")
    pack = bytes([0xF0 | version, SIZE, len(messages)]) + b"".join(messages)
    return carried(pack, counter, wifi)
