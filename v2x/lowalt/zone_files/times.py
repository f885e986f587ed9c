"""Days, clock times and moments as zone files spell them."""

import re
from typing import Any

import numpy as np

from v2x.errors import ConfigError
from v2x.lowalt.schedules import DAYS
from v2x.lowalt.sun import DAY, EVENTS

_CLOCK = re.compile(
    r"[Tt]?(\d\d):(\d\d)(?::(\d\d)(?:[.,]\d{1,9})?)?\s*([Zz]|[+-]\d\d:?\d\d)?", re.ASCII
)
_OFFSET = re.compile(r"([Zz])|([+-])(\d\d):?(\d\d)", re.ASCII)


def day_set(where: str, days: Any) -> frozenset[int]:
    """Weekdays, 0 Monday, of a list of names; ANY, or nothing at all, is every day."""
    if days is None:
        return frozenset(range(7))
    names = [days] if isinstance(days, str) else days
    if not isinstance(names, list) or not names:
        raise ConfigError(f"{where}: days must be a list of {', '.join(DAYS)} or ANY")
    made: set[int] = set()
    for name in names:
        word = name.upper()[:3] if isinstance(name, str) else ""
        if word == "ANY":
            made |= set(range(7))
        elif word in DAYS:
            made.add(DAYS.index(word))
        else:
            raise ConfigError(f"{where}: day {name!r} is none of {', '.join(DAYS)}, ANY")
    return frozenset(made)


def offset_minutes(where: str, text: Any) -> int:
    """Minutes east of UTC of ``Z`` or ``+08:00``."""
    match = _OFFSET.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None or int(match[3] or 0) > 14 or int(match[4] or 0) > 59:
        raise ConfigError(f"{where}: zone {text!r} is not Z or like +08:00")
    if match[1]:
        return 0
    minutes = int(match[3]) * 60 + int(match[4])
    return -minutes if match[2] == "-" else minutes


def clock(where: str, key: str, text: Any) -> tuple[int, int | None]:
    """Minute of the day and, if the text has one, minutes east of UTC.

    Seconds are dropped: schedules are to the minute; 24:00 is the end of the day.
    """
    match = _CLOCK.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None:
        raise ConfigError(f"{where}: {key} {text!r} is not a time like 22:00")
    minute = int(match[1]) * 60 + int(match[2])
    if int(match[2]) > 59 or int(match[3] or 0) > 59 or minute > 1440:
        raise ConfigError(f"{where}: {key} {text!r}: no such time of day")
    return minute, None if match[4] is None else offset_minutes(f"{where}: {key}", match[4])


def clock_mark(where: str, key: str, tree: dict[str, Any]) -> int | str:
    """Minute of the day, or the name of an event of the sun, of `key`."""
    value = tree.get(key)
    if isinstance(value, str) and value.strip().upper() in EVENTS:
        return value.strip().upper()
    minute, offset = clock(where, key, value)
    if offset is not None:
        raise ConfigError(f"{where}: {key} {value!r}: the zone stands in `zone`")
    return minute


def spelled(t_ns: int) -> str:
    """ISO 8601, UTC, to the nanosecond where it needs that; exact for any year of four digits."""
    day, rest = divmod(t_ns, DAY)
    second, part = divmod(rest, 1_000_000_000)
    made = (
        f"{np.datetime64(day, 'D')}T{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"
    )
    return f"{made}.{part:09d}".rstrip("0") + "Z" if part else f"{made}Z"
