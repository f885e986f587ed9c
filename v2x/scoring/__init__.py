"""Scoring: how far tracks are from the truth, in the words the field compares by."""

from v2x.scoring.consistency import nees, nees_band
from v2x.scoring.metrics import Frames, Score, score

__all__ = ["Frames", "Score", "nees", "nees_band", "score"]
