"""JT/T 808 decoded slowly and plainly, one frame at a time: the explanation of the kernels.

Written from the layout, with datetime, bytes methods and dictionaries; no code of the format.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from math import cos, isnan, nan, pi, sin

from v2x.geodesy import undulation, wgs84_from_gcj02
from v2x.ingest.decoded import Reject
from v2x.observations import Flag, ident_of
from v2x.readings import Name

SECOND = 1_000_000_000
SIGNS_OF_LIFE = {
    *range(0x0001, 0x0006), 0x0100, 0x0102, 0x0104, 0x0107, 0x0108, 0x0201, 0x0301, 0x0302, 0x0303,
    0x0500, 0x0608, 0x0700, 0x0701, 0x0702, 0x0705, 0x0800, 0x0801, 0x0802, 0x0805, 0x0900, 0x0901,
    0x0A00, 0x1003, 0x1005, 0x1205, 0x1206,
}  # fmt: skip
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class Rows:
    """Of one frame: why it was refused, (t, ident, lat, ...) rows and (name, value, ...) rows."""

    code: Reject
    observations: list[dict] = field(default_factory=list)
    readings: list[dict] = field(default_factory=list)


def plain(payload: bytes) -> bytes | None:
    """Bytes between the marks with escapes undone, or None."""
    out = bytearray()
    inner = iter(payload[1:-1])
    for byte in inner:
        if byte == 0x7E:
            return None
        if byte == 0x7D:
            byte = {1: 0x7D, 2: 0x7E}.get(next(inner, 0))
            if byte is None:
                return None
        out.append(byte)
    return bytes(out)


def bcd_time(raw: bytes) -> int | None:
    text = raw.hex()
    leap = text.endswith("60")
    try:
        t = datetime.strptime("20" + text[:-2] + ("59" if leap else text[-2:]), "%Y%m%d%H%M%S")
    except ValueError:
        return None
    t = t.replace(tzinfo=UTC) - timedelta(hours=8) + timedelta(seconds=leap)
    return ((t - EPOCH) // timedelta(seconds=1)) * SECOND


def decode(payload: bytes, recv_ns: int, *, sd=5.0, sd_up=8.0, gcj02=False) -> Rows:
    """Everything the format should make of one payload."""
    if payload and (payload[0] != 0x7E or (len(payload) > 1 and payload[-1] != 0x7E)):
        return Rows(Reject.BAD_MAGIC)
    if len(payload) < 15:
        return Rows(Reject.SHORT)
    whole = plain(payload)
    if whole is None:
        return Rows(Reject.BAD_ESCAPE)
    if len(whole) < 13:
        return Rows(Reject.SHORT)
    message, properties = int.from_bytes(whole[:2], "big"), int.from_bytes(whole[2:4], "big")
    if message not in (0x0200, 0x0704) and message not in SIGNS_OF_LIFE:
        return Rows(Reject.UNKNOWN_MESSAGE)
    if properties >> 10 & 7:
        return Rows(Reject.ENCRYPTED)
    phone, head = (whole[5:15], 17) if properties >> 14 & 1 else (whole[4:10], 12)
    if len(whole) <= head:
        return Rows(Reject.SHORT)
    if properties >> 13 & 1:
        if len(whole) <= head + 4:
            return Rows(Reject.SHORT)
        if whole[head : head + 4] != b"\0\1\0\1":
            total, number = (int.from_bytes(whole[k : k + 2], "big") for k in (head, head + 2))
            if 1 <= number <= total and len(whole) - head - 5 > 1023:
                return Rows(Reject.BAD_LENGTH)
            if 1 <= number <= total and total * 1023 > 1 << 20:
                return Rows(Reject.OVERSIZE)
            return Rows(Reject.FRAGMENT)
        head += 4
    body = whole[head:-1]
    flags = Flag.SELF_REPORTED
    check = 0
    for byte in whole[:-1]:
        check ^= byte
    if check != whole[-1]:
        flags |= Flag.CHECKSUM_BAD
    said = len(body) & 0x3FF if properties >> 13 & 1 else len(body)
    if properties & 0x3FF != said:
        flags |= Flag.LENGTH_BAD
    digits = phone.hex().lstrip("0")
    ident = ident_of(f"808:{digits}") if digits and digits.isdigit() else -1
    if message in SIGNS_OF_LIFE:
        about = dict(t_ns=recv_ns, ident=ident, lat=nan, lon=nan)
        said = [dict(name=Name.HEARTBEAT, value=1.0, ident2=-1)]
        said += texts(message, body, properties >> 14 & 1)
        return Rows(Reject.NOTHING_TO_OBSERVE, [], [r | about for r in said])

    rows = Rows(Reject.NOTHING_TO_OBSERVE)
    trusted = True
    if message == 0x0200:
        if len(body) < 28:
            return Rows(Reject.SHORT)
        bodies = [body]
    else:
        if len(body) < 3:
            return Rows(Reject.SHORT)
        if body[2] == 1:
            flags |= Flag.BACKLOG
        bodies, rest = [], body[3:]
        while len(rest) >= 30:
            length = int.from_bytes(rest[:2], "big")
            if length < 28 or len(rest) < 2 + length:
                break
            bodies.append(rest[2 : 2 + length])
            rest = rest[2 + length :]
        trusted = not rest and len(bodies) == int.from_bytes(body[:2], "big")
        if not trusted:
            flags |= Flag.LENGTH_BAD
            bodies = searched(body)
    off_globe = False
    for item in bodies:
        made = position(item, recv_ns, flags, ident, sd, sd_up, gcj02)
        if made == "off globe":
            off_globe = True
            continue
        rows.observations += made[0]
        rows.readings += made[1]
    if rows.observations:
        rows.code = Reject.OK
    elif not rows.readings and off_globe:
        rows.code = Reject.VALUE_RANGE
    elif not rows.readings and not trusted:
        rows.code = Reject.BAD_LENGTH
    return rows


def texts(message, body, late):
    """Readings of a registration or an authentication."""
    made = []
    if message == 0x0100:
        sizes = (11, 30, 30) if late else (5, 8, 7)
        if not late and body[36:37] and (body[36] < 10 or 91 <= body[36] <= 94):
            sizes = (5, 20, 7)
        maker, rest = body[4:][: sizes[0]], body[4 + sizes[0] :]
        model, rest = rest[: sizes[1]], rest[sizes[1] + sizes[2] :]
        if rest:
            plate = word(rest[1:]).replace(" ", "").upper()
            secret = blake2b(plate.encode(), digest_size=8, person=b"plate").hexdigest()
            named = ident_of(f"plate:{secret}") if plate.strip("-0") else -1
            made.append(dict(name=Name.TERMINAL_REGISTERED, value=float(rest[0]), ident2=named))
            for name, scheme, raw in (
                (Name.TERMINAL_MAKER, "maker", maker),
                (Name.TERMINAL_MODEL, "model", model),
            ):
                if word(raw):
                    made.append(
                        dict(name=name, value=1.0, ident2=ident_of(f"{scheme}:{word(raw)}"))
                    )
    if message == 0x0102 and late and body:
        version = word(body[1 + body[0] + 15 :][:20])
        if version:
            found = ident_of(f"version:{version}")
            made.append(dict(name=Name.TERMINAL_VERSION, value=1.0, ident2=found))
    return made


def word(raw):
    return raw.partition(b"\0")[0].decode("gb18030", "replace").strip()


def looks_right(body, at, near):
    """Whether a position may stand there; its time, or None."""
    item = body[at : at + 28]
    if len(item) < 28:
        return None
    lat, lon = (int.from_bytes(item[k : k + 4], "big") for k in (8, 12))
    if not int.from_bytes(item[4:8], "big") & 12 and 73e6 <= lat <= 136e6 and 3e6 <= lon <= 54e6:
        lat, lon = lon, lat
    speed, direction = (int.from_bytes(item[k : k + 2], "big") for k in (18, 20))
    t_ns = bcd_time(item[22:28])
    if t_ns is None or (near is not None and abs(t_ns - near) > 86400 * SECOND):
        return None
    return t_ns if lat <= 90e6 and lon <= 180e6 and speed <= 5000 and direction <= 360 else None


def searched(body):
    """Bodies of a batch whose lengths lie: each whose place is known or whose length fits."""

    def length(at):
        return int.from_bytes(body[at : at + 2], "big")

    def fits(at):
        return 28 <= length(at) <= len(body) - at - 2

    def search(at, near):
        return next(
            (k for k in range(at, len(body) - 29) if fits(k) and looks_right(body, k + 2, near)),
            None,
        )

    bodies, at, near = [], 3, None
    while at is not None and at + 30 <= len(body):
        if looks_right(body, at + 2, near) is None:
            at = search(at + 1, near)
            continue
        near = looks_right(body, at + 2, near)
        end = at + 2 + length(at)
        if not (fits(at) and (end == len(body) or looks_right(body, end + 2, near) is not None)):
            end = search(at + 30, near) or (end if fits(at) else at + 30)
        bodies.append(body[at + 2 : end])
        at = end
    return bodies


def position(item, recv_ns, flags, ident, sd, sd_up, gcj02):
    """Rows of one position body, or a word if it must be refused."""
    alarm, status, lat, lon = (int.from_bytes(item[k : k + 4], "big") for k in (0, 4, 8, 12))
    altitude, speed, direction = (int.from_bytes(item[k : k + 2], "big") for k in (16, 18, 20))
    t_ns = bcd_time(item[22:28])
    south, west = status >> 2 & 1, status >> 3 & 1
    if not south and not west and 73e6 <= lat <= 136e6 and 3e6 <= lon <= 54e6:
        lat, lon = lon, lat
        flags |= Flag.ORDER_GUESSED
    on_globe = lat <= 90e6 and lon <= 180e6
    if not on_globe and flags & Flag.CHECKSUM_BAD:
        return "off globe"
    extra = {}
    rest = item[28:]
    while len(rest) >= 2 and len(rest) >= 2 + rest[1]:
        extra[rest[0], rest[1]] = int.from_bytes(rest[2 : 2 + rest[1]], "big")
        rest = rest[2 + rest[1] :]
    if t_ns is None:
        t_ns = recv_ns
        flags |= Flag.TIME_FROM_ARRIVAL
    offset = (t_ns - recv_ns) * 1e-9
    stored = flags & Flag.BACKLOG
    late_s = (recv_ns - t_ns) / SECOND
    hours = round(late_s / 3600)
    zone = 1 <= hours <= 14 and abs(late_s - 3600 * hours) <= 60 and not stored
    if late_s < -2 or late_s > 86400 or zone:
        flags |= Flag.TIME_SUSPECT
    y, x = (-1 if south else 1) * lat / 1e6, (-1 if west else 1) * lon / 1e6
    fixed = status >> 1 & 1
    if not fixed or not on_globe or (abs(y) < 0.01 and abs(x) < 0.01):
        y = x = nan
    elif status >> 5 & 1 and not gcj02:
        y, x = (float(v[0]) for v in wgs84_from_gcj02([y], [x]))
        flags |= Flag.DATUM_CONVERTED
    about = dict(t_ns=t_ns, ident=ident, lat=y, lon=x)
    readings = [
        dict(name=Name.ALARM_BITS, value=alarm),
        dict(name=Name.STATUS_BITS, value=status),
        dict(name=Name.FIX, value=fixed),
    ]
    for name, key, scale in (
        (Name.GNSS_SATS, (0x31, 1), 1),
        (Name.LINK_RSSI, (0x30, 1), 1),
        (Name.ODOMETER_M, (0x01, 4), 100),
    ):
        if key in extra:
            readings.append(dict(name=name, value=extra[key] * scale))
    wild = flags & Flag.TIME_SUSPECT and not (stored and late_s > 0)
    if wild or (late_s > 600 and not stored):
        readings.append(dict(name=Name.CLOCK_OFFSET_S, value=offset))
    readings = [r | about | dict(ident2=-1) for r in readings]
    if isnan(y):
        return [], readings
    amsl = float(altitude) if 0 < altitude <= 9000 else nan
    height = amsl + float(undulation([y], [x])[0])
    if not isnan(amsl) and isnan(height):
        flags |= Flag.DATUM_UNCERTAIN
    east = north = vel_sd = nan
    if speed <= 5000:
        v, turn = speed / 36, direction * pi / 180
        if direction <= 360:
            east, north, vel_sd = v * sin(turn), v * cos(turn), 0.5
        elif v < 0.5:
            east, north, vel_sd = 0.0, 0.0, 0.5
    row = about | dict(
        height=height,
        amsl=amsl,
        cov=[sd * sd, 0, 0, sd * sd, 0, nan if isnan(height) else sd_up * sd_up],
        vel=[east, north, nan],
        vel_sd=vel_sd,
        flags=int(flags),
        kind=4,
    )
    return [row], readings
