"""Runs of ``v2x bench decode``: one poll again and again, its best time, and what came of it.

Process CPU time of a whole poll, from the list of payloads to columns; the garbage collector is
set aside as in a live process. The least time counts: what a host takes away is no property of a
decoder. Every payload must be accepted, and a peer must find as many objects, before either counts.
"""

import platform
import shlex
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from statistics import median
from typing import Any

import numpy as np

from v2x.cli.bench import charts
from v2x.cli.bench.markup import Markup, node
from v2x.cli.bench.measuring import quiet_heap
from v2x.cli.bench.page import STYLE
from v2x.cli.bench.report import machine, times
from v2x.cli.bench.wires import LAG_NS, T_NS, Wire
from v2x.errors import V2XError
from v2x.frames import FrameBatch
from v2x.ingest.decoded import ACCEPTED, Decoded, Reject
from v2x.ingest.formats import format_named
from v2x.sensors import Sensor, SensorTable

METHOD = {
    "measured": "process CPU time of one poll, list of payloads to columns, least of all repeats",
    "checked": "every payload accepted; peers find as many objects in the same payloads",
    "threads": "1",
    "gc": "collected and frozen before each run",
}


def measure(wire: Wire, frames: int, seed: int, seconds: float, *, peer: bool) -> dict[str, Any]:
    """What one wire costs, and its peer where there is one.

    Raises
    ------
    V2XError
        A payload was refused, or a peer found another number of objects.
    """
    rng = np.random.default_rng([seed, *wire.name.encode()])
    payloads = wire.make(rng, frames)
    ours = _decoder(wire, payloads)
    made = ours()
    refused = ~np.isin(made.rejects, ACCEPTED)
    if refused.any():
        code = Reject(int(made.rejects[refused][0])).name.lower()
        raise V2XError(f"{wire.name}: {int(refused.sum())} payloads refused, the first: {code}")
    objects = len(made.observations)
    best, middle = _best(ours, seconds)
    row: dict[str, Any] = {
        "wire": wire.name, "format": wire.format, "frames": frames, "objects": objects,
        "readings": len(made.readings), "bytes": sum(map(len, payloads)), "unit": wire.unit,
        "floor": wire.floor, "us_per_poll": best * 1e6, "us_per_poll_median": middle * 1e6,
        "frames_per_s": frames / best, "objects_per_s": objects / best, "peer": None,
    }  # fmt: skip
    row["holds"] = row[f"{wire.unit}_per_s"] >= wire.floor if wire.floor else None
    if peer and wire.peer is not None:
        row["peer"] = _peer(wire, payloads, row, seconds)
    return row


def _decoder(wire: Wire, payloads: list[bytes]) -> Callable[[], Decoded]:
    """Function that decodes the poll once."""
    decoder = format_named(wire.format)
    table = SensorTable.of([Sensor("bench", wire.format, **wire.sensor)])
    n = len(payloads)
    sensor = np.zeros(n, np.int32)
    recv = T_NS + LAG_NS + np.arange(n) * wire.step_ns
    state = decoder.new_state()

    def once() -> Decoded:
        held = decoder.new_state() if wire.fresh else state
        return decoder.decode(FrameBatch.of(wire.format, payloads, sensor, recv), table, held)

    return once


def _peer(wire: Wire, payloads: list[bytes], row: dict[str, Any], seconds: float) -> dict[str, Any]:
    """What the peer costs; why it did not run, where it cannot."""
    assert wire.peer is not None
    made: dict[str, Any] = {"name": wire.peer.name, "version": _version(wire.peer.distribution)}
    try:
        read = wire.peer.load()
    except (ImportError, OSError) as e:
        return {**made, "missing": str(e)}
    found = read(payloads)
    if found not in (row["objects"], row["frames"]):
        raise V2XError(
            f"{wire.name}: {wire.peer.name} found {found} objects in {row['frames']} frames, "
            f"v2x {row['objects']}"
        )
    best, _ = _best(lambda: read(payloads), seconds)
    made["us_per_poll"] = best * 1e6
    made["frames_per_s"], made["objects_per_s"] = row["frames"] / best, row["objects"] / best
    made["ratio"] = best * 1e6 / row["us_per_poll"]
    return made


def _version(distribution: str) -> str | None:
    try:
        return version(distribution) if distribution else None
    except PackageNotFoundError:
        return None


