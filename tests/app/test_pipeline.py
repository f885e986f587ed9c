"""The pipeline's own duties: ticks, accounting, and what it refuses."""

import pytest

from v2x.app import Pipeline
from v2x.config import config_from
from v2x.errors import ConfigError
from v2x.frames import Frame, Poll, Tick
from v2x.ingest.formats.columns import encode_columns
from v2x.ingest.formats.nmea import encode_gga, encode_rmc

T = 1_795_486_272_000_000_000
S = 1_000_000_000


def settings(tmp_path, **more):
    tree = {
        "site": {"lat": 39.1244, "lon": 117.3460},
        "sensors": [
            {"name": "radar", "format": "columns", "kind": "radar", "sd_m": 5.0, "period_s": 1.0}
        ],
        **more,
    }
    return config_from(tree, "test", tmp_path)


def look(at_s: float, seq: int = 0, **columns) -> Frame:
    t_ns = T + round(at_s * S)
    return Frame(
        t_ns + S // 20, "radar", "columns", encode_columns(t_ns, seq, columns), ("t", 0), seq
    )


def test_ticks_on_a_quiet_wire_make_silence_noticed_and_are_no_frames(tmp_path):
    pipeline = Pipeline(settings(tmp_path))
    pipeline.feed(Poll([look(k, k) for k in range(5)]))
    made = pipeline.feed(Poll([], [Tick(T + 7 * S)]))
    assert made == []
    made = pipeline.feed(Poll([], [Tick(T + 9 * S)]))
    assert [(a.type, a.severity) for a in made] == [("device_silent", 3)]
    assert pipeline.counts.totals()["in"] == 5
    back = pipeline.feed(Poll([look(9.2 + k / 10, 10 + k) for k in range(40)]))
    assert [(a.type, a.entry["event"]) for a in back] == [
        ("device_silent", "clear"), ("device_silent", "self_clear")
    ]  # fmt: skip


def test_a_tick_stands_in_its_place_between_the_frames_of_a_poll(tmp_path):
    frames = [look(0, 0), look(1, 1), look(8, 2)]
    whole = Pipeline(settings(tmp_path))
    whole.feed(Poll(frames, [Tick(T + 6 * S)]))
    parts = Pipeline(settings(tmp_path))
    parts.feed(Poll(frames[:2]))
    parts.feed(Poll([], [Tick(T + 6 * S)]))
    parts.feed(Poll(frames[2:]))
    whole.finish()
    parts.finish()
    assert whole.digests() == parts.digests()
    assert [a.type for a in whole.alerts] == ["device_silent"]


def test_every_frame_has_one_fate_and_every_row_too(tmp_path):
    pipeline = Pipeline(settings(tmp_path))
    good = look(0, 0, lat=[39.13], lon=[117.35])
    late = Frame(T + 6 * S, "radar", "columns", look(0, 1, lat=[39.13], lon=[117.35]).payload)
    ahead = Frame(T + 6 * S, "radar", "columns", look(60, 2, lat=[39.1], lon=[117.3]).payload)
    bad = Frame(T + 6 * S, "radar", "columns", b"\xc1", ("t", 0), 9)
    bearing = look(2, 3, az=[0.1], el=[0.1])
    pipeline.feed(Poll([good, good, bearing, late, ahead, bad]))
    assert [(d.reason, d.frame.seq) for d in pipeline.dead] == [("bad_map", 9)]
    pipeline.finish()
    totals = pipeline.counts.totals()
    assert totals == {"in": 6, "processed": 3, "dead_letter": 1, "late": 1, "duplicate": 1}
    rows = pipeline.counts.rows
    assert (rows["decoded"], rows["used"], rows["late"]) == (4, 1, 1)
    assert (rows["refused_future"], rows["refused_unplaced"]) == (1, 1)


def test_what_a_format_holds_back_is_taken_at_the_end(tmp_path):
    pipeline = Pipeline(settings(tmp_path, sensors=[{"name": "box", "format": "nmea"}]))
    epoch = encode_gga(T, 39.125, 117.346, 3.2, -8.19), encode_rmc(T, 39.125, 117.346, 0.0, 0.0)
    lines = [Frame(T + S // 20, "box", "nmea", line, ("t", 0), i) for i, line in enumerate(epoch)]
    pipeline.feed(Poll(lines))
    assert pipeline.counts.rows["decoded"] == 0
    pipeline.finish()
    assert pipeline.counts.rows["decoded"] == pipeline.counts.rows["used"] == 1
    assert pipeline.counts.totals()["processed"] == 2
    ended = pipeline.digests()
    pipeline.finish()
    assert pipeline.digests() == ended


def test_a_rule_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(ConfigError, match="no such rule"):
        Pipeline(settings(tmp_path, alerts={"nosuch": {"hold_s": 1.0}}))


def test_a_rule_that_is_switched_off_raises_nothing(tmp_path):
    pipeline = Pipeline(settings(tmp_path, alerts={"device_silent": {"enabled": False}}))
    pipeline.feed(Poll([look(0)]))
    assert pipeline.feed(Poll([], [Tick(T + 20 * S)])) == []


def test_a_slower_hold_of_the_configuration_is_kept(tmp_path):
    pipeline = Pipeline(settings(tmp_path, alerts={"device_silent": {"hold_s": 5.0}}))
    pipeline.feed(Poll([look(0)]))
    assert pipeline.feed(Poll([], [Tick(T + 7 * S)])) == []
    assert len(pipeline.feed(Poll([], [Tick(T + 9 * S)]))) == 1
