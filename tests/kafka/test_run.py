"""``v2x run`` against a real broker: the same alerts as replay, through kills, stops and outages.

Every run is the real command in a process of its own. The input is forty seconds of the demo
drive, in which one roadside unit dies and a few frames nobody can decode arrive.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kafka import KafkaAdminClient, KafkaProducer
from kafka.consumer.fetcher import ConsumerRecord

from replay.player import configuration, play
from v2x.alert import Alert
from v2x.alerts.store import Store
from v2x.frames import Frame
from v2x.ingest.drive import DriveSink, DriveSource, attachments

from .broker import Broker
from .conftest import NewTopic, OutsideBroker
from .launcher import Point
from .test_alert_sink import read

pytestmark = pytest.mark.kafka

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "replay" / "drives" / "demo.mcap"
S = 1_000_000_000
FIRST_S, LAST_S, SILENT_S = 115, 155, 140
PARTITIONS = 3
GARBAGE = (
    (121.00, "gateway-808", "jt808", b"\x7e\x02\x00 no such thing \x7e"),
    (125.00, "rsu-1", "rsu", b"\xff\x00\xff"),
    (129.00, "nobody", "nmea", b"$GPGGA,,,,,,,,,,,,,,*56\r\n"),
    (133.00, "rsu-2", "semaphore", b"\x01\x02"),
    (137.00, "radar-1", "columns", b""),
)
"""Arrival in the demo drive in seconds, sensor, format, payload; an empty one is sent as null."""

WORK_S = 120.0
"""Patience with one run; it takes a few seconds."""
SEED = 20_261_124


def kill_points(seed: int) -> list[Point]:
    """Where to kill: around the transaction, the checkpoint, the send and the commit."""
    rng = np.random.default_rng(seed)
    return [
        Point("store.record", "before", int(rng.integers(2, 4))),
        Point("sink.kafka.send", "before", int(rng.integers(20, 100))),  # stored, and not sent
        Point("sink.kafka.send", "after", int(rng.integers(20, 100))),  # sent, and not marked
        Point("source.commit", "before", 1),
        Point("checkpoints.write", "after", 2),
    ]


@dataclass(frozen=True)
class Drive:
    """The drive under test, and what replay makes of it."""

    frames: Sequence[Frame]
    files: dict[str, bytes]
    told: dict[str, Any]


@dataclass(frozen=True)
class Setting:
    """One deployment: a folder with its configuration and store, a group, and its topics."""

    folder: Path
    bootstrap: str
    group: str
    frames: str
    alerts: str
    letters: str

    @property
    def config(self) -> Path:
        return self.folder / "v2x.toml"

    def run(self, *options: str, at: Point | None = None) -> subprocess.CompletedProcess[str]:
        """Run the command to its end; with `at`, until it is killed there."""
        return subprocess.run(
            self._command(options, at), cwd=ROOT, env=_environment(), capture_output=True,
            text=True, timeout=WORK_S, check=False,
        )  # fmt: skip

    def told(self) -> dict[str, Any]:
        """Run to the end of the topics and return the summary."""
        done = self.run("--until-end")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    @contextlib.contextmanager
    def live(self) -> Iterator[subprocess.Popen[str]]:
        """A run without end, as a process; killed if the test leaves it behind."""
        process = subprocess.Popen(
            self._command((), None), cwd=ROOT, env=_environment(), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    def _command(self, options: Iterable[str], at: Point | None) -> list[str]:
        front = ["-m", "v2x"] if at is None else at.arguments()
        return [sys.executable, *front, "run", "--config", str(self.config), "--json", *options]

    def store(self) -> Store:
        """The store, to look into."""
        return Store.open(self.folder / "v2x.sqlite", ["jsonl", "kafka"], letters_to="kafka")

    def stored(self) -> dict[tuple[str, int], bytes]:
        """Every stored revision."""
        with contextlib.closing(self.store()) as store:
            return {(a.id, a.rev): a.canonical() for a in store.alerts()}

    def lines(self) -> list[dict[str, Any]]:
        """Alerts in the file of the jsonl destination, as far as their lines are whole."""
        path = self.folder / "alerts.jsonl"
        whole = path.read_bytes().rpartition(b"\n")[0] if path.exists() else b""
        return [json.loads(line) for line in whole.splitlines()]

    def on_topic(self) -> list[ConsumerRecord]:
        """Every record of the alerts topic."""
        return read(self.bootstrap, self.alerts, PARTITIONS)


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("V2X_KAFKA")}


def stop(process: subprocess.Popen[str]) -> dict[str, Any]:
    """SIGTERM: the run must drain, exit with 0 and print its summary."""
    process.send_signal(signal.SIGTERM)
    out, said = process.communicate(timeout=WORK_S)
    assert process.returncode == 0, said
    told: dict[str, Any] = json.loads(out)
    assert told["drained"]
    return told


def until(true: Callable[[], bool], process: subprocess.Popen[str], what: str) -> None:
    """Poll until something holds; fail after a deadline, or when the process has ended."""
    deadline = time.monotonic() + WORK_S
    while not true():
        assert process.poll() is None, f"the run ended before {what}"
        assert time.monotonic() < deadline, f"no {what} in {WORK_S} s"
        time.sleep(0.02)


def name_of(record: ConsumerRecord) -> tuple[str, int]:
    """(id, rev) of a record of the alerts topic."""
    id, _, rev = dict(record.headers)["ce_id"].decode().rpartition(".")
    return id, int(rev)


def by_name(records: Iterable[ConsumerRecord]) -> dict[tuple[str, int], bytes]:
    """Value of each (id, rev); a repeat must be the first one again, byte for byte."""
    first: dict[tuple[str, int], ConsumerRecord] = {}
    for record in records:
        before = first.setdefault(name_of(record), record)
        same = (before.partition, before.key, before.value, before.headers)
        assert (record.partition, record.key, record.value, record.headers) == same
    return {name: record.value for name, record in first.items()}


def produce(bootstrap: str, topic: str, frames: Iterable[Frame]) -> None:
    """Send frames as a gateway does: in order of arrival, keyed by sensor."""
    with contextlib.closing(KafkaProducer(bootstrap_servers=bootstrap)) as producer:
        send(producer, topic, frames)


def send(producer: KafkaProducer, topic: str, frames: Iterable[Frame]) -> None:
    """Send frames, and see every one acknowledged."""
    futures = [
        producer.send(
            topic,
            frame.payload or None,
            key=frame.sensor.encode(),
            headers=[
                ("format", frame.format.encode()),
                ("sensor", frame.sensor.encode()),
                ("recv_ns", b"%d" % frame.recv_ns),
            ],
        )
        for frame in frames
    ]
    producer.flush(timeout=30)
    assert all(future.succeeded() for future in futures)


@pytest.fixture(scope="module")
def drive(tmp_path_factory: pytest.TempPathFactory) -> Drive:
    """Forty seconds of the demo drive with a unit that dies and frames nobody can decode."""
    whole = [frame for poll in DriveSource(DEMO) for frame in poll.frames]
    start = whole[0].recv_ns
    frames = [
        frame
        for frame in whole
        if FIRST_S * S <= frame.recv_ns - start < LAST_S * S
        and not (frame.sensor == "rsu-3" and frame.recv_ns - start > SILENT_S * S)
    ]
    frames += [Frame(start + round(t * S), sensor, form, data) for t, sensor, form, data in GARBAGE]
    frames.sort(key=lambda frame: frame.recv_ns)
    files = attachments(DEMO)
    path = tmp_path_factory.mktemp("drive") / "cut.mcap"
    return Drive(frames, files, replayed(path, frames, files)[0])


@pytest.fixture(scope="module")
def deploy(
    broker: Broker | OutsideBroker,
    module_topic: NewTopic,
    drive: Drive,
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., Setting]:
    """``deploy(frames_topic)``: a new deployment that reads the topic from its first record."""

    def made(frames: str) -> Setting:
        folder = tmp_path_factory.mktemp("run")
        return set_up(
            folder, drive.files, broker.bootstrap, frames, module_topic(PARTITIONS), module_topic()
        )

    return made


def set_up(
    folder: Path,
    files: dict[str, bytes],
    bootstrap: str,
    frames: str,
    alerts: str,
    letters: str,
    allow_plaintext: bool = True,
) -> Setting:
    """Write what the drive carries, with Kafka and the destinations in its configuration."""
    for name, data in files.items():
        (folder / name).write_bytes(data)
    setting = Setting(folder, bootstrap, f"{alerts}-group", frames, alerts, letters)
    with setting.config.open("a", encoding="utf-8") as config:
        config.write(f"""
