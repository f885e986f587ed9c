"""Picture: the fused situation at one event time. All that a rule may read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, IntFlag

from v2x.columns import F8, I4, I8, U1, Columns, column
from v2x.sensors import SensorTable
from v2x.tracks import CrossResiduals, Looks, Residuals, SensorFacts, Tracks


class Verdict(IntEnum):
    """Who a track is allowed to be, by the first row that holds; NONE for what is no aircraft."""

    NONE = 0
    MANNED = 1
    SPOOFED = 2
    UNIDENTIFIED = 3
    DARK = 4
    UNREGISTERED = 5
    UNAUTHORISED = 6
    NONCONFORMING = 7
    AUTHORISED = 8
    CLAIMED = 9
    UNDECIDED = 10
    """An aircraft or unknown object that waits for evidence."""


class ClaimStatus(IntEnum):
    """What is behind the identity of a track."""

    NONE = 0
    CLAIMED = 1
    CORROBORATED = 2
    CONTRADICTED = 3


class Registered(IntEnum):
    """Is the claimed identity in a fresh registry."""

    UNKNOWN = 0
    NO = 1
    YES = 2


class Why(IntFlag):
    """What a verdict rests on, as bits of `Identities.why`; appended to, never renumbered."""

    MANNED_IDENTITY = 1 << 0
    """Carries, or carried within 120 s, the identity of an aircraft."""
    MANNED_KIND = 1 << 1
    """Its own sensors say aircraft or helicopter."""
    NOT_HEARD = 1 << 2
    """A live receiver would have heard it, and did not."""
    NO_RID_COVERAGE = 1 << 3
    """No live receiver would have heard it: silence means nothing."""
    P_HEARD = 1 << 4
    """It may have been heard or not: undecided."""
    RECEIVER_LOST = 1 << 5
    """It was dark when a receiver still reached it; that receiver is silent now."""
    HEIGHT_UNKNOWN = 1 << 6
    """Its height was never measured."""
    DATUM_UNKNOWN = 1 << 7
    """Its height is known, but not above what."""
    HEIGHT_BAROMETRIC = 1 << 8
    """Its height is a pressure altitude of unknown QNH: decides nothing."""
    MARK_MISSING = 1 << 9
    """The broadcast itself says that it is not registered."""
    NOT_IN_REGISTRY = 1 << 10
    REGISTRY_STALE = 1 << 11
    """No registry, or one older than 24 h: absence from it says nothing."""
    ABOVE_LIMIT = 1 << 12
    """Above the height from which every flight needs an approval."""
    IN_ZONE = 1 << 13
    """Inside a zone that asks for an approval."""
    CLASS_LIMIT = 1 << 14
    """Above the limit of its class."""
    PLAN_MISSING = 1 << 15
    """No plan names it at this time and place."""
    LATERAL = 1 << 16
    """Beside the volume of its plan."""
    VERTICAL = 1 << 17
    """Above or below the volume of its plan."""
    EARLY = 1 << 18
    LATE = 1 << 19
    """Flies before, or after, the window of its plan."""
    LATE_IDENTITY = 1 << 20
    """Was dark or unidentified before its identity arrived."""
    ALONE = 1 << 21
    """Nothing but its own word says that it is there."""
    EMERGENCY = 1 << 22
    """Declares an emergency."""
    BLACKLISTED = 1 << 23
    FRIEND = 1 << 24
    """Its operator's classification; it colours, it overrides no physics."""
    AMBIGUOUS = 1 << 25
    """May be one whom its plan lets be here: sensors do not tell it from others. It waits."""
    POSITION = 1 << 32
    """Sensors see it elsewhere than it claims."""
    GHOST = 1 << 33
    """Sensors that should see what it claims see nothing."""
    TWO_PLACES = 1 << 34
    KINEMATICS = 1 << 35
    RSSI = 1 << 36
    CLOCK = 1 << 37
    HEIGHT_LAW = 1 << 38
    FORM = 1 << 39
    PILOT_PLACE = 1 << 40
    POSITION_UNTRUSTED = 1 << 41
    """Satellite navigation is disturbed over an area: a victim, no forger."""
    FLOOD = 1 << 42
    """One of many new identities that one receiver heard at once."""
    TRANSMITTER = 1 << 43
    """One transmitter sends several identities."""
    WAITING = 1 << 44
    """Sensors should see what it claims and do not, for too short a time to call it a ghost."""
    DOUBLE = 1 << 45
    """Nothing but its own word beside the track that sensors see and that has its identity."""


