import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import shapely
import typer

from tests.lowalt.scenes import SECOND, T0, TILE, box, dense, feature, lonlat, written, zone
from v2x.errors import ConfigError
from v2x.geodesy import gcj02_from_wgs84, undulation, wgs84_from_gcj02
from v2x.lowalt.files import parse_time
from v2x.lowalt.heights import in_all_references
from v2x.lowalt.terrain import Ground
from v2x.lowalt.volumes import Pairs, ZoneIndex
from v2x.lowalt.zone_files import load_zones
from v2x.lowalt.zones import Limit, Zones
from v2x.picture import ZoneKind

SQUARE = box(0, 0, 1000, 1000)


def index(*zones, tile=TILE):
    return ZoneIndex(Zones.of(zones), tile)


def place(east, north):
    """Latitude and longitude of a place on the tile's height."""
    lon, lat = lonlat([(east, north)])[0]
    return lat, lon


def at(zones, east, north, height=100.0, reference="agl", t_ns=T0):
    """Ids of the zones that hold a point."""
    pairs = zones.at(*place(east, north), height, reference, t_ns)
    return [zones.ids[row] for row in pairs.zone]


def moved(zones, a, b, t_ns=T0) -> Pairs:
    """Zones crossed from a to b, each (east, north, agl)."""
    ends = []
    for east, north, agl in (a, b):
        lat, lon = (np.array([v]) for v in place(east, north))
        levels = in_all_references(lat, lon, np.array([agl]), "agl", Ground())
        ends.append(zones.places(lat, lon, *levels.T))
    active = zones.active(t_ns)
    return zones.crossed(*ends, zones.inside(ends[1], active), active)


# --- floors and ceilings


@pytest.mark.parametrize("reference", ["hae", "amsl", "agl"])
@pytest.mark.parametrize(
    ("floor", "ceiling", "inside"),
    [
        (0.0, None, [False, False, True, True, True]),
        (-5.0, None, [False, True, True, True, True]),
        (None, None, [True, True, True, True, True]),
        (None, 0.0, [True, True, True, False, False]),
        (None, 5.0, [True, True, True, True, False]),
        (0.0, 0.0, [False, False, True, False, False]),
    ],
)
def test_limit_of_zero_or_below_is_a_limit_and_none_is_not(reference, floor, ceiling, inside):
    refs = [None if limit is None else reference for limit in (floor, ceiling)]
    one = zone(
        "A", [SQUARE], floor_m=floor, floor_ref=refs[0], ceiling_m=ceiling, ceiling_ref=refs[1]
    )
    zones = index(one)
    found = [bool(at(zones, 500, 500, h, reference)) for h in (-6.0, -1.0, 0.0, 1.0, 6.0)]
    assert found == inside


def test_null_and_zero_stay_apart_through_the_file(tmp_path):
    path = written(
        tmp_path / "z.json",
        feature(id="none", ceiling_m=None),
        feature(id="zero", ceiling_m=0, floor_m=0.0, floor_ref="hae"),
    )
    none, zero = load_zones(path)
    assert (none.parts[0].floor, none.parts[0].ceiling) == (None, None)
    assert (zero.parts[0].floor.m, zero.parts[0].ceiling.m) == (0.0, 0.0)


def test_same_place_is_judged_at_five_heights_not_on_the_map_alone():
    band = zone("A", [SQUARE], floor_m=50.0, floor_ref="agl", ceiling_m=120.0, ceiling_ref="agl")
    zones = index(band)
    found = [bool(at(zones, 500, 500, h)) for h in (49.9, 50.0, 85.0, 120.0, 120.1)]
    assert found == [False, True, True, True, False]


def test_lateral_and_vertical_must_hold_in_one_volume():
    low = zone("A", [box(0, 0, 400, 400)], ceiling_m=100.0, ceiling_ref="agl")
    high = zone("B", [box(500, 0, 900, 400)], floor_m=200.0, floor_ref="agl")
    zones = index(low, high)
    assert at(zones, 200, 200, 250.0) == []
    assert at(zones, 700, 200, 50.0) == []
    assert at(zones, 200, 200, 50.0) == ["A"]
    assert at(zones, 700, 200, 250.0) == ["B"]


