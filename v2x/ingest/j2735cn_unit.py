"""What a unit says of the road: RSI, SPAT and MAP, and the events of an SSM, from bits to rows.

========  ============================================  ==========================================
message   observations                                  readings
========  ============================================  ==========================================
RSI, and  debris (401) and damage (411) that the unit   ROAD_EVENT, value event type, text its
events    itself detected (source 5), with a position:  description, per (unit, rteId), at its
in SSM    obstacle, sd half the radius, ``track_ref``   position; ROAD_EVENT_RADIUS_M and
          rteId; the arrival is its time, for a minute  ROAD_EVENT_END where sent; SIGN, value sign
          of the year is all that an RSI carries        type, per (unit, rtsId)
SPAT      none                                          SIGNAL_STATUS bits per intersection;
                                                        SIGNAL_LIGHT and SIGNAL_LEFT_S per phase;
                                                        CLOCK_OFFSET_S where the message has its
                                                        minute and millisecond
MAP       none                                          MAP_HASH of all but counter and time,
                                                        MAP_NODES, both of the first node, at its
                                                        place
========  ============================================  ==========================================

Identities: ``event:<unit>/<rteId>``, ``sign:<unit>/<rtsId>``, ``node:<region>/<id>`` (``node:<id>``
where no region is sent) and ``phase:<region>/<id>/<phase>``.

The light of a phase is the state that runs: a countdown with start 0, a span of UTC times that
holds the message's own time, or a state without times. A countdown's end counts from now, not from
its start; a sender that puts durations there has ends at or before their starts, and what is left
of any state of such a phase is NaN, counted as ``spat_end_before_start``.

Only the paths of an RSI, and nearly every MAP, differ between editions. With edition ``auto`` the
edition that the unit showed last is tried first, then the other. A MAP that both would take is the
one whose first node lies in the box of the district; one that the other alone takes must lie there
or hold a link, for a damaged MAP of one edition can be a single bare node of the other.
"""

from typing import NamedTuple

import numpy as np

from v2x.columns import F8, I4, I8, U1
from v2x.ingest.decoded import Reject
from v2x.ingest.interning import Slots, slot_of
from v2x.ingest.j2735cn import (
    EDITION_2019,
    EDITION_2020,
    EDITION_AUTO,
    MAP,
    RSI,
    SPAT,
    Heads,
)
from v2x.ingest.j2735cn_parts import ABSENT, in_box, swapped
from v2x.ingest.j2735cn_program import DEPTH, Mark, extension, program, run
from v2x.ingest.j2735cn_rows import is_place, off_datum
from v2x.ingest.j2735cn_types import MESSAGES, types_of
from v2x.ingest.rows import ObservationOut, ReadingOut, put
from v2x.ingest.timestamps import DAY, FUTURE_NS, HOUR, MINUTE, PAST_NS, civil_ns, nearest
from v2x.ingest.uper import FAULT, finished, take
from v2x.jit import uncounted
from v2x.observations import Flag, Kind
from v2x.readings import Name

(
    ROW, SENDER, _, MOY, STAMP, BASE_LAT, BASE_LON, BASE_UP, NUMBER, TYPE, SOURCE, LAT, LON, UP,
    RADIUS, END, CONFIDENCE, TEXT_KIND, TEXT_AT, TEXT_SIZE, REGION, NODE, STATUS, MOY_HERE,
    STAMP_HERE, PHASE, LIGHT, TIMING, START, LIKELY, PATHS, LINKS,
) = range(32)  # fmt: skip
_COLUMNS = 32
_EVENT, _SIGN, _STATE, _PHASE, _INTERSECTION, _NODE = range(6)

MOST_BYTES = 65_535
"""A longer message is refused: the envelope's length has 16 bits, and a frame on air far less."""

MOST_ROWS = 8_960
"""Rows of one message at most: 32 intersections of 16 phases of 16 states and one each."""

NODE_TEXT, PHASE_TEXT, UNIT_TEXT, EVENT_TEXT, SIGN_TEXT = range(1, 6)
"""First word of an identity's key, above its 32 bits of region or sender."""

