"""Flights that enter a zone: each is inside for seconds and deeper than its sensors are unsure.

A family draws flights until truth says that the body is `DEEP_M` inside for `STAY_S` and begins
`START_M` outside: shallower or shorter stays are within the noise of a radar plot, and a test of
luck. What a sensor must have seen is not part of the draw.
"""

from collections.abc import Callable

import numpy as np
from numpy.random import Generator

from replay.scenarios.flights.drawing import (
    LIFE_S,
    beacon,
    bound,
    core,
    drone,
    someone,
    zone,
)
from replay.scenarios.flights.motion import STEP_S, Leg
from replay.scenarios.flights.truth import Beacon, Flight, Volume
from v2x.columns import F8

DEEP_M = 25.0
STAY_S = 4.0
START_M = 60.0
TRIES = 200

Family = Callable[[Generator, str], Flight]


def straight(rng: Generator, name: str) -> Flight:
    """Straight at constant speed and height, from anywhere to anywhere in the zone."""

    def draw(volume: Volume) -> F8:
        legs = [Leg(LIFE_S, rng.uniform(8.0, 25.0))]
        return bound(rng, legs, _height(rng), rng.uniform(50.0, 70.0), core(rng, volume))

    return _incursion(rng, name, "straight", draw)


def curving(rng: Generator, name: str) -> Flight:
    """Turns of 1 to 5 deg/s, one way or changing sides, all the way in."""

    def draw(volume: Volume) -> F8:
        speed, side = rng.uniform(8.0, 22.0), rng.choice([-1.0, 1.0])
        legs = [Leg(rng.uniform(25.0, 40.0), speed)]
        while sum(leg.seconds for leg in legs) < LIFE_S:
            legs.append(Leg(rng.uniform(10.0, 25.0), speed, side * rng.uniform(1.0, 5.0)))
            side = side if rng.random() < 0.6 else -side
        return bound(rng, legs, _height(rng), rng.uniform(50.0, 70.0), core(rng, volume))

    return _incursion(rng, name, "curving", draw)


def hovering(rng: Generator, name: str) -> Flight:
    """Comes near, hovers outside for 15 to 30 s, goes in slowly and hovers inside."""

    def draw(volume: Volume) -> F8:
        fast, slow = rng.uniform(8.0, 18.0), rng.uniform(5.0, 10.0)
        legs = [
            Leg(20.0, fast), Leg(rng.uniform(15.0, 30.0), 0.0),
            Leg(rng.uniform(25.0, 40.0), slow), Leg(LIFE_S, 0.0),
        ]  # fmt: skip
        at_s = sum(leg.seconds for leg in legs[:3])
        return bound(rng, legs, _height(rng), at_s + 5.0, core(rng, volume))

    return _incursion(rng, name, "hovering", draw, first_s=35.0)


def climbing(rng: Generator, name: str) -> Flight:
    """Into the band from below, or from above, while moving over or towards the footprint."""
    floor = float(np.round(rng.uniform(70.0, 130.0)))
    ceiling = floor + float(np.round(rng.uniform(120.0, 180.0)))
    below = rng.random() < 0.6

    def draw(volume: Volume) -> F8:
        speed, climb = rng.uniform(1.0, 10.0), rng.uniform(1.5, 5.0)
        lead = rng.uniform(20.0, 40.0)
        middle = 0.5 * (floor + ceiling)
        start = floor - rng.uniform(30.0, 45.0) if below else ceiling + rng.uniform(30.0, 60.0)
        level = abs(middle - start) / climb
        legs = [
            Leg(lead, speed), Leg(level, speed, 0.0, climb if below else -climb),
            Leg(LIFE_S, 0.5 * speed),
        ]  # fmt: skip
        return bound(rng, legs, start, lead + level, core(rng, volume))

    return _incursion(rng, name, "climbing", draw, band=(floor, ceiling), start_m=15.0)


def terrain(rng: Generator, name: str) -> Flight:
    """Holds a low height above ground, as over hills, up and down by a few metres on its way."""

    def draw(volume: Volume) -> F8:
        legs = [Leg(LIFE_S, rng.uniform(8.0, 20.0), rng.uniform(-0.5, 0.5))]
        made = bound(rng, legs, rng.uniform(35.0, 60.0), rng.uniform(50.0, 70.0), core(rng, volume))
        t = np.arange(len(made)) * STEP_S
        made[:, 2] += rng.uniform(2.0, 6.0) * np.sin(t / rng.uniform(4.0, 9.0) + rng.uniform(0, 6))
        return made

    return _incursion(rng, name, "terrain", draw)


