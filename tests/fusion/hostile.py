"""Rows that no sensor sends, at the tracker: ``python -m tests.fusion.hostile ROWS [SEED]``.

Random, degenerate and hostile values in every column: NaN, infinities, huge and tiny numbers, zero
and singular covariances, identical points, all mixed with rows that are meant well. After every
step whatever is reported must be finite, symmetric and positive definite, and the modes inside
finite.
"""

import sys

import numpy as np

from v2x.fusion import Sensor, Tracker, TrackerConfig, layout
from v2x.plots import PlotColumns, Plots
from v2x.sensors import SensorKind

SENSORS = [
    Sensor("a", p_detect=0.9, clutter_density=1e-5),
    Sensor("b", p_detect=1.0, clutter_density=0.0, scans=False, kind=SensorKind.SELF_REPORT),
    Sensor("c", p_detect=0.5, clutter_density=1e-7, coverage=((-500, -500), (500, -500), (0, 700))),
    Sensor("d", p_detect=0.7, clutter_density=1e-9, floor_m=0.0, ceiling_m=120.0, track_input=True),
]
WILD = np.array(
    [0.0, -0.0, 1.0, -1.0, 1e-300, 1e-12, 1e-6, 1e6, 1e7, 1e8, 1e18, 1e300, np.inf, -np.inf, np.nan]
)


def wild(rng, shape):
    """Values of which a third is from the list of `WILD`."""
    values = rng.normal(0, 1, shape) * 10.0 ** rng.integers(-8, 9, shape)
    return np.where(rng.random(shape) < 0.33, rng.choice(WILD, shape), values)


def rows(rng, n, t_ns):
    """`n` rows up to `t_ns`; one in three is well meant, one in three degenerate, one wild."""
    z = rng.uniform(-60, 60, (n, 3))
    A = rng.normal(0, 1, (n, 3, 3)) * 10.0 ** rng.uniform(-5, 3, (n, 1, 3))
    C = A @ A.transpose(0, 2, 1)
    cov = C[:, [0, 0, 0, 1, 1, 2], [0, 1, 2, 1, 2, 2]]
    sort = rng.integers(0, 3, n)
    kind = rng.integers(0, 5, n)
    degenerate = sort == 1
    z[degenerate & (kind == 0)] = 1.0
    cov[degenerate & (kind == 1)] = 0.0
    cov[degenerate & (kind == 2)] = 1e-9
    cov[degenerate & (kind == 3)] *= 1e6
    cov[degenerate & (kind == 4), 1] = np.sqrt(np.prod(cov[degenerate & (kind == 4)][:, [0, 3]], 1))
    bad = sort == 2
    z[bad] = np.where(rng.random((bad.sum(), 3)) < 0.3, wild(rng, (bad.sum(), 3)), z[bad])
    cov[bad] = np.where(rng.random((bad.sum(), 6)) < 0.3, wild(rng, (bad.sum(), 6)), cov[bad])
    flat = rng.random(n) < 0.3
    z[flat, 2] = np.nan
    vel = np.where(rng.random((n, 3)) < 0.5, np.nan, wild(rng, (n, 3)))
    return PlotColumns.blank(
        n,
        t_ns=t_ns - rng.integers(0, 4, n) * 10_000_000,
        sensor=rng.integers(0, len(SENSORS), n),
        z=z,
        cov=cov,
        vel=vel,
        vel_sd=wild(rng, n).astype(np.float32),
        ident=np.where(rng.random(n) < 0.6, -1, rng.integers(0, 40, n)),
        track_ref=np.where(rng.random(n) < 0.6, -1, rng.integers(0, 40, n)),
        kind=rng.integers(0, 256, n),
        kind_conf=wild(rng, n).astype(np.float32),
        flags=rng.integers(0, 1 << 16, n),
    )


def faults(tracker, tracks):
    """What is wrong with the tracks reported and with the modes of those inside."""
    found = []
    if not (np.isfinite(tracks.x).all() and np.isfinite(tracks.P).all()):
        found.append("a number that is none")
    elif not np.array_equal(tracks.P, tracks.P.transpose(0, 2, 1)):
        found.append("a covariance that is not symmetric")
    else:
        d = np.sqrt(np.diagonal(tracks.P, axis1=1, axis2=2))
        if len(d) and not (np.linalg.eigvalsh(tracks.P / d[:, :, None] / d[:, None, :]) > 0).all():
            found.append("a covariance that is not positive")
    if not ((tracks.exist > 0.0) & (tracks.exist < 1.0)).all():
        found.append("an existence outside (0, 1)")
    live = tracker._live
    inside = live.mode & layout.ALIVE > 0
    grown = inside & (live.mode & layout.YOUNG == 0)
    tall = grown & (live.mode & layout.HAS_UP > 0)
    for name, where in (("s", grown), ("up", tall), ("bar", inside), ("r", inside)):
        if not np.isfinite(getattr(live, name)[where]).all():
            found.append(f"{name} is not finite")
    return found


def attack(n_rows, seed, size=500):
    """Feed `n_rows` rows; the faults found, with the step they were found in."""
    rng = np.random.default_rng([seed, 6])
    tracker = Tracker(SENSORS, TrackerConfig(motion="imm"))
    found, t_ns = [], 0
    with np.errstate(over="ignore", invalid="ignore"):
        for step in range(max(1, n_rows // size)):
            t_ns += int(rng.choice([50_000_000, 50_000_000, 50_000_000, 3_000_000_000]))
            tracks = tracker.step(Plots.of(rows(rng, size, t_ns)), t_ns)
            found += [(step, fault) for fault in faults(tracker, tracks)]
    return found, tracker


if __name__ == "__main__":
    count, seed = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0
    found, tracker = attack(count, seed)
    print(f"{count} rows, {len(tracker)} tracks at the end, {len(found)} faults {found[:5]}")
    print(tracker.tally)
    sys.exit(bool(found))