class UasClass(IntEnum):
    """Class by mass and performance: Interim Regulations (2024-01-01), article 62."""

    UNKNOWN = 0
    MICRO = 1
    LIGHT = 2
    SMALL = 3
    MEDIUM = 4
    LARGE = 5


class Standing(IntEnum):
    """What an operator's staff think of who flies."""

    NEUTRAL = 0
    TRUSTED = 1
    BLACKLISTED = 2


class PilotSource(IntEnum):
    """Whence the place of a pilot is known, best first."""

    NONE = 0
    LIVE = 1
    """The drone reports where its controller is."""
    TAKE_OFF = 2
    """The drone reports where it took off."""
    BEARINGS = 3
    """Radio direction finders crossed."""
    TRACK = 4
    """The first of its track, carried back to the ground."""


@dataclass(frozen=True, slots=True)
class Heights(Columns):
    """Height of each track in three references; NaN where unknown, never guessed."""

    hae: F8 = column("f8")
    amsl: F8 = column("f8")
    agl: F8 = column("f8")
    sd: F8 = column("f8")
    datum_known: U1 = column("u1")


@dataclass(frozen=True, slots=True)
class Identities(Columns):
    """Identity of each track as lowalt sees it.

    ``ident`` the Remote ID identity that is its own by motion and by what it carries (-1 none),
    ``named_ns`` since when;
    ``p_heard`` is the probability that a live receiver would have heard it in the last 10 s;
    ``heard_ns`` when its identity was last heard (-1 never); ``n_receivers`` how many receivers
    heard it in the last 10 s; ``plan`` row of the plan that it keeps to, or has left (-1 none names
    it at this time); ``pilot_lat``,
    ``pilot_lon`` degrees, ``pilot_sd`` m, ``pilot_source`` `PilotSource`; ``needs_approval`` 1
    where a flight here needs one; ``approval_zone`` row of the zone that asks for it (-1: the
    general height limit), ``approval_agl_m`` the height above ground from which its class needs
    one. ``why`` bits of `Why`. ``deviation_m`` how far outside its plan, beside
    it and above (below: negative), 0 inside; ``late_s`` seconds after the end of the plan's window,
    before its start negative, 0 within. ``spoof_llr`` log-likelihood that it is not where it
    claims, against that it is. ``uas_class`` `UasClass`, ``standing`` `Standing` of its operator;
    ``emergency`` 1 where it declares one. ``claim`` identity that the bits of `Why` on claims are
    about, also on the track of the object that another track's claim belongs to (-1 none);
    ``group`` row of the `Groups` that it belongs to (-1 none).
    """

    verdict: U1 = column("u1")
    status: U1 = column("u1")
    registered: U1 = column("u1")
    ident: I8 = column("i8", blank=-1)
    named_ns: I8 = column("i8", blank=-1)
    heard_ns: I8 = column("i8", blank=-1)
    n_receivers: U1 = column("u1")
    p_heard: F8 = column("f8")
    plan: I4 = column("i4", blank=-1)
    needs_approval: U1 = column("u1")
    approval_zone: I4 = column("i4", blank=-1)
    approval_agl_m: F8 = column("f8")
    mark: I8 = column("i8", blank=-1)
    pilot_lat: F8 = column("f8")
    pilot_lon: F8 = column("f8")
    pilot_sd: F8 = column("f8")
    pilot_source: U1 = column("u1")
    why: I8 = column("i8")
    deviation_m: F8 = column("f8", 2)
    late_s: F8 = column("f8")
    spoof_llr: F8 = column("f8")
    uas_class: U1 = column("u1")
    standing: U1 = column("u1")
    emergency: U1 = column("u1")
    claim: I8 = column("i8", blank=-1)
    group: I4 = column("i4", blank=-1)


class GroupKind(IntEnum):
    """What makes several tracks or claims one fact."""

    SWARM = 0
    """Drones that fly together without a plan."""
    TRANSMITTER = 1
    """Claims that one transmitter invents."""
    FLOOD = 2
    """More new identities at one receiver than are let in."""
    AREA = 3
    """Claims that one shift carries off: satellite navigation over an area is disturbed."""
    CLAIM = 4
    """One identity that something speaks against, whether or not a track carries it."""


