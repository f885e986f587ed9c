"""The one way from transports to the outlet: names sensors, bounds what waits, counts everything.

What was taken and is not yet confirmed counts against two limits, frames and bytes. Above either,
`Intake.put` waits, so that a stream is not read and its sender slows down; `Intake.offer`, for
datagrams that nobody can slow down, drops and counts. All methods belong to the thread of the
event loop.

Every frame that arrives is confirmed, dropped with a reason or still waiting: `Tally` adds up.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any

import structlog

from v2x.frames import Frame
from v2x.ingest.transports.naming import sensor_name

log = structlog.get_logger()

NAMED_MOST = 1_000
"""Different strangers that are named in the log; all are counted."""

_DIGITS = re.compile(r"\d(?=\d{4})")
"""Digits of a phone that no log shows: all but the last four."""

Done = Callable[[], None]
"""Called when a frame is safe: the moment to acknowledge it to its sender."""


@dataclass
class Tally:
    """What happened, by transport.

    Attributes
    ----------
    frames, payload_bytes
        Arrived, cut and within the limit of one frame, by transport.
    dropped
        By (transport, reason); reasons are few and fixed.
    events
        Connections made, refused, lost and the like, by (transport, event).
    skipped_bytes
        Bytes that belong to no frame, by transport.
    connections
        Open now, by transport.
    """

    frames: Counter[str] = field(default_factory=Counter)
    payload_bytes: Counter[str] = field(default_factory=Counter)
    dropped: Counter[tuple[str, str]] = field(default_factory=Counter)
    events: Counter[tuple[str, str]] = field(default_factory=Counter)
    skipped_bytes: Counter[str] = field(default_factory=Counter)
    connections: Counter[str] = field(default_factory=Counter)
    confirmed: int = 0
    waiting_frames: int = 0
    waiting_bytes: int = 0

    def told(self) -> dict[str, Any]:
        """Plain data for the summary."""
        return {
            "frames": dict(sorted(self.frames.items())),
            "bytes": dict(sorted(self.payload_bytes.items())),
            "dropped": _nested(self.dropped),
            "events": _nested(self.events),
            "skipped_bytes": {k: n for k, n in sorted(self.skipped_bytes.items()) if n},
            "confirmed": self.confirmed,
            "waiting": self.waiting_frames,
        }


@dataclass(frozen=True, slots=True)
class Taken:
    """A frame on its way out."""

    frame: Frame
    done: Done | None


class Intake:
    """See the module.

    Parameters
    ----------
    formats
        Wire format by the name of every configured sensor.
    most_frames, most_bytes
        Limits of what waits. One frame is always let in.
    clock_ns
        Arrival, ns UTC. No two frames get the same one: the second of two equal messages in one
        packet would look like a redelivery of the first.
    """

    def __init__(
        self,
        formats: Mapping[str, str],
        most_frames: int,
        most_bytes: int,
        most_frame_bytes: int,
        clock_ns: Callable[[], int],
    ) -> None:
        self.tally = Tally()
        self.most_frame_bytes = most_frame_bytes
        self.queue: SimpleQueue[Taken] = SimpleQueue()
        self._formats = formats
        self._most_frames, self._most_bytes = most_frames, most_bytes
        self._clock_ns, self._newest_ns = clock_ns, 0
        self._room = asyncio.Event()
        self._room.set()
        self._named: set[tuple[str, str]] = set()

    async def put(
        self, transport: str, template: str, format: str | None, payload: bytes,
        done: Done | None = None, levels: Sequence[str] = (),
    ) -> bool:  # fmt: skip
        """Take a frame as soon as there is room; False if it was dropped, which is counted."""
        sensor = self._sensor(transport, template, payload, levels)
        if sensor is None:
            return False
        while not self._has_room():
            self._room.clear()
            await self._room.wait()
        self._take(sensor, format, payload, done)
        return True

    def offer(self, transport: str, template: str, format: str | None, payload: bytes) -> bool:
        """Take a frame if there is room; False if it was dropped, which is counted."""
        sensor = self._sensor(transport, template, payload, ())
        if sensor is None:
            return False
        if not self._has_room():
            self.tally.dropped[transport, "no_room"] += 1
            return False
        self._take(sensor, format, payload, None)
        return True

    def stranger(self, transport: str, reason: str, name: str) -> None:
        """Count a frame that is nobody's and name it in the log, each name once."""
        self.tally.dropped[transport, reason] += 1
        key = (reason, name[:256])
        if key not in self._named and len(self._named) < NAMED_MOST:
            self._named.add(key)
            log.warning("frame dropped", transport=transport, reason=reason, name=key[1])

    def confirmed(self, taken: Sequence[Taken], safe: Sequence[bool]) -> None:
        """Frames that left: safe, or refused by the outlet for good."""
        for one, good in zip(taken, safe, strict=True):
            self.tally.waiting_frames -= 1
            self.tally.waiting_bytes -= len(one.frame.payload)
            if good:
                self.tally.confirmed += 1
                if one.done is not None:
                    one.done()
            else:
                self.tally.dropped["outlet", "refused"] += 1
        if self._has_room():
            self._room.set()

    def _sensor(
        self, transport: str, template: str, payload: bytes, levels: Sequence[str]
    ) -> str | None:
        """Sensor of a frame, None if it is not taken; either way it is counted."""
        self.tally.frames[transport] += 1
        self.tally.payload_bytes[transport] += len(payload)
        if len(payload) > self.most_frame_bytes:
            self.tally.dropped[transport, "oversize"] += 1
            return None
        name = sensor_name(template, payload, levels)
        if name in self._formats:
            return name
        if "{phone}" in template:
            name = _DIGITS.sub("*", name)
        self.stranger(transport, "unknown_sensor", name or f"{template} not told")
        return None

    def _has_room(self) -> bool:
        tally = self.tally
        return not tally.waiting_frames or (
            tally.waiting_frames < self._most_frames and tally.waiting_bytes < self._most_bytes
        )

    def _take(self, sensor: str, format: str | None, payload: bytes, done: Done | None) -> None:
        self._newest_ns = max(self._clock_ns(), self._newest_ns + 1)
        frame = Frame(self._newest_ns, sensor, format or self._formats[sensor], payload)
        self.tally.waiting_frames += 1
        self.tally.waiting_bytes += len(payload)
        self.queue.put(Taken(frame, done))


def _nested(counts: Counter[tuple[str, str]]) -> dict[str, dict[str, int]]:
    made: dict[str, dict[str, int]] = {}
    for (transport, what), n in sorted(counts.items()):
        made.setdefault(transport, {})[what] = n
    return made