def test_random_points_agree_with_naive_prisms():
    rng = np.random.default_rng(7)
    zones, prisms = [], []
    for k in range(30):
        west, south = rng.uniform(-4000, 3000, 2)
        east, north = west + rng.uniform(50, 2000), south + rng.uniform(50, 2000)
        floor, ceiling = sorted(rng.uniform(0, 300, 2))
        given = {"floor_m": floor, "floor_ref": "hae", "ceiling_m": ceiling, "ceiling_ref": "hae"}
        zones.append(zone(f"{k:02d}", [box(west, south, east, north)], **given))
        prisms.append((west, south, east, north, floor, ceiling))
    points = rng.uniform(-4000, 5000, (4000, 2))
    height = rng.uniform(-10, 310, 4000)
    ring = np.array(lonlat(points))[:-1]
    lon, lat = ring.T
    levels = in_all_references(lat, lon, height, "hae", Ground())
    made = index(*zones)
    pairs = made.inside(made.places(lat, lon, *levels.T), made.active(T0))
    west, south, east, north, floor, ceiling = np.array(prisms).T
    e, n, h = points[:, :1], points[:, 1:], height[:, None]
    naive = (west < e) & (e < east) & (south < n) & (n < north) & (floor <= h) & (h <= ceiling)
    # Sides straight in degrees leave those straight in metres by up to 6 cm.
    sides = [abs(e - west), abs(e - east), abs(n - south), abs(n - north)]
    near = np.minimum.reduce(sides) < 0.1
    ours = np.zeros_like(naive)
    ours[pairs.point, pairs.zone] = True
    assert naive.sum() > 500
    assert np.array_equal(ours[~near], naive[~near])


def test_limit_is_compared_in_the_reference_it_was_written_in_at_the_place_of_the_point():
    wide = [box(-9000, -9000, 9000, 9000)]
    zones = index(
        zone("agl", wide, ceiling_m=120.0, ceiling_ref="agl"),
        zone("amsl", wide, ceiling_m=123.0, ceiling_ref="amsl"),
        zone("hae", wide, ceiling_m=115.0, ceiling_ref="hae"),
    )
    for east in (-8000, 8000):
        lat, lon = place(east, 0)
        n = undulation(lat, lon)[0]
        assert at(zones, east, 0, 120.0, "agl") == [
            z for z, ok in (("agl", True), ("amsl", True), ("hae", 120.0 + n + 3.0 <= 115.0)) if ok
        ]
        assert "amsl" in at(zones, east, 0, 123.0, "amsl")
        assert "amsl" not in at(zones, east, 0, 123.001, "amsl")
        assert "hae" in at(zones, east, 0, 115.0, "hae")
    # N changes by more than 0.5 m between the two places: one conversion for both would be wrong.
    n = [undulation(*place(east, 0))[0] for east in (-8000, 8000)]
    assert n[1] - n[0] > 0.5


@pytest.mark.parametrize(("reference", "height"), [("hae", 52.0), ("amsl", 60.0), ("agl", 57.0)])
def test_one_place_given_in_three_references_gets_the_same_verdicts(reference, height):
    lat, lon = place(500, 500)
    n = float(undulation(lat, lon)[0])
    height = {"hae": 57.0 + 3.0 + n, "amsl": 60.0, "agl": 57.0}[reference]
    zones = index(
        zone("in", [SQUARE], ceiling_m=57.1, ceiling_ref="agl"),
        zone("out", [SQUARE], ceiling_m=56.9, ceiling_ref="agl"),
        zone("sea", [SQUARE], floor_m=59.9, floor_ref="amsl"),
        zone("ell", [SQUARE], floor_m=60.1 + n, floor_ref="hae"),
    )
    assert at(zones, 500, 500, height, reference) == ["in", "sea"]


def test_floor_and_ceiling_of_one_zone_may_have_different_references():
    zones = index(
        zone("A", [SQUARE], floor_m=0.0, floor_ref="hae", ceiling_m=120.0, ceiling_ref="agl")
    )
    n = float(undulation(*place(500, 500))[0])
    lowest = -(n + 3.0)  # AGL of 0 m HAE: 5.2 m
    found = [bool(at(zones, 500, 500, h)) for h in (lowest - 0.01, lowest + 0.01, 120.0, 120.01)]
    assert found == [False, True, True, False]


