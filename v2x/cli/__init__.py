"""The command line: one module per command, heavy imports inside, errors as exit codes.

0 done, 1 found something wrong, 2 usage, 3 configuration, 4 input or output.
"""

import contextlib
import errno
import io
import os
import sys

import typer

from v2x import __version__
from v2x.cli import (
    alert_commands,
    alerts,
    bridge,
    configs,
    decode,
    demo,
    drives,
    replaying,
    running,
    score,
    track,
    warm,
    zones,
)
from v2x.cli.bench import airspace as bench_airspace
from v2x.cli.bench import decode as bench_decode
from v2x.cli.bench import fusion as bench_fusion
from v2x.cli.bench import zones as bench_zones
from v2x.errors import ConfigError, SourceError, StoreError, V2XError

app = typer.Typer(
    name="v2x",
    help="Vehicle, road, air and space sensing: frames in, one fused picture, alerts out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version and exit."
    ),
) -> None:
    pass


app.command("demo")(demo.demo)
app.command("run")(running.run)
app.command("bridge")(bridge.bridge)
app.command("replay")(replaying.replay)
app.command("decode")(decode.decode)
app.command("track")(track.track)
app.command("score")(score.score)
app.command("warm")(warm.warm)

_zones = typer.Typer(help="Geofences.", no_args_is_help=True)
_zones.command("check")(zones.check)
_zones.command("convert")(zones.convert)
_zones.command("airport")(zones.airport)
app.add_typer(_zones, name="zones")

_alerts = typer.Typer(help="Alerts of a store: see them, answer them.", no_args_is_help=True)
_alerts.command("list")(alerts.list_)
_alerts.command("show")(alerts.show)
for _verb in alert_commands.VERBS:
    _alerts.command(_verb.__name__)(_verb)
_alerts.command("report")(alerts.report)
_alerts.command("verify")(alerts.verify)
app.add_typer(_alerts, name="alerts")

_config = typer.Typer(help="Configuration files.", no_args_is_help=True)
_config.command("check")(configs.check)
app.add_typer(_config, name="config")

_drive = typer.Typer(help="Recorded drives.", no_args_is_help=True)
_drive.command("info")(drives.info)
_drive.command("import")(drives.import_)
app.add_typer(_drive, name="drive")

_bench = typer.Typer(help="Seeded benchmarks.", no_args_is_help=True)
_bench.callback()(lambda: None)
_bench.command("fusion")(bench_fusion.fusion)
_bench.command("decode")(bench_decode.decode)
_bench.command("zones")(bench_zones.zones)
_bench.command("airspace")(bench_airspace.airspace)
app.add_typer(_bench, name="bench")


def main() -> None:
    """Entry point: run a command, turn our own errors into a line and an exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that has no character for km²
    try:
        app()
    except ConfigError as e:
        _fail(e, 3)
    except (SourceError, StoreError) as e:
        _fail(e, 4)
    except V2XError as e:
        _fail(e, 1)
    except OSError as e:
        if e.errno != errno.ENOSPC:
            raise
        _fail(e, 4)


def _fail(error: Exception, code: int) -> None:
    print(f"v2x: {error}", file=sys.stderr)
    # what a full standard output did not take is not tried again at the end
    with contextlib.suppress(OSError):  # an output that is no file, as in tests
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)
