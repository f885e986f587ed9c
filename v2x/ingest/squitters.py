"""Rows of extended squitters and replies, with what is remembered of their aircraft."""

import numpy as np

from v2x.columns import F8, I4, I8, U1
from v2x.ingest.accuracy import NACP_SD, SPEED_SD
from v2x.ingest.aircraft import (
    BASE,
    BASE_NS,
    EAST,
    EVEN,
    EVEN_NS,
    GROUND,
    HEARD,
    INTEGRITY,
    INTEGRITY_NS,
    KEEP_NS,
    KIND,
    NACP,
    NACP_NS,
    NEVER,
    NIC,
    NIC_NS,
    NORTH,
    ODD,
    ODD_NS,
    SECOND,
    SEED,
    TIMES,
    UP,
    VEL_NS,
    VEL_RECV,
    VEL_SD,
    WHO,
    Memory,
    ident_slot,
    known,
    recall,
    release,
)  # fmt: skip
from v2x.ingest.decoded import Reject
from v2x.ingest.interning import Slots, mixed, slot_of
from v2x.ingest.modes import (
    AIR,
    CALLSIGN,
    CLOCKED,
    DF,
    FOOT,
    GROUND_DERIVED,
    ICAO,
    KEY,
    KNOT,
    ME,
    RELAYED,
    SURFACE,
    T_NS,
    altitude13_ft,
    altitude_ft,
    bits,
    containment,
    from_pair,
    local,
    movement_kt,
    squawk,
)  # fmt: skip
from v2x.ingest.rows import ObservationOut, ReadingOut, on_globe, put
from v2x.ingest.timestamps import clock_wrong
from v2x.jit import uncounted
from v2x.observations import Flag, Kind
from v2x.readings import Name

PAIR_NS = 10 * SECOND
JOIN_NS = 2 * SECOND
TELL_NS = 5 * SECOND
"""A NIC that does not change is told so often; ours."""
RANGE_KM = 450.0
HEIGHT_SD = 15.0
CPR_SD, SURFACE_CPR_SD = 1.5, 0.4
"""Standard deviation of a compact position: steps of 5.1 m, and of a quarter of that."""

CALLSIGN_KEY = 3
"""Scheme of interned callsigns, beside `ICAO` and `ADSB18`."""

KINDS: I8 = np.full((5, 8), -1)
"""Kind by type code 1 to 4 (sets D to A) and category; -1 says nothing."""
KINDS[4, 1:7], KINDS[4, 7] = Kind.AIRCRAFT, Kind.HELICOPTER
KINDS[3, 1:5], KINDS[3, 6] = Kind.AIRCRAFT, Kind.UAS
KINDS[2, 1], KINDS[2, 3], KINDS[2, 4:8] = Kind.EMERGENCY_VEHICLE, Kind.CAR, Kind.OBSTACLE

FORGOTTEN, OUT_OF_RANGE, BAD_CALLSIGN = range(3)
TALLIES = ("aircraft_forgotten", "position_range", "bad_callsign")

_OK = int(Reject.OK)
_NOTHING = int(Reject.NOTHING_TO_OBSERVE)
_UNKNOWN = int(Reject.UNKNOWN_MESSAGE)
_VALUE_RANGE = int(Reject.VALUE_RANGE)
_BAD_CHECKSUM = int(Reject.BAD_CHECKSUM)
_SELF_REPORTED = int(Flag.SELF_REPORTED)
_RELAYED = int(Flag.RELAYED)
_FROM_ARRIVAL = int(Flag.TIME_FROM_ARRIVAL)
_SUSPECT = int(Flag.TIME_SUSPECT)
_BAROMETRIC = int(Flag.HEIGHT_BAROMETRIC)
_AIRCRAFT_KIND = int(Kind.AIRCRAFT)
_SQUAWK, _EMERGENCY, _CALLSIGN = int(Name.SQUAWK), int(Name.EMERGENCY), int(Name.CALLSIGN)
_NACP, _NIC, _SIL = int(Name.NACP), int(Name.NIC), int(Name.SIL)
_GEO_MINUS_BARO, _PRESSURE = int(Name.GEO_MINUS_BARO_M), int(Name.PRESSURE_ALTITUDE)
_VU, _GROUND_BIT, _CLOCK = (
    int(Name.VELOCITY_UP), int(Name.GROUND_BIT), int(Name.CLOCK_OFFSET_S)
)  # fmt: skip


def text_of(w0: int, w1: int, w2: int) -> str:
    """Text of an interned address or callsign."""
    if w2 == CALLSIGN_KEY:
        letters = "".join(CALLSIGN[w0 >> shift & 63] for shift in range(42, -1, -6))
        return f"callsign:{letters.strip()}"
    return f"{'icao' if w2 == ICAO else 'adsb18'}:{w0:06x}"