def test_unknown_height_tests_the_footprint_only_and_says_so():
    limited = zone("A", [SQUARE], ceiling_m=100.0, ceiling_ref="agl")
    free = zone("B", [SQUARE])
    pairs = index(limited, free).at(*place(500, 500), np.nan, "agl", T0)
    assert pairs.zone.tolist() == [0, 1]
    assert pairs.height_unknown.tolist() == [1, 0]  # without limits no height is needed


def test_height_without_a_datum_is_unknown_to_zones_in_other_references_only():
    from v2x.geodesy import Tile

    tile = Tile(30.0, 100.0)  # outside the geoid table
    ring = [[100.0, 30.0], [100.01, 30.0], [100.01, 30.01], [100.0, 30.01], [100.0, 30.0]]
    zones = index(
        zone("agl", [ring], ceiling_m=100.0, ceiling_ref="agl"),
        zone("hae", [ring], ceiling_m=100.0, ceiling_ref="hae"),
        tile=tile,
    )
    pairs = zones.at(30.005, 100.005, 50.0, "hae", T0)
    assert pairs.height_unknown.tolist() == [1, 0]
    assert [zones.ids[z] for z in zones.at(30.005, 100.005, 150.0, "hae", T0).zone] == ["agl"]


def test_depth_is_the_distance_to_the_nearest_side_above_or_beside():
    zones = index(zone("A", [SQUARE], ceiling_m=100.0, ceiling_ref="agl"))
    assert zones.at(*place(500, 40), 50.0, "agl", T0).depth[0] == pytest.approx(40.0, abs=0.02)
    assert zones.at(*place(500, 500), 93.0, "agl", T0).depth[0] == pytest.approx(7.0, abs=1e-6)
    assert zones.at(*place(500, 500), np.nan, "agl", T0).depth[0] == pytest.approx(500.0, abs=0.02)


def test_depth_in_parts_that_overlap_is_that_of_the_deepest():
    zones = index(zone("A", [SQUARE], [box(800, 800, 2000, 2000)]))
    for east, depth in ((850, 150.0), (975, 175.0)):
        found = zones.at(*place(east, east), 50.0, "agl", T0).depth
        assert found.tolist() == [pytest.approx(max(1000 - east, east - 800), abs=0.05)]
        assert found[0] == pytest.approx(depth, abs=0.05)


@pytest.mark.parametrize("reference", ["hae", "amsl", "agl"])
def test_height_exactly_on_a_limit_is_inside_wherever_the_point_is(reference):
    limits = {"floor_m": 119.7, "floor_ref": reference}
    zones = index(zone("A", [SQUARE], ceiling_m=119.7, ceiling_ref=reference, **limits))
    assert all(at(zones, k, 500, 119.7, reference) for k in range(10, 1000, 10))


# --- footprints


def test_hole_is_outside_and_its_edge_is_inside():
    hole = box(300, 300, 600, 600)
    zones = index(zone("A", [SQUARE, hole]))
    assert at(zones, 450, 450) == []
    assert at(zones, 200, 450) == ["A"]
    lon, lat = hole[0]
    assert len(zones.at(lat, lon, 50.0, "agl", T0).zone) == 1


def test_island_in_a_hole_is_inside():
    island = [box(400, 400, 500, 500)]
    zones = index(zone("A", [SQUARE, box(300, 300, 600, 600)], island))
    assert at(zones, 450, 450) == ["A"]
    assert at(zones, 350, 350) == []


def test_every_part_of_a_multipolygon_counts_and_overlap_does_not_cancel():
    zones = index(zone("A", [SQUARE], [box(800, 800, 2000, 2000)]))
    assert at(zones, 100, 100) == ["A"]
    assert at(zones, 1900, 1900) == ["A"]
    assert at(zones, 900, 900) == ["A"]
    assert at(zones, 1500, 500) == []


