"""Plain twin of the ASTERIX decoder: one record at a time, in Python, by the text of the rules.

Places are found on the ellipsoid itself, by search, and their covariances by finite differences.
"""

import math
from math import cos, hypot, isfinite, isnan, nan, radians, sin, sqrt

import numpy as np

from v2x.geodesy import undulation
from v2x.ingest.asterix_items import LAYOUTS
from v2x.ingest.decoded import Reject
from v2x.observations import Flag, Kind, ident_of
from v2x.readings import Name

FT, NM, FL = 0.3048, 1852.0, 25 * 0.3048
DAY = 86_400_000_000_000
LETTERS = "#ABCDEFGHIJKLMNOPQRSTUVWXYZ##### ###############0123456789######"


class RefusedError(Exception):
    def __init__(self, code):
        self.code = code


# --- bytes to items ------------------------------------------------------------------------------


def spec(data, p, end, most):
    bits = ""
    for _ in range(most):
        if p >= end:
            raise RefusedError(Reject.BAD_LENGTH)
        octet = f"{data[p]:08b}"
        p += 1
        bits += octet[:7]
        if octet[7] == "0":
            return [k for k, bit in enumerate(bits) if bit == "1"], p
    raise RefusedError(Reject.UNKNOWN_EDITION)


def whole(form):
    """Split "c(1,r6)" and plain forms alike."""
    return form[2:-1].split(",") if form.startswith("c") else [form]


def take(data, p, end, form):
    if form == "-":
        raise RefusedError(Reject.UNKNOWN_EDITION)
    q = p
    if form.isdigit():
        q += int(form)
    elif form in "vg":
        step = 1 if form == "v" else 3
        q += step
        while q <= end and data[q - 1] & 1:
            q += step
    elif p >= end or (form == "e" and data[p] == 0):
        raise RefusedError(Reject.BAD_LENGTH)
    elif form == "e":
        q += data[p]
    else:
        q += 1 + data[p] * int(form[1:])
    if q > end:
        raise RefusedError(Reject.BAD_LENGTH)
    return data[p:q], q


def records(payload):
    """(category, items) of every record; Refused with the code. Flags: zeros behind the blocks."""
    if len(payload) < 3:
        raise RefusedError(Reject.SHORT)
    if payload[0] == 0:
        raise RefusedError(Reject.BAD_MAGIC)
    found, p, blocks, padded = [], 0, 0, False
    while p < len(payload):
        left = len(payload) - p
        size = int.from_bytes(payload[p + 1 : p + 3], "big") if left >= 3 else None
        if size is None or size < 3 or size > left:
            if blocks and not any(payload[p:]):
                padded = True
                break
            raise RefusedError(Reject.BAD_LENGTH if size is not None and size < 3 else Reject.SHORT)
        category, end = payload[p], p + size
        q = p + 3
        if category not in LAYOUTS:
            found.append((category, None))
            q = end
        while q < end:
            layout = [word.split(":") for word in LAYOUTS[category].split()]
            present, q = spec(payload, q, end, math.ceil(len(layout) / 7))
            if not present:
                raise RefusedError(Reject.BAD_LENGTH)
            items = {}
            for k in present:
                if k >= len(layout):
                    raise RefusedError(Reject.UNKNOWN_EDITION)
                name, form = layout[k]
                if form.startswith("c"):
                    forms = whole(form)
                    inner, q = spec(payload, q, end, math.ceil(len(forms) / 7))
                    items[name] = b""
                    for i in inner:
                        if i >= len(forms):
                            raise RefusedError(Reject.UNKNOWN_EDITION)
                        items[f"{name}/{i + 1}"], q = take(payload, q, end, forms[i])
                else:
                    items[name], q = take(payload, q, end, form)
            lat, lon = position(category, items)
            if abs(lat) > 90 or abs(lon) > 180:
                raise RefusedError(Reject.UNKNOWN_EDITION)
            found.append((category, items))
        blocks += 1
        p = end
    return found, padded


def number(octets, step, *, bits=None, signed=True):
    raw = int.from_bytes(octets, "big")
    width = bits or 8 * len(octets)
    raw &= (1 << width) - 1
    if signed and raw >> (width - 1):
        raw -= 1 << width
    return raw * step


