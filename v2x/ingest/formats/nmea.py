"""NMEA 0183 (to 4.11): what a vehicle's GNSS receiver says, sentences put together to epochs.

``$`` talker type fields ``*`` XOR in hex, lines ended by CR LF. Talkers GN (combined), GP, GL, GA,
GB and BD (both BeiDou), GQ, GI. A payload is one sentence or several lines.

====  =====================================================================================
GGA   time hhmmss.s, lat ddmm.mmmm N/S, lon dddmm.mmmm E/W, quality, satellites, HDOP,
      height above mean sea level, M, geoid separation, M, age of corrections, station
RMC   time, A/V, lat, lon, knots, course, ddmmyy, variation, side, mode, navigation status
VTG   course, T, magnetic, M, knots, N, km/h, K, mode
GST   time, rms, major, minor, orientation, sd of lat, of lon, of height (one sigma, m)
GNS   as GGA, with a mode letter for each constellation in the place of quality; status
GLL   lat, lon, time, A/V, mode
GSA   selection, 1 no fix 2 2-D 3 3-D, twelve satellites, PDOP, HDOP, VDOP, system (4.11)
GSV   count, number, in view, {satellite, elevation, azimuth, C/N0}, signal (4.10)
GBS   time, errors, failed satellite, probability, bias m, sd, system, signal
ZDA   time, day, month, year, local zone
====  =====================================================================================

Refused by name: another well-formed sentence (unknown_message); a checksum that is wrong, absent or
no hex number (bad_checksum); a field that is not what its place demands, a sign beside N, S, E or W
(bad_text); coordinates off the globe (value_range); other bytes (bad_magic); nothing at all
(short). A payload is good if one of its sentences is; the others are in ``counts``. One without a
fix is nothing_to_observe.

An **epoch** is all sentences of one sensor with one time of day, and one observation. It ends

* at the next sentence with another time;
* at any sentence we read that arrives over 1 s after the epoch's first one (the receiver's own
  clock decides nothing here, so a slow link or a wild clock splits no epoch);
* at the sentence that ended the last epoch before, if the same set of sentences has then arrived:
  so a row is not one epoch late. Another set in two ways: with parts missing, the epoch waits for
  the next time and the memory stays, three times in a row at most; else the new set is learned. A
  sentence of the epoch just closed or of the 10 s before it is late: counted, dropped, and the
  memory is cleared.

GLL, GSA, GSV, GBS and ZDA neither end an epoch nor are waited for. GSA and GSV tell of the epoch
that ends next; what GBS says has its own time; the day of ZDA holds for an epoch of its time.

VTG has no time: it belongs to the epoch that is open, or (more than half a second after its last
sentence, or a second VTG) to the next one. The row carries frame and arrival of the sentence that
ended it; `finish` gives what is left with frame -1 and the last arrival.

GN comes before single-constellation sentences of the same epoch, else the first; how far the others
lie from it is POSITION_SPLIT_M. Position from GGA, else GNS, RMC, GLL; velocity from RMC, else VTG;
course empty: 0 below 0.5 m/s, else unknown. Covariance from GST (the ellipse if complete, else sd
of lat and lon), else HDOP times 3 m (autonomous), 1 m (differential, PPS), 0.4 m (RTK float),
0.03 m (RTK fixed) or 10 m (dead reckoning), 1.7 times that upward; never below the sensor's
configured noise. Height is the sentence's own AMSL plus its own separation; where that is missing
or exactly 0, our undulation, flagged `Flag.DATUM_UNCERTAIN`. Day from a valid RMC, else ZDA, else
the one that brings the time nearest to arrival; a time that cannot be right (`clock_wrong`) is
flagged and told as CLOCK_OFFSET_S. Quality 0: no row; 6, 7, and 2-D by a GSA of the last 5 s: low
quality; 8: simulated. GNS: the best mode of a constellation, but S before all.

Readings: FIX_QUALITY, SATS_USED, HDOP, CORR_AGE_S; NAV_STATUS, 0 for V, 1 S, 2 C, 3 U; CN0_MEAN,
CN0_MAX, CN0_SPREAD over the satellites with a C/N0 since the last epoch, each signal counted;
GBS_FAILED and GBS_BIAS_M.
"""

