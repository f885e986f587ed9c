"""The rooms wired together: a pipeline of frames to alerts, and the loop of a live run."""

from v2x.app.pipeline import Pipeline
from v2x.app.summary import steal_s, summary

__all__ = ["Pipeline", "steal_s", "summary"]
