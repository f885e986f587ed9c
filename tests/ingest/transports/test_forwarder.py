"""In order, and again after every failure, until all is confirmed."""

import time
from queue import SimpleQueue

import numpy as np
import pytest

from v2x.errors import RetryLater, SourceError
from v2x.frames import Frame
from v2x.ingest.drive import DriveSink, DriveSource
from v2x.ingest.transports.forwarder import DriveOutlet, Forwarder
from v2x.ingest.transports.intake import Taken


class Shaky:
    """An outlet that fails now and then, and then loses what it has not confirmed."""

    def __init__(self, seed: int, every: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._calls, self._every = 0, every
        self._held: list[Frame] = []
        self.safe: list[Frame] = []
        self.seen: list[Frame] = []

    def _fail(self) -> None:
        self._calls += 1
        if self._calls % self._every == 0:
            self.safe += self._held[: self._rng.integers(len(self._held) + 1)]  # and we do not know
            raise RetryLater("away")

    def send(self, frame: Frame) -> None:
        self._fail()
        self._held.append(frame)

    def confirmed(self) -> list[bool]:
        self._fail()
        n = int(self._rng.integers(len(self._held) + 1))
        self.safe += self._held[:n]
        del self._held[:n]
        return [frame.payload != b"bad" for frame in self.safe[len(self.safe) - n :]] if n else []

    def reset(self) -> None:
        self._held.clear()

    def close(self) -> None:
        pass

    def discard(self) -> None:
        pass


def run(outlet, n: int, patience_s: float = 60.0):
    queue: SimpleQueue[Taken] = SimpleQueue()
    told: list[tuple[Frame, bool]] = []
    errors: list[Exception] = []
    forwarder = Forwarder(
        queue,
        outlet,
        lambda taken, fates: told.extend(
            (one.frame, good) for one, good in zip(taken, fates, strict=True)
        ),
        errors.append,
    )
    forwarder._backoff._first_s = forwarder._backoff._most_s = 1e-4
    forwarder.start()
    for i in range(n):
        queue.put(Taken(Frame(i, "s", "nmea", b"bad" if i == 7 else b"x"), None))
    return forwarder.drain(patience_s), told, errors, forwarder


def test_an_outlet_that_fails_again_and_again_gets_every_frame_in_order():
    for seed in range(3):
        outlet = Shaky(seed, 151)
        drained, told, errors, forwarder = run(outlet, 400)
        assert drained
        assert not errors
        assert forwarder.retries > 0
        assert [frame.recv_ns for frame, _ in told] == list(range(400))
        assert [frame.recv_ns for frame, good in told if not good] == [7]
        assert {frame.recv_ns for frame in outlet.safe} == set(range(400))
        firsts = list(dict.fromkeys(frame.recv_ns for frame in outlet.safe))
        assert firsts == list(range(400))


def test_what_an_outlet_never_takes_is_told_when_the_patience_ends():
    began = time.monotonic()
    drained, told, errors, _ = run(Shaky(0, 1), 5, patience_s=0.3)
    assert not drained
    assert not told
    assert not errors
    assert time.monotonic() - began >= 0.3


def test_an_error_that_no_retry_helps_is_handed_on():
    class Full(Shaky):
        def send(self, frame: Frame) -> None:
            raise SourceError("disk full")

    drained, _, errors, _ = run(Full(0, 1_000), 5)
    assert not drained
    assert [str(e) for e in errors] == ["disk full"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_fault_of_ours_in_an_outlet_does_not_end_in_silence():
    class Wrong(Shaky):
        def send(self, frame: Frame) -> None:
            raise KeyError("a bug")

    drained, _, errors, _ = run(Wrong(0, 1_000), 5)
    assert not drained
    assert ["fault of ours" in str(e) for e in errors] == [True]


def test_a_drive_that_is_discarded_leaves_the_older_one(tmp_path):
    path = tmp_path / "d.mcap"
    with DriveSink(path) as sink:
        sink.write(Frame(5, "s", "nmea", b"x"))
    before = path.read_bytes()
    DriveOutlet(DriveSink(path)).discard()
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["d.mcap"]


def test_frames_into_a_drive_are_safe_when_written(tmp_path):
    path = tmp_path / "d.mcap"
    outlet = DriveOutlet(DriveSink(path))
    drained, told, _, _ = run(outlet, 50)
    assert drained
    assert [good for _, good in told] == [True] * 50
    outlet.close()
    assert [f.recv_ns for poll in DriveSource(path) for f in poll.frames] == list(range(50))
