import os
import signal
import sqlite3
import subprocess
import sys
import threading
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from v2x.alert import Alert
from v2x.alerts.store import Store, Unconfirmed
from v2x.errors import StoreError
from v2x.frames import Frame


@dataclass(frozen=True)
class Letter:
    frame: Frame
    reason: str


def alert(name: str = "a", rev: int = 1, event_ns: int = 1000, **more: object) -> Alert:
    body = {"id": name, "rev": rev, "text": {"zh-CN": "无人机"}, "lat": 39.124} | more
    return Alert(name, rev, "sos", 1, "active", event_ns, body)


def letter(seq: int, payload: bytes = b"\x00\xff", reason: str = "short") -> Letter:
    return Letter(Frame(5_000 + seq, "bds-1", "jt808", payload, ("frames", 2), seq), reason)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "v2x.sqlite"


def opened(path: Path, *destinations: str, letters_to: str | None = None) -> Store:
    return Store.open(path, destinations or ("one", "two"), letters_to=letters_to)


def keys(store: Store, destination: str, now: float = 0.0, limit: int = 100) -> list[str]:
    return [row.key for row in store.pending(destination, limit, now)]


def test_a_new_revision_gets_one_outbox_row_for_each_destination(path: Path) -> None:
    store = opened(path)
    assert store.record([alert(rev=1), alert(rev=2)]) == []
    assert keys(store, "one") == keys(store, "two") == ["a.1", "a.2"]
    assert keys(store, "three") == []
    store.close()


def test_what_is_sent_is_what_was_recorded_byte_for_byte(path: Path) -> None:
    made = alert(pi=3.141592653589793, small=1e-7, deep=[{"b": 1, "a": None}])
    store = opened(path)
    store.record([made])
    store.close()
    store = opened(path)
    (row,) = store.pending("one", 9, 0.0)
    assert row.alert is not None
    assert row.alert.canonical() == made.canonical()
    assert (row.alert.type, row.alert.event_ns) == ("sos", 1000)
    assert next(iter(store.alerts())) == row.alert == store.alert("a", 1)
    store.close()


def test_derived_again_it_changes_nothing_and_a_difference_is_told_and_counted(path: Path) -> None:
    store = opened(path)
    store.record([alert()])
    store.delivered("one", "a.1")
    assert store.record([alert()]) == []
    assert store.record([alert(lat=1.0), alert("b")]) == [("a", 1)]
    assert store.stats()["differing"] == 1
    assert store.alert("a", 1).body["lat"] == 39.124
    assert keys(store, "one") == ["b.1"]
    assert store.record([alert(lat=2.0)]) == [("a", 1)]
    assert store.stats()["differing"] == 2
    store.close()


def test_another_version_that_derives_the_same_is_no_difference(path: Path) -> None:
    store = opened(path)
    store.record([alert(v2x={"version": "1"})])
    assert store.record([alert(v2x={"version": "2"})]) == []
    assert store.record([alert(v2x={"version": "2"}, lat=1.0)]) == [("a", 1)]
    assert store.alert("a", 1).body["v2x"] == {"version": "1"}
    store.close()


def test_only_the_thread_that_opened_it_records(path: Path) -> None:
    store = opened(path)
    errors: list[BaseException] = []

    def work() -> None:
        try:
            store.record([alert()])
        except RuntimeError as e:
            errors.append(e)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert len(errors) == 1
    store.close()


def test_a_dead_letter_is_kept_once_with_its_place_and_its_bytes(path: Path) -> None:
    store = opened(path, letters_to="two")
    store.record([], [letter(7), letter(8)])
    store.record([], [letter(7)])
    assert keys(store, "one") == []
    rows = store.pending("two", 9, 0.0)
    assert [(row.key, row.reason) for row in rows] == [("frames/2/7", "short"),
                                                       ("frames/2/8", "short")]  # fmt: skip
    assert rows[0].frame == letter(7).frame
    assert store.stats()["dead_letters"] == 2
    store.close()
    store = opened(path.with_name("other"))
    store.record([], [letter(7)])
    assert store.stats()["dead_letters"] == 1
    assert keys(store, "one") == keys(store, "two") == []
    store.close()


def test_the_run_starts_where_it_first_started(path: Path) -> None:
    store = opened(path)
    assert store.begin_run({("f", 0): 10}, "hash") == {("f", 0): 10}
    store.record([], positions={("f", 0): 99})
    store.close()
    store = opened(path)
    assert store.begin_run({("f", 0): 99, ("f", 1): 5}) == {("f", 0): 10, ("f", 1): 5}
    assert store.begin_run({("f", 1): 8}) == {("f", 0): 10, ("f", 1): 5}
    assert store.stats()["config_hash"] == "hash"
    assert store.positions() == {("f", 0): 99}
    store.close()


