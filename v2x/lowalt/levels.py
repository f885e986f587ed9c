"""Heights that need something learnt first: above take-off, and pressure altitudes.

A drone that gives its height above take-off only is at ``h0 + r``; h0 is learnt from moments when
it gave both heights (constant in flight: the median), else from where it stood on the ground, else
it is the ground under its first place, good to 20 m: it may have started from a roof.

A pressure altitude p is a height ``p + b`` with one slowly varying b for the region: the median
over the last 30 minutes of what emitters that send both show, three of them at least, so that no
single one decides; else from a configured QNH, 8.3 m per hPa near the ground. Without either it
is no height: 990 to 1045 hPa are +195 to -261 m.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from v2x.columns import F8, I8
from v2x.geodesy import undulation
from v2x.lowalt.claims import ON_GROUND
from v2x.lowalt.terrain import Ground
from v2x.observations import Flag, Observations
from v2x.readings import Name, Readings

SECOND = 1_000_000_000
SPAN_NS = 1800 * SECOND
EMITTERS = 3
MIN_SD_M = 3.0
"""The air over a region is no plane, and what is sent is rounded. Ours."""
QNH_SD_M = 10.0
"""A QNH is of the airport's hour; temperature moves a height by 4 % in winter. Ours."""
STANDARD_HPA, METRES_PER_HPA = 1013.25, 8.3
SAMPLE_NS = 10 * SECOND
"""An emitter's newest difference counts once in this time."""
SAMPLES, MOST_EMITTERS = 180, 1024
TAKE_OFFS, BOTH = 4096, 9
"""Drones whose take-off is remembered, and samples of one."""
ROOF_SD_M = 20.0
BAROMETRIC = int(Flag.HEIGHT_BAROMETRIC)


