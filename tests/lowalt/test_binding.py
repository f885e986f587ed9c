import itertools

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from tests.lowalt.scenes import SECOND, T0
from v2x.lowalt.binding import (
    DELAYS_S,
    FADE,
    FLOOR_M,
    MISS,
    SPARSE,
    Binding,
    Paths,
    Said,
    at_time,
    compare,
    contested,
    newest,
    over_delays,
)
from v2x.observations import Observations

SEC = np.arange(11)
NAN = float("nan")


def paths(t_ns: int, *movers, sd=3.0) -> Paths:
    """Tracks as radar sees them: each mover gives (east, north, hae) at a time in s."""
    t_s = (t_ns - T0) / SECOND
    past = np.array([[move(t_s - k) for k in SEC] for move in movers])
    n = len(movers)
    return Paths(
        id=np.arange(1, n + 1), past=past, past_ns=t_ns - SECOND * SEC,
        cov=np.broadcast_to(sd * sd * np.eye(2), (n, 2, 2)), sd_up=np.full(n, 5.0),
        vel=past[:, 0] - past[:, 1], vel_var=np.ones(n),
    )  # fmt: skip


def said(t_ns: int, *claims, sd=5.0, vel=None) -> Said:
    """Claims (ident, east, north, hae) at a time."""
    n = len(claims)
    return Said.blank(
        n, ident=[c[0] for c in claims], t_ns=t_ns, flat=[c[1:3] for c in claims],
        height=[c[3] for c in claims], cov=sd * sd * np.eye(2), var_up=100.0,
        vel=NAN if vel is None else vel,
    )  # fmt: skip


def straight(east=0.0, north=0.0, v_east=0.0, v_north=0.0, hae=60.0):
    return lambda t: (east + v_east * t, north + v_north * t, hae)


def turning(speed=20.0, rate=0.15):
    radius = speed / rate
    return lambda t: (radius * np.sin(rate * t), radius * (1.0 - np.cos(rate * t)), 60.0)


def bound(movers, claim, *, seconds=12, rng=None, noise=0.0) -> list[list[int]]:
    """Identity of each track second by second; claim(t) gives all claims of that second."""
    binding, made = Binding(), []
    for k in range(1, seconds + 1):
        t_ns = T0 + k * SECOND
        claims = claim(float(k))
        if rng is not None:
            claims = [
                (
                    c[0],
                    c[1] + noise * rng.standard_normal(),
                    c[2] + noise * rng.standard_normal(),
                    c[3],
                )
                for c in claims
            ]
        binding.hear(t_ns, said(t_ns, *claims), paths(t_ns, *movers))
        made.append(binding.of_tracks(np.arange(1, len(movers) + 1)).tolist())
    return made


def of(mover, ident=7, delay=0.0, east=0.0):
    def claim(t):
        e, n, h = mover(t - delay)
        return [(ident, e + east, n, h)]

    return claim


def test_claim_that_moves_with_a_track_is_bound_to_it_within_three_seconds():
    mover = straight(v_east=15.0)
    made = bound([mover, straight(north=200.0)], of(mover))
    assert made[2] == [7, -1]
    assert made[-1] == [7, -1]


def test_one_comparison_binds_nothing_however_well_it_fits():
    mover = straight(v_east=15.0)
    assert bound([mover], of(mover), seconds=2) == [[-1], [7]]


@pytest.mark.parametrize("delay", [0.0, 0.7, 1.0, 2.0])
@pytest.mark.parametrize("mover", [straight(v_east=20.0), turning()])
def test_claim_that_is_late_is_bound_all_the_same(mover, delay):
    assert bound([mover], of(mover, delay=delay))[3:] == [[7]] * 9


@pytest.mark.parametrize("offset", [100.0, -100.0, 60.0])
@pytest.mark.parametrize("mover", [straight(v_east=20.0), straight(), turning()])
def test_claim_that_is_100_m_off_is_bound_to_nobody(mover, offset):
    def claim(t):
        e, n, h = mover(t)
        return [(7, e, n + offset, h)]

    assert bound([mover], claim, seconds=30) == [[-1]] * 30


def test_claim_is_not_that_of_the_nearest_track_but_of_the_one_that_moves_with_it():
    # The stranger crosses right over the claimant; at the crossing both are equally near.
    own, stranger = straight(v_east=15.0, east=-90.0), straight(v_east=-15.0, east=90.0, north=4.0)
    made = bound([own, stranger], of(own), seconds=15)
    assert made[3:] == [[7, -1]] * 12