from collections import Counter
from math import cos, hypot, nan, radians, sin, sqrt
from typing import Any

import numpy as np

from v2x.columns import F8, I8
from v2x.frames import FrameBatch
from v2x.geodesy import undulation
from v2x.ingest.accuracy import believed
from v2x.ingest.decoded import Decoded, Reject
from v2x.ingest.epochs import Epoch, Fields, Stream, Streams
from v2x.ingest.sentences import (
    GBS,
    GGA,
    GLL,
    GNS,
    GSA,
    GST,
    GSV,
    PLACED,
    READ,
    RMC,
    VTG,
    ZDA,
    day_of,
    degrees,
    found,
    time_of_day,
)  # fmt: skip
from v2x.ingest.sentences import encode_gga as encode_gga
from v2x.ingest.sentences import encode_gst as encode_gst
from v2x.ingest.sentences import encode_rmc as encode_rmc
from v2x.ingest.timestamps import DAY, SECOND, clock_wrong, nearest
from v2x.observations import Flag, Kind, Observations, ident_of
from v2x.readings import Name, Readings
from v2x.sensors import SensorTable

_GAP_NS = SECOND // 2
_LATE_NS = 10 * SECOND  # beyond it a clock that stands still or was set back; ours
_MISSES = 3
_FIX_NS = 5 * SECOND  # how long a GSA holds; ours
_FEW = 4  # satellites below which the spread of C/N0 means nothing; ours
_M_PER_DEG = 111_195.0
_UERE = {1: 3.0, 2: 1.0, 3: 1.0, 4: 0.03, 5: 0.4, 6: 10.0, 7: 10.0}
_UP = 1.7  # vertical over horizontal error of a GNSS fix
_SD_M, _SD_UP_M = 5.0, 8.0  # neither GST nor HDOP nor configured noise; ours
_LEAST_SD_M = 0.01  # receivers that send 0.0 in GST; ours
_VEL_SD = 0.2  # m/s per axis, Doppler velocity; ours
_MODE_QUALITY = {b"A": 1, b"D": 2, b"P": 3, b"R": 4, b"F": 5, b"E": 6, b"M": 7, b"S": 8, b"N": 0}
_MODES = b"SRFPDAEM"  # the first that a constellation has is the quality of a GNS
_NAV_STATUS = {b"V": 0.0, b"S": 1.0, b"C": 2.0, b"U": 3.0}
# Plain integers: an IntFlag costs a microsecond an operation.
_SELF, _SUSPECT = int(Flag.SELF_REPORTED), int(Flag.TIME_SUSPECT)
_LOW = int(Flag.LOW_QUALITY)
_DOUBT = {6: _LOW, 7: _LOW, 8: int(Flag.SIMULATED)}
_QUALITY, _SATS, _HDOP = int(Name.FIX_QUALITY), int(Name.SATS_USED), int(Name.HDOP)
_AGE, _NAV, _CLOCK = int(Name.CORR_AGE_S), int(Name.NAV_STATUS), int(Name.CLOCK_OFFSET_S)
_MEAN, _MAX, _SPREAD = int(Name.CN0_MEAN), int(Name.CN0_MAX), int(Name.CN0_SPREAD)
_FAILED, _BIAS, _SPLIT = int(Name.GBS_FAILED), int(Name.GBS_BIAS_M), int(Name.POSITION_SPLIT_M)


