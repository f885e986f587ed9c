"""Whose claim is it? Remote ID positions bound to tracks by how both move over time.

The nearest track is not the claimant: a second drone passes by, a claim is a second late, its
place is off. So each new claim is compared with every track near it that an independent sensor
sees, and each pair (identity, track) gathers a log-likelihood

    llr = sum of log N(claim - track; 0, S) - log(density of a chance match)

over place, velocity and, where both have one, height; S is the covariance of both plus what neither
knows of itself (`FLOOR_M`). Claims come late, a whole second of it not rare, and their clocks are
off: the pair is kept for each delay of `DELAYS_S` at once, and the delays are averaged over, so
that a constant lag is learnt and no lag is free. Old comparisons fade, `FADE` for each new one:
what agrees by chance for a moment does not stay, and errors that repeat themselves count few times.

A pair at `BOUND` or more, compared `LEAST` times, may be bound; what is bound stays so until it
falls below 0. One identity binds one track and one track one identity: of all choices the one of
the greatest sum, so that a swarm that claims one place is solved together (`v2x.assignment`). The
constants are ours.
"""

from dataclasses import dataclass
from math import inf
from typing import Any, NamedTuple

import numpy as np

from v2x.assignment import assign
from v2x.columns import B1, F8, I8, U1, Columns, column
from v2x.observations import Observations

SECOND = 1_000_000_000
DELAYS_S = np.array([0.0, 0.5, 1.0, 1.5, 2.0])
STEP_NS = SECOND // 2
"""Claims of one identity that follow each other faster say nothing new."""
REACH_M = 500.0
"""Further from a claim no track is compared: the claim counts against those it was bound to."""
BOUND, TIE = 5.0, 2.0
"""A bound pair is ahead by `TIE` against changes that are worth no more."""
LEAST = 2
"""Comparisons before a pair is bound: one is a point, and moves nowhere."""
FADE = 0.8
FLOOR_M, FLOOR_UP_M, FLOOR_MPS = 5.0, 10.0, 2.0
MISS = -8.0
"""Most that one comparison can say against a pair: one wild claim undoes nothing for ever."""
MISS_UP = -2.0
"""Of that, most that heights can say: their datum is wrong more often than the place is."""
SPARSE = 1e-6
"""Tracks per m² at least, where a claim comes by chance; in a swarm, as many as there are."""
CHANCE_MPS, CHANCE_UP_M = 30.0, 150.0
"""Velocities and heights of a chance match spread over twice this, evenly."""
NO_SD_M = 30.0
"""Taken for a claim that says nothing of its accuracy."""
LIFE_NS = 30 * SECOND
"""A pair without a new comparison is forgotten after this."""
PAIRS = 8192


@dataclass(frozen=True, slots=True)
class Pair(Columns):
    """What speaks for one identity on one track.

    ``llr`` (n, 5) per delay, of ``seen`` comparisons; ``bound`` 1 where it holds.
    """

    ident: I8 = column("i8")
    track: I8 = column("i8")
    last_ns: I8 = column("i8")
    llr: F8 = column("f8", len(DELAYS_S))
    seen: I8 = column("i8")
    bound: U1 = column("u1")


class Paths(NamedTuple):
    """Tracks that claims may belong to, and where they were; (n,) rows.

    ``id``; ``past`` (n, p, 3) metres east, north, and above the ellipsoid, at ``past_ns`` (p,),
    newest first; ``cov`` (n, 2, 2) m², ``sd_up`` m, ``vel`` (n, 3) m/s, ``vel_var`` (n,) m²/s²
    per horizontal axis.
    """

    id: I8
    past: F8
    past_ns: I8
    cov: F8
    sd_up: F8
    vel: F8
    vel_var: F8


@dataclass(frozen=True, slots=True)
class Said(Columns):
    """Claims of one slice, a row each and no identity twice: places in the metres of the tile."""

    ident: I8 = column("i8")
    t_ns: I8 = column("i8")
    flat: F8 = column("f8", 2)
    height: F8 = column("f8")
    cov: F8 = column("f8", (2, 2))
    var_up: F8 = column("f8")
    vel: F8 = column("f8", 3)
    vel_sd: F8 = column("f8")


