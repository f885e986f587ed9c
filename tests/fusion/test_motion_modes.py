"""Motion modes of the tracker as its users meet them, and inputs that are tracks."""

import numpy as np
import pytest

from replay.scenarios import library
from tests.fusion.test_tracker import MS, drive, plots, radar, run
from v2x.fusion import Tracker, TrackerConfig, layout
from v2x.observations import Kind
from v2x.plots import Plots
from v2x.scoring import Frames, nees_of_pairs, score


def lanes_of(tracker):
    """Mode probabilities of the first living track, (lanes,)."""
    slot = int(np.flatnonzero(tracker._live.mode & 1)[0])
    lanes = tracker._lanes
    return tracker._live.s[slot, 14 * lanes : 15 * lanes].copy()


@pytest.mark.parametrize(
    ("name", "size", "bar", "idf1"),
    [
        ("nominal", 100, 0.46, 0.995),
        ("hard", 100, 0.645, 0.985),
        ("lanes", 60, 0.77, 0.975),
        ("air3d", 100, 0.52, 0.996),
        ("stopgo", 100, 0.53, 0.99),
    ],
)
def test_one_configuration_meets_the_bars_of_every_scenario(name, size, bar, idf1):
    found = []
    for seed in range(3):
        world = library.make(name, size, seed)
        _, made = run(world)
        keep = range(9, 100)
        estimates = Frames.of(
            [made[k].id[made[k].exist >= 0.5] for k in keep],
            [made[k].x[made[k].exist >= 0.5, : world.dim] for k in keep],
        )
        truth = Frames.of([world.truth_id[k] for k in keep], [world.truth[k] for k in keep])
        found.append(score(truth, estimates))
    assert np.mean([s.gospa_n for s in found]) < bar
    assert np.mean([s.idf1 for s in found]) > idf1


def test_turn_modes_follow_a_turn_that_constant_velocity_lags_behind():
    rng = np.random.default_rng(0)
    rate, speed, miss = np.radians(16.0), 15.0, {}
    for motion in ("imm", "cv"):
        tracker = Tracker([radar()], TrackerConfig(motion=motion))
        found = []
        rng = np.random.default_rng(0)
        for k in range(1, 80):
            a = rate * k * 0.1
            at = speed / rate * np.array([np.sin(a), 1 - np.cos(a)])
            tracks = tracker.step(plots(k * 100 * MS, 0, at + rng.normal(0, 1, 2)), k * 100 * MS)
            if k > 40:
                found.append(np.hypot(*(tracks.x[0, :2] - at)))
        miss[motion] = np.mean(found)
    assert miss["imm"] < 0.75 * miss["cv"]


def test_what_stands_still_is_known_to_stand_still():
    rng = np.random.default_rng(1)
    tracker = Tracker([radar()])
    tracks = drive(tracker, rng.normal(0, 0.5, (100, 1, 2)), sd=0.5)
    assert np.hypot(*tracks.x[0, 3:5]) < 0.15
    assert np.sqrt(tracks.P[0, 3, 3]) < 0.35
    assert lanes_of(tracker)[7] > 0.3, "the mode that stops"


def test_a_hovering_drone_stands_in_all_three_axes():
    rng = np.random.default_rng(2)
    tracker = Tracker([radar(clutter_density=1e-8)])
    looks = rng.normal([0, 0, 60.0], 0.5, (100, 1, 3))
    tracks = drive(tracker, looks, sd=0.5, kind=np.array([Kind.UAS]), kind_conf=np.array([0.9]))
    assert np.abs(tracks.x[0, 3:]).max() < 0.3
    assert tracks.kind[0] == Kind.UAS


@pytest.mark.parametrize(
    ("kind", "manner"),
    [(Kind.PEDESTRIAN, 1), (Kind.CAR, 0), (Kind.UAS, 2), (Kind.AIRCRAFT, 3), (Kind.UNKNOWN, 0)],
)
def test_the_modes_are_those_of_the_most_likely_kind_and_change_with_it(kind, manner):
    tracker = Tracker([radar()])
    label = {"kind": np.array([kind]), "kind_conf": np.array([0.9])}
    drive(tracker, [[[k * 0.1, 0.0]] for k in range(10)], **label)
    slot = int(np.flatnonzero(tracker._live.mode & 1)[0])
    assert tracker._live.manner[slot] == manner
    label["kind"] = np.array([Kind.PEDESTRIAN])
    drive(tracker, [[[1.0 + k * 0.1, 0.0]] for k in range(60)], start=1000 * MS, **label)
    assert tracker._live.manner[slot] == 1


