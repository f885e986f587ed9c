"""SAPIENT, BSI Flex 335 v2.0 (format ``sapient``): what the nodes of a sensing network report.

A payload is one message, behind its 4-byte little-endian length as on TCP (4.2 of the standard, as
three independent clients have it) or bare. `v2x.ingest.sapient_messages` has the fields,
`v2x.ingest.sapient_rows` reads a poll of them at once, and `v2x.ingest.sapient_plain` what that
leaves: frames of more than a megabyte, states and zones beyond ASCII.

=================  ============================================================================
message            becomes
=================  ============================================================================
detection_report   an observation; ``track_ref`` is a hash of the object id, the identity ``ext:``
                   the object's own id if sent; a lost object gives `Name.TRACK_LOST` alone
status_report      `Name.HEARTBEAT`; `Name.NODE_STATUS` (1 good, 2 warning, 3 error, 5 goodbye),
                   `Name.NODE_CONDITION` per status entry, `Name.NODE_POWER` in %,
                   `Name.NODE_LOCATION`, `Name.NODE_OBSCURED` regions
registration       `Name.NODE_TYPE`
alert              `Name.NODE_ALERT`: the alert's type, 0 when it is cleared, rejected, ignored
others             nothing; counted
=================  ============================================================================

Readings are about ``node:<node_id>``. The regions, texts and definitions are in `Sapient.extra`.

**Location.** x is longitude, y latitude, in degrees or radians, or UTM east and north; without a
``utm_zone`` (31U, 50S as band letters; doubtful) in the zone of the sensor's configured position.
Height above the geoid gets the undulation. An error is one standard deviation (doubtful) in the
unit of its coordinate; since senders of degrees are known to give metres, what would be more than
about 1 km as an angle is taken as metres.

**Range and bearing** stay polar rows. Azimuths from true north, or from a platform's own zero, are
given out as sent: the tracker adds the sensor's ``yaw_deg``. Those from magnetic or grid north need
it as declination or convergence: while it is 0 they are refused (value_range).

**Kind.** The most confident classification decides, by its deepest class that we know. Classes
are those of the standard's core taxonomy and common words (`v2x.ingest.sapient_plain`), whatever
their spelling.

Refused by name: cut off (short), no message of this kind (bad_magic), a length that is not that of
the frame (bad_length), no content (unknown_message), too many or too deep fields (too_complex), an
unusable position (value_range).
"""

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from v2x.columns import F8, I8, U1
from v2x.frames import FrameBatch
from v2x.geodesy import undulation
from v2x.ingest.decoded import Decoded
from v2x.ingest.protobuf import MalformedError, text_of_bytes
from v2x.ingest.protobuf_walk import Walk
from v2x.ingest.rows import readings_of, room_for
from v2x.ingest.sapient_columns import TABLE, blank
from v2x.ingest.sapient_messages import SCHEMA
from v2x.ingest.sapient_plain import body, named, parsed, read_frames
from v2x.ingest.sapient_rows import (
    CLASS_TEXT,
    MOST_CLASSES,
    MOST_STATUS,
    PLAIN,
    DetectionOut,
    Loose,
    Sites,
    classify,
    read_messages,
)
from v2x.ingest.texts import CHUNK_BYTES, Wordings
from v2x.observations import Model, Observations
from v2x.readings import Readings
from v2x.sensors import SensorTable

_CONTENT = {f.number: f.name for f in SCHEMA["SapientMessage"].values() if f.rivals}
_SCHEMES = ("node:", "object:", "ext:", "status:", "alert:", "", "")
"""By scheme of a text: node, object, the object's own id, status, alert, name, class."""
_STATUS = _SCHEMES.index("status:")


def text_of(scheme: int, number: int, raw: bytes) -> str:
    """Text of what a kernel kept."""
    text = text_of_bytes(raw)
    return f"status:{number}:{text}" if scheme == _STATUS else _SCHEMES[scheme] + text


@dataclass(slots=True)
class SapientState:
    """Texts at hand with their hashes and kinds, and scratch: no message needs another."""

    texts: Wordings = field(default_factory=lambda: Wordings(text_of))
    kinds: U1 = field(default_factory=lambda: np.zeros(1024, np.uint8))
    weights: F8 = field(default_factory=lambda: np.zeros(1024))
    walk: Walk = field(default_factory=lambda: Walk.room(blank()))
    chain: I8 = field(default_factory=lambda: np.empty((MOST_CLASSES + 2, MOST_CLASSES), np.int64))

    def __reduce__(self) -> tuple[type["SapientState"], tuple[()]]:
        return SapientState, ()

    def state(self) -> dict[str, Any]:
        """What must survive a restart: nothing."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Put back what `state` gave."""

    def resolve(self) -> None:
        """Hash the texts that are new since the last call, and name the kind of each class."""
        known = len(self.texts.texts)
        new = self.texts.resolve()
        while self.kinds.shape[0] < known + len(new):
            self.kinds, self.weights = np.tile(self.kinds, 2), np.tile(self.weights, 2)
        spans = self.texts.spans
        schemes = spans.bytes[spans.ends[known : known + len(new)]]
        for at in np.flatnonzero(schemes == CLASS_TEXT).tolist():
            self.kinds[known + at], self.weights[known + at] = named(new[at])


