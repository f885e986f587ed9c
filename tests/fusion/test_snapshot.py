"""A tracker that goes on from bytes, against one that never stopped."""

import msgpack
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
from v2x.errors import V2XError
from v2x.fusion import Tracker, TrackerConfig, layout
from v2x.fusion.snapshot import FORMAT, SnapshotError
from v2x.plots import Plots


@pytest.fixture(scope="module")
def told():
    return stream(7, flood=True)


@pytest.fixture(scope="module")
def steps(told):
    return list(slices(told, grid(told, more_s=1.0)))


@pytest.fixture(scope="module")
def sealed(steps):
    tracked = tracker(1.0)
    run(tracked, steps[:37])
    return tracked.snapshot()


@settings(max_examples=25, deadline=None)
@given(at=st.integers(0, 90), history_s=st.sampled_from([0.0, 1.0, 5.0]))
def test_the_stream_goes_on_as_if_it_had_never_stopped(steps, at, history_s):
    straight, before, after = (tracker(history_s) for _ in range(3))
    wanted, looks = [], []
    for plots, end in steps:
        wanted.append(as_bytes(straight.step(plots, end)))
        looks.append(as_bytes(straight.residuals))
    run(before, steps[:at])
    after.restore(before.snapshot())
    assert len(after) == len(before)
    for k, (plots, end) in enumerate(steps[at:], at):
        assert as_bytes(after.step(plots, end)) == wanted[k]
        assert as_bytes(after.residuals) == looks[k]
    assert after.tally == straight.tally


def test_a_restored_tracker_gives_the_same_snapshot(steps):
    for history_s in (0.0, 2.0):
        one, two = tracker(history_s), tracker(history_s)
        for k, (plots, end) in enumerate(steps):
            one.step(plots, end)
            if k % 10 == 0:
                data = one.snapshot()
                two.restore(data)
                assert two.snapshot() == data
                assert one.snapshot() == data
        two.restore(one.snapshot())
        assert state(two) == state(one)


def test_the_order_of_rows_in_a_scan_is_not_in_the_bytes(told):
    data = set()
    for seed in range(3):
        tracked = tracker()
        run(tracked, slices(told, grid(told), rng=np.random.default_rng(seed)))
        data.add(tracked.snapshot())
    assert len(data) == 1


def test_taking_a_snapshot_changes_nothing(steps):
    quiet, asked = tracker(1.0), tracker(1.0)
    for plots, end in steps:
        asked.snapshot()
        assert as_bytes(asked.step(plots, end)) == as_bytes(quiet.step(plots, end))
    assert asked.snapshot() == quiet.snapshot()


def test_only_living_tracks_are_in_it():
    tracked = tracker(0.0)
    empty = len(tracked.snapshot())
    row = sum(
        column.itemsize * int(np.prod(column.shape[1:]))
        for name, column in layout.new_live(1, 8)._asdict().items()
        if name != "free"
    )
    rng = np.random.default_rng(0)
    xyz = rng.uniform(-9e3, 9e3, (900, 3))
    tracked.step(Plots.positions(0, 1, xyz, np.tile(np.eye(3), (900, 1, 1))), 0)
    many = len(tracked)
    assert many > 800
    assert len(tracked.snapshot()) == pytest.approx(empty + many * row, abs=200)
    for k in range(1, 40):
        tracked.step(Plots.positions(k * 100 * MS, 1, xyz[:1], np.eye(3)[None]), k * 100 * MS)
    few, ended = len(tracked), int(tracked._counts[layout.FREE])
    assert few < 20
    assert len(tracked.snapshot()) == pytest.approx(empty + few * row + 4 * ended, abs=200)


def test_a_restore_into_a_tracker_in_use_forgets_what_it_held(steps, sealed):
    used, fresh = tracker(1.0), tracker(1.0)
    run(used, [(plots, end) for plots, end in steps[:70]])
    for tracked in (used, fresh):
        tracked.restore(sealed)
        assert len(tracked.residuals) == 0
    assert used.snapshot() == fresh.snapshot() == sealed
    assert run(used, steps[37:]) == run(fresh, steps[37:])


# refused


def refused(data, why, into=None):
    tracked = tracker(1.0) if into is None else into
    x = np.array([[1.0, 2.0, 50.0]])
    for k in range(1, 5):
        tracked.step(Plots.positions(k * 100 * MS, 1, x, np.eye(3)[None]), k * 100 * MS)
    before, residuals = tracked.snapshot(), as_bytes(tracked.residuals)
    with pytest.raises(SnapshotError, match=why) as caught:
        tracked.restore(data)
    assert isinstance(caught.value, V2XError)
    assert tracked.snapshot() == before
    assert as_bytes(tracked.residuals) == residuals


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_flipped_bit_is_found(sealed, data):
    # The seal is short and each of its bytes means something: half of the flips go there.
    n = data.draw(st.sampled_from([120, len(sealed)]))
    at, bit = data.draw(st.integers(0, n - 1)), data.draw(st.integers(0, 7))
    changed = bytearray(sealed)
    changed[at] ^= 1 << bit
    refused(bytes(changed), "snapshot")


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_cut_or_lengthened_snapshot_is_found(sealed, data):
    n = data.draw(st.sampled_from([150, len(sealed)]))
    refused(sealed[: data.draw(st.integers(0, n - 1))], "snapshot")
    refused(sealed + data.draw(st.binary(min_size=1, max_size=9)), "cut or changed")


@given(st.binary(max_size=300))
def test_bytes_that_are_none_are_refused(data):
    with pytest.raises(SnapshotError, match="snapshot"):
        tracker(1.0).restore(data)


def test_another_format_version_is_named(sealed):
    reader = msgpack.Unpacker()
    reader.feed(sealed[:1024])
    told = reader.unpack()
    told["format"] = FORMAT + 1
    refused(msgpack.packb(told) + sealed[reader.tell() :], f"format {FORMAT + 1}, this is {FORMAT}")


def test_columns_of_another_layout_are_named(steps, sealed, monkeypatch):
    def narrow(cap, lanes):
        return made(cap, lanes)._replace(bar=np.zeros((max(cap, 1), layout.WIDTH - 1))[:cap])

    made = layout.new_live
    tracked = tracker(1.0)
    monkeypatch.setattr(layout, "new_live", narrow)
    with pytest.raises(SnapshotError, match=r"live\.bar"):
        tracked.restore(sealed)


@pytest.mark.parametrize(
    "other",
    [
        lambda: Tracker(SENSORS, TrackerConfig(history_s=1.0, gate_d2=15.0)),
        lambda: Tracker(SENSORS, TrackerConfig(history_s=2.0)),
        lambda: Tracker(SENSORS, TrackerConfig(history_s=1.0), tile_name="east"),
        lambda: Tracker(SENSORS, TrackerConfig(history_s=1.0), height_ref_m=3.0),
        lambda: Tracker(SENSORS[:2], TrackerConfig(history_s=1.0)),
    ],
)
def test_a_snapshot_of_another_tracker_is_refused(sealed, other):
    refused(sealed, "another configuration, tile or sensors", other())
