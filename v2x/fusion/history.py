"""How far back a tracker can go: checkpoints, and the steps since the oldest of them.

A row that comes late is put into the step it belongs to, the tracker goes back to the newest
checkpoint before it, and the steps from there on run again: the exact answer, for the price of the
steps between. Estimates that update a newer state with an older plot (Bar-Shalom, "Update with
out-of-sequence measurements in tracking: exact solution", IEEE TAES 38(3), 2002) are cheaper, but
exact only for one target whose plot is known.

All of it follows from what came and when, so that going back leaves no trace: a checkpoint stands
before the first scan of each cell of a fixed grid of event time, however the stream was cut into
steps, and slots that nobody lives in are blank in it.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from v2x.columns import F8, I8
from v2x.fusion import layout
from v2x.fusion.intensity import Unseen
from v2x.fusion.layout import Live, Sheet

GRID_NS = 500_000_000
"""Time between checkpoints. Ours: a copy of the columns costs about as much as one step."""

BEGINNING = -(2**63)
"""ns: before every scan."""

SCANS = ("scan_sensor", "scan_ns", "scan_first", "scan_end")
"""Columns of `Sheet` with one row per scan; the others have one per plot."""

_OF_ONE_STEP = [layout.RESIDUALS, layout.CHOSEN, layout.LOOKED, layout.NAMELESS]


class Checkpoint(NamedTuple):
    """The tracker before the first scan of a cell.

    Attributes
    ----------
    cell
        Scans at ``((cell - 1) GRID_NS, cell GRID_NS]`` and later are not in it.
    end
        End of the last step with scans that was over.
    last
        (t_ns, sensor) of the newest scan in it.
    named_ns, reported
        Newest end of a step at which an id was given, and how many were.
    counts, columns
        Of `layout`; the columns of `Live` up to the highest slot in use.
    unseen
        The map of the undetected.
    sensors
        What `Watch` holds.
    """

    cell: int
    end: int
    last: tuple[int, int]
    named_ns: int
    reported: int
    counts: I8
    columns: tuple[Any, ...]
    unseen: Unseen
    sensors: dict[str, Any]


class Step(NamedTuple):
    """Scans folded in together, in the order (t_ns, sensor), and the time of their report."""

    end: int
    sheet: Sheet


class Filed(NamedTuple):
    """What a tracker has to do for the rows it was given.

    Attributes
    ----------
    back
        Where to go first; None: stay.
    steps
        To be run then; the last one ends at the time asked for.
    fresh
        `scan_keys` of the scans that were not run before; None: all.
    """

    back: Checkpoint | None
    steps: list[Step]
    fresh: I8 | None


class History:
    """The last `span_ns` of a tracker; 0: nothing is kept, and nothing costs anything.

    Attributes
    ----------
    checkpoints, steps
        In time order. Steps with scans only, from the oldest checkpoint on.
    quiet
        Ends of steps that had no scans: a late row belongs to the first end that is not before it.
    end
        End of the last step with scans that is over.
    too_late, replays
        Plots older than the span, and how often the tracker went back.
    """

    def __init__(self, span_ns: int) -> None:
        self.span_ns = span_ns
        self.checkpoints: list[Checkpoint] = []
        self.steps: list[Step] = []
        self.quiet: list[int] = []
        self.end = BEGINNING
        self.too_late = 0
        self.replays = 0

    def begin(self, start: Checkpoint) -> None:
        """Forget everything; `start` is where going back ends."""
        self.checkpoints = [start] if self.span_ns else []
        self.steps, self.quiet, self.end = [], [], start.end

    def file(self, sheet: Sheet, t_ns: int, last: tuple[int, int], named_ns: int) -> Filed:
        """Put the scans of `sheet` where they belong.

        Parameters
        ----------
        sheet
            Scans in time order, none after `t_ns`.
        t_ns
            End of the step.
        last, named_ns
            Of the tracker, as in `Checkpoint`.

        Returns
        -------
        Filed
            The arrays are kept, not copied. Plots older than the span are left out and counted.
        """
        if not self.span_ns:
            return Filed(None, [Step(t_ns, sheet)], None)
        if self.steps and t_ns < self.steps[-1].end:
            self._split(t_ns)
        sheet = self._recent(sheet, last[0])
        if not len(sheet.scan_ns):
            self._hush(t_ns)
            return Filed(None, [Step(t_ns, sheet)], None)
        if sheet.scan_ns[0] > self._newest_end() and _ordered(sheet):
            step = Step(t_ns, sheet)
            self.steps.append(step)
            return Filed(None, [step], None)
        sheet = merge([sheet])
        first = (int(sheet.scan_ns[0]), int(sheet.scan_sensor[0]))
        back = first <= last or first[0] <= named_ns
        fresh = self._unknown(sheet) if back else None
        steps = self._insert(sheet, t_ns)
        checkpoint = None
        if back:
            checkpoint = self._rewind(first[0])
            steps = self.since(checkpoint)
        if steps[-1].end != t_ns:
            self._hush(t_ns)
            steps.append(Step(t_ns, part(sheet, 0, 0)))
        return Filed(checkpoint, steps, fresh)

    def cut(self, sheet: Sheet) -> Iterator[Sheet]:
        """Parts of `sheet` that lie in one cell each."""
        ns = sheet.scan_ns
        n = len(ns)
        if n < 2 or not self.span_ns or cell_of(ns[0]) == cell_of(ns[-1]):
            yield sheet
            return
        edges = [0, *(np.flatnonzero(np.diff(-(-ns // GRID_NS))) + 1).tolist(), n]
        for lo, hi in pairwise(edges):
            yield part(sheet, lo, hi)

    def due(self, sheet: Sheet) -> int | None:
        """Cell whose first scan stands in `sheet`; None if it has its checkpoint already."""
        if not (self.span_ns and len(sheet.scan_ns)):
            return None
        cell = cell_of(sheet.scan_ns[0])
        return cell if cell > self.checkpoints[-1].cell else None

    def close(self, step: Step) -> None:
        """Note that a step is over."""
        if len(step.sheet.scan_ns):
            self.end = step.end

    def forget(self, last_ns: int, t_ns: int) -> None:
        """Drop what only rows could reach that are too late."""
        if not self.span_ns:
            return
        horizon = last_ns - self.span_ns
        kept = self.checkpoints
        while len(kept) > 1 and kept[1].cell <= cell_of(horizon) and kept[1].end < horizon:
            del kept[0]
        while self.steps and self.steps[0].end <= kept[0].end:
            del self.steps[0]
        # Twice the span: a row may be one span older than the newest scan, and that one than t_ns.
        while self.quiet and self.quiet[0] < t_ns - 2 * self.span_ns:
            del self.quiet[0]

    def since(self, checkpoint: Checkpoint) -> list[Step]:
        """Steps, or what is left of one, that run after `checkpoint`."""
        made = []
        border = max((checkpoint.cell - 1) * GRID_NS, BEGINNING)
        for step in self.steps:
            ns = step.sheet.scan_ns
            if step.end <= checkpoint.end:
                continue
            lo = int(np.searchsorted(ns, border, side="right"))
            made.append(Step(step.end, part(step.sheet, lo, len(ns))) if lo else step)
        return made

    def _newest_end(self) -> int:
        newest = self.steps[-1].end if self.steps else self.end
        return max(newest, self.quiet[-1]) if self.quiet else newest

    def _recent(self, sheet: Sheet, last_ns: int) -> Sheet:
        horizon = max(last_ns - self.span_ns, BEGINNING)
        if not len(sheet.scan_ns) or sheet.scan_ns[0] >= horizon:
            return sheet
        lo = int(np.searchsorted(sheet.scan_ns, horizon))
        self.too_late += int((sheet.scan_end[:lo] - sheet.scan_first[:lo]).sum())
        return part(sheet, lo, len(sheet.scan_ns))

    def _split(self, t_ns: int) -> None:
        """Make a step of what came before `t_ns` in one that ends later, as after a prediction."""
        i = bisect_left(self.steps, t_ns, key=_end)
        end, sheet = self.steps[i]
        k, n = int(np.searchsorted(sheet.scan_ns, t_ns, side="right")), len(sheet.scan_ns)
        if end == t_ns or k == 0:
            return
        self.steps[i] = Step(t_ns, merge([part(sheet, 0, k)]))
        if k < n:
            self.steps.insert(i + 1, Step(end, merge([part(sheet, k, n)])))
        else:
            insort(self.quiet, end)

    def _hush(self, t_ns: int) -> None:
        """Note a step without scans."""
        i = bisect_left(self.steps, t_ns, key=_end)
        if i == len(self.steps) or self.steps[i].end != t_ns:
            insort(self.quiet, t_ns)

    def _unknown(self, sheet: Sheet) -> I8:
        """Keys of the scans that no step has yet."""
        keys = scan_keys(sheet.scan_ns, sheet.scan_sensor)
        first = int(sheet.scan_ns[0])
        ours = [s.sheet for s in self.steps if s.end >= first]
        known = [scan_keys(s.scan_ns, s.scan_sensor) for s in ours]
        return keys[~np.isin(keys, np.concatenate(known))] if known else keys

    def _insert(self, sheet: Sheet, t_ns: int) -> list[Step]:
        """Put each scan into the step with the first end that is not before it; what went where."""
        ends = sorted({t_ns, *map(_end, self.steps), *self.quiet})
        at = np.searchsorted(np.array(ends), sheet.scan_ns)
        made = []
        for k in np.unique(at).tolist():
            lo, hi = np.searchsorted(at, (k, k + 1)).tolist()
            step = Step(ends[k], merge([part(sheet, lo, hi)]))
            made.append(step)
            i = bisect_left(self.steps, step.end, key=_end)
            if i < len(self.steps) and self.steps[i].end == step.end:
                self.steps[i] = Step(step.end, merge([self.steps[i].sheet, step.sheet]))
            else:
                self.steps.insert(i, step)
                self.quiet = [end for end in self.quiet if end != step.end]
        return made

    def _rewind(self, t_ns: int) -> Checkpoint:
        """Newest checkpoint with no scan at `t_ns` or later in it, nor a report at or after it."""
        kept = self.checkpoints
        while kept[-1].cell > cell_of(t_ns) or kept[-1].end >= t_ns:
            del kept[-1]
        self.replays += 1
        self.end = kept[-1].end
        return kept[-1]


def cell_of(t_ns: int) -> int:
    """Number of the cell that holds `t_ns`."""
    return -(-int(t_ns) // GRID_NS)


def scan_keys(t_ns: I8, sensor: Any) -> I8:
    """(n,) i8: one number per (t_ns, sensor). Wraps, and is still unique within an hour."""
    keys: I8 = t_ns * 65_536 + sensor
    return keys


def copy_of(live: Live, counts: I8) -> tuple[I8, tuple[Any, ...]]:
    """Counts and columns for a checkpoint; what belongs to one step is left out.

    Slots that nobody lives in are blanked first, and lanes not yet in use, so that no later track
    shows who was there before.
    """
    top, n = int(counts[layout.TOP]), int(counts[layout.FREE])
    stack = live.free[:n].copy()
    blank(live, stack.astype(np.intp))
    blank_above(live, top)
    live.free[:n] = stack
    live.free[n:] = 0
    young = live.mode[:top] & layout.YOUNG > 0
    live.s[:top][young] = 0.0
    tall = np.flatnonzero(~young & (live.mode[:top] & layout.HAS_UP > 0))
    up = np.zeros((top, live.up.shape[1]))  # most tracks have no height: pages nobody touches
    up[tall] = live.up[tall]
    kept = counts.copy()
    kept[_OF_ONE_STEP] = 0
    columns: dict[str, Any] = live._asdict()
    return kept, tuple(
        up if name == "up" else column[:top].copy() for name, column in columns.items()
    )


def blank(live: Live, slots: Any) -> None:
    """Make slots as if nobody had ever lived there."""
    pairs: Any = zip(live, _blanks(layout.lanes_in(live.s)), strict=True)
    for column, value in pairs:
        column[slots] = value


@cache
def _blanks(lanes: int) -> tuple[Any, ...]:
    """What the columns of a slot hold that nobody lives in."""
    columns: Any = layout.new_live(1, lanes)
    return tuple(column[0] for column in columns)


def blank_above(live: Live, top: int) -> None:
    """Blank the slots from `top` on that were ever lived in: few, but after a flood."""
    used = np.flatnonzero(live.serial[top:] >= 0)
    if used.size:
        blank(live, slice(top, top + int(used[-1]) + 1))


def part(sheet: Sheet, lo: int, hi: int) -> Sheet:
    """Scans ``lo:hi`` of a sheet, over the same rows."""
    return sheet._replace(**{name: getattr(sheet, name)[lo:hi] for name in SCANS})


def merge(sheets: list[Sheet]) -> Sheet:
    """Scans of all `sheets` in the order (t_ns, sensor), in arrays that hold nothing else.

    Scans of one sensor at one time are one look: their rows stand together, and an empty one adds
    nothing.
    """
    begins = np.cumsum([0, *(len(s.z) for s in sheets[:-1])])
    t_ns = np.concatenate([s.scan_ns for s in sheets])
    sensor = np.concatenate([s.scan_sensor for s in sheets])
    first = np.concatenate([s.scan_first + at for s, at in zip(sheets, begins, strict=True)])
    size = np.concatenate([s.scan_end - s.scan_first for s in sheets]).astype(np.int64)
    order = np.lexsort((sensor, t_ns))
    t_ns, sensor, first, size = t_ns[order], sensor[order], first[order], size[order]
    new = np.ones(len(t_ns), bool)
    new[1:] = (t_ns[1:] != t_ns[:-1]) | (sensor[1:] != sensor[:-1])
    to = np.cumsum(size) - size
    rows = np.repeat(first - to, size) + np.arange(size.sum())
    start = to[new]
    return Sheet(
        **{
            name: np.concatenate([getattr(s, name) for s in sheets])[rows]
            for name in Sheet._fields
            if name not in SCANS and name != "sight"
        },
        sight=np.concatenate(found)[rows] if (found := sights(sheets)) else sheets[0].sight,
        scan_sensor=sensor[new],
        scan_ns=t_ns[new],
        scan_first=start.astype(np.int32),
        scan_end=np.append(start[1:], size.sum())[: len(start)].astype(np.int32),
    )


def sights(sheets: list[Sheet]) -> list[F8]:
    """`Sheet.sight` of all `sheets` with a row for each of theirs; none if nobody has any."""
    if not any(len(s.sight) for s in sheets):
        return []
    return [s.sight if len(s.sight) else blank_sights(len(s.z)) for s in sheets]


def blank_sights(n: int) -> F8:
    """`Sheet.sight` of `n` rows that measured places and nothing else."""
    made = np.full((n, layout.N_SIGHT), np.nan)
    made[:, layout.MODEL] = 0.0
    return made


def _end(step: Step) -> int:
    return step.end


def _ordered(sheet: Sheet) -> bool:
    """Each (t_ns, sensor) is after the one before it."""
    if len(sheet.scan_ns) == 1:
        return True
    t, k = sheet.scan_ns, sheet.scan_sensor
    return bool(np.all((t[1:] > t[:-1]) | ((t[1:] == t[:-1]) & (k[1:] > k[:-1]))))
