"""Rows of extended squitters, and what is remembered by address between them.

Everything a rule of `v2x.ingest.formats.adsb` needs from earlier messages is one row of `Memory`:
the emitter category, an accuracy, a height difference, a velocity that waits, a pair of positions.
"""

from typing import NamedTuple

import numpy as np

from v2x.columns import F8, I4, I8, U1
from v2x.ingest.accuracy import NACP_SD, SPEED_SD
from v2x.ingest.decoded import Reject
from v2x.ingest.interning import Slots, mixed, slot_of
from v2x.ingest.modes import (
    CALLSIGN,
    FOOT,
    GROUND_DERIVED,
    ICAO,
    KEY,
    KNOT,
    ME,
    RELAYED,
    altitude_ft,
    bits,
    from_pair,
    local,
)  # fmt: skip
from v2x.ingest.rows import ObservationOut, ReadingOut, on_globe, put
from v2x.jit import kernel
from v2x.observations import Flag, Kind
from v2x.readings import Name

SECOND = 1_000_000_000
PAIR_NS = 10 * SECOND
JOIN_NS = 2 * SECOND
KEEP_NS = 60 * SECOND
"""How long an accuracy and a height difference hold."""
RANGE_KM = 450.0
HEIGHT_SD = 15.0
CPR_VAR = 1.5**2
NEVER = -(1 << 62)

PLACES = 32_768
AIRCRAFT = PLACES // 2
"""Addresses remembered. When they are full, those heard once or silent for 60 s are forgotten, and
all if that leaves more than three quarters."""

CALLSIGN_KEY = 3
"""Scheme of interned callsigns, beside `ICAO` and `ADSB18`."""

RADIUS_M: F8 = np.full(32, np.nan)
"""Containment radius by type code (DO-260B table 2-14, without the NIC supplements)."""
RADIUS_M[9:18] = [7.5, 25, 185, 370, 926, 1852, 3704, 7408, 37040]
RADIUS_M[20:22] = [7.5, 25]

KINDS: I8 = np.full((5, 8), -1)
"""Kind by type code 1 to 4 (sets D to A) and category; -1 says nothing."""
KINDS[4, 1:7], KINDS[4, 7] = Kind.AIRCRAFT, Kind.HELICOPTER
KINDS[3, 1:5], KINDS[3, 6] = Kind.AIRCRAFT, Kind.UAS
KINDS[2, 1], KINDS[2, 3], KINDS[2, 4:8] = Kind.EMERGENCY_VEHICLE, Kind.CAR, Kind.OBSTACLE

(
    WHO, HEARD, TIMES, KIND, NACP, NACP_NS, BASE_NS, VEL_NS, EVEN_NS, EVEN, ODD_NS, ODD,
) = range(12)  # fmt: skip
"""Whole columns of what is remembered by address: sensor << 32 | key, ..., lat << 17 | lon."""
BASE, EAST, NORTH, UP, VEL_SD = range(5)
"""And real ones: GNSS minus barometric in m, and the velocity that waits, m/s."""

FORGOTTEN, OUT_OF_RANGE, BAD_CALLSIGN = range(3)
TALLIES = ("aircraft_forgotten", "position_range", "bad_callsign")

_SHORT_OF_ROWS = int(Reject.NOTHING_TO_OBSERVE)
_UNKNOWN = int(Reject.UNKNOWN_MESSAGE)
_VALUE_RANGE = int(Reject.VALUE_RANGE)
_SELF_REPORTED = int(Flag.SELF_REPORTED)
_RELAYED = int(Flag.RELAYED)
_FROM_ARRIVAL = int(Flag.TIME_FROM_ARRIVAL)
_BAROMETRIC = int(Flag.HEIGHT_BAROMETRIC)
_AIRCRAFT_KIND = int(Kind.AIRCRAFT)
(
    _SQUAWK, _EMERGENCY, _NACP, _GEO_MINUS_BARO, _CALLSIGN, _VE, _VN, _VU, _PRESSURE,
) = (
    int(Name.SQUAWK), int(Name.EMERGENCY), int(Name.NACP), int(Name.GEO_MINUS_BARO_M),
    int(Name.CALLSIGN), int(Name.VELOCITY_EAST), int(Name.VELOCITY_NORTH), int(Name.VELOCITY_UP),
    int(Name.PRESSURE_ALTITUDE),
)  # fmt: skip


class Memory(NamedTuple):
    """What is remembered by (sensor, address), as an open hash table."""

    whole: I8
    """(PLACES, 12)."""
    real: F8
    """(PLACES, 5)."""
    known: I8
    """(1,)."""


