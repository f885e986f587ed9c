"""The seeded scenarios give the published bits."""

import numpy as np
import pytest

from replay.scenarios.fusion import FINGERPRINTS, NAMES, make


@pytest.mark.parametrize(("name", "size"), [k for k in FINGERPRINTS if k[1] <= 100])
def test_seed_0_has_the_published_fingerprint(name, size):
    assert make(name, size, 0).fingerprint() == FINGERPRINTS[name, size]


@pytest.mark.parametrize("name", ["nominal", "hard", "air3d", "stopgo"])
def test_a_thousand_objects_have_the_published_fingerprint(name):
    assert make(name, 1000, 0).fingerprint() == FINGERPRINTS[name, 1000]


def test_truth_stands_at_tenths_of_a_second_one_millisecond_after_a_scan():
    world = make("nominal", 10, 3)
    assert world.truth_s == [pytest.approx(k / 10) for k in range(1, 101)]
    assert [round(t * 1e9) - 1_000_000 for t in world.truth_s] == world.scan_ns[2::3]
    assert all(len(np.unique(i)) == 10 for i in world.truth_id)


@pytest.mark.parametrize("name", NAMES)
def test_the_origin_of_a_plot_is_the_object_it_lies_beside(name):
    world = make(name, 60, 2)
    # truth stands 1 ms after every third scan, which is made by the 2 m sensor
    for k, (who, place) in enumerate(zip(world.truth_id, world.truth, strict=True)):
        z, origin = world.plots[3 * k + 2], world.origin[3 * k + 2]
        seen = origin[origin >= 0]
        assert len(np.unique(seen)) == len(seen)
        assert set(seen.tolist()) <= set(who.tolist())
        at = {i: p for i, p in zip(who.tolist(), place, strict=True)}
        error = z[origin >= 0] - np.array([at[i] for i in seen.tolist()])
        assert np.abs(error).max() < 6.0 * 2.0
    share = sum((o >= 0).sum() for o in world.origin) / (60 * 300)
    assert share == pytest.approx(0.9, abs=0.01)
    false = np.array([(o < 0).sum() for o in world.origin])
    assert false.mean() == pytest.approx(world.clutter, rel=0.05)


def test_tuning_draws_from_another_stream():
    a, b, c = (make("lanes", 60, 0, stream=s, scans=9) for s in (0, 1, 1))
    assert a.fingerprint() != b.fingerprint() == c.fingerprint()


def test_an_unknown_scenario_is_refused():
    with pytest.raises(ValueError, match="nominal, hard"):
        make("easy")
