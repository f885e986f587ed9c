"""Remote ID, what both families share: carriers, the table of what a frame said, and its rows.

**Carriers.** The message of either family comes bare, behind one counter byte, or inside

* the Wi-Fi vendor element ``DD len FA 0B BC 0D counter message`` (beacon, probe response), alone
  or anywhere in an 802.11 frame with or without a radiotap header; old ESP32 firmware has the OUI
  and type ``06 05 04 FD`` there;
* the Wi-Fi NAN service descriptor: service id ``88 69 19 9D 92 09``, two instance ids, control,
  length, then counter and message (ASTM F3411-22a, 5.4.8);
* the BLE AD structure ``len 16 FA FF 0D counter message``; the UUIDs 0D50 and FFFF are seen in the
  place of FFFA.

They are found by their magic, not by an offset. The transmitter's MAC is the second address of an
802.11 management frame, or the advertiser's address of a Bluetooth link-layer frame (behind the
access address ``D6 BE 89 8E``; legacy and extended advertising) or of an HCI advertising report
(``04 3E``); a BLE AD structure alone has none.

**Which family.** ``FF`` with 001 in the top three bits of the next byte is GB 46750; a high nibble
F with ``19`` behind it is a message pack; 25 bytes that begin with type 0 to 5 and version 0 to 2
are one message. A bare single message must have exactly 25 bytes (26 with its counter), since its
first byte proves little.
"""

import numpy as np

from v2x.columns import F8, I4, I8, U1
from v2x.ingest.decoded import Reject
from v2x.ingest.interning import Slots, slot_of, u8, word_of
from v2x.ingest.rows import ObservationOut, ReadingOut, put
from v2x.ingest.timestamps import SECOND, clock_wrong
from v2x.jit import uncounted
from v2x.observations import Flag, Kind
from v2x.readings import Name

GB46750, ODID = 1, 2
"""Families, as bits."""

OK = int(Reject.OK)
SHORT = int(Reject.SHORT)
BAD_MAGIC = int(Reject.BAD_MAGIC)
UNSUPPORTED_VERSION = int(Reject.UNSUPPORTED_VERSION)
UNKNOWN_MESSAGE = int(Reject.UNKNOWN_MESSAGE)
NOTHING_TO_OBSERVE = int(Reject.NOTHING_TO_OBSERVE)

FAMILY, START, STOP, MAC = range(4)
"""Columns of a spot: where a frame's message lies. STOP is where its carrier says it ends."""
SPOT = 4

(
    LAT, LON, HEIGHT, SPEED, TRACK, CLIMB, SD, SD_UP, SD_SPEED, SD_TIME,
    PILOT_LAT, PILOT_LON, PILOT_TYPE,
    REGISTERED, STATUS, CLASS, CATEGORY, PILOT_HEIGHT, TAKEOFF, PRESSURE, VS_SIGN, CLOCK_OFF,
) = range(22)  # fmt: skip
"""Columns of what a frame said, in degrees, metres, m/s and s; NaN is "did not say"."""
SAID = 22
FIRST_FACT = REGISTERED
"""From here on each column is a reading of its own, named in `FACT_NAMES`."""
FACT_NAMES = np.array(
    [Name.RID_REGISTERED, Name.RID_STATUS, Name.UAS_CLASS, Name.UAS_CATEGORY,
     Name.PILOT_HEIGHT, Name.HEIGHT_TAKEOFF, Name.PRESSURE_ALTITUDE, Name.RID_VS_SIGN,
     Name.CLOCK_OFFSET_S]
)  # fmt: skip

T_NS, ADDRESS, FLAGS, IDENT, MARK, OPERATOR = range(6)
"""Integer columns beside them: event time (`NO_TIME`), MAC (-1), flags, and texts: slots, later
hashes (-1)."""
WHOLE = 6
NO_TIME = -1

RID, REGISTRATION, OPERATOR_ID, UUID, SESSION = range(5)
"""Schemes of interned texts."""

