"""The peers of ``v2x bench fusion``: name, what must be installed, and where its adapter is.

An adapter is a module with ``run(scenario, watch) -> Estimates`` and its settings on top.
It is imported only when its peer is asked for. Free licences only (MIT, BSD).
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from replay.scenarios.scenario import Scenario
    from v2x.cli.bench.measuring import Estimates, Stopwatch


@dataclass(frozen=True)
class Peer:
    """One competitor.

    Attributes
    ----------
    adapter
        Module in this folder.
    modules
        What it imports from outside.
    distributions
        Names to ask for versions, the first found of each group of alternatives.
    """

    adapter: str
    modules: tuple[str, ...]
    distributions: tuple[tuple[str, ...], ...]


PEERS = {
    "stonesoup-gnn": Peer("stonesoup_gnn", ("stonesoup",), (("stonesoup",), ("scipy",))),
    "stonesoup-jpda": Peer("stonesoup", ("stonesoup",), (("stonesoup",), ("scipy",))),
    "stonesoup-phd": Peer("stonesoup_phd", ("stonesoup",), (("stonesoup",), ("scipy",))),
    "filterpy-gnn": Peer("filterpy_gnn", ("filterpy", "scipy"), (("filterpy",), ("scipy",))),
    "norfair": Peer("norfair_points", ("norfair",), (("norfair-enough", "norfair"),)),
    "trackforge-sort": Peer("trackforge_sort", ("trackforge",), (("trackforge",),)),
}


def load(name: str) -> "Callable[[Scenario, Stopwatch], Estimates]":
    """Return the adapter's `run`.

    Raises
    ------
    ConfigError
        What it needs is not installed; says how to get it.
    """
    from v2x.errors import ConfigError

    peer = PEERS[name]
    try:
        for module in peer.modules:
            import_module(module)
        run: Callable[[Scenario, Stopwatch], Estimates]
        run = import_module(f"v2x.cli.bench.{peer.adapter}").run
    except ImportError as e:
        raise ConfigError(
            f"{name}: {peer.distributions[0][0]} is not installed ({e}): pip install -e '.[bench]' "
            "in a clone, or pip install 'v2x[bench]'; without it: --competitor none"
        ) from None
    return run


def installed(name: str) -> bool:
    """Whether the peer can be run here."""
    from v2x.errors import ConfigError

    try:
        load(name)
    except ConfigError:
        return False
    return True


def versions(names: list[str]) -> dict[str, str]:
    """Versions of the distributions behind the named peers."""
    made = {}
    for name in names:
        for alternatives in PEERS[name].distributions:
            for distribution in alternatives:
                try:
                    made[distribution] = version(distribution)
                except PackageNotFoundError:
                    continue
                break
    return made
