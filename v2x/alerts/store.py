"""Store: alerts, dead letters, positions and counters, durable before anything is sent.

One SQLite file, WAL, ``synchronous=FULL`` where the loop writes. One transaction per judged poll
holds everything that came of it, so that after a kill either all of it is there or nothing.

============  =====================================================================
alerts        (id, rev): the record as canonical JSON, and a hash of its content
letters       (topic, partition, offset): frames nobody could decode
outbox        one row per destination for each of these: waiting, sent or gave_up
positions     per place the next seq to read
run           where this store's run of frames starts, and its configuration
counters      per source, totals since the run started
history       what was done to alerts, by whom, in one chain; with ``commands`` and
              ``replies`` the business of `v2x.alerts.ledger`
============  =====================================================================

An alert's body stands once, in ``alerts``; outbox rows point at it (`what`, `nth`, `seq`: id, rev
and 0 of an alert, or the place of a letter), and what is sent is checked against its hash on the
way out. SQLite itself checks no page.

After a restart frames are read again, from a checkpoint or from the start of the run. What is
derived again is compared with what is stored; the stored one stays, a difference is returned and
counted (in anything but ``v2x``: a new version that derives the same is no difference). Counters
belong to positions: they stay as they are until the re-reading has reached what is stored.

The loop writes; each delivery worker reads and marks through a connection of its own thread, with
``synchronous=NORMAL``: a lost mark is a repeat, which is allowed, and costs no disk flush.

Longer than other modules, because all SQL of the house stands here.
"""

import fcntl
import json
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Protocol, Self

from v2x.alert import Alert
from v2x.alerts import ledger
from v2x.alerts.commands import Reply
from v2x.alerts.history import Fault
from v2x.alerts.ledger import Order, Reached
from v2x.errors import StoreError
from v2x.frames import Frame, Place

