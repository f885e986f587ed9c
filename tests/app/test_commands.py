"""Commands of people through the pipeline and the loop: input like any other, to the byte."""

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.app.test_pipeline import S, T, look, settings
from tests.app.test_restart import Killed, Wire, site, wire_frames
from v2x.alert import Alert
from v2x.alerts.cases import people
from v2x.alerts.commands import FORMAT, SENSOR
from v2x.alerts.history import cases
from v2x.alerts.ledger import Order
from v2x.alerts.offline import answer
from v2x.alerts.store import Store
from v2x.app import Pipeline, running
from v2x.app.checkpoint import packed, unpacked
from v2x.errors import StoreError
from v2x.frames import Frame, Poll, Tick
from v2x.ingest.drive import DriveSink, DriveSource


def silence() -> list[Frame]:
    """A radar that is silent from 5 s to 20 s and again from 30 s on, and another that goes on."""
    return [look(t, seq) for seq, t in enumerate([*range(5), *range(20, 30), 60])]


def alert_of(tmp_path: Path) -> str:
    pipeline = Pipeline(settings(tmp_path))
    pipeline.feed(Poll(silence(), [Tick(T + 15 * S)]))
    pipeline.finish()
    (id,) = {a.id for a in pipeline.alerts}
    return id


def command(at_s: float, id: str, event: str, seq: int = 0, **given: Any) -> Frame:
    plain = {"id": id, "event": event, "who": "li.wei", "role": "operator", "key": f"k{at_s}"}
    payload = json.dumps(plain | given).encode()
    return Frame(T + round(at_s * S), SENSOR, FORMAT, payload, ("c", 0), seq)


def drive(id: str) -> list[Frame | Tick]:
    """The silence, its ticks, and what people did about it, in order of arrival."""
    items: list[Frame | Tick] = [*silence()]
    items += [Tick(T + t * S) for t in range(6, 60) if not 20 <= t < 30]
    items += [
        command(12.0, id, "ack", 0),
        command(12.5, id, "close", 1, code="repaired"),
        command(13.0, id, "ack", 2, key="k12.0"),
        command(14.0, id, "assign", 3, unit="patrol-1"),
        Frame(T + 14 * S, SENSOR, FORMAT, b"{}", ("c", 0), 4),
        command(26.0, id, "resolve", 5, code="repaired"),
        command(27.0, id, "close", 6),
        command(28.0, "f" * 32, "ack", 7),
    ]
    return sorted(items, key=lambda i: (i.recv_ns, isinstance(i, Frame), getattr(i, "seq", 0)))


def polls(items: Sequence[Frame | Tick], sizes: Sequence[int]) -> Iterator[Poll]:
    at = 0
    for n in sizes:
        part = items[at : at + n]
        yield Poll([i for i in part if isinstance(i, Frame)],
                   [i for i in part if isinstance(i, Tick)])  # fmt: skip
        at += n


def played(tmp_path: Path, sizes: Sequence[int]) -> tuple[Pipeline, list[Any]]:
    pipeline, replies = Pipeline(settings(tmp_path)), []
    for poll in polls(drive(alert_of(tmp_path)), sizes):
        pipeline.feed(poll)
        replies += pipeline.replies
    pipeline.finish()
    return pipeline, replies


def story(alerts: Sequence[Alert]) -> list[tuple[float, str, str]]:
    return [((a.event_ns - T) / S, a.entry["event"], a.body["state"]) for a in alerts]


def test_a_drive_with_commands_gives_the_states_wherever_polls_are_cut(tmp_path: Path) -> None:
    whole, replies = played(tmp_path, [1000])
    # rows are waited for 200 ms: at 12 s all slices up to 11.8 s are judged; in the traffic of
    # 26 s the newest frame before it closed those up to 24.85 s
    assert story(whole.alerts) == [
        (7.1, "raise", "open"), (11.8, "ack", "acked"), (13.8, "assign", "assigned"),
        (22.85, "clear", "assigned"), (24.85, "resolve", "resolved"), (25.85, "close", "closed"),
        (32.1, "reopen", "open"),
    ]  # fmt: skip
    assert [(r.event, r.refused.status if r.refused else 0, r.repeated) for r in replies] == [
        ("ack", 0, False), ("close", 409, False), ("ack", 0, True), ("assign", 0, False),
        ("resolve", 0, False), ("close", 0, False), ("ack", 404, False),
    ]  # fmt: skip
    assert dict(whole.counts.frames[SENSOR]) == {
        "in": 8, "processed": 6, "duplicate": 1, "dead_letter": 1
    }  # fmt: skip
    rng = np.random.default_rng(5)
    for sizes in ([1] * 200, rng.integers(1, 7, 200).tolist()):
        again, told = played(tmp_path, sizes)
        assert again.digests() == whole.digests()
        assert [r.plain() for r in told] == [r.plain() for r in replies]


