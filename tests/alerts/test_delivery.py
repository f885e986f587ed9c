import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from v2x.alert import Alert, Delivery
from v2x.alerts.delivery import Worker, backoff_s
from v2x.alerts.store import Store
from v2x.errors import GiveUp, RetryLater
from v2x.frames import Frame

from .test_store import alert, letter


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Listening:
    """A sink that takes what `fate` lets pass."""

    name = "one"

    def __init__(self, fate: Callable[[str], None] = lambda key: None) -> None:
        self.fate = fate
        self.got: list[str] = []
        self.tried: list[str] = []
        self.closed = 0

    def send(self, alert: Alert) -> Delivery:
        key = f"{alert.id}.{alert.rev}"
        self.tried.append(key)
        self.fate(key)
        self.got.append(key)
        return Delivery(self.name)

    def close(self) -> None:
        self.closed += 1


class Postbox(Listening):
    def send_dead_letter(self, frame: Frame, reason: str) -> Delivery:
        self.got.append(f"{frame.place[0]}@{frame.seq}:{reason}")
        return Delivery(self.name)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store.open(tmp_path / "s.sqlite", ["one"], letters_to="one")
    yield made
    made.close()


def refuse(*keys: str, how: type[Exception] = RetryLater) -> Callable[[str], None]:
    def fate(key: str) -> None:
        if not keys or key in keys:
            raise how(f"not {key}")

    return fate


def until(true: Callable[[], bool], limit_s: float = 10.0) -> None:
    end = time.monotonic() + limit_s
    while not true():
        assert time.monotonic() < end
        time.sleep(0.002)


def outbox(store: Store) -> tuple[int, int, int]:
    told = store.stats()["outbox"]["one"]
    return told["sent"], told["waiting"], told["gave_up"]


# One look at a time, with a clock of the test


def test_revisions_go_out_in_order_and_a_failure_holds_back_its_own_alert_only(
    store: Store,
) -> None:
    sink, clock = Listening(refuse("a.1")), Clock()
    worker = Worker(store, sink, clock)
    store.record([alert("a", 1), alert("b", 1), alert("a", 2), alert("b", 2)])
    assert worker.deliver() == 3
    assert sink.got == ["b.1", "b.2"]
    assert worker.deliver() == 0  # put off: nothing is due
    sink.fate = lambda key: None
    clock.now += backoff_s("a.1", 0) + 0.001
    worker.deliver()
    assert sink.got == ["b.1", "b.2", "a.1", "a.2"]
    assert outbox(store) == (4, 0, 0)


def test_waiting_doubles_from_a_second_to_five_minutes() -> None:
    for attempts in range(40):
        whole = min(2.0**attempts, 300.0)
        assert max(1.0, whole / 2) <= backoff_s("a.1", attempts) <= whole
    assert backoff_s("a.1", 6) == backoff_s("a.1", 6)
    assert len({backoff_s(f"a{i}.1", 6) for i in range(20)}) > 15


def test_what_is_refused_for_good_is_given_up_at_once_and_the_next_goes_on(store: Store) -> None:
    sink = Listening(refuse("a.1", how=GiveUp))
    worker = Worker(store, sink, Clock())
    store.record([alert("a", 1), alert("a", 2)])
    worker.deliver()
    assert sink.got == ["a.2"]
    assert outbox(store) == (1, 0, 1)
    assert worker.last_error == "not a.1"


def test_an_away_destination_is_asked_with_one_alert_and_then_gets_everything(
    store: Store,
) -> None:
    sink, clock = Listening(refuse()), Clock()
    worker = Worker(store, sink, clock)
    store.record([alert(f"a{i}") for i in range(20)])
    worker.deliver()
    assert sink.tried == ["a0.1", "a1.1", "a2.1"]
    for _ in range(17):
        assert worker.deliver() == 1
    assert sorted(sink.tried) == sorted(f"a{i}.1" for i in range(20))
    assert worker.failures == 20
    sink.fate = lambda key: None
    worker.deliver()
    assert worker.failures == 0
    worker.deliver()
    assert outbox(store) == (20, 0, 0)


