"""JSON of others, read by a mapping (format ``json``): vendor radars, sensing gateways, RSM copies.

The layout is the sensor's `v2x.mapping.JsonMapping`: where the list of objects stands, the path and
unit of every field, what its numbers mean. What comes out is judged by the rules of the column
frame (`v2x.ingest.looks`). msgpack of the same shape is read too.

========================  ========================================================================
``t``                     event time; not mapped, not sent or not readable: the arrival, flagged
``lat, lon``              position; ``sd``, ``sd_up`` its standard deviations
``x, y, z``               metres right of, ahead of and above the sensor's zero azimuth: a position
``az, el, range``         clockwise from the sensor's zero azimuth: polar, or a bearing without
                          range; without ``el`` a position with the errors of range and azimuth
``height``                above the mapping's ``height_reference``
``speed, heading``        clockwise from true north; or ``vel_east, vel_north``; and ``vel_up``
``track_ref``             a number; a text that is none is hashed
``ident``                 text or number, ``scheme:`` put before; empty or all zeros is none
``kind``                  by ``values``, else the number or name of `Kind`
the others                as in the column frame
========================  ========================================================================

A value that is no number, listed as ``invalid`` or out of range is not measured; the first is
counted as ``bad_<field>``, one that ``values`` does not list as ``unlisted_<field>``. An object
without its place or a required field is dropped and counted as ``missing_<field>``; a frame in
which none is left is `Reject.BAD_MAP`, as is one that has nothing at the path of the objects
(``missing_objects``). A message that the mapping's ``only`` rules out is `Reject.UNKNOWN_MESSAGE`,
a sensor without a mapping `Reject.UNKNOWN_EDITION`. An empty list is an empty look.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import cos, floor, hypot, isfinite, nan, pi, radians, sin
from typing import Any

import numpy as np

from v2x.frames import LAST_NS, FrameBatch
from v2x.geodesy import Tile
from v2x.ingest.decoded import Decoded, Reject
from v2x.ingest.looks import COLUMNS, EMPTY, MAX_ROWS, REFERENCES, Looks, identities, judged
from v2x.ingest.timestamps import FUTURE_NS, MINUTE, PAST_NS, nearest, zoned_ns
from v2x.ingest.trees import MAX_TEXT, trees
from v2x.mapping import TIME, UNITS, FieldSource, JsonMapping
from v2x.observations import Flag, Kind, ident_of
from v2x.readings import Name, Readings
from v2x.sensors import Sensor, SensorTable

MOST_KEYS = 1_024
"""Keys of one map in a message of others."""

_KINDS = {kind.name.lower(): int(kind) for kind in Kind}
_ROUND = 7.0
_RADIANS = frozenset({"az", "el", "ang_sd", "heading"})
_PLACE = ("lat", "lon", "x", "y", "az", "range")

Chain = tuple[Any, ...]
"""The message, elements around an object from without to within, and the object."""


@dataclass
class Readers:
    """Compiled mappings by sensor row: a memo, which no checkpoint needs."""

    made: dict[int, "Reader | None"] = field(default_factory=dict)

    def state(self) -> dict[str, Any]:
        """Nothing: it is a memo."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Remember nothing."""
        self.made.clear()

    def of(self, row: int, sensor: Sensor) -> "Reader | None":
        """Reader of a sensor; None if it has no mapping."""
        if row not in self.made:
            text = sensor.mapping
            self.made[row] = Reader(JsonMapping.of_text(text), sensor) if text else None
        return self.made[row]


class Reader:
    """One sensor's mapping, compiled to functions of an object."""

    def __init__(self, mapping: JsonMapping, sensor: Sensor) -> None:
        self.objects = mapping.objects.split(".") if mapping.objects else []
        self.only = [(path.split("."), set(map(_text, of))) for path, of in mapping.only.items()]
        self.fields = {name: _getter(name, source) for name, source in mapping.fields.items()}
        self.required = [name for name, source in mapping.fields.items() if source.required]
        self.required += [n for n in _PLACE if n in self.fields and n not in self.required]
        self.reference = REFERENCES.index(mapping.height_reference or "hae")
        self.flags = 0
        for name in mapping.flags:
            self.flags |= int(Flag[name.upper()])
        self.yaw = radians(sensor.yaw_deg)
        hae = sensor.hae_m if isfinite(sensor.hae_m) else 0.0
        self.tile = Tile(sensor.lat, sensor.lon, hae) if isfinite(sensor.lat) else None
        self.sd_range, self.sd_az = sensor.sd_range_m, radians(sensor.sd_deg)

    def wants(self, tree: Any) -> bool:
        """Whether the message is one of those that the mapping is for."""
        for path, values in self.only:
            found = next(_walk((), tree, path), None)
            if found is None or _text(found[2]) not in values:
                return False
        return True

    def found(self, tree: Any) -> list[Chain] | None:
        """Objects of a message with what is around them; None if nothing stands at their path."""
        ends = list(_walk((), tree, self.objects))
        if not ends and "*" not in self.objects:
            return None
        made: list[Chain] = []
        for around, element, value in ends:
            if type(value) is list:
                made += [(*around, element, one) for one in value]
            elif value is element:
                made.append((*around, value))
            else:
                made.append((*around, element, value))
        return made

    def read(self, chain: Chain, recv_ns: int, counts: Counter[str]) -> dict[str, Any] | None:
        """Fields of one object in our units; None if one that must be there is missing."""
        got: dict[str, Any] = {}
        for name, get in self.fields.items():
            value = get(chain, recv_ns, counts)
            if value is not None and value == value:
                got[name] = value
        for name in self.required:
            if name not in got:
                counts[f"missing_{name}"] += 1
                return None
        return got


