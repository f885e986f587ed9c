"""Where every frame and row went, and the summary of a run."""

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from v2x.alert import Alert

if TYPE_CHECKING:
    from v2x.app.pipeline import Pipeline


@dataclass
class Counts:
    """Where every frame and every row went; exact, per source."""

    frames: dict[str, Counter[str]] = field(default_factory=dict)
    rows: Counter[str] = field(default_factory=Counter)
    rejects: Counter[tuple[str, str]] = field(default_factory=Counter)
    merge_disorder: int = 0

    def totals(self) -> dict[str, int]:
        """Frames in, processed, dead letter, late and duplicate over all sources."""
        made = dict.fromkeys(("in", "processed", "dead_letter", "late", "duplicate"), 0)
        for counter in self.frames.values():
            for name, n in counter.items():
                made[name] += n
        return made

    def state(self) -> dict[str, Any]:
        """What must survive a restart, as plain data."""
        return {
            "frames": {name: dict(counter) for name, counter in self.frames.items()},
            "rows": dict(self.rows),
            "rejects": [(*name, n) for name, n in self.rejects.items()],
            "merge_disorder": self.merge_disorder,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Put back what `state` gave."""
        self.frames = {name: Counter(totals) for name, totals in state["frames"].items()}
        self.rows = Counter(state["rows"])
        self.rejects = Counter({(form, reason): n for form, reason, n in state["rejects"]})
        self.merge_disorder = state["merge_disorder"]


def summary(pipeline: "Pipeline", cpu_s: float, steal_s: float) -> dict[str, Any]:
    """What a run did, as JSON-able values.

    ``frames`` hold the conservation law: in = processed + dead_letter + late + duplicate, and in a
    run without end the frames in flight, which wait for other parts of their message; ``rows``
    theirs: decoded = used + late + refused. ``folded`` rows are none of the late ones: their slice
    was closed when they came, but the tracker went back for them. Alerts of cause ``self`` stand
    apart in ``self``; each bears the most urgent severity it had. A restored pipeline counts from
    the start of its run, but times and digests what it did itself.
    """
    counts = pipeline.counts
    rejects: dict[str, dict[str, int]] = {}
    for (form, reason), n in sorted(counts.rejects.items()):
        rejects.setdefault(form, {})[reason] = n
    last: dict[str, Alert] = {}
    worst: dict[str, int] = {}
    for alert in pipeline.alerts:
        last[alert.id] = alert
        worst[alert.id] = min(alert.severity, worst.get(alert.id, alert.severity))
    listed = [
        {**_brief(alert), "severity": worst[alert.id]}
        for alert in last.values()
        if alert.body.get("cause") != "self"
    ]
    slices = np.array(pipeline.slice_s or [np.nan]) * 1e3
    p50, p99 = (
        None if np.isnan(v) else round(float(v), 3) for v in np.percentile(slices, (50, 99))
    )
    used = counts.rows["used"] - pipeline.used_before
    return {
        "frames": counts.totals(),
        "sources": {name: dict(counter) for name, counter in sorted(counts.frames.items())},
        "rows": dict(counts.rows),
        "rejects": rejects,
        "merge_disorder": counts.merge_disorder,
        "folded": pipeline.folded,
        "slices": pipeline.slices,
        "tracks": pipeline.tracks,
        "alerts": {
            "by_type": dict(sorted(Counter(a["type"] for a in listed).items())),
            "by_severity": dict(sorted(Counter(str(a["severity"]) for a in listed).items())),
            "list": listed,
            "self": [_brief(a) for a in last.values() if a.body.get("cause") == "self"],
        },
        "slice_ms": {"p50": p50, "p99": p99},
        "objects_per_core_s": round(used / cpu_s) if cpu_s > 0 else None,
        "digest": pipeline.digests(),
        "steal_s": round(steal_s, 3),
    }


def _brief(alert: Alert) -> dict[str, Any]:
    keys = ("id", "type", "severity", "zone", "subject", "onset", "condition")
    return {key: alert.body[key] for key in keys if key in alert.body}


def steal_s() -> float:
    """CPU seconds that the hypervisor took from this machine since boot; 0 where not told."""
    try:
        fields = Path("/proc/stat").read_text("ascii").split("\n", 1)[0].split()
        return int(fields[8]) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError, ValueError):
        return 0.0
