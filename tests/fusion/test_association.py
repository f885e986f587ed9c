"""Association against exact enumeration and its dense twin."""

import numpy as np
import pytest

from tests.fusion import naive
from v2x.fusion.association import associate
from v2x.fusion.layout import new_edges


def solve(w, sweeps=15, tolerance=1e-3, exact=6):
    n, m = w.shape
    g = new_edges(n, m, max(1, w.size), 1)
    k = 0
    for i in range(n):
        g.first[i] = k
        for j in np.flatnonzero(w[i]):
            g.plot[k], g.w[k] = j, w[i, j]
            k += 1
    g.first[n] = k
    alone = np.zeros(m)
    associate(n, m, g, sweeps, tolerance, exact, alone)
    beta = np.zeros_like(w)
    for i in range(n):
        for e in range(g.first[i], g.first[i + 1]):
            beta[i, g.plot[e]] = g.beta[e]
    return beta, g.beta0[:n].copy(), alone


def scene(rng, n, m):
    """Weights of tracks about 3 m apart with p_D 0.9 in clutter, as a tracker meets them."""
    x = rng.uniform(0, 4 + 2 * n, (n, 2))
    seen = rng.random(n) < 0.9
    z = np.concatenate([x[seen] + rng.normal(0, 1, (seen.sum(), 2)), rng.uniform(0, 8, (m, 2))])[:m]
    d2 = ((x[:, None] - z[None]) ** 2).sum(2) / 2.0
    r = rng.uniform(0.3, 0.999, n)
    w = (r * 0.9 / (1 - 0.9 * r))[:, None] * np.exp(-d2 / 2) / (4 * np.pi) / 1e-3
    return np.where(d2 < 16, w, 0.0)


def test_a_track_alone_with_its_plots_is_exact():
    w = np.array([[3.0, 0.5, 1e9], [0.0, 0.0, 0.0]])
    beta, beta0, alone = solve(w)
    exact = naive.enumerate_all(w)
    for a, b in zip((beta, beta0, alone), exact, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-15)


def test_two_tracks_for_one_plot_are_exact_even_at_enormous_weights():
    w = np.array([[1e12], [1e10]])
    beta, _, alone = solve(w)
    np.testing.assert_allclose(beta[:, 0], [1e12 / 1.01e12, 1e10 / 1.01e12], rtol=1e-9)
    assert 0.0 < alone[0] < 1e-11


@pytest.mark.parametrize("seed", range(5))
def test_clusters_equal_the_dense_twin(seed):
    rng = np.random.default_rng(seed)
    for _ in range(40):
        w = scene(rng, rng.integers(1, 7), rng.integers(1, 7))
        made = solve(w, 60, 0.0, exact=0)
        for a, b in zip(made, naive.propagate(w, 60), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_small_clusters_are_exact():
    rng = np.random.default_rng(1)
    for _ in range(300):
        w = scene(rng, rng.integers(1, 5), rng.integers(1, 6))
        for a, b in zip(solve(w), naive.enumerate_all(w), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-12)


def test_belief_propagation_is_close_to_enumeration():
    """The approximation that larger clusters get: errors sit where all is crowded and sure."""
    rng = np.random.default_rng(1)
    errors = []
    for _ in range(300):
        w = scene(rng, rng.integers(1, 5), rng.integers(1, 5))
        beta, beta0, _ = solve(w, exact=0)
        exact, exact0, _ = naive.enumerate_all(w)
        errors.append(max(np.abs(beta - exact).max(), np.abs(beta0 - exact0).max()))
    assert np.median(errors) < 0.001
    assert np.mean(errors) < 0.03
    assert np.max(errors) < 0.4


def test_probabilities_add_up_and_no_plot_is_given_out_twice():
    rng = np.random.default_rng(2)
    for _ in range(100):
        w = scene(rng, 6, 6)
        beta, beta0, alone = solve(w, exact=6 * (rng.random() < 0.5))
        np.testing.assert_allclose(beta.sum(1) + beta0, 1.0, atol=1e-12)
        assert beta.sum(0).max() < 1.2
        assert alone.min() >= 0.0
        assert alone.max() <= 1.0


def test_traffic_elsewhere_changes_no_bit_of_a_cluster():
    rng = np.random.default_rng(3)
    a, b = scene(rng, 4, 4), 1e3 * np.ones((7, 7)) + rng.uniform(0, 1, (7, 7))
    both = np.zeros((11, 11))
    both[:4, :4], both[4:, 4:] = a, b
    for exact in (0, 6):
        alone = solve(a, exact=exact)[0]
        np.testing.assert_array_equal(solve(both, exact=exact)[0][:4, :4], alone)
