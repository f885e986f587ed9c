"""The local frame, heights and GCJ-02, against PROJ and against plain Python."""

import math

import numpy as np
import pyproj
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import naive_geometry as naive
from v2x import geodesy
from v2x.errors import ConfigError
from v2x.geodesy import Grid, Tile

ARP = Tile(39.124, 117.346, 2.0)
HOSTILE = [math.nan, math.inf, -math.inf, 1e300, -1e300, 90.0001, -91.0]

# Public centre points of twenty cities, degrees WGS-84.
CITIES = [
    (39.9042, 116.4074), (31.2304, 121.4737), (23.1291, 113.2644), (22.5431, 114.0579),
    (39.0842, 117.2009), (29.5630, 106.5516), (30.5728, 104.0668), (34.3416, 108.9398),
    (30.5928, 114.3055), (32.0603, 118.7969), (36.0611, 103.8343), (43.8256, 87.6168),
    (29.6500, 91.1000), (45.8038, 126.5350), (25.0389, 102.7183), (20.0440, 110.1999),
    (38.4872, 106.2309), (41.8057, 123.4315), (26.0745, 119.2965), (40.8426, 111.7490),
]  # fmt: skip
# WGS-84 lat, lon, GCJ-02 lat, lon, to 1e-7 deg.
GCJ_POINTS = np.array([
    [39.1240000, 117.3460000, 39.1251186, 117.3524751],
    [39.1414757, 117.3626099, 39.1426321, 117.3691273],
    [39.1113739, 117.3541565, 39.1124989, 117.3606506],
    [38.9500000, 117.2000000, 38.9509251, 117.2062823],
    [39.3000000, 117.6000000, 39.3009118, 117.6061298],
    [38.9900000, 117.7400000, 38.9909156, 117.7462988],
])  # fmt: skip


def proj_enu(tile, lat, lon, height):
    pipeline = pyproj.Transformer.from_pipeline(
        "+proj=pipeline +step +proj=unitconvert +xy_in=deg +xy_out=rad +step +proj=cart "
        f"+ellps=WGS84 +step +proj=topocentric +ellps=WGS84 +lon_0={tile.lon0!r} "
        f"+lat_0={tile.lat0!r} +h_0={tile.h0!r}"
    )
    return np.column_stack(pipeline.transform(lon, lat, height))


def around(tile, n, reach_m, seed):
    """Random positions within `reach_m` of the tile's origin, heights -500 .. 20,000 m."""
    rng = np.random.default_rng(seed)
    r, way = reach_m * np.sqrt(rng.uniform(0, 1, n)), rng.uniform(0, 360, n)
    origin = np.full((2, n), [[tile.lon0], [tile.lat0]])
    lon, lat, _ = pyproj.Geod(ellps="WGS84").fwd(*origin, way, r)
    return np.asarray(lat), np.asarray(lon), rng.uniform(-500, 20_000, n)


def anywhere(n, seed):
    rng = np.random.default_rng(seed)
    lat = np.degrees(np.arcsin(rng.uniform(-1, 1, n)))
    return lat, rng.uniform(-180, 180, n), rng.uniform(-10_000, 3e7, n)


def metres_apart(lat, lon, other_lat, other_lon):
    east = (np.asarray(lon) - other_lon + 180.0) % 360.0 - 180.0
    east = east * np.cos(np.radians(other_lat))
    return np.hypot(np.asarray(lat) - other_lat, east) * 111_320.0


def test_enu_equals_proj_within_sixty_kilometres():
    lat, lon, height = around(ARP, 20_000, 60_000.0, 1)
    enu = ARP.to_enu(lat, lon, height)
    assert np.abs(enu - proj_enu(ARP, lat, lon, height)).max() < 2e-8


@pytest.mark.parametrize(
    "tile", [ARP, Tile(0.0, 180.0), Tile(-33.9, -179.99, 50.0), Tile(90.0, 0.0), Tile(-89.9, 10.0)]
)
def test_enu_equals_proj_anywhere_on_earth(tile):
    lat, lon, height = anywhere(2_000, 2)
    close = np.arange(0, 2_000, 2)  # half of the rows near the tile, both ways through the kernel
    lat[close] = np.clip(tile.lat0 + lat[close] / 60.0, -90.0, 90.0)
    lon[close] = (tile.lon0 + lon[close] / 60.0 + 180.0) % 360.0 - 180.0
    enu = tile.to_enu(lat, lon, height)
    assert np.abs(enu - proj_enu(tile, lat, lon, height)).max() < 2e-7
    back = tile.to_geodetic(enu)
    assert metres_apart(back[0], back[1], lat, lon).max() < 1e-6
    assert np.abs(back[2] - height).max() < 1e-6
    assert np.abs(back[1]).max() <= 180.0


