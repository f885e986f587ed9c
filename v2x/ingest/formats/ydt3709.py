"""Bare UPER MessageFrame of YD/T 3709-2020 and T/CSAE 53 (format ``ydt3709``).

::

    first byte   00-0F BSM   10-1F MAP   20-2F RSM   30-3F SPAT   40-4F RSI   80-FF extension

The whole frame is one message. `v2x.ingest.j2735cn_types` is its layout by edition;
`v2x.ingest.j2735cn_rows` says what BSM, RSM and SSM become, `v2x.ingest.j2735cn_unit` RSI, SPAT and
MAP. Of the extension (T/CSAE 157) the SSM is read. Its other messages are counted by id
(``extension_13``) and well formed without an object, `Reject.NOTHING_TO_OBSERVE`, but for that of
a pedestrian (15) and ids that nobody knows, which are `Reject.UNKNOWN_MESSAGE`. First bytes 50-7F
are `Reject.BAD_MAGIC`; a sensor whose ``edition`` is 2017, or none that is known here, has its
frames refused as `Reject.UNKNOWN_EDITION`. A frame must end within 7 zero bits of its message: more
is the usual sign of another edition.
"""

from typing import Any

import numpy as np

from v2x.frames import FrameBatch
from v2x.ingest.decoded import Decoded
from v2x.ingest.j2735cn_decode import Memory, decode_messages
from v2x.ingest.j2735cn_map import described
from v2x.sensors import SensorTable


class YDT3709:
    """Bare roadside messages."""

    name = "ydt3709"

    def timed(self, payload: bytes) -> bool:
        """Tell whether a counter or second stands in every message: it does."""
        return True

    def new_state(self) -> Memory:
        """No edition learned yet."""
        return Memory()

    def decode(self, batch: FrameBatch, sensors: SensorTable, state: Memory) -> Decoded:
        """Rows of every message; one code a frame."""
        outer = np.arange(len(batch), dtype=np.int32)
        return decode_messages(batch, batch.off[:-1], batch.off[1:], outer, sensors, state).decoded

    def extra(self, payload: bytes) -> dict[str, Any]:
        """The message as plain data in wire units, and the geometry of a MAP in degrees."""
        return described(payload)

    def finish(self, sensors: SensorTable, state: Memory) -> Decoded:
        """Nothing is ever pending."""
        return Decoded.nothing()


FORMATS = (YDT3709(),)