@uncounted
def _signed(me: int, sign: int, first: int, last: int, step: float) -> float:
    """(raw - 1) steps; NaN for 0 and for the largest value, which means "more"."""
    raw = bits(me, first, last)
    if raw == 0 or raw == (1 << (last - first + 1)) - 1:
        return np.nan
    return (1 - raw) * step if bits(me, sign, sign) else (raw - 1) * step


@uncounted
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


@uncounted
def _near(me: int, near_lat: float, near_lon: float, span: float) -> tuple[float, float, bool]:
    """Latitude, longitude, by the receiver's place; are they too far away to be true."""
    odd, lat17, lon17 = bits(me, 21, 21), bits(me, 22, 38), bits(me, 39, 55)
    lat, lon = local(lat17, lon17, odd, near_lat, near_lon, span)
    north, east = lat - near_lat, lon - near_lon
    if abs(north) > 1.0 or abs(east) > 1.0:
        east -= 360.0 * np.floor((east + 180.0) / 360.0)
        east *= np.cos(np.radians(0.5 * (lat + near_lat)))
        if (north * north + east * east) * 111.2 * 111.2 > RANGE_KM * RANGE_KM:
            return lat, lon, True
    return lat, lon, not on_globe(lat, lon)


@uncounted
def _paired(me: int, t: int, memory: Memory, at: int) -> tuple[float, float, bool]:
    """Latitude, longitude of a pair (NaN: not yet), and is that no place."""
    odd, lat17, lon17 = bits(me, 21, 21), bits(me, 22, 38), bits(me, 39, 55)
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


@uncounted
def _grounded(
    memory: Memory, at: int, on: bool, out: ReadingOut, k: int, frame: int, t: int, recv: int,
    s: int, ident: int,
) -> int:  # fmt: skip
    """Tell that an aircraft is on the ground, each time; that it left it, once."""
    if on:
        memory.whole[at, GROUND] = 1
        return put(out, k, frame, t, recv, s, ident, _GROUND_BIT, 1.0)
    if memory.whole[at, GROUND]:
        memory.whole[at, GROUND] = 0
        return put(out, k, frame, t, recv, s, ident, _GROUND_BIT, 0.0)
    return k


@uncounted
def _reply(
    df: int, me: int, memory: Memory, at: int, out: ReadingOut, k: int, frame: int, t: int,
    recv: int, s: int, ident: int,
) -> int:  # fmt: skip
    """Readings of a reply of DF 0, 4, 5, 16, 20 or 21: altitude or squawk, and the ground bit."""
    status, code = me >> 13, me & 0x1FFF
    if df == 5 or df == 21:
        k = put(out, k, frame, t, recv, s, ident, _SQUAWK, float(squawk(code)))
    else:
        pressure = altitude13_ft(code) * FOOT
        if pressure == pressure:
            k = put(out, k, frame, t, recv, s, ident, _PRESSURE, pressure)
    if df == 0 or df == 16:
        return _grounded(memory, at, status == 1, out, k, frame, t, recv, s, ident)
    if status <= 3:  # 4 and 5 do not say where it is
        return _grounded(memory, at, status & 1 == 1, out, k, frame, t, recv, s, ident)
    return k


@uncounted
def _tell(
    me: int, tc: int, t: int, recv: int, s: int, frame: int, ident: int, memory: Memory, at: int,
    slots: Slots, tally: I8, out: ReadingOut, k: int,
) -> tuple[int, bool]:  # fmt: skip
    """Readings of a squitter without a position or velocity; did it say anything."""
    subtype = bits(me, 5, 7)
    if 1 <= tc <= 4:
        if KINDS[tc, subtype] >= 0:
            memory.whole[at, KIND] = KINDS[tc, subtype]
        word = _readable(me)
        if word > 0:
            k = put(out, k, frame, t, recv, s, ident, _CALLSIGN, 1.0)
            out.ident2[k - 1] = slot_of(slots, me & 0xFFFF_FFFF_FFFF, 0, CALLSIGN_KEY)
        elif word < 0:
            tally[BAD_CALLSIGN] += 1
        return k, word > 0 or KINDS[tc, subtype] >= 0
    if tc == 28 and subtype == 1:
        k = put(out, k, frame, t, recv, s, ident, _EMERGENCY, float(bits(me, 8, 10)))
        return put(out, k, frame, t, recv, s, ident, _SQUAWK, float(squawk(bits(me, 11, 23)))), True
    version = bits(me, 40, 42)
    nacp = sil = -1
    if tc == 31 and subtype <= 1 and version >= 1:
        nacp, sil = bits(me, 44, 47), bits(me, 50, 51)
        supplement_c = bits(me, 19, 19) if subtype == 1 else 0
        memory.whole[at, INTEGRITY] = version << 2 | bits(me, 43, 43) << 1 | supplement_c
        memory.whole[at, INTEGRITY_NS] = t
    elif tc == 29 and bits(me, 5, 6) <= 1:
        nacp, sil = bits(me, 39, 42), bits(me, 44, 45)
    if nacp >= 0:
        k = put(out, k, frame, t, recv, s, ident, _NACP, float(nacp))
        k = put(out, k, frame, t, recv, s, ident, _SIL, float(sil))
        if NACP_SD[nacp] == NACP_SD[nacp]:
            memory.whole[at, NACP], memory.whole[at, NACP_NS] = nacp, t
        return k, True
    pressure = altitude_ft(bits(me, 8, 19)) * FOOT
    if tc == 0 and pressure == pressure:
        return put(out, k, frame, t, recv, s, ident, _PRESSURE, pressure), True
    return k, False


