"""Motion modes: how things on the road and in the air may move, and the transition of each.

Every mode is linear: nearly constant velocity under white acceleration noise (Bar-Shalom, Li,
Kirubarajan 2001, 6.2.2), in a turn of a given rate (same, 11.7), or with a velocity that decays.
Whoever leaves a mode goes to each of them by its share, so the chance to change within dt is one
diagonal and one vector: ``T = e^(-rate dt) I + (1 - e^(-rate dt)) 1 share'``, exact for any dt.
"""

import math
from dataclasses import dataclass

import numpy as np

from v2x.columns import F8
from v2x.fusion.motion import exp_neg
from v2x.jit import kernel


@dataclass(frozen=True, slots=True)
class Mode:
    """One way to move.

    Attributes
    ----------
    turn_deg_s
        Rate of turn, to the left.
    psd, psd_up
        White acceleration noise, horizontal and vertical, m²/s³.
    halt_s
        Time constant in which the velocity decays; 0: it does not.
    share
        Part of those who change mode that come here; also the probability at the start.
    """

    turn_deg_s: float
    psd: float
    psd_up: float
    halt_s: float
    share: float


@dataclass(frozen=True, slots=True)
class Manner:
    """Modes of one group of kinds, and how often they change, per s."""

    rate: float
    modes: tuple[Mode, ...]


VEHICLE, WALKER, ROTOR, PLANE = range(4)
"""Rows of `MANNERS`: what drives or is unknown, on foot or bicycle, multirotors and birds,
aircraft."""

MANNERS = (
    Manner(
        0.2,
        (
            Mode(0.0, 0.05, 0.05, 0.0, 8.0),
            Mode(8.0, 0.1, 0.1, 0.0, 2.0),
            Mode(-8.0, 0.1, 0.1, 0.0, 2.0),
            Mode(17.0, 0.1, 0.1, 0.0, 2.0),
            Mode(-17.0, 0.1, 0.1, 0.0, 2.0),
            Mode(0.0, 4.0, 1.0, 0.0, 1.0),
            Mode(0.0, 15.0, 10.0, 0.0, 1.0),
            Mode(0.0, 0.05, 0.05, 0.5, 1.0),
        ),
    ),
    Manner(
        0.2,
        (
            Mode(0.0, 0.1, 0.05, 0.0, 0.25),
            Mode(0.0, 0.5, 0.05, 0.0, 0.25),
            Mode(0.0, 1.0, 0.1, 0.0, 0.1),
            Mode(30.0, 0.3, 0.05, 0.0, 0.05),
            Mode(-30.0, 0.3, 0.05, 0.0, 0.05),
            Mode(0.0, 4.0, 0.2, 0.0, 0.1),
            Mode(0.0, 15.0, 1.0, 0.0, 0.05),
            Mode(0.0, 0.05, 0.02, 0.5, 0.15),
        ),
    ),
    Manner(
        0.2,
        (
            Mode(0.0, 0.3, 0.1, 0.0, 0.3),
            Mode(10.0, 0.3, 0.1, 0.0, 0.1),
            Mode(-10.0, 0.3, 0.1, 0.0, 0.1),
            Mode(25.0, 0.5, 0.2, 0.0, 0.1),
            Mode(-25.0, 0.5, 0.2, 0.0, 0.1),
            Mode(0.0, 0.5, 5.0, 0.0, 0.1),
            Mode(0.0, 30.0, 10.0, 0.0, 0.1),
            Mode(0.0, 0.1, 0.1, 0.5, 0.1),
        ),
    ),
    Manner(
        0.15,
        (
            Mode(0.0, 0.5, 0.5, 0.0, 0.5),
            Mode(1.5, 0.5, 0.5, 0.0, 0.08),
            Mode(-1.5, 0.5, 0.5, 0.0, 0.08),
            Mode(3.0, 0.5, 0.5, 0.0, 0.08),
            Mode(-3.0, 0.5, 0.5, 0.0, 0.08),
            Mode(0.0, 4.0, 4.0, 0.0, 0.08),
            Mode(0.0, 15.0, 10.0, 0.0, 0.06),
            Mode(0.0, 0.1, 0.1, 0.5, 0.04),
        ),
    ),
)


def table(manners: tuple[Manner, ...]) -> F8:
    """Numbers of all groups, (groups, 6, lanes): turn rad/s, psd, psd_up, 1/halt, share, rate."""
    made = np.zeros((len(manners), 6, len(manners[0].modes)))
    for k, manner in enumerate(manners):
        whole = sum(mode.share for mode in manner.modes)
        for m, mode in enumerate(manner.modes):
            halt = 1.0 / mode.halt_s if mode.halt_s > 0.0 else 0.0
            turn = math.radians(mode.turn_deg_s)
            made[k, :, m] = (turn, mode.psd, mode.psd_up, halt, mode.share / whole, manner.rate)
    return made


def blank_moves(manners: F8) -> F8:
    """Room for the transitions of every group; no time step is prepared."""
    groups, _, lanes = manners.shape
    made = np.zeros((groups, 13 * lanes + 2))
    made[:, -1] = -1.0
    return made


@kernel
def sine(angle: float) -> tuple[float, float]:
    """``sin`` and ``1 - cos`` of an angle in rad, the same bits wherever IEEE arithmetic is.

    Series of a 256th of the angle, doubled eight times; exact to 1e-12 up to 30 rad.
    """
    x = angle * 0.00390625
    q = x * x
    s = x * (1.0 - q / 6.0 * (1.0 - q / 20.0 * (1.0 - q / 42.0 * (1.0 - q / 72.0))))
    v = 0.5 * q * (1.0 - q / 12.0 * (1.0 - q / 30.0 * (1.0 - q / 56.0 * (1.0 - q / 90.0))))
    for _ in range(8):
        s, v = 2.0 * s * (1.0 - v), 2.0 * s * s
    return s, v


@kernel
def prepare(manners: F8, k: int, dt: float, move: F8, lanes: tuple[int, ...]) -> None:
    """Transitions of group `k` over `dt` s into row `k` of `move`.

    Per lane: position += a v + b Jv and velocity = c v + d Jv with J a quarter turn to the left;
    q1, q2, q3 the noise of velocity, of both, of position; the same for up with g and f; share of
    all that comes in by changing mode. Behind them the part that stays, and dt.
    """
    L = len(lanes)
    stay = exp_neg(-manners[k, 5, 0] * dt) if L > 1 else 1.0
    for m in range(L):
        turn, psd, up, halt = manners[k, 0, m], manners[k, 1, m], manners[k, 2, m], manners[k, 3, m]
        a = g = dt
        c = f = 1.0
        b = d = 0.0
        if halt > 0.0:
            c = f = exp_neg(-halt * dt)
            a = g = (1.0 - c) / halt
        elif turn != 0.0:
            d, v = sine(turn * dt)
            a, b, c = d / turn, v / turn, 1.0 - v
        move[k, m], move[k, L + m], move[k, 2 * L + m], move[k, 3 * L + m] = a, b, c, d
        q1, q2, q3 = dt, 0.5 * dt * dt, dt * dt * dt / 3.0
        move[k, 4 * L + m], move[k, 5 * L + m], move[k, 6 * L + m] = psd * q1, psd * q2, psd * q3
        move[k, 7 * L + m], move[k, 8 * L + m] = g, f
        move[k, 9 * L + m], move[k, 10 * L + m], move[k, 11 * L + m] = up * q1, up * q2, up * q3
        move[k, 12 * L + m] = (1.0 - stay) * manners[k, 4, m]
    move[k, 13 * L], move[k, 13 * L + 1] = stay, dt
