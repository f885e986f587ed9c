"""Time as text: nanoseconds UTC to ISO 8601 and back, by integers alone."""

import re

_DAY_S = 86_400
_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])(\d\d):(\d\d))", re.A
)
_MONTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def iso_utc(t_ns: int) -> str:
    """ISO 8601 text in UTC: 3 decimals where they are exact, else 9.

    The number of decimals never falls below 3, so that texts of times on the slice grid sort as
    the times do. Days to a civil date by the affine functions of the 400-year era, exact for
    every int64.
    """
    second, part = divmod(int(t_ns), 1_000_000_000)
    day, second = divmod(second, _DAY_S)
    day += 719_468  # from 1970-01-01 to 0000-03-01
    era, doe = divmod(day, 146_097)
    yoe = (doe - doe // 1_460 + doe // 36_524 - doe // 146_096) // 365
    doy = doe - (365 * yoe + yoe // 4 - yoe // 100)
    shifted = (5 * doy + 2) // 153  # 0 is March
    date = doy - (153 * shifted + 2) // 5 + 1
    month = shifted + 3 if shifted < 10 else shifted - 9
    year = yoe + era * 400 + (month <= 2)
    hour, rest = divmod(second, 3_600)
    minute, second = divmod(rest, 60)
    decimals = f"{part:09d}" if part % 1_000_000 else f"{part // 1_000_000:03d}"
    return f"{year:04d}-{month:02d}-{date:02d}T{hour:02d}:{minute:02d}:{second:02d}.{decimals}Z"


def ns_of(text: str) -> int:
    """Nanoseconds UTC of an ISO 8601 text that says its offset from UTC.

    Raises
    ------
    ValueError
        It is no such text, or there is no such time.
    """
    parts = _TIME.fullmatch(text)
    if parts is None:
        raise ValueError(f"{text!r}: wanted a time like 2026-03-01T10:00:00+08:00")
    year, month, day, hour, minute, second = (int(parts[i]) for i in range(1, 7))
    leap = month == 2 and year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    real = 1 <= month <= 12 and 1 <= day <= _MONTHS[month - 1] + leap
    ahead_min = int(parts[9] or 0) * 60 + int(parts[10] or 0)
    if not real or hour > 23 or minute > 59 or second > 59 or ahead_min >= 24 * 60:
        raise ValueError(f"{text!r}: there is no such time")
    if parts[8] == "-":
        ahead_min = -ahead_min
    y = year - (month <= 2)
    era, yoe = divmod(y, 400)
    doy = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    days = era * 146_097 + yoe * 365 + yoe // 4 - yoe // 100 + doy - 719_468
    seconds = days * _DAY_S + hour * 3_600 + minute * 60 + second - ahead_min * 60
    return seconds * 1_000_000_000 + int((parts[7] or "0").ljust(9, "0"))