[kafka]
bootstrap = "{bootstrap}"
group = "{setting.group}"
on_missing = "earliest"
alerts_topic = "{alerts}"
dead_letter_topic = "{letters}"
allow_plaintext = {str(allow_plaintext).lower()}

[[kafka.topics]]
topic = "{frames}"

[[sinks]]
kind = "jsonl"
path = "alerts.jsonl"

[[sinks]]
kind = "kafka"
""")
    return setting


@pytest.fixture(scope="module")
def frames_topic(broker: Broker | OutsideBroker, module_topic: NewTopic, drive: Drive) -> str:
    """The topic that holds the whole drive."""
    name = module_topic(PARTITIONS)
    produce(broker.bootstrap, name, drive.frames)
    return name


@pytest.fixture(scope="module")
def clean(deploy: Callable[..., Setting], frames_topic: str) -> tuple[Setting, dict[str, Any]]:
    """One run to the end that nothing disturbed, and its summary."""
    setting = deploy(frames_topic)
    return setting, setting.told()


Clean = tuple[Setting, dict[str, Any]]


def test_the_cut_of_the_drive_still_holds_every_kind_of_alert(drive: Drive) -> None:
    assert drive.told["alerts"]["by_type"] == {
        "device_silent": 1, "sos": 1, "uas_dark": 1, "uas_unauthorised": 1,
        "uas_unregistered": 1, "zone_breach_predicted": 2, "zone_intrusion": 2,
    }  # fmt: skip
    assert drive.told["frames"]["dead_letter"] == len(GARBAGE)


def test_a_run_gives_the_tracks_and_alerts_of_replay(clean: Clean, drive: Drive) -> None:
    _, told = clean
    assert told["digest"] == drive.told["digest"]
    assert told["merge_disorder"] == 0
    assert (told["differing"], told["lost_upstream"], told["commit_failures"]) == ([], 0, 0)


def test_the_alerts_topic_and_the_file_hold_the_stored_revisions_once_each(clean: Clean) -> None:
    setting, told = clean
    stored, records = setting.stored(), setting.on_topic()
    assert len(stored) == told["outbox"]["revisions"] > 100
    assert {name_of(r): r.value for r in records} == stored
    assert len(records) == len(stored)
    assert all(r.key == name_of(r)[0].encode() for r in records)
    lines = (setting.folder / "alerts.jsonl").read_bytes().splitlines()
    assert sorted(lines) == sorted(stored.values())


def test_revisions_of_an_alert_arrive_in_their_order(clean: Clean) -> None:
    setting, _ = clean
    revisions: dict[bytes, list[int]] = defaultdict(list)
    for record in setting.on_topic():
        revisions[record.key].append(name_of(record)[1])
    assert all(revs == sorted(revs) for revs in revisions.values())
    assert max(map(len, revisions.values())) > 20


def test_dead_letters_arrive_with_their_bytes_and_where_they_lie(clean: Clean) -> None:
    setting, told = clean
    got = read(setting.bootstrap, setting.letters)
    assert sorted((r.key, r.value) for r in got) == sorted(
        (sensor.encode(), data) for _, sensor, _, data in GARBAGE
    )
    frames = read(setting.bootstrap, setting.frames, PARTITIONS)
    at = {(r.topic, r.partition, r.offset): r for r in frames}
    for letter in got:
        told_of = {name: text.decode() for name, text in letter.headers}
        place = told_of["topic"], int(told_of["partition"]), int(told_of["offset"])
        assert (at[place].key, at[place].value or b"") == (letter.key, letter.value)
        assert told_of["reason"] in told["rejects"][told_of["format"]]
        assert dict(at[place].headers)["recv_ns"].decode() == told_of["recv_ns"]


def test_every_frame_of_every_source_went_somewhere(clean: Clean, drive: Drive) -> None:
    setting, told = clean
    parts = ("processed", "dead_letter", "late", "duplicate")
    for counts in (told["frames"], *told["sources"].values()):
        assert counts["in"] == sum(counts.get(name, 0) for name in parts)
    assert told["frames"]["in"] == len(drive.frames)
    assert told["sources"] == drive.told["sources"]
    with contextlib.closing(setting.store()) as store:
        assert store.counters() == told["sources"]


def test_what_is_stored_and_committed_ends_with_the_topics(
    clean: Clean, admin: KafkaAdminClient
) -> None:
    setting, _ = clean
    ends = {p: 0 for p in range(PARTITIONS)}
    for record in read(setting.bootstrap, setting.frames, PARTITIONS):
        ends[record.partition] = record.offset + 1
    assert all(ends.values()), "a partition without frames proves nothing"
    assert committed(admin, setting) == ends
    with contextlib.closing(setting.store()) as store:
        assert store.positions() == {(setting.frames, p): end for p, end in ends.items()}


def committed(admin: KafkaAdminClient, setting: Setting) -> dict[int, int]:
    """Offsets of the group, by partition of the frames' topic."""
    found = admin.list_group_offsets({setting.group: None})[setting.group]
    return {tp.partition: told.offset for tp, told in found.items() if tp.topic == setting.frames}


