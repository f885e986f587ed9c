"""SAPIENT decoding: a poll of detection reports to columns, beside the protobuf runtime.

The runtime, compiled C, gives message objects; ours is plain Python and gives rows.
"""

import pytest

from v2x.frames import FrameBatch
from v2x.ingest.formats import format_named
from v2x.ingest.sapient_messages import encode_sapient
from v2x.ingest.timestamps import SECOND, parse_iso
from v2x.sensors import Sensor, SensorTable

T = parse_iso("2026-11-24T02:11:12Z")
TABLE = SensorTable.of([Sensor("node")])
FRAMES = 500


def reports(n: int) -> list[bytes]:
    return [
        encode_sapient(
            {
                "timestamp": {"seconds": T // SECOND, "nanos": k},
                "node_id": "a8654cdf-4328-47de-81fa-c495589e30c9",
                "detection_report": {
                    "report_id": f"01HF{k:022d}",
                    "object_id": f"01HG{k % 50:022d}",
                    "location": {
                        "x": 117.35 + k * 1e-6, "y": 39.125, "z": 52.5, "x_error": 2e-5,
                        "y_error": 2e-5, "z_error": 4.0, "coordinate_system": 1, "datum": 1,
                    },
                    "detection_confidence": 0.875,
                    "classification": [
                        {"type": "Air vehicle", "confidence": 0.875,
                         "sub_class": [{"type": "UAV rotary wing", "level": 1}]}
                    ],
                    "enu_velocity": {"east_rate": 5.0, "north_rate": -3.0, "up_rate": 0.5},
                },
            }
        )
        for k in range(n)
    ]  # fmt: skip


def test_ours(benchmark):
    benchmark.group = f"sapient, {FRAMES} detection reports"
    payloads, recv = reports(FRAMES), [T] * FRAMES
    decoder = format_named("sapient")
    state = decoder.new_state()

    def poll():
        return decoder.decode(FrameBatch.of("sapient", payloads, [0] * FRAMES, recv), TABLE, state)

    made = poll().observations
    assert len(made) == FRAMES
    assert made.lon[7] == 117.35 + 7e-6
    benchmark(poll)
    benchmark.extra_info["frames"] = FRAMES


def test_runtime(benchmark):
    messages = pytest.importorskip("sapient_msg.bsi_flex_335_v2_0.sapient_message_pb2")
    benchmark.group = f"sapient, {FRAMES} detection reports"
    payloads = [payload[4:] for payload in reports(FRAMES)]
    read = messages.SapientMessage.FromString
    assert read(payloads[7]).detection_report.location.x == 117.35 + 7e-6
    benchmark(lambda: [read(payload) for payload in payloads])
    benchmark.extra_info["frames"] = FRAMES
