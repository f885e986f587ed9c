"""History: everything that was done to alerts, in the order in which it was stored, in one chain.

Each row is a transition with who did it and what was given, or a refusal. A row is canonical JSON;
its link is blake2b of the link before it, its number and its bytes. So a row that is changed, taken
out or put in later breaks the chain where it stands; the newest link, noted elsewhere, covers the
whole. States of alerts are the fold of it (`v2x.alerts.cases.fold`), nothing else.

Everything here is pure; the rows stand in the store.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, NamedTuple

from v2x.alerts.cases import Case, Transition, after
from v2x.alerts.commands import Reply
from v2x.alerts.stamps import iso_utc
from v2x.alerts.transitions import ENGINE

LINK_BYTES = 32
FIRST = blake2b(b"v2x history 1", digest_size=LINK_BYTES).digest()
"""The link before the first row."""


class Row(NamedTuple):
    """One row as it is stored: its number from 1 on, what it is found by, its bytes, its link."""

    number: int
    key: str
    row: bytes
    link: bytes


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is wrong with the chain, at the row of that number (0: none)."""

    number: int
    what: str


def canonical(entry: Mapping[str, Any]) -> bytes:
    """Bytes of an entry: UTF-8 JSON with sorted keys and no spaces."""
    return json.dumps(
        entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def link(before: bytes, number: int, row: bytes) -> bytes:
    """Return the link of a row: it covers all rows up to it."""
    digest = blake2b(before, digest_size=LINK_BYTES)
    digest.update(number.to_bytes(8, "little", signed=True) + row)
    return digest.digest()


def record_hash(body: bytes) -> str:
    """Hash of a stored alert record, by which its row of the history vouches for it."""
    return blake2b(body, digest_size=16).hexdigest()


def key_of(entry: Mapping[str, Any]) -> str:
    """What a row is found by: a revision, or the command that was refused."""
    if "refused" in entry:
        return f"command/{entry['command']}"
    return f"{entry['id']}.{entry['rev']}"


def refusal(reply: Reply) -> dict[str, Any]:
    """Return the entry of a command that was refused."""
    assert reply.refused is not None
    return {
        "id": reply.id,
        "t": iso_utc(reply.t_ns),
        "t_ns": reply.t_ns,
        "event": reply.event,
        "who": reply.who,
        "role": reply.role,
        "command": reply.key,
        "refused": reply.refused.plain(),
    }


def transition_of(entry: Mapping[str, Any]) -> Transition:
    """Return the transition that an entry tells of."""
    given = {**entry["given"], "id": entry["id"]}
    return Transition(entry["event"], entry["t_ns"], entry["who"], entry["role"], given)


def cases(entries: Iterable[Mapping[str, Any]]) -> dict[str, Case]:
    """All alerts as they are now, by id: the fold of the history of each."""
    made: dict[str, Case] = {}
    for entry in entries:
        if "refused" not in entry:
            id = entry["id"]
            made[id] = after(made.get(id, Case()), transition_of(entry))
    return made


def of_old(bodies: Iterable[Mapping[str, Any]], t_ns: Iterable[int]) -> Iterator[dict[str, Any]]:
    """Entries for the revisions of a store that had no history, in their order.

    Nobody acted on alerts then: a revision raised, cleared, brought back or told again.
    """
    before: dict[str, Mapping[str, Any]] = {}
    for body, t in zip(bodies, t_ns, strict=True):
        was = before.get(body["id"])
        given: dict[str, Any] = {}
        if was is None:
            event, given = "raise", {"severity": body["severity"]}
            if "previous" in body:
                given["previous"] = body["previous"]
        elif was["condition"] != body["condition"]:
            event = "clear" if body["condition"] == "cleared" else "return"
        else:
            event = "update"
        if was is not None and was["severity"] != body["severity"] and event != "clear":
            given["severity"] = body["severity"]
        before[body["id"]] = body
        yield {
            "id": body["id"],
            "rev": body["rev"],
            "t": body.get("event_time", iso_utc(t)),
            "t_ns": t,
            "event": event,
            "from": "" if was is None else "open",
            "to": "open",
            "who": ENGINE,
            "role": ENGINE,
            "given": given,
        }


def faults(
    rows: Iterable[Row], records: Mapping[str, str], head: tuple[int, str] | None
) -> Iterator[Fault]:
    """Find what is wrong with a chain.

    Parameters
    ----------
    rows
        In the order of their numbers.
    records
        `record_hash` of each stored record by ``id.rev``; each must have its row and each
        transition its record.
    head
        Number and link (hex) of the newest row, as they were noted when it was written.
    """
    before, number = FIRST, 0
    known: dict[str, tuple[int, bytes]] = {}
    missing = dict(records)
    for row in rows:
        if row.number != number + 1:
            gone = (
                f"{number + 1}" if row.number == number + 2 else f"{number + 1} to {row.number - 1}"
            )
            yield Fault(number + 1, f"row {gone} is missing")
        number = row.number
        fits = row.link == link(before, row.number, row.row)
        entry = _entry(row)
        if entry is None or not fits:
            yield Fault(row.number, "does not follow from the row before it: changed, or put in")
        elif key_of(entry) != row.key:
            yield Fault(row.number, f"is found as {row.key}, and tells of {key_of(entry)}")
        elif "refused" not in entry:
            recorded = missing.pop(row.key, None)
            if recorded is None:
                yield Fault(row.number, f"its record {row.key} is missing")
            elif recorded != entry.get("record"):
                yield Fault(row.number, f"its record {row.key} was changed")
        else:
            missing.pop(row.key, None)
        before = row.link
        known[row.key] = row.number, row.link
    for key in sorted(missing):
        if key not in known:
            yield Fault(0, f"record {key} has no row: taken out, or the record put in")
    if head is not None and head != (number, before.hex()):
        yield Fault(number, f"is the last one; row {head[0]} was, with link {head[1][:16]}")


def _entry(row: Row) -> dict[str, Any] | None:
    try:
        found = json.loads(row.row)
        key_of(found)
    except (ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, dict) else None
