"""Kernel of `v2x.ingest.looks`: objects as columns, row by row, to observations."""

from typing import NamedTuple

import numpy as np

from v2x.columns import B1, F4, F8, I4, I8, U1, U2
from v2x.ingest.decoded import Reject
from v2x.ingest.timestamps import FUTURE_NS, PAST_NS
from v2x.jit import uncounted
from v2x.observations import Flag, Kind, Model, Observations

FROM_WIRE = np.uint16(
    Flag.SELF_REPORTED | Flag.SIMULATED | Flag.HEIGHT_BAROMETRIC | Flag.HEIGHT_ABOVE_TAKEOFF
    | Flag.RELAYED | Flag.BACKLOG
)  # fmt: skip
"""Flags that a sender may set; the others are ours."""

_FROM_WIRE = int(FROM_WIRE)
_SUSPECT, _LOW = int(Flag.TIME_SUSPECT), int(Flag.LOW_QUALITY)
_UNCERTAIN, _BAROMETRIC = int(Flag.DATUM_UNCERTAIN), int(Flag.HEIGHT_BAROMETRIC)
_TAKEOFF = int(Flag.HEIGHT_ABOVE_TAKEOFF)
_POSITION, _POLAR, _BEARING = int(Model.POSITION), int(Model.POLAR), int(Model.BEARING)
_LAST_KIND = int(max(Kind))
_VALUE_RANGE = int(Reject.VALUE_RANGE)


class Joined(NamedTuple):
    """Columns of objects; those that nobody sent are empty."""

    lat: F8
    lon: F8
    az: F8
    el: F8
    range: F8
    height: F4
    vel: F4
    vel_sd: F4
    cov: F4
    range_sd: F4
    ang_sd: F4
    radial: F4
    radial_sd: F4
    rssi: F4
    size: F4
    track_ref: I8
    kind: U1
    kind_conf: F4
    flags: U2


class LookOut(NamedTuple):
    """All columns of `Observations`, as a kernel fills them."""

    frame: I4
    t_ns: I8
    recv_ns: I8
    sensor: I4
    ident: I8
    track_ref: I8
    kind: U1
    kind_conf: F4
    model: U1
    lat: F8
    lon: F8
    height: F8
    cov: F8
    vel: F8
    vel_sd: F4
    range: F8
    az: F8
    el: F8
    range_sd: F8
    ang_sd: F8
    radial: F4
    radial_sd: F4
    rssi: F4
    size: F4
    flags: U2


def room(n: int) -> LookOut:
    """Columns for n rows, nothing in them."""
    return LookOut(*(np.empty((n, *shape), dtype) for _, dtype, shape, _ in Observations.schema()))


@uncounted
def _within(values: F4, r: int, low: float, high: float) -> float:
    """Value r in its range; NaN outside of it, or where nobody sent the column."""
    if values.shape[0] == 0:
        return np.nan
    value = float(values[r])
    return value if low <= value <= high else np.nan


@uncounted
def _covariance(c: Joined, r: int, up: bool, sd: float, sd_up: float, out: F8, j: int) -> bool:
    """Covariance of row r into out[j] as sent where it is one, else the noise; was it refused.

    `up`: the height is known.
    """
    good = sent = False
    if c.cov.shape[0]:
        c0, c1, c2 = float(c.cov[r, 0]), float(c.cov[r, 1]), float(c.cov[r, 2])
        c3, c4, c5 = float(c.cov[r, 3]), float(c.cov[r, 4]), float(c.cov[r, 5])
        sent = not (c0 != c0 and c1 != c1 and c2 != c2 and c3 != c3 and c4 != c4 and c5 != c5)
        good = 0.0 < c0 < 1e10 and 0.0 < c3 < 1e10 and c0 * c3 - c1 * c1 > 0.0
        flat = not up or c5 != c5
        if good and not flat:
            solid = c0 * (c3 * c5 - c4 * c4) - c1 * (c1 * c5 - c4 * c2) + c2 * (c1 * c4 - c3 * c2)
            good = 0.0 < c5 < 1e10 and solid > 0.0
        if good:
            out[j, 0], out[j, 1], out[j, 3] = c0, c1, c3
            if flat:
                out[j, 2], out[j, 4], out[j, 5] = 0.0, 0.0, np.nan
            else:
                out[j, 2], out[j, 4], out[j, 5] = c2, c4, c5
    if not good:
        tall = 2.0 * sd if sd_up != sd_up else sd_up
        out[j, 0], out[j, 1], out[j, 2] = sd * sd, 0.0, 0.0
        out[j, 3], out[j, 4], out[j, 5] = sd * sd, 0.0, tall * tall if up else np.nan
    return sent and not good


