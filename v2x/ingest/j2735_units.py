"""SAE J2735: SPAT, MAP, PSM and SDSM of a poll, from bits to rows in one call.

`v2x.ingest.j2735_programs` says what is read; here is what it means, in the units that
`v2x.ingest.j2735_rows` gives. Identities are slots of `v2x.ingest.interning`, their texts in
`v2x.ingest.j2735_told`.
"""

import math
from typing import NamedTuple

import numpy as np

from v2x.columns import F8, I4, I8, U1
from v2x.geodesy import E2, A, enu_to_geodetic
from v2x.ingest.accuracy import YDT3709_HEADING_SD, YDT3709_POSITION_SD, YDT3709_SPEED_SD
from v2x.ingest.decoded import Reject
from v2x.ingest.interning import Slots, slot_of
from v2x.ingest.j2735 import ELEVATION_NONE, LAT_NONE, LON_NONE
from v2x.ingest.j2735_programs import (
    ABOVE,
    AFTER,
    DAY,
    EAST,
    END_OF_INTERSECTION,
    EVENT,
    FLAT_CFD,
    HEADING,
    HEADING_CFD,
    HOUR,
    LAT,
    LEAST,
    LIGHT,
    LIKELY,
    LON,
    MAJOR,
    MINOR,
    MINUTE,
    MONTH,
    NODE,
    NORTH,
    NUMBER,
    OFFSET,
    ORIENTATION,
    PHASE,
    REGION,
    ROW,
    SENDER,
    SOURCE,
    SPEED,
    SPEED_CFD,
    STAMP,
    STATUS,
    SURE,
    TYPE,
    UP,
    UP_CFD,
    YEAR,
    Programs,
    Scratch,
)
from v2x.ingest.j2735_types import MAP, PSM, SPAT
from v2x.ingest.j2735cn_parts import ABSENT
from v2x.ingest.j2735cn_program import run
from v2x.ingest.rows import ObservationOut, ReadingOut, put
from v2x.ingest.timestamps import FUTURE_NS, PAST_NS, civil_ns, nearest
from v2x.ingest.timestamps import HOUR as HOUR_NS
from v2x.ingest.timestamps import MINUTE as MINUTE_NS
from v2x.ingest.uper import FAULT, VALUE_RANGE, finished, ranged, take
from v2x.jit import uncounted
from v2x.observations import Flag, Kind
from v2x.readings import Name

NODE_TEXT, PHASE_TEXT, PERSON_TEXT, SENSOR_TEXT = range(1, 5)
"""First word of an identity's key, above its 32 bits of region or temporary id."""

SEC_MARK_TOP = 61_000
"""60000..60999 is a leap second, above is reserved, 65535 unavailable."""
SPEED_NONE, HEADING_NONE, AXIS_NONE, ROUND = 8191, 28_800, 255, 65_535
STANDING_M_S = 0.5
NULL_ISLAND = 100_000
_MARK_TOP, _TENTH_NS, _ROADSIDE, _VEHICLE, _VULNERABLE = 36_000, 100_000_000, 1, 1, 2
_AXIS_M, _LEAST_AXIS_M = 0.05, 0.025

LIGHTS = np.array([0, 1, 2, 3, 3, 5, 6, 7, 7, 8], np.uint8)
"""`Name.SIGNAL_LIGHT` by phase state: before movement is still red, both clearances are yellow."""

_OK, _NOTHING = int(Reject.OK), int(Reject.NOTHING_TO_OBSERVE)
_SELF_REPORTED, _LENGTH_BAD = int(Flag.SELF_REPORTED), int(Flag.LENGTH_BAD)
_TIME_FROM_ARRIVAL, _TIME_SUSPECT = int(Flag.TIME_FROM_ARRIVAL), int(Flag.TIME_SUSPECT)
_UNKNOWN, _PEDESTRIAN = int(Kind.UNKNOWN), int(Kind.PEDESTRIAN)
_BICYCLE, _CAR = int(Kind.BICYCLE), int(Kind.CAR)
_SIGNAL_STATUS, _SIGNAL_LIGHT = int(Name.SIGNAL_STATUS), int(Name.SIGNAL_LIGHT)
_SIGNAL_LEFT, _MAP_HASH, _MAP_NODES = (
    int(Name.SIGNAL_LEFT_S), int(Name.MAP_HASH), int(Name.MAP_NODES),
)  # fmt: skip
_RSM_COUNT, _RSU_LOCATION = int(Name.RSM_COUNT), int(Name.RSU_LOCATION)


