"""What Remote ID receivers heard of each identity, and when aircraft were last heard.

A claim is only a claim: nothing here says that it is true. All times are event times, so that a
replay remembers the same; both tables are bounded, and strangers never push out an identity that an
independent sensor has vouched for.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from v2x.columns import F8, I4, I8, U1, Columns, column
from v2x.observations import Observations
from v2x.picture import Registered, UasClass
from v2x.readings import Name, Readings
from v2x.sensors import SensorKind, SensorTable

SECOND = 1_000_000_000
CLAIM_LIFE_NS = 120 * SECOND
"""A claim, and an aircraft's last word, count this long after they were last heard."""
RECENT_NS = 10 * SECOND
"""Receivers that heard an identity within this time are counted."""
STRANGERS = 4096
"""Identities kept that no independent sensor vouches for, and as many that one does."""

_RID_NAMES = np.array(
    [
        Name.RID_HEARD,
        Name.RID_REGISTERED,
        Name.RID_REGISTRATION,
        Name.PILOT,
        Name.RID_STATUS,
        Name.UAS_CLASS,
    ]
)
ON_GROUND = 1
"""RID status "ground", the same code in GB 46750 item 015 and F3411 Location."""
EMERGENCIES = (3, 5)
"""RID status "emergency": 3 in both; GB 46750 item 015 has 5 too (doubtful)."""
_CLASSES = (UasClass.MICRO, UasClass.LIGHT, UasClass.SMALL, UasClass.MEDIUM, UasClass.LARGE)
"""By the code of GB 46750 item 004."""


@dataclass(frozen=True, slots=True)
class Claim(Columns):
    """Last word on one identity; each column keeps what was said last of it.

    Attributes
    ----------
    last_ns
        When the identity was last heard.
    said
        `Registered` by the mark: NO where the broadcast says "not registered".
    mark
        Hash of the registration mark, -1 none.
    pilot, pilot_live
        Degrees latitude, longitude; 1 where that is the controller's place, 0 the take-off point.
    status
        RID status code, 0 undeclared.
    uas_class
        `UasClass` that it says.
    place, height, velocity, place_ns
        Degrees latitude, longitude; metres above the ellipsoid; m/s east, north, up; when (-1
        never).
    """

    last_ns: I8 = column("i8", blank=-1)
    said: U1 = column("u1")
    mark: I8 = column("i8", blank=-1)
    pilot: F8 = column("f8", 2)
    pilot_live: U1 = column("u1")
    status: U1 = column("u1")
    uas_class: U1 = column("u1")
    place: F8 = column("f8", 2)
    height: F8 = column("f8")
    velocity: F8 = column("f8", 3)
    place_ns: I8 = column("i8", blank=-1)


_COLUMNS = tuple(name for name, *_ in Claim.schema())


