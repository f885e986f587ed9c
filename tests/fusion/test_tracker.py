"""The tracker as its users meet it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.scenarios.fusion import SENSOR_SD, make
from tests.fusion import hostile
from v2x.errors import ConfigError
from v2x.fusion import Sensor, Tracker, TrackerConfig, layout
from v2x.observations import Flag, Kind, ident_of
from v2x.plots import Plots
from v2x.scoring import Frames, nees, score
from v2x.sensors import SensorKind
from v2x.tracks import Status

MS = 1_000_000


def radar(name="radar-1", **keys):
    given = {"p_detect": 0.9, "clutter_density": 1e-5, "kind": SensorKind.RADAR}
    return Sensor(name, **(given | keys))


def plots(t_ns, sensor, xyz, sd=1.0, **columns):
    xyz = np.atleast_2d(np.asarray(xyz, float))
    n, d = xyz.shape
    return Plots.positions(t_ns, sensor, xyz, np.tile(np.eye(d) * sd**2, (n, 1, 1)), **columns)


def empty(t_ns, sensor=0):
    return Plots.positions(t_ns, sensor, np.zeros((0, 2)), np.zeros((0, 2, 2)))


def drive(tracker, looks, start=0, step=100 * MS, **columns):
    """One look a step: `looks` yields (n, d) positions."""
    tracks = None
    for k, xyz in enumerate(looks):
        t = start + (k + 1) * step
        tracks = tracker.step(plots(t, 0, xyz, **columns), t)
    return tracks


def as_bytes(tracks):
    return b"".join(getattr(tracks, name).tobytes() for name, *_ in tracks.schema())


def feed(world, k):
    z, d = world.plots[k], world.dim
    cov = np.broadcast_to(np.eye(d) * SENSOR_SD[world.scan_sensor[k]] ** 2, (len(z), d, d))
    return world.scan_ns[k], world.scan_sensor[k], z, cov


def run(world, config=TrackerConfig(), scans=300):  # noqa: B008
    tracker, made = Tracker(world.sensors(), config), []
    for k in range(scans):
        t, *rest = feed(world, k)
        tracks = tracker.step(Plots.positions(t, *rest), t + MS if k % 3 == 2 else t)
        if k % 3 == 2:
            made.append(tracks)
    return tracker, made


@pytest.fixture(scope="module")
def nominal():
    world = make("nominal", 100, 0)
    return world, *run(world)


# accuracy


@pytest.mark.parametrize(
    ("name", "size", "bar"),
    [("nominal", 100, 0.54), ("hard", 100, 0.69), ("lanes", 60, 0.81), ("air3d", 100, 0.61)],
)
def test_accuracy_of_constant_velocity_is_what_the_scenario_allows(name, size, bar):
    world = make(name, size, 0)
    _, made = run(world, TrackerConfig(motion="cv"))
    keep = range(9, 100)
    ours = [t.take(t.exist >= 0.5) for t in made]
    result = score(
        Frames.of([world.truth_id[k] for k in keep], [world.truth[k] for k in keep]),
        Frames.of([ours[k].id for k in keep], [ours[k].x[:, : world.dim] for k in keep]),
    )
    assert result.gospa_n < bar
    assert result.idf1 > 0.96


def test_stated_uncertainty_is_the_real_one(nominal):
    world, _, made = nominal
    values = []
    for k in range(19, 100, 10):
        t, truth = made[k], world.truth[k]
        d = np.linalg.norm(t.x[:, None, :2] - truth[None], axis=2)
        near = d.min(axis=1) < 5.0
        e = t.x[near, :2] - truth[d[near].argmin(axis=1)]
        values.append(nees(e, t.P[near, :2, :2]))
    assert 0.75 < np.concatenate(values).mean() / 2 < 1.25


def test_two_sensors_make_one_track_that_knows_more_than_either():
    one, two = Tracker([radar()]), Tracker([radar(), radar("radar-2")])
    rng = np.random.default_rng(0)
    for k in range(30):
        t, x = (k + 1) * 100 * MS, np.array([10.0 * k * 0.1, 5.0])
        a = plots(t, 0, x + rng.normal(0, 1, 2))
        b = plots(t + 50 * MS, 1, x + np.array([0.5, 0]) + rng.normal(0, 1, 2))
        single = one.step(a, t + 50 * MS)
        both = two.step(Plots.concat([a, b]), t + 50 * MS)
    assert len(single) == len(both) == 1
    assert np.trace(both.P[0, :2, :2]) < 0.8 * np.trace(single.P[0, :2, :2])
    assert both.P[0, 0, 0] < 1.0
    assert both.n_sensors[0] == 2
    assert both.sensor_kinds[0] == 1 << SensorKind.RADAR


# existence and its readings


def test_empty_scans_end_a_track():
    tracker = Tracker([radar()])
    tracks = drive(tracker, [[k * 1.0, 0.0] for k in range(10)])
    assert tracks.status.tolist() == [Status.CONFIRMED]
    for k in range(11, 18):
        tracks = tracker.step(empty(k * 100 * MS), k * 100 * MS)
    assert len(tracks) == 0
    for k in range(18, 40):
        tracker.step(empty(k * 100 * MS), k * 100 * MS)
    assert len(tracker) == 0


def test_without_looks_there_are_no_misses_but_coasting():
    tracker = Tracker([radar()])
    drive(tracker, [[k * 1.0, 0.0] for k in range(10)])
    tracks = tracker.step(Plots.nothing(), 3000 * MS)
    assert tracks.status.tolist() == [Status.COASTING]
    assert tracks.exist[0] > 0.9
    assert tracks.x[0, 0] == pytest.approx(29.0, abs=2.0), "some of it may have turned or stopped"
    assert len(tracker.step(Plots.nothing(), 20_000 * MS)) == 0


def test_a_slow_sensor_is_waited_for():
    sensor = radar(scans=False, period_s=10.0, kind=SensorKind.SELF_REPORT, clutter_density=1e-9)
    tracker = Tracker([sensor])
    for k in range(1, 6):
        t = k * 10_000 * MS
        tracker.step(plots(t, 0, [0.0, 0.0]), t)
    tracks = tracker.step(Plots.nothing(), 58_000 * MS)
    assert tracks.status.tolist() == [Status.CONFIRMED]


def test_a_track_outside_all_coverage_keeps_its_existence():
    square = ((0.0, -50.0), (20.0, -50.0), (20.0, 50.0), (0.0, 50.0))
    near, far = Tracker([radar(coverage=square)]), Tracker([radar()])
    for tracker in (near, far):
        drive(tracker, [[2.0 * k, 0.0] for k in range(10)])
        for k in range(11, 25):
            last = tracker.step(empty(k * 100 * MS), k * 100 * MS)
        assert len(last) == (tracker is near)


def test_self_reports_are_no_scans():
    sensor = radar(scans=False, kind=SensorKind.SELF_REPORT, clutter_density=1e-9)
    tracker = Tracker([sensor])
    for k in range(1, 20):
        t = k * 100 * MS
        where = [[0.0, 0.0]] if k % 2 else [[500.0, 0.0]]
        tracks = tracker.step(plots(t, 0, where, ident=ident_of(f"bus:{k % 2}")), t)
    assert len(tracks) == 2
    assert tracks.exist.min() > 0.99


def test_two_cars_that_pass_each_other_keep_their_ids():
    tracker, first = Tracker([radar()]), {}
    rng = np.random.default_rng(1)
    for k in range(60):
        t = (k + 1) * 100 * MS
        x = np.array([[-30.0 + k, 1.8], [30.0 - k, -1.8]])
        tracks = tracker.step(plots(t, 0, x + rng.normal(0, 0.5, x.shape), sd=0.5), t)
        if k == 10:
            first = {int(i): v > 0 for i, v in zip(tracks.id, tracks.x[:, 3], strict=True)}
    assert len(first) == len(tracks) == 2
    assert {int(i): v > 0 for i, v in zip(tracks.id, tracks.x[:, 3], strict=True)} == first


# identity, kind, claims


def test_the_same_identity_in_two_places_is_two_tracks_and_a_conflict():
    tracker, who = Tracker([radar()]), ident_of("uas:1")
    for k in range(1, 10):
        t = k * 100 * MS
        tracks = tracker.step(plots(t, 0, [[0.0, 0.0], [300.0, 0.0]], ident=who), t)
    assert len(tracks) == 2
    assert set(tracks.ident.tolist()) == {who}
    assert len(set(tracks.id.tolist())) == 2
    t = 1000 * MS
    tracker.step(plots(t, 0, [[0.0, 0.0], [0.0, 900.0], [300.0, 0.0]], ident=who), t)
    found = tracker.residuals
    assert found.conflict.tolist().count(1) == 2
    assert set(found.ident.tolist()) == {who}


@pytest.mark.parametrize(("kind", "tracks"), [(Kind.UAS, 4), (Kind.CAR, 1)])
def test_drones_that_claim_side_by_side_are_a_track_each_and_cars_that_rotate_are_one(kind, tracks):
    receiver = radar(kind=SensorKind.REMOTE_ID, scans=False, clutter_density=1e-9)
    tracker = Tracker([receiver])
    for k in range(1, 40):
        t = k * 250 * MS
        who = k % 4
        claim = plots(
            t, 0, [6.0 * who, 0.0], sd=5.0, ident=ident_of(f"rid:{who}"), kind=kind,
            kind_conf=0.95, flags=Flag.SELF_REPORTED,
        )  # fmt: skip
        made = tracker.step(claim, t)
    assert len(made) == tracks
    if tracks == 4:
        assert set(made.ident.tolist()) == {ident_of(f"rid:{who}") for who in range(4)}


def test_a_rotated_identity_stays_on_its_track():
    tracker = Tracker([radar()])
    ids = set()
    for k in range(1, 30):
        t = k * 100 * MS
        who = ident_of("bsm:a" if k < 15 else "bsm:b")
        tracks = tracker.step(plots(t, 0, [k * 1.0, 0.0], ident=who), t)
        ids |= set(tracks.id.tolist())
    assert len(ids) == len(tracks) == 1
    assert tracks.ident[0] == ident_of("bsm:b")


def test_an_object_without_identity_is_still_a_track():
    tracks = drive(Tracker([radar()]), [[k * 1.0, 0.0] for k in range(5)])
    assert tracks.ident.tolist() == [-1]


def test_kind_follows_the_evidence_and_a_wrong_label_breaks_nothing():
    tracker = Tracker([radar()])
    for k in range(1, 20):
        t = k * 100 * MS
        kind = Kind.BUS if k == 7 else Kind.CAR
        tracks = tracker.step(plots(t, 0, [k * 1.0, 0.0], kind=kind, kind_conf=0.9), t)
    assert tracks.kind.tolist() == [Kind.CAR]
    assert tracks.kind_prob[0] > 0.8
    assert len(tracker) == 1


def test_who_fed_a_track_is_told_apart():
    sensors = [radar("a"), radar("b", kind=SensorKind.REMOTE_ID), radar("c", kind=SensorKind.RSU)]
    tracker = Tracker(sensors)
    for k in range(1, 8):
        t = k * 100 * MS
        parts = [
            plots(t, 0, [[0.0, 0.0]]),
            plots(t, 1, [[0.0, 0.0]], flags=Flag.SELF_REPORTED),
            plots(t, 2, [[0.0, 0.0]], flags=Flag.RELAYED | Flag.SELF_REPORTED),
        ]
        tracks = tracker.step(Plots.concat(parts), t)
    bits = (SensorKind.RADAR, SensorKind.REMOTE_ID, SensorKind.RELAYED)
    assert tracks.sensor_kinds.tolist() == [sum(1 << b for b in bits)]
    assert tracks.n_sensors.tolist() == [3]
    tracks = tracker.step(plots(6000 * MS, 0, [0.0, 0.0]), 6000 * MS)
    assert tracks.sensor_kinds.tolist() == [1 << SensorKind.RADAR]


def test_a_flood_of_claims_is_bounded():
    config = TrackerConfig(max_claim_tracks=50)
    tracker = Tracker([radar(kind=SensorKind.REMOTE_ID, scans=False)], config)
    rng = np.random.default_rng(0)
    for k in range(1, 6):
        t = k * 100 * MS
        xyz = rng.uniform(-5000, 5000, (100, 2))
        tracker.step(plots(t, 0, xyz, ident=rng.integers(0, 2**60, 100)), t)
    assert len(tracker) == 50
    assert tracker.tally.flooded > 300


# heights, velocities, noise


def test_up_stays_wide_until_it_is_measured():
    tracker = Tracker([radar()])
    tracks = drive(tracker, [[k * 1.0, 0.0] for k in range(5)])
    assert tracks.x[0, [2, 5]].tolist() == [0.0, 0.0]
    assert 1e6 < tracks.P[0, 2, 2] < 1e8
    tracks = drive(tracker, [[k * 1.0, 0.0, 120.0] for k in range(5, 12)], start=500 * MS)
    assert len(tracks) == 1
    assert tracks.x[0, 2] == pytest.approx(120.0, abs=0.5)
    assert tracks.P[0, 2, 2] < 1.0
    before = tracks.x[0, 2]
    tracks = drive(tracker, [[k * 1.0, 0.0] for k in range(12, 15)], start=1200 * MS)
    assert tracks.x[0, 2] == pytest.approx(before, abs=0.5)


def test_a_reported_velocity_is_used_from_the_first_plot():
    tracker = Tracker([radar(clutter_density=1e-12, scans=False)])
    tracks = tracker.step(plots(0, 0, [0.0, 0.0], vel=[12.0, -3.0, 0.0], vel_sd=0.5), 0)
    tracker.step(plots(100 * MS, 0, [1.2, -0.3], vel=[12.0, -3.0, 0.0], vel_sd=0.5), 100 * MS)
    tracks = tracker.step(Plots.nothing(), 1000 * MS)
    np.testing.assert_allclose(tracks.x[0, :2], [12.0, -3.0], atol=0.5)


def test_filtered_inputs_are_inflated():
    plain, filtered = (
        drive(
            Tracker([radar(track_input=flag, correlation_s=0.5, period_s=0.1)]),
            [[k * 1.0, 0.0] for k in range(30)],
        )
        for flag in (False, True)
    )
    assert filtered.P[0, 0, 0] > 3.0 * plain.P[0, 0, 0]


@given(
    st.lists(
        st.tuples(
            st.floats(-60, 60),
            st.floats(-60, 60),
            st.one_of(st.just(float("nan")), st.floats(-60, 60)),
            st.floats(0.001, 500),
            st.floats(0.001, 500),
            st.floats(-0.999, 0.999),
        ),
        max_size=12,
    ),
    st.integers(0, 3_000_000_000),
)
def test_covariance_stays_symmetric_and_positive(rows, gap):
    tracker = Tracker([radar(clutter_density=1e-9), radar("radar-2", scans=False)])
    z = np.array([r[:3] for r in rows], float).reshape(-1, 3)
    cov = np.array(
        [[a * a, r * a * b, 0.0, b * b, 0.0, a * b] for *_, a, b, r in rows], float
    ).reshape(-1, 6)
    for k in range(4):
        t = k * gap
        part = Plots.positions(t, k % 2, z + 0.1 * k, cov)
        tracks = tracker.step(part, t)
        if len(tracks):
            assert np.isfinite(tracks.P).all()
            np.testing.assert_array_equal(tracks.P, tracks.P.transpose(0, 2, 1))
            d = np.sqrt(np.einsum("nii->ni", tracks.P))
            scaled = tracks.P / d[:, :, None] / d[:, None, :]
            assert np.linalg.eigvalsh(scaled).min() > -1e-9
            assert ((tracks.exist > 0) & (tracks.exist < 1)).all()


# order, cuts, bytes


def test_rows_in_any_order_give_the_same_bytes(nominal):
    world, _, made = nominal
    rng = np.random.default_rng(0)
    tracker = Tracker(world.sensors())
    for k in range(60):
        t, s, z, cov = feed(world, k)
        p = rng.permutation(len(z))
        tracks = tracker.step(Plots.positions(t, s, z[p], cov[p]), t + MS if k % 3 == 2 else t)
        if k % 3 == 2:
            assert as_bytes(tracks) == as_bytes(made[k // 3])


def test_cuts_between_steps_change_no_byte(nominal):
    world, _, made = nominal
    tracker = Tracker(world.sensors())
    for k in range(0, 60, 30):
        parts = [Plots.positions(*feed(world, i)) for i in range(k, k + 30)]
        tracks = tracker.step(Plots.concat(parts), world.scan_ns[k + 29] + MS)
    assert as_bytes(tracks) == as_bytes(made[19])
    assert len(tracker.residuals) > 1000


def test_again_is_the_same_and_a_reset_forgets(nominal):
    world, _, made = nominal
    fresh = Tracker(world.sensors())
    fresh.step(Plots.positions(*feed(world, 0)), world.scan_ns[0])
    fresh.reset()
    assert len(fresh) == 0
    for k in range(30):
        t, *rest = feed(world, k)
        tracks = fresh.step(Plots.positions(t, *rest), t + MS if k % 3 == 2 else t)
    assert as_bytes(tracks) == as_bytes(made[9])


def test_ids_come_from_content_and_differ_by_tile():
    looks = [[k * 1.0, 0.0] for k in range(5)]
    a, b = (drive(Tracker([radar()], tile_name=name), looks) for name in ("x", "x"))
    c = drive(Tracker([radar()], tile_name="y"), looks)
    assert a.id[0] == b.id[0] != c.id[0]
    assert 0 <= a.id[0] < 2**63


def test_copies_of_a_row_count_once():
    once, twice = Tracker([radar()]), Tracker([radar()])
    for k in range(8):
        t, x = (k + 1) * 100 * MS, [[k * 1.0, 0.0], [50.0, 50.0 - k]]
        a = once.step(plots(t, 0, x), t)
        b = twice.step(plots(t, 0, x + x), t)
    assert as_bytes(a) == as_bytes(b)
    assert twice.tally.duplicates == 16


def test_returned_arrays_are_the_callers():
    tracker = Tracker([radar()])
    tracks = drive(tracker, [[k * 1.0, 0.0] for k in range(5)])
    before = as_bytes(tracks)
    drive(tracker, [[k * 1.0, 0.0] for k in range(5, 9)], start=500 * MS)
    assert as_bytes(tracks) == before


def test_the_room_of_a_flood_is_given_back():
    tracker = Tracker([radar(clutter_density=1e-7), radar("radar-2", clutter_density=1e-7)])
    rng = np.random.default_rng(0)
    for k in range(40):
        t = (k + 1) * 100 * MS
        x = np.array([[1.0 * k, 0.0], [0.0, 70.0 + k]])
        if k == 20:
            x = np.concatenate([x, rng.uniform(-9e3, 9e3, (2000, 2))])
        tracks = tracker.step(plots(t, k % 2, x), t)
        if k == 19:
            ids = tracks.id.tolist()
    assert tracks.id.tolist() == ids
    assert len(tracks) == len(tracker) == 2
    assert tracker._counts[layout.TOP] < 260
    np.testing.assert_allclose(tracks.x[:, :2], x, atol=1.0)


def test_hostile_numbers_are_dropped_and_counted():
    tracker = Tracker([radar()])
    z = np.array([[np.inf, 0.0], [1e300, 0.0], [np.nan, 1.0], [-1e18, -1e18], [1.0, 2.0]])
    bad = np.tile(np.eye(2), (5, 1, 1))
    bad[4] = [[1.0, 2.0], [2.0, 1.0]]
    tracker.step(Plots.positions(0, 0, z, bad), 0)
    assert len(tracker) == 0
    assert tracker.tally.unusable == 5


def test_many_plots_on_many_tracks_make_room_for_their_edges():
    tracker = Tracker([radar(clutter_density=1e-9)])
    rng = np.random.default_rng(0)
    for k in range(3):
        t = (k + 1) * 100 * MS
        tracks = tracker.step(plots(t, 0, rng.normal(0, 3, (120, 2)), sd=3.0), t)
    assert np.isfinite(tracks.x).all()


# doors


def test_names_are_found_through_the_table_of_the_tracker():
    tracker = Tracker([radar("b"), radar("a")])
    made = Plots.positions(0, "b", np.zeros((1, 2)), np.eye(2)[None], sensors=tracker.sensors)
    assert made.rows.sensor.tolist() == [1]
    with pytest.raises(ValueError, match=r"tracker\.sensors"):
        Plots.positions(0, "b", np.zeros((1, 2)), np.eye(2)[None])
    with pytest.raises(ConfigError, match="nobody"):
        Plots.positions(0, ["nobody"], np.zeros((1, 2)), np.eye(2)[None], sensors=tracker.sensors)


def test_older_newer_and_unknown_rows_are_refused():
    tracker = Tracker([radar()], TrackerConfig(history_s=0.0))
    tracker.step(plots(100, 0, [0.0, 0.0]), 100)
    for t, sensor, end in ((50, 0, 200), (300, 0, 200), (150, 1, 200), (150, -1, 200)):
        with pytest.raises(ValueError, match=r"scan|sensor"):
            tracker.step(plots(t, sensor, [0.0, 0.0]), end)


def test_a_configuration_that_cannot_work_is_refused():
    with pytest.raises(ConfigError, match="prune_exist"):
        TrackerConfig(prune_exist=0.4)
    with pytest.raises(ConfigError, match="death_per_s"):
        TrackerConfig(death_per_s=float("nan"))


def test_residuals_are_unbiased_and_of_the_stated_size(nominal):
    _, tracker, _ = nominal
    found = tracker.residuals
    assert len(found) > 50
    assert set(found.dim.tolist()) == {2}
    assert 1.2 < found.nis.mean() < 2.8
    assert np.isnan(found.innovation[:, 2]).all()


def test_no_kernel_is_compiled_twice(nominal):
    from v2x.fusion import running

    assert len(running.step.signatures) <= 2, "one for each number of motion modes"
    assert len(running.tell.signatures) <= 2


def test_cost_per_object_hardly_grows():
    import time

    cost = {}
    for n in (500, 5000):
        world = make("nominal", n, 0, scans=24)
        tracker, spent = Tracker(world.sensors()), []
        for k in range(24):
            part = Plots.positions(*feed(world, k))
            begin = time.process_time()
            tracker.step(part, world.scan_ns[k])
            spent.append(time.process_time() - begin)
        cost[n] = min(spent[6:]) / n
    assert cost[5000] < 2.0 * cost[500]


@pytest.mark.parametrize(
    "reach",
    [
        {"coverage": ((-500.0, -500.0), (500.0, -500.0), (500.0, 150.0), (-500.0, 150.0))},
        {"floor_m": 200.0},
        {"ceiling_m": 20.0},
    ],
)
def test_an_object_that_is_seen_outside_the_coverage_stays_one_track(reach):
    rng = np.random.default_rng(5)
    tracker = Tracker(
        [Sensor("radar", clutter_density=1e-11, sd_m=8.0, sd_up_m=8.0, period_s=1.0, **reach)]
    )
    cov = np.diag([64.0, 64.0, 64.0])[None]
    most, ids = 0, set()
    for k in range(1, 61):
        t_ns = k * 1_000_000_000
        xyz = np.array([[0.0, 10.0 * k, 80.0]]) + rng.normal(0, 8, (1, 3))
        tracks = tracker.step(Plots.positions(t_ns, 0, xyz, cov), t_ns)
        if k > 5:
            most = max(most, len(tracks))
            ids |= set(tracks.id.tolist())
    assert most == 1
    assert len(ids) == 1


def test_a_track_that_leaves_the_coverage_is_not_punished_for_looks_that_cannot_see_it():
    square = ((-500.0, -500.0), (500.0, -500.0), (500.0, 100.0), (-500.0, 100.0))
    tracker = Tracker([Sensor("radar", clutter_density=1e-8, coverage=square, period_s=0.1)])
    cov = np.diag([1.0, 1.0, 1.0])[None]
    tracks = None
    for k in range(1, 181):
        t_ns = k * 100_000_000
        north = -200.0 + 2.0 * k
        if north < 100.0:
            plots = Plots.positions(t_ns, 0, [[0.0, north, 50.0]], cov)
        else:
            plots = Plots.positions(t_ns, 0, np.zeros((0, 3)), np.zeros((0, 3, 3)))
        tracks = tracker.step(plots, t_ns)
    assert len(tracks) == 1
    assert tracks.x[0, 1] == pytest.approx(160.0, abs=15.0)


@pytest.mark.parametrize("seed", range(3))
def test_hostile_rows_leave_only_sound_tracks(seed):
    found, tracker = hostile.attack(10_000, seed)
    assert not found
    tally = tracker.tally
    assert tally.founded > 500
    assert tally.unusable > 1000
