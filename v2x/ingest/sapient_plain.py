"""SAPIENT messages one by one, in Python: what no kernel reads, and the twin of what it does.

`v2x.ingest.formats.sapient` says what a message becomes; here are the rules, field by field.
"""

import math
import re
from collections import Counter
from typing import Any

import numpy as np

from v2x.columns import F8, I8, U1
from v2x.frames import FrameBatch
from v2x.geodesy import undulation
from v2x.ingest.decoded import Reject
from v2x.ingest.protobuf import MalformedError, parse
from v2x.ingest.sapient_messages import CONTENTS, SCHEMA
from v2x.ingest.timestamps import FUTURE_NS, PAST_NS, SECOND
from v2x.ingest.utm import from_utm
from v2x.observations import Flag, Kind, Model, Observations, ident_of
from v2x.readings import Name, Readings
from v2x.sensors import Sensor, SensorTable

DEGREES, RADIANS, UTM = 1, 2, 5
ELLIPSOID, GEOID = 1, 2
TRUE, MAGNETIC, GRID, PLATFORM = 1, 2, 3, 4
_ALERT_ACTIVE = (0, 1, 2)
_MOST_SECONDS = 4_000_000_000
_ANGLE_ERROR = {DEGREES: 0.01, RADIANS: 2e-4}
"""Position errors above are metres."""
_RADIUS = 6_371_000.0
_SENSOR_CONF = 0.7
_KINDS: tuple[tuple[str, Kind, float], ...] = (
    (r"control station", Kind.UNKNOWN, 0.0),
    (r"\b(uav|uas|drone|unmanned|multirotor|quadcopter)", Kind.UAS, 1.0),
    (r"manned rotary|helicopter|rotorcraft", Kind.HELICOPTER, 1.0),
    (r"manned fixed|aeroplane|airplane|aircraft|airliner", Kind.AIRCRAFT, 1.0),
    (r"\bbird", Kind.BIRD, 1.0),
    (r"\b(human|person|people|pedestrian)", Kind.PEDESTRIAN, 1.0),
    (r"ambulance|fire engine|police|emergency", Kind.EMERGENCY_VEHICLE, 1.0),
    (r"motorcycle|motorbike|moped|scooter", Kind.MOTORCYCLE, 1.0),
    (r"bicycle|cyclist", Kind.BICYCLE, 1.0),
    (r"\b(truck|lorry|hgv|heavy goods)\b", Kind.TRUCK, 1.0),
    (r"\b(bus|coach)\b", Kind.BUS, 1.0),
    (r"\b(car|van|light vehicle|4x4)\b", Kind.CAR, 1.0),
    (r"land vehicle", Kind.CAR, 0.5),
)
_CLASS = [(re.compile(pattern), kind, weight) for pattern, kind, weight in _KINDS]
_ZONE = re.compile(r"\s*(\d{1,2})\s*([C-HJ-NP-Xc-hj-np-x])?\s*$")

Row = dict[str, Any]


def read_frames(batch: FrameBatch, frames: I8, sensors: SensorTable, code: U1) -> "PlainRows":
    """Rows of `frames`, which ascend; their `code` is set."""
    made = PlainRows()
    for i in frames.tolist():
        try:
            message = parsed(batch.payload(i))
            sensor = int(batch.sensor[i])
            told = made.message(message, i, int(batch.recv_ns[i]), sensor, sensors[sensor])
            code[i] = Reject.OK if told else Reject.NOTHING_TO_OBSERVE
        except MalformedError as malformed:
            code[i] = malformed.why
    return made


def body(payload: bytes) -> bytes:
    """The message without its length, where that is right."""
    prefixed = len(payload) > 4 and int.from_bytes(payload[:4], "little") == len(payload) - 4
    return payload[4:] if prefixed else payload


