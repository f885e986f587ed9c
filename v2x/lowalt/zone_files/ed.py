"""What ED-269 and ED-318 share: words for kinds, texts in several languages, rings as met.

Both are read as they are met in the field, with warnings, because refusing a national data set for
one unclosed ring helps nobody: but nothing is guessed in silence, and what has two readings is
refused.
"""

from collections.abc import Sequence
from typing import Any

from v2x.errors import ConfigError
from v2x.lowalt import files
from v2x.lowalt.files import Ring
from v2x.lowalt.zones import Limit
from v2x.picture import ZoneKind

FOOT_M = 0.3048
UNLIMITED = 99_999
"""What data sets write where there is no upper limit."""
SMALLEST_RADIUS_M = 30.0
"""Radii below this, in metres by the file, are kilometres: nobody draws a zone of 5 m."""

RESTRICTIONS = {
    "PROHIBITED": ZoneKind.PROHIBITED,
    "REQ_AUTHORISATION": ZoneKind.RESTRICTED,
    "REQ_AUTHORIZATION": ZoneKind.RESTRICTED,
    "CONDITIONAL": ZoneKind.WARNING,
    "NO_RESTRICTION": ZoneKind.OPERATING,
    "USPACE": ZoneKind.OPERATING,
}
LANGUAGES = ("zh", "en")


def kind_of(where: str, word: Any) -> ZoneKind:
    """Kind of zone that a restriction makes."""
    name = word.strip().upper() if isinstance(word, str) else word
    if not isinstance(name, str) or name not in RESTRICTIONS:
        raise ConfigError(f"{where}: restriction {word!r} is none of {', '.join(RESTRICTIONS)}")
    return RESTRICTIONS[name]


def restriction_of(zone_id: str, kind: ZoneKind, words: Sequence[str]) -> str:
    """Restriction, of those a format has, that stands for a kind of zone."""
    for word in words:
        if RESTRICTIONS[word] == kind:
            return word
    raise ConfigError(f"zone {zone_id}: {kind.name.lower()} has no word in this format")


def said(value: Any) -> str:
    """Text of a name: plain, or the best language of a list of {text, lang}; empty if none."""
    if isinstance(value, str):
        return value.strip()
    found = [
        (str(entry.get("lang", "")).lower(), str(entry["text"]).strip())
        for entry in (value if isinstance(value, list) else [])
        if isinstance(entry, dict) and entry.get("text")
    ]
    for language in LANGUAGES:
        for lang, words in found:
            if lang.startswith(language):
                return words
    return found[0][1] if found else ""


def country(where: str, value: Any, warnings: list[str]) -> str:
    """Three letters of a zone's country; empty, with a warning, for anything else but nothing."""
    word = value.strip().upper() if isinstance(value, str) else ""
    if len(word) == 3 and word.isascii() and word.isalpha():
        return word
    if value not in (None, ""):
        warnings.append(f"{where}: country {value!r} is not three letters of ISO 3166; left out")
    return ""


def limit(
    where: str, value: Any, reference: Any, foot: bool, upper: bool, warnings: list[str]
) -> Limit | None:
    """A limit in metres; numbers may stand in text, and no upper one is null or 99999."""
    side = "upper" if upper else "lower"
    if isinstance(value, str):
        warnings.append(f"{where}: {side} limit {value!r} is a text; read as a number")
        try:
            value = float(value.replace(",", "."))
        except ValueError:
            raise ConfigError(f"{where}: {side} limit {value!r} is no number") from None
    if value is None:
        if not upper:
            warnings.append(f"{where}: no lower limit: from the ground up")
        return None
    metres = files.number(value)
    if metres is None:
        raise ConfigError(f"{where}: {side} limit {value!r} is no number")
    if upper and metres >= UNLIMITED:
        return None
    word = reference.strip().upper() if isinstance(reference, str) else reference
    names = {"AGL": "agl", "AMSL": "amsl", "WGS84": "hae"}
    if not isinstance(word, str) or word not in names:
        raise ConfigError(
            f"{where}: {side} limit: reference {reference!r} is none of {', '.join(names)}"
        )
    return Limit(metres * FOOT_M if foot else metres, names[word])


def feet(where: str, unit: Any) -> bool:
    """Tell whether a unit is feet; metres where none is given."""
    word = "M" if unit is None else str(unit).strip().upper()
    if word not in ("M", "FT"):
        raise ConfigError(f"{where}: unit {unit!r} is neither m nor ft")
    return word == "FT"


def radius(where: str, value: Any, foot: bool, warnings: list[str]) -> float:
    """Radius of a circle in metres, of a file that may mean kilometres."""
    told = files.number(value)
    if told is None:
        raise ConfigError(f"{where}: radius {value!r} is no number")
    metres = told * FOOT_M if foot else told
    if 0.0 < metres < SMALLEST_RADIUS_M:
        warnings.append(f"{where}: radius {told:g} is taken as kilometres")
        return told * 1000.0
    return metres


def polygon(where: str, rings: Any, warnings: list[str]) -> tuple[Ring, ...]:
    """Outline and holes of a file whose rings may be open, or latitude first.

    Latitude comes first where no other reading is one on the Earth; a polygon of which some
    positions can only be read one way and some only the other is refused.
    """
    if not isinstance(rings, list) or not all(isinstance(ring, list) for ring in rings):
        raise ConfigError(f"{where}: a polygon is a list of rings")
    turned = _latitude_first(where, [xy for ring in rings for xy in ring])
    if turned:
        warnings.append(f"{where}: positions are [lat, lon]; read so")
    mended = []
    for ring in rings:
        corners = [[xy[1], xy[0], *xy[2:]] if turned else xy for xy in ring]
        if corners and corners[0] != corners[-1]:
            warnings.append(f"{where}: a ring is not closed; closed")
            corners.append(corners[0])
        mended.append(corners)
    return files.polygon(where, mended, "wgs84")


def centre(where: str, value: Any, warnings: list[str]) -> tuple[float, float]:
    """Position of a circle's centre, in either order as in `polygon`."""
    if _latitude_first(where, [value]):
        warnings.append(f"{where}: the centre is [lat, lon]; read so")
        value = [value[1], value[0]]
    return files.position(f"{where}: centre", value)


def _latitude_first(where: str, positions: Sequence[Any]) -> bool:
    """Tell whether positions can be read as [lat, lon] alone."""
    straight = turned = False
    for xy in positions:
        pair = [files.number(v) for v in xy[:2]] if isinstance(xy, list) else []
        if len(pair) != 2 or pair[0] is None or pair[1] is None:
            raise ConfigError(f"{where}: {xy!r} is no position")
        first, second = abs(pair[0]), abs(pair[1])
        straight |= first > 90.0
        turned |= second > 90.0
    if straight and turned:
        raise ConfigError(f"{where}: some positions are [lon, lat] and some [lat, lon]")
    return turned
