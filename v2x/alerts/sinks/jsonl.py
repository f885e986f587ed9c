"""JSON lines: every revision as one line of canonical JSON at the end of a file."""

import os
from pathlib import Path
from typing import BinaryIO

from v2x.alert import Alert, Delivery
from v2x.errors import RetryLater


class JsonLines:
    """A file of alert revisions.

    A line is on the disk when `send` returns. The same revision may come twice, after a crash
    between the write and its receipt: readers drop repeats by (id, rev). A line that a crash or a
    full disk tore is cut off before the next one is written.

    Parameters
    ----------
    path
        Opened at the first `send`; its folder must exist.
    """

    def __init__(self, path: Path, name: str = "jsonl") -> None:
        self.name = name
        self.path = path
        self._file: BinaryIO | None = None

    def send(self, alert: Alert) -> Delivery:
        """Append one line and bring it to the disk."""
        line = alert.canonical() + b"\n"
        try:
            if self._file is None:
                self._file = _open(self.path)
            at = self._file.tell()
            self._file.write(line)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as e:
            self.close()
            raise RetryLater(f"{self.path}: cannot be written: {e.strerror or e}") from e
        return Delivery(self.name, f"{self.path}@{at}")

    def close(self) -> None:
        """Close the file."""
        file, self._file = self._file, None
        if file is not None:
            try:
                file.close()
            except OSError:  # what could not be flushed is cut off at the next opening
                return


def _open(path: Path) -> BinaryIO:
    """Open at the end of the last whole line."""
    file = path.open("r+b" if path.exists() else "w+b")
    try:
        end = _whole(file)
        file.truncate(end)
        file.seek(end)
    except BaseException:
        file.close()
        raise
    return file


def _whole(file: BinaryIO, step: int = 1 << 16) -> int:
    """Bytes up to and with the last line feed."""
    end = file.seek(0, os.SEEK_END)
    while end > 0:
        start = max(end - step, 0)
        file.seek(start)
        found = file.read(end - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0
