"""Identity: what was claimed and heard, whether it could have been heard, and the verdict.

A claim is only a claim. `Claims` remembers what receivers heard of each identity, in a bounded
table; `Coverage` says where a live receiver would have heard one; `verdicts` turns both, with
registry, plans and zones, into one word per track. All times are event times, so a replay gives
the same words.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from v2x import polygons
from v2x.columns import B1, F8, I4, I8, U1
from v2x.picture import Registered, Verdict
from v2x.readings import Name, Readings
from v2x.sensors import SensorKind, SensorTable

SECOND = 1_000_000_000
CLAIM_LIFE_NS = 120 * SECOND
"""A claim, and an aircraft's last word, count this long after they were last heard."""
RECENT_NS = 10 * SECOND
"""Receivers that heard an identity within this time are counted."""
HEAR_WAIT_NS = 3 * SECOND
"""A drone must broadcast at least once a second: three chances in a receiver's reach have passed.
First form of the receivers' range law."""
STRANGERS = 4096
"""Identities kept that no independent sensor vouches for, and as many that one does."""

_RID_NAMES = np.array(
    [Name.RID_HEARD, Name.RID_REGISTERED, Name.RID_REGISTRATION, Name.PILOT, Name.RID_STATUS]
)
_ON_GROUND = 1
"""RID status "ground", the same code in GB 46750 item 015 and F3411 Location."""


class Claims:
    """Remote ID identities as receivers heard them, and aircraft by ADS-B; oldest out first.

    Rows of the column attributes belong to an identity while it is kept: `rows` finds them.

    Attributes
    ----------
    last_ns : (r,) i8
        When the identity was last heard.
    heard_ns : (r, k) i8
        The same per receiver; one shared column for sensors that are no Remote ID receivers.
    said : (r,) u1
        `Registered` by the mark: NO where the broadcast says "not registered".
    mark : (r,) i8
        Hash of the registration mark, -1 none.
    pilot : (r, 2) f8
        Degrees latitude, longitude; NaN unknown.
    on_ground : (r,) u1
        1 where the drone says that it stands.
    evicted : int
        Identities that had to go while they were still alive.
    """

    def __init__(self, sensors: SensorTable, capacity: int = STRANGERS) -> None:
        self._capacity = capacity
        kinds = sensors.kinds()
        receiver = kinds == SensorKind.REMOTE_ID
        self._adsb = kinds == SensorKind.ADS_B
        columns = int(receiver.sum()) + 1
        self._column = np.where(receiver, np.cumsum(receiver) - 1, columns - 1).tolist()
        rows = 2 * capacity
        self.last_ns: I8 = np.full(rows, -1, np.int64)
        self.heard_ns: I8 = np.full((rows, columns), -1, np.int64)
        self.said: U1 = np.zeros(rows, np.uint8)
        self.mark: I8 = np.full(rows, -1, np.int64)
        self.pilot: F8 = np.full((rows, 2), np.nan)
        self.on_ground: U1 = np.zeros(rows, np.uint8)
        self.evicted = 0
        # Insertion order is the order of last hearing: the first key is the oldest.
        self._strangers: dict[int, int] = {}
        self._vouched: dict[int, int] = {}
        self._aircraft: dict[int, int] = {}
        self._free = list(range(rows - 1, -1, -1))

    def __len__(self) -> int:
        return len(self._strangers) + len(self._vouched)

    def hear(self, t_ns: int, readings: Readings) -> None:
        """Take in the new readings of a slice that ends at `t_ns`, and forget what is too old.

        A reading dated after the slice counts as of its end: a wild clock must not keep an
        identity alive.
        """
        self._forget(t_ns)
        rows = np.flatnonzero((readings.ident >= 0) & np.isin(readings.name, _RID_NAMES))
        if len(rows):
            r = readings.take(rows)
            for ident, at, sensor, name, value, ident2, lat, lon in zip(
                r.ident.tolist(), np.minimum(r.t_ns, t_ns).tolist(), r.sensor.tolist(),
                r.name.tolist(), r.value.tolist(), r.ident2.tolist(), r.lat.tolist(),
                r.lon.tolist(), strict=True,
            ):  # fmt: skip
                row = self._touch(ident)
                column = self._column[sensor]
                self.heard_ns[row, column] = max(at, self.heard_ns[row, column])
                if at < self.last_ns[row]:
                    continue  # newer facts are known already
                self.last_ns[row] = at
                if name == Name.RID_REGISTERED:
                    self.said[row] = Registered.YES if value == 1.0 else Registered.NO
                elif name == Name.RID_REGISTRATION:
                    self.mark[row] = ident2
                elif name == Name.PILOT and lat == lat and lon == lon:
                    self.pilot[row] = lat, lon
                elif name == Name.RID_STATUS:
                    self.on_ground[row] = value == _ON_GROUND
        rows = np.flatnonzero((readings.ident >= 0) & self._adsb[readings.sensor])
        for ident, at in zip(
            readings.ident[rows].tolist(), readings.t_ns[rows].tolist(), strict=True
        ):
            self._aircraft[ident] = max(min(at, t_ns), self._aircraft.pop(ident, -1))
        while len(self._aircraft) > self._capacity:
            del self._aircraft[next(iter(self._aircraft))]

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
        """What must survive a restart, as plain lists."""
        tables = {"strangers": self._strangers, "vouched": self._vouched}
        made: dict[str, Any] = {
            name: [
                (
                    ident, int(self.last_ns[r]), self.heard_ns[r].tolist(), int(self.said[r]),
                    int(self.mark[r]), self.pilot[r].tolist(), int(self.on_ground[r]),
                )
                for ident, r in table.items()
            ]
            for name, table in tables.items()
        }  # fmt: skip
        return made | {"aircraft": list(self._aircraft.items()), "evicted": self.evicted}

    def restore(self, state: dict[str, Any]) -> None:
        """Put back what `state` gave, into a table of the same sensors."""
        self._strangers, self._vouched = {}, {}
        self._free = list(range(len(self.last_ns) - 1, -1, -1))
        for name, table in (("strangers", self._strangers), ("vouched", self._vouched)):
            for ident, last, heard, said, mark, pilot, on_ground in state[name]:
                row = table[ident] = self._free.pop()
                self.last_ns[row], self.heard_ns[row] = last, heard
                self.said[row], self.mark[row] = said, mark
                self.pilot[row], self.on_ground[row] = pilot, on_ground
        self._aircraft = {ident: last for ident, last in state["aircraft"]}
        self.evicted = state["evicted"]

    def _touch(self, ident: int) -> int:
        """Row of an identity that is being heard, as the newest of its table."""
        table = self._vouched if ident in self._vouched else self._strangers
        row = table.pop(ident, None)
        if row is None:
            if len(self._strangers) >= self._capacity:
                self._drop(self._strangers)
            row = self._free.pop()
            self.last_ns[row] = -1
            self.heard_ns[row] = -1
            self.said[row] = Registered.UNKNOWN
            self.mark[row] = -1
            self.pilot[row] = np.nan
            self.on_ground[row] = 0
        table[ident] = row
        return row

    def _drop(self, table: dict[int, int]) -> None:
        self._free.append(table.pop(next(iter(table))))
        self.evicted += 1

    def _forget(self, t_ns: int) -> None:
        for table in (self._strangers, self._vouched):
            while table:
                ident, row = next(iter(table.items()))
                if t_ns - self.last_ns[row] <= CLAIM_LIFE_NS:
                    break
                del table[ident]
                self._free.append(row)
        while self._aircraft:
            ident, last = next(iter(self._aircraft.items()))
            if t_ns - last <= CLAIM_LIFE_NS:
                break
            del self._aircraft[ident]


