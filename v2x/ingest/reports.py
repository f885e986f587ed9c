"""Rows of vehicles that report themselves at low rate, gathered in Python and turned once a poll.

What `jt808_positions` does in kernels for the hot format is here for its platform-side relatives:
the same rules of place, time and speed, one report at a time.
"""

from functools import lru_cache
from math import cos, hypot, isfinite, isnan, nan, radians, sin
from typing import Any

import numpy as np

from v2x.columns import U1
from v2x.frames import FrameBatch
from v2x.geodesy import undulation, wgs84_from_gcj02
from v2x.ingest.accuracy import isotropic
from v2x.ingest.decoded import Decoded
from v2x.ingest.terminals import FLEET_CONF
from v2x.ingest.timestamps import FUTURE_NS, HOUR, MINUTE, PAST_NS, SECOND, civil_ns
from v2x.observations import Flag, Kind, Observations, ident_of
from v2x.readings import Name, Readings
from v2x.sensors import Datum, SensorTable

GMT8 = 8 * HOUR
_SD_M, _SD_UP_M, _VEL_SD = 5.0, 8.0, 0.5
_CAR_CONF = 0.4
_STANDS_MPS = 0.5
_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

_hash = lru_cache(1 << 16)(ident_of)


def local_ns(year: int, month: int, day: int, hour: int, minute: int, second: int) -> int | None:
    """UTC ns of a time at GMT+8, or None where there is no such time; second 60 is the next one."""
    if not (1 <= month <= 12 and 1 <= day <= _DAYS[month - 1]):
        return None
    if month == 2 and day == 29 and (year % 4 or (year % 100 == 0 and year % 400)):
        return None
    if hour > 23 or minute > 59 or second > 60:
        return None
    return int(civil_ns(year, month, day, (hour * 60 + minute) * 60 + second)) - GMT8


def clock_suspect(t_ns: int, recv_ns: int, *, stored: bool) -> bool:
    """Tell whether a device's clock is not believed: `formats/jt808.py` has the rule."""
    late = recv_ns - t_ns
    if late < -FUTURE_NS or late > PAST_NS:
        return True
    zone = HOUR - MINUTE <= late <= 14 * HOUR + MINUTE
    return zone and (late + MINUTE) % HOUR <= 2 * MINUTE and not stored


