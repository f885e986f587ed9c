"""Messages of JT/T 808 in parts: joined whatever the polls, given up in time, none lost."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ingest.test_jt808 import decode
from v2x.app.checkpoint import packed, unpacked
from v2x.frames import Frame
from v2x.ingest import jt808_parts
from v2x.ingest.decoded import Reject
from v2x.ingest.decoding import DEAD, PROCESSED, WAITING, Decoding
from v2x.ingest.formats.jt808 import FORMATS, encode_heartbeat, position_body
from v2x.ingest.jt808_encode import encode_frame, encode_parts
from v2x.ingest.timestamps import MINUTE, SECOND, parse_iso
from v2x.observations import Flag, ident_of
from v2x.readings import Name
from v2x.sensors import Sensor, SensorTable

(FORMAT,) = FORMATS
T = parse_iso("2026-11-24T02:11:12Z")
PHONE = "13800138000"
SENSORS = SensorTable.of([Sensor("bus", "jt808"), Sensor("taxi", "jt808")])


def batch_body(n: int) -> bytes:
    items = [
        position_body(T - (n - k) * SECOND, 39.1 + k / 1000, 117.3, 3, 5, 10) for k in range(n)
    ]
    return n.to_bytes(2, "big") + b"\1" + b"".join(len(b).to_bytes(2, "big") + b for b in items)


def upload(n: int = 90, phone: str = PHONE, serial: int = 100, **how) -> list[bytes]:
    return encode_parts(0x0704, phone, serial, batch_body(n), **how)


def codes(d) -> list[Reject]:
    return [Reject(int(code)) for code in d.rejects]


@pytest.mark.parametrize("edition", ["2013", "2019"])
@pytest.mark.parametrize("serial", [100, 65534])
def test_the_last_part_brings_the_rows_of_the_whole_message(edition, serial):
    parts = upload(edition=edition, serial=serial)
    assert len(parts) == 3
    d = decode(*parts)
    assert codes(d) == [Reject.FRAGMENT, Reject.FRAGMENT, Reject.OK]
    assert d.observations.frame.tolist() == [2] * 90
    np.testing.assert_allclose(d.observations.lat, 39.1 + np.arange(90) / 1000)
    assert (d.observations.flags == Flag.SELF_REPORTED | Flag.BACKLOG).all()
    assert set(d.idents) == {ident_of(f"808:{PHONE}")}
    assert d.settled == ((0, Reject.OK), (1, Reject.OK))


def test_parts_may_come_in_any_order_and_among_those_of_others():
    mine, other = upload(), upload(70, phone="7", serial=100)
    d = decode(mine[2], other[1], mine[0], other[0], encode_heartbeat("9", 1), mine[1])
    assert codes(d) == [Reject.FRAGMENT] * 4 + [Reject.NOTHING_TO_OBSERVE, Reject.OK]
    assert d.observations.frame.tolist() == [5] * 90
    assert [ticket for ticket, _ in d.settled] == [0, 2]


def test_a_part_with_a_wrong_check_byte_puts_its_flag_on_the_whole_message():
    parts = upload()
    broken = bytearray(parts[1])
    broken[-2] ^= 0x11
    d = decode(parts[0], bytes(broken), parts[2])
    assert (d.observations.flags & Flag.CHECKSUM_BAD != 0).all()
    assert not (d.observations.flags & Flag.LENGTH_BAD).any()


def test_a_whole_message_that_says_part_one_of_one_is_read_at_once():
    body = position_body(T, 39.1, 117.3, 3, 5, 10)
    d = decode(*encode_parts(0x0200, PHONE, 1, body))
    assert codes(d) == [Reject.OK]
    assert d.observations.flags.tolist() == [Flag.SELF_REPORTED]


def test_a_photo_in_parts_is_one_sign_of_life():
    d = decode(*encode_parts(0x0801, PHONE, 1, bytes(5000)))
    assert codes(d) == [Reject.FRAGMENT] * 4 + [Reject.NOTHING_TO_OBSERVE]
    assert d.readings.name.tolist() == [Name.HEARTBEAT]


def test_a_message_that_is_whole_but_wrong_refuses_its_parts_too():
    d = decode(*encode_parts(0x0704, PHONE, 1, b"\0\2\1" + bytes(1500)))
    assert codes(d) == [Reject.FRAGMENT, Reject.BAD_LENGTH]
    assert d.settled == ((0, Reject.BAD_LENGTH),)


def test_a_part_sent_again_changes_nothing():
    parts = upload()
    d = decode(parts[0], parts[0], parts[1], parts[2])
    assert codes(d)[1] is Reject.NOTHING_TO_OBSERVE
    assert len(d.observations) == 90


@pytest.mark.parametrize("part", [(0, 0), (2, 0), (2, 3), (0, 1)])
def test_impossible_part_numbers_wait_for_nothing(part):
    raw = b"".join(n.to_bytes(2, "big") for n in part)
    d = decode(encode_frame(0x0704, PHONE, 1, b"", part=raw))
    assert codes(d) == [Reject.FRAGMENT]
    assert d.settled == ((0, Reject.FRAGMENT),)


def test_parts_too_long_or_too_many_are_refused():
    long = encode_frame(0x0704, PHONE, 1, bytes(1024), part=b"\0\2\0\1")
    many = encode_frame(0x0704, PHONE, 1, bytes(100), part=b"\x04\x02\0\1")
    assert codes(decode(long, many)) == [Reject.BAD_LENGTH, Reject.OVERSIZE]


def test_other_phones_messages_serials_and_sensors_do_not_mix():
    first, second, third = upload()
    for stranger in (upload(phone="8")[2], upload(serial=101)[2]):
        assert codes(decode(first, second, stranger))[2] is Reject.FRAGMENT
    state = FORMAT.new_state()
    decode(first, second, state=state)
    assert codes(decode(third, sensor=1, state=state)) == [Reject.FRAGMENT]
    assert codes(decode(third, sensor=0, state=state)) == [Reject.OK]


@pytest.mark.parametrize(("quiet_ns", "joins"), [(MINUTE, True), (MINUTE + 1, False)])
def test_parts_wait_a_minute_for_the_next_one(quiet_ns, joins):
    first, second, third = upload()
    d = decode(first, second, third, recv=[T, T + MINUTE, T + MINUTE + quiet_ns])
    assert (codes(d)[2] is Reject.OK) is joins
    want = Reject.OK if joins else Reject.FRAGMENT
    assert d.settled == ((0, want), (1, want))


def test_any_frame_of_the_format_moves_the_clock_that_gives_up():
    state = FORMAT.new_state()
    assert decode(upload()[0], recv=T, state=state).settled == ()
    d = decode(encode_heartbeat("5", 1), recv=T + MINUTE + 1, state=state)
    assert d.settled == ((0, Reject.FRAGMENT),)


def test_at_the_end_of_the_input_nothing_waits():
    state = FORMAT.new_state()
    decode(*upload()[:2], state=state)
    assert FORMAT.finish(SENSORS, state).settled == ((0, Reject.FRAGMENT), (1, Reject.FRAGMENT))
    assert FORMAT.finish(SENSORS, state).settled == ()


def test_more_messages_than_may_wait_give_up_the_quietest():
    most = jt808_parts.MOST
    firsts = [upload(phone=str(1000 + k))[0] for k in range(most + 3)]
    d = decode(*firsts)
    assert d.settled == tuple((k, Reject.FRAGMENT) for k in range(3))


def test_more_bytes_than_may_wait_give_up_the_quietest(monkeypatch):
    monkeypatch.setattr(jt808_parts, "MOST_BYTES", 5000)
    firsts = [upload(phone=str(1000 + k))[0] for k in range(7)]
    d = decode(*firsts)
    assert [ticket for ticket, _ in d.settled] == [0, 1, 2]


# The pipeline's side: every frame in one bin, dead letters with their frames


def traffic(rng: np.random.Generator) -> list[Frame]:
    """Whole uploads, uploads that miss a part, heartbeats; seconds and minutes between them."""
    frames: list[Frame] = []
    recv = T
    for k in range(12):
        parts = upload(60 + k, phone=str(100 + k % 5), serial=10 * k)
        if rng.random() < 0.4:
            del parts[int(rng.integers(len(parts)))]
        if rng.random() < 0.3:
            parts.reverse()
        for part in [*parts, encode_heartbeat("9", k)]:
            recv += int(rng.choice([SECOND, 20 * SECOND, 70 * SECOND], p=[0.7, 0.2, 0.1]))
            sensor = "taxi" if k % 3 else "bus"
            frames.append(Frame(recv, sensor, "jt808", part, ("t", k % 2), len(frames)))
    return frames


def told(frames: list[Frame], cuts: list[int], *, restarts: bool = False):
    decoding = Decoding(SENSORS)
    fates: Counter[int] = Counter()
    dead, rows = [], []
    for a, b in pairwise(cuts):
        made = decoding.decode(frames[a:b])
        fates.update(made.fate[made.fate != WAITING].tolist())
        fates.update(what for _, what in made.settled)
        dead += made.dead
        rows += made.observations.lat.tolist()
        if restarts:
            state = unpacked(packed(decoding.state()))
            decoding = Decoding(SENSORS)
            decoding.restore(state)
            assert packed(decoding.state()) == packed(state)
    in_flight = len(frames) - fates.total()
    last = decoding.end(frames[-1].recv_ns).dead
    assert len(last) == in_flight
    fates[DEAD] += len(last)
    letters = sorted((letter.frame.seq, letter.reason) for letter in dead + last)
    return fates, letters, rows


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1 << 32), st.data())
def test_every_part_ends_in_one_bin_whatever_the_polls_and_restarts(seed, data):
    frames = traffic(np.random.default_rng(seed))
    n = len(frames)
    whole = told(frames, [0, n])
    assert whole[0].total() == n
    assert set(whole[0]) <= {PROCESSED, DEAD}
    assert {reason for _, reason in whole[1]} <= {"fragment"}
    cuts = sorted({0, n, *data.draw(st.lists(st.integers(0, n), max_size=8))})
    assert told(frames, cuts) == whole
    assert told(frames, cuts, restarts=True) == whole
    assert told(frames, list(range(n + 1)), restarts=True) == whole


def test_a_part_given_up_is_a_dead_letter_with_its_own_frame():
    part = Frame(T, "bus", "jt808", upload()[0], ("t", 3), 42)
    late = Frame(T + 2 * MINUTE, "bus", "jt808", encode_heartbeat("5", 1), ("t", 3), 43)
    decoding = Decoding(SENSORS)
    assert decoding.decode([part]).dead == []
    made = decoding.decode([late])
    assert [(d.frame, d.reason) for d in made.dead] == [(part, "fragment")]
    assert made.rejects == {("jt808", "fragment"): 1}
    assert made.fate.tolist() == [PROCESSED]
