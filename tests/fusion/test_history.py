"""Rows that come late, against a tracker that had them in time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fusion.streams import (
    MS,
    SENSORS,
    as_bytes,
    grid,
    run,
    slices,
    state,
    stream,
    tracker,
)
from v2x.errors import ConfigError
from v2x.fusion import Tracker, TrackerConfig
from v2x.fusion.history import GRID_NS, merge, part
from v2x.fusion.sheets import sheet_of
from v2x.plots import PlotColumns, Plots

S = 1_000_000_000


def late_by(rng, n, most_s, share=0.3):
    """Delays in ns of which `share` are not 0."""
    delay = rng.integers(0, int(most_s * 1e9), n)
    delay[rng.random(n) >= share] = 0
    return delay


def one(t_ns, sensor, *east):
    z = np.array([[e, 0.0, 50.0] for e in east]).reshape(-1, 3)
    return Plots.positions(t_ns, sensor, z, np.tile(np.eye(3), (len(z), 1, 1)))


# equal to the run in order


@pytest.mark.parametrize("flood", [False, True])
def test_late_rows_leave_no_trace_in_the_bytes(flood):
    told = stream(0, seconds=8.0, flood=flood)
    rng = np.random.default_rng(1)
    delay = late_by(rng, len(told.rows), 5.0)
    ends = grid(told, more_s=5.5)
    clean, late = tracker(), tracker()
    wanted = run(clean, slices(told, ends))
    got = run(late, slices(told, ends, delay, late_by(rng, len(told.looks), 5.0), rng))
    last = int((told.rows.t_ns + delay).max())
    assert wanted[: int(np.searchsorted(ends, last))] != got[: int(np.searchsorted(ends, last))]
    assert late.snapshot() == clean.snapshot()
    assert state(late) == state(clean)
    assert late.tally.replays > 20
    assert clean.tally.replays == 0
    assert late.tally.reported == clean.tally.reported


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    step_ms=st.sampled_from([50, 70, 130, 330]),
    most_s=st.sampled_from([0.1, 0.4, 2.0]),
    share=st.sampled_from([0.02, 0.3, 1.0]),
    flood=st.booleans(),
)
def test_all_bytes_are_equal_once_all_rows_are_in(seed, step_ms, most_s, share, flood):
    told = stream(seed, seconds=4.0, objects=3, flood=flood)
    rng = np.random.default_rng(seed)
    ends = grid(told, step_ms, more_s=2.1)
    clean, late = tracker(2.5), tracker(2.5)
    run(clean, slices(told, ends))
    delays = (late_by(rng, len(n), most_s, share) for n in (told.rows, told.looks))
    run(late, slices(told, ends, *delays, rng))
    assert late.tally.too_late == 0
    assert late.snapshot() == clean.snapshot()
    assert state(late) == state(clean)
    kept = [(c.cell, c.end, c.last, c.named_ns) for c in clean._history.checkpoints]
    assert [(c.cell, c.end, c.last, c.named_ns) for c in late._history.checkpoints] == kept


@pytest.mark.parametrize("seed", range(12))
def test_duplicates_and_late_rows_give_the_clean_state_from_the_last_late_row_on(seed):
    told = stream(seed, seconds=8.0)
    rng = np.random.default_rng(seed)
    delay = late_by(rng, len(told.rows), 2.0)
    twice = np.flatnonzero(rng.random(len(told.rows)) < 0.3)
    again = [(twice, rng.integers(0, 5 * S, len(twice)))]
    ends = grid(told, more_s=6.0)
    clean, late = tracker(), tracker()
    wanted = run(clean, slices(told, ends))
    got = run(late, slices(told, ends, delay, 0, rng, again))
    arrivals = np.concatenate([told.rows.t_ns + delay, told.rows.t_ns[twice] + again[0][1]])
    settled = int(np.searchsorted(ends, arrivals.max()))
    assert settled < len(ends) - 5
    assert got[settled:] == wanted[settled:]
    assert state(late) == state(clean)
    assert late.tally.duplicates == len(twice)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    step_ms=st.sampled_from([50, 70, 330]),
    share=st.sampled_from([0.02, 0.3, 1.0]),
)
def test_every_report_is_that_of_a_fresh_tracker_given_the_same_rows_in_order(seed, step_ms, share):
    # Ids are given at the first report of a track, so that they depend on the steps.
    told = stream(seed, seconds=2.6, objects=3, flood=seed % 5 == 0)
    rng = np.random.default_rng(seed)
    ends = grid(told, step_ms, more_s=1.0)
    delays = (late_by(rng, len(n), 1.5, share) for n in (told.rows, told.looks))
    late, known = tracker(), []
    for k, (plots, end) in enumerate(slices(told, ends, *delays, rng)):
        known.append(plots)
        got = late.step(plots, end)
        if k % 7 and k < len(ends) - 1:
            continue
        fresh = tracker()
        everything = Plots.concat(known)
        wanted = fresh.step(everything, end)
        assert as_bytes(got) == as_bytes(wanted)
        assert state(late, but="id") == state(fresh, but="id")


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), cuts=st.lists(st.integers(1, 4200), max_size=30))
def test_cuts_between_steps_change_no_byte_of_the_tracks(seed, cuts):
    told, end = stream(seed, seconds=4.0, objects=3), 5 * S
    rng = np.random.default_rng(seed)
    clean, late = tracker(), tracker()
    wanted = run(clean, slices(told, grid(told, more_s=1.0)))[-1]
    ends = np.array(sorted({*(c * MS for c in cuts), end}))
    got = run(late, slices(told, ends, late_by(rng, len(told.rows), 2.0), 0, rng))[-1]
    assert as_bytes(late.step(Plots.nothing(), end)) == got
    assert got == as_bytes(clean.step(Plots.nothing(), end))
    assert len(wanted) > 0
    assert state(late, but="id") == state(clean, but="id")


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), at=st.integers(1, 100))
def test_a_restart_in_the_middle_of_late_rows_changes_no_byte(seed, at):
    told = stream(seed, seconds=4.0)
    rng = np.random.default_rng(seed)
    ends = grid(told, more_s=2.0)
    delays = [late_by(rng, len(n), 2.0) for n in (told.rows, told.looks)]
    steps = list(slices(told, ends, *delays, rng))
    straight = tracker(3.0)
    wanted = run(straight, steps)
    first, second = tracker(3.0), tracker(3.0)
    got = run(first, steps[:at])
    data = first.snapshot()
    second.restore(data)
    assert second.snapshot() == data
    got += run(second, steps[at:])
    assert got == wanted
    assert second.snapshot() == straight.snapshot()


# single facts


def test_a_row_one_second_late_is_where_it_would_have_been():
    clean, late = tracker(), tracker()
    for k in range(1, 31):
        t = k * 100 * MS
        clean.step(one(t, 1, float(k)), t)
        kept = [] if k == 15 else [float(k)]
        late.step(one(t, 1, *kept), t)
        if k == 25:
            tracks = late.step(one(1500 * MS, 1, 15.0), t)
            assert tracks.t_ns.tolist() == [t]
    assert state(late) == state(clean)
    assert late.tally.replays == 1


def test_rows_of_a_look_that_was_taken_for_empty_join_it():
    whole, split = tracker(), tracker()
    for k in range(1, 11):
        t = k * 100 * MS
        whole.step(one(t, 1, 0.0, 40.0), t)
        split.step(one(t, 1), t)
        split.step(one(t, 1, 40.0), t)
        split.step(one(t, 1, 0.0), t)
    assert state(split) == state(whole)
    assert len(split._history.steps) == 10


def test_an_empty_look_that_has_its_rows_already_changes_nothing():
    tracked = tracker()
    for k in range(1, 11):
        tracked.step(one(k * 100 * MS, 1, 1.0 * k), k * 100 * MS)
    before = tracked.snapshot()
    tracked.step(one(500 * MS, 1), 1000 * MS)
    assert tracked.snapshot() == before


def test_sensors_of_one_instant_may_come_in_any_order():
    ways = [tracker(), tracker()]
    for k in range(1, 11):
        t = k * 100 * MS
        for tracked, sensors in zip(ways, ((0, 1), (1, 0)), strict=True):
            for sensor in sensors:
                tracked.step(one(t, sensor, 1.0 * k), t)
    assert state(ways[0]) == state(ways[1])


@pytest.mark.parametrize("scan_between", [False, True])
def test_a_track_that_late_looks_unmake_before_its_first_report_was_never_reported(scan_between):
    def looks(*ms):
        return Plots.concat([one(t * MS, 1) for t in ms])

    seen = Plots.concat([one(350 * MS, 1, 0.0), one(450 * MS, 1, 0.0)])
    missed = range(505, 550, 8)
    after = one(600 * MS, 0, 500.0) if scan_between else Plots.nothing()
    clean, late = tracker(), tracker()
    assert len(clean.step(Plots.concat([seen, looks(*missed)]), 550 * MS)) == 0
    assert len(late.step(seen, 550 * MS)) == 1
    for tracked in (clean, late):
        tracked.step(after, 650 * MS)
    clean.step(Plots.nothing(), 700 * MS)
    late.step(looks(*missed), 700 * MS)
    assert late.tally.reported == clean.tally.reported == 0
    assert late.snapshot() == clean.snapshot()
    assert state(late) == state(clean)


def test_the_oldest_row_that_is_not_too_late_finds_a_checkpoint_before_its_report():
    clean, late = tracker(1.0), tracker(1.0)
    parts = [one(450 * MS, 1, 0.0), one(600 * MS, 1, 1.0), one(1520 * MS, 1, 2.0)]
    for tracked in (clean, late):
        early = [one(530 * MS, 1, 5.0)] if tracked is clean else []
        tracked.step(Plots.concat([parts[0], *early]), 550 * MS)
        for plots, end in ((parts[1], 650), (parts[2], 1550)):
            tracked.step(plots, end * MS)
    late.step(one(530 * MS, 1, 5.0), 1550 * MS)
    assert late.tally.too_late == 0
    assert state(late) == state(clean)


def test_a_late_row_before_the_first_of_all_is_folded_in():
    clean, late = tracker(), tracker()
    for k in range(3, 10):
        late.step(one(k * 100 * MS, 1, 1.0 * k), k * 100 * MS)
    late.step(one(200 * MS, 1, 2.0), 900 * MS)
    for k in range(2, 10):
        clean.step(one(k * 100 * MS, 1, 1.0 * k), k * 100 * MS)
    assert state(late) == state(clean)


def test_rows_older_than_the_history_are_counted_and_change_nothing():
    tracked = tracker(2.0)
    for k in range(1, 51):
        tracked.step(one(k * 100 * MS, 1, 1.0 * k), k * 100 * MS)
    before = state(tracked)
    tracked.step(one(2900 * MS, 1, 7.0, 8.0, 9.0), 5000 * MS)
    assert tracked.tally.too_late == 3
    assert state(tracked) == before
    assert tracked.tally.replays == 0
    tracked.step(one(3000 * MS, 1, 7.0), 5000 * MS)
    assert tracked.tally.too_late == 3
    assert tracked.tally.replays == 1


def test_all_late_rows_of_a_step_cost_one_replay():
    told = stream(5, seconds=6.0)
    rng = np.random.default_rng(5)
    tracked, before = tracker(), 0
    delay = late_by(rng, len(told.rows), 4.0, share=0.8)
    for plots, end in slices(told, grid(told, more_s=5.0), delay, 0, rng):
        tracked.step(plots, end)
        assert tracked.tally.replays - before <= 1
        before = tracked.tally.replays
    assert before > 50


def test_memory_is_bounded_by_the_history():
    tracked, most = tracker(2.0), 0
    rng = np.random.default_rng(0)
    for k in range(1, 2001):
        t = k * 50 * MS
        if k % 2:
            x = np.cos(0.01 * k) * 50.0
            old = one(t - int(rng.integers(0, 1500)) * MS, 0, x)
            plots = Plots.concat([one(t, 1, x, 60.0), old])
        else:
            plots = Plots.nothing()
        tracked.step(plots, t)
        history = tracked._history
        most = max(most, sum(len(s.sheet.z) for s in history.steps))
        assert len(history.steps) <= 60
        assert len(history.quiet) <= 82
        assert len(history.checkpoints) <= 7
    assert most <= 3 * 30


def test_a_long_silence_does_not_fill_the_memory():
    tracked = tracker(2.0)
    tracked.step(one(100 * MS, 1, 1.0), 100 * MS)
    for k in range(3, 1000):
        tracked.step(Plots.nothing(), k * 50 * MS)
    assert len(tracked._history.quiet) <= 82


def test_a_reset_empties_the_history():
    tracked = tracker()
    for k in range(1, 20):
        tracked.step(one(k * 100 * MS, 1, 1.0 * k), k * 100 * MS)
    tracked.reset()
    tracks = tracked.step(one(1000 * MS, 1, 1.0), 1000 * MS)
    assert len(tracked) == 1
    assert len(tracks) == 0
    assert tracked.tally.replays == 0
    assert len(tracked._history.steps) == 1


def test_residuals_are_those_of_the_late_scans_and_not_of_the_repeated():
    tracked = tracker()
    for k in range(1, 31):
        if k != 20:
            tracked.step(one(k * 100 * MS, 1, 1.0 * k), k * 100 * MS)
    plots = Plots.concat([one(2000 * MS, 1, 20.0), one(3100 * MS, 1, 31.0)])
    tracks = tracked.step(plots, 3100 * MS)
    found = tracked.residuals
    assert found.t_ns.tolist() == [2000 * MS, 3100 * MS]
    assert set(found.track.tolist()) == set(tracks.id.tolist())


def test_without_a_history_an_older_scan_is_refused():
    tracked = tracker(0.0)
    tracked.step(one(200 * MS, 1, 1.0), 200 * MS)
    before = state(tracked)
    with pytest.raises(ValueError, match="history_s"):
        tracked.step(one(100 * MS, 1, 1.0), 200 * MS)
    assert state(tracked) == before
    assert not tracked._history.steps
    assert not tracked._history.checkpoints


@pytest.mark.parametrize("history_s", [-1.0, float("nan"), float("inf")])
def test_a_history_that_cannot_be_is_refused(history_s):
    with pytest.raises(ConfigError, match="history_s"):
        TrackerConfig(history_s=history_s)


def test_checkpoints_stand_on_the_grid_however_the_stream_is_cut():
    told = stream(1)
    marks = []
    for step_ms in (50, 70, 4000):
        tracked = tracker()
        run(tracked, slices(told, grid(told, step_ms)))
        history = tracked._history
        marks.append([(c.cell, c.last, len(c.columns[0])) for c in history.checkpoints[1:]])
        for c in history.checkpoints[1:]:
            assert c.last[0] <= (c.cell - 1) * GRID_NS
    assert marks[0] == marks[1] == marks[2]
    assert len(marks[0]) > 4


def test_a_prediction_far_ahead_hinders_no_later_row():
    plain, ahead = tracker(), tracker()
    for k in range(1, 30):
        t = k * 100 * MS
        plain.step(one(t, 1, 1.0 * k), t)
        ahead.step(one(t, 1, 1.0 * k), t)
        ahead.step(Plots.nothing(), t + 10 * S)
    assert state(ahead) == state(plain)
    assert ahead.tally.too_late == 0


def test_a_step_may_end_before_the_one_before_it():
    plain, ahead, again = tracker(), tracker(), tracker()
    for k in range(1, 40):
        t = k * 100 * MS
        late = [] if k in (12, 31) else [one(t, 1, 1.0 * k)]
        late += [one(j * 100 * MS, 1, 1.0 * j) for j in (12, 31) if k == j + 6]
        plain.step(one(t, 1, 1.0 * k), t)
        ahead.step(Plots.concat(late), t + (9 * S if k == 3 else 0))
    assert ahead.tally.replays == 2
    assert state(ahead, but="id") == state(plain, but="id")
    again.restore(ahead.snapshot())
    assert state(again) == state(ahead)


# merge, against its slow twin


@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(0, 3)), max_size=6),
        min_size=1,
        max_size=4,
    )
)
def test_merged_scans_hold_what_a_dictionary_holds(parts):
    sheets, wanted, value = [], {}, 0.0
    for looks in parts:
        rows, empty = [], []
        for t, sensor, n in looks:
            wanted.setdefault((t, sensor), [])
            if n == 0:
                empty.append((sensor, t))
            for _ in range(n):
                rows.append((t, sensor, value))
                value += 1.0
        columns = PlotColumns.blank(
            len(rows),
            t_ns=np.array([r[0] for r in rows], np.int64),
            sensor=np.array([r[1] for r in rows], np.int32),
            z=np.array([[r[2], 0.0, 0.0] for r in rows]).reshape(-1, 3),
        )
        for t, sensor, v in rows:
            wanted[(t, sensor)].append(v)
        sheets.append(sheet_of(Plots.of(columns, [e[0] for e in empty], [e[1] for e in empty])))
    made = merge(sheets)
    got = {}
    for q in range(len(made.scan_ns)):
        rows = made.z[made.scan_first[q] : made.scan_end[q], 0]
        got[(int(made.scan_ns[q]), int(made.scan_sensor[q]))] = sorted(rows.tolist())
    assert list(got) == sorted(wanted)
    assert got == {key: sorted(rows) for key, rows in wanted.items()}
    half = len(made.scan_ns) // 2
    for lo, hi in ((0, half), (half, len(made.scan_ns))):
        again = merge([part(made, lo, hi)])
        assert again.scan_ns.tolist() == made.scan_ns[lo:hi].tolist()
        assert len(again.z) == int((made.scan_end[lo:hi] - made.scan_first[lo:hi]).sum())


def test_the_default_keeps_a_history():
    assert Tracker(SENSORS)._history.span_ns == 5 * S
