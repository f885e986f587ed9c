"""Scenarios as steps of our tracker: what a caller of it holds before the clock starts.

Where rows have arrival times, a step is what `v2x run` would make of it: a scan waits `WAIT_NS` for
its rows; those that come later stand in the first scan after the next multiple of `HOLD_NS`.
"""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from replay.scenarios.scenario import Scenario
from v2x.columns import F8, I8
from v2x.fusion import TrackerConfig
from v2x.ingest.reorder import HOLD_NS
from v2x.plots import Plots
from v2x.sensors import SensorTable

WAIT_NS = 200_000_000
"""As `reorder_wait_ms` of a sensor that says nothing else."""


class Rows(NamedTuple):
    """Rows as `Plots.positions` or `Plots.bearings` takes them, n at a time.

    Attributes
    ----------
    t_ns, sensor
        Numbers, or (n,): time, and row in the table of sensors.
    z, cov
        (n, dim) m and (n, dim, dim) m²; of lines of sight (n, 2) azimuth and elevation, rad, and
        (n,) their deviation.
    columns
        Further ones: ``vel``, ``vel_sd``, ``track_ref``.
    lines
        These are lines of sight.
    """

    t_ns: Any
    sensor: Any
    z: F8
    cov: F8
    columns: dict[str, Any]
    lines: bool = False

    def plots(self) -> Plots:
        """The same for the tracker; without rows the scan of a sensor that saw nothing."""
        if self.lines:
            return Plots.bearings(self.t_ns, self.sensor, self.z[:, 0], self.z[:, 1], self.cov)
        return Plots.positions(self.t_ns, self.sensor, self.z, self.cov, **self.columns)

    def take(self, keep: Any) -> "Rows":
        """Those of one time and sensor that are chosen by `keep`."""
        columns = {name: values[keep] for name, values in self.columns.items()}
        return self._replace(z=self.z[keep], cov=self.cov[keep], columns=columns)


class Scan(NamedTuple):
    """One step: the rows of its own scan, and older ones that came late."""

    t_ns: int
    own: Rows
    late: Rows | None = None

    def plots(self) -> Plots:
        """All of them for the tracker."""
        if self.late is None:
            return self.own.plots()
        return Plots.concat([self.own.plots(), self.late.plots()])


def feed(world: Scenario) -> list[Scan]:
    """Steps of a scenario, one per scan."""
    table = SensorTable.of(world.sensors())
    row = [table.row(sensor.name) for sensor in world.sensors()]
    rows = [_measured(world, k, row[world.scan_sensor[k]]) for k in range(len(world.plots))]
    if not world.arrival_ns:
        return [Scan(one.t_ns, one) for one in rows]
    at = [_step_of(world, k) for k in range(len(rows))]
    late: dict[int, list[Rows]] = {}
    for k, one in enumerate(rows):
        for n in np.unique(at[k][at[k] > k]).tolist():
            late.setdefault(n, []).append(one.take(at[k] == n))
    return [
        Scan(one.t_ns, one.take(at[k] == k), _together(late[k]) if k in late else None)
        for k, one in enumerate(rows)
    ]


def reaching(world: Scenario, config: TrackerConfig) -> TrackerConfig:
    """Settings for it: where rows are late, the history also covers their wait to be folded in."""
    if not (world.arrival_ns and config.history_s):
        return config
    return replace(config, history_s=config.history_s + HOLD_NS / 1e9)


def _measured(world: Scenario, k: int, sensor: int) -> Rows:
    """Rows of one scan, each kind of measurement in its own columns."""
    z = world.plots[k]
    columns: dict[str, Any] = {}
    if world.kind(k) == "bearing":
        sd = np.full(len(z), np.radians(world.sensors()[world.scan_sensor[k]].sd_deg))
        return Rows(world.scan_ns[k], sensor, z, sd, columns, lines=True)
    if world.kind(k) == "track":
        vel = np.full((len(z), 3), np.nan)
        vel[:, : world.dim] = world.vel[k]
        columns = {"vel": vel, "vel_sd": world.vel_sd[k], "track_ref": world.track_ref[k]}
    return Rows(world.scan_ns[k], sensor, z, world.noise(k), columns)


def _step_of(world: Scenario, k: int) -> I8:
    """(n,) step into which each row of scan `k` goes; as many as there are scans: none any more."""
    came = world.arrival_ns[k]
    held = -((WAIT_NS - came) // HOLD_NS) * HOLD_NS
    at: I8 = np.searchsorted(np.array(world.scan_ns), held)
    return np.where(came <= world.scan_ns[k] + WAIT_NS, k, at)


def _together(parts: list[Rows]) -> Rows:
    """Rows of several scans with the same columns, each row with its time and sensor."""
    sizes = [len(one.z) for one in parts]
    names = parts[0].columns
    return Rows(
        np.repeat([one.t_ns for one in parts], sizes),
        np.repeat([one.sensor for one in parts], sizes),
        np.concatenate([one.z for one in parts]),
        np.concatenate([one.cov for one in parts]),
        {name: np.concatenate([one.columns[name] for one in parts]) for name in names},
    )
