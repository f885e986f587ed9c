"""Readers of ASTERIX categories 062, tracks of a system, and 065, its status.

Octet and bit places are those of EUROCONTROL's parts 9 and 15.
"""

import math

import numpy as np

from v2x.columns import F8, I8, U1
from v2x.geodesy import E2, A
from v2x.ingest.asterix_items import Found, compound, frn, i16, i32, u16, u24, u48
from v2x.ingest.asterix_places import SD, SD_UP
from v2x.ingest.asterix_records import (
    ADDRESS,
    AIRCRAFT,
    AMSL,
    BAD_COVARIANCE,
    BAD_NAME,
    BAROMETRIC,
    BEATS,
    CALLSIGN_KEY,
    CLIMB,
    COASTS,
    CONF,
    COV,
    EMERGENCY,
    EMITTERS,
    ENDS,
    FLAGS,
    HEIGHT,
    KIND,
    KNOTS,
    LAT,
    LENGTH,
    LON,
    LOW_QUALITY,
    NAME,
    NAME_KEY,
    NEAR_ZERO,
    NO_PLACE,
    PLAN_KEY,
    PRESSURE,
    QUARTER_LEVEL,
    REGISTRATION_KEY,
    SEEN,
    SELF_REPORTED,
    SIMULATED,
    STATUS,
    TIME,
    TRACK,
    TRACK_SD,
    TRACK_SD_UP,
    TURN,
    UNKNOWN,
    UP,
    VEL_SD,
    WIDTH,
    Record,
    in_range,
    take_address,
    take_checked_squawk,
    take_name,
    take_velocity,
)
from v2x.ingest.interning import u8
from v2x.ingest.modes import FOOT, ICAO
from v2x.ingest.rows import on_globe
from v2x.jit import uncounted
from v2x.observations import Kind

FLEETS: I8 = np.zeros(256, np.int64)
"""Kind by vehicle fleet (I062/300)."""
FLEETS[[1, 2, 4, 5, 6, 10, 11, 12, 13, 14, 15, 16]] = Kind.CAR
FLEETS[[3, 7, 8]] = Kind.EMERGENCY_VEHICLE
FLEETS[9] = Kind.BUS

_TRACK_500, _TRACK_380, _TRACK_290, _TRACK_390 = (
    compound(62, item) for item in ("500", "380", "290", "390")
)
(
    _T070, _T105, _T185, _T060, _T245, _T380, _T040, _T080, _T290, _T136, _T130, _T135, _T220,
    _T390, _T270, _T300, _T500,
) = (
    frn(62, item)
    for item in (
        "070", "105", "185", "060", "245", "380", "040", "080", "290", "136", "130", "135", "220",
        "390", "270", "300", "500",
    )
)  # fmt: skip
_D030, _D040 = frn(65, "030"), frn(65, "040")


