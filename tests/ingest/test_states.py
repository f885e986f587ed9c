"""What formats remember, saved and restored: a restart between two frames changes no row."""

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ingest.test_adsb import EVEN, ODD, VELOCITY
from tests.ingest.test_formats import FORMATS, RECV, mutations, samples, sensors
from tests.ingest.test_remote_id import but, swapped
from tests.ingest.test_rsu_status import STATE, raw
from v2x.app.checkpoint import packed, unpacked
from v2x.frames import Frame, FrameBatch
from v2x.ingest.decoded import Decoded
from v2x.ingest.decoding import DUPLICATE, Decoding
from v2x.ingest.formats import _template, registry
from v2x.ingest.formats.jt808 import position_body
from v2x.ingest.formats.nmea import encode_gga, encode_gst, encode_rmc
from v2x.ingest.jt808_encode import encode_parts
from v2x.ingest.reorder import Reorder, Slice
from v2x.ingest.timestamps import SECOND, parse_iso
from v2x.observations import Observations
from v2x.readings import Readings
from v2x.sensors import Sensor, SensorTable

TEMPLATE = _template.FORMATS[0]
EVERY = {**registry(), TEMPLATE.name: TEMPLATE}
ABROAD = but(lat=20.0, lon=10.0, pilot_lat=None)  # in no box either way


def template(ms: int) -> bytes:
    return b"\xab\xcd" + ms.to_bytes(8, "little") + (391_000_000).to_bytes(4, "little") * 2


def nmea_epochs() -> list[bytes]:
    """Three epochs, one line a frame: the last line of each is known by the epoch before."""
    lines = []
    for k in range(3):
        t_ns = RECV // SECOND * SECOND + k * SECOND
        lines += [
            encode_gga(t_ns, 39.1, 117.3, 5.0, -9.0),
            encode_gst(t_ns, 1.0, 2.0, 3.0),
            encode_rmc(t_ns, 39.1, 117.3, 10.0, 90.0),
        ]
    return lines


MEMORABLE = {
    "adsb": [EVEN, ODD, VELOCITY, EVEN],
    "jt808": encode_parts(
        0x0704, "7", 1, b"\0\1\1\0\x1c" + position_body(RECV, 39, 117, 3, 5, 9), size=20
    ),
    "nmea": nmea_epochs(),
    "gb46750": [swapped(but(lat=39.1, lon=117.3)), swapped(ABROAD)],
    "remote_id": [swapped(but(lat=39.1, lon=117.3)), swapped(ABROAD)],
    "rsu_status": [raw(STATE), raw(STATE | {"errList": []})],
    "template": [template(1_000), template(999)],
}
"""Frames of which some mean nothing, or another thing, without those before them."""


