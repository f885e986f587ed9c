"""``v2x bench fusion``: what it measures, what it prints, and the page it writes."""

import dataclasses
import gc
import json
import re
import shlex
import statistics
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from replay.scenarios import library
from replay.scenarios.fusion import make
from v2x import cli
from v2x.cli.bench import charts, feeding, judging, measuring, peers, report, runs
from v2x.cli.bench import fusion as bench
from v2x.cli.bench.markup import Markup, node
from v2x.cli.bench.measuring import Estimates, Stopwatch, latency
from v2x.errors import ConfigError, SourceError
from v2x.fusion import Tracker, TrackerConfig
from v2x.plots import Plots
from v2x.sensors import SensorTable

ROOT = Path(__file__).resolve().parents[2]
SCANS = 45
INSTALLED = [
    name
    if peers.installed(name)
    else pytest.param(name, marks=pytest.mark.skip(reason=f"{name} is not installed"))
    for name in peers.PEERS
]


def invoke(*words):
    made = CliRunner().invoke(
        cli.app, ["bench", "fusion", *(str(w) for w in words)], env={"COLUMNS": "400"}
    )
    return made.exit_code, made.output


@pytest.fixture(autouse=True)
def warmed(monkeypatch):
    """Kernels compile in the first run instead: no figure of these tests is one of speed."""
    monkeypatch.setattr(bench, "warm", lambda: None)


def measured(*words):
    code, told = invoke("--competitor", "none", "--scans", SCANS, "--size", 10, "--json", *words)
    assert code == 0, told
    return json.loads(told)


@pytest.fixture(scope="module")
def world():
    return make("nominal", 10, 0, scans=SCANS)


@pytest.fixture(scope="module")
def mine(world):
    return runs.ours(world, TrackerConfig())


def truth_as_estimates(world, offset=0.0, variance=1.0):
    said = Estimates()
    for ids, x in zip(world.truth_id, world.truth, strict=True):
        P = np.broadcast_to(variance * np.eye(world.dim), (len(ids), world.dim, world.dim))
        said.add(ids, x + offset * np.eye(world.dim)[0], world.dim, P)
    return said


def test_json_holds_what_was_run_and_every_figure_of_every_result():
    made = measured("--seeds", "0-1")
    assert set(made) == {
        "command", "machine", "versions", "method", "options", "results", "summary"
    }  # fmt: skip
    assert set(made["versions"]) == {"python", "v2x", "numpy", "numba"}
    assert [r["seed"] for r in made["results"]] == [0, 1]
    first = made["results"][0]
    assert set(first) == {
        "tracker", "scenario", "size", "seed", "scans", "scored_from_s", "scored_to_s", "plots",
        "cpu_s", "plots_per_cpu_s", "rounds", "scan_ms", "steal_s", "wait_s", "series", "gospa",
        "gospa_localisation", "gospa_missed", "gospa_false", "gospa_n", "ospa2", "mota", "motp",
        "idf1", "hota", "det_a", "ass_a", "id_switches", "frames", "nees", "nis",
    }  # fmt: skip
    assert (first["tracker"], first["scenario"], first["size"], first["scans"]) == (
        "v2x", "nominal", 10, SCANS
    )  # fmt: skip
    assert first["frames"] == 6
    assert first["scored_to_s"] == 1.5
    assert first["plots"] == sum(len(z) for z in make("nominal", 10, 0, scans=SCANS).plots)
    assert first["plots_per_cpu_s"] == pytest.approx(first["plots"] / first["cpu_s"])
    assert first["scan_ms"]["scans"] == SCANS * first["rounds"]
    assert 0.0 < first["scan_ms"]["p50"] <= first["scan_ms"]["p99"]
    assert {len(values) for values in first["series"].values()} == {6}
    assert first["series"]["t_s"] == [1.0, 1.1, 1.2, 1.3, 1.4, 1.5]