@uncounted
def _velocity(
    me: int, t: int, recv: int, s: int, frame: int, ident: int, memory: Memory, at: int,
    out: ReadingOut, k: int,
) -> tuple[int, bool]:  # fmt: skip
    """Take a velocity (TC 19); did it say anything."""
    subtype = bits(me, 5, 7)
    up = _signed(me, 36, 37, 45, 64.0 * FOOT / 60.0)
    base = _signed(me, 48, 49, 55, 25.0 * FOOT)
    used = up == up or base == base
    if subtype <= 2:
        k = release(memory, at, frame, ident, out, k)
        step = KNOT if subtype == 1 else 4.0 * KNOT
        east, north = _signed(me, 13, 14, 23, step), _signed(me, 24, 25, 34, step)
        used = used or east == east or north == north
        if up == up or east == east or north == north:
            memory.whole[at, VEL_NS], memory.whole[at, VEL_RECV] = t, recv
            memory.real[at, EAST], memory.real[at, NORTH] = east, north
            memory.real[at, UP] = up
            memory.real[at, VEL_SD] = SPEED_SD[bits(me, 10, 12)]
    elif up == up:
        k = put(out, k, frame, t, recv, s, ident, _VU, up)
    if base == base:
        memory.whole[at, BASE_NS], memory.real[at, BASE] = t, base
        k = put(out, k, frame, t, recv, s, ident, _GEO_MINUS_BARO, base)
    return k, used


@uncounted
def _surface_velocity(me: int) -> tuple[float, float]:
    """East and north of a surface position, m/s; NaN where it does not say."""
    speed = movement_kt(bits(me, 5, 11)) * KNOT
    if bits(me, 12, 12):
        track = np.radians(bits(me, 13, 19) * 360.0 / 128.0)
        return speed * np.sin(track), speed * np.cos(track)
    return (0.0, 0.0) if speed < 0.5 else (np.nan, np.nan)