_Part = tuple[Observations, Readings, F8]
"""Rows, and the heights above the geoid among them."""


class Sapient:
    """SAPIENT messages."""

    name = "sapient"

    def timed(self, payload: bytes) -> bool:
        """Tell whether a message begins with its time, as all known senders write it."""
        return body(payload)[:1] == b"\x0a"

    def new_state(self) -> SapientState:
        """No text known."""
        return SapientState()

    def decode(self, batch: FrameBatch, sensors: SensorTable, state: SapientState) -> Decoded:
        """Rows of the messages, or a reject code per frame."""
        code = np.zeros(len(batch), np.uint8)
        idents: dict[int, str] = {}
        counts: Counter[str] = Counter()
        parts: list[_Part] = []
        at = 0
        while at < len(batch):
            behind = int(np.searchsorted(batch.off, batch.off[at] + CHUNK_BYTES, "right")) - 1
            to = min(max(at + 1, behind), len(batch))
            parts.append(_chunk(batch, at, to, sensors, state, code, idents, counts))
            at = to
        rest = np.flatnonzero(code == PLAIN)
        if rest.size:
            made = read_frames(batch, rest, sensors, code)
            idents |= made.idents
            counts += made.counts
            parts.append(made.columns())
        rows = Observations.concat([part[0] for part in parts])
        told = Readings.concat([part[1] for part in parts])
        amsl = np.concatenate([part[2] for part in parts]) if parts else np.zeros(0)
        if rest.size:
            order = np.argsort(rows.frame, kind="stable")
            rows, amsl = rows.take(order), amsl[order]
            told = told.take(np.argsort(told.frame, kind="stable"))
        high = np.flatnonzero(np.isfinite(amsl))
        if high.size:
            rows.height[high] = amsl[high] + undulation(rows.lat[high], rows.lon[high])
        _noise(rows, sensors)
        return Decoded(rows, told, code, idents, amsl, dict(counts))

    def finish(self, sensors: SensorTable, state: SapientState) -> Decoded:
        """Nothing waits."""
        return Decoded.nothing()

    def extra(self, payload: bytes) -> dict[str, Any]:
        """The whole message by field name; enumerations as numbers, bytes in hex."""
        try:
            plain: dict[str, Any] = _plain(parsed(payload))
        except MalformedError:
            return {}
        return plain


FORMATS = (Sapient(),)


def _chunk(
    batch: FrameBatch, at: int, to: int, sensors: SensorTable, state: SapientState, code: U1,
    idents: dict[int, str], counts: Counter[str],
) -> _Part:  # fmt: skip
    """Rows of the frames from `at` to `to`; their `code` is set, `idents` and `counts` added to."""
    n, size = to - at, int(batch.off[to] - batch.off[at])
    rows = Observations.blank(n)
    out = room_for(min((MOST_STATUS + 5) * n, 5 * n + size // 2))
    links = min(MOST_CLASSES * n, size // 2 + 1)
    loose = Loose(
        np.empty(n), np.zeros(out.frame.shape[0], np.uint8), np.empty(n + 1, np.int64),
        np.empty(links, np.int64), np.empty(links), state.chain, np.zeros(2 + 16, np.int64),
    )  # fmt: skip
    sites = Sites(*(sensors.floats(name) for name in Sites._fields))
    state.texts.make_room()
    k, m = read_messages(
        TABLE, batch.buf, batch.off, at, batch.sensor, batch.recv_ns, sites, state.walk,
        state.texts.spans, DetectionOut(*(getattr(rows, name) for name in DetectionOut._fields)),
        out, loose, code[at:to],
    )  # fmt: skip
    state.resolve()
    classify(k, loose, state.kinds, state.weights, rows.kind, rows.kind_conf)
    rows, told = rows.take(slice(k)), readings_of(out, m)
    idents |= state.texts.hashed(rows.ident, told.ident, told.ident2)
    state.texts.hashed(rows.track_ref)
    high = np.flatnonzero(loose.geoid[:m])
    if high.size:
        told.value[high] += undulation(told.lat[high], told.lon[high])
    for number, how_many in enumerate(loose.counts.tolist(), -2):
        if how_many:
            name = {-2: "error_in_metres", -1: "azimuth_without_yaw"} | _CONTENT
            counts[name[number]] += how_many
    return rows, told, loose.amsl[:k]


def _plain(value: Any) -> Any:
    """`value` as JSON can hold it."""
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _noise(rows: Observations, sensors: SensorTable) -> None:
    """Believe a claim down to the sensor's noise, and take that where nothing is claimed."""
    sd, up = sensors.floats("sd_m")[rows.sensor], sensors.floats("sd_up_m")[rows.sensor]
    flat = rows.model == Model.POSITION
    for column, floor in ((0, sd), (3, sd), (5, up)):
        rows.cov[flat, column] = np.fmax(rows.cov[flat, column], np.square(floor[flat]))
    rows.cov[flat & np.isnan(rows.height), 5] = np.nan
    angle = np.radians(sensors.floats("sd_deg")[rows.sensor])
    rows.ang_sd[~flat] = np.fmax(rows.ang_sd[~flat], angle[~flat])
    polar = rows.model == Model.POLAR
    rows.range_sd[polar] = np.fmax(
        rows.range_sd[polar], sensors.floats("sd_range_m")[rows.sensor][polar]
    )
