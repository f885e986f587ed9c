"""Observations to plots: from degrees to the metres of the tile, with full covariance."""

import numpy as np

from v2x.columns import F8
from v2x.fusion.polar import polar_to_position
from v2x.geodesy import Tile
from v2x.observations import Model, Observations
from v2x.plots import PlotColumns, Plots, Sights
from v2x.readings import Name, Readings
from v2x.sensors import SensorTable

_EARTH_M = 6_371_000.0


def place(
    rows: Observations, looks: Readings, tile: Tile, sensors: SensorTable, ground_hae_m: float
) -> tuple[Plots, int]:
    """Plots and scans of one slice.

    Parameters
    ----------
    rows
        Observations of the slice.
    looks
        Readings of the slice; `Name.SCAN_EMPTY` among them are empty scans.
    tile, sensors
        The local frame, and the sensors placed in it.
    ground_hae_m
        Height at which rows without a height are placed.

    Returns
    -------
    plots, refused
        `refused` counts rows that cannot be placed: angles, with or without range, of a sensor
        without a pose or without their noise; rows without a position.

    Notes
    -----
    Velocities are turned from the object's east-north-up to the tile's, angles from the sensor's,
    to first order in distance over Earth radius; covariances are not (0.1 deg at 10 km).
    """
    empty = looks.take(looks.name == Name.SCAN_EMPTY) if len(looks) else looks
    if not len(rows):
        return Plots.of(PlotColumns.blank(), empty.sensor, empty.t_ns), 0
    z, cov = np.full((len(rows), 3), np.nan), rows.cov.copy()
    flat = rows.model == Model.POSITION
    z[flat] = tile.to_enu(rows.lat[flat], rows.lon[flat], rows.height[flat], h_ref=ground_hae_m)
    good, az, el = np.zeros(len(rows), bool), rows.az.copy(), rows.el.copy()
    for sensor in np.unique(rows.sensor[~flat]).tolist():
        mine = ~flat & (rows.sensor == sensor)
        at = sensors[sensor]
        if np.isfinite((at.lat, at.lon)).all() or at.east_m or at.north_m:
            stand = np.array([[at.east_m, at.north_m, at.up_m]])
            az[mine] += np.radians(at.yaw_deg)
            az[mine], el[mine] = _levelled(az[mine], el[mine], stand, tile.lat0)
            good[mine] = np.isfinite(az[mine]) & (rows.ang_sd[mine] > 0)
            mine &= rows.model == Model.POLAR
            z[mine], cov[mine] = polar_to_position(
                rows.range[mine],
                az[mine],
                el[mine],
                rows.range_sd[mine],
                rows.ang_sd[mine],
                (at.east_m, at.north_m, at.up_m),
            )
    placed = rows.model != Model.BEARING
    good[placed] = (np.isfinite(z[:, :2]).all(axis=1) & (cov[:, 0] > 0) & (cov[:, 3] > 0))[placed]
    refused = int(np.count_nonzero(~good))
    flat_up = ~(np.isfinite(z[:, 2]) & (cov[:, 5] > 0))
    z[flat_up, 2] = np.nan
    cov[flat_up, 2] = cov[flat_up, 4] = 0.0
    cov[flat_up, 5] = np.nan
    sights = None
    if not flat.all() or np.isfinite(rows.radial).any():
        sights = Sights.blank(
            len(rows),
            model=rows.model,
            range=rows.range,
            az=az,
            el=el,
            range_sd=rows.range_sd,
            ang_sd=rows.ang_sd,
            radial=rows.radial,
            radial_sd=rows.radial_sd,
        )
    plots = PlotColumns.blank(
        len(rows),
        t_ns=rows.t_ns,
        sensor=rows.sensor,
        z=z,
        cov=cov,
        vel=_turned(rows.vel, z, tile.lat0),
        vel_sd=rows.vel_sd,
        ident=rows.ident,
        track_ref=rows.track_ref,
        kind=rows.kind,
        kind_conf=rows.kind_conf,
        flags=rows.flags,
        row=np.arange(len(rows)),
    )
    if refused:
        plots = plots.take(good)
        sights = None if sights is None else sights.take(good)
    return Plots.of(plots, empty.sensor, empty.t_ns, sights), refused


def _turned(vel: F8, z: F8, lat0: float) -> F8:
    """Velocity at the object, (n, 3), in the axes of the tile.

    Going east the plane tilts by e/R and north turns by e tan(lat)/R; going north it tilts by n/R.
    """
    made = vel.copy()
    tilt = np.nan_to_num(z[:, :2]) / _EARTH_M
    turn = tilt[:, 0] * np.tan(np.radians(lat0))
    up = np.nan_to_num(vel[:, 2])
    made[:, 0] += tilt[:, 0] * up - turn * vel[:, 1]
    made[:, 1] += tilt[:, 1] * up + turn * vel[:, 0]
    made[:, 2] -= tilt[:, 0] * vel[:, 0] + tilt[:, 1] * vel[:, 1]
    return made


def _levelled(az: F8, el: F8, stand: F8, lat0: float) -> tuple[F8, F8]:
    """Azimuth and elevation at a sensor that stands at (1, 3) m, in the axes of the tile."""
    known = np.where(np.isnan(el), 0.0, el)
    line = np.stack([np.sin(az) * np.cos(known), np.cos(az) * np.cos(known), np.sin(known)], 1)
    e, n, u = _turned(line, np.broadcast_to(stand, line.shape), lat0).T
    return np.arctan2(e, n), np.where(np.isnan(el), el, np.arctan2(u, np.hypot(e, n)))
