"""MAVLink 2: serial and position of Open Drone ID in one payload, and telemetry."""

from collections.abc import Callable, Sequence

import numpy as np

from v2x.cli.bench.wires import LAG_NS, T_NS, Peer, Wire, of_clone
from v2x.ingest.mavlink_messages import (
    BASIC_ID,
    GLOBAL_POSITION_INT,
    LOCATION,
    encode_mavlink,
)
from v2x.sensors import Sensor, SensorTable

AIRCRAFT = 200


def _flights(rng: np.random.Generator, n: int) -> list[bytes]:
    return [
        encode_mavlink(
            BASIC_ID, system=1 + k % AIRCRAFT, sequence=k, id_type=1, ua_type=2,
            uas_id=b"1581F5FJD239C00%03d" % (k % AIRCRAFT),
        )
        + encode_mavlink(
            LOCATION, system=1 + k % AIRCRAFT, sequence=k,
            latitude=391_250_000 + int(rng.integers(10_000)), longitude=1_173_500_000 + k,
            altitude_geodetic=52.5, altitude_barometric=64.0, height=60.0, timestamp=672.25,
            direction=9050, speed_horizontal=1230, status=2, horizontal_accuracy=11,
            vertical_accuracy=5, speed_accuracy=4, timestamp_accuracy=1,
        )
        for k in range(n)
    ]  # fmt: skip


def _telemetry(rng: np.random.Generator, n: int) -> list[bytes]:
    return [
        encode_mavlink(
            GLOBAL_POSITION_INT, system=1 + k % AIRCRAFT, sequence=k, time_boot_ms=k,
            lat=391_250_000 + int(rng.integers(10_000)), lon=1_173_500_000 + k, alt=61_000,
            relative_alt=60_000, vx=300, vy=-400, vz=-150,
        )
        for k in range(n)
    ]  # fmt: skip


def _twin() -> Callable[[Sequence[bytes]], int]:
    naive = of_clone("naive_mavlink")
    table = SensorTable.of([Sensor("bench")])

    def read(payloads: Sequence[bytes]) -> int:
        n = len(payloads)
        return len(naive.decode(payloads, [T_NS + LAG_NS] * n, [0] * n, table)[0])

    return read


TWIN = Peer("Python twin", "", _twin)

WIRES = (
    Wire("mavlink-drone-id", "mavlink", _flights, peer=TWIN),
    Wire("mavlink-position", "mavlink", _telemetry, peer=TWIN),
)
