"""Stays of tracks in zones: entering, dwelling, gaps, leaving, and what became of those not seen.

One small state per (track, zone), fed with each slice's probabilities. The words are those of
`v2x.picture.StayWord`:

    outside --p >= 0.9--> ENTERING --for 1 s--> INSIDE --p < 0.2 for 5 s--> EXITED
    ENTERING, INSIDE --not seen--> COASTING --for 3 s--> LOST, or COVERAGE_EDGE

From COASTING, LOST and COVERAGE_EDGE a track that is seen inside again goes on with the same stay,
and one that is seen outside left when it was last seen inside: nobody saw it leave. A zone that is
taken away, or whose time is over, ends its stays whatever the tracks do; one that was redrawn is
the same zone if it has the same id.
"""

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from v2x.columns import B1, F8, I4, I8, U1
from v2x.lowalt.claims import SECOND
from v2x.picture import Stays, StayWord

RAISE_P, KEEP_P = 0.9, 0.2
HOLD_NS, QUIET_NS = 1 * SECOND, 5 * SECOND
BREAK_NS = 300_000_000
"""Slices below the raise limit that do not end a hold."""
LOST_NS = 3 * SECOND
SURE_P_DETECT = 0.7
"""Where a sensor sees an object less likely than this, losing it says nothing."""
KEPT_NS = 120 * SECOND
"""How long a lost track is waited for: longer than any rule asks."""
MOST = 20_000
"""Stays remembered; those not seen for longest go first. Ours."""


class Slice(NamedTuple):
    """What the present slice says of (n,) tracks and of (k,) pairs of them and zones.

    Attributes
    ----------
    id, seen
        (n,) track ids; whether a sensor confirms the track now.
    point, zone, p, margin
        (k,) pairs: rows of tracks and zones, probability inside, metres inside (negative: out).
    sure
        (n,) a drone beyond doubt.
    lat, lon, hae_m, kind, ident
        (n,) where it is and what.
    """

    id: I8
    seen: B1
    point: I4
    zone: I4
    p: F8
    margin: F8
    sure: B1
    lat: F8
    lon: F8
    hae_m: F8
    kind: U1
    ident: I8


@dataclass(slots=True)
class _Stay:
    """What is remembered of one track in one zone; times in ns, -1 never."""

    word: int
    held_ns: int
    onset_ns: int
    over_ns: int
    """When it came over the side, if that was seen."""
    seen_ns: int
    """Last slice in which it was seen inside (p of `KEEP_P` or more)."""
    sure_ns: int
    """Last slice with p of `RAISE_P` or more."""
    left_ns: int
    """When it went out over the side, if it is outside now."""
    looked_ns: int
    """Last slice in which it was seen at all."""
    gap_ns: int
    margin: float
    p: float
    p_detect: float
    sure: bool
    lat: float
    lon: float
    hae_m: float
    kind: int
    ident: int


_TOLD, _FORGOTTEN = "told", "forgotten"
Key = tuple[int, str]


class Sides(NamedTuple):
    """Pairs whose side was met on the last move, by `StayBook.sides`: track and zone rows, keys.

    `came` rows of the slice's pairs, `left` of stays that are now outside.
    """

    came: NDArray[np.intp]
    point: I4
    zone: I4
    left: list[Key]


