"""What a decoder gives back, and why it refuses: the contract of every wire format."""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, NamedTuple, Protocol, Self

import numpy as np

from v2x.columns import F8, U1
from v2x.frames import FrameBatch
from v2x.observations import Observations
from v2x.readings import Readings
from v2x.sensors import SensorTable


class Reject(IntEnum):
    """Why a frame gave no rows. One code a frame, counted by name, never an exception."""

    OK = 0
    SHORT = 1
    BAD_MAGIC = 2
    """Not a frame of this format."""
    BAD_LENGTH = 3
    BAD_CHECKSUM = 4
    BAD_ESCAPE = 5
    UNSUPPORTED_VERSION = 6
    UNKNOWN_MESSAGE = 7
    UNKNOWN_EDITION = 8
    VALUE_RANGE = 9
    TRAILING_DATA = 10
    ENCRYPTED = 11
    FRAGMENT = 12
    """Waiting for its other parts: in flight, neither processed nor dead-lettered. What becomes of
    it is `Settled` later."""
    OVERSIZE = 13
    BAD_TEXT = 14
    NOTHING_TO_OBSERVE = 15
    """Well formed and empty: counted as processed, may still carry readings."""
    TOO_COMPLEX = 16
    BAD_COLUMN = 17
    BAD_MAP = 18


ACCEPTED = (Reject.OK, Reject.NOTHING_TO_OBSERVE)
"""Codes of frames that count as processed."""


class Settled(NamedTuple):
    """What became of a frame that had been given `Reject.FRAGMENT`.

    Attributes
    ----------
    ticket
        Number of the frame, counted from 0 over all frames that the format gave this code since
        its state was new, in their order.
    code
        Code of the frame that completed the message, or `Reject.FRAGMENT` again: nothing did.
    """

    ticket: int
    code: Reject


class Document(NamedTuple):
    """A frame that changes what the low airspace is judged by, and measures nothing.

    Attributes
    ----------
    frame
        Row of the frame in its batch.
    form
        Format that it came in: whose change it is.
    text
        The frame's JSON, an object; what it means is judged by the room that uses it.
    """

    frame: int
    form: str
    text: bytes


@dataclass(frozen=True, slots=True)
class Decoded:
    """Rows of one batch.

    Attributes
    ----------
    observations, readings
        Sorted by ``frame`` (row of the completing frame); rows of rejected frames do not exist.
    rejects
        (frames,) u1 of `Reject`.
    idents
        Text ``scheme:value`` of every identity hash that the rows use.
    amsl
        (observations,) f8 height above mean sea level where the wire gave that, else NaN; None
        where the format never does.
    counts
        What was skipped inside good frames, by name ("unknown_item_0x25"): for the log.
    settled
        Frames, of this batch and of earlier ones, that wait no more.
    documents
        Frames that are neither, but change what is judged by, sorted by frame.
    """

    observations: Observations
    readings: Readings
    rejects: U1
    idents: dict[int, str] = field(default_factory=dict)
    amsl: F8 | None = None
    counts: dict[str, int] = field(default_factory=dict)
    settled: tuple[Settled, ...] = ()
    documents: tuple[Document, ...] = ()

    @classmethod
    def nothing(cls, frames: int = 0) -> Self:
        """No rows from `frames` frames, none of them refused."""
        return cls(Observations.blank(), Readings.blank(), np.zeros(frames, np.uint8))


class State(Protocol):
    """What a format remembers from poll to poll, and how a checkpoint carries it on.

    Frames decoded after `restore` of what `state` gave, into an object just made, give the rows
    they would have given. So memos of pure functions (texts and their hashes) need not be in it.
    """

    def state(self) -> dict[str, Any]:
        """Plain data: numbers, texts, bytes, arrays, lists, and dictionaries by text.

        It may share arrays with what is remembered: encode it before the next frame.
        """
        ...

    def restore(self, state: dict[str, Any]) -> None:
        """Put back what `state` gave; tuples in it have become lists."""
        ...


class Format(Protocol):
    """One wire format.

    `state` is what must survive from poll to poll (fragments, pairs, epochs): made by `new_state`,
    changed in place, keyed by sensor row, bounded, driven by event time. How polls were cut never
    changes the rows: one frame a batch gives the same rows as all frames in one; and neither does
    a restart from a checkpoint in between.

    A format may have a method ``extra(payload: bytes) -> dict[str, Any]``: what a frame says beside
    the columns, as JSON-able plain data, {} where nothing. It never raises, may be slow, and is
    what ``v2x decode`` prints under ``extra``.
    """

    name: str

    def timed(self, payload: bytes) -> bool:
        """Tell whether the bytes hold a time or counter of their own.

        Then the same bytes again within 10 s are a repeat, whatever their arrival.
        """
        ...

    def new_state(self) -> State | None:
        """Return empty state for one pipeline; None where every frame stands alone."""
        ...

    def decode(self, batch: FrameBatch, sensors: SensorTable, state: Any) -> Decoded:
        """Turn any bytes into rows or a reject code per frame; never raises for bad bytes."""
        ...

    def finish(self, sensors: SensorTable, state: Any) -> Decoded:
        """Rows still pending at the end of the input (an epoch that no later frame closed).

        Frames that wait are settled.
        """
        ...
