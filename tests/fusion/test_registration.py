"""Sensor registration: faults are found, named and measured, and good sensors are left alone."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from v2x.errors import ConfigError
from v2x.fusion import elimination, windows
from v2x.fusion.consensus import consensus, views
from v2x.fusion.inverse import invert
from v2x.fusion.registration import Registration, RegistrationConfig

S = 1_000_000_000
PLACES = np.array(
    [[0, 0, 5], [400, 50, 5], [-50, 350, 5], [350, 400, 5], [150, -200, 5], [-250, -150, 5]], float
)
YAW = np.radians(0.5)
GOOD = np.array([0.2, 0.2, 0.2, 1e-3, 1e-3, 0.01])
FAULTS = {
    "none": {},
    "offset": {2: (0.0, 1.5, 0, 0, 0, 0)},
    "yaw": {2: (0, 0, 0, YAW, 0, 0)},
    "scale": {2: (0, 0, 0, 0, 0.01, 0)},
    "clock": {2: (0, 0, 0, 0, 0, 0.12)},
}


def world(
    seed, faults=None, seconds=60.0, objects=30, sensors=5, hz=10.0, turn=None, speed=(5.0, 20.0),
    place=None, height=(), onset=0.0, said=1.0, lag=0.0, extent=300.0,
):  # fmt: skip
    """Rows of `Registration.update`: cars that drive straight, turn and change speed.

    `turn` deg/s for all, else a mix; `place` (objects, 2) instead of a random start; `height`
    names the sensors that measure it; stated deviation is `said` times the true one; `lag` s is
    the correlation time of the errors of sensor 0.
    """
    rng = np.random.default_rng(seed)
    start = rng.uniform(-extent, extent, (objects, 2)) + 150 if place is None else np.asarray(place)
    v, course = rng.uniform(*speed, objects), rng.uniform(0, 2 * np.pi, objects)
    rate = np.radians(rng.choice([0, 0, 6, -6, 20, -20], objects) if turn is None else turn)
    rate = np.broadcast_to(rate, objects) + 1e-9
    up = rng.uniform(1, 30, objects)
    parts = []
    for s in range(sensors):
        sd = rng.uniform(0.5, 1.0)
        t = np.arange(rng.uniform(0, 1 / hz), seconds, 1 / hz)
        t, i = (a.ravel() for a in np.meshgrid(t, np.arange(objects), indexing="ij"))
        noise = rng.normal(size=(len(t), 3)) * sd
        if lag and s == 0:
            keep = np.exp(-1 / hz / lag)
            grid = noise.reshape(-1, objects, 3)
            for k in range(1, len(grid)):
                grid[k] = keep * grid[k - 1] + np.sqrt(1 - keep**2) * grid[k]
        seen = rng.random(len(t)) < 0.9
        t, i, noise = t[seen], i[seen], noise[seen]
        b = np.where((t >= onset)[:, None], np.asarray((faults or {}).get(s, np.zeros(6))), 0.0)
        at, w = t + b[:, 5], rate[i]
        # Speed swings by 4 m/s in 12 s on top: up to 2 m/s² along the path.
        way = v[i] * at + 8.0 * (1 - np.cos(at / 2)) * (turn is None) * (v[i] > 4)
        angle = w * way / np.maximum(v[i], 1e-9)
        radius = v[i] / w
        p = np.empty((len(t), 3))
        p[:, 0] = start[i, 0] + radius * (np.sin(course[i] + angle) - np.sin(course[i]))
        p[:, 1] = start[i, 1] - radius * (np.cos(course[i] + angle) - np.cos(course[i]))
        p[:, 2] = up[i]
        d = p - PLACES[s]
        turned = np.stack([-d[:, 1], d[:, 0], np.zeros(len(d))], axis=1)
        z = p + b[:, :3] + b[:, 3:4] * turned + b[:, 4:5] * d + noise
        if s not in height:
            z[:, 2] = np.nan
        cov = np.zeros((len(t), 6))
        cov[:, [0, 3, 5]] = (sd * said) ** 2
        parts.append((np.round(t * 1e9).astype(np.int64), np.full(len(t), s, np.int32), i, z, cov))
    t, sensor, i, z, cov = (np.concatenate(c) for c in zip(*parts, strict=True))
    order = np.argsort(t, kind="stable")
    dim = np.where(np.isnan(z[:, 2]), 2.0, 3.0)
    rows = {"t_ns": t, "sensor": sensor, "track": i.astype(np.int64) + 7, "z": z, "cov": cov,
            "nis": dim, "dim": dim}  # fmt: skip
    return {k: a[order] for k, a in rows.items()}


def fed(rows, sensors=5, **keys):
    made = Registration(PLACES[:sensors], **keys)
    made.update(**rows)
    return made


def biases(facts):
    mean = np.column_stack([facts.offset, facts.yaw, facts.scale, facts.clock_s])
    sd = np.column_stack([facts.offset_sd, facts.yaw_sd, facts.scale_sd, facts.clock_sd])
    return mean, sd


def truth(faults, sensors=5):
    return np.array([faults.get(s, np.zeros(6)) for s in range(sensors)], float)


def assert_measured(facts, faults, within=0.2):
    """Faults within 20 %, and no other parameter of any sensor beyond 2 deviations."""
    mean, sd = biases(facts)
    real = truth(faults, len(facts))
    bad = real != 0.0
    np.testing.assert_allclose(mean[bad], real[bad], rtol=within)
    rest = np.abs(mean / sd)[~bad]
    rest = rest[np.isfinite(rest)]
    assert len(rest) >= 5 * len(facts) - bad.sum()
    assert np.mean(rest < 2.0) >= 0.95


def picked(rows, at):
    """Rows by slice, mask or index."""
    return {k: v[at] for k, v in rows.items()}


def difference(rows, **keys):
    """East offset of sensor 0 less that of 1 by the data alone, and its deviation."""
    config = RegistrationConfig(good=(50.0, 1e-9, 1e-9, 1e-9))
    state = fed(rows, 2, config=config, **keys).state()
    v = consensus(state["info"][0], state["right"][0])
    return v.mean[0] - v.mean[6], np.sqrt(v.C[0, 0] + v.C[6, 6] - 2 * v.C[0, 6])


def as_bytes(made):
    return {k: v.tobytes() for k, v in made.state().items()}


# What is found


@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize("seed", range(4))
def test_a_fault_is_measured_within_a_minute_and_no_good_sensor_is_blamed(kind, seed):
    assert_measured(fed(world(seed, FAULTS[kind])).facts, FAULTS[kind])


@pytest.mark.parametrize("kind", FAULTS)
def test_objects_that_all_turn_hard_pass_for_no_fault(kind):
    rows = world(5, FAULTS[kind], turn=20.0, speed=(19.0, 20.0), seconds=30)
    assert_measured(fed(rows).facts, FAULTS[kind])


def test_a_fault_of_height_is_seen_where_two_sensors_measure_it():
    faults = {2: (0, 0, 1.5, 0, 0, 0)}
    facts = fed(world(0, faults, height=(0, 1, 2, 3), seconds=30)).facts
    assert_measured(facts, faults)
    assert facts.observable[:, 2].tolist() == [True, True, True, True, False]


@pytest.mark.parametrize(
    "faults",
    [
        {1: (1.5, 0, 0, 0, 0, 0), 4: (1.5, 0, 0, 0, 0, 0)},
        {1: (0, 0, 0, YAW, 0, 0), 4: (0, 0, 0, 0, 0, 0.12)},
        {1: (0, 0, 0, YAW, 0, 0), 4: (0, 0, 0, YAW, 0, 0)},
    ],
)
def test_two_faulty_sensors_of_six_are_both_measured(faults):
    facts = fed(world(1, faults, sensors=6), 6).facts
    assert_measured(facts, faults)
    assert np.all((facts.agreement < 0.5) == [s in faults for s in range(6)])


def test_of_no_fault_in_twenty_runs_nineteen_in_twenty_numbers_are_within_two_deviations():
    z = [np.divide(*biases(fed(world(seed, seconds=20)).facts)) for seed in range(20)]
    z = np.array(z)[:, :, [0, 1, 3, 4, 5]]
    assert np.isfinite(z).all()
    assert np.mean(np.abs(z) < 2.0) >= 0.95


def test_deviations_are_honest_when_good_sensors_have_what_good_sensors_may_have():
    z = []
    for seed in range(12):
        real = np.random.default_rng(100 + seed).normal(size=(5, 6)) * GOOD
        mean, sd = biases(fed(world(seed, dict(enumerate(real)), seconds=30)).facts)
        z.append(((mean - real) / sd)[:, [0, 1, 3, 4, 5]])
    rms = np.sqrt(np.mean(np.square(z), axis=(0, 1)))
    assert np.all((rms > 0.7) & (rms < 1.3)), rms


def test_deviations_of_differences_are_those_of_the_noise():
    """With a prior too wide to matter there are only differences, which the data alone say."""
    z = [np.divide(*difference(world(seed, seconds=6, sensors=2))) for seed in range(25)]
    assert 0.75 < np.sqrt(np.mean(np.square(z))) < 1.25


def test_what_changes_is_known_long_before_the_old_has_faded():
    rows = world(3, FAULTS["offset"], seconds=165, objects=15, onset=120.0)
    cut = np.searchsorted(rows["t_ns"], 119 * S)
    made = fed(picked(rows, slice(cut)))
    assert np.all(made.facts.agreement > 0.9)
    made.update(**picked(rows, slice(cut, None)))
    assert_measured(made.facts, FAULTS["offset"])


def test_a_repaired_sensor_is_taken_back():
    rows = world(3, FAULTS["offset"], seconds=60, objects=15)
    well = world(3, {}, seconds=60, objects=15)
    well["t_ns"] += 61 * S
    made = fed(rows)
    assert made.facts.agreement[2] < 0.5
    made.update(**well)
    assert_measured(made.facts, {})
    assert made.facts.agreement[2] > 0.9


# What cannot be told


def test_objects_at_rest_say_nothing_about_clocks():
    facts = fed(world(0, FAULTS["clock"], speed=(0.0, 0.0), turn=0.0, seconds=20)).facts
    assert np.all(np.isnan(facts.clock_s))
    assert np.all(np.isnan(facts.clock_sd))
    assert not facts.observable[:, 5].any()
    assert facts.observable[:, [0, 1, 3, 4]].all()


def test_objects_at_one_bearing_and_range_say_nothing_about_yaw():
    here = np.tile([[1_000.0, 0.0]], (5, 1)) + np.arange(5)[:, None]
    facts = fed(world(0, place=here, objects=5, speed=(0.0, 0.0), turn=0.0, seconds=20)).facts
    assert not facts.observable[:, 3].any()
    assert np.all(np.isnan(facts.yaw))


def test_a_sensor_without_company_is_not_observable():
    facts = fed(world(0, sensors=1, seconds=10), 1).facts
    assert not facts.observable.any()
    assert np.isnan(biases(facts)[0]).all()
    assert facts.windows.tolist() == [0.0]
    assert np.isnan(facts.noise[0])


def test_before_any_row_nothing_is_known():
    facts = Registration(PLACES).facts
    assert len(facts) == 6
    assert not facts.observable.any()
    for name in ("yaw", "nis", "p_detect", "clutter", "duplicates", "agreement", "noise"):
        assert np.all(np.isnan(getattr(facts, name))), name
    assert len(Registration(np.zeros((0, 3))).facts) == 0


def test_two_sensors_that_differ_are_not_blamed_one_for_the_other():
    mean, sd = biases(fed(world(4, {1: (1.5, 0, 0, 0, 0, 0)}, sensors=2), 2).facts)
    z = mean / sd
    assert np.all(np.abs(z[np.isfinite(z)]) < 2.0)


def test_two_against_two_leave_two_views():
    faults = {1: (3.0, 0, 0, 0, 0, 0), 2: (3.0, 0, 0, 0, 0, 0)}
    made = fed(world(4, faults, sensors=4), 4)
    state = made.state()
    found = views(state["info"][0], state["right"][0])
    assert len(found) > 1
    assert sum(v.share for v in found) == pytest.approx(1.0)
    mean, sd = biases(made.facts)
    assert np.all(np.abs(mean[:, 0]) < 2.0 * sd[:, 0])


def test_sensors_that_share_no_object_have_frames_of_their_own():
    near, far = world(0, FAULTS["offset"], seconds=30, sensors=3), world(1, {}, seconds=30)
    far = picked(far, far["sensor"] < 3)
    far["sensor"], far["track"] = far["sensor"] + np.int32(3), far["track"] + 1_000
    both = {k: np.concatenate([near[k], far[k]]) for k in near}
    order = np.argsort(both["t_ns"], kind="stable")
    places = np.concatenate([PLACES[:3], PLACES[:3]])
    made = Registration(places, config=RegistrationConfig(tracks=64))
    made.update(**{k: v[order] for k, v in both.items()})
    assert made.facts.offset[2, 1] == pytest.approx(1.5, rel=0.2)
    alone = Registration(PLACES[:3], config=RegistrationConfig(tracks=64))
    alone.update(**near)
    assert_same = np.testing.assert_allclose
    assert_same(biases(made.facts)[0][:3], biases(alone.facts)[0], rtol=1e-6, atol=1e-9)


# Noise


def test_covariances_stated_too_small_are_noticed_and_do_not_make_bold():
    np.testing.assert_allclose(fed(world(0, seconds=30, said=0.5)).facts.noise, 4.0, rtol=0.15)
    np.testing.assert_allclose(fed(world(0, seconds=30)).facts.noise, 1.0, atol=0.12)
    said, true = (difference(world(0, seconds=30, sensors=2, said=k))[1] for k in (0.5, 1.0))
    assert said == pytest.approx(true, rel=0.1)


def test_a_track_as_input_is_believed_less_when_said_so():
    plain, honest = [], []
    for seed in range(16):
        rows = world(seed, sensors=2, seconds=6, lag=0.5, objects=12)
        plain.append(np.divide(*difference(rows)))
        honest.append(np.divide(*difference(rows, inflate=np.array([10.0, 1.0]))))
    assert np.sqrt(np.mean(np.square(plain))) > 1.6
    assert np.sqrt(np.mean(np.square(honest))) < 1.3


# Against the other sensors


def test_the_residual_against_the_others_holds_the_whole_bias():
    rows = world(0, FAULTS["offset"], seconds=20)
    made = Registration(PLACES[:5], config=RegistrationConfig(tracks=64, plots=64))
    made.update(**rows)
    x = made.cross
    assert set(x.sensor.tolist()) == set(range(5))
    east, north = (x.residual[x.sensor == 2, a].mean() for a in (0, 1))
    assert abs(east) < 0.05
    assert north == pytest.approx(1.5, abs=0.05)
    weight = np.array([1 / rows["cov"][rows["sensor"] == s, 0][0] for s in range(5)])
    for s in (0, 1, 3, 4):
        dragged = 1.5 * weight[2] / (weight.sum() - weight[s])
        assert x.residual[x.sensor == s, 1].mean() == pytest.approx(-dragged, abs=0.1)
    assert np.all(np.isnan(x.residual[:, 2]))
    assert np.all(np.isnan(x.vel[:, 2]))


def test_residuals_against_the_others_have_the_stated_covariance():
    made = fed(world(0, seconds=20))
    x = made.cross
    full = x.cov[:, [[0, 1], [1, 3]]]
    d2 = np.einsum("ni,nij,nj->n", x.residual[:, :2], np.linalg.inv(full), x.residual[:, :2])
    # The windows' ends hang on few plots; the mean is 2.
    assert np.median(d2) == pytest.approx(2 * np.log(2), rel=0.15)
    speed = np.hypot(x.vel[:, 0], x.vel[:, 1])
    assert 3.0 < np.median(speed) < 25.0


# Detection statistics


def counts(n, **given):
    zero = np.zeros(n)
    names = ("hits", "looks", "unexplained", "area", "plots", "duplicates")
    return {name: np.broadcast_to(given.get(name, 0.0), n) + zero for name in names}


def test_detection_and_clutter_are_the_conjugate_posteriors():
    made = Registration(PLACES[:2])
    t, who = np.full(10, S), np.zeros(10, np.int32)
    made.count(
        t, who, **counts(10, hits=8, looks=10, unexplained=3, area=1e4, plots=12, duplicates=1)
    )
    f = made.facts
    assert f.p_detect[0] == pytest.approx(80.5 / 101)
    assert f.p_detect_sd[0] == pytest.approx(np.sqrt(80.5 * 20.5 / (101**2 * 102)))
    assert f.clutter[0] == pytest.approx(30.5 / 1e5)
    assert f.clutter_sd[0] == pytest.approx(np.sqrt(30.5) / 1e5)
    assert f.duplicates[0] == pytest.approx(10 / 120)
    assert np.isnan(f.p_detect[1])


def test_scans_fade_by_half_in_a_half_life():
    made = Registration(PLACES[:1])
    who = np.zeros(1, np.int32)
    made.count(np.array([S]), who, **counts(1, hits=100, looks=100))
    made.count(np.array([61 * S]), who, **counts(1, hits=0, looks=100))
    assert made.facts.p_detect[0] == pytest.approx(50.5 / 151)


def test_scans_over_an_unknown_area_count_no_clutter():
    made = Registration(PLACES[:1])
    who = np.zeros(1, np.int32)
    made.count(np.array([S]), who, **counts(1, unexplained=50, area=np.nan, hits=1, looks=2))
    assert np.isnan(made.facts.clutter[0])
    made.count(np.array([S]), who, **counts(1, unexplained=2, area=100.0))
    assert made.facts.clutter[0] == pytest.approx(2.5 / 100)


def test_nis_is_reported_per_dimension():
    rows = world(0, seconds=10)
    rows["nis"] = np.where(rows["sensor"] == 1, 3.0, 1.0) * rows["dim"]
    rows["nis"][::50] = np.nan
    np.testing.assert_allclose(fed(rows).facts.nis, [1, 3, 1, 1, 1])


# State


@settings(max_examples=15)
@given(st.lists(st.integers(0, 2_000), max_size=12))
def test_rows_cut_into_calls_anywhere_give_the_same_bytes(cuts):
    rows = world(0, FAULTS["yaw"], seconds=4.2, objects=12)
    n = len(rows["t_ns"])
    edges = [0, *sorted(c % n for c in cuts), n]
    pieces = Registration(PLACES[:5])
    crossed = []
    for a, b in pairwise(edges):
        pieces.update(**picked(rows, slice(a, b)))
        crossed.append(pieces.cross.residual)
    whole = fed(rows)
    assert as_bytes(pieces) == as_bytes(whole)
    assert np.concatenate(crossed).tobytes() == whole.cross.residual.tobytes()


def test_a_restored_registration_goes_on_to_the_same_bytes():
    rows = world(0, FAULTS["yaw"], seconds=12, objects=12)
    cut = len(rows["t_ns"]) // 2 + 17
    first = fed(picked(rows, slice(cut)))
    first.count(np.array([S]), np.zeros(1, np.int32), **counts(1, hits=1, looks=2))
    kept = first.state()
    again = Registration(PLACES[:5])
    again.update(**world(1, seconds=2))
    again.restore(kept)
    for made in (first, again):
        made.update(**picked(rows, slice(cut, None)))
        made.count(np.array([2 * S]), np.zeros(1, np.int32), **counts(1, hits=1, looks=2))
    assert as_bytes(first) == as_bytes(again)
    a, b = first.facts, again.facts
    for name, *_ in a.schema():
        assert getattr(a, name).tobytes() == getattr(b, name).tobytes(), name
    assert np.any(kept["windows.n"] > 0)


def test_a_state_of_another_shape_is_refused_and_changes_nothing():
    made = fed(world(0, seconds=3, objects=5))
    before = as_bytes(made)
    with pytest.raises(ValueError, match="info does not fit"):
        made.restore(Registration(PLACES[:4]).state())
    with pytest.raises(ValueError, match=r"windows\.head does not fit"):
        made.restore({})
    assert as_bytes(made) == before


def test_memory_does_not_grow_with_tracks():
    made = Registration(PLACES[:5])
    size = sum(v.nbytes for v in made.state().values())
    for k in range(5):
        rows = world(k, seconds=3, objects=200)
        rows["track"] += 1_000 * k
        rows["t_ns"] += 3 * k * S
        made.update(**rows)
    assert sum(v.nbytes for v in made.state().values()) == size


def test_the_draw_is_of_lowest_rank_in_any_order_of_tracks():
    rng = np.random.default_rng(0)
    n = 200
    z, cov = np.zeros((n, 3)), np.tile([1.0, 0, 0, 1, 0, 1], (n, 1))
    ones = np.ones(n)
    for _ in range(3):
        track = rng.permutation(n)
        made = Registration(PLACES[:2])
        t = np.full(n, 5 * S)
        made.update(t, np.zeros(n, np.int32), track, z, cov, ones, ones)
        best = sorted(range(n), key=lambda k: windows.rank_of(k, 5))[: made.config.tracks]
        assert set(made.state()["windows.track"].tolist()) == set(best)
    assert len({windows.rank_of(k, 6) for k in range(n)}) == n


def test_a_long_silence_fades_all_and_harms_nothing():
    rows = world(0, FAULTS["offset"], seconds=10, objects=10)
    made = fed(rows)
    late = dict(rows)
    late["t_ns"] = rows["t_ns"] + 86_400 * S
    made.update(**late)
    assert_measured(made.facts, FAULTS["offset"])
    assert np.all(made.facts.windows <= 100.0)


# Bad rows


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("z", (np.nan, 0.0, 0.0)),
        ("z", (0.0, np.inf, 0.0)),
        ("z", (0.0, 0.0, -np.inf)),
        ("cov", (0.0, 0, 0, 1, 0, 1)),
        ("cov", (1.0, 2.0, 0, 1, 0, 1)),
        ("cov", (np.nan, 0, 0, 1, 0, 1)),
        ("cov", (np.inf, 0, 0, 1, 0, 1)),
        ("cov", (1.0, 0, 2.0, 1, 0, 1)),
    ],
)
def test_a_row_that_cannot_be_used_changes_nothing(name, value):
    rows = world(0, seconds=3, objects=5, height=range(5))
    plain = fed(rows)
    bad = {k: np.insert(v, 40, v[40], axis=0) for k, v in rows.items()}
    bad[name][40] = value
    bad["nis"][40] = np.nan
    assert as_bytes(fed(bad)) == as_bytes(plain)


def test_wrong_rows_are_refused_whole():
    rows = world(0, seconds=3, objects=5)
    made = fed(rows)
    before = as_bytes(made)
    with pytest.raises(ValueError, match="time order"):
        made.update(**picked(rows, slice(20)))
    shuffled = {k: v[::-1] for k, v in rows.items()}
    with pytest.raises(ValueError, match="time order"):
        fed(shuffled)
    late = picked(rows, slice(-5, None))
    with pytest.raises(ValueError, match=r"outside 0\.\.4"):
        made.update(**(late | {"sensor": late["sensor"] + np.int32(9)}))
    with pytest.raises(ValueError, match=r"outside 0\.\.4"):
        made.count(np.array([S]), np.array([-1], np.int32), **counts(1))
    assert as_bytes(made) == before


def test_numbers_that_make_no_sense_are_refused():
    for keys in ({"window_s": 0.0}, {"half_life_s": np.nan}, {"good": (1, 1, 0, 1)}, {"tracks": 0}):
        with pytest.raises(ConfigError, match="registration"):
            RegistrationConfig(**keys)
    with pytest.raises(ValueError, match="factors"):
        Registration(PLACES, inflate=np.full(6, 0.5))


def test_of_more_sensors_than_a_window_holds_each_gets_its_turn():
    places = np.tile(PLACES, (2, 1))
    parts = [world(s, seconds=6, objects=5, sensors=1, hz=5) for s in range(12)]
    rows = {k: np.concatenate([p[k] for p in parts]) for k in parts[0]}
    rows["sensor"] = np.repeat(np.arange(12, dtype=np.int32), [len(p["t_ns"]) for p in parts])
    order = np.argsort(rows["t_ns"], kind="stable")
    made = Registration(places)
    made.update(**picked(rows, order))
    spoken = made.facts.windows
    assert spoken.sum() == pytest.approx(5 * 5 * elimination.SIGHTED, rel=0.1)
    assert spoken.min() > 8


def test_plots_beyond_what_a_window_holds_are_left_out():
    made = fed(world(0, seconds=3, objects=3), config=RegistrationConfig(plots=20))
    assert made.state()["windows.n"].max() == 20
    assert made.facts.windows.min() > 0


# Twins


def naive_equations(rows, places, config, inflate):
    """Normal equations of all windows by dense matrices: paths and biases in one, paths out."""
    unit, half = GOOD, config.window_s / 2
    D = 6 * len(places)
    info, right = np.zeros((D, D)), np.zeros(D)
    epoch = rows["t_ns"] // S
    for e, k in sorted({*zip(epoch.tolist(), rows["track"].tolist(), strict=True)}):
        mine = np.flatnonzero((epoch == e) & (rows["track"] == k))
        if e == epoch.max() or len({*rows["sensor"][mine].tolist()}) < 2:
            continue
        axes = 3 if np.isfinite(rows["z"][mine, 2]).any() else 2
        origin = rows["z"][mine[np.isfinite(rows["z"][mine, axes - 1])][0]]
        phi, weight, y, at, scale = [], [], [], [], config.priors().path
        for i in mine:
            u = ((rows["t_ns"][i] - e * S) / S - half) / half
            dims = 3 if np.isfinite(rows["z"][i, 2]) else 2
            R = rows["cov"][i][[[0, 1, 2], [1, 3, 4], [2, 4, 5]]][:dims, :dims]
            W = np.zeros((axes, axes))
            W[:dims, :dims] = np.linalg.inv(R) / inflate[rows["sensor"][i]]
            phi.append(np.kron(u ** np.arange(4), np.eye(axes)))
            weight.append(W)
            y.append(np.nan_to_num(rows["z"][i] - origin)[:axes])
            at.append(u)
        A = np.kron(np.diag(scale), np.eye(axes))
        A = A + sum(f.T @ W @ f for f, W in zip(phi, weight, strict=True))
        b = sum(f.T @ W @ v for f, W, v in zip(phi, weight, y, strict=True))
        path = np.linalg.solve(A, b).reshape(4, axes)
        cov = np.linalg.inv(A)
        slow = np.trace(cov[axes : 2 * axes, axes : 2 * axes])
        moving = (path[1] ** 2).sum() > 16 * slow
        T, X, g = np.zeros((D, D)), np.zeros((4 * axes, D)), np.zeros(D)
        for i, f, W, v, u in zip(mine, phi, weight, y, at, strict=True):
            s = rows["sensor"][i]
            p = (u ** np.arange(4)) @ path
            vel = (np.array([0, 1, 2 * u, 3 * u * u]) @ path) / half
            d = p + origin[:axes] - places[s, :axes]
            B = np.zeros((axes, D))
            block = np.zeros((axes, 6))
            block[:, :axes] = np.eye(axes)
            block[0, 3], block[1, 3] = -d[1], d[0]
            block[:, 4], block[:, 5] = d, moving * vel
            B[:, 6 * s : 6 * s + 6] = block * unit
            T += B.T @ W @ B
            X += f.T @ W @ B
            g += B.T @ W @ (v - p)
        info += T - X.T @ np.linalg.solve(A, X)
        right += g
    return info, right


@pytest.mark.parametrize("height", [(), (0, 2), range(3)])
def test_normal_equations_equal_the_dense_twin(height):
    config = RegistrationConfig(recent_s=1e12, half_life_s=1e12, tracks=16)
    rows = world(2, FAULTS["clock"], seconds=2.5, objects=6, sensors=3, hz=5, height=height)
    rows["cov"][:, [1, 2, 4]] = 0.1
    inflate = np.array([1.0, 2.0, 5.0])
    first = picked(rows, rows["t_ns"] < S)
    made = fed(picked(rows, rows["t_ns"] < 2 * S), 3, config=config, inflate=inflate)
    last = picked(rows, np.flatnonzero(rows["t_ns"] >= S)[:1])
    info, right = naive_equations({k: np.concatenate([first[k], last[k]]) for k in first},
                                  PLACES[:3], config, inflate)  # fmt: skip
    state = made.state()
    np.testing.assert_allclose(state["info"][0], info, rtol=1e-7, atol=1e-7 * np.abs(info).max())
    np.testing.assert_allclose(state["right"][0], right, rtol=1e-6, atol=1e-7 * np.abs(right).max())
    assert np.array_equal(state["info"][0], state["info"][0].T)
    eigen = np.linalg.eigvalsh(state["info"][0])
    assert eigen.min() > -1e-9 * eigen.max()


def test_a_common_bias_of_all_sensors_is_invisible():
    rows = world(0, seconds=5, sensors=3)
    info = fed(rows, 3).state()["info"][0]
    shift, clock = np.tile([1.0, 0, 0, 0, 0, 0], 3), np.tile([0, 0, 0, 0, 0, 1.0], 3)
    # The world turned about the origin: each sensor's yaw, and the shift of where it stands.
    turn = np.array([[-p[1] * 1e-3 / 0.2, p[0] * 1e-3 / 0.2, 0, 1.0, 0, 0] for p in PLACES[:3]])
    for gauge in (shift, clock, turn.ravel()):
        assert gauge @ info @ gauge < 2e-3 * (np.abs(gauge) @ np.abs(info) @ np.abs(gauge))


@pytest.mark.parametrize("n", [1, 2, 6, 30])
def test_inverse_is_the_librarys(n):
    rng = np.random.default_rng(n)
    M = rng.normal(size=(n, n))
    A = M @ M.T + 0.1 * np.eye(n)
    want = np.linalg.inv(A)
    for inverse in (invert, invert.py_func):
        got = A.copy()
        assert inverse(got, n)
        np.testing.assert_allclose(got, want, rtol=1e-8, atol=1e-9)
        assert np.array_equal(got, got.T)


def test_what_is_not_positive_definite_has_no_inverse():
    assert not invert(np.array([[1.0, 2.0], [2.0, 1.0]]), 2)
    assert not invert(np.array([[np.nan, 0.0], [0.0, 1.0]]), 2)