def _best(once: Callable[[], object], seconds: float) -> tuple[float, float]:
    """Least and median CPU seconds of one call, over `seconds` of calls and three at least."""
    spent: list[float] = []
    with quiet_heap():
        until = time.perf_counter() + seconds
        while len(spent) < 3 or time.perf_counter() < until:
            begin = time.process_time_ns()
            once()
            spent.append((time.process_time_ns() - begin) / 1e9)
    return max(min(spent), 1e-9), max(median(spent), 1e-9)


def report(rows: list[dict[str, Any]], options: dict[str, Any]) -> dict[str, Any]:
    """Everything measured, with machine, versions and the command that measures it again."""
    words = ["v2x", "bench", "decode"]
    if options["format"]:
        words += ["--format", ",".join(options["format"])]
    for name in ("frames", "seed", "seconds"):
        words += [f"--{name}", str(options[name])]
    words += [] if options["peer"] else ["--no-peer"]
    peers = {row["peer"]["name"]: row["peer"]["version"] for row in rows if row["peer"]}
    return {
        "command": shlex.join(words),
        "machine": machine(),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("v2x", "numpy", "numba")},
            **{name: known for name, known in peers.items() if known},
        },
        "method": METHOD,
        "options": options,
        "results": rows,
    }


HEAD = ("wire", "frames/s", "objects/s", "floor", "held", "beside", "there", "times")


def cells(row: dict[str, Any]) -> list[str]:
    """One row as the words under `HEAD`."""
    other = row["peer"]
    ran = other is not None and "ratio" in other
    return [
        row["wire"], charts.short(row["frames_per_s"]), charts.short(row["objects_per_s"]),
        charts.short(row["floor"]) + (" obj" if row["unit"] == "objects" else "")
        if row["floor"]
        else "-",
        {True: "yes", False: "no", None: "-"}[row["holds"]],
        "-" if other is None else other["name"] if ran else f"{other['name']} (not here)",
        charts.short(other["frames_per_s"]) if ran else "-",
        times(other["ratio"]) if ran else "-",
    ]  # fmt: skip


def show(made: dict[str, Any]) -> None:
    """Print the results as a table."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name in HEAD:
        left = name in ("wire", "beside")
        table.add_column(name, justify="left" if left else "right", no_wrap=True)
    for row in made["results"]:
        table.add_row(*cells(row))
    console.print(table)
    where = made["machine"]
    console.print(f"{where['cpu']}, {where['cores']} cores, load {where['load_1min']:.1f}")
    console.print(", ".join(f"{k} {v}" for k, v in made["versions"].items()))


def page(made: dict[str, Any]) -> str:
    """The same as one HTML page with a chart."""
    bars = []
    for row in made["results"]:
        bars.append((row["wire"], "k0", row["frames_per_s"], f"{row['frames_per_s']:,.0f}"))
        if row["peer"] and "ratio" in row["peer"]:
            rate = row["peer"]["frames_per_s"]
            bars.append((row["peer"]["name"], "k1", rate, f"{rate:,.0f}"))
    where = made["machine"]
    facts = {
        "machine": f"{where['cpu']}, {where['cores']} cores, load {where['load_1min']:.1f} at the "
        f"end; {where['system']}",
        "versions": ", ".join(f"{k} {v}" for k, v in made["versions"].items()),
        **made["method"],
    }
    colours = Markup(".k0 { fill: var(--c0); } .k1 { fill: var(--c1); }")
    head = node(
        "head",
        node("meta", charset="utf-8"),
        node("meta", name="viewport", content="width=device-width, initial-scale=1"),
        node("title", "v2x bench decode"),
        node("style", STYLE, colours),
    )
    body = [node("tr", [node("td", word) for word in cells(row)]) for row in made["results"]]
    table = node(
        "table", node("thead", node("tr", [node("th", word) for word in HEAD])),
        node("tbody", body),
    )  # fmt: skip
    whole = node(
        "body",
        node("h1", "Wire formats: v2x beside other decoders"),
        node("p", "One core, from a poll's list of payloads to columns; all read the same bytes."),
        node("pre", node("code", made["command"])),
        node("div", table, class_="wide"),
        node("figure", node("figcaption", "Frames per core-second"),
             charts.bars("Frames per core-second", bars, "frames per CPU second")),
        node("dl", [(node("dt", key), node("dd", value)) for key, value in facts.items()]),
    )  # fmt: skip
    return f"<!DOCTYPE html>\n{node('html', head, whole, lang='en')}\n"
