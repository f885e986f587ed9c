"""Ground by place: the file, what lies between its nodes and beyond them, and flights over it."""

import json

import numpy as np
import pytest

from tests.lowalt.scenes import T0, TILE, box, feature, written, zone
from tests.lowalt.test_zones import place
from v2x.errors import ConfigError
from v2x.geodesy import Grid, undulation
from v2x.lowalt.heights import in_all_references, track_heights
from v2x.lowalt.terrain import GRID_SD_M, GROUND_AMSL_M, GROUND_SD_M, Ground, load_terrain
from v2x.lowalt.volumes import ZoneIndex
from v2x.lowalt.zones import Zones
from v2x.tracks import Tracks

HEADER = {"ncols": 3, "nrows": 2, "xllcenter": 117.0, "yllcenter": 39.0, "cellsize": 0.25}
ROWS = "30 40 50\n10 20 -9999\n"


def text(rows=ROWS, without=(), **changes) -> str:
    header = {k: v for k, v in (HEADER | changes).items() if k not in without}
    return "".join(f"{key} {value}\n" for key, value in header.items()) + rows


def read(tmp_path, words: str) -> Grid:
    path = tmp_path / "ground.asc"
    path.write_text(words, "utf-8")
    return load_terrain(path)


def hills() -> Ground:
    """A ridge from west to east through the tile: 300 m on its crest, 0 m 10 km north and south."""
    lat = 38.9 + 0.01 * np.arange(46)
    crest = 300.0 * np.maximum(0.0, 1.0 - np.abs(lat - TILE.lat0) / 0.09)
    return Ground(grid=Grid(38.9, 117.0, 0.01, 0.4, np.repeat(crest[:, None], 3, axis=1)))


def test_rows_come_from_the_north_and_values_run_straight_between_the_nodes(tmp_path):
    grid = read(tmp_path, text("30 40 50\n10 20 30\n"))
    lat = np.array([39.0, 39.25, 39.125, 39.25, 39.0])
    lon = np.array([117.0, 117.5, 117.125, 117.125, 117.2])
    np.testing.assert_allclose(grid.at(lat, lon), [10.0, 50.0, 25.0, 35.0, 18.0], atol=1e-9)


def test_corner_of_the_cell_and_centre_of_it_are_half_a_cell_apart(tmp_path):
    corner = text(without=("xllcenter", "yllcenter"), xllcorner=116.875, yllcorner=38.875)
    one, other = read(tmp_path, text()), read(tmp_path, corner)
    assert (one.lat0, one.lon0) == (other.lat0, other.lon0)
    both = read(tmp_path, text(without=("cellsize",), dx=0.25, dy=0.5))
    assert (both.dlon, both.dlat) == (0.25, 0.5)


def test_outside_and_over_gaps_the_constant_stands_and_says_so(tmp_path):
    ground = Ground(7.0, 1.5, read(tmp_path, text()), 4.0)
    told = ground.at(np.array([39.1, 38.9, 39.01, 39.2]), np.array([117.1, 117.1, 117.49, np.nan]))
    assert told.mapped.tolist() == [True, False, False, False]
    assert told.amsl[1:].tolist() == [7.0] * 3
    assert told.sd.tolist() == [4.0, 1.5, 1.5, 1.5]
    flat = Ground().at(np.array([39.1]), np.array([117.1]))
    assert (flat.amsl[0], flat.sd[0], flat.mapped[0]) == (GROUND_AMSL_M, GROUND_SD_M, False)
    assert Ground().grid_sd_m == GRID_SD_M


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (text("1 2 3\n4 5\n"), "5 heights; 2 rows of 3 make 6"),
        (text("1 2 3\n4 5 x\n"), "a height is no number"),
        (text("1 2 3\n4 5 inf\n"), "no height of the ground"),
        (text("1 2 3\n4 5 9001\n"), "9001 m is no height"),
        (text(ncols=2.5), "ncols must be a whole number"),
        (text(without=("nrows",)), "nrows must be a whole number"),
        (text(cellsize=0), "cellsize must be above 0"),
        (text(xllcenter=540_000), "not degrees"),
        (text(xllcorner=117), "give one of xllcorner and xllcenter"),
        (text(without=("yllcenter",)), "give one of yllcorner and yllcenter"),
        (text(ncols="three"), "ncols 'three' is no number"),
        (text(colour="red"), "'colour red' is no line of an ASCII grid"),
        (text(ncols=9_000, nrows=9_000), "more than"),
        ("", "ncols must be"),
    ],
)
def test_a_file_that_is_no_grid_is_refused_by_name(tmp_path, words, reason):
    with pytest.raises(ConfigError, match=reason) as e:
        read(tmp_path, words)
    assert str(tmp_path / "ground.asc") in str(e.value)


