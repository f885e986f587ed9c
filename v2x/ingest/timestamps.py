"""Civil time and partial clocks, in integer nanoseconds UTC.

Wires carry a minute, an hour or a day without its date; `nearest` completes them from the arrival.
All functions take scalars or arrays; kernels use `civil_ns`.
"""

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np

from v2x.jit import uncounted

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

FUTURE_NS = 2 * SECOND
PAST_NS = DAY
"""Outside (-PAST_NS, FUTURE_NS) of arrival a time is suspect: flagged, never 'latest'."""


@uncounted
def civil_ns(year: int, month: int, day: int, second_of_day: int) -> int:
    """UTC ns of a proleptic Gregorian date (month 1..12, day 1..31; not checked).

    Days from civil by Euclidean affine functions of the era; exact for all int64 years in use.
    """
    y = year - 1 if month <= 2 else year
    era = y // 400
    yoe = y - era * 400
    doy = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    doe = yoe * 365 + yoe // 4 - yoe // 100 + doy
    days = era * 146097 + doe - 719468
    return (days * 86400 + second_of_day) * 1_000_000_000


@uncounted
def nearest(recv_ns: int, part_ns: int, period_ns: int) -> int:
    """Full time whose remainder by `period_ns` is `part_ns` and that is nearest to `recv_ns`.

    The difference to `recv_ns` is at most half a period. `part_ns` may exceed the period (leap
    second marks): it carries over.
    """
    base = recv_ns - recv_ns % period_ns + part_ns
    half = period_ns // 2
    if base - recv_ns > half:
        base -= period_ns
    elif recv_ns - base > half:
        base += period_ns
    return base


WHOLE_HOUR_NS = 5 * SECOND
"""How far behind a whole hour a clock of another time zone may look: the way to us; ours."""


@uncounted
def clock_wrong(t_ns: int, recv_ns: int) -> bool:
    """Whether a time that a live sender put on a message just made cannot be right.

    More than 2 s ahead of its arrival, a day behind, or whole hours: local time sent as UTC. Not
    for formats that send what they stored: those may well be hours late.
    """
    ahead = t_ns - recv_ns
    if ahead > FUTURE_NS or -ahead > PAST_NS:
        return True
    behind = (-ahead) % HOUR
    return -ahead >= HOUR - FUTURE_NS and (behind <= WHOLE_HOUR_NS or HOUR - behind <= FUTURE_NS)


def suspect(t_ns: Any, recv_ns: Any) -> Any:
    """Where a time lies more than 2 s after or a day before its arrival."""
    t, r = np.asarray(t_ns), np.asarray(recv_ns)
    return (t - r > FUTURE_NS) | (r - t > PAST_NS)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def iso(t_ns: int) -> str:
    """ISO 8601 text, UTC, as many decimals as the nanoseconds need (0, 3, 6 or 9)."""
    whole, part = divmod(int(t_ns), SECOND)
    try:
        text = (_EPOCH + timedelta(seconds=whole)).strftime("%Y-%m-%dT%H:%M:%S")
    except OverflowError:
        return f"{t_ns} ns"
    if part:
        digits = f"{part:09d}"
        for keep in (3, 6, 9):
            if not digits[keep:].strip("0"):
                text += "." + digits[:keep]
                break
    return text + "Z"


def parse_iso(text: str) -> int:
    """UTC ns of an ISO 8601 text; without an offset it is taken as UTC."""
    return _ns_of(datetime.fromisoformat(text), 0)


def zoned_ns(text: str, zone_min: int | None = None) -> int:
    """UTC ns of an ISO 8601 text of a wire, to the nanosecond.

    Without an offset of its own the text is `zone_min` minutes ahead of UTC.

    Raises
    ------
    ValueError
        It is no such text, or nobody says its offset.
    """
    parts = _FRACTION.search(text)
    nanos = 0
    if parts is not None:  # datetime holds six digits
        nanos = int(parts[1][:9].ljust(9, "0"))
        text = text[: parts.start()] + text[parts.end() :]
    t = datetime.fromisoformat(text)
    if t.tzinfo is None and zone_min is None:
        raise ValueError(f"{text!r} does not say its offset from UTC")
    return _ns_of(t, zone_min or 0) + nanos


_FRACTION = re.compile(r"[.,](\d{1,32})(?=$|[Zz+-])")


def _ns_of(t: datetime, zone_min: int) -> int:
    if t.tzinfo is None:
        t = t.replace(tzinfo=timezone(timedelta(minutes=zone_min)))
    delta = t - _EPOCH
    return (delta.days * 86400 + delta.seconds) * SECOND + delta.microseconds * 1000


def to_ns(seconds: float) -> int:
    """Seconds to integer ns, rounded to the nearest."""
    return round(seconds * SECOND)
