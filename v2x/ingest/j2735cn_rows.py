"""Roadside messages of YD/T 3709-2020: from wire numbers to observations and readings.

Angles to degrees by 1e-7, heights by 0.1 m, speed by 0.02 m/s (8191 unknown), heading by 0.0125
degrees (28800 unknown), sizes by 0.01 m and height of a vehicle by 0.05 m (0 unknown). The second
of the minute is completed from the arrival; 61000 and above say nothing, and the arrival stands
for it. A latitude or longitude that says "unavailable", and a place within 0.01 degrees of (0, 0),
where encoders without a fix drift, give no row.

========  ==========================================  =========================================
message   observations                                readings
========  ==========================================  =========================================
RSM       one per participant; ``track_ref`` ptcId;   RSM_COUNT of participants; RSU_LOCATION,
          source 2 or 7 repeats a BSM: relayed        value m, from ptcId 0, the unit itself
SSM       as RSM, kind by detectedPTCType and its     SSM_COUNT of participants and obstacles;
          confidence where that is sent; obstacles    RSU_LOCATION; OBSTACLE_TYPE, value
          as kind obstacle, ``track_ref`` obsId       obsType, per (unit, obsId);
                                                      COVERAGE_HASH of the region it states
BSM       one, self reported, identity ``bsm:``       BSM_EVENTS bits, SIREN 0 or 1,
                                                      BRAKE 0 or 1
========  ==========================================  =========================================

A frame of which no participant could be placed is `Reject.NOTHING_TO_OBSERVE`; its readings stay.
Places are in the datum of the sensor, as sent; those of readings are WGS-84. A pair that is a place
of the district only once swapped is swapped and flagged `Flag.ORDER_GUESSED`.

Many units fill elevation with a height above sea level, or 0. One whose reference elevation is more
than 5 m off the height that is configured for its sensor, and within 3 m of that height above sea
level or of 0, gives HEIGHT_DATUM_SUSPECT (the difference in m) and no heights.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from v2x.columns import F4, F8, I4, I8, U1, U2
from v2x.geodesy import undulation
from v2x.ingest.accuracy import (
    YDT3709_HEADING_SD,
    YDT3709_POSITION_SD,
    YDT3709_SPEED_SD,
    believed,
)
from v2x.ingest.decoded import Reject
from v2x.ingest.j2735cn import Heads
from v2x.ingest.j2735cn_parts import (
    ABSENT,
    BRAKE_PEDAL,
    CLASS,
    DETECTED,
    ELEVATION,
    ELEVATION_CFD,
    EVENTS,
    GUESSED,
    HEADING,
    HEADING_CFD,
    HEIGHT,
    IS_OBSTACLE,
    LAT,
    LENGTH,
    LON,
    OBSTACLE,
    ORIENTATION,
    POS_CFD,
    PTC_ID,
    PTC_TYPE,
    RESPONSE,
    SEC_MARK,
    SEMI_MAJOR,
    SEMI_MINOR,
    SIREN,
    SOURCE,
    SPEED,
    SPEED_CFD,
    TYPE_CFD,
    WHEEL_BRAKES,
    WIDTH,
    swapped,
)
from v2x.ingest.j2735cn_types import SSM as _SSM_ID
from v2x.ingest.timestamps import FUTURE_NS, MINUTE, PAST_NS, nearest
from v2x.jit import uncounted
from v2x.observations import Flag, Kind
from v2x.readings import Name
from v2x.sensors import SensorTable

BELOW_LATCH_M_S = 1.2
"""Units hold the last heading below 4 km/h: the direction is worth no more than the speed."""

STANDING_M_S = 0.5
"""Without a heading a slower object is taken to stand."""

GROUND_M, SEA_M = 5.0, 3.0
"""How far a reference elevation must be off the ground, and how near to a wrong datum."""

_SEC_MARK_TOP = 61_000  # 60000..60999 is a leap second, above is reserved, 65535 unavailable
_NULL_ISLAND_DEG = 0.01
_SPEED_NONE, _HEADING_NONE = 8191, 28_800
_OK = int(Reject.OK)
_NOTHING = int(Reject.NOTHING_TO_OBSERVE)
_SELF_REPORTED = int(Flag.SELF_REPORTED)
_RELAYED = int(Flag.RELAYED)
_TIME_FROM_ARRIVAL = int(Flag.TIME_FROM_ARRIVAL)
_TIME_SUSPECT = int(Flag.TIME_SUSPECT)
_EDITION_GUESSED = int(Flag.EDITION_GUESSED)
_ORDER_GUESSED = int(Flag.ORDER_GUESSED)
_RSM_COUNT = int(Name.RSM_COUNT)
_RSU_LOCATION = int(Name.RSU_LOCATION)
_BSM_EVENTS = int(Name.BSM_EVENTS)
_SIREN = int(Name.SIREN)
_BRAKE = int(Name.BRAKE)
_SSM_COUNT = int(Name.SSM_COUNT)
_OBSTACLE_TYPE = int(Name.OBSTACLE_TYPE)
_COVERAGE_HASH = int(Name.COVERAGE_HASH)
_HEIGHT_DATUM_SUSPECT = int(Name.HEIGHT_DATUM_SUSPECT)
_SOURCE_V2X, _SOURCE_INTEGRATED = 2, 7
_EMERGENCY = int(Kind.EMERGENCY_VEHICLE)
_OBSTACLE = int(Kind.OBSTACLE)
_CAR = int(Kind.CAR)


def _class_kinds() -> U1:
    """Kind by vehicle class 0..255; 0 where the class says none."""
    kinds = np.zeros(256, np.uint8)
    for low, high, kind in (
        (10, 24, Kind.CAR),  # 20 to 24 are light trucks of a car's size
        (25, 39, Kind.TRUCK),
        (40, 49, Kind.MOTORCYCLE),
        (50, 59, Kind.BUS),
        (60, 69, Kind.EMERGENCY_VEHICLE),
        (80, 84, Kind.PEDESTRIAN),
        (85, 85, Kind.BICYCLE),
        (86, 86, Kind.PEDESTRIAN),  # road worker
        (90, 93, Kind.OBSTACLE),
    ):
        kinds[low : high + 1] = kind
    return kinds


_CLASS_KIND = _class_kinds()
_DETECTED_KIND = np.array(
    [
        0, 0, 0, Kind.CAR, Kind.CAR, Kind.TRUCK, Kind.BUS, Kind.BICYCLE, Kind.MOTORCYCLE,
        Kind.MOTORCYCLE, Kind.PEDESTRIAN,
    ],
    np.uint8,
)  # fmt: skip
"""Kind by detectedPTCType 0..10; a van (4) is a car's size, a tricycle (9) goes as a motorcycle."""

