"""Observations: what was measured, geodetic and in SI units, one row per measured object."""

from dataclasses import dataclass
from enum import IntEnum, IntFlag
from hashlib import blake2b

from v2x.columns import F4, F8, I4, I8, U1, U2, Columns, column


class Kind(IntEnum):
    """What an object is. Numbered from 0 in this order and never renumbered: they go on wires."""

    UNKNOWN = 0
    PEDESTRIAN = 1
    BICYCLE = 2
    MOTORCYCLE = 3
    CAR = 4
    TRUCK = 5
    BUS = 6
    EMERGENCY_VEHICLE = 7
    UAS = 8
    AIRCRAFT = 9
    HELICOPTER = 10
    BIRD = 11
    OBSTACLE = 12


class Model(IntEnum):
    """What a row measured: a position, range and angles, or angles alone."""

    POSITION = 0
    POLAR = 1
    BEARING = 2


class Flag(IntFlag):
    """Doubts and circumstances of a row; bit numbers are part of the column frame."""

    SELF_REPORTED = 1 << 0
    SIMULATED = 1 << 1
    CHECKSUM_BAD = 1 << 2
    LENGTH_BAD = 1 << 3
    DATUM_UNCERTAIN = 1 << 4
    DATUM_CONVERTED = 1 << 5
    HEIGHT_BAROMETRIC = 1 << 6
    HEIGHT_ABOVE_TAKEOFF = 1 << 7
    TIME_FROM_ARRIVAL = 1 << 8
    TIME_SUSPECT = 1 << 9
    ORDER_GUESSED = 1 << 10
    EDITION_GUESSED = 1 << 11
    RELAYED = 1 << 12
    BACKLOG = 1 << 13
    LOW_QUALITY = 1 << 14


def ident_of(text: str) -> int:
    """Hash an identity text ``scheme:value`` to the 63 bits that stand in columns.

    The same text gives the same number on every machine; the empty text gives -1.
    """
    if not text:
        return -1
    digest = blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") & 0x7FFF_FFFF_FFFF_FFFF


@dataclass(frozen=True, slots=True)
class Observations(Columns):
    """Measured objects, one a row. NaN is "not measured"; -1 is "no identity, no number".

    Attributes
    ----------
    frame
        Row of the frame in its batch (for a row built over several frames: the completing one).
    t_ns, recv_ns
        Event time and arrival, ns UTC.
    sensor
        Row of the sensor table.
    ident
        `ident_of` the claimed identity; the text is kept in a table beside.
    track_ref
        The sender's own object number, unique only within one sensor and reused.
    lat, lon, height
        Degrees (WGS-84) and metres above the ellipsoid.
    cov
        ``[EE, EN, EU, NN, NU, UU]`` of the position in the local east-north-up frame, m².
    vel, vel_sd
        East, north, up in m/s, and one standard deviation per axis.
    range, az, el, range_sd, ang_sd
        Slant range in m, azimuth clockwise from true north and elevation in rad, and their sd.
    radial, radial_sd
        Range rate in m/s, positive going away.
    rssi
        Received power, dBm.
    size
        Length, width, height in m.
    """

    frame: I4 = column("i4")
    t_ns: I8 = column("i8")
    recv_ns: I8 = column("i8")
    sensor: I4 = column("i4")
    ident: I8 = column("i8", blank=-1)
    track_ref: I8 = column("i8", blank=-1)
    kind: U1 = column("u1")
    kind_conf: F4 = column("f4", blank=0)
    model: U1 = column("u1")
    lat: F8 = column("f8")
    lon: F8 = column("f8")
    height: F8 = column("f8")
    cov: F8 = column("f8", 6)
    vel: F8 = column("f8", 3)
    vel_sd: F4 = column("f4")
    range: F8 = column("f8")
    az: F8 = column("f8")
    el: F8 = column("f8")
    range_sd: F8 = column("f8")
    ang_sd: F8 = column("f8")
    radial: F4 = column("f4")
    radial_sd: F4 = column("f4")
    rssi: F4 = column("f4")
    size: F4 = column("f4", 3)
    flags: U2 = column("u2")
