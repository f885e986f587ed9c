"""JT/T 808 positions in kernels: frames of a poll to parsed rows, rows to columns.

`formats/jt808.py` has the layout and the rules; this is how they run. `parse` undoes escapes and
reads every frame once; `observe` and `read` write the columns when places have their datum.
"""

import numpy as np

from v2x.columns import F4, F8, I4, I8, U1, U2
from v2x.ingest.decoded import Reject
from v2x.ingest.jt808_bytes import (
    BODY,
    TOP_SPEED,
    bcd_time,
    copied,
    item_end,
    lengths_agree,
    next_item,
    place,
    plausible,
    u16,
    u32,
    unescaped,
)
from v2x.ingest.terminals import slot_of
from v2x.ingest.timestamps import FUTURE_NS, HOUR, MINUTE, PAST_NS
from v2x.jit import uncounted
from v2x.observations import Flag
from v2x.readings import Name

POSITION, BATCH, HEARTBEAT = 0x0200, 0x0704, 0x0002
REGISTRATION, AUTHENTICATION = 0x0100, 0x0102
WORDS = (
    0x0001, HEARTBEAT, 0x0003, 0x0004, 0x0005, REGISTRATION, AUTHENTICATION, 0x0104, 0x0107, 0x0108,
    0x0201, 0x0301, 0x0302, 0x0303, 0x0500, 0x0608, 0x0700, 0x0701, 0x0702, 0x0705, 0x0800, 0x0801,
    0x0802, 0x0805, 0x0900, 0x0901, 0x0A00, 0x1003, 0x1005, 0x1205, 0x1206,
)  # fmt: skip
"""Other messages that terminals send (808, and JT/T 1078 from 0x1003 on): signs of life."""

# Kernels know plain integers only.
OK, SHORT, NOTHING = int(Reject.OK), int(Reject.SHORT), int(Reject.NOTHING_TO_OBSERVE)
BAD_MAGIC, BAD_ESCAPE = int(Reject.BAD_MAGIC), int(Reject.BAD_ESCAPE)
BAD_LENGTH, VALUE_RANGE = int(Reject.BAD_LENGTH), int(Reject.VALUE_RANGE)
UNKNOWN_MESSAGE, ENCRYPTED = int(Reject.UNKNOWN_MESSAGE), int(Reject.ENCRYPTED)
FRAGMENT = int(Reject.FRAGMENT)
SELF_REPORTED, BACKLOG = int(Flag.SELF_REPORTED), int(Flag.BACKLOG)
CHECKSUM_BAD, LENGTH_BAD = int(Flag.CHECKSUM_BAD), int(Flag.LENGTH_BAD)
FROM_ARRIVAL, SUSPECT = int(Flag.TIME_FROM_ARRIVAL), int(Flag.TIME_SUSPECT)
CONVERTED, UNCERTAIN = int(Flag.DATUM_CONVERTED), int(Flag.DATUM_UNCERTAIN)
N_BEAT, N_ALARM, N_STATUS = int(Name.HEARTBEAT), int(Name.ALARM_BITS), int(Name.STATUS_BITS)
N_FIX, N_SATS, N_RSSI = int(Name.FIX), int(Name.GNSS_SATS), int(Name.LINK_RSSI)
N_ODO, N_CLOCK = int(Name.ODOMETER_M), int(Name.CLOCK_OFFSET_S)

_VEL_SD = 0.5  # m/s per axis
_TOP_ALTITUDE = 9000  # m; no road is higher
LATE_NS = 10 * MINUTE
"""How late by its own clock a position may come that is not from a store; ours."""
_ABOUT = MINUTE
_ZONES = 14 * HOUR
"""So near to a whole number of hours behind its arrival, as time zones are, a clock is wrong."""

_IS_WORD, _IS_POSITION, _IS_BATCH = 1, 2, 3
_KINDS = np.zeros(0x2000, np.uint8)
_KINDS[list(WORDS)] = _IS_WORD
_KINDS[POSITION], _KINDS[BATCH] = _IS_POSITION, _IS_BATCH

