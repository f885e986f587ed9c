"""Frames of ASTERIX blocks to columns: `survey` tests and counts a poll, `fill` writes its rows.

A frame whose items do not add up to its blocks is refused whole before a row is written, so what
`fill` reads lies inside the frame. `v2x.ingest.formats.asterix` has the rules in words.
"""

from typing import Any, NamedTuple

import numpy as np

from v2x.columns import F4, F8, I4, I8, U1, U2
from v2x.ingest.asterix_items import ROW, STRANGE, Found, find, frn, i24, i32, u16
from v2x.ingest.asterix_places import Bench, undulation_at
from v2x.ingest.asterix_plots import read_plot, read_service
from v2x.ingest.asterix_records import (
    ADDRESS,
    AMSL,
    ANG_SD,
    AZ,
    AZ_ERROR,
    BAD_TIME,
    BEATS,
    COASTS,
    CONF,
    COV,
    EAST,
    EL,
    EMERGENCY,
    ENDS,
    FLAGS,
    GEO_MINUS_BARO,
    GROUND,
    HEIGHT,
    KIND,
    LAT,
    LENGTH,
    LON,
    MODEL,
    MONITOR,
    MONITOR_AZ,
    NACP,
    NAME,
    NAME_KEY,
    NIC,
    PADDED,
    PERIOD,
    PRESSURE,
    RADIAL,
    RANGE,
    RANGE_ERROR,
    RANGE_SD,
    RSSI,
    SEEN,
    SQUAWK,
    STATUS,
    TIME,
    TRACK,
    VEL_SD,
    WIDTH,
    Record,
    clear,
)
from v2x.ingest.asterix_squitters import read_squitter
from v2x.ingest.asterix_tracks import read_system, read_track
from v2x.ingest.decoded import Reject
from v2x.ingest.interning import Slots, slot_of, u8
from v2x.ingest.rows import ReadingOut, put
from v2x.ingest.timestamps import DAY, FUTURE_NS, nearest
from v2x.jit import kernel, uncounted
from v2x.observations import Flag, Observations
from v2x.readings import Name

MOST_RECORDS = 8_192
"""Records of a frame; a datagram of 64 KiB holds fewer that say anything."""
MOST_READINGS = 8
"""Of one record."""

OK, NOTHING = int(Reject.OK), int(Reject.NOTHING_TO_OBSERVE)
_SHORT, _BAD_MAGIC = int(Reject.SHORT), int(Reject.BAD_MAGIC)
_BAD_LENGTH, _EDITION = int(Reject.BAD_LENGTH), int(Reject.UNKNOWN_EDITION)
_TOO_COMPLEX = int(Reject.TOO_COMPLEX)
_LENGTH_BAD, _SUSPECT = int(Flag.LENGTH_BAD), int(Flag.TIME_SUSPECT)
_UNCERTAIN = int(Flag.DATUM_UNCERTAIN)
_FROM_ARRIVAL = int(Flag.TIME_FROM_ARRIVAL)

_FACTS = np.array(
    [
        (int(Name.PRESSURE_ALTITUDE), PRESSURE),
        (int(Name.SQUAWK), SQUAWK),
        (int(Name.EMERGENCY), EMERGENCY),
        (int(Name.RADAR_STATUS), STATUS),
        (int(Name.ANTENNA_PERIOD_S), PERIOD),
        (int(Name.RADAR_RANGE_ERROR_M), RANGE_ERROR),
        (int(Name.RADAR_AZ_ERROR), AZ_ERROR),
        (int(Name.GROUND_BIT), GROUND),
        (int(Name.NACP), NACP),
        (int(Name.NIC), NIC),
        (int(Name.GEO_MINUS_BARO_M), GEO_MINUS_BARO),
    ]
)
"""Readings that are one number of a record."""
_HEARTBEAT, _CALLSIGN = int(Name.HEARTBEAT), int(Name.CALLSIGN)
_MONITOR, _MONITOR_AZ = int(Name.RADAR_MONITOR), int(Name.RADAR_MONITOR_AZ)
_TRACK_END, _TRACK_COASTING = int(Name.TRACK_END), int(Name.TRACK_COASTING)

TICK_NS = 1_000_000_000 // 128
_TICKS = 86_401 * 128
"""A day, and the second that leap seconds may add."""
_T105, _B130, _B131 = frn(62, "105"), frn(21, "130"), frn(21, "131")


