"""GeoJSON (RFC 7946) with properties of our own: says everything a zone can be.

==================  ==============================================================================
property            meaning
==================  ==============================================================================
id, name            unique id; what people call it (default: the id)
kind                prohibited, restricted, warning, operating, obstacle_surface
floor_m, ceiling_m  metres or null (no limit), never left out
floor_ref, ...      hae, amsl, agl: whose height it is; a missing one is refused
floor_slope, ...    {lon, lat, gradient, course_deg}: rises from there along a course; without
                    course_deg away from the point
limits              instead of these, for a MultiPolygon: one object of them per polygon
valid_from, ..to    ISO 8601 with zone; from inclusive, to exclusive
schedule            [{days: [MON..SUN or ANY], start, end, zone}]: HH:MM, or SR, SS, BMCT, EECT;
                    zone is "+08:00" where left out
datum               wgs84, cgcs2000, gcj02; wgs84 if left out, with a warning
authority, note     who decides, on what conditions
country             three letters of ISO 3166
==================  ==============================================================================

Geometry: Polygon, MultiPolygon; Point with ``radius_m`` is a circle, and with ``from_deg`` and
``to_deg`` (clockwise from true north; ``inner_radius_m``) a sector; LineString with
``half_width_m`` is a corridor. Edges are straight in longitude and latitude of the datum.
"""

from typing import Any

from v2x.errors import ConfigError
from v2x.lowalt import files, shapes
from v2x.lowalt.files import Ring
from v2x.lowalt.schedules import CHINA, DAYS, Period
from v2x.lowalt.zone_files import ed
from v2x.lowalt.zone_files.times import clock_mark, day_set, offset_minutes, spelled
from v2x.lowalt.zones import Limit, Part, Slope, Zone, Zones
from v2x.picture import ZoneKind

KINDS = tuple(kind.name.lower() for kind in ZoneKind)

_SIDES = ("floor", "ceiling")
_LIMITS = frozenset(f"{side}_{what}" for side in _SIDES for what in ("m", "ref", "slope"))
_SHAPES = frozenset({"radius_m", "inner_radius_m", "from_deg", "to_deg", "half_width_m"})
_KNOWN = (
    _LIMITS
    | _SHAPES
    | {"id", "name", "kind", "limits", "valid_from", "valid_to", "schedule", "datum"}
    | {"authority", "note", "country"}
)


def load(where: str, tree: dict[str, Any]) -> Zones:
    """Zones of a FeatureCollection."""
    if tree.get("type") != "FeatureCollection":
        raise ConfigError(f"{where}: type is {tree.get('type')!r}, not 'FeatureCollection'")
    if "crs" in tree:
        raise ConfigError(
            f"{where}: crs: RFC 7946 has none; give degrees and each feature's property datum"
        )
    warnings: list[str] = []
    zones: list[Zone] = []
    rows: dict[str, int] = {}
    for k, feature in enumerate(files.entries(where, tree, "features")):
        zone = _zone(f"{where}: feature {k}", feature, warnings)
        if zone.id in rows:
            raise ConfigError(
                f"{where}: feature {k}: id {zone.id!r} is already that of feature {rows[zone.id]}"
            )
        rows[zone.id] = k
        zones.append(zone)
    return Zones.of(zones, warnings)


def _zone(where: str, feature: Any, warnings: list[str]) -> Zone:
    tree = files.members(where, feature)
    if tree.get("type") != "Feature":
        raise ConfigError(f"{where}: type is {tree.get('type')!r}, not 'Feature'")
    properties = files.members(f"{where}: properties", tree.get("properties"))
    zone_id = files.text(where, properties, "id")
    where = f"{where} ({zone_id})"
    ignored = sorted(properties.keys() - _KNOWN)
    if ignored:
        warnings.append(f"{where}: not read: {', '.join(ignored)}")
    if properties.get("datum") is None:
        warnings.append(
            f"{where}: no datum: taken as wgs84; what comes off a Chinese web map is gcj02"
        )
    datum = files.choice(where, properties, "datum", files.DATUMS, "wgs84")
    kind = files.choice(where, properties, "kind", KINDS)
    begin, end = files.window(where, properties)
    polygons = _polygons(where, tree.get("geometry"), properties, datum)
    return Zone(
        id=zone_id,
        name=files.text(where, properties, "name", zone_id),
        kind=ZoneKind[kind.upper()],
        parts=_parts(where, properties, polygons),
        valid_from_ns=begin,
        valid_to_ns=end,
        periods=_schedule(where, properties),
        datum=datum,
        authority=files.text(where, properties, "authority", ""),
        note=files.text(where, properties, "note", ""),
        country=ed.country(where, properties.get("country"), warnings),
    )