def test_the_summary_has_mean_and_deviation_over_seeds():
    made = measured("--seeds", "0-2")
    row = made["summary"][0]["trackers"]["v2x"]
    each = [r["gospa_n"] for r in made["results"]]
    assert row["seeds"] == 3
    assert row["gospa_n"]["mean"] == pytest.approx(statistics.mean(each))
    assert row["gospa_n"]["sd"] == pytest.approx(statistics.stdev(each))
    assert row["p99_ms"] == statistics.median(r["scan_ms"]["p99"] for r in made["results"])
    assert row["plots_per_cpu_s"] == pytest.approx(
        sum(r["plots"] for r in made["results"]) / sum(r["cpu_s"] for r in made["results"])
    )


def test_one_seed_has_no_deviation():
    assert judging.mean_sd([2.0]) == {"mean": 2.0, "sd": None}


def test_scenarios_and_sizes_run_in_the_order_given_and_names_may_share_an_option():
    made = measured("--scenario", "hard,air3d", "--scenario", "hard", "--size", "12")
    cases = [(g["scenario"], g["size"]) for g in made["summary"]]
    assert cases == [("hard", 10), ("hard", 12), ("air3d", 10), ("air3d", 12)]


def accuracy(made):
    return [
        {key: r[key] for key in ("seed", "plots", "gospa", "idf1", "nees", "nis", "series")}
        for r in made["results"]
    ]


def test_the_command_line_in_the_report_gives_the_same_accuracy_again():
    first = measured("--seeds", "3", "--stream", "1", "--config", "death_per_s=0.1")
    again = shlex.split(first["command"])
    assert again[:3] == ["v2x", "bench", "fusion"]
    code, told = invoke(*again[3:], "--json")
    assert code == 0
    assert accuracy(json.loads(told)) == accuracy(first)


def test_settings_reach_the_tracker_and_the_stream_changes_the_draw():
    plain = accuracy(measured())
    stiff = accuracy(measured("--config", "motion=cv,psd_m2_s3=0.01"))
    other = accuracy(measured("--stream", "1"))
    assert stiff[0]["gospa"] != plain[0]["gospa"]
    assert stiff[0]["plots"] == plain[0]["plots"]
    assert other[0]["plots"] != plain[0]["plots"]


def test_bounds_stand_beside_the_trackers_and_have_no_speed(tmp_path):
    out = tmp_path / "b.html"
    made = measured("--bound", "--html", out)
    rows = made["summary"][0]["trackers"]
    bounds = [name for name in rows if name != "v2x"]
    assert bounds
    assert all(name.startswith("bound-") for name in bounds)
    assert all(rows[name]["plots_per_cpu_s"] is None for name in bounds)
    means = {name: rows[name]["gospa_n"]["mean"] for name in bounds}
    assert means["bound-known-turn"] < means["bound-known-cv"]
    assert made["summary"][0]["ratios"] == {}
    assert made["command"].endswith("--bound")
    page = read(out.read_text(encoding="utf-8"))
    assert set(bounds) <= set(page.words)


def test_a_scenario_that_hides_what_made_its_plots_has_no_bound():
    world = dataclasses.replace(make("nominal", 10, 0, scans=3), origin=[])
    runs.refuse(world, peers=True, bound=False)
    with pytest.raises(ConfigError, match="--bound"):
        runs.refuse(world, peers=True, bound=True)


def test_without_scores_time_alone_is_told():
    made = measured("--no-score")
    assert made["results"][0]["plots_per_cpu_s"] > 0
    assert "gospa" not in made["results"][0]
    assert made["summary"][0]["trackers"]["v2x"]["gospa_n"] is None


def test_tables_name_every_tracker_and_the_machine():
    code, told = invoke("--competitor", "none", "--scans", SCANS, "--size", 10)
    assert code == 0
    assert "nominal 10, 45 scans, seeds 0" in told
    assert re.search(r"v2x +\d\.\d{3} ", told)
    assert "numba " in told


