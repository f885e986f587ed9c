"""Approved flights and declarations: who may fly where and when, and how well he keeps to it.

JSON; a plan names its drones one by one, or a group: the fleet of an operator, at most `count` of
it at a time. It has one volume, or several, each with its own window if need be::

    {"plans": [{"id": "P-17", "idents": ["rid:ABCDE012345678901234"], "approval": "...",
                "valid_from": "2026-05-01T08:00:00+08:00", "valid_to": "2026-05-01T09:00:00+08:00",
                "zone": "Z1"},
               {"id": "SHOW", "group": {"operator": "OP-7", "count": 200},
                "valid_from": ..., "valid_to": ...,
                "volumes": [{"polygon": [[lon, lat], ...], "floor_m": 0, "floor_ref": "agl",
                             "ceiling_m": 120, "ceiling_ref": "agl"},
                            {"corridor": [[lon, lat], ...], "half_width_m": 30,
                             "times": ["2026-05-01T08:00:00+08:00", ...], ...}]}]}

A volume is a ``zone`` (its footprint, and its band unless the volume has its own), a ``polygon``
(closed ring), or a ``corridor`` along waypoints; the latter two need the four limit keys. With
``times``, one per waypoint, each leg is flown between the times of its ends.

A drone keeps to its plan while it is inside with a probability of 0.1 or more, or no further out
than `LATERAL_M`, `VERTICAL_M` and `LATE_NS`: beyond those it does not conform.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import erfc
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from v2x import polygons
from v2x.columns import B1, F8, I4, I8
from v2x.errors import ConfigError
from v2x.geodesy import Tile
from v2x.lowalt import files, shapes
from v2x.lowalt.registry import ident_text
from v2x.lowalt.volumes import STEP_M, Places
from v2x.lowalt.zone_files.geojson import band
from v2x.lowalt.zones import Limit, Part, Zones
from v2x.observations import ident_of

SECOND = 1_000_000_000
LATERAL_M, VERTICAL_M = 30.0, 15.0
LATE_NS = 60 * SECOND
"""Further out, or further off its time, a drone does not conform to its plan. Ours, to be tuned."""
NEAR_NS = 1800 * SECOND
"""A plan whose window is further away has nothing to do with this flight. Ours."""
P_OUTSIDE = 0.9
_LIMITS = ("floor_m", "floor_ref", "ceiling_m", "ceiling_ref")


@dataclass(frozen=True)
class Volume:
    """One volume of a plan and its window, ns UTC: from inclusive, to exclusive."""

    part: Part
    from_ns: int
    to_ns: int


@dataclass(frozen=True)
class Plan:
    """One approved flight: who, and the volumes with their windows.

    `operator` and `count` of a group plan: the operator whose drones may fly, and how many of them
    at a time (0: no group).
    """

    id: str
    idents: tuple[str, ...]
    volumes: tuple[Volume, ...]
    approval: str = ""
    operator: str = ""
    count: int = 0


@dataclass(frozen=True)
class Plans:
    """Approved flights in the order of their ids; their rows are those of the picture."""

    plans: tuple[Plan, ...] = ()
    source: tuple[dict[str, Any], ...] = field(default=(), compare=False, repr=False)
    """The entries that say all this: what a checkpoint carries on."""

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids by row."""
        return tuple(plan.id for plan in self.plans)

    def __len__(self) -> int:
        return len(self.plans)

    def changed(self, where: str, document: dict[str, Any], zones: Zones) -> "Plans":
        """Return the plans after a document: a whole file, or put or remove of one plan.

        Raises
        ------
        ConfigError
            Names the plan, and what is wrong with it; nothing was changed.
        """
        operation = document.get("op")
        if operation is None:
            return plans_from(where, document, zones)
        if operation == "put":
            entry = files.members(where, document.get("plan"))
            name, new = files.text(where, entry, "id"), [entry]
        elif operation == "remove":
            name, new = files.text(where, document, "id"), []
            if name not in self.ids:
                raise ConfigError(f"{where}: no plan is named {name!r}")
        else:
            raise ConfigError(f"{where}: op {operation!r} is none of put, remove")
        kept = [old for old in self.source if old["id"].strip() != name]
        return plans_from(where, {"plans": kept + new}, zones)


