"""Optimal one-to-one choice on a sparse graph, one connected component at a time.

Shortest augmenting paths with dual prices (Jonker and Volgenant, "A shortest augmenting path
algorithm for dense and sparse linear assignment problems", Computing 1987), dense inside a
component: components of a scene are small, so a thousand objects cost milliseconds.
"""

import numpy as np

from v2x.columns import F8, I4, I8
from v2x.jit import kernel


@kernel
def near_pairs(a: F8, b: F8, c: float, low: I8, high: I8, ea: I4, eb: I4, ed: F8) -> int:
    """Pairs closer than `c`: a (n, d), b (m, d) -> rows, columns, distances; how many there are.

    Row i looks at the columns from ``low[i]`` up to ``high[i]``. Fills at most ``len(ea)`` pairs; a
    larger return value asks for more room.
    """
    count = 0
    for i in range(a.shape[0]):
        for j in range(low[i], high[i]):
            d = 0.0
            for k in range(a.shape[1]):
                d += (a[i, k] - b[j, k]) * (a[i, k] - b[j, k])
            if d < c * c:
                if count < ea.shape[0]:
                    ea[count], eb[count], ed[count] = i, j, np.sqrt(d)
                count += 1
    return count


@kernel
def components(n: int, m: int, ea: I4, eb: I4, root: I4, size: I4) -> None:
    """Join rows (0..n) and columns (n..n+m) by edges; root (n + m), size (n + m, 2) per root.

    `root` ends as the smallest member of each component, `size` counts its rows and columns.
    """
    for v in range(n + m):
        root[v] = v
        size[v, 0] = size[v, 1] = 0
    for e in range(ea.shape[0]):
        a, b = ea[e], eb[e] + n
        while root[a] != a:
            root[a] = root[root[a]]
            a = root[a]
        while root[b] != b:
            root[b] = root[root[b]]
            b = root[b]
        root[max(a, b)] = min(a, b)
    for v in range(n + m):
        r = v
        while root[r] != r:
            r = root[r]
        root[v] = r
        size[r, 0 if v < n else 1] += 1


@kernel
def hungarian(
    cost: F8, n: int, m: int, column: I4, u: F8, v: F8, way: I4, low: F8, used: I4
) -> None:
    """Cheapest full assignment of n rows to m >= n columns of ``cost[:n, :m]``.

    Fills ``column[:m + 1]`` with row + 1 per column + 1 (0: free). u, v, way, low, used are
    scratch of m + 1.
    """
    for j in range(m + 1):
        column[j] = way[j] = 0
        v[j] = 0.0
    for i in range(n + 1):
        u[i] = 0.0
    for i in range(1, n + 1):
        column[0] = i
        j0 = 0
        for j in range(m + 1):
            low[j] = np.inf
            used[j] = 0
        while True:
            used[j0] = 1
            i0, delta, j1 = column[j0], np.inf, 0
            for j in range(1, m + 1):
                if used[j]:
                    continue
                reduced = cost[i0 - 1, j - 1] - u[i0] - v[j]
                if reduced < low[j]:
                    low[j], way[j] = reduced, j0
                if low[j] < delta:
                    delta, j1 = low[j], j
            for j in range(m + 1):
                if used[j]:
                    u[column[j]] += delta
                    v[j] -= delta
                else:
                    low[j] -= delta
            j0 = j1
            if column[j0] == 0:
                break
        while j0:
            j1 = way[j0]
            column[j0] = column[j1]
            j0 = j1


