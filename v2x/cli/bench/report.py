"""What a benchmark found: one dictionary for JSON and the page, and a table for the terminal."""

import platform
import shlex
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from v2x.cli.bench import peers
from v2x.cli.bench.judging import CUTOFF_M, WARM_UP_S, mean_sd
from v2x.cli.bench.runs import EXIST, Result

MEANS = (
    "gospa_n", "gospa", "gospa_localisation", "gospa_missed", "gospa_false", "ospa2", "idf1",
    "hota", "mota", "motp", "id_switches",
)  # fmt: skip
"""Scores of which the summary holds mean and deviation over seeds."""
METHOD = {
    "cutoff_m": CUTOFF_M,
    "order": 2.0,
    "scored_from_s": WARM_UP_S,
    "exist": EXIST,
    "threads": 1,
    "gc": "enabled; collected and frozen before each run",
    "throughput": "plots over process CPU seconds of Plots.positions and step, or the peer's",
    "latency": "wall time per scan, closed loop; clean: seconds without steal in /proc/stat",
}
"""How it was measured, beside the figures."""


def report(
    results: list[Result], options: dict[str, Any], competitors: list[str]
) -> dict[str, Any]:
    """Everything measured, with machine, versions and the command that measures it again."""
    return {
        "command": command(options),
        "machine": machine(),
        "versions": versions(competitors),
        "method": METHOD,
        "options": options,
        "results": [r.as_dict() for r in results],
        "summary": summary(results),
    }


def command(options: dict[str, Any]) -> str:
    """Command line with defaults written out, where they are one value for all scenarios."""
    words = ["v2x", "bench", "fusion"]
    for name in ("scenario", "size", "competitor"):
        if options[name] is not None:
            words += [f"--{name}", ",".join(str(v) for v in options[name])]
    for name in ("seeds", "scans", "stream"):
        if options[name] is not None:
            words += [f"--{name}", str(options[name])]
    for word in options["config"]:
        words += ["--config", word]
    words += ["--bound"] * options["bound"] + ["--no-score"] * (not options["score"])
    return shlex.join(words)


def groups(results: list[Result]) -> dict[tuple[str, int], dict[str, list[Result]]]:
    """Seeds of each tracker on each scenario and size, in order of their runs."""
    made: dict[tuple[str, int], dict[str, list[Result]]] = {}
    for r in results:
        made.setdefault((r.scenario, r.size), {}).setdefault(r.tracker, []).append(r)
    return made


def summary(results: list[Result]) -> list[dict[str, Any]]:
    """Per scenario and size: each tracker over all seeds, and ours against each peer."""
    made = []
    for (scenario, size), trackers in groups(results).items():
        rows = {name: _over_seeds(runs) for name, runs in trackers.items()}
        mine = rows["v2x"]
        ratios = {
            name: {
                "throughput": mine["plots_per_cpu_s"] / row["plots_per_cpu_s"],
                "gospa": mine["gospa_n"]["mean"] / row["gospa_n"]["mean"]
                if row["gospa_n"]
                else None,
            }
            for name, row in rows.items()
            if name in peers.PEERS
        }
        made.append({"scenario": scenario, "size": size, "trackers": rows, "ratios": ratios})
    return made


def _over_seeds(runs: list[Result]) -> dict[str, Any]:
    made: dict[str, Any] = {"seeds": len(runs), "scans": runs[0].scans}
    for key in MEANS:
        values = [r.score[key] for r in runs if r.score.get(key) is not None]
        made[key] = mean_sd(values) if values else None
    for key in ("nees", "nis"):
        found = [r.score[key]["mean"] for r in runs if r.score.get(key)]
        found = [value for value in found if value is not None]
        made[key] = mean_sd(found) if found else None
    cpu = sum(r.cpu_s or 0.0 for r in runs)
    made["plots_per_cpu_s"] = sum(r.plots for r in runs) / cpu if cpu else None
    times = [r.as_dict()["scan_ms"] for r in runs]
    for key in ("p50", "p99", "p50_clean", "p99_clean"):
        values = [t[key] for t in times if t and t[key] is not None]
        made[f"{key}_ms"] = median(values) if values else None
    made["steal_s"] = sum(r.watch.steal_s for r in runs if r.watch)
    made["wait_s"] = sum(r.watch.wait_s for r in runs if r.watch)
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
    return {
        "cpu": model, "cores": os.cpu_count(), "load_1min": load[0], "threads": 1,
        "system": platform.platform(),
    }  # fmt: skip


