"""ED-318 (EUROCAE, technical specification for geographical zones and U-space data).

GeoJSON with ``metadata``; in ``properties``: identifier, country, name, type (what is forbidden),
variant, restrictionConditions, limitedApplicability (windows and weekly schedules, by the clock or
by the sun), zoneAuthority; each geometry carries a ``layer`` of its own (upper, lower, their
references AGL, AMSL, WGS84, unit), a Point an ``extent`` with a radius.

Read beside what the text says: names as plain texts, upper limits of null or 99999 (none), limits
as texts, open rings, positions with latitude first, radii in kilometres. The window of the
metadata bounds the zones' own.
"""

from typing import Any

from v2x.errors import ConfigError
from v2x.lowalt import files, shapes
from v2x.lowalt.schedules import CHINA, DAYS, Period
from v2x.lowalt.sun import EVENTS
from v2x.lowalt.zone_files import ed
from v2x.lowalt.zone_files.times import clock, day_set, spelled
from v2x.lowalt.zones import Limit, Part, Zone, Zones

PROPERTIES = frozenset({"identifier", "variant", "limitedApplicability", "zoneAuthority"})
METADATA = frozenset({"provider", "issued", "otherGeoid"})
TYPES = ("PROHIBITED", "REQ_AUTHORIZATION", "CONDITIONAL", "NO_RESTRICTION")
_REFERENCES = {"agl": "AGL", "amsl": "AMSL", "hae": "WGS84"}


def load(where: str, tree: dict[str, Any]) -> Zones:
    """Zones of a feature collection."""
    warnings: list[str] = []
    metadata = files.members(f"{where}: metadata", tree.get("metadata") or {})
    bounds = _window(f"{where}: metadata", metadata, "validFrom", "validTo")
    zones = [
        _zone(f"{where}: feature {k}", feature, bounds, warnings)
        for k, feature in enumerate(files.entries(where, tree, "features"))
    ]
    return Zones.of(zones, warnings)


def _zone(
    where: str, feature: Any, bounds: tuple[int | None, int | None], warnings: list[str]
) -> Zone:
    tree = files.members(where, feature)
    properties = files.members(f"{where}: properties", tree.get("properties"))
    zone_id = files.text(where, properties, "identifier")
    where = f"{where} ({zone_id})"
    begin, end, periods = applicability(
        where, properties.get("limitedApplicability"), "schedule", bounds
    )
    return Zone(
        id=zone_id,
        name=ed.said(properties.get("name")) or zone_id,
        kind=ed.kind_of(where, properties.get("type")),
        parts=_parts(where, tree.get("geometry"), warnings),
        valid_from_ns=begin,
        valid_to_ns=end,
        periods=periods,
        authority=authority(properties.get("zoneAuthority")),
        note=ed.said(properties.get("restrictionConditions")),
        country=ed.country(where, properties.get("country"), warnings),
    )


def authority(value: Any) -> str:
    """Names of the authorities of a zone."""
    entries = value if isinstance(value, list) else [value]
    names = [ed.said(entry.get("name")) for entry in entries if isinstance(entry, dict)]
    return "; ".join(dict.fromkeys(name for name in names if name))


def applicability(
    where: str, value: Any, key: str, bounds: tuple[int | None, int | None]
) -> tuple[int | None, int | None, tuple[Period, ...]]:
    """Window and schedule of a zone; none at all is "always", within `bounds`.

    Several entries must share one window: a zone has one.
    """
    entries = _told(f"{where}: applicability", value)
    windows: set[tuple[int | None, int | None]] = set()
    periods: list[Period] = []
    daily = True
    for k, entry in enumerate(entries):
        here = f"{where}: applicability {k}"
        tree = files.members(here, entry)
        if str(tree.get("permanent", "")).upper() == "YES":
            windows.add((None, None))
        else:
            windows.add(_window(here, tree, "startDateTime", "endDateTime"))
        told = _told(f"{here}: {key}", tree.get(key))
        daily &= bool(told)
        for i, line in enumerate(told):
            periods.append(_period(f"{here}: {key} {i}", line))
    if len(windows) > 1:
        raise ConfigError(f"{where}: windows that differ: split the zone")
    begin, end = windows.pop() if windows else (None, None)
    starts = [t for t in (begin, bounds[0]) if t is not None]
    ends = [t for t in (end, bounds[1]) if t is not None]
    return max(starts, default=None), min(ends, default=None), tuple(periods) if daily else ()


def _told(where: str, value: Any) -> list[Any]:
    """Entries of a list that say something; nothing at all is none."""
    if not isinstance(value or [], list):
        raise ConfigError(f"{where}: {value!r} is no list")
    return [entry for entry in (value or []) if entry]


def _window(
    where: str, tree: dict[str, Any], first: str, last: str
) -> tuple[int | None, int | None]:
    begin, end = files.moment(where, tree, first), files.moment(where, tree, last)
    if begin is not None and end is not None and begin >= end:
        raise ConfigError(f"{where}: {first} is not before {last}: it would never be in force")
    return begin, end


def _period(where: str, line: Any) -> Period:
    tree = files.members(where, line)
    marks: list[int | str] = []
    offsets: set[int | None] = set()
    for side in ("start", "end"):
        event = tree.get(f"{side}Event")
        if event is not None:
            if event not in EVENTS:
                raise ConfigError(f"{where}: event {event!r} is none of {', '.join(EVENTS)}")
            marks.append(event)
        else:
            minute, offset = clock(where, f"{side}Time", tree.get(f"{side}Time"))
            marks.append(minute)
            offsets.add(offset)
    if len(offsets) > 1:
        raise ConfigError(f"{where}: startTime and endTime are in different zones")
    offset = offsets.pop() if offsets else None
    start, end = marks
    return Period(day_set(where, tree.get("day")), start, end, CHINA if offset is None else offset)


