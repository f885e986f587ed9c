"""Roadside messages of YD/T 3709-2020 and T/CSAE 53: from UPER bits to wire numbers.

::

    MessageFrame            x, choice of 3 bits: 0 BSM, 1 MAP, 2 RSM, 3 SPAT, 4 RSI
    RoadsideSafetyMessage   x; msgCnt 7, id 64, refPos, participants 1..16 (4)
      ParticipantData       x + 6; ptcType x3, ptcId 16, source x3, id? 64, secMark 16, pos,
                            posConfidence, transmission? 3, speed 13, heading 15, angle? 8,
                            motionCfd?, accelSet?, size, vehicleClass?
    BasicSafetyMessage      x + 7; msgCnt 7, id 64, secMark 16, timeConfidence? 6, pos,
                            posAccuracy? 8 8 16, posConfidence?, transmission 3, speed 13,
                            heading 15, angle? 8, motionCfd?, accelSet, brakes, size,
                            vehicleClass, safetyExt?, emergencyExt?
      safetyExt             x + 4; events? x13, pathHistory?, pathPrediction?, lights? x9
        pathHistory         x + 2; initialPosition?, currGNSSstatus? 8, crumbData 1..23 (5)
      emergencyExt          x + 3; responseType? x3, sirenUse? 2, lightsUse? 3

"x" is an extension bit, "+ n" presence bits for the fields marked "?". Layout, ranges and editions
are those of `v2x.ingest.j2735cn_types`; real frames, an independent encoder and the tables of the
tests agree bit by bit. Of a BSM the editions differ in the position at the head of a path history
only, and a frame does not say which one it is.

A message becomes one row of `WIRE` columns per participant (RSM, SSM) and obstacle (SSM) or one
(BSM), in the units of the wire, positions already summed: offsets of an RSM count from its
``refPos``, of an SSM from its ``sensorPos``. `ABSENT` stands for a field that was not sent and for
the schema's own "unavailable" of positions and heights. RSM and BSM are the hot ones and have
kernels of their own; the SSM is read by its table, its participants by the kernel of the RSM.
RSI, SPAT and MAP are left to `v2x.ingest.j2735cn_unit`.
"""

from typing import NamedTuple

import numpy as np

from v2x.columns import I4, I8, U1
from v2x.ingest.decoded import Reject
from v2x.ingest.j2735cn_parts import (
    ABSENT,
    BRAKE_PEDAL,
    CLASS,
    DETECTED,
    ELEVATION,
    ELEVATION_CFD,
    EVENTS,
    GUESSED,
    HAS_ID,
    HEADING,
    HEADING_CFD,
    HEADING_TOP,
    HEIGHT,
    ID_HIGH,
    ID_LOW,
    IS_OBSTACLE,
    LAT,
    LENGTH,
    LIGHTS,
    LON,
    OBSTACLE,
    ORIENTATION,
    POS_CFD,
    PTC_ID,
    PTC_TYPE,
    RESPONSE,
    SEC_MARK,
    SEMI_MAJOR,
    SEMI_MINOR,
    SIREN,
    SOURCE,
    SPEED,
    SPEED_CFD,
    TYPE_CFD,
    WHEEL_BRAKES,
    WIDTH,
    WIRE,
    acceleration,
    motion_confidence,
    offset,
    participant,
    position,
    position_confidence,
    size,
    vehicle_class,
)
from v2x.ingest.j2735cn_program import Mark, extension, program, run
from v2x.ingest.j2735cn_types import EXTENSIONS, types_of
from v2x.ingest.j2735cn_types import SSM as _SSM_ID
from v2x.ingest.uper import (
    FAULT,
    additions,
    bits,
    enumerated,
    finished,
    ranged,
    skip,
    take,
)
from v2x.jit import uncounted

EDITION_AUTO, EDITION_2019, EDITION_2020, EDITION_UNKNOWN = range(4)
EDITIONS = {
    "auto": EDITION_AUTO, "2019": EDITION_2019, "2020": EDITION_2020, "day2": EDITION_2020,
}  # fmt: skip
"""``day2`` (T/CSAE 157) adds what readers of 2020 skip; 2017 is another message altogether."""

BSM, MAP, RSM, SPAT, RSI = range(5)
EXTENSION = 8
"""First number of the frames whose extension bit is 1."""

PENDING = 255
"""Code of a message that is another module's to read: RSI, SPAT, MAP."""

