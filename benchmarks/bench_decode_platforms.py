"""GB/T 32960 and JT/T 809 decoding: a poll to columns, beside the plain twins.

No maintained decoder of either is there under a permissive licence for Python. Results are compared
before anything is timed.
"""

import numpy as np
import pytest

from tests.ingest import naive_terminals
from v2x.frames import FrameBatch
from v2x.ingest.formats import gbt32960, jt809
from v2x.ingest.timestamps import SECOND, parse_iso
from v2x.sensors import Sensor, SensorTable

T = parse_iso("2026-11-24T02:11:12Z")
POLL = 500


def electric() -> list[bytes]:
    return [
        gbt32960.encode_report(
            f"LTPSBTESTVEHI{k % 100:04d}", T + k // 100 * SECOND,
            gbt32960.vehicle_block(12.5, 41e6, 0.8)
            + b"\x08\x01" + bytes(9) + b"\x60" + bytes(192)
            + gbt32960.position_block(39.1 + k / 1e4, 117.2),
        )
        for k in range(POLL)
    ]  # fmt: skip


def relayed() -> list[bytes]:
    return [
        jt809.framed(0x1200, k, jt809.vehicle_body(
            f"津A{k % 100:05d}", 2, 0x1202,
            jt809.position_2011(T + k // 100 * SECOND, 39.1 + k / 1e4, 117.2, speed_kmh=45,
                                heading_deg=80, altitude_m=3),
        ))
        for k in range(POLL)
    ]  # fmt: skip


CASES = {
    "gbt32960": (electric, gbt32960, naive_terminals.decode_gbt32960),
    "jt809": (relayed, jt809, naive_terminals.decode_jt809),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("whose", ["ours", "naive"])
def test_decode(benchmark, name, whose):
    make, module, naive = CASES[name]
    benchmark.group = f"{name}, 500 positions"
    frames = make()
    (decoder,) = module.FORMATS
    sensors = SensorTable.of([Sensor("s", name)])
    batch = FrameBatch.of(name, frames, [0] * POLL, [T + SECOND] * POLL)
    d = decoder.decode(batch, sensors, None)
    rows = [naive(frame, T + SECOND).observations[0] for frame in frames]
    np.testing.assert_allclose(d.observations.lat, [row[2] for row in rows], rtol=1e-12)
    assert d.observations.t_ns.tolist() == [row[0] for row in rows]
    if whose == "ours":
        benchmark(decoder.decode, batch, sensors, None)
    else:
        benchmark(lambda: [naive(frame, T + SECOND) for frame in frames])
    benchmark.extra_info["frames"] = POLL
