"""Aerodrome files: TOML, read strictly.

::

    name = "ZBTJ"
    reference = [117.3460, 39.1244]     # lon, lat degrees WGS-84
    elevation_m = 3.05                  # above mean sea level

    [surfaces]                          # any field of `v2x.lowalt.aerodrome.Surfaces`
    strip_half_m = 150.0

    [[runways]]
    length_m = 3200.0                   # as declared; checked against the ends to 1 %
    precision = true
    estimated = false                   # true: positions are estimates, no check

    [[runways.ends]]                    # two of them
    name = "16L"
    threshold = [117.3626099, 39.1414757]
    end = [117.3626099, 39.1414757]     # of the pavement; the threshold's where left out
    elevation_m = 3.66
"""

import tomllib
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from v2x.errors import ConfigError
from v2x.lowalt import files
from v2x.lowalt.aerodrome import Aerodrome, End, Runway, Surfaces

_FIELD = frozenset({"name", "reference", "elevation_m", "surfaces", "runways"})
_RUNWAY = frozenset({"length_m", "precision", "estimated", "ends"})
_END = frozenset({"name", "threshold", "end", "elevation_m"})


def load_aerodrome(path: Path) -> Aerodrome:
    """Read an aerodrome file.

    Raises
    ------
    ConfigError
        Names the file, the runway, and what is wrong with it.
    """
    where = str(path)
    try:
        tree = tomllib.loads(path.read_text("utf-8"))
    except OSError as e:
        raise ConfigError(f"{where}: {e.strerror or e}") from e
    except ValueError as e:
        raise ConfigError(f"{where}: not valid TOML: {e}") from e
    _only(where, tree, _FIELD)
    runways = files.entries(where, tree, "runways")
    if not runways:
        raise ConfigError(f"{where}: an aerodrome without runways")
    return Aerodrome(
        name=files.text(where, tree, "name"),
        reference=files.position(f"{where}: reference", tree.get("reference")),
        elevation_m=_number(where, tree, "elevation_m"),
        runways=tuple(_runway(f"{where}: runway {k}", r) for k, r in enumerate(runways)),
        surfaces=_surfaces(f"{where}: surfaces", tree.get("surfaces", {})),
    )


def _runway(where: str, value: Any) -> Runway:
    tree = files.members(where, value)
    _only(where, tree, _RUNWAY)
    ends = files.entries(where, tree, "ends")
    if len(ends) != 2:
        raise ConfigError(f"{where}: {len(ends)} ends; a runway has two")
    first, second = (_end(f"{where}: end {k}", end) for k, end in enumerate(ends))
    flags = {name: tree.get(name, name == "precision") for name in ("precision", "estimated")}
    for name, flag in flags.items():
        if not isinstance(flag, bool):
            raise ConfigError(f"{where}: {name} must be true or false")
    return Runway((first, second), _number(where, tree, "length_m"), **flags)


def _end(where: str, value: Any) -> End:
    tree = files.members(where, value)
    _only(where, tree, _END)
    name = files.text(where, tree, "name")
    threshold = files.position(f"{where}: threshold", tree.get("threshold"))
    end = files.position(f"{where}: end", tree["end"]) if "end" in tree else threshold
    return End(name, threshold, end, _number(where, tree, "elevation_m"))


def _surfaces(where: str, value: Any) -> Surfaces:
    tree = files.members(where, value)
    known = {f.name for f in fields(Surfaces)}
    _only(where, tree, frozenset(known))
    given: dict[str, Any] = {name: v for name, v in tree.items() if name != "approach_slopes"}
    for name in given:
        given[name] = _number(where, tree, name)
        if given[name] <= 0.0:
            raise ConfigError(f"{where}: {name} must be above 0")
    if "approach_slopes" in tree:
        given["approach_slopes"] = _sections(where, tree["approach_slopes"])
    return replace(Surfaces(), **given)


def _sections(where: str, value: Any) -> tuple[tuple[float, float], ...]:
    """Ends of the sections of an approach surface, rising, with their slopes."""
    pairs = value if isinstance(value, list) else []
    made: list[tuple[float, float]] = []
    for pair in pairs:
        numbers = [files.number(x) for x in pair] if isinstance(pair, list) else []
        if len(numbers) != 2 or numbers[0] is None or numbers[1] is None:
            made.clear()
            break
        made.append((numbers[0], numbers[1]))
    ends = [0.0, *(stop for stop, _ in made)]
    if not made or ends != sorted(set(ends)) or min(slope for _, slope in made) <= 0.0:
        raise ConfigError(
            f"{where}: approach_slopes must be [[end, slope], ...] with ends that grow"
        )
    return tuple(made)


def _number(where: str, tree: dict[str, Any], key: str) -> float:
    value = files.number(tree.get(key))
    if value is None:
        raise ConfigError(f"{where}: {key} must be a number")
    return value


def _only(where: str, tree: dict[str, Any], known: frozenset[str]) -> None:
    strange = sorted(tree.keys() - known)
    if strange:
        raise ConfigError(f"{where}: unknown key {strange[0]!r}; known: {', '.join(sorted(known))}")