class Fit(NamedTuple):
    """How drones keep to the plan that they fly, or come nearest to; (n,) each.

    `plan` its row, -1 none names the drone at this time; `keeps` as the module says; `lateral`
    metres beside the volume and `vertical` above it (below: negative), 0 inside, NaN where it
    cannot be compared; `late` seconds after the window, before it negative, 0 within.
    """

    plan: I4
    keeps: B1
    lateral: F8
    vertical: F8
    late: F8


class PlanIndex:
    """Plans ready for questions in one tile.

    Parameters
    ----------
    plans, tile
        What, and in which local frame.
    fleets
        Identity hashes of each operator's drones, for group plans.
    """

    def __init__(
        self, plans: Plans, tile: Tile, fleets: Mapping[str, Sequence[int]] | None = None
    ) -> None:
        self.ids = plans.ids
        self.groups: B1 = np.array([plan.count > 0 for plan in plans.plans], np.bool_)
        self._count = np.array([plan.count for plan in plans.plans], np.int64)
        volumes = [(row, v) for row, plan in enumerate(plans.plans) for v in plan.volumes]
        self._plan = np.array([row for row, _ in volumes], np.int32)
        self._from = np.array([v.from_ns for _, v in volumes], np.int64)
        self._to = np.array([v.to_ns for _, v in volumes], np.int64)
        self._floor = _Level.of([v.part.floor for _, v in volumes], -np.inf)
        self._ceiling = _Level.of([v.part.ceiling for _, v in volumes], np.inf)
        self._shapes = polygons.build(
            [[_in_metres(tile, ring) for ring in v.part.polygon] for _, v in volumes], 250.0
        )
        self._of: dict[int, list[int]] = {}
        flown: dict[int, list[int]] = {}
        for k, (row, _) in enumerate(volumes):
            flown.setdefault(row, []).append(k)
        for row, plan in enumerate(plans.plans):
            fleet = (fleets or {}).get(plan.operator, ()) if plan.operator else ()
            for ident in sorted({*map(ident_of, plan.idents), *fleet}):
                self._of.setdefault(ident, []).extend(flown.get(row, ()))

    def names(self, ident: int) -> bool:
        """Whether any plan names an identity."""
        return ident in self._of

    def fit(self, t_ns: int, places: Places, idents: I8, sd: F8, sd_up: F8) -> Fit:
        """How drones keep to their plans.

        Parameters
        ----------
        places, idents
            Of the drones, (n,).
        sd, sd_up
            (n,) standard deviations, metres, of the horizontal place and of the height.
        """
        n = len(idents)
        made = Fit(
            np.full(n, -1, np.int32), np.zeros(n, np.bool_), np.full(n, np.nan),
            np.full(n, np.nan), np.full(n, np.nan),
        )  # fmt: skip
        pairs = [(i, k) for i, ident in enumerate(idents.tolist()) for k in self._of.get(ident, ())]
        if not pairs:
            return made
        drone, volume = np.array(pairs, np.int64).T
        late = np.maximum(t_ns - (self._to[volume] - 1), 0) - np.maximum(
            self._from[volume] - t_ns, 0
        )
        near = np.abs(late) <= NEAR_NS
        drone, volume, late = drone[near], volume[near], late[near]
        beside, p_in = self._beside(places.flat[drone], volume, sd[drone])
        over, p_between = self._over(places.heights[drone], volume, sd_up[drone])
        close = (beside <= LATERAL_M) & (np.abs(over) <= VERTICAL_M)
        keeps = (np.abs(late) <= LATE_NS) & (close | (1.0 - p_in * p_between < P_OUTSIDE))
        excess = np.fmax(beside / LATERAL_M, np.abs(over) / VERTICAL_M)
        excess = np.fmax(excess, np.abs(late) / LATE_NS)
        # Of several the one that is kept, then the nearest, then the first by id.
        order = np.lexsort((volume, excess, ~keeps, drone))
        best = order[np.unique(drone[order], return_index=True)[1]]
        row = drone[best]
        made.plan[row] = self._plan[volume[best]]
        made.keeps[row] = keeps[best]
        made.lateral[row], made.vertical[row] = beside[best], over[best]
        made.late[row] = late[best] / SECOND
        self._crowd(made, idents)
        return made

    def _beside(self, flat: F8, volume: I8, sd: F8) -> tuple[F8, F8]:
        """Metres outside the outline, and P(inside it)."""
        a = self._shapes.distance(flat, volume.astype(np.int32))
        return np.maximum(a, 0.0), _share_below(-a, sd)

    def _over(self, levels: F8, volume: I8, sd_up: F8) -> tuple[F8, F8]:
        """Metres above the band (below: negative), and P(in it); NaN, 0 where not comparable."""
        k = np.arange(len(volume))
        above = levels[k, self._ceiling.ref[volume]] - self._ceiling.m[volume]
        below = self._floor.m[volume] - levels[k, self._floor.ref[volume]]
        above[np.isinf(self._ceiling.m[volume])] = -np.inf
        below[np.isinf(self._floor.m[volume])] = -np.inf
        share = np.maximum(_share_below(-above, sd_up) - _share_below(below, sd_up), 0.0)
        over = np.maximum(above, 0.0) - np.maximum(below, 0.0)
        return over, np.nan_to_num(share)

    def _crowd(self, made: Fit, idents: I8) -> None:
        """Of a group no more than its count keep to the plan: those that are first by identity."""
        for plan in np.unique(made.plan[made.keeps]).tolist():
            if self._count[plan]:
                rows = np.flatnonzero(made.keeps & (made.plan == plan))
                order = rows[np.argsort(idents[rows], kind="stable")]
                made.keeps[order[self._count[plan] :]] = False


