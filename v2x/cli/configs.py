"""``v2x config check``: is a configuration, with all files it names, fit to run."""

from pathlib import Path
from typing import Annotated

import typer


def check(
    file: Annotated[Path, typer.Argument(help="TOML configuration.")],
    json_: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
) -> None:
    """Check a configuration and the zones, registry and plans that it names."""
    import json

    from v2x.app import Pipeline
    from v2x.config import load_config

    config = load_config(file)
    pipeline = Pipeline(config)
    told = {
        "ok": True,
        "file": str(file),
        "hash": config.digest(),
        "site": config.site.name,
        "sensors": [s.name for s in pipeline.sensors.sensors],
        "zones": [zone.id for zone in pipeline.zones],
        "zones_hash": pipeline.zones.hash,
        "plans": list(pipeline.airspace.plan_ids),
    }
    if json_:
        print(json.dumps(told, ensure_ascii=False))
    else:
        print(
            f"{file}: good. Site {config.site.name}, {len(config.sensors)} sensors, "
            f"{len(pipeline.zones)} zones, {len(pipeline.airspace.plan_ids)} plans, "
            f"hash {config.digest()}"
        )
