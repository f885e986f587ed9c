"""Lines of sight, range and angles, range rates: in the kernels and in the tracker."""

from math import cos, nan, pi, radians, sin, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replay.scenarios import library
from tests.fusion.streams import as_bytes, state
from v2x.fusion import Sensor, Tracker, TrackerConfig, crossings, kernels, layout, lives, sights
from v2x.fusion.layout import MEAN, PLACE, new_look
from v2x.fusion.polar import polar_to_position
from v2x.fusion.sheets import sheet_of
from v2x.observations import Kind, Model
from v2x.plots import PlotColumns, Plots, Sights
from v2x.sensors import SensorKind

MS = 1_000_000
S = 1_000_000_000
PAIRS = np.triu_indices(3)


def row_of(x, P):
    made = np.zeros((1, layout.WIDTH))
    made[0, MEAN] = x
    for a in range(6):
        for b in range(6):
            made[0, PLACE[a, b]] = P[a, b]
    return made


def matrix(six):
    made = np.zeros((3, 3))
    made[PAIRS] = six
    return made + np.triu(made, 1).T


def unit(az, el):
    return np.array([sin(az) * cos(el), cos(az) * cos(el), sin(el)])


def basis(d):
    """(3, 2) orthonormal and normal to `d`."""
    return np.linalg.svd(d[None])[2][1:].T


def look_at(pose, line, var):
    look = new_look(4, 4)
    look.pose[:3] = pose
    look.pose[layout.INFLATE] = 1.0
    look.z[0], look.R[0, 0] = line, var
    return look


def line_of(bar, look, gate):
    return sights.view_line(bar, 0, look.z, look.R, look.pose, look.d, 0, 1, gate)


def spread(rng, n, scale):
    A = rng.normal(0, 1, (n, n))
    return A @ A.T * scale**2 / n + np.eye(n) * (0.1 * scale) ** 2


# the constants that kernels cannot import


def test_numbers_in_kernels_are_those_of_the_enumerations():
    assert (layout.POLAR, layout.BEARING) == (Model.POLAR, Model.BEARING)
    assert kernels.RADAR == SensorKind.RADAR
    named = (Kind.CAR, Kind.TRUCK, Kind.BUS, Kind.EMERGENCY_VEHICLE)
    assert named == (sights.CAR, sights.TRUCK, sights.BUS, sights.EMERGENCY)
    assert lives.manner_of(Kind.UAS) == crossings.ROTOR
    assert pytest.approx(sin(radians(3)) ** 2) == crossings.SIN2_CROSSING
    assert pytest.approx(np.log(100.0)) == crossings.LOG_RANGES


# directions


@given(st.floats(-7, 7), st.floats(-pi / 2, pi / 2))
def test_a_direction_is_the_one_of_its_angles(az, el):
    sight = np.zeros((1, layout.N_SIGHT))
    sights.aim(sight, np.array([az]), np.array([el]))
    np.testing.assert_allclose(sight[0, 2:5], unit(az, el), atol=1e-11)


def test_one_full_turn_more_is_the_same_direction():
    sight = np.zeros((2, layout.N_SIGHT))
    sights.aim(sight, np.array([-pi, pi]), np.array([0.3, 0.3]))
    np.testing.assert_allclose(sight[0, 2:5], sight[1, 2:5], atol=1e-11)


def test_the_way_round_the_horizon_grows_with_the_angle():
    angles = np.linspace(0, 2 * pi, 721)[:-1]
    way = [sights.around(cos(a), sin(a)) for a in angles]
    assert np.all(np.diff(way) > 0)
    assert 0.0 <= way[0] < way[-1] < 4.0
    assert sights.around(0.0, 0.0) == 0.0


@given(seed=st.integers(0, 10_000), bits=st.integers(0, 7))
@settings(deadline=None)
def test_no_line_inside_the_gate_stands_in_a_sector_left_out(seed, bits):
    rng = np.random.default_rng(seed)
    sectors, gate, var = 1 << bits, 16.0, rng.uniform(1e-4, 0.05) ** 2
    P = spread(rng, 6, rng.uniform(0.1, 20.0))
    at = rng.uniform(-100, 100, 3)
    pose = np.array([*rng.uniform(-100, 100, 3), 1.0, var])
    first, last = sights.sectors_near(row_of([*at, 0, 0, 0], P), 0, pose, var, gate, sectors)
    visited = {b % sectors for b in range(first, min(last, first + sectors - 1) + 1)}
    for _ in range(50):
        way = at - pose[:3] + rng.multivariate_normal(np.zeros(3), 4 * P[:3, :3])
        m = way / np.linalg.norm(way)
        far = m @ (at - pose[:3])
        off = (at - pose[:3]) @ (at - pose[:3]) - far**2
        if far > 0 and off <= gate * (np.trace(P[:3, :3]) + var * far**2):
            assert int(sights.around(m[0], m[1]) * sectors / 4) in visited


