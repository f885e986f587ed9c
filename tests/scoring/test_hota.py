"""HOTA, DetA, AssA against the definitions of the paper, and worked by hand."""

import numpy as np
import pytest

from tests.scoring import naive
from tests.scoring.scenes import NOTHING, corrupted, frames, tangled
from v2x.scoring import score

TWO = np.array([[0.0, 0.0], [50.0, 0.0]])


def hota(parts, c=5.0):
    made = score(*frames(parts), c)
    return made.hota, made.det_a, made.ass_a


@pytest.mark.parametrize("seed", range(8))
def test_corrupted_tracks_score_as_their_twin(seed):
    parts = corrupted(seed, dim=2 + seed % 2)
    np.testing.assert_allclose(hota(parts), naive.hota(parts, 5.0), atol=1e-12)
    assert 0.1 < hota(parts)[0] < 0.9


@pytest.mark.parametrize("seed", range(4))
def test_tangled_tracks_score_as_their_twin(seed):
    parts = tangled(np.random.default_rng(seed), n=5, m=6)
    np.testing.assert_allclose(hota(parts), naive.hota(parts, 5.0), atol=1e-12)


@pytest.mark.parametrize(
    ("error", "reached"), [(0.0, 19), (2.4, 10), (2.5, 10), (2.6, 9), (4.9, 0)]
)
def test_a_constant_error_passes_the_thresholds_below_its_similarity(error, reached):
    made = hota([([1, 2], TWO, [7, 8], TWO + np.array([error, 0.0]))] * 4)
    assert made == pytest.approx((reached / 19,) * 3)


def test_a_similarity_at_a_threshold_reaches_it():
    for step in range(1, 20):
        x = TWO[:1] + np.array([5.0 * (1.0 - step / 20), 0.0])
        assert hota([([1], TWO[:1], [7], x)])[1] == pytest.approx(step / 19)


def test_a_swap_halfway_leaves_a_third_of_the_association():
    parts = [([1, 2], TWO, [7, 8], TWO)] * 6 + [([1, 2], TWO, [8, 7], TWO)] * 6
    assert hota(parts) == pytest.approx((np.sqrt(1 / 3), 1.0, 1 / 3))


def test_a_broken_track_counts_each_piece_by_its_length():
    one = TWO[:1]
    parts = [([1], one, [7], one)] * 6 + [([1], one, [8], one)] * 4
    assert hota(parts) == pytest.approx((np.sqrt(0.52), 1.0, 0.52))


def test_detection_counts_missed_and_false_alike():
    one = TWO[:1]
    parts = [([1], one, [7], one)] * 6 + [([1], one, [], NOTHING)] * 3 + [([], NOTHING, [9], one)]
    assert hota(parts)[1:] == pytest.approx((0.6, 6 / 9))


def test_the_track_that_stays_is_matched_although_another_is_nearer():
    # alone at first, then beside a nearer stranger for one instant
    a, b = np.array([[0.0, 0.0]]), np.array([[1.0, 0.0], [0.9, 0.0]])
    parts = [([1], a, [7], b[:1])] * 9 + [([1], a, [7, 8], b)]
    det = 10 / 11
    assert hota(parts)[1:] == pytest.approx((16 / 19 * det, 16 / 19))
