"""Plots: observations in the tile's metres with full covariance, grouped into scans.

Researchers build them directly, without a wire: `Plots.positions`, `Plots.polar`,
`Plots.bearings`, `Plots.concat`.
"""

from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np

from v2x.columns import F4, F8, I4, I8, U1, U2, Columns, column


class SensorRows(Protocol):
    """Whatever knows the row of a sensor name: `v2x.sensors.SensorTable`."""

    def row(self, name: str) -> int:
        """Row of the sensor called `name`."""


@dataclass(frozen=True, slots=True)
class Scans(Columns):
    """One look of one sensor a row: plots ``first:end``. An empty scan saw nothing."""

    sensor: I4 = column("i4")
    t_ns: I8 = column("i8")
    first: I4 = column("i4")
    end: I4 = column("i4")


@dataclass(frozen=True, slots=True)
class PlotColumns(Columns):
    """Columns of `Plots`.

    Attributes
    ----------
    t_ns, sensor
        Event time, and row of the sensor table.
    z
        (n, 3) east, north, up in metres; up NaN where the height was not measured. All NaN for
        bearings; for range and angles, NaN lets the tracker find the place.
    cov
        (n, 6) ``[EE, EN, EU, NN, NU, UU]`` m²; UU NaN with up.
    vel, vel_sd
        (n, 3) m/s where the sensor reports a velocity, and its sd per axis.
    ident, track_ref, kind, kind_conf, flags
        As in `v2x.observations`.
    row
        Row of the observation it came from, -1 for arrays built directly.
    """

    t_ns: I8 = column("i8")
    sensor: I4 = column("i4")
    z: F8 = column("f8", 3)
    cov: F8 = column("f8", 6)
    vel: F8 = column("f8", 3)
    vel_sd: F4 = column("f4")
    ident: I8 = column("i8", blank=-1)
    track_ref: I8 = column("i8", blank=-1)
    kind: U1 = column("u1")
    kind_conf: F4 = column("f4", blank=0)
    flags: U2 = column("u2")
    row: I4 = column("i4", blank=-1)


@dataclass(frozen=True, slots=True)
class Sights(Columns):
    """What a sensor measured that is no place, one row per row of the plots.

    Attributes
    ----------
    model
        `v2x.observations.Model`. Rows that are positions may have a range rate all the same.
    range, az, el, range_sd, ang_sd
        As in `v2x.observations`, but azimuth from the tile's north and angles at the sensor's
        place in the tile; el NaN where the sensor has none.
    radial, radial_sd
        Range rate in m/s, positive going away.
    """

    model: U1 = column("u1")
    range: F8 = column("f8")
    az: F8 = column("f8")
    el: F8 = column("f8")
    range_sd: F8 = column("f8")
    ang_sd: F8 = column("f8")
    radial: F8 = column("f8")
    radial_sd: F8 = column("f8")


