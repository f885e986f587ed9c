"""Zones put, moved and taken out while a pipeline runs, at slices that the frames alone decide."""

import json
import threading
from typing import Any

import numpy as np
import pytest

from tests.lowalt.scenes import box, feature
from v2x.app import Pipeline, live_zones
from v2x.app.changing import LEAD_NS, Asked, Changing, Made, Outcome
from v2x.app.checkpoint import packed, unpacked
from v2x.config import config_from
from v2x.frames import Frame, Poll
from v2x.ingest.formats.columns import encode_columns
from v2x.observations import Kind

T = 1_795_486_272_000_000_000
S = 1_000_000_000
HERE, AWAY = box(-300, -300, 300, 300), box(3_000, 3_000, 3_600, 3_600)
AROUND = box(-200, -200, 400, 400)


def settings(tmp_path, **more):
    radar = {"name": "radar", "format": "columns", "kind": "radar", "sd_m": 2.0, "sd_up_m": 2.0}
    tree = {
        "site": {"lat": 39.1244, "lon": 117.3460},
        "sensors": [radar, {"name": "office", "format": "zones"}],
        **more,
    }
    return config_from(tree, "test", tmp_path)


def look(at_s: float, seq: int) -> Frame:
    """A drone that hovers at the origin, 60 m above ground."""
    t_ns = T + round(at_s * S)
    rows = {"lat": [39.1244], "lon": [117.3460], "height": [54.8], "kind": [int(Kind.UAS)]}
    return Frame(t_ns + S // 50, "radar", "columns", encode_columns(t_ns, seq, rows), ("r", 0), seq)


def said(at_s: float, tree: Any, seq: int = 0) -> Frame:
    payload = json.dumps(tree).encode()
    return Frame(T + round(at_s * S), "office", "zones", payload, ("z", 0), seq)


def put(at_s: float, zone_id: str, ring=HERE, seq: int = 0, **more) -> Frame:
    return said(at_s, {"op": "put", "zone": feature(ring, id=zone_id, **more)}, seq)


def flight(*changes: Frame, seconds: float = 20.0) -> list[Frame]:
    looks = [look(k / 10, k) for k in range(round(10 * seconds))]
    return sorted([*looks, *changes], key=lambda f: (f.recv_ns, f.sensor, f.seq))


def run(config, frames, at_once: int = 1_000_000, restart_at: int | None = None):
    """Pipeline after the frames, and of each slice its zones, their hash and who is inside."""
    slices: list[tuple[float, tuple[str, ...], str, list[str]]] = []

    def watch(picture):
        inside = [picture.zone_ids[row] for row in picture.inside.zone]
        t_s = (picture.t_ns - T) / S
        slices.append((t_s, picture.zone_ids, picture.zones_hash, inside))

    pipeline = Pipeline(config, watch=watch)
    for at in range(0, len(frames), at_once):
        if restart_at is not None and at >= restart_at:
            state = unpacked(packed(pipeline.state()))
            alerts = pipeline.alerts
            pipeline = Pipeline(config, watch=watch)
            pipeline.restore(state)
            pipeline.alerts = alerts
            restart_at = None
        pipeline.feed(Poll(frames[at : at + at_once]))
    pipeline.finish()
    return pipeline, slices


def story(pipeline, rule="zone_intrusion"):
    return [
        ((a.event_ns - T) / S, a.condition, a.body.get("zone"))
        for a in pipeline.alerts
        if a.type == rule
    ]


def test_a_zone_put_is_in_force_from_the_first_whole_second_two_after_it_came(tmp_path):
    _, slices = run(settings(tmp_path), flight(put(5.3, "Z1")))
    first = next(t for t, ids, _, _ in slices if ids)
    assert first == 8.0  # 5.3 s and the lead of 2 s, rounded up
    assert {ids for t, ids, _, _ in slices if t < first} == {()}
    assert {ids for t, ids, _, _ in slices if t >= first} == {("Z1",)}
    assert all(inside == ["Z1"] for t, _, _, inside in slices if t >= first)
    assert len({digest for *_, digest, _ in slices}) == 2


def test_cut_into_any_polls_and_restarted_anywhere_it_changes_at_the_same_slice(tmp_path):
    changes = [
        put(5.3, "Z1"), put(6.1, "Z2", AWAY, 1), said(8.05, {"op": "remove", "id": "Z1"}, 2),
        put(8.06, "Z3", AROUND, 3), said(12.0, {"op": "put", "zone": {"type": "Feature"}}, 4),
        said(15.0, {"type": "FeatureCollection", "features": [feature(AWAY, id="Z9")]}, 5),
    ]  # fmt: skip
    config, frames = settings(tmp_path), flight(*changes)
    whole, slices = run(config, frames)
    assert [ids for ids in dict.fromkeys(ids for _, ids, _, _ in slices)] == [
        (), ("Z1",), ("Z1", "Z2"), ("Z2", "Z3"), ("Z9",)
    ]  # fmt: skip
    for at_once in (1, 50):
        again, others = run(config, frames, at_once)
        assert others == slices
        assert again.digests() == whole.digests()
    told = [a.canonical() for a in whole.alerts]
    for restart_at in (61, 84, 130):  # also with changes that wait, and are being made
        again, others = run(config, frames, 1, restart_at)
        assert others == slices
        assert [a.canonical() for a in again.alerts] == told


def test_a_zone_taken_out_or_moved_away_ends_its_alert_and_one_moved_around_keeps_it(tmp_path):
    removed, _ = run(
        settings(tmp_path), flight(put(0.5, "Z1"), said(8.0, {"op": "remove", "id": "Z1"}, 1))
    )
    begin, *rest = story(removed)
    assert begin[1:] == ("active", "Z1")
    assert rest[-1] == (10.0, "cleared", "Z1")
    last = [a for a in removed.alerts if a.type == "zone_intrusion"][-1]
    assert "zone_ended" in [reason["code"] for reason in last.body["reasons"]]
    around, _ = run(settings(tmp_path), flight(put(0.5, "Z1"), put(8.0, "Z1", AROUND, 1)))
    assert {condition for _, condition, _ in story(around)} == {"active"}
    assert len({a.id for a in around.alerts if a.type == "zone_intrusion"}) == 1


def test_rows_are_matched_by_id_when_other_zones_come_before_and_after(tmp_path):
    changes = [put(0.5, "M"), put(6.0, "A", AWAY, 1), put(7.0, "Z", AWAY, 2)]
    pipeline, slices = run(settings(tmp_path), flight(*changes))
    assert slices[-1][1] == ("A", "M", "Z")
    assert {zone for _, _, zone in story(pipeline)} == {"M"}
    assert {condition for _, condition, _ in story(pipeline)} == {"active"}
    assert len({a.id for a in pipeline.alerts if a.type == "zone_intrusion"}) == 1


def test_a_refused_change_keeps_the_old_zones_and_says_which_feature_is_wrong(tmp_path):
    bow = [HERE[0], HERE[2], HERE[1], HERE[3], HERE[0]]
    changes = [put(0.5, "Z1"), put(6.0, "Z2", bow, 1), put(11.0, "Z2", AWAY, 2)]
    pipeline, slices = run(settings(tmp_path), flight(*changes))
    assert {ids for t, ids, _, _ in slices if 3.0 <= t < 13.0} == {("Z1",)}
    assert slices[-1][1] == ("Z1", "Z2")
    told = [a for a in pipeline.alerts if a.type == "config_refused"]
    lives = dict.fromkeys(((a.event_ns - T) / S, a.condition) for a in told)
    assert list(lives) == [(8.0, "active"), (13.0, "cleared")]
    assert told[0].body["subject"] == {"device": "office"}
    reasons = {r["code"]: r["value"] for r in told[0].body["reasons"]}
    assert reasons["file"] == "zones"
    assert "feature 0 (Z2): polygon: Self-intersection" in reasons["refused"]
    assert "Self-intersection" in told[0].body["text"]["en"]


def test_of_several_changes_of_one_second_each_is_whole_or_not_at_all(tmp_path):
    far = [[-62.66, -39.13], [-62.65, -39.13], [-62.65, -39.12], [-62.66, -39.13]]
    changes = [
        put(5.1, "A", AWAY), put(5.2, "F", far, 1), said(5.3, {"op": "remove", "id": "X"}, 2),
        put(5.4, "B", AWAY, 3),
    ]  # fmt: skip
    pipeline, slices = run(settings(tmp_path), flight(*changes, seconds=12.0))
    assert [ids for ids in dict.fromkeys(ids for _, ids, _, _ in slices)] == [(), ("A", "B")]
    assert pipeline.counts.totals()["processed"] == 124


def test_the_zones_of_the_file_come_back_as_they_were_after_a_restart(tmp_path):
    path = tmp_path / "zones.geojson"
    one = feature(HERE, id="F", datum="gcj02", country="CHN", note="n", authority="a", schedule=[
        {"days": ["MON", "TUE"], "start": "22:00", "end": "SS"}
    ], floor_m=1.5, floor_ref="amsl",
        floor_slope={"lon": 117.3, "lat": 39.1, "gradient": 0.02, "course_deg": 154.5})  # fmt: skip
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [one]}), "utf-8")
    config = settings(tmp_path, airspace={"zones": "zones.geojson"})
    pipeline = Pipeline(config)
    base = pipeline.zones
    assert pipeline.state()["live_zones"]["value"] is None
    pipeline.feed(Poll(flight(put(5.0, "A", AWAY), seconds=12.0)))
    again = Pipeline(config)
    again.restore(unpacked(packed(pipeline.state())))
    assert again.zones.ids == ("A", "F")
    assert again.zones.zones == pipeline.zones.zones
    assert again.zones.named("F") == base.named("F")
    assert again.zones.hash == pipeline.zones.hash != base.hash


