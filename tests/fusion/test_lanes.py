"""Lane algebra against a textbook filter bank: matrices, one mode at a time."""

import numpy as np
import pytest

from tests.fusion import naive
from v2x.fusion import lanes, modes
from v2x.fusion.layout import FLAT, MEAN, MU, PLACE, TALL, WIDTH

LEVEL = [0, 1, 3, 4]
TABLES = {8: modes.table(modes.MANNERS), 1: modes.table((modes.MANNERS[0],))[:, :, :1].copy()}


def pack(x, P, mu):
    """Both halves of one row from means (L, 6), covariances (L, 6, 6), probabilities (L,)."""
    L = len(mu)
    c = np.zeros((WIDTH, L))
    c[MEAN] = x.T
    c[PLACE] = P.transpose(1, 2, 0)
    return np.concatenate([c[:MU], mu[None]]).reshape(1, FLAT * L), c[MU:].reshape(1, TALL * L)


def unpack(s, up, L):
    flat = s.reshape(FLAT, L)
    c = np.concatenate([flat[:MU], up.reshape(TALL, L)])
    return c[MEAN].T, c[PLACE].transpose(2, 0, 1), flat[MU].copy()


def mixture_of(x, P, mu):
    mean = mu @ x
    d = x - mean
    return mean, np.einsum("m,mab->ab", mu, P + d[:, :, None] * d[:, None, :])


def bar_of(x, P, mu):
    mean, cov = mixture_of(x, P, mu)
    bar = np.zeros((1, WIDTH))
    bar[0, MEAN] = mean
    for a in range(6):
        for b in range(6):
            bar[0, PLACE[a, b]] = cov[a, b]
    return bar


def bank(rng, L, flat):
    """A filter bank with a spread of its own in every lane."""
    A = rng.normal(size=(L, 6, 6))
    P = A @ A.transpose(0, 2, 1) + 0.2 * np.eye(6)
    x = rng.normal(scale=1.5, size=(L, 6)) + np.array([900.0, -700.0, 50.0, 5.0, -9.0, 1.0])
    if flat:
        x[:, [2, 5]] = 0.0
        P[:, [2, 5], :] = P[:, :, [2, 5]] = 0.0
        P[:, 2, 2], P[:, 5, 5] = 2.5e7, 225.0
    mu = rng.dirichlet(np.ones(L))
    return x, P, mu


def transition(table, k, m, dt):
    """F and Q of one mode, from the matrix exponential of its rate equation."""
    from scipy.linalg import expm

    turn, psd, up, halt = table[k, :4, m]
    A = np.zeros((6, 6))
    A[:3, 3:] = np.eye(3)
    A[3, 4], A[4, 3] = -turn, turn
    A[3:, 3:] -= halt * np.eye(3)
    q = np.diag([psd, psd, up])
    Q = np.block([[q * dt**3 / 3, q * dt**2 / 2], [q * dt**2 / 2, q * dt]])
    return expm(A * dt), Q


def mixed(x, P, mu, stay, share):
    """IMM mixing with T = stay I + (1 - stay) 1 share'."""
    L = len(mu)
    T = stay * np.eye(L) + (1 - stay) * np.ones((L, 1)) * share[None, :]
    c = mu @ T
    w = T * mu[:, None] / c[None, :]
    mean = w.T @ x
    cov = np.zeros_like(P)
    for m in range(L):
        for i in range(L):
            d = x[i] - mean[m]
            cov[m] += w[i, m] * (P[i] + np.outer(d, d))
    return mean, cov, c


