"""Status messages of roadside units, JSON (format ``rsu_status``).

Keys are spelled as units send them. Numbers may come as text.

===========  =======================================  ============================================
message      told by                                  readings, about ``rsu:<id>``
===========  =======================================  ============================================
HB           ``rsuEsn`` and none of the others        HEARTBEAT
STATE        ``base`` {tm UTC s, ID}, ``errList``     FAULT per module = code, 0 when it has left
             [{module: code}]                         the list; CLOCK_OFFSET_S, tm minus arrival
INFO         ``rsuStatus`` with ``rsuName``,          RSU_STATUS 0 or 1, RSU_VERSION, RSU_LOCATION,
             ``config`` or ``version``                RSU_MOVED_M beyond 20 m from the configured
                                                      pose, RSI_COUNT
RunningInfo  ``runningInfo`` {cpu, mem, disk, net}    CPU_LOAD (processes), CPU_USE and MEM_USE
                                                      (0 to 1), DISK_FREE (bytes, sent in MB)
===========  =======================================  ============================================

The id is ``rsuEsn``, else ``rsuId``, else ``base.ID``. ``uti`` is a percentage, or a comma list
of one per core, whose mean counts. ``cpu.load`` with several averages counts by its first.
Values that are no finite number, a negative share or a place outside the globe are left out and
counted; other keys of the first level are counted by name. A module's name and a version are
texts, so the reading holds their hash (``module:<name>``, ``version:<text>``) in ``ident2``.

A fault's end is the only state: per sensor and unit, which modules were in the last list. It is
bounded to 4,096 units of 64 modules; beyond, the unit heard longest ago is forgotten.

Text is UTF-8, else GB 18030, else UTF-8 with replacement marks; a leading byte order mark is
accepted. What is no JSON object is `Reject.BAD_TEXT`, deep nesting `Reject.TOO_COMPLEX`, other
messages of the family (BaseINFO, TSP, OTA, unknown) `Reject.UNKNOWN_MESSAGE`.
"""

import json
from collections import Counter
from dataclasses import dataclass, field
from math import cos, hypot, isfinite, nan, radians
from typing import Any, NamedTuple

import numpy as np

from v2x.frames import FrameBatch
from v2x.geodesy import wgs84_from_gcj02
from v2x.ingest.decoded import Decoded, Reject
from v2x.ingest.timestamps import SECOND, suspect
from v2x.observations import Observations, ident_of
from v2x.readings import Name, Readings
from v2x.sensors import Datum, Sensor, SensorTable

MOVED_M = 20.0
MOST_UNITS = 4096
MOST_MODULES = 64
MOST_FAULTS = 256
"""Entries of one list; more is refused as `Reject.TOO_COMPLEX`."""

TEXT_MOST = 64
"""Characters of a name that is kept; longer ones are cut before they are hashed."""

_METRES_PER_DEGREE = 111_320.0
_MB = 1_000_000
_NULL_ISLAND_DEG = 0.01
_MOST_KEYS = 64

_KNOWN_KEYS = {
    "HB": {"rsuEsn", "rsuId", "hbRate", "runningInfoRate"},
    "STATE": {"base", "errList", "rsuEsn", "rsuId"},
    "INFO": {"rsuId", "rsuEsn", "rsuName", "rsuStatus", "version", "location", "config"},
    "RunningInfo": {"rsuId", "rsuEsn", "runningInfo"},
}
_OF_OTHERS = {
    "protocolVersion", "SoftwareVersion", "hardwareVersion", "imei", "iccid",
    "communicationType", "RunningCommunicationType", "transprotocal", "depart",  # BaseINFO
    "smState", "strategy", "oneLong",  # TSP
}  # fmt: skip


class _Told(NamedTuple):
    """One reading before it is a row."""

    name: Name
    value: float
    ident2: str = ""
    lat: float = nan
    lon: float = nan


@dataclass
class Memory:
    """Modules in the last fault list, by (sensor row, unit), the unit heard last at the end."""

    faults: dict[tuple[int, str], tuple[str, ...]] = field(default_factory=dict)

    def state(self) -> dict[str, Any]:
        """What must survive a restart."""
        return {"faults": [(*unit, modules) for unit, modules in self.faults.items()]}

    def restore(self, state: dict[str, Any]) -> None:
        """Put back what `state` gave."""
        self.faults = {(row, unit): tuple(modules) for row, unit, modules in state["faults"]}

    def replace(self, key: tuple[int, str], modules: tuple[str, ...]) -> tuple[str, ...]:
        """Put the list of a unit; its list before."""
        before = self.faults.pop(key, ())
        if modules:
            if len(self.faults) >= MOST_UNITS:
                del self.faults[next(iter(self.faults))]
            self.faults[key] = modules
        return before


