"""Who belongs to whom: marginal association by belief propagation on the sparse gate graph.

Williams and Lau, "Approximate evaluation of marginal association probabilities with belief
propagation", IEEE TAES 2014. All weights are relative to the density of false and new plots at
their plot (``w = r p_D L / ((1 - r p_D) c)``), so that nothing has a unit and 1 means "as likely
as clutter". Sums that leave one term out are never made by subtracting it: a weight can be 1e15
times its neighbour.
"""

from v2x.columns import F8, I4
from v2x.fusion.layout import EXACT_TRACKS, Edges
from v2x.jit import kernel


@kernel
def root(parent: I4, i: int) -> int:
    """Smallest slot of the cluster of slot `i`; halves the path on the way."""
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@kernel
def solve_alone(a: int, b: int, plot: I4, w: F8, beta: F8, alone: F8) -> float:
    """Closed form for one track, edges ``a:b``, whose plots no other track can claim.

    Fills `beta` and `alone`; returns the probability that the track has none of them.
    """
    if b == a + 1:
        beta0 = 1.0 / (1.0 + w[a])
        beta[a] = w[a] * beta0
        alone[plot[a]] = beta0
        return float(beta0)
    total = 1.0
    for e in range(a, b):
        total += w[e]
    for e in range(a, b):
        beta[e] = w[e] / total
        others = 1.0
        for k in range(a, b):
            if k != e:
                others += w[k]
        alone[plot[e]] = others / (others + w[e])
    return 1.0 / total


@kernel
def solve_cluster(
    head: int, n_plots: int, g: Edges, sweeps: int, tolerance: float, alone: F8
) -> None:
    """Sweep one contested cluster until no message moves by more than `tolerance`.

    The stop test is its own: traffic elsewhere must not change how often this cluster iterates.
    `head` starts the chain of its slots in ``g.follow``, ``g.mine[:n_plots]`` are its plots.
    """
    first, follow, mine, start, by_plot = g.first, g.follow, g.mine, g.start, g.by_plot
    w, mu, nu, beta, prefix = g.w, g.mu, g.nu, g.beta, g.prefix
    for _ in range(sweeps):
        i = head
        while i >= 0:
            a, b = first[i], first[i + 1]
            for e in range(a, b):
                others = 1.0
                for k in range(a, b):
                    if k != e:
                        others += w[k] * nu[k]
                mu[e] = w[e] / others
            i = follow[i]
        moved = 0.0
        for m in range(n_plots):
            j = mine[m]
            a, b = start[j], start[j + 1]
            total = 0.0
            for q in range(a, b):
                prefix[q] = total
                total += mu[by_plot[q]]
            total = 0.0
            for q in range(b - 1, a - 1, -1):
                e = by_plot[q]
                message = 1.0 / (1.0 + prefix[q] + total)
                moved = max(moved, abs(message - nu[e]))
                nu[e] = message
                total += mu[e]
            alone[j] = 1.0 / (1.0 + total)
        if moved < tolerance:
            break
    i = head
    while i >= 0:
        a, b = first[i], first[i + 1]
        total = 1.0
        for e in range(a, b):
            total += w[e] * nu[e]
        for e in range(a, b):
            beta[e] = w[e] * nu[e] / total
        g.beta0[i] = 1.0 / total
        i = follow[i]


