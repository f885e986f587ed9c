"""One ASTERIX record to one row of numbers and words, by category.

A reader takes what the fields mean out of the bytes, into `Record`: NaN and -1 where the record
does not say. What becomes of it, an observation or readings, is `v2x.ingest.asterix_rows`. Octet
and bit places are those of the items named; `v2x.ingest.asterix_items` finds the items.
"""

import math
from typing import NamedTuple

import numpy as np

from v2x.columns import F8, I8, U1
from v2x.geodesy import E2, A
from v2x.ingest.asterix_items import (
    Found,
    compound,
    frn,
    i8,
    i16,
    i32,
    u16,
    u24,
    u48,
)
from v2x.ingest.asterix_places import (
    BARO_SD,
    GEOID,
    LAT0,
    RADIAL_VAR,
    SD,
    SD_ANGLE,
    SD_RANGE,
    SD_UP,
    YAW,
    Bench,
    place,
)
from v2x.ingest.interning import u8
from v2x.ingest.modes import CALLSIGN, FOOT
from v2x.ingest.rows import on_globe
from v2x.jit import kernel
from v2x.observations import Flag, Kind, Model

(
    LAT, LON, HEIGHT, AMSL, EAST, NORTH, UP, VEL_SD, RANGE, AZ, EL, RANGE_SD, ANG_SD, RADIAL, RSSI,
    LENGTH, WIDTH, CONF, COV,
) = range(19)  # fmt: skip
"""Numbers of a record: what observations hold, COV and five behind it the covariance;"""
PRESSURE, SQUAWK, EMERGENCY, MONITOR, MONITOR_AZ, STATUS, PERIOD, RANGE_ERROR, AZ_ERROR = range(
    COV + 6, COV + 15
)
"""and what becomes readings, NaN: none."""
NUMBERS = COV + 15

TIME, TRACK, ADDRESS, NAME, NAME_KEY, KIND, MODEL, FLAGS, SEEN, ENDS, COASTS, BEATS = range(12)
"""Words of a record: time of day in 1/128 s, number of the track, ICAO address, name and its key,
... and whether there is a detection with a place, an end of track, a guess, a sign of life."""
WORDS = 12

CALLSIGN_KEY, REGISTRATION_KEY, PLAN_KEY = 3, 4, 5
"""Keys of interned names beside those of addresses: 8 six-bit letters, the same, 7 of ASCII."""

(
    NO_PLACE,
    NEAR_ZERO,
    RANGE_ZERO,
    BEYOND,
    HIGH,
    BAD_COVARIANCE,
    BAD_NAME,
    BAD_TIME,
    PADDED,
    BAD_HEIGHT,
    BAD_SPEED,
) = range(11)
TALLIES = (
    "no_position", "position_near_zero", "range_zero", "range_beyond_scale", "height_beyond_range",
    "covariance_not_positive", "bad_callsign", "time_of_day_range", "padded", "height_range",
    "speed_range",
)  # fmt: skip

NAUTICAL_MILE = 1852.0
QUARTER_LEVEL = 25.0 * FOOT
CLIMB = 6.25 * FOOT / 60.0
TURN = 2.0 * math.pi / 65536.0
KNOTS = NAUTICAL_MILE / 16384.0
"""m, m, m/s, rad and m/s a step of ranges, flight levels, climbs, 16-bit angles and speeds."""

LOWEST, HIGHEST = -1500.0 * FOOT, 150_000.0 * FOOT
"""m: range of heights and levels (I062/130, 135, 136); what lies outside is not measured."""
FASTEST = 2000.0
"""m/s: no aircraft moves so; what says so is not measured. Ours."""

TRACK_SD, TRACK_SD_UP = 30.0, 15.0
"""m: noise of a system track that states none, from a sensor that has none configured. Ours."""
RADAR_SD = np.array([[70.0, math.radians(0.08)], [120.0, math.radians(0.15)]])
"""m and rad: noise of radars that have none configured, secondary and primary. EUROCONTROL
SUR.ET1.ST01 (1997), random errors of plots; doubtful: from memory."""

