"""ED-269, ED-318 and GeoJSON: read as met in the field, written, and read back."""

import json
from dataclasses import replace

import numpy as np
import pytest

from tests.lowalt.scenes import PROPERTIES, T0, TILE, box, feature, zone
from tests.shared_data import shared
from v2x.errors import ConfigError
from v2x.lowalt.files import parse_time
from v2x.lowalt.heights import in_all_references
from v2x.lowalt.schedules import Period
from v2x.lowalt.terrain import Ground
from v2x.lowalt.volumes import ZoneIndex
from v2x.lowalt.zone_files import WRITERS, load_zones
from v2x.lowalt.zones import Limit, Part, Slope, Zones
from v2x.picture import ZoneKind

SQUARE = box(0, 0, 1000, 1000)
FOOT = 0.3048


def read(tmp_path, tree):
    path = tmp_path / "zones.json"
    path.write_text(json.dumps(tree), "utf-8")
    return load_zones(path)


def volume(**changes):
    made = {
        "uomDimensions": "M",
        "lowerLimit": 0,
        "lowerVerticalReference": "AGL",
        "upperLimit": 120,
        "upperVerticalReference": "AMSL",
        "horizontalProjection": {"type": "Polygon", "coordinates": [SQUARE]},
    }
    return made | changes


def ed269(*volumes, container="UASZoneList", **changes):
    entry = {
        "identifier": "TSN0001",
        "country": "CHN",
        "name": "Test",
        "type": "COMMON",
        "restriction": "PROHIBITED",
        "applicability": [{"permanent": "YES"}],
        "zoneAuthority": [{"name": "CAAC", "purpose": "AUTHORIZATION"}],
        "geometry": list(volumes) or [volume()],
    }
    return {container: [entry | changes], "title": "t"}


@pytest.mark.parametrize("container", ["UASZoneList", "features"])
def test_an_ed269_zone_has_its_volumes_with_limits_of_their_own(tmp_path, container):
    high = volume(lowerLimit=400, upperLimit=1000, uomDimensions="FT", upperVerticalReference="AGL")
    (made,) = read(tmp_path, ed269(volume(), high, container=container))
    assert (made.id, made.kind, made.authority) == ("TSN0001", ZoneKind.PROHIBITED, "CAAC")
    assert made.parts[0].floor == Limit(0.0, "agl")
    assert made.parts[0].ceiling == Limit(120.0, "amsl")
    assert made.parts[1].floor.m == pytest.approx(400 * FOOT)
    assert made.parts[1].ceiling.m == pytest.approx(1000 * FOOT)


def test_a_zone_of_several_volumes_is_entered_through_any_of_them():
    low = zone("A", [SQUARE], ceiling_m=50.0, ceiling_ref="hae").parts
    high = zone("A", [box(2000, 0, 3000, 1000)], floor_m=100.0, floor_ref="hae").parts
    both = replace(zone("A", [SQUARE]), parts=low + high)
    index = ZoneIndex(Zones.of([both]), TILE)

    def held(east, height):
        lat, lon, _ = TILE.to_geodetic(np.array([[east, 500.0, np.nan]]))
        levels = in_all_references(lat, lon, np.array([height]), "hae", Ground())
        return len(index.inside(index.places(lat, lon, *levels.T), index.active(T0)).zone) == 1

    assert [held(500.0, h) for h in (49.0, 51.0, 150.0)] == [True, False, False]
    assert [held(2500.0, h) for h in (49.0, 99.0, 101.0)] == [False, False, True]


def test_what_the_field_gets_wrong_is_read_with_a_warning_that_names_the_zone(tmp_path):
    circle = {"type": "Circle", "center": [39.1244, 117.346], "radius": 5}
    odd = volume(lowerLimit="0", upperLimit=None, horizontalProjection={"type": "Circle", **circle})
    open_ring = volume(horizontalProjection={"type": "Polygon", "coordinates": [SQUARE[:-1]]})
    turned = volume(
        horizontalProjection={
            "type": "Polygon",
            "coordinates": [[[lat, lon] for lon, lat in SQUARE]],
        },
        upperLimit=99999,
    )
    tree = ed269(odd, open_ring, turned, restriction="REQ_AUTHORIZATION", applicability=None)
    zones = read(tmp_path, tree)
    (made,) = zones
    assert made.kind == ZoneKind.RESTRICTED
    assert (made.parts[0].ceiling, made.parts[2].ceiling) == (None, None)
    lon, lat = np.array(made.parts[0].polygon[0]).T
    away = np.hypot(*TILE.to_enu(lat, lon, np.zeros(len(lat)))[:, :2].T)
    np.testing.assert_allclose(away, 5000.0, atol=0.01)
    assert made.parts[1].polygon == made.parts[2].polygon
    told = "\n".join(zones.warnings)
    for words in (
        "lower limit '0' is a text",
        "radius 5 is taken as kilometres",
        "the centre is [lat, lon]",
        "positions are [lat, lon]",
        "a ring is not closed",
        "no applicability",
    ):
        assert words in told
    assert all("TSN0001" in words for words in zones.warnings)


