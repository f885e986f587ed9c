"""Killed at any poll and started again from its checkpoint, a run tells what it would have told."""

import contextlib
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from replay.player import configuration
from tests.app.test_pipeline import S, look
from v2x.alerts.store import Store
from v2x.app import Pipeline, running
from v2x.app.checkpoint import Checkpoints, Context
from v2x.config import Config, config_from
from v2x.frames import Frame, Place, Poll, Tick
from v2x.ingest.drive import DriveSource
from v2x.picture import Picture

DEMO = Path(__file__).resolve().parents[2] / "replay" / "drives" / "demo.mcap"
FIRST_S, LAST_S = 112, 164
"""The part of the demo drive with the most going on."""
COLUMNS = ("id", "t_ns", "x", "P", "exist", "status", "ident", "kind", "kind_prob", "first_ns")


class Sliced:
    """Digest of the tracks of each slice, and every alert revision."""

    def __init__(self) -> None:
        self.tracks: dict[int, str] = {}
        self.alerts: dict[tuple[str, int], bytes] = {}

    def __call__(self, picture: Picture) -> None:
        digest = hashlib.sha256()
        for name in COLUMNS:
            digest.update(np.ascontiguousarray(getattr(picture.tracks, name)).tobytes())
        told = digest.hexdigest()
        assert self.tracks.setdefault(picture.t_ns, told) == told, "judged again, and otherwise"

    def feed(self, pipeline: Pipeline, polls: Sequence[Poll]) -> None:
        for poll in polls:
            self.take(pipeline.feed(poll))

    def take(self, alerts: Sequence[Any]) -> None:
        for alert in alerts:
            told = alert.canonical()
            assert self.alerts.setdefault((alert.id, alert.rev), told) == told


@pytest.fixture(scope="module")
def demo() -> Iterator[tuple[Config, list[Poll]]]:
    whole = [frame for poll in DriveSource(DEMO) for frame in poll.frames]
    start = whole[0].recv_ns
    frames = [f for f in whole if FIRST_S * S <= f.recv_ns - start < LAST_S * S]
    polls = [Poll(frames[at : at + 40]) for at in range(0, len(frames), 40)]
    polls.insert(20, Poll([], [Tick(polls[19].frames[-1].recv_ns)]))
    with configuration(DEMO, None) as config:
        yield config, polls


@pytest.fixture(scope="module")
def undisturbed(demo: tuple[Config, list[Poll]]) -> tuple[Pipeline, Sliced]:
    config, polls = demo
    seen = Sliced()
    pipeline = Pipeline(config, watch=seen)
    seen.feed(pipeline, polls)
    seen.take(pipeline.finish())
    return pipeline, seen


def context(pipeline: Pipeline) -> Context:
    return Context("1", pipeline.config.digest(), pipeline.zones.hash)


def resumed(checkpoints: Checkpoints, pipeline: Pipeline) -> int:
    """Restore the newest checkpoint; the poll it was taken before."""

    def use(state: dict[str, Any]) -> int:
        pipeline.restore(state["pipeline"])
        return int(state["at"])

    at, refused = checkpoints.resume(use)
    assert refused == []
    assert at is not None
    return at


def test_the_part_of_the_drive_has_enough_in_it(undisturbed: tuple[Pipeline, Sliced]) -> None:
    pipeline, _ = undisturbed
    assert {a.type for a in pipeline.alerts} >= {"uas_dark", "zone_intrusion", "sos"}
    assert {sensor.format for sensor in pipeline.sensors.sensors} >= {"jt808", "rsu", "columns"}
    assert pipeline.tracks > 40


def test_tracks_and_alerts_are_the_same_to_the_byte_over_kills_at_random_polls(
    demo: tuple[Config, list[Poll]], undisturbed: tuple[Pipeline, Sliced], tmp_path: Path
) -> None:
    config, polls = demo
    whole, wanted = undisturbed
    rng = np.random.default_rng(20_261_124)
    seen, at, kills = Sliced(), 0, 0
    pipeline = Pipeline(config, watch=seen)
    checkpoints = Checkpoints(tmp_path, context(pipeline))
    while at < len(polls):
        stop = min(at + int(rng.integers(1, 15)), len(polls))
        seen.feed(pipeline, polls[at:stop])
        checkpoints.save({"at": stop, "pipeline": pipeline.state()})
        checkpoints.settle()
        seen.feed(pipeline, polls[stop : stop + int(rng.integers(0, 3))])  # and then it is killed
        pipeline = Pipeline(config, watch=seen)
        at = resumed(checkpoints, pipeline)
        assert at == stop
        kills += 1
    seen.take(pipeline.finish())
    checkpoints.close()
    assert kills > 10
    assert seen.tracks == wanted.tracks
    assert seen.alerts == wanted.alerts
    assert pipeline.counts == whole.counts
    assert (pipeline.slices, pipeline.tracks) == (whole.slices, whole.tracks)
    assert pipeline.engine.counts() == whole.engine.counts()


