"""Ghosts: claims where sensors should see a drone and see none, and who sends them.

One transmitter can invent any number of drones. What gives it away is that all of them reach a
receiver with one power: ghosts are grouped by the receiver that hears them best, and by power where
it is measured, so that a thousand of them are one fact and not a thousand.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from v2x import polygons
from v2x.columns import B1, F8, I4, I8
from v2x.lowalt.spoofing import RANGE_DB
from v2x.sensors import INDEPENDENT, SensorKind, SensorTable

SECOND = 1_000_000_000
SURE = 0.95
"""So likely to be seen, a claim with nothing there is a ghost."""
LOOKS = 3
"""Looks of one sensor that are counted: its misses follow each other (shadow, clutter map), so
that ten of them prove little more than a few. Ours."""
WITHIN_S = 5.0
GROUP, GROUP_BY_POWER = 3, 5
"""Ghosts of one transmitter that are one group; and identities that no sensor could see, but
whose power says that they are one transmitter."""
POWER_GAP_DB, POWER_ALIKE_DB = 3.0, 2.0
"""Next to each other in power; and the standard deviation up to which a group is one power."""
RANGE_SD_DB = RANGE_DB / 2.0
"""Claimed ranges that vary by more than this (standard deviation) cannot all have one power."""
NEW_PER_SECOND = 20
"""New identities that are let in per receiver and second of event time."""
FLOOD_NS = 10 * SECOND
"""Refusing for so long is a flood: 200 honest drones that are switched on at once are all in by
then. And so long after the last refusal it is over."""


class Sight:
    """How likely sensors that need no help of an object see one at a place."""

    def __init__(self, sensors: SensorTable) -> None:
        self._rows = np.array(
            [k for k, s in enumerate(sensors.sensors) if s.kind in INDEPENDENT and s.scans],
            np.int64,
        )
        chosen = [sensors[k] for k in self._rows.tolist()]
        self._everywhere = np.array([not s.coverage for s in chosen], np.bool_)
        self._floor = np.array([s.floor_m for s in chosen])
        self._ceiling = np.array([s.ceiling_m for s in chosen])
        period = np.array([s.period_s for s in chosen])
        looks = WITHIN_S / np.where(period > 0.0, period, 1.0)
        looks = np.clip(np.floor(looks), 1.0, LOOKS)
        self._miss = np.power(1.0 - np.array([s.p_detect for s in chosen]), looks)
        self._index = polygons.build(
            [[np.array(s.coverage)] if s.coverage else [] for s in chosen], cell_m=250.0
        )

    def p_seen(self, flat: F8, hae: F8, live: B1) -> F8:
        """Probability (n,) that some live sensor saw what is at the place within `WITHIN_S`.

        flat (n, 2) m in the tile, hae (n,) m, NaN unknown: only a sensor without floor and ceiling
        covers that; live (sensors,).
        """
        missed = np.ones(len(flat))
        alive = live[self._rows]
        for k in np.flatnonzero(alive & self._everywhere).tolist():
            missed[self._in_band(hae, np.full(len(hae), k))] *= self._miss[k]
        if (alive & ~self._everywhere).any():
            point, sensor = self._index.inside(flat, active=alive.view(np.uint8))
            kept = self._in_band(hae[point], sensor)
            np.multiply.at(missed, point[kept], self._miss[sensor[kept]])
        return 1.0 - missed

    def _in_band(self, hae: F8, sensor: NDArray[Any]) -> B1:
        floor, ceiling = self._floor[sensor], self._ceiling[sensor]
        endless = (floor <= -1e9) & (ceiling >= 1e9)
        in_band: B1 = endless | ((hae >= floor) & (hae <= ceiling))
        return in_band


class Suspects(NamedTuple):
    """Identities that no sensor vouches for, one a row."""

    receiver: I8
    """(n,) sensor row of the receiver that hears it best, or first if powers are not measured."""
    power: F8
    """(n,) dBm there, mean of the last 10 s; NaN not measured."""
    log_range: F8
    """(n,) 20 log10 of the claimed range to it, mean; NaN unknown."""
    unseen: B1
    """(n,) it claims to be where sensors should see it, and see nothing."""


def transmitters(suspects: Suspects) -> list[NDArray[np.intp]]:
    """Rows of suspects that seem to be one transmitter, by receiver and rising power.

    At each receiver they are cut where the next is `POWER_GAP_DB` stronger; those without a power
    are one lot. `GROUP` unseen ones are a group. Of those that could not be seen it takes
    `GROUP_BY_POWER` that have one power although their claimed ranges vary: honest drones at one
    range, a swarm, differ in neither.
    """
    found: list[NDArray[np.intp]] = []
    for receiver in np.unique(suspects.receiver).tolist():
        rows = np.flatnonzero(suspects.receiver == receiver)
        rows = rows[np.argsort(suspects.power[rows], kind="stable")]  # not measured: last
        gaps = ~(np.diff(suspects.power[rows]) <= POWER_GAP_DB)
        unmeasured = np.isnan(suspects.power[rows])
        gaps &= ~(unmeasured[1:] & unmeasured[:-1])
        for lot in np.split(rows, np.flatnonzero(gaps) + 1):
            unseen = lot[suspects.unseen[lot]]
            if len(unseen) >= GROUP:
                found.append(unseen)
            elif len(lot) >= GROUP_BY_POWER:
                spread = np.std(suspects.log_range[lot])
                if np.std(suspects.power[lot]) <= POWER_ALIKE_DB and spread > RANGE_SD_DB:
                    found.append(lot)
    return found


class Admission:
    """Lets at most `NEW_PER_SECOND` new identities per receiver and second into the tables."""

    def __init__(self, sensors: SensorTable) -> None:
        self._receiver = sensors.kinds() == SensorKind.REMOTE_ID
        n = len(sensors)
        self._second: I8 = np.full(n, -1, np.int64)
        self._new: I8 = np.zeros(n, np.int64)
        self.flood_ns: I8 = np.full(n, -FLOOD_NS - 1, np.int64)
        self.refused: I8 = np.zeros(n, np.int64)
        """Per sensor: when it last had one too many, and how many in this flood."""
        self._began_ns: I8 = np.zeros(n, np.int64)

    def admit(self, t_ns: int, sensor: I4, ident: I8, known: B1) -> B1:
        """Which rows (n,) of a slice may go into the tables.

        sensor, ident (n,); known (n,) the identity is in the tables already. Rows without an
        identity, and of other sensors than Remote ID receivers, pass.
        """
        passes: B1 = known | (ident < 0) | ~self._receiver[sensor]
        second = t_ns // SECOND
        let_in: set[int] = set()
        counted: set[tuple[int, int]] = set()
        for k in np.flatnonzero(~passes).tolist():
            who, by = int(ident[k]), int(sensor[k])
            if self._second[by] != second:
                self._second[by], self._new[by] = second, 0
            if who not in let_in and self._new[by] < NEW_PER_SECOND:
                self._new[by] += 1
                let_in.add(who)
            passes[k] = who in let_in
            if not passes[k] and (who, by) not in counted:
                counted.add((who, by))
                if t_ns - self.flood_ns[by] > FLOOD_NS:
                    self.refused[by], self._began_ns[by] = 0, t_ns
                self.flood_ns[by] = t_ns
                self.refused[by] += 1
        return passes

    def floods(self, t_ns: int) -> list[int]:
        """Sensor rows of the receivers that a flood reaches, or did within `FLOOD_NS`."""
        lasts = self.flood_ns - self._began_ns >= FLOOD_NS
        return np.flatnonzero((t_ns - self.flood_ns <= FLOOD_NS) & lasts).tolist()

    def refusing(self, t_ns: int) -> bool:
        """Whether an identity that is not known may be one that was not let in."""
        return bool((t_ns - self.flood_ns <= FLOOD_NS).any())

    def state(self) -> dict[str, Any]:
        """What must survive a restart."""
        return {
            "second": self._second, "new": self._new, "flood_ns": self.flood_ns,
            "refused": self.refused, "began_ns": self._began_ns,
        }  # fmt: skip

    def restore(self, state: dict[str, Any]) -> None:
        """Put back what `state` gave."""
        self._second[:], self._new[:] = state["second"], state["new"]
        self.flood_ns[:], self.refused[:] = state["flood_ns"], state["refused"]
        self._began_ns[:] = state["began_ns"]