def position(category, items):
    """Degrees; NaN where the record has none."""
    for of, item, step in ((62, "105", 2**25), (21, "131", 2**30), (21, "130", 2**23)):
        if category == of and item in items:
            half = len(items[item]) // 2
            return number(items[item][:half], 180 / step), number(items[item][half:], 180 / step)
    return nan, nan


# --- places --------------------------------------------------------------------------------------

A, F = 6378137.0, 1 / 298.257223563
E2 = F * (2 - F)


def ecef(lat, lon, h):
    n = A / sqrt(1 - E2 * sin(lat) ** 2)
    return np.array(
        [
            (n + h) * cos(lat) * cos(lon),
            (n + h) * cos(lat) * sin(lon),
            (n * (1 - E2) + h) * sin(lat),
        ]
    )


def geodetic(x):
    p = hypot(x[0], x[1])
    lat = math.atan2(x[2], p * (1 - E2))
    for _ in range(6):
        n = A / sqrt(1 - E2 * sin(lat) ** 2)
        lat = math.atan2(x[2] + E2 * n * sin(lat), p)
    n = A / sqrt(1 - E2 * sin(lat) ** 2)
    h = p * cos(lat) + x[2] * sin(lat) - A * A / n
    return lat, math.atan2(x[1], x[0]), h


def axes(lat, lon):
    return np.array(
        [
            [-sin(lon), cos(lon), 0.0],
            [-sin(lat) * cos(lon), -sin(lat) * sin(lon), cos(lat)],
            [cos(lat) * cos(lon), cos(lat) * sin(lon), sin(lat)],
        ]
    )


def along(radar, rho, az, el):
    lat, lon, h = radar
    line = np.array([sin(az) * cos(el), cos(az) * cos(el), sin(el)])
    return ecef(lat, lon, h) + rho * (line @ axes(lat, lon))


def place(radar, rho, az, h):
    """Point at slant range, azimuth and height, and the elevation that leads there; or None."""
    low, high = -math.pi / 2, math.pi / 2
    if not geodetic(along(radar, rho, az, low))[2] <= h <= geodetic(along(radar, rho, az, high))[2]:
        return None
    el = math.asin(max(-0.99, min(0.99, (h - radar[2]) / rho - rho / (2 * A))))
    for _ in range(60):  # bisection, and Newton's step where it stays between the two
        over = geodetic(along(radar, rho, az, el))[2] - h
        low, high = (low, el) if over > 0 else (el, high)
        if abs(over) < 1e-7:
            break
        step = over / max(rho * cos(el), 1e-3)
        el = el - step if low < el - step < high else 0.5 * (low + high)
    return along(radar, rho, az, el), el


def spread(radar, rho, az, h, sd_range, sd_az, sd_h):
    """Covariance in the target's own frame, by differences."""
    x, _ = place(radar, rho, az, h)
    lat, lon, _ = geodetic(x)
    total = np.zeros((3, 3))
    for k, (sd, step) in enumerate(((sd_range, 0.5), (sd_az, 1e-6), (sd_h, 0.5))):
        if sd > 0:
            move = [0.0, 0.0, 0.0]
            move[k] = step
            plus, _ = place(radar, rho + move[0], az + move[1], h + move[2])
            minus, _ = place(radar, rho - move[0], az - move[1], h - move[2])
            way = axes(lat, lon) @ (plus - minus) / (2 * step) * sd
            total += np.outer(way, way)
    return total


# --- records to rows -----------------------------------------------------------------------------


def letters(octets):
    text = "".join(LETTERS[c] for c in sixes(octets))
    return None if "#" in text or not text.strip() else text.strip()


def sixes(octets):
    word = int.from_bytes(octets, "big")
    return [word >> shift & 63 for shift in range(42, -1, -6)]


def near_earth(height):
    return height if -1500 * FT - 1e-9 <= height <= 150_000 * FT + 1e-9 else nan


def believable(east, north):
    return [east, north] if hypot(east, north) <= 2000.0 else [nan, nan]


def squawk(octets):
    word = int.from_bytes(octets, "big")
    return None if word & 0xC000 else int(f"{word & 0xFFF:o}")


