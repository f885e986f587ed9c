"""The event-time grid: nothing about where polls are cut may change what a slice holds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from v2x.ingest.reorder import Reorder
from v2x.observations import Flag, Observations
from v2x.readings import Name, Readings

MS = 1_000_000
S = 1_000 * MS
START = 1_795_486_272 * S


def rows(t_ns, recv_ns, frame=None):
    n = len(t_ns)
    frame = np.arange(n) if frame is None else frame
    return Observations.blank(n, frame=frame, t_ns=t_ns, recv_ns=recv_ns, track_ref=np.arange(n))


def put(reorder, t_ns, recv_ns):
    """One row a frame."""
    recv = np.array(recv_ns, np.int64)
    return reorder.put(rows(t_ns, recv), Readings.blank(), np.zeros(len(recv), np.int32), recv)


def test_a_slice_holds_its_end_and_not_its_beginning():
    reorder = Reorder(50 * MS, 0)
    put(reorder, [START, START + 1, START + 50 * MS], [START - MS, START, START + 49 * MS])
    put(reorder, [], [START + 200 * MS])
    found = {piece.t_ns: len(piece.observations) for piece in reorder.release()}
    assert found[START] == 1
    assert found[START + 50 * MS] == 2
    assert found[START + 100 * MS] == 0


def test_a_row_is_late_when_its_slice_was_closed_at_its_own_arrival():
    reorder = Reorder(50 * MS, 200 * MS)
    put(reorder, [START], [START])
    just_open, _ = put(reorder, [START + MS], [START + 249 * MS])
    assert not just_open[0]
    just_closed, _ = put(reorder, [START + MS], [START + 250 * MS])
    assert just_closed[0]


def test_a_silent_source_holds_nothing_up():
    reorder = Reorder(50 * MS, 200 * MS)
    put(reorder, [START], [START])
    put(reorder, [START + 10 * S], [START + 10 * S])
    assert [p.t_ns for p in reorder.release()][-1] == START + 10 * S - 200 * MS


@pytest.mark.parametrize("ahead_s", [2.2, 3600.0, 3.5e8])
def test_a_time_in_the_future_is_refused_and_moves_nothing(ahead_s):
    reorder = Reorder(50 * MS, 200 * MS)
    put(reorder, [START], [START])
    late, refused = put(reorder, [START + int(ahead_s * S)], [START + 100 * MS])
    assert (late[0], refused[0]) == (False, True)
    late, refused = put(reorder, [START + 200 * MS], [START + 210 * MS])
    assert not late[0]
    assert not refused[0]
    assert reorder.newest < (START + S) // (50 * MS)


def test_times_of_1970_and_0_are_late_and_counted():
    reorder = Reorder(50 * MS, 200 * MS)
    put(reorder, [START], [START])
    late, _ = put(reorder, [0, 5 * S], [START + MS, START + 2 * MS])
    assert late.all()


def test_readings_are_never_late():
    reorder = Reorder(50 * MS, 200 * MS)
    put(reorder, [START], [START])
    list(reorder.release())
    old = Readings.blank(1, t_ns=START - 300 * S, recv_ns=START + S, name=3, value=1.0)
    reorder.put(Observations.blank(), old, np.zeros(1, np.int32), np.array([START + S], np.int64))
    pieces = [p for p in reorder.release(everything=True) if len(p.readings)]
    assert len(pieces) == 1
    assert pieces[0].t_ns == START + S - 200 * MS + 50 * MS


def test_a_minute_of_silence_is_one_step():
    reorder = Reorder(50 * MS, 200 * MS)
    put(reorder, [START], [START])
    put(reorder, [START + 3600 * S], [START + 3600 * S])
    pieces = list(reorder.release(everything=True))
    assert sum(p.gap for p in pieces) == 1
    gap = next(i for i, p in enumerate(pieces) if p.gap)
    assert pieces[gap - 1].t_ns == START + 60 * S - 200 * MS
    assert pieces[gap].t_ns == START + 3600 * S - 200 * MS
    assert sum(len(p.observations) for p in pieces) == 2


def test_ticks_age_a_quiet_wire():
    reorder = Reorder(50 * MS, 200 * MS)
    put(reorder, [START], [START])
    reorder.tick(START + 5 * S)
    assert [p.t_ns for p in reorder.release()][-1] == START + 5 * S - 200 * MS
    reorder.tick(START + S)
    assert not list(reorder.release())


@pytest.mark.parametrize("slice_ms", [10, 50, 300, 1000])
def test_rows_to_be_folded_in_wait_for_the_next_half_second_or_slice(slice_ms):
    pace = max(500 // slice_ms, 1) * slice_ms * MS
    reorder = Reorder(slice_ms * MS, 0, 30 * S)
    assert reorder.hold_ns == pace
    arrivals = START + np.arange(0, 4_000, 170) * MS
    late, _ = put(reorder, arrivals - 4 * S, arrivals)
    assert not late.any()
    assert reorder.folded == len(arrivals)
    pieces = [p for p in reorder.release(everything=True) if len(p.observations)]
    assert all(p.t_ns % pace == 0 for p in pieces)
    out = [(p.t_ns, int(t) + 4 * S) for p in pieces for t in p.observations.t_ns]
    assert [recv for _, recv in out] == arrivals.tolist()
    done = arrivals // (slice_ms * MS) * (slice_ms * MS)
    held = np.array([end for end, _ in out]) - done
    assert held.min() > 0
    assert held.max() <= pace


def test_the_history_ends_where_the_newest_closed_slice_is_just_so_much_newer():
    reorder = Reorder(50 * MS, 200 * MS, 2 * S)
    put(reorder, [START], [START])
    done = START + 10 * S - 200 * MS
    late, _ = put(reorder, [done - 2 * S, done - 2 * S + 1, done, done + 1], [START + 10 * S] * 4)
    assert late.tolist() == [True, False, False, False]
    assert reorder.folded == 2


def test_without_a_history_every_row_of_a_closed_slice_is_late():
    reorder = Reorder(50 * MS, 200 * MS)
    put(reorder, [START], [START])
    done = START + 10 * S - 200 * MS
    late, _ = put(reorder, [done - 1, done, done + 1], [START + 10 * S] * 3)
    assert late.tolist() == [True, True, False]
    assert reorder.folded == 0


def test_what_was_stored_out_of_reach_is_not_folded_in_but_is_taken_in_time():
    reorder = Reorder(50 * MS, 200 * MS, 5 * S)
    put(reorder, [START], [START])
    t = START + 10 * S - np.array([3 * S, 250 * MS, 150 * MS, 0])
    stored = Observations.blank(4, frame=0, t_ns=t, recv_ns=START + 10 * S, flags=Flag.BACKLOG)
    recv = np.array([START + 10 * S], np.int64)
    late, refused = reorder.put(stored, Readings.blank(), np.zeros(1, np.int32), recv)
    assert late.tolist() == [True, True, False, False]
    assert not refused.any()


def test_an_empty_look_is_taken_as_a_row_is_and_not_as_a_reading():
    reorder = Reorder(50 * MS, 200 * MS, 2 * S)
    put(reorder, [START], [START])
    recv = START + 10 * S
    t = recv - np.array([0, S, 3 * S, -3 * S])
    for name in (Name.SCAN_EMPTY, Name.HEARTBEAT):
        said = Readings.blank(4, t_ns=t, recv_ns=recv, name=name, value=np.arange(4.0))
        reorder.put(Observations.blank(), said, np.zeros(1, np.int32), np.array([recv], np.int64))
    found = {Name.SCAN_EMPTY: {}, Name.HEARTBEAT: {}}
    for p in reorder.release(everything=True):
        for name, value in zip(p.readings.name.tolist(), p.readings.value.tolist(), strict=True):
            found[name][value] = p.t_ns - recv
    assert found[Name.SCAN_EMPTY] == {0.0: 0, 1.0: 0}
    assert found[Name.HEARTBEAT] == {0.0: 0, 1.0: -150 * MS, 2.0: -150 * MS, 3.0: 0}


def drive(cuts, t_ns, recv_ns, history_ns=0):
    reorder, pieces, lates = Reorder(50 * MS, 200 * MS, history_ns), [], []
    for a, b in zip([0, *cuts], [*cuts, len(t_ns)], strict=True):
        late, refused = put(reorder, t_ns[a:b], recv_ns[a:b])
        lates += (late | refused).tolist()
        pieces += list(reorder.release())
    pieces += list(reorder.release(everything=True))
    content = [(p.t_ns, p.observations.t_ns.tolist(), p.heard_ns.tolist(), p.gap) for p in pieces]
    return content, lates


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3_000), st.integers(-400, 100)), min_size=1, max_size=60),
    st.sampled_from([0, 100 * MS, 5 * S]),
    st.data(),
)
def test_where_polls_are_cut_changes_nothing(frames, history_ns, data):
    recv = np.cumsum([a for a, _ in frames]) * 7 * MS + START
    t = recv + np.array([b for _, b in frames]) * MS
    cuts = sorted(data.draw(st.sets(st.integers(0, len(frames)), max_size=8)))
    whole, late = drive([], t, recv, history_ns)
    pieces, late_cut = drive(cuts, t, recv, history_ns)
    assert pieces == whole
    assert late_cut == late


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3_000), st.integers(-9_000, 100)), min_size=1, max_size=60),
    st.integers(0, 8 * S),
)
def test_every_row_comes_out_once_and_none_older_than_the_history_and_its_wait(frames, history_ns):
    recv = np.cumsum([a for a, _ in frames]) * MS + START
    t = recv + np.array([b for _, b in frames]) * MS
    whole, late = drive([], t, recv, history_ns)
    out = [x for _, ts, _, _ in whole for x in ts]
    assert sorted(out) == sorted(np.array(t)[~np.array(late)].tolist())
    closed = (recv - 200 * MS) // (50 * MS) * (50 * MS)
    assert late == [bool(a <= c and a <= c - history_ns) for a, c in zip(t, closed, strict=True)]
    newest = -(1 << 62)
    for end, times, _, _ in whole:
        assert all(x <= end for x in times)
        assert all(x > newest - history_ns - 500 * MS for x in times)  # what a tracker reaches
        newest = max([newest, *times])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 300), st.integers(-400, 100)), min_size=1, max_size=60))
def test_every_row_comes_out_once_in_its_own_slice_or_is_called_late(frames):
    recv = np.cumsum([a for a, _ in frames]) * MS + START
    t = recv + np.array([b for _, b in frames]) * MS
    whole, late = drive([], t, recv)
    out = [x for _, ts, _, _ in whole for x in ts]
    assert sorted(out) == sorted(np.array(t)[~np.array(late)].tolist())
    for end, times, _, _ in whole:
        assert all(end - 50 * MS < x <= end for x in times)
    ends = [end for end, _, _, _ in whole]
    assert ends == sorted(set(ends))