_SINE = np.sin(np.radians(np.arange(28_801 + 7_200) / 80.0))
_TYPE_KIND = (int(Kind.UNKNOWN), int(Kind.CAR), int(Kind.BICYCLE), int(Kind.PEDESTRIAN))
_TYPE_CONF = (0.0, 0.5, 0.6, 0.7)


class Seen(NamedTuple):
    """Columns of observations that the kernel fills, and the wire row of each."""

    row: I8
    frame: I4
    t_ns: I8
    recv_ns: I8
    sensor: I4
    track_ref: I8
    kind: U1
    kind_conf: F4
    lat: F8
    lon: F8
    height: F8
    cov: F8
    vel: F8
    vel_sd: F4
    size: F4
    flags: U2


class Said(NamedTuple):
    """Columns of readings that the kernel fills; `frame` counts messages."""

    frame: I4
    t_ns: I8
    name: U2
    value: F8
    lat: F8
    lon: F8
    number: I8
    """Of the object among the unit's, -1 none."""


class Tables(NamedTuple):
    """Standard deviations by (sensor, code): position and elevation m; speed m/s, heading rad.

    `ground`, `sea` by sensor: its configured height above the ellipsoid, and above sea level; NaN
    where not known. `sine` by wire heading, a quarter turn longer than the circle: the same on
    every machine.
    """

    position: F8
    elevation: F8
    own: F8
    own_up: F8
    speed: F8
    heading: F8
    ground: F8
    sea: F8
    sine: F8


