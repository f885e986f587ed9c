"""SAE J2735: from wire numbers to observations and readings, and from plain messages to both.

Angles to degrees by 1e-7, elevation by 0.1 m above the ellipsoid (-4096 unknown), speed by
0.02 m/s (8191 unknown), heading by 0.0125 degrees (28800 unknown), sizes by 0.01 m (0 unknown),
semi-axes by 0.05 m, one standard deviation (255 unknown). Confidence classes are 95 % figures, as
in the related Chinese messages.
"""

from typing import Any

import numpy as np

from v2x.columns import F8, I8
from v2x.frames import FrameBatch
from v2x.ingest.j2735 import (
    ABSENT,
    BRAKES,
    ELEVATION,
    ELEVATION_NONE,
    EVENTS,
    HEADING,
    LAT,
    LAT_NONE,
    LENGTH,
    LON,
    LON_NONE,
    ORIENTATION,
    RESPONSE,
    SEC_MARK,
    SEMI_MAJOR,
    SEMI_MINOR,
    SIREN,
    SPEED,
    WIDTH,
)
from v2x.ingest.timestamps import FUTURE_NS, MINUTE, PAST_NS
from v2x.observations import Flag, Kind, Observations
from v2x.readings import Name, Readings
from v2x.sensors import SensorTable

EMERGENCY = 1
"""Response type of a vehicle on an emergency run."""

_SEC_MARK_TOP = 61_000  # 60000..60999 is a leap second, above is reserved, 65535 unavailable
_SPEED_NONE, _HEADING_NONE, _AXIS_NONE = 8191, 28_800, 255
_STANDING_M_S = 0.5
_NULL_ISLAND = 100_000
_UNAVAILABLE_BRAKES = 16
_USER_KIND = {1: Kind.PEDESTRIAN, 2: Kind.BICYCLE, 3: Kind.PEDESTRIAN}
_OBJECT_KIND = {1: (Kind.CAR, 0.5), 2: (Kind.PEDESTRIAN, 0.7)}
"""A vehicle is a car more often than not, a vulnerable road user one on foot."""

_LIGHT = (0, 1, 2, 3, 3, 5, 6, 7, 7, 8)
"""`Name.SIGNAL_LIGHT` by phase state: before movement is still red, both clearances are yellow."""
_MARK_TOP = 36_000
_ROADSIDE = 1

Row = dict[str, Any]


def times(part_ms: I8, recv_ns: I8) -> tuple[I8, I8]:
    """Event times (n,) of milliseconds in the minute (n,), and their flags."""
    base = recv_ns - recv_ns % MINUTE + part_ms * 1_000_000
    ahead = base - recv_ns
    half = MINUTE // 2
    t_ns = np.where(ahead > half, base - MINUTE, np.where(-ahead > half, base + MINUTE, base))
    known = part_ms < _SEC_MARK_TOP
    suspect = (t_ns - recv_ns > FUTURE_NS) | (recv_ns - t_ns > PAST_NS)
    flags = np.where(suspect, int(Flag.TIME_SUSPECT), 0)
    return (
        np.where(known, t_ns, recv_ns),
        np.where(known, flags, int(Flag.TIME_FROM_ARRIVAL)),
    )


def placed(lat: I8, lon: I8) -> Any:
    """Where coordinates are a place: both known, and not where encoders without a fix drift."""
    known = (lat != LAT_NONE) & (lon != LON_NONE)
    return known & ((np.abs(lat) > _NULL_ISLAND) | (np.abs(lon) > _NULL_ISLAND))


def ellipse(major: I8, minor: I8, orientation: I8, floor: F8) -> tuple[F8, F8, F8]:
    """EE, EN, NN (n,) of accuracy ellipses; `floor` (n,) is the sensor's own sd, NaN unknown."""
    a, b = major * 0.05, minor * 0.05
    known = (major < _AXIS_NONE) & (minor < _AXIS_NONE)
    a = np.where(known, np.maximum(a, 0.025), np.nan)  # half a step is what an axis of 0 can mean
    b = np.where(known, np.maximum(b, 0.025), np.nan)
    round_ = orientation == 65_535
    a = np.where(round_, np.fmax(a, b), a)
    b = np.where(round_, a, b)
    a, b = np.fmax(a, floor), np.fmax(b, floor)
    t = np.radians(orientation * (360.0 / 65_535.0))
    s, c = np.sin(t), np.cos(t)
    return a * a * s * s + b * b * c * c, (a * a - b * b) * s * c, a * a * c * c + b * b * s * s


