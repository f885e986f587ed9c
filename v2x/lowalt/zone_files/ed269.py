"""ED-269 (EUROCAE, minimum operational performance standard for UAS geo-fencing, 2020).

``features`` (the text) or ``UASZoneList`` (the field), each with identifier, country, name, type,
restriction, restrictionConditions, applicability, zoneAuthority and a list ``geometry`` of volumes:
upperLimit, lowerLimit, their references AGL or AMSL, uomDimensions M or FT, and a
horizontalProjection that is a Polygon or a Circle.

Read beside what the text says: what `v2x.lowalt.zone_files.ed318` reads so, ``dailyPeriod`` in
place of ``schedule``, nulls inside lists, a missing applicability (always), and the spelling
REQ_AUTHORIZATION.
"""

from typing import Any

from v2x.errors import ConfigError
from v2x.lowalt import files, shapes
from v2x.lowalt.schedules import DAYS
from v2x.lowalt.zone_files import ed
from v2x.lowalt.zone_files.ed318 import applicability, authority
from v2x.lowalt.zone_files.times import spelled
from v2x.lowalt.zones import Limit, Part, Zone, Zones

RESTRICTIONS = ("PROHIBITED", "REQ_AUTHORISATION", "CONDITIONAL", "NO_RESTRICTION")
_REFERENCES = {"agl": "AGL", "amsl": "AMSL"}


def load(where: str, tree: dict[str, Any]) -> Zones:
    """Zones of a file."""
    key = "UASZoneList" if "UASZoneList" in tree else "features"
    warnings: list[str] = []
    zones = [
        _zone(f"{where}: zone {k}", entry, warnings)
        for k, entry in enumerate(files.entries(where, tree, key))
    ]
    return Zones.of(zones, warnings)


def _zone(where: str, entry: Any, warnings: list[str]) -> Zone:
    tree = files.members(where, entry)
    zone_id = files.text(where, tree, "identifier")
    where = f"{where} ({zone_id})"
    told = tree.get("applicability")
    entries = told if isinstance(told, list) else [told]
    key = "schedule"
    if any(isinstance(e, dict) and e.get("dailyPeriod") for e in entries):
        key = "dailyPeriod"
        warnings.append(f"{where}: dailyPeriod is read as schedule")
    if not any(entries):
        warnings.append(f"{where}: no applicability: always in force")
    begin, end, periods = applicability(where, entries, key, (None, None))
    volumes = files.entries(where, tree, "geometry")
    if not volumes:
        raise ConfigError(f"{where}: no geometry")
    return Zone(
        id=zone_id,
        name=ed.said(tree.get("name")) or zone_id,
        kind=ed.kind_of(where, tree.get("restriction")),
        parts=tuple(
            _part(f"{where}: volume {k}", volume, warnings) for k, volume in enumerate(volumes)
        ),
        country=ed.country(where, tree.get("country"), warnings),
        valid_from_ns=begin,
        valid_to_ns=end,
        periods=periods,
        authority=authority(tree.get("zoneAuthority")),
        note=ed.said(tree.get("restrictionConditions")) or ed.said(tree.get("message")),
    )


def _part(where: str, value: Any, warnings: list[str]) -> Part:
    tree = files.members(where, value)
    foot = ed.feet(where, tree.get("uomDimensions"))
    lower = ed.limit(
        where, tree.get("lowerLimit"), tree.get("lowerVerticalReference"), foot, False, warnings
    )
    upper = ed.limit(
        where, tree.get("upperLimit"), tree.get("upperVerticalReference"), foot, True, warnings
    )
    shape = files.members(f"{where}: horizontalProjection", tree.get("horizontalProjection"))
    kind = str(shape.get("type", "")).upper()
    if kind == "POLYGON":
        return Part(ed.polygon(where, shape.get("coordinates"), warnings), lower, upper)
    if kind == "CIRCLE":
        lon, lat = ed.centre(where, shape.get("center"), warnings)
        far = ed.radius(where, shape.get("radius"), foot, warnings)
        return Part((shapes.circle(where, lon, lat, far),), lower, upper)
    raise ConfigError(f"{where}: projection {shape.get('type')!r} is neither Polygon nor Circle")


def dump(zones: Zones, country: str = "CHN") -> dict[str, Any]:
    """Plain data of a file; `country`, three letters of ISO 3166, of zones without one.

    Raises
    ------
    ConfigError
        A zone with a slope, with a limit above the ellipsoid, with hours by the sun, or one this
        format has no word for.
    """
    return {
        "title": "v2x",
        "formatVersion": "1.0",
        "features": [_feature(z, country) for z in zones],
    }


def _feature(zone: Zone, country: str) -> dict[str, Any]:
    window: dict[str, Any] = {
        key: spelled(moment)
        for key, moment in (
            ("startDateTime", zone.valid_from_ns),
            ("endDateTime", zone.valid_to_ns),
        )
        if moment is not None
    }
    made: dict[str, Any] = {
        "identifier": zone.id,
        "country": zone.country or country,
        "name": zone.name,
        "type": "COMMON",
        "restriction": ed.restriction_of(zone.id, zone.kind, RESTRICTIONS),
        "applicability": [{"permanent": "NO" if window else "YES", **window}],
        "zoneAuthority": [{"name": zone.authority, "purpose": "AUTHORIZATION"}],
        "geometry": [_volume(zone, part) for part in zone.parts],
    }
    if zone.periods:
        made["applicability"][0]["schedule"] = [
            {
                "day": [DAYS[day] for day in sorted(period.days)],
                "startTime": _clock(zone, period.start, period.offset_min),
                "endTime": _clock(zone, period.end, period.offset_min),
            }
            for period in zone.periods
        ]
    if zone.note:
        made["restrictionConditions"] = zone.note
    return made


def _clock(zone: Zone, mark: int | str, offset_min: int) -> str:
    if isinstance(mark, str):
        raise ConfigError(f"zone {zone.id}: ED-269 has no hours by the sun")
    sign = "-" if offset_min < 0 else "+"
    hours, minutes = divmod(abs(offset_min), 60)
    return f"{mark // 60:02d}:{mark % 60:02d}{sign}{hours:02d}:{minutes:02d}"


def _volume(zone: Zone, part: Part) -> dict[str, Any]:
    made: dict[str, Any] = {"uomDimensions": "M"}
    for name, limit in (("lower", part.floor), ("upper", part.ceiling)):
        made[f"{name}Limit"], made[f"{name}VerticalReference"] = _limit(zone, limit)
    rings = [[list(corner) for corner in ring] for ring in part.polygon]
    made["horizontalProjection"] = {"type": "Polygon", "coordinates": rings}
    return made


def _limit(zone: Zone, limit: Limit | None) -> tuple[float | None, str]:
    if limit is None:
        return None, "AGL"
    if limit.slope is not None or limit.ref not in _REFERENCES:
        raise ConfigError(
            f"zone {zone.id}: ED-269 has level limits above ground (agl) or sea level (amsl) only"
        )
    return limit.m, _REFERENCES[limit.ref]