def test_alerts_that_a_destination_cannot_take_do_not_pass_for_an_outage(store: Store) -> None:
    bad = [f"bad{i}.1" for i in range(5)]
    sink, clock = Listening(refuse(*bad)), Clock()
    worker = Worker(store, sink, clock)
    store.record([alert(f"bad{i}") for i in range(5)])
    for _ in range(20):
        worker.deliver()
    store.record([alert("good")])
    worker.deliver()
    assert sink.got == ["good.1"]


def test_dead_letters_go_to_a_sink_that_takes_them_and_are_given_up_by_others(
    store: Store,
) -> None:
    store.record([alert("a")], [letter(7)])
    sink = Postbox()
    Worker(store, sink, Clock()).deliver()
    assert sink.got == ["a.1", "frames@7:short"]
    store.record([], [letter(8)])
    Worker(store, Listening(), Clock()).deliver()
    assert outbox(store) == (2, 0, 1)


# The thread


def test_the_thread_delivers_what_comes_and_drains(store: Store) -> None:
    sink = Listening()
    worker = Worker(store, sink)
    worker.start()
    for i in range(20):
        store.record([alert("a", i + 1)])
        worker.wake()
    assert worker.drain(10.0)
    assert sink.got == [f"a.{i + 1}" for i in range(20)]
    assert worker.stop()
    assert sink.closed == 1
    worker.check()


def test_a_drain_tries_what_was_put_off(store: Store) -> None:
    failed = threading.Event()

    def once(key: str) -> None:
        if not failed.is_set():
            failed.set()
            raise RetryLater("busy")

    store.record([alert("a")])
    store.retry("one", "a.1", at=1e12)
    sink = Listening(once)
    failed.set()
    worker = Worker(store, sink)
    worker.start()
    assert worker.drain(10.0)
    assert sink.got == ["a.1"]
    assert worker.stop()


def test_a_drain_that_cannot_ends_in_time_and_says_so(store: Store) -> None:
    store.record([alert("a")])
    worker = Worker(store, Listening(refuse()))
    worker.start()
    began = time.monotonic()
    assert not worker.drain(0.3)
    assert time.monotonic() - began < 5.0
    assert worker.stop()
    assert outbox(store) == (0, 1, 0)


def test_a_sink_that_never_answers_holds_neither_the_loop_nor_another_sink(
    tmp_path: Path,
) -> None:
    with_two = Store.open(tmp_path / "two.sqlite", ["one", "other"])
    release = threading.Event()
    hung = Listening(lambda key: release.wait(30.0) and None)
    other = Listening()
    other.name = "other"
    workers = [Worker(with_two, hung), Worker(with_two, other)]
    for worker in workers:
        worker.start()
    with_two.record([alert("a")])
    for worker in workers:
        worker.wake()
    until(lambda: hung.tried == ["a.1"] and other.got == ["a.1"])
    with_two.record([alert("b")])
    workers[1].wake()
    assert workers[1].drain(10.0)
    assert not workers[0].stop(0.05)
    release.set()
    assert workers[0].stop()
    assert workers[1].stop()
    with_two.close()


def test_a_sink_that_breaks_is_our_bug_and_rises_in_the_loop(store: Store) -> None:
    sink = Listening(refuse(how=ZeroDivisionError))
    worker = Worker(store, sink)
    store.record([alert("a")])
    worker.start()
    until(lambda: sink.closed == 1)
    with pytest.raises(ZeroDivisionError, match=r"not a\.1"):
        worker.check()
    assert not worker.drain(5.0)
    assert worker.stop()
    assert outbox(store) == (0, 1, 0)


def test_stopped_before_it_began_it_closes_its_sink(store: Store) -> None:
    sink = Listening()
    assert Worker(store, sink).stop()
    assert sink.closed == 1


def test_ten_minutes_of_outage_in_the_middle_lose_nothing_and_keep_the_order(
    store: Store,
) -> None:
    sink, clock = Listening(), Clock()
    worker = Worker(store, sink, clock)
    for second in range(60):
        sink.fate = refuse() if 10 <= second < 50 else lambda key: None
        store.record([alert(f"a{second % 5}", 1 + second // 5, event_ns=second)])
        worker.deliver()
        clock.now += 10.0
    for _ in range(3):
        worker.deliver()
    assert outbox(store) == (60, 0, 0)
    for i in range(5):
        assert [k for k in sink.got if k.startswith(f"a{i}.")] == [
            f"a{i}.{rev + 1}" for rev in range(12)
        ]
