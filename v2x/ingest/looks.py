"""Objects of looks as columns: the rules of section "columns", one for every form they come in.

Column frames, maps of objects and messages read by a mapping bring the same fields. What is a
position, which height can be used, whose covariance is believed: decided here, once.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from v2x.columns import B1, F8, I4, I8, U1, U2
from v2x.frames import FrameBatch
from v2x.geodesy import undulation
from v2x.ingest.look_rows import Joined, fill_looks, room
from v2x.observations import Observations, ident_of
from v2x.sensors import SensorTable

MAX_ROWS = 4_096
"""Objects of one frame."""

SPAN_US = 600_000_000
"""A row further than this from the time of its frame has a suspect time."""

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
        (rows,) or (rows, width) arrays by name of `COLUMNS`, without ``dt`` and ``ident``; those
        that nobody sent may be missing.
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

    A time more than 2 s ahead of its arrival, or a day behind, is flagged as suspect. A row whose
    position is out of range is dropped and counted as ``position_out_of_range``; a
    frame without a good row gets `Reject.VALUE_RANGE` in `rejects`.
    """
    total = looks.frame.shape[0]
    reference = looks.reference.astype(np.uint8)
    sea, amsl = np.zeros(0), np.zeros(total if reference.any() else 0)
    above_sea = reference == 1
    if above_sea.any():
        sea = np.full(total, np.nan)
        if "lat" in looks.columns:
            lat, lon = looks.columns["lat"][above_sea], looks.columns["lon"][above_sea]
            sea[above_sea] = undulation(lat, lon)
    sent = {name: looks.columns.get(name, _NONE[name]) for name in Joined._fields}
    out = room(total)
    noise = sensors.table("sd_m", "sd_up_m", "sd_range_m", "sd_deg")
    rows, off_globe = fill_looks(
        looks.frame, looks.t_ns, looks.doubts, looks.flat, reference, looks.ident, Joined(**sent),
        batch.sensor, batch.recv_ns, noise, sea, rejects, out, amsl,
    )  # fmt: skip
    if off_globe:
        counts["position_out_of_range"] += off_globe
    made = Observations(*out)
    if rows < total:
        made = made.take(slice(rows))
    return made, amsl[:rows] if amsl.size else None


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
        ident, full_text = _identity(text)
        hashes.append(ident)
        if full_text:
            idents[ident] = full_text
    return hashes


@lru_cache(65_536)
def _identity(text: str) -> tuple[int, str]:
    full_text = ident_text(text)
    return ident_of(full_text), full_text


_NONE = {name: full(name, 0) for name in COLUMNS}
