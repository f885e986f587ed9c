"""``v2x drive``: what a recording holds, and recordings from files of others."""

from pathlib import Path
from typing import Annotated

import typer

_DAY_MS = 86_400_000.0


def info(
    drive: Annotated[Path, typer.Argument(help="MCAP file.")],
    json_: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
) -> None:
    """Tell what a drive holds: time span, sensors, formats, attached files."""
    import json

    from v2x.ingest.drive import describe
    from v2x.ingest.timestamps import iso

    told = describe(drive)
    for name in ("start_ns", "end_ns"):
        told[name.replace("_ns", "")] = None if told[name] is None else iso(told[name])
    if json_:
        print(json.dumps(told, ensure_ascii=False))
        return
    import sys

    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{drive}: {told['frames']} frames, {told['start']} to {told['end']}")
    for name in ("sensor", "format", "frames", "first", "last"):
        table.add_column(name, justify="right" if name == "frames" else "left")
    for row in told["channels"]:
        table.add_row(
            row["sensor"],
            row["format"],
            str(row["frames"]),
            iso(row["first_ns"]),
            iso(row["last_ns"]),
        )
    console = Console(width=None if sys.stdout.isatty() else 120)
    console.print(table)
    for name, size in told["attachments"].items():
        console.print(f"attached: {name} ({size} bytes)")


def import_(
    source: Annotated[Path, typer.Argument(help="File of frames: hex, nmea, csv, json, pcap.")],
    format: Annotated[str, typer.Option(help="Wire format of the frames.")],
    sensor: Annotated[str, typer.Option(help="Name the frames get as their sensor.")],
    out: Annotated[Path, typer.Option(help="Drive to write.")],
    start: Annotated[
        str, typer.Option(help="Arrival of the first frame where the input has no time.")
    ] = "2026-01-01T00:00:00Z",
    interval_ms: Annotated[
        float, typer.Option(help="Time between frames where the input has no time.")
    ] = 100.0,
    json_: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
) -> None:
    """Import frames as a drive that carries a configuration of its own.

    The arrival is the input's own time where it has one, else start + i x interval.
    """
    import json
    from dataclasses import asdict

    from replay.importing import END_NS, import_drive
    from v2x.ingest.timestamps import parse_iso

    try:
        start_ns = parse_iso(start)
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"--start {start}: not an ISO 8601 time") from None
    if not 0 <= start_ns < END_NS:
        raise typer.BadParameter(f"--start {start}: wanted a time from 1970 to 2099")
    if not 0 <= interval_ms <= _DAY_MS:
        raise typer.BadParameter(f"--interval-ms {interval_ms}: wanted 0 to {_DAY_MS:.0f}, a day")
    made = import_drive(source, format, sensor, out, start_ns, round(interval_ms * 1e6))
    if json_:
        print(json.dumps({"drive": str(out), **asdict(made)}))
    else:
        print(
            f"{out}: {made.frames} frames of {format} ({made.own_time} with a time of their own), "
            f"origin {made.lat:.6f} {made.lon:.6f}"
        )