def test_a_command_that_is_none_is_a_dead_letter_with_its_reason(tmp_path: Path) -> None:
    pipeline = Pipeline(settings(tmp_path))
    pipeline.feed(Poll([look(0), Frame(T + S, SENSOR, FORMAT, b"{}", ("c", 0), 7)]))
    assert [(d.reason, d.frame.seq) for d in pipeline.dead] == [("bad_command", 7)]
    assert pipeline.replies == []


def test_a_command_from_where_none_may_come_is_never_obeyed(tmp_path: Path) -> None:
    id = alert_of(tmp_path)
    for topics, obeyed in ((None, 1), (frozenset({"c"}), 1), (frozenset({"x"}), 0), ((), 0)):
        pipeline = Pipeline(settings(tmp_path), command_topics=topics)
        pipeline.feed(Poll(silence()[:5], [Tick(T + 10 * S)]))
        pipeline.feed(Poll([command(12, id, "ack")]))
        assert len(pipeline.replies) == obeyed
        assert len(pipeline.dead) == 1 - obeyed


def test_in_the_topic_of_commands_whatever_calls_itself_otherwise_is_one(tmp_path: Path) -> None:
    pipeline = Pipeline(settings(tmp_path), command_topics={"c"})
    frame = replace(look(3), place=("c", 0))
    pipeline.feed(Poll([look(0), frame]))
    assert [d.reason for d in pipeline.dead] == ["bad_command"]


def test_commands_come_back_out_of_a_recording(tmp_path: Path) -> None:
    id = alert_of(tmp_path)
    path = tmp_path / "with.mcap"
    with DriveSink(path) as sink:
        for item in drive(id):
            sink.write(item)
    pipeline = Pipeline(settings(tmp_path), replay=True)
    for poll in DriveSource(path, 3):
        pipeline.feed(poll)
    pipeline.finish()
    assert pipeline.digests() == played(tmp_path, [1000])[0].digests()


def test_a_pipeline_restored_between_any_two_polls_answers_as_it_would_have(tmp_path: Path) -> None:
    whole, replies = played(tmp_path, [2] * 100)
    config, told, alerts = settings(tmp_path), [], []
    pipeline = Pipeline(config)
    for poll in polls(drive(alert_of(tmp_path)), [2] * 100):
        alerts += pipeline.feed(poll)
        told += pipeline.replies
        state = unpacked(packed(pipeline.state()))
        pipeline = Pipeline(config)
        pipeline.restore(state)
    alerts += pipeline.finish()
    assert [a.canonical() for a in alerts] == [a.canonical() for a in whole.alerts]
    assert [r.plain() for r in told] == [r.plain() for r in replies]


def order(number: int, id: str, event: str, **given: Any) -> Order:
    frame = command(float(number), id, event, **given)
    return Order(number, f"k{float(number)}", frame.payload, frame.recv_ns)


def test_what_came_by_the_mailbox_is_obeyed_again_where_it_was_taken(tmp_path: Path) -> None:
    id = alert_of(tmp_path)
    items = drive(id)
    first, alerts, taken = Pipeline(settings(tmp_path)), [], []
    for n, poll in enumerate(polls(items, [3] * 40)):
        alerts += first.feed(poll)
        if n == 6:
            alerts += first.order([order(1, id, "note", text="a"), order(2, id, "nonsense")])
            taken += first.taken
            assert [r.plain()["ok"] for r in first.replies] == [True, False]
    alerts += first.finish()
    assert [n for n, _ in taken] == [1, 2]
    again = Pipeline(settings(tmp_path))
    places = dict(taken)
    made = again.expect([order(1, id, "note", text="a")._replace(at=places[1]),
                         order(2, id, "nonsense")._replace(at=places[2])])  # fmt: skip
    assert (made, again.expects) == ([], True)
    for poll in polls(items, [7] * 40):
        made += again.feed(poll)
    made += again.finish()
    assert not again.expects
    assert [a.canonical() for a in made] == [a.canonical() for a in alerts]
    assert again.newest_order == 2


# The loop


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> type[Wire]:
    class Mine(Wire):
        frames = wire_frames()

    monkeypatch.setattr(running, "KafkaSource", Mine)
    return Mine


def put(path: Path, event: str, key: str, **given: Any) -> None:
    """Put a command about the only alert into the mailbox, as another process would."""
    with contextlib.closing(Store.existing(path)) as store:
        (id,) = store.ids("")
        plain = {"id": id, "event": event, "who": "li.wei", "role": "operator", "key": key} | given
        store.put_command(key, json.dumps(plain).encode(), 1)


