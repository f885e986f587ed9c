"""The clairvoyant bounds: equal to the naive filter, and to what was published."""

from collections import defaultdict
from dataclasses import replace
from math import cos, exp, pi, radians, sin, sqrt

import numpy as np
import pytest

from replay.scenarios.fusion import make
from replay.scenarios.library import make as any_scenario
from v2x.cli.bench import bounds
from v2x.cli.bench.bounds import MODELS, Filters, Mode
from v2x.scoring import Frames, gospa_series


def gospa_n(world, said):
    keep = [k for k, t in enumerate(world.truth_s) if t >= 1.0]
    truth = Frames.of([world.truth_id[k] for k in keep], [world.truth[k] for k in keep])
    tracks = Frames.of([said.ids[k] for k in keep], [said.positions[k] for k in keep])
    return gospa_series(truth, tracks).gospa.mean() / sqrt(world.size)


def test_bounds_are_those_published_for_ten_objects():
    found = defaultdict(list)
    for seed in range(10):
        world = make("nominal", 10, seed)
        for name, said in bounds.run(world, 300).items():
            found[name].append(gospa_n(world, said))
    mean = {name: np.mean(values) for name, values in found.items()}
    assert mean == pytest.approx(
        {
            "bound-known-cv": 0.480,
            "bound-inferred-cv": 0.519,
            "bound-known-turn": 0.391,
            "bound-inferred-turn": 0.433,
        },
        abs=0.002,
    )


def naive(world, scans, modes, name):
    """Mean, covariance and existence of one object after each scan, one mode and scan at a time."""
    d, sensors = world.dim, world.sensors()
    weight = np.array([mode.weight for mode in modes])
    weight = weight / weight.sum()
    leave = 1.0 - exp(-bounds.LEAVE_RATE / 30.0)
    # from mode i to mode j, so that mixing is the textbook's double sum
    T = np.array([[(1.0 - leave) * (i == j) + leave * weight[j] for j in range(len(modes))]
                  for i in range(len(modes))])  # fmt: skip
    x = P = mu = None
    r, H = 0.0, np.eye(d, 2 * d)
    for k in range(scans):
        sensor = sensors[world.scan_sensor[k]]
        R = np.eye(d) * sensor.sd_m**2
        z = world.plots[k][world.origin[k] == name]
        if x is None:
            if len(z):
                x = [np.concatenate([z[0], np.zeros(d)]) for _ in modes]
                P = [np.diag([sensor.sd_m**2] * d + [100.0] * d) for _ in modes]
                mu, r = weight.copy(), 0.01 / 1.01
            yield None if x is None else (x, P, mu, r)
            continue
        dt = 1e-9 * (world.scan_ns[k] - world.scan_ns[k - 1])
        to = mu @ T
        mixed = []
        for j in range(len(modes)):
            share = T[:, j] * mu / to[j]
            m = sum(s * a for s, a in zip(share, x, strict=True))
            C = sum(s * (V + np.outer(a - m, a - m)) for s, a, V in zip(share, x, P, strict=True))
            mixed.append((m, C))
        r *= exp(-0.03 * dt)
        x, P, likelihood = [], [], np.zeros(len(modes))
        for j, (mode, (m, C)) in enumerate(zip(modes, mixed, strict=True)):
            F, Q = mode.matrices(d, dt)
            m, C = F @ m, F @ C @ F.T + Q
            if len(z):
                S = H @ C @ H.T + R
                K = C @ H.T @ np.linalg.inv(S)
                y = z[0] - H @ m
                d2 = y @ np.linalg.solve(S, y)
                likelihood[j] = exp(-0.5 * d2) / sqrt(np.linalg.det(2.0 * pi * S))
                m, C = m + K @ y, (np.eye(2 * d) - K @ H) @ C
            x.append(m)
            P.append(C)
        if len(z):
            total = to @ likelihood
            mu = np.maximum(to * likelihood / total, bounds.LEAST_MODE)
            mu = mu / mu.sum()
            w = r * 0.9 * total / (1.0 - 0.9 * r)
            hit = w / (w + 1.01 * sensor.clutter_density)
            r = min(hit + (1.0 - hit) * 0.1 * r / (1.0 - 0.9 * r), 1.0 - 1e-9)
        else:
            mu, r = to, 0.1 * r / (1.0 - 0.9 * r)
        yield x, P, mu, r