def test_positions_never_go_back_and_counters_wait_until_the_re_reading_is_there(
    path: Path,
) -> None:
    store = opened(path)
    at = ("f", 0)
    store.record([], positions={at: 50}, counters={"radar": {"in": 50, "late": 2}})
    store.record([], positions={at: 10}, counters={"radar": {"in": 10, "late": 0}})
    assert store.positions() == {at: 50}
    assert store.counters() == {"radar": {"in": 50, "late": 2}}
    store.record([], positions={at: 50}, counters={"radar": {"in": 51, "late": 1}})
    assert store.counters() == {"radar": {"in": 51, "late": 1}}
    store.record([], positions={at: 60, ("f", 1): 1}, counters={"radar": {"in": 61}})
    assert store.counters() == {"radar": {"in": 61, "late": 1}}
    assert store.positions() == {at: 60, ("f", 1): 1}
    store.close()


def test_nothing_of_a_record_that_fails_is_stored(path: Path) -> None:
    store = opened(path)

    def alerts() -> list[Alert]:
        return [alert("a"), replace(alert("b"), severity=None)]  # type: ignore[arg-type]

    with pytest.raises(StoreError, match="NOT NULL"):
        store.record(alerts(), [letter(1)], {("f", 0): 5})
    assert store.stats()["revisions"] == 0
    assert store.positions() == {}
    assert store.record([alert("a")]) == []
    store.close()


def test_an_alert_s_revisions_wait_for_the_one_that_is_put_off_and_others_do_not(
    path: Path,
) -> None:
    store = opened(path)
    store.record([alert("a", 1), alert("b", 1), alert("a", 2)])
    store.retry("one", "a.1", at=10.0, why="busy")
    assert keys(store, "one", now=9.9) == ["b.1"]
    assert keys(store, "one", now=10.0) == ["a.1", "b.1", "a.2"]
    assert keys(store, "one", now=10.0, limit=1) == ["a.1"]
    assert keys(store, "two", now=0.0) == ["a.1", "b.1", "a.2"]
    assert store.pending("one", 1, 10.0)[0].attempts == 1
    store.wake("one")
    assert keys(store, "one", now=0.0) == ["a.1", "b.1", "a.2"]
    store.close()


def test_after_a_restart_what_was_put_off_is_due(path: Path) -> None:
    store = opened(path)
    store.record([alert()])
    store.retry("one", "a.1", at=1e9)
    store.close()
    store = opened(path)
    assert keys(store, "one", now=0.0) == ["a.1"]
    store.close()


def test_stored_is_sent_and_waiting_and_given_up(path: Path) -> None:
    store = opened(path)
    store.record([alert("a"), alert("b"), alert("c")])
    store.delivered("one", "a.1")
    store.gave_up("one", "b.1", "refused")
    store.delivered("one", "b.1")  # too late: it stays given up
    store.delivered("one", "nobody.1")
    stats = store.stats()
    assert stats["outbox"] == {
        "one": {"sent": 1, "waiting": 1, "gave_up": 1},
        "two": {"sent": 0, "waiting": 3, "gave_up": 0},
    }
    assert (stats["alerts"], stats["revisions"]) == (3, 3)
    assert store.waiting("one") == 1
    store.close()


def test_the_oldest_unconfirmed_row_says_what_a_position_still_waits_for(path: Path) -> None:
    store = opened(path, "one")
    assert store.newest_number() == 0
    store.record([alert("a", event_ns=70), alert("b", event_ns=80)])
    mark = store.newest_number()
    assert store.oldest_unconfirmed("one") == Unconfirmed(1, "a.1", 70)
    store.delivered("one", "a.1")
    store.record([alert("c", event_ns=90)])
    store.delivered("one", "b.1")
    oldest = store.oldest_unconfirmed("one")
    assert oldest is not None
    assert oldest.number > mark
    store.gave_up("one", "c.1", "refused")
    assert store.oldest_unconfirmed("one") is None
    store.close()


def test_a_thread_of_its_own_marks_while_the_loop_records(path: Path) -> None:
    store = opened(path, "one")
    errors: list[BaseException] = []
    done = threading.Event()

    def work() -> None:
        try:
            while not (done.is_set() and not store.waiting("one")):
                for row in store.pending("one", 10, 0.0):
                    store.delivered("one", row.key)
        except BaseException as e:
            errors.append(e)

    thread = threading.Thread(target=work)
    thread.start()
    for i in range(60):
        store.record([alert(f"a{i}")], positions={("f", 0): i})
    done.set()
    thread.join(20)
    assert not thread.is_alive()
    assert not errors
    assert store.stats()["outbox"]["one"] == {"sent": 60, "waiting": 0, "gave_up": 0}
    store.close()


