"""Stores on the command line: which one, which of its alerts, and how times are written."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from v2x.alerts.store import Store

STORE = Annotated[
    Path | None, typer.Option("--store", help="Store of a pipeline; default: v2x.sqlite.")
]
CONFIG = Annotated[
    Path | None, typer.Option("--config", help="Configuration that names the store instead.")
]
JSON = Annotated[bool, typer.Option("--json", help="Print JSON.")]
ID = Annotated[str, typer.Argument(help="Alert: its id, or the beginning of it.")]
SPANS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
"""Units of spans and their seconds."""


@contextlib.contextmanager
def opened(store: Path | None, config: Path | None) -> Iterator["Store"]:
    """The store that the options name, open."""
    from v2x.alerts.store import Store

    if store is None and config is not None:
        from v2x.config import load_config

        settings = load_config(config)
        store = settings.file(settings.store)
    kept = Store.existing(store or Path("v2x.sqlite"))
    try:
        yield kept
    finally:
        kept.close()


def full_id(kept: "Store", id: str) -> str:
    """Id of the one alert that begins so; what nobody knows stays as it is."""
    if len(id) == 32:
        return id
    found = kept.ids(id)
    if len(found) > 1:
        raise typer.BadParameter(f"{id}: {len(found)} alerts begin so: {', '.join(found)}")
    if not found:
        raise typer.BadParameter(f"{id}: no alert begins so")
    return found[0]


def seconds(words: str, option: str) -> float:
    """Seconds of 90s, 30m, 2h, 7d."""
    number, unit = words[:-1], words[-1:]
    try:
        value = float(number)
    except ValueError:
        value = -1.0
    if unit not in SPANS or not 0.0 < value < 1e6:
        raise typer.BadParameter(f"{option} {words!r}: wanted a span such as 30m, 2h or 7d")
    return value * SPANS[unit]


def time_ns(words: str) -> int:
    """Nanoseconds UTC of an ISO 8601 time."""
    from v2x.alerts.stamps import ns_of

    try:
        return ns_of(words)
    except ValueError as e:
        raise typer.BadParameter(str(e)) from None


def print_json(told: Any) -> None:
    """Print one line of JSON."""
    import json

    print(json.dumps(told, ensure_ascii=False))
