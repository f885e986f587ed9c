"""One policy for every Numba kernel, and a private home for their compiled code.

Numba's disk cache does not notice an edit in a *called* function's file, and what it stores are
pickles: whoever writes there runs code as us. So the cache lives in a directory that is ours alone
(mode 0700, else refused), one per room of the package, named by a hash of every source file the
room's kernels may use, the Numba version, the bounds-check flag and the CPU. An edited constant, an
upgrade or another machine gets a new directory; `prune` removes the old ones.
"""

import hashlib
import os
import re
import stat
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar, cast

import numba
from llvmlite import binding as _llvm
from numba.core import types
from numba.experimental import structref
from numba.extending import intrinsic, overload

from v2x.errors import ConfigError

_types: Any = types
_structref: Any = structref
_typeof: Any = numba.typeof
F = TypeVar("F", bound=Callable[..., Any])

_PACKAGE = Path(__file__).resolve().parent
_KERNEL = re.compile(rb"^from v2x\.jit import .*\b(?:kernel|uncounted|inlined)\b", re.MULTILINE)
_IMPORT = re.compile(r"^\s*from v2x(?:\.(\w+) import| import ([\w, ]+))", re.MULTILINE)

# Loops over the eight motion modes of a track are one vector long; the compiler's own limit of 16
# rounds would leave them scalar, at a third of the speed.
_llvm.set_option("", "-vectorizer-min-trip-count=4")


def cache_key(room: str = "", package: Path = _PACKAGE) -> str:
    """Name of a room's cache generation: 16 hex digits over sources, Numba, bounds checks, CPU.

    The sources are those a kernel of the room may use: its own, and of the modules below all rooms
    those that it imports, or that these import. `room` is "" for the latter's own kernels.
    """
    digest = hashlib.blake2b(room.encode(), digest_size=8)
    for path in _sources(room, package):
        digest.update(path.relative_to(package).as_posix().encode())
        digest.update(path.read_bytes())
    features = _llvm.get_host_cpu_features().flatten()
    for word in (
        numba.__version__,
        str(bool(numba.config.BOUNDSCHECK)),  # type: ignore[attr-defined]
        _llvm.get_host_cpu_name(),
        features,
    ):
        digest.update(b"\0" + word.encode())
    return digest.hexdigest()


def _sources(room: str, package: Path) -> list[Path]:
    """Files a kernel of the room may use, sorted."""
    if room:
        asked = list((package / room).rglob("*.py"))
    else:
        asked = [path for path in package.glob("*.py") if _KERNEL.search(path.read_bytes())]
    found = set(asked)
    while asked:
        text = asked.pop().read_text("utf-8")
        names = re.findall(r"\w+", " ".join(map(" ".join, _IMPORT.findall(text))))
        below = {package / f"{name}.py" for name in names}
        new = {path for path in below if path.is_file()} - found
        found |= new
        asked += new
    return sorted(found)


def cache_home() -> Path:
    """Folder that holds all cache generations; ``V2X_CACHE`` moves it."""
    return Path(os.environ.get("V2X_CACHE") or Path.home() / ".cache" / "v2x")


def _private(path: Path) -> Path:
    """Create `path` 0700, or check that an existing one is ours and closed to others.

    The folder above it must be ours, or one that only its owner may rename things in (sticky).
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        info = path.stat()
    except OSError as e:
        raise ConfigError(
            f"kernel cache {path}: cannot be made: {e.strerror or e}; point V2X_CACHE to a folder "
            "of your own"
        ) from e
    if info.st_uid != os.geteuid() or stat.S_IMODE(info.st_mode) & 0o077:
        raise ConfigError(
            f"kernel cache {path}: must belong to uid {os.geteuid()} with mode 0700, found uid "
            f"{info.st_uid} mode {stat.S_IMODE(info.st_mode):04o}; its files are executable code. "
            "Remove it, or point V2X_CACHE elsewhere"
        )
    above = path.parent.stat()
    if stat.S_IMODE(above.st_mode) & 0o022 and not above.st_mode & stat.S_ISVTX:
        raise ConfigError(
            f"kernel cache {path.parent}: others may write to it (mode "
            f"{stat.S_IMODE(above.st_mode):04o}); close it with chmod go-w, or point V2X_CACHE "
            "elsewhere"
        )
    return path


@cache
def cache_dir(room: str = "") -> Path:
    """Private directory of a room's generation, created on first use."""
    return _private(cache_home() / f"kernels-{cache_key(room)}")


def cache_dirs() -> list[Path]:
    """Directories of all rooms that have kernels."""
    rooms = {
        path.relative_to(_PACKAGE).parts[0]
        for path in _PACKAGE.glob("*/**/*.py")
        if _KERNEL.search(path.read_bytes())
    }
    return [cache_dir(room) for room in ["", *sorted(rooms)]]


def prune() -> int:
    """Remove cache directories of other generations; how many went."""
    import shutil

    gone, ours = 0, cache_dirs()
    for path in cache_home().glob("kernels-*"):
        if path.is_dir() and path not in ours:
            shutil.rmtree(path, ignore_errors=True)
            gone += 1
    return gone


