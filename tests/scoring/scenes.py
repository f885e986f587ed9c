"""Scenes to score: lists of (object ids, positions, track ids, positions), one per instant."""

import numpy as np

from v2x.scoring import Frames


def frames(parts):
    return (
        Frames.of([np.array(p[0], np.int64) for p in parts], [p[1] for p in parts]),
        Frames.of([np.array(p[2], np.int64) for p in parts], [p[3] for p in parts]),
    )


def corrupted(seed, n=8, instants=25, dim=2):
    """Objects that walk, and tracks of them that miss, swap, and invent."""
    rng = np.random.default_rng(seed)
    x, v = rng.uniform(0, 25, (n, dim)), rng.normal(0, 0.6, (n, dim))
    names, parts = list(range(100, 100 + n)), []
    for k in range(instants):
        x = x + v
        if k % 5 == 4:
            a, b = rng.choice(n, 2, replace=False)
            names[a], names[b] = names[b], names[a]
        there, seen = rng.random(n) < 0.9, rng.random(n) < 0.85
        fresh = rng.integers(0, 3)
        ids = [i for i in range(n) if there[i]]
        tracks = [names[i] for i in range(n) if seen[i]] + [1000 + 10 * k + i for i in range(fresh)]
        y = np.concatenate(
            [(x + rng.normal(0, 1.2, x.shape))[seen], rng.uniform(0, 25, (fresh, dim))]
        )
        p, q = rng.permutation(len(ids)), rng.permutation(len(tracks))
        parts.append(
            (
                [ids[i] for i in p],
                x[there][p].reshape(-1, dim),
                [tracks[i] for i in q],
                y[q].reshape(-1, dim),
            )
        )
    return parts


NOTHING = np.zeros((0, 2))


def alone(rng, n, instants, dim=2):
    """One side only: paths that come and go, in a box where many are near."""
    x, v = rng.uniform(0, 9, (n, dim)), rng.normal(0, 0.5, (n, dim))
    ids, positions = [], []
    for _ in range(instants):
        x = x + v
        there = np.flatnonzero(rng.random(n) < 0.8)
        ids.append(there)
        positions.append(x[there])
    return Frames.of(ids, positions)


def tangled(rng, n=4, m=4, instants=12, dim=2):
    """Objects and tracks that have nothing to do with each other but are near all the time."""
    a, b = alone(rng, n, instants, dim), alone(rng, m, instants, dim)
    return [(*a.at(k), *b.at(k)) for k in range(instants)]
