"""Rate of turn from a course that goes round."""

import math

import numpy as np
import pytest

from v2x.lowalt.turns import MEMORY_S, sure_turn, turned

STEP = 50_000_000


def flown(velocity, seconds, sd=0.0, step=STEP):
    """Rate after flying velocity(t) for so long, with noise of a second's memory."""
    rng = np.random.default_rng(1)
    rate, before, before_ns = np.zeros(1), np.full((1, 2), np.nan), np.full(1, -1)
    keep = math.exp(-step / 1e9)
    error = np.zeros(2)
    for k in range(round(seconds * 1e9) // step):
        error = keep * error + rng.normal(0.0, sd * math.sqrt(1.0 - keep * keep), 2)
        now = np.array([velocity(k * step / 1e9)]) + error
        rate = turned(rate, before, before_ns, now, k * step)
        before, before_ns = now, np.full(1, k * step)
    return float(rate[0])


def circling(turn, speed=15.0):
    return lambda t: (speed * math.cos(turn * t), speed * math.sin(turn * t))


@pytest.mark.parametrize("turn", [0.1, -0.1, 0.4])
def test_a_steady_turn_is_known_after_some_seconds(turn):
    assert flown(circling(turn), 20.0) == pytest.approx(turn, rel=1e-3)
    after = flown(circling(turn), MEMORY_S + 0.05)
    assert after == pytest.approx(turn * (1.0 - math.exp(-1.0)), rel=0.05)


def test_straight_flight_with_noise_hardly_turns():
    rate = flown(lambda t: (15.0, 0.0), 30.0, sd=0.4)
    assert abs(sure_turn(np.array([rate]))[0]) < 0.02


def test_noise_is_drawn_to_0_and_a_turn_is_not():
    made = sure_turn(np.array([0.0, 0.005, -0.02, 0.2]))
    assert made == pytest.approx([0.0, 0.005 / 17.0, -0.01, 0.2], rel=0.02)


@pytest.mark.parametrize("v", [(1.0, 0.0), (math.nan, 0.0)])
def test_who_hardly_moves_does_not_turn(v):
    assert flown(lambda t: v if t > 1.0 else (15.0, t), 3.0) == 0.0


def test_after_a_gap_it_begins_anew():
    at = np.array([[15.0, 0.0]])
    assert turned(np.array([0.3]), at, np.array([0]), at[:, ::-1], 3_000_000_000)[0] == 0.0