def emitter_kind(code):
    if code in (1, 2, 3, 4, 5, 6, 11, 12, 14, 15):
        return Kind.AIRCRAFT
    known = {10: Kind.HELICOPTER, 13: Kind.UAS, 20: Kind.EMERGENCY_VEHICLE, 21: Kind.CAR}
    return Kind.OBSTACLE if code in (22, 23, 24) else known.get(code, Kind.UNKNOWN)


def blank():
    return {
        "ident": -1, "track_ref": -1, "kind": 0, "kind_conf": 0.0, "model": 0, "lat": nan,
        "lon": nan, "height": nan, "amsl": nan, "cov": np.full(6, nan),
        "vel": [nan, nan, nan], "vel_sd": nan, "range": nan, "az": nan, "el": nan,
        "range_sd": nan, "ang_sd": nan, "radial": nan, "radial_sd": nan, "rssi": nan,
        "size": [nan, nan, nan], "flags": 0,
    }  # fmt: skip


def track(i, row, facts, sensor):
    """Category 062: into `row` and `facts`; whether it is an observation."""
    status = i.get("080", b"")
    octet = dict(enumerate(status))
    if octet.get(1, 0) & 0x80:
        row["flags"] |= Flag.SIMULATED
    ends = bool(octet.get(1, 0) & 0x40)
    if ends:
        row["flags"] |= Flag.LOW_QUALITY
    coasts = bool(octet.get(3, 0) & 0x80)
    urgent = octet.get(4, 0) >> 3 & 7
    if not urgent and "380/11" in i:
        urgent = i["380/11"][1] & 7
    if "040" in i:
        row["track_ref"] = int.from_bytes(i["040"], "big")
    address = i.get("380/1", b"")
    if address not in (b"", b"\0\0\0", b"\xff\xff\xff"):
        facts["who"] = f"icao:{address.hex()}"
    ages = {k: i.get(f"290/{k}") for k in range(1, 11)}
    fresh = {k for k, age in ages.items() if age and set(age) != {255} and k > 1}
    if fresh == {6}:
        row["flags"] |= Flag.SELF_REPORTED
    name = None
    if "245" in i and i["245"][0] >> 6 != 3:
        text = letters(i["245"][1:])
        scheme = "registration" if i["245"][0] >> 6 == 2 else "callsign"
        name = text and f"{scheme}:{text}"
    if name is None and "380/2" in i:
        text = letters(i["380/2"])
        name = text and f"callsign:{text}"
    if name is None and "390/2" in i and all(32 <= c < 127 for c in i["390/2"]):
        text = i["390/2"].decode().strip()
        name = text and f"callsign:{text}"
    facts["name"] = name
    if "060" in i:
        facts[Name.SQUAWK] = squawk(i["060"])
    facts[Name.EMERGENCY] = urgent or None
    height = near_earth(number(i["130"], 6.25 * FT)) if "130" in i else nan
    qnh = "135" in i and i["135"][0] & 0x80
    level = near_earth(number(i["135"], FL, bits=15)) if "135" in i else nan
    amsl = level if qnh else nan
    pressure = near_earth(number(i["136"], FL)) if "136" in i else nan
    if isnan(pressure) and not qnh:
        pressure = level
    if isfinite(pressure):
        facts[Name.PRESSURE_ALTITUDE] = pressure
    if isnan(height) and isnan(amsl) and isfinite(pressure):
        row["flags"] |= Flag.HEIGHT_BAROMETRIC
    if "185" in i:
        east, north = number(i["185"][:2], 0.25), number(i["185"][2:], 0.25)
    elif "380/17" in i and "380/18" in i:
        v = number(i["380/18"], NM / 2**14)
        course = radians(number(i["380/17"], 360 / 65536, signed=False))
        east, north = v * sin(course), v * cos(course)
    else:
        east = north = nan
    up = nan
    for item in ("380/13", "380/14", "220"):
        if item in i:
            up = number(i[item], 6.25 * FT / 60)
    row["vel"] = [*believable(east, north), up]
    size = i.get("270", b"")
    if size and size[0] >> 1:
        row["size"][0] = size[0] >> 1
    if len(size) > 2 and size[2] >> 1:
        row["size"][1] = size[2] >> 1
    kind = emitter_kind(i["380/21"][0]) if "380/21" in i else 0
    fleet = i["300"][0] if "300" in i else 0
    if kind:
        row["kind"], row["kind_conf"] = kind, 0.9
    elif 1 <= fleet <= 16:
        special = {3: Kind.EMERGENCY_VEHICLE, 7: Kind.EMERGENCY_VEHICLE, 8: Kind.EMERGENCY_VEHICLE}
        special[9] = Kind.BUS
        row["kind"], row["kind_conf"] = special.get(fleet, Kind.CAR), 0.7
    elif "060" in i or "who" in facts:
        row["kind"], row["kind_conf"] = Kind.AIRCRAFT, 0.6
    if "105" not in i:
        return False, coasts, ends
    lat, lon = number(i["105"][:4], 180 / 2**25), number(i["105"][4:], 180 / 2**25)
    if abs(lat) <= 0.01 and abs(lon) <= 0.01:
        return False, coasts, ends
    row["lat"], row["lon"] = lat, lon
    ee = nn = uu = nan
    en = 0.0
    if "500/1" in i:
        ee = number(i["500/1"][:2], 0.5, signed=False) ** 2
        nn = number(i["500/1"][2:], 0.5, signed=False) ** 2
        if "500/2" in i:
            v = number(i["500/2"], 0.5)
            en = math.copysign(v * v, v)
    elif "500/3" in i:
        here = ecef(radians(lat), radians(lon), 0)
        north, east = (
            ecef(radians(lat + dy), radians(lon + dx), 0) for dy, dx in ((1e-5, 0), (0, 1e-5))
        )
        step = 180 / 2**25 / 1e-5
        nn = (number(i["500/3"][:2], step, signed=False) * np.linalg.norm(north - here)) ** 2
        ee = (number(i["500/3"][2:], step, signed=False) * np.linalg.norm(east - here)) ** 2
    if isfinite(height):
        uu = number(i["500/4"], 6.25 * FT, signed=False) ** 2 if "500/4" in i else nan
    elif isfinite(amsl):
        uu = number(i["500/5"], FL, signed=False) ** 2 if "500/5" in i else nan
    if en * en > ee * nn:
        en = 0.0
    sd = sensor.sd_m if isfinite(sensor.sd_m) else 30.0
    sd_up = sensor.sd_up_m if isfinite(sensor.sd_up_m) else 15.0
    ee, nn, uu = (
        floor**2 if not var > 0 else max(var, floor**2 if configured else 0.0)
        for var, floor, configured in (
            (ee, sd, isfinite(sensor.sd_m)),
            (nn, sd, isfinite(sensor.sd_m)),
            (uu, sd_up, isfinite(sensor.sd_up_m)),
        )
    )
    if isnan(height) and isnan(amsl):
        uu = nan
    if isnan(height) and isfinite(amsl):
        height = amsl + float(undulation(np.array([lat]), np.array([lon]))[0])
        if isnan(height):
            row["flags"] |= Flag.DATUM_UNCERTAIN
            uu = nan
    row["height"], row["amsl"] = height, amsl
    row["cov"] = np.array([ee, en, 0, nn, 0, uu])
    if "500/6" in i and any(i["500/6"]):
        row["vel_sd"] = sqrt(sum((0.25 * c) ** 2 for c in i["500/6"]) / 2)
    return not coasts, coasts, ends


