import numpy as np
import pytest

from tests.lowalt.scenes import SECOND, T0, table
from v2x.lowalt.hearing import CHANCES, Coverage, Hearing
from v2x.sensors import INDEPENDENT, Sensor, SensorKind, SensorTable

NAN = float("nan")


def receiver(name="rid", east=0.0, north=0.0, **given) -> Sensor:
    return Sensor(
        name, kind=SensorKind.REMOTE_ID, lat=39.1244, lon=117.346, hae_m=0.0, east_m=east,
        north_m=north, **given,
    )  # fmt: skip


def hearing(*receivers: Sensor, live=True) -> Hearing:
    made = Hearing(SensorTable.of(receivers))
    made.watch(T0, np.full(len(receivers), live))
    return made


def chance(of: Hearing, east: float, agl: float, hae: float = 0.0) -> list[float]:
    return of.chance(np.array([[east, 0.0]]), np.array([hae]), np.array([agl]))[0].tolist()


def test_coverage_asks_polygon_and_band_and_life():
    reach = ((0.0, 0.0), (100.0, 0.0), (100.0, 100.0), (0.0, 100.0))
    sensors = table(
        Sensor("rid", kind=SensorKind.REMOTE_ID, coverage=reach, floor_m=0.0, ceiling_m=50.0)
    )
    cover = Coverage(sensors, (SensorKind.REMOTE_ID,))
    flat = np.array([[50.0, 50.0], [50.0, 50.0], [150.0, 50.0], [50.0, 50.0], [100.0, 100.0]])
    hae = np.array([20.0, 60.0, 20.0, np.nan, 50.0])
    live = np.ones(len(sensors), bool)
    assert cover.reaches(flat, hae, live).tolist() == [True, False, False, False, True]
    live[sensors.row("rid")] = False
    assert not cover.reaches(flat, hae, live).any()


def test_sensor_without_a_polygon_covers_everywhere_also_unknown_heights():
    sensors = table(Sensor("radar", kind=SensorKind.RADAR))
    cover = Coverage(sensors, INDEPENDENT)
    flat, hae = np.array([[1e6, 0.0], [0.0, 0.0]]), np.array([np.nan, 10.0])
    live = np.ones(len(sensors), bool)
    assert cover.reaches(flat, hae, live).tolist() == [True, True]


def test_no_sensors_cover_nothing():
    cover = Coverage(table(), (SensorKind.LIDAR,))
    assert not cover.reaches(np.zeros((1, 2)), np.zeros(1), np.ones(3, bool)).any()


# --- the range law, and what silence is worth


@pytest.mark.parametrize(
    ("east", "agl", "p"),
    [
        (0.0, 0.0, 0.95),
        (1000.0, 0.0, 0.475),
        (1000.0, NAN, 0.475),
        (2000.0, 0.0, 0.95 / 17.0),
        (3000.0, 50.0, 0.475),
        (3000.0, 400.0, 0.475),
        (2000.0, 25.0, 0.475),
    ],
)
def test_range_law_has_half_at_1_km_near_the_ground_and_at_3_km_with_a_free_line(east, agl, p):
    assert chance(hearing(receiver()), east, agl) == pytest.approx([p])


def test_range_is_slant_and_configuration_sets_the_law():
    made = hearing(receiver(hears_low_m=500.0, hears_high_m=500.0, p_hear=0.8))
    assert chance(made, 300.0, 0.0, hae=400.0) == pytest.approx([0.4])


def test_receiver_without_a_place_hears_all_of_its_coverage_equally_well():
    reach = ((-3e3, -3e3), (3e3, -3e3), (3e3, 3e3), (-3e3, 3e3))
    made = hearing(Sensor("rid", kind=SensorKind.REMOTE_ID, coverage=reach))
    assert [chance(made, east, 60.0)[0] for east in (0.0, 2900.0, 3100.0)] == [0.95, 0.95, 0.0]


