"""MAVLink 2 (format ``mavlink``): positions and drone identification of an autopilot's telemetry.

A payload is one frame or several, as a datagram has them: `v2x.ingest.mavlink` is the layout,
`v2x.ingest.mavlink_messages` the messages. What they become is what Remote ID becomes
(`v2x.ingest.formats.remote_id`), with the same identities and readings:

====================  =========================================================================
message               becomes
====================  =========================================================================
GLOBAL_POSITION_INT   an observation; height above mean sea level by the undulation (outside its
                      table: no height); height above home is `Name.HEIGHT_TAKEOFF`. Its clock
                      counts from the start of the autopilot: the arrival stands for it. Rovers
                      and boats send it too: `Kind.UAS` with a confidence of 0.5
OPEN_DRONE_ID_*       BASIC_ID, LOCATION, SYSTEM, SYSTEM_UPDATE, OPERATOR_ID of one aircraft in one
                      payload together, as a message pack; AUTHENTICATION counted, SELF_ID read over
..._MESSAGE_PACK      as a Remote ID message pack
..._ARM_STATUS        `Name.ODID_ARM_STATUS`, 0 good to arm
HEARTBEAT             `Name.HEARTBEAT`
====================  =========================================================================

``track_ref`` (and `Name.RID_MAC`) is the address in ``id_or_mac``, or where that is empty the
system number: what an autopilot says in different payloads is held together by it.

Frames of other messages are counted and not looked into. A payload is good if any frame in it is;
bytes behind the last frame flag its rows `Flag.LENGTH_BAD`. Refused by name otherwise: MAVLink 1
or unknown incompatibility flags (unsupported_version), a wrong checksum, which is also what another
edition of a message shows (bad_checksum), a frame cut off (short), more than 2,048 frames
(too_complex), something else (bad_magic). Signatures are counted as data and not verified.
"""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from v2x.columns import F8, I8, U1
from v2x.frames import PAD, FrameBatch
from v2x.geodesy import undulation
from v2x.ingest import mavlink, rid_odid
from v2x.ingest.decoded import Decoded, Reject
from v2x.ingest.interning import CAPACITY, Texts
from v2x.ingest.mavlink import (
    KEY,
    MOST,
    PACK,
    TELEMETRY,
    Heard,
    count_frames,
    frame_at,
    message_id,
    read,
)
from v2x.ingest.mavlink_messages import ARM_STATUS, MESSAGES, SIGNED, STX, plain
from v2x.ingest.rid import (
    FLAGS,
    HEIGHT,
    IDENT,
    LAT,
    LON,
    MARK,
    OPERATOR,
    SAID,
    SPOT,
    START,
    STOP,
    WHOLE,
    count_rows,
    fill_rows,
    text_of,
)
from v2x.ingest.rid_odid import MOST as MOST_PACKED
from v2x.ingest.rid_odid import read_odid
from v2x.ingest.rows import readings_of, room_for, writable
from v2x.observations import Observations
from v2x.readings import Name, Readings
from v2x.sensors import SensorTable

POSITION_CONF = 0.5
"""A system that tells its position is a drone more often than not; it does not say so."""

_CHUNK = CAPACITY // 2 // MOST_PACKED - MOST
"""Frames read at a time, but for the payload that goes over it: each may bring nine texts."""


@dataclass(slots=True)
class MavlinkState:
    """Identity texts, a cache: no payload needs another."""

    texts: Texts = field(default_factory=lambda: Texts(text_of))

    def state(self) -> dict[str, Any]:
        """What must survive a restart: nothing."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Put back what `state` gave."""


