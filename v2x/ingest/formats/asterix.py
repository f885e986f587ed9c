"""ASTERIX: what radars (category 048), trackers (062) and ADS-B stations (021) hand on, big-endian.

EUROCONTROL specification for surveillance data exchange: part 1, part 4 (category 048, editions
1.27 to 1.32), part 9 (062, 1.16 to 1.21), part 12 (021, 2.1 to 2.7), parts 2b and 15 (034 and 065,
status). A payload is one
or more blocks, each ``category u8, length u16 with these 3 bytes, records``; which items a record
has, in which order and how long, is in `v2x.ingest.asterix_items`.

======== ========== ===========================================================================
item     octets     Category 062, used (lowest bit last; all else is skipped, in `extra`)
======== ========== ===========================================================================
070      3          time of track, 1/128 s since midnight UTC
105      4, 4       latitude, longitude, i32 x 180/2**25 deg
185, 220 2, 2; 2    velocity east, north i16 x 0.25 m/s; up i16 x 6.25 ft/min
060      2          V G CH 0, 12 bits Mode 3/A code
245      1, 6       STI 2 bits: 0, 1 callsign, 2 registration; 8 letters of 6 bits
380      parts      1 ICAO address, 2 callsign, 11 emergency, 13 and 14 climb, 17 track angle, 18
                    ground speed, 21 emitter category
040      2          track number
080      extents    SIM and TSE (second octet), CST (fourth), EMS (fifth)
290      parts      ages of sources: `Flag.SELF_REPORTED` if extended squitter is the only one
136      2          measured flight level, i16 x 25 ft
130      2          height above the ellipsoid, i16 x 6.25 ft
135      2          QNH applied, i15 x 25 ft: above mean sea level, without QNH pressure altitude
270      extents    length, orientation, width, m; 0 unknown
300      1          vehicle fleet
390      parts      2 callsign of the flight plan
500      parts      1 APC x, y u16 x 0.5 m; 2 COV i16 x 0.5 m, the signed root of the covariance; 3
                    APW; 4 AGA; 5 ABA; 6 ATV: standard deviations
======== ========== ===========================================================================

======== ========== ===========================================================================
item     octets     Category 048, used
======== ========== ===========================================================================
140      3          time of day, 1/128 s
020      extents    TYP 3 bits (0 no detection, 1 primary, 2 secondary, 3 both, 4-7 Mode S), SIM,
                    RAB; second octet TST, ERR
040      2, 2       slant range u16/256 NM, azimuth u16 x 360/2**16 deg from the radar's north
070, 090 2, 2       V G L 0, Mode 3/A code; V G, flight level i14 x 25 ft
110      2          height of a 3-D radar, i14 x 25 ft above mean sea level
120      parts      1 doubtful, range rate i10 m/s, positive away (recommended, not required)
130      parts      3, 5 power of reply and echo, i8 dBm
161      2          track number, 12 bits
170      extents    second octet TRE, GHO
200, 210 4, 4       speed u16 x 2**-14 NM/s, course u16 x 360/2**16 deg; standard deviations
220, 240 3, 6       ICAO address; callsign
030      extents    conditions and target classes, 7 bits each
======== ========== ===========================================================================

Category 021 (editions 2.1 to 2.7), used: 071, else 073, else 077 time; 131, else 130 position; 040
address type, SIM, TST, checks failed, ground bit; 080 address; 161; 140 height above the ellipsoid;
145 flight level; 090 NACp, NIC, NACv, GVA; 157, else 155 vertical rate; 160 ground vector; 020
emitter; 070 Mode 3/A code; 132 power; 170 callsign; 200 emergency. All are `Flag.SELF_REPORTED`.

Category 034: 030 time, 041 antenna period u16/128 s, 050 part 1 status, 090 range i8/128 NM and
azimuth i8 x 360/2**14 deg errors. Category 065: 030 time, 040 status. Other categories are skipped
by their length and counted.

Refused whole, by name: a length beyond the frame (short) or below 3 (bad_length), items that do
not fill their block (bad_length), a flag of an item that no edition has, or a position off the
globe, as other editions give (unknown_edition), category 0 (bad_magic), more than 8,192 records
(too_complex). Zeros behind the last block are `Flag.LENGTH_BAD`.

Time: the day is the one nearest to arrival; outside 0 to 86,401 s: arrival,
`Flag.TIME_FROM_ARRIVAL`.

Category 062. Covariance is APC with COV, else APW, else the sensor's noise (ours: 30 m and 15 m
up), and never below that noise; zeros are not known. Height: 130; else 135 with QNH plus
undulation; else NaN, and `Flag.HEIGHT_BAROMETRIC` where there is a pressure altitude. A coasting
track (CST) is a guess: no observation, reading TRACK_COASTING.

Category 048. Range and azimuth stay as measured, with the noise of the sensor (else secondary 70 m
and 0.08 deg, primary 120 m and 0.15 deg). With a height the row is a position, its covariance the
full Jacobian of range, azimuth and height: three errors of their own, which a row of range and
angles could not keep apart. Without one it is `Model.POLAR`, with the slant of an unknown height
(100 m) in the range's noise. Latitude and longitude are filled in either way where the sensor has a
place. From 110 the height is that plus undulation; a Mode C height (090) only corrects the slant,
as 100 m good, and leaves height NaN, `Flag.HEIGHT_BAROMETRIC`. No detection (TYP 0): reading
TRACK_COASTING only. A site monitor (RAB): RADAR_MONITOR and _AZ only. Range beyond the scale (ERR)
or 0: no row.

Kind: emitter category 0.9; vehicle fleet and target class 0.7; something with a transponder and no
category is an aircraft, 0.6. SIM, TST: `Flag.SIMULATED`. Last message of a track (TSE, TRE):
reading TRACK_END, `Flag.LOW_QUALITY`; so are ghosts and conditions of plots that are no targets.
Further readings: SQUAWK (neither garbled nor invalid), CALLSIGN, EMERGENCY (not 0),
PRESSURE_ALTITUDE; of 034 and 065 HEARTBEAT, RADAR_STATUS, ANTENNA_PERIOD_S, RADAR_RANGE_ERROR_M and
RADAR_AZ_ERROR.

One sensor is one radar: plots of several on one line must be told apart before, by source.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from v2x.columns import F8
from v2x.frames import FrameBatch
from v2x.ingest.asterix_encode import Item, blocks, split_record
from v2x.ingest.asterix_items import LAYOUTS, OCTETS, Found, frn, scratch
from v2x.ingest.asterix_places import Bench, bench, poses
from v2x.ingest.asterix_records import (
    CALLSIGN_KEY,
    PLAN_KEY,
    REGISTRATION_KEY,
    TALLIES,
    Record,
    blank_record,
)
from v2x.ingest.asterix_rows import MOST_READINGS, fill, observations_of, room, survey
from v2x.ingest.decoded import Decoded
from v2x.ingest.interning import CHUNK, Texts
from v2x.ingest.modes import ADSB18, CALLSIGN
from v2x.ingest.rows import readings_of, room_for
from v2x.sensors import SensorTable

_MOST_TOLD = 4_096
"""Records that `Asterix.extra` tells of a payload: hostile frames hold many. Ours."""
_CLOCKS = {21: ("071", "073", "077"), 34: ("030",), 48: ("140",), 62: ("070",), 65: ("030",)}
_TIMES = {category: [frn(category, item) for item in items] for category, items in _CLOCKS.items()}
"""Places of the items that hold the time of a record."""
_FIT = {
    21: {"010", "161", "130", "131", "080", "140", "070", "145", "160", "170", "132"},
    34: {"010", "030", "041", "090"},
    48: {"010", "140", "040", "070", "090", "220", "240", "161", "200", "110"},
    62: {
        "010", "070", "105", "185", "220", "060", "245", "040", "136", "130", "135", "380/1",
        "380/2", "380/21", "500/1", "500/2", "500/4", "500/5", "500/6",
    },
    65: {"010", "030"},
}  # fmt: skip
"""Items of which nothing is left when the rows are made: not in `Asterix.extra`."""


def text_of(w0: int, w1: int, w2: int) -> str:
    """Text of an interned address or name."""
    if w2 == ADSB18:
        return f"adsb18:{w0:06x}"
    if w2 == PLAN_KEY:
        return f"callsign:{w0.to_bytes(7, 'big').decode('ascii').strip()}"
    if w2 in (CALLSIGN_KEY, REGISTRATION_KEY):
        letters = "".join(CALLSIGN[w0 >> shift & 63] for shift in range(42, -1, -6))
        scheme = "callsign" if w2 == CALLSIGN_KEY else "registration"
        return f"{scheme}:{letters.strip()}"
    return f"icao:{w0:06x}"


@dataclass(slots=True)
class AsterixState:
    """Memos of pure functions, and scratch: nothing of a frame waits for another."""

    texts: Texts = field(default_factory=lambda: Texts(text_of))
    found: Found = field(default_factory=scratch)
    bench: Bench = field(default_factory=bench)
    record: Record = field(default_factory=blank_record)
    sensors: SensorTable | None = None
    poses: F8 = field(default_factory=lambda: np.empty((0, 0)))

    def state(self) -> dict[str, Any]:
        """Nothing must survive a restart."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Put back nothing."""

    def poses_of(self, sensors: SensorTable) -> F8:
        """Poses of the sensors, worked out once for a table."""
        if self.sensors is not sensors:
            self.sensors, self.poses = sensors, poses(sensors)
        return self.poses


