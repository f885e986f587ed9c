"""A field of generated flights through the whole pipeline, and what came of each flight.

Frames go in as a live wire would give them, a few at a time, and an alert counts from the arrival
of the frame that let it out: waiting for late rows is part of what is measured. Whose track is
whose is decided by the places of the truth, then by the identity a track claims.
"""

import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from math import inf, nan
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from v2x.alert import Alert
from v2x.app.pipeline import Pipeline
from v2x.config import config_from
from v2x.frames import Poll
from v2x.ingest.timestamps import SECOND
from v2x.picture import Picture, Verdict
from v2x.tracks import Status

if TYPE_CHECKING:
    from replay.scenarios.flights.field import Field
    from replay.scenarios.flights.truth import Flight

NEAR_M = 100.0
"""A track is of the body that is nearest, within this."""
POLL = 10
AHEAD_S = 10.0
"""Foresight is judged so long before the breach."""
WARNINGS = ("zone_breach_predicted", "zone_intrusion")


@dataclass(frozen=True)
class Told:
    """One alert, from its first revision on; times in seconds of the field.

    ``out_s`` is when it came out, ``severity`` the worst it had; ``identified_s`` the first
    revision that names a claimed identity, ``zone`` and ``reasons`` as alerted.
    """

    type: str
    zone: str
    severity: int
    out_s: float
    event_s: float
    identified_s: float
    reasons: tuple[str, ...]
    flight: str


@dataclass
class Outcome:
    """What came of one flight.

    ``confirmed_s`` when a track of its first body was confirmed; ``verdict_s`` when a track of it
    first had each verdict; ``expected_s`` time to the breach as expected `AHEAD_S` before it.
    """

    flight: "Flight"
    enter_s: float = nan
    confirmed_s: float = nan
    verdict_s: dict[str, float] = field(default_factory=dict)
    expected_s: float = nan
    alerts: list[Told] = field(default_factory=list)


class Witness:
    """Watches the pictures: which track is of which flight, and what is said of it."""

    def __init__(self, made: "Field", enters: dict[str, float]) -> None:
        from replay.scenarios.flights.field import DURATION_S, START_NS
        from replay.scenarios.flights.motion import STEP_S

        self.outcomes = {f.name: Outcome(f, enter_s=enters.get(f.name, nan)) for f in made.flights}
        self.votes: dict[int, Counter[str]] = {}
        self._start_ns, self._step_s = START_NS, STEP_S
        self._owner = [f.name for f in made.flights for _ in f.bodies]
        self._first = [k == 0 for f in made.flights for k in range(len(f.bodies))]
        n = round(DURATION_S / STEP_S) + 2
        self._places = np.full((n, len(self._owner), 2), nan)
        for k, body in enumerate(made.bodies):
            steps = min(n, len(body.path))
            if body.real:
                self._places[:steps, k] = body.path[:steps, :2]
        self._by_ident = {
            text: f.name for f in made.flights for b in f.bodies for text in _idents(b)
        }

    def __call__(self, picture: Picture) -> None:
        """Take in one slice."""
        t_s = (picture.t_ns - self._start_ns) / SECOND
        step = round(t_s / self._step_s)
        tracks = picture.tracks
        rows = np.flatnonzero(tracks.status != Status.TENTATIVE)
        if not len(rows) or not 0 <= step < len(self._places):
            return
        apart = self._places[step][None] - tracks.x[rows, None, :2]
        far = np.nan_to_num(np.hypot(apart[..., 0], apart[..., 1]), nan=inf)
        nearest = far.argmin(axis=1)
        ids, idents = tracks.id[rows].tolist(), tracks.ident[rows].tolist()
        verdicts = picture.identities.verdict[rows].tolist()
        confirmed = (tracks.status[rows] == Status.CONFIRMED).tolist()
        of_row: dict[int, str] = {}
        for i, (k, row) in enumerate(zip(nearest.tolist(), rows.tolist(), strict=True)):
            near = far[i, k] <= NEAR_M
            owner = self._owner[k] if near else self._by_ident.get(
                picture.idents.get(idents[i], ""), ""
            )  # fmt: skip
            if not owner:
                continue
            of_row[row] = owner
            self.votes.setdefault(ids[i], Counter())[owner] += 1
            outcome = self.outcomes[owner]
            outcome.verdict_s.setdefault(Verdict(verdicts[i]).name.lower(), t_s)
            if near and self._first[k] and confirmed[i] and not outcome.confirmed_s <= t_s:
                outcome.confirmed_s = t_s
        self._foresee(picture, t_s, of_row)

    def of(self, track: int) -> str:
        """Flight that a track was most of the time, "" none."""
        votes = self.votes.get(track)
        return votes.most_common(1)[0][0] if votes else ""

    def named(self, ident: str) -> str:
        """Flight of an identity, "" none."""
        return self._by_ident.get(ident, "")

    def _foresee(self, picture: Picture, t_s: float, of_row: dict[int, str]) -> None:
        breach: Any = getattr(picture, "breach", None)
        if breach is None:
            return
        for k in range(len(breach)):
            owner = of_row.get(int(breach.track[k]))
            if owner is None:
                continue
            outcome = self.outcomes[owner]
            due = abs(t_s - (outcome.enter_s - AHEAD_S)) < 0.026
            zone = outcome.flight.zone
            if due and zone is not None and picture.zone_ids[int(breach.zone[k])] == zone.id:
                expected = float(breach.expected[k])
                if not abs(outcome.expected_s - AHEAD_S) <= abs(expected - AHEAD_S):
                    outcome.expected_s = expected


