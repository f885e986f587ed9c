"""The volume kernels against plain loops over exact parity, and against themselves cut up."""

import math

import numpy as np
import pytest

from tests import naive_geometry as naive
from tests.lowalt.scenes import T0, TILE, box, lonlat, zone
from v2x.lowalt import volume_kernels, volumes
from v2x.lowalt.files import REFERENCES
from v2x.lowalt.volumes import Pairs, Places, ZoneIndex
from v2x.lowalt.zones import Slope, Zones
from v2x.picture import ZoneKind

SPAN = 2_000.0


def ragged(rng, centre, reach, corners):
    way = np.sort(rng.uniform(0, 2 * np.pi, corners))
    far = reach * rng.uniform(0.5, 1.0, corners)
    return np.asarray(centre) + np.column_stack((far * np.cos(way), far * np.sin(way)))


def made(seed, n=25):
    """Zones of one to three parts, with holes, every reference, none, planes and cones."""
    rng = np.random.default_rng(seed)
    zones = []
    for k in range(n):
        polygons = []
        for _ in range(int(rng.integers(1, 4))):
            centre, reach = rng.uniform(-SPAN, SPAN, 2), rng.uniform(300, 1_800)
            polygons.append([lonlat(ragged(rng, centre, reach, 12))])
            if rng.random() < 0.3:
                polygons[-1].append(lonlat(ragged(rng, centre, 0.2 * reach, 6)))
        given = {}
        for side, low, high in (("floor", -10, 60), ("ceiling", 60, 150)):
            if rng.random() < 0.25:
                continue
            given[f"{side}_m"] = float(rng.uniform(low, high))
            given[f"{side}_ref"] = REFERENCES[rng.integers(3)]
            if rng.random() < 0.4:
                course = None if rng.random() < 0.5 else float(rng.uniform(0, 360))
                lon, lat = lonlat([rng.uniform(-SPAN, SPAN, 2)])[0]
                given[f"{side}_slope"] = Slope(lon, lat, float(rng.uniform(-0.03, 0.03)), course)
        begin = T0 + 1 if k % 6 == 1 else None
        zones.append(
            zone(f"{k:02d}", *polygons, valid_from_ns=begin, kind=ZoneKind(k % 4), **given)
        )
    return ZoneIndex(Zones.of(zones), TILE)


def places(rng, n, unknown=0.15):
    flat = rng.uniform(-1.2 * SPAN, 1.2 * SPAN, (n, 2))
    agl = rng.uniform(-20, 180, n)
    levels = np.column_stack((agl - 5.0, agl + 3.0, agl))
    levels[rng.random(n) < unknown] = np.nan
    levels[rng.random(n) < unknown, 1:] = np.nan  # the geoid is not known there
    return Places(flat, levels)


def limit_over(limit, x, y):
    """Metres of a limit over a place of the tile, from its definition."""
    s = limit.slope
    if s is None:
        return limit.m
    (ox, oy, _), (px, py, _) = TILE.to_enu([s.lat, s.lat + 1e-3], [s.lon] * 2, [0.0, 0.0])
    if s.course_deg is None:
        return limit.m + s.gradient * math.hypot(x - ox, y - oy)
    # Course counts from true north there, which leans by the convergence of the meridians.
    lean = math.atan2(px - ox, py - oy)
    way = math.radians(s.course_deg) + lean
    return limit.m + s.gradient * ((x - ox) * math.sin(way) + (y - oy) * math.cos(way))


class Twin:
    """The same questions, zone by zone and part by part."""

    def __init__(self, index):
        self.index = index
        rings = iter(volumes.in_metres(TILE, index.zones))
        self.parts = [[(part, next(rings)) for part in z.parts] for z in index.zones]

    def rooms(self, part, x, y, levels):
        """Metres above the floor and below the ceiling: inf none, NaN unknown."""
        over = under = math.inf
        if part.floor is not None:
            over = levels[REFERENCES.index(part.floor.ref)] - limit_over(part.floor, x, y)
        if part.ceiling is not None:
            under = limit_over(part.ceiling, x, y) - levels[REFERENCES.index(part.ceiling.ref)]
        return over, under

    def holding(self, row, x, y, levels):
        """Depth and unknown of the deepest part that holds a point; None where none does."""
        best = None
        for part, rings in self.parts[row]:
            over, under = self.rooms(part, x, y, levels)
            if over < 0.0 or under < 0.0 or not naive.inside(rings, (x, y)):
                continue
            depth = min(v for v in (-naive.distance(rings, (x, y)), over, under) if v == v)
            if best is None or depth > best[0]:
                best = depth, math.isnan(over) or math.isnan(under)
        return best

    def inside(self, at, active):
        found = []
        for i, ((x, y), levels) in enumerate(
            zip(at.flat.tolist(), at.heights.tolist(), strict=True)
        ):
            for row in np.flatnonzero(active).tolist():
                held = self.holding(row, x, y, levels)
                if held is not None:
                    found.append((i, row, *held))
        return found

    def crossed(self, a, b, active):
        found = []
        for i in range(len(a.flat)):
            start, stop = a.flat[i], b.flat[i]
            if not (np.isfinite(start).all() and np.isfinite(stop).all()):
                continue
            for row in np.flatnonzero(active).tolist():
                if self.holding(row, *start, a.heights[i]) or self.holding(
                    row, *stop, b.heights[i]
                ):
                    continue
                for part, rings in self.parts[row]:
                    told = self.stretch(part, start, stop, a.heights[i], b.heights[i])
                    if told is not None and naive.touches(rings, told[0], told[1]):
                        found.append((i, row, told[2]))
                        break
        return found

    def stretch(self, part, start, stop, before, now):
        begin, end, unknown = 0.0, 1.0, False
        ends = zip(self.rooms(part, *start, before), self.rooms(part, *stop, now), strict=True)
        for first, last in ends:
            if math.isinf(first):
                continue
            unknown |= math.isnan(first) or math.isnan(last)
            if first < 0.0 and last < 0.0:
                return None
            if first < 0.0 <= last:
                begin = max(begin, first / (first - last))
            elif last < 0.0 <= first:
                end = min(end, first / (first - last))
        if begin > end:
            return None
        way = stop - start
        return start + begin * way, (start + end * way if end < 1.0 else stop), unknown


