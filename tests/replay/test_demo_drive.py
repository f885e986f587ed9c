import csv
import json

import numpy as np
import pytest

from replay.scenarios import demo
from replay.scenarios.world import GROUND_HAE_M, geodetic, load
from v2x.config import load_config
from v2x.geodesy import undulation
from v2x.ingest.decoding import PROCESSED, Decoding
from v2x.ingest.drive import DriveSource, attachments
from v2x.ingest.timestamps import SECOND, parse_iso
from v2x.lowalt.plans import PlanIndex, load_plans
from v2x.lowalt.registry import load_registry
from v2x.lowalt.volumes import ZoneIndex
from v2x.lowalt.zone_files import load_zones
from v2x.observations import Kind, ident_of
from v2x.readings import Name

START_NS = parse_iso(demo.START)
VEHICLES = {f"808:{t.phone}": t.vehicle for t in demo.GATEWAY.terminals} | {
    f"nmea:{r.name}": r.vehicle for r in demo.ROVERS
}
DRONES = {f"rid:{b.product_id}": b.drone for b in demo.BEACONS}
AIRCRAFT = {f"icao:{demo.AIRLINER.icao:06x}": demo.AIRLINER.aircraft}


def frames_of(path):
    return [frame for poll in DriveSource(path) for frame in poll.frames]


@pytest.fixture(scope="module")
def world():
    return load()


@pytest.fixture(scope="module")
def frames():
    return frames_of(demo.OUT)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    for name, data in attachments(demo.OUT).items():
        (folder / name).write_bytes(data)
    return folder


@pytest.fixture(scope="module")
def config(folder):
    return load_config(folder / "v2x.toml", {})


@pytest.fixture(scope="module")
def rows(frames, config):
    return Decoding(config.table()).decode(frames)


@pytest.fixture(scope="module")
def measured(rows, config):
    """Sensor name, identity, time in s, place (n, 3) and claimed sd (n, 3) of all observations."""
    o = rows.observations
    tile = config.tile()
    enu = tile.to_enu(o.lat, o.lon, np.nan_to_num(o.height, nan=GROUND_HAE_M))
    names = np.array([s.name for s in config.table().sensors])
    return {
        "sensor": names[o.sensor],
        "ident": o.ident,
        "t": (o.t_ns - START_NS) / SECOND,
        "place": np.column_stack((enu[:, :2], o.height)),
        "sd": np.sqrt(o.cov[:, [0, 3, 5]]),
    }


def errors(measured, world, texts, sensor=None):
    """Error over claimed sd of every row that carries one of the identities, (n, 3)."""
    made = []
    for text, name in texts.items():
        mine = measured["ident"] == ident_of(text)
        if sensor is not None:
            mine &= measured["sensor"] == sensor
        truth = world.named(name).at(measured["t"][mine]).place
        made.append((measured["place"][mine] - truth) / measured["sd"][mine])
    return np.concatenate(made)


def truth_at(paths, t):
    """Places of all objects that exist at `t`, (n, 3)."""
    alive = [path for path in paths if path.t_s[0] <= t <= path.t_s[-1]]
    places = [path.at(np.array([t])).place for path in alive]
    return np.concatenate(places) if places else np.zeros((0, 3))


def test_building_it_again_gives_what_is_committed(tmp_path, frames):
    made = tmp_path / "demo.mcap"
    demo.build(made)
    rebuilt = frames_of(made)
    assert len(rebuilt) == len(frames)
    differ = [
        (a.sensor, a.format, (a.recv_ns - START_NS) / SECOND)
        for a, b in zip(rebuilt, frames, strict=True)
        if (a.recv_ns, a.sensor, a.format, a.payload) != (b.recv_ns, b.sensor, b.format, b.payload)
    ]
    assert not differ, f"{len(differ)} differ: python -m replay.scenarios.demo writes them anew"
    assert attachments(made) == attachments(demo.OUT)
    for suffix in (".truth.csv", ".expected.json"):
        assert made.with_suffix(suffix).read_text() == demo.OUT.with_suffix(suffix).read_text()


def test_it_is_small(frames):
    assert demo.OUT.stat().st_size < 6_000_000
    assert len(frames) > 10_000


def test_it_lasts_five_minutes(frames):
    assert START_NS < frames[0].recv_ns < START_NS + SECOND
    assert START_NS + 299 * SECOND < frames[-1].recv_ns < START_NS + 301 * SECOND
    assert [f.recv_ns for f in frames] == sorted(f.recv_ns for f in frames)


def test_every_frame_is_taken(rows):
    assert not rows.dead
    assert not rows.rejects
    assert (rows.fate == PROCESSED).all()


def test_every_sensor_speaks_in_its_format(frames, config):
    spoken = {(f.sensor, f.format) for f in frames}
    assert {(s.name, s.format) for s in config.sensors} <= spoken
    assert {name for name, _ in spoken} == {s.name for s in config.sensors}