@uncounted
def fill_rows(
    first: int, messages: I8, recv_ns: I8, sensor: I4, receivers: F8, memory: Memory, slots: Slots,
    reject: U1, tally: I8, obs: ObservationOut, j: int, out: ReadingOut, k: int,
) -> tuple[int, int]:  # fmt: skip
    """Rows of messages (n, MESSAGE), frames `first`.., written from rows `j` and `k` on.

    receivers (sensors, 4): lat, lon, sd horizontal and up. Identities are slots of `slots`. At most
    one observation a position and eight readings a message. Returns the next free rows.
    """
    for i in range(messages.shape[0]):
        if reject[i]:
            continue
        key, me, t, s = messages[i, KEY], messages[i, ME], messages[i, T_NS], int(sensor[i])
        df, recv = messages[i, DF], recv_ns[i]
        frame = first + i
        if df != 17 and df != 18:
            at = -1
            if key:
                at = (
                    recall(memory, s << 32 | key, t, tally)
                    if df == 11
                    else known(memory, s << 32 | key, t)
                )
            if at < 0:
                reject[i] = _NOTHING if df == 11 else _BAD_CHECKSUM
                continue
            before = k
            if df != 11:
                ident = slot_of(slots, key & 0xFFFFFF, 0, key >> 24)
                k = _reply(df, me, memory, at, out, k, frame, t, recv, s, ident)
            reject[i] = _OK if k > before else _NOTHING
            continue
        tc = me >> 51
        surface = 5 <= tc <= 8
        position = surface or 9 <= tc <= 18 or 20 <= tc <= 22
        if not (position or tc <= 4 or tc == 19 or tc == 28 or tc == 29 or tc == 31):
            reject[i] = _UNKNOWN
            continue
        if tc == 19 and not 1 <= bits(me, 5, 7) <= 4:
            reject[i] = _UNKNOWN
            continue
        at = ident = -1
        if key:
            who = s << 32 | key
            at = mixed(SEED, who) & (memory.whole.shape[0] - 1)
            if memory.whole[at, WHO] == who:
                memory.whole[at, HEARD] = t
                memory.whole[at, TIMES] += 1
            else:
                at = recall(memory, who, t, tally)
            ident = ident_slot(memory, at, key, slots)
        elif not position:
            reject[i] = _NOTHING
            continue
        flags = 0 if messages[i, CLOCKED] else _FROM_ARRIVAL
        if messages[i, CLOCKED] and clock_wrong(t, recv):
            flags |= _SUSPECT
        wrong = flags & _SUSPECT != 0 and at >= 0

        if not position:
            if tc == 19:
                k, used = _velocity(me, t, recv, s, frame, ident, memory, at, out, k)
            else:
                k, used = _tell(me, tc, t, recv, s, frame, ident, memory, at, slots, tally, out, k)
            if wrong:
                k = put(out, k, frame, t, recv, s, ident, _CLOCK, (t - recv) / SECOND)
            if not used and not wrong:
                reject[i] = _NOTHING
            continue

        lat = lon = np.nan
        far = False
        near_lat, near_lon = receivers[s, 0], receivers[s, 1]
        if near_lat == near_lat and near_lon == near_lon:
            lat, lon, far = _near(me, near_lat, near_lon, SURFACE if surface else AIR)
        elif at >= 0 and not surface:  # a pair on the ground fits in four places
            lat, lon, far = _paired(me, t, memory, at)
        if far:
            reject[i] = _VALUE_RANGE
            tally[OUT_OF_RANGE] += 1
            continue
        height = np.nan if surface else altitude_ft(bits(me, 8, 19)) * FOOT
        pressure = np.nan if tc >= 20 else height
        if not messages[i, GROUND_DERIVED]:
            flags |= _SELF_REPORTED
        if messages[i, RELAYED]:
            flags |= _RELAYED
        before = k
        said = 0  # version and NIC supplements
        if at >= 0 and abs(t - memory.whole[at, INTEGRITY_NS]) <= KEEP_NS:
            said = memory.whole[at, INTEGRITY]
        supplement_b = 0 if surface else bits(me, 7, 7)
        nic, radius = containment(tc, said >> 2, said >> 1 & 1, supplement_b, said & 1)
        if lat == lat:
            kind, conf, sd = _AIRCRAFT_KIND, 0.6, radius / 5.0
            east = north = up = vel_sd = np.nan
            if surface:
                east, north = _surface_velocity(me)
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
                if not surface and abs(t - memory.whole[at, VEL_NS]) <= JOIN_NS:
                    east, north = memory.real[at, EAST], memory.real[at, NORTH]
                    up, vel_sd = memory.real[at, UP], memory.real[at, VEL_SD]
                    memory.whole[at, VEL_NS] = NEVER
            if not sd >= receivers[s, 2]:
                sd = receivers[s, 2] if receivers[s, 2] == receivers[s, 2] else sd
            tall = HEIGHT_SD if height == height else np.nan
            if tall < receivers[s, 3]:
                tall = receivers[s, 3]
            coding = SURFACE_CPR_SD if surface else CPR_SD
            obs.frame[j] = frame
            obs.t_ns[j] = t
            obs.recv_ns[j] = recv
            obs.sensor[j] = s
            obs.ident[j] = ident
            obs.kind[j] = kind
            obs.kind_conf[j] = conf
            obs.lat[j] = lat
            obs.lon[j] = lon
            obs.height[j] = height
            var = sd * sd + coding * coding
            obs.cov[j, 0], obs.cov[j, 1], obs.cov[j, 2] = var, 0.0, 0.0
            obs.cov[j, 3], obs.cov[j, 4], obs.cov[j, 5] = var, 0.0, tall * tall
            obs.vel[j, 0], obs.vel[j, 1], obs.vel[j, 2] = east, north, up
            obs.vel_sd[j] = vel_sd
            obs.flags[j] = flags
            j += 1
            if at >= 0 and memory.whole[at, VEL_NS] > NEVER:  # too old to go along
                k = release(memory, at, frame, ident, out, k)
        if at >= 0:
            if pressure == pressure:
                k = put(out, k, frame, t, recv, s, ident, _PRESSURE, pressure)
            if surface or memory.whole[at, GROUND]:
                k = _grounded(memory, at, surface, out, k, frame, t, recv, s, ident)
            stale = abs(t - memory.whole[at, NIC_NS]) >= TELL_NS
            if stale or memory.whole[at, NIC] != nic:
                memory.whole[at, NIC], memory.whole[at, NIC_NS] = nic, t
                k = put(out, k, frame, t, recv, s, ident, _NIC, float(nic))
            if wrong:
                k = put(out, k, frame, t, recv, s, ident, _CLOCK, (t - recv) / SECOND)
        if lat != lat and k == before:
            reject[i] = _NOTHING
    return j, k
