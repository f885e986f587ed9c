"""Life: one alert between its onset and the day it is forgotten."""

from dataclasses import dataclass, field, fields
from operator import attrgetter, methodcaller
from typing import Any, NamedTuple, Self

import msgpack

from v2x.alert import Finding, Reason, Subject
from v2x.alerts.cases import Case

Key = tuple[str, Subject, str]
"""Rule, subject, zone: what makes two findings one alert."""

NEVER = 1 << 62


class Motion(NamedTuple):
    """Where a track was reported: lat, lon in degrees, metres and m/s else; NaN unknown.

    A named tuple, for one is made per live alert and slice: a third of the cost of a dataclass.
    """

    lat: float
    lon: float
    hae: float
    amsl: float
    agl: float
    east: float
    north: float
    v_east: float
    v_north: float
    v_up: float
    sd: float
    plot_ns: int
    kind: int
    ident: int
    corroborated: bool


@dataclass(slots=True)
class Life:
    """One alert at work: its case, and what the engine remembers of its target.

    Attributes
    ----------
    case
        Both axes, the fold of its history: only `Desk` changes it.
    facts
        What the record said of the world when it was last published.
    finding
        The newest; its `track` is a row of a picture that is gone.
    base_ns
        The quiet time counts from here: the newest finding, or the newest slice in which an
        unseen subject may still have been inside.
    found_ns, seen_ns
        Newest slice with a finding, and newest that reported the track.
    urgent_ns, milder
        Newest slice whose finding was as urgent as the alert, and the most urgent since then.
    motion, shown
        Where the track is reported now, and where it was when last seen or found.
    inside
        The track was last seen where the finding holds.
    said, told
        Reason codes published since the condition became active, and in the newest revision.
    extra
        Reasons of the engine's own: `lost_inside`, `zone_ended`, `evicted`.
    also
        Types of the alerts that were merged into it.
    """

    rule: str
    subject: Subject
    zone: str
    onset_ns: int
    cause: str
    finding: Finding
    reasons: tuple[Reason, ...]
    quiet_ns: int
    base_ns: int
    case: Case = field(default_factory=Case)
    facts: dict[str, Any] = field(default_factory=dict)
    cleared_ns: int = 0
    published_ns: int = 0
    found_ns: int = 0
    seen_ns: int = 0
    urgent_ns: int = 0
    milder: int = 4
    motion: Motion | None = None
    shown: Motion | None = None
    inside: bool = True
    lost: bool = False
    moved: bool = False
    said: set[tuple[str, str]] = field(default_factory=set)
    told: set[tuple[str, str]] = field(default_factory=set)
    extra: tuple[Reason, ...] = ()
    also: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """Its id."""
        return self.case.id

    @property
    def active(self) -> bool:
        """Its condition."""
        return self.case.active

    @property
    def severity(self) -> int:
        """1 to 4."""
        return self.case.severity

    @property
    def key(self) -> Key:
        """What it is found by."""
        return self.rule, self.subject, self.zone

    @property
    def track(self) -> int:
        """Id of the track it is about, -1 none."""
        kind, name = self.subject
        return int(name) if kind == "track" else -1

    def every_reason(self) -> tuple[Reason, ...]:
        """Reasons of the finding, of the engine, and what else is the matter with the target."""
        also: tuple[Reason, ...] = tuple(("also", type, None, "") for type in self.also)
        return (*self.reasons, *self.extra, *also)

    def codes(self) -> set[tuple[str, str]]:
        """Reasons as a set: codes, and texts such as a zone's name, but no numbers."""
        return {
            (code, value if isinstance(value, str) else "")
            for code, value, _, _ in self.every_reason()
        }

    def state(self) -> bytes:
        """What must survive a restart, as msgpack of the fields' values.

        In bytes, for ten thousand of these may go into a checkpoint and few of them change.
        """
        case, finding = _case(self.case), _finding(self.finding)
        plain = *_life(self), case, finding, sorted(self.said), sorted(self.told)
        made: bytes = msgpack.packb(
            plain, default=methodcaller("item"), unicode_errors="surrogatepass"
        )
        return made

    @classmethod
    def restored(cls, state: bytes) -> Self:
        """Make the life that gave `state`."""
        *values, case, finding, said, told = msgpack.unpackb(state, unicode_errors="surrogatepass")
        given: dict[str, Any] = dict(zip(_LIFE, values, strict=True))
        given["subject"] = _subject(given["subject"])
        for name in ("reasons", "extra"):
            given[name] = _reasons(given[name])
        given["also"] = tuple(given["also"])
        for name in ("motion", "shown"):
            given[name] = given[name] and Motion(*given[name])
        found: dict[str, Any] = dict(zip(_FINDING, finding, strict=True))
        found["subject"] = _subject(found["subject"])
        found["reasons"] = _reasons(found["reasons"])
        found["evidence"] = tuple(found["evidence"])
        return cls(
            **given,
            case=Case(*case),
            finding=Finding(**found),
            said={(code, text) for code, text in said},
            told={(code, text) for code, text in told},
        )


_LIFE = [f.name for f in fields(Life) if f.name not in ("case", "finding", "said", "told")]
_CASE = [f.name for f in fields(Case)]
_FINDING = [f.name for f in fields(Finding)]
_life, _case, _finding = attrgetter(*_LIFE), attrgetter(*_CASE), attrgetter(*_FINDING)


def _subject(plain: Any) -> Subject:
    kind, name = plain
    return kind, name


def _reasons(plain: Any) -> tuple[Reason, ...]:
    return tuple((code, value, limit, unit) for code, value, limit, unit in plain)