# a line of sight as a place


@given(seed=st.integers(0, 10_000), el=st.floats(-pi / 2, pi / 2))
@settings(deadline=None)
def test_a_line_of_sight_updates_as_its_own_linearisation_does(seed, el):
    """The twin writes the measurement in the tangent plane, its Jacobian by finite differences."""
    rng = np.random.default_rng(seed)
    pose, far, sd = rng.uniform(-50, 50, 3), rng.uniform(20, 200), rng.uniform(1e-3, 0.02)
    line = unit(rng.uniform(-pi, pi), el)
    P = spread(rng, 6, rng.uniform(0.3, 3.0))
    x = np.zeros(6)
    x[:3] = pose + far * line + rng.multivariate_normal(np.zeros(3), P[:3, :3])
    measured = line + sd * basis(line) @ rng.normal(0, 1, 2)
    measured /= np.linalg.norm(measured)
    look = look_at(pose, measured, sd**2)
    unit_of = line_of(row_of(x, P), look, 16.0)
    if unit_of == 0.0:
        way = x[:3] - pose
        off = np.linalg.norm(np.cross(way, measured))
        assert off**2 > 15.9 * (np.trace(P[:3, :3]) + (sd * far) ** 2)
        return
    z, R = look.z[1], matrix(look.R[1])
    K = P[:, :3] @ np.linalg.inv(P[:3, :3] + R)
    got_x, got_P = x + K @ (z - x[:3]), P - K @ P[:3]
    d = np.linalg.eigh(R)[1][:, -1]
    E = basis(d)

    def h(p):
        return E.T @ (p - pose) / abs(d @ (p - pose))

    at = pose + d * np.sign(d @ (x[:3] - pose)) * np.linalg.norm(z - pose) * abs(d @ measured)
    step = 1e-4
    H = np.stack([(h(at + step * e) - h(at - step * e)) / (2 * step) for e in np.eye(3)], 1)
    y = h(pose + measured) - h(at) - H @ (x[:3] - at)
    S2 = H @ P[:3, :3] @ H.T + sd**2 * np.eye(2)
    K = P[:, :3] @ H.T @ np.linalg.inv(S2)
    scale = np.sqrt(np.diag(P))
    np.testing.assert_allclose((got_x - x) / scale, (K @ y) / scale, atol=5e-3)
    np.testing.assert_allclose(
        got_P / np.outer(scale, scale), (P - K @ H @ P[:3]) / np.outer(scale, scale), atol=5e-3
    )
    v = np.exp(-0.5 * (z - x[:3]) @ np.linalg.solve(P[:3, :3] + R, z - x[:3]))
    v *= unit_of / sqrt(np.linalg.det(2 * pi * (P[:3, :3] + R)))
    wanted = np.exp(-0.5 * y @ np.linalg.solve(S2, y)) / sqrt(np.linalg.det(2 * pi * S2))
    assert v == pytest.approx(wanted, rel=5e-3)


@pytest.mark.parametrize("el", [0.0, pi / 2])
def test_what_is_behind_the_camera_or_at_its_place_is_not_seen(el):
    line, P = unit(0.0, el), np.eye(6)
    for at in (-30.0 * line, np.zeros(3), 0.3 * line):
        look = look_at(np.zeros(3), line, 1e-6)
        assert line_of(row_of([*at, 0, 0, 0], P), look, 16.0) == 0.0
    look = look_at(np.zeros(3), line, 1e-6)
    assert line_of(row_of([*(30.0 * line), 0, 0, 0], P), look, 16.0) > 0.0