class RSUStatus:
    """Heartbeats, states and load of roadside units."""

    name = "rsu_status"

    def timed(self, payload: bytes) -> bool:
        """Tell whether it is a state with its time; heartbeats have none."""
        return b'"tm"' in payload

    def new_state(self) -> Memory:
        """No unit has a fault."""
        return Memory()

    def decode(self, batch: FrameBatch, sensors: SensorTable, state: Memory) -> Decoded:
        """Readings of every known message; one code a frame."""
        out = Decoded.nothing(len(batch))
        rows: dict[str, list[Any]] = {name: [] for name, *_ in Readings.schema()}
        idents: dict[int, str] = {}
        counts: Counter[str] = Counter()
        for i in range(len(batch)):
            recv_ns, row = int(batch.recv_ns[i]), int(batch.sensor[i])
            message = _parsed(batch.payload(i))
            if isinstance(message, Reject):
                out.rejects[i] = message
                continue
            kind = _kind(message)
            unit = _unit(message)
            t_ns, told = recv_ns, []
            if kind == "STATE":
                t_ns, told_or_reject = _state(message, recv_ns, (row, unit), state, counts)
                if isinstance(told_or_reject, Reject):
                    out.rejects[i] = told_or_reject
                    continue
                told = told_or_reject
            elif kind == "INFO":
                told = _info(message, sensors[row], counts)
            elif kind == "RunningInfo":
                told = _running(message["runningInfo"], counts)
            elif kind == "HB":
                told = [_Told(Name.HEARTBEAT, 1.0)]
            else:
                out.rejects[i] = Reject.UNKNOWN_MESSAGE
                continue
            for key in sorted(set(message) - _KNOWN_KEYS[kind]):
                name = f"unknown_key_{_text(key)}"
                counts[name if name in counts or len(counts) < _MOST_KEYS else "unknown_key"] += 1
            if not told:
                out.rejects[i] = Reject.NOTHING_TO_OBSERVE
            ident = _hashed(f"rsu:{unit}" if unit else "", idents)
            for reading in told:
                ident2 = _hashed(reading.ident2, idents)
                for column, value in zip(
                    rows.values(),
                    (i, t_ns, recv_ns, row, ident, reading.name, reading.value, ident2,
                     reading.lat, reading.lon),
                    strict=True,
                ):  # fmt: skip
                    column.append(value)
        readings = Readings(
            **{name: np.array(rows[name], dtype) for name, dtype, *_ in Readings.schema()}
        )
        return Decoded(Observations.blank(), readings, out.rejects, idents, counts=dict(counts))

    def finish(self, sensors: SensorTable, state: Memory) -> Decoded:
        """Nothing is ever pending."""
        return Decoded.nothing()


FORMATS = (RSUStatus(),)


def _parsed(payload: bytes) -> dict[str, Any] | Reject:
    """The JSON object, or why there is none."""
    if not payload:
        return Reject.SHORT
    try:
        text = payload.decode("utf-8-sig")
    except UnicodeDecodeError:
        try:
            text = payload.decode("gb18030")
        except UnicodeDecodeError:
            text = payload.decode("utf-8-sig", "replace")
    try:
        message = json.loads(text.rstrip("\0"))
    except RecursionError:
        return Reject.TOO_COMPLEX
    except ValueError:
        return Reject.BAD_TEXT
    return message if isinstance(message, dict) else Reject.BAD_TEXT


def _kind(message: dict[str, Any]) -> str:
    """Which message an object is; empty for one that is not read here."""
    if isinstance(message.get("base"), dict) and isinstance(message.get("errList"), list):
        return "STATE"
    if isinstance(message.get("runningInfo"), dict):
        return "RunningInfo"
    if not _OF_OTHERS.isdisjoint(message):
        return ""
    if "rsuStatus" in message and not {"rsuName", "config", "version"}.isdisjoint(message):
        return "INFO"
    return "HB" if _text(message.get("rsuEsn")) else ""


def _unit(message: dict[str, Any]) -> str:
    """Name of the unit, empty if it does not say."""
    for key in ("rsuEsn", "rsuId"):
        if name := _text(message.get(key)):
            return name
    base = message.get("base")
    return _text(base.get("ID")) if isinstance(base, dict) else ""


def _text(value: Any) -> str:
    """Short printable text of a JSON scalar, empty for anything else."""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return ""
    text = str(value)[: 4 * TEXT_MOST].strip(" \0")
    return "".join(c for c in text if c.isprintable())[:TEXT_MOST]