class Noise(NamedTuple):
    """Standard deviations by sensor, m, NaN where not configured."""

    sd: F8
    sd_up: F8


class Loose(NamedTuple):
    """What the kernel leaves for Python.

    `content` takes the bits of every MAP that count for its hash, as letters 0 and 1; `maps`
    (frames, 3) the reading that wants the hash and where its content begins and ends; `told` (2,)
    how many of these there are, and how many objects had optional data; `consts` (7,) and `enu`
    (256, 3) are scratch.
    """

    content: U1
    maps: I8
    told: I8
    consts: F8
    enu: F8


@uncounted
def read_units(
    programs: Programs, buf: U1, off: I8, message: I8, start: I8, frames: I8, sensor: I4,
    recv_ns: I8, noise: Noise, scratch: Scratch, slots: Slots, seen: ObservationOut,
    said: ReadingOut, loose: Loose, code: U1,
) -> tuple[int, int]:  # fmt: skip
    """Rows of the messages of `frames` (m,): (observations, readings) filled.

    off, message, start, code as `v2x.ingest.j2735.open_frames` has them; code is set. Identities
    of rows are slots.
    """
    register, wire, stack = scratch
    k = m = 0
    for f in range(frames.shape[0]):
        i = frames[f]
        p, end, recv, s = 8 * start[i], 8 * off[i + 1], recv_ns[i], sensor[i]
        k0, m0 = k, m
        if message[i] == SPAT:
            q, rows = run(programs.spat, buf, p, end, register, wire, 0, stack)
            q = finished(buf, q, end)
            if q < FAULT:
                m = _tell_signals(wire, rows, recv, s, slots, said, m)
        elif message[i] == MAP:
            q, rows = run(programs.map, buf, p, end, register, wire, 0, stack)
            q = finished(buf, q, end)
            if q < FAULT and rows > 0:
                _keep_content(buf, p, end, m, loose)
                m = _tell_map(wire, rows, recv, s, slots, said, m)
        elif message[i] == PSM:
            q, _ = run(programs.psm, buf, p, end, register, wire, 0, stack)
            if q < FAULT:
                k = _tell_person(register[0], recv, s, noise, slots, seen, k)
        else:
            q, k, m = _tell_objects(
                programs, buf, p, end, recv, s, noise, scratch, slots, seen, k, said, m, loose
            )
        if q >= FAULT:
            code[i], k, m = q - FAULT, k0, m0
            continue
        code[i] = _OK if k > k0 or m > m0 else _NOTHING
        for r in range(k0, k):
            seen.frame[r], seen.sensor[r], seen.recv_ns[r] = i, s, recv
        for r in range(m0, m):
            said.frame[r] = i
    return k, m


@uncounted
def _known(lat: int, lon: int) -> bool:
    """Whether coordinates are a place, and not where encoders without a fix drift."""
    return (
        lat != LAT_NONE and lon != LON_NONE and (abs(lat) > NULL_ISLAND or abs(lon) > NULL_ISLAND)
    )


@uncounted
def _node_slot(slots: Slots, row: I4, tag: int, phase: int) -> int:
    region = 0 if row[REGION] == ABSENT else int(row[REGION]) + 1
    return slot_of(slots, (tag << 32) | region, int(row[NODE]), phase)


@uncounted
def _sender_slot(slots: Slots, row: I4, tag: int) -> int:
    octets = int(row[SENDER]) & 0xFFFF_FFFF
    return slot_of(slots, (tag << 32) | octets, 0, 0) if octets else -1


@uncounted
def _in_minute(ms: int, recv: int) -> tuple[int, int]:
    """Event time of milliseconds in the minute, and its flags."""
    if not 0 <= ms < SEC_MARK_TOP:
        return recv, _TIME_FROM_ARRIVAL
    t_ns = nearest(recv, ms * 1_000_000, MINUTE_NS)
    return t_ns, (_TIME_SUSPECT if t_ns - recv > FUTURE_NS or recv - t_ns > PAST_NS else 0)