@pytest.mark.parametrize("name", ["nominal", "air3d"])
@pytest.mark.parametrize("peer", INSTALLED)
def test_a_peer_tells_at_each_instant_where_the_objects_are(peer, name):
    world, watch = make(name, 10, 0, scans=SCANS), Stopwatch()
    said = peers.load(peer)(world, watch)
    assert len(said.ids) == len(said.positions) == SCANS // 3
    assert len(watch.wall_ns) == SCANS
    assert watch.cpu_ns > 0
    for ids, x in zip(said.ids, said.positions, strict=True):
        assert x.shape == (len(ids), world.dim)
        assert len(set(ids.tolist())) == len(ids)
    for x, P in zip(said.positions, said.covariances, strict=bool(said.covariances)):
        assert P.shape == (*x.shape, world.dim)
    made, _ = judging.judge(world, said)
    nothing = np.sqrt(0.5 * 25.0)
    assert made["gospa_n"] < (0.95 if peer == "trackforge-sort" else 0.4) * nothing


@pytest.mark.parametrize("peer", INSTALLED[:1])
def test_a_peer_runs_on_the_scans_that_ours_ran_on(peer):
    code, told = invoke(
        "--competitor", peer, "--scans", SCANS, "--size", 10, "--seeds", "4", "--json"
    )
    assert code == 0
    made = json.loads(told)
    ours, theirs = made["results"]
    assert theirs["tracker"] == peer
    assert (ours["plots"], ours["frames"]) == (theirs["plots"], theirs["frames"])
    ratio = made["summary"][0]["ratios"][peer]
    assert ratio["throughput"] == pytest.approx(ours["plots_per_cpu_s"] / theirs["plots_per_cpu_s"])
    assert ratio["gospa"] == pytest.approx(ours["gospa_n"] / theirs["gospa_n"])


def test_every_peer_without_its_package_says_how_to_get_it(monkeypatch):
    for name, peer in peers.PEERS.items():
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, peer.modules[0], None)
            assert not peers.installed(name)
            with pytest.raises(ConfigError) as caught:
                peers.load(name)
        assert name in str(caught.value)
        assert "pip install 'v2x[bench]'" in str(caught.value)


def test_parts_over_time_add_up_to_gospa_and_their_mean_is_the_score(mine):
    series = mine.series
    total = np.sum([series[part] for part in ("localisation", "missed", "false")], axis=0)
    assert total == pytest.approx(np.array(series["gospa"]))
    assert np.mean(series["gospa"]) == pytest.approx(mine.score["gospa_n"])


def test_the_truth_itself_has_no_error(world):
    made, series = judging.judge(world, truth_as_estimates(world))
    assert made["gospa"] == made["nees"]["mean"] == 0.0
    assert made["idf1"] == 1.0
    assert series["gospa"] == series["missed"] == [0.0] * 6
    assert made["nis"] is None
    assert "nis" not in series


def test_nees_is_the_squared_error_over_variance_and_axes(world):
    made, series = judging.judge(world, truth_as_estimates(world, offset=2.0, variance=4.0))
    assert made["nees"]["mean"] == pytest.approx(0.5)
    assert series["nees"] == pytest.approx([0.5] * 6)
    # ten objects of two axes: 1.96 sqrt(2 / 20) either side
    assert series["nees_band"] == pytest.approx([1.96 * np.sqrt(0.1)] * 6)
    assert made["gospa_n"] == pytest.approx(2.0)


def test_a_tracker_that_says_nothing_misses_everything(world):
    said = Estimates()
    for _ in world.truth:
        said.add([], [], world.dim, [])
    made, series = judging.judge(world, said)
    assert made["gospa_n"] == pytest.approx(np.sqrt(12.5))
    assert made["nees"]["mean"] is None
    assert series["missed"] == pytest.approx([np.sqrt(12.5)] * 6)
    assert series["nees"] == [None] * 6


def test_nobody_is_judged_where_no_sensor_looks(world):
    unseen = [np.arange(len(ids)) % 2 == 0 for ids in world.truth_id]
    covered = dataclasses.replace(world, covered=[~mask for mask in unseen])
    full, half = truth_as_estimates(world), Estimates()
    for ids, x, P, mask in zip(full.ids, full.positions, full.covariances, unseen, strict=True):
        half.add(ids[~mask], x[~mask], world.dim, P[~mask])
    for said in (full, half):
        made, _ = judging.judge(covered, said)
        assert made["gospa"] == 0.0
        assert made["mota"] == 1.0
    nowhere = dataclasses.replace(half, positions=[x + 1e4 for x in half.positions])
    assert judging.judge(covered, nowhere)[0]["mota"] == -1.0


