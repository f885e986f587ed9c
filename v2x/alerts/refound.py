"""Found again: which track of a picture is the lost one of an alert, and has it left."""

from math import isfinite

import numpy as np

from v2x.alerts.life import Life, Motion
from v2x.alerts.subjects import corroborated
from v2x.columns import F8
from v2x.picture import Picture
from v2x.tracks import Status

REFIND_NS = 20_000_000_000
"""How long a lost track may come back as another by its place alone; ours, to be tuned."""
REFIND_M = 100.0
REFIND_MOST_M = 500.0
"""Three sigma of a track that coasted for long would take any other for it."""


def coasts(picture: Picture, row: int) -> bool:
    """Tell whether the track is a guess at present."""
    return bool(picture.tracks.status[row] == Status.COASTING)


def seen(life: Life, picture: Picture, row: int) -> bool:
    """Tell whether the track is seen at its place now, well enough to end this alert.

    A coasting track is a guess; and what a drone says of itself never clears severity 1.
    """
    if picture.tracks.status[row] != Status.CONFIRMED:
        return False
    return life.severity > 1 or corroborated(picture, row)


def outside(life: Life, picture: Picture, row: int) -> bool:
    """Tell whether a track without a finding is the one lost in a zone, seen outside of it."""
    last, tracks = life.motion, picture.tracks
    if not life.zone or last is None or not seen(life, picture, row):
        return False
    named = last.ident >= 0 and int(tracks.ident[row]) == last.ident
    return named or int(tracks.kind[row]) == last.kind


def returned(life: Life, picture: Picture) -> list[int]:
    """Rows of tracks that may be the lost one of `life` again, best first.

    Founded after the last plot of the lost one, and within 20 s with the same identity, or near
    where it was or should be by now: 3 sigma, at least 100 m. A place that an alert was lost
    inside of waits for the same identity without end.
    """
    last, tracks, t = life.motion, picture.tracks, picture.t_ns
    if last is None:
        return []
    recent = t - life.seen_ns <= REFIND_NS
    if not recent and (last.ident < 0 or not life.lost):
        return []
    born = tracks.first_ns > last.plot_ns
    same = born & (tracks.ident == last.ident) & (last.ident >= 0)
    candidates = same.copy()
    if recent:
        other = (tracks.ident >= 0) & (last.ident >= 0) & (tracks.ident != last.ident)
        gate = min(max(REFIND_M, 3.0 * last.sd if isfinite(last.sd) else 0.0), REFIND_MOST_M)
        candidates |= born & ~other & (_away(last, life, picture) <= gate)
    rows = np.flatnonzero(candidates)
    if not len(rows):
        return []
    away = _away(last, life, picture)
    return sorted(rows.tolist(), key=lambda i: (not same[i], float(away[i]), int(tracks.id[i])))


def _away(last: Motion, life: Life, picture: Picture) -> F8:
    """(n,) m from each track to where the lost one was, or should be now, whatever is nearer."""
    dt = (picture.t_ns - life.seen_ns) / 1e9
    x = picture.tracks.x
    there = np.hypot(x[:, 0] - last.east, x[:, 1] - last.north)
    east, north = last.east + last.v_east * dt, last.north + last.v_north * dt
    nearer: F8 = np.minimum(there, np.hypot(x[:, 0] - east, x[:, 1] - north))
    return nearer
