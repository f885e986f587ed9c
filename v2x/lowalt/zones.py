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

import numpy as np

from v2x.columns import F8
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

    @cached_property
    def corners(self) -> tuple[F8, ...]:
        """Rings as arrays (k, 2) of lon, lat, made once: an index is built of them every time."""
        return tuple(np.array(ring, np.float64).reshape(-1, 2) for ring in self.polygon)


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
    country
        Three letters of ISO 3166; empty where the file says nothing.
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
    country: str = ""

    @cached_property
    def digest(self) -> bytes:
        """16 bytes over all that decides where and when it is and what it means.

        Corners count to 1e-9 deg (0.1 mm): the last bits of a sine change no hash.
        """
        window = [self.valid_from_ns, self.valid_to_ns, [p.canonical() for p in self.periods]]
        limits = [
            None if limit is None else limit.canonical()
            for part in self.parts
            for limit in (part.floor, part.ceiling)
        ]
        rings = [[len(ring) for ring in part.polygon] for part in self.parts]
        head = [self.id, self.name, int(self.kind), *window, self.datum, rings, limits]
        made = blake2b(json.dumps(head).encode(), digest_size=16)
        for part in self.parts:
            for ring in part.corners:
                made.update(np.rint(ring * 1e9).astype("<i8").tobytes())
        return made.digest()

    @cached_property
    def centre(self) -> tuple[float, float]:
        """Longitude and latitude in the middle of its extent."""
        outlines = np.concatenate([part.corners[0] for part in self.parts])
        lon, lat = ((outlines.min(axis=0) + outlines.max(axis=0)) / 2.0).tolist()
        return lon, lat

    @property
    def window(self) -> tuple[int, int]:
        """From when (inclusive) to when it may be in force, ns UTC, held within int64."""
        begin = EARLIEST if self.valid_from_ns is None else self.valid_from_ns
        end = LATEST if self.valid_to_ns is None else self.valid_to_ns
        return max(begin, EARLIEST), min(end, LATEST)

    def in_force(self, t_ns: int) -> tuple[bool, int, int]:
        """Tell whether it is in force, and from when (inclusive) to when that answer stays."""
        begin, end = self.window
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
        made = blake2b(digest_size=8)
        for zone in self.zones:
            made.update(zone.digest)
        return made.hexdigest()

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Ids by row."""
        return tuple(zone.id for zone in self.zones)

    def named(self, zone_id: str) -> Zone | None:
        """Zone of that id, if there is one."""
        return next((zone for zone in self.zones if zone.id == zone_id), None)

    def __iter__(self) -> Iterator[Zone]:
        return iter(self.zones)

    def __len__(self) -> int:
        return len(self.zones)

    def __getitem__(self, row: int) -> Zone:
        return self.zones[row]