@dataclass(frozen=True, slots=True)
class Asterix:
    """Categories 021, 048 and 062; 034 and 065 as readings."""

    name: str = "asterix"

    def timed(self, payload: bytes) -> bool:
        """Tell whether the first record bears its time: all but broken ones do."""
        at = _TIMES.get(payload[0], []) if payload else []
        for octet, flags in enumerate(payload[3 : 3 + OCTETS]):
            if any(k // 7 == octet and flags & 0x80 >> k % 7 for k in at):
                return True
            if not flags & 1:
                break
        return False

    def new_state(self) -> AsterixState:
        """Empty memos."""
        return AsterixState()

    def cut(self, data: bytes) -> Iterator[bytes]:
        """Blocks of a file."""
        yield from blocks(data)

    def decode(self, batch: FrameBatch, sensors: SensorTable, state: AsterixState) -> Decoded:
        """Rows of the frames; in chunks of records so that the table of texts stays small."""
        n = len(batch)
        codes = np.empty(n, np.uint8)
        records, stops = np.empty(n, np.int64), np.empty(n, np.int64)
        survey(batch.buf, batch.off, state.found, codes, records, stops)
        before = np.cumsum(records)
        most = int(before[-1]) if n else 0
        tally, skipped = np.zeros(len(TALLIES), np.int64), np.zeros(256, np.int64)
        out, read = room(most), room_for(MOST_READINGS * most)
        idents: dict[int, str] = {}
        first = j = k = 0
        while first < n:
            done = int(before[first - 1]) if first else 0
            last = max(int(np.searchsorted(before, done + CHUNK, "right")), first + 1)
            state.texts.make_room()
            a, b = j, k
            j, k = fill(
                first, last, batch.buf, batch.off, stops, batch.recv_ns, batch.sensor,
                state.poses_of(sensors), state.texts.slots, state.found, state.bench, state.record,
                codes, tally, skipped, out, j, read, k,
            )  # fmt: skip
            state.texts.resolve()
            idents |= state.texts.hashed(out.ident[a:j], read.ident[b:k], read.ident2[b:k])
            first = last
        observations, amsl = observations_of(out, j)
        counts = {name: c for name, c in zip(TALLIES, tally.tolist(), strict=True) if c}
        for category in np.flatnonzero(skipped).tolist():
            counts[f"category_{category:03d}"] = int(skipped[category])
        return Decoded(observations, readings_of(read, k), codes, idents, amsl, counts)

    def finish(self, sensors: SensorTable, state: AsterixState) -> Decoded:
        """Nothing is ever pending."""
        return Decoded.nothing()

    def extra(self, payload: bytes) -> dict[str, Any]:
        """Items of each record as hex, by item and ``item/subfield``, with the source's numbers.

        Of the first 4,096 records alone.
        """
        found: list[dict[str, Any]] = []
        for block in blocks(payload):
            if len(found) >= _MOST_TOLD:
                break
            if len(block) < 3 or block[0] not in LAYOUTS:
                found.append({"category": block[0], "bytes": len(block)})
                continue
            p, data = 3, block
            while p < len(data) and len(found) < _MOST_TOLD:
                try:
                    items, p = split_record(block[0], data, p)
                except (ValueError, IndexError):
                    break
                found.append(_told(block[0], items))
        return {"records": found} if found else {}


FORMATS = (Asterix(),)


def _told(category: int, items: Mapping[str, Item]) -> dict[str, Any]:
    """What no column holds of one record."""
    source = items.get("010")
    line: dict[str, Any] = {"category": category}
    if isinstance(source, bytes):
        line["sac"], line["sic"] = source[0], source[1]
    rest: dict[str, str] = {}
    for name, item in items.items():
        parts = (
            {name: item}
            if isinstance(item, bytes)
            else {f"{name}/{k}": octets for k, octets in item.items()}
        )
        rest |= {
            place: octets.hex() for place, octets in parts.items() if place not in _FIT[category]
        }
    if rest:
        line["items"] = rest
    return line
