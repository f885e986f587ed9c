"""Obstacle surfaces of Tianjin Binhai airport, as zones that manned flights cross.

Runways are those of ``docs/example/zbtj.toml``: a public list, not survey grade. No truth is made
of them: an airliner is allowed in every one.
"""

from functools import cache
from typing import Any

from v2x.lowalt.aerodrome import Aerodrome, End, Runway, surfaces
from v2x.lowalt.zone_files import WRITERS

_RUNWAYS = (
    Runway(
        (
            End("16L", (117.3626099, 39.1414757), (117.3626099, 39.1414757), 3.66),
            End("34R", (117.3785629, 39.1154594), (117.3785629, 39.1154594), 3.66),
        ),
        3200.1,
        estimated=True,
    ),
    Runway(
        (
            End("16R", (117.3382034, 39.1373749), (117.3362052, 39.1406316), 2.44),
            End("34L", (117.3541565, 39.1113739), (117.3541565, 39.1113739), 2.44),
        ),
        3600.0,
        estimated=True,
    ),
)


@cache
def features() -> list[dict[str, Any]]:
    """GeoJSON features of all surfaces."""
    field = Aerodrome("ZBTJ", (117.3460, 39.1244), 3.05, _RUNWAYS)
    tree: dict[str, Any] = WRITERS["geojson"](surfaces(field))
    made: list[dict[str, Any]] = tree["features"]
    return made
