"""Play a drive through the pipeline, at any speed, with the same bytes out."""

import csv
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TextIO

import numpy as np

from v2x.alert import Alert
from v2x.app import Pipeline, steal_s, summary
from v2x.config import Config, load_config
from v2x.errors import ConfigError, SourceError
from v2x.frames import Poll
from v2x.ingest.drive import DriveSource, attachments
from v2x.ingest.timestamps import SECOND, iso
from v2x.observations import Kind
from v2x.picture import Picture
from v2x.tracks import Status

CONFIG_NAME = "v2x.toml"
INSTANT_NS = 100_000_000
"""Tables of tracks hold the state at each tenth of a second."""


@contextmanager
def configuration(drive: Path, config: Path | None) -> Iterator[Config]:
    """Configuration of a replay: the file given, else the one that the drive carries."""
    if config is not None:
        yield load_config(config)
        return
    files = attachments(drive)
    if CONFIG_NAME not in files:
        raise ConfigError(f"{drive}: carries no configuration; give one with --config")
    with tempfile.TemporaryDirectory(prefix="v2x-") as folder:
        for name, data in files.items():
            if name in ("", ".", "..") or "/" in name or "\0" in name:
                raise ConfigError(f"{drive}: attachment {name!r}: not the plain name of a file")
            (Path(folder) / name).write_bytes(data)
        yield load_config(Path(folder) / CONFIG_NAME)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Tell which file it was that could not be written."""
    try:
        yield
    except OSError as e:
        raise SourceError(f"{path}: cannot be written: {e.strerror or e}") from e


class TrackTable:
    """Writes ``tracks.csv``: the states at each tenth of a second."""

    HEADER = (
        "t_s,track,east_m,north_m,up_m,ve,vn,vu,exist,kind,ident,status,"
        "var_e,var_n,var_u,cov_en,cov_eu,cov_nu,lat,lon,hae_m"
    )

    def __init__(self, stream: TextIO) -> None:
        self._writer = csv.writer(stream, lineterminator="\n")
        self._writer.writerow(self.HEADER.split(","))

    def __call__(self, picture: Picture) -> None:
        """Write the rows of one picture, if its time is an instant of the table."""
        if picture.t_ns % INSTANT_NS:
            return
        tracks, seconds = picture.tracks, picture.t_ns / SECOND
        for i in np.argsort(tracks.id, kind="stable").tolist():
            x, P = tracks.x[i], tracks.P[i]
            measured_up = P[2, 2] < 1e4
            row: list[object] = [f"{seconds:.3f}", str(int(tracks.id[i]))]
            row += [f"{v:.4f}" for v in x[:2]] + [f"{x[2]:.4f}" if measured_up else ""]
            row += [f"{v:.4f}" for v in x[3:5]] + [f"{x[5]:.4f}" if measured_up else ""]
            row += [f"{tracks.exist[i]:.4f}", Kind(int(tracks.kind[i])).name.lower()]
            ident = int(tracks.ident[i])
            row += ["" if ident == -1 else picture.idents.get(ident, f"#{ident}")]
            row += [Status(int(tracks.status[i])).name.lower()]
            row += [f"{P[a, a]:.4f}" for a in (0, 1)] + [f"{P[2, 2]:.4f}" if measured_up else ""]
            row += [f"{P[0, 1]:.4f}"]
            row += [f"{P[a, 2]:.4f}" if measured_up else "" for a in (0, 1)]
            lat, lon = picture.geodetic[i]
            hae = picture.heights.hae[i]
            row += [f"{lat:.9f}", f"{lon:.9f}", f"{hae:.3f}" if np.isfinite(hae) else ""]
            self._writer.writerow(row)


def play(
    drive: Path,
    config: Config,
    *,
    rate: float | None = None,
    out: Path | None = None,
    poll_frames: int | None = None,
    on_alert: Callable[[Alert], None] | None = None,
    on_poll: Callable[[Poll], None] | None = None,
) -> dict[str, Any]:
    """Play `drive` and return the summary of the run.

    Parameters
    ----------
    rate
        Speed over real time; None as fast as it goes. The output does not depend on it.
    out
        Folder for ``alerts.jsonl``, ``tracks.csv`` and ``summary.json``; nothing is written
        without it.
    poll_frames
        Frames per poll. The output does not depend on it.
    on_alert, on_poll
        Called for each new revision, and for each poll before it is decoded.
    """
    size = poll_frames or (500 if rate is None else 20)
    source = DriveSource(drive, size)
    pipeline = Pipeline(config, replay=True)
    stolen, cpu = steal_s(), 0.0
    began: tuple[int, float] | None = None
    lines: BinaryIO | None = None

    def publish(alerts: list[Alert]) -> None:
        for alert in alerts:
            if lines is not None:
                lines.write(alert.canonical() + b"\n")
            if on_alert is not None:
                on_alert(alert)

    with ExitStack() as files:
        if out is not None:
            with _writing(out):
                out.mkdir(parents=True, exist_ok=True)
            with _writing(out / "tracks.csv"):
                table = files.enter_context(
                    (out / "tracks.csv").open("w", encoding="utf-8", newline="")
                )
            with _writing(out / "alerts.jsonl"):
                lines = files.enter_context((out / "alerts.jsonl").open("wb"))
            pipeline.watch = TrackTable(table)
        for poll in source:
            if rate is not None and poll.frames:
                began = began or (poll.frames[0].recv_ns, time.monotonic())
                due = began[1] + (poll.frames[0].recv_ns - began[0]) / SECOND / rate
                time.sleep(max(0.0, due - time.monotonic()))
            if on_poll is not None:
                on_poll(poll)
            start = time.process_time()
            alerts = pipeline.feed(poll)
            cpu += time.process_time() - start
            publish(alerts)
        start = time.process_time()
        alerts = pipeline.finish()
        cpu += time.process_time() - start
        publish(alerts)
    told = summary(pipeline, cpu, steal_s() - stolen)
    told = {"drive": drive.name, "skipped": source.skipped, **told}
    if out is not None:
        text = json.dumps(told, ensure_ascii=False, indent=1)
        with _writing(out / "summary.json"):
            (out / "summary.json").write_text(text + "\n", "utf-8")
    return told


class Headlines:
    """Says in one line what people must know: a new alert, one more urgent, one that cleared.

    Revisions that only move a position are not news.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._told: dict[str, tuple[str, int]] = {}

    def __call__(self, alert: Alert) -> None:
        """Take the next revision."""
        state = (alert.condition, alert.severity)
        if self._told.get(alert.id) != state:
            self._told[alert.id] = state
            self._say(headline(alert))


def headline(alert: Alert) -> str:
    """One line for people: when, how urgent, what."""
    body = alert.body
    text = body.get("text", {})
    mark = {1: "RED   ", 2: "ORANGE", 3: "YELLOW", 4: "BLUE  "}[alert.severity]
    return (
        f"{iso(alert.event_ns)}  {mark} {alert.type:<18} {alert.condition:<8}"
        f" {text.get('en', '').splitlines()[0] if text.get('en') else ''}"
    )
