"""Information blocks of GB/T 32960.3: how long each is, so that those behind it are reached.

A block is its type u8 and its content, big-endian, without a length of its own. Bytes of content:

====  ==============================  ================================  ============================
type  2016 (7.2.3, B.3.5.3)           type in 2025 (7.2.4)              2025
====  ==============================  ================================  ============================
01    vehicle 20                      01 vehicle                        18
02    motors 1 + 12 n                 02 motors                         1 + 10 n
03    fuel cell 6, u16 n, n, 10       03 fuel cell and hydrogen         12
04    engine 5                        04 engine                         2
05    position 9                      05 position                       10 (datum before longitude)
06    extreme values 14               06 alarms                         as 07 of 2016, u8 n, 2 n
07    alarms 5, four times u8 n, 4 n  07 cell voltages u8, each 7 + 2 n 5 + u16 n, 2 n
08    cell voltages u8, each          08 battery temperatures           u8, each 1 + u16 n, n
      9 + u8 n, 2 n
09    temperatures u8, each           30 fuel cell stacks               u8, each 10 + u16 n, n
      1 + u16 n, n
-                                     31 supercapacitor                 5 + u16 n, 2 n, u16 m, m
-                                     32 extremes of the supercapacitor 18
80..  u16 n, n                        80.. u16 n, n                     FE; FF signature: the end
====  ==============================  ================================  ============================

Types between are reserved and have no known length: what stands behind one cannot be read. Layouts
of 2025 are from two public readers of the standard that agree; no frame off the air was seen.
"""

from collections.abc import Iterator

VEHICLE, POSITION = 0x01, 0x05
ALARMS = {2016: 0x07, 2025: 0x06}
SIGNATURE = 0xFF
_FIXED = {
    2016: {0x01: 20, 0x04: 5, 0x05: 9, 0x06: 14},
    2025: {0x01: 18, 0x03: 12, 0x04: 2, 0x05: 10, 0x32: 18},
}


class CutBlockError(ValueError):
    """A block runs over the end of the data."""


class UnknownBlockError(ValueError):
    """A block whose length nobody knows; its type is the argument."""


def blocks(data: bytes, edition: int) -> Iterator[tuple[int, bytes]]:
    """Type and content of each block of `data`, up to the signature.

    Raises
    ------
    CutBlockError, UnknownBlockError
        Where the rest cannot be read.
    """
    at = 0
    while at < len(data):
        kind = data[at]
        if kind == SIGNATURE and edition == 2025:
            return
        end = at + 1 + _length(data, at + 1, kind, edition)
        if end > len(data):
            raise CutBlockError
        yield kind, data[at + 1 : end]
        at = end


def _length(data: bytes, at: int, kind: int, edition: int) -> int:
    fixed = _FIXED[edition].get(kind)
    if fixed is not None:
        return fixed
    end = at
    if 0x80 <= kind <= 0xFE:
        end += 2 + _u16(data, at)
    elif kind == 0x02:
        end += 1 + (12 if edition == 2016 else 10) * _u8(data, at)
    elif kind == ALARMS[edition]:
        end += 5
        for _ in range(4):
            end += 1 + 4 * _u8(data, end)
        if edition == 2025:
            end += 1 + 2 * _u8(data, end)
    elif kind == 0x03:
        end += 18 + _u16(data, at + 6)
    elif kind == (0x08 if edition == 2016 else 0x07):
        end += 1
        for _ in range(_u8(data, at)):
            if edition == 2016:
                end += 10 + 2 * _u8(data, end + 9)
            else:
                end += 7 + 2 * _u16(data, end + 5)
    elif kind == (0x09 if edition == 2016 else 0x08):
        end += 1
        for _ in range(_u8(data, at)):
            end += 3 + _u16(data, end + 1)
    elif kind == 0x30 and edition == 2025:
        end += 1
        for _ in range(_u8(data, at)):
            end += 12 + _u16(data, end + 10)
    elif kind == 0x31 and edition == 2025:
        end += 7 + 2 * _u16(data, at + 5)
        end += 2 + _u16(data, end)
    else:
        raise UnknownBlockError(kind)
    return end - at


def _u8(data: bytes, at: int) -> int:
    if at >= len(data):
        raise CutBlockError
    return data[at]


def _u16(data: bytes, at: int) -> int:
    if at + 2 > len(data):
        raise CutBlockError
    return data[at] << 8 | data[at + 1]
