"""Decode of maps of objects, from a poll of 500 payloads to Observations.

Against the plain twin of the tests, which makes a column frame of every map. JSON and msgpack, one
map a payload and fifty.
"""

import numpy as np
import pytest

from tests.ingest.naive_objects import column_frames
from v2x.frames import FrameBatch
from v2x.ingest.formats.columns import ColumnFrame
from v2x.ingest.formats.objects import Objects, encode_objects
from v2x.sensors import Sensor, SensorTable

T0 = 1_795_486_272_000_000_000
SENSORS = SensorTable.of([Sensor("radar", "objects", sd_m=3.0, sd_up_m=4.0)])


def payloads(frames: int, each: int, form: str) -> list[bytes]:
    rng = np.random.default_rng(0)
    made = []
    for seq in range(frames):
        cov = np.zeros((each, 6))
        cov[:, [0, 3, 5]] = rng.uniform(1, 9, (each, 3))
        look = {
            "lat": rng.uniform(39, 39.2, each),
            "lon": rng.uniform(117.2, 117.5, each),
            "height": rng.uniform(-5, 100, each),
            "vel": rng.normal(0, 10, (each, 3)),
            "cov": cov,
            "kind": rng.integers(0, 13, each),
            "kind_conf": np.full(each, 0.75),
            "track_ref": np.arange(each),
        }
        made.append(encode_objects(T0 + seq + np.arange(each), look, form=form))
    return made


def batch(name: str, frames: list[bytes]) -> FrameBatch:
    n = len(frames)
    return FrameBatch.of(name, frames, [0] * n, [T0 + 50_000_000] * n)


def ours(frames: list[bytes]):
    return Objects().decode(batch("objects", frames), SENSORS, None).observations


def naive(frames: list[bytes]):
    singles = [one for frame in frames for one in column_frames(frame, T0)]
    return ColumnFrame().decode(batch("columns", singles), SENSORS, None).observations


@pytest.mark.parametrize("form", ["json", "msgpack"])
def test_both_give_the_same_rows(form):
    frames = payloads(5, 7, form)
    one, two = ours(frames), naive(frames)
    for name, _, _, _ in one.schema():
        if name != "frame":
            assert np.array_equal(getattr(one, name), getattr(two, name), equal_nan=True), name


@pytest.mark.parametrize("each", [1, 50])
@pytest.mark.parametrize("form", ["json", "msgpack"])
@pytest.mark.parametrize("decoder", [ours, naive])
@pytest.mark.benchmark(group="decode objects")
def test_decode_objects(benchmark, decoder, form, each):
    frames = payloads(500 if benchmark.enabled else 4, each, form)
    benchmark(decoder, frames)
    if benchmark.enabled:
        rate = len(frames) * each / benchmark.stats.stats.min
        benchmark.extra_info["objects_per_s"] = round(rate)
