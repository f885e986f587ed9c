"""The words of a stay, each with its times: enter, dwell, cross, exit, gap, lost, ended."""

from dataclasses import replace

import numpy as np
import pytest

from tests.lowalt.scenes import (
    IDENTS,
    NOTHING,
    SECOND,
    T0,
    TILE,
    box,
    devices,
    table,
    track,
    zone,
)
from v2x.lowalt.aerodrome import Aerodrome, End, Runway, surfaces
from v2x.lowalt.airspace import Airspace
from v2x.lowalt.volumes import ZoneIndex
from v2x.lowalt.zones import Zones
from v2x.observations import Kind
from v2x.picture import StayWord, ZoneKind
from v2x.sensors import Sensor, SensorKind
from v2x.tracks import Status, Tracks

FIELD = [box(0, 0, 1000, 1000)]
STEP = 50_000_000
WATCHED = table(Sensor("radar", kind=SensorKind.RADAR, p_detect=0.9))


class Sky:
    """One airspace, slice by slice; `words` are all stays told, as (s, id, zone, word, ...)."""

    def __init__(self, *zones, sensors=WATCHED):
        self.sensors = sensors
        self.airspace = Airspace(TILE, sensors, ZoneIndex(Zones.of(zones), TILE))
        self.told = []

    def at(self, t_s: float, *tracks: Tracks, dead=()):
        t_ns = T0 + round(t_s * SECOND)
        made = self.airspace.judge(
            t_ns, Tracks.concat([*tracks]), NOTHING, devices(self.sensors, dead), IDENTS
        )
        stays = made.stays
        for k in range(len(stays)):
            self.told.append((t_s, stays.take(slice(k, k + 1))))
        return made

    def fly(self, times, place, dead=(), **given):
        """Slices with one track; place(t) is (east, north) or with a height, None: no track."""
        for t in times:
            where = place(t)
            t_ns = T0 + round(t * SECOND)
            tracks = [] if where is None else [point(t_ns, *where, **given)]
            self.at(t, *tracks, dead=dead)

    def words(self, zone_row=None):
        """(word, seconds it was first told) in order, each run of one word once."""
        made = []
        for t, stay in self.told:
            if zone_row is not None and stay.zone[0] != zone_row:
                continue
            word = StayWord(stay.word[0])
            if not made or made[-1][0] != word:
                made.append((word, t))
        return made

    def last(self, word):
        return [stay for _, stay in self.told if stay.word[0] == word][-1]


def point(t_ns, east, north, agl=60.0, **given):
    """A track known to a centimetre or, with `sd`, so well; velocity 0."""
    sd = given.pop("place_sd", 0.01)
    made = track(t_ns, east, north, agl, sd=given.pop("sd", 0.01), **given)
    made.P[:, 0, 0] = made.P[:, 1, 1] = sd * sd
    return made


def seconds(first, last, step=0.5):
    return np.round(np.arange(first, last + step / 2, step), 6).tolist()


def s(t_ns):
    return (int(t_ns) - T0) / SECOND


def test_enter_holds_for_a_second_and_its_onset_is_on_the_segment():
    sky = Sky(zone("A", FIELD))
    # 20 m/s east: over the side at 5.2 s, between two slices.
    sky.fly(seconds(0, 8), lambda t: (20.0 * (t - 5.2), 500.0))
    assert sky.words() == [(StayWord.ENTERING, 5.5), (StayWord.INSIDE, 6.5)]
    assert s(sky.last(StayWord.INSIDE).onset_ns[0]) == pytest.approx(5.2, abs=1e-6)


def test_the_onset_of_a_noisy_track_is_where_its_mean_came_over_the_side():
    sky = Sky(zone("A", FIELD))
    sky.fly(seconds(0, 8, 0.1), lambda t: (20.0 * (t - 3.03), 500.0), place_sd=5.0)
    entering = dict(sky.words())[StayWord.ENTERING]
    assert entering == pytest.approx(3.03 + 1.2816 * 5.0 / 20.0, abs=0.11)
    assert s(sky.last(StayWord.INSIDE).onset_ns[0]) == pytest.approx(3.03, abs=1e-3)