def test_geodetic_returns_from_enu_within_sixty_kilometres():
    lat, lon, height = around(ARP, 20_000, 60_000.0, 3)
    back = ARP.to_geodetic(proj_enu(ARP, lat, lon, height))
    assert metres_apart(back[0], back[1], lat, lon).max() < 2e-8
    assert np.abs(back[2] - height).max() < 2e-8


@settings(max_examples=60, deadline=None)
@given(
    st.floats(-89, 89), st.floats(-180, 180), st.floats(-500, 9_000),
    st.floats(-2.7, 2.7), st.floats(-2.7, 2.7), st.floats(-500, 20_000),
)  # fmt: skip
def test_round_trip_stays_within_a_micrometre_and_equals_plain_python(
    lat0, lon0, h0, dlat, dlon, h
):
    tile = Tile(lat0, lon0, h0)
    lat, lon = min(max(lat0 + dlat, -90.0), 90.0), lon0 + dlon
    enu = tile.to_enu(lat, lon, h)
    np.testing.assert_allclose(enu[0], naive.enu(lat, lon, h, lat0, lon0, h0), rtol=0, atol=5e-8)
    back = tile.to_geodetic(enu)
    assert metres_apart(back[0][0], back[1][0], lat, lon) < 1e-6
    assert abs(back[2][0] - h) < 1e-6
    plain = naive.geodetic(*enu[0], lat0, lon0, h0)
    assert metres_apart(back[0][0], back[1][0], plain[0], plain[1]) < 1e-6


def test_the_origin_is_zero_and_the_axes_point_east_north_up():
    enu = ARP.to_enu([39.124, 39.124, 39.125, 39.124], [117.346, 117.347, 117.346, 117.346],
                     [2.0, 2.0, 2.0, 12.0])  # fmt: skip
    assert np.abs(enu[0]).max() < 2e-9
    assert enu[1, 0] == pytest.approx(86.47, abs=0.1)
    assert enu[2, 1] == pytest.approx(111.0, abs=0.1)
    assert enu[3, 2] == pytest.approx(10.0, abs=1e-8)


def test_cutting_a_batch_changes_no_bit():
    near, far = around(ARP, 500, 60_000.0, 4), anywhere(500, 5)
    lat, lon, height = (np.concatenate(v) for v in zip(near, far, strict=True))
    order = np.random.default_rng(6).permutation(1_000)
    lat, lon, height = lat[order], lon[order], height[order]
    lat[::97], height[::53] = np.nan, np.nan
    enu = ARP.to_enu(lat, lon, height)
    back = np.column_stack(ARP.to_geodetic(enu))
    for size in (1, 3, 7, 64):
        cuts = [slice(k, k + size) for k in range(0, 1_000, size)]
        parts = [ARP.to_enu(lat[c], lon[c], height[c]) for c in cuts]
        assert np.concatenate(parts).tobytes() == enu.tobytes()
        parts = [np.column_stack(ARP.to_geodetic(enu[c])) for c in cuts]
        np.testing.assert_array_equal(np.concatenate(parts), back)


@pytest.mark.parametrize("reach", [0.4, 20.0])
def test_a_height_not_measured_gives_the_position_at_the_reference_height(reach):
    rng = np.random.default_rng(7)
    lat, lon = 39.124 + rng.uniform(-reach, reach, 200), 117.346 + rng.uniform(-reach, reach, 200)
    for missing in (np.nan, np.inf, -np.inf):
        enu = ARP.to_enu(lat, lon, missing, h_ref=120.0)
        np.testing.assert_array_equal(enu[:, :2], ARP.to_enu(lat, lon, 120.0)[:, :2])
        assert np.isnan(enu[:, 2]).all()
        back = ARP.to_geodetic(enu, h_ref=120.0)
        assert metres_apart(back[0], back[1], lat, lon).max() < 1e-6
        assert np.isnan(back[2]).all()
    default = ARP.to_enu(lat, lon, np.nan)
    np.testing.assert_array_equal(default[:, :2], ARP.to_enu(lat, lon, ARP.h0)[:, :2])