@uncounted
def _time(sec_mark: int, recv_ns: int) -> tuple[int, int]:
    """Event time and its flags."""
    if sec_mark >= _SEC_MARK_TOP:
        return recv_ns, _TIME_FROM_ARRIVAL
    t_ns = nearest(recv_ns, sec_mark * 1_000_000, MINUTE)
    if t_ns - recv_ns > FUTURE_NS or recv_ns - t_ns > PAST_NS:
        return t_ns, _TIME_SUSPECT
    return t_ns, 0


@uncounted
def off_datum(up: int, ground: float, sea: float) -> bool:
    """Whether a reference elevation (0.1 m) is the ground's, but in another datum or left at 0."""
    if up == ABSENT or not abs(up / 10.0 - ground) > GROUND_M:
        return False
    return abs(up / 10.0 - sea) <= SEA_M or abs(up / 10.0) <= SEA_M


@uncounted
def is_place(lat: int, lon: int) -> bool:
    """Whether wire latitude and longitude are a place."""
    if lat == ABSENT or lon == ABSENT:
        return False
    edge = _NULL_ISLAND_DEG * 1e7
    return abs(lat) > edge or abs(lon) > edge


@uncounted
def _kind(
    ptc_type: int, source: int, vehicle_class: int, response: int, detected: int, sure_cfd: int
) -> tuple[int, float]:
    """Kind and how sure.

    Emergency duty beats all; a type that the unit detected beats a class, a class the participant
    type. A confidence that is sent replaces ours.
    """
    own = ptc_type == ABSENT
    sure = 0.9 if own or source == _SOURCE_V2X else 0.7
    if own and response == 1:
        return _EMERGENCY, sure
    of_class = int(_CLASS_KIND[vehicle_class]) if vehicle_class >= 0 else 0
    if detected >= 0 and of_class != _EMERGENCY and _DETECTED_KIND[detected] > 0:
        return int(_DETECTED_KIND[detected]), (sure_cfd / 200.0 if sure_cfd >= 0 else sure)
    if of_class > 0:
        return of_class, sure
    if own:
        return _CAR, 0.5
    if ptc_type < 0 or ptc_type > 3:
        return 0, 0.0
    return _TYPE_KIND[ptc_type], _TYPE_CONF[ptc_type]


@uncounted
def _motion(
    speed: int, heading: int, speed_sd: float, heading_sd: float, sine: float, cosine: float
) -> tuple[float, float, float]:
    """East, north and standard deviation in m/s, NaN where unknown."""
    v = speed / 50.0
    if speed == _SPEED_NONE or (heading == _HEADING_NONE and v >= STANDING_M_S):
        return np.nan, np.nan, np.nan
    sd = speed_sd
    east = north = 0.0
    if heading != _HEADING_NONE:
        east, north = v * sine, v * cosine
        if v * heading_sd > sd:
            sd = v * heading_sd
    if v < BELOW_LATCH_M_S and v > sd:
        sd = v
    return east, north, sd


@uncounted
def _ellipse(major: int, minor: int, orientation: int, floor: float) -> tuple[float, float, float]:
    """EE, EN, NN of an error ellipse in wire units, no axis below `floor` (may be NaN)."""
    # Half a step is what an axis of 0 can mean.
    a = max(major * 0.05, 0.025)
    b = max(minor * 0.05, 0.025)
    if orientation == 65535:
        a = b = max(a, b)
    if floor > a:
        a = floor
    if floor > b:
        b = floor
    t = np.radians(orientation * (360.0 / 65535.0))
    s, c = np.sin(t), np.cos(t)
    return a * a * s * s + b * b * c * c, (a * a - b * b) * s * c, a * a * c * c + b * b * s * s


@uncounted
def _tell(
    frame: I4, at: I8, names: U2, values: F8, m: int, j: int, t_ns: int, name: int, value: float
) -> int:
    """One reading without a place into row `m`; the next free row."""
    frame[m] = j
    at[m] = t_ns
    names[m] = name
    values[m] = value
    return m + 1


