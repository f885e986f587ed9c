"""MAVLink 2 in plain Python, one payload at a time: the kernel's judge.

Layouts are spelled out as struct formats here, apart from the tables the package uses. What drone
identification means is that of the Remote ID twin.
"""

import struct
from math import atan2, degrees, hypot, isfinite, isnan, nan

from tests.ingest import naive_remote_id as rid
from v2x.geodesy import undulation
from v2x.ingest.decoded import Reject
from v2x.ingest.timestamps import DAY, HOUR, SECOND
from v2x.observations import Flag, ident_of
from v2x.readings import Name

EXTRA = {0: 50, 33: 104, 12900: 114, 12901: 254, 12902: 140, 12903: 249, 12904: 77, 12905: 49,
         12915: 94, 12918: 139, 12919: 7}  # fmt: skip
SIZE = {0: 9, 33: 28, 12900: 44, 12901: 59, 12902: 53, 12903: 46, 12904: 54, 12905: 43, 12915: 249,
        12918: 51, 12919: 18}  # fmt: skip
ID_AT = {12900: 2, 12901: 32, 12904: 30, 12905: 2}


def crc(data: bytes) -> int:
    """CRC-16/MCRF4XX bit by bit."""
    value = 0xFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x8408 if value & 1 else 0)
    return value


def cut(data: bytes):
    """Frames of a payload as (version, flags, system, message, body, sound), and why it ended."""
    frames, at = [], 0
    while at < len(data):
        if data[at] == 0xFE:
            size = 8 + data[at + 1] if len(data) - at >= 8 else len(data) + 1
            if at + size > len(data):
                return frames, Reject.SHORT
            frames.append((1, 0, 0, 0, b"", False))
        elif data[at] == 0xFD:
            if len(data) - at < 12:
                return frames, Reject.SHORT
            n, flags = data[at + 1], data[at + 2]
            size = 12 + n + (13 if flags & 1 else 0)
            if at + size > len(data):
                return frames, Reject.SHORT
            message = int.from_bytes(data[at + 7 : at + 10], "little")
            sent = int.from_bytes(data[at + 10 + n : at + 12 + n], "little")
            covered = data[at + 1 : at + 10 + n] + bytes([EXTRA.get(message, 0)])
            body = data[at + 10 : at + 10 + n]
            frames.append((2, flags, data[at + 5], message, body, crc(covered) == sent))
        else:
            return frames, Reject.BAD_MAGIC
        at += size
    return frames, Reject.OK


def metres(value: float) -> float:
    return value if -1000 < value < 31767.5 else nan


def place(lat: int, lon: int, counts: dict):
    pair = lat / 1e7, lon / 1e7
    if rid.is_position(*pair):
        return pair
    if lat or lon:
        rid.tell(counts, "position_range")
    return None


def location(body: bytes, recv_ns: int, said: rid.Said, counts: dict) -> None:
    (lat, lon, baro, geo, above, second, track, speed, climb) = struct.unpack_from("<ii4fHHh", body)
    status, reference, hor, ver, _, fast, when = body[52:59]
    for key in ("craft", "track", "speed", "climb", "takeoff", "t_ns"):
        said.pop(key, None)
    spot = place(lat, lon, counts)
    if spot:
        said["craft"] = spot
    said["pressure"], said["height"], said["takeoff"] = metres(baro), metres(geo), metres(above)
    if reference:
        if not isnan(said["takeoff"]):
            rid.tell(counts, "height_above_ground")
        said["takeoff"] = nan
    if 0 <= second <= 3600:
        hour = recv_ns // HOUR * HOUR + int(second * 1e9 + 0.5)
        said["t_ns"] = min((hour, hour + HOUR, hour - HOUR), key=lambda t: abs(t - recv_ns))
    if track < 36000:
        said["track"] = track / 100
    if speed <= 25425:
        said["speed"] = speed / 100
    if abs(climb) <= 6200:
        said["climb"] = climb / 100
    said["status"] = status
    said["sd"], said["sd_up"] = rid.half(rid.HORIZONTAL, hor), rid.half(rid.VERTICAL, ver)
    said["sd_speed"] = rid.half(rid.SPEED, fast)
    said["sd_time"] = when / 20 if 0 < when < 16 else nan


def operator(body: bytes, at: int, said: rid.Said, counts: dict) -> None:
    said.pop("pilot", None)
    spot = place(*struct.unpack_from("<ii", body), counts)
    if spot:
        said["pilot"] = spot
    said["pilot_height"] = metres(struct.unpack_from("<f", body, at)[0])


def basic_id(kind: int, raw: bytes, said: rid.Said) -> None:
    if kind == 2 and rid.meaningful(raw):
        said["mark"], said["registered"] = "mark:" + rid.text(raw), 1.0
    ours = {1: 4, 0: 3, 3: 2, 4: 1}.get(kind, 0)
    some = any(raw) if kind in (3, 4) else rid.meaningful(raw)
    if some and ours > said.get("rank", 0):
        said["rank"] = ours
        said["ident"] = "rid:" + ({3: raw[:16].hex(), 4: raw.hex()}.get(kind) or rid.text(raw))


