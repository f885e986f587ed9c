"""Rows that come late: within the history nothing is missed, beyond it everything is counted."""

import hashlib
import json
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.lowalt.scenes import TILE, box, feature
from v2x.app import Pipeline
from v2x.config import Config, config_from
from v2x.frames import Frame, Poll
from v2x.ingest.decoding import DUPLICATE_WINDOW_NS
from v2x.ingest.formats.columns import encode_columns
from v2x.ingest.formats.jt808 import encode_batch, encode_position, position_body
from v2x.observations import Kind
from v2x.picture import Picture

MS = 1_000_000
S = 1_000 * MS
T = 1_795_486_272 * S
"""On the grid of half seconds, which a late row waits for."""
LAST_S = 14.0
WIRE_NS, WAIT_NS, HISTORY_NS = 20 * MS, 200 * MS, 5 * S
PHONE = "13800000001"
COLUMNS = ("id", "t_ns", "x", "P", "exist", "status", "ident", "kind", "kind_prob", "first_ns")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("late")
    zone = feature(box(-150.0, -150.0, 50.0, 150.0), id="P-1", floor_m=None, ceiling_m=None)
    zones = {"type": "FeatureCollection", "features": [zone]}
    (made / "zones.geojson").write_text(json.dumps(zones), "utf-8")
    return made


def site(folder: Path, **tracker: Any) -> Config:
    radar = {"format": "columns", "kind": "radar", "clutter_density": 1e-8}
    sensors = [{"name": name, **radar} for name in ("north", "south")]
    phones = {"name": "phones", "format": "jt808", "kind": "self_report"}
    tree = {
        "site": {"lat": TILE.lat0, "lon": TILE.lon0, "ground_amsl_m": 0.0},
        "airspace": {"zones": "zones.geojson"},
        "sensors": [*sensors, phones],
        "tracker": tracker,
    }
    return config_from(tree, "test", folder)


@cache
def on_time() -> tuple[Frame, ...]:
    """Two radars, five looks a second each: a drone flies into the zone, one out, one past it.

    The second one falls silent for a second and a half, and an empty look comes now and then.
    """
    rng = np.random.default_rng(11)
    made = []
    for seq in range(round(LAST_S * 10)):
        t = seq / 10
        name = "south" if seq % 2 else "north"
        place = np.array(
            [[150.0 - 14.0 * t, 20.0, 80.0], [-100.0 + 18.0 * t, -60.0, 90.0], [0.0, 400.0, 60.0]]
        )
        place[2, 0] += 10.0 * t
        seen = np.array([True, name == "north" or not 5.0 < t < 6.5, rng.random() < 0.9])
        at = place[seen] + rng.normal(0.0, 2.0, (seen.sum(), 3))
        lat, lon, height = TILE.to_geodetic(at)
        n = len(lat)
        columns = {
            "lat": lat, "lon": lon, "height": height, "kind": np.full(n, int(Kind.UAS)),
            "kind_conf": np.full(n, 0.9), "cov": np.tile([4.0, 0, 0, 4.0, 0, 4.0], (n, 1)),
        }  # fmt: skip
        if seq % 23 == 7:
            columns = {}
        t_ns = T + seq * 100 * MS
        made.append(frame(name, t_ns, t_ns + WIRE_NS, seq, columns))
    return tuple(made)


def frame(name: str, t_ns: int, recv_ns: int, seq: int, columns: dict[str, Any]) -> Frame:
    return Frame(recv_ns, name, "columns", encode_columns(t_ns, seq, columns), ("t", 0), seq)


def delayed(frames: Sequence[Frame], delay_ns: Sequence[int]) -> list[Frame]:
    """The same frames, each so much later, in the order in which they are to be processed."""
    moved = [
        Frame(f.recv_ns + int(d), f.sensor, f.format, f.payload, f.place, f.seq)
        for f, d in zip(frames, delay_ns, strict=True)
    ]
    return sorted(moved, key=lambda f: (f.recv_ns, f.sensor, f.seq))


