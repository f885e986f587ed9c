"""Column frames of 100 objects; beside the same objects as msgpack maps, one an object."""

from collections.abc import Callable, Sequence

import numpy as np

from v2x.cli.bench.wires import T_NS, Peer, Wire
from v2x.ingest.formats.columns import encode_columns

OBJECTS = 100
FIELDS = ("lat", "lon", "height", "vel", "cov", "kind", "kind_conf", "track_ref")


def look(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Columns of one look."""
    cov = np.zeros((OBJECTS, 6))
    cov[:, [0, 3, 5]] = rng.uniform(1, 9, (OBJECTS, 3))
    return {
        "lat": rng.uniform(39, 39.2, OBJECTS),
        "lon": rng.uniform(117.2, 117.5, OBJECTS),
        "height": rng.uniform(-5, 100, OBJECTS),
        "vel": rng.normal(0, 10, (OBJECTS, 3)),
        "cov": cov,
        "kind": rng.integers(0, 13, OBJECTS),
        "kind_conf": np.full(OBJECTS, 0.75),
        "track_ref": np.arange(OBJECTS),
    }


def _frames(rng: np.random.Generator, n: int) -> list[bytes]:
    return [encode_columns(T_NS + k, k, look(rng)) for k in range(n)]


def _maps() -> Callable[[Sequence[bytes]], int]:
    """What most systems send: read into arrays, which is where columns come in for nothing."""
    import msgpack

    from v2x.frames import FrameBatch
    from v2x.ingest.formats import format_named
    from v2x.sensors import Sensor, SensorTable

    packed: dict[int, list[bytes]] = {}

    def as_maps(payloads: Sequence[bytes]) -> list[bytes]:
        n = len(payloads)
        batch = FrameBatch.of("columns", payloads, [0] * n, [T_NS] * n)
        rows = format_named("columns").decode(batch, SensorTable.of([Sensor("s")]), None)
        columns = {name: getattr(rows.observations, name).tolist() for name in ("t_ns", *FIELDS)}
        objects = [
            dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)
        ]
        ends = np.cumsum(np.bincount(rows.observations.frame, minlength=n)).tolist()
        return [msgpack.packb(objects[a:b]) for a, b in zip([0, *ends[:-1]], ends, strict=True)]

    def read(payloads: Sequence[bytes]) -> int:
        key = id(payloads)
        if key not in packed:
            packed[key] = as_maps(payloads)
        rows = [row for payload in packed[key] for row in msgpack.unpackb(payload)]
        return len({name: np.array([row[name] for row in rows]) for name in FIELDS}["lat"])

    return read


WIRES = (
    Wire(
        "columns-100", "columns", _frames, unit="objects", floor=3e6,
        peer=Peer("msgpack maps", "msgpack", _maps), sensor={"sd_m": 3.0, "sd_up_m": 4.0},
    ),
)  # fmt: skip
