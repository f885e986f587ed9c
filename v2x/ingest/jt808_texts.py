"""Texts of JT/T 808: what terminals say of themselves when they register and authenticate.

0x0100, big-endian, texts GBK and NUL padded (2011: 8.5 of the standard; 2013 and 2019: 8.8):

=========================  ======  ======  ======
field                      2011    2013    2019
=========================  ======  ======  ======
province, city             u16     u16     u16
maker                      5       5       11
model                      8       20      30
terminal id                7       7       30
colour of the plate        u8      u8      u8
plate, or VIN              rest    rest    rest
=========================  ======  ======  ======

Header 2011 and 2013 are the same: 2013 where the byte behind its terminal id is a colour of plates
(0 to 9, 91 to 94). 0x0102: 2011 and 2013 the code alone; 2019 length u8, code, IMEI[15],
version[20]. The code is a secret and is never read out.
"""

from typing import Any

import numpy as np

from v2x.columns import I8
from v2x.frames import FrameBatch
from v2x.ingest.jt808_parts import Head, read_head
from v2x.ingest.jt808_positions import ALARM, AUTHENTICATION, FRAME, REGISTRATION, STATUS
from v2x.ingest.terminals import pseudonym
from v2x.observations import ident_of
from v2x.readings import Name, Readings

_COLOURS = frozenset((*range(10), *range(91, 95)))

Fact = tuple[Name, float, str]
"""Name, value and text of a reading."""


def text_of(raw: bytes) -> str:
    """Text of a padded field: GB 18030, which holds GBK; what is no text of it is replaced."""
    return raw.split(b"\0", 1)[0].decode("gb18030", "replace").strip()


def facts_of(head: Head) -> list[Fact]:
    """What a registration or an authentication says."""
    body, late = head.body, bool(head.properties & 0x4000)
    made: list[Fact] = []
    if head.message == REGISTRATION:
        if late:
            maker, model, ident = 11, 30, 30
        else:
            maker, model, ident = 5, 8, 7
            if len(body) > 36 and body[36] in _COLOURS:
                model = 20
        colour = 4 + maker + model + ident
        if len(body) <= colour:
            return []
        plate = pseudonym("plate", text_of(body[colour + 1 :]))
        made.append((Name.TERMINAL_REGISTERED, float(body[colour]), plate))
        made.append((Name.TERMINAL_MAKER, 1.0, _named("maker", body[4 : 4 + maker])))
        at = 4 + maker
        made.append((Name.TERMINAL_MODEL, 1.0, _named("model", body[at : at + model])))
    elif head.message == AUTHENTICATION and late and body:
        at = 1 + body[0] + 15
        made.append((Name.TERMINAL_VERSION, 1.0, _named("version", body[at : at + 20])))
    return [fact for fact in made if fact[2] or fact[0] is Name.TERMINAL_REGISTERED]


def _named(scheme: str, raw: bytes) -> str:
    text = text_of(raw)
    return f"{scheme}:{text}" if text else ""


def said(batch: FrameBatch, word: I8, readings: Readings) -> tuple[Readings, dict[int, str]]:
    """`readings` of a batch with those of its texts, in the order of frames; hash to text.

    word: the rows of `jt808_positions.parse`, each sign of life with its message in STATUS.
    """
    more = (word[:, ALARM] < 0) & np.isin(word[:, STATUS], (REGISTRATION, AUTHENTICATION))
    frames: list[int] = []
    made: list[Fact] = []
    for i in word[more, FRAME].tolist():
        head = read_head(batch.payload(i))
        facts = [] if head is None else facts_of(head)
        frames += [i] * len(facts)
        made += facts
    if not made:
        return readings, {}
    names, values, texts = zip(*made, strict=True)
    at = np.array(frames, np.int32)
    beat = np.searchsorted(readings.frame, at)  # the sign of life of the same frame
    rows = Readings.blank(
        len(made),
        frame=at,
        t_ns=readings.t_ns[beat],
        recv_ns=readings.recv_ns[beat],
        sensor=readings.sensor[beat],
        ident=readings.ident[beat],
        name=names,
        value=values,
        ident2=[ident_of(text) for text in texts],
    )
    whole = Readings.concat([readings, rows])
    idents = {ident_of(text): text for text in texts if text}
    return whole.take(np.argsort(whole.frame, kind="stable")), idents


def details(payload: bytes) -> dict[str, Any]:
    """Header of a frame, and what items of a position no reading holds, as hex; {} for noise."""
    if len(payload) < 15 or payload[:1] != b"\x7e" or payload[-1:] != b"\x7e":
        return {}
    head = read_head(payload)
    if head is None:
        return {}
    made: dict[str, Any] = {
        "message": f"0x{head.message:04x}",
        "serial": head.serial,
        "edition": "2019" if head.properties & 0x4000 else "2013",
    }
    if head.total > 1:
        made["part"] = f"{head.number}/{head.total}"
    if head.message == 0x0200 and not head.properties & 0x3C00:
        items, at = {}, 28
        while at + 2 <= len(head.body) and at + 2 + head.body[at + 1] <= len(head.body):
            name, value = head.body[at], head.body[at + 2 : at + 2 + head.body[at + 1]]
            if name not in (0x01, 0x30, 0x31):
                items[f"0x{name:02x}"] = value.hex()
            at += 2 + len(value)
        if items:
            made["items"] = items
    return made
