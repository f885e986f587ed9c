"""Roadside messages of YD/T 3709-2020 and T/CSAE 53: from UPER bits to wire numbers.

::

    MessageFrame            x, choice of 3 bits: 0 BSM, 1 MAP, 2 RSM, 3 SPAT, 4 RSI
    RoadsideSafetyMessage   x; msgCnt 7, id 64, refPos, participants 1..16 (4)
      ParticipantData       x + 6; ptcType x3, ptcId 16, source x3, id? 64, secMark 16, pos,
                            posConfidence, transmission? 3, speed 13, heading 15, angle? 8,
                            motionCfd?, accelSet?, size, vehicleClass?
    BasicSafetyMessage      x + 7; msgCnt 7, id 64, secMark 16, timeConfidence? 6, pos,
                            posAccuracy? 8 8 16, posConfidence?, transmission 3, speed 13,
                            heading 15, angle? 8, motionCfd?, accelSet, brakes, size,
                            vehicleClass, safetyExt?, emergencyExt?
      safetyExt             x + 4; events? x13, pathHistory?, pathPrediction?, lights? x9
        pathHistory         x + 2; initialPosition?, currGNSSstatus? 8, crumbData 1..23 (5)
      emergencyExt          x + 3; responseType? x3, sirenUse? 2, lightsUse? 3

"x" is an extension bit, "+ n" presence bits for the fields marked "?". Layout, ranges and the two
editions are those of the schema release of July 2019 and of the trials of October 2020; real
frames, an independent encoder and the tables of the tests agree bit by bit. The editions differ
in the position at the head of a path history only, and a frame does not say which one it is.

A message becomes one row of `WIRE` columns per participant (RSM) or one (BSM), in the units of
the wire, positions already summed: offsets of an RSM count from its ``refPos``, longitude first.
`ABSENT` stands for a field that was not sent and for the schema's own "unavailable" of positions
and heights. Longer than most modules: two messages share every small type below them.
"""

import numpy as np

from v2x.columns import I4, I8, U1
from v2x.ingest.decoded import Reject
from v2x.ingest.uper import (
    FAULT,
    VALUE_RANGE,
    additions,
    bits,
    enumerated,
    finished,
    ranged,
    skip,
    take,
)
from v2x.jit import kernel

ABSENT = -(1 << 31)

(
    PTC_TYPE, PTC_ID, SOURCE, HAS_ID, ID_HIGH, ID_LOW, SEC_MARK, LAT, LON, ELEVATION, POS_CFD,
    ELEVATION_CFD, SPEED, HEADING, SPEED_CFD, HEADING_CFD, WIDTH, LENGTH, HEIGHT, CLASS,
    SEMI_MAJOR, SEMI_MINOR, ORIENTATION, EVENTS, BRAKE_PEDAL, WHEEL_BRAKES, RESPONSE, SIREN,
    LIGHTS, GUESSED,
) = range(30)  # fmt: skip
WIRE = 30
"""Columns of a wire row."""

EDITION_AUTO, EDITION_2019, EDITION_2020, EDITION_UNKNOWN = range(4)
EDITIONS = {
    "auto": EDITION_AUTO, "2019": EDITION_2019, "2020": EDITION_2020, "day2": EDITION_2020,
}  # fmt: skip
"""``day2`` (T/CSAE 157) adds what readers of 2020 skip; 2017 is another message altogether."""

BSM, MAP, RSM, SPAT, RSI = range(5)

_SHORT = int(Reject.SHORT)
_BAD_MAGIC = int(Reject.BAD_MAGIC)
_UNKNOWN_MESSAGE = int(Reject.UNKNOWN_MESSAGE)
_UNKNOWN_EDITION = int(Reject.UNKNOWN_EDITION)

_OFFSET_BITS = (12, 14, 16, 18, 22, 24)
_LAT_TOP, _LON_TOP = 1_800_000_001, 3_600_000_000
_LAT_NONE, _LON_NONE = 900_000_001, 1_800_000_001
_HEADING_TOP = 28_800


@kernel
def rows_at_most(buf: U1, start: I8, stop: I8) -> int:
    """Rows that the frames ``buf[start[j]:stop[j]]`` can give, from their counts alone."""
    rows = 0
    for j in range(start.shape[0]):
        p, end = 8 * start[j], 8 * stop[j]
        head, p = take(buf, p, end, 4)
        if head == BSM:
            rows += 1
        elif head == RSM:
            p = skip(p, end, 1 + 7 + 64)
            high, p = take(buf, p, end, 1)
            count, p = take(buf, skip(p, end, 63 + 16 * high), end, 4)
            rows += count + 1
    return rows