@pytest.mark.parametrize(
    ("texts", "sensor", "share"),
    [
        (VEHICLES, "gateway-808", 1.0),
        (VEHICLES, "rtk-1", 1.0),
        (VEHICLES, "rtk-2", 1.0),
        (DRONES, "rid-1", 0.6),  # 3 m and a claim of NACp 10, 5 m
        (DRONES, "rid-2", 0.6),
        (AIRCRAFT, "adsb-1", 0.7),  # 10 m and a claim of NACp 9, 15 m
    ],
)
def test_self_reports_are_off_by_their_noise(measured, world, texts, sensor, share):
    texts = {
        text: name
        for text, name in texts.items()
        if ((measured["ident"] == ident_of(text)) & (measured["sensor"] == sensor)).any()
    }
    off = errors(measured, world, texts, sensor)
    assert len(off) > 300
    np.testing.assert_allclose(np.sqrt(np.mean(off[:, :2] ** 2)), share, rtol=0.15)
    assert np.nanmax(np.abs(off)) < 5.0


def test_heights_of_self_reports_are_above_the_ellipsoid(measured, world):
    for texts, sensor in ((DRONES, "rid-1"), (AIRCRAFT, "adsb-1"), (VEHICLES, "gateway-808")):
        up = errors(measured, world, texts, sensor)[:, 2]
        assert np.isfinite(up).mean() > 0.9
        assert abs(np.nanmean(up)) < 0.35
        assert np.nanmax(np.abs(up)) < 5.0


@pytest.mark.parametrize("unit", demo.UNITS, ids=lambda unit: unit.name)
def test_roadside_units_see_road_users_where_they_are(measured, world, unit):
    mine = np.flatnonzero(measured["sensor"] == unit.name)
    t = measured["t"][mine]
    off, seen = [], 0
    for instant in np.unique(t)[::25]:
        truth = truth_at(world.road, instant)
        plots = mine[t == instant]
        place = measured["place"][plots]
        apart = np.linalg.norm(place[:, None] - truth[None], axis=2)
        off += (apart.min(axis=1) / measured["sd"][plots, 0]).tolist()
        near = np.hypot(*(truth[:, :2] - unit.place[:2]).T) < unit.reach_m
        seen += int(near.sum())
    off = np.array(off)
    assert (off < 4.0).mean() > 0.98
    assert 0.9 < len(off) / seen < 1.0


def test_radar_sees_what_flies_and_little_else(measured, world):
    mine = np.flatnonzero(measured["sensor"] == "radar-1")
    t = measured["t"][mine]
    false, real, flown = 0, 0, 0
    for k in range(300):
        truth = truth_at(world.air, k + 0.4)
        near = np.hypot(*(truth[:, :2] - demo.RADAR.place[:2]).T) < demo.RADAR.reach_m
        flown += int(((truth[:, 2] > demo.RADAR.lowest_m) & near).sum())
        plots = mine[np.abs(t - k - 0.4) < 1e-3]
        if len(plots):
            off = (measured["place"][plots][:, None] - truth[None]) / measured["sd"][plots][:, None]
            hit = (np.abs(off) < 5.0).all(axis=2).any(axis=1)
            real += int(hit.sum())
            false += int((~hit).sum())
    assert 0.88 < real / flown < 0.96
    assert 240 < false < 360


def test_radar_says_when_it_saw_nothing(rows, config):
    readings = rows.readings
    radar = config.table().row("radar-1")
    empty = (readings.sensor == radar) & (readings.name == Name.SCAN_EMPTY)
    looks = np.unique(rows.observations.t_ns[rows.observations.sensor == radar])
    assert empty.any()
    assert len(looks) + int(empty.sum()) == 300


def test_road_users_are_below_the_radar(world, config):
    floor = next(s.floor_m for s in config.sensors if s.name == "radar-1")
    assert floor >= GROUND_HAE_M + 15.0


def test_the_third_unit_is_silent_after_200_s(frames):
    last = max(f.recv_ns for f in frames if f.sensor == "rsu-3")
    assert START_NS + 199 * SECOND < last <= START_NS + 200 * SECOND


def test_no_other_device_with_a_period_is_ever_silent(frames, config):
    end = START_NS + 300 * SECOND
    for sensor in config.sensors:
        if sensor.period_s is None or sensor.name == "rsu-3":
            continue
        heard = [START_NS, *(f.recv_ns for f in frames if f.sensor == sensor.name), end]
        assert np.diff(heard).max() < max(3.0, 3.0 * sensor.period_s) * SECOND, sensor.name


def test_the_patrol_presses_the_button_from_150_to_156_s(rows):
    readings = rows.readings
    word = readings.name == Name.ALARM_BITS
    pressed = word & (readings.value.astype(np.int64) & 1 != 0)
    assert np.unique(readings.ident[pressed]).tolist() == [ident_of("808:990000000001")]
    times = (readings.t_ns[pressed] - START_NS) // SECOND
    assert times.tolist() == list(range(150, 157))


