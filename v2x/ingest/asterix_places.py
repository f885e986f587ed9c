"""Range and azimuth of a radar to a place, with the covariance of what was measured.

Slant range, azimuth and height are three measurements of their own: a secondary radar has the
height from the transponder, a 3-D radar from its beam, most primary radars have none. The place
is where the three agree over the curved Earth, and the errors go through the full Jacobian: 5 km
away a radar is 5 m by 44 m, turned to the line of sight, and never a circle.
"""

import math
from typing import NamedTuple

import numpy as np

from v2x.columns import F8
from v2x.geodesy import E2, A, Tile, bilinear, egm96, enu_to_geodetic, undulation
from v2x.jit import uncounted
from v2x.sensors import SensorTable

(
    LAT0, LON0, SIN0, COS0, X0, Z0, HAE, YAW, SD_RANGE, SD_ANGLE, SD, SD_UP, GEOID, BEND_NORTH,
    BEND_EAST,
) = range(15)  # fmt: skip
"""Columns of the poses: the seven of `Tile.consts`, yaw rad, noise m and rad, undulation, curvature
of the ellipsoid 1/m."""

BARO_SD = 100.0
"""m: pressure altitude taken as height; 12 hPa away from the standard atmosphere. Ours."""
UNKNOWN_HEIGHT = 100.0
"""m above the radar: what a target of unknown kind and height is taken to be, give or take as much:
at range r it is h²/2r nearer on the ground than its range says."""
ZENITH = 0.05
"""Least cosine of the elevation: overhead a height says nothing about the place."""

EE, EN, EU, NN, NU, UU, RADIAL_VAR = range(7)
"""Columns of the covariance that `place` writes, m²; and the variance of the range as used."""


class Bench(NamedTuple):
    """Scratch of one conversion, and the table of undulations."""

    enu: F8
    lat: F8
    lon: F8
    height: F8
    cov: F8
    corner: F8
    """(4,) of `v2x.geodesy.Grid`: south-west node, steps of latitude and longitude."""
    geoid: F8


def bench() -> Bench:
    """Room for one place."""
    grid = egm96()
    corner = np.array([grid.lat0, grid.lon0, grid.dlat, grid.dlon])
    return Bench(
        np.empty((1, 3)), np.empty(1), np.empty(1), np.empty(1), np.empty(7), corner,
        grid.values.copy(),
    )  # fmt: skip


@uncounted
def undulation_at(lat: float, lon: float, bench: Bench) -> float:
    """Geoid above ellipsoid, m; NaN outside the table."""
    bench.lat[0], bench.lon[0] = lat, lon
    c = bench.corner
    bilinear(bench.lat, bench.lon, c[0], c[1], c[2], c[3], bench.geoid, bench.height)
    return float(bench.height[0])


def poses(sensors: SensorTable) -> F8:
    """(sensors, 15) poses and noises; NaN where the sensor has none.

    A radar of unknown height is taken to stand at sea level.
    """
    made = np.full((len(sensors), 15), np.nan)
    for row, sensor in enumerate(sensors.sensors):
        made[row, YAW] = math.radians(sensor.yaw_deg)
        made[row, SD_RANGE], made[row, SD_ANGLE] = sensor.sd_range_m, math.radians(sensor.sd_deg)
        made[row, SD], made[row, SD_UP] = sensor.sd_m, sensor.sd_up_m
        if abs(sensor.lat) <= 90.0 and abs(sensor.lon) <= 180.0:
            geoid = float(undulation(np.array([sensor.lat]), np.array([sensor.lon]))[0])
            geoid = geoid if math.isfinite(geoid) else 0.0
            hae = sensor.hae_m if math.isfinite(sensor.hae_m) else geoid
            made[row, : HAE + 1] = Tile(sensor.lat, sensor.lon, hae).consts
            s2 = made[row, SIN0] ** 2
            made[row, GEOID] = geoid
            made[row, BEND_EAST] = math.sqrt(1.0 - E2 * s2) / A
            made[row, BEND_NORTH] = made[row, BEND_EAST] * (1.0 - E2 * s2) / (1.0 - E2)
    return made


@uncounted
def place(
    pose: F8, rho: float, az: float, height: float, sd_range: float, sd_angle: float,
    sd_height: float, bench: Bench,
) -> float:  # fmt: skip
    """Place of a target at slant range `rho` > 0 m and azimuth `az` rad from true north.

    Parameters
    ----------
    pose
        Row of `poses`, with a place.
    height, sd_height
        Above the ellipsoid, m; NaN unknown: then the target is taken level with the radar, and
        the range is known the less the nearer it is (`UNKNOWN_HEIGHT`).
    sd_range, sd_angle
        Noise, m and rad.

    Returns
    -------
    Elevation of the line of sight at the radar, rad; NaN where no target at that range can have
    that height. `bench` has latitude and longitude, and the covariance in the target's own
    east-north-up frame, its up as good as the height.
    """
    sin_az, cos_az = math.sin(az), math.cos(az)
    radius = 1.0 / (cos_az * cos_az * pose[BEND_NORTH] + sin_az * sin_az * pose[BEND_EAST])
    known = height == height
    var_range = sd_range * sd_range
    above = 0.0
    if known:
        above = height - pose[HAE]
    else:
        slant = min(UNKNOWN_HEIGHT * UNKNOWN_HEIGHT / (2.0 * rho), rho)
        var_range += slant * slant
    # Triangle of the Earth's centre, radar and target; `low` and `high` their distances to it.
    low = radius + pose[HAE]
    high = low + above
    rise = above * (low + high)
    up = (rise - rho * rho) / (2.0 * low)
    if abs(up) > rho:
        return np.nan
    bench.enu[0, 2] = up
    level = math.sqrt(rho * rho - up * up)
    bench.enu[0, 0], bench.enu[0, 1] = level * sin_az, level * cos_az
    enu_to_geodetic(bench.enu, 0.0, pose[: HAE + 1], bench.lat, bench.lon, bench.height)
    # At the target north has turned, and the line of sight climbs steeper by the arc between.
    turn = math.radians(bench.lon[0] - pose[LON0])
    turn -= 2.0 * math.pi * math.floor(turn / (2.0 * math.pi) + 0.5)
    turn *= pose[SIN0] + 0.5 * math.radians(bench.lat[0] - pose[LAT0]) * pose[COS0]
    east, north = sin_az + turn * cos_az, cos_az - turn * sin_az
    sine = (rise + rho * rho) / (2.0 * rho * high)
    cosine = max(math.sqrt(max(1.0 - sine * sine, 0.0)), ZENITH)
    sd_up = sd_height if known else 0.0
    lean = -sine / cosine * sd_up
    ahead = var_range / (cosine * cosine) + lean * lean
    aside = level * level * sd_angle * sd_angle
    cov = bench.cov
    cov[EE] = ahead * east * east + aside * north * north
    cov[EN] = (ahead - aside) * east * north
    cov[NN] = ahead * north * north + aside * east * east
    cov[EU], cov[NU], cov[UU] = lean * sd_up * east, lean * sd_up * north, sd_up * sd_up
    cov[RADIAL_VAR] = var_range
    return math.asin(up / rho)
