"""ASTERIX: system tracks of CAT 062, Mode S plots of CAT 048; beside libasterix, which parses."""

from collections.abc import Callable, Sequence
from importlib import import_module

import numpy as np

from v2x.cli.bench.wires import T_NS, Peer, Wire
from v2x.ingest.asterix_encode import encode_block, plot_items, track_items

AIRCRAFT = 200
_STEP_NS = 10_000_000
RADAR = {"lat": 39.124, "lon": 117.346, "hae_m": 12.0}


def _tracks(rng: np.random.Generator, n: int) -> list[bytes]:
    return [
        encode_block(62, [track_items(
            T_NS + k * _STEP_NS, 39.0 + rng.random() / 4, 117.2 + rng.random() / 4, k % 4096,
            sac=25, sic=10, vel=(12.25, -3.5), climb=-1.5, height=600.0, pressure=640.0,
            icao=0x780000 + k % AIRCRAFT, callsign=f"CCA{k % AIRCRAFT}", squawk=2107, emitter=3,
            cov=(36.0, -9.0, 16.0), height_sd=19.05, status=b"\x09\x01\x01\x00",
        )])
        for k in range(n)
    ]  # fmt: skip


def _plots(rng: np.random.Generator, n: int) -> list[bytes]:
    return [
        encode_block(48, [plot_items(
            T_NS + k * _STEP_NS, 2_000.0 + 90_000.0 * rng.random(), 6.28 * rng.random(), sac=25,
            sic=10, detection=7, track=k % 4096, pressure=640.0, icao=0x780000 + k % AIRCRAFT,
            callsign=f"CCA{k % AIRCRAFT}", squawk=2107, vel=(120.0, 2.0),
        )])
        for k in range(n)
    ]  # fmt: skip


def _libasterix(category: int) -> Callable[[], Callable[[Sequence[bytes]], int]]:
    def load() -> Callable[[Sequence[bytes]], int]:
        base = import_module("asterix.base")
        records = import_module("asterix.generated").manifest["CATS"][category][-1].cv_uap

        def read(payloads: Sequence[bytes]) -> int:
            return sum(
                len(records.parse(block.get_raw_records()))
                for payload in payloads
                for block in base.RawDatablock.parse(base.Bits.from_bytes(payload))
            )

        return read

    return load


WIRES = (
    Wire(
        "asterix-062", "asterix", _tracks, floor=5e5, sensor=dict(RADAR), step_ns=_STEP_NS,
        peer=Peer("libasterix", "libasterix", _libasterix(62)),
    ),
    Wire(
        "asterix-048", "asterix", _plots, floor=5e5, sensor=dict(RADAR), step_ns=_STEP_NS,
        peer=Peer("libasterix", "libasterix", _libasterix(48)),
    ),
)  # fmt: skip
