"""The verdict on a track: one word by the first row that holds, from evidence in columns."""

from typing import NamedTuple

import numpy as np

from v2x.columns import B1, U1
from v2x.picture import Registered, Verdict


class Evidence(NamedTuple):
    """What a verdict is made of, one row per aircraft or unknown object, (n,) each."""

    manned: B1
    contradicted: B1
    """Tests of its claim say that it is not what or where it claims."""
    named: B1
    """Carries a Remote ID identity that was heard, now or earlier in its life."""
    elsewhere: B1
    """Nothing but its own word, and the identity is bound to a track that sensors see."""
    dark: B1
    """Meets the conditions of dark but for having no name."""
    covered: B1
    """Live receivers would hear it here, in the long run."""
    registered: U1
    needs_approval: B1
    planned: B1
    """Keeps to a plan that names it."""
    deviates: B1
    """A plan names it at this time, and it has left that: further than is tolerated."""
    independent: B1
    """An independent sensor fed the track in the last 5 s."""
    watched: B1
    """A live independent sensor covers the place."""


def verdicts(e: Evidence) -> U1:
    """`Verdict` of each row: the first that holds.

    Unregistered and unauthorised come before claimed: a drone known by its own word only is still
    what its word says. Where an approval is needed, a drone that left its plan flies without one;
    elsewhere it does not conform. Without need of approval it is authorised once an independent
    sensor sees it, claimed where none could, and undecided where one should and does not.
    """
    rules = (
        (e.manned, Verdict.MANNED),
        (e.contradicted, Verdict.SPOOFED),
        (~e.named & e.dark, Verdict.DARK),
        (~e.named & ~e.covered, Verdict.UNIDENTIFIED),
        (~e.named, Verdict.UNDECIDED),
        (e.elsewhere, Verdict.CLAIMED),
        (e.registered == Registered.NO, Verdict.UNREGISTERED),
        (e.needs_approval & ~e.planned, Verdict.UNAUTHORISED),
        (e.deviates, Verdict.NONCONFORMING),
        (e.planned | e.independent, Verdict.AUTHORISED),
        (~e.watched, Verdict.CLAIMED),
    )
    made: U1 = np.select(
        [condition for condition, _ in rules], [int(word) for _, word in rules], Verdict.UNDECIDED
    ).astype(np.uint8)
    return made