KIND_CONF = 0.95
BARO_SD = 100.0
"""Pressure altitude taken as height while the region's pressure is unknown (airspace rules: no
verdict from it alone)."""

_HEARD, _MAC_OF, _MARK_OF, _PILOT = (
    int(Name.RID_HEARD), int(Name.RID_MAC), int(Name.RID_REGISTRATION), int(Name.PILOT),
)  # fmt: skip
_SELF_REPORTED = int(Flag.SELF_REPORTED)
_HEIGHT_BAROMETRIC = int(Flag.HEIGHT_BAROMETRIC)
_TIME_FROM_ARRIVAL = int(Flag.TIME_FROM_ARRIVAL)
_TIME_SUSPECT = int(Flag.TIME_SUSPECT)
_UAS = int(Kind.UAS)


def text_of(w0: int, w1: int, w2: int) -> str:
    """Text of a key: 20 bytes, and the scheme above them.

    Texts end at the first NUL and lose blanks at the end; UUIDs and session ids become hex.
    """
    scheme = w2 >> 48
    raw = (
        w0.to_bytes(7, "little")
        + w1.to_bytes(7, "little")
        + (w2 & 0xFFFF_FFFF_FFFF).to_bytes(6, "little")
    )
    if scheme >= UUID:
        return f"rid:{raw[: 16 if scheme == UUID else 20].hex()}"
    text = raw.partition(b"\0")[0].rstrip(b" ").decode("ascii", "backslashreplace")
    return f"{('rid', 'mark', 'operator')[scheme]}:{text}"


def carried(message: bytes, counter: int | None, wifi: bool) -> bytes:
    """Put a message of either family behind its counter, and into the Wi-Fi vendor element."""
    if counter is None and not wifi:
        return message
    message = bytes([(counter or 0) & 0xFF]) + message
    return bytes([0xDD, 4 + len(message)]) + b"\xfa\x0b\xbc\x0d" + message if wifi else message


# --- where the message lies ----------------------------------------------------------------------


@uncounted
def family_at(buf: U1, p: int, stop: int) -> int:
    """Family of a GB 46750 packet or a message pack that begins at `p`; 0 neither."""
    if stop - p >= 2:
        if buf[p] == 0xFF and buf[p + 1] >> 5 == 1:
            return GB46750
        if buf[p] >> 4 == 15 and buf[p + 1] == 25:
            return ODID
    return 0


@uncounted
def single_at(buf: U1, p: int, stop: int) -> bool:
    """Whether a 25-byte message of the types we know may begin at `p`."""
    return stop - p >= 1 and buf[p] >> 4 <= 5 and buf[p] & 15 <= 2


@uncounted
def magic_at(buf: U1, p: int, stop: int) -> tuple[int, int]:
    """Offset from `p` to the counter byte behind a carrier's magic, and to the carrier's length.

    (0, 0) where no magic stands at `p`; the second is 0 where no length precedes the magic.
    """
    if stop - p >= 4:
        first = buf[p]
        if first == 0xFA and buf[p + 1] == 0x0B and buf[p + 2] == 0xBC and buf[p + 3] == 0x0D:
            return 4, 1
        if first == 0x06 and buf[p + 1] == 0x05 and buf[p + 2] == 0x04 and buf[p + 3] == 0xFD:
            return 4, 1
        if first == 0x16 and buf[p + 3] == 0x0D:
            low, high = buf[p + 1], buf[p + 2]
            if (low >= 0xFA and high == 0xFF and (low == 0xFA or low == 0xFF)) or (
                low == 0x50 and high == 0x0D
            ):
                return 4, 1
        nan = first == 0x88 and stop - p >= 10 and buf[p + 1] == 0x69 and buf[p + 2] == 0x19
        if nan and buf[p + 3] == 0x9D and buf[p + 4] == 0x92 and buf[p + 5] == 0x09:
            return 10, -9
    return 0, 0


@uncounted
def _mac_le(buf: U1, p: int) -> int:
    mac = 0
    for k in range(5, -1, -1):
        mac = (mac << 8) | u8(buf, p + k)
    return mac if mac > 0 else -1


