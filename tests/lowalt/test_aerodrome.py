"""Obstacle limitation surfaces, a metre on either side of every one of them."""

import csv
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.lowalt.scenes import T0
from tests.shared_data import shared
from v2x.errors import ConfigError
from v2x.geodesy import Tile, undulation
from v2x.lowalt.aerodrome import (
    GENERATORS,
    Aerodrome,
    End,
    Runway,
    Surfaces,
    controlled_airspace,
    patrol_area,
    surfaces,
)
from v2x.lowalt.aerodrome_file import load_aerodrome
from v2x.lowalt.volumes import ZoneIndex
from v2x.lowalt.zones import Zones

ROOT = Path(__file__).resolve().parents[2]
TILE = Tile(39.1244, 117.3460, 0.0)
LENGTH = 3200.0
COURSE = math.radians(154.466)
ALONG = np.array([math.sin(COURSE), math.cos(COURSE)])
RIGHT = np.array([ALONG[1], -ALONG[0]])
MIDDLE = LENGTH / 2.0


def place(x, y):
    """Longitude and latitude of a place in the frame of the runway."""
    east, north = (x - MIDDLE) * ALONG + y * RIGHT
    lat, lon, _ = TILE.to_geodetic(np.array([[east, north, math.nan]]))
    return float(lon[0]), float(lat[0])


def model(elevations=(0.0, 0.0), elevation_m=0.0, displaced=0.0, **surfaces_):
    ends = (
        End("A", place(displaced, 0.0), place(0.0, 0.0), elevations[0]),
        End("B", place(LENGTH, 0.0), place(LENGTH, 0.0), elevations[1]),
    )
    runway = Runway(ends, LENGTH)
    return Aerodrome("F", place(MIDDLE, 0.0), elevation_m, (runway,), Surfaces(**surfaces_))


@pytest.fixture(scope="module")
def flat():
    return ZoneIndex(surfaces(model()), TILE)


def held(index, x, y, amsl, reference="amsl", ground=3.0):
    """Names of the surfaces that a height above sea level is above."""
    lon, lat = place(x, y)
    n = float(undulation(np.array([lat]), np.array([lon]))[0])
    height = {"amsl": amsl, "hae": amsl + n, "agl": amsl - ground}[reference]
    pairs = index.at(lat, lon, height, reference, T0)
    return {index.ids[row].removeprefix("F-") for row in pairs.zone}


NAMES = {
    "strip": "A/B-strip",
    "transitional_strip": "A/B-transitional",
    "takeoff_over_A": "A-take-off-climb",
    "transitional_app_A": "A-transitional",
}


