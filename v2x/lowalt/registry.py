"""Registered drones and approved flights, from JSON files.

Registry::

    {"as_of": "2026-05-01T00:00:00+08:00",
     "uas": [{"ident": "rid:ABCDE012345678901234", "mark": "12345678", "class": "light",
              "owner": "..."}]}

Plans; ``zone`` names a zone whose footprint (and band, unless the plan has its own) is flown in,
``polygon`` is a closed ring of [lon, lat] and then the four limit keys are needed::

    {"plans": [{"id": "P-17", "idents": ["rid:ABCDE012345678901234"], "zone": "Z1",
                "floor_m": 0, "floor_ref": "agl", "ceiling_m": 150, "ceiling_ref": "agl",
                "valid_from": "2026-05-01T08:00:00+08:00", "valid_to": "2026-05-01T09:00:00+08:00",
                "approval": "..."}]}
"""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from v2x.columns import B1, I4, I8
from v2x.errors import ConfigError
from v2x.geodesy import Tile
from v2x.lowalt import files
from v2x.lowalt.volumes import Places, ZoneIndex
from v2x.lowalt.zone_files.geojson import band
from v2x.lowalt.zones import Part, Zone, Zones
from v2x.observations import ident_of
from v2x.picture import ZoneKind

FRESH_NS = 24 * 3600 * 1_000_000_000
"""A registry older than a day says nothing about what is absent from it."""

CLASSES = ("micro", "light", "small", "medium", "large")
UNREGISTERED_MARK = "00000000"
"""What GB 46750-2025 item 002 carries where a drone was never registered."""

_LIMITS = ("floor_m", "floor_ref", "ceiling_m", "ceiling_ref")


@dataclass(frozen=True)
class Uas:
    """One registered drone: broadcast identity, registration mark, class by law, owner."""

    ident: str
    mark: str
    uas_class: str
    owner: str


@dataclass(frozen=True)
class Registry:
    """Registered drones in the order of their identities, as of one time."""

    as_of_ns: int
    uas: tuple[Uas, ...] = ()

    def fresh(self, t_ns: int) -> bool:
        """Whether absence from it still means something: younger than a day at `t_ns`."""
        return t_ns - self.as_of_ns < FRESH_NS

    def holds(self, idents: I8) -> B1:
        """(n,) where the identity is registered."""
        return np.isin(idents, self._idents)

    @cached_property
    def _idents(self) -> I8:
        return np.array([ident_of(uas.ident) for uas in self.uas], np.int64)


@dataclass(frozen=True)
class Plan:
    """One approved flight: who, and the volume with its window."""

    id: str
    idents: tuple[str, ...]
    volume: Zone
    approval: str = ""