class JsonMessages:
    """Format ``json``."""

    name = "json"

    def timed(self, payload: bytes) -> bool:
        """Tell that nobody knows whether the bytes hold a time: only redeliveries are repeats."""
        return False

    def new_state(self) -> Readers:
        """No mapping compiled yet."""
        return Readers()

    def finish(self, sensors: SensorTable, state: Readers) -> Decoded:
        """Nothing is ever pending."""
        return Decoded.nothing()

    def decode(self, batch: FrameBatch, sensors: SensorTable, state: Readers) -> Decoded:
        """Read every object of a poll by the mapping of its sensor."""
        rejects = np.zeros(len(batch), np.uint8)
        counts: Counter[str] = Counter()
        rows = _Rows()
        empty: list[int] = []
        for i, tree in enumerate(trees(batch, MOST_KEYS)):
            row, recv_ns = int(batch.sensor[i]), int(batch.recv_ns[i])
            reader = state.of(row, sensors[row])
            if reader is None:
                rejects[i] = Reject.UNKNOWN_EDITION
            elif isinstance(tree, Reject):
                rejects[i] = tree
            elif not reader.wants(tree):
                rejects[i] = Reject.UNKNOWN_MESSAGE
            else:
                found = reader.found(tree)
                if found is None:
                    counts["missing_objects"] += 1
                    rejects[i] = Reject.BAD_MAP
                elif len(found) > MAX_ROWS:
                    rejects[i] = Reject.TOO_COMPLEX
                elif not found:
                    rejects[i] = Reject.NOTHING_TO_OBSERVE
                    empty.append(i)
                else:
                    read = [reader.read(chain, recv_ns, counts) for chain in found]
                    good = [got for got in read if got is not None]
                    rejects[i] = Reject.OK if good else Reject.BAD_MAP
                    for got in good:
                        rows.add(i, recv_ns, reader, got)
        idents: dict[int, str] = {}
        observations, amsl = Decoded.nothing().observations, None
        if rows.frame:
            looks = rows.looks(idents)
            observations, amsl = judged(looks, batch, sensors, rejects, counts)
        readings = Readings.blank(
            len(empty),
            frame=empty,
            t_ns=batch.recv_ns[empty],
            recv_ns=batch.recv_ns[empty],
            sensor=batch.sensor[empty],
            name=Name.SCAN_EMPTY,
            value=1.0,
        )
        return Decoded(observations, readings, rejects, idents, amsl, dict(counts))


class _Rows:
    """Objects of a poll on their way to columns."""

    def __init__(self) -> None:
        self.frame: list[int] = []
        self.t_ns: list[int] = []
        self.doubts: list[int] = []
        self.reference: list[int] = []
        self.texts: list[str] = []
        self.columns: dict[str, list[Any]] = {
            name: [] for name in COLUMNS if name not in ("dt", "ident")
        }

    def add(self, frame: int, recv_ns: int, reader: Reader, got: dict[str, Any]) -> None:
        """Append one object."""
        t_ns, doubts = got.get("t"), 0
        if t_ns is None:
            t_ns, doubts = recv_ns, int(Flag.TIME_FROM_ARRIVAL)
        elif not -PAST_NS <= t_ns - recv_ns <= FUTURE_NS:
            doubts = int(Flag.TIME_SUSPECT)
        self.frame.append(frame)
        self.t_ns.append(t_ns)
        self.doubts.append(doubts)
        self.reference.append(reader.reference if "height" in got else 0)
        self.texts.append(got.get("ident", ""))
        got["flags"] = reader.flags
        got["vel"] = _velocity(got)
        got["size"] = [got.get(f"size_{side}", nan) for side in ("length", "width", "height")]
        got["cov"] = [nan] * 6
        if "sd" in got:
            sd, up = got["sd"], got.get("sd_up", nan)
            got["cov"] = [sd * sd, 0.0, 0.0, sd * sd, 0.0, up * up]
        if "az" in got:
            got["az"] = (got["az"] + reader.yaw) % (2.0 * pi)
        if "x" in got:
            _place(got, reader, got["x"], got["y"], got.get("z", nan))
        elif "az" in got and "el" not in got:
            _flat_polar(got, reader)
        for name, column in self.columns.items():
            column.append(got.get(name, EMPTY.get(name, nan)))

    def looks(self, idents: dict[int, str]) -> Looks:
        """All objects as columns; hash and text of the identities are noted in `idents`."""
        columns: dict[str, Any] = {}
        for name, values in self.columns.items():
            dtype = np.dtype(COLUMNS[name][0]).newbyteorder("=")
            wide = np.float64 if dtype.kind == "f" else np.int64
            with np.errstate(over="ignore"):  # beyond f4 is infinite, and beyond every range
                columns[name] = np.array(values, wide).astype(dtype)
        return Looks(
            columns=columns,
            frame=np.array(self.frame, np.int32),
            t_ns=np.array(self.t_ns, np.int64),
            doubts=np.array(self.doubts, np.uint16),
            flat=~np.isnan(columns["lat"]),
            reference=np.array(self.reference, np.int8),
            ident=np.array(identities(self.texts, idents), np.int64),
        )


