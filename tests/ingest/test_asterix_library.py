"""ASTERIX against libasterix (MIT), which has every edition of the categories read here."""

import math
import os

import asterix.base as ast
import asterix.generated as spec
import numpy as np
import pytest

from tests.ingest.drawn_asterix import drawn_blocks
from v2x.frames import FrameBatch
from v2x.ingest.asterix_encode import encode_block, split_block
from v2x.ingest.asterix_items import LAYOUTS, split_layout
from v2x.ingest.formats.asterix import FORMATS
from v2x.ingest.timestamps import parse_iso
from v2x.sensors import Sensor, SensorTable

(FORMAT,) = FORMATS
RECV = parse_iso("2026-11-24T02:14:32Z")
TABLE = SensorTable.of([Sensor("s", "asterix", lat=39.124, lon=117.346, hae_m=22.0)])
SOAK = os.environ.get("V2X_SOAK") == "1"
EDITIONS = {category: spec.manifest["CATS"][category] for category in LAYOUTS}
EDITIONS[21] = [edition for edition in EDITIONS[21] if edition.cv_edition >= (2, 1)]


def decode(payloads):
    n = len(payloads)
    batch = FrameBatch.of("asterix", payloads, [0] * n, [RECV] * n)
    return FORMAT.decode(batch, TABLE, FORMAT.new_state())


