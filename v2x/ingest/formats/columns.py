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
from v2x.geodesy import undulation
from v2x.ingest.decoded import Decoded, Reject
from v2x.ingest.skim import skim
from v2x.observations import Flag, Kind, Model, Observations, ident_of
from v2x.readings import Name, Readings
from v2x.sensors import Datum, SensorTable

MAX_ROWS = 4_096
_SPAN_US = 600_000_000
_FROM_WIRE = np.uint16(
    Flag.SELF_REPORTED | Flag.SIMULATED | Flag.HEIGHT_BAROMETRIC | Flag.HEIGHT_ABOVE_TAKEOFF
    | Flag.RELAYED | Flag.BACKLOG
)  # fmt: skip

COLUMNS: dict[str, tuple[str, int]] = {
    "dt": ("<i4", 1),
    "lat": ("<f8", 1),
    "lon": ("<f8", 1),
    "az": ("<f8", 1),
    "el": ("<f8", 1),
    "range": ("<f8", 1),
    "height": ("<f4", 1),
    "vel": ("<f4", 3),
    "vel_sd": ("<f4", 1),
    "cov": ("<f4", 6),
    "range_sd": ("<f4", 1),
    "ang_sd": ("<f4", 1),
    "radial": ("<f4", 1),
    "radial_sd": ("<f4", 1),
    "rssi": ("<f4", 1),
    "size": ("<f4", 3),
    "track_ref": ("<i8", 1),
    "ident": ("<i4", 1),
    "kind": ("u1", 1),
    "kind_conf": ("<f4", 1),
    "flags": ("<u2", 1),
}
"""dtype and width of every column, in the order the writer puts them."""

_BYTES = {name: np.dtype(dtype).itemsize * width for name, (dtype, width) in COLUMNS.items()}
_EMPTY = {"track_ref": -1, "ident": -1, "kind": 0, "kind_conf": 0, "flags": 0}
_KEYS = frozenset({"v", "seq", "t0", "n", "hr", "datum", "idents", "c"})
_REFERENCES = ("hae", "amsl", "agl", "takeoff", "baro")


class _Refused(Exception):  # noqa: N818
    def __init__(self, code: Reject) -> None:
        self.code = code