def test_a_line_of_sight_gives_a_track_without_height_the_height_where_they_meet():
    P = np.diag([1.0, 1.0, lives.WIDE_UP_VAR, 1, 1, 225.0])
    line = unit(0.0, 0.5)
    look = look_at(np.array([0.0, 0.0, 10.0]), line, 1e-6)
    density = line_of(row_of([0.2, 100.0, 0, 0, 0, 0], P), look, 16.0)
    assert density < 0.0
    z, R = look.z[1], matrix(look.R[1])
    K = P[:3, :3] @ np.linalg.inv(P[:3, :3] + R)
    got = np.array([0.2, 100.0, 0.0]) + K @ (z - [0.2, 100.0, 0.0])
    assert got[2] == pytest.approx(10 + 100 * np.tan(0.5), abs=0.6)
    assert got[0] == pytest.approx(0.0, abs=0.02)
    # uniform over the sphere in elevation: all azimuths and elevations together are certain
    angles = np.linspace(-0.06, 0.06, 401)
    mass = 0.0
    for a in angles:
        look = look_at(np.array([0.0, 0.0, 10.0]), unit(a, 0.5), 1e-6)
        v = line_of(row_of([0.2, 100.0, 0, 0, 0, 0], P), look, 1e9)
        mass -= v * (angles[1] - angles[0]) * 2.0
    assert mass == pytest.approx(1.0, abs=0.01)


def test_azimuths_alone_update_as_an_angle_does_across_the_seam():
    """Azimuth of pi against -pi; the twin is the extended filter in the angle."""
    P = np.zeros((6, 6))
    P[:2, :2] = [[4.0, 1.0], [1.0, 3.0]]
    P[2:, 2:] = np.eye(4)
    x, az, sd = np.array([0.5, -80.0]), pi - 0.002, 0.01
    look = look_at(np.zeros(3), [sin(az), cos(az), nan], sd**2)
    unit_of = sights.view_azimuth(
        row_of([*x, 0, 0, 0, 0], P), 0, look.z, look.R, look.pose, 0, 1, 16.0
    )
    z, R = look.z[1, :2], matrix(look.R[1])[:2, :2]
    S2 = P[:2, :2] + R
    got = x + P[:2, :2] @ np.linalg.solve(S2, z - x)
    H = np.array([x[1], -x[0]]) / (x @ x)
    y = (az - np.arctan2(x[0], x[1]) + pi) % (2 * pi) - pi
    s = H @ P[:2, :2] @ H + sd**2
    np.testing.assert_allclose(got, x + P[:2, :2] @ H * y / s, atol=2e-3)
    v = np.exp(-0.5 * (z - x) @ np.linalg.solve(S2, z - x)) / sqrt(np.linalg.det(2 * pi * S2))
    assert v * unit_of == pytest.approx(np.exp(-0.5 * y * y / s) / sqrt(2 * pi * s), rel=0.01)


# range and angles


@pytest.mark.parametrize(
    ("r", "sd_r", "sd", "el"), [(500, 0.5, 0.07, nan), (500, 1.0, 0.01, 0.3), (200, 2.0, 0.04, 0.4)]
)
def test_converted_places_are_unbiased_and_as_far_off_as_they_say(r, sd_r, sd, el):
    rng, n = np.random.default_rng(0), 100_000
    high = 0.0 if np.isnan(el) else el
    z, cov = polar_to_position(
        r + sd_r * rng.standard_normal(n),
        1.0 + sd * rng.standard_normal(n),
        el + sd * rng.standard_normal(n),
        sd_r,
        sd,
    )
    d = 2 if np.isnan(el) else 3
    e = (z - r * unit(1.0, high))[:, :d]
    assert np.all(np.abs(e.mean(0)) < 4.0 * e.std(0) / sqrt(n))
    P = np.zeros((n, 3, 3))
    P[:, PAIRS[0], PAIRS[1]] = P[:, PAIRS[1], PAIRS[0]] = np.nan_to_num(cov)
    nees = np.einsum("ni,ni->n", e, np.linalg.solve(P[:, :d, :d], e[:, :, None])[:, :, 0])
    assert nees.mean() / d == pytest.approx(1.0, abs=0.06)