def stop_and_go(rng: Generator, name: str) -> Flight:
    """Dashes of 4 to 9 s with stops of 3 to 7 s between, each with a new heading."""

    def draw(volume: Volume) -> F8:
        legs: list[Leg] = []
        while sum(leg.seconds for leg in legs) < LIFE_S:
            speed = rng.uniform(8.0, 18.0)
            legs += [
                Leg(rng.uniform(5.0, 10.0), speed), Leg(rng.uniform(4.0, 6.0), 0.0),
                Leg(1.0, 0.5, rng.uniform(-50.0, 50.0)),
            ]  # fmt: skip
        return bound(rng, legs, _height(rng), rng.uniform(60.0, 75.0), core(rng, volume))

    return _incursion(rng, name, "stop_and_go", draw)


def dark(rng: Generator, name: str) -> Flight:
    """Says nothing, flies fast and turns little."""

    def draw(volume: Volume) -> F8:
        legs = [Leg(LIFE_S, rng.uniform(10.0, 28.0), rng.uniform(-1.0, 1.0))]
        return bound(rng, legs, _height(rng), rng.uniform(50.0, 70.0), core(rng, volume))

    return _incursion(rng, name, "dark", draw, who=(None, True))


def spoofed(rng: Generator, name: str) -> Flight:
    """Claims to be 150 to 400 m from where it is, outside the zone while it is within."""
    far = rng.uniform(150.0, 400.0)
    angle = rng.uniform(0.0, 2.0 * np.pi)
    shift = far * np.array([np.sin(angle), np.cos(angle), 0.0])

    def draw(volume: Volume) -> F8:
        legs = [Leg(LIFE_S, rng.uniform(8.0, 22.0), rng.uniform(-0.5, 0.5))]
        return bound(rng, legs, _height(rng), rng.uniform(50.0, 70.0), core(rng, volume))

    return _incursion(rng, name, "spoofed", draw, who=(beacon(rng, shift=shift), True))


def late(rng: Generator, name: str) -> Flight:
    """Begins to say who it is only 40 to 80 s into its flight."""

    def draw(volume: Volume) -> F8:
        legs = [Leg(LIFE_S, rng.uniform(8.0, 20.0), rng.uniform(-0.5, 0.5))]
        return bound(rng, legs, _height(rng), rng.uniform(50.0, 70.0), core(rng, volume))

    sender = beacon(rng, from_s=rng.uniform(40.0, 80.0))
    return _incursion(rng, name, "late", draw, who=(sender, True))


def lost(rng: Generator, name: str) -> Flight:
    """No radar sees it for 5 to 15 s on its way in; 1 in 3 is never seen again once inside."""

    def draw(volume: Volume) -> F8:
        legs = [Leg(LIFE_S, rng.uniform(8.0, 18.0), rng.uniform(-0.5, 0.5))]
        return bound(rng, legs, _height(rng), rng.uniform(50.0, 70.0), core(rng, volume))

    gap, ahead, gone = rng.uniform(5.0, 15.0), rng.uniform(0.0, 12.0), rng.random() < 1 / 3

    def hide(enter_s: float) -> tuple[tuple[float, float], ...]:
        begin = enter_s - ahead
        made = ((begin, begin + gap),)
        return (*made, (begin + gap + 8.0, LIFE_S)) if gone else made

    return _incursion(rng, name, "lost", draw, who=(None, True), hide=hide)


FAMILIES: dict[str, Family] = {
    "straight": straight, "curving": curving, "hovering": hovering, "climbing": climbing,
    "terrain": terrain, "stop_and_go": stop_and_go, "dark": dark, "spoofed": spoofed,
    "late": late, "lost": lost,
}  # fmt: skip


def _height(rng: Generator) -> float:
    return float(rng.uniform(40.0, 110.0))


def _incursion(
    rng: Generator,
    name: str,
    family: str,
    draw: Callable[[Volume], F8],
    *,
    band: tuple[float | None, float | None] = (None, 300.0),
    who: tuple[Beacon | None, bool] | None = None,
    hide: Callable[[float], tuple[tuple[float, float], ...]] | None = None,
    start_m: float = START_M,
    first_s: float = 10.0,
) -> Flight:
    """Draw zones and ways until the one leads into the other."""
    sender, registered = who or someone(rng)
    for _ in range(TRIES):
        volume = zone(rng, f"Z-{name}", band=band)
        path = draw(volume)
        path = path[: round(LIFE_S / STEP_S) + 1]
        depth = volume.depth(path)
        stay = np.flatnonzero(depth >= 0.0)
        if not len(stay) or depth.max() < DEEP_M or len(stay) * STEP_S < STAY_S:
            continue
        if depth[0] > -start_m or path[:, 2].min() < 30.0 or np.abs(path[:, :2]).max() > 2000.0:
            continue
        enter = float(stay[0]) * STEP_S
        if enter < first_s:
            continue
        hidden = () if hide is None else hide(enter)
        return Flight(
            name, family, (drone(name, path, sender, hidden=hidden),), volume,
            registered=registered,
        )  # fmt: skip
    raise RuntimeError(f"{name}: no {family} flight in {TRIES} draws")
