"""``v2x track`` and ``v2x score`` as the researchers' contract has them."""

import json
import math

import numpy as np
import pytest

from replay.scenarios.fusion import make
from v2x.cli.score import aligned, score
from v2x.cli.tables import TRACK_COLUMNS, read_plots, read_sensors, read_tracks, read_truth
from v2x.cli.track import track
from v2x.errors import ConfigError, SourceError

SENSORS = """
[[sensors]]
name = "radar-1"
p_detect = 0.9
clutter_density = 1e-5
sd_m = 0.5
period_s = 0.1
"""


class Desk:
    def __init__(self, path):
        self.path = path

    def put(self, name, text):
        (self.path / name).write_text(text)
        return self.path / name

    def track(self, plots, sensors=SENSORS, name="t.csv"):
        out = self.path / name
        track(self.put("p.csv", plots), self.put("s.toml", sensors), out, True)
        return out.read_text()

    def score(self, tracks, truth, **keys):
        given = {"c": 5.0, "p": 2.0, "from_": None} | keys
        score(self.put("a.csv", tracks), self.put("b.csv", truth), json_=True, **given)


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


def rows(text):
    lines = text.splitlines()
    head = lines[0].split(",")
    return [dict(zip(head, line.split(","), strict=True)) for line in lines[1:]]


def line_of(n=12, extra="", header=""):
    body = "".join(f"{0.1 * k + 0.05:.3f},radar-1,{1.0 * k},{0.5 * k}{extra}\n" for k in range(n))
    return f"t_s,sensor,east_m,north_m{header}\n" + body


def test_output_has_the_columns_instants_and_decimals_of_the_contract(desk, capsys):
    text = desk.track(line_of(12))
    assert text.splitlines()[0] == ",".join(TRACK_COLUMNS)
    made = rows(text)
    times = sorted({r["t_s"] for r in made}, key=float)
    assert times[-1] == "1.200"
    assert set(times) <= {f"{k / 10:.3f}" for k in range(1, 13)}
    last = made[-1]
    assert last["up_m"] == last["vu"] == last["var_u"] == last["cov_eu"] == last["cov_nu"] == ""
    assert len(last["east_m"].split(".")[1]) == 4
    assert last["status"] == "confirmed"
    assert float(last["ve"]) == pytest.approx(10.0, abs=1.0)
    assert float(last["exist"]) >= 0.5
    assert last["track"].isdecimal()
    assert json.loads(capsys.readouterr().out)["plots"] == 12


def test_a_plot_stamped_at_the_instant_is_in_and_epoch_times_keep_their_nanoseconds(desk):
    body = "".join(f"17000000{k // 10:02}.{k % 10},radar-1,{k},0\n" for k in range(8))
    made = rows(desk.track("t_s,sensor,east_m,north_m\n" + body))
    assert made[-1]["t_s"] == "1700000000.800"
    by_time = {r["t_s"]: float(r["east_m"]) for r in made}
    assert by_time["1700000000.700"] == pytest.approx(7.0, abs=0.2)
    table = read_sensors(desk.path / "s.toml")
    text = "t_s,sensor,east_m,north_m\n1700000000.123456789,radar-1,0,0\n"
    plots = read_plots(desk.put("n.csv", text), table).plots
    assert plots.rows.t_ns.tolist() == [1_700_000_000_123_456_789]


def test_order_of_rows_changes_no_byte(desk):
    world = make("hard", 10, 0, scans=60)
    lines = [
        f"{t / 1e9:.9f},radar-{k + 1},{e:.4f},{n:.4f}"
        for t, k, z in zip(world.scan_ns, world.scan_sensor, world.plots, strict=True)
        for e, n in z.tolist()
    ]
    sensors = "".join(SENSORS.replace("radar-1", f"radar-{k}") for k in (3, 1, 2))
    head = "t_s,sensor,east_m,north_m\n"
    first = desk.track(head + "\n".join(lines) + "\n", sensors)
    np.random.default_rng(0).shuffle(lines)
    assert desk.track(head + "\n".join(lines) + "\n", sensors) == first
    assert len(first.splitlines()) > 100