def test_direction_of_rings_does_not_matter():
    hole = box(300, 300, 600, 600)
    for outer in (SQUARE, SQUARE[::-1]):
        for inner in (hole, hole[::-1]):
            zones = index(zone("A", [outer, inner]))
            assert (at(zones, 450, 450), at(zones, 100, 100)) == ([], ["A"])


def test_corner_and_edge_of_a_zone_are_inside():
    ring = [[117.35, 39.12], [117.36, 39.12], [117.36, 39.13], [117.35, 39.13], [117.35, 39.12]]
    zones = index(zone("A", [ring]))
    for lon, lat in ring:
        assert len(zones.at(lat, lon, 50.0, "agl", T0).zone) == 1
    a, b = dense(ring)[:2]  # the corners that the index itself puts into an edge
    assert len(zones.at(a[1], a[0], 50.0, "agl", T0).zone) == 1
    assert len(b) == 2


def test_footprints_equal_shapely_off_the_boundary():
    rng = np.random.default_rng(3)
    zones, shapes = [], []
    for k in range(12):
        angle = np.sort(rng.uniform(0, 2 * np.pi, 17))
        radius = rng.uniform(300, 2500, 17)
        centre = rng.uniform(-3000, 3000, 2)
        ring = lonlat(
            zip(centre[0] + radius * np.cos(angle), centre[1] + radius * np.sin(angle), strict=True)
        )
        hole = lonlat(
            zip(
                centre[0] + 100 * np.cos(angle[::4]),
                centre[1] + 100 * np.sin(angle[::4]),
                strict=True,
            )
        )
        shape = shapely.Polygon(ring, [hole])
        rings = [ring, hole] if shape.is_valid else [ring]
        zones.append(zone(f"{k:02d}", rings))
        shapes.append(shapely.Polygon(ring, rings[1:]))
    lon, lat = np.array(lonlat(rng.uniform(-5500, 5500, (20_000, 2))))[:-1].T
    made = index(*zones)
    levels = in_all_references(lat, lon, np.full(len(lat), 50.0), "agl", Ground())
    pairs = made.inside(made.places(lat, lon, *levels.T), made.active(T0))
    ours = np.zeros((len(lat), len(zones)), bool)
    ours[pairs.point, pairs.zone] = True
    points = shapely.points(lon, lat)
    for k, shape in enumerate(shapes):
        near = shapely.distance(shape.boundary, points) < 1e-7  # 1 cm
        differs = (ours[:, k] != shapely.contains(shape, points)) & ~near
        assert not differs.any()
    assert ours.sum() > 5000


def test_long_edge_runs_straight_in_degrees_not_in_metres():
    ring = [[117.0, 39.1], [117.7, 39.1], [117.7, 39.2], [117.0, 39.2], [117.0, 39.1]]
    zones = index(zone("A", [ring]))
    # Between its ends the parallel lies 147 m from the chord.
    step = 0.011 / 111_000.0
    assert len(zones.at(39.1 + step, 117.35, 50.0, "agl", T0).zone) == 1
    assert len(zones.at(39.1 - step, 117.35, 50.0, "agl", T0).zone) == 0


def test_high_point_is_tested_where_it_stands_above_the_ground():
    tile = replace(TILE, lat0=38.7, lon0=116.9)
    ring = [[117.35, 39.12], [117.36, 39.12], [117.36, 39.13], [117.35, 39.13], [117.35, 39.12]]
    zones = index(zone("A", [ring]), tile=tile)  # 60 km from the origin
    for height in (0.0, 500.0, 5000.0):  # 5 km of height would move it by 45 m
        assert len(zones.at(39.125, 117.3500001, height, "hae", T0).zone) == 1
        assert len(zones.at(39.125, 117.3499999, height, "hae", T0).zone) == 0


def test_two_zones_of_one_place_are_judged_apart_in_any_order():
    low = zone("A", [SQUARE], ceiling_m=50.0, ceiling_ref="agl", kind=ZoneKind.PROHIBITED)
    high = zone("B", [SQUARE], floor_m=100.0, floor_ref="agl", kind=ZoneKind.OPERATING)
    for order in ((low, high), (high, low)):
        zones = index(*order)
        assert zones.ids == ("A", "B")
        assert [at(zones, 500, 500, h) for h in (20.0, 75.0, 150.0)] == [["A"], [], ["B"]]


