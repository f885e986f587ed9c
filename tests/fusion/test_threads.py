"""One thread or more: the same bytes, and nothing left behind."""

import gc
import os
import subprocess
import sys
import threading
from dataclasses import replace

import numpy as np
import pytest

from tests.fusion import hostile
from tests.fusion.streams import SENSORS, as_bytes, grid, run, slices, state, stream
from v2x.errors import ConfigError
from v2x.fusion import Sensor, Tracker, TrackerConfig, crew, layout, running
from v2x.fusion.memory import keep
from v2x.jit import Team
from v2x.plots import PlotColumns, Plots
from v2x.sensors import SensorKind

MS = 1_000_000


@pytest.fixture(autouse=True)
def nothing_is_too_small(monkeypatch):
    monkeypatch.setattr(crew, "LEAST_TRACKS", 1)
    monkeypatch.setattr(crew, "LEAST_PLOTS", 1)


@pytest.fixture
def dealt(monkeypatch):
    """Slots of each part, of every scan that more than one thread worked on."""
    told = []
    real = crew.Crew._scan

    def scan(self, sheet, q):
        done = real(self, sheet, q)
        told.append(np.diff(self._dealt[:, :2], axis=1).ravel().tolist())
        return done

    monkeypatch.setattr(crew.Crew, "_scan", scan)
    return told


def trackers(*threads, **keys):
    given = {"history_s": 10.0} | keys
    return [Tracker(SENSORS, TrackerConfig(threads=n, **given)) for n in threads]


def residuals_of(tracker):
    return as_bytes(tracker.residuals) + as_bytes(tracker.looks) + as_bytes(tracker.cross)


@pytest.mark.parametrize("motion", ["imm", "cv"])
@pytest.mark.parametrize("threads", [2, 3, 16])
def test_any_number_of_threads_gives_the_same_bytes_step_by_step(threads, motion, dealt):
    one, more = trackers(1, threads, motion=motion)
    told = stream(1, seconds=3.0, objects=40, flood=True)
    for plots, end in slices(told, grid(told)):
        assert as_bytes(one.step(plots, end)) == as_bytes(more.step(plots, end))
        assert residuals_of(one) == residuals_of(more)
        assert one.tally == more.tally
    assert state(one) == state(more)
    assert sum(np.count_nonzero(parts) > 1 for parts in dealt) > 5, "some were worth sharing"


def test_cuts_and_rows_that_come_late_change_nothing_with_two_threads():
    told, rng = stream(2, seconds=3.0, flood=True), np.random.default_rng(0)
    one, two, late = trackers(1, 2, 2)
    ends = grid(told, more_s=1.0)
    whole = run(one, slices(told, ends))
    assert run(two, slices(told, ends)) == whole
    delay = rng.integers(0, 700, len(told.rows)) * MS
    *_, last = run(late, slices(told, ends, row_delay=delay, rng=rng))
    assert last == whole[-1]
    assert late.tally.replays > 3
    assert state(one) == state(two) == state(late)
    assert one.snapshot() == two.snapshot() == late.snapshot()
    coarse = trackers(2)[0]
    run(coarse, slices(told, grid(told, step_ms=350, more_s=1.0)))
    assert state(coarse, but="id") == state(one, but="id")


@pytest.mark.parametrize(("before", "after"), [(1, 2), (2, 1), (2, 3)])
def test_a_snapshot_goes_on_with_another_number_of_threads(before, after):
    told = stream(3, seconds=3.0, flood=True)
    steps = list(slices(told, grid(told)))
    half = len(steps) // 2
    whole, first, then = trackers(1, before, after)
    run(whole, steps[:half])
    run(first, steps[:half])
    then.restore(first.snapshot())
    assert run(whole, steps[half:]) == run(then, steps[half:])
    assert state(whole) == state(then)
    assert whole.snapshot() == then.snapshot()


def lines(k, n=260):
    """Lines of sight of a camera at the origin, and a radar's plots with range rates."""
    rng = np.random.default_rng(k)
    spread = np.linspace(-2.9, 2.9, n)
    t_ns = k * 100 * MS
    far = 300.0 + 20.0 * np.sin(np.arange(n)) + 0.5 * k
    az, el = spread + rng.normal(0, 1e-3, n), np.full(n, 0.1) + rng.normal(0, 1e-3, n)
    seen = rng.random(n) < 0.8
    camera = Plots.bearings(t_ns, 0, az[seen], el[seen], 1e-3)
    seen = rng.random(n) < 0.8
    radar = Plots.polar(
        t_ns + 50 * MS, 1, far[seen] + rng.normal(0, 1, seen.sum()), az[seen], el[seen], 1.0, 2e-3,
        radial=5.0, radial_sd=0.5,
    )  # fmt: skip
    return Plots.concat([camera, radar]), t_ns + 60 * MS


