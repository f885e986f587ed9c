import itertools
from dataclasses import replace

import numpy as np
import pytest

from tests.lowalt.scenes import DRONE, OTHER, PLANE, SECOND, T0, heard, table
from v2x.lowalt.identity import Claims, Coverage, Evidence, verdicts
from v2x.observations import ident_of
from v2x.picture import Registered, Verdict
from v2x.readings import Name, Readings
from v2x.sensors import INDEPENDENT, Sensor, SensorKind

SENSORS = table()
ME = np.array([ident_of(DRONE)])


def one_of(claims: Claims, name: str):
    return getattr(claims, name)[claims.rows(ME)[0]]


def flood(n: int, t_ns: int, first: int = 0) -> Readings:
    idents = [ident_of(f"rid:GHOST{k}") for k in range(first, first + n)]
    return Readings.blank(
        n, t_ns=t_ns, sensor=SENSORS.row("rid"), ident=idents, name=Name.RID_HEARD, value=1.0
    )


def test_claim_holds_what_was_heard():
    claims = Claims(SENSORS)
    claims.hear(T0, heard(SENSORS, T0, DRONE, status=1))
    assert one_of(claims, "last_ns") == T0
    assert one_of(claims, "said") == Registered.YES
    assert one_of(claims, "mark") == ident_of("12345678")
    assert one_of(claims, "pilot").tolist() == [39.12, 117.34]
    assert one_of(claims, "on_ground") == 1
    assert claims.rows(np.array([ident_of(OTHER), -1])).tolist() == [-1, -1]


def test_broadcast_that_says_not_registered_is_kept_as_no():
    claims = Claims(SENSORS)
    claims.hear(T0, heard(SENSORS, T0, DRONE, mark=None))
    assert one_of(claims, "said") == Registered.NO


def test_reading_without_identity_is_no_claim_and_one_without_place_moves_no_pilot():
    claims = Claims(SENSORS)
    claims.hear(T0, heard(SENSORS, T0, DRONE))
    words = heard(SENSORS, T0 + 1, DRONE).take([2])
    claims.hear(T0 + 1, replace(words, lat=np.array([np.nan]), lon=np.array([np.nan])))
    claims.hear(T0 + 1, heard(SENSORS, T0 + 1, ""))
    assert len(claims) == 1
    assert one_of(claims, "pilot").tolist() == [39.12, 117.34]


def test_late_reading_does_not_overwrite_a_newer_one():
    claims = Claims(SENSORS)
    claims.hear(T0, heard(SENSORS, T0, DRONE, mark=None))
    claims.hear(T0 + SECOND, heard(SENSORS, T0 - SECOND, DRONE, mark="12345678"))
    assert one_of(claims, "said") == Registered.NO
    assert one_of(claims, "last_ns") == T0


def test_clock_in_the_future_does_not_keep_an_identity_alive():
    claims = Claims(SENSORS)
    claims.hear(T0, heard(SENSORS, T0 + 10**18, DRONE))
    assert one_of(claims, "last_ns") == T0
    claims.hear(T0 + 121 * SECOND, Readings.blank(0))
    assert len(claims) == 0


def test_claim_is_forgotten_120_s_after_it_was_last_heard():
    claims = Claims(SENSORS)
    claims.hear(T0, heard(SENSORS, T0, DRONE))
    claims.hear(T0 + 120 * SECOND, Readings.blank(0))
    assert len(claims) == 1
    claims.hear(T0 + 120 * SECOND + 1, Readings.blank(0))
    assert len(claims) == 0


def test_claim_heard_again_after_it_was_forgotten_starts_afresh():
    claims = Claims(SENSORS)
    claims.hear(T0, heard(SENSORS, T0, DRONE))
    later = T0 + 200 * SECOND
    bare = heard(SENSORS, later, DRONE).take([0])
    claims.hear(later, bare)
    assert one_of(claims, "said") == Registered.UNKNOWN
    assert one_of(claims, "mark") == -1
    assert np.isnan(one_of(claims, "pilot")).all()


