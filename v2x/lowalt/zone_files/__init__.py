"""Zone files: one module per format, told apart by what stands in them.

A module reads (`load`: the parsed JSON to `Zones`) and writes (`dump`: `Zones` to plain data that
JSON can hold). What a file means is checked word by word; what the field is known to get wrong is
read with a warning that names the zone, and what remains doubtful is refused.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from v2x.lowalt import files
from v2x.lowalt.zone_files import ed269, ed318, geojson
from v2x.lowalt.zones import Zones

WRITERS: dict[str, Callable[..., dict[str, Any]]] = {
    "geojson": geojson.dump,
    "ed269": ed269.dump,
    "ed318": ed318.dump,
}
"""What `Zones` can be written as, by name."""


def load_zones(path: Path) -> Zones:
    """Read a zone file: GeoJSON with our properties, ED-269 or ED-318.

    Raises
    ------
    ConfigError
        Names the file, the feature, and what is wrong with it.
    """
    return zones_of(str(path), files.members(str(path), files.read_json(path)))


def zones_of(where: str, tree: dict[str, Any]) -> Zones:
    """Zones of a parsed file; `where` begins the message of the `ConfigError` of a wrong one."""
    return _reader(tree)(where, tree)


def _reader(tree: dict[str, Any]) -> Callable[[str, dict[str, Any]], Zones]:
    """Reader of the format whose marks stand in the file; plain GeoJSON where none does."""
    features = tree.get("features")
    first = features[0] if isinstance(features, list) and features else None
    inner = first if isinstance(first, dict) else {}
    geometry, properties = inner.get("geometry"), inner.get("properties")
    metadata = tree.get("metadata")
    if "UASZoneList" in tree or "formatVersion" in tree or isinstance(geometry, list):
        return ed269.load
    if (
        (isinstance(metadata, dict) and ed318.METADATA & metadata.keys())
        or (isinstance(properties, dict) and ed318.PROPERTIES & properties.keys())
        or (isinstance(geometry, dict) and "layer" in geometry)
    ):
        return ed318.load
    return geojson.load
