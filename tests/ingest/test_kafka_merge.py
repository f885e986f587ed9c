"""Merging partitions: the order must not depend on how the broker cut its answers."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from v2x.config import KafkaSettings
from v2x.errors import ConfigError
from v2x.frames import Frame
from v2x.ingest.kafka import Merge, connection


def frame(recv_ns, partition, seq, sensor="s"):
    return Frame(recv_ns, sensor, "nmea", b"", ("t", partition), seq)


def test_a_frame_waits_for_the_partitions_that_may_hold_an_earlier_one():
    merge = Merge({("t", 0): 2, ("t", 1): 1}, {("t", 0): 0, ("t", 1): 0})
    merge.put(frame(10, 0, 0))
    assert merge.release() == []
    merge.put(frame(5, 1, 0))
    assert [f.recv_ns for f in merge.release()] == [5]
    merge.put(frame(11, 0, 1))
    assert [f.recv_ns for f in merge.release()] == [10, 11]
    assert merge.at_end


def test_positions_never_pass_a_frame_that_still_waits():
    merge = Merge({("t", 0): 9, ("t", 1): 9}, {("t", 0): 3, ("t", 1): 4})
    merge.put(frame(10, 0, 3))
    merge.put(frame(10, 1, 4))
    merge.put(frame(12, 1, 5))
    merge.release()
    assert merge.positions() == {("t", 0): 3, ("t", 1): 4}


def test_a_record_that_comes_after_its_turn_is_counted_and_still_given():
    merge = Merge({("t", 0): 1, ("t", 1): 1}, {("t", 0): 0, ("t", 1): 0})
    merge.put(frame(10, 0, 0))
    merge.put(frame(9, 1, 0))
    merge.release()
    merge.put(frame(7, 1, 1))
    assert merge.disorder == 1
    assert [f.recv_ns for f in merge.release()] == [7]


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_any_cut_of_the_answers_gives_one_order(data):
    counts = [data.draw(st.integers(1, 12)) for _ in range(3)]
    frames = []
    for partition, n in enumerate(counts):
        at = 0
        for seq in range(n):
            at += data.draw(st.integers(0, 4))
            frames.append(frame(at, partition, seq, f"s{partition}"))
    ends = {("t", p): n for p, n in enumerate(counts)}
    starts = dict.fromkeys(ends, 0)
    merge = Merge(ends, starts)
    waiting = {p: [f for f in frames if f.place == ("t", p)] for p in range(3)}
    out = []
    while any(waiting.values()):
        p = data.draw(st.sampled_from([p for p, left in waiting.items() if left]))
        for _ in range(data.draw(st.integers(1, 4))):
            if waiting[p]:
                merge.put(waiting[p].pop(0))
        out += merge.release()
    assert out == sorted(frames, key=lambda f: (f.recv_ns, f.sensor, f.place, f.seq))
    assert merge.disorder == 0


def test_plaintext_leaves_this_machine_only_when_told_so():
    connection(KafkaSettings(bootstrap="127.0.0.1:9092,localhost:9093"))
    with pytest.raises(ConfigError, match="plaintext to broker:9092"):
        connection(KafkaSettings(bootstrap="broker:9092"))
    connection(KafkaSettings(bootstrap="broker:9092", allow_plaintext=True))
    with pytest.raises(ConfigError, match="no broker"):
        connection(KafkaSettings())
