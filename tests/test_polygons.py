"""The grid index over polygons, against exact plain Python and against GEOS."""

import os

import numpy as np
import pytest
import shapely
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests import naive_geometry as naive
from v2x import polygons
from v2x.errors import ConfigError
from v2x.polygons import build

SQUARE = np.array([[0.0, 0.0], [1000.0, 0.0], [1000.0, 1000.0], [0.0, 1000.0]])
OFFSETS = np.array([0.0, 1e-9, -1e-9, 1e-8, -1e-8, 1e-6, -1e-6, 1e-4, -1e-4, 1e-3, -1e-3])


def star(rng, centre, radius, corners):
    """A ring that does not cross itself, of random corners around a centre."""
    way = np.sort(rng.uniform(0, 2 * np.pi, corners))
    reach = radius * rng.uniform(0.7, 1.0, corners)
    return np.asarray(centre) + np.column_stack((reach * np.cos(way), reach * np.sin(way)))


def zones(n, seed, span=20_000.0):
    """Zones of 100 m to 4 km, one in five with a hole, and their shapely twins."""
    rng = np.random.default_rng(seed)
    rings = []
    for _ in range(n):
        centre, radius = rng.uniform(-span / 2, span / 2, 2), np.exp(rng.uniform(4.6, 8.3))
        rings.append([star(rng, centre, radius, rng.integers(20, 120))])
        if rng.random() < 0.2:
            rings[-1].append(star(rng, centre, 0.3 * radius, rng.integers(5, 30)))
    shapes = np.array([shapely.Polygon(r[0], r[1:]) for r in rings], dtype=object)
    assert shapely.is_valid(shapes).all()
    shapely.prepare(shapes)
    return rings, shapes


def pairs(found):
    return list(zip(found[0].tolist(), found[1].tolist(), strict=True))


def geos_pairs(shapes, points):
    """Every (point, polygon) pair by GEOS, sorted; the boundary is outside there."""
    row, shape = shapely.STRtree(shapes).query(shapely.points(points))
    ok = shapely.contains_xy(shapes[shape], points[row, 0], points[row, 1])
    row, shape = row[ok], shape[ok]
    order = np.lexsort((shape, row))
    return row[order], shape[order]


def differences(index, shapes, points):
    """Pairs on which we and GEOS differ though the point is off that polygon's boundary."""
    ours, theirs = set(pairs(index.inside(points))), set(pairs(geos_pairs(shapes, points)))
    assert ours
    return [
        (i, p)
        for i, p in ours ^ theirs
        if shapely.boundary(shapes[p]).distance(shapely.Point(points[i])) > 3e-10
    ]


whole = st.integers(-12, 12)
corner = st.tuples(whole, whole)
ring = st.lists(corner, min_size=3, max_size=9)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.lists(ring, min_size=1, max_size=3), min_size=1, max_size=3),
    st.lists(st.tuples(st.integers(-26, 26), st.integers(-26, 26)), min_size=1, max_size=30),
    st.sampled_from([1.0, 1.7, 4.0, 8.0, 1000.0]),
)
def test_any_rings_on_a_lattice_equal_exact_arithmetic(shapes, halves, cell):
    # Half-integer points on integer corners: every degenerate meeting of the walk happens here,
    # and rings cross themselves, repeat corners and share edges.
    try:
        index = build(shapes, cell)
    except ConfigError:
        assume(False)
    points = np.array(halves) / 2.0
    expected = [
        (i, p) for i in range(len(points)) for p in range(len(shapes))
        if naive.inside(shapes[p], points[i])
    ]  # fmt: skip
    assert pairs(index.inside(points)) == expected
    a, b = points, np.roll(points, 1, axis=0)
    expected = [
        (i, p) for i in range(len(points)) for p in range(len(shapes))
        if naive.touches(shapes[p], a[i], b[i])
    ]  # fmt: skip
    assert pairs(index.crossed(a, b)) == expected
    for p, shape in enumerate(shapes):
        distance = index.distance(points, np.full(len(points), p))
        np.testing.assert_allclose(distance, [naive.distance(shape, q) for q in points], atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3)), min_size=3, max_size=8, unique=True
    ),
    st.lists(st.tuples(st.floats(-1.2e3, 1.2e3), st.floats(-1.2e3, 1.2e3)), max_size=20),
)
def test_any_ring_of_floats_equals_exact_arithmetic_off_the_boundary(ring, points):
    try:
        index = build([[ring]], 100.0)
    except ConfigError:
        assume(False)
    points = np.array(points + ring).reshape(-1, 2)
    held = np.isin(np.arange(len(points)), index.inside(points)[0])
    for point, ours in zip(points, held, strict=True):
        if abs(naive.distance([ring], point)) > 3e-10:
            assert ours == naive.inside([ring], point)
        else:
            assert ours or abs(naive.distance([ring], point)) > 5e-11