def test_windows_and_schedules_of_ed269_hold_by_their_own_clock(tmp_path):
    line = {"day": ["MON", "TUE"], "startTime": "08:00Z", "endTime": "17:30:00.00Z"}
    when = {
        "permanent": "NO",
        "startDateTime": "2026-05-01T00:00:00Z",
        "endDateTime": "2026-06-01T00:00:00Z",
        "dailyPeriod": [line, None],
    }
    (made,) = read(tmp_path, ed269(applicability=[when, None]))
    assert made.periods == (Period(frozenset({0, 1}), 480, 1050, 0),)
    for time, held in (
        ("2026-05-04T08:00:00Z", True),
        ("2026-05-04T07:59:59Z", False),
        ("2026-05-06T09:00:00Z", False),
        ("2026-04-27T09:00:00Z", False),
        ("2026-06-01T09:00:00Z", False),
    ):
        assert made.in_force(parse_time(time))[0] == held


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"restriction": "FORBIDDEN"}, "restriction 'FORBIDDEN' is none of"),
        ({"geometry": []}, "no geometry"),
        ({"geometry": [volume(upperVerticalReference="FL")]}, "reference 'FL' is none of"),
        ({"geometry": [volume(upperVerticalReference=None)]}, "reference None is none of"),
        ({"geometry": [volume(lowerLimit="ground")]}, "lower limit 'ground' is no number"),
        ({"geometry": [volume(uomDimensions="NM")]}, "unit 'NM' is neither"),
        ({"geometry": [volume(horizontalProjection={"type": "Ellipse"})]}, "neither Polygon"),
        (
            {
                "geometry": [
                    volume(
                        horizontalProjection={
                            "type": "Polygon",
                            "coordinates": [[*SQUARE[:2], *[xy[::-1] for xy in SQUARE[2:]]]],
                        }
                    )
                ]
            },
            "some positions are",
        ),
        (
            {
                "applicability": [
                    {"startDateTime": "2026-05-02T00:00:00Z", "endDateTime": "2026-05-01T00:00:00Z"}
                ]
            },
            "it would never be in force",
        ),
        (
            {"applicability": [{"permanent": "YES"}, {"startDateTime": "2026-05-02T00:00:00Z"}]},
            "windows that differ",
        ),
    ],
)
def test_an_ed269_zone_with_two_readings_is_refused_by_name(tmp_path, changes, words):
    with pytest.raises(ConfigError, match=words) as e:
        read(tmp_path, ed269(**changes))
    assert "zone 0 (TSN0001)" in str(e.value)


def ed318(geometry, **properties):
    given = {
        "identifier": "TSN0002",
        "country": "CHN",
        "name": [{"text": "Zone", "lang": "en-GB"}, {"text": "机场", "lang": "zh-CN"}],
        "type": "CONDITIONAL",
        "variant": "COMMON",
        "restrictionConditions": "below 50 m only",
    }
    entry = {"type": "Feature", "geometry": geometry, "properties": given | properties}
    return {"type": "FeatureCollection", "metadata": {"issued": "2026"}, "features": [entry]}


LAYER = {
    "upper": 100, "upperReference": "WGS84", "lower": -3, "lowerReference": "AMSL", "uom": "m",
}  # fmt: skip


def test_an_ed318_zone_has_layers_languages_circles_and_the_sun(tmp_path):
    square = {"type": "Polygon", "coordinates": [SQUARE], "layer": LAYER}
    point = {
        "type": "Point",
        "coordinates": [117.3460, 39.1244],
        "extent": {"subType": "Circle", "radius": 800},
        "layer": LAYER | {"upper": 99999},
    }
    line = {"day": ["ANY"], "startEvent": "SS", "endEvent": "SR"}
    zones = read(
        tmp_path,
        ed318(
            {"type": "GeometryCollection", "geometries": [square, point]},
            limitedApplicability=[{"schedule": [line]}],
        ),
    )
    (made,) = zones
    assert (made.name, made.kind, made.note) == ("机场", ZoneKind.WARNING, "below 50 m only")
    assert made.parts[0].floor == Limit(-3.0, "amsl")
    assert made.parts[0].ceiling == Limit(100.0, "hae")
    assert made.parts[1].ceiling is None
    assert made.in_force(parse_time("2026-05-04T23:00:00+08:00"))[0]
    assert not made.in_force(parse_time("2026-05-04T12:00:00+08:00"))[0]


