"""Drives: recorded sessions of raw frames, as MCAP files.

One channel per (sensor, format), named ``/frames/<sensor>/<format>``; a message is the payload as
it came off the wire, its log time the arrival and its sequence the order within the recording.
Ticks stand on the channel ``/ticks``. Files that belong to the drive (configuration, zones,
registry, plans, truth) are attachments, so that a drive is replayed without anything beside it.
Any MCAP tool reads the file.
"""

import os
import struct
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from mcap.exceptions import McapError
from mcap.reader import McapReader, NonSeekingReader, make_reader
from mcap.records import AttachmentIndex
from mcap.writer import MCAP0_MAGIC, CompressionType, Writer
from zstandard import ZstdError

from v2x.errors import SourceError
from v2x.frames import LAST_NS, Frame, Place, Poll, Tick

POLL_FRAMES = 500
_TICKS = "/ticks"
_FOOTER = struct.Struct("<BQQQI")
"""The last record: opcode, length, start of the summary, of its offsets, CRC of the summary."""

_DAMAGE = (
    McapError,
    ZstdError,
    struct.error,
    ValueError,  # bad text, a CRC that differs, an opcode or a seek that cannot be
    LookupError,  # a channel, schema or byte that is not there
    ArithmeticError,  # a length that fits no integer of the machine
    MemoryError,  # a length that fits no memory
    EOFError,
    OSError,  # a seek to where no file reaches
    RuntimeError,  # a reader that ran out of records; damaged LZ4
    StopIteration,
)
"""What reading damaged bytes can raise in the reader and the decompressors below it."""


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
        with _reading(self.path) as stream:
            for _, channel, message in _messages(stream).iter_messages(log_time_order=False):
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
        found.sort(key=lambda item: item[:3])
        return [item[3] for item in found]


class DriveSink:
    """Writes a drive. Use as a context manager: the file appears when it is left without an error.

    Until then the bytes stand beside it in ``<path>.part``, and an older file stays as it is.
    """

    def __init__(self, path: Path, attachments: Mapping[str, bytes] | None = None) -> None:
        self.path = path
        self._channels: dict[tuple[str, str], int] = {}
        self._sequence = 0
        with self._writing():
            self._target = path.resolve()
            if self._target.exists() and not self._target.is_file():
                raise SourceError(f"{path}: cannot write the drive: not a regular file")
            self._part = self._target.with_name(self._target.name + ".part")
            self._stream = self._part.open("wb")
        try:
            with self._writing():
                self._writer = Writer(self._stream, compression=CompressionType.ZSTD)
                self._writer.start(profile="v2x", library="v2x")
                for name, data in sorted((attachments or {}).items()):
                    self._writer.add_attachment(0, 0, name, "application/octet-stream", data)
        except BaseException:
            self._drop()
            raise

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as e:
            raise SourceError(f"{self.path}: cannot write the drive: {e.strerror or e}") from e

    def _drop(self) -> None:
        """Give up: the new file goes, the old one stays."""
        with suppress(OSError):
            self._stream.close()
        self._part.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        """Return itself, open."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        """Finish the file, or drop it after an error."""
        if kind is None:
            self.close()
        elif not self._stream.closed:
            self._drop()

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
                name, form = key
                raise SourceError(
                    f"sensor {name!r}, format {form!r}: a name with '/' cannot stand in a drive"
                )
            self._channels[key] = self._writer.register_channel(topic, encoding, 0)
        with self._writing():
            self._writer.add_message(
                self._channels[key], frame.recv_ns, data, frame.recv_ns, self._sequence
            )
        self._sequence += 1

    def close(self) -> None:
        """Finish the file; a second call does nothing."""
        if self._stream.closed:
            return
        try:
            with self._writing():
                self._writer.finish()  # type: ignore[no-untyped-call]
                self._stream.close()
                os.replace(self._part, self._target)
        except BaseException:
            self._drop()
            raise


def attachments(path: Path) -> dict[str, bytes]:
    """Files that a drive carries, by name."""
    with _reading(path) as stream:
        reader = make_reader(stream, validate_crcs=True)
        summary = reader.get_summary()
        for index in summary.attachment_indexes if summary is not None else ():
            _check_attachment(stream, index)
        return {a.name: a.data for a in reader.iter_attachments()}


@contextmanager
def _reading(path: Path) -> Iterator[IO[bytes]]:
    """A drive to read whose ends and summary are sound; what goes wrong is a `SourceError`."""
    try:
        stream = path.open("rb")
    except OSError as e:
        raise SourceError(f"{path}: not a readable drive: {e.strerror or e}") from e
    with stream:
        try:
            _check_ends(stream)
            yield stream
        except _DAMAGE as e:
            text = str(e) or type(e).__name__
            raise SourceError(f"{path}: damaged or ends early ({text})") from e


def _check_ends(stream: IO[bytes]) -> None:
    """Both magics, and the CRC over the summary: it says what is where in the file."""
    if stream.read(len(MCAP0_MAGIC)) != MCAP0_MAGIC:
        raise McapError("it does not begin as an MCAP file")
    tail = _FOOTER.size + len(MCAP0_MAGIC)
    end = stream.seek(0, os.SEEK_END)
    stream.seek(max(end - tail, 0))
    last = stream.read(tail)
    if len(last) < tail or not last.endswith(MCAP0_MAGIC):
        raise McapError("it does not end as an MCAP file")
    _, _, start, _, crc = _FOOTER.unpack(last[: _FOOTER.size])
    if start and crc:
        stream.seek(start)
        if zlib.crc32(stream.read(max(end - len(MCAP0_MAGIC) - 4 - start, 0))) != crc:
            raise McapError("the CRC of its summary differs")
    stream.seek(0)


def _messages(stream: IO[bytes]) -> McapReader:
    """By the index of chunks; a file without one from its start to its end."""
    reader = make_reader(stream, validate_crcs=True)
    summary = reader.get_summary()
    if summary is not None and summary.chunk_indexes:
        return reader
    stream.seek(0)
    return NonSeekingReader(stream, validate_crcs=True)


def _check_attachment(stream: IO[bytes], index: AttachmentIndex) -> None:
    """The CRC over an attachment: behind it, over all from behind its length; 0 is none."""
    stream.seek(index.offset)
    record = stream.read(index.length)
    crc = int.from_bytes(record[-4:], "little")
    if crc and zlib.crc32(record[9:-4]) != crc:
        raise McapError(f"the CRC of the attached {index.name} differs")


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
