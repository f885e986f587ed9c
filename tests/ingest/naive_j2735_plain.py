"""SPAT, MAP, PSM and SDSM of SAE J2735 through the plain UPER reader, one value after the other."""

import math
from hashlib import blake2b
from typing import Any

import numpy as np

from v2x.frames import FrameBatch
from v2x.geodesy import Tile
from v2x.ingest.accuracy import YDT3709_HEADING_SD, YDT3709_POSITION_SD, YDT3709_SPEED_SD, believed
from v2x.ingest.decoded import Decoded, Reject
from v2x.ingest.j2735 import ELEVATION_NONE
from v2x.ingest.j2735_rows import ellipse, motion, placed, times
from v2x.ingest.j2735_types import MAP, NAMES, PSM, SDSM, SPAT, TYPES
from v2x.ingest.timestamps import FUTURE_NS, HOUR, MINUTE, PAST_NS, civil_ns, nearest
from v2x.ingest.uper_plain import Reader, RefusedError, read
from v2x.observations import Flag, Kind, Observations, ident_of
from v2x.readings import Name, Readings
from v2x.sensors import SensorTable

_SEC_MARK_TOP = 61_000
_USER_KIND = {1: Kind.PEDESTRIAN, 2: Kind.BICYCLE, 3: Kind.PEDESTRIAN}
_OBJECT_KIND = {1: (Kind.CAR, 0.5), 2: (Kind.PEDESTRIAN, 0.7)}
_LIGHT = (0, 1, 2, 3, 3, 5, 6, 7, 7, 8)
_MARK_TOP = 36_000
_ROADSIDE = 1

Row = dict[str, Any]
Plain = Any


def decode(batch: FrameBatch, sensors: SensorTable) -> Decoded:
    """Rows of frames that hold these messages; anything else is refused as unknown."""
    told = Told(sensors)
    code = np.zeros(len(batch), np.uint8)
    for i in range(len(batch)):
        recv = int(batch.recv_ns[i])
        base = {"frame": i, "t_ns": recv, "recv_ns": recv, "sensor": int(batch.sensor[i])}
        before = len(told.seen), len(told.said)
        try:
            opened = read("MessageFrame", batch.payload(i), TYPES)
            value = opened["value"]
            match opened["messageId"]:
                case number if number == PSM:
                    told.person(value, base)
                case number if number == SDSM:
                    told.objects(value, base)
                case number if number == SPAT:
                    told.phases(read(NAMES[SPAT], value, TYPES), base)
                case number if number == MAP:
                    told.geometry(value, read(NAMES[MAP], value, TYPES), base)
                case _:
                    raise RefusedError(Reject.UNKNOWN_MESSAGE)
        except RefusedError as refused:
            code[i] = refused.reject
            del told.seen[before[0] :], told.said[before[1] :]
        else:
            if (len(told.seen), len(told.said)) == before:
                code[i] = Reject.NOTHING_TO_OBSERVE
    return Decoded(*told.rows(), code, told.idents, counts=told.counts)


