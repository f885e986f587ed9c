"""Mode S messages as an aircraft or vehicle sends them, and as receivers hand them on: encoders.

For tests, the demo and benchmarks. Layouts are those of `v2x.ingest.formats.adsb`.
"""

import numpy as np

from v2x.ingest.modes import AIR, CALLSIGN, CPR, SURFACE, movement_kt, remainder, zones


def encode_squitter(icao: int, me: int, *, df: int = 17, ca: int = 5) -> bytes:
    """Extended squitter of a 56-bit ME field, with its parity; `ca` is CF in DF 18."""
    body = bytes([df << 3 | ca]) + icao.to_bytes(3, "big") + me.to_bytes(7, "big")
    parity = int(remainder(np.frombuffer(body + bytes(3), np.uint8), 14))
    return body + parity.to_bytes(3, "big")


def encode_airborne_position(
    icao: int, lat: float, lon: float, baro_ft: float | None, odd: bool, tc: int = 11
) -> bytes:
    """Airborne position: degrees, and feet of pressure altitude (height with `tc` 20 to 22).

    Altitude goes out in steps of 25 ft, -975 to 50,175 ft; None is unknown.
    """
    code = 0
    if baro_ft is not None:
        steps = round((baro_ft + 1000) / 25)
        if not 0 < steps < 2048:
            raise ValueError(f"altitude {baro_ft} ft does not fit 25 ft steps")
        code = (steps >> 4) << 5 | 0x10 | steps & 15
    y, x = _compact(lat, lon, odd, AIR)
    me = tc << 51 | code << 36 | int(odd) << 34 | y << 17 | x
    return encode_squitter(icao, me)


def _compact(lat: float, lon: float, odd: bool, span: float) -> tuple[int, int]:
    """Compact latitude and longitude, 17 bits each."""
    d = span / (60 - odd)
    y = int(np.floor(CPR * (lat % d) / d + 0.5))
    lat_sent = d * (y / CPR + np.floor(lat / d))
    d = span / max(zones(lat_sent) - odd, 1)
    x = int(np.floor(CPR * (lon % d) / d + 0.5))
    return y & 0x1FFFF, x & 0x1FFFF


def _signed(value: float, step: float, most: int) -> tuple[int, int]:
    """Sign bit, and magnitude in steps plus one."""
    steps = round(abs(value) / step)
    if steps + 1 > most:
        raise ValueError(f"{value} is beyond {most - 1} steps of {step}")
    return int(value < 0 and steps > 0), steps + 1


def encode_velocity(
    icao: int,
    ve_kt: float | None,
    vn_kt: float | None,
    climb_fpm: float | None = None,
    gnss_minus_baro_ft: float | None = None,
    *,
    nacv: int = 2,
) -> bytes:
    """Velocity over ground (TC 19, subtype 1): knots to 1021, ft/min to 32,576, feet to 3,125."""
    west, east = (0, 0) if ve_kt is None else _signed(ve_kt, 1, 1022)
    south, north = (0, 0) if vn_kt is None else _signed(vn_kt, 1, 1022)
    down, climb = (0, 0) if climb_fpm is None else _signed(climb_fpm, 64, 510)
    below, gnss = (0, 0) if gnss_minus_baro_ft is None else _signed(gnss_minus_baro_ft, 25, 126)
    me = (
        19 << 51 | 1 << 48 | nacv << 43 | west << 42 | east << 32 | south << 31 | north << 21
        | down << 19 | climb << 10 | below << 7 | gnss
    )  # fmt: skip
    return encode_squitter(icao, me)


def encode_identification(icao: int, callsign: str, category: str = "A0") -> bytes:
    """Identification (TC 1 to 4): up to 8 of A-Z, 0-9 and blank; category "A0" to "D7"."""
    if len(callsign) > 8 or any(c == "#" or c not in CALLSIGN for c in callsign):
        raise ValueError(f"callsign {callsign!r} is not up to 8 of A-Z, 0-9 and blank")
    me = (4 - "ABCD".index(category[0])) << 51 | int(category[1]) << 48
    for k, c in enumerate(callsign.ljust(8)):
        me |= CALLSIGN.index(c) << (42 - 6 * k)
    return encode_squitter(icao, me)


