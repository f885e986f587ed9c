"""Zones: volumes of airspace, read from GeoJSON, refused unless they say all they mean.

A zone is a footprint (polygons with holes) between a floor and a ceiling, each in its own height
reference, during a window of time. No limit and a limit of 0 differ: on this plain 0 and below are
ordinary heights. `ZoneIndex` in `v2x.lowalt.volumes` answers which points are inside.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from itertools import pairwise
from pathlib import Path
from typing import Any

from v2x.errors import ConfigError
from v2x.lowalt import files
from v2x.lowalt.files import Ring
from v2x.picture import ZoneKind

KINDS = tuple(kind.name.lower() for kind in ZoneKind)

_LIMITS = frozenset({"floor_m", "floor_ref", "ceiling_m", "ceiling_ref"})
_KNOWN = _LIMITS | {"id", "name", "kind", "valid_from", "valid_to", "schedule", "datum"}
_ED318 = frozenset({"identifier", "variant", "limitedApplicability", "zoneAuthority"})
_ED318_METADATA = frozenset({"provider", "issued", "otherGeoid"})


@dataclass(frozen=True)
class Zone:
    """One volume of airspace.

    Attributes
    ----------
    id, name
        Unique within a file; the name is what people call it.
    polygons
        Footprint in WGS-84: each polygon an outline and its holes, rings of (lon, lat) degrees.
        A point is in the zone's footprint if any polygon holds it; boundaries are inside.
    floor_m, ceiling_m
        Metres, both inclusive; None is no limit.
    floor_ref, ceiling_ref
        ``hae``, ``amsl`` or ``agl``; None only where the limit is None.
    valid_from_ns, valid_to_ns
        In force from (inclusive) and to (exclusive), ns UTC; None is open.
    datum
        What the file was drawn in: ``wgs84``, ``cgcs2000`` or ``gcj02``.
    """

    id: str
    name: str
    kind: ZoneKind
    polygons: tuple[tuple[Ring, ...], ...]
    floor_m: float | None = None
    floor_ref: str | None = None
    ceiling_m: float | None = None
    ceiling_ref: str | None = None
    valid_from_ns: int | None = None
    valid_to_ns: int | None = None
    datum: str = "wgs84"

    def canonical(self) -> list[Any]:
        """All that decides where the zone is, in a form that has one spelling.

        Corners to 1e-9 deg (0.1 mm), so that the last bits of a sine do not change the hash.
        """
        corners = [
            [[[round(lon, 9), round(lat, 9)] for lon, lat in ring] for ring in polygon]
            for polygon in self.polygons
        ]
        limits = [self.floor_m, self.floor_ref, self.ceiling_m, self.ceiling_ref]
        window = [self.valid_from_ns, self.valid_to_ns]
        return [self.id, self.name, int(self.kind), *limits, *window, self.datum, corners]


@dataclass(frozen=True)
class Zones:
    """Zones in the order of their ids; their rows are those of the picture.

    `warnings` say what was read with a grain of salt; nothing in them was refused.
    """

    zones: tuple[Zone, ...] = ()
    warnings: tuple[str, ...] = ()

    @classmethod
    def of(cls, zones: Iterable[Zone], warnings: Iterable[str] = ()) -> "Zones":
        """Sort by id; an id twice is refused."""
        ordered = tuple(sorted(zones, key=lambda zone: zone.id))
        for one, other in pairwise(ordered):
            if one.id == other.id:
                raise ConfigError(f"zone id {one.id!r} is used twice")
        return cls(ordered, tuple(warnings))

    @cached_property
    def hash(self) -> str:
        """16 hex digits over everything that decides where zones are and what they mean."""
        body = json.dumps([zone.canonical() for zone in self.zones], ensure_ascii=True)
        return blake2b(body.encode(), digest_size=8).hexdigest()

    def named(self, zone_id: str) -> Zone | None:
        """Zone of that id, if there is one."""
        return next((zone for zone in self.zones if zone.id == zone_id), None)

    def __iter__(self) -> Iterator[Zone]:
        return iter(self.zones)

    def __len__(self) -> int:
        return len(self.zones)

    def __getitem__(self, row: int) -> Zone:
        return self.zones[row]


def load_zones(path: Path) -> Zones:
    """Read a GeoJSON FeatureCollection (RFC 7946) of Polygons and MultiPolygons.

    Properties: ``id``, ``name`` (default: the id), ``kind`` (prohibited, restricted, warning,
    operating, obstacle_surface), ``floor_m`` and ``ceiling_m`` (metres or null, never left out)
    with ``floor_ref`` and ``ceiling_ref`` (hae, amsl, agl), ``valid_from`` and ``valid_to`` (ISO
    8601 with zone), ``datum`` (wgs84, cgcs2000, gcj02; wgs84 if left out, with a warning).
    Edges are straight in longitude and latitude of that datum.

    Raises
    ------
    ConfigError
        Names the file, the feature, and what is wrong with it.
    """
    tree = files.members(str(path), files.read_json(path))
    _only_geojson(str(path), tree)
    warnings: list[str] = []
    zones: list[Zone] = []
    rows: dict[str, int] = {}
    for k, feature in enumerate(files.entries(str(path), tree, "features")):
        zone = _zone(f"{path}: feature {k}", feature, warnings)
        if zone.id in rows:
            raise ConfigError(
                f"{path}: feature {k}: id {zone.id!r} is already that of feature {rows[zone.id]}"
            )
        rows[zone.id] = k
        zones.append(zone)
    return Zones.of(zones, warnings)


def _only_geojson(where: str, tree: dict[str, Any]) -> None:
    """Refuse what is no plain FeatureCollection, zone formats of aviation by their names."""
    features = tree.get("features")
    first = features[0] if isinstance(features, list) and features else None
    inner = first if isinstance(first, dict) else {}
    properties = inner.get("properties")
    geometry, metadata = inner.get("geometry"), tree.get("metadata")
    if "UASZoneList" in tree or "formatVersion" in tree or isinstance(geometry, list):
        raise ConfigError(f"{where}: this is ED-269; convert it to plain GeoJSON")
    if (
        (isinstance(metadata, dict) and _ED318_METADATA & metadata.keys())
        or (isinstance(properties, dict) and _ED318 & properties.keys())
        or (isinstance(geometry, dict) and "layer" in geometry)
    ):
        raise ConfigError(f"{where}: this is ED-318; convert it to plain GeoJSON")
    if tree.get("type") != "FeatureCollection":
        raise ConfigError(f"{where}: type is {tree.get('type')!r}, not 'FeatureCollection'")
    if "crs" in tree:
        raise ConfigError(
            f"{where}: crs: RFC 7946 has none; give degrees and each feature's property datum"
        )


def _zone(where: str, feature: Any, warnings: list[str]) -> Zone:
    tree = files.members(where, feature)
    if tree.get("type") != "Feature":
        raise ConfigError(f"{where}: type is {tree.get('type')!r}, not 'Feature'")
    properties = files.members(f"{where}: properties", tree.get("properties"))
    zone_id = files.text(where, properties, "id")
    where = f"{where} ({zone_id})"
    if properties.get("schedule") is not None:
        raise ConfigError(f"{where}: schedule: schedules come later; use valid_from and valid_to")
    ignored = sorted(properties.keys() - _KNOWN)
    if ignored:
        warnings.append(f"{where}: not read: {', '.join(ignored)}")
    if properties.get("datum") is None:
        warnings.append(
            f"{where}: no datum: taken as wgs84; what comes off a Chinese web map is gcj02"
        )
    datum = files.choice(where, properties, "datum", files.DATUMS, "wgs84")
    kind = files.choice(where, properties, "kind", KINDS)
    floor, floor_ref, ceiling, ceiling_ref = files.limits(where, properties)
    begin, end = files.window(where, properties)
    return Zone(
        id=zone_id,
        name=files.text(where, properties, "name", zone_id),
        kind=ZoneKind[kind.upper()],
        polygons=_polygons(where, tree.get("geometry"), datum),
        floor_m=floor,
        floor_ref=floor_ref,
        ceiling_m=ceiling,
        ceiling_ref=ceiling_ref,
        valid_from_ns=begin,
        valid_to_ns=end,
        datum=datum,
    )


def _polygons(where: str, geometry: Any, datum: str) -> tuple[tuple[Ring, ...], ...]:
    tree = files.members(f"{where}: geometry", geometry)
    shape = tree.get("type")
    if shape == "Polygon":
        return (files.polygon(f"{where}: polygon", tree.get("coordinates"), datum),)
    if shape == "MultiPolygon":
        parts = files.entries(f"{where}: geometry", tree, "coordinates")
        if not parts:
            raise ConfigError(f"{where}: a MultiPolygon without polygons")
        return tuple(
            files.polygon(f"{where}: polygon {k}", part, datum) for k, part in enumerate(parts)
        )
    raise ConfigError(f"{where}: geometry {shape!r}: only Polygon and MultiPolygon are zones")