@uncounted
def advertiser(buf: U1, start: int, magic: int) -> int:
    """Address of the Bluetooth advertiser whose data hold `magic`; -1 if the frame has none.

    Core specification volume 6 B 2.3 (link layer), volume 4 E 7.7.65.2 and .13 (HCI reports).
    """
    if magic - start >= 14 and buf[start] == 0x04 and buf[start + 1] == 0x3E:
        if buf[start + 3] == 0x02:
            return _mac_le(buf, start + 7)
        return _mac_le(buf, start + 8) if buf[start + 3] == 0x0D else -1
    for p in range(start, magic - 13):
        if buf[p] != 0xD6 or buf[p + 1] != 0xBE or buf[p + 2] != 0x89 or buf[p + 3] != 0x8E:
            continue
        kind = buf[p + 4] & 15
        if kind == 0 or kind == 2 or kind == 4 or kind == 6:
            return _mac_le(buf, p + 6)
        if kind == 7 and buf[p + 6] & 0x3F >= 7 and buf[p + 7] & 1:
            return _mac_le(buf, p + 8)
        return -1
    return -1


@uncounted
def transmitter(buf: U1, start: int, stop: int, magic: int) -> int:
    """Address of who sent the frame around `magic`; -1 if it does not say."""
    if buf[magic] == 0x16:
        return advertiser(buf, start, magic)
    p = start
    if buf[p] == 0 and stop - p >= 4:  # radiotap header, version 0: length in bytes 2 and 3
        p += u8(buf, p + 2) | (u8(buf, p + 3) << 8)
    if magic - p < 24 or buf[p] & 15:
        return -1
    mac = 0
    for k in range(10, 16):
        mac = (mac << 8) | u8(buf, p + k)
    return mac if mac > 0 else -1


@uncounted
def locate(buf: U1, start: int, stop: int, want: int) -> tuple[int, int, int, int, int]:
    """Find the message of a wanted family in one frame.

    (reject, family, message start, message stop as its carrier has it, MAC or -1).
    """
    n = stop - start
    if n == 0:
        return SHORT, 0, start, stop, -1
    family = family_at(buf, start, stop)
    at = start
    if family == 0 and n == 25 and single_at(buf, at, stop):
        family = ODID
    if family == 0:
        at = start + 1
        family = family_at(buf, at, stop)
        if family == 0 and n == 26 and single_at(buf, at, stop):
            family = ODID
    if family:
        return (OK if family & want else BAD_MAGIC), family, at, stop, -1
    why = BAD_MAGIC
    for p in range(start, stop - 3):
        ahead, length = magic_at(buf, p, stop)
        if ahead == 0:
            continue
        at = p + ahead + 1
        ends = stop
        if length < 0:
            ends = p + ahead + u8(buf, p - length)
        elif p > start and (buf[p] == 0x16 or (p - start >= 2 and buf[p - 2] == 0xDD)):
            ends = p + u8(buf, p - length)
        family = family_at(buf, at, stop)
        if family == 0 and single_at(buf, at, stop):
            family = ODID
        if family & want:
            return OK, family, at, ends, transmitter(buf, start, stop, p)
        if family == 0:
            why = SHORT if stop - at < 2 else UNKNOWN_MESSAGE
    if why == BAD_MAGIC:
        if buf[start] == 0xFF and want & GB46750:
            why = SHORT if n < 2 else UNSUPPORTED_VERSION
        elif n < 25 and want & ODID and single_at(buf, start, stop):
            why = SHORT
        elif n == 25 and want & ODID and buf[start] & 15 <= 2 and buf[start] >> 4 < 15:
            why = UNKNOWN_MESSAGE
    return why, 0, start, stop, -1