def parsed(payload: bytes) -> dict[str, Any]:
    """The message of a payload, of which it is sure that it is one."""
    if not payload:
        raise MalformedError(Reject.SHORT)
    bare = body(payload)
    if bare is payload and len(payload) > 4 and payload[4:5] == b"\x0a":
        size = int.from_bytes(payload[:4], "little")
        if len(payload) < size + 4 <= 1 << 20:
            raise MalformedError(Reject.SHORT)
        if 0 < size < len(payload) - 4 and payload[0] != 0x0A:
            raise MalformedError(Reject.BAD_LENGTH)
    try:
        message = parse(bare, "SapientMessage", SCHEMA)
    except MalformedError as malformed:
        if malformed.why == Reject.SHORT and bare[:1] != b"\x0a":
            raise MalformedError(Reject.BAD_MAGIC) from None
        raise
    if not any(content in message for content in CONTENTS):
        known = "timestamp" in message or "node_id" in message
        raise MalformedError(Reject.UNKNOWN_MESSAGE if known else Reject.BAD_MAGIC)
    return message


class PlainRows:
    """Rows of a batch while it is read."""

    def __init__(self) -> None:
        self.seen: list[Row] = []
        self.told: list[Row] = []
        self.amsl: list[Row] = []
        self.idents: dict[int, str] = {}
        self.counts: Counter[str] = Counter()

    def columns(self) -> tuple[Observations, Readings, F8]:
        """Observations whose heights above the geoid are still missing, readings, those heights."""
        amsl = np.array([row.get("amsl", math.nan) for row in self.amsl], np.float64)
        return _columns(Observations, self.seen), _columns(Readings, self.told), amsl

    def name(self, text: str) -> int:
        """Hash of an identity text, which is kept."""
        ident = ident_of(text)
        self.idents[ident] = text
        return ident

    def message(
        self, message: dict[str, Any], frame: int, recv_ns: int, row: int, sensor: Sensor
    ) -> bool:
        """Rows of one message; whether there are any."""
        t_ns, flags = _time(message.get("timestamp"), recv_ns)
        base = {"frame": frame, "t_ns": t_ns, "recv_ns": recv_ns, "sensor": row}
        before = len(self.seen) + len(self.told)
        node = message.get("node_id", "")
        who = base | {"ident": self.name(f"node:{node}") if node else -1}
        if "detection_report" in message:
            self.detection(message["detection_report"], base, who, flags, sensor)
        elif "status_report" in message:
            self.status(message["status_report"], who, sensor)
        elif "registration" in message:
            definitions = message["registration"].get("node_definition", [{}])
            named = message["registration"].get("name", "")
            self.tell(who, Name.NODE_TYPE, definitions[0].get("node_type", 0), named)
        elif "alert" in message:
            self.alert(message["alert"], who, sensor)
        else:
            self.counts[next(c for c in CONTENTS if c in message)] += 1
        return len(self.seen) + len(self.told) > before

    def tell(
        self, who: Row, name: Name, value: float, text: str = "", at: Row | None = None
    ) -> None:
        """Add a reading; `text` goes into ``ident2``, `at` has its place."""
        place = {k: at[k] for k in ("lat", "lon") if at and k in at}
        ident2 = self.name(text) if text else -1
        self.told.append(who | place | {"name": name, "value": float(value), "ident2": ident2})

    def detection(
        self, report: dict[str, Any], base: Row, who: Row, flags: int, sensor: Sensor
    ) -> None:
        """One detected object."""
        thing = report.get("object_id", "")
        if report.get("state", "").strip().lower() in ("lost", "object lost"):
            self.tell(who, Name.TRACK_LOST, 1.0, f"object:{thing}" if thing else "")
            return
        place = _place(report, sensor, self.counts)
        if place is None:
            return
        kind, conf = _kind(report.get("classification", []))
        row = base | {
            "ident": self.name(f"ext:{report['id']}") if report.get("id") else -1,
            "track_ref": ident_of(f"object:{thing}") if thing else -1,
            "kind": kind, "kind_conf": conf, "flags": flags | place.pop("flags", 0),
        }  # fmt: skip
        speed = report.get("enu_velocity")
        if speed:
            row["vel"] = [
                _within(speed.get(f"{axis}_rate"), -1e3, 1e3) for axis in ("east", "north", "up")
            ]
            errors = [
                _within(speed.get(f"{axis}_rate_error"), 0.0, 1e3) for axis in ("east", "north")
            ]
            row["vel_sd"] = _larger(*errors) or math.nan
        self.amsl.append(place)
        self.seen.append(row | {k: v for k, v in place.items() if k != "amsl"})

    def status(self, report: dict[str, Any], who: Row, sensor: Sensor) -> None:
        """How a node is."""
        self.tell(who, Name.HEARTBEAT, 1.0)
        if "system" in report:
            self.tell(who, Name.NODE_STATUS, report["system"])
        for entry in report.get("status", [])[:100]:
            text = f"status:{entry.get('status_type', 0)}:{entry.get('status_value', '')}"
            self.tell(who, Name.NODE_CONDITION, entry.get("status_level", 0), text)
        if "level" in report.get("power", {}):
            self.tell(who, Name.NODE_POWER, report["power"]["level"])
        if "node_location" in report:
            at = _location(report["node_location"], sensor, Counter())
            if at:
                high = at["height"] if "height" in at else _hae(at)
                self.tell(who, Name.NODE_LOCATION, high, "", at)
        if report.get("obscuration"):
            self.tell(who, Name.NODE_OBSCURED, len(report["obscuration"]))

    def alert(self, alert: dict[str, Any], who: Row, sensor: Sensor) -> None:
        """What a node raises or takes back."""
        active = alert.get("status", 0) in _ALERT_ACTIVE
        at = _location(alert["location"], sensor, Counter()) if "location" in alert else None
        value = alert.get("alert_type", 0) if active else 0
        name = alert.get("alert_id", "")
        self.tell(who, Name.NODE_ALERT, value, f"alert:{name}" if name else "", at)