def plot(i, row, facts, sensor):
    """Category 048."""
    first, second = (i.get("020", b"\xff")[0], i["020"][1] if len(i.get("020", b"")) > 1 else 0)
    told = "020" in i
    detection = first >> 5 if told else None
    if (told and first & 0x10) or second & 0x80:
        row["flags"] |= Flag.SIMULATED
    monitor, beyond = told and bool(first & 2), bool(second & 0x40)
    if "161" in i:
        row["track_ref"] = int.from_bytes(i["161"], "big") & 0xFFF
    if i.get("220", b"\0\0\0") not in (b"\0\0\0", b"\xff\xff\xff"):
        facts["who"] = f"icao:{i['220'].hex()}"
    text = letters(i["240"]) if "240" in i else None
    facts["name"] = text and f"callsign:{text}"
    if "070" in i:
        facts[Name.SQUAWK] = squawk(i["070"])
    if detection is not None and detection >= 2:
        row["kind"], row["kind_conf"] = Kind.AIRCRAFT, 0.6
    for octet in i.get("030", b""):
        code = octet >> 1
        kind = {6: Kind.CAR, 7: Kind.OBSTACLE, 19: Kind.BIRD, 20: Kind.BIRD, 23: Kind.OBSTACLE}
        kind[24] = Kind.HELICOPTER
        if code in kind:
            row["kind"], row["kind_conf"] = kind[code], 0.7
        if code in (1, 2, 3, 4, 5, 9, 10):
            row["flags"] |= Flag.LOW_QUALITY
    state = i["170"][1] if len(i.get("170", b"")) > 1 else 0
    ends = bool(state & 0x80)
    if state & 0xC0:
        row["flags"] |= Flag.LOW_QUALITY
    here = isfinite(sensor.lat)
    geoid = 0.0
    if here:
        geoid = float(undulation(np.array([sensor.lat]), np.array([sensor.lon]))[0])
        geoid = 0.0 if isnan(geoid) else geoid
    known, sd_known = nan, nan
    if "090" in i and not i["090"][0] & 0xC0:
        pressure = number(i["090"], FL, bits=14)
        facts[Name.PRESSURE_ALTITUDE] = pressure
        known, sd_known = pressure + geoid, 100.0
        if "110" not in i:
            row["flags"] |= Flag.HEIGHT_BAROMETRIC
    usual = (120.0, radians(0.15)) if detection == 1 else (70.0, radians(0.08))
    sd_range = sensor.sd_range_m if isfinite(sensor.sd_range_m) else usual[0]
    sd_az = radians(sensor.sd_deg) if isfinite(sensor.sd_deg) else usual[1]
    rho = number(i["040"][:2], NM / 256, signed=False) if "040" in i else nan
    amsl = number(i["110"], 25 * FT, bits=14) if "110" in i else nan
    if isfinite(amsl):
        sd_known = (
            sensor.sd_up_m if isfinite(sensor.sd_up_m) else hypot(sd_az * rho, 25 * FT / sqrt(12))
        )
        known = amsl + geoid
    if "200" in i:
        v = number(i["200"][:2], NM / 2**14, signed=False)
        course = radians(number(i["200"][2:], 360 / 65536, signed=False))
        row["vel"] = [*believable(v * sin(course), v * cos(course)), nan]
        if "210" in i and i["210"][2]:
            a, b = i["210"][2] * NM / 2**14, v * radians(i["210"][3] * 360 / 4096)
            row["vel_sd"] = sqrt((a * a + b * b) / 2)
    if "120/1" in i and not i["120/1"][0] & 0x80:
        row["radial"] = number(i["120/1"], 1, bits=10)
    power = i.get("130/5", i.get("130/3"))
    if power:
        row["rssi"] = number(power, 1)
    coasts = detection == 0
    if isnan(rho) or beyond or rho == 0:
        return False, coasts, ends
    theta = radians(number(i["040"][2:], 360 / 65536, signed=False))
    row.update(range=rho, az=theta, range_sd=sd_range, ang_sd=sd_az, model=1, amsl=amsl)
    if here:
        radar = (
            radians(sensor.lat),
            radians(sensor.lon),
            sensor.hae_m if isfinite(sensor.hae_m) else geoid,
        )
        az = theta + radians(sensor.yaw_deg)
        found = place(radar, rho, az, known) if isfinite(known) else None
        if found:
            row["model"], row["el"] = 0, found[1]
            cov = spread(radar, rho, az, known, sd_range, sd_az, sd_known)
        else:
            row["amsl"] = amsl = nan
            known = radar[2]
            found = place(radar, rho, az, known)
            row["range_sd"] = hypot(sd_range, min(100.0**2 / (2 * rho), rho))
            cov = spread(radar, rho, az, known, row["range_sd"], sd_az, 0.0)
        lat, lon, _ = geodetic(found[0])
        row["lat"], row["lon"] = math.degrees(lat), math.degrees(lon)
        row["cov"] = cov[[0, 0, 0, 1, 1, 2], [0, 1, 2, 1, 2, 2]]
        if isnan(amsl):
            row["cov"][[2, 4]], row["cov"][5] = 0.0, nan
    if isfinite(amsl):
        row["height"] = amsl + float(undulation(np.array([row["lat"]]), np.array([row["lon"]]))[0])
        if isnan(row["height"]):
            row["flags"] |= Flag.DATUM_UNCERTAIN
            row["cov"][[2, 4]], row["cov"][5] = 0.0, nan
            if not here:
                row["cov"][:] = nan
                row["cov"][[2, 4]] = 0.0
    if monitor:
        facts["monitor"] = (rho, theta)
        return False, coasts, ends
    return not coasts, coasts, ends


