"""From plots as researchers hold them to the arrays that kernels read."""

from typing import Any

import numpy as np

from v2x.columns import F8
from v2x.fusion import layout
from v2x.fusion.layout import Sheet
from v2x.fusion.polar import polar_to_position
from v2x.fusion.sights import aim
from v2x.observations import Model
from v2x.plots import PlotColumns, Plots, Sights

_NOTHING = np.zeros((0, layout.N_SIGHT))
_NOWHERE = np.zeros((0, 3))


def sheet_of(plots: Plots, place: F8 = _NOWHERE) -> Sheet:
    """Columns of `plots` as kernels take them; arrays that fit already are not copied.

    Parameters
    ----------
    plots
        Rows and scans.
    place
        (S, 3) where the sensors stand, ENU m: range and angles without a place get one.
    """
    rows: PlotColumns = plots.rows
    scans = plots.scans
    z, cov, sight = rows.z, rows.cov, _NOTHING
    if plots.sights is not None and len(rows):
        z, cov, sight = _sighted(plots.sights, rows, place)
    return Sheet(
        z=_door(z, np.float64),
        cov=_door(cov, np.float64),
        vel=_door(rows.vel, np.float64),
        vel_sd=_door(rows.vel_sd, np.float32),
        ident=_door(rows.ident, np.int64),
        track_ref=_door(rows.track_ref, np.int64),
        kind=_door(rows.kind, np.uint8),
        kind_conf=_door(rows.kind_conf, np.float32),
        flags=_door(rows.flags, np.uint16),
        sight=sight,
        scan_sensor=_door(scans.sensor, np.int32),
        scan_ns=_door(scans.t_ns, np.int64),
        scan_first=_door(scans.first, np.int32),
        scan_end=_door(scans.end, np.int32),
    )


def _sighted(sights: Sights, rows: PlotColumns, place: F8) -> tuple[F8, F8, F8]:
    """Places, covariances and `Sheet.sight`; a line of sight is its own place, as a unit vector."""
    bearing, polar = sights.model == Model.BEARING, sights.model == Model.POLAR
    if not (bearing | polar | np.isfinite(sights.radial)).any():
        return rows.z, rows.cov, _NOTHING
    z, cov, sight = rows.z.copy(), rows.cov.copy(), np.empty((len(rows), layout.N_SIGHT))
    aim(sight, sights.az + 0.0, sights.el + 0.0)
    for column, values in (
        (layout.MODEL, sights.model),
        (layout.RANGE, sights.range),
        (layout.RANGE_SD, sights.range_sd),
        (layout.ANG_SD, sights.ang_sd),
        (layout.RADIAL, sights.radial),
        (layout.RADIAL_SD, sights.radial_sd),
    ):
        sight[:, column] = values
    z[bearing] = sight[bearing][:, layout.TO_E : layout.TO_U + 1]
    cov[bearing] = np.nan
    bare = polar & np.isnan(z[:, 0]) & (rows.sensor >= 0) & (rows.sensor < len(place))
    for k in np.unique(rows.sensor[bare]).tolist():
        mine = bare & (rows.sensor == k)
        z[mine], cov[mine] = polar_to_position(
            sights.range[mine],
            sights.az[mine],
            sights.el[mine],
            sights.range_sd[mine],
            sights.ang_sd[mine],
            place[k],
        )
    return z, cov, sight


def _door(array: Any, dtype: type) -> Any:
    """One signature per kernel: dtype, C order, writeable. A view that is none of it is copied."""
    if array.dtype == dtype and array.flags.c_contiguous and array.flags.writeable:
        return array
    return np.array(array, dtype=dtype, order="C")
