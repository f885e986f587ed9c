"""What waits is bounded, and every frame is confirmed, dropped by name, or waits."""

import asyncio

import pytest
from structlog.testing import capture_logs

from v2x.ingest.jt808_encode import encode_frame
from v2x.ingest.transports.backoff import Backoff
from v2x.ingest.transports.intake import NAMED_MOST, Intake

CLOCK = [1_000, 1_000, 900, 5_000]


def intake(frames: int = 3, size: int = 1_000) -> Intake:
    times = iter(CLOCK + [6_000] * 10_000)
    return Intake({"a": "nmea", "b": "rsu"}, frames, size, 100, lambda: next(times))


def out(own: Intake, n: int, safe: bool = True) -> None:
    own.confirmed([own.queue.get_nowait() for _ in range(n)], [safe] * n)


def test_no_two_frames_have_the_same_arrival_and_none_goes_back():
    async def main():
        own = intake(10)
        for _ in CLOCK:
            await own.put("t", "a", None, b"x")
        return [own.queue.get_nowait().frame for _ in CLOCK]

    frames = asyncio.run(main())
    assert [f.recv_ns for f in frames] == [1_000, 1_001, 1_002, 5_000]
    assert {f.format for f in frames} == {"nmea"}


def test_a_format_of_the_transport_wins_over_the_sensors():
    async def main():
        own = intake()
        await own.put("t", "b", "rsu_status", b"x")
        return own.queue.get_nowait().frame

    assert asyncio.run(main()).format == "rsu_status"


@pytest.mark.parametrize(("frames", "size"), [(3, 1_000), (1_000, 30)])
def test_put_waits_while_either_limit_is_reached(frames, size):
    async def main():
        own = intake(frames, size)
        for _ in range(3):
            await own.put("t", "a", None, b"0123456789")
        late = [asyncio.create_task(own.put("t", "a", None, b"x")) for _ in range(2)]
        await asyncio.sleep(0)
        assert not any(task.done() for task in late)
        assert own.tally.waiting_frames == 3
        out(own, 1)
        for _ in range(5):
            await asyncio.sleep(0)
        done = sum(task.done() for task in late)
        out(own, 2)
        await asyncio.gather(*late)
        return done, own.tally

    done, tally = asyncio.run(main())
    assert done == (1 if frames == 3 else 2)
    assert tally.frames["t"] == 5
    assert tally.confirmed == 3
    assert tally.waiting_frames == 2
    assert tally.waiting_bytes == 2


def test_offer_drops_and_counts_what_finds_no_room():
    async def main():
        own = intake(2)
        taken = [own.offer("u", "a", None, b"x") for _ in range(5)]
        out(own, 2)
        taken.append(own.offer("u", "a", None, b"x"))
        return taken, own.tally

    taken, tally = asyncio.run(main())
    assert taken == [True, True, False, False, False, True]
    assert tally.dropped == {("u", "no_room"): 3}
    assert tally.frames["u"] == tally.confirmed + 3 + tally.waiting_frames


def test_one_frame_is_let_in_however_large_the_limit_of_bytes_is_not():
    async def main():
        own = intake(5, 10)
        return await own.put("t", "a", None, b"x" * 90), own.offer("t", "a", None, b"x")

    assert asyncio.run(main()) == (True, False)


def test_frames_too_long_or_of_nobody_are_counted_and_strangers_named_once():
    frame = encode_frame(0x0002, "13800138000", 1, b"")

    async def main():
        own = intake()
        await own.put("t", "a", None, b"x" * 101)
        for _ in range(2):
            await own.put("t", "{1}", None, b"x", None, ["nobody"])
        await own.put("t", "{1}", None, b"x", None, ["?"])
        await own.put("t", "{phone}", None, frame)
        for i in range(2 * NAMED_MOST):
            own.offer("t", f"s{i}", None, b"x")
        return own

    with capture_logs() as logs:
        own = asyncio.run(main())
    assert own.tally.dropped == {
        ("t", "oversize"): 1,
        ("t", "unknown_sensor"): 4 + 2 * NAMED_MOST,
    }
    names = [entry["name"] for entry in logs[:3]]
    assert names == ["nobody", "{1} not told", "*******8000"]  # phones are nobody's business
    assert len(logs) == NAMED_MOST
    assert own.queue.empty()


def test_a_frame_is_acknowledged_when_it_is_safe_and_not_when_it_was_refused():
    acks: list[str] = []

    async def main():
        own = intake()
        await own.put("t", "a", None, b"1", lambda: acks.append("1"))
        await own.put("t", "a", None, b"2", lambda: acks.append("2"))
        assert acks == []
        out(own, 1)
        out(own, 1, safe=False)
        return own.tally.told()

    told = asyncio.run(main())
    assert acks == ["1"]
    assert told["dropped"] == {"outlet": {"refused": 1}}
    assert told["confirmed"] == 1


def test_waits_double_up_to_the_most_and_lie_in_their_upper_half():
    for draw, share in ((lambda: 0.0, 0.5), (lambda: 1.0, 1.0)):
        own = Backoff(1.0, 60.0, draw)
        assert [own.next_s() for _ in range(8)] == [share * s for s in (1, 2, 4, 8, 16, 32, 60, 60)]
        own.reset()
        assert own.next_s() == share
    own = Backoff(1.0, 60.0)
    for _ in range(2_000):
        assert own.next_s() <= 60.0