@uncounted
def locate_all(buf: U1, off: I8, want: int, spot: I8, reject: U1) -> None:
    """`locate` for each frame: off (n+1,), spot (n, SPOT) and reject (n,) filled in place."""
    for i in range(off.shape[0] - 1):
        why, family, start, stop, mac = locate(buf, off[i], off[i + 1], want)
        reject[i] = why
        spot[i, FAMILY] = family if why == OK else 0
        spot[i, START] = start
        spot[i, STOP] = stop
        spot[i, MAC] = mac


# --- fields --------------------------------------------------------------------------------------


@uncounted
def u16(buf: U1, p: int) -> int:
    """Little-endian."""
    return u8(buf, p) | (u8(buf, p + 1) << 8)


@uncounted
def i32(buf: U1, p: int) -> int:
    """Little-endian, two's complement."""
    raw = u16(buf, p) | (u16(buf, p + 2) << 16)
    return raw - (1 << 32) if raw >= 1 << 31 else raw


@uncounted
def half_metres(raw: int) -> float:
    """u16 in half metres from -1000 m; 0 is unknown, and so (ours) is FFFF, 31.8 km up."""
    return np.nan if raw == 0 or raw == 0xFFFF else raw * 0.5 - 1000.0


@uncounted
def by_code(table: F8, code: int) -> float:
    """Entry of an accuracy table; NaN for codes beyond it."""
    return float(table[code]) if code < table.shape[0] else np.nan


@uncounted
def says(buf: U1, p: int, size: int) -> bool:
    """Whether the text at `p` is an identity: more than NUL, zeros and blanks before a NUL."""
    for k in range(size):
        c = buf[p + k]
        if c == 0:
            return False
        if c != 0x30 and c != 0x20:
            return True
    return False


@uncounted
def key_of(buf: U1, p: int, scheme: int) -> tuple[int, int, int]:
    """Words of the 20 bytes at `p`."""
    return word_of(buf, p, 7), word_of(buf, p + 7, 7), word_of(buf, p + 14, 6) | (scheme << 48)


@uncounted
def intern(buf: U1, p: int, scheme: int, slots: Slots) -> int:
    """Slot of the 20 bytes at `p`."""
    w0, w1, w2 = key_of(buf, p, scheme)
    return slot_of(slots, w0, w1, w2)


# --- rows ----------------------------------------------------------------------------------------


@uncounted
def stamp(said: F8, whole: I8, i: int, t_ns: int, recv_ns: int) -> int:
    """Note the time a frame gives; flags: suspect where its clock cannot be right."""
    whole[i, T_NS] = t_ns
    if clock_wrong(t_ns, recv_ns):
        said[i, CLOCK_OFF] = (t_ns - recv_ns) / SECOND
        return _TIME_SUSPECT
    return 0


@uncounted
def _as_height(said: F8, i: int) -> bool:
    """Whether the pressure altitude stands in for the height of the observation."""
    unknown = said[i, LAT] == said[i, LAT] and said[i, HEIGHT] != said[i, HEIGHT]
    return bool(unknown and said[i, PRESSURE] == said[i, PRESSURE])


@uncounted
def count_rows(said: F8, whole: I8, reject: U1) -> tuple[int, int]:
    """Observations and readings that `fill_rows` makes; frames that give none are named so.

    Texts stand in `whole` as hashes by now.
    """
    observations = readings = 0
    for i in range(said.shape[0]):
        if reject[i] != OK:
            continue
        k = 0
        if whole[i, IDENT] >= 0:
            k += 2 if whole[i, ADDRESS] >= 0 else 1
        if whole[i, MARK] >= 0:
            k += 1
        if whole[i, OPERATOR] >= 0:
            k += 1
        if said[i, PILOT_LAT] == said[i, PILOT_LAT]:
            k += 1
        for c in range(FIRST_FACT, SAID):
            if said[i, c] == said[i, c]:
                k += 1
        if _as_height(said, i):
            k -= 1
        readings += k
        if said[i, LAT] == said[i, LAT]:
            observations += 1
        elif k == 0:
            reject[i] = NOTHING_TO_OBSERVE
    return observations, readings


