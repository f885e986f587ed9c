r"""From a stream of bytes to frames, without a socket: bytes in, frames out.

A cutter is fed whatever arrived, in pieces of any size, and gives the frames that are complete.
What belongs to no frame is counted in ``skipped`` (bytes), frames longer than the limit in
``oversize``; ``pending`` is what waits for its end. A frame longer than the limit is never held:
memory is bounded by the limit and the piece.

=========  ===========================================================================
jt808      ``7E`` .. ``7E``; one ``7E`` may end a frame and begin the next
beast      ``1A``, type ``31`` ``32`` ``33``, 6 bytes clock, level, 2, 7 or 14 bytes,
           every ``1A`` behind the type doubled
sapient    length u32 little-endian and so many bytes; the length is part of the frame
lines      up to ``\\n``; a ``\\r`` before it is no part, empty lines are none
=========  ===========================================================================
"""

from typing import Protocol


class Broken(Exception):  # noqa: N818
    """The stream cannot be cut any more: only a new connection helps."""


class Cutter(Protocol):
    """One stream's cutter."""

    skipped: int
    oversize: int

    @property
    def pending(self) -> int:
        """Bytes that wait for the end of their frame."""
        ...

    def feed(self, data: bytes) -> list[bytes]:
        """Frames that `data` completes; raises `Broken` where no further frame can be found."""
        ...


class Between:
    """Frames between marks: ``7E`` of JT/T 808, kept; or the ends of lines, dropped."""

    def __init__(self, mark: bytes, most: int, *, keep: bool) -> None:
        self.skipped = self.oversize = 0
        self._mark, self._most, self._keep = mark, most, keep
        self._begun = not keep  # bytes before the first mark are no frame, but are a line
        self._over = False
        self._rest = bytearray()

    @property
    def pending(self) -> int:
        """Bytes that wait for the end of their frame."""
        return len(self._rest)

    def feed(self, data: bytes) -> list[bytes]:
        """Frames that `data` completes."""
        made: list[bytes] = []
        first, *others = data.split(self._mark)
        self._more(first)
        for part in others:
            self._end(made)
            self._more(part)
        return made

    def _more(self, part: bytes) -> None:
        if not self._begun or self._over:
            self.skipped += len(part)
        elif len(self._rest) + len(part) > self._most:
            self.oversize += 1
            self.skipped += len(self._rest) + len(part)
            self._rest.clear()
            self._over = True
        else:
            self._rest += part

    def _end(self, made: list[bytes]) -> None:
        if self._rest:
            whole = bytes(self._rest)
            if self._keep:
                made.append(self._mark + whole + self._mark)
            elif line := whole.removesuffix(b"\r"):
                made.append(line)
            self._rest.clear()
        self._begun, self._over = True, False


_BEAST_BYTES = {0x31: 9, 0x32: 14, 0x33: 21}
"""Bytes behind the type of a message, doubled ones counted once."""


class Beast:
    """Mode S messages of a receiver in Beast binary form, kept as they came."""

    def __init__(self) -> None:
        self.skipped = self.oversize = 0
        self._rest = b""

    @property
    def pending(self) -> int:
        """Bytes that wait for the end of their frame."""
        return len(self._rest)

    def feed(self, data: bytes) -> list[bytes]:
        """Frames that `data` completes."""
        made: list[bytes] = []
        data = self._rest + data
        at = 0
        while True:
            start = data.find(b"\x1a", at)
            if start < 0:
                self.skipped += len(data) - at
                self._rest = b""
                return made
            self.skipped += start - at
            at = start
            end = self._end(data, start)
            if end == 0:
                self._rest = data[start:]
                return made
            if end < 0:  # no message begins here: the byte behind the mark may be one itself
                self.skipped += 1
                at += 1
            else:
                made.append(data[start:end])
                at = end

    def _end(self, data: bytes, start: int) -> int:
        """End of the message at `start`; 0 if it is not there yet, -1 if it is none."""
        if start + 1 >= len(data):
            return 0
        left = _BEAST_BYTES.get(data[start + 1])
        if left is None:
            return -1
        at = start + 2
        while left:
            if at >= len(data):
                return 0
            if data[at] == 0x1A:
                if at + 1 >= len(data):
                    return 0
                if data[at + 1] != 0x1A:
                    return -1  # a mark inside: this one was cut short
                at += 1
            at += 1
            left -= 1
        return at


class Prefixed:
    """Frames behind their length, as SAPIENT sends them (4 bytes, little-endian)."""

    def __init__(self, most: int) -> None:
        self.skipped = self.oversize = 0
        self._most = most
        self._rest = bytearray()

    @property
    def pending(self) -> int:
        """Bytes that wait for the end of their frame."""
        return len(self._rest)

    def feed(self, data: bytes) -> list[bytes]:
        """Frames that `data` completes; `Broken` after a length beyond the limit."""
        self._rest += data
        made: list[bytes] = []
        at = 0
        while len(self._rest) - at >= 4:
            size = int.from_bytes(self._rest[at : at + 4], "little")
            if size > self._most:
                if at:
                    break  # what came before is given first; the next piece breaks
                self.oversize += 1
                self.skipped += len(self._rest)
                self._rest.clear()
                raise Broken
            if len(self._rest) - at < 4 + size:
                break
            if size:
                made.append(bytes(self._rest[at : at + 4 + size]))
            at += 4 + size
        del self._rest[:at]
        return made


def cutter(framing: str, most: int) -> Cutter:
    """A new cutter for one connection; frames of more than `most` bytes are dropped."""
    if framing == "jt808":
        return Between(b"\x7e", most, keep=True)
    if framing == "beast":
        return Beast()
    if framing == "sapient":
        return Prefixed(most)
    return Between(b"\n", most, keep=False)
