"""Engine: findings of the present slice to revisions of alerts. All time here is event time.

A finding must last (hold) before it is an alert, and be gone (quiet) before the alert is cleared.
An alert that comes back within 15 minutes is the same alert, a later one names it as `previous`.
A subject that cannot be seen has not left: an alert about a zone stays while its track is lost.

A rule that raises an exception takes `Engine.judge` with it in this form: the caller decides.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from json import dumps
from math import isfinite, isinf
from typing import Any

import numpy as np

from v2x.alert import Alert, Finding, Rule, alert_id
from v2x.alerts.life import NEVER, Key, Life, Motion
from v2x.alerts.record import body_of, motions, observe, position_of
from v2x.alerts.subjects import corroborated
from v2x.columns import F8
from v2x.picture import Picture
from v2x.readings import Name
from v2x.tracks import Status

GAP_NS = 300_000_000
"""Slices without a raising finding that do not end a hold."""
REOPEN_NS = 900_000_000_000
REFIND_NS = 20_000_000_000
"""How long a lost track may come back as another by its place alone; ours, to be tuned."""
REFIND_M = 100.0
REFIND_MOST_M = 500.0
"""Three sigma of a track that coasted for long would take any other for it."""
PERIOD_NS = {1: 1_000_000_000, 2: 1_000_000_000, 3: 5_000_000_000, 4: 5_000_000_000}
"""Least time between revisions that only move the position."""
MOST = 10_000

Settings = Mapping[str, tuple[bool, float | None, float | None]]
"""Per rule: enabled, hold_s, quiet_s; None: as the rule says."""


@dataclass(frozen=True, slots=True)
class _Judge:
    rule: Rule
    hold_ns: int
    quiet_ns: int
    cause: str


@dataclass(slots=True)
class _Held:
    """A finding that has not lasted long enough: since when, newest, and no room was found."""

    onset_ns: int
    last_ns: int
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
    """

    def __init__(
        self,
        rules: Iterable[Rule],
        settings: Settings,
        context: Mapping[str, Any],
        most: int = MOST,
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
                    )
                )
        self._by_type = {judge.rule.type: judge for judge in self._judges}
        self._context = dict(context)
        self._most = most
        self._active: dict[Key, Life] = {}
        self._past: dict[Key, Life] = {}
        self._held: dict[Key, _Held] = {}
        self._left: dict[Key, int] = {}
        self._kept: dict[str, tuple[tuple[int, int], bytes]] = {}
        self.evicted = 0
        self.refused = 0

    @property
    def reads(self) -> tuple[Name, ...]:
        """Names of the readings that the enabled rules look for in the picture."""
        names: set[Name] = set()
        for judge in self._judges:
            names.update(getattr(judge.rule, "reads", ()))
        return tuple(sorted(names))

    def counts(self) -> dict[str, int]:
        """Alerts active and remembered; evicted; findings refused for want of room."""
        return {
            "active": len(self._active),
            "remembered": len(self._active) + len(self._past),
            "evicted": self.evicted,
            "refused": self.refused,
        }

    def state(self) -> dict[str, Any]:
        """What must survive a restart, as plain data: alerts, holds, ghosts and counts."""
        return {
            "active": [life.state() for life in self._active.values()],
            "past": self._put_away(),
            "held": [(key, h.onset_ns, h.last_ns, h.refused) for key, h in self._held.items()],
            "left": list(self._left.items()),
            "evicted": self.evicted,
            "refused": self.refused,
        }

    def _put_away(self) -> list[bytes]:
        """States of cleared alerts, each made once: they change when their track does, else not."""
        before, self._kept = self._kept, {}
        for life in self._past.values():
            now = life.rev, life.seen_ns
            kept = before.get(life.id)
            self._kept[life.id] = kept if kept and kept[0] == now else (now, life.state())
        return [state for _, state in self._kept.values()]

    def restore(self, state: dict[str, Any]) -> None:
        """Put back what `state` gave, into an engine of the same rules and settings."""
        active, past = ([Life.restored(s) for s in state[name]] for name in ("active", "past"))
        self._active = {life.key: life for life in active}
        self._past = {life.key: life for life in past}
        kept = zip(past, state["past"], strict=True)
        self._kept = {life.id: ((life.rev, life.seen_ns), plain) for life, plain in kept}
        self._held = {_key(key): _Held(*held) for key, *held in state["held"]}
        self._left = {_key(key): plot_ns for key, plot_ns in state["left"]}
        self.evicted, self.refused = state["evicted"], state["refused"]

    def judge(self, picture: Picture) -> list[Alert]:
        """New revisions of this slice, ordered by (rule, subject, zone)."""
        ids = picture.tracks.id.tolist()
        rows = dict(zip(ids, range(len(ids)), strict=True))
        found = self._findings(picture, rows)
        self._look(picture, rows)
        self._refind(picture, found, rows)
        in_force = _in_force(picture) if any(life.zone for life in self._active.values()) else None

        out: list[tuple[Any, Alert]] = []
        for key, life in list(self._active.items()):
            ended = bool(life.zone) and in_force is not None and life.zone not in in_force
            changed = False
            if ended:
                self._clear(life, picture.t_ns, "zone_ended")
                changed = True
            elif (finding := found.pop(key, None)) is not None:
                changed = self._sustain(life, finding, picture)
            else:
                changed = self._miss(life, picture, rows)
            if changed or self._due(life, picture.t_ns):
                out.append((_order(key), self._publish(life, picture)))
        for key in sorted(found, key=_order):
            finding = found[key]
            for life in self._raise(key, finding, picture, rows):
                out.append((_order(life.key), self._publish(life, picture)))
        for key in [k for k, h in self._held.items() if picture.t_ns - h.last_ns > GAP_NS]:
            del self._held[key]
        out.sort(key=lambda pair: pair[0])
        return [alert for _, alert in out]

    def _findings(self, picture: Picture, rows: Mapping[int, int]) -> dict[Key, Finding]:
        """Every rule's findings; of two for one key the raising, then the more severe stays."""
        found: dict[Key, Finding] = {}
        for judge in self._judges:
            for finding in judge.rule.check(picture):
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
        seen = motions(picture, [rows[life.track] for life in lives])
        for life, motion in zip(lives, seen, strict=True):
            life.motion = motion
            life.seen_ns = picture.t_ns

    def _refind(self, picture: Picture, found: dict[Key, Finding], rows: Mapping[int, int]) -> None:
        """Give alerts whose track is lost to the track that it came back as."""
        if not len(picture.tracks):
            return
        for key, life in list(self._active.items()):
            row = rows.get(life.track)
            if life.track < 0 or (row is not None and not _coasts(picture, row)):
                continue
            for new in _returned(life, picture):
                other = (life.rule, ("track", int(picture.tracks.id[new])), life.zone)
                if other in self._active:
                    continue
                if other in found or (row is None and _outside(life, picture, new)):
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

    def _sustain(self, life: Life, finding: Finding, picture: Picture) -> bool:
        """Take a finding in. True: it says something that must be published at once."""
        changed = life.lost or life.moved or finding.severity < life.severity
        life.finding, life.reasons, life.extra = finding, finding.reasons, ()
        life.severity = min(life.severity, finding.severity)
        life.quiet_ns = max(self._by_type[life.rule].quiet_ns, _ns(finding.quiet_s))
        life.base_ns = life.found_ns = picture.t_ns
        life.inside, life.lost, life.moved = True, False, False
        if finding.track >= 0:
            if life.track < 0:
                life.motion = motions(picture, [finding.track])[0]
            life.shown = life.motion
        return changed or not life.codes() <= life.said

    def _miss(self, life: Life, picture: Picture, rows: Mapping[int, int]) -> bool:
        """Judge a slice without a finding. True: lost, found again outside, or cleared."""
        t, changed = picture.t_ns, life.moved
        life.moved = False
        if life.zone and life.track >= 0:
            row = rows.get(life.track)
            if row is not None and _seen(life, picture, row):
                life.inside = False
                life.shown = life.motion
                if life.lost:
                    life.lost, life.extra, changed = False, (), True
            elif life.inside:
                life.base_ns = t
                if row is None and not life.lost:
                    life.lost, changed = True, True
                    life.extra = (("lost_inside", None, None, ""),)
        if t - life.base_ns >= life.quiet_ns:
            self._clear(life, t)
            return True
        return changed

    def _clear(self, life: Life, t_ns: int, why: str = "") -> None:
        life.active, life.lost, life.cleared_ns = False, False, t_ns
        life.extra = ((why, None, None, ""),) if why else ()
        del self._active[life.key]
        self._past[life.key] = life

    def _raise(
        self, key: Key, finding: Finding, picture: Picture, rows: Mapping[int, int]
    ) -> Iterator[Life]:
        """Lives to publish because of a finding that has no active alert: it, or one evicted."""
        if not finding.raises:
            return
        t, judge = picture.t_ns, self._by_type[key[0]]
        held = self._held.get(key)
        if held is None or t - held.last_ns > GAP_NS:
            if key not in self._past:
                self._refind_past(key, finding, picture, rows)
            held = self._held[key] = _Held(t, t)
        held.last_ns = t
        hold_ns = judge.hold_ns
        if isfinite(finding.hold_s):
            hold_ns = min(hold_ns, _ns(finding.hold_s))
        if t - held.onset_ns < hold_ns:
            return
        past = self._past.get(key)
        if past is not None and t - past.cleared_ns <= REOPEN_NS:
            del self._past[key]
            life = past
            life.returns += 1
            life.active = True
            life.said = set()
        else:
            if not past and len(self._active) + len(self._past) >= self._most:
                victim, room = self._make_room(finding.severity, t)
                if not room:
                    self.refused += not held.refused
                    held.refused = True
                    return
                if victim is not None:
                    yield victim
            self._past.pop(key, None)
            life = Life(
                id=alert_id(*key, int(held.onset_ns)),
                rule=key[0],
                subject=key[1],
                zone=key[2],
                onset_ns=held.onset_ns,
                cause=judge.cause,
                finding=finding,
                severity=finding.severity,
                reasons=finding.reasons,
                quiet_ns=judge.quiet_ns,
                base_ns=t,
                previous=past.id if past else "",
            )
        del self._held[key]
        self._active[key] = life
        if life.track in rows:
            life.motion = motions(picture, [rows[life.track]])[0]
            life.seen_ns = t
        self._sustain(life, finding, picture)
        yield life

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
            lost = old.track >= 0 and (row is None or _coasts(picture, row))
            if not lost or (old.rule, old.zone) != (key[0], key[2]):
                continue
            if finding.track in _returned(old, picture):
                del self._past[old.key]
                self._take_over(old, picture, finding.track, rows)
                self._past[old.key] = old
                return

    def _make_room(self, severity: int, t_ns: int) -> tuple[Life | None, bool]:
        """Forget the oldest cleared alert, else the least of the less severe; 1 and 2 never."""
        if self._past:
            del self._past[next(iter(self._past))]
            self.evicted += 1
            return None, True
        least = [v for v in self._active.values() if v.severity > max(severity, 2)]
        if not least:
            return None, False
        victim = max(
            least, key=lambda v: (v.severity, not (v.motion and v.motion.corroborated), -v.base_ns)
        )
        self._clear(victim, t_ns, "evicted")
        del self._past[victim.key]
        self.evicted += 1
        return victim, True

    def _due(self, life: Life, t_ns: int) -> bool:
        """Tell whether the alert moved, or lost a reason, and may say so again."""
        if life.found_ns != t_ns or t_ns - life.published_ns < PERIOD_NS[life.severity]:
            return False
        return position_of(life) != life.position or life.codes() != life.told

    def _publish(self, life: Life, picture: Picture) -> Alert:
        life.rev += 1
        life.published_ns = picture.t_ns
        life.position = position_of(life)
        life.told = life.codes()
        life.said |= life.told
        if life.active and life.found_ns == picture.t_ns:
            observe(life, picture)
        return Alert(
            id=life.id,
            rev=life.rev,
            type=life.rule,
            severity=life.severity,
            condition="active" if life.active else "cleared",
            event_ns=int(picture.t_ns),
            body=body_of(life, picture.t_ns, self._context, picture.zones_hash),
        )


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


