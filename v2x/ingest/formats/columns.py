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

from v2x.columns import F8, I4, I8, U1
from v2x.frames import LAST_NS, FrameBatch
from v2x.ingest.column_survey import (
    AT,
    BYTES,
    DATUM,
    FIRST_IDENT,
    HEIGHT_REF,
    IDENTS,
    ROW,
    SLOW,
    SURVEY,
    T0,
    TEXTS,
    TEXTS_END,
    N,
    gather,
    spread,
    survey,
)  # fmt: skip
from v2x.ingest.decoded import Decoded, Reject
from v2x.ingest.looks import COLUMNS, MAX_ROWS, REFERENCES, Looks, identities, judged
from v2x.ingest.skim import skim
from v2x.ingest.timestamps import SECOND, suspect
from v2x.ingest.trees import Refused, unpacked
from v2x.observations import Observations
from v2x.readings import Name, Readings
from v2x.sensors import Datum, SensorTable

_NO_IDENT: I4 = np.zeros(0, np.int32)
_KEYS = frozenset({"v", "seq", "t0", "n", "hr", "datum", "idents", "c"})


def _int(value: Any, low: int, high: int, code: Reject) -> int:
    if type(value) is not int:
        raise Refused(Reject.BAD_MAP)
    if not low <= value <= high:
        raise Refused(code)
    return value


class _Frame:
    """A frame that is not quite as senders write it: its map, checked; its columns are bytes."""

    __slots__ = ("columns", "idents", "n", "reference", "t0")

    def __init__(self, payload: bytes, datum: Datum, counts: Counter[str]) -> None:
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
            size = BYTES.get(name)
            if size is None:
                counts[f"unknown_column_{name}"] += 1
            elif type(data) is not bytes or len(data) != self.n * size:
                raise Refused(Reject.BAD_COLUMN)
        c = self.columns
        flat, angles = "lat" in c and "lon" in c, "az" in c and "el" in c
        if "dt" not in c or flat == angles or ("lat" in c) != ("lon" in c):
            raise Refused(Reject.BAD_COLUMN)

    def found(self, row: int, at: int) -> tuple[list[int], bytes]:
        """Survey of this frame, and its columns one behind the other, which will stand at `at`."""
        made, parts = [0] * SURVEY, []
        made[ROW], made[T0], made[N] = row, self.t0, self.n
        made[HEIGHT_REF], made[IDENTS] = REFERENCES.index(self.reference), len(self.idents)
        for k, name in enumerate(COLUMNS):
            data = self.columns.get(name) if self.n else None
            made[AT + k] = -1 if data is None else at
            if data is not None:
                parts.append(data)
                at += len(data)
        return made, b"".join(parts)


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
        """Decode all frames of a poll together."""
        rejects = skim(batch.buf, batch.off)
        counts: Counter[str] = Counter()
        found = np.zeros((len(batch), SURVEY), np.int64)
        survey(batch.buf, batch.off, rejects, found, np.empty(len(COLUMNS), np.int64))
        said = found[:, DATUM]
        found[(said > 0) & (said - 1 != sensors.datum()[batch.sensor]), SLOW] = 1
        buf, texts = _slowly(batch, sensors, found, rejects, counts)
        good = found[rejects == 0]
        empty = good[good[:, N] == 0]
        observations, amsl, idents = _rows(
            good[good[:, N] > 0], buf, texts, batch, sensors, rejects, counts
        )
        rejects[empty[:, ROW]] = Reject.NOTHING_TO_OBSERVE
        return Decoded(
            observations, _readings(good, batch, rejects), rejects, idents, amsl, dict(counts)
        )


def _slowly(
    batch: FrameBatch, sensors: SensorTable, found: I8, rejects: U1, counts: Counter[str]
) -> tuple[U1, dict[int, list[str]]]:
    """Survey of what the kernel left: the buffer, with their columns behind it, and their texts."""
    texts: dict[int, list[str]] = {}
    extra: list[bytes] = []
    at = len(batch.buf)
    for i in np.flatnonzero((rejects == 0) & (found[:, SLOW] != 0)).tolist():
        try:
            frame = _Frame(batch.payload(i), sensors[int(batch.sensor[i])].datum, counts)
        except Refused as refusal:
            rejects[i] = refusal.code
            continue
        found[i], data = frame.found(i, at)
        texts[i] = frame.idents
        extra.append(data)
        at += len(data)
    if not extra:
        return batch.buf, texts
    whole = np.concatenate([batch.buf, np.frombuffer(b"".join(extra), np.uint8)])
    whole.flags.writeable = False  # as batches are: kernels are compiled for that alone
    return whole, texts


def _readings(found: I8, batch: FrameBatch, rejects: U1) -> Readings:
    """Empty looks, and clocks that cannot be right."""
    t0, recv = found[:, T0], batch.recv_ns[found[:, ROW]]
    accepted = np.isin(rejects[found[:, ROW]], (Reject.OK, Reject.NOTHING_TO_OBSERVE))
    empty = accepted & (found[:, N] == 0)
    off = accepted & suspect(t0, recv)
    if not (empty.any() or off.any()):
        return Readings.blank()
    at = np.concatenate([np.flatnonzero(empty), np.flatnonzero(off)])
    name = np.repeat([Name.SCAN_EMPTY, Name.CLOCK_OFFSET_S], [empty.sum(), off.sum()])
    value = np.where(name == Name.SCAN_EMPTY, 1.0, (t0 - recv)[at] / SECOND)
    order = np.argsort(at, kind="stable")
    at = at[order]
    row = found[at, ROW]
    return Readings.blank(
        at.size,
        frame=row,
        t_ns=t0[at],
        recv_ns=recv[at],
        sensor=batch.sensor[row],
        name=name[order],
        value=value[order],
    )


def _rows(
    found: I8, buf: U1, texts: dict[int, list[str]], batch: FrameBatch, sensors: SensorTable,
    rejects: U1, counts: Counter[str],
) -> tuple[Observations, F8 | None, dict[int, str]]:  # fmt: skip
    if not found.shape[0]:
        return Observations.blank(), None, {}
    idents: dict[int, str] = {}
    hashes = _identities(found, batch, texts, idents)
    columns = gather(buf, found)
    said = spread(found, columns.pop("dt"), columns.pop("ident", _NO_IDENT), hashes, rejects)
    looks = Looks(columns, *said)
    observations, amsl = judged(looks, batch, sensors, rejects, counts)
    return observations, amsl, idents


def _identities(
    found: I8, batch: FrameBatch, texts: dict[int, list[str]], idents: dict[int, str]
) -> I8:
    """Hashes of all string tables, back to back (one -1 where there are none)."""
    found[:, FIRST_IDENT] = np.cumsum(found[:, IDENTS]) - found[:, IDENTS]
    hashes: list[int] = []
    for row, begin, end in found[found[:, IDENTS] > 0][:, [ROW, TEXTS, TEXTS_END]].tolist():
        listed = texts.get(row)
        if listed is None:
            listed = msgpack.unpackb(batch.buf[begin:end].tobytes(), raw=False)
        hashes += identities(listed, idents)
    return np.array(hashes or [-1], np.int64)


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