def squitter(i, row, facts, sensor):
    """Category 021."""
    octet = dict(enumerate(i.get("040", b"")))
    row["flags"] |= Flag.SELF_REPORTED
    if octet.get(1, 0) & 0x30:
        row["flags"] |= Flag.SIMULATED
    if octet.get(1, 0) >> 1 & 3 == 1 or octet.get(2, 0) & 0b0010_1010:
        row["flags"] |= Flag.LOW_QUALITY
    if 1 in octet:
        facts[Name.GROUND_BIT] = octet[1] >> 6 & 1
    if "161" in i:
        row["track_ref"] = int.from_bytes(i["161"], "big") & 0xFFF
    address = i.get("080", b"")
    if address not in (b"", b"\0\0\0", b"\xff\xff\xff"):
        scheme = "adsb18" if octet.get(0, 0) >> 5 == 3 else "icao"
        facts["who"] = f"{scheme}:{address.hex()}"
    text = letters(i["170"]) if "170" in i else None
    facts["name"] = text and f"callsign:{text}"
    if "070" in i:
        facts[Name.SQUAWK] = int(f"{int.from_bytes(i['070'], 'big') & 0xFFF:o}")
    facts[Name.EMERGENCY] = (i["200"][0] >> 2 & 7 or None) if "200" in i else None
    if "132" in i:
        row["rssi"] = number(i["132"], 1)
    height = near_earth(number(i["140"], 6.25 * FT)) if "140" in i else nan
    pressure = near_earth(number(i["145"], FL)) if "145" in i else nan
    if isfinite(pressure):
        facts[Name.PRESSURE_ALTITUDE] = pressure
        if isfinite(height):
            facts[Name.GEO_MINUS_BARO_M] = height - pressure
        else:
            row["flags"] |= Flag.HEIGHT_BAROMETRIC
    if "160" in i and not i["160"][0] & 0x80:
        v = number(i["160"][:2], NM / 2**14, signed=False)
        course = radians(number(i["160"][2:], 360 / 65536, signed=False))
        row["vel"][:2] = believable(v * sin(course), v * cos(course))
    for item in ("155", "157"):
        if item in i and not i[item][0] & 0x80:
            row["vel"][2] = number(i[item], 6.25 * FT / 60, bits=15)
    sd = sd_up = nan
    quality = i.get("090", b"")
    if len(quality) > 1:
        nacp = quality[1] >> 1 & 15
        facts[Name.NIC], facts[Name.NACP] = quality[0] >> 1 & 15, nacp
        epu = (nan, 18520, 7408, 3704, 1852, 926, 555.6, 185.2, 92.6, 30, 10, 3, 1, nan, nan, nan)
        sd = epu[nacp] / 2
        row["vel_sd"] = {1: 10, 2: 3, 3: 1, 4: 0.3}.get(quality[0] >> 5, nan) / 2
        if len(quality) > 2:
            sd_up = {1: 75.0, 2: 22.5}.get(quality[2] >> 1 & 3, nan)
    sd = max(sd, sensor.sd_m) if isfinite(sd) and isfinite(sensor.sd_m) else sd
    sd = sd if isfinite(sd) else (sensor.sd_m if isfinite(sensor.sd_m) else 30.0)
    sd_up = np.fmax(15.0 if isnan(sd_up) else sd_up, sensor.sd_up_m)
    row["kind"] = (emitter_kind(i["020"][0]) if "020" in i else 0) or Kind.AIRCRAFT
    row["kind_conf"] = 0.9 if "020" in i and emitter_kind(i["020"][0]) else 0.6
    lat, lon = position(21, i)
    monitor = bool(octet.get(0, 0) & 2)
    if monitor or isnan(lat) or (abs(lat) <= 0.01 and abs(lon) <= 0.01):
        return False
    up = sd_up**2 if isfinite(height) else nan
    row.update(lat=lat, lon=lon, height=height, cov=np.array([sd * sd, 0, 0, sd * sd, 0, up]))
    return True