def test_random_points_equal_geos():
    rings, shapes = zones(150, 1)
    points = np.random.default_rng(2).uniform(-12_000, 12_000, (30_000, 2))
    for cell in (40.0, 100.0, 5_000.0):
        assert differences(build(rings, cell), shapes, points) == []


def test_adversarial_points_equal_geos_off_the_boundary():
    rings, shapes = zones(120, 3)
    index = build(rings)
    rng = np.random.default_rng(4)
    many = 10 if os.environ.get("V2X_SOAK") else 1  # a million, or a tenth of it
    edges = index.outline[rng.integers(0, len(index.outline), 45_000 * many)]
    way = edges[:, 2:] - edges[:, :2]
    normal = way[:, ::-1] * [1.0, -1.0] / np.linalg.norm(way, axis=1, keepdims=True)
    t = rng.choice([0.0, 1.0, 0.5, 1e-6, rng.random()], len(edges))[:, None]
    beside = edges[:, :2] + t * way + normal * rng.choice(OFFSETS, len(edges))[:, None]
    # Level with corners: the walk to the point runs through them.
    level = edges[:, :2].copy()
    level[np.arange(len(edges)), rng.integers(0, 2, len(edges))] += rng.uniform(
        -150, 150, len(edges)
    )
    n = 15_000 * many
    cells = np.column_stack((rng.integers(0, index.nx, n), rng.integers(0, index.ny, n)))
    corners = np.array([index.x0, index.y0]) + cells * index.cell_m
    corners += rng.choice(OFFSETS, (len(corners), 2))
    points = np.concatenate((beside, level, corners))
    assert len(points) > 100_000 * many
    assert differences(index, shapes, points) == []


def test_corners_and_edge_points_are_inside_though_parity_and_geos_disagree():
    rings, _ = zones(100, 5, 60_000.0)
    index = build(rings)
    t = np.random.default_rng(6).random((len(index.outline), 1))
    owner = np.repeat(np.arange(len(rings)), np.diff(index.outline_start))
    for points in (
        index.outline[:, :2],
        index.outline[:, 2:],
        index.outline[:, :2] + t * (index.outline[:, 2:] - index.outline[:, :2]),
    ):
        found = set(pairs(index.inside(points)))
        assert all((i, p) in found for i, p in enumerate(owner.tolist()))
        assert (index.distance(points, owner) <= 0.0).all()


def test_outlines_on_cell_sides_and_round_coordinates_hold_their_boundary():
    index = build([[SQUARE]], 100.0)
    steps = np.arange(0.0, 1000.1, 12.5)
    on = np.concatenate([
        np.column_stack((x, y)) for v in (0.0, 1000.0)
        for x, y in ((steps, np.full_like(steps, v)), (np.full_like(steps, v), steps))
    ])  # fmt: skip
    assert len(index.inside(on)[0]) == len(on)
    outward = np.sign(on - 500.0) * (np.abs(on - 500.0) == 500.0)
    assert len(index.inside(on + outward * 1e-9)[0]) == 0
    assert len(index.inside(on - outward * 1e-9)[0]) == len(on)


def test_a_hole_is_outside_its_edge_inside_and_an_island_in_it_inside_again():
    hole, island = SQUARE * 0.6 + 200.0, SQUARE * 0.2 + 400.0
    apart = SQUARE + np.array([5000.0, 0.0])
    points = np.array([[100.0, 500.0], [300.0, 500.0], [200.0, 500.0], [500.0, 500.0],
                       [5500.0, 500.0], [3000.0, 500.0]])  # fmt: skip
    for turned in (1, -1):
        for closed in (False, True):
            rings = [SQUARE, hole[::turned], island, apart[::turned]]
            if closed:
                rings = [np.vstack((r, r[:1])) for r in rings]
            assert index_rows(build([rings]), points) == [0, 2, 3, 4]


def index_rows(index, points, **limits):
    return index.inside(points, **limits)[0].tolist()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300, -1e300, 1e19, -1e19])
def test_hostile_points_are_in_no_polygon_and_leave_their_neighbours_alone(bad):
    index = build([[SQUARE], [SQUARE + 100.0]])
    points = np.full((6, 2), 500.0)
    points[1, 0], points[2, 1], points[4] = bad, bad, bad
    assert index.inside(points)[0].tolist() == [0, 0, 3, 3, 5, 5]
    assert index.crossed(points, np.roll(points, -1, axis=0))[0].tolist() == [5, 5]
    distance = index.distance(points, np.zeros(6, int))
    assert np.isfinite(distance).tolist() == [True, False, False, True, False, True]