@uncounted
def _dated(row: I4, recv: int) -> tuple[int, int]:
    """Event time of a date and time of which any part may be missing, and its flags."""
    ms = row[STAMP]
    whole = row[YEAR] > 0 and row[MONTH] > 0 and row[DAY] > 0 and 0 <= ms < SEC_MARK_TOP
    if not whole or not 0 <= row[HOUR] < 24 or not 0 <= row[MINUTE] < 60:
        return _in_minute(ms, recv)
    offset = 0 if row[OFFSET] == ABSENT else int(row[OFFSET])
    minute = int(row[HOUR]) * 60 + int(row[MINUTE]) - offset
    t_ns = 0
    if 1969 <= row[YEAR] < 2200:  # a year has 12 bits, and those further out overflow
        midnight = civil_ns(int(row[YEAR]), int(row[MONTH]), int(row[DAY]), 0)
        t_ns = midnight + minute * MINUTE_NS + int(ms) * 1_000_000
    if not 0 < t_ns < 1 << 62:
        return recv, _TIME_FROM_ARRIVAL | _TIME_SUSPECT
    return t_ns, (_TIME_SUSPECT if t_ns - recv > FUTURE_NS or recv - t_ns > PAST_NS else 0)


@uncounted
def _tell_signals(
    wire: I4, rows: int, recv: int, s: int, slots: Slots, said: ReadingOut, m: int
) -> int:
    """Readings of a SPAT from row `m` on; the next free row."""
    t_ns, first, here = recv, True, False
    for r in range(rows):
        row = wire[r]
        if not here:
            t_ns, _ = _in_minute(row[STAMP], recv)
            slot = _node_slot(slots, row, NODE_TEXT, 0)
            m = put(said, m, 0, t_ns, recv, s, slot, _SIGNAL_STATUS, float(row[STATUS]))
        here, is_event = row[ROW] != END_OF_INTERSECTION, row[ROW] == EVENT
        if is_event and first:
            slot = _node_slot(slots, row, PHASE_TEXT, int(row[PHASE]))
            light = float(LIGHTS[row[LIGHT]])
            m = put(said, m, 0, t_ns, recv, s, slot, _SIGNAL_LIGHT, light)
            mark = row[LEAST] if row[LIKELY] == ABSENT else row[LIKELY]
            if 0 <= mark < _MARK_TOP:
                ends = nearest(t_ns, int(mark) * _TENTH_NS, HOUR_NS)
                m = put(said, m, 0, t_ns, recv, s, slot, _SIGNAL_LEFT, max(ends - t_ns, 0) / 1e9)
        first = not is_event
    return m


@uncounted
def _keep_content(buf: U1, p: int, end: int, m: int, loose: Loose) -> None:
    """Note a MAP whose readings begin at row `m`, and its bits but for time and revision.

    Bits, since the time moves what stands behind it and with it the zeros at the end.
    """
    one = loose.told[0]
    at = begin = loose.maps[one - 1, 2] if one else 0
    timed, _ = take(buf, p + 1, end, 1)
    behind = p + 9 + 20 * timed + 7
    for bit in range(p + 2, end):
        if bit < p + 9 or bit >= behind:
            loose.content[at] = 48 + ((buf[bit >> 3] >> (7 - (bit & 7))) & 1)
            at += 1
    while at > begin and loose.content[at - 1] == 48:
        at -= 1
    loose.maps[one, 0], loose.maps[one, 1], loose.maps[one, 2] = m, begin, at
    loose.told[0] = one + 1


@uncounted
def _tell_map(
    wire: I4, rows: int, recv: int, s: int, slots: Slots, said: ReadingOut, m: int
) -> int:
    """Readings of a MAP from row `m` on, the first of them its hash; the next free row."""
    row, first = wire[0], m
    slot = _node_slot(slots, row, NODE_TEXT, 0)
    m = put(said, m, 0, recv, recv, s, slot, _MAP_HASH, np.nan)
    m = put(said, m, 0, recv, recv, s, slot, _MAP_NODES, float(rows))
    if _known(row[LAT], row[LON]):
        for r in range(first, m):
            said.lat[r], said.lon[r] = row[LAT] / 1e7, row[LON] / 1e7
    return m


