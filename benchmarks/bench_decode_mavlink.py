"""MAVLink 2 decoding: a poll of payloads to columns, beside the plain twin.

A payload is what a drone identification module sends at once: serial, position, operator.
"""

import numpy as np
import pytest

from tests.ingest import naive_mavlink
from v2x.frames import FrameBatch
from v2x.ingest.formats import format_named
from v2x.ingest.mavlink_messages import BASIC_ID, GLOBAL_POSITION_INT, LOCATION, encode_mavlink
from v2x.ingest.timestamps import SECOND, parse_iso
from v2x.sensors import Sensor, SensorTable

T = parse_iso("2026-11-24T02:11:12Z")
TABLE = SensorTable.of([Sensor("receiver")])
FRAMES = 500


def flights(n: int) -> list[bytes]:
    """Basic ID and Location, one aircraft a payload, 200 by turns."""
    return [
        encode_mavlink(
            BASIC_ID, system=1 + k % 200, sequence=k, id_type=1, ua_type=2,
            uas_id=b"1581F5FJD239C00%03d" % (k % 200),
        )
        + encode_mavlink(
            LOCATION, system=1 + k % 200, sequence=k, latitude=391_250_000 + k,
            longitude=1_173_500_000 + k, altitude_geodetic=52.5, altitude_barometric=64.0,
            height=60.0, timestamp=672.25, direction=9050, speed_horizontal=1230, status=2,
            horizontal_accuracy=11, vertical_accuracy=5, speed_accuracy=4, timestamp_accuracy=1,
        )
        for k in range(n)
    ]  # fmt: skip


def telemetry(n: int) -> list[bytes]:
    return [
        encode_mavlink(
            GLOBAL_POSITION_INT, system=1 + k % 200, sequence=k, time_boot_ms=k,
            lat=391_250_000 + k, lon=1_173_500_000 + k, alt=61_000, relative_alt=60_000, vx=300,
            vy=-400, vz=-150,
        )
        for k in range(n)
    ]  # fmt: skip


CASES = {"serial and position": flights, "telemetry position": telemetry}


@pytest.mark.parametrize("case", CASES)
def test_ours(benchmark, case):
    benchmark.group = f"mavlink, {case}, {FRAMES} payloads"
    payloads, recv = CASES[case](FRAMES), [T + k * SECOND // 1000 for k in range(FRAMES)]
    decoder = format_named("mavlink")
    state = decoder.new_state()

    def poll():
        return decoder.decode(FrameBatch.of("mavlink", payloads, [0] * FRAMES, recv), TABLE, state)

    made = poll().observations
    want = naive_mavlink.decode(payloads, recv, [0] * FRAMES, TABLE)[0]
    for column in want[0]:
        expected = np.array([row[column] for row in want])
        np.testing.assert_allclose(getattr(made, column), expected, 1e-6, 1e-7, err_msg=column)
    benchmark(poll)
    benchmark.extra_info["frames"] = FRAMES


@pytest.mark.parametrize("case", CASES)
def test_naive(benchmark, case):
    benchmark.group = f"mavlink, {case}, {FRAMES} payloads"
    payloads, recv = CASES[case](FRAMES), [T] * FRAMES
    benchmark(naive_mavlink.decode, payloads, recv, [0] * FRAMES, TABLE)
    benchmark.extra_info["frames"] = FRAMES
