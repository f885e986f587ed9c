"""Aircraft whose own positions are not to be trusted: they exempt nobody, they may only warn.

Either they say so (NACp below 7: worse than 0.1 NM, and 0 while satellite navigation is lost), or
their positions imply a speed that nothing here flies at.
"""

from math import cos, hypot, radians
from typing import Any

import numpy as np

from v2x.columns import B1, I8
from v2x.lowalt.claims import CLAIM_LIFE_NS
from v2x.observations import Observations
from v2x.readings import Name, Readings
from v2x.sensors import SensorKind, SensorTable

LEAST_NACP = 7
JUMP_MPS = 400.0
NOISE_M = 200.0
"""Two honest positions of NACp 7 may lie this far apart (185 m at 95 %)."""
METRES_PER_DEGREE = 111_195.0
MOST = 4096


class Trust:
    """What is known of the positions that aircraft send; oldest out first.

    Per identity: when its NACp was too low, where it was last, when it jumped; ns, -1 never.
    """

    def __init__(self, sensors: SensorTable) -> None:
        self._adsb = sensors.kinds() == SensorKind.ADS_B
        self._low: dict[int, int] = {}
        self._last: dict[int, tuple[int, float, float]] = {}
        self._jumped: dict[int, int] = {}

    def hear(self, t_ns: int, readings: Readings, rows: Observations) -> None:
        """Take in the readings and rows of a slice."""
        for table in (self._low, self._jumped):
            for ident in [i for i, ns in table.items() if t_ns - ns > CLAIM_LIFE_NS]:
                del table[ident]
        told = np.flatnonzero((readings.name == Name.NACP) & (readings.ident >= 0))
        for ident, nacp in zip(
            readings.ident[told].tolist(), readings.value[told].tolist(), strict=True
        ):
            if nacp < LEAST_NACP:
                self._low[ident] = t_ns
            else:
                self._low.pop(ident, None)
        mine = np.flatnonzero(self._adsb[rows.sensor] & (rows.ident >= 0) & np.isfinite(rows.lat))
        columns = (rows.ident, rows.t_ns, rows.lat, rows.lon)
        for ident, at, lat, lon in zip(*(c[mine].tolist() for c in columns), strict=True):
            before = self._last.get(ident)
            if before is not None and before[0] >= at:
                continue
            if before is not None and at - before[0] <= CLAIM_LIFE_NS:
                north = (lat - before[1]) * METRES_PER_DEGREE
                east = (lon - before[2]) * METRES_PER_DEGREE * cos(radians(lat))
                if hypot(east, north) > JUMP_MPS * (at - before[0]) / 1e9 + NOISE_M:
                    self._jumped[ident] = t_ns
            self._last.pop(ident, None)
            self._last[ident] = at, lat, lon
        while len(self._last) > MOST:
            del self._last[next(iter(self._last))]

    def doubtful(self, idents: I8) -> B1:
        """(n,) identities whose positions are not to be trusted now."""
        if not (self._low or self._jumped):
            return np.zeros(len(idents), np.bool_)
        found = [i in self._low or i in self._jumped for i in idents.tolist()]
        return np.array(found, np.bool_)

    def state(self) -> dict[str, Any]:
        """What must survive a restart."""
        return {
            "low": list(self._low.items()),
            "last": [(ident, *where) for ident, where in self._last.items()],
            "jumped": list(self._jumped.items()),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Put back what `state` gave."""
        self._low = {ident: ns for ident, ns in state["low"]}
        self._last = {ident: (at, lat, lon) for ident, at, lat, lon in state["last"]}
        self._jumped = {ident: ns for ident, ns in state["jumped"]}
