"""Files of others to drives: frames, an arrival for each, and a configuration to replay them."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from v2x.errors import ConfigError, SourceError
from v2x.frames import Frame, FrameBatch
from v2x.ingest.cutting import payloads
from v2x.ingest.decoded import Format
from v2x.ingest.drive import DriveSink
from v2x.ingest.formats import format_named
from v2x.ingest.timestamps import to_ns
from v2x.sensors import Sensor, SensorTable

_TRIALS_NS = (1_500_000_000_000_000_000, 1_540_003_723_123_000_000)
"""Two arrivals far apart: what a frame says of its time under both is its own full time."""

_HEX_KEYS = ("hex", "payload_hex", "frame_hex")

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
        ``.json``: every value of a key ``hex`` (or ``payload_hex``, ``frame_hex``) that the format
        takes for its own. ``.pcap``: packets. Anything else: ``.bin`` whole, text line by line.
    start_ns, interval_ns
        Arrival of frames without a time of their own: ``start + i * interval``. Where some frames
        have one, the others take that of the frame before them.

    Raises
    ------
    SourceError
        Unreadable input, or no frame of the format in it.
    """
    decoder = format_named(format)
    found = list(_frames(source, decoder, start_ns))
    if not found:
        raise SourceError(f"{source}: no frame in it")
    table = SensorTable.of([Sensor(sensor, format)])
    own = [
        given if given is not None else _own_time(decoder, table, payload)
        for payload, given in found
    ]
    known = [t for t in own if t is not None]
    recv: list[int] = []
    newest = known[0] if known else None
    for i, t in enumerate(own):
        newest = t if t is not None else newest
        recv.append(start_ns + i * interval_ns if newest is None else newest)
    lat, lon = _first_position(decoder, table, [p for p, _ in found], recv)
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
            tree = json.loads(data)
        except ValueError as e:
            raise SourceError(f"{source}: not valid JSON: {e}") from e
        table = SensorTable.of([Sensor("trial", decoder.name)])
        for text in _hex_values(tree):
            payload = bytes.fromhex(text)
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
    reader = csv.DictReader(io.StringIO(data.decode("utf-8-sig", "replace")))
    columns = reader.fieldnames or []
    name = next((c for c in ("frame", "hex") if c in columns), None)
    if name is None:
        raise ConfigError(f"{source}: no column 'frame' or 'hex'; it has {', '.join(columns)}")
    for number, row in enumerate(reader, 2):
        try:
            at = start_ns + to_ns(float(row["t_s"])) if row.get("t_s") else None
            yield bytes.fromhex(row[name]), at
        except ValueError as e:
            raise SourceError(f"{source} line {number}: {e}") from e


def _hex_values(tree: Any) -> Iterator[str]:
    if isinstance(tree, dict):
        for key, value in tree.items():
            if key in _HEX_KEYS and isinstance(value, str):
                yield value
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


def _own_time(decoder: Format, table: SensorTable, payload: bytes) -> int | None:
    """Event time of a frame that says the same whenever it arrives, else None."""
    said: list[set[int]] = []
    for recv_ns in _TRIALS_NS:
        state = decoder.new_state()
        made = decoder.decode(_one(decoder, payload, recv_ns), table, state)
        rest = decoder.finish(table, state)
        said.append(
            {
                int(t)
                for rows in (made.observations, rest.observations, made.readings, rest.readings)
                for t in rows.t_ns
            }
        )
    both = said[0] & said[1]
    return max(both) if both else None


def _first_position(
    decoder: Format, table: SensorTable, found: list[bytes], recv: list[int]
) -> tuple[float, float]:
    state = decoder.new_state()
    batch = FrameBatch.of(decoder.name, found, [0] * len(found), recv)
    for made in (decoder.decode(batch, table, state), decoder.finish(table, state)):
        good = np.flatnonzero(np.isfinite(made.observations.lat))
        if good.size:
            row = good[0]
            return float(made.observations.lat[row]), float(made.observations.lon[row])
    return float("nan"), float("nan")


def _settings(origin: str, format: str, sensor: str, lat: float, lon: float) -> str:
    kind, sd, sd_up = _NOISE.get(format, ("unknown", 3.0, 5.0))
    return (
        f"# made when {origin} was imported\n"
        f'[site]\nname = "import"\nlat = {lat!r}\nlon = {lon!r}\n\n'
        f"[[sensors]]\nname = {json.dumps(sensor)}\nformat = {json.dumps(format)}\n"
        f'kind = "{kind}"\nsd_m = {sd}\nsd_up_m = {sd_up}\nreorder_wait_ms = 1500\n'
    )
