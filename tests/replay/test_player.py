"""Playing a drive: where the output cannot go is named."""

import pytest

from replay.player import configuration, play
from v2x.errors import ConfigError, SourceError
from v2x.frames import Frame
from v2x.ingest.drive import DriveSink

CONFIG = b"""
[site]
lat = 39.1
lon = 117.3
"""


@pytest.fixture
def drive(tmp_path):
    path = tmp_path / "a.mcap"
    with DriveSink(path, {"v2x.toml": CONFIG}) as made:
        made.write(Frame(1_795_486_272_000_000_000, "dev", "nmea", b"$"))
    return path


def test_an_output_folder_that_is_a_file_is_named(tmp_path, drive):
    (tmp_path / "taken").write_text("kept")
    with configuration(drive, None) as config:
        for out in (tmp_path / "taken", tmp_path / "taken" / "below"):
            with pytest.raises(SourceError, match=f"{out}: cannot be written"):
                play(drive, config, out=out)
    assert (tmp_path / "taken").read_text() == "kept"


@pytest.mark.parametrize("name", ["tracks.csv", "alerts.jsonl", "summary.json"])
def test_an_output_file_that_cannot_be_written_is_named(tmp_path, drive, name):
    (tmp_path / "out" / name).mkdir(parents=True)
    with (
        configuration(drive, None) as config,
        pytest.raises(SourceError, match=f"{name}: cannot be written"),
    ):
        play(drive, config, out=tmp_path / "out")


@pytest.mark.parametrize("name", ["..", ".", "", "a/b", "a\0b"])
def test_a_drive_whose_files_have_no_plain_names_is_refused(tmp_path, name):
    path = tmp_path / "a.mcap"
    with DriveSink(path, {"v2x.toml": CONFIG, name: b"x"}):
        pass
    with pytest.raises(ConfigError, match=r"a\.mcap: attachment"), configuration(path, None):
        pass
