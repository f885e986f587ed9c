"""Bodies: objects that sensors see without their help, for claims to be compared with.

Where a claim is fused into a track, the track follows it. What the other sensors say shows in their
own innovations: their mean over the last seconds is how far the object lies off the track.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from v2x.columns import B1, F8, I8
from v2x.lowalt.spoofing import without_datum, without_delay
from v2x.observations import Kind
from v2x.sensors import INDEPENDENT, SensorKind, SensorTable
from v2x.tracks import Residuals, Tracks

SECOND = 1_000_000_000
LEAN_NS = 4 * SECOND
"""Time constant of the mean innovation."""
LEANS = 4096
GATE = 3.0
REACH_M = 1500.0
"""A body further from a claim is not what sends it."""
AGREE_MPS = 5.0
"""What sends a claim moves as the claim does: their velocities differ by less than this and 3 sd.
Ours."""

_ROAD = np.zeros(256, np.bool_)
_ROAD[[Kind.PEDESTRIAN, Kind.BICYCLE, Kind.MOTORCYCLE, Kind.CAR, Kind.TRUCK, Kind.BUS]] = True
_ROAD[[Kind.EMERGENCY_VEHICLE, Kind.OBSTACLE]] = True
_SURE = np.float32(0.5)
_BITS = sum(1 << kind for kind in INDEPENDENT)


class Bodies(NamedTuple):
    """Tracks that independent sensors feed, one a row."""

    id: I8
    t_ns: I8
    place: F8
    """(n, 3) m; up NaN unknown."""
    velocity: F8
    sd: F8
    """(n, 2) horizontal and up, m."""
    ident: I8
    flies: B1
    """It may be an aircraft: a claim may be its own, wherever it says it is."""


class Leans:
    """Mean innovation of independent sensors on tracks that claims are fused into."""

    def __init__(self, sensors: SensorTable) -> None:
        self._independent = np.isin(sensors.kinds(), list(INDEPENDENT))
        self._at: dict[int, list[float]] = {}  # track id: ns, weight, east, north, up, square

    def take(self, residuals: Residuals, tracks: Tracks) -> None:
        """Take in a slice's residuals; tracks that are gone are forgotten."""
        both = (tracks.ident >= 0) & ((tracks.sensor_kinds & _BITS) != 0)
        both &= (tracks.sensor_kinds & (1 << SensorKind.REMOTE_ID)) != 0
        wanted = tracks.id[both]
        kept = set(wanted.tolist())
        self._at = {k: v for k, v in self._at.items() if k in kept}
        if not len(wanted) or not len(residuals):
            return
        rows = self._independent[residuals.sensor] & (residuals.conflict == 0)
        rows &= np.isin(residuals.track, wanted)
        r = residuals.take(rows)
        for track, t, innovation in zip(
            r.track.tolist(), r.t_ns.tolist(), r.innovation.tolist(), strict=True
        ):
            at = self._at.setdefault(track, [t, 0.0, 0.0, 0.0, 0.0, 0.0])
            fade = float(np.exp(-max(t - at[0], 0) / LEAN_NS))
            e, n, u = innovation
            at[1:] = [fade * x for x in at[1:]]
            at[0] = max(t, at[0])
            at[1] += 1.0
            at[2] += e
            at[3] += n
            at[4] += u if u == u else 0.0
            at[5] += 0.5 * (e * e + n * n)
        while len(self._at) > LEANS:
            del self._at[next(iter(self._at))]

    def of(self, ids: I8) -> tuple[F8, F8]:
        """Lean of each track (n, 2) m and its standard deviation (n,); 0 where too little is known.

        The square includes the lean itself, so that the deviation is never too small.
        """
        lean, sd = np.zeros((len(ids), 2)), np.zeros(len(ids))
        for row, track in enumerate(ids.tolist()):
            at = self._at.get(track)
            if at is not None and at[1] >= 2.0:
                lean[row] = at[2] / at[1], at[3] / at[1]
                spread = max(at[5] / at[1] - 0.5 * float(lean[row] @ lean[row]), 0.0)
                sd[row] = np.sqrt(spread / at[1])
        return lean, sd

    def state(self) -> list[tuple[int, list[float]]]:
        """What must survive a restart."""
        return list(self._at.items())

    def restore(self, state: list[Any]) -> None:
        """Put back what `state` gave."""
        self._at = {track: list(at) for track, at in state}