@uncounted
def become(
    wire: I4, first: I8, heads: Heads, outer: I4, sensor: I4, recv_ns: I8, code: U1,
    tables: Tables, seen: Seen, said: Said,
) -> tuple[int, int]:  # fmt: skip
    """Rows of all good messages: (observations, readings) filled.

    wire (rows, WIRE), first (n + 1,), heads, outer (n,) frame of each message, sensor, recv_ns
    (n,), code (n,) changed to NOTHING_TO_OBSERVE where a message placed no object.
    """
    # Taken out once: an array out of a tuple is counted up and down at every touch.
    frame, at, name, value, said_lat, said_lon, number = said
    row, seen_frame, seen_t, seen_recv, seen_sensor, track_ref, kind, kind_conf = seen[:8]
    lat, lon, height, cov, vel, vel_sd, size, seen_flags = seen[8:]
    position_sd, elevation_sd, own_sd, _, speed_sd, heading_sd, ground, sea, sine = tables
    sec_mark, reference, extension = heads.sec_mark, heads.up, heads.extension
    k = m = 0
    for j in range(outer.shape[0]):
        if code[j] != _OK:
            continue
        before = k
        recv = recv_ns[j]
        s = sensor[j]
        others = 0
        suspect = off_datum(reference[j], ground[s], sea[s])
        for r in range(first[j], first[j + 1]):
            own = wire[r, PTC_TYPE] == ABSENT
            obstacle = wire[r, PTC_TYPE] == IS_OBSTACLE
            lat_wire, lon_wire = wire[r, LAT], wire[r, LON]
            here = is_place(lat_wire, lon_wire)
            turned = here and swapped(lat_wire, lon_wire)
            if turned:
                lat_wire, lon_wire = lon_wire, lat_wire
            high = wire[r, ELEVATION] != ABSENT and not suspect
            t_ns, flags = _time(wire[r, SEC_MARK], recv)
            if not own and not obstacle and wire[r, PTC_ID] == 0:
                if here:
                    said_lat[m], said_lon[m] = lat_wire / 1e7, lon_wire / 1e7
                    up = wire[r, ELEVATION] / 10.0 if high else np.nan
                    m = _tell(frame, at, name, value, m, j, t_ns, _RSU_LOCATION, up)
                continue
            others += 1
            if turned:
                flags |= _ORDER_GUESSED
            if obstacle:
                if here:
                    said_lat[m], said_lon[m] = lat_wire / 1e7, lon_wire / 1e7
                number[m] = wire[r, PTC_ID]
                m = _tell(frame, at, name, value, m, j, t_ns, _OBSTACLE_TYPE, wire[r, OBSTACLE])
            if own:
                flags |= _SELF_REPORTED
                if wire[r, GUESSED]:
                    flags |= _EDITION_GUESSED
                if wire[r, EVENTS] != ABSENT:
                    m = _tell(frame, at, name, value, m, j, t_ns, _BSM_EVENTS, wire[r, EVENTS])
                if wire[r, SIREN] == 1 or wire[r, SIREN] == 2:
                    m = _tell(frame, at, name, value, m, j, t_ns, _SIREN, wire[r, SIREN] - 1)
                pedal, wheels = wire[r, BRAKE_PEDAL], wire[r, WHEEL_BRAKES]
                if pedal == 1 or pedal == 2:
                    m = _tell(frame, at, name, value, m, j, t_ns, _BRAKE, pedal - 1)
                elif wheels != ABSENT and wheels < 16:  # first of the five bits: unavailable
                    m = _tell(frame, at, name, value, m, j, t_ns, _BRAKE, 1 if wheels > 0 else 0)
            elif wire[r, SOURCE] == _SOURCE_V2X:
                flags |= _RELAYED if obstacle else _SELF_REPORTED | _RELAYED
            elif wire[r, SOURCE] == _SOURCE_INTEGRATED:
                flags |= _RELAYED
            if not here:
                continue
            row[k] = r
            seen_frame[k] = outer[j]
            seen_t[k] = t_ns
            seen_recv[k] = recv
            seen_sensor[k] = s
            seen_flags[k] = flags
            if not own:
                track_ref[k] = wire[r, PTC_ID]
            if obstacle:
                kind[k] = _OBSTACLE
                kind_conf[k] = wire[r, TYPE_CFD] / 200.0 if wire[r, TYPE_CFD] >= 0 else 0.7
            else:
                kind[k], kind_conf[k] = _kind(
                    wire[r, PTC_TYPE], wire[r, SOURCE], wire[r, CLASS], wire[r, RESPONSE],
                    ABSENT if own else wire[r, DETECTED], wire[r, TYPE_CFD],
                )  # fmt: skip
            lat[k], lon[k] = lat_wire / 1e7, lon_wire / 1e7
            ee = nn = position_sd[s, wire[r, POS_CFD]] ** 2
            en = 0.0
            if own and wire[r, SEMI_MAJOR] < 255 and wire[r, SEMI_MINOR] < 255:
                ee, en, nn = _ellipse(
                    wire[r, SEMI_MAJOR], wire[r, SEMI_MINOR], wire[r, ORIENTATION], own_sd[s]
                )
            cov[k, 0], cov[k, 1], cov[k, 2], cov[k, 3], cov[k, 4] = ee, en, 0.0, nn, 0.0
            if high:
                height[k] = wire[r, ELEVATION] / 10.0
                cov[k, 5] = elevation_sd[s, wire[r, ELEVATION_CFD]] ** 2
            heading = wire[r, HEADING]
            vel[k, 0], vel[k, 1], vel_sd[k] = _motion(
                wire[r, SPEED], heading, speed_sd[wire[r, SPEED_CFD]],
                heading_sd[wire[r, HEADING_CFD]], sine[heading], sine[heading + 7200],
            )  # fmt: skip
            step, step_up = (10.0, 10.0) if obstacle else (100.0, 20.0)
            if wire[r, LENGTH] > 0:
                size[k, 0] = wire[r, LENGTH] / step
            if wire[r, WIDTH] > 0:
                size[k, 1] = wire[r, WIDTH] / step
            if wire[r, HEIGHT] > 0:
                size[k, 2] = wire[r, HEIGHT] / step_up
            k += 1
        shared = extension[j] == _SSM_ID
        if shared or (first[j + 1] > first[j] and wire[first[j], PTC_TYPE] != ABSENT):
            t_ns, _ = _time(sec_mark[j], recv)
            if heads.region[j, 1] > heads.region[j, 0]:
                lat_wire, lon_wire = heads.base[j, 0], heads.base[j, 1]
                if is_place(lat_wire, lon_wire):
                    if swapped(lat_wire, lon_wire):
                        lat_wire, lon_wire = lon_wire, lat_wire
                    said_lat[m], said_lon[m] = lat_wire / 1e7, lon_wire / 1e7
                m = _tell(frame, at, name, value, m, j, t_ns, _COVERAGE_HASH, np.nan)
            if suspect:
                off = reference[j] / 10.0 - ground[s]
                m = _tell(frame, at, name, value, m, j, t_ns, _HEIGHT_DATUM_SUSPECT, off)
            told = _SSM_COUNT if shared else _RSM_COUNT
            m = _tell(frame, at, name, value, m, j, t_ns, told, others)
        if k == before:
            code[j] = _NOTHING
    return k, m


@lru_cache(maxsize=4)
def tables_of(sensors: SensorTable) -> Tables:
    """What a claim is worth from each sensor."""
    sd, sd_up = sensors.floats("sd_m"), sensors.floats("sd_up_m")
    ground = sensors.floats("hae_m")
    sea = ground - undulation(sensors.floats("lat"), sensors.floats("lon"))
    return Tables(
        believed(YDT3709_POSITION_SD[np.newaxis, :], sd[:, np.newaxis]),
        believed(YDT3709_POSITION_SD[np.newaxis, :], sd_up[:, np.newaxis]),
        sd, sd_up, YDT3709_SPEED_SD, YDT3709_HEADING_SD, ground, sea, _SINE,
    )  # fmt: skip