def radar_run(kept, seed, sd_deg=4.0):
    """Errors and NEES of an object in a circle before two radars, range and angles kept or not."""
    rng, sd = np.random.default_rng(seed), radians(sd_deg)
    places = (0.0, 0.0), (600.0, 0.0)
    radars = [
        Sensor(f"radar-{k}", p_detect=0.95, clutter_density=1e-7, east_m=e, north_m=n)
        for k, (e, n) in enumerate(places)
    ]
    tracker, errors, nees = Tracker(radars), [], []
    for k in range(200):
        t, a = (k + 1) * 50 * MS, 0.01 * k
        p, place = np.array([300.0 + 60 * cos(a), 200.0 + 60 * sin(a)]), places[k % 2]
        way = p - place
        r = np.hypot(*way) + 0.5 * rng.standard_normal()
        az = np.arctan2(*way) + sd * rng.standard_normal()
        if kept:
            plots = Plots.polar(t, k % 2, [r], [az], None, 0.5, sd)
        else:
            z, cov = polar_to_position([r], [az], [nan], 0.5, sd, (*place, 0.0))
            plots = Plots.positions(t, k % 2, z, cov)
        tracks = tracker.step(plots, t)
        if k >= 60 and len(tracks):
            e = tracks.x[0, :2] - p
            errors.append(e)
            nees.append(e @ np.linalg.solve(tracks.P[0, :2, :2], e) / 2)
    return errors, nees


def test_range_and_angles_kept_are_worth_more_than_the_place_they_convert_to():
    kept = [radar_run(True, seed) for seed in range(4)]
    early = [radar_run(False, seed) for seed in range(4)]
    rms = [sqrt(np.mean([e @ e for run in runs for e in run[0]])) for runs in (kept, early)]
    assert len(kept[0][0]) == 140
    assert rms[0] < 0.7 * rms[1]
    assert np.mean([n for run in kept for n in run[1]]) < 1.5


# range rates


def test_a_range_rate_is_the_velocity_along_the_line_of_sight():
    h = np.zeros(3)
    bar = row_of([30.0, 40.0, 0, 6.0, 8.0, 0], np.diag([1e-6] * 3 + [4.0, 9.0, 1.0]))
    pose = np.zeros(5)
    var = sights.radial_var(bar, 0, pose, 0.2, h)
    np.testing.assert_allclose(h, [0.6, 0.8, 0.0])
    assert var == pytest.approx(0.04, abs=1e-6)
    y, v = sights.radial_gap(bar, 0, h, 11.0)
    assert (y, v) == (pytest.approx(1.0), pytest.approx(0.36 * 4 + 0.64 * 9))
    assert sights.radial_doubt(bar, 0, pose, 11.0, 0.2, 1.0, h) == pytest.approx(var)
    assert sights.radial_doubt(bar, 0, pose, 50.0, 0.2, 0.5, h) == pytest.approx(1600.0, rel=1e-3)
    assert sights.radial_var(bar, 0, np.array([30.0, 40.0, 0, 1, 0]), 0.2, h) == -1.0


def test_a_founding_range_rate_is_a_kalman_update_of_an_unknown_velocity():
    P = np.diag([1e-6] * 3 + [100.0, 100.0, 25.0])
    s, h = row_of([60.0, 0.0, 80.0, 0, 0, 0], P), np.zeros(3)
    sights.radial_start(s, 0, 1, np.zeros(5), 12.0, 0.5, h)
    u = np.array([0.6, 0.0, 0.8])
    prior = np.diag([100.0, 100.0, 25.0])
    var = u @ prior @ u + 0.25
    np.testing.assert_allclose(s[0, MEAN[3:]], prior @ u * 12.0 / var, rtol=1e-6)
    wanted = prior - np.outer(prior @ u, prior @ u) / var
    np.testing.assert_allclose(s[0, PLACE[3:, 3:]], wanted, rtol=1e-6, atol=1e-9)


def test_two_radars_that_measure_range_rates_know_a_velocity_after_one_look_each():
    radars = [
        Sensor(f"r{k}", p_detect=0.95, clutter_density=1e-7, east_m=e)
        for k, e in enumerate((0.0, 200.0))
    ]
    known = []
    for told in (True, False):
        tracker = Tracker(radars)
        for k, e in enumerate((0.0, 200.0)):
            way = np.array([100.0 - e, 100.0])
            far, rate = np.hypot(*way), way @ (12.0, -5.0) / np.hypot(*way)
            plots = Plots.polar(
                (100 + k) * MS, k, [far], [np.arctan2(*way)], None, 0.5, 0.002,
                radial=[rate] if told else nan, radial_sd=0.1,
            )  # fmt: skip
            tracks = tracker.step(plots, (100 + k) * MS)
        known.append(tracks)
    np.testing.assert_allclose(known[0].x[0, 3:5], [12.0, -5.0], atol=0.8)
    assert known[0].P[0, 3, 3] < 1.0 < 20.0 < known[1].P[0, 3, 3]


