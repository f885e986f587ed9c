"""Range and angles to a position: unbiased, with the covariance of the conversion.

``r cos(az)`` of a noisy angle is short by ``exp(-q/2)`` on average, ``q = sd²``; the factor is
undone, and the covariance is the one that goes with it (Mo et al., "Unbiased converted measurements
for tracking", IEEE TAES 1998). In the axes of the measured line of sight it is r² (1 - exp(-2q))/2
across and, since the arc is bent, r² (exp(q) - 2 + (1 + exp(-2q))/2) along it beside the range's
own: about r² q and 1.5 r² q². The latter matters once r q is above 0.4 of the range error (Lerro
and Bar-Shalom, IEEE TAES 1993). This is where tracks begin; known ones are updated with what was
measured, see `v2x.fusion.sights`.
"""

import numpy as np
from numpy.typing import ArrayLike

from v2x.columns import F8


def polar_to_position(
    range_m: ArrayLike,
    az: ArrayLike,
    el: ArrayLike,
    range_sd: ArrayLike,
    ang_sd: ArrayLike,
    place: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> tuple[F8, F8]:
    """Convert range, azimuth and elevation to positions in the tile.

    Parameters
    ----------
    range_m, az, el
        (n,) slant range in m; azimuth clockwise from north and elevation up from the horizontal,
        rad. Elevation NaN: the sensor has none, range is taken as horizontal.
    range_sd, ang_sd
        One standard deviation, m and rad; numbers or (n,).
    place
        East, north, up of the sensor, m.

    Returns
    -------
    z : (n, 3) f8
        East, north, up, m; up NaN without elevation.
    cov : (n, 6) f8
        ``[EE, EN, EU, NN, NU, UU]`` m²; UU NaN without elevation.
    """
    r, a, e = np.broadcast_arrays(
        np.asarray(range_m, np.float64), np.asarray(az, np.float64), np.asarray(el, np.float64)
    )
    sr = np.broadcast_to(np.asarray(range_sd, np.float64), r.shape)
    sa = np.broadcast_to(np.asarray(ang_sd, np.float64), r.shape)
    flat = np.isnan(e)
    e = np.where(flat, 0.0, e)
    ca, sn, ce, se = np.cos(a), np.sin(a), np.cos(e), np.sin(e)
    longer = np.exp(0.5 * sa * sa)
    level = r * ce * longer * np.where(flat, 1.0, longer)
    z = np.empty((r.size, 3))
    z[:, 0] = place[0] + level * sn
    z[:, 1] = place[1] + level * ca
    z[:, 2] = np.where(flat, np.nan, place[2] + r * se * longer)
    swing = -0.5 * np.expm1(-2.0 * sa * sa)
    sink = np.expm1(sa * sa) - swing
    ahead, aside = np.stack([sn, ca, np.zeros_like(r)]), np.stack([ca, -sn, np.zeros_like(r)])
    line, above = np.stack([ce * sn, ce * ca, se]), np.stack([-se * sn, -se * ca, ce])
    tilt = np.where(flat, 0.0, r * r)
    parts = (
        (line, sr * sr + tilt * sink),
        (ahead, (r * ce) ** 2 * sink),
        (aside, (r * ce) ** 2 * swing),
        (above, tilt * swing),
    )
    cov = np.empty((r.size, 6))
    pairs = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))
    for k, (p, q) in enumerate(pairs):
        cov[:, k] = sum(way[p] * way[q] * var for way, var in parts)
    cov[flat, 2] = cov[flat, 4] = 0.0
    cov[flat, 5] = np.nan
    return z, cov
