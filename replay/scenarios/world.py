"""The world of the demo drive: the kinematics tables as paths that can be asked for any time.

Columns, frame and origin of the tables are in ``kinematics/README.md``. Places are (east, north)
on the tile's plane and a height above the ellipsoid, which is not the plane's up: `geodetic` turns
them into degrees.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from typing import NamedTuple

import numpy as np

from v2x.columns import F8
from v2x.geodesy import Tile

ORIGIN = (39.1244, 117.3460, 0.0)
GROUND_HAE_M = -5.0
DURATION_S = 300.0

_EARTH_M = 6_371_000.0
_AIR_KINDS = {"airliner": "aircraft"}


class States(NamedTuple):
    """Truth at n times: place (n, 3) m east, north, HAE; vel (n, 3) m/s; heading (n,) rad."""

    place: F8
    vel: F8
    heading: F8


@dataclass(frozen=True)
class Path:
    """Where one object is from its first row to its last, straight between rows.

    Attributes
    ----------
    t_s
        (n,) seconds from the start of the drive.
    place
        (n, 3) metres east, north, above the ellipsoid.
    vel
        (n, 3) m/s, of what flies; empty for road users.
    speed, heading
        (n,) m/s and radians clockwise from north without jumps, of road users; empty for what
        flies, since a hovering drone has none.
    length_m, width_m
        Of road users; NaN for what flies.
    """

    name: str
    kind: str
    t_s: F8
    place: F8
    vel: F8
    speed: F8
    heading: F8
    length_m: float
    width_m: float

    @property
    def flies(self) -> bool:
        """Whether it is a drone or an aircraft."""
        return len(self.speed) == 0

    def alive(self, t_s: F8) -> F8:
        """Those of the times at which it exists."""
        there: F8 = t_s[(t_s >= self.t_s[0]) & (t_s <= self.t_s[-1])]
        return there

    def at(self, t_s: F8) -> States:
        """States at times within its life."""
        place = _between(t_s, self.t_s, self.place)
        if self.flies:
            vel = _between(t_s, self.t_s, self.vel)
            return States(place, vel, np.arctan2(vel[:, 0], vel[:, 1]))
        speed = np.interp(t_s, self.t_s, self.speed)
        heading = np.interp(t_s, self.t_s, self.heading)
        along = np.stack((np.sin(heading), np.cos(heading), np.zeros(len(heading))), 1)
        return States(place, speed[:, None] * along, heading)


@dataclass(frozen=True)
class World:
    """Paths in the order of the tables, in the tile they are written for."""

    tile: Tile
    road: tuple[Path, ...]
    air: tuple[Path, ...]

    def named(self, name: str) -> Path:
        """Path of that object."""
        return next(path for path in (*self.road, *self.air) if path.name == name)


def load() -> World:
    """Read the tables."""
    road, air = [], []
    for name, rows in _objects("road.csv"):
        t, east, north, heading, speed, length, width = (
            np.array([float(row[c]) for row in rows])
            for c in (
                "t_s", "east_m", "north_m", "heading_deg", "speed_mps", "length_m", "width_m",
            )
        )  # fmt: skip
        place = np.stack((east, north, np.full(len(t), GROUND_HAE_M)), 1)
        unwrapped = np.unwrap(np.radians(heading))
        kind = rows[0]["kind"]
        road.append(
            Path(
                name,
                kind,
                t,
                place,
                np.zeros((0, 3)),
                speed,
                unwrapped,
                float(length[0]),
                float(width[0]),
            )
        )
    none = np.zeros(0)
    for table in ("drones.csv", "airliner.csv"):
        for name, rows in _objects(table):
            t = np.array([float(row["t_s"]) for row in rows])
            place, vel = (
                np.array([[float(row[c]) for c in columns] for row in rows])
                for columns in (("east_m", "north_m", "up_m"), ("ve_mps", "vn_mps", "vu_mps"))
            )
            kind = _AIR_KINDS.get(name, "uas")
            air.append(Path(name, kind, t, place, vel, none, none, np.nan, np.nan))
    return World(Tile(*ORIGIN), tuple(road), tuple(air))


def geodetic(tile: Tile, place: F8) -> tuple[F8, F8]:
    """Latitude and longitude of places (n, 3): east, north and height above the ellipsoid.

    The plane's up is found from the height in three rounds, to 1e-6 m within 30 km.
    """
    enu = place.copy()
    enu[:, 2] -= (place[:, 0] ** 2 + place[:, 1] ** 2) / (2.0 * _EARTH_M) + tile.h0
    for _ in range(3):
        lat, lon, hae = tile.to_geodetic(enu)
        enu[:, 2] += place[:, 2] - hae
    return lat, lon


def table(name: str) -> str:
    """Text of a file beside the tables."""
    folder = resources.files("replay") / "scenarios" / "kinematics"
    return (folder / name).read_text("utf-8")


def _objects(name: str) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Rows by object, objects in the order in which they appear."""
    found: dict[str, list[dict[str, str]]] = {}
    for row in csv.DictReader(table(name).splitlines()):
        found.setdefault(row["object"], []).append(row)
    yield from found.items()


def _between(t_s: F8, at_s: F8, values: F8) -> F8:
    return np.stack([np.interp(t_s, at_s, column) for column in values.T], 1)
