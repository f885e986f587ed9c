"""One file per wire format. A module here that defines ``FORMATS`` is found by itself."""

import pkgutil
from functools import cache
from importlib import import_module

from v2x.errors import ConfigError
from v2x.ingest.decoded import Format


@cache
def registry() -> dict[str, Format]:
    """All formats by name."""
    found: dict[str, Format] = {}
    for module in pkgutil.iter_modules(__path__):
        if module.name.startswith("_"):
            continue
        for entry in import_module(f"{__name__}.{module.name}").FORMATS:
            if entry.name in found:
                raise RuntimeError(f"two wire formats are named {entry.name!r}")
            found[entry.name] = entry
    return dict(sorted(found.items()))


def format_named(name: str) -> Format:
    """The format called `name`, or a `ConfigError` that lists the names there are."""
    try:
        return registry()[name]
    except KeyError:
        raise ConfigError(f"unknown wire format {name!r}; known: {', '.join(registry())}") from None
