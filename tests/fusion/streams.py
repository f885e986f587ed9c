"""A small busy world as rows and ways for them to arrive, to test history and snapshot."""

from dataclasses import dataclass

import numpy as np

from v2x.fusion import Sensor, Tracker, TrackerConfig
from v2x.fusion.history import copy_of
from v2x.fusion.layout import DUPLICATES, Live
from v2x.observations import Flag
from v2x.plots import PlotColumns, Plots
from v2x.sensors import SensorKind

MS = 1_000_000
SENSORS = (
    Sensor(
        "camera",
        kind=SensorKind.CAMERA,
        clutter_density=1e-5,
        period_s=0.13,
        coverage=((-1e3, -1e3), (1e3, -1e3), (1e3, 1e3), (-1e3, 1e3)),
    ),
    Sensor("radar", kind=SensorKind.RADAR, clutter_density=1e-7, period_s=0.1),
    Sensor("terminal", kind=SensorKind.SELF_REPORT, clutter_density=1e-9, scans=False),
)


@dataclass(frozen=True)
class Stream:
    """Rows, and the looks (t_ns, sensor) they belong to; a look may have none."""

    rows: PlotColumns
    looks: np.ndarray


def stream(seed, seconds=4.0, objects=4, flood=False):
    """Rows of three sensors: some looks at the same time, some empty, one second of silence.

    A flood is 300 objects more that two sensors see for half a second.
    """
    rng = np.random.default_rng(seed)
    crowd = np.column_stack([rng.uniform(-900, 900, (300, 2)), np.full(300, 50.0)])
    x, v = rng.uniform(-60, 60, (objects, 3)), rng.uniform(-15, 15, (objects, 3))
    x[:, 2], v[:, 2] = 50.0, 0.0
    parts, looks = [], []
    for sensor, period in enumerate((130, 100, 400)):
        for ms in range(100, int(seconds * 1000), period):
            if 2000 < ms <= 3000:
                continue
            seen = rng.random(objects) < (0.8 if sensor < 2 else 0.5)
            z = (x + v * ms * 1e-3)[seen] + rng.normal(0, 0.7, (int(seen.sum()), 3))
            clutter = rng.uniform(-900, 900, (rng.poisson(0.5), 3)) if sensor < 2 else z[:0]
            flooded = flood and sensor < 2 and 1300 < ms <= 1800
            z = np.concatenate([z, clutter, crowd if flooded else z[:0]])
            n = len(z)
            looks.append((ms * MS, sensor))
            if sensor == 0:
                z[:, 2] = np.nan
            made = PlotColumns.blank(
                n, t_ns=ms * MS, sensor=sensor, z=z, cov=np.array([0.5, 0, 0, 0.5, 0, 0.5])
            )
            if sensor == 2:
                made.ident[:] = np.flatnonzero(seen) + 1000
                made.vel[:] = v[seen] + rng.normal(0, 0.3, (n, 3))
                made.vel_sd[:] = 0.3
                made.flags[:] = Flag.SELF_REPORTED
            elif sensor == 0:
                made.kind[:] = rng.integers(1, 10, n)
                made.kind_conf[:] = 0.7
            parts.append(made)
    order = sorted(range(len(looks)), key=lambda i: looks[i])
    rows = PlotColumns.concat([parts[i] for i in order])
    return Stream(rows, np.array([looks[i] for i in order], np.int64))


def tracker(history_s=10.0, **keys):
    return Tracker(SENSORS, TrackerConfig(history_s=history_s), **keys)


def slices(told, ends, row_delay=0, look_delay=0, rng=None, again=()):
    """(plots, end) of each step when rows and looks come late by so many ns.

    A row falls into the first step whose end is not before its arrival; what comes after the last
    end falls into the last. Rows of `again` come twice, the second time with `again`'s delay.
    """
    rows, ends = told.rows, np.asarray(ends)
    index, arrival = np.arange(len(rows)), rows.t_ns + row_delay
    for copies, delay in again:
        index = np.concatenate([index, copies])
        arrival = np.concatenate([arrival, rows.t_ns[copies] + delay])
    step = np.minimum(np.searchsorted(ends, arrival), len(ends) - 1)
    look_step = np.searchsorted(ends, told.looks[:, 0] + look_delay)
    look_step = np.minimum(look_step, len(ends) - 1)
    for k, end in enumerate(ends.tolist()):
        mine = index[step == k]
        if rng is not None:
            mine = rng.permutation(mine)
        looks = told.looks[look_step == k]
        yield Plots.of(rows.take(mine), looks[:, 1], looks[:, 0]), end


def grid(told, step_ms=50, more_s=0.0):
    last = int(told.looks[-1, 0]) + int(more_s * 1e9)
    return np.arange(step_ms * MS, last + step_ms * MS, step_ms * MS)


def run(tracked, steps):
    return [as_bytes(tracked.step(plots, end)) for plots, end in steps]


def as_bytes(tracks):
    return b"".join(getattr(tracks, name).tobytes() for name, *_ in tracks.schema())


def state(tracked, but=""):
    """All that steps to come depend on but the history: bytes of every column and count."""
    counts, columns = copy_of(tracked._live, tracked._counts)
    counts[DUPLICATES] = 0
    named = zip(Live._fields, columns, strict=True)
    unseen = b"".join(column.tobytes() for column in tracked._unseen)
    return counts.tobytes() + unseen + b"".join(c.tobytes() for n, c in named if n != but)
