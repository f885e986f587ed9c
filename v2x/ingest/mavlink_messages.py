"""MAVLink messages by name: their fields in wire order, and encoders.

The tables are those of ``common.xml`` of the MAVLink project (released layouts of 2024). A
message's CRC extra is a hash of the very names and types that stand here (MAVLink guide, "Packet
serialization", CRC_EXTRA), so a wrong field would show as an extra other than the published one;
`extra_of` computes it.
"""

import struct
from functools import cache
from typing import Any

HEARTBEAT, GLOBAL_POSITION_INT = 0, 33
BASIC_ID, LOCATION, AUTHENTICATION, SELF_ID, SYSTEM, OPERATOR_ID = range(12900, 12906)
MESSAGE_PACK, ARM_STATUS, SYSTEM_UPDATE = 12915, 12918, 12919

_TO = "uint8_t target_system, uint8_t target_component, uint8_t id_or_mac[20]"

MESSAGES: dict[int, tuple[str, str]] = {
    HEARTBEAT: (
        "HEARTBEAT",
        "uint32_t custom_mode, uint8_t type, uint8_t autopilot, uint8_t base_mode, "
        "uint8_t system_status, uint8_t mavlink_version",
    ),
    GLOBAL_POSITION_INT: (
        "GLOBAL_POSITION_INT",
        "uint32_t time_boot_ms, int32_t lat, int32_t lon, int32_t alt, int32_t relative_alt, "
        "int16_t vx, int16_t vy, int16_t vz, uint16_t hdg",
    ),
    BASIC_ID: (
        "OPEN_DRONE_ID_BASIC_ID",
        f"{_TO}, uint8_t id_type, uint8_t ua_type, uint8_t uas_id[20]",
    ),
    LOCATION: (
        "OPEN_DRONE_ID_LOCATION",
        "int32_t latitude, int32_t longitude, float altitude_barometric, float altitude_geodetic, "
        "float height, float timestamp, uint16_t direction, uint16_t speed_horizontal, "
        f"int16_t speed_vertical, {_TO}, uint8_t status, uint8_t height_reference, "
        "uint8_t horizontal_accuracy, uint8_t vertical_accuracy, uint8_t barometer_accuracy, "
        "uint8_t speed_accuracy, uint8_t timestamp_accuracy",
    ),
    AUTHENTICATION: (
        "OPEN_DRONE_ID_AUTHENTICATION",
        f"uint32_t timestamp, {_TO}, uint8_t authentication_type, uint8_t data_page, "
        "uint8_t last_page_index, uint8_t length, uint8_t authentication_data[23]",
    ),
    SELF_ID: (
        "OPEN_DRONE_ID_SELF_ID",
        f"{_TO}, uint8_t description_type, char description[23]",
    ),
    SYSTEM: (
        "OPEN_DRONE_ID_SYSTEM",
        "int32_t operator_latitude, int32_t operator_longitude, float area_ceiling, "
        "float area_floor, float operator_altitude_geo, uint32_t timestamp, uint16_t area_count, "
        f"uint16_t area_radius, {_TO}, uint8_t operator_location_type, "
        "uint8_t classification_type, uint8_t category_eu, uint8_t class_eu",
    ),
    OPERATOR_ID: (
        "OPEN_DRONE_ID_OPERATOR_ID",
        f"{_TO}, uint8_t operator_id_type, char operator_id[20]",
    ),
    MESSAGE_PACK: (
        "OPEN_DRONE_ID_MESSAGE_PACK",
        f"{_TO}, uint8_t single_message_size, uint8_t msg_pack_size, uint8_t messages[225]",
    ),
    ARM_STATUS: ("OPEN_DRONE_ID_ARM_STATUS", "uint8_t status, char error[50]"),
    SYSTEM_UPDATE: (
        "OPEN_DRONE_ID_SYSTEM_UPDATE",
        "int32_t operator_latitude, int32_t operator_longitude, float operator_altitude_geo, "
        "uint32_t timestamp, uint8_t target_system, uint8_t target_component",
    ),
}
"""Name and fields by message id."""

