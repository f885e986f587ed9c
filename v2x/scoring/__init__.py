"""Scoring: how far tracks are from the truth, in the words the field compares by."""

from v2x.scoring.consistency import Consistency, consistency, nees, nees_band, nees_of_pairs
from v2x.scoring.frames import Frames
from v2x.scoring.gospa import GospaSeries, gospa_series
from v2x.scoring.metrics import Score, score

__all__ = [
    "Consistency", "Frames", "GospaSeries", "Score", "consistency", "gospa_series", "nees",
    "nees_band", "nees_of_pairs", "score",
]  # fmt: skip