class _Rows:
    """Rows of one batch while they are made."""

    def __init__(self, sensors: SensorTable) -> None:
        self.sensors = sensors
        self.ints: list[tuple[int, ...]] = []
        self.floats: list[tuple[float, ...]] = []
        self.said: list[tuple[Any, ...]] = []
        self.counts: Counter[str] = Counter()
        self.idents: dict[int, str] = {}
        self._of_sensor: dict[int, int] = {}

    def ident(self, sensor: int) -> int:
        """Identity of the box behind a sensor."""
        ident = self._of_sensor.get(sensor)
        if ident is None:
            text = f"nmea:{self.sensors[sensor].name}"
            ident = self._of_sensor[sensor] = ident_of(text)
            self.idents[ident] = text
        return ident

    def say(
        self, frame: int, t_ns: int, recv_ns: int, sensor: int, facts: list[tuple[int, float]],
        lat: float = nan, lon: float = nan,
    ) -> None:  # fmt: skip
        """Add readings."""
        ident = self.ident(sensor)
        for name, value in facts:
            self.said.append((frame, t_ns, recv_ns, sensor, ident, name, value, lat, lon))

    def close(self, stream: Stream, epoch: Epoch, sensor: int, frame: int, recv_ns: int) -> None:
        """One epoch to at most one observation, and its readings."""
        fix, rmc, gll = epoch.fields(GGA) or epoch.fields(GNS), epoch.fields(RMC), epoch.fields(GLL)
        valid = rmc is not None and rmc[1] == b"A" and rmc[7] != b"N"
        facts: list[tuple[int, float]] = []
        lat = lon = hdop = amsl = separation = nan
        quality = 0
        if fix is not None:
            lat, lon, quality = fix[1], fix[2], int(fix[3] or 0)
            hdop, amsl, separation = (float(text) if text else nan for text in fix[5:8])
            facts = _fix_facts(fix)
        elif rmc is not None and valid:
            quality = _MODE_QUALITY.get(rmc[7], 1)
        elif rmc is None and gll is not None and gll[3] == b"A":
            lat, lon, quality = gll[1], gll[2], _MODE_QUALITY.get(gll[4], 1)
        if lat != lat and quality and rmc is not None and valid:
            lat, lon = rmc[2], rmc[3]
        status = rmc[8] if rmc is not None else fix[9] if fix is not None and len(fix) > 9 else b""
        if status in _NAV_STATUS:
            facts.append((_NAV, _NAV_STATUS[status]))
        day = day_of(rmc[6]) if rmc is not None and valid and rmc[6] else None
        if day is None and stream.date is not None and stream.date[0] == epoch.tod_ns:
            day = stream.date[1]
        if day is None:
            t_ns = nearest(epoch.first_ns, epoch.tod_ns, DAY)
        else:
            t_ns = day + epoch.tod_ns
        flags = _SELF | _DOUBT.get(quality, 0)
        if clock_wrong(t_ns, epoch.first_ns):
            flags |= _SUSPECT
            facts.append((_CLOCK, (t_ns - epoch.first_ns) / SECOND))
        if stream.fix is not None and abs(recv_ns - stream.fix[2]) <= _FIX_NS:
            if stream.fix[0] == 2:
                flags |= _LOW
            if hdop != hdop:
                hdop = stream.fix[1]
                facts += [(_HDOP, hdop)] if hdop == hdop else []
        if not quality or (abs(lat) < 0.01 and abs(lon) < 0.01):
            lat = lon = nan
        if epoch.others and lat == lat:
            facts.append((_SPLIT, max(_metres(lat, lon, *other) for other in epoch.others)))
        facts += _sky(stream)
        self.say(frame, t_ns, recv_ns, sensor, facts, lat, lon)
        if lat != lat:
            return
        east, north = _velocity(rmc if valid else None, epoch.fields(VTG))
        spread = _spread(epoch.fields(GST), hdop, quality)
        self.ints.append((frame, t_ns, recv_ns, sensor, self.ident(sensor), flags))
        self.floats.append((lat, lon, amsl, separation, east, north, *spread))

    def decoded(self, codes: Any) -> Decoded:
        """All rows as columns."""
        n = len(self.ints)
        ints: I8 = np.array(self.ints, np.int64).reshape(n, 6)
        made: F8 = np.array(self.floats, np.float64).reshape(n, 10)
        lat, lon, amsl, separation, east, north = made[:, :6].T
        flags, sensor = ints[:, 5], ints[:, 3]
        height = amsl + separation
        own = np.isfinite(amsl) & ~(np.isfinite(separation) & (separation != 0))
        if own.any():
            height[own] = amsl[own] + undulation(lat[own], lon[own])
            flags[own] |= int(Flag.DATUM_UNCERTAIN)
        sd, sd_up = self.sensors.floats("sd_m")[sensor], self.sensors.floats("sd_up_m")[sensor]
        cov = np.zeros((n, 6))
        for at, claimed in ((0, made[:, 6]), (3, made[:, 8])):
            floor = np.fmax(np.where(np.isnan(claimed) & np.isnan(sd), _SD_M, sd), _LEAST_SD_M)
            cov[:, at] = np.square(believed(np.sqrt(claimed), floor))
        cov[:, 1] = made[:, 7]
        up = made[:, 9]
        floor = np.fmax(np.where(np.isnan(up) & np.isnan(sd_up), _SD_UP_M, sd_up), _LEAST_SD_M)
        cov[:, 5] = np.where(np.isnan(height), nan, np.square(believed(up, floor)))
        o = Observations.blank(n)
        o.frame[:], o.t_ns[:], o.recv_ns[:], o.sensor[:], o.ident[:], o.flags[:] = ints.T
        o.kind[:], o.kind_conf[:] = int(Kind.CAR), 0.4
        o.lat[:], o.lon[:], o.height[:], o.cov[:] = lat, lon, height, cov
        o.vel[:, 0], o.vel[:, 1], o.vel_sd[:] = east, north, np.where(np.isnan(east), nan, _VEL_SD)
        said = list(zip(*self.said, strict=True))
        r = Readings.blank(len(self.said))
        if said:
            r.frame[:], r.t_ns[:], r.recv_ns[:], r.sensor[:], r.ident[:], r.name[:] = said[:6]
            r.value[:], r.lat[:], r.lon[:] = said[6:]
        counts = dict(sorted(self.counts.items()))
        return Decoded(o, r, codes, self.idents, np.ascontiguousarray(amsl), counts)