# reflections


def test_a_radar_may_see_any_part_of_a_bus_but_only_along_it():
    kinds = np.zeros((1, layout.KINDS))
    bar = row_of([0, 0, 0, 3.0, 4.0, 0], np.eye(6))
    z, R = np.zeros((2, 3)), np.ones((2, 6))
    assert sights.stretch(bar, 0, kinds, z, R, 0, 1) == 0
    kinds[0, Kind.BUS] = 0.9
    assert sights.stretch(bar, 0, kinds, z, R, 0, 1) == 1
    grown = matrix(R[1] - R[0])
    np.testing.assert_allclose(grown, 12.0 * np.outer([0.6, 0.8, 0], [0.6, 0.8, 0]), atol=1e-9)
    kinds[0, Kind.BUS], kinds[0, Kind.PEDESTRIAN] = 0.0, 0.9
    assert sights.stretch(bar, 0, kinds, z, R, 0, 1) == 0
    kinds[0, Kind.BUS] = 2.0
    bar[0, 2:4] = 0.1
    assert sights.stretch(bar, 0, kinds, z, R, 0, 1) == 0


# in the tracker


def cameras(**keys):
    return [
        Sensor(
            f"camera-{k}", kind=SensorKind.CAMERA, p_detect=0.9, clutter_density=0.1,
            east_m=e, north_m=n, up_m=5.0, period_s=0.1, **keys,
        )
        for k, (e, n) in enumerate(((0.0, 0.0), (100.0, 0.0), (100.0, 100.0)))
    ]  # fmt: skip


def seen_from(sensor, *places):
    way = np.array(places).reshape(-1, 3) - (sensor.east_m, sensor.north_m, sensor.up_m)
    return np.arctan2(way[:, 0], way[:, 1]), np.arctan2(way[:, 2], np.hypot(way[:, 0], way[:, 1]))


def run_of_cameras(tracker, place, n=12, sd=0.002, only=(0, 1, 2)):
    for k in range(n):
        t = (k + 1) * 30 * MS
        if k % 3 in only:
            az, el = seen_from(tracker.sensors[k % 3], place)
            tracks = tracker.step(Plots.bearings(t, k % 3, az, el, sd), t)
    return tracks


def test_three_cameras_find_what_hovers_between_them():
    tracks = run_of_cameras(Tracker(cameras()), (40.0, 60.0, 35.0))
    assert len(tracks) == 1
    np.testing.assert_allclose(tracks.x[0, :3], [40.0, 60.0, 35.0], atol=0.5)
    assert tracks.n_sensors[0] == 3
    assert np.linalg.eigvalsh(tracks.P[0]).min() > 0.0


def test_one_camera_founds_nothing_however_often_it_looks():
    tracker = Tracker(cameras())
    assert len(run_of_cameras(tracker, (40.0, 60.0, 35.0), n=60, only=(0,))) == 0
    assert tracker.tally.founded == 0
    assert int(tracker._counts[layout.TOP]) <= 5


def test_lines_that_are_nearly_parallel_or_miss_or_are_old_found_nothing():
    def founded(places, gap_ms, **keys):
        tracker = Tracker(cameras(**keys))
        for k, place in enumerate(places):
            t = (100 + gap_ms * k) * MS
            tracker.step(Plots.bearings(t, k, *seen_from(tracker.sensors[k], place), 0.001), t)
        return tracker.tally.founded

    here, there = (40.0, 60.0, 35.0), (40.0, 60.0, 60.0)
    assert founded([here, here], 50) == 1
    assert founded([here, here], 100) == 1
    assert founded([here, here], 101) == 0
    assert founded([here, there], 50) == 0
    assert founded([(3000.0, 4000.0, 35.0)] * 2, 50) == 0
    assert founded([here, here], 50, may_spawn=False) == 0


def test_a_bearing_through_the_zenith_updates_like_any_other():
    up = [
        Sensor("a", p_detect=0.9, clutter_density=0.1, east_m=0.0),
        Sensor("b", p_detect=0.9, clutter_density=0.1, east_m=60.0),
    ]
    tracker = Tracker(up)
    rng = np.random.default_rng(0)
    for k in range(40):
        t = (k + 1) * 50 * MS
        az, el = seen_from(up[k % 2], rng.normal((0.0, 0.0, 50.0), 0.05))
        tracks = tracker.step(Plots.bearings(t, k % 2, az, el, 0.001), t)
    np.testing.assert_allclose(tracks.x[0, :3], [0.0, 0.0, 50.0], atol=0.15)


