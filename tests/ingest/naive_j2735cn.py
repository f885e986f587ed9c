"""Slow twin of what RSM and BSM become: one plain dict a row, straight from the written rules."""

from math import cos, isnan, nan, radians, sin

from tests.ingest.naive_uper import RefusedError, is_swapped
from v2x.observations import Kind

POSITION_M = [nan, 500, 200, 100, 50, 20, 10, 5, 2, 1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01]
SPEED_M_S = [nan, 100, 10, 5, 1, 0.1, 0.05, 0.01]
HEADING_DEG = [nan, 10, 5, 1, 0.1, 0.05, 0.01, 0.0125]
SECOND = 1_000_000_000
DETECTED = {"v3": Kind.CAR, "v4": Kind.CAR, "v5": Kind.TRUCK, "v6": Kind.BUS, "v7": Kind.BICYCLE,
            "v8": Kind.MOTORCYCLE, "v9": Kind.MOTORCYCLE, "v10": Kind.PEDESTRIAN}  # fmt: skip


def number(name):
    return -1 if name is None else int(name[1:])


def larger(a, b):
    return b if isnan(a) else a if isnan(b) else max(a, b)


def kind_of_class(code):
    table = {Kind.CAR: range(10, 25), Kind.TRUCK: range(25, 40), Kind.MOTORCYCLE: range(40, 50),
             Kind.BUS: range(50, 60), Kind.EMERGENCY_VEHICLE: range(60, 70),
             Kind.PEDESTRIAN: (80, 81, 82, 83, 84, 86), Kind.BICYCLE: (85,),
             Kind.OBSTACLE: range(90, 94)}  # fmt: skip
    return next((kind for kind, codes in table.items() if code in codes), None)


def time_of(sec_mark, recv_ns):
    """(t_ns, flags)"""
    if sec_mark >= 61_000:
        return recv_ns, 1 << 8
    minute = recv_ns // (60 * SECOND) * 60 * SECOND
    t = min(
        (minute + k * 60 * SECOND + sec_mark * 1_000_000 for k in (-2, -1, 0, 1)),
        key=lambda t: abs(t - recv_ns),
    )
    return t, (1 << 9 if t - recv_ns > 2 * SECOND else 0)


def place_of(pos, ref):
    """(lat, lon, elevation) in wire units, None where unknown."""
    form, ll = pos["offsetLL"]
    lat, lon = ll["lat"], ll["lon"]
    if form == "position-LatLon":
        lat, lon = known(lat, lon)
    else:
        lat0, lon0 = known(ref["lat"], ref["long"])
        if lat0 is None or lon0 is None:
            lat = lon = None
        else:
            lat, lon = lat0 + lat, lon0 + lon
            if abs(lat) > 900_000_000 and not is_swapped(lat, lon):
                raise RefusedError("VALUE_RANGE")
            if abs(lon) > 1_800_000_000:
                lon -= 3_600_000_000 if lon > 0 else -3_600_000_000
    up = None
    if "offsetV" in pos:
        form, v = pos["offsetV"]
        if form == "elevation":
            up = None if v == -4096 else v
        elif v > -(64 << int(form[-1]) - 1) and ref.get("elevation", -4096) != -4096:
            up = ref["elevation"] + v
    return lat, lon, up


def known(lat, lon):
    return None if lat == 900_000_001 else lat, None if lon == 1_800_000_001 else lon


def is_place(lat, lon):
    return None not in (lat, lon) and max(abs(lat), abs(lon)) > 100_000


def turned(lat, lon):
    """Pair in degrees and its flag."""
    if is_swapped(lat, lon):
        return lon / 1e7, lat / 1e7, 1 << 10
    return lat / 1e7, lon / 1e7, 0


