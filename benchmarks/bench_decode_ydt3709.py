"""Roadside messages of a poll to columns: ours, a generic table reader, and asn1tools.

pytest benchmarks/bench_decode_ydt3709.py --benchmark-enable --benchmark-only
"""

import copy
from math import isnan

import numpy as np
import pytest

from tests.ingest import naive_uper, roadside
from tests.ingest.test_ydt3709 import twin
from v2x.frames import FrameBatch
from v2x.ingest.decoded import Decoded, Reject
from v2x.ingest.formats.ydt3709 import FORMATS
from v2x.ingest.j2735cn_encode import Participant, Vehicle, encode_bsm, encode_rsm
from v2x.ingest.j2735cn_plain import read_message, write_message
from v2x.ingest.timestamps import parse_iso
from v2x.sensors import Sensor, SensorTable

FRAMES, OBJECTS = 500, 16
RECV = parse_iso("2026-11-24T02:00:31Z")
SENSORS = SensorTable.of([Sensor("roadside", sd_m=0.3, sd_up_m=0.5)])
KINDS = ["rsm", "bsm", "rsi", "spat", "map", "ssm"]


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


def ssm_frames() -> list[bytes]:
    """RSM's objects, each with what it was detected as, in messages of 64."""
    objects = [
        one for frame in rsm_frames()[:64] for one in read_message(frame).value["participants"]
    ]
    value = read_message(roadside.SSM).value
    value["participants"] = [
        {"ptc": one, "detectedPTCType": 3 + i % 8, "typeConfidence": 180, "tracking": i + 1}
        for i, one in enumerate(objects)
    ]
    return [
        write_message(
            "SensorSharingMsg",
            value | {"msgCnt": i % 128, "participants": value["participants"][i % 16 * 64 :][:64]},
        )
        for i in range(FRAMES)
    ]


def repeated(frame: bytes) -> list[bytes]:
    """A vector of the tables, 500 times with its counter counting."""
    kind, value, edition = read_message(frame)
    return [write_message(kind, value | {"msgCnt": i % 128}, edition) for i in range(FRAMES)]


def map_frames() -> list[bytes]:
    """A junction of four arms of three lanes of three points."""
    value = copy.deepcopy(read_message(roadside.MAP).value)
    node = value["nodes"][0]
    link = node["inLinks"][0]
    lane = link["lanes"][0] | {"points": link["points"] + link["points"][:1]}
    link["lanes"] = [lane | {"laneID": i + 1} for i in range(3)]
    node["inLinks"] = [link] * 4
    return [write_message("mapFrame", value | {"msgCnt": i % 128}) for i in range(FRAMES)]


def frames_of(kind: str) -> list[bytes]:
    if kind in ("rsi", "spat"):
        return repeated({"rsi": roadside.RSI, "spat": roadside.SPAT}[kind])
    return {"rsm": rsm_frames, "bsm": bsm_frames, "map": map_frames, "ssm": ssm_frames}[kind]()


def ours(frames: list[bytes]) -> tuple[FrameBatch, object]:
    n = len(frames)
    return FrameBatch.of("ydt3709", frames, [0] * n, [RECV] * n), FORMATS[0].new_state()


def naive(frames: list[bytes]) -> list[object]:
    return [naive_uper.read(frame) for frame in frames]


def asn1(frames: list[bytes]) -> list[object]:
    spec = roadside.schema("day2" if frames[0][0] >= 0x80 else "2019")
    made: list[object] = []
    for frame in frames:
        kind, value = spec.decode("MessageFrame", frame)
        if kind == "msgFrameExt":
            kind, value = "ssmFrame", spec.decode("SensorSharingMsg", value["value"])
        made.append((kind, value))
    return made


@pytest.fixture(scope="module", params=KINDS)
def frames(request: pytest.FixtureRequest) -> list[bytes]:
    """All three read the same before anything is timed."""
    frames = frames_of(request.param)
    values = naive(frames[:20])
    assert values == asn1(frames[:20])
    batch, state = ours(frames)
    made: Decoded = FORMATS[0].decode(batch, SENSORS, state)
    assert set(made.rejects.tolist()) <= {Reject.OK, Reject.NOTHING_TO_OBSERVE}
    outcomes = [twin(kind, value, RECV, True, 0.3, 0.5) for kind, value in values]
    rows = [row for rows, _ in outcomes for row in rows]
    for name in ("lat", "lon", "height", "cov", "vel", "t_ns", "kind") if rows else ():
        np.testing.assert_allclose(
            getattr(made.observations, name)[: len(rows)], [row[name] for row in rows], atol=1e-9
        )
    told = [value for _, readings in outcomes for _, value in readings]
    for got, want in zip(made.readings.value.tolist(), told, strict=False):
        assert want is None or got == pytest.approx(want) or isnan(want)
    return frames


def test_ours(benchmark, frames):
    batch, state = ours(frames)
    made = benchmark(FORMATS[0].decode, batch, SENSORS, state)
    benchmark.extra_info["objects"] = len(made.observations)


def test_naive(benchmark, frames):
    benchmark.pedantic(naive, (frames,), rounds=3)


def test_asn1tools(benchmark, frames):
    benchmark.pedantic(asn1, (frames,), rounds=3)
