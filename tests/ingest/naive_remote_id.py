"""Remote ID in plain Python, one frame at a time: the explanation of the kernels, and their judge.

Written from the tables alone: nothing here comes from the kernels but the names of codes.
"""

import struct
from itertools import pairwise
from math import cos, isnan, nan, radians, sin

from v2x.ingest.decoded import Reject
from v2x.ingest.timestamps import HOUR, SECOND
from v2x.observations import Flag, Kind, ident_of
from v2x.readings import Name

GB, ODID = 1, 2
HORIZONTAL = {1: 18520, 2: 7408, 3: 3704, 4: 1852, 5: 926, 6: 555.6, 7: 185.2, 8: 92.6, 9: 30,
              10: 10, 11: 3, 12: 1}  # fmt: skip
VERTICAL = {1: 150, 2: 45, 3: 25, 4: 10, 5: 3, 6: 1}
SPEED = {1: 10, 2: 3, 3: 1, 4: 0.3}
TIME = {1: 0.5, 2: 0.4, 3: 0.3, 4: 0.2, 5: 0.1, 6: 0.05, 7: 0.02, 8: 0.01}
SIZES = [20, 8, 1, 1, 1, 8, 2, 8, 2, 2, 2, 1, 2, 2, 1, 1, 1, 1, 1, 6, 1]


class RefusedError(Exception):
    def __init__(self, why: Reject) -> None:
        self.why = why


def half(table, code):
    return table[code] / 2 if code in table else nan


def half_metres(raw: bytes) -> float:
    number = int.from_bytes(raw, "little")
    return nan if number in (0, 0xFFFF) else number / 2 - 1000


def text(raw: bytes) -> str:
    return raw.split(b"\0")[0].rstrip(b" ").decode("ascii", "backslashreplace")


def meaningful(raw: bytes) -> bool:
    return bool(raw.split(b"\0")[0].strip(b"0 "))


def is_position(lat: float, lon: float) -> bool:
    if abs(lat) > 90 or abs(lon) > 180:
        return False
    return abs(lat) > 0.01 or abs(lon) > 0.01


def family(data: bytes) -> int:
    if data[:1] == b"\xff" and len(data) > 1 and data[1] >> 5 == 1:
        return GB
    if len(data) > 1 and data[0] >> 4 == 15 and data[1] == 25:
        return ODID
    return 0


def single(data: bytes) -> bool:
    return bool(data) and data[0] >> 4 in range(6) and data[0] & 15 in (0, 1, 2)


def locate(data: bytes, want: int):
    """(family, message and what follows it, length that its carrier gives it, MAC)."""
    if not data:
        raise RefusedError(Reject.SHORT)
    for skip in (0, 1):
        body = data[skip:]
        found = family(body) or (ODID if len(body) == 25 and single(body) else 0)
        if found:
            if not found & want:
                raise RefusedError(Reject.BAD_MAGIC)
            return found, body, len(body), -1
    why = Reject.BAD_MAGIC
    for p in range(len(data) - 3):
        end, nan_element = len(data), False
        if data[p : p + 4] in (bytes.fromhex("fa0bbc0d"), bytes.fromhex("060504fd")):
            at = p + 5
            if p >= 2 and data[p - 2] == 0xDD:
                end = p + data[p - 1]
        elif data[p : p + 4].hex() in ("16faff0d", "16500d0d", "16ffff0d"):
            at = p + 5
            if p >= 1:
                end = p + data[p - 1]
        elif data[p : p + 6] == bytes.fromhex("8869199d9209") and len(data) - p >= 10:
            at, nan_element = p + 11, True
            end = p + 10 + data[p + 9]
        else:
            continue
        body = data[at:]
        found = family(body) or (ODID if single(body) else 0)
        if found & want:
            bluetooth = not nan_element and data[p] == 0x16
            mac = advertiser(data[:p]) if bluetooth else transmitter(data, p)
            return found, body, end - at, mac
        if not found:
            why = Reject.SHORT if len(body) < 2 else Reject.UNKNOWN_MESSAGE
    if why is Reject.BAD_MAGIC:
        if data[0] == 0xFF and want & GB:
            why = Reject.SHORT if len(data) < 2 else Reject.UNSUPPORTED_VERSION
        elif want & ODID and len(data) < 25 and single(data):
            why = Reject.SHORT
        elif want & ODID and len(data) == 25 and data[0] & 15 <= 2 and data[0] >> 4 < 15:
            why = Reject.UNKNOWN_MESSAGE
    raise RefusedError(why)


