"""Envelope of T/ITS 0117-2020 around roadside messages (format ``rsu``), little-endian.

::

    offset  bytes  field
    0       8      rsuID, ASCII, padded with NUL or blanks
    8       8      u64 Unix time, ms UTC
    single:
    16      2      u16 length L, 18 + L is the length of the frame
    18      L      UPER MessageFrame
    multiple (topic of BSM):
    16      1      u8 count n
    17             n times: u16 length, UPER MessageFrame; the last one ends with the frame

Which of the two a frame is, its lengths say: both at once does not happen in practice, and then it
is single if that message decodes. Lengths that fit neither are `Reject.BAD_LENGTH`.
`v2x.ingest.j2735cn` is the layout of the messages and `v2x.ingest.j2735cn_rows` what they become.

A frame of several messages is good if one of them is; those that are not are counted by reason
(``message_UNKNOWN_MESSAGE``). If none is good the frame has the reason of its first.

Readings of every good frame, about ``rsu:<rsuID>``: RSU_CLOCK_OFFSET_S, envelope time minus
arrival (with the delay of the link), and RSU_INNER_OFFSET_S, time of the first message minus
envelope time, both of the unit's own clocks and within half a minute, since a message carries the
second of the minute only. Their event time is the arrival. Where the envelope's clock is wrong (no
time, ahead, a day behind, whole hours off) the rows inside are flagged `Flag.TIME_SUSPECT`, though
their own second of the minute counts.
"""

from typing import Any, NamedTuple

import numpy as np

from v2x.columns import B1, I4, I8, U1
from v2x.frames import FrameBatch
from v2x.ingest.decoded import ACCEPTED, Decoded, Reject
from v2x.ingest.j2735cn_decode import Memory, Messages, decode_messages
from v2x.ingest.j2735cn_map import described
from v2x.ingest.j2735cn_plain import readable
from v2x.ingest.j2735cn_unit import SLACK_NS, wrong_clock
from v2x.jit import kernel, uncounted
from v2x.observations import Flag
from v2x.readings import Name, Readings
from v2x.sensors import SensorTable

HEAD = 16
MOST_MS = 9_000_000_000_000
"""Envelope times beyond the year 2255 are no times (and would not fit ns)."""

MINUTE_MS = 60_000
_SEC_MARK_TOP = 61_000
_SINGLE, _MULTIPLE = 1, 2
_OK = int(Reject.OK)
_SHORT = int(Reject.SHORT)
_BAD_LENGTH = int(Reject.BAD_LENGTH)


class _Head(NamedTuple):
    """Columns of envelopes: name (8 octets big-endian), time ms or -1, outcome."""

    name: I8
    unix_ms: I8
    code: U1


@uncounted
def _u16(buf: U1, at: int) -> int:
    return int(buf[at]) | (int(buf[at + 1]) << 8)


@uncounted
def _is_multiple(buf: U1, a: int, b: int) -> bool:
    """Whether the lengths behind a count end exactly at `b`."""
    at = a + HEAD + 1
    for _ in range(int(buf[a + HEAD])):
        if at + 2 > b:
            return False
        at += 2 + _u16(buf, at)
    return at == b


@uncounted
def _look(buf: U1, off: I8, form: U1) -> int:
    """Forms that the lengths of every envelope fit (`_SINGLE`, `_MULTIPLE`) -> form (n,).

    An upper bound of the messages in all of them.
    """
    n = 0
    for i in range(off.shape[0] - 1):
        a, b = off[i], off[i + 1]
        form[i] = 0
        if b - a >= HEAD + 2 and a + HEAD + 2 + _u16(buf, a + HEAD) == b:
            form[i] = _SINGLE
        if b - a > HEAD and _is_multiple(buf, a, b):
            form[i] |= _MULTIPLE
        n += max(1, int(buf[a + HEAD])) if form[i] & _MULTIPLE else 1
    return n


@uncounted
def _open(buf: U1, off: I8, form: U1, head: _Head, start: I8, stop: I8, outer: I4) -> int:
    """Split every envelope; the number of messages in start, stop (bytes) and outer (frame)."""
    name, unix_ms, code = head
    n = 0
    for i in range(off.shape[0] - 1):
        a, b = off[i], off[i + 1]
        name[i] = 0
        unix_ms[i] = -1
        if b - a <= HEAD:
            code[i] = _SHORT
            continue
        value = 0
        for c in range(8):
            value = (value << 8) | int(buf[a + c])
        name[i] = value
        value = 0
        for c in range(8):
            value = (value << 8) | int(buf[a + 15 - c])
        if 0 < value < MOST_MS:
            unix_ms[i] = value
        code[i] = _OK
        if form[i] & _SINGLE:
            start[n], stop[n], outer[n] = a + HEAD + 2, b, i
            n += 1
        elif form[i] & _MULTIPLE:
            at = a + HEAD + 1
            for _ in range(int(buf[a + HEAD])):
                start[n], stop[n], outer[n] = at + 2, at + 2 + _u16(buf, at), i
                at = stop[n]
                n += 1
        else:
            code[i] = _BAD_LENGTH
    return n


@kernel
def _wrong(unix_ms: I8, offset_ns: I8) -> B1:
    """(n,) whether the clock of each envelope is wrong: no time at all, or by `wrong_clock`."""
    wrong = np.empty(unix_ms.shape[0], np.bool_)
    for i in range(unix_ms.shape[0]):
        wrong[i] = unix_ms[i] < 0 or wrong_clock(offset_ns[i], SLACK_NS)
    return wrong


