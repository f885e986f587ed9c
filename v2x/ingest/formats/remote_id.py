"""Remote ID of unmanned aircraft: `remote_id`, and `gb46750` and `odid` for one family alone.

========== ======================================================== =========================
format     reads                                                    layout
========== ======================================================== =========================
gb46750    GB 46750-2025 identification packets                     `v2x.ingest.rid_gb46750`
odid       ASTM F3411-19/-22a, EN 4709-002, GB 42590-2023: 25-byte  `v2x.ingest.rid_odid`
           messages and packs
remote_id  either, chosen by the first bytes                        `v2x.ingest.rid`
========== ======================================================== =========================

All three take a message bare, behind its counter byte, or inside a Wi-Fi or Bluetooth carrier
(`v2x.ingest.rid`). `gb46750` and `odid` refuse the other family (bad_magic). At most one position
a frame.

An observation is a self-reported `Kind.UAS`. `height` is above the ellipsoid; where the wire has
only the pressure altitude, that stands there, flagged `Flag.HEIGHT_BAROMETRIC` with a standard
deviation of 100 m. Height above take-off is a reading and never `height`. A claimed accuracy is
believed down to the sensor's noise; time accuracy widens the covariance along the velocity.

Readings, about the identity: RID_HEARD in every frame that carries one, with or without a position;
RID_MAC where the carrier has the transmitter's address; RID_REGISTERED 1 or 0 where the frame says
so, and RID_REGISTRATION with the mark (``mark:``) or operator id (``operator:``) in `ident2`;
PILOT, PILOT_HEIGHT, RID_STATUS, UAS_CLASS, UAS_CATEGORY, HEIGHT_TAKEOFF; PRESSURE_ALTITUDE unless
it became the height; RID_VS_SIGN when the sender's vertical speed has been checked by its heights;
CLOCK_OFFSET_S where its time cannot be right, and then `Flag.TIME_SUSPECT` stands on the row.

Refused by name: neither family (bad_magic), another major version (unsupported_version), cut off
(short), lengths that contradict each other (bad_length), an unknown type alone or an unknown
content behind a good carrier (unknown_message). Bytes behind a message are ignored and flagged
`Flag.LENGTH_BAD`. A position off the globe is left out and counted; the identity has been heard all
the same.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from v2x.columns import I8
from v2x.frames import FrameBatch
from v2x.ingest import rid_gb46750, rid_odid
from v2x.ingest.decoded import Decoded
from v2x.ingest.interning import CHUNK, Texts
from v2x.ingest.rid import (
    GB46750,
    IDENT,
    MARK,
    ODID,
    OPERATOR,
    SAID,
    SPOT,
    WHOLE,
    count_rows,
    fill_rows,
    locate_all,
    text_of,
)  # fmt: skip
from v2x.ingest.rid_climb import Climbs, new_climbs
from v2x.ingest.rid_gb46750 import read_gb46750
from v2x.ingest.rid_odid import read_odid
from v2x.ingest.rows import readings_of, room_for, writable
from v2x.observations import Observations
from v2x.sensors import SensorTable


@dataclass(slots=True)
class RidState:
    """Habits of senders (what must survive), and identity texts (a cache)."""

    senders: I8 = field(default_factory=lambda: np.zeros((rid_gb46750.SENDERS + 1, 4), np.int64))
    climbs: Climbs = field(default_factory=new_climbs)
    texts: Texts = field(default_factory=lambda: Texts(text_of))

    def state(self) -> dict[str, Any]:
        """What must survive a restart: the rows that are not blank."""
        at = np.flatnonzero(self.senders.any(axis=1))
        climbers = np.flatnonzero(self.climbs.whole.any(axis=1))
        return {
            "at": at,
            "senders": self.senders[at],
            "climbers": climbers,
            "climbs": self.climbs.whole[climbers],
            "heights": self.climbs.real[climbers],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Put back what `state` gave."""
        self.senders[:] = 0
        self.senders[state["at"]] = state["senders"]
        self.climbs = new_climbs()
        self.climbs.whole[state["climbers"]] = state["climbs"]
        self.climbs.real[state["climbers"]] = state["heights"]