def read(data: bytes, recv_ns: int, counts: dict):
    """(rows, beats, reject); a row is what one aircraft said: (said, its track_ref)."""
    frames, ended = cut(data)
    rows, beats, good, why = [], [], 0, Reject.OK
    if not data:
        return [], [], Reject.SHORT

    def about(system: int, raw: bytes):
        for row in reversed(rows):
            if row["key"] == (system, raw):
                return row
        text = any(raw[6:])
        ref = system if not any(raw) else -1 if text else int.from_bytes(raw[:6], "big")
        row = {"key": (system, raw), "said": rid.Said(flags=0), "ref": ref}
        if text and rid.meaningful(raw):
            row["said"]["ident"] = "rid:" + rid.text(raw)
        rows.append(row)
        return row

    for version, flags, system, message, body, sound in frames:
        if version == 1 or flags & ~1:
            rid.tell(counts, "mavlink_1" if version == 1 else "unknown_flags")
            why = why or Reject.UNSUPPORTED_VERSION
            continue
        if message not in EXTRA:
            rid.tell(counts, "other_message")
            good += 1
            continue
        if not sound:
            rid.tell(counts, "bad_checksum")
            why = why or Reject.BAD_CHECKSUM
            continue
        good += 1
        body = body[: SIZE[message]].ljust(SIZE[message], b"\0")
        raw = body[ID_AT[message] : ID_AT[message] + 20] if message in ID_AT else bytes(20)
        if message == 0:
            beats.append((Name.HEARTBEAT, 1.0))
        elif message == 12918:
            beats.append((Name.ODID_ARM_STATUS, float(body[0])))
        elif message == 12902:
            rid.tell(counts, "auth")
        elif message == 33:
            _, lat, lon, up, above, north, east, down, _ = struct.unpack("<I4i3hH", body)
            said = rid.Said(flags=0, takeoff=above / 1e3, climb=-down / 100, telemetry=True)
            if isnan(said["takeoff"]) or abs(said["takeoff"]) >= 1e5:
                said["takeoff"] = nan
            said["amsl"] = up / 1e3 if abs(up) < 1e8 else nan
            said["speed"] = hypot(north / 100, east / 100)
            if north or east:
                said["track"] = degrees(atan2(east, north))
            spot = place(lat, lon, counts)
            if spot:
                said["craft"] = spot
                said["height"] = said["amsl"] + float(undulation([spot[0]], [spot[1]])[0])
            rows.append({"key": None, "said": said, "ref": system})
        elif message == 12915:
            n = body[23]
            if body[22] != 25 or not 1 <= n <= 9:
                rid.tell(counts, "bad_pack")
                continue
            other = body[2:22]
            row = {"key": None, "ref": int.from_bytes(other[:6], "big") if any(other) else system}
            pack = bytes([0xF0 | body[24] & 15]) + body[22 : 24 + 25 * n]
            try:
                row["said"] = rid.read_odid(pack, len(pack), recv_ns, counts)
            except rid.RefusedError as refused:
                row["said"] = None
                row["why"] = refused.why
            rows.append(row)
        elif message == 12901:
            row = about(system, raw)
            if not isnan(row["said"]["status"]):
                again = {"key": row["key"], "said": rid.Said(flags=0), "ref": row["ref"]}
                for key in ("ident", "rank"):
                    if key in row["said"]:
                        again["said"][key] = row["said"][key]
                rows.append(again)
                row = again
            location(body, recv_ns, row["said"], counts)
        elif message == 12900:
            basic_id(body[22] & 15, body[24:44], about(system, raw)["said"])
        elif message == 12904:
            said = about(system, raw)["said"]
            operator(body, 16, said, counts)
            said["pilot_type"] = body[50] & 3
            if body[51] == 1 and body[52]:
                said["category"] = body[52]
        elif message == 12919:
            said = about(system, bytes(20))["said"]
            operator(body, 8, said, counts)
            said["pilot_type"] = 1
        elif message == 12905:
            said = about(system, raw)["said"]
            if rid.meaningful(body[23:43]):
                said["operator"], said["registered"] = "operator:" + rid.text(body[23:43]), 1.0
    if not good:
        return [], [], why or ended
    for row in rows:
        if row["said"] is not None and ended:
            row["said"]["flags"] |= Flag.LENGTH_BAD
    return rows, beats, Reject.OK


def decode(payloads, recv, sensor_rows, sensors):
    """(observations, readings, rejects, idents, counts, amsl) of payloads."""
    made, told, rejects, idents, counts, amsl = [], [], [], {}, {}, []
    for i, (data, recv_ns, s) in enumerate(zip(payloads, recv, sensor_rows, strict=True)):
        rows, beats, why = read(data, recv_ns, counts)
        before = len(made) + len(told)
        for name, value in beats:
            told.append(
                {"frame": i, "t_ns": recv_ns, "recv_ns": recv_ns, "sensor": s, "ident": -1,
                 "name": name, "value": value, "ident2": -1, "lat": nan, "lon": nan}
            )  # fmt: skip
        inner = Reject.OK
        for row in rows:
            said = row["said"]
            if said is None:
                inner = inner or row["why"]
                continue
            t_ns = said.get("t_ns")
            if t_ns is None:
                t_ns = recv_ns
                said["flags"] |= Flag.TIME_FROM_ARRIVAL
            elif not -2 * SECOND <= recv_ns - t_ns <= DAY:
                said["flags"] |= Flag.TIME_SUSPECT
            for key in ("ident", "mark", "operator"):
                if key in said:
                    idents[ident_of(said[key])] = said[key]
            if "craft" in said:
                made.append(rid.observation(i, said, t_ns, recv_ns, sensors[s], s, row["ref"]))
                if said.get("telemetry"):
                    made[-1]["kind_conf"] = 0.5
                amsl.append(said["amsl"] if isfinite(said["amsl"]) else nan)
            told += rid.readings(i, said, t_ns, recv_ns, s, row["ref"])
        empty = before == len(made) + len(told)
        rejects.append(why or (inner or Reject.NOTHING_TO_OBSERVE if empty else Reject.OK))
    return made, told, rejects, idents, counts, amsl