@uncounted
def _ellipse(row: I4, floor: float) -> tuple[float, float, float]:
    """EE, EN, NN of an accuracy ellipse; `floor` is the sensor's own sd, NaN unknown."""
    a = b = np.nan
    if row[MAJOR] < AXIS_NONE and row[MINOR] < AXIS_NONE:
        a = max(row[MAJOR] * _AXIS_M, _LEAST_AXIS_M)
        b = max(row[MINOR] * _AXIS_M, _LEAST_AXIS_M)
    if row[ORIENTATION] == ROUND:
        a = b = np.fmax(a, b)
    a, b = np.fmax(a, floor), np.fmax(b, floor)
    t = math.radians(row[ORIENTATION] * (360.0 / 65_535.0))
    s, c = math.sin(t), math.cos(t)
    return a * a * s * s + b * b * c * c, (a * a - b * b) * s * c, a * a * c * c + b * b * s * s


@uncounted
def _motion(row: I4) -> tuple[float, float]:
    """East and north m/s; 0 for a slow one without a heading, else NaN where unknown."""
    v = np.nan if row[SPEED] == SPEED_NONE else row[SPEED] * 0.02
    if row[HEADING] == HEADING_NONE:
        still = 0.0 if v < STANDING_M_S else np.nan
        return still, still
    angle = math.radians(row[HEADING] * 0.0125)
    return v * math.sin(angle), v * math.cos(angle)


@uncounted
def _tell_person(
    row: I4, recv: int, s: int, noise: Noise, slots: Slots, seen: ObservationOut, k: int
) -> int:
    """Row of a PSM, if it says a place; the next free row."""
    if not _known(row[LAT], row[LON]):
        return k
    kind = _UNKNOWN
    if row[TYPE] == 1 or row[TYPE] == 3:
        kind = _PEDESTRIAN
    elif row[TYPE] == 2:
        kind = _BICYCLE
    t_ns, flags = _in_minute(row[STAMP], recv)
    seen.t_ns[k], seen.flags[k] = t_ns, flags | _SELF_REPORTED
    seen.ident[k], seen.track_ref[k] = _sender_slot(slots, row, PERSON_TEXT), -1
    seen.kind[k], seen.kind_conf[k] = kind, (0.0 if kind == _UNKNOWN else 0.9)
    seen.lat[k], seen.lon[k] = row[LAT] / 1e7, row[LON] / 1e7
    high = row[UP] != ABSENT and row[UP] != ELEVATION_NONE
    seen.height[k] = row[UP] / 10.0 if high else np.nan
    seen.cov[k] = 0.0
    seen.cov[k, 0], seen.cov[k, 1], seen.cov[k, 3] = _ellipse(row, noise.sd[s])
    seen.cov[k, 5] = noise.sd_up[s] ** 2 if high else np.nan
    seen.vel[k, 0], seen.vel[k, 1] = _motion(row)
    seen.vel_sd[k] = np.nan  # a refused SDSM may have been in this row
    return k + 1


@uncounted
def _stand(lat: float, lon: float, height: float, consts: F8) -> None:
    """Constants of a local frame, as `v2x.geodesy.Tile.consts` has them."""
    t = lat * (math.pi / 180.0)
    s, c = math.sin(t), math.cos(t)
    n = A / math.sqrt(1.0 - E2 * s * s)
    consts[0], consts[1], consts[2], consts[3], consts[6] = lat, lon, s, c, height
    consts[4], consts[5] = (n + height) * c, (n * (1.0 - E2) + height) * s


