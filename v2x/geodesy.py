"""Where things are: the tile's local frame, heights and their datums, China's shifted map datum.

Stored positions are WGS-84 degrees and metres above the ellipsoid (HAE). CGCS2000, China's legal
frame, is taken as equal: its ellipsoid (GRS-80) differs by 0.1 mm, and the drift of the plate since
its epoch 2000.0, some 0.7 m, is below what drones and cars are told apart by; it is not below what
lane work with RTK needs.

A `Tile` is the flat east-north-up frame of one area. "Up" is not height: the plane leaves the
ellipsoid by d²/2R, 71 m at 30 km, so zones and bands are judged on HAE from `Tile.to_geodetic`,
never on up. Heights are converted here, with the EGM96 table shipped in the package, and never by
PROJ, which answers with the height unchanged when it lacks the grid.

Plan and cost: near the origin, within `NEAR_RAD` of latitude and longitude, sines and arc tangents
are short polynomials about the origin, which the compiler turns into vector code (above 100 M
points/s each way on one core); every other point on Earth takes the exact functions in a second
sweep. Which of the two a point takes depends on that point only, so cutting a batch changes no bit.
A long file: frame, heights and map datum are what the rest of the house must not do for itself.
"""

import functools
import math
from dataclasses import dataclass
from importlib import resources

import numpy as np
from numpy.typing import ArrayLike, NDArray

from v2x.errors import ConfigError
from v2x.jit import kernel

F8 = NDArray[np.float64]

A = 6378137.0
"""WGS-84 semi-major axis, metres (NIMA TR8350.2); CGCS2000 uses the same."""
F = 1.0 / 298.257223563
"""WGS-84 flattening (NIMA TR8350.2)."""
B = A * (1.0 - F)
E2 = F * (2.0 - F)
EP2 = E2 / (1.0 - E2)
"""Second eccentricity squared."""

NEAR_RAD = 0.05
"""Reach of the polynomials, 318 km of latitude: what they leave out is below 1e-8 m there."""

GCJ_A = 6378245.0
GCJ_E2 = 0.00669342162296594323
"""Krasovsky 1940 ellipsoid, as every published form of GCJ-02 has it."""
GCJ_BOX = (0.8293, 55.8271, 72.004, 137.8347)
"""South, north, west, east, degrees: published forms apply no shift outside."""

_RAD = math.pi / 180.0
_DEG = 180.0 / math.pi


@dataclass(frozen=True)
class Tile:
    """Local east-north-up frame about one origin.

    Parameters
    ----------
    lat0, lon0 : float
        Origin, degrees WGS-84.
    h0 : float
        Height of the origin, metres HAE.
    """

    lat0: float
    lon0: float
    h0: float = 0.0

    def __post_init__(self) -> None:
        ok = abs(self.lat0) <= 90.0 and abs(self.lon0) <= 180.0 and math.isfinite(self.h0)
        if not ok:
            raise ConfigError(
                f"tile origin {self.lat0!r}, {self.lon0!r}, {self.h0!r}: latitude must lie in "
                "-90..90, longitude in -180..180 degrees, height must be finite metres"
            )

    @functools.cached_property
    def consts(self) -> F8:
        """(7,) f8 for the kernels: lat0, lon0 deg, sin and cos of lat0, x0, z0, h0 m.

        x0 and z0 are the origin in its own meridian plane: distance from the axis, and height
        above the equator.
        """
        s, c = math.sin(self.lat0 * _RAD), math.cos(self.lat0 * _RAD)
        n = A / math.sqrt(1.0 - E2 * s * s)
        x0, z0 = (n + self.h0) * c, (n * (1.0 - E2) + self.h0) * s
        return np.array([self.lat0, self.lon0, s, c, x0, z0, self.h0])

    def to_enu(
        self, lat: ArrayLike, lon: ArrayLike, height: ArrayLike, h_ref: float | None = None
    ) -> F8:
        """East, north and up of geodetic positions.

        Parameters
        ----------
        lat, lon : (n,) f8
            Degrees WGS-84; longitude as -180..180 or 0..360.
        height : (n,) f8
            Metres HAE; anything not finite means not measured.
        h_ref : float, optional
            Height that a row without one is taken at, for its east and north; the tile's h0
            where left out. An error of 100 m in it moves a point 60 km out by 0.94 m.

        Returns
        -------
        (n, 3) f8
            Metres, within 1e-8 m of the exact rotation to 60 km. Up is NaN where the height was
            not measured; the whole row is NaN where latitude or longitude is not a position.
        """
        lat, lon, height = _columns(lat, lon, height)
        out = np.empty((lat.shape[0], 3))
        geodetic_to_enu(
            lat, lon, height, float(self.h0 if h_ref is None else h_ref), self.consts, out
        )
        return out

    def to_geodetic(self, enu: F8, h_ref: float | None = None) -> tuple[F8, F8, F8]:
        """Latitude, longitude and height of local positions; the inverse of `to_enu`.

        Parameters
        ----------
        enu : (n, 3) f8
            Metres. Up that is not finite means not measured: the position is then the one at
            height `h_ref` above or below which the point lies, and its height is NaN.
        h_ref : float, optional
            As in `to_enu`.

        Returns
        -------
        lat, lon, height : (n,) f8
            Degrees WGS-84 (longitude in -180..180) and metres HAE, within 1e-8 m to 60 km. NaN
            where east or north is not finite.
        """
        enu = _column(enu).reshape(-1, 3)
        lat, lon, height = np.empty((3, enu.shape[0]))
        enu_to_geodetic(
            enu, float(self.h0 if h_ref is None else h_ref), self.consts, lat, lon, height
        )
        return lat, lon, height


