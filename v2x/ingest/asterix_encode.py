"""ASTERIX records apart and together again, in plain Python: encoder, and items for the curious.

`split_block` and `encode_block` are inverse: what the one takes apart the other joins to the same
bytes, if the block is canonical (no field specification longer than it must be).
"""

from collections.abc import Mapping, Sequence
from math import copysign, degrees, isfinite, sqrt

from v2x.ingest.asterix_items import LAYOUTS, OCTETS, split_layout, subfields
from v2x.ingest.modes import CALLSIGN, FOOT
from v2x.ingest.timestamps import DAY, SECOND

Item = bytes | Mapping[int, bytes]
"""Octets of an item; of a compound one octets by number of the subfield, from 1."""

Items = Mapping[str, Item]
"""Items of a record, ``{"010": b"..", "500": {1: b".."}}``."""

NAUTICAL_MILE = 1852.0
NM_S = NAUTICAL_MILE / 16384.0


# --- together ------------------------------------------------------------------------------------


def _specification(present: Sequence[bool]) -> bytes:
    """Octets of 7 flags, no more than needed, each but the last with its lowest bit set."""
    last = max(k for k, there in enumerate(present) if there)
    octets = bytearray(last // 7 + 1)
    for k, there in enumerate(present):
        if there:
            octets[k // 7] |= 0x80 >> k % 7
    for k in range(len(octets) - 1):
        octets[k] |= 1
    return bytes(octets)


def encode_record(category: int, items: Items) -> bytes:
    """Field specification and items; a `ValueError` names what the category has not."""
    layout = split_layout(LAYOUTS[category])
    names = [name for name, _ in layout]
    strange = sorted(name for name in items if name not in names or name == "-")
    if strange or not items:
        raise ValueError(f"category {category:03d} has no item {', '.join(strange) or '(none)'}")
    body = b""
    for name, form in layout:
        item = items.get(name)
        if item is None:
            continue
        if isinstance(item, Mapping):
            n = len(subfields(form))
            if not form.startswith("c") or not item or not set(item) <= set(range(1, n + 1)):
                raise ValueError(f"I{category:03d}/{name} has no subfields {sorted(item)}")
            body += _specification([k in item for k in range(1, n + 1)])
            body += b"".join(item[k] for k in sorted(item))
        else:
            body += item
    return _specification([name in items for name in names]) + body


def encode_block(category: int, records: Sequence[Items]) -> bytes:
    """One block; a `ValueError` beyond 65,535 bytes."""
    body = b"".join(encode_record(category, items) for items in records)
    if len(body) > 0xFFFF - 3:
        raise ValueError(f"a block of {len(body) + 3} bytes is longer than its length field")
    return bytes([category]) + (len(body) + 3).to_bytes(2, "big") + body


# --- apart ---------------------------------------------------------------------------------------


def _flags(data: bytes, p: int, most: int) -> tuple[list[int], int]:
    found: list[int] = []
    for octet in range(most):
        found += [7 * octet + bit for bit in range(7) if data[p] & 0x80 >> bit]
        p += 1
        if not data[p - 1] & 1:
            return found, p
    raise ValueError("field specification without an end")


def _length(data: bytes, p: int, form: str) -> int:
    if form.isdigit():
        return int(form)
    if form == "e":
        return data[p] or len(data)
    if form[0] == "r":
        return 1 + int(form[1:]) * data[p]
    if form == "-":
        raise ValueError("a spare item")
    step = 3 if form == "g" else 1
    size = step
    while data[p + size - 1] & 1:
        size += step
    return size


def _taken(data: bytes, p: int, form: str) -> bytes:
    size = _length(data, p, form)
    if p + size > len(data):
        raise IndexError
    return data[p : p + size]


def split_record(category: int, data: bytes, p: int = 0) -> tuple[dict[str, Item], int]:
    """Items of the record at `p`, and where it ends; `ValueError` or `IndexError` if there is none.

    Raises
    ------
    ValueError
        An item that the category has not.
    IndexError
        The record runs over the end of `data`.
    """
    layout = split_layout(LAYOUTS[category])
    present, p = _flags(data, p, OCTETS)
    items: dict[str, Item] = {}
    for k in present:
        if k >= len(layout):
            raise ValueError(f"category {category:03d} has no item of number {k + 1}")
        name, form = layout[k]
        if form[0] == "c":
            forms = subfields(form)
            inner, p = _flags(data, p, -(-len(forms) // 7))
            parts: dict[int, bytes] = {}
            for i in inner:
                if i >= len(forms):
                    raise ValueError(f"I{category:03d}/{name} has no subfield {i + 1}")
                parts[i + 1] = _taken(data, p, forms[i])
                p += len(parts[i + 1])
            items[name] = parts
        else:
            items[name] = octets = _taken(data, p, form)
            p += len(octets)
    if not items:
        raise IndexError("a record without items")
    return items, p


def split_block(block: bytes) -> list[dict[str, Item]]:
    """Items of the records of one block of a category known here, as `encode_block` takes them."""
    records, p = [], 3
    data = block[: int.from_bytes(block[1:3], "big")]
    while p < len(data):
        items, p = split_record(block[0], data, p)
        records.append(items)
    return records


def blocks(payload: bytes) -> list[bytes]:
    """Blocks of a payload, as far as their lengths go; what is left over is the last."""
    found, p = [], 0
    while p < len(payload):
        size = int.from_bytes(payload[p + 1 : p + 3], "big")
        if size < 3:
            size = len(payload) - p
        found.append(payload[p : p + size])
        p += size
    return found


# --- from SI units -------------------------------------------------------------------------------


def _fixed(value: float, step: float, size: int, *, signed: bool = False) -> bytes:
    raw = round(value / step)
    low, high = (
        (-(1 << 8 * size - 1), (1 << 8 * size - 1) - 1) if signed else (0, (1 << 8 * size) - 1)
    )
    if not low <= raw <= high:
        raise ValueError(f"{value} does not fit {size} octets in steps of {step}")
    return raw.to_bytes(size, "big", signed=signed)


def _bits(value: float, step: float, width: int) -> int:
    """Two's complement of `width` bits."""
    raw = round(value / step)
    if not -(1 << width - 1) <= raw < 1 << width - 1:
        raise ValueError(f"{value} does not fit {width} bits in steps of {step}")
    return raw & (1 << width) - 1


def _angle(rad: float) -> bytes:
    return (round(degrees(rad) * 65536.0 / 360.0) % 65536).to_bytes(2, "big")


def _clock(t_ns: int) -> bytes:
    return (t_ns % DAY * 128 // SECOND).to_bytes(3, "big")


def _squawk(code: int) -> bytes:
    return int(f"{code:04d}", 8).to_bytes(2, "big")


def six_bit(text: str) -> bytes:
    """Up to 8 of A-Z, 0-9 and blank as 6 octets."""
    if len(text) > 8 or any(c == "#" or c not in CALLSIGN for c in text):
        raise ValueError(f"{text!r} is not up to 8 of A-Z, 0-9 and blank")
    word = 0
    for letter in text.ljust(8):
        word = word << 6 | CALLSIGN.index(letter)
    return word.to_bytes(6, "big")


def track_items(
    t_ns: int, lat: float, lon: float, track: int, *, sac: int = 0, sic: int = 0,
    vel: tuple[float, float] | None = None, climb: float | None = None,
    height: float | None = None, amsl: float | None = None, pressure: float | None = None,
    icao: int | None = None, callsign: str | None = None, squawk: int | None = None,
    emitter: int | None = None, cov: tuple[float, float, float] | None = None,
    height_sd: float | None = None, status: bytes = b"\x00",
) -> dict[str, Item]:  # fmt: skip
    """Items of a category 062 record.

    Parameters
    ----------
    lat, lon, height, amsl, pressure
        Degrees; metres above the ellipsoid, above mean sea level (I062/135 with QNH), and of
        pressure altitude (I062/136).
    vel, climb
        East and north, and up, m/s.
    squawk
        Four octal digits written as a decimal number.
    cov, height_sd
        EE, EN, NN of the position in m² (I062/500 has their roots), m.
    status
        Octets of I062/080.
    """
    items: dict[str, Item] = {
        "010": bytes([sac, sic]), "070": _clock(t_ns),
        "105": _fixed(lat, 180 / 2**25, 4, signed=True) + _fixed(lon, 180 / 2**25, 4, signed=True),
        "040": track.to_bytes(2, "big"), "080": status,
    }  # fmt: skip
    if vel is not None:
        items["185"] = b"".join(_fixed(v, 0.25, 2, signed=True) for v in vel)
    if squawk is not None:
        items["060"] = _squawk(squawk)
    derived: dict[int, bytes] = {}
    if icao is not None:
        derived[1] = icao.to_bytes(3, "big")
    if callsign is not None:
        derived[2] = six_bit(callsign)
    if emitter is not None:
        derived[21] = bytes([emitter])
    if derived:
        items["380"] = derived
    if pressure is not None:
        items["136"] = _fixed(pressure, 25 * FOOT, 2, signed=True)
    if height is not None:
        items["130"] = _fixed(height, 6.25 * FOOT, 2, signed=True)
    if amsl is not None:
        items["135"] = (0x8000 | _bits(amsl, 25 * FOOT, 15)).to_bytes(2, "big")
    if climb is not None:
        items["220"] = _fixed(climb, 6.25 * FOOT / 60, 2, signed=True)
    accuracy: dict[int, bytes] = {}
    if cov is not None:
        ee, en, nn = cov
        accuracy[1] = _fixed(sqrt(ee), 0.5, 2) + _fixed(sqrt(nn), 0.5, 2)
        accuracy[2] = _fixed(copysign(sqrt(abs(en)), en), 0.5, 2, signed=True)
    if height_sd is not None:
        accuracy[4] = _fixed(height_sd, 6.25 * FOOT, 1)
    if accuracy:
        items["500"] = accuracy
    return items


def plot_items(
    t_ns: int, range_m: float, az: float, *, sac: int = 0, sic: int = 0, detection: int = 1,
    track: int | None = None, pressure: float | None = None, amsl: float | None = None,
    icao: int | None = None, callsign: str | None = None, squawk: int | None = None,
    vel: tuple[float, float] | None = None, radial: float | None = None,
) -> dict[str, Item]:  # fmt: skip
    """Items of a category 048 record.

    Parameters
    ----------
    range_m, az
        Slant range, m, and azimuth from the radar's north, rad.
    detection
        TYP of I048/020: 0 none, 1 primary, 2 secondary, 3 both, 4 to 7 Mode S.
    pressure, amsl
        Pressure altitude (I048/090), height of a 3-D radar above mean sea level (I048/110), m.
    vel
        Speed, m/s, and course, rad.
    squawk
        Four octal digits written as a decimal number.
    radial
        Range rate, m/s, positive going away.
    """
    items: dict[str, Item] = {
        "010": bytes([sac, sic]), "140": _clock(t_ns), "020": bytes([detection << 5]),
        "040": _fixed(range_m, NAUTICAL_MILE / 256, 2) + _angle(az),
    }  # fmt: skip
    if squawk is not None:
        items["070"] = _squawk(squawk)
    if pressure is not None and isfinite(pressure):
        items["090"] = _bits(pressure, 25 * FOOT, 14).to_bytes(2, "big")
    if icao is not None:
        items["220"] = icao.to_bytes(3, "big")
    if callsign is not None:
        items["240"] = six_bit(callsign)
    if track is not None:
        items["161"] = track.to_bytes(2, "big")
    if vel is not None:
        items["200"] = _fixed(vel[0], NM_S, 2) + _angle(vel[1])
    if amsl is not None:
        items["110"] = _bits(amsl, 25 * FOOT, 14).to_bytes(2, "big")
    if radial is not None:
        items["120"] = {1: _bits(radial, 1.0, 10).to_bytes(2, "big")}
    return items