_LOW_QUALITY = int(Flag.LOW_QUALITY)
_SIMULATED = int(Flag.SIMULATED)
_BAROMETRIC = int(Flag.HEIGHT_BAROMETRIC)
_SELF_REPORTED = int(Flag.SELF_REPORTED)
_AIRCRAFT = int(Kind.AIRCRAFT)
_UNKNOWN = int(Kind.UNKNOWN)
_POLAR = int(Model.POLAR)

EMITTERS: I8 = np.zeros(256, np.int64)
"""Kind by emitter category (I062/380 ECAT, I021/020)."""
EMITTERS[1:7] = EMITTERS[11] = EMITTERS[12] = EMITTERS[14] = EMITTERS[15] = Kind.AIRCRAFT
EMITTERS[10], EMITTERS[13], EMITTERS[20], EMITTERS[21] = (
    Kind.HELICOPTER, Kind.UAS, Kind.EMERGENCY_VEHICLE, Kind.CAR,
)  # fmt: skip
EMITTERS[22:25] = Kind.OBSTACLE

FLEETS: I8 = np.zeros(256, np.int64)
"""Kind by vehicle fleet (I062/300)."""
FLEETS[[1, 2, 4, 5, 6, 10, 11, 12, 13, 14, 15, 16]] = Kind.CAR
FLEETS[[3, 7, 8]] = Kind.EMERGENCY_VEHICLE
FLEETS[9] = Kind.BUS

CONDITIONS: I8 = np.zeros(128, np.int64)
"""Kind by target classification among the conditions of I048/030."""
CONDITIONS[6], CONDITIONS[24] = Kind.CAR, Kind.HELICOPTER
CONDITIONS[[7, 23]], CONDITIONS[[19, 20]] = Kind.OBSTACLE, Kind.BIRD

DOUBTED = np.zeros(128, np.bool_)
"""Conditions of which the plot is probably no target: reflection, side lobe, split, second time
around, angel, low quality, phantom."""
DOUBTED[[1, 2, 3, 4, 5, 9, 10]] = True

_LETTERS = np.array([letter != "#" for letter in CALLSIGN])

_TRACK_500, _TRACK_380, _TRACK_290, _TRACK_390 = (
    compound(62, item) for item in ("500", "380", "290", "390")
)
_PLOT_130, _PLOT_120 = compound(48, "130"), compound(48, "120")
_SERVICE_050 = compound(34, "050")
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
(
    _P140, _P020, _P040, _P070, _P090, _P130, _P220, _P240, _P161, _P200, _P170, _P210, _P030,
    _P110, _P120,
) = (
    frn(48, item)
    for item in (
        "140", "020", "040", "070", "090", "130", "220", "240", "161", "200", "170", "210", "030",
        "110", "120",
    )
)  # fmt: skip
_S030, _S041, _S050, _S090 = (frn(34, item) for item in ("030", "041", "050", "090"))
_D030, _D040 = frn(65, "030"), frn(65, "040")


class Record(NamedTuple):
    """What one record says: scratch, written over by the next."""

    number: F8
    """(NUMBERS,) SI; NaN not said."""
    word: I8
    """(WORDS,); -1 not said, facts 0 or 1."""


def blank_record() -> Record:
    """Room for one record."""
    return Record(np.empty(NUMBERS), np.empty(WORDS, np.int64))


@kernel
def clear(r: Record) -> None:
    """Nothing said yet."""
    r.number[:] = np.nan
    r.number[CONF] = 0.0
    r.word[:] = 0
    r.word[TIME] = r.word[TRACK] = r.word[ADDRESS] = -1