def transmitter(data: bytes, magic: int) -> int:
    at = 0
    if data[0] == 0 and len(data) >= 4:
        at = int.from_bytes(data[2:4], "little")
    if magic - at < 24 or data[at] & 15:
        return -1
    return int.from_bytes(data[at + 10 : at + 16], "big") or -1


def advertiser(head: bytes) -> int:
    """Address in what stands before the advertised data."""
    if head[:2] == b"\x04\x3e" and len(head) >= 14:
        at = {2: 7, 13: 8}.get(head[3], -1)
    else:
        at = head[: len(head) - 14 + 4].find(b"\xd6\xbe\x89\x8e") if len(head) >= 14 else -1
        if at >= 0:
            kind, extended = head[at + 4] & 15, head[at + 6] & 63 >= 7 and head[at + 7] & 1
            at += 6 if kind in (0, 2, 4, 6) else 8 if kind == 7 and extended else -at - 1
    return -1 if at < 0 else int.from_bytes(head[at : at + 6], "little") or -1


class Said(dict):
    """What one frame says; anything it does not say is NaN."""

    def __missing__(self, key):
        return nan


def in_china(lat, lon):
    return 3 <= lat <= 54 and 73 <= lon <= 136


def arbitrate(said: Said, me, recv_ns: int, climbs: dict) -> int:
    """Sign of a sender's vertical speed by the heights of ten seconds; 0 not known."""
    known = climbs.setdefault(me, {"sign": 0, "past": []})
    if isnan(said["height"]):
        return known["sign"]
    past = known["past"]
    if past and not 0 <= recv_ns - past[-1][0] <= 5 * SECOND:
        past.clear()
    past.append((recv_ns, said["height"], said["climb"]))
    if recv_ns - past[0][0] < 10 * SECOND:
        return known["sign"]
    rise = past[-1][1] - past[0][1]
    climbed = sum((a[2] + b[2]) / 2 * (b[0] - a[0]) / SECOND for a, b in pairwise(past))
    del past[:-1]
    sizes = sorted((abs(rise), abs(climbed)))
    if sizes[0] >= 5 and sizes[1] <= 2 * sizes[0]:
        sign = 1 if rise * climbed > 0 else -1
        if sign != known["sign"]:
            said["vs_sign"] = sign
        known["sign"] = sign
    return known["sign"]