def text_of(w0: int, w1: int, w2: int) -> str:
    """Text of an interned address or callsign."""
    if w2 == CALLSIGN_KEY:
        letters = "".join(CALLSIGN[w0 >> shift & 63] for shift in range(42, -1, -6))
        return f"callsign:{letters.strip()}"
    return f"{'icao' if w2 == ICAO else 'adsb18'}:{w0:06x}"


def new_memory() -> Memory:
    """No aircraft known."""
    return Memory(np.zeros((PLACES, 12), np.int64), np.zeros((PLACES, 5)), np.zeros(1, np.int64))


@kernel
def _place(memory: Memory, who: int) -> int:
    """Place of an address, or of the free row where it would go."""
    mask = memory.whole.shape[0] - 1
    at = mixed(11, who) & mask
    while memory.whole[at, WHO] != 0 and memory.whole[at, WHO] != who:
        at = (at + 1) & mask
    return int(at)


@kernel
def _forget(memory: Memory, t_ns: int) -> int:
    """Make room (see `AIRCRAFT`): how many were forgotten."""
    whole, real = memory.whole.copy(), memory.real.copy()  # rare: only when full
    before = memory.known[0]
    kept = 0
    for at in range(whole.shape[0]):
        silent = abs(t_ns - whole[at, HEARD]) > KEEP_NS
        if whole[at, WHO] != 0 and (silent or whole[at, TIMES] < 2):
            whole[at, WHO] = 0
        if whole[at, WHO] != 0:
            kept += 1
    if 4 * kept > 3 * before:
        kept = 0
        whole[:, WHO] = 0
    memory.whole[:] = 0
    for at in range(whole.shape[0]):
        if whole[at, WHO] != 0:
            to = _place(memory, whole[at, WHO])
            memory.whole[to] = whole[at]
            memory.real[to] = real[at]
    memory.known[0] = kept
    return int(before - kept)


@kernel
def recall(memory: Memory, who: int, t_ns: int, tally: I8) -> int:
    """Row of an address, a new one where it is not known."""
    at = _place(memory, who)
    if memory.whole[at, WHO] == 0:
        if memory.known[0] >= AIRCRAFT:
            tally[FORGOTTEN] += _forget(memory, t_ns)
            at = _place(memory, who)
        memory.known[0] += 1
        memory.whole[at] = 0
        memory.whole[at, WHO] = who
        memory.whole[at, KIND] = -1
        for column in (NACP_NS, BASE_NS, VEL_NS, EVEN_NS, ODD_NS):
            memory.whole[at, column] = NEVER
    memory.whole[at, HEARD] = t_ns
    memory.whole[at, TIMES] += 1
    return at


@kernel
def release(memory: Memory, at: int, frame: int, ident: int, out: ReadingOut, k: int) -> int:
    """Make readings of the velocity that waits at `at`, if any; the next free row."""
    t = memory.whole[at, VEL_NS]
    if t > NEVER:
        memory.whole[at, VEL_NS] = NEVER
        sensor = int(memory.whole[at, WHO] >> 32)
        for axis in range(3):
            if memory.real[at, EAST + axis] == memory.real[at, EAST + axis]:
                value = memory.real[at, EAST + axis]
                k = put(out, k, frame, t, t, sensor, ident, _VE + axis, value)
    return k


@kernel
def _signed(me: int, sign: int, first: int, last: int, step: float) -> float:
    """(raw - 1) steps; NaN for 0 and for the largest value, which means "more"."""
    raw = bits(me, first, last)
    if raw == 0 or raw == (1 << (last - first + 1)) - 1:
        return np.nan
    return (1 - raw) * step if bits(me, sign, sign) else (raw - 1) * step


@kernel
def _squawk(me: int) -> int:
    """Four octal digits as a decimal number."""
    c1, a1, c2, a2 = bits(me, 11, 11), bits(me, 12, 12), bits(me, 13, 13), bits(me, 14, 14)
    c4, a4, b1, d1 = bits(me, 15, 15), bits(me, 16, 16), bits(me, 18, 18), bits(me, 19, 19)
    b2, d2, b4, d4 = bits(me, 20, 20), bits(me, 21, 21), bits(me, 22, 22), bits(me, 23, 23)
    a, b = a4 << 2 | a2 << 1 | a1, b4 << 2 | b2 << 1 | b1
    c, d = c4 << 2 | c2 << 1 | c1, d4 << 2 | d2 << 1 | d1
    return a * 1000 + b * 100 + c * 10 + d


