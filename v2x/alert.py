"""Finding: a rule's claim that something is wrong now. Alert: a finding with a life."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Protocol

from v2x.picture import Picture

Subject = tuple[str, int | str]
"""What a finding is about: ("track", id), ("device", name), ("ident", text)."""

Reason = tuple[str, float | str | None, float | str | None, str]
"""(code, value, limit, unit): machine-readable; texts are rendered from it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule's claim about the present slice.

    Attributes
    ----------
    subject, zone
        What it is about, and the zone id ("" none): with the rule's name the key of the alert.
    raises
        False: keeps an existing alert alive and starts none (between keep and raise limit).
    severity
        1 (red) to 4 (blue), computed from consequence.
    track
        Row of the picture's tracks that the alert describes, -1 none.
    """

    subject: Subject
    severity: int
    raises: bool = True
    zone: str = ""
    value: float = float("nan")
    limit: float = float("nan")
    reasons: tuple[Reason, ...] = ()
    track: int = -1
    lat: float = float("nan")
    lon: float = float("nan")
    evidence: tuple[int, ...] = ()
    """Sensor rows that say so."""
    ident: int = -1
    hold_s: float = float("nan")
    """NaN: the rule's. Else this finding needs no longer hold than this (a crossing: 0)."""
    quiet_s: float = float("nan")
    """NaN: the rule's. Else its alert clears no sooner than this after the last finding."""


class Rule(Protocol):
    """Judges the present only: no memory, no timers. One file each in ``alerts/rules/``."""

    type: str
    hold_s: float
    """`raises` must be true in every slice of this long before an alert starts."""
    quiet_s: float
    """No finding for this long clears; inf: latched, never clears by itself."""

    def check(self, picture: Picture) -> Iterator[Finding]:
        """Findings of this slice, in any order."""
        ...


@dataclass(frozen=True, slots=True)
class Alert:
    """One revision of one alert. (id, rev) never changes its content.

    `body` is the whole record as JSON-able values in the schema of ``alerts/schema.json``;
    `id`, `rev`, `type`, `severity`, `condition` repeat what it says for sorting and storage.
    """

    id: str
    rev: int
    type: str
    severity: int
    condition: str
    event_ns: int
    body: dict[str, Any] = field(repr=False)
    entry: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)
    """What happened, who did it and what was given: its row in the history, as JSON-able values."""

    def canonical(self) -> bytes:
        """UTF-8 JSON with sorted keys and no spaces: what is stored, sent and digested."""
        return json.dumps(
            self.body, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
        ).encode()


def alert_id(rule: str, subject: Subject, zone: str, onset_ns: int) -> str:
    """32 hex digits of blake2b over rule, subject, zone and onset: ids come from content."""
    text = "\x1f".join((rule, subject[0], str(subject[1]), zone, str(onset_ns)))
    return blake2b(text.encode(), digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class Delivery:
    """A destination's receipt."""

    destination: str
    reference: str = ""


class Sink(Protocol):
    """One destination. Raises `RetryLater` or `GiveUp`; anything else is a bug of ours."""

    name: str

    def send(self, alert: Alert) -> Delivery:
        """Deliver one revision; returning means the destination has it."""
        ...

    def close(self) -> None:
        """Give back what was opened."""
        ...
