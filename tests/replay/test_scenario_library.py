"""What docs/scenarios.md promises of each scenario holds, and every one gives its bits."""

import hashlib
from itertools import pairwise

import numpy as np
import pytest

from replay.scenarios.library import NAMES, make
from replay.scenarios.limits import BODY_M, in_sight
from replay.scenarios.stopgo import STAND, StopGo
from v2x.fusion import Tracker
from v2x.plots import Plots
from v2x.sensors import Sensor

PRINTS = {
    "nominal": "97efbc8468c422a2",
    "hard": "42fe236d033221cc",
    "lanes": "3fa10eca9b7f6086",
    "air3d": "f1bfc96d8d4e9bbb",
    "stopgo": "e24916f697d24568",
    "bearing": "be549f6026d6bd01",
    "biased": "d7acf57e8f8dae1b",
    "coverage": "512fb95e65b9b616",
    "crowd": "6101e210a54d608c",
    "duplicates": "8cc19340bf4605ee",
    "late_clock": "a20ebb1c80e8898c",
    "late_rows": "5889d2a40a7b7a0c",
    "pairs": "fe478b770c7f3dde",
    "polar": "04bf18f389412209",
    "sources": "029029188a2376d0",
    "swarm": "bb31d02708e1d9dd",
    "yawed": "ca7eae49a205a977",
}
"""Twenty objects, seed 0, first 60 scans."""


def digest(world):
    """First 16 digits of SHA-256 over all that a scenario holds."""
    made = hashlib.sha256()
    for part in (
        world.plots, world.origin, world.truth_id, world.truth, world.covered, world.cov, world.vel,
        world.vel_sd, world.track_ref, world.arrival_ns,
    ):  # fmt: skip
        for rows in part:
            made.update(np.ascontiguousarray(rows).tobytes())
    made.update(np.array(world.scan_ns).tobytes() + np.array(world.scan_sensor).tobytes())
    return made.hexdigest()[:16]


@pytest.mark.parametrize("name", NAMES)
def test_a_small_scenario_gives_its_bits(name):
    assert digest(make(name, 20, 0, scans=60)) == PRINTS[name]