_NO_MINUTE = 527_040
_STAMP_TOP = 61_000
_NO_MARK, _TENTH_NS, _HOUR_MARKS = 36_001, 100_000_000, 36_000
SLACK_NS = 5_000_000_000
"""A clock this near to a whole hour off has the wrong zone."""

_OVERSIZE, _OK, _NOTHING = int(Reject.OVERSIZE), int(Reject.OK), int(Reject.NOTHING_TO_OBSERVE)
_OBSTACLE = int(Kind.OBSTACLE)
_TIME_FROM_ARRIVAL, _TIME_SUSPECT = int(Flag.TIME_FROM_ARRIVAL), int(Flag.TIME_SUSPECT)
_EDITION_GUESSED, _ORDER_GUESSED = int(Flag.EDITION_GUESSED), int(Flag.ORDER_GUESSED)
_ROAD_EVENT, _ROAD_EVENT_END = int(Name.ROAD_EVENT), int(Name.ROAD_EVENT_END)
_ROAD_EVENT_RADIUS, _SIGN_NAME = int(Name.ROAD_EVENT_RADIUS_M), int(Name.SIGN)
_SIGNAL_STATUS, _SIGNAL_LIGHT = int(Name.SIGNAL_STATUS), int(Name.SIGNAL_LIGHT)
_SIGNAL_LEFT, _CLOCK_OFFSET = int(Name.SIGNAL_LEFT_S), int(Name.CLOCK_OFFSET_S)
_MAP_HASH, _MAP_NODES = int(Name.MAP_HASH), int(Name.MAP_NODES)
_HEIGHT_DATUM_SUSPECT = int(Name.HEIGHT_DATUM_SUSPECT)
_DEBRIS, _DAMAGE, _DETECTION = 401, 411, 5


def _events(
    edition: str, message: str, base: str, kinds: tuple[tuple[str, str, str, str, int], ...]
) -> I4:
    """Program of the events and signs of a message whose positions count from `base`."""
    columns = {"id": SENDER, base: BASE_LAT}
    marks = {"": Mark(clear=(0, _COLUMNS))}
    for path, number, kind, place, row in kinds:
        columns |= {
            f"{path}.{number}": NUMBER, f"{path}.{kind}": TYPE, f"{path}.{place}": LAT,
            f"{path}.timeDetails.endTime": END, f"{path}.description": TEXT_KIND,
            f"{path}.description.textString": TEXT_AT, f"{path}.description.textGB2312": TEXT_AT,
        }  # fmt: skip
        marks |= {
            path: Mark(clear=(NUMBER, TEXT_SIZE + 1), row=(ROW, row)),
            f"{path}.referencePaths": Mark(put=((PATHS, 1),)),
        }
    columns |= {
        "rtes.eventSource": SOURCE, "rtes.eventRadius": RADIUS, "rtes.eventConfidence": CONFIDENCE,
    }  # fmt: skip
    if message == MESSAGES["rsiFrame"]:
        columns["moy"] = MOY
    return program(types_of(edition), message, columns, marks)


def _intersections() -> I4:
    at, phase = "intersections", "intersections.phases"
    state = f"{phase}.phaseStates"
    return program(
        types_of("2019"), MESSAGES["spatFrame"],
        {
            "moy": MOY, "timeStamp": STAMP, f"{at}.intersectionId.region": REGION,
            f"{at}.intersectionId.id": NODE, f"{at}.status": STATUS, f"{at}.moy": MOY_HERE,
            f"{at}.timeStamp": STAMP_HERE, f"{phase}.id": PHASE, f"{state}.light": LIGHT,
            f"{state}.timing": TIMING, f"{state}.timing.counting.startTime": START,
            f"{state}.timing.counting.likelyEndTime": LIKELY,
            f"{state}.timing.utcTiming.startUTCTime": START,
            f"{state}.timing.utcTiming.likelyEndUTCTime": LIKELY,
        },
        {
            "": Mark(clear=(0, _COLUMNS)),
            at: Mark(clear=(REGION, STAMP_HERE + 1), row=(ROW, _INTERSECTION)),
            phase: Mark(row=(ROW, _PHASE)),
            state: Mark(clear=(LIGHT, LIKELY + 1), row=(ROW, _STATE)),
        },
    )  # fmt: skip


