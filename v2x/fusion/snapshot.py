"""A tracker as bytes, to go on elsewhere or after a restart as if nothing had happened.

A snapshot holds the oldest checkpoint of the history and every scan since; whoever restores it runs
these scans again, and has the state of now with all checkpoints between. Without a history that is
one copy of the columns.

In the bytes, one after the other:

* the seal, a msgpack map: ``format``, ``tracker`` (digest of configuration, tile and sensors),
  ``blake2b`` (of all that follows), ``head`` (bytes);
* the head, a msgpack map: numbers, and ``columns``: name, NumPy type and shape of each;
* the columns, raw and little-endian. Of tracks only the slots in use.

Columns are never named here, so that new ones in `Live` and `Sheet` need no change. Equal histories
give equal bytes: plots of a scan stand in an order that follows from what they are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from hashlib import blake2b
from typing import Any

import msgpack
import numpy as np

from v2x.columns import I8
from v2x.errors import StoreError
from v2x.fusion import layout
from v2x.fusion.history import SCANS, Checkpoint, History, Step, merge, part, sights
from v2x.fusion.intensity import Unseen
from v2x.fusion.layout import Live, Sheet
from v2x.plots import PlotColumns
from v2x.sensors import Sensor

FORMAT = 3
"""To be raised whenever the same bytes would mean something else."""

_STACK = "free"
"""The one column of `Live` that is not indexed by slot."""

_PLOTS = [name for name in Sheet._fields if name not in SCANS and name != "sight"]


class SnapshotError(StoreError):
    """Bytes that are no snapshot of this tracker; the message says why."""


def identity(config: Any, tile_name: str, height_ref_m: float, sensors: Sequence[Sensor]) -> bytes:
    """Digest of all that makes a tracker of the same scans another one."""
    told = [asdict(config), tile_name, height_ref_m, [asdict(sensor) for sensor in sensors]]
    return blake2b(msgpack.packb(told), digest_size=16).digest()


def seal(tracker: bytes, base: Checkpoint, history: History) -> bytes:
    """Snapshot of a tracker that is at the end of `history`, which begins at `base`."""
    steps = history.since(base)
    columns = {
        name: np.ascontiguousarray(column, column.dtype.newbyteorder("<"))
        for name, column in (
            {"counts": base.counts}
            | _sensors(base.sensors)
            | _tracks(base)
            | _map(base.unseen)
            | _scans(steps)
        ).items()
    }
    head = msgpack.packb(
        {
            "cell": base.cell,
            "end": base.end,
            "last": base.last,
            "named_ns": base.named_ns,
            "reported": base.reported,
            "steps": [(step.end, len(step.sheet.scan_ns)) for step in steps],
            "quiet": history.quiet,
            "too_late": history.too_late,
            "columns": [(name, c.dtype.str, c.shape) for name, c in columns.items()],
        }
    )
    parts = [head, *(column.reshape(-1).view(np.uint8).data for column in columns.values())]
    digest = blake2b()
    for piece in parts:
        digest.update(piece)
    told = {"format": FORMAT, "tracker": tracker, "blake2b": digest.digest(), "head": len(head)}
    return b"".join([msgpack.packb(told), *parts])


def unseal(
    data: bytes, tracker: bytes, span_ns: int, like: Unseen, sensors: Mapping[str, Any]
) -> tuple[Checkpoint, History]:
    """Where to begin, and a history whose steps are still to be run; its map is `like` that one.

    `sensors` are arrays as `Watch` has them, for their types and shapes.

    Raises
    ------
    SnapshotError
        On anything that is not exactly what `seal` made for the same tracker.
    """
    try:
        told, columns = _opened(data, tracker)
        counts = _take(columns, "counts", np.zeros(layout.N_COUNTS, np.int64))
        base = Checkpoint(
            cell=told["cell"],
            end=told["end"],
            last=(told["last"][0], told["last"][1]),
            named_ns=told["named_ns"],
            reported=told["reported"],
            counts=counts,
            columns=_to_tracks(columns, counts),
            unseen=Unseen(*(_take(columns, name, column) for name, column in _map(like).items())),
            sensors={
                name: _take(columns, f"sensor.{name}", array) for name, array in sensors.items()
            },
        )
        history = History(span_ns)
        history.begin(base)
        history.steps = _to_steps(columns, told["steps"])
        history.quiet = told["quiet"]
        history.too_late = told["too_late"]
        if columns:
            raise SnapshotError(f"columns of another layout: {', '.join(sorted(columns))}")
    except SnapshotError:
        raise
    except (ValueError, TypeError, LookupError, msgpack.UnpackException) as e:
        raise SnapshotError(f"no snapshot of a tracker: {type(e).__name__}: {e}") from e
    return base, history


def _opened(data: bytes, tracker: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    """Head and columns, once the seal is found whole."""
    reader = msgpack.Unpacker()
    reader.feed(data[:1024])
    told = reader.unpack()
    if told["format"] != FORMAT:
        raise SnapshotError(f"snapshot of format {told['format']!r}, this is {FORMAT}")
    body = memoryview(data)[reader.tell() :]
    if told["blake2b"] != blake2b(body).digest():
        raise SnapshotError("snapshot was cut or changed: its digest is another")
    if told["tracker"] != tracker:
        raise SnapshotError("snapshot of a tracker with another configuration, tile or sensors")
    head = msgpack.unpackb(body[: told["head"]])
    at, columns = told["head"], {}
    for name, dtype, shape in head["columns"]:
        size = np.dtype(dtype).itemsize * int(np.prod(shape))
        columns[name] = np.frombuffer(body[at : at + size], dtype).reshape(shape)
        at += size
    return head, columns


def _take(columns: dict[str, Any], name: str, like: Any) -> Any:
    """Column of that name as an array of its own, if it has the type and shape it has now."""
    if name not in columns:
        raise SnapshotError(f"columns of another layout: no {name}")
    column = columns.pop(name)
    made = column.astype(like.dtype)
    if column.dtype != like.dtype.newbyteorder("<") or column.shape != like.shape:
        raise SnapshotError(f"{name} is {column.dtype} {column.shape}, not {like.dtype}")
    return made


def _map(unseen: Unseen) -> dict[str, Any]:
    return {f"unseen.{name}": column for name, column in unseen._asdict().items()}


def _sensors(arrays: Mapping[str, Any]) -> dict[str, Any]:
    return {f"sensor.{name}": array for name, array in arrays.items()}


def _tracks(base: Checkpoint) -> dict[str, Any]:
    columns = dict(zip(Live._fields, base.columns, strict=True))
    stack = columns.pop(_STACK)[: base.counts[layout.FREE]]
    alive = _lived_in(int(base.counts[layout.TOP]), stack)
    made = {name: column[alive] for name, column in columns.items()}
    return {f"live.{name}": column for name, column in (made | {_STACK: stack}).items()}


def _to_tracks(columns: dict[str, Any], counts: I8) -> tuple[Any, ...]:
    top, n = int(counts[layout.TOP]), int(counts[layout.FREE])
    live: dict[str, Any] = layout.new_live(top, layout.lanes_in(columns["live.s"]))._asdict()
    stack = _take(columns, f"live.{_STACK}", live[_STACK][:n])
    alive = _lived_in(top, stack)
    if np.count_nonzero(alive) != top - n:
        raise SnapshotError("a free slot is listed twice")
    for name, column in live.items():
        if name != _STACK:
            column[alive] = _take(columns, f"live.{name}", column[alive])
    live[_STACK][:n] = stack
    return tuple(live.values())


def _lived_in(top: int, free: Any) -> Any:
    """(top,) True for the slots that are not on the stack `free`."""
    alive = np.ones(top, bool)
    alive[free] = False
    return alive


def _scans(steps: list[Step]) -> dict[str, Any]:
    """Columns of all plots, scan after scan; and sensor, time and number of plots of each scan."""
    sheets = [step.sheet if _packed(step.sheet) else merge([step.sheet]) for step in steps]
    rows = sum(len(s.z) for s in sheets)
    made: dict[str, Any] = {
        f"plot.{name}": np.empty((rows, *like.shape[1:]), like.dtype)
        for name, like in _blank().items()
    }
    found = sights(sheets)
    made["plot.sight"] = np.empty((rows if found else 0, layout.N_SIGHT))
    to = 0
    for k, s in enumerate(sheets):
        n = len(s.z)
        scan = np.repeat(np.arange(len(s.scan_ns)), s.scan_end - s.scan_first)
        mixed = _mixed([getattr(s, name) for name in _PLOTS])
        if found:
            # a row is the same whether or not others of its step saw more than places
            more = found[k][:, layout.MODEL] > 0.0
            more |= np.isfinite(found[k][:, layout.RADIAL])
            mixed[more] ^= _mixed([found[k][more]])
        order = np.lexsort((mixed, scan))
        for name in _PLOTS:
            np.take(getattr(s, name), order, axis=0, out=made[f"plot.{name}"][to : to + n])
        if found:
            np.take(found[k], order, axis=0, out=made["plot.sight"][to : to + n])
        to += n
    for name, of in (
        ("scan.sensor", [s.scan_sensor for s in sheets]),
        ("scan.t_ns", [s.scan_ns for s in sheets]),
        ("scan.size", [s.scan_end - s.scan_first for s in sheets]),
    ):
        made[name] = np.concatenate(of) if of else np.zeros(0, _SCAN_TYPES[name])
    return made


_SCAN_TYPES = {"scan.sensor": np.int32, "scan.t_ns": np.int64, "scan.size": np.int32}


def _to_steps(columns: dict[str, Any], steps: list[tuple[int, int]]) -> list[Step]:
    n = sum(count for _, count in steps)
    sensor, t_ns, size = (
        _take(columns, name, np.zeros(n, dtype)) for name, dtype in _SCAN_TYPES.items()
    )
    end = np.cumsum(size, dtype=np.int32)
    rows = int(end[-1]) if n else 0
    plots = {
        name: _take(columns, f"plot.{name}", np.empty((rows, *like.shape[1:]), like.dtype))
        for name, like in _blank().items()
    }
    seen = len(columns["plot.sight"]) if "plot.sight" in columns else 0
    like = np.empty((rows if seen else 0, layout.N_SIGHT))
    plots["sight"] = _take(columns, "plot.sight", like)
    whole = Sheet(**plots, scan_sensor=sensor, scan_ns=t_ns, scan_first=(end - size), scan_end=end)
    made, at = [], 0
    for time, count in steps:
        made.append(Step(time, merge([part(whole, at, at + count)])))
        at += count
    return made


def _blank() -> dict[str, Any]:
    return {name: getattr(PlotColumns.blank(), name) for name in _PLOTS}


def _packed(sheet: Sheet) -> bool:
    """The rows are those of the scans and stand in their order."""
    first, end = sheet.scan_first, sheet.scan_end
    return bool(first[0] == 0 and end[-1] == len(sheet.z) and np.all(first[1:] == end[:-1]))


def _mixed(columns: list[Any]) -> Any:
    """(n,) u8 number of each row from all its bits; equal only for equal rows, as good as surely.

    Multiply and shift after Vigna's splitmix64.
    """
    n = len(columns[0])
    mixed = np.zeros(n, np.uint64)
    for column in columns:
        flat = np.ascontiguousarray(column).reshape(n, int(np.prod(column.shape[1:])))
        words = flat.view(f"u{flat.dtype.itemsize}").astype(np.uint64, copy=False)
        for k in range(words.shape[1]):
            mixed ^= words[:, k]
            mixed *= np.uint64(0xBF58476D1CE4E5B9)
            mixed ^= mixed >> np.uint64(29)
    return mixed
