import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from v2x.lowalt import spoofing
from v2x.lowalt.spoofing import (
    common_shift,
    height_law_broken,
    impossible_motion,
    malformed,
    position_llr,
    power_against_range,
    power_without_range,
    two_places,
    without_datum,
    without_delay,
)

SECOND = 1_000_000_000
NAN = float("nan")
K = 16
WHEN = (np.arange(K) * SECOND)[None, :]


def llr(offset, velocity=(0.0, 0.0), n=10, noise=0.0, up=NAN, sd=10.0, seed=0):
    """Position test of one identity that is off by the same in `n` comparisons."""
    rng = np.random.default_rng(seed)
    made = np.full((1, K, 2), NAN)
    made[0, K - n :] = np.array(offset) + noise * rng.standard_normal((n, 2))
    moves = np.broadcast_to(np.array(velocity, float), made.shape)
    sds = np.full((1, K), sd)
    ups = np.where(np.isfinite(made[:, :, 0]), up, NAN)
    found, shift = position_llr(made, moves, sds, ups, sds)
    return float(found[0]), shift[0]


def flight(velocity=(15.0, 0.0, 0.0), noise=0.0, seed=0):
    """Claims of one drone in straight flight, one a second."""
    rng = np.random.default_rng(seed)
    v = np.array(velocity)
    place = v[:2] * np.arange(K)[:, None] + noise * rng.standard_normal((K, 2))
    return place[None], np.broadcast_to(v, (1, K, 3)).copy(), np.full((1, K), 10.0)


# --- position


def test_a_claim_100_m_off_is_found_and_its_shift_told():
    found, shift = llr((80.0, -60.0))
    assert found > spoofing.LLR
    assert shift.tolist() == [80.0, -60.0]


def test_the_limit_of_the_position_test_lies_at_five_sigma_and_its_price():
    price = 1.5 * np.log(10.0)
    at = 10.0 * np.sqrt(2.0 * (spoofing.LLR + price))
    assert llr((at - 1e-6, 0.0))[0] < spoofing.LLR < llr((at + 1e-6, 0.0))[0]


def test_noise_of_satellite_navigation_alone_is_never_a_shift():
    rng = np.random.default_rng(7)
    for sd in (3.0, 10.0):
        bias = sd * rng.standard_normal((20_000, 1, 2))  # lasts
        white = sd * rng.standard_normal((20_000, K, 2))  # averages out
        sds = np.full((20_000, K), 10.0)
        up = sd * rng.standard_normal((20_000, K))
        found, _ = position_llr(bias + white / 2.0, np.zeros_like(white), sds, up, sds)
        assert np.count_nonzero(found >= spoofing.LLR) <= 1


@pytest.mark.parametrize("delay", [-0.5, 0.0, 1.0, 2.0])
def test_a_clock_that_is_late_is_no_shift(delay):
    assert llr((-20.0 * delay, 0.0), velocity=(20.0, 0.0))[0] < 0.0


def test_a_delay_explains_nothing_beside_the_way_nor_in_hovering():
    assert llr((0.0, 100.0), velocity=(20.0, 0.0))[0] > spoofing.LLR
    assert llr((100.0, 0.0))[0] > spoofing.LLR
    assert llr((100.0, 0.0), velocity=(20.0, 0.0))[0] > spoofing.LLR  # 100 m ahead is not late


def test_a_height_over_another_datum_is_no_shift_and_100_m_are():
    assert llr((0.0, 0.0), up=-8.2)[0] < spoofing.LLR
    assert llr((0.0, 0.0), up=100.0)[0] > spoofing.LLR


def test_two_comparisons_say_nothing():
    assert np.isnan(llr((1000.0, 0.0), n=2)[0])


@given(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4), st.floats(-60.0, 60.0), st.floats(-60.0, 60.0))
def test_taking_out_the_delay_never_makes_an_offset_longer(e, n, u, v):
    left = without_delay(np.array([[e, n]]), np.array([[u, v]]))
    assert np.linalg.norm(left) <= np.hypot(e, n) + 1e-6
    taus = np.linspace(-spoofing.EARLY_S, spoofing.DELAY_S, 501)
    naive = min(np.hypot(e + u * tau, n + v * tau) for tau in taus)
    assert np.linalg.norm(left) <= naive + 1e-6


def test_what_a_datum_can_explain_is_taken_out_on_both_sides():
    assert without_datum(np.array([-20.0, -15.0, 0.0, 14.0, 20.0])).tolist() == [-5, 0, 0, 0, 5]


