"""Time to breach: paths whose answer is known, a slow twin, and what tracker noise leaves of it."""

import math

import numpy as np
import pytest
import shapely
from shapely.ops import nearest_points

from tests.lowalt.scenes import TILE, box, zone
from v2x.lowalt.foresight import HORIZON_S, PSD, PSD_UP, STEP_S, TURN_S, Course, foresee
from v2x.lowalt.probability import phi
from v2x.lowalt.volumes import ZoneIndex
from v2x.lowalt.zones import Slope, Zones

FIELD = [box(0, 0, 1000, 1000)]
ONES = np.ones(1, np.bool_)


def walls(*rings, **limits):
    return ZoneIndex(Zones.of([zone("A", list(rings) or FIELD, **limits)]), TILE).walls


def course(at, vel, *, turn=0.0, sd=(1.0, 1.0, 1.0), sd_v=(0.1, 0.1, 0.1), levels=None):
    """One track at (east, north, height) with a velocity, and independent deviations."""
    cov = np.diag(np.square([*sd, *sd_v]))[None]
    return Course(
        np.array([at[:2]], float),
        np.full((1, 3), at[2], float) if levels is None else np.array([levels], float),
        np.array([vel], float),
        cov,
        np.array([turn]),
    )


def one(made_walls, made_course):
    """Earliest, expected, latest, p; None where nothing is told."""
    told = foresee(made_walls, made_course, ONES, 2.0)
    if not len(told):
        return None
    assert len(told) == 1
    return told.earliest[0], told.expected[0], told.latest[0], told.p[0]


def sd_at(t, sd, sd_v, psd):
    return math.sqrt(sd * sd + (sd_v * t) ** 2 + psd * t**3 / 3.0)


def test_straight_in():
    earliest, expected, latest, p = one(walls(), course((-200, 500, 50), (20, 0, 0)))
    assert expected == pytest.approx(10.0, abs=0.01)
    for t, sign in ((earliest, 1.0), (latest, -1.0)):
        assert 200.0 - 20.0 * t == pytest.approx(sign * 1.64 * sd_at(t, 1.0, 0.1, PSD), abs=0.3)
    assert p > 0.99


def test_heading_away_is_no_breach_however_unsure():
    assert one(walls(), course((-200, 500, 50), (-20, 0, 0), sd=(60, 60, 5))) is None


def test_hovering_beside_is_no_breach():
    drifts = one(walls(), course((-5, 500, 50), (0.2, 0.0, 0.0), sd_v=(0.3, 0.3, 0.3)))
    assert drifts[3] < 0.7
    assert one(walls(), course((-5, 500, 50), (0.0, 0.2, 0.0))) is None


def test_passing_50_m_beside_is_never_expected_and_unlikely():
    earliest, expected, latest, p = one(walls(), course((-50, -400, 50), (0, 20, 0)))
    assert earliest > 10.0
    assert math.isnan(expected)
    assert math.isnan(latest)
    # At the last step beside the field: 50 m off.
    assert p == pytest.approx(phi(-50.0 / sd_at(70.0, 1.0, 0.1, PSD)), abs=0.02)
    assert p < 0.4


def test_climbing_into_a_floor():
    over = walls(floor_m=100.0, floor_ref="hae")
    earliest, expected, latest, _ = one(over, course((500, 500, 60), (0, 0, 4)))
    assert expected == pytest.approx(10.0, abs=0.01)
    assert 40.0 - 4.0 * earliest == pytest.approx(
        1.64 * sd_at(earliest, 1.0, 0.1, PSD_UP), abs=0.05
    )
    assert latest > expected
    assert one(over, course((500, 500, 60), (0, 0, -4))) is None


def test_what_a_height_is_measured_above_counts_in_its_deviation():
    wide = one(walls(floor_m=100.0, floor_ref="agl"), course((500, 500, 60), (0, 0, 4)))
    slim = one(walls(floor_m=100.0, floor_ref="hae"), course((500, 500, 60), (0, 0, 4)))
    assert wide[0] < slim[0]
    assert wide[1] == slim[1]


def test_level_into_a_surface_that_slopes_down_towards_the_track():
    # The floor is 0 at its origin and rises by 0.1 m per metre east: at 60 m it is met at e = 600.
    slope = Slope(117.3460, 39.1244, 0.1, 90.0)
    made = walls(floor_m=0.0, floor_ref="hae", floor_slope=slope)
    _, expected, _, _ = one(made, course((900, 500, 60), (-20, 0, 0)))
    assert expected == pytest.approx(15.0, abs=0.05)


def test_climbing_through_a_sloped_surface():
    slope = Slope(117.3460, 39.1244, 0.1, 90.0)
    made = walls(floor_m=0.0, floor_ref="hae", floor_slope=slope)
    # Floor over the place 50 + 2 t, height 20 + 5 t.
    _, expected, _, _ = one(made, course((500, 500, 20), (20, 0, 5)))
    assert expected == pytest.approx(10.0, abs=0.05)


