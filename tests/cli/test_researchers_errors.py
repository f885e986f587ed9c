"""What ``v2x track``, ``score``, ``zones check`` and ``bench fusion`` say to input gone wrong."""

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from replay.player import TrackTable
from tests.cli.test_track_score import SENSORS
from v2x import cli
from v2x.cli.bench import fusion as bench
from v2x.cli.score import score
from v2x.cli.tables import TrackWriter, read_plots, read_sensors, read_tracks
from v2x.cli.track import STEP_NS, run, track
from v2x.errors import ConfigError
from v2x.fusion import Tracker
from v2x.plots import Plots

HEAD = "t_s,sensor,east_m,north_m\n"
TRUTH = "t_s,object,east_m,north_m\n0.1,a,1,0\n0.2,a,2,0\n"


@pytest.fixture
def put(tmp_path):
    def written(name, text):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path / name

    return written


@pytest.fixture
def tracked(put, tmp_path):
    def made(plots, sensors=SENSORS):
        out = tmp_path / "t.csv"
        track(put("p.csv", plots), put("s.toml", sensors), out, True)
        return out.read_text(encoding="utf-8")

    return made


def refusal(tracked, plots, sensors=SENSORS):
    with pytest.raises(ConfigError) as caught:
        tracked(plots, sensors)
    return str(caught.value)


def usage(*words):
    """Exit code and text of a command line."""
    made = CliRunner().invoke(cli.app, [str(w) for w in words], env={"COLUMNS": "400"})
    return made.exit_code, made.output


def steady(first_s, n):
    return "".join(f"{first_s + 0.1 * k:.2f},radar-1,{k},{0.5 * k}\n" for k in range(n))


def test_score_reads_the_tracks_that_replay_writes_and_ignores_their_places_on_earth(put, capsys):
    body = "".join(f"0.{k},7,{k},0,,10,0,,1,car,,confirmed,1,1,,0,,,39.1,x,\n" for k in (1, 2))
    tracks = put("tracks.csv", TrackTable.HEADER + "\n" + body)
    score(tracks, put("truth.csv", TRUTH), c=5.0, p=2.0, from_=None, json_=True)
    made = json.loads(capsys.readouterr().out)
    assert (made["gospa"], made["idf1"], made["frames"]) == (0.0, 1.0, 2)


@pytest.mark.parametrize(
    "word", ["1e999999999", "1e999990", "-1e30", "1e99", "nan", "inf", "sNaN", "", "9" * 40]
)
def test_a_time_beyond_the_clock_is_refused_with_its_place(tracked, word):
    told = refusal(tracked, HEAD + f"0,radar-1,1,1\n{word},radar-1,1,1\n")
    assert "p.csv: row 3, column t_s: " in told


@pytest.mark.parametrize(
    ("sensors", "words"),
    [
        ("sensors = [1]\n", ("sensors[1]", "table")),
        ("sensors = [[1, 2]]\n", ("sensors[1]", "table")),
        (SENSORS.replace('name = "radar-1"\n', ""), ("sensors[1]", "needs a name")),
        (SENSORS.replace("radar-1", ""), ("sensors[1]", "needs a name")),
        (SENSORS.replace('"radar-1"', "7"), ("sensors[1]", "'name'", "text")),
        (SENSORS + SENSORS, ("s.toml", "radar-1", "twice")),
        (SENSORS.replace("sd_m = 0.5", "sd_m = inf"), ("'sd_m'", "inf", "finite")),
        (SENSORS.replace("sd_m = 0.5", "sd_m = nan"), ("'sd_m'", "nan", "finite")),
        (SENSORS.replace("sd_m = 0.5", "sd_m = -0.5"), ("'sd_m'", "-0.5", "negative")),
        (SENSORS.replace("sd_m = 0.5", "sd_m = 1" + "0" * 400), ("'sd_m'", "finite")),
        (SENSORS.replace("sd_m = 0.5", "sd_m = 1e200"), ("'sd_m'", "1e+200", "finite")),
        (SENSORS + "ceiling_m = nan\n", ("'ceiling_m'", "nan")),
        (SENSORS + "coverage = [[0, 0], [1, nan], [1, 1]]\n", ("'coverage'", "east_m")),
        (SENSORS + "clutter_per_scan = 1\narea = inf\n", ("'area'", "finite")),
    ],
)
def test_a_sensor_that_cannot_be_meant_is_refused_by_key(tracked, sensors, words):
    told = refusal(tracked, HEAD + "0,radar-1,1,1\n", sensors)
    assert all(word in told for word in ("s.toml", *words))