def test_band_and_activity_are_judged_before_geometry():
    index = build([[SQUARE], [SQUARE], [SQUARE]])
    floor, ceiling = np.array([-5.0, 0.0, -np.inf]), np.array([0.0, 120.0, np.inf])
    points = np.full((6, 2), 500.0)
    height = np.array([-5.1, -5.0, 0.0, 120.0, 120.1, np.nan])
    found = pairs(index.inside(points, height, floor, ceiling))
    assert found == [
        (0, 2), (1, 0), (1, 2), (2, 0), (2, 1), (2, 2), (3, 1), (3, 2), (4, 2),
        (5, 0), (5, 1), (5, 2),
    ]  # fmt: skip
    active = np.array([0, 1, 0], np.uint8)
    found = index.inside(points, height, floor, ceiling, active)
    assert pairs(found) == [(2, 1), (3, 1), (5, 1)]
    floor[1] = np.nan
    assert index_rows(index, points[:1], height=height[:1], floor=floor, active=active) == [0]
    assert index_rows(index, points, active=active) == [0, 1, 2, 3, 4, 5]


def test_moves_equal_geos():
    rings, shapes = zones(120, 7)
    rng = np.random.default_rng(8)
    a = rng.uniform(-11_000, 11_000, (3_000, 2))
    b = a + rng.normal(0, 1, (3_000, 2)) * np.exp(rng.uniform(0, 9, (3_000, 1)))
    lines = shapely.linestrings(np.stack((a, b), axis=1))
    row, shape = shapely.STRtree(shapes).query(lines)
    ok = shapely.intersects(shapes[shape], lines[row])
    expected = sorted(zip(row[ok].tolist(), shape[ok].tolist(), strict=True))
    for cell in (50.0, 100.0, 3_000.0):
        assert pairs(build(rings, cell).crossed(a, b)) == expected


def test_a_zone_crossed_between_two_fixes_is_touched():
    sliver = np.array([[500.0, -1e4], [500.02, -1e4], [500.02, 1e4], [500.0, 1e4]])
    index = build([[sliver], [SQUARE]])
    a, b = np.array([[400.0, 500.0]]), np.array([[600.0, 530.0]])
    assert pairs(index.crossed(a, b)) == [(0, 0), (0, 1)]
    assert pairs(index.inside(a)) == pairs(index.inside(b)) == [(0, 1)]
    assert pairs(index.crossed(a, a)) == [(0, 1)]


def test_a_move_that_only_grazes_a_corner_or_an_edge_touches():
    index = build([[SQUARE]])
    a = np.array([[-500.0, 500.0], [-500.0, 1000.0], [-100.0, -100.0], [-500.0, 499.999999]])
    b = np.array([[500.0, 1500.0], [2000.0, 1000.0], [0.0, 0.0], [500.0, 1500.000001]])
    a = np.vstack((a, [[-500.0, 500.000001]]))
    b = np.vstack((b, [[500.0, 1500.000001]]))
    assert index.crossed(a, b)[0].tolist() == [0, 1, 2, 3]


def test_signed_distance_equals_geos():
    rings, shapes = zones(60, 9)
    index = build(rings)
    rng = np.random.default_rng(10)
    row = rng.integers(0, 60, 5_000)
    box = index.bounds[row]
    points = box[:, :2] + rng.uniform(-0.5, 1.5, (5_000, 2)) * (box[:, 2:] - box[:, :2])
    distance, foot = index.nearest(points, row)
    geometry = shapely.points(points)
    expected = shapely.distance(shapely.boundary(shapes[row]), geometry)
    expected[shapely.contains(shapes[row], geometry)] *= -1.0
    assert (expected < 0.0).sum() > 500
    np.testing.assert_allclose(distance, expected, rtol=0, atol=1e-9)
    np.testing.assert_allclose(np.hypot(*(points - foot).T), np.abs(distance), atol=1e-9)
    assert np.isnan(index.distance(points[:2], [-1, 60])).all()


def test_read_only_points_compile_nothing_new_and_wrong_lengths_are_refused():
    index = build([[SQUARE]])
    points = np.full((3, 2), 500.0)
    index.inside(points, active=np.array([True]))
    compiled = len(polygons.points_inside.signatures)
    points.flags.writeable = False
    assert index_rows(index, points) == [0, 1, 2]
    assert len(polygons.points_inside.signatures) == compiled
    for wrong in ({"height": np.zeros(2)}, {"floor": np.zeros(2)}, {"active": np.zeros(2)}):
        with pytest.raises(ValueError, match=rf"{next(iter(wrong))}: 2 values"):
            index.inside(points, **wrong)
    with pytest.raises(ValueError, match="expected"):
        index.inside(np.zeros(3))
    with pytest.raises(ValueError, match="2 ends"):
        index.crossed(points, points[:2])
    with pytest.raises(ValueError, match="against polygons"):
        index.distance(points, [0])


