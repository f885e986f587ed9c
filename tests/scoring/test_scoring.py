"""Metrics against independent ones, and their ends: good, bad, nothing to judge."""

from math import isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from tests.scoring import naive
from tests.scoring.scenes import NOTHING, corrupted, frames
from v2x.assignment import assign, pairs_within
from v2x.scoring import Frames, score


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


@given(st.integers(0, 2**32), st.integers(0, 30), st.integers(0, 30), st.sampled_from([2, 3]))
def test_pairs_within_a_distance_are_all_of_them_in_order(seed, n, m, dim):
    rng = np.random.default_rng(seed)
    # decimetres far out: many distances are the cut-off itself, and sums round
    a, b = (rng.integers(0, 12, (k, dim)) / 10 + 123_456.7 for k in (n, m))
    b[rng.random(m) < 0.1] = np.nan
    c = 0.3
    i, j, d = pairs_within(a, b, c)
    gap = ((a[:, None] - b[None]) ** 2).sum(axis=2)
    assert np.stack([i, j], axis=1).tolist() == np.argwhere(gap < c * c).tolist()
    np.testing.assert_allclose(d, np.sqrt(gap[i, j]))


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
    assert (made.ospa2, made.hota, made.det_a, made.ass_a) == (0.0, 1.0, 1.0, 1.0)
    assert (made.id_switches, made.frames) == (0, 5)


def test_tracks_of_nothing_score_badly():
    x = np.array([[0.0, 0.0], [50.0, 0.0]])
    made = score(*frames([([1, 2], x, [7, 8], x + 500.0)] * 5))
    assert made.mota == -1.0
    assert made.idf1 == 0.0
    assert isnan(made.motp)
    assert made.gospa == pytest.approx(np.sqrt(12.5 * 4))
    assert (made.ospa2, made.hota, made.det_a, made.ass_a) == (5.0, 0.0, 0.0, 0.0)


def test_all_missed_is_no_track_and_all_false_no_object():
    x = np.array([[0.0, 0.0], [50.0, 0.0]])
    missed = score(*frames([([1, 2], x, [], NOTHING)] * 3))
    assert (missed.gospa, missed.gospa_missed, missed.gospa_false) == (5.0, 5.0, 0.0)
    assert (missed.mota, missed.idf1) == (0.0, 0.0)
    false = score(*frames([([], NOTHING, [1, 2], x)] * 3))
    assert (false.gospa, false.gospa_missed, false.gospa_false) == (5.0, 0.0, 5.0)
    assert isnan(false.mota)
    assert isnan(false.gospa_n)
    assert false.idf1 == 0.0
    for made in (missed, false):
        assert (made.ospa2, made.hota, made.det_a, made.ass_a) == (5.0, 0.0, 0.0, 0.0)
        assert isnan(made.motp)


def test_no_data_is_nan_and_not_one():
    for parts in ([], [([], NOTHING, [], NOTHING)]):
        made = score(*frames(parts))
        rates = (made.mota, made.motp, made.idf1, made.hota, made.det_a, made.ass_a, made.gospa_n)
        assert all(isnan(v) for v in rates)
    assert (made.gospa, made.ospa2) == (0.0, 0.0)
    empty = score(*frames([]))
    assert isnan(empty.gospa)
    assert isnan(empty.ospa2)


def test_a_swap_is_two_switches():
    x = np.array([[0.0, 0.0], [50.0, 0.0]])
    made = score(*frames([([1, 2], x, [7, 8], x)] * 3 + [([1, 2], x, [8, 7], x)] * 3))
    assert made.id_switches == 2
    assert made.idf1 == pytest.approx(0.5)
    assert made.gospa == 0.0


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
    for c in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="cut-off"):
            score(truth, tracks, c)
