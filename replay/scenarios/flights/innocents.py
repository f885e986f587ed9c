"""Flights that no red or orange alert may come of, though each looks a little like one that may."""

import numpy as np
import shapely
from numpy.random import Generator

from replay.scenarios.flights.drawing import (
    LIFE_S,
    approval,
    beacon,
    bound,
    core,
    drone,
    turned,
    zone,
)
from replay.scenarios.flights.incursions import Family
from replay.scenarios.flights.motion import STEP_S, Leg, flown, laid
from replay.scenarios.flights.truth import Body, Flight, Volume

SHOW = 24
"""Drones of a show; it counts as one flight."""


def authorised(rng: Generator, name: str) -> Flight:
    """Into a zone, as its approval says."""
    volume = zone(rng, f"Z-{name}")
    legs = [Leg(LIFE_S, rng.uniform(6.0, 18.0), rng.uniform(-2.0, 2.0))]
    path = bound(rng, legs, rng.uniform(40.0, 110.0), rng.uniform(40.0, 70.0), core(rng, volume))
    sender = beacon(rng)
    plan = approval(f"P-{name}", [sender], [path])
    return Flight(name, "authorised", (drone(name, path, sender),), volume, plan)


def corridor(rng: Generator, name: str) -> Flight:
    """A delivery along a corridor of three legs, approved 60 m to each side, through a zone."""
    volume = zone(rng, f"Z-{name}")
    speed, turns = rng.uniform(10.0, 18.0), rng.uniform(-9.0, 9.0, 2)
    legs = [Leg(35.0, speed)]
    for turn in turns.tolist():
        legs += [Leg(6.0, 0.6 * speed, turn), Leg(30.0, speed)]
    path = bound(rng, legs, rng.uniform(50.0, 100.0), rng.uniform(40.0, 70.0), core(rng, volume))
    sender = beacon(rng)
    plan = approval(f"P-{name}", [sender], [path], wide_m=60.0)
    return Flight(name, "corridor", (drone(name, path, sender),), volume, plan)


def airliner(rng: Generator, name: str) -> Flight:
    """Down a glide path of 3 degrees through a zone, with ADS-B."""
    volume = zone(rng, f"Z-{name}", band=(None, 600.0))
    speed = rng.uniform(65.0, 80.0)
    legs = [Leg(45.0, speed, 0.0, -speed * np.tan(np.radians(3.0)))]
    at_s = rng.uniform(15.0, 30.0)
    path = bound(rng, legs, 430.0 + rng.uniform(-60.0, 60.0), at_s, core(rng, volume))
    return Flight(name, "airliner", (Body(name, "aircraft", path, icao=_icao(rng)),), volume)


def helicopter(rng: Generator, name: str) -> Flight:
    """A helicopter with ADS-B that crosses a zone low, slows down in it and goes on."""
    volume = zone(rng, f"Z-{name}")
    speed = rng.uniform(25.0, 45.0)
    legs = [Leg(30.0, speed), Leg(rng.uniform(15.0, 30.0), rng.uniform(0.0, 8.0)), Leg(25.0, speed)]
    path = bound(rng, legs, rng.uniform(100.0, 250.0), 38.0, core(rng, volume))
    return Flight(name, "helicopter", (Body(name, "helicopter", path, icao=_icao(rng)),), volume)


def birds(rng: Generator, name: str) -> Flight:
    """A bird, or up to four together, that circle and drift through a zone."""
    volume = zone(rng, f"Z-{name}")
    legs: list[Leg] = []
    while sum(leg.seconds for leg in legs) < LIFE_S:
        legs.append(
            Leg(rng.uniform(4.0, 12.0), rng.uniform(6.0, 16.0), rng.uniform(-20.0, 20.0),
                rng.uniform(-0.8, 0.8))
        )  # fmt: skip
    path = bound(rng, legs, rng.uniform(60.0, 150.0), 50.0, core(rng, volume))
    path[:, 2] = np.maximum(path[:, 2], 20.0)
    flock = []
    for k in range(int(rng.integers(1, 5))):
        beside = np.append(rng.normal(0.0, 12.0, 2), rng.normal(0.0, 4.0)) * (k > 0)
        flock.append(Body(f"{name}.{k}" if k else name, "bird", path + beside, p_seen=0.7))
    return Flight(name, "birds", tuple(flock), volume)


