"""``v2x demo``: the bundled drive through the whole pipeline."""

from typing import Annotated

import typer


def demo(
    once: Annotated[
        bool, typer.Option("--once", help="Full speed, headless: print the summary and exit.")
    ] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Play five minutes around Tianjin airport, at 1x; alerts are printed as they come."""
    import json
    from importlib.resources import as_file, files

    from replay.player import Headlines, configuration, play
    from v2x.cli.replaying import show
    from v2x.cli.warm import ready

    ready(quiet=json_)
    with (
        as_file(files("replay") / "drives" / "demo.mcap") as drive,
        configuration(drive, None) as settings,
    ):
        told = play(
            drive,
            settings,
            rate=None if once else 1.0,
            on_alert=None if json_ else Headlines(lambda line: print(line, flush=True)),
        )
    if json_:
        print(json.dumps(told, ensure_ascii=False))
    else:
        show(told)
