"""Vehicle terminals through the whole pipeline: wild clocks, messages in parts, the fleet table."""

from dataclasses import replace

import pytest

from v2x.app import Pipeline
from v2x.app.checkpoint import packed, unpacked
from v2x.config import config_from
from v2x.frames import Frame, Poll
from v2x.ingest.formats.jt808 import encode_heartbeat, encode_position, position_body
from v2x.ingest.jt808_encode import encode_batch, encode_frame, encode_parts
from v2x.ingest.jt808_positions import POSITION
from v2x.observations import Kind

S = 1_000_000_000
T = 1_795_486_272 * S
HOUR = 3600 * S
YEAR = 365 * 24 * HOUR
PHONE = "13800138000"


def pipeline_of(tmp_path, pictures=None, **more) -> Pipeline:
    tree = {
        "site": {"lat": 39.1244, "lon": 117.3460},
        "sensors": [{"name": "fleet", "format": "jt808", "kind": "self_report"}],
        **more,
    }
    watch = None if pictures is None else pictures.append
    return Pipeline(config_from(tree, "test", tmp_path), watch=watch)


def drive(clock_off_ns: int = 0, phone: str = PHONE, seconds: int = 10) -> list[Frame]:
    """One position a second, going east, by a clock that is off."""
    return [
        Frame(
            T + k * S + S // 10, "fleet", "jt808",
            encode_position(phone, k, T + k * S + clock_off_ns, 39.1244, 117.3460 + k * 1e-4, 3,
                            8.6, 90),
            ("t", 0), k,
        )
        for k in range(seconds)
    ]  # fmt: skip


@pytest.mark.parametrize(
    "off_ns",
    [-8 * HOUR, 8 * HOUR, -HOUR, -26 * YEAR, 44 * YEAR, 70 * YEAR],
    ids=["UTC for GMT+8", "GMT+8 twice", "an hour", "2000", "1970 as 2070", "2096"],
)  # fmt: skip
def test_a_wild_clock_founds_no_track_and_holds_up_nobody(tmp_path, off_ns):
    alone: list = []
    good = pipeline_of(tmp_path, alone)
    good.feed(Poll(drive()))
    good.finish()
    assert len({int(i) for p in alone for i in p.tracks.id}) == 1

    both: list = []
    mixed = pipeline_of(tmp_path, both)
    frames = sorted(drive() + drive(off_ns, "7"), key=lambda f: f.recv_ns)
    frames = [replace(f, seq=k) for k, f in enumerate(frames)]
    mixed.feed(Poll(frames))
    mixed.finish()
    for one, two in zip(alone, both, strict=False):  # then those of the last frames' arrival
        assert one.t_ns == two.t_ns
        assert one.tracks.id.tolist() == two.tracks.id.tolist()
        assert one.tracks.x.tobytes() == two.tracks.x.tobytes()
    assert len(both) - len(alone) <= 3
    rows = mixed.counts.rows
    assert rows["late"] + rows["refused_future"] == 10
    assert rows["used"] == 10

    wild: list = []
    only = pipeline_of(tmp_path, wild)
    only.feed(Poll(drive(off_ns)))
    only.finish()
    assert only.tracks == 0


def test_a_message_in_parts_is_counted_when_it_is_known_what_became_of_it(tmp_path):
    body = position_body(T, 39.1244, 117.3460, 3, 8.6, 90)
    batch = b"\0\1\0" + len(body).to_bytes(2, "big") + body
    first, second = encode_parts(0x0704, PHONE, 1, batch, size=20)
    lost = encode_parts(0x0704, "7", 1, batch, size=20)[0]
    late = encode_parts(0x0704, "8", 1, batch, size=20)[0]
    wire = [(first, 0), (lost, 0), (second, 1), (encode_heartbeat("9", 1), 70), (late, 71)]
    frames = [Frame(T + s * S, "fleet", "jt808", p, ("t", 0), k) for k, (p, s) in enumerate(wire)]
    totals = []
    pipeline = pipeline_of(tmp_path)
    for frame in frames:
        pipeline.feed(Poll([frame]))
        now = pipeline.counts.totals()
        totals.append((now["in"], now["processed"], now["dead_letter"], len(pipeline.dead)))
        again = pipeline_of(tmp_path)
        again.restore(unpacked(packed(pipeline.state())))
        pipeline = again
    assert totals == [(1, 0, 0, 0), (2, 0, 0, 0), (3, 2, 0, 0), (4, 3, 1, 1), (5, 3, 1, 0)]
    assert pipeline.counts.rows["decoded"] == 1
    pipeline.finish()
    assert [(d.frame, d.reason) for d in pipeline.dead] == [(frames[4], "fragment")]
    totals = pipeline.counts.totals()
    assert totals == {"in": 5, "processed": 3, "dead_letter": 2, "late": 0, "duplicate": 0}
    assert pipeline.counts.rejects == {("jt808", "fragment"): 2}


def test_the_fleet_table_of_the_configuration_reaches_the_tracks(tmp_path):
    seen: list = []
    pipeline = pipeline_of(tmp_path, seen, fleet={"bus": [f"808:{PHONE}"]})
    pipeline.feed(Poll(drive()))
    pipeline.finish()
    assert seen[-1].tracks.kind.tolist() == [Kind.BUS]


@pytest.mark.parametrize(
    ("off_ns", "stored", "raised"),
    [
        (0, False, True),
        (-8 * HOUR, False, True),
        (-3 * HOUR - 17 * 60 * S, False, True),
        (-26 * YEAR, False, True),
        (HOUR, False, True),
        (-2 * HOUR, True, False),
        (-300 * S, True, True),
    ],
    ids=["right", "UTC", "odd", "2000", "ahead", "stored for 2 h", "stored for 5 min"],
)  # fmt: skip
def test_a_call_for_help_by_a_clock_that_is_off_is_heard_when_it_arrives(
    tmp_path, off_ns, stored, raised
):
    body = position_body(T + off_ns, 39.1244, 117.3460, 3, 8.6, 90, alarm=1)
    payload = encode_batch(PHONE, 1, [body]) if stored else encode_frame(POSITION, PHONE, 1, body)
    pipeline = pipeline_of(tmp_path)
    pipeline.feed(Poll([Frame(T + S // 10, "fleet", "jt808", payload, ("t", 0), 0)]))
    pipeline.finish()
    assert [a.type for a in pipeline.alerts] == ["sos"] * raised
