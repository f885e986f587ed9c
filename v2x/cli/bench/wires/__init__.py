"""Payloads for ``v2x bench decode``: one file per wire format, found by itself.

To add a format: a module here with ``WIRES``, a tuple of `Wire`. Its ``make`` gives payloads from a
seeded generator, by the encoders of `v2x.ingest`; its peer is the fastest library of the format
that can be installed under a free licence, else the plain Python twin of the tests.
"""

import pkgutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Make = Callable[[np.random.Generator, int], list[bytes]]

T_NS = 1_795_486_272_000_000_000
"""When payloads are sent: 2026-11-24T02:11:12Z."""
LAG_NS = 100_000_000
"""And how much later the first of them arrives."""


@dataclass(frozen=True)
class Peer:
    """Another decoder of the same payloads.

    Attributes
    ----------
    name
        As it is shown.
    distribution
        Package that it comes in, for its version; empty for a twin.
    load
        Gives the function that reads payloads and says how many objects (or frames) it found;
        raises ImportError or OSError where it cannot be run here.
    """

    name: str
    distribution: str
    load: Callable[[], Callable[[Sequence[bytes]], int]]


@dataclass(frozen=True)
class Wire:
    """One kind of payload.

    Attributes
    ----------
    name
        As it is asked for; begins with its format.
    format
        Wire format that reads it.
    make
        n payloads from a generator.
    unit
        What is counted, "frames" or "objects", per core-second.
    floor
        Least of them that will do (0: none is set).
    sensor
        Settings of the `Sensor` that they come from.
    step_ns
        Time from one arrival to the next.
    fresh
        A new decoder state for each poll: where the same poll again would be late.
    """

    name: str
    format: str
    make: "Make"
    unit: str = "frames"
    floor: float = 0.0
    peer: Peer | None = None
    sensor: dict[str, Any] = field(default_factory=dict)
    step_ns: int = 1_000_000
    fresh: bool = False


@cache
def wires() -> dict[str, Wire]:
    """All wires by name."""
    found: dict[str, Wire] = {}
    for module in pkgutil.iter_modules(__path__):
        for wire in import_module(f"{__name__}.{module.name}").WIRES:
            if wire.name in found:
                raise RuntimeError(f"two wires are named {wire.name!r}")
            found[wire.name] = wire
    return found


def of_clone(name: str) -> ModuleType:
    """Module of the tests, which only a clone has: ``naive_adsb`` of ``tests/ingest``.

    Raises
    ------
    ImportError
        This is no clone.
    """
    root = str(Path(__file__).resolve().parents[4])
    sys.path.insert(0, root)
    try:
        return import_module(f"tests.ingest.{name}")
    finally:
        sys.path.remove(root)


def clone_file(name: str) -> str:
    """Text of a file of ``tests/ingest``; raises OSError where this is no clone."""
    return (Path(__file__).resolve().parents[4] / "tests" / "ingest" / name).read_text("utf-8")
