"""Generated flights: what truth says of them, and that they are the same however asked for."""

from dataclasses import replace
from math import isnan

import numpy as np
import pytest
import shapely

from replay.scenarios.flights import claims, field, incursions, innocents
from replay.scenarios.flights.motion import ACCELERATION, STEP_S, Leg, flown, laid
from replay.scenarios.flights.truth import Body, Volume, breach, detected_s
from v2x.config import config_from
from v2x.ingest.decoding import Decoding

BOX = Volume("Z", "prohibited", shapely.box(-100, -100, 100, 100), 50.0, 120.0)
SEEN = np.arange(0.5, 200.0, 1.0)


def line(speed: float = 10.0, height: float = 80.0, north: float = 0.0, seconds: float = 100.0):
    """From 500 m west of the origin straight to the east."""
    path = flown([Leg(seconds, speed)], height)
    path = laid(path, 0.0, -500.0, north, 90.0)
    return Body("b", "uas", path)


def test_depth_is_the_distance_to_the_nearest_side_of_the_volume():
    places = np.array(
        [[0, 0, 85], [90, 0, 85], [0, 0, 118], [150, 0, 85], [0, 0, 30], [100, 0, 85]]
    )
    assert BOX.depth(places.astype(float)) == pytest.approx([35, 10, 2, -50, -20, 0])


def test_a_straight_flight_enters_and_leaves_when_it_must():
    found = breach(line(), BOX, SEEN)
    assert found.enter_s == pytest.approx(40.0, abs=STEP_S)
    assert found.leave_s == pytest.approx(60.0, abs=STEP_S)
    assert found.due
    assert found.foreseeable


@pytest.mark.parametrize("height", [49.0, 121.0])
def test_above_or_below_the_band_is_no_breach(height):
    found = breach(line(height=height), BOX, SEEN)
    assert isnan(found.enter_s)
    assert not found.due


def test_who_is_seen_too_late_or_never_is_not_due_or_not_foreseeable():
    assert not breach(line(), BOX, np.zeros(0)).due
    assert not breach(line(), BOX, np.arange(58.5, 200.0)).due
    barely = breach(line(), BOX, np.arange(34.0, 200.0))
    assert barely.due
    assert not barely.foreseeable


def test_a_flight_that_leads_past_the_core_until_the_last_seconds_is_not_foreseeable():
    path = flown([Leg(37.0, 10.0), Leg(9.0, 10.0, 10.0), Leg(60.0, 10.0)], 80.0)
    body = Body("b", "uas", laid(path, 0.0, -370.0, 160.0, 90.0))
    found = breach(body, BOX, SEEN)
    assert found.due
    assert not found.foreseeable


def test_detected_is_three_seconds_of_looks_that_saw_it():
    assert detected_s(np.array([1.0, 2.0, 3.0, 4.0])) == 4.0
    assert isnan(detected_s(np.array([1.0, 2.0, 3.0])))
    assert isnan(detected_s(np.array([1.0, 5.0, 9.0, 13.0])))


def test_paths_keep_to_what_a_drone_can_fly():
    legs = [Leg(5.0, 0.0), Leg(5.0, 15.0, 20.0, 3.0), Leg(5.0, 0.0, 0.0, -3.0)]
    velocity = np.diff(flown(legs, 50.0), axis=0) / STEP_S
    assert np.abs(np.diff(np.hypot(*velocity[:, :2].T))).max() <= ACCELERATION * STEP_S * 1.01


def test_a_path_is_laid_through_its_place_along_its_heading():
    made = laid(flown([Leg(30.0, 12.0)], 60.0), 20.0, 100.0, -50.0, 30.0)
    assert made[200] == pytest.approx([100.0, -50.0, 60.0])
    step = made[201] - made[200]
    assert np.degrees(np.arctan2(step[0], step[1])) == pytest.approx(30.0)


@pytest.mark.parametrize("family", incursions.FAMILIES)
def test_every_incursion_goes_deep_enough_and_begins_outside(family):
    for k in range(4):
        flight = field.draw("incursions", 3, k, [family])
        depth = flight.zone.depth(flight.bodies[0].path)
        assert depth[0] <= -15.0
        assert depth.max() >= incursions.DEEP_M
        assert (depth >= 0.0).sum() * STEP_S >= incursions.STAY_S


@pytest.mark.parametrize("family", ["boundary", "gnss_noise", "standing"])
def test_what_stays_outside_stays_outside(family):
    for k in range(6):
        flight = field.draw("innocents", 1, k, [family])
        assert flight.zone.depth(flight.bodies[0].path).max() < -8.0


@pytest.mark.parametrize("family", ["authorised", "corridor", "show"])
def test_who_is_approved_stays_in_its_approval(family):
    for k in range(4):
        flight = field.draw("innocents", 1, k, [family])
        for body in flight.bodies:
            inside = shapely.contains(flight.approval.shape, shapely.points(body.path[:, :2]))
            assert inside.all()
            assert body.path[:, 2].max() < flight.approval.ceiling_m - 20.0
            assert body.beacon.ident in flight.approval.idents


def test_a_flight_does_not_depend_on_how_many_are_asked_for():
    numbers = field.fields("incursions", 0, 60)
    assert sorted(k for part in numbers for k in part) == list(range(60))
    one, two = field.draw("claims", 2, 7), field.draw("claims", 2, 7)
    assert one.name == two.name
    assert (one.bodies[0].path == two.bodies[0].path).all()
    assert (field.draw("claims", 3, 7).bodies[0].path[0] != one.bodies[0].path[0]).any()


def test_manned_flights_fly_apart_from_drones():
    for part in field.fields("innocents", 0, 90):
        manned = {field.draw("innocents", 0, k).family in innocents.MANNED for k in part}
        assert len(manned) == 1


def test_a_field_is_the_same_frames_twice_and_all_of_them_decode(tmp_path):
    numbers = list(range(len(claims.FAMILIES)))
    one, two = (field.make("claims", 0, numbers) for _ in range(2))
    assert one.frames == two.frames
    config = config_from(one.write(tmp_path), "test", tmp_path)
    decoding = Decoding(config.table())
    rows = decoding.decode(list(one.frames))
    assert not rows.rejects
    assert {frame.format for frame in one.frames} == {"columns", "objects", "remote_id"}


def test_radars_see_what_is_there_and_not_what_only_claims_to_be():
    made = field.make("claims", 0, [0], ["ghost"])
    assert not made.seen
    assert len(made.heard[made.flights[0].name]) > 60
    hidden = field.draw("claims", 0, 0, ["dark"])
    body = replace(hidden.bodies[0], hidden=((10.0, 20.0),))
    assert not body.shown(np.array([15.0])).any()
    assert body.shown(np.array([9.0, 21.0])).all()


def test_a_drifting_claim_is_honest_before_it_drifts():
    flight = field.draw("claims", 0, 0, ["drift"])
    shift = flight.bodies[0].beacon.shift
    since = round(flight.since_s / STEP_S)
    assert (shift[:since] == 0.0).all()
    assert np.hypot(*shift[since + 100, :2]) == pytest.approx(20.0, abs=0.3)
    assert isnan(field.draw("claims", 0, 0, ["honest"]).since_s)