# Damage


def test_a_changed_body_is_not_sent_but_told(path: Path) -> None:
    store = opened(path, "one", letters_to="one")
    store.record([alert("a"), alert("b")], [letter(1)])
    store.close()
    with sqlite3.connect(path) as db:
        db.execute("UPDATE alerts SET body = replace(body, '39.124', '39.125') WHERE id = 'a'")
        db.execute("UPDATE letters SET payload = x'00'")
    db.close()
    store = opened(path, "one", letters_to="one")
    first, second, third = store.pending("one", 9, 0.0)
    assert first.alert is None
    assert "alert a.1 does not match its hash" in first.reason
    assert second.alert is not None
    assert third.frame is None
    with pytest.raises(StoreError, match=r"a\.1 does not match its hash"):
        list(store.alerts())
    store.close()


def test_a_file_that_is_no_store_is_refused_by_name(path: Path) -> None:
    path.write_bytes(b"no database, but long enough to be looked at as one" * 40)
    with pytest.raises(StoreError, match=r"v2x\.sqlite.*not a database.*name another file"):
        opened(path)


def test_a_torn_file_is_refused(path: Path) -> None:
    store = opened(path)
    for i in range(50):
        store.record([alert(f"a{i}", filler="x" * 2000)])
    store.close()
    raw = bytearray(path.read_bytes())
    raw[-12_288:-4_096] = os.urandom(8_192)
    path.write_bytes(raw)
    with pytest.raises(StoreError, match=r"v2x\.sqlite"):
        opened(path)


def test_a_folder_that_is_not_there_and_another_version_are_refused(path: Path) -> None:
    with pytest.raises(StoreError, match="folder exists"):
        opened(path.parent / "nowhere" / "v2x.sqlite")
    opened(path).close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(StoreError, match="format 99"):
        opened(path)


def test_a_full_disk_says_so_and_goes_on_when_there_is_room(path: Path) -> None:
    store = opened(path)
    db = store._db()
    pages = db.execute("PRAGMA page_count").fetchone()[0]
    db.execute(f"PRAGMA max_page_count = {pages + 2}")
    big = [alert(f"a{i}", filler="x" * 4000) for i in range(20)]
    with pytest.raises(StoreError, match="make room on the disk"):
        store.record(big, positions={("f", 0): 1})
    assert store.positions() == {}
    db.execute("PRAGMA max_page_count = 100000")
    assert store.record(big, positions={("f", 0): 1}) == []
    assert store.stats()["revisions"] == 20
    store.close()


# Kill

_CHILD = """
import os, signal, sys
from pathlib import Path
from v2x.alert import Alert
from v2x.alerts.store import Store
path, out, die_at = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
store = Store.open(path, ["file"])
start = store.begin_run({("f", 0): 0})[("f", 0)]
for seq in range(start, 12):
    body = {"id": f"a{seq}", "rev": 1, "text": {"zh-CN": "无人机"}, "lat": 39.124}
    alert = Alert(f"a{seq}", 1, "sos", 1, "active", seq, body)
    store.record([alert], positions={("f", 0): seq + 1})
    if die_at == f"stored {seq}":
        os.kill(os.getpid(), signal.SIGKILL)
    for row in store.pending("file", 10, 0.0):
        with out.open("ab") as f:
            f.write(row.alert.canonical() + b"\\n")
        if die_at == f"sent {row.key}":
            os.kill(os.getpid(), signal.SIGKILL)
        store.delivered("file", row.key)
store.close()
"""


def test_killed_between_record_and_send_and_mark_nothing_is_lost(tmp_path: Path) -> None:
    path, out = tmp_path / "s.sqlite", tmp_path / "out.jsonl"
    for die_at in ("stored 3", "sent a7.1", "never"):
        done = subprocess.run(
            [sys.executable, "-c", _CHILD, str(path), str(out), die_at], check=False,
            capture_output=True, text=True, timeout=60, cwd=Path(__file__).parents[2],
        )  # fmt: skip
        expected = 0 if die_at == "never" else -signal.SIGKILL
        assert done.returncode == expected, done.stderr
    lines = out.read_bytes().splitlines()
    assert set(lines) == {alert(f"a{i}", event_ns=i).canonical() for i in range(12)}
    assert len(lines) == 13  # one repeat, of the kill between sending and marking
    store = Store.open(path, ["file"])
    assert store.stats()["outbox"]["file"] == {"sent": 12, "waiting": 0, "gave_up": 0}
    store.close()
