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

_F8, _F4, _I8, _I4, _U2, _U1 = map(np.dtype, ("f8", "f4", "i8", "i4", "u2", "u1"))
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

    Raises
    ------
    ValueError
        Columns are not of one length, or not of the width they have to have.
    """
    rows: PlotColumns = plots.rows
    scans = plots.scans
    z, cov, sight = rows.z, rows.cov, _NOTHING
    n, k = len(z), len(scans.t_ns)
    if plots.sights is not None and n:
        z, cov, sight = _sighted(plots.sights, rows, place)
    return Sheet(
        z=_door(z, _F8, (n, 3)),
        cov=_door(cov, _F8, (n, 6)),
        vel=_door(rows.vel, _F8, (n, 3)),
        vel_sd=_door(rows.vel_sd, _F4, (n,)),
        ident=_door(rows.ident, _I8, (n,)),
        track_ref=_door(rows.track_ref, _I8, (n,)),
        kind=_door(rows.kind, _U1, (n,)),
        kind_conf=_door(rows.kind_conf, _F4, (n,)),
        flags=_door(rows.flags, _U2, (n,)),
        sight=sight,
        scan_sensor=_door(scans.sensor, _I4, (k,)),
        scan_ns=_door(scans.t_ns, _I8, (k,)),
        scan_first=_door(scans.first, _I4, (k,)),
        scan_end=_door(scans.end, _I4, (k,)),
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


def _door(array: Any, dtype: Any, shape: tuple[int, ...]) -> Any:
    """Let in what kernels can take: dtype, C order, aligned, writeable. All else is copied.

    Kernels believe these arrays without looking at them, so this is the place to look.
    """
    if array.shape != shape:
        raise ValueError(f"a column of these plots must be {shape}, got {array.shape}")
    if array.flags.carray and (array.dtype is dtype or array.dtype == dtype):
        return array
    return np.array(array, dtype=dtype, order="C")
