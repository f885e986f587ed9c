"""Files of frames to payloads: hex lines, text lines, raw bytes, packet captures."""

import struct
from collections.abc import Iterator
from typing import Any

from v2x.errors import SourceError

_SECOND = 1_000_000_000
_MAGICS = {
    b"\xd4\xc3\xb2\xa1": ("<", 1_000),
    b"\xa1\xb2\xc3\xd4": (">", 1_000),
    b"\x4d\x3c\xb2\xa1": ("<", 1),
    b"\xa1\xb2\x3c\x4d": (">", 1),
}
_ETHERNET, _RAW_IP, _LINUX_SLL = 1, 101, 113


def payloads(decoder: Any, data: bytes, form: str) -> Iterator[tuple[bytes, int | None]]:
    """Payload and, where the input has one, arrival of each frame in `data`.

    Parameters
    ----------
    decoder
        The wire format; with ``form="bin"`` its ``cut(data)`` splits the bytes if it has one,
        else the whole input is one frame.
    form
        ``hex`` (a frame per line, blank lines and ``#`` comments skipped; a line that is no hex
        is passed on as its text, for the decoder to refuse), ``lines``, ``bin`` or ``pcap``.
    """
    if form == "pcap":
        yield from _packets(data)
    elif form == "bin":
        cut = getattr(decoder, "cut", None)
        for payload in cut(data) if cut is not None else [data]:
            yield payload, None
    else:
        for line in data.split(b"\n"):
            text = line.rstrip(b"\r")
            if form == "lines":
                if text:
                    yield text, None
                continue
            text = text.split(b"#", 1)[0].strip()
            if not text:
                continue
            try:
                yield bytes.fromhex(text.decode("ascii")), None
            except ValueError:
                yield text, None


def _packets(data: bytes) -> Iterator[tuple[bytes, int]]:
    """Payloads of a classic capture file (libpcap format 2.4, micro- or nanoseconds).

    UDP and TCP payloads of Ethernet, Linux cooked and raw IP captures; whole frames of other link
    types (802.11 with or without radiotap), in which decoders find their element by its magic.
    """
    known = _MAGICS.get(data[:4])
    if known is None or len(data) < 24:
        raise SourceError("not a capture file: libpcap 2.4 is read, pcapng is not")
    order, unit = known
    (link,) = struct.unpack_from(order + "I", data, 20)
    at = 24
    while at + 16 <= len(data):
        seconds, part, kept, _ = struct.unpack_from(order + "4I", data, at)
        at += 16
        if at + kept > len(data):
            raise SourceError(f"capture file ends inside a packet at byte {at}")
        payload = _payload(data[at : at + kept], link & 0xFFFF)
        if payload:
            yield payload, seconds * _SECOND + part * unit
        at += kept


def _payload(packet: bytes, link: int) -> bytes:
    if link == _ETHERNET:
        kind, ip = packet[12:14], packet[14:]
        while kind in (b"\x81\x00", b"\x88\xa8"):
            kind, ip = ip[2:4], ip[4:]
    elif link == _LINUX_SLL:
        kind, ip = packet[14:16], packet[16:]
    elif link == _RAW_IP:
        kind, ip = (b"\x86\xdd" if packet[:1] >= b"\x60" else b"\x08\x00"), packet
    else:
        return packet
    if kind == b"\x08\x00" and len(ip) >= 20:
        head, protocol = (ip[0] & 15) * 4, ip[9]
        ip = ip[: int.from_bytes(ip[2:4], "big")]
    elif kind == b"\x86\xdd" and len(ip) >= 40:
        head, protocol = 40, ip[6]
    else:
        return b""
    if protocol == 17:
        return ip[head + 8 :]
    if protocol == 6 and len(ip) > head + 12:
        return ip[head + (ip[head + 12] >> 4) * 4 :]
    return b""
