"""YD/T 3709 UPER: RSM and SSM of 16 objects, BSM, RSI, SPAT, MAP; beside asn1tools, same schema."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from v2x.cli.bench.wires import T_NS, Peer, Wire, clone_file
from v2x.ingest.j2735cn_encode import Participant, Vehicle, encode_bsm, encode_rsm
from v2x.ingest.j2735cn_plain import read_message, write_message

OBJECTS = 16
_SEC_MARK = T_NS // 1_000_000 % 60_000


def _participant(rng: np.random.Generator, number: int) -> Participant:
    """An object as camera and radar units send them: all but temporary id and acceleration."""
    return Participant(
        number, 39.124 + rng.normal() * 1e-3, 117.346 + rng.normal() * 1e-3, -5.0 + rng.normal(),
        int(rng.integers(1, 4)), int(rng.integers(3, 7)), _SEC_MARK, int(rng.integers(16)),
        int(rng.integers(16)), rng.uniform(0, 30), rng.uniform(0, 359), 5, 4, transmission=2,
        width=1.8, length=rng.uniform(3, 12), height=1.6, vehicle_class=int(rng.integers(10, 60)),
    )  # fmt: skip


def _rsm(rng: np.random.Generator, n: int) -> list[bytes]:
    return [
        encode_rsm(
            b"DL000001", 39.124, 117.346, -5.0,
            [_participant(rng, 1 + (i * OBJECTS + k) % 65_535) for k in range(OBJECTS)], i % 128,
        )
        for i in range(n)
    ]  # fmt: skip


def _bsm(rng: np.random.Generator, n: int) -> list[bytes]:
    return [
        encode_bsm(
            Vehicle(
                int(i + 1).to_bytes(8, "big"), 39.1 + rng.normal() * 1e-2, 117.3, -4.0, _SEC_MARK,
                1.0, 0.5, 30.0, 9, 8, 2, rng.uniform(0, 30), rng.uniform(0, 359), 5, 4, 0.3, 1,
                width=1.8, length=4.6, vehicle_class=10, events=0,
            ),
            i % 128,
        )
        for i in range(n)
    ]  # fmt: skip


def _ssm(rng: np.random.Generator, n: int) -> list[bytes]:
    _, value, edition = read_message(_SSM)
    made = []
    for k, frame in enumerate(_rsm(rng, n)):
        seen = read_message(frame).value
        made.append(
            write_message(
                "SensorSharingMsg",
                {name: value[name] for name in value if name != "obstacles"}
                | {
                    "msgCnt": k % 128,
                    "sensorPos": seen["refPos"],
                    "participants": [{"ptc": one} for one in seen["participants"]],
                },
                edition,
            )
        )
    return made


_RSI = bytes.fromhex(
    "4602e5fb0889860606060606399ed84816276cc3e1f9c1da060322a1064f8800c90262ebe47be777d0009c07d103"
    "e81bf830fc180011da00"
)
_SPAT = bytes.fromhex("3612e5fb0ee4800803701fe82000008a636000000f000f000f004b002589c0003c004b00")
_MAP = bytes.fromhex(
    "141397ec00600dc07fa99ed84816276cc3e01e00dc07f80af0036c782753003ce44b03006e03fe0102c0102bd800"
    "1c01b80ffa03000020"
)
"""One event, one junction's lights, one junction: encoded independently."""
_SSM = bytes.fromhex(
    "802c000c29104444c30303030303129c4199ed84816276cc3e1f9c0200996000c34dee184b1e704800384000701c"
)
"""What a unit shares of T/CSAE 157; the participants of an RSM are put into it."""


def _counted(frame: bytes) -> Callable[[np.random.Generator, int], list[bytes]]:
    """The same message again and again, its counter running from a random number on."""

    def make(rng: np.random.Generator, n: int) -> list[bytes]:
        kind, value, edition = read_message(frame)
        start = int(rng.integers(128))
        return [
            write_message(kind, {**value, "msgCnt": (start + k) % 128}, edition) for k in range(n)
        ]

    return make


def _asn1tools() -> Callable[[Sequence[bytes]], int]:
    import asn1tools

    schema: Any = asn1tools.compile_string(clone_file("dsrc_subset.asn"), "uper")

    def read(payloads: Sequence[bytes]) -> int:
        found = 0
        for payload in payloads:
            kind, value = schema.decode("MessageFrame", payload)
            found += len(value["participants"]) if kind == "rsmFrame" else 1
        return found

    return read


PEER = Peer("asn1tools", "asn1tools", _asn1tools)

WIRES = (
    Wire("ydt3709-rsm", "ydt3709", _rsm, unit="objects", floor=5e6, peer=PEER),
    Wire("ydt3709-bsm", "ydt3709", _bsm, floor=5e5, peer=PEER),
    Wire("ydt3709-rsi", "ydt3709", _counted(_RSI), floor=5e4, peer=PEER),
    Wire("ydt3709-spat", "ydt3709", _counted(_SPAT), floor=5e5, peer=PEER),
    Wire("ydt3709-ssm", "ydt3709", _ssm, unit="objects"),
    Wire("ydt3709-map", "ydt3709", _counted(_MAP), floor=5e4, peer=PEER),
)