def test_slices_go_on_while_an_index_is_made_and_the_one_that_needs_it_waits(monkeypatch, tmp_path):
    go = threading.Event()
    real = live_zones.change

    def slow(index, texts, t_ns):
        assert go.wait(60.0)
        return real(index, texts, t_ns)

    monkeypatch.setattr(live_zones, "change", slow)
    pictures: list[Any] = []
    pipeline = Pipeline(settings(tmp_path), watch=pictures.append)
    frames = flight(put(5.1, "Z1"), seconds=12.0)
    pipeline.feed(Poll([f for f in frames if f.recv_ns < T + 7 * S]))
    assert pictures[-1].t_ns > T + 6 * S
    threading.Timer(0.05, go.set).start()
    pipeline.feed(Poll([f for f in frames if f.recv_ns >= T + 7 * S]))
    assert next(p.zone_ids for p in pictures if p.t_ns >= T + 8 * S) == ("Z1",)


def test_a_bug_in_the_making_rises_in_the_loop(monkeypatch, tmp_path):
    def broken(index, texts, t_ns):
        raise RuntimeError("ours")

    monkeypatch.setattr(live_zones, "change", broken)
    with pytest.raises(RuntimeError, match="ours"):
        run(settings(tmp_path), flight(put(5.1, "Z1"), seconds=12.0))


