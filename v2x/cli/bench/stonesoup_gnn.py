"""Stone Soup's global nearest neighbour behind its kd-tree: the fastest of its trackers.

Settings as of its JPDA (`stonesoup`), whose counts did best here too.
"""

from stonesoup.tracker.simple import MultiTargetTracker

from replay.scenarios.scenario import Scenario
from v2x.cli.bench.measuring import Estimates, Stopwatch
from v2x.cli.bench.stonesoup import COUNTS, Feed, Parts, drive


def run(scenario: Scenario, watch: Stopwatch) -> Estimates:
    """Track all scans; detections are made beforehand, untimed."""
    parts, feed = Parts(scenario, COUNTS), Feed(scenario)
    tracker = MultiTargetTracker(
        parts.initiator, parts.deleter, feed, parts.nearest(), parts.updater
    )
    return drive(iter(tracker), feed, parts, scenario.dim, watch)