@dataclass(frozen=True, slots=True)
class Groups(Columns):
    """Tracks or claims that are one fact, one group a row; `Identities.group` names members.

    ``key`` stays while the group lives: of a swarm the id of a track it was founded with.
    ``sensor`` row of the receiver (-1 none); ``size`` members, or identities refused in a flood;
    ``lat``, ``lon`` of its middle, degrees; ``radius_m`` of the circle about it; ``value`` what is
    common: spread of the velocities in m/s, or the shift in m.
    """

    kind: U1 = column("u1")
    key: I8 = column("i8", blank=-1)
    sensor: I4 = column("i4", blank=-1)
    size: I4 = column("i4")
    lat: F8 = column("f8")
    lon: F8 = column("f8")
    radius_m: F8 = column("f8")
    value: F8 = column("f8")
    why: I8 = column("i8")


class ZoneKind(IntEnum):
    """What a zone means; the severity of being inside follows from it."""

    PROHIBITED = 0
    RESTRICTED = 1
    WARNING = 2
    OPERATING = 3
    OBSTACLE_SURFACE = 4


@dataclass(frozen=True, slots=True)
class ZoneRows(Columns):
    """Zones by row: `ZoneKind`, and 1 where the zone is in force now."""

    kind: U1 = column("u1")
    active: U1 = column("u1")


@dataclass(frozen=True, slots=True)
class Inside(Columns):
    """Sparse (track row, zone row) pairs, sorted; absent pairs are outside.

    ``p_inside`` probability inside, NaN where the height, or what it is above, is not known;
    ``p_footprint`` that of the footprint alone; ``crossed`` 1 where the segment since the last
    slice went through although both ends are outside; ``margin_m`` depth inside (outside:
    negative) to the nearest side; ``height_unknown`` 1 where only the footprint could be tested;
    ``head`` of nested obstacle surfaces the zone row that speaks for all (-1: itself).
    """

    track: I4 = column("i4")
    zone: I4 = column("i4")
    p_inside: F8 = column("f8")
    p_footprint: F8 = column("f8")
    crossed: U1 = column("u1")
    margin_m: F8 = column("f8")
    height_unknown: U1 = column("u1")
    head: I4 = column("i4", blank=-1)


@dataclass(frozen=True, slots=True)
class Breach(Columns):
    """Sparse (track row, zone row) pairs, sorted: zones a track will be in; absent: none in sight.

    ``earliest``, ``expected``, ``latest`` seconds from now (with 95 % on one side), NaN not within
    120 s; ``p`` largest probability of being inside within that time; ``height_unknown`` 1 where
    only the footprint counted; ``head`` as in `Inside`.
    """

    track: I4 = column("i4")
    zone: I4 = column("i4")
    earliest: F8 = column("f8")
    expected: F8 = column("f8")
    latest: F8 = column("f8")
    p: F8 = column("f8")
    height_unknown: U1 = column("u1")
    head: I4 = column("i4", blank=-1)


class StayWord(IntEnum):
    """What a track does in a zone. Those from `EXITED` on are told in one slice and never again."""

    ENTERING = 0
    """Inside for sure, but not for long enough."""
    INSIDE = 1
    COASTING = 2
    """Was inside when it was last seen; it is not seen."""
    LOST = 3
    """Not seen for 3 s, where it should have been seen."""
    COVERAGE_EDGE = 4
    """Not seen for 3 s, and nothing looks there well enough to be surprised."""
    EXITED = 5
    CROSSED = 6
    """Went through between two slices."""
    ZONE_ENDED = 7
    """The zone was taken away, expired, or its hours are over."""


