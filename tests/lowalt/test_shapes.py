"""Circles, sectors and corridors, tested 1 m on either side of every edge."""

import math

import numpy as np
import pytest
import shapely
from pyproj import Geod

from tests.lowalt.scenes import TILE
from v2x.errors import ConfigError
from v2x.lowalt.shapes import circle, corridor, sector

GEOD = Geod(ellps="WGS84")
LON, LAT = 117.3460, 39.1244


def inside(ring, lon, lat):
    return bool(shapely.Polygon(ring).intersects(shapely.Point(lon, lat)))


def away(bearing, metres, lon=LON, lat=LAT):
    x, y, _ = GEOD.fwd(lon, lat, bearing, metres)
    return x, y


@pytest.mark.parametrize("radius", [30.0, 500.0, 10_000.0, 55_000.0])
def test_a_circle_holds_what_is_a_metre_nearer_and_not_what_is_a_metre_further(radius):
    ring = circle("z", LON, LAT, radius)
    assert ring[0] == ring[-1]
    for bearing in np.linspace(0.0, 360.0, 37):
        assert inside(ring, *away(bearing, radius - 1.0))
        assert not inside(ring, *away(bearing, radius + 1.0))


def test_a_sector_ends_at_its_arc_its_inner_arc_and_its_two_bearings():
    ring = sector("z", LON, LAT, 8000.0, 350.0, 40.0, 1000.0)
    for bearing in (350.5, 0.0, 20.0, 39.5):
        assert inside(ring, *away(bearing, 7999.0))
        assert not inside(ring, *away(bearing, 8001.0))
        assert inside(ring, *away(bearing, 1001.0))
        assert not inside(ring, *away(bearing, 999.0))
    for metres in (1500.0, 4000.0, 7500.0):
        aside = math.degrees(1.0 / metres)
        assert inside(ring, *away(350.0 + aside, metres))
        assert not inside(ring, *away(350.0 - aside, metres))
        assert inside(ring, *away(40.0 - aside, metres))
        assert not inside(ring, *away(40.0 + aside, metres))


def test_a_sector_without_inner_radius_begins_at_its_centre():
    ring = sector("z", LON, LAT, 2000.0, 90.0, 180.0)
    assert inside(ring, *away(135.0, 1.0))
    assert not inside(ring, *away(315.0, 1.0))


def test_a_corridor_has_its_width_on_both_sides_and_round_ends():
    a, b = away(200.0, 12_000.0), away(60.0, 15_000.0)
    ring = corridor("z", (a, (LON, LAT), b), 150.0)
    for (lon, lat), bearing in (((LON, LAT), 200.0), ((LON, LAT), 60.0)):
        for along in (1000.0, 6000.0, 11_000.0):
            x, y = away(bearing, along, lon, lat)
            for side in (-90.0, 90.0):
                assert inside(ring, *away(bearing + side, 149.0, x, y))
                assert not inside(ring, *away(bearing + side, 151.0, x, y))
    assert inside(ring, *away(60.0, 149.0, *b))
    assert not inside(ring, *away(60.0, 151.0, *b))


def test_arcs_are_cut_to_half_a_centimetre():
    lon, lat = np.array(circle("z", LON, LAT, 5000.0)).T
    edge = TILE.to_enu(lat, lon, np.zeros(len(lat)))[:, :2]
    middle = np.hypot(*((edge[1:] + edge[:-1]) / 2.0).T)
    assert 5000.0 - middle.min() < 0.006


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: circle("z", LON, LAT, 0.0), "radius is 0 m"),
        (lambda: circle("z", LON, LAT, math.nan), "radius is nan"),
        (lambda: circle("z", LON, LAT, 6e5), "at most 500 km"),
        (lambda: sector("z", LON, LAT, 100.0, 10.0, 370.0), "has no width"),
        (lambda: sector("z", LON, LAT, 100.0, 10.0, 20.0, 100.0), "is not below"),
        (lambda: corridor("z", ((LON, LAT),), 100.0), "two positions"),
        (
            lambda: corridor("z", tuple(circle("z", LON, LAT, 2000.0)), 100.0),
            "closes on itself",
        ),
    ],
)
def test_a_shape_that_makes_no_sense_is_refused(make, words):
    with pytest.raises(ConfigError, match=words):
        make()