FORMAT = 2
"""2 has a history; a store of format 1 gets the one that its revisions tell of."""
BUSY_MS = 10_000
WAITING, SENT, GAVE_UP = "waiting", "sent", "gave_up"
ALERT, LETTER = "alert", "dead_letter"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS alerts(
  id TEXT, rev INTEGER, type TEXT NOT NULL, severity INTEGER NOT NULL, condition TEXT NOT NULL,
  event_ns INTEGER NOT NULL, body BLOB NOT NULL, hash BLOB NOT NULL,
  PRIMARY KEY(id, rev)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS letters(
  topic TEXT, part INTEGER, seq INTEGER, reason TEXT NOT NULL, sensor TEXT NOT NULL,
  format TEXT NOT NULL, recv_ns INTEGER NOT NULL, payload BLOB NOT NULL, hash BLOB NOT NULL,
  PRIMARY KEY(topic, part, seq));
CREATE TABLE IF NOT EXISTS outbox(
  number INTEGER PRIMARY KEY AUTOINCREMENT, destination TEXT NOT NULL, key TEXT NOT NULL,
  kind TEXT NOT NULL, stream TEXT NOT NULL, what TEXT NOT NULL, nth INTEGER NOT NULL,
  seq INTEGER NOT NULL, event_ns INTEGER NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL,
  next_try REAL NOT NULL, why TEXT NOT NULL, UNIQUE(destination, key));
CREATE INDEX IF NOT EXISTS waiting ON outbox(destination, number) WHERE state = 'waiting';
CREATE INDEX IF NOT EXISTS streams ON outbox(destination, stream, number) WHERE state = 'waiting';
CREATE TABLE IF NOT EXISTS positions(
  topic TEXT, part INTEGER, seq INTEGER NOT NULL, PRIMARY KEY(topic, part)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS run(
  topic TEXT, part INTEGER, seq INTEGER NOT NULL, PRIMARY KEY(topic, part)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS facts(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counters(
  source TEXT, name TEXT, total INTEGER NOT NULL, PRIMARY KEY(source, name)) WITHOUT ROWID;
"""
_LATEST = """
SELECT a.id, a.rev, a.type, a.severity, a.condition, a.event_ns, a.body, a.hash FROM alerts a
JOIN (SELECT id, MAX(rev) AS rev FROM alerts GROUP BY id) newest USING(id, rev)
ORDER BY a.event_ns, a.id
"""

_DUE = """
SELECT o.number, o.key, o.kind, o.stream, o.attempts, o.what, o.nth, o.seq FROM outbox o
WHERE o.destination = ? AND o.state = 'waiting' AND o.next_try <= ? AND NOT EXISTS (
  SELECT 1 FROM outbox p WHERE p.destination = o.destination AND p.stream = o.stream
  AND p.state = 'waiting' AND p.number < o.number AND p.next_try > ?)
ORDER BY o.number LIMIT ?
"""
_LETTER = """
SELECT reason, sensor, format, recv_ns, payload, hash FROM letters
WHERE topic = ? AND part = ? AND seq = ?
"""
_ALERTS = "SELECT id, rev, type, severity, condition, event_ns, body, hash FROM alerts"
_ONE = _ALERTS + " WHERE id = ? AND rev = ?"
_POSITIONS = "SELECT topic, part, seq FROM positions ORDER BY topic, part"
_WAITING = "SELECT COUNT(*) FROM outbox WHERE destination = ? AND state = 'waiting'"
_OLDEST = """
SELECT number, key, event_ns FROM outbox WHERE destination = ? AND state = 'waiting'
ORDER BY number LIMIT 1
"""


class DeadLetter(Protocol):
    """A frame nobody could decode, as ingest hands it over."""

    @property
    def frame(self) -> Frame:
        """The frame, with the place where it lies."""
        ...

    @property
    def reason(self) -> str:
        """Name of the reject."""
        ...


@dataclass(frozen=True, slots=True)
class Pending:
    """One thing that one destination has yet to get: an `alert`, or a `frame` with its `reason`.

    Rows of one `stream` (an alert's id, a frame's place) are sent in the order of `number`.
    """

    number: int
    destination: str
    key: str
    stream: str
    attempts: int
    alert: Alert | None = None
    frame: Frame | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """The oldest row that a destination has not confirmed."""

    number: int
    key: str
    event_ns: int


class Store:
    """The durable store of one pipeline. The thread that opens it is the one that records."""

    def __init__(self, path: Path, destinations: Sequence[str], letters_to: str | None) -> None:
        self.path = path
        self.destinations = tuple(destinations)
        self.letters_to = letters_to
        self._writer = threading.get_ident()
        self._threads = threading.local()
        self._all: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        self._owned: int | None = None

    @classmethod
    def open(
        cls, path: Path, destinations: Iterable[str], *, letters_to: str | None = None,
        own: bool = False,
    ) -> Self:  # fmt: skip
        """Open or create the store.

        Parameters
        ----------
        path
            The file; its folder must exist. SQLite puts ``-wal`` and ``-shm`` beside it.
        destinations
            Names of the sinks: each new alert gets one outbox row for each.
        letters_to
            The destination that also takes dead letters; None keeps them here only.
        own
            For a pipeline: nobody else may own it meanwhile.

        Raises
        ------
        StoreError
            The file cannot be opened, is damaged, was written by another version, or another
            process owns it.
        """
        store = cls(path, tuple(dict.fromkeys(destinations)), letters_to)
        try:
            if own and not store.own():
                raise StoreError(f"{path}: another process runs on it: one pipeline per store")
            store._prepare()
        except BaseException:
            store.close()
            raise
        return store

    @classmethod
    def existing(cls, path: Path, destinations: Iterable[str] | None = None) -> Self:
        """Open a store that is there, to look at it or to work on it.

        Parameters
        ----------
        destinations
            None: those that the newest run of the store had.

        Raises
        ------
        StoreError
            There is none, or `open` refuses it.
        """
        if not path.is_file():
            raise StoreError(f"{path}: there is no store here")
        store = cls(path, (), None)
        try:
            with store._errors("opened"):
                version = store._connect("FULL").execute("PRAGMA user_version").fetchone()[0]
            if version != FORMAT:
                if not store.own():
                    raise StoreError(f"{path}: an older program runs on it; stop that first")
                store._prepare()
            if destinations is None:
                destinations = json.loads(store._fact("destinations") or "[]")
        except BaseException:
            store.close()
            raise
        store.destinations = tuple(destinations)
        return store

    def own(self) -> bool:
        """Take the store for this process alone: it records from now on. False: another one has it.

        The mark is a lock of the system on a file beside the store; it ends with the process,
        however that ends.
        """
        if self._owned is not None:
            return True
        beside = self.path.with_name(self.path.name + ".lock")
        try:
            descriptor = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as e:
            raise StoreError(f"{beside}: cannot be opened: {e.strerror or e}") from e
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return False
        self._owned = descriptor
        return True

    def _prepare(self) -> None:
        with self._errors("opened"):
            db = self._connect("FULL")
            self._threads.db = db
            told = [row[0] for row in db.execute("PRAGMA integrity_check(1)")]
            if told != ["ok"]:
                raise StoreError(
                    f"{self.path}: the store is damaged ({told[0]}); move it and its -wal away and "
                    "start again from the frames, or restore a copy"
                )
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version not in range(FORMAT + 1):
                raise StoreError(
                    f"{self.path}: store of format {version}, this program writes {FORMAT}; "
                    "use the program that wrote it, or another file"
                )
            if version != FORMAT:
                db.executescript(_SCHEMA + ledger.SCHEMA)
                with self._transaction() as cursor:
                    ledger.migrate(cursor)
                    cursor.execute(f"PRAGMA user_version = {FORMAT}")
            if self.destinations:
                self._begin()

    def _begin(self) -> None:
        """Note for whom this run stores, and make due what was put off: another clock begins."""
        with self._transaction() as cursor:
            cursor.execute("UPDATE outbox SET next_try = 0 WHERE state = 'waiting'")
            cursor.execute(
                "INSERT OR REPLACE INTO facts VALUES('destinations', ?)",
                (json.dumps(self.destinations),),
            )

    def begin_run(self, positions: Mapping[Place, int], config_hash: str = "") -> dict[Place, int]:
        """Where to read from without a checkpoint: where the very first start began.

        A place that the store does not know starts, for good, where `positions` says. The
        configuration hash of the first start is kept and shown by `stats`.
        """
        with self._errors("written"), self._transaction() as cursor:
            cursor.executemany(
                "INSERT INTO run VALUES(?, ?, ?) ON CONFLICT(topic, part) DO NOTHING",
                [(topic, part, int(seq)) for (topic, part), seq in sorted(positions.items())],
            )
            cursor.execute(
                "INSERT INTO facts VALUES('config_hash', ?) ON CONFLICT(name) DO NOTHING",
                (config_hash,),
            )
            rows = cursor.execute("SELECT topic, part, seq FROM run ORDER BY topic, part")
            return {(topic, part): seq for topic, part, seq in rows}

    def record(
        self,
        alerts: Iterable[Alert],
        dead_letters: Iterable[DeadLetter] = (),
        positions: Mapping[Place, int] | None = None,
        counters: Mapping[str, Mapping[str, int]] | None = None,
        *,
        replies: Iterable[Reply] = (),
        taken: Iterable[tuple[int, Reached]] = (),
        reached: Reached | None = None,
    ) -> list[tuple[str, int]]:
        """Make one poll's outcome durable, in one transaction.

        Parameters
        ----------
        alerts
            New revisions. One that is stored already is compared and left alone.
        dead_letters
            Likewise, by place and seq.
        positions
            Next seq per place. A stored position never goes back.
        counters
            Totals since the start of the run per source and name; they replace the stored ones,
            unless a position given with them is behind the stored one.
        replies
            Answers to commands; refusals go into the history.
        taken
            Commands of the mailbox by number, and where the pipeline took them.
        reached
            How far the pipeline is.

        Returns
        -------
        list of (id, rev)
            Alerts that are stored with another content. The stored content was sent and stays.
        """
        if threading.get_ident() != self._writer:
            raise RuntimeError("Store.record: another thread opened the store; it records")
        differing: list[tuple[str, int]] = []
        with self._errors("written"), self._transaction() as cursor:
            for alert in alerts:
                if self._insert_alert(cursor, alert) is False:
                    differing.append((alert.id, alert.rev))
            for letter in dead_letters:
                self._insert_letter(cursor, letter)
            ledger.answer(cursor, replies)
            for number, at in taken:
                ledger.take(cursor, number, at)
            if reached is not None:
                ledger.reach(cursor, reached)
            if differing:
                cursor.execute(
                    "INSERT INTO facts VALUES('differing', ?) ON CONFLICT(name) "
                    "DO UPDATE SET value = CAST(value AS INTEGER) + excluded.value",
                    (len(differing),),
                )
            stored = {(topic, part): seq for topic, part, seq in cursor.execute(_POSITIONS)}
            next_seq = dict(positions or {})
            if counters and all(seq >= stored.get(at, seq) for at, seq in next_seq.items()):
                cursor.executemany(
                    "INSERT OR REPLACE INTO counters VALUES(?, ?, ?)",
                    [(s, n, int(v)) for s, totals in counters.items() for n, v in totals.items()],
                )
            cursor.executemany(
                "INSERT OR REPLACE INTO positions VALUES(?, ?, ?)",
                [(t, p, int(s)) for (t, p), s in next_seq.items() if s > stored.get((t, p), -1)],
            )
        return differing

    def _insert_alert(self, cursor: sqlite3.Cursor, alert: Alert) -> bool | None:
        """Insert a revision. True: new, None: there already, False: there with other content."""
        body = alert.canonical()
        digest = _hash(alert.id, alert.rev, body)
        cursor.execute(
            "INSERT INTO alerts VALUES(?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT(id, rev) DO NOTHING",
            (alert.id, alert.rev, alert.type, alert.severity, alert.condition,
             int(alert.event_ns), body, digest),
        )  # fmt: skip
        if cursor.rowcount:
            ledger.append(cursor, ledger.entry_of(alert), body)
            key, at = f"{alert.id}.{alert.rev}", alert.event_ns
            for destination in self.destinations:
                self._post(cursor, destination, key, ALERT, alert.id, alert.id, alert.rev, 0, at)
            return True
        before, stored = cursor.execute(
            "SELECT hash, body FROM alerts WHERE id = ? AND rev = ?", (alert.id, alert.rev)
        ).fetchone()
        if before == digest or _content(stored) == _content(body):
            return None
        return False

    def _insert_letter(self, cursor: sqlite3.Cursor, letter: DeadLetter) -> None:
        frame = letter.frame
        (topic, part), seq = frame.place, int(frame.seq)
        cursor.execute(
            "INSERT INTO letters VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?) "
            "ON CONFLICT(topic, part, seq) DO NOTHING",
            (topic, part, seq, letter.reason, frame.sensor, frame.format, int(frame.recv_ns),
             frame.payload, _hash(topic, part, seq, letter.reason, frame.payload)),
        )  # fmt: skip
        if cursor.rowcount and self.letters_to is not None:
            where = f"{topic}/{part}"
            self._post(
                cursor, self.letters_to, f"{where}/{seq}", LETTER, where, topic, part, seq,
                frame.recv_ns,
            )  # fmt: skip

    def _post(
        self, cursor: sqlite3.Cursor, destination: str, key: str, kind: str, stream: str,
        what: str, nth: int, seq: int, event_ns: int,
    ) -> None:  # fmt: skip
        cursor.execute(
            "INSERT INTO outbox(destination, key, kind, stream, what, nth, seq, event_ns, state,"
            " attempts, next_try, why) VALUES(?, ?, ?, ?, ?, ?, ?, ?, 'waiting', 0, 0, '')"
            " ON CONFLICT(destination, key) DO NOTHING",
            (destination, key, kind, stream, what, nth, seq, int(event_ns)),
        )

    def pending(self, destination: str, limit: int, now: float) -> list[Pending]:
        """What may be sent to `destination` now, oldest first, at most `limit`.

        `now` is a time of the caller's own clock, the one that `retry` was given. A row waits
        while an earlier one of its stream is put off. One whose stored content does not match its
        hash comes without it, with a `reason` to give it up for.
        """
        rows = self._read(_DUE, destination, now, now, limit)
        return [self._pending(destination, *row) for row in rows]

    def _pending(
        self, destination: str, number: int, key: str, kind: str, stream: str, attempts: int,
        what: str, nth: int, seq: int,
    ) -> Pending:  # fmt: skip
        if kind == ALERT:
            found = self._read(_ONE, what, nth)
            try:
                alert = self._checked(f"alert {key}", found)
            except StoreError as e:
                return Pending(number, destination, key, stream, attempts, reason=str(e))
            return Pending(number, destination, key, stream, attempts, alert=alert)
        found = self._read(_LETTER, what, nth, seq)
        if not found or _hash(what, nth, seq, found[0][0], found[0][4]) != found[0][5]:
            why = str(self._damaged(f"dead letter {key}"))
            return Pending(number, destination, key, stream, attempts, reason=why)
        reason, sensor, format, recv_ns, payload, _ = found[0]
        frame = Frame(recv_ns, sensor, format, payload, (what, nth), seq)
        return Pending(number, destination, key, stream, attempts, frame=frame, reason=reason)

    def alert(self, id: str, rev: int) -> Alert:
        """Return one stored revision, checked against its hash."""
        return self._checked(f"alert {id}.{rev}", self._read(_ONE, id, rev))

    def alerts(self) -> Iterator[Alert]:
        """Every stored revision in the order (event time, id, rev), checked against its hash."""
        with self._errors("read"):
            rows = self._db().execute(_ALERTS + " ORDER BY event_ns, id, rev")
            for row in rows:
                yield self._checked(f"alert {row[0]}.{row[1]}", [row])

    def ids(self, beginning: str) -> list[str]:
        """Ids of stored alerts that begin so, at most ten."""
        rows = self._read(
            "SELECT DISTINCT id FROM alerts WHERE substr(id, 1, ?) = ? ORDER BY id LIMIT 10",
            len(beginning),
            beginning,
        )
        return [id for (id,) in rows]

    def latest(self) -> list[Alert]:
        """Newest revision of every alert in the order (event time, id), checked."""
        return [self._checked(f"alert {row[0]}.{row[1]}", [row]) for row in self._read(_LATEST)]

    def history(self, id: str | None = None) -> list[dict[str, Any]]:
        """Entries of the history in their order, of one alert or of all."""
        where = "" if id is None else " WHERE id = ?"
        rows = self._read(
            f"SELECT row FROM history{where} ORDER BY number", *(() if id is None else (id,))
        )
        return [json.loads(row) for (row,) in rows]

    def faults(self, noted: tuple[int, str] | None = None) -> list[Fault]:
        """Find what is wrong with the chain of the history; `noted` is a `head` of old."""
        with self._errors("read"):
            return ledger.check(self._db().cursor(), noted)

    def head(self) -> tuple[int, str]:
        """Number and link of the newest row of the history: note it elsewhere."""
        with self._errors("read"):
            return ledger.head(self._db().cursor())

    def reached(self) -> Reached:
        """How far the pipeline was when it last stored something."""
        with self._errors("read"):
            return ledger.reached(self._db().cursor())

    def put_command(self, key: str, payload: bytes, recv_ns: int) -> None:
        """Put a command into the mailbox, for whoever owns the store; again, it is there once."""
        with self._errors("written"), self._transaction() as cursor:
            cursor.execute(
                "INSERT INTO commands(key, payload, recv_ns) VALUES(?, ?, ?) "
                "ON CONFLICT(key) DO NOTHING",
                (key, payload, recv_ns),
            )

    def orders(self, after: int = 0, *, waiting: bool = True) -> list[Order]:
        """Commands of the mailbox behind number `after`: those that wait, or those taken."""
        with self._errors("read"):
            return ledger.orders(self._db().cursor(), after, waiting=waiting)

    def reply(self, key: str) -> dict[str, Any] | None:
        """Answer to a command, None while there is none."""
        rows = self._read("SELECT body FROM replies WHERE key = ?", key)
        found: dict[str, Any] | None = json.loads(rows[0][0]) if rows else None
        return found

    def replies(self) -> Iterator[dict[str, Any]]:
        """All answers, by key."""
        for (body,) in self._read("SELECT body FROM replies ORDER BY key"):
            yield json.loads(body)

    def deliveries(self) -> dict[str, dict[str, int]]:
        """Alerts per destination: sent, sent more than once, waiting, and given up."""
        found: dict[str, dict[str, int]] = {}
        for name, sent, repeated, waiting, dead in self._read(
            "SELECT destination, SUM(state = 'sent'), SUM(state = 'sent' AND attempts > 1),"
            " SUM(state = 'waiting'), SUM(state = 'gave_up') FROM outbox WHERE kind = 'alert'"
            " GROUP BY destination ORDER BY destination"
        ):
            found[name] = {"sent": sent, "repeated": repeated, "waiting": waiting, "dead": dead}
        return found

    def _fact(self, name: str) -> str:
        rows = self._read("SELECT value FROM facts WHERE name = ?", name)
        return str(rows[0][0]) if rows else ""

    def _checked(self, what: str, rows: list[Any]) -> Alert:
        if not rows or _hash(rows[0][0], rows[0][1], rows[0][6]) != rows[0][7]:
            raise self._damaged(what)
        id, rev, type, severity, condition, event_ns, body, _ = rows[0]
        return Alert(id, rev, type, severity, condition, event_ns, json.loads(body))

    def delivered(self, destination: str, key: str) -> None:
        """Mark that the destination has it."""
        self._mark(destination, key, SENT, 0.0, "")

    def retry(self, destination: str, key: str, at: float, why: str = "") -> None:
        """Put it off until `at` of the caller's clock, and count an attempt."""
        self._mark(destination, key, WAITING, at, why)

    def gave_up(self, destination: str, key: str, why: str) -> None:
        """Mark that the destination will never take it; the row and its reason stay."""
        self._mark(destination, key, GAVE_UP, 0.0, why)

    def _mark(self, destination: str, key: str, state: str, at: float, why: str) -> None:
        with self._errors("written"), self._transaction() as cursor:
            cursor.execute(
                "UPDATE outbox SET state = ?, next_try = ?, why = ?, attempts = attempts + 1 "
                "WHERE destination = ? AND key = ? AND state = 'waiting'",
                (state, at, why, destination, key),
            )

    def wake(self, destination: str) -> None:
        """Make everything that was put off due: the destination is back, or the end is near."""
        with self._errors("written"), self._transaction() as cursor:
            cursor.execute(
                "UPDATE outbox SET next_try = 0 "
                "WHERE destination = ? AND state = 'waiting' AND next_try > 0",
                (destination,),
            )

    def waiting(self, destination: str) -> int:
        """How many rows the destination has yet to get."""
        return int(self._read(_WAITING, destination)[0][0])

    def oldest_unconfirmed(self, destination: str) -> Unconfirmed | None:
        """Return the oldest row still waiting for the destination, None if it has everything.

        Compare its `number` with `newest_number` as it was after a `record`: when it is larger
        or None, all that `record` posted to this destination has been confirmed.
        """
        rows = self._read(_OLDEST, destination)
        return Unconfirmed(*rows[0]) if rows else None

    def newest_number(self) -> int:
        """Return the number of the newest outbox row, 0 if there never was one."""
        return int(self._read("SELECT MAX(number) FROM outbox")[0][0] or 0)

    def positions(self) -> dict[Place, int]:
        """Next seq per place: everything before it is durable."""
        return {(topic, part): seq for topic, part, seq in self._read(_POSITIONS)}

    def counters(self) -> dict[str, dict[str, int]]:
        """Totals per source and name."""
        found: dict[str, dict[str, int]] = {}
        for source, name, total in self._read("SELECT * FROM counters ORDER BY source, name"):
            found.setdefault(source, {})[name] = total
        return found

    def stats(self) -> dict[str, Any]:
        """Numbers for the summary: stored = sent + waiting + gave up, per destination."""
        facts = dict(self._read("SELECT name, value FROM facts"))
        names = [*self.destinations, *([self.letters_to] if self.letters_to else [])]
        outbox = {name: {SENT: 0, WAITING: 0, GAVE_UP: 0} for name in names}
        for destination, state, count in self._read(
            "SELECT destination, state, COUNT(*) FROM outbox GROUP BY destination, state"
        ):
            outbox.setdefault(destination, {SENT: 0, WAITING: 0, GAVE_UP: 0})[state] = count
        ids, revisions = self._read("SELECT COUNT(DISTINCT id), COUNT(*) FROM alerts")[0]
        return {
            "alerts": ids,
            "revisions": revisions,
            "dead_letters": self._read("SELECT COUNT(*) FROM letters")[0][0],
            "differing": int(facts.get("differing", 0)),
            "config_hash": facts.get("config_hash", ""),
            "outbox": outbox,
        }

    def close(self) -> None:
        """Close every connection; no worker may use the store any more."""
        with self._lock:
            connections, self._all = self._all, []
        for db in connections:
            db.close()
        if self._owned is not None:
            os.close(self._owned)
            self._owned = None
        self._threads = threading.local()

    def _connect(self, synchronous: str) -> sqlite3.Connection:
        # check_same_thread: each thread has its own, only `close` touches those of others.
        db = sqlite3.connect(
            self.path, timeout=BUSY_MS / 1e3, isolation_level=None, check_same_thread=False
        )
        with self._lock:
            self._all.append(db)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute(f"PRAGMA synchronous = {synchronous}")
        return db

    def _db(self) -> sqlite3.Connection:
        db: sqlite3.Connection | None = getattr(self._threads, "db", None)
        if db is None:
            db = self._threads.db = self._connect("NORMAL")
        return db

    def _read(self, sql: str, *given: Any) -> list[Any]:
        with self._errors("read"):
            return self._db().execute(sql, given).fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Cursor]:
        db = self._db()
        cursor = db.cursor()
        cursor.execute("BEGIN IMMEDIATE")
        try:
            yield cursor
            cursor.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                cursor.execute("ROLLBACK")
            raise

    @contextmanager
    def _errors(self, done: str) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as e:
            raise StoreError(f"{self.path}: the store cannot be {done}: {e}; {_advice(e)}") from e

    def _damaged(self, what: str) -> StoreError:
        return StoreError(
            f"{self.path}: {what} does not match its hash; the file was changed or damaged: move "
            "it away and start again from the frames, or restore a copy"
        )


def _content(body: bytes) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(body)
    told.pop("v2x", None)
    return told


def _hash(*content: str | int | bytes) -> bytes:
    digest = blake2b(digest_size=16)
    for part in content:
        raw = part if isinstance(part, bytes) else str(part).encode()
        digest.update(len(raw).to_bytes(8, "little") + raw)
    return digest.digest()


def _advice(error: sqlite3.Error) -> str:
    text = str(error)
    if "full" in text:
        return "make room on the disk"
    if "locked" in text:
        return "another process has it open: run one pipeline per store"
    if "readonly" in text or "unable to open" in text:
        return "check that its folder exists and may be written"
    return "if it is no store of v2x, name another file"