def test_a_position_that_is_none_gives_nan_and_leaves_its_neighbours_alone():
    good = ARP.to_enu(39.2, 117.4, 50.0)[0]
    for bad in HOSTILE:
        enu = ARP.to_enu([39.2, bad, 39.2], [117.4, 117.4, 117.4], 50.0)
        assert np.isnan(enu[1]).all()
        np.testing.assert_array_equal(enu[[0, 2]], [good, good])
    for bad in (math.nan, math.inf, -math.inf, 1e300, 361.0):
        assert np.isnan(ARP.to_enu(39.2, bad, 50.0)).all()
    for bad in (math.nan, math.inf, -math.inf):
        for axis in (0, 1):
            row = np.array([[1.0, 2.0, 3.0]] * 3)
            row[1, axis] = bad
            back = np.array(ARP.to_geodetic(row))
            assert np.isnan(back[:, 1]).all()
            assert np.isfinite(back[:, [0, 2]]).all()


def test_a_point_without_height_beside_the_earth_has_no_position():
    back = ARP.to_geodetic(np.array([[1e7, 0.0, np.nan], [0.0, 1e300, np.nan]]))
    assert np.isnan(back).all()


def test_level_flight_keeps_its_height_though_up_sinks():
    lat, lon, _ = around(ARP, 500, 60_000.0, 8)
    enu = ARP.to_enu(lat, lon, 100.0)
    height = ARP.to_geodetic(enu)[2]
    assert np.abs(height - 100.0).max() < 1e-8
    sunk = 98.0 - enu[:, 2]
    flat = np.hypot(enu[:, 0], enu[:, 1])
    np.testing.assert_allclose(sunk, flat**2 / (2 * 6.37e6), rtol=0.01, atol=0.01)
    assert sunk.max() > 270.0


def test_projected_distances_are_stretched_where_local_ones_are_not():
    lon, lat = np.array([118.04, 118.05]), np.array([39.124, 39.124])
    true = pyproj.Geod(ellps="WGS84").inv(lon[0], lat[0], lon[1], lat[1])[2]
    east, north = pyproj.Transformer.from_crs(4326, 4548, always_xy=True).transform(lon, lat)
    projected = math.hypot(east[1] - east[0], north[1] - north[0])
    enu = Tile(39.124, 118.045).to_enu(lat, lon, 0.0)
    assert (projected / true - 1.0) * 1e6 == pytest.approx(100.0, abs=5.0)
    assert math.dist(enu[0], enu[1]) == pytest.approx(true, rel=1e-8)


def test_velocities_turn_with_the_frame():
    there = Tile(39.5, 117.9, 10.0)
    step = ARP.to_enu([39.4, 39.4001], [117.7, 117.7002], [100.0, 103.0])
    moved = there.to_enu([39.4, 39.4001], [117.7, 117.7002], [100.0, 103.0])
    turned = (step[1] - step[0]) @ geodesy.enu_rotation(ARP, there).T
    np.testing.assert_allclose(turned, moved[1] - moved[0], atol=1e-8)


def test_compiled_and_plain_conversion_agree():
    lat, lon, height = (v[:50] for v in around(ARP, 50, 60_000.0, 9))
    lat[0] = -20.0
    plain, back = np.empty((50, 3)), np.empty((3, 50))
    geodesy.geodetic_to_enu.py_func(lat, lon, height, 2.0, ARP.consts, plain)
    np.testing.assert_allclose(plain, ARP.to_enu(lat, lon, height), rtol=0, atol=1e-8)
    geodesy.enu_to_geodetic.py_func(plain, 2.0, ARP.consts, *back)
    np.testing.assert_allclose(back[:2], [lat, lon], rtol=0, atol=1e-12)


def test_single_numbers_stretch_and_read_only_columns_compile_nothing_new():
    lat = np.array([39.0, 39.1, 39.2])
    first = ARP.to_enu(lat, [117.3] * 3, [50.0] * 3)
    compiled = len(geodesy.geodetic_to_enu.signatures)
    lat.flags.writeable = False
    np.testing.assert_array_equal(ARP.to_enu(lat, 117.3, 50.0), first)
    assert len(geodesy.geodetic_to_enu.signatures) == compiled
    assert ARP.to_enu([], 117.3, 50.0).shape == (0, 3)
    with pytest.raises(ValueError, match="different lengths"):
        ARP.to_enu([39.0, 39.1], [117.0, 117.1, 117.2], 0.0)


@pytest.mark.parametrize(
    "origin", [(math.nan, 0.0, 0.0), (90.1, 0.0, 0.0), (0.0, 181.0, 0.0), (0.0, 0.0, math.inf)]
)
def test_a_tile_without_a_place_is_refused(origin):
    with pytest.raises(ConfigError, match="tile origin"):
        Tile(*origin)


