"""Rows that kernels write: the columns of observations and readings as they go into a kernel."""

from typing import Any, NamedTuple

import numpy as np

from v2x.columns import F4, F8, I4, I8, U1, U2
from v2x.jit import uncounted
from v2x.observations import Observations
from v2x.readings import Readings


class ObservationOut(NamedTuple):
    """Columns of `Observations` that a kernel fills; the others stay blank."""

    frame: I4
    t_ns: I8
    recv_ns: I8
    sensor: I4
    ident: I8
    track_ref: I8
    kind: U1
    kind_conf: F4
    lat: F8
    lon: F8
    height: F8
    cov: F8
    vel: F8
    vel_sd: F4
    flags: U2


class ReadingOut(NamedTuple):
    """Columns of `Readings`, in their order."""

    frame: I4
    t_ns: I8
    recv_ns: I8
    sensor: I4
    ident: I8
    name: U2
    value: F8
    ident2: I8
    lat: F8
    lon: F8


def writable(rows: Observations) -> ObservationOut:
    """Columns of `rows` for a kernel to fill."""
    return ObservationOut(*(getattr(rows, name) for name in ObservationOut._fields))


def room_for(n: int) -> ReadingOut:
    """Columns for up to `n` readings, to be written with `put`.

    All lie in one block, widest first: ten blocks a poll went back to the system and came as fresh
    pages each time, which cost more than reading the frames.
    """
    block = np.empty(n * _ROW, np.uint8)
    return ReadingOut(*(np.ndarray(n, dtype, block, n * at) for dtype, at in _PLACES))


def readings_of(out: ReadingOut, n: int) -> Readings:
    """First `n` rows of `out`."""
    columns: Any = [column[:n] for column in out]
    return Readings(*columns)


def _places() -> list[tuple[np.dtype[Any], int]]:
    """Type and place in a row of each column of `Readings`, were the widest first."""
    made, at = {}, 0
    for name, dtype, _, _ in sorted(Readings.schema(), key=lambda column: -column[1].itemsize):
        made[name] = (dtype, at)
        at += dtype.itemsize
    return [made[name] for name in ReadingOut._fields]


_PLACES = _places()
_ROW = sum(dtype.itemsize for dtype, _ in _PLACES)


@uncounted
def on_globe(lat: float, lon: float) -> bool:
    """Whether a pair is a position: on the globe, and not where encoders without a fix drift."""
    return abs(lat) <= 90.0 and abs(lon) <= 180.0 and not (abs(lat) <= 0.01 and abs(lon) <= 0.01)


@uncounted
def put(
    out: ReadingOut, k: int, frame: int, t_ns: int, recv_ns: int, sensor: int, ident: int,
    name: int, value: float,
) -> int:  # fmt: skip
    """Write reading `k`, without a place and a second identity; the next free row."""
    out.frame[k] = frame
    out.t_ns[k] = t_ns
    out.recv_ns[k] = recv_ns
    out.sensor[k] = sensor
    out.ident[k] = ident
    out.name[k] = name
    out.value[k] = value
    out.ident2[k] = -1
    out.lat[k] = np.nan
    out.lon[k] = np.nan
    return k + 1