class _Level(NamedTuple):
    """Floors or ceilings: metres (infinite: none), and the column of `files.REFERENCES`."""

    m: F8
    ref: I8

    @classmethod
    def of(cls, limits: Sequence[Limit | None], none: float) -> "_Level":
        m = np.array([none if limit is None else limit.m for limit in limits], np.float64)
        ref = [0 if limit is None else files.REFERENCES.index(limit.ref) for limit in limits]
        return cls(m, np.array(ref, np.int64))


def normal_cdf(x: F8) -> F8:
    """P(standard normal <= x), of any shape; NaN stays NaN."""
    made = np.array([0.5 * erfc(-v) for v in (x.ravel() / np.sqrt(2.0)).tolist()])
    return made.reshape(x.shape)


def _share_below(x: F8, sd: F8) -> F8:
    """P(N(0, sd) <= x); exact where sd is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(x == 0.0, 0.0, x / sd)
    exact = np.where(sd > 0.0, ratio, np.where(x >= 0.0, np.inf, -np.inf))
    return normal_cdf(np.where(np.isnan(x), np.nan, exact))


def _in_metres(tile: Tile, ring: files.Ring) -> F8:
    """(k, 2) east and north of a ring on the tile's height, long edges in pieces."""
    lon, lat = files.split(np.array(ring, np.float64), STEP_M / 111_700.0).T
    return tile.to_enu(lat, lon, np.full(lat.shape, tile.h0))[:, :2]


def load_plans(path: Path, zones: Zones | None = None) -> Plans:
    """Read approved flights; `zones` are those that plans may name.

    Raises
    ------
    ConfigError
        Names the file, the plan, and what is wrong with it.
    """
    return plans_from(str(path), files.members(str(path), files.read_json(path)), zones or Zones())


def plans_from(where: str, tree: dict[str, Any], zones: Zones) -> Plans:
    """Check plans that were read; `where` begins the words of a refusal."""
    plans: dict[str, Plan] = {}
    source = files.entries(where, tree, "plans")
    for k, entry in enumerate(source):
        plan = _plan(f"{where}: plan {k}", entry, zones)
        if plan.id in plans:
            raise ConfigError(f"{where}: plan {k}: id {plan.id!r} is there twice")
        plans[plan.id] = plan
    return Plans(tuple(plans[plan_id] for plan_id in sorted(plans)), tuple(source))


def _plan(where: str, entry: Any, zones: Zones) -> Plan:
    tree = files.members(where, entry)
    plan_id = files.text(where, tree, "id")
    where = f"{where} ({plan_id})"
    idents, operator, count = _who(where, tree)
    volumes: list[Volume] = []
    if "volumes" not in tree:
        volumes += _volumes(where, tree, tree, zones)
    else:
        whole = {"valid_from": tree.get("valid_from"), "valid_to": tree.get("valid_to")}
        for k, one in enumerate(files.entries(where, tree, "volumes")):
            inner = f"{where}: volume {k}"
            volumes += _volumes(inner, whole | files.members(inner, one), tree, zones)
    if not volumes:
        raise ConfigError(f"{where}: volumes is empty")
    approval = files.text(where, tree, "approval", "")
    return Plan(plan_id, idents, tuple(volumes), approval, operator, count)


