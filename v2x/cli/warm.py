"""``v2x warm``: compile every kernel once, so that no frame ever waits for a compiler."""

from collections.abc import Callable
from typing import Annotated

import typer

_MARK = "ready"


def warm(
    json_: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
) -> None:
    """Compile all kernels into the private cache and remove the caches of older versions."""
    import json
    import time

    from v2x.jit import cache_home, prune

    began = time.monotonic()
    compile_all(quiet=json_)
    seconds, removed = time.monotonic() - began, prune()
    if json_:
        told = {"seconds": round(seconds, 2), "cache": str(cache_home()), "removed": removed}
        print(json.dumps(told))
    else:
        print(f"kernels ready in {seconds:.1f} s; {removed} older caches removed")


def ready(*, quiet: bool = False) -> None:
    """Compile on the very first start, saying so; later starts find the mark and return."""
    from v2x.jit import cache_dirs

    if not all((folder / _MARK).exists() for folder in cache_dirs()):
        compile_all(quiet=quiet)


def compile_all(*, quiet: bool) -> None:
    """Run every kernel once on small input, in two processes, with a bar on the terminal."""
    import multiprocessing
    import os
    from concurrent.futures import ProcessPoolExecutor, as_completed

    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from v2x.jit import cache_dirs

    console = Console(stderr=True, quiet=quiet)
    console.print("First start of this version: compiling the kernels. This happens once.")
    steps = list(_steps())
    columns = (
        TextColumn("{task.description:<28}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    )  # fmt: skip
    with (
        Progress(*columns, console=console) as progress,
        ProcessPoolExecutor(
            min(2, os.cpu_count() or 1), multiprocessing.get_context("spawn")
        ) as pool,
    ):
        task = progress.add_task("compiling", total=len(steps) + 1)
        waiting = {pool.submit(step): name for name, step in steps}
        for done in as_completed(waiting):
            done.result()
            progress.update(task, description=waiting[done], advance=1)
        progress.update(task, description="pipeline")
        _pipeline()
        progress.advance(task)
    for folder in cache_dirs():
        (folder / _MARK).touch()


def _steps() -> list[tuple[str, Callable[[], object]]]:
    """What can be compiled apart from each other, the longest first."""
    from functools import partial

    from v2x.ingest.formats import registry

    decoders = [(f"decoder {name}", partial(_decoder, name)) for name in registry()]
    order = ("decoder rsu", "decoder adsb", "decoder gb46750")
    decoders.sort(key=lambda step: order.index(step[0]) if step[0] in order else len(order))
    return [("tracker", _tracker), *decoders, ("geodesy", _geodesy)]


def _geodesy() -> None:
    import numpy as np

    from v2x.geodesy import Tile, gcj02_from_wgs84, undulation, wgs84_from_gcj02

    lat, lon = np.array([39.12, 39.2]), np.array([117.3, 117.4])
    tile = Tile(39.1244, 117.346, 0.0)
    tile.to_geodetic(tile.to_enu(lat, lon, np.array([10.0, np.nan])))
    undulation(lat, lon)
    wgs84_from_gcj02(*gcj02_from_wgs84(lat, lon))


def _decoder(name: str) -> None:
    from v2x.frames import FrameBatch
    from v2x.ingest.formats import format_named
    from v2x.sensors import Sensor, SensorTable

    decoder = format_named(name)
    table = SensorTable.of([Sensor("s", name, lat=39.1, lon=117.3)])
    decoder.decode(FrameBatch.of(name, [b"\0"], [0], [1 << 60]), table, decoder.new_state())


def _tracker() -> None:
    import numpy as np

    from v2x.fusion import Sensor, Tracker, TrackerConfig
    from v2x.plots import Plots

    for width in (2, 3):
        tracker = Tracker([Sensor("radar", clutter_density=1e-5)], TrackerConfig())
        for k in range(1, 8):
            xyz = np.array([[0.0, 10.0 * k, 50.0], [3.0, 10.0 * k, 50.0], [400.0, 0.0, 50.0]])
            cov = np.tile(np.eye(width), (3, 1, 1))
            t_ns = k * 500_000_000
            tracker.step(Plots.positions(t_ns, 0, xyz[:, :width], cov), t_ns)


def _pipeline() -> None:
    from importlib.resources import as_file, files

    from replay.player import configuration
    from v2x.app import Pipeline
    from v2x.frames import Frame, Poll
    from v2x.ingest.drive import DriveSource

    with (
        as_file(files("replay") / "drives" / "demo.mcap") as drive,
        configuration(drive, None) as config,
    ):
        pipeline = Pipeline(config, replay=True)
        frames: list[Frame] = []
        for poll in DriveSource(drive):
            frames += poll.frames
            if frames[-1].recv_ns - frames[0].recv_ns > 25_000_000_000:
                break
        pipeline.feed(Poll(frames))
        pipeline.finish()