def row(fields, lat, lon, up, recv_ns, sd, sd_up, flags, steps=(100, 20)):
    lat, lon, guess = turned(lat, lon)
    flags |= guess
    t_ns, doubt = time_of(fields["secMark"], recv_ns)
    confidence = fields.get("posConfidence", {"pos": "v0"})
    horizontal = larger(POSITION_M[number(confidence["pos"])] / 2, sd)
    ee = nn = horizontal**2
    en = 0.0
    ellipse = fields.get("posAccuracy")
    if ellipse and ellipse["semiMajor"] < 255 and ellipse["semiMinor"] < 255:
        a, b = (max(ellipse[k] * 0.05, 0.025) for k in ("semiMajor", "semiMinor"))
        if ellipse["orientation"] == 65535:
            a = b = max(a, b)
        a, b = larger(a, sd), larger(b, sd)
        t = radians(ellipse["orientation"] * 360 / 65535)
        ee = (a * sin(t)) ** 2 + (b * cos(t)) ** 2
        nn = (a * cos(t)) ** 2 + (b * sin(t)) ** 2
        en = (a * a - b * b) * sin(t) * cos(t)
    uu = nan
    if up is not None:
        uu = larger(POSITION_M[number(confidence.get("elevation", "v0"))] / 2, sd_up) ** 2
    motion = fields.get("motionCfd", {})
    east = north = vel_sd = nan
    v, h = fields["speed"] * 0.02, fields["heading"] * 0.0125
    if fields["speed"] != 8191 and (fields["heading"] != 28800 or v < 0.5):
        vel_sd = SPEED_M_S[number(motion.get("speedCfd", "v0"))] / 2
        east = north = 0.0
        if fields["heading"] != 28800:
            east, north = v * sin(radians(h)), v * cos(radians(h))
            turn = radians(HEADING_DEG[number(motion.get("headingCfd", "v0"))]) / 2
            if not isnan(vel_sd) and not isnan(turn):
                vel_sd = max(vel_sd, v * turn)
        if v < 1.2 and not isnan(vel_sd):
            vel_sd = max(vel_sd, v)
    size = fields["size"]
    return {
        "t_ns": t_ns, "recv_ns": recv_ns, "flags": flags | doubt,
        "lat": lat, "lon": lon, "height": nan if up is None else up / 10,
        "cov": [ee, en, 0.0, nn, 0.0, uu], "vel": [east, north, nan], "vel_sd": vel_sd,
        "size": [size["length"] / steps[0] or nan, size["width"] / steps[0] or nan,
                 size.get("height", 0) / steps[1] or nan],
    }  # fmt: skip


def rsm(value, recv_ns, sd=nan, sd_up=nan):
    """(rows, [(reading name, value)]) of an RSM."""
    rows, readings, others = participants(
        value["participants"], value["refPos"], recv_ns, sd, sd_up
    )
    readings.append(("RSM_COUNT", others))
    return rows, readings


def participants(listed, ref, recv_ns, sd, sd_up, detected=()):
    """(rows, readings, how many); `detected` holds (type, confidence) of each in an SSM."""
    rows, readings, others = [], [], 0
    places = [place_of(p["pos"], ref) for p in listed]
    for i, (one, (lat, lon, up)) in enumerate(zip(listed, places, strict=True)):
        if one["ptcId"] == 0:
            if is_place(lat, lon):
                readings.append(("RSU_LOCATION", nan if up is None else up / 10))
            continue
        others += 1
        if not is_place(lat, lon):
            continue
        source = number(one["source"])
        flags = {2: 1 | 1 << 12, 7: 1 << 12}.get(source, 0)
        made = row(one, lat, lon, up, recv_ns, sd, sd_up, flags)
        kind = kind_of_class(one.get("vehicleClass", {}).get("classification"))
        sure = 0.9 if source == 2 else 0.7
        if kind is None:
            kind, sure = {1: (Kind.CAR, 0.5), 2: (Kind.BICYCLE, 0.6),
                          3: (Kind.PEDESTRIAN, 0.7)}.get(
                              number(one["ptcType"]), (Kind.UNKNOWN, 0.0))  # fmt: skip
        seen, confidence = detected[i] if detected else (None, None)
        if seen in DETECTED and kind != Kind.EMERGENCY_VEHICLE:
            kind, sure = DETECTED[seen], (0.9 if source == 2 else 0.7)
            if confidence is not None:
                sure = confidence / 200
        ident = one.get("id", bytes(8))
        made |= {"kind": kind, "kind_conf": sure, "track_ref": one["ptcId"],
                 "ident": f"bsm:{ident.hex()}" if any(ident) else ""}  # fmt: skip
        rows.append(made)
    return rows, readings, others


