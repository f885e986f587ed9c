"""What a tracker learns of its sensors while it runs: their biases, and how often they see what.

Rows and scans go into the arrays here from inside the kernels; once a second of event time, before
the first scan of it, windows are closed and the tracker goes on with the rates learned.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from v2x.columns import F8, I8
from v2x.fusion.layout import Beams
from v2x.fusion.rates import ALONE, LOOKS, Ledger, adapt, extent, receive
from v2x.fusion.registration import Registration
from v2x.fusion.windows import EPOCH, LIMIT, UNSET
from v2x.sensors import SensorTable
from v2x.tracks import CrossResiduals, SensorFacts

_NOBODY = -1
"""Limit of the draw that lets no track in."""


class Watch:
    """Registration and rates of the sensors of one tracker.

    All that lives across calls is in `arrays`; it follows from the scans alone, so that it can be
    kept in a checkpoint and run again.

    Parameters
    ----------
    sensors
        The table.
    beams
        The tracker's; its `p_detect`, `clutter` and `birth` are changed here.
    draw
        Estimate biases.
    learn
        Go on with learned rates where others were given.
    birth_ratio
        Density of new objects over that of clutter.
    newcomer_sd_m, newcomer_s
        What a sensor may be off by that joins others at work, and how long it is on trial.
    """

    def __init__(
        self,
        sensors: SensorTable,
        beams: Beams,
        *,
        draw: bool,
        learn: bool,
        birth_ratio: float,
        newcomer_sd_m: float,
        newcomer_s: float,
    ) -> None:
        n = len(sensors)
        places = np.column_stack([sensors.floats(f"{a}_m") for a in ("east", "north", "up")])
        self._registration = Registration(places, beams.inflate)
        self._learn, self._beams = learn, beams
        self._trial = float(newcomer_sd_m) ** 2, round(newcomer_s * 1e9)
        windows, kept = self._registration.windows, self._registration.arrays
        if not draw:
            windows.head[LIMIT] = _NOBODY
        config = self._registration.config
        self.windows = windows
        self.ledger = Ledger(
            epoch_ns=round(config.window_s * 1e9),
            half_ns=config.half_life_s * 1e9,
            ratio=float(birth_ratio),
            counts=kept["counts"],
            counted_ns=kept["counted_ns"],
            looked=np.zeros(n, np.int64),
            since=np.zeros(n, np.int64),
            doubt=np.zeros(n),
            spread=np.zeros((n, ALONE + 1)),
            nis=kept["nis"],
            given=np.column_stack([beams.p_detect, sensors.floats("clutter_density")]),
            area=_areas(beams),
            work=np.zeros(ALONE + 1),
        )
        self.cross = CrossResiduals.blank(0)
        """Rows of the windows closed since `listen`; `track` is the number of its founding."""
        self._heard = UNSET
        self._new = {name: array.copy() for name, array in self.arrays.items()}

    @property
    def arrays(self) -> dict[str, Any]:
        """All that lives across calls, the arrays themselves."""
        book, beams = self.ledger, self._beams
        return self._registration.arrays | {
            "looked": book.looked,
            "since": book.since,
            "doubt": book.doubt,
            "spread": book.spread,
            "p_detect": beams.p_detect,
            "clutter": beams.clutter,
            "birth": beams.birth,
        }

    def turn(self, t_ns: int) -> bool:
        """Begin the second of a scan at `t_ns`; False if it has begun."""
        epoch = t_ns // self.ledger.epoch_ns
        before = int(self.windows.head[EPOCH])
        if epoch == before:
            return False
        closed = self._registration.turn(t_ns)
        if before > self._heard:
            self._heard = before
            self.cross = CrossResiduals.concat([self.cross, closed])
        beams = self._beams
        receive(self.ledger, t_ns, *self._trial, self._registration.arrays["weight"])
        adapt(self.ledger, self._learn, beams.p_detect, beams.clutter, beams.birth)
        return True

    def listen(self) -> None:
        """Leave the rows of windows behind that were closed so far."""
        if len(self.cross):
            self.cross = CrossResiduals.blank(0)

    @property
    def facts(self) -> SensorFacts:
        """What is known of the sensors."""
        facts, book = self._registration.facts, self.ledger
        unknown = np.isnan(book.given[:, 1]) & np.isnan(facts.clutter)
        for k in np.flatnonzero(unknown & (book.spread[:, LOOKS] > 0.0)).tolist():
            size = book.spread[k, LOOKS] * extent(book, k, 0.0)
            facts.clutter[k] = (book.spread[k, ALONE] + 0.5) / size
            facts.clutter_sd[k] = np.sqrt(book.spread[k, ALONE] + 0.5) / size
        return facts

    def clear(self) -> None:
        """Forget everything."""
        self.restore(self._new)
        self.listen()
        self._heard = UNSET

    def copy(self) -> dict[str, Any]:
        """Copies of `arrays`."""
        return {name: array.copy() for name, array in self.arrays.items()}

    def restore(self, kept: Mapping[str, Any]) -> None:
        """Go on from what `copy` gave."""
        self._registration.restore(kept)
        for name, array in self.arrays.items():
            array[...] = kept[name]


def named(cross: CrossResiduals, serial: I8, ident: I8) -> CrossResiduals:
    """`cross` with ids of tracks in place of the numbers of their founding; -1 where it ended."""
    if not (len(cross) and len(serial)):
        return replace(cross, track=np.full(len(cross), -1))
    order = np.argsort(serial)
    at = np.minimum(np.searchsorted(serial, cross.track, sorter=order), len(serial) - 1)
    found = order[at]
    return replace(cross, track=np.where(serial[found] == cross.track, ident[found], -1))


def _areas(beams: Beams) -> F8:
    """(S, 2) area of each coverage polygon, m², and height of its band, m; NaN where unbounded."""
    made = np.full((len(beams.first), 2), np.nan)
    for k, (a, b) in enumerate(zip(beams.first.tolist(), beams.end.tolist(), strict=True)):
        if b > a:
            e, n = beams.edge[a:b].T
            made[k, 0] = 0.5 * abs(float(np.sum(e * np.roll(n, -1) - np.roll(e, -1) * n)))
    height = beams.high - beams.low
    made[:, 1] = np.where(height < 1e9, height, np.nan)
    return made