def motion(speed: I8, heading: I8) -> tuple[F8, F8]:
    """East and north (n,) m/s; 0 for a slow one without a heading, else NaN where unknown."""
    v = np.where(speed == _SPEED_NONE, np.nan, speed * 0.02)
    angle = np.radians(heading * 0.0125)
    lost = heading == _HEADING_NONE
    still = np.where(v < _STANDING_M_S, 0.0, np.nan)
    return np.where(lost, still, v * np.sin(angle)), np.where(lost, still, v * np.cos(angle))


def vehicles(
    wire: I8, frame: I8, batch: FrameBatch, sensors: SensorTable, ident: I8
) -> tuple[Observations, Readings]:
    """Rows of BSM: wire (n, WIRE), frame (n,) of each, ident (n,)."""
    recv, sensor = batch.recv_ns[frame], batch.sensor[frame]
    t_ns, flags = times(wire[:, SEC_MARK], recv)
    here = np.flatnonzero(placed(wire[:, LAT], wire[:, LON]))
    w, s = wire[here], sensor[here]
    n = here.shape[0]
    rows = Observations.blank(n)
    rows.frame[:], rows.t_ns[:], rows.recv_ns[:] = frame[here], t_ns[here], recv[here]
    rows.sensor[:], rows.ident[:] = s, ident[here]
    rows.flags[:] = flags[here] | int(Flag.SELF_REPORTED)
    emergency = w[:, RESPONSE] == EMERGENCY
    rows.kind[:] = np.where(emergency, int(Kind.EMERGENCY_VEHICLE), int(Kind.CAR))
    rows.kind_conf[:] = np.where(emergency, 0.9, 0.5)
    rows.lat[:], rows.lon[:] = w[:, LAT] / 1e7, w[:, LON] / 1e7
    high = w[:, ELEVATION] != ELEVATION_NONE
    rows.height[:] = np.where(high, w[:, ELEVATION] / 10.0, np.nan)
    ee, en, nn = ellipse(
        w[:, SEMI_MAJOR], w[:, SEMI_MINOR], w[:, ORIENTATION], sensors.floats("sd_m")[s]
    )
    rows.cov[:] = 0.0
    rows.cov[:, 0], rows.cov[:, 1], rows.cov[:, 3] = ee, en, nn
    rows.cov[:, 5] = np.where(high, np.square(sensors.floats("sd_up_m")[s]), np.nan)
    rows.vel[:, 0], rows.vel[:, 1] = motion(w[:, SPEED], w[:, HEADING])
    for column, part in ((0, LENGTH), (1, WIDTH)):
        rows.size[:, column] = np.where(w[:, part] > 0, w[:, part] / 100.0, np.nan)
    return rows, _told(wire, frame, t_ns, recv, sensor, ident)


def _told(wire: I8, frame: I8, t_ns: I8, recv: I8, sensor: Any, ident: I8) -> Readings:
    """Events, siren and brakes of BSM, as far as they are told."""
    siren, brakes = wire[:, SIREN], wire[:, BRAKES]
    told = (
        (Name.BSM_EVENTS, wire[:, EVENTS] != ABSENT, wire[:, EVENTS]),
        (Name.SIREN, (siren == 1) | (siren == 2), siren - 1),
        (Name.BRAKE, brakes < _UNAVAILABLE_BRAKES, brakes > 0),
    )
    which = [np.flatnonzero(mask) for _, mask, _ in told]
    at = np.concatenate(which)
    order = np.argsort(at, kind="stable")
    name = np.concatenate([np.full(w.shape[0], told[k][0]) for k, w in enumerate(which)])[order]
    value = np.concatenate([told[k][2][w] for k, w in enumerate(which)])[order]
    at = at[order]
    return Readings.blank(
        at.shape[0], frame=frame[at], t_ns=t_ns[at], recv_ns=recv[at], sensor=sensor[at],
        ident=ident[at], name=name, value=value,
    )  # fmt: skip