@uncounted
def fill_rows(
    said: F8, whole: I8, reject: U1, recv: I8, sensor: I4, noise: F8, obs: ObservationOut,
    out: ReadingOut,
) -> None:  # fmt: skip
    """Rows of what frames said, as many as `count_rows` says; observations come blank.

    said (n, SAID), whole (n, WHOLE), reject, recv, sensor (n,), noise (sensors, 2): sd
    horizontal and up, NaN unknown. Texts stand in `whole` as hashes by now.
    """
    j = k = 0
    for i in range(said.shape[0]):
        if reject[i] != OK:
            continue
        flags = whole[i, FLAGS] | _SELF_REPORTED
        r, s = recv[i], sensor[i]
        t = whole[i, T_NS]
        if t == NO_TIME:
            t = r
            flags |= _TIME_FROM_ARRIVAL
        ident = whole[i, IDENT]
        mac = whole[i, ADDRESS]
        baro = _as_height(said, i)

        if said[i, LAT] == said[i, LAT]:
            obs.frame[j] = i
            obs.t_ns[j] = t
            obs.recv_ns[j] = r
            obs.sensor[j] = s
            obs.ident[j] = ident
            obs.track_ref[j] = mac
            obs.kind[j] = _UAS
            obs.kind_conf[j] = KIND_CONF
            obs.lat[j] = said[i, LAT]
            obs.lon[j] = said[i, LON]
            up = said[i, SD_UP]
            if baro:
                obs.height[j] = said[i, PRESSURE]
                flags |= _HEIGHT_BAROMETRIC
                up = BARO_SD
            else:
                obs.height[j] = said[i, HEIGHT]
            sd = said[i, SD]
            if not sd >= noise[s, 0]:  # the claim is believed down to the configured noise
                sd = noise[s, 0] if noise[s, 0] == noise[s, 0] else sd
            if not up >= noise[s, 1]:
                up = noise[s, 1] if noise[s, 1] == noise[s, 1] else up
            if obs.height[j] != obs.height[j]:
                up = np.nan
            east = north = np.nan
            speed = said[i, SPEED]
            if said[i, TRACK] == said[i, TRACK]:
                track = np.radians(said[i, TRACK])
                east, north = speed * np.sin(track), speed * np.cos(track)
            elif speed < 0.5:
                east = north = 0.0
            obs.vel[j, 0], obs.vel[j, 1], obs.vel[j, 2] = east, north, said[i, CLIMB]
            obs.vel_sd[j] = said[i, SD_SPEED]
            ee, en, nn = sd * sd, 0.0, sd * sd
            lag = said[i, SD_TIME] * said[i, SD_TIME]
            if east == east and lag == lag:
                ee += east * east * lag
                en += east * north * lag
                nn += north * north * lag
            obs.cov[j, 0], obs.cov[j, 1], obs.cov[j, 2] = ee, en, 0.0
            obs.cov[j, 3], obs.cov[j, 4], obs.cov[j, 5] = nn, 0.0, up * up
            obs.flags[j] = flags
            j += 1

        if whole[i, IDENT] >= 0:
            k = put(out, k, i, t, r, s, ident, _HEARD, 1.0)
            if mac >= 0:
                k = put(out, k, i, t, r, s, ident, _MAC_OF, float(mac))
        for c in (MARK, OPERATOR):
            if whole[i, c] >= 0:
                k = put(out, k, i, t, r, s, ident, _MARK_OF, 1.0)
                out.ident2[k - 1] = whole[i, c]
        if said[i, PILOT_LAT] == said[i, PILOT_LAT]:
            k = put(out, k, i, t, r, s, ident, _PILOT, said[i, PILOT_TYPE])
            out.lat[k - 1] = said[i, PILOT_LAT]
            out.lon[k - 1] = said[i, PILOT_LON]
        for c in range(FIRST_FACT, SAID):
            if said[i, c] == said[i, c] and not (baro and c == PRESSURE):
                k = put(out, k, i, t, r, s, ident, FACT_NAMES[c - FIRST_FACT], said[i, c])