@kernel
def _readable(me: int) -> int:
    """1 a callsign, 0 only blanks, -1 a code that is no character."""
    found = 0
    for shift in range(42, -1, -6):
        c = me >> shift & 63
        if 1 <= c <= 26 or 48 <= c <= 57:
            found = 1
        elif c != 32:
            return -1
    return found


@kernel
def _position(me: int, t: int, receiver: F8, memory: Memory, at: int) -> tuple[float, float, bool]:
    """Latitude, longitude (NaN: not yet), and whether they are too far away to be true."""
    odd, lat17, lon17 = bits(me, 21, 21), bits(me, 22, 38), bits(me, 39, 55)
    near_lat, near_lon = receiver[0], receiver[1]
    if near_lat == near_lat and near_lon == near_lon:
        lat, lon = local(lat17, lon17, odd, near_lat, near_lon)
        north, east = lat - near_lat, lon - near_lon
        if abs(north) > 1.0 or abs(east) > 1.0:
            east -= 360.0 * np.floor((east + 180.0) / 360.0)
            east *= np.cos(np.radians(0.5 * (lat + near_lat)))
            if (north * north + east * east) * 111.2 * 111.2 > RANGE_KM * RANGE_KM:
                return lat, lon, True
        return lat, lon, not on_globe(lat, lon)
    if at < 0:
        return np.nan, np.nan, False
    here = lat17 << 17 | lon17
    if odd:
        memory.whole[at, ODD_NS], memory.whole[at, ODD] = t, here
    else:
        memory.whole[at, EVEN_NS], memory.whole[at, EVEN] = t, here
    if abs(memory.whole[at, EVEN_NS] - memory.whole[at, ODD_NS]) > PAIR_NS:
        return np.nan, np.nan, False
    even, other = memory.whole[at, EVEN], memory.whole[at, ODD]
    lat, lon = from_pair(even >> 17, even & 0x1FFFF, other >> 17, other & 0x1FFFF, odd)
    return lat, lon, lat == lat and not on_globe(lat, lon)