def enu_rotation(source: Tile, target: Tile) -> F8:
    """(3, 3) f8 that turns a velocity in `source`'s frame into `target`'s: ``v @ r.T``.

    Two frames 60 km apart differ by 0.54 deg; covariances turn as ``r @ P @ r.T``.
    """

    def axes(tile: Tile) -> F8:
        s, c = tile.consts[2], tile.consts[3]
        sl, cl = math.sin(tile.lon0 * _RAD), math.cos(tile.lon0 * _RAD)
        return np.array([[-sl, cl, 0.0], [-s * cl, -s * sl, c], [c * cl, c * sl, s]])

    turned: F8 = axes(target) @ axes(source).T
    return turned


def amsl_from_hae(hae: F8, undulation: F8) -> F8:
    """Height above mean sea level: HAE less the undulation; NaN stays NaN.

    Around Tianjin the undulation is about -8 m, so sea level lies *below* the ellipsoid and a
    runway at 3 m AMSL has an HAE of -5 m: heights of 0 and below are ordinary.
    """
    return hae - undulation


def hae_from_amsl(amsl: F8, undulation: F8) -> F8:
    """Height above the ellipsoid, metres, from height above mean sea level; NaN stays NaN."""
    return amsl + undulation


def agl_from_hae(hae: F8, undulation: F8, ground: F8) -> F8:
    """Height above ground, metres; `ground` is the ground's height above mean sea level."""
    return hae - undulation - ground


def hae_from_agl(agl: F8, undulation: F8, ground: F8) -> F8:
    """Height above the ellipsoid, metres; `ground` is the ground's height above mean sea level."""
    return agl + undulation + ground


def hae_from_takeoff(above: F8, takeoff: F8) -> F8:
    """Height above the ellipsoid, metres, from height above a take-off point at HAE `takeoff`."""
    return above + takeoff