def _parts(
    where: str, properties: dict[str, Any], polygons: tuple[tuple[Ring, ...], ...]
) -> tuple[Part, ...]:
    if properties.get("limits") is None:
        floor, ceiling = band(where, properties)
        return tuple(Part(polygon, floor, ceiling) for polygon in polygons)
    told = files.entries(where, properties, "limits")
    if len(told) != len(polygons):
        raise ConfigError(f"{where}: {len(told)} limits for {len(polygons)} polygons")
    both = sorted(_LIMITS & properties.keys())
    if both:
        raise ConfigError(f"{where}: limits and {both[0]}: give one of them")
    parts = []
    for k, (polygon, entry) in enumerate(zip(polygons, told, strict=True)):
        inner = files.members(f"{where}: limits {k}", entry)
        parts.append(Part(polygon, *band(f"{where}: limits {k}", inner)))
    return tuple(parts)


def band(where: str, tree: dict[str, Any]) -> tuple[Limit | None, Limit | None]:
    """Floor and ceiling of an object that has `files.limits` and maybe slopes."""
    floor, floor_ref, ceiling, ceiling_ref = files.limits(where, tree)
    made: list[Limit | None] = []
    for side, metres, ref in zip(_SIDES, (floor, ceiling), (floor_ref, ceiling_ref), strict=True):
        slope = _slope(where, f"{side}_slope", tree)
        if metres is None or ref is None:
            if slope is not None:
                raise ConfigError(f"{where}: {side}_slope without {side}_m")
            made.append(None)
        else:
            made.append(Limit(metres, ref, slope))
    return made[0], made[1]


def _slope(where: str, key: str, tree: dict[str, Any]) -> Slope | None:
    if tree.get(key) is None:
        return None
    where = f"{where}: {key}"
    told = files.members(where, tree[key])
    numbers = {name: files.number(told.get(name)) for name in ("lon", "lat", "gradient")}
    course = told.get("course_deg")
    lon, lat, gradient = (numbers[name] for name in ("lon", "lat", "gradient"))
    if lon is None or lat is None or gradient is None or abs(lon) > 180.0 or abs(lat) > 90.0:
        raise ConfigError(f"{where}: lon, lat and gradient must be numbers, in degrees and m/m")
    if course is not None and files.number(course) is None:
        raise ConfigError(f"{where}: course_deg must be a number of degrees, or null for a cone")
    return Slope(lon, lat, gradient, files.number(course))


def _polygons(
    where: str, geometry: Any, properties: dict[str, Any], datum: str
) -> tuple[tuple[Ring, ...], ...]:
    tree = files.members(f"{where}: geometry", geometry)
    shape = tree.get("type")
    strange = sorted(_SHAPES & properties.keys())
    if shape in ("Polygon", "MultiPolygon") and strange:
        raise ConfigError(f"{where}: {strange[0]} says nothing of a {shape}")
    if shape == "Polygon":
        return (files.polygon(f"{where}: polygon", tree.get("coordinates"), datum),)
    if shape == "MultiPolygon":
        parts = files.entries(f"{where}: geometry", tree, "coordinates")
        if not parts:
            raise ConfigError(f"{where}: a MultiPolygon without polygons")
        return tuple(
            files.polygon(f"{where}: polygon {k}", part, datum) for k, part in enumerate(parts)
        )
    if shape == "Point":
        lon, lat = files.true_position(f"{where}: centre", tree.get("coordinates"), datum)
        return ((_round(where, properties, lon, lat),),)
    if shape == "LineString":
        told = files.entries(f"{where}: geometry", tree, "coordinates")
        line = tuple(files.true_position(f"{where}: line", xy, datum) for xy in told)
        return ((shapes.corridor(where, line, _metres(where, properties, "half_width_m")),),)
    raise ConfigError(
        f"{where}: geometry {shape!r}: a zone is a Polygon, a MultiPolygon, a Point with radius_m "
        "or a LineString with half_width_m"
    )