def encode_operational_status(
    icao: int, nacp: int, *, version: int = 2, nic_a: int = 0, sil: int = 0, surface: int = -1
) -> bytes:
    """Operational status (TC 31): accuracy, NIC supplement A, integrity.

    `surface` is NIC supplement C of a vehicle or aircraft on the ground, -1 in the air.
    """
    me = 31 << 51 | version << 13 | nic_a << 12 | nacp << 8 | sil << 4
    if surface >= 0:
        me |= 1 << 48 | surface << 36
    return encode_squitter(icao, me)


def encode_target_state(icao: int, nacp: int, sil: int, *, subtype: int = 1) -> bytes:
    """Target state and status (TC 29): accuracy and integrity, and no target."""
    return encode_squitter(icao, 29 << 51 | subtype << 49 | nacp << 13 | sil << 10)


def encode_emergency(icao: int, state: int, code: int) -> bytes:
    """Emergency state 0 to 7 and squawk, four octal digits as a decimal number (TC 28)."""
    return encode_squitter(icao, 28 << 51 | 1 << 48 | state << 45 | _identity(code) << 32)


def _identity(code: int) -> int:
    """13-bit identity of four octal digits."""
    a, b, c, d = (code // 10**k % 10 for k in (3, 2, 1, 0))
    if max(a, b, c, d) > 7 or not 0 <= code <= 7777:
        raise ValueError(f"squawk {code} is not four octal digits")
    made = 0
    for digit, places in ((a, (11, 9, 7)), (b, (5, 3, 1)), (c, (12, 10, 8)), (d, (4, 2, 0))):
        for k, place in enumerate(places):
            made |= (digit >> k & 1) << place
    return made


MOVEMENTS = tuple(float(movement_kt(code)) for code in range(1, 125))


def encode_surface_position(
    icao: int, lat: float, lon: float, speed_kt: float | None, track_deg: float | None, odd: bool,
    tc: int = 7,
) -> bytes:  # fmt: skip
    """Position on the ground: degrees, knots (to the lower edge of a step), degrees from north."""
    movement = 0 if speed_kt is None else sum(edge <= speed_kt for edge in MOVEMENTS)
    heading = 0 if track_deg is None else 0x80 | round(track_deg * 128 / 360) & 0x7F
    y, x = _compact(lat, lon, odd, SURFACE)
    me = tc << 51 | movement << 44 | heading << 36 | int(odd) << 34 | y << 17 | x
    return encode_squitter(icao, me)


def encode_reply(df: int, address: int, code: int = 0, *, status: int = 0) -> bytes:
    """Reply of DF 4, 5, 20 or 21 (flight status), 0 or 16 (vertical status), or 11.

    `code` is the altitude in feet of a multiple of 25, or the squawk in DF 5 and 21.
    """
    if df == 11:
        body = bytes([df << 3 | 5]) + address.to_bytes(3, "big")
    else:
        if df in (5, 21):
            field = _identity(code)
        else:
            steps = (code + 1000) // 25
            field = (steps >> 5) << 7 | (steps >> 4 & 1) << 5 | 0x10 | steps & 15
        first = df << 3 | (status << 2 if df in (0, 16) else status)
        body = bytes([first, 0]) + field.to_bytes(2, "big") + bytes(7 if df >= 16 else 0)
    size = len(body) + 3
    parity = int(remainder(np.frombuffer(body + bytes(3), np.uint8), size))
    return body + (parity ^ (0 if df == 11 else address)).to_bytes(3, "big")


def encode_beast(message: bytes, clock: int = 0, level: int = 0x80) -> bytes:
    """Message in Beast binary; `clock` is 48 bits."""
    kind = {2: 0x31, 7: 0x32, 14: 0x33}[len(message)]
    body = clock.to_bytes(6, "big") + bytes([level]) + message
    return bytes([0x1A, kind]) + body.replace(b"\x1a", b"\x1a\x1a")


def gnss_clock(t_ns: int) -> int:
    """Beast clock of a receiver whose clock is GNSS: second of day, and ns of the second."""
    return t_ns // 1_000_000_000 % 86_400 << 30 | t_ns % 1_000_000_000