def _time(stamp: dict[str, int] | None, recv_ns: int) -> tuple[int, int]:
    """Event time and its flags."""
    seconds, nanos = (stamp.get("seconds", 0), stamp.get("nanos", 0)) if stamp else (0, 0)
    if not seconds:
        return recv_ns, int(Flag.TIME_FROM_ARRIVAL)
    if not (0 < seconds < _MOST_SECONDS and 0 <= nanos < SECOND):
        return recv_ns, int(Flag.TIME_FROM_ARRIVAL | Flag.TIME_SUSPECT)
    t_ns = seconds * SECOND + nanos
    suspect = t_ns - recv_ns > FUTURE_NS or recv_ns - t_ns > PAST_NS
    return t_ns, int(Flag.TIME_SUSPECT) if suspect else 0


def _within(value: float | None, low: float, high: float) -> float:
    return value if value is not None and low <= value <= high else math.nan


def _larger(a: float, b: float) -> float:
    """The larger of two numbers either of which may be NaN."""
    return a if b != b or a > b else b


def _place(report: dict[str, Any], sensor: Sensor, counts: Counter[str]) -> Row | None:
    """Columns of where a detection is; None, or MalformedError, where that cannot be said."""
    if "location" in report:
        place = _location(report["location"], sensor, counts)
        if place is None:
            raise MalformedError(Reject.VALUE_RANGE)
        return place
    if "range_bearing" not in report:
        return None
    at = report["range_bearing"]
    unit = at.get("coordinate_system", 0)
    datum = at.get("datum", 0)
    angle = 1.0 if unit in (2, 4) else math.pi / 180.0
    length = 1000.0 if unit in (3, 4) else 1.0
    azimuth = _within(at.get("azimuth"), -720.0 / angle, 720.0 / angle) * angle
    elevation = _within(at.get("elevation", 0.0), -90.0, 90.0) * angle
    if not math.isfinite(azimuth) or not abs(elevation) <= math.pi / 2 or unit not in (1, 2, 3, 4):
        raise MalformedError(Reject.VALUE_RANGE)
    if datum in (MAGNETIC, GRID) and sensor.yaw_deg == 0.0:
        counts["azimuth_without_yaw"] += 1
        raise MalformedError(Reject.VALUE_RANGE)
    ranged = _within(at.get("range", math.nan) * length, 1e-3, 1e6)
    errors = [_within(at.get(f"{axis}_error"), 0.0, 1e6) for axis in ("azimuth", "elevation")]
    return {
        "model": Model.POLAR if math.isfinite(ranged) else Model.BEARING,
        "az": azimuth % (2.0 * math.pi),
        "el": elevation,
        "range": ranged,
        "ang_sd": _larger(*errors) * angle,
        "range_sd": _within(at.get("range_error"), 0.0, 1e6) * length,
        "flags": 0 if datum else int(Flag.DATUM_UNCERTAIN),
    }


