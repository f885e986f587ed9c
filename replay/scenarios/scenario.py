"""What every scenario is: truth per instant, scans with their plots, and the sensors."""

import hashlib
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from v2x.columns import B1, F8, I8
from v2x.sensors import Sensor

SENSOR_SD = (0.5, 1.0, 2.0)
P_DETECT = 0.9

PlotKind = Literal["position", "bearing", "track"]
"""What a row is: a place, an azimuth and elevation, or the state of somebody's filter."""


@dataclass(frozen=True)
class Scenario:
    """What sensors saw and what was there.

    Attributes
    ----------
    name, size, seed, dim
        Which; `dim` is 2 or 3.
    box
        (dim, 2) m.
    clutter
        Expected false plots per scan of a sensor that sees the whole box.
    scan_ns, scan_sensor, plots
        One per scan: ns, row of `sensors`, (n, dim) m; bearings (n, 2) rad: azimuth clockwise
        from north, elevation up from the horizontal.
    truth_s, truth_id, truth
        One per instant: s, (N,) object numbers, (N, dim) m.
    origin
        One per scan: (n,) object that made each plot, -1 for clutter.
    covered
        One per instant: (N,) whether some sensor could see it; empty where all look everywhere.
    cov
        One per scan: (n, dim, dim) m²; empty where the sensors' `sd_m` says it all.
    vel, vel_sd, track_ref
        One per scan where sources send tracks: (n, dim) m/s, (n,) m/s and (n,) number the source
        gave, NaN and -1 from sensors that send plots; else empty.
    arrival_ns
        One per scan: (n,) ns at which each row arrives; empty where rows arrive at once.
    devices
        The sensors; empty: the three of `radars`.
    kinds
        What rows are, by sensor; empty: positions.
    """

    name: str
    size: int
    seed: int
    dim: int
    box: F8
    clutter: float
    scan_ns: list[int]
    scan_sensor: list[int]
    plots: list[F8]
    truth_s: list[float]
    truth_id: list[I8]
    truth: list[F8]
    origin: list[I8] = field(default_factory=list)
    covered: list[B1] = field(default_factory=list)
    cov: list[F8] = field(default_factory=list)
    vel: list[F8] = field(default_factory=list)
    vel_sd: list[F8] = field(default_factory=list)
    track_ref: list[I8] = field(default_factory=list)
    arrival_ns: list[I8] = field(default_factory=list)
    devices: tuple[Sensor, ...] = ()
    kinds: tuple[PlotKind, ...] = ()

    def sensors(self) -> list[Sensor]:
        """All sensors with everything a tracker may know."""
        return list(self.devices or radars(self.box, self.clutter))

    def kind(self, k: int) -> PlotKind:
        """What the rows of scan `k` are."""
        return self.kinds[self.scan_sensor[k]] if self.kinds else "position"

    def noise(self, k: int) -> F8:
        """Covariance (n, dim, dim) m² of the places of scan `k`, as its sensor states it."""
        if self.cov:
            return self.cov[k]
        sd = self.sensors()[self.scan_sensor[k]].sd_m
        return np.broadcast_to(np.eye(self.dim) * sd**2, (len(self.plots[k]), self.dim, self.dim))

    def fingerprint(self) -> tuple[str, int]:
        """First 16 hex digits of SHA-256 over the float64 bytes of all plots, and their number."""
        digest = hashlib.sha256()
        for z in self.plots:
            digest.update(np.ascontiguousarray(z).tobytes())
        return digest.hexdigest()[:16], sum(len(z) for z in self.plots)


def radars(box: F8, clutter: float) -> tuple[Sensor, ...]:
    """Three sensors that see the whole box, each with `clutter` false plots a scan."""
    density = clutter / float(np.prod(box[:, 1] - box[:, 0]))
    return tuple(
        Sensor(
            f"radar-{k + 1}",
            p_detect=P_DETECT,
            clutter_density=density,
            sd_m=sd,
            sd_up_m=sd,
            period_s=0.1,
        )
        for k, sd in enumerate(SENSOR_SD)
    )