def test_empty_scans_count_as_misses(desk):
    looks = "".join(f"{1.25 + 0.1 * k:.2f},radar-1,,\n" for k in range(8))
    with_looks = rows(desk.track(line_of(12) + looks))
    without = rows(desk.track(line_of(12) + "2.0,radar-1,500,500\n"))
    assert max(float(r["t_s"]) for r in with_looks) < 1.75
    assert max(float(r["t_s"]) for r in without) >= 2.0


def test_heights_kinds_and_identities_come_through(desk):
    text = line_of(12, ',30.0,uas,"rid:1,x",0.9', ",up_m,kind,ident,conf")
    line = desk.track(text).splitlines()[-1]
    assert ',uas,"rid:1,x",confirmed,' in line
    assert line.split(",")[4] == "30.0000"


def test_polar_rows_stand_clockwise_from_north_at_the_sensor(desk):
    sensors = SENSORS.replace(
        "sd_m = 0.5", "sd_range_m = 1.0\nsd_deg = 0.2\neast_m = 100.0\nnorth_m = 0.0\nup_m = 5.0"
    )
    body = "".join(f"0.{k},radar-1,1000,90,0\n1.{k},radar-1,1000,90,0\n" for k in range(10))
    last = rows(desk.track("t_s,sensor,range_m,az_deg,el_deg\n" + body, sensors))[-1]
    assert float(last["east_m"]) == pytest.approx(1100.0, abs=0.1)
    assert float(last["north_m"]) == pytest.approx(0.0, abs=0.1)
    assert float(last["up_m"]) == pytest.approx(5.0, abs=0.1)
    assert float(last["var_n"]) > 3 * float(last["var_e"])


def of_cameras(rows):
    head = "t_s,sensor,az_deg,el_deg\n"
    places = {"west": (0.0, 0.0), "east": (100.0, 0.0), "north": (50.0, 100.0)}
    sensors = "".join(
        f'[[sensors]]\nname = "{name}"\nsd_deg = 0.1\nclutter_per_scan = 0.5\narea = 6.283\n'
        f"east_m = {e}\nnorth_m = {n}\nup_m = 5.0\n"
        for name, (e, n) in places.items()
    )
    lines = []
    for k in range(rows):
        name = ("west", "east", "north")[k % 3]
        e, n = 40.0 - places[name][0], 60.0 - places[name][1]
        az, el = math.degrees(math.atan2(e, n)), math.degrees(math.atan2(30.0, math.hypot(e, n)))
        lines.append(f"{0.03 * k:.3f},{name},{az + 360 * (k % 2):.9f},{el:.9f}\n")
    return head, lines, sensors


def test_angles_alone_from_three_cameras_become_a_track_with_a_height(desk):
    head, lines, sensors = of_cameras(30)
    text = desk.track(head + "".join(lines), sensors)
    last = rows(text)[-1]
    got = [float(last[name]) for name in ("east_m", "north_m", "up_m")]
    assert got == pytest.approx([40.0, 60.0, 35.0], abs=0.2)
    assert desk.track(head + "".join(reversed(lines)), sensors) == text


def test_a_column_of_range_rates_gives_the_velocity(desk):
    sensors = SENSORS.replace("sd_m = 0.5", "sd_range_m = 1.0\nsd_deg = 0.2")
    head = "t_s,sensor,range_m,az_deg,radial_mps\n"
    text = "".join(f"0.{k},radar-1,{1000 + 2 * k},0,20.0\n" for k in range(4))
    with_rates = rows(desk.track(head + text, sensors))[-1]
    without = rows(desk.track(head + text.replace(",20.0", ","), sensors))[-1]
    assert float(with_rates["vn"]) == pytest.approx(20.0, abs=0.5)
    assert abs(float(without["vn"]) - 20.0) > 2 * abs(float(with_rates["vn"]) - 20.0)


