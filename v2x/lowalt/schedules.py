"""Weekly times during which a zone is in force, by the clock or by the sun.

A period belongs to the day on which it starts: one from 22:00 to 06:00 on Mondays ends on Tuesday.
Clock times are those of the zone's own offset from UTC; China keeps +08:00 without summer time.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from v2x.lowalt.sun import DAY, EVENTS, event_ns

DAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
MINUTE = 60 * 1_000_000_000
CHINA = 8 * 60
"""Minutes east of UTC."""

_THURSDAY = 3
"""Weekday of 1970-01-01."""
_REACH = 2
"""Days around a time whose periods may hold it: one long, one of offset."""


@dataclass(frozen=True)
class Period:
    """One line of a schedule.

    Attributes
    ----------
    days
        Weekdays it starts on, 0 Monday.
    start, end
        Minute of the local day, 0..1440, or an event of `v2x.lowalt.sun`. An end not after the
        start is on the next day.
    offset_min
        Local clock minus UTC, minutes.
    """

    days: frozenset[int]
    start: int | str
    end: int | str
    offset_min: int = CHINA

    def spans(self, day: int, lat: float, lon: float) -> Iterator[tuple[int, int]]:
        """Yield begin and end, ns UTC, of the one that starts on local day `day` since 1970.

        None comes on other weekdays, and where an event of the sun does not happen.
        """
        if (day + _THURSDAY) % 7 not in self.days:
            return
        begin = self._at(self.start, day, lat, lon)
        end = self._at(self.end, day, lat, lon)
        if begin is None or end is None:
            return
        if end <= begin:
            end = self._at(self.end, day + 1, lat, lon)
            if end is None:
                return
        yield begin, end

    def _at(self, mark: int | str, day: int, lat: float, lon: float) -> int | None:
        midnight = day * DAY - self.offset_min * MINUTE
        if isinstance(mark, str):
            return event_ns(mark, midnight + DAY // 2, lat, lon)
        return midnight + mark * MINUTE

    def canonical(self) -> list[object]:
        """All of it in a form that has one spelling."""
        return [sorted(self.days), self.start, self.end, self.offset_min]


def valid_mark(mark: int | str) -> bool:
    """Tell whether it can begin or end a period."""
    return mark in EVENTS if isinstance(mark, str) else 0 <= mark <= 1440


def in_force(periods: Sequence[Period], t_ns: int, lat: float, lon: float) -> tuple[bool, int, int]:
    """Tell whether any period holds `t_ns`, and from when to when that answer stays.

    Begins are inclusive, ends exclusive. The place is that of the sun.
    """
    since, until = t_ns - DAY, t_ns + DAY
    held = False
    for period in periods:
        today = (t_ns + period.offset_min * MINUTE) // DAY
        for day in range(today - _REACH, today + _REACH + 1):
            for begin, end in period.spans(day, lat, lon):
                held |= begin <= t_ns < end
                for edge in (begin, end):
                    if edge <= t_ns:
                        since = max(since, edge)
                    else:
                        until = min(until, edge)
    return held, since, until