class Nmea:
    """The format `nmea`. State is one `Stream` per sensor row."""

    name = "nmea"

    def timed(self, payload: bytes) -> bool:
        """No: a parked receiver may repeat a line, and a line may lack a date."""
        return False

    def new_state(self) -> Streams:
        """Return no streams."""
        return Streams()

    def finish(self, sensors: SensorTable, state: Streams) -> Decoded:
        """Close the epochs that are open."""
        rows = _Rows(sensors)
        for sensor in sorted(state):
            stream = state[sensor]
            epoch = stream.open
            if epoch is not None:
                rows.close(stream, epoch, sensor, -1, epoch.last_ns)
            else:
                rows.say(-1, stream.sky_ns, stream.sky_ns, sensor, _sky(stream))
        state.clear()
        return rows.decoded(np.empty(0, np.uint8))

    def decode(self, batch: FrameBatch, sensors: SensorTable, state: Streams) -> Decoded:
        """One observation per epoch that these frames end, one reject code a frame."""
        n = len(batch)
        rows = _Rows(sensors)
        text = batch.buf.tobytes()
        sensor, recv_ns = batch.sensor.tolist(), batch.recv_ns.tolist()
        codes = [int(Reject.SHORT)] * n
        good, bad = [0] * n, [0] * n  # good: 1 says nothing, 2 says something
        skipped: list[tuple[int, int, bytes]] = []
        for i, start, stop, code, kind, *sky in found(batch.buf, batch.off):
            fields: Fields | None = None
            if not code:
                if kind == GSV:
                    fields = tuple(sky)
                else:
                    match = READ[kind](text, start + 6, stop)
                    fields = None if match is None else match.groups()
                if fields is None:
                    code = int(Reject.BAD_TEXT)
                elif kind in PLACED:
                    fields = _located(fields, kind)
                    if fields is None:
                        code = int(Reject.VALUE_RANGE)
            if code or fields is None:
                bad[i] = bad[i] or code
                skipped.append((i, code, text[start : min(stop, start + 8)]))
                continue
            stream = state.get(sensor[i])
            if stream is None:
                stream = state[sensor[i]] = Stream()
            if kind >= GBS:
                said = len(rows.said)
                _note(stream, kind, fields, rows, sensor[i], i, recv_ns[i])
                says = len(rows.said) > said
            else:
                closed, address = len(rows.ints), text[start : start + 5]
                _take(stream, kind, address, fields, rows, sensor[i], i, recv_ns[i])
                says = _says(kind, fields) or len(rows.ints) > closed
            good[i] = max(good[i], 2 if says else 1)
        for i in range(n):
            if good[i]:
                codes[i] = int(Reject.OK if good[i] == 2 else Reject.NOTHING_TO_OBSERVE)
            elif bad[i]:
                codes[i] = bad[i]
        for i, code, head in skipped:
            if good[i]:
                name = Reject(code).name.lower()
                if code == Reject.UNKNOWN_MESSAGE:
                    name = "unknown_sentence_" + head.split(b",")[0].decode()
                rows.counts[name] += 1
        return rows.decoded(np.array(codes, np.uint8))