def test_scans_end_slices_at_the_truth_instants_after_them(world):
    assert measuring.ends(world) == {3 * k + 2: round(t * 1e9) for k, t in enumerate(world.truth_s)}
    assert next(iter(measuring.ends(world).items())) == (2, 100_000_000)


def test_bearings_are_refused_to_peers_and_not_to_us():
    world = library.make("bearing", 1, scans=3)
    runs.refuse(world, peers=False, bound=False)
    with pytest.raises(ConfigError, match="bearing"):
        runs.refuse(world, peers=True, bound=False)


def test_a_drone_that_only_cameras_see_is_tracked_in_three_dimensions():
    made = runs.ours(library.make("bearing", 1, 0, stream=1), TrackerConfig())
    assert made.score["gospa_missed"] < 0.2
    assert made.score["motp"] < 0.5


def test_every_scenario_becomes_steps_and_no_row_is_lost():
    for name in library.NAMES:
        small = library.make(name, 12, 0, stream=1, scans=40)
        scans = feeding.feed(small)
        assert [scan.t_ns for scan in scans] == small.scan_ns
        if not small.arrival_ns:
            assert [len(scan.own.z) for scan in scans] == [len(z) for z in small.plots]


def test_a_late_row_stands_in_the_first_scan_after_half_a_second_that_it_could_reach():
    late = library.make("late_rows", 20, 3)
    scans = feeding.feed(late)
    table = SensorTable.of(late.sensors())
    want: dict[int, list] = {}
    for k, (t, came) in enumerate(zip(late.scan_ns, late.arrival_ns, strict=True)):
        sensor = table.row(late.sensors()[late.scan_sensor[k]].name)
        for place, arrival in zip(late.plots[k].tolist(), came.tolist(), strict=True):
            n = k
            if arrival > t + feeding.WAIT_NS:
                half = 500_000_000
                held = next(h for h in range(0, 40 * half, half) if h >= arrival - feeding.WAIT_NS)
                n = next((n for n, s in enumerate(late.scan_ns) if s >= held), -1)
            want.setdefault(n, []).append((t, sensor, *place))
    lost = want.pop(-1, [])
    assert 0 < len(lost) < 0.05 * sum(len(z) for z in late.plots)
    for n, scan in enumerate(scans):
        rows = scan.plots().rows
        columns = rows.t_ns.tolist(), rows.sensor.tolist(), rows.z[:, :2].tolist()
        got = [(t, sensor, *place) for t, sensor, place in zip(*columns, strict=True)]
        assert sorted(got) == sorted(want.get(n, []))
    assert sum(scan.late is not None for scan in scans) > 10


def test_tracks_after_late_rows_are_those_of_the_rows_in_order():
    late = library.make("late_rows", 20, 1)
    scans = feeding.feed(late)
    config = feeding.reaching(late, TrackerConfig())
    n = max(k for k, scan in enumerate(scans) if scan.late is not None)
    one, two = (Tracker(late.sensors(), config) for _ in range(2))
    for scan in scans[: n + 1]:
        tracks = one.step(scan.plots(), scan.t_ns)
    assert one.tally.too_late == 0
    assert one.tally.replays > 10
    whole = Plots.concat([scan.plots() for scan in scans[: n + 1]])
    for k in range(n + 1):
        mine = whole.rows.take(whole.rows.t_ns == late.scan_ns[k])
        plots = Plots.of(mine, [scans[k].own.sensor], [late.scan_ns[k]])
        in_order = two.step(plots, late.scan_ns[k])
    assert len(tracks) > 10
    for name in ("id", "x", "P", "exist"):
        assert np.array_equal(getattr(tracks, name), getattr(in_order, name))


