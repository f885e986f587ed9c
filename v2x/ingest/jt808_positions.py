"""JT/T 808 positions in kernels: frames of a poll to parsed rows, rows to columns.

`formats/jt808.py` has the layout and the rules; this is how they run. `parse` undoes escapes and
reads every frame once; `observe` and `read` write the columns when places have their datum.
"""

import numpy as np

from v2x.columns import F4, F8, I4, I8, U1, U2
from v2x.ingest.decoded import Reject
from v2x.ingest.terminals import slot_of
from v2x.ingest.timestamps import FUTURE_NS, HOUR, PAST_NS, civil_ns
from v2x.jit import kernel
from v2x.observations import Flag
from v2x.readings import Name

POSITION, BATCH, HEARTBEAT = 0x0200, 0x0704, 0x0002

# Kernels know plain integers only.
OK, SHORT, NOTHING = int(Reject.OK), int(Reject.SHORT), int(Reject.NOTHING_TO_OBSERVE)
BAD_MAGIC, BAD_ESCAPE = int(Reject.BAD_MAGIC), int(Reject.BAD_ESCAPE)
BAD_LENGTH, VALUE_RANGE = int(Reject.BAD_LENGTH), int(Reject.VALUE_RANGE)
UNKNOWN_MESSAGE, ENCRYPTED = int(Reject.UNKNOWN_MESSAGE), int(Reject.ENCRYPTED)
FRAGMENT = int(Reject.FRAGMENT)
SELF_REPORTED, BACKLOG = int(Flag.SELF_REPORTED), int(Flag.BACKLOG)
CHECKSUM_BAD, LENGTH_BAD = int(Flag.CHECKSUM_BAD), int(Flag.LENGTH_BAD)
FROM_ARRIVAL, SUSPECT = int(Flag.TIME_FROM_ARRIVAL), int(Flag.TIME_SUSPECT)
SWAPPED, CONVERTED = int(Flag.ORDER_GUESSED), int(Flag.DATUM_CONVERTED)
UNCERTAIN = int(Flag.DATUM_UNCERTAIN)
N_BEAT, N_ALARM, N_STATUS = int(Name.HEARTBEAT), int(Name.ALARM_BITS), int(Name.STATUS_BITS)
N_FIX, N_SATS, N_RSSI = int(Name.FIX), int(Name.GNSS_SATS), int(Name.LINK_RSSI)
N_ODO, N_CLOCK = int(Name.ODOMETER_M), int(Name.CLOCK_OFFSET_S)

GMT8 = 8 * HOUR
_VEL_SD = 0.5  # m/s per axis
_TOP_SPEED = 5000  # 0.1 km/h
_TOP_ALTITUDE = 9000  # m; no road is higher

# Columns of a parsed position; a heartbeat has -1 in ALARM.
FRAME, SLOT, T, ALTITUDE, SPEED, DIRECTION, ALARM, STATUS, FLAGS, ODO, RSSI, SATS = range(12)
WIDTH = 12
# What was skipped or odd inside good frames, behind 256 counters of unread items.
CUT_ITEM, BAD_BATCH, OFF_GLOBE, NEAR_ZERO = range(256, 260)
TALLIES = 260


@kernel
def room(buf: U1, off: I8) -> tuple[int, int]:
    """Most positions that the frames can hold (one each, batches one in 30 bytes); most bytes."""
    rows = longest = 0
    for i in range(off.shape[0] - 1):
        p, n = off[i], off[i + 1] - off[i]
        rows += n // 30 + 1 if n > 15 and buf[p + 1] == 0x07 and buf[p + 2] == 0x04 else 1
        longest = max(longest, n)
    return rows, longest


@kernel
def _u16(body: U1, p: int) -> int:
    return (int(body[p]) << 8) | int(body[p + 1])


@kernel
def _u32(body: U1, p: int) -> int:
    return (_u16(body, p) << 16) | _u16(body, p + 2)


@kernel
def _bcd(byte: int) -> int:
    """Two decimal digits, or 255."""
    high, low = byte >> 4, byte & 15
    return int(high * 10 + low) if high < 10 and low < 10 else 255


