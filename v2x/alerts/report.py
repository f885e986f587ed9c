"""Report: how many alerts a position gets, how they are answered, and how often they are right.

Measures and targets of EEMUA 191 and ISA-18.2 (by secondary sources), those of answers ours. All of
it comes from the history and the newest records of a store, in event time: the same store gives the
same report on any day. Drills, replays, alerts that were withheld from the start and proven ghosts
are in no count and listed apart.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from v2x.alerts.cases import Case, after
from v2x.alerts.history import transition_of
from v2x.alerts.stamps import iso_utc
from v2x.alerts.transitions import CLOSED, FALSE_ALARM, SHELVED, SUPPRESSED

SECOND = 1_000_000_000
DAY = 86_400 * SECOND
HOUR = 3_600 * SECOND
WINDOW = 600 * SECOND
"""Ten minutes, counted from the beginning of the report."""
FLOOD = 10
CHATTER, CHATTER_NS = 3, 60 * SECOND
STANDING_NS = DAY
_RIGHT = frozenset({"confirmed_unauthorised", "confirmed_incident", "repaired"})
_INTEGRITY = frozenset({"identity_spoof", "vehicle_spoofed", "gnss_interference"})
"""Types that a close code `spoof` proves right; of all others it says there was no such target."""
_RAISES = frozenset({"raise", "return", "reopen"})

TARGETS: Mapping[str, tuple[float, Callable[[Mapping[str, Any]], float | None]]] = {
    "per_day": (150.0, lambda r: r["per_day"]),
    "per_hour": (6.0, lambda r: r["per_hour"]),
    "per_10min": (1.0, lambda r: r["per_10min"]["mean"]),
    "flood_fraction": (0.01, lambda r: r["flood_fraction"]),
    "chattering": (0.0, lambda r: len(r["chattering"])),
    "standing_24h": (4.0, lambda r: len(r["standing_24h"])),
    "share_1": (0.05, lambda r: r["share"]["1"]),
    "share_2": (0.15, lambda r: r["share"]["2"]),
    "ack_s": (30.0, lambda r: r["ack_s"]["p90"]),
    "assign_s": (120.0, lambda r: r["assign_s"]["p90"]),
    "arrive_s": (180.0, lambda r: r["arrive_s"]["p90"]),
    "resolve_s": (3_600.0, lambda r: r["resolve_s"]["p90"]),
    "false_sev1_per_7d": (1.0, lambda r: r["false_sev1_per_7d"]),
}
"""The most that is still good, and where it is in the report. Of the answers: severity 1."""


@dataclass(slots=True)
class _Life:
    """One alert in the report."""

    case: Case = field(default_factory=Case)
    raised_ns: int = 0
    worst: int = 4
    withheld: bool = False
    raises: list[int] = field(default_factory=list)
    active_ns: int = 0
    first: dict[str, int] = field(default_factory=dict)


def report(
    entries: Iterable[Mapping[str, Any]],
    bodies: Iterable[Mapping[str, Any]],
    deliveries: Mapping[str, Mapping[str, int]],
    since_ns: int,
    until_ns: int,
) -> dict[str, Any]:
    """Report on the alerts raised in ``[since_ns, until_ns)``.

    Parameters
    ----------
    entries
        The whole history, in order.
    bodies
        Newest record of each alert.
    deliveries
        Per destination ``sent``, ``repeated``, ``waiting`` and ``dead``.

    Returns
    -------
    dict
        The measures; under ``targets`` for each that has one ``target`` and ``pass`` (None where
        nothing was measured), and under ``apart`` what no measure counts.
    """
    lives = _lives(entries, until_ns)
    records = {body["id"]: body for body in bodies}
    every = {
        id: life
        for id, life in lives.items()
        if id in records and since_ns <= life.raised_ns < until_ns
    }
    apart = {name: 0 for name in ("drill", "replay", "withheld", "ghosts")}
    counted: dict[str, _Life] = {}
    for id, life in every.items():
        why = _apart(life, records[id])
        if why:
            apart[why] += 1
        else:
            counted[id] = life
    days = max((until_ns - since_ns) / DAY, 1e-9)
    windows = _windows([life.raised_ns for life in counted.values()], since_ns, until_ns)
    floods = np.flatnonzero(windows > FLOOD)
    worst = Counter(life.worst for life in counted.values())
    total = len(counted)
    types = Counter(records[id]["type"] for id in counted)
    made: dict[str, Any] = {
        "since": iso_utc(since_ns),
        "until": iso_utc(until_ns),
        "days": round(days, 6),
        "alerts_total": total,
        "per_day": round(total / days, 3),
        "per_hour": round(total / days / 24.0, 3),
        "per_10min": {"mean": round(float(windows.mean()), 3), "max": int(windows.max())},
        "flood_fraction": round(len(floods) / len(windows), 6),
        "flood_windows": [
            {"start": iso_utc(since_ns + int(k) * WINDOW), "alerts": int(windows[k])}
            for k in floods
        ],
        "chattering": [
            _named(id, records[id]) | {"raises": len(life.raises)}
            for id, life in counted.items()
            if _chatters(life.raises)
        ],
        "standing_24h": [
            _named(id, records[id]) | {"since": iso_utc(life.active_ns)}
            for id, life in counted.items()
            if _stands(life, until_ns)
        ],
        "shelved_now": sum(life.case.state == SHELVED for life in lives.values()),
        "suppressed_now": sum(life.case.state == SUPPRESSED for life in lives.values()),
        "share": {str(n): round(worst[n] / total, 4) if total else None for n in (1, 2, 3, 4)},
        "top10": [{"type": type, "alerts": n} for type, n in _most(types)[:10]],
        "by_rule": [_of_rule(type, counted, records) for type in sorted(types)],
    }
    urgent = [life for life in counted.values() if life.worst == 1]
    for name, event in (("ack_s", "ack"), ("assign_s", "assign"), ("arrive_s", "accept"),
                        ("resolve_s", "resolve")):  # fmt: skip
        made[name] = _percentiles(urgent, event)
    false = [life for id, life in counted.items() if _label(life, records[id]["type"]) is False]
    made["precision"] = _precision(counted, records)
    made["false_sev1_per_7d"] = round(sum(life.worst == 1 for life in false) / days * 7.0, 3)
    made["delivery"] = {
        name: {"sent": n["sent"], "repeated": n["repeated"], "stale": 0, "dead": n["dead"],
               "waiting": n["waiting"]}
        for name, n in deliveries.items()
    }  # fmt: skip
    made["apart"] = apart
    made["targets"] = {
        name: {"target": most, "pass": None if (value := of(made)) is None else value <= most}
        for name, (most, of) in TARGETS.items()
    }
    return made


def _lives(entries: Iterable[Mapping[str, Any]], until_ns: int) -> dict[str, _Life]:
    """Alerts by id, in the order in which they were raised, as they were at `until_ns`."""
    lives: dict[str, _Life] = {}
    for entry in entries:
        t = entry["t_ns"]
        if "refused" in entry or t >= until_ns:
            continue
        life = lives.setdefault(entry["id"], _Life())
        event, was = entry["event"], life.case
        life.case = after(was, transition_of(entry))
        life.worst = min(life.worst, life.case.severity)
        if was.rev == 0:
            life.raised_ns, life.withheld = t, event == "suppress"
        if life.case.active and not was.active:
            life.active_ns = t
        if event in _RAISES:
            life.raises.append(t)
        life.first.setdefault("ack" if event == "assign" and was.state == "open" else event, t)
        life.first.setdefault(event, t)
    return lives


def _apart(life: _Life, body: Mapping[str, Any]) -> str:
    if body["drill"] or life.case.code == "drill":
        return "drill"
    if body["replay"]:
        return "replay"
    if life.withheld:
        return "withheld"
    ghost = life.case.state == CLOSED and life.case.code == "spoof"
    return "ghosts" if ghost and body["type"] not in _INTEGRITY else ""


def _windows(raised: Sequence[int], since_ns: int, until_ns: int) -> Any:
    n = max(1, -(-(until_ns - since_ns) // WINDOW))
    at = (np.array(raised, np.int64) - since_ns) // WINDOW
    return np.bincount(at, minlength=n)


def _chatters(raises: Sequence[int]) -> bool:
    """More than three raises within a minute."""
    return any(
        later - first <= CHATTER_NS for first, later in zip(raises, raises[CHATTER:], strict=False)
    )


def _stands(life: _Life, until_ns: int) -> bool:
    case = life.case
    return case.active and case.state != CLOSED and until_ns - life.active_ns > STANDING_NS


def _label(life: _Life, type: str) -> bool | None:
    """Whether the alert was right, by the code it was closed with; None: the code does not say."""
    code = life.case.code
    if life.case.state != CLOSED:
        return None
    if code == "spoof" and type in _INTEGRITY:
        return True
    if code in _RIGHT:
        return True
    return False if code in FALSE_ALARM else None


def _precision(
    lives: Mapping[str, _Life], records: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, dict[str, Any]]]:
    """Right and false alerts, and the share of the right, by rule, zone and sensor."""
    counts: dict[str, dict[str, Counter[bool]]] = {"rule": {}, "zone": {}, "sensor": {}}
    for id, life in lives.items():
        body = records[id]
        label = _label(life, body["type"])
        if label is None:
            continue
        sensors = {e["sensor"] for e in body["evidence"] if "sensor" in e}
        zones = {body["zone"]} if "zone" in body else set()
        for kind, names in (("rule", {body["type"]}), ("zone", zones), ("sensor", sensors)):
            for name in names:
                counts[kind].setdefault(name, Counter())[label] += 1
    return {
        kind: {
            name: {"right": n[True], "false": n[False],
                   "precision": round(n[True] / n.total(), 4)}
            for name, n in sorted(found.items())
        }
        for kind, found in counts.items()
    }  # fmt: skip


def _of_rule(
    type: str, lives: Mapping[str, _Life], records: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    mine = [life for id, life in lives.items() if records[id]["type"] == type]
    labels = [_label(life, type) for life in mine]
    return {
        "type": type,
        "alerts": len(mine),
        "by_severity": {str(n): sum(life.worst == n for life in mine) for n in (1, 2, 3, 4)},
        "right": labels.count(True),
        "false": labels.count(False),
    }


def _percentiles(lives: Sequence[_Life], event: str) -> dict[str, Any]:
    """Seconds from the raise to the first such event; None where there was none."""
    taken = [(life.first[event] - life.raised_ns) / SECOND for life in lives if event in life.first]
    if not taken:
        return {"p50": None, "p90": None, "p99": None, "n": 0}
    found = np.percentile(taken, (50, 90, 99))
    p50, p90, p99 = (round(float(value), 3) for value in found)
    return {"p50": p50, "p90": p90, "p99": p99, "n": len(taken)}


def _named(id: str, body: Mapping[str, Any]) -> dict[str, Any]:
    subject = body["subject"]
    made = {"id": id, "type": body["type"], "subject": subject}
    return made | ({"zone": body["zone"]} if "zone" in body else {})


def _most(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
