"""Reader of ASTERIX category 021: what aircraft broadcast, as a ground station hands it on.

Octet and bit places are those of EUROCONTROL's part 12, editions 2.1 to 2.7.
"""

import math

import numpy as np

from v2x.columns import F8, I8, U1
from v2x.ingest.accuracy import NACP_SD, SPEED_SD
from v2x.ingest.asterix_items import Found, frn, i8, i16, i24, i32, u16, u24, u48
from v2x.ingest.asterix_places import SD, SD_UP
from v2x.ingest.asterix_records import (
    AIRCRAFT,
    BAROMETRIC,
    CALLSIGN_KEY,
    CLIMB,
    CONF,
    COV,
    EMERGENCY,
    EMITTERS,
    FIXED,
    FLAGS,
    GEO_MINUS_BARO,
    GROUND,
    HEIGHT,
    KIND,
    KNOTS,
    LAT,
    LON,
    LOW_QUALITY,
    NACP,
    NEAR_ZERO,
    NIC,
    NO_PLACE,
    PRESSURE,
    QUARTER_LEVEL,
    RSSI,
    SEEN,
    SELF_REPORTED,
    SIMULATED,
    TIME,
    TRACK,
    TRACK_SD,
    TRACK_SD_UP,
    TURN,
    UNKNOWN,
    UP,
    VEL_SD,
    Record,
    in_range,
    take_address,
    take_name,
    take_squawk,
    take_velocity,
)
from v2x.ingest.interning import u8
from v2x.ingest.modes import ADSB18, FOOT, ICAO
from v2x.ingest.rows import on_globe
from v2x.jit import uncounted

ANONYMOUS = 3
"""Address type of a sender that hides who it is."""

GVA_SD = np.array([np.nan, 75.0, 22.5, np.nan])
"""m: half of the 95 % accuracy of geometric height by GVA (DO-260B table 2-71)."""

_TIMES = np.array([frn(21, item) for item in ("071", "073", "077")])
"""When the position applied, was heard, was sent on: the first there is."""
(
    _040, _161, _130, _131, _080, _140, _090, _070, _145, _200, _155, _157, _160, _170, _020, _132,
) = (
    frn(21, item)
    for item in (
        "040", "161", "130", "131", "080", "140", "090", "070", "145", "200", "155", "157", "160",
        "170", "020", "132",
    )
)  # fmt: skip


@uncounted
def _rate(buf: U1, p: int) -> float:
    """Vertical rate of 15 bits, m/s; NaN beyond its range."""
    word = u16(buf, p)
    if word & 0x8000:
        return np.nan
    return (word - 0x8000 if word & 0x4000 else word) * CLIMB


@uncounted
def read_squitter(buf: U1, found: Found, pose: F8, r: Record, tally: I8) -> None:
    """Category 021: a target report of ADS-B."""
    at, n, w = found.at, r.number, r.word
    flags = SELF_REPORTED
    for k in range(_TIMES.shape[0]):
        p = at[_TIMES[k]]
        if p >= 0:
            w[TIME] = u24(buf, p)
            break
    p = at[_161]
    if p >= 0:
        w[TRACK] = u16(buf, p) & 0xFFF

    p = at[_040]
    monitor, kind_of_address = False, 0
    if p >= 0:
        byte = u8(buf, p)
        kind_of_address, monitor = byte >> 5, byte & 2 != 0
        if byte & 1:
            p += 1
            byte = u8(buf, p)
            if byte & 0x30:
                flags |= SIMULATED
            n[GROUND] = byte >> 6 & 1
            if byte >> 1 & 3 == 1:
                flags |= LOW_QUALITY
            # Position, range or plausibility check failed.
            if byte & 1 and u8(buf, p + 1) & 0x2A:
                flags |= LOW_QUALITY
    p = at[_080]
    if p >= 0:
        take_address(u24(buf, p), ADSB18 if kind_of_address == ANONYMOUS else ICAO, r)
    p = at[_170]
    if p >= 0:
        take_name(u48(buf, p), CALLSIGN_KEY, r, tally)
    p = at[_070]
    if p >= 0:
        take_squawk(u16(buf, p) & 0xFFF, r)
    p = at[_200]
    if p >= 0 and u8(buf, p) >> 2 & 7:
        n[EMERGENCY] = u8(buf, p) >> 2 & 7
    p = at[_132]
    if p >= 0:
        n[RSSI] = i8(buf, p)

    p = at[_140]
    if p >= 0:
        n[HEIGHT] = in_range(i16(buf, p) * 6.25 * FOOT, tally)
    p = at[_145]
    if p >= 0:
        n[PRESSURE] = in_range(i16(buf, p) * QUARTER_LEVEL, tally)
        n[GEO_MINUS_BARO] = n[HEIGHT] - n[PRESSURE]
        if n[HEIGHT] != n[HEIGHT] and n[PRESSURE] == n[PRESSURE]:
            flags |= BAROMETRIC
    p = at[_160]
    if p >= 0 and not u8(buf, p) & 0x80:
        speed, course = KNOTS * u16(buf, p), TURN * u16(buf, p + 2)
        take_velocity(speed * math.sin(course), speed * math.cos(course), r, tally)
    if at[_157] >= 0:
        n[UP] = _rate(buf, at[_157])
    if n[UP] != n[UP] and at[_155] >= 0:
        n[UP] = _rate(buf, at[_155])

    sd = sd_up = np.nan
    p = at[_090]
    if p >= 0 and u8(buf, p) & 1:  # without a second octet the codes are those of version 0
        n[NIC] = u8(buf, p) >> 1 & 15
        n[NACP] = u8(buf, p + 1) >> 1 & 15
        sd = NACP_SD[u8(buf, p + 1) >> 1 & 15]
        n[VEL_SD] = SPEED_SD[u8(buf, p) >> 5]
        if u8(buf, p + 1) & 1:
            sd_up = GVA_SD[u8(buf, p + 2) >> 1 & 3]
    if not sd >= pose[SD]:
        sd = pose[SD] if pose[SD] == pose[SD] else (sd if sd == sd else TRACK_SD)
    if sd_up != sd_up:
        sd_up = TRACK_SD_UP
    if sd_up < pose[SD_UP]:
        sd_up = pose[SD_UP]

    w[KIND], n[CONF] = AIRCRAFT, 0.6
    p = at[_020]
    if p >= 0 and EMITTERS[u8(buf, p)] != UNKNOWN:
        w[KIND], n[CONF] = EMITTERS[u8(buf, p)], 0.9
    w[FLAGS] = flags

    if monitor:
        tally[FIXED] += 1
        return
    p = at[_131]
    if p >= 0:
        lat, lon = i32(buf, p) * (180.0 / 2**30), i32(buf, p + 4) * (180.0 / 2**30)
    else:
        p = at[_130]
        if p < 0:
            tally[NO_PLACE] += 1
            return
        lat, lon = i24(buf, p) * (180.0 / 2**23), i24(buf, p + 3) * (180.0 / 2**23)
    if not on_globe(lat, lon):
        tally[NEAR_ZERO] += 1
        return
    w[SEEN] = 1
    n[LAT], n[LON] = lat, lon
    n[COV], n[COV + 1], n[COV + 2] = sd * sd, 0.0, 0.0
    n[COV + 3], n[COV + 4] = sd * sd, 0.0
    n[COV + 5] = sd_up * sd_up if n[HEIGHT] == n[HEIGHT] else np.nan