# Columns of a parsed position; a sign of life has -1 in ALARM and its message in STATUS.
FRAME, SLOT, T, ALTITUDE, SPEED, DIRECTION, ALARM, STATUS, FLAGS, ODO, RSSI, SATS = range(12)
WIDTH = 12
# What was skipped or odd inside good frames, behind 256 counters of unread items.
CUT_ITEM, BAD_BATCH, OFF_GLOBE, NEAR_ZERO, FOUND_ITEM = range(256, 261)
TALLIES = 261


@uncounted
def _items(body: U1, p: int, end: int, row: I8, tally: I8) -> None:
    """Read odometer, link and satellites among the items in body[p:end]; count the others."""
    row[ODO] = row[RSSI] = row[SATS] = -1
    while p < end:
        if p + 2 > end or p + 2 + int(body[p + 1]) > end:
            tally[CUT_ITEM] += 1
            return
        name, length = int(body[p]), int(body[p + 1])
        p += 2
        if name == 0x01 and length == 4:
            row[ODO] = u32(body, p)
        elif name == 0x30 and length == 1:
            row[RSSI] = body[p]
        elif name == 0x31 and length == 1:
            row[SATS] = body[p]
        else:
            tally[name] += 1
        p += length


@uncounted
def parse(
    buf: U1, off: I8, recv_ns: I8, body: U1, keys: I8, seen: I8, poll: int,
    used: I4, codes: U1, tally: I8, word: I8, lat: F8, lon: F8,
) -> tuple[int, int, int, int, int, int]:  # fmt: skip
    """Frames to positions and signs of life.

    buf, off, recv_ns: the batch; body: room for the longest frame; keys, seen, poll: `Terminals`
    -> codes (n,) of `Reject`, tally (261,), used (n,) slots, word (rows, 12), lat, lon (rows,)
    degrees or NaN; how many rows, observations, readings, used slots, map-shifted rows and rows of
    messages with texts there are.
    """
    items = observed = facts = phones = shifted = texts = 0
    for i in range(off.shape[0] - 1):
        a, b = off[i], off[i + 1]
        if (b > a and buf[a] != 0x7E) or (b > a + 1 and buf[b - 1] != 0x7E):
            codes[i] = BAD_MAGIC
            continue
        if b - a < 15:
            codes[i] = SHORT
            continue
        src = buf[a + 1 : b - 1]
        n = src.shape[0]
        marks, check = copied(src, body)
        if marks:
            n, check = unescaped(src, body)
        if n < 13:
            codes[i] = BAD_ESCAPE if n < 0 else SHORT
            continue
        message, properties = u16(body, 0), u16(body, 2)
        head, end = 17 if properties & 0x4000 else 12, n - 1
        kind = _KINDS[message] if message < 0x2000 else 0
        if kind == 0:
            codes[i] = UNKNOWN_MESSAGE
            continue
        if properties & 0x1C00:
            codes[i] = ENCRYPTED
            continue
        if end < head:
            codes[i] = SHORT
            continue
        phone_ok = True
        low = high = 0
        for k in range(head - (12 if head == 17 else 8), head - 2):
            phone_ok &= (body[k] & 15 < 10) & (body[k] < 0xA0)
            high = ((high << 8) | (low >> 48)) & 0xFF_FFFF
            low = ((low << 8) | int(body[k])) & 0xFF_FFFF_FFFF_FFFF
        long_ok = True
        if properties & 0x2000:
            if end < head + 4:
                codes[i] = SHORT
                continue
            total, index = u16(body, head), u16(body, head + 2)
            if total != 1 or index != 1:
                codes[i] = FRAGMENT
                continue
            # A whole message in one part; `jt808_parts` gives those it put together this form.
            head += 4
            long_ok = (end - head - properties) & 0x3FF == 0
        else:
            long_ok = end - head == properties & 0x3FF
        flags = SELF_REPORTED
        if check:
            flags |= CHECKSUM_BAD
        if not long_ok:
            flags |= LENGTH_BAD

        first = items
        p = head
        trusted = True
        near_ns = -1
        if kind == _IS_POSITION:
            if end - head < BODY:
                codes[i] = SHORT
                continue
        elif kind == _IS_BATCH:
            if end - head < 3:
                codes[i] = SHORT
                continue
            trusted = lengths_agree(body, head, end)
            if not trusted:
                flags |= LENGTH_BAD
                tally[BAD_BATCH] += 1
            if body[head + 2] == 1:
                flags |= BACKLOG
            p += 3
        else:
            word[items, FRAME], word[items, T] = i, recv_ns[i]
            word[items, ALARM], word[items, FLAGS] = -1, flags
            word[items, STATUS] = message
            lat[items] = lon[items] = np.nan
            items += 1
            facts += 1
            texts += int(message in (REGISTRATION, AUTHENTICATION))
            p = end
        fixes = 0
        off_globe = False
        while p < end:
            stop = end
            if kind == _IS_BATCH:
                if p + 2 + BODY > end:
                    break
                if trusted:
                    stop = p + 2 + u16(body, p)
                else:
                    if not plausible(body, p + 2, end, near_ns):
                        p = next_item(body, p + 1, end, near_ns)
                        if p == end:
                            break
                        tally[FOUND_ITEM] += 1
                    near_ns = bcd_time(body, p + 24)
                    stop = item_end(body, p, end, near_ns)
                    if stop != p + 2 + u16(body, p) and plausible(body, stop + 2, end, near_ns):
                        tally[FOUND_ITEM] += 1
                p += 2
            status = u32(body, p + 4)
            t_ns = bcd_time(body, p + 22)
            y, x, more, on_globe = place(body, p, status)
            if not on_globe and flags & CHECKSUM_BAD:
                off_globe = True
                p = stop
                continue
            more |= flags
            facts += 3
            row = word[items]
            if t_ns < 0:
                t_ns = recv_ns[i]
                more |= FROM_ARRIVAL
            elif t_ns - recv_ns[i] > FUTURE_NS:
                more |= SUSPECT
                facts += 1
            elif recv_ns[i] - t_ns > PAST_NS:
                more |= SUSPECT
                facts += int(not flags & BACKLOG)
            elif (
                HOUR - _ABOUT <= recv_ns[i] - t_ns <= _ZONES + _ABOUT
                and (recv_ns[i] - t_ns + _ABOUT) % HOUR <= 2 * _ABOUT
                and not flags & BACKLOG
            ):
                more |= SUSPECT
                facts += 1
            elif recv_ns[i] - t_ns > LATE_NS and not flags & BACKLOG:
                facts += 1
            row[FRAME], row[T], row[FLAGS], row[STATUS] = i, t_ns, more, status
            row[ALARM], row[ALTITUDE] = u32(body, p), u16(body, p + 16)
            row[SPEED], row[DIRECTION] = u16(body, p + 18), u16(body, p + 20)
            _items(body, p + BODY, stop, row, tally)
            facts += int(row[ODO] >= 0) + int(row[RSSI] >= 0) + int(row[SATS] >= 0)
            lat[items] = lon[items] = np.nan
            if status & 2:
                if not on_globe:
                    tally[OFF_GLOBE] += 1
                elif abs(y) < 0.01 and abs(x) < 0.01:
                    tally[NEAR_ZERO] += 1
                else:
                    lat[items], lon[items] = y, x
                    fixes += 1
                    shifted += (status >> 5) & 1
            items += 1
            p = stop
        if items == first and off_globe:
            codes[i] = VALUE_RANGE
            continue
        if items == first and kind == _IS_BATCH and not trusted:
            codes[i] = BAD_LENGTH
            continue
        observed += fixes
        codes[i] = OK if fixes else NOTHING
        slot = -1
        if phone_ok and (low != 0 or high != 0):
            slot = slot_of(keys, low, high)
            if seen[slot] != poll:
                seen[slot] = poll
                used[phones] = slot
                phones += 1
        for k in range(first, items):
            word[k, SLOT] = slot
    return items, observed, facts, phones, shifted, texts