class Binding:
    """Bindings of one airspace; bounded, and part of the checkpoint."""

    def __init__(self) -> None:
        self._told: dict[int, int] = {}
        self._keep(Pair.blank())

    def hear(self, t_ns: int, said: Said, paths: Paths) -> None:
        """Compare new claims with the tracks near them, and choose again who is whose."""
        self._forget(t_ns)
        news = np.array(
            [
                at >= self._told.get(ident, -STEP_NS) + STEP_NS
                for ident, at in zip(said.ident.tolist(), said.t_ns.tolist(), strict=True)
            ],
            np.bool_,
        )
        if not news.any():
            return
        said = said.take(news)
        self._told.update(zip(said.ident.tolist(), said.t_ns.tolist(), strict=True))
        claim, row = self._near(said, paths)
        gain = compare(said, paths, claim, row)
        self._gather(said, paths, claim, row, gain)
        self._choose(paths.id)

    def of_tracks(self, tracks: I8) -> I8:
        """Identity bound to each track (n,), -1 none."""
        bound = np.flatnonzero(self._pairs.bound)
        whose = dict(
            zip(self._pairs.track[bound].tolist(), self._pairs.ident[bound].tolist(), strict=True)
        )
        return np.array([whose.get(track, -1) for track in tracks.tolist()], np.int64)

    def of_idents(self, idents: I8) -> I8:
        """Track that each identity (n,) is bound to, -1 none."""
        bound = np.flatnonzero(self._pairs.bound)
        whose = dict(
            zip(self._pairs.ident[bound].tolist(), self._pairs.track[bound].tolist(), strict=True)
        )
        return np.array([whose.get(ident, -1) for ident in idents.tolist()], np.int64)

    def support(self, idents: I8, tracks: I8) -> tuple[F8, I8]:
        """Log-likelihood that the identity is the track's, row by row (n,), NaN never compared.

        With it the number of comparisons that it rests on.
        """
        pairs = zip(idents.tolist(), tracks.tolist(), strict=True)
        row = np.array([self._row.get(pair, -1) for pair in pairs], np.int64)
        llr, seen = np.full(len(row), np.nan), np.zeros(len(row), np.int64)
        known = row >= 0
        llr[known] = over_delays(self._pairs.llr[row[known]])
        seen[known] = self._pairs.seen[row[known]]
        return llr, seen

    def state(self) -> dict[str, Any]:
        """What must survive a restart, as arrays."""
        return {
            "pairs": {name: getattr(self._pairs, name) for name, *_ in Pair.schema()},
            "told": list(self._told.items()),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Put back what `state` gave."""
        self._keep(
            Pair(**{n: np.array(state["pairs"][n], dtype) for n, dtype, *_ in Pair.schema()})
        )
        self._told = {ident: at for ident, at in state["told"]}

    def _keep(self, pairs: Pair) -> None:
        """Go on with these pairs, found by (identity, track)."""
        self._pairs = pairs
        keys = zip(pairs.ident.tolist(), pairs.track.tolist(), strict=True)
        self._row = {key: k for k, key in enumerate(keys)}

    def _near(self, said: Said, paths: Paths) -> tuple[I8, I8]:
        """(claim, track row) pairs to compare: within reach, or compared before."""
        away = said.flat[:, None, :] - paths.past[None, :, 0, :2]
        near = (away**2).sum(axis=2) <= REACH_M**2
        at = {ident: k for k, ident in enumerate(said.ident.tolist())}
        rows = {track: k for k, track in enumerate(paths.id.tolist())}
        for ident, track in self._row:
            if ident in at and track in rows:
                near[at[ident], rows[track]] = True
        claim, row = np.nonzero(near)
        return claim.astype(np.int64), row.astype(np.int64)

    def _gather(self, said: Said, paths: Paths, claim: I8, row: I8, gain: F8) -> None:
        """Add gains (k, delays) to their pairs, in the order of identity and track."""
        old = self._pairs
        keys = list(zip(said.ident[claim].tolist(), paths.id[row].tolist(), strict=True))
        fresh = [key for key in keys if key not in self._row]
        made = Pair.blank(
            len(fresh), ident=[key[0] for key in fresh], track=[key[1] for key in fresh], llr=0.0
        )
        where = self._row | {key: len(old) + n for n, key in enumerate(fresh)}
        pairs = Pair.concat([old.take(slice(None)), made])
        at = np.array([where[key] for key in keys], np.int64)
        pairs.llr[at] = FADE * pairs.llr[at] + gain
        pairs.seen[at] += 1
        pairs.last_ns[at] = said.t_ns[claim]
        self._keep(pairs.take(np.lexsort((pairs.track, pairs.ident))))

    def _choose(self, seen: I8) -> None:
        """Bind the best choice of all, each identity and each track once.

        A track that no sensor sees any more keeps its identity until another one deserves it.
        """
        pairs = self._pairs
        llr = over_delays(pairs.llr)
        held = pairs.bound == 1
        worth = np.where(llr >= 0.0, llr + TIE * held, -inf)
        gone = (llr >= 0.0) & ~np.isin(pairs.track, seen)
        worth[gone] = np.minimum(worth[gone], TIE)
        edge = np.flatnonzero((worth > 0.0) & (((llr >= BOUND) & (pairs.seen >= LEAST)) | held))
        idents, a = np.unique(pairs.ident[edge], return_inverse=True)
        tracks, b = np.unique(pairs.track[edge], return_inverse=True)
        chosen = assign(
            len(idents), len(tracks), a.astype(np.int32), b.astype(np.int32), -worth[edge], 0.0
        )
        pairs.bound[:] = 0
        pairs.bound[edge[chosen[a] == b]] = 1

    def _forget(self, t_ns: int) -> None:
        old = self._pairs
        keep = t_ns - old.last_ns <= LIFE_NS
        if len(old) > PAIRS:  # a flood: those that agree least go first
            rank = np.lexsort((-over_delays(old.llr), old.bound == 0))
            keep[rank[PAIRS:]] = False
        if not keep.all():
            self._keep(old.take(keep))
        if len(self._told) > PAIRS or (self._told and not len(self._pairs)):
            self._told = {i: at for i, at in self._told.items() if t_ns - at <= STEP_NS}


def compare(said: Said, paths: Paths, claim: I8, row: I8) -> F8:
    """(k, delays) what one comparison says for each pair, not below `MISS`."""
    crowd = np.bincount(claim, minlength=len(said.ident)) / (np.pi * REACH_M**2)
    density = np.log(np.maximum(crowd, SPARSE))[claim]
    cov = paths.cov[row] + said.cov[claim] + FLOOR_M**2 * np.eye(2)
    det = cov[:, 0, 0] * cov[:, 1, 1] - cov[:, 0, 1] ** 2
    made = np.empty((len(claim), len(DELAYS_S)))
    still = _rates(said, paths, claim, row)
    for d, delay in enumerate(DELAYS_S.tolist()):
        was = at_time(paths, row, said.t_ns[claim] - round(delay * SECOND))
        y = said.flat[claim] - was[:, :2]
        d2 = cov[:, 1, 1] * y[:, 0] ** 2 + cov[:, 0, 0] * y[:, 1] ** 2
        d2 -= 2.0 * cov[:, 0, 1] * y[:, 0] * y[:, 1]
        made[:, d] = -0.5 * d2 / det - 0.5 * np.log(det) - np.log(2.0 * np.pi) - density
        made[:, d] += _level(said, paths, claim, row, was[:, 2])
    made += still[:, None]
    return np.maximum(np.nan_to_num(made, nan=MISS), MISS)


def over_delays(llr: F8) -> F8:
    """(n,) of (n, delays): the mean over the delays, each as likely before."""
    if not len(llr):
        return np.zeros(0)
    top = llr.max(axis=1)
    mean: F8 = top + np.log(np.exp(llr - top[:, None]).mean(axis=1))
    return mean


def at_time(paths: Paths, row: I8, t_ns: I8) -> F8:
    """(k, 3) where tracks were, straight between the known places; the ends go on as they are."""
    ages = np.maximum(-np.diff(paths.past_ns), 1)
    behind = (paths.past_ns[0] - t_ns) / SECOND
    edges = np.concatenate(([0.0], np.cumsum(ages) / SECOND))
    k = np.clip(np.searchsorted(edges, behind, "right") - 1, 0, len(edges) - 2)
    share = ((behind - edges[k]) / (edges[k + 1] - edges[k]))[:, None]
    new, old = paths.past[row, k], paths.past[row, k + 1]
    made: F8 = new + share * (old - new)
    return made


def _rates(said: Said, paths: Paths, claim: I8, row: I8) -> F8:
    """What the horizontal velocities say, 0 where a claim has none."""
    var = paths.vel_var[row] + np.nan_to_num(said.vel_sd[claim], nan=1.0) ** 2 + FLOOR_MPS**2
    y = said.vel[claim, :2] - paths.vel[row, :2]
    gain = -0.5 * (y**2).sum(axis=1) / var - np.log(2.0 * np.pi * var)
    gain += 2.0 * np.log(2.0 * CHANCE_MPS)
    told: F8 = np.nan_to_num(gain)
    return told


def _level(said: Said, paths: Paths, claim: I8, row: I8, height: F8) -> F8:
    """What the heights say, 0 where one of both has none."""
    var = paths.sd_up[row] ** 2 + said.var_up[claim] + FLOOR_UP_M**2
    y = said.height[claim] - height
    gain = -0.5 * y**2 / var - 0.5 * np.log(2.0 * np.pi * var) + np.log(2.0 * CHANCE_UP_M)
    told: F8 = np.maximum(np.nan_to_num(gain), MISS_UP)
    return told


def newest(observations: Observations, rows: I8, flat: F8, t_ns: int) -> Said:
    """Newest claim of each identity among some rows of a slice; `flat` (k, 2) their places.

    A claim dated after the slice's end counts as of it.
    """
    at = np.minimum(observations.t_ns[rows], t_ns)
    order = np.lexsort((observations.sensor[rows], -at, observations.ident[rows]))
    first = order[np.unique(observations.ident[rows][order], return_index=True)[1]]
    chosen = rows[first]
    o = observations
    cov = o.cov[chosen]
    flat_cov = np.stack((cov[:, [0, 1]], cov[:, [1, 3]]), axis=1)
    return Said(
        o.ident[chosen], at[first], flat[first], o.height[chosen],
        np.nan_to_num(flat_cov, nan=NO_SD_M**2), np.nan_to_num(cov[:, 5], nan=NO_SD_M**2),
        o.vel[chosen], o.vel_sd[chosen].astype(np.float64),
    )  # fmt: skip


def contested(idents: I8) -> B1:
    """(n,) identities (-1 none) that stand there more than once."""
    values, back, count = np.unique(idents, return_inverse=True, return_counts=True)
    made: B1 = (count[back] > 1) & (values[back] >= 0)
    return made