def bodies_of(tracks: Tracks, leans: Leans, agl: F8, up_known: B1) -> Bodies:
    """Tracks that independent sensors feed and that are no road users for sure.

    agl (n,) height over ground of the tracks, NaN unknown; up_known (n,) whether it was measured.
    """
    seen = (tracks.sensor_kinds & _BITS) != 0
    seen &= ~(_ROAD[tracks.kind] & (tracks.kind_prob >= _SURE))
    rows = np.flatnonzero(seen)
    near = tracks.take(rows)
    place = near.x[:, :3].copy()
    place[~up_known[rows], 2] = np.nan
    lean, lean_sd = leans.of(near.id)
    place[:, :2] += lean
    ee, en, nn = near.P[:, 0, 0], near.P[:, 0, 1], near.P[:, 1, 1]
    wide = 0.5 * (ee + nn) + np.sqrt(0.25 * (ee - nn) ** 2 + en * en)
    sd = np.sqrt(np.column_stack((wide + lean_sd**2, near.P[:, 2, 2])))
    flies = (near.kind == Kind.UAS) | ((near.kind == Kind.UNKNOWN) & (agl[rows] > 5.0))
    return Bodies(near.id, near.t_ns, place, near.x[:, 3:], sd, near.ident, flies)


class Match(NamedTuple):
    """What each claim is compared with, one a row."""

    body: I8
    """Row of the body, -1 none."""
    supported: B1
    """It lies where the claim says."""
    offset: F8
    """(n, 3) claim minus body, m; NaN without one."""
    sd: F8
    """(n, 2) horizontal and up, of claim and body together."""


def matched(
    bodies: Bodies, t_ns: I8, place: F8, velocity: F8, sd: F8, taken: B1, last: I8
) -> Match:
    """Find the body of each claim: the nearest that lies there, else one that moves alike.

    Parameters
    ----------
    t_ns, place, velocity, sd
        (n,), (n, 3), (n, 3), (n, 2) of the claims; NaN unknown.
    taken
        (n, bodies) bodies that lie where another claim says, or have another identity.
    last
        (n,) id of the body each was last compared with: kept while it moves alike.
    """
    n, m = len(place), len(bodies.id)
    body = np.full(n, -1, np.int64)
    none = np.full((n, 3), np.nan), np.full((n, 2), np.nan)
    if not n or not m:
        return Match(body, np.zeros(n, np.bool_), *none)
    dt = (t_ns[:, None] - bodies.t_ns[None, :]) * 1e-9
    offset = place[:, None, :] - bodies.place - bodies.velocity * dt[:, :, None]
    both = np.sqrt(sd[:, None, :] ** 2 + bodies.sd**2)
    moves = np.where(np.isfinite(velocity[:, None, :]), velocity[:, None, :], bodies.velocity)
    left = without_delay(offset[:, :, :2], moves[:, :, :2])
    away = np.hypot(left[:, :, 0], left[:, :, 1])
    there = away <= GATE * both[:, :, 0]
    there &= ~(np.abs(without_datum(offset[:, :, 2])) > GATE * both[:, :, 1])
    supported: B1 = np.any(there, axis=1)
    at = np.arange(n)
    nearest = np.where(there, away, np.inf).argmin(axis=1)
    unlike = np.linalg.norm(moves[:, :, :2] - bodies.velocity[:, :2], axis=2)
    alike = (unlike <= AGREE_MPS) & bodies.flies & ~taken & (away <= REACH_M)
    kept = alike & (bodies.id == last[:, None])
    score = np.where(alike, away, np.inf)
    score[kept] = -1.0
    other = score.argmin(axis=1)
    row = np.where(supported, nearest, np.where(np.isfinite(score[at, other]), other, -1))
    body[:] = row
    has = row >= 0
    picked: NDArray[np.intp] = np.maximum(row, 0)
    return Match(
        body,
        supported,
        np.where(has[:, None], offset[at, picked], np.nan),
        np.where(has[:, None], both[at, picked], np.nan),
    )
