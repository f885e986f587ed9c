"""Where a sensor cannot see."""

import numpy as np
import pytest
import shapely

from v2x.errors import ConfigError
from v2x.fusion import Tracker
from v2x.geodesy import Tile
from v2x.plots import Plots
from v2x.sensors import Sensor

SQUARE = ((-500.0, -500.0), (500.0, -500.0), (500.0, 500.0), (-500.0, 500.0))


def sees(sensor, bearing_deg, metres):
    """Even-odd rule over the coverage, as the kernels have it."""
    e = sensor.east_m + metres * np.sin(np.radians(bearing_deg))
    n = sensor.north_m + metres * np.cos(np.radians(bearing_deg))
    inside = False
    for (ax, ay), (bx, by) in zip(
        sensor.coverage, sensor.coverage[1:] + sensor.coverage[:1], strict=True
    ):
        if (ay > n) != (by > n) and e < ax + (n - ay) / (by - ay) * (bx - ax):
            inside = not inside
    return inside


@pytest.mark.parametrize("sectors", [((30.0, 60.0),), ((350.0, 20.0), (170.0, 200.0)), ((0, 270),)])
@pytest.mark.parametrize("place", [(0.0, 0.0), (-120.0, 300.0)])
def test_a_blind_sector_is_blind_and_the_rest_is_not(sectors, place):
    sensor = Sensor("s", coverage=SQUARE, blind=sectors, east_m=place[0], north_m=place[1])
    square = shapely.Polygon(SQUARE)
    for bearing in np.arange(0.5, 360.0, 1.0):
        dark = any((bearing - a) % 360.0 < (b - a) % 360.0 for a, b in sectors)
        for metres in (20.0, 150.0, 600.0):
            spot = shapely.Point(
                place[0] + metres * np.sin(np.radians(bearing)),
                place[1] + metres * np.cos(np.radians(bearing)),
            )
            assert sees(sensor, bearing, metres) == (square.contains(spot) and not dark)


def test_a_sensor_made_again_of_itself_sees_the_same():
    sensor = Sensor("s", coverage=SQUARE, blind=((350.0, 20.0), (170.0, 200.0)))
    again = Sensor("s", coverage=sensor.coverage, blind=sensor.blind)
    for bearing in np.arange(0.5, 360.0, 2.0):
        assert sees(again, bearing, 300.0) == sees(sensor, bearing, 300.0)


def test_a_configured_sensor_is_blind_where_it_stands():
    lonlat = ((117.34, 39.11), (117.36, 39.11), (117.36, 39.13), (117.34, 39.13))
    sensor = Sensor("s", lat=39.12, lon=117.35, coverage_lonlat=lonlat, blind=((80.0, 100.0),))
    made = sensor.placed(Tile(39.1244, 117.3460, 0.0))
    assert not sees(made, 90.0, 400.0)
    assert sees(made, 270.0, 400.0)
    assert sees(made, 75.0, 400.0)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"blind": ((0.0, 90.0),)}, "blind sectors need a coverage polygon"),
        ({"coverage": SQUARE, "blind": ((10.0, 10.0),)}, "blind sector from 10 to 10 deg"),
        ({"coverage": SQUARE, "blind": ((0.0, 359.0), (358.0, 1.0))}, "leave no coverage"),
        (
            {"coverage": SQUARE, "blind": ((88.0, 92.0),), "east_m": -900.0},
            "parts that do not meet at it",
        ),
    ],
)
def test_sectors_that_make_no_coverage_are_refused(given, words):
    with pytest.raises(ConfigError, match=words):
        Sensor("s", **given)


@pytest.mark.parametrize(("sectors", "lives"), [((), False), (((60.0, 120.0),), True)])
def test_a_track_behind_a_mast_is_not_punished_for_looks_that_cannot_see_it(sectors, lives):
    tracker = Tracker(
        [Sensor("radar", clutter_density=1e-8, coverage=SQUARE, period_s=0.1, blind=sectors)]
    )
    cov = np.diag([1.0, 1.0, 1.0])[None]
    for k in range(116):
        t_ns = (k + 1) * 100_000_000
        xyz = np.array([[200.0, 250.0 - 2.0 * k, 0.0]])
        seen = xyz[0, 1] > 115.0
        plots = Plots.positions(t_ns, 0, xyz if seen else xyz[:0], cov if seen else cov[:0])
        tracks = tracker.step(plots, t_ns)
        if xyz[0, 1] == 130.0:
            assert len(tracks) == 1
    assert (len(tracks) == 1) == lives