class Mavlink:
    """MAVLink 2 telemetry."""

    name = "mavlink"

    def timed(self, payload: bytes) -> bool:
        """Tell whether a sequence number is in it: in every frame of MAVLink 2."""
        return payload[:1] == bytes([STX])

    def new_state(self) -> MavlinkState:
        """No text known."""
        return MavlinkState()

    def decode(self, batch: FrameBatch, sensors: SensorTable, state: MavlinkState) -> Decoded:
        """Rows of the payloads, read in chunks so that the table of texts stays small."""
        counts = np.zeros((len(batch), 2), np.int64)
        count_frames(batch.buf, batch.off, counts)
        edges, upto = [0], np.cumsum(counts[:, 0])
        while edges[-1] < len(batch):
            done = upto[edges[-1] - 1] if edges[-1] else 0
            beyond = int(np.searchsorted(upto, done + _CHUNK, "right"))
            edges.append(min(max(beyond, edges[-1] + 1), len(batch)))
        rejects = np.zeros(len(batch), np.uint8)
        tallies = np.zeros(mavlink.TALLY, np.int64), np.zeros(rid_odid.TALLY, np.int64)
        idents: dict[int, str] = {}
        parts = [
            _rows(batch, slice(a, b), counts[a:b], sensors, state.texts, rejects, tallies, idents)
            for a, b in pairwise(edges)
        ]
        observations = Observations.concat([part[0] for part in parts])
        readings = Readings.concat([part[1] for part in parts])
        amsl = np.concatenate([part[2] for part in parts]) if parts else np.empty(0)
        skipped = _skipped(*(tally.tolist() for tally in tallies))
        return Decoded(observations, readings, rejects, idents, amsl, skipped)

    def finish(self, sensors: SensorTable, state: MavlinkState) -> Decoded:
        """Nothing waits: each payload stands alone."""
        return Decoded.nothing()

    def extra(self, payload: bytes) -> dict[str, Any]:
        """Every frame: message, sender, and for the messages of `MESSAGES` their fields."""
        buf, at, told = np.frombuffer(payload + bytes(8), np.uint8), 0, list[dict[str, Any]]()
        while at < len(payload) and len(told) < MOST:
            size = frame_at(buf, at, len(payload))
            if size <= 0:
                break
            if payload[at] == STX:
                message = message_id(buf, at)
                line = {
                    "message": MESSAGES.get(message, (message,))[0],
                    "sequence": payload[at + 4],
                    "system": payload[at + 5],
                    "component": payload[at + 6],
                    "signed": bool(payload[at + 2] & SIGNED),
                }
                if message in MESSAGES:
                    line |= plain(message, payload[at + 10 : at + 10 + payload[at + 1]])
                told.append(line)
            at += size
        return {"frames": told} if told else {}


FORMATS = (Mavlink(),)


def _rows(
    batch: FrameBatch, part: slice, counts: I8, sensors: SensorTable, texts: Texts, rejects: U1,
    tallies: tuple[I8, I8], idents: dict[int, str],
) -> tuple[Observations, Readings, F8]:  # fmt: skip
    """Rows of some of the payloads, and heights above mean sea level of the observations."""
    frames, packs = counts.sum(axis=0).tolist()
    off, recv = batch.off[part.start : part.stop + 1], batch.recv_ns[part]
    heard = Heard(
        np.full((frames, SAID), np.nan), np.full((frames, WHOLE), -1, np.int64),
        np.empty(frames, np.int64), np.empty((frames, KEY), np.int64), np.zeros(frames, np.int64),
        np.full(frames, np.nan), np.zeros(packs * PACK + PAD, np.uint8),
        np.empty((packs, SPOT), np.int64), np.empty(packs, np.int64),
        np.empty((frames, 2), np.int64), np.empty(frames),
    )  # fmt: skip
    texts.make_room()
    rows, packs, beats = read(
        batch.buf, off, recv, counts[:, 0], texts.slots, np.zeros(264, np.uint8), heard,
        rejects[part], tallies[0],
    )  # fmt: skip
    said, whole, owner = heard.said[:rows], heard.whole[:rows], heard.owner[:rows]
    code = np.zeros(rows, np.uint8)
    if packs:
        _unpack(heard, packs, said, whole, code, recv, texts, tallies[1])
    texts.resolve()
    idents |= texts.hashed(*(whole[:, column] for column in (IDENT, MARK, OPERATOR)))
    amsl = heard.amsl[:rows]
    high = np.flatnonzero(np.isfinite(amsl) & np.isfinite(said[:, LAT]))
    if high.size:
        said[high, HEIGHT] = amsl[high] + undulation(said[high, LAT], said[high, LON])

    noise = np.column_stack([sensors.floats("sd_m"), sensors.floats("sd_up_m")])
    many, facts = count_rows(said, whole, code)
    observations, out = Observations.blank(many), room_for(facts)
    sensor = batch.sensor[part]
    fill_rows(said, whole, code, recv[owner], sensor[owner], noise, writable(observations), out)
    of, readings = observations.frame.copy(), readings_of(out, facts)
    observations.kind_conf[heard.rank[of] == TELEMETRY] = POSITION_CONF
    for frame in (observations.frame, readings.frame):
        frame[:] = owner[frame] + part.start
    beat, value = heard.beat[:beats], heard.beat_value[:beats]
    if beats:
        at = beat[:, 0]
        told = Readings.blank(
            beats, frame=at + part.start, t_ns=recv[at], recv_ns=recv[at], sensor=sensor[at],
            name=np.where(beat[:, 1] == ARM_STATUS, Name.ODID_ARM_STATUS, Name.HEARTBEAT),
            value=value,
        )  # fmt: skip
        readings = Readings.concat([told, readings])
        readings = readings.take(np.argsort(readings.frame, kind="stable"))
    _fold(rejects[part], owner, code, beat[:, 0])
    return observations, readings, amsl[of]


