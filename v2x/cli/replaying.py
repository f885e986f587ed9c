"""``v2x replay``: a drive through the whole pipeline."""

from pathlib import Path
from typing import Annotated, Any

import typer


def replay(
    drive: Annotated[Path, typer.Argument(help="MCAP file.")],
    config: Annotated[
        Path | None, typer.Option(help="Configuration; default: the one the drive carries.")
    ] = None,
    rate: Annotated[str, typer.Option(help="max, or how many times real time.")] = "max",
    out: Annotated[
        Path | None, typer.Option(help="Folder for alerts.jsonl, tracks.csv, summary.json.")
    ] = None,
    poll_frames: Annotated[
        int | None, typer.Option(help="Frames per poll; changes nothing in the output.", min=1)
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Play a drive and print what came of it. Same drive, same configuration: same bytes."""
    import json

    from replay.player import Headlines, configuration, play
    from v2x.cli.warm import ready

    ready(quiet=json_)
    with configuration(drive, config) as settings:
        told = play(
            drive,
            settings,
            rate=speed(rate),
            out=out,
            poll_frames=poll_frames,
            on_alert=None if json_ else Headlines(print),
        )
    if json_:
        print(json.dumps(told, ensure_ascii=False))
    else:
        show(told)


def speed(text: str) -> float | None:
    """Speed factor of ``--rate``; None for max."""
    if text == "max":
        return None
    try:
        value = float(text.removesuffix("x"))
    except ValueError:
        value = 0.0
    if not 0.0 < value < 1e6:
        raise typer.BadParameter(f"--rate {text}: wanted max, or a factor such as 1 or 20")
    return value


def show(told: dict[str, Any]) -> None:
    """Print a summary for people."""
    import sys

    from rich.console import Console
    from rich.table import Table

    console = Console(width=None if sys.stdout.isatty() else 140)
    frames = told["frames"]
    console.print(
        f"frames: {frames['in']} in = {frames['processed']} processed + "
        f"{frames['dead_letter']} dead letter + {frames['late']} late + "
        f"{frames['duplicate']} duplicate"
    )
    for form, reasons in told["rejects"].items():
        console.print(f"rejected {form}: " + ", ".join(f"{n} {r}" for r, n in reasons.items()))
    if "alerts" in told:
        table = Table(title=f"{len(told['alerts']['list'])} alerts")
        for name in ("onset", "severity", "type", "zone", "subject", "condition"):
            table.add_column(name, overflow="fold")
        for alert in sorted(told["alerts"]["list"], key=lambda a: (a["onset"], a["type"])):
            subject = alert.get("subject", {})
            table.add_row(
                alert["onset"],
                str(alert["severity"]),
                alert["type"],
                alert.get("zone", ""),
                str(
                    subject.get("claimed_identity")
                    or subject.get("device")
                    or subject.get("track", "")
                ),
                alert["condition"],
            )
        console.print(table)
    console.print(
        f"{told['tracks']} tracks, {told['slices']} slices, slice p50 {told['slice_ms']['p50']} ms "
        f"p99 {told['slice_ms']['p99']} ms, {told['objects_per_core_s']} objects per core-second"
    )
    for name, digest in told.get("digest", {}).items():
        console.print(f"digest {name} {digest}")