@dataclass(frozen=True)
class Grid:
    """A value on equal steps of latitude and longitude, read between its nodes.

    Parameters
    ----------
    lat0, lon0 : float
        South-west node, degrees.
    dlat, dlon : float
        Steps, degrees.
    values : (r, c) f8
        Row by row from the south; at least two of each. NaN nodes make their cells NaN.
    """

    lat0: float
    lon0: float
    dlat: float
    dlon: float
    values: F8

    @classmethod
    def from_csv(cls, text: str, name: str = "grid") -> "Grid":
        """Read lines of latitude, longitude, value below one header line, south-west node first.

        Raises
        ------
        ConfigError
            Where the lines are not a full grid of equal steps, row by row from the south.
        """
        try:
            rows = np.array([line.split(",") for line in text.splitlines()[1:]], dtype=np.float64)
            lat, lon = np.unique(rows[:, 0]), np.unique(rows[:, 1])
            node_lat, node_lon = np.repeat(lat, lon.size), np.tile(lon, lat.size)
            steps_lat, steps_lon = np.diff(lat), np.diff(lon)
            whole = (
                np.array_equal(rows[:, :2], np.column_stack((node_lat, node_lon)))
                and np.allclose(steps_lat, steps_lat[0], rtol=1e-6)
                and np.allclose(steps_lon, steps_lon[0], rtol=1e-6)
            )
        except (ValueError, IndexError):
            whole = False
        if not whole:
            raise ConfigError(
                f"{name}: expected a header line, then latitude,longitude,value of every node of "
                "a grid with equal steps, row by row from the south-west"
            )
        return cls(
            float(lat[0]),
            float(lon[0]),
            float(lat[-1] - lat[0]) / (lat.size - 1),
            float(lon[-1] - lon[0]) / (lon.size - 1),
            np.ascontiguousarray(rows[:, 2].reshape(lat.size, lon.size)),
        )

    def at(self, lat: ArrayLike, lon: ArrayLike) -> F8:
        """Bilinear value at positions in degrees, (n,) f8; NaN outside the nodes."""
        lat, lon = _columns(lat, lon)
        out = np.empty(lat.shape[0])
        bilinear(lat, lon, self.lat0, self.lon0, self.dlat, self.dlon, self.values, out)
        return out


@functools.cache
def egm96() -> Grid:
    """EGM96 undulation around Tianjin, 15-minute nodes of the NGA grid (public domain)."""
    path = resources.files("v2x") / "data" / "egm96_tianjin.csv"
    return Grid.from_csv(path.read_text("ascii"), path.name)


def undulation(lat: ArrayLike, lon: ArrayLike, grid: Grid | None = None) -> F8:
    """Geoid above ellipsoid, metres.

    Parameters
    ----------
    lat, lon : (n,) f8
        Degrees WGS-84.
    grid : Grid, optional
        Another table; the packaged one covers 38.50-39.75 N, 116.50-118.25 E.

    Returns
    -------
    (n,) f8
        EGM96, bilinear (0.07 m from the model itself); NaN outside the table, since a height
        without its undulation has no known datum.
    """
    return (egm96() if grid is None else grid).at(lat, lon)


def gcj02_from_wgs84(lat: ArrayLike, lon: ArrayLike) -> tuple[F8, F8]:
    """China's shifted map datum, for output onto a base map that uses it.

    Parameters
    ----------
    lat, lon : (n,) f8
        Degrees WGS-84.

    Returns
    -------
    lat, lon : (n,) f8
        Degrees GCJ-02: 500-600 m to the east-north-east around Tianjin. Unchanged outside
        `GCJ_BOX`, as in the published forms (which agree to 2 cm with one another); NaN where
        either coordinate is not finite.
    """
    lat, lon = _columns(lat, lon)
    out_lat, out_lon = np.empty((2, lat.shape[0]))
    wgs84_to_gcj02(lat, lon, out_lat, out_lon)
    return out_lat, out_lon


def wgs84_from_gcj02(lat: ArrayLike, lon: ArrayLike) -> tuple[F8, F8]:
    """True position of a point given in China's shifted map datum.

    The shift has no closed inverse: the forward error is taken off eight times, each round
    leaving less than 1/100 of it (one round alone is up to 2 m wrong here).

    Parameters
    ----------
    lat, lon : (n,) f8
        Degrees GCJ-02.

    Returns
    -------
    lat, lon : (n,) f8
        Degrees WGS-84. Unchanged outside `GCJ_BOX`; within 1 km of the box's edge, which runs far
        outside China's land, the forward step is not unique and neither is this one. NaN where
        either coordinate is not finite.
    """
    lat, lon = _columns(lat, lon)
    out_lat, out_lon = np.empty((2, lat.shape[0]))
    gcj02_to_wgs84(lat, lon, out_lat, out_lon)
    return out_lat, out_lon


def _columns(*values: ArrayLike) -> tuple[F8, ...]:
    """Contiguous, writeable (n,) f8 columns of one length; single numbers are stretched."""
    columns = [_column(v).ravel() for v in values]
    sizes = {len(c) for c in columns}
    if len(sizes) > 1:
        if len(sizes - {1}) > 1:
            raise ValueError(f"columns of different lengths: {[len(c) for c in columns]}")
        (n,) = sizes - {1}
        columns = [np.full(n, c[0]) if len(c) == 1 else c for c in columns]
    return tuple(columns)