@kernel
def _time(body: U1, p: int) -> int:
    """UTC ns of BCD[6] at GMT+8, or -1."""
    year, month, day = _bcd(body[p]), _bcd(body[p + 1]), _bcd(body[p + 2])
    hour, minute, second = _bcd(body[p + 3]), _bcd(body[p + 4]), _bcd(body[p + 5])
    if year > 99 or month < 1 or month > 12 or hour > 23 or minute > 59 or second > 60:
        return -1
    days = 31
    if month == 4 or month == 6 or month == 9 or month == 11:
        days = 30
    elif month == 2:
        days = 29 if year % 4 == 0 else 28  # 2000 was a leap year
    if day < 1 or day > days:
        return -1
    return civil_ns(2000 + year, month, day, (hour * 60 + minute) * 60 + second) - GMT8


@kernel
def _copy(src: U1, body: U1) -> tuple[int, int]:
    """Bytes of src into body; 1 where any of them is 7D or 7E; XOR of all.

    Over a slice and with every value a u1, so that it becomes vector code: 3x faster than undoing
    escapes byte by byte, which few frames need.
    """
    marks = check = np.uint8(0)
    for k in range(src.shape[0]):
        byte = src[k]
        body[k] = byte
        marks = np.uint8(marks | np.uint8((byte == 0x7D) | (byte == 0x7E)))
        check = np.uint8(check ^ byte)
    return marks, check  # type: ignore[return-value]


@kernel
def _unescape(src: U1, body: U1) -> tuple[int, int]:
    """Escapes of src undone, left to right, into body; how many bytes there are (or -1); XOR."""
    k = p = 0
    check = np.uint8(0)
    while p < src.shape[0]:
        byte = src[p]
        if byte == 0x7D:
            p += 1
            if p >= src.shape[0] or src[p] < 1 or src[p] > 2:
                return -1, 0
            byte = np.uint8(0x7C + src[p])
        elif byte == 0x7E:
            return -1, 0
        body[k] = byte
        check = np.uint8(check ^ byte)
        k += 1
        p += 1
    return k, int(check)


@kernel
def _lengths_agree(body: U1, p: int, end: int) -> bool:
    """Whether a batch body at p holds as many items as it says and they end at `end`."""
    count = _u16(body, p)
    p += 3
    while p + 2 <= end and count > 0:
        length = _u16(body, p)
        if length < 28:
            return False
        p += 2 + length
        count -= 1
    return p == end and count == 0


@kernel
def _place(body: U1, p: int, status: int) -> tuple[float, float, int, bool]:
    """Latitude and longitude of a position at p, degrees; flags; whether they are on the globe."""
    lat, lon = _u32(body, p + 8), _u32(body, p + 12)
    flags = 0
    if 73_000_000 <= lat <= 136_000_000 and 3_000_000 <= lon <= 54_000_000 and not status & 0x0C:
        # Not in China's box as read, in it when swapped: some terminals send longitude first.
        lat, lon, flags = lon, lat, SWAPPED
    on_globe = lat <= 90_000_000 and lon <= 180_000_000
    y, x = lat / 1e6, lon / 1e6
    return -y if status & 4 else y, -x if status & 8 else x, flags, on_globe


@kernel
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
            row[ODO] = _u32(body, p)
        elif name == 0x30 and length == 1:
            row[RSSI] = body[p]
        elif name == 0x31 and length == 1:
            row[SATS] = body[p]
        else:
            tally[name] += 1
        p += length