class Told:
    """Rows of a batch's other messages while they are read, and the texts of their identities."""

    def __init__(self, sensors: SensorTable) -> None:
        self.seen: list[Row] = []
        self.said: list[Row] = []
        self.idents: dict[int, str] = {}
        self.counts: dict[str, int] = {}
        self._sd, self._up = sensors.floats("sd_m"), sensors.floats("sd_up_m")

    def name(self, text: str) -> int:
        """Hash of an identity text, which is kept."""
        ident = ident_of(text)
        self.idents[ident] = text
        return ident

    def say(self, base: Row, who: int, name: Name, value: float, **more: Any) -> None:
        """Add a reading."""
        self.said.append(base | {"ident": who, "name": name, "value": float(value)} | more)

    def person(self, value: bytes, base: Row) -> None:
        """A PSM: up to its heading; what stands behind is not read."""
        psm = Reader(value, TYPES).type("PersonalSafetyMessage")
        at = psm["position"]
        if not placed(at["lat"], at["long"]):
            return
        t_ns, flags = times(np.array([psm["secMark"]]), np.array([base["recv_ns"]]))
        kind = _USER_KIND.get(psm["basicType"], Kind.UNKNOWN)
        up = at.get("elevation", ELEVATION_NONE)
        east, north = motion(np.array([psm["speed"]]), np.array([psm["heading"]]))
        ee, en, nn = _ellipse(psm["accuracy"], float(self._sd[base["sensor"]]))
        height = up / 10.0 if up != ELEVATION_NONE else math.nan
        self.seen.append(
            base
            | {
                "t_ns": t_ns[0], "flags": flags[0] | int(Flag.SELF_REPORTED), "kind": kind,
                "kind_conf": 0.9 if kind is not Kind.UNKNOWN else 0.0,
                "ident": _named(self, "psm", psm["id"]),
                "lat": at["lat"] / 1e7, "lon": at["long"] / 1e7, "height": height,
                "cov": [ee, en, 0.0, nn, 0.0, self._high(base["sensor"], height)],
                "vel": [east[0], north[0], math.nan],
            }
        )  # fmt: skip

    def _high(self, sensor: int, height: float, sd: float = math.nan) -> float:
        """Variance of a height, NaN where it is not known."""
        return float(np.fmax(sd, self._up[sensor]) ** 2) if math.isfinite(height) else math.nan

    def objects(self, value: bytes, base: Row) -> None:
        """An SDSM: objects up to the first one with optional data, whose layout is not known."""
        reader = Reader(value, TYPES)
        head = reader.type("SensorDataSharingHead")
        count, found = reader.bounded(8, 255) + 1, []
        for _ in range(count):
            present = reader.number(2)
            if present == 3:
                raise RefusedError(Reject.VALUE_RANGE)
            found.append(reader.type("DetectedObjectCommonData"))
            if present:
                self.counts["object_optional_data"] = self.counts.get("object_optional_data", 0) + 1
                break
        else:
            reader.end()
        who = _named(self, "sdsm", head["sourceID"])
        t_ns, flags = _stamp(head["sDSMTimeStamp"], base["recv_ns"])
        here = base | {"t_ns": t_ns}
        self.say(here, who, Name.RSM_COUNT, count)
        at = head["refPos"]
        if not placed(at["lat"], at["long"]):
            return
        lat, lon = at["lat"] / 1e7, at["long"] / 1e7
        up = at.get("elevation", ELEVATION_NONE)
        known = up != ELEVATION_NONE
        height = up / 10.0 if known else math.nan
        if head["equipmentType"] == _ROADSIDE:
            self.say(here, who, Name.RSU_LOCATION, height, lat=lat, lon=lon)
        self._detected(found, len(found) < count, Tile(lat, lon, up / 10.0 if known else 0.0),
                       known, head, here | {"flags": flags})  # fmt: skip

    def _detected(
        self, found: list[Row], cut: bool, tile: Tile, high: bool, head: Row, base: Row
    ) -> None:
        """Rows of an SDSM's objects; offsets are metres east, north and up of its reference."""
        offset = np.array(
            [[one["pos"].get(f"offset{axis}", math.nan) for axis in "XYZ"] for one in found]
        )
        lat, lon, height = tile.to_geodetic(offset * 0.1)
        unit = np.nan_to_num(_ellipse(head["refPosXYConf"], math.nan))
        for i, one in enumerate(found):
            kind, weight = _OBJECT_KIND.get(one["objType"], (Kind.UNKNOWN, 0.0))
            sure = one["objTypeCfd"] / 100.0 if 1 <= one["objTypeCfd"] <= 100 else 1.0
            claimed = YDT3709_POSITION_SD[one["posConfidence"]["pos"]]
            sd = float(believed(claimed, self._sd[base["sensor"]])) ** 2
            up = float(YDT3709_POSITION_SD[one["posConfidence"]["elevation"]])
            z = float(height[i]) if high else math.nan
            east, north = motion(np.array([one["speed"]]), np.array([one["heading"]]))
            fast = math.hypot(east[0], north[0])
            spread = YDT3709_SPEED_SD[one["speedConfidence"]]
            turned = fast * YDT3709_HEADING_SD[one["headingConf"]]
            t_ns = base["t_ns"] + one["measurementTime"] * 1_000_000
            self.seen.append(
                base
                | {
                    "t_ns": t_ns, "track_ref": one["objectID"], "kind": kind,
                    "kind_conf": weight * sure, "lat": lat[i], "lon": lon[i], "height": z,
                    "cov": [sd + unit[0], unit[1], 0.0, sd + unit[2], 0.0,
                            self._high(base["sensor"], z, up)],
                    "vel": [east[0], north[0], math.nan], "vel_sd": np.fmax(spread, turned),
                    "flags": base["flags"] | (int(Flag.LENGTH_BAD) if cut else 0),
                }
            )  # fmt: skip

    def phases(self, value: Plain, base: Row) -> None:
        """A SPAT: status of each intersection, light and time left of each of its phases."""
        for one in value["intersections"]:
            part = one.get("timeStamp", 65_535)
            t_ns = times(np.array([part]), np.array([base["recv_ns"]]))[0][0]
            here, node = base | {"t_ns": t_ns}, _node(one["id"])
            status = int(one["status"][::-1], 2)  # first bit of the wire is bit 0
            self.say(here, self.name(f"node:{node}"), Name.SIGNAL_STATUS, status)
            for state in one["states"]:
                event = state["state-time-speed"][0]
                who = self.name(f"phase:{node}/{state['signalGroup']}")
                self.say(here, who, Name.SIGNAL_LIGHT, _LIGHT[event["eventState"]])
                timing = event.get("timing")
                mark = timing and timing.get("likelyTime", timing["minEndTime"])
                if mark is not None and mark < _MARK_TOP:
                    end = nearest(int(t_ns), mark * 100_000_000, HOUR)
                    self.say(here, who, Name.SIGNAL_LEFT_S, max(end - int(t_ns), 0) / 1e9)

    def geometry(self, raw: bytes, value: Plain, base: Row) -> None:
        """A MAP: hash of its content and number of its intersections, where the first one is."""
        nodes = value.get("intersections", [])
        if not nodes:
            return
        at, who = nodes[0]["refPoint"], self.name(f"node:{_node(nodes[0]['id'])}")
        place = {}
        if placed(at["lat"], at["long"]):
            place = {"lat": at["lat"] / 1e7, "lon": at["long"] / 1e7}
        digest = blake2b(_content(raw), digest_size=8).digest()
        text = self.name(f"map:{digest.hex()}")
        number = float(int.from_bytes(digest[:6], "big"))
        self.say(base, who, Name.MAP_HASH, number, ident2=text, **place)
        self.say(base, who, Name.MAP_NODES, len(nodes), **place)

    def rows(self) -> tuple[Observations, Readings]:
        """Everything told, as columns."""
        return _columns(Observations, self.seen), _columns(Readings, self.said)


