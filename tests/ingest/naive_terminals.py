"""GB/T 32960 and JT/T 809 read plainly, one frame at a time: the explanation of the decoders.

Written from the layouts with struct and datetime; no code of the formats. `decode_*` give a code,
and (t, ident, lat, lon, east, north, flags) of each observation and (name, value) of each reading.
"""

import struct
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from math import cos, nan, radians, sin

from v2x.geodesy import wgs84_from_gcj02
from v2x.ingest.decoded import Reject
from v2x.observations import Flag
from v2x.readings import Name

SECOND = 1_000_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Rows:
    def __init__(self, code=Reject.NOTHING_TO_OBSERVE):
        self.code, self.observations, self.readings = code, [], []

    def say(self, name, value):
        self.readings.append((name, value))


def china_ns(year, month, day, hour, minute, second):
    leap = second == 60
    try:
        t = datetime(year, month, day, hour, minute, 59 if leap else second, tzinfo=UTC)
    except ValueError:
        return None
    t += timedelta(seconds=leap) - timedelta(hours=8)
    return ((t - EPOCH) // timedelta(seconds=1)) * SECOND


def hashed(scheme, text):
    plain = "".join(c for c in text if c != "\0" and not c.isspace()).upper()
    if not plain.strip("-0"):
        return None
    digest = blake2b(plain.encode(), digest_size=8, person=scheme.encode()).hexdigest()
    return f"{scheme}:{digest}"


def timed(rows, t_ns, recv_ns, flags):
    if t_ns is None:
        return recv_ns, flags | Flag.TIME_FROM_ARRIVAL
    late_s = (recv_ns - t_ns) / SECOND
    hours = round(late_s / 3600)
    stored = bool(flags & Flag.BACKLOG)
    zone = 1 <= hours <= 14 and abs(late_s - 3600 * hours) <= 60 and not stored
    if late_s < -2 or late_s > 86400 or zone:
        flags |= Flag.TIME_SUSPECT
        if late_s < 0 or not stored:
            rows.say(Name.CLOCK_OFFSET_S, -late_s)
    return t_ns, flags


def placed(lat, lon, flags, gcj02):
    if 73 <= lat <= 136 and 3 <= lon <= 54:
        lat, lon, flags = lon, lat, flags | Flag.ORDER_GUESSED
    if abs(lat) > 90 or abs(lon) > 180 or (abs(lat) < 0.01 and abs(lon) < 0.01):
        return None
    if gcj02:
        lat, lon = (float(v[0]) for v in wgs84_from_gcj02([lat], [lon]))
        flags |= Flag.DATUM_CONVERTED
    return lat, lon, flags


# GB/T 32960


def cut(data, edition):
    """Contents by type, and whether a block was cut or unknown."""
    found, at = {}, 0

    def number(offset, size):
        raw = data[at + 1 + offset : at + 1 + offset + size]
        if len(raw) < size:
            raise IndexError
        return int.from_bytes(raw, "big")

    while at < len(data):
        kind = data[at]
        if edition == 2025 and kind == 0xFF:
            break
        try:
            if edition == 2016:
                size = {1: 20, 4: 5, 5: 9, 6: 14}.get(kind)
            else:
                size = {1: 18, 3: 12, 4: 2, 5: 10, 0x32: 18}.get(kind)
            if size is not None:
                pass
            elif 0x80 <= kind <= 0xFE:
                size = 2 + number(0, 2)
            elif kind == 2:
                size = 1 + number(0, 1) * (12 if edition == 2016 else 10)
            elif kind == (7 if edition == 2016 else 6):
                size = 5
                for width in (4, 4, 4, 4, *([2] if edition == 2025 else [])):
                    size += 1 + width * number(size, 1)
            elif kind == 3:
                size = 8 + number(6, 2) + 10
            elif kind == (8 if edition == 2016 else 7):
                size = 1
                for _ in range(number(0, 1)):
                    if edition == 2016:
                        size += 10 + 2 * number(size + 9, 1)
                    else:
                        size += 7 + 2 * number(size + 5, 2)
            elif kind == (9 if edition == 2016 else 8):
                size = 1
                for _ in range(number(0, 1)):
                    size += 3 + number(size + 1, 2)
            elif kind == 0x30 and edition == 2025:
                size = 1
                for _ in range(number(0, 1)):
                    size += 12 + number(size + 10, 2)
            elif kind == 0x31 and edition == 2025:
                size = 7 + 2 * number(5, 2)
                size += 2 + number(size, 2)
            else:
                return found, False
        except IndexError:
            return found, True
        if at + 1 + size > len(data):
            return found, True
        found.setdefault(kind, data[at + 1 : at + 1 + size])
        at += 1 + size
    return found, False


def decode_gbt32960(frame, recv_ns):
    if len(frame) < 2:
        return Rows(Reject.SHORT)
    if frame[:2] not in (b"##", b"$$"):
        return Rows(Reject.BAD_MAGIC)
    if len(frame) < 25:
        return Rows(Reject.SHORT)
    edition = 2016 if frame[:1] == b"#" else 2025
    command, ack, vin, encryption, length = struct.unpack(">BB17sBH", frame[2:24])
    if ack != 0xFE:
        return Rows()
    if command not in (1, 2, 3, 4, 5, 6, 7, 8, 9, 11):
        return Rows(Reject.UNKNOWN_MESSAGE)
    if encryption != 1:
        return Rows(Reject.ENCRYPTED)
    if len(frame) < 25 + length:
        return Rows(Reject.SHORT)
    check = 0
    for byte in frame[2 : 25 + length]:
        check ^= byte
    flags = Flag.SELF_REPORTED
    flags |= Flag.CHECKSUM_BAD if check else 0
    flags |= Flag.LENGTH_BAD if len(frame) > 25 + length else 0
    text = vin.decode("ascii", "replace").strip("\0 ")
    ident = hashed("vin", text) if text.isascii() and text.isalnum() else None
    data, rows = frame[24 : 24 + length], Rows()
    if command > 6:
        rows.say(Name.HEARTBEAT, 1.0)
        return rows
    if len(data) < 6:
        return Rows(Reject.SHORT)
    t_ns = china_ns(2000 + data[0], *data[1:6])
    if command not in (2, 3):
        timed(rows, t_ns, recv_ns, flags)
        rows.say(Name.LOGIN, float(command in (1, 5)))
        return rows
    if command == 3:
        flags |= Flag.BACKLOG
    found, broken = cut(data[6:], edition)
    flags |= Flag.LENGTH_BAD if broken else 0
    if not found:
        return Rows(Reject.BAD_LENGTH if data[6:] else Reject.NOTHING_TO_OBSERVE)
    t_ns, flags = timed(rows, t_ns, recv_ns, flags)
    speed = nan
    if 1 in found:
        raw, distance = struct.unpack(">HI", found[1][3:9])
        if raw <= 5000:
            speed = raw / 36
            rows.say(Name.VEHICLE_SPEED, speed)
        if distance < 0xFFFFFFFE:
            rows.say(Name.ODOMETER_M, distance * 100.0)
        if found[1][13] <= 100:
            rows.say(Name.STATE_OF_CHARGE, found[1][13] / 100)
    alarms = found.get(7 if edition == 2016 else 6)
    if alarms:
        level, bits = struct.unpack(">BI", alarms[:5])
        if level < 0xFE:
            rows.say(Name.VEHICLE_ALARM_LEVEL, float(level))
        rows.say(Name.VEHICLE_ALARM_BITS, float(bits))
    if 5 not in found:
        rows.say(Name.HEARTBEAT, 1.0)
        return rows
    if edition == 2016:
        state, lon, lat = struct.unpack(">BII", found[5])
        datum = 1
    else:
        state, datum, lon, lat = struct.unpack(">BBII", found[5])
    rows.say(Name.FIX, float(not state & 1))
    if state & 1:
        return rows
    if datum not in (1, 2):
        flags |= Flag.DATUM_UNCERTAIN
    lat, lon = lat / 1e6 * (-1 if state & 2 else 1), lon / 1e6 * (-1 if state & 4 else 1)
    at = placed(lat, lon, flags, datum == 2)
    if at:
        lat, lon, flags = at
        v = 0.0 if speed < 0.5 else nan
        rows.observations.append((t_ns, ident, lat, lon, v, v, int(flags)))
        rows.code = Reject.OK
    return rows


# JT/T 809


def crc(data):
    """CRC-16, polynomial 1021, start FFFF, bit by bit."""
    value = 0xFFFF
    for byte in data:
        for k in range(7, -1, -1):
            top = value >> 15 ^ byte >> k & 1
            value = value << 1 & 0xFFFF ^ (0x1021 if top else 0)
    return value


def decode_jt809(frame, recv_ns):
    if not frame:
        return Rows(Reject.SHORT)
    if frame[0] != 0x5B:
        return Rows(Reject.BAD_MAGIC)
    if len(frame) < 26:
        return Rows(Reject.SHORT)
    if frame[-1] != 0x5D:
        return Rows(Reject.BAD_MAGIC)
    plain, inner = bytearray(), iter(frame[1:-1])
    known = {(0x5A, 1): 0x5B, (0x5A, 2): 0x5A, (0x5E, 1): 0x5D, (0x5E, 2): 0x5E}
    for byte in inner:
        if byte in (0x5A, 0x5E):
            byte = known.get((byte, next(inner, 0)), -1)
        elif byte in (0x5B, 0x5D):
            byte = -1
        if byte < 0:
            return Rows(Reject.BAD_ESCAPE)
        plain.append(byte)
    plain = bytes(plain)
    if len(plain) < 24:
        return Rows(Reject.SHORT)
    if crc(plain[:-2]) != int.from_bytes(plain[-2:], "big"):
        return Rows(Reject.BAD_CHECKSUM)
    length, _, number, _, _, encrypted, _ = struct.unpack(">IIHI3sBI", plain[:22])
    good = length == len(plain) + 2
    bodies = {2011: plain[22:-2]}
    if len(plain) >= 32:
        bodies[2019] = plain[30:-2]
    if encrypted == 1 and any(bodies.values()):
        return Rows(Reject.ENCRYPTED)
    flags = Flag.SELF_REPORTED | Flag.RELAYED
    rows = Rows()
    if number != 0x1200:
        if number in (0x1001, 0x1003):
            rows.say(Name.LOGIN, float(number == 0x1001))
        elif number in (0x1005, 0x1006, 0x1300, 0x1400, 0x1500, 0x1600, 0x1700):
            rows.say(Name.HEARTBEAT, 1.0)
        else:
            return Rows(Reject.UNKNOWN_MESSAGE)
        return rows
    fitting = {e: b for e, b in bodies.items() if len(b) >= 28 and b[22] == 0x12}
    exact = {e: b for e, b in fitting.items() if int.from_bytes(b[24:28], "big") == len(b) - 28}
    if not fitting:
        return Rows(Reject.BAD_LENGTH)
    edition, body = next(iter((exact or fitting).items()))
    if not good or not exact:
        flags |= Flag.LENGTH_BAD
    ident = hashed("plate", body[:21].split(b"\0")[0].decode("gb18030", "replace"))
    sub, data = int.from_bytes(body[22:24], "big"), body[28:]
    if sub not in (0x1202, 0x1203):
        rows.say(Name.HEARTBEAT, 1.0)
        model = data[22 : 42 if edition == 2011 else 52]
        if sub == 0x1201 and len(model) == (20 if edition == 2011 else 30):
            rows.say(Name.TERMINAL_REGISTERED, float(body[21]))
            for name, raw in ((Name.TERMINAL_MAKER, data[11:22]), (Name.TERMINAL_MODEL, model)):
                if raw.split(b"\0")[0].decode("gb18030", "replace").strip():
                    rows.say(name, 1.0)
        return rows
    if sub == 0x1203:
        flags |= Flag.BACKLOG
        count, data = data[0] if data else 0, data[1:]
    else:
        count = 1
    if edition == 2011:
        items = [data[36 * k : 36 * k + 36] for k in range(count)]
        reports = [report_2011(item) for item in items if len(item) == 36]
    else:
        reports = reports_2019(data, count, sub == 0x1203)
    if not reports:
        return Rows(Reject.SHORT)
    for t_ns, lat, lon, speed, heading, status, alarm, shifted, facts in reports:
        t_ns, marks = timed(rows, t_ns, recv_ns, flags)
        rows.say(Name.ALARM_BITS, float(alarm))
        rows.say(Name.STATUS_BITS, float(status))
        rows.say(Name.FIX, float(status >> 1 & 1))
        for fact in facts:
            rows.say(*fact)
        lat, lon = (-lat if status & 4 else lat), (-lon if status & 8 else lon)
        at = placed(lat, lon, marks, shifted) if status & 2 else None
        if at:
            lat, lon, marks = at
            east = north = nan
            if speed <= 500 / 3.6 and heading <= 360:
                east, north = speed * sin(radians(heading)), speed * cos(radians(heading))
            elif speed < 0.5:
                east = north = 0.0
            rows.observations.append((t_ns, ident, lat, lon, east, north, int(marks)))
            rows.code = Reject.OK
    return rows


def report_2011(item):
    shifted, date, lon, lat, speed, _, far, heading, _, status, alarm = struct.unpack(
        ">B7sIIHHIHHII", item
    )
    day, month, year, hour, minute, second = struct.unpack(">BBHBBB", date)
    text = date.hex()
    decimal = text[4:8].isdigit() and 2000 <= int(text[4:8]) <= 2100
    if 2000 <= year <= 2100:
        t_ns = china_ns(year, month, day, hour, minute, second)
    elif decimal and text.isdigit():
        t_ns = china_ns(
            int(text[4:8]), int(text[2:4]), int(text[:2]), int(text[8:10]), int(text[10:12]),
            int(text[12:]),
        )  # fmt: skip
    else:
        t_ns = None
    facts = [(Name.ODOMETER_M, far * 1000.0)]
    return t_ns, lat / 1e6, lon / 1e6, speed / 3.6, heading, status, alarm, shifted == 1, facts


def reports_2019(data, count, several):
    def sizes(tail):
        made, at = [], 0
        for _ in range(count):
            made.append(5 + int.from_bytes(data[at + 1 : at + 5], "big") + tail)
            at += made[-1]
        return made, at

    made, end = sizes(0)
    if several and end != len(data):
        made, _ = sizes(45)
    reports, at = [], 0
    for size in made:
        item = data[at : at + size]
        at += size
        body = item[5 : 5 + int.from_bytes(item[1:5], "big")]
        if len(body) < 28:
            break
        alarm, status, lat, lon, _, speed, heading = struct.unpack(">IIIIHHH", body[:22])
        text = body[22:28].hex()
        t_ns = None
        if text.isdigit():
            two = [int(text[k : k + 2]) for k in range(0, 12, 2)]
            t_ns = china_ns(2000 + two[0], *two[1:])
        facts, rest = {}, body[28:]
        while len(rest) >= 2 and len(rest) >= 2 + rest[1]:
            value = int.from_bytes(rest[2 : 2 + rest[1]], "big")
            name = {(1, 4): Name.ODOMETER_M, (0x30, 1): Name.LINK_RSSI, (0x31, 1): Name.GNSS_SATS}
            key = name.get((rest[0], rest[1]))
            if key is not None:
                facts[key] = value * (100.0 if key is Name.ODOMETER_M else 1.0)
            rest = rest[2 + rest[1] :]
        shifted = item[0] == 1 or bool(status & 0x20)
        reports.append(
            (t_ns, lat / 1e6, lon / 1e6, speed / 36, heading, status, alarm, shifted, facts.items())
        )
    return reports