@kernel
def walk(
    buf: U1, start: I8, stop: I8, sensor: I4, edition: U1, learned: U1, wire: I4, first: I8,
    head: I8, code: U1,
) -> int:  # fmt: skip
    """Read every frame; the number of rows in `wire`.

    buf u1 padded, start, stop (n,) bytes, sensor (n,), edition, learned (sensors,) of EDITION_*
    -> wire (`rows_at_most`, WIRE), first (n + 1,) row of each frame, head (n,) message id,
    code (n,) `Reject`; `learned` is what auto settled on, changed in place.
    """
    n = 0
    for j in range(start.shape[0]):
        first[j] = n
        head[j] = 0
        p, end = 8 * start[j], 8 * stop[j]
        s = sensor[j]
        kind, p = take(buf, p, end, 4)
        if p >= FAULT:
            code[j] = _SHORT
        elif edition[s] == EDITION_UNKNOWN:
            code[j] = _UNKNOWN_EDITION
        elif kind == RSM:
            rows, p = _rsm(buf, p, end, wire, n, head, j)
            code[j] = max(p - FAULT, 0)
            if p < FAULT:
                n += rows
        elif kind == BSM:
            auto = edition[s] == EDITION_AUTO
            known = max(learned[s], EDITION_2019) if auto else edition[s]
            q, matters = _bsm(buf, p, end, known == EDITION_2019, wire, n, head, j)
            if auto and matters:
                if q >= FAULT:
                    other = EDITION_2019 + EDITION_2020 - known
                    again, _ = _bsm(buf, p, end, other == EDITION_2019, wire, n, head, j)
                    if again < FAULT:
                        q, known = again, other
                if q < FAULT:
                    learned[s] = known
                    wire[n, GUESSED] = 1
            code[j] = max(q - FAULT, 0)
            if q < FAULT:
                n += 1
        elif kind <= RSI or kind >= 8:
            code[j] = _UNKNOWN_MESSAGE
        else:
            code[j] = _BAD_MAGIC
    first[start.shape[0]] = n
    return n


@kernel
def decodes(buf: U1, start: int, stop: int) -> bool:
    """Whether an RSM or BSM stands in these bytes, in any edition."""
    wire = np.empty((16, WIRE), np.int32)
    head = np.empty(1, np.int64)
    end = 8 * stop
    kind, p = take(buf, 8 * start, end, 4)
    if kind == RSM:
        return _rsm(buf, p, end, wire, 0, head, 0)[1] < FAULT
    if kind == BSM:
        return (
            _bsm(buf, p, end, True, wire, 0, head, 0)[0] < FAULT
            or _bsm(buf, p, end, False, wire, 0, head, 0)[0] < FAULT
        )
    return False


@kernel
def _rsm(buf: U1, p: int, end: int, wire: I4, n: int, head: I8, j: int) -> tuple[int, int]:
    """Roadside safety message from its extension bit; (participants, position)."""
    more, p = take(buf, p, end, 1)
    _, p = take(buf, p, end, 7)
    high, p = take(buf, p, end, 32)
    low, p = take(buf, p, end, 32)
    head[j] = (high << 32) | low
    lat, lon, elevation, p = _position(buf, p, end)
    count, p = take(buf, p, end, 4)
    if p >= FAULT:
        return 0, p
    for i in range(count + 1):
        p = _participant(buf, p, end, lat, lon, elevation, wire, n + i)
        if p >= FAULT:
            return 0, p
    if more:
        p = additions(buf, p, end)
    return count + 1, finished(buf, p, end)


@kernel
def _participant(
    buf: U1, p: int, end: int, lat: int, lon: int, elevation: int, wire: I4, n: int
) -> int:
    """One participant into row `n`; positions count from lat, lon, elevation."""
    more, p = take(buf, p, end, 1)
    has, p = take(buf, p, end, 6)
    wire[n, PTC_TYPE], p = enumerated(buf, p, end, 3, 4)
    wire[n, PTC_ID], p = take(buf, p, end, 16)
    wire[n, SOURCE], p = enumerated(buf, p, end, 3, 7)
    wire[n, HAS_ID] = has >> 5
    if has & 0b100000:
        high, p = take(buf, p, end, 32)
        low, p = take(buf, p, end, 32)
        wire[n, ID_HIGH], wire[n, ID_LOW] = np.int32(high), np.int32(low)
    wire[n, SEC_MARK], p = take(buf, p, end, 16)
    wire[n, LAT], wire[n, LON], wire[n, ELEVATION], p = _offset(buf, p, end, lat, lon, elevation)
    wire[n, POS_CFD], wire[n, ELEVATION_CFD], p = _position_confidence(buf, p, end)
    if has & 0b010000:
        p = skip(p, end, 3)
    wire[n, SPEED], p = take(buf, p, end, 13)
    wire[n, HEADING], p = ranged(buf, p, end, 15, _HEADING_TOP)
    if has & 0b001000:
        _, p = ranged(buf, p, end, 8, 253)
    speed_cfd = heading_cfd = 0
    if has & 0b000100:
        speed_cfd, heading_cfd, p = _motion_confidence(buf, p, end)
    wire[n, SPEED_CFD], wire[n, HEADING_CFD] = speed_cfd, heading_cfd
    if has & 0b000010:
        p = _acceleration(buf, p, end)
    wire[n, WIDTH], wire[n, LENGTH], wire[n, HEIGHT], p = _size(buf, p, end)
    wire[n, CLASS] = ABSENT
    if has & 0b000001:
        wire[n, CLASS], p = _vehicle_class(buf, p, end)
    if more:
        p = additions(buf, p, end)
    return p


