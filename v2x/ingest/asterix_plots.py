"""Readers of ASTERIX categories 048, what one radar found in one turn, and 034, its status.

Octet and bit places are those of EUROCONTROL's parts 4 and 2b.
"""

import math

import numpy as np

from v2x.columns import F8, I8, U1
from v2x.ingest.asterix_items import Found, compound, frn, i8, u16, u24, u48
from v2x.ingest.asterix_places import (
    BARO_SD,
    GEOID,
    LAT0,
    RADIAL_VAR,
    SD_ANGLE,
    SD_RANGE,
    SD_UP,
    YAW,
    Bench,
    place,
)
from v2x.ingest.asterix_records import (
    AIRCRAFT,
    AMSL,
    ANG_SD,
    AZ,
    AZ_ERROR,
    BAROMETRIC,
    BEATS,
    BEYOND,
    CALLSIGN_KEY,
    COASTS,
    CONF,
    COV,
    EL,
    ENDS,
    FLAGS,
    HIGH,
    KIND,
    KNOTS,
    LAT,
    LON,
    LOW_QUALITY,
    MODEL,
    MONITOR,
    MONITOR_AZ,
    NAUTICAL_MILE,
    NO_PLACE,
    PERIOD,
    POLAR,
    PRESSURE,
    QUARTER_LEVEL,
    RADIAL,
    RANGE,
    RANGE_ERROR,
    RANGE_SD,
    RANGE_ZERO,
    RSSI,
    SEEN,
    SIMULATED,
    STATUS,
    TIME,
    TRACK,
    TURN,
    UNKNOWN,
    VEL_SD,
    Record,
    take_address,
    take_checked_squawk,
    take_name,
    take_velocity,
)
from v2x.ingest.interning import u8
from v2x.ingest.modes import FOOT, ICAO
from v2x.jit import uncounted
from v2x.observations import Kind

RADAR_SD = np.array([[70.0, math.radians(0.08)], [120.0, math.radians(0.15)]])
"""m and rad: noise of radars that have none configured, secondary and primary. EUROCONTROL
SUR.ET1.ST01 (1997), random errors of plots; doubtful: from memory."""

CONDITIONS: I8 = np.zeros(128, np.int64)
"""Kind by target classification among the conditions of I048/030."""
CONDITIONS[6], CONDITIONS[24] = Kind.CAR, Kind.HELICOPTER
CONDITIONS[[7, 23]], CONDITIONS[[19, 20]] = Kind.OBSTACLE, Kind.BIRD

DOUBTED = np.zeros(128, np.bool_)
"""Conditions of which the plot is probably no target: reflection, side lobe, split, second time
around, angel, low quality, phantom."""
DOUBTED[[1, 2, 3, 4, 5, 9, 10]] = True

_PLOT_130, _PLOT_120 = compound(48, "130"), compound(48, "120")
_SERVICE_050 = compound(34, "050")
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


@uncounted
def read_plot(buf: U1, found: Found, pose: F8, bench: Bench, r: Record, tally: I8) -> None:
    """Category 048: what one radar found in one turn."""
    at, n, w = found.at, r.number, r.word
    flags, kind, conf = 0, UNKNOWN, 0.0
    p = at[_P140]
    if p >= 0:
        w[TIME] = u24(buf, p)
    p = at[_P161]
    if p >= 0:
        w[TRACK] = u16(buf, p) & 0xFFF
    p = at[_P220]
    if p >= 0:
        take_address(u24(buf, p), ICAO, r)
    p = at[_P240]
    if p >= 0:
        take_name(u48(buf, p), CALLSIGN_KEY, r, tally)
    take_checked_squawk(buf, at[_P070], r)

    detection, monitor, beyond = -1, False, False
    p = at[_P020]
    if p >= 0:
        byte = u8(buf, p)
        detection, monitor = byte >> 5, byte & 2 != 0
        if byte & 0x10:
            flags |= SIMULATED
        if byte & 1:
            byte = u8(buf, p + 1)
            beyond = byte & 0x40 != 0
            if byte & 0x80:
                flags |= SIMULATED
    if detection >= 2:
        kind, conf = AIRCRAFT, 0.6
    w[COASTS] = 1 if detection == 0 else 0
    p = at[_P030]
    while p >= 0:
        byte = u8(buf, p)
        if CONDITIONS[byte >> 1] != UNKNOWN:
            kind, conf = CONDITIONS[byte >> 1], 0.7
        if DOUBTED[byte >> 1]:
            flags |= LOW_QUALITY
        p = p + 1 if byte & 1 else -1
    w[KIND], n[CONF] = kind, conf
    p = at[_P170]
    if p >= 0 and u8(buf, p) & 1:
        byte = u8(buf, p + 1)
        if byte & 0x80:
            w[ENDS] = 1
        if byte & 0xC0:
            flags |= LOW_QUALITY

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
        flags |= BAROMETRIC

    p = at[_P200]
    if p >= 0:
        speed, course = KNOTS * u16(buf, p), TURN * u16(buf, p + 2)
        take_velocity(speed * math.sin(course), speed * math.cos(course), r, tally)
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
    w[MODEL] = POLAR
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
        for k in range(6):
            n[COV + k] = bench.cov[k]
        n[RANGE_SD] = math.sqrt(bench.cov[RADIAL_VAR])
        if w[MODEL] == POLAR:
            n[EL] = np.nan
        if n[AMSL] != n[AMSL]:
            n[COV + 2] = n[COV + 4] = 0.0
            n[COV + 5] = np.nan
    if monitor:
        n[MONITOR], n[MONITOR_AZ] = n[RANGE], n[AZ]
    else:
        w[SEEN] = 1 - w[COASTS]


@uncounted
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
