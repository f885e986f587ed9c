"""Checkpoints: the state of a run between two polls, so that a restart goes on from there.

A file is one line that names its format, the blake2b of all that follows it, and msgpack of a head
and the state. It is plain data: reading one runs no code. It is written to a temporary file, synced
and renamed, and the folder synced; so after a kill or a power cut each file is whole, and what a
disk or a hand did to one later is seen by its hash.

Two are kept. One that is damaged, of another format or version, or taken under another
configuration or other zones is refused with its reason, and the older one is tried.
"""

import os
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeVar

import msgpack
import numpy as np
import structlog

from v2x.errors import StoreError

log = structlog.get_logger()
T = TypeVar("T")

FORMAT = 1
NAMES = ("newest", "previous")
_TITLE = "v2x checkpoint "
_MAGIC = f"{_TITLE}{FORMAT}\n".encode()
_HASH_BYTES = 32
_ARRAY = 1
_NUMBERS = "biuf"


class CheckpointError(StoreError):
    """A checkpoint that cannot be used; says why."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a state belongs to: it means nothing to another version, configuration or zones."""

    version: str
    config_hash: str
    zones_hash: str


def packed(plain: Any) -> bytes:
    """Encode numbers, texts, bytes, arrays, lists, tuples (as lists), dictionaries by text."""
    packer = _packer()
    packer.pack(plain)
    made: bytes = packer.bytes()
    return made


def unpacked(data: bytes | memoryview) -> Any:
    """Decode what `packed` gave; arrays are new and may be written to.

    Raises
    ------
    ValueError
        The bytes are nothing that `packed` gives.
    """
    return msgpack.unpackb(data, ext_hook=_restored, unicode_errors="surrogatepass")


def _packer() -> msgpack.Packer:
    return msgpack.Packer(default=_extended, unicode_errors="surrogatepass", autoreset=False)


def _extended(value: Any) -> msgpack.ExtType:
    if not isinstance(value, (np.ndarray, np.generic)) or value.dtype.kind not in _NUMBERS:
        raise TypeError(f"no plain data: {type(value).__name__}")
    return msgpack.ExtType(_ARRAY, msgpack.packb((value.dtype.str, value.shape, value.tobytes())))


def _restored(code: int, data: bytes) -> Any:
    if code != _ARRAY:
        raise ValueError(f"unknown type {code}")
    name, shape, content = msgpack.unpackb(data)
    dtype = np.dtype(name)
    if dtype.kind not in _NUMBERS:
        raise ValueError(f"an array of {name}")
    array = np.frombuffer(content, dtype).reshape(shape)
    return array.copy() if shape else array[()]


class Checkpoints:
    """The checkpoints of one store, in a folder of their own.

    Parameters
    ----------
    folder
        Made, closed to others, when the first one is written: it holds where everybody went.
    context
        What their states belong to.
    """

    def __init__(self, folder: Path, context: Context) -> None:
        self.folder = folder
        self.context = context
        self.written = 0
        self.failed = 0
        self._newest_is_good = False
        self._packer = _packer()  # one for all: its buffer has grown, and is hashed where it lies
        self._pool = ThreadPoolExecutor(1, "checkpoint")
        self._writing: Future[None] | None = None

    def resume(self, use: Callable[[dict[str, Any]], T]) -> tuple[T | None, list[str]]:
        """Hand the state of the newest checkpoint that can be used to `use`.

        Returns
        -------
        used, refused
            What `use` made of it, None without one; and of those that were not used name and why.
        """
        refused: list[str] = []
        for name in NAMES:
            try:
                state = self.read(name)
                if state is None:
                    continue
                used = use(state)
            except CheckpointError as e:
                why = str(e)
            except Exception as bug:  # ours; but the frames are still there, and alerts must go on
                log.exception("a checkpoint cannot be restored", checkpoint=name)
                why = f"cannot be restored: {type(bug).__name__}: {bug}"
            else:
                self._newest_is_good = name == NAMES[0]
                return used, refused
            log.warning("checkpoint not used", folder=str(self.folder), checkpoint=name, why=why)
            refused.append(f"{name}: {why}")
        return None, refused

    def read(self, name: str) -> dict[str, Any] | None:
        """State of the checkpoint called `name`, one of `NAMES`; None if there is none.

        Raises
        ------
        CheckpointError
            It is there, and not for us.
        """
        try:
            data = self._path(name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as e:
            raise CheckpointError(f"cannot be read: {e.strerror or e}") from e
        head, state = _opened(data)
        for what, ours in asdict(self.context).items():
            if head[what] != ours:
                raise CheckpointError(f"{what} {head[what]!r} is not ours, {ours!r}")
        return state

    @property
    def busy(self) -> bool:
        """The last one is still being written: take none now."""
        return self._writing is not None and not self._writing.done()

    def save(self, state: Mapping[str, Any]) -> None:
        """Encode `state` now, and write it while the caller goes on.

        A disk that cannot take it is counted and logged: the run itself needs none.
        """
        self.settle()
        self._packer.reset()
        self._packer.pack((asdict(self.context), state))
        self._writing = self._pool.submit(self._write_packed)

    def _write_packed(self) -> None:
        with self._packer.getbuffer() as body:
            self.write(body)

    def write(self, body: bytes | memoryview) -> None:
        """Make one durable as the newest; the newest so far becomes the previous one."""
        newest, previous = (self._path(name) for name in NAMES)
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = newest.with_suffix(".part")
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "wb") as file:
            file.write(_MAGIC + _hash(body))
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        if self._newest_is_good:
            os.replace(newest, previous)
        os.replace(part, newest)
        self._newest_is_good = True
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def close(self) -> None:
        """Wait for the one that is being written."""
        self._pool.shutdown()
        self.settle()

    def settle(self) -> None:
        """Wait for the last one, and take note of how its writing went."""
        writing, self._writing = self._writing, None
        if writing is None:
            return
        try:
            writing.result()
        except OSError as e:
            self.failed += 1
            log.warning("no checkpoint", folder=str(self.folder), why=e.strerror or str(e))
        else:
            self.written += 1

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.checkpoint"


def _hash(body: bytes | memoryview) -> bytes:
    digest = blake2b(_MAGIC, digest_size=_HASH_BYTES)
    digest.update(body)
    return digest.digest()


def _opened(data: bytes) -> tuple[dict[str, str], dict[str, Any]]:
    """Head and state of a file's bytes."""
    title, _, _ = data[:64].partition(b"\n")
    if title + b"\n" != _MAGIC:
        known = title.startswith(_TITLE.encode()) and title[len(_TITLE) :].isdigit()
        raise CheckpointError(f"of format {title[len(_TITLE) :].decode()}" if known else "damaged")
    start = len(_MAGIC) + _HASH_BYTES
    body = memoryview(data)[start:]
    if _hash(body) != data[len(_MAGIC) : start]:
        raise CheckpointError("damaged: its hash differs")
    head, state = unpacked(body)
    return head, state
