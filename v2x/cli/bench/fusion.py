"""``v2x bench fusion``: accuracy and throughput of the tracker beside a peer, in one run."""

import json
import platform
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from replay.scenarios.fusion import Scenario

MAX_SEED = 999_999
WARM_UP_S = 1.0
"""Metrics count from here: the first instants judge the start, not the tracker."""


@dataclass(frozen=True)
class Result:
    """One tracker on one scenario over one window."""

    tracker: str
    scenario: str
    size: int
    seed: int
    scans: int
    plots: int
    cpu_s: float
    score: dict[str, Any]

    @property
    def plots_per_cpu_s(self) -> float:
        """Throughput."""
        return self.plots / self.cpu_s

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "tracker": self.tracker,
            "scenario": self.scenario,
            "size": self.size,
            "seed": self.seed,
            "scans": self.scans,
            "scored_from_s": WARM_UP_S,
            "scored_to_s": self.scans / 30.0,
            "plots": self.plots,
            "cpu_s": self.cpu_s,
            "plots_per_cpu_s": self.plots_per_cpu_s,
            **self.score,
        }


def fusion(
    scenario: Annotated[
        str, typer.Option("--scenario", help="nominal, hard, lanes or air3d.")
    ] = "nominal",
    size: Annotated[int, typer.Option("--size", help="Objects.")] = 100,
    seeds: Annotated[str, typer.Option("--seeds", help="Comma-separated, or a range: 0-9.")] = "0",
    competitor: Annotated[
        str, typer.Option("--competitor", help="stonesoup-jpda, or none.")
    ] = "stonesoup-jpda",
    scans: Annotated[
        int | None,
        typer.Option("--scans", help="Scans both run (of 300); 60 with a competitor, else all."),
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Run a seeded scenario through the tracker and a peer; both are scored on the same scans."""
    from replay.scenarios.fusion import NAMES, SCANS, make

    if scenario not in NAMES:
        raise typer.BadParameter(f"--scenario {scenario!r}: there are {', '.join(NAMES)}")
    if competitor not in ("stonesoup-jpda", "none"):
        raise typer.BadParameter(f"--competitor {competitor!r}: stonesoup-jpda or none")
    if size < 1:
        raise typer.BadParameter(f"--size {size}: at least 1")
    alone = competitor == "none"
    window = scans if scans is not None else (SCANS if alone else 60)
    if not 33 <= window <= SCANS:
        raise typer.BadParameter(f"--scans {window}: from 33 (metrics count from 1 s) to {SCANS}")
    numbers = _seeds(seeds)
    if not alone:
        _stonesoup()
    warm()
    results: list[Result] = []
    for seed in numbers:
        world = make(scenario, size, seed)
        results.append(ours(world, SCANS if alone and scans is None else window))
        if not alone:
            results.append(peer(world, window))
    report = {
        "machine": machine(),
        "versions": versions(peer=not alone),
        "results": [r.as_dict() for r in results],
        "summary": summary(results),
    }
    if json_:
        print(json.dumps(report))
    else:
        _show(report, results)


def _seeds(text: str) -> list[int]:
    made: list[int] = []
    for part in text.split(","):
        first, dash, last = part.partition("-")
        try:
            seeds = range(int(first), int(last if dash else first) + 1)
        except ValueError:
            seeds = range(0)
        if not seeds or seeds[-1] > MAX_SEED:
            raise typer.BadParameter(
                f"--seeds {text!r}: numbers like 0 or 0,3 or 0-9, up to {MAX_SEED}"
            )
        made += seeds
    return made


def _stonesoup() -> Any:
    """Adapter of the peer, or how to get the peer."""
    from v2x.errors import ConfigError

    try:
        from v2x.cli.bench import stonesoup
    except ImportError as e:
        raise ConfigError(
            f"stonesoup is not installed ({e}): pip install -e '.[bench]' in a clone, "
            "or pip install 'v2x[bench]'; without it: --competitor none"
        ) from None
    return stonesoup


def warm() -> None:
    """Compile or load every kernel, so that no run pays for it."""
    from replay.scenarios.fusion import make

    for name in ("hard", "air3d"):
        ours(make(name, 10, 0, stream=1, scans=36), 36)


def ours(world: "Scenario", scans: int) -> Result:
    """Run our tracker; throughput over `Plots.positions` and `step`, at least 0.3 s of it."""
    import numpy as np

    from replay.scenarios.fusion import SENSOR_SD
    from v2x.fusion import Tracker
    from v2x.plots import Plots

    d = world.dim
    R = [np.eye(d) * sd**2 for sd in SENSOR_SD]
    feed = [
        (t, k, z, np.broadcast_to(R[k], (len(z), d, d)))
        for t, k, z in list(zip(world.scan_ns, world.scan_sensor, world.plots, strict=True))[:scans]
    ]
    cpu, rounds = 0.0, 0
    ids: list[Any] = []
    positions: list[Any] = []
    while cpu < 0.3 and rounds < 20:
        tracker = Tracker(world.sensors())
        ids, positions = [], []
        made = []
        begin = time.process_time()
        for n, (t, k, z, cov) in enumerate(feed):
            # every third scan ends a slice at a truth instant, 1 ms later
            at_truth = n % 3 == 2
            tracks = tracker.step(Plots.positions(t, k, z, cov), t + 1_000_000 * at_truth)
            if at_truth:
                made.append(tracks)
        cpu += time.process_time() - begin
        rounds += 1
    for tracks in made:
        keep = tracks.exist >= 0.5
        ids.append(tracks.id[keep])
        positions.append(tracks.x[keep, :d])
    plots = sum(len(z) for _, _, z, _ in feed)
    return _result("v2x", world, scans, plots, cpu / rounds, ids, positions)


def peer(world: "Scenario", scans: int) -> Result:
    """Run Stone Soup's JPDA on the same scans."""
    ids, positions, cpu = _stonesoup().run(world, scans)
    plots = sum(len(z) for z in world.plots[:scans])
    return _result("stonesoup-jpda", world, scans, plots, cpu, ids, positions)


def _result(
    name: str, world: "Scenario", scans: int, plots: int, cpu: float, ids: Any, positions: Any
) -> Result:
    from v2x.cli.tables import clean
    from v2x.scoring import Frames, score

    keep = [k for k in range(scans // 3) if world.truth_s[k] >= WARM_UP_S]
    made = score(
        Frames.of([world.truth_id[k] for k in keep], [world.truth[k] for k in keep]),
        Frames.of([ids[k] for k in keep], [positions[k] for k in keep]),
    ).as_dict()
    values = {key: clean(value) for key, value in made.items()}
    return Result(name, world.name, world.size, world.seed, scans, plots, cpu, values)


def summary(results: list[Result]) -> dict[str, Any]:
    """Mean over seeds per tracker, and the ratios between the two."""
    made: dict[str, Any] = {}
    for name in sorted({r.tracker for r in results}):
        mine = [r for r in results if r.tracker == name]
        made[name] = {
            "gospa_n": sum(r.score["gospa_n"] for r in mine) / len(mine),
            "plots_per_cpu_s": sum(r.plots for r in mine) / sum(r.cpu_s for r in mine),
        }
    if len(made) == 2:
        a, b = made["v2x"], made["stonesoup-jpda"]
        made["throughput_ratio"] = a["plots_per_cpu_s"] / b["plots_per_cpu_s"]
        made["gospa_ratio"] = a["gospa_n"] / b["gospa_n"]
    return made


def machine() -> dict[str, Any]:
    """Where the numbers were made: they mean nothing elsewhere."""
    import os

    model = platform.processor()
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    except OSError:
        pass
    load = os.getloadavg() if hasattr(os, "getloadavg") else (0.0, 0.0, 0.0)
    return {"cpu": model, "cores": os.cpu_count(), "load_1min": load[0], "threads": 1}


def versions(*, peer: bool) -> dict[str, str]:
    """Versions of what was measured and what it stands on."""
    from importlib.metadata import version

    names = ["v2x", "numpy", "numba"] + (["stonesoup", "scipy"] if peer else [])
    return {"python": platform.python_version(), **{name: version(name) for name in names}}


def _show(report: dict[str, Any], results: list[Result]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(
        "tracker", "seed", "GOSPA/√N", "located", "missed", "false", "IDF1", "switches",
        "plots/CPU-s",
        title=f"{results[0].scenario} {results[0].size}, {results[0].scans} scans, "
        f"scored from {WARM_UP_S} s",
    )  # fmt: skip
    for r in results:
        s = r.score
        table.add_row(
            r.tracker,
            str(r.seed),
            f"{s['gospa_n']:.4f}",
            *(f"{s[f'gospa_{part}']:.3f}" for part in ("localisation", "missed", "false")),
            f"{s['idf1']:.4f}",
            str(s["id_switches"]),
            f"{r.plots_per_cpu_s:,.0f}",
        )
    console = Console()
    console.print(table)
    made = report["summary"]
    if "throughput_ratio" in made:
        console.print(
            f"throughput {made['throughput_ratio']:,.0f} times the peer's, "
            f"GOSPA {made['gospa_ratio']:.3f} of it (below 1 is better)"
        )
    where = report["machine"]
    console.print(f"{where['cpu']}, {where['cores']} cores, load {where['load_1min']:.1f}")
    console.print(", ".join(f"{k} {v}" for k, v in report["versions"].items()))