class Seen:
    """A pipeline that was fed with frames, and the digest of its tracks in each slice."""

    def __init__(self, config: Config, frames: Sequence[Frame], cuts: Sequence[int] = ()) -> None:
        self.tracks: dict[int, str] = {}
        self.pipeline = Pipeline(config, watch=self._watch)
        edges = [0, *sorted(cuts), len(frames)]
        for lo, hi in pairwise(edges):
            self.pipeline.feed(Poll(frames[lo:hi]))
        self.pipeline.finish()
        assert self.pipeline._tracker.tally.too_late == 0, "dropped, and not counted as late"

    def _watch(self, picture: Picture) -> None:
        digest = hashlib.sha256()
        for name in COLUMNS:
            digest.update(np.ascontiguousarray(getattr(picture.tracks, name)).tobytes())
        self.tracks[picture.t_ns] = digest.hexdigest()

    def after(self, t_ns: int) -> dict[int, str]:
        return {t: told for t, told in self.tracks.items() if t >= t_ns}

    def dangers(self) -> dict[tuple[str, str, str], tuple[int, int]]:
        """From the first to the last revision of what was raised, by rule, subject and zone."""
        made: dict[tuple[str, str, str], tuple[int, int]] = {}
        for a in self.pipeline.alerts:
            who = {name: told for name, told in a.body["subject"].items() if name != "exist"}
            key = (a.type, json.dumps(who, sort_keys=True), a.body.get("zone", ""))
            first, last = made.get(key, (a.event_ns, a.event_ns))
            last = max(last, a.event_ns if a.body["condition"] == "cleared" else 1 << 62)
            made[key] = (min(first, a.event_ns), last)
        return made

    def conserved(self) -> None:
        counts = self.pipeline.counts
        for counter in counts.frames.values():
            parts = ("processed", "dead_letter", "late", "duplicate")
            assert counter["in"] == sum(counter[name] for name in parts)
        rows = counts.rows
        refused = rows["refused_future"] + rows["refused_unplaced"]
        assert rows["decoded"] == rows["used"] + rows["late"] + refused


@pytest.fixture(scope="module")
def clean(folder: Path) -> Seen:
    seen = Seen(site(folder), on_time())
    assert {a.type for a in seen.pipeline.alerts} >= {"zone_intrusion"}
    assert len(seen.dangers()) >= 2
    assert seen.pipeline.folded == 0
    return seen


DELAYS = st.lists(st.floats(0.0, 1.0), min_size=1, max_size=60)
CUTS = st.lists(st.integers(0, round(LAST_S * 10)), max_size=6)