def test_a_row_with_its_own_covariance_keeps_it_though_it_has_a_range(desk):
    sensors = SENSORS.replace("sd_m = 0.5", "sd_range_m = 1.0\nsd_deg = 5.0")
    head = "t_s,sensor,range_m,az_deg,var_e,var_n\n"
    body = "".join(f"0.{k},radar-1,1000,90,0.01,0.01\n" for k in range(8))
    last = rows(desk.track(head + body, sensors))[-1]
    assert float(last["var_n"]) < 0.05


@pytest.mark.parametrize(
    ("plots", "sensors", "words"),
    [
        ("t_s,sensor,az_deg\n0,radar-1,10\n", SENSORS, ("row 2", "'radar-1'", "sd_deg")),
        ("t_s,sensor,el_deg\n0,radar-1,10\n", SENSORS, ("row 2", "el_deg without az_deg")),
        ("t_s,sensor,az_deg\n0,radar-1,721\n", SENSORS, ("row 2", "az_deg", "720")),
        ("t_s,sensor,az_deg,el_deg\n0,radar-1,1,91\n", SENSORS, ("row 2", "el_deg", "90")),
        ("t_s,sensor,radial_mps\n0,radar-1,5\n", SENSORS, ("row 2", "radial_mps", "bearing")),
        ("t_s,sensor,range_m,az_deg\n0,radar-1,5,5\n", SENSORS, ("row 2", "sd_range_m")),
        ("t_s,sensor,east_m,north_m\n0,lidar,1,1\n", SENSORS, ("row 2", "sensor", "lidar")),
        ("t_s,sensor,east_m,north_m\n0,radar-1,1,\n", SENSORS, ("row 2", "north_m")),
        ("t_s,sensor,east_m,north_m\n0,radar-1,1,x\n", SENSORS, ("row 2", "north_m", "'x'")),
        ("t_s,sensor,east_m,north_m\nsoon,radar-1,1,1\n", SENSORS, ("row 2", "t_s", "soon")),
        ("t_s,sensor,east_m,north_m\n0,radar-1,1\n", SENSORS, ("row 2", "3 fields")),
        ("t_s,sensor,east_m,north_m,x\n", SENSORS, ("unknown column", "'x'")),
        ("t_s,sensor\n0,radar-1\n", SENSORS + "colour = 1\n", ("colour",)),
        (
            "t_s,sensor,east_m,north_m\n0,radar-1,1,1\n",
            SENSORS.replace("sd_m = 0.5", ""),
            ("row 2", "radar-1", "sd_m"),
        ),
        ("t_s,sensor\n", SENSORS.replace("1e-5", "-1"), ("clutter_density", "radar-1")),
        ("t_s,sensor\n", SENSORS.replace("1e-5", '"x"'), ("clutter_density", "number")),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused_with_its_place(desk, plots, sensors, words):
    with pytest.raises(ConfigError) as caught:
        desk.track(plots, sensors)
    assert all(word in str(caught.value) for word in words)


def test_a_missing_file_is_a_source_error(desk):
    with pytest.raises(SourceError):
        track(desk.path / "none.csv", desk.put("s.toml", SENSORS), desk.path / "o.csv", True)


def test_clutter_may_be_given_per_scan(desk):
    text = SENSORS.replace("clutter_density = 1e-5", "clutter_per_scan = 20\narea = 1e6")
    assert read_sensors(desk.put("s.toml", text))[0].clutter_density == pytest.approx(2e-5)


TRUTH = "t_s,object,east_m,north_m\n" + "".join(f"{k / 10:.1f},a,{k},0\n" for k in range(1, 6))
TRACKS = "t_s,track,east_m,north_m,ve,vn,exist\n"


def scored(desk, capsys, tracks, truth=TRUTH, **keys):
    capsys.readouterr()
    desk.score(tracks, truth, **keys)
    return json.loads(capsys.readouterr().out)


def test_score_of_perfect_tracks(desk, capsys):
    text = TRACKS + "".join(f"{k / 10:.3f},1,{k},0,10,0,1\n" for k in range(1, 6))
    made = scored(desk, capsys, text)
    assert list(made) == [
        "gospa", "gospa_localisation", "gospa_missed", "gospa_false", "gospa_n", "ospa2", "mota",
        "motp", "idf1", "hota", "det_a", "ass_a", "id_switches", "frames",
    ]  # fmt: skip
    assert (made["gospa"], made["mota"], made["idf1"], made["frames"]) == (0.0, 1.0, 1.0, 5)
    assert (made["ospa2"], made["hota"], made["det_a"], made["ass_a"]) == (0.0, 1.0, 1.0, 1.0)
    assert scored(desk, capsys, text, from_=0.4)["frames"] == 2


def test_the_table_has_every_key_of_the_json(desk, capsys):
    text = TRACKS + "0.1,1,1,0,10,0,1\n0.2,2,2,0,10,0,1\n"
    keys = scored(desk, capsys, text)
    assert 0.0 < keys["ass_a"] < keys["det_a"] < 1.0
    score(desk.path / "a.csv", desk.path / "b.csv", c=5.0, p=2.0, from_=None, json_=False)
    lines = [[w.strip() for w in x.split("│")[1:3]] for x in capsys.readouterr().out.splitlines()]
    shown = dict(x for x in lines if len(x) == 2)
    assert {k: shown[k] for k in ("ospa2", "hota", "det_a", "ass_a")} == {
        k: f"{keys[k]:.4f}" for k in ("ospa2", "hota", "det_a", "ass_a")
    }
    assert shown.keys() == keys.keys()


def test_aligned_tracks_stand_at_the_times_of_the_truth(desk):
    tracks = read_tracks(desk.put("a.csv", TRACKS + "0.1,1,1,0,10,0,1\n0.4,1,4,0,10,0,1\n"))
    t_ns, objects, made = aligned(tracks, read_truth(desk.put("b.csv", TRUTH)), 0.2)
    assert t_ns.tolist() == [200_000_000, 300_000_000, 400_000_000, 500_000_000]
    assert (objects.counts().tolist(), made.counts().tolist()) == ([1] * 4, [1, 0, 1, 1])
    assert made.position[:, 0].tolist() == pytest.approx([2.0, 4.0, 5.0])


def test_the_last_tracks_are_carried_for_150_ms_by_their_velocity(desk, capsys):
    made = scored(desk, capsys, TRACKS + "0.1,1,1,0,10,0,1\n0.3,1,3,0,10,0,1\n")
    assert made["gospa_localisation"] == pytest.approx(0.0, abs=1e-9)
    assert made["mota"] == pytest.approx(0.8)


def test_unlikely_tracks_are_left_out_but_mark_their_instant(desk, capsys):
    made = scored(desk, capsys, TRACKS + "0.1,1,1,0,10,0,0.9\n0.2,1,2,0,10,0,0.49\n")
    assert made["mota"] == pytest.approx(0.2)


def test_an_empty_object_says_that_nothing_is_there(desk, capsys):
    truth = "t_s,object,east_m,north_m\n0.1,,,\n"
    made = scored(desk, capsys, TRACKS + "0.1,1,1,0,10,0,1\n", truth)
    assert made["gospa"] == pytest.approx(np.sqrt(12.5))
    assert made["mota"] is None


def test_a_track_twice_in_one_instant_is_an_error(desk):
    with pytest.raises(ConfigError, match=r"row 3, column track: '1' stands twice"):
        desk.score(TRACKS + "0.1,1,1,0,10,0,1\n0.1,1,2,0,10,0,1\n", TRUTH)


def test_heights_count_only_if_both_files_have_them(desk, capsys):
    head = "t_s,track,east_m,north_m,up_m\n"
    deep = "t_s,object,east_m,north_m,up_m\n0.1,a,0,0,3\n"
    assert scored(desk, capsys, head + "0.1,1,0,0,0\n", deep)["motp"] == pytest.approx(3.0)
    assert scored(desk, capsys, head + "0.1,1,0,0,\n", deep)["motp"] == 0.0