@kernel
def _take_name(letters: int, key: int, r: Record, tally: I8) -> bool:
    """Take a name of 8 six-bit letters; False where it is blank or holds a code that is none."""
    blank = True
    for shift in range(42, -1, -6):
        code = letters >> shift & 63
        if not _LETTERS[code]:
            if letters != 0:
                tally[BAD_NAME] += 1
            return False
        blank = blank and code == 32
    if not blank:
        r.word[NAME], r.word[NAME_KEY] = letters, key
    return not blank


@kernel
def _take_address(address: int, r: Record) -> None:
    if address != 0 and address != 0xFFFFFF:
        r.word[ADDRESS] = address


@kernel
def _take_squawk(buf: U1, p: int, r: Record) -> None:
    """Mode 3/A code as four octal digits, unless garbled or not validated."""
    if p >= 0 and not u8(buf, p) & 0xC0:
        code = u16(buf, p)
        r.number[SQUAWK] = (
            (code >> 9 & 7) * 1000 + (code >> 6 & 7) * 100 + (code >> 3 & 7) * 10 + (code & 7)
        )


@kernel
def _in_range(height: float, tally: I8) -> float:
    """The height, or NaN where it is out of range."""
    if LOWEST <= height <= HIGHEST:
        return height
    tally[BAD_HEIGHT] += 1
    return np.nan


@kernel
def _take_velocity(east: float, north: float, r: Record, tally: I8) -> None:
    if east * east + north * north <= FASTEST * FASTEST:
        r.number[EAST], r.number[NORTH] = east, north
    else:
        tally[BAD_SPEED] += 1


@kernel
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


@kernel
def _only_squitters(buf: U1, ages: I8) -> bool:
    """Whether extended squitter is the only source with an age in I062/290; 255 is "or older"."""
    if ages[5] < 0 or u8(buf, ages[5]) == 255:
        return False
    for i in (1, 2, 3, 6, 7, 8, 9):
        if ages[i] >= 0 and u8(buf, ages[i]) < 255:
            return False
    return ages[4] < 0 or u16(buf, ages[4]) == 0xFFFF


@kernel
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
        _take_address(u24(buf, data[0]), r)

    p = at[_T080]
    octet = 0
    while p >= 0:
        byte = u8(buf, p)
        if octet == 1:
            if byte & 0x80:
                flags |= _SIMULATED
            if byte & 0x40:
                w[ENDS] = 1
                flags |= _LOW_QUALITY
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
        flags |= _SELF_REPORTED

    p = at[_T245]
    named = False
    if p >= 0:
        source = u8(buf, p) >> 6
        if source != 3:
            key = REGISTRATION_KEY if source == 2 else CALLSIGN_KEY
            named = _take_name(u48(buf, p + 1), key, r, tally)
    if not named and derived and data[1] >= 0:
        named = _take_name(u48(buf, data[1]), CALLSIGN_KEY, r, tally)
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
    _take_squawk(buf, at[_T060], r)

    p = at[_T130]
    if p >= 0:
        n[HEIGHT] = _in_range(i16(buf, p) * 6.25 * FOOT, tally)
    p = at[_T136]
    if p >= 0:
        n[PRESSURE] = _in_range(i16(buf, p) * QUARTER_LEVEL, tally)
    p = at[_T135]
    if p >= 0:
        level = u16(buf, p) & 0x7FFF
        level = level - 0x8000 if level >= 0x4000 else level
        if u8(buf, p) & 0x80:
            n[AMSL] = _in_range(level * QUARTER_LEVEL, tally)
        elif n[PRESSURE] != n[PRESSURE]:
            n[PRESSURE] = _in_range(level * QUARTER_LEVEL, tally)
    if n[HEIGHT] != n[HEIGHT] and n[AMSL] != n[AMSL] and n[PRESSURE] == n[PRESSURE]:
        flags |= _BAROMETRIC

    p = at[_T185]
    if p >= 0:
        _take_velocity(0.25 * i16(buf, p), 0.25 * i16(buf, p + 2), r, tally)
    elif derived and data[16] >= 0 and data[17] >= 0:
        speed, course = KNOTS * i16(buf, data[17]), TURN * u16(buf, data[16])
        _take_velocity(speed * math.sin(course), speed * math.cos(course), r, tally)
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

    if derived and data[20] >= 0 and EMITTERS[u8(buf, data[20])] != _UNKNOWN:
        w[KIND], n[CONF] = EMITTERS[u8(buf, data[20])], 0.9
    elif at[_T300] >= 0 and FLEETS[u8(buf, at[_T300])] != _UNKNOWN:
        w[KIND], n[CONF] = FLEETS[u8(buf, at[_T300])], 0.7
    elif at[_T060] >= 0 or w[ADDRESS] >= 0:
        w[KIND], n[CONF] = _AIRCRAFT, 0.6

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