def test_bearings_give_a_flat_track_its_height():
    sensors = [*cameras()[:1], Sensor("lidar", p_detect=0.9, clutter_density=1e-6)]
    tracker, place = Tracker(sensors), np.array([40.0, 60.0, 35.0])
    for k in range(20):
        t = (k + 1) * 50 * MS
        if k % 2 == 0:
            plots = Plots.positions(t, 1, place[None, :2], np.eye(2)[None] * 0.04)
        else:
            plots = Plots.bearings(t, 0, *seen_from(sensors[0], place), 0.002)
        tracks = tracker.step(plots, t)
    assert len(tracks) == 1
    np.testing.assert_allclose(tracks.x[0, :3], place, atol=1.0)
    assert tracks.n_sensors[0] == 2


def test_azimuths_alone_keep_a_track_where_it_is():
    sensors = [*cameras()[:2], Sensor("lidar", p_detect=0.9, clutter_density=1e-6)]
    tracker, rng = Tracker(sensors), np.random.default_rng(1)
    for k in range(80):
        t, place = (k + 1) * 50 * MS, np.array([-10.0 + 0.4 * k, -40.0, 5.0])
        if k < 6:
            plots = Plots.positions(t, 2, place[None, :2], np.eye(2)[None] * 0.04)
        else:
            az, _ = seen_from(sensors[k % 2], place)
            az += rng.normal(0, 0.002)
            plots = Plots.bearings(t, k % 2, az, None, 0.002)
        tracks = tracker.step(plots, t)
    assert len(tracks) == 1
    np.testing.assert_allclose(tracks.x[0, :2], place[:2], atol=0.5)
    assert tracks.P[0, 0, 0] < 0.25


HOSTILE = [
    (nan, 0.1, 0.01), (np.inf, 0.1, 0.01), (0.1, np.inf, 0.01), (0.1, 0.2, 0.0),
    (0.1, 0.2, nan), (0.1, 0.2, -1.0), (0.1, 0.2, np.inf), (1e300, 0.1, 0.01), (0.1, 0.2, 2.0),
]  # fmt: skip


def test_hostile_lines_are_counted_and_harm_nobody():
    tracker = Tracker(cameras())
    run_of_cameras(tracker, (40.0, 60.0, 35.0))
    az, el, sd = np.array(HOSTILE).T
    tracks = tracker.step(Plots.bearings(400 * MS, 0, az, el, sd), 400 * MS)
    assert tracker.tally.unusable == len(HOSTILE)
    assert len(tracks) == 1
    assert np.isfinite(tracks.x).all()


@pytest.mark.parametrize("radial", [nan, np.inf, -np.inf, 1e300, 0.0])
@pytest.mark.parametrize("radial_sd", [nan, 0.0, -1.0])
@pytest.mark.parametrize(("r", "sd"), [(0.0, 0.01), (50.0, 0.0), (nan, 0.01), (50.0, 3.0)])
def test_hostile_ranges_and_rates_leave_every_number_finite(radial, radial_sd, r, sd):
    tracker = Tracker([Sensor("radar", kind=SensorKind.RADAR, clutter_density=1e-7)])
    for k in range(4):
        t = (k + 1) * 100 * MS
        good = Plots.polar(
            t, 0, [80.0], [0.1], [0.2], 0.5, 0.01, radial=radial, radial_sd=radial_sd
        )
        bad = Plots.polar(t, 0, [r], [0.1], [0.2], 0.5, sd, radial=radial, radial_sd=radial_sd)
        tracks = tracker.step(Plots.concat([good, bad]), t)
    assert np.isfinite(tracks.x).all()
    assert np.isfinite(tracks.P).all()
    assert len(tracks) >= 1