def told(pairs):
    return [
        (int(i), int(z), bool(u))
        for i, z, u in zip(pairs.point, pairs.zone, pairs.height_unknown, strict=True)
    ]


@pytest.mark.parametrize("seed", [0, 1])
def test_inside_equals_the_twin_with_depth_and_what_was_unknown(seed):
    index = made(seed)
    at = places(np.random.default_rng(seed + 10), 250)
    active = index.active(T0)
    assert 0 < active.sum() < len(index)
    expected = Twin(index).inside(at, active)
    found = index.inside(at, active)
    assert told(found) == [(i, row, unknown) for i, row, _, unknown in expected]
    np.testing.assert_allclose(found.depth, [depth for _, _, depth, _ in expected], atol=1e-6)
    assert len(expected) > 200
    assert 0 < found.height_unknown.sum() < len(expected)


@pytest.mark.parametrize("seed", [2, 3])
def test_crossed_equals_the_twin(seed):
    index = made(seed)
    rng = np.random.default_rng(seed + 10)
    a = places(rng, 250)
    reach = np.exp(rng.uniform(2, 8, (250, 1)))
    b = Places(a.flat + rng.normal(0, 1, (250, 2)) * reach, places(rng, 250).heights)
    a.flat[::17] = np.nan
    active = index.active(T0)
    expected = Twin(index).crossed(a, b, active)
    found = index.crossed(a, b, index.inside(b, active), active)
    assert told(found) == expected
    assert len(expected) > 50
    assert np.isnan(found.depth).all()


def test_many_points_in_the_order_of_cells_give_the_pairs_of_each_alone():
    index = made(4)
    at = places(np.random.default_rng(5), 20_000)
    active = index.active(T0)
    cells = index._index.nx * index._index.ny
    assert len(at.flat) > cells // 8  # sorted by cell
    whole = index.inside(at, active)
    parts = []
    for k in range(0, 20_000, 50):  # not sorted
        some = index.inside(at.take(np.arange(k, k + 50)), active)
        parts.append(some._replace(point=some.point + np.int32(k)))
    again = Pairs(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
    for one, other in zip(whole, again, strict=True):
        np.testing.assert_array_equal(one, other)
    hits = index.hits(at, active)
    listed = list(dict.fromkeys(zip(hits.point.tolist(), hits.zone.tolist(), strict=True)))
    assert listed == list(zip(whole.point.tolist(), whole.zone.tolist(), strict=True))


def test_more_hits_than_expected_are_all_returned():
    stack = ZoneIndex(Zones.of(zone(f"{k:03d}", [box(0, 0, 900, 900)]) for k in range(300)), TILE)
    at = Places(np.full((50, 2), 400.0), np.zeros((50, 3)))
    active = stack.active(T0)
    found = stack.inside(at, active)
    assert found.point.tolist() == np.repeat(np.arange(50), 300).tolist()
    assert found.zone.tolist() == list(range(300)) * 50
    a = Places(at.flat - np.array([4000.0, 0.0]), at.heights)
    b = Places(at.flat + np.array([4000.0, 0.0]), at.heights)
    crossed = stack.crossed(a, b, stack.inside(b, active), active)
    assert crossed.point.tolist() == found.point.tolist()
    assert crossed.zone.tolist() == found.zone.tolist()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300, -1e19])
def test_hostile_points_are_in_no_zone_and_leave_their_neighbours_alone(bad):
    index = ZoneIndex(
        Zones.of([zone("A", [box(0, 0, 900, 900)], ceiling_m=9.0, ceiling_ref="agl")]), TILE
    )
    at = Places(np.full((6, 2), 400.0), np.zeros((6, 3)))
    at.flat[1, 0], at.flat[2, 1], at.flat[4] = bad, bad, bad
    active = index.active(T0)
    assert index.inside(at, active).point.tolist() == [0, 3, 5]
    there = Places(np.full((6, 2), 2_000.0), at.heights)
    away = Places(np.where(at.flat == 400.0, -2_000.0, at.flat), at.heights)
    none = index.inside(away, active)
    assert index.crossed(away, there, index.inside(there, active), active).point.tolist() == [
        0,
        3,
        5,
    ]
    assert len(none.point) == 0


def test_compiled_and_plain_kernels_agree(monkeypatch):
    index = made(6, 10)
    at = places(np.random.default_rng(7), 120)
    there = Places(at.flat + 900.0, at.heights)
    active = index.active(T0)
    whole = index.inside(at, active)
    crossed = index.crossed(at, there, index.inside(there, active), active)
    names = ("parts_holding", "pairs_by_point", "deepest_parts", "zones_crossed")
    for name in names:
        monkeypatch.setattr(volumes, name, getattr(volume_kernels, name).py_func)
    for one, other in zip(whole, index.inside(at, active), strict=True):
        np.testing.assert_array_equal(one, other)
    again = index.crossed(at, there, index.inside(there, active), active)
    for one, other in zip(crossed, again, strict=True):
        np.testing.assert_array_equal(one, other)
    assert len(whole.point) > 10
    assert len(crossed.point) > 5
