"""The demo drive through the whole pipeline: what was staged is found, and only that."""

import json
from pathlib import Path

import numpy as np
import pytest

from replay.player import configuration, play
from v2x.app import Pipeline
from v2x.frames import Poll
from v2x.ingest.drive import DriveSink, DriveSource, attachments

DRIVES = Path(__file__).resolve().parents[2] / "replay" / "drives"
DEMO = DRIVES / "demo.mcap"
S = 1_000_000_000


@pytest.fixture(scope="module")
def told():
    with configuration(DEMO, None) as config:
        return play(DEMO, config)


def cut(out: Path, first_s: float, last_s: float) -> Path:
    """Frames of the demo drive that arrived in a span of its time, as a drive of their own."""
    frames = [f for poll in DriveSource(DEMO) for f in poll.frames]
    start = frames[0].recv_ns
    with DriveSink(out, attachments(DEMO)) as drive:
        for frame in frames:
            if first_s <= (frame.recv_ns - start) / S < last_s:
                drive.write(frame)
    return out


def test_every_staged_danger_is_found_once_and_nothing_else(told):
    want = json.loads((DRIVES / "demo.expected.json").read_text("utf-8"))

    def name(subject: dict) -> str:
        return subject.get("claimed_identity") or subject.get("device") or "dark"

    got = sorted((a["type"], a["severity"], name(a["subject"])) for a in told["alerts"]["list"])
    staged = sorted((w["type"], w["severity"], w["subject"] or "dark") for w in want)
    assert got == staged
    assert told["alerts"]["self"] == []


def test_the_stray_and_the_dark_drone_are_found_in_the_zone(told):
    zones = sorted(
        a["subject"].get("claimed_identity", "dark")[:8]
        for a in told["alerts"]["list"]
        if a["type"] == "zone_intrusion"
    )
    assert len(zones) == 2
    assert zones[0] == "dark"
    assert all(a["zone"] == "ZBTJ-P1" for a in told["alerts"]["list"] if a.get("zone"))


def test_every_frame_and_every_row_went_somewhere(told):
    parts = ("processed", "dead_letter", "late", "duplicate")
    for counts in (told["frames"], *told["sources"].values()):
        assert counts["in"] == sum(counts.get(name, 0) for name in parts)
    rows = told["rows"]
    refused = sum(n for name, n in rows.items() if name.startswith("refused"))
    assert rows["decoded"] == rows["used"] + rows["late"] + refused
    assert told["frames"]["dead_letter"] == 0
    assert told["frames"]["late"] <= 4  # the first epoch of each box closes with its second


def test_the_whole_drive_again_with_polls_cut_at_random_gives_the_same_bytes(told):
    frames = [f for poll in DriveSource(DEMO) for f in poll.frames]
    rng = np.random.default_rng(7)
    with configuration(DEMO, None) as config:
        pipeline = Pipeline(config, replay=True)
        at = 0
        while at < len(frames):
            n = int(rng.choice([1, 3, 40, 700, 3000]))
            pipeline.feed(Poll(frames[at : at + n]))
            at += n
        pipeline.finish()
    assert pipeline.digests() == told["digest"]


def test_polls_of_1_and_of_64_and_any_rate_give_the_same_bytes(tmp_path):
    drive = cut(tmp_path / "cut.mcap", 118.0, 128.0)
    with configuration(drive, None) as config:
        whole = play(drive, config)
        assert whole["tracks"] > 20
        for poll_frames, rate in ((1, None), (64, None), (None, 20.0), (None, 1.0)):
            again = play(drive, config, poll_frames=poll_frames, rate=rate)
            assert again["digest"] == whole["digest"], (poll_frames, rate)
            assert again["frames"] == whole["frames"]


def test_frames_of_one_instant_may_stand_in_the_file_in_any_order_of_sensors(tmp_path):
    drive = cut(tmp_path / "cut.mcap", 118.0, 124.0)
    frames = [f for poll in DriveSource(drive) for f in poll.frames]
    rng = np.random.default_rng(3)
    by_sensor: dict[str, list] = {}
    for frame in frames:
        by_sensor.setdefault(frame.sensor, []).append(frame)
    with DriveSink(tmp_path / "mixed.mcap", attachments(DEMO)) as mixed:
        names = list(by_sensor)
        for i in rng.permutation(len(names)):
            for frame in by_sensor[names[i]]:
                mixed.write(frame)
    with configuration(drive, None) as config:
        assert play(drive, config)["digest"] == play(tmp_path / "mixed.mcap", config)["digest"]


def test_the_outputs_are_the_tables_they_say(tmp_path):
    drive = cut(tmp_path / "cut.mcap", 118.0, 140.0)
    with configuration(drive, None) as config:
        told = play(drive, config, out=tmp_path / "out")
    lines = (tmp_path / "out" / "alerts.jsonl").read_text("utf-8").splitlines()
    assert {json.loads(line)["id"] for line in lines} == {a["id"] for a in told["alerts"]["list"]}
    table = (tmp_path / "out" / "tracks.csv").read_text().splitlines()
    assert table[0].startswith("t_s,track,east_m,north_m,up_m,ve,vn,vu,exist,kind,ident,status")
    times = {row.split(",")[0] for row in table[1:]}
    assert all(time.endswith("00") for time in times)
    assert json.loads((tmp_path / "out" / "summary.json").read_text("utf-8"))["frames"]


def test_a_silence_of_months_costs_a_minute_of_slices_and_one_step(tmp_path):
    drive = cut(tmp_path / "cut.mcap", 118.0, 121.0)
    frames = [f for poll in DriveSource(drive) for f in poll.frames]
    with configuration(drive, None) as config:
        pipeline = Pipeline(config, replay=True)
        pipeline.feed(Poll(frames[:100]))
        late = frames[100]
        far = type(late)(late.recv_ns + 10**7 * S, late.sensor, late.format, late.payload)
        pipeline.feed(Poll([far]))
        assert pipeline.slices < 65 * 20
