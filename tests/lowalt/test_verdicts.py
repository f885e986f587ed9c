import itertools

import numpy as np
import pytest

from v2x.lowalt.verdicts import Evidence, verdicts
from v2x.picture import Registered, Verdict

FLAGS = tuple(name for name in Evidence._fields if name != "registered")


def naive(e: dict[str, bool], registered: Registered) -> Verdict:
    """The table, read from the top as a person would."""
    if e["manned"]:
        return Verdict.MANNED
    if e["contradicted"]:
        return Verdict.SPOOFED
    if not e["named"]:
        if e["dark"]:
            return Verdict.DARK
        return Verdict.UNDECIDED if e["covered"] else Verdict.UNIDENTIFIED
    if e["elsewhere"]:
        return Verdict.CLAIMED
    if registered == Registered.NO:
        return Verdict.UNREGISTERED
    if e["needs_approval"] and not e["planned"]:
        return Verdict.UNAUTHORISED
    if e["deviates"]:
        return Verdict.NONCONFORMING
    if e["planned"] or e["independent"]:
        return Verdict.AUTHORISED
    return Verdict.UNDECIDED if e["watched"] else Verdict.CLAIMED


def test_verdict_is_the_first_row_that_holds():
    cases = [
        (dict(zip(FLAGS, flags, strict=True)), registered)
        for flags in itertools.product([False, True], repeat=len(FLAGS))
        for registered in Registered
    ]
    columns = {name: np.array([e[name] for e, _ in cases]) for name in FLAGS}
    made = verdicts(Evidence(registered=np.array([r for _, r in cases], np.uint8), **columns))
    assert made.tolist() == [naive(e, registered) for e, registered in cases]
    assert set(made.tolist()) == set(Verdict) - {Verdict.NONE}


@pytest.mark.parametrize("n", [0, 3])
def test_verdicts_have_one_per_row(n):
    nothing = {name: np.zeros(n, bool) for name in FLAGS}
    made = verdicts(Evidence(registered=np.zeros(n, np.uint8), **nothing))
    assert made.dtype == np.uint8
    assert made.tolist() == [Verdict.UNIDENTIFIED] * n
