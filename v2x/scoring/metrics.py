"""GOSPA and its parts, CLEAR MOT, and IDF1 over a sequence of instants.

Rahmathullah, García-Fernández and Svensson, "Generalized optimal sub-pattern assignment metric",
FUSION 2017 (alpha = 2); Bernardin and Stiefelhagen, "Evaluating multiple object tracking
performance", 2008; Ristani et al., "Performance measures and a data set for multi-target,
multi-camera tracking", 2016.
"""

from dataclasses import asdict, dataclass
from math import nan

import numpy as np

from v2x.columns import F8, I4, I8
from v2x.scoring.assignment import assign, pairs_within


@dataclass(frozen=True)
class Frames:
    """What is where at each instant: rows ``first[k]:first[k + 1]`` belong to instant k.

    Attributes
    ----------
    first
        (instants + 1) i8.
    id
        (n,) i8 number of the object or track, once per instant.
    position
        (n, 2) or (n, 3) m.
    """

    first: I8
    id: I8
    position: F8

    def __len__(self) -> int:
        return len(self.first) - 1

    def at(self, k: int) -> tuple[I8, F8]:
        """Ids and positions at instant k."""
        rows = slice(int(self.first[k]), int(self.first[k + 1]))
        return self.id[rows], self.position[rows]

    @classmethod
    def of(cls, ids: list[I8], positions: list[F8]) -> "Frames":
        """One array of ids and one of positions per instant."""
        first = np.zeros(len(ids) + 1, np.int64)
        np.cumsum([len(i) for i in ids], out=first[1:])
        dim = positions[0].shape[1] if positions else 2
        return cls(
            first,
            np.concatenate([*ids, np.zeros(0, np.int64)]).astype(np.int64),
            np.concatenate([*positions, np.zeros((0, dim))]),
        )


@dataclass(frozen=True)
class Score:
    """Means over instants; NaN where there was nothing to judge.

    Attributes
    ----------
    gospa, gospa_localisation, gospa_missed, gospa_false
        m; the parts are averaged on their own and do not add up to the whole.
    gospa_n
        GOSPA over the p-th root of the mean number of objects: comparable over sizes.
    mota, motp
        1 - (missed + false + switches) / objects; mean distance of the pairs, m.
    idf1
        Share of instants explained by the best one-to-one choice of tracks and objects.
    id_switches, frames
        Counts.
    """

    gospa: float
    gospa_localisation: float
    gospa_missed: float
    gospa_false: float
    gospa_n: float
    mota: float
    motp: float
    idf1: float
    id_switches: int
    frames: int

    def as_dict(self) -> dict[str, float | int]:
        """Keys and values for JSON."""
        return asdict(self)


@dataclass
class _Clear:
    """Running state of CLEAR MOT."""

    pairs: dict[int, int]
    """Object -> track of the previous instant."""
    last: dict[int, int]
    """Object -> the track it had last, however long ago."""
    missed: int = 0
    false: int = 0
    switches: int = 0
    matched: int = 0
    distance: float = 0.0


