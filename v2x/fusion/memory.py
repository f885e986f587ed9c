"""All that a tracker holds from scan to scan, as one thing to hand to a kernel."""

from typing import Any, NamedTuple

from v2x.columns import F8, I4, I8
from v2x.fusion.intensity import Chart, Unseen
from v2x.fusion.layout import Beams, Edges, Live, Look, Motion, Notes, Settings
from v2x.fusion.rates import Ledger
from v2x.fusion.windows import Windows
from v2x.jit import borrowed, kernel


class Memory(NamedTuple):
    """Arrays of one tracker, and its numbers.

    Attributes
    ----------
    told
        (scans, 6) sums of each scan of the step.
    counts
        See `v2x.fusion.layout`.
    slots
        (cap,) room for the slots to be reported.
    """

    live: Live
    beams: Beams
    look: Look
    edges: Edges
    cfg: Settings
    motion: Motion
    chart: Chart
    unseen: Unseen
    notes: Notes
    told: F8
    ledger: Ledger
    windows: Windows
    counts: I8
    slots: I4


@kernel
def _borrow(memory: Memory) -> Any:
    return borrowed(memory)


def keep(memory: Memory) -> Any:
    """`memory` as `v2x.jit.borrowed` gives it to kernels, with its arrays kept alive."""
    made = _borrow(memory)
    made.lender = memory
    return made