@kernel
def _bsm(
    buf: U1, p: int, end: int, of_2019: bool, wire: I4, n: int, head: I8, j: int
) -> tuple[int, bool]:
    """Basic safety message from its extension bit; (position, whether the edition mattered)."""
    more, p = take(buf, p, end, 1)
    has, p = take(buf, p, end, 7)
    _, p = take(buf, p, end, 7)
    high, p = take(buf, p, end, 32)
    low, p = take(buf, p, end, 32)
    head[j] = (high << 32) | low
    if p >= FAULT:
        return p, False
    wire[n, HAS_ID], wire[n, ID_HIGH], wire[n, ID_LOW] = 1, np.int32(high), np.int32(low)
    wire[n, PTC_TYPE], wire[n, PTC_ID], wire[n, SOURCE] = ABSENT, ABSENT, ABSENT
    wire[n, SEC_MARK], p = take(buf, p, end, 16)
    if has & 0b1000000:
        _, p = ranged(buf, p, end, 6, 39)
    wire[n, LAT], wire[n, LON], wire[n, ELEVATION], p = _position(buf, p, end)
    major, minor, orientation = 255, 255, 65535
    if has & 0b0100000:
        major, p = take(buf, p, end, 8)
        minor, p = take(buf, p, end, 8)
        orientation, p = take(buf, p, end, 16)
    wire[n, SEMI_MAJOR], wire[n, SEMI_MINOR], wire[n, ORIENTATION] = major, minor, orientation
    pos_cfd = elevation_cfd = 0
    if has & 0b0010000:
        pos_cfd, elevation_cfd, p = _position_confidence(buf, p, end)
    wire[n, POS_CFD], wire[n, ELEVATION_CFD] = pos_cfd, elevation_cfd
    p = skip(p, end, 3)
    wire[n, SPEED], p = take(buf, p, end, 13)
    wire[n, HEADING], p = ranged(buf, p, end, 15, _HEADING_TOP)
    if has & 0b0001000:
        _, p = ranged(buf, p, end, 8, 253)
    speed_cfd = heading_cfd = 0
    if has & 0b0000100:
        speed_cfd, heading_cfd, p = _motion_confidence(buf, p, end)
    wire[n, SPEED_CFD], wire[n, HEADING_CFD] = speed_cfd, heading_cfd
    p = _acceleration(buf, p, end)
    wire[n, BRAKE_PEDAL], wire[n, WHEEL_BRAKES], p = _brakes(buf, p, end)
    wire[n, WIDTH], wire[n, LENGTH], wire[n, HEIGHT], p = _size(buf, p, end)
    wire[n, CLASS], p = _vehicle_class(buf, p, end)
    events, matters = ABSENT, False
    if has & 0b0000010:
        events, matters, p = _safety(buf, p, end, of_2019)
    wire[n, EVENTS] = events
    response = siren = lights = ABSENT
    if has & 0b0000001:
        response, siren, lights, p = _emergency(buf, p, end)
    wire[n, RESPONSE], wire[n, SIREN], wire[n, LIGHTS] = response, siren, lights
    wire[n, GUESSED] = 0
    if more:
        p = additions(buf, p, end)
    return finished(buf, p, end), matters


@kernel
def _latitude(buf: U1, p: int, end: int) -> tuple[int, int]:
    raw, p = ranged(buf, p, end, 31, _LAT_TOP)
    lat = raw - 900_000_000
    return (ABSENT if lat == _LAT_NONE else lat), p


@kernel
def _longitude(buf: U1, p: int, end: int) -> tuple[int, int]:
    raw, p = ranged(buf, p, end, 32, _LON_TOP)
    lon = raw - 1_799_999_999
    return (ABSENT if lon == _LON_NONE else lon), p