@dataclass(frozen=True, slots=True)
class Stays(Columns):
    """Tracks in zones over time, sorted by track id and zone.

    ``id`` of the track, ``track`` its row (-1: it is no more), ``zone`` row (-1: it is no more);
    ``word`` `StayWord`; ``onset_ns`` when it entered and ``end_ns`` when it left, on the segment
    between two slices (-1: not yet); ``seen_ns`` when last seen inside, ``gap_ns`` how long it was
    not seen in between; ``p_inside`` when last seen, ``p_detect`` probability that a live sensor
    sees it there; ``lat``, ``lon``, ``hae_m``, ``kind`` of the track there; ``ident`` its
    identity; ``sure`` 1 where it was a drone beyond doubt that no approval excuses.
    """

    id: I8 = column("i8")
    track: I4 = column("i4", blank=-1)
    zone: I4 = column("i4", blank=-1)
    word: U1 = column("u1")
    onset_ns: I8 = column("i8", blank=-1)
    end_ns: I8 = column("i8", blank=-1)
    seen_ns: I8 = column("i8", blank=-1)
    gap_ns: I8 = column("i8")
    p_inside: F8 = column("f8")
    p_detect: F8 = column("f8")
    lat: F8 = column("f8")
    lon: F8 = column("f8")
    hae_m: F8 = column("f8")
    kind: U1 = column("u1")
    ident: I8 = column("i8", blank=-1)
    sure: U1 = column("u1")


@dataclass(frozen=True, slots=True)
class Proximity(Columns):
    """Pairs of a track that may be a drone and a manned one, by row, sorted; absent pairs are far.

    ``cpa_s`` when they come closest within 60 s, ``cpa_m`` how close beside each other and
    ``vertical_m`` above one another then (NaN unknown), ``vertical_sd`` its deviation; ``range_m``
    now; ``p`` that both limits of well clear are broken at one time, ``p_keep`` of limits 1.2 times
    as wide; ``approach`` zone row of an approach in use that the drone is in (-1 none), for which
    ``other`` may be -1: the aircraft is not in sight.
    """

    track: I4 = column("i4")
    other: I4 = column("i4", blank=-1)
    cpa_s: F8 = column("f8")
    cpa_m: F8 = column("f8")
    vertical_m: F8 = column("f8")
    vertical_sd: F8 = column("f8")
    range_m: F8 = column("f8")
    p: F8 = column("f8")
    p_keep: F8 = column("f8")
    approach: I4 = column("i4", blank=-1)


@dataclass(frozen=True, slots=True)
class Devices(Columns):
    """One row per sensor, in sensor-table order.

    ``last_ns`` arrival of its newest frame (-1 none yet), ``period_s`` expected, ``live`` 1 while
    a frame or an empty look is younger than 3 periods, ``since_ns`` the start of watching.
    """

    last_ns: I8 = column("i8", blank=-1)
    period_s: F8 = column("f8")
    live: U1 = column("u1")
    since_ns: I8 = column("i8")


@dataclass(frozen=True, slots=True)
class Latest(Columns):
    """Newest reading per (sensor, ident, name), sorted so; ``fresh`` 1 where new this slice."""

    sensor: I4 = column("i4")
    ident: I8 = column("i8", blank=-1)
    name: I4 = column("i4")
    t_ns: I8 = column("i8")
    recv_ns: I8 = column("i8")
    value: F8 = column("f8")
    ident2: I8 = column("i8", blank=-1)
    lat: F8 = column("f8")
    lon: F8 = column("f8")
    fresh: U1 = column("u1")


@dataclass(frozen=True)
class Picture:
    """Everything known at the end of one slice.

    `geodetic` (n, 2) lat, lon of each track; `zone_ids` names by zone row; `zones_hash`;
    `idents` text of identity hashes; `velocity` is in `tracks.x`. `residuals` and `looks` are those
    of this slice, `facts` what is known of each sensor (a row each in the order of the table), and
    `cross` the plots of a second just closed against the paths the other sensors saw. `groups` are
    tracks or claims that belong together.
    """

    t_ns: int
    sensors: SensorTable
    tracks: Tracks
    geodetic: F8
    heights: Heights
    identities: Identities
    zones: ZoneRows
    inside: Inside
    devices: Devices
    readings: Latest
    residuals: Residuals = field(default_factory=Residuals.blank)
    looks: Looks = field(default_factory=Looks.blank)
    facts: SensorFacts = field(default_factory=SensorFacts.blank)
    cross: CrossResiduals = field(default_factory=CrossResiduals.blank)
    breach: Breach = field(default_factory=Breach.blank)
    stays: Stays = field(default_factory=Stays.blank)
    proximity: Proximity = field(default_factory=Proximity.blank)
    groups: Groups = field(default_factory=Groups.blank)
    zone_ids: tuple[str, ...] = ()
    plan_ids: tuple[str, ...] = ()
    registry_ns: int = -1
    """When the registry of drones was true, -1 there is none."""
    idents: Mapping[int, str] = field(default_factory=dict)
    zones_hash: str = ""
