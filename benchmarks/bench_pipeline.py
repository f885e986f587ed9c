"""The whole pipeline from column frames: decode, reorder, fuse, zones, rules.

Reported are objects per core-second and p50/p99 per slice; the ``extra_info`` of pytest-benchmark
holds them. 30 sensors at 10 Hz look at 30,000 road users, and at 100 zones from below.
"""

import numpy as np
import pytest

from v2x.app import Pipeline
from v2x.config import config_from
from v2x.frames import Frame, Poll
from v2x.geodesy import Tile
from v2x.ingest.formats.columns import encode_columns

LAT, LON = 39.1244, 117.3460
T0 = 1_795_486_272_000_000_000
TILE = Tile(LAT, LON, 0.0)
SIDE_M = 4_000.0


def corner(i: int) -> tuple[float, float]:
    """South-west corner of sensor i's square, six by five of them."""
    return (i % 6 - 3) * SIDE_M, (i // 6 - 2.5) * SIDE_M


def settings(sensors: int, folder) -> dict:
    rows = []
    for i in range(sensors):
        e, n = corner(i)
        square = np.array(
            [[e, n, 0], [e + SIDE_M, n, 0], [e + SIDE_M, n + SIDE_M, 0], [e, n + SIDE_M, 0]]
        )
        lat, lon, _ = TILE.to_geodetic(square.astype(float))
        rows.append(
            {
                "name": f"rsu-{i:03d}",
                "format": "columns",
                "kind": "rsu",
                "sd_m": 0.5,
                "p_detect": 0.95,
                "clutter_density": 1e-7,
                "coverage": list(zip(lon.tolist(), lat.tolist(), strict=True)),
                "ceiling_m": 10.0,
                "period_s": 0.1,
                "reorder_wait_ms": 100.0,
            }
        )
    return {"site": {"name": "bench", "lat": LAT, "lon": LON}, "sensors": rows}


def frames(sensors: int, objects: int, seconds: float) -> list[Frame]:
    """Column frames of `objects` per sensor, 10 Hz, sensors spread over the tenth of a second."""
    rng = np.random.default_rng(0)
    place = rng.uniform(100, SIDE_M - 100, (sensors, objects, 2))
    speed = rng.normal(0, 8, (sensors, objects, 2))
    made: list[Frame] = []
    for k in range(round(seconds * 10)):
        for i in range(sensors):
            t_ns = T0 + k * 100_000_000 + i * 100_000_000 // sensors
            e, n = corner(i)
            seen = rng.random(objects) < 0.95
            now = place[i] + speed[i] * k / 10
            now = SIDE_M - np.abs(SIDE_M - np.abs(now))
            now = (now + rng.normal(0, 0.5, now.shape))[seen]
            enu = np.column_stack([now[:, 0] + e, now[:, 1] + n, np.zeros(len(now))])
            lat, lon, _ = TILE.to_geodetic(enu)
            columns = {
                "lat": lat,
                "lon": lon,
                "vel": np.column_stack([speed[i][seen], np.zeros(len(now))]),
                "vel_sd": np.full(len(now), 0.5),
                "kind": np.full(len(now), 4),
                "kind_conf": np.full(len(now), 0.8),
                "track_ref": np.flatnonzero(seen),
            }
            payload = encode_columns(t_ns, k, columns)
            made.append(
                Frame(t_ns + 30_000_000, f"rsu-{i:03d}", "columns", payload, ("b", 0), len(made))
            )
    return made


@pytest.mark.parametrize("objects", [100, 1000])
def test_whole_pipeline_from_column_frames(benchmark, objects, tmp_path):
    sensors, seconds = 30, 2.0 if benchmark.enabled else 0.5
    config = config_from(settings(sensors, tmp_path), "bench", tmp_path)
    data = frames(sensors, objects, seconds)
    polls = [Poll(data[i : i + 100]) for i in range(0, len(data), 100)]

    def run() -> Pipeline:
        pipeline = Pipeline(config, replay=True)
        for poll in polls:
            pipeline.feed(poll)
        pipeline.finish()
        return pipeline

    pipeline = benchmark.pedantic(run, warmup_rounds=1, rounds=3 if benchmark.enabled else 1)
    used = pipeline.counts.rows["used"]
    assert used == pipeline.counts.rows["decoded"] > 0
    assert 0.8 * sensors * objects < pipeline.tracks < 1.3 * sensors * objects
    if benchmark.enabled:
        slices = np.array(pipeline.slice_s) * 1e3
        p50, p99 = np.percentile(slices, (50, 99))
        benchmark.extra_info |= {
            "objects_per_core_s": round(used / benchmark.stats.stats.min),
            "slice_ms_p50": round(float(p50), 2),
            "slice_ms_p99": round(float(p99), 2),
        }
        print(f"\n{objects} per frame: {benchmark.extra_info}")