def versions(competitors: list[str]) -> dict[str, str]:
    """Versions of what was measured and what it stands on."""
    ours = {name: version(name) for name in ("v2x", "numpy", "numba")}
    return {"python": platform.python_version(), **ours, **peers.versions(competitors)}


HEAD = (
    "tracker", "GOSPA/√N", "located", "missed", "false", "OSPA(2)", "IDF1", "HOTA", "switches",
    "NEES", "NIS", "plots/CPU-s", "p50 ms", "p99 ms",
)  # fmt: skip
"""Columns of the table, here and on the page; NEES and NIS per axis, 1 is honest."""
ACCURACY = (HEAD[0], *HEAD[1:5], "IDF1", "switches")
SPEED = (HEAD[0], "OSPA(2)", "HOTA", *HEAD[9:])
"""The same in two tables that fit into 80 characters."""


def cells(name: str, row: dict[str, Any]) -> list[str]:
    """One tracker of a summary as the words under `HEAD`."""

    def mean(key: str, digits: int) -> str:
        return f"{row[key]['mean']:.{digits}f}" if row[key] else "-"

    def value(key: str, digits: int) -> str:
        return f"{row[key]:,.{digits}f}" if row[key] is not None else "-"

    def part(key: str) -> str:
        """Over the root of the number of objects, as the whole is."""
        if not row[key] or not row["gospa"]["mean"]:
            return mean(key, 3)
        return f"{row[key]['mean'] * row['gospa_n']['mean'] / row['gospa']['mean']:.3f}"

    whole = mean("gospa_n", 3)
    if row["gospa_n"] and row["gospa_n"]["sd"] is not None:
        whole += f" ± {row['gospa_n']['sd']:.3f}"
    return [
        name, whole, part("gospa_localisation"), part("gospa_missed"),
        part("gospa_false"), mean("ospa2", 2), mean("idf1", 3), mean("hota", 3),
        mean("id_switches", 1), mean("nees", 2), mean("nis", 2), value("plots_per_cpu_s", 0),
        value("p50_ms", 3), value("p99_ms", 3),
    ]  # fmt: skip


def times(ratio: float) -> str:
    """A ratio in words: 0.64, 3.98, 1,928."""
    return f"{ratio:,.0f}" if ratio >= 10.0 else f"{ratio:.2f}"


def show(made: dict[str, Any]) -> None:
    """Print the summary as tables."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    options = made["options"]
    for group in made["summary"]:
        rows = group["trackers"]
        console.print(
            f"[bold]{group['scenario']} {group['size']:,}[/bold], {rows['v2x']['scans']} scans, "
            f"seeds {options['seeds']}, scored from {WARM_UP_S} s"
        )
        for columns in (ACCURACY, SPEED) if options["score"] else (SPEED,):
            table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
            for name in columns:
                left = name == "tracker"
                table.add_column(name, justify="left" if left else "right", no_wrap=True)
            for name, row in rows.items():
                found = dict(zip(HEAD, cells(name, row), strict=True))
                table.add_row(*(found[column] for column in columns))
            console.print(table)
        for name, ratio in group["ratios"].items():
            words = f"throughput {times(ratio['throughput'])} times {name}'s"
            if ratio["gospa"] is not None:
                words += f", GOSPA {ratio['gospa']:.3f} of it (below 1 is better)"
            console.print(words)
    where = made["machine"]
    console.print(f"{where['cpu']}, {where['cores']} cores, load {where['load_1min']:.1f}")
    console.print(", ".join(f"{k} {v}" for k, v in made["versions"].items()))
