"""Drives: what is written is read, in the order of arrival; a broken file says so."""

import pytest

from v2x.errors import SourceError
from v2x.frames import Frame, Tick
from v2x.ingest.drive import DriveSink, DriveSource, attachments, describe

T = 1_795_486_272_000_000_000


def write(path, items, files=None):
    with DriveSink(path, files) as drive:
        for item in items:
            drive.write(item)


def read(path, size=500):
    return [f for poll in DriveSource(path, size) for f in poll.frames]


def test_frames_come_back_in_the_order_of_arrival_then_sensor_then_writing(tmp_path):
    path = tmp_path / "a.mcap"
    items = [
        Frame(T + 5, "b", "nmea", b"late"),
        Frame(T, "b", "nmea", b"1"),
        Frame(T, "a", "jt808", b"0"),
        Frame(T, "b", "nmea", b"2"),
    ]
    write(path, items)
    assert [f.payload for f in read(path)] == [b"0", b"1", b"2", b"late"]
    assert [f.sensor for f in read(path)] == ["a", "b", "b", "b"]


def test_the_size_of_polls_changes_no_frame(tmp_path):
    path = tmp_path / "a.mcap"
    write(path, [Frame(T + i % 7, f"s{i % 3}", "nmea", bytes([i])) for i in range(50)])
    assert read(path, 1) == read(path, 7) == read(path)


def test_a_stamp_of_zero_and_one_of_the_far_future_leave_the_drive_readable(tmp_path):
    path = tmp_path / "a.mcap"
    write(path, [Frame(T, "a", "nmea", b"x"), Frame(0, "a", "nmea", b"zero")])
    far = (1 << 63) + 5
    write(
        path, [Frame(T, "a", "nmea", b"x"), Frame(0, "a", "nmea", b"0"), Frame(far, "a", "n", b"f")]
    )
    source = DriveSource(path)
    assert [f.payload for poll in source for f in poll.frames] == [b"0", b"x"]
    assert source.skipped == 1


def test_ticks_and_files_travel_with_the_frames(tmp_path):
    path = tmp_path / "a.mcap"
    write(path, [Frame(T, "a", "nmea", b"x"), Tick(T + 1)], {"v2x.toml": b"[site]\n"})
    assert [t for poll in DriveSource(path) for t in poll.ticks] == [Tick(T + 1)]
    assert attachments(path) == {"v2x.toml": b"[site]\n"}
    told = describe(path)
    assert (told["frames"], told["ticks"], told["attachments"]) == (1, 1, {"v2x.toml": 7})
    assert told["channels"][0]["sensor"] == "a"


def test_what_is_no_drive_is_named(tmp_path):
    path = tmp_path / "a.mcap"
    path.write_bytes(b"not a drive at all, but long enough to look at")
    with pytest.raises(SourceError, match=r"a\.mcap"):
        list(DriveSource(path))
    with pytest.raises(SourceError, match=r"missing\.mcap"):
        list(DriveSource(tmp_path / "missing.mcap"))


def test_a_drive_that_was_cut_off_is_refused_and_not_half_read(tmp_path):
    path = tmp_path / "a.mcap"
    write(path, [Frame(T + i, "a", "nmea", bytes(100)) for i in range(100)])
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SourceError):
        list(DriveSource(path))