def test_undulation_equals_the_check_points_to_a_millimetre():
    lat, lon = [39.1244, 39.00, 38.99, 38.60], [117.3460, 117.30, 117.74, 116.60]
    # The nodes are given to 1 mm, the check points rounded to it.
    np.testing.assert_allclose(
        geodesy.undulation(lat, lon), [-8.191, -8.248, -6.247, -10.506], atol=1e-3, rtol=0
    )


def test_undulation_is_known_on_every_node_and_unknown_outside_the_table():
    grid = geodesy.egm96()
    assert grid.values.shape == (6, 8)
    lat, lon = np.meshgrid(38.5 + 0.25 * np.arange(6), 116.5 + 0.25 * np.arange(8), indexing="ij")
    np.testing.assert_allclose(
        geodesy.undulation(lat.ravel(), lon.ravel()), grid.values.ravel(), atol=1e-12
    )
    assert grid.values[0, 0] == -10.86
    assert grid.values[5, 7] == -3.882
    outside = [(38.49, 117.0), (39.76, 117.0), (39.0, 116.49), (39.0, 118.26)]
    outside += [(bad, 117.0) for bad in HOSTILE] + [(39.0, bad) for bad in HOSTILE]
    assert np.isnan(geodesy.undulation(*np.array(outside).T)).all()


def test_a_grid_with_a_missing_node_is_refused():
    text = "lat,lon,m\n0,0,1\n0,1,2\n1,0,3\n1,1,4\n"
    assert Grid.from_csv(text).at(0.25, 0.5)[0] == 2.0
    for broken in (text[:-6], text.replace("1,1,4", "1,1,x"), text.replace("1,1", "2,1"), "h\n"):
        with pytest.raises(ConfigError, match=r"ground\.csv"):
            Grid.from_csv(broken, "ground.csv")


def test_the_runway_lies_below_the_ellipsoid():
    n = geodesy.undulation(39.1244, 117.3460)
    hae = geodesy.hae_from_amsl(np.array([2.44, 3.66]), n)
    np.testing.assert_allclose(hae, [-5.75, -4.53], atol=0.01)
    np.testing.assert_allclose(geodesy.amsl_from_hae(hae, n), [2.44, 3.66])
    np.testing.assert_allclose(geodesy.agl_from_hae(hae + 120.0, n, np.array([2.44, 3.66])), 120.0)
    np.testing.assert_allclose(geodesy.hae_from_agl(np.array([120.0]), n, np.array([3.0])), 114.81,
                               atol=0.01)  # fmt: skip
    assert geodesy.hae_from_takeoff(np.array([100.0]), np.array([-5.0]))[0] == 95.0
    assert np.isnan(geodesy.amsl_from_hae(np.array([np.nan]), n)).all()


def test_gcj02_equals_the_test_points_and_comes_back():
    lat, lon = geodesy.gcj02_from_wgs84(GCJ_POINTS[:, 0], GCJ_POINTS[:, 1])
    np.testing.assert_allclose(lat, GCJ_POINTS[:, 2], rtol=0, atol=1e-7)
    np.testing.assert_allclose(lon, GCJ_POINTS[:, 3], rtol=0, atol=1e-7)
    back = geodesy.wgs84_from_gcj02(lat, lon)
    np.testing.assert_allclose(back, GCJ_POINTS[:, :2].T, rtol=0, atol=1e-9)


def test_gcj02_goes_both_ways_at_twenty_cities_and_equals_plain_python():
    lat, lon = np.array(CITIES).T
    there = np.array(geodesy.gcj02_from_wgs84(lat, lon))
    np.testing.assert_allclose(there.T, [naive.gcj02(*c) for c in CITIES], rtol=0, atol=1e-12)
    moved = metres_apart(there[0], there[1], lat, lon)
    assert ((moved > 50.0) & (moved < 900.0)).all()
    np.testing.assert_allclose(geodesy.wgs84_from_gcj02(*there), [lat, lon], rtol=0, atol=1e-12)


def test_gcj02_leaves_places_outside_the_box_alone():
    lat, lon = np.array([[47.37, 8.54], [-33.9, 151.2], [56.0, 100.0], [39.0, 138.0]]).T
    for convert in (geodesy.gcj02_from_wgs84, geodesy.wgs84_from_gcj02):
        np.testing.assert_array_equal(convert(lat, lon), [lat, lon])
        for bad in (math.nan, math.inf, -math.inf):
            assert np.isnan(convert(39.0, bad)).all()
            assert np.isnan(convert(bad, 117.0)).all()
