"""Maps of objects, the slow lane: one map per object, or a list of maps; JSON or msgpack.

For devices that cannot send column frames. The fields are those of the column frame, and all its
rules hold: which rows are kept, which height is used, whose covariance is believed.

=======================  =========================================================================
``t_ns``                 int, ns UTC; or ``t``, a text of ISO 8601 with its zone; or ``t0`` and
                         ``dt`` as in a column frame. None of them: the arrival, flagged
                         `Flag.TIME_FROM_ARRIVAL`
``lat``, ``lon``         deg; or ``az``, ``el`` in rad, with ``range`` in m
``height``               m above what ``hr`` says: hae (default), amsl, agl, takeoff, baro
``vel``, ``size``        lists of three: east, north, up in m/s; length, width, height in m
``cov``                  list of six, EE EN EU NN NU UU, m²
``ident``                text ``scheme:value``; without a scheme ``ext:`` is put before
``kind``                 number or name of `Kind`; what it does not know is unknown
``track_ref, flags``     int
the other columns        numbers, as in the column frame
``v``, ``seq``, ``datum`` optional, as in the column frame
=======================  =========================================================================

null and NaN are "not measured"; unknown keys are counted and ignored. An empty list is an empty
look at its arrival.

An object that cannot be used is dropped alone and counted as ``bad_object``: one without a place
or with a value of the wrong type is `Reject.BAD_COLUMN`, a place or time out of range
`Reject.VALUE_RANGE`, two times or no text where one must be `Reject.BAD_MAP`, another ``v``
`Reject.UNSUPPORTED_VERSION`, another datum than the sensor's `Reject.UNKNOWN_EDITION`. A frame is
refused with the code of its first object where none is left. More than 4,096 objects are
`Reject.TOO_COMPLEX`, what is neither map nor list `Reject.BAD_MAGIC`.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import NoneType
from typing import Any, Literal

import msgpack
import numpy as np

from v2x.columns import B1, F8
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
)  # fmt: skip
from v2x.ingest.timestamps import zoned_ns
from v2x.ingest.trees import MAX_TEXT, printable, trees
from v2x.observations import Flag, Kind
from v2x.readings import Name, Readings
from v2x.sensors import SensorTable

_PLACES = {"lat", "lon", "az", "el"}
_TIMES = ("t_ns", "t", "t0")
_KEYS = {*COLUMNS, *_TIMES, "v", "seq", "hr", "datum"}
_MOST_KEYS = 64
_I4 = 1 << 31
_TIME_MARKS = tuple(
    mark
    for name in (*_TIMES, "seq")
    for mark in (f'"{name}"'.encode(), bytes([0xA0 + len(name)]) + name.encode())
)
_KINDS = {kind.name.lower(): int(kind) for kind in Kind}


class Objects:
    """Format ``objects``."""

    name = "objects"

    def timed(self, payload: bytes) -> bool:
        """Tell whether some object has a time or a counter of its own."""
        return any(mark in payload for mark in _TIME_MARKS)

    def new_state(self) -> None:
        """Return no state: every frame stands alone."""
        return None

    def finish(self, sensors: SensorTable, state: None) -> Decoded:
        """Nothing is ever pending."""
        return Decoded.nothing()

    def decode(self, batch: FrameBatch, sensors: SensorTable, state: None) -> Decoded:
        """Decode all maps of a poll, a column at a time."""
        rejects = np.zeros(len(batch), np.uint8)
        counts: Counter[str] = Counter()
        maps: list[dict[str, Any]] = []
        frames: list[int] = []
        empty: list[int] = []
        for i, tree in enumerate(trees(batch)):
            if isinstance(tree, Reject):
                rejects[i] = tree
                continue
            found = [tree] if type(tree) is dict else tree
            if type(found) is not list or not all(type(one) is dict for one in found):
                rejects[i] = Reject.BAD_MAGIC
            elif len(found) > MAX_ROWS:
                rejects[i] = Reject.TOO_COMPLEX
            elif found:
                maps += found
                frames += [i] * len(found)
            else:
                rejects[i] = Reject.NOTHING_TO_OBSERVE
                empty.append(i)
        idents: dict[int, str] = {}
        made = Decoded.nothing()
        observations, amsl = made.observations, None
        if maps:
            frame = np.array(frames, np.int32)
            looks, codes = _looks(maps, frame, batch, sensors, idents, counts)
            bad = codes != Reject.OK
            if bad.any():
                counts["bad_object"] += int(np.count_nonzero(bad))
                left = np.bincount(frame[~bad], minlength=len(batch))[frame] > 0
                lost, first = np.unique(frame[~left], return_index=True)
                rejects[lost] = codes[~left][first]
            observations, amsl = judged(looks, batch, sensors, rejects, counts)
        readings = Readings.blank(
            len(empty),
            frame=empty,
            t_ns=batch.recv_ns[empty],
            recv_ns=batch.recv_ns[empty],
            sensor=batch.sensor[empty],
            name=Name.SCAN_EMPTY,
            value=1.0,
        )
        return Decoded(observations, readings, rejects, idents, amsl, dict(counts))


def _looks(
    maps: list[dict[str, Any]], frame: Any, batch: FrameBatch, sensors: SensorTable,
    idents: dict[int, str], counts: Counter[str],
) -> tuple[Looks, Any]:  # fmt: skip
    """Columns of the good maps, and (maps,) `Reject` of every map."""
    keys: set[str] = set().union(*maps)
    for key in sorted(keys - _KEYS):
        name = f"unknown_key_{printable(key)}"
        name = name if name in counts or len(counts) < _MOST_KEYS else "unknown_key"
        counts[name] += sum(key in one for one in maps)
    rows = frame.tolist()
    arrival = batch.recv_ns.tolist()
    datum_of = [sensors[row].datum.name.lower() for row in batch.sensor.tolist()]
    n = len(maps)
    codes = np.zeros(n, np.uint8)
    t_ns = np.zeros(n, np.int64)
    doubts, flat = np.zeros(n, np.uint16), np.zeros(n, np.bool_)
    reference = np.zeros(n, np.int8)
    texts: list[str] = []
    for i, one in enumerate(maps):
        get = one.get
        places = _PLACES & one.keys()
        flat[i] = "lat" in places
        code = Reject.OK
        if places != {"lat", "lon"} and places != {"az", "el"}:
            code = Reject.BAD_COLUMN
        if get("v", 1) != 1:
            code = Reject.UNSUPPORTED_VERSION
        said = get("datum")
        if said is not None and said != datum_of[rows[i]]:
            code = Reject.UNKNOWN_EDITION
        above = get("hr")
        if above is not None:
            if type(above) is str and above in REFERENCES:
                reference[i] = REFERENCES.index(above)
            else:
                code = Reject.BAD_MAP
        text = get("ident") or ""
        if type(text) is not str or len(text) > MAX_TEXT or not _encodes(text):
            text, code = "", Reject.BAD_MAP
        texts.append(text)
        when = _time(one)
        if isinstance(when, Reject):
            code = when
        elif when is None:
            t_ns[i], doubts[i] = arrival[rows[i]], Flag.TIME_FROM_ARRIVAL
        else:
            t_ns[i], doubts[i] = when
        codes[i] = code
    columns: dict[str, Any] = {}
    for name, (dtype, width) in COLUMNS.items():
        if name in ("dt", "ident"):
            continue
        if name not in keys:
            columns[name] = full(name, n)
            continue
        values = [one.get(name) for one in maps]
        if name == "kind":
            columns[name], wrong = _kinds(values)
        elif dtype[1] == "f":
            numbers, wrong = _floats(values) if width == 1 else _vectors(values, width)
            with np.errstate(over="ignore"):  # beyond f4 is infinite, and beyond every range
                columns[name] = numbers.astype(np.dtype(dtype).newbyteorder("="))
        else:
            columns[name], wrong = _integers(values, name, dtype)
        codes[wrong & (codes == 0)] = Reject.BAD_COLUMN
    keep = codes == 0
    ident = identities([t for t, k in zip(texts, keep.tolist(), strict=True) if k], idents)
    looks = Looks(
        columns={name: column[keep] for name, column in columns.items()},
        frame=frame[keep],
        t_ns=t_ns[keep],
        doubts=doubts[keep],
        flat=flat[keep],
        reference=reference[keep],
        ident=np.array(ident, np.int64),
    )
    return looks, codes


def _time(one: Mapping[str, Any]) -> tuple[int, int] | Reject | None:
    """Event time and flags of a map; None if it says none."""
    said = [name for name in _TIMES if one.get(name) is not None]
    if not said:
        return None
    if len(said) > 1:
        return Reject.BAD_MAP
    value, dt_us = one[said[0]], 0
    if said[0] == "t":
        if type(value) is not str or len(value) > 64:
            return Reject.BAD_MAP
        try:
            value = zoned_ns(value)
        except ValueError:
            return Reject.BAD_MAP
    elif said[0] == "t0":
        dt_us = one.get("dt") or 0
    if type(value) is not int or type(dt_us) is not int:
        return Reject.BAD_MAP
    if not (0 <= value <= LAST_NS and -_I4 <= dt_us < _I4):
        return Reject.VALUE_RANGE
    return value + dt_us * 1000, int(Flag.TIME_SUSPECT) if abs(dt_us) > SPAN_US else 0


def _encodes(text: str) -> bool:
    """Whether a text can be written as UTF-8: JSON lets half a surrogate pass."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _floats(values: Sequence[Any]) -> tuple[F8, B1]:
    """(n,) f8, NaN for None, and where something else than a number stood."""
    if set(map(type, values)) <= {float, int, NoneType}:
        with suppress(OverflowError):  # an integer of four hundred digits
            return np.array(values, np.float64), np.zeros(len(values), np.bool_)
    wrong = np.array([not _is_number(v) for v in values])
    good = [None if bad else v for v, bad in zip(values, wrong.tolist(), strict=True)]
    return np.array(good, np.float64), wrong


