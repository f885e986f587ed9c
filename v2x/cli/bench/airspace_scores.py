"""What is counted of flown flights, and the bars it is held against.

Everything a flight is held to comes from its truth; the pipeline's own words are only compared
with it. Seconds are event time of the field, alerts at the time they came out.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import isfinite, isnan, nan
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from v2x.cli.bench.flying import AHEAD_S, WARNINGS, Flown, Outcome, fly

if TYPE_CHECKING:
    from replay.scenarios.flights.truth import Breach

DARK_WITHIN_S = 3.0
MEDIAN_ERROR_S = 1.5
WARNED_SHARE = 0.95
URGENT = 2
"""Severities 1 and 2 are those that people must act on at once."""


@dataclass
class Tally:
    """One family, over all its flights; lists hold names of flights or seconds."""

    flights: int = 0
    due: int = 0
    missed: list[str] = field(default_factory=list)
    foreseeable: int = 0
    unwarned: list[str] = field(default_factory=list)
    delay_s: list[float] = field(default_factory=list)
    ahead_s: list[float] = field(default_factory=list)
    error_s: list[float] = field(default_factory=list)
    unforeseen: int = 0
    false: list[str] = field(default_factory=list)
    dark_s: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    revised_s: list[float] = field(default_factory=list)
    detected_s: list[float] = field(default_factory=list)
    undetected: list[str] = field(default_factory=list)
    spoof_alarms: list[str] = field(default_factory=list)
    honest_s: float = 0.0


@dataclass
class Scores:
    """All families of a run, and what belongs to no flight."""

    families: dict[str, dict[str, Tally]] = field(default_factory=dict)
    strays: list[str] = field(default_factory=list)
    cpu_s: float = 0.0
    flown_s: float = 0.0
    frames: int = 0
    fields: int = 0

    def tally(self, suite: str, family: str) -> Tally:
        """Tally of a family, begun where it is new."""
        return self.families.setdefault(suite, {}).setdefault(family, Tally())

    def all(self, suite: str) -> list[Tally]:
        """Tallies of a suite."""
        return list(self.families.get(suite, {}).values())


def run(suite: str, seed: int, numbers: tuple[int, ...], families: list[str], to: Scores) -> None:
    """Fly one field and count it."""
    from replay.scenarios.flights.field import DURATION_S, make
    from replay.scenarios.flights.truth import breach

    made = make(suite, seed, numbers, families)
    nothing = np.zeros(0)
    breaches = {}
    for flight in made.flights:
        body = flight.bodies[0]
        if flight.zone is not None:
            seen = (made.seen.get(body.name, nothing), made.heard.get(body.name, nothing))
            breaches[flight.name] = breach(body, flight.zone, np.concatenate(seen))
    flown = fly(made, {name: b.enter_s for name, b in breaches.items()})
    count(suite, flown, breaches, to)
    to.cpu_s += flown.cpu_s
    to.flown_s += DURATION_S
    to.frames += flown.counts["in"]
    to.fields += 1


def count(suite: str, flown: Flown, breaches: "dict[str, Breach]", to: Scores) -> None:
    """Count one field that was flown."""
    for outcome in flown.outcomes.values():
        tally = to.tally(suite, outcome.flight.family)
        tally.flights += 1
        if suite == "incursions":
            _incursion(outcome, breaches[outcome.flight.name], tally)
        elif suite == "innocents":
            _innocent(outcome, tally)
        else:
            _claim(outcome, tally)
        _honest(suite, outcome, tally)
    for stray in flown.strays:
        if stray.severity <= URGENT:
            where = f"{suite} {next(iter(flown.outcomes))}"
            to.strays.append(f"{where} ..: {stray.type} {stray.severity} at {stray.out_s:.1f} s")


def _incursion(outcome: Outcome, true: "Breach", tally: Tally) -> None:
    flight = outcome.flight
    zone = flight.zone.id if flight.zone is not None else ""
    warnings = [a for a in outcome.alerts if a.type in WARNINGS and a.zone == zone]
    first = min((a.out_s for a in warnings), default=nan)
    tally.due += true.due
    if true.due and isnan(first):
        tally.missed.append(flight.name)
    if true.foreseeable:
        tally.foreseeable += 1
        if not first <= true.enter_s:
            tally.unwarned.append(flight.name)
        if isfinite(outcome.expected_s):
            tally.error_s.append(abs(outcome.expected_s - AHEAD_S))
        elif _straight_on(outcome, true):
            tally.unforeseen += 1
    if isfinite(first):
        (tally.ahead_s if first <= true.enter_s else tally.delay_s).append(
            abs(first - true.enter_s)
        )
    tally.false += [
        f"{flight.name}: {a.type} {a.zone} at {a.out_s:.1f} s"
        for a in outcome.alerts
        if a.zone not in (zone, "")
    ]


def _straight_on(outcome: Outcome, true: "Breach") -> bool:
    """Whether the true way `AHEAD_S` before led straight into the zone, and somebody saw it."""
    body, zone = outcome.flight.bodies[0], outcome.flight.zone
    t = true.enter_s - AHEAD_S
    if zone is None or not outcome.confirmed_s + 3.0 <= t:
        return False
    place, velocity = body.at(np.array([t])), body.velocity(np.array([t]))
    ahead = np.arange(0.0, 60.0, 0.5)[:, None]
    return bool((zone.depth(place + velocity * ahead) >= 0.0).any())


def _innocent(outcome: Outcome, tally: Tally) -> None:
    tally.false += [
        f"{outcome.flight.name}: {a.type} {a.severity} at {a.out_s:.1f} s ({', '.join(a.reasons)})"
        for a in outcome.alerts
        if a.severity <= URGENT
    ]


def _claim(outcome: Outcome, tally: Tally) -> None:
    flight, said = outcome.flight, outcome.verdict_s
    if flight.family in ("dark", "late"):
        after = said.get("dark", nan) - outcome.confirmed_s
        tally.dark_s.append(after)
        if not after <= DARK_WITHIN_S + 0.05:
            tally.wrong.append(f"{flight.name}: dark {after:.2f} s after it was confirmed")
    if flight.family == "unheard" and ("dark" in said or "unidentified" not in said):
        tally.wrong.append(f"{flight.name}: {', '.join(said)}")
    if flight.family == "late":
        _revised(outcome, tally)
    if isfinite(flight.since_s):
        alarms = [a.out_s for a in outcome.alerts if a.type == "identity_spoof"]
        since = [t - flight.since_s for t in alarms if t >= flight.since_s]
        if since:
            tally.detected_s.append(min(since))
        else:
            tally.undetected.append(flight.name)
        tally.spoof_alarms += [f"{flight.name}: too early" for t in alarms if t < flight.since_s]


def _revised(outcome: Outcome, tally: Tally) -> None:
    """A dark drone that says at last who it is: its alert stays and names it."""
    beacon = outcome.flight.bodies[0].beacon
    dark = [a for a in outcome.alerts if a.type == "uas_dark"]
    if beacon is None or not dark:
        tally.wrong.append(f"{outcome.flight.name}: no uas_dark")
        return
    after = min((a.identified_s - beacon.from_s for a in dark if isfinite(a.identified_s)),
                default=nan)  # fmt: skip
    if isnan(after):
        tally.wrong.append(f"{outcome.flight.name}: its alert never names it")
    else:
        tally.revised_s.append(after)


def _honest(suite: str, outcome: Outcome, tally: Tally) -> None:
    """Count false alarms of spoofing, and how long honest transmitters flew."""
    flight = outcome.flight
    if suite == "incursions" and flight.family == "spoofed":
        alarms = [a.out_s for a in outcome.alerts if a.type == "identity_spoof"]
        tally.detected_s += alarms[:1]
        if not alarms:
            tally.undetected.append(flight.name)
        return
    if isfinite(flight.since_s):
        return
    tally.honest_s += sum(b.until_s for b in flight.bodies if b.beacon is not None)
    tally.spoof_alarms += [
        f"{flight.name}: identity_spoof at {a.out_s:.1f} s ({', '.join(a.reasons)})"
        for a in outcome.alerts
        if a.type == "identity_spoof"
    ]


@dataclass(frozen=True)
class Bar:
    """One promise: what was reached, what was promised, and whether it holds."""

    name: str
    value: float
    limit: float
    ok: bool
    of: int


def bars(scores: Scores) -> list[Bar]:
    """The promises that these scores can speak about."""
    made = []
    incursions = scores.all("incursions")
    if incursions:
        due, missed = _sum(t.due for t in incursions), _sum(len(t.missed) for t in incursions)
        made.append(Bar("incursions due that were not alerted", missed, 0, missed == 0, due))
        n = _sum(t.foreseeable for t in incursions)
        late = _sum(len(t.unwarned) for t in incursions)
        share = 1.0 - late / n if n else nan
        made.append(
            Bar("share of the foreseeable warned of before the breach", share, WARNED_SHARE,
                not n or share >= WARNED_SHARE, n)
        )  # fmt: skip
        errors = [e for t in incursions for e in t.error_s]
        lost = _sum(t.unforeseen for t in incursions)
        middle = median([*errors, *[np.inf] * lost]) if errors else nan
        made.append(
            Bar(f"median error of the expected breach {AHEAD_S:.0f} s before it, s", float(middle),
                MEDIAN_ERROR_S, bool(middle < MEDIAN_ERROR_S), len(errors) + lost)
        )  # fmt: skip
    innocents = scores.all("innocents")
    if innocents:
        false = _sum(len(t.false) for t in innocents) + len(
            [s for s in scores.strays if s.startswith("innocents")]
        )
        n = _sum(t.flights for t in innocents)
        made.append(Bar("alerts of severity 1 or 2 on innocents", false, 0, false == 0, n))
    claims = scores.families.get("claims", {})
    for name, families in (
        ("dark where heard: not within 3 s", ("dark",)),
        ("silent where unheard: not unidentified", ("unheard",)),
        ("identity that comes late: not dark first, or not named", ("late",)),
    ):
        chosen = [claims[f] for f in families if f in claims]
        if chosen:
            wrong, n = _sum(len(t.wrong) for t in chosen), _sum(t.flights for t in chosen)
            made.append(Bar(name, wrong, 0, wrong == 0, n))
    false_claims = {f: t for f, t in claims.items() if t.detected_s or t.undetected}
    for family, tally in false_claims.items():
        n = len(tally.undetected)
        made.append(Bar(f"false claims not found: {family}", n, 0, n == 0, tally.flights))
    alarms = [a for suite in scores.families for t in scores.all(suite) for a in t.spoof_alarms]
    flights = sum(t.flights for suite in scores.families for t in scores.all(suite) if t.honest_s)
    if flights:
        made.append(
            Bar("identity_spoof on honest transmitters", len(alarms), 0, not alarms, flights)
        )
    return made


def as_dict(tally: Tally) -> dict[str, Any]:
    """A tally for JSON: lists of seconds as median and 90th percentile, lists of names as such."""
    made: dict[str, Any] = {}
    for name, value in vars(tally).items():
        if name.endswith("_s") and isinstance(value, list):
            made[name] = _spread(value)
        else:
            made[name] = value
    hours = tally.honest_s / 3600.0
    made["spoof_alarms_per_h"] = round(len(tally.spoof_alarms) / hours, 3) if hours else None
    return made


def _spread(values: list[float]) -> dict[str, float] | None:
    known = np.array([v for v in values if isfinite(v)])
    if not len(known):
        return None
    return {
        "n": len(known),
        "median": round(float(np.median(known)), 3),
        "p90": round(float(np.quantile(known, 0.9)), 3),
        "max": round(float(known.max()), 3),
    }


def _sum(values: Iterable[int]) -> int:
    return sum(values)