def test_wrong_shapes_are_refused_with_the_shape():
    with pytest.raises(ValueError, match=r"az must be \(n,\), got \(2, 1\)"):
        Plots.bearings(0, 0, np.zeros((2, 1)), None, 0.1)
    with pytest.raises(ValueError, match=r"el must be one number or \(3,\), got \(2,\)"):
        Plots.bearings(0, 0, np.zeros(3), np.zeros(2), 0.1)
    with pytest.raises(ValueError, match=r"range must be one number or \(3,\), got \(1, 3\)"):
        Plots.polar(0, 0, np.zeros((1, 3)), np.zeros(3), None, 1.0, 0.1)
    with pytest.raises(ValueError, match="sights must have 2 rows like the plots, got 1"):
        Plots.of(PlotColumns.blank(2), sights=Sights.blank(1))
    empty = Plots.bearings(5, 1, [], [], 0.1)
    assert (len(empty), len(empty.scans)) == (0, 1)


def test_names_of_sensors_are_their_rows():
    table = Tracker(cameras()).sensors
    plots = Plots.bearings(0, "camera-1", [0.1], [0.2], 0.1, sensors=table)
    assert plots.rows.sensor.tolist() == [1]
    assert plots.sights.model.tolist() == [Model.BEARING]


def test_rows_that_are_places_and_nothing_else_cost_nothing():
    plots = Plots.positions(0, 0, np.zeros((2, 3)), np.tile(np.eye(3), (2, 1, 1)))
    told = Plots(plots.rows, plots.scans, Sights.blank(2, model=0))
    for each in (plots, told):
        sheet = sheet_of(each)
        assert sheet.sight.shape == (0, layout.N_SIGHT)
        assert sheet.z is plots.rows.z


# the same bytes however rows come


def mixed_stream(seed, n=60):
    """(plots by row, t_ns) of cameras, a radar with range rates and a lidar, in time order."""
    rng = np.random.default_rng(seed)
    sensors = [
        *cameras(),
        Sensor("lidar", p_detect=0.9, clutter_density=1e-6),
        Sensor("radar", kind=SensorKind.RADAR, p_detect=0.9, clutter_density=1e-6, east_m=-50.0),
    ]
    x = np.array([[40.0, 60.0, 35.0], [70.0, 20.0, 50.0], [20.0, 25.0, 12.0]])
    v = np.array([[5.0, -3.0, 1.0], [-6.0, 4.0, 0.0], [3.0, 3.0, 0.5]])
    made = []
    for k in range(n):
        t, which = (k + 1) * 33 * MS, int(rng.integers(0, 5))
        seen = rng.random(3) < 0.8
        p = (x + v * t / 1e9)[seen]
        m = len(p)
        if which < 3:
            az, el = seen_from(sensors[which], *p)
            az = np.append(az + rng.normal(0, 0.002, m), rng.uniform(-pi, pi))
            el = np.append(el + rng.normal(0, 0.002, m), rng.uniform(0, 1.5))
            if k % 7 == 0:
                el[:] = nan
            plots = Plots.bearings(t, which, az, el, 0.002)
        elif which == 3:
            z = p + rng.normal(0, 0.3, p.shape)
            plots = Plots.positions(t, which, z, np.tile(np.eye(3) * 0.09, (m, 1, 1)))
        else:
            way = p - (-50.0, 0.0, 0.0)
            far = np.linalg.norm(way, axis=1)
            az, el = np.arctan2(way[:, 0], way[:, 1]), np.arcsin(way[:, 2] / far)
            plots = Plots.polar(
                t, which, far, az, el, 0.5, 0.01, radial=(way @ v.T).diagonal()[:m] / far
                if m == 3 else nan, radial_sd=0.2, kind=Kind.CAR, kind_conf=0.8,
            )  # fmt: skip
        made.append((plots, t))
    return sensors, made


def run_all(tracker, steps):
    for plots, t in steps:
        tracks = tracker.step(plots, t)
    return tracks


