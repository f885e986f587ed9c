"""Files of others to drives: frames, an arrival for each, and a configuration to replay them."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from v2x.errors import ConfigError, SourceError
from v2x.frames import Frame, FrameBatch
from v2x.ingest.cutting import payloads
from v2x.ingest.decoded import Decoded, Format
from v2x.ingest.drive import DriveSink
from v2x.ingest.formats import format_named
from v2x.ingest.timestamps import SECOND
from v2x.sensors import Sensor, SensorTable

_TRIALS_NS = (1_500_000_000_000_000_000, 1_540_003_723_123_000_000)
"""Two arrivals far apart: what a frame says of its time under both is its own full time."""

_NEAR_NS = 2_000_000_000

END_NS = 4_102_444_800 * SECOND
"""Arrivals lie from 1970 to before this time, the year 2100."""

_HEX_KEYS = ("hex", "payload_hex", "frame_hex", "pack_hex")

_NOISE = {
    "nmea": ("self_report", 0.5, 1.0),
    "jt808": ("self_report", 5.0, 8.0),
    "gb46750": ("remote_id", 3.0, 5.0),
    "odid": ("remote_id", 3.0, 5.0),
    "remote_id": ("remote_id", 3.0, 5.0),
    "adsb": ("ads_b", 30.0, 20.0),
    "rsu": ("rsu", 1.0, 3.0),
    "ydt3709": ("rsu", 1.0, 3.0),
}
"""Kind, horizontal and vertical noise in metres of an imported sensor, where nothing is told."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import found: frames, how many had a time of their own, and the first position."""

    frames: int
    own_time: int
    lat: float
    lon: float


def import_drive(
    source: Path, format: str, sensor: str, out: Path, start_ns: int, interval_ns: int
) -> Imported:
    """Write the frames of `source` as a drive that replays by itself.

    Parameters
    ----------
    source
        ``.hex``: a frame per line. ``.csv``: column ``frame`` or ``hex``, seconds in ``t_s``.
        ``.json``: every value of a key ``hex`` (or ``payload_hex``, ``frame_hex``, ``pack_hex``)
        that the format takes for its own. ``.pcap``: packets. Anything else: ``.bin`` whole, text
        line by line.
    out
        Drive to write; a file of that name is replaced once the new one is whole.
    start_ns, interval_ns
        Arrival of frames without a time of their own: ``start + i * interval``. Where some frames
        have one, the others take that of the frame before them.

    Raises
    ------
    ConfigError
        Unknown format, or a name of the sensor that cannot stand in a drive.
    SourceError
        Unreadable input, no frame of the format in it, or an arrival outside 1970 to 2099.
    """
    decoder = format_named(format)
    if not sensor or "/" in sensor or not sensor.isprintable():
        raise ConfigError(f"sensor {sensor!r}: wanted a name of printable letters without '/'")
    if source.exists() and out.exists() and out.samefile(source):
        raise SourceError(f"{out}: is the input itself; write the drive to another file")
    found = list(_frames(source, decoder, start_ns))
    if not found:
        raise SourceError(f"{source}: no frame in it")
    table = SensorTable.of([Sensor(sensor, format)])
    given = [at for _, at in found]
    said = [None] * len(found) if None not in given else _own_times(decoder, table, found)
    own = [a if a is not None else b for a, b in zip(given, said, strict=True)]
    known = [t for t in own if t is not None]
    recv = _arrivals(own, start_ns, interval_ns)
    if not 0 <= min(recv) <= max(recv) < END_NS:
        raise SourceError(f"{source}: frames would arrive before 1970 or from 2100 on")
    lat, lon = _first_position(decoder, table, found, recv)
    if not np.isfinite(lat):
        lat, lon = 39.1244, 117.3460
    settings = _settings(source.name, format, sensor, lat, lon)
    with DriveSink(out, {"v2x.toml": settings.encode()}) as drive:
        for i, (payload, _) in enumerate(found):
            drive.write(Frame(recv[i], sensor, format, payload, seq=i))
    return Imported(len(found), len(known), lat, lon)


def _frames(source: Path, decoder: Format, start_ns: int) -> Iterator[tuple[bytes, int | None]]:
    try:
        data = source.read_bytes()
    except OSError as e:
        raise SourceError(f"{source}: {e.strerror or e}") from e
    suffix = source.suffix.lower()
    if suffix == ".csv":
        yield from _rows(source, data, start_ns)
    elif suffix == ".json":
        try:
            values = list(_hex_values(json.loads(data)))
        except (ValueError, RecursionError) as e:
            raise SourceError(f"{source}: not valid JSON: {e}") from e
        table = SensorTable.of([Sensor("trial", decoder.name)])
        for key, text in values:
            try:
                payload = bytes.fromhex(text)
            except ValueError:
                raise SourceError(f"{source}: {key}: {text[:40]!r} is not hexadecimal") from None
            if _is_own(decoder, table, payload):
                yield payload, None
    elif suffix in (".pcap", ".cap"):
        yield from payloads(decoder, data, "pcap")
    elif suffix == ".hex":
        yield from payloads(decoder, data, "hex")
    elif suffix == ".bin":
        yield from payloads(decoder, data, "bin")
    else:
        yield from payloads(decoder, data, "lines")


