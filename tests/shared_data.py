"""Recordings and reference tables that lie outside the repository."""

import os
from pathlib import Path

import pytest

_DEFAULT = Path(__file__).resolve().parents[2] / "shared" / "data"


def shared(path: str) -> Path:
    """Path of a shared file; skips the test where the folder or the file is missing."""
    found = Path(os.environ.get("V2X_SHARED_DATA", _DEFAULT)) / path
    if not found.exists():
        pytest.skip(f"shared test data is missing: {found} (set V2X_SHARED_DATA)")
    return found