@uncounted
def fill_looks(
    frame: I4, t_ns: I8, doubts: U2, flat: B1, reference: U1, ident: I8, c: Joined, sensor: I4,
    recv: I8, noise: F8, sea: F8, rejects: U1, out: LookOut, amsl: F8,
) -> tuple[int, int]:  # fmt: skip
    """Rows of objects, as `v2x.ingest.looks.judged` says; how many, and how many off the globe.

    The first six are (rows,) of `Looks`; sensor, recv and rejects by frame of the batch; noise
    (sensors, 4): sd, sd up, sd of range in m, of angles in deg; sea: the geoid's height at each row
    if one counts from sea level, else empty; amsl: as long as the rows, or empty if all heights
    are above the ellipsoid.
    """
    j = strays = r = 0
    while r < frame.shape[0]:
        row = frame[r]
        s, received = sensor[row], recv[row]
        begin, bad = j, 0
        refused = rejects[row] != 0
        while r < frame.shape[0] and frame[r] == row:
            lat = c.lat[r] if c.lat.shape[0] else np.nan
            lon = c.lon[r] if c.lon.shape[0] else np.nan
            az = c.az[r] if c.az.shape[0] else np.nan
            el = c.el[r] if c.el.shape[0] else np.nan
            reach = c.range[r] if c.range.shape[0] else np.nan
            polar = -np.inf < reach < np.inf
            if flat[r]:
                good = abs(lat) <= 90.0 and abs(lon) <= 180.0
                good = good and not (abs(lat) < 0.01 and abs(lon) < 0.01)
            else:
                good = abs(az) <= 7.0 and abs(el) <= 1.6
                good = good and (not polar or 0.0 < reach < 1e6)
            if not good:
                bad += 1
                r += 1
                continue
            flags = ((int(c.flags[r]) if c.flags.shape[0] else 0) & _FROM_WIRE) | int(doubts[r])
            if t_ns[r] - received > FUTURE_NS or received - t_ns[r] > PAST_NS:
                flags |= _SUSPECT
            height = float(c.height[r]) if c.height.shape[0] else np.nan
            if not abs(height) < 1e5:
                height = np.nan
            ref = reference[r]
            if amsl.shape[0]:
                amsl[j] = height if ref == 1 else np.nan
            if ref == 1:
                if height == height and sea[r] != sea[r]:
                    flags |= _UNCERTAIN
                height += sea[r]
            elif ref > 1:
                height = np.nan
                flags |= _UNCERTAIN if ref == 2 else _TAKEOFF if ref == 3 else _BAROMETRIC
            range_sd, ang_sd = _within(c.range_sd, r, 1e-3, 1e5), _within(c.ang_sd, r, 1e-6, 3.2)
            if flat[r]:
                known = height == height
                if _covariance(c, r, known, noise[s, 0], noise[s, 1], out.cov, j):
                    flags |= _LOW
            else:
                for k in range(6):
                    out.cov[j, k] = np.nan
                range_sd = noise[s, 2] if range_sd != range_sd else range_sd
                ang_sd = np.radians(noise[s, 3]) if ang_sd != ang_sd else ang_sd
            kind = int(c.kind[r]) if c.kind.shape[0] else 0
            conf = _within(c.kind_conf, r, 0.0, 1.0)
            out.frame[j] = row
            out.t_ns[j] = t_ns[r]
            out.recv_ns[j] = received
            out.sensor[j] = s
            out.ident[j] = ident[r]
            out.track_ref[j] = c.track_ref[r] if c.track_ref.shape[0] else -1
            out.kind[j] = kind if kind <= _LAST_KIND else 0
            out.kind_conf[j] = conf if conf == conf else 0.0
            out.model[j] = _POSITION if flat[r] else _POLAR if polar else _BEARING
            out.lat[j], out.lon[j], out.height[j] = lat, lon, height
            for k in range(3):
                speed = float(c.vel[r, k]) if c.vel.shape[0] else np.nan
                out.vel[j, k] = speed if abs(speed) <= 2000.0 else np.nan
                length = float(c.size[r, k]) if c.size.shape[0] else np.nan
                out.size[j, k] = length if 0.0 <= length <= 1000.0 else np.nan
            out.vel_sd[j] = _within(c.vel_sd, r, 0.0, 1e4)
            out.range[j], out.az[j], out.el[j] = reach, az, el
            out.range_sd[j], out.ang_sd[j] = range_sd, ang_sd
            out.radial[j] = _within(c.radial, r, -2000.0, 2000.0)
            out.radial_sd[j] = _within(c.radial_sd, r, 0.0, 1e4)
            out.rssi[j] = _within(c.rssi, r, -200.0, 100.0)
            out.flags[j] = flags
            j += 1
            r += 1
        if bad and j == begin:
            rejects[row] = _VALUE_RANGE
        if refused:
            j = begin
        else:
            strays += bad
    return j, strays
