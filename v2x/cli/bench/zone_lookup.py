"""Points in zones with height bands, by the volume kernel and by the best bulk form of shapely.

That is one query of an STRtree for the boxes of many points, the bands and hours of what it finds
judged in NumPy, and ``contains_xy`` of prepared polygons on what is left, sorted by zone, 4,000
points at a time (unprepared or one point at a time it is 2-12 times slower, all at once up to twice
as slow). Both answer with the same pairs, which are compared before anything is timed.
"""

import math
import shlex
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import shapely

from v2x.cli.bench.report import machine, versions
from v2x.columns import F8, I4
from v2x.geodesy import Tile
from v2x.lowalt.files import REFERENCES, Ring
from v2x.lowalt.heights import in_all_references
from v2x.lowalt.terrain import Ground
from v2x.lowalt.volumes import Places, ZoneIndex, in_metres
from v2x.lowalt.zones import Limit, Part, Zone, Zones
from v2x.picture import ZoneKind

SPAN_M = 60_000.0
TILE = Tile(39.1244, 117.3460)
LEAST_M = 100.0
BLOCK = 4_000
SHARE = 1.05, 4.1
"""Hits a point that sizes are drawn for: up to 1,000 zones, and from 10,000 on."""
METHOD = {
    "area": "60 x 60 km, radii log-uniform from 100 m, 20-200 corners, one in five with a hole",
    "bands": "floor none in 3 of 10, ceiling none in 2 of 10, level, in hae, amsl or agl at random",
    "throughput": "points over CPU seconds of one thread, the best batch",
    "peer": "shapely: STRtree bulk boxes, bands in NumPy, prepared contains_xy, 4,000 at a time",
}


def _star(rng: np.random.Generator, centre: F8, radius: float, corners: int) -> F8:
    way = np.sort(rng.uniform(0.0, 2.0 * np.pi, corners))
    reach = radius * rng.uniform(0.7, 1.0, corners)
    ring: F8 = centre + np.column_stack((reach * np.cos(way), reach * np.sin(way)))
    return ring


def _degrees(ring: F8) -> Ring:
    lat, lon, _ = TILE.to_geodetic(np.column_stack((ring, np.full(len(ring), np.nan))))
    corners = list(zip(lon.tolist(), lat.tolist(), strict=True))
    return (*corners, corners[0])


def largest_m(n: int) -> float:
    """Largest radius, m, for which `n` zones give about `SHARE` hits a point.

    A mean star covers 2.3 of its radius squared, and the mean of the square of a radius drawn
    log-uniformly up to R is near R² / (2 ln(R / least)).
    """
    share = SHARE[0] if n <= 1_000 else SHARE[1]
    low, high = LEAST_M * 1.01, 0.5 * SPAN_M
    for _ in range(60):
        radius = math.sqrt(low * high)
        covered = n * 2.3 * radius**2 / (2.0 * math.log(radius / LEAST_M)) / SPAN_M**2
        low, high = (radius, high) if covered < share else (low, radius)
    return low


def scene(n: int, seed: int) -> Zones:
    """`n` zones of a seed."""
    rng = np.random.default_rng([seed, n])
    largest = largest_m(n)
    zones = []
    for k in range(n):
        centre = rng.uniform(-SPAN_M / 2.0, SPAN_M / 2.0, 2)
        radius = math.exp(rng.uniform(math.log(LEAST_M), math.log(largest)))
        mine = [_star(rng, centre, radius, int(rng.integers(20, 201)))]
        if rng.random() < 0.2:
            mine.append(_star(rng, centre, 0.3 * radius, int(rng.integers(5, 40))))
        limits = [
            None if rng.random() < none else Limit(float(rng.uniform(*band)), ref)
            for none, band, ref in (
                (0.3, (0.0, 60.0), REFERENCES[int(rng.integers(3))]),
                (0.2, (60.0, 300.0), REFERENCES[int(rng.integers(3))]),
            )
        ]
        part = Part(tuple(_degrees(ring) for ring in mine), *limits)
        zones.append(Zone(f"Z{k:05d}", f"Z{k:05d}", ZoneKind(k % 4), (part,)))
    return Zones.of(zones)


def places(index: ZoneIndex, n: int, seed: int) -> Places:
    """`n` points of a seed, 0 to 150 m above the ellipsoid."""
    rng = np.random.default_rng([seed, n, 1])
    flat = rng.uniform(-SPAN_M / 2.0, SPAN_M / 2.0, (n, 2))
    lat, lon, _ = TILE.to_geodetic(np.column_stack((flat, np.full(n, np.nan))))
    levels = in_all_references(lat, lon, rng.uniform(0.0, 150.0, n), "hae", Ground())
    return index.places(lat, lon, *levels.T)


