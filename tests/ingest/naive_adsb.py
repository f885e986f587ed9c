"""ADS-B in plain Python, one frame at a time: the explanation of the kernels, and their judge.

Bits as strings, the parity by long division, zones by their formula, memory in a dictionary.
"""

from math import acos, asin, cos, floor, isnan, nan, pi, radians, sin, sqrt

from v2x.ingest.decoded import Reject
from v2x.observations import Flag, Kind, ident_of
from v2x.readings import Name

SECOND = 10**9
NACP = {1: 18520, 2: 7408, 3: 3704, 4: 1852, 5: 926, 6: 555.6, 7: 185.2, 8: 92.6, 9: 30, 10: 10,
        11: 3, 12: 1}  # fmt: skip
NACV = {1: 10, 2: 3, 3: 1, 4: 0.3}
# (NIC, radius m) by type code, and by (type code, supplements) where those matter (Doc 9871)
INTEGRITY = {5: (11, 7.5), 6: (10, 25), 9: (11, 7.5), 10: (10, 25), 12: (7, 370.4), 14: (5, 1852),
             15: (4, 3704), 17: (1, 37040), 20: (11, 7.5), 21: (10, 25)}  # fmt: skip
LETTERS = {0x20: " "} | {k: chr(64 + k) for k in range(1, 27)} | {k: chr(k) for k in range(48, 58)}


def integrity(tc: int, version: int, a: int, b: int, c: int):
    b = b if version >= 2 else a
    special = {
        7: {(1, 0): (9, 75), (1, 1): (9, 75)}.get((a, c), (8, 185.2)),
        8: {(1, 1): (7, 370.4), (1, 0): (6, 555.6), (0, 1): (6, 1111.2)}.get((a, c), (0, nan))
        if version >= 2
        else (0, nan),
        11: (9, 75) if a and b else (8, 185.2),
        13: {(1, 1): (6, 1111.2), (0, 1): (6, 555.6)}.get((a, b), (6, 926)),
        16: (3, 7408) if a and b else (2, 14816),
    }
    return special.get(tc) or INTEGRITY.get(tc) or (0, nan)


class RefusedError(Exception):
    def __init__(self, why: Reject) -> None:
        self.why = why


def envelope(data: bytes) -> bytes:
    """Message bytes of one frame."""
    if not data:
        raise RefusedError(Reject.SHORT)
    digits = set(b"0123456789abcdefABCDEF")
    if data[0] == 0x1A:
        if len(data) < 2:
            raise RefusedError(Reject.SHORT)
        if data[1] == 0x34:
            raise RefusedError(Reject.UNKNOWN_MESSAGE)
        size = {0x31: 2, 0x32: 7, 0x33: 14}.get(data[1])
        if size is None:
            raise RefusedError(Reject.BAD_MAGIC)
        body, at = bytearray(), 2
        while len(body) < 7 + size:
            if at >= len(data):
                raise RefusedError(Reject.SHORT)
            if data[at] == 0x1A:
                at += 1
                if at >= len(data):
                    raise RefusedError(Reject.SHORT)
                if data[at] != 0x1A:
                    raise RefusedError(Reject.BAD_ESCAPE)
            body.append(data[at])
            at += 1
        if at < len(data):
            raise RefusedError(Reject.TRAILING_DATA)
        return bytes(body[7:])
    if len(data) in (7, 14) and not (len(data) == 14 and set(data) <= digits):
        return data
    line = data.rstrip(b"\r\n ")
    if not line:
        raise RefusedError(Reject.SHORT)
    if line[:1] in b"*@":
        if not line.endswith(b";"):
            raise RefusedError(Reject.SHORT)
        clock, line = (12, line[1:-1]) if line[:1] == b"@" else (0, line[1:-1])
        if len(line) < clock:
            raise RefusedError(Reject.SHORT)
        if not set(line[:clock]) <= digits:
            raise RefusedError(Reject.BAD_TEXT)
        line = line[clock:]
    elif line[0] not in digits:
        raise RefusedError(Reject.BAD_MAGIC)
    if not set(line[:28]) <= digits:
        raise RefusedError(Reject.BAD_TEXT)
    if len(line) not in (14, 28):
        raise RefusedError(Reject.SHORT if len(line) < 28 else Reject.BAD_LENGTH)
    return bytes.fromhex(line.decode())


