"""Mode S and ADS-B as receivers hand them on: squitters and replies. One message a payload.

Forms: 14 or 28 hex digits; AVR ``*hex;``; ``@``, 12 hex digits of clock, hex, ``;``; Beast binary
``1A``, type (``31`` 2, ``32`` 7, ``33`` 14 message bytes), 6-byte clock, level, message, with each
``1A`` behind the type doubled; or the 7 or 14 bytes alone. A stream of Beast or AVR is cut into
payloads by ``v2x decode --input bin``.

The time of a row is its arrival, flagged `Flag.TIME_FROM_ARRIVAL`; most clocks count 12 MHz since
the receiver was switched on. A sensor of edition ``gnss`` has one that counts from midnight (18
bits second of the day, 30 bits ns), and then that is the time; where it cannot be right
(`clock_wrong`) it is flagged and told as CLOCK_OFFSET_S.

ICAO Annex 10 volume IV, Doc 9871 and RTCA DO-260B. Squitter: DF 17 or 18, 5 bits, CA or CF 3,
address 24, ME 56, parity 24. By type code, the first 5 bits of ME (bits from 0):

========  ===================  ==================================================================
TC        what                 ME bits
========  ===================  ==================================================================
1-4       identification       5-7 category; 8 x 6 bits callsign: 1-26 A-Z, 32 blank, 48-57 0-9
5-8       surface position     5-11 movement, 12 track valid, 13-19 track x 360/128, 21 odd, 22-38
                               lat, 39-55 lon, in zones of a quarter
9-18      airborne position,   7 NIC supplement B, 8-19 altitude code, 21 odd, 22-38 lat, 39-55
          barometric           lon (compact position reporting, `v2x.ingest.modes`)
20-22     the same, GNSS       altitude is above the ellipsoid (doubtful: same code assumed)
          height
19        velocity             5-7 subtype; 10-12 NACv. Subtype 1, 2: 13 west, 14-23 east-west, 24
                               south, 25-34 north-south, raw - 1 kn, x 4 in subtype 2. All: 36
                               down, 37-45 (raw - 1) x 64 ft/min; 48 below, 49-55 (raw - 1) x 25
                               ft, GNSS minus barometric. 0 and the largest ("more") are unknown
28        subtype 1            8-10 emergency state, 11-23 squawk C1 A1 C2 A2 C4 A4 X B1 D1 B2 D2
                               B4 D4
29        target state         5-6 subtype 0, 1; 39-42 NACp, 44-45 SIL (both versions)
31        subtype 0 air, 1     40-42 version; from 1 on 43 NIC supplement A, 44-47 NACp, 50-51 SIL;
          surface              19 NIC supplement C of subtype 1
0         no position          at most a pressure altitude in 8-19
========  ===================  ==================================================================

Replies: DF 4 and 20 (altitude), 5 and 21 (squawk), 0 and 16 (air to air, altitude), 11 (all-call).
Flight status in bits 5-7 of the message (1, 3 on the ground; 0, 2 in the air), in DF 0 and 16
vertical status in bit 5; the 13-bit code in bits 19-31. Their parity is the address, so they count
only if that address was heard with a parity of its own (DF 11, 17, 18) in the last minute, by the
same receiver; else bad_checksum. The remainder of a DF 11 is an interrogator's code below 80.

Refused by name: other downlink formats, other type codes, DF 18 with CF 3, 4, 7, Mode A/C
(unknown_message); wrong parity (bad_checksum; nothing is repaired); a second message behind the
first (trailing_data); a position more than 450 km from its receiver (value_range).

Position. With a receiver whose place is configured (`Sensor.lat`, `lon`) each message stands alone.
Else an even and an odd message of one address within 10 s make one; on the ground, where a pair
fits in four places, none.

Identity ``icao:`` and 6 hex digits in lower case; CF 1 and 5 have addresses of their own,
``adsb18:``. Addresses 000000 and FFFFFF are none: such a position has no identity and nothing is
remembered of it. CF 2, 5 and 6 are `Flag.RELAYED`; CF 2 and 5 (a ground station's traffic
information) are not self-reported. The IMF bit of CF 2 and 6 is not read.

Height is above the ellipsoid: GNSS height of TC 20-22; else barometric plus the difference that the
same address sent within 60 s; else NaN, flagged `Flag.HEIGHT_BAROMETRIC`. PRESSURE_ALTITUDE has the
barometric value in metres. Standard deviation of height 15 m (ours). Horizontal: NACp heard within
60 s, else a fifth of the containment radius of type code and NIC supplements; never below the
sensor's noise, and 1.5 m of position coding on top (5.1 m steps; on the ground 0.4 m).

Velocity of subtypes 1 and 2 waits for the next position of its address and goes with it if that
comes within 2 s; else it becomes VELOCITY_EAST, _NORTH and _UP in the row of the frame that
overtook it (at the end of the input: of no frame, -1). Other readings: CALLSIGN, NACP, SIL, NIC
(when it changes, else every 5 s), GEO_MINUS_BARO_M, SQUAWK (7700 for 7700), EMERGENCY, VELOCITY_UP
of subtypes 3 and 4, GROUND_BIT (1 with every message from the ground, 0 when it leaves it).

Kind: the category last heard, 0.9; before one is heard aircraft, 0.6.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from v2x.frames import FrameBatch
from v2x.ingest.aircraft import NEVER, VEL_NS, WHO, Memory, new_memory, release
from v2x.ingest.decoded import Decoded
from v2x.ingest.interning import CHUNK, Texts
from v2x.ingest.modes import ENVELOPE, MESSAGE, read_messages
from v2x.ingest.rows import readings_of, room_for, writable
from v2x.ingest.squitters import TALLIES, fill_rows, text_of
from v2x.observations import Observations, ident_of
from v2x.sensors import SensorTable

_BEAST = re.compile(rb"\x1a[1-4](?:[^\x1a]|\x1a\x1a)*", re.DOTALL)
_EDITION = "gnss"


@dataclass(slots=True)
class AdsbState:
    """Memory by address (what must survive), and identity texts (a cache)."""

    memory: Memory = field(default_factory=new_memory)
    texts: Texts = field(default_factory=lambda: Texts(text_of))

    def state(self) -> dict[str, Any]:
        """What must survive a restart: the aircraft known, and the place of each in the table."""
        at = np.flatnonzero(self.memory.whole[:, WHO])
        return {"at": at, "whole": self.memory.whole[at], "real": self.memory.real[at]}

    def restore(self, state: dict[str, Any]) -> None:
        """Put back what `state` gave."""
        self.memory = new_memory()
        self.memory.whole[state["at"]] = state["whole"]
        self.memory.real[state["at"]] = state["real"]
        self.memory.known[0] = len(state["at"])


@dataclass(frozen=True, slots=True)
class Adsb:
    """Squitters and replies."""

    name: str = "adsb"

    def cut(self, data: bytes) -> Iterator[bytes]:
        """Payloads of a stream: Beast messages, and what stands between them; else lines."""
        if b"\x1a" not in data:
            yield from (line for line in data.split() if line)
            return
        at = 0
        for found in _BEAST.finditer(data):
            if found.start() > at:
                yield data[at : found.start()]
            yield found.group()
            at = found.end()
        if at < len(data):
            yield data[at:]

    def timed(self, payload: bytes) -> bool:
        """No: an aircraft that stands still sends the same bytes again."""
        return False

    def new_state(self) -> AdsbState:
        """No aircraft known."""
        return AdsbState()

    def decode(self, batch: FrameBatch, sensors: SensorTable, state: AdsbState) -> Decoded:
        """Rows of the frames; done in chunks so that the table of texts stays small."""
        receivers = sensors.table("lat", "lon", "sd_m", "sd_up_m")
        rejects = np.zeros(len(batch), np.uint8)
        tally = np.zeros(len(TALLIES), np.int64)
        messages = np.empty((len(batch), MESSAGE), np.int64)
        gnss = np.array([sensor.edition == _EDITION for sensor in sensors.sensors])
        positions, most = read_messages(
            batch.buf, batch.off, batch.recv_ns, batch.sensor, gnss, messages, rejects,
            np.zeros(ENVELOPE, np.uint8),
        )  # fmt: skip
        obs, read = Observations.blank(positions), room_for(most)
        out = writable(obs)
        texts, idents = state.texts, dict[int, str]()
        j = k = 0
        for first in range(0, len(batch), CHUNK):
            part = slice(first, min(first + CHUNK, len(batch)))
            texts.make_room()
            a, b = j, k
            j, k = fill_rows(
                first, messages[part], batch.recv_ns[part], batch.sensor[part], receivers,
                state.memory, texts.slots, rejects[part], tally, out, j, read, k,
            )  # fmt: skip
            texts.resolve()
            idents |= texts.hashed(obs.ident[a:j], read.ident[b:k], read.ident2[b:k])
        return Decoded(
            obs if j == positions else obs.take(slice(j)),
            readings_of(read, k),
            rejects,
            idents,
            counts={name: n for name, n in zip(TALLIES, tally.tolist(), strict=True) if n},
        )

    def finish(self, sensors: SensorTable, state: AdsbState) -> Decoded:
        """Velocities that no position came for, by time and address."""
        whole = state.memory.whole
        waiting = np.flatnonzero((whole[:, WHO] != 0) & (whole[:, VEL_NS] > NEVER))
        waiting = waiting[np.lexsort((whole[waiting, WHO], whole[waiting, VEL_NS]))]
        read = room_for(3 * len(waiting))
        k = 0
        idents: dict[int, str] = {}
        for at in waiting.tolist():
            who = int(whole[at, WHO])
            text = text_of(who & 0xFFFFFF, 0, who >> 24 & 0xFF)
            idents[ident_of(text)] = text
            k = release(state.memory, at, -1, ident_of(text), read, k)
        return Decoded(Observations.blank(), readings_of(read, k), np.zeros(0, np.uint8), idents)


FORMATS = (Adsb(),)
