"""``v2x drive import``: the recordings of others as drives, with an arrival for each frame."""

import csv
import json

import numpy as np
import pytest
from typer.testing import CliRunner

from replay.importing import import_drive
from replay.player import configuration, play
from tests.shared_data import shared
from v2x.cli import app
from v2x.errors import ConfigError, SourceError
from v2x.ingest.drive import DriveSource

START = 1_767_225_600_000_000_000
STEP = 100_000_000


def imported(path, form, out):
    made = import_drive(path, form, "dev", out, START, STEP)
    frames = [f for poll in DriveSource(out) for f in poll.frames]
    assert len(frames) == made.frames
    return made, frames


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("jt808/frames.hex", "jt808"),
        ("jt808/made_2019.hex", "jt808"),
        ("nmea/gps_only.nmea", "nmea"),
        ("nmea/multi_system.nmea", "nmea"),
        ("nmea/mixed_binary.bin", "nmea"),
        ("remote_id/gb46750.json", "gb46750"),
        ("remote_id/packs.json", "odid"),
        ("rsu/rsm.json", "rsu"),
        ("rsu/made_frames.json", "ydt3709"),
        ("adsb/made.csv", "adsb"),
        ("adsb/published.csv", "adsb"),
    ],
)
def test_every_recording_runs_through_the_whole_pipeline(path, form, tmp_path):
    made, frames = imported(shared(path), form, tmp_path / "a.mcap")
    assert made.frames > 0
    with configuration(tmp_path / "a.mcap", None) as config:
        told = play(tmp_path / "a.mcap", config)
    counts = told["frames"]
    assert counts["in"] == len(frames)
    parts = ("processed", "dead_letter", "late", "duplicate")
    assert counts["in"] == sum(counts[name] for name in parts)
    rows = told["rows"]
    kept = rows.get("used", 0) + rows.get("late", 0)
    kept += sum(n for name, n in rows.items() if name.startswith("refused"))
    assert rows.get("decoded", 0) == kept


def test_frames_with_a_time_of_their_own_arrive_at_it(tmp_path):
    _, frames = imported(shared("jt808/made_2019.hex"), "jt808", tmp_path / "a.mcap")
    told = shared("jt808/made_2019_positions.csv").read_text().splitlines()
    times = {np.datetime64(r["t_utc"].rstrip("Z")).astype(int) for r in csv.DictReader(told)}
    assert sum(f.recv_ns // 1_000_000_000 in times for f in frames) >= 15


def test_frames_without_a_time_follow_each_other_at_the_interval(tmp_path):
    path = tmp_path / "two.hex"
    path.write_text("8D780ABC580B82132FFD91A418AC\n8D780ABC580B85A3EF56AAA86D91\n")
    made, frames = imported(path, "adsb", tmp_path / "a.mcap")
    assert made.own_time == 0
    assert [f.recv_ns for f in frames] == [START, START + STEP]


def test_seconds_of_a_table_count_from_the_start(tmp_path):
    path = tmp_path / "two.csv"
    path.write_text("t_s,frame\n1.5,8D780ABC580B82132FFD91A418AC\n")
    _, frames = imported(path, "adsb", tmp_path / "a.mcap")
    assert frames[0].recv_ns == START + 1_500_000_000


def test_the_origin_is_the_first_position(tmp_path):
    made, _ = imported(shared("nmea/gps_only.nmea"), "nmea", tmp_path / "a.mcap")
    with configuration(tmp_path / "a.mcap", None) as config:
        assert (config.site.lat, config.site.lon) == (made.lat, made.lon)


def test_what_cannot_be_imported_is_named(tmp_path):
    empty = tmp_path / "empty.hex"
    empty.write_text("\n# nothing\n")
    with pytest.raises(SourceError, match=r"empty\.hex"):
        import_drive(empty, "adsb", "dev", tmp_path / "a.mcap", START, STEP)
    broken = tmp_path / "broken.json"
    broken.write_text(json.dumps({"hex": "zz"})[:-2])
    with pytest.raises(SourceError, match="not valid JSON"):
        import_drive(broken, "adsb", "dev", tmp_path / "a.mcap", START, STEP)


def test_the_car_drive_is_followed_as_well_as_its_receiver(tmp_path):
    imported(shared("drive_gnss/receiver.nmea"), "nmea", tmp_path / "a.mcap")
    truth = {}
    for row in csv.DictReader(shared("drive_gnss/truth.csv").read_text().splitlines()):
        at = round(float(row["unix_s"]) * 1000)
        truth[at] = tuple(float(row[name]) for name in ("lat", "lon", "hae_m"))
    off, rise = [], []

    def watch(picture):
        here = truth.get(picture.t_ns // 1_000_000)
        if here is not None and picture.t_ns % 1_000_000_000 == 0 and len(picture.tracks):
            north = (picture.geodetic[:, 0] - here[0]) * 111_132
            east = (picture.geodetic[:, 1] - here[1]) * 111_320 * np.cos(np.radians(here[0]))
            nearest = int(np.argmin(np.hypot(east, north)))
            off.append(float(np.hypot(east, north)[nearest]))
            rise.append(float(picture.heights.hae[nearest]) - here[2])

    from v2x.app import Pipeline

    with configuration(tmp_path / "a.mcap", None) as config:
        pipeline = Pipeline(config, replay=True, watch=watch)
        for poll in DriveSource(tmp_path / "a.mcap"):
            pipeline.feed(poll)
        pipeline.finish()
    assert len(off) > 840
    # 0.15 m over what the receiver itself is off, lever arm left in: 0.47 and 0.84 m.
    assert np.percentile(off, 50) <= 0.47 + 0.15
    assert np.percentile(off, 95) <= 0.84 + 0.15
    assert abs(np.mean(rise)) < 0.3


ADSB = "8D780ABC580B82132FFD91A418AC"


@pytest.mark.parametrize(
    "option",
    [
        "--interval-ms=nan",
        "--interval-ms=inf",
        "--interval-ms=1e300",
        "--interval-ms=-5",
        "--start=1969-12-31T23:59:59Z",
        "--start=2101-01-01T00:00:00Z",
        "--start=0001-01-01T00:00:00+14:00",
        "--start=soon",
    ],
)
def test_times_that_no_arrival_can_have_are_a_usage_error(tmp_path, option):
    path = tmp_path / "one.hex"
    path.write_text(ADSB + "\n")
    out = tmp_path / "a.mcap"
    arguments = ["drive", "import", str(path), "--format", "adsb", "--sensor", "dev"]
    told = CliRunner().invoke(app, [*arguments, "--out", str(out), option])
    assert told.exit_code == 2, told.output
    assert not out.exists()


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.csv", "t_s,frame\n\n1e12," + ADSB, r"a\.csv line 3: t_s"),
        ("a.csv", "t_s,frame\n-4e9," + ADSB, r"a\.csv line 2: t_s"),
        ("a.csv", "t_s,frame\ninf," + ADSB, r"a\.csv line 2: t_s"),
        ("a.csv", "t_s,frame\nnan," + ADSB, r"a\.csv line 2: t_s"),
        ("a.csv", "t_s,frame\nx," + ADSB, r"a\.csv line 2: "),
        ("a.csv", "t_s,frame\n1.0," + ADSB + "\n2.0\n", r"a\.csv line 3: no frame"),
        ("a.csv", "t_s,frame\n1.0,\n", r"a\.csv line 2: no frame"),
        ("a.csv", "frame\nzz\n", r"a\.csv line 2: "),
        ("a.csv", "frame\n" + "8D" * 100_000, r"a\.csv line \d+: "),
        ("a.json", '{"hex": "zz"}', r"a\.json: hex: 'zz'"),
        ("a.json", '{"pack_hex": "zz"}', r"a\.json: pack_hex: 'zz'"),
        ("a.json", "[" * 100_000, r"a\.json: "),
    ],
)
def test_a_damaged_input_is_named_and_the_old_drive_stays(tmp_path, name, text, told):
    (tmp_path / name).write_text(text)
    out = tmp_path / "a.mcap"
    out.write_bytes(b"old")
    with pytest.raises(SourceError, match=told):
        import_drive(tmp_path / name, "adsb", "dev", out, START, STEP)
    assert out.read_bytes() == b"old"
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted({name, "a.mcap"})