FORMATS = (Nmea(),)


def _located(fields: Fields, kind: int) -> Fields | None:
    """Fields with the six of a place turned into degrees or NaN; None if off the globe.

    A GNS gets a quality in the place of its modes, a GLL its time at the front.
    """
    at = PLACED[kind]
    if fields[at] is None or fields[at + 3] is None:
        made = (*fields[:at], nan, nan, *fields[at + 6 :])
    else:
        lat, lon = degrees(*fields[at : at + 3]), degrees(*fields[at + 3 : at + 6])
        if abs(lat) > 90.0 or abs(lon) > 180.0:
            return None
        made = (*fields[:at], lat, lon, *fields[at + 6 :])
    if kind == GLL:
        return (made[2], made[0], made[1], *made[3:])
    if kind == GNS:
        best = next((mode for mode in _MODES if mode in made[3]), 0x4E)
        return (*made[:3], b"%d" % _MODE_QUALITY[bytes([best])], *made[4:])
    return made


def _says(kind: int, fields: Fields) -> bool:
    """Whether a sentence has a fix to tell of."""
    if kind in (GGA, GNS):
        return fields[3] not in (b"", b"0")
    if kind == GLL:
        return bool(fields[3] == b"A")
    if kind == RMC:
        return bool(fields[1] == b"A")
    return fields[2] != b"N" if kind == VTG else any(fields[1:])


def _note(
    stream: Stream, kind: int, fields: Fields, rows: _Rows, sensor: int, frame: int, recv_ns: int
) -> None:
    """Take a sentence that belongs to no epoch."""
    if kind == GSV:
        stream.sky = [a + b for a, b in zip(stream.sky[:3], fields[:3], strict=True)] + [
            max(stream.sky[3], fields[3])
        ]
        stream.sky_ns = recv_ns
    elif kind == GSA:
        if fields[0]:
            hdop = float(fields[2]) if fields[2] else nan
            stream.fix = int(fields[0]), hdop, recv_ns
    elif kind == ZDA:
        if all(fields[:4]):
            day = day_of(fields[1] + fields[2] + fields[3])
            stream.date = None if day is None else (time_of_day(fields[0]), day)
    elif kind == GBS:
        t_ns = nearest(recv_ns, time_of_day(fields[0]), DAY) if fields[0] else recv_ns
        named = ((_FAILED, fields[4]), (_BIAS, fields[5]))
        facts = [(name, float(text)) for name, text in named if text]
        rows.say(frame, t_ns, recv_ns, sensor, facts)


def _sky(stream: Stream) -> list[tuple[int, float]]:
    """What the satellites' C/N0 say, and no more of them."""
    n, total, squares, most = stream.sky
    if not n:
        return []
    stream.sky = [0] * 4
    facts = [(_MEAN, total / n), (_MAX, float(most))]
    if n >= _FEW:
        facts.append((_SPREAD, sqrt(max(n * squares - total * total, 0)) / n))
    return facts


def _metres(lat: float, lon: float, other_lat: float, other_lon: float) -> float:
    """Distance between two positions near each other; NaN if one is not known."""
    north = other_lat - lat
    east = ((other_lon - lon + 180.0) % 360.0 - 180.0) * cos(radians(lat))
    return hypot(north, east) * _M_PER_DEG


