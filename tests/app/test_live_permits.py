"""Registry and plans that come as frames: taken at one slice, whatever the polls."""

import json

import numpy as np
import pytest

from tests.app.test_pipeline import S, T, look, settings
from v2x.app import Pipeline
from v2x.app.live_permits import opened, sealed
from v2x.frames import Frame, Poll
from v2x.observations import ident_of

SENSORS = [
    {"name": "office", "format": "plans", "reorder_wait_ms": 0},
    {"name": "police", "format": "registry", "reorder_wait_ms": 0},
    {"name": "radar", "format": "columns", "kind": "radar", "sd_m": 5.0, "period_s": 1.0},
]
RING = [[117.3, 39.1], [117.4, 39.1], [117.4, 39.2], [117.3, 39.2], [117.3, 39.1]]
PLAN = {
    "id": "P-1", "idents": ["rid:A"], "polygon": RING, "floor_m": None, "ceiling_m": None,
    "valid_from": "2026-11-24T00:00:00Z", "valid_to": "2026-11-25T00:00:00Z",
}  # fmt: skip
UAS = {"ident": "rid:A", "mark": "12345678", "class": "light"}


def document(at_s: float, sensor: str, seq: int, tree) -> Frame:
    form = {"office": "plans", "police": "registry"}[sensor]
    t_ns = T + round(at_s * S)
    return Frame(t_ns, sensor, form, json.dumps(tree).encode(), ("d", 0), seq)


def frames() -> list[Frame]:
    told = [
        document(2.3, "office", 1, {"op": "put", "plan": PLAN}),
        document(3.1, "office", 2, {"op": "put", "plan": {"id": "P-2"}}),
        document(4.2, "police", 3, {"as_of": "2026-11-24T00:00:00Z", "uas": [UAS]}),
    ]
    return sorted([*told, *(look(k / 2, k) for k in range(20))], key=lambda f: f.recv_ns)


def run(tmp_path, polls, pipeline=None) -> tuple[Pipeline, list[tuple[int, int, bool]]]:
    """What each slice was judged by: its end, plans, and whether the registry knows the drone."""
    made = []

    def watch(picture):
        permits = pipeline.airspace.identification.permits
        registry = permits.registry
        known = registry is not None and registry.known(picture.t_ns, np.array([ident_of("rid:A")]))
        made.append((picture.t_ns, len(picture.plan_ids), bool(known and known.held[0])))

    pipeline = Pipeline(settings(tmp_path, sensors=SENSORS), watch=watch)
    for poll in polls:
        pipeline.feed(Poll(poll))
    pipeline.finish()
    return pipeline, made


def test_document_takes_effect_two_seconds_after_it_came_at_a_whole_second(tmp_path):
    pipeline, made = run(tmp_path, [frames()])
    plans = {t_ns: n for t_ns, n, _ in made}
    known = {t_ns: held for t_ns, _, held in made}
    assert max(t for t, n in plans.items() if n == 0) == T + 5 * S - S // 20
    assert plans[T + 5 * S] == 1
    assert min(t for t, held in known.items() if held) == T + 7 * S
    assert pipeline.counts.rejects["plans", "refused"] == 1


def test_polls_may_be_cut_anywhere(tmp_path):
    whole = run(tmp_path, [frames()])[1]
    assert run(tmp_path, [[frame] for frame in frames()])[1] == whole


@pytest.mark.parametrize("cut", [6, 9, 15])
def test_restart_goes_on_with_what_was_taken_and_what_waited(tmp_path, cut):
    first = Pipeline(settings(tmp_path, sensors=SENSORS))
    first.feed(Poll(frames()[:cut]))
    second = Pipeline(settings(tmp_path, sensors=SENSORS))
    second.restore(first.state())
    second.feed(Poll(frames()[cut:]))
    second.finish()
    permits = second.airspace.identification.permits
    assert permits.plans.ids == ("P-1",)
    assert permits.registry is not None
    assert [uas.ident for uas in permits.registry.uas] == ["rid:A"]


def test_document_waits_with_its_format_and_no_other_format_is_opened():
    assert opened(sealed(3, "plans", b"{\n}").text) == ("plans", b"{\n}")
    with pytest.raises(ValueError, match="no documents of format 'zones'"):
        opened(sealed(3, "zones", b"{}").text)
