"""NEES and NIS: values, samples that are independent, and the band they should lie in."""

from math import isnan

import numpy as np
import pytest

from tests.scoring.scenes import NOTHING, frames
from v2x.scoring import Frames, consistency, nees, nees_band, nees_of_pairs

P2 = np.array([[2.0, 0.5], [0.5, 1.0]])
STEP_NS = 100_000_000


def still(instants, error=(3.0, 4.0), tracks=None):
    """One object at rest with one track; `tracks` its names."""
    x = np.zeros((1, 2))
    names = tracks or [7] * instants
    return frames([([1], x, [names[k]], x + error) for k in range(instants)])


def clock(instants, step_ns=STEP_NS):
    return np.arange(instants) * step_ns


def test_nees_of_an_honest_estimator_lies_in_its_band():
    rng = np.random.default_rng(3)
    e = rng.multivariate_normal([0, 0], P2, 4000)
    low, high = nees_band(2, 4000)
    assert low < nees(e, np.broadcast_to(P2, (4000, 2, 2))).mean() < high
    assert nees(2 * e, np.broadcast_to(P2, (4000, 2, 2))).mean() > high


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_nees_is_the_error_by_the_inverse_covariance(dim):
    rng = np.random.default_rng(dim)
    e, root = rng.normal(size=(20, dim)), rng.normal(size=(20, dim, dim))
    P = np.einsum("nij,nkj->nik", root, root) + np.eye(dim)
    twin = [e[k] @ np.linalg.inv(P[k]) @ e[k] for k in range(20)]
    np.testing.assert_allclose(nees(e, P), twin)


def test_nineteen_of_twenty_honest_means_are_inside_and_their_opposite_is_not():
    rng = np.random.default_rng(0)
    made = [consistency(rng.chisquare(2, 200), 2) for _ in range(500)]
    assert 0.93 < np.mean([m.inside for m in made]) < 0.97
    for scale in (0.7, 1.4):
        assert not any(consistency(scale * rng.chisquare(2, 500), 2).inside for _ in range(50))


def test_the_band_is_per_axis():
    made = consistency(np.full(100, 2.0), 2)
    assert (made.mean, made.n, made.inside) == (1.0, 100, True)
    low, high = nees_band(2, 100)
    assert (made.low, made.high) == pytest.approx((low / 2, high / 2))
    assert made.high == pytest.approx(1.196)


def test_innovations_of_mixed_width_are_weighed_by_their_freedom():
    made = consistency([3.0, 6.0, np.nan], [2, 3, 1])
    assert (made.mean, made.n) == (pytest.approx(9.0 / 5.0), 2)
    assert made.high - made.mean == pytest.approx(1.96 * np.sqrt(2 / 5) - 0.8)


def test_a_mean_beyond_either_end_is_outside():
    assert not consistency(np.full(1000, 2.5), 2).inside
    assert not consistency(np.full(1000, 1.5), 2).inside


def test_no_sample_says_nothing():
    for values in ([], [np.nan]):
        made = consistency(values, 2)
        assert made.n == 0
        assert not made.inside
        assert all(isnan(v) for v in (made.mean, made.low, made.high))
    made = nees_of_pairs(*frames([([1], np.zeros((1, 2)), [], NOTHING)]), np.zeros((0, 2, 2)), [0])
    assert made.n == 0


def test_one_object_gives_a_sample_a_second():
    P = np.broadcast_to(np.diag([9.0, 16.0]), (31, 2, 2))
    made = nees_of_pairs(*still(31), P, clock(31), 6.0)
    assert (made.n, made.mean) == (4, pytest.approx(1.0))
    assert nees_of_pairs(*still(30), P[:30], clock(30), 6.0).n == 3


def test_another_track_of_the_same_object_is_no_new_sample():
    P = np.broadcast_to(np.eye(2), (8, 2, 2))
    assert nees_of_pairs(*still(8, tracks=[7, 8] * 4), P, clock(8), 6.0).n == 1


def test_an_object_seen_again_waits_for_its_second():
    x = np.zeros((1, 2))
    parts = [([1], x, [7], x) if k in (0, 9, 12) else ([1], x, [], NOTHING) for k in range(20)]
    P = np.stack([np.eye(2) * s for s in (1.0, 4.0, 16.0)])
    truth, tracks = frames(parts)
    moved = Frames(tracks.first, tracks.id, tracks.position + np.array([4.0, 0.0]))
    made = nees_of_pairs(truth, moved, P, clock(20))
    assert (made.n, made.mean) == (2, pytest.approx((16.0 / 1.0 + 16.0 / 16.0) / 4))


def test_each_pair_is_judged_by_the_covariance_of_its_track():
    x = np.array([[0.0, 0.0], [50.0, 0.0]])
    y = np.array([[90.0, 0.0], [52.0, 0.0], [1.0, 0.0]])
    P = np.stack([np.eye(2) * s for s in (1e-9, 4.0, 1.0)])
    made = nees_of_pairs(*frames([([1, 2], x, [7, 8, 9], y)]), P, [0])
    assert (made.n, made.mean) == (2, pytest.approx(0.5))


def test_an_honest_tracker_is_inside_in_three_dimensions():
    rng = np.random.default_rng(1)
    P = np.diag([0.25, 0.16, 1.0])
    x = 100.0 * np.arange(40)[:, None] * np.ones(3)
    ids = list(range(40))
    parts = [(ids, x, ids, x + rng.multivariate_normal([0] * 3, P, 40)) for _ in range(10)]
    truth, tracks = frames(parts)
    covariance = np.broadcast_to(P, (400, 3, 3))
    t_ns = clock(10, 1_000_000_000)
    made = nees_of_pairs(truth, tracks, covariance, t_ns)
    assert made.n == 400
    assert made.inside
    assert not nees_of_pairs(truth, tracks, 0.5 * covariance, t_ns).inside


@pytest.mark.parametrize(
    ("squares", "dim", "words"),
    [
        ([[1.0]], 2, "squares"),
        ([1.0], [2, 2], "squares"),
        ([1.0], 0, "dim 0"),
        ([1.0], [-1], "dim"),
    ],
)
def test_values_that_do_not_fit_are_refused(squares, dim, words):
    with pytest.raises(ValueError, match=words):
        consistency(squares, dim)


@pytest.mark.parametrize(
    ("P", "t_ns", "words"),
    [
        (np.zeros((3, 3, 3)), [0, 1, 2], "P "),
        (np.zeros((2, 2, 2)), [0, 1, 2], "P "),
        (np.zeros((3, 2, 2)), [0, 1], "t_ns"),
        (np.zeros((3, 2, 2)), [0, 2, 1], "ascending"),
    ],
)
def test_covariances_and_times_that_do_not_fit_are_refused(P, t_ns, words):
    with pytest.raises(ValueError, match=words):
        nees_of_pairs(*still(3), P, t_ns)