def _ellipse(accuracy: Row, floor: float) -> tuple[float, float, float]:
    """EE, EN, NN of one accuracy."""
    axes = (np.array([accuracy[part]]) for part in ("semiMajor", "semiMinor", "orientation"))
    major, minor, orientation = axes
    ee, en, nn = ellipse(major, minor, orientation, np.array([floor]))
    return float(ee[0]), float(en[0]), float(nn[0])


def _named(told: Told, scheme: str, octets: bytes) -> int:
    return told.name(f"{scheme}:{octets.hex()}") if any(octets) else -1


def _node(ident: Row) -> str:
    """Region and number of an intersection."""
    return f"{ident['region']}/{ident['id']}" if "region" in ident else f"{ident['id']}"


def _stamp(when: Row, recv_ns: int) -> tuple[int, int]:
    """Event time of a date and time of which any part may be missing, and its flags."""
    ms = when.get("second", 65_535)
    whole = all(when.get(part) for part in ("year", "month", "day")) and ms < _SEC_MARK_TOP
    if whole and when.get("hour", 31) < 24 and when.get("minute", 60) < 60:
        minute = when["hour"] * 60 + when["minute"] - when.get("offset", 0)
        # Python's integers do not overflow in the years 2263 to 4095; compiled ones do.
        exact = getattr(civil_ns, "py_func", civil_ns)
        midnight = exact(when["year"], when["month"], when["day"], 0)
        t_ns = int(midnight + minute * MINUTE + ms * 1_000_000)
        if not 0 < t_ns < 1 << 62:
            return recv_ns, int(Flag.TIME_FROM_ARRIVAL | Flag.TIME_SUSPECT)
        suspect = t_ns - recv_ns > FUTURE_NS or recv_ns - t_ns > PAST_NS
        return t_ns, int(Flag.TIME_SUSPECT) if suspect else 0
    t, flags = times(np.array([ms]), np.array([recv_ns]))
    return int(t[0]), int(flags[0])


def _content(raw: bytes) -> bytes:
    """A MAP without its time and its revision: equal as long as nothing else changes.

    Bits, since the time moves what stands behind it and with it the zeros at the end.
    """
    bits = f"{int.from_bytes(raw, 'big'):0{8 * len(raw)}b}"
    timed = bits[1] == "1"
    return (bits[2:9] + bits[9 + 20 * timed + 7 :]).rstrip("0").encode()


def _columns(of: Any, rows: list[Row]) -> Any:
    """Rows as columns; what a row does not have is blank."""
    made = of.blank(len(rows))
    for i, row in enumerate(rows):
        for name, value in row.items():
            getattr(made, name)[i] = value
    return made