@pytest.mark.parametrize("point", kill_points(SEED), ids=lambda p: f"{p.seam}-{p.when}-{p.call}")
def test_a_run_that_is_killed_and_started_again_tells_all_and_nothing_else(
    point: Point,
    clean: Clean,
    deploy: Callable[..., Setting],
    frames_topic: str,
    admin: KafkaAdminClient,
) -> None:
    seeded = f"seed {SEED}, {point}"
    setting = deploy(frames_topic)
    done = setting.run("--until-end", at=point)
    assert done.returncode == -signal.SIGKILL, f"{seeded}: {done.stderr}"
    with contextlib.closing(setting.store()) as store:
        reached = store.positions()
    for partition, offset in committed(admin, setting).items():
        assert offset <= reached[setting.frames, partition], seeded
    before = by_name(setting.on_topic())
    if point.seam == "sink.kafka.send":
        stored = setting.stored()
        assert stored.keys() > before.keys(), seeded
        assert len(before) == point.call - (point.when == "before"), seeded

    told = setting.told()
    whole = clean[0].stored()
    assert told["differing"] == [], seeded
    assert told["digest"]["alerts"] == clean[1]["digest"]["alerts"], seeded
    for name in ("frames", "sources", "rows", "rejects", "slices", "tracks", "alerts"):
        assert told[name] == clean[1][name], f"{seeded}: {name}"
    assert told["checkpoint"]["refused"] == [], seeded
    if point.seam == "checkpoints.write":
        assert told["checkpoint"]["resumed"], seeded
    if told["checkpoint"]["resumed"]:
        assert told["checkpoint"]["frames_read"] < told["frames"]["in"], seeded
    else:
        assert told["digest"] == clean[1]["digest"], seeded
    assert setting.stored() == whole, seeded
    records = setting.on_topic()
    assert by_name(records) == whole, seeded
    assert len(records) <= len(whole) + 1, f"{seeded}: one kill repeats one revision at the most"
    if point.seam == "sink.kafka.send" and point.when == "after":
        assert len(records) == len(whole) + 1, seeded
    letters = read(setting.bootstrap, setting.letters)
    assert {(r.key, r.value) for r in letters} == {(s.encode(), d) for _, s, _, d in GARBAGE}
    with contextlib.closing(setting.store()) as store:
        assert store.counters() == clean[1]["sources"], seeded


