"""Decode of column frames, 100 objects each, from a poll's payloads to Observations.

Against the same objects as msgpack maps, one a row, brought into arrays: the form that most systems
send; and against the plain twin of the tests.
"""

import msgpack
import numpy as np
import pytest

from tests.ingest.naive_columns import rows as naive_rows
from v2x.frames import FrameBatch
from v2x.ingest.formats.columns import ColumnFrame, encode_columns
from v2x.sensors import Sensor, SensorTable

T0 = 1_795_486_272_000_000_000
OBJECTS = 100
SENSORS = SensorTable.of([Sensor("radar", "columns", sd_m=3.0, sd_up_m=4.0)])
FIELDS = ("lat", "lon", "height", "vel", "cov", "kind", "kind_conf", "track_ref")


def looks(frames: int) -> list[dict[str, np.ndarray]]:
    rng = np.random.default_rng(0)
    made = []
    for _ in range(frames):
        cov = np.zeros((OBJECTS, 6))
        cov[:, [0, 3, 5]] = rng.uniform(1, 9, (OBJECTS, 3))
        made.append(
            {
                "lat": rng.uniform(39, 39.2, OBJECTS),
                "lon": rng.uniform(117.2, 117.5, OBJECTS),
                "height": rng.uniform(-5, 100, OBJECTS),
                "vel": rng.normal(0, 10, (OBJECTS, 3)),
                "cov": cov,
                "kind": rng.integers(0, 13, OBJECTS),
                "kind_conf": np.full(OBJECTS, 0.75),
                "track_ref": np.arange(OBJECTS),
            }
        )
    return made


def as_maps(look: dict[str, np.ndarray], seq: int) -> bytes:
    return msgpack.packb(
        [
            {"t_ns": T0 + seq, **{name: look[name][i].tolist() for name in FIELDS}}
            for i in range(OBJECTS)
        ]
    )


def from_maps(payloads: list[bytes]) -> dict[str, np.ndarray]:
    rows = [row for payload in payloads for row in msgpack.unpackb(payload)]
    return {name: np.array([row[name] for row in rows]) for name in ("t_ns", *FIELDS)}


def ours(payloads: list[bytes]):
    n = len(payloads)
    batch = FrameBatch.of("columns", payloads, [0] * n, [T0 + 50_000_000] * n)
    return ColumnFrame().decode(batch, SENSORS, None).observations


def test_all_forms_hold_the_same_objects():
    made = looks(3)
    payloads = [encode_columns(T0 + i, i, look) for i, look in enumerate(made)]
    rows = ours(payloads)
    maps = from_maps([as_maps(look, i) for i, look in enumerate(made)])
    naive = [row for payload in payloads for row in naive_rows(payload)]
    for name in ("t_ns", *FIELDS):
        got = getattr(rows, name)
        assert np.allclose(got, maps[name], rtol=1e-6), name
        assert np.array_equal(got, np.array([row[name] for row in naive], got.dtype)), name


@pytest.mark.parametrize("frames", [16, 500])
@pytest.mark.parametrize("form", ["columns", "maps", "naive"])
@pytest.mark.benchmark(group="decode columns")
def test_decode_columns(benchmark, form, frames):
    made = looks(frames if benchmark.enabled else 4)
    if form == "maps":
        payloads = [as_maps(look, i) for i, look in enumerate(made)]
        benchmark(from_maps, payloads)
    else:
        payloads = [encode_columns(T0 + i, i, look) for i, look in enumerate(made)]
        if form == "naive":
            benchmark(lambda: [naive_rows(payload) for payload in payloads])
        else:
            benchmark(ours, payloads)
    if benchmark.enabled:
        rate = len(made) * OBJECTS / benchmark.stats.stats.min
        benchmark.extra_info["objects_per_s"] = round(rate)