def remainder(message: bytes) -> int:
    number = int.from_bytes(message, "big")
    for bit in range(8 * len(message) - 1, 23, -1):
        if number >> bit & 1:
            number ^= 0x1FFF409 << (bit - 24)
    return number


def bits(me: str, first: int, last: int) -> int:
    return int(me[first : last + 1], 2)


def gray(code: str) -> int:
    value = 0
    for bit in code:
        value = value << 1 | (value & 1 ^ int(bit))
    return value


def altitude_ft(code: int) -> float:
    c1, a1, c2, a2, c4, a4, b1, q, b2, d2, b4, d4 = f"{code:012b}"
    if code == 0:
        return nan
    if q == "1":
        return 25 * int(c1 + a1 + c2 + a2 + c4 + a4 + b1 + b2 + d2 + b4 + d4, 2) - 1000
    fives, ones = gray(d2 + d4 + a1 + a2 + a4 + b1 + b2 + b4), gray(c1 + c2 + c4)
    if ones in (0, 5, 6):
        return nan
    ones = 5 if ones == 7 else ones
    return 500 * fives + 100 * (6 - ones if fives % 2 else ones) - 1300


def zones(lat: float) -> int:
    if abs(lat) >= 87:
        return 1
    x = 1 - (1 - cos(pi / 30)) / cos(radians(lat)) ** 2
    return floor(2 * pi / acos(x))


def wrapped(lon: float) -> float:
    return (lon + 180) % 360 - 180


def local(y, x, odd: int, lat0: float, lon0: float, span: int) -> tuple[float, float]:
    d = span / (60 - odd)
    lat = d * (floor(lat0 / d) + floor(0.5 + lat0 % d / d - y) + y)
    d = span / max(zones(lat) - odd, 1)
    lon = d * (floor(lon0 / d) + floor(0.5 + lon0 % d / d - x) + x)
    return lat, wrapped(lon)


def from_pair(even, odd, last_is_odd: int):
    (y0, x0), (y1, x1) = even, odd
    j = floor(59 * y0 - 60 * y1 + 0.5)
    lat0, lat1 = 6 * (j % 60 + y0), 360 / 59 * (j % 59 + y1)
    lat0, lat1 = (lat - 360 if lat >= 270 else lat for lat in (lat0, lat1))
    if abs(lat0) > 90 or abs(lat1) > 90 or zones(lat0) != zones(lat1):
        return None
    nl = zones(lat0)
    m = floor(x0 * (nl - 1) - x1 * nl + 0.5)
    n = max(nl - last_is_odd, 1)
    return (lat1 if last_is_odd else lat0), wrapped(360 / n * (m % n + (x1 if last_is_odd else x0)))


def squawk(code: str) -> int:
    c1, a1, c2, a2, c4, a4, _, b1, d1, b2, d2, b4, d4 = code
    octal = (a4 + a2 + a1, b4 + b2 + b1, c4 + c2 + c1, d4 + d2 + d1)
    return int("".join(str(int(o, 2)) for o in octal))


def knots(code: int) -> float:
    steps = [(1, 1, 0), (2, 8, 0.125), (9, 12, 0.25), (13, 38, 0.5), (39, 93, 1), (94, 108, 2),
             (109, 124, 5)]  # fmt: skip
    starts = {1: 0, 2: 0.125, 9: 1, 13: 2, 39: 15, 94: 70, 109: 100}
    for first, last, step in steps:
        if first <= code <= last:
            return starts[first] + (code - first) * step
    return nan


def distance_km(lat0, lon0, lat1, lon1) -> float:
    lat0, lon0, lat1, lon1 = map(radians, (lat0, lon0, lat1, lon1))
    a = sin((lat1 - lat0) / 2) ** 2 + cos(lat0) * cos(lat1) * sin((lon1 - lon0) / 2) ** 2
    return 2 * 6371 * asin(sqrt(a))


def signed(me: str, sign: int, first: int, last: int, step: float) -> float:
    raw = bits(me, first, last)
    if raw in (0, 2 ** (last - first + 1) - 1):
        return nan
    return (raw - 1) * step * (-1 if me[sign] == "1" else 1)


