import numpy as np
import pytest

from tests.lowalt.scenes import TILE
from v2x.lowalt.swarms import KEEP, RADIUS_M, SPREAD_MPS, Swarms, flocks
from v2x.picture import GroupKind

SECOND = 1_000_000_000


def naive(x, least):
    """Flocks by the words of the kernel: the fullest circle of those that are left, first wins."""
    label = [-1] * len(x)

    def near(i):
        away = np.hypot(*(x[:, :2] - x[i, :2]).T) <= RADIUS_M
        return away & (np.hypot(*(x[:, 2:] - x[i, 2:]).T) < SPREAD_MPS)

    made = 0
    while True:
        free = np.array(label) < 0
        counts = [int((near(i) & free).sum()) if free[i] else 0 for i in range(len(x))]
        if not counts or max(counts) < least:
            return made, label
        for j in np.flatnonzero(near(int(np.argmax(counts))) & free).tolist():
            label[j] = made
        made += 1


def labelled(x, least=KEEP):
    count, label = np.empty(len(x), np.int32), np.empty(len(x), np.int32)
    return flocks(np.ascontiguousarray(x), RADIUS_M, SPREAD_MPS, least, count, label), label


@pytest.mark.parametrize("seed", range(20))
def test_flocks_are_those_of_the_naive_twin(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(0, 60))
    x = np.column_stack((rng.uniform(0, 800, (n, 2)), rng.uniform(-4, 4, (n, 2))))
    made, label = labelled(x)
    for run in (labelled, lambda y: naive(y, KEEP)):
        other, names = run(x)
        assert other == made
        assert list(names) == label.tolist()


def test_a_drone_of_unknown_place_is_in_no_flock():
    x = np.zeros((6, 4))
    x[2] = np.nan
    made, label = labelled(x)
    assert made == 1
    assert label.tolist() == [0, 0, -1, 0, 0, 0]


def sky(n, step=10.0, speed=5.0):
    x = np.zeros((n, 6))
    x[:, 0], x[:, 3] = step * np.arange(n), speed
    return np.arange(100, 100 + n), x


def test_drones_that_fly_together_are_one_swarm_with_its_middle_and_radius():
    ids, x = sky(6)
    groups, member = Swarms(TILE).judge(SECOND, ids, x, np.ones(6, bool))
    assert groups.kind.tolist() == [GroupKind.SWARM]
    assert (groups.key[0], groups.size[0]) == (100, 6)
    assert groups.radius_m[0] == pytest.approx(25.0)
    assert groups.value[0] == pytest.approx(0.0)
    assert member.tolist() == [0] * 6


def test_drones_with_a_plan_or_of_another_velocity_or_too_far_make_none():
    ids, x = sky(6)
    assert not len(Swarms(TILE).judge(SECOND, ids, x, np.arange(6) < 2)[0])
    x[::2, 3] = -5.0
    x[1::2, 4] = 20.0 * np.arange(3)
    x[::2, 4] = -20.0 * np.arange(3)
    assert not len(Swarms(TILE).judge(SECOND, ids, x, np.ones(6, bool))[0])
    ids, x = sky(6, step=200.0)
    assert not len(Swarms(TILE).judge(SECOND, ids, x, np.ones(6, bool))[0])


def test_a_swarm_keeps_its_key_while_members_come_and_go():
    swarms = Swarms(TILE)
    for second, gone in enumerate((0, 1, 2, 3)):
        ids, x = sky(9)
        groups, _ = swarms.judge(second * SECOND, ids[gone:], x[gone:], np.ones(9 - gone, bool))
        assert groups.key.tolist() == [100]


def test_swarms_that_part_have_keys_of_their_own():
    swarms = Swarms(TILE)
    ids, x = sky(10)
    swarms.judge(0, ids, x, np.ones(10, bool))
    x[6:, 0] += 1000.0
    groups, member = swarms.judge(SECOND, ids, x, np.ones(10, bool))
    assert sorted(groups.key.tolist()) == [100, 106]
    assert member.tolist() == [0] * 6 + [1] * 4


def test_swarms_go_on_after_a_restart():
    first, second = Swarms(TILE), Swarms(TILE)
    ids, x = sky(8)
    first.judge(0, ids, x, np.ones(8, bool))
    second.restore(first.state())
    for t_ns in (SECOND // 2, SECOND, 2 * SECOND):
        one = first.judge(t_ns, ids[1:], x[1:], np.ones(7, bool))
        two = second.judge(t_ns, ids[1:], x[1:], np.ones(7, bool))
        assert one[0].key.tolist() == two[0].key.tolist()
        assert one[1].tolist() == two[1].tolist()


def test_order_of_the_tracks_changes_nothing():
    rng = np.random.default_rng(5)
    ids = np.arange(40)
    x = np.zeros((40, 6))
    x[:, :2] = rng.uniform(0, 600, (40, 2))
    turned = rng.permutation(40)
    one = Swarms(TILE).judge(0, ids, x, np.ones(40, bool))
    two = Swarms(TILE).judge(0, ids[turned], x[turned], np.ones(40, bool))
    assert one[0].key.tolist() == two[0].key.tolist()
    assert one[1][turned].tolist() == two[1].tolist()
