"""From the intake to the outlet, in order, and again after every failure until it is confirmed.

One thread of its own: outlets block. Frames are handed over in the order in which they were taken.
When the outlet fails, all that it had not confirmed is handed over again, oldest first: a reader
may see frames twice, with the same arrival, and none is lost.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Protocol

import structlog

from v2x.errors import RetryLater, V2XError
from v2x.frames import Frame
from v2x.ingest.drive import DriveSink
from v2x.ingest.transports.backoff import Backoff
from v2x.ingest.transports.intake import Taken

log = structlog.get_logger()

_BATCH = 100
_IDLE_S, _LOOK_S = 0.05, 0.002
"""How long to wait for a frame when nothing waits for a confirmation, and when something does."""
_STEP_S = 0.02
"""Longest time between two looks at what is confirmed."""


class Outlet(Protocol):
    """Where frames go."""

    def send(self, frame: Frame) -> None:
        """Hand over one frame; `RetryLater` if it must be tried again, any other error is final."""
        ...

    def confirmed(self) -> Sequence[bool]:
        """Fate of the oldest frames since the last call: True safe, False refused for good.

        Raises `RetryLater` if one of those handed over is lost and all must be sent again.
        """
        ...

    def reset(self) -> None:
        """Forget whatever is not confirmed."""
        ...

    def close(self) -> None:
        """Give back what was opened; what was handed over stays."""
        ...

    def discard(self) -> None:
        """Give back what was opened, before anything was handed over."""
        ...


class DriveOutlet:
    """Frames into a drive: safe once written. The file appears when it is closed."""

    def __init__(self, sink: DriveSink) -> None:
        self._sink = sink
        self._written = 0

    @property
    def path(self) -> Path:
        """Where the drive will be."""
        return self._sink.path

    def send(self, frame: Frame) -> None:
        """Append one frame; a full disk is final."""
        self._sink.write(frame)
        self._written += 1

    def confirmed(self) -> Sequence[bool]:
        """All that was written."""
        written, self._written = self._written, 0
        return [True] * written

    def reset(self) -> None:
        """Do nothing: what is written stays."""

    def close(self) -> None:
        """Finish the file."""
        self._sink.close()

    def discard(self) -> None:
        """Drop the file that was begun; an older one stays."""
        self._sink.__exit__(V2XError, None, None)


class Forwarder:
    """The thread between intake and outlet.

    Parameters
    ----------
    confirmed
        Called in this thread with frames that left, and their fates.
    failed
        Called in this thread with an error that no retry helps.
    """

    def __init__(
        self,
        queue: "SimpleQueue[Taken]",
        outlet: Outlet,
        confirmed: Callable[[list[Taken], Sequence[bool]], None],
        failed: Callable[[V2XError], None],
    ) -> None:
        self.retries = 0
        self._queue, self._outlet = queue, outlet
        self._confirmed, self._failed = confirmed, failed
        self._backoff = Backoff(0.1, 10.0)
        self._stop_at: float | None = None
        self._sent: deque[Taken] = deque()
        self._again: deque[Taken] = deque()
        self._thread = threading.Thread(target=self._run, name="v2x-bridge-out", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def drain(self, patience_s: float) -> bool:
        """Bring out all that was taken, at most so long; whether nothing is left."""
        self._stop_at = time.monotonic() + patience_s
        self._thread.join(patience_s + 5.0)
        left = self._sent or self._again or not self._queue.empty()
        return not (left or self._thread.is_alive())

    def _run(self) -> None:
        error: V2XError | None = V2XError("a fault of ours ended the way out: see the traceback")
        try:
            while not self._ended():
                try:
                    self._step()
                except RetryLater as e:
                    self._start_again(e)
            error = None
        except V2XError as e:
            error = e
        finally:
            if error is not None:
                self._failed(error)

    def _ended(self) -> bool:
        if self._stop_at is None:
            return False
        left = bool(self._sent or self._again) or not self._queue.empty()
        return not left or time.monotonic() > self._stop_at

    def _step(self) -> None:
        until = time.monotonic() + _STEP_S
        for _ in range(_BATCH):
            taken = self._next() if time.monotonic() < until else None
            if taken is None:
                break
            self._sent.append(taken)
            self._outlet.send(taken.frame)
        fates = self._outlet.confirmed()
        if fates:
            self._backoff.reset()
            self._confirmed([self._sent.popleft() for _ in fates], fates)

    def _next(self) -> Taken | None:
        if self._again:
            return self._again.popleft()
        try:
            return self._queue.get(timeout=_LOOK_S if self._sent else _IDLE_S)
        except Empty:
            return None

    def _start_again(self, error: RetryLater) -> None:
        self.retries += 1
        self._outlet.reset()
        self._again.extendleft(reversed(self._sent))
        self._sent.clear()
        wait_s = self._backoff.next_s()
        log.warning(
            "outlet failed, sending again", error=str(error), frames=len(self._again),
            wait_s=round(wait_s, 2),
        )  # fmt: skip
        until = time.monotonic() + wait_s
        while time.monotonic() < until and not (self._stop_at and time.monotonic() > self._stop_at):
            time.sleep(0.02)