@uncounted
def _accuracies(buf: U1, part: I8, given: bool, lat: float, pose: F8, r: Record, tally: I8) -> None:
    """Covariance of a system track from I062/500 (APC with COV, else APW), else the noise.

    All are one standard deviation; 0 is taken as not known. Nothing is believed below the noise
    configured.
    """
    n = r.number
    ee = nn = uu = np.nan
    en = 0.0
    if given:
        if part[0] >= 0:
            sx, sy = 0.5 * u16(buf, part[0]), 0.5 * u16(buf, part[0] + 2)
            ee, nn = sx * sx, sy * sy
            if part[1] >= 0:
                root = 0.5 * i16(buf, part[1])
                en = root * abs(root)
        elif part[2] >= 0:
            s, c = math.sin(math.radians(lat)), math.cos(math.radians(lat))
            normal = A / math.sqrt(1.0 - E2 * s * s)
            step = math.pi / 2**25
            sy = u16(buf, part[2]) * step * normal * (1.0 - E2) / (1.0 - E2 * s * s)
            sx = u16(buf, part[2] + 2) * step * normal * c
            ee, nn = sx * sx, sy * sy
        if n[HEIGHT] == n[HEIGHT]:
            if part[3] >= 0:
                uu = (u8(buf, part[3]) * 6.25 * FOOT) ** 2
        elif n[AMSL] == n[AMSL] and part[4] >= 0:
            uu = (u8(buf, part[4]) * QUARTER_LEVEL) ** 2
        if part[5] >= 0:
            vx, vy = 0.25 * u8(buf, part[5]), 0.25 * u8(buf, part[5] + 1)
            if vx + vy > 0.0:
                n[VEL_SD] = math.sqrt(0.5 * (vx * vx + vy * vy))
    if en * en > ee * nn:
        tally[BAD_COVARIANCE] += 1
        en = 0.0
    floor, floor_up = pose[SD] * pose[SD], pose[SD_UP] * pose[SD_UP]
    if not ee > 0.0:
        ee = floor if floor == floor else TRACK_SD * TRACK_SD
    if not nn > 0.0:
        nn = floor if floor == floor else TRACK_SD * TRACK_SD
    if not uu > 0.0:
        uu = floor_up if floor_up == floor_up else TRACK_SD_UP * TRACK_SD_UP
    if ee < floor:
        ee = floor
    if nn < floor:
        nn = floor
    if uu < floor_up:
        uu = floor_up
    if n[HEIGHT] != n[HEIGHT] and n[AMSL] != n[AMSL]:
        uu = np.nan
    n[COV], n[COV + 1], n[COV + 2], n[COV + 3], n[COV + 4], n[COV + 5] = ee, en, 0.0, nn, 0.0, uu


@uncounted
def _only_squitters(buf: U1, ages: I8) -> bool:
    """Whether extended squitter is the only source with an age in I062/290; 255 is "or older"."""
    if ages[5] < 0 or u8(buf, ages[5]) == 255:
        return False
    for i in (1, 2, 3, 6, 7, 8, 9):
        if ages[i] >= 0 and u8(buf, ages[i]) < 255:
            return False
    return ages[4] < 0 or u16(buf, ages[4]) == 0xFFFF


