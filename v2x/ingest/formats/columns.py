"""Column frame, version 1: one sensor's look with all its objects, as columns.

A msgpack map:

========  ============  ==========================================================================
``v``     int           1
``seq``   int           counter of the sender
``t0``    int           ns UTC
``n``     int           rows, 0..4,096; 0 = looked and saw nothing
``hr``    str           height reference hae (default), amsl, agl, takeoff, baro
``datum`` str           wgs84, cgcs2000 or gcj02; must be the sensor's
``idents``array of str  identities ``scheme:value``; without a scheme ``ext:`` is put before
``c``     map str->bin  the columns, little-endian
========  ============  ==========================================================================

Columns: ``dt`` i4 us after t0 (required); ``lat``, ``lon`` f8 deg, or ``az``, ``el`` f8 rad, with
``range`` f8 m polar; ``height`` f4 m; ``vel`` (3) f4 m/s east north up, ``vel_sd``; ``cov`` (6) f4
m²; ``range_sd``, ``ang_sd`` f4; ``radial``, ``radial_sd`` f4; ``rssi`` f4; ``size`` (3) f4;
``track_ref`` i8; ``ident`` i4 row of idents or -1; ``kind`` u1, ``kind_conf`` f4; ``flags`` u2.

Unknown keys and columns are counted and ignored. A column of the wrong length is `BAD_COLUMN`, an
unknown datum or one that differs from the sensor's `UNKNOWN_EDITION`, more than 4,096 rows
`TOO_COMPLEX`. A row whose position is out of range is dropped and counted; a frame with no good
row at all is `VALUE_RANGE`. Heights above ground are not turned into heights above the ellipsoid
(the ground is not known here): they stay unmeasured, flagged `DATUM_UNCERTAIN`.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgpack
import numpy as np
from numpy.typing import NDArray

from v2x.columns import F8, U1
from v2x.frames import LAST_NS, FrameBatch
from v2x.ingest.decoded import Decoded, Reject
from v2x.ingest.looks import (
    COLUMNS,
    EMPTY,
    MAX_ROWS,
    REFERENCES,
    SPAN_US,
    Looks,
    full,
    identities,
    judged,
)
from v2x.ingest.skim import skim
from v2x.ingest.trees import Refused, unpacked
from v2x.observations import Flag, Observations
from v2x.readings import Name, Readings
from v2x.sensors import Datum, SensorTable

_BYTES = {name: np.dtype(dtype).itemsize * width for name, (dtype, width) in COLUMNS.items()}
_KEYS = frozenset({"v", "seq", "t0", "n", "hr", "datum", "idents", "c"})


def _int(value: Any, low: int, high: int, code: Reject) -> int:
    if type(value) is not int:
        raise Refused(Reject.BAD_MAP)
    if not low <= value <= high:
        raise Refused(code)
    return value


class _Frame:
    """One frame's map, checked; its columns are still bytes."""

    __slots__ = ("columns", "idents", "n", "reference", "row", "t0")

    def __init__(self, row: int, payload: bytes, datum: Datum, counts: Counter[str]) -> None:
        self.row = row
        tree = unpacked(payload)
        if type(tree) is not dict or "v" not in tree:
            raise Refused(Reject.BAD_MAGIC)
        if tree["v"] != 1 or type(tree["v"]) is not int:
            raise Refused(Reject.UNSUPPORTED_VERSION)
        self.t0 = _int(tree.get("t0"), 0, LAST_NS, Reject.VALUE_RANGE)
        self.n = _int(tree.get("n"), 0, 1 << 62, Reject.BAD_MAP)
        if self.n > MAX_ROWS:
            raise Refused(Reject.TOO_COMPLEX)
        self.reference = tree.get("hr", "hae")
        if self.reference not in REFERENCES:
            raise Refused(Reject.BAD_MAP)
        said = tree.get("datum")
        if said is not None and said != datum.name.lower():
            raise Refused(Reject.UNKNOWN_EDITION)
        self.idents: list[str] = tree.get("idents", [])
        if type(self.idents) is not list or not all(type(t) is str for t in self.idents):
            raise Refused(Reject.BAD_MAP)
        self.columns: dict[str, bytes] = tree.get("c", {})
        if type(self.columns) is not dict:
            raise Refused(Reject.BAD_MAP)
        for name in tree.keys() - _KEYS:
            counts[f"unknown_key_{name}"] += 1
        if self.n:
            self._check(counts)

    def _check(self, counts: Counter[str]) -> None:
        for name, data in self.columns.items():
            size = _BYTES.get(name)
            if size is None:
                counts[f"unknown_column_{name}"] += 1
            elif type(data) is not bytes or len(data) != self.n * size:
                raise Refused(Reject.BAD_COLUMN)
        c = self.columns
        flat, angles = "lat" in c and "lon" in c, "az" in c and "el" in c
        if "dt" not in c or flat == angles or ("lat" in c) != ("lon" in c):
            raise Refused(Reject.BAD_COLUMN)