_SENDER, _SENT, _BASE, _REGION, _HAS_EVENTS = WIRE, WIRE + 2, WIRE + 3, WIRE + 6, WIRE + 8
REGISTER = WIRE + 9
"""Columns of the register of a message that a program reads."""

SSM_PROGRAM = program(
    types_of("day2"),
    "SensorSharingMsg",
    {
        "id": _SENDER, "secMark": _SENT, "sensorPos": _BASE, "participants.ptc": PTC_TYPE,
        "participants.detectedPTCType": DETECTED, "participants.typeConfidence": TYPE_CFD,
        "obstacles.obsType": OBSTACLE, "obstacles.objTypeConfidence": TYPE_CFD,
        "obstacles.obsId": PTC_ID, "obstacles.source": SOURCE, "obstacles.secMark": SEC_MARK,
        "obstacles.pos": LAT, "obstacles.posConfidence.pos": POS_CFD,
        "obstacles.posConfidence.elevation": ELEVATION_CFD, "obstacles.speed": SPEED,
        "obstacles.speedCfd": SPEED_CFD, "obstacles.heading": HEADING,
        "obstacles.headingCfd": HEADING_CFD, "obstacles.size.width": WIDTH,
        "obstacles.size.length": LENGTH, "obstacles.size.height": HEIGHT,
    },
    {
        "": Mark(clear=(0, REGISTER)),
        "detectedRegion": Mark(at=(_REGION, _REGION + 1)),
        "participants": Mark(clear=(DETECTED, OBSTACLE + 1), row=(OBSTACLE, ABSENT)),
        "obstacles": Mark(
            clear=(0, WIRE),
            put=((HAS_ID, 0), (ELEVATION_CFD, 0), (SPEED_CFD, 0), (HEADING_CFD, 0)),
            row=(PTC_TYPE, IS_OBSTACLE),
        ),
        "rtes": Mark(put=((_HAS_EVENTS, 1),)),
    },
)  # fmt: skip
_SMALLEST = 128
"""Bits that a participant or an obstacle of an SSM takes at least (142 and 133)."""

_SSM_MOST = 512 + 64


class Heads(NamedTuple):
    """What stands once in a message, by message.

    `octets` the 8 of the sender's id; `sec_mark` of the message or its first object, -1 none; `up`
    reference elevation or `ABSENT`; `extension` id of a message of T/CSAE 157, -1 none; `base` lat,
    lon of an SSM; `region` first bit and bit behind the coverage an SSM states; `events` whether
    it holds events.
    """

    octets: I8
    sec_mark: I8
    up: I4
    extension: I4
    base: I4
    region: I8
    events: U1

    @classmethod
    def room(cls, n: int) -> "Heads":
        """Columns for `n` messages."""
        return cls(
            np.zeros(n, np.int64), np.full(n, -1, np.int64), np.full(n, ABSENT, np.int32),
            np.full(n, -1, np.int32), np.full((n, 2), ABSENT, np.int32),
            np.zeros((n, 2), np.int64), np.zeros(n, np.uint8),
        )  # fmt: skip


def _known_extensions() -> U1:
    """Code of a message of T/CSAE 157 by id, but for the SSM.

    One of a pedestrian's own place is an object that is not read; the others hold none.
    """
    codes = np.full(64, int(Reject.UNKNOWN_MESSAGE), np.uint8)
    codes[[i for i in EXTENSIONS if i != _PSM_ID]] = int(Reject.NOTHING_TO_OBSERVE)
    return codes


_SHORT = int(Reject.SHORT)
_BAD_MAGIC = int(Reject.BAD_MAGIC)
_UNKNOWN_MESSAGE = int(Reject.UNKNOWN_MESSAGE)
_UNKNOWN_EDITION = int(Reject.UNKNOWN_EDITION)

_PSM_ID = 15
_EXTENSION_CODE = _known_extensions()


