"""Flights about identity, far from the zones of others: who is dark, who is heard late, who lies.

The false claims are those of the bars: a constant offset of 100 m, a drift of 2 m/s, a ghost, one
identity in two places, a recorded flight sent again. `honest` is what they are told apart from.
"""

import numpy as np
from numpy.random import Generator

from replay.scenarios.flights.drawing import LIFE_S, beacon, bound, drone
from replay.scenarios.flights.incursions import Family
from replay.scenarios.flights.motion import STEP_S, Leg
from replay.scenarios.flights.truth import Beacon, Body, Flight
from v2x.columns import F8

OFFSET_M = 100.0
DRIFT = 2.0


def dark(rng: Generator, name: str) -> Flight:
    """Says nothing where receivers would have heard it."""
    return Flight(name, "dark", (drone(name, _way(rng)),))


def unheard(rng: Generator, name: str) -> Flight:
    """Says nothing where no receiver reaches: its cell has none."""
    return Flight(name, "unheard", (drone(name, _way(rng)),))


def late(rng: Generator, name: str) -> Flight:
    """Says nothing for 25 to 50 s, and then who it is."""
    sender = beacon(rng, from_s=rng.uniform(25.0, 50.0))
    return Flight(name, "late", (drone(name, _way(rng), sender),))


def honest(rng: Generator, name: str) -> Flight:
    """Says where it is, within the noise of its GNSS."""
    return Flight(name, "honest", (drone(name, _way(rng), beacon(rng)),))


def offset(rng: Generator, name: str) -> Flight:
    """Is 100 m from where it says, from the first word on."""
    angle = rng.uniform(0.0, 2.0 * np.pi)
    shift = OFFSET_M * np.array([np.sin(angle), np.cos(angle), 0.0])
    sender = beacon(rng, shift=shift)
    return Flight(name, "offset", (drone(name, _way(rng), sender),), since_s=0.0)


def drift(rng: Generator, name: str) -> Flight:
    """Honest for 25 to 40 s, then its claim goes away from it at 2 m/s."""
    since, angle = rng.uniform(25.0, 40.0), rng.uniform(0.0, 2.0 * np.pi)
    path = _way(rng)
    away = DRIFT * np.maximum(np.arange(len(path)) * STEP_S - since, 0.0)
    shift = away[:, None] * np.array([np.sin(angle), np.cos(angle), 0.0])
    return Flight(name, "drift", (drone(name, path, beacon(rng, shift=shift)),), since_s=since)


def ghost(rng: Generator, name: str) -> Flight:
    """A transmitter claims a flight that is not there."""
    body = Body(name, "uas", _way(rng), beacon(rng), real=False)
    return Flight(name, "ghost", (body,), since_s=0.0)


def duplicate(rng: Generator, name: str) -> Flight:
    """Two drones some kilometres apart carry one identity; the second comes later."""
    sender = beacon(rng)
    since = rng.uniform(20.0, 40.0)
    again = Beacon(sender.product_id, sender.mark, from_s=since, wire=sender.wire)
    apart = np.array([1200.0, 0.0, 0.0])
    first, second = _way(rng, 0.4) - apart, _way(rng, 0.4) + apart
    return Flight(
        name, "duplicate", (drone(name, first, sender), drone(f"{name}.2", second, again)),
        since_s=since,
    )  # fmt: skip


def replayed(rng: Generator, name: str) -> Flight:
    """A recorded flight is sent again, as it was, 10 minutes later: nothing is there."""
    body = Body(name, "uas", _way(rng), beacon(rng, age_s=600.0), real=False)
    return Flight(name, "replayed", (body,), since_s=0.0)


FAMILIES: dict[str, Family] = {
    "dark": dark, "unheard": unheard, "late": late, "honest": honest, "offset": offset,
    "drift": drift, "ghost": ghost, "duplicate": duplicate, "replayed": replayed,
}  # fmt: skip
SPOOFS = ("offset", "drift", "ghost", "duplicate", "replayed")


def _way(rng: Generator, size: float = 1.0) -> F8:
    """A flight of several legs within the cell, 50 to 110 m above ground."""
    speed = rng.uniform(6.0, 18.0) * size
    legs: list[Leg] = []
    while sum(leg.seconds for leg in legs) < LIFE_S:
        legs.append(Leg(rng.uniform(12.0, 30.0), speed, rng.choice([0.0, rng.uniform(-4.0, 4.0)])))
    path = bound(rng, legs, rng.uniform(50.0, 110.0), 50.0, (0.0, 0.0))
    return path[: round(LIFE_S / STEP_S) + 1]
