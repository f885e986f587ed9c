"""Seeded scenarios: the same numbers on every machine."""