def test_a_first_fix_inside_is_an_enter():
    sky = Sky(zone("A", FIELD))
    sky.fly(seconds(3, 6), lambda t: (500.0, 500.0))
    assert sky.words() == [(StayWord.ENTERING, 3.0), (StayWord.INSIDE, 4.0)]
    assert s(sky.last(StayWord.INSIDE).onset_ns[0]) == 3.0


def test_a_touch_shorter_than_the_hold_is_no_stay():
    sky = Sky(zone("A", FIELD))
    sky.fly(seconds(0, 9, 0.1), lambda t: (5.0 if 3.0 <= t < 3.8 else -5.0, 500.0))
    assert [word for word, _ in sky.words()] == [StayWord.ENTERING]


def test_exit_comes_after_five_quiet_seconds_and_is_dated_on_the_segment():
    sky = Sky(zone("A", FIELD))
    sky.fly(seconds(0, 20), lambda t: (1000.0 + 10.0 * (t - 4.7), 500.0))
    assert sky.words()[-1] == (StayWord.EXITED, 9.5)  # last inside at 4.5 s
    assert s(sky.last(StayWord.EXITED).end_ns[0]) == pytest.approx(4.7, abs=1e-6)
    assert [word for _, stay in sky.told for word in stay.word].count(StayWord.EXITED) == 1


def test_who_comes_back_within_the_quiet_time_never_left():
    sky = Sky(zone("A", FIELD))
    sky.fly(seconds(0, 12), lambda t: (-5.0 if 4.0 <= t < 8.5 else 5.0, 500.0))
    assert sky.words() == [(StayWord.ENTERING, 0.0), (StayWord.INSIDE, 1.0)]


def test_crossed_between_two_fixes_is_entered_and_left_with_both_times():
    sky = Sky(zone("A", [box(0, 0, 10, 1000)]))
    sky.fly([0.0, 1.0], lambda t: (-10.0 + 40.0 * t, 500.0))
    (word,) = sky.words()
    assert word == (StayWord.CROSSED, 1.0)
    stay = sky.last(StayWord.CROSSED)
    assert s(stay.onset_ns[0]) == pytest.approx(0.25, abs=1e-3)
    assert s(stay.end_ns[0]) == pytest.approx(0.5, abs=1e-3)


def test_a_corner_that_noise_cuts_is_not_crossed():
    sky = Sky(zone("A", FIELD))
    made = []
    for t in seconds(0, 3, 1.0):
        place = (-1.0, 2.0) if t % 2 else (2.0, -1.0)
        made.append(sky.at(t, point(T0 + round(t * SECOND), *place, place_sd=5.0)))
    assert all(not m.inside.crossed.any() for m in made)
    exact = Sky(zone("A", FIELD))
    made = [
        exact.at(t, point(T0 + round(t * SECOND), *place))
        for t, place in ((0.0, (2.0, -1.0)), (1.0, (-1.0, 2.0)))
    ]
    assert made[-1].inside.crossed.tolist() == [1]


def test_over_a_gap_of_more_than_five_seconds_nothing_is_crossed():
    sky = Sky(zone("A", [box(0, 0, 10, 1000)]))
    sky.fly([0.0, 5.1], lambda t: (-10.0 + 10.0 * t, 500.0))
    assert sky.words() == []


def test_gap_and_return_are_one_stay_with_the_gap_noted():
    sky = Sky(zone("A", FIELD))
    inside = (500.0, 500.0)
    sky.fly(seconds(0, 3), lambda t: inside)
    sky.fly(seconds(3.5, 5), lambda t: inside, status=Status.COASTING)
    sky.fly(seconds(5.5, 7), lambda t: inside)
    assert sky.words() == [
        (StayWord.ENTERING, 0.0), (StayWord.INSIDE, 1.0), (StayWord.COASTING, 3.5),
        (StayWord.INSIDE, 5.5),
    ]  # fmt: skip
    stay = sky.last(StayWord.INSIDE)
    assert s(stay.onset_ns[0]) == 0.0
    assert stay.gap_ns[0] == 2.5 * SECOND


