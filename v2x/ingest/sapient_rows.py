"""SAPIENT messages of a poll, from bytes to rows in one call.

The rules are those of `v2x.ingest.sapient_plain`, which reads what this does not: a frame of more
than `MOST_BYTES`, or a state or UTM zone that is not ASCII. Identities are slots of
`v2x.ingest.texts`; heights above the geoid and kinds are left to `v2x.ingest.formats.sapient`.

A long file: every content reads its place, time and texts alike.
"""

import math
from typing import NamedTuple

import numpy as np

from v2x.columns import F4, F8, I4, I8, U1, U2
from v2x.ingest.decoded import Reject
from v2x.ingest.interning import u8
from v2x.ingest.protobuf_walk import Walk, walk
from v2x.ingest.rows import ReadingOut, put
from v2x.ingest.sapient_columns import (
    ABSENT,
    ALERT,
    ALERT_CONTENT,
    ALERT_ID,
    AZIMUTH,
    AZIMUTH_SD,
    CONTENT,
    DATUM,
    DETECTION_REPORT,
    EAST,
    EAST_SD,
    ELEVATION,
    ELEVATION_SD,
    IDENT,
    LEVEL,
    LOCATION,
    NAME,
    NANOS,
    NODE,
    NODE_LOCATION,
    NORTH_SD,
    OBJECT,
    PLACE,
    RANGE,
    RANGE_SD,
    REGIONS,
    REGISTRATION,
    SECONDS,
    STAMPED,
    STATE,
    STATUS,
    STATUS_REPORT,
    SYSTEM,
    UNIT,
    UNSURE,
    X_SD,
    Y_SD,
    Z_SD,
    ZONE,
    X,
    Y,
    Z,
)
from v2x.ingest.texts import MOST_BYTES, Spans, slot_of_text
from v2x.ingest.timestamps import FUTURE_NS, PAST_NS, SECOND
from v2x.ingest.utm import from_utm
from v2x.jit import uncounted
from v2x.observations import Flag, Model
from v2x.readings import Name

DEGREES, RADIANS, UTM, GEOID, MAGNETIC, GRID = 1, 2, 5, 2, 2, 3
MOST_STATUS = 100
MOST_CLASSES = 16
MOST_SECONDS = 4_000_000_000
SENSOR_CONF = 0.7
"""Of a class without one; a sub-class without one is as sure as what it stands in."""
DEGREES_SD, RADIANS_SD = 0.01, 2e-4
"""Position errors above are metres."""
RADIUS = 6_371_000.0

PLAIN = 255
"""Code of a message that is left to the plain reader."""

NODE_TEXT, OBJECT_TEXT, EXTERNAL_TEXT, STATUS_TEXT, ALERT_TEXT, BARE_TEXT, CLASS_TEXT = range(7)

_OK, _SHORT, _BAD_MAGIC = int(Reject.OK), int(Reject.SHORT), int(Reject.BAD_MAGIC)
_BAD_LENGTH, _UNKNOWN = int(Reject.BAD_LENGTH), int(Reject.UNKNOWN_MESSAGE)
_VALUE_RANGE, _NOTHING = int(Reject.VALUE_RANGE), int(Reject.NOTHING_TO_OBSERVE)
_TIME_FROM_ARRIVAL, _TIME_SUSPECT = int(Flag.TIME_FROM_ARRIVAL), int(Flag.TIME_SUSPECT)
_DATUM_UNCERTAIN = int(Flag.DATUM_UNCERTAIN)
_POSITION, _POLAR, _BEARING = int(Model.POSITION), int(Model.POLAR), int(Model.BEARING)
_HEARTBEAT, _TRACK_LOST = int(Name.HEARTBEAT), int(Name.TRACK_LOST)
_NODE_STATUS, _NODE_CONDITION = int(Name.NODE_STATUS), int(Name.NODE_CONDITION)
_NODE_POWER, _NODE_LOCATION = int(Name.NODE_POWER), int(Name.NODE_LOCATION)
_NODE_OBSCURED, _NODE_TYPE = int(Name.NODE_OBSCURED), int(Name.NODE_TYPE)
_NODE_ALERT = int(Name.NODE_ALERT)
_LOST = np.frombuffer(b"object lost", np.uint8)
_TURN = 2.0 * math.pi


