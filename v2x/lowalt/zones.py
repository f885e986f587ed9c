"""Zones: volumes of airspace, refused unless they say all they mean.

A zone is one part or several: a footprint (a polygon with holes) between a floor and a ceiling,
each in its own height reference and level or sloping, during a window of time and, if it has a
schedule, at the hours of the week that this names. No limit and a limit of 0 differ: on this plain
0 and below are ordinary heights. `v2x.lowalt.volumes` answers which points are inside;
`v2x.lowalt.zone_files` reads and writes.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from itertools import pairwise
from typing import Any

from v2x.errors import ConfigError
from v2x.lowalt.files import Ring
from v2x.lowalt.schedules import Period, in_force
from v2x.picture import ZoneKind


@dataclass(frozen=True)
class Slope:
    """How a limit rises over the ground.

    Attributes
    ----------
    lon, lat
        Where the limit has its own height, degrees.
    gradient
        Metres up per metre.
    course_deg
        Direction it rises in, degrees from true north; None: away from the point, as a cone.
    """

    lon: float
    lat: float
    gradient: float
    course_deg: float | None = None


@dataclass(frozen=True)
class Limit:
    """A height in metres above ``hae``, ``amsl`` or ``agl``; inclusive, floor or ceiling."""

    m: float
    ref: str
    slope: Slope | None = None

    def canonical(self) -> list[Any]:
        """All of it in a form that has one spelling."""
        s = self.slope
        rise = [] if s is None else [round(s.lon, 9), round(s.lat, 9), s.gradient, s.course_deg]
        return [self.m, self.ref, *rise]


@dataclass(frozen=True)
class Part:
    """One volume: an outline and its holes, rings of (lon, lat) degrees WGS-84; None: no limit."""

    polygon: tuple[Ring, ...]
    floor: Limit | None = None
    ceiling: Limit | None = None

    def canonical(self) -> list[Any]:
        """All of it, corners to 1e-9 deg (0.1 mm): the last bits of a sine change no hash."""
        rings = [[[round(lon, 9), round(lat, 9)] for lon, lat in ring] for ring in self.polygon]
        return [rings, *(None if x is None else x.canonical() for x in (self.floor, self.ceiling))]


@dataclass(frozen=True)
class Zone:
    """Airspace with a name and a meaning.

    Attributes
    ----------
    id, name
        Unique within a file; the name is what people call it.
    parts
        A point is in the zone if any part holds it; boundaries are inside.
    valid_from_ns, valid_to_ns
        In force from (inclusive) and to (exclusive), ns UTC; None is open.
    periods
        Hours of the week, one of which must hold the time; empty: always.
    datum
        What the file was drawn in: ``wgs84``, ``cgcs2000`` or ``gcj02``.
    authority, note
        Who decides about it, and the conditions it states, as the file has them.
    """

    id: str
    name: str
    kind: ZoneKind
    parts: tuple[Part, ...]
    valid_from_ns: int | None = None
    valid_to_ns: int | None = None
    periods: tuple[Period, ...] = ()
    datum: str = "wgs84"
    authority: str = ""
    note: str = ""

    def canonical(self) -> list[Any]:
        """All that decides where and when the zone is, in a form that has one spelling."""
        window = [self.valid_from_ns, self.valid_to_ns, [p.canonical() for p in self.periods]]
        parts = [part.canonical() for part in self.parts]
        return [self.id, self.name, int(self.kind), *window, self.datum, parts]

    @cached_property
    def centre(self) -> tuple[float, float]:
        """Longitude and latitude in the middle of its extent."""
        lon, lat = zip(*(corner for part in self.parts for corner in part.polygon[0]), strict=True)
        return (min(lon) + max(lon)) / 2.0, (min(lat) + max(lat)) / 2.0

    def in_force(self, t_ns: int) -> tuple[bool, int, int]:
        """Tell whether it is in force, and from when (inclusive) to when that answer stays."""
        begin = EARLIEST if self.valid_from_ns is None else self.valid_from_ns
        end = LATEST if self.valid_to_ns is None else self.valid_to_ns
        if t_ns < begin:
            return False, EARLIEST, begin
        if t_ns >= end:
            return False, end, LATEST
        if not self.periods:
            return True, begin, end
        lon, lat = self.centre
        held, since, until = in_force(self.periods, t_ns, lat, lon)
        return held, max(begin, since), min(end, until)


EARLIEST, LATEST = -(1 << 63), (1 << 63) - 1
"""Times before and after all others, ns."""


@dataclass(frozen=True)
class Zones:
    """Zones in the order of their ids; their rows are those of the picture.

    `warnings` say what was read with a grain of salt; nothing in them was refused.
    """

    zones: tuple[Zone, ...] = ()
    warnings: tuple[str, ...] = ()

    @classmethod
    def of(cls, zones: Iterable[Zone], warnings: Iterable[str] = ()) -> "Zones":
        """Sort by id; an id twice is refused."""
        ordered = tuple(sorted(zones, key=lambda zone: zone.id))
        for one, other in pairwise(ordered):
            if one.id == other.id:
                raise ConfigError(f"zone id {one.id!r} is used twice")
        return cls(ordered, tuple(warnings))

    @cached_property
    def hash(self) -> str:
        """16 hex digits over everything that decides where zones are and what they mean."""
        body = json.dumps([zone.canonical() for zone in self.zones], ensure_ascii=True)
        return blake2b(body.encode(), digest_size=8).hexdigest()

    def named(self, zone_id: str) -> Zone | None:
        """Zone of that id, if there is one."""
        return next((zone for zone in self.zones if zone.id == zone_id), None)

    def __iter__(self) -> Iterator[Zone]:
        return iter(self.zones)

    def __len__(self) -> int:
        return len(self.zones)

    def __getitem__(self, row: int) -> Zone:
        return self.zones[row]