def _parts(where: str, geometry: Any, warnings: list[str]) -> tuple[Part, ...]:
    tree = files.members(f"{where}: geometry", geometry)
    shape = tree.get("type")
    if shape == "GeometryCollection":
        inner = files.entries(f"{where}: geometry", tree, "geometries")
        if not inner:
            raise ConfigError(f"{where}: a GeometryCollection without geometries")
        return tuple(part for g in inner for part in _parts(where, g, warnings))
    floor, ceiling = _layer(where, tree.get("layer"), warnings)
    if shape == "Polygon":
        polygons = [ed.polygon(f"{where}: polygon", tree.get("coordinates"), warnings)]
    elif shape == "MultiPolygon":
        polygons = [
            ed.polygon(f"{where}: polygon {k}", part, warnings)
            for k, part in enumerate(files.entries(f"{where}: geometry", tree, "coordinates"))
        ]
    elif shape == "Point":
        extent = files.members(f"{where}: extent", tree.get("extent"))
        foot = False
        far = ed.radius(f"{where}: extent", extent.get("radius"), foot, warnings)
        lon, lat = ed.centre(where, tree.get("coordinates"), warnings)
        polygons = [(shapes.circle(where, lon, lat, far),)]
    else:
        raise ConfigError(f"{where}: geometry {shape!r} is no zone")
    if not polygons:
        raise ConfigError(f"{where}: a MultiPolygon without polygons")
    return tuple(Part(polygon, floor, ceiling) for polygon in polygons)


def _layer(where: str, layer: Any, warnings: list[str]) -> tuple[Limit | None, Limit | None]:
    if layer is None:
        raise ConfigError(f"{where}: a geometry without layer: from which height to which?")
    tree = files.members(f"{where}: layer", layer)
    foot = ed.feet(f"{where}: layer", tree.get("uom"))
    lower = ed.limit(where, tree.get("lower"), tree.get("lowerReference"), foot, False, warnings)
    upper = ed.limit(where, tree.get("upper"), tree.get("upperReference"), foot, True, warnings)
    return lower, upper


def dump(zones: Zones, country: str = "CHN") -> dict[str, Any]:
    """Plain data of a file; `country`, three letters of ISO 3166, of zones without one.

    Raises
    ------
    ConfigError
        A zone with a slope, or one this format has no word for.
    """
    return {
        "type": "FeatureCollection",
        "metadata": {"provider": [{"text": "v2x", "lang": "en"}]},
        "features": [_feature(zone, country) for zone in zones],
    }


def _feature(zone: Zone, country: str) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "identifier": zone.id,
        "country": zone.country or country,
        "name": [{"text": zone.name, "lang": "zh-CN"}],
        "type": ed.restriction_of(zone.id, zone.kind, TYPES),
        "variant": "COMMON",
    }
    window = {
        key: spelled(moment)
        for key, moment in (
            ("startDateTime", zone.valid_from_ns),
            ("endDateTime", zone.valid_to_ns),
        )
        if moment is not None
    }
    if zone.periods:
        properties["limitedApplicability"] = [window | {"schedule": _schedule(zone)}]
    elif window:
        properties["limitedApplicability"] = [window]
    if zone.note:
        properties["restrictionConditions"] = zone.note
    if zone.authority:
        name = [{"text": zone.authority, "lang": "zh-CN"}]
        properties["zoneAuthority"] = [{"name": name, "purpose": "AUTHORIZATION"}]
    shapes_ = [_geometry(zone, part) for part in zone.parts]
    geometry = shapes_[0]
    if len(shapes_) > 1:
        geometry = {"type": "GeometryCollection", "geometries": shapes_}
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def _schedule(zone: Zone) -> list[dict[str, Any]]:
    return [
        {
            "day": [DAYS[day] for day in sorted(period.days)],
            **side("start", period.start, period.offset_min),
            **side("end", period.end, period.offset_min),
        }
        for period in zone.periods
    ]


def side(name: str, mark: int | str, offset_min: int) -> dict[str, str]:
    """Key and value of a mark of a schedule."""
    if isinstance(mark, str):
        return {f"{name}Event": mark}
    sign = "-" if offset_min < 0 else "+"
    hours, minutes = divmod(abs(offset_min), 60)
    return {f"{name}Time": f"{mark // 60:02d}:{mark % 60:02d}:00{sign}{hours:02d}:{minutes:02d}"}


def _geometry(zone: Zone, part: Part) -> dict[str, Any]:
    layer: dict[str, Any] = {"uom": "m"}
    for name, limit in (("lower", part.floor), ("upper", part.ceiling)):
        if limit is None:
            layer[name] = UNLIMITED[name]
            layer[f"{name}Reference"] = "AGL"
            continue
        if limit.slope is not None:
            raise ConfigError(f"zone {zone.id}: ED-318 has no sloping limits")
        layer[name], layer[f"{name}Reference"] = limit.m, _REFERENCES[limit.ref]
    rings = [[list(corner) for corner in ring] for ring in part.polygon]
    return {"type": "Polygon", "coordinates": rings, "layer": layer}


UNLIMITED = {"lower": None, "upper": ed.UNLIMITED}