def test_lines_of_sight_and_range_rates_are_shared_too(dealt):
    sensors = [
        Sensor("camera", kind=SensorKind.CAMERA, clutter_density=1e-3, period_s=0.1),
        Sensor("radar", kind=SensorKind.RADAR, clutter_density=1e-8, period_s=0.1),
    ]
    one, two = (Tracker(sensors, TrackerConfig(threads=n)) for n in (1, 2))
    for k in range(1, 13):
        plots, end = lines(k)
        tracks = one.step(plots, end)
        assert as_bytes(tracks) == as_bytes(two.step(plots, end))
        assert residuals_of(one) == residuals_of(two)
    assert len(tracks) > 200
    assert sum(min(parts) > 0 for parts in dealt) > 10


def test_edges_that_run_out_of_room_in_a_part_begin_again(dealt):
    """Thousands of plots on a heap: more edges than there was room for, twice over."""
    rng = np.random.default_rng(1)
    one, two = trackers(1, 2)
    for k in range(1, 5):
        z = rng.normal(0, 12.0, (700, 3))
        rows = PlotColumns.blank(
            700, t_ns=k * 100 * MS, sensor=1, z=z, cov=np.array([4.0, 0, 0, 4.0, 0, 4.0])
        )
        plots = Plots.of(rows)
        assert as_bytes(one.step(plots, k * 100 * MS)) == as_bytes(two.step(plots, k * 100 * MS))
    assert len(two._edges.plot) > 4 * 1400, "they grew"
    assert state(one) == state(two)


def test_hostile_rows_give_the_same_bytes(monkeypatch):
    told = {}
    for threads in (1, 2):
        config = TrackerConfig(threads=threads)
        monkeypatch.setattr(hostile, "TrackerConfig", lambda config=config, **keys: config)
        found, tracker = hostile.attack(5_000, 4)
        assert not found
        told[threads] = state(tracker)
    assert told[1] == told[2]


def test_slots_are_dealt_by_work_and_all_of_them():
    (tracker,) = trackers(1)
    tracker._grow(2048)
    live, rng = tracker._live, np.random.default_rng(0)
    for top, n in ((0, 2), (1, 2), (127, 3), (1000, 2), (2000, 3), (2048, 16)):
        live.mode[:] = 0
        live.mode[: top // 2] = layout.ALIVE
        live.mode[top // 2 : top] = np.where(rng.random(top - top // 2) < 0.5, 0, 17)
        tracker._counts[layout.TOP] = top
        parts = np.full((n, 4), -7, np.int32)
        running.deal(keep(tracker._parts()), parts)
        assert parts[0, 0] == 0
        assert parts[-1, 1] == top
        np.testing.assert_array_equal(parts[1:, 0], parts[:-1, 1])
        cost = np.where(live.mode & 16, 1, 5) * (live.mode & layout.ALIVE > 0)
        work = [cost[a:b].sum() for a, b in parts[:, :2].tolist()]
        assert max(work) <= cost.sum() / n + 2 * 5 * layout.BLOCK


def names():
    return [t.name for t in threading.enumerate() if t.name.startswith("v2x-kernels")]


def test_no_thread_is_left_when_a_tracker_is_dropped():
    before = len(names())
    (tracker,) = trackers(2)
    told = stream(4, seconds=1.0)
    run(tracker, slices(told, grid(told)))
    assert len(names()) == before + 1
    mine = [t for t in threading.enumerate() if t.name.startswith("v2x-kernels")]
    del tracker
    gc.collect()
    for thread in mine[before:]:
        thread.join(10.0)
    assert len(names()) == before


def test_what_a_thread_raises_is_raised_after_all_have_ended():
    ended = []

    def work(k):
        if k == 1:
            raise ValueError("of the other")
        ended.append(k)
        return k

    team = Team(3)
    assert team.run(work, [(0,), (2,), (3,)]) == [0, 2, 3]
    with pytest.raises(ValueError, match="of the other"):
        team.run(work, [(4,), (1,), (5,)])
    with pytest.raises(ValueError, match="of the other"):
        team.run(work, [(1,), (6,), (7,)])
    assert sorted(ended) == [0, 2, 3, 4, 5, 6, 7]


_FORK = """
import os, sys, warnings
warnings.simplefilter("ignore")
from tests.fusion.streams import SENSORS, as_bytes, grid, slices, stream
from v2x.fusion import Tracker, TrackerConfig, crew
crew.LEAST_TRACKS = crew.LEAST_PLOTS = 1
told = stream(5, seconds=1.0)
steps = list(slices(told, grid(told)))
one, two = (Tracker(SENSORS, TrackerConfig(threads=n)) for n in (1, 2))
for plots, end in steps[:10]:
    one.step(plots, end), two.step(plots, end)
wanted = [as_bytes(one.step(plots, end)) for plots, end in steps[10:]]
child = os.fork()
same = [as_bytes(two.step(plots, end)) for plots, end in steps[10:]] == wanted
if child == 0:
    os._exit(0 if same else 1)
sys.exit(not same or os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_goes_on_with_threads_of_its_own():
    done = subprocess.run(
        [sys.executable, "-c", _FORK], timeout=120, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_a_number_of_threads_that_cannot_be_is_refused():
    for threads in (0, -1, 1000):
        with pytest.raises(ConfigError, match="threads"):
            replace(TrackerConfig(), threads=threads)
