"""Metrics against independent ones, and their ends: good, bad, nothing to judge."""

from math import isnan

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from tests.scoring import naive
from v2x.scoring import Frames, nees, nees_band, score
from v2x.scoring.assignment import assign


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


@pytest.mark.parametrize("seed", range(6))
def test_sparse_assignment_is_as_cheap_as_a_dense_one(seed):
    rng = np.random.default_rng(seed)
    for _ in range(60):
        n, m = rng.integers(1, 12, 2)
        cost = np.where(rng.random((n, m)) < 0.4, rng.uniform(-3, 1, (n, m)), 1.0)
        i, j = np.nonzero(cost < 1.0)
        match = assign(n, m, i.astype(np.int32), j.astype(np.int32), cost[i, j], 1.0)
        rows = np.flatnonzero(match >= 0)
        assert len(set(match[rows])) == len(rows)
        mine = cost[rows, match[rows]].sum() - len(rows)
        a, b = linear_sum_assignment(cost - 1.0)
        assert mine == pytest.approx((cost - 1.0)[a, b].sum())


@pytest.mark.parametrize("p", [1.0, 2.0])
@pytest.mark.parametrize("dim", [2, 3])
def test_gospa_equals_brute_force(p, dim):
    rng = np.random.default_rng(0)
    for _ in range(40):
        n, m = rng.integers(0, 6, 2)
        x, y = rng.uniform(0, 9, (n, dim)), rng.uniform(0, 9, (m, dim))
        made = score(*frames([(list(range(n)), x, list(range(m)), y)]), 5.0, p)
        parts = (made.gospa, made.gospa_localisation, made.gospa_missed, made.gospa_false)
        np.testing.assert_allclose(parts, naive.gospa(x, y, 5.0, p), atol=1e-9)


def test_gospa_of_many_equals_scipy():
    rng = np.random.default_rng(1)
    x, y = rng.uniform(0, 150, (400, 2)), rng.uniform(0, 150, (380, 2))
    made = score(*frames([(list(range(400)), x, list(range(380)), y)]))
    assert made.gospa == pytest.approx(naive.gospa_lsa(x, y, 5.0, 2.0), rel=1e-12)
    assert made.gospa_n == pytest.approx(made.gospa / 20.0)


@pytest.mark.parametrize("seed", range(8))
def test_mota_motp_switches_and_idf1_equal_naive_ones(seed):
    parts = corrupted(seed, dim=2 + seed % 2)
    made = score(*frames(parts))
    mota, motp, switches = naive.clear(parts, 5.0)
    assert made.mota == pytest.approx(mota, abs=1e-12)
    assert made.motp == pytest.approx(motp, abs=1e-12)
    assert made.id_switches == switches
    assert made.idf1 == pytest.approx(naive.idf1(parts, 5.0), abs=1e-12)
    assert switches > 0


def test_perfect_tracks_score_perfectly():
    x = np.array([[0.0, 0.0], [50.0, 0.0]])
    made = score(*frames([([1, 2], x, [7, 8], x)] * 5))
    assert (made.gospa, made.mota, made.motp, made.idf1) == (0.0, 1.0, 0.0, 1.0)
    assert (made.id_switches, made.frames) == (0, 5)


def test_tracks_of_nothing_score_badly():
    x = np.array([[0.0, 0.0], [50.0, 0.0]])
    made = score(*frames([([1, 2], x, [7, 8], x + 500.0)] * 5))
    assert made.mota == -1.0
    assert made.idf1 == 0.0
    assert isnan(made.motp)
    assert made.gospa == pytest.approx(np.sqrt(12.5 * 4))


def test_no_data_is_nan_and_not_one():
    nothing = (np.zeros((0, 2)), [], np.zeros((0, 2)))
    for parts in ([], [([], *nothing)]):
        made = score(*frames(parts))
        assert all(isnan(v) for v in (made.mota, made.motp, made.idf1, made.gospa_n))
    assert isnan(score(*frames([])).gospa)


def test_a_swap_is_two_switches():
    x = np.array([[0.0, 0.0], [50.0, 0.0]])
    made = score(*frames([([1, 2], x, [7, 8], x)] * 3 + [([1, 2], x, [8, 7], x)] * 3))
    assert made.id_switches == 2
    assert made.idf1 == pytest.approx(0.5)


def test_a_pair_is_kept_although_another_is_nearer():
    a, b = np.array([[0.0, 0.0]]), np.array([[4.0, 0.0], [0.1, 0.0]])
    parts = [([1], a, [7], a), ([1], a, [7, 8], b), ([1], a, [7, 8], b)]
    assert score(*frames(parts)).id_switches == 0


def test_what_cannot_be_compared_is_refused():
    x = np.zeros((2, 2))
    with pytest.raises(ValueError, match="twice"):
        score(*frames([([1, 1], x, [7, 8], x)]))
    truth, tracks = frames([([1], x[:1], [7], x[:1])] * 2)
    with pytest.raises(ValueError, match="instants"):
        score(truth, Frames.of([tracks.id[:1]], [tracks.position[:1]]))


def test_nees_of_an_honest_estimator_lies_in_its_band():
    rng = np.random.default_rng(3)
    P = np.array([[2.0, 0.5], [0.5, 1.0]])
    e = rng.multivariate_normal([0, 0], P, 4000)
    low, high = nees_band(2, 4000)
    assert low < nees(e, np.broadcast_to(P, (4000, 2, 2))).mean() < high
    assert nees(2 * e, np.broadcast_to(P, (4000, 2, 2))).mean() > high