@kernel
def _elevation(buf: U1, p: int, end: int) -> tuple[int, int]:
    raw, p = take(buf, p, end, 16)
    return (ABSENT if raw == 0 else raw - 4096), p


@kernel
def _position(buf: U1, p: int, end: int) -> tuple[int, int, int, int]:
    """Position3D: lat, lon in 1e-7 deg, elevation in 0.1 m."""
    high, p = take(buf, p, end, 1)
    lat, p = _latitude(buf, p, end)
    lon, p = _longitude(buf, p, end)
    elevation = ABSENT
    if high:
        elevation, p = _elevation(buf, p, end)
    return lat, lon, elevation, p


@kernel
def _offset(
    buf: U1, p: int, end: int, lat0: int, lon0: int, elevation0: int
) -> tuple[int, int, int, int]:
    """PositionOffsetLLV: longitude before latitude, alternatives 6 absolute."""
    high, p = take(buf, p, end, 1)
    choice, p = ranged(buf, p, end, 3, 6)
    if choice == 6:
        lon, p = _longitude(buf, p, end)
        lat, p = _latitude(buf, p, end)
    else:
        n = _OFFSET_BITS[choice]
        lon, p = take(buf, p, end, n)
        lat, p = take(buf, p, end, n)
        lon += lon0 - (1 << (n - 1))
        lat += lat0 - (1 << (n - 1))
        if lat0 == ABSENT or lon0 == ABSENT:
            lat = lon = ABSENT
        elif lat > 900_000_000 or lat < -900_000_000:
            return ABSENT, ABSENT, ABSENT, (p if p >= FAULT else VALUE_RANGE)
        elif lon > 1_800_000_000:
            lon -= 3_600_000_000
        elif lon < -1_800_000_000:
            lon += 3_600_000_000
    elevation = ABSENT
    if high:
        choice, p = ranged(buf, p, end, 3, 6)
        if choice == 6:
            elevation, p = _elevation(buf, p, end)
        else:
            raw, p = take(buf, p, end, 7 + choice)
            if raw != 0 and elevation0 != ABSENT:
                elevation = elevation0 + raw - (1 << (6 + choice))
    return lat, lon, elevation, p


@kernel
def _position_confidence(buf: U1, p: int, end: int) -> tuple[int, int, int]:
    high, p = take(buf, p, end, 1)
    horizontal, p = take(buf, p, end, 4)
    vertical = 0
    if high:
        vertical, p = take(buf, p, end, 4)
    return horizontal, vertical, p


@kernel
def _motion_confidence(buf: U1, p: int, end: int) -> tuple[int, int, int]:
    has, p = take(buf, p, end, 3)
    speed = heading = 0
    if has & 0b100:
        speed, p = take(buf, p, end, 3)
    if has & 0b010:
        heading, p = take(buf, p, end, 3)
    if has & 0b001:
        p = skip(p, end, 2)
    return speed, heading, p


@kernel
def _acceleration(buf: U1, p: int, end: int) -> int:
    _, p = ranged(buf, p, end, 12, 4001)
    _, p = ranged(buf, p, end, 12, 4001)
    _, p = ranged(buf, p, end, 8, 254)
    _, p = ranged(buf, p, end, 16, 65534)
    return p


@kernel
def _size(buf: U1, p: int, end: int) -> tuple[int, int, int, int]:
    high, p = take(buf, p, end, 1)
    width, p = take(buf, p, end, 10)
    length, p = take(buf, p, end, 12)
    height = 0
    if high:
        height, p = take(buf, p, end, 7)
    return width, length, height, p


@kernel
def _vehicle_class(buf: U1, p: int, end: int) -> tuple[int, int]:
    more, p = take(buf, p, end, 1)
    fuel, p = take(buf, p, end, 1)
    value, p = take(buf, p, end, 8)
    p = skip(p, end, 4 * fuel)
    if more:
        p = additions(buf, p, end)
    return value, p


@kernel
def _brakes(buf: U1, p: int, end: int) -> tuple[int, int, int]:
    """Pedal code and wheel bits, `ABSENT` where not sent."""
    has, p = take(buf, p, end, 7)
    pedal = wheels = ABSENT
    if has & 0b1000000:
        pedal, p = ranged(buf, p, end, 2, 2)
    if has & 0b0100000:
        wheels, p = take(buf, p, end, 5)
    p = skip(p, end, 2 * (((has >> 4) & 1) + ((has >> 3) & 1) + ((has >> 2) & 1)))
    if has & 0b0000010:
        _, p = ranged(buf, p, end, 2, 2)
    if has & 0b0000001:
        p = skip(p, end, 2)
    return pedal, wheels, p


