"""Inhibition: alerts that another one, or work on a device, explains are withheld, not deleted.

A suppressed alert has its revision, its history and its place in every list; it pages nobody, and
asks for an answer, with its first onset, as soon as what explained it is over.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from v2x.alerts.life import Life
from v2x.alerts.transitions import OVER, SUPPRESSED


class Window(NamedTuple):
    """Work on a device: it may be silent, or wrong, from `start_ns` to `end_ns`."""

    device: str
    start_ns: int
    end_ns: int

    @property
    def id(self) -> str:
        """What its alerts are suppressed by."""
        return f"maintenance:{self.device}"


SILENT = "device_silent"
"""A device that says nothing is not also wrong or blind: its other ``device_*`` are hidden."""


def explained(life: Life, silent: Mapping[str, Life], windows: Sequence[Window], t_ns: int) -> str:
    """Id of what hides this alert now, an alert's or a window's; empty if nothing does.

    silent : alerts of silence that are active, by device.
    """
    kind, device = life.subject
    if kind != "device":
        return ""
    for window in windows:
        if window.device == device and window.start_ns <= t_ns < window.end_ns:
            return window.id
    other = silent.get(str(device))
    if other is None or life.rule == SILENT or not life.rule.startswith("device_"):
        return ""
    return other.id


def silences(lives: Iterable[Life]) -> dict[str, Life]:
    """Alerts that say a device is silent, by device: active, and neither withheld nor over."""
    return {
        str(life.subject[1]): life
        for life in lives
        if life.rule == SILENT and life.active and life.case.state not in (*OVER, SUPPRESSED)
    }
