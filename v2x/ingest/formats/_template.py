"""NAME OF THE FORMAT, standard and edition: replace this line, and everything in capitals.

The docstring is the layout. Say where it comes from (standard and clause) and what was seen in
the field; mark what is doubtful.

======  =====  ==============================================
offset  bytes  field
======  =====  ==============================================
0       2      magic ``AB CD``
2       8      time, u64 little-endian, ms since 1970, UTC
10      4      latitude, i32 x 1e-7 deg
14      4      longitude, i32 x 1e-7 deg
======  =====  ==============================================

A time behind the last one of the same sensor is flagged `Flag.TIME_SUSPECT`.

Recipe: copy to ``mine.py``; test the envelope first, then the content; give every refusal a code
of `Reject`; put frames with what they hold into ``tests/ingest/samples/<name>.json``. What a frame
needs of those before it goes into `Memory`, which a checkpoint carries on; where every frame stands
alone, let `new_state` return None and delete it. The registry and the conformance suite find the
module by itself.
"""

import struct
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from v2x.frames import FrameBatch
from v2x.ingest.accuracy import isotropic
from v2x.ingest.decoded import Decoded, Reject
from v2x.observations import Flag, Observations
from v2x.readings import Readings
from v2x.sensors import SensorTable

_LAYOUT = struct.Struct("<2sQii")


@dataclass
class Memory:
    """Newest time by sensor row, ms: as bounded as the sensor table."""

    newest_ms: dict[int, int] = field(default_factory=dict)

    def state(self) -> dict[str, Any]:
        """What must survive a restart, as plain data."""
        return {"newest_ms": list(self.newest_ms.items())}

    def restore(self, state: dict[str, Any]) -> None:
        """Put back what `state` gave."""
        self.newest_ms = {row: ms for row, ms in state["newest_ms"]}

    def behind(self, row: int, ms: int) -> bool:
        """Tell whether a sensor's time went back, and remember the newest."""
        newest = self.newest_ms.get(row, ms)
        self.newest_ms[row] = max(newest, ms)
        return ms < newest


class Template:
    """Format ``template``: one position a frame. Low rate, so rows are built in Python."""

    name = "template"

    def timed(self, payload: bytes) -> bool:
        """Tell that the bytes hold a time of their own."""
        return True

    def new_state(self) -> Memory:
        """No sensor heard yet."""
        return Memory()

    def decode(self, batch: FrameBatch, sensors: SensorTable, state: Memory) -> Decoded:
        """Turn any bytes into rows or a reject code per frame."""
        rejects = np.zeros(len(batch), np.uint8)
        rows: list[tuple[int, int, float, float, int]] = []
        for i in range(len(batch)):
            payload = batch.payload(i)
            if payload[:2] != b"\xab\xcd":
                rejects[i] = Reject.BAD_MAGIC
            elif len(payload) != _LAYOUT.size:
                rejects[i] = Reject.BAD_LENGTH
            else:
                _, ms, lat, lon = _LAYOUT.unpack(payload)
                if ms > 1 << 42 or abs(lat) > 900_000_000 or abs(lon) > 1_800_000_000:
                    rejects[i] = Reject.VALUE_RANGE
                else:
                    back = state.behind(int(batch.sensor[i]), ms)
                    flags = int(Flag.TIME_SUSPECT) if back else 0
                    rows.append((i, ms * 1_000_000, lat / 1e7, lon / 1e7, flags))
        frame, t_ns, lat_deg, lon_deg, flags_of = zip(*rows, strict=True) if rows else ((),) * 5
        sensor = batch.sensor[list(frame)]
        observations = Observations.blank(
            len(rows),
            frame=frame,
            t_ns=t_ns,
            recv_ns=batch.recv_ns[list(frame)],
            sensor=sensor,
            lat=lat_deg,
            lon=lon_deg,
            flags=flags_of,
            cov=isotropic(sensors.floats("sd_m")[sensor], sensors.floats("sd_up_m")[sensor]),
        )
        return Decoded(observations, Readings.blank(), rejects)

    def finish(self, sensors: SensorTable, state: Memory) -> Decoded:
        """Nothing is ever pending."""
        return Decoded.nothing()


FORMATS = (Template(),)
