"""SAE J2735 decoding: a poll of safety messages to columns, beside asn1tools on the same layout.

asn1tools gives dictionaries, ours rows; results are compared before anything is timed.
"""

import asn1tools
import numpy as np
import pytest

from tests.ingest import naive_j2735
from tests.ingest.test_j2735 import PUBLIC_BSM, PUBLIC_SPAT, car, sensed, thing
from v2x.frames import FrameBatch
from v2x.ingest.formats import format_named
from v2x.ingest.formats.j2735 import encode_j2735
from v2x.ingest.j2735_types import BSM
from v2x.ingest.timestamps import parse_iso
from v2x.sensors import Sensor, SensorTable

T = parse_iso("2026-11-24T02:11:12Z")
TABLE = SensorTable.of([Sensor("unit")])
FRAMES = 500


def cars(n: int) -> list[bytes]:
    return [
        encode_j2735(
            BSM, car(id=(k % 200 + 1).to_bytes(4, "big"), lat=391_250_000 + k, secMark=k)
        )
        for k in range(n)
    ]  # fmt: skip


CASES = {
    "BSM": cars,
    "SPAT": lambda n: [bytes.fromhex(PUBLIC_SPAT)] * n,
    "SDSM of 16": lambda n: [sensed([thing(objectID=k) for k in range(16)])] * n,
}


@pytest.mark.parametrize("case", CASES)
def test_ours(benchmark, case):
    benchmark.group = f"j2735, {case}, {FRAMES} frames"
    payloads, recv = CASES[case](FRAMES), [T] * FRAMES
    decoder = format_named("j2735")
    state = decoder.new_state()

    def poll():
        return decoder.decode(FrameBatch.of("j2735", payloads, [0] * FRAMES, recv), TABLE, state)

    made = poll()
    assert not made.rejects.any()
    if case == "BSM":
        want = naive_j2735.decode(payloads, recv, TABLE)[0]
        np.testing.assert_array_equal(made.observations.lat, [row["lat"] for row in want])
    benchmark(poll)
    benchmark.extra_info["frames"] = FRAMES


def test_asn1tools(benchmark):
    benchmark.group = f"j2735, BSM, {FRAMES} frames"
    codec = asn1tools.compile_string(naive_j2735.schema(), "uper")
    payloads = cars(FRAMES)

    def read(payload):
        value = codec.decode("MessageFrame", payload)["value"]
        return codec.decode("BasicSafetyMessage", value)

    assert read(payloads[3])["coreData"]["lat"] == 391_250_003
    assert read(bytes.fromhex(PUBLIC_BSM))["coreData"]["elev"] == 72
    benchmark(lambda: [read(payload) for payload in payloads])
    benchmark.extra_info["frames"] = FRAMES
