"""Kernels against their slow twins."""

import numpy as np
import pytest

from tests.fusion import naive
from v2x.fusion import Sensor, Tracker, TrackerConfig, gating, lanes, layout, lives, modes, motion
from v2x.fusion.layout import MEAN, PLACE
from v2x.observations import Flag, Kind
from v2x.plots import PlotColumns, Plots
from v2x.sensors import SensorKind


def row_of(x, P):
    s = np.zeros((1, layout.WIDTH))
    s[0, MEAN] = x
    for a in range(6):
        for b in range(6):
            s[0, PLACE[a, b]] = P[a, b]
    return s


def full(s, i=0):
    return s[i, MEAN].copy(), s[i, PLACE].copy()


def random_state(rng, flat=False):
    A = rng.normal(size=(6, 6))
    P = A @ A.T + 0.1 * np.eye(6)
    if flat:
        P[[2, 5], :] = P[:, [2, 5]] = 0.0
        P[2, 2], P[5, 5] = 2.5e7, 225.0
    x = rng.normal(scale=20, size=6)
    x[[2, 5]] *= not flat
    return x, P


def test_numbers_that_kernels_cannot_import_are_the_same():
    assert (lives.CLAIM_FLAG, lives.RELAYED_FLAG) == (Flag.SELF_REPORTED, Flag.RELAYED)
    mine = (lives.REMOTE_ID, lives.ADS_B, lives.SELF_REPORT, lives.RELAYED)
    k = SensorKind
    assert mine == (k.REMOTE_ID, k.ADS_B, k.SELF_REPORT, k.RELAYED)
    assert len(Kind) == layout.KINDS
    assert (Kind.UAS, Kind.BIRD) == (8, 11)
    assert sorted({*MEAN.tolist(), *PLACE.ravel().tolist()}) == list(range(layout.WIDTH))


def test_exponential_is_close_to_the_library():
    x = np.linspace(-9, 0, 1001)
    mine = np.array([motion.exp_neg(v) for v in x])
    np.testing.assert_allclose(mine, np.exp(x), rtol=1e-13)
    x = np.linspace(-20, 0, 1001)
    np.testing.assert_allclose([motion.exp_neg(v) for v in x], np.exp(x), rtol=1e-9)
    assert 0.0 < motion.exp_neg(-1e300) < 1e-20