def test_the_digest_of_the_rest_is_that_of_a_run_that_was_never_stopped(
    demo: tuple[Config, list[Poll]], tmp_path: Path
) -> None:
    config, polls = demo
    first = Pipeline(config)
    for poll in polls[:12]:
        first.feed(poll)
    checkpoints = Checkpoints(tmp_path, context(first))
    checkpoints.save(first.state())
    checkpoints.close()
    second = Pipeline(config)
    checkpoints.resume(second.restore)
    first._tracks_digest, first.alerts = hashlib.sha256(), []
    for pipeline in (first, second):
        for poll in polls[12:20]:
            pipeline.feed(poll)
        pipeline.finish()
    assert first.digests() == second.digests()
    assert first.tracks > 10


# The loop, on a wire without a broker


class Killed(BaseException):
    """What SIGKILL would do, as far as one process can do it to itself."""


class Wire:
    """Frames of one partition, two a poll; as `KafkaSource` towards the loop."""

    frames: Sequence[Frame] = ()
    dies_at = 1 << 62
    place: Place = ("t", 0)

    def __init__(
        self, settings: Any, start: Mapping[Place, int], *, until_end: bool,
        state: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        self.settings = settings
        self.at = start.get(self.place, 0)
        if state is not None:
            ((topic, part, self.at),) = state["positions"]
            assert (topic, part) == self.place
        self.starts = {self.place: self.at}
        self.stopping = False
        self.lost_upstream = self.commit_failures = 0
        self.committed: list[int] = []

    def __iter__(self) -> Iterator[Poll]:
        while self.at < len(self.frames) and not self.stopping:
            if self.at >= self.dies_at:
                raise Killed
            part = self.frames[self.at : self.at + 2]
            self.at += len(part)
            yield Poll(part, positions={self.place: self.at})

    def state(self) -> dict[str, Any]:
        return {"positions": [(*self.place, self.at)]}

    def commit(self, positions: Mapping[Place, int]) -> None:
        self.committed.append(positions[self.place])

    def close(self) -> None: ...


def wire_frames() -> list[Frame]:
    """A minute of one radar that sees a car and falls silent twice, with a frame that is none."""
    times = [t / 5 for t in range(300) if not (60 <= t < 100 or 200 <= t < 230)]
    frames = [look(t, seq, lat=[39.13], lon=[117.35]) for seq, t in enumerate(times)]
    frames[130] = Frame(frames[130].recv_ns, "radar", "columns", b"\xc1", ("t", 0), 130)
    return frames


@pytest.fixture(scope="module")
def wire() -> Iterator[type[Wire]]:
    class Mine(Wire):
        frames = wire_frames()

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(running, "KafkaSource", Mine)
        yield Mine


def site(folder: Path, **more: Any) -> Config:
    tree = {
        "site": {"lat": 39.1244, "lon": 117.3460},
        "sensors": [
            {"name": "radar", "format": "columns", "kind": "radar", "sd_m": 5.0, "period_s": 1.0}
        ],
        "sinks": [{"kind": "jsonl", "path": "alerts.jsonl"}],
    }
    return config_from(tree | more, "test", folder)


def run(config: Config) -> dict[str, Any]:
    return running.Run(config, until_end=True).run()


def killed(wire: type[Wire], config: Config, at: int) -> None:
    wire.dies_at = at
    with pytest.raises(Killed):
        run(config)
    wire.dies_at = Wire.dies_at


def stored(folder: Path) -> tuple[dict[tuple[str, int], bytes], Any, Any]:
    with contextlib.closing(Store.open(folder / "v2x.sqlite", ["jsonl"])) as store:
        alerts = {(a.id, a.rev): a.canonical() for a in store.alerts()}
        return alerts, store.counters(), store.positions()


FACTS = ("frames", "sources", "rows", "rejects", "slices", "tracks", "alerts")


@pytest.fixture(scope="module")
def clean(wire: type[Wire], tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Any]:
    """Summary and store of a run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("clean")
    told = run(site(folder))
    assert told["checkpoint"]["resumed"] is None
    assert told["checkpoint"]["frames_read"] == len(wire.frames)
    assert (len(told["alerts"]["list"]), told["outbox"]["revisions"]) == (1, 6)
    return told, stored(folder)


def same(told: dict[str, Any], folder: Path, clean: tuple[dict[str, Any], Any]) -> None:
    assert {name: told[name] for name in FACTS} == {name: clean[0][name] for name in FACTS}
    assert told["digest"]["alerts"] == clean[0]["digest"]["alerts"]
    assert told["differing"] == []
    assert told["outbox"] == clean[0]["outbox"]
    assert stored(folder) == clean[1]


def test_a_run_that_is_killed_goes_on_from_its_checkpoint(
    wire: type[Wire], tmp_path: Path, clean: tuple[dict[str, Any], Any]
) -> None:
    config = site(tmp_path)
    for at in (40, 90, 150, 210):
        killed(wire, config, at)
    told = run(config)
    same(told, tmp_path, clean)
    read = told["checkpoint"]["frames_read"]
    assert 0 < read < len(wire.frames) - 210 + 80
    assert told["checkpoint"]["resumed"] is not None
    assert told["checkpoint"]["refused"] == []
    again = run(config)
    same(again, tmp_path, clean)
    assert again["checkpoint"]["frames_read"] == 0


def test_without_checkpoints_the_run_is_read_again(
    wire: type[Wire], tmp_path: Path, clean: tuple[dict[str, Any], Any]
) -> None:
    config = site(tmp_path, checkpoint_s=0)
    killed(wire, config, 150)
    told = run(config)
    same(told, tmp_path, clean)
    assert told["digest"] == clean[0]["digest"]
    assert told["checkpoint"]["frames_read"] == len(wire.frames)
    assert not list(tmp_path.glob("*checkpoint*"))


@pytest.mark.parametrize("broken", [1, 2])
def test_a_torn_checkpoint_is_named_and_the_older_one_used_or_all_read_again(
    broken: int,
    wire: type[Wire],
    tmp_path: Path,
    clean: tuple[dict[str, Any], Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    config = site(tmp_path, checkpoints="kept")
    killed(wire, config, 200)
    names = ["newest", "previous"][:broken]
    for name in names:
        path = tmp_path / "kept" / f"{name}.checkpoint"
        path.write_bytes(path.read_bytes()[:-1])
    told = run(config)
    same(told, tmp_path, clean)
    assert told["checkpoint"]["refused"] == [f"{n}: damaged: its hash differs" for n in names]
    read = told["checkpoint"]["frames_read"]
    assert read < len(wire.frames) if broken == 1 else read == len(wire.frames)
    assert "checkpoint not used" in capsys.readouterr().out
    assert run(config)["checkpoint"]["refused"] == []


def test_one_taken_under_another_configuration_is_not_gone_on_from(
    wire: type[Wire], tmp_path: Path
) -> None:
    killed(wire, site(tmp_path), 200)
    told = run(site(tmp_path, grid={"slice_ms": 100}))
    assert told["checkpoint"]["resumed"] is None
    assert len(told["checkpoint"]["refused"]) == 2
    assert "config_hash" in told["checkpoint"]["refused"][0]
    assert told["checkpoint"]["frames_read"] == len(wire.frames)


@pytest.mark.parametrize("older", [False, True], ids=["a new store", "an older copy"])
def test_one_that_is_ahead_of_the_store_is_not_gone_on_from(
    older: bool, wire: type[Wire], tmp_path: Path, clean: tuple[dict[str, Any], Any]
) -> None:
    config, path = site(tmp_path), tmp_path / "v2x.sqlite"
    killed(wire, config, 40)
    copy = path.read_bytes()
    killed(wire, config, 200)
    path.unlink()
    if older:
        path.write_bytes(copy)
    (tmp_path / "alerts.jsonl").unlink(missing_ok=True)
    told = run(config)
    same(told, tmp_path, clean)
    assert len(told["checkpoint"]["refused"]) == 2
    assert "ahead of the store" in told["checkpoint"]["refused"][0]
    assert told["checkpoint"]["frames_read"] == len(wire.frames)


def test_a_stop_puts_the_state_away_so_that_nothing_is_read_again(
    wire: type[Wire], tmp_path: Path, clean: tuple[dict[str, Any], Any]
) -> None:
    config = site(tmp_path)
    first = running.Run(config, until_end=True)
    step = first._step

    def stopping(poll: Poll, alerts: Any) -> None:
        step(poll, alerts)
        if poll.positions[Wire.place] >= 100:
            first.stop()

    first._step = stopping  # type: ignore[method-assign]
    assert first.run()["checkpoint"]["frames_read"] == 100
    told = run(config)
    same(told, tmp_path, clean)
    assert told["checkpoint"]["frames_read"] == len(wire.frames) - 100


def test_a_checkpoint_is_taken_every_few_seconds_of_event_time(
    wire: type[Wire], tmp_path: Path
) -> None:
    (tmp_path / "rare").mkdir()
    often, rare = run(site(tmp_path)), run(site(tmp_path / "rare", checkpoint_s=30.0))
    assert 2 <= rare["checkpoint"]["written"] <= 4 < often["checkpoint"]["written"] <= 13


def test_a_disk_that_takes_no_checkpoint_stops_no_alert(
    wire: type[Wire], tmp_path: Path, clean: tuple[dict[str, Any], Any]
) -> None:
    (tmp_path / "kept").write_text("in the way")
    told = run(site(tmp_path, checkpoints="kept"))
    same(told, tmp_path, clean)
    assert told["checkpoint"]["written"] == 0
    assert told["checkpoint"]["failed"] > 2
