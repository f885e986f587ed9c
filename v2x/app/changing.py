"""What is judged by may change while the run goes on, at a slice that the frames alone decide.

A change that arrived at `t` takes effect at the first whole second that is `LEAD_NS` or more after
it. As soon as the arrival clock says that no more can come for that second, one thread beside the
loop makes the new value of all of them; the first slice that ends there or later takes it, and
waits if it is not ready. So a replay at any speed, and a run cut into other polls, change at the
same slice; and no slice of a live run waits for a build that takes less than the lead.
"""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from v2x.ingest.timestamps import SECOND

V = TypeVar("V")

LEAD_NS = 2 * SECOND
"""Least time between the arrival of a change and the slice that takes it; ours."""
STEP_NS = SECOND
"""Changes are taken at multiples of this: however many come, one build a second."""


class Asked(NamedTuple):
    """One change, as it came: the sensor row it came from, and its text."""

    sensor: int
    text: bytes


class Outcome(NamedTuple):
    """What became of one change.

    `taken` False: refused, and all as it was. `words`: why; of one taken, what to look at.
    """

    sensor: int
    taken: bool
    words: str


class Made(NamedTuple, Generic[V]):
    """Value after some changes, outcome of each, and the value as plain data."""

    value: V
    outcomes: list[Outcome]
    plain: Any


@dataclass(frozen=True)
class _Batch(Generic[V]):
    effective_ns: int
    asked: list[Asked]
    made: "Future[Made[V]]"


class Changing(Generic[V]):
    """A value that frames change; the loop reads `value` and never waits for it in between.

    Parameters
    ----------
    value
        What it is at the start.
    change
        Value, changes in their order and the time they take effect (ns) to what comes of it.
        Called in another thread, one batch at a time; whatever it raises rises in `take`.
    """

    def __init__(self, value: V, change: Callable[[V, Sequence[Asked], int], Made[V]]) -> None:
        self.value = value
        self._change = change
        self._plain: Any = None
        self._waiting: dict[int, list[Asked]] = {}
        self._batches: deque[_Batch[V]] = deque()
        self._pool: ThreadPoolExecutor | None = None

    def put(self, at_ns: int, asked: Asked) -> None:
        """Note a change that arrived at `at_ns`, a time that does not go back."""
        effective_ns = -(-(at_ns + LEAD_NS) // STEP_NS) * STEP_NS
        self._waiting.setdefault(effective_ns, []).append(asked)

    def start(self, clock_ns: int) -> None:
        """Begin to make what nothing that arrives after `clock_ns` can add to."""
        self._begin(clock_ns + LEAD_NS)

    def take(self, t_ns: int) -> list[Outcome]:
        """Bring `value` to the end of a slice; what became of the changes that it took."""
        outcomes: list[Outcome] = []
        self._begin(t_ns + 1)
        while self._batches and self._batches[0].effective_ns <= t_ns:
            made = self._batches[0].made.result()
            self._batches.popleft()
            self.value, self._plain = made.value, made.plain
            outcomes += made.outcomes
        return outcomes

    def state(self) -> dict[str, Any]:
        """What must survive a restart: the value, None as at the start, and what waits."""
        batches = [(batch.effective_ns, batch.asked) for batch in self._batches]
        waiting = [*batches, *self._waiting.items()]
        return {
            "value": self._plain,
            "waiting": [[t_ns, *one] for t_ns, asked in waiting for one in asked],
        }

    def restore(self, state: dict[str, Any], value: Callable[[Any], V]) -> None:
        """Put back what `state` gave; `value` turns its plain data into a value."""
        if state["value"] is not None:
            self._plain = state["value"]
            self.value = value(self._plain)
        for t_ns, sensor, text in state["waiting"]:
            self._waiting.setdefault(t_ns, []).append(Asked(sensor, bytes(text)))

    def _begin(self, before_ns: int) -> None:
        """Hand over the batches that take effect before a time, oldest first."""
        for effective_ns in [t_ns for t_ns in self._waiting if t_ns < before_ns]:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(1, "v2x-changes")
            last = self._batches[-1].made if self._batches else None
            asked = self._waiting.pop(effective_ns)
            made = self._pool.submit(self._make, last, self.value, asked, effective_ns)
            self._batches.append(_Batch(effective_ns, asked, made))

    def _make(
        self, last: "Future[Made[V]] | None", value: V, asked: list[Asked], effective_ns: int
    ) -> Made[V]:
        before = value if last is None else last.result().value
        return self._change(before, asked, effective_ns)