def sequence(name: str) -> list[tuple[bytes, int]]:
    """Payload and arrival of frames: samples twice, broken ones, and those that need memory."""
    if name == "template":
        frames = [(template(k), RECV) for k in (5, 7, 6, 9)]
    else:
        frames = [(bytes.fromhex(s["hex"]), parse_iso(s["recv"])) for s in samples(name)]
        frames += [(payload, frames[0][1]) for payload in mutations(name)[::97][:40]] + frames
    memorable = MEMORABLE.get(name, [])
    return frames + [(data, RECV + k * SECOND // 10) for k, data in enumerate(memorable)]


def tables(name: str) -> list[SensorTable]:
    more = {} if name == "template" else samples(name)[0].get("sensor")
    return [sensors(name, more), sensors(name)]


def decode(name: str, frames: list[tuple[bytes, int]], table: SensorTable, state) -> Decoded:
    payloads, recv = [data for data, _ in frames], [ns for _, ns in frames]
    batch = FrameBatch.of(name, payloads, [0] * len(frames), recv)
    return EVERY[name].decode(batch, table, state)


def restored(name: str, state):
    """A new state with what a checkpoint carried over of `state`."""
    made = EVERY[name].new_state()
    if made is not None:
        made.restore(unpacked(packed(state.state())))
    return made


def said(made: Decoded) -> list[bytes]:
    """Every row, code, identity and count, as bytes."""
    parts = [made.rejects.tobytes(), packed(list(made.idents.items())), packed(made.counts)]
    parts.append(packed([list(settled) for settled in made.settled]))
    for rows in (made.observations, made.readings):
        parts += [
            np.ascontiguousarray(getattr(rows, column)).tobytes() for column, *_ in rows.schema()
        ]
    return parts


@pytest.mark.parametrize("name", sorted(EVERY))
def test_frames_after_a_restart_give_the_rows_they_would_have_given(name):
    frames = sequence(name)
    for table in tables(name):
        state = EVERY[name].new_state()
        for at in range(0, len(frames), 3):
            again = restored(name, state)
            rest = copy.deepcopy(state)
            assert said(decode(name, frames[at:], table, again)) == said(
                decode(name, frames[at:], table, rest)
            ), at
            assert said(EVERY[name].finish(table, again)) == said(EVERY[name].finish(table, rest))
            decode(name, frames[at : at + 3], table, state)


@pytest.mark.parametrize("name", sorted(EVERY))
def test_what_is_restored_is_what_was_saved(name):
    state = EVERY[name].new_state()
    decode(name, sequence(name), tables(name)[1], state)
    if state is not None:
        assert packed(restored(name, state).state()) == packed(state.state())


@pytest.mark.parametrize("name", sorted(MEMORABLE))
def test_without_what_was_saved_the_rows_would_be_others(name):
    frames = [(data, RECV + k * SECOND // 10) for k, data in enumerate(MEMORABLE[name])]
    table = sensors(name)
    differing = 0
    for at in range(1, len(frames)):
        state = EVERY[name].new_state()
        decode(name, frames[:at], table, state)
        alone = said(decode(name, frames[at:], table, EVERY[name].new_state()))
        differing += said(decode(name, frames[at:], table, restored(name, state))) != alone
    assert differing


@pytest.mark.parametrize("name", ["rsu", "ydt3709"])
def test_the_edition_a_sensor_has_shown_is_carried_over(name):
    state = registry()[name].new_state()
    state.fit(3)
    state.learned[1] = 2
    made = restored(name, state)
    assert made.learned.tolist() == [0, 2, 0]
    made.learned[0] = 1  # and it can go on learning


def test_a_format_without_a_state_says_so_or_has_both_halves_of_one():
    states = {name: registry()[name].new_state() for name in FORMATS}
    assert {name for name, state in states.items() if state is None} >= {"columns", "objects"}
    for name, state in states.items():
        assert state is None or set(state.state()) == set(restored(name, state).state()), name


def test_a_frame_that_came_before_the_restart_is_a_repeat_after_it():
    table = SensorTable.of([Sensor("box", "nmea"), Sensor("unit", "rsu_status")])
    frames = [
        Frame(RECV + k * SECOND // 10, "box", "nmea", data) for k, data in enumerate(nmea_epochs())
    ]
    frames += [Frame(RECV + SECOND, "unit", "rsu_status", raw(STATE))]
    decoding = Decoding(table)
    decoding.decode(frames)
    again = Decoding(table)
    again.restore(unpacked(packed(decoding.state())))
    assert again.decode(frames).fate.tolist() == [DUPLICATE] * len(frames)
    assert packed(again.state()) == packed(decoding.state())


def test_the_state_of_a_format_nobody_knows_is_refused():
    decoding = Decoding(SensorTable.of([Sensor("box", "nmea")]))
    with pytest.raises(ValueError, match="semaphore"):
        decoding.restore({"formats": {"semaphore": {}}, "seen": b"", "seen_ns": np.zeros(0)})


@settings(max_examples=40)
@given(st.data())
def test_the_grid_goes_on_after_a_restart_with_every_row_that_waits(data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 1 << 32)))
    n = data.draw(st.integers(1, 30))
    quiet = data.draw(st.integers(0, n))  # after so many frames nothing comes for a while
    recv = RECV + np.cumsum(rng.integers(0, SECOND // 5, n))
    recv[quiet:] += data.draw(st.sampled_from([0, 3, 61])) * SECOND
    t_ns = recv - rng.integers(-SECOND // 5, SECOND // 2, n)
    cuts = {quiet, *(data.draw(st.integers(0, n)) for _ in range(3))}

    def slices(restarts: bool) -> list[bytes]:
        reorder, out = Reorder(SECOND // 20, SECOND // 5), []
        for i in range(n):
            frame, at = np.zeros(1, np.int32), recv[i : i + 1]
            reorder.put(
                Observations.blank(1, frame=frame, t_ns=t_ns[i], recv_ns=at, track_ref=i),
                Readings.blank(1, frame=frame, t_ns=t_ns[n - 1 - i], recv_ns=at, value=i),
                frame,
                at,
            )
            if i % 3 == 0:  # a tick, and what it closes; else all waits for the next one
                reorder.tick(int(at[0]) + SECOND // 10)
                out += [whole(piece) for piece in reorder.release()]
            if restarts and i in cuts:
                again = Reorder(SECOND // 20, SECOND // 5)
                again.restore(unpacked(packed(reorder.state())))
                assert (again.done, again.newest) == (reorder.done, reorder.newest)
                reorder = again
        return out + [whole(piece) for piece in reorder.release(everything=True)]

    assert slices(True) == slices(False)


def whole(piece: Slice) -> bytes:
    parts = [piece.t_ns, piece.gap, piece.heard_sensor, piece.heard_ns]
    for rows in (piece.observations, piece.readings):
        parts += [getattr(rows, column) for column, *_ in rows.schema()]
    return packed(parts)
