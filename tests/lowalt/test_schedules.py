"""Hours of the week and of the sun."""

import datetime

import numpy as np
import pytest
from astral import Observer, sun
from hypothesis import given
from hypothesis import strategies as st

from v2x.lowalt.files import parse_time
from v2x.lowalt.schedules import MINUTE, Period, in_force
from v2x.lowalt.sun import DAY, event_ns

LAT, LON = 39.1244, 117.3460
WEEK = frozenset(range(7))
MONDAY = parse_time("2026-05-04T00:00:00+08:00")
HOUR = 60 * MINUTE


def held(period, t_ns, lat=LAT, lon=LON):
    return in_force([period], t_ns, lat, lon)[0]


def test_a_period_holds_from_its_first_minute_to_before_its_last():
    office = Period(frozenset({0, 1}), 8 * 60, 17 * 60 + 30)
    begin, end = MONDAY + 8 * HOUR, MONDAY + 17 * HOUR + 30 * MINUTE
    assert [held(office, t) for t in (begin - 1, begin, end - 1, end)] == [False, True, True, False]
    assert held(office, begin + DAY)
    assert not held(office, begin + 2 * DAY)


def test_a_night_belongs_to_the_day_it_starts_on():
    night = Period(frozenset({0}), 22 * 60, 6 * 60)
    assert held(night, MONDAY + 23 * HOUR)
    assert held(night, MONDAY + 29 * HOUR)
    assert not held(night, MONDAY + 5 * HOUR)
    assert not held(night, MONDAY + DAY + 23 * HOUR)


def test_a_whole_day_ends_where_the_next_begins():
    for end in (1440, 0):
        day = Period(frozenset({2}), 0, end)
        wednesday = MONDAY + 2 * DAY
        assert held(day, wednesday)
        assert held(day, wednesday + DAY - 1)
        assert not held(day, wednesday + DAY)
        assert not held(day, wednesday - 1)


def test_the_clock_is_that_of_the_zone_and_not_utc():
    noon = Period(WEEK, 12 * 60, 13 * 60, offset_min=0)
    assert held(noon, parse_time("2026-05-04T12:30:00Z"))
    assert not held(noon, parse_time("2026-05-04T12:30:00+08:00"))


@pytest.mark.parametrize("lat", [39.1244, 0.0, -33.9, 53.5])
def test_the_sun_rises_and_sets_as_astral_says(lat):
    place = Observer(lat, LON, 0.0)
    for day in range(0, 365, 9):
        date = datetime.date(2026, 1, 1) + datetime.timedelta(days=day)
        noon = parse_time(f"{date}T12:00:00+08:00")
        zone = datetime.timezone(datetime.timedelta(hours=8))
        told = {
            "SR": sun.sunrise(place, date, zone),
            "SS": sun.sunset(place, date, zone),
            "BMCT": sun.dawn(place, date, 6, zone),
            "EECT": sun.dusk(place, date, 6, zone),
        }
        for name, moment in told.items():
            ours = event_ns(name, noon, lat, LON)
            assert abs(ours - moment.timestamp() * 1e9) < 60e9, (name, date)


def test_a_sun_that_does_not_set_has_no_sunset():
    june = parse_time("2026-06-21T12:00:00+02:00")
    assert event_ns("SS", june, 70.0, 25.0) is None
    assert not held(Period(WEEK, "SS", "SR"), june, 70.0, 25.0)


def test_from_sunset_to_sunrise_is_the_night():
    night = Period(WEEK, "SS", "SR")
    assert held(night, MONDAY + 1 * HOUR)
    assert not held(night, MONDAY + 12 * HOUR)
    assert held(night, MONDAY + 22 * HOUR)
    dusk = event_ns("SS", MONDAY + 12 * HOUR, LAT, LON)
    assert [held(night, t) for t in (dusk - 1, dusk)] == [False, True]


marks = st.one_of(st.integers(0, 1440), st.sampled_from(["SR", "SS", "BMCT", "EECT"]))
periods = st.builds(
    Period, st.frozensets(st.integers(0, 6), min_size=1), marks, marks, st.sampled_from([480, 0])
)


@given(st.lists(periods, min_size=1, max_size=3), st.integers(0, 14 * 1440))
def test_the_answer_stays_as_long_as_it_says(told, minute):
    t_ns = MONDAY + minute * MINUTE
    answer, since, until = in_force(told, t_ns, LAT, LON)
    assert since <= t_ns < until
    for other in np.linspace(since, until - 1, 7).astype(np.int64).tolist():
        other = min(max(other, since), until - 1)
        assert in_force(told, other, LAT, LON)[0] == answer
