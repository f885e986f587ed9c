"""Pilots: where the person is who flies it, where the drone itself does not say.

Best first: the crossing of bearings that radio direction finders took of
its controller; the first of its track, carried back to the ground. Each with its deviation: a unit
is sent there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import nan
from typing import Any, NamedTuple

import numpy as np

from v2x.columns import F8, I8, U1, Columns, column
from v2x.geodesy import Tile
from v2x.picture import PilotSource
from v2x.readings import Name, Readings
from v2x.sensors import SensorTable
from v2x.tracks import Tracks

SECOND = 1_000_000_000
BEARING_SD = np.radians(3.0)
"""Of a direction finder that does not say. Doubtful: makers state 1 to 5 deg."""
BEARING_NS = 30 * SECOND
CROSS_SD_M = 1000.0
"""A fix less sure than this is none: the bearings are all but parallel."""
BEGIN_NS = 30 * SECOND
LEAST_SD_M, PER_METRE = 50.0, 2.0
CLIMB_MPS = 0.5
"""A track that rises faster is carried back along its climb, another one straight down."""
BACK_S = 60.0
FINDERS = 8
TARGETS = 1024


class Fix(NamedTuple):
    """A place in the tile, m, and its covariance, m²."""

    east: float
    north: float
    cov: F8


def crossing(stand: F8, azimuth: F8, sd: F8) -> Fix | None:
    """Least-squares crossing of bearings; None where they do not cross in front of their sensors.

    Parameters
    ----------
    stand : (n, 2)
        Where the sensors stand, m.
    azimuth, sd : (n,)
        Clockwise from north, and standard deviation, rad.

    Notes
    -----
    Each bearing is a line; its distance from a point counts over range times sd. Solved with the
    ranges of the round before, which is Gauss-Newton on the angles (Stansfield 1947 weights).
    """
    if len(stand) < 2:
        return None
    normal = np.column_stack((np.cos(azimuth), -np.sin(azimuth)))
    ahead = np.column_stack((np.sin(azimuth), np.cos(azimuth)))
    along = (normal * stand).sum(axis=1)
    far = np.ones(len(stand))
    place, cov = np.zeros(2), np.zeros((2, 2))
    for _ in range(5):
        weight = 1.0 / np.square(far * sd)
        a = float((weight * normal[:, 0] ** 2).sum())
        b = float((weight * normal[:, 0] * normal[:, 1]).sum())
        c = float((weight * normal[:, 1] ** 2).sum())
        det = a * c - b * b
        if not det > 1e-9 * a * c + 1e-30:
            return None
        cov = np.array([[c, -b], [-b, a]]) / det
        place = cov @ (normal * (weight * along)[:, None]).sum(axis=0)
        far = np.maximum(((place - stand) * ahead).sum(axis=1), 1.0)
    in_front = (((place - stand) * ahead).sum(axis=1) > 0.0).all()
    sure = float(np.sqrt(cov[0, 0] + cov[1, 1])) <= CROSS_SD_M
    return Fix(float(place[0]), float(place[1]), cov) if in_front and sure else None


@dataclass(frozen=True, slots=True)
class Beginnings(Columns):
    """The first 30 s of each track as sums of a straight line's fit: never the samples.

    ``sums`` n, t, t², then east, north, height over ground, and each times t; ``low`` the first
    height over ground.
    """

    id: I8 = column("i8")
    first_ns: I8 = column("i8")
    sums: F8 = column("f8", 9)
    low: F8 = column("f8")


class Pilots:
    """Places of pilots, by track and identity, that no drone reported."""

    def __init__(self, tile: Tile, sensors: SensorTable) -> None:
        self._tile = tile
        self._places = sensors.table("east_m", "north_m") if len(sensors) else np.zeros((0, 2))
        self._begin = Beginnings.blank(0)
        self._bearings: dict[int, dict[int, tuple[int, float]]] = {}

    def hear(self, t_ns: int, readings: Readings) -> None:
        """Take in bearings of controllers, by the identity of the drone they fly."""
        rows = np.flatnonzero((readings.name == Name.PILOT_BEARING) & (readings.ident >= 0))
        for ident, sensor, at, azimuth in zip(
            readings.ident[rows].tolist(), readings.sensor[rows].tolist(),
            readings.t_ns[rows].tolist(), readings.value[rows].tolist(), strict=True,
        ):  # fmt: skip
            if not abs(azimuth) <= 10.0:
                continue
            known = self._bearings.pop(ident, {})
            known.pop(sensor, None)
            known[sensor] = min(at, t_ns), azimuth
            while len(known) > FINDERS:
                del known[next(iter(known))]
            self._bearings[ident] = known
        for ident, known in list(self._bearings.items()):
            kept = {k: v for k, v in known.items() if t_ns - v[0] <= BEARING_NS}
            if kept:
                self._bearings[ident] = kept
            else:
                del self._bearings[ident]
        while len(self._bearings) > TARGETS:
            del self._bearings[next(iter(self._bearings))]

    def judge(self, t_ns: int, tracks: Tracks, agl: F8, ident: I8) -> tuple[F8, F8, U1]:
        """Pilot of each track: degrees (n, 2), standard deviation m (n,), `PilotSource` (n,).

        agl (n,) height over ground, NaN unknown; ident (n,) claimed, -1 none.
        """
        self._begun(t_ns, tracks, agl)
        place, sd, source = self._carried_back()
        at, cross_sd = self._crossed(ident)
        crossed = np.isfinite(cross_sd)
        place[crossed], sd[crossed] = at[crossed], cross_sd[crossed]
        source[crossed] = PilotSource.BEARINGS
        return place, sd, source

    def state(self) -> dict[str, Any]:
        """What must survive a restart, as plain data."""
        begin = {name: getattr(self._begin, name) for name, *_ in Beginnings.schema()}
        bearings = [(ident, list(known.items())) for ident, known in self._bearings.items()]
        return {"begin": begin, "bearings": bearings}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Put back what `state` gave."""
        begin = state["begin"]
        self._begin = Beginnings(**{n: np.array(begin[n], d) for n, d, *_ in Beginnings.schema()})
        self._bearings = {
            ident: {sensor: (at, azimuth) for sensor, (at, azimuth) in known}
            for ident, known in state["bearings"]
        }

    def _begun(self, t_ns: int, tracks: Tracks, agl: F8) -> None:
        """Carry the sums over to the tracks of this slice, and add to the young ones."""
        made = Beginnings.blank(len(tracks), id=tracks.id, first_ns=tracks.first_ns, sums=0.0)
        order = np.argsort(self._begin.id, kind="stable")
        ids = self._begin.id[order]
        at = np.minimum(np.searchsorted(ids, tracks.id), max(len(ids) - 1, 0))
        known = ids[at] == tracks.id if len(ids) else np.zeros(len(tracks), np.bool_)
        rows = order[at[known]] if len(ids) else order
        made.sums[known] = self._begin.sums[rows]
        made.low[known] = self._begin.low[rows]
        young = (t_ns - tracks.first_ns <= BEGIN_NS) & np.isfinite(agl)
        t = (t_ns - tracks.first_ns) * 1e-9
        one = np.column_stack((np.ones(len(t)), t, t * t))
        xyz = np.column_stack((tracks.x[:, :2], agl))
        terms = np.column_stack((one, xyz, xyz * t[:, None]))
        made.sums[young] += terms[young]
        first = young & np.isnan(made.low)
        made.low[first] = agl[first]
        self._begin = made

    def _carried_back(self) -> tuple[F8, F8, U1]:
        """Where each track's first line meets the ground, degrees; the error grows with height."""
        begin = self._begin
        n, t1, t2 = begin.sums[:, 0], begin.sums[:, 1], begin.sums[:, 2]
        total, moment = begin.sums[:, 3:6], begin.sums[:, 6:9]
        known = n > 0
        count = np.maximum(n, 1.0)
        sxx = t2 - t1 * t1 / count
        slope = (moment - total * (t1 / count)[:, None]) / np.maximum(sxx, 1e-9)[:, None]
        slope[~(sxx > 1.0)] = 0.0  # less than a second: no line yet
        start = total / count[:, None] - slope * (t1 / count)[:, None]
        low = np.maximum(start[:, 2], 0.0)
        climbs = slope[:, 2] > CLIMB_MPS
        back = np.where(climbs, np.minimum(low / np.maximum(slope[:, 2], CLIMB_MPS), BACK_S), 0.0)
        flat = np.column_stack((start[:, :2] - slope[:, :2] * back[:, None], np.zeros(len(n))))
        flat[~known] = 0.0
        lat, lon, _ = self._tile.to_geodetic(flat)
        place = np.where(known[:, None], np.column_stack((lat, lon)), nan)
        sd = np.where(known, np.maximum(LEAST_SD_M, PER_METRE * low), nan)
        source = np.where(known, PilotSource.TRACK, PilotSource.NONE).astype(np.uint8)
        return place, sd, source

    def _crossed(self, ident: I8) -> tuple[F8, F8]:
        """Crossing of the bearings of each identity: degrees (n, 2), standard deviation m (n,)."""
        place, sd = np.full((len(ident), 2), nan), np.full(len(ident), nan)
        if not self._bearings:
            return place, sd
        for k, who in enumerate(ident.tolist()):
            known = self._bearings.get(who)
            if known is None or len(known) < 2:
                continue
            rows = sorted(known)
            azimuth = np.array([known[row][1] for row in rows])
            fix = crossing(self._places[rows], azimuth, np.full(len(rows), BEARING_SD))
            if fix is not None:
                lat, lon, _ = self._tile.to_geodetic(np.array([[fix.east, fix.north, 0.0]]))
                place[k] = lat[0], lon[0]
                sd[k] = np.sqrt(max(np.linalg.eigvalsh(fix.cov)[-1], 0.0))
        return place, sd
