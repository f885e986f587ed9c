"""Small types of the roadside messages, read from their bits; and one participant.

What `v2x.ingest.j2735cn` and the programs of `v2x.ingest.j2735cn_program` share. Positions come out
in 1e-7 degrees and 0.1 m, offsets already added to the place they count from; every offset is
longitude first, alternative 6 absolute.

Some senders write longitude where latitude belongs. A pair that lies in the box of latitude 3 to
54 and longitude 73 to 136 degrees only once it is swapped is let through as read, even where its
latitude is none (the field holds up to 124.7 degrees); `swapped` tells, and whoever makes a row of
it turns it round. Box and swapped box never overlap, and any other pair stays as it is.
"""

import numpy as np

from v2x.columns import I4, U1
from v2x.ingest.uper import FAULT, VALUE_RANGE, additions, enumerated, ranged, skip, take
from v2x.jit import uncounted

ABSENT = -(1 << 31)

(
    PTC_TYPE, PTC_ID, SOURCE, HAS_ID, ID_HIGH, ID_LOW, SEC_MARK, LAT, LON, ELEVATION, POS_CFD,
    ELEVATION_CFD, SPEED, HEADING, SPEED_CFD, HEADING_CFD, WIDTH, LENGTH, HEIGHT, CLASS,
    SEMI_MAJOR, SEMI_MINOR, ORIENTATION, EVENTS, BRAKE_PEDAL, WHEEL_BRAKES, RESPONSE, SIREN,
    LIGHTS, GUESSED, DETECTED, TYPE_CFD, OBSTACLE,
) = range(33)  # fmt: skip
WIRE = 33
"""Columns of a wire row."""

IS_OBSTACLE = 100
"""Value of PTC_TYPE, behind those of the schema, in the row of an obstacle of an SSM."""

HEADING_TOP = 28_800
_OFFSET_BITS = (12, 14, 16, 18, 22, 24)
_LAT_TOP, _LON_TOP = 1_800_000_001, 3_600_000_000
_LAT_NONE, _LON_NONE = 900_000_001, 1_800_000_001
_SOUTH, _NORTH, _WEST, _EAST = 30_000_000, 540_000_000, 730_000_000, 1_360_000_000


@uncounted
def in_box(lat: int, lon: int) -> bool:
    """Whether a pair in 1e-7 degrees lies in the box of the district."""
    return _SOUTH <= lat <= _NORTH and _WEST <= lon <= _EAST


@uncounted
def swapped(lat: int, lon: int) -> bool:
    """Whether a pair lies in that box once it is swapped."""
    return in_box(lon, lat)


@uncounted
def _pair(raw_lat: int, raw_lon: int, p: int) -> tuple[int, int, int]:
    """Raw numbers of a pair as lat, lon (`ABSENT` for none), and the position or a fault."""
    lat, lon = raw_lat - 900_000_000, raw_lon - 1_799_999_999
    if raw_lat > _LAT_TOP and not swapped(lat, lon):
        return ABSENT, ABSENT, (p if p >= FAULT else VALUE_RANGE)
    return (ABSENT if lat == _LAT_NONE else lat), (ABSENT if lon == _LON_NONE else lon), p


@uncounted
def _elevation(buf: U1, p: int, end: int) -> tuple[int, int]:
    raw, p = take(buf, p, end, 16)
    return (ABSENT if raw == 0 else raw - 4096), p


@uncounted
def position(buf: U1, p: int, end: int) -> tuple[int, int, int, int]:
    """Position3D: lat, lon in 1e-7 deg, elevation in 0.1 m."""
    high, p = take(buf, p, end, 1)
    lat, p = take(buf, p, end, 31)
    lon, p = ranged(buf, p, end, 32, _LON_TOP)
    lat, lon, p = _pair(lat, lon, p)
    elevation = ABSENT
    if high:
        elevation, p = _elevation(buf, p, end)
    return lat, lon, elevation, p


