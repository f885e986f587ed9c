import numpy as np
import pytest

from tests.lowalt.scenes import DRONE, SECOND, T0, TILE, table
from v2x.lowalt.pilots import Pilots, crossing
from v2x.observations import ident_of
from v2x.picture import PilotSource
from v2x.readings import Name, Readings
from v2x.sensors import Sensor, SensorKind
from v2x.tracks import Tracks

NOBODY = np.array([-1])
FINDERS = (
    Sensor("df-1", kind=SensorKind.UNKNOWN, east_m=-1000.0),
    Sensor("df-2", kind=SensorKind.UNKNOWN, east_m=1000.0),
)


def climb(pilots, seconds, agl, velocity, start=(0.0, 0.0), ident=NOBODY):
    """A track's first seconds; what is said of its pilot at the end, in the tile."""
    v = np.array(velocity, float)
    for k in range(seconds):
        x = np.zeros((1, 6))
        x[0, :2] = np.array(start) + v[:2] * k
        x[0, 3:] = v
        tracks = Tracks.blank(1, id=7, first_ns=T0, t_ns=T0 + k * SECOND, x=x, P=np.eye(6))
        place, sd, source = pilots.judge(T0 + k * SECOND, tracks, np.array([agl + v[2] * k]), ident)
    at = TILE.to_enu(place[:, 0], place[:, 1], np.zeros(1))[0, :2]
    return at, float(sd[0]), PilotSource(source[0])


def bearings(sensors, t_ns, **azimuth):
    return Readings.blank(
        len(azimuth), t_ns=t_ns, recv_ns=t_ns, ident=ident_of(DRONE), name=Name.PILOT_BEARING,
        sensor=[sensors.row(name.replace("_", "-")) for name in azimuth],
        value=list(azimuth.values()),
    )  # fmt: skip


def test_a_climb_is_carried_back_to_where_it_met_the_ground():
    at, sd, source = climb(Pilots(TILE, table()), 20, 20.0, (3.0, 0.0, 2.0), start=(30.0, 5.0))
    assert at == pytest.approx([0.0, 5.0], abs=0.1)
    assert (sd, source) == (pytest.approx(50.0), PilotSource.TRACK)


def test_a_level_flight_is_carried_straight_down_and_its_error_grows_with_height():
    at, sd, source = climb(Pilots(TILE, table()), 10, 80.0, (10.0, 0.0, 0.0))
    assert at == pytest.approx([0.0, 0.0], abs=0.1)
    assert (sd, source) == (pytest.approx(160.0), PilotSource.TRACK)


def test_only_the_first_30_s_count():
    pilots = Pilots(TILE, table())
    at, _, _ = climb(pilots, 90, 20.0, (3.0, 0.0, 2.0), start=(30.0, 0.0))
    assert at == pytest.approx([0.0, 0.0], abs=0.1)
    assert pilots._begin.sums[0, 0] == 31


def test_a_track_of_unknown_height_has_no_pilot():
    at, sd, source = climb(Pilots(TILE, table()), 5, np.nan, (3.0, 0.0, 0.0))
    assert np.isnan(at).all()
    assert np.isnan(sd)
    assert source == PilotSource.NONE


def test_crossed_bearings_win_over_the_track_and_grow_old():
    sensors = table(*FINDERS)
    pilots = Pilots(TILE, sensors)
    pilots.hear(T0, bearings(sensors, T0, df_1=np.pi / 4, df_2=-np.pi / 4))
    ident = np.array([ident_of(DRONE)])
    at, sd, source = climb(pilots, 3, 50.0, (0.0, 0.0, 0.0), ident=ident)
    assert at == pytest.approx([0.0, 1000.0], abs=0.5)
    assert source == PilotSource.BEARINGS
    assert 50.0 < sd < 100.0  # 1.4 km times 3 deg
    pilots.hear(T0 + 31 * SECOND, Readings.blank())
    assert climb(pilots, 3, 50.0, (0.0, 0.0, 0.0), ident=ident)[2] == PilotSource.TRACK


def test_one_bearing_or_parallel_ones_or_ones_that_part_are_no_fix():
    stand = np.array([[-1000.0, 0.0], [1000.0, 0.0]])
    sd = np.full(2, 0.05)
    assert crossing(stand[:1], np.zeros(1), sd[:1]) is None
    assert crossing(stand, np.zeros(2), sd) is None
    assert crossing(stand, np.array([-np.pi / 4, np.pi / 4]), sd) is None


@pytest.mark.parametrize("seed", range(5))
def test_crossing_is_where_the_angles_fit_best_and_its_covariance_is_honest(seed):
    rng = np.random.default_rng(seed)
    truth = rng.uniform(-500, 500, 2)
    stand = 2000.0 * np.array([[1.0, 0.0], [-0.5, 0.9], [-0.5, -0.9]])
    true = np.arctan2(*(truth - stand).T)
    sd = np.radians([1.0, 2.0, 3.0])
    nees = []
    for _ in range(400):
        fix = crossing(stand, true + sd * rng.standard_normal(3), sd)
        off = np.array([fix.east, fix.north]) - truth
        nees.append(off @ np.linalg.solve(fix.cov, off))
    assert np.mean(nees) == pytest.approx(2.0, rel=0.25)


def test_pilots_go_on_after_a_restart():
    sensors = table(*FINDERS)
    first, second = Pilots(TILE, sensors), Pilots(TILE, sensors)
    first.hear(T0, bearings(sensors, T0, df_1=0.7, df_2=-0.8))
    climb(first, 4, 20.0, (3.0, 1.0, 2.0))
    second.restore(first.state())
    ident = np.array([ident_of(DRONE)])
    for who in (NOBODY, ident):
        one, two = (climb(p, 6, 20.0, (3.0, 1.0, 2.0), ident=who) for p in (first, second))
        assert one[0].tolist() == two[0].tolist()
        assert one[1:] == two[1:]


def test_a_flood_of_bearings_is_bounded():
    from v2x.lowalt.pilots import TARGETS

    sensors = table(*FINDERS)
    pilots = Pilots(TILE, sensors)
    n = TARGETS + 50
    pilots.hear(
        T0,
        Readings.blank(
            n, t_ns=T0, ident=np.arange(n), name=Name.PILOT_BEARING, sensor=sensors.row("df-1"),
            value=0.5,
        ),
    )  # fmt: skip
    assert len(pilots.state()["bearings"]) == TARGETS
