"""Distances to the sides of zones, and probabilities of being inside, against independent means."""

import math

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.lowalt.scenes import TILE, box, lonlat, zone
from v2x.lowalt import shapes, walls
from v2x.lowalt.probability import chances_of, phi
from v2x.lowalt.volumes import ZoneIndex
from v2x.lowalt.zones import Slope, Zones

NO_LIMITS = np.array([[-np.inf, 0, 0, 0, 0, 0, 0]]), np.array([[np.inf, 0, 0, 0, 0, 0, 0]])


def star(rng, corners, radius, at=(0.0, 0.0)):
    """(k, 2) ring around a place, nowhere crossing itself."""
    angle = np.sort(rng.uniform(0.0, 2.0 * np.pi, corners))
    r = radius * rng.uniform(0.4, 1.0, corners)
    return np.column_stack((at[0] + r * np.cos(angle), at[1] + r * np.sin(angle)))


def built(*rings):
    return walls.build([list(rings)], np.zeros(1, np.int32), 1, *NO_LIMITS)


def clear(made, x, y, hint=-1):
    return walls.clearance(x, y, 0, hint, made.start, made.edge, made.leaf, made.branch)


@pytest.mark.parametrize("corners", [3, 8, 9, 64, 65, 700])
def test_distance_side_and_gradient_agree_with_shapely(corners):
    rng = np.random.default_rng(corners)
    outline = star(rng, corners, 1000.0, (30_000.0, -12_000.0))
    if corners == 700:  # a circle whose edges are far smaller than the distances
        angle = np.linspace(0.0, 2.0 * np.pi, 701)[:-1]
        outline = np.array([30_000.0, -12_000.0]) + 1000.0 * np.column_stack(
            (np.cos(angle), np.sin(angle))
        )
    hole = star(rng, 12, 50.0, (30_000.0, -12_000.0))
    polygon = shapely.Polygon(outline, [hole])
    whole = polygon.is_valid
    made = built(outline[::-1], hole) if whole else built(outline[::-1])
    polygon = polygon if whole else shapely.Polygon(outline)
    for x, y in np.array([30_000.0, -12_000.0]) + rng.uniform(-1800.0, 1800.0, (300, 2)):
        point = shapely.Point(x, y)
        gap, gx, gy, edge = clear(made, x, y)
        want = point.distance(polygon.boundary)
        assert abs(gap) == pytest.approx(want, abs=1e-7)
        assert (gap < 0.0) == polygon.contains(point)
        assert math.hypot(gx, gy) == pytest.approx(1.0)
        # Down the gradient the distance falls as it should.
        assert clear(made, x - 0.01 * gx, y - 0.01 * gy)[0] == pytest.approx(gap - 0.01, abs=2e-5)
        assert clear(made, x, y, edge)[0] == gap
        assert clear(made, x, y, int(rng.integers(len(made.edge))))[0] == pytest.approx(gap)


def test_place_on_an_edge_is_at_distance_0_and_the_gradient_leads_out():
    made = built(np.array([[0.0, 0.0], [10.0, 0.0], [10.0, 10.0], [0.0, 10.0]]))
    assert clear(made, 5.0, 0.0)[:3] == (0.0, 0.0, -1.0)
    assert clear(made, 10.0, 4.0)[:3] == (0.0, 1.0, 0.0)


@pytest.mark.parametrize("way", [1, -1])
def test_rings_may_run_either_way_round(way):
    outline = np.array([[0.0, 0.0], [10.0, 0.0], [10.0, 10.0], [0.0, 10.0], [0.0, 0.0]])
    made = built(outline[::way], 2.0 + 0.2 * outline[:, ::-way])
    assert clear(made, 1.0, 5.0)[0] == -1.0
    assert clear(made, 2.5, 3.0)[0] == 0.5


# --- probability


def lateral(rings, mean, cov):
    """Probability inside the rings, by the code under test."""
    made = built(*rings)
    six = np.array([[cov[0][0], cov[0][1], 0.0, cov[1][1], 0.0, 1.0]])
    none = np.zeros(1, np.int32)
    return chances_of(
        made, np.array([mean], float), six, np.zeros((1, 3)), none, none, 2.0
    ).lateral[0]


def summed(rings, mean, cov, n=601):
    """The same by adding up the density over a grid of six deviations."""
    polygon = shapely.Polygon(rings[0], rings[1:])
    shapely.prepare(polygon)
    root = np.linalg.cholesky(np.array(cov))
    grid = np.linspace(-6.0, 6.0, n)
    u, v = np.meshgrid(grid, grid)
    place = np.stack((u.ravel(), v.ravel()), 1) @ root.T + mean
    weight = np.exp(-0.5 * (u * u + v * v)).ravel()
    return float((weight * shapely.contains_xy(polygon, *place.T)).sum() / weight.sum())