def _location(at: dict[str, Any], sensor: Sensor, counts: Counter[str]) -> Row | None:
    """Columns of a location; None where it is no place on the globe."""
    x, y = at.get("x", math.nan), at.get("y", math.nan)
    system, datum = at.get("coordinate_system", 0), at.get("datum", 0)
    if system == DEGREES:
        lat, lon = y, x
    elif system == RADIANS:
        lat, lon = math.degrees(y), math.degrees(x)
    elif system == UTM:
        zone, south = _zone(at.get("utm_zone", ""), sensor)
        lat, lon = from_utm(x, y, zone, south)
    else:
        return None
    if not (abs(lat) <= 90.0 and abs(lon) <= 180.0) or (abs(lat) <= 0.01 and abs(lon) <= 0.01):
        return None
    east, north = (_within(at.get(f"{axis}_error"), 0.0, 1e5) for axis in "xy")
    if system in _ANGLE_ERROR:
        metre = _RADIUS * (math.pi / 180.0 if system == DEGREES else 1.0)
        if max(east, north) > _ANGLE_ERROR[system]:
            counts["error_in_metres"] += 1
        else:
            east, north = east * metre * math.cos(math.radians(lat)), north * metre
    up = _within(at.get("z"), -1e4, 1e5)
    place: Row = {
        "model": Model.POSITION, "lat": lat, "lon": lon,
        "flags": 0 if datum else int(Flag.DATUM_UNCERTAIN),
        "cov": [
            east * east, 0.0, 0.0, north * north, 0.0, _within(at.get("z_error"), 0.0, 1e5) ** 2
        ],
    }  # fmt: skip
    place["amsl" if datum == GEOID else "height"] = up
    return place


def _hae(at: Row) -> float:
    """Height above the ellipsoid of a location that has it above the geoid."""
    return float(at["amsl"] + undulation([at["lat"]], [at["lon"]])[0])


def _zone(text: str, sensor: Sensor) -> tuple[int, bool]:
    """UTM zone and whether it lies south, of a text or else of the sensor's place; (0, False)."""
    found = _ZONE.match(text)
    if found:
        band = (found[2] or "").upper()
        return int(found[1]), bool(band and band < "N") or (not band and sensor.lat < 0.0)
    if not math.isfinite(sensor.lon):
        return 0, False
    return int((sensor.lon + 180.0) % 360.0 // 6.0) + 1, sensor.lat < 0.0


def _kind(classes: list[dict[str, Any]]) -> tuple[Kind, float]:
    """Kind and confidence of the most confident class."""
    if not classes:
        return Kind.UNKNOWN, 0.0
    best = max(classes, key=lambda one: _confidence(one, _SENSOR_CONF))
    kind, conf = named(best.get("type", "")), _confidence(best, _SENSOR_CONF)
    found = (kind[0], conf * kind[1])
    while best.get("sub_class"):
        best = max(best["sub_class"], key=lambda one: _confidence(one, 1.0))
        conf = min(conf, _confidence(best, 1.0))
        kind = named(best.get("type", ""))
        if kind[0] is not Kind.UNKNOWN:
            found = (kind[0], conf * kind[1])
    return found if found[0] is not Kind.UNKNOWN else (Kind.UNKNOWN, 0.0)


def _confidence(one: dict[str, Any], default: float) -> float:
    value = one.get("confidence", default)
    return value if 0.0 <= value <= 1.0 else 0.0


def named(text: str) -> tuple[Kind, float]:
    """Kind that a class name means, and the weight of such a name."""
    words = text.lower().replace("_", " ").replace("-", " ")
    for pattern, kind, weight in _CLASS:
        if pattern.search(words):
            return kind, weight
    return Kind.UNKNOWN, 0.0


def _columns(of: Any, rows: list[Row]) -> Any:
    """Rows as columns; what a row does not have is blank."""
    made = of.blank(len(rows))
    for i, row in enumerate(rows):
        for name, value in row.items():
            getattr(made, name)[i] = value
    return made
