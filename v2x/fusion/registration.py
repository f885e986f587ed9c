"""Sensor registration: what is off with each sensor, estimated together with the paths of objects.

A biased sensor drags the tracks it feeds, so that the plain innovation hides half of its bias and
smears the rest over the good sensors. Here no track is trusted: in short windows the paths of
objects and the biases of all sensors that saw them are one least-squares problem (`windows`), and
what the differences leave open is settled by what most sensors agree on (`consensus`).

A plot of sensor s is modelled as ``p(t) + b + psi J (p - place) + kappa (p - place) + tau v`` with
J the quarter turn counter-clockwise: psi > 0 turns the picture of the sensor counter-clockwise
about its place, kappa > 0 stretches it, tau > 0 says the plot is of a moment later than its stamp.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any

import numpy as np

from v2x.columns import F8, I4, I8
from v2x.errors import ConfigError
from v2x.fusion import elimination, windows
from v2x.fusion.consensus import SLAB, View, consensus, views
from v2x.fusion.elimination import BIASES
from v2x.fusion.rates import N_COUNTS, RATES, fold, posteriors, ratio
from v2x.fusion.windows import EPOCH, FREE, UNSET
from v2x.tracks import CrossResiduals, SensorFacts

_OBSERVABLE = 0.1
"""Without a prior of its own, a bias must be known to this share of `SLAB` to be observable."""
_LASTING, _RECENT = 0, 1
"""Rows of the normal equations: long memory, short memory."""
_CHANGED = 5.0
"""Deviations between short and long memory at which the long one is given up."""
_SCATTER_PRIOR = 50.0
"""Degrees of freedom with which the stated covariances are believed at the start."""


@dataclass(frozen=True, slots=True)
class RegistrationConfig:
    """Numbers of the estimate.

    Attributes
    ----------
    window_s
        Length of a window. Paths are cubics within it; sensors slower than two looks a window
        need longer ones.
    tracks
        Tracks drawn per `window_s`, i.e. open windows. They bound the cost.
    plots
        Plots kept of one window; later ones are left out.
    half_life_s, recent_s
        Memory of everything, and the short one that gives changes away.
    good
        What a sensor in order may have: one deviation of offset (m), yaw (rad), scale, clock (s).
        It sets how far the consensus itself can be trusted. Ours, to be tuned.
    accel_mps2, jerk_mps3
        Deviation of an object's acceleration and jerk; they keep short-sighted windows in check.
    """

    window_s: float = 1.0
    tracks: int = 10
    plots: int = 128
    half_life_s: float = 60.0
    recent_s: float = 8.0
    good: tuple[float, float, float, float] = (0.2, 1e-3, 1e-3, 0.01)
    accel_mps2: float = 5.0
    jerk_mps3: float = 5.0

    def __post_init__(self) -> None:
        for name in ("window_s", "half_life_s", "recent_s", "accel_mps2", "jerk_mps3"):
            if not (isfinite(getattr(self, name)) and getattr(self, name) > 0.0):
                raise ConfigError(f"registration: {name} must be positive, got {self}")
        if not all(isfinite(g) and g > 0.0 for g in self.good):
            raise ConfigError(f"registration: good must be positive, got {self.good}")
        if self.tracks < 1 or self.plots < 4:
            raise ConfigError("registration: at least 1 track with 4 plots")

    def priors(self) -> elimination.Priors:
        """Numbers for the kernels."""
        half = 0.5 * self.window_s
        sd = np.array(
            [
                1e4,  # m; keeps the height solvable where one sensor alone measures it
                300.0 * half,  # faster than aircraft
                self.accel_mps2 * half**2 / 2.0,
                self.jerk_mps3 * half**3 / 6.0,
            ]
        )
        return elimination.Priors(half, sd**-2.0, np.array(self.good)[[0, 0, 0, 1, 2, 3]])


class Registration:
    """Biases and detection statistics of the sensors of one tile.

    The same rows give the same bytes, however they are cut into calls. Memory is bounded by the
    configuration and the square of the number of sensors; `facts` costs the cube of the sensors
    that share objects (1 ms for 5, 10 ms for 20, 0.3 s for 60), once per window at most.

    Parameters
    ----------
    places
        (S, 3) where the sensors stand, ENU m: what yaw turns and scale stretches about.
    inflate
        (S,) factor on the covariance of their plots, above 1 for inputs that already are tracks.
    config
        Numbers.
    """

    def __init__(
        self,
        places: F8,
        inflate: F8 | None = None,
        config: RegistrationConfig = RegistrationConfig(),
    ) -> None:
        self.config = config
        self.places = np.array(places, np.float64, order="C").reshape(-1, 3)
        n = len(self.places)
        given = np.ones(n) if inflate is None else np.array(inflate, np.float64)
        if given.shape != (n,) or not np.all(np.isfinite(given) & (given >= 1.0)):
            raise ValueError(f"inflate must be {n} factors of 1 or more")
        self.inflate = given
        self._priors = config.priors()
        self._epoch_ns = round(config.window_s * 1e9)
        self.windows = windows.new_windows(config.tracks, config.plots)
        self._scratch = elimination.new_scratch(config.plots)
        self._out = elimination.new_crossed(config.tracks * config.plots)
        self._fresh = np.zeros((BIASES * n, BIASES * n))
        self._sums: dict[str, Any] = {
            "info": np.zeros((2, BIASES * n, BIASES * n)),
            "right": np.zeros((2, BIASES * n)),
            "chi": np.zeros((n, 2)),
            "looks": np.zeros(n),
            "nis": np.zeros((n, 2)),
            "counts": np.zeros((n, N_COUNTS)),
            "counted_ns": np.full(n, UNSET),
            "weight": np.full(n, np.nan),
        }
        self._facts: SensorFacts | None = None
        self.cross = CrossResiduals.blank(0)
        """Rows of the windows that the last `update` closed."""

    def __len__(self) -> int:
        """Sensors."""
        return len(self.places)

    def update(
        self, t_ns: I8, sensor: I4, track: I8, z: F8, cov: F8, nis: F8, dim: F8
    ) -> None:  # fmt: skip
        """Take plots that belong to confirmed tracks beyond doubt.

        Rows of tracks that a single sensor feeds say nothing of biases, and rows of a track are
        only of use with those of its other sensors: leave the former out to draw more of the rest.

        Parameters
        ----------
        t_ns, sensor, track
            (n,) time, never before that of an earlier row's window; row of the table; track id.
        z, cov
            (n, 3) ENU m, up NaN where not measured; (n, 6) upper triangle, m².
        nis, dim
            (n,) squared Mahalanobis length of the innovation, and its expectation.

        Raises
        ------
        ValueError
            A sensor is not in the table, or a row is of a window already closed. Nothing was
            changed then.
        """
        rows = (
            np.ascontiguousarray(t_ns, np.int64),
            np.ascontiguousarray(sensor, np.int32),
            np.ascontiguousarray(track, np.int64),
            np.ascontiguousarray(z, np.float64),
            np.ascontiguousarray(cov, np.float64),
            np.ascontiguousarray(nis, np.float64),
            np.ascontiguousarray(dim, np.float64),
        )
        t, n = rows[0], len(rows[0])
        w = self.windows
        closed: list[CrossResiduals] = []
        if n:
            self._check(rows[1])
            if int(t[0]) // self._epoch_ns < w.head[EPOCH] or np.any(t[1:] < t[:-1]):
                raise ValueError("rows are not in time order")
        done = 0
        while done < n:
            done = windows.collect(
                w, self._epoch_ns, *rows, self._sums["nis"], self._scratch.weight, done
            )
            if done < n:
                closed.append(self.turn(int(t[done])))
        self.cross = CrossResiduals.concat(closed)

    def count(
        self,
        t_ns: I8,
        sensor: I4,
        hits: F8,
        looks: F8,
        unexplained: F8,
        area: F8,
        plots: F8,
        duplicates: F8,
    ) -> None:
        """Take the sums of scans, a scan a row, those of one sensor in time order.

        Parameters
        ----------
        t_ns, sensor
            (n,) when and who looked.
        hits, looks
            Confirmed tracks that got a plot; how many should have, by coverage.
        unexplained, area
            Plots that belong to no track; area or volume looked at, NaN if unknown.
        plots, duplicates
            Rows received; those dropped as copies.
        """
        who = np.ascontiguousarray(sensor, np.int32)
        if len(who):
            self._check(who)
        sums = np.column_stack([hits, looks, unexplained, area, plots, duplicates])
        half_ns = self.config.half_life_s * 1e9
        t = np.ascontiguousarray(t_ns, np.int64)
        values = np.ascontiguousarray(sums, np.float64)
        fold(t, who, values, half_ns, self._sums["counts"], self._sums["counted_ns"])

    @property
    def facts(self) -> SensorFacts:
        """What is known of the sensors, as of the last closed window and the last scan."""
        if self._facts is None:
            self._facts = self._conclude()
        nis = self._sums["nis"]
        rates: dict[str, Any] = {**posteriors(self._sums["counts"])}
        return replace(self._facts, nis=ratio(nis[:, 0], nis[:, 1]), **rates)

    @property
    def arrays(self) -> dict[str, Any]:
        """All that lives across calls, the arrays themselves."""
        return {f"windows.{k}": v for k, v in self.windows._asdict().items()} | self._sums

    def state(self) -> dict[str, Any]:
        """All that lives across calls, as copies of plain arrays."""
        return {name: array.copy() for name, array in self.arrays.items()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` of an equally configured instance gave.

        Raises
        ------
        ValueError
            An array is missing or of another shape or type.
        """
        targets = self.arrays
        for name, target in targets.items():
            given = state.get(name)
            if given is None or given.shape != target.shape or given.dtype != target.dtype:
                raise ValueError(f"state of another registration: {name} does not fit")
        for name, target in targets.items():
            target[...] = state[name]
        self._facts = None
        self.cross = CrossResiduals.blank(0)

    def _check(self, sensor: I4) -> None:
        if sensor.min() < 0 or sensor.max() >= len(self):
            raise ValueError(f"rows name a sensor outside 0..{len(self) - 1}")

    def turn(self, t_ns: int) -> CrossResiduals:
        """Close the windows of the epoch before that of `t_ns`, and let what is known fade.

        `update` does so by itself; this is for a kernel that fills `windows` on its own.
        """
        w, sums = self.windows, self._sums
        before, epoch = int(w.head[EPOCH]), t_ns // self._epoch_ns
        if before == UNSET:
            w.head[EPOCH] = epoch
            return CrossResiduals.blank(0)
        made = 0
        if np.any(w.rank != FREE):
            self._fresh[:] = 0.0
            right = np.zeros(BIASES * len(self))
            factor = self.inflate * np.maximum(self._noise(), 1.0)
            made = elimination.close(
                w, self._epoch_ns, self.places, self._priors, factor, self._scratch,
                self._fresh, right, sums["chi"], sums["looks"], self._out,
            )  # fmt: skip
            sums["info"] += self._fresh
            sums["right"] += right
        w.head[EPOCH] = epoch
        every = max(1, round(self.config.recent_s / self.config.window_s))
        if before // every != epoch // every:
            self._give_up_what_changed()
        gone_s = (epoch - before) * self.config.window_s
        lasting, recent = (
            0.5 ** (gone_s / h) for h in (self.config.half_life_s, self.config.recent_s)
        )
        for name in ("chi", "looks", "nis"):
            sums[name] *= lasting
        for name in ("info", "right"):
            sums[name][_LASTING] *= lasting
            sums[name][_RECENT] *= recent
        self._facts = None
        out = self._out
        return CrossResiduals(
            t_ns=out.t[:made].copy(),
            sensor=out.sensor[:made].copy(),
            track=out.track[:made].copy(),
            residual=out.residual[:made].copy(),
            cov=out.cov[:made].copy(),
            vel=out.vel[:made].copy(),
        )

    def _noise(self) -> F8:
        chi = self._sums["chi"]
        noise: F8 = (chi[:, 0] + _SCATTER_PRIOR) / (chi[:, 1] + _SCATTER_PRIOR)
        return noise

    def _groups(self) -> list[I8]:
        """Sensors that share tracks, directly or through others; each group has its own frame."""
        n = len(self)
        linked = self._sums["info"][_LASTING].reshape(n, BIASES, n, BIASES).any(axis=(1, 3))
        label = np.arange(n)
        while True:
            least = np.where(linked, label[None, :], n).min(axis=1, initial=n)
            least = np.minimum(label, least)
            if np.array_equal(least, label):
                break
            label = least
        seen = linked.diagonal()
        return [np.flatnonzero(label == k) for k in np.unique(label[seen])]

    def _equations(self, memory: int, group: I8) -> tuple[F8, F8]:
        """Normal equations of the sensors of a group."""
        at = _rows(group)
        info = np.ascontiguousarray(self._sums["info"][memory][np.ix_(at, at)])
        return info, self._sums["right"][memory][at]

    def _give_up_what_changed(self) -> None:
        """Where the short memory contradicts the long one, start the long one from the short.

        Leaves each sensor's weight in the consensus beside it.
        Both estimates share the frame, so they differ by noise alone: C - C D C, D the prior.
        """
        for group in self._groups():
            old = consensus(*self._equations(_LASTING, group))
            self._sums["weight"][group] = old.weight
            new = consensus(*self._equations(_RECENT, group))
            var = new.C.diagonal() - (new.C * new.C) @ np.repeat(new.prior, BIASES)
            if np.any((new.mean - old.mean) ** 2 > _CHANGED**2 * np.maximum(var, 1e-12)):
                at = _rows(group)
                rows = np.ix_(at, at)
                self._sums["info"][_LASTING][rows] = self._sums["info"][_RECENT][rows]
                self._sums["right"][_LASTING][at] = self._sums["right"][_RECENT][at]

    def _conclude(self) -> SensorFacts:
        n = len(self)
        mean, cov = np.zeros((n, BIASES)), np.tile(np.eye(BIASES), (n, 1, 1))
        blind = np.full((n, BIASES), SLAB**2)
        agreement = np.full(n, np.nan)
        for group in self._groups():
            found = views(*self._equations(_LASTING, group))
            agreement[group] = sum(v.share * v.weight for v in found)
            for k, s in enumerate(group.tolist()):
                mean[s], cov[s], blind[s] = _matched(found, k)
        variance = np.diagonal(cov, axis1=1, axis2=2)
        observable = blind < (_OBSERVABLE * SLAB) ** 2
        unit = self._priors.unit
        value = np.where(observable, mean * unit, np.nan)
        sd = np.where(observable, np.sqrt(np.abs(variance)) * unit, np.nan)
        return SensorFacts(
            offset=value[:, :3],
            offset_sd=sd[:, :3],
            yaw=value[:, 3],
            yaw_sd=sd[:, 3],
            scale=value[:, 4],
            scale_sd=sd[:, 4],
            clock_s=value[:, 5],
            clock_sd=sd[:, 5],
            cov=cov * unit[:, None] * unit,
            observable=observable,
            agreement=agreement,
            windows=self._sums["looks"].copy(),
            noise=np.where(self._sums["chi"][:, 1] > 0.0, self._noise(), np.nan),
            **{name: np.full(n, np.nan) for name in ("nis", *RATES)},
        )


def _rows(group: I8) -> I8:
    """Rows of the normal equations that belong to the sensors of a group."""
    rows: I8 = (BIASES * group[:, None] + np.arange(BIASES)).ravel()
    return rows


def _matched(found: list[View], k: int) -> tuple[F8, F8, F8]:
    """Biases of sensor `k` of a group, their covariance, and their variance had it no prior.

    In units of `good`. Several views are matched by mean and covariance. For the last its own
    prior is taken out and a wide one put in: whether data and the others tell anything at all.
    """
    own = slice(BIASES * k, BIASES * (k + 1))
    mean, cov, blind = np.zeros(BIASES), np.zeros((BIASES, BIASES)), np.zeros(BIASES)
    for v in found:
        mean += v.share * v.mean[own]
    for v in found:
        off = v.mean[own] - mean
        cov += v.share * (v.C[own, own] + np.outer(off, off))
        told = np.linalg.inv(v.C[own, own]) + (SLAB**-2 - v.prior[k]) * np.eye(BIASES)
        blind += v.share * np.diagonal(np.linalg.inv(told))
    return mean, cov, blind
