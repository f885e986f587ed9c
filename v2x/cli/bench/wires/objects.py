"""Objects as maps, JSON and msgpack, fifty a payload; beside parsers that only make the maps."""

from collections.abc import Callable, Sequence

import numpy as np

from v2x.cli.bench.wires import T_NS, Peer, Wire
from v2x.ingest.formats.objects import encode_objects

OBJECTS = 50


def _look(rng: np.random.Generator) -> dict[str, np.ndarray]:
    return {
        "lat": rng.uniform(39, 39.2, OBJECTS),
        "lon": rng.uniform(117.2, 117.5, OBJECTS),
        "height": rng.uniform(-5, 100, OBJECTS),
        "vel": rng.normal(0, 10, (OBJECTS, 3)),
        "kind": rng.integers(0, 13, OBJECTS),
        "kind_conf": np.full(OBJECTS, 0.75),
        "track_ref": np.arange(OBJECTS),
    }


def _as_json(rng: np.random.Generator, n: int) -> list[bytes]:
    return [encode_objects([T_NS + k] * OBJECTS, _look(rng), form="json") for k in range(n)]


def _as_msgpack(rng: np.random.Generator, n: int) -> list[bytes]:
    return [encode_objects([T_NS + k] * OBJECTS, _look(rng)) for k in range(n)]


def orjson_parse() -> Callable[[Sequence[bytes]], int]:
    """Parse and nothing else: no rows, no checks."""
    from orjson import loads

    return lambda payloads: sum(loads(payload) is not None for payload in payloads)


def _msgpack_parse() -> Callable[[Sequence[bytes]], int]:
    from msgpack import unpackb

    return lambda payloads: sum(len(unpackb(payload)) for payload in payloads)


SENSOR = {"sd_m": 3.0, "sd_up_m": 4.0}

WIRES = (
    Wire(
        "objects-json-50", "objects", _as_json, unit="objects", sensor=SENSOR,
        peer=Peer("orjson, parse only", "orjson", orjson_parse),
    ),
    Wire(
        "objects-msgpack-50", "objects", _as_msgpack, unit="objects", sensor=SENSOR,
        peer=Peer("msgpack, parse only", "msgpack", _msgpack_parse),
    ),
)  # fmt: skip