def test_a_track_that_was_flat_takes_its_height_from_the_first_plot_that_has_one():
    rng = np.random.default_rng(4)
    tracker = Tracker([radar(clutter_density=1e-10)])
    drive(tracker, rng.normal(0, 0.5, (30, 1, 2)), sd=0.5)
    slot = int(np.flatnonzero(tracker._live.mode & 1)[0])
    assert not tracker._live.mode[slot] & layout.HAS_UP
    t_ns = 3_100 * MS
    for k in range(2):
        cov = np.diag([0.25, 0.25, 0.81])
        at = np.array([[0.0, 0.0, 70.0 + k]])
        tracks = tracker.step(Plots.positions(t_ns, 0, at, cov[None]), t_ns)
        t_ns += 100 * MS
        assert len(tracks) == 1
        assert 70.0 + 0.5 * k - 0.1 < tracks.x[0, 2] < 70.1 + k
    assert 0.3 < tracks.P[0, 2, 2] < 0.9, "no more certain than a plot whose climb is unknown"
    assert np.linalg.eigvalsh(tracks.P[0]).min() > 0.0


def test_mode_probabilities_always_sum_to_one():
    rng = np.random.default_rng(3)
    tracker = Tracker([radar()])
    for k in range(1, 60):
        n = rng.integers(0, 4)
        tracker.step(plots(k * 70 * MS, 0, rng.normal(0, 6, (n, 2))), k * 70 * MS)
        live = np.flatnonzero((tracker._live.mode & 1 > 0) & (tracker._live.mode & 16 == 0))
        lanes = tracker._lanes
        np.testing.assert_allclose(
            tracker._live.s[live, 14 * lanes : 15 * lanes].sum(axis=1), 1.0, atol=1e-6
        )


def test_the_senders_number_is_a_hint_that_keeps_two_close_objects_apart():
    kept = {}
    for factor in (1.0, 5.0):
        kept[factor] = 0
        for seed in range(12):
            rng = np.random.default_rng(seed)
            tracker = Tracker([radar()], TrackerConfig(same_ref_factor=factor))
            ids = []
            for k in range(1, 81):
                gap = 0.35 * abs(k - 40) * 0.25
                at = np.array([[k * 1.0, gap], [k * 1.0, -gap]]) + rng.normal(0, 0.7, (2, 2))
                tracks = tracker.step(
                    plots(k * 100 * MS, 0, at, sd=0.7, track_ref=np.array([7, 9])), k * 100 * MS
                )
                if k in (12, 80):
                    upper = tracks.x[:, 1].argmax()
                    ids.append(int(tracks.id[upper]))
            kept[factor] += ids[0] == ids[1]
    assert kept[5.0] > kept[1.0]


def test_a_number_that_changes_hands_does_not_take_the_track_along():
    tracker = Tracker([radar()])
    before = None
    for k in range(1, 30):
        at = np.array([[k * 1.0, 0.0], [k * 1.0, 40.0]])
        refs = np.array([1, 2]) if k < 15 else np.array([2, 1])
        tracks = tracker.step(plots(k * 100 * MS, 0, at, track_ref=refs), k * 100 * MS)
        order = tracks.x[:, 1].argsort()
        if k == 14:
            before = tracks.id[order].tolist()
    assert len(tracks) == 2
    assert tracks.id[order].tolist() == before


def test_tracks_as_input_do_not_make_the_tracker_too_sure():
    world = library.make("sources", 20, 0)
    tracker = Tracker(world.sensors())
    truth, made, times = [], [], []
    nearest = 0
    for k, t in enumerate(world.scan_ns):
        z, d = world.plots[k], world.dim
        cov = world.cov[k] if len(world.cov) else None
        if cov is None:
            sd = world.noise(k)
            cov = np.broadcast_to(np.eye(d) * sd**2, (len(z), d, d))
        tracks = tracker.step(Plots.positions(t, int(world.scan_sensor[k]), z, cov), t)
        while nearest < len(world.truth_s) and round(world.truth_s[nearest] * 1e9) <= t:
            nearest += 1
        if nearest < len(world.truth_s) and abs(world.truth_s[nearest] * 1e9 - t) < 2 * MS:
            truth.append((world.truth_id[nearest], world.truth[nearest]))
            made.append(tracks)
            times.append(t)
    keep = [q for q, t in enumerate(times) if t > 1_000 * MS]
    d = world.dim
    found = nees_of_pairs(
        Frames.of([truth[q][0] for q in keep], [truth[q][1] for q in keep]),
        Frames.of([made[q].id for q in keep], [made[q].x[:, :d] for q in keep]),
        np.concatenate([made[q].P[:, :d, :d] for q in keep]),
        np.array([times[q] for q in keep]),
    )
    assert found.n > 50
    assert 0.7 < found.mean < 1.4
