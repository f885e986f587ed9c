"""Delivery: one worker per destination brings it what the store holds for it.

A worker is a thread that never holds the loop: the loop's last word is the store's transaction.
Revisions of one alert go out in order; a destination that is away is tried again after 1 s, then
2 s, 4 s, up to 5 min per alert, while the worker itself looks again at least every 30 s, so that
a destination that is back gets everything within a minute. Nothing is given up for its age in
this form. Clocks here measure waiting, and nothing that is sent depends on them.
"""

import threading
from collections.abc import Callable
from hashlib import blake2b
from math import inf
from time import monotonic
from typing import Protocol, runtime_checkable

from v2x.alert import Delivery, Sink
from v2x.alerts.store import Pending, Store
from v2x.errors import GiveUp, RetryLater, StoreError
from v2x.frames import Frame

FIRST_S, MOST_S = 1.0, 300.0
PROBE_S = 30.0
"""A worker whose destination is away asks again no later than this."""
AWAY = 3
"""Failures in a row, of different alerts, that mean the destination and not the alert."""
LOOK_S = 0.2
BATCH = 100


@runtime_checkable
class LetterSink(Protocol):
    """A sink that also takes dead letters."""

    def send_dead_letter(self, frame: Frame, reason: str) -> Delivery:
        """Deliver one frame that nobody could decode."""
        ...


def backoff_s(key: str, attempts: int) -> float:
    """Seconds to wait after failure number `attempts` + 1: doubling, between half and whole.

    The spread comes from the key: alerts that failed together do not come back together.
    """
    whole = min(FIRST_S * 2.0 ** min(attempts, 16), MOST_S)
    spread = blake2b(f"{key}/{attempts}".encode(), digest_size=2).digest()
    return max(FIRST_S, whole * (0.5 + int.from_bytes(spread, "little") / 131_070.0))


class Worker:
    """Delivers to one sink. The loop calls `wake` after each `Store.record`, and `check`.

    Parameters
    ----------
    store
        Holds the outbox; the worker uses it through a connection of its own thread.
    sink
        Its `name` is the destination's name in the outbox. Closed when the worker ends.
    clock
        Seconds that only ever grow.
    """

    def __init__(self, store: Store, sink: Sink, clock: Callable[[], float] = monotonic) -> None:
        self.name = sink.name
        self.failures = 0
        """Failures in a row; 0: the newest send went well."""
        self.last_error = ""
        self._store = store
        self._sink = sink
        self._clock = clock
        self._look = threading.Event()
        self._rest = threading.Event()
        self._idle = threading.Condition()
        self._stopping = False
        self._hurry = False
        self._bug: Exception | None = None
        self._thread = threading.Thread(target=self._run, name=f"to {sink.name}", daemon=True)

    def start(self) -> None:
        """Begin to deliver."""
        self._thread.start()

    def wake(self) -> None:
        """Tell it that the outbox has something new. Returns at once."""
        self._look.set()

    def check(self) -> None:
        """Raise here what broke the worker: an exception that no sink may raise."""
        if self._bug is not None:
            raise self._bug

    def drain(self, timeout_s: float) -> bool:
        """Try everything now, put off or not, until nothing waits or the time is over.

        True: the destination has, or has refused, all that the store holds for it.
        """
        end = self._clock() + timeout_s
        self._hurry = True
        self._look.set()
        self._rest.set()
        with self._idle:
            while (left := end - self._clock()) > 0.0:
                if not self._store.waiting(self.name):
                    return True
                if not self._thread.is_alive():
                    break
                self._idle.wait(min(left, LOOK_S))
        return not self._store.waiting(self.name)

    def stop(self, timeout_s: float = 5.0) -> bool:
        """End after the send under way. False: it hangs, and is left behind as a daemon thread."""
        self._stopping = True
        self._look.set()
        self._rest.set()
        if self._thread.ident is None:
            self._sink.close()
        else:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def deliver(self) -> int:
        """Send what is due, once. Returns how many rows it tried; the thread calls it again.

        A row that fails holds back the later ones of its stream, not the others. After three
        failures in a row the destination counts as away: then one row asks for all, the one that
        was tried least, so that one alert it cannot take does not pass for an outage.
        """
        held: set[str] = set()
        tried = 0
        for row in self._due():
            if self._stopping:
                break
            if row.stream in held:
                continue
            tried += 1
            if not self._send(row):
                held.add(row.stream)
                if self.failures >= AWAY:
                    break
        return tried

    def _due(self) -> list[Pending]:
        if self.failures < AWAY:
            return self._store.pending(self.name, BATCH, self._clock())
        first: dict[str, Pending] = {}
        for row in self._store.pending(self.name, BATCH, inf):
            first.setdefault(row.stream, row)
        return sorted(first.values(), key=lambda row: (row.attempts, row.number))[:1]

    def _send(self, row: Pending) -> bool:
        try:
            if row.alert is not None:
                self._sink.send(row.alert)
            elif row.frame is None:
                raise GiveUp(row.reason)
            elif isinstance(self._sink, LetterSink):
                self._sink.send_dead_letter(row.frame, row.reason)
            else:
                raise GiveUp(f"{self.name} takes no dead letters")
        except RetryLater as e:
            self.failures += 1
            self.last_error = str(e)
            at = self._clock() + max(backoff_s(row.key, row.attempts), e.after_s)
            self._store.retry(self.name, row.key, at, str(e))
            return False
        except GiveUp as e:
            self.last_error = str(e)
            self._store.gave_up(self.name, row.key, str(e))
            return True
        self._store.delivered(self.name, row.key)
        if self.failures >= AWAY:
            self._store.wake(self.name)
        self.failures = 0
        return True

    def _run(self) -> None:
        try:
            while not self._stopping:
                self._look.clear()
                self._rest.clear()
                if self._hurry:
                    self._hurry = False
                    self._store.wake(self.name)
                tried = self._attempt()
                with self._idle:
                    self._idle.notify_all()
                if self.failures >= AWAY:
                    self._pause(min(backoff_s(self.name, self.failures - AWAY), PROBE_S))
                elif not tried:
                    self._look.wait(LOOK_S)
        except Exception as bug:  # a thread has no caller: `check` raises it in the loop
            self._bug = bug
        finally:
            self._sink.close()
            with self._idle:
                self._idle.notify_all()

    def _attempt(self) -> int:
        try:
            return self.deliver()
        except StoreError as e:
            self.failures += 1
            self.last_error = str(e)
            return 0

    def _pause(self, seconds: float) -> None:
        """Wait because the destination is away: a second, then until there are news or the end."""
        start = self._clock()
        while not (self._stopping or self._hurry):
            waited = self._clock() - start
            if waited >= seconds or (waited >= FIRST_S and self._look.is_set()):
                return
            if waited < FIRST_S and self._look.is_set():
                self._rest.wait(min(FIRST_S - waited, LOOK_S))
            else:
                self._look.wait(min(seconds - waited, LOOK_S))