def _is_number(value: Any) -> bool:
    return value is None or type(value) is float or (type(value) is int and abs(value) < 1 << 63)


def _vectors(values: Sequence[Any], width: int) -> tuple[F8, B1]:
    """(n, width) f8, and where something else than a list of `width` numbers or None stood."""
    none = [None] * width
    wrong = np.zeros(len(values), np.bool_)
    flat: list[Any] = []
    for i, value in enumerate(values):
        fits = type(value) is list and len(value) == width
        wrong[i] = not fits and value is not None
        flat += value if fits else none
    numbers, bad = _floats(flat)
    return numbers.reshape(-1, width), wrong | bad.reshape(-1, width).any(axis=1)


def _integers(values: Sequence[Any], name: str, dtype: str) -> tuple[Any, B1]:
    """(n,) of `dtype`, and where something else than an integer of it or None stood."""
    most = np.iinfo(dtype)
    wrong = np.array(
        [v is not None and not (type(v) is int and most.min <= v <= most.max) for v in values]
    )
    none = EMPTY[name]
    made = [none if v is None or w else v for v, w in zip(values, wrong.tolist(), strict=True)]
    return np.array(made, np.dtype(dtype).newbyteorder("=")), wrong


def _kinds(values: Sequence[Any]) -> tuple[Any, B1]:
    """(n,) u1 of `Kind` by number or name, and where neither stood."""
    wrong = np.array([v is not None and type(v) not in (int, str) for v in values])
    made = [
        _KINDS.get(v.lower(), 0) if type(v) is str else v if type(v) is int and 0 <= v < 256 else 0
        for v in values
    ]
    return np.array(made, np.uint8), wrong


