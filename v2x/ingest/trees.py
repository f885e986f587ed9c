"""Payloads of maps and lists, JSON or msgpack, to plain Python values within limits.

The first byte tells which: ``{``, ``[``, white space and a byte order mark are small integers in
msgpack, and no frame of ours is one integer. Both are refused before they are built in memory
where they would be too large there (`v2x.ingest.skim`; the marks of JSON are counted).
"""

import json
from math import nan
from typing import Any

import msgpack

from v2x.frames import FrameBatch
from v2x.ingest.decoded import Reject
from v2x.ingest.skim import MAX_CONTAINERS, MAX_NODES, skim

MAX_KEYS = 64
"""Keys of one map, unless a format allows more."""

MAX_TEXT = 4_096
"""Bytes of one text in msgpack, letters of one that is used in JSON."""

_JSON = b"{[ \t\r\n\xef"


class Refused(Exception):  # noqa: N818
    """A frame that gives no rows, with its code; never leaves a decoder."""

    def __init__(self, code: Reject) -> None:
        self.code = code


def trees(batch: FrameBatch, most_keys: int = MAX_KEYS) -> list[Any]:
    """Value of every frame, or the `Reject` why there is none."""
    codes = skim(batch.buf, batch.off).tolist()
    off, data = batch.off.tolist(), batch.buf.tobytes()
    made: list[Any] = []
    for i, code in enumerate(codes):
        payload = data[off[i] : off[i + 1]]
        if payload[:1] and payload[0] in _JSON:
            try:
                made.append(read_json(payload, most_keys))
            except Refused as refusal:
                made.append(refusal.code)
        elif code:
            made.append(Reject(code))
        else:
            try:
                made.append(unpacked(payload, most_keys))
            except Refused as refusal:
                made.append(refusal.code)
    return made


def unpacked(payload: bytes, most_keys: int = MAX_KEYS) -> Any:
    """Value of msgpack bytes that `skim` let pass; raises `Refused` with `Reject.BAD_MAP`."""
    try:
        return msgpack.unpackb(
            payload, raw=False, strict_map_key=True, timestamp=0, max_str_len=MAX_TEXT,
            max_bin_len=262_144, max_array_len=4096, max_map_len=most_keys, max_ext_len=0,
            object_pairs_hook=_unique,
        )  # fmt: skip
    except ValueError:
        raise Refused(Reject.BAD_MAP) from None


def read_json(payload: bytes, most_keys: int = MAX_KEYS) -> Any:
    """Value of JSON bytes: UTF-8, else GB 18030, else UTF-8 with replacement marks.

    A byte order mark and zeros at the end are dropped; NaN and infinities, which are no JSON but
    are sent, become NaN.

    Raises
    ------
    Refused
        `Reject.BAD_TEXT` where the text is no JSON, `Reject.TOO_COMPLEX` for more brackets or
        commas than a frame may hold or deep nesting, `Reject.BAD_MAP` for a key twice or too many.
    """
    count = payload.count
    if count(b"{") + count(b"[") > MAX_CONTAINERS or count(b",") + count(b":") > MAX_NODES:
        raise Refused(Reject.TOO_COMPLEX)

    def checked(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) != len(pairs) or len(made) > most_keys:
            raise Refused(Reject.BAD_MAP)
        return made

    try:
        return json.loads(
            _text(payload).rstrip("\0"), object_pairs_hook=checked, parse_constant=lambda _: nan
        )
    except RecursionError:
        raise Refused(Reject.TOO_COMPLEX) from None
    except ValueError:
        raise Refused(Reject.BAD_TEXT) from None


def printable(text: str, most: int = 64) -> str:
    """A text of a stranger, fit to be the name of a counter."""
    return "".join(c for c in text[: 4 * most] if c.isprintable())[:most]


def _text(payload: bytes) -> str:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return payload.decode(encoding)
        except UnicodeDecodeError:
            continue
    return payload.decode("utf-8-sig", "replace")


def _unique(pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    made = dict(pairs)
    if len(made) != len(pairs) or bytes in map(type, made):
        raise Refused(Reject.BAD_MAP)
    return made
