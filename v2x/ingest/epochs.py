"""What the format `nmea` remembers of a receiver: the epoch that is open, and what led up to it."""

from dataclasses import dataclass, field
from typing import Any, Self

from v2x.ingest.sentences import GGA, GLL, GNS, PARTS

Fields = tuple[Any, ...]

_OTHERS = 4


@dataclass(slots=True)
class Epoch:
    """Sentences of one time of day; `parts` by kind as (address is GN, fields)."""

    tod_ns: int
    first_ns: int
    last_ns: int
    parts: list[tuple[bool, Fields] | None] = field(default_factory=lambda: [None] * PARTS)
    seen: set[bytes] = field(default_factory=set)
    last: bytes = b""
    others: list[tuple[float, float]] = field(default_factory=list)
    """Positions of single constellations that were not taken, four at most."""

    def add(self, kind: int, address: bytes, fields: Fields, recv_ns: int) -> None:
        """Take a sentence: the first of its kind, or a GN one after one that is not."""
        combined = address[:2] == b"GN"
        had = self.parts[kind]
        if had is None or (combined and not had[0]):
            self.parts[kind] = combined, fields
            lost: Any = had
        else:
            lost = combined, fields
        single = kind in (GGA, GNS) and lost is not None and not lost[0]
        if single and lost[1][3] not in (b"", b"0") and len(self.others) < _OTHERS:
            self.others.append((lost[1][1], lost[1][2]))
        self.last_ns = recv_ns
        if kind != GLL:
            self.seen.add(address)
            self.last = address

    def fields(self, kind: int) -> Fields | None:
        """Fields of a kind, None if it did not come."""
        part = self.parts[kind]
        return None if part is None else part[1]

    def state(self) -> dict[str, Any]:
        """What must survive a restart."""
        return {
            "tod_ns": self.tod_ns,
            "first_ns": self.first_ns,
            "last_ns": self.last_ns,
            "parts": self.parts,
            "seen": sorted(self.seen),
            "last": self.last,
            "others": self.others,
        }

    @classmethod
    def restored(cls, state: dict[str, Any]) -> Self:
        """Make the epoch that gave `state`."""
        parts = [None if part is None else (part[0], tuple(part[1])) for part in state["parts"]]
        others = [(lat, lon) for lat, lon in state["others"]]
        return cls(**{**state, "parts": parts, "seen": set(state["seen"]), "others": others})


@dataclass(slots=True)
class Stream:
    """What one sensor's epochs carry from sentence to sentence."""

    open: Epoch | None = None
    closed_tod: int = -1
    closed_ns: int = 0
    usual: frozenset[bytes] = frozenset()
    usual_last: bytes = b""
    misses: int = 0
    loose: tuple[bytes, Fields, int] | None = None
    """A VTG that belongs to the next epoch: address, fields, arrival."""
    sky: list[int] = field(default_factory=lambda: [0] * 4)
    """Satellites with a C/N0 since the last epoch: how many, sum, sum of squares, largest."""
    sky_ns: int = 0
    fix: tuple[int, float, int] | None = None
    """The last GSA: 1 no fix, 2 or 3 dimensions; HDOP; arrival."""
    date: tuple[int, int] | None = None
    """The last ZDA: time of day and midnight before it, ns."""

    def state(self) -> dict[str, Any]:
        """What must survive a restart."""
        return {
            "open": None if self.open is None else self.open.state(),
            "closed_tod": self.closed_tod,
            "closed_ns": self.closed_ns,
            "usual": sorted(self.usual),
            "usual_last": self.usual_last,
            "misses": self.misses,
            "loose": self.loose,
            "sky": self.sky,
            "sky_ns": self.sky_ns,
            "fix": self.fix,
            "date": self.date,
        }

    @classmethod
    def restored(cls, state: dict[str, Any]) -> Self:
        """Make the stream that gave `state`."""
        made = cls(**{**state, "usual": frozenset(state["usual"])})
        if state["open"] is not None:
            made.open = Epoch.restored(state["open"])
        if state["loose"] is not None:
            address, fields, recv_ns = state["loose"]
            made.loose = address, tuple(fields), recv_ns
        made.sky = list(state["sky"])
        made.fix = None if state["fix"] is None else tuple(state["fix"])
        made.date = None if state["date"] is None else tuple(state["date"])
        return made


class Streams(dict[int, Stream]):
    """Streams by sensor row."""

    def state(self) -> dict[str, Any]:
        """What must survive a restart."""
        return {"streams": [(row, stream.state()) for row, stream in self.items()]}

    def restore(self, state: dict[str, Any]) -> None:
        """Put back what `state` gave."""
        self.clear()
        self.update((row, Stream.restored(plain)) for row, plain in state["streams"])
