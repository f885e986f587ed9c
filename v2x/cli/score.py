"""``v2x score``: how far tracks in a file are from the truth in a file."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from v2x.cli.tables import Instants
    from v2x.columns import I8
    from v2x.scoring import Frames, Score

NEAR_NS = 1_500_000
MAX_S = 4.6e9
"""Times of the files are smaller."""
CARRY_NS = 150_000_000
"""Tracks within 1.5 ms hold at a truth instant; else the last ones within 0.15 s move on."""


def score(
    tracks: Annotated[Path, typer.Argument(help="TRACKS.csv", metavar="TRACKS.csv")],
    truth: Annotated[Path, typer.Argument(help="TRUTH.csv", metavar="TRUTH.csv")],
    c: Annotated[float, typer.Option("--c", help="Cut-off distance in metres.")] = 5.0,
    p: Annotated[float, typer.Option("--p", help="Order of GOSPA and OSPA(2).")] = 2.0,
    from_: Annotated[
        float | None, typer.Option("--from", help="Leave out instants before this t_s.")
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Score tracks against the truth: GOSPA and its parts, OSPA(2), CLEAR MOT, IDF1, HOTA."""
    from v2x.cli.tables import clean, read_tracks, read_truth

    _refuse_options(c, p, from_)
    made = compare(read_tracks(tracks), read_truth(truth), c, p, from_).as_dict()
    if json_:
        print(json.dumps({key: clean(value) for key, value in made.items()}))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("metric", "value")
    for key, value in made.items():
        table.add_row(key, str(value) if isinstance(value, int) else f"{value:.4f}")
    Console().print(table)


def _refuse_options(c: float, p: float, from_s: float | None) -> None:
    from math import isfinite, log10

    if not (isfinite(c) and c > 0.0):
        raise typer.BadParameter(f"--c {c}: a distance in metres above 0")
    if not (isfinite(p) and p >= 1.0):
        raise typer.BadParameter(f"--p {p}: an order of 1 or more")
    if abs(p * log10(c)) > 100.0:
        raise typer.BadParameter(f"--p {p}: --c {c} to this power leaves the range of numbers")
    if from_s is not None and not abs(from_s) < MAX_S:
        raise typer.BadParameter(f"--from {from_s}: a time in seconds")


def compare(
    tracks: "Instants", truth: "Instants", c: float, p: float, from_s: float | None = None
) -> "Score":
    """Line tracks up with the instants of the truth, and score them."""
    from v2x.scoring import score

    _, objects, made = aligned(tracks, truth, from_s)
    return score(objects, made, c, p)


def aligned(
    tracks: "Instants", truth: "Instants", from_s: float | None = None
) -> tuple["I8", "Frames", "Frames"]:
    """Bring tracks to the instants of the truth.

    Returns
    -------
    t_ns, truth, tracks
        (instants,) i8 times of the truth, from `from_s` on; what is there, and the tracks then: in
        three dimensions if both have heights.
    """
    import numpy as np

    from v2x.scoring import Frames

    dim = 3 if tracks.has_up and truth.has_up else 2
    start = -(2**63) if from_s is None else round(from_s * 1e9)
    parts: list[tuple[list[np.ndarray], list[np.ndarray]]] = [([], []), ([], [])]
    judged = np.flatnonzero(truth.t_ns >= start)
    for k in judged.tolist():
        t = int(truth.t_ns[k])
        rows = slice(int(truth.first[k]), int(truth.first[k + 1]))
        parts[0][0].append(truth.id[rows])
        parts[0][1].append(truth.position[rows, :dim])
        q = int(np.searchsorted(tracks.t_ns, t + NEAR_NS, side="right")) - 1
        before = q >= 1 and tracks.t_ns[q] > t
        if before and t - tracks.t_ns[q - 1] < tracks.t_ns[q] - t:
            q -= 1
        age = t - int(tracks.t_ns[q]) if q >= 0 else CARRY_NS + 1
        here = slice(0)
        if age <= CARRY_NS:
            here = slice(int(tracks.first[q]), int(tracks.first[q + 1]))
        moved = age * 1e-9 if age > NEAR_NS else 0.0
        parts[1][0].append(tracks.id[here])
        parts[1][1].append(tracks.position[here, :dim] + moved * tracks.velocity[here, :dim])
    return truth.t_ns[judged], Frames.of(*parts[0]), Frames.of(*parts[1])