# --- two places, motion


def test_claims_that_alternate_between_places_are_two():
    place, _, sd = flight((0.0, 0.0, 0.0))
    place[0, ::2] += 400.0
    none = np.full((1, K), -1)
    assert two_places(WHEN, place, sd, none).tolist() == [True]


def test_one_wild_fix_is_no_second_place():
    place, _, sd = flight()
    place[0, 8] += 5000.0
    assert two_places(WHEN, place, sd, np.full((1, K), -1)).tolist() == [False]


@pytest.mark.parametrize(("apart", "gap_s", "found"), [(499.0, 1, False), (501.0, 1, True),
                                                       (501.0, 3, False)])  # fmt: skip
def test_two_transmitters_500_m_apart_in_2_s_are_two_places_at_once(apart, gap_s, found):
    when = np.array([[0, gap_s * SECOND]])
    place = np.array([[[0.0, 0.0], [apart, 0.0]]])
    sd = np.full((1, 2), 10.0)
    assert two_places(when, place, sd, np.array([[1, 2]])).tolist() == [found]
    assert two_places(when, place, sd, np.array([[1, -1]])).tolist() == [False]


def test_a_transmitter_that_changes_its_address_is_in_one_place():
    place, _, sd = flight((30.0, 0.0, 0.0), noise=10.0)
    assert two_places(WHEN, place, sd, np.arange(K)[None]).tolist() == [False]


def test_honest_motion_with_noise_is_possible():
    rng = np.random.default_rng(3)
    n, t = 2000, np.arange(K)
    turn = rng.uniform(-0.4, 0.4, n)[:, None] * t
    speed = rng.uniform(0.0, 25.0, n)[:, None]
    v = np.stack((speed * np.cos(turn), speed * np.sin(turn), 0.0 * turn), axis=2)
    place = np.cumsum(v[:, :, :2], axis=1) + 10.0 * rng.standard_normal((n, K, 2))
    when, sd = np.broadcast_to(WHEN, (n, K)), np.full((n, K), 10.0)
    assert not impossible_motion(when, place, v, sd, np.full(n, 1)).any()
    assert not two_places(when, place, sd, np.full((n, K), -1)).any()


def test_two_jumps_are_impossible_and_one_there_and_back_is_a_bad_fix():
    place, v, sd = flight()
    unknown = np.array([-1])
    once = place.copy()
    once[0, 5] += 300.0
    assert impossible_motion(WHEN, once, v, sd, unknown).tolist() == [False]
    twice = once.copy()
    twice[0, 10:] += 300.0
    assert impossible_motion(WHEN, twice, v, sd, unknown).tolist() == [True]


@pytest.mark.parametrize(
    ("uas_class", "speed", "found"),
    [(0, 25.9, False), (0, 26.1, True), (1, 42.9, False), (1, 43.1, True), (2, 99.0, False),
     (-1, 101.0, True)],
)  # fmt: skip
def test_a_class_has_a_speed_that_it_cannot_fly_faster(uas_class, speed, found):
    place, v, sd = flight((speed, 0.0, 0.0))
    assert impossible_motion(WHEN, place, v, sd, np.array([uas_class])).tolist() == [found]


def test_no_drone_climbs_at_31_m_a_second():
    place, v, sd = flight((5.0, 0.0, 31.0))
    assert impossible_motion(WHEN, place, v, sd, np.array([-1])).tolist() == [True]


# --- received power


def heard_from(ranges, sd, seed, claimed=None):
    """Power at receivers so far from the transmitter, and the ranges that it claims, dB."""
    rng = np.random.default_rng(seed)
    true = 20.0 * np.log10(ranges)
    power = 20.0 - true + sd * rng.standard_normal(true.shape)
    return power, true if claimed is None else 20.0 * np.log10(claimed)


def test_honest_powers_at_five_receivers_fit_their_ranges():
    ranges = np.random.default_rng(1).uniform(100.0, 3000.0, (5000, 5))
    power, log_range = heard_from(ranges, 5.0, 2)
    assert np.count_nonzero(power_against_range(power, log_range)) <= 1


def test_powers_that_belong_to_another_place_do_not_fit():
    ranges = np.array([[50.0, 2000.0, 2500.0]])
    power, log_range = heard_from(ranges, 1.0, 2, claimed=ranges[:, [1, 0, 2]])
    assert power_against_range(power, log_range).tolist() == [True]
    assert power_against_range(power[:, :2], log_range[:, :2]).tolist() == [False]  # too few


