"""``v2x bench decode``: how many frames a core-second of each wire format becomes columns."""

import json
import os
from pathlib import Path
from typing import Annotated

import typer

MOST_FRAMES = 100_000


def decode(
    format: Annotated[
        list[str] | None,
        typer.Option("--format", help="Formats or wires, [default: all there are]."),
    ] = None,
    frames: Annotated[int, typer.Option("--frames", help="Payloads of a poll.")] = 500,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the payloads.")] = 0,
    seconds: Annotated[
        float, typer.Option("--seconds", help="Time given to each decoder; the best poll counts.")
    ] = 1.0,
    peer: Annotated[
        bool, typer.Option("--peer/--no-peer", help="Run the other decoders too.")
    ] = True,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    html: Annotated[
        Path | None, typer.Option("--html", help="Write one self-contained page.")
    ] = None,
) -> None:
    """Decode a poll of seeded payloads to columns, beside the fastest library of the format.

    One process, one core, from a list of payloads to the columns of Observations and Readings.
    Options that name several things may be repeated or hold a comma-separated list.
    """
    for pool in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(pool, "1")
    from v2x.cli.bench.decoding import measure, page, report, show
    from v2x.cli.bench.fusion import written
    from v2x.cli.bench.wires import wires

    known = wires()
    words = [word.strip() for one in format or [] for word in one.split(",")]
    formats = {wire.format for wire in known.values()}
    for word in words:
        if word not in known and word not in formats:
            raise typer.BadParameter(
                f"--format {word!r}: formats {', '.join(sorted(formats))}; wires {', '.join(known)}"
            )
    if not 1 <= frames <= MOST_FRAMES:
        raise typer.BadParameter(f"--frames {frames}: from 1 to {MOST_FRAMES}")
    if seed < 0:
        raise typer.BadParameter(f"--seed {seed}: 0 or above")
    if not 0.0 <= seconds <= 600.0:
        raise typer.BadParameter(f"--seconds {seconds}: from 0 to 600")
    if html is not None and (html.is_dir() or not html.parent.is_dir()):
        raise typer.BadParameter(f"--html {html}: a file in a folder that is there")
    chosen = [
        wire for name, wire in known.items() if not words or name in words or wire.format in words
    ]
    options = {"format": words, "frames": frames, "seed": seed, "seconds": seconds, "peer": peer}
    made = report([measure(wire, frames, seed, seconds, peer=peer) for wire in chosen], options)
    if json_:
        print(json.dumps(made))
    else:
        show(made)
    if html is not None:
        written(html, page(made))
