"""Slow twins of the metrics: every assignment tried, every rule spelled out."""

from itertools import permutations

import numpy as np
from scipy.optimize import linear_sum_assignment


def gospa(x, y, c, p):
    """All assignments of the smaller set, alpha = 2; whole and parts."""
    if len(x) > len(y):
        whole, near, false, missed = gospa(y, x, c, p)
        return whole, near, missed, false
    best = None
    for choice in permutations(range(len(y)), len(x)):
        d = [np.linalg.norm(x[i] - y[j]) for i, j in enumerate(choice)]
        kept = [v for v in d if v < c]
        cost = sum(v**p for v in kept) + c**p / 2 * (len(x) + len(y) - 2 * len(kept))
        if best is None or cost < best[0] - 1e-12:
            best = cost, sum(v**p for v in kept), len(x) - len(kept), len(y) - len(kept)
    whole, near, missed, false = best
    half = c**p / 2
    return tuple(v ** (1 / p) for v in (whole, near, half * missed, half * false))


def gospa_lsa(x, y, c, p):
    """Whole GOSPA by SciPy's assignment, for larger sets."""
    if not len(x) or not len(y):
        return (c**p / 2 * (len(x) + len(y))) ** (1 / p)
    d = np.minimum(np.linalg.norm(x[:, None] - y[None], axis=2), c) ** p
    i, j = linear_sum_assignment(d)
    return (d[i, j].sum() + c**p / 2 * abs(len(x) - len(y))) ** (1 / p)


def clear(frames, c):
    """CLEAR MOT over [(object ids, positions, track ids, positions)]."""
    previous, last = {}, {}
    missed = false = switches = matched = objects = 0
    distance = 0.0
    for ids, x, names, y in frames:
        d = np.linalg.norm(x[:, None] - y[None], axis=2).reshape(len(ids), len(names))
        pairs = {}
        for i, who in enumerate(ids):
            for j, track in enumerate(names):
                if previous.get(who) == track and d[i, j] < c:
                    pairs[i] = j
        free_i = [i for i in range(len(ids)) if i not in pairs]
        free_j = [j for j in range(len(names)) if j not in pairs.values()]
        cost = np.where(d < c, d, 1e6)[np.ix_(free_i, free_j)]
        for a, b in zip(*linear_sum_assignment(cost), strict=True):
            if cost[a, b] < 1e6:
                pairs[free_i[a]] = free_j[b]
        for i, j in pairs.items():
            switches += last.get(ids[i], names[j]) != names[j]
            last[ids[i]] = names[j]
            distance += d[i, j]
        previous = {ids[i]: names[j] for i, j in pairs.items()}
        objects += len(ids)
        matched += len(pairs)
        missed += len(ids) - len(pairs)
        false += len(names) - len(pairs)
    return 1 - (missed + false + switches) / objects, distance / matched, switches


def idf1(frames, c):
    """Best one-to-one choice over the whole table of common instants."""
    who = sorted({i for ids, *_ in frames for i in ids})
    tracks = sorted({j for _, _, names, _ in frames for j in names})
    common = np.zeros((len(who), len(tracks)))
    n = m = 0
    for ids, x, names, y in frames:
        n, m = n + len(ids), m + len(names)
        for i, a in enumerate(ids):
            for j, b in enumerate(names):
                if np.linalg.norm(x[i] - y[j]) < c:
                    common[who.index(a), tracks.index(b)] += 1
    i, j = linear_sum_assignment(-common)
    return 2 * common[i, j].sum() / (n + m)
