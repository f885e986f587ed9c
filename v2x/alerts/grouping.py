"""Grouping: the last word in a slice on what is withheld, merged, or over by itself."""

from collections.abc import Iterable, Sequence

from v2x.alert import Alert
from v2x.alerts.desk import Desk
from v2x.alerts.incidents import Mates, incident_id, may_step_back, rank
from v2x.alerts.inhibition import Window, explained, silences
from v2x.alerts.life import Life
from v2x.alerts.transitions import (
    ACKED,
    ASSIGNED,
    CLOSED,
    MERGED,
    OPEN,
    RESOLVED,
    RESPONDING,
    SHELVED,
    SUPPRESSED,
)

_AT_WORK = (OPEN, ACKED, ASSIGNED, RESPONDING)
_ENDS = frozenset({"clear", "unsuppress", "unshelve", "split", "update"})
"""Events after which an alert may be over by itself."""


class Grouping:
    """Applies inhibition and incidents to the alerts of a desk."""

    def __init__(self, desk: Desk[Life], windows: Sequence[Window]) -> None:
        self.desk = desk
        self.windows = tuple(windows)
        self._silent: dict[str, Life] = {}
        self._asked_ns = -1
        self._aside = {
            id for id, life in desk.held.items() if life.case.state in (SUPPRESSED, MERGED)
        }

    def hides(self, life: Life, active: Iterable[Life], t_ns: int) -> str:
        """Id of what explains an alert that is about to be raised; empty if nothing does.

        Of silences those count that were there at the first question of the slice: what begins
        together with one is hidden when the slice is settled.
        """
        if life.subject[0] != "device":
            return ""
        if self._asked_ns != t_ns:
            self._silent, self._asked_ns = silences(active), t_ns
        return explained(life, self._silent, self.windows, t_ns)

    def settle(
        self, active: Iterable[Life], new: Sequence[Life], told: Sequence[Alert], t_ns: int
    ) -> list[Alert]:
        """Return revisions by which the alerts of a slice fit together.

        Parameters
        ----------
        active, new
            Alerts that are active, and those of them that were raised or came back.
        told
            Revisions of the slice so far.
        """
        out = self._inhibit([life for life in active if life.subject[0] == "device"], t_ns)
        out += self._part(t_ns)
        if new:
            mates = Mates(self.desk.held.values())
            for life in new:
                out += self._join(life, mates, t_ns)
        out += self._end(sorted({a.id for a in (*told, *out) if a.entry["event"] in _ENDS}), t_ns)
        self._aside.update(a.id for a in (*told, *out) if a.entry["to"] in (SUPPRESSED, MERGED))
        return out

    def _inhibit(self, devices: Sequence[Life], t_ns: int) -> list[Alert]:
        hidden = self._in(SUPPRESSED)
        if not devices and not hidden:
            return []
        silent = silences(devices)
        out: list[Alert] = []
        for life in devices:
            if life.case.state in (OPEN, ACKED):
                by = explained(life, silent, self.windows, t_ns)
                if by:
                    out.append(self.desk.act(life, "suppress", t_ns, by=by))
                    self._aside.add(life.id)
        if out:
            silent = silences(devices)  # one that is hidden itself explains nothing
        for life in hidden:
            if not explained(life, silent, self.windows, t_ns):
                out.append(self.desk.act(life, "unsuppress", t_ns, cause="cause_gone"))
        return out

    def _part(self, t_ns: int) -> list[Alert]:
        """Let a child go that its head can no longer speak for."""
        out: list[Alert] = []
        for child in self._in(MERGED):
            head = self.desk.held.get(child.case.parent)
            if head is None or head.case.state in (CLOSED, MERGED, SUPPRESSED, SHELVED):
                out.append(self.desk.act(child, "split", t_ns, reason="head_gone"))
            elif child.active and child.severity < head.severity:
                out.append(self.desk.act(child, "split", t_ns, reason="severity_rose"))
            elif child.active and head.case.state == RESOLVED:
                out.append(self.desk.act(head, "unresolve", t_ns, reason="child_active"))
        return out

    def _join(self, life: Life, mates: Mates, t_ns: int) -> list[Alert]:
        if life.case.state not in _AT_WORK:
            return []
        head = mates.head(life)
        if head is None:
            return self._beside(life, mates.neighbour(life), t_ns)
        incident = head.case.incident or incident_id(head.id)
        if rank(head) < rank(life):
            return self._merge(life, head, incident, t_ns)
        if not may_step_back(head):
            return self._share(life, head, incident, t_ns)
        out: list[Alert] = []
        for child in self.desk.children(head.id):
            out.append(self.desk.act(child, "split", t_ns, reason="head_changed"))
            out += self._merge(child, life, incident, t_ns)
        return out + self._merge(head, life, incident, t_ns)

    def _beside(self, life: Life, other: Life | None, t_ns: int) -> list[Alert]:
        if other is None:
            return []
        return self._share(life, other, other.case.incident or incident_id(other.id), t_ns)

    def _share(self, life: Life, other: Life, incident: str, t_ns: int) -> list[Alert]:
        """Put two alerts into one incident; both go on asking."""
        return [
            self.desk.act(one, "update", t_ns, incident=incident, changed=["incident"])
            for one in (other, life)
            if one.case.incident != incident and one.case.state != CLOSED
        ]

    def _merge(self, life: Life, head: Life, incident: str, t_ns: int) -> list[Alert]:
        out: list[Alert] = []
        if self.desk.children(life.id):
            return self._share(life, head, incident, t_ns)
        if head.case.incident != incident or life.rule not in head.also:
            head.also = tuple(sorted({*head.also, life.rule}))
            reasons = [r for r in head.facts["reasons"] if r["code"] != "also"]
            reasons += [{"code": "also", "value": type} for type in head.also]
            head.facts = {**head.facts, "reasons": reasons}
            head.told = head.codes()
            head.said |= head.told
            out.append(self.desk.act(
                head, "update", t_ns, incident=incident, changed=["incident", "reasons"]
            ))  # fmt: skip
        out.append(self.desk.act(life, "merge", t_ns, parent=head.id, incident=incident))
        self._aside.add(life.id)
        return out

    def _end(self, ids: Sequence[str], t_ns: int) -> list[Alert]:
        """Resolve what has cleared and needs no person: rules that say `auto`, severity 3 and 4."""
        out: list[Alert] = []
        for id in ids:
            life = self.desk.held.get(id)
            if life is not None and life.case.state == MERGED:
                life = self.desk.held.get(life.case.parent)
            if life is None:
                continue
            case = life.case
            over = case.auto and not case.active and case.severity >= 3
            if not over or case.state not in (OPEN, ACKED):
                continue
            if not any(child.active for child in self.desk.children(life.id)):
                out.append(self.desk.act(life, "self_clear", t_ns, code="self_cleared"))
        return out

    def _in(self, state: str) -> list[Life]:
        """Alerts aside in `state`, by id."""
        found: list[Life] = []
        for id in sorted(self._aside):
            life = self.desk.held.get(id)
            if life is None or life.case.state not in (SUPPRESSED, MERGED):
                self._aside.discard(id)
            elif life.case.state == state:
                found.append(life)
        return found
