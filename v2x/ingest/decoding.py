"""Frames of a poll to rows: duplicates out, one decoder call per format, rows back in frame order.

Everything here is a function of the frames and of the state before them, never of where a poll
was cut: one frame a poll gives the same rows, in the same order, as all frames in one.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, TypeVar

import numpy as np

from v2x.columns import I4, I8, U1, Columns
from v2x.errors import ConfigError
from v2x.frames import Frame, FrameBatch
from v2x.geodesy import wgs84_from_gcj02
from v2x.ingest.decoded import ACCEPTED, Decoded, Document, Format, Reject, State
from v2x.ingest.formats import format_named
from v2x.observations import Flag, Observations
from v2x.readings import Readings
from v2x.sensors import Datum, SensorTable

C = TypeVar("C", bound=Columns)

DUPLICATE_WINDOW_NS = 10_000_000_000
MAX_FRAME_BYTES = 1 << 20
_ACCEPTED = np.array([int(code) for code in ACCEPTED], np.uint8)
_REMEMBERED = 200_000
_NAME_BYTES = 16


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A frame nobody could decode: where it lies and why."""

    frame: Frame
    reason: str


@dataclass(frozen=True, slots=True)
class Rows:
    """What one poll's frames became.

    Attributes
    ----------
    observations, readings
        Sorted by ``frame``, which here counts the frames of the poll.
    sensor, recv_ns
        (frames,) sensor row (-1 unknown) and arrival of each frame of the poll.
    fate
        (frames,) u1: 0 processed, 1 dead letter, 2 duplicate, 3 waits for other frames.
    dead
        Frames that nobody could decode, of this poll and of earlier ones that waited in vain.
    settled
        Frames, of this poll or earlier ones, that wait no more: processed (0) or dead (1).
    documents
        Frames that change what is judged by, in the order of the poll.
    """

    observations: Observations
    readings: Readings
    sensor: I4
    recv_ns: I8
    fate: U1
    dead: list[DeadLetter]
    rejects: Counter[tuple[str, str]]
    idents: dict[int, str] = field(default_factory=dict)
    settled: list[tuple[Frame, int]] = field(default_factory=list)
    documents: list[Document] = field(default_factory=list)


PROCESSED, DEAD, DUPLICATE, WAITING = range(4)