def test_a_run_stopped_by_sigterm_drains_and_a_restart_tells_the_rest(
    clean: Clean, deploy: Callable[..., Setting], frames_topic: str, drive: Drive
) -> None:
    setting = deploy(frames_topic)
    done = setting.run(at=Point("store.record", "after", 1, signal.SIGTERM))
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["drained"]
    assert 0 < told["frames"]["in"] < len(drive.frames)
    assert 0 < len(setting.stored()) < len(clean[0].stored())
    assert by_name(setting.on_topic()) == setting.stored()
    read = told["checkpoint"]["frames_read"]
    told = setting.told()
    assert told["differing"] == []
    assert told["checkpoint"]["frames_read"] == len(drive.frames) - read
    assert setting.stored() == clean[0].stored()
    assert by_name(setting.on_topic()) == setting.stored()


def test_alerts_appear_while_frames_are_still_coming(
    broker: Broker | OutsideBroker,
    deploy: Callable[..., Setting],
    module_topic: NewTopic,
    drive: Drive,
) -> None:
    wanted = {what(alert) for alert in drive.told["alerts"]["list"]}
    setting = deploy(module_topic(PARTITIONS))

    def seen() -> set[tuple[str, str, str]]:
        return {what(alert) for alert in setting.lines()}

    with (
        setting.live() as process,
        contextlib.closing(KafkaProducer(bootstrap_servers=broker.bootstrap)) as producer,
    ):
        parts = [drive.frames[at : at + 10] for at in range(0, len(drive.frames), 10)]
        half = len(parts) // 8
        for part in parts[:half]:
            send(producer, setting.frames, part)
        until(lambda: bool(seen()), process, "first alert")
        assert not wanted <= seen()
        for part in parts[half:]:
            send(producer, setting.frames, part)
        until(lambda: wanted <= seen(), process, "all alerts")
        told = stop(process)
    assert told["frames"]["in"] == len(drive.frames)
    assert by_name(setting.on_topic()) == setting.stored()


