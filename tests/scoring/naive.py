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


def every_choice(cost):
    """Least sum of a full assignment of the smaller side, every one tried."""
    cost = cost if cost.shape[0] <= cost.shape[1] else cost.T
    n, m = cost.shape
    return min(
        sum(cost[i, j] for i, j in enumerate(choice)) for choice in permutations(range(m), n)
    )


def scipy_choice(cost):
    """Least sum of a full assignment, for larger sets."""
    return cost[linear_sum_assignment(cost)].sum()


def ospa2(frames, c, p, window=10, least=every_choice):
    """OSPA of pieces of path per instant: base distance by walking both pieces."""
    made = []
    for k in range(len(frames)):
        objects, tracks = {}, {}
        for t in range(max(0, k - window + 1), k + 1):
            ids, x, names, y = frames[t]
            for who, at in zip(ids, x, strict=True):
                objects.setdefault(who, {})[t] = at
            for who, at in zip(names, y, strict=True):
                tracks.setdefault(who, {})[t] = at
        n, m = len(objects), len(tracks)
        if n == m == 0:
            made.append(0.0)
            continue
        base = np.zeros((n, m))
        for i, a in enumerate(objects.values()):
            for j, b in enumerate(tracks.values()):
                times = a.keys() | b.keys()
                both = a.keys() & b.keys()
                near = sum(min(float(np.linalg.norm(a[t] - b[t])), c) for t in both)
                base[i, j] = (near + c * (len(times) - len(both))) / len(times)
        total = least(base**p) if n and m else 0.0
        made.append(((total + c**p * abs(n - m)) / max(n, m)) ** (1 / p))
    return made


def hota(frames, c):
    """HOTA, DetA, AssA from sets of matches, after the definitions of the paper."""
    present = {}
    similar = []
    for ids, x, names, y in frames:
        similar.append(
            {
                (a, b): max(0.0, 1.0 - float(np.linalg.norm(x[i] - y[j])) / c)
                for i, a in enumerate(ids)
                for j, b in enumerate(names)
            }
        )
        for key in [("object", a) for a in ids] + [("track", b) for b in names]:
            present[key] = present.get(key, 0) + 1
    shared = {}
    for s in similar:
        for (a, b), v in s.items():
            rest = sum(w for (i, j), w in s.items() if (i == a) != (j == b))
            if v:
                shared[a, b] = shared.get((a, b), 0.0) + v / (v + rest)
    matches = []
    for (ids, _, names, _), s in zip(frames, similar, strict=True):
        value = np.zeros((len(ids), len(names)))
        for i, a in enumerate(ids):
            for j, b in enumerate(names):
                if (a, b) in shared:
                    either = present["object", a] + present["track", b] - shared[a, b]
                    value[i, j] = shared[a, b] / either * s[a, b]
        chosen = zip(*linear_sum_assignment(-value), strict=True)
        matches += [(ids[i], names[j], s[ids[i], names[j]]) for i, j in chosen]
    everything = sum(present.values())
    made = []
    for step in range(1, 20):
        true = [(a, b) for a, b, v in matches if v >= step / 20 - 1e-12]
        det = len(true) / (everything - len(true))
        ass = 0.0
        for a, b in true:
            common = true.count((a, b))
            ass += common / (present["object", a] + present["track", b] - common) / len(true)
        made.append(((det * ass) ** 0.5, det, ass))
    return np.mean(made, axis=0)
