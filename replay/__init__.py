"""Recorded drives: import, play, scenarios. Only the command line stands above this package."""
