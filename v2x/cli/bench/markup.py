"""HTML and SVG as nested calls: what is not markup already is text, and text is escaped."""

from html import escape
from typing import Any

_VOID = frozenset({"meta", "br", "hr"})


class Markup(str):
    """Text that is markup, made by `node` or by the author of a page; goes out as it is."""

    __slots__ = ()


def node(tag: str, *children: Any, **attributes: Any) -> Markup:
    """One element.

    Parameters
    ----------
    tag
        Name.
    *children
        `Markup`, text or numbers (escaped), or lists of them; None is nothing.
    **attributes
        Values are escaped; floats are rounded to 0.01; None is left out. A trailing underscore is
        dropped (``class_``), others become hyphens.
    """
    words = [tag]
    for name, value in attributes.items():
        if value is None:
            continue
        if isinstance(value, float):
            value = f"{value:.2f}".rstrip("0").rstrip(".")
        words.append(f'{name.rstrip("_").replace("_", "-")}="{escape(str(value))}"')
    head = " ".join(words)
    if tag in _VOID:
        return Markup(f"<{head}>")
    return Markup(f"<{head}>{text(children)}</{tag}>")


def text(child: Any) -> str:
    """A child as it stands in the page."""
    if isinstance(child, Markup):
        return child
    if isinstance(child, list | tuple):
        return "".join(text(one) for one in child)
    return "" if child is None else escape(str(child))