def _rows(source: Path, data: bytes, start_ns: int) -> Iterator[tuple[bytes, int | None]]:
    reader = csv.DictReader(io.StringIO(data.decode("utf-8-sig", "replace"), newline=""))
    try:
        columns = reader.fieldnames or []
    except csv.Error as e:
        raise SourceError(f"{source} line 1: {e}") from e
    name = next((c for c in ("frame", "hex") if c in columns), None)
    if name is None:
        raise ConfigError(f"{source}: no column 'frame' or 'hex'; it has {', '.join(columns)}")
    rows = iter(reader)
    while True:
        try:
            row = next(rows, None)
            if row is None:
                return
            if not row[name]:
                raise ValueError("no frame in it")
            payload = bytes.fromhex(row[name])
            at = _arrival(start_ns, float(row["t_s"])) if row.get("t_s") else None
        except (ValueError, csv.Error) as e:
            raise SourceError(f"{source} line {reader.line_num}: {e}") from e
        yield payload, at


def _arrival(start_ns: int, t_s: float) -> int:
    """Time `t_s` after the start; a `ValueError` outside the years of arrivals."""
    at = start_ns + round(t_s * SECOND) if isfinite(t_s) else -1
    if not 0 <= at < END_NS:
        raise ValueError(f"t_s {t_s} lies outside the years 1970 to 2099")
    return at


def _hex_values(tree: Any) -> Iterator[tuple[str, str]]:
    if isinstance(tree, dict):
        for key, value in tree.items():
            if key in _HEX_KEYS and isinstance(value, str):
                yield key, value
            else:
                yield from _hex_values(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from _hex_values(value)


def _is_own(decoder: Format, table: SensorTable, payload: bytes) -> bool:
    made = decoder.decode(_one(decoder, payload, _TRIALS_NS[0]), table, decoder.new_state())
    return int(made.rejects[0]) not in (1, 2, 3)


def _one(decoder: Format, payload: bytes, recv_ns: int) -> FrameBatch:
    return FrameBatch.of(decoder.name, [payload], [0], [recv_ns])


def _own_times(
    decoder: Format, table: SensorTable, found: Sequence[tuple[bytes, int | None]]
) -> list[int | None]:
    """Event time of each frame that says the same whenever it arrives, else None."""
    said: list[NDArray[np.int64]] = []
    for recv_ns in _TRIALS_NS:
        pairs = [np.zeros((0, 2), np.int64)]
        for at, made in _decoded(decoder, table, found, [recv_ns] * len(found)):
            for rows in (made.observations, made.readings):
                pairs.append(np.column_stack([np.maximum(rows.frame, 0) + at, rows.t_ns]))
        said.append(np.unique(np.concatenate(pairs), axis=0))
    both, times = np.unique(np.concatenate(said), axis=0, return_counts=True)
    own: list[int | None] = [None] * len(found)
    for frame, t_ns in both[times == 2].tolist():
        if 0 <= t_ns < END_NS:
            own[frame] = t_ns
    return own


def _arrivals(own: Sequence[int | None], start_ns: int, interval_ns: int) -> list[int]:
    """Arrival of each frame; one without a time takes that of the frame which completes it.

    That is the next frame with a time, if it lies within 2 s of the one before, else that before.
    """
    recv = [0] * len(own)
    after: int | None = None
    following: list[int | None] = [None] * len(own)
    for i in range(len(own) - 1, -1, -1):
        after = own[i] if own[i] is not None else after
        following[i] = after
    before: int | None = None
    for i, t in enumerate(own):
        ahead = following[i]
        if t is not None:
            before = t
        elif ahead is None and before is None:
            recv[i] = start_ns + i * interval_ns
            continue
        elif ahead is not None and (before is None or 0 <= ahead - before <= _NEAR_NS):
            recv[i] = ahead
            continue
        assert before is not None
        recv[i] = before
    return recv


def _decoded(
    decoder: Format,
    table: SensorTable,
    found: Sequence[tuple[bytes, int | None]],
    recv: Sequence[int],
) -> Iterator[tuple[int, Decoded]]:
    """(first frame, rows) of each 500 frames, then (last frame, what was pending)."""
    state, size = decoder.new_state(), 500
    for at in range(0, len(found), size):
        payloads_ = [payload for payload, _ in found[at : at + size]]
        batch = FrameBatch.of(decoder.name, payloads_, [0] * len(payloads_), recv[at : at + size])
        yield at, decoder.decode(batch, table, state)
    yield len(found) - 1, decoder.finish(table, state)


def _first_position(
    decoder: Format,
    table: SensorTable,
    found: Sequence[tuple[bytes, int | None]],
    recv: Sequence[int],
) -> tuple[float, float]:
    for _, made in _decoded(decoder, table, found, recv):
        good = np.flatnonzero(np.isfinite(made.observations.lat))
        if good.size:
            row = good[0]
            return float(made.observations.lat[row]), float(made.observations.lon[row])
    return float("nan"), float("nan")


def _settings(origin: str, format: str, sensor: str, lat: float, lon: float) -> str:
    kind, sd, sd_up = _NOISE.get(format, ("unknown", 3.0, 5.0))
    name = json.dumps(sensor, ensure_ascii=False)
    origin = "".join(c if c.isprintable() else "?" for c in origin)
    return (
        f"# made when {origin} was imported\n"
        f'[site]\nname = "import"\nlat = {lat!r}\nlon = {lon!r}\n\n'
        f"[[sensors]]\nname = {name}\nformat = {json.dumps(format)}\n"
        f'kind = "{kind}"\nsd_m = {sd}\nsd_up_m = {sd_up}\nreorder_wait_ms = 1500\n'
    )