@uncounted
def observe(
    word: I8, lat: F8, lon: F8, geoid: F8, recv_in: I8, sensor_in: I4, idents: I8, sd: F8,
    sd_up: F8, frame: I4, t_ns: I8, recv_ns: I8, sensor: I4, ident: I8, out_lat: F8, out_lon: F8,
    height: F8, cov: F8, vel: F8, vel_sd: F4, flags: U2, amsl: F8,
) -> None:  # fmt: skip
    """Positions with a place to columns of `Observations`, in order.

    word, lat, lon: `parse`; geoid (rows,) m or NaN; recv_in, sensor_in: by frame; idents: by
    slot; sd, sd_up: by sensor -> the others, (observations,) or (observations, 3 or 6).
    """
    k = 0
    for j in range(word.shape[0]):
        if lat[j] != lat[j]:
            continue
        row = word[j]
        i = row[FRAME]
        frame[k], t_ns[k], recv_ns[k] = i, row[T], recv_in[i]
        s = sensor[k] = sensor_in[i]
        ident[k] = idents[row[SLOT]] if row[SLOT] >= 0 else -1
        out_lat[k], out_lon[k] = lat[j], lon[j]
        word_flags = row[FLAGS]
        amsl[k] = height[k] = np.nan
        var_up = np.nan
        if 0 < row[ALTITUDE] <= _TOP_ALTITUDE:
            amsl[k] = row[ALTITUDE]
            height[k] = amsl[k] + geoid[j]
            if height[k] == height[k]:
                var_up = sd_up[s] * sd_up[s]
            else:
                word_flags |= UNCERTAIN
        cov[k, 0] = cov[k, 3] = sd[s] * sd[s]
        cov[k, 1] = cov[k, 2] = cov[k, 4] = 0.0
        cov[k, 5] = var_up
        vel[k, 0] = vel[k, 1] = vel[k, 2] = np.nan
        vel_sd[k] = np.nan
        if row[SPEED] <= TOP_SPEED:
            v = row[SPEED] / 36.0
            if row[DIRECTION] <= 360:
                turn = row[DIRECTION] * (np.pi / 180.0)
                vel[k, 0], vel[k, 1] = v * np.sin(turn), v * np.cos(turn)
                vel_sd[k] = _VEL_SD
            elif v < 0.5:
                vel[k, 0] = vel[k, 1] = 0.0
                vel_sd[k] = _VEL_SD
        flags[k] = word_flags
        k += 1