def form(variation):
    if issubclass(variation, ast.Element | ast.Group):
        return str(variation.cv_bit_size // 8)
    if issubclass(variation, ast.Extended):
        return "v"
    if issubclass(variation, ast.Explicit):
        return "e"
    if issubclass(variation, ast.Repetitive):
        octets = variation.cv_variation.cv_bit_size // 8
        if variation.cv_rep_bytes is None:  # an FX bit behind each
            return {0: "v", 2: "g"}[octets]
        return f"r{octets}"
    parts = ("-" if part is None else form(varied(part)) for part in variation.cv_items_list)
    return f"c({','.join(parts)})"


def varied(item):
    rule = item.cv_rule
    return rule.cv_variation if hasattr(rule, "cv_variation") else rule.cv_default_variation


@pytest.mark.parametrize(
    "edition",
    [edition for editions in EDITIONS.values() for edition in editions],
    ids=lambda e: f"{e.cv_category:03d}-{e.cv_edition[0]}.{e.cv_edition[1]}",
)
def test_the_items_of_an_edition_are_those_an_independent_library_has(edition):
    theirs = [
        (slot.cv_non_spare.cv_name, form(varied(slot.cv_non_spare)))
        if issubclass(slot, ast.UapItem)
        else ("-", "-")
        for slot in edition.cv_record.cv_items_list
    ]
    assert split_layout(LAYOUTS[edition.cv_category]) == theirs


def parsed(block):
    """Records of a block by the independent library."""
    (raw,) = ast.RawDatablock.parse(ast.Bits.from_bytes(block))
    made = EDITIONS[block[0]][-1].cv_uap.parse(raw.get_raw_records())
    assert not isinstance(made, ValueError), block.hex()
    return made


def quantity(record, item, *path):
    """Number of a field, in the unit the library gives; NaN where it is not there."""
    found = record.get_item(item)
    for name in path:
        if found is None:
            return math.nan
        found = found.variation.get_item(name)
    return math.nan if found is None else found.variation.content.as_quantity()


@pytest.mark.parametrize("category", LAYOUTS)
def test_blocks_of_random_records_come_apart_as_by_an_independent_library(category):
    for block in drawn_blocks(category, 2_000 if SOAK else 60, 1):
        records = split_block(block)
        theirs = parsed(block)
        assert len(records) == len(theirs)
        for items, record in zip(records, theirs, strict=True):
            assert set(items) == {name for name, item in record.items_regular.items() if item}
            for name, item in items.items():
                whole = record.get_item(name).unparse().to_bytes()
                parts = [item] if isinstance(item, bytes) else [item[k] for k in sorted(item)]
                assert whole.endswith(b"".join(parts))
        assert encode_block(category, records) == block


def test_tracks_hold_what_an_independent_library_reads():
    made_blocks = drawn_blocks(62, 3_000 if SOAK else 300, 2)
    made = decode(made_blocks)
    theirs = [record for block in made_blocks for record in parsed(block)]
    seen = []
    for record in theirs:
        lat, lon = quantity(record, "105", "LAT"), quantity(record, "105", "LON")
        status = record.get_item("080")
        coasting = status is not None and status.variation.get_item("CST")
        if not math.isnan(lat) and not (coasting and coasting.as_uint()):
            seen.append((record, lat, lon))
    o = made.observations
    assert len(o) == len(seen) > 100
    np.testing.assert_allclose(o.lat, [lat for _, lat, _ in seen], rtol=1e-14)
    np.testing.assert_allclose(o.lon, [lon for _, _, lon in seen], rtol=1e-14)
    feet = np.array([quantity(r, "130") for r, _, _ in seen])
    feet[(feet < -1500) | (feet > 150_000)] = np.nan
    low = np.isfinite(feet)
    np.testing.assert_allclose(o.height[low], feet[low] * 0.3048, rtol=1e-12)
    climb = np.array([quantity(r, "220") for r, _, _ in seen])
    sent = np.isfinite(climb)
    np.testing.assert_allclose(o.vel[sent, 2], climb[sent] * 0.3048 / 60, rtol=1e-12)
    vx = np.array([quantity(r, "185", "VX") for r, _, _ in seen])
    vy = np.array([quantity(r, "185", "VY") for r, _, _ in seen])
    slow = np.hypot(vx, vy) <= 2000
    assert slow.sum() > 1
    np.testing.assert_array_equal(o.vel[slow, 0], vx[slow])
    np.testing.assert_array_equal(o.vel[slow, 1], vy[slow])
    numbers = [r.get_item("040") for r, _, _ in seen]
    assert o.track_ref.tolist() == [-1 if n is None else n.as_uint() for n in numbers]
    sd = np.array([quantity(r, "500", "APC", "X") for r, _, _ in seen])
    known = sd > 0
    np.testing.assert_allclose(o.cov[known, 0], sd[known] ** 2, rtol=1e-12)


def test_plots_hold_what_an_independent_library_reads():
    made_blocks = drawn_blocks(48, 3_000 if SOAK else 300, 3)
    made = decode(made_blocks)
    seen = []
    for block in made_blocks:
        for record in parsed(block):
            about = record.get_item("020")
            bits = {}
            for name in ("TYP", "RAB", "ERR"):
                field = about and about.variation.get_item(name)
                bits[name] = field.as_uint() if field else None
            rho = quantity(record, "040", "RHO")
            if rho > 0 and bits["TYP"] != 0 and not bits["RAB"] and not bits["ERR"]:
                seen.append(record)
    o = made.observations
    assert len(o) == len(seen) > 100
    ranges = [quantity(r, "040", "RHO") * 1852 for r in seen]
    np.testing.assert_allclose(o.range, ranges, rtol=1e-12)
    azimuths = [quantity(r, "040", "THETA") for r in seen]
    np.testing.assert_allclose(np.degrees(o.az), azimuths, rtol=1e-12)
    speed = np.array([quantity(r, "200", "GSP") for r in seen]) * 1852
    course = np.radians([quantity(r, "200", "HDG") for r in seen])
    slow = speed <= 1999
    np.testing.assert_allclose(o.vel[slow, 0], (speed * np.sin(course))[slow], 1e-9, 1e-9)
    np.testing.assert_allclose(o.vel[slow, 1], (speed * np.cos(course))[slow], 1e-9, 1e-9)
    rates = np.array([quantity(r, "120", "CAL", "CAL") for r in seen])
    heard = np.isfinite(o.radial)
    assert heard.any()
    np.testing.assert_array_equal(o.radial[heard], rates[heard])


def test_squitters_hold_what_an_independent_library_reads():
    made_blocks = drawn_blocks(21, 3_000 if SOAK else 200, 5)
    o = decode(made_blocks).observations
    seen = []
    for block in made_blocks:
        for record in parsed(block):
            item = "131" if record.get_item("131") is not None else "130"
            lat, lon = quantity(record, item, "LAT"), quantity(record, item, "LON")
            about = record.get_item("040")
            fixed = about is not None and about.variation.get_item("RAB").as_uint()
            if not math.isnan(lat) and not fixed:
                seen.append((record, lat, lon))
    assert len(o) == len(seen) > 50
    np.testing.assert_allclose(o.lat, [lat for _, lat, _ in seen], rtol=1e-14)
    np.testing.assert_allclose(o.lon, [lon for _, _, lon in seen], rtol=1e-14)
    levels = np.array([quantity(r, "140") for r, _, _ in seen])
    low = (levels > -1500) & (levels < 150_000)
    np.testing.assert_allclose(o.height[low], levels[low] * 0.3048, rtol=1e-12)
    numbers = [r.get_item("161") for r, _, _ in seen]
    want = [-1 if n is None else n.variation.get_item("TRNUM").as_uint() for n in numbers]
    assert o.track_ref.tolist() == want