def test_inside_and_then_found_outside_left_when_it_was_last_seen_inside():
    sky = Sky(zone("A", FIELD))
    sky.fly(seconds(0, 3), lambda t: (500.0, 500.0))
    sky.fly(seconds(3.5, 6), lambda t: (500.0, 500.0), status=Status.COASTING)
    sky.fly([6.5], lambda t: (2000.0, 500.0))
    assert sky.words()[-1] == (StayWord.EXITED, 6.5)
    assert s(sky.last(StayWord.EXITED).end_ns[0]) == 3.0


@pytest.mark.parametrize("gone", [True, False])
def test_lost_inside_where_it_should_have_been_seen(gone):
    sky = Sky(zone("A", FIELD))
    inside = (500.0, 500.0)
    sky.fly(seconds(0, 3), lambda t: inside)
    sky.fly(seconds(3.5, 8), lambda t: None if gone else inside, status=Status.COASTING)
    assert sky.words()[-1] == (StayWord.LOST, 6.0)
    stay = sky.last(StayWord.LOST)
    assert stay.p_detect[0] == pytest.approx(0.9)
    assert stay.p_inside[0] == 1.0
    assert stay.sure[0] == 1
    assert stay.track[0] == (-1 if gone else 0)
    assert (stay.lat[0], stay.lon[0]) == pytest.approx((39.1289, 117.3518), abs=2e-4)


@pytest.mark.parametrize("dead", [True, False])
def test_lost_where_nothing_looks_is_the_edge_of_coverage(dead):
    reach = ((-100.0, -100.0), (100.0, -100.0), (100.0, 100.0), (-100.0, 100.0))
    sensors = table(
        Sensor("radar", kind=SensorKind.RADAR, coverage=() if dead else reach, p_detect=0.9)
    )
    sky = Sky(zone("A", FIELD), sensors=sensors)
    sky.fly(seconds(0, 3), lambda t: (500.0, 500.0))
    sky.fly(seconds(3.5, 8), lambda t: None, dead=["radar"] if dead else [])
    assert sky.words()[-1] == (StayWord.COVERAGE_EDGE, 6.0)


def test_a_lost_one_that_is_found_inside_goes_on_with_its_stay():
    sky = Sky(zone("A", FIELD))
    sky.fly(seconds(0, 3), lambda t: (500.0, 500.0))
    sky.fly(seconds(3.5, 60), lambda t: None)
    sky.fly(seconds(60.5, 62), lambda t: (510.0, 500.0))
    assert sky.words()[-2:] == [(StayWord.LOST, 6.0), (StayWord.INSIDE, 60.5)]
    assert sky.last(StayWord.INSIDE).gap_ns[0] == 57.5 * SECOND


def test_last_seen_outside_is_an_exit_and_not_a_loss():
    sky = Sky(zone("A", FIELD))
    sky.fly(seconds(0, 3), lambda t: (1000.0 - 10.0 * (2.5 - t), 500.0))
    sky.fly(seconds(3.5, 12), lambda t: None)
    assert sky.words()[-1] == (StayWord.EXITED, 7.5)
    assert s(sky.last(StayWord.EXITED).end_ns[0]) == pytest.approx(2.5, abs=1e-6)


@pytest.mark.parametrize("how", ["expires", "is deleted"])
def test_a_zone_that_ends_ends_its_stays_and_is_no_exit(how):
    until = T0 + 5 * SECOND if how == "expires" else None
    sky = Sky(zone("A", FIELD, valid_to_ns=until), zone("B", FIELD))
    sky.fly(seconds(0, 4.5), lambda t: (500.0, 500.0))
    if how == "is deleted":
        sky.airspace.zones = ZoneIndex(Zones.of([zone("B", FIELD)]), TILE)
    sky.fly(seconds(5, 7), lambda t: (500.0, 500.0))
    ended = [(t, stay) for t, stay in sky.told if stay.word[0] == StayWord.ZONE_ENDED]
    assert [(t, s(stay.end_ns[0])) for t, stay in ended] == [(5.0, 4.5)]
    assert StayWord.EXITED not in [stay.word[0] for _, stay in sky.told]
    going_on = [stay for t, stay in sky.told if t == 7.0]
    assert [s(stay.onset_ns[0]) for stay in going_on] == [0.0]  # zone B