@dataclass(frozen=True, slots=True)
class Plots:
    """Rows and the scans that hold them. Rows stand in scan order.

    `sights` is None where all rows are positions and nothing else.
    """

    rows: PlotColumns
    scans: Scans
    sights: Sights | None = None

    def __len__(self) -> int:
        return len(self.rows)

    @classmethod
    def nothing(cls) -> Self:
        """No plots and no scans."""
        return cls(PlotColumns.blank(), Scans.blank())

    @classmethod
    def of(
        cls,
        rows: PlotColumns,
        empty_sensor: Any = (),
        empty_t_ns: Any = (),
        sights: Sights | None = None,
    ) -> Self:
        """Group rows of equal (t_ns, sensor) into scans, and add the empty looks.

        Order of scans is (t_ns, sensor row); rows keep their order inside a scan. An empty look
        of a sensor that also has rows at that time is no extra scan.

        Raises
        ------
        ValueError
            `sights` has not one row for each of `rows`.
        """
        n = len(rows)
        if n == 0 and np.size(empty_t_ns) == 0:
            return cls.nothing()
        if sights is not None and len(sights) != n:
            raise ValueError(f"sights must have {n} rows like the plots, got {len(sights)}")
        order = np.lexsort((rows.sensor, rows.t_ns))
        rows = rows.take(order)
        sights = None if sights is None else sights.take(order)
        cut = np.ones(n + 1, bool)
        if n:
            cut[1:n] = (rows.t_ns[1:] != rows.t_ns[:-1]) | (rows.sensor[1:] != rows.sensor[:-1])
        edges = np.flatnonzero(cut)
        first, end = edges[:-1], edges[1:]
        scans = Scans.blank(
            len(first), sensor=rows.sensor[first], t_ns=rows.t_ns[first], first=first, end=end
        )
        empty_t = np.asarray(empty_t_ns, np.int64).reshape(-1)
        if empty_t.size:
            empty_s = np.asarray(empty_sensor, np.int32).reshape(-1)
            looks = Scans.concat([scans, Scans.blank(empty_t.size, sensor=empty_s, t_ns=empty_t)])
            filled = looks.end > looks.first
            order = np.lexsort((~filled, looks.sensor, looks.t_ns))
            looks = looks.take(order)
            keep = np.ones(len(looks), bool)
            keep[1:] = (looks.t_ns[1:] != looks.t_ns[:-1]) | (looks.sensor[1:] != looks.sensor[:-1])
            scans = looks.take(keep)
        return cls(rows, scans, sights)

    @classmethod
    def concat(cls, parts: list[Self]) -> Self:
        """All rows and scans of `parts`, regrouped."""
        rows = PlotColumns.concat([p.rows for p in parts])
        scans = Scans.concat([p.scans for p in parts])
        empty = scans.take(scans.end == scans.first)
        sights = None
        if any(p.sights is not None for p in parts):
            sights = Sights.concat(
                [Sights.blank(len(p)) if p.sights is None else p.sights for p in parts]
            )
        return cls.of(rows, empty.sensor, empty.t_ns, sights)

    @classmethod
    def positions(
        cls,
        t_ns: Any,
        sensor: Any,
        xyz: Any,
        cov: Any,
        sensors: SensorRows | None = None,
        **columns: Any,
    ) -> Self:
        """Build plots from positions.

        Parameters
        ----------
        t_ns
            int, or (n,) int64.
        sensor
            Row number of the sensor table, or (n,); with `sensors` also a name, or n names.
        xyz
            (n, 3) m with NaN where not measured, or (n, 2).
        cov
            (n, 3, 3), (n, 2, 2) or (n, 6) ``[EE, EN, EU, NN, NU, UU]`` m².
        sensors
            Table that knows the row of a name: ``tracker.sensors``.
        **columns
            Further columns of `PlotColumns` such as ``vel`` or ``ident``.

        Raises
        ------
        ValueError
            On any other shape; the message holds it. ``n = 0`` with scalars is one empty scan.
        """
        xyz = np.asarray(xyz, np.float64)
        if xyz.ndim != 2 or xyz.shape[1] not in (2, 3):
            raise ValueError(f"xyz must be (n, 2) or (n, 3), got {xyz.shape}")
        n, axes = xyz.shape
        z = np.empty((n, 3))
        z[:, 2] = np.nan
        z[:, :axes] = xyz
        c = np.zeros((n, 6))
        cov = np.asarray(cov, np.float64)
        if cov.shape == (n, 2, 2):
            c[:, :2], c[:, 3], c[:, 5] = cov[:, 0], cov[:, 1, 1], np.nan
        elif cov.shape == (n, 3, 3):
            c[:, :3], c[:, 3:5], c[:, 5] = cov[:, 0], cov[:, 1, 1:], cov[:, 2, 2]
        elif cov.shape == (n, 6):
            c[:] = cov
        else:
            raise ValueError(f"cov must be (n, 3, 3), (n, 2, 2) or (n, 6), n = {n}: {cov.shape}")
        sensor = _rows_of(sensor, sensors)
        if not (isinstance(t_ns, _INTS) and isinstance(sensor, _INTS)):
            _one_or_each(n, t_ns=t_ns, sensor=sensor)
            if np.ndim(t_ns) or np.ndim(sensor):
                return cls.of(PlotColumns.blank(n, t_ns=t_ns, sensor=sensor, z=z, cov=c, **columns))
        if columns:
            rows = PlotColumns.blank(n, t_ns=t_ns, sensor=sensor, z=z, cov=c, **columns)
        else:
            rows = _bare(n, int(t_ns), int(sensor), z, c)
        scan = np.array((sensor, 0, n), np.int32)
        return cls(rows, Scans(scan[:1], np.array((t_ns,), np.int64), scan[1:2], scan[2:]))

    @classmethod
    def polar(
        cls,
        t_ns: Any,
        sensor: Any,
        range_m: Any,
        az: Any,
        el: Any,
        range_sd: Any,
        ang_sd: Any,
        sensors: SensorRows | None = None,
        *,
        radial: Any = np.nan,
        radial_sd: Any = np.nan,
        **columns: Any,
    ) -> Self:
        """Build plots from range and angles at the place of the sensor.

        Parameters
        ----------
        t_ns, sensor, sensors, **columns
            As in `positions`.
        range_m, az, el
            (n,) slant range in m; azimuth clockwise from north and elevation from the horizontal,
            rad. Elevation None or NaN: the sensor has none, the range is horizontal.
        range_sd, ang_sd
            One standard deviation, m and rad; numbers or (n,).
        radial, radial_sd
            Range rate and its deviation, m/s; numbers or (n,).

        Raises
        ------
        ValueError
            On any other shape; the message holds it.
        """
        return cls._seen(
            1, t_ns, sensor, sensors, columns, range=range_m, az=az, el=el, range_sd=range_sd,
            ang_sd=ang_sd, radial=radial, radial_sd=radial_sd,
        )  # fmt: skip

    @classmethod
    def bearings(
        cls,
        t_ns: Any,
        sensor: Any,
        az: Any,
        el: Any,
        sd: Any,
        sensors: SensorRows | None = None,
        **columns: Any,
    ) -> Self:
        """Build plots from lines of sight.

        Parameters
        ----------
        t_ns, sensor, sensors, **columns
            As in `positions`.
        az, el
            (n,) azimuth clockwise from north and elevation from the horizontal, rad. Elevation
            None or NaN: the sensor has none.
        sd
            One standard deviation per axis across the line of sight, rad; a number or (n,).

        Raises
        ------
        ValueError
            On any other shape; the message holds it.
        """
        return cls._seen(2, t_ns, sensor, sensors, columns, az=az, el=el, ang_sd=sd)

    @classmethod
    def _seen(
        cls,
        model: int,
        t_ns: Any,
        sensor: Any,
        sensors: SensorRows | None,
        columns: dict[str, Any],
        **measured: Any,
    ) -> Self:
        az = np.asarray(measured["az"], np.float64)
        if az.ndim != 1:
            raise ValueError(f"az must be (n,), got {az.shape}")
        n = len(az)
        if measured["el"] is None:
            measured["el"] = np.nan
        sensor = _rows_of(sensor, sensors)
        _one_or_each(n, t_ns=t_ns, sensor=sensor, **measured)
        rows = PlotColumns.blank(n, t_ns=t_ns, sensor=sensor, **columns)
        sights = Sights.blank(n, model=model, **measured)
        if n == 0 and np.ndim(t_ns) == 0 and np.ndim(sensor) == 0:
            return cls.of(rows, sensor, t_ns)
        return cls.of(rows, sights=sights)


