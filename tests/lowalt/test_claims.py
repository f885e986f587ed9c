from dataclasses import replace

import numpy as np
import pytest

from tests.lowalt.scenes import DRONE, OTHER, PLANE, SECOND, T0, heard, table
from v2x.lowalt.claims import Claims
from v2x.observations import Observations, ident_of
from v2x.picture import Registered, UasClass
from v2x.readings import Name, Readings

SENSORS = table()
ME = np.array([ident_of(DRONE)])


def one_of(claims: Claims, name: str):
    return getattr(claims.held, name)[claims.rows(ME)[0]]


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
    assert one_of(claims, "status") == 1
    assert one_of(claims, "pilot_live") == 1
    assert one_of(claims, "place_ns") == -1
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


@pytest.mark.parametrize(
    ("code", "uas_class"),
    [
        (0.0, UasClass.MICRO),
        (4.0, UasClass.LARGE),
        (5.0, UasClass.UNKNOWN),
        (np.nan, UasClass.UNKNOWN),
    ],
)
def test_class_on_the_wire_counts_from_0_for_micro_and_another_number_is_unknown(code, uas_class):
    claims = Claims(SENSORS)
    word = Readings.blank(
        1, t_ns=T0, sensor=SENSORS.row("rid"), ident=ME, name=Name.UAS_CLASS, value=code
    )
    claims.hear(T0, word)
    assert one_of(claims, "uas_class") == uas_class


def test_place_that_a_receiver_hears_is_a_claim_and_one_that_a_radar_sees_is_none():
    claims = Claims(SENSORS)
    rows = Observations.blank(
        2, t_ns=[T0, T0 + 5], sensor=[SENSORS.row("rid"), SENSORS.row("radar")], ident=ME[0],
        lat=[39.1, 39.2], lon=117.3, height=50.0, vel=3.0,
    )  # fmt: skip
    claims.hear(T0 + 10, Readings.blank(0), rows)
    assert one_of(claims, "place").tolist() == [39.1, 117.3]
    assert (one_of(claims, "place_ns"), one_of(claims, "last_ns")) == (T0, T0)
    older = replace(rows, t_ns=rows.t_ns - SECOND, lat=rows.lat + 1.0).take([0])
    claims.hear(T0 + 10, Readings.blank(0), older)
    assert one_of(claims, "place").tolist() == [39.1, 117.3]
