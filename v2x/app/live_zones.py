"""Zones that change while a pipeline runs, by frames of format ``zones``; see `changing`."""

from collections.abc import Sequence
from typing import Any

from v2x.app.changing import Asked, Changing, Made, Outcome
from v2x.lowalt.volumes import ZoneIndex
from v2x.lowalt.zone_changes import change, plain, restored
from v2x.observations import ident_of
from v2x.readings import Name, Readings

FORMAT = "zones"


class LiveZones(Changing[ZoneIndex]):
    """The zone index of a pipeline; `value` is what slices are judged by now."""

    def __init__(self, index: ZoneIndex) -> None:
        super().__init__(index, _changed)

    def restored(self, state: dict[str, Any]) -> ZoneIndex:
        """Put back what `state` gave, into one just made for the same configuration."""
        made = self.value
        self.restore(state, lambda told: ZoneIndex(restored(told), made.tile, made.ground))
        return self.value


def _changed(index: ZoneIndex, asked: Sequence[Asked], t_ns: int) -> Made[ZoneIndex]:
    made, said = change(index, [one.text for one in asked], t_ns)
    outcomes = [Outcome(one.sensor, *told) for one, told in zip(asked, said, strict=True)]
    return Made(made, outcomes, plain(made.zones))


def told(form: str, outcomes: Sequence[Outcome], t_ns: int) -> tuple[Readings, dict[int, str]]:
    """Readings of a slice about what became of changes, and the texts that they name."""
    subject = f"change:{form}"
    texts = {ident_of(one.words): one.words for one in outcomes if one.words}
    texts[ident_of(subject)] = subject
    rows = Readings.blank(
        len(outcomes),
        t_ns=t_ns,
        recv_ns=t_ns,
        sensor=[one.sensor for one in outcomes],
        ident=ident_of(subject),
        name=Name.CHANGE_REFUSED,
        value=[0.0 if one.taken else 1.0 for one in outcomes],
        ident2=[ident_of(one.words) if one.words else -1 for one in outcomes],
    )
    return rows, texts