@kernel
def fill_rows(
    first: int, messages: I8, recv: I8, sensor: I4, receivers: F8, memory: Memory, slots: Slots,
    reject: U1, tally: I8, obs: ObservationOut, j: int, out: ReadingOut, k: int,
) -> tuple[int, int]:  # fmt: skip
    """Rows of messages (n, MESSAGE), frames `first`.., written from rows `j` and `k` on.

    receivers (sensors, 4): lat, lon, sd horizontal and up. Identities are slots of `slots`. At most
    one observation a position and five readings a message. Returns the next free rows.
    """
    for i in range(messages.shape[0]):
        if reject[i]:
            continue
        key, me, t, s = messages[i, KEY], messages[i, ME], recv[i], int(sensor[i])
        frame = first + i
        tc = me >> 51
        position = 9 <= tc <= 18 or 20 <= tc <= 22
        if not (position or tc <= 4 or tc == 19 or tc == 28 or tc == 29 or tc == 31):
            reject[i] = _UNKNOWN
            continue
        subtype = bits(me, 5, 7)
        if tc == 19 and (subtype == 0 or subtype > 4):
            reject[i] = _UNKNOWN
            continue
        at = ident = -1
        if key:
            at = recall(memory, s << 32 | key, t, tally)
            ident = slot_of(slots, key & 0xFFFFFF, 0, key >> 24)
        elif not position:
            reject[i] = _SHORT_OF_ROWS
            continue
        used = True

        if position:
            lat, lon, far = _position(me, t, receivers[s], memory, at)
            if far:
                reject[i] = _VALUE_RANGE
                tally[OUT_OF_RANGE] += 1
                continue
            height = altitude_ft(bits(me, 8, 19)) * FOOT
            pressure = np.nan if tc >= 20 else height
            flags = _FROM_ARRIVAL
            if not messages[i, GROUND_DERIVED]:
                flags |= _SELF_REPORTED
            if messages[i, RELAYED]:
                flags |= _RELAYED
            used = lat == lat or (at >= 0 and pressure == pressure)
            if lat == lat:
                kind, conf, sd = _AIRCRAFT_KIND, 0.6, RADIUS_M[tc] / 5.0
                east = north = up = vel_sd = np.nan
                if pressure == pressure:
                    height = np.nan
                    if at >= 0 and abs(t - memory.whole[at, BASE_NS]) <= KEEP_NS:
                        height = pressure + memory.real[at, BASE]
                    else:
                        flags |= _BAROMETRIC
                if at >= 0:
                    if memory.whole[at, KIND] >= 0:
                        kind, conf = memory.whole[at, KIND], 0.9
                    if abs(t - memory.whole[at, NACP_NS]) <= KEEP_NS:
                        sd = NACP_SD[memory.whole[at, NACP]]
                    if abs(t - memory.whole[at, VEL_NS]) <= JOIN_NS:
                        east, north = memory.real[at, EAST], memory.real[at, NORTH]
                        up, vel_sd = memory.real[at, UP], memory.real[at, VEL_SD]
                        memory.whole[at, VEL_NS] = NEVER
                if not sd >= receivers[s, 2]:
                    sd = receivers[s, 2] if receivers[s, 2] == receivers[s, 2] else sd
                tall = HEIGHT_SD if height == height else np.nan
                if tall < receivers[s, 3]:
                    tall = receivers[s, 3]
                obs.frame[j] = frame
                obs.t_ns[j] = t
                obs.recv_ns[j] = t
                obs.sensor[j] = s
                obs.ident[j] = ident
                obs.kind[j] = kind
                obs.kind_conf[j] = conf
                obs.lat[j] = lat
                obs.lon[j] = lon
                obs.height[j] = height
                var = sd * sd + CPR_VAR
                obs.cov[j, 0], obs.cov[j, 1], obs.cov[j, 2] = var, 0.0, 0.0
                obs.cov[j, 3], obs.cov[j, 4], obs.cov[j, 5] = var, 0.0, tall * tall
                obs.vel[j, 0], obs.vel[j, 1], obs.vel[j, 2] = east, north, up
                obs.vel_sd[j] = vel_sd
                obs.flags[j] = flags
                j += 1
                if at >= 0:
                    k = release(memory, at, frame, ident, out, k)  # too old to go along
            if at >= 0 and pressure == pressure:
                k = put(out, k, frame, t, t, s, ident, _PRESSURE, pressure)

        elif tc == 19:
            up = _signed(me, 36, 37, 45, 64.0 * FOOT / 60.0)
            base = _signed(me, 48, 49, 55, 25.0 * FOOT)
            used = up == up or base == base
            if subtype <= 2:
                k = release(memory, at, frame, ident, out, k)
                step = KNOT if subtype == 1 else 4.0 * KNOT
                east, north = _signed(me, 13, 14, 23, step), _signed(me, 24, 25, 34, step)
                used = used or east == east or north == north
                if up == up or east == east or north == north:
                    memory.whole[at, VEL_NS] = t
                    memory.real[at, EAST], memory.real[at, NORTH] = east, north
                    memory.real[at, UP] = up
                    memory.real[at, VEL_SD] = SPEED_SD[bits(me, 10, 12)]
            elif up == up:
                k = put(out, k, frame, t, t, s, ident, _VU, up)
            if base == base:
                memory.whole[at, BASE_NS], memory.real[at, BASE] = t, base
                k = put(out, k, frame, t, t, s, ident, _GEO_MINUS_BARO, base)

        elif 1 <= tc <= 4:
            if KINDS[tc, subtype] >= 0:
                memory.whole[at, KIND] = KINDS[tc, subtype]
            word = _readable(me)
            used = word > 0 or KINDS[tc, subtype] >= 0
            if word > 0:
                k = put(out, k, frame, t, t, s, ident, _CALLSIGN, 1.0)
                out.ident2[k - 1] = slot_of(slots, me & 0xFFFF_FFFF_FFFF, 0, CALLSIGN_KEY)
            elif word < 0:
                tally[BAD_CALLSIGN] += 1

        elif tc == 28 and subtype == 1:
            k = put(out, k, frame, t, t, s, ident, _EMERGENCY, float(bits(me, 8, 10)))
            k = put(out, k, frame, t, t, s, ident, _SQUAWK, float(_squawk(me)))

        elif tc == 31 and subtype <= 1 and bits(me, 40, 42) >= 1:
            nacp = bits(me, 44, 47)
            k = put(out, k, frame, t, t, s, ident, _NACP, float(nacp))
            if NACP_SD[nacp] == NACP_SD[nacp]:
                memory.whole[at, NACP], memory.whole[at, NACP_NS] = nacp, t

        else:
            pressure = altitude_ft(bits(me, 8, 19)) * FOOT
            used = tc == 0 and pressure == pressure
            if used:
                k = put(out, k, frame, t, t, s, ident, _PRESSURE, pressure)

        if not used:
            reject[i] = _SHORT_OF_ROWS
    return j, k