def kernel(fn: F) -> F:
    """Compile `fn`: cached, NumPy's division rules, no fastmath, no threads, the GIL let go."""
    return _compiled(fn)


def inlined(fn: F) -> F:
    """`kernel` whose body goes into every caller: for small ones whose arguments cost more."""
    return _compiled(fn, forceinline=True)


def uncounted(fn: F) -> F:
    """`kernel` that counts no references to its arrays, and so can make none of its own.

    An array that goes into another kernel, or comes out of a named tuple, is counted there and
    back, atomically, and so is each one beside it in its tuple. For kernels that call small ones
    per row it was half of the time: column frames are read 2.6 times as fast without. Nothing is
    lost, for the arrays are the caller's. What it calls may make arrays as long as it gives back
    numbers.
    """
    return _compiled(fn, counted=False)


def _compiled(fn: F, *, forceinline: bool = False, counted: bool = True) -> F:
    parts = fn.__module__.split(".")
    room = parts[1] if parts[0] == "v2x" and (_PACKAGE / parts[1]).is_dir() else ""
    numba.config.CACHE_DIR = str(cache_dir(room))  # type: ignore[attr-defined]
    options: dict[str, Any] = {"forceinline": forceinline, "_nrt": counted}
    return cast(F, numba.njit(cache=True, error_model="numpy", nogil=True, **options)(fn))


def entry(fn: F, *like: Any) -> F:
    """Compiled code of `fn` for arguments like these, to be called without looking at their types.

    The dispatcher looks at every array of every argument at every call, which for a hundred of them
    costs more than what is done with ten tracks. Here the caller vouches for that later arguments
    have the same types: number of axes, dtype, C order, alignment. Sizes are free, and Python ints
    and NumPy's are alike.
    """
    dispatcher: Any = fn
    if not hasattr(dispatcher, "get_overload"):  # JIT off: the function itself
        return fn
    signature = tuple(map(_typeof, like))
    dispatcher.compile(signature)
    return cast(F, dispatcher.get_overload(signature))


class Team:
    """Threads that run compiled code at the same time: the caller's, and what it takes beside.

    They sleep in between, end with their team, and a forked child gets others.
    """

    def __init__(self, threads: int) -> None:
        self._others = threads - 1
        self._pool: ThreadPoolExecutor | None = None
        self._pid = 0

    def run(self, code: Callable[..., Any], calls: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Results of `code` for each of `calls`, one a thread; raises what one of them raised."""
        if len(calls) == 1:
            return [code(*calls[0])]
        if self._pool is None or self._pid != os.getpid():
            self._pool, self._pid = ThreadPoolExecutor(self._others, "v2x-kernels"), os.getpid()
        waiting: list[Future[Any]] = []
        try:
            for call in calls[1:]:
                waiting.append(self._pool.submit(code, *call))
            mine = code(*calls[0])
        finally:
            for one in waiting:
                one.exception()  # nobody goes on while arrays are being written
        return [mine, *(one.result() for one in waiting)]


class _Reference(_types.StructRef):  # type: ignore[misc]
    """Numba's type of what `borrowed` gives."""


class _Borrowed(_structref.StructRefProxy):  # type: ignore[misc]
    """What `borrowed` gives, as Python sees it. `lender` is there to be kept alive."""

    __slots__ = ("lender",)


_structref.register(_Reference)
_structref.define_boxing(_Reference, _Borrowed)


def borrowed(parts: Any) -> Any:
    """Put a named tuple of arrays, and of tuples of them, behind one pointer; its fields stay.

    To be called in a kernel, for what many calls take and few change: taking it costs nothing,
    while the dispatcher opens every array of every argument at every call. The arrays are not
    counted as references either, which for a hundred of them costs as much as what is done with
    ten tracks: so whoever keeps the result has to keep the arrays too, as its `lender`.
    """
    return SimpleNamespace(**parts._asdict())


@overload(borrowed)
def _borrow(parts: Any) -> Any:
    reference = _Reference(list(zip(parts.fields, parts.types, strict=True)))

    def made(parts: Any) -> Any:
        it = _structref.new(reference)
        _fill(it, parts)
        return it

    return made


def _without_owners(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    """Code for the same arrays without the owners of their memory."""
    if isinstance(kind, _types.Array):
        array = context.make_array(kind)(context, builder, value)
        array.meminfo = array.meminfo.type(None)
        array.parent = array.parent.type(None)
        return array._getvalue()
    if isinstance(kind, _types.BaseTuple):
        for k, part in enumerate(kind):
            one = _without_owners(context, builder, part, builder.extract_value(value, k))
            value = builder.insert_value(value, one, k)
    return value


def _fields_of(_: Any, it: Any, parts: Any) -> Any:
    """Numba's recipe for filling a reference."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        reference, values = args
        for k, (name, kind) in enumerate(zip(parts.fields, parts.types, strict=True)):
            one = _without_owners(context, builder, kind, builder.extract_value(values, k))
            put = context.get_setattr(name, _types.void(it, kind))
            put(builder, (reference, one))
        return context.get_dummy_value()

    return _types.void(it, parts), code


_fill: Any = intrinsic(_fields_of)
