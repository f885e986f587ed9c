"""A merge that goes on where an earlier one stood gives every frame once, in the same order."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from v2x.frames import Frame
from v2x.ingest.kafka import Merge

PARTITIONS = 3


def frame(recv_ns: int, partition: int, seq: int) -> Frame:
    return Frame(recv_ns, f"s{partition}", "nmea", b"", ("t", partition), seq)


def feed(merge: Merge, frames: list[Frame], starts: dict, most: int | None = None) -> list[Frame]:
    """Release after every frame; frames of each partition come in order, from its start on."""
    given = [f for f in frames if f.seq >= starts[f.place]]
    out: list[Frame] = []
    for f in given[:most]:
        merge.put(f)
        out += merge.release()
    return out


@given(st.data())
def test_every_frame_is_released_once_and_in_order_over_a_restart(data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 1 << 32)))
    n = data.draw(st.integers(1, 40))
    shuffled = data.draw(
        st.integers(0, 8)
    )  # how far arrivals inside a partition may be out of order
    of = rng.integers(0, PARTITIONS, n)
    seqs = [int(np.count_nonzero(of[:i] == of[i])) for i in range(n)]
    recv = (np.arange(n) * 2 + rng.integers(0, shuffled + 1, n)).tolist()
    frames = [frame(recv[i], int(of[i]), seqs[i]) for i in range(n)]
    ends = {("t", p): int(np.count_nonzero(of == p)) for p in range(PARTITIONS)}
    starts = dict.fromkeys(ends, 0)

    whole = Merge(ends, starts)
    wanted = feed(whole, frames, starts)
    first = Merge(ends, starts)
    before = feed(first, frames, starts, data.draw(st.integers(0, n)))
    positions, state = first.positions(), first.state()
    second = Merge(ends, positions, state)
    assert second.state() == state
    again = feed(second, frames, positions)
    assert sorted((f.place, f.seq) for f in before + again) == sorted(
        (f.place, f.seq) for f in frames
    )
    assert second.at_end
    if not whole.disorder:
        assert before + again == wanted
        assert second.disorder == 0


def test_a_frame_released_before_its_elders_is_not_given_again() -> None:
    ends = {("t", 0): 3, ("t", 1): 2}
    first = Merge(ends, dict.fromkeys(ends, 0))
    for f in (frame(10, 0, 0), frame(30, 0, 1), frame(12, 0, 2), frame(20, 1, 0)):
        first.put(f)
    assert [f.recv_ns for f in first.release()] == [10, 12]
    assert first.positions() == {("t", 0): 1, ("t", 1): 0}
    second = Merge(ends, first.positions(), first.state())
    for f in (frame(30, 0, 1), frame(12, 0, 2), frame(20, 1, 0), frame(40, 1, 1)):
        second.put(f)
    assert [f.recv_ns for f in second.release()] == [20, 30, 40]
    assert second.state()["ahead"] == []


def test_what_comes_after_its_turn_is_counted_after_a_restart_too() -> None:
    ends = {("t", 0): 9, ("t", 1): 9}
    first = Merge(ends, dict.fromkeys(ends, 0))
    for f in (frame(10, 0, 0), frame(11, 1, 0), frame(12, 0, 1)):
        first.put(f)
    assert [f.recv_ns for f in first.release()] == [10]
    second = Merge(ends, first.positions(), first.state())
    second.put(frame(9, 1, 0))
    assert second.disorder == 1
