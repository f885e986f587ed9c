"""Readings: what a device or a terminal says about itself, one fact a row."""

from dataclasses import dataclass
from enum import IntEnum

from v2x.columns import F8, I4, I8, U2, Columns, column


class Name(IntEnum):
    """What a reading says. Appended to, never renumbered: recordings and checkpoints hold them.

    Values are SI or a code of the format. Where the value stands for a text it is the hash of the
    text (`v2x.observations.ident_of` as float is lossy, so such rows carry it in ``ident``).
    """

    HEARTBEAT = 0
    SCAN_EMPTY = 1
    """The sensor looked and saw nothing."""
    CLOCK_OFFSET_S = 2
    """Device clock minus arrival."""
    ALARM_BITS = 3
    STATUS_BITS = 4
    GNSS_SATS = 5
    LINK_RSSI = 6
    ODOMETER_M = 7
    FIX = 8
    FIX_QUALITY = 9
    SATS_USED = 10
    HDOP = 11
    NAV_STATUS = 12
    CORR_AGE_S = 13
    RID_REGISTERED = 14
    """1 the broadcast carries a registration mark, 0 it says 'not registered'."""
    RID_REGISTRATION = 15
    """Identity of the registration mark is in ``ident2``."""
    RID_STATUS = 16
    RID_MAC = 17
    """Binds a transmitter address (value) to an identity."""
    UAS_CLASS = 18
    UAS_CATEGORY = 19
    PILOT = 20
    """Operator position in lat, lon; value 1 live, 0 take-off point."""
    PILOT_HEIGHT = 21
    HEIGHT_TAKEOFF = 22
    PRESSURE_ALTITUDE = 23
    RSSI_DBM = 24
    RSU_CLOCK_OFFSET_S = 25
    RSU_INNER_OFFSET_S = 26
    RSU_LOCATION = 27
    RSU_STATUS = 28
    RSU_VERSION = 29
    RSI_COUNT = 30
    RSM_COUNT = 31
    FAULT = 32
    """Fault of a module: the module's identity is in ``ident2``, value is the code."""
    CPU_LOAD = 33
    CPU_USE = 34
    MEM_USE = 35
    DISK_FREE = 36
    BUS_PRIORITY = 37
    BSM_EVENTS = 38
    SIREN = 39
    BRAKE = 40
    SQUAWK = 41
    EMERGENCY = 42
    NACP = 43
    NIC = 44
    GEO_MINUS_BARO_M = 45
    GROUND_BIT = 46
    CALLSIGN = 47
    """Callsign text is in ``ident2``."""
    RID_HEARD = 48
    """A Remote ID identity was heard, with or without a position."""
    VELOCITY_EAST = 49
    VELOCITY_NORTH = 50
    VELOCITY_UP = 51
    HEIGHT_DATUM_SUSPECT = 52
    RSU_MOVED_M = 53
    ODID_ARM_STATUS = 100
    """Drone identification lets its drone take off: 0 it does, 1 it does not."""
    TRACK_LOST = 101
    """A sensor gave up an object; the object is in ``ident2``."""
    NODE_STATUS = 102
    """A sensing node: 1 good, 2 warning, 3 error, 5 about to leave."""
    NODE_CONDITION = 103
    """Level of an entry of a node's status (2 told, 3 warning, 4 error); entry in ``ident2``."""
    NODE_POWER = 104
    """Battery level, %."""
    NODE_LOCATION = 105
    """Where a node says it is; value is the height above the ellipsoid."""
    NODE_OBSCURED = 106
    """Regions a node says it cannot see."""
    NODE_TYPE = 107
    """Kind of a node at its registration (2 radar, 4 camera, 8 radio, ...); name in ``ident2``."""
    NODE_ALERT = 108
    """Type of an alert that a node raises, 0 when it takes it back; the alert in ``ident2``."""
    RADAR_MONITOR = 70
    """Slant range of a radar's site monitor, a fixed transponder; its measured place beside."""
    RADAR_MONITOR_AZ = 71
    """Azimuth of the site monitor, rad from the radar's own north."""
    TRACK_END = 72
    """Number of a sender's track that ended."""
    TRACK_COASTING = 73
    """Number of a sender's track that went on without a detection; its guessed place beside."""
    RADAR_STATUS = 74
    """0 works; bits: 1 not for use, 2 overload, 4 clock invalid, 8 unmonitored, 16 degraded."""
    ANTENNA_PERIOD_S = 75
    RADAR_RANGE_ERROR_M = 76
    """Primary minus secondary range, as the radar finds it."""
    RADAR_AZ_ERROR = 77
    """Primary minus secondary azimuth, rad, as the radar finds it."""
    TERMINAL_REGISTERED = 80
    """A terminal registered; value is the code of the plate's colour, ``ident2`` the plate's
    pseudonym."""
    TERMINAL_MAKER = 81
    TERMINAL_MODEL = 82
    TERMINAL_VERSION = 83
    """Maker, model and firmware that a terminal says it has: the text is in ``ident2``."""
    VEHICLE_ALARM_LEVEL = 84
    """Highest alarm of the vehicle's own systems: 0 none, to 3 or 4 the worst."""
    VEHICLE_ALARM_BITS = 85
    VEHICLE_SPEED = 86
    """Speed that the vehicle says, m/s, where no observation carries it."""
    STATE_OF_CHARGE = 87
    """Of the traction battery, 0 to 1."""
    LOGIN = 88
    """1 the vehicle or platform logged in, 0 out."""
    ROAD_EVENT = 54
    """Event type (GB/T 29100) per unit and event; its text is in ``ident2``."""
    ROAD_EVENT_END = 55
    """When it is announced to end, s since 1970 UTC."""
    ROAD_EVENT_RADIUS_M = 56
    SIGN = 57
    """Row number of the sign in GB 5768.2 per unit and sign; its text is in ``ident2``."""
    SIGNAL_STATUS = 58
    """Status bits of an intersection's controller."""
    SIGNAL_LIGHT = 59
    """Light of a phase: 0 unknown, 1 dark, 3 red, 5 and 6 green, 7 yellow; 2, 4, 8 flashing."""
    SIGNAL_LEFT_S = 60
    MAP_HASH = 61
    """48 bits of the hash of a map's content, whose text is in ``ident2``."""
    MAP_NODES = 62
    OBSTACLE_TYPE = 63
    COVERAGE_HASH = 64
    """As MAP_HASH, of the region that a unit says it sees."""
    SSM_COUNT = 65
    CN0_MEAN = 125
    """Carrier to noise density over the satellites a receiver tracks, dB-Hz."""
    CN0_MAX = 126
    CN0_SPREAD = 127
    """Standard deviation of it over four satellites or more: spoofers send all alike."""
    GBS_BIAS_M = 128
    """What a receiver's own monitor thinks the failed satellite shifts it by."""
    GBS_FAILED = 129
    """The satellite that it distrusts."""
    RID_VS_SIGN = 130
    """Bit 1 of a sender's vertical speed means down (+1) or up (-1), by its own heights."""
    SIL = 131
    """Probability class that a position lies outside its containment radius."""
    POSITION_SPLIT_M = 132
    """Largest distance between the positions that a receiver gives by single constellations."""
    PILOT_BEARING = 133
    """Azimuth, rad clockwise from true north, at which a direction finder hears the controller of
    the drone in ``ident``."""
    CHANGE_REFUSED = 140
    """A change of what is judged by, ``ident`` ``change:<format>``: 1 refused, 0 taken. Why, or
    what was read with a grain of salt, is in ``ident2``."""


@dataclass(frozen=True, slots=True)
class Readings(Columns):
    """What devices said, one fact a row.

    Attributes
    ----------
    frame
        Row of the frame in its batch.
    ident
        Whom the reading is about: the terminal, the drone, the unit; -1 the sensor itself.
    name, value
        `Name`, and its number in SI units or as the format's code.
    ident2
        `ident_of` a text that belongs to the reading (mark, callsign, module), -1 none.
    lat, lon
        Degrees, where the fact has a place.
    """

    frame: I4 = column("i4")
    t_ns: I8 = column("i8")
    recv_ns: I8 = column("i8")
    sensor: I4 = column("i4")
    ident: I8 = column("i8", blank=-1)
    name: U2 = column("u2")
    value: F8 = column("f8")
    ident2: I8 = column("i8", blank=-1)
    lat: F8 = column("f8")
    lon: F8 = column("f8")
