"""ASTERIX decoding: a poll to columns, beside the plain twin and beside libasterix.

Results are compared before anything is timed, so a figure is a ratio on one host. Places,
covariances, readings and identity texts are part of what is timed of ours; the library only parses.
"""

import numpy as np
import pytest

from tests.ingest import naive_asterix
from v2x.frames import FrameBatch
from v2x.ingest.asterix_encode import encode_block, plot_items, track_items
from v2x.ingest.formats import format_named
from v2x.ingest.timestamps import SECOND, parse_iso
from v2x.sensors import Sensor, SensorTable

T = parse_iso("2026-11-24T02:11:12Z")
POLL = 500
AIRCRAFT = 200
TABLE = SensorTable.of([Sensor("radar", "asterix", lat=39.124, lon=117.346, hae_m=12.0)])


def tracks(k: int) -> dict:
    """System track `k` with what trackers usually send."""
    rng = np.random.default_rng([62, k])
    return track_items(
        T + k * SECOND // 100, 39.0 + rng.random() / 4, 117.2 + rng.random() / 4, k % 4096, sac=25,
        sic=10, vel=(12.25, -3.5), climb=-1.5, height=600.0, pressure=640.0,
        icao=0x780000 + k % AIRCRAFT, callsign=f"CCA{k % AIRCRAFT}", squawk=2107, emitter=3,
        cov=(36.0, -9.0, 16.0), height_sd=19.05, status=b"\x09\x01\x01\x00",
    )  # fmt: skip


def plots(k: int) -> dict:
    """Mode S plot `k`."""
    rng = np.random.default_rng([48, k])
    return plot_items(
        T + k * SECOND // 100, 2_000.0 + 90_000.0 * rng.random(), 6.28 * rng.random(), sac=25,
        sic=10, detection=7, track=k % 4096, pressure=640.0, icao=0x780000 + k % AIRCRAFT,
        callsign=f"CCA{k % AIRCRAFT}", squawk=2107, vel=(120.0, 2.0),
    )  # fmt: skip


def primaries(k: int) -> dict:
    """Plot `k` of a radar without a transponder's help."""
    rng = np.random.default_rng([1, k])
    return plot_items(T + k * SECOND // 100, 500.0 + 9_000.0 * rng.random(), 6.28 * rng.random())


CASES = {
    "062, one track a block": (62, tracks, 1),
    "062, ten tracks a block": (62, tracks, 10),
    "048 Mode S, one plot a block": (48, plots, 1),
    "048 primary, one plot a block": (48, primaries, 1),
}


def poll(case: str) -> tuple[int, list[bytes]]:
    category, make, size = CASES[case]
    return category, [
        encode_block(category, [make(size * k + i) for i in range(size)]) for k in range(POLL)
    ]


@pytest.mark.parametrize("case", CASES)
def test_ours(benchmark, case):
    benchmark.group = f"asterix {case}, {POLL} payloads"
    _, payloads = poll(case)
    recv = [T + SECOND] * POLL
    decoder = format_named("asterix")
    state = decoder.new_state()
    made = decoder.decode(FrameBatch.of("asterix", payloads, [0] * POLL, recv), TABLE, state)
    seen, told, rejects = naive_asterix.decode(payloads[:50], recv[:50], [0] * 50, TABLE)
    assert made.rejects[:50].tolist() == rejects
    for column in ("t_ns", "ident", "lat", "lon", "height", "vel", "flags"):
        want = np.array([row[column] for row in seen])
        got = getattr(made.observations, column)[: len(want)]
        np.testing.assert_allclose(got, want, 1e-9, 1e-6, err_msg=column)
    assert made.readings.value[: len(told)].tolist() == [row["value"] for row in told]
    benchmark(
        lambda: decoder.decode(FrameBatch.of("asterix", payloads, [0] * POLL, recv), TABLE, state)
    )
    benchmark.extra_info["records"] = len(made.observations)
    benchmark.extra_info["readings"] = len(made.readings)


@pytest.mark.parametrize("case", CASES)
def test_libasterix(benchmark, case):
    benchmark.group = f"asterix {case}, {POLL} payloads"
    base = pytest.importorskip("asterix.base")
    editions = pytest.importorskip("asterix.generated").manifest["CATS"]
    category, payloads = poll(case)
    records = editions[category][-1].cv_uap

    def parse():
        made = 0
        for payload in payloads:
            for block in base.RawDatablock.parse(base.Bits.from_bytes(payload)):
                made += len(records.parse(block.get_raw_records()))
        return made

    benchmark.pedantic(parse, rounds=3)
    benchmark.extra_info["records"] = POLL * CASES[case][2]


@pytest.mark.parametrize("case", CASES)
def test_naive(benchmark, case):
    benchmark.group = f"asterix {case}, {POLL} payloads"
    _, payloads = poll(case)
    part = payloads[:25]
    benchmark.pedantic(naive_asterix.decode, (part, [T + SECOND] * 25, [0] * 25, TABLE), rounds=3)
    benchmark.extra_info["records"] = 25 * CASES[case][2]
