"""Drives: what is written is read, in the order of arrival; a broken file says so."""

import numpy as np
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


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Bytes, frames and files of a drive with several chunks."""
    path = tmp_path_factory.mktemp("whole") / "a.mcap"
    rng = np.random.default_rng(7)
    items = [Frame(T + i, f"s{i % 3}", "nmea", rng.bytes(9000)) for i in range(300)]
    write(path, [*items, Tick(T + 400)], {"v2x.toml": b"[site]\n" * 9, "zones.geojson": b"{}"})
    return path.read_bytes(), read(path), attachments(path)


def is_the_same_or_named(path, whole, data):
    """True if read as a whole; the frames, files and table of contents are then those written."""
    path.write_bytes(data)
    good, told = 0, []
    for look, wanted in ((read, whole[1]), (attachments, whole[2]), (describe, None)):
        try:
            got = look(path)
        except SourceError as e:
            told.append(str(e))
        else:
            good += 1
            assert wanted is None or got == wanted
    assert all(text.startswith(f"{path}: damaged or ends early (") for text in told)
    return good == 3


def test_a_drive_with_a_flipped_bit_is_read_as_it_was_or_refused(tmp_path, whole):
    data = whole[0]
    rng = np.random.default_rng(1)
    tail = len(data) - 900  # where the table of contents stands
    places = [*rng.integers(0, len(data), 20), *rng.integers(tail, len(data), 25)]
    places += [*rng.integers(0, 700, 15)]  # the head and the files
    refused = 0
    for at in places:
        flipped = bytearray(data)
        flipped[at] ^= 1 << int(rng.integers(8))
        refused += not is_the_same_or_named(tmp_path / "a.mcap", whole, bytes(flipped))
    assert refused >= 40


def test_a_drive_that_ends_early_anywhere_is_refused(tmp_path, whole):
    data = whole[0]
    for at in [0, 1, 7, 8, 9, 20, 45, *range(100, len(data), len(data) // 20), len(data) - 1]:
        assert not is_the_same_or_named(tmp_path / "a.mcap", whole, data[:at])


def test_a_small_drive_with_any_byte_changed_is_read_as_it_was_or_refused(tmp_path):
    path = tmp_path / "a.mcap"
    write(path, [Frame(T, "a", "nmea", b"x" * 40), Tick(T + 1)], {"v2x.toml": b"[site]"})
    small = path.read_bytes(), read(path), attachments(path)
    for at in range(len(small[0])):
        changed = bytearray(small[0])
        changed[at] ^= 0xFF if at % 2 else 0x01
        is_the_same_or_named(path, small, bytes(changed))


def test_a_drive_appears_under_its_name_only_when_it_is_whole(tmp_path):
    path = tmp_path / "a.mcap"
    with DriveSink(path) as drive:
        drive.write(Frame(T, "a", "nmea", b"x"))
        assert not path.exists()
    assert [f.payload for f in read(path)] == [b"x"]
    assert [p.name for p in tmp_path.iterdir()] == ["a.mcap"]


def test_a_drive_that_failed_leaves_the_old_one_and_nothing_beside_it(tmp_path):
    path = tmp_path / "a.mcap"
    write(path, [Frame(T, "a", "nmea", b"old")])
    new = [Frame(T, "a", "nmea", b"new"), Frame(T, "a/b", "nmea", b"secret")]
    with pytest.raises(SourceError, match="'a/b'") as told:
        write(path, new)
    assert "secret" not in str(told.value)
    assert [f.payload for f in read(path)] == [b"old"]
    assert [p.name for p in tmp_path.iterdir()] == ["a.mcap"]


def test_what_cannot_be_written_is_named(tmp_path):
    for path in (tmp_path, tmp_path / "no" / "a.mcap"):
        with pytest.raises(SourceError, match="cannot write"):
            DriveSink(path)
