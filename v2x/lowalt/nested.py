"""Nested obstacle surfaces: a drone above several of them is one matter, told under one name.

The name stays as long as the drone is above any of them, so that the way from one surface to the
next is no new alert; which one is lowest now is told beside it.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from v2x.columns import F8, I4, I8
from v2x.lowalt.claims import SECOND

QUIET_NS = 5 * SECOND


class Heads:
    """Zone that speaks for all nested ones of each track."""

    def __init__(self) -> None:
        self._heads: dict[int, tuple[str, int]] = {}

    def take(
        self, t_ns: int, id: I8, point: I4, zone: I4, urgency: F8, zone_ids: Sequence[str]
    ) -> I4:
        """Zone row that speaks for each pair (k,), -1 where none can.

        Parameters
        ----------
        t_ns, id
            The slice; track ids (n,).
        point, zone, urgency
            (k,) pairs of tracks and nested zones, sorted by track. The most urgent of a track's
            zones, of equals the first, becomes its head if it has none.
        zone_ids
            Names of zone rows.
        """
        rows = {name: row for row, name in enumerate(zone_ids)}
        gone = [
            track
            for track, (name, last_ns) in self._heads.items()
            if t_ns - last_ns > QUIET_NS or name not in rows
        ]
        for track in gone:
            del self._heads[track]
        head = np.full(len(point), -1, np.int32)
        order = np.lexsort((zone, -urgency, point))
        for k in order[np.diff(point[order], prepend=-1) != 0].tolist():
            track = int(id[point[k]])
            name = self._heads.get(track, (zone_ids[zone[k]], 0))[0]
            self._heads[track] = name, t_ns
            head[point == point[k]] = rows[name]
        return head

    def state(self) -> list[Any]:
        """What must survive a restart."""
        return [(track, name, last_ns) for track, (name, last_ns) in self._heads.items()]

    def restore(self, state: list[Any]) -> None:
        """Put back what `state` gave."""
        self._heads = {track: (name, last_ns) for track, name, last_ns in state}