def read_gb(
    body: bytes, length: int, sensor: int, recv_ns: int, senders: dict, climbs: dict, counts: dict
) -> Said:
    if len(body) < 4:
        raise RefusedError(Reject.SHORT)
    at, present = 3, []
    while True:
        if at >= len(body):
            raise RefusedError(Reject.SHORT)
        byte = body[at]
        at += 1
        present += [bool(byte & 1 << k) for k in range(7, 0, -1)]
        if not byte & 1:
            break
    numbers = [k + 1 for k, there in enumerate(present) if there]
    unknown = [n for n in numbers if n > 21]
    need = sum(SIZES[n - 1] for n in numbers if n <= 21)
    if at + body[2] > len(body):
        raise RefusedError(Reject.SHORT)
    if need > body[2] or (need < body[2] and not unknown):
        raise RefusedError(Reject.BAD_LENGTH)
    if unknown:
        tell(counts, f"unknown_item_{min(unknown[0], 63)}")
    items = {}
    end = at + body[2]
    for n in numbers:
        if n <= 21:
            items[n] = body[at : at + SIZES[n - 1]]
            at += SIZES[n - 1]
    code = {n: item[0] for n, item in items.items() if len(item) == 1}

    said = Said(flags=0 if end == length else Flag.LENGTH_BAD, idents={})
    if meaningful(items.get(1, b"")):
        said["ident"] = "rid:" + text(items[1])
    mark = items.get(2, b"\0")
    if mark[0]:
        if not all(c == 0 or (chr(c).isalnum() and c < 128) for c in mark):
            tell(counts, "bad_mark")
        else:
            said["registered"] = float(meaningful(mark))
            if meaningful(mark):
                said["mark"] = "mark:" + text(mark)
    if code.get(3):
        said["category"] = code[3]
    for key, n in (("class", 4), ("pilot_type", 5), ("status", 15)):
        if n in code:
            said[key] = code[n]

    pairs = {}
    for key, n in (("pilot", 6), ("craft", 8)):
        if n in items:
            x, y = struct.unpack("<ii", items[n])
            pairs[key] = (x / 1e7, y / 1e7, x == -1 or y == -1)
    order = {}
    for key, (x, y, _) in pairs.items():
        order[key] = -1 if in_china(y, x) else 1 if in_china(x, y) else 0
    seen = order.get("craft") or order.get("pilot") or 0
    lat_first = seen > 0
    if "ident" in said:
        me = (sensor, items[1])
        if seen:
            senders[me] = lat_first
        lat_first = senders.get(me, False)
    for key, (x, y, unknown) in pairs.items():
        swap = order[key] > 0 or (order[key] == 0 and lat_first)
        lat, lon = (x, y) if swap else (y, x)
        if unknown:
            continue
        if is_position(lat, lon):
            said[key] = (lat, lon)
            if swap and key == "craft":
                said["flags"] |= Flag.ORDER_GUESSED
        elif key == "craft":
            tell(counts, "position_range")

    number = {n: int.from_bytes(item, "little") for n, item in items.items()}
    if number.get(9, 9999) < 3600:
        said["track"] = number[9] / 10
    if number.get(10, 0xFFFF) <= 5000:
        said["speed"] = number[10] / 10
    if number.get(11, 0) not in (0, 0xFFFF):
        old = number[11] < 17000
        said["takeoff"] = number[11] / 2 - (1000 if old else 9000)
        said["flags"] |= Flag.LOW_QUALITY if old else 0
    said["sd_speed"] = half(SPEED, code.get(19))
    if code.get(12, 0xFF) != 0xFF:
        said["climb"] = (code[12] & 127) / 2 * (-1 if code[12] & 128 else 1)
    for key, n in (("pilot_height", 7), ("height", 13), ("pressure", 14)):
        if n in items:
            said[key] = half_metres(items[n])
    if code.get(16, 0) > 1:
        said["flags"] |= Flag.DATUM_UNCERTAIN
    said["sd"], said["sd_up"] = half(HORIZONTAL, code.get(17)), half(VERTICAL, code.get(18))
    said["sd_time"] = half(TIME, code.get(21))
    if "climb" in said:
        sign = arbitrate(said, (sensor, items[1]), recv_ns, climbs) if "ident" in said else 0
        said["climb"] *= sign or 1
        said["sd_speed"] *= 1 if sign else 2
    ms = number.get(20, 0)
    if ms >= 9_000_000_000_000:
        said["flags"] |= Flag.TIME_SUSPECT
    elif ms:
        said["t_ns"] = ms * 1_000_000
    return said


def read_odid(body: bytes, length: int, recv_ns: int, counts: dict) -> Said:
    packed = body[0] >> 4 == 15
    if body[0] & 15 > 2:
        raise RefusedError(Reject.UNSUPPORTED_VERSION)
    n = 1
    if packed:
        if len(body) < 3:
            raise RefusedError(Reject.SHORT)
        n, body, length = body[2], body[3:], length - 3
        if n > 9:
            raise RefusedError(Reject.BAD_LENGTH)
    if len(body) < 25 * n:
        raise RefusedError(Reject.SHORT)
    said = Said(flags=0 if length == 25 * n else Flag.LENGTH_BAD)
    rank = 0
    for m in (body[k : k + 25] for k in range(0, 25 * n, 25)):
        kind, version = m[0] >> 4, m[0] & 15
        if version > 2:
            tell(counts, "unknown_version")
        elif kind == 0:
            scheme, raw = m[1] >> 4, m[2:22]
            if scheme == 2 and meaningful(raw):
                said["mark"], said["registered"] = "mark:" + text(raw), 1.0
            ours = {1: 4, 0: 3, 3: 2, 4: 1}.get(scheme, 0)
            some = any(raw) if scheme in (3, 4) else meaningful(raw)
            if some and ours > rank:
                rank = ours
                name = {3: raw[:16].hex(), 4: raw.hex()}.get(scheme) or text(raw)
                said["ident"] = "rid:" + name
        elif kind == 1:
            location(m, recv_ns, said, counts)
        elif kind == 2:
            tell(counts, "auth")
        elif kind == 4:
            system(m, said)
        elif kind == 5:
            if meaningful(m[2:22]):
                said["operator"], said["registered"] = "operator:" + text(m[2:22]), 1.0
        elif kind != 3:
            if not packed:
                raise RefusedError(Reject.UNKNOWN_MESSAGE)
            tell(counts, f"unknown_message_0x{kind:x}")
    return said


