"""Detection, clutter and duplicates of each sensor, from the sums of its scans."""

import math
from typing import NamedTuple

import numpy as np

from v2x.columns import F8, I4, I8
from v2x.fusion.windows import UNSET
from v2x.jit import kernel

N_COUNTS = 6
"""Hits, looks, unexplained plots, area, rows, copies."""
RATES = ("p_detect", "p_detect_sd", "clutter", "clutter_sd", "duplicates")
"""Columns of `SensorFacts` that follow from the counts."""

PLOTS, E, N, EE, EN, NN, TALL, U, UU, LOOKS, ALONE = range(11)
"""Elements of `Ledger.spread`: plots and their moments; those with height and theirs; looks once
settled, and plots that belonged to no track in these."""
SETTLED = 5
"""Looks of a sensor until what it shows is taken for known objects or clutter. Ours."""
_WORTH = 20.0
"""Events that a given probability or density counts for, beside those seen. Ours."""
_SIDE2, _HEIGHT2 = 50.0**2, 10.0**2
"""m²: variance across and up that a plot more would have, so that no extent is ever 0. Ours."""
_LEAST = 1e-12
"""Lowest density of clutter, per look and m² or m³."""


class Ledger(NamedTuple):
    """Sums of the looks of each sensor, a row each, those of past half-lives counting less.

    Attributes
    ----------
    epoch_ns, half_ns
        Length of a window; half-life.
    ratio
        Density of new objects over that of clutter.
    counts, counted_ns
        (S, 6) and (S,) of `fold`.
    looked, since
        (S,) looks since it was last a stranger, and the ns of the first of them.
    doubt
        (S,) m² added to the covariance of its plots.
    spread
        (S, 11) of its plots, see `PLOTS` and what follows; no more than what is asked for: moments
        where the clutter is not given, how many have heights where it has an area.
    nis
        (S, 2) of the sure plots, and its expectation.
    given
        (S, 2) detection probability and clutter density as configured, the latter NaN if not.
    area
        (S, 2) what it covers, m², and the height of that, m; NaN where unbounded.
    work
        (11,) what the scan at hand adds to its row of `spread`.
    """

    epoch_ns: int
    half_ns: float
    ratio: float
    counts: F8
    counted_ns: I8
    looked: I8
    since: I8
    doubt: F8
    spread: F8
    nis: F8
    given: F8
    area: F8
    work: F8


def posteriors(counts: F8) -> dict[str, F8]:
    """Columns of `SensorFacts` under Jeffreys' priors: Beta(½, ½) and Gamma(½, 0)."""
    hits, looks, unexplained, area, plots, copies = counts.T
    a, b = hits + 0.5, np.maximum(looks - hits, 0.0) + 0.5
    p = a / (a + b)
    seen = looks > 0.0
    return {
        "p_detect": np.where(seen, p, np.nan),
        "p_detect_sd": np.where(seen, np.sqrt(p * (1.0 - p) / (a + b + 1.0)), np.nan),
        "clutter": ratio(unexplained + 0.5, area),
        "clutter_sd": ratio(np.sqrt(unexplained + 0.5), area),
        "duplicates": ratio(copies, plots),
    }


def ratio(a: F8, b: F8) -> F8:
    """`a` / `b`; NaN where `b` is 0."""
    made: F8 = np.divide(a, b, out=np.full(len(a), np.nan), where=b > 0.0)
    return made


@kernel
def add(
    t: int, s: int, values: F8, i: int, half_ns: float, known: bool, counts: F8, last: I8
) -> float:
    """Add scan ``values[i]`` to the counts of sensor `s`; what was left of them before.

    Its clutter counts only where the area is known and it is `known` what is an object.
    """
    kept = 1.0
    if t > last[s]:
        kept = 0.5 ** ((t - last[s]) / half_ns) if last[s] != UNSET else 0.0
        for a in range(counts.shape[1]):
            counts[s, a] *= kept
        last[s] = t
    clutter = known and values[i, 3] > 0.0
    for a in range(counts.shape[1]):
        if a not in (2, 3) or clutter:
            counts[s, a] += values[i, a]
    return kept


@kernel
def fold(t: I8, sensor: I4, values: F8, half_ns: float, counts: F8, last: I8) -> None:
    """Add scans to what is left of the older ones. A scan without known area counts no clutter."""
    for i in range(len(t)):
        add(t[i], sensor[i], values, i, half_ns, True, counts, last)


@kernel
def extent(book: Ledger, k: int, share: float) -> float:
    """Area, or volume, of sensor `k`: as covered, else the box of equal moments about its plots.

    Of `book.work`, `share` is counted too.
    """
    s, more, area = book.spread, book.work, book.area
    n = s[k, PLOTS] + share * more[PLOTS]
    size, tall = area[k, 0], s[k, TALL] + share * more[TALL]
    if math.isnan(size):
        f = 1.0 / max(n, 1.0)
        e, u = f * (s[k, E] + share * more[E]), f * (s[k, N] + share * more[N])
        f = 1.0 / (n + 1.0)
        ee = f * (max(0.0, s[k, EE] + share * more[EE] - n * e * e) + _SIDE2)
        nn = f * (max(0.0, s[k, NN] + share * more[NN] - n * u * u) + _SIDE2)
        en = f * (s[k, EN] + share * more[EN] - n * e * u)
        size = 12.0 * math.sqrt(max(ee * nn - en * en, f * f * _SIDE2 * _SIDE2))
    if 2.0 * tall <= n or n == 0.0:
        return float(size)
    if not math.isnan(area[k, 1]):
        return float(size * area[k, 1])
    u = (s[k, U] + share * more[U]) / tall
    uu = max(0.0, s[k, UU] + share * more[UU] - tall * u * u) + _HEIGHT2
    return float(size * math.sqrt(12.0 * uu / (tall + 1.0)))