def _round(where: str, properties: dict[str, Any], lon: float, lat: float) -> Ring:
    radius = _metres(where, properties, "radius_m")
    ends = [properties.get("from_deg"), properties.get("to_deg")]
    if ends == [None, None]:
        if properties.get("inner_radius_m") is not None:
            raise ConfigError(f"{where}: inner_radius_m needs from_deg and to_deg")
        return shapes.circle(where, lon, lat, radius)
    begin, end = (files.number(value) for value in ends)
    if begin is None or end is None:
        raise ConfigError(f"{where}: from_deg and to_deg are both needed, in degrees")
    inner = 0.0
    if properties.get("inner_radius_m") is not None:
        inner = _metres(where, properties, "inner_radius_m")
    return shapes.sector(where, lon, lat, radius, begin, end, inner)


def _metres(where: str, properties: dict[str, Any], key: str) -> float:
    metres = files.number(properties.get(key))
    if metres is None:
        raise ConfigError(f"{where}: {key} must be metres")
    return metres


def _schedule(where: str, properties: dict[str, Any]) -> tuple[Period, ...]:
    if properties.get("schedule") is None:
        return ()
    made = []
    for k, entry in enumerate(files.entries(where, properties, "schedule")):
        here = f"{where}: schedule {k}"
        tree = files.members(here, entry)
        offset = offset_minutes(here, tree["zone"]) if tree.get("zone") is not None else CHINA
        start, end = clock_mark(here, "start", tree), clock_mark(here, "end", tree)
        made.append(Period(day_set(here, tree.get("days")), start, end, offset))
    if not made:
        raise ConfigError(f"{where}: an empty schedule would never be in force")
    return tuple(made)


def dump(zones: Zones) -> dict[str, Any]:
    """Plain data of a FeatureCollection that `load` reads back to equal zones."""
    return {"type": "FeatureCollection", "features": [_feature(zone) for zone in zones]}


def _feature(zone: Zone) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "id": zone.id,
        "name": zone.name,
        "kind": zone.kind.name.lower(),
        "datum": "wgs84",
    }
    bands = [(part.floor, part.ceiling) for part in zone.parts]
    if all(other == bands[0] for other in bands):
        properties |= _limits(*bands[0])
    else:
        properties["limits"] = [_limits(*pair) for pair in bands]
    for key, moment in (("valid_from", zone.valid_from_ns), ("valid_to", zone.valid_to_ns)):
        if moment is not None:
            properties[key] = spelled(moment)
    if zone.periods:
        properties["schedule"] = [_period(period) for period in zone.periods]
    for key, words in (
        ("authority", zone.authority), ("note", zone.note), ("country", zone.country)
    ):  # fmt: skip
        if words:
            properties[key] = words
    polygons = [[[list(corner) for corner in r] for r in part.polygon] for part in zone.parts]
    single = len(polygons) == 1
    return {
        "type": "Feature",
        "properties": properties,
        "geometry": {
            "type": "Polygon" if single else "MultiPolygon",
            "coordinates": polygons[0] if single else polygons,
        },
    }


def _limits(floor: Limit | None, ceiling: Limit | None) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for side, limit in zip(_SIDES, (floor, ceiling), strict=True):
        made[f"{side}_m"] = None if limit is None else limit.m
        if limit is None:
            continue
        made[f"{side}_ref"] = limit.ref
        s = limit.slope
        if s is not None:
            made[f"{side}_slope"] = {"lon": s.lon, "lat": s.lat, "gradient": s.gradient}
            if s.course_deg is not None:
                made[f"{side}_slope"]["course_deg"] = s.course_deg
    return made


def _period(period: Period) -> dict[str, Any]:
    sign = "-" if period.offset_min < 0 else "+"
    hours, minutes = divmod(abs(period.offset_min), 60)
    marks = [
        mark if isinstance(mark, str) else f"{mark // 60:02d}:{mark % 60:02d}"
        for mark in (period.start, period.end)
    ]
    return {
        "days": [DAYS[day] for day in sorted(period.days)],
        "start": marks[0],
        "end": marks[1],
        "zone": f"{sign}{hours:02d}:{minutes:02d}",
    }