@pytest.mark.parametrize("reference", ["hae", "amsl", "agl"])
def test_the_governing_surface_of_the_reference_table_is_met_within_a_centimetre(flat, reference):
    with shared("geo/ols_code4_reference.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 33
    for row in rows:
        x, y, name = float(row["x_m"]), float(row["y_m"]), row["lowest_surface"]
        x += 0.01 * (x == -4060.0)  # the arc itself, which chords miss by up to 5 mm
        if name == "none":
            assert held(flat, x, y, 400.0, reference) == set()
            continue
        height = float(row["height_m"])
        want = NAMES.get(name, name.replace("approach_", "").replace("_", "-"))
        want = f"{want}-approach" if want in ("A", "B") else want
        for off in (0.012, 1.0):
            assert want in held(flat, x, y, height + off, reference), (row, off)
            lower = held(flat, x, y, height - off, reference)
            assert want not in lower, (row, off)
            assert not lower or name == "strip", (row, lower)


# x, y of a place on an edge, unit step out of the surface there, surface, height that is above it
S = 5000.0
HALF = 140.0 + 0.15 * S
OUT = math.hypot(1.0, 0.15)
EDGES = [
    (MIDDLE, 140.0, (0, 1), "A/B-strip"),
    (MIDDLE, -140.0, (0, -1), "A/B-strip"),
    (-60.0, 30.0, (-1, 0), "A/B-strip"),
    (LENGTH + 60.0, -30.0, (1, 0), "A/B-strip"),
    (-60.0 - S, HALF, (0.15 / OUT, 1 / OUT), "A-approach"),
    (-60.0 - S, -HALF, (0.15 / OUT, -1 / OUT), "A-approach"),
    (-15_060.0, 900.0, (-1, 0), "A-approach"),
    (LENGTH + 60.0 + S, HALF, (-0.15 / OUT, 1 / OUT), "B-approach"),
    (-60.0 - 8000.0, 600.0, (0, 1), "A-take-off-climb"),
    (-60.0 - 1000.0, 215.0, (0.125, 1), "A-take-off-climb"),
    (-15_060.0, -500.0, (-1, 0), "A-take-off-climb"),
    (MIDDLE, 4000.0, (0, 1), "inner-horizontal"),
    (-4060.0, 0.0, (-1, 0), "inner-horizontal"),
    (-60.0 - 4000.0 * math.sin(1.0), 4000.0 * math.cos(1.0), (-math.sin(1.0), math.cos(1.0)),
     "inner-horizontal"),
    (MIDDLE, -6000.0, (0, -1), "conical"),
    (LENGTH + 60.0 + 6000.0 * math.sin(0.6), 6000.0 * math.cos(0.6),
     (math.sin(0.6), math.cos(0.6)), "conical"),
    (MIDDLE, 15_000.0, (0, 1), "outer-horizontal"),
    (MIDDLE, 6000.0, (0, -1), "outer-horizontal"),
    (MIDDLE, 455.0, (0, 1), "A/B-transitional"),
    (MIDDLE, 140.0, (0, -1), "A/B-transitional"),
    (-60.0, 300.0, (1, 0), "A-transitional"),
    (-60.0 - 450.0, 60.0, (0, 1), "A-inner-approach"),
    (-960.0, 0.0, (-1, 0), "A-inner-approach"),
    (1800.0, 0.0, (-1, 0), "A-balked-landing"),
    (1800.0 + 500.0, 110.0, (-0.1, 1), "A-balked-landing"),
    (600.0, 60.0, (0, -1), "A-inner-transitional"),
    (600.0, 195.0, (0, 1), "A-inner-transitional"),
]  # fmt: skip


@pytest.mark.parametrize(("x", "y", "out", "name"), EDGES)
def test_every_outline_is_met_a_metre_within_and_without(flat, x, y, out, name):
    step = np.array(out) / np.hypot(*out)
    for off, inside in ((-1.0, True), (1.0, False), (-0.05, True), (0.05, False)):
        at = np.array([x, y]) + off * step
        assert (name in held(flat, *at, 500.0)) == inside, off


SLOPES = [
    (-60.0 - 2500.0, 100.0, 50.0, "A-approach"),
    (-60.0 - 5000.0, -300.0, 60.0 + 0.025 * 2000.0, "A-approach"),
    (-60.0 - 9000.0, 500.0, 150.0, "A-approach"),
    (LENGTH + 60.0 + 1200.0, 50.0, 24.0, "B-approach"),
    (-60.0 - 9000.0, 500.0, 180.0, "A-take-off-climb"),
    (LENGTH + 60.0 + 500.0, 0.0, 10.0, "B-take-off-climb"),
    (MIDDLE, 280.0, 20.0, "A/B-transitional"),
    (LENGTH - 10.0, -350.0, 30.0, "A/B-transitional"),
    (-60.0 - 1000.0, 360.0, 20.0 + (360.0 - 290.0) / 7.0, "A-transitional"),
    (-60.0 - 1000.0, -360.0, 20.0 + (360.0 - 290.0) / 7.0, "A-transitional"),
    (MIDDLE, 3000.0, 45.0, "inner-horizontal"),
    (MIDDLE, 5000.0, 95.0, "conical"),
    (-60.0 - 3000.0, 4000.0, 45.0 + 0.05 * 1000.0, "conical"),
    (MIDDLE, 12_000.0, 150.0, "outer-horizontal"),
    (-60.0 - 600.0, 20.0, 12.0, "A-inner-approach"),
    (-60.0 - 600.0, 90.0, 12.0 + 10.0, "A-inner-transitional"),
    (700.0, -90.0, 10.0, "A-inner-transitional"),
    (1800.0 + 600.0, 15.0, 20.0, "A-balked-landing"),
    (1800.0 + 600.0, 150.0, 20.0 + 10.0, "A-inner-transitional"),
    (LENGTH - 1800.0 - 600.0, -150.0, 20.0 + 10.0, "B-inner-transitional"),
]


@pytest.mark.parametrize("reference", ["hae", "amsl", "agl"])
@pytest.mark.parametrize(("x", "y", "height", "name"), SLOPES)
def test_every_surface_is_met_a_metre_above_and_below(flat, x, y, height, name, reference):
    for off in (1.0, 0.05):
        assert name in held(flat, x, y, height + off, reference)
        assert name not in held(flat, x, y, height - off, reference)


def test_a_runway_that_rises_carries_its_strip_and_what_is_beside_it():
    index = ZoneIndex(surfaces(model((10.0, 26.0), 12.0)), TILE)
    for x in (200.0, 1600.0, 3000.0):
        ground = 10.0 + 16.0 * x / LENGTH
        for off, inside in ((0.05, True), (-0.05, False)):
            assert ("A/B-strip" in held(index, x, 50.0, ground + off)) == inside
            assert ("A/B-transitional" in held(index, x, 210.0, ground + 10.0 + off)) == inside
    top = 140.0 + 7.0 * (12.0 + 45.0 - 18.0)
    assert "A/B-transitional" in held(index, 1600.0, top - 1.0, 100.0)
    assert "A/B-transitional" not in held(index, 1600.0, top + 1.0, 100.0)
    assert "A-approach" in held(index, -1060.0, 0.0, 30.05)
    assert "A-approach" not in held(index, -1060.0, 0.0, 29.95)
    assert "B-approach" in held(index, LENGTH + 1060.0, 0.0, 46.05)


def test_a_field_far_above_its_threshold_has_its_transitional_surface_to_the_top():
    index = ZoneIndex(surfaces(model((0.0, 0.0), 30.0)), TILE)
    s = 3400.0
    half, above = 140.0 + 0.15 * s, 60.0 + 0.025 * 400.0
    for off, inside in ((0.05, True), (-0.05, False)):
        assert ("A-transitional" in held(index, -60.0 - s, half + 7.0, above + 1.0 + off)) == inside


def test_an_approach_begins_before_its_threshold_and_a_climb_behind_the_end():
    index = ZoneIndex(surfaces(model(displaced=400.0)), TILE)
    assert "A-approach" in held(index, 339.0, 0.0, 0.1)
    assert "A-approach" not in held(index, 341.0, 0.0, 0.1)
    assert "A-take-off-climb" in held(index, -61.0, 0.0, 0.1)
    assert "A-take-off-climb" not in held(index, -59.0, 0.0, 0.1)
    assert "A-balked-landing" in held(index, 2201.0, 0.0, 0.1)
    assert "A-balked-landing" not in held(index, 2199.0, 0.0, 0.1)


def test_ends_that_do_not_fit_the_length_are_refused_unless_estimated():
    field = model()
    wrong = replace(field.runways[0], length_m=3300.0)
    with pytest.raises(ConfigError, match="ends are 3200 m apart and its length is 3300 m"):
        surfaces(replace(field, runways=(wrong,)))
    surfaces(replace(field, runways=(replace(wrong, estimated=True),)))
    same = replace(field.runways[0], ends=(field.runways[0].ends[0],) * 2)
    with pytest.raises(ConfigError, match="at one place"):
        surfaces(replace(field, runways=(same,)))
    with pytest.raises(ConfigError, match="threshold A does not lie on its runway"):
        surfaces(model(displaced=-100.0))


def test_the_example_is_the_airport_with_both_its_runways():
    field = load_aerodrome(ROOT / "docs" / "example" / "zbtj.toml")
    zones = Zones.of(zone for make in GENERATORS.values() for zone in make(field))
    index = ZoneIndex(zones, field.tile)
    for runway in field.runways:
        lon, lat = np.mean([end.end for end in runway.ends], axis=0)
        name = f"ZBTJ-{runway.ends[0].name}/{runway.ends[1].name}-strip"
        pairs = index.at(float(lat), float(lon), 5.0, "amsl", T0)
        assert name in {index.ids[row] for row in pairs.zone}
    lon, lat = field.reference
    above = {index.ids[k] for k in index.at(lat, lon, 121.0, "agl", T0).zone}
    below = {index.ids[k] for k in index.at(lat, lon, 119.0, "agl", T0).zone}
    assert above - below == {"ZBTJ-above-120"}
    assert "ZBTJ-inner-horizontal" in below


def test_the_patrol_area_is_twenty_by_forty_kilometres_and_the_runway():
    index = ZoneIndex(patrol_area(model()), TILE)
    for x, y, inside in (
        (-19_999.0, 0.0, True), (-20_001.0, 0.0, False), (LENGTH + 19_999.0, 9_000.0, True),
        (LENGTH + 20_001.0, 0.0, False), (1000.0, 9_999.0, True), (1000.0, -10_001.0, False),
    ):  # fmt: skip
        assert bool(held(index, x, y, 50.0)) == inside
    controlled = ZoneIndex(controlled_airspace(model()), TILE)
    assert held(controlled, MIDDLE, 54_990.0, 124.0)
    assert not held(controlled, MIDDLE, 54_990.0, 122.0)
    assert not held(controlled, MIDDLE, 55_010.0, 124.0)


GOOD = (ROOT / "docs" / "example" / "zbtj.toml").read_text("utf-8")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("elevation_m = 3.05", "elevation_ft = 10", "unknown key 'elevation_ft'"),
        ("elevation_m = 3.05", "", "elevation_m must be a number"),
        ("length_m = 3200.0", "length_m = 3100.0", "mend them, or mark it estimated"),
        ("estimated = true", "estimated = 1", "estimated must be true or false"),
        ("[117.3460, 39.1244]", "[39.1244, 117.3460]", "latitude first"),
        ('name = "34R"', 'name = ""', "runway 0: end 1: name must be a text"),
        ("elevation_m = 3.05", "elevation_m = 3.05\n[surfaces]\nwidth = 1", "unknown key 'width'"),
        (
            "elevation_m = 3.05",
            "elevation_m = 3.05\n[surfaces]\nstrip_half_m = 0",
            "strip_half_m must be above 0",
        ),
        (
            "elevation_m = 3.05",
            "elevation_m = 3.05\n[surfaces]\napproach_slopes = [[6600, 0.02], [3000, 0.02]]",
            "ends that grow",
        ),
        ("reference =", "reference ", "not valid TOML"),
    ],
)
def test_an_aerodrome_file_that_is_wrong_is_refused_by_name(tmp_path, old, new, words):
    assert old in GOOD
    path = tmp_path / "field.toml"
    path.write_text(GOOD.replace(old, new, 1), "utf-8")
    with pytest.raises(ConfigError, match=words):
        surfaces(load_aerodrome(path))