def test_zone_beyond_the_reach_of_a_tile_is_refused_not_folded_onto_it():
    west = [[-62.66, -39.13], [-62.65, -39.13], [-62.65, -39.12], [-62.66, -39.13]]
    with pytest.raises(ConfigError, match=r"zone far: corner .* km from the tile's origin"):
        index(zone("far", [west]))


def test_index_without_zones_answers():
    zones = index()
    assert at(zones, 0, 0) == []
    assert len(zones.rows(T0)) == 0
    assert len(moved(zones, (0, 0, 50), (10, 10, 50)).zone) == 0


# --- time


def test_window_begins_with_its_first_instant_and_ends_before_its_last():
    zones = index(zone("A", [SQUARE], valid_from_ns=T0, valid_to_ns=T0 + SECOND))
    times = (T0 - 1, T0, T0 + SECOND - 1, T0 + SECOND)
    assert [bool(at(zones, 500, 500, t_ns=t)) for t in times] == [False, True, True, False]
    assert [int(zones.rows(t).active[0]) for t in times] == [0, 1, 1, 0]


def test_zone_for_ever_written_as_year_9999_is_in_force():
    zones = index(zone("A", [SQUARE], valid_to_ns=parse_time("9999-12-31T23:59:59Z")))
    assert at(zones, 500, 500) == ["A"]


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("2026-05-01T00:00:00Z", T0),
        ("2026-05-01T08:00:00+08:00", T0),
        ("2026-05-01T08:00+0800", T0),
        ("2026-04-30 19:00:00-05:00", T0),
        ("2026-05-01T00:00:00.5Z", T0 + SECOND // 2),
        ("2026-05-01T00:00:00.000000001Z", T0 + 1),
        ("1970-01-01T00:00:00Z", 0),
        ("1969-12-31T23:59:59Z", -SECOND),
        ("2024-02-29T00:00:00Z", 1_709_164_800 * SECOND),
    ],
)
def test_times_are_read_to_the_nanosecond(text, ns):
    assert parse_time(text) == ns


@pytest.mark.parametrize(
    "text",
    [
        "2026-05-01T08:00:00",
        "2026-05-01",
        "2026-02-30T00:00:00Z",
        "2026-05-01T24:00:00Z",
        "2026-05-01T08:61:00Z",
        "tomorrow",
        "",
        "2026-05-01T08:00:00+99:00",
    ],
)
def test_time_without_zone_or_that_never_was_is_refused(text):
    with pytest.raises(ValueError, match=r"time|day"):
        parse_time(text)


# --- moves


def test_zone_crossed_between_two_fixes_is_crossed_though_no_fix_is_inside():
    zones = index(zone("A", [box(0, -10, 20, 10)]))
    pairs = moved(zones, (-15, 0, 50), (35, 0, 50))
    assert pairs.zone.tolist() == [0]
    assert pairs.height_unknown.tolist() == [0]


def test_move_that_begins_or_ends_inside_is_no_crossing():
    zones = index(zone("A", [box(0, -10, 20, 10)]))
    assert not len(moved(zones, (-15, 0, 50), (10, 0, 50)).zone)
    assert not len(moved(zones, (10, 0, 50), (35, 0, 50)).zone)
    assert not len(moved(zones, (5, 0, 50), (10, 0, 50)).zone)


def test_move_beside_or_above_or_out_of_time_is_no_crossing():
    zones = index(
        zone("A", [box(0, -10, 20, 10)], ceiling_m=100.0, ceiling_ref="agl", valid_to_ns=T0)
    )
    early = T0 - 1
    assert len(moved(zones, (-15, 0, 50), (35, 0, 50), early).zone)
    assert not len(moved(zones, (-15, 11, 50), (35, 11, 50), early).zone)
    assert not len(moved(zones, (-15, 0, 101), (35, 0, 101), early).zone)
    assert not len(moved(zones, (-15, 0, 50), (35, 0, 50), T0).zone)