@kernel
def solve_small(head: int, n_tracks: int, n_plots: int, g: Edges, alone: F8) -> None:
    """Exact marginals of a cluster of up to EXACT_TRACKS tracks and EXACT_PLOTS plots.

    Sums over all joint assignments by dynamic programming: after the first k tracks only the
    *set* of plots they took matters. ``table[0, k, set]`` is the weight of all ways to get there,
    ``table[1, k, set]`` of all ways to go on from there.
    """
    first, plot, follow, mine, w, beta = g.first, g.plot, g.follow, g.mine, g.w, g.beta
    place, table = g.owner, g.table
    sets = 1 << n_plots
    for m in range(n_plots):
        place[mine[m]] = m
    for k in range(n_tracks + 1):
        for q in range(sets):
            table[0, k, q] = table[1, k, q] = 0.0
    table[0, 0, 0] = 1.0
    i, k = head, 0
    while i >= 0:
        for q in range(sets):
            v = table[0, k, q]
            if v > 0.0:
                table[0, k + 1, q] += v
                for e in range(first[i], first[i + 1]):
                    bit = 1 << place[plot[e]]
                    if not q & bit:
                        table[0, k + 1, q | bit] += v * w[e]
        g.tail[k] = i
        i, k = follow[i], k + 1
    total = 0.0
    for m in range(n_plots):
        alone[mine[m]] = 0.0
    for q in range(sets):
        v = table[0, n_tracks, q]
        table[1, n_tracks, q] = 1.0
        total += v
        for m in range(n_plots):
            if not q & (1 << m):
                alone[mine[m]] += v
    for m in range(n_plots):
        alone[mine[m]] /= total
    for k in range(n_tracks - 1, -1, -1):
        i = g.tail[k]
        none = 0.0
        for e in range(first[i], first[i + 1]):
            beta[e] = 0.0
        for q in range(sets):
            v, on = table[0, k, q], table[1, k + 1, q]
            none += v * on
            for e in range(first[i], first[i + 1]):
                bit = 1 << place[plot[e]]
                if not q & bit:
                    go = w[e] * table[1, k + 1, q | bit]
                    beta[e] += v * go / total
                    on += go
            table[1, k, q] = on
        g.beta0[i] = none / total


@kernel
def solve_contested(
    m: int, n: int, g: Edges, sweeps: int, tolerance: float, exact: int, alone: F8
) -> None:
    """Find the clusters that share plots and solve each; ``g.contested[:m]`` are their slots."""
    contested = g.contested
    parent, owner, start, degree = g.parent, g.owner, g.start, g.degree
    first, plot, follow, tail = g.first, g.plot, g.follow, g.tail
    by_plot, mine, nu = g.by_plot, g.mine, g.nu
    for j in range(n):
        owner[j] = -1
    for c in range(m):
        i = contested[c]
        for e in range(first[i], first[i + 1]):
            j = plot[e]
            if owner[j] < 0:
                owner[j] = i
            else:
                a, b = root(parent, i), root(parent, owner[j])
                parent[max(a, b)] = min(a, b)
    start[0] = 0
    for j in range(n):
        start[j + 1] = start[j] + degree[j]
        degree[j] = start[j]
        owner[j] = -1
    for c in range(m):
        i = contested[c]
        r = root(parent, i)
        follow[i] = -1
        if r != i:
            follow[tail[r]] = i
        tail[r] = i
        for e in range(first[i], first[i + 1]):
            j = plot[e]
            by_plot[degree[j]] = e
            degree[j] += 1
            nu[e] = 1.0
    for c in range(m):
        i = contested[c]
        if parent[i] != i:
            continue
        n_plots = n_tracks = 0
        k = i
        while k >= 0:
            n_tracks += 1
            for e in range(first[k], first[k + 1]):
                j = plot[e]
                if owner[j] != i:
                    owner[j] = i
                    mine[n_plots] = j
                    n_plots += 1
            k = follow[k]
        if n_tracks <= EXACT_TRACKS and n_plots <= exact:
            solve_small(i, n_tracks, n_plots, g, alone)
        else:
            solve_cluster(i, n_plots, g, sweeps, tolerance, alone)


@kernel
def associate(
    top: int, n: int, g: Edges, sweeps: int, tolerance: float, exact: int, alone: F8
) -> None:
    """Marginal probabilities of every edge of one scan.

    Reads ``g.first`` (top + 1), ``g.plot`` and ``g.w``; fills ``g.beta`` per edge, ``g.beta0``
    per slot (none of its plots is its own; 1 without edges) and `alone` (n) per plot (it belongs
    to no track). Slots whose plots are wanted by nobody else are solved in closed form, the rest
    per connected cluster.
    """
    degree, first, plot, parent = g.degree, g.first, g.plot, g.parent
    w, beta, beta0 = g.w, g.beta, g.beta0
    for j in range(n):
        degree[j] = 0
        alone[j] = 1.0
    for e in range(first[top]):
        degree[plot[e]] += 1
    m = 0
    for i in range(top):
        a, b = first[i], first[i + 1]
        beta0[i] = 1.0
        if a == b:
            continue
        shared = False
        for e in range(a, b):
            shared |= degree[plot[e]] > 1
        if shared:
            parent[i] = i
            g.contested[m] = i
            m += 1
        else:
            beta0[i] = solve_alone(a, b, plot, w, beta, alone)
    if m:
        solve_contested(m, n, g, sweeps, tolerance, exact, alone)
