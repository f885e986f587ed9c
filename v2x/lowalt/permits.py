"""Who may fly: registry and plans together, and what documents make of them while the system runs.

A document is a JSON object of format ``registry`` or ``plans`` (`v2x.lowalt.registry`,
`v2x.lowalt.plans`). Each is taken whole or not at all; one that is refused leaves everything as it
was and says which entry is wrong, and why. A plan that comes as a document may name a zone of the
zone file that the run began with.
"""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from v2x.errors import ConfigError
from v2x.geodesy import Tile
from v2x.lowalt import files
from v2x.lowalt.plans import PlanIndex, Plans, plans_from
from v2x.lowalt.registry import Registry, registry_from
from v2x.lowalt.zones import Zones

FORMS = ("registry", "plans")
"""Formats of the documents that change it."""


class Permits(NamedTuple):
    """Registry (None: nothing is known of it) and plans, with the plans ready for questions."""

    registry: Registry | None
    plans: Plans
    plan_index: PlanIndex

    @classmethod
    def of(cls, registry: Registry | None, plans: Plans | None, tile: Tile) -> "Permits":
        """Make plans ready in one tile; group plans take their fleets from the registry."""
        plans = plans or Plans()
        return cls(
            registry, plans, PlanIndex(plans, tile, {} if registry is None else registry.fleets)
        )


def change(
    permits: Permits, zones: Zones, tile: Tile, asked: Sequence[tuple[str, bytes]]
) -> tuple[Permits, list[tuple[bool, str]]]:
    """Permits after documents (form, text) in their order; of each: was it taken, else why not."""
    registry, plans = permits.registry, permits.plans
    said: list[tuple[bool, str]] = []
    for form, text in asked:
        try:
            document = files.members(form, json.loads(text.decode("utf-8-sig")))
            if form == "plans":
                plans = plans.changed(form, document, zones)
            elif registry is not None:
                registry = registry.changed(form, document)
            elif "op" in document:
                raise ConfigError(f"{form}: there is no registry yet to change: send it whole")
            else:
                registry = registry_from(form, document)
        except ConfigError as e:
            said.append((False, str(e)))
        else:
            said.append((True, ""))
    if not any(taken for taken, _ in said):
        return permits, said
    return Permits.of(registry, plans, tile), said


def plain(permits: Permits) -> dict[str, Any]:
    """Permits as plain data for a checkpoint: the entries as they were read."""
    registry = permits.registry
    return {
        "registry": None if registry is None else json.dumps(registry.source),
        "plans": json.dumps({"plans": permits.plans.source}),
    }


def restored(state: dict[str, Any], zones: Zones, tile: Tile) -> Permits:
    """Permits of which `plain` gave this, with the zones that they were made with."""
    told = state["registry"]
    registry = None if told is None else registry_from("registry", json.loads(told))
    return Permits.of(registry, plans_from("plans", json.loads(state["plans"]), zones), tile)
