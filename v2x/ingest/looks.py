"""Objects of looks as columns: the rules of section "columns", one for every form they come in.

Column frames, maps of objects and messages read by a mapping bring the same fields. What is a
position, which height can be used, whose covariance is believed: decided here, once.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from v2x.columns import B1, F8, I4, I8, U1, U2
from v2x.frames import FrameBatch
from v2x.geodesy import undulation
from v2x.ingest.decoded import Reject
from v2x.observations import Flag, Kind, Model, Observations, ident_of
from v2x.sensors import SensorTable

MAX_ROWS = 4_096
"""Objects of one frame."""

SPAN_US = 600_000_000
"""A row further than this from the time of its frame has a suspect time."""

FROM_WIRE = np.uint16(
    Flag.SELF_REPORTED | Flag.SIMULATED | Flag.HEIGHT_BAROMETRIC | Flag.HEIGHT_ABOVE_TAKEOFF
    | Flag.RELAYED | Flag.BACKLOG
)  # fmt: skip
"""Flags that a sender may set; the others are ours."""

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

EMPTY: Mapping[str, int] = {"track_ref": -1, "ident": -1, "kind": 0, "kind_conf": 0, "flags": 0}
"""What stands where a column was not sent, if it is not NaN."""

REFERENCES = ("hae", "amsl", "agl", "takeoff", "baro")
"""What a height may be above; `Looks.reference` holds the index."""


@dataclass(frozen=True, slots=True)
class Looks:
    """Objects of several frames before they are judged.

    Attributes
    ----------
    columns
        (rows,) or (rows, width) arrays by name of `COLUMNS`, without ``dt`` and ``ident``.
    frame
        (rows,) i4 row of the frame in its batch, ascending.
    t_ns
        (rows,) i8 event time.
    doubts
        (rows,) u2 flags of ours: a time beyond `SPAN_US` of its frame's is suspect, say.
    flat
        (rows,) whether the row has ``lat``, ``lon``; else it has ``az``, ``el``.
    reference
        (rows,) index in `REFERENCES` of what ``height`` is above.
    ident
        (rows,) i8 of `ident_of`, -1 none.
    """

    columns: Mapping[str, NDArray[Any]]
    frame: I4
    t_ns: I8
    doubts: U2
    flat: B1
    reference: NDArray[Any]
    ident: I8


def judged(
    looks: Looks, batch: FrameBatch, sensors: SensorTable, rejects: U1, counts: Counter[str]
) -> tuple[Observations, F8 | None]:
    """Rows of frames that are not refused, and their heights above sea level (None: none sent).

    A row whose position is out of range is dropped and counted as ``position_out_of_range``; a
    frame without a good row gets `Reject.VALUE_RANGE` in `rejects`.
    """
    column, frame, flat, reference = looks.columns, looks.frame, looks.flat, looks.reference
    sensor = batch.sensor[frame]
    polar = np.isfinite(column["range"])
    model = np.where(flat, Model.POSITION, np.where(polar, Model.POLAR, Model.BEARING))
    flags = column["flags"] & FROM_WIRE | looks.doubts
    height = column["height"].astype(np.float64)
    height[~(np.abs(height) < 1e5)] = np.nan
    lat, lon = column["lat"], column["lon"]
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
    cov, doubtful = _covariance(column["cov"].astype(np.float64), height, sensor, sensors)
    cov[~flat] = np.nan
    flags[doubtful & flat] |= np.uint16(Flag.LOW_QUALITY)

    bad = flat & ~((np.abs(lat) <= 90.0) & (np.abs(lon) <= 180.0))
    bad |= flat & (np.abs(lat) < 0.01) & (np.abs(lon) < 0.01)
    bad |= ~flat & ~((np.abs(column["az"]) <= 7.0) & (np.abs(column["el"]) <= 1.6))
    bad |= ~flat & polar & ~((column["range"] > 0) & (column["range"] < 1e6))
    refused = rejects[frame] != Reject.OK
    if bad.any():
        counts["position_out_of_range"] += int(np.count_nonzero(bad & ~refused))
        good = np.bincount(frame[~bad], minlength=len(batch))[frame] > 0
        rejects[frame[~good]] = Reject.VALUE_RANGE
    kind = column["kind"]
    noise = {name: sensors.floats(name)[sensor] for name in ("sd_range_m", "sd_deg")}
    rows = Observations(
        frame=frame,
        t_ns=looks.t_ns,
        recv_ns=batch.recv_ns[frame],
        sensor=sensor,
        ident=looks.ident,
        track_ref=column["track_ref"],
        kind=np.where(kind <= max(Kind), kind, Kind.UNKNOWN).astype(np.uint8),
        kind_conf=_within(column["kind_conf"], 0.0, 1.0, 0.0),
        model=model.astype(np.uint8),
        lat=lat,
        lon=lon,
        height=height,
        cov=cov,
        vel=_within(column["vel"], -2000.0, 2000.0).astype(np.float64),
        vel_sd=_within(column["vel_sd"], 0.0, 1e4),
        range=column["range"],
        az=column["az"],
        el=column["el"],
        range_sd=_or(_within(column["range_sd"], 1e-3, 1e5), noise["sd_range_m"], ~flat),
        ang_sd=_or(_within(column["ang_sd"], 1e-6, 3.2), np.radians(noise["sd_deg"]), ~flat),
        radial=_within(column["radial"], -2000.0, 2000.0),
        radial_sd=_within(column["radial_sd"], 0.0, 1e4),
        rssi=_within(column["rssi"], -200.0, 100.0),
        size=_within(column["size"], 0.0, 1000.0),
        flags=flags,
    )
    keep = ~(bad | refused)
    if keep.all():
        return rows, amsl
    return rows.take(keep), None if amsl is None else amsl[keep]


def full(name: str, rows: int) -> NDArray[Any]:
    """A column of `COLUMNS` that nobody sent."""
    dtype, width = COLUMNS[name]
    shape = (rows,) if width == 1 else (rows, width)
    return np.full(shape, EMPTY.get(name, np.nan), np.dtype(dtype).newbyteorder("="))


def ident_text(text: str) -> str:
    """Identity as ``scheme:value``: without a scheme ``ext:`` is put before; empty stays empty."""
    return text if ":" in text or not text else f"ext:{text}"


def identities(texts: list[str], idents: dict[int, str]) -> list[int]:
    """Hash every identity of `texts`; hash and text are noted in `idents`."""
    hashes: list[int] = []
    for text in texts:
        full_text = ident_text(text)
        ident = ident_of(full_text)
        hashes.append(ident)
        if full_text:
            idents[ident] = full_text
    return hashes


def _within(values: NDArray[Any], low: float, high: float, other: float = np.nan) -> NDArray[Any]:
    return np.where((values >= low) & (values <= high), values, values.dtype.type(other))


def _or(values: NDArray[Any], other: F8, where: B1) -> F8:
    return np.where(where & np.isnan(values), other, values).astype(np.float64)


def _covariance(cov: F8, height: F8, sensor: I4, sensors: SensorTable) -> tuple[F8, B1]:
    """Covariance as sent where it is one, else the sensor's noise; and where it was refused."""
    flat = np.isnan(height) | np.isnan(cov[:, 5])
    a, b, c, d, e, f = cov.T
    solid = (f > 0) & (f < 1e10)
    with np.errstate(invalid="ignore"):  # infinity times zero is no area, and no volume
        plane = (a > 0) & (d > 0) & (a * d - b * b > 0) & (a < 1e10) & (d < 1e10)
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
