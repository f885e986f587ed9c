"""Circles, sectors and corridors as rings: the index knows polygons and nothing else.

Arcs are cut so finely that a chord leaves them by less than `SAGITTA_M`, and lie with both their
ends on the arc. Distances are geodesic (Karney, "Algorithms for geodesics", 2013, by PROJ), so a
circle of 55 km is one on the ellipsoid and not on some plane.
"""

import math
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from v2x.columns import F8
from v2x.errors import ConfigError
from v2x.geodesy import Tile
from v2x.lowalt.files import Ring, split

if TYPE_CHECKING:
    from pyproj import Geod

SAGITTA_M = 0.005
FEWEST = 64
"""Corners of the smallest circle."""
LARGEST_M = 500_000.0
STEP_M = 500.0
"""Longest edge of a corridor; leaves 4 mm at 39 degrees north."""


@cache
def _geod() -> "Geod":
    from pyproj import Geod

    return Geod(ellps="WGS84")


def pieces(radius_m: float, sweep_deg: float) -> int:
    """Pieces an arc is cut into, so that chords stay within `SAGITTA_M`."""
    step = 2.0 * math.acos(max(0.0, 1.0 - SAGITTA_M / radius_m))
    least = math.ceil(FEWEST * sweep_deg / 360.0)
    return max(2, least, math.ceil(math.radians(sweep_deg) / step))


def _arc(
    lon: float, lat: float, radius_m: float, begin: float, end: float
) -> list[tuple[float, float]]:
    """Corners from bearing `begin` on to `end`, degrees clockwise, both included."""
    bearing = np.linspace(begin, end, pieces(radius_m, end - begin) + 1)
    x, y, _ = _geod().fwd(
        np.full(len(bearing), lon), np.full(len(bearing), lat), bearing,
        np.full(len(bearing), radius_m),
    )  # fmt: skip
    return list(zip(x.tolist(), y.tolist(), strict=True))


def _radius(where: str, name: str, radius_m: float) -> None:
    if not 0.0 < radius_m <= LARGEST_M:
        raise ConfigError(
            f"{where}: {name} is {radius_m:g} m; it must be above 0 and at most "
            f"{LARGEST_M / 1000.0:.0f} km"
        )


def circle(where: str, lon: float, lat: float, radius_m: float) -> Ring:
    """Ring of all points `radius_m` from a centre, degrees WGS-84."""
    _radius(where, "radius", radius_m)
    corners = _arc(lon, lat, radius_m, 0.0, 360.0)
    return (*corners[:-1], corners[0])


def sector(
    where: str, lon: float, lat: float, radius_m: float, from_deg: float, to_deg: float,
    inner_m: float = 0.0,
) -> Ring:  # fmt: skip
    """Ring of the sector from one bearing clockwise to the other, with an inner radius or none.

    Bearings in degrees from true north at the centre.
    """
    _radius(where, "radius", radius_m)
    sweep = (to_deg - from_deg) % 360.0
    if not sweep:
        raise ConfigError(f"{where}: a sector from {from_deg:g} to {to_deg:g} deg has no width")
    corners = _arc(lon, lat, radius_m, from_deg, from_deg + sweep)
    if inner_m:
        _radius(where, "inner radius", inner_m)
        if inner_m >= radius_m:
            raise ConfigError(f"{where}: inner radius {inner_m:g} m is not below {radius_m:g} m")
        corners += _arc(lon, lat, inner_m, from_deg, from_deg + sweep)[::-1]
    else:
        corners.append((lon, lat))
    return (*corners, corners[0])


def corridor(where: str, line: Ring, half_width_m: float) -> Ring:
    """Ring of all points within `half_width_m` of a line of (lon, lat): round ends and bends.

    Made in the plane of the line's middle, which is true to 1e-5 of the width within 50 km.
    """
    import shapely

    _radius(where, "half width", half_width_m)
    if len(line) < 2:
        raise ConfigError(f"{where}: a corridor needs two positions or more")
    lon, lat = np.array(line, np.float64).T
    tile = Tile(float(lat.mean()), float(lon.mean()), 0.0)
    path = tile.to_enu(lat, lon, np.zeros(len(lat)))[:, :2]
    quarter = max(FEWEST // 4, math.ceil(pieces(half_width_m, 360.0) / 4))
    shape = shapely.LineString(path).buffer(half_width_m, quad_segs=quarter)
    if shape.interiors:
        raise ConfigError(
            f"{where}: the corridor closes on itself; draw it as a polygon with a hole"
        )
    # Straight here is not straight in degrees: long edges go over in pieces.
    edge: F8 = split(shapely.get_coordinates(shape.exterior), STEP_M)
    lat, lon, _ = tile.to_geodetic(np.column_stack((edge, np.full(len(edge), np.nan))))
    ring = list(zip(lon.tolist(), lat.tolist(), strict=True))
    return (*ring[:-1], ring[0])