class Coverage:
    """Where sensors of some kinds reach: their polygons and height bands in the tile."""

    def __init__(self, sensors: SensorTable, kinds: Iterable[SensorKind]) -> None:
        wanted = frozenset(kinds)
        self._rows = np.array(
            [row for row, sensor in enumerate(sensors.sensors) if sensor.kind in wanted], np.int64
        )
        chosen = [sensors[row] for row in self._rows.tolist()]
        self._everywhere = np.array([not sensor.coverage for sensor in chosen], np.bool_)
        self._floor = np.array([sensor.floor_m for sensor in chosen])
        self._ceiling = np.array([sensor.ceiling_m for sensor in chosen])
        self._index = polygons.build(
            [[np.array(s.coverage)] if s.coverage else [] for s in chosen], cell_m=250.0
        )

    def reaches(self, flat: F8, hae: F8, live: B1) -> B1:
        """(n,) where a live sensor covers the place; live (sensors,) in sensor-table order.

        A place of unknown height is covered only by a sensor whose band has no end.
        """
        reached = np.zeros(len(flat), np.bool_)
        alive = live[self._rows]
        for k in np.flatnonzero(alive & self._everywhere).tolist():
            reached |= self._in_band(hae, np.full(len(hae), k))
        if (alive & ~self._everywhere).any():
            point, sensor = self._index.inside(flat, active=alive.view(np.uint8))
            reached[point[self._in_band(hae[point], sensor)]] = True
        return reached

    def _in_band(self, hae: F8, sensor: I4 | I8) -> B1:
        floor, ceiling = self._floor[sensor], self._ceiling[sensor]
        endless = (floor <= -1e9) & (ceiling >= 1e9)
        in_band: B1 = endless | ((hae >= floor) & (hae <= ceiling))
        return in_band


class Evidence(NamedTuple):
    """What a verdict is made of, one row per aircraft or unknown object, (n,) each."""

    manned: B1
    named: B1
    """Carries a Remote ID identity that was heard, now or earlier in its life."""
    dark: B1
    """Meets the conditions of dark but for having no name."""
    covered: B1
    """A live receiver reaches the place."""
    registered: U1
    needs_approval: B1
    planned: B1
    independent: B1
    """An independent sensor fed the track in the last 5 s."""
    watched: B1
    """A live independent sensor covers the place."""
    contradicted: B1
    """Tests of its claim say that it is not what or where it claims."""


def verdicts(e: Evidence) -> U1:
    """`Verdict` of each row: the first that holds.

    Unregistered and unauthorised come before claimed: a drone known by its own word only is still
    what its word says. Without need of approval it is authorised once an independent sensor sees
    it, claimed where none could, and undecided where one should and does not.
    """
    rules = (
        (e.manned, Verdict.MANNED),
        (e.contradicted, Verdict.SPOOFED),
        (~e.named & e.dark, Verdict.DARK),
        (~e.named & ~e.covered, Verdict.UNIDENTIFIED),
        (~e.named, Verdict.UNDECIDED),
        (e.registered == Registered.NO, Verdict.UNREGISTERED),
        (e.needs_approval & ~e.planned, Verdict.UNAUTHORISED),
        (e.planned | e.independent, Verdict.AUTHORISED),
        (~e.watched, Verdict.CLAIMED),
    )
    made: U1 = np.select(
        [condition for condition, _ in rules], [int(word) for _, word in rules], Verdict.UNDECIDED
    ).astype(np.uint8)
    return made