def _take(
    stream: Stream, kind: int, address: bytes, fields: Fields, rows: _Rows, sensor: int, frame: int,
    recv_ns: int,
) -> None:  # fmt: skip
    """One sentence into its epoch; rows of the epochs that it ends."""
    epoch = stream.open
    if epoch is not None and recv_ns - epoch.first_ns > SECOND:
        _end(stream, epoch, rows, sensor, frame, recv_ns)
        epoch = None
    if kind == VTG:
        if epoch is not None and (address in epoch.seen or recv_ns - epoch.last_ns > _GAP_NS):
            _end(stream, epoch, rows, sensor, frame, recv_ns)
            epoch = None
        if epoch is None:
            # Before any epoch it is the tail of one that we did not see.
            stream.loose = (address, fields, recv_ns) if stream.closed_tod >= 0 else None
            return
    else:
        if not fields[0]:
            facts = []
            if kind in (GGA, GNS):
                facts = _fix_facts(fields) + _sky(stream)
            elif kind == RMC and fields[8] in _NAV_STATUS:
                facts = [(_NAV, _NAV_STATUS[fields[8]])]
            rows.say(frame, recv_ns, recv_ns, sensor, facts)
            return
        tod_ns = time_of_day(fields[0])
        if kind == GLL and tod_ns == stream.closed_tod:
            return
        late = stream.closed_tod >= 0 and (stream.closed_tod - tod_ns) % DAY < _LATE_NS
        if late and recv_ns - stream.closed_ns < _LATE_NS:
            rows.counts["late_sentence"] += 1
            stream.usual = frozenset()
            return
        if epoch is not None and epoch.tod_ns != tod_ns:
            _end(stream, epoch, rows, sensor, frame, recv_ns)
            epoch = None
        if epoch is None:
            epoch = stream.open = Epoch(tod_ns, recv_ns, recv_ns)
            loose, stream.loose = stream.loose, None
            if loose is not None and recv_ns - loose[2] <= _GAP_NS:
                epoch.add(VTG, loose[0], loose[1], recv_ns)
    epoch.add(kind, address, fields, recv_ns)
    if address == stream.usual_last and epoch.seen == stream.usual:
        _end(stream, epoch, rows, sensor, frame, recv_ns)


def _end(stream: Stream, epoch: Epoch, rows: _Rows, sensor: int, frame: int, recv_ns: int) -> None:
    """Close an epoch and remember which sentences it had."""
    rows.close(stream, epoch, sensor, frame, recv_ns)
    stream.open, stream.closed_tod, stream.closed_ns = None, epoch.tod_ns, recv_ns
    if epoch.seen < stream.usual and stream.misses < _MISSES:
        stream.misses += 1
    else:
        stream.usual, stream.usual_last, stream.misses = frozenset(epoch.seen), epoch.last, 0


def _fix_facts(gga: Fields) -> list[tuple[int, float]]:
    facts = [(_QUALITY, float(gga[3] or 0))]
    if gga[4].strip():
        facts.append((_SATS, float(gga[4])))
    if gga[5]:
        facts.append((_HDOP, float(gga[5])))
    if gga[8]:
        facts.append((_AGE, float(gga[8])))
    return facts


def _velocity(rmc: Fields | None, vtg: Fields | None) -> tuple[float, float]:
    """East and north in m/s."""
    if rmc is not None and rmc[4]:
        speed, course = float(rmc[4]) * (1852.0 / 3600.0), rmc[5]
    elif vtg is not None and vtg[1] and vtg[2] != b"N":
        speed, course = float(vtg[1]) / 3.6, vtg[0]
    else:
        return nan, nan
    if course:
        turn = radians(float(course))
        return speed * sin(turn), speed * cos(turn)
    return (0.0, 0.0) if speed < 0.5 else (nan, nan)


def _spread(gst: Fields | None, hdop: float, quality: int) -> tuple[float, float, float, float]:
    """EE, EN, NN in m² and the vertical standard deviation in m; NaN where nothing says."""
    ee, en, nn, up = nan, 0.0, nan, nan
    if gst is not None:
        if gst[6]:
            up = float(gst[6])
        if gst[1] and gst[2] and gst[3]:
            a, b, turn = float(gst[1]) ** 2, float(gst[2]) ** 2, radians(float(gst[3]))
            s, c = sin(turn), cos(turn)
            ee, en, nn = a * s * s + b * c * c, (a - b) * s * c, a * c * c + b * s * s
        elif gst[4] and gst[5]:
            nn, ee = float(gst[4]) ** 2, float(gst[5]) ** 2
    if ee != ee and hdop > 0.0:
        ee = nn = (hdop * _UERE.get(quality, 3.0)) ** 2
    if up != up and ee == ee:
        up = _UP * ((ee + nn) / 2.0) ** 0.5
    return ee, en, nn, up
