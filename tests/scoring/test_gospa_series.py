"""GOSPA over time: what a report draws is what the score averages."""

import numpy as np
import pytest

from tests.scoring import naive
from tests.scoring.scenes import NOTHING, corrupted, frames
from v2x.scoring import gospa_series, score


@pytest.mark.parametrize("p", [1.0, 2.0])
def test_every_instant_equals_brute_force(p):
    parts = corrupted(3, n=4, instants=15)
    made = gospa_series(*frames(parts), 5.0, p)
    twin = [naive.gospa(x, y, 5.0, p) for _, x, _, y in parts]
    mine = np.stack([made.gospa, made.localisation, made.missed, made.false], axis=1)
    np.testing.assert_allclose(mine, twin, atol=1e-9)


def test_its_means_are_the_score():
    truth, tracks = frames(corrupted(4))
    made, whole = gospa_series(truth, tracks), score(truth, tracks)
    assert whole.gospa == made.gospa.mean()
    assert whole.gospa_localisation == made.localisation.mean()
    assert whole.gospa_missed == made.missed.mean()
    assert whole.gospa_false == made.false.mean()


def test_numbers_behind_the_parts_are_told():
    a, b = np.array([[0.0, 0.0], [50.0, 0.0]]), np.array([[3.0, 0.0]])
    made = gospa_series(
        *frames([([1, 2], a, [7], b), ([], NOTHING, [], NOTHING), ([], NOTHING, [7], b)])
    )
    assert made.objects.tolist() == [2, 0, 0]
    assert made.tracks.tolist() == [1, 0, 1]
    assert made.pairs.tolist() == [1, 0, 0]
    half = np.sqrt(12.5)
    np.testing.assert_allclose(made.gospa, [np.sqrt(9 + 12.5), 0.0, half])
    np.testing.assert_allclose(made.localisation, [3.0, 0.0, 0.0])
    np.testing.assert_allclose(made.missed, [half, 0.0, 0.0])
    np.testing.assert_allclose(made.false, [0.0, 0.0, half])


def test_no_instants_are_empty_arrays():
    made = gospa_series(*frames([]))
    assert [len(x) for x in vars(made).values()] == [0] * 7
