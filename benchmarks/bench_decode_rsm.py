"""RSM and BSM of a poll to Observations: ours, a generic table reader, and asn1tools.

pytest benchmarks/bench_decode_rsm.py --benchmark-enable --benchmark-only
"""

from pathlib import Path

import asn1tools
import numpy as np
import pytest

from tests.ingest import naive_j2735cn, naive_uper
from v2x.frames import FrameBatch
from v2x.ingest.decoded import Decoded
from v2x.ingest.formats.ydt3709 import FORMATS
from v2x.ingest.j2735cn_encode import Participant, Vehicle, encode_bsm, encode_rsm
from v2x.ingest.timestamps import parse_iso
from v2x.sensors import Sensor, SensorTable

FRAMES, OBJECTS = 500, 16
RECV = parse_iso("2026-03-01T08:00:12.5Z")
SENSORS = SensorTable.of([Sensor("roadside", sd_m=0.3, sd_up_m=0.5)])
SCHEMA = asn1tools.compile_string(
    (Path(__file__).parents[1] / "tests/ingest/dsrc_subset.asn").read_text(), "uper"
)


def participant(rng: np.random.Generator, number: int) -> Participant:
    """An object as camera and radar units send them: all but temporary id and acceleration."""
    return Participant(
        number, 39.124 + rng.normal() * 1e-3, 117.346 + rng.normal() * 1e-3, -5.0 + rng.normal(),
        int(rng.integers(1, 4)), int(rng.integers(3, 7)), 12_000 + int(rng.integers(500)),
        int(rng.integers(16)), int(rng.integers(16)), rng.uniform(0, 30), rng.uniform(0, 359),
        5, 4, transmission=2, width=1.8, length=rng.uniform(3, 12), height=1.6,
        vehicle_class=int(rng.integers(10, 60)),
    )  # fmt: skip


def rsm_frames() -> list[bytes]:
    rng = np.random.default_rng(1)
    return [
        encode_rsm(
            b"DL000001", 39.124, 117.346, -5.0,
            [participant(rng, 1 + (i * OBJECTS + k) % 65_535) for k in range(OBJECTS)], i % 128,
        )
        for i in range(FRAMES)
    ]  # fmt: skip


def bsm_frames() -> list[bytes]:
    rng = np.random.default_rng(2)
    return [
        encode_bsm(
            Vehicle(
                int(i + 1).to_bytes(8, "big"), 39.1 + rng.normal() * 1e-2, 117.3, -4.0, 12_000,
                1.0, 0.5, 30.0, 9, 8, 2, rng.uniform(0, 30), rng.uniform(0, 359), 5, 4, 0.3, 1,
                width=1.8, length=4.6, vehicle_class=10, events=0,
            ),
            i % 128,
        )
        for i in range(FRAMES)
    ]  # fmt: skip


FRAMES_OF = {"rsm": rsm_frames(), "bsm": bsm_frames()}


def ours(kind: str) -> tuple[FrameBatch, object]:
    frames = FRAMES_OF[kind]
    n = len(frames)
    return FrameBatch.of("ydt3709", frames, [0] * n, [RECV] * n), FORMATS[0].new_state()


def naive(frames: list[bytes]) -> list[object]:
    return [naive_uper.read(frame) for frame in frames]


def asn1(frames: list[bytes]) -> list[object]:
    return [SCHEMA.decode("MessageFrame", frame) for frame in frames]


@pytest.fixture(scope="module", params=["rsm", "bsm"])
def kind(request: pytest.FixtureRequest) -> str:
    """All three read the same before anything is timed."""
    frames = FRAMES_OF[request.param]
    values = naive(frames[:50])
    assert values == asn1(frames[:50])
    batch, state = ours(request.param)
    made: Decoded = FORMATS[0].decode(batch, SENSORS, state)
    assert not made.rejects.any()
    twin = naive_j2735cn.rsm if request.param == "rsm" else naive_j2735cn.bsm
    rows = [row for _, value in values for row in twin(value, RECV, 0.3, 0.5)[0]]
    for name in ("lat", "lon", "height", "cov", "vel", "t_ns", "kind"):
        np.testing.assert_allclose(
            getattr(made.observations, name)[: len(rows)], [row[name] for row in rows], atol=1e-9
        )
    return str(request.param)


def test_ours(benchmark, kind):
    batch, state = ours(kind)
    made = benchmark(FORMATS[0].decode, batch, SENSORS, state)
    benchmark.extra_info["objects"] = len(made.observations)


def test_naive(benchmark, kind):
    benchmark.pedantic(naive, (FRAMES_OF[kind],), rounds=3)


def test_asn1tools(benchmark, kind):
    benchmark.pedantic(asn1, (FRAMES_OF[kind],), rounds=3)
