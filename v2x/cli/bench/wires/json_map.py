"""A vendor's JSON read by a mapping, twenty objects a payload; beside a parser that makes maps."""

import json

import numpy as np

from v2x.cli.bench.wires import T_NS, Peer, Wire
from v2x.cli.bench.wires.objects import orjson_parse
from v2x.mapping import JsonMapping

OBJECTS = 20
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


def _messages(rng: np.random.Generator, n: int) -> list[bytes]:
    made = []
    for k in range(n):
        listed = [
            {
                "t": T_NS + k, "id": i, "class": "ct"[i % 2], "v": rng.normal(0, 9, 2).tolist(),
                "pos": {"lat": 39 + rng.random() / 4, "lon": 117 + rng.random(), "h": 9.5},
            }
            for i in range(OBJECTS)
        ]  # fmt: skip
        made.append(json.dumps({"data": {"list": listed}}).encode())
    return made


WIRES = (
    Wire(
        "json-20", "json", _messages, unit="objects",
        sensor={"sd_m": 3.0, "sd_up_m": 4.0, "mapping": MAPPING.text()},
        peer=Peer("orjson, parse only", "orjson", orjson_parse),
    ),
)  # fmt: skip
