"""Time as text: nanoseconds UTC to ISO 8601 by integers alone."""

_DAY_S = 86_400


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