def _map(edition: str) -> I4:
    return program(
        types_of(edition), MESSAGES["mapFrame"],
        {"nodes.id.region": REGION, "nodes.id.id": NODE, "nodes.refPos": BASE_LAT},
        {
            "": Mark(clear=(0, _COLUMNS)),
            "nodes": Mark(clear=(REGION, NODE + 1), row=(ROW, _NODE)),
            "nodes.inLinks": Mark(put=((LINKS, 1),)),
        },
    )  # fmt: skip


class Programs(NamedTuple):
    """Programs by message and edition."""

    rsi_2019: I4
    rsi_2020: I4
    map_2019: I4
    map_2020: I4
    spat: I4
    ssm: I4


_RTE = ("rtes", "rteId", "eventType", "eventPos", _EVENT)
_RTS = ("rtss", "rtsId", "signType", "signPos", _SIGN)
PROGRAMS = Programs(
    _events("2019", MESSAGES["rsiFrame"], "refPos", (_RTE, _RTS)),
    _events("2020", MESSAGES["rsiFrame"], "refPos", (_RTE, _RTS)),
    _map("2019"),
    _map("2020"),
    _intersections(),
    _events("day2", "SensorSharingMsg", "sensorPos", (_RTE,)),
)


class Scratch(NamedTuple):
    """Rows of the message at hand."""

    register: I4
    wire: I4
    stack: I8

    @classmethod
    def room(cls) -> "Scratch":
        """Room for the largest message."""
        return cls(
            np.empty((1, _COLUMNS), np.int32), np.empty((MOST_ROWS, _COLUMNS), np.int32),
            np.empty(DEPTH, np.int64),
        )  # fmt: skip


class Units(NamedTuple):
    """Messages to read: their bytes, row of the poll's messages, envelope, sensor and arrival."""

    start: I8
    stop: I8
    message: I8
    outer: I4
    sensor: I4
    recv_ns: I8


class Sites(NamedTuple):
    """By sensor: edition of its configuration, what auto settled on, noise, and heights."""

    edition: U1
    learned: U1
    sd: F8
    sd_up: F8
    ground: F8
    sea: F8


class Loose(NamedTuple):
    """What the kernel leaves for Python.

    `text` by reading: bit, letters and kind of its description, kind -1 none; `map_hash` by message
    the reading that wants the hash of a MAP, -1 none; `ends` how often an end lay before its start.
    """

    text: I8
    map_hash: I8
    ends: I8


@uncounted
def in_year(minute: int, ms: int, recv_ns: int) -> int:
    """Full time of a minute of the UTC year and ms of it, nearest to the arrival."""
    year = 1970 + recv_ns // (365 * DAY + DAY // 4)
    best = 0
    for y in range(year - 1, year + 2):
        t_ns = civil_ns(y, 1, 1, 0) + minute * MINUTE + ms * 1_000_000
        if y < year or abs(t_ns - recv_ns) < abs(best - recv_ns):
            best = t_ns
    return best


