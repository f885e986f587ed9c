"""Offline: the mailbox of a store on which no pipeline runs, answered from its history.

The cases are the fold of the history and the facts those of the newest records: the same desk, the
same table and the same revision as in the loop. Each command is marked as taken where the pipeline
had stopped; when it goes on, it obeys it there again and derives what is stored.
"""

from dataclasses import dataclass
from typing import Any

from v2x.alerts.cases import PEOPLE, Case
from v2x.alerts.commands import Command
from v2x.alerts.desk import Desk
from v2x.alerts.history import cases
from v2x.alerts.store import Store

_MADE = PEOPLE | {"event_time", "text"}
"""What a revision says anew."""


@dataclass(slots=True)
class Kept:
    """An alert as a store has it."""

    case: Case
    facts: dict[str, Any]


def desk_of(store: Store) -> Desk[Kept]:
    """Rebuild the desk: every alert that the store has, as it is now."""
    folded = cases(store.history())
    held = {
        alert.id: Kept(
            folded[alert.id],
            {name: value for name, value in alert.body.items() if name not in _MADE},
        )
        for alert in store.latest()
    }
    return Desk(held.items())


def answer(store: Store) -> None:
    """Obey all that waits in the mailbox of a store that this process owns."""
    desk = desk_of(store)
    at = store.reached()
    for order in store.orders():
        if store.reply(order.key) is not None:
            store.record([], taken=[(order.number, at)])
            continue
        reply, alerts = desk.obey(Command.parse(order.payload, order.recv_ns), at.t_ns)
        store.record(alerts, replies=[reply], taken=[(order.number, at)])