def _velocity(got: dict[str, Any]) -> list[float]:
    """East, north, up; a heading is not needed to say that something stands."""
    up = got.get("vel_up", nan)
    speed, heading = got.get("speed", nan), got.get("heading", nan)
    if isfinite(speed) and abs(speed) < 0.5 and not isfinite(heading):
        return [0.0, 0.0, up]
    if isfinite(speed) and isfinite(heading):
        return [speed * sin(heading), speed * cos(heading), up]
    return [got.get("vel_east", nan), got.get("vel_north", nan), up]


def _place(got: dict[str, Any], reader: Reader, right: float, ahead: float, up: float) -> None:
    """Position of metres from the sensor; the height of the sensor counts only with `up`."""
    c, s = cos(reader.yaw), sin(reader.yaw)
    east, north = c * right + s * ahead, c * ahead - s * right
    got["lat"] = got["lon"] = 91.0  # no place, which is counted
    if reader.tile is not None and hypot(east, north) < 1e6 and not abs(up) > 1e5:
        enu = np.array([[east, north, up if isfinite(up) else 0.0]])
        lat, lon, hae = reader.tile.to_geodetic(enu)
        got["lat"], got["lon"] = float(lat[0]), float(lon[0])
        if isfinite(up):
            got["height"] = float(hae[0])


def _flat_polar(got: dict[str, Any], reader: Reader) -> None:
    """Position of a range and an azimuth without elevation, with the errors of both."""
    az, rng = got.pop("az"), got.pop("range")
    s, c = sin(az), cos(az)
    sd_range = got.pop("range_sd", reader.sd_range)
    sd_cross = rng * got.pop("ang_sd", reader.sd_az)
    a, b = sd_range * sd_range, sd_cross * sd_cross
    if a > 0 and b > 0:
        got["cov"] = [a * s * s + b * c * c, (a - b) * s * c, 0.0, a * c * c + b * s * s, 0.0, nan]
    yaw = reader.yaw
    _place(got, reader, rng * sin(az - yaw), rng * cos(az - yaw), nan)


def _walk(around: Chain, element: Any, path: list[str]) -> Iterator[tuple[Chain, Any, Any]]:
    """Every value at a path from `element`: what is around it, the element it is in, the value.

    Elements are what a ``*`` goes through; the message is the first.
    """
    here = element
    for k, step in enumerate(path):
        if step == "*":
            inner = here.values() if type(here) is dict else here if type(here) is list else ()
            for one in inner:
                yield from _walk((*around, element), one, path[k + 1 :])
            return
        here = _down(here, step)
        if here is None:
            return
    yield around, element, here


def _down(here: Any, step: str) -> Any:
    """Value of a step, None where there is none."""
    if type(here) is dict:
        return here.get(step)
    if type(here) is list and step.isdecimal() and len(step) < 6 and int(step) < len(here):
        return here[int(step)]
    return None


def _finder(path: str) -> Callable[[Chain], Any]:
    """Value at a field's path, None where there is none."""
    steps = path.split(".")
    root = steps[0] == "$"
    up = 0
    while steps[up] == "^":
        up += 1
    steps = steps[1:] if root else steps[up:]

    def find(chain: Chain) -> Any:
        if up >= len(chain):
            return None
        here = chain[0] if root else chain[-1 - up]
        for step in steps:
            here = _down(here, step)
        return here

    return find