def _column(values: ArrayLike) -> F8:
    """Contiguous f8; read-only memory is copied, else every kernel would be compiled twice."""
    column = np.ascontiguousarray(values, dtype=np.float64)
    return column if column.flags.writeable else column.copy()


@kernel
def geodetic_to_enu(lat: F8, lon: F8, height: F8, h_ref: float, consts: F8, out: F8) -> None:
    """Geodetic to local, lat, lon deg, height m HAE (n,), `Tile.consts` -> out (n, 3) m.

    In the meridian plane of the origin (x away from the axis, y east, z north along the axis) the
    frame is a plain rotation by lat0, so only the differences of latitude and longitude need
    series: sin(lat0 + d) = s0 cos d + c0 sin d.
    """
    lat0, lon0, s0, c0, x0, z0 = consts[0], consts[1], consts[2], consts[3], consts[4], consts[5]
    flat = out.reshape(-1)  # a row length known to the compiler: else no vector code
    far = 0
    for i in range(lat.shape[0]):
        d = (lat[i] - lat0) * _RAD
        g = (lon[i] - lon0) * _RAD
        # Written so that NaN counts as far; the second sweep decides what it is.
        near = (abs(d) <= NEAR_RAD) & (abs(g) <= NEAR_RAD) & (abs(lat[i]) <= 90.0)
        far += 0 if near else 1
        d2 = d * d
        g2 = g * g
        sd = d * (1.0 - d2 * (1 / 6 - d2 * (1 / 120 - d2 * (1 / 5040))))
        cd = 1.0 - d2 * (1 / 2 - d2 * (1 / 24 - d2 * (1 / 720)))
        sg = g * (1.0 - g2 * (1 / 6 - g2 * (1 / 120 - g2 * (1 / 5040))))
        cg = 1.0 - g2 * (1 / 2 - g2 * (1 / 24 - g2 * (1 / 720)))
        s = s0 * cd + c0 * sd
        c = c0 * cd - s0 * sd
        n = A / math.sqrt(1.0 - E2 * s * s)
        measured = abs(height[i]) < np.inf
        h = height[i] if measured else h_ref
        p = (n + h) * c
        x = p * cg - x0
        z = (n * (1.0 - E2) + h) * s - z0
        u = c0 * x + s0 * z
        flat[3 * i] = p * sg
        flat[3 * i + 1] = c0 * z - s0 * x
        flat[3 * i + 2] = u if measured else np.nan
    if far == 0:
        return
    for i in range(lat.shape[0]):
        d = (lat[i] - lat0) * _RAD
        g = (lon[i] - lon0) * _RAD
        if abs(d) <= NEAR_RAD and abs(g) <= NEAR_RAD and abs(lat[i]) <= 90.0:
            continue
        if not (abs(lat[i]) <= 90.0 and abs(lon[i]) <= 360.0):
            out[i, 0] = np.nan
            out[i, 1] = np.nan
            out[i, 2] = np.nan
            continue
        s, c = math.sin(lat[i] * _RAD), math.cos(lat[i] * _RAD)
        n = A / math.sqrt(1.0 - E2 * s * s)
        measured = abs(height[i]) < np.inf
        h = height[i] if measured else h_ref
        p = (n + h) * c
        x = p * math.cos(g) - x0
        z = (n * (1.0 - E2) + h) * s - z0
        out[i, 0] = p * math.sin(g)
        out[i, 1] = c0 * z - s0 * x
        out[i, 2] = c0 * x + s0 * z if measured else np.nan


