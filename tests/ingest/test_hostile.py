"""Hostile bytes under compiled bounds checks, in a process and a kernel cache of their own."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.ingest import fuzz
from tests.ingest.hostile import mutated, samples

ROOT = Path(__file__).resolve().parents[2]


def test_hostile_frames_read_nothing_out_of_bounds(tmp_path):
    environment = {
        **os.environ,
        "NUMBA_BOUNDSCHECK": "1",
        "V2X_CACHE": str(tmp_path / "cache"),
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.ingest.hostile", "3000"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.startswith("bounds checks are on")


@pytest.mark.parametrize("name", ["columns", "json", "nmea", "objects", "rsu_status"])
def test_hostile_frames_take_a_decoder_at_most_64_mb(name):
    done = subprocess.run(
        [sys.executable, "-m", "tests.ingest.memory", name],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]


def test_the_fuzzer_finds_new_outcomes_and_breaks_nothing(capsys):
    assert fuzz.run(["nmea", "jt808"], 4_000, 0) == 4_000
    told = capsys.readouterr().out.splitlines()
    assert told[-1].endswith("nothing broken")
    for line in told[:2]:
        name, executions, corpus = line.split()[:3]
        assert int(executions) == 2_000
        assert int(corpus) > len(samples(name))


def test_a_broken_promise_is_written_down(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    target = fuzz.Target("nmea")
    monkeypatch.setattr(fuzz, "judge", lambda made, n: False)
    with pytest.raises(AssertionError, match=r"the poll is in fuzz-nmea-500\.hex"):
        target.step(np.random.default_rng(1))
    lines = (tmp_path / "fuzz-nmea-500.hex").read_text().splitlines()
    assert lines == [
        payload.hex() for payload in mutated(samples("nmea"), 500, np.random.default_rng(1))
    ]
