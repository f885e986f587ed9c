"""What an alert tells a person, in each language, rendered from the codes of its record.

A catalogue ``texts.<language>.json`` holds per rule a ``headline`` (what, where, how far), other
headlines ``when`` a reason code is there (the last that fits wins), and one ``action``. ``parts``
are pieces of a headline that vanish when one of their numbers is unknown; ``words`` say whether
an independent sensor agrees.
"""

import json
from functools import cache
from importlib.resources import files
from string import Formatter
from typing import Any

LANGUAGES = ("en", "zh-CN")
_INDEPENDENT = frozenset({"radar", "camera", "lidar", "rsu"})
_DECIMALS = {"lat": 5, "lon": 5}


@cache
def catalogue(language: str) -> dict[str, Any]:
    """Return the texts of one language."""
    text = files("v2x.alerts").joinpath(f"texts.{language}.json").read_text("utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def render(body: dict[str, Any]) -> dict[str, str]:
    """Two lines per language: headline and action.

    A rule without a text is our bug: `KeyError`.
    """
    return {language: _text(catalogue(language), body) for language in LANGUAGES}


def _text(texts: dict[str, Any], body: dict[str, Any]) -> str:
    entry = texts["rules"][body["type"]]
    fields = _fields(body)
    kind = body["subject"].get("kind", "")
    fields["kind"] = texts["kinds"].get(kind, texts["kinds"][""])
    fields["word"] = texts["words"][_certainty(body)] if body["cause"] == "target" else ""
    for name, part in texts["parts"].items():
        wanted = [field for _, field, _, _ in Formatter().parse(part) if field]
        fields[name] = part.format_map(fields) if all(w in fields for w in wanted) else ""
    headline = entry["headline"]
    for code, other in entry.get("when", {}).items():
        if any(reason["code"] == code for reason in body["reasons"]):
            headline = other
    over = texts["words"]["cleared"] if body["condition"] == "cleared" else ""
    return f"{over}{headline.format_map(fields)}\n{entry['action'].format_map(fields)}"


def _fields(body: dict[str, Any]) -> dict[str, str]:
    subject = body["subject"]
    found: dict[str, Any] = {r["code"]: r.get("value") for r in body["reasons"]}
    found.update(body.get("position", {}))
    found["zone"] = body.get("zone", found.get("zone"))
    found["device"] = subject.get("device")
    found["who"] = subject.get("claimed_identity", "?")
    if not found.get("late_s"):
        found.pop("late_s", None)  # in time is not worth a word
    return {name: _shown(name, value) for name, value in found.items() if value is not None}


def _shown(name: str, value: Any) -> str:
    return f"{value:.{_DECIMALS.get(name, 0)}f}" if isinstance(value, int | float) else str(value)


def _certainty(body: dict[str, Any]) -> str:
    """Name it confirmed only when two kinds of sensor say so, and one needs no help for it."""
    kinds = {entry["kind"] for entry in body["evidence"] if "kind" in entry}
    return "confirmed" if len(kinds) > 1 and kinds & _INDEPENDENT else "suspected"