SQUARE = np.array([[0.0, 0.0], [100.0, 0.0], [100.0, 100.0], [0.0, 100.0]])


def test_beside_a_straight_side_it_is_the_normal_share_across_it():
    angle = math.radians(30.0)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    field = (1e4 * (SQUARE / 100.0 - [0.5, 0.0])) @ turn.T  # its south side leads through 0
    cov = np.array([[25.0, 12.0], [12.0, 49.0]])
    normal = turn @ [0.0, -1.0]
    sd = math.sqrt(normal @ cov @ normal)
    for a in (-20.0, -5.0, -1e-9, 0.0, 1e-9, 3.0, 30.0):
        assert lateral([field], a * normal, cov) == pytest.approx(phi(-a / sd), abs=1e-6)


def test_at_a_right_corner_it_is_the_product_of_both_sides():
    field = 100.0 * SQUARE
    for e, n in ((0.0, 0.0), (3.0, -4.0), (-2.0, -2.0), (6.0, 1.0)):
        want = phi(e / 5.0) * phi(n / 7.0)
        assert lateral([field], (e, n), [[25.0, 0.0], [0.0, 49.0]]) == pytest.approx(want, abs=1e-6)
    hole = [100.0 * (SQUARE - 50.0), SQUARE]
    assert lateral(hole, (0.0, 0.0), [[25.0, 0.0], [0.0, 25.0]]) == pytest.approx(0.75, abs=1e-6)


@pytest.mark.parametrize("seed", range(12))
def test_any_polygon_agrees_with_the_density_added_up(seed):
    rng = np.random.default_rng(seed)
    rings = [star(rng, int(rng.integers(3, 40)), 60.0)]
    if seed % 3 == 0:
        rings.append(star(rng, 5, 8.0))
        if not shapely.Polygon(rings[0]).contains(shapely.Polygon(rings[1])):
            rings.pop()
    root = rng.normal(0.0, 1.0, (2, 2)) * rng.uniform(2.0, 60.0)
    cov = root @ root.T + np.eye(2)
    mean = rng.uniform(-60.0, 60.0, 2)
    assert lateral(rings, mean, cov) == pytest.approx(summed(rings, mean, cov), abs=4e-3)


@settings(max_examples=60, deadline=None)
@given(
    st.floats(-30.0, 130.0), st.floats(-30.0, 130.0), st.floats(1.0, 99.0), st.floats(0.6, 80.0),
    st.floats(0.6, 80.0), st.floats(-0.99, 0.99),
)  # fmt: skip
def test_two_parts_of_a_zone_hold_together_what_the_whole_holds(e, n, cut, se, sn, rho):
    cov = [[se * se, rho * se * sn], [rho * se * sn, sn * sn]]
    west = np.array([[0.0, 0.0], [cut, 0.0], [cut, 100.0], [0.0, 100.0]])
    east = np.array([[cut, 0.0], [100.0, 0.0], [100.0, 100.0], [cut, 100.0]])
    both = lateral([west], (e, n), cov) + lateral([east], (e, n), cov)
    assert both == pytest.approx(lateral([SQUARE], (e, n), cov), abs=5e-6)
    assert -1e-12 <= both <= 1.0 + 5e-6


def test_a_place_known_to_half_a_metre_is_a_point_and_the_boundary_is_inside():
    known = [[0.24, 0.0], [0.0, 0.24]]
    assert lateral([SQUARE], (0.0, 50.0), known) == 1.0
    assert lateral([SQUARE], (-1e-6, 50.0), known) == 0.0
    assert lateral([SQUARE], (0.0, 0.0), known) == 1.0
    assert lateral([SQUARE], (0.0, 50.0), [[0.26, 0.0], [0.0, 0.26]]) == pytest.approx(
        0.5, abs=1e-5
    )


# --- limits


def vertical(z, sd, *, cov=None, at=(500.0, 500.0), ground_sd=2.0, **limits):
    """(probability, metres outside) of heights (HAE, AMSL, AGL) against one zone's limits."""
    index = ZoneIndex(Zones.of([zone("A", [box(0, 0, 1000, 1000)], **limits)]), TILE)
    six = np.array([[1.0, 0.0, 0.0, 1.0, 0.0, sd * sd]]) if cov is None else np.array([cov])
    none = np.zeros(1, np.int32)
    levels = np.broadcast_to(np.asarray(z, float), (1, 3)).copy()
    made = chances_of(index.walls, np.array([at]), six, levels, none, none, ground_sd)
    return made.vertical[0], made.over[0]


