"""Random ASTERIX blocks: every item of a category, random octets in it."""

import numpy as np

from v2x.ingest.asterix_encode import encode_block
from v2x.ingest.asterix_items import LAYOUTS, split_layout

EXTENTS = {
    (48, "020"): 2, (48, "170"): 2, (62, "080"): 7, (62, "270"): 3, (62, "380"): 1, (21, "040"): 3,
    (21, "090"): 3, (21, "271"): 1, (21, "110"): 1,
}  # fmt: skip
"""Octets that editions define of items of form ``v``; others repeat as often as they like."""


def drawn(form, rng, most=3):
    """Random octets of a form."""
    if form.isdigit():
        return rng.bytes(int(form))
    if form in "vg":
        step = 1 if form == "v" else 3
        octets = bytearray(rng.bytes(step * int(rng.integers(1, most + 1))))
        for k in range(step - 1, len(octets), step):
            octets[k] = octets[k] & 0xFE | (k < len(octets) - 1)
        return bytes(octets)
    if form == "e":
        size = int(rng.integers(0, 6))
        return bytes([size + 1]) + rng.bytes(size)
    count = int(rng.integers(0, 3))
    return bytes([count]) + rng.bytes(count * int(form[1:]))


def drawn_items(category, rng):
    """A record of random items with random octets; position of a track on the globe."""
    items = {}
    share = rng.random()
    for name, form in split_layout(LAYOUTS[category]):
        if name == "-" or rng.random() > share:
            continue
        if form[0] == "c":
            forms = form[2:-1].split(",")
            there = [k for k, part in enumerate(forms) if part != "-" and rng.random() < 0.5]
            parts = {k + 1: drawn(forms[k], rng, EXTENTS.get((category, name), 3)) for k in there}
            if parts:
                items[name] = parts
        else:
            items[name] = drawn(form, rng, EXTENTS.get((category, name), 3))
    if "105" in items:
        pair = (int(rng.integers(-most, most + 1)) for most in (2**24, 2**25))
        items["105"] = b"".join(steps.to_bytes(4, "big", signed=True) for steps in pair)
    for name, most in (("130", 2**22), ("131", 2**29)):
        if category == 21 and name in items:
            size = len(items[name]) // 2
            pair = (int(rng.integers(-m, m)) for m in (most, 2 * most))
            items[name] = b"".join(steps.to_bytes(size, "big", signed=True) for steps in pair)
    return items or {"010": b"\x19\x0a"}


def drawn_blocks(category, n, seed):
    rng = np.random.default_rng([category, seed])
    return [
        encode_block(category, [drawn_items(category, rng) for _ in range(int(rng.integers(1, 4)))])
        for _ in range(n)
    ]