def kind_of(tc: int, category: int):
    letter = "DCBA"[tc - 1] + str(category)
    if letter in ("A1", "A2", "A3", "A4", "A5", "A6", "B1", "B2", "B3", "B4"):
        return Kind.AIRCRAFT
    return {
        "A7": Kind.HELICOPTER, "B6": Kind.UAS, "C1": Kind.EMERGENCY_VEHICLE, "C3": Kind.CAR,
        "C4": Kind.OBSTACLE, "C5": Kind.OBSTACLE, "C6": Kind.OBSTACLE, "C7": Kind.OBSTACLE,
    }.get(letter)  # fmt: skip


def larger(a: float, b: float) -> float:
    known = [v for v in (a, b) if not isnan(v)]
    return max(known) if known else nan


class Receiver:
    """Decodes frame after frame; `memory` is by (sensor, identity)."""

    def __init__(self, sensors) -> None:
        self.sensors, self.memory = sensors, {}
        self.observations, self.readings, self.rejects = [], [], []
        self.idents, self.counts = {}, {}

    def decode(self, payloads, recv, rows):
        for i, (data, t, row) in enumerate(zip(payloads, recv, rows, strict=True)):
            before = len(self.observations), len(self.readings)
            try:
                used = self.frame(i, data, t, row)
            except RefusedError as refused:
                self.rejects.append(refused.why)
                assert before == (len(self.observations), len(self.readings))
            else:
                self.rejects.append(Reject.OK if used else Reject.NOTHING_TO_OBSERVE)

    def put(self, i, t, row, text, name, value, ident2=""):
        for known in filter(None, (text, ident2)):
            self.idents[ident_of(known)] = known
        self.readings.append(
            {"frame": i, "t_ns": t, "recv_ns": t, "sensor": row, "ident": ident_of(text),
             "name": name, "value": float(value), "ident2": ident_of(ident2), "lat": nan,
             "lon": nan}
        )  # fmt: skip

    def release(self, i, row, text, known):
        t, values, _ = known.pop("velocity", (0, (), 0))
        names = (Name.VELOCITY_EAST, Name.VELOCITY_NORTH, Name.VELOCITY_UP)
        for name, value in zip(names, values, strict=False):
            if not isnan(value):
                self.put(i, t, row, text, name, value)

    def frame(self, i, data, t, row) -> bool:
        message = envelope(data)
        df = message[0] >> 3
        if len(message) == 2 or df not in (0, 4, 5, 11, 16, 17, 18, 20, 21):
            raise RefusedError(Reject.UNKNOWN_MESSAGE)
        if df not in (17, 18):
            return self.reply(i, df, message, t, row)
        if len(message) != 14:
            raise RefusedError(Reject.SHORT)
        if remainder(message):
            raise RefusedError(Reject.BAD_CHECKSUM)
        cf = message[0] & 7 if df == 18 else 0
        if cf in (3, 4, 7):
            raise RefusedError(Reject.UNKNOWN_MESSAGE)
        address = message[1:4].hex()
        text = ("adsb18:" if cf in (1, 5) else "icao:") + address
        nobody = address in ("000000", "ffffff")
        me = f"{int.from_bytes(message[4:11], 'big'):056b}"
        tc, sub = bits(me, 0, 4), bits(me, 5, 7)
        position = 5 <= tc <= 18 or 20 <= tc <= 22
        if not position and tc not in (0, 1, 2, 3, 4, 19, 28, 29, 31):
            raise RefusedError(Reject.UNKNOWN_MESSAGE)
        if tc == 19 and sub not in (1, 2, 3, 4):
            raise RefusedError(Reject.UNKNOWN_MESSAGE)
        if nobody:
            return position and self.position(i, t, row, "", {}, me, tc, cf)
        known = self.memory.setdefault((row, text), {})
        known["heard"] = t
        if position:
            return self.position(i, t, row, text, known, me, tc, cf)
        if tc == 19:
            return self.velocity(i, t, row, text, known, me, sub)
        if 1 <= tc <= 4:
            kind = kind_of(tc, sub)
            if kind is not None:
                known["kind"] = kind
            codes = [bits(me, 8 + 6 * k, 13 + 6 * k) for k in range(8)]
            if not all(c in LETTERS for c in codes):
                self.counts["bad_callsign"] = self.counts.get("bad_callsign", 0) + 1
                return kind is not None
            callsign = "".join(LETTERS[c] for c in codes).strip()
            if callsign:
                self.put(i, t, row, text, Name.CALLSIGN, 1, f"callsign:{callsign}")
            return bool(callsign) or kind is not None
        if tc == 28 and sub == 1:
            self.put(i, t, row, text, Name.EMERGENCY, bits(me, 8, 10))
            self.put(i, t, row, text, Name.SQUAWK, squawk(me[11:24]))
            return True
        nacp = None
        version = bits(me, 40, 42)
        if tc == 31 and sub <= 1 and version >= 1:
            nacp, sil = bits(me, 44, 47), bits(me, 50, 51)
            c = int(me[19]) if sub == 1 else 0
            known["integrity"] = (t, version, int(me[43]), c)
        elif tc == 29 and bits(me, 5, 6) <= 1:
            nacp, sil = bits(me, 39, 42), bits(me, 44, 45)
        if nacp is not None:
            self.put(i, t, row, text, Name.NACP, nacp)
            self.put(i, t, row, text, Name.SIL, sil)
            if nacp in NACP:
                known["nacp"] = (t, nacp)
            return True
        pressure = altitude_ft(bits(me, 8, 19)) * 0.3048
        if tc == 0 and not isnan(pressure):
            self.put(i, t, row, text, Name.PRESSURE_ALTITUDE, pressure)
            return True
        return False

    def reply(self, i, df, message, t, row) -> bool:
        if len(message) != (14 if df >= 16 else 7):
            raise RefusedError(Reject.SHORT if df >= 16 else Reject.BAD_LENGTH)
        rest = remainder(message)
        if df == 11:
            if rest >= 80:
                raise RefusedError(Reject.BAD_CHECKSUM)
            address = message[1:4].hex()
            if address not in ("000000", "ffffff"):
                self.memory.setdefault((row, f"icao:{address}"), {})["heard"] = t
            return False
        text = f"icao:{rest:06x}"
        known = self.memory.get((row, text))
        if known is None or rest in (0, 0xFFFFFF) or abs(t - known["heard"]) > 60 * SECOND:
            raise RefusedError(Reject.BAD_CHECKSUM)
        before = len(self.readings)
        word = f"{int.from_bytes(message[:4], 'big'):032b}"
        code = word[19:]
        if df in (5, 21):
            self.put(i, t, row, text, Name.SQUAWK, squawk(code))
        elif code[6] == "0":
            pressure = altitude_ft(int(code[:6] + code[7:], 2)) * 0.3048
            if not isnan(pressure):
                self.put(i, t, row, text, Name.PRESSURE_ALTITUDE, pressure)
        status = int(word[5:8], 2)
        if df in (0, 16):
            self.grounded(i, t, row, text, known, word[5] == "1")
        elif status < 4:
            self.grounded(i, t, row, text, known, status in (1, 3))
        return len(self.readings) > before

    def grounded(self, i, t, row, text, known, on):
        if on or known.get("ground"):
            self.put(i, t, row, text, Name.GROUND_BIT, on)
        known["ground"] = on

    def velocity(self, i, t, row, text, known, me, sub) -> bool:
        up = signed(me, 36, 37, 45, 64 * 0.3048 / 60)
        base = signed(me, 48, 49, 55, 25 * 0.3048)
        used = not isnan(up) or not isnan(base)
        if sub <= 2:
            self.release(i, row, text, known)
            step = (1, 4)[sub - 1] * 1852 / 3600
            values = (signed(me, 13, 14, 23, step), signed(me, 24, 25, 34, step), up)
            if not all(map(isnan, values)):
                used = True
                known["velocity"] = (t, values, NACV.get(bits(me, 10, 12), nan) / 2)
        elif not isnan(up):
            self.put(i, t, row, text, Name.VELOCITY_UP, up)
        if not isnan(base):
            known["base"] = (t, base)
            self.put(i, t, row, text, Name.GEO_MINUS_BARO_M, base)
        return used

    def where(self, known, me, t, sensor, surface):
        odd = int(me[21])
        pair = bits(me, 22, 38) / 2**17, bits(me, 39, 55) / 2**17
        if not isnan(sensor.lat) and not isnan(sensor.lon):
            lat, lon = local(*pair, odd, sensor.lat, sensor.lon, 90 if surface else 360)
            if abs(lat) > 90 or distance_km(lat, lon, sensor.lat, sensor.lon) > 450:
                self.far()
            return self.not_nowhere(lat, lon)
        if surface:
            return None
        known["odd" if odd else "even"] = (t, pair)
        if "odd" in known and "even" in known:
            (t0, even), (t1, other) = known["even"], known["odd"]
            if abs(t0 - t1) <= 10 * SECOND:
                found = from_pair(even, other, odd)
                return found and self.not_nowhere(*found)
        return None

    def far(self):
        self.counts["position_range"] = self.counts.get("position_range", 0) + 1
        raise RefusedError(Reject.VALUE_RANGE)

    def not_nowhere(self, lat, lon):
        if abs(lat) <= 0.01 and abs(lon) <= 0.01:
            self.far()
        return lat, lon

    def position(self, i, t, row, text, known, me, tc, cf) -> bool:
        sensor = self.sensors[row]
        surface = tc <= 8
        found = self.where(known if text else {}, me, t, sensor, surface)
        height = nan if surface else altitude_ft(bits(me, 8, 19)) * 0.3048
        pressure = height if tc < 20 else nan
        version = a = c = 0
        if "integrity" in known and abs(t - known["integrity"][0]) <= 60 * SECOND:
            _, version, a, c = known["integrity"]
        nic, radius = integrity(tc, version, a, 0 if surface else int(me[7]), c)
        before = len(self.observations) + len(self.readings)
        if found:
            flags = Flag.TIME_FROM_ARRIVAL
            flags |= 0 if cf in (2, 5) else Flag.SELF_REPORTED
            flags |= Flag.RELAYED if cf in (2, 5, 6) else 0
            if not isnan(pressure):
                height = nan
                if "base" in known and abs(t - known["base"][0]) <= 60 * SECOND:
                    height = pressure + known["base"][1]
                else:
                    flags |= Flag.HEIGHT_BAROMETRIC
            sd = radius / 5
            if "nacp" in known and abs(t - known["nacp"][0]) <= 60 * SECOND:
                sd = NACP[known["nacp"][1]] / 2
            var = larger(sd, sensor.sd_m) ** 2 + (0.4 if surface else 1.5) ** 2
            up = nan if isnan(height) else larger(15, sensor.sd_up_m)
            velocity, vel_sd = (nan, nan, nan), nan
            if surface:
                speed = knots(bits(me, 5, 11)) * 1852 / 3600
                track = radians(bits(me, 13, 19) * 360 / 128)
                if me[12] == "1":
                    velocity = speed * sin(track), speed * cos(track), nan
                elif speed < 0.5:
                    velocity = 0, 0, nan
            elif "velocity" in known and abs(t - known["velocity"][0]) <= 2 * SECOND:
                _, velocity, vel_sd = known.pop("velocity")
            kind = known.get("kind")
            if text:
                self.idents[ident_of(text)] = text
            self.observations.append(
                {"frame": i, "t_ns": t, "recv_ns": t, "sensor": row, "ident": ident_of(text),
                 "track_ref": -1, "kind": Kind.AIRCRAFT if kind is None else kind,
                 "kind_conf": 0.6 if kind is None else 0.9, "lat": found[0], "lon": found[1],
                 "height": height, "cov": (var, 0, 0, var, 0, up**2), "vel": velocity,
                 "vel_sd": vel_sd, "flags": flags}
            )  # fmt: skip
            if text:
                self.release(i, row, text, known)
        if text:
            if not isnan(pressure):
                self.put(i, t, row, text, Name.PRESSURE_ALTITUDE, pressure)
            self.grounded(i, t, row, text, known, surface)
            told, when = known.get("nic", (-1, -(1 << 62)))
            if told != nic or abs(t - when) >= 5 * SECOND:
                known["nic"] = (nic, t)
                self.put(i, t, row, text, Name.NIC, nic)
        return len(self.observations) + len(self.readings) > before


def decode(payloads, recv, rows, sensors):
    """(observations, readings, rejects, idents, counts) of frames, as plain Python."""
    receiver = Receiver(sensors)
    receiver.decode(payloads, recv, rows)
    return (
        receiver.observations, receiver.readings, receiver.rejects, receiver.idents,
        receiver.counts,
    )  # fmt: skip
