"""``v2x bench fusion``: accuracy, latency and throughput of the tracker beside its peers."""

import json
import os
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from v2x.cli.bench.peers import PEERS, load

if TYPE_CHECKING:
    from v2x.cli.bench.runs import Result
    from v2x.fusion import TrackerConfig

MAX_SEED = 999_999
MAX_SIZE = 1_000_000
USUAL_SIZE = 100
FEWEST_SCANS = 33
"""Metrics count from 1 s, the thirtieth scan."""
WITH_PEERS = 60
"""Scans where a peer runs too and none were asked for: peers need seconds for a second."""
POOLS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")


def fusion(
    scenario: Annotated[
        list[str] | None, typer.Option("--scenario", help="Names, [default: nominal].")
    ] = None,
    size: Annotated[
        list[str] | None, typer.Option("--size", help="Objects, [default: as published, else 100].")
    ] = None,
    seeds: Annotated[str, typer.Option("--seeds", help="Comma-separated, or a range: 0-9.")] = "0",
    competitor: Annotated[
        list[str] | None,
        typer.Option(
            "--competitor",
            help=f"{', '.join(PEERS)}, all, installed or none, [default: stonesoup-jpda].",
        ),
    ] = None,
    bound: Annotated[
        bool, typer.Option("--bound", help="Add what perfect association would reach.")
    ] = False,
    config: Annotated[
        list[str] | None, typer.Option("--config", help="Field of TrackerConfig: key=value.")
    ] = None,
    stream: Annotated[
        int, typer.Option("--stream", help="0 for the published draws, 1 to tune on.")
    ] = 0,
    scans: Annotated[
        int | None,
        typer.Option(
            "--scans", help="Scans all run, up to 300; 60 with a competitor, else 10 s of them."
        ),
    ] = None,
    score: Annotated[
        bool, typer.Option("--score/--no-score", help="Judge accuracy, or time alone.")
    ] = True,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    html: Annotated[
        Path | None, typer.Option("--html", help="Write one self-contained page.")
    ] = None,
) -> None:
    """Run seeded scenarios through the tracker and its peers, all on the same scans.

    Options that name several things may be repeated or hold a comma-separated list.
    """
    for pool in POOLS:
        os.environ.setdefault(pool, "1")
    from replay.scenarios.fusion import SCANS
    from replay.scenarios.library import NAMES, PUBLISHED_SIZE, make

    scenarios = _listed(scenario, "nominal")
    for name in scenarios:
        if name not in NAMES:
            raise typer.BadParameter(f"--scenario {name!r}: there are {', '.join(NAMES)}")
    sizes = _sizes(_listed(size, "100")) if size else None
    cases = [(s, n) for s in scenarios for n in sizes or [PUBLISHED_SIZE.get(s, USUAL_SIZE)]]
    competitors = _competitors(_listed(competitor, "stonesoup-jpda"))
    numbers = seed_list(seeds)
    if stream < 0:
        raise typer.BadParameter(f"--stream {stream}: 0 (published) or above (to tune on)")
    window = WITH_PEERS if scans is None and competitors else scans
    if window is not None and not FEWEST_SCANS <= window <= SCANS:
        raise typer.BadParameter(
            f"--scans {window}: from {FEWEST_SCANS} (metrics count from 1 s) to {SCANS}"
        )
    if bound and not score:
        raise typer.BadParameter("--bound: nothing but accuracy to show, and --no-score")
    if html is not None and (html.is_dir() or not html.parent.is_dir()):
        raise typer.BadParameter(f"--html {html}: a file in a folder that is there")
    settings = tracker_config(_listed(config, "") if config else [])
    for name in competitors:
        load(name)
    from v2x.cli.bench.report import report, show
    from v2x.cli.bench.runs import refuse

    for name in scenarios:
        refuse(make(name, 10, scans=3), peers=bool(competitors), bound=bound)

    options = {
        "scenario": scenarios, "size": sizes, "seeds": seeds, "stream": stream, "scans": window,
        "competitor": competitors or ["none"], "bound": bound, "score": score,
        "config": config or [],
    }  # fmt: skip
    warm()
    results = [
        result
        for name, n in cases
        for seed in numbers
        for result in _runs(
            name, n, seed, stream, window, competitors, settings, bound=bound, judged=score
        )
    ]
    made = report(results, options, competitors)
    if json_:
        print(json.dumps(made))
    else:
        show(made)
    if html is not None:
        from v2x.cli.bench.page import page

        written(html, page(made, results))


