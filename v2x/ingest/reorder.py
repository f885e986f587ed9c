"""Event-time slices behind a watermark.

Slice k holds event times in ((k-1) s, k s], counted from the Unix epoch. It is closed as soon as
the arrival clock passes k s + wait, where wait is the longest `reorder_wait_ms` of the sensors:
every sensor promises its rows within its own wait, so a silent, dead or late one can hold nothing
up, and a clock that runs ahead moves nothing. The arrival clock is the running maximum of `recv_ns`
over frames and ticks, so which slice a row falls into, and whether it is late, follows from the
data alone: polls may be cut anywhere, and replay may run at any speed.

A row whose slice was closed is folded in later, with its own time, if it is not older than the
tracker can go back: it stands in the next slice whose end is a multiple of half a second. One that
is older, or that its sender had stored while out of reach, is late, and history only.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

from v2x.columns import B1, I4, I8, Columns, column
from v2x.ingest.timestamps import FUTURE_NS
from v2x.observations import Flag, Observations
from v2x.readings import Name, Readings

C = TypeVar("C", bound=Columns)

SILENCE_NS = 60_000_000_000
"""All sources quiet for longer: the tracks end and the gap is one step."""
HOLD_NS = 500_000_000
"""Rows to be folded in wait for a multiple of this: the tracker goes back for all of them at once,
twice a second at most, whatever a sender that is always seconds behind sends."""


@dataclass(frozen=True, slots=True)
class Slice:
    """One closed step of the grid.

    Attributes
    ----------
    t_ns
        End of the slice.
    observations, readings
        Rows of the slice, and older ones to be folded in. Readings that came after their own slice
        was closed stand in the first slice that was open when they came: a device's word is never
        lost. But empty looks say nothing to anybody but the tracker, and are rows to this module.
    heard_sensor, heard_ns
        Frames that arrived before this slice was closed: sensor row and arrival.
    gap
        True where the slices before it were skipped because nothing arrived for a minute.
    """

    t_ns: int
    observations: Observations
    readings: Readings
    heard_sensor: I4
    heard_ns: I8
    gap: bool = False


class _Waiting(Generic[C]):
    """Rows by slice number, released in slice order and, inside a slice, in order of arrival."""

    def __init__(self, empty: type[C]) -> None:
        self._empty = empty
        self._parts: list[tuple[I8, C]] = []

    def put(self, k: I8, rows: C) -> None:
        if len(rows):
            self._parts.append((k, rows))

    def newest(self) -> int:
        return max((int(k.max()) for k, _ in self._parts), default=-(1 << 62))

    def until(self, last: int) -> tuple[I8, C]:
        """Take out all rows of slices up to `last`, sorted by slice."""
        k, rows = self._all()
        order = np.argsort(k, kind="stable")
        n = int(np.count_nonzero(k <= last))
        rest = order[n:]
        self._parts = [(k[rest], rows.take(rest))] if rest.size else []
        order = order[:n]
        return k[order], rows.take(order)

    def state(self) -> dict[str, Any]:
        k, rows = self._all()
        return {"k": k, "rows": {name: getattr(rows, name) for name, *_ in rows.schema()}}

    def restore(self, state: dict[str, Any]) -> None:
        self._parts = []
        self.put(state["k"], self._empty(**state["rows"]))

    def _all(self) -> tuple[I8, C]:
        k = np.concatenate([k for k, _ in self._parts] or [np.zeros(0, np.int64)])
        return k, self._empty.concat([rows for _, rows in self._parts])


@dataclass(frozen=True, slots=True)
class _Heard(Columns):
    sensor: I4 = column("i4")
    recv_ns: I8 = column("i8")


class Reorder:
    """Rows wait here until their slice is closed.

    Parameters
    ----------
    slice_ns
        Step of the grid.
    wait_ns
        How long after its end a slice waits for rows: the longest wait of the sensors.
    history_ns
        How much older than the newest closed slice a row may be and still be folded in; less than
        `SILENCE_NS`, so that none can come from before a gap. 0: none is.

    Attributes
    ----------
    folded
        Observations taken although their slice was closed.
    hold_ns
        Longest time, on the grid, that a row waits to be folded in: a tracker that reaches back
        for `history_ns` and this finds room for each of them.
    """

    def __init__(self, slice_ns: int, wait_ns: int, history_ns: int = 0) -> None:
        self.slice_ns = slice_ns
        self.wait_ns = wait_ns
        self.history_ns = history_ns
        self._pace = max(1, HOLD_NS // slice_ns)
        self.hold_ns = self._pace * slice_ns
        self.folded = 0
        self.clock_ns: int | None = None
        self._done = 0
        self._observations = _Waiting(Observations)
        self._readings = _Waiting(Readings)
        self._heard = _Waiting(_Heard)
        self._silent: list[tuple[int, int]] = []
        self._newest = -(1 << 62)

    def put(
        self, observations: Observations, readings: Readings, sensor: I4, recv_ns: I8
    ) -> tuple[B1, B1]:
        """Take the rows of one poll.

        Parameters
        ----------
        observations, readings
            Their ``frame`` counts the frames of the poll.
        sensor, recv_ns
            (frames,) sensor row (-1 unknown) and arrival, in processing order.

        Returns
        -------
        late, refused
            (observations,) rows that came too late to be folded in, and rows more than 2 s in the
            future of their own arrival. Neither is kept.
        """
        if not recv_ns.shape[0]:
            none = np.zeros(len(observations), bool)
            return none, none.copy()
        clock = np.maximum.accumulate(recv_ns)
        if self.clock_ns is None:
            self._done = (int(clock[0]) - self.wait_ns) // self.slice_ns
            self.clock_ns = int(clock[0])
        clock = np.maximum(clock, self.clock_ns)
        closed = (clock - self.wait_ns) // self.slice_ns
        self._silences(np.concatenate(([self.clock_ns], clock)))
        self.clock_ns = int(clock[-1])

        done = closed[observations.frame]
        refused: B1 = observations.t_ns - observations.recv_ns > FUTURE_NS
        k, tardy, late = self._stand(observations.t_ns, done)
        late |= tardy & (observations.flags & Flag.BACKLOG > 0)
        late &= ~refused
        keep = ~(late | refused)
        self._observations.put(k[keep], observations.take(keep))
        self.folded += int(np.count_nonzero(tardy & keep))

        self._hear(readings, closed[readings.frame])

        known = sensor >= 0
        heard = _Heard(sensor[known], recv_ns[known])
        self._heard.put(closed[known] + 1, heard)
        self._newest = max(
            self._newest, self._observations.newest(), self._readings.newest(), self._heard.newest()
        )
        return late, refused

    def tick(self, recv_ns: int) -> None:
        """Move the arrival clock on although no frame arrived."""
        if self.clock_ns is not None and recv_ns > self.clock_ns:
            self._silences(np.array([self.clock_ns, recv_ns]))
            self.clock_ns = recv_ns

    def release(self, *, everything: bool = False) -> Iterator[Slice]:
        """Slices that the arrival clock has closed, in order; with `everything` also the rest.

        `everything` goes on to the slice of the newest row, as at the end of a drive.
        """
        if self.clock_ns is None:
            return
        until = (self.clock_ns - self.wait_ns) // self.slice_ns
        if everything:
            waiting = (self._observations.newest(), self._readings.newest(), self._heard.newest())
            until = max(until, *waiting)
        if until <= self._done:
            return
        o_k, observations = self._observations.until(until)
        r_k, readings = self._readings.until(until)
        h_k, heard = self._heard.until(until)
        while self._done < until:
            k, gap = self._done + 1, False
            if self._silent and k > self._silent[0][0]:
                _, last = self._silent.pop(0)
                k, gap = max(k, min(last, until)), True
            o, r, h = (slice(*np.searchsorted(at, (k, k + 1))) for at in (o_k, r_k, h_k))
            self._done = k
            yield Slice(
                k * self.slice_ns,
                observations.take(o) if o.stop > o.start else Observations.blank(),
                readings.take(r) if r.stop > r.start else Readings.blank(),
                heard.sensor[h],
                heard.recv_ns[h],
                gap,
            )

    def state(self) -> dict[str, Any]:
        """What must survive a restart: the clock, where the grid stands, and the rows that wait."""
        return {
            "clock_ns": self.clock_ns,
            "done": self._done,
            "newest": self._newest,
            "folded": self.folded,
            "silent": self._silent,
            "observations": self._observations.state(),
            "readings": self._readings.state(),
            "heard": self._heard.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Put back what `state` gave, into a grid of the same step, wait and history."""
        self.clock_ns, self._done = state["clock_ns"], state["done"]
        self._newest, self.folded = state["newest"], state["folded"]
        self._silent = [(first, last) for first, last in state["silent"]]
        self._observations.restore(state["observations"])
        self._readings.restore(state["readings"])
        self._heard.restore(state["heard"])

    @property
    def done(self) -> int:
        """Number of the newest slice that was released."""
        return self._done

    @property
    def newest(self) -> int:
        """Number of the newest slice for which something was taken."""
        return self._newest

    def _stand(self, t_ns: I8, done: I8) -> tuple[I8, B1, B1]:
        """Slice of each row, with those to be folded in put off; is it closed; is it too old."""
        k = self._slice_of(t_ns)
        tardy: B1 = k <= done
        late: B1 = tardy & (t_ns <= done * self.slice_ns - self.history_ns)
        return np.where(tardy, (done // self._pace + 1) * self._pace, k), tardy, late

    def _hear(self, readings: Readings, done: I8) -> None:
        """Take readings: all of them, but of the empty looks only what the tracker can use."""
        if not len(readings):
            return
        ahead = readings.t_ns - readings.recv_ns > FUTURE_NS
        k = self._slice_of(np.where(ahead, readings.recv_ns, readings.t_ns))
        k = np.maximum(k, done + 1)
        look = readings.name == Name.SCAN_EMPTY
        as_row, _, late = self._stand(readings.t_ns, done)
        keep = ~(look & (ahead | late))
        self._readings.put(np.where(look, as_row, k)[keep], readings.take(keep))

    def _slice_of(self, t_ns: I8) -> I8:
        made: I8 = -((-t_ns) // self.slice_ns)
        return made

    def _silences(self, clock: I8) -> None:
        """Note where nothing arrived for a minute: the slices that may be stepped over."""
        for i in np.flatnonzero(np.diff(clock) > SILENCE_NS).tolist():
            first = (int(clock[i]) + SILENCE_NS - self.wait_ns) // self.slice_ns
            last = (int(clock[i + 1]) - self.wait_ns) // self.slice_ns
            self._silent.append((first, last))