@uncounted
def read(
    word: I8, lat: F8, lon: F8, recv_in: I8, sensor_in: I4, idents: I8, frame: I4, t_ns: I8,
    recv_ns: I8, sensor: I4, ident: I8, name: U2, value: F8, out_lat: F8, out_lon: F8,
) -> None:  # fmt: skip
    """Positions and signs of life to columns of `Readings`, arguments as for `observe`."""
    k = 0
    for j in range(word.shape[0]):
        row = word[j]
        i = row[FRAME]
        start = k
        if row[ALARM] < 0:
            name[k], value[k] = N_BEAT, 1.0
            k += 1
        else:
            name[k], value[k] = N_ALARM, row[ALARM]
            name[k + 1], value[k + 1] = N_STATUS, row[STATUS]
            name[k + 2], value[k + 2] = N_FIX, (row[STATUS] >> 1) & 1
            k += 3
            if row[SATS] >= 0:
                name[k], value[k] = N_SATS, row[SATS]
                k += 1
            if row[RSSI] >= 0:
                name[k], value[k] = N_RSSI, row[RSSI]
                k += 1
            if row[ODO] >= 0:
                name[k], value[k] = N_ODO, row[ODO] * 100.0
                k += 1
            # Stored positions are old by right: their age is no error of the clock. One that is
            # sent as of now and is not of now has a wrong clock, or was long on its way.
            late = recv_in[i] - row[T] > LATE_NS and not row[FLAGS] & BACKLOG
            wild = (row[FLAGS] & SUSPECT) != 0 and (row[T] > recv_in[i] or not row[FLAGS] & BACKLOG)
            if late or wild:
                name[k], value[k] = N_CLOCK, (row[T] - recv_in[i]) * 1e-9
                k += 1
        whose = idents[row[SLOT]] if row[SLOT] >= 0 else -1
        for m in range(start, k):
            frame[m], t_ns[m], recv_ns[m], sensor[m] = i, row[T], recv_in[i], sensor_in[i]
            ident[m], out_lat[m], out_lon[m] = whose, lat[j], lon[j]
