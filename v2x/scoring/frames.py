"""Who is where at each instant, and which objects and tracks are near enough to be one."""

from dataclasses import dataclass

import numpy as np

from v2x.assignment import pairs_within
from v2x.columns import F8, I4, I8


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

    def rows(self, k: int, until: int | None = None) -> slice:
        """Rows of instant k, or of the instants from k up to and without `until`."""
        return slice(int(self.first[k]), int(self.first[k + 1 if until is None else until]))

    def at(self, k: int) -> tuple[I8, F8]:
        """Ids and positions at instant k."""
        return self.id[self.rows(k)], self.position[self.rows(k)]

    def counts(self) -> I8:
        """(instants,) how many there are at each instant."""
        return np.diff(self.first)

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
class Near:
    """Every object and track of one instant that are closer than the cut-off.

    All metrics here look at these pairs alone: farther apart, an object and a track are strangers,
    so assignments fall into small components. Pairs ``first[k]:first[k + 1]`` belong to instant k.

    Attributes
    ----------
    truth, tracks
        What is compared.
    c
        Cut-off, m.
    first
        (instants + 1) i8.
    row, column
        (pairs,) i8 rows of `truth` and `tracks`.
    distance
        (pairs,) m, below `c`.
    """

    truth: Frames
    tracks: Frames
    c: float
    first: I8
    row: I8
    column: I8
    distance: F8

    def __len__(self) -> int:
        return len(self.truth)

    def pairs(self, k: int, until: int | None = None) -> slice:
        """Pairs of instant k, or of the instants from k up to and without `until`."""
        return slice(int(self.first[k]), int(self.first[k + 1 if until is None else until]))

    def at(self, k: int) -> tuple[I4, I4, F8]:
        """Object, track, both counted from 0 within instant k, and distance of its pairs."""
        here = self.pairs(k)
        return (
            (self.row[here] - self.truth.first[k]).astype(np.int32),
            (self.column[here] - self.tracks.first[k]).astype(np.int32),
            self.distance[here],
        )

    @classmethod
    def of(cls, truth: Frames, tracks: Frames, c: float) -> "Near":
        """Measure all pairs.

        Raises
        ------
        ValueError
            The instants or widths differ, an id stands twice in one instant, or `c` is not above 0.
        """
        if len(truth) != len(tracks) or truth.position.shape[1] != tracks.position.shape[1]:
            raise ValueError("truth and tracks need the same instants and the same dimension")
        if not c > 0.0:
            raise ValueError(f"cut-off {c}: a distance in metres above 0")
        first = np.zeros(len(truth) + 1, np.int64)
        rows, columns, distances = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], [np.zeros(0)]
        for k in range(len(truth)):
            ids, x = truth.at(k)
            names, y = tracks.at(k)
            for what, who in (("object", ids), ("track", names)):
                if len(np.unique(who)) != len(who):
                    raise ValueError(f"a {what} stands twice in instant {k}")
            i, j, d = pairs_within(x, y, c)
            rows.append(i + truth.first[k])
            columns.append(j + tracks.first[k])
            distances.append(d)
            first[k + 1] = first[k] + len(d)
        row, column = np.concatenate(rows), np.concatenate(columns)
        return cls(truth, tracks, float(c), first, row, column, np.concatenate(distances))


def couples(i: I8, j: I8, columns: int) -> tuple[I8, I8, I8]:
    """Tell pairs that recur from one another.

    Parameters
    ----------
    i, j
        (n,) numbers of the two sides of each pair, ``j < columns``.

    Returns
    -------
    i, j, which
        (couples,) sides of each distinct pair, in ascending order; (n,) its place there.
    """
    key, which = np.unique(i * columns + j, return_inverse=True)
    return key // max(columns, 1), key % max(columns, 1), which