def test_slanted_move_crosses_only_where_its_part_within_the_band_meets_the_footprint():
    zones = index(zone("A", [box(0, -10, 20, 10)], ceiling_m=100.0, ceiling_ref="agl"))
    # Falls below 100 m at 10 m east: half of the footprint is still ahead.
    assert len(moved(zones, (-20, 0, 130), (40, 0, 70)).zone) == 1
    # Falls below it at 25 m east: the zone lies behind.
    assert len(moved(zones, (-20, 0, 145), (40, 0, 85)).zone) == 0


def test_climbing_move_crosses_only_before_it_leaves_the_band():
    zones = index(zone("A", [box(0, -10, 20, 10)], ceiling_m=100.0, ceiling_ref="agl"))
    assert len(moved(zones, (-20, 0, 70), (40, 0, 130)).zone) == 1  # above it from 10 m east
    assert len(moved(zones, (-20, 0, 85), (40, 0, 145)).zone) == 0  # from 5 m west


def test_move_down_through_a_flat_band_above_one_place_is_a_crossing():
    zones = index(
        zone("A", [SQUARE], floor_m=50.0, floor_ref="agl", ceiling_m=60.0, ceiling_ref="agl")
    )
    assert len(moved(zones, (500, 500, 80), (510, 500, 30)).zone) == 1
    assert len(moved(zones, (500, 500, 80), (510, 500, 61)).zone) == 0


def test_move_of_unknown_height_over_a_footprint_is_marked():
    zones = index(zone("A", [box(0, -10, 20, 10)], ceiling_m=100.0, ceiling_ref="agl"))
    pairs = moved(zones, (-15, 0, np.nan), (35, 0, np.nan))
    assert pairs.height_unknown.tolist() == [1]


# --- files


def test_file_gives_zones_by_id_with_all_they_say(tmp_path):
    path = written(
        tmp_path / "z.json",
        feature(id="Z2", name="跑道北", kind="restricted", valid_from="2026-05-01T08:00:00+08:00"),
        feature(id="Z1", floor_m=-5, floor_ref="HAE"),
    )
    zones = load_zones(path)
    assert [z.id for z in zones] == ["Z1", "Z2"]
    assert zones[1].name == "跑道北"
    assert zones[1].kind == ZoneKind.RESTRICTED
    assert zones[1].valid_from_ns == T0
    assert zones[0].parts[0].floor == Limit(-5.0, "hae")
    assert zones.warnings == ()


def test_hash_tells_every_change_and_no_reordering(tmp_path):
    def hashed(*features):
        return load_zones(written(tmp_path / "z.json", *features)).hash

    a, b = feature(id="A"), feature(id="B")
    base = hashed(a, b)
    assert len(base) == 16
    assert hashed(b, a) == base
    changed = [
        {"ceiling_m": 301}, {"ceiling_m": None}, {"ceiling_ref": "amsl"}, {"kind": "warning"},
        {"floor_m": 0, "floor_ref": "agl"}, {"valid_to": "2026-05-01T00:00:00Z"}, {"name": "x"},
    ]  # fmt: skip
    hashes = {hashed(feature(id="A", **change), b) for change in changed}
    hashes.add(hashed(feature(box(0, 0, 1000, 1001), id="A"), b))
    assert len(hashes | {base}) == len(changed) + 2


def test_gcj02_zone_is_moved_to_its_true_place_corner_by_corner(tmp_path):
    lon, lat = np.array(SQUARE).T
    shifted_lat, shifted_lon = gcj02_from_wgs84(lat, lon)
    ring = np.column_stack((shifted_lon, shifted_lat)).tolist()
    (made,) = load_zones(written(tmp_path / "z.json", feature(ring, datum="gcj02")))
    corners = np.array(made.parts[0].polygon[0])
    for corner in np.array(SQUARE):
        assert np.abs(corners - corner).max(axis=1).min() < 1e-9
    (wrong,) = load_zones(written(tmp_path / "z.json", feature(ring, datum="cgcs2000")))
    assert at(index(made), 100, 100) == ["Z1"]
    assert at(index(wrong), 100, 100) == []  # 570 m to the east-north-east


