"""``v2x run``: live, from Kafka to the destinations."""

from pathlib import Path
from typing import Annotated

import typer


def run(
    config: Annotated[Path, typer.Option(help="TOML configuration.")],
    until_end: Annotated[
        bool,
        typer.Option(
            "--until-end", help="Up to the end offsets seen at the start, drain, and exit."
        ),
    ] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Read frames from Kafka, store alerts, push them; SIGTERM drains and exits.

    Exit code 1 if an alert that is already stored would have been different, or if a destination
    did not take all that waited for it within a minute (it stays in the store).
    """
    import gc
    import json
    import signal
    import sys

    import structlog

    from v2x.app.running import Run
    from v2x.cli.replaying import show
    from v2x.cli.warm import ready
    from v2x.config import load_config

    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    settings = load_config(config)
    ready(quiet=json_)
    loop = Run(settings, until_end=until_end)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: loop.stop())
    gc.collect()
    gc.freeze()
    told = loop.run()
    if json_:
        print(json.dumps(told, ensure_ascii=False))
    else:
        show(told)
    if told["differing"] or not told["drained"]:
        raise typer.Exit(1)