class DetectionOut(NamedTuple):
    """Columns of `Observations` that are filled; the others stay blank."""

    frame: I4
    t_ns: I8
    recv_ns: I8
    sensor: I4
    ident: I8
    track_ref: I8
    model: U1
    lat: F8
    lon: F8
    height: F8
    cov: F8
    vel: F8
    vel_sd: F4
    range: F8
    az: F8
    el: F8
    range_sd: F8
    ang_sd: F8
    flags: U2


class Sites(NamedTuple):
    """By sensor: degrees of its place, NaN where not configured, and its yaw."""

    lat: F8
    lon: F8
    yaw_deg: F8


class Loose(NamedTuple):
    """What is left for Python.

    Attributes
    ----------
    amsl, geoid
        By observation, its height above the geoid, NaN where it is none; by reading, whether its
        value is one.
    first, slot, sure
        By observation, where its chain of classes begins, the last behind it one more; by link its
        text, and the confidence up to there.
    chain
        (MOST_CLASSES + 2, MOST_CLASSES) scratch: wire row of the best class by depth, and behind
        it those within.
    counts
        (3 + contents,): errors in metres, azimuths without yaw, and contents that give nothing.
    """

    amsl: F8
    geoid: U1
    first: I8
    slot: I8
    sure: F8
    chain: I8
    counts: I8


@uncounted
def read_messages(
    table: I4, buf: U1, off: I8, first: int, sensor: I4, recv_ns: I8, sites: Sites, it: Walk,
    spans: Spans, seen: DetectionOut, said: ReadingOut, loose: Loose, code: U1,
) -> tuple[int, int]:  # fmt: skip
    """Rows of the frames from `first` on, as many as `code` is long: (observations, readings).

    buf u1 padded, off (frames + 1,), sensor, recv_ns (frames,) of the whole poll. Identities of
    rows are slots; code is set, `PLAIN` for what is to be read otherwise.
    """
    k = m = 0
    loose.first[0] = 0
    for j in range(code.shape[0]):
        i = first + j
        n, end = 0, off[i + 1]
        at, why = _body(buf, off[i], end)
        if end - at > MOST_BYTES:
            why = PLAIN
        if why == _OK:
            why, n = walk(table, buf, at, end, it)
            if why == _SHORT and (at == end or buf[at] != 0x0A):
                why = _BAD_MAGIC
            if why == _OK and it.register[CONTENT] == 0:
                named = it.register[STAMPED] != 0 or it.register[NODE] >= 0
                why = _UNKNOWN if named else _BAD_MAGIC
        if why == _OK:
            why, k, m = _tell(
                buf, i, n, recv_ns[i], sensor[i], sites, it, spans, seen, k, said, m, loose
            )
        code[j] = why
    return k, m


@uncounted
def _body(buf: U1, at: int, end: int) -> tuple[int, int]:
    """Where the message of a frame begins, behind its length or not; reject code."""
    size = end - at
    if size == 0:
        return at, _SHORT
    if size > 4:
        told = u8(buf, at) | u8(buf, at + 1) << 8 | u8(buf, at + 2) << 16 | u8(buf, at + 3) << 24
        if told == size - 4:
            return at + 4, _OK
        if buf[at + 4] == 0x0A:
            if size < told + 4 <= 1 << 20:
                return at, _SHORT
            if 0 < told < size - 4 and buf[at] != 0x0A:
                return at, _BAD_LENGTH
    return at, _OK


@uncounted
def _tell(
    buf: U1, i: int, n: int, recv: int, s: int, sites: Sites, it: Walk, spans: Spans,
    seen: DetectionOut, k: int, said: ReadingOut, m: int, loose: Loose,
) -> tuple[int, int, int]:  # fmt: skip
    """Rows of one message with `n` wire rows: its code, and the next free ones."""
    row = it.register
    content = row[CONTENT]
    t_ns, flags = _time(row, recv)
    why = _OK
    m0, k0 = m, k
    if content == DETECTION_REPORT:
        lost = _lost(buf, row[STATE], row[STATE + 1])
        if lost < 0:
            return PLAIN, k, m
        if lost:
            who = _slot(spans, NODE_TEXT, buf, row, NODE)
            m = put(said, m, i, t_ns, recv, s, who, _TRACK_LOST, 1.0)
            said.ident2[m - 1] = _slot(spans, OBJECT_TEXT, buf, row, OBJECT)
        elif row[PLACE] != 0:
            why, k = _tell_detection(buf, n, t_ns, flags, s, sites, it, spans, seen, k, loose)
        for r in range(k0, k):
            seen.frame[r], seen.recv_ns[r], seen.sensor[r] = i, recv, s
    elif content == STATUS_REPORT:
        why, m = _tell_status(buf, i, n, t_ns, recv, s, sites, it, spans, said, m, loose)
    elif content == ALERT_CONTENT:
        if _foreign(buf, row):
            return PLAIN, k, m
        active = 0 <= row[STATUS] <= 2
        who = _slot(spans, NODE_TEXT, buf, row, NODE)
        value = float(row[ALERT]) if active else 0.0
        m = put(said, m, i, t_ns, recv, s, who, _NODE_ALERT, value)
        said.ident2[m - 1] = _slot(spans, ALERT_TEXT, buf, row, ALERT_ID)
        if row[PLACE] == LOCATION:
            lat, lon = _pair(buf, it, s, sites)
            said.lat[m - 1], said.lon[m - 1] = lat, lon
    elif content == REGISTRATION:
        who = _slot(spans, NODE_TEXT, buf, row, NODE)
        value = float(it.rows[0, 1]) if n else 0.0
        m = put(said, m, i, t_ns, recv, s, who, _NODE_TYPE, value)
        said.ident2[m - 1] = _slot(spans, BARE_TEXT, buf, row, NAME)
    else:
        loose.counts[2 + content] += 1
    if why == _OK and k == k0 and m == m0:
        why = _NOTHING
    return why, k, m