def show(rng: Generator, name: str) -> Flight:
    """A light show: `SHOW` drones 12 m apart rise from the ground of a zone, in one approval."""
    volume = zone(rng, f"Z-{name}", radius_m=(220.0, 420.0))
    legs = [Leg(25.0, 0.0, 0.0, 3.0), Leg(25.0, 4.0), Leg(25.0, 4.0, 6.0), Leg(LIFE_S, 0.0)]
    middle = bound(rng, legs, 1.0, 40.0, core(rng, volume, 120.0))[: round(LIFE_S / STEP_S) + 1]
    senders = [beacon(rng) for _ in range(SHOW)]
    bodies = []
    for k, sender in enumerate(senders):
        place = np.array([(k % 6 - 2.5) * 12.0, (k // 6 - 1.5) * 12.0, 0.0])
        bodies.append(drone(f"{name}.{k}" if k else name, middle + place, sender))
    plan = approval(f"P-{name}", senders, [body.path for body in bodies])
    return Flight(name, "show", tuple(bodies), volume, plan)


def boundary(rng: Generator, name: str) -> Flight:
    """Up and down along a straight edge, 12 to 40 m outside, swaying by a few metres."""
    half = rng.uniform(250.0, 400.0)
    volume = Volume(
        f"Z-{name}", "prohibited", shapely.box(-half, -half, half, half), None, 300.0
    )  # fmt: skip
    aside, sway = rng.uniform(12.0, 40.0), rng.uniform(0.0, 4.0)
    t = np.arange(0.0, LIFE_S, STEP_S)
    reach, period = rng.uniform(0.4, 1.3) * half, rng.uniform(70.0, 110.0)
    east = half + aside + sway * np.sin(2.0 * np.pi * t / rng.uniform(8.0, 15.0))
    north = reach * np.sin(2.0 * np.pi * t / period + rng.uniform(0.0, 6.0))
    path = np.stack((east, north, np.full(len(t), rng.uniform(40.0, 100.0))), 1)
    turn = float(rng.choice([0.0, 90.0, 180.0, 270.0]))
    return Flight(name, "boundary", (drone(name, turned(path, turn), beacon(rng)),), volume)


def gnss_noise(rng: Generator, name: str) -> Flight:
    """Hovers or loiters 60 to 150 m outside, with a GNSS that wanders by 10 m."""
    volume = zone(rng, f"Z-{name}", kind="prohibited")
    away = float(np.abs(np.array(volume.shape.exterior.coords)).max()) + rng.uniform(60.0, 150.0)
    legs = [Leg(LIFE_S, rng.uniform(0.0, 5.0), rng.uniform(-12.0, -6.0))]
    path = laid(flown(legs, rng.uniform(40.0, 100.0)), 0.0, 0.0, 0.0, 90.0)
    path[:, :2] += (0.0, away - path[:, 1].min())
    path = turned(path, rng.uniform(0.0, 360.0))
    sender = beacon(rng, sd_m=4.0, wander_m=8.0)
    return Flight(name, "gnss_noise", (drone(name, path, sender),), volume)


def standing(rng: Generator, name: str) -> Flight:
    """On the ground beside a zone, transmitter on: no radar looks that low."""
    volume = zone(rng, f"Z-{name}", kind="prohibited")
    edge = volume.shape.buffer(rng.uniform(10.0, 60.0)).exterior
    spot = edge.interpolate(rng.uniform(0.0, 1.0), normalized=True)
    path = np.tile((spot.x, spot.y, 0.3), (round(LIFE_S / STEP_S) + 1, 1))
    sender = beacon(rng, standing=True)
    return Flight(name, "standing", (drone(name, path, sender, p_seen=0.0),), volume)


FAMILIES: dict[str, Family] = {
    "authorised": authorised, "corridor": corridor, "airliner": airliner,
    "helicopter": helicopter, "birds": birds, "show": show, "boundary": boundary,
    "gnss_noise": gnss_noise, "standing": standing,
}  # fmt: skip
MANNED = frozenset({"airliner", "helicopter"})
"""Families that fly apart from drones, for near an aircraft no drone is innocent."""


def _icao(rng: Generator) -> int:
    return 0x780000 + int(rng.integers(1, 0x7FFF))