def _unique(pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    made = dict(pairs)
    if len(made) != len(pairs) or bytes in map(type, made):
        raise _Refused(Reject.BAD_MAP)
    return made


def _int(value: Any, low: int, high: int, code: Reject) -> int:
    if type(value) is not int:
        raise _Refused(Reject.BAD_MAP)
    if not low <= value <= high:
        raise _Refused(code)
    return value


class _Frame:
    """One frame's map, checked; its columns are still bytes."""

    __slots__ = ("columns", "idents", "n", "reference", "row", "t0")

    def __init__(self, row: int, payload: bytes, datum: Datum, counts: Counter[str]) -> None:
        self.row = row
        try:
            tree = msgpack.unpackb(
                payload, raw=False, strict_map_key=True, timestamp=0, max_str_len=4096,
                max_bin_len=262_144, max_array_len=4096, max_map_len=64, max_ext_len=0,
                object_pairs_hook=_unique,
            )  # fmt: skip
        except ValueError:
            raise _Refused(Reject.BAD_MAP) from None
        if type(tree) is not dict or "v" not in tree:
            raise _Refused(Reject.BAD_MAGIC)
        if tree["v"] != 1 or type(tree["v"]) is not int:
            raise _Refused(Reject.UNSUPPORTED_VERSION)
        self.t0 = _int(tree.get("t0"), 0, LAST_NS, Reject.VALUE_RANGE)
        self.n = _int(tree.get("n"), 0, 1 << 62, Reject.BAD_MAP)
        if self.n > MAX_ROWS:
            raise _Refused(Reject.TOO_COMPLEX)
        self.reference = tree.get("hr", "hae")
        if self.reference not in _REFERENCES:
            raise _Refused(Reject.BAD_MAP)
        said = tree.get("datum")
        if said is not None and said != datum.name.lower():
            raise _Refused(Reject.UNKNOWN_EDITION)
        self.idents: list[str] = tree.get("idents", [])
        if type(self.idents) is not list or not all(type(t) is str for t in self.idents):
            raise _Refused(Reject.BAD_MAP)
        self.columns: dict[str, bytes] = tree.get("c", {})
        if type(self.columns) is not dict:
            raise _Refused(Reject.BAD_MAP)
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
                raise _Refused(Reject.BAD_COLUMN)
        c = self.columns
        flat, angles = "lat" in c and "lon" in c, "az" in c and "el" in c
        if "dt" not in c or flat == angles or ("lat" in c) != ("lon" in c):
            raise _Refused(Reject.BAD_COLUMN)


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
            except _Refused as refusal:
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
    frame = np.array([f.row for f in frames], np.int32)[of]
    dt = joined["dt"].astype(np.int64)
    t0 = np.array([f.t0 for f in frames], np.int64)[of]
    sensor = batch.sensor[frame]
    polar = np.isfinite(joined["range"])
    flat = np.array(["lat" in f.columns for f in frames])[of]
    model = np.where(flat, Model.POSITION, np.where(polar, Model.POLAR, Model.BEARING))

    flags = joined["flags"] & _FROM_WIRE
    flags[np.abs(dt) > _SPAN_US] |= np.uint16(Flag.TIME_SUSPECT)
    reference = np.array([_REFERENCES.index(f.reference) for f in frames])[of]
    height = joined["height"].astype(np.float64)
    height[~(np.abs(height) < 1e5)] = np.nan
    lat, lon = joined["lat"], joined["lon"]
    amsl = None
    if reference.any():
        above_sea = reference == 1
        amsl = np.where(above_sea, height, np.nan)
        height[above_sea] += undulation(lat[above_sea], lon[above_sea])
        height[reference > 1] = np.nan
        uncertain = (reference == 2) | (above_sea & np.isnan(height) & np.isfinite(amsl))
        flags[uncertain] |= np.uint16(Flag.DATUM_UNCERTAIN)
        flags[reference == 3] |= np.uint16(Flag.HEIGHT_ABOVE_TAKEOFF)
        flags[reference == 4] |= np.uint16(Flag.HEIGHT_BAROMETRIC)
    cov, doubtful = _covariance(joined["cov"].astype(np.float64), height, sensor, sensors)
    cov[~flat] = np.nan
    flags[doubtful & flat] |= np.uint16(Flag.LOW_QUALITY)

    text, idents = _identities(frames)
    index = joined["ident"]
    first = np.concatenate(([0], np.cumsum([len(f.idents) for f in frames])))[:-1][of]
    limit = np.array([len(f.idents) for f in frames])[of]
    stray = (index < -1) | (index >= limit)
    ident = np.where(index >= 0, text[np.where(stray | (index < 0), 0, first + index)], -1)

    bad = flat & ~((np.abs(lat) <= 90.0) & (np.abs(lon) <= 180.0))
    bad |= flat & (np.abs(lat) < 0.01) & (np.abs(lon) < 0.01)
    bad |= ~flat & ~((np.abs(joined["az"]) <= 7.0) & (np.abs(joined["el"]) <= 1.6))
    bad |= ~flat & polar & ~((joined["range"] > 0) & (joined["range"] < 1e6))
    per_frame = np.bincount(of[~bad], minlength=len(frames))
    refused = (per_frame == 0) | (np.bincount(of[stray], minlength=len(frames)) > 0)
    if refused.any() or bad.any():
        for j in np.flatnonzero(refused).tolist():
            rejects[frames[j].row] = Reject.BAD_COLUMN if per_frame[j] else Reject.VALUE_RANGE
        counts["position_out_of_range"] += int(np.count_nonzero(bad & ~refused[of]))
    kind = joined["kind"]
    noise = {name: sensors.floats(name)[sensor] for name in ("sd_range_m", "sd_deg")}
    rows = Observations(
        frame=frame,
        t_ns=t0 + dt * 1000,
        recv_ns=batch.recv_ns[frame],
        sensor=sensor,
        ident=ident,
        track_ref=joined["track_ref"],
        kind=np.where(kind <= max(Kind), kind, Kind.UNKNOWN).astype(np.uint8),
        kind_conf=_within(joined["kind_conf"], 0.0, 1.0, 0.0),
        model=model.astype(np.uint8),
        lat=lat,
        lon=lon,
        height=height,
        cov=cov,
        vel=_within(joined["vel"], -2000.0, 2000.0).astype(np.float64),
        vel_sd=_within(joined["vel_sd"], 0.0, 1e4),
        range=joined["range"],
        az=joined["az"],
        el=joined["el"],
        range_sd=_or(_within(joined["range_sd"], 1e-3, 1e5), noise["sd_range_m"], ~flat),
        ang_sd=_or(_within(joined["ang_sd"], 1e-6, 3.2), np.radians(noise["sd_deg"]), ~flat),
        radial=_within(joined["radial"], -2000.0, 2000.0),
        radial_sd=_within(joined["radial_sd"], 0.0, 1e4),
        rssi=_within(joined["rssi"], -200.0, 100.0),
        size=_within(joined["size"], 0.0, 1000.0),
        flags=flags,
    )
    keep = ~(bad | refused[of])
    if keep.all():
        return rows, amsl, idents
    return rows.take(keep), None if amsl is None else amsl[keep], idents


def _join(name: str, frames: list[_Frame], total: int) -> NDArray[Any]:
    """One column of all frames, (rows,) or (rows, width); NaN or -1 or 0 where a frame has none."""
    dtype, width = COLUMNS[name]
    kind = np.dtype(dtype)
    shape = (total,) if width == 1 else (total, width)
    parts = [frame.columns.get(name) for frame in frames]
    if None in parts:
        value = _EMPTY.get(name, np.nan)
        if all(part is None for part in parts):
            return np.full(shape, value, kind.newbyteorder("="))
        filler = np.full(1, value, kind).tobytes() * width
        parts = [filler * f.n if p is None else p for f, p in zip(frames, parts, strict=True)]
    joined = np.frombuffer(b"".join(parts), dtype)  # type: ignore[arg-type]
    return joined.reshape(shape).astype(kind.newbyteorder("="))


def _within(values: NDArray[Any], low: float, high: float, other: float = np.nan) -> NDArray[Any]:
    return np.where((values >= low) & (values <= high), values, values.dtype.type(other))


def _or(values: NDArray[Any], other: F8, where: NDArray[np.bool_]) -> F8:
    return np.where(where & np.isnan(values), other, values).astype(np.float64)


def _covariance(
    cov: F8, height: F8, sensor: NDArray[Any], sensors: SensorTable
) -> tuple[F8, NDArray[np.bool_]]:
    """Covariance as sent where it is one, else the sensor's noise; and where it was refused."""
    flat = np.isnan(height) | np.isnan(cov[:, 5])
    a, b, c, d, e, f = cov.T
    plane = (a > 0) & (d > 0) & (a * d - b * b > 0) & (a < 1e10) & (d < 1e10)
    solid = (f > 0) & (f < 1e10)
    solid &= a * (d * f - e * e) - b * (b * f - e * c) + c * (b * e - d * c) > 0
    good = plane & (flat | solid)
    sent = ~np.isnan(cov).all(axis=1)
    made = cov.copy()
    made[good & flat, 2] = made[good & flat, 4] = 0.0
    made[good & flat, 5] = np.nan
    noise = ~good
    if noise.any():
        made[noise] = 0.0
        sd, up = sensors.floats("sd_m")[sensor[noise]], sensors.floats("sd_up_m")[sensor[noise]]
        made[noise, 0] = made[noise, 3] = np.square(sd)
        made[noise, 5] = np.square(np.where(np.isnan(up), 2.0 * sd, up))
    made[np.isnan(height), 5] = np.nan
    return made, sent & noise


def _identities(frames: list[_Frame]) -> tuple[NDArray[np.int64], dict[int, str]]:
    """Hashes of all string tables, back to back (one -1 where there are none), and their texts."""
    hashes: list[int] = []
    idents: dict[int, str] = {}
    for frame in frames:
        for text in frame.idents:
            full = text if ":" in text or not text else f"ext:{text}"
            ident = ident_of(full)
            hashes.append(ident)
            if full:
                idents[ident] = full
    return np.array(hashes or [-1], np.int64), idents


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