def test_a_broker_that_dies_under_a_live_run_costs_no_frame_and_no_alert(
    own_broker: Broker, drive: Drive, tmp_path: Path
) -> None:
    start = drive.frames[0].recv_ns
    first = [f for f in drive.frames if f.recv_ns - start < 8 * S]
    rest = [f for f in drive.frames if f.recv_ns - start > 28 * S]  # longer than the outage
    told, wanted = replayed(tmp_path / "both.mcap", [*first, *rest], drive.files)
    with contextlib.closing(KafkaAdminClient(bootstrap_servers=own_broker.bootstrap)) as admin:
        sizes = {"frames": PARTITIONS, "alerts": PARTITIONS, "letters": 1}
        admin.create_topics(
            {name: {"num_partitions": n} for name, n in sizes.items()}, wait_for_metadata=True
        )
    setting = set_up(tmp_path, drive.files, own_broker.bootstrap, *sizes)
    last = max(wanted, key=lambda name: wanted[name]["event_time"])
    with setting.live() as process:
        produce(own_broker.bootstrap, "frames", first)
        until(lambda: bool(setting.lines()), process, "first alert")
        own_broker.kill()
        own_broker.start()
        produce(own_broker.bootstrap, "frames", rest)
        until(lambda: last in [(a["id"], a["rev"]) for a in setting.lines()], process, "last alert")
        live = stop(process)
    assert live["frames"] == told["frames"]
    assert live["differing"] == []
    got = {name: comparable(value) for name, value in setting.stored().items()}
    assert wanted.items() <= got.items()  # while the wire is quiet time goes on, and says so
    assert by_name(setting.on_topic()) == setting.stored()
    shutil.rmtree(tmp_path / "v2x.sqlite.checkpoints")  # so that all is read and derived again
    again = setting.told()
    assert again["digest"] == told["digest"]
    assert again["differing"] == []


def replayed(
    path: Path, frames: Iterable[Frame], files: dict[str, bytes]
) -> tuple[dict[str, Any], dict[tuple[str, int], dict[str, Any]]]:
    """Summary and revisions of a replay of `frames`."""
    with DriveSink(path, files) as made:
        for frame in frames:
            made.write(frame)
    alerts: list[Alert] = []
    with configuration(path, None) as config:
        told = play(path, config, on_alert=alerts.append)
    return told, {(a.id, a.rev): comparable(a.canonical()) for a in alerts}


def comparable(alert: bytes) -> dict[str, Any]:
    """An alert without what tells a replay from a live run."""
    body: dict[str, Any] = json.loads(alert)
    return {key: value for key, value in body.items() if key not in ("replay", "v2x")}


def what(alert: dict[str, Any]) -> tuple[str, str, str]:
    """What an alert is about, in words that do not depend on when frames reached the broker."""
    subject = alert["subject"]
    who = subject.get("claimed_identity") or subject.get("device") or subject["kind"]
    return alert["type"], alert.get("zone", ""), who


def refused(setting: Setting, code: int) -> str:
    """Run a deployment that cannot work; the one line it says."""
    began = time.monotonic()
    done = setting.run("--until-end")
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert done.stderr.count("\n") == 1
    assert time.monotonic() - began < 30.0
    return done.stderr


@pytest.mark.parametrize("which", ["frames", "alerts", "letters"])
def test_a_topic_that_is_missing_is_named_and_not_made(
    which: str,
    broker: Broker | OutsideBroker,
    module_topic: NewTopic,
    admin: KafkaAdminClient,
    drive: Drive,
    tmp_path: Path,
) -> None:
    topics = {name: module_topic() for name in ("frames", "alerts", "letters")}
    topics[which] = missing = f"nobody-made-these-{which}"
    setting = set_up(tmp_path, drive.files, broker.bootstrap, *topics.values())
    assert f"topic '{missing}' does not exist" in refused(setting, 4)
    assert missing not in admin.list_topics()


def test_a_broker_that_is_not_there_is_named(tmp_path: Path, drive: Drive) -> None:
    with socket.socket() as unused:  # bound and not listening: nobody else can take the port
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        assert address in refused(alone(tmp_path, drive, address), 4)


def test_plaintext_to_another_machine_is_refused(tmp_path: Path, drive: Drive) -> None:
    said = refused(alone(tmp_path, drive, "127.0.0.1.example.net:9092", False), 3)
    assert "plaintext to 127.0.0.1.example.net:9092" in said
    assert "allow_plaintext" in said


def alone(folder: Path, drive: Drive, bootstrap: str, allow_plaintext: bool = True) -> Setting:
    """A deployment that never reaches a broker."""
    return set_up(folder, drive.files, bootstrap, "frames", "alerts", "letters", allow_plaintext)
