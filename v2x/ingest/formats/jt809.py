"""JT/T 809-2011 and -2019: what the platforms of vehicle fleets hand on to one another, big-endian.

``5B | header | body | CRC | 5D`` with ``5B 5A 5D 5E`` written ``5A 01``, ``5A 02``, ``5E 01``,
``5E 02`` between the marks. CRC-16, polynomial 1021, start FFFF, over header and body as sent.

===========================  ==========================================================
header                       length of all with the marks u32, serial u32, message u16,
                             centre u32, version[3], encrypted u8, key u32;
                             2019: and time u64, Unix s
0x1200 about a vehicle       plate[21] GBK, colour u8, sub-message u16, length u32, data
0x1201 registration          platform[11], maker[11], model[20] (2019: [30]), ...
0x1202 position, 2011        shifted u8, day u8, month u8, year u16, hour, minute, second
                             (binary, GMT+8), lon u32 and lat u32 in 1e-6 deg, speed u16
                             and recorder's speed u16 km/h, distance u32 km, direction u16
                             deg, altitude u16 m, status u32, alarm u32 of JT/T 808: 36 bytes
0x1202 position, 2019        shifted u8, length u32, a position of JT/T 808 with its items,
                             then three times platform[11], alarm u32
0x1203 positions sent later  count u8, as many of 0x1202 (2019: whether each has its
                             platforms is doubtful; both are read)
0x1001, 0x1003               login, logout of a platform
0x1005, 0x13xx - 0x16xx      link test, and other matters of platforms
===========================  ==========================================================

The edition is told from where the plate's sub-message and length fit. "Shifted": through the
state's map plug-in, taken as GCJ-02. Some senders write date and time in BCD: read so where the
binary year is none. Encrypted bodies are read with the `cipher` of the sensor, else refused
(encrypted), as those that no key opens.

Becomes: observation with `ident` ``plate:<hash>``, `Flag.SELF_REPORTED` and `Flag.RELAYED`, 0x1203
also `Flag.BACKLOG`; kind car 0.4 or what the fleet table says; readings ALARM_BITS, STATUS_BITS,
FIX, GNSS_SATS, LINK_RSSI, ODOMETER_M; registration as in `jt808_texts`; LOGIN 1 or 0; HEARTBEAT for
the rest. Rules of place, height, speed and time are those of `formats/jt808.py`.

Refused by name: other marks (bad_magic), a bare mark or an unknown escape inside (bad_escape), less
than a header, or a body that ends before its fields (short), a wrong CRC (bad_checksum: platforms
get it right), messages towards the platform that sends (unknown_message), an 0x1200 that fits
neither edition (bad_length). A wrong length sets `Flag.LENGTH_BAD`.
"""

from math import nan
from typing import Any, NamedTuple

import numpy as np

from v2x.frames import FrameBatch
from v2x.ingest.decoded import Decoded, Reject
from v2x.ingest.jt808_texts import text_of
from v2x.ingest.jt809_frames import EXCHANGE, VEHICLE_HEAD, Message, framed, opened
from v2x.ingest.reports import GMT8, Reports, local_ns
from v2x.ingest.terminals import pseudonym
from v2x.ingest.timestamps import DAY, SECOND
from v2x.observations import Flag
from v2x.readings import Name
from v2x.sensors import SensorTable

REGISTER, POSITION, LATER = 0x1201, 0x1202, 0x1203
_LOGIN, _LOGOUT = 0x1001, 0x1003
_WORDS = (0x1005, 0x1006, 0x1300, 0x1400, 0x1500, 0x1600, 0x1700)
_OLD, _BODY, _PLATFORMS = 36, 28, 45  # bytes
_TOP_SPEED_MPS, _TOP_ALTITUDE = 500 / 3.6, 9000


class Jt809:
    """The format `jt809`: every frame stands alone."""

    name = "jt809"

    def timed(self, payload: bytes) -> bool:
        """Tell that a serial makes equal bytes a repeat."""
        return True

    def new_state(self) -> None:
        """Return no state."""

    def finish(self, sensors: SensorTable, state: Any) -> Decoded:
        """Nothing is ever pending."""
        return Decoded.nothing()

    def decode(self, batch: FrameBatch, sensors: SensorTable, state: Any) -> Decoded:
        """Positions with their alarm and status words, registrations, logins, signs of life."""
        rows = Reports(batch, sensors)
        codes = np.zeros(len(batch), np.uint8)
        for i in range(len(batch)):
            message = opened(batch.payload(i), sensors[int(batch.sensor[i])].cipher)
            codes[i] = message if isinstance(message, Reject) else _read(rows, i, message)
        return rows.decoded(codes)


FORMATS = (Jt809(),)