class PlotOut(NamedTuple):
    """All columns of `Observations`, and the height above mean sea level beside."""

    frame: I4
    t_ns: I8
    recv_ns: I8
    sensor: I4
    ident: I8
    track_ref: I8
    kind: U1
    kind_conf: F4
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
    radial: F4
    radial_sd: F4
    rssi: F4
    size: F4
    flags: U2
    amsl: F8


_COLUMNS = sorted(
    [
        (name, dtype, shape, dtype.itemsize * int(np.prod(shape)))
        for name, dtype, shape, _ in (
            *Observations.schema(),
            ("amsl", np.dtype("f8"), (), np.nan),
        )
    ],
    key=lambda column: -column[1].itemsize,
)
"""Name, type, shape and bytes a row of the columns of `PlotOut`, widest type first."""
_ROW_BYTES = sum(column[3] for column in _COLUMNS)


def room(n: int) -> PlotOut:
    """Columns for up to `n` observations, in one block."""
    block = np.empty(n * _ROW_BYTES, np.uint8)
    columns: dict[str, Any] = {}
    at = 0
    for name, dtype, shape, size in _COLUMNS:
        columns[name] = np.ndarray((n, *shape), dtype, block, at)
        at += n * size
    return PlotOut(**columns)


def observations_of(out: PlotOut, n: int) -> tuple[Observations, F8]:
    """First `n` rows of `out`, and their heights above mean sea level."""
    columns: dict[str, Any] = {name: column[:n] for name, column in out._asdict().items()}
    amsl: F8 = columns.pop("amsl")
    return Observations(**columns), amsl


@uncounted
def _may_be_here(buf: U1, category: int, found: Found) -> bool:
    """Whether the position of a track or squitter, if any, is on the globe."""
    at = found.at
    if category == 62 and at[_T105] >= 0:
        p = at[_T105]
        return abs(i32(buf, p)) <= 2**24 and abs(i32(buf, p + 4)) <= 2**25
    if category == 21 and at[_B131] >= 0:
        p = at[_B131]
        return abs(i32(buf, p)) <= 2**29 and abs(i32(buf, p + 4)) <= 2**30
    if category == 21 and at[_B130] >= 0:
        return abs(i24(buf, at[_B130])) <= 2**22
    return True


@uncounted
def _survey_frame(buf: U1, p: int, end: int, found: Found) -> tuple[int, int, int]:
    """Reject code, records, and end of the blocks of one frame."""
    if end - p < 3:
        return _SHORT, 0, p
    if u8(buf, p) == 0:
        return _BAD_MAGIC, 0, p
    records, blocks = 0, 0
    while p < end:
        size = u16(buf, p + 1) if end - p >= 3 else 0
        if size < 3 or p + size > end:
            rest = 0
            for q in range(p, end):
                rest |= u8(buf, q)
            if blocks and rest == 0:
                return OK, records, p
            return _BAD_LENGTH if 0 < size < 3 or end - p >= 3 > size else _SHORT, 0, p
        row = ROW[u8(buf, p)]
        stop = p + size
        category = u8(buf, p)
        p += 3
        if row < 0:
            p = stop
        while p < stop:
            p = find(buf, p, stop, row, found)
            if p < 0:
                return (_EDITION if p == STRANGE else _BAD_LENGTH), 0, stop
            if not _may_be_here(buf, category, found):
                return _EDITION, 0, stop
            records += 1
            if records > MOST_RECORDS:
                return _TOO_COMPLEX, 0, stop
        blocks += 1
    return OK, records, p


@kernel
def survey(buf: U1, off: I8, found: Found, codes: U1, records: I8, stops: I8) -> None:
    """Test frames ``off`` (n+1,): reject codes, records and end of the blocks, (n,) each."""
    for i in range(off.shape[0] - 1):
        codes[i], records[i], stops[i] = _survey_frame(buf, off[i], off[i + 1], found)