@kernel
def parse(
    buf: U1, off: I8, recv_ns: I8, body: U1, keys: I8, seen: I8, poll: int,
    used: I4, codes: U1, tally: I8, word: I8, lat: F8, lon: F8,
) -> tuple[int, int, int, int, int]:  # fmt: skip
    """Frames to positions and heartbeats.

    buf, off, recv_ns: the batch; body: room for the longest frame; keys, seen, poll: `Terminals`
    -> codes (n,) of `Reject`, tally (260,), used (n,) slots, word (rows, 12), lat, lon (rows,)
    degrees or NaN; how many rows, observations, readings, used slots, map-shifted rows there are.
    """
    items = observed = facts = phones = shifted = 0
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
        marks, check = _copy(src, body)
        if marks:
            n, check = _unescape(src, body)
        if n < 13:
            codes[i] = BAD_ESCAPE if n < 0 else SHORT
            continue
        message, properties = _u16(body, 0), _u16(body, 2)
        head, end = 17 if properties & 0x4000 else 12, n - 1
        if message != POSITION and message != BATCH and message != HEARTBEAT:
            codes[i] = UNKNOWN_MESSAGE
            continue
        if properties & 0x1C00:
            codes[i] = ENCRYPTED
            continue
        if properties & 0x2000:
            codes[i] = FRAGMENT
            continue
        if end < head:
            codes[i] = SHORT
            continue
        flags = SELF_REPORTED
        if check:
            flags |= CHECKSUM_BAD
        if end - head != properties & 0x3FF:
            flags |= LENGTH_BAD
        phone_ok = True
        low = high = 0
        for k in range(head - (12 if head == 17 else 8), head - 2):
            phone_ok &= (body[k] & 15 < 10) & (body[k] < 0xA0)
            high = ((high << 8) | (low >> 48)) & 0xFF_FFFF
            low = ((low << 8) | int(body[k])) & 0xFF_FFFF_FFFF_FFFF

        first = items
        p = head
        trusted = True
        if message == BATCH:
            if end - head < 3:
                codes[i] = SHORT
                continue
            trusted = _lengths_agree(body, head, end)
            if not trusted:
                flags |= LENGTH_BAD
                tally[BAD_BATCH] += 1
            if body[head + 2] == 1:
                flags |= BACKLOG
            p += 3
        elif message == POSITION and end - head < 28:
            codes[i] = SHORT
            continue
        if message == HEARTBEAT:
            word[items, FRAME], word[items, T] = i, recv_ns[i]
            word[items, ALARM], word[items, FLAGS] = -1, flags
            word[items, STATUS] = 0
            lat[items] = lon[items] = np.nan
            items += 1
            facts += 1
            p = end
        fixes = 0
        off_globe = False
        while p < end:
            stop = end
            if message == BATCH:
                if p + 30 > end:
                    break
                stop = p + 2 + _u16(body, p)
                p += 2
                if stop > end or stop < p + 28:
                    break
            status = _u32(body, p + 4)
            t_ns = _time(body, p + 22)
            y, x, more, on_globe = _place(body, p, status)
            if not trusted and (t_ns < 0 or not on_globe or _u16(body, p + 20) > 360):
                break
            if not on_globe and flags & CHECKSUM_BAD:
                off_globe = True
                p = stop
                continue
            more |= flags
            facts += 3
            if t_ns < 0:
                t_ns = recv_ns[i]
                more |= FROM_ARRIVAL
            elif t_ns - recv_ns[i] > FUTURE_NS or recv_ns[i] - t_ns > PAST_NS:
                more |= SUSPECT
                facts += 1
            row = word[items]
            row[FRAME], row[T], row[FLAGS], row[STATUS] = i, t_ns, more, status
            row[ALARM], row[ALTITUDE] = _u32(body, p), _u16(body, p + 16)
            row[SPEED], row[DIRECTION] = _u16(body, p + 18), _u16(body, p + 20)
            _items(body, p + 28, stop, row, tally)
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
        if items == first and message == BATCH and not trusted:
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
    return items, observed, facts, phones, shifted


@kernel
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
        if row[SPEED] <= _TOP_SPEED:
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


@kernel
def read(
    word: I8, lat: F8, lon: F8, recv_in: I8, sensor_in: I4, idents: I8, frame: I4, t_ns: I8,
    recv_ns: I8, sensor: I4, ident: I8, name: U2, value: F8, out_lat: F8, out_lon: F8,
) -> None:  # fmt: skip
    """Positions and heartbeats to columns of `Readings`, arguments as for `observe`."""
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
            if row[FLAGS] & SUSPECT:
                name[k], value[k] = N_CLOCK, (row[T] - recv_in[i]) * 1e-9
                k += 1
        whose = idents[row[SLOT]] if row[SLOT] >= 0 else -1
        for m in range(start, k):
            frame[m], t_ns[m], recv_ns[m], sensor[m] = i, row[T], recv_in[i], sensor_in[i]
            ident[m], out_lat[m], out_lon[m] = whose, lat[j], lon[j]