_INTS = (int, np.integer)


def _one_or_each(n: int, **values: Any) -> None:
    """Refuse what is neither one number nor `n`."""
    for name, value in values.items():
        if np.shape(value) not in ((), (n,)):
            raise ValueError(f"{name} must be one number or ({n},), got {np.shape(value)}")


def _rows_of(sensor: Any, sensors: SensorRows | None) -> Any:
    """Row numbers of sensor names; numbers stay."""
    if isinstance(sensor, _INTS):
        return sensor
    if isinstance(sensor, str):
        names = [sensor]
    elif isinstance(sensor, list | tuple | np.ndarray) and any(
        isinstance(name, str) for name in sensor
    ):
        names = [str(name) for name in sensor]
    else:
        return sensor
    if sensors is None:
        raise ValueError(f"sensor {names[0]!r} is a name: pass sensors=tracker.sensors with it")
    rows = [sensors.row(name) for name in names]
    return rows[0] if isinstance(sensor, str) else np.array(rows, np.int32)


_BLANK = PlotColumns.blank(2048)


def _bare(n: int, t_ns: int, sensor: int, z: F8, cov: F8) -> PlotColumns:
    """Rows of one scan that measured positions and nothing else."""
    like = _BLANK if n <= len(_BLANK.row) else PlotColumns.blank(n)
    times, sensors = np.empty(n, np.int64), np.empty(n, np.int32)
    times.fill(t_ns)
    sensors.fill(sensor)
    return PlotColumns(
        t_ns=times,
        sensor=sensors,
        z=z,
        cov=cov,
        vel=like.vel[:n].copy(),
        vel_sd=like.vel_sd[:n].copy(),
        ident=like.ident[:n].copy(),
        track_ref=like.track_ref[:n].copy(),
        kind=like.kind[:n].copy(),
        kind_conf=like.kind_conf[:n].copy(),
        flags=like.flags[:n].copy(),
        row=like.row[:n].copy(),
    )
