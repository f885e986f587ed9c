"""Histories: the last claims of each Remote ID identity, in rings of fixed length.

What a claim said is put beside what sensors saw at that moment (`FIX` columns from `EAST` on are
the claim, those from `OFF_EAST` on the comparison), so that the tests of `v2x.lowalt.spoofing` are
functions of a few arrays. Identities that an independent sensor vouches for are kept apart from
strangers: a flood of invented ones cannot push them out.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from v2x.columns import B1, F8, I4, I8

FIXES = 16
"""Claims kept per identity: at one a second a little more than the 10 s that tests look at."""
HEARINGS = 32
"""Received powers kept per identity."""
REPEATS = 128
"""Fixes remembered as hashes, and times of broadcasts, to know a recording that is played again."""
OLD_NS, APART_NS = 10_000_000_000, 1_000_000_000
"""What comes again after so long was recorded; of broadcasts one in this time is remembered."""
STRANGERS = 1024
"""Identities kept that no sensor vouches for, and as many that one does."""

(
    EAST, NORTH, UP, V_EAST, V_NORTH, V_UP, SD, SD_UP, LAW, BARO,
    OFF_EAST, OFF_NORTH, OFF_UP, OFF_SD, OFF_SD_UP,
) = range(15)  # fmt: skip
"""Columns of `fix`: the claim in the tile, m and m/s, NaN unknown; height less height above
take-off and less pressure altitude; claim less the object it is compared with, and its sd."""
REAL = 15
POWER, LOG_RANGE = 0, 1
"""Columns of `power`: received power in dBm, and 20 log10 of the claimed range, dB."""


class Histories:
    """Rings of what each identity claimed; oldest out first, strangers before the vouched.

    Attributes
    ----------
    fix, fix_ns, mac, body : (rows, FIXES, REAL) f8, (rows, FIXES) i8
        Claims, their event times (-1 none), transmitter addresses, and the id of the track each
        was compared with (-1 none).
    power, power_ns, power_by : (rows, HEARINGS, 2) f8, (rows, HEARINGS) i8
        Received powers, when, and the sensor row of the receiver.
    ident, last_ns, unseen_ns, seen_ns : (rows,) i8
        Whose row it is; newest claim; since when every claim lay where sensors look and see
        nothing (-1: they see something, or do not look); when a sensor last saw something there.
    heard_by, anchor : (rows,) i8
        Lowest sensor row of a receiver that heard it, and that of the receiver that its group is
        named by, -1 in none.
    pilot : (rows, 3) f8
        Reported latitude and longitude, degrees, and value of `Name.PILOT`.
    since_ns, until_ns : (rows, tests) i8
        Since when a test speaks against it without a break, and when it last did, for long enough.
    partner : (rows,) i8
        Id of the track it was last compared with, -1 none.
    llr, shift : (rows,), (rows, 2) f8
        Of the test of its position.
    """

    def __init__(self, tests: int, capacity: int = STRANGERS) -> None:
        self._capacity = capacity
        n = 2 * capacity
        self.ident: I8 = np.full(n, -1, np.int64)
        self.last_ns: I8 = np.full(n, -1, np.int64)
        self.unseen_ns: I8 = np.full(n, -1, np.int64)
        self.seen_ns: I8 = np.full(n, -1, np.int64)
        self.anchor: I8 = np.full(n, -1, np.int64)
        self.heard_by: I8 = np.full(n, -1, np.int64)
        self.uas_class: I8 = np.full(n, -1, np.int64)
        self.count: I8 = np.zeros((n, 4), np.int64)
        self.fix: F8 = np.full((n, FIXES, REAL), np.nan)
        self.fix_ns: I8 = np.full((n, FIXES), -1, np.int64)
        self.mac: I8 = np.full((n, FIXES), -1, np.int64)
        self.body: I8 = np.full((n, FIXES), -1, np.int64)
        self.power: F8 = np.full((n, HEARINGS, 2), np.nan)
        self.power_ns: I8 = np.full((n, HEARINGS), -1, np.int64)
        self.power_by: I8 = np.full((n, HEARINGS), -1, np.int64)
        self.sent: I8 = np.full((n, REPEATS, 3), -1, np.int64)
        self.been: I8 = np.full((n, REPEATS, 2), -1, np.int64)
        self.clock: I8 = np.zeros((n, 5), np.int64)
        self.stale: I8 = np.zeros((n, 3), np.int64)
        self.again: I8 = np.zeros(n, np.int64)
        self.malformed: I8 = np.zeros(n, np.int64)
        self.pilot: F8 = np.full((n, 3), np.nan)
        self.since_ns: I8 = np.full((n, tests), -1, np.int64)
        self.until_ns: I8 = np.full((n, tests), -1, np.int64)
        self.partner: I8 = np.full(n, -1, np.int64)
        self.llr: F8 = np.full(n, np.nan)
        self.shift: F8 = np.full((n, 2), np.nan)
        self._blank = {name: array[0].copy() for name, array in self._arrays().items()}
        self._strangers: dict[int, int] = {}
        self._vouched: dict[int, int] = {}
        self._free = list(range(n - 1, -1, -1))

    def __len__(self) -> int:
        return len(self._strangers) + len(self._vouched)

    def rows(self, idents: I8) -> I4:
        """Row of each identity (n,), -1 where nothing is known of it."""
        strangers, vouched = self._strangers, self._vouched
        found = [strangers.get(i, -1) if i not in vouched else vouched[i] for i in idents.tolist()]
        return np.array(found, np.int32)

    def live(self) -> NDArray[np.intp]:
        """Rows in use, in the order of last hearing, strangers first."""
        return np.array([*self._strangers.values(), *self._vouched.values()], np.intp)

    def touch(self, ident: int) -> int:
        """Row of an identity that is being heard, as the newest of its table."""
        table = self._vouched if ident in self._vouched else self._strangers
        row = table.pop(ident, None)
        if row is None:
            if len(self._strangers) >= self._capacity:
                self._free.append(self._strangers.pop(next(iter(self._strangers))))
            row = self._free.pop()
            for name, array in self._arrays().items():
                array[row] = self._blank[name]
            self.ident[row] = ident
        table[ident] = row
        return row

    def vouch(self, idents: Iterable[int]) -> None:
        """Keep these apart from strangers: a sensor sees who claims them."""
        for ident in idents:
            row = self._strangers.pop(ident, None)
            if row is None:
                continue
            if len(self._vouched) >= self._capacity:
                self._free.append(self._vouched.pop(next(iter(self._vouched))))
            self._vouched[ident] = row

    def forget(self, before_ns: int) -> None:
        """Drop identities whose newest claim is older than this."""
        for table in (self._strangers, self._vouched):
            while table:
                ident, row = next(iter(table.items()))
                if self.last_ns[row] >= before_ns:
                    break
                del table[ident]
                self._free.append(row)

    def push(self, row: int, t_ns: int, mac: int, claim: list[float]) -> int:
        """Add a claim, the columns before `OFF_EAST`, to the ring of a row; its slot."""
        slot = int(self.count[row, 0]) % FIXES
        self.count[row, 0] += 1
        self.fix_ns[row, slot], self.mac[row, slot], self.body[row, slot] = t_ns, mac, -1
        self.fix[row, slot, : len(claim)] = claim
        self.fix[row, slot, len(claim) :] = np.nan
        return slot

    def newest(self, row: int) -> int:
        """Slot of the newest claim of a row; -1 none."""
        n = int(self.count[row, 0])
        return (n - 1) % FIXES if n else -1

    def hear(self, row: int, t_ns: int, sensor: int, power: float, log_range: float) -> None:
        """Add a received power."""
        slot = int(self.count[row, 1]) % HEARINGS
        self.count[row, 1] += 1
        self.power_ns[row, slot], self.power_by[row, slot] = t_ns, sensor
        self.power[row, slot] = power, log_range

    def ordered(self, rows: NDArray[np.intp], since_ns: int) -> tuple[F8, I8, I8, I8, B1]:
        """Rings of rows, oldest claim first: fix, its time, mac, body, and where one is.

        Only claims after `since_ns` count; the others are NaN, so that a test needs no mask.
        """
        turn = (self.count[rows, 0][:, None] + np.arange(FIXES)) % FIXES
        at = rows[:, None], turn
        when = self.fix_ns[at]
        there: B1 = when > since_ns
        fix = np.where(there[:, :, None], self.fix[at], np.nan)
        return fix, when, self.mac[at], self.body[at], there

    def sent_before(self, row: int, t_ns: int, recv_ns: int, sensor: int) -> bool:
        """Note a broadcast; whether the same receiver heard the very same `OLD_NS` ago or more."""
        ring = self.sent[row]
        same = ring[(ring[:, 0] == t_ns) & (ring[:, 2] == sensor)]
        head = int(self.count[row, 2])
        if not len(same) and recv_ns - ring[(head - 1) % REPEATS, 1] >= APART_NS:
            ring[head % REPEATS] = t_ns, recv_ns, sensor
            self.count[row, 2] += 1
        return bool(len(same) and recv_ns - int(same[:, 1].min()) >= OLD_NS)

    def been_before(self, row: int, t_ns: int, place: int) -> bool:
        """Note a fix by its hash; whether the very same was claimed `OLD_NS` before or earlier."""
        ring = self.been[row]
        same = ring[ring[:, 0] == place]
        head = int(self.count[row, 3])
        if not len(same):
            ring[head % REPEATS] = place, t_ns
            self.count[row, 3] += 1
        return bool(len(same) and t_ns - int(same[:, 1].min()) >= OLD_NS)

    def state(self) -> dict[str, Any]:
        """What must survive a restart: the rows in use, as arrays."""
        rows = self.live()
        made: dict[str, Any] = {name: array[rows] for name, array in self._arrays().items()}
        return made | {"vouched": len(self._vouched)}

    def restore(self, state: dict[str, Any]) -> None:
        """Put back what `state` gave, into a table of the same size."""
        n = len(state["ident"])
        for name, array in self._arrays().items():
            array[:n] = state[name]
        owners = list(zip(np.asarray(state["ident"]).tolist(), range(n), strict=True))
        strangers = n - int(state["vouched"])
        self._strangers, self._vouched = dict(owners[:strangers]), dict(owners[strangers:])
        self._free = list(range(len(self.ident) - 1, n - 1, -1))

    def _arrays(self) -> dict[str, NDArray[Any]]:
        return {k: v for k, v in vars(self).items() if isinstance(v, np.ndarray)}