def test_a_geometry_of_ed318_without_layer_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="without layer"):
        read(tmp_path, ed318({"type": "Polygon", "coordinates": [SQUARE]}))


def test_a_published_data_set_is_read_without_a_word_of_doubt():
    zones = load_zones(shared("zones/ed318_sample.json"))
    assert len(zones) == 3
    assert zones.warnings == ()
    bern = zones.named("LSZB003")
    assert (bern.name, bern.kind) == ("LSZB Bern-Belp 2", ZoneKind.RESTRICTED)
    assert bern.parts[0].floor == Limit(60.0, "agl")
    assert bern.parts[0].ceiling is None
    assert bern.authority == "Skyguide"
    assert bern.valid_from_ns == parse_time("2016-09-15T00:00:00+02:00")


def test_circles_sectors_and_corridors_stand_in_plain_geojson(tmp_path):
    def at(shape, coordinates, **properties):
        entry = feature(id=shape + str(len(properties)), **properties)
        return entry | {"geometry": {"type": shape, "coordinates": coordinates}}

    tree = {
        "type": "FeatureCollection",
        "features": [
            at("Point", [117.346, 39.1244], radius_m=700.0),
            at("Point", [117.346, 39.1244], radius_m=700.0, from_deg=0, to_deg=90),
            at("LineString", [[117.3, 39.1], [117.4, 39.1]], half_width_m=100.0),
        ],
    }
    line, circle, sector = read(tmp_path, tree)
    assert len(circle.parts[0].polygon[0]) > len(sector.parts[0].polygon[0]) > 10
    assert len(line.parts[0].polygon[0]) > 10


EVERYTHING = Zones.of(
    [
        zone(
            "plain",
            [SQUARE],
            [box(2000, 0, 3000, 900)],
            floor_m=5.0,
            floor_ref="agl",
            country="CHE",
        ),
        replace(
            zone("all", [SQUARE, box(100, 100, 200, 200)], kind=ZoneKind.RESTRICTED),
            parts=(
                Part(
                    tuple(tuple(map(tuple, r)) for r in (SQUARE, box(100, 100, 200, 200))),
                    Limit(10.0, "amsl"),
                    Limit(90.5, "agl"),
                ),
                Part((tuple(map(tuple, box(0, 3000, 500, 3500))),), None, Limit(300.0, "amsl")),
            ),
            valid_from_ns=T0,
            valid_to_ns=parse_time("9999-12-31T23:59:59Z"),
            periods=(Period(frozenset({0, 6}), 22 * 60, 6 * 60),),
            authority="民航",
            note="only with approval",
            country="CHN",
        ),
    ]
)


@pytest.mark.parametrize("name", sorted(WRITERS))
def test_what_a_format_writes_it_reads_back_to_the_same_zones(tmp_path, name):
    again = read(tmp_path, WRITERS[name](EVERYTHING))
    assert again.zones == EVERYTHING.zones
    assert again.hash == EVERYTHING.hash


def test_slopes_and_suns_come_back_through_geojson_and_are_refused_elsewhere(tmp_path):
    rise = Slope(117.3, 39.1, 0.02, 154.5)
    steep = Zones.of(
        [
            zone("A", [SQUARE], floor_m=1.0, floor_ref="amsl", floor_slope=rise),
            zone("B", [SQUARE], floor_m=1.0, floor_ref="amsl", floor_slope=Slope(117, 39, 0.05)),
        ]
    )
    assert read(tmp_path, WRITERS["geojson"](steep)).zones == steep.zones
    for name in ("ed269", "ed318"):
        with pytest.raises(ConfigError, match="zone A: ED-"):
            WRITERS[name](steep)
    sun = (Period(frozenset({1}), "SR", 720),)
    sunny = Zones.of([zone("C", [SQUARE], periods=sun, country="CHN")])
    assert read(tmp_path, WRITERS["ed318"](sunny)).zones == sunny.zones
    with pytest.raises(ConfigError, match="hours by the sun"):
        WRITERS["ed269"](sunny)
    high = Zones.of([zone("D", [SQUARE], ceiling_m=9.0, ceiling_ref="hae", country="AUT")])
    assert read(tmp_path, WRITERS["ed318"](high)).zones == high.zones
    with pytest.raises(ConfigError, match="level limits above ground"):
        WRITERS["ed269"](high)


