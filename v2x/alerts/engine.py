"""Engine: findings of the present slice to revisions of alerts. All time here is event time.

A finding must last (hold) before it is an alert, and be gone (quiet) before the alert is cleared.
An alert that comes back while it is not closed, or within 15 minutes of that, is the same alert; a
later one names it as `previous`. A subject that cannot be seen has not left: an alert about a zone
stays while its track is lost.

The engine watches the world; what happens to an alert is written down by its `Desk`, where also
people's commands are answered and their timers go off. Inhibition and incidents come last in a
slice: they look at what has become of all alerts in it.

A rule that raises an exception takes `Engine.judge` with it in this form: the caller decides.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from json import dumps
from math import isfinite, isinf
from typing import Any

from v2x.alert import Alert, Finding, Rule, alert_id
from v2x.alerts.commands import Command, Reply
from v2x.alerts.desk import Desk
from v2x.alerts.eviction import Eviction
from v2x.alerts.flood import Flood
from v2x.alerts.grouping import Grouping
from v2x.alerts.inhibition import Window
from v2x.alerts.life import NEVER, Key, Life
from v2x.alerts.record import facts_of, motions, position_of
from v2x.alerts.refound import REFIND_NS, coasts, outside, returned, seen
from v2x.alerts.transitions import ACKED, CLOSED, OPEN, OVER, SHELVED
from v2x.picture import Picture
from v2x.readings import Name

GAP_NS = 300_000_000
"""Slices without a finding that do not end a hold."""
SURE = 0.9
"""Existence from which a track is reason enough for an alert; below it findings only keep."""
REOPEN_NS = 900_000_000_000
LATCH_NS = 10_000_000_000
"""Quiet time of a latched alert, and of one lost inside a zone, that a person has ended."""
PERIOD_NS = {1: 1_000_000_000, 2: 1_000_000_000, 3: 5_000_000_000, 4: 5_000_000_000}
"""Least time between revisions that only move the position."""
MOST = 10_000
LEAST = 4

Settings = Mapping[str, tuple[bool, float | None, float | None]]
"""Per rule: enabled, hold_s, quiet_s; None: as the rule says."""


@dataclass(frozen=True, slots=True)
class _Judge:
    rule: Rule
    hold_ns: int
    quiet_ns: int
    cause: str
    auto: bool


@dataclass(slots=True)
class _Held:
    """A finding that has not lasted long enough.

    Since when, newest, how long of it only kept, and whether no room was found.
    """

    onset_ns: int
    last_ns: int
    kept_ns: int = 0
    refused: bool = False


class Engine:
    """Alerts of one pipeline.

    Parameters
    ----------
    rules
        Each judged once a slice; order does not matter.
    settings
        What an operator set per rule; a rule that is not named runs as it is.
    context
        ``version``, ``config_hash``, ``zones_hash`` and ``replay`` for the records. The zones'
        hash of the picture wins over the one given here.
    most
        Alerts remembered, active and cleared.
    windows
        Work on devices, whose alerts it hides.

    Attributes
    ----------
    desk
        All alerts by id, and the answers to commands.
    """

    def __init__(
        self,
        rules: Iterable[Rule],
        settings: Settings,
        context: Mapping[str, Any],
        most: int = MOST,
        windows: Sequence[Window] = (),
    ) -> None:
        self._judges: list[_Judge] = []
        for rule in sorted(rules, key=lambda r: r.type):
            enabled, hold_s, quiet_s = settings.get(rule.type, (True, None, None))
            if enabled:
                self._judges.append(
                    _Judge(
                        rule,
                        _ns(rule.hold_s if hold_s is None else hold_s),
                        _ns(rule.quiet_s if quiet_s is None else quiet_s),
                        getattr(rule, "cause", "target"),
                        bool(getattr(rule, "auto", False)),
                    )
                )
        self._by_type = {judge.rule.type: judge for judge in self._judges}
        self._context = dict(context)
        self._active: dict[Key, Life] = {}
        self._past: dict[Key, Life] = {}
        self._held: dict[Key, _Held] = {}
        self._left: dict[Key, int] = {}
        self._kept: dict[str, tuple[tuple[int, int], bytes]] = {}
        self.desk: Desk[Life] = Desk()
        self._flood = Flood()
        self._eviction = Eviction(most)
        self._grouping = Grouping(self.desk, tuple(windows))

    @property
    def reads(self) -> tuple[Name, ...]:
        """Names of the readings that the enabled rules look for in the picture."""
        names: set[Name] = set()
        for judge in self._judges:
            names.update(getattr(judge.rule, "reads", ()))
        return tuple(sorted(names))

    def counts(self) -> dict[str, int]:
        """Alerts active and remembered; evicted; findings refused for want of room; floods."""
        return {
            "active": len(self._active),
            "remembered": len(self._active) + len(self._past),
            "evicted": self._eviction.evicted,
            "refused": self._eviction.refused,
            "floods": self._flood.count,
        }

    def state(self) -> dict[str, Any]:
        """What must survive a restart, as plain data: alerts, holds, ghosts, answers, counts."""
        return {
            "active": [life.state() for life in self._active.values()],
            "past": self._put_away(),
            "held": [
                (key, h.onset_ns, h.last_ns, h.kept_ns, h.refused) for key, h in self._held.items()
            ],
            "left": list(self._left.items()),
            "replies": self.desk.state(),
            "flood": self._flood.state(),
            "evicted": self._eviction.evicted,
            "refused": self._eviction.refused,
        }

    def _put_away(self) -> list[bytes]:
        """States of cleared alerts, each made once: they change when their track does, else not."""
        before, self._kept = self._kept, {}
        for life in self._past.values():
            now = life.case.rev, life.seen_ns
            kept = before.get(life.id)
            self._kept[life.id] = kept if kept and kept[0] == now else (now, life.state())
        return [state for _, state in self._kept.values()]

    def restore(self, state: dict[str, Any]) -> None:
        """Put back what `state` gave, into an engine of the same rules and settings."""
        active, past = ([Life.restored(s) for s in state[name]] for name in ("active", "past"))
        self._active = {life.key: life for life in active}
        self._past = {life.key: life for life in past}
        kept = zip(past, state["past"], strict=True)
        self._kept = {life.id: ((life.case.rev, life.seen_ns), plain) for life, plain in kept}
        self._held = {_key(key): _Held(*held) for key, *held in state["held"]}
        self._left = {_key(key): plot_ns for key, plot_ns in state["left"]}
        self.desk = Desk((life.id, life) for life in (*active, *past))
        self.desk.restore(state["replies"])
        self._flood.restore(state["flood"])
        self._grouping = Grouping(self.desk, self._grouping.windows)
        self._eviction.evicted, self._eviction.refused = state["evicted"], state["refused"]

    def obey(self, command: Command, t_ns: int) -> tuple[Reply, list[Alert]]:
        """Answer a command between two slices, of which `t_ns` ends the first."""
        return self.desk.obey(command, t_ns)

    def judge(self, picture: Picture) -> list[Alert]:
        """New revisions of this slice, ordered by (rule, subject, zone)."""
        ids = picture.tracks.id.tolist()
        rows = dict(zip(ids, range(len(ids)), strict=True))
        found = self._findings(picture, rows)
        self._look(picture, rows)
        self._refind(picture, found, rows)
        in_force = _in_force(picture) if any(life.zone for life in self._active.values()) else None
        gone: dict[str, Key] = {}
        new: list[Life] = []

        out = self.desk.fire(picture.t_ns)
        for key, life in list(self._active.items()):
            ended = bool(life.zone) and in_force is not None and life.zone not in in_force
            if ended:
                out += self._clear(life, picture, "zone_ended")
            elif (finding := found.pop(key, None)) is not None:
                out += self._sustain(life, finding, picture)
            else:
                out += self._miss(life, picture, rows)
        for key in sorted(found, key=_order):
            for life, alerts in self._raise(key, found[key], picture, rows):
                out += alerts
                if life.id not in self.desk.held:
                    gone[life.id] = life.key
                elif life.active:
                    new.append(life)
        for key in [k for k, h in self._held.items() if picture.t_ns - h.last_ns > GAP_NS]:
            del self._held[key]
        out += self._grouping.settle(self._active.values(), new, out, picture.t_ns)
        self._flood.count_in(new, picture.t_ns)
        held = self.desk.held
        out.sort(key=lambda a: _order(held[a.id].key if a.id in held else gone[a.id]))
        return out

    def _findings(self, picture: Picture, rows: Mapping[int, int]) -> dict[Key, Finding]:
        """Every rule's findings; of two for one key the raising, then the more severe stays."""
        found: dict[Key, Finding] = {}
        for judge in self._judges:
            for finding in judge.rule.check(picture):
                if finding.subject[0] == "track" and _unsure(finding, picture):
                    finding = replace(finding, raises=False)
                key = (judge.rule.type, finding.subject, finding.zone)
                before = found.get(key)
                if before is None or _weight(finding) < _weight(before):
                    found[key] = finding
        for key, plot_ns in list(self._left.items()):
            # The alert went on to another track; this one, if no plot fed it since, is its ghost.
            row = rows.get(int(key[1][1]))
            if row is None or int(picture.tracks.last_ns[row]) != plot_ns:
                del self._left[key]
            else:
                found.pop(key, None)
        return found

    def _look(self, picture: Picture, rows: Mapping[int, int]) -> None:
        """Note where the subjects of active alerts are now."""
        lives = [life for life in self._active.values() if life.track in rows]
        if not lives:
            return
        reported = motions(picture, [rows[life.track] for life in lives])
        for life, motion in zip(lives, reported, strict=True):
            life.motion = motion
            life.seen_ns = picture.t_ns

    def _refind(self, picture: Picture, found: dict[Key, Finding], rows: Mapping[int, int]) -> None:
        """Give alerts whose track is lost to the track that it came back as."""
        if not len(picture.tracks):
            return
        for key, life in list(self._active.items()):
            row = rows.get(life.track)
            if life.track < 0 or (row is not None and not coasts(picture, row)):
                continue
            for new in returned(life, picture):
                other = (life.rule, ("track", int(picture.tracks.id[new])), life.zone)
                if other in self._active:
                    continue
                if other in found or (row is None and outside(life, picture, new)):
                    found.pop(key, None)
                    del self._active[key]
                    self._take_over(life, picture, new, rows)
                    self._active[life.key] = life
                    break

    def _take_over(self, life: Life, picture: Picture, new: int, rows: Mapping[int, int]) -> None:
        old = rows.get(life.track)
        if old is not None:
            self._left[life.key] = int(picture.tracks.last_ns[old])
        life.subject = ("track", int(picture.tracks.id[new]))
        life.motion = motions(picture, [new])[0]
        life.seen_ns = picture.t_ns
        life.moved = True
        self._held.pop(life.key, None)

    def _sustain(self, life: Life, finding: Finding, picture: Picture) -> list[Alert]:
        """Take a finding in, and say what must be said at once, or may be said again."""
        changed = life.lost or life.moved
        self._take_in(life, finding, picture)
        changed = changed or not life.codes() <= life.said
        fallen = self._fallen(life, finding, picture.t_ns)
        if finding.severity < life.severity:
            return self._rise(life, finding.severity, picture)
        if life.case.state == CLOSED:
            return []
        if fallen > life.severity:
            return [self._tell(life, "update", picture, severity=fallen)]
        if changed or self._due(life, picture.t_ns):
            return [self._tell(life, "update", picture)]
        return []

    def _rise(self, life: Life, severity: int, picture: Picture) -> list[Alert]:
        """Make an alert as urgent as its newest finding, if that is more urgent."""
        if severity >= life.severity:
            return []
        out: list[Alert] = []
        if life.case.state == CLOSED:  # as less than it is
            return [self._tell(life, "reopen", picture, severity=severity)]
        if life.case.state == SHELVED:
            out.append(self.desk.act(life, "unshelve", picture.t_ns, cause="severity_rose"))
        return [*out, self._tell(life, "raise_severity", picture, severity=severity)]

    def _take_in(self, life: Life, finding: Finding, picture: Picture) -> None:
        life.finding, life.reasons, life.extra = finding, finding.reasons, ()
        life.quiet_ns = max(self._by_type[life.rule].quiet_ns, _ns(finding.quiet_s))
        life.base_ns = life.found_ns = picture.t_ns
        life.inside, life.lost, life.moved = True, False, False
        if finding.track >= 0:
            if life.track < 0:
                life.motion = motions(picture, [finding.track])[0]
            life.shown = life.motion

    def _fallen(self, life: Life, finding: Finding, t_ns: int) -> int:
        """Severity of the alert by the findings of its quiet time: only then may it fall."""
        if finding.severity <= life.severity:
            life.urgent_ns, life.milder = t_ns, LEAST
            return life.severity
        life.milder = min(life.milder, finding.severity)
        if t_ns - life.urgent_ns < life.quiet_ns:
            return life.severity
        fallen, life.urgent_ns, life.milder = life.milder, t_ns, LEAST
        return fallen

    def _miss(self, life: Life, picture: Picture, rows: Mapping[int, int]) -> list[Alert]:
        """Judge a slice without a finding: lost, found again outside, or cleared."""
        t, changed = picture.t_ns, life.moved
        life.moved = False
        ended = life.case.state in OVER
        if life.zone and life.track >= 0:
            row = rows.get(life.track)
            if row is not None and seen(life, picture, row):
                life.inside = False
                life.shown = life.motion
                if life.lost:
                    life.lost, life.extra, changed = False, (), True
            elif life.inside and not ended:
                life.base_ns = t
                if row is None and not life.lost:
                    life.lost, changed = True, True
                    life.extra = (("lost_inside", None, None, ""),)
        quiet_ns = min(life.quiet_ns, LATCH_NS) if ended else life.quiet_ns
        if t - life.base_ns >= quiet_ns:
            return self._clear(life, picture)
        if changed and life.case.state != CLOSED:
            return [self._tell(life, "update", picture)]
        return []

    def _clear(self, life: Life, picture: Picture, why: str = "") -> list[Alert]:
        life.lost, life.cleared_ns = False, picture.t_ns
        life.extra = ((why, None, None, ""),) if why else ()
        del self._active[life.key]
        self._past[life.key] = life
        return [self._tell(life, "clear", picture, **({"cause": why} if why else {}))]

    def _raise(
        self, key: Key, finding: Finding, picture: Picture, rows: Mapping[int, int]
    ) -> Iterator[tuple[Life, list[Alert]]]:
        """Lives with their revisions, of a finding without an active alert: it, or one evicted."""
        t, judge = picture.t_ns, self._by_type[key[0]]
        held = self._held.get(key)
        if not finding.raises:
            # Neither ends a hold nor counts in it: two missed looks make a track less sure.
            if held is not None and t - held.last_ns <= GAP_NS and held.kept_ns < judge.hold_ns:
                held.kept_ns += t - held.last_ns
                held.last_ns = t
            return
        if held is None or t - held.last_ns > GAP_NS:
            if key not in self._past:
                self._refind_past(key, finding, picture, rows)
            held = self._held[key] = _Held(t, t)
        held.last_ns = t
        hold_ns = judge.hold_ns
        if isfinite(finding.hold_s):
            hold_ns = min(hold_ns, _ns(finding.hold_s))
        if t - held.onset_ns - held.kept_ns < hold_ns:
            return
        out: list[Alert] = []
        given: dict[str, Any] = {}
        past = self._past.get(key)
        if past is not None and _is_same(past, t):
            life = past
            event = "reopen" if past.case.state == CLOSED else "return"
            if event == "reopen":
                given["severity"] = min(past.severity, finding.severity)
            del self._past[key]
            life.said = set()
        else:
            if past is not None:
                self._forget(past)
            elif self._eviction.full(len(self._active) + len(self._past)):
                victim, room = self._eviction.make_room(self.desk.held, finding.severity, t)
                if not room:
                    self._eviction.refused += not held.refused
                    held.refused = True
                    return
                if victim is not None:
                    yield victim, self._evict(victim, picture)
            life = Life(
                rule=key[0], subject=key[1], zone=key[2], onset_ns=held.onset_ns,
                cause=judge.cause, finding=finding, reasons=finding.reasons,
                quiet_ns=judge.quiet_ns, base_ns=t,
            )  # fmt: skip
            event = "raise"
            given = {
                "id": alert_id(*key, int(held.onset_ns)),
                "severity": finding.severity,
                "latched": judge.quiet_ns == NEVER,
                "auto": judge.auto,
            }
            if past is not None:
                given["previous"] = past.id
        del self._held[key]
        self._active[key] = life
        if life.track in rows:
            life.motion = motions(picture, [rows[life.track]])[0]
            life.seen_ns = t
        self._take_in(life, finding, picture)
        life.urgent_ns, life.milder = t, LEAST
        by = self._grouping.hides(life, self._active.values(), t)
        if by and event == "raise":
            event, given = "suppress", {**given, "by": by}
        elif by and life.case.state in (OPEN, ACKED):
            out.append(self.desk.act(life, "suppress", t, by=by))
        out.append(self._tell(life, event, picture, **given))
        if event == "return":
            out += self._rise(life, finding.severity, picture)
        yield life, out

    def _refind_past(
        self, key: Key, finding: Finding, picture: Picture, rows: Mapping[int, int]
    ) -> None:
        """Give a cleared alert, whose track was lost a moment ago, the track of this finding."""
        if finding.track < 0 or key[1][0] != "track":
            return
        for old in reversed(list(self._past.values())):
            age = picture.t_ns - old.cleared_ns
            if age > 2 * REFIND_NS:  # one given on stands up to 20 s out of the order of clearing
                return
            if age > REFIND_NS:
                continue
            row = rows.get(old.track)
            lost = old.track >= 0 and (row is None or coasts(picture, row))
            if not lost or (old.rule, old.zone) != (key[0], key[2]):
                continue
            if finding.track in returned(old, picture):
                del self._past[old.key]
                self._take_over(old, picture, finding.track, rows)
                self._past[old.key] = old
                return

    def _evict(self, victim: Life, picture: Picture) -> list[Alert]:
        """Forget an alert; one that is active says so first."""
        out = [
            self.desk.act(child, "split", picture.t_ns, reason="head_gone")
            for child in self.desk.children(victim.id)
        ]
        if victim.active and victim.case.state != CLOSED:
            out += self._clear(victim, picture, "evicted")
        self._forget(victim)
        return out

    def _forget(self, life: Life) -> None:
        self._active.pop(life.key, None)
        self._past.pop(life.key, None)
        self.desk.forget(life.id)

    def _due(self, life: Life, t_ns: int) -> bool:
        """Tell whether the alert moved, or lost a reason, and may say so again."""
        if life.found_ns != t_ns:
            return False
        if not self._flood.may_repeat(life, t_ns, PERIOD_NS[life.severity]):
            return False
        return position_of(life) != life.facts.get("position", {}) or life.codes() != life.told

    def _tell(self, life: Life, event: str, picture: Picture, **given: Any) -> Alert:
        """Make a revision that says what the world is like now."""
        life.published_ns = picture.t_ns
        life.told = life.codes()
        life.said |= life.told
        facts = facts_of(life, picture, self._context)
        if event == "update":
            before = life.facts
            given["changed"] = sorted(n for n in facts if facts[n] != before.get(n))
        life.facts = facts
        return self.desk.act(life, event, picture.t_ns, **given)


