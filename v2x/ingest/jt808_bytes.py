"""Bytes of JT/T 808 in kernels: escapes, numbers, times, places, and where positions may stand.

`jt808_positions.py` reads whole frames with these; `formats/jt808.py` has the layout and the rules.
"""

import numpy as np

from v2x.columns import I8, U1
from v2x.ingest.timestamps import DAY, HOUR, civil_ns
from v2x.jit import uncounted
from v2x.observations import Flag

GMT8 = 8 * HOUR
TOP_SPEED = 5000  # 0.1 km/h; no road vehicle is faster
BODY = 28  # bytes of a position without items
SWAPPED = int(Flag.ORDER_GUESSED)


@uncounted
def room(buf: U1, off: I8) -> tuple[int, int]:
    """Most rows that the frames can hold (0x0200 one, others one in 30 bytes); most bytes."""
    rows = longest = 0
    for i in range(off.shape[0] - 1):
        p, n = off[i], off[i + 1] - off[i]
        rows += 1 if n > 15 and buf[p + 1] == 0x02 and buf[p + 2] == 0x00 else n // 30 + 1
        longest = max(longest, n)
    return rows, longest


@uncounted
def u16(body: U1, p: int) -> int:
    """Two bytes."""
    return (int(body[p]) << 8) | int(body[p + 1])


@uncounted
def u32(body: U1, p: int) -> int:
    """Four bytes."""
    return (u16(body, p) << 16) | u16(body, p + 2)


@uncounted
def _bcd(byte: int) -> int:
    """Two decimal digits, or 255."""
    high, low = byte >> 4, byte & 15
    return int(high * 10 + low) if high < 10 and low < 10 else 255


@uncounted
def bcd_time(body: U1, p: int) -> int:
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


@uncounted
def copied(src: U1, body: U1) -> tuple[int, int]:
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


@uncounted
def unescaped(src: U1, body: U1) -> tuple[int, int]:
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


@uncounted
def place(body: U1, p: int, status: int) -> tuple[float, float, int, bool]:
    """Latitude and longitude of a position at p, degrees; flags; whether they are on the globe."""
    lat, lon = u32(body, p + 8), u32(body, p + 12)
    flags = 0
    if 73_000_000 <= lat <= 136_000_000 and 3_000_000 <= lon <= 54_000_000 and not status & 0x0C:
        # Not in China's box as read, in it when swapped: some terminals send longitude first.
        lat, lon, flags = lon, lat, SWAPPED
    on_globe = lat <= 90_000_000 and lon <= 180_000_000
    y, x = lat / 1e6, lon / 1e6
    return -y if status & 4 else y, -x if status & 8 else x, flags, on_globe


@uncounted
def lengths_agree(body: U1, p: int, end: int) -> bool:
    """Whether a batch body at p holds as many items as it says and they end at `end`."""
    count = u16(body, p)
    p += 3
    while p + 2 <= end and count > 0:
        length = u16(body, p)
        if length < BODY:
            return False
        p += 2 + length
        count -= 1
    return p == end and count == 0


@uncounted
def plausible(body: U1, p: int, end: int, near_ns: int) -> bool:
    """Whether a position may stand at p: a time, a place, a direction and a speed of a vehicle.

    `near_ns`: time of another position of the same batch, from which it is a day away at most;
    -1 where none is known.
    """
    if p + BODY > end or u16(body, p + 20) > 360 or u16(body, p + 18) > TOP_SPEED:
        return False
    t_ns = bcd_time(body, p + 22)
    if t_ns < 0 or (near_ns >= 0 and abs(t_ns - near_ns) > DAY):
        return False
    return place(body, p, u32(body, p + 4))[3]


@uncounted
def next_item(body: U1, p: int, end: int, near_ns: int) -> int:
    """First place from p on where a length field that fits and a position may stand, else `end`.

    The length field is asked for because a position that lost some bytes looks right a few bytes
    before its place, with an alarm word that nobody sent (seen in the field).
    """
    while p + 2 + BODY <= end:
        length = u16(body, p)
        if BODY <= length <= end - p - 2 and plausible(body, p + 2, end, near_ns):
            return p
        p += 1
    return end


@uncounted
def item_end(body: U1, p: int, end: int, near_ns: int) -> int:
    """End of the position whose length field, which may lie, stands at p.

    Where its length says, if another position or the end follows there; else where the next
    position is found; else where its length says, or right behind its 28 bytes.
    """
    length = u16(body, p)
    stop = p + 2 + length
    fits = length >= BODY and stop <= end
    if fits and (stop == end or plausible(body, stop + 2, end, near_ns)):
        return stop
    found = next_item(body, p + 2 + BODY, end, near_ns)
    if found < end:
        return found
    return stop if fits else p + 2 + BODY
