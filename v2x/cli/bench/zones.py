"""``v2x bench zones``: how many points a core-second are looked up in how many zones."""

import json
import os
from typing import Annotated

import typer

MOST_ZONES, MOST_POINTS = 20_000, 1_000_000


def zones(
    zones: Annotated[
        str, typer.Option("--zones", help="Numbers of zones, comma-separated.")
    ] = "100,1000,10000",
    points: Annotated[int, typer.Option("--points", help="Points of a batch.")] = 100_000,
    seed: Annotated[int, typer.Option("--seed", help="Seed of zones and points.")] = 0,
    seconds: Annotated[
        float, typer.Option("--seconds", help="Time given to each; the best batch counts.")
    ] = 2.0,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Look points up in zones with height bands, beside the best bulk form of shapely.

    One process, one core. 60 x 60 km, zones of 20-200 corners, one in five with a hole, floors and
    ceilings in three references. Exit code 1 where the two disagree.
    """
    for pool in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(pool, "1")
    from v2x.cli.bench.zone_lookup import measure, report, show

    try:
        sizes = [int(word) for word in zones.split(",")]
    except ValueError:
        raise typer.BadParameter(f"--zones {zones!r}: numbers, comma-separated") from None
    if not all(1 <= size <= MOST_ZONES for size in sizes):
        raise typer.BadParameter(f"--zones {zones!r}: from 1 to {MOST_ZONES}")
    if not 1 <= points <= MOST_POINTS:
        raise typer.BadParameter(f"--points {points}: from 1 to {MOST_POINTS}")
    if seed < 0 or not 0.0 <= seconds <= 600.0:
        raise typer.BadParameter("--seed: 0 or above; --seconds: from 0 to 600")
    rows = [measure(size, points, seed, seconds) for size in sizes]
    options = {"zones": sizes, "points": points, "seed": seed, "seconds": seconds}
    made = report(rows, options)
    if json_:
        print(json.dumps(made))
    else:
        show(made)
    if any(row["differences"] for row in rows):
        raise typer.Exit(1)