@uncounted
def rows_at_most(buf: U1, start: I8, stop: I8) -> int:
    """Rows that the frames ``buf[start[j]:stop[j]]`` can give, from their counts alone."""
    rows = 0
    for j in range(start.shape[0]):
        p, end = 8 * start[j], 8 * stop[j]
        head, p = take(buf, p, end, 4)
        if head == BSM:
            rows += 1
        elif head == RSM:
            p = skip(p, end, 1 + 7 + 64)
            high, p = take(buf, p, end, 1)
            count, p = take(buf, skip(p, end, 63 + 16 * high), end, 4)
            rows += count + 1
        elif head >= EXTENSION:
            rows += min((end - p) // _SMALLEST, _SSM_MOST)
    return rows


@uncounted
def walk(
    buf: U1, start: I8, stop: I8, sensor: I4, edition: U1, learned: U1, ssm: I4, wire: I4,
    first: I8, heads: Heads, code: U1, register: I4, stack: I8,
) -> int:  # fmt: skip
    """Read every RSM, BSM and SSM; the number of rows in `wire`.

    buf u1 padded, start, stop (n,) bytes, sensor (n,), edition, learned (sensors,) of EDITION_*,
    ssm `SSM_PROGRAM` -> wire (`rows_at_most`, WIRE), first (n + 1,) row of each message, heads,
    code (n,) `Reject` or PENDING; `learned` is what auto settled on, changed in place; register
    (1, REGISTER) and stack (DEPTH,) are scratch.
    """
    octets, sec_mark, up = heads.octets, heads.sec_mark, heads.up
    n = 0
    for j in range(start.shape[0]):
        first[j] = n
        p, end = 8 * start[j], 8 * stop[j]
        s = sensor[j]
        kind, p = take(buf, p, end, 4)
        if p >= FAULT:
            code[j] = _SHORT
        elif edition[s] == EDITION_UNKNOWN:
            code[j] = _UNKNOWN_EDITION
        elif kind == RSM:
            rows, p = _rsm(buf, p, end, wire, n, octets, up, j)
            code[j] = max(p - FAULT, 0)
            if p < FAULT:
                sec_mark[j] = wire[n, SEC_MARK]
                n += rows
        elif kind == BSM:
            auto = edition[s] == EDITION_AUTO
            known = max(learned[s], EDITION_2019) if auto else edition[s]
            q, matters = _bsm(buf, p, end, known == EDITION_2019, wire, n, octets, j)
            if auto and matters:
                if q >= FAULT:
                    other = EDITION_2019 + EDITION_2020 - known
                    again, _ = _bsm(buf, p, end, other == EDITION_2019, wire, n, octets, j)
                    if again < FAULT:
                        q, known = again, other
                if q < FAULT:
                    learned[s] = known
                    wire[n, GUESSED] = 1
            code[j] = max(q - FAULT, 0)
            if q < FAULT:
                sec_mark[j] = wire[n, SEC_MARK]
                n += 1
        elif kind >= EXTENSION:
            message, p, last, q = extension(buf, 8 * start[j], end)
            heads.extension[j] = message
            if message < 0 and q < FAULT:
                code[j] = _UNKNOWN_MESSAGE
            elif q >= FAULT:
                code[j] = q - FAULT
            elif message == _SSM_ID:
                q, rows = run(ssm, buf, p, last, register, wire, n, stack)
                q = finished(buf, q, last)
                code[j] = max(q - FAULT, 0)
                if q < FAULT:
                    n = rows
                    _ssm_head(register[0], heads, j, p)
            else:
                code[j] = _EXTENSION_CODE[message] if message < 64 else _UNKNOWN_MESSAGE
        elif kind <= RSI:
            code[j] = PENDING
        else:
            code[j] = _BAD_MAGIC
    first[start.shape[0]] = n
    return n


@uncounted
def _ssm_head(row: I4, heads: Heads, j: int, p: int) -> None:
    """What an SSM that begins at bit `p` says of itself."""
    high, low = int(row[_SENDER]) & 0xFFFF_FFFF, int(row[_SENDER + 1]) & 0xFFFF_FFFF
    heads.octets[j] = (high << 32) | low
    heads.sec_mark[j] = row[_SENT]
    heads.up[j] = row[_BASE + 2]
    heads.base[j, 0], heads.base[j, 1] = row[_BASE], row[_BASE + 1]
    heads.events[j] = row[_HAS_EVENTS] == 1
    if row[_REGION] != ABSENT:
        heads.region[j, 0], heads.region[j, 1] = p + row[_REGION], p + row[_REGION + 1]


@uncounted
def _rsm(buf: U1, p: int, end: int, wire: I4, n: int, head: I8, up: I4, j: int) -> tuple[int, int]:
    """Roadside safety message from its extension bit; (participants, position)."""
    more, p = take(buf, p, end, 1)
    _, p = take(buf, p, end, 7)
    high, p = take(buf, p, end, 32)
    low, p = take(buf, p, end, 32)
    head[j] = (high << 32) | low
    lat, lon, elevation, p = position(buf, p, end)
    up[j] = elevation
    count, p = take(buf, p, end, 4)
    if p >= FAULT:
        return 0, p
    for i in range(count + 1):
        p = participant(buf, p, end, lat, lon, elevation, wire, n + i)
        if p >= FAULT:
            return 0, p
    if more:
        p = additions(buf, p, end)
    return count + 1, finished(buf, p, end)


@uncounted
def _bsm(
    buf: U1, p: int, end: int, of_2019: bool, wire: I4, n: int, head: I8, j: int
) -> tuple[int, bool]:
    """Basic safety message from its extension bit; (position, whether the edition mattered)."""
    more, p = take(buf, p, end, 1)
    has, p = take(buf, p, end, 7)
    _, p = take(buf, p, end, 7)
    high, p = take(buf, p, end, 32)
    low, p = take(buf, p, end, 32)
    head[j] = (high << 32) | low
    if p >= FAULT:
        return p, False
    wire[n, HAS_ID], wire[n, ID_HIGH], wire[n, ID_LOW] = 1, np.int32(high), np.int32(low)
    wire[n, PTC_TYPE], wire[n, PTC_ID], wire[n, SOURCE] = ABSENT, ABSENT, ABSENT
    wire[n, SEC_MARK], p = take(buf, p, end, 16)
    if has & 0b1000000:
        _, p = ranged(buf, p, end, 6, 39)
    wire[n, LAT], wire[n, LON], wire[n, ELEVATION], p = position(buf, p, end)
    major, minor, orientation = 255, 255, 65535
    if has & 0b0100000:
        major, p = take(buf, p, end, 8)
        minor, p = take(buf, p, end, 8)
        orientation, p = take(buf, p, end, 16)
    wire[n, SEMI_MAJOR], wire[n, SEMI_MINOR], wire[n, ORIENTATION] = major, minor, orientation
    pos_cfd = elevation_cfd = 0
    if has & 0b0010000:
        pos_cfd, elevation_cfd, p = position_confidence(buf, p, end)
    wire[n, POS_CFD], wire[n, ELEVATION_CFD] = pos_cfd, elevation_cfd
    p = skip(p, end, 3)
    wire[n, SPEED], p = take(buf, p, end, 13)
    wire[n, HEADING], p = ranged(buf, p, end, 15, HEADING_TOP)
    if has & 0b0001000:
        _, p = ranged(buf, p, end, 8, 253)
    speed_cfd = heading_cfd = 0
    if has & 0b0000100:
        speed_cfd, heading_cfd, p = motion_confidence(buf, p, end)
    wire[n, SPEED_CFD], wire[n, HEADING_CFD] = speed_cfd, heading_cfd
    p = acceleration(buf, p, end)
    wire[n, BRAKE_PEDAL], wire[n, WHEEL_BRAKES], p = _brakes(buf, p, end)
    wire[n, WIDTH], wire[n, LENGTH], wire[n, HEIGHT], p = size(buf, p, end)
    wire[n, CLASS], p = vehicle_class(buf, p, end)
    events, matters = ABSENT, False
    if has & 0b0000010:
        events, matters, p = _safety(buf, p, end, of_2019)
    wire[n, EVENTS] = events
    response = siren = lights = ABSENT
    if has & 0b0000001:
        response, siren, lights, p = _emergency(buf, p, end)
    wire[n, RESPONSE], wire[n, SIREN], wire[n, LIGHTS] = response, siren, lights
    wire[n, GUESSED] = 0
    if more:
        p = additions(buf, p, end)
    return finished(buf, p, end), matters


@uncounted
def _brakes(buf: U1, p: int, end: int) -> tuple[int, int, int]:
    """Pedal code and wheel bits, `ABSENT` where not sent."""
    has, p = take(buf, p, end, 7)
    pedal = wheels = ABSENT
    if has & 0b1000000:
        pedal, p = ranged(buf, p, end, 2, 2)
    if has & 0b0100000:
        wheels, p = take(buf, p, end, 5)
    p = skip(p, end, 2 * (((has >> 4) & 1) + ((has >> 3) & 1) + ((has >> 2) & 1)))
    if has & 0b0000010:
        _, p = ranged(buf, p, end, 2, 2)
    if has & 0b0000001:
        p = skip(p, end, 2)
    return pedal, wheels, p


@uncounted
def _safety(buf: U1, p: int, end: int, of_2019: bool) -> tuple[int, bool, int]:
    """Event bits; whether a path begins with a position; everything else is read over."""
    more, p = take(buf, p, end, 1)
    has, p = take(buf, p, end, 4)
    events, matters = ABSENT, False
    if has & 0b1000:
        events, p = bits(buf, p, end, 13)
    if has & 0b0100:
        matters, p = _path_history(buf, p, end, of_2019)
    if has & 0b0010:
        extended, p = take(buf, p, end, 1)
        _, p = ranged(buf, p, end, 16, 65534)
        _, p = ranged(buf, p, end, 8, 200)
        if extended:
            p = additions(buf, p, end)
    if has & 0b0001:
        _, p = bits(buf, p, end, 9)
    if more:
        p = additions(buf, p, end)
    return events, matters, p


@uncounted
def _path_history(buf: U1, p: int, end: int, of_2019: bool) -> tuple[bool, int]:
    more, p = take(buf, p, end, 1)
    initial, p = take(buf, p, end, 1)
    status, p = take(buf, p, end, 1)
    if initial:
        p = _full_position(buf, p, end, of_2019)
    p = skip(p, end, 8 * status)
    count, p = ranged(buf, p, end, 5, 22)
    if p >= FAULT:
        return initial == 1, p
    for _ in range(count + 1):
        extended, p = take(buf, p, end, 1)
        has, p = take(buf, p, end, 3)
        _, _, _, p = offset(buf, p, end, ABSENT, ABSENT, ABSENT)
        _, p = ranged(buf, p, end, 16, 65534)
        if has & 0b100:
            p = skip(p, end, 13)
        if has & 0b010:
            _, _, p = position_confidence(buf, p, end)
        if has & 0b001:
            _, p = ranged(buf, p, end, 8, 240)
        if extended:
            p = additions(buf, p, end)
    if more:
        p = additions(buf, p, end)
    return initial == 1, p


@uncounted
def _full_position(buf: U1, p: int, end: int, of_2019: bool) -> int:
    """FullPositionVector; 2019 has an error ellipse *and* a confidence, 2020 the latter alone."""
    more, p = take(buf, p, end, 1)
    has, p = take(buf, p, end, 8 if of_2019 else 7)
    if not of_2019:  # put in the presence bit of the ellipse: 0
        has = ((has & 0b1111000) << 1) | (has & 0b111)
    if has & 0b10000000:
        p = _date_time(buf, p, end, of_2019)
    _, _, _, p = position(buf, p, end)
    if has & 0b01000000:
        _, p = ranged(buf, p, end, 15, HEADING_TOP)
    p = skip(p, end, 3 * ((has >> 5) & 1) + 13 * ((has >> 4) & 1) + 32 * ((has >> 3) & 1))
    if has & 0b00000100:
        _, _, p = position_confidence(buf, p, end)
    if has & 0b00000010:
        _, p = ranged(buf, p, end, 6, 39)
    if has & 0b00000001:
        _, _, p = motion_confidence(buf, p, end)
    if more:
        p = additions(buf, p, end)
    return p


@uncounted
def _date_time(buf: U1, p: int, end: int, of_2019: bool) -> int:
    has, p = take(buf, p, end, 7)
    if has & 0b1000000:
        p = skip(p, end, 12)
    if has & 0b0100000:
        _, p = ranged(buf, p, end, 4, 12)
    if has & 0b0010000:
        p = skip(p, end, 5)
    if has & 0b0001000:
        _, p = ranged(buf, p, end, 5, 24 if of_2019 else 31)
    if has & 0b0000100:
        _, p = ranged(buf, p, end, 6, 60)
    if has & 0b0000010:
        p = skip(p, end, 16)
    if has & 0b0000001:
        _, p = ranged(buf, p, end, 11, 1441 if of_2019 else 1680)
    return p


@uncounted
def _emergency(buf: U1, p: int, end: int) -> tuple[int, int, int, int]:
    """Response type, siren and lights, `ABSENT` where not sent."""
    more, p = take(buf, p, end, 1)
    has, p = take(buf, p, end, 3)
    response = siren = lights = ABSENT
    if has & 0b100:
        response, p = enumerated(buf, p, end, 3, 6)
    if has & 0b010:
        siren, p = take(buf, p, end, 2)
    if has & 0b001:
        lights, p = take(buf, p, end, 3)
    if more:
        p = additions(buf, p, end)
    return response, siren, lights, p
