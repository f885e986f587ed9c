"""From UTM to latitude and longitude on WGS-84.

Krüger's series in the third flattening to its fourth power (Karney, "Transverse Mercator with an
accuracy of a few nanometers", 2011, equations 10 to 15 and 35): below a millimetre within a zone.
"""

import math

from v2x.jit import uncounted

_A, _F = 6_378_137.0, 1 / 298.257223563
_N = _F / (2 - _F)
_RECTIFYING = _A / (1 + _N) * (1 + _N**2 / 4 + _N**4 / 64)
_SCALE, _FALSE_EAST, _FALSE_NORTH = 0.9996, 500_000.0, 10_000_000.0
_BETA = (
    _N / 2 - 2 * _N**2 / 3 + 37 * _N**3 / 96 - _N**4 / 360,
    _N**2 / 48 + _N**3 / 15 - 437 * _N**4 / 1440,
    17 * _N**3 / 480 - 37 * _N**4 / 840,
    4397 * _N**4 / 161_280,
)
_DELTA = (
    2 * _N - 2 * _N**2 / 3 - 2 * _N**3 + 116 * _N**4 / 45,
    7 * _N**2 / 3 - 8 * _N**3 / 5 - 227 * _N**4 / 45,
    56 * _N**3 / 15 - 136 * _N**4 / 35,
    4279 * _N**4 / 630,
)


@uncounted
def from_utm(east: float, north: float, zone: int, south: bool) -> tuple[float, float]:
    """Latitude and longitude in degrees of a UTM position in metres.

    NaN for a zone outside 1..60 and for coordinates more than a million metres from the zone's
    middle or outside the meridian: there the series says nothing.
    """
    y = north - (_FALSE_NORTH if south else 0.0)
    x = east - _FALSE_EAST
    if not (1 <= zone <= 60 and abs(x) <= 1e6 and abs(y) <= 1e7):
        return math.nan, math.nan
    xi, eta = y / (_SCALE * _RECTIFYING), x / (_SCALE * _RECTIFYING)
    xi_, eta_ = xi, eta
    for j in range(1, 5):
        xi_ -= _BETA[j - 1] * math.sin(2 * j * xi) * math.cosh(2 * j * eta)
        eta_ -= _BETA[j - 1] * math.cos(2 * j * xi) * math.sinh(2 * j * eta)
    chi = math.asin(math.sin(xi_) / math.cosh(eta_))
    lat = chi
    for j in range(1, 5):
        lat += _DELTA[j - 1] * math.sin(2 * j * chi)
    lon = math.degrees(math.atan2(math.sinh(eta_), math.cos(xi_))) + 6 * zone - 183
    return math.degrees(lat), (lon + 180.0) % 360.0 - 180.0
