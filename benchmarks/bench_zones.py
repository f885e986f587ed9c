"""Which zones hold which points: the grid index beside the best plain GEOS.

``pytest benchmarks/bench_zones.py --benchmark-only`` prints one group for each size; the quotient
of its two rows is the claim. 60 x 60 km, zones of 20-200 corners, one in five with a hole, about
one hit a point. GEOS in its best form: one bulk query of the boxes in an STRtree, then
``contains_xy`` of prepared zones on the pairs, sorted by zone (unprepared or one point at a time it
is 2-12 times slower), 4,000 points at a time (all at once it is up to twice as slow). Positions
arrive as numbers, so making its point objects counts; the row "geos, points made before" leaves
that out. The lists of pairs are compared before anything is timed.
"""

import functools

import numpy as np
import pytest
import shapely

from v2x.cli.bench.zone_lookup import TILE, Peer, places, scene
from v2x.lowalt.volumes import ZoneIndex
from v2x.polygons import build

SPAN = 60_000.0
REACH = {100: 14_000.0, 1_000: 3_600.0}
"""Largest zone radius, metres, for about one hit a point."""


def star(rng, centre, radius, corners):
    way = np.sort(rng.uniform(0, 2 * np.pi, corners))
    reach = radius * rng.uniform(0.7, 1.0, corners)
    return centre + np.column_stack((reach * np.cos(way), reach * np.sin(way)))


@functools.cache
def zones(n):
    """Rings, index, prepared GEOS zones and their tree."""
    rng = np.random.default_rng(n)
    rings = []
    for _ in range(n):
        centre = rng.uniform(-SPAN / 2, SPAN / 2, 2)
        radius = np.exp(rng.uniform(np.log(100.0), np.log(REACH[n])))
        rings.append([star(rng, centre, radius, rng.integers(20, 201))])
        if rng.random() < 0.2:
            rings[-1].append(star(rng, centre, 0.3 * radius, rng.integers(5, 40)))
    shapes = np.array([shapely.Polygon(r[0], r[1:]) for r in rings], dtype=object)
    shapely.prepare(shapes)
    return rings, build(rings), shapes, shapely.STRtree(shapes)


def blocks(points):
    return [points[k : k + 4_000] for k in range(0, len(points), 4_000)]


def geos(shapes, tree, points, made=None):
    """(point, zone) pairs, by zone within each block; `made`: the blocks' point objects."""
    rows, zones_ = [], []
    for k, block in enumerate(blocks(points)):
        row, zone = tree.query(shapely.points(block) if made is None else made[k])
        order = np.argsort(zone, kind="stable")
        row, zone = row[order], zone[order]
        held = shapely.contains_xy(shapes[zone], block[row, 0], block[row, 1])
        rows.append(row[held] + 4_000 * k)
        zones_.append(zone[held])
    return np.concatenate(rows), np.concatenate(zones_)


@pytest.mark.parametrize("n_points", [10_000, 100_000])
@pytest.mark.parametrize("n_zones", [100, 1_000])
@pytest.mark.parametrize("who", ["ours", "geos", "geos, points made before"])
def test_points_in_zones(benchmark, who, n_zones, n_points):
    _, index, shapes, tree = zones(n_zones)
    points = np.random.default_rng(1).uniform(-SPAN / 2, SPAN / 2, (n_points, 2))
    row, zone = index.inside(points)
    other_row, other_zone = geos(shapes, tree, points)
    order = np.lexsort((other_zone, other_row))
    assert np.array_equal(row, other_row[order])
    assert np.array_equal(zone, other_zone[order])
    benchmark.group = f"{n_zones:,} zones, {n_points:,} points"
    benchmark.extra_info["hits a point"] = len(row) / n_points
    if who == "ours":
        benchmark(lambda: index.inside(points))
    else:
        made = [shapely.points(b) for b in blocks(points)] if "made" in who else None
        benchmark(lambda: geos(shapes, tree, points, made))


@pytest.mark.parametrize("who", ["ours", "geos"])
def test_moves_through_zones(benchmark, who):
    _, index, shapes, tree = zones(1_000)
    rng = np.random.default_rng(2)
    a = rng.uniform(-SPAN / 2, SPAN / 2, (10_000, 2))
    b = a + rng.normal(0.0, 25.0, a.shape)

    def by_geos():
        lines = shapely.linestrings(np.stack((a, b), axis=1))
        row, zone = tree.query(lines)
        held = shapely.intersects(shapes[zone], lines[row])
        return row[held], zone[held]

    row, zone = by_geos()
    order = np.lexsort((zone, row))
    ours = index.crossed(a, b)
    assert np.array_equal(ours[0], row[order])
    assert np.array_equal(ours[1], zone[order])
    benchmark.group = "1,000 zones, 10,000 moves of 25 m"
    benchmark((lambda: index.crossed(a, b)) if who == "ours" else by_geos)


@functools.cache
def volumes(n):
    """Zones with height bands, their index and their shapely twin; as in ``v2x bench zones``."""
    made = scene(n, 0)
    index = ZoneIndex(made, TILE)
    return made, index, Peer(made)


@pytest.mark.parametrize("n_zones", [100, 1_000, 10_000])
@pytest.mark.parametrize("who", ["ours", "geos"])
def test_points_in_volumes(benchmark, who, n_zones):
    _, index, peer = volumes(n_zones)
    at, active = places(index, 100_000, 0), index.active(0)
    found, (row, zone) = index.hits(at, active), peer.hits(at)
    order = np.lexsort((zone, row))
    assert np.array_equal(found.point, row[order])
    assert np.array_equal(found.zone, zone[order])
    benchmark.group = f"{n_zones:,} zones with bands, 100,000 points"
    benchmark.extra_info["hits a point"] = len(row) / 100_000
    benchmark((lambda: index.hits(at, active)) if who == "ours" else lambda: peer.hits(at))


def test_build_of_10_000_zones(benchmark):
    made, _, _ = volumes(10_000)
    benchmark.group = "build the index of zones"
    benchmark(lambda: ZoneIndex(made, TILE))


@pytest.mark.parametrize("n_zones", [100, 1_000])
def test_build(benchmark, n_zones):
    rings, index, _, _ = zones(n_zones)
    benchmark.group = "build the index"
    benchmark.extra_info["bytes"] = index.nbytes
    benchmark(lambda: build(rings))