def test_sources_tell_their_velocities_and_their_numbers():
    world = library.make("sources", 20, 0, scans=60)
    scans = feeding.feed(world)
    for k, scan in enumerate(scans):
        rows = scan.plots().rows
        assert np.array_equal(rows.track_ref, world.track_ref[k])
        assert np.array_equal(rows.vel[:, :2], world.vel[k], equal_nan=True)
        assert np.allclose(rows.vel_sd, world.vel_sd[k], equal_nan=True)
    assert sum((scan.plots().rows.track_ref >= 0).sum() for scan in scans) > 200


def test_scenarios_with_other_sensors_run_for_their_ten_seconds_at_their_published_size():
    code, told = invoke(
        "--competitor", "none", "--scenario", "crowd,coverage,lanes", "--json", "--no-score"
    )
    assert code == 0
    made = json.loads(told)["results"]
    assert [(r["scenario"], r["size"], r["scans"]) for r in made] == [
        ("crowd", 100, 400), ("coverage", 100, 300), ("lanes", 60, 300)
    ]  # fmt: skip
    assert {r["scored_to_s"] for r in made} == {10.0}
    assert "--size" not in json.loads(told)["command"]


def test_innovations_of_a_good_model_are_as_large_as_predicted(mine):
    assert 0.8 < mine.score["nis"]["mean"] < 1.2
    assert mine.score["nis"]["n"] > 100
    assert all(value > 0.0 for value in mine.series["nis"])


def test_short_runs_are_repeated_and_leave_the_collector_as_it_was(world):
    made = runs.ours(world, TrackerConfig(), judged=False)
    assert 1 < made.rounds <= runs.MOST_ROUNDS
    assert made.score == {}
    assert gc.get_freeze_count() == 0
    assert gc.isenabled()


def test_scans_of_a_second_in_which_the_host_stole_are_not_clean(monkeypatch):
    stolen = iter([0.0, 0.0, 0.5, 0.5])
    monkeypatch.setattr(measuring, "steal_s", lambda: next(stolen))
    monkeypatch.setattr(measuring, "_SECOND_NS", 0)
    watch = Stopwatch()
    for _ in range(3):
        with watch:
            pass
    monkeypatch.setattr(measuring, "steal_s", lambda: 0.5)
    watch.close()
    assert watch.clean == [True, False, True]
    assert watch.steal_s == 0.5
    assert len(watch.wall_ns) == 3


def test_percentiles_are_told_raw_and_over_clean_scans():
    made = latency([1_000_000, 2_000_000, 9_000_000], [True, True, False])
    assert (made["p50"], made["p50_clean"]) == (2.0, 1.5)
    assert made["p99"] == pytest.approx(np.percentile([1, 2, 9], 99))
    assert (made["scans"], made["clean_scans"]) == (3, 2)
    assert latency([1_000_000], [False])["p99_clean"] is None


def test_a_machine_without_linux_counters_has_no_steal(monkeypatch, tmp_path):
    monkeypatch.setattr(measuring, "_STAT", tmp_path / "none")
    monkeypatch.setattr(measuring, "_SCHEDSTAT", tmp_path / "none")
    assert measuring.steal_s() == measuring.wait_s() == 0.0


def test_steal_is_the_eighth_counter_in_hundredths(monkeypatch, tmp_path):
    stat = tmp_path / "stat"
    stat.write_text("cpu  1 2 3 4 5 6 7 250 9 10\ncpu0 0 0 0 0 0 0 0 0 0 0\n")
    monkeypatch.setattr(measuring, "_STAT", stat)
    assert measuring.steal_s() == 2.5


class Reader(HTMLParser):
    """Checks nesting; notes tags, attributes and text."""

    VOID = frozenset({"meta", "br", "hr"})

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.links, self.ids, self.words = [], [], [], set(), []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "xlink:href", "action", "data", "srcset", "poster"):
                self.links.append(value)
            if name == "id":
                assert value not in self.ids
                self.ids.add(value)
            assert not name.startswith("on")
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def read(text):
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert not reader.open
    return reader


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "bench.html"
    peer = next((name for name in peers.PEERS if peers.installed(name)), "none")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench, "warm", lambda: None)
        code, told = invoke(
            "--competitor", peer, "--scans", SCANS, "--size", "10,12", "--seeds", "0,1",
            "--html", path, "--json",
        )  # fmt: skip
    assert code == 0, told
    return path.read_text(encoding="utf-8"), json.loads(told)