@dataclass(frozen=True, slots=True)
class RemoteId:
    """Remote ID frames of the given families."""

    name: str
    families: int

    def timed(self, payload: bytes) -> bool:
        """Tell whether a counter stands before the message: everywhere but in bare ones."""
        gb46750 = payload[:1] == b"\xff" and payload[1:2] != b"" and payload[1] >> 5 == 1
        pack = payload[1:2] == b"\x19" and payload[0] >> 4 == 15
        return not (gb46750 or pack or len(payload) <= rid_odid.SIZE)

    def new_state(self) -> RidState:
        """No sender known."""
        return RidState()

    def decode(self, batch: FrameBatch, sensors: SensorTable, state: RidState) -> Decoded:
        """Rows of the frames; read in chunks so that the table of texts stays small."""
        noise = sensors.table("sd_m", "sd_up_m")
        rejects = np.zeros(len(batch), np.uint8)
        tallies = (
            np.zeros(rid_gb46750.TALLY, np.int64),
            np.zeros(rid_odid.TALLY, np.int64),
        )
        said = np.full((len(batch), SAID), np.nan)
        whole = np.full((len(batch), WHOLE), -1, np.int64)
        spot = np.empty((CHUNK, SPOT), np.int64)
        texts, idents = state.texts, dict[int, str]()
        for first in range(0, len(batch), CHUNK):
            part = slice(first, min(first + CHUNK, len(batch)))
            off, where = batch.off[part.start : part.stop + 1], spot[: part.stop - first]
            texts.make_room()
            locate_all(batch.buf, off, self.families, where, rejects[part])
            if self.families & GB46750:
                read_gb46750(
                    batch.buf, off, batch.sensor[part], batch.recv_ns[part], where,
                    state.senders, state.climbs, texts.slots, said[part], whole[part],
                    rejects[part], tallies[0], np.empty(rid_gb46750.ITEMS, np.int64),
                )  # fmt: skip
            if self.families & ODID:
                read_odid(
                    batch.buf, off, batch.recv_ns[part], where, texts.slots,
                    said[part], whole[part], rejects[part], tallies[1],
                )  # fmt: skip
            texts.resolve()
            idents |= texts.hashed(*(whole[part, column] for column in (IDENT, MARK, OPERATOR)))
        many, facts = count_rows(said, whole, rejects)
        obs, read = Observations.blank(many), room_for(facts)
        fill_rows(said, whole, rejects, batch.recv_ns, batch.sensor, noise, writable(obs), read)
        skipped = tallies[0].any() or tallies[1].any()
        counts = _counts(*(tally.tolist() for tally in tallies)) if skipped else {}
        return Decoded(obs, readings_of(read, facts), rejects, idents, counts=counts)

    def finish(self, sensors: SensorTable, state: RidState) -> Decoded:
        """Nothing waits: each frame stands alone."""
        return Decoded.nothing()


FORMATS = (
    RemoteId("remote_id", GB46750 | ODID),
    RemoteId("gb46750", GB46750),
    RemoteId("odid", ODID),
)


def _counts(gb46750: list[int], odid: list[int]) -> dict[str, int]:
    """Names of what was skipped."""
    named = {f"unknown_item_{item}": gb46750[rid_gb46750.UNKNOWN_ITEM + item] for item in range(64)}
    named["bad_mark"] = gb46750[rid_gb46750.BAD_MARK]
    named["position_range"] = gb46750[rid_gb46750.POSITION_RANGE] + odid[rid_odid.POSITION_RANGE]
    named["auth"] = odid[rid_odid.AUTH]
    named["height_above_ground"] = odid[rid_odid.ABOVE_GROUND]
    named["unknown_version"] = odid[rid_odid.UNKNOWN_VERSION]
    for kind in range(16):
        named[f"unknown_message_0x{kind:x}"] = odid[rid_odid.UNKNOWN_TYPE + kind]
    return {name: n for name, n in named.items() if n}