@dataclass(frozen=True)
class Plans:
    """Approved flights in the order of their ids; their rows are those of the picture."""

    plans: tuple[Plan, ...] = ()

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids by row."""
        return tuple(plan.id for plan in self.plans)

    def __len__(self) -> int:
        return len(self.plans)


class PlanIndex:
    """Plans ready for questions in one tile."""

    def __init__(self, plans: Plans, tile: Tile) -> None:
        self.ids = plans.ids
        self._volumes = ZoneIndex(Zones.of(plan.volume for plan in plans.plans), tile)
        who = [(ident_of(text), row) for row, p in enumerate(plans.plans) for text in p.idents]
        self._idents = np.unique(np.array([ident for ident, _ in who], np.int64))
        ident = np.array([ident for ident, _ in who], np.int64)
        row = np.array([row for _, row in who], np.int64)
        # One number per (plan, identity) pair that is allowed, to look many pairs up at once.
        self._allowed = np.sort(row * len(self._idents) + np.searchsorted(self._idents, ident))

    def match(self, t_ns: int, places: Places, idents: I8) -> I4:
        """Row of the plan that each drone flies, (n,); -1 none.

        Identity, window and volume must hold together, of one plan. A volume with a limit is not
        matched by a drone of unknown height. Of several the first by id.
        """
        plan = np.full(len(idents), -1, np.int32)
        asked = np.flatnonzero(np.isin(idents, self._idents))
        if not len(asked):
            return plan
        pairs = self._volumes.inside(places.take(asked), self._volumes.active(t_ns))
        row = asked[pairs.point]
        code = pairs.zone * np.int64(len(self._idents)) + np.searchsorted(self._idents, idents[row])
        match = np.isin(code, self._allowed) & (pairs.height_unknown == 0)
        row, flown = row[match], pairs.zone[match]
        # Sorted by drone, then plan: written backwards, so that the first one stays.
        plan[row[::-1]] = flown[::-1]
        return plan


def load_registry(path: Path) -> Registry:
    """Read the registry of drones.

    Raises
    ------
    ConfigError
        Names the file, the entry, and what is wrong with it.
    """
    tree = files.members(str(path), files.read_json(path))
    as_of = files.moment(str(path), tree, "as_of")
    if as_of is None:
        raise ConfigError(f"{path}: as_of is missing: when was this registry true?")
    uas: dict[str, Uas] = {}
    for k, entry in enumerate(files.entries(str(path), tree, "uas")):
        one = _uas(f"{path}: uas {k}", entry)
        if one.ident in uas:
            raise ConfigError(f"{path}: uas {k}: ident {one.ident!r} is there twice")
        uas[one.ident] = one
    return Registry(as_of, tuple(uas[ident] for ident in sorted(uas)))


def _uas(where: str, entry: Any) -> Uas:
    tree = files.members(where, entry)
    mark = files.text(where, tree, "mark")
    if len(mark) != 8 or not (mark.isascii() and mark.isdigit()) or mark == UNREGISTERED_MARK:
        raise ConfigError(f"{where}: mark {mark!r} is not 8 digits with one that is not 0")
    return Uas(
        ident=_ident(where, files.text(where, tree, "ident")),
        mark=mark,
        uas_class=files.choice(where, tree, "class", CLASSES),
        owner=files.text(where, tree, "owner", ""),
    )


def _ident(where: str, text: str) -> str:
    if not text.startswith("rid:") or len(text) == len("rid:"):
        raise ConfigError(f"{where}: ident {text!r} is not 'rid:' and a product id")
    return text


def load_plans(path: Path, zones: Zones | None = None) -> Plans:
    """Read approved flights; `zones` are those that plans may name.

    Raises
    ------
    ConfigError
        Names the file, the plan, and what is wrong with it.
    """
    tree = files.members(str(path), files.read_json(path))
    plans: dict[str, Plan] = {}
    for k, entry in enumerate(files.entries(str(path), tree, "plans")):
        plan = _plan(f"{path}: plan {k}", entry, zones or Zones())
        if plan.id in plans:
            raise ConfigError(f"{path}: plan {k}: id {plan.id!r} is there twice")
        plans[plan.id] = plan
    return Plans(tuple(plans[plan_id] for plan_id in sorted(plans)))


def _plan(where: str, entry: Any, zones: Zones) -> Plan:
    tree = files.members(where, entry)
    plan_id = files.text(where, tree, "id")
    where = f"{where} ({plan_id})"
    idents = files.entries(where, tree, "idents")
    if not idents or not all(isinstance(ident, str) for ident in idents):
        raise ConfigError(f"{where}: idents must be a list of one text or more")
    begin, end = files.window(where, tree)
    if begin is None or end is None:
        raise ConfigError(f"{where}: valid_from and valid_to are both needed")
    return Plan(
        id=plan_id,
        idents=tuple(sorted({_ident(where, ident) for ident in idents})),
        volume=replace(_volume(where, plan_id, tree, zones), valid_from_ns=begin, valid_to_ns=end),
        approval=files.text(where, tree, "approval", ""),
    )


def _volume(where: str, plan_id: str, tree: dict[str, Any], zones: Zones) -> Zone:
    """Where a plan flies: a named zone's footprint, or its own polygon."""
    zone_id, polygon = tree.get("zone"), tree.get("polygon")
    if (zone_id is None) == (polygon is None):
        raise ConfigError(f"{where}: give one of zone and polygon")
    if zone_id is not None:
        zone = zones.named(files.text(where, tree, "zone"))
        if zone is None:
            raise ConfigError(f"{where}: zone {zone_id!r} is not in the zone file")
        volume = replace(zone, id=plan_id, name=plan_id, kind=ZoneKind.OPERATING)
        if not any(key in tree for key in _LIMITS):
            return volume
    else:
        datum = files.choice(where, tree, "datum", files.DATUMS, "wgs84")
        shape = files.polygon(f"{where}: polygon", [polygon], datum)
        volume = Zone(plan_id, plan_id, ZoneKind.OPERATING, (Part(shape),), datum=datum)
    floor, ceiling = band(where, tree)
    parts = tuple(replace(part, floor=floor, ceiling=ceiling) for part in volume.parts)
    return replace(volume, parts=parts)
