"""One file per rule. A module here that defines ``RULE`` is found by itself."""

import pkgutil
from functools import cache
from importlib import import_module

from v2x.alert import Rule


@cache
def registry() -> dict[str, Rule]:
    """All rules by type.

    Beside the members of `Rule`, a rule may say ``reads``, the `Name`s of the readings it looks
    for in ``picture.readings``, ``cause`` ("target" unless said): whose fault it reports, and
    ``auto``: of severity 3 or 4 it is resolved and closed by the engine once it has cleared.
    """
    found: dict[str, Rule] = {}
    for module in pkgutil.iter_modules(__path__):
        if module.name.startswith("_"):
            continue
        rule: Rule = import_module(f"{__name__}.{module.name}").RULE
        if rule.type != module.name:
            raise RuntimeError(f"rules/{module.name}.py holds a rule of type {rule.type!r}")
        found[rule.type] = rule
    return dict(sorted(found.items()))
