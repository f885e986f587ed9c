"""Swarms: drones that fly together, and that no plan announced.

Once a second of event time, for a swarm is not a matter of one slice; in between the members stay.
"""

from typing import Any, NamedTuple

import numpy as np

from v2x.columns import B1, F8, I4, I8
from v2x.geodesy import Tile
from v2x.jit import kernel
from v2x.picture import GroupKind, Groups

RADIUS_M = 150.0
"""A swarm is what lies in a circle of 300 m across about one of its members."""
SPREAD_MPS = 5.0
"""Its velocities differ from that member's by less."""
RAISE, KEEP = 5, 3
SECOND = 1_000_000_000


@kernel
def flocks(x: F8, radius: float, spread: float, least: int, count: I4, label: I4) -> int:
    """Label flocks, the fullest circle first; how many there are.

    x (n, 4) m and m/s, NaN stands alone; count, label (n,) filled in place: neighbours of each with
    itself, and its flock from 0 on, -1 none. Circles about members, equal ones in the order of x; a
    member of one flock is in no other, and fewer than `least` are none.
    """
    n = x.shape[0]
    for i in range(n):
        label[i] = -1
        count[i] = 0
        for j in range(n):
            count[i] += _near(x, i, j, radius, spread)
    made = 0
    for size in range(n, least - 1, -1):
        for i in range(n):
            if count[i] != size or label[i] >= 0:
                continue
            left = 0
            for j in range(n):
                if label[j] < 0 and _near(x, i, j, radius, spread):
                    left += 1
            if left < least:
                continue
            if left < size:  # some went to a fuller circle: its turn comes by what is left
                count[i] = left
                continue
            for j in range(n):
                if label[j] < 0 and _near(x, i, j, radius, spread):
                    label[j] = made
            made += 1
    return made


@kernel
def _near(x: F8, i: int, j: int, radius: float, spread: float) -> bool:
    e, n = x[i, 0] - x[j, 0], x[i, 1] - x[j, 1]
    u, v = x[i, 2] - x[j, 2], x[i, 3] - x[j, 3]
    return bool(e * e + n * n <= radius * radius and u * u + v * v < spread * spread)


class Flock(NamedTuple):
    """One swarm: what it is known by, and the track ids of its members."""

    key: int
    members: frozenset[int]


class Swarms:
    """Swarms of one airspace, by a key that stays while members stay."""

    def __init__(self, tile: Tile) -> None:
        self._tile = tile
        self._flocks: list[Flock] = []
        self._second = -1

    def judge(self, t_ns: int, ids: I8, x: F8, unplanned: B1) -> tuple[Groups, I4]:
        """Swarms at the end of a slice, and which of them each track (n,) is in, -1 none.

        ids (n,), x (n, 6) m and m/s of tracks; unplanned (n,) drones in the air without a plan.
        """
        rows = np.flatnonzero(unplanned)
        rows = rows[np.argsort(ids[rows])]
        if t_ns // SECOND != self._second:
            self._second = t_ns // SECOND
            self._flocks = self._found(ids[rows], x[rows][:, [0, 1, 3, 4]])
        swarm = np.full(len(ids), -1, np.int32)
        made: list[tuple[int, int, float, float, float, float]] = []
        for flock in self._flocks:
            mine = rows[np.isin(ids[rows], list(flock.members))]
            if not len(mine):
                continue
            swarm[mine] = len(made)
            middle, mean = x[mine, :2].mean(axis=0), x[mine, 3:5].mean(axis=0)
            lat, lon, _ = self._tile.to_geodetic(np.array([[*middle, 0.0]]))
            radius = np.linalg.norm(x[mine, :2] - middle, axis=1).max()
            spread = np.sqrt(np.square(x[mine, 3:5] - mean).sum(axis=1).mean())
            made.append((flock.key, len(mine), lat[0], lon[0], radius, spread))
        if not made:
            return Groups.blank(), swarm
        key, size, lats, lons, radii, spreads = zip(*made, strict=True)
        groups = Groups.blank(
            len(made), kind=GroupKind.SWARM, key=key, size=size, lat=lats, lon=lons, radius_m=radii,
            value=spreads,
        )  # fmt: skip
        return groups, swarm

    def state(self) -> dict[str, Any]:
        """What must survive a restart."""
        return {
            "flocks": [(f.key, sorted(f.members)) for f in self._flocks],
            "second": self._second,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Put back what `state` gave."""
        self._flocks = [Flock(key, frozenset(members)) for key, members in state["flocks"]]
        self._second = state["second"]

    def _found(self, ids: I8, x: F8) -> list[Flock]:
        """Flocks of now; each takes the key of the old one that shares most members with it."""
        if len(ids) < KEEP:
            return []
        count, label = np.empty(len(ids), np.int32), np.empty(len(ids), np.int32)
        n = flocks(np.ascontiguousarray(x), RADIUS_M, SPREAD_MPS, KEEP, count, label)
        now = [frozenset(ids[label == k].tolist()) for k in range(n)]
        shared = sorted(
            (
                (-len(old.members & members), old.key, k)
                for old in self._flocks
                for k, members in enumerate(now)
                if old.members & members
            )
        )
        keys: dict[int, int] = {}
        for _, key, k in shared:
            if k not in keys and key not in keys.values():
                keys[k] = key
        used = set(keys.values())
        for k, members in enumerate(now):
            if k not in keys:
                keys[k] = min(members - used)
                used.add(keys[k])
        return [Flock(keys[k], members) for k, members in enumerate(now)]
