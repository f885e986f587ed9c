"""The map of the undetected, against a dense twin and by what it does to first plots."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fusion.streams import MS, SENSORS, as_bytes, grid, run, slices, state, stream, tracker
from v2x.errors import ConfigError
from v2x.fusion import Sensor, Tracker, TrackerConfig, intensity
from v2x.fusion.tracker import _beams
from v2x.plots import Plots
from v2x.sensors import SensorTable

S = 1_000_000_000
MOST = 30.0


def box(west, south, east, north):
    return ((west, south), (east, south), (east, north), (west, north))


EVERYWHERE = Sensor("a", p_detect=0.6)
LEFT = Sensor("left", p_detect=0.9, coverage=box(-1000, -500, 100, 500))
RIGHT = Sensor("right", p_detect=0.5, coverage=box(-100, -500, 1000, 500))


def charted(*sensors, most=MOST):
    beams = _beams(SensorTable.of(sensors), TrackerConfig())
    on = intensity.chart(beams, most)
    return on, intensity.new_unseen(on), [s.name for s in SensorTable.of(sensors).sensors]


def excess(on, unseen, e, n, t):
    return intensity.excess_at(on, unseen, intensity.cell_at(on, float(e), float(n)), t)


def look(on, unseen, k, t, p):
    intensity.wake(on, unseen, k, t)
    intensity.look_over(on, unseen, k, t, p)


class Dense:
    """The same map, every cell at every look."""

    def __init__(self, on, sensors):
        self.on, self.cells = on, np.full(on.wide * on.high + 1, on.most)
        self.t = np.zeros(len(self.cells), np.int64)
        self.looked = np.full(len(self.cells), -(10**18))
        self.swept = None
        self.sees = np.zeros((len(sensors), len(self.cells)), bool)
        for k in range(len(sensors)):
            zones = on.zones[on.first[k] : on.first[k + 1]]
            self.sees[k] = np.isin(on.zone, zones)

    def grow(self, t):
        since = np.maximum(self.t, self.looked + S)
        lack = np.exp(-self.on.rate * np.maximum(t - since, 0) * 1e-9)
        self.cells = self.on.most - (self.on.most - self.cells) * lack
        self.t[:] = t

    def look(self, k, t, p):
        cell = -(-t // intensity.SWEEP_NS)
        if self.swept is None:
            self.t[:] = t
        self.grow(t)
        if self.swept is not None and cell > self.swept and self.on.wide:
            passed = (cell - self.swept) * intensity.SWEEP_NS * 1e-9
            share = 0.25 * (1 - np.exp(-4 * intensity.SPEED / (np.pi * self.on.side) * passed))
            inner = self.cells[:-1].reshape(self.on.high, self.on.wide)
            wide = np.pad(inner, 1, constant_values=self.cells[-1])
            near = wide[:-2, 1:-1] + wide[2:, 1:-1] + wide[1:-1, :-2] + wide[1:-1, 2:]
            self.cells[:-1] = (inner + share * (near - 4 * inner)).reshape(-1)
        self.swept = cell if self.swept is None else max(cell, self.swept)
        self.cells[self.sees[k]] *= 1 - p
        self.looked[self.sees[k]] = t


looks = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from([0, 7, 33, 100, 450, 1500, 20_000])),
    min_size=1,
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(looks=looks, everywhere=st.booleans())
def test_the_map_equals_its_dense_twin_and_stays_in_bounds(looks, everywhere):
    sensors = (LEFT, RIGHT, *((EVERYWHERE,) if everywhere else ()))
    on, unseen, names = charted(*sensors)
    by_name = {s.name: s for s in sensors}
    dense, t = Dense(on, sensors), 5 * S
    for k, ms in looks:
        k %= len(sensors)
        t += ms * MS
        p = by_name[names[k]].p_detect
        look(on, unseen, k, t, p)
        dense.look(k, t, p)
        later = t + 1_700 * MS
        for at in (t, later):
            got = [intensity.excess_at(on, unseen, c, at) for c in range(len(on.zone))]
            wanted = deepcopy(dense)
            wanted.grow(at)
            np.testing.assert_allclose(got, wanted.cells, rtol=1e-9, atol=1e-12)
            assert min(got) >= 0.0
            assert max(got) <= MOST * (1 + 1e-12)


def test_cells_of_equal_watch_are_one_zone_and_border_cells_count_as_watched():
    on, *_ = charted(LEFT, RIGHT)
    zone = {
        (e, n): on.zone[intensity.cell_at(on, float(e), float(n))]
        for e, n in ((-600, 0), (0, 0), (600, 0), (-600, 300), (5000, 0), (0, 560), (1000, 499))
    }
    assert zone[-600, 0] == zone[-600, 300]
    assert len({zone[-600, 0], zone[0, 0], zone[600, 0], zone[5000, 0]}) == 4
    assert zone[1000, 499] == zone[600, 0]
    assert int(on.zone.max()) == 3


def test_the_map_is_one_number_where_no_sensor_has_a_border():
    on, unseen, _ = charted(EVERYWHERE)
    assert (on.wide, on.high, len(unseen.level)) == (0, 0, 1)
    look(on, unseen, 0, S, 0.6)
    assert excess(on, unseen, 1e6, -1e6, S) == pytest.approx(0.4 * MOST)


def test_a_large_area_has_larger_cells_and_not_more():
    on, *_ = charted(replace(LEFT, coverage=box(-60e3, -60e3, 60e3, 60e3)))
    assert max(on.wide, on.high) <= intensity.MOST_CELLS
    assert on.side > intensity.LEAST_SIDE


@pytest.mark.parametrize("silent", [{"scans": False}, {"may_spawn": False}])
def test_who_cannot_find_anything_new_takes_nothing_from_the_map(silent):
    on, unseen, _ = charted(replace(EVERYWHERE, **silent))
    look(on, unseen, 0, S, 0.6)
    assert excess(on, unseen, 0, 0, S) == MOST


def test_an_area_looked_at_every_second_is_at_its_steady_state():
    on, unseen, _ = charted(EVERYWHERE)
    for k in range(40):
        look(on, unseen, 0, k * S, 0.6)
    assert 0.0 < excess(on, unseen, 0, 0, 40 * S) < 1e-12


def test_nobody_looking_fills_an_area_and_more_so_the_longer():
    on, unseen, _ = charted(LEFT)
    for k in range(100):
        look(on, unseen, 0, k * S // 10, 0.9)
    now = 99 * S // 10
    filled = [excess(on, unseen, -500, 0, now + s * S) for s in (0, 1, 2, 5, 100)]
    assert filled[0] < 0.02 * MOST
    assert filled[1] == pytest.approx(filled[0])
    assert filled[1] < filled[2] < filled[3] < filled[4]
    assert filled[4] == pytest.approx(MOST, rel=1e-3)
    assert excess(on, unseen, 5e3, 0, now) == pytest.approx(MOST)


def test_the_edge_of_coverage_is_fed_from_outside():
    on, unseen, _ = charted(replace(LEFT, coverage=box(-3000, -3000, 3000, 3000)))
    for k in range(600):
        look(on, unseen, 0, k * S // 10, 0.1)
    edge, middle = (excess(on, unseen, e, 0, 599 * S // 10) for e in (3060, 0))
    assert edge > 100 * middle
    assert edge < MOST


# what it does to tracks


def at(t_ns, sensor, *east, n=0.0):
    z = np.array([[e, n] for e in east]).reshape(-1, 2)
    return Plots.positions(t_ns, sensor, z, np.tile(np.eye(2), (len(z), 1, 1)))


def first_exist(tracked, t, east=0.0):
    """Existence of what a single plot at `t` founds, and forget it."""
    tracked.step(at(t, 0, east), t)
    live = tracked._live
    young = [i for i in range(len(live.r)) if live.mode[i] and live.first[i] == t]
    (i,) = young
    return live.r[i]


RADAR = Sensor("radar", p_detect=0.9, clutter_density=1e-5)


def test_a_first_plot_is_believed_at_start_less_once_watched_and_more_after_silence():
    tracked = Tracker([RADAR], TrackerConfig())
    start = first_exist(tracked, S)
    for k in range(1, 60):
        tracked.step(at(S + k * S // 10, 0), S + k * S // 10)
    watched = first_exist(tracked, 7 * S)
    returned = first_exist(tracked, 12 * S)
    assert start == pytest.approx(0.31 / 1.31)
    assert watched == pytest.approx(0.01 / 1.01)
    lack = np.exp(-intensity.RATE * 4.0)
    assert returned == pytest.approx(1 / (1 + 1 / (0.01 + 0.3 * (1 - lack))))


def test_without_the_map_a_first_plot_is_the_same_everywhere_and_always():
    tracked = Tracker([RADAR], TrackerConfig(unseen_ratio=0.0))
    assert first_exist(tracked, S) == pytest.approx(0.01 / 1.01)
    assert first_exist(tracked, 12 * S) == pytest.approx(0.01 / 1.01)


def test_without_births_there_is_no_map():
    tracked = Tracker([RADAR], TrackerConfig(birth_ratio=0.0))
    tracked.step(at(S, 0, 0.0), S)
    assert len(tracked) == 0


def test_a_second_look_at_start_confirms_what_was_there_and_not_what_was_not():
    tracked = Tracker([RADAR], TrackerConfig())
    assert len(tracked.step(at(S, 0, 0.0, 500.0), S)) == 0
    tracks = tracked.step(at(S + 100 * MS, 0, 0.5), S + 100 * MS)
    assert tracks.x[:, 0] == pytest.approx([0.25], abs=0.3)


def test_what_pruned_tracks_stood_for_goes_back_to_their_cell():
    watch = replace(RADAR, coverage=box(-1000, -1000, 1000, 1000))
    tracked, empty = Tracker([watch], TrackerConfig()), Tracker([watch], TrackerConfig())
    for k in range(30):
        t = S + k * S // 10
        tracked.step(at(t, 0, *((200.0,) if k == 20 else ())), t)
        empty.step(at(t, 0), t)
    assert len(tracked) == 0
    t, on = S + 29 * S // 10, tracked._chart
    here, there = (excess(on, tracked._unseen, e, 0.0, t) for e in (200, -600))
    assert there == excess(on, empty._unseen, -600, 0.0, t)
    assert excess(on, empty._unseen, 200, 0.0, t) < here < 1.0


def test_a_flood_of_pruned_tracks_never_passes_the_bound():
    watch = replace(RADAR, coverage=box(-1000, -1000, 1000, 1000), clutter_density=1e-9)
    tracked, rng = Tracker([watch], TrackerConfig()), np.random.default_rng(0)
    for k in range(20):
        t = S + k * S // 10
        tracked.step(at(t, 0, *rng.uniform(0, 100, 300)) if k % 3 == 0 else at(t, 0), t)
        on = tracked._chart
        got = [intensity.excess_at(on, tracked._unseen, c, t) for c in range(len(on.zone))]
        assert min(got) >= 0.0
        assert max(got) <= on.most * (1 + 1e-9)


def test_reset_forgets_that_anybody_looked():
    tracked = Tracker([RADAR], TrackerConfig())
    start = first_exist(tracked, S)
    tracked.reset()
    assert first_exist(tracked, 2 * S) == start


def test_neither_cuts_nor_the_order_of_rows_nor_lateness_change_the_map():
    told = stream(3, seconds=5.0)
    rng = np.random.default_rng(0)
    ways = []
    for step_ms, late in ((50, False), (330, False), (50, True)):
        tracked = tracker()
        delay = rng.integers(0, 2 * S, len(told.rows)) if late else 0
        run(tracked, slices(told, grid(told, step_ms, more_s=2.1), delay, 0, rng))
        ways.append([column.tobytes() for column in tracked._unseen])
    assert ways[0] == ways[1] == ways[2]
    assert len(tracked._unseen.level) > 200
    assert len(set(tracked._unseen.level.tolist())) > 20


def test_a_restored_tracker_has_the_map_of_the_one_it_came_from():
    told = stream(4, seconds=4.0)
    steps = list(slices(told, grid(told)))
    one, two = tracker(1.0), tracker(1.0)
    run(one, steps[:50])
    two.restore(one.snapshot())
    assert state(two) == state(one)
    for plots, end in steps[50:]:
        assert as_bytes(two.step(plots, end)) == as_bytes(one.step(plots, end))


def test_a_negative_ratio_is_refused():
    with pytest.raises(ConfigError, match="unseen_ratio"):
        TrackerConfig(unseen_ratio=-1.0)


def test_the_stream_of_the_history_tests_has_a_map_with_cells():
    assert any(sensor.coverage for sensor in SENSORS)
    assert tracker()._chart.wide > 0