@dataclass(frozen=True)
class Flown:
    """One field flown: outcome per flight, alerts of nobody, frames, seconds, objects."""

    field: "Field"
    outcomes: dict[str, Outcome]
    strays: list[Told]
    counts: dict[str, int]
    cpu_s: float
    tracks: int


def fly(made: "Field", enters: dict[str, float]) -> Flown:
    """Run a field through a pipeline of its own.

    Parameters
    ----------
    enters
        When each flight truly enters its zone, s, by name.
    """
    from replay.scenarios.flights.field import START_NS

    witness = Witness(made, enters)
    out: list[tuple[float, Alert]] = []
    with tempfile.TemporaryDirectory() as folder:
        tree = made.write(Path(folder))
        pipeline = Pipeline(config_from(tree, "flights", Path(folder)), watch=witness, replay=True)
    began = time.process_time()
    for at in range(0, len(made.frames), POLL):
        frames = made.frames[at : at + POLL]
        for alert in pipeline.feed(Poll(frames)):
            out.append(((frames[-1].recv_ns - START_NS) / SECOND, alert))
    end_s = (made.frames[-1].recv_ns - START_NS) / SECOND
    out += [(end_s, alert) for alert in pipeline.finish()]
    cpu_s = time.process_time() - began
    strays = []
    for told in _told(out, witness, START_NS):
        if told.flight:
            witness.outcomes[told.flight].alerts.append(told)
        else:
            strays.append(told)
    counts = pipeline.counts.totals() | {"rejected": sum(pipeline.counts.rejects.values())}
    return Flown(made, witness.outcomes, strays, counts, cpu_s, pipeline.tracks)


def _told(out: list[tuple[float, Alert]], witness: Witness, start_ns: int) -> list[Told]:
    revisions: dict[str, list[tuple[float, Alert]]] = {}
    for out_s, alert in out:
        if alert.body.get("cause") != "self":
            revisions.setdefault(alert.id, []).append((out_s, alert))
    made = []
    for story in revisions.values():
        out_s, first = story[0]
        named = [(s, a) for s, a in story if a.body["subject"].get("claimed_identity") is not None]
        body = min((a for _, a in story), key=lambda a: a.severity).body
        made.append(
            Told(
                type=first.type,
                zone=first.body.get("zone", ""),
                severity=int(body["severity"]),
                out_s=out_s,
                event_s=(first.event_ns - start_ns) / SECOND,
                identified_s=named[0][0] if named else nan,
                reasons=tuple(str(r["code"]) for r in body["reasons"]),
                flight=_whose(story, witness),
            )
        )
    return made


def _whose(story: list[tuple[float, Alert]], witness: Witness) -> str:
    """Flight that an alert is about: by track, then identity, then the nearest place claimed."""
    for _, alert in story:
        subject = alert.body["subject"]
        for owner in (
            witness.of(int(subject["track"])) if "track" in subject else "",
            witness.named(subject.get("claimed_identity", "")),
        ):
            if owner:
                return owner
    return ""


def _idents(body: Any) -> list[str]:
    made = [] if body.beacon is None else [body.beacon.ident]
    return made if body.icao < 0 else [*made, f"icao:{body.icao:06x}"]
