"""``v2x track``: the fusion core alone, from plots in a file to tracks in a file."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from v2x.cli.tables import TrackWriter
    from v2x.fusion import Tracker
    from v2x.plots import Plots
    from v2x.sensors import SensorTable

STEP_NS = 100_000_000
"""Output instants are the multiples of 0.1 s."""


def track(
    plots: Annotated[Path, typer.Argument(help="PLOTS.csv", metavar="PLOTS.csv")],
    sensors: Annotated[Path, typer.Option("--sensors", help="TOML with [[sensors]].")],
    out: Annotated[Path, typer.Option("--out", help="TRACKS.csv to write.")],
    json_: Annotated[bool, typer.Option("--json", help="Print a summary as JSON.")] = False,
) -> None:
    """Fuse the plots of a CSV file into tracks, once each 0.1 s."""
    from v2x.cli.tables import TrackWriter, read_plots, read_sensors
    from v2x.fusion import Tracker

    table = read_sensors(sensors)
    file = read_plots(plots, table)
    if not json_:
        _warn_of_units(file.plots, table)
    tracker = Tracker(table)
    writer = TrackWriter(file.idents, file.has_up)
    instants = run(tracker, file.plots, writer)
    writer.write(out)
    tally = tracker.tally
    summary = {
        "plots": len(file.plots),
        "scans": len(file.plots.scans),
        "instants": instants,
        "rows": len(writer.lines) - 1,
        "tracks": len(writer.ids),
        "duplicates": tally.duplicates,
        "unusable": tally.unusable,
        "out": str(out),
    }
    if json_:
        print(json.dumps(summary))
        return
    print(
        f"{summary['plots']} plots in {summary['scans']} scans -> {summary['tracks']} tracks, "
        f"{summary['rows']} rows at {instants} instants in {out}"
    )
    if tally.duplicates or tally.unusable:
        print(f"dropped: {tally.duplicates} copies, {tally.unusable} unusable")


def run(tracker: "Tracker", plots: "Plots", writer: "TrackWriter") -> int:
    """Step from the first look to 0.1 s after the last; how many instants.

    Without a look no track comes back once none is reported: the instants up to the next look
    have no rows, and are left out.
    """
    import numpy as np

    from v2x.plots import Plots, Scans

    scans = plots.scans
    if not len(scans):
        return 0
    first = -(-int(scans.t_ns[0]) // STEP_NS)
    last = (int(scans.t_ns[-1]) + STEP_NS) // STEP_NS
    done, k = 0, first
    while k <= last:
        t_ns = k * STEP_NS
        upto = int(np.searchsorted(scans.t_ns, t_ns, side="right"))
        part = scans.take(slice(done, upto))
        filled = part.end > part.first
        lo = int(part.first[filled][0]) if filled.any() else 0
        hi = int(part.end[filled][-1]) if filled.any() else 0
        shift = np.where(filled, lo, 0).astype(np.int32)
        moved = Scans(part.sensor, part.t_ns, part.first - shift, part.end - shift)
        sights = None if plots.sights is None else plots.sights.take(slice(lo, hi))
        tracks = tracker.step(Plots(plots.rows.take(slice(lo, hi)), moved, sights), t_ns)
        writer.add(tracks, t_ns)
        done, k = upto, k + 1
        if not len(tracks):
            if done == len(scans):
                break
            k = max(k, -(-int(scans.t_ns[done]) // STEP_NS))
    return last - first + 1


def _warn_of_units(plots: "Plots", sensors: "SensorTable") -> None:
    """Say what each sensor's clutter density means, and when it cannot be meant.

    Per scan instead of per m² is the most likely mistake in a sensor file.
    """
    import numpy as np

    if not len(plots):
        return
    lines = np.isnan(plots.rows.z[:, 0])
    z = plots.rows.z[~lines]
    size, unit = 0.0, "m²"
    if len(z):
        extent = np.ptp(z[:, :2], axis=0)
        size = float(extent[0] * extent[1])
        if not np.isnan(z[:, 2]).any():
            size, unit = size * max(1.0, float(np.ptp(z[:, 2]))), "m³"
    seen = set(plots.rows.sensor[lines].tolist())
    for k, s in enumerate(sensors.sensors):
        if np.isnan(s.clutter_density):
            continue
        over, of = (2.0 * np.pi, "sr") if k in seen else (size, unit)
        false = s.clutter_density * over
        line = f"{s.name}: {false:.3g} false plots per scan expected over {over:.3g} {of}"
        if s.clutter_density > 0.0 and over > 0.0 and not 0.01 <= false <= 10_000.0:
            line += f"; warning: is clutter_density per {of}?"
        print(line, file=sys.stderr)