def test_changes_of_one_second_are_made_in_one_go_and_a_later_one_on_top_of_them():
    calls: list[tuple[str, list[bytes], int]] = []

    def change(value: str, asked: Any, t_ns: int) -> Made[str]:
        calls.append((value, [one.text for one in asked], t_ns))
        made = value + "".join(one.text.decode() for one in asked)
        return Made(made, [Outcome(one.sensor, True, "") for one in asked], made)

    it = Changing("", change)
    for at_s, text in ((0.0, b"a"), (0.4, b"b"), (1.0, b"c"), (1.01, b"d")):
        it.put(round(at_s * S), Asked(7, text))
    it.start(round(1.0 * S))
    it.start(round(1.02 * S))
    state = unpacked(packed(it.state()))
    assert it.take(2 * S - 1) == []
    assert it.value == ""
    assert it.take(2 * S) == [Outcome(7, True, "")]
    assert it.value == "a"
    assert len(it.take(10 * S)) == 3
    assert it.value == "abcd"
    assert [t for *_, t in calls] == [2 * S, 3 * S, 4 * S]
    assert min(t for *_, t in calls) >= LEAD_NS
    other = Changing("", change)
    other.restore(state, str)
    other.take(10 * S)
    assert other.value == "abcd"
    assert it.state() == {"value": "abcd", "waiting": []}


def test_readings_of_outcomes_name_source_and_words():
    rows, texts = live_zones.told("zones", [Outcome(3, False, "why"), Outcome(1, True, "")], T)
    assert rows.sensor.tolist() == [3, 1]
    assert rows.value.tolist() == [1.0, 0.0]
    assert texts[int(rows.ident2[0])] == "why"
    assert texts[int(rows.ident[0])] == "change:zones"
    assert rows.ident2[1] == -1
    assert np.all(rows.t_ns == T)
