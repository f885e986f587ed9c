"""What the pipeline remembers of devices: when each was heard, and what each said last."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from v2x.columns import F8, I8
from v2x.ingest.reorder import Slice
from v2x.ingest.timestamps import SECOND
from v2x.picture import Devices, Latest
from v2x.readings import Name, Readings
from v2x.sensors import SensorTable

_ROOM = 64


class Heard:
    """When each sensor's newest frame arrived: the columns of `Devices`."""

    def __init__(self, sensors: SensorTable) -> None:
        n = len(sensors)
        self.last_ns: I8 = np.full(n, -1, np.int64)
        self.period_s: F8 = sensors.floats("period_s")
        self.since_ns = -1

    def state(self) -> dict[str, Any]:
        """What must survive a restart, as plain data."""
        return {"last_ns": self.last_ns, "since_ns": self.since_ns}

    def restore(self, state: dict[str, Any]) -> None:
        """Put back what `state` gave, for the same sensors."""
        self.last_ns, self.since_ns = state["last_ns"], state["since_ns"]

    def devices(self, piece: Slice) -> Devices:
        """State of every sensor at the end of a slice."""
        np.maximum.at(self.last_ns, piece.heard_sensor, piece.heard_ns)
        if self.since_ns < 0:
            self.since_ns = piece.t_ns
        n = self.last_ns.shape[0]
        with np.errstate(invalid="ignore"):
            age_s = (piece.t_ns - self.last_ns) / SECOND
            live = (self.last_ns >= 0) & ~(age_s > 3.0 * self.period_s)
        return Devices.blank(
            n, last_ns=self.last_ns, period_s=self.period_s, live=live, since_ns=self.since_ns
        )


class Newest:
    """Newest reading per (sensor, identity, name) of the names that the rules read."""

    LIMIT = 100_000

    def __init__(self, names: Iterable[int]) -> None:
        self._names = np.array(sorted(set(names)), np.uint16)
        self._rows: dict[tuple[int, int, int], int] = {}
        self._latest = Latest.blank(_ROOM)

    def state(self) -> dict[str, Any]:
        """What must survive a restart, as plain data: the rows, whose keys stand in them."""
        n = len(self._rows)
        return {name: getattr(self._latest, name)[:n] for name, *_ in Latest.schema()}

    def restore(self, state: dict[str, Any]) -> None:
        """Put back what `state` gave, for the same names."""
        rows = Latest(**state)
        keys = zip(rows.sensor.tolist(), rows.ident.tolist(), rows.name.tolist(), strict=True)
        self._rows = {key: row for row, key in enumerate(keys)}
        self._latest = Latest.concat([rows, Latest.blank(_ROOM)])

    def take(self, readings: Readings) -> Latest:
        """Fold in the readings of one slice; rows of this slice have ``fresh`` = 1."""
        self._latest.fresh[: len(self._rows)] = 0
        new = readings.take(np.isin(readings.name, self._names)) if len(readings) else readings
        if len(self._rows) + len(new) > self.LIMIT:
            self._forget_oldest_half()
        for i in range(len(new)):
            key = (int(new.sensor[i]), int(new.ident[i]), int(new.name[i]))
            row = self._rows.get(key)
            if row is None:
                row = self._rows[key] = len(self._rows)
                if row == len(self._latest):
                    self._latest = Latest.concat([self._latest, Latest.blank(row)])
            elif not self._replaces(new, i, row):
                continue
            for column in ("sensor", "ident", "name", "t_ns", "recv_ns", "value", "ident2"):
                getattr(self._latest, column)[row] = getattr(new, column)[i]
            self._latest.lat[row], self._latest.lon[row] = new.lat[i], new.lon[i]
            self._latest.fresh[row] = 1
        return self._latest.take(slice(0, len(self._rows)))

    def _replaces(self, new: Readings, i: int, row: int) -> bool:
        """The newer one wins, but a call for help is not hidden by what came after it.

        Stored positions arrive together, old ones first: of several in one slice the one with the
        SOS bit is shown, even if it is older than what is known.
        """
        if new.name[i] == Name.ALARM_BITS:
            calls = _calls(new.value[i])
            if self._latest.fresh[row] and calls != _calls(self._latest.value[row]):
                return calls
            if calls and not self._latest.fresh[row]:
                return True
        return bool(new.t_ns[i] >= self._latest.t_ns[row])

    def _forget_oldest_half(self) -> None:
        n = len(self._rows)
        keep = np.sort(np.argsort(self._latest.t_ns[:n], kind="stable")[n // 2 :])
        keys = list(self._rows)
        self._rows = {keys[row]: i for i, row in enumerate(keep.tolist())}
        self._latest = Latest.concat([self._latest.take(keep), Latest.blank(self.LIMIT)])


def _calls(value: float) -> bool:
    """Is the SOS bit set in alarm bits."""
    return bool(0.0 <= value < 2.0**32 and int(value) & 1)