def test_a_sensor_may_see_to_any_height(tracked):
    assert tracked(HEAD + steady(0.05, 8), SENSORS + "ceiling_m = inf\nfloor_m = -inf\n")


@pytest.mark.parametrize("word", ["nan", "inf", "-inf", "NaN", "1e999"])
@pytest.mark.parametrize(
    ("column", "others"),
    [
        ("east_m", "north_m"),
        ("north_m", "east_m"),
        ("up_m", "east_m,north_m"),
        ("range_m", "az_deg"),
        ("az_deg", "range_m"),
        ("var_e", "east_m,north_m"),
        ("ve", "east_m,north_m"),
        ("conf", "east_m,north_m"),
    ],
)
def test_a_number_that_is_none_is_refused_and_never_taken_for_an_empty_look(
    tracked, column, others, word
):
    n = others.count(",") + 1
    text = f"t_s,sensor,{others},{column}\n0,radar-1{',1' * n},\n0.1,radar-1{',1' * n},{word}\n"
    if column not in ("up_m", "var_e", "ve", "conf"):
        text = f"t_s,sensor,{others},{column}\n0,radar-1,,\n0.1,radar-1{',1' * n},{word}\n"
    told = refusal(tracked, text)
    assert f"row 3, column {column}: '{word}' is not finite" in told


@pytest.mark.parametrize("word", ["-0.1", "1.01", "90"])
def test_a_confidence_outside_its_scale_is_refused(tracked, word):
    told = refusal(tracked, HEAD.strip() + f",conf\n0,radar-1,1,1,1\n0.1,radar-1,1,1,{word}\n")
    assert "row 3, column conf: " in told
    assert "0 to 1" in told


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (HEAD + "0,radar-1,1,1\n\n\n0.1,radar-1,1,x\n", 5),
        ("\n" + HEAD + "\n0,radar-1,1,x\n", 4),
        (HEAD + "0,radar-1,1,1\n\n0.1,radar-1,1\n", 4),
        (HEAD + "\n0.1,lidar,1,1\n", 3),
        (HEAD.strip() + ',ident\n0,radar-1,1,1,"a\nb"\n1,radar-1,1,1,\n2,radar-1,1,x,\n', 5),
        ("t_s,sensor,range_m,az_deg\n\n\n0,radar-1,10,10\n", 4),
    ],
)
def test_an_error_names_the_line_of_the_file(tracked, text, line):
    assert f"p.csv: row {line}" in refusal(tracked, text)


def test_blank_lines_change_nothing_and_a_blank_file_lacks_its_header(tracked):
    text = HEAD + steady(0.05, 12)
    assert tracked(text.replace("\n", "\n\n")) == tracked(text)
    assert "a header is missing" in refusal(tracked, "\n\n")