_CODES = {
    "uint8_t": "B", "uint16_t": "H", "int16_t": "h", "uint32_t": "I", "int32_t": "i", "float": "f",
    "char": "s",
}  # fmt: skip

STX, STX_V1 = 0xFD, 0xFE
SIGNED = 0x01
"""Incompatibility flag: 13 bytes of signature follow the checksum."""
SIGNATURE = 13
OVERHEAD = 12
"""Bytes around the payload of an unsigned frame: 10 before it and the checksum."""


def _x25(data: bytes, crc: int = 0xFFFF) -> int:
    """CRC-16/MCRF4XX: X.25's polynomial and start, without its last inversion."""
    for byte in data:
        byte ^= crc & 0xFF
        byte ^= (byte << 4) & 0xFF
        crc = (crc >> 8) ^ (byte << 8) ^ (byte << 3) ^ (byte >> 4)
    return crc


def _fields(message: int) -> list[tuple[str, str, int]]:
    """(type, name, array length or 0) of each field."""
    made = []
    for field in MESSAGES[message][1].split(", "):
        kind, name = field.split()
        name, _, length = name.rstrip("]").partition("[")
        made.append((kind, name, int(length or 0)))
    return made


@cache
def extra_of(message: int) -> int:
    """CRC extra: a hash of name, types and names of the fields."""
    text = MESSAGES[message][0].encode() + b" "
    for kind, name, length in _fields(message):
        text += f"{kind} {name} ".encode() + (bytes([length]) if length else b"")
    crc = _x25(text)
    return (crc & 0xFF) ^ (crc >> 8)


@cache
def layout_of(message: int) -> struct.Struct:
    """Layout of the whole payload; arrays of bytes and characters are byte strings."""
    return struct.Struct(
        "<" + "".join(f"{n}s" if n else _CODES[kind] for kind, _, n in _fields(message))
    )


def encode_mavlink(
    message: int,
    *,
    system: int = 1,
    component: int = 1,
    sequence: int = 0,
    signature: bytes = b"",
    **fields: Any,
) -> bytes:
    """Write one MAVLink 2 frame of the messages in `MESSAGES`.

    Parameters
    ----------
    message
        Message id.
    signature
        13 bytes to put behind the frame, which is then marked as signed; nothing is signed here.
    **fields
        Wire values by field name; byte strings for arrays. What is not given is 0, which is not
        "unknown" for all of them.
    """
    if signature and len(signature) != SIGNATURE:
        raise ValueError(f"a signature has {SIGNATURE} bytes, not {len(signature)}")
    values: list[Any] = [
        fields.pop(name, b"" if length else 0) for _, name, length in _fields(message)
    ]
    if fields:
        raise TypeError(f"{MESSAGES[message][0]} has no field {', '.join(sorted(fields))}")
    payload = layout_of(message).pack(*values).rstrip(b"\0") or b"\0"
    head = bytes([len(payload), SIGNED if signature else 0, 0, sequence & 0xFF, system, component])
    body = head + message.to_bytes(3, "little") + payload
    crc = _x25(bytes([extra_of(message)]), _x25(body))
    return bytes([STX]) + body + crc.to_bytes(2, "little") + signature


def plain(message: int, payload: bytes) -> dict[str, Any]:
    """Fields of a payload as it came, as JSON-able values: texts to their NUL, other arrays hex."""
    layout = layout_of(message)
    values = layout.unpack(payload[: layout.size].ljust(layout.size, b"\0"))
    said: dict[str, Any] = {}
    for (kind, name, length), value in zip(_fields(message), values, strict=True):
        if kind == "char":
            value = value.partition(b"\0")[0].decode("ascii", "backslashreplace")
        elif length:
            value = value.hex()
        elif kind == "float":
            value = float(value) if abs(value) < 1e30 else None
        said[name] = value
    return said