@pytest.mark.parametrize("name", NAMES)
def test_lists_belong_together_and_other_seeds_and_streams_differ(name):
    world = make(name, 7, 1, scans=60)
    sensors = world.sensors()
    names = [sensor.name for sensor in sensors]
    assert names == sorted(names), "rows of the tracker's table are in order of names"
    rate = 10 * len(sensors)
    assert [t + 1_000_000 for t in world.scan_ns] == [
        pytest.approx((k + 1) * 1e9 / rate, abs=1) for k in range(60)
    ]
    assert world.scan_sensor == [k % len(sensors) for k in range(60)]
    assert world.truth_s == [pytest.approx((k + 1) / 10) for k in range(60 // len(sensors))]
    for part in (world.origin, world.cov, world.vel, world.vel_sd, world.track_ref,
                 world.arrival_ns):  # fmt: skip
        assert not part or [len(x) for x in part] == [len(z) for z in world.plots]
    width = 2 if "bearing" in world.kinds else world.dim
    assert all(z.shape[1] == width for z in world.plots)
    others = make(name, 7, 2, scans=60), make(name, 7, 1, stream=1, scans=60)
    assert len({digest(w) for w in (world, *others)}) == 3


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"no scenario 'easy'; there are nominal, .*swarm"):
        make("easy")


def test_the_usual_numbers_are_those_of_the_page():
    for name in ("lanes", "swarm", "bearing", "crowd"):
        usual = {"lanes": 60, "swarm": 200, "bearing": 1, "crowd": 100}[name]
        assert make(name, scans=5).size == usual


def test_stop_and_go_stands_still_brakes_and_turns_as_promised():
    dt = 1.0 / 30.0
    box = np.array([[0.0, 3e4], [0.0, 3e4]])
    world = StopGo(500, box, np.random.default_rng(3))
    turns, stands, brakes, fast = [], 0, [], 0.0
    for _ in range(600):
        p, v, doing, ids = world.p.copy(), world.v.copy(), world.doing.copy(), world.id.copy()
        heading, speed = world.heading.copy(), world.speed.copy()
        world.step(dt)
        same = ids == world.id
        still = (doing == STAND) & (world.doing == STAND) & same
        assert (world.p[still] == p[still]).all()
        stands += still.sum()
        moved = same & (speed > 0.0)
        turns.append(np.degrees(np.abs(world.heading - heading)[moved]).max() / dt)
        brakes.append((speed - world.speed)[moved].max() / dt)
        fast = max(fast, world.speed.max())
        assert np.linalg.norm(v, axis=1) == pytest.approx(speed)
        assert (world.speed >= 0.0).all()
    assert 0.05 < stands / (500 * 600) < 0.3
    # 45 deg/s and 5 m/s², and what noise adds in one step
    assert 44.0 < max(turns) < 45.0 + 20.0
    assert 4.9 < max(brakes) < 5.0 + 6.0
    assert 14.0 < fast < 17.0


def test_a_corner_turns_by_ninety_degrees():
    world = StopGo(400, np.array([[0.0, 1e6], [0.0, 1e6]]), np.random.default_rng(5))
    begun: dict[int, float] = {}
    turned = []
    for _ in range(900):
        before, ids, heading = world.doing.copy(), world.id.copy(), world.heading.copy()
        world.step(1.0 / 30.0)
        for i in np.flatnonzero((before != 3) & (world.doing == 3)):
            begun[ids[i]] = world.heading[i]
        for i in np.flatnonzero((before == 3) & (world.doing != 3) & (ids == world.id)):
            turned.append(abs(world.heading[i] - begun.pop(ids[i])))
        assert heading.shape == world.heading.shape
    assert len(turned) > 300
    assert np.mean(turned) == pytest.approx(np.pi / 2, abs=0.01)
    assert np.std(turned) < 0.05


def bearing_error(world, k, sensor):
    """Angles (n, 2) between measured and true lines of sight, rad, in the tangent plane."""
    z, who = world.plots[k], world.origin[k]
    at = dict(zip(world.truth_id[k // 4].tolist(), world.truth[k // 4], strict=True))
    stand = np.array([sensor.east_m, sensor.north_m, sensor.up_m])
    errors = []
    for (az, el), name in zip(z[who >= 0], who[who >= 0].tolist(), strict=True):
        way = at[name] - stand
        true_az = np.arctan2(way[0], way[1])
        true_el = np.arctan2(way[2], np.hypot(way[0], way[1]))
        turn = (az - true_az + np.pi) % (2 * np.pi) - np.pi
        errors.append((turn * np.cos(true_el), el - true_el))
    return errors


def test_cameras_see_six_times_in_ten_with_a_tenth_of_a_degree():
    world = make("bearing", 50, 4)
    sensors = world.sensors()
    last = range(3, 400, 4)
    errors = np.degrees([e for k in last for e in bearing_error(world, k, sensors[3])])
    # truth is 1 ms later: 15 m/s at 30 m and more are 0.03 deg at most
    assert errors.std(0) == pytest.approx([0.1, 0.1], rel=0.06)
    assert np.abs(errors.mean(0)).max() < 0.01
    hits = sum((o >= 0).sum() for o in world.origin) / (400 * 50)
    assert hits == pytest.approx(0.6, abs=0.01)


def test_every_image_has_one_false_bearing_over_the_upper_hemisphere():
    world = make("bearing", 1, 0)
    false = np.concatenate([z[o < 0] for z, o in zip(world.plots, world.origin, strict=True)])
    assert [(o < 0).sum() for o in world.origin] == [1] * 400
    assert world.clutter == 1.0
    assert np.sin(false[:, 1]).mean() == pytest.approx(0.5, abs=0.06)
    assert (false[:, 1] >= 0.0).all()
    assert abs(np.sin(false[:, 0]).mean()) < 0.15


def test_drones_stay_over_the_square_and_within_their_powers():
    world = make("bearing", 40, 7)
    way = np.stack(world.truth)
    assert (way >= world.box[:, 0]).all()
    assert (way <= world.box[:, 1]).all()
    v = np.diff(way, axis=0) / 0.1
    assert 12.0 < np.linalg.norm(v, axis=2).max() < 15.01
    a = np.diff(v, axis=0) / 0.1
    assert 4.5 < np.linalg.norm(a, axis=2).max() < 5.05


def hidden_naively(stand, place, i):
    """Whether somebody nearer covers the line of sight to `i`."""
    way = place - stand
    r, az = np.hypot(*way.T), np.arctan2(way[:, 0], way[:, 1])
    turn = np.abs((az - az[i] + np.pi) % (2 * np.pi) - np.pi)
    half = np.arcsin(np.minimum(1.0, BODY_M / np.maximum(r, BODY_M)))
    margin = turn - half
    near = r < r[i]
    return near, margin


def test_who_stands_behind_another_is_not_seen():
    lidar = Sensor("lidar", sd_m=0.2)
    place = np.array([[0.0, 5.0], [0.1, 9.0], [2.0, 9.0], [0.0, -7.0]])
    assert in_sight(lidar, place).tolist() == [True, False, True, True]


@pytest.mark.parametrize("seed", range(3))
def test_occlusion_equals_the_naive_geometry_off_the_edges(seed):
    place = np.random.default_rng(seed).uniform(-40.0, 40.0, (150, 2))
    stand = np.array([3.0, -2.0])
    seen = in_sight(Sensor("lidar", sd_m=0.2, east_m=3.0, north_m=-2.0), place)
    bin_width, judged = 2 * np.pi / 7_200, 0
    for i in range(len(place)):
        near, margin = hidden_naively(stand, place, i)
        if (np.abs(margin[near]) < bin_width).any():
            continue
        judged += 1
        assert seen[i] == (not (margin[near] < 0.0).any())
    assert judged > 100
    assert 20 < seen.sum() < 140


def test_a_crowd_keeps_close_and_hides_its_own():
    world = make("crowd", 300, 1)
    first, last = world.truth[0], world.truth[-1]
    for places in (first, last):
        nearest = np.linalg.norm(places[0::3] - places[1::3], axis=1)
        assert nearest == pytest.approx(0.8)
    speed = np.linalg.norm(np.diff(np.stack(world.truth), axis=0), axis=2) / 0.1
    assert speed.max() < 2.01
    assert 1.0 < np.median(speed) < 2.0
    hits = sum((o >= 0).sum() for o in world.origin) / (len(world.plots) * 300)
    assert 0.1 < hits < 0.7
    assert 0.5 < np.mean(np.concatenate(world.covered)) < 1.0


def test_coverage_shows_nothing_outside_the_strips_and_says_who_could_be_seen():
    world = make("coverage", 200, 0)
    side = world.box[0, 1]
    for k, z in enumerate(world.plots):
        low, high = [(0.0, 0.4), (0.3, 0.7), (0.6, 0.85)][world.scan_sensor[k]]
        real = world.origin[k] >= 0
        assert (z[~real, 0] >= low * side).all()
        assert (z[~real, 0] <= high * side).all()
        assert (z[real, 0] >= low * side - 12.0).all()
        assert (z[real, 0] <= high * side + 12.0).all()
    seen, x = np.concatenate(world.covered), np.concatenate(world.truth)[:, 0]
    # truth is the place 1 ms later
    assert (seen == (x <= 0.85 * side))[np.abs(x - 0.85 * side) > 0.1].all()
    assert 0.7 < seen.mean() < 0.95


def test_polar_rows_scatter_as_their_covariance_says():
    world = make("polar", 400, 2)
    truth = {round(t * 30): (i, p) for t, i, p in
             zip(world.truth_s, world.truth_id, world.truth, strict=True)}  # fmt: skip
    d2, ratio = [], []
    for k in range(2, 300, 3):
        who, place = truth[k + 1]
        at = dict(zip(who.tolist(), place, strict=True))
        real = world.origin[k] >= 0
        e = world.plots[k][real] - np.array([at[i] for i in world.origin[k][real].tolist()])
        P = world.noise(k)[real]
        d2.append(np.einsum("ni,ni->n", e, np.linalg.solve(P, e[..., None])[..., 0]))
        ratio.append(np.linalg.eigvalsh(P)[:, 1])
    assert np.concatenate(d2).mean() == pytest.approx(2.0, rel=0.03)
    assert np.concatenate(ratio).max() > 100.0


def mean_error(world, row):
    """Mean plot minus truth of one sensor's scans that stand beside a truth instant."""
    found = []
    for k in range(len(world.plots)):
        if world.scan_sensor[k] != row or k < 10:
            continue
        # truth of the last instant and of the next, straight between them
        n = (k + 1) // 5
        share = ((k + 1) / 5) - n
        if n == 0 or n >= len(world.truth):
            continue
        a = dict(zip(world.truth_id[n - 1].tolist(), world.truth[n - 1], strict=True))
        b = dict(zip(world.truth_id[n].tolist(), world.truth[n], strict=True))
        for z, name in zip(world.plots[k], world.origin[k].tolist(), strict=True):
            if name in a and name in b:
                place = (1 - share) * a[name] + share * b[name]
                velocity = (b[name] - a[name]) / 0.1
                found.append((*(z - place), *place, *velocity))
    return np.array(found)


@pytest.mark.parametrize("name", ["biased", "yawed", "late_clock"])
def test_four_of_five_sensors_are_right_and_the_third_is_wrong_as_stated(name):
    world = make(name, 100, 3)
    good = mean_error(world, 0)[:, :2]
    assert np.abs(good.mean(0)).max() < 0.06
    seen = mean_error(world, 2)
    e, place, velocity = seen[:, :2], seen[:, 2:4], seen[:, 4:]
    sensor = world.sensors()[2]
    if name == "biased":
        assert np.linalg.norm(e.mean(0)) == pytest.approx(1.5, abs=0.05)
    elif name == "yawed":
        way = place - (sensor.east_m, sensor.north_m)
        across = np.column_stack((-way[:, 1], way[:, 0]))
        angle = (e * across).sum() / (across**2).sum()
        assert np.degrees(angle) == pytest.approx(0.5, abs=0.02)
    else:
        late = -(e * velocity).sum() / (velocity**2).sum()
        assert late == pytest.approx(0.12, abs=0.01)


def test_the_wrong_sensors_differ_from_one_another_by_their_fault_alone():
    biased, yawed, late = (make(n, 20, 0, scans=20) for n in ("biased", "yawed", "late_clock"))
    for k in range(20):
        same = biased.scan_sensor[k] != 2
        assert np.array_equal(biased.plots[k], yawed.plots[k]) == same
        assert np.array_equal(biased.plots[k], late.plots[k]) == same


def test_pairs_come_as_near_as_drawn_and_meet_nobody_else():
    world = make("pairs", 40, 6)
    way = np.stack(world.truth)
    apart = np.linalg.norm(way[:, 0::2] - way[:, 1::2], axis=2)
    side_by_side, crossing = apart[:, 0::2], apart[:, 1::2]
    assert np.ptp(side_by_side, axis=0).max() < 1e-6
    assert side_by_side.min() >= 0.5
    assert side_by_side.max() <= 5.0
    assert (crossing.min(0) <= 5.01).all()
    assert (crossing.min(0) >= 0.5).all()
    assert (crossing.max(0) > 10.0).any()
    at = 0.1 * (1 + crossing.argmin(0))
    assert (at > 3.9).all()
    assert (at < 6.1).all()
    middles = 0.5 * (way[50, 0::2] + way[50, 1::2])
    far = np.linalg.norm(middles[:, None] - middles[None], axis=2) + 1e9 * np.eye(20)
    assert far.min() > 100.0


def test_a_pair_without_a_partner_goes_alone():
    assert make("pairs", 7, 0, scans=3).truth[0].shape == (7, 2)


def test_a_swarm_keeps_its_places():
    world = make("swarm", 200, 2)
    way = np.stack(world.truth)
    middle = way.mean(1)
    offsets = way - middle[:, None]
    wander = (offsets - offsets.mean(0)).std(axis=(0, 1))
    assert (wander > 0.25).all()
    assert (wander < 0.6).all()
    speed = np.linalg.norm(np.diff(middle[:, :2], axis=0), axis=1) / 0.1
    assert speed == pytest.approx(10.0, abs=0.3)
    assert (way >= world.box[:, 0]).all()
    assert (way <= world.box[:, 1]).all()


def test_nodes_send_tracks_whose_errors_are_correlated():
    world = make("sources", 60, 1)
    assert [world.kind(k) for k in range(3)] == ["position", "track", "track"]
    nodes = [k for k in range(90, 300) if world.scan_sensor[k] == 2]
    errors: dict[int, list[float]] = {}
    d2 = []
    for k in nodes:
        n = k // 3
        at = dict(zip(world.truth_id[n].tolist(), world.truth[n], strict=True))
        assert (world.origin[k] >= 0).all()
        assert len(np.unique(world.track_ref[k])) == len(world.track_ref[k])
        for z, cov, name in zip(
            world.plots[k], world.noise(k), world.origin[k].tolist(), strict=True
        ):
            e = z - at[name]
            d2.append(e @ np.linalg.solve(cov, e))
            errors.setdefault(name, []).append(e[0])
    assert 1.2 < np.mean(d2) < 3.0
    pairs = np.array([p for row in errors.values() for p in pairwise(row)])
    assert np.corrcoef(pairs.T)[0, 1] > 0.5


def test_three_rows_in_ten_stand_twice():
    world = make("duplicates", 100, 5)
    once = sum(len(np.unique(z, axis=0)) for z in world.plots)
    assert sum(map(len, world.plots)) / once == pytest.approx(1.3, abs=0.01)


def test_one_row_in_ten_is_late_by_up_to_five_seconds():
    world = make("late_rows", 100, 5)
    late = np.concatenate(
        [a - t for a, t in zip(world.arrival_ns, world.scan_ns, strict=True)]
    ) / 1e9  # fmt: skip
    assert late.min() >= 0.0
    assert late.max() <= 5.0
    assert (late > 0.1).mean() == pytest.approx(0.1, abs=0.01)
    assert late[late > 0.1].mean() == pytest.approx(2.55, abs=0.1)


@pytest.mark.parametrize("name", ["coverage", "polar", "crowd", "pairs", "swarm", "yawed"])
def test_the_tracker_takes_a_scenario_as_it_is(name):
    world = make(name, 10, 0, scans=60)
    tracker = Tracker(world.sensors())
    for k, t_ns in enumerate(world.scan_ns):
        row = world.scan_sensor[k]
        tracks = tracker.step(Plots.positions(t_ns, row, world.plots[k], world.noise(k)), t_ns)
    assert (tracks.exist > 0.5).sum() >= 3