@uncounted
def _slot(spans: Spans, scheme: int, buf: U1, row: I8, column: int) -> int:
    """Slot of the text in two columns, -1 where it is empty."""
    at, end = row[column], row[column + 1]
    return slot_of_text(spans, scheme, 0, buf, at, end) if end > at else -1


@uncounted
def _time(row: I8, recv: int) -> tuple[int, int]:
    """Event time and its flags."""
    seconds, nanos = row[SECONDS], row[NANOS]
    if seconds == 0:
        return recv, _TIME_FROM_ARRIVAL
    if not (0 < seconds < MOST_SECONDS and 0 <= nanos < SECOND):
        return recv, _TIME_FROM_ARRIVAL | _TIME_SUSPECT
    t_ns = seconds * SECOND + nanos
    return t_ns, (_TIME_SUSPECT if t_ns - recv > FUTURE_NS or recv - t_ns > PAST_NS else 0)


@uncounted
def _blank(byte: int) -> bool:
    """Whether a byte is white space as Python's ``str.strip`` has it."""
    return byte == 0x20 or 9 <= byte <= 13 or 0x1C <= byte <= 0x1F


@uncounted
def _lost(buf: U1, at: int, end: int) -> int:
    """1 for the state "lost" or "object lost", 0 for another, -1 where only Python can say."""
    for p in range(at, end):
        if buf[p] >= 0x80:
            return -1
    while at < end and _blank(u8(buf, at)):
        at += 1
    while at < end and _blank(u8(buf, end - 1)):
        end -= 1
    size = end - at
    if size != 4 and size != 11:
        return 0
    for k in range(size):
        byte = u8(buf, at + k)
        if 65 <= byte <= 90:
            byte += 32
        if byte != _LOST[11 - size + k]:
            return 0
    return 1


@uncounted
def _within(value: float, low: float, high: float) -> float:
    return value if low <= value <= high else np.nan


@uncounted
def _larger(a: float, b: float) -> float:
    """The larger of two numbers either of which may be NaN."""
    return a if b != b or a > b else b


@uncounted
def _foreign(buf: U1, row: I8) -> bool:
    """Whether a UTM zone is a text that only Python can read."""
    if row[UNIT] != UTM:
        return False
    foreign = False
    for p in range(row[ZONE], row[ZONE + 1]):
        foreign |= buf[p] >= 0x80
    return bool(foreign)