@kernel
def _latitude(p: float, z: float) -> tuple[float, float, float]:
    """Sine and cosine of latitude and the height, of a point p from the axis, z above the equator.

    One round of B. R. Bowring's method ("Transformation from spatial to geographical coordinates",
    1976). It converges quadratically; the start takes the height from an ellipse to first order in
    the flattening, which makes one round enough: 1e-7 m from the sea floor to the orbits of
    navigation satellites, most of it the rounding of float64 (the usual start, for height 0, leaves
    1e-6 m at 20 km). The height formula divides by neither sine nor cosine: poles are not special.
    """
    r = math.sqrt(p * p + z * z)
    q = z / r
    q *= q  # the squared sine of the geocentric latitude
    n = A * (1.0 + 0.5 * E2 * q)
    m = n * (1.0 - E2) + (r - A * (1.0 - F * q))
    s = B * z * (m + E2 * n)
    c = A * p * m
    w = 1.0 / math.sqrt(s * s + c * c)
    s *= w
    c *= w
    s = z + EP2 * B * s * s * s
    c = p - E2 * A * c * c * c
    w = 1.0 / math.sqrt(s * s + c * c)
    s *= w
    c *= w
    return s, c, p * c + z * s - A * math.sqrt(1.0 - E2 * s * s)


@kernel
def enu_to_geodetic(enu: F8, h_ref: float, consts: F8, lat: F8, lon: F8, height: F8) -> None:
    """Local to geodetic, enu (n, 3) m, `Tile.consts` -> lat, lon deg, height m HAE (n,)."""
    lat0, lon0, s0, c0, x0, z0 = consts[0], consts[1], consts[2], consts[3], consts[4], consts[5]
    flat = enu.reshape(-1)
    far = 0
    for i in range(enu.shape[0]):
        x = x0 + c0 * flat[3 * i + 2] - s0 * flat[3 * i + 1]
        y = flat[3 * i]
        z = z0 + s0 * flat[3 * i + 2] + c0 * flat[3 * i + 1]
        s, c, h = _latitude(math.sqrt(x * x + y * y), z)
        g = y / x
        d = (s * c0 - c * s0) / (c * c0 + s * s0)
        # Close to the origin both tangents are small and x is positive: what lies behind the
        # axis has a far latitude. NaN up is far too: it needs a search.
        near = (abs(d) <= NEAR_RAD) & (abs(g) <= NEAR_RAD) & (x > 0.0) & (c * c0 + s * s0 > 0.0)
        far += 0 if near else 1
        d2 = d * d
        g2 = g * g
        d *= 1.0 - d2 * (1 / 3 - d2 * (1 / 5 - d2 * (1 / 7 - d2 * (1 / 9))))
        g *= 1.0 - g2 * (1 / 3 - g2 * (1 / 5 - g2 * (1 / 7 - g2 * (1 / 9))))
        w = lon0 + g * _DEG
        lat[i] = lat0 + d * _DEG
        lon[i] = w - 360.0 if w > 180.0 else (w + 360.0 if w < -180.0 else w)
        height[i] = h
    if far == 0:
        return
    for i in range(enu.shape[0]):
        e, n, u = enu[i, 0], enu[i, 1], enu[i, 2]
        x = x0 + c0 * u - s0 * n
        s, c, h = _latitude(math.sqrt(x * x + e * e), z0 + s0 * u + c0 * n)
        cos_d = c * c0 + s * s0
        g = e / x
        d = (s * c0 - c * s0) / cos_d
        if abs(d) <= NEAR_RAD and abs(g) <= NEAR_RAD and x > 0.0 and cos_d > 0.0:
            continue
        lat[i] = np.nan
        lon[i] = np.nan
        height[i] = np.nan
        if not (abs(e) < np.inf and abs(n) < np.inf):
            continue
        measured = abs(u) < np.inf
        if not measured:
            # Newton on up until the height is h_ref: dh/du is the cosine between the verticals.
            u = h_ref - consts[6]
            miss = np.inf
            for _ in range(12):
                x = x0 + c0 * u - s0 * n
                p = math.sqrt(x * x + e * e)
                s, c, h = _latitude(p, z0 + s0 * u + c0 * n)
                miss = h_ref - h
                if abs(miss) < 1e-7:
                    break
                u += miss / (c * c0 * x / p + s * s0)
            if not abs(miss) < 1e-6:
                continue  # further out than the Earth is wide: no such point
        x = x0 + c0 * u - s0 * n
        s, c, h = _latitude(math.sqrt(x * x + e * e), z0 + s0 * u + c0 * n)
        w = lon0 + math.atan2(e, x) * _DEG
        lat[i] = math.atan2(s, c) * _DEG
        lon[i] = w - 360.0 if w > 180.0 else (w + 360.0 if w < -180.0 else w)
        height[i] = h if measured else np.nan


