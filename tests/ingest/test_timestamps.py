"""Civil time and partial clocks against the standard library."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from v2x.ingest.timestamps import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    civil_ns,
    iso,
    nearest,
    parse_iso,
    suspect,
)

T = 1_795_486_272_345_000_000


@given(st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1)))
def test_civil_dates_are_those_of_the_calendar(when):
    whole = when.replace(microsecond=0, tzinfo=UTC)
    second = whole.hour * 3600 + whole.minute * 60 + whole.second
    want = (whole - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)
    assert civil_ns(whole.year, whole.month, whole.day, second) == want * SECOND


@given(
    st.integers(0, 1 << 61),
    st.integers(0, DAY - 1),
    st.sampled_from([MINUTE, HOUR, DAY]),
)
def test_a_partial_clock_is_completed_to_the_nearest_full_time(recv, part, period):
    part %= period
    full = nearest(recv, part, period)
    assert full % period == part
    assert abs(full - recv) <= period // 2


def test_a_leap_second_mark_becomes_the_next_second():
    recv = T - T % MINUTE
    assert nearest(recv, 60_500_000_000, MINUTE) == recv + 500_000_000


def test_midnight_between_measurement_and_arrival_keeps_the_right_day():
    midnight = T - T % DAY
    assert nearest(midnight + SECOND, DAY - SECOND, DAY) == midnight - SECOND
    assert nearest(midnight - SECOND, SECOND, DAY) == midnight + SECOND


@pytest.mark.parametrize(
    ("t_ns", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (T, "2026-11-24T02:11:12.345Z"),
        (T + 1, "2026-11-24T02:11:12.345000001Z"),
    ],
)
def test_times_are_written_with_as_many_decimals_as_they_need(t_ns, text):
    assert iso(t_ns) == text


def test_written_times_are_read_back():
    assert parse_iso("2026-11-24T10:11:12.345+08:00") == T
    assert parse_iso(iso(T)) == T
    assert parse_iso("2026-11-24T02:11:12.345") == T


def test_far_stamps_are_suspect_and_near_ones_are_not():
    t = np.array([T, T + 2 * SECOND, T + 2 * SECOND + 1, T - DAY, T - DAY - 1])
    assert suspect(t, np.full(5, T)).tolist() == [False, False, True, False, True]
