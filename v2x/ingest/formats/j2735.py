"""SAE J2735 (format ``j2735``): safety messages, signals and maps of North American roads.

A payload is one UPER MessageFrame. `v2x.ingest.j2735` has the frame and the BSM,
`v2x.ingest.j2735_types` the other messages and how sure each layout is; `v2x.ingest.j2735_rows` and
`v2x.ingest.j2735_units` have what the numbers of one and the others mean.

=======  ========================================  ============================================
message  observations                              readings
=======  ========================================  ============================================
BSM      one, self reported, identity ``bsm:``     BSM_EVENTS bits, SIREN 0 or 1, BRAKE 0 or 1
PSM      one, self reported, identity ``psm:``
SDSM     one per object; ``track_ref`` its number  RSM_COUNT of objects; RSU_LOCATION, value m,
                                                   of a roadside sender
SPAT                                               SIGNAL_STATUS bits per intersection;
                                                   SIGNAL_LIGHT and SIGNAL_LEFT_S per phase
MAP                                                MAP_HASH of all but time and revision,
                                                   MAP_NODES
=======  ========================================  ============================================

Codes of SIGNAL_LIGHT are those of the Chinese messages; SIGNAL_LEFT_S counts to the likely end, or
where none is sent to the earliest. Objects of an SDSM behind one that carries optional data are
lost, which is counted and flags those before it.

Refused by name: other messages of the set (unknown_message), no frame of it (bad_magic), cut off
(short), bytes or bits behind the message (trailing_data), a number out of its range (value_range),
lengths above 16,383 (oversize). The edition is not told by a frame: additions of later ones are
passed over where the extension bits announce them.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from v2x.columns import I8, U1
from v2x.frames import FrameBatch
from v2x.ingest.decoded import Decoded, Reject
from v2x.ingest.j2735 import IDENT, WIRE, open_frames, read_vehicles
from v2x.ingest.j2735_rows import vehicles
from v2x.ingest.j2735_told import Told, tell
from v2x.ingest.j2735_types import BSM, NAMES, PSM, SDSM, TYPES
from v2x.ingest.uper_plain import Plain, Reader, RefusedError, read, write
from v2x.observations import Observations, ident_of
from v2x.readings import Readings
from v2x.sensors import SensorTable

_MOST_NAMES = 65_536
"""Identities whose hashes are kept at hand; when full they are dropped and made again."""


@dataclass(slots=True)
class J2735State:
    """Hash and text by temporary id, and of the others' identities: no frame needs another."""

    names: dict[int, tuple[int, str]] = field(default_factory=dict)
    told: Told = field(default_factory=Told)

    def __reduce__(self) -> tuple[type["J2735State"], tuple[()]]:
        return J2735State, ()

    def state(self) -> dict[str, Any]:
        """What must survive a restart: nothing."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Put back what `state` gave."""

    def idents(self, octets: I8, used: dict[int, str]) -> I8:
        """(n,) hashes of temporary ids, -1 for 0; the texts go into `used`."""
        some, back = np.unique(octets, return_inverse=True)
        hashes = np.full(some.shape[0], -1, np.int64)
        for i, raw in enumerate(some.tolist()):
            if not raw:
                continue
            known = self.names.get(raw)
            if known is None:
                if len(self.names) >= _MOST_NAMES:
                    self.names.clear()
                text = f"bsm:{raw:08x}"
                known = self.names[raw] = (ident_of(text), text)
            hashes[i] = known[0]
            used[known[0]] = known[1]
        return hashes[back]


class J2735:
    """MessageFrames of SAE J2735."""

    name = "j2735"

    def timed(self, payload: bytes) -> bool:
        """Tell that a counter or time stands in every message: it does."""
        return True

    def new_state(self) -> J2735State:
        """No identity known."""
        return J2735State()

    def decode(self, batch: FrameBatch, sensors: SensorTable, state: J2735State) -> Decoded:
        """Rows of every message, or a reject code per frame."""
        n = len(batch)
        message, start = np.empty(n, np.int64), np.empty(n, np.int64)
        code = np.empty(n, np.uint8)
        open_frames(batch.buf, batch.off, message, start, code)
        cars = int(np.count_nonzero(message == BSM))
        wire, frame = np.empty((cars, WIRE), np.int64), np.empty(cars, np.int64)
        cars = read_vehicles(batch.buf, batch.off, message, start, wire, frame, code)
        wire, frame = wire[:cars], frame[:cars]
        idents: dict[int, str] = {}
        ident = state.idents(wire[:, IDENT], idents)
        rows, told = vehicles(wire, frame, batch, sensors, ident)
        others = np.flatnonzero((code == 0) & (message != BSM))
        counts: dict[str, int] = {}
        if others.size:
            seen, said, counts = tell(
                batch, sensors, others, message, start, code, state.told, idents
            )
            rows, told = _merged(rows, seen), _merged(told, said)
        _fold(code, rows, told)
        return Decoded(rows, told, code, idents, counts=counts)

    def finish(self, sensors: SensorTable, state: J2735State) -> Decoded:
        """Nothing waits: each frame stands alone."""
        return Decoded.nothing()

    def extra(self, payload: bytes) -> dict[str, Any]:
        """The message by its name and the schema's field names; octets in hex."""
        try:
            frame = read("MessageFrame", payload, TYPES)
            name = NAMES.get(frame["messageId"])
            if name is None:
                return {}
            if frame["messageId"] in (PSM, SDSM):  # which are not known to their end
                type_ = "SensorDataSharingHead" if frame["messageId"] == SDSM else name
                value = Reader(frame["value"], TYPES).type(type_)
            else:
                value = read(name, frame["value"], TYPES)
        except RefusedError:
            return {}
        return {"message": name, "value": _plain(value)}


FORMATS = (J2735(),)


def encode_j2735(message: int, value: Plain) -> bytes:
    """Write a message frame from a value as `v2x.ingest.uper_plain` gives it.

    Parameters
    ----------
    message
        Message id, a key of `v2x.ingest.j2735_types.NAMES`.

    Raises
    ------
    ValueError
        Where a value does not fit its field.
    """
    octets = write(NAMES[message], value, TYPES)
    return write("MessageFrame", {"messageId": message, "value": octets}, TYPES)


def _merged(one: Any, other: Any) -> Any:
    """Rows of both, by frame."""
    rows = one.concat([one, other])
    return rows.take(np.argsort(rows.frame, kind="stable"))


def _fold(code: U1, rows: Observations, told: Readings) -> None:
    """Name frames that told nothing."""
    silent = code == 0
    silent[rows.frame] = silent[told.frame] = False
    code[silent] = int(Reject.NOTHING_TO_OBSERVE)


def _plain(value: Any) -> Any:
    """`value` as JSON can hold it."""
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value.hex() if isinstance(value, bytes) else value
