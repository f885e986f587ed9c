"""Plain Python twins of the kernels in `v2x.geodesy` and `v2x.polygons`: the explanation.

One point at a time, no grid, no polynomials. The polygon twins compute in fractions, so they are
exact for whatever floats they get; the boundary is inside.
"""

import math
from fractions import Fraction

A = 6378137.0
F = 1 / 298.257223563
E2 = F * (2 - F)


def ecef(lat, lon, h):
    """Earth-centred x, y, z, metres, of a geodetic position in degrees and metres HAE."""
    phi, lam = math.radians(lat), math.radians(lon)
    n = A / math.sqrt(1 - E2 * math.sin(phi) ** 2)
    return (
        (n + h) * math.cos(phi) * math.cos(lam),
        (n + h) * math.cos(phi) * math.sin(lam),
        (n * (1 - E2) + h) * math.sin(phi),
    )


def enu(lat, lon, h, lat0, lon0, h0):
    """East, north, up, metres: the difference of two points turned by the origin's verticals."""
    dx, dy, dz = (p - o for p, o in zip(ecef(lat, lon, h), ecef(lat0, lon0, h0), strict=True))
    phi, lam = math.radians(lat0), math.radians(lon0)
    east = -math.sin(lam) * dx + math.cos(lam) * dy
    outward = math.cos(lam) * dx + math.sin(lam) * dy
    return (
        east,
        math.cos(phi) * dz - math.sin(phi) * outward,
        math.cos(phi) * outward + math.sin(phi) * dz,
    )


def geodetic(east, north, up, lat0, lon0, h0):
    """Latitude, longitude, height of a local point, by repetition until nothing changes."""
    phi, lam = math.radians(lat0), math.radians(lon0)
    outward = math.cos(phi) * up - math.sin(phi) * north
    x0, y0, z0 = ecef(lat0, lon0, h0)
    x = x0 + math.cos(lam) * outward - math.sin(lam) * east
    y = y0 + math.sin(lam) * outward + math.cos(lam) * east
    z = z0 + math.sin(phi) * up + math.cos(phi) * north
    p, phi = math.hypot(x, y), math.atan2(z, math.hypot(x, y))
    for _ in range(30):
        n = A / math.sqrt(1 - E2 * math.sin(phi) ** 2)
        phi = math.atan2(z + E2 * n * math.sin(phi), p)
    h = p * math.cos(phi) + z * math.sin(phi) - A * math.sqrt(1 - E2 * math.sin(phi) ** 2)
    return math.degrees(phi), math.degrees(math.atan2(y, x)), h


def gcj02(lat, lon):
    """GCJ-02 degrees of a WGS-84 position inside China's box."""
    x, y = lon - 105.0, lat - 35.0
    pi = math.pi

    def waves(v, big, bigger):
        return (
            20 * math.sin(pi * v)
            + 40 * math.sin(pi * v / 3)
            + big * math.sin(pi * v / 12)
            + bigger * math.sin(pi * v / 30)
        )

    s = (20 * math.sin(6 * pi * x) + 20 * math.sin(2 * pi * x)) * 2 / 3
    north = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * math.sqrt(abs(x))
    north += s + waves(y, 160, 320) * 2 / 3
    east = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * math.sqrt(abs(x))
    east += s + waves(x, 150, 300) * 2 / 3
    a, e2 = 6378245.0, 0.00669342162296594323
    w = math.sqrt(1 - e2 * math.sin(math.radians(lat)) ** 2)
    return (
        lat + math.degrees(north / (a * (1 - e2) / w**3)),
        lon + math.degrees(east / (a / w * math.cos(math.radians(lat)))),
    )


def edges(rings):
    """Every edge of every ring as two exact points; closing edges included."""
    for ring in rings:
        corners = [(Fraction(float(x)), Fraction(float(y))) for x, y in ring]
        for a, b in zip(corners, corners[1:] + corners[:1], strict=True):
            if a != b:
                yield a, b


def turn(a, b, p):
    """Positive where p lies left of the way from a to b, 0 on its line."""
    return (b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0])


def on(a, b, p):
    """Whether p lies on the edge from a to b."""
    return (
        turn(a, b, p) == 0
        and min(a[0], b[0]) <= p[0] <= max(a[0], b[0])
        and min(a[1], b[1]) <= p[1] <= max(a[1], b[1])
    )


def inside(rings, point):
    """On an edge, or an odd number of edges to the west."""
    p = (Fraction(float(point[0])), Fraction(float(point[1])))
    odd = False
    for a, b in edges(rings):
        if on(a, b, p):
            return True
        low, high = (a, b) if a[1] <= b[1] else (b, a)
        if low[1] <= p[1] < high[1] and turn(low, high, p) < 0:
            odd = not odd
    return odd


def touches(rings, start, end):
    """Whether the straight line between two points has a point in common with the polygon."""
    s = (Fraction(float(start[0])), Fraction(float(start[1])))
    e = (Fraction(float(end[0])), Fraction(float(end[1])))
    for a, b in edges(rings):
        if on(a, b, s) or on(a, b, e) or on(s, e, a) or on(s, e, b):
            return True
        if turn(a, b, s) * turn(a, b, e) < 0 and turn(s, e, a) * turn(s, e, b) < 0:
            return True
    return inside(rings, start)


def distance(rings, point):
    """Metres to the nearest edge, negative inside."""
    px, py = (float(v) for v in point)
    best = math.inf
    for a, b in edges(rings):
        (ax, ay), (bx, by) = ((float(x), float(y)) for x, y in (a, b))
        t = ((px - ax) * (bx - ax) + (py - ay) * (by - ay)) / ((bx - ax) ** 2 + (by - ay) ** 2)
        t = min(max(t, 0.0), 1.0)
        best = min(best, math.hypot(px - ax - t * (bx - ax), py - ay - t * (by - ay)))
    return -best if inside(rings, point) else best