@pytest.mark.parametrize("freedom", [2, 3, 5, 9])
def test_the_tail_of_chi_square_is_that_of_the_library(freedom):
    limit = stats.chi2.isf(0.001, freedom)
    sigmas = spoofing._tail_sigmas(np.array([limit]), np.array([freedom]))
    assert stats.norm.sf(sigmas[0]) == pytest.approx(0.001, rel=0.2)


def test_a_power_that_stands_still_while_the_range_triples_is_a_transmitter_that_does_not_fly():
    ranges = np.geomspace(200.0, 800.0, 16)[None]
    log_range = 20.0 * np.log10(ranges)
    still = -60.0 + np.random.default_rng(4).standard_normal((1, 16))
    assert power_without_range(still, log_range).tolist() == [True]
    assert power_without_range(still[:, :5], log_range[:, :5]).tolist() == [False]
    assert power_without_range(still, log_range[:, :1] + 0.0 * log_range).tolist() == [False]


def test_honest_powers_follow_the_range():
    ranges = np.geomspace(200.0, 800.0, 16)[None].repeat(5000, axis=0)
    power, log_range = heard_from(ranges, 4.0, 5)
    assert not power_without_range(power, log_range).any()


# --- heights, form, area


def test_heights_above_take_off_that_drift_apart_break_the_law():
    nothing = np.full((1, K), NAN)
    drifts = 50.0 + 2.0 * np.arange(K)[None]
    assert height_law_broken(drifts, nothing, NAN).tolist() == [True]
    assert height_law_broken(0.0 * drifts + 50.0, nothing, NAN).tolist() == [False]
    assert height_law_broken(drifts[:, -7:], nothing[:, -7:], NAN).tolist() == [False]


def test_noise_of_heights_breaks_no_law():
    rng = np.random.default_rng(6)
    for sd in (0.5, 4.0, 10.0):
        law = 50.0 + sd * rng.standard_normal((2000, K))
        nothing = np.full((2000, K), NAN)
        assert np.count_nonzero(height_law_broken(law, nothing, NAN)) <= 40  # and never for 10 s


@pytest.mark.parametrize(("b", "found"), [(-30.0, False), (31.0, True), (NAN, False)])
def test_pressure_altitude_must_be_the_regions(b, found):
    nothing = np.full((1, K), NAN)
    assert height_law_broken(nothing, np.full((1, K), -30.0), b).tolist() == [found]


@pytest.mark.parametrize(
    ("product", "mark", "wrong"),
    [
        ("ABCDE012345678901234", "12345678", False),
        ("ABCDE01234567890123O", "", True),
        ("ABCDI012345678901234", "", True),
        ("abcde012345678901234", "", True),
        ("0123456789abcdef0123456789abcdef", "", False),
        ("", "1234567", True),
        ("", "1234567A", True),
        ("", "", False),
    ],
)
def test_form_of_a_product_id_and_of_a_mark(product, mark, wrong):
    assert malformed(product, mark) == wrong


def test_five_tracks_with_one_shift_are_victims_and_four_are_not():
    shift = np.full((5, 2), 80.0) + np.arange(5)[:, None]
    assert common_shift(shift, np.arange(5)).all()
    assert not common_shift(shift[:4], np.arange(4)).any()


def test_many_identities_on_one_track_are_no_area():
    assert not common_shift(np.full((50, 2), 80.0), np.zeros(50, np.int64)).any()


def test_shifts_of_different_directions_are_no_area():
    turn = np.arange(8) * np.pi / 4
    shift = 100.0 * np.column_stack((np.cos(turn), np.sin(turn)))
    assert not common_shift(shift, np.arange(8)).any()


def test_a_shift_that_most_do_not_share_is_no_area():
    shift = np.vstack((np.full((5, 2), 80.0), np.zeros((5, 2))))
    assert not common_shift(shift, np.arange(10)).any()


@given(st.integers(0, 2**32 - 1))
def test_means_medians_and_spans_are_those_of_numpy_on_what_is_there(seed):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((7, 9))
    x[rng.random((7, 9)) < 0.4] = NAN
    x[:, 0] = 1.0
    assert np.allclose(spoofing._mean(x), np.nanmean(x, axis=1))
    assert np.allclose(spoofing._median(x), np.nanmedian(x, axis=1))
    assert np.allclose(spoofing._span(x), np.nanmax(x, axis=1) - np.nanmin(x, axis=1))
    nothing = np.full((1, 9), NAN)
    assert np.isnan(spoofing._mean(nothing)).all()
    assert np.isnan(spoofing._median(nothing)).all()