@uncounted
def offset(
    buf: U1, p: int, end: int, lat0: int, lon0: int, elevation0: int
) -> tuple[int, int, int, int]:
    """PositionOffsetLLV: longitude before latitude, alternatives 6 absolute."""
    high, p = take(buf, p, end, 1)
    choice, p = ranged(buf, p, end, 3, 6)
    if choice == 6:
        lon, p = ranged(buf, p, end, 32, _LON_TOP)
        lat, p = take(buf, p, end, 31)
        lat, lon, p = _pair(lat, lon, p)
    else:
        n = _OFFSET_BITS[choice]
        lon, p = take(buf, p, end, n)
        lat, p = take(buf, p, end, n)
        lon += lon0 - (1 << (n - 1))
        lat += lat0 - (1 << (n - 1))
        if lat0 == ABSENT or lon0 == ABSENT:
            lat = lon = ABSENT
        elif abs(lat) > 900_000_000 and not swapped(lat, lon):
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


@uncounted
def position_confidence(buf: U1, p: int, end: int) -> tuple[int, int, int]:
    """PositionConfidenceSet: horizontal and vertical code, 0 unknown."""
    high, p = take(buf, p, end, 1)
    horizontal, p = take(buf, p, end, 4)
    vertical = 0
    if high:
        vertical, p = take(buf, p, end, 4)
    return horizontal, vertical, p


@uncounted
def motion_confidence(buf: U1, p: int, end: int) -> tuple[int, int, int]:
    """MotionConfidenceSet: codes of speed and heading, 0 unknown."""
    has, p = take(buf, p, end, 3)
    speed = heading = 0
    if has & 0b100:
        speed, p = take(buf, p, end, 3)
    if has & 0b010:
        heading, p = take(buf, p, end, 3)
    if has & 0b001:
        p = skip(p, end, 2)
    return speed, heading, p


@uncounted
def acceleration(buf: U1, p: int, end: int) -> int:
    """Position behind an AccelerationSet4Way."""
    _, p = ranged(buf, p, end, 12, 4001)
    _, p = ranged(buf, p, end, 12, 4001)
    _, p = ranged(buf, p, end, 8, 254)
    _, p = ranged(buf, p, end, 16, 65534)
    return p


@uncounted
def size(buf: U1, p: int, end: int) -> tuple[int, int, int, int]:
    """VehicleSize: width, length in cm, height in 5 cm, 0 unknown."""
    high, p = take(buf, p, end, 1)
    width, p = take(buf, p, end, 10)
    length, p = take(buf, p, end, 12)
    height = 0
    if high:
        height, p = take(buf, p, end, 7)
    return width, length, height, p


@uncounted
def vehicle_class(buf: U1, p: int, end: int) -> tuple[int, int]:
    """VehicleClassification: the class."""
    more, p = take(buf, p, end, 1)
    fuel, p = take(buf, p, end, 1)
    value, p = take(buf, p, end, 8)
    p = skip(p, end, 4 * fuel)
    if more:
        p = additions(buf, p, end)
    return value, p


@uncounted
def participant(
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
    wire[n, LAT], wire[n, LON], wire[n, ELEVATION], p = offset(buf, p, end, lat, lon, elevation)
    wire[n, POS_CFD], wire[n, ELEVATION_CFD], p = position_confidence(buf, p, end)
    if has & 0b010000:
        p = skip(p, end, 3)
    wire[n, SPEED], p = take(buf, p, end, 13)
    wire[n, HEADING], p = ranged(buf, p, end, 15, HEADING_TOP)
    if has & 0b001000:
        _, p = ranged(buf, p, end, 8, 253)
    speed_cfd = heading_cfd = 0
    if has & 0b000100:
        speed_cfd, heading_cfd, p = motion_confidence(buf, p, end)
    wire[n, SPEED_CFD], wire[n, HEADING_CFD] = speed_cfd, heading_cfd
    if has & 0b000010:
        p = acceleration(buf, p, end)
    wire[n, WIDTH], wire[n, LENGTH], wire[n, HEIGHT], p = size(buf, p, end)
    wire[n, CLASS], wire[n, DETECTED] = ABSENT, ABSENT
    if has & 0b000001:
        wire[n, CLASS], p = vehicle_class(buf, p, end)
    if more:
        p = additions(buf, p, end)
    return p
