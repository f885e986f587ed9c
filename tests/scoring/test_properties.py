"""What must hold of every scene: bounds, symmetry, names and order that do not matter."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.scoring.scenes import corrupted, frames
from v2x.scoring import score

SIDELESS = ("gospa", "gospa_localisation", "ospa2", "idf1", "hota", "det_a", "ass_a", "frames")
"""Metrics that do not tell the truth from the tracks."""

scenes = st.builds(
    corrupted,
    st.integers(0, 2**32),
    n=st.integers(2, 6),
    instants=st.integers(1, 15),
    dim=st.sampled_from([2, 3]),
)
cutoffs = st.sampled_from([0.5, 2.0, 5.0, 40.0])


def same(a, b):
    """Scores alike but for the order of sums."""
    assert a == pytest.approx(b, abs=1e-9, nan_ok=True)


@given(scenes, cutoffs)
def test_every_score_lies_in_its_bounds(parts, c):
    made = score(*frames(parts), c)
    assert made.gospa >= 0.0
    assert 0.0 <= made.ospa2 <= c * (1 + 1e-12)
    assert np.isnan(made.motp) or 0.0 <= made.motp < c
    for share in (made.idf1, made.hota, made.det_a, made.ass_a):
        assert np.isnan(share) or 0.0 <= share <= 1.0 + 1e-12
    assert np.isnan(made.mota) or made.mota <= 1.0
    split = (made.gospa_localisation, made.gospa_missed, made.gospa_false)
    assert max(split) <= made.gospa + 1e-9
    assert made.gospa <= sum(split) + 1e-9


@given(scenes, cutoffs)
def test_the_truth_scores_perfectly_against_itself(parts, c):
    made = score(*(frames(parts)[0],) * 2, c)
    assert (made.gospa, made.ospa2, made.id_switches) == (0.0, 0.0, 0)
    if any(len(p[0]) for p in parts):
        same([made.idf1, made.hota, made.det_a, made.ass_a, made.mota], [1.0] * 5)


@given(scenes, cutoffs)
def test_sides_may_be_exchanged(parts, c):
    truth, tracks = frames(parts)
    one, other = score(truth, tracks, c).as_dict(), score(tracks, truth, c).as_dict()
    for key in SIDELESS:
        same(one[key], other[key])
    same(one["gospa_missed"], other["gospa_false"])
    same(one["gospa_false"], other["gospa_missed"])


@given(scenes, st.randoms(use_true_random=False))
def test_names_of_tracks_and_order_of_rows_do_not_matter(parts, random):
    names = sorted({t for p in parts for t in p[2]})
    fresh = dict(zip(names, random.sample(range(10_000), len(names)), strict=True))
    shuffled = []
    for ids, x, tracks, y in parts:
        p, q = (random.sample(range(len(s)), len(s)) for s in (ids, tracks))
        shuffled.append(
            ([ids[i] for i in p], x[p].reshape(x.shape), [fresh[tracks[i]] for i in q],
             y[q].reshape(y.shape))
        )  # fmt: skip
    same(score(*frames(shuffled)).as_dict(), score(*frames(parts)).as_dict())


@given(scenes)
def test_a_track_far_from_everything_is_false_and_nothing_else(parts):
    far = [
        (i, x, [*t, -1], np.concatenate([y, np.full((1, x.shape[1]), 1e4)])) for i, x, t, y in parts
    ]
    good, bad = score(*frames(parts)), score(*frames(far))
    assert bad.gospa > good.gospa
    assert bad.gospa_false > good.gospa_false
    assert bad.gospa_missed == good.gospa_missed
    assert bad.det_a <= good.det_a or np.isnan(good.det_a)
    assert bad.ass_a == pytest.approx(good.ass_a, nan_ok=True) or np.isnan(good.ass_a)