@kernel
def gauge(book: Ledger, clutter: F8, birth: F8, k: int, z: F8, cov: F8, rows: I4, n: int) -> None:
    """What the `n` plots of a scan add to the spread of sensor `k`, into `book.work`.

    Where its clutter is not given and it has not settled, every plot is taken for clutter: objects
    are confirmed somewhat later then, and nothing false is.
    """
    work, unknown = book.work, math.isnan(book.given[k, 1])
    for a in range(len(work)):
        work[a] = 0.0
    work[PLOTS] = n
    if not unknown and math.isnan(book.area[k, 0]):
        return
    for p in range(n):
        j = rows[p]
        tall = not (math.isnan(z[j, 2]) or math.isnan(cov[j, 5]))
        work[TALL] += tall
        if not unknown:
            continue
        e, u = z[j, 0], z[j, 1]
        work[E] += e
        work[N] += u
        work[EE] += e * e
        work[EN] += e * u
        work[NN] += u * u
        if tall:
            work[U] += z[j, 2]
            work[UU] += z[j, 2] * z[j, 2]
    if unknown and book.looked[k] < SETTLED:
        clutter[k] = max(_LEAST, (n + 0.5) / extent(book, k, 1.0))
        birth[k] = book.ratio * clutter[k]


@kernel
def enrol(book: Ledger, k: int, t: int, alone: F8, n: int, told: F8, row: int) -> None:
    """Count a scan: ``told[row]`` and `book.work`, after the probabilities `alone` are in."""
    spread, work = book.spread, book.work
    unexplained = 0.0
    for j in range(n):
        unexplained += alone[j]
    tall = work[TALL] if n else spread[k, TALL]
    height = 1.0 if 2.0 * tall <= (n if n else spread[k, PLOTS]) else book.area[k, 1]
    told[row, 2], told[row, 3] = unexplained, book.area[k, 0] * height
    if book.looked[k] == 0:
        book.since[k] = t
    settled = book.looked[k] >= SETTLED
    if settled:
        work[LOOKS], work[ALONE] = 1.0, unexplained
    kept = add(t, k, told, row, book.half_ns, settled, book.counts, book.counted_ns)
    for a in range(len(work)):
        spread[k, a] = kept * spread[k, a] + work[a]
    book.looked[k] += 1


@kernel
def receive(book: Ledger, t: int, var: float, trial_ns: int, weight: F8) -> None:
    """Doubt newcomers: sensors that come when others have been at work for a trial's length.

    Nobody knows yet what is off with them, and in the first second they could drag every track.
    `var` m² is what they may be off by. The doubt ends when the trial is over and the consensus
    does not contradict, `weight` (S,) at least one half, or NaN where it cannot tell. Who was
    silent for a half-life is a newcomer again.
    """
    n = len(book.looked)
    for k in range(n):
        if book.looked[k] and t - book.counted_ns[k] > book.half_ns:
            book.looked[k] = 0
    for k in range(n):
        if book.looked[k] and t - book.since[k] >= trial_ns and not weight[k] < 0.5:
            book.doubt[k] = 0.0
        if book.looked[k]:
            continue
        book.doubt[k] = 0.0
        for j in range(n):
            if book.looked[j] and t - book.since[j] >= trial_ns and book.doubt[j] == 0.0:
                book.doubt[k] = var


@kernel
def adapt(book: Ledger, learn: bool, p_detect: F8, clutter: F8, birth: F8) -> None:
    """Detection probability and densities that the tracker goes on with.

    Clutter that was not given is what was seen. With `learn`, what was given counts for so many
    events, and is never left by more than a factor of two.
    """
    for k in range(len(p_detect)):
        hits, looks = book.counts[k, 0], book.counts[k, 1]
        unexplained, area = book.counts[k, 2], book.counts[k, 3]
        p, c = book.given[k, 0], book.given[k, 1]
        if math.isnan(c):
            if book.spread[k, LOOKS] > 0.0:
                seen = (book.spread[k, ALONE] + 0.5) / book.spread[k, LOOKS]
                clutter[k] = max(_LEAST, seen / extent(book, k, 0.0))
                birth[k] = book.ratio * clutter[k]
        elif learn and c > _LEAST:
            new = (unexplained + _WORTH) / (area + _WORTH / c)
            clutter[k] = min(2.0 * c, max(0.5 * c, new))
            birth[k] = book.ratio * clutter[k]
        if learn:
            new = (hits + _WORTH * p) / (looks + _WORTH)
            p_detect[k] = min(1.0, 2.0 * p, max(0.5 * p, new))
