"""The sum over eight modes has the bits of its tree, whoever compiles it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba.core.errors import TypingError

from v2x.fusion.folding import sum_of_eight
from v2x.fusion.lanes import total, total_row
from v2x.jit import kernel

LANES = tuple(range(8))


@kernel
def at(p, q):
    """`sum_of_eight` as kernels get it."""
    return sum_of_eight(p, q)


@given(st.lists(st.floats(allow_nan=False, width=64), min_size=24, max_size=24), st.integers(0, 16))
def test_the_folded_sum_is_the_tree_to_the_last_bit_wherever_it_starts(numbers, q):
    p = np.array(numbers)
    with np.errstate(over="ignore", invalid="ignore"):
        wanted = sum_of_eight(p, q)
    assert np.float64(at(p, q)).tobytes() == np.float64(wanted).tobytes() or np.isnan(wanted)


def test_numbers_that_only_one_order_of_adding_keeps_are_added_in_that_order():
    p = np.array([1e16, 1.0, 3.0, 7.0, -1e16, 5.0, 2.0, -1.0])
    assert total(p, 0, LANES) == ((p[0] + p[4]) + (p[2] + p[6])) + ((p[1] + p[5]) + (p[3] + p[7]))
    assert total(p, 0, LANES) == 17.0
    assert total(np.concatenate([p, p[::-1]]), 1, LANES) == 17.0


def test_a_row_of_a_table_is_summed_like_a_part_of_a_line():
    p = np.random.default_rng(0).normal(size=(5, 8)) * 1e9
    for o in range(5):
        assert total_row(p, o, LANES) == total(p.reshape(-1), o, LANES)
    assert total_row(p[:, :3].copy(), 2, (0, 1, 2)) == p[2, 0] + p[2, 1] + p[2, 2]


def test_what_does_not_lie_end_to_end_is_refused_and_not_misread():
    with pytest.raises(TypingError):
        at(np.zeros(40)[::2], 0)