def test_a_file_that_is_not_there_or_no_text_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.asc: No such file"):
        load_terrain(tmp_path / "none.asc")
    (tmp_path / "b.asc").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not a text file"):
        load_terrain(tmp_path / "b.asc")


def test_every_truncation_of_a_file_is_refused_or_whole(tmp_path):
    whole = text()
    for n in range(len(whole)):
        try:
            made = read(tmp_path, whole[:n])
        except ConfigError:
            continue
        assert n >= len(whole) - 4  # 'NODATA' cut to another number, or the last blank
        assert made.values.shape == (2, 3)


@pytest.mark.parametrize("reference", ["hae", "amsl", "agl"])
def test_a_metre_either_side_of_a_limit_over_hills_in_every_reference(reference):
    ground = hills()
    for north in (-9_000.0, -3_000.0, 0.0, 3_000.0, 9_000.0):
        lat, lon = (np.array([v]) for v in place(0.0, north))
        n, level = undulation(lat, lon)[0], ground.at(lat, lon).amsl[0]
        ceiling = {"hae": 120.0 + n + level, "amsl": 120.0 + level, "agl": 120.0}[reference]
        here = box(-100, north - 100, 100, north + 100)
        index = ZoneIndex(
            Zones.of([zone("A", [here], ceiling_m=ceiling, ceiling_ref=reference)]), TILE, ground
        )
        for up, held in ((-1.0, 1), (0.0, 1), (1.0, 0)):
            given = {"hae": 120.0 + n + level, "amsl": 120.0 + level, "agl": 120.0}
            for ref, height in given.items():
                exact = ref == reference or up != 0.0
                found = len(index.at(lat[0], lon[0], height + up, ref, T0).zone)
                assert found == held or not exact, (north, ref, up)


def test_a_flight_that_follows_the_terrain_stays_below_the_limit_and_a_level_one_does_not():
    ground = hills()
    index = ZoneIndex(
        Zones.of([zone("above", [box(-2e3, -11e3, 2e3, 11e3)], floor_m=120.0, floor_ref="agl")]),
        TILE, ground,
    )  # fmt: skip
    north = np.linspace(-10_000.0, 10_000.0, 801)
    lat, lon, _ = TILE.to_geodetic(np.column_stack((np.zeros(801), north, np.full(801, np.nan))))
    active = index.active(T0)
    following = in_all_references(lat, lon, np.full(801, 100.0), "agl", ground)
    assert following[:, 0].max() - following[:, 0].min() > 250.0
    places = index.places(lat, lon, *following.T)
    assert len(index.inside(places, active).point) == 0
    level = in_all_references(lat, lon, np.full(801, 200.0), "amsl", ground)
    held = index.inside(index.places(lat, lon, *level.T), active)
    rise = 200.0 - ground.at(lat, lon).amsl
    np.testing.assert_array_equal(held.point, np.flatnonzero(rise >= 120.0))
    flat = in_all_references(lat, lon, following[:, 0], "hae", Ground())
    assert len(index.inside(index.places(lat, lon, *flat.T), active).point) > 400


def test_tracks_have_their_height_above_the_ground_below_them():
    ground = hills()
    x = np.zeros((2, 6))
    x[:, 1], x[:, 2] = (0.0, 9_900.0), 400.0
    P = np.broadcast_to(np.eye(6), (2, 6, 6))
    geodetic, heights = track_heights(TILE, Tracks.blank(2, x=x, P=P), ground)
    level = ground.at(*geodetic.T).amsl
    assert level[0] > 280.0 > 10.0 > level[1]
    np.testing.assert_allclose(heights.agl, heights.amsl - level)


def test_check_takes_the_ground_from_a_file(tmp_path, capsys):
    from v2x.cli.zones import check

    path = tmp_path / "ground.asc"
    path.write_text(text("100 100 100\n100 100 100\n"), "utf-8")
    far = feature([[110.0, 39.0], [110.1, 39.0], [110.1, 39.1], [110.0, 39.0]], id="Z2")
    check(written(tmp_path / "z.json", feature(), far), terrain=path, json_=True)
    one, other = json.loads(capsys.readouterr().out)["zones"]
    assert one["ceiling"]["amsl_m"] == 400.0
    assert "outside the terrain" in " ".join(other["warnings"])
    assert "outside the terrain" not in " ".join(one["warnings"])
    check(written(tmp_path / "z.json", feature()), ground=50.0, json_=True)
    assert json.loads(capsys.readouterr().out)["zones"][0]["ceiling"]["amsl_m"] == 350.0