def location(m: bytes, recv_ns: int, said: Said, counts: dict) -> None:
    for key in ("track", "speed", "climb", "craft", "takeoff"):
        said.pop(key, None)
    said["status"] = m[1] >> 4
    if m[2] < 180:
        said["track"] = m[2] + (180 if m[1] & 2 else 0)
    if not m[1] & 1:
        said["speed"] = m[3] / 4
    elif m[3] != 255:
        said["speed"] = m[3] * 0.75 + 63.75
    climb, lat, lon = struct.unpack_from("<bii", m, 4)
    if abs(climb) <= 124:
        said["climb"] = climb / 2
    if is_position(lat / 1e7, lon / 1e7):
        said["craft"] = (lat / 1e7, lon / 1e7)
    elif lat or lon:
        tell(counts, "position_range")
    said["pressure"], said["height"] = half_metres(m[13:15]), half_metres(m[15:17])
    above = half_metres(m[17:19])
    if not m[1] & 4:
        said["takeoff"] = above
    elif not isnan(above):
        tell(counts, "height_above_ground")
    said["sd"], said["sd_up"] = half(HORIZONTAL, m[19] & 15), half(VERTICAL, m[19] >> 4)
    said["sd_speed"] = half(SPEED, m[20] & 15)
    tenths = int.from_bytes(m[21:23], "little")
    if tenths <= 36000:
        hour = recv_ns // HOUR * HOUR + tenths * SECOND // 10
        said["t_ns"] = min((hour, hour + HOUR, hour - HOUR), key=lambda t: abs(t - recv_ns))
    said["sd_time"] = (m[23] & 15) / 10 / 2 or nan


def system(m: bytes, said: Said) -> None:
    at = 2
    lat, lon = (v / 1e7 for v in struct.unpack_from("<ii", m, at))
    if abs(lat) > 90 or abs(lon) > 180:
        late = [v / 1e7 for v in struct.unpack_from("<ii", m, at + 1)]
        if in_china(*late):
            (lat, lon), at = late, 3
            said["flags"] |= Flag.ORDER_GUESSED
    said.pop("pilot", None)
    if is_position(lat, lon):
        said["pilot"] = (lat, lon)
    said["pilot_type"] = m[1] & 3
    if m[1] >> 2 & 7 == 1 and m[17] >> 4:
        said["category"] = m[17] >> 4
    said["pilot_height"] = half_metres(m[at + 16 : at + 18])


def tell(counts: dict, name: str) -> None:
    counts[name] = counts.get(name, 0) + 1


def believed(claim: float, floor: float) -> float:
    known = [sd for sd in (claim, floor) if not isnan(sd)]
    return max(known) if known else nan