def test_both_at_once_beside_and_below():
    band = walls(floor_m=100.0, floor_ref="hae", ceiling_m=200.0, ceiling_ref="hae")
    # In the footprint from 10 s on, over the floor from 20 s on.
    _, expected, _, _ = one(band, course((-200, 500, 60), (20, 0, 2)))
    assert expected == pytest.approx(20.0, abs=0.02)


def test_a_corner_is_cut():
    _, expected, _, p = one(walls(), course((-100, 100, 50), (20, -16, 0)))
    assert expected == pytest.approx(5.0, abs=0.02)
    assert 0.6 < p < 1.0


def test_a_turn_is_followed_for_20_s_and_then_left_straight():
    # South, turning left by a quarter and a whole round in 20 s: a circle of 51 m, then east.
    turn = 2.5 * math.pi / TURN_S
    _, expected, _, _ = one(walls(), course((-300, 500, 50), (0, -20, 0), turn=turn))
    assert expected == pytest.approx(TURN_S + (300.0 - 20.0 / turn) / 20.0, abs=0.02)


def test_a_turn_into_the_zone():
    # 20 m/s north, 0.1 rad/s to the right: a circle of 200 m around (0, 200).
    _, expected, _, _ = one(walls(), course((-200, 200, 50), (0, 20, 0), turn=-0.1))
    assert expected == pytest.approx(math.pi / 2.0 / 0.1, abs=0.02)


def test_up_is_not_height_far_from_the_origin():
    far = [box(20_000, -500, 21_000, 500)]
    made = walls(*far, floor_m=100.0, floor_ref="hae")
    # Level in the tile's plane is a climb of v d / R: 0.063 m/s at 20 km.
    level = one(made, course((20_000, 0, 99.0), (20.0, 0, 0), sd_v=(0.01, 0.01, 0.01)))
    assert level[1] == pytest.approx(1.0 / (20.0 * 20_000.0 / 6.371e6), rel=0.02)


def test_who_is_inside_has_no_breach_before_him():
    assert one(walls(), course((500, 500, 50), (20, 0, 0))) is None
    parts = ZoneIndex(Zones.of([zone("A", FIELD, [box(2000, 0, 3000, 1000)])]), TILE).walls
    assert one(parts, course((500, 500, 50), (20, 0, 0))) is None


def test_the_first_of_several_parts_counts():
    parts = ZoneIndex(Zones.of([zone("A", [box(400, 0, 500, 1000)], FIELD)]), TILE).walls
    assert one(parts, course((-200, 500, 50), (20, 0, 0)))[1] == pytest.approx(10.0, abs=0.01)


def test_an_unknown_height_leaves_the_footprint_and_says_so():
    made = walls(floor_m=100.0, floor_ref="hae")
    told = foresee(made, course((-200, 500, math.nan), (20, 0, 0)), ONES, 2.0)
    assert told.height_unknown.tolist() == [1]
    assert told.expected[0] == pytest.approx(10.0, abs=0.01)
    known = foresee(made, course((-200, 500, 150.0), (20, 0, 0)), ONES, 2.0)
    assert known.height_unknown.tolist() == [0]


def test_zones_not_in_force_and_tracks_without_a_place_are_left_out():
    assert not len(foresee(walls(), course((-200, 500, 50), (20, 0, 0)), ~ONES, 2.0))
    assert not len(foresee(walls(), course((math.nan, 500, 50), (20, 0, 0)), ONES, 2.0))
    assert not len(foresee(walls(), course((-200, 500, 50), (math.nan, 0, 0)), ONES, 2.0))


def test_beyond_the_horizon_there_is_nothing():
    _, expected, latest, p = one(walls(), course((-200 - 10 * HORIZON_S, 500, 50), (10, 0, 0)))
    assert math.isnan(expected)
    assert math.isnan(latest)
    assert p < 0.5


def twin(polygon, track, band):
    """Every step of the grid, by shapely: first times to half a step, and p."""
    sides = np.full(3, math.nan)
    best = 0.0
    e0, n0, z0 = track.flat[0, 0], track.flat[0, 1], track.levels[0, 0]
    v, P = track.vel[0], track.cov[0]
    for k in range(round(HORIZON_S / STEP_S) + 1):
        t = k * STEP_S
        w, turn = min(t, TURN_S), track.turn[0]
        factor = (1.0 - np.exp(-1j * turn * w)) / (1j * turn) if turn else w
        factor = np.conj(factor) + (t - w) * np.exp(1j * turn * w)
        move = factor * complex(v[0], v[1])
        A = np.array([[factor.real, -factor.imag], [factor.imag, factor.real]])
        F = np.zeros((3, 6))
        F[:, :3] = np.eye(3)
        F[:2, 3:5], F[2, 5] = A, t
        cov = F @ P @ F.T + np.diag([PSD, PSD, PSD_UP]) * t**3 / 3.0
        e, n = e0 + move.real, n0 + move.imag
        z = z0 + v[2] * t + (e * e + n * n - e0 * e0 - n0 * n0) / (2.0 * 6_371_000.0)
        point = shapely.Point(e, n)
        foot = nearest_points(polygon.exterior, point)[0]
        gap = point.distance(foot) * (-1.0 if polygon.contains(point) else 1.0)
        g = np.array([e - foot.x, n - foot.y, 0.0]) / abs(gap)
        told = [(gap, math.sqrt(g @ cov @ g))]
        sd = math.sqrt(cov[2, 2])
        told += [(band[0] - z, sd), (z - band[1], sd)]
        best = max(
            best,
            phi(-told[0][0] / told[0][1]) * max(phi(-told[1][0] / sd) - phi(told[2][0] / sd), 0.0),
        )
        for j, factor_sd in enumerate((-1.64, 0.0, 1.64)):
            if math.isnan(sides[j]) and max(a + factor_sd * s for a, s in told) <= 0.0:
                sides[j] = t
    return *sides, best


