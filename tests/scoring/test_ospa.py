"""OSPA(2) against its definition walked step by step, and worked by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.scoring import naive
from tests.scoring.scenes import NOTHING, alone, corrupted, frames, tangled
from v2x.scoring.frames import Near
from v2x.scoring.ospa import ospa2_series

STILL = np.array([[0.0, 0.0]])
OFF = STILL + np.array([3.0, 0.0])
TWO = np.array([[0.0, 0.0], [50.0, 0.0]])


def ospa2(parts, c=5.0, p=2.0, window=10):
    return ospa2_series(Near.of(*frames(parts), c), p, window)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("p", [1.0, 2.0])
def test_pieces_of_path_are_matched_as_by_brute_force(seed, p):
    parts = tangled(np.random.default_rng(seed), n=4, m=1 + seed, dim=2 + seed % 2)
    np.testing.assert_allclose(ospa2(parts, 5.0, p), naive.ospa2(parts, 5.0, p), atol=1e-9)


@pytest.mark.parametrize("window", [1, 3, 50])
def test_a_window_of_any_length_equals_its_twin(window):
    parts = tangled(np.random.default_rng(9))
    np.testing.assert_allclose(
        ospa2(parts, window=window), naive.ospa2(parts, 5.0, 2.0, window), atol=1e-9
    )


def test_one_component_of_many_equals_scipy():
    parts = corrupted(5, n=60, instants=14)
    twin = naive.ospa2(parts, 5.0, 2.0, least=naive.scipy_choice)
    np.testing.assert_allclose(ospa2(parts), twin, rtol=1e-12)


def test_a_constant_error_is_the_distance():
    assert ospa2([([1], STILL, [7], OFF)] * 12).tolist() == [3.0] * 12


def test_a_late_track_costs_the_cut_off_while_it_is_away():
    parts = [([1], STILL, [], NOTHING)] * 5 + [([1], STILL, [7], OFF)] * 10
    made = ospa2(parts)
    assert made[:5].tolist() == [5.0] * 5
    assert made[9] == pytest.approx((5 * 3.0 + 5 * 5.0) / 10)
    assert made[14] == pytest.approx(3.0)


def test_a_false_track_counts_as_an_object_more():
    parts = [([1], STILL, [7, 8], np.array([[3.0, 0.0], [80.0, 0.0]]))]
    assert ospa2(parts)[0] == pytest.approx(np.sqrt((9.0 + 25.0) / 2))


def test_a_swap_is_seen_for_as_long_as_the_window():
    parts = [([1, 2], TWO, [7, 8], TWO)] * 10 + [([1, 2], TWO, [8, 7], TWO)] * 10
    made = ospa2(parts)
    assert made[:10].tolist() == [0.0] * 10
    assert made[14] == pytest.approx(2.5)
    assert made[10] == pytest.approx(0.5)
    assert made[18] == pytest.approx(0.5)
    assert made[19] == 0.0


def test_perfect_tracks_are_at_no_distance_whatever_the_cut_off_and_order():
    # sums of cut-offs must not leave a residue, which a power below two would blow up
    parts = [([1, 2], TWO, [7, 8], TWO)] * 10
    assert ospa2(parts, c=0.3, p=1.5).tolist() == [0.0] * 10


@given(st.integers(0, 2**32), st.integers(0, 4), st.integers(0, 4), st.integers(0, 4))
def test_it_is_a_metric(seed, n, m, k):
    rng = np.random.default_rng(seed)
    a, b, c = (alone(rng, size, 12) for size in (n, m, k))

    def distance(one, other):
        return ospa2_series(Near.of(one, other, 5.0))

    assert (distance(a, a) == 0.0).all()
    np.testing.assert_allclose(distance(a, b), distance(b, a), atol=1e-9)
    assert (distance(a, b) <= 5.0 + 1e-9).all()
    assert (distance(a, c) <= distance(a, b) + distance(b, c) + 1e-9).all()