class Reports:
    """Observations and readings of one batch, in the order of its frames."""

    def __init__(self, batch: FrameBatch, sensors: SensorTable) -> None:
        self._batch, self._sensors = batch, sensors
        self._rows: list[tuple[Any, ...]] = []
        self._facts: list[tuple[Any, ...]] = []
        self._idents: dict[int, str] = {}
        self.counts: dict[str, int] = {}

    def count(self, name: str) -> None:
        """Count what was skipped inside a good frame."""
        self.counts[name] = self.counts.get(name, 0) + 1

    def _ident(self, text: str) -> int:
        if not text:
            return -1
        made = _hash(text)
        self._idents[made] = text
        return made

    def say(
        self, frame: int, t_ns: int, ident: str, name: Name, value: float, *, text: str = "",
        lat: float = nan, lon: float = nan,
    ) -> None:  # fmt: skip
        """Add a reading."""
        named = self._ident(text)
        self._facts.append((frame, t_ns, self._ident(ident), int(name), value, named, lat, lon))

    def time(self, frame: int, t_ns: int | None, ident: str, flags: int) -> tuple[int, int]:
        """Time of a report and its flags: arrival where it has none; a wild one is said."""
        recv_ns = int(self._batch.recv_ns[frame])
        if t_ns is None:
            return recv_ns, flags | Flag.TIME_FROM_ARRIVAL
        stored = bool(flags & Flag.BACKLOG)
        if clock_suspect(t_ns, recv_ns, stored=stored):
            flags |= Flag.TIME_SUSPECT
            if t_ns > recv_ns or not stored:
                offset_s = (t_ns - recv_ns) / SECOND
                self.say(frame, t_ns, ident, Name.CLOCK_OFFSET_S, offset_s)
        return t_ns, flags

    def place(
        self, frame: int, lat: float, lon: float, flags: int, *, shifted: bool = False
    ) -> tuple[float, float, int]:
        """Degrees WGS-84 of a position; NaN, and counted, where it is none.

        Swapped where only then it lies in China. `shifted`: it is in GCJ-02 and is converted,
        unless its sensor is, whose rows are all converted later.
        """
        if 73.0 <= lat <= 136.0 and 3.0 <= lon <= 54.0:
            lat, lon, flags = lon, lat, flags | Flag.ORDER_GUESSED
        if not (abs(lat) <= 90.0 and abs(lon) <= 180.0):
            self.count("position_off_globe")
            return nan, nan, flags
        if abs(lat) < 0.01 and abs(lon) < 0.01:
            self.count("position_near_zero")
            return nan, nan, flags
        if shifted and self._sensors[int(self._batch.sensor[frame])].datum is not Datum.GCJ02:
            lats, lons = wgs84_from_gcj02(np.array([lat]), np.array([lon]))
            lat, lon, flags = float(lats[0]), float(lons[0]), flags | Flag.DATUM_CONVERTED
        return lat, lon, flags

    def observe(
        self, frame: int, t_ns: int, ident: str, lat: float, lon: float, flags: int, *,
        speed: float = nan, heading_deg: float = nan, amsl: float = nan,
    ) -> None:  # fmt: skip
        """Add a position, degrees WGS-84; m/s, degrees from north, m above mean sea level."""
        east = north = nan
        if isfinite(speed) and isfinite(heading_deg):
            turn = radians(heading_deg)
            east, north = speed * sin(turn), speed * cos(turn)
        elif speed < _STANDS_MPS:
            east = north = 0.0
        kind, conf = int(Kind.CAR), _CAR_CONF
        if ident in self._sensors.fleet:
            kind, conf = self._sensors.fleet[ident], FLEET_CONF
        vel_sd = nan if isnan(hypot(east, north)) else _VEL_SD
        whose = self._ident(ident)
        self._rows.append(
            (frame, t_ns, whose, kind, conf, lat, lon, east, north, vel_sd, flags, amsl)
        )

    def decoded(self, codes: U1) -> Decoded:
        """What was gathered, as columns."""
        made, amsl = self._observations()
        frame, t_ns, ident, name, value, named, lat, lon = _columns(self._facts, 8)
        at = np.array(frame, np.int32)
        readings = Readings.blank(
            len(at), frame=at, t_ns=t_ns, recv_ns=self._batch.recv_ns[at],
            sensor=self._batch.sensor[at], ident=ident, name=name, value=value, ident2=named,
            lat=lat, lon=lon,
        )  # fmt: skip
        return Decoded(made, readings, codes, self._idents, amsl, self.counts)

    def _observations(self) -> tuple[Observations, Any]:
        if not self._rows:
            return Observations.blank(), np.empty(0)
        columns = _columns(self._rows, 12)
        frame, t_ns, ident, kind, conf, lat, lon, east, north, vel_sd, flags, amsl = columns
        at = np.array(frame, np.int32)
        sensor = self._batch.sensor[at]
        y, x, above = np.array(lat), np.array(lon), np.array(amsl)
        height = above + undulation(y, x)
        marks = np.array(flags, np.uint16)
        marks[np.isfinite(above) & np.isnan(height)] |= np.uint16(Flag.DATUM_UNCERTAIN)
        sd, sd_up = (self._sensors.floats(name)[sensor] for name in ("sd_m", "sd_up_m"))
        sd, sd_up = np.where(np.isnan(sd), _SD_M, sd), np.where(np.isnan(sd_up), _SD_UP_M, sd_up)
        vel = np.stack([east, north, np.full(len(at), nan)], 1)
        made = Observations.blank(
            len(at), frame=at, t_ns=t_ns, recv_ns=self._batch.recv_ns[at], sensor=sensor,
            ident=ident, kind=kind, kind_conf=conf, lat=y, lon=x, height=height,
            cov=isotropic(sd, np.where(np.isnan(height), nan, sd_up)), vel=vel, vel_sd=vel_sd,
            flags=marks,
        )  # fmt: skip
        return made, above


def _columns(rows: list[tuple[Any, ...]], width: int) -> tuple[Any, ...]:
    return tuple(zip(*rows, strict=True)) if rows else ((),) * width