class _Report(NamedTuple):
    """One position: time, degrees as sent, m/s, deg, m, words of JT/T 808, and facts of items."""

    t_ns: int | None
    lat: float
    lon: float
    speed: float
    heading: float
    altitude: int
    status: int
    alarm: int
    shifted: bool
    facts: tuple[tuple[Name, float], ...]


def _read(rows: Reports, i: int, message: Message) -> Reject:
    flags = int(Flag.SELF_REPORTED | Flag.RELAYED)
    if not message.length_ok:
        flags |= Flag.LENGTH_BAD
    if message.number == EXCHANGE:
        return _vehicle(rows, i, message, flags)
    t_ns, _ = rows.time(i, None, "", flags)
    if message.number in (_LOGIN, _LOGOUT):
        rows.say(i, t_ns, "", Name.LOGIN, float(message.number == _LOGIN))
    elif message.number in _WORDS:
        rows.say(i, t_ns, "", Name.HEARTBEAT, 1.0)
    else:
        return Reject.UNKNOWN_MESSAGE
    return Reject.NOTHING_TO_OBSERVE


def _vehicle(rows: Reports, i: int, message: Message, flags: int) -> Reject:
    body = message.body
    plate = pseudonym("plate", text_of(body[:21]))
    number, data = int.from_bytes(body[22:24], "big"), body[VEHICLE_HEAD:]
    old = message.edition == 2011
    if number == POSITION:
        made = _old(data) if old else _new(data)
        return _reports(rows, i, plate, [] if made is None else [made], flags)
    if number == LATER:
        return _reports(rows, i, plate, _several(data, old), flags | Flag.BACKLOG)
    t_ns, _ = rows.time(i, None, plate, flags)
    rows.say(i, t_ns, plate, Name.HEARTBEAT, 1.0)
    model = data[22 : 42 if old else 52]
    if number == REGISTER and len(model) == (20 if old else 30):
        rows.say(i, t_ns, plate, Name.TERMINAL_REGISTERED, float(body[21]), text=plate)
        for name, scheme, raw in (
            (Name.TERMINAL_MAKER, "maker", data[11:22]),
            (Name.TERMINAL_MODEL, "model", model),
        ):
            if text_of(raw):
                rows.say(i, t_ns, plate, name, 1.0, text=f"{scheme}:{text_of(raw)}")
    return Reject.NOTHING_TO_OBSERVE


def _several(data: bytes, old: bool) -> list[_Report]:
    """Positions of an 0x1203; those that are cut are left out."""
    count, at = (data[0], 1) if data else (0, 1)
    made: list[_Report] = []
    if old:
        found = [_old(data[at + _OLD * k : at + _OLD * (k + 1)]) for k in range(count)]
        return [report for report in found if report is not None]
    sizes: list[int] = []
    bare = at
    for _ in range(count):  # is there room for the platforms of each?
        sizes.append(5 + int.from_bytes(data[bare + 1 : bare + 5], "big"))
        bare += sizes[-1]
    more = 0 if bare == len(data) else _PLATFORMS
    for k in range(count):
        if more:
            sizes[k] = 5 + int.from_bytes(data[at + 1 : at + 5], "big") + more
        report = _new(data[at : at + sizes[k]])
        if report is None:
            break
        made.append(report)
        at += sizes[k]
    return made


def _reports(rows: Reports, i: int, plate: str, made: list[_Report], flags: int) -> Reject:
    if not made:
        return Reject.SHORT
    code = Reject.NOTHING_TO_OBSERVE
    for report in made:
        t_ns, marks = rows.time(i, report.t_ns, plate, flags)
        fixed = bool(report.status & 2)
        lat = lon = nan
        if fixed:
            y = -report.lat if report.status & 4 else report.lat
            x = -report.lon if report.status & 8 else report.lon
            lat, lon, marks = rows.place(i, y, x, marks, shifted=report.shifted)
        facts = (
            (Name.ALARM_BITS, float(report.alarm)),
            (Name.STATUS_BITS, float(report.status)),
            (Name.FIX, float(fixed)),
            *report.facts,
        )
        for name, value in facts:
            rows.say(i, t_ns, plate, name, value, lat=lat, lon=lon)
        if lat == lat:
            high = 0 < report.altitude <= _TOP_ALTITUDE
            rows.observe(
                i, t_ns, plate, lat, lon, marks,
                speed=report.speed if report.speed <= _TOP_SPEED_MPS else nan,
                heading_deg=report.heading if report.heading <= 360 else nan,
                amsl=float(report.altitude) if high else nan,
            )  # fmt: skip
            code = Reject.OK
    return code


def _words(raw: bytes, *sizes: int) -> list[int]:
    made, at = [], 0
    for size in sizes:
        made.append(int.from_bytes(raw[at : at + size], "big"))
        at += size
    return made


