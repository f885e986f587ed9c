"""Trackforge's SORT, a box tracker in Rust: fast, and not made for metres.

Every plot becomes a box of `BOX_M`; boxes that overlap by `OVERLAP` may be one object. Its noise is
fixed in pixels and it reports only what was seen in the scan, so it misses what every look misses.
Confirmation and deletion 3/3, 6/4 in `hard` did best of those tried. Boxes have no height: tracks
are scored at that of the plot they took.
"""

import numpy as np
from trackforge import SORT  # type: ignore[import-not-found,unused-ignore]

from replay.scenarios.scenario import Scenario
from v2x.cli.bench.measuring import Estimates, Stopwatch, ends

BOX_M = 10.0
OVERLAP = 0.3
COUNTS = {"hard": (6, 4)}


def run(scenario: Scenario, watch: Stopwatch) -> Estimates:
    """Track all scans; the making of boxes counts, as of our plots."""
    d = scenario.dim
    confirm, delete = COUNTS.get(scenario.name, (3, 3))
    tracker = SORT(max_age=delete, min_hits=confirm, iou_threshold=OVERLAP)
    made, last = Estimates(), ends(scenario)
    half = 0.5 * BOX_M
    for k, z in enumerate(scenario.plots):
        with watch:
            corner = (z[:, :2] - half).tolist()
            boxes = [([x, y, BOX_M, BOX_M], 0.9, 0) for x, y in corner]
            tracks = tracker.update(boxes)
        if k in last:
            rows = [
                [b[0] + 0.5 * b[2], b[1] + 0.5 * b[3], *(z[i, 2:] if i is not None else [0.0])][:d]
                for _, b, _, _, i in tracks
            ]
            made.add([track[0] for track in tracks], np.array(rows), d)
    return made
