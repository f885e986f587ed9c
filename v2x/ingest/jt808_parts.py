"""JT/T 808 messages that come in parts (4.4.3 of JT/T 808-2013): put together, or given up.

Parts of one message have consecutive serials, so sensor, phone, message, `serial - index + 1` and
the number of parts name it. What is complete becomes one frame that says part 1 of 1: everything
behind it reads it like any other. A message that gets no new part for `QUIET_NS` of arrival time is
given up, as are the quietest where more than `MOST` messages or `MOST_BYTES` of one sensor wait.
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from v2x.columns import U1
from v2x.frames import FrameBatch
from v2x.ingest.decoded import Reject, Settled
from v2x.ingest.timestamps import MINUTE

QUIET_NS = MINUTE
MOST = 64
MOST_BYTES = 1 << 22
LONGEST = 1 << 20
"""Bytes of a whole message: as many as a frame may have."""

Key = tuple[int, bytes, int, int, int]
"""Sensor row, phone as sent, message, serial of the first part, number of parts."""


class Head(NamedTuple):
    """A frame of either header, escapes undone."""

    message: int
    properties: int
    version: bytes
    phone: bytes
    serial: int
    total: int
    number: int
    body: bytes
    check_ok: bool
    length_ok: bool


def read_head(payload: bytes) -> Head | None:
    """Header and body of one frame, both marks present; None where there is no whole header."""
    plain = payload[1:-1].replace(b"\x7d\x02", b"\x7e").replace(b"\x7d\x01", b"\x7d")
    if len(plain) < 13:
        return None
    properties = int.from_bytes(plain[2:4], "big")
    phone_at = 5 if properties & 0x4000 else 4
    at = 17 if properties & 0x4000 else 12
    part = plain[at : at + 4] if properties & 0x2000 else b"\0\1\0\1"
    at += 4 if properties & 0x2000 else 0
    if len(plain) <= at or len(part) < 4:
        return None
    check = 0
    for byte in plain:
        check ^= byte
    head = 17 if properties & 0x4000 else 12
    return Head(
        int.from_bytes(plain[:2], "big"),
        properties,
        plain[4:phone_at],
        plain[phone_at : head - 2],
        int.from_bytes(plain[head - 2 : head], "big"),
        int.from_bytes(part[:2], "big"),
        int.from_bytes(part[2:], "big"),
        plain[at:-1],
        check == 0,
        (properties - (len(plain) - 1 - at)) & 0x3FF == 0,
    )


def whole_frame(head: Head, body: bytes) -> bytes:
    """The frame of a whole message, part 1 of 1, with the doubts that `head` has."""
    length = len(body) if head.length_ok else len(body) + 1
    properties = (head.properties & 0x4000) | 0x2000 | (length & 0x3FF)
    plain = head.message.to_bytes(2, "big") + properties.to_bytes(2, "big") + head.version
    plain += head.phone + head.serial.to_bytes(2, "big") + b"\0\1\0\1" + body
    check = 0 if head.check_ok else 0xFF
    for byte in plain:
        check ^= byte
    plain += bytes([check])
    return b"\x7e" + plain.replace(b"\x7d", b"\x7d\x01").replace(b"\x7e", b"\x7d\x02") + b"\x7e"


@dataclass(slots=True)
class _Waiting:
    last_ns: int
    check_ok: bool = True
    length_ok: bool = True
    bodies: dict[int, bytes] = field(default_factory=dict)
    tickets: list[int] = field(default_factory=list)
    size: int = 0


@dataclass(frozen=True, slots=True)
class Joined:
    """What the parts of one batch came to.

    Attributes
    ----------
    whole
        Frames of complete messages, by row of the part that completed them.
    codes
        Codes of parts that neither wait nor complete anything, by row.
    tickets
        Tickets of the parts that a complete message waited for, by row.
    given_up
        Tickets of parts that wait no more.
    """

    whole: dict[int, bytes]
    codes: dict[int, Reject]
    tickets: dict[int, list[int]]
    given_up: list[int]


class Parts:
    """Parts that wait for others: the state of the format `jt808`."""

    def __init__(self) -> None:
        self._waiting: dict[Key, _Waiting] = {}
        self._clock_ns = -(1 << 62)
        self._handed = 0

    def state(self) -> dict[str, Any]:
        """What must survive a restart, as plain data: messages, the quietest first."""
        return {
            "clock_ns": self._clock_ns,
            "handed": self._handed,
            "waiting": [
                [
                    *key, w.last_ns, w.check_ok, w.length_ok, list(w.bodies),
                    list(w.bodies.values()), list(w.tickets),
                ]
                for key, w in self._waiting.items()
            ],
        }  # fmt: skip

    def restore(self, state: dict[str, Any]) -> None:
        """Put back what `state` gave."""
        self._clock_ns, self._handed = state["clock_ns"], state["handed"]
        self._waiting = {}
        for *key, last_ns, check_ok, length_ok, at, bodies, tickets in state["waiting"]:
            sensor, phone, message, first, total = key
            self._waiting[sensor, bytes(phone), message, first, total] = _Waiting(
                last_ns, check_ok, length_ok,
                {index: bytes(body) for index, body in zip(at, bodies, strict=True)},
                list(tickets), sum(map(len, bodies)),
            )  # fmt: skip

    def idle(self, codes: U1) -> bool:
        """Tell whether a batch with these codes neither has parts nor may end a wait for one."""
        return not self._waiting and not (codes == Reject.FRAGMENT).any()

    def join(self, batch: FrameBatch, codes: U1) -> Joined:
        """Take the frames that `codes` calls fragments."""
        made = Joined({}, {}, {}, [])
        clock = np.maximum(np.maximum.accumulate(batch.recv_ns), self._clock_ns)
        for i in np.flatnonzero(codes == Reject.FRAGMENT).tolist():
            self._expire(int(clock[i]), made)
            self._take(i, int(batch.sensor[i]), batch.payload(i), int(clock[i]), made)
        if len(batch):
            self._clock_ns = int(clock[-1])
            self._expire(self._clock_ns, made)
        return made

    def give_up(self) -> list[Settled]:
        """Let go of all parts, at the end of the input."""
        tickets = [ticket for w in self._waiting.values() for ticket in w.tickets]
        self._waiting = {}
        return [Settled(ticket, Reject.FRAGMENT) for ticket in sorted(tickets)]

    def _take(self, i: int, sensor: int, payload: bytes, clock_ns: int, made: Joined) -> None:
        head = read_head(payload)
        assert head is not None  # the kernel has seen header and part numbers
        if not 1 <= head.number <= head.total:
            made.given_up.append(self._hand())
            return
        if len(head.body) > 0x3FF:
            made.codes[i] = Reject.BAD_LENGTH
            return
        if head.total * 0x3FF > LONGEST:
            made.codes[i] = Reject.OVERSIZE
            return
        first = (head.serial - head.number + 1) & 0xFFFF
        key = (sensor, head.phone, head.message, first, head.total)
        waiting = self._waiting.pop(key, None) or _Waiting(clock_ns)
        self._waiting[key] = waiting
        waiting.last_ns = clock_ns
        if head.number in waiting.bodies:
            made.codes[i] = Reject.NOTHING_TO_OBSERVE  # sent again
            return
        waiting.bodies[head.number] = head.body
        waiting.size += len(head.body)
        waiting.check_ok &= head.check_ok
        waiting.length_ok &= head.length_ok
        if len(waiting.bodies) == head.total:
            del self._waiting[key]
            body = b"".join(waiting.bodies[k] for k in range(1, head.total + 1))
            head = head._replace(check_ok=waiting.check_ok, length_ok=waiting.length_ok)
            made.whole[i] = whole_frame(head, body)
            made.tickets[i] = waiting.tickets
            return
        waiting.tickets.append(self._hand())
        mine = [(k, w) for k, w in self._waiting.items() if k[0] == sensor]
        size = sum(w.size for _, w in mine)
        for k, w in mine[:-1]:
            if len(mine) <= MOST and size <= MOST_BYTES:
                break
            mine = mine[1:]
            size -= w.size
            made.given_up.extend(self._waiting.pop(k).tickets)

    def _hand(self) -> int:
        self._handed += 1
        return self._handed - 1

    def _expire(self, clock_ns: int, made: Joined) -> None:
        while self._waiting:
            key, quietest = next(iter(self._waiting.items()))
            if clock_ns - quietest.last_ns <= QUIET_NS:
                return
            made.given_up.extend(self._waiting.pop(key).tickets)