def _runs(
    name: str,
    size: int,
    seed: int,
    stream: int,
    scans: int | None,
    competitors: list[str],
    config: "TrackerConfig",
    *,
    bound: bool,
    judged: bool,
) -> "list[Result]":
    """Everybody on one draw."""
    from replay.scenarios.library import make
    from v2x.cli.bench import runs
    from v2x.cli.bench.judging import WARM_UP_S

    world = make(name, size, seed, stream, scans)
    if not world.truth_s or world.truth_s[-1] < WARM_UP_S:
        raise typer.BadParameter(f"--scans {scans}: {name} has not reached {WARM_UP_S} s by then")
    made = [runs.ours(world, config, judged=judged)]
    made += [runs.peer(who, world, judged=judged) for who in competitors]
    return made + (runs.bounds(world) if bound else [])


def warm() -> None:
    """Compile or load every kernel, so that no run pays for it."""
    from replay.scenarios.library import make
    from v2x.cli.bench import runs
    from v2x.fusion import TrackerConfig

    for name in ("hard", "air3d"):
        runs.ours(make(name, 10, 0, stream=1, scans=36), TrackerConfig())


def _listed(given: list[str] | None, otherwise: str) -> list[str]:
    """Repeated options and commas, in order, each once."""
    words = [word.strip() for one in given or [otherwise] for word in one.split(",")]
    return list(dict.fromkeys(words))


def _sizes(words: list[str]) -> list[int]:
    for word in words:
        if not word.isdecimal() or not 1 <= int(word) <= MAX_SIZE:
            raise typer.BadParameter(f"--size {word!r}: objects, at least 1, up to {MAX_SIZE}")
    return [int(word) for word in words]


def _competitors(words: list[str]) -> list[str]:
    """Names of peers; ``none`` none, ``all`` all, ``installed`` those that can be run here."""
    if words == ["none"]:
        return []
    if words == ["all"]:
        return list(PEERS)
    if words == ["installed"]:
        from v2x.cli.bench.peers import installed

        return [name for name in PEERS if installed(name)]
    for word in words:
        if word not in PEERS:
            raise typer.BadParameter(
                f"--competitor {word!r}: {', '.join(PEERS)}, or alone: all, installed, none"
            )
    return words


def seed_list(text: str) -> list[int]:
    """Numbers of ``0,3,7-9``, each once; anything else is a `typer.BadParameter`."""
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
    return list(dict.fromkeys(made))


def tracker_config(words: list[str]) -> "TrackerConfig":
    """Tracker settings from ``key=value``, in the type of the default.

    Raises
    ------
    typer.BadParameter
        No such field, not a value of its type, or one the tracker refuses.
    """
    from v2x.errors import ConfigError
    from v2x.fusion import TrackerConfig

    defaults: dict[str, Any] = {f.name: f.default for f in fields(TrackerConfig)}
    values: dict[str, Any] = {}
    for word in words:
        key, sign, text = word.partition("=")
        if key not in defaults or not sign:
            raise typer.BadParameter(f"--config {word!r}: key=value, of {', '.join(defaults)}")
        kind = type(defaults[key])
        try:
            values[key] = {"true": True, "false": False}[text] if kind is bool else kind(text)
        except (KeyError, ValueError):
            raise typer.BadParameter(f"--config {word!r}: {key} is {kind.__name__}") from None
    try:
        return TrackerConfig(**values)
    except ConfigError as e:
        raise typer.BadParameter(f"--config: {e}") from None


def written(path: Path, text: str) -> None:
    """Write a page; a place that cannot be written is a `SourceError`."""
    from v2x.errors import SourceError

    try:
        path.write_text(text, encoding="utf-8")
    except OSError as e:
        raise SourceError(f"{path}: cannot be written: {e.strerror or e}") from e