@pytest.mark.parametrize("name", ["hard", "air3d", "stopgo"])
@pytest.mark.parametrize("model", MODELS)
def test_the_filters_equal_the_naive_ones_object_by_object(name, model):
    world, modes = make(name, 6, 1, scans=90), MODELS[model]
    filters = Filters(modes, world.dim, 60)
    sensors = world.sensors()
    oracles = {i: naive(world, 90, modes, i) for i in range(6)}
    t_ns, checked = world.scan_ns[0], 0
    for k in range(90):
        filters.predict((world.scan_ns[k] - t_ns) / 1e9)
        t_ns = world.scan_ns[k]
        filters.look(sensors[world.scan_sensor[k]], world.plots[k], world.origin[k])
        for i, oracle in oracles.items():
            said = next(oracle)
            assert (said is not None) == (i in filters.live)
            if said is not None:
                x, P, mu, r = said
                assert filters.x[i] == pytest.approx(np.array(x), abs=1e-6)
                assert filters.P[i] == pytest.approx(np.array(P), rel=1e-6, abs=1e-9)
                assert filters.mode[i] == pytest.approx(mu, rel=1e-6)
                assert filters.exist[i] == pytest.approx(r, rel=1e-6)
                checked += 1
    assert checked > 500


def test_a_turn_turns_and_zero_is_its_limit():
    F, _ = Mode(0.1, 10.0).matrices(2, 1.5)
    w = radians(10.0)
    state = F @ np.array([0.0, 0.0, 1.0, 0.0])
    assert state == pytest.approx(
        [sin(1.5 * w) / w, (1.0 - cos(1.5 * w)) / w, cos(1.5 * w), sin(1.5 * w)]
    )
    almost, straight = Mode(0.1, 1e-6).matrices(3, 0.5), Mode(0.1).matrices(3, 0.5)
    assert almost[0] == pytest.approx(straight[0], abs=1e-7)
    assert (almost[1] == straight[1]).all()


def test_known_never_reports_the_dead_and_inferred_lets_go_in_a_tenth_of_a_second_or_two():
    world = make("hard", 60, 3)
    made = bounds.run(world, 300)
    known, inferred = made["bound-known-turn"], made["bound-inferred-turn"]
    assert len(known.ids) == len(inferred.ids) == len(world.truth_s)
    dead_reported = 0
    for k, who in enumerate(world.truth_id):
        assert set(known.ids[k].tolist()) <= set(who.tolist())
        dead = set(inferred.ids[k].tolist()) - set(who.tolist())
        recent = set().union(*(world.truth_id[n].tolist() for n in range(max(0, k - 4), k)))
        assert dead <= recent
        dead_reported += len(dead)
    assert dead_reported > 0
    assert gospa_n(world, known) < gospa_n(world, inferred)


def test_of_two_plots_of_one_object_the_first_counts():
    world = make("nominal", 5, 0, scans=30)
    twice = replace(
        world,
        plots=[np.concatenate([z, z[o >= 0] + 50.0])
               for z, o in zip(world.plots, world.origin, strict=True)],
        origin=[np.concatenate([o, o[o >= 0]]) for o in world.origin],
    )  # fmt: skip
    a, b = (bounds.run(w, 30)["bound-known-cv"] for w in (world, twice))
    for x, y in zip(a.positions, b.positions, strict=True):
        assert np.array_equal(x, y)


def test_nothing_seen_is_nothing_reported():
    world = make("nominal", 3, 0, scans=33)
    blind = replace(
        world,
        plots=[np.zeros((0, 2)) for _ in world.plots],
        origin=[np.zeros(0, np.int64) for _ in world.origin],
    )
    for said in bounds.run(blind, 33).values():
        assert [len(i) for i in said.ids] == [0] * 11


def test_bounds_need_to_know_what_made_each_plot():
    world = make("nominal", 3, 0, scans=33)
    with pytest.raises(ValueError, match="does not say which object"):
        bounds.run(replace(world, origin=[]), 33)


@pytest.mark.parametrize("name", ["bearing", "coverage", "polar", "sources"])
def test_there_are_no_bounds_where_sensors_do_not_see_plain_places_everywhere(name):
    with pytest.raises(ValueError, match="plain places"):
        bounds.run(any_scenario(name, 3, 0, scans=8), 8)
