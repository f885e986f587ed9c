"""What one ASTERIX record says, as numbers and words, and what readers of categories share.

A reader (`asterix_tracks`, `asterix_plots`, `asterix_squitters`) takes the meaning of the fields
out of the bytes, into `Record`: NaN and -1 where the record does not say. What becomes of it, an
observation or readings, is `v2x.ingest.asterix_rows`.
"""

import math
from typing import NamedTuple

import numpy as np

from v2x.columns import F8, I8, U1
from v2x.ingest.asterix_items import (
    u16,
)
from v2x.ingest.interning import u8
from v2x.ingest.modes import CALLSIGN, FOOT
from v2x.jit import uncounted
from v2x.observations import Flag, Kind, Model

(
    LAT, LON, HEIGHT, AMSL, EAST, NORTH, UP, VEL_SD, RANGE, AZ, EL, RANGE_SD, ANG_SD, RADIAL, RSSI,
    LENGTH, WIDTH, CONF, COV,
) = range(19)  # fmt: skip
"""Numbers of a record: what observations hold, COV and five behind it the covariance;"""
(
    PRESSURE, SQUAWK, EMERGENCY, MONITOR, MONITOR_AZ, STATUS, PERIOD, RANGE_ERROR, AZ_ERROR, GROUND,
    NACP, NIC, GEO_MINUS_BARO,
) = range(COV + 6, COV + 19)  # fmt: skip
"""and what becomes readings, NaN: none."""
NUMBERS = COV + 19

TIME, TRACK, ADDRESS, NAME, NAME_KEY, KIND, MODEL, FLAGS, SEEN, ENDS, COASTS, BEATS = range(12)
"""Words of a record: time of day in 1/128 s, number of the track, address with its scheme above 24
bits, name and its key, ... and whether there is a detection with a place, an end of track, a guess,
a sign of life."""
WORDS = 12

CALLSIGN_KEY, REGISTRATION_KEY, PLAN_KEY = 3, 4, 5
"""Keys of interned names beside those of addresses: 8 six-bit letters, the same, 7 of ASCII."""

(
    NO_PLACE, NEAR_ZERO, RANGE_ZERO, BEYOND, HIGH, BAD_COVARIANCE, BAD_NAME, BAD_TIME, PADDED,
    BAD_HEIGHT, BAD_SPEED, FIXED,
) = range(12)  # fmt: skip
TALLIES = (
    "no_position", "position_near_zero", "range_zero", "range_beyond_scale", "height_beyond_range",
    "covariance_not_positive", "bad_callsign", "time_of_day_range", "padded", "height_range",
    "speed_range", "site_monitor",
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
LOW_QUALITY = int(Flag.LOW_QUALITY)
SIMULATED = int(Flag.SIMULATED)
BAROMETRIC = int(Flag.HEIGHT_BAROMETRIC)
SELF_REPORTED = int(Flag.SELF_REPORTED)
AIRCRAFT = int(Kind.AIRCRAFT)
UNKNOWN = int(Kind.UNKNOWN)
POLAR = int(Model.POLAR)

EMITTERS: I8 = np.zeros(256, np.int64)
"""Kind by emitter category (I062/380 ECAT, I021/020)."""
EMITTERS[1:7] = EMITTERS[11] = EMITTERS[12] = EMITTERS[14] = EMITTERS[15] = Kind.AIRCRAFT
EMITTERS[10], EMITTERS[13], EMITTERS[20], EMITTERS[21] = (
    Kind.HELICOPTER, Kind.UAS, Kind.EMERGENCY_VEHICLE, Kind.CAR,
)  # fmt: skip
EMITTERS[22:25] = Kind.OBSTACLE

_LETTERS = np.array([letter != "#" for letter in CALLSIGN])


class Record(NamedTuple):
    """What one record says: scratch, written over by the next."""

    number: F8
    """(NUMBERS,) SI; NaN not said."""
    word: I8
    """(WORDS,); -1 not said, facts 0 or 1."""


def blank_record() -> Record:
    """Room for one record."""
    return Record(np.empty(NUMBERS), np.empty(WORDS, np.int64))


@uncounted
def clear(r: Record) -> None:
    """Nothing said yet."""
    r.number[:] = np.nan
    r.number[CONF] = 0.0
    r.word[:] = 0
    r.word[TIME] = r.word[TRACK] = r.word[ADDRESS] = -1


@uncounted
def take_name(letters: int, key: int, r: Record, tally: I8) -> bool:
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


@uncounted
def take_address(address: int, scheme: int, r: Record) -> None:
    """Take an address of scheme `ICAO` or `ADSB18`, unless it is none."""
    if address != 0 and address != 0xFFFFFF:
        r.word[ADDRESS] = scheme << 24 | address


@uncounted
def take_squawk(code: int, r: Record) -> None:
    """Take 12 bits of a Mode 3/A code, as four octal digits."""
    r.number[SQUAWK] = (
        (code >> 9 & 7) * 1000 + (code >> 6 & 7) * 100 + (code >> 3 & 7) * 10 + (code & 7)
    )


@uncounted
def take_checked_squawk(buf: U1, p: int, r: Record) -> None:
    """Take the Mode 3/A code at `p` (I048/070, I062/060), unless garbled or not validated."""
    if p >= 0 and not u8(buf, p) & 0xC0:
        take_squawk(u16(buf, p), r)


@uncounted
def in_range(height: float, tally: I8) -> float:
    """The height, or NaN where it is out of range."""
    if LOWEST <= height <= HIGHEST:
        return height
    tally[BAD_HEIGHT] += 1
    return np.nan


@uncounted
def take_velocity(east: float, north: float, r: Record, tally: I8) -> None:
    """Take a velocity over ground, m/s, unless it is none."""
    if east * east + north * north <= FASTEST * FASTEST:
        r.number[EAST], r.number[NORTH] = east, north
    else:
        tally[BAD_SPEED] += 1