def p_heard(of: Hearing, p, count=CHANCES, newest_ns=T0 + 20 * SECOND) -> float:
    chances = np.broadcast_to(np.array(p, np.float64), (1, CHANCES, len(of)))
    return float(of.p_heard(chances, newest_ns, np.array([count]))[0][0])


def test_ten_chances_at_three_tenths_are_097_and_two_are_051():
    one = hearing(receiver())
    assert p_heard(one, [0.3]) == pytest.approx(0.97, abs=0.002)
    assert p_heard(one, [0.3], count=2) == pytest.approx(0.51)
    assert p_heard(one, [0.3], count=0) == 0.0
    assert p_heard(one, [0.3], count=999) == p_heard(one, [0.3])


def test_receivers_and_chances_multiply_as_the_naive_product_does():
    rng = np.random.default_rng(1)
    two = hearing(receiver("a"), receiver("b", east=100.0))
    chances = rng.random((5, CHANCES, 2))
    count = np.array([0, 1, 4, 10, 30])
    made, seconds = two.p_heard(chances, T0 + 20 * SECOND, count)
    assert seconds.tolist() == [
        int((chances[i, : count[i]] >= 0.1).any(axis=1).sum()) for i in range(5)
    ]
    for i in range(5):
        missed = 1.0
        for j in range(min(count[i], CHANCES)):
            for k in range(2):
                missed *= 1.0 - chances[i, j, k]
        assert made[i] == pytest.approx(1.0 - missed)


def test_receiver_that_falls_silent_takes_its_chances_with_it_and_begins_anew():
    two = hearing(receiver("a"), receiver("b"))
    p = [0.9, 0.2]
    assert p_heard(two, p) > 0.99
    two.watch(T0 + 20 * SECOND, np.array([False, True]))
    assert p_heard(two, p) == pytest.approx(1.0 - 0.8**10)
    two.watch(T0 + 21 * SECOND, np.array([True, True]))
    heard = [p_heard(two, p, newest_ns=T0 + (21 + s) * SECOND) for s in (0, 1, 2)]
    assert heard == pytest.approx([1.0 - 0.8**10, 1.0 - 0.8**10 * 0.1, 1.0 - 0.8**10 * 0.01])


def test_in_the_long_run_all_ten_chances_count_of_those_who_live():
    two = hearing(receiver("a"), receiver("b"))
    here = np.array([[0.3, 0.0], [0.05, 0.0]])
    assert two.likely(here) == pytest.approx([1.0 - 0.7**10, 1.0 - 0.95**10])
    two.watch(T0, np.array([False, True]))
    assert two.likely(here).tolist() == [0.0, 0.0]


def test_deaf_receiver_is_found_out_and_a_good_one_stays_what_it_was():
    two = hearing(receiver("a"), receiver("b"))
    law = np.full((1, 2), 0.9)
    for _ in range(600):
        law = two.chance(np.zeros((1, 2)), np.zeros(1), np.zeros(1))
        two.learn(law, np.array([[False, True]]))
    assert 0.3 * 0.95 <= two.p0[0] < 0.31
    assert 0.95 <= two.p0[1] <= 0.99
    # A place where the law itself is doubtful teaches nothing.
    before = two.p0.copy()
    two.learn(np.full((1, 2), 0.29), np.array([[True, False]]))
    assert two.p0.tolist() == before.tolist()


def test_dead_receiver_is_taught_nothing():
    one = hearing(receiver(), live=False)
    one.learn(np.full((1, 1), 0.9), np.array([[False]]))
    assert one.p0.tolist() == [0.95]


def test_hearing_survives_a_restart():
    one, again = hearing(receiver()), Hearing(SensorTable.of([receiver()]))
    one.learn(np.full((1, 1), 0.9), np.array([[False]]))
    again.restore(one.state())
    for made in (one, again):
        made.watch(T0 + SECOND, np.array([True]))
    assert again.p0.tolist() == one.p0.tolist()
    assert p_heard(again, [0.5], newest_ns=T0) == p_heard(one, [0.5], newest_ns=T0)
