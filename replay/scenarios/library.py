"""All scenarios by name; docs/scenarios.md says what is in each and in which order it is drawn."""

from collections.abc import Callable

import numpy as np
from numpy.random import Generator

from replay.scenarios import fusion
from replay.scenarios.bearings import bearing
from replay.scenarios.faults import biased, duplicates, late_clock, late_rows, yawed
from replay.scenarios.film import empty, film
from replay.scenarios.flocks import PAIR_GRID, Pairs, Swarm
from replay.scenarios.limits import coverage, crowd, polar
from replay.scenarios.scenario import Scenario, radars
from replay.scenarios.sources import sources


def pairs(size: int, seed: int, rng: Generator, scans: int | None) -> Scenario:
    """Two by two, side by side or crossing, 0.5-5 m apart; the three sensors of `nominal`."""
    world = Pairs(size, rng)
    side = PAIR_GRID * np.ceil(np.sqrt((size + 1) // 2))
    box = np.array([[-100.0, side + 100.0]] * 2)
    return film(
        empty("pairs", size, seed, box, radars(box, 0.2 * size), 0.2 * size), world, rng, scans
    )


def swarm(size: int, seed: int, rng: Generator, scans: int | None) -> Scenario:
    """Drones in formation, 4 m apart; the published case has 200. Sensors as in `air3d`."""
    world = Swarm(size, rng)
    # the formation, the 100 m it flies and the 20 m it climbs or sinks
    half = np.abs(world.slot).max(0) + np.array([120.0, 120.0, 30.0])
    middle = world.middle
    box = np.stack((middle - half, middle + half), 1)
    return film(
        empty("swarm", size, seed, box, radars(box, 0.2 * size), 0.2 * size), world, rng, scans
    )


MAKERS: dict[str, Callable[[int, int, Generator, int | None], Scenario]] = {
    "bearing": bearing,
    "biased": biased,
    "coverage": coverage,
    "crowd": crowd,
    "duplicates": duplicates,
    "late_clock": late_clock,
    "late_rows": late_rows,
    "pairs": pairs,
    "polar": polar,
    "sources": sources,
    "swarm": swarm,
    "yawed": yawed,
}
"""Beside those of `replay.scenarios.fusion`."""
PUBLISHED_SIZE = {"bearing": 1, "lanes": 60, "swarm": 200}
"""Objects unless asked for otherwise; 100 where it is not said."""
NAMES = (*fusion.NAMES, *MAKERS)


def make(
    name: str, size: int | None = None, seed: int = 0, stream: int = 0, scans: int | None = None
) -> Scenario:
    """Draw one scenario; all 10 s, or its first `scans` scans.

    Raises
    ------
    ValueError
        For a name not in `NAMES`.
    """
    if name not in NAMES:
        raise ValueError(f"no scenario {name!r}; there are {', '.join(NAMES)}")
    n = size or PUBLISHED_SIZE.get(name, 100)
    if name in fusion.NAMES:
        return fusion.make(name, n, seed, stream, fusion.SCANS if scans is None else scans)
    rng = np.random.default_rng([seed, stream] if stream else seed)
    return MAKERS[name](n, seed, rng, scans)