def test_drones_are_heard_by_both_receivers_with_gaps(rows, config):
    table, readings = config.table(), rows.readings
    heard = readings.name == Name.RID_HEARD
    for text in DRONES:
        mine = heard & (readings.ident == ident_of(text))
        n = [int((mine & (readings.sensor == table.row(name))).sum()) for name in demo.RECEIVERS]
        assert all(200 < count < 280 for count in n)
        assert n[0] != n[1]


def test_nothing_names_the_dark_drone_and_radar_alone_sees_it(rows, measured, world):
    assert {t for t in rows.idents.values() if t.startswith("rid:")} == set(DRONES)
    dark = world.named("dark")
    there = (measured["t"] >= dark.t_s[0]) & (measured["t"] <= dark.t_s[-1])
    at = dark.at(measured["t"][there]).place
    near = np.linalg.norm(np.nan_to_num(measured["place"][there]) - at, axis=1) < 40.0
    assert set(measured["sensor"][there][near]) == {"radar-1"}
    assert near.sum() > 180


def test_the_airliner_is_not_heard_on_the_ground(frames):
    last = max(f.recv_ns for f in frames if f.sensor == "adsb-1")
    assert last < START_NS + round(demo.AIRLINER.until_s * SECOND) + SECOND // 10


def test_the_airliner_is_an_aircraft_by_its_category(rows, config):
    o = rows.observations
    mine = o.sensor == config.table().row("adsb-1")
    assert set(o.kind[mine].tolist()) == {Kind.AIRCRAFT}
    assert "callsign:CCA1234" in rows.idents.values()


def test_registry_knows_the_honest_drones(folder):
    registry = load_registry(folder / "registry.json")
    assert registry.fresh(START_NS + 300 * SECOND)
    known = registry.known(START_NS, np.array([ident_of(text) for text in DRONES]))
    assert known.held.tolist() == [True, True, False]


def test_product_ids_have_20_characters_of_the_standard():
    for beacon in demo.BEACONS:
        assert len(beacon.product_id) == 20
        assert set(beacon.product_id) <= set("0123456789ABCDEFGHJKLMNPQRSTUVWXYZ")


def test_only_the_delivery_flies_in_a_plan(folder, config, world):
    tile = config.tile()
    plans = PlanIndex(load_plans(folder / "plans.json"), tile)
    zones = ZoneIndex(load_zones(folder / "zones.geojson"), tile)
    for text, name in DRONES.items():
        path = world.named(name)
        lat, lon = geodetic(tile, path.place)
        hae = path.place[:, 2]
        amsl = hae - undulation(lat, lon)
        places = zones.places(lat, lon, hae, amsl, hae - GROUND_HAE_M)
        idents = np.full(len(lat), ident_of(text))
        exact = np.zeros(1)
        fits = [
            plans.fit(
                START_NS + round(t * SECOND), places.take(np.array([i])), idents[:1], exact, exact
            )
            for i, t in enumerate(path.t_s)
        ]
        flown = np.array([fit.plan[0] if fit.keeps[0] else -1 for fit in fits])
        assert (flown == (0 if name == "delivery" else -1)).all(), name


def test_stray_and_dark_alone_enter_the_zone(folder, config, world):
    tile = config.tile()
    zones = ZoneIndex(load_zones(folder / "zones.geojson"), tile)
    inside = {}
    for path in world.air:
        lat, lon = geodetic(tile, path.place)
        hae = path.place[:, 2]
        places = zones.places(lat, lon, hae, hae - undulation(lat, lon), hae - GROUND_HAE_M)
        points = zones.inside(places, zones.active(START_NS)).point
        if len(points):
            inside[path.name] = path.t_s[points]
    assert sorted(inside) == ["dark", "stray"]
    assert all(len(t) > 150 for t in inside.values())


def test_truth_is_the_tables_once_a_second(world):
    with demo.OUT.with_suffix(".truth.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    names = {path.name for path in (*world.road, *world.air)}
    assert {row["object"] for row in rows} == names
    for row in rows[::500]:
        t = float(row["t_s"])
        place = world.named(row["object"]).at(np.array([t])).place
        lat, lon = geodetic(world.tile, place)
        assert abs(float(row["lat"]) - lat[0]) < 1e-7
        assert abs(float(row["lon"]) - lon[0]) < 1e-7
        assert abs(float(row["hae_m"]) - place[0, 2]) < 0.06


def test_expected_alerts_name_who_is_in_the_drive(config):
    expected = json.loads(demo.OUT.with_suffix(".expected.json").read_text())
    assert len(expected) == 9
    known = {"", *DRONES, *VEHICLES, *(s.name for s in config.sensors)}
    assert {alert["subject"] for alert in expected} <= known
    assert {alert["severity"] for alert in expected} == {1, 2, 3}
