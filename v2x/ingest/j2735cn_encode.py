"""Roadside messages of YD/T 3709-2020 written: RSM, BSM, their envelope and a heartbeat.

SI and degrees in, bytes out, for demonstration drives and tests. NaN is "unknown" and becomes the
schema's own mark for it (speed 8191, heading 28800, elevation left out, size 0). Layout and units
are those of `v2x.ingest.j2735cn`; a value that does not fit its field is a `ValueError`, never a
wrapped number. What this package does not read (acceleration, steering, path) is written as
"unknown" or left out.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, nan

SEC_MARK_UNKNOWN = 65_535
_OFFSET_BITS = (12, 14, 16, 18, 22, 24)
_RISE_BITS = (7, 8, 9, 10, 11, 12)


@dataclass(frozen=True, slots=True)
class Participant:
    """One object of an RSM.

    Attributes
    ----------
    ptc_id
        Number of the sender, 0..65535; 0 is the unit itself.
    ptc_type
        0 unknown, 1 motor, 2 non-motor, 3 pedestrian, 4 roadside unit.
    source
        0 unknown, 1 self, 2 v2x, 3 video, 4 microwave radar, 5 loop, 6 lidar, 7 integrated.
    lat, lon, elevation
        Degrees, and metres above the ellipsoid.
    sec_mark
        Milliseconds of the UTC minute.
    position_code, elevation_code, speed_code, heading_code
        Confidence classes; None leaves the field out (position_code may not be left out).
    ident
        8 octets of the object's own temporary id, or nothing.
    speed, heading
        m/s; degrees clockwise from true north, below 360.
    transmission
        0 neutral, 1 park, 2 forward, 3 reverse, 7 unknown; None leaves it out.
    width, length, height
        Metres.
    vehicle_class, fuel
        Class 0..255 and fuel 0..15; None leaves them out.
    alternative, alternative_up
        Which of the offset forms to use, 0 (narrowest) to 5, or 6 for the place itself; None
        takes the narrowest that holds it.
    """

    ptc_id: int
    lat: float
    lon: float
    elevation: float = nan
    ptc_type: int = 1
    source: int = 0
    sec_mark: int = SEC_MARK_UNKNOWN
    position_code: int = 0
    elevation_code: int | None = None
    speed: float = nan
    heading: float = nan
    speed_code: int | None = None
    heading_code: int | None = None
    ident: bytes = b""
    transmission: int | None = None
    width: float = nan
    length: float = nan
    height: float = nan
    vehicle_class: int | None = None
    fuel: int | None = None
    alternative: int | None = None
    alternative_up: int | None = None


@dataclass(frozen=True, slots=True)
class Vehicle:
    """State of one vehicle, as a BSM tells it.

    Attributes
    ----------
    ident
        8 octets.
    semi_major, semi_minor, orientation
        Error ellipse, one standard deviation in m, major axis in degrees from north; a NaN axis
        leaves the ellipse out.
    position_code, elevation_code, speed_code, heading_code
        Confidence classes; None leaves them out (a position_code is needed for elevation_code).
    acceleration
        Forward, m/s².
    brake, wheel_brakes
        Pedal 1 off, 2 on, 0 unknown; bits 0 unknown, 1 to 4 wheels braked. None leaves them out.
    events
        Bits 0..12: 0 hazard lights, 2 ABS, 7 hard braking; None leaves the extension out.
    response, siren, lights
        Duty (0 none, 1 emergency, 2 non-emergency, ...), siren and lights (1 off, 2 on); None
        leaves them out.

    The other fields are those of `Participant`.
    """

    ident: bytes
    lat: float
    lon: float
    elevation: float = nan
    sec_mark: int = SEC_MARK_UNKNOWN
    semi_major: float = nan
    semi_minor: float = nan
    orientation: float = nan
    position_code: int | None = None
    elevation_code: int | None = None
    transmission: int = 7
    speed: float = nan
    heading: float = nan
    speed_code: int | None = None
    heading_code: int | None = None
    acceleration: float = nan
    brake: int | None = None
    wheel_brakes: int | None = None
    width: float = nan
    length: float = nan
    height: float = nan
    vehicle_class: int = 0
    fuel: int | None = None
    events: int | None = None
    response: int | None = None
    siren: int | None = None
    lights: int | None = None


class _Bits:
    """Bits written one field after the other."""

    def __init__(self) -> None:
        self.value = 0
        self.count = 0

    def put(self, n: int, number: int) -> None:
        """Append `n` bits."""
        if not 0 <= number < 1 << n:
            raise ValueError(f"{number} does not fit {n} bits")
        self.value = (self.value << n) | number
        self.count += n

    def octets(self, n: int, data: bytes) -> None:
        """Append exactly `n` octets."""
        if len(data) != n:
            raise ValueError(f"{len(data)} octets where {n} belong")
        self.put(8 * n, int.from_bytes(data, "big"))

    def bytes(self) -> bytes:
        """Everything, filled up with zero bits."""
        size = max(1, -(-self.count // 8))
        return (self.value << (8 * size - self.count)).to_bytes(size, "big")


def encode_rsm(
    sender: bytes,
    lat: float,
    lon: float,
    elevation: float,
    participants: Sequence[Participant],
    count: int = 0,
) -> bytes:
    """UPER MessageFrame of an RSM.

    Parameters
    ----------
    sender
        8 octets, the unit's id.
    lat, lon, elevation
        Reference position, degrees and m above the ellipsoid (NaN: left out, and with it the
        height of every participant is written as it is).
    participants
        1 to 16.
    count
        Message counter, 0..127.
    """
    if not 1 <= len(participants) <= 16:
        raise ValueError(f"an RSM holds 1 to 16 participants, not {len(participants)}")
    out = _Bits()
    out.put(4, 2)
    out.put(1, 0)
    out.put(7, count)
    out.octets(8, sender)
    origin = _angle(lat), _angle(lon), _metres(elevation, 0.1)
    _position(out, *origin)
    out.put(4, len(participants) - 1)
    for one in participants:
        _participant(out, one, origin)
    return out.bytes()


def encode_bsm(vehicle: Vehicle, count: int = 0) -> bytes:
    """UPER MessageFrame of a BSM; edition makes no difference to what is written."""
    v = vehicle
    ellipse = isfinite(v.semi_major) and isfinite(v.semi_minor)
    motion = v.speed_code is not None or v.heading_code is not None
    emergency = (v.response, v.siren, v.lights)
    has_emergency = any(part is not None for part in emergency)
    out = _Bits()
    out.put(5, 0)
    for present in (
        False, ellipse, v.position_code is not None, False, motion, v.events is not None,
        has_emergency,
    ):  # fmt: skip
        out.put(1, present)
    out.put(7, count)
    out.octets(8, v.ident)
    out.put(16, v.sec_mark)
    _position(out, _angle(v.lat), _angle(v.lon), _metres(v.elevation, 0.1))
    if ellipse:
        out.put(8, min(round(v.semi_major / 0.05), 254))
        out.put(8, min(round(v.semi_minor / 0.05), 254))
        known = isfinite(v.orientation)
        out.put(16, round(v.orientation % 360.0 / 360.0 * 65535) % 65535 if known else 65535)
    if v.position_code is not None:
        _confidence(out, v.position_code, v.elevation_code)
    out.put(3, v.transmission)
    _speed_heading(out, v.speed, v.heading)
    if motion:
        _motion_confidence(out, v.speed_code, v.heading_code)
    forward = round(v.acceleration * 100) if isfinite(v.acceleration) else 2001
    out.put(12, _within(forward, -2000, 2001))
    out.put(12, 4001)
    out.put(8, 0)
    out.put(16, 32767)
    out.put(1, v.brake is not None)
    out.put(1, v.wheel_brakes is not None)
    out.put(5, 0)
    if v.brake is not None:
        out.put(2, _within(v.brake, 0, 2))
    if v.wheel_brakes is not None:
        _bits(out, 5, v.wheel_brakes)
    _size(out, v.width, v.length, v.height)
    _vehicle_class(out, v.vehicle_class, v.fuel)
    if v.events is not None:
        out.put(5, 0b01000)
        out.put(1, 0)
        _bits(out, 13, v.events)
    if has_emergency:
        out.put(1, 0)
        for part in emergency:
            out.put(1, part is not None)
        if v.response is not None:
            out.put(1, 0)
            out.put(3, _within(v.response, 0, 6))
        if v.siren is not None:
            out.put(2, v.siren)
        if v.lights is not None:
            out.put(3, v.lights)
    return out.bytes()


def encode_envelope(rsu_id: str, t_ms: int, frame: bytes | Sequence[bytes]) -> bytes:
    """T/ITS 0117 envelope: of one frame, or of a list of frames as the BSM topic has it."""
    name = rsu_id.encode("ascii")
    if len(name) > 8:
        raise ValueError(f"unit id {rsu_id!r} is longer than 8 characters")
    head = name.ljust(8, b"\0") + t_ms.to_bytes(8, "little")
    if isinstance(frame, bytes):
        return head + len(frame).to_bytes(2, "little") + frame
    parts = b"".join(len(one).to_bytes(2, "little") + one for one in frame)
    return head + len(frame).to_bytes(1, "little") + parts


def encode_heartbeat(rsu_esn: str) -> bytes:
    """HB status message."""
    return _json({"rsuEsn": rsu_esn})


def encode_state(rsu_id: str, t_s: int, faults: dict[str, int] | None = None) -> bytes:
    """STATE status message: fault codes by module, none when healthy."""
    errors = [{module: code} for module, code in (faults or {}).items()]
    return _json({"base": {"tm": t_s, "ID": rsu_id}, "errList": errors})


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _within(number: int, low: int, high: int) -> int:
    """`number` counted from `low`."""
    if not low <= number <= high:
        raise ValueError(f"{number} is outside {low}..{high}")
    return number - low


def _bits(out: _Bits, n: int, value: int) -> None:
    """Bit string: bit 0 goes first."""
    if not 0 <= value < 1 << n:
        raise ValueError(f"{value} is no set of {n} bits")
    for bit in range(n):
        out.put(1, value >> bit & 1)


def _angle(deg: float) -> int | None:
    return round(deg * 1e7) if isfinite(deg) else None


def _metres(value: float, step: float) -> int | None:
    return round(value / step) if isfinite(value) else None


def _latitude(out: _Bits, lat: int | None) -> None:
    out.put(31, _within(900_000_001 if lat is None else lat, -900_000_000, 900_000_001))


def _longitude(out: _Bits, lon: int | None) -> None:
    out.put(32, _within(1_800_000_001 if lon is None else lon, -1_799_999_999, 1_800_000_001))


def _position(out: _Bits, lat: int | None, lon: int | None, elevation: int | None) -> None:
    out.put(1, elevation is not None)
    _latitude(out, lat)
    _longitude(out, lon)
    if elevation is not None:
        out.put(16, _within(elevation, -4096, 61439))


def _participant(
    out: _Bits, one: Participant, origin: tuple[int | None, int | None, int | None]
) -> None:
    motion = one.speed_code is not None or one.heading_code is not None
    out.put(1, 0)
    for present in (
        bool(one.ident), one.transmission is not None, False, motion, False,
        one.vehicle_class is not None,
    ):  # fmt: skip
        out.put(1, present)
    out.put(1, 0)
    out.put(3, _within(one.ptc_type, 0, 4))
    out.put(16, one.ptc_id)
    out.put(1, 0)
    out.put(3, one.source)
    if one.ident:
        out.octets(8, one.ident)
    out.put(16, one.sec_mark)
    _offset(out, one, origin)
    _confidence(out, one.position_code, one.elevation_code)
    if one.transmission is not None:
        out.put(3, one.transmission)
    _speed_heading(out, one.speed, one.heading)
    if motion:
        _motion_confidence(out, one.speed_code, one.heading_code)
    _size(out, one.width, one.length, one.height)
    if one.vehicle_class is not None:
        _vehicle_class(out, one.vehicle_class, one.fuel)


def _offset(
    out: _Bits, one: Participant, origin: tuple[int | None, int | None, int | None]
) -> None:
    """Place of a participant, longitude first."""
    lat, lon, elevation = _angle(one.lat), _angle(one.lon), _metres(one.elevation, 0.1)
    lat0, lon0, elevation0 = origin
    choice, north, east = 6, 0, 0
    if lat is not None and lon is not None and lat0 is not None and lon0 is not None:
        north, east = lat - lat0, lon - lon0
        choice = _narrowest(min(north, east, -1 - max(north, east)), _OFFSET_BITS)
        if one.alternative is not None:
            choice = max(choice, one.alternative)
    high, up = 6, 0
    if elevation is not None and elevation0 is not None:
        up = elevation - elevation0
        # The lowest number of each alternative means "unknown": one less is available.
        high = _narrowest(-abs(up) - 1, _RISE_BITS)
        if one.alternative_up is not None:
            high = max(high, one.alternative_up)
    out.put(1, elevation is not None)
    out.put(3, choice)
    if choice == 6:
        _longitude(out, lon)
        _latitude(out, lat)
    else:
        n = _OFFSET_BITS[choice]
        out.put(n, east + (1 << n - 1))
        out.put(n, north + (1 << n - 1))
    if elevation is not None:
        out.put(3, high)
        if high == 6:
            out.put(16, _within(elevation, -4096, 61439))
        else:
            out.put(7 + high, up + (1 << 6 + high))


def _narrowest(lowest: int, widths: tuple[int, ...]) -> int:
    """Index of the first width whose two's complement range holds `lowest`, else 6."""
    return next((i for i, n in enumerate(widths) if lowest >= -(1 << n - 1)), 6)


def _confidence(out: _Bits, horizontal: int, vertical: int | None) -> None:
    out.put(1, vertical is not None)
    out.put(4, horizontal)
    if vertical is not None:
        out.put(4, vertical)


def _speed_heading(out: _Bits, speed: float, heading: float) -> None:
    out.put(13, min(round(speed * 50), 8190) if isfinite(speed) else 8191)
    out.put(15, round(heading % 360.0 * 80) % 28_800 if isfinite(heading) else 28_800)


def _motion_confidence(out: _Bits, speed: int | None, heading: int | None) -> None:
    out.put(1, speed is not None)
    out.put(1, heading is not None)
    out.put(1, 0)
    for code in (speed, heading):
        if code is not None:
            out.put(3, code)


def _size(out: _Bits, width: float, length: float, height: float) -> None:
    high = isfinite(height)
    out.put(1, high)
    out.put(10, round(width * 100) if isfinite(width) else 0)
    out.put(12, round(length * 100) if isfinite(length) else 0)
    if high:
        out.put(7, round(height * 20))


def _vehicle_class(out: _Bits, value: int, fuel: int | None) -> None:
    out.put(1, 0)
    out.put(1, fuel is not None)
    out.put(8, value)
    if fuel is not None:
        out.put(4, fuel)
