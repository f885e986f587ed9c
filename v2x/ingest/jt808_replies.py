"""What a platform answers a JT/T 808 terminal on its connection: pure functions, no state.

A terminal on a raw TCP port sends its next message only when the last one was answered, and none
at all before it was registered (8.1 to 8.8 of JT/T 808-2013).

================  =======================================================================
0x8001 answer     serial u16 and id u16 of the message, result u8: 0 done, 3 not supported
0x8100            serial u16 of the registration, result u8: 0 done, authentication code
================  =======================================================================

The answer has the terminal's header: its phone, and its edition with the version it sent.
"""

from hashlib import blake2b

from v2x.ingest.jt808_parts import Head, read_head
from v2x.ingest.jt808_positions import BATCH, POSITION, REGISTRATION, WORDS

_DONE, _NOT_SUPPORTED = 0, 3
_ANSWERS = frozenset(
    (0x0001, 0x0104, 0x0107, 0x0201, 0x0302, 0x0500, 0x0608, 0x0700, 0x0802, 0x0805, 0x0A00,
     0x1003, 0x1205)
)  # fmt: skip
"""Answers of the terminal to the platform: they are not answered."""


def authentication_code(phone: bytes) -> bytes:
    """Code of a terminal, 16 hex digits: the same whoever answers it, so none needs storing.

    It tells terminals apart and keeps nobody out: whoever knows the phone knows the code.
    """
    digits = phone.hex().lstrip("0")
    return blake2b(digits.encode(), digest_size=8, person=b"v2x-808").hexdigest().encode()


def reply_to(frame: bytes, serial: int) -> bytes | None:
    """Answer to one frame of a terminal, both marks and all escapes in place.

    Parameters
    ----------
    frame
        As it came off the connection.
    serial
        Number of the answer among ours on this connection; its low 16 bits go on the wire.

    Returns
    -------
    bytes or None
        None where nothing is to be answered: no 808 frame, one of a platform, an answer itself.
    """
    if len(frame) < 15 or frame[:1] != b"\x7e" or frame[-1:] != b"\x7e":
        return None
    head = read_head(frame)
    if head is None or head.message >= 0x8000 or head.message in _ANSWERS:
        return None
    about = head.serial.to_bytes(2, "big")
    if head.message == REGISTRATION and head.total == 1:
        return _framed(head, 0x8100, serial, about + b"\0" + authentication_code(head.phone))
    known = head.message in (POSITION, BATCH, *WORDS) and not head.properties & 0x1C00
    result = _DONE if known else _NOT_SUPPORTED
    return _framed(head, 0x8001, serial, about + head.message.to_bytes(2, "big") + bytes([result]))


def _framed(head: Head, message: int, serial: int, body: bytes) -> bytes:
    properties = (head.properties & 0x4000) | len(body)
    plain = message.to_bytes(2, "big") + properties.to_bytes(2, "big") + head.version + head.phone
    plain += (serial & 0xFFFF).to_bytes(2, "big") + body
    check = 0
    for byte in plain:
        check ^= byte
    plain += bytes([check])
    return b"\x7e" + plain.replace(b"\x7d", b"\x7d\x01").replace(b"\x7e", b"\x7d\x02") + b"\x7e"
