"""SAPIENT detection reports; beside the compiled protobuf runtime, which gives message objects."""

from collections.abc import Callable, Sequence
from importlib import import_module

import numpy as np

from v2x.cli.bench.wires import T_NS, Peer, Wire
from v2x.ingest.sapient_messages import encode_sapient


def _reports(rng: np.random.Generator, n: int) -> list[bytes]:
    return [
        encode_sapient(
            {
                "timestamp": {"seconds": T_NS // 1_000_000_000, "nanos": k},
                "node_id": "a8654cdf-4328-47de-81fa-c495589e30c9",
                "detection_report": {
                    "report_id": f"01HF{k:022d}",
                    "object_id": f"01HG{k % 50:022d}",
                    "location": {
                        "x": 117.35 + rng.random() / 100, "y": 39.125, "z": 52.5,
                        "x_error": 2e-5, "y_error": 2e-5, "z_error": 4.0,
                        "coordinate_system": 1, "datum": 1,
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


def _runtime() -> Callable[[Sequence[bytes]], int]:
    messages = import_module("sapient_msg.bsi_flex_335_v2_0.sapient_message_pb2")
    read_one = messages.SapientMessage.FromString

    def read(payloads: Sequence[bytes]) -> int:
        return sum(read_one(payload[4:]).HasField("detection_report") for payload in payloads)

    return read


WIRES = (
    Wire(
        "sapient-detection",
        "sapient",
        _reports,
        floor=5e5,
        peer=Peer("sapient-msg", "sapient-msg", _runtime),
    ),
)
