"""``v2x bridge``: MQTT, TCP and UDP into Kafka or a drive."""

from pathlib import Path
from typing import Annotated

import typer


def bridge(
    config: Annotated[Path, typer.Option(help="TOML configuration with a [bridge] table.")],
    out: Annotated[
        Path | None, typer.Option(help="Drive to write instead of the Kafka topic.")
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Bring frames of MQTT, TCP and UDP into Kafka or a drive; SIGTERM drains and exits.

    Exit code 4 if what was taken could not be brought out within `drain_s`.
    """
    import json
    import resource
    import signal
    import sys

    import structlog

    from v2x.app.bridging import Bridge
    from v2x.config import load_config

    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    bridge = Bridge(load_config(config), out)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # a connection is a file
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: bridge.stop())
    told = bridge.run()
    if json_:
        print(json.dumps(told, ensure_ascii=False))
    else:
        for name, frames in told["frames"].items():
            print(f"{name}: {frames} frames, dropped {told['dropped'].get(name, {}) or 'none'}")
        print(f"confirmed {told['confirmed']}, still waiting {told['waiting']}")
    if not told["drained"]:
        raise typer.Exit(4)