def test_the_page_is_well_formed_and_asks_nobody_for_anything(written):
    text, _ = written
    page = read(text)
    assert text.startswith("<!DOCTYPE html>")
    assert "script" not in page.tags
    assert "link" not in page.tags
    assert page.links
    assert all(link.startswith("#") and link[1:] in page.ids for link in page.links)
    assert not re.search(r"https?://|url\(|@import", text)
    assert "prefers-color-scheme: dark" in text


def test_the_page_has_each_chart_of_each_case_and_the_command(written):
    text, made = written
    page = read(text)
    trackers = len(made["summary"][0]["trackers"])
    assert page.tags.count("section") == 2
    assert page.tags.count("svg") == 2 * (trackers + 4)
    assert made["command"] in page.words
    for words in ("nominal, 10 objects", "nominal, 12 objects", "NEES per axis", "NIS per axis",
                  "plots per CPU second", "ms per scan", "p99, steal-free"):  # fmt: skip
        assert words in page.words
    number = f"{made['summary'][1]['trackers']['v2x']['plots_per_cpu_s']:,.0f}"
    assert page.words.count(number) == 2


def test_charts_hold_numbers_and_no_nan(written):
    text, _ = written
    drawn = re.findall(r'<path [^>]*\bd="([^"]*)"', text)
    assert len(drawn) > 10
    assert all(re.fullmatch(r"M[\d. L]+Z?", d) for d in drawn)
    assert "nan" not in text.lower().replace("nanosecond", "")


def test_a_page_of_speed_alone_has_bars_and_histogram_only(tmp_path):
    out = tmp_path / "s.html"
    measured("--no-score", "--html", out)
    assert read(out.read_text(encoding="utf-8")).tags.count("svg") == 2


def test_text_of_the_machine_is_escaped(monkeypatch, tmp_path):
    real = report.machine()
    monkeypatch.setattr(report, "machine", lambda: real | {"cpu": "<script>&\"'"})
    out = tmp_path / "s.html"
    measured("--no-score", "--html", out)
    page = read(out.read_text(encoding="utf-8"))
    assert "script" not in page.tags
    assert any("<script>&\"'" in words for words in page.words)


@given(st.text(), st.text())
def test_text_and_attributes_come_back_as_they_were(words, value):
    words, value = words.replace("\r", ""), value.replace("\r", "")
    page = Reader()
    seen = {}
    page.handle_starttag = lambda tag, attrs: seen.update(attrs)
    page.handle_endtag = lambda tag: None
    page.feed(node("p", words, data_x=value))
    page.close()
    assert seen == {"data-x": value}
    assert "".join(page.words) == words


def test_only_markup_goes_out_unescaped():
    assert node("b", "<", Markup("<i>"), ["&", None, 3], class_="k", x=1.0) == (
        '<b class="k" x="1">&lt;<i>&amp;3</b>'
    )
    assert node("meta", charset="utf-8") == '<meta charset="utf-8">'


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_ticks_are_few_round_and_inside(low, width):
    high = low + max(width, 1e-6 * abs(low))
    made = charts.ticks(low, high)
    assert 2 <= len(made) <= 8
    slack = 1e-6 * (high - low) + 1e-12
    assert all(low - slack <= v <= high + slack for v in made)
    steps = np.diff(made)
    assert steps == pytest.approx(np.full(len(steps), steps[0]), rel=1e-3)
    digit = steps[0] / 10.0 ** np.floor(np.log10(steps[0]) + 1e-6)
    assert min(abs(digit - d) for d in (1, 2, 5)) < 0.01