def test_cutting_a_batch_and_cell_size_change_nothing():
    rings, _ = zones(80, 11)
    points = np.random.default_rng(12).uniform(-11_000, 11_000, (1_000, 2))
    index = build(rings)
    found = pairs(index.inside(points))
    assert found == sorted(found)
    parts = [(i, p) for i in range(1_000) for _, p in pairs(index.inside(points[i : i + 1]))]
    assert found == parts == pairs(build(rings, 333.0).inside(points))


def test_more_hits_than_expected_are_all_returned():
    index = build([[SQUARE]] * 300)
    points = np.full((400, 2), 500.0)
    everything = [(i, p) for i in range(400) for p in range(300)]
    assert pairs(index.inside(points)) == everything
    assert pairs(index.crossed(points, points + 1.0)) == everything


def test_cells_grow_when_polygons_are_as_large_as_a_continent():
    huge, small = SQUARE * 5000.0, SQUARE + 2e6
    index = build([[huge], [small]] + [[huge]] * 30)
    assert index.cell_m > 100.0
    assert index.nbytes < 400e6
    points = np.array([[2.0005e6, 2.0005e6], [2.0005e6, 1.9995e6], [5e6, 5e6], [5.1e6, 0.0]])
    point, polygon = index.inside(points)
    assert np.bincount(point, minlength=4).tolist() == [32, 31, 31, 0]
    assert (polygon[:2] == [0, 1]).all()


def test_an_index_without_polygons_answers_nothing():
    points = np.zeros((3, 2))
    for index in (build([]), build([[], []])):
        assert pairs(index.inside(points)) == pairs(index.crossed(points, points)) == []
        assert np.isnan(index.distance(points, np.zeros(3, int))).all()
    index = build([[], [SQUARE], []])
    assert pairs(index.inside(points)) == [(0, 1), (1, 1), (2, 1)]
    assert np.isnan(index.bounds[[0, 2]]).all()
    np.testing.assert_array_equal(index.bounds[1], [0.0, 0.0, 1000.0, 1000.0])
    assert pairs(index.inside(points[:0])) == []


@pytest.mark.parametrize(
    ("ring", "reason"),
    [
        (SQUARE[:2], "fewer than three corners"),
        (SQUARE[[0, 1, 1, 0, 0]], "fewer than three corners"),
        (SQUARE * np.nan, "not finite"),
        (SQUARE * 1e6, "beyond"),
        (SQUARE[:, 0], "expected"),
        (np.empty((0, 2)), "expected"),
    ],
)
def test_a_ring_that_encloses_nothing_is_refused_by_name(ring, reason):
    with pytest.raises(ConfigError, match=rf"polygon 1, ring 1: .*{reason}"):
        build([[SQUARE], [SQUARE, ring]])


def test_a_cell_below_a_metre_is_refused():
    for bad in (0.0, -5.0, np.nan, 0.5):
        with pytest.raises(ConfigError, match="cell_m"):
            build([[SQUARE]], bad)


def test_edges_too_short_for_arithmetic_do_not_turn_the_answer():
    ring = [[0.0, 0.0], [0.0, 5e-324], [0.0, 10.0], [10.0, 10.0], [10.0, 1e-200], [10.0, 0.0]]
    points = [[5.0, 0.0], [5.0, 5e-324], [-5.0, 0.0], [15.0, 1e-201], [5.0, 5.0]]
    assert index_rows(build([[ring]]), np.array(points)) == [0, 1, 4]


def test_compiled_and_plain_lookup_agree():
    rings, _ = zones(12, 13)
    index = build(rings, 700.0)
    points = np.random.default_rng(14).uniform(-11_000, 11_000, (150, 2))
    none, limit = np.full(150, np.nan), np.full(12, np.inf)
    order, span = np.arange(150, dtype=np.int32)[::-1].copy(), np.empty((150, 2), np.int32)
    held = np.empty(500, np.int32)
    found = polygons.points_inside.py_func(
        points, order, none, -limit, limit, np.ones(12, np.uint8), *index.cells,
        np.empty((4, 7), np.int32), np.empty(7), span, held,
    )  # fmt: skip
    point, polygon = np.empty((2, found), np.int32)
    polygons.by_point.py_func(span, held, point, polygon)
    assert found > 10
    assert pairs((point, polygon)) == pairs(index.inside(points))
    point, polygon = np.empty((2, 500), np.int32)
    found = polygons.moves_crossing.py_func(
        points, points[::-1].copy(), *index.cells, np.full(12, -1, np.int32), point, polygon
    )
    expected = pairs(index.crossed(points, points[::-1]))
    assert found == len(expected)
    assert pairs((point[:found], polygon[:found])) == expected[:500]