def _unpack(
    heard: Heard, packs: int, said: F8, whole: I8, code: U1, recv: I8, texts: Texts, tally: I8
) -> None:
    """Read the message packs that were set aside into their rows."""
    row, spot = heard.pack_row[:packs], heard.pack_spot[:packs]
    off = np.append(spot[:, START], spot[-1, STOP])
    inner, inner_whole = said[row], whole[row]
    flags, why = inner_whole[:, FLAGS].copy(), np.zeros(packs, np.uint8)
    when = recv[heard.owner[row]]
    read_odid(heard.pack, off, when, spot, texts.slots, inner, inner_whole, why, tally)
    inner_whole[:, FLAGS] = flags | np.where(why == 0, inner_whole[:, FLAGS], 0)
    said[row], whole[row], code[row] = inner, inner_whole, why


def _fold(rejects: U1, owner: I8, code: U1, beat: I8) -> None:
    """Codes of payloads that were read, from those of their rows."""
    nothing = int(Reject.NOTHING_TO_OBSERVE)
    told = np.zeros(rejects.shape[0], np.bool_)
    told[owner[code == 0]] = True
    told[beat] = True
    silent = (rejects == 0) & ~told
    rejects[silent] = nothing
    for row in np.flatnonzero((code != 0) & (code != nothing)).tolist():
        if silent[owner[row]]:
            rejects[owner[row]] = code[row]


def _skipped(frames: list[int], packs: list[int]) -> dict[str, int]:
    """Names of what was skipped inside good payloads."""
    named = {
        "bad_checksum": frames[mavlink.BAD_CRC],
        "mavlink_1": frames[mavlink.VERSION_1],
        "unknown_flags": frames[mavlink.FLAGGED],
        "other_message": frames[mavlink.OTHER],
        "bad_pack": frames[mavlink.BAD_PACK],
        "auth": frames[mavlink.AUTH] + packs[rid_odid.AUTH],
        "position_range": frames[mavlink.POSITION_RANGE] + packs[rid_odid.POSITION_RANGE],
        "height_above_ground": frames[mavlink.ABOVE_GROUND] + packs[rid_odid.ABOVE_GROUND],
        "unknown_version": packs[rid_odid.UNKNOWN_VERSION],
    }
    for kind in range(16):
        named[f"unknown_message_0x{kind:x}"] = packs[rid_odid.UNKNOWN_TYPE + kind]
    return {name: n for name, n in named.items() if n}