@dataclass
class _Waiting:
    """Frames of one format that wait for others, by ticket (`Settled`)."""

    frames: dict[int, Frame] = field(default_factory=dict)
    handed: int = 0

    def put(self, frame: Frame) -> None:
        self.frames[self.handed] = frame
        self.handed += 1

    def state(self) -> dict[str, Any]:
        return {
            "handed": self.handed,
            "frames": [
                [ticket, f.recv_ns, f.sensor, f.format, f.payload, *f.place, f.seq]
                for ticket, f in self.frames.items()
            ],
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.handed = state["handed"]
        self.frames = {
            ticket: Frame(recv_ns, sensor, form, bytes(payload), (topic, partition), seq)
            for ticket, recv_ns, sensor, form, payload, topic, partition, seq in state["frames"]
        }


class Decoding:
    """Decoder states of one pipeline. `decode` turns the frames of a poll into `Rows`."""

    def __init__(self, sensors: SensorTable) -> None:
        self.sensors = sensors
        self._states: dict[str, tuple[Format, State | None]] = {}
        self._seen: dict[bytes, int] = {}
        self._waiting: dict[str, _Waiting] = {}
        self._gcj = sensors.datum() == Datum.GCJ02

    def decode(self, frames: Sequence[Frame]) -> Rows:
        """Rows of `frames`, which stand in the order (`recv_ns`, sensor name, source order)."""
        n = len(frames)
        sensor = np.full(n, -1, np.int32)
        recv = np.fromiter((f.recv_ns for f in frames), np.int64, n)
        fate = np.zeros(n, np.uint8)
        dead: list[DeadLetter] = []
        rejects: Counter[tuple[str, str]] = Counter()
        groups: dict[str, list[int]] = {}

        def refuse(i: int, reason: str) -> None:
            fate[i] = DEAD
            dead.append(DeadLetter(frames[i], reason))
            rejects[frames[i].format, reason] += 1

        for i, frame in enumerate(frames):
            if frame.sensor not in self.sensors:
                refuse(i, "unknown_sensor")
                continue
            sensor[i] = self.sensors.row(frame.sensor)
            if not self._known(frame.format):
                refuse(i, "unknown_format")
            elif len(frame.payload) > MAX_FRAME_BYTES:
                refuse(i, Reject.OVERSIZE.name.lower())
            elif self._repeated(frame):
                fate[i] = DUPLICATE
            else:
                groups.setdefault(frame.format, []).append(i)

        observations: list[Observations] = []
        readings: list[Readings] = []
        settled: list[tuple[Frame, int]] = []
        idents: dict[int, str] = {}
        documents: list[Document] = []
        for name, rows in sorted(groups.items()):
            made = self.group(
                name,
                [frames[i].payload for i in rows],
                sensor[rows],
                recv[rows],
            )
            where = np.array(rows, np.int32)
            observations.append(_renumbered(made.observations, where))
            readings.append(_renumbered(made.readings, where))
            idents.update(made.idents)
            documents += [one._replace(frame=rows[one.frame]) for one in made.documents]
            for j in np.flatnonzero(~np.isin(made.rejects, _ACCEPTED)).tolist():
                if made.rejects[j] == Reject.FRAGMENT:
                    fate[rows[j]] = WAITING
                    self._waiting.setdefault(name, _Waiting()).put(frames[rows[j]])
                else:
                    refuse(rows[j], Reject(int(made.rejects[j])).name.lower())
            done, refused = self._settle(name, made)
            settled += done
            dead += refused
            rejects.update((name, letter.reason) for letter in refused)
        dead.sort(key=lambda d: (d.frame.recv_ns, d.frame.sensor, d.frame.seq))
        return Rows(
            _in_order(observations, Observations),
            _in_order(readings, Readings),
            sensor,
            recv,
            fate,
            dead,
            rejects,
            idents,
            settled,
            sorted(documents, key=lambda one: one.frame),
        )

    def end(self, recv_ns: int) -> Rows:
        """Rows that formats still hold and frames that still wait, at the end of the input.

        The rows stand in one frame that no sensor sent, which arrives at `recv_ns`.
        """
        observations: list[Observations] = []
        readings: list[Readings] = []
        settled: list[tuple[Frame, int]] = []
        dead: list[DeadLetter] = []
        idents: dict[int, str] = {}
        for name in sorted(self._states):
            made = self.rest(name)
            observations.append(made.observations)
            readings.append(made.readings)
            idents.update(made.idents)
            done, refused = self._settle(name, made)
            settled += done
            dead += refused
        held, said = Observations.concat(observations), Readings.concat(readings)
        held.frame[:] = said.frame[:] = 0
        return Rows(
            held,
            said,
            np.full(1, -1, np.int32),
            np.array([recv_ns]),
            np.zeros(1, np.uint8),
            dead,
            Counter((letter.frame.format, letter.reason) for letter in dead),
            idents,
            settled,
        )

    def _settle(self, name: str, made: Decoded) -> tuple[list[tuple[Frame, int]], list[DeadLetter]]:
        """Frames that wait no more, with their fate, and the dead ones among them."""
        settled: list[tuple[Frame, int]] = []
        dead: list[DeadLetter] = []
        for ticket, code in made.settled:
            frame = self._waiting[name].frames.pop(ticket)
            settled.append((frame, PROCESSED if code in ACCEPTED else DEAD))
            if code not in ACCEPTED:
                dead.append(DeadLetter(frame, code.name.lower()))
        return settled, dead

    def _known(self, name: str) -> bool:
        if name not in self._states:
            try:
                found = format_named(name)
            except ConfigError:
                return False
            self._states[name] = (found, found.new_state())
        return True

    def group(
        self, name: str, payloads: list[bytes], sensor: list[int] | I4, recv_ns: list[int] | I8
    ) -> Decoded:
        """Decode frames of one format, as they are: no duplicates taken out, datum converted."""
        if not self._known(name):
            raise ConfigError(f"unknown wire format {name!r}")
        decoder, state = self._states[name]
        made = decoder.decode(FrameBatch.of(name, payloads, sensor, recv_ns), self.sensors, state)
        self._to_wgs84(made.observations)
        return made

    def rest(self, name: str) -> Decoded:
        """Rows that format `name` still holds back at the end of the input."""
        decoder, state = self._states[name]
        made = decoder.finish(self.sensors, state)
        self._to_wgs84(made.observations)
        return made

    def state(self) -> dict[str, Any]:
        """What must survive a restart: the states of the formats seen, and frames remembered."""
        return {
            "formats": {
                name: None if state is None else state.state()
                for name, (_, state) in self._states.items()
            },
            "waiting": {name: waiting.state() for name, waiting in self._waiting.items()},
            "seen": b"".join(self._seen),
            "seen_ns": np.fromiter(self._seen.values(), np.int64, len(self._seen)),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Put back what `state` gave, into one just made for the same sensors."""
        for name, plain in state["formats"].items():
            if not self._known(name):
                raise ValueError(f"state of an unknown wire format {name!r}")
            held = self._states[name][1]
            if held is not None:
                held.restore(plain)
        self._waiting = {}
        for name, plain in state["waiting"].items():
            self._waiting[name] = _Waiting()
            self._waiting[name].restore(plain)
        seen, seen_ns = state["seen"], state["seen_ns"].tolist()
        names = [seen[at : at + _NAME_BYTES] for at in range(0, len(seen), _NAME_BYTES)]
        self._seen = dict(zip(names, seen_ns, strict=True))

    def _repeated(self, frame: Frame) -> bool:
        """Tell whether this frame came before: redelivered, or equal bytes with their own clock.

        Redelivery is the same sensor, bytes and arrival. Where the bytes hold a time or counter of
        their own (`Format.timed`), equal bytes within 10 s are a repeat whatever their arrival.
        """
        timed = self._states[frame.format][0].timed(frame.payload)
        key = blake2b(digest_size=_NAME_BYTES)
        key.update(frame.sensor.encode() + b"\0" + frame.format.encode() + b"\0")
        if not timed:
            key.update(frame.recv_ns.to_bytes(8, "little", signed=True))
        key.update(frame.payload)
        name = key.digest()
        before = self._seen.pop(name, None)
        self._seen[name] = frame.recv_ns
        if len(self._seen) > _REMEMBERED:
            del self._seen[next(iter(self._seen))]
        return before is not None and abs(frame.recv_ns - before) <= DUPLICATE_WINDOW_NS

    def _to_wgs84(self, rows: Observations) -> None:
        """Convert rows of GCJ-02 sensors in place, flagged; all others stay."""
        if not self._gcj.any() or not len(rows):
            return
        mask = self._gcj[rows.sensor]
        if mask.any():
            lat, lon = wgs84_from_gcj02(rows.lat[mask], rows.lon[mask])
            rows.lat[mask], rows.lon[mask] = lat, lon
            rows.flags[mask] |= np.uint16(Flag.DATUM_CONVERTED)


def _renumbered(rows: C, where: I4) -> C:
    if len(rows):
        frame: I4 = rows.frame  # type: ignore[attr-defined]
        frame[:] = where[frame]
    return rows


def _in_order(parts: list[C], empty: type[C]) -> C:
    rows = empty.concat(parts)
    if len(parts) > 1 and len(rows):
        rows = rows.take(np.argsort(rows.frame, kind="stable"))  # type: ignore[attr-defined]
    return rows
