"""Frames of JT/T 809: marks, escapes, header, CRC and cipher; `formats/jt809.py` has the layout."""

from binascii import crc_hqx
from typing import NamedTuple

from v2x.ingest.decoded import Reject

HEADS = {2011: 22, 2019: 30}
EXCHANGE = 0x1200
"""Messages about one vehicle: their body begins with its plate."""
VEHICLE_HEAD = 28
_ESCAPES = ((b"\x5a", b"\x5a\x02"), (b"\x5b", b"\x5a\x01"), (b"\x5e", b"\x5e\x02"),
            (b"\x5d", b"\x5e\x01"))  # fmt: skip

Cipher = tuple[int, int, int]
"""M1, IA1, IC1."""


class Message(NamedTuple):
    """Message number, edition of its header, body in clear, and whether its length was right."""

    number: int
    edition: int
    body: bytes
    length_ok: bool


def ciphered(body: bytes, key: int, cipher: Cipher) -> bytes:
    """Body encrypted, or what was encrypted in clear: XOR with a linear congruential sequence.

    Annex of JT/T 809-2011 (checked against a published frame): a key or M1 of 0 counts as 1.
    """
    m1, ia1, ic1 = cipher
    key, m1 = key or 1, m1 or 1
    made = bytearray()
    for byte in body:
        key = (ia1 * (key % m1) + ic1) & 0xFFFF_FFFF
        made.append(byte ^ (key >> 20 & 0xFF))
    return bytes(made)


def opened(frame: bytes, cipher: Cipher | None) -> Message | Reject:
    """Message of one frame, both marks present; `cipher` as configured."""
    if frame[:1] != b"\x5b":
        return Reject.BAD_MAGIC if frame else Reject.SHORT
    if len(frame) < 2 + HEADS[2011] + 2:
        return Reject.SHORT
    if frame[-1:] != b"\x5d":
        return Reject.BAD_MAGIC
    plain = _unescaped(frame[1:-1])
    if plain is None:
        return Reject.BAD_ESCAPE
    if len(plain) < HEADS[2011] + 2:
        return Reject.SHORT
    if crc_hqx(plain[:-2], 0xFFFF) != int.from_bytes(plain[-2:], "big"):
        return Reject.BAD_CHECKSUM
    length_ok = int.from_bytes(plain[:4], "big") == len(plain) + 2
    number, locked = int.from_bytes(plain[8:10], "big"), plain[17] == 1
    key = int.from_bytes(plain[18:22], "big")
    found = []
    for edition, head in HEADS.items():
        if len(plain) < head + 2:
            continue
        body = plain[head:-2]
        if locked and body:
            if cipher is None:
                return Reject.ENCRYPTED
            body = ciphered(body, key, cipher)
        found.append(Message(number, edition, body, length_ok))
    if number != EXCHANGE:
        return _by_length(found)
    for exactly in (True, False):
        for message in found:
            if _about_a_vehicle(message.body, exactly):
                return message._replace(length_ok=length_ok and exactly)
    return Reject.ENCRYPTED if locked else Reject.BAD_LENGTH


def _by_length(found: list[Message]) -> Message:
    """Which edition a message without a plate has: 2019 where only that leaves its usual body."""
    usual = {0x1001: (46,), 0x1003: (12,), 0x1005: (0,), 0x1006: (0,)}
    sizes = usual.get(found[0].number, ())
    return next((m for m in found if len(m.body) in sizes), found[0])


def _about_a_vehicle(body: bytes, exactly: bool) -> bool:
    if len(body) < VEHICLE_HEAD or body[22] != 0x12:
        return False
    return not exactly or int.from_bytes(body[24:28], "big") == len(body) - VEHICLE_HEAD


def _unescaped(inner: bytes) -> bytes | None:
    """Bytes between the marks with escapes undone in one pass, or None."""
    if b"\x5b" in inner or b"\x5d" in inner:
        return None
    made, at = bytearray(), 0
    while at < len(inner):
        byte = inner[at]
        if byte in (0x5A, 0x5E):
            at += 1
            if at == len(inner) or inner[at] not in (1, 2):
                return None
            if inner[at] == 1:
                byte ^= 1 if byte == 0x5A else 3  # 5A 01 is 5B, 5E 01 is 5D
        made.append(byte)
        at += 1
    return bytes(made)


def framed(
    number: int, serial: int, body: bytes, *, centre: int = 1000, edition: int = 2011,
    time_s: int = 0, key: int | None = None, cipher: Cipher | None = None,
) -> bytes:  # fmt: skip
    """One frame as on the wire; encrypted where `cipher` and `key` are given."""
    locked = cipher is not None and key is not None
    head = serial.to_bytes(4, "big") + number.to_bytes(2, "big") + centre.to_bytes(4, "big")
    head += b"\1\0\0" + bytes([locked]) + (key or 0).to_bytes(4, "big")
    if edition == 2019:
        head += time_s.to_bytes(8, "big")
    if cipher is not None and key is not None:
        body = ciphered(body, key, cipher)
    plain = (len(head) + len(body) + 8).to_bytes(4, "big") + head + body
    plain += crc_hqx(plain, 0xFFFF).to_bytes(2, "big")
    for byte, written in _ESCAPES:
        plain = plain.replace(byte, written)
    return b"\x5b" + plain + b"\x5d"