def spread(shares: Sequence[float], most_ns: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """A delay for each frame: those drawn, over and over, none of them up to 60 % of the time."""
    share = np.resize(np.array(shares), len(on_time()))
    return (np.maximum(share - 0.6, 0.0) / 0.4 * most_ns).astype(np.int64)


@settings(max_examples=6, deadline=None)
@given(shares=DELAYS, cuts=CUTS)
def test_disorder_within_the_wait_changes_nothing(
    folder: Path, clean: Seen, shares: list[float], cuts: list[int]
) -> None:
    delay = spread(shares, WAIT_NS - WIRE_NS - 1)
    delay[[0, -1]] = 0  # where the grid starts and ends
    seen = Seen(site(folder), delayed(on_time(), delay), cuts)
    assert seen.pipeline.folded == 0
    assert seen.pipeline.digests() == clean.pipeline.digests()
    seen.conserved()


@settings(max_examples=7, deadline=None)
@given(shares=DELAYS, cuts=CUTS)
def test_rows_within_the_history_leave_no_trace_once_the_last_is_in(
    folder: Path, clean: Seen, shares: list[float], cuts: list[int]
) -> None:
    delay = spread(shares, HISTORY_NS)
    delay[0] = 0
    delay[-60:] = 0  # six seconds in order, for the last late one to arrive in
    frames = delayed(on_time(), delay)
    seen, again = Seen(site(folder), frames, cuts), Seen(site(folder), frames)
    assert seen.pipeline.digests() == again.pipeline.digests()
    assert seen.tracks == again.tracks
    seen.conserved()
    assert seen.pipeline.counts.rows["late"] == 0
    last = max(f.recv_ns for f, d in zip(on_time(), delay, strict=True) if d == 0)
    arrived = max(
        (f.recv_ns + int(d) for f, d in zip(on_time(), delay, strict=True) if d), default=T
    )
    assert arrived < last
    folded_in = (arrived - WAIT_NS) // (500 * MS) * 500 * MS + 500 * MS
    assert len(clean.after(folded_in)) > 5
    assert seen.after(folded_in) == clean.after(folded_in)


@settings(max_examples=6, deadline=None)
@given(shares=DELAYS)
def test_rows_within_the_history_hide_no_alert(
    folder: Path, clean: Seen, shares: list[float]
) -> None:
    delay = spread(shares, HISTORY_NS)
    delay[0] = 0
    delay[-60:] = 0
    found = Seen(site(folder), delayed(on_time(), delay)).dangers()
    for key, (first, last) in clean.dangers().items():
        assert key in found
        assert found[key][0] <= last
        assert first <= found[key][1]


@settings(max_examples=6, deadline=None)
@given(
    shares=DELAYS, repeats=st.lists(st.booleans(), min_size=1, max_size=40), cuts=CUTS,
    history_s=st.sampled_from([0.0, 0.3, 1.0, 5.0]),
)  # fmt: skip
def test_lateness_to_a_minute_and_duplicates_are_counted_to_the_row(
    folder: Path, shares: list[float], repeats: list[bool], cuts: list[int], history_s: float
) -> None:
    delay = spread(shares, 9 * S)
    delay[::7] *= 6
    delay[0] = 0
    again = np.resize(np.array(repeats), len(delay))
    twice = [f for f, more in zip(on_time(), again, strict=True) if more]
    frames = delayed(
        [*on_time(), *twice], np.concatenate([delay, delay[again] + DUPLICATE_WINDOW_NS // 2])
    )
    seen = Seen(site(folder, history_s=history_s), frames, [c * len(frames) // 140 for c in cuts])
    seen.conserved()

    done = on_time()[0].recv_ns
    late = dict.fromkeys(("frames", "rows", "folded"), 0)
    known: set[bytes] = set()
    for f in frames:
        done = max(done, f.recv_ns)
        if f.payload in known:
            continue
        known.add(f.payload)
        t_ns, n = T + f.seq * 100 * MS, rows_of(f)
        closed = (done - WAIT_NS) // (50 * MS) * 50 * MS
        too_late = t_ns <= closed - round(history_s * S)
        late["frames"] += too_late and n > 0
        late["rows"] += n * too_late
        late["folded"] += n * (t_ns <= closed and not too_late)
    counts = seen.pipeline.counts
    assert counts.totals()["duplicate"] == len(twice)
    assert counts.totals()["late"] == late["frames"]
    assert counts.rows["late"] == late["rows"]
    assert seen.pipeline.folded == late["folded"]


@cache
def rows_of(frame: Frame) -> int:
    n = msgpack.unpackb(frame.payload, raw=False)["n"]
    assert isinstance(n, int)
    return n


def test_two_hours_of_stored_positions_raise_nothing_and_move_nothing(
    folder: Path, clean: Seen
) -> None:
    """All at once, from inside the zone; but the call for help among the last ten minutes."""
    at = 7 * S
    lat, lon, _ = TILE.to_geodetic(np.array([[0.0, 0.0, 0.0]]))
    live = [
        Frame(T + k * S, "phones", "jt808",
              encode_position(PHONE, k, T + k * S, 39.13, 117.36, 3.0, 0.0, 0.0))
        for k in range(7)
    ]  # fmt: skip
    stored = T + at - np.arange(7200, 0, -1) * S
    calls = int(stored[-300])
    batches = []
    for lo in range(0, len(stored), 20):
        bodies = [
            position_body(
                int(t), float(lat[0]), float(lon[0]), 3.0, 20.0, 90.0, alarm=int(t == calls)
            )
            for t in stored[lo : lo + 20]
        ]
        batches.append(Frame(T + at + lo, "phones", "jt808", encode_batch(PHONE, 100 + lo, bodies)))
    before = Seen(site(folder), sorted([*on_time(), *live], key=lambda f: (f.recv_ns, f.sensor)))
    seen = Seen(
        site(folder), sorted([*on_time(), *live, *batches], key=lambda f: (f.recv_ns, f.sensor))
    )
    seen.conserved()
    assert seen.pipeline.counts.rows["late"] == len(stored)
    assert seen.pipeline.folded == 0
    assert seen.tracks == before.tracks
    more = {k: v for k, v in seen.dangers().items() if k not in before.dangers()}
    assert [kind for kind, _, _ in more] == ["sos"]
    assert before.dangers().keys() < seen.dangers().keys()