def encode_objects(
    t_ns: Sequence[int],
    columns: Mapping[str, Any],
    idents: Sequence[str] = (),
    *,
    form: Literal["msgpack", "json"] = "msgpack",
    reference: str = "hae",
) -> bytes:
    """Encode objects as a list of maps.

    Parameters
    ----------
    t_ns
        Event time of every object.
    columns
        Arrays by column name as for a column frame, without ``dt``; what is NaN, -1 as a
        reference or identity is left out.
    """
    maps: list[dict[str, Any]] = []
    for i, t in enumerate(t_ns):
        one: dict[str, Any] = {"t_ns": int(t)}
        for name, (dtype, width) in COLUMNS.items():
            if name not in columns:
                continue
            value = np.asarray(columns[name], dtype)[i].tolist()
            if name == "ident":
                value = idents[value] if value >= 0 else None
            elif width > 1:
                parts = [None if v != v else v for v in value]
                value = None if all(v is None for v in parts) else parts
            elif value != value or (name == "track_ref" and value == -1):
                value = None
            if value is not None:
                one[name] = value
        if reference != "hae":
            one["hr"] = reference
        maps.append(one)
    if form == "json":
        return json.dumps(maps, ensure_ascii=False, separators=(",", ":")).encode()
    packed: bytes = msgpack.packb(maps)
    return packed


FORMATS = (Objects(),)