@pytest.mark.parametrize("L", [1, 8])
@pytest.mark.parametrize("flat", [True, False])
@pytest.mark.parametrize(("k", "dt"), [(0, 1 / 30), (0, 2.5), (3, 10.0)])
def test_prediction_mixes_and_moves_every_mode_as_the_textbook_does(L, flat, k, dt):
    table = TABLES[L]
    k = min(k, len(table) - 1)
    rng = np.random.default_rng(L)
    x, P, mu = bank(rng, L, flat)
    (s, up), bar, move = pack(x, P, mu), bar_of(x, P, mu), modes.blank_moves(table)
    ids, p = tuple(range(L)), np.zeros(16 * L)
    modes.prepare(table, k, dt, move, ids)
    if not flat:
        lanes.predict_tall(s, up, bar, 0, move, k, p, ids)
    lanes.predict_flat(s, bar, 0, move, k, p, ids)
    stay = np.exp(-table[k, 5, 0] * dt) if L > 1 else 1.0
    x2, P2, mu2 = mixed(x, P, mu, stay, table[k, 4])
    for m in range(L):
        F, Q = transition(table, k, m, dt)
        x2[m], P2[m] = F @ x2[m], F @ P2[m] @ F.T + Q
    got_x, got_P, got_mu = unpack(s, up, L)
    keep = LEVEL if flat else list(range(6))
    np.testing.assert_allclose(got_mu, mu2, rtol=1e-12)
    np.testing.assert_allclose(got_x[:, keep], x2[:, keep], rtol=1e-11, atol=1e-9)
    rows = np.ix_(range(L), keep, keep)
    np.testing.assert_allclose(got_P[rows], P2[rows], rtol=1e-10, atol=1e-9)
    mean, cov = mixture_of(x2, P2, mu2)
    place = [0, 1] if flat else [0, 1, 2]
    np.testing.assert_allclose(bar[0, MEAN][place], mean[place], rtol=1e-11)
    np.testing.assert_allclose(
        bar[0, PLACE][np.ix_(place, place)], cov[np.ix_(place, place)], rtol=1e-9, atol=1e-8
    )


def test_two_short_steps_change_modes_like_one_long_step():
    table = TABLES[8]
    x, P, mu = bank(np.random.default_rng(3), 8, True)
    probabilities = []
    for cuts in ([0.4], [0.1, 0.3]):
        (s, up), bar, move = pack(x, P, mu), bar_of(x, P, mu), modes.blank_moves(table)
        for dt in cuts:
            modes.prepare(table, 0, dt, move, tuple(range(8)))
            lanes.predict_flat(s, bar, 0, move, 0, np.zeros(128), tuple(range(8)))
        probabilities.append(unpack(s, up, 8)[2])
    np.testing.assert_allclose(*probabilities, rtol=1e-12)


@pytest.mark.parametrize("L", [1, 8])
@pytest.mark.parametrize("flat", [True, False])
def test_plots_update_every_mode_and_its_probability_as_a_mixture(L, flat):
    rng = np.random.default_rng(10 + L)
    x, P, mu = bank(rng, L, flat)
    n = 3
    z = x[rng.integers(0, L, n), :3] + rng.normal(scale=2, size=(n, 3))
    if flat:
        z[:, 2] = np.nan
    R = np.array([np.diag(rng.uniform(0.2, 3, 3)) + 0.1 for _ in range(n)])
    six = np.ascontiguousarray(R[:, [0, 0, 0, 1, 1, 2], [0, 1, 2, 1, 2, 2]])
    share, kept = np.array([0.5, 0.3, 0.1]), 0.1
    (s, up), ids = pack(x, P, mu), tuple(range(L))
    modal, acc = np.zeros((n, L)), np.zeros(10 * L)
    likelihood, add, apply, row = (
        (lanes.likelihood_flat, lanes.add_flat, lanes.apply_flat, (s,))
        if flat
        else (lanes.likelihood_tall, lanes.add_tall, lanes.apply_tall, (s, up))
    )
    total = [likelihood(*row, 0, z, six, j, modal, j, ids) for j in range(n)]
    wanted = np.array(
        [[mu[m] * naive.density(x[m], P[m], z[j], R[j])[0] for m in range(L)] for j in range(n)]
    )
    np.testing.assert_allclose(modal, wanted, rtol=1e-5, atol=1e-30)
    np.testing.assert_allclose(total, wanted.sum(axis=1), rtol=1e-5)
    lanes.clear(acc, ids)
    for j in range(n):
        add(*row, 0, z, six, j, modal, j, share[j] / total[j], acc, ids)
    apply(*row, 0, acc, kept, ids)
    got_x, got_P, got_mu = unpack(s, up, L)
    keep = LEVEL if flat else list(range(6))
    weight = share[:, None] * wanted / wanted.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(got_mu, weight.sum(axis=0) + kept * mu, rtol=1e-5)
    for m in range(L):
        parts = [naive.density(x[m], P[m], z[j], R[j])[2:] for j in range(n)]
        w = weight[:, m] / got_mu[m]
        mean, cov = naive.mixture(x[m], P[m], parts, w, kept * mu[m] / got_mu[m])
        np.testing.assert_allclose(got_x[m, keep], mean[keep], rtol=1e-6, atol=1e-5)
        np.testing.assert_allclose(
            got_P[m][np.ix_(keep, keep)], cov[np.ix_(keep, keep)], rtol=1e-5, atol=1e-5
        )