def test_decades_are_filled_with_2_and_5_where_they_are_few():
    assert charts.decades(0.1, 2.5) == pytest.approx([0.1, 0.2, 0.5, 1.0, 2.0])
    assert charts.decades(0.1, 2_000) == pytest.approx([0.1, 1.0, 10.0, 100.0, 1000.0])


def test_a_plane_maps_corners_to_corners_and_keeps_what_is_outside_on_the_edge():
    plane = charts.Plane(1.0, 100.0, 0.0, 2.0, log_x=True)
    left, right = plane.x(1.0), plane.x(100.0)
    assert plane.x(10.0) == pytest.approx((left + right) / 2)
    assert plane.y(-5.0) == plane.y(0.0) > plane.y(2.0) == plane.y(9.0)


def test_lines_are_cut_where_a_value_is_missing():
    assert charts.runs([1, 2, 3, 4], [None, 5.0, None, 6.0]) == [[(2, 5.0)], [(4, 6.0)]]
    assert charts.runs([1], [None]) == []


def test_a_histogram_of_one_value_is_one_bin_of_all():
    drawing = charts.histogram("h", [("a", "k0", [3.0, 3.0])], "ms")
    heights = {
        float(y) for y in re.findall(r"[ML][\d.]+ ([\d.]+)", re.search(r' d="([^"]*)"', drawing)[1])
    }
    assert len(heights) == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--scenario", "nominal,moon"), ("--scenario", "moon")),
        (("--size", "10,x"), ("--size", "x")),
        (("--size", "1000001"), ("--size", "1000001")),
        (("--size", "²"), ("--size",)),
        (("--competitor", "none,norfair"), ("--competitor", "none")),
        (("--competitor", "pyehm"), ("--competitor", "pyehm")),
        (("--config", "colour=1"), ("--config", "colour", "death_per_s")),
        (("--config", "death_per_s"), ("--config", "key=value")),
        (("--config", "death_per_s=x"), ("--config", "death_per_s", "float")),
        (("--config", "bp_sweeps=1.5"), ("--config", "bp_sweeps", "int")),
        (("--config", "death_per_s=-1"), ("--config", "death_per_s")),
        (("--stream", "-1"), ("--stream",)),
        (("--no-score", "--bound"), ("--bound",)),
        (("--html", "nowhere/at/all.html"), ("--html", "nowhere")),
        (("--html", "."), ("--html", "a file")),
    ],
)
def test_what_cannot_be_meant_is_wrong_usage_before_anything_runs(monkeypatch, options, words):
    monkeypatch.setattr(bench, "warm", lambda: pytest.fail("started"))
    given_ = options if "--competitor" in options else ("--competitor", "none", *options)
    code, told = invoke(*given_)
    assert code == 2
    assert all(word in told for word in words)


def test_every_command_of_the_page_on_benchmarks_is_understood(monkeypatch):
    class UnderstoodError(Exception):
        pass

    def stop():
        raise UnderstoodError

    monkeypatch.setattr(bench, "warm", stop)
    monkeypatch.setattr(bench, "load", lambda name: None)
    text = (ROOT / "docs" / "fusion-bench.md").read_text(encoding="utf-8")
    commands = re.findall(r"v2x bench fusion (--[^`\n]*)", text)
    assert len(commands) > 8
    for words in commands:
        made = CliRunner().invoke(cli.app, ["bench", "fusion", *shlex.split(words)])
        assert isinstance(made.exception, UnderstoodError), words


def test_the_page_on_benchmarks_names_every_peer_and_every_option():
    text = (ROOT / "docs" / "fusion-bench.md").read_text(encoding="utf-8")
    options = set(re.findall(r"--[a-z-]+", invoke("--help")[1])) - {"--help", "--score"}
    assert {"--bound", "--html", "--no-score"} <= options
    assert {word for word in options if f"`{word}" not in text} == set()
    assert {name for name in peers.PEERS if f"| `{name}` |" not in text} == set()


def test_a_page_that_cannot_be_written_is_an_output_error(tmp_path):
    with pytest.raises(SourceError, match="cannot be written"):
        bench.written(tmp_path, "text")