def service(i, facts):
    if "041" in i:
        facts[Name.ANTENNA_PERIOD_S] = number(i["041"], 1 / 128, signed=False)
    if "050/1" in i:
        b = i["050/1"][0]
        facts[Name.RADAR_STATUS] = (
            bool(b & 0x80) + 2 * bool(b & 0x18) + 4 * bool(b & 2) + 8 * bool(b & 4)
        )
    if "090" in i:
        facts[Name.RADAR_RANGE_ERROR_M] = number(i["090"][:1], NM / 128)
        facts[Name.RADAR_AZ_ERROR] = radians(number(i["090"][1:], 360 / 2**14))


def system(i, facts):
    if "040" in i:
        b = i["040"][0]
        facts[Name.RADAR_STATUS] = [0, 16, 1, 1][b >> 6] + 2 * bool(b & 0x20) + 4 * bool(b & 0x10)


ORDER = (
    Name.PRESSURE_ALTITUDE, Name.SQUAWK, Name.EMERGENCY, Name.RADAR_STATUS, Name.ANTENNA_PERIOD_S,
    Name.RADAR_RANGE_ERROR_M, Name.RADAR_AZ_ERROR, Name.GROUND_BIT, Name.NACP, Name.NIC,
    Name.GEO_MINUS_BARO_M,
)  # fmt: skip


