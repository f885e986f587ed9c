"""SAE J2735 BSM with its core data, vehicles of a junction; beside asn1tools on the same layout."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from v2x.cli.bench.wires import Peer, Wire, of_clone
from v2x.ingest.formats.j2735 import encode_j2735
from v2x.ingest.j2735_types import BSM, TYPES
from v2x.ingest.uper_plain import read as read_plain

_PUBLIC = bytes.fromhex(
    "001425004043030280ffdbfba868b3584ec40824646400320032000c888fc834e37fff0aaa960fa0"
)
"""A frame of a public test set; its vehicle is moved."""


def _cars(rng: np.random.Generator, n: int) -> list[bytes]:
    frame = read_plain("MessageFrame", _PUBLIC, TYPES)
    value: dict[str, Any] = read_plain("BasicSafetyMessage", frame["value"], TYPES)
    return [
        encode_j2735(
            BSM,
            value
            | {
                "coreData": value["coreData"]
                | {
                    "id": (k % 200 + 1).to_bytes(4, "big"), "msgCnt": k % 128,
                    "lat": 391_250_000 + int(rng.integers(10_000)), "long": 1_173_500_000 + k,
                    "secMark": 12_000 + k % 1_000, "speed": int(rng.integers(0, 1_500)),
                }
            },
        )
        for k in range(n)
    ]  # fmt: skip


def _asn1tools() -> Callable[[Sequence[bytes]], int]:
    import asn1tools

    schema: Any = asn1tools.compile_string(of_clone("naive_j2735").schema(), "uper")

    def read(payloads: Sequence[bytes]) -> int:
        found = 0
        for payload in payloads:
            frame = schema.decode("MessageFrame", payload)
            found += "coreData" in schema.decode("BasicSafetyMessage", frame["value"])
        return found

    return read


WIRES = (
    Wire(
        "j2735-bsm", "j2735", _cars, floor=5e5,
        peer=Peer("asn1tools", "asn1tools", _asn1tools),
    ),
)  # fmt: skip