def test_a_zone_that_is_redrawn_goes_on_by_its_id():
    sky = Sky(zone("B", FIELD))
    sky.fly(seconds(0, 4), lambda t: (500.0, 500.0))
    wider = zone("B", [box(-500, -500, 1500, 1500)])
    sky.airspace.zones = ZoneIndex(Zones.of([zone("A", FIELD), wider]), TILE)
    sky.fly(seconds(4.5, 6), lambda t: (500.0, 500.0))
    stays = {int(stay.zone[0]): stay for t, stay in sky.told if t == 6.0}
    assert s(stays[1].onset_ns[0]) == 0.0
    assert s(stays[0].onset_ns[0]) == 4.5
    sky.airspace.zones = ZoneIndex(Zones.of([zone("B", [box(2000, 0, 3000, 1000)])]), TILE)
    sky.fly(seconds(6.5, 12), lambda t: (500.0, 500.0))
    assert [stay.word[0] for _, stay in sky.told][-1] == StayWord.EXITED


def test_a_future_zone_holds_nobody():
    sky = Sky(zone("A", FIELD, valid_from_ns=T0 + 5 * SECOND))
    sky.fly(seconds(0, 7), lambda t: (500.0, 500.0))
    assert sky.words() == [(StayWord.ENTERING, 5.0), (StayWord.INSIDE, 6.0)]
    assert s(sky.last(StayWord.INSIDE).onset_ns[0]) == 5.0


def test_several_volumes_are_one_zone():
    sky = Sky(zone("A", FIELD, [box(1000, 0, 2000, 1000)]))
    sky.fly(seconds(0, 100), lambda t: (900.0 + 2.0 * t, 500.0), place_sd=5.0)
    assert sky.words() == [(StayWord.ENTERING, 0.0), (StayWord.INSIDE, 1.0)]


def test_several_zones_are_judged_apart_in_any_order():
    sky = Sky(zone("B", FIELD), zone("A", [box(500, 0, 2000, 1000)]))
    sky.fly(seconds(0, 10), lambda t: (401.0 + 20.0 * t, 500.0))
    assert sky.words(1)[0] == (StayWord.ENTERING, 0.0)
    assert sky.words(0)[0] == (StayWord.ENTERING, 5.0)


@pytest.mark.parametrize("north", [-4.0, 0.0])
def test_a_thousand_noisy_points_on_an_edge_never_flap(north):
    rng = np.random.default_rng(3)
    sky = Sky(zone("A", FIELD))
    for k in range(1000):
        noise = rng.normal(0.0, 3.0, 2)
        t = 0.1 * k
        t_ns = T0 + round(t * SECOND)
        sky.at(t, point(t_ns, 500.0 + noise[0], north + noise[1], place_sd=3.0))
    words = [word for word, _ in sky.words()]
    assert words.count(StayWord.INSIDE) <= 1
    assert StayWord.EXITED not in words
    assert StayWord.CROSSED not in words


def test_jitter_along_a_boundary_whose_truth_stays_outside_is_never_inside():
    rng = np.random.default_rng(4)
    sky = Sky(zone("A", FIELD))
    error = np.zeros(2)
    for k in range(6000):
        # Errors of a tracker: 2 m, remembered over a second.
        error = 0.905 * error + rng.normal(0.0, 2.0 * np.sqrt(1.0 - 0.905**2), 2)
        t = 0.1 * k
        t_ns = T0 + round(t * SECOND)
        sky.at(t, point(t_ns, 2.0 * t + error[0], -6.0 + error[1], place_sd=2.0))
    assert StayWord.INSIDE not in [word for word, _ in sky.words()]