@kernel
def solve(
    n: int,
    m: int,
    ea: I4,
    eb: I4,
    ec: F8,
    blank: float,
    root: I4,
    place: I4,
    cost: F8,
    members: I4,
    scratch_i: I4,
    scratch_f: F8,
    match: I4,
) -> None:
    """Solve every component that has rows and columns; match (n,) column of each row or -1.

    `place` (n + m) position inside its component, members (n + m) by component; both filled here.
    """
    for i in range(n):
        match[i] = -1
    column, way, used = scratch_i[0], scratch_i[1], scratch_i[2]
    u, v, low = scratch_f[0], scratch_f[1], scratch_f[2]
    head, follow = members[0], members[1]
    for x in range(n + m):
        head[x] = -1
    for e in range(ea.shape[0] - 1, -1, -1):
        r = root[ea[e]]
        follow[e] = head[r]
        head[r] = e
    for r in range(n):
        if head[r] < 0:
            continue
        rows = columns = 0
        e = head[r]
        while e >= 0:
            place[ea[e]] = place[n + eb[e]] = -1
            e = follow[e]
        e = head[r]
        while e >= 0:
            if place[ea[e]] < 0:
                place[ea[e]] = rows
                scratch_i[3, rows] = ea[e]
                rows += 1
            if place[n + eb[e]] < 0:
                place[n + eb[e]] = columns
                scratch_i[4, columns] = eb[e]
                columns += 1
            e = follow[e]
        flip = rows > columns
        a, b = (columns, rows) if flip else (rows, columns)
        for i in range(a):
            for j in range(b):
                cost[i, j] = blank
        e = head[r]
        while e >= 0:
            i, j = place[ea[e]], place[n + eb[e]]
            if flip:
                i, j = j, i
            cost[i, j] = ec[e]
            e = follow[e]
        hungarian(cost, a, b, column, u, v, way, low, used)
        for j in range(b):
            i = column[j + 1] - 1
            if i >= 0 and cost[i, j] < blank:
                if flip:
                    match[scratch_i[3, j]] = scratch_i[4, i]
                else:
                    match[scratch_i[3, i]] = scratch_i[4, j]


def assign(n: int, m: int, ea: I4, eb: I4, ec: F8, blank: float) -> I4:
    """Column of each of `n` rows, -1 none, so that the sum of costs is least.

    Parameters
    ----------
    n, m
        Rows and columns.
    ea, eb, ec
        (k,) edges: row, column, cost below `blank`; each pair at most once.
    blank
        Cost of a pair without an edge, that is of staying alone. Just above the largest cost:
        alone is as good as the worst pair; huge: as many pairs as possible.
    """
    match = np.full(n, -1, np.int32)
    if not len(ea):
        return match
    root, size = np.zeros(n + m, np.int32), np.zeros((n + m, 2), np.int32)
    components(n, m, ea, eb, root, size)
    both = size[(size > 0).all(axis=1)]
    short, long = int(both.min(axis=1).max()), int(both.max(axis=1).max())
    solve(
        n, m, ea, eb, ec, float(blank), root, np.zeros(n + m, np.int32),
        np.empty((short, long)), np.zeros((2, max(n + m, len(ea))), np.int32),
        np.zeros((5, long + 1), np.int32), np.zeros((3, long + 1)), match,
    )  # fmt: skip
    return match


def pairs_within(a: F8, b: F8, c: float) -> tuple[I4, I4, F8]:
    """Pairs of rows of a (n, d) and b (m, d) closer than `c`, with their distance, in order."""
    a, b = np.ascontiguousarray(a, np.float64), np.ascontiguousarray(b, np.float64)
    # a row need only look at the columns beside it on the first axis: rounding keeps order, so what
    # is left out here would not pass the kernel either
    by_x = np.argsort(b[:, 0], kind="stable")
    b, x = b[by_x], a[:, 0]
    low = np.searchsorted(b[:, 0], x - c, "left")
    high = np.searchsorted(b[:, 0], x + c, "right")
    room = 4 * (len(a) + len(b)) + 16
    while True:
        ea, eb, ed = np.empty(room, np.int32), np.empty(room, np.int32), np.empty(room)
        count = near_pairs(a, b, float(c), low, high, ea, eb, ed)
        if count <= room:
            break
        room = count
    ea, ed = ea[:count], ed[:count]
    eb = by_x[eb[:count]].astype(np.int32)
    order = np.lexsort((eb, ea))
    return ea[order], eb[order], ed[order]
