"""Who is in which zone, how surely, and since when on its last move: parts made one zone again."""

from dataclasses import dataclass

import numpy as np

from v2x.columns import B1, F8, I4, U1, Columns, column
from v2x.lowalt.probability import Chances, chances_of
from v2x.lowalt.terrain import GROUND_SD_M
from v2x.lowalt.volumes import Pairs, Places
from v2x.lowalt.walls import Walls, pairs_near

LEAST_P = 0.01
"""Pairs less likely than this are outside."""
REACH_SD = 4.0
THROUGH_P = 0.5
"""A move went through a zone if it was inside more likely than not where it was deepest: what cuts
a corner by noise is below."""
_LOOKS = 33


@dataclass(frozen=True, slots=True)
class Present(Columns):
    """Pairs (k,) of tracks and zones, sorted.

    `p` NaN where the height is unknown, `footprint` probability of the footprint, `margin` metres
    inside (outside negative), `above` metres over the floor where there is one, `unknown` 1 where
    only the footprint was tested.
    """

    point: I4 = column("i4")
    zone: I4 = column("i4")
    p: F8 = column("f8")
    footprint: F8 = column("f8")
    margin: F8 = column("f8")
    above: F8 = column("f8")
    unknown: U1 = column("u1")


@dataclass(frozen=True, slots=True)
class Through(Columns):
    """Moves (k,) that went through a zone: `begin`, `end` are the part of the move inside, 0..1."""

    point: I4 = column("i4")
    zone: I4 = column("i4")
    begin: F8 = column("f8")
    end: F8 = column("f8")
    unknown: U1 = column("u1")


def covariances(P: F8, sd: F8) -> F8:
    """(n, 6) upper triangle of the position's covariance, its height's deviation replaced.

    A deviation of NaN leaves that of the track.
    """
    cov = np.column_stack((P[:, 0, :3], P[:, 1, 1:3], P[:, 2, 2]))
    cov[:, 5] = np.where(np.isnan(sd), cov[:, 5], sd * sd)
    return cov


def present(
    walls: Walls, places: Places, cov: F8, active: B1, ground_sd_m: float = GROUND_SD_M
) -> Present:
    """Pairs of tracks (n,) and zones in force that hold them with `LEAST_P` or more.

    What several parts of one zone hold is added up, unless they share volume: then the likeliest
    counts. cov (n, 6) of `covariances`.
    """
    wide = np.sqrt(np.maximum(cov[:, 0] + cov[:, 3], 0.0))
    point, part = pairs_near(walls, places.flat, REACH_SD * wide, active)
    made = chances_of(walls, places.flat, cov, places.heights, point, part, ground_sd_m)
    likely = made.lateral >= LEAST_P
    point, part = point[likely], part[likely]
    return _by_zone(walls, point, part, Chances(*(column[likely] for column in made)))


def _by_zone(walls: Walls, point: I4, part: I4, made: Chances) -> Present:
    """Parts of one zone put together."""
    zone = walls.owner[part]
    order = np.lexsort((zone, point))
    point, zone = point[order], zone[order]
    lateral, vertical, beside, over = (column[order] for column in made)
    first = np.flatnonzero((np.diff(point, prepend=-1) != 0) | (np.diff(zone, prepend=-1) != 0))
    if not len(first):
        return Present.blank()
    known = np.where(np.isnan(vertical), 0.0, lateral * vertical)
    together = np.minimum(np.add.reduceat(known, first), 1.0)
    p = np.where(walls.apart[zone[first]], together, np.maximum.reduceat(known, first))
    missing = np.logical_or.reduceat(np.isnan(vertical), first)
    margin = np.maximum.reduceat(-np.maximum(beside, over), first)
    above = np.maximum.reduceat(np.where(np.isfinite(over), -over, -np.inf), first)
    footprint = np.maximum.reduceat(lateral, first)
    unsure = missing & (p < 0.9)
    p = np.where(unsure, np.nan, p)
    keep = np.where(unsure, footprint, p) >= LEAST_P
    return Present(
        point[first][keep], zone[first][keep], p[keep], footprint[keep], margin[keep],
        np.where(np.isfinite(above), above, np.nan)[keep], unsure[keep].astype(np.uint8),
    )  # fmt: skip


def outside_by(
    walls: Walls, places: Places, cov: F8, point: I4, zone: I4, ground_sd_m: float = GROUND_SD_M
) -> F8:
    """(k,) metres that points are outside of zones, negative inside; height unknown: beside it."""
    return _over_parts(walls, places, cov, point, zone, ground_sd_m)[0]


def through(
    walls: Walls, before: Places, now: Places, cov: F8, moved: Pairs,
    ground_sd_m: float = GROUND_SD_M,
) -> Through:  # fmt: skip
    """Of moves that touch a zone with neither end inside, those that noise does not explain.

    The move is looked at `_LOOKS` times; the times of entering and leaving are interpolated between
    looks, and where a zone is thinner than a look both are where it was deepest.
    """
    k = len(moved.point)
    if not k:
        return Through.blank()
    share = np.linspace(0.0, 1.0, _LOOKS)
    rows = np.repeat(moved.point, _LOOKS)
    part = np.tile(share, k)[:, None]
    flat = before.flat[rows] + part * (now.flat[rows] - before.flat[rows])
    levels = before.heights[rows] + part * (now.heights[rows] - before.heights[rows])
    index = np.arange(len(rows), dtype=np.int32)
    off, p = _over_parts(
        walls, Places(flat, levels), cov[rows], index, np.repeat(moved.zone, _LOOKS), ground_sd_m
    )
    off, p = off.reshape(k, _LOOKS), p.reshape(k, _LOOKS)
    begin, end = np.empty((2, k))
    for row in range(k):
        begin[row], end[row] = _stretch(share, off[row])
    went = p.max(axis=1) >= THROUGH_P
    return Through(
        moved.point[went], moved.zone[went], begin[went], end[went], moved.height_unknown[went]
    )


def _stretch(share: F8, off: F8) -> tuple[float, float]:
    """Begin and end of where a distance is 0 or less, else where it is least."""
    held = np.flatnonzero(off <= 0.0)
    if not len(held):
        deepest = float(share[off.argmin()])
        return deepest, deepest
    a, b = int(held[0]), int(held[-1])
    begin, end = share[a], share[b]
    if a > 0:
        begin -= (share[a] - share[a - 1]) * off[a] / (off[a] - off[a - 1])
    if b + 1 < len(off):
        end += (share[b + 1] - share[b]) * off[b] / (off[b] - off[b + 1])
    return float(begin), float(end)


def _over_parts(
    walls: Walls, places: Places, cov: F8, point: I4, zone: I4, ground_sd_m: float
) -> tuple[F8, F8]:
    """(k,) metres outside, and probability inside, of the nearest and likeliest part."""
    order = np.argsort(walls.owner, kind="stable")
    first = np.searchsorted(walls.owner[order], zone)
    count = np.searchsorted(walls.owner[order], zone, side="right") - first
    pair = np.repeat(np.arange(len(zone)), count)
    step = np.arange(len(pair)) - np.repeat(np.cumsum(count) - count, count)
    part = order[np.repeat(first, count) + step].astype(np.int32)
    made = chances_of(walls, places.flat, cov, places.heights, point[pair], part, ground_sd_m)
    off, p = np.full(len(zone), np.inf), np.zeros(len(zone))
    np.minimum.at(off, pair, np.maximum(made.beside, made.over))
    share = made.lateral * np.where(np.isnan(made.vertical), 1.0, made.vertical)
    np.maximum.at(p, pair, share)
    return off, p