def test_long_gcj02_edge_is_bent_as_the_shift_bends_it(tmp_path):
    ring = [[117.2, 39.0], [117.5, 39.0], [117.5, 39.2], [117.2, 39.2], [117.2, 39.0]]
    (made,) = load_zones(written(tmp_path / "z.json", feature(ring, datum="gcj02")))
    lat, lon = wgs84_from_gcj02(39.0, 117.2 + 0.001 * np.arange(1, 300))
    zones = index(made)
    step = 0.02 / 111_000.0
    levels = np.zeros((len(lat), 3)).T
    held = zones.inside(zones.places(lat + step, lon, *levels), zones.active(T0))
    assert len(held.point) == len(lat)
    held = zones.inside(zones.places(lat - step, lon, *levels), zones.active(T0))
    assert len(held.point) == 0


def test_missing_datum_and_unread_properties_are_said(tmp_path):
    one = feature(owner="CAAC", valid_form="2026-05-01T00:00:00Z")
    del one["properties"]["datum"]
    zones = load_zones(written(tmp_path / "z.json", one))
    assert "no datum" in zones.warnings[1]
    assert "not read: owner, valid_form" in zones.warnings[0]


def polygon(*rings):
    return {"type": "Polygon", "coordinates": list(rings)}


BAD = {
    "floor_ref is missing": {"floor_m": 0},
    "ceiling_ref is missing": {"ceiling_ref": None},
    "ceiling_m is missing": {"ceiling_m": ...},
    "floor_m must be metres or null": {"floor_m": "0", "floor_ref": "agl"},
    "ceiling_m must be metres": {"ceiling_m": True},
    "floor_m 301 is above ceiling_m 300": {"floor_m": 301, "floor_ref": "agl"},
    "kind 'forbidden' is none of": {"kind": "forbidden"},
    "kind must be a text, found nothing": {"kind": ...},
    "ceiling_ref 'fl' is none of": {"ceiling_ref": "fl"},
    "datum 'bd09' is none of": {"datum": "bd09"},
    "id must be a text, found 7": {"id": 7},
    "schedule 0: start None is not a time": {"schedule": [{"days": ["MON"]}]},
    "day 'MOO' is none of": {"schedule": [{"days": ["MOO"], "start": "08:00", "end": "SS"}]},
    "no such time of day": {"schedule": [{"start": "24:01", "end": "SS"}]},
    "zone 'CST' is not Z": {"schedule": [{"start": "08:00", "end": "SS", "zone": "CST"}]},
    "an empty schedule": {"schedule": []},
    "floor_slope without floor_m": {"floor_slope": {"lon": 117, "lat": 39, "gradient": 0.02}},
    "lon, lat and gradient must be": {"ceiling_slope": {"lon": 117, "lat": 39}},
    "radius_m says nothing of a Polygon": {"radius_m": 500},
    "limits and ceiling_m": {"limits": [{}]},
    "2 limits for 1 polygons": {"limits": [{}, {}], "ceiling_m": ...},
    "valid_from: '2026-05-01T00:00:00' is not a time": {"valid_from": "2026-05-01T00:00:00"},
    "valid_from is not before valid_to": {
        "valid_from": "2026-05-01T08:00:00+08:00",
        "valid_to": "2026-05-01T00:00:00Z",
    },
}


@pytest.mark.parametrize("words", BAD)
def test_unclear_property_is_refused_with_file_feature_and_cause(tmp_path, words):
    bad = feature(id="good"), feature(**BAD[words])
    properties = bad[1]["properties"]
    bad[1]["properties"] = {k: v for k, v in properties.items() if v is not ...}
    with pytest.raises(ConfigError, match=words) as e:
        load_zones(written(tmp_path / "bad.json", *bad))
    assert str(tmp_path / "bad.json") in str(e.value)
    assert "feature 1" in str(e.value)