class Levels:
    """What was learnt of take-off heights and of the region's air pressure.

    Parameters
    ----------
    lat, lon
        Of the region, degrees: where a configured QNH is turned into a height.
    ground
        Ground above sea level, by place.
    qnh_hpa
        Configured, NaN none.
    """

    def __init__(
        self, lat: float, lon: float, ground: Ground, qnh_hpa: float = float("nan")
    ) -> None:
        self._ground = ground
        geoid = float(undulation(np.array([lat]), np.array([lon]))[0])
        self._qnh_b = METRES_PER_HPA * (qnh_hpa - STANDARD_HPA) + geoid
        self._shown: dict[int, list[tuple[int, float]]] = {}
        self._both: dict[int, list[float]] = {}
        self._stood: dict[int, float] = {}
        self._first: dict[int, float] = {}
        self._pressure: dict[int, tuple[int, float]] = {}
        self._b: tuple[float, float] | None = None

    def offset(self) -> tuple[float, float]:
        """Return b and its standard deviation, m; NaN unknown."""
        if self._b is None:
            self._b = self._learnt()
        return self._b

    def take_off(self, ident: int) -> tuple[float, float]:
        """Height above the ellipsoid of a drone's take-off and its sd, m; NaN unknown."""
        both = self._both.get(ident)
        if both:
            middle = float(np.median(both))
            spread = 1.4826 * float(np.median(np.abs(np.array(both) - middle)))
            return middle, max(1.0, spread)
        if ident in self._stood:
            return self._stood[ident], MIN_SD_M
        return self._first.get(ident, float("nan")), ROOF_SD_M

    def pressure(self, idents: I8, t_ns: int, life_ns: int) -> F8:
        """(n,) last pressure altitude of each identity where no b makes a height of it, m."""
        made = np.full(len(idents), np.nan)
        if np.isnan(self.offset()[0]):
            for k, ident in enumerate(idents.tolist()):
                at, height = self._pressure.get(ident, (0, float("nan")))
                if t_ns - at <= life_ns:
                    made[k] = height
        return made

    def complete(self, t_ns: int, rows: Observations, readings: Readings) -> Observations:
        """Rows of a slice with heights where something learnt gives one, and learn from them.

        A barometric height without b is taken out: it is none. Rows keep their flags, and keep all
        else.
        """
        words = self._words(readings)
        self._forget(t_ns)
        for ident, at, shown in self._differences(readings):
            self._show(ident, at, shown)
        baro = (rows.flags & BAROMETRIC) != 0
        told = np.array([ident for said in words.values() for ident, _ in said], np.int64)
        if not (len(told) or baro.any()):
            return rows
        mine = np.flatnonzero(np.isin(rows.ident, told) & ~baro)
        self._learn(rows, mine, words)
        above = mine[np.isnan(rows.height[mine])]
        height, cov = rows.height.copy(), rows.cov.copy()
        under_pressure = np.flatnonzero(baro)
        self._barometric(t_ns, rows, under_pressure, words[Name.PRESSURE_ALTITUDE], height, cov)
        above = np.concatenate((above, under_pressure))
        self._above_take_off(rows, above, words[Name.HEIGHT_TAKEOFF], height, cov)
        return replace(rows, height=height, cov=cov)

    def state(self) -> dict[str, Any]:
        """What must survive a restart, as plain data."""
        return {
            "shown": [(ident, list(shown)) for ident, shown in self._shown.items()],
            "both": [(ident, list(both)) for ident, both in self._both.items()],
            "stood": list(self._stood.items()),
            "first": list(self._first.items()),
            "pressure": [(ident, *last) for ident, last in self._pressure.items()],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Put back what `state` gave."""
        self._shown = {ident: [(at, d) for at, d in shown] for ident, shown in state["shown"]}
        self._both = {ident: list(both) for ident, both in state["both"]}
        self._stood = {ident: height for ident, height in state["stood"]}
        self._first = {ident: height for ident, height in state["first"]}
        self._pressure = {ident: (at, p) for ident, at, p in state["pressure"]}
        self._b = None

    def _words(self, readings: Readings) -> dict[int, dict[tuple[int, int], float]]:
        """Values by name and (identity, time)."""
        made: dict[int, dict[tuple[int, int], float]] = {
            Name.HEIGHT_TAKEOFF: {}, Name.PRESSURE_ALTITUDE: {}, Name.RID_STATUS: {},
        }  # fmt: skip
        rows = np.flatnonzero(np.isin(readings.name, list(made)) & (readings.ident >= 0))
        r = readings.take(rows)
        for name, ident, at, value in zip(
            r.name.tolist(), r.ident.tolist(), r.t_ns.tolist(), r.value.tolist(), strict=True
        ):
            made[name][ident, at] = value
        return made

    def _learn(
        self, rows: Observations, mine: I8, words: dict[int, dict[tuple[int, int], float]]
    ) -> None:
        pressure, takeoff = words[Name.PRESSURE_ALTITUDE], words[Name.HEIGHT_TAKEOFF]
        status = words[Name.RID_STATUS]
        for i, key in zip(mine.tolist(), _keys(rows, mine), strict=True):
            height = float(rows.height[i])
            if key in takeoff and key[0] not in self._first:
                place = rows.lat[i : i + 1], rows.lon[i : i + 1]
                self._first[key[0]] = float((undulation(*place) + self._ground.at(*place).amsl)[0])
            if not np.isfinite(height):
                continue
            if key in pressure:
                self._show(key[0], key[1], height - pressure[key])
            if key in takeoff:
                both = self._both.setdefault(key[0], [])
                both.append(height - takeoff[key])
                del both[:-BOTH]
            if status.get(key) == ON_GROUND:
                self._stood[key[0]] = height
        tables: tuple[dict[int, Any], ...] = (self._both, self._stood, self._first)
        for table in tables:
            while len(table) > TAKE_OFFS:
                del table[next(iter(table))]

    def _differences(self, readings: Readings) -> list[tuple[int, int, float]]:
        rows = np.flatnonzero((readings.name == Name.GEO_MINUS_BARO_M) & (readings.ident >= 0))
        r = readings.take(rows)
        return list(zip(r.ident.tolist(), r.t_ns.tolist(), r.value.tolist(), strict=True))

    def _show(self, ident: int, at: int, difference: float) -> None:
        if not np.isfinite(difference):
            return
        shown = self._shown.setdefault(ident, [])
        if shown and abs(at - shown[-1][0]) < SAMPLE_NS:
            return
        shown.append((at, difference))
        del shown[:-SAMPLES]
        self._b = None
        while len(self._shown) > MOST_EMITTERS:
            del self._shown[next(iter(self._shown))]

    def _forget(self, t_ns: int) -> None:
        for ident, shown in list(self._shown.items()):
            if t_ns - shown[0][0] > SPAN_NS:
                shown[:] = [one for one in shown if t_ns - one[0] <= SPAN_NS]
                self._b = None
                if not shown:
                    del self._shown[ident]

    def _learnt(self) -> tuple[float, float]:
        if len(self._shown) >= EMITTERS:
            each = np.array([np.median([d for _, d in s]) for s in self._shown.values()])
            b = float(np.median(each))
            return b, max(MIN_SD_M, 1.4826 * float(np.median(np.abs(each - b))))
        return self._qnh_b, QNH_SD_M

    def _barometric(
        self, t_ns: int, rows: Observations, baro: I8, said: dict[tuple[int, int], float],
        height: F8, cov: F8,
    ) -> None:  # fmt: skip
        b, sd = self.offset()
        for i, key in zip(baro.tolist(), _keys(rows, baro), strict=True):
            p = float(rows.height[i]) if np.isfinite(rows.height[i]) else said.get(key, np.nan)
            height[i] = p + b
            cov[i, 5] = sd * sd if np.isfinite(height[i]) else np.nan
            if key[0] >= 0 and np.isfinite(p):
                self._pressure.pop(key[0], None)
                self._pressure[key[0]] = (min(key[1], t_ns), p)
        while len(self._pressure) > TAKE_OFFS:
            del self._pressure[next(iter(self._pressure))]

    def _above_take_off(
        self, rows: Observations, above: I8, said: dict[tuple[int, int], float],
        height: F8, cov: F8,
    ) -> None:  # fmt: skip
        for i, key in zip(above.tolist(), _keys(rows, above), strict=True):
            h0, sd = self.take_off(key[0])
            if key in said and np.isfinite(h0) and not cov[i, 5] <= sd * sd:
                height[i], cov[i, 5] = h0 + said[key], sd * sd


def _keys(rows: Observations, at: I8) -> list[tuple[int, int]]:
    """Identity and time of some rows: by them readings of one frame are found."""
    return list(zip(rows.ident[at].tolist(), rows.t_ns[at].tolist(), strict=True))
