"""When the sun rises and sets, for schedules that say so.

The low-precision solar position of the Astronomical Almanac (about 0.01 deg, 1950-2050), and the
hour angle at which the sun's centre stands at a given altitude; the moment is refined twice with
the position at it. Good to about half a minute up to 55 degrees of latitude, which is finer than a
legal time to the minute asks for: refraction alone varies by more.
"""

import math

DAY = 86_400 * 1_000_000_000
_HALF_DAY = DAY // 2
_J2000 = 946_728_000 * 1_000_000_000
"""2000-01-01T12:00Z in ns since 1970."""

ALTITUDE_DEG = {"BMCT": -6.0, "SR": -0.833, "SS": -0.833, "EECT": -6.0}
"""Altitude of the sun's centre at each event; half a disc and refraction are in 0.833."""
EVENTS = tuple(ALTITUDE_DEG)
"""Begin of morning civil twilight, sunrise, sunset, end of evening civil twilight: ED-318."""


def _sun(t_ns: int) -> tuple[float, float]:
    """Declination, rad, and equation of time, days, at a time."""
    n = (t_ns - _J2000) / DAY
    mean = math.radians((280.460 + 0.9856474 * n) % 360.0)
    anomaly = math.radians((357.528 + 0.9856003 * n) % 360.0)
    ecliptic = mean + math.radians(1.915 * math.sin(anomaly) + 0.020 * math.sin(2.0 * anomaly))
    tilt = math.radians(23.439 - 4e-7 * n)
    right = math.atan2(math.cos(tilt) * math.sin(ecliptic), math.cos(ecliptic))
    late = math.remainder(mean - right, 2.0 * math.pi)
    return math.asin(math.sin(tilt) * math.sin(ecliptic)), late / (2.0 * math.pi)


def event_ns(name: str, noon_ns: int, lat: float, lon: float) -> int | None:
    """Ns UTC of an event of the solar day whose local noon is nearest to `noon_ns`.

    None where it does not happen: polar day and night, and their twilights.
    """
    rising = name in ("BMCT", "SR")
    altitude, phi = math.radians(ALTITUDE_DEG[name]), math.radians(lat)
    # Mean solar noon of the place, nearest to the one asked for.
    offset = round(lon / 360.0 * DAY)
    days = round((noon_ns + offset - _HALF_DAY) / DAY)
    noon = days * DAY + _HALF_DAY - offset
    moment = noon
    for _ in range(3):
        declination, equation = _sun(moment)
        cosine = math.sin(altitude) - math.sin(phi) * math.sin(declination)
        cosine /= math.cos(phi) * math.cos(declination)
        if not -1.0 <= cosine <= 1.0:
            return None
        half = math.acos(cosine) / (2.0 * math.pi)
        moment = noon + round((-half if rising else half) * DAY - equation * DAY)
    return moment
