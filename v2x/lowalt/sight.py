"""How likely a live sensor sees an object at a place: what losing it there is worth."""

import numpy as np

from v2x import polygons
from v2x.columns import B1, F8, I4, I8
from v2x.sensors import INDEPENDENT, SensorTable


class Sight:
    """Detection probability of all sensors that need no help of the object, by place."""

    def __init__(self, sensors: SensorTable) -> None:
        self._rows = np.array(
            [row for row, sensor in enumerate(sensors.sensors) if sensor.kind in INDEPENDENT],
            np.int64,
        )
        chosen = [sensors[row] for row in self._rows.tolist()]
        self._everywhere = np.array([not sensor.coverage for sensor in chosen], np.bool_)
        self._p = np.array([sensor.p_detect for sensor in chosen])
        self._floor = np.array([sensor.floor_m for sensor in chosen])
        self._ceiling = np.array([sensor.ceiling_m for sensor in chosen])
        self._index = polygons.build(
            [[np.array(s.coverage)] if s.coverage else [] for s in chosen], cell_m=250.0
        )

    def p_detect(self, flat: F8, hae: F8, live: B1) -> F8:
        """(n,) probability that one of the live sensors that cover a place sees an object there.

        flat (n, 2) tile metres, hae (n,) m above the ellipsoid, live (sensors,). A sensor without
        coverage sees everywhere; at an unknown height one sees if its band has no end.
        """
        missed = np.ones(len(flat))
        alive = live[self._rows]
        for k in np.flatnonzero(alive & self._everywhere).tolist():
            missed *= 1.0 - self._p[k] * self._in_band(hae, np.full(len(hae), k))
        if (alive & ~self._everywhere).any():
            point, sensor = self._index.inside(flat, active=alive.astype(np.uint8))
            seen = self._p[sensor] * self._in_band(hae[point], sensor)
            np.multiply.at(missed, point, 1.0 - seen)
        return 1.0 - missed

    def _in_band(self, hae: F8, sensor: I4 | I8) -> B1:
        floor, ceiling = self._floor[sensor], self._ceiling[sensor]
        endless = (floor <= -1e9) & (ceiling >= 1e9)
        within: B1 = endless | ((hae >= floor) & (hae <= ceiling))
        return within
