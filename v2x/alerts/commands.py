"""Commands: what a person asks for, as frames of format ``v2x.command``.

A payload is a map in JSON or msgpack. Commands are input as every other frame is: recorded in
drives, applied in the order of arrival between two slices, so that a replay reproduces the states.

=================  ====================================================================
``id``, ``event``  the alert, and one of `COMMANDS`; ``depart`` is accept, ``attach`` note
``who``, ``role``  the person, and one of `ROLES`
``key``            idempotency key: repeated, it gives the first answer and changes nothing
``if_match``       operator tag of the record the sender saw
``note``, ``text`` words; ``file`` is the hash of a file
``unit``, ``task`` whom it is given to; of a role ``field``, who is speaking
``eta_s``          seconds until the unit arrives
``until``          end of a shelf, ISO 8601; or ``for_s``, seconds from now
``code``           close code
``reason``         why: of a shelf, a split, an unresolve or a reopening
``override``       resolve although the condition is active; needs ``text``
``parent``         alert to merge into
``severity``       not a person's to change
=================  ====================================================================

Whoever may write where commands are read from can say that he is a supervisor: the place they
come from must be closed to others, which is the business of `v2x.app`.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from math import isfinite
from typing import Any, Self

import msgpack

from v2x.alerts.cases import Refused, Transition, event_named
from v2x.alerts.stamps import ns_of
from v2x.alerts.transitions import COMMANDS, ROLES
from v2x.errors import DecodeError

FORMAT = "v2x.command"
SENSOR = "operators"
"""Sensor name of the frames of commands."""
MOST_BYTES = 16_384
_WORDS = {"key": 200, "who": 200, "note": 4_096, "text": 4_096, "file": 256, "unit": 200,
          "task": 200, "reason": 4_096, "code": 64, "if_match": 64}  # fmt: skip
"""Texts and how long they may be."""
_NUMBERS = ("eta_s", "for_s")
_KNOWN = {*_WORDS, *_NUMBERS, "id", "event", "role", "until", "override", "parent"}
_ID = re.compile(r"[0-9a-f]{32}")
_GIVEN = ("unit", "task", "eta_s", "code", "text", "reason", "parent", "file")
_LONGEST_S = 1e6
_LIMITS = {"max_str_len": 4_096, "max_bin_len": 0, "max_array_len": 0, "max_map_len": 64,
           "max_ext_len": 0}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Command:
    """One command, checked in form; whether it may be done is `v2x.alerts.cases.refused`."""

    id: str
    event: str
    who: str
    role: str
    key: str
    if_match: str = ""
    until_ns: int = 0
    for_s: float = 0.0
    given: Mapping[str, Any] = field(default_factory=dict)
    content: str = ""
    """Hash of the whole of it: two commands of one key must be one command."""

    @classmethod
    def parse(cls, payload: bytes, recv_ns: int = 0) -> Self:
        """Read a payload.

        Parameters
        ----------
        payload
            JSON if it begins with ``{``, else msgpack.
        recv_ns
            Arrival: a command without a key is repeated by the same bytes at the same arrival.

        Raises
        ------
        DecodeError
            It is no command; says which field.
        """
        plain = _plain(payload)
        strange = sorted(set(plain) - _KNOWN)
        if strange:
            raise DecodeError(f"command: {strange[0]}: no such field")
        for name, most in _WORDS.items():
            value = plain.get(name, "")
            if not isinstance(value, str) or len(value) > most:
                raise DecodeError(f"command: {name}: wanted a text of at most {most} characters")
        for name in _NUMBERS:
            _number(plain, name)
        for name in ("id", "parent"):
            value = plain.get(name, "")
            if not isinstance(value, str) or (value and not _ID.fullmatch(value)):
                raise DecodeError(f"command: {name}: wanted the 32 hex digits of an alert")
        event = event_named(str(plain.get("event", "")))
        if event not in COMMANDS:
            raise DecodeError(f"command: event: {event!r} is none of {', '.join(COMMANDS)}")
        if plain.get("role") not in ROLES:
            raise DecodeError(f"command: role: {plain.get('role')!r} is none of {', '.join(ROLES)}")
        for name in ("id", "who"):
            if not plain.get(name):
                raise DecodeError(f"command: {name}: missing")
        if not isinstance(plain.get("override", False), bool):
            raise DecodeError("command: override: wanted true or false")
        content = blake2b(_canonical(plain), digest_size=16)
        key = plain.get("key") or f"{content.hexdigest()}.{recv_ns}"
        given = {name: plain[name] for name in _GIVEN if plain.get(name) not in (None, "")}
        if plain.get("override"):
            given["override"] = True
        if "text" not in given and plain.get("note"):
            given["text"] = plain["note"]
        return cls(
            id=plain["id"],
            event=event,
            who=plain["who"],
            role=plain["role"],
            key=key,
            if_match=plain.get("if_match", ""),
            until_ns=_until(plain),
            for_s=float(plain.get("for_s", 0.0)),
            given=given,
            content=content.hexdigest(),
        )

    def transition(self, t_ns: int) -> Transition:
        """Return what it asks for, at the event time at which it is applied."""
        given = dict(self.given)
        until = self.until_ns or (t_ns + round(self.for_s * 1e9) if self.for_s else 0)
        if until:
            given["until_ns"] = until
        return Transition(self.event, t_ns, self.who, self.role, given)


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to one command.

    Attributes
    ----------
    changed
        It made a revision. A second ack is well and changes nothing.
    repeated
        Its key was answered before: this is that answer.
    state, rev, tag
        Of the alert, after it.
    """

    key: str
    id: str
    event: str
    who: str
    role: str
    t_ns: int
    content: str
    changed: bool = False
    repeated: bool = False
    state: str = ""
    rev: int = 0
    tag: str = ""
    refused: Refused | None = None

    def plain(self) -> dict[str, Any]:
        """The same as JSON-able values."""
        made: dict[str, Any] = {
            "key": self.key,
            "id": self.id,
            "event": self.event,
            "ok": self.refused is None,
            "changed": self.changed,
        }
        if self.state:
            made |= {"state": self.state, "rev": self.rev, "tag": self.tag}
        if self.repeated:
            made["repeated"] = True
        if self.refused is not None:
            made["refused"] = self.refused.plain()
        return made


def _plain(payload: bytes) -> dict[str, Any]:
    if len(payload) > MOST_BYTES:
        raise DecodeError(f"command: {len(payload)} bytes, at most {MOST_BYTES}")
    try:
        if payload.lstrip()[:1] == b"{":
            found = json.loads(payload.decode(), object_pairs_hook=_once, parse_constant=_constant)
        else:
            found = msgpack.unpackb(
                payload, strict_map_key=True, object_pairs_hook=_once, **_LIMITS
            )
    except (ValueError, RecursionError) as e:
        raise DecodeError(f"command: neither JSON nor msgpack: {e}") from None
    if not isinstance(found, dict):
        raise DecodeError("command: wanted a map")
    try:
        _canonical(found)
    except (TypeError, ValueError) as e:
        raise DecodeError(f"command: {e}") from None
    return found


def _canonical(plain: Mapping[str, Any]) -> bytes:
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def _once(pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a field twice")
    return made


def _constant(word: str) -> None:
    raise ValueError(f"{word} is no number")


def _number(plain: Mapping[str, Any], name: str) -> None:
    value = plain.get(name, 0)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DecodeError(f"command: {name}: wanted a number")
    if not (isfinite(value) and 0 <= value <= _LONGEST_S):
        raise DecodeError(f"command: {name}: {value} is out of range")


def _until(plain: Mapping[str, Any]) -> int:
    text = plain.get("until", "")
    if not text:
        return 0
    try:
        return ns_of(str(text))
    except ValueError:
        raise DecodeError(f"command: until: {text!r} is no ISO 8601 time with its zone") from None
