"""The seeded scenarios give the published bits."""

import numpy as np
import pytest

from replay.scenarios.fusion import FINGERPRINTS, make


@pytest.mark.parametrize(("name", "size"), [k for k in FINGERPRINTS if k[1] <= 100])
def test_seed_0_has_the_published_fingerprint(name, size):
    assert make(name, size, 0).fingerprint() == FINGERPRINTS[name, size]


@pytest.mark.parametrize("name", ["nominal", "hard", "air3d"])
def test_a_thousand_objects_have_the_published_fingerprint(name):
    assert make(name, 1000, 0).fingerprint() == FINGERPRINTS[name, 1000]


def test_truth_stands_at_tenths_of_a_second_one_millisecond_after_a_scan():
    world = make("nominal", 10, 3)
    assert world.truth_s == [pytest.approx(k / 10) for k in range(1, 101)]
    assert [round(t * 1e9) - 1_000_000 for t in world.truth_s] == world.scan_ns[2::3]
    assert all(len(np.unique(i)) == 10 for i in world.truth_id)


def test_tuning_draws_from_another_stream():
    a, b, c = (make("lanes", 60, 0, stream=s, scans=9) for s in (0, 1, 1))
    assert a.fingerprint() != b.fingerprint() == c.fingerprint()


def test_an_unknown_scenario_is_refused():
    with pytest.raises(ValueError, match="nominal, hard"):
        make("easy")
