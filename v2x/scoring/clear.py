"""CLEAR MOT: missed, false, switched.

Bernardin and Stiefelhagen, "Evaluating multiple object tracking performance: the CLEAR MOT
metrics", EURASIP Journal on Image and Video Processing, 2008.
"""

from dataclasses import dataclass, field

import numpy as np

from v2x.assignment import assign
from v2x.columns import F8, I4, I8
from v2x.scoring.frames import Near


@dataclass
class Clear:
    """Counts over all instants, and the state between two."""

    pairs: dict[int, int] = field(default_factory=dict)
    """Object -> track of the previous instant."""
    last: dict[int, int] = field(default_factory=dict)
    """Object -> the track it had last, however long ago."""
    missed: int = 0
    false: int = 0
    switches: int = 0
    matched: int = 0
    distance: float = 0.0

    @classmethod
    def of(cls, near: Near) -> "Clear":
        """Fold all instants in."""
        made = cls()
        for k in range(len(near)):
            made._fold(near.truth.at(k)[0], near.tracks.at(k)[0], *near.at(k))
        return made

    def _fold(self, ids: I8, names: I8, ea: I4, eb: I4, d: F8) -> None:
        """Keep the pairs of the instant before, assign the rest, count."""
        objects, tracks = ids.tolist(), names.tolist()
        edges = list(zip(ea.tolist(), eb.tolist(), d.tolist(), strict=True))
        pairs: dict[int, int] = {}
        for i, j, distance in edges:
            if self.pairs.get(objects[i]) == tracks[j]:
                pairs[objects[i]] = tracks[j]
                self.distance += distance
        taken = set(pairs.values())
        rest = [
            (i, j, x) for i, j, x in edges if objects[i] not in pairs and tracks[j] not in taken
        ]
        if rest:
            a = np.array([i for i, _, _ in rest], np.int32)
            b = np.array([j for _, j, _ in rest], np.int32)
            x = np.array([x for _, _, x in rest])
            # as many pairs as possible, then the shortest: alone costs more than any detour
            match = assign(len(ids), len(names), a, b, x, 2.0 * float(x.sum()) + 1.0)
            for i, j, distance in rest:
                if match[i] == j:
                    pairs[objects[i]] = tracks[j]
                    self.distance += distance
        for who, track in pairs.items():
            self.switches += self.last.get(who, track) != track
            self.last[who] = track
        self.pairs = pairs
        self.matched += len(pairs)
        self.missed += len(objects) - len(pairs)
        self.false += len(tracks) - len(pairs)
