"""Positions into the tile's frame and back, ours beside PROJ's topocentric pipeline.

``pytest benchmarks/bench_geodesy.py --benchmark-only`` prints one group for each direction and
batch size; the quotient of its two rows is the claim. PROJ's transformer is built once, takes whole
arrays and one thread, its best form; ours includes all of `Tile`'s methods. Both results are
compared before anything is timed.
"""

import numpy as np
import pyproj
import pytest

from v2x.geodesy import Tile, gcj02_from_wgs84, wgs84_from_gcj02

TILE = Tile(39.124, 117.346, 2.0)
PIPELINE = pyproj.Transformer.from_pipeline(
    "+proj=pipeline +step +proj=unitconvert +xy_in=deg +xy_out=rad +step +proj=cart +ellps=WGS84 "
    f"+step +proj=topocentric +ellps=WGS84 +lon_0={TILE.lon0} +lat_0={TILE.lat0} +h_0={TILE.h0}"
)
SIZES = [1, 60, 4_096, 1_000_000]


def positions(n):
    """Within some 30 km of the origin, up to 3 km high."""
    rng = np.random.default_rng(n)
    lat, lon = TILE.lat0 + rng.uniform(-0.27, 0.27, n), TILE.lon0 + rng.uniform(-0.34, 0.34, n)
    return lat, lon, rng.uniform(-10.0, 3_000.0, n)


def run(benchmark, group, n, call):
    benchmark.group = f"{group}, {n:,} points"
    benchmark.extra_info["points"] = n
    call()
    benchmark(call)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("who", ["ours", "pyproj"])
def test_geodetic_to_enu(benchmark, who, n):
    lat, lon, height = positions(n)
    reference = np.column_stack(PIPELINE.transform(lon, lat, height))
    assert np.abs(TILE.to_enu(lat, lon, height) - reference).max() < 1e-6
    if who == "ours":
        run(benchmark, "to ENU", n, lambda: TILE.to_enu(lat, lon, height))
    else:
        run(benchmark, "to ENU", n, lambda: PIPELINE.transform(lon, lat, height))


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("who", ["ours", "pyproj"])
def test_enu_to_geodetic(benchmark, who, n):
    lat, lon, height = positions(n)
    enu = TILE.to_enu(lat, lon, height)
    east, north, up = np.ascontiguousarray(enu.T)
    back = PIPELINE.transform(east, north, up, direction="INVERSE")
    ours = TILE.to_geodetic(enu)
    assert np.abs(np.array(ours[:2]) - [back[1], back[0]]).max() < 1e-11
    assert np.abs(ours[2] - back[2]).max() < 1e-6
    if who == "ours":
        run(benchmark, "from ENU", n, lambda: TILE.to_geodetic(enu))
    else:
        run(
            benchmark, "from ENU", n,
            lambda: PIPELINE.transform(east, north, up, direction="INVERSE"),
        )  # fmt: skip


@pytest.mark.parametrize("convert", [gcj02_from_wgs84, wgs84_from_gcj02])
def test_gcj02(benchmark, convert):
    lat, lon, _ = positions(10_000)
    run(benchmark, convert.__name__, 10_000, lambda: convert(lat, lon))
