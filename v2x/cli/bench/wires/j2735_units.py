"""SAE J2735 of roadside units: SPAT of 8 phases, SDSM of 16 objects, MAP; beside asn1tools."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from v2x.cli.bench.wires import T_NS, Peer, Wire, of_clone
from v2x.ingest.formats.j2735 import encode_j2735
from v2x.ingest.j2735_types import MAP, NAMES, SDSM, SPAT

PHASES = 8
OBJECTS = 16
_MS = T_NS // 1_000_000 % 60_000
_LAT, _LON = 391_250_000, 1_173_500_000


def _signals(rng: np.random.Generator, n: int) -> list[bytes]:
    """One intersection, its green moving on."""
    made = []
    for k in range(n):
        ends = rng.integers(0, 36_000, PHASES).tolist()
        states = [
            {
                "signalGroup": group,
                "state-time-speed": [
                    {
                        "eventState": 6 if group == 1 + k % PHASES else 3,
                        "timing": {"minEndTime": end, "maxEndTime": end, "likelyTime": end},
                    }
                ],
            }
            for group, end in enumerate(ends, 1)
        ]
        made.append(
            encode_j2735(
                SPAT,
                {
                    "intersections": [
                        {
                            "id": {"region": 7, "id": 1000 + k % 50}, "revision": k % 128,
                            "status": "0" * 16, "moy": 1, "timeStamp": (_MS + k) % 60_000,
                            "states": states,
                        }
                    ]
                },
            )
        )  # fmt: skip
    return made


def _object(rng: np.random.Generator, number: int) -> dict[str, Any]:
    east, north, up = rng.integers(-2_000, 2_000, 3).tolist()
    return {
        "present": "00",
        "common": {
            "objType": 1 + number % 2, "objTypeCfd": 80, "objectID": number,
            "measurementTime": -50, "timeConfidence": 5,
            "pos": {"offsetX": east, "offsetY": north, "offsetZ": up // 200},
            "posConfidence": {"pos": 10, "elevation": 9},
            "speed": int(rng.integers(0, 1_500)), "speedConfidence": 5,
            "heading": int(rng.integers(0, 28_800)), "headingConf": 4,
        },
    }  # fmt: skip


def _sensed(rng: np.random.Generator, n: int) -> list[bytes]:
    head: dict[str, Any] = {
        "sourceID": b"\1\2\3\4", "equipmentType": 1,
        "sDSMTimeStamp": {"year": 2026, "month": 11, "day": 24, "hour": 2, "minute": 11,
                          "second": _MS},
        "refPos": {"lat": _LAT, "long": _LON, "elevation": -50},
        "refPosXYConf": {"semiMajor": 20, "semiMinor": 20, "orientation": 0},
    }  # fmt: skip
    return [
        encode_j2735(
            SDSM,
            head
            | {
                "msgCnt": k % 128,
                "objects": [_object(rng, (k * OBJECTS + j) % 65_536) for j in range(OBJECTS)],
            },
        )
        for k in range(n)
    ]


def _lane(rng: np.random.Generator, number: int) -> dict[str, Any]:
    points = rng.integers(-500, 500, (6, 2)).tolist()
    return {
        "laneID": number,
        "laneAttributes": {
            "directionalUse": "10", "sharedWith": "0" * 10, "laneType": {"vehicle": "0" * 8},
        },
        "maneuvers": "1" + "0" * 11,
        "nodeList": {"nodes": [{"delta": {"node-XY1": {"x": x, "y": y}}} for x, y in points]},
        "connectsTo": [{"connectingLane": {"lane": number % 12 + 1}, "signalGroup": 1}],
    }  # fmt: skip


def _maps(rng: np.random.Generator, n: int) -> list[bytes]:
    """One intersection of 12 lanes, its revision running."""
    place: dict[str, Any] = {
        "id": {"id": 1021}, "revision": 3, "refPoint": {"lat": _LAT, "long": _LON},
        "laneWidth": 350, "laneSet": [_lane(rng, 1 + j) for j in range(12)],
    }  # fmt: skip
    return [
        encode_j2735(MAP, {"msgIssueRevision": k % 128, "intersections": [place]}) for k in range(n)
    ]


def _asn1tools() -> Callable[[Sequence[bytes]], int]:
    import asn1tools

    schema: Any = asn1tools.compile_string(of_clone("naive_j2735").schema(), "uper")

    def read(payloads: Sequence[bytes]) -> int:
        found = 0
        for payload in payloads:
            frame = schema.decode("MessageFrame", payload)
            value = schema.decode(NAMES[frame["messageId"]], frame["value"])
            found += len(value.get("objects", (0,)))
        return found

    return read


PEER = Peer("asn1tools", "asn1tools", _asn1tools)

WIRES = (
    Wire("j2735-spat", "j2735", _signals, floor=2.5e5, peer=PEER),
    Wire("j2735-sdsm", "j2735", _sensed, unit="objects", floor=1e6, peer=PEER),
    Wire("j2735-map", "j2735", _maps, floor=5e4, peer=PEER),
)
