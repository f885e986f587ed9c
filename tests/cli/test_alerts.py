"""``v2x alerts`` on a store: what it shows, what it does, and its exit codes."""

import json
import threading
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.alerts.pictures import engine, ns, picture, run
from tests.alerts.test_engine import Scripted
from v2x.alert import Finding
from v2x.alerts.ledger import Reached
from v2x.alerts.offline import answer
from v2x.alerts.store import Store
from v2x.cli import app
from v2x.errors import StoreError


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store at rest with three alerts, the first of them cleared."""
    path = tmp_path / "v2x.sqlite"
    made = engine(Scripted(
        lambda p: [Finding(("device", name), severity) for name, severity, until in
                   (("a", 3, 5), ("b", 2, 99), ("c", 1, 99)) if p.t_ns <= ns(until)],
        hold_s=0.0,
    ))  # fmt: skip
    alerts = run(made, [picture(t) for t in range(20)])
    kept = Store.open(path, ["one"])
    kept.record(alerts, reached=Reached(400, ns(20), 0))
    kept.close()
    return path


def v2x(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["alerts", *map(str, arguments)], catch_exceptions=True)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout


def told(*arguments: object) -> object:
    code, out = v2x(*arguments, "--json")
    assert code == 0, out
    return json.loads(out)


def ids(store: Path) -> dict[str, str]:
    return {a["subject"]["device"]: a["id"] for a in told("list", "--store", store, "--all")}


def test_alerts_are_listed_the_most_urgent_first_and_chosen(store: Path) -> None:
    def devices(*options: object) -> list[str]:
        return [a["subject"]["device"] for a in told("list", "--store", store, *options)]

    assert devices() == ["c", "b", "a"]
    assert devices("--severity", "1,2") == ["c", "b"]
    assert devices("--type", "sos") == []
    assert devices("--state", "acked") == []
    assert v2x("list", "--store", store, "--state", "asleep")[0] == 2
    assert v2x("list", "--store", store, "--severity", "9")[0] == 2
    assert "Device c is silent" in v2x("list", "--store", store)[1]


def test_the_life_of_an_alert_by_commands(store: Path) -> None:
    a, at = ids(store)["a"], ("--store", store, "--who", "li.wei")
    tag = next(b["tag"] for b in told("list", "--store", store) if b["id"] == a)
    assert told("ack", a, *at, "--if-match", tag) == {
        "key": "x", "id": a, "event": "ack", "ok": True, "changed": True, "state": "acked",
        "rev": 3, "tag": "x",
    } | {k: v for k, v in told("show", a, "--store", store).items() if k == "tag"} | {
        "key": told("show", a, "--store", store)["history"][-1]["command"]
    }  # fmt: skip
    assert told("assign", a, *at, "--unit", "patrol-1", "--eta-s", 90)["state"] == "assigned"
    assert told("assign", a, *at, "--unit", "patrol-2")["event"] == "reassign"
    assert told("accept", a, *at, "--unit", "patrol-2")["state"] == "responding"
    assert told("resolve", a, *at, "--code", "repaired", "--text", "fuse")["state"] == "resolved"
    assert told("unresolve", a, *at, "--reason", "again")["state"] == "responding"
    assert told("resolve", a, *at, "--role", "field", "--unit", "patrol-2")["state"] == "resolved"
    assert told("close", a, *at, "--code", "repaired")["state"] == "closed"
    assert told("reopen", a, *at, "--reason", "not quite")["state"] == "open"
    assert told("note", a, "hello", *at)["state"] == "open"
    assert told("escalate", a, *at)["state"] == "open"
    shown = told("show", a[:8], "--store", store)
    assert [e["event"] for e in shown["history"]] == [
        "raise", "clear", "ack", "assign", "reassign", "accept", "resolve", "unresolve", "resolve",
        "close", "reopen", "note", "escalate",
    ]  # fmt: skip
    assert {e["who"] for e in shown["history"]} == {"engine", "li.wei"}
    assert "reassign" in v2x("show", a, "--store", store)[1]
    assert told("verify", "--store", store)["ok"]


def test_shelves_dismissals_and_merges(store: Path) -> None:
    which, at = ids(store), ("--store", store)
    why = ("--reason", "works")
    assert told("shelve", which["b"], *at, *why, "--for", "2h")["state"] == "shelved"
    assert told("unshelve", which["b"], *at)["state"] == "open"
    assert told("merge", which["b"], *at, "--into", which["c"][:10])["state"] == "merged"
    assert told("split", which["b"], *at, *why)["state"] == "open"
    assert told("ack", which["b"], *at)["state"] == "acked"
    assert told("unassign", told("assign", which["b"], *at, "--unit", "u")["id"], *at)["ok"]
    assert told("dismiss", which["b"], *at, "--code", "drill")["state"] == "closed"
    assert v2x("shelve", which["c"], *at, *why, "--for", "2h")[0] == 1
    assert told("shelve", which["c"], *at, *why, "--for", "2h", "--role", "supervisor")["ok"]
    assert v2x("shelve", which["c"], *at, *why, "--for", "long")[0] == 2
    assert v2x("shelve", which["c"], *at, "--for", "2h")[0] == 2


def test_what_is_refused_says_why_and_is_a_row_of_the_audit(store: Path) -> None:
    b = ids(store)["b"]
    code, out = v2x("close", b, "--store", store, "--code", "repaired", "--json")
    assert code == 1
    assert json.loads(out)["refused"]["from"] == "open"
    code, out = v2x("close", b, "--store", store, "--code", "repaired")
    assert (code, "refused in state open: illegal; possible: ack, assign" in out) == (1, True)
    assert v2x("ack", "f" * 32, "--store", store)[0] == 1
    assert v2x("ack", b, "--store", store, "--role", "viewer")[0] == 1
    assert v2x("ack", b, "--store", store, "--if-match", "00")[0] == 1
    history = told("show", b, "--store", store)["history"]
    assert [e["refused"]["status"] for e in history if "refused" in e] == [409, 409, 403, 412]


def test_a_key_is_done_once(store: Path) -> None:
    b = ids(store)["b"]
    first = told("note", b, "one", "--store", store, "--key", "k")
    assert told("note", b, "one", "--store", store, "--key", "k") == first
    assert [e["event"] for e in told("show", b, "--store", store)["history"]].count("note") == 1


@pytest.mark.parametrize(
    "arguments",
    [("ack",), ("ack", "zz"), ("ack", "f" * 32, "--role", "engine"), ("assign", "f" * 32),
     ("dismiss", "f" * 32), ("report", "--since", "yesterday"), ("report", "--since", ""),
     ("verify", "--head", "x"), ("report", "--until", "x"), ("nonsense",)],
)  # fmt: skip
def test_what_is_no_use_is_a_usage_error(store: Path, arguments: tuple[str, ...]) -> None:
    assert v2x(*arguments, "--store", store)[0] == 2


def test_where_no_store_is_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no store here"):
        v2x("list", "--store", tmp_path / "none.sqlite")
    assert not (tmp_path / "none.sqlite").exists()


def test_a_pipeline_that_runs_answers_and_one_that_hangs_is_named(store: Path) -> None:
    b = ids(store)["b"]
    owner = Store.existing(store)
    assert owner.own()
    with pytest.raises(StoreError, match=r"has not answered within 0.2 s.*--key later"):
        v2x("ack", b, "--store", store, "--wait", "0.2", "--key", "later")
    answered: list[object] = []

    def ask() -> None:
        answered.append(told("note", b, "x", "--store", store, "--wait", "30"))

    asking = threading.Thread(target=ask)
    asking.start()
    while len(owner.orders()) < 2:
        time.sleep(0.01)
    answer(owner)
    asking.join()
    owner.close()
    assert answered[0]["state"] == "acked"  # type: ignore[index]


def test_verify_names_the_row_and_exits_with_1(store: Path) -> None:
    import sqlite3

    code, out = v2x("verify", "--store", store)
    assert (code, out.startswith("sound; 4 rows, head 4:")) == (0, True)
    head = out.split("head ")[1].strip()
    assert v2x("verify", "--store", store, "--head", head)[0] == 0
    db = sqlite3.connect(store)
    db.execute("UPDATE history SET row = replace(row, 'engine', 'nobody') WHERE number = 2")
    db.commit()
    db.close()
    code, out = v2x("verify", "--store", store, "--json")
    assert code == 1
    assert [fault["row"] for fault in json.loads(out)["faults"]] == [2]
    assert "row 2: does not follow" in v2x("verify", "--store", store)[1]


def test_the_report_of_a_store(store: Path) -> None:
    made = told("report", "--store", store, "--since", "1d")
    assert made["alerts_total"] == 3
    assert made["share"] == {"1": 0.3333, "2": 0.3333, "3": 0.3333, "4": 0.0}
    assert made["delivery"]["one"]["waiting"] == 4
    names = {"alerts_total", "per_day", "per_hour", "per_10min", "flood_fraction", "flood_windows",
             "chattering", "standing_24h", "shelved_now", "suppressed_now", "share", "top10",
             "by_rule", "ack_s", "assign_s", "arrive_s", "resolve_s", "precision",
             "false_sev1_per_7d", "delivery", "targets"}  # fmt: skip
    assert names <= set(made)
    code, out = v2x("report", "--store", store)
    assert (code, "3 alerts" in out) == (0, True)