@kernel
def _safety(buf: U1, p: int, end: int, of_2019: bool) -> tuple[int, bool, int]:
    """Event bits; whether a path begins with a position; everything else is read over."""
    more, p = take(buf, p, end, 1)
    has, p = take(buf, p, end, 4)
    events, matters = ABSENT, False
    if has & 0b1000:
        events, p = bits(buf, p, end, 13)
    if has & 0b0100:
        matters, p = _path_history(buf, p, end, of_2019)
    if has & 0b0010:
        extended, p = take(buf, p, end, 1)
        _, p = ranged(buf, p, end, 16, 65534)
        _, p = ranged(buf, p, end, 8, 200)
        if extended:
            p = additions(buf, p, end)
    if has & 0b0001:
        _, p = bits(buf, p, end, 9)
    if more:
        p = additions(buf, p, end)
    return events, matters, p


@kernel
def _path_history(buf: U1, p: int, end: int, of_2019: bool) -> tuple[bool, int]:
    more, p = take(buf, p, end, 1)
    initial, p = take(buf, p, end, 1)
    status, p = take(buf, p, end, 1)
    if initial:
        p = _full_position(buf, p, end, of_2019)
    p = skip(p, end, 8 * status)
    count, p = ranged(buf, p, end, 5, 22)
    if p >= FAULT:
        return initial == 1, p
    for _ in range(count + 1):
        extended, p = take(buf, p, end, 1)
        has, p = take(buf, p, end, 3)
        _, _, _, p = _offset(buf, p, end, ABSENT, ABSENT, ABSENT)
        _, p = ranged(buf, p, end, 16, 65534)
        if has & 0b100:
            p = skip(p, end, 13)
        if has & 0b010:
            _, _, p = _position_confidence(buf, p, end)
        if has & 0b001:
            _, p = ranged(buf, p, end, 8, 240)
        if extended:
            p = additions(buf, p, end)
    if more:
        p = additions(buf, p, end)
    return initial == 1, p


@kernel
def _full_position(buf: U1, p: int, end: int, of_2019: bool) -> int:
    """FullPositionVector; 2019 has an error ellipse *and* a confidence, 2020 the latter alone."""
    more, p = take(buf, p, end, 1)
    has, p = take(buf, p, end, 8 if of_2019 else 7)
    if not of_2019:  # put in the presence bit of the ellipse: 0
        has = ((has & 0b1111000) << 1) | (has & 0b111)
    if has & 0b10000000:
        p = _date_time(buf, p, end, of_2019)
    _, _, _, p = _position(buf, p, end)
    if has & 0b01000000:
        _, p = ranged(buf, p, end, 15, _HEADING_TOP)
    p = skip(p, end, 3 * ((has >> 5) & 1) + 13 * ((has >> 4) & 1) + 32 * ((has >> 3) & 1))
    if has & 0b00000100:
        _, _, p = _position_confidence(buf, p, end)
    if has & 0b00000010:
        _, p = ranged(buf, p, end, 6, 39)
    if has & 0b00000001:
        _, _, p = _motion_confidence(buf, p, end)
    if more:
        p = additions(buf, p, end)
    return p


@kernel
def _date_time(buf: U1, p: int, end: int, of_2019: bool) -> int:
    has, p = take(buf, p, end, 7)
    if has & 0b1000000:
        p = skip(p, end, 12)
    if has & 0b0100000:
        _, p = ranged(buf, p, end, 4, 12)
    if has & 0b0010000:
        p = skip(p, end, 5)
    if has & 0b0001000:
        _, p = ranged(buf, p, end, 5, 24 if of_2019 else 31)
    if has & 0b0000100:
        _, p = ranged(buf, p, end, 6, 60)
    if has & 0b0000010:
        p = skip(p, end, 16)
    if has & 0b0000001:
        _, p = ranged(buf, p, end, 11, 1441 if of_2019 else 1680)
    return p


@kernel
def _emergency(buf: U1, p: int, end: int) -> tuple[int, int, int, int]:
    """Response type, siren and lights, `ABSENT` where not sent."""
    more, p = take(buf, p, end, 1)
    has, p = take(buf, p, end, 3)
    response = siren = lights = ABSENT
    if has & 0b100:
        response, p = enumerated(buf, p, end, 3, 6)
    if has & 0b010:
        siren, p = take(buf, p, end, 2)
    if has & 0b001:
        lights, p = take(buf, p, end, 3)
    if more:
        p = additions(buf, p, end)
    return response, siren, lights, p