def _weight(finding: Finding) -> tuple[bool, int]:
    return not finding.raises, finding.severity


def _in_force(picture: Picture) -> set[str]:
    active = picture.zones.active.tolist()
    return {name for name, on in zip(picture.zone_ids, active, strict=True) if on}


def _coasts(picture: Picture, row: int) -> bool:
    return bool(picture.tracks.status[row] == Status.COASTING)


def _seen(life: Life, picture: Picture, row: int) -> bool:
    """Tell whether the track is seen at its place now, well enough to end this alert.

    A coasting track is a guess; and what a drone says of itself never clears severity 1.
    """
    if picture.tracks.status[row] != Status.CONFIRMED:
        return False
    return life.severity > 1 or corroborated(picture, row)


def _outside(life: Life, picture: Picture, row: int) -> bool:
    """Tell whether a track without a finding is the one lost in a zone, seen outside of it."""
    last, tracks = life.motion, picture.tracks
    if not life.zone or last is None or not _seen(life, picture, row):
        return False
    named = last.ident >= 0 and int(tracks.ident[row]) == last.ident
    return named or int(tracks.kind[row]) == last.kind


def _returned(life: Life, picture: Picture) -> list[int]:
    """Rows of tracks that may be the lost one of `life` again, best first.

    Founded after the last plot of the lost one, and within 20 s with the same identity, or near
    where it was or should be by now: 3 sigma, at least 100 m. A place that an alert was lost
    inside of waits for the same identity without end.
    """
    last, tracks, t = life.motion, picture.tracks, picture.t_ns
    if last is None:
        return []
    recent = t - life.seen_ns <= REFIND_NS
    if not recent and (last.ident < 0 or not life.lost):
        return []
    born = tracks.first_ns > last.plot_ns
    same = born & (tracks.ident == last.ident) & (last.ident >= 0)
    candidates = same.copy()
    if recent:
        other = (tracks.ident >= 0) & (last.ident >= 0) & (tracks.ident != last.ident)
        gate = min(max(REFIND_M, 3.0 * last.sd if isfinite(last.sd) else 0.0), REFIND_MOST_M)
        candidates |= born & ~other & (_away(last, life, picture) <= gate)
    rows = np.flatnonzero(candidates)
    if not len(rows):
        return []
    away = _away(last, life, picture)
    return sorted(rows.tolist(), key=lambda i: (not same[i], float(away[i]), int(tracks.id[i])))


def _away(last: Motion, life: Life, picture: Picture) -> F8:
    """(n,) m from each track to where the lost one was, or should be now, whatever is nearer."""
    dt = (picture.t_ns - life.seen_ns) / 1e9
    x = picture.tracks.x
    there = np.hypot(x[:, 0] - last.east, x[:, 1] - last.north)
    east, north = last.east + last.v_east * dt, last.north + last.v_north * dt
    nearer: F8 = np.minimum(there, np.hypot(x[:, 0] - east, x[:, 1] - north))
    return nearer
