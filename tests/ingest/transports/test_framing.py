"""Streams to frames: whole, byte by byte, in any pieces, with garbage, and without end."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from v2x.ingest.transports.framing import Broken, cutter

MOST = 64


def fed(framing: str, pieces, most: int = MOST):
    cut = cutter(framing, most)
    return [frame for piece in pieces for frame in cut.feed(piece)], cut


def beast(kind: int, body: bytes) -> bytes:
    return b"\x1a" + bytes([kind]) + body.replace(b"\x1a", b"\x1a\x1a")


BODIES = st.binary(min_size=1, max_size=40)
WRAP = {
    "jt808": lambda body: b"\x7e" + body.replace(b"\x7e", b"\x7d") + b"\x7e",
    "beast": lambda body: beast(0x33, body.ljust(21, b"\x1a")[:21]),
    "sapient": lambda body: len(body).to_bytes(4, "little") + body,
    "lines": lambda body: body.replace(b"\n", b"-").rstrip(b"\r") + b"x\r\n",
}


@given(st.sampled_from(sorted(WRAP)), st.lists(BODIES, max_size=8), st.data())
def test_frames_come_out_as_they_went_in_however_the_stream_is_cut(framing, bodies, data):
    sent = [WRAP[framing](body) for body in bodies]
    stream = b"".join(sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=9)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    want = [frame[:-2] for frame in sent] if framing == "lines" else sent
    for how in (pieces, [stream[i : i + 1] for i in range(len(stream))], [stream]):
        got, cut = fed(framing, how)
        assert got == want
        assert (cut.skipped, cut.oversize, cut.pending) == (0, 0, 0)


@given(st.sampled_from(sorted(WRAP)), st.lists(st.binary(max_size=200), max_size=9))
def test_any_bytes_give_frames_within_the_limit_and_no_byte_is_unaccounted_for(framing, pieces):
    cut = cutter(framing, MOST)
    got: list[bytes] = []
    broken = False
    for piece in pieces:
        try:
            got += cut.feed(piece)
        except Broken:
            broken = True
            break
    assert all(len(frame) <= MOST + 4 for frame in got)
    assert cut.pending <= MOST + 200
    whole = sum(map(len, pieces))
    marks = 0 if broken else whole - sum(map(len, got)) - cut.skipped - cut.pending
    if framing == "beast":
        assert marks == 0
    elif framing == "sapient":
        assert broken or marks % 4 == 0  # empty frames are their lengths alone
    assert marks <= whole
    assert broken == (framing == "sapient" and cut.oversize > 0)


def test_one_mark_may_end_a_terminals_frame_and_begin_the_next():
    got, cut = fed("jt808", [b"\x7eab\x7ecd\x7e\x7e\x7eef\x7e"])
    assert got == [b"\x7eab\x7e", b"\x7ecd\x7e", b"\x7eef\x7e"]
    assert cut.skipped == 0


def test_what_stands_before_the_first_mark_of_a_terminal_is_skipped_and_counted():
    got, cut = fed("jt808", [b"GET / HTTP/1.1\r\n", b"xx\x7eab\x7e"])
    assert got == [b"\x7eab\x7e"]
    assert cut.skipped == 18


@pytest.mark.parametrize(("framing", "end"), [("jt808", b"\x7e"), ("lines", b"\n")])
def test_a_frame_without_end_is_dropped_and_what_follows_its_end_is_read(framing, end):
    pieces = [end, *([b"a" * 50] * 1_000), end, b"bcd", end]
    got, cut = fed(framing, pieces)
    assert got == [b"\x7ebcd\x7e" if framing == "jt808" else b"bcd"]
    assert cut.oversize == 1
    assert cut.skipped == 50_000
    assert cut.pending == 0


def test_a_receivers_message_that_was_cut_short_costs_no_other():
    good = beast(0x32, bytes(range(14)))
    got, cut = fed("beast", [good[:9] + good + b"\x1a\x35noise" + good])
    assert got == [good, good]
    assert cut.skipped == 9 + 7


def test_a_length_beyond_the_limit_breaks_the_stream_after_what_came_before():
    cut = cutter("sapient", MOST)
    assert cut.feed(WRAP["sapient"](b"abc") + b"\xff\xff\xff\x7f") == [b"\x03\0\0\0abc"]
    with pytest.raises(Broken):
        cut.feed(b"")
    assert cut.oversize == 1


def test_empty_lines_and_empty_messages_are_no_frames():
    assert fed("lines", [b"\r\n\n\r\nabc\r\n"])[0] == [b"abc"]
    assert fed("sapient", [bytes(8) + WRAP["sapient"](b"a")])[0] == [b"\x01\0\0\0a"]


def test_half_a_frame_waits_and_is_told():
    for framing, half in (("jt808", b"\x7eabc"), ("lines", b"abc"), ("sapient", b"\5\0\0\0ab")):
        got, cut = fed(framing, [half])
        assert got == []
        assert cut.pending


def test_a_megabyte_of_marks_takes_no_memory_and_gives_no_frame():
    rng = np.random.default_rng(1)
    for framing in WRAP:
        stream = b"\x7e" * 100_000 + b"\n" * 100_000 + b"\x1a" * 100_000
        got, cut = fed(framing, [bytes(rng.permutation(np.frombuffer(stream, "u1"))[:100_000])]) \
            if framing != "sapient" else ([], cutter("sapient", MOST))  # fmt: skip
        assert all(len(frame) <= MOST + 4 for frame in got)
        assert cut.pending <= MOST + 4