@pytest.mark.parametrize("seed", range(4))
def test_cuts_and_the_order_of_rows_and_late_rows_change_no_byte(seed):
    sensors, made = mixed_stream(seed)
    rng, end = np.random.default_rng(seed), made[-1][1]
    config = TrackerConfig(history_s=10.0)
    plain = Tracker(sensors, config)
    wanted = run_all(plain, made)
    assert len(wanted) == 3

    def shuffled(plots):
        p = rng.permutation(len(plots))
        if plots.sights is None or not len(plots):
            return Plots.of(plots.rows.take(p)) if len(plots) else plots
        return Plots.of(plots.rows.take(p), sights=plots.sights.take(p))

    turned, late = Tracker(sensors, config), Tracker(sensors, config)
    again = run_all(turned, [(shuffled(plots), t) for plots, t in made])
    assert as_bytes(again) == as_bytes(wanted)
    assert turned.snapshot() == plain.snapshot()
    assert state(turned) == state(plain)
    whole = Tracker(sensors, config).step(Plots.concat([plots for plots, _ in made]), end)
    assert as_bytes(whole) == as_bytes(wanted)
    held = set(rng.choice(len(made) - 1, 15, replace=False).tolist())
    for k, (plots, t) in enumerate(made):
        back = [
            made[h][0] for h in sorted(held) if h + 5 == k or (k == len(made) - 1 and h + 5 > k)
        ]
        tracks = late.step(Plots.concat([*([] if k in held else [plots]), *back]), t)
    assert as_bytes(tracks) == as_bytes(wanted)
    assert late.tally.replays > 0
    assert state(late) == state(plain)


@pytest.mark.parametrize("at", [3, 17, 40])
@pytest.mark.parametrize("history_s", [0.0, 5.0])
def test_a_restart_between_two_lines_that_will_cross_changes_no_byte(at, history_s):
    sensors, made = mixed_stream(2)
    config = TrackerConfig(history_s=history_s)
    plain = Tracker(sensors, config)
    wanted = run_all(plain, made)
    first, second = Tracker(sensors, config), Tracker(sensors, config)
    run_all(first, made[:at])
    second.restore(first.snapshot())
    assert as_bytes(run_all(second, made[at:])) == as_bytes(wanted)
    assert second.snapshot() == plain.snapshot()


def test_hints_outlive_a_flood_and_the_room_it_took():
    """A flood makes the slots close up; the hints among them must move along."""
    sensors = [*cameras()[:2], Sensor("lidar", p_detect=0.9, clutter_density=1e-6)]
    tracker, rng = Tracker(sensors), np.random.default_rng(0)
    crowd = rng.uniform(-5000, 5000, (900, 2))
    tracker.step(Plots.positions(MS, 2, crowd, np.tile(np.eye(2), (900, 1, 1))), MS)
    for k in range(2, 8):
        tracker.step(
            Plots.positions(k * 5 * MS, 2, np.zeros((0, 2)), np.zeros((0, 2, 2))), k * 5 * MS
        )
        place = (40.0, 60.0, 35.0)
        if k == 3:
            az, el = seen_from(sensors[0], place)
            tracker.step(Plots.bearings(16 * MS, 0, az, el, 0.002), 16 * MS)
    before = tracker.tally.founded
    tracker.step(Plots.bearings(60 * MS, 1, *seen_from(sensors[1], place), 0.002), 60 * MS)
    assert int(tracker._counts[layout.TOP]) < 256
    assert tracker.tally.founded == before + 1


# the bar


def bearing_run(seed):
    """Errors (m), NEES a axis, and seconds from the first sight by two to the first report."""
    world = library.make("bearing", seed=seed)
    tracker, errors, nees = Tracker(world.sensors()), [], []
    seen, by_two, found = set(), None, None
    for q, (t, k, z) in enumerate(zip(world.scan_ns, world.scan_sensor, world.plots, strict=True)):
        if (world.origin[q] >= 0).any():
            seen.add(k)
        if by_two is None and len(seen) > 1:
            by_two = t
        at = k == 3
        sd = radians(world.sensors()[k].sd_deg)
        tracks = tracker.step(Plots.bearings(t, k, z[:, 0], z[:, 1], sd), t + MS * at)
        tracks = tracks.take(tracks.exist >= 0.5)
        if not at or not len(tracks):
            continue
        e = tracks.x[:, :3] - world.truth[q // 4][0]
        i = int(np.linalg.norm(e, axis=1).argmin())
        if np.linalg.norm(e[i]) < 5.0:
            found = found or t
            errors.append(float(np.linalg.norm(e[i])))
            nees.append(e[i] @ np.linalg.solve(tracks.P[i, :3, :3], e[i]) / 3)
    return errors, nees, (found - by_two) / S


@pytest.mark.parametrize("seed", range(10))
def test_four_cameras_hold_a_drone_to_half_a_metre(seed):
    errors, nees, wait = bearing_run(seed)
    assert np.median(errors) < 0.5
    assert wait < 2.0
    assert len(errors) >= 90
    assert 0.5 < np.mean(nees) < 1.6