@uncounted
def fill(
    first: int, last: int, buf: U1, off: I8, stops: I8, recv: I8, sensor: I4, poses: F8,
    slots: Slots, found: Found, bench: Bench, r: Record, codes: U1, tally: I8, skipped: I8,
    out: PlotOut, j: int, read: ReadingOut, k: int,
) -> tuple[int, int]:  # fmt: skip
    """Rows of the frames from `first` to `last` that `survey` took, from rows `j` and `k` on.

    poses: `asterix_places.poses`; tally, skipped (256,): counts; identities are slots of `slots`,
    at most two new ones a record. Returns the next free rows.
    """
    n, w = r.number, r.word
    for i in range(first, last):
        if codes[i] != OK:
            continue
        t_in, s = recv[i], int(sensor[i])
        seen_before = j
        p = off[i]
        marks = 0
        if stops[i] != off[i + 1]:
            marks = _LENGTH_BAD
            tally[PADDED] += 1
        while p < stops[i]:
            category = u8(buf, p)
            row = ROW[category]
            stop = p + u16(buf, p + 1)
            p += 3
            if row < 0:
                skipped[category] += 1
                p = stop
            while p < stop:
                p = find(buf, p, stop, row, found)
                clear(r)
                if category == 62:
                    read_track(buf, found, poses[s], r, tally)
                elif category == 48:
                    read_plot(buf, found, poses[s], bench, r, tally)
                elif category == 21:
                    read_squitter(buf, found, poses[s], r, tally)
                elif category == 34:
                    read_service(buf, found, r)
                else:
                    read_system(buf, found, r)

                flags = w[FLAGS] | marks
                t = t_in
                if 0 <= w[TIME] < _TICKS:
                    t = nearest(t_in, w[TIME] * TICK_NS, DAY)
                    if t - t_in > FUTURE_NS:
                        flags |= _SUSPECT
                else:
                    flags |= _FROM_ARRIVAL
                    if w[TIME] >= 0:
                        tally[BAD_TIME] += 1
                ident = -1
                if w[ADDRESS] >= 0:
                    ident = slot_of(slots, w[ADDRESS] & 0xFFFFFF, 0, w[ADDRESS] >> 24)
                if w[SEEN]:
                    if n[HEIGHT] != n[HEIGHT] and n[AMSL] == n[AMSL]:
                        n[HEIGHT] = n[AMSL] + undulation_at(n[LAT], n[LON], bench)
                        if n[HEIGHT] != n[HEIGHT]:
                            flags |= _UNCERTAIN
                            n[COV + 2] = n[COV + 4] = 0.0
                            n[COV + 5] = np.nan
                    out.frame[j], out.t_ns[j], out.recv_ns[j], out.sensor[j] = i, t, t_in, s
                    out.ident[j], out.track_ref[j] = ident, w[TRACK]
                    out.kind[j], out.kind_conf[j], out.model[j] = w[KIND], n[CONF], w[MODEL]
                    out.lat[j], out.lon[j], out.height[j] = n[LAT], n[LON], n[HEIGHT]
                    out.amsl[j] = n[AMSL]
                    for c in range(6):
                        out.cov[j, c] = n[COV + c]
                    for c in range(3):
                        out.vel[j, c] = n[EAST + c]
                    out.vel_sd[j] = n[VEL_SD]
                    out.range[j], out.az[j], out.el[j] = n[RANGE], n[AZ], n[EL]
                    out.range_sd[j], out.ang_sd[j] = n[RANGE_SD], n[ANG_SD]
                    out.radial[j], out.radial_sd[j], out.rssi[j] = n[RADIAL], np.nan, n[RSSI]
                    out.size[j, 0], out.size[j, 1], out.size[j, 2] = n[LENGTH], n[WIDTH], np.nan
                    out.flags[j] = flags
                    j += 1

                if w[BEATS]:
                    k = put(read, k, i, t, t_in, s, ident, _HEARTBEAT, 1.0)
                for fact in range(_FACTS.shape[0]):
                    value = n[_FACTS[fact, 1]]
                    if value == value:
                        k = put(read, k, i, t, t_in, s, ident, _FACTS[fact, 0], value)
                if w[NAME]:
                    k = put(read, k, i, t, t_in, s, ident, _CALLSIGN, 1.0)
                    read.ident2[k - 1] = slot_of(slots, w[NAME], 0, w[NAME_KEY])
                number = float(w[TRACK]) if w[TRACK] >= 0 else np.nan
                if w[COASTS]:
                    k = put(read, k, i, t, t_in, s, ident, _TRACK_COASTING, number)
                    read.lat[k - 1], read.lon[k - 1] = n[LAT], n[LON]
                if w[ENDS]:
                    k = put(read, k, i, t, t_in, s, ident, _TRACK_END, number)
                if n[MONITOR] == n[MONITOR]:
                    k = put(read, k, i, t, t_in, s, ident, _MONITOR, n[MONITOR])
                    read.lat[k - 1], read.lon[k - 1] = n[LAT], n[LON]
                    k = put(read, k, i, t, t_in, s, ident, _MONITOR_AZ, n[MONITOR_AZ])
        if j == seen_before:
            codes[i] = NOTHING
    return j, k
