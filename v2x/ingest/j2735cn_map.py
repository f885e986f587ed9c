"""Geometry of roadside messages in degrees: the roads of a MAP and the coverage of an SSM.

A link belongs to its downstream node, whose place all its points count from, and comes from
`upstream`. Lanes are numbered from the left, from 1; 255 is reserved.
"""

from dataclasses import asdict, dataclass
from math import isnan, nan
from typing import Any

from v2x.ingest.j2735cn_parts import swapped
from v2x.ingest.j2735cn_plain import SSM, plain, read_message
from v2x.ingest.uper_plain import Plain

NodeId = tuple[int | None, int]
"""Region, None where the unit does not say it, and number."""

Point = tuple[float, float, float]
"""Latitude and longitude in degrees, height in m above the ellipsoid, NaN where not sent."""

_NO_ELEVATION = -4096


@dataclass(frozen=True, slots=True)
class Lane:
    """One lane of a link.

    Attributes
    ----------
    kind
        vehicle, crosswalk, bikeLane, sidewalk, median, striping, trackedVehicle or parking; empty
        where not sent.
    maneuvers
        Text of 0 and 1: straight, left, right, U-turn, left on red, right on red, lane change, no
        stop, yield, halt, caution; empty where not sent.
    connects
        (node, lane, phase) it leads to; lane and phase -1 where not sent.
    limits
        (type, m/s) of its speed limits: 4 lowest and 5 highest of vehicles, 6 at night.
    """

    number: int
    width_m: float
    kind: str
    maneuvers: str
    connects: tuple[tuple[NodeId, int, int], ...]
    limits: tuple[tuple[int, float], ...]
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Link:
    """A way from one node to another; `movements` are (node, phase) it leads on to."""

    upstream: NodeId
    name: str
    width_m: float
    limits: tuple[tuple[int, float], ...]
    points: tuple[Point, ...]
    movements: tuple[tuple[NodeId, int], ...]
    lanes: tuple[Lane, ...]


@dataclass(frozen=True, slots=True)
class Node:
    """A junction or end of a road, with the links that lead into it."""

    id: NodeId
    name: str
    place: Point
    links: tuple[Link, ...]


def nodes_of(frame: bytes, edition: str = "auto") -> tuple[Node, ...]:
    """Nodes of a MAP; none for another message.

    Raises
    ------
    RefusedError
        For bytes that are no message of the edition.
    """
    kind, value, _ = read_message(frame, edition)
    return tuple(_node(one) for one in value["nodes"]) if kind == "mapFrame" else ()


def coverage_of(frame: bytes) -> tuple[tuple[Point, ...], ...]:
    """Polygons that an SSM says its unit sees; none for another message.

    Raises
    ------
    RefusedError
        For bytes that are no message.
    """
    kind, value, _ = read_message(frame)
    if kind != SSM:
        return ()
    base = value["sensorPos"]
    return tuple(
        tuple(_point(corner, base) for corner in polygon)
        for polygon in value.get("detectedRegion", ())
    )


def described(frame: bytes) -> dict[str, Any]:
    """`plain` of a frame, and in degrees the ``nodes`` of a MAP and the ``coverage`` of an SSM."""
    made = plain(frame)
    if made.get("message") == "map":
        made["nodes"] = [_known(asdict(node)) for node in nodes_of(frame)]
    elif made.get("message") == "ssm":
        made["coverage"] = _known(coverage_of(frame))
    return made


def _known(value: Any) -> Any:
    """The same data for JSON, None where a number is not known."""
    if isinstance(value, dict):
        return {name: _known(inner) for name, inner in value.items()}
    if isinstance(value, tuple):
        return [_known(one) for one in value]
    return None if isinstance(value, float) and isnan(value) else value


def _node(value: Plain) -> Node:
    base = value["refPos"]
    links = tuple(_link(one, base) for one in value.get("inLinks", ()))
    return Node(_id(value["id"]), value.get("name", ""), _place(base), links)


def _link(value: Plain, base: Plain) -> Link:
    return Link(
        _id(value["upstreamNodeId"]),
        value.get("name", ""),
        value.get("linkWidth", nan) / 100,
        _limits(value),
        _points(value, base),
        tuple(
            (_id(one["remoteIntersection"]), one.get("phaseId", -1))
            for one in value.get("movements", ())
        ),
        tuple(_lane(one, base) for one in value["lanes"]),
    )


def _lane(value: Plain, base: Plain) -> Lane:
    kinds = value.get("laneAttributes", {}).get("laneType", {"": ""})
    return Lane(
        value["laneID"],
        value.get("laneWidth", nan) / 100,
        next(iter(kinds)),
        value.get("maneuvers", ""),
        tuple(
            (
                _id(one["remoteIntersection"]),
                one.get("connectingLane", {}).get("lane", -1),
                one.get("phaseId", -1),
            )
            for one in value.get("connectsTo", ())
        ),
        _limits(value),
        _points(value, base),
    )


def _id(value: Plain) -> NodeId:
    return value.get("region"), value["id"]


def _limits(value: Plain) -> tuple[tuple[int, float], ...]:
    """Limits whose type is known and whose speed is a speed (8191 is none)."""
    return tuple(
        (one["type"], one["speed"] / 50)
        for one in value.get("speedLimits", ())
        if isinstance(one["type"], int) and one["speed"] != 8191
    )


def _points(value: Plain, base: Plain) -> tuple[Point, ...]:
    return tuple(_point(one["posOffset"], base) for one in value.get("points", ()))


def _place(value: Plain) -> Point:
    return _degrees(value["lat"], value["long"], value.get("elevation", _NO_ELEVATION))


def _point(value: Plain, base: Plain) -> Point:
    """Point of an offset from `base`; alternatives 6 are places themselves."""
    ((form, pair),) = value["offsetLL"].items()
    lat, lon = pair["lat"], pair["lon"]
    if form != "position-LatLon":
        lat, lon = base["lat"] + lat, base["long"] + lon
    ((form, up),) = value.get("offsetV", {"elevation": _NO_ELEVATION}).items()
    if form != "elevation":
        least = -(1 << 5 + int(form.removeprefix("offset")))
        ground = base.get("elevation", _NO_ELEVATION)
        up = _NO_ELEVATION if up == least or ground == _NO_ELEVATION else ground + up
    return _degrees(lat, lon, up)


def _degrees(lat: int, lon: int, up: int) -> Point:
    if swapped(lat, lon):
        lat, lon = lon, lat
    known = abs(lat) <= 900_000_000
    return (
        lat / 1e7 if known else nan,
        ((lon + 1_800_000_000) % 3_600_000_000 - 1_800_000_000) / 1e7 if known else nan,
        nan if up == _NO_ELEVATION else up / 10,
    )