class StayBook:
    """Stays of one airspace; its state goes into checkpoints."""

    def __init__(self) -> None:
        self._stays: dict[Key, _Stay] = {}

    def __len__(self) -> int:
        return len(self._stays)

    def unseen(self, now: Slice) -> tuple[list[Key], F8]:
        """Stays whose track is not seen now and that are not judged yet; their (k, 3) places.

        Places are latitude, longitude and HAE: whoever knows the sensors says how likely they are
        to see something there.
        """
        seen = set(now.id[now.seen].tolist())
        open_ = (StayWord.ENTERING, StayWord.INSIDE, StayWord.COASTING)
        keys = [k for k, stay in self._stays.items() if k[0] not in seen and stay.word in open_]
        places = [(self._stays[k].lat, self._stays[k].lon, self._stays[k].hae_m) for k in keys]
        return keys, np.array(places, np.float64).reshape(-1, 3)

    def sides(self, now: Slice, zone_ids: Sequence[str]) -> Sides:
        """Who came into a zone in one move, and who left one: pairs whose last move met a side.

        Whoever has the shapes says, for `take`, how far outside the move began, and ends.
        """
        held = now.seen[now.point] & (now.p >= KEEP_P)
        over = np.flatnonzero(held & (now.margin >= 0.0))
        names = [(int(now.id[now.point[k]]), zone_ids[now.zone[k]]) for k in over.tolist()]
        came = over[[name not in self._stays for name in names]] if len(over) else over
        rows = {name: row for row, name in enumerate(zone_ids)}
        track = {number: row for row, number in enumerate(now.id.tolist())}
        still = {
            (int(now.id[i]), zone_ids[zone])
            for i, zone in zip(now.point[held].tolist(), now.zone[held].tolist(), strict=True)
        }
        left = [
            key
            for key, stay in self._stays.items()
            if stay.margin >= 0.0
            and key not in still
            and key[1] in rows
            and key[0] in track
            and now.seen[track[key[0]]]
        ]
        return Sides(
            came,
            np.array([track[number] for number, _ in left], np.int32),
            np.array([rows[name] for _, name in left], np.int32),
            left,
        )

    def take(
        self, t_ns: int, now: Slice, zone_ids: Sequence[str], active: B1,
        watched: tuple[list[Key], F8], onset_ns: I8, left: dict[Key, float],
    ) -> Stays:  # fmt: skip
        """Stays at the end of a slice.

        Parameters
        ----------
        t_ns, now, zone_ids, active
            The slice; names of the zones and which are in force, by row.
        watched
            Keys of `unseen`, and how likely a sensor sees something there.
        onset_ns
            (k,) of each pair: when it came over the side, if that was on its last move, else -1.
        left
            By key of `Sides.left`: metres outside now.
        """
        told: list[tuple[Key, _Stay, int]] = []
        rows = {name: row for row, name in enumerate(zone_ids)}
        force = active.tolist()
        for key in [k for k in self._stays if not (k[1] in rows and force[rows[k[1]]])]:
            stay = self._stays.pop(key)
            if stay.onset_ns >= 0:
                told.append((key, stay, StayWord.ZONE_ENDED))
        for key, chance in zip(watched[0], watched[1].tolist(), strict=True):
            if key in self._stays:
                stay = self._stays[key]
                stay.p_detect = min(chance, stay.p_detect) if stay.p_detect >= 0.0 else chance
        track = {number: row for row, number in enumerate(now.id.tolist())}
        met = self._pairs(t_ns, now, zone_ids, onset_ns)
        for key, stay in list(self._stays.items()):
            row = track.get(key[0], -1)
            if key in met:
                continue
            if row >= 0 and now.seen[row]:
                done = self._outside(t_ns, stay, left.get(key, math.nan))
            else:
                done = self._unseen(t_ns, stay)
            if done:
                del self._stays[key]
                if done is _TOLD and stay.onset_ns >= 0:
                    told.append((key, stay, StayWord.EXITED))
        while len(self._stays) > MOST:
            del self._stays[min(self._stays, key=lambda k: (self._stays[k].looked_ns, k))]
        told += [(key, stay, stay.word) for key, stay in self._stays.items() if stay.onset_ns >= 0]
        return _columns(told, rows, track)

    def _pairs(self, t_ns: int, now: Slice, zone_ids: Sequence[str], onset_ns: I8) -> set[Key]:
        """Take in who is inside now; keys of pairs that are, or may be: whose height is unknown."""
        doubt = np.flatnonzero(np.isnan(now.p))
        met = {(int(now.id[now.point[k]]), zone_ids[now.zone[k]]) for k in doubt.tolist()}
        held = np.flatnonzero((now.p >= KEEP_P) & now.seen[now.point])
        columns = (now.point, now.zone, now.p, now.margin, onset_ns)
        for i, zone, p, margin, onset in zip(*(c[held].tolist() for c in columns), strict=True):
            key = int(now.id[i]), zone_ids[zone]
            met.add(key)
            stay = self._stays.get(key)
            if stay is None:
                stay = self._stays[key] = _Stay(
                    StayWord.ENTERING, -1, -1, -1, t_ns, -1, -1, t_ns, 0, math.nan, p, -1.0,
                    False, math.nan, math.nan, math.nan, 0, -1,
                )  # fmt: skip
            self._inside(t_ns, stay, p, margin, onset)
            stay.sure = bool(now.sure[i])
            stay.lat, stay.lon = float(now.lat[i]), float(now.lon[i])
            stay.hae_m, stay.kind = float(now.hae_m[i]), int(now.kind[i])
            stay.ident = int(now.ident[i])
        return met

    def _inside(self, t_ns: int, stay: _Stay, p: float, margin: float, onset_ns: int) -> None:
        if stay.word >= StayWord.COASTING:
            if stay.onset_ns >= 0:
                stay.gap_ns += t_ns - stay.looked_ns
            if stay.held_ns < 0:
                stay.word = StayWord.INSIDE
            else:
                stay.word, stay.held_ns = StayWord.ENTERING, -1  # what was not seen holds nothing
        if margin >= 0.0 and not stay.margin >= 0.0:
            stay.over_ns = onset_ns
            if onset_ns < 0 and stay.margin < 0.0:
                share = stay.margin / (stay.margin - margin)
                stay.over_ns = stay.looked_ns + round(share * (t_ns - stay.looked_ns))
        elif margin < 0.0 <= stay.margin:
            share = stay.margin / (stay.margin - margin)
            stay.left_ns = stay.looked_ns + round(share * (t_ns - stay.looked_ns))
        stay.margin, stay.p, stay.p_detect = margin, p, -1.0
        stay.seen_ns = stay.looked_ns = t_ns
        if stay.word == StayWord.INSIDE:
            return
        if p >= RAISE_P:
            if stay.held_ns < 0:
                stay.held_ns = t_ns
            stay.sure_ns = t_ns
            over = stay.over_ns
            stay.onset_ns = over if over >= 0 else stay.held_ns
            if t_ns - stay.held_ns >= HOLD_NS:
                stay.word, stay.held_ns = StayWord.INSIDE, -1
        elif t_ns - stay.sure_ns > BREAK_NS:
            stay.held_ns = stay.onset_ns = -1

    def _outside(self, t_ns: int, stay: _Stay, metres: float) -> str:
        """Judge a stay whose track is seen and is not inside; how it ends, if it does."""
        if stay.word >= StayWord.COASTING:
            stay.left_ns = stay.seen_ns  # nobody saw it leave
            return _TOLD
        if stay.margin >= 0.0:
            stay.left_ns = stay.looked_ns
            if metres >= 0.0:
                share = stay.margin / (stay.margin + metres) if metres else 1.0
                stay.left_ns += round(share * (t_ns - stay.looked_ns))
            stay.margin = math.nan
        stay.looked_ns = t_ns
        if stay.word == StayWord.ENTERING:
            return _FORGOTTEN if t_ns - stay.sure_ns > BREAK_NS else ""
        if t_ns - stay.seen_ns < QUIET_NS:
            return ""
        if stay.left_ns < 0:
            stay.left_ns = stay.seen_ns
        return _TOLD

    def _unseen(self, t_ns: int, stay: _Stay) -> str:
        """Judge a stay whose track is a guess, or gone; how it ends, if it does."""
        away = t_ns - stay.looked_ns
        if stay.word < StayWord.COASTING:
            if stay.onset_ns < 0:
                return _FORGOTTEN if away >= QUIET_NS else ""  # never surely inside
            if stay.seen_ns < stay.looked_ns:  # last seen outside
                return _TOLD if t_ns - stay.seen_ns >= QUIET_NS else ""
            stay.word = StayWord.COASTING
        if stay.word == StayWord.COASTING and away >= LOST_NS:
            sure = stay.p_detect >= SURE_P_DETECT
            stay.word = StayWord.LOST if sure else StayWord.COVERAGE_EDGE
        return _FORGOTTEN if away > KEPT_NS else ""

    def state(self) -> list[Any]:
        """What must survive a restart, as plain data."""
        return [(*key, *astuple(stay)) for key, stay in self._stays.items()]

    def restore(self, state: list[Any]) -> None:
        """Put back what `state` gave."""
        self._stays = {(number, zone): _Stay(*rest) for number, zone, *rest in state}