def score(truth: Frames, tracks: Frames, c: float = 5.0, p: float = 2.0) -> Score:
    """Compare tracks with the truth at the same instants.

    Parameters
    ----------
    truth, tracks
        Equally many instants, positions of one width.
    c
        Cut-off of GOSPA and largest distance of a pair, m.
    p
        Order of GOSPA.

    Raises
    ------
    ValueError
        The instants or widths differ, or an id stands twice in one instant.
    """
    if len(truth) != len(tracks) or truth.position.shape[1] != tracks.position.shape[1]:
        raise ValueError("truth and tracks need the same instants and the same dimension")
    clear = _Clear({}, {})
    parts = np.zeros((len(truth), 4))
    common: dict[tuple[int, int], int] = {}
    for k in range(len(truth)):
        ids, x = truth.at(k)
        names, y = tracks.at(k)
        for what, who in (("object", ids), ("track", names)):
            if len(np.unique(who)) != len(who):
                raise ValueError(f"a {what} stands twice in instant {k}")
        ea, eb, d = pairs_within(x, y, c)
        parts[k] = _gospa(len(ids), len(names), ea, eb, d, c, p)
        _clear(clear, ids, names, ea, eb, d)
        for pair in zip(ids[ea].tolist(), names[eb].tolist(), strict=True):
            common[pair] = common.get(pair, 0) + 1
    n, m, frames = len(truth.id), len(tracks.id), len(truth)
    mean = parts.mean(axis=0).tolist() if frames else [nan] * 4
    errors = clear.missed + clear.false + clear.switches
    return Score(
        gospa=mean[0],
        gospa_localisation=mean[1],
        gospa_missed=mean[2],
        gospa_false=mean[3],
        gospa_n=mean[0] / (n / frames) ** (1.0 / p) if n else nan,
        mota=1.0 - errors / n if n else nan,
        motp=clear.distance / clear.matched if clear.matched else nan,
        idf1=2.0 * _best_common(common) / (n + m) if n + m else nan,
        id_switches=clear.switches,
        frames=frames,
    )


def _gospa(
    n: int, m: int, ea: I4, eb: I4, d: F8, c: float, p: float
) -> tuple[float, float, float, float]:
    """GOSPA of one instant with its localisation, missed and false part."""
    cost = d**p
    match = assign(n, m, ea, eb, cost, c**p)
    kept = match[ea] == eb
    near = float(cost[kept].sum())
    half = 0.5 * c**p
    pairs = int(kept.sum())
    missed, false = half * (n - pairs), half * (m - pairs)
    return (
        (near + missed + false) ** (1.0 / p),
        near ** (1.0 / p),
        missed ** (1.0 / p),
        false ** (1.0 / p),
    )


def _clear(state: _Clear, ids: I8, names: I8, ea: I4, eb: I4, d: F8) -> None:
    """Fold one instant in: keep the pairs of the one before, assign the rest, count."""
    objects, tracks = ids.tolist(), names.tolist()
    edges = list(zip(ea.tolist(), eb.tolist(), d.tolist(), strict=True))
    pairs: dict[int, int] = {}
    for i, j, distance in edges:
        if state.pairs.get(objects[i]) == tracks[j]:
            pairs[objects[i]] = tracks[j]
            state.distance += distance
    taken = set(pairs.values())
    rest = [(i, j, x) for i, j, x in edges if objects[i] not in pairs and tracks[j] not in taken]
    if rest:
        a = np.array([i for i, _, _ in rest], np.int32)
        b = np.array([j for _, j, _ in rest], np.int32)
        x = np.array([x for _, _, x in rest])
        # as many pairs as possible, then the shortest: staying alone costs more than any detour
        match = assign(len(ids), len(names), a, b, x, 2.0 * float(x.sum()) + 1.0)
        for i, j, distance in rest:
            if match[i] == j:
                pairs[objects[i]] = tracks[j]
                state.distance += distance
    for who, track in pairs.items():
        state.switches += state.last.get(who, track) != track
        state.last[who] = track
    state.pairs = pairs
    state.matched += len(pairs)
    state.missed += len(objects) - len(pairs)
    state.false += len(tracks) - len(pairs)


def _best_common(common: dict[tuple[int, int], int]) -> int:
    """Most instants that a one-to-one choice of objects and tracks has in common."""
    if not common:
        return 0
    keys = sorted(common)
    objects, a = np.unique([k[0] for k in keys], return_inverse=True)
    tracks, b = np.unique([k[1] for k in keys], return_inverse=True)
    count = np.array([common[k] for k in keys], np.float64)
    rows, columns = a.astype(np.int32), b.astype(np.int32)
    match = assign(len(objects), len(tracks), rows, columns, -count, 0.0)
    return int(count[match[rows] == columns].sum())
