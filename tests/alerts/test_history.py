"""The history: a chain in which what was changed is found, and out of which all states fold."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from v2x.alert import Alert, Finding
from v2x.alerts.cases import Transition, people, refused
from v2x.alerts.commands import Command
from v2x.alerts.history import FIRST, Row, canonical, cases, faults, link, transition_of
from v2x.alerts.ledger import Reached
from v2x.alerts.store import FORMAT, Store
from v2x.alerts.transitions import CODES, COMMANDS, ROLES

from .pictures import engine, ns, picture, violations
from .test_desk import ask, raised
from .test_engine import Scripted

TIMERS_RUN = True


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store.open(tmp_path / "v2x.sqlite", ["one"])
    yield made
    made.close()


def told(store: Store) -> tuple[str, str]:
    """A store with eight rows, of which the third is a refusal. The alert and the last command."""
    made, id = raised(3, until=5)
    life = made.desk.held[id]
    (first,) = [a for a in made.judge(picture(0.1)) if a] or [
        made.desk.act(life, "update", ns(0.1))
    ]
    store.record([first])
    for t, event, given in (
        (1.0, "ack", {}), (2.0, "close", {"code": "repaired"}), (3.0, "assign", {"unit": "u"}),
        (4.0, "note", {"text": "无人机"}),
    ):  # fmt: skip
        reply, alerts = ask(made, id, event, t, key=f"k{t}", **given)
        store.record(alerts, replies=[reply])
    for t in (10.0, 11.0, 12.0):
        store.record([made.desk.act(life, "update", ns(t), changed=["position"])])
    return id, "k4.0"


def rows_of(path: Path) -> list[Row]:
    db = sqlite3.connect(path)
    rows = [
        Row(*r) for r in db.execute("SELECT number, key, row, link FROM history ORDER BY number")
    ]
    db.close()
    return rows


def tampered(store: Store, *statements: tuple[str, Any]) -> list[tuple[int, str]]:
    """What is found after somebody with another program was in the file."""
    db = sqlite3.connect(store.path)
    for sql, given in statements:
        db.execute(sql, given)
    db.commit()
    db.close()
    return [(fault.number, fault.what) for fault in store.faults()]


def test_a_sound_chain_has_no_fault_and_tells_who_did_what(store: Store) -> None:
    assert store.faults() == []
    assert store.head() == (0, FIRST.hex())
    id, _ = told(store)
    assert store.faults() == []
    entries = store.history(id)
    assert [e["event"] for e in entries] == ["update", "ack", "close", "assign", "note", "update",
                                             "update", "update"]  # fmt: skip
    assert entries[2]["refused"] == {
        "status": 409, "reason": "illegal", "event": "close", "from": "acked",
        "allowed": ["assign", "resolve", "dismiss", "shelve", "merge", "escalate", "note"],
    }  # fmt: skip
    assert "rev" not in entries[2]
    assert [e["rev"] for e in entries if "rev" in e] == [2, 3, 4, 5, 6, 7, 8]
    number, newest = store.head()
    assert (number, newest) == (8, rows_of(store.path)[-1].link.hex())
    assert (
        store.faults((number, newest)) == store.faults((4, rows_of(store.path)[3].link.hex())) == []
    )
    assert store.faults((4, newest))[0].number == 4


def test_stored_again_nothing_is_added(store: Store) -> None:
    made, id = raised()
    reply, alerts = ask(made, id, "ack", 1, key="k")
    late, _ = ask(made, id, "ack", 2, key="x", role="viewer")
    for _ in range(2):
        store.record(alerts, replies=[reply, late])
    assert [e["event"] for e in store.history()] == ["ack", "ack"]
    assert store.reply("k") == reply.plain()
    assert store.reply("x")["refused"]["status"] == 403
    assert store.reply("none") is None


@pytest.mark.parametrize("number", range(1, 9))
def test_one_row_that_is_changed_is_named(store: Store, number: int) -> None:
    told(store)
    row = json.loads(rows_of(store.path)[number - 1].row)
    row["who"] = "somebody else"
    found = tampered(
        store, ("UPDATE history SET row = ? WHERE number = ?", (canonical(row), number))
    )
    assert [n for n, _ in found if n] == [number]
    assert "changed" in found[0][1]


@pytest.mark.parametrize("number", range(1, 9))
def test_one_row_that_is_taken_out_is_named(store: Store, number: int) -> None:
    told(store)
    found = tampered(store, ("DELETE FROM history WHERE number = ?", (number,)))
    if number < 8:
        assert found[0] == (number, f"row {number} is missing")
    else:
        assert (7, f"is the last one; row 8 was, with link {store.head()[1][:16]}") in found


@pytest.mark.parametrize("number", range(1, 10))
def test_one_row_that_is_put_in_is_named(store: Store, number: int) -> None:
    id, _ = told(store)
    rows = rows_of(store.path)
    entry = canonical({"id": id, "t_ns": 0, "event": "note", "refused": {}, "command": "never"})
    before = rows[number - 2].link if number > 1 else FIRST
    shift = [("UPDATE history SET number = number + 100 WHERE number >= ?", (number,)),
             ("UPDATE history SET number = number - 99 WHERE number > 100", ())]  # fmt: skip
    put = ("INSERT INTO history VALUES(?, 'command/never', ?, 0, ?, ?)",
           (number, id, entry, link(before, number, entry)))  # fmt: skip
    found = tampered(store, *shift, put)
    assert found
    assert found[0][0] in (number, number + 1)


def test_a_record_that_is_changed_taken_out_or_put_in_is_named(store: Store) -> None:
    id, _ = told(store)
    found = tampered(store, ("UPDATE alerts SET body = ? WHERE rev = 3", (b"{}",)))
    assert found == [(2, f"its record {id}.3 was changed")]
    found = tampered(store, ("DELETE FROM alerts WHERE rev = 3", ()))
    assert found == [(2, f"its record {id}.3 is missing")]
    found = tampered(store, ("INSERT INTO alerts SELECT 'new', rev, type, severity, condition, "
                             "event_ns, body, hash FROM alerts WHERE rev = 4", ()))  # fmt: skip
    assert (0, "record new.4 has no row: taken out, or the record put in") in found


def test_who_writes_the_chain_anew_is_found_by_the_head_that_was_noted() -> None:
    rows, before = [], FIRST
    for n in (1, 2, 3):
        entry = canonical({"id": "a", "command": f"{n}", "refused": {}})
        rows.append(Row(n, f"command/{n}", entry, before := link(before, n, entry)))
    assert list(faults(rows, {}, (3, before.hex()))) == []
    forged, before = [], FIRST
    for row in rows:
        entry = row.row.replace(b'"a"', b'"b"')
        forged.append(row._replace(row=entry, link=(before := link(before, row.number, entry))))
    assert list(faults(forged, {}, None)) == []
    (fault,) = faults(forged, {}, (3, rows[-1].link.hex()))
    assert fault.number == 3


def test_a_store_of_the_format_before_gets_the_history_its_revisions_tell_of(
    tmp_path: Path,
) -> None:
    path = tmp_path / "old.sqlite"
    made, _ = raised(3, until=5)
    alerts = [a for t in range(12) for a in made.judge(picture(t))]
    store = Store.open(path, ["one"])
    first = next(iter(made.desk.held.values()))
    raising = made.desk.held[first.id]
    assert raising is first
    store.record(alerts)
    store.close()
    db = sqlite3.connect(path)
    db.executescript("DROP TABLE history; DROP TABLE commands; DROP TABLE replies; "
                     "PRAGMA user_version = 1")  # fmt: skip
    db.close()
    store = Store.open(path, ["one"])
    assert [e["event"] for e in store.history()][:2] == ["raise", "update"]
    assert store.faults() == []
    assert {c.state for c in cases(store.history()).values()} == {"open"}
    store.close()
    store = Store.open(path, ["one"])
    assert len(store.history()) == len(alerts)
    store.close()


def test_a_store_of_a_later_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "new.sqlite"
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA user_version = {FORMAT + 1}")
    db.close()
    with pytest.raises(Exception, match=f"store of format {FORMAT + 1}"):
        Store.open(path, [])


def test_one_process_at_a_time_owns_a_store(store: Store) -> None:
    other = Store.existing(store.path)
    assert store.own()
    assert store.own()
    assert not other.own()
    store.close()
    assert other.own()
    other.close()


def test_the_mailbox_holds_a_command_once_and_where_it_was_taken_first(store: Store) -> None:
    store.put_command("a", b"1", 5)
    store.put_command("a", b"2", 6)
    store.put_command("b", b"3", 7)
    a, b = store.orders()
    assert (a.payload, a.recv_ns, a.at, b.key) == (b"1", 5, None, "b")
    store.record([], taken=[(a.number, Reached(7, 350, 1))])
    store.record([], taken=[(a.number, Reached(9, 450, 1))])
    assert [o.key for o in store.orders()] == ["b"]
    (done,) = store.orders(waiting=False)
    assert done.at == Reached(7, 350, 1)
    assert store.orders(a.number, waiting=False) == []
    store.record([], reached=Reached(7, 350, 1))
    store.record([], reached=Reached(6, 300, 1))
    assert store.reached() == Reached(7, 350, 1)


# The fold


WORLD = st.fixed_dictionaries({
    name: st.sampled_from([0, 0, 1, 2, 3, 4]) for name in ("dark", "reg", "silent", "biased")
})  # fmt: skip
GIVEN: dict[str, st.SearchStrategy[Any]] = {
    "unit": st.sampled_from(["u1", "u2"]),
    "code": st.sampled_from(CODES),
    "text": st.just("seen"),
    "reason": st.just("why"),
    "for_s": st.sampled_from([0, 5, 600, 1e5]),
    "override": st.booleans(),
}


class Rebuilt(RuleBasedStateMachine):
    """Whatever the world does and people ask for, the history alone gives what the engine has."""

    @initialize()
    def begin(self) -> None:
        self.severity = dict.fromkeys(("dark", "reg", "silent", "biased"), 0)
        self.t = 0.0
        self.entries: list[dict[str, Any]] = []
        self.newest: dict[str, Alert] = {}
        self.n = 0

        def say(name: str, subject: Any, zone: str = "") -> Any:
            return lambda p: (
                [Finding(subject, self.severity[name], zone=zone)] if self.severity[name] else []
            )

        quick: Any = {"hold_s": 0.0, "quiet_s": 2.0, "auto": True}
        self.made = engine(
            Scripted(say("dark", ("track", 7)), "uas_dark", **quick),
            Scripted(say("reg", ("track", 7)), "uas_unregistered", **quick),
            Scripted(say("silent", ("device", "radar-1")), **quick),
            Scripted(say("biased", ("device", "radar-1")), "device_biased", **quick),
            texts=("device_biased",),
        )

    def take(self, alerts: list[Alert]) -> None:
        for alert in alerts:
            assert alert.rev == self.newest[alert.id].rev + 1 if alert.id in self.newest else 1
            self.newest[alert.id] = alert
            self.entries.append(json.loads(canonical(alert.entry)))
            assert not list(violations(alert.body))

    @rule(world=WORLD, seconds=st.sampled_from([1, 1, 3, 40, 700]))
    def go_on(self, world: dict[str, int], seconds: int) -> None:
        self.severity = world
        for _ in range(min(seconds, 3)):
            self.t += seconds / min(seconds, 3)
            self.take(self.made.judge(picture(self.t)))

    @rule(
        event=st.sampled_from(COMMANDS),
        role=st.sampled_from([*ROLES[:4], "operator", "supervisor"]),
        which=st.integers(0, 9),
        parent=st.integers(0, 9),
        given=st.fixed_dictionaries({}, optional=GIVEN),
    )
    def ask(self, event: str, role: str, which: int, parent: int, given: dict[str, Any]) -> None:
        ids = sorted(self.made.desk.held) or ["f" * 32]
        self.n += 1
        plain = {"id": ids[which % len(ids)], "event": event, "role": role, "who": "x",
                 "key": f"k{self.n}", "parent": ids[parent % len(ids)], **given}  # fmt: skip
        command = Command.parse(json.dumps(plain).encode())
        before = {id: life.case for id, life in self.made.desk.held.items()}
        reply, alerts = self.made.obey(command, ns(self.t))
        self.take(alerts)
        if reply.refused is not None:
            assert alerts == []
            assert {id: life.case for id, life in self.made.desk.held.items()} == before

    @invariant()
    def the_fold_is_the_state(self) -> None:
        folded = cases(self.entries)
        held = {id: life.case for id, life in self.made.desk.held.items()}
        assert {id: folded[id] for id in held} == held
        assert all(folded[id].state == "closed" for id in set(folded) - set(held))
        for id, case in folded.items():
            told = people(case)
            assert {name: self.newest[id].body.get(name) for name in told} == told
            if case.state == "merged":
                assert folded[case.parent].state not in ("merged", "closed")
            assert (case.state == "suppressed") == bool(case.by)

    @invariant()
    def every_step_was_legal(self) -> None:
        last: dict[str, Any] = {}
        for entry in self.entries:
            assert entry["from"] == last.get(entry["id"], {"to": ""})["to"]
            last[entry["id"]] = entry


TestRebuilt = Rebuilt.TestCase
TestRebuilt.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)


def test_a_transition_is_read_back_as_it_was_done() -> None:
    made, id = raised()
    (alert,) = ask(made, id, "assign", 1, unit="u", eta_s=3)[1]
    step = transition_of(json.loads(canonical(alert.entry)))
    assert step == Transition("assign", ns(1), "li.wei", "operator",
                              {"unit": "u", "eta_s": 3, "id": id})  # fmt: skip
    assert refused(made.desk.held[id].case, step) is not None
