"""Maps of objects decoded plainly: each map as a column frame of one row, through that decoder."""

import json

import msgpack
import numpy as np

from v2x.ingest.formats.columns import encode_columns
from v2x.ingest.timestamps import parse_iso


def column_frames(payload: bytes, recv_ns: int) -> list[bytes]:
    """A column frame per map of a good payload."""
    tree = json.loads(payload) if payload[:1] in b"[{" else msgpack.unpackb(payload)
    out = []
    for one in [tree] if isinstance(tree, dict) else tree:
        row = dict(one)
        t_ns = row.pop("t_ns", None)
        if "t" in row:
            t_ns = parse_iso(row.pop("t"))
        if "t0" in row:
            t_ns = row.pop("t0")
        named = {
            "reference": row.pop("hr", "hae"),
            "datum": row.pop("datum", None),
            "idents": [row.pop("ident")] if row.get("ident") else [],
        }
        row.pop("v", None)
        row.pop("seq", None)
        columns = {
            name: [np.nan if value is None else value]
            if not isinstance(value, list)
            else [[np.nan if part is None else part for part in value]]
            for name, value in row.items()
        }
        if named["idents"]:
            columns["ident"] = [0]
        out.append(encode_columns(recv_ns if t_ns is None else t_ns, 0, columns, **named))
    return out
