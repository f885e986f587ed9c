"""Could it have been heard? Receivers' reach, and what their silence is worth.

A receiver k that is alive hears one broadcast of a drone with probability
``p_k = p0 / (1 + (r / r0)^4)`` inside its coverage, r the slant range: about 1 km near the ground
(a police deployment), 3 km with a free line of sight above 50 m (doubtful). A drone must broadcast
at least once a second, so that each second of its life is a chance; of the last ten

    p_heard = 1 - product over receivers and chances of (1 - p_k)

is the probability that somebody would have heard it. A receiver that falls silent takes all of its
chances with it at once, and begins anew when it comes back.

p0 is learnt from authorised drones: how often they were heard against how often the law says.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np

from v2x import polygons
from v2x.columns import B1, F8, I4, I8
from v2x.sensors import SensorKind, SensorTable

SECOND = 1_000_000_000
CHANCES = 10
"""Seconds, and so expected broadcasts, that count."""
CLEAR_AGL_M = 50.0
"""From this height above ground on the line of sight is taken as free; r0 grows up to there."""
PRIOR_CHANCES, MOST_CHANCES = 30.0, 3000.0
"""What the configured p0 weighs against what was seen; beyond the second the past is halved.
Ours."""
NO_CHANCE = 0.1
"""A second in which no receiver was better than this is none in which it could be heard. Ours."""
LEAST_SHARE, MOST_P0 = 0.3, 0.99
"""Bounds of what is learnt: p0 never falls below this share of the configured one."""
LEAST_LEARNT = 0.3
"""Chances worse than this teach nothing: there the law is uncertain, not the receiver."""


class Coverage:
    """Where sensors of some kinds reach: their polygons and height bands in the tile.

    Attributes
    ----------
    rows
        (k,) rows of the sensor table of these sensors.
    """

    def __init__(self, sensors: SensorTable, kinds: Iterable[SensorKind]) -> None:
        wanted = frozenset(kinds)
        self.rows: I8 = np.array(
            [row for row, sensor in enumerate(sensors.sensors) if sensor.kind in wanted], np.int64
        )
        chosen = [sensors[row] for row in self.rows.tolist()]
        self._everywhere = np.array([not sensor.coverage for sensor in chosen], np.bool_)
        self._floor = np.array([sensor.floor_m for sensor in chosen])
        self._ceiling = np.array([sensor.ceiling_m for sensor in chosen])
        self._index = polygons.build(
            [[np.array(s.coverage)] if s.coverage else [] for s in chosen], cell_m=250.0
        )

    def reaches(self, flat: F8, hae: F8, live: B1) -> B1:
        """(n,) where a live sensor covers the place; live (sensors,) in sensor-table order."""
        covered: B1 = np.asarray(self.covers(flat, hae, live).any(axis=1))
        return covered

    def covers(self, flat: F8, hae: F8, live: B1) -> B1:
        """(n, k) which live sensor covers which place.

        A place of unknown height is covered only by a sensor whose band has no end.
        """
        made = np.zeros((len(flat), len(self.rows)), np.bool_)
        alive = live[self.rows]
        for k in np.flatnonzero(alive & self._everywhere).tolist():
            made[:, k] = self._in_band(hae, np.full(len(hae), k))
        if (alive & ~self._everywhere).any():
            point, sensor = self._index.inside(flat, active=alive.view(np.uint8))
            made[point, sensor] = self._in_band(hae[point], sensor)
        return made

    def _in_band(self, hae: F8, sensor: I4 | I8) -> B1:
        floor, ceiling = self._floor[sensor], self._ceiling[sensor]
        endless = (floor <= -1e9) & (ceiling >= 1e9)
        in_band: B1 = endless | ((hae >= floor) & (hae <= ceiling))
        return in_band


class Hearing:
    """The Remote ID receivers of a site: how far each one hears, and since when.

    Attributes
    ----------
    since_ns
        (k,) since when each receiver has been alive without a break, -1 it is not.
    """

    def __init__(self, sensors: SensorTable) -> None:
        self._coverage = Coverage(sensors, (SensorKind.REMOTE_ID,))
        chosen = [sensors[row] for row in self._coverage.rows.tolist()]
        self.since_ns: I8 = np.full(len(chosen), -1, np.int64)
        self._watched = False
        self._place = np.array([(s.east_m, s.north_m, s.hae_m) for s in chosen]).reshape(-1, 3)
        # Where it stands is known if it was configured, or placed by hand off the tile's origin.
        stands = [np.isfinite(s.lat) or bool(s.east_m or s.north_m) for s in chosen]
        self._place[~np.array(stands, np.bool_)] = np.nan
        self._low = np.array([s.hears_low_m for s in chosen])
        self._high = np.array([s.hears_high_m for s in chosen])
        self._p0 = np.array([s.p_hear for s in chosen])
        self._due = np.zeros(len(chosen))
        self._heard = np.zeros(len(chosen))

    def __len__(self) -> int:
        return len(self.since_ns)

    @property
    def rows(self) -> I8:
        """(k,) rows of the receivers in the sensor table."""
        return self._coverage.rows

    @property
    def p0(self) -> F8:
        """(k,) probability to hear one broadcast close by, as learnt by now."""
        share = (self._heard + PRIOR_CHANCES) / (self._due + PRIOR_CHANCES)
        learnt: F8 = np.clip(
            self._p0 * share, LEAST_SHARE * self._p0, np.maximum(self._p0, MOST_P0)
        )
        return learnt

    def watch(self, t_ns: int, live: B1) -> None:
        """Take note of which receivers are alive; live (sensors,) in sensor-table order.

        Those that are at the first look always were, as far as is known.
        """
        alive = live[self._coverage.rows]
        self.since_ns[alive & (self.since_ns < 0)] = t_ns if self._watched else 0
        self.since_ns[~alive] = -1
        self._watched = True

    def chance(self, flat: F8, hae: F8, agl: F8) -> F8:
        """(n, k) probability that a receiver, were it alive, hears one broadcast from a place.

        flat (n, 2) m in the tile, hae and agl (n,) m. Height unknown: as near the ground. A
        receiver without a place is taken to hear all of its coverage equally well.
        """
        everyone = np.ones(int(self._coverage.rows.max(initial=-1)) + 1, np.bool_)
        covered = self._coverage.covers(flat, hae, everyone)
        away = flat[:, None, :] - self._place[None, :, :2]
        up = np.nan_to_num(hae[:, None] - self._place[None, :, 2])
        clear = np.clip(np.nan_to_num(agl) / CLEAR_AGL_M, 0.0, 1.0)[:, None]
        r0 = self._low + (self._high - self._low) * clear
        ratio = (away[:, :, 0] ** 2 + away[:, :, 1] ** 2 + up**2) / (r0 * r0)
        made: F8 = np.where(covered, self.p0 / (1.0 + np.nan_to_num(ratio) ** 2), 0.0)
        return made

    def p_heard(self, chances: F8, newest_ns: int, count: I8) -> tuple[F8, I8]:
        """Probability that the broadcasts of the last seconds would have been heard, (n,).

        With it how many of these seconds were a chance at all, (n,).

        Parameters
        ----------
        chances
            (n, CHANCES, k) probability per second and receiver, newest first.
        newest_ns
            End of the newest; each older one is a second before.
        count
            (n,) how many of them the object has lived through.
        """
        when = newest_ns - SECOND * np.arange(CHANCES)
        counts = (self.since_ns >= 0) & (when[:, None] > self.since_ns)
        lived = np.arange(CHANCES) < count[:, None]
        each = np.where(counts & lived[:, :, None], chances, 0.0)
        seconds = (each >= NO_CHANCE).any(axis=2).sum(axis=1)
        return 1.0 - (1.0 - each).prod(axis=(1, 2)), seconds.astype(np.int64)

    def likely(self, chance: F8) -> F8:
        """(n,) what `p_heard` comes to after all its seconds at this place; chance (n, k)."""
        missed = np.where(self.since_ns >= 0, (1.0 - chance) ** CHANCES, 1.0)
        made: F8 = 1.0 - missed.prod(axis=1)
        return made

    def learn(self, chance: F8, heard: B1) -> None:
        """Compare what the law says of drones beyond doubt with what was heard in a second.

        chance, heard (n, k).
        """
        clear = (chance >= LEAST_LEARNT) & (self.since_ns >= 0)
        prior = chance * (self._p0 / self.p0)
        self._due += np.where(clear, prior, 0.0).sum(axis=0)
        self._heard += (clear & heard).sum(axis=0)
        full = self._due > MOST_CHANCES
        self._due[full] *= 0.5
        self._heard[full] *= 0.5

    def state(self) -> dict[str, Any]:
        """What must survive a restart, as arrays."""
        return {
            "since_ns": self.since_ns,
            "watched": self._watched,
            "due": self._due,
            "heard": self._heard,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Put back what `state` gave, for the same sensors."""
        self.since_ns = np.array(state["since_ns"], np.int64)
        self._watched = state["watched"]
        self._due, self._heard = (np.array(state[key], np.float64) for key in ("due", "heard"))