def run(config: Any, at: dict[int, tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    """A run into whose mailbox commands are put after the polls of these offsets."""
    made = running.Run(config, until_end=True)
    step = made._step

    def stepping(poll: Poll, alerts: Any) -> None:
        for offset, (event, given) in at.items():
            if poll.positions[Wire.place] == offset:
                put(config.file(config.store), event, f"{event}@{offset}", **given)
        step(poll, alerts)

    made._step = stepping  # type: ignore[method-assign]
    return made.run()


ASKED: dict[int, tuple[str, dict[str, Any]]] = {
    # the radar is silent from offset 60 to 62 and is heard again
    70: ("ack", {}),
    80: ("resolve", {"code": "repaired"}),
    90: ("note", {"text": "new cable"}),
    140: ("close", {}),
}


def stored(path: Path) -> tuple[dict[tuple[str, int], bytes], list[dict[str, Any]], list[Any]]:
    with contextlib.closing(Store.existing(path)) as store:
        assert store.faults() == []
        history = store.history()
        newest = {a.id: a.body for a in store.latest()}
        for id, case in cases(history).items():
            told = people(case)
            assert {name: newest[id].get(name) for name in told} == told
        return {(a.id, a.rev): a.canonical() for a in store.alerts()}, history, [*store.replies()]


def test_the_loop_obeys_its_mailbox_and_repeats_it_after_kills(
    wire: type[Wire], tmp_path: Path
) -> None:
    for name in ("clean", "killed", "anew"):
        (tmp_path / name).mkdir()
    clean = site(tmp_path / "clean")
    assert run(clean, ASKED)["differing"] == []
    wanted = stored(tmp_path / "clean" / "v2x.sqlite")
    events = [e["event"] for e in wanted[1] if e["event"] not in ("update", "raise", "clear")]
    assert events[:2] == ["self_clear", "ack"] or events[0] == "ack"
    for name, checkpoint_s in (("killed", 5.0), ("anew", 0.0)):
        config = site(tmp_path / name, checkpoint_s=checkpoint_s)
        for dies_at in (84, 120):
            wire.dies_at = dies_at
            with pytest.raises(Killed):
                run(config, ASKED)
        wire.dies_at = Wire.dies_at
        told = run(config, ASKED)
        assert told["differing"] == []
        alerts, history, replies = stored(tmp_path / name / "v2x.sqlite")
        assert replies == wanted[2]
        assert alerts == wanted[0]
        assert sorted(e["event"] for e in history) == sorted(e["event"] for e in wanted[1])


def test_what_was_done_on_a_store_at_rest_is_done_again_by_the_run_that_goes_on(
    wire: type[Wire], tmp_path: Path
) -> None:
    config, path = site(tmp_path), tmp_path / "v2x.sqlite"
    wire.dies_at = 80
    with pytest.raises(Killed):
        run(config, {})
    wire.dies_at = Wire.dies_at
    put(path, "note", "a", text="nobody runs")
    with contextlib.closing(Store.existing(path)) as store:
        assert store.own()
        answer(store)
        assert store.reply("a")["ok"]
        assert store.orders() == []
        assert store.waiting("jsonl") > 0
    before = stored(path)[0]
    told = run(config, {100: ("note", {"text": "somebody does"})})
    assert told["differing"] == []
    alerts, history, replies = stored(path)
    assert {key: alerts[key] for key in before} == before
    assert [e["given"]["text"] for e in history if e["event"] == "note"] == [
        "nobody runs", "somebody does",
    ]  # fmt: skip
    assert [reply["ok"] for reply in replies] == [True, True]


def test_a_second_pipeline_on_one_store_is_refused(wire: type[Wire], tmp_path: Path) -> None:
    config = site(tmp_path)
    first = running.Run(config, until_end=True)
    first.store.record([])
    with pytest.raises(StoreError, match="one pipeline per store"):
        running.Run(config, until_end=True)
    first.run()
    running.Run(config, until_end=True).run()


def test_the_topic_of_commands_is_read_beside_those_of_frames_and_alone_is_believed(
    wire: type[Wire], tmp_path: Path
) -> None:
    frames = [*wire.frames[:70]]
    silent, at = None, 62
    made = Pipeline(settings(tmp_path))
    for frame in frames:
        for alert in made.feed(Poll([frame])):
            silent = silent or alert.id
    assert silent is not None
    for n, topic in enumerate(("t", "v2x.commands.v1")):
        ack = replace(command(0, silent, "ack", at + n, key=topic), place=(topic, 0))
        frames.insert(at + n, replace(ack, recv_ns=frames[at].recv_ns))
    wire.frames = frames
    kafka = {"topics": [{"topic": "t"}], "commands_topic": "v2x.commands.v1"}
    run = running.Run(site(tmp_path, kafka=kafka), until_end=True)
    topics = [(t.topic, t.format, t.sensor) for t in run.source.settings.topics]  # type: ignore[attr-defined]
    assert topics == [("t", None, None), ("v2x.commands.v1", FORMAT, SENSOR)]
    told = run.run()
    assert told["rejects"][FORMAT] == {"unknown_sensor": 1}
    with contextlib.closing(Store.existing(tmp_path / "v2x.sqlite")) as store:
        assert [reply["key"] for reply in store.replies()] == ["v2x.commands.v1"]
        assert "ack" in [e["event"] for e in store.history(silent)]
