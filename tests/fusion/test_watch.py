"""What a tracker learns of its sensors: biases, rates, and whom to trust."""

from dataclasses import replace
from math import radians

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replay.scenarios import library
from tests.fusion.streams import MS, as_bytes, grid, run, slices, stream, tracker
from v2x.errors import ConfigError
from v2x.fusion import Sensor, Tracker, TrackerConfig
from v2x.fusion.layout import new_look
from v2x.fusion.rates import LOOKS, SETTLED, extent, gauge
from v2x.plots import Plots
from v2x.tracks import CrossResiduals

S = 1_000_000_000
WRONG = 2
NAN = float("nan")
FAULTS = {
    "biased": {0: 1.5 / np.sqrt(2), 1: 1.5 / np.sqrt(2)},
    "yawed": {3: radians(0.5)},
    "late_clock": {5: -0.12},
}


def plots_of(world, k):
    z = world.plots[k]
    return Plots.positions(world.scan_ns[k], world.scan_sensor[k], z, world.noise(k))


def follow(tracked, world, keep=lambda t, k: True):
    """Step through a scenario, yielding the time and tracks after each scan that is kept."""
    for k, t in enumerate(world.scan_ns):
        if keep(t, world.scan_sensor[k]):
            yield t, tracked.step(plots_of(world, k), t)


def followed(world, config=None, sensors=None):
    tracked = Tracker(sensors or world.sensors(), config or TrackerConfig())
    for _ in follow(tracked, world):
        pass
    return tracked


def biases(facts):
    mean = np.column_stack([facts.offset, facts.yaw, facts.scale, facts.clock_s])
    sd = np.column_stack([facts.offset_sd, facts.yaw_sd, facts.scale_sd, facts.clock_sd])
    return mean, sd


def kept(tracked):
    return b"".join(a.tobytes() for a in tracked._watch.arrays.values())


def uniform(t, sensor, rng, n, side=200.0, height=None):
    z = rng.uniform(0.0, side, (n, 2 if height is None else 3))
    if height is not None:
        z[:, 2] *= height / side
    d = z.shape[1]
    return Plots.positions(t, sensor, z, np.tile(np.eye(d), (n, 1, 1)))


# biases


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_measured_within_a_minute_and_good_sensors_are_left_alone(name):
    rest = []
    for seed in range(3):
        facts = followed(library.make(name, 40, seed, scans=3000)).facts
        mean, sd = biases(facts)
        for axis, real in FAULTS[name].items():
            assert mean[WRONG, axis] == pytest.approx(real, rel=0.2)
        others = np.abs(mean / sd)[np.arange(5) != WRONG]
        assert np.isnan(others[:, 2]).all(), "nobody measured heights"
        rest.append(np.delete(others, 2, axis=1).ravel())
        assert facts.agreement[WRONG] < 0.5
        assert (np.delete(facts.agreement, WRONG) > 0.9).all()
    rest = np.concatenate(rest)
    assert np.isfinite(rest).all()
    assert np.mean(rest < 2.0) >= 0.95


def test_residuals_against_the_other_sensors_show_the_whole_bias():
    world, found = library.make("biased", 40, 0, scans=500), []
    tracked, ids = Tracker(world.sensors()), set()
    for _, tracks in follow(tracked, world):
        ids |= set(tracks.id.tolist())
        found.append(tracked.cross)
    cross = CrossResiduals.concat(found)
    wrong = cross.sensor == WRONG
    mean = cross.residual[wrong, :2].mean(axis=0)
    assert mean == pytest.approx([1.5 / np.sqrt(2)] * 2, abs=0.15)
    assert {-1} >= set(cross.track.tolist()) - ids
    assert np.mean(cross.track >= 0) > 0.9
    assert len(np.unique(cross.t_ns // S)) == 9, "the tenth second is not over"


def test_honest_sensors_have_a_nis_of_one_and_their_detection_probability():
    facts = followed(library.make("nominal", 100, 0, stream=1)).facts
    np.testing.assert_allclose(facts.nis, 1.0, atol=0.12)
    np.testing.assert_allclose(facts.p_detect, 0.9, atol=0.02)
    np.testing.assert_allclose(facts.noise, 1.0, atol=0.15)
    assert np.isnan(facts.clutter).all(), "they see everywhere"


# what they follow from


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 1000), cuts=st.lists(st.integers(1, 4200), max_size=30))
def test_facts_do_not_depend_on_how_the_stream_is_cut(seed, cuts):
    told = stream(seed)
    whole, cut = tracker(), tracker()
    run(whole, slices(told, [5 * S]))
    run(cut, slices(told, sorted({*(c * MS for c in cuts), 5 * S})))
    assert kept(cut) == kept(whole)
    assert as_bytes(cut.facts) == as_bytes(whole.facts)
    assert whole._watch.ledger.looked.min() > 3