def test_one_limit_for_each_polygon_of_a_feature(tmp_path):
    assert "limits" in WRITERS["geojson"](EVERYTHING)["features"][0]["properties"]
    assert "limits" not in WRITERS["geojson"](EVERYTHING)["features"][1]["properties"]
    assert PROPERTIES["kind"] == "prohibited"


@pytest.mark.parametrize("course", [0.0, 64.0, 154.45, 270.0])
def test_a_limit_that_rises_is_met_a_metre_above_and_below_all_along(course):
    rise = Slope(117.3460, 39.1244, 0.025, course)
    wide = zone(
        "A", [box(-9000, -9000, 9000, 9000)],
        floor_m=20.0, floor_ref="amsl", floor_slope=rise,
    )  # fmt: skip
    index = ZoneIndex(Zones.of([wide]), TILE)
    for s, aside in ((0.0, 0.0), (3000.0, 500.0), (8000.0, -900.0), (-700.0, 4000.0)):
        c = np.deg2rad(course)
        east = s * np.sin(c) + aside * np.cos(c)
        north = s * np.cos(c) - aside * np.sin(c)
        lat, lon, _ = TILE.to_geodetic(np.array([[east, north, np.nan]]))
        for off, held in ((1.0, 1), (-1.0, 0), (0.05, 1), (-0.05, 0)):
            pairs = index.at(float(lat[0]), float(lon[0]), 20.0 + 0.025 * s + off, "amsl", T0)
            assert len(pairs.zone) == held
            if held:
                assert pairs.depth[0] == pytest.approx(off, abs=0.02)


def test_a_cone_is_met_a_metre_above_and_below_all_around():
    cone = Slope(117.3460, 39.1244, 0.05)
    wide = zone(
        "A", [box(-9000, -9000, 9000, 9000)],
        floor_m=45.0, floor_ref="agl", floor_slope=cone,
    )  # fmt: skip
    index = ZoneIndex(Zones.of([wide]), TILE)
    for e, n in ((0.0, 0.0), (300.0, 400.0), (-6000.0, 2000.0)):
        lat, lon, _ = TILE.to_geodetic(np.array([[e, n, np.nan]]))
        height = 45.0 + 0.05 * float(np.hypot(e, n))
        for off, held in ((1.0, 1), (-1.0, 0)):
            pairs = index.at(float(lat[0]), float(lon[0]), height + off, "agl", T0)
            assert len(pairs.zone) == held


def test_a_climb_through_a_slope_between_two_fixes_is_a_crossing():
    rise = Slope(117.3460, 39.1244, 0.02, 0.0)
    strip = zone(
        "A", [box(-100, 1000, 100, 1200)], floor_m=0.0, floor_ref="hae", floor_slope=rise,
    )  # fmt: skip
    index = ZoneIndex(Zones.of([strip]), TILE)

    def crossed(first, last):
        ends = []
        for north, height in (first, last):
            lat, lon, _ = TILE.to_geodetic(np.array([[0.0, north, np.nan]]))
            levels = in_all_references(lat, lon, np.array([height]), "hae", Ground())
            ends.append(index.places(lat, lon, *levels.T))
        active = index.active(T0)
        held = index.inside(ends[1], active)
        return len(index.crossed(ends[0], ends[1], held, active).zone)

    assert crossed((900.0, 30.0), (1300.0, 30.0)) == 1
    assert crossed((900.0, 15.0), (1300.0, 15.0)) == 0
    assert crossed((900.0, 18.5), (1300.0, 26.5)) == 1
    assert crossed((900.0, 17.5), (1300.0, 25.5)) == 0


def test_zones_in_force_are_asked_again_only_when_one_may_have_changed():
    night = replace(zone("A", [SQUARE]), periods=(Period(frozenset(range(7)), 22 * 60, 6 * 60),))
    later = replace(zone("B", [SQUARE]), valid_from_ns=T0 + 3_600_000_000_000)
    index = ZoneIndex(Zones.of([night, later, zone("C", [SQUARE])]), TILE)
    rng = np.random.default_rng(1)
    for t_ns in (T0 + rng.integers(-(10**15), 10**15, 300)).tolist():
        want = [z.in_force(t_ns)[0] for z in index.zones]
        assert index.active(t_ns).tolist() == want
        assert index.active(t_ns) is index.active(t_ns)
