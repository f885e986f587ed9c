"""The column frame decoded plainly, a frame at a time, row by row: the explanation."""

import struct

import msgpack

from v2x.ingest.formats.columns import COLUMNS

_CODES = {"<i4": "i", "<f8": "d", "<f4": "f", "<i8": "q", "u1": "B", "<u2": "H"}


def rows(payload: bytes) -> list[dict]:
    """Each object as a map of column name to value (a list where the column has a width)."""
    tree = msgpack.unpackb(payload)
    out = []
    for i in range(tree["n"]):
        row = {}
        for name, data in tree["c"].items():
            dtype, width = COLUMNS[name]
            form = struct.Struct(f"<{width}{_CODES[dtype]}")
            values = form.unpack_from(data, i * form.size)
            row[name] = values[0] if width == 1 else list(values)
        row["t_ns"] = tree["t0"] + row.pop("dt") * 1000
        out.append(row)
    return out
