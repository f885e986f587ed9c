"""Ledger: the part of the store that people's doings go into, as statements on its cursor.

============  =====================================================================
history       one row a transition or refusal, chained (`v2x.alerts.history`)
commands      what the command line asks of the loop that owns the store: waiting, or
              taken after a slice, so that a restart applies it there again
replies       answers to commands by their key
============  =====================================================================

The mailbox of commands is a table of the store and not a file or a topic of its own: it is as
durable as the alerts, its answers come with the transaction of what they did, it needs no broker,
and where no loop runs the command line can do the same work itself.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Protocol, Self

from v2x.alert import Alert
from v2x.alerts.commands import Reply
from v2x.alerts.history import (
    FIRST,
    Fault,
    Row,
    canonical,
    faults,
    key_of,
    link,
    of_old,
    record_hash,
    refusal,
)
from v2x.alerts.stamps import iso_utc
from v2x.alerts.transitions import ENGINE

SCHEMA = """
CREATE TABLE IF NOT EXISTS history(
  number INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, id TEXT NOT NULL, t_ns INTEGER NOT NULL,
  row BLOB NOT NULL, link BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS of_alert ON history(id, number);
CREATE TABLE IF NOT EXISTS commands(
  number INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, payload BLOB NOT NULL,
  recv_ns INTEGER NOT NULL, slice INTEGER, obeyed INTEGER, t_ns INTEGER);
CREATE TABLE IF NOT EXISTS replies(key TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
"""
# As bytes, whatever somebody made of them: another hand may have left a text there.
_CHAIN = """
SELECT number, CAST(key AS TEXT), CAST(row AS BLOB), CAST(link AS BLOB) FROM history ORDER BY number
"""
_RECORDS = "SELECT id, rev, CAST(body AS BLOB) FROM alerts"
_HEAD, _REACHED = "history_head", "reached"


class Cursor(Protocol):
    """What is used of a cursor of the store."""

    def execute(self, sql: str, parameters: Sequence[Any] = ..., /) -> Self:
        """Run one statement."""
        ...

    def fetchone(self) -> Any:
        """Return the next row."""
        ...

    def fetchall(self) -> list[Any]:
        """Return all rows."""
        ...


class Reached(NamedTuple):
    """How far a pipeline was: newest slice judged, its end, and commands obeyed off the wire."""

    slice: int = 0
    t_ns: int = 0
    obeyed: int = 0


class Order(NamedTuple):
    """A command of the mailbox; `at` is where it was taken, None while it waits."""

    number: int
    key: str
    payload: bytes
    recv_ns: int
    at: Reached | None = None


def append(cursor: Cursor, entry: dict[str, Any], body: bytes | None = None) -> None:
    """Add an entry to the chain, with the hash of its record; one that is there already stays."""
    if body is not None:
        entry = {**entry, "record": record_hash(body)}
    key = key_of(entry)
    if cursor.execute("SELECT 1 FROM history WHERE key = ?", (key,)).fetchone():
        return
    last = cursor.execute("SELECT number, link FROM history ORDER BY number DESC LIMIT 1")
    number, before = last.fetchone() or (0, FIRST)
    row = canonical(entry)
    made = link(before, number + 1, row)
    cursor.execute(
        "INSERT INTO history VALUES(?, ?, ?, ?, ?, ?)",
        (number + 1, key, entry["id"], entry["t_ns"], row, made),
    )
    _note(cursor, _HEAD, [number + 1, made.hex()])


def answer(cursor: Cursor, replies: Iterable[Reply]) -> None:
    """Keep the first answer to each command; a refusal is a row of the history too."""
    for reply in replies:
        if reply.repeated:
            continue
        if reply.refused is not None:
            append(cursor, refusal(reply))
        cursor.execute(
            "INSERT INTO replies VALUES(?, ?) ON CONFLICT(key) DO NOTHING",
            (reply.key, canonical(reply.plain())),
        )


def take(cursor: Cursor, number: int, at: Reached) -> None:
    """Mark a command of the mailbox as taken; where it was taken first stays."""
    cursor.execute(
        "UPDATE commands SET slice = ?, obeyed = ?, t_ns = ? WHERE number = ? AND slice IS NULL",
        (at.slice, at.obeyed, at.t_ns, number),
    )


def reach(cursor: Cursor, at: Reached) -> None:
    """Note how far the pipeline is; it never goes back."""
    if at > reached(cursor):
        _note(cursor, _REACHED, list(at))


def reached(cursor: Cursor) -> Reached:
    """How far the pipeline was when it last stored something."""
    return Reached(*(_noted(cursor, _REACHED) or ()))


def orders(cursor: Cursor, after: int, *, waiting: bool) -> list[Order]:
    """Commands of the mailbox behind number `after`: those that wait, or those that were taken."""
    rows = cursor.execute(
        "SELECT number, key, payload, recv_ns, slice, t_ns, obeyed FROM commands "
        f"WHERE number > ? AND slice IS {'' if waiting else 'NOT '}NULL ORDER BY number",
        (after,),
    ).fetchall()
    return [
        Order(number, key, payload, recv_ns, None if at[0] is None else Reached(*at))
        for number, key, payload, recv_ns, *at in rows
    ]


def migrate(cursor: Cursor) -> None:
    """Give a store of format 1 the history that its revisions tell of."""
    rows = cursor.execute("SELECT body, event_ns FROM alerts ORDER BY event_ns, id, rev").fetchall()
    old = of_old((json.loads(body) for body, _ in rows), (t_ns for _, t_ns in rows))
    for entry, (body, _) in zip(old, rows, strict=True):
        append(cursor, entry, body)


def check(cursor: Cursor, noted: tuple[int, str] | None = None) -> list[Fault]:
    """Find what is wrong with the chain, by itself and against `noted`, a newest link of old."""
    rows = [Row(*row) for row in cursor.execute(_CHAIN).fetchall()]
    records = {
        f"{id}.{rev}": record_hash(body) for id, rev, body in cursor.execute(_RECORDS).fetchall()
    }
    head = _noted(cursor, _HEAD)
    found = list(faults(rows, records, (head[0], head[1]) if head else None))
    if not head and rows:
        found.append(Fault(len(rows), "is the last one; the note of which one is, is gone"))
    if noted is not None and not any((r.number, r.link.hex()) == noted for r in rows):
        found.append(Fault(noted[0], f"was noted with link {noted[1][:16]}, which it has not"))
    return found


def head(cursor: Cursor) -> tuple[int, str]:
    """Number and link of the newest row: what to note elsewhere."""
    number, made = _noted(cursor, _HEAD) or (0, FIRST.hex())
    return number, made


def entry_of(alert: Alert) -> dict[str, Any]:
    """Return the entry of a revision; one made without a desk is the engine's own."""
    if alert.entry:
        return alert.entry
    return {
        "id": alert.id,
        "rev": alert.rev,
        "t": iso_utc(alert.event_ns),
        "t_ns": int(alert.event_ns),
        "event": "raise" if alert.rev == 1 else "update",
        "from": "" if alert.rev == 1 else "open",
        "to": "open",
        "who": ENGINE,
        "role": ENGINE,
        "given": {"severity": alert.severity},
    }


def _note(cursor: Cursor, name: str, value: Any) -> None:
    cursor.execute("INSERT OR REPLACE INTO facts VALUES(?, ?)", (name, json.dumps(value)))


def _noted(cursor: Cursor, name: str) -> Any:
    row = cursor.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
    return json.loads(row[0]) if row else None