BOW = lonlat([(0, 0), (1000, 1000), (1000, 0), (0, 1000)])
SHAPES = {
    "not closed": polygon(SQUARE[:-1]),
    "3 positions": polygon([SQUARE[0], SQUARE[1], SQUARE[0]]),
    "Self-intersection": polygon(BOW),
    "Hole lies outside": polygon(SQUARE, box(2000, 2000, 2100, 2100)),
    "nested|Nested": polygon(SQUARE, box(100, 100, 900, 900), box(300, 300, 600, 600)),
    "latitude first": polygon([[lat, lon] for lon, lat in SQUARE]),
    r"not \[lon, lat\] in degrees$": polygon([[540_000, 4_332_000]] * 4),
    r"must be \[lon, lat\]": polygon([[117.3], [117.4], [117.4], [117.3]]),
    "needs an outline": polygon(),
    "radius_m must be metres": {"type": "Point", "coordinates": [117.3, 39.1]},
    "half_width_m must be metres": {"type": "LineString", "coordinates": SQUARE[:2]},
    "geometry 'GeometryCollection'": {"type": "GeometryCollection", "geometries": []},
    "without polygons": {"type": "MultiPolygon", "coordinates": []},
    "expected an object, found nothing": None,
}


@pytest.mark.parametrize("words", SHAPES)
def test_unclear_shape_is_refused_with_file_feature_and_cause(tmp_path, words):
    bad = feature() | {"geometry": SHAPES[words]}
    with pytest.raises(ConfigError, match=words) as e:
        load_zones(written(tmp_path / "bad.json", bad))
    assert f"{tmp_path / 'bad.json'}: feature 0 (Z1)" in str(e.value)


def test_id_used_twice_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="feature 1: id 'Z1' is already that of feature 0"):
        load_zones(written(tmp_path / "z.json", feature(), feature()))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not valid JSON"),
        ("[]", "expected an object"),
        ('{"type": "Feature"}', "type is 'Feature'"),
        ('{"type": "FeatureCollection"}', "features must be a list"),
        ('{"type": "FeatureCollection", "features": [1]}', "feature 0: expected an object"),
        ('{"type": "FeatureCollection", "features": [], "crs": {}}', "crs: RFC 7946 has none"),
        ('{"type": "FeatureCollection", "features": [NaN]}', "NaN is not a number"),
        ('{"features": [{"geometry": [{}]}], "title": "x"}', "zone 0: identifier must be a text"),
        ('{"metadata": {"issued": "2025"}, "features": [{}]}', "feature 0: properties: expected"),
    ],
)
def test_file_that_is_no_zone_file_is_refused_by_name(tmp_path, text, words):
    path = tmp_path / "z.json"
    path.write_text(text, "utf-8")
    with pytest.raises(ConfigError, match=words) as e:
        load_zones(path)
    assert str(path) in str(e.value)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.json: No such file"):
        load_zones(tmp_path / "none.json")


# --- command line


def checked(capsys, path: Path, **options) -> str:
    from v2x.cli.zones import check

    check(path, **options)
    return capsys.readouterr().out


def test_check_says_area_and_limits_in_all_references(tmp_path, capsys):
    out = checked(capsys, written(tmp_path / "z.json", feature()))
    assert "Z1 Z1: prohibited, area 1.000 km², drawn in wgs84" in out
    assert "floor: none" in out
    assert "ceiling: 300.0 m above ground (294.8 m above the ellipsoid, 303.0 m above sea" in out


def test_check_judges_a_point_in_words_and_in_json(tmp_path, capsys):
    path = written(tmp_path / "z.json", feature(valid_to="2026-05-01T00:00:00Z"))
    lat, lon = place(500, 500)
    verdicts = []
    for height, time in (("299", None), ("301", None), ("299", "2026-05-01T00:00:00Z")):
        out = checked(capsys, path, at=f"{lat},{lon},{height}", ref="agl", time=time, json_=True)
        verdicts.append(json.loads(out)["zones"][0]["at"]["verdict"])
    assert verdicts == ["inside", "outside", "not in force"]
    assert "height unknown" in checked(capsys, path, at=f"{lat},{lon}")
    assert "the point is outside" in checked(capsys, path, at="-39.1,-62.7,10")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"at": "39.1"}, "expected LAT,LON,HEIGHT"),
        ({"at": "117.3,39.1,0"}, "latitude comes first"),
        ({"ref": "fl"}, "--ref 'fl'"),
        ({"time": "now"}, "--time"),
    ],
)
def test_check_refuses_an_option_it_cannot_read(tmp_path, capsys, options, words):
    with pytest.raises(typer.BadParameter, match=words):
        checked(capsys, written(tmp_path / "z.json", feature()), **options)