class Claims:
    """Remote ID identities as receivers heard them, and aircraft by ADS-B; oldest out first.

    Attributes
    ----------
    held
        Rows of `Claim`; a row belongs to an identity while that is kept: `rows` finds them.
    heard_ns : (r, k) i8
        When each receiver last heard it; one shared column, the last, for other sensors.
    evicted : int
        Identities that had to go while they were still alive.
    """

    def __init__(self, sensors: SensorTable, capacity: int = STRANGERS) -> None:
        self._capacity = capacity
        kinds = sensors.kinds()
        self._receiver = kinds == SensorKind.REMOTE_ID
        self._adsb = kinds == SensorKind.ADS_B
        columns = int(self._receiver.sum()) + 1
        self._column = np.where(self._receiver, np.cumsum(self._receiver) - 1, columns - 1).tolist()
        self.held = Claim.blank(2 * capacity)
        self.heard_ns: I8 = np.full((2 * capacity, columns), -1, np.int64)
        self.evicted = 0
        # Insertion order is the order of last hearing: the first key is the oldest.
        self._strangers: dict[int, int] = {}
        self._vouched: dict[int, int] = {}
        self._aircraft: dict[int, int] = {}
        self._free = list(range(2 * capacity - 1, -1, -1))

    def __len__(self) -> int:
        return len(self._strangers) + len(self._vouched)

    def hear(self, t_ns: int, readings: Readings, observations: Observations | None = None) -> None:
        """Take in what is new in a slice that ends at `t_ns`, and forget what is too old.

        What is dated after the slice counts as of its end: a wild clock must not keep an identity
        alive.
        """
        self._forget(t_ns)
        self._words(t_ns, readings)
        if observations is not None:
            self._places(t_ns, observations)
        rows = np.flatnonzero((readings.ident >= 0) & self._adsb[readings.sensor])
        for ident, at in zip(
            readings.ident[rows].tolist(), readings.t_ns[rows].tolist(), strict=True
        ):
            self._aircraft[ident] = max(min(at, t_ns), self._aircraft.pop(ident, -1))
        while len(self._aircraft) > self._capacity:
            del self._aircraft[next(iter(self._aircraft))]

    def _words(self, t_ns: int, readings: Readings) -> None:
        rows = np.flatnonzero((readings.ident >= 0) & np.isin(readings.name, _RID_NAMES))
        if not len(rows):
            return
        r, held = readings.take(rows), self.held
        for ident, at, sensor, name, value, ident2, lat, lon in zip(
            r.ident.tolist(), np.minimum(r.t_ns, t_ns).tolist(), r.sensor.tolist(),
            r.name.tolist(), r.value.tolist(), r.ident2.tolist(), r.lat.tolist(),
            r.lon.tolist(), strict=True,
        ):  # fmt: skip
            row = self._heard(ident, sensor, at)
            if at < held.last_ns[row]:
                continue  # newer facts are known already
            held.last_ns[row] = at
            if name == Name.RID_REGISTERED:
                held.said[row] = Registered.YES if value == 1.0 else Registered.NO
            elif name == Name.RID_REGISTRATION:
                held.mark[row] = ident2
            elif name == Name.PILOT and lat == lat and lon == lon:
                held.pilot[row] = lat, lon
                held.pilot_live[row] = value == 1.0
            elif name == Name.RID_STATUS:
                held.status[row] = value if 0.0 <= value < 256.0 else 0
            elif name == Name.UAS_CLASS:
                known = 0.0 <= value < len(_CLASSES)
                held.uas_class[row] = _CLASSES[int(value)] if known else UasClass.UNKNOWN

    def _places(self, t_ns: int, observations: Observations) -> None:
        rows = np.flatnonzero(
            (observations.ident >= 0)
            & self._receiver[observations.sensor]
            & np.isfinite(observations.lat + observations.lon)
        )
        held = self.held
        for i in rows.tolist():
            at = min(int(observations.t_ns[i]), t_ns)
            row = self._heard(int(observations.ident[i]), int(observations.sensor[i]), at)
            if at < held.place_ns[row]:
                continue
            held.last_ns[row] = max(at, held.last_ns[row])
            held.place_ns[row] = at
            held.place[row] = observations.lat[i], observations.lon[i]
            held.height[row] = observations.height[i]
            held.velocity[row] = observations.vel[i]

    def _heard(self, ident: int, sensor: int, at: int) -> int:
        """Row of an identity that a sensor just heard, as the newest of its table."""
        row = self._touch(ident)
        column = self._column[sensor]
        self.heard_ns[row, column] = max(at, self.heard_ns[row, column])
        return row

    def placed(self, since_ns: int) -> dict[int, int]:
        """Rows of the identities that claimed a place since a time, by identity."""
        both = {**self._strangers, **self._vouched}
        return {ident: row for ident, row in both.items() if self.held.place_ns[row] >= since_ns}

    def rows(self, idents: I8) -> I4:
        """Row of each identity (n,), -1 where nothing is known of it."""
        strangers, vouched = self._strangers, self._vouched
        found = [strangers.get(i, -1) if i not in vouched else vouched[i] for i in idents.tolist()]
        return np.array(found, np.int32)

    def aircraft_ns(self, idents: I8) -> I8:
        """When each aircraft identity (n,) was last heard, ns; -1 never."""
        heard = self._aircraft
        return np.array([heard.get(ident, -1) for ident in idents.tolist()], np.int64)

    def vouch(self, idents: Iterable[int]) -> None:
        """Keep these apart from strangers: an independent sensor sees who claims them."""
        for ident in idents:
            row = self._strangers.pop(ident, None)
            if row is None:
                continue
            if len(self._vouched) >= self._capacity:
                self._drop(self._vouched)
            self._vouched[ident] = row

    def state(self) -> dict[str, Any]:
        """What must survive a restart: identities in order, and their rows as columns."""
        made: dict[str, Any] = {"aircraft": list(self._aircraft.items()), "evicted": self.evicted}
        for name, table in (("strangers", self._strangers), ("vouched", self._vouched)):
            rows = np.fromiter(table.values(), np.int64, len(table))
            made[name] = {one: getattr(self.held, one)[rows] for one in _COLUMNS} | {
                "ident": np.fromiter(table, np.int64, len(table)),
                "heard_ns": self.heard_ns[rows],
            }
        return made

    def restore(self, state: dict[str, Any]) -> None:
        """Put back what `state` gave, into a table of the same sensors."""
        self._strangers, self._vouched = {}, {}
        self._free = list(range(len(self.held) - 1, -1, -1))
        for name, table in (("strangers", self._strangers), ("vouched", self._vouched)):
            kept = state[name]
            idents = kept["ident"].tolist()
            rows = [self._free.pop() for _ in idents]
            table.update(zip(idents, rows, strict=True))
            for one in _COLUMNS:
                getattr(self.held, one)[rows] = kept[one]
            self.heard_ns[rows] = kept["heard_ns"]
        self._aircraft = {ident: last for ident, last in state["aircraft"]}
        self.evicted = state["evicted"]

    def _touch(self, ident: int) -> int:
        table = self._vouched if ident in self._vouched else self._strangers
        row = table.pop(ident, None)
        if row is None:
            if len(self._strangers) >= self._capacity:
                self._drop(self._strangers)
            row = self._free.pop()
            for name, _, _, blank in Claim.schema():
                getattr(self.held, name)[row] = blank
            self.heard_ns[row] = -1
        table[ident] = row
        return row

    def _drop(self, table: dict[int, int]) -> None:
        self._free.append(table.pop(next(iter(table))))
        self.evicted += 1

    def _forget(self, t_ns: int) -> None:
        for table in (self._strangers, self._vouched):
            while table:
                ident, row = next(iter(table.items()))
                if t_ns - self.held.last_ns[row] <= CLAIM_LIFE_NS:
                    break
                del table[ident]
                self._free.append(row)
        while self._aircraft:
            ident, last = next(iter(self._aircraft.items()))
            if t_ns - last <= CLAIM_LIFE_NS:
                break
            del self._aircraft[ident]