@pytest.mark.parametrize("seed", range(25))
def test_skipping_and_boxes_change_nothing(seed):
    rng = np.random.default_rng(seed)
    angle = np.sort(rng.uniform(0.0, 2.0 * np.pi, 60))
    r = rng.uniform(200.0, 600.0) * rng.uniform(0.6, 1.0, 60)
    ring = np.column_stack((r * np.cos(angle), r * np.sin(angle)))
    band = (20.0, 120.0)
    from v2x.lowalt import walls as w

    limits = [np.array([[m, 0, 0, 0, 0, 0, 0]]) for m in band]
    made = w.build([[ring]], np.zeros(1, np.int32), 1, *limits)
    start = rng.uniform(-1500.0, 1500.0, 2)
    towards = -start / np.hypot(*start) * rng.uniform(3.0, 25.0) + rng.normal(0.0, 3.0, 2)
    root = rng.normal(0.0, 0.3, (6, 6))
    track = Course(
        start[None], np.full((1, 3), rng.uniform(0.0, 160.0)),
        np.array([[*towards, rng.normal(0.0, 1.0)]]), (root @ root.T + 0.5 * np.eye(6))[None],
        np.array([rng.choice([0.0, rng.normal(0.0, 0.1)])]),
    )  # fmt: skip
    polygon = shapely.Polygon(ring)
    want = twin(polygon, track, band)
    told = foresee(made, track, ONES, 2.0)
    inside = polygon.contains(shapely.Point(start)) and band[0] <= track.levels[0, 0] <= band[1]
    if not len(told):
        assert inside or want[3] < 0.07 or math.isnan(want[1])
        return
    assert not inside
    for got, grid in zip((told.earliest, told.expected, told.latest), want[:3], strict=True):
        if math.isnan(grid):
            assert math.isnan(got[0])
        else:
            assert grid - STEP_S - 0.02 <= got[0] <= grid + 0.02
    assert told.p[0] == pytest.approx(want[3], abs=0.025)


@pytest.mark.parametrize("kind", ["straight", "curving", "climbing"])
def test_ten_seconds_out_the_median_error_is_below_a_second_and_a_half(kind):
    rng = np.random.default_rng(len(kind))
    made = walls(floor_m=60.0, floor_ref="hae") if kind == "climbing" else walls()
    errors = []
    for _ in range(200):
        speed, turn = rng.uniform(5.0, 20.0), 0.0
        if kind == "climbing":
            at, vel = [500.0, 500.0, 60.0], [speed, 0.0, rng.uniform(1.5, 5.0)]
        else:
            turn = rng.uniform(-0.08, 0.08) if kind == "curving" else 0.0
            at, vel = [0.0, 500.0, 50.0], [speed * math.cos(0.4), speed * math.sin(0.4), 0.0]
        # Ten seconds back along the true path: a turn undone.
        v = complex(vel[0], vel[1]) * np.exp(-1j * turn * 10.0)
        back = v * ((np.exp(1j * turn * 10.0) - 1.0) / (1j * turn) if turn else 10.0)
        start = [at[0] - back.real, at[1] - back.imag, at[2] - 10.0 * vel[2]]
        # What a tracker leaves of a radar with 8 m, 10 looks a second: 1.5 m, 0.7 m/s, 2 deg/s.
        noisy = np.array(start) + rng.normal(0.0, 1.5, 3)
        moving = np.array([v.real, v.imag, vel[2]]) + rng.normal(0.0, 0.7, 3) * [1.0, 1.0, 0.4]
        told = one(
            made,
            course(
                noisy, moving, turn=turn + rng.normal(0.0, 0.03), sd=(1.5, 1.5, 1.5),
                sd_v=(0.7, 0.7, 0.3),
            ),
        )  # fmt: skip
        errors.append(abs(told[1] - 10.0) if told is not None else math.inf)
    assert np.median(np.nan_to_num(errors, nan=math.inf)) < 1.5