def test_between_limits_it_is_the_share_of_the_normal_height():
    band = {"floor_m": 50.0, "floor_ref": "hae", "ceiling_m": 60.0, "ceiling_ref": "hae"}
    assert vertical(55.0, 4.0, **band)[0] == pytest.approx(phi(1.25) - phi(-1.25))
    assert vertical(50.0, 4.0, **band)[0] == pytest.approx(phi(2.5) - phi(0.0))
    assert vertical(62.0, 4.0, **band)[1] == 2.0


@pytest.mark.parametrize(("ref", "more"), [("hae", 0.0), ("amsl", 0.25), ("agl", 4.25)])
def test_what_the_reference_itself_is_unsure_of_counts(ref, more):
    p, over = vertical(97.0, 3.0, ceiling_m=100.0, ceiling_ref=ref)
    assert p == pytest.approx(phi(3.0 / math.sqrt(9.0 + more)))
    assert over == -3.0


def test_limits_are_inside_where_the_height_is_known_well():
    assert vertical(100.0, 0.1, ceiling_m=100.0, ceiling_ref="hae")[0] == 1.0
    assert vertical(100.001, 0.1, ceiling_m=100.0, ceiling_ref="hae")[0] == 0.0


def test_no_limit_and_a_limit_of_0_differ():
    assert vertical(-5.2, 0.1)[0] == 1.0
    assert vertical(-5.2, 0.1, floor_m=0.0, floor_ref="hae")[0] == 0.0
    assert vertical(-5.2, 0.1, floor_m=0.0, floor_ref="amsl", ground_sd=0.0)[0] < 1e-6


def test_who_flies_just_over_the_ground_is_over_the_ground():
    # 1.5 m over ground that is known to 2 m: nothing flies below it.
    ground = {"floor_m": 0.0, "floor_ref": "agl"}
    assert vertical(1.5, 2.0, **ground)[0] == 1.0
    assert vertical(-3.0, 2.0, **ground)[0] == 1.0
    assert vertical(-20.0, 2.0, **ground)[0] < 1e-9
    assert vertical(1.5, 2.0, floor_m=5.0, floor_ref="agl")[0] < 0.2


def test_over_a_slope_the_place_is_as_unsure_as_the_height():
    slope = Slope(117.3460, 39.1244, 0.5, 90.0)  # rises by 0.5 m per metre east
    cov = [16.0, 0.0, 3.0, 9.0, 0.0, 4.0]
    p, over = vertical(
        260.0, 2.0, cov=cov, floor_m=0.0, floor_ref="hae", floor_slope=slope, at=(500.0, 500.0)
    )
    # z - 0.5 e: variance 4 + 0.25 * 16 - 2 * 0.5 * 3
    assert over == pytest.approx(-10.0, abs=0.05)
    assert p == pytest.approx(phi(-over / math.sqrt(5.0)), abs=1e-3)


def test_an_unknown_height_decides_nothing_but_what_the_other_limit_decides():
    nan = math.nan
    band = {"floor_m": 50.0, "floor_ref": "agl", "ceiling_m": 100.0, "ceiling_ref": "hae"}
    assert math.isnan(vertical([80.0, nan, nan], 2.0, **band)[0])
    assert vertical([130.0, nan, nan], 2.0, **band)[0] < 0.01
    assert math.isnan(vertical([nan, nan, nan], 100.0, **band)[0])
    assert vertical([nan, nan, nan], 100.0)[0] == 1.0


# --- parts


@pytest.mark.parametrize(
    ("second", "limits", "apart"),
    [
        (box(1000, 0, 2000, 1000), {}, True),
        (box(900, 0, 2000, 1000), {}, False),
        (box(0, 0, 1000, 1000), {}, False),
    ],
)
def test_parts_that_share_a_volume_are_known(second, limits, apart):
    index = ZoneIndex(Zones.of([zone("A", [box(0, 0, 1000, 1000)], [second], **limits)]), TILE)
    assert index.walls.apart.tolist() == [apart]


def test_a_circle_of_many_edges_is_as_near_as_it_is():
    ring = [list(x) for x in shapes.circle("c", 117.3460, 39.1244, 5000.0)]
    made = ZoneIndex(Zones.of([zone("A", [ring])]), TILE).walls
    assert len(made.edge) > 2000
    for r in (0.0, 1234.5, 4999.0, 5001.0, 9000.0):
        assert clear(made, 0.6 * r, 0.8 * r)[0] == pytest.approx(r - 5000.0, abs=0.02)


def test_degenerate_rings_are_no_trouble():
    twice = lonlat([(0, 0), (0, 0), (100, 0), (100, 100), (100, 100), (0, 100)])
    made = ZoneIndex(Zones.of([zone("A", [twice])]), TILE).walls
    assert len(made.edge) == 4
