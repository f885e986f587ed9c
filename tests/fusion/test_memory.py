"""What goes to the kernels without being looked at: borrowed arrays, and columns at the door."""

import gc
import json
import os
import subprocess
import sys
import weakref
from dataclasses import fields, replace
from typing import NamedTuple

import numpy as np
import pytest

from v2x.fusion import Sensor, Tracker, TrackerConfig, layout
from v2x.fusion.sheets import sheet_of
from v2x.jit import borrowed, entry, kernel
from v2x.plots import Plots, Scans
from v2x.tracks import Tracks


class Pair(NamedTuple):
    first: np.ndarray
    more: tuple


@kernel
def lend(pair):
    return borrowed(pair)


@kernel
def add(pair, x):
    for i in range(pair.first.shape[0]):
        pair.first[i] += x * pair.more[1][0]
    return pair.more[0]


def test_a_kernel_writes_into_what_was_lent_to_it():
    first = np.zeros(3)
    lent = lend(Pair(first, (7, np.array([2.0]))))
    lent.lender = first
    assert add(lent, 1.5) == 7
    assert entry(add, lent, 0.0)(lent, 0.5) == 7
    assert first.tolist() == [4.0, 4.0, 4.0]


def test_the_arrays_of_a_tracker_live_as_long_as_it_does_and_no_longer():
    tracker = Tracker([Sensor("radar", clutter_density=1e-5)], TrackerConfig())
    tracker.step(Plots.positions(5, 0, np.zeros((9, 2)), np.tile(np.eye(2), (9, 1, 1))), 5)
    old = weakref.ref(tracker._live.s)
    gc.collect()
    assert old() is not None
    n = len(tracker._live.r) + 1
    spread = np.arange(2.0 * n).reshape(n, 2) * 50.0
    tracker.step(Plots.positions(9, 0, spread, np.tile(np.eye(2), (n, 1, 1))), 9)
    assert old() is None, "grown: nobody holds the smaller ones"
    new = weakref.ref(tracker._live.s)
    del tracker
    gc.collect()
    assert new() is None


def test_tracks_and_output_have_the_same_columns_in_the_same_order():
    assert layout.Output._fields == tuple(f.name for f in fields(Tracks))


def stream(n=6):
    rng = np.random.default_rng(3)
    for k in range(1, 9):
        xyz = rng.normal(0, 0.3, (n, 3)) + np.arange(n)[:, None] * 40.0 + 0.5 * k
        yield (
            k * 100_000_000,
            Plots.positions(
                k * 100_000_000, 0, xyz, np.tile(np.eye(3) * 0.1, (n, 1, 1)), kind=4,
                kind_conf=0.7, vel=np.full((n, 3), 5.0), vel_sd=1.0, ident=np.arange(n),
                track_ref=np.arange(n) + 9,
            ),
        )  # fmt: skip


def as_bytes(tracks):
    return b"".join(getattr(tracks, name).tobytes() for name, *_ in tracks.schema())


def swapped(column):
    return column.astype(column.dtype.newbyteorder())


def strided(column):
    return np.repeat(column, 2, axis=0)[::2]


def locked(column):
    made = column.copy()
    made.flags.writeable = False
    return made


def shifted(column):
    raw = np.zeros(column.nbytes + 1, np.uint8)[1:]
    made = raw.view(column.dtype).reshape(column.shape)
    made[...] = column
    return made


def wider(column):
    return column.astype(np.dtype(f"{column.dtype.kind}8"))


@pytest.mark.parametrize("odd", [swapped, strided, locked, shifted, wider])
def test_columns_of_any_make_give_the_same_bytes(odd):
    plain, other = (Tracker([Sensor("radar", clutter_density=1e-5)]) for _ in range(2))
    for t_ns, plots in stream():
        rows = {f.name: odd(getattr(plots.rows, f.name)) for f in fields(plots.rows)}
        scans = {f.name: odd(getattr(plots.scans, f.name)) for f in fields(plots.scans)}
        made = replace(plots, rows=replace(plots.rows, **rows), scans=replace(plots.scans, **scans))
        assert as_bytes(plain.step(plots, t_ns)) == as_bytes(other.step(made, t_ns))
    assert len(plain) > 0


def test_every_column_lands_where_it_belongs():
    _, plots = next(stream())
    sheet = sheet_of(plots)
    assert set(sheet._fields) > {"z", "scan_ns", "sight"}
    for name in set(sheet._fields) - {"sight"}:
        if name.startswith("scan_"):
            column = getattr(plots.scans, {"scan_ns": "t_ns"}.get(name, name[5:]))
        else:
            column = getattr(plots.rows, name)
        np.testing.assert_array_equal(getattr(sheet, name), column)


@pytest.mark.parametrize("name", ["z", "cov", "vel", "vel_sd", "ident", "track_ref", "flags"])
def test_columns_of_another_length_or_width_are_refused_and_change_nothing(name):
    tracker, twin = (Tracker([Sensor("radar", clutter_density=1e-5)]) for _ in range(2))
    (t_ns, plots), (later_ns, later), *_ = stream()
    tracker.step(plots, t_ns)
    twin.step(plots, t_ns)
    column = getattr(later.rows, name)
    for wrong in (column[:-1], column[..., None], np.zeros(0, column.dtype)):
        bad = replace(later, rows=replace(later.rows, **{name: wrong}))
        with pytest.raises(ValueError, match=r"column|scan"):
            tracker.step(bad, later_ns)
    assert as_bytes(tracker.step(later, later_ns)) == as_bytes(twin.step(later, later_ns))


@pytest.mark.parametrize(("first", "end"), [(0, 7), (-1, 6), (4, 3)])
def test_a_scan_of_rows_that_are_not_there_is_refused(first, end):
    t_ns, plots = next(stream())
    scans = Scans.blank(1, sensor=0, t_ns=t_ns, first=first, end=end)
    several = Scans.concat([scans, Scans.blank(1, sensor=0, t_ns=t_ns + 1, first=0, end=6)])
    tracker = Tracker([Sensor("radar", clutter_density=1e-5)])
    for made in (scans, several):
        with pytest.raises(ValueError, match="rows outside"):
            tracker.step(replace(plots, scans=made), t_ns + 1)
    assert len(tracker) == 0


_RUN = """
import json
import numpy as np
from v2x.fusion import Sensor, Tracker
from v2x.plots import Plots
tracker, tracks = Tracker([Sensor("radar", clutter_density=1e-5)]), None
for k in range(1, 6):
    xyz = np.array([[5.0, 1.0 * k, 50.0], [80.0, 1.0 * k, 50.0]])
    cov = np.tile(np.eye(3), (2, 1, 1))
    tracks = tracker.step(Plots.positions(k * 10**8, 0, xyz, cov), k * 10**8)
print(json.dumps([tracks.id.tolist(), tracks.x.tolist(), tracks.exist.tolist()]))
"""


def said(jit_off):
    made = subprocess.run(
        [sys.executable, "-c", _RUN],
        env={**os.environ, "NUMBA_DISABLE_JIT": jit_off},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(made.stdout)


def test_without_the_compiler_the_tracker_says_the_same():
    (ids, states, exist), (plain_ids, plain_states, plain_exist) = said("0"), said("1")
    assert len(ids) == 2
    assert ids == plain_ids
    np.testing.assert_allclose(states, plain_states, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(exist, plain_exist, rtol=1e-9)
