"""Zones that are put, removed and replaced while the system runs: each change whole, or not at all.

A change is a JSON object as format ``zones`` carries it (`v2x.ingest.formats.documents`). One that
is refused leaves the zones as they were and names the feature and what is wrong with it.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from v2x.errors import ConfigError
from v2x.lowalt import files
from v2x.lowalt.schedules import Period
from v2x.lowalt.volumes import ZoneIndex
from v2x.lowalt.zone_files import zones_of
from v2x.lowalt.zones import Limit, Part, Slope, Zone, Zones
from v2x.picture import ZoneKind


class Said(NamedTuple):
    """Of one change: was it taken; why not, or what was read with a grain of salt."""

    taken: bool
    words: str


def changed(zones: Zones, text: bytes) -> Zones:
    """Zones after one change.

    Raises
    ------
    ConfigError
        Names the feature, and what is wrong with it.
    """
    tree = files.members("zones", json.loads(text.decode("utf-8-sig")))
    operation = tree.get("op")
    if operation is None:
        return zones_of("zones", tree)
    if operation == "remove":
        return _without(zones, tree.get("id"))
    put = files.members("put: zone", tree.get("zone"))
    if put.get("type") == "Feature":
        put = {"type": "FeatureCollection", "features": [put]}
    new = zones_of("put", put)
    ids = {zone.id for zone in new}
    kept = (zone for zone in zones if zone.id not in ids)
    return Zones.of([*kept, *new], new.warnings)


def _without(zones: Zones, asked: Any) -> Zones:
    ids = asked if isinstance(asked, list) else [asked]
    if not ids or not all(isinstance(zone_id, str) for zone_id in ids):
        raise ConfigError("remove: id must be a text, or a list of them")
    strange = set(ids) - {zone.id for zone in zones}
    if strange:
        raise ConfigError(f"remove: there is no zone {min(strange)!r}")
    return Zones.of(zone for zone in zones if zone.id not in ids)


def change(index: ZoneIndex, texts: Sequence[bytes], t_ns: int) -> tuple[ZoneIndex, list[Said]]:
    """Index after changes that take effect together at `t_ns`, and what became of each.

    One index is built for all of them. What only the index finds wrong, a zone beyond the tile's
    reach, is found by building it once for each.
    """
    zones, said = index.zones, []
    for text in texts:
        zones, one = _tried(zones, text)
        said.append(one)
    if not any(one.taken for one in said):
        return index, said
    try:
        return _built(index, zones, t_ns), said
    except ConfigError as e:
        if len(texts) == 1:
            return index, [Said(False, str(e))]
    said = []
    for text in texts:
        index, alone = change(index, [text], t_ns)
        said += alone
    return index, said


def _tried(zones: Zones, text: bytes) -> tuple[Zones, Said]:
    try:
        made = changed(zones, text)
    except ConfigError as e:
        return zones, Said(False, str(e))
    return made, Said(True, "; ".join(made.warnings))


def _built(index: ZoneIndex, zones: Zones, t_ns: int) -> ZoneIndex:
    made = ZoneIndex(zones, index.tile, index.ground)
    made.active(t_ns)  # asks every zone for its hours: before the swap, not in it
    return made


def plain(zones: Zones) -> dict[str, Any]:
    """Zones as plain data for a checkpoint, exact: corners as one array, the rest as JSON."""
    told = [
        [
            zone.id, zone.name, int(zone.kind), zone.valid_from_ns, zone.valid_to_ns,
            [p.canonical() for p in zone.periods], zone.datum, zone.authority, zone.note,
            zone.country,
            [
                [[len(ring) for ring in part.polygon], _limit(part.floor), _limit(part.ceiling)]
                for part in zone.parts
            ],
        ]
        for zone in zones
    ]  # fmt: skip
    rings = [array for zone in zones for part in zone.parts for array in part.corners]
    return {
        "told": json.dumps(told).encode(),
        "corners": np.concatenate(rings) if rings else np.zeros((0, 2)),
    }


def restored(state: dict[str, Any]) -> Zones:
    """Zones of which `plain` gave this."""
    corners = iter(zip(*state["corners"].T.tolist(), strict=True))
    return Zones.of(_zone(row, corners) for row in json.loads(state["told"]))


def _limit(limit: Limit | None) -> list[Any] | None:
    if limit is None:
        return None
    s = limit.slope
    return [limit.m, limit.ref, None if s is None else [s.lon, s.lat, s.gradient, s.course_deg]]


def _zone(row: list[Any], corners: Iterable[tuple[float, float]]) -> Zone:
    zone_id, name, kind, begin, end, periods, datum, authority, note, country, parts = row
    at = iter(corners)
    return Zone(
        zone_id, name, ZoneKind(kind),
        tuple(
            Part(
                tuple(tuple(next(at) for _ in range(n)) for n in lengths),
                _limit_of(floor), _limit_of(ceiling),
            )
            for lengths, floor, ceiling in parts
        ),
        begin, end,
        tuple(Period(frozenset(days), *rest) for days, *rest in periods),
        datum, authority, note, country,
    )  # fmt: skip


def _limit_of(told: list[Any] | None) -> Limit | None:
    if told is None:
        return None
    metres, reference, slope = told
    return Limit(metres, reference, None if slope is None else Slope(*slope))
