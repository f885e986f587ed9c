"""One or more threads that bring a tracker forward, with the same result to the bit.

Threads meet twice a scan, and once for the report, some 40 us each, so what is small runs on one.
"""

from typing import Any

import numpy as np

from v2x.columns import F8, I4
from v2x.fusion import layout, modes, running
from v2x.fusion.layout import Motion, Output, Sheet
from v2x.fusion.memory import Memory, keep
from v2x.fusion.windows import EPOCH
from v2x.jit import Team, entry

LEAST_TRACKS, LEAST_PLOTS = 1500, 500
"""Slots in use, and plots of a scan, from which on a scan is worth more than one thread. Ours."""


class Crew:
    """Runs the scans of a step over the memory of a tracker.

    Parameters
    ----------
    threads
        How many, the caller's included.
    manners
        Of the motion modes.
    """

    def __init__(self, threads: int, manners: F8) -> None:
        self._team = Team(threads)
        self._motions: list[Motion] = [
            layout.new_motion(manners, modes.blank_moves(manners)) for _ in range(1, threads)
        ]
        self._dealt: I4 = np.zeros((threads, 4), np.int32)
        self._memory: Memory
        self._codes: dict[str, Any] = {}

    def take_over(self, memory: Memory) -> None:
        """Work on these arrays from now on; to be called again whenever one of them is another."""
        self._memory, self._whole = memory, keep(memory)
        self._parts = [self._whole]
        if not self._motions:
            return
        plot, n = memory.edges.plot, 1 + len(self._motions)
        cuts = [k * len(plot) // n for k in range(n + 1)]
        self._begins = cuts[:-1]
        self._parts = [
            keep(
                memory._replace(
                    edges=memory.edges._replace(plot=plot[:end]),
                    look=memory.look._replace(d=np.zeros_like(memory.look.d)),
                    motion=motion,
                    notes=layout.new_notes(len(memory.live.r)),
                    ledger=memory.ledger._replace(nis=np.zeros_like(memory.ledger.nis)),
                    counts=np.zeros_like(memory.counts),
                )
            )
            for end, motion in zip(cuts[1:], [memory.motion, *self._motions], strict=True)
        ]

    def run(self, sheet: Sheet, done: int, t_ns: int, out: Output) -> int:
        """Run the scans from number `done` on, and report as `v2x.fusion.running.step` does."""
        if not self._codes:
            self._compile(sheet, out)
        codes, n = self._codes, len(sheet.scan_ns)
        if len(self._parts) == 1 or not self._worth(len(sheet.z)):
            made: int = codes["step"](self._whole, sheet, done, t_ns, out)
            return made
        while done < n:
            if self._worth(int(sheet.scan_end[done] - sheet.scan_first[done])):
                if not self._scan(sheet, done):
                    return done
            elif codes["run"](self._whole, sheet, done, done + 1) == done:
                return done
            done += 1
        codes["choose_all"](self._whole, t_ns)
        chosen = int(self._memory.counts[layout.CHOSEN])
        if chosen <= len(out.id):
            self.tell(t_ns, chosen, out)
        return n

    def tell(self, t_ns: int, chosen: int, out: Output) -> None:
        """Report all the tracks that were chosen."""
        parts = self._parts if self._worth(chosen) else [self._whole]
        self._team.run(
            self._codes["tell"],
            [(part, t_ns, chosen, k, len(parts), out) for k, part in enumerate(parts)],
        )

    def _worth(self, plots: int) -> bool:
        return plots >= LEAST_PLOTS and self._memory.counts[layout.TOP] >= LEAST_TRACKS

    def _scan(self, sheet: Sheet, q: int) -> bool:
        """Run one scan on all threads; False where `running.run` would return."""
        m, codes, slots = self._memory, self._codes, self._dealt
        if sheet.scan_ns[q] // m.ledger.epoch_ns != m.windows.head[EPOCH]:
            return False
        codes["begin"](self._whole, sheet, q)
        codes["deal"](self._whole, slots)
        slots[:, 2] = self._begins
        calls = [
            (part, sheet, q, lo, hi)
            for part, (lo, hi) in zip(self._parts, slots[:, :2].tolist(), strict=True)
        ]
        slots[:, 3] = self._team.run(
            codes["foresee"], [(*call, e) for call, e in zip(calls, self._begins, strict=True)]
        )
        if slots[:, 3].min() < 0:
            codes["undo"](self._whole)
            return False
        codes["weigh_all"](self._whole, sheet, q, slots)
        self._team.run(codes["renew"], calls)
        for part in self._parts:
            codes["collect"](self._whole, part, sheet, q)
        codes["finish"](self._whole, sheet, q)
        return True

    def _compile(self, sheet: Sheet, out: Output) -> None:
        whole = self._whole
        like: dict[str, tuple[Any, ...]] = {
            "step": (whole, sheet, 0, 0, out),
            "tell": (whole, 0, 0, 0, 0, out),
        }
        if len(self._parts) > 1:
            like |= {
                "run": (whole, sheet, 0, 0),
                "begin": (whole, sheet, 0),
                "deal": (whole, self._dealt),
                "foresee": (whole, sheet, 0, 0, 0, 0),
                "undo": (whole,),
                "weigh_all": (whole, sheet, 0, self._dealt),
                "renew": (whole, sheet, 0, 0, 0),
                "collect": (whole, whole, sheet, 0),
                "finish": (whole, sheet, 0),
                "choose_all": (whole, 0),
            }
        self._codes = {name: entry(getattr(running, name), *args) for name, args in like.items()}