@kernel
def bilinear(
    lat: F8, lon: F8, lat0: float, lon0: float, dlat: float, dlon: float, values: F8, out: F8
) -> None:
    """Values (r, c) on nodes lat0 + i dlat, lon0 + j dlon, at lat, lon deg (n,) -> out (n,)."""
    r, c = values.shape
    for k in range(lat.shape[0]):
        y = (lat[k] - lat0) / dlat
        x = (lon[k] - lon0) / dlon
        # 1e-9 of a step: the last node itself is inside, whatever the division rounds to.
        if not (-1e-9 <= y <= r - 1 + 1e-9 and -1e-9 <= x <= c - 1 + 1e-9):
            out[k] = np.nan
            continue
        i = min(max(int(y), 0), r - 2)
        j = min(max(int(x), 0), c - 2)
        y -= i
        x -= j
        south = values[i, j] * (1.0 - x) + values[i, j + 1] * x
        north = values[i + 1, j] * (1.0 - x) + values[i + 1, j + 1] * x
        out[k] = south * (1.0 - y) + north * y


@kernel
def gcj02_shift(lat: float, lon: float) -> tuple[float, float]:
    """Degrees that GCJ-02 adds to a WGS-84 position, whether in the box or not.

    Published constants: metres north and east as a sum of sines, turned into degrees with the
    radii of curvature of the Krasovsky ellipsoid.
    """
    x = lon - 105.0
    y = lat - 35.0
    root = math.sqrt(abs(x))
    common = 20.0 * math.sin(6.0 * math.pi * x) + 20.0 * math.sin(2.0 * math.pi * x)
    a, b = math.pi * y, math.pi * x
    waves = 20.0 * math.sin(a) + 40.0 * math.sin(a / 3.0)
    waves += 160.0 * math.sin(a / 12.0) + 320.0 * math.sin(a / 30.0)
    north = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root
    north += (common + waves) * (2.0 / 3.0)
    waves = 20.0 * math.sin(b) + 40.0 * math.sin(b / 3.0)
    waves += 150.0 * math.sin(b / 12.0) + 300.0 * math.sin(b / 30.0)
    east = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root
    east += (common + waves) * (2.0 / 3.0)
    s = math.sin(lat * _RAD)
    w2 = 1.0 - GCJ_E2 * s * s
    w = math.sqrt(w2)
    dlat = north * w2 * w / (GCJ_A * (1.0 - GCJ_E2)) * _DEG
    dlon = east * w / (GCJ_A * math.cos(lat * _RAD)) * _DEG
    return dlat, dlon


@kernel
def wgs84_to_gcj02(lat: F8, lon: F8, out_lat: F8, out_lon: F8) -> None:
    """Degrees WGS-84 (n,) -> degrees GCJ-02 (n,)."""
    south, north, west, east = GCJ_BOX
    for i in range(lat.shape[0]):
        if south <= lat[i] <= north and west <= lon[i] <= east:
            dlat, dlon = gcj02_shift(lat[i], lon[i])
            out_lat[i] = lat[i] + dlat
            out_lon[i] = lon[i] + dlon
        else:
            finite = abs(lat[i]) < np.inf and abs(lon[i]) < np.inf
            out_lat[i] = lat[i] if finite else np.nan
            out_lon[i] = lon[i] if finite else np.nan


@kernel
def gcj02_to_wgs84(lat: F8, lon: F8, out_lat: F8, out_lon: F8) -> None:
    """Degrees GCJ-02 (n,) -> degrees WGS-84 (n,)."""
    south, north, west, east = GCJ_BOX
    for i in range(lat.shape[0]):
        if south <= lat[i] <= north and west <= lon[i] <= east:
            y, x = lat[i], lon[i]
            for _ in range(8):
                dlat, dlon = gcj02_shift(y, x)
                y, x = lat[i] - dlat, lon[i] - dlon
            out_lat[i] = y
            out_lon[i] = x
        else:
            finite = abs(lat[i]) < np.inf and abs(lon[i]) < np.inf
            out_lat[i] = lat[i] if finite else np.nan
            out_lon[i] = lon[i] if finite else np.nan