def _decimal(raw: bytes) -> int:
    """Number of BCD digits, or -1."""
    return int(raw.hex()) if raw.hex().isdigit() else -1


def _old(raw: bytes) -> _Report | None:
    if len(raw) < _OLD:
        return None
    shifted, day, month, year, hour, minute, second = _words(raw, 1, 1, 1, 2, 1, 1, 1)
    if not 2000 <= year <= 2100 and 2000 <= _decimal(raw[3:5]) <= 2100:
        day, month, year = (_decimal(raw[a:b]) for a, b in ((1, 2), (2, 3), (3, 5)))
        hour, minute, second = (_decimal(raw[k : k + 1]) for k in (5, 6, 7))
    lon, lat, speed, _, distance, heading, altitude, status, alarm = _words(
        raw[8:], 4, 4, 2, 2, 4, 2, 2, 4, 4
    )
    known = 2000 <= year <= 2100 and min(hour, minute, second) >= 0
    t_ns = local_ns(year, month, day, hour, minute, second) if known else None
    return _Report(
        t_ns, lat / 1e6, lon / 1e6, speed / 3.6, float(heading), altitude, status, alarm,
        shifted == 1, ((Name.ODOMETER_M, distance * 1000.0),),
    )  # fmt: skip


_ITEMS = {
    (0x31, 1): (Name.GNSS_SATS, 1.0),
    (0x30, 1): (Name.LINK_RSSI, 1.0),
    (0x01, 4): (Name.ODOMETER_M, 100.0),
}


def _new(raw: bytes) -> _Report | None:
    body = raw[5 : 5 + int.from_bytes(raw[1:5], "big")]
    if len(body) < _BODY:
        return None
    alarm, status, lat, lon, altitude, speed, heading = _words(body, 4, 4, 4, 4, 2, 2, 2)
    year, month, day, hour, minute, second = (_decimal(body[k : k + 1]) for k in range(22, 28))
    t_ns = None
    if min(year, hour, minute, second) >= 0:
        t_ns = local_ns(2000 + year, month, day, hour, minute, second)
    found, at = {}, _BODY
    while at + 2 <= len(body) and at + 2 + body[at + 1] <= len(body):
        key = (body[at], body[at + 1])
        if key in _ITEMS:
            name, scale = _ITEMS[key]
            found[name] = int.from_bytes(body[at + 2 : at + 2 + key[1]], "big") * scale
        at += 2 + key[1]
    return _Report(
        t_ns, lat / 1e6, lon / 1e6, speed / 36.0, float(heading), altitude, status, alarm,
        bool(raw[0] == 1 or status & 0x20), tuple(found.items()),
    )  # fmt: skip


def vehicle_body(plate: str, colour: int, number: int, data: bytes) -> bytes:
    """Body of an 0x1200."""
    made = plate.encode("gb18030")[:21].ljust(21, b"\0") + bytes([colour])
    return made + number.to_bytes(2, "big") + len(data).to_bytes(4, "big") + data


def position_2011(
    t_ns: int, lat: float, lon: float, *, speed_kmh: int = 0, heading_deg: int = 0,
    altitude_m: int = 0, distance_km: int = 0, status: int = 3, alarm: int = 0,
    shifted: bool = False,
) -> bytes:  # fmt: skip
    """Data of an 0x1202 of 2011, and one item of its 0x1203; south and west follow the signs."""
    status = (status & ~0x0C) | (4 if lat < 0 else 0) | (8 if lon < 0 else 0)
    days, rest = divmod(t_ns + GMT8, DAY)
    year, month, day = (int(n) for n in np.datetime64(days, "D").astype(str).split("-"))
    made = bytes([shifted, day, month]) + year.to_bytes(2, "big")
    seconds = rest // SECOND
    made += bytes([seconds // 3600, seconds // 60 % 60, seconds % 60])
    made += round(abs(lon) * 1e6).to_bytes(4, "big") + round(abs(lat) * 1e6).to_bytes(4, "big")
    made += speed_kmh.to_bytes(2, "big") * 2 + distance_km.to_bytes(4, "big")
    made += heading_deg.to_bytes(2, "big") + altitude_m.to_bytes(2, "big")
    return made + status.to_bytes(4, "big") + alarm.to_bytes(4, "big")


def position_2019(body: bytes, *, shifted: bool = False) -> bytes:
    """Data of an 0x1202 of 2019 around a position of JT/T 808 (`jt808_encode.position_body`)."""
    platforms = (b"10000000001" + bytes(4)) * 3
    return bytes([shifted]) + len(body).to_bytes(4, "big") + body + platforms


__all__ = ("FORMATS", "framed", "position_2011", "position_2019", "vehicle_body")
