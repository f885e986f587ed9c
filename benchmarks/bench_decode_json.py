"""Decode of JSON by a mapping, from a poll of 500 payloads to Observations.

Against the same objects as `objects`, whose names need no mapping.
"""

import json

import numpy as np
import pytest

from v2x.frames import FrameBatch
from v2x.ingest.formats.json_map import JsonMessages
from v2x.ingest.formats.objects import Objects
from v2x.mapping import JsonMapping
from v2x.sensors import Sensor, SensorTable

T0 = 1_795_486_272_000_000_000
EACH = 20
MAPPING = JsonMapping.model_validate(
    {
        "objects": "data.list",
        "height_reference": "hae",
        "fields": {
            "lat": "pos.lat",
            "lon": "pos.lon",
            "t": {"path": "t", "unit": "ns"},
            "height": {"path": "pos.h", "unit": "m"},
            "vel_east": {"path": "v.0", "unit": "m/s"},
            "vel_north": {"path": "v.1", "unit": "m/s"},
            "track_ref": "id",
            "kind": {"path": "class", "values": {"c": "car", "t": "truck"}},
        },
    }
)
SENSORS = SensorTable.of([Sensor("radar", "json", sd_m=3.0, sd_up_m=4.0, mapping=MAPPING.text())])


def payloads(frames: int) -> tuple[list[bytes], list[bytes]]:
    """The same objects as a vendor would send them, and as maps of our own."""
    rng = np.random.default_rng(0)
    theirs, own = [], []
    for seq in range(frames):
        foreign, maps = [], []
        for i in range(EACH):
            lat, lon, h, e, n = rng.uniform(39, 39.2), rng.uniform(117, 118), *rng.normal(9, 3, 3)
            t, kind = T0 + seq, "ct"[i % 2]
            foreign.append(
                {"t": t, "id": i, "pos": {"lat": lat, "lon": lon, "h": h}, "v": [e, n],
                 "class": kind}
            )  # fmt: skip
            maps.append(
                {"t_ns": t, "track_ref": i, "lat": lat, "lon": lon, "height": h,
                 "vel": [e, n, None], "kind": {"c": "car", "t": "truck"}[kind]}
            )  # fmt: skip
        theirs.append(json.dumps({"data": {"list": foreign}}).encode())
        own.append(json.dumps(maps).encode())
    return theirs, own


def decode(decoder, frames: list[bytes]):
    n = len(frames)
    batch = FrameBatch.of(decoder.name, frames, [0] * n, [T0 + 50_000_000] * n)
    return decoder.decode(batch, SENSORS, decoder.new_state()).observations


def test_both_give_the_same_rows():
    theirs, own = payloads(3)
    one, two = decode(JsonMessages(), theirs), decode(Objects(), own)
    for name, _, _, _ in one.schema():
        assert np.array_equal(getattr(one, name), getattr(two, name), equal_nan=True), name


@pytest.mark.parametrize("decoder", [JsonMessages(), Objects()], ids=["json", "objects"])
@pytest.mark.benchmark(group="decode json")
def test_decode_json(benchmark, decoder):
    theirs, own = payloads(500 if benchmark.enabled else 4)
    frames = theirs if decoder.name == "json" else own
    benchmark(decode, decoder, frames)
    if benchmark.enabled:
        benchmark.extra_info["objects_per_s"] = round(
            len(frames) * EACH / benchmark.stats.stats.min
        )
