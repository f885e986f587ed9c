"""What families draw alike: zones, ways towards them, identities, approvals."""

from collections.abc import Sequence
from math import cos, pi, sin, tau

import numpy as np
import shapely
from numpy.random import Generator

from replay.scenarios.flights.motion import Leg, flown, laid
from replay.scenarios.flights.truth import Approval, Beacon, Body, Volume
from v2x.columns import F8

LIFE_S = 110.0
UNREGISTERED = "00000000"
KINDS = ("prohibited", "restricted")
_LETTERS = "0123456789ABCDEFGHJKLMNPQRSTUVWXYZ"
"""Of product ids: GB 46750 leaves out O and I."""


def zone(
    rng: Generator,
    name: str,
    *,
    kind: str | None = None,
    band: tuple[float | None, float | None] = (None, 300.0),
    radius_m: tuple[float, float] = (180.0, 420.0),
) -> Volume:
    """Draw a zone around the origin: a circle, or a polygon of 4 to 12 corners, often concave."""
    radius = rng.uniform(*radius_m)
    corners = int(rng.integers(4, 13))
    if rng.random() < 0.2:
        corners, radii = 48, np.full(48, radius)
    else:
        radii = radius * rng.uniform(0.7, 1.0, corners)
    angles = (np.arange(corners) + rng.uniform(-0.25, 0.25, corners) * (corners < 48)) * tau
    ring = [(r * sin(a), r * cos(a)) for r, a in zip(radii, angles / corners, strict=True)]
    chosen = kind or KINDS[int(rng.integers(2))]
    return Volume(name, chosen, shapely.Polygon(ring), *band)


def core(rng: Generator, volume: Volume, margin_m: float = 40.0) -> tuple[float, float]:
    """Draw a place within the footprint, `margin_m` from its edge where it is that large."""
    inner = volume.shape.buffer(-margin_m)
    inner = inner if not inner.is_empty else volume.shape.buffer(-10.0)
    west, south, east, north = inner.bounds
    while True:
        point = shapely.Point(rng.uniform(west, east), rng.uniform(south, north))
        if inner.contains(point):
            return point.x, point.y


def bound(
    rng: Generator, legs: Sequence[Leg], height_m: float, at_s: float, place: tuple[float, float]
) -> F8:
    """Fly legs so that they are at `place` at `at_s`, from anywhere."""
    return laid(flown(legs, height_m), at_s, *place, float(rng.uniform(0.0, 360.0)))


def beacon(rng: Generator, *, registered: bool = True, **words: object) -> Beacon:
    """Draw a transmitter; half of them speak GB 46750, half F3411 where they are registered."""
    text = "".join(_LETTERS[k] for k in rng.integers(0, len(_LETTERS), 16))
    mark = f"{int(rng.integers(1, 100_000_000)):08d}" if registered else UNREGISTERED
    wire = "odid" if registered and rng.random() < 0.5 else "gb46750"
    return Beacon(f"GEN0{text}", mark, wire=wire, **words)  # type: ignore[arg-type]


def someone(rng: Generator) -> tuple[Beacon | None, bool]:
    """Identity of a drone that should not be there, and whether it is in the registry.

    4 in 10 say nothing, 4 are registered and have no approval, 2 are not registered.
    """
    dice = rng.random()
    if dice < 0.4:
        return None, True
    known = dice < 0.8
    return beacon(rng, registered=known), known


def drone(name: str, path: F8, sender: Beacon | None = None, **words: object) -> Body:
    """A drone on a path."""
    return Body(name, "uas", path, sender, **words)  # type: ignore[arg-type]


def approval(
    name: str, senders: Sequence[Beacon], paths: Sequence[F8], *, wide_m: float = 100.0
) -> Approval:
    """Approve the way that is flown, so wide to each side and 40 m above its highest place."""
    lines = [shapely.LineString(path[:: max(1, len(path) // 60), :2]) for path in paths]
    shape = shapely.union_all([line.buffer(wide_m) for line in lines])
    if shape.geom_type != "Polygon":
        shape = shape.convex_hull
    shape = shapely.Polygon(shape.simplify(2.0).exterior)
    top = max(float(path[:, 2].max()) for path in paths)
    return Approval(name, tuple(b.ident for b in senders), shape, None, top + 40.0)


def turned(path: F8, degrees: float) -> F8:
    """A path turned about the origin, clockwise."""
    a = degrees * pi / 180.0
    made = path.copy()
    made[:, 0] = cos(a) * path[:, 0] + sin(a) * path[:, 1]
    made[:, 1] = -sin(a) * path[:, 0] + cos(a) * path[:, 1]
    return made