def test_flood_of_identities_is_bounded_and_spares_those_a_sensor_vouches_for():
    claims = Claims(SENSORS)
    claims.hear(T0, heard(SENSORS, T0, DRONE))
    claims.vouch(ME.tolist())
    for k in range(10):
        claims.hear(T0 + k, flood(5000, T0 + k, first=5000 * k))
    assert len(claims) == 4096 + 1
    assert claims.evicted == 50_000 - 4096
    assert claims.rows(ME)[0] >= 0
    newest = np.array([ident_of("rid:GHOST49999"), ident_of("rid:GHOST45000")])
    assert (claims.rows(newest) >= 0).tolist() == [True, False]


def test_stranger_heard_again_is_not_the_oldest():
    claims = Claims(SENSORS, capacity=2)
    first, second, third = (flood(1, T0 + k, first=k) for k in range(3))
    claims.hear(T0, first)
    claims.hear(T0 + 1, second)
    claims.hear(T0 + 2, first)
    claims.hear(T0 + 3, third)
    known = claims.rows(np.array([ident_of(f"rid:GHOST{k}") for k in range(3)])) >= 0
    assert known.tolist() == [True, False, True]


def test_aircraft_is_remembered_120_s():
    claims = Claims(SENSORS)
    plane = np.array([ident_of(PLANE)])
    claims.hear(
        T0, Readings.blank(1, t_ns=T0, sensor=SENSORS.row("adsb"), ident=plane, name=Name.NACP)
    )
    assert claims.aircraft_ns(plane).tolist() == [T0]
    claims.hear(T0 + 120 * SECOND, Readings.blank(0))
    assert claims.aircraft_ns(plane).tolist() == [T0]
    claims.hear(T0 + 120 * SECOND + 1, Readings.blank(0))
    assert claims.aircraft_ns(plane).tolist() == [-1]


def test_claims_survive_a_restart():
    claims = Claims(SENSORS, capacity=3)
    claims.hear(T0, heard(SENSORS, T0, DRONE))
    claims.vouch(ME.tolist())
    claims.hear(T0, flood(5, T0))
    again = Claims(SENSORS, capacity=3)
    again.restore(claims.state())
    for c in (claims, again):
        c.hear(T0 + SECOND, flood(1, T0 + SECOND, first=9))
    assert repr(again.state()) == repr(claims.state())  # NaN is not equal to itself
    assert one_of(again, "mark") == ident_of("12345678")


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


def test_verdict_is_the_first_row_that_holds():
    order = [
        Verdict.MANNED, Verdict.SPOOFED, Verdict.DARK, Verdict.UNIDENTIFIED,
        Verdict.UNDECIDED, Verdict.UNREGISTERED, Verdict.UNAUTHORISED, Verdict.AUTHORISED,
        Verdict.CLAIMED,
    ]  # fmt: skip
    seen = set()
    for flags in itertools.product([False, True], repeat=9):
        manned, named, dark, covered, needs, planned, independent, watched, false = flags
        for registered in Registered:
            naive = Verdict.UNDECIDED
            if manned:
                naive = Verdict.MANNED
            elif false:
                naive = Verdict.SPOOFED
            elif not named:
                naive = Verdict.UNDECIDED if covered else Verdict.UNIDENTIFIED
                naive = Verdict.DARK if dark else naive
            elif registered == Registered.NO:
                naive = Verdict.UNREGISTERED
            elif needs and not planned:
                naive = Verdict.UNAUTHORISED
            elif planned or independent:
                naive = Verdict.AUTHORISED
            elif not watched:
                naive = Verdict.CLAIMED
            row = [np.array([flag]) for flag in flags]
            made = verdicts(Evidence(*row[:4], np.array([registered]), *row[4:]))
            assert made.tolist() == [naive]
            seen.add(naive)
    assert seen == set(order)


@pytest.mark.parametrize("n", [0, 3])
def test_verdicts_have_one_per_row(n):
    no = np.zeros(n, bool)
    made = verdicts(Evidence(no, no, no, no, np.zeros(n, np.uint8), no, no, no, no, no))
    assert made.dtype == np.uint8
    assert made.tolist() == [Verdict.UNIDENTIFIED] * n