def digest_alerts(alerts: Iterable[Alert]) -> str:
    """SHA-256 in hex over the revisions, without what may differ between equal runs.

    One line of canonical JSON a revision, in the order (event time, id, rev); `v2x`, `replay` and
    `drill` are left out, and so are alerts of cause `self`.
    """
    digest = sha256()
    for alert in sorted(alerts, key=lambda a: (a.event_ns, a.id, a.rev)):
        if alert.body.get("cause") == "self":
            continue
        told = {k: v for k, v in alert.body.items() if k not in ("v2x", "replay", "drill")}
        line = dumps(
            told, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
        )
        digest.update(line.encode() + b"\n")
    return digest.hexdigest()


def _ns(seconds: float) -> int:
    """Whole nanoseconds; 0 for NaN, never for infinity."""
    if isinf(seconds):
        return NEVER
    return round(seconds * 1e9) if isfinite(seconds) else 0


def _key(plain: Any) -> Key:
    rule, (kind, name), zone = plain
    return rule, (kind, name), zone


def _order(key: Key) -> tuple[str, str, int, str, str]:
    rule, (kind, name), zone = key
    return rule, kind, name if isinstance(name, int) else 0, str(name), zone


def _unsure(finding: Finding, picture: Picture) -> bool:
    return finding.track >= 0 and not picture.tracks.exist[finding.track] >= SURE


def _weight(finding: Finding) -> tuple[bool, int]:
    return not finding.raises, finding.severity


def _in_force(picture: Picture) -> set[str]:
    active = picture.zones.active.tolist()
    return {name for name, on in zip(picture.zone_ids, active, strict=True) if on}


def _is_same(past: Life, t_ns: int) -> bool:
    """Tell whether a cleared alert is the one that comes back: not closed, or not for long."""
    return past.case.state != CLOSED or t_ns - past.case.closed_ns <= REOPEN_NS