def bsm(value, recv_ns, sd=nan, sd_up=nan, guessed=False):
    """(rows, [(reading name, value)]) of a BSM."""
    readings = []
    safety, emergency = value.get("safetyExt", {}), value.get("emergencyExt", {})
    if "events" in safety:
        octets, n = safety["events"]
        text = "".join(f"{byte:08b}" for byte in octets)[: min(n, 31)]
        readings.append(("BSM_EVENTS", int(text[::-1] or "0", 2)))
    if emergency.get("sirenUse") in ("v1", "v2"):
        readings.append(("SIREN", number(emergency["sirenUse"]) - 1))
    brakes = value["brakes"]
    if brakes.get("brakePadel") in ("v1", "v2"):
        readings.append(("BRAKE", number(brakes["brakePadel"]) - 1))
    elif "wheelBrakes" in brakes and brakes["wheelBrakes"][0][0] < 0x80:
        readings.append(("BRAKE", 1 if any(brakes["wheelBrakes"][0]) else 0))
    pos = value["pos"]
    lat, lon = known(pos["lat"], pos["long"])
    if not is_place(lat, lon):
        return [], sorted(readings)
    up = pos.get("elevation", -4096)
    flags = 1 | (1 << 11 if guessed else 0)
    made = row(value, lat, lon, None if up == -4096 else up, recv_ns, sd, sd_up, flags)
    kind, sure = kind_of_class(value["vehicleClass"]["classification"]), 0.9
    if kind is None:
        kind, sure = Kind.CAR, 0.5
    if emergency.get("responseType") == "v1":
        kind, sure = Kind.EMERGENCY_VEHICLE, 0.9
    made |= {"kind": kind, "kind_conf": sure, "track_ref": -1,
             "ident": f"bsm:{value['id'].hex()}" if any(value["id"]) else ""}  # fmt: skip
    return [made], sorted(readings)


def ssm(value, recv_ns, sd=nan, sd_up=nan):
    """(rows, [(reading name, value)]) of a sensor sharing message."""
    base, listed = value["sensorPos"], value.get("participants", [])
    detected = [(p.get("detectedPTCType"), p.get("typeConfidence")) for p in listed]
    rows, readings, others = participants(
        [p["ptc"] for p in listed], base, recv_ns, sd, sd_up, detected
    )
    for one in value.get("obstacles", []):
        lat, lon, up = place_of(one["pos"], base)
        others += 1
        readings.append(("OBSTACLE_TYPE", number(one["obsType"])))
        if not is_place(lat, lon):
            continue
        fields = one | {"motionCfd": {k: one[k] for k in ("speedCfd", "headingCfd") if k in one}}
        relayed = 1 << 12 if one["source"] in ("v2", "v7") else 0
        made = row(fields, lat, lon, up, recv_ns, sd, sd_up, relayed, (10, 10))
        sure = one.get("objTypeConfidence")
        made |= {"kind": Kind.OBSTACLE, "kind_conf": 0.7 if sure is None else sure / 200,
                 "track_ref": one["obsId"], "ident": ""}  # fmt: skip
        rows.append(made)
    if "detectedRegion" in value:
        readings.append(("COVERAGE_HASH", None))
    readings.append(("SSM_COUNT", others))
    more, told = events(value.get("rtes", []), base, recv_ns, sd, sd_up, 1 << 8)
    return rows + more, readings + told


def rsi(value, recv_ns, sd=nan, sd_up=nan, guessed=False):
    """(rows, [(reading name, value)]) of the events and signs of a unit."""
    flags = 1 << 8 | (1 << 11 if guessed else 0)
    if value.get("moy", 527040) < 527040:
        offset = in_year(value["moy"], 0, recv_ns) - recv_ns
        offset = 0 if -60 * SECOND <= offset <= 0 else offset + (60 * SECOND if offset < 0 else 0)
        flags |= 1 << 9 if wrong_clock(offset, 60) else 0
    rows, readings = events(value.get("rtes", []), value["refPos"], recv_ns, sd, sd_up, flags)
    for one in value.get("rtss", []):
        if "signPos" in one:
            place_of(one["signPos"], value["refPos"])
        readings.append(("SIGN", one["signType"]))
    return rows, readings