@pytest.mark.parametrize("flat", [True, False])
@pytest.mark.parametrize("dt", [0.0, 0.033, 4.0])
def test_predict(flat, dt):
    rng = np.random.default_rng(0)
    x, P = random_state(rng, flat)
    s = row_of(x, P)
    motion.predict(s, 0, not flat, dt, 4.0, 2.0)
    F, Q = naive.transition(dt, 4.0, 2.0)
    x2, P2 = F @ x, F @ P @ F.T + Q
    if flat:
        keep = [0, 1, 3, 4]
        x2, P2 = x2[keep], P2[np.ix_(keep, keep)]
        np.testing.assert_array_equal(full(s)[1][[2, 5], [2, 5]], P[[2, 5], [2, 5]])
        mine = full(s)[0][keep], full(s)[1][np.ix_(keep, keep)]
    else:
        mine = full(s)
    np.testing.assert_allclose(mine[0], x2, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(mine[1], P2, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("spread", [30.0, 3000.0])
def test_gate_finds_exactly_the_pairs_of_a_full_search(spread):
    rng = np.random.default_rng(3)
    m, n = 60, 90
    config = TrackerConfig(motion="cv")
    scratch = layout.new_motion(config.manners(), modes.blank_moves(config.manners()))
    live = layout.new_live(m, 1)
    look, g = layout.new_look(n), layout.new_edges(m, n, m * n, 1)
    z = rng.uniform(-spread, spread, (n, 3))
    z[::3, 2] = np.nan
    cov = np.zeros((n, 6))
    for j in range(n):
        a = rng.uniform(0, np.pi)
        long, short = rng.uniform(1, 45) ** 2, rng.uniform(0.5, 3) ** 2
        U = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
        C = U @ np.diag([long, short]) @ U.T
        cov[j] = [C[0, 0], C[0, 1], 0.0, C[1, 1], 0.0, 4.0]
    cov[::3, 5] = np.nan
    x, P = np.zeros((m, 6)), np.zeros((m, 6, 6))
    for i in range(m):
        x[i], P[i] = random_state(rng)
        x[i, :2] = rng.uniform(-spread, spread, 2)
        P[i] *= rng.choice([1.0, 30.0, 900.0])
        live.bar[i] = row_of(x[i], P[i])[0]
        lanes.fan_out(live.s, live.bar, i, scratch.share, 0, (0,))
        lanes.raise_up(live.up, live.bar, i, (0,))
    live.r[:], live.mode[:] = 0.7, layout.ALIVE | layout.HAS_UP
    g.p_detect[:] = 0.9
    counts = np.zeros(layout.N_COUNTS, np.int64)
    counts[layout.TOP] = m
    plots = Plots.of(PlotColumns.blank(n, z=z, cov=cov))
    from v2x.fusion.sheets import sheet_of

    sheet, cfg = sheet_of(plots), config.settings(0.0)
    got, side_m, side = gating.lay_out(sheet, 0, n, 1.0, look, counts)
    assert got == n
    gating.gather(sheet, n, 1.0, 0.0, 1e-5, 0.05, look)
    wide, ne = gating.widest(look, n), 0
    for lo, hi in ((0, 1), (1, 37), (37, m)):
        ne = gating.gate(
            live, sheet, look, 0, n, side_m, side, 0.09, g, cfg, scratch, lo, hi, wide, ne
        )
    found = {
        (i, int(look.row[g.plot[e]])): g.w[e]
        for i in range(m)
        for e in range(g.first[i], g.first[i + 1])
    }
    assert len(found) == ne
    wanted = {}
    for i in range(m):
        for j in range(n):
            R = np.zeros((3, 3))
            least = 1e-6 + gating.ROUNDEST * np.nansum(cov[j, [0, 3, 5]])
            R[np.triu_indices(3)] = np.nan_to_num(cov[j]) + np.array([1, 0, 0, 1, 0, 1]) * least
            R = R + np.triu(R, 1).T
            v, d2, *_ = naive.density(x[i], P[i], z[j], R)
            if d2 < (16.0 if np.isnan(z[j, 2]) else 18.0):
                wanted[i, j] = 0.63 / 0.37 * v / 1e-5
    assert found.keys() == wanted.keys()
    for pair, w in wanted.items():
        assert found[pair] == pytest.approx(w, rel=1e-5)


def test_order_of_rows_changes_nothing_in_the_layout():
    rng = np.random.default_rng(4)
    n = 50
    z = np.round(rng.uniform(-40, 40, (n, 3)), 0)
    z[:10] = z[10:20]
    cov = np.tile([1.0, 0, 0, 1.0, 0, 1.0], (n, 1))
    from v2x.fusion.sheets import sheet_of

    seen = set()
    for _ in range(5):
        p = rng.permutation(n)
        look, counts = layout.new_look(n), np.zeros(layout.N_COUNTS, np.int64)
        sheet = sheet_of(Plots.of(PlotColumns.blank(n, z=z[p], cov=cov[p])))
        k, *_ = gating.lay_out(sheet, 0, n, 1.0, look, counts)
        gating.gather(sheet, k, 1.0, 0.0, 1.0, 1.0, look)
        assert counts[layout.DUPLICATES] >= 10
        seen.add(look.z[:k].tobytes())
    assert len(seen) == 1


def test_coverage_is_soft_at_its_border_and_exact_away_from_it():
    square = np.array([[0.0, 0.0], [100.0, 0.0], [100.0, 100.0], [0.0, 100.0]])

    def share(e, n, sd, u=0.0, low=-1e9, high=1e9):
        P = np.eye(6) * sd**2
        s = row_of(np.array([e, n, u, 0, 0, 0]), P)
        return lives.share_inside(s, 0, True, square, 0, 4, low, high, 0.0)

    assert share(50, 50, 1.0) == 1.0
    assert share(150, 50, 1.0) == 0.0
    assert share(100, 50, 1.0) == pytest.approx(0.5)
    assert share(101, 50, 1.0) == pytest.approx(0.1587, abs=0.01)
    assert share(99, 50, 1.0) == pytest.approx(0.8413, abs=0.01)
    assert share(50, 50, 1.0, u=20.0, high=10.0) == 0.0


@pytest.mark.parametrize("dim", [2, 3])
def test_whole_tracker_equals_its_dense_twin(dim):
    rng = np.random.default_rng(5)
    config = TrackerConfig(motion="cv", bp_sweeps=60, bp_tolerance=0.0, exact_plots=0)
    clutter = 2e-4 if dim == 2 else 2e-6
    tracker = Tracker([Sensor("a", p_detect=0.9, clutter_density=clutter)], config)
    twin = naive.Reference(config)
    x = rng.uniform(0, 40, (5, dim))
    v = rng.uniform(-6, 6, (5, dim))
    for k in range(12):
        t_ns = 100_000_000 * (k + 1)
        x = x + 0.1 * v
        seen = x[rng.random(5) < 0.9]
        z = np.full((len(seen) + 2, 3), np.nan)
        z[:, :dim] = np.concatenate(
            [seen + rng.normal(0, 0.7, seen.shape), rng.uniform(0, 40, (2, dim))]
        )
        A = rng.uniform(-0.4, 0.4, (len(z), dim, dim))
        R = A @ A.transpose(0, 2, 1) + 0.4 * np.eye(dim)
        tracks = tracker.step(Plots.positions(t_ns, 0, z[:, :dim], R), t_ns)
        R3 = np.zeros((len(z), 3, 3))
        R3[:, :dim, :dim] = R + 1e-6 * np.eye(dim)
        twin.scan(t_ns / 1e9, z, R3, 0.9, clutter)
        wanted = sorted(twin.reported(), key=lambda a: tuple(a.x[:2]))
        order = np.lexsort((tracks.x[:, 1], tracks.x[:, 0]))
        assert len(order) == len(wanted)
        for i, a in zip(order, wanted, strict=True):
            np.testing.assert_allclose(tracks.x[i], a.x, rtol=1e-6, atol=1e-5)
            np.testing.assert_allclose(tracks.P[i], a.P, rtol=1e-5, atol=1e-5)
            assert tracks.exist[i] == pytest.approx(a.r, abs=1e-6)
    assert len(wanted) >= 4