def test_one_measured_number_of_the_velocity_is_a_kalman_update_that_weighs_the_modes():
    rng = np.random.default_rng(2)
    x, P, mu = bank(rng, 8, False)
    (s, up), ids = pack(x, P, mu), tuple(range(8))
    h, z, var = np.array([0, 0, 0, 0.6, -0.7, 0.2]), 3.0, 0.5
    lanes.steer(s, up, 0, True, 0.6, -0.7, 0.2, z, var, np.zeros(128), ids)
    got_x, got_P, got_mu = unpack(s, up, 8)
    weight = np.zeros(8)
    for m in range(8):
        S = h @ P[m] @ h + var
        K = P[m] @ h / S
        y = z - h @ x[m]
        weight[m] = mu[m] * np.exp(-0.5 * y * y / S) / np.sqrt(S)
        np.testing.assert_allclose(got_x[m], x[m] + K * y, rtol=1e-11)
        np.testing.assert_allclose(got_P[m], P[m] - np.outer(K, K) * S, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(got_mu, weight / weight.sum(), rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("L", [1, 8])
@pytest.mark.parametrize("flat", [True, False])
def test_the_mixture_has_the_moments_of_its_modes_wherever_it_stood_before(L, flat):
    rng = np.random.default_rng(4)
    x, P, mu = bank(rng, L, flat)
    s, up = pack(x, P, mu)
    bar = bar_of(x, P, mu)
    wanted = bar.copy()
    bar[0, MEAN] += 0.0 if flat else rng.normal(scale=3.0, size=6)
    lanes.merge(s, up, bar, 0, not flat, np.zeros(16 * L), tuple(range(L)))
    np.testing.assert_allclose(bar, wanted, rtol=1e-9, atol=1e-9)


def test_a_young_track_spreads_alike_over_all_lanes():
    x, P, mu = bank(np.random.default_rng(5), 1, False)
    bar, s, up = bar_of(x, P, mu), np.zeros((1, FLAT * 8)), np.zeros((1, TALL * 8))
    share = np.ascontiguousarray(TABLES[8][:, 4])
    lanes.fan_out(s, bar, 0, share, 2, tuple(range(8)))
    lanes.raise_up(up, bar, 0, tuple(range(8)))
    got_x, got_P, got_mu = unpack(s, up, 8)
    for m in range(8):
        np.testing.assert_array_equal(got_x[m], x[0])
        np.testing.assert_array_equal(got_P[m], P[0])
    np.testing.assert_allclose(got_mu, share[2])
    assert got_mu.sum() == pytest.approx(1.0)


@pytest.mark.parametrize("angle", [0.0, 1e-9, 0.01, -0.7, 3.0, -29.0])
def test_sine_and_versine_are_those_of_the_library(angle):
    s, v = modes.sine(angle)
    assert s == pytest.approx(np.sin(angle), abs=3e-12)
    assert v == pytest.approx(2.0 * np.sin(angle / 2.0) ** 2, abs=3e-12)


def test_every_group_of_kinds_has_a_mode_for_each_lane_and_shares_that_sum_to_one():
    table = TABLES[8]
    assert table.shape == (4, 6, 8)
    np.testing.assert_allclose(table[:, 4].sum(axis=1), 1.0)
    assert (table[:, 1:3] > 0.0).all()
    assert (table[:, 3].max(axis=1) > 0.0).all(), "every group can stand still"


def test_a_row_whose_covariances_rounding_tore_keeps_its_variances_alone():
    L = 8
    s, up, bar = np.ones((1, 15 * L)), np.ones((1, 13 * L)), np.zeros((1, 27))
    bar[0, [4, 6, 11, 13, 16, 18]] = 4.0
    assert not lanes.torn(bar, 0, 1)
    for pair in (5, 7, 10, 17, 19, 20):
        for value in (4.1, np.nan):
            off = bar.copy()
            off[0, pair] = value
            assert lanes.torn(off, 0, 1)
            assert lanes.torn(off, 0, 0) == (pair < 17)
    lanes.untie(s, up, 0, 1, tuple(range(L)))
    kept = [c for c in range(15) if s[0, c * L]], [c for c in range(13) if up[0, c * L]]
    assert kept == ([0, 1, 2, 3, 4, 6, 11, 13, 14], [0, 1, 2, 4])
