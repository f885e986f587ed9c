"""``v2x decode``: frames of one wire format to JSON lines."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer


def decode(
    format: Annotated[str, typer.Argument(help="Wire format, such as rsu, jt808 or nmea.")],
    file: Annotated[Path, typer.Argument(help="Input; - is standard input.")] = Path("-"),
    input: Annotated[
        str,
        typer.Option(
            help="hex: a frame per line; lines: a text line is a frame; bin: frames as they come; "
            "pcap: captured packets."
        ),
    ] = "hex",
    recv: Annotated[
        str | None, typer.Option(help="Arrival of the first frame, ISO 8601. Default: now.")
    ] = None,
    at: Annotated[str | None, typer.Option(help="Receiver position LAT,LON.")] = None,
    edition: Annotated[str, typer.Option(help="Edition of the format.")] = "auto",
    datum: Annotated[str, typer.Option(help="wgs84, cgcs2000 or gcj02.")] = "wgs84",
    mapping: Annotated[
        Path | None, typer.Option(help="TOML file that says how to read format json.")
    ] = None,
    json_: Annotated[
        bool, typer.Option("--json", help="One JSON object per frame (the default is terser).")
    ] = False,
) -> None:
    """Decode frames; exit code 1 if any was rejected.

    The last line completes what was still pending at the end of the input.
    """
    import json
    import signal
    import sys
    import time

    from v2x.config import load_mapping
    from v2x.errors import SourceError
    from v2x.ingest.cutting import payloads
    from v2x.ingest.decoding import Decoding
    from v2x.ingest.formats import format_named
    from v2x.ingest.timestamps import parse_iso
    from v2x.sensors import Datum, Sensor, SensorTable

    decoder = format_named(format)
    try:
        first_ns = None if recv is None else parse_iso(recv)
    except ValueError:
        raise typer.BadParameter(f"--recv {recv}: not an ISO 8601 time") from None
    lat = lon = float("nan")
    if at is not None:
        try:
            lat, lon = (float(part) for part in at.split(","))
        except ValueError:
            lat = lon = float("nan")
        if not (abs(lat) <= 90.0 and abs(lon) <= 180.0):
            raise typer.BadParameter(f"--at {at}: wanted LAT,LON in degrees")
    if datum.upper() not in Datum.__members__:
        raise typer.BadParameter(f"--datum {datum}: wanted wgs84, cgcs2000 or gcj02")
    if input not in ("hex", "lines", "bin", "pcap"):
        raise typer.BadParameter(f"--input {input}: wanted hex, lines, bin or pcap")
    sensor = Sensor(
        "input", format, datum=Datum[datum.upper()], lat=lat, lon=lon, edition=edition,
        mapping="" if mapping is None else load_mapping(mapping).text(),
    )  # fmt: skip
    sensors = SensorTable.of([sensor])
    decoding = Decoding(sensors)
    now = time.time_ns() if first_ns is None and input != "pcap" else (first_ns or 0)
    stamped = [
        (payload, now if own is None or first_ns is not None else own)
        for payload, own in payloads(decoder, _bytes(file), input)
    ]
    if not stamped:
        raise SourceError(f"{file}: no frame in it")
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `| head` ends us without a word
    failed = False
    for ok, line in _lines(decoding, format, stamped):
        failed |= not ok
        print(json.dumps(line, ensure_ascii=False) if json_ else _terse(line))
    sys.stdout.flush()
    if failed:
        raise typer.Exit(1)


def _bytes(file: Path) -> bytes:
    import sys

    from v2x.errors import SourceError

    if str(file) == "-":
        return sys.stdin.buffer.read()
    try:
        return file.read_bytes()
    except OSError as e:
        raise SourceError(f"{file}: {e.strerror or e}") from e


def _lines(
    decoding: Any, format: str, stamped: list[tuple[bytes, int]]
) -> Iterator[tuple[bool, dict[str, Any]]]:
    """(was it accepted, its line) per frame, and the line of the end."""
    from v2x.cli.rows import observation, reading
    from v2x.ingest.decoded import Reject
    from v2x.ingest.formats import format_named

    extra = getattr(format_named(format), "extra", None)
    idents: dict[int, str] = {}
    size = 500
    for at in range(0, len(stamped), size):
        part = stamped[at : at + size]
        made = decoding.group(format, [p for p, _ in part], [0] * len(part), [t for _, t in part])
        idents.update(made.idents)
        lines: list[dict[str, Any]] = []
        for code in made.rejects.tolist():
            if code in (Reject.OK, Reject.NOTHING_TO_OBSERVE):
                lines.append({"ok": True, "observations": [], "readings": []})
            else:
                lines.append({"ok": False, "reason": Reject(code).name.lower()})
        for i in range(len(made.observations)):
            row = observation(made, i, decoding.sensors, idents)
            lines[made.observations.frame[i]]["observations"].append(row)
        for i in range(len(made.readings)):
            row = reading(made.readings, i, decoding.sensors, idents)
            lines[made.readings.frame[i]]["readings"].append(row)
        for line, (payload, _) in zip(lines, part, strict=True):
            more = extra(payload) if line["ok"] and extra is not None else {}
            yield line["ok"], line | ({"extra": more} if more else {})
    made = decoding.rest(format)
    idents.update(made.idents)
    yield (
        True,
        {
            "ok": True,
            "end": True,
            "observations": [
                observation(made, i, decoding.sensors, idents)
                for i in range(len(made.observations))
            ],
            "readings": [
                reading(made.readings, i, decoding.sensors, idents)
                for i in range(len(made.readings))
            ],
        },
    )


def _terse(line: dict[str, Any]) -> str:
    if not line["ok"]:
        return f"rejected: {line['reason']}"
    parts = [
        f"{o['t']} {o['kind']} {o.get('ident', '-')} {o.get('lat', '?')} {o.get('lon', '?')}"
        for o in line["observations"]
    ]
    parts += [f"{r['name']}={r.get('text', r['value'])}" for r in line["readings"]]
    return ("end: " if line.get("end") else "") + ("; ".join(parts) or "nothing to observe")