def _text(value: Any) -> str:
    """Text of a scalar, by which values are listed in a mapping."""
    if type(value) is bool:
        return "true" if value else "false"
    if type(value) is float and value.is_integer() and abs(value) < 1e15:
        value = int(value)
    return str(value)[:MAX_TEXT] if isinstance(value, (str, int, float)) else ""


def _getter(name: str, source: FieldSource) -> Callable[[Chain, int, Counter[str]], Any]:
    """Value of a field in our units; None or NaN where it is not measured."""
    convert = _converter(name, source)
    if source.path is None:
        constant = convert(source.value, 0)
        return lambda chain, recv_ns, counts: constant
    find = _finder(source.path)
    invalid = {_text(value) for value in source.invalid}
    values = source.values

    def get(chain: Chain, recv_ns: int, counts: Counter[str]) -> Any:
        raw = find(chain)
        if raw is None or raw != raw or (invalid and _text(raw) in invalid):
            return None
        if values:
            listed = values.get(_text(raw), source.default)
            if listed is None or _text(raw) not in values:
                counts[f"unlisted_{name}"] += 1
            if listed is None:
                return None
            raw = listed
        try:
            return convert(raw, recv_ns)
        except (ValueError, OverflowError):
            counts[f"bad_{name}"] += 1
            return None

    return get


def _converter(name: str, source: FieldSource) -> Callable[[Any, int], Any]:
    """From a value of the wire to ours; `ValueError` or `OverflowError` where it is none."""
    if name == "t":
        return _times(source)
    if name == "ident":
        return lambda raw, recv_ns: _ident(raw, source.scheme)
    if name == "track_ref":
        return lambda raw, recv_ns: _track_ref(raw)
    if name == "kind":
        return lambda raw, recv_ns: _kind(raw)
    factor = UNITS[name][source.unit or ""]
    scale, offset = source.scale, source.offset

    def number(raw: Any, recv_ns: int) -> float:
        value = (_number(raw) * scale + offset) * factor
        if name in _RADIANS:
            value = radians(value)
            if abs(value) > _ROUND:
                raise ValueError("more than a full turn")
        if not isfinite(value):
            raise ValueError("not finite")
        return value

    return number


def _number(raw: Any) -> float:
    if type(raw) is bool or not isinstance(raw, (int, float, str)):
        raise ValueError("no number")
    if isinstance(raw, str) and len(raw) > 64:
        raise ValueError("too long for a number")
    return float(raw)


def _times(source: FieldSource) -> Callable[[Any, int], int]:
    """Converter of a time to ns UTC."""
    unit, zone = source.unit or "", source.zone_min()
    exact = source.scale == 1.0 and source.offset == 0.0

    def whole(raw: Any) -> int:
        if exact and type(raw) is str and raw.isdecimal() and len(raw) < 20:
            raw = int(raw)
        if exact and type(raw) is int:
            return int(raw * TIME[unit])
        value = _number(raw) * source.scale + source.offset
        units = floor(value)  # the product of a float and 1e9 would lose the last digits
        return int(units * TIME[unit]) + round((value - units) * TIME[unit])

    def time(raw: Any, recv_ns: int) -> int:
        if unit == "iso":
            if type(raw) is not str or len(raw) > 64:
                raise ValueError("no text")
            t_ns = zoned_ns(raw, zone)
        elif unit == "ms_of_minute":
            ms = _number(raw) * source.scale + source.offset
            if not 0.0 <= ms < 61_000.0:
                raise ValueError("not within a minute")
            t_ns = int(nearest(recv_ns, round(ms * 1e6), MINUTE))
        else:
            t_ns = whole(raw)
        if not 0 <= t_ns < LAST_NS:
            raise ValueError("not within the years of a frame")
        return t_ns

    return time


def _ident(raw: Any, scheme: str) -> str:
    if type(raw) is bool or not isinstance(raw, (str, int)):
        raise ValueError("no name")
    text = str(raw).strip(" \0")
    if len(text) > MAX_TEXT:
        raise ValueError("too long")
    text.encode()  # half a surrogate is a ValueError too
    return f"{scheme}:{text}" if text.strip("0") else ""


def _track_ref(raw: Any) -> int:
    if type(raw) is str:
        raw = raw.strip()[:MAX_TEXT]
        if not (raw.isdecimal() and len(raw) < 19):
            return ident_of(raw)
        raw = int(raw)
    if type(raw) is float and raw.is_integer():
        raw = int(raw)
    if type(raw) is not int or not 0 <= raw < 1 << 63:
        raise ValueError("no number of a track")
    return int(raw)


def _kind(raw: Any) -> int:
    if type(raw) is str:
        return _KINDS.get(raw.lower(), 0)
    if type(raw) is int:
        return raw if 0 <= raw <= max(Kind) else 0
    raise ValueError("no kind")


FORMATS = (JsonMessages(),)