@uncounted
def wrong_clock(offset_ns: int, slack_ns: int) -> bool:
    """Whether a clock is ahead, a day or more behind, or a whole number of hours off."""
    hours = (offset_ns + HOUR // 2) // HOUR
    whole = hours != 0 and abs(offset_ns - hours * HOUR) <= slack_ns
    return offset_ns > FUTURE_NS or -offset_ns > PAST_NS or whole


@uncounted
def read_units(
    programs: Programs, buf: U1, units: Units, sites: Sites, heads: Heads, code: U1,
    scratch: Scratch, slots: Slots, seen: ObservationOut, said: ReadingOut, loose: Loose,
) -> tuple[int, int]:  # fmt: skip
    """Rows of every RSI, SPAT and MAP: (observations, readings) filled.

    Identities in `said` are slots; code (messages,) is set, `sites.learned` changed in place.
    """
    register, wire, stack = scratch
    k = m = 0
    for i in range(units.start.shape[0]):
        j, s = units.message[i], units.sensor[i]
        p, end = 8 * units.start[i], 8 * units.stop[i]
        if end - p > 8 * MOST_BYTES:
            code[j] = _OVERSIZE
            continue
        kind, begin = take(buf, p, end, 4)
        guessed = False
        if kind == SPAT:
            q, rows = run(programs.spat, buf, begin, end, register, wire, 0, stack)
            q = finished(buf, q, end)
        elif kind in (RSI, MAP):
            auto = sites.edition[s] == EDITION_AUTO
            known = max(sites.learned[s], EDITION_2019) if auto else sites.edition[s]
            q, rows = _read(programs, kind, known, buf, begin, end, scratch)
            if auto and (q >= FAULT or (kind == MAP and not _in_district(wire))):
                other = EDITION_2019 + EDITION_2020 - known
                again, rows_again = _read(programs, kind, other, buf, begin, end, scratch)
                fits = again < FAULT and (
                    kind == RSI or _in_district(wire) or (q >= FAULT and register[0, LINKS] == 1)
                )
                if fits:
                    q, rows, known = again, rows_again, other
                elif q < FAULT:
                    q, rows = _read(programs, kind, known, buf, begin, end, scratch)
            guessed = auto and q < FAULT and (kind == MAP or register[0, PATHS] == 1)
            if guessed:
                sites.learned[s] = known
        else:
            _, begin, end, _ = extension(buf, p, end)
            q, rows = run(programs.ssm, buf, begin, end, register, wire, 0, stack)
        if q >= FAULT:
            code[j] = q - FAULT
            continue
        before, quiet = k, m
        if kind == SPAT:
            m = _tell_signals(wire, rows, i, units, heads, slots, said, m, loose)
        elif kind == MAP:
            m = _tell_map(wire, rows, i, units, sites, slots, said, m, loose)
        else:
            k, m = _tell_events(
                wire, rows, i, begin, guessed, units, sites, slots, seen, k, said, m, loose,
                kind == RSI,
            )  # fmt: skip
        if kind < 8 or k > before:
            code[j] = _OK if k > before else _NOTHING
        for r in range(quiet, m):
            said.frame[r] = units.outer[i]
    return k, m


@uncounted
def _read(
    programs: Programs, kind: int, edition: int, buf: U1, p: int, end: int, scratch: Scratch
) -> tuple[int, int]:
    """Run an RSI or MAP as one edition: the bit behind it or a fault, and its rows."""
    if kind == MAP:
        code = programs.map_2019 if edition == EDITION_2019 else programs.map_2020
    else:
        code = programs.rsi_2019 if edition == EDITION_2019 else programs.rsi_2020
    q, rows = run(code, buf, p, end, scratch.register, scratch.wire, 0, scratch.stack)
    return finished(buf, q, end), rows


@uncounted
def _in_district(wire: I4) -> bool:
    return in_box(wire[0, BASE_LAT], wire[0, BASE_LON])


@uncounted
def _node_slot(slots: Slots, row: I4, tag: int, phase: int) -> int:
    region = 0 if row[REGION] == ABSENT else int(row[REGION]) + 1
    return slot_of(slots, (tag << 32) | region, int(row[NODE]), phase)


@uncounted
def _unit_slot(slots: Slots, row: I4, tag: int, number: int) -> int:
    high, low = int(row[SENDER]) & 0xFFFF_FFFF, int(row[SENDER + 1]) & 0xFFFF_FFFF
    return slot_of(slots, (tag << 32) | high, low, number)


@uncounted
def _tell_signals(
    wire: I4, rows: int, i: int, units: Units, heads: Heads, slots: Slots, said: ReadingOut,
    m: int, loose: Loose,
) -> int:  # fmt: skip
    """Readings of a SPAT from row `m` on; the next free row."""
    recv, s = units.recv_ns[i], units.sensor[i]
    light, left = -1, np.nan
    timed = twisted = False
    fresh = True
    t_ns = recv
    for r in range(rows):
        row = wire[r]
        if fresh:
            moy = row[MOY_HERE] if row[MOY_HERE] != ABSENT else row[MOY]
            stamp = row[STAMP_HERE] if row[STAMP_HERE] != ABSENT else row[STAMP]
            t_ns = recv
            if 0 <= stamp < _STAMP_TOP:
                if heads.sec_mark[units.message[i]] < 0:
                    heads.sec_mark[units.message[i]] = stamp
                if 0 <= moy < _NO_MINUTE:
                    t_ns = in_year(moy, stamp, recv)
                    offset = t_ns - recv
                    if wrong_clock(offset, SLACK_NS):
                        t_ns = recv
                    slot = _node_slot(slots, row, NODE_TEXT, 0)
                    m = put(said, m, 0, t_ns, recv, s, slot, _CLOCK_OFFSET, offset / 1e9)
                    loose.text[m - 1, 2] = -1
                else:
                    t_ns = nearest(recv, stamp * 1_000_000, MINUTE)
            fresh = False
        if row[ROW] == _STATE:
            start, likely = row[START], row[LIKELY]
            ends = np.nan
            if row[TIMING] < 0:
                runs = True
            elif row[TIMING] == 0:
                runs = start == 0
                twisted |= likely < start or (likely == start and start > 0)
                if likely < _NO_MARK:
                    ends = likely / 10.0
            else:
                now = t_ns % HOUR // _TENTH_NS
                runs = False
                if start < _NO_MARK and likely < _NO_MARK:
                    to_go = (likely - now) % _HOUR_MARKS
                    runs = (now - start) % _HOUR_MARKS <= (likely - start) % _HOUR_MARKS
                    ends = to_go / 10.0
            if runs and light < 0:
                light, left = max(row[LIGHT], 0), ends
                timed = row[TIMING] >= 0
        elif row[ROW] == _PHASE:
            if light >= 0:
                slot = _node_slot(slots, row, PHASE_TEXT, int(row[PHASE]))
                m = put(said, m, 0, t_ns, recv, s, slot, _SIGNAL_LIGHT, float(light))
                loose.text[m - 1, 2] = -1
                if timed:
                    if twisted:
                        left = np.nan
                    m = put(said, m, 0, t_ns, recv, s, slot, _SIGNAL_LEFT, left)
                    loose.text[m - 1, 2] = -1
            loose.ends[0] += twisted
            light, left = -1, np.nan
            timed = twisted = False
        else:
            slot = _node_slot(slots, row, NODE_TEXT, 0)
            m = put(said, m, 0, t_ns, recv, s, slot, _SIGNAL_STATUS, float(row[STATUS]))
            loose.text[m - 1, 2] = -1
            fresh = True
    return m


@uncounted
def _tell_map(
    wire: I4, rows: int, i: int, units: Units, sites: Sites, slots: Slots, said: ReadingOut,
    m: int, loose: Loose,
) -> int:  # fmt: skip
    """Readings of a MAP from row `m` on; the next free row."""
    recv, s, row = units.recv_ns[i], units.sensor[i], wire[0]
    slot = _node_slot(slots, row, NODE_TEXT, 0)
    first = m
    if off_datum(row[BASE_UP], sites.ground[s], sites.sea[s]):
        off = row[BASE_UP] / 10.0 - sites.ground[s]
        m = put(said, m, 0, recv, recv, s, slot, _HEIGHT_DATUM_SUSPECT, off)
    loose.map_hash[i] = m
    m = put(said, m, 0, recv, recv, s, slot, _MAP_HASH, np.nan)
    m = put(said, m, 0, recv, recv, s, slot, _MAP_NODES, float(rows))
    lat, lon = row[BASE_LAT], row[BASE_LON]
    for r in range(first, m):
        loose.text[r, 2] = -1
        if is_place(lat, lon):
            turned = swapped(lat, lon)
            said.lat[r] = (lon if turned else lat) / 1e7
            said.lon[r] = (lat if turned else lon) / 1e7
    return m


@uncounted
def _tell_events(
    wire: I4, rows: int, i: int, begin: int, guessed: bool, units: Units, sites: Sites,
    slots: Slots, seen: ObservationOut, k: int, said: ReadingOut, m: int, loose: Loose,
    own: bool,
) -> tuple[int, int]:  # fmt: skip
    """Rows of the events and signs of an RSI (`own`) or SSM: next free (observation, reading)."""
    recv, s = units.recv_ns[i], units.sensor[i]
    suspect = rows > 0 and off_datum(wire[0, BASE_UP], sites.ground[s], sites.sea[s])
    if suspect and own:
        off = wire[0, BASE_UP] / 10.0 - sites.ground[s]
        slot = _unit_slot(slots, wire[0], UNIT_TEXT, 0)
        m = put(said, m, 0, recv, recv, s, slot, _HEIGHT_DATUM_SUSPECT, off)
        loose.text[m - 1, 2] = -1
    flags = _TIME_FROM_ARRIVAL
    if guessed:
        flags |= _EDITION_GUESSED
    if rows > 0 and 0 <= wire[0, MOY] < _NO_MINUTE:
        offset = in_year(wire[0, MOY], 0, recv) - recv
        # A minute says no more: the nearest of its moments counts.
        if wrong_clock(max(offset, 0) + min(offset + MINUTE, 0), MINUTE):
            flags |= _TIME_SUSPECT
    for r in range(rows):
        row = wire[r]
        event = row[ROW] == _EVENT
        slot = _unit_slot(slots, row, EVENT_TEXT if event else SIGN_TEXT, int(row[NUMBER]))
        lat, lon = row[LAT], row[LON]
        here = is_place(lat, lon)
        turned = here and swapped(lat, lon)
        if turned:
            lat, lon = lon, lat
        first = m
        name = _ROAD_EVENT if event else _SIGN_NAME
        m = put(said, m, 0, recv, recv, s, slot, name, float(row[TYPE]))
        loose.text[first, 0], loose.text[first, 1] = begin + row[TEXT_AT], row[TEXT_SIZE]
        loose.text[first, 2] = max(row[TEXT_KIND], -1)
        if row[RADIUS] != ABSENT:
            radius = row[RADIUS] / 10.0
            m = put(said, m, 0, recv, recv, s, slot, _ROAD_EVENT_RADIUS, radius)
            loose.text[m - 1, 2] = -1
        if event and 0 <= row[END] < _NO_MINUTE:
            ends = in_year(row[END], 0, recv) / 1e9
            m = put(said, m, 0, recv, recv, s, slot, _ROAD_EVENT_END, ends)
            loose.text[m - 1, 2] = -1
        if not here:
            continue
        for told in range(first, m):
            said.lat[told], said.lon[told] = lat / 1e7, lon / 1e7
        is_obstacle = row[TYPE] == _DEBRIS or row[TYPE] == _DAMAGE
        if not event or not is_obstacle or row[SOURCE] != _DETECTION:
            continue
        seen.frame[k], seen.sensor[k] = units.outer[i], s
        seen.t_ns[k], seen.recv_ns[k] = recv, recv
        seen.ident[k], seen.track_ref[k] = -1, row[NUMBER]
        seen.kind[k] = _OBSTACLE
        seen.kind_conf[k] = row[CONFIDENCE] / 200.0 if row[CONFIDENCE] >= 0 else 0.7
        seen.lat[k], seen.lon[k] = lat / 1e7, lon / 1e7
        seen.flags[k] = flags | (_ORDER_GUESSED if turned else 0)
        sd = sites.sd[s]
        if row[RADIUS] > 0 and not row[RADIUS] / 20.0 <= sd:
            sd = row[RADIUS] / 20.0
        seen.cov[k, 0], seen.cov[k, 3] = sd * sd, sd * sd
        seen.cov[k, 1] = seen.cov[k, 2] = seen.cov[k, 4] = 0.0
        if row[UP] != ABSENT and not suspect:
            seen.height[k] = row[UP] / 10.0
            seen.cov[k, 5] = sites.sd_up[s] ** 2
        k += 1
    return k, m
