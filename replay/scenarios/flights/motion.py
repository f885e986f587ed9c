"""How drones, birds and aircraft move: legs of speed, turn and climb, smoothed to what one can fly.

A path is sampled every `STEP_S`. It is first flown from the origin to the north and then laid over
the place where it shall be at a chosen time, so that a family says "in the zone at 50 s" and not
where to start.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, radians, sin

import numpy as np

from v2x.columns import F8

STEP_S = 0.1
ACCELERATION = 3.0
"""m/s², a multicopter's usual limit for flight along a route; ours."""
CLIMB_ACCELERATION = 2.0
TURN_ACCELERATION = 8.0
"""deg/s²: how fast the rate of turn changes."""


@dataclass(frozen=True)
class Leg:
    """`seconds` towards these values: ground speed m/s, turn deg/s clockwise, climb m/s."""

    seconds: float
    speed: float
    turn: float = 0.0
    climb: float = 0.0


def flown(legs: Sequence[Leg], height_m: float) -> F8:
    """Places (n, 3): metres east, north and up of a flight that starts to the north at `height_m`.

    Speeds follow the legs within the limits above; the first leg's are there from the start.
    """
    steps = [max(1, round(leg.seconds / STEP_S)) for leg in legs]
    speed, turn, climb = (
        _slewed(np.repeat([getattr(leg, name) for leg in legs], steps), limit)
        for name, limit in (
            ("speed", ACCELERATION), ("turn", TURN_ACCELERATION), ("climb", CLIMB_ACCELERATION),
        )
    )  # fmt: skip
    heading = np.radians(np.cumsum(turn) * STEP_S)
    moves = np.stack((speed * np.sin(heading), speed * np.cos(heading), climb), 1) * STEP_S
    return np.cumsum(np.concatenate(([[0.0, 0.0, height_m]], moves)), 0)


def laid(path: F8, at_s: float, east_m: float, north_m: float, heading_deg: float) -> F8:
    """Turn and shift a path so that it is at (east, north) at `at_s`, moving along `heading_deg`.

    Where it stands then, its way over the whole path before decides the heading.
    """
    k = min(round(at_s / STEP_S), len(path) - 1)
    step = path[k] - path[max(k - 5, 0)]
    if np.hypot(step[0], step[1]) < 0.1:
        step = path[k] - path[0]
    turn = radians(heading_deg) - np.arctan2(step[0], step[1])
    c, s = cos(turn), sin(turn)
    made = path.copy()
    flat = path[:, :2] - path[k, :2]
    made[:, 0] = east_m + c * flat[:, 0] + s * flat[:, 1]
    made[:, 1] = north_m - s * flat[:, 0] + c * flat[:, 1]
    return made


def _slewed(wanted: F8, limit: float) -> F8:
    """Follow the values wanted, changing by at most `limit` a second."""
    made = np.empty(len(wanted))
    value, most = float(wanted[0]), limit * STEP_S
    for i, target in enumerate(wanted.tolist()):
        value += min(max(target - value, -most), most)
        made[i] = value
    return made