class ColumnFrame:
    """Format ``columns``."""

    name = "columns"

    def timed(self, payload: bytes) -> bool:
        """Tell that a frame has a time and a counter of its own: always."""
        return True

    def new_state(self) -> None:
        """Return no state: every frame stands alone."""
        return None

    def finish(self, sensors: SensorTable, state: None) -> Decoded:
        """Nothing is ever pending."""
        return Decoded.nothing()

    def decode(self, batch: FrameBatch, sensors: SensorTable, state: None) -> Decoded:
        """Decode all frames of a poll with one join per column."""
        rejects = skim(batch.buf, batch.off)
        counts: Counter[str] = Counter()
        data = batch.buf.tobytes()
        off = batch.off.tolist()
        rows_of = batch.sensor.tolist()
        good: list[_Frame] = []
        for i in np.flatnonzero(rejects == 0).tolist():
            try:
                datum = sensors[rows_of[i]].datum
                good.append(_Frame(i, data[off[i] : off[i + 1]], datum, counts))
            except Refused as refusal:
                rejects[i] = refusal.code
        full = [frame for frame in good if frame.n]
        observations, amsl, idents = _rows(full, batch, sensors, rejects, counts)
        empty = np.array([frame.row for frame in good if not frame.n], np.int64)
        rejects[empty] = Reject.NOTHING_TO_OBSERVE
        readings = Readings.blank(
            empty.size,
            frame=empty,
            t_ns=[frame.t0 for frame in good if not frame.n],
            recv_ns=batch.recv_ns[empty],
            sensor=batch.sensor[empty],
            name=Name.SCAN_EMPTY,
            value=1.0,
        )
        return Decoded(observations, readings, rejects, idents, amsl, dict(counts))


def _rows(
    frames: list[_Frame], batch: FrameBatch, sensors: SensorTable, rejects: U1,
    counts: Counter[str],
) -> tuple[Observations, F8 | None, dict[int, str]]:  # fmt: skip
    if not frames:
        return Observations.blank(), None, {}
    n = np.array([frame.n for frame in frames])
    of = np.repeat(np.arange(len(frames)), n)
    total = int(n.sum())
    joined = {name: _join(name, frames, total) for name in COLUMNS}
    dt = joined.pop("dt").astype(np.int64)
    idents: dict[int, str] = {}
    text = np.array(identities([t for f in frames for t in f.idents], idents) or [-1], np.int64)
    index = joined.pop("ident")
    first = np.concatenate(([0], np.cumsum([len(f.idents) for f in frames])))[:-1][of]
    stray = (index < -1) | (index >= np.array([len(f.idents) for f in frames])[of])
    frame = np.array([f.row for f in frames], np.int32)[of]
    rejects[frame[stray]] = Reject.BAD_COLUMN
    looks = Looks(
        columns=joined,
        frame=frame,
        t_ns=np.array([f.t0 for f in frames], np.int64)[of] + dt * 1000,
        doubts=np.where(np.abs(dt) > SPAN_US, np.uint16(Flag.TIME_SUSPECT), np.uint16(0)),
        flat=np.array(["lat" in f.columns for f in frames])[of],
        reference=np.array([REFERENCES.index(f.reference) for f in frames])[of],
        ident=np.where(index >= 0, text[np.where(stray | (index < 0), 0, first + index)], -1),
    )
    observations, amsl = judged(looks, batch, sensors, rejects, counts)
    return observations, amsl, idents


def _join(name: str, frames: list[_Frame], total: int) -> NDArray[Any]:
    """One column of all frames, (rows,) or (rows, width); NaN or -1 or 0 where a frame has none."""
    dtype, width = COLUMNS[name]
    kind = np.dtype(dtype)
    shape = (total,) if width == 1 else (total, width)
    parts = [frame.columns.get(name) for frame in frames]
    if None in parts:
        value = EMPTY.get(name, np.nan)
        if all(part is None for part in parts):
            return full(name, total)
        filler = np.full(1, value, kind).tobytes() * width
        parts = [filler * f.n if p is None else p for f, p in zip(frames, parts, strict=True)]
    joined = np.frombuffer(b"".join(parts), dtype)  # type: ignore[arg-type]
    return joined.reshape(shape).astype(kind.newbyteorder("="))


def encode_columns(
    t0_ns: int,
    seq: int,
    columns: Mapping[str, Any],
    idents: Sequence[str] = (),
    *,
    reference: str = "hae",
    datum: str | None = None,
) -> bytes:
    """Encode one look.

    Parameters
    ----------
    columns
        Arrays by column name, all of one length; empty mapping: an empty look. ``dt`` is added as
        zeros where missing.
    """
    n = len(next(iter(columns.values()))) if columns else 0
    body: dict[str, bytes] = {}
    for name, (dtype, width) in COLUMNS.items():
        if name in columns:
            values = np.asarray(columns[name], dtype)
            if values.size != n * width:
                raise ValueError(f"column {name}: {values.shape} is not {n} rows of {width}")
            body[name] = np.ascontiguousarray(values).tobytes()
        elif name == "dt" and n:
            body[name] = bytes(4 * n)
    tree: dict[str, Any] = {"v": 1, "seq": seq, "t0": t0_ns, "n": n}
    if reference != "hae":
        tree["hr"] = reference
    if datum is not None:
        tree["datum"] = datum
    if idents:
        tree["idents"] = list(idents)
    tree["c"] = body
    packed: bytes = msgpack.packb(tree, use_bin_type=True)
    return packed


FORMATS = (ColumnFrame(),)