CLOCKS = {62: "070", 48: "140", 34: "030", 65: "030", 21: "071 073 077"}


def decode(payloads, recv, sensor_rows, table):
    """Rows and codes: (observations, readings, rejects), dictionaries by column."""
    seen, told, rejects = [], [], []
    for f, (payload, r, s) in enumerate(zip(payloads, recv, sensor_rows, strict=True)):
        try:
            found, padded = records(payload)
        except RefusedError as e:
            rejects.append(int(e.code))
            continue
        before = len(seen)
        for category, i in found:
            if i is None:
                continue
            row, facts = blank(), {}
            kept = coasts = ends = False
            if category == 62:
                kept, coasts, ends = track(i, row, facts, table[s])
            elif category == 48:
                kept, coasts, ends = plot(i, row, facts, table[s])
            elif category == 21:
                kept = squitter(i, row, facts, table[s])
            elif category == 34:
                service(i, facts)
            else:
                system(i, facts)
            clocks = {62: "070", 48: "140", 34: "030", 65: "030", 21: "071 073 077"}[
                category
            ].split()
            clock = next((i[item] for item in clocks if item in i), None)
            ticks = int.from_bytes(clock, "big") if clock else None
            t = r
            if ticks is None or ticks >= 86_401 * 128:
                row["flags"] |= Flag.TIME_FROM_ARRIVAL
            else:
                part = ticks * 1_000_000_000 // 128
                t = min(
                    (r // DAY * DAY + d * DAY + part for d in (0, -1, 1)), key=lambda x: abs(x - r)
                )
                if t - r > 2_000_000_000:
                    row["flags"] |= Flag.TIME_SUSPECT
            if padded:
                row["flags"] |= Flag.LENGTH_BAD
            who = ident_of(facts.get("who", ""))
            base = {"frame": f, "t_ns": t, "recv_ns": r, "sensor": s, "ident": who}
            if kept:
                seen.append(row | base)

            def say(name, value, lat=nan, lon=nan, ident2=-1, base=base):
                told.append(
                    base | {"name": name, "value": value, "lat": lat, "lon": lon, "ident2": ident2}
                )

            if category in (34, 65):
                say(Name.HEARTBEAT, 1.0)
            for name in ORDER:
                if facts.get(name) is not None:
                    say(name, facts[name])
            if facts.get("name"):
                say(Name.CALLSIGN, 1.0, ident2=ident_of(facts["name"]))
            ref = row["track_ref"] if row["track_ref"] >= 0 else nan
            if coasts:
                say(Name.TRACK_COASTING, ref, row["lat"], row["lon"])
            if ends:
                say(Name.TRACK_END, ref)
            if "monitor" in facts:
                say(Name.RADAR_MONITOR, facts["monitor"][0], row["lat"], row["lon"])
                say(Name.RADAR_MONITOR_AZ, facts["monitor"][1])
        rejects.append(int(Reject.OK if len(seen) > before else Reject.NOTHING_TO_OBSERVE))
    return seen, told, rejects