def _number(value: Any) -> float:
    """Finite number of a JSON number or its text, else NaN."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return nan
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return nan
    return number if isfinite(number) else nan


def _inside(of: Any, key: str) -> Any:
    """Value of `key` if `of` is an object."""
    return of.get(key) if isinstance(of, dict) else None


def _hashed(text: str, idents: dict[int, str]) -> int:
    """Hash of an identity text, which is noted in `idents`."""
    number = ident_of(text)
    if text:
        idents[number] = text
    return number


def _state(
    message: dict[str, Any], recv_ns: int, key: tuple[int, str], state: Memory,
    counts: Counter[str],
) -> tuple[int, list[_Told] | Reject]:  # fmt: skip
    """Event time and faults; a clock that cannot be right does not date them."""
    if len(message["errList"]) > MOST_FAULTS:
        return recv_ns, Reject.TOO_COMPLEX
    codes: dict[str, float] = {}
    for entry in message["errList"]:
        for module, code in entry.items() if isinstance(entry, dict) else ():
            name, number = _text(module), _number(code)
            if not name or number != number or (name not in codes and len(codes) >= MOST_MODULES):
                counts["bad_fault"] += 1
            else:
                codes[name] = number
    at = tuple(sorted(name for name in codes if codes[name] != 0.0))
    left = sorted(set(state.replace(key, at)) - set(codes))
    told = [_Told(Name.FAULT, codes[name], f"module:{name}") for name in sorted(codes)]
    told += [_Told(Name.FAULT, 0.0, f"module:{name}") for name in left]
    seconds = _number(message["base"].get("tm"))
    if not 0.0 < seconds < 9e9:
        counts["bad_time"] += 1
        return recv_ns, told
    t_ns = round(seconds * 1000) * (SECOND // 1000)
    told.append(_Told(Name.CLOCK_OFFSET_S, (t_ns - recv_ns) / SECOND))
    return (recv_ns if suspect(t_ns, recv_ns) else t_ns), told


def _info(message: dict[str, Any], sensor: Sensor, counts: Counter[str]) -> list[_Told]:
    """Status, version, place and number of signs."""
    told = []
    status = message["rsuStatus"]
    works = {"true": 1.0, "false": 0.0}.get(str(status).lower(), _number(status))
    if works == works:
        told.append(_Told(Name.RSU_STATUS, works))
    if version := _text(message.get("version")):
        told.append(_Told(Name.RSU_VERSION, nan, f"version:{version}"))
    if isinstance(place := message.get("location"), dict):
        lat, lon = _number(place.get("lat")), _number(place.get("lon"))
        drifted = abs(lat) <= _NULL_ISLAND_DEG and abs(lon) <= _NULL_ISLAND_DEG
        if abs(lat) <= 90.0 and abs(lon) <= 180.0 and not drifted:
            if sensor.datum == Datum.GCJ02:
                lats, lons = wgs84_from_gcj02([lat], [lon])
                lat, lon = float(lats[0]), float(lons[0])
            told.append(_Told(Name.RSU_LOCATION, nan, "", lat, lon))
            north = (lat - sensor.lat) * _METRES_PER_DEGREE
            turn = (lon - sensor.lon + 180.0) % 360.0 - 180.0
            east = turn * _METRES_PER_DEGREE * cos(radians(lat))
            moved = hypot(east, north)
            if moved > MOVED_M:
                told.append(_Told(Name.RSU_MOVED_M, moved, "", lat, lon))
        else:
            counts["bad_place"] += 1
    signs = _number(_inside(_inside(message.get("config"), "rsiConfig"), "curRsiNum"))
    if signs >= 0.0:
        told.append(_Told(Name.RSI_COUNT, signs))
    return told


def _running(info: dict[str, Any], counts: Counter[str]) -> list[_Told]:
    """Load of processor, memory and disk."""
    cpu, mem, disk = info.get("cpu"), info.get("mem"), info.get("disk")
    total = _number(_inside(mem, "total"))
    used = _number(_inside(mem, "used"))
    told = []
    for name, value, most in (
        (Name.CPU_LOAD, _first(_inside(cpu, "load")), 1e6),
        (Name.CPU_USE, _mean(_inside(cpu, "uti")) / 100.0, 1.0),
        (Name.MEM_USE, used / total if total > 0.0 else nan, 1.0),
        (Name.DISK_FREE, _number(_inside(disk, "free")) * _MB, 1e18),
    ):
        if 0.0 <= value <= most:
            told.append(_Told(name, value))
        else:
            counts[f"no_{name.name.lower()}"] += 1
    return told


def _parts(value: Any) -> list[float]:
    """Numbers of a scalar, a comma list or an array; signs of percent are dropped."""
    if isinstance(value, str):
        value = value[:4096].split(",")
    if not isinstance(value, list):
        value = [value]
    return [
        _number(part.strip().removesuffix("%") if isinstance(part, str) else part)
        for part in value[:1024]
    ]


def _first(value: Any) -> float:
    """First number of a list; NaN if it is none."""
    return next(iter(_parts(value)), nan)


def _mean(value: Any) -> float:
    """Mean of a list; NaN if one of them is no number."""
    parts = _parts(value)
    return sum(parts) / len(parts) if parts else nan
