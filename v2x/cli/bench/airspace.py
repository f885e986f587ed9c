"""``v2x bench airspace``: generated incursions, innocents and false claims, judged by truth."""

import json
import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from v2x.cli.bench.airspace_scores import Scores

MOST_FLIGHTS = 100_000


def airspace(
    suite: Annotated[
        list[str] | None,
        typer.Option("--suite", help="incursions, innocents, claims, [default: all]."),
    ] = None,
    family: Annotated[
        list[str] | None, typer.Option("--family", help="Families of flights, [default: all].")
    ] = None,
    flights: Annotated[int, typer.Option("--flights", help="Flights of each suite and seed.")] = 49,
    seeds: Annotated[str, typer.Option("--seeds", help="Comma-separated, or a range: 0-9.")] = "0",
    check: Annotated[bool, typer.Option("--check", help="Exit 1 if a bar is not reached.")] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Fly seeded flights through the whole pipeline and hold what it says against the truth.

    Frames of radars, Remote ID and ADS-B receivers go in, alerts come out. 49 flights in cells
    5 km apart make one field of two minutes. Options that name several things may be repeated or
    hold a comma-separated list.
    """
    for pool in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(pool, "1")
    from replay.scenarios.flights.field import SUITES, fields
    from v2x.cli.bench.airspace_scores import Scores, run
    from v2x.cli.bench.fusion import seed_list

    suites = _words(suite) or list(SUITES)
    for name in suites:
        if name not in SUITES:
            raise typer.BadParameter(f"--suite {name!r}: there are {', '.join(SUITES)}")
    families = _words(family)
    known = {name for one in suites for name in SUITES[one]}
    for name in families:
        if name not in known:
            raise typer.BadParameter(f"--family {name!r}: there are {', '.join(sorted(known))}")
    if not 1 <= flights <= MOST_FLIGHTS:
        raise typer.BadParameter(f"--flights {flights}: from 1 to {MOST_FLIGHTS}")
    numbers = seed_list(seeds)
    scores = Scores()
    for name in suites:
        mine = [one for one in SUITES[name] if one in families]
        if families and not mine:
            continue
        for seed in numbers:
            for field in fields(name, seed, flights, mine):
                run(name, seed, field, mine, scores)
    options = {"suite": suites, "family": families, "flights": flights, "seeds": seeds}
    made = report(scores, options)
    if json_:
        print(json.dumps(made))
    else:
        show(made)
    if check and not all(bar["ok"] for bar in made["bars"]):
        raise typer.Exit(1)


def report(scores: "Scores", options: dict[str, Any]) -> dict[str, Any]:
    """Everything counted, with machine, versions and the command that counts it again."""
    from v2x.cli.bench.airspace_scores import as_dict, bars
    from v2x.cli.bench.report import machine, versions

    return {
        "command": command(options),
        "machine": machine(),
        "versions": versions([]),
        "options": options,
        "bars": [vars(bar) for bar in bars(scores)],
        "families": {
            suite: {name: as_dict(tally) for name, tally in families.items()}
            for suite, families in scores.families.items()
        },
        "strays": scores.strays,
        "fields": scores.fields,
        "frames": scores.frames,
        "event_s": scores.flown_s,
        "cpu_s": round(scores.cpu_s, 2),
    }


def command(options: dict[str, Any]) -> str:
    """Command line with its defaults written out."""
    words = ["v2x bench airspace", f"--suite {','.join(options['suite'])}"]
    if options["family"]:
        words.append(f"--family {','.join(options['family'])}")
    return " ".join([*words, f"--flights {options['flights']}", f"--seeds {options['seeds']}"])


def show(made: dict[str, Any]) -> None:
    """Print tables of families and of bars, then what missed them by name."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    console.print(made["command"])
    for suite, families in made["families"].items():
        table = Table(title=suite)
        columns = COLUMNS[suite]
        table.add_column("family")
        for title, _ in columns:
            table.add_column(title, justify="right")
        for name, row in families.items():
            table.add_row(name, *(_cell(row, key) for _, key in columns))
        console.print(table)
    table = Table(title="bars")
    for title in ("bar", "reached", "limit", "of", ""):
        table.add_column(title, justify="left" if title == "bar" else "right")
    for bar in made["bars"]:
        table.add_row(
            bar["name"], f"{bar['value']:.4g}", f"{bar['limit']:g}", str(bar["of"]),
            "yes" if bar["ok"] else "NO",
        )  # fmt: skip
    console.print(table)
    for line in lines(made):
        console.print(line, markup=False)
    console.print(
        f"{made['fields']} fields, {made['event_s']:.0f} s of event time, {made['frames']} frames,"
        f" {made['cpu_s']:.0f} s of CPU in the pipeline"
    )


def lines(made: dict[str, Any]) -> list[str]:
    """Flights that missed a bar, one line each."""
    found = []
    for suite, families in made["families"].items():
        for row in families.values():
            found += [f"missed: {name}" for name in row["missed"]]
            found += [f"no warning before the breach: {name}" for name in row["unwarned"]]
            found += [f"false: {text}" for text in (row["false"] if suite == "innocents" else ())]
            found += [f"wrong: {text}" for text in row["wrong"]]
            found += [f"not found: {name}" for name in row["undetected"]]
            found += [f"false alarm: {text}" for text in row["spoof_alarms"]]
    return found + [f"of nobody: {text}" for text in made["strays"]]


COLUMNS = {
    "incursions": (
        ("flights", "flights"), ("due", "due"), ("missed", "missed"),
        ("foreseeable", "foreseeable"), ("not warned", "unwarned"), ("warned, s before", "ahead_s"),
        ("else, s after", "delay_s"), ("error 10 s before, s", "error_s"),
        ("other zones", "false"), ("spoof found, s", "detected_s"),
    ),
    "innocents": (
        ("flights", "flights"), ("false 1 and 2", "false"), ("spoof alarms", "spoof_alarms"),
        ("honest, s", "honest_s"),
    ),
    "claims": (
        ("flights", "flights"), ("dark after, s", "dark_s"), ("named after, s", "revised_s"),
        ("wrong", "wrong"), ("found after, s", "detected_s"), ("not found", "undetected"),
        ("false alarms", "spoof_alarms"),
    ),
}  # fmt: skip
"""Columns of the printed tables: title and member of the tally."""


def _cell(row: dict[str, Any], key: str) -> str:
    value = row[key]
    if value is None:
        return "-"
    if isinstance(value, dict):
        return f"{value['median']:.2f} ({value['p90']:.2f})"
    return str(len(value)) if isinstance(value, list) else f"{value:.0f}"


def _words(given: list[str] | None) -> list[str]:
    return [word.strip() for one in given or [] for word in one.split(",")]