@pytest.mark.parametrize(
    "given",
    [
        {"kind": Kind.HELICOPTER},
        {"kind": Kind.UAS, "status": Status.TENTATIVE},
    ],
)
def test_who_is_manned_or_not_sure_to_be_there_is_no_loss_to_search_for(given):
    sky = Sky(zone("A", FIELD))
    sky.fly(seconds(0, 3), lambda t: (500.0, 500.0), **given)
    sky.fly(seconds(3.5, 8), lambda t: None)
    assert sky.last(StayWord.LOST).sure[0] == 0


def test_unknown_height_in_a_zone_with_limits_is_neither_inside_nor_outside():
    sky = Sky(zone("A", FIELD, ceiling_m=100.0, ceiling_ref="agl"))
    made = sky.at(0.0, point(T0, 500.0, 500.0, np.nan))
    assert np.isnan(made.inside.p_inside).tolist() == [True]
    assert made.inside.p_footprint.tolist() == [1.0]
    assert made.inside.height_unknown.tolist() == [1]
    assert not len(made.stays)
    # A stay is not ended by a height that fails.
    sky.fly(seconds(1, 3), lambda t: (500.0, 500.0))
    sky.fly(seconds(3.5, 12), lambda t: (500.0, 500.0, np.nan))
    sky.fly([12.5], lambda t: (500.0, 500.0))
    assert [word for word, _ in sky.words()] == [StayWord.ENTERING, StayWord.INSIDE]


def airfield():
    """One runway along east, 3 km, elevation 3 m."""
    ends = []
    for name, east in (("09", -1500.0), ("27", 1500.0)):
        lat, lon, _ = TILE.to_geodetic(np.array([[east, 0.0, np.nan]]), h_ref=0.0)
        ends.append(End(name, (lon[0], lat[0]), (lon[0], lat[0]), 3.0))
    reference = (TILE.lon0, TILE.lat0)
    return surfaces(Aerodrome("F", reference, 3.0, (Runway((ends[0], ends[1]), 3000.0),)))


def test_nested_surfaces_have_one_head_that_stays_and_the_lowest_is_deepest():
    zones = airfield()
    sky = Sky(*zones)
    heads, deepest = [], []
    for t in seconds(0, 60, 1.0):
        # Out along the approach to 27, 80 m up: over approach, inner horizontal, climb, conical.
        made = sky.at(t, point(T0 + round(t * SECOND), 2500.0 + 60.0 * t, 50.0, 80.0))
        inside = made.inside
        assert len(inside) > 1 or t > 20
        nested = sky.airspace.zones.kind[inside.zone] == ZoneKind.OBSTACLE_SURFACE
        assert nested.all()
        if len(inside):
            heads.append(set(inside.head[inside.p_inside >= 0.2].tolist()))
            deepest.append(int(inside.zone[inside.margin_m.argmax()]))
    assert len(set().union(*heads)) == 1
    assert len(set(deepest)) > 1  # the lowest surface changes on the way, the head does not


def test_state_survives_a_restart_at_any_slice():
    def story(t):
        east = 20.0 * (t - 5.2) if t < 20 else 500.0
        return None if 24 < t < 30 else (east, 500.0)

    zones = [zone("A", FIELD), *airfield()]
    whole = Sky(*zones)
    whole.fly(seconds(0, 45), story)
    want = [(t, [getattr(stay, n).tolist() for n, *_ in stay.schema()]) for t, stay in whole.told]
    for cut in (3.0, 5.5, 6.0, 7.0, 21.0, 24.5, 26.0, 28.0, 31.0, 38.0):
        first, second = Sky(*zones), Sky(*zones)
        first.fly([t for t in seconds(0, 45) if t <= cut], story)
        second.airspace.restore(first.airspace.state())
        second.fly([t for t in seconds(0, 45) if t > cut], story)
        told = first.told + second.told
        got = [(t, [getattr(stay, n).tolist() for n, *_ in stay.schema()]) for t, stay in told]
        assert repr(got) == repr(want), cut


def test_a_standing_drone_is_in_no_zone():
    sky = Sky(zone("A", FIELD))
    made = sky.at(0.0, replace(point(T0, 500.0, 500.0, 1.0)))
    assert len(made.inside) == 1  # it says nothing of standing
