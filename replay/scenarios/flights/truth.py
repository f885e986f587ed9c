"""Truth: zones as shapes, flights as places in time, and what follows from the two alone.

Places are metres east and north in the tile and metres above ground. Nothing here asks the
system under test: footprints are judged by GEOS through shapely, bands by subtraction.
"""

from dataclasses import dataclass, field
from math import inf, nan

import numpy as np
import shapely

from replay.scenarios.flights.motion import STEP_S
from v2x.columns import B1, F8

WARNING_S = 5.0
"""Warning before the breach that a flight must get where it can be foreseen so early."""
AHEAD_S = 120.0
DETECTED_S, DETECTIONS = 3.0, 3
"""An object is detected once it was seen so often within so long."""
FORESEEN_S = 2.0
"""A breach can be foreseen where the straight way on led into the core for this long."""
CORE_M = 15.0
"""The core of a zone is as far from all its sides: about two deviations of one radar plot."""


@dataclass(frozen=True)
class Volume:
    """A zone: footprint in the tile, band above ground (None: without end), kind."""

    id: str
    kind: str
    shape: shapely.Polygon
    floor_m: float | None = None
    ceiling_m: float | None = None

    def depth(self, place: F8) -> F8:
        """Metres inside the zone (n,), to its nearest side; negative outside."""
        points = shapely.points(place[:, :2])
        edge = shapely.distance(shapely.boundary(self.shape), points)
        made: F8 = np.where(shapely.covers(self.shape, points), edge, -edge)
        if self.floor_m is not None:
            made = np.minimum(made, place[:, 2] - self.floor_m)
        if self.ceiling_m is not None:
            made = np.minimum(made, self.ceiling_m - place[:, 2])
        return made


@dataclass(frozen=True)
class Beacon:
    """A Remote ID transmitter and what it says.

    Attributes
    ----------
    shift
        Claimed minus true place, (n, 3) m by step of the path, or (3,) for all; noise comes on top.
    from_s, until_s
        It broadcasts between these.
    sd_m, wander_m
        GNSS noise per horizontal axis: white, and slowly wandering over some 20 s.
    age_s
        How old what it sends is: a transmitter that repeats what was recorded.
    standing
        It says that it is on the ground.
    """

    product_id: str
    mark: str
    shift: F8 = field(default_factory=lambda: np.zeros(3))
    from_s: float = 0.0
    until_s: float = inf
    sd_m: float = 3.0
    wander_m: float = 0.0
    age_s: float = 0.0
    standing: bool = False
    wire: str = "gb46750"

    @property
    def ident(self) -> str:
        """Identity as alerts name it."""
        return f"rid:{self.product_id}"


@dataclass(frozen=True)
class Body:
    """One thing: where it is, and how it shows itself.

    Attributes
    ----------
    path
        (n, 3) m east, north, above ground, every `STEP_S` from 0 s on.
    hidden
        Times (from, until) in which no radar sees it, for what stands between.
    real
        False: nothing is there but a transmitter that claims so.
    p_seen
        Chance that a look of a radar shows it.
    """

    name: str
    kind: str
    path: F8
    beacon: Beacon | None = None
    icao: int = -1
    hidden: tuple[tuple[float, float], ...] = ()
    real: bool = True
    p_seen: float = 0.92

    def at(self, t_s: F8) -> F8:
        """Places (n, 3) at times within its life."""
        steps = np.arange(len(self.path)) * STEP_S
        return np.stack([np.interp(t_s, steps, column) for column in self.path.T], 1)

    def velocity(self, t_s: F8) -> F8:
        """Velocity (n, 3) m/s, over half a second."""
        late = np.minimum(t_s + 0.25, self.until_s)
        early = np.maximum(t_s - 0.25, 0.0)
        made: F8 = (self.at(late) - self.at(early)) / np.maximum(late - early, STEP_S)[:, None]
        return made

    @property
    def until_s(self) -> float:
        """End of its life."""
        return (len(self.path) - 1) * STEP_S

    def shown(self, t_s: F8) -> B1:
        """Where a radar may see it, (n,)."""
        made: B1 = np.full(len(t_s), self.real) & (t_s >= 0.0) & (t_s <= self.until_s)
        for begin, end in self.hidden:
            made &= (t_s < begin) | (t_s > end)
        return made


@dataclass(frozen=True)
class Approval:
    """A plan: who may fly where, from `floor_m` to `ceiling_m` above ground."""

    id: str
    idents: tuple[str, ...]
    shape: shapely.Polygon
    floor_m: float | None
    ceiling_m: float


@dataclass(frozen=True)
class Flight:
    """One case of the benchmark: its bodies (the first is the one it is about) and its zone.

    ``since_s`` is when a false claim begins to be one.
    """

    name: str
    family: str
    bodies: tuple[Body, ...]
    zone: Volume | None = None
    approval: Approval | None = None
    registered: bool = True
    since_s: float = nan


@dataclass(frozen=True)
class Breach:
    """What truth says of one way into a zone; NaN where it never happens.

    ``enter_s`` first inside, ``leave_s`` last time inside, ``deepest_m``; ``detected_s`` first
    time that sensors had seen the body well enough; ``due`` an alert must come; ``foreseeable``
    it must come `WARNING_S` before the breach or earlier than the breach at least.
    """

    enter_s: float
    leave_s: float
    deepest_m: float
    detected_s: float
    due: bool
    foreseeable: bool


def breach(body: Body, zone: Volume, seen_s: F8) -> Breach:
    """Judge one body against one zone; `seen_s` are the times at which any sensor saw it."""
    depth = zone.depth(body.path)
    inside = np.flatnonzero(depth >= 0.0)
    detected = detected_s(seen_s)
    if not len(inside):
        return Breach(nan, nan, float(depth.max()), detected, False, False)
    enter, leave = float(inside[0]) * STEP_S, float(inside[-1]) * STEP_S
    due = detected <= leave
    seen_lately = bool(((seen_s >= enter - WARNING_S - 3.0) & (seen_s <= enter - WARNING_S)).any())
    foreseeable = (
        detected <= enter - WARNING_S - FORESEEN_S and seen_lately and _foreseen(body, zone, enter)
    )
    return Breach(enter, leave, float(depth.max()), detected, due, foreseeable)


def detected_s(seen_s: F8) -> float:
    """First time at which there were `DETECTIONS` within `DETECTED_S`, over at least that long.

    That is: an object that sensors have known for three seconds, and know well. NaN if never.
    """
    t = np.sort(seen_s)
    for k in range(len(t)):
        known = t[(t > t[k] - DETECTED_S - 0.5) & (t <= t[k])]
        if len(known) > DETECTIONS and t[k] - known[0] >= DETECTED_S - 0.5:
            return float(t[k])
    return nan


def _foreseen(body: Body, zone: Volume, enter_s: float) -> bool:
    """Whether the straight way on led into the zone's core for the time before the warning."""
    ahead = np.arange(0.0, AHEAD_S, 0.5)[:, None]
    first = enter_s - WARNING_S - FORESEEN_S
    if first < 0.0:
        return False
    t = np.arange(first, enter_s - WARNING_S + 1e-6, 0.5)
    for place, velocity in zip(body.at(t), body.velocity(t), strict=True):
        if not (zone.depth(place + velocity * ahead) >= CORE_M).any():
            return False
    return True
