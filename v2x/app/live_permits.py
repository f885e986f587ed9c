"""Registry and plans of a pipeline, as frames of formats ``registry`` and ``plans`` change them."""

from collections.abc import Sequence
from typing import Any

from v2x.app.changing import Asked, Changing, Made, Outcome
from v2x.geodesy import Tile
from v2x.lowalt.permits import FORMS, Permits, change, plain, restored
from v2x.lowalt.zones import Zones


class LivePermits(Changing[Permits]):
    """Who may fly; `value` is what slices are judged by now.

    Parameters
    ----------
    permits
        Those of the configuration.
    zones, tile
        Zones that plans may name: those that the run began with; and the local frame.
    """

    def __init__(self, permits: Permits, zones: Zones, tile: Tile) -> None:
        super().__init__(permits, self._changed)
        self._zones, self._tile = zones, tile

    def restored(self, state: dict[str, Any]) -> Permits:
        """Put back what `state` gave, into one just made for the same configuration."""
        self.restore(state, lambda told: restored(told, self._zones, self._tile))
        return self.value

    def _changed(self, permits: Permits, asked: Sequence[Asked], t_ns: int) -> Made[Permits]:
        documents = [opened(one.text) for one in asked]
        made, said = change(permits, self._zones, self._tile, documents)
        outcomes = [Outcome(one.sensor, *told) for one, told in zip(asked, said, strict=True)]
        return Made(made, outcomes, plain(made))


def sealed(sensor: int, form: str, text: bytes) -> Asked:
    """Put the format of a document in front of its text, for they wait in one queue."""
    return Asked(sensor, form.encode() + b"\n" + text)


def opened(text: bytes) -> tuple[str, bytes]:
    """Format and text of what `sealed` made; the format is one of `FORMS`."""
    form, _, document = text.partition(b"\n")
    if form.decode() not in FORMS:
        raise ValueError(f"no documents of format {form.decode()!r}")
    return form.decode(), document
