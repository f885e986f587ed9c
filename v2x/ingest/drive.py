"""Drives: recorded sessions of raw frames, as MCAP files.

One channel per (sensor, format), named ``/frames/<sensor>/<format>``; a message is the payload as
it came off the wire, its log time the arrival and its sequence the order within the recording.
Ticks stand on the channel ``/ticks``. Files that belong to the drive (configuration, zones,
registry, plans, truth) are attachments, so that a drive is replayed without anything beside it.
Any MCAP tool reads the file.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mcap.exceptions import McapError
from mcap.reader import make_reader
from mcap.writer import CompressionType, Writer

from v2x.errors import SourceError
from v2x.frames import LAST_NS, Frame, Place, Poll, Tick

POLL_FRAMES = 500
_TICKS = "/ticks"


class DriveSource:
    """Frames of a drive in the order (`recv_ns`, sensor name, source order).

    Parameters
    ----------
    path
        MCAP file with channels as described above; channels of others are skipped and counted.
    poll_frames
        Frames per poll. The output of the pipeline does not depend on it.
    """

    def __init__(self, path: Path, poll_frames: int = POLL_FRAMES) -> None:
        self.path = path
        self.poll_frames = poll_frames
        self.skipped = 0

    def __iter__(self) -> Iterator[Poll]:
        """Polls to the end of the drive."""
        items = self._ordered()
        for at in range(0, len(items), self.poll_frames):
            part = items[at : at + self.poll_frames]
            yield Poll(
                frames=[item for item in part if isinstance(item, Frame)],
                ticks=[item for item in part if isinstance(item, Tick)],
                positions={(self.path.name, 0): at + len(part)},
            )

    def commit(self, positions: Mapping[Place, int]) -> None:
        """Do nothing: a drive keeps no position."""

    def close(self) -> None:
        """Do nothing: the file is open only while it is read."""

    def _ordered(self) -> list[Frame | Tick]:
        found: list[tuple[int, str, int, Frame | Tick]] = []
        place = (self.path.name, 0)
        try:
            with self.path.open("rb") as stream:
                for _, channel, message in make_reader(stream).iter_messages(log_time_order=False):
                    t = message.log_time
                    if t >= LAST_NS:
                        self.skipped += 1
                        continue
                    if channel.topic == _TICKS:
                        found.append((t, "", message.sequence, Tick(t)))
                        continue
                    parts = channel.topic.split("/")
                    if len(parts) != 4 or parts[1] != "frames":
                        self.skipped += 1
                        continue
                    frame = Frame(t, parts[2], parts[3], message.data, place, message.sequence)
                    found.append((t, parts[2], message.sequence, frame))
        except (OSError, McapError) as e:
            raise SourceError(f"{self.path}: not a readable drive: {e}") from e
        found.sort(key=lambda item: item[:3])
        return [item[3] for item in found]


class DriveSink:
    """Writes a drive. Use as a context manager; the file is whole only after leaving it."""

    def __init__(self, path: Path, attachments: Mapping[str, bytes] | None = None) -> None:
        self.path = path
        self._channels: dict[tuple[str, str], int] = {}
        self._sequence = 0
        try:
            self._stream = path.open("wb")
        except OSError as e:
            raise SourceError(f"{path}: cannot write the drive: {e.strerror or e}") from e
        self._writer = Writer(self._stream, compression=CompressionType.ZSTD)
        self._writer.start(profile="v2x", library="v2x")
        for name, data in sorted((attachments or {}).items()):
            self._writer.add_attachment(0, 0, name, "application/octet-stream", data)

    def __enter__(self) -> Self:
        """Return itself, open."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        """Finish the file."""
        self.close()

    def write(self, frame: Frame | Tick) -> None:
        """Append one frame or tick."""
        if isinstance(frame, Tick):
            key, topic, encoding, data = ("", ""), _TICKS, "", b""
        else:
            key = (frame.sensor, frame.format)
            topic = f"/frames/{frame.sensor}/{frame.format}"
            encoding, data = frame.format, frame.payload
        if key not in self._channels:
            if topic.count("/") != 3 and key != ("", ""):
                raise SourceError(f"sensor {frame!r}: a name with '/' cannot stand in a drive")
            self._channels[key] = self._writer.register_channel(topic, encoding, 0)
        self._writer.add_message(
            self._channels[key], frame.recv_ns, data, frame.recv_ns, self._sequence
        )
        self._sequence += 1

    def close(self) -> None:
        """Finish the file; a second call does nothing."""
        if not self._stream.closed:
            self._writer.finish()  # type: ignore[no-untyped-call]
            self._stream.close()


def attachments(path: Path) -> dict[str, bytes]:
    """Files that a drive carries, by name."""
    try:
        with path.open("rb") as stream:
            return {a.name: a.data for a in make_reader(stream).iter_attachments()}
    except (OSError, McapError) as e:
        raise SourceError(f"{path}: not a readable drive: {e}") from e


def describe(path: Path) -> dict[str, Any]:
    """What a drive holds: time span, and frames per sensor and format.

    Returns
    -------
    dict
        ``frames``, ``ticks``, ``start_ns``, ``end_ns``, ``channels`` [{sensor, format, frames,
        first_ns, last_ns}], ``attachments`` {name: bytes}.
    """
    channels: dict[tuple[str, str], list[int]] = {}
    frames = ticks = 0
    first, last = None, None
    for poll in DriveSource(path):
        ticks += len(poll.ticks)
        for frame in poll.frames:
            frames += 1
            first = frame.recv_ns if first is None else first
            last = frame.recv_ns
            row = channels.setdefault((frame.sensor, frame.format), [0, frame.recv_ns, 0])
            row[0] += 1
            row[2] = frame.recv_ns
    return {
        "drive": path.name,
        "frames": frames,
        "ticks": ticks,
        "start_ns": first,
        "end_ns": last,
        "channels": [
            {"sensor": s, "format": f, "frames": n, "first_ns": a, "last_ns": b}
            for (s, f), (n, a, b) in sorted(channels.items())
        ],
        "attachments": {name: len(data) for name, data in sorted(attachments(path).items())},
    }