def _who(where: str, tree: dict[str, Any]) -> tuple[tuple[str, ...], str, int]:
    """Identities, or the operator of a group and its count."""
    group = tree.get("group")
    if group is not None:
        if "idents" in tree:
            raise ConfigError(f"{where}: give one of idents and group")
        group = files.members(f"{where}: group", group)
        count = group.get("count")
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise ConfigError(f"{where}: group: count must be a number of drones, 1 or more")
        return (), files.text(f"{where}: group", group, "operator"), count
    idents = files.entries(where, tree, "idents")
    if not idents or not all(isinstance(ident, str) for ident in idents):
        raise ConfigError(f"{where}: idents must be a list of one text or more")
    return tuple(sorted({ident_text(where, ident) for ident in idents})), "", 0


def _volumes(where: str, tree: dict[str, Any], plan: dict[str, Any], zones: Zones) -> list[Volume]:
    """Parts of one entry with their windows."""
    shapes_given = [key for key in ("zone", "polygon", "corridor") if tree.get(key) is not None]
    if len(shapes_given) != 1:
        raise ConfigError(f"{where}: give one of zone, polygon and corridor")
    times = tree.get("times")
    if times is not None and shapes_given != ["corridor"]:
        raise ConfigError(f"{where}: times are those of a corridor's waypoints")
    begin, end = (0, 0) if times is not None else _window(where, tree)
    if shapes_given == ["zone"]:
        return [Volume(part, begin, end) for part in _zone_parts(where, tree, zones)]
    datum = files.choice(where, tree | {"datum": tree.get("datum", plan.get("datum"))}, "datum",
                         files.DATUMS, "wgs84")  # fmt: skip
    floor, ceiling = band(where, tree)
    if shapes_given == ["polygon"]:
        shape = files.polygon(f"{where}: polygon", [tree["polygon"]], datum)
        return [Volume(Part(shape, floor, ceiling), begin, end)]
    points = files.entries(where, tree, "corridor")
    line = tuple(
        files.true_position(f"{where}: corridor: position {k}", xy, datum)
        for k, xy in enumerate(points)
    )
    half = files.number(tree.get("half_width_m"))
    if half is None:
        raise ConfigError(f"{where}: half_width_m must be metres")
    if times is None:
        ring = shapes.corridor(f"{where}: corridor", line, half)
        return [Volume(Part((ring,), floor, ceiling), begin, end)]
    moments = [files.moment(f"{where}: times {k}", {"at": t}, "at") for k, t in enumerate(times)]
    if len(moments) != len(line) or len(line) < 2:
        raise ConfigError(f"{where}: times must be one per waypoint, and these two or more")
    legs = []
    for k, (flown, (leave, arrive)) in enumerate(
        zip(pairwise(line), pairwise(moments), strict=True)
    ):
        if leave is None or arrive is None or leave >= arrive:
            raise ConfigError(f"{where}: times {k + 1} is not after the one before it")
        ring = shapes.corridor(f"{where}: corridor", flown, half)
        legs.append(Volume(Part((ring,), floor, ceiling), leave, arrive))
    return legs


def _window(where: str, tree: dict[str, Any]) -> tuple[int, int]:
    begin, end = files.window(where, tree)
    if begin is None or end is None:
        raise ConfigError(f"{where}: valid_from and valid_to are both needed")
    return begin, end


def _zone_parts(where: str, tree: dict[str, Any], zones: Zones) -> list[Part]:
    zone_id = files.text(where, tree, "zone")
    zone = zones.named(zone_id)
    if zone is None:
        raise ConfigError(f"{where}: zone {zone_id!r} is not in the zone file")
    if any(key in tree for key in _LIMITS):
        floor, ceiling = band(where, tree)
        return [Part(part.polygon, floor, ceiling) for part in zone.parts]
    for limit in (limit for part in zone.parts for limit in (part.floor, part.ceiling)):
        if limit is not None and limit.slope is not None:
            raise ConfigError(f"{where}: zone {zone_id!r} has a sloping limit; give limits")
    return list(zone.parts)