def stepped(put, text):
    """Step at every instant of 0.1 s, however little happens there."""
    table = read_sensors(put("s.toml", SENSORS))
    file = read_plots(put("p.csv", text), table)
    tracker, writer, rows = Tracker(table), TrackWriter(file.idents, file.has_up), file.plots.rows
    looks = file.plots.scans.take(file.plots.scans.end == file.plots.scans.first)
    first = -(-int(file.plots.scans.t_ns[0]) // STEP_NS)
    last = (int(file.plots.scans.t_ns[-1]) + STEP_NS) // STEP_NS
    for k in range(first, last + 1):
        begin, end = (k - 1) * STEP_NS, k * STEP_NS
        mine = (rows.t_ns > begin) & (rows.t_ns <= end)
        empty = (looks.t_ns > begin) & (looks.t_ns <= end)
        plots = Plots.of(rows.take(mine), looks.sensor[empty], looks.t_ns[empty])
        writer.add(tracker.step(plots, end), end)
    return writer.lines, last - first + 1


@pytest.mark.parametrize("gap_s", [0.3, 3.0, 12.3, 60.0])
def test_a_gap_is_left_out_without_a_change_of_any_row(put, gap_s):
    text = HEAD + steady(0.15, 20) + f"{2.2:.2f},radar-1,,\n" + steady(2.2 + gap_s, 20)
    lines, instants = stepped(put, text)
    table = read_sensors(put("s.toml", SENSORS))
    file = read_plots(put("p.csv", text), table)
    writer = TrackWriter(file.idents, file.has_up)
    assert run(Tracker(table), file.plots, writer) == instants
    assert writer.lines == lines
    assert len(lines) > 30


def test_decades_between_two_plots_take_no_time(tracked, monkeypatch):
    steps, step = [], Tracker.step

    def counted(self, plots, t_ns):
        steps.append(t_ns)
        assert len(steps) < 5000, "a step for every tenth of a second"
        return step(self, plots, t_ns)

    monkeypatch.setattr(Tracker, "step", counted)
    assert len(tracked(HEAD + "0.1,radar-1,1,1\n1795486272.1,radar-1,1,1\n").splitlines()) == 1
    assert 1795486272_100_000_000 in steps
    text = tracked(HEAD + steady(0.05, 12) + steady(1795486272.05, 12))
    assert text.splitlines()[-1].startswith("1795486273.200,")


@pytest.mark.parametrize(
    "options",
    [
        ("--c", "-1"),
        ("--c", "0"),
        ("--c", "nan"),
        ("--c", "inf"),
        ("--p", "0"),
        ("--p", "0.5"),
        ("--p", "inf"),
        ("--p", "1e6"),
        ("--from", "nan"),
        ("--from", "inf"),
        ("--from", "1e300"),
    ],
)
def test_score_answers_an_option_it_cannot_mean_as_wrong_usage(put, options):
    tracks = put("a.csv", "t_s,track,east_m,north_m\n0.1,1,1,0\n")
    code, told = usage("score", tracks, put("b.csv", TRUTH), *options)
    assert code == 2
    assert options[0] in told


def test_score_from_a_time_after_the_truth_has_nothing_to_judge(put, capsys):
    tracks = put("a.csv", "t_s,track,east_m,north_m\n0.1,1,1,0\n")
    score(tracks, put("b.csv", TRUTH), c=5.0, p=2.0, from_=4e9, json_=True)
    made = json.loads(capsys.readouterr().out)
    assert (made["gospa"], made["frames"]) == (None, 0)


def test_score_refuses_tracks_with_a_place_that_is_no_number(put):
    text = "t_s,track,east_m,north_m\n\n0.1,1,nan,0\n"
    with pytest.raises(ConfigError, match="row 3, column east_m: 'nan' is not finite"):
        read_tracks(put("a.csv", text))


@pytest.mark.parametrize(
    "options",
    [
        ("--at", "39.1"),
        ("--at", "39.1,x"),
        ("--at", "117.3,39.1,0"),
        ("--at", "39.1,117.3,nan"),
        ("--ref", "fl"),
        ("--time", "now"),
        ("--time", "2026-05-01T08:00:00"),
    ],
)
def test_zones_check_answers_an_option_it_cannot_read_as_wrong_usage(put, options):
    code, told = usage("zones", "check", put("z.geojson", "{}"), *options)
    assert code == 2
    assert options[0] in told


@pytest.mark.parametrize(
    "options",
    [
        ("--seeds", "5-2"),
        ("--seeds", "x"),
        ("--seeds", ""),
        ("--seeds", "0,"),
        ("--seeds", "-1"),
        ("--seeds", "0-99999999999"),
        ("--scenario", "moon"),
        ("--size", "0"),
        ("--scans", "10"),
        ("--scans", "301"),
        ("--competitor", "nobody"),
    ],
)
def test_bench_answers_an_option_it_cannot_mean_as_wrong_usage(monkeypatch, options):
    monkeypatch.setattr(bench, "warm", lambda: pytest.fail("started"))
    code, told = usage("bench", "fusion", "--competitor", "none", *options)
    assert code == 2
    assert options[0] in told


def test_bench_reads_seeds_as_numbers_and_ranges():
    assert bench.seed_list("0,3,7-9") == [0, 3, 7, 8, 9]


def test_bench_without_its_peer_says_how_to_get_it_before_it_measures(monkeypatch):
    monkeypatch.setattr(bench, "warm", lambda: pytest.fail("started"))
    monkeypatch.setitem(sys.modules, "stonesoup", None)
    monkeypatch.delitem(sys.modules, "v2x.cli.bench.stonesoup", raising=False)
    monkeypatch.delattr("v2x.cli.bench.stonesoup", raising=False)
    with pytest.raises(ConfigError) as caught:
        bench.fusion()
    told = str(caught.value)
    assert "pip install -e '.[bench]'" in told
    assert "pip install 'v2x[bench]'" in told
    assert "--competitor none" in told


def test_a_wrong_file_ends_with_the_exit_code_of_configuration(put, tmp_path):
    plots = put("p.csv", HEAD + "1e999999999,radar-1,1,1\n")
    words = ["track", plots, "--sensors", put("s.toml", SENSORS), "--out", tmp_path / "t.csv"]
    made = subprocess.run([sys.executable, "-m", "v2x", *words], capture_output=True, text=True)
    assert made.returncode == 3
    assert made.stderr.startswith(f"v2x: {plots}: row 2, column t_s: ")
    assert not (tmp_path / "t.csv").exists()
