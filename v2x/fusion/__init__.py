"""Fusion: plots of all sensors in, tracks with existence, covariance and claims out."""

from v2x.fusion.tracker import Tally, Tracker, TrackerConfig
from v2x.sensors import Sensor

__all__ = ["Sensor", "Tally", "Tracker", "TrackerConfig"]