@kernel
def read_plot(buf: U1, found: Found, pose: F8, bench: Bench, r: Record, tally: I8) -> None:
    """Category 048: what one radar found in one turn."""
    at, n, w = found.at, r.number, r.word
    flags, kind, conf = 0, _UNKNOWN, 0.0
    p = at[_P140]
    if p >= 0:
        w[TIME] = u24(buf, p)
    p = at[_P161]
    if p >= 0:
        w[TRACK] = u16(buf, p) & 0xFFF
    p = at[_P220]
    if p >= 0:
        _take_address(u24(buf, p), r)
    p = at[_P240]
    if p >= 0:
        _take_name(u48(buf, p), CALLSIGN_KEY, r, tally)
    _take_squawk(buf, at[_P070], r)

    detection, monitor, beyond = -1, False, False
    p = at[_P020]
    if p >= 0:
        byte = u8(buf, p)
        detection, monitor = byte >> 5, byte & 2 != 0
        if byte & 0x10:
            flags |= _SIMULATED
        if byte & 1:
            byte = u8(buf, p + 1)
            beyond = byte & 0x40 != 0
            if byte & 0x80:
                flags |= _SIMULATED
    if detection >= 2:
        kind, conf = _AIRCRAFT, 0.6
    w[COASTS] = 1 if detection == 0 else 0
    p = at[_P030]
    while p >= 0:
        byte = u8(buf, p)
        if CONDITIONS[byte >> 1] != _UNKNOWN:
            kind, conf = CONDITIONS[byte >> 1], 0.7
        if DOUBTED[byte >> 1]:
            flags |= _LOW_QUALITY
        p = p + 1 if byte & 1 else -1
    w[KIND], n[CONF] = kind, conf
    p = at[_P170]
    if p >= 0 and u8(buf, p) & 1:
        byte = u8(buf, p + 1)
        if byte & 0x80:
            w[ENDS] = 1
        if byte & 0xC0:
            flags |= _LOW_QUALITY

    height = sd_height = np.nan
    p = at[_P090]
    if p >= 0 and not u8(buf, p) & 0xC0:
        level = u16(buf, p) & 0x3FFF
        n[PRESSURE] = (level - 0x4000 if level >= 0x2000 else level) * QUARTER_LEVEL
        height, sd_height = n[PRESSURE] + pose[GEOID], BARO_SD
    primary = 1 if detection == 1 else 0
    sd_range, sd_angle = pose[SD_RANGE], pose[SD_ANGLE]
    if not sd_range > 0.0:
        sd_range = RADAR_SD[primary, 0]
    if not sd_angle > 0.0:
        sd_angle = RADAR_SD[primary, 1]
    p = at[_P040]
    rho = u16(buf, p) / 256.0 * NAUTICAL_MILE if p >= 0 else np.nan
    p = at[_P110]
    if p >= 0:
        steps = u16(buf, p) & 0x3FFF
        n[AMSL] = (steps - 0x4000 if steps >= 0x2000 else steps) * 25.0 * FOOT
        height, sd_height = n[AMSL] + pose[GEOID], pose[SD_UP]
        if not sd_height > 0.0:
            # The beam that measures azimuth measures elevation too; 25 ft are a step.
            sd_height = math.sqrt((sd_angle * rho) ** 2 + (25.0 * FOOT) ** 2 / 12.0)
    elif n[PRESSURE] == n[PRESSURE]:
        flags |= _BAROMETRIC

    p = at[_P200]
    if p >= 0:
        speed, course = KNOTS * u16(buf, p), TURN * u16(buf, p + 2)
        _take_velocity(speed * math.sin(course), speed * math.cos(course), r, tally)
        p = at[_P210]
        if p >= 0:
            along = KNOTS * u8(buf, p + 2)
            across = speed * math.radians(360.0 / 4096.0) * u8(buf, p + 3)
            if along > 0.0:
                n[VEL_SD] = math.sqrt(0.5 * (along * along + across * across))
    if at[_P120] >= 0:
        p = found.part[_PLOT_120, 0]
        if p >= 0 and not u8(buf, p) & 0x80:
            rate = u16(buf, p) & 0x3FF
            n[RADIAL] = rate - 0x400 if rate >= 0x200 else rate
    if at[_P130] >= 0:
        # Of the echo where there is one, else of the reply.
        p = found.part[_PLOT_130, 4]
        if p < 0:
            p = found.part[_PLOT_130, 2]
        if p >= 0:
            n[RSSI] = i8(buf, p)

    w[FLAGS] = flags
    p = at[_P040]
    if p < 0:
        tally[NO_PLACE] += 1
        return
    if beyond:
        tally[BEYOND] += 1
        return
    if rho == 0.0:
        tally[RANGE_ZERO] += 1
        return
    n[RANGE], n[AZ] = rho, TURN * u16(buf, p + 2)
    n[RANGE_SD], n[ANG_SD] = sd_range, sd_angle
    w[MODEL] = _POLAR
    if pose[LAT0] == pose[LAT0]:
        az = n[AZ] + pose[YAW]
        n[EL] = place(pose, rho, az, height, sd_range, sd_angle, sd_height, bench)
        if n[EL] == n[EL] and height == height:
            w[MODEL] = 0
        elif n[EL] != n[EL]:
            tally[HIGH] += 1
            n[AMSL] = np.nan
            place(pose, rho, az, np.nan, sd_range, sd_angle, sd_height, bench)
        n[LAT], n[LON] = bench.lat[0], bench.lon[0]
        n[COV : COV + 6] = bench.cov[:6]
        n[RANGE_SD] = math.sqrt(bench.cov[RADIAL_VAR])
        if w[MODEL] == _POLAR:
            n[EL] = np.nan
        if n[AMSL] != n[AMSL]:
            n[COV + 2] = n[COV + 4] = 0.0
            n[COV + 5] = np.nan
    if monitor:
        n[MONITOR], n[MONITOR_AZ] = n[RANGE], n[AZ]
    else:
        w[SEEN] = 1 - w[COASTS]


@kernel
def read_service(buf: U1, found: Found, r: Record) -> None:
    """Category 034: what a radar says about itself."""
    at, n, w = found.at, r.number, r.word
    w[BEATS] = 1
    p = at[_S030]
    if p >= 0:
        w[TIME] = u24(buf, p)
    p = at[_S041]
    if p >= 0:
        n[PERIOD] = u16(buf, p) / 128.0
    if at[_S050] >= 0:
        p = found.part[_SERVICE_050, 0]
        if p >= 0:
            byte = u8(buf, p)
            overload = 2 if byte & 0x18 else 0
            n[STATUS] = byte >> 7 | overload | (byte >> 1 & 1) << 2 | (byte >> 2 & 1) << 3
    p = at[_S090]
    if p >= 0:
        n[RANGE_ERROR] = i8(buf, p) / 128.0 * NAUTICAL_MILE
        n[AZ_ERROR] = math.radians(i8(buf, p + 1) * 360.0 / 16384.0)


@kernel
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
