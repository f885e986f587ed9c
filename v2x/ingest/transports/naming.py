"""Whose frame it is: the sensor's name from a template, the topic and the frame itself."""

import json
import re
from collections.abc import Sequence

_NAME = re.compile(r"\{(phone|rsu|\d+)\}")
_PLAIN = re.compile(r"[0-9A-Za-z_.:-]{1,64}")
_UNIT_KEYS = ("rsuEsn", "rsuId")


def sensor_name(template: str, payload: bytes, levels: Sequence[str] = ()) -> str:
    """Name that `template` gives; empty where the frame or topic does not tell a part of it.

    Parameters
    ----------
    template
        ``{phone}``: terminal of a JT/T 808 frame, without leading zeros; ``{rsu}``: unit that an
        envelope of T/ITS 0117 or a status message names; ``{1}``: first level that a ``+`` of the
        filter stands for.
    levels
        Those levels.
    """
    if "{" not in template:
        return template
    parts: list[str] = []

    def part(found: re.Match[str]) -> str:
        key = found[1]
        if key == "phone":
            text = phone_of(payload)
        elif key == "rsu":
            text = unit_of(payload)
        else:
            text = levels[int(key) - 1] if int(key) <= len(levels) else ""
        parts.append(text)
        return text

    name = _NAME.sub(part, template)
    return name if all(_PLAIN.fullmatch(text) for text in parts) else ""


def phone_of(frame: bytes) -> str:
    """Phone of a terminal in the header of its frame, without leading zeros; empty if none."""
    head = _unescaped(frame[1:64])
    if len(head) < 12:
        return ""
    digits = head[5:15] if head[2] & 0x40 else head[4:10]
    return digits.hex().lstrip("0")


def _unescaped(data: bytes) -> bytes:
    out, at = bytearray(), 0
    while at < len(data):
        if data[at] == 0x7D and at + 1 < len(data) and data[at + 1] in (1, 2):
            out.append(0x7E if data[at + 1] == 2 else 0x7D)
            at += 2
        else:
            out.append(data[at])
            at += 1
    return bytes(out)


def unit_of(payload: bytes) -> str:
    """Name of a roadside unit: in its JSON, else the first 8 bytes of its envelope."""
    if payload[:1] == b"{" or payload[:4] == b"\xef\xbb\xbf{":
        try:
            message = json.loads(payload[:65_536].decode("utf-8-sig"))
        except (ValueError, RecursionError):
            return ""
        base = message.get("base")
        found = [message.get(key) for key in _UNIT_KEYS]
        found.append(base.get("ID") if isinstance(base, dict) else None)
        return next((str(v) for v in found if isinstance(v, (str, int)) and str(v)), "")
    return payload[:8].rstrip(b"\0 ").decode("ascii", "replace") if len(payload) >= 18 else ""