@uncounted
def read_track(buf: U1, found: Found, pose: F8, r: Record, tally: I8) -> None:
    """Category 062: a system track."""
    at, n, w = found.at, r.number, r.word
    flags = 0
    p = at[_T070]
    if p >= 0:
        w[TIME] = u24(buf, p)
    p = at[_T040]
    if p >= 0:
        w[TRACK] = u16(buf, p)
    data = found.part[_TRACK_380]
    derived = at[_T380] >= 0
    if derived and data[0] >= 0:
        take_address(u24(buf, data[0]), ICAO, r)

    p = at[_T080]
    octet = 0
    while p >= 0:
        byte = u8(buf, p)
        if octet == 1:
            if byte & 0x80:
                flags |= SIMULATED
            if byte & 0x40:
                w[ENDS] = 1
                flags |= LOW_QUALITY
        elif octet == 3:
            w[COASTS] = byte >> 7
        elif octet == 4 and byte & 0x38:
            n[EMERGENCY] = byte >> 3 & 7
        p = p + 1 if byte & 1 else -1
        octet += 1
    if n[EMERGENCY] != n[EMERGENCY] and derived and data[10] >= 0:
        state = u16(buf, data[10]) & 7
        if state:
            n[EMERGENCY] = state
    if at[_T290] >= 0 and _only_squitters(buf, found.part[_TRACK_290]):
        flags |= SELF_REPORTED

    p = at[_T245]
    named = False
    if p >= 0:
        source = u8(buf, p) >> 6
        if source != 3:
            key = REGISTRATION_KEY if source == 2 else CALLSIGN_KEY
            named = take_name(u48(buf, p + 1), key, r, tally)
    if not named and derived and data[1] >= 0:
        named = take_name(u48(buf, data[1]), CALLSIGN_KEY, r, tally)
    if not named and at[_T390] >= 0 and found.part[_TRACK_390, 1] >= 0:
        p = found.part[_TRACK_390, 1]
        letters, blank, plain = 0, True, True
        for k in range(7):
            byte = u8(buf, p + k)
            letters = letters << 8 | byte
            blank = blank and byte == 32
            plain = plain and 32 <= byte < 127
        if plain and not blank:
            w[NAME], w[NAME_KEY] = letters, PLAN_KEY
        elif not plain:
            tally[BAD_NAME] += 1
    take_checked_squawk(buf, at[_T060], r)

    p = at[_T130]
    if p >= 0:
        n[HEIGHT] = in_range(i16(buf, p) * 6.25 * FOOT, tally)
    p = at[_T136]
    if p >= 0:
        n[PRESSURE] = in_range(i16(buf, p) * QUARTER_LEVEL, tally)
    p = at[_T135]
    if p >= 0:
        level = u16(buf, p) & 0x7FFF
        level = level - 0x8000 if level >= 0x4000 else level
        if u8(buf, p) & 0x80:
            n[AMSL] = in_range(level * QUARTER_LEVEL, tally)
        elif n[PRESSURE] != n[PRESSURE]:
            n[PRESSURE] = in_range(level * QUARTER_LEVEL, tally)
    if n[HEIGHT] != n[HEIGHT] and n[AMSL] != n[AMSL] and n[PRESSURE] == n[PRESSURE]:
        flags |= BAROMETRIC

    p = at[_T185]
    if p >= 0:
        take_velocity(0.25 * i16(buf, p), 0.25 * i16(buf, p + 2), r, tally)
    elif derived and data[16] >= 0 and data[17] >= 0:
        speed, course = KNOTS * i16(buf, data[17]), TURN * u16(buf, data[16])
        take_velocity(speed * math.sin(course), speed * math.cos(course), r, tally)
    if at[_T220] >= 0:
        n[UP] = CLIMB * i16(buf, at[_T220])
    elif derived and data[13] >= 0:
        n[UP] = CLIMB * i16(buf, data[13])
    elif derived and data[12] >= 0:
        n[UP] = CLIMB * i16(buf, data[12])
    p = at[_T270]
    if p >= 0:
        length = u8(buf, p)
        if length >> 1:
            n[LENGTH] = length >> 1
        if length & 1 and u8(buf, p + 1) & 1 and u8(buf, p + 2) >> 1:
            n[WIDTH] = u8(buf, p + 2) >> 1

    if derived and data[20] >= 0 and EMITTERS[u8(buf, data[20])] != UNKNOWN:
        w[KIND], n[CONF] = EMITTERS[u8(buf, data[20])], 0.9
    elif at[_T300] >= 0 and FLEETS[u8(buf, at[_T300])] != UNKNOWN:
        w[KIND], n[CONF] = FLEETS[u8(buf, at[_T300])], 0.7
    elif at[_T060] >= 0 or w[ADDRESS] >= 0:
        w[KIND], n[CONF] = AIRCRAFT, 0.6

    w[FLAGS] = flags
    p = at[_T105]
    if p < 0:
        tally[NO_PLACE] += 1
        return
    lat, lon = i32(buf, p) * (180.0 / 2**25), i32(buf, p + 4) * (180.0 / 2**25)
    if not on_globe(lat, lon):
        tally[NEAR_ZERO] += 1
        return
    n[LAT], n[LON] = lat, lon
    w[SEEN] = 1 - w[COASTS]
    _accuracies(buf, found.part[_TRACK_500], at[_T500] >= 0, lat, pose, r, tally)


@uncounted
def read_system(buf: U1, found: Found, r: Record) -> None:
    """Category 065: what a system of trackers says about itself."""
    w = r.word
    w[BEATS] = 1
    p = found.at[_D030]
    if p >= 0:
        w[TIME] = u24(buf, p)
    p = found.at[_D040]
    if p >= 0:
        byte = u8(buf, p)
        works = byte >> 6
        status = 16 if works == 1 else (1 if works else 0)
        r.number[STATUS] = status | (byte >> 5 & 1) << 1 | (byte >> 4 & 1) << 2