@uncounted
def _tell_objects(
    programs: Programs, buf: U1, p: int, end: int, recv: int, s: int, noise: Noise,
    scratch: Scratch, slots: Slots, seen: ObservationOut, k: int, said: ReadingOut, m: int,
    loose: Loose,
) -> tuple[int, int, int]:  # fmt: skip
    """Rows of an SDSM up to its first object with optional data, whose layout is not known.

    A position or fault, and the next free (observation, reading).
    """
    register, wire, stack = scratch
    row, k0 = register[0], k
    p, _ = run(programs.head, buf, p, end, register, wire, 0, stack)
    count, p = ranged(buf, p, end, 8, 255)
    if p >= FAULT:
        return p, k, m
    placed = _known(row[LAT], row[LON])
    t_ns, flags = _dated(row, recv)
    high = row[UP] != ABSENT and row[UP] != ELEVATION_NONE
    here = row[UP] / 10.0 if high else np.nan
    ee, en, nn = _ellipse(row, np.nan)
    if math.isnan(ee):
        ee = en = nn = 0.0
    for n in range(count + 1):
        optional, p = take(buf, p, end, 2)
        if optional == 3:
            return VALUE_RANGE, k, m
        p, _ = run(programs.object, buf, p, end, register, wire, 0, stack)
        if p >= FAULT:
            return p, k, m
        if placed:
            _tell_object(row, t_ns, ee, en, nn, s, noise, seen, k)
            loose.enu[n, 0], loose.enu[n, 1] = row[EAST] * 0.1, row[NORTH] * 0.1
            loose.enu[n, 2] = np.nan if row[ABOVE] == ABSENT else row[ABOVE] * 0.1
            k += 1
        if optional:
            flags |= _LENGTH_BAD if n < count else 0
            loose.told[1] += 1
            break
    else:
        p = finished(buf, p, end)
        if p >= FAULT:
            return p, k, m
    slot = _sender_slot(slots, row, SENSOR_TEXT)
    m = put(said, m, 0, t_ns, recv, s, slot, _RSM_COUNT, float(count + 1))
    if not placed:
        return p, k, m
    lat, lon = row[LAT] / 1e7, row[LON] / 1e7
    if row[SOURCE] == _ROADSIDE:
        m = put(said, m, 0, t_ns, recv, s, slot, _RSU_LOCATION, here)
        said.lat[m - 1], said.lon[m - 1] = lat, lon
    ground = here if high else 0.0
    _stand(lat, lon, ground, loose.consts)
    enu_to_geodetic(
        loose.enu[: k - k0], ground, loose.consts, seen.lat[k0:k], seen.lon[k0:k],
        seen.height[k0:k],
    )  # fmt: skip
    for r in range(k0, k):
        seen.flags[r] = flags
        if not high:
            seen.height[r] = np.nan
        # Until here it was the claim alone.
        up = np.fmax(seen.cov[r, 5], noise.sd_up[s]) ** 2
        seen.cov[r, 5] = up if abs(seen.height[r]) < np.inf else np.nan
    return p, k, m


@uncounted
def _tell_object(
    row: I4, t_ns: int, ee: float, en: float, nn: float, s: int, noise: Noise,
    seen: ObservationOut, k: int,
) -> None:  # fmt: skip
    """Row of an object but for its place and flags; the last of its covariance is a sd yet."""
    kind, weight = _UNKNOWN, 0.0
    if row[TYPE] == _VEHICLE:  # which is a car more often than not,
        kind, weight = _CAR, 0.5
    elif row[TYPE] == _VULNERABLE:  # and a vulnerable road user one on foot
        kind, weight = _PEDESTRIAN, 0.7
    sure = row[SURE] / 100.0 if 1 <= row[SURE] <= 100 else 1.0
    seen.t_ns[k] = t_ns + int(row[AFTER]) * 1_000_000
    seen.ident[k], seen.track_ref[k] = -1, row[NUMBER]
    seen.kind[k], seen.kind_conf[k] = kind, weight * sure
    sd = np.fmax(YDT3709_POSITION_SD[row[FLAT_CFD]], noise.sd[s]) ** 2
    seen.cov[k, 0], seen.cov[k, 1], seen.cov[k, 2] = sd + ee, en, 0.0
    seen.cov[k, 3], seen.cov[k, 4] = sd + nn, 0.0
    seen.cov[k, 5] = YDT3709_POSITION_SD[row[UP_CFD]]
    east, north = _motion(row)
    seen.vel[k, 0], seen.vel[k, 1] = east, north
    turned = math.sqrt(east * east + north * north) * YDT3709_HEADING_SD[row[HEADING_CFD]]
    seen.vel_sd[k] = np.fmax(YDT3709_SPEED_SD[row[SPEED_CFD]], turned)
