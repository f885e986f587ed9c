"""`sources`: two nodes that send the states of their own Kalman filters, beside one plain radar.

Their errors are correlated from report to report: who takes them for plots believes them too much.
"""

from dataclasses import replace
from itertools import count
from typing import NamedTuple

import numpy as np
from numpy.random import Generator

from replay.scenarios.film import empty, film
from replay.scenarios.fusion import Fleet
from replay.scenarios.limits import square
from replay.scenarios.scenario import Scenario, radars
from v2x.columns import F8, I8
from v2x.sensors import SensorKind

PSD = 2.0
"""m²/s³, of the nodes' filters."""
START_SD = 10.0
MATURE = 5
"""Plots before a node reports an object."""


class Track(NamedTuple):
    """State of one filter; variances of place and velocity and their covariance, per axis."""

    t_ns: int
    place: F8
    vel: F8
    pp: float
    pv: float
    vv: float
    hits: int
    ref: int


class Node:
    """Kalman filters of one node with perfect association and nearly constant velocity.

    Both axes have one covariance, since their noise and PSD are one.
    """

    def __init__(self, sd: float) -> None:
        self.sd = sd
        self._tracks: dict[int, Track] = {}
        self._refs = count()

    def report(self, t_ns: int, z: F8, who: I8) -> tuple[list[Track], I8]:
        """Take plots (n, 2) of one scan; the mature tracks they belong to, and whose they are."""
        told, names = [], []
        for place, name in zip(z, who.tolist(), strict=True):
            track = self._updated(t_ns, place, name)
            self._tracks[name] = track
            if track.hits >= MATURE:
                told.append(track)
                names.append(name)
        return told, np.array(names, np.int64)

    def _updated(self, t_ns: int, place: F8, name: int) -> Track:
        old = self._tracks.get(name)
        if old is None:
            rest = np.zeros(2)
            return Track(t_ns, place, rest, self.sd**2, 0.0, START_SD**2, 1, next(self._refs))
        dt = (t_ns - old.t_ns) / 1e9
        pp = old.pp + dt * (2.0 * old.pv + dt * old.vv) + PSD * dt * dt * dt / 3.0
        pv = old.pv + dt * old.vv + PSD * dt * dt / 2.0
        vv = old.vv + PSD * dt
        gain, gain_v = pp / (pp + self.sd**2), pv / (pp + self.sd**2)
        y = place - (old.place + dt * old.vel)
        return Track(
            t_ns,
            old.place + dt * old.vel + gain * y,
            old.vel + gain_v * y,
            (1.0 - gain) * pp,
            (1.0 - gain) * pv,
            vv - gain_v * pv,
            old.hits + 1,
            old.ref,
        )


def sources(size: int, seed: int, rng: Generator, scans: int | None) -> Scenario:
    """Objects of `nominal`: `radar-1` sends plots, `source-2` and `source-3` send tracks."""
    box = square(size, 100.0)
    plain = radars(box, 0.2 * size)
    nodes = [
        replace(
            sensor, name=f"source-{k}", kind=SensorKind.RSU, clutter_density=1e-12,
            track_input=True, correlation_s=0.5,
        )
        for k, sensor in enumerate(plain[1:], 2)
    ]  # fmt: skip
    made = empty("sources", size, seed, box, (plain[0], *nodes), 0.2 * size,
                 ["position", "track", "track"])  # fmt: skip
    film(made, Fleet(size, box, rng), rng, scans)
    filters = [None, *(Node(node.sd_m) for node in nodes)]
    for k, (t_ns, row) in enumerate(zip(made.scan_ns, made.scan_sensor, strict=True)):
        z, who = made.plots[k], made.origin[k]
        node = filters[row]
        if node is None:
            n = len(z)
            made.cov.append(np.broadcast_to(np.eye(2) * plain[0].sd_m ** 2, (n, 2, 2)))
            made.vel.append(np.full((n, 2), np.nan))
            made.vel_sd.append(np.full(n, np.nan))
            made.track_ref.append(np.full(n, -1))
            continue
        told, names = node.report(t_ns, z[who >= 0], who[who >= 0])
        n = len(told)
        made.plots[k], made.origin[k] = np.array([row.place for row in told]).reshape(n, 2), names
        made.cov.append(np.array([row.pp * np.eye(2) for row in told]).reshape(n, 2, 2))
        made.vel.append(np.array([row.vel for row in told]).reshape(n, 2))
        made.vel_sd.append(np.array([np.sqrt(row.vv) for row in told]))
        made.track_ref.append(np.array([row.ref for row in told], np.int64))
    return made