class RSU:
    """Envelopes of roadside units."""

    name = "rsu"

    def timed(self, payload: bytes) -> bool:
        """Tell whether a time stands in every envelope: it does."""
        return True

    def new_state(self) -> Memory:
        """No edition learned yet."""
        return Memory()

    def decode(self, batch: FrameBatch, sensors: SensorTable, state: Memory) -> Decoded:
        """Rows of every message inside; one code an envelope."""
        head, start, stop, outer = _opened(batch)
        inner = decode_messages(batch, start, stop, outer, sensors, state)
        rows = inner.decoded.observations
        offset_ns = head.unix_ms * 1_000_000 - batch.recv_ns
        rows.flags[_wrong(head.unix_ms, offset_ns)[rows.frame]] |= np.uint16(Flag.TIME_SUSPECT)
        code, counts = _folded(head.code, outer, inner.code)
        counts |= inner.decoded.counts
        idents = dict(inner.decoded.idents)
        clocks = _clocks(batch, head, outer, inner, code, state, idents)
        readings = Readings.concat([clocks, inner.decoded.readings])
        if len(readings):
            readings = readings.take(np.argsort(readings.frame, kind="stable"))
        return Decoded(inner.decoded.observations, readings, code, idents, counts=counts)

    def extra(self, payload: bytes) -> dict[str, Any]:
        """Every message inside as plain data."""
        batch = FrameBatch.of(self.name, [payload], [0], [0])
        head, start, stop, _ = _opened(batch)
        inner = zip(start.tolist(), stop.tolist(), strict=True)
        messages = [described(payload[a:b]) for a, b in inner]
        if head.code[0] != _OK or not any(messages):
            return {}
        return {"unix_ms": int(head.unix_ms[0]), "messages": messages}

    def finish(self, sensors: SensorTable, state: Memory) -> Decoded:
        """Nothing is ever pending."""
        return Decoded.nothing()


FORMATS = (RSU(),)


def _opened(batch: FrameBatch) -> tuple[_Head, I8, I8, I4]:
    """Envelopes, and start, stop (bytes) and envelope of every message in them."""
    n = len(batch)
    form = np.empty(n, np.uint8)
    most = _look(batch.buf, batch.off, form)
    for i in np.flatnonzero(form == _SINGLE | _MULTIPLE).tolist():
        if not readable(batch.payload(i)[HEAD + 2 :]):
            form[i] = _MULTIPLE
    head = _Head(np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.uint8))
    start, stop = np.empty(most, np.int64), np.empty(most, np.int64)
    outer = np.empty(most, np.int32)
    m = _open(batch.buf, batch.off, form, head, start, stop, outer)
    return head, start[:m], stop[:m], outer[:m]


def _folded(code: U1, outer: I4, inner: U1) -> tuple[U1, dict[str, int]]:
    """One code a frame from those of its messages, and what was skipped in good frames."""
    frames = code.shape[0]
    nothing = int(Reject.NOTHING_TO_OBSERVE)
    well = np.isin(inner, ACCEPTED)
    held = np.bincount(outer, minlength=frames)
    seen = np.bincount(outer[inner == _OK], minlength=frames)
    good = np.bincount(outer[well], minlength=frames)
    folded = code.copy()
    opened = code == _OK
    folded[opened & (seen == 0)] = nothing
    bad = opened & (held > 0) & (good == 0)
    leader = np.zeros(frames, np.int64)
    leader[outer[::-1]] = np.arange(outer.shape[0])[::-1]
    folded[bad] = inner[leader[bad]]
    skipped = inner[~well & (good[outer] > 0)]
    names, how_many = np.unique(skipped, return_counts=True)
    counts = {
        f"message_{Reject(value).name}": count
        for value, count in zip(names.tolist(), how_many.tolist(), strict=True)
    }
    return folded, counts


def _clocks(
    batch: FrameBatch, head: _Head, outer: I4, inner: Messages, code: U1, state: Memory,
    idents: dict[int, str],
) -> Readings:  # fmt: skip
    """Clock readings of the good envelopes that carry a time."""
    timed = np.isin(code, ACCEPTED) & (head.unix_ms >= 0)
    rows = np.flatnonzero(timed)
    if not rows.size:
        return Readings.blank()
    who = np.full(len(batch), -1, np.int64)
    who[rows] = state.idents("rsu", head.name[rows].view(np.uint64), idents)
    arrival = (head.unix_ms[rows] * 1_000_000 - batch.recv_ns[rows]) / 1e9
    usable = (inner.sec_mark >= 0) & (inner.sec_mark < _SEC_MARK_TOP) & timed[outer]
    told = np.flatnonzero(usable)
    message = told[np.unique(outer[told], return_index=True)[1]]
    within = outer[message]
    apart = (inner.sec_mark[message] - head.unix_ms[within]) % MINUTE_MS
    apart_s = np.where(apart > MINUTE_MS // 2, apart - MINUTE_MS, apart) / 1e3
    frame = np.concatenate([rows, within])
    name = np.repeat([Name.RSU_CLOCK_OFFSET_S, Name.RSU_INNER_OFFSET_S], [rows.size, within.size])
    return Readings.blank(
        frame.size, frame=frame, t_ns=batch.recv_ns[frame], recv_ns=batch.recv_ns[frame],
        sensor=batch.sensor[frame], ident=who[frame], name=name,
        value=np.concatenate([arrival, apart_s]),
    )  # fmt: skip