def test_frames_that_would_arrive_after_the_year_2100_are_refused(tmp_path):
    (tmp_path / "two.hex").write_text(f"{ADSB}\n" * 2)
    with pytest.raises(SourceError, match="2100"):
        import_drive(tmp_path / "two.hex", "adsb", "d", tmp_path / "a.mcap", START, 10**19)


def test_a_pack_in_json_is_a_frame(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps([{"pack_hex": ADSB}, {"hex": ADSB}]))
    made, _ = imported(tmp_path / "a.json", "adsb", tmp_path / "a.mcap")
    assert made.frames == 2


@pytest.mark.parametrize("sensor", ["a/b", "a\nb", ""])
def test_a_sensor_that_no_drive_can_hold_is_refused_before_anything_is_written(tmp_path, sensor):
    (tmp_path / "one.hex").write_text(ADSB)
    with pytest.raises(ConfigError, match="sensor") as told:
        import_drive(tmp_path / "one.hex", "adsb", sensor, tmp_path / "a.mcap", START, STEP)
    assert "Frame(" not in str(told.value)
    assert [p.name for p in tmp_path.iterdir()] == ["one.hex"]


def test_a_drive_keeps_a_sensor_name_of_any_letters(tmp_path):
    name = '路侧 "1" \\ 🚁'
    (tmp_path / "航.hex").write_text(ADSB)
    import_drive(tmp_path / "航.hex", "adsb", name, tmp_path / "a.mcap", START, STEP)
    with configuration(tmp_path / "a.mcap", None) as config:
        assert config.sensors[0].name == name


def test_an_input_is_never_overwritten_by_its_own_import(tmp_path):
    path = tmp_path / "one.hex"
    path.write_text(ADSB)
    (tmp_path / "link.mcap").symlink_to(path)
    for out in (path, tmp_path / "link.mcap"):
        with pytest.raises(SourceError, match="the input itself"):
            import_drive(path, "adsb", "dev", out, START, STEP)
    assert path.read_text() == ADSB
