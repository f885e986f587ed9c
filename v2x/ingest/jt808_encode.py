"""Frames of JT/T 808 as terminals send them, for tests, scenarios and answers.

`formats/jt808.py` has the layout.
"""

from collections.abc import Mapping, Sequence
from math import isfinite

from v2x.ingest.jt808_bytes import GMT8
from v2x.ingest.jt808_positions import (
    AUTHENTICATION,
    BATCH,
    HEARTBEAT,
    POSITION,
    REGISTRATION,
)
from v2x.ingest.timestamps import iso


def encode_frame(
    message: int, phone: str, serial: int, body: bytes, *, edition: str = "2013", part: bytes = b""
) -> bytes:
    """One frame as on the wire; `phone` decimal digits, `edition` 2011, 2013 or 2019.

    `part`: how many parts and which, two u16, where the body is part of a longer message.
    """
    late = edition == "2019"
    properties = (len(body) & 0x3FF) | (late << 14) | (bool(part) << 13)
    head = message.to_bytes(2, "big") + properties.to_bytes(2, "big")
    head += b"\x01" + bytes.fromhex(phone.zfill(20)) if late else bytes.fromhex(phone.zfill(12))
    plain = head + (serial & 0xFFFF).to_bytes(2, "big") + part + body
    check = 0
    for byte in plain:
        check ^= byte
    plain += bytes([check])
    return b"\x7e" + plain.replace(b"\x7d", b"\x7d\x01").replace(b"\x7e", b"\x7d\x02") + b"\x7e"


def position_body(
    t_ns: int,
    lat: float,
    lon: float,
    amsl_m: float,
    speed_mps: float,
    heading_deg: float,
    *,
    status: int = 0x000C0003,
    alarm: int = 0,
    extras: Mapping[int, bytes] | None = None,
) -> bytes:
    """Body of a 0x0200.

    The south and west bits of `status` follow the signs. The wire has whole metres from 0 up and
    whole seconds: an unknown or negative height becomes 0, which reads back as not measured.
    """
    status = (status & ~0x0C) | (4 if lat < 0 else 0) | (8 if lon < 0 else 0)
    height = min(max(round(amsl_m), 0), 0xFFFF) if isfinite(amsl_m) else 0
    made = alarm.to_bytes(4, "big") + status.to_bytes(4, "big")
    made += round(abs(lat) * 1e6).to_bytes(4, "big") + round(abs(lon) * 1e6).to_bytes(4, "big")
    made += height.to_bytes(2, "big") + round(speed_mps * 36.0).to_bytes(2, "big")
    made += (round(heading_deg) % 360).to_bytes(2, "big")
    digits = "".join(c for c in iso(t_ns + GMT8)[2:19] if c.isdigit())
    made += bytes.fromhex(digits)
    for name, value in (extras or {}).items():
        made += bytes([name, len(value)]) + value
    return made


def encode_position(
    phone: str,
    serial: int,
    t_ns: int,
    lat: float,
    lon: float,
    amsl_m: float,
    speed_mps: float,
    heading_deg: float,
    *,
    status: int = 0x000C0003,
    alarm: int = 0,
    edition: str = "2013",
    extras: Mapping[int, bytes] | None = None,
) -> bytes:
    """A 0x0200 frame; degrees WGS-84, metres above mean sea level, see `position_body`."""
    body = position_body(
        t_ns, lat, lon, amsl_m, speed_mps, heading_deg, status=status, alarm=alarm, extras=extras
    )
    return encode_frame(POSITION, phone, serial, body, edition=edition)


def encode_batch(
    phone: str, serial: int, bodies: Sequence[bytes], *, backlog: bool = True,
    edition: str = "2013",
) -> bytes:  # fmt: skip
    """A 0x0704 frame of `position_body` bodies; `backlog`: stored while out of reach."""
    body = len(bodies).to_bytes(2, "big") + bytes([backlog])
    body += b"".join(len(b).to_bytes(2, "big") + b for b in bodies)
    return encode_frame(BATCH, phone, serial, body, edition=edition)


def encode_heartbeat(phone: str, serial: int, *, edition: str = "2013") -> bytes:
    """A 0x0002 frame."""
    return encode_frame(HEARTBEAT, phone, serial, b"", edition=edition)


def encode_parts(
    message: int, phone: str, serial: int, body: bytes, *, size: int = 1023, edition: str = "2013"
) -> list[bytes]:
    """A message in parts of at most `size` bytes, with serials from `serial` on."""
    total = max(1, -(-len(body) // size))
    made = []
    for k in range(total):
        part = total.to_bytes(2, "big") + (k + 1).to_bytes(2, "big")
        made.append(
            encode_frame(
                message,
                phone,
                serial + k,
                body[k * size : (k + 1) * size],
                edition=edition,
                part=part,
            )
        )
    return made


def encode_registration(
    phone: str, serial: int, *, maker: str, model: str, terminal: str, colour: int, plate: str,
    edition: str = "2013",
) -> bytes:  # fmt: skip
    """A 0x0100 frame of a terminal in Tianjin (province 12, city 0)."""
    sizes = {"2011": (5, 8, 7), "2013": (5, 20, 7), "2019": (11, 30, 30)}[edition]
    body = (12).to_bytes(2, "big") + bytes(2)
    for text, size in zip((maker, model, terminal), sizes, strict=True):
        body += text.encode("gb18030")[:size].ljust(size, b"\0")
    body += bytes([colour]) + plate.encode("gb18030")
    return encode_frame(REGISTRATION, phone, serial, body, edition=edition)


def encode_authentication(
    phone: str, serial: int, code: str, *, imei: str = "", version: str = "", edition: str = "2013"
) -> bytes:
    """A 0x0102 frame; only edition 2019 has `imei` and `version`."""
    body = code.encode("gb18030")
    if edition == "2019":
        body = bytes([len(body)]) + body
        body += imei.encode().ljust(15, b"\0") + version.encode().ljust(20, b"\0")
    return encode_frame(AUTHENTICATION, phone, serial, body, edition=edition)
