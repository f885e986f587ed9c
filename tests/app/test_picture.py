"""What the picture says of the sensors themselves."""

from itertools import pairwise

import numpy as np
import pytest

from v2x.app import Pipeline
from v2x.config import config_from
from v2x.frames import Frame, Poll
from v2x.ingest.formats.columns import encode_columns

T = 1_795_486_272_000_000_000
S = 1_000_000_000
RADARS = [f"radar-{k}" for k in range(4)]
OFF_M = 1.5
"""How far north of the truth the third radar sees everything."""


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Pictures of 40 s of twelve cars before four radars."""
    sensor = {"format": "columns", "kind": "radar", "sd_m": 0.5, "period_s": 0.1}
    tree = {
        "site": {"lat": 39.1244, "lon": 117.3460},
        "sensors": [{"name": name, **sensor} for name in RADARS],
    }
    config = config_from(tree, "test", tmp_path_factory.mktemp("site"))
    made = []
    pipeline = Pipeline(config, watch=made.append)
    rng = np.random.default_rng(3)
    start, course = rng.uniform(-400, 400, (12, 2)), rng.uniform(0, 2 * np.pi, 12)
    velocity = 12.0 * np.stack([np.sin(course), np.cos(course)], axis=1)
    for k in range(400):
        frames = []
        for s, name in enumerate(RADARS):
            t_ns = T + k * S // 10 + s * S // 40
            z = start + velocity * ((t_ns - T) / S) + rng.normal(0.0, 0.5, (12, 2))
            z[:, 1] += OFF_M * (s == 2)
            lat, lon, _ = pipeline.tile.to_geodetic(np.column_stack([z, np.zeros(12)]))
            payload = encode_columns(t_ns, k, {"lat": lat, "lon": lon})
            frames.append(Frame(t_ns + S // 100, name, "columns", payload, (name, 0), k))
        pipeline.feed(Poll(frames))
    pipeline.finish()
    return made


def test_a_radar_that_is_off_is_named_by_the_facts_of_the_picture(pictures):
    facts = pictures[-1].facts
    assert len(facts) == len(RADARS)
    assert facts.offset[2, 1] == pytest.approx(OFF_M, rel=0.2)
    others = [0, 1, 3]
    assert np.all(np.abs(facts.offset[others, 1]) < 3.0 * facts.offset_sd[others, 1])
    assert facts.agreement[2] < 0.5 < facts.agreement[others].min()
    np.testing.assert_allclose(facts.p_detect[others], 1.0, atol=0.05)
    assert 0.85 < facts.p_detect[2] < 1.0  # some of what it sees lies beyond the gate


def test_plots_of_a_closed_second_stand_against_the_paths_of_the_others(pictures):
    told = [p.cross for p in pictures if len(p.cross)]
    assert len(told) > 20
    north = [c.residual[c.sensor == 2, 1] for c in told]
    assert np.median(np.concatenate(north)) == pytest.approx(OFF_M, rel=0.2)
    known = {int(i) for p in pictures for i in p.tracks.id}
    assert all(set(c.track.tolist()) <= known | {-1} for c in told)


def test_every_slice_has_its_own_residuals_and_looks(pictures):
    for before, now in pairwise(pictures):
        for rows in (now.residuals, now.looks):
            assert np.all((rows.t_ns > before.t_ns) & (rows.t_ns <= now.t_ns))
    assert sum(len(p.looks) for p in pictures) == 400 * len(RADARS)