def test_bound_claim_that_drifts_away_is_let_go():
    mover = straight(v_east=10.0)

    def claim(t):
        e, n, h = mover(t)
        return [(7, e, n + max(0.0, t - 5.0) * 6.0, h)]

    made = bound([mover], claim, seconds=30)
    assert made[5] == [7]
    assert made[-1] == [-1]


def test_swarm_is_solved_together_each_identity_once():
    rng = np.random.default_rng(3)
    movers = [straight(10.0 * (k % 6), 10.0 * (k // 6), 4.0, 1.0) for k in range(36)]

    def claim(t):
        return [(100 + k, *movers[k](t)) for k in range(36)]

    made = bound(movers, claim, seconds=20, rng=rng, noise=2.0)
    assert sorted(made[-1]) == [100 + k for k in range(36)]
    right = sum(ident == 100 + k for k, ident in enumerate(made[-1]))
    assert right >= 34


def test_stranger_inside_a_swarm_stays_without_identity():
    rng = np.random.default_rng(4)
    movers = [straight(20.0 * (k % 6), 20.0 * (k // 6), 4.0, 1.0) for k in range(35)]
    movers.append(straight(50.0, 50.0, 4.0, 1.0))

    def claim(t):
        return [(100 + k, *movers[k](t)) for k in range(35)]

    made = bound(movers, claim, seconds=20, rng=rng, noise=2.0)
    assert made[-1] == [100 + k for k in range(35)] + [-1]


def test_two_identities_that_claim_one_track_bind_one_of_them():
    mover = straight(v_east=15.0)

    def claim(t):
        e, n, h = mover(t)
        return [(7, e, n, h), (8, e + 12.0, n, h)]

    assert bound([mover], claim)[-1] == [7]


def test_track_that_is_gone_yields_its_identity_to_the_one_that_took_its_place():
    mover, binding = straight(v_east=15.0), Binding()
    for k in range(1, 20):
        t_ns = T0 + k * SECOND
        p = paths(t_ns, mover)
        if k > 10:  # the radar lost it, and founded another track of the same drone
            p = p._replace(id=np.array([9]))
        binding.hear(t_ns, said(t_ns, (7, *mover(float(k)))), p)
        if k == 10:
            assert binding.of_idents(np.array([7, 8])).tolist() == [1, -1]
        if k == 13:
            assert binding.of_idents(np.array([7])).tolist() == [9]
    assert binding.of_tracks(np.array([1, 9])).tolist() == [-1, 7]


def test_claims_that_come_faster_than_twice_a_second_count_once():
    mover = straight()
    often, once = Binding(), Binding()
    for k in range(1, 6):
        t_ns = T0 + k * SECOND
        for ms in (0, 100, 200, 300):
            when = t_ns + ms * 1_000_000
            often.hear(when, said(when, (7, *mover(0.0))), paths(when, mover))
        once.hear(t_ns, said(t_ns, (7, *mover(0.0))), paths(t_ns, mover))
    asked = np.array([7]), np.array([1])
    assert often.support(*asked)[0].tolist() == once.support(*asked)[0].tolist()
    assert often.support(*asked)[1].tolist() == [5]


def test_unknown_pair_has_no_support():
    llr, seen = Binding().support(np.array([7]), np.array([1]))
    assert np.isnan(llr).all()
    assert seen.tolist() == [0]


def test_wrong_height_datum_does_not_break_a_binding():
    mover = straight(v_east=15.0)

    def claim(t):
        e, n, h = mover(t)
        return [(7, e, n, h + 80.0)]

    assert bound([mover], claim)[-1] == [7]


def test_one_comparison_is_what_the_densities_say():
    t_ns = T0 + 10 * SECOND
    p = paths(t_ns, straight(v_east=10.0), straight(east=40.0))
    s = said(t_ns, (7, 103.0, 4.0, 66.0), vel=[9.0, 1.0, 0.0])
    claim, row = np.array([0, 0]), np.array([0, 1])
    made = compare(s, p, claim, row)
    density = max(2.0 / (np.pi * 500.0**2), SPARSE)
    for k, (d, delay) in itertools.product(range(2), enumerate(DELAYS_S)):
        was = [(100.0 - 10.0 * delay, 0.0), (40.0, 0.0)][k]
        cov = (9.0 + 25.0 + FLOOR_M**2) * np.eye(2)
        gain = multivariate_normal(was, cov).logpdf([103.0, 4.0]) - np.log(density)
        vel = [(10.0, 0.0), (0.0, 0.0)][k]
        gain += multivariate_normal(vel, 6.0 * np.eye(2)).logpdf([9.0, 1.0]) + 2 * np.log(60.0)
        gain += multivariate_normal(60.0, 25.0 + 100.0 + 100.0).logpdf(66.0) + np.log(300.0)
        assert made[k, d] == pytest.approx(max(gain, MISS))


def test_past_is_straight_between_known_places_and_goes_on_beyond_them():
    p = paths(T0, lambda t: (t * t, 0.0, 0.0))
    asked = np.array([T0, T0 - SECOND // 2, T0 - 3 * SECOND, T0 - 12 * SECOND, T0 + SECOND])
    made = at_time(p, np.zeros(5, np.int64), asked)[:, 0]
    assert made.tolist() == pytest.approx([0.0, 0.5, 9.0, 100.0 + 2 * 19.0, -1.0])


def test_delays_are_averaged_over():
    llr = np.array([[0.0, 2.0, -5.0, -8.0, 1.0], [-800.0] * 5])
    assert over_delays(llr) == pytest.approx([np.log(np.exp(llr[0]).mean()), -800.0])


def test_newest_claim_of_each_identity_is_taken_and_no_clock_runs_ahead():
    rows = Observations.blank(
        4, t_ns=[T0, T0 + 5, T0 + 90, T0 + 1], ident=[7, 7, 8, -1], sensor=[0, 1, 0, 0],
        height=[1.0, 2.0, 3.0, 4.0], cov=[4.0, 1.0, 0.0, 9.0, 0.0, 25.0],
    )  # fmt: skip
    flat = np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]])
    made = newest(rows, np.array([0, 1, 2]), flat, T0 + 10)
    assert made.ident.tolist() == [7, 8]
    assert made.t_ns.tolist() == [T0 + 5, T0 + 10]
    assert made.flat.tolist() == [[1.0, 1.0], [2.0, 2.0]]
    assert made.cov[0].tolist() == [[4.0, 1.0], [1.0, 9.0]]


def test_flood_of_identities_is_bounded_and_keeps_what_is_bound():
    mover, binding = straight(), Binding()
    for k in range(1, 6):
        t_ns = T0 + k * SECOND
        claims = [(7, *mover(0.0)), *((1000 * k + j, 50.0, 0.0, 60.0) for j in range(3000))]
        binding.hear(t_ns, said(t_ns, *claims), paths(t_ns, mover))
    binding.hear(T0 + 6 * SECOND, said(T0 + 6 * SECOND, (7, *mover(0.0))), paths(T0, mover))
    assert binding.of_tracks(np.array([1])).tolist() == [7]
    assert len(binding.state()["pairs"]["ident"]) <= 8192 + 1


def test_pairs_fade_and_are_forgotten():
    binding = Binding()
    binding.hear(T0, said(T0, (7, 0.0, 0.0, 60.0)), paths(T0, straight()))
    first = binding.support(np.array([7]), np.array([1]))[0][0]
    t_ns = T0 + SECOND
    binding.hear(t_ns, said(t_ns, (7, 0.0, 0.0, 60.0)), paths(t_ns, straight()))
    assert binding.support(np.array([7]), np.array([1]))[0][0] == pytest.approx(first * (1 + FADE))
    t_ns = T0 + 40 * SECOND
    binding.hear(t_ns, said(t_ns, (9, 0.0, 0.0, 60.0)), paths(t_ns, straight()))
    assert binding.support(np.array([7]), np.array([1]))[1].tolist() == [0]


def test_bindings_survive_a_restart():
    one, mover = Binding(), straight(v_east=10.0)
    again = Binding()
    for k in range(1, 12):
        t_ns = T0 + k * SECOND
        if k == 5:
            again.restore(one.state())
        for binding in (one, again) if k >= 5 else (one,):
            binding.hear(t_ns, said(t_ns, (7, *mover(float(k)))), paths(t_ns, mover))
    assert repr(one.state()) == repr(again.state())


def test_identity_that_stands_twice_is_contested():
    made = contested(np.array([5, -1, 5, 6, -1]))
    assert made.tolist() == [True, False, True, False, False]