def observation(i: int, said: Said, t_ns: int, recv_ns: int, sensor, row: int, mac: int) -> dict:
    flags = said["flags"] | Flag.SELF_REPORTED
    sd, up = believed(said["sd"], sensor.sd_m), said["sd_up"]
    height = said["height"]
    if isnan(height) and not isnan(said["pressure"]):
        height, up = said["pressure"], 100.0
        flags |= Flag.HEIGHT_BAROMETRIC
    up = nan if isnan(height) else believed(up, sensor.sd_up_m)
    east = north = nan
    if not isnan(said["track"]):
        east = said["speed"] * sin(radians(said["track"]))
        north = said["speed"] * cos(radians(said["track"]))
    elif said["speed"] < 0.5:
        east = north = 0.0
    ee, en, nn = sd**2, 0.0, sd**2
    if not isnan(east) and not isnan(said["sd_time"]):
        a, b = east * said["sd_time"], north * said["sd_time"]
        ee, en, nn = ee + a * a, en + a * b, nn + b * b
    lat, lon = said["craft"]
    return {
        "frame": i, "t_ns": t_ns, "recv_ns": recv_ns, "sensor": row,
        "ident": ident_of(said.get("ident", "")), "track_ref": mac, "kind": Kind.UAS,
        "kind_conf": 0.95, "lat": lat, "lon": lon, "height": height,
        "cov": (ee, en, 0.0, nn, 0.0, up**2), "vel": (east, north, said["climb"]),
        "vel_sd": said["sd_speed"], "flags": flags,
    }  # fmt: skip


def readings(i: int, said: Said, t_ns: int, recv_ns: int, row: int, mac: int) -> list[dict]:
    ident = ident_of(said.get("ident", ""))
    rows = []

    def put(name, value, ident2=-1, lat=nan, lon=nan):
        rows.append(
            {"frame": i, "t_ns": t_ns, "recv_ns": recv_ns, "sensor": row, "ident": ident,
             "name": name, "value": float(value), "ident2": ident2, "lat": lat, "lon": lon}
        )  # fmt: skip

    if ident >= 0:
        put(Name.RID_HEARD, 1)
        if mac >= 0:
            put(Name.RID_MAC, mac)
    for key in ("mark", "operator"):
        if key in said:
            put(Name.RID_REGISTRATION, 1, ident_of(said[key]))
    if "pilot" in said:
        put(Name.PILOT, said["pilot_type"], -1, *said["pilot"])
    became_height = "craft" in said and isnan(said["height"])
    for key, name in (
        ("registered", Name.RID_REGISTERED), ("status", Name.RID_STATUS),
        ("class", Name.UAS_CLASS), ("category", Name.UAS_CATEGORY),
        ("pilot_height", Name.PILOT_HEIGHT), ("takeoff", Name.HEIGHT_TAKEOFF),
        ("pressure", Name.PRESSURE_ALTITUDE),
        ("vs_sign", Name.RID_VS_SIGN), ("clock", Name.CLOCK_OFFSET_S),
    ):  # fmt: skip
        if not isnan(said[key]) and not (key == "pressure" and became_height):
            put(name, said[key])
    return rows


def clock_wrong(t_ns: int, recv_ns: int) -> bool:
    ahead = (t_ns - recv_ns) / SECOND
    whole = round(ahead / 3600)
    return ahead > 2 or ahead < -86400 or (whole < 0 and -5 <= ahead - 3600 * whole <= 2)


def decode(payloads, recv, rows, sensors, families=GB | ODID, senders=None):
    """(observations, readings, rejects, idents, counts) of frames, as plain Python."""
    senders = {} if senders is None else senders
    climbs = {}
    made, told, rejects, idents, counts = [], [], [], {}, {}
    for i, (data, recv_ns, row) in enumerate(zip(payloads, recv, rows, strict=True)):
        try:
            found, body, length, mac = locate(data, families)
            if found == GB:
                said = read_gb(body, length, row, recv_ns, senders, climbs, counts)
            else:
                said = read_odid(body, length, recv_ns, counts)
        except RefusedError as refused:
            rejects.append(refused.why)
            continue
        t_ns = said.get("t_ns")
        if t_ns is None:
            t_ns = recv_ns
            said["flags"] |= Flag.TIME_FROM_ARRIVAL
        elif clock_wrong(t_ns, recv_ns):
            said["flags"] |= Flag.TIME_SUSPECT
            said["clock"] = (t_ns - recv_ns) / SECOND
        for key in ("ident", "mark", "operator"):
            if key in said:
                idents[ident_of(said[key])] = said[key]
        before = len(made) + len(told)
        if "craft" in said:
            made.append(observation(i, said, t_ns, recv_ns, sensors[row], row, mac))
        told += readings(i, said, t_ns, recv_ns, row, mac)
        empty = before == len(made) + len(told)
        rejects.append(Reject.NOTHING_TO_OBSERVE if empty else Reject.OK)
    return made, told, rejects, idents, counts
