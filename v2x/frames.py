"""Frames: messages as they came off the wire, and how a poll of them travels.

A `Frame` is for sources and recordings. Decoders see a `FrameBatch`: all frames of one format in
one poll, as one byte buffer with offsets, so that a hot format decodes a poll in one kernel call.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, Self

import numpy as np

from v2x.columns import I4, I8, U1

PAD = 8
"""Zero bytes behind a batch's buffer, so that a wide bit read cannot leave it."""

LAST_NS = 1 << 62
"""No arrival lies at or behind this time (year 2116): such a stamp is not taken."""

Place = tuple[str, int]
"""Where a position counts: (topic or file, partition)."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One message off the wire.

    Parameters
    ----------
    recv_ns
        Arrival, ns UTC: from the source's clock or the record, never from the decoder.
    sensor
        Name of the configured input.
    seq
        Order within the source, counted per `place`: a Kafka offset, or the row in a drive.
    """

    recv_ns: int
    sensor: str
    format: str
    payload: bytes
    place: Place = ("", 0)
    seq: int = 0


@dataclass(frozen=True, slots=True)
class Tick:
    """The clock as an input: time moved on to `recv_ns` although the wire is quiet."""

    recv_ns: int


@dataclass(frozen=True, slots=True)
class Poll:
    """What a source gave at one time.

    Frames and ticks come in the order (`recv_ns`, sensor name, source order), and no later poll
    holds an earlier one. `positions` is the next seq to read per place once this poll is durable.
    """

    frames: Sequence[Frame]
    ticks: Sequence[Tick] = ()
    positions: Mapping[Place, int] = field(default_factory=dict)
    disorder: int = 0
    """Frames of this poll that the broker delivered after their turn (`merge_disorder`)."""


class Source(Protocol):
    """Where frames come from."""

    def __iter__(self) -> Iterator[Poll]:
        """Polls until the end of the source, or for ever."""
        ...

    def commit(self, positions: Mapping[Place, int]) -> None:
        """Everything before `positions` is durable on our side."""
        ...

    def close(self) -> None:
        """Give back what was opened."""
        ...


@dataclass(frozen=True, slots=True)
class FrameBatch:
    """All frames of one format in one poll.

    ``buf`` (bytes + PAD,) u1 holds the payloads back to back, frame i at ``off[i]:off[i+1]``;
    ``sensor`` (n,) i4 rows of the sensor table; ``recv_ns`` (n,) i8 arrival.
    """

    format: str
    buf: U1
    off: I8
    sensor: I4
    recv_ns: I8

    @classmethod
    def of(
        cls, format: str, payloads: Sequence[bytes], sensor: Sequence[int] | I4,
        recv_ns: Sequence[int] | I8,
    ) -> Self:  # fmt: skip
        """Join payloads into one batch; `sensor` and `recv_ns` as long as `payloads`."""
        n = len(payloads)
        off = np.zeros(n + 1, np.int64)
        np.cumsum(np.fromiter(map(len, payloads), np.int64, n), out=off[1:])
        buf = np.frombuffer(b"".join(payloads) + bytes(PAD), np.uint8)
        return cls(format, buf, off, np.asarray(sensor, np.int32), np.asarray(recv_ns, np.int64))

    def __len__(self) -> int:
        return int(self.off.shape[0] - 1)

    def payload(self, i: int) -> bytes:
        """Bytes of frame `i`."""
        return self.buf[self.off[i] : self.off[i + 1]].tobytes()