@uncounted
def _zone(buf: U1, at: int, end: int, lat: float, lon: float) -> tuple[int, bool]:
    """UTM zone and whether it lies south, of a text or else of the sensor's place; (0, False)."""
    while at < end and _blank(u8(buf, at)):
        at += 1
    zone = digits = 0
    while at < end and digits < 2 and 48 <= buf[at] <= 57:
        zone, digits, at = zone * 10 + u8(buf, at) - 48, digits + 1, at + 1
    band = 0
    while at < end and _blank(u8(buf, at)):
        at += 1
    if at < end and digits:
        letter = u8(buf, at) & 0xDF
        if 67 <= letter <= 88 and letter != 73 and letter != 79 and buf[at] >= 65:
            band, at = letter, at + 1
    while at < end and _blank(u8(buf, at)):
        at += 1
    if digits and at == end:
        return zone, (0 < band < 78) or (band == 0 and lat < 0.0)
    if not abs(lon) < np.inf:
        return 0, False
    return int((lon + 180.0) % 360.0 // 6.0) + 1, lat < 0.0


@uncounted
def _pair(buf: U1, it: Walk, s: int, sites: Sites) -> tuple[float, float]:
    """Latitude and longitude of a location, NaN where it is no place on the globe."""
    row = it.register
    x, y = it.floats[X], it.floats[Y]
    lat = lon = np.nan
    if row[UNIT] == DEGREES:
        lat, lon = y, x
    elif row[UNIT] == RADIANS:
        lat, lon = math.degrees(y), math.degrees(x)
    elif row[UNIT] == UTM:
        zone, south = _zone(buf, row[ZONE], row[ZONE + 1], sites.lat[s], sites.lon[s])
        lat, lon = from_utm(x, y, zone, south)
    if not (abs(lat) <= 90.0 and abs(lon) <= 180.0) or (abs(lat) <= 0.01 and abs(lon) <= 0.01):
        return np.nan, np.nan
    return lat, lon


@uncounted
def _tell_detection(
    buf: U1, n: int, t_ns: int, flags: int, s: int, sites: Sites, it: Walk, spans: Spans,
    seen: DetectionOut, k: int, loose: Loose,
) -> tuple[int, int]:  # fmt: skip
    """Row of a detected object that has a place: a reject code, and the next free row."""
    row, number = it.register, it.floats
    if row[DATUM] == 0:
        flags |= _DATUM_UNCERTAIN
    if row[PLACE] == LOCATION:
        if _foreign(buf, row):
            return PLAIN, k
        lat, lon = _pair(buf, it, s, sites)
        if math.isnan(lat):
            return _VALUE_RANGE, k
        links = _classes(buf, n, it, spans, loose, k)
        seen.model[k], seen.lat[k], seen.lon[k] = _POSITION, lat, lon
        east, north = _within(number[X_SD], 0.0, 1e5), _within(number[Y_SD], 0.0, 1e5)
        if row[UNIT] != UTM:
            in_degrees = row[UNIT] == DEGREES
            worse = north if north > east else east
            if worse > (DEGREES_SD if in_degrees else RADIANS_SD):
                loose.counts[0] += 1
            else:
                metre = RADIUS * (math.pi / 180.0 if in_degrees else 1.0)
                east, north = east * metre * math.cos(math.radians(lat)), north * metre
        seen.cov[k] = 0.0
        seen.cov[k, 0], seen.cov[k, 3] = east * east, north * north
        seen.cov[k, 5] = _within(number[Z_SD], 0.0, 1e5) ** 2
        up = _within(number[Z], -1e4, 1e5)
        loose.amsl[k] = np.nan
        if row[DATUM] == GEOID:
            loose.amsl[k] = up
        else:
            seen.height[k] = up
    else:
        unit, datum = row[UNIT], row[DATUM]
        angle = 1.0 if unit == 2 or unit == 4 else math.pi / 180.0
        length = 1000.0 if unit == 3 or unit == 4 else 1.0
        azimuth = _within(number[AZIMUTH], -720.0 / angle, 720.0 / angle) * angle
        elevation = _within(number[ELEVATION], -90.0, 90.0) * angle
        if math.isnan(azimuth) or not abs(elevation) <= math.pi / 2 or not 1 <= unit <= 4:
            return _VALUE_RANGE, k
        if datum in (MAGNETIC, GRID) and sites.yaw_deg[s] == 0.0:
            loose.counts[1] += 1
            return _VALUE_RANGE, k
        links = _classes(buf, n, it, spans, loose, k)
        ranged = _within(number[RANGE] * length, 1e-3, 1e6)
        seen.model[k] = _BEARING if math.isnan(ranged) else _POLAR
        seen.az[k], seen.el[k], seen.range[k] = azimuth % _TURN, elevation, ranged
        errors = _larger(
            _within(number[AZIMUTH_SD], 0.0, 1e6), _within(number[ELEVATION_SD], 0.0, 1e6)
        )
        seen.ang_sd[k] = errors * angle
        seen.range_sd[k] = _within(number[RANGE_SD], 0.0, 1e6) * length
        loose.amsl[k] = np.nan
    loose.first[k + 1] = loose.first[k] + links
    seen.t_ns[k], seen.flags[k] = t_ns, flags
    seen.ident[k] = _slot(spans, EXTERNAL_TEXT, buf, row, IDENT)
    seen.track_ref[k] = _slot(spans, OBJECT_TEXT, buf, row, OBJECT)
    for axis in range(3):
        seen.vel[k, axis] = _within(number[EAST + axis], -1e3, 1e3)
    sd = _larger(_within(number[EAST_SD], 0.0, 1e3), _within(number[NORTH_SD], 0.0, 1e3))
    seen.vel_sd[k] = sd if sd != 0.0 else np.nan
    return _OK, k + 1


@uncounted
def _confidence(it: Walk, r: int, default: float) -> float:
    """Confidence of the class in wire row `r`."""
    if it.rows[r, 1] == UNSURE:
        return default
    value = it.row_floats[r, 1]
    return value if 0.0 <= value <= 1.0 else 0.0


@uncounted
def _classes(buf: U1, n: int, it: Walk, spans: Spans, loose: Loose, k: int) -> int:
    """Chain of the most confident class and sub-classes of observation `k`: how many.

    A class stands in a wire row behind all it holds; of equal ones the first counts.
    """
    chain = loose.chain
    for d in range(chain.shape[0]):
        chain[d, 0] = -1
    for r in range(n):
        d = it.rows[r, 0] - 1  # the report itself lies 1 deep
        default = SENSOR_CONF if d == 0 else 1.0
        best = chain[d, 0]
        if best < 0 or _confidence(it, r, default) > _confidence(it, best, default):
            chain[d, 0] = r
            for c in range(1, chain.shape[1]):
                chain[d, c] = chain[d + 1, c - 1]
        chain[d + 1, 0] = -1
    sure, links = 1.0, 0
    at = loose.first[k]
    while links < chain.shape[1] and chain[0, links] >= 0:
        r = chain[0, links]
        begin, end = it.rows[r, 2], it.rows[r, 3]
        sure = min(sure, _confidence(it, r, SENSOR_CONF if links == 0 else 1.0))
        loose.slot[at + links] = slot_of_text(spans, CLASS_TEXT, 0, buf, begin, end)
        loose.sure[at + links] = sure
        links += 1
    return links


@uncounted
def _tell_status(
    buf: U1, i: int, n: int, t_ns: int, recv: int, s: int, sites: Sites, it: Walk, spans: Spans,
    said: ReadingOut, m: int, loose: Loose,
) -> tuple[int, int]:  # fmt: skip
    """Readings of a status report: a code, and the next free row."""
    row, rows = it.register, it.rows
    entries = min(n, MOST_STATUS)
    if row[PLACE] == NODE_LOCATION and _foreign(buf, row):
        return PLAIN, m
    who = _slot(spans, NODE_TEXT, buf, row, NODE)
    m = put(said, m, i, t_ns, recv, s, who, _HEARTBEAT, 1.0)
    if row[SYSTEM] != ABSENT:
        m = put(said, m, i, t_ns, recv, s, who, _NODE_STATUS, float(row[SYSTEM]))
    for r in range(entries):
        m = put(said, m, i, t_ns, recv, s, who, _NODE_CONDITION, float(rows[r, 1]))
        said.ident2[m - 1] = slot_of_text(
            spans, STATUS_TEXT, rows[r, 2], buf, rows[r, 3], rows[r, 4]
        )
    if row[LEVEL] != ABSENT:
        m = put(said, m, i, t_ns, recv, s, who, _NODE_POWER, float(row[LEVEL]))
    if row[PLACE] == NODE_LOCATION:
        lat, lon = _pair(buf, it, s, sites)
        if not math.isnan(lat):
            up = _within(it.floats[Z], -1e4, 1e5)
            m = put(said, m, i, t_ns, recv, s, who, _NODE_LOCATION, up)
            said.lat[m - 1], said.lon[m - 1] = lat, lon
            loose.geoid[m - 1] = row[DATUM] == GEOID
    if row[REGIONS] > 0:
        m = put(said, m, i, t_ns, recv, s, who, _NODE_OBSCURED, float(row[REGIONS]))
    return _OK, m


@uncounted
def classify(n: int, loose: Loose, kinds: U1, weights: F8, kind: U1, kind_conf: F4) -> None:
    """Kind and confidence of n observations, by the deepest class whose text has a kind.

    kinds, weights (slots,) of a text -> kind, kind_conf (n,).
    """
    for k in range(n):
        for at in range(loose.first[k], loose.first[k + 1]):
            slot = loose.slot[at]
            if kinds[slot] != 0:
                kind[k], kind_conf[k] = kinds[slot], loose.sure[at] * weights[slot]
