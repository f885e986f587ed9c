"""What an estimate is worth: scores over the window, and the same instant by instant."""

from dataclasses import asdict
from math import sqrt
from typing import Any

import numpy as np

from replay.scenarios.scenario import Scenario
from v2x.cli.bench.measuring import Estimates
from v2x.cli.tables import clean
from v2x.columns import B1, F8, I8
from v2x.scoring import Consistency, Frames, consistency, gospa_series, nees_of_pairs, score

WARM_UP_S = 1.0
"""Metrics count from here: the first instants judge the start, not the tracker."""
CUTOFF_M = 5.0


def judge(
    world: Scenario, said: Estimates, nis: list[tuple[F8, I8]] | None = None
) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """Score what a tracker said.

    Returns
    -------
    score
        `Score` by name, and `Consistency` under ``nees`` and ``nis``, None where not stated.
    series
        ``t_s``; ``gospa``, ``localisation``, ``missed``, ``false`` m over the root of the number
        of objects, the parts as their shares of the whole, so that they add up to it;
        ``nees``, ``nis`` per axis with the half width of their 95 % band ``nees_band``,
        ``nis_band``, None where nothing was paired.
    """
    keep = [k for k, t in enumerate(world.truth_s) if t >= WARM_UP_S]
    there = {k: _judged(world, said, k) for k in keep}
    truth = Frames.of(
        [world.truth_id[k][there[k][0]] for k in keep], [world.truth[k][there[k][0]] for k in keep]
    )
    tracks = Frames.of(
        [said.ids[k][there[k][1]] for k in keep], [said.positions[k][there[k][1]] for k in keep]
    )
    made: dict[str, Any] = {
        key: clean(value) for key, value in score(truth, tracks, CUTOFF_M).as_dict().items()
    }
    parts = gospa_series(truth, tracks, CUTOFF_M)
    whole = parts.gospa / np.sqrt(np.maximum(parts.objects, 1))
    series: dict[str, list[Any]] = {
        "t_s": [world.truth_s[k] for k in keep], "gospa": whole.tolist()
    }  # fmt: skip
    for name in ("localisation", "missed", "false"):
        share = np.square(getattr(parts, name) / np.maximum(parts.gospa, 1e-300))
        series[name] = (whole * share).tolist()
    made["nees"] = made["nis"] = None
    if said.covariances:
        at = np.array([round(world.truth_s[k] * 1e9) for k in keep], np.int64)
        P = [said.covariances[k][there[k][1]] for k in keep]
        made["nees"] = _as_dict(nees_of_pairs(truth, tracks, np.concatenate(P), at))
        instants = [
            nees_of_pairs(Frames.of([i], [x]), Frames.of([j], [y]), cov, at[:1])
            for i, x, j, y, cov in zip(*_each(truth), *_each(tracks), P, strict=True)
        ]
        _add(series, "nees", instants)
    if nis:
        made["nis"] = _as_dict(
            consistency(*(np.concatenate([nis[k][i] for k in keep]) for i in (0, 1)))
        )
        _add(series, "nis", [consistency(*nis[k]) for k in keep])
    return made, series


def _add(series: dict[str, list[Any]], name: str, found: list[Consistency]) -> None:
    series[name] = [clean(c.mean) for c in found]
    series[f"{name}_band"] = [clean(0.5 * (c.high - c.low)) for c in found]


def _as_dict(found: Consistency) -> dict[str, Any]:
    made = asdict(found)
    return {key: value if key == "inside" else clean(value) for key, value in made.items()}


def mean_sd(values: list[float]) -> dict[str, float | None]:
    """Mean over seeds and standard deviation of one seed; None for the latter of a single one."""
    n = len(values)
    mean = sum(values) / n
    sd = sqrt(sum((x - mean) ** 2 for x in values) / (n - 1)) if n > 1 else None
    return {"mean": mean, "sd": sd}


def _judged(world: Scenario, said: Estimates, k: int) -> tuple[B1, B1]:
    """Objects and tracks of an instant that count: where sensors cannot look, nobody is judged.

    Objects outside of all coverage are left out, and so are tracks nearer to one of them than to
    any other object.
    """
    x, y = world.truth[k], said.positions[k]
    if not world.covered or world.covered[k].all():
        return np.ones(len(x), bool), np.ones(len(y), bool)
    inside = world.covered[k]
    hidden = _nearest(y, x[~inside])
    return inside, (hidden >= CUTOFF_M) | (_nearest(y, x[inside]) <= hidden)


def _nearest(y: F8, x: F8) -> F8:
    """Distance (m,) of each of y (m, d) to the nearest of x (n, d), inf without any."""
    return np.array([np.sqrt(((x - row) ** 2).sum(axis=1)).min(initial=np.inf) for row in y])


def _each(frames: Frames) -> tuple[list[I8], list[F8]]:
    """Ids and positions of every instant."""
    pairs = [frames.at(k) for k in range(len(frames))]
    return [ids for ids, _ in pairs], [x for _, x in pairs]