@pytest.mark.parametrize("seed", range(4))
def test_facts_with_late_rows_are_those_of_rows_in_time(seed):
    told = stream(seed, seconds=8.0, objects=8)
    rng = np.random.default_rng(seed)
    delay = rng.integers(0, 3 * S, len(told.rows)) * (rng.random(len(told.rows)) < 0.3)
    ends = grid(told, more_s=4.0)
    clean, late = tracker(), tracker()
    run(clean, slices(told, ends))
    run(late, slices(told, ends, delay, 0, rng))
    assert late.tally.replays > 10
    assert clean.facts.windows.max() > 5.0
    duplicates = clean._watch.ledger.counts[:, 5]
    assert not duplicates.any()
    assert kept(late) == kept(clean)


def test_facts_go_on_after_a_restart():
    told = stream(3, seconds=8.0, objects=8)
    steps = list(slices(told, grid(told)))
    straight, first, second = tracker(2.0), tracker(2.0), tracker(2.0)
    run(straight, steps)
    run(first, steps[:70])
    second.restore(first.snapshot())
    assert as_bytes(second.facts) == as_bytes(first.facts)
    run(second, steps[70:])
    assert kept(second) == kept(straight)


def test_residuals_of_a_second_are_told_once_even_if_it_runs_again():
    told = stream(2, seconds=8.0, objects=8)
    late, when = tracker(), []
    rng = np.random.default_rng(0)
    delay = rng.integers(0, 2 * S, len(told.rows)) * (rng.random(len(told.rows)) < 0.2)
    for plots, end in slices(told, grid(told, more_s=3.0), delay):
        late.step(plots, end)
        when += np.unique(late.cross.t_ns // S).tolist()
    assert late.tally.replays > 10
    assert len(when) > 3
    assert when == sorted(set(when))


def test_asking_changes_nothing():
    told = stream(1)
    asked, quiet = tracker(), tracker()
    for plots, end in slices(told, grid(told)):
        asked.step(plots, end)
        quiet.step(plots, end)
        assert len(asked.facts) == 3
        assert len(asked.cross.t_ns) == len(asked.cross.track)
    assert asked.snapshot() == quiet.snapshot()


def test_a_reset_forgets_the_sensors():
    fresh, used = tracker(), tracker()
    told = stream(1)
    run(used, slices(told, grid(told)))
    assert kept(used) != kept(fresh)
    used.reset()
    assert kept(used) == kept(fresh)
    run(used, slices(told, grid(told)))
    assert len(used.facts) == 3


# nothing there


def test_nothing_is_known_of_sensors_that_said_nothing():
    facts = Tracker([Sensor("a"), Sensor("b", clutter_density=1e-6)]).facts
    assert not facts.observable.any()
    for name in ("offset", "yaw", "nis", "p_detect", "clutter", "duplicates", "agreement", "noise"):
        assert np.isnan(getattr(facts, name)).all(), name


def test_without_registration_there_are_rates_and_no_biases():
    world = library.make("biased", 20, 0, scans=300)
    off = followed(world, TrackerConfig(registration=False))
    assert not off.facts.observable.any()
    assert (off.facts.windows == 0.0).all()
    on = followed(world)
    assert on.facts.observable.any()
    for name in ("p_detect", "nis", "duplicates"):
        assert getattr(off.facts, name).tolist() == getattr(on.facts, name).tolist()


def test_a_single_sensor_has_no_biases():
    rng, tracked = np.random.default_rng(0), Tracker([Sensor("a", clutter_density=1e-7)])
    for k in range(1, 60):
        z = np.array([[k * 1.0, 0.0], [0.0, 300.0]]) + rng.normal(0, 1, (2, 2))
        tracked.step(
            Plots.positions(k * 100 * MS, 0, z, np.tile(np.eye(2), (2, 1, 1))), k * 100 * MS
        )
    assert not tracked.facts.observable.any()
    assert tracked.facts.p_detect[0] > 0.95
    assert len(tracked.cross) == 0


# looks


def test_looks_hold_what_a_count_by_hand_holds():
    square = ((-500.0, -500.0), (500.0, -500.0), (500.0, 500.0), (-500.0, 500.0))
    sensor = Sensor("a", clutter_density=1e-9, coverage=square)
    tracked, rng = Tracker([sensor]), np.random.default_rng(0)
    grid_m = np.stack(np.meshgrid(np.arange(-400.0, 401.0, 200.0), [0.0, 200.0]), -1).reshape(-1, 2)
    grid_m = np.concatenate([grid_m, [[5000.0, 0.0]]])  # the last one stands out of its sight
    confirmed = 0
    for k in range(1, 40):
        seen = rng.random(len(grid_m)) < 0.9 if k > 5 else np.ones(len(grid_m), bool)
        seen[-1] = k <= 5
        z = grid_m[seen] + rng.normal(0, 0.3, (int(seen.sum()), 2))
        false = rng.uniform(-450.0, -250.0, (rng.poisson(1.0), 2))
        twice = z[: k % 3]
        rows = np.concatenate([z, false, twice])
        t = k * 100 * MS
        tracks = tracked.step(
            Plots.positions(t, 0, rows, np.tile(0.09 * np.eye(2), (len(rows), 1, 1))), t
        )
        looks = tracked.looks
        assert looks.t_ns.tolist() == [t]
        assert looks.sensor.tolist() == [0]
        assert looks.plots.tolist() == [len(rows)]
        assert looks.duplicates.tolist() == [len(twice)]
        assert looks.area[0] == pytest.approx(1e6)
        if k > 6:
            assert looks.hits[0] == pytest.approx(seen[:-1].sum(), abs=0.3)
            assert looks.expected[0] == pytest.approx(len(grid_m) - 1, abs=0.3)
            assert looks.unexplained[0] == pytest.approx(len(false), abs=0.5)
        confirmed = int((tracks.status == 1).sum())
    assert confirmed >= len(grid_m) - 2


def test_an_empty_look_is_counted():
    tracked = Tracker([Sensor("a", clutter_density=1e-9)])
    for k in range(1, 10):
        z = [] if k == 9 else [[0.0, 0.0]]
        z = np.array(z).reshape(-1, 2)
        tracked.step(Plots.positions(k * 100 * MS, 0, z, np.tile(np.eye(2), (len(z), 1, 1))), k * S)
    looks = tracked.looks
    assert looks.plots.tolist() == [0]
    assert looks.hits.tolist() == [0.0]
    assert 0.8 < looks.expected[0] <= 1.0


def test_looks_of_a_sensor_whose_misses_mean_nothing_expect_nothing():
    tracked = Tracker([Sensor("a", clutter_density=1e-9, scans=False)])
    for k in range(1, 10):
        tracked.step(Plots.positions(k * S, 0, np.zeros((1, 2)), np.eye(2)[None]), k * S)
    assert tracked.looks.expected.tolist() == [0.0]
    assert tracked.looks.hits[0] > 0.9
    assert np.isnan(tracked.facts.p_detect[0])


def test_looks_are_those_of_the_step_and_of_late_scans_but_not_of_the_repeated():
    tracked = tracker()
    at = [k * 100 * MS for k in range(1, 31)]
    for t in at[:20]:
        if t != at[14]:
            tracked.step(Plots.positions(t, 1, np.zeros((1, 3)), np.eye(3)[None]), t)
    late = Plots.positions(
        np.array([at[14], at[20]]), 1, np.zeros((2, 3)), np.tile(np.eye(3), (2, 1, 1))
    )
    tracked.step(late, at[20])
    assert tracked.looks.t_ns.tolist() == [at[14], at[20]]
    tracked.step(Plots.nothing(), at[21])
    assert len(tracked.looks) == 0


@pytest.mark.parametrize(
    ("keys", "width", "area"),
    [
        ({}, 2, NAN),
        ({"coverage": ((0, 0), (100, 0), (100, 50), (0, 50))}, 2, 5000.0),
        ({"coverage": ((0, 0), (0, 50), (100, 50), (100, 0))}, 2, 5000.0),
        ({"coverage": ((0, 0), (100, 0), (100, 50), (0, 50))}, 3, NAN),
        ({"coverage": ((0, 0), (100, 0), (0, 50)), "floor_m": 10.0, "ceiling_m": 50.0}, 3, 1e5),
        ({"floor_m": 10.0, "ceiling_m": 50.0}, 3, NAN),
    ],
)
def test_the_area_of_a_look_is_that_of_its_coverage(keys, width, area):
    tracked = Tracker([Sensor("a", clutter_density=1e-6, **keys)])
    z = np.full((1, width), 20.0)
    tracked.step(Plots.positions(S, 0, z, np.eye(width)[None]), S)
    tracked.step(Plots.positions(2 * S, 0, z[:0], np.eye(width)[None][:0]), 2 * S)
    assert tracked.looks.area.tolist() == pytest.approx([area], nan_ok=True)


# rates


@pytest.mark.parametrize(("name", "size"), [("nominal", 100), ("hard", 100), ("air3d", 100)])
def test_clutter_that_was_not_given_is_found_within_two_seconds(name, size):
    world = library.make(name, size, 0, stream=1, scans=65)
    sensors = [replace(s, clutter_density=NAN) for s in world.sensors()]
    tracked = followed(world, sensors=sensors)
    real = world.clutter / np.prod(world.box[:, 1] - world.box[:, 0])
    np.testing.assert_allclose(tracked._beams.clutter, real, rtol=0.3)
    np.testing.assert_allclose(tracked._beams.birth, 0.01 * tracked._beams.clutter)
    facts = tracked.facts
    assert (np.abs(facts.clutter - real) < 0.3 * real).all()
    assert (facts.clutter_sd < 0.2 * real).all()


def test_until_a_sensor_has_settled_all_its_plots_count_as_clutter():
    rng, tracked = np.random.default_rng(0), Tracker([Sensor("a")])
    for k in range(SETTLED):
        tracked.step(uniform(k * 100 * MS, 0, rng, 400), k * 100 * MS)
        assert tracked._beams.clutter[0] == pytest.approx(400 / 200.0**2, rel=0.25)
    assert tracked._watch.ledger.spread[0, LOOKS] == 0.0


def test_the_coverage_bounds_the_clutter_that_was_not_given():
    square = ((0.0, 0.0), (1000.0, 0.0), (1000.0, 1000.0), (0.0, 1000.0))
    rng, tracked = np.random.default_rng(0), Tracker([Sensor("a", coverage=square)])
    for k in range(1, 40):
        tracked.step(uniform(k * 100 * MS, 0, rng, 5, side=1000.0), k * 100 * MS)
    assert tracked._beams.clutter[0] == pytest.approx(5e-6, rel=0.15)
    assert tracked.facts.clutter[0] == pytest.approx(5e-6, rel=0.15)


@pytest.mark.parametrize("height", [None, 30.0])
def test_the_extent_of_a_sensor_is_that_of_its_plots(height):
    rng = np.random.default_rng(0)
    tracked = Tracker([Sensor("a")])
    for k in range(20):
        tracked.step(uniform(k * 100 * MS, 0, rng, 100, height=height), k * 100 * MS)
    book = tracked._watch.ledger
    real = 200.0**2 * (1.0 if height is None else height)
    assert extent(book, 0, 0.0) == pytest.approx(real, rel=0.05)


def test_an_extent_is_never_nothing():
    tracked = Tracker([Sensor("a")])
    book, look = tracked._watch.ledger, new_look(4)
    assert extent(book, 0, 0.0) == pytest.approx(12.0 * 2500.0)
    z, cov = np.full((4, 3), 7e5), np.tile([1.0, 0, 0, 1, 0, 1], (4, 1))
    look.row[:] = np.arange(4)
    gauge(book, tracked._beams.clutter, tracked._beams.birth, 0, z, cov, look.row, 4)
    assert 1e4 < extent(book, 0, 1.0) < 1e6
    assert np.isfinite(tracked._beams.clutter[0])


def test_given_rates_are_kept_unless_asked_otherwise():
    world = library.make("hard", 40, 0, stream=1, scans=150)
    given_, p = world.sensors()[0].clutter_density, 0.9
    tracked = followed(world)
    assert set(tracked._beams.clutter.tolist()) == {given_}
    assert set(tracked._beams.p_detect.tolist()) == {p}


def test_learned_rates_stay_between_half_and_double_of_those_given():
    world = library.make("hard", 100, 0, stream=1, scans=300)
    side = world.box[:, 1].tolist()
    box = ((0.0, 0.0), (side[0], 0.0), (side[0], side[1]), (0.0, side[1]))
    real = world.sensors()[0].clutter_density
    told = [(0.9, real), (0.5, 10.0 * real), (0.7, 0.1 * real)]
    sensors = [
        replace(s, p_detect=p, clutter_density=c, coverage=box)
        for s, (p, c) in zip(world.sensors(), told, strict=True)
    ]
    tracked = followed(world, TrackerConfig(learn_rates=True), sensors)
    beams = tracked._beams
    np.testing.assert_allclose(beams.p_detect, 0.9, atol=0.1)
    np.testing.assert_allclose(beams.clutter, [real, 5.0 * real, 0.2 * real], rtol=0.15)
    np.testing.assert_allclose(beams.birth, 0.01 * beams.clutter)
    np.testing.assert_allclose(tracked.facts.clutter, real, rtol=0.3)


# newcomers


def moved(world, join_ns, config):
    """How far each confirmed track is from the run without the newcomer, in its first second."""
    alone, joined = (Tracker(world.sensors(), config) for _ in range(2))
    before = dict(follow(alone, world, lambda t, k: k != WRONG))
    found = []
    for t, tracks in follow(joined, world, lambda t, k: k != WRONG or t > join_ns):
        if t <= join_ns or t not in before:
            continue
        other = before[t]
        _, i, j = np.intersect1d(tracks.id, other.id, return_indices=True)
        sure = (tracks.status[i] == 1) & (other.status[j] == 1)
        found.append(np.hypot(*(tracks.x[i, :2] - other.x[j, :2]).T)[sure])
    return np.concatenate(found), joined


@pytest.mark.parametrize("name", FAULTS)
def test_a_wrong_sensor_drags_no_track_in_the_second_after_it_joins(name):
    world = library.make(name, 100, 0, scans=650)
    off, joined = moved(world, 12 * S, TrackerConfig())
    assert len(off) > 3000
    assert off.max() < 0.5
    assert joined._watch.ledger.doubt.tolist() == [0.0, 0.0, 25.0, 0.0, 0.0]
    trusted, _ = moved(world, 12 * S, TrackerConfig(newcomer_sd_m=0.0))
    assert trusted.max() > 0.5


@pytest.mark.parametrize(
    ("name", "row", "scans", "doubt"), [("polar", 2, 720, 0.0), ("biased", WRONG, 1200, 25.0)]
)
def test_a_newcomer_is_trusted_after_its_trial_if_nothing_speaks_against_it(
    name, row, scans, doubt
):
    world = library.make(name, 30, 0, scans=scans)
    tracked = Tracker(world.sensors(), TrackerConfig(newcomer_s=4.0))
    on_trial = set()
    for t, _ in follow(tracked, world, lambda t, k: k != row or t > 6 * S):
        if 6 * S < t < 10 * S:
            on_trial.add(float(tracked._watch.ledger.doubt[row]))
    assert on_trial == {25.0}
    assert tracked._watch.ledger.doubt[row] == doubt


def test_nobody_is_a_newcomer_at_the_start_nor_beside_nobody():
    tracked = Tracker([Sensor("a", clutter_density=1e-6), Sensor("b", clutter_density=1e-6)])
    z, cov = np.zeros((1, 2)), np.eye(2)[None]
    for k in range(1, 20):
        tracked.step(Plots.positions(k * S, 0, z, cov), k * S)
        if k == 5:
            tracked.step(Plots.positions(k * S, 1, z, cov), k * S)
        assert not tracked._watch.ledger.doubt.any()
    tracked.step(Plots.positions(200 * S, 0, z, cov), 200 * S)
    assert not tracked._watch.ledger.doubt.any(), "both were silent"


def test_who_was_silent_for_a_half_life_is_a_newcomer_again():
    tracked = Tracker([Sensor("a", clutter_density=1e-6), Sensor("b", clutter_density=1e-6)])
    z, cov = np.zeros((1, 2)), np.eye(2)[None]
    for k in range(1, 100):
        tracked.step(Plots.positions(k * S, 0, z, cov), k * S)
        if k < 20 or k >= 90:
            tracked.step(Plots.positions(k * S, 1, z, cov), k * S)
        doubt = tracked._watch.ledger.doubt.tolist()
        assert doubt == ([0.0, 25.0] if k >= 80 else [0.0, 0.0]), k


@pytest.mark.parametrize("name", ["newcomer_sd_m", "newcomer_s"])
@pytest.mark.parametrize("value", [-1.0, NAN, float("inf")])
def test_a_trial_that_cannot_be_is_refused(name, value):
    with pytest.raises(ConfigError, match=name):
        TrackerConfig(**{name: value})


def test_the_order_of_rows_in_a_scan_is_not_in_the_facts():
    told = stream(5)
    ways = [tracker(), tracker()]
    run(ways[0], slices(told, grid(told)))
    run(ways[1], slices(told, grid(told), rng=np.random.default_rng(0)))
    assert kept(ways[0]) == kept(ways[1])