def events(listed, ref, recv_ns, sd, sd_up, flags):
    rows, readings = [], []
    for one in listed:
        readings.append(("ROAD_EVENT", one["eventType"]))
        if "eventRadius" in one:
            readings.append(("ROAD_EVENT_RADIUS_M", one["eventRadius"] / 10))
        end = one.get("timeDetails", {}).get("endTime", 527040)
        if end < 527040:
            readings.append(("ROAD_EVENT_END", in_year(end, 0, recv_ns) / 1e9))
        lat, lon, up = place_of(one["eventPos"], ref) if "eventPos" in one else (None,) * 3
        if not is_place(lat, lon) or one["eventType"] not in (401, 411):
            continue
        if one["eventSource"] != "v5":
            continue
        lat, lon, guess = turned(lat, lon)
        sigma = larger(one.get("eventRadius", 0) / 20 or nan, sd)
        sure = one.get("eventConfidence")
        uu = nan if up is None else sd_up**2
        rows.append({
            "t_ns": recv_ns, "recv_ns": recv_ns, "flags": flags | guess, "lat": lat, "lon": lon,
            "height": nan if up is None else up / 10, "vel": [nan] * 3, "vel_sd": nan,
            "cov": [sigma**2, 0.0, 0.0, sigma**2, 0.0, uu], "size": [nan] * 3,
            "kind": Kind.OBSTACLE, "kind_conf": 0.7 if sure is None else sure / 200,
            "track_ref": one["rteId"], "ident": "",
        })  # fmt: skip
    return rows, readings


def spat(value, recv_ns):
    """([], [(reading name, value)]) of the lights of intersections."""
    readings = []
    for crossing in value["intersections"]:
        moy = crossing.get("moy", value.get("moy", 527040))
        stamp = crossing.get("timeStamp", value.get("timeStamp", 65535))
        t_ns = recv_ns
        if stamp < 61_000 and moy < 527040:
            t_ns = in_year(moy, stamp, recv_ns)
            readings.append(("CLOCK_OFFSET_S", (t_ns - recv_ns) / 1e9))
            if wrong_clock(t_ns - recv_ns, 5):
                t_ns = recv_ns
        elif stamp < 61_000:
            t_ns, _ = time_of(stamp, recv_ns)
        for phase in crossing["phases"]:
            readings += lights(phase["phaseStates"], t_ns)
        text = "".join(f"{byte:08b}" for byte in crossing["status"][0])
        readings.append(("SIGNAL_STATUS", int(text[::-1], 2)))
    return [], readings


def lights(states, t_ns):
    found, twisted = None, False
    for state in states:
        left, runs, kind = nan, True, None
        if "timing" in state:
            kind, times = state["timing"]
            runs = False
        if kind == "counting":
            start, end = times["startTime"], times["likelyEndTime"]
            runs = start == 0
            twisted |= end < start or end == start > 0
            left = nan if end == 36001 else end / 10
        elif kind == "utcTiming":
            start, end = times["startUTCTime"], times["likelyEndUTCTime"]
            now = t_ns // (SECOND // 10) % 36_000
            if 36001 not in (start, end):
                left = (end - now) % 36_000 / 10
                runs = (now - start) % 36_000 <= (end - start) % 36_000
        if runs and found is None:
            light = number(state["light"]) if state["light"] else 0
            found = light, left, "timing" in state
    if found is None:
        return []
    light, left, timed = found
    left = [("SIGNAL_LEFT_S", nan if twisted else left)] if timed else []
    return [("SIGNAL_LIGHT", light), *left]


def map_of(value):
    """([], [(reading name, value)]) of a map."""
    return [], [("MAP_HASH", None), ("MAP_NODES", len(value["nodes"]))]


def in_year(minute, ms, recv_ns):
    """Full time of a minute of the year, nearest to the arrival."""
    found = []
    for year in range(2020, 2032):
        leap = sum(y % 4 == 0 for y in range(1970, year))
        days = (year - 1970) * 365 + leap
        found.append((days * 86_400 + minute * 60) * SECOND + ms * 1_000_000)
    return min(found, key=lambda t: abs(t - recv_ns))


def wrong_clock(offset_ns, slack_s):
    hours = round(offset_ns / (3600 * SECOND))
    whole = hours and abs(offset_ns - hours * 3600 * SECOND) <= slack_s * SECOND
    return offset_ns > 2 * SECOND or offset_ns < -86_400 * SECOND or bool(whole)