def crossings(
    t_ns: int, before_ns: I8, now: Slice, point: I4, zone: I4, begin: F8, end: F8
) -> Stays:
    """Tell moves that went through a zone between two slices: entered and left, with the times.

    begin, end (k,) parts of the move of each track from its slice `before_ns` (n,).
    """
    start = before_ns[point]
    span = (t_ns - start).astype(np.float64)
    return Stays.blank(
        len(point), id=now.id[point], track=point, zone=zone, word=StayWord.CROSSED,
        onset_ns=start + np.rint(begin * span).astype(np.int64),
        end_ns=start + np.rint(end * span).astype(np.int64),
        seen_ns=t_ns, p_inside=1.0, lat=now.lat[point], lon=now.lon[point],
        hae_m=now.hae_m[point], kind=now.kind[point], ident=now.ident[point],
    )  # fmt: skip


def _columns(
    told: list[tuple[Key, _Stay, int]], rows: dict[str, int], track: dict[int, int]
) -> Stays:
    """Columns of stays, sorted by track and zone; `track` rows are those of the slice."""
    told.sort(key=lambda one: (one[0], one[2]))
    ended = [word >= StayWord.EXITED for _, _, word in told]
    return Stays.blank(
        len(told),
        id=[key[0] for key, _, _ in told],
        track=[track.get(key[0], -1) for key, _, _ in told],
        zone=[rows.get(key[1], -1) for key, _, _ in told],
        word=[word for _, _, word in told],
        onset_ns=[s.onset_ns for _, s, _ in told],
        end_ns=[
            (s.left_ns if word == StayWord.EXITED else s.seen_ns) if end else -1
            for (_, s, word), end in zip(told, ended, strict=True)
        ],
        seen_ns=[s.seen_ns for _, s, _ in told],
        gap_ns=[s.gap_ns for _, s, _ in told],
        p_inside=[s.p for _, s, _ in told],
        p_detect=[s.p_detect if s.p_detect >= 0.0 else np.nan for _, s, _ in told],
        lat=[s.lat for _, s, _ in told],
        lon=[s.lon for _, s, _ in told],
        hae_m=[s.hae_m for _, s, _ in told],
        kind=[s.kind for _, s, _ in told],
        ident=[s.ident for _, s, _ in told],
        sure=[s.sure for _, s, _ in told],
    )