class Peer:
    """The same zones in shapely."""

    def __init__(self, zones: Zones) -> None:
        # Rings as in the index, long edges in pieces: straight in degrees is not so in metres.
        rings = in_metres(TILE, zones)
        self._shapes = np.array([shapely.Polygon(r[0], r[1:]) for r in rings], dtype=object)
        shapely.prepare(self._shapes)
        self._tree = shapely.STRtree(self._shapes)
        limits = [(zone.parts[0].floor, zone.parts[0].ceiling) for zone in zones]
        self._ref = np.array([[REFERENCES.index(x.ref) if x else 0 for x in two] for two in limits])
        none = (-np.inf, np.inf)
        self._m = np.array(
            [[none[k] if x is None else x.m for k, x in enumerate(two)] for two in limits]
        )

    def hits(self, places: Places) -> tuple[I4, I4]:
        """(point, zone) pairs, by zone within each block of points."""
        rows, held = [], []
        for at in range(0, len(places.flat), BLOCK):
            flat, levels = places.flat[at : at + BLOCK], places.heights[at : at + BLOCK]
            row, zone = self._tree.query(shapely.points(flat))
            keep = levels[row, self._ref[zone, 0]] >= self._m[zone, 0]
            keep &= levels[row, self._ref[zone, 1]] <= self._m[zone, 1]
            row, zone = row[keep], zone[keep]
            order = np.argsort(zone, kind="stable")
            row, zone = row[order], zone[order]
            within = shapely.contains_xy(self._shapes[zone], flat[row, 0], flat[row, 1])
            rows.append(row[within] + at)
            held.append(zone[within])
        return np.concatenate(rows).astype(np.int32), np.concatenate(held).astype(np.int32)


def best_s(call: Callable[[], object], seconds: float) -> float:
    """Least CPU time of this thread for one call, over calls for some seconds, at least two."""
    best, end, calls = math.inf, time.perf_counter() + seconds, 0
    while calls < 2 or time.perf_counter() < end:
        begin = time.thread_time_ns()
        call()
        best = min(best, (time.thread_time_ns() - begin) / 1e9)
        calls += 1
    return best


def measure(n_zones: int, n_points: int, seed: int, seconds: float) -> dict[str, Any]:
    """One row: both looked up, compared, and timed."""
    zones = scene(n_zones, seed)
    ZoneIndex(Zones.of(zones.zones[:1]), TILE)  # compiles
    begin = time.thread_time_ns()
    index = ZoneIndex(zones, TILE)
    active = index.active(0)
    build_s = (time.thread_time_ns() - begin) / 1e9
    at = places(index, n_points, seed)
    peer = Peer(zones)
    found = index.hits(at, active)
    row, zone = peer.hits(at)
    ours = set(zip(found.point.tolist(), found.zone.tolist(), strict=True))
    theirs = set(zip(row.tolist(), zone.tolist(), strict=True))
    holder = [index]
    swap_s = best_s(lambda: holder.__setitem__(0, index) or holder[0].active(0), 0.0)
    mine, other = (
        best_s(lambda: index.hits(at, active), seconds),
        best_s(lambda: peer.hits(at), seconds),
    )
    return {
        "zones": n_zones,
        "points": n_points,
        "corners": sum(len(r) for z in zones for p in z.parts for r in p.polygon),
        "hits_per_point": len(found.point) / n_points,
        "differences": len(ours ^ theirs),
        "points_per_cpu_s": n_points / mine,
        "with_depth_points_per_cpu_s": n_points / best_s(lambda: index.inside(at, active), 0.0),
        "shapely_points_per_cpu_s": n_points / other,
        "ratio": other / mine,
        "build_cpu_s": build_s,
        "swap_ms": swap_s * 1e3,
    }


def report(rows: list[dict[str, Any]], options: dict[str, Any]) -> dict[str, Any]:
    """Everything measured, with machine, versions and the command that measures it again."""
    words = ["v2x", "bench", "zones", "--zones", ",".join(map(str, options["zones"]))]
    for name in ("points", "seed", "seconds"):
        words += [f"--{name}", str(options[name])]
    return {
        "command": shlex.join(words),
        "machine": machine(),
        "versions": versions([])
        | {"shapely": shapely.__version__, "geos": shapely.geos_version_string},
        "method": METHOD,
        "options": options,
        "results": rows,
    }


def show(made: dict[str, Any]) -> None:
    """Print the rows as a table."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name in (
        "zones", "hits/pt", "M pt/s", "+depth", "shapely", "ratio", "build s", "swap ms", "differ"
    ):  # fmt: skip
        table.add_column(name, justify="right", no_wrap=True)
    for row in made["results"]:
        table.add_row(
            f"{row['zones']:,}", f"{row['hits_per_point']:.2f}",
            *(
                f"{row[key] / 1e6:.2f}"
                for key in (
                    "points_per_cpu_s", "with_depth_points_per_cpu_s", "shapely_points_per_cpu_s"
                )
            ),
            f"{row['ratio']:.1f}", f"{row['build_cpu_s']:.2f}", f"{row['swap_ms']:.3f}",
            str(row["differences"]),
        )  # fmt: skip
    console.print(table)
    console.print(
        f"batches of {made['options']['points']:,} points, one core; M points a CPU second"
    )
    where = made["machine"]
    console.print(f"{where['cpu']}, {where['cores']} cores, load {where['load_1min']:.1f}")
    console.print(", ".join(f"{k} {v}" for k, v in made["versions"].items()))
