import errno
import json
import os
from pathlib import Path
from typing import Any

import msgpack
import pytest

from v2x.alert import Alert
from v2x.alerts.sinks import jsonl as jsonl_module
from v2x.alerts.sinks import kafka as kafka_module
from v2x.alerts.sinks.jsonl import JsonLines
from v2x.alerts.sinks.kafka import SETTINGS, KafkaAlerts, cloud_event
from v2x.errors import ConfigError, GiveUp, RetryLater

from .pictures import drone, engine, picture, run
from .test_store import letter


@pytest.fixture
def made() -> Alert:
    from v2x.alerts.rules.zone_intrusion import RULE

    settings = {"zone_intrusion": (True, 0.0, None)}
    (alert,) = run(
        engine(RULE, settings=settings), [picture(0, [drone()], inside=[(0, "P-1", 1.0)])]
    )
    return alert


# JSON lines


def test_each_revision_is_one_line_of_canonical_json(tmp_path: Path, made: Alert) -> None:
    path = tmp_path / "alerts.jsonl"
    sink = JsonLines(path)
    first, second = sink.send(made), sink.send(made)
    sink.close()
    line = made.canonical() + b"\n"
    assert path.read_bytes() == line * 2
    assert (first.destination, second.reference) == ("jsonl", f"{path}@{len(line)}")
    assert json.loads(line) == made.body


def test_it_goes_on_where_the_file_ends_and_cuts_a_torn_line_off(
    tmp_path: Path, made: Alert
) -> None:
    path = tmp_path / "alerts.jsonl"
    for before, kept in (
        (b"", b""),
        (b"whole\n", b"whole\n"),
        (b"whole\ntorn", b"whole\n"),
        (b"torn" * 50_000, b""),
        (b"whole\n" + b"torn" * 50_000, b"whole\n"),
    ):
        path.write_bytes(before)
        sink = JsonLines(path)
        sink.send(made)
        sink.close()
        assert path.read_bytes() == kept + made.canonical() + b"\n"


def test_a_missing_folder_or_a_full_disk_is_tried_again(
    tmp_path: Path, made: Alert, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RetryLater, match="nowhere"):
        JsonLines(tmp_path / "nowhere" / "alerts.jsonl").send(made)
    path = tmp_path / "alerts.jsonl"
    sink = JsonLines(path)

    def full(number: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(jsonl_module.os, "fsync", full)
        with pytest.raises(RetryLater, match=r"alerts\.jsonl: cannot be written: No space"):
            sink.send(made)
    sink.send(made)
    sink.close()
    assert set(path.read_bytes().splitlines()) == {made.canonical()}


# Kafka, without a broker: tests/kafka/test_alert_sink.py has one


class Producer:
    """Stands where a `KafkaProducer` would, and fails as told."""

    made: list["Producer"]
    trouble: Exception | None = None

    def __init__(self, **settings: Any) -> None:
        self.settings = settings
        self.sent: list[tuple[str, bytes, bytes, Any]] = []
        self.closed = False
        type(self).made.append(self)

    def send(self, topic: str, value: bytes, key: bytes, headers: Any) -> "Producer":
        self.sent.append((topic, key, value, headers))
        return self

    def get(self, timeout: float) -> Any:
        assert timeout > SETTINGS["delivery_timeout_ms"] / 1e3
        if self.trouble is not None:
            raise self.trouble
        return type("Told", (), {"topic": self.sent[-1][0], "partition": 3, "offset": 41})

    def close(self, timeout: float) -> None:
        assert timeout == 0
        self.closed = True


@pytest.fixture
def producers(monkeypatch: pytest.MonkeyPatch) -> list[Producer]:
    monkeypatch.setattr(Producer, "made", [], raising=False)
    monkeypatch.setattr(Producer, "trouble", None)
    monkeypatch.setattr(kafka_module, "KafkaProducer", Producer)
    monkeypatch.setattr(kafka_module, "_knock", lambda brokers: None)
    return Producer.made


def test_a_repeat_is_equal_byte_for_byte(producers: list[Producer], made: Alert) -> None:
    sink = KafkaAlerts("one:9092, two:9092", source="v2x/test")
    assert sink.send(made).reference == "v2x.alerts.v1/3/41"
    sink.send(Alert(**{f: getattr(made, f) for f in made.__slots__}))
    (producer,) = producers
    assert producer.sent[0] == producer.sent[1]
    topic, key, value, headers = producer.sent[0]
    assert (topic, key, value) == ("v2x.alerts.v1", made.id.encode(), made.canonical())
    assert dict(headers)["content-type"] == b"application/json"
    assert producer.settings["bootstrap_servers"] == ["one:9092", "two:9092"]
    assert producer.settings["acks"] == "all"
    assert producer.settings["enable_idempotence"] is True
    sink.close()
    assert producer.closed


def test_the_headers_are_a_cloud_event(made: Alert) -> None:
    told = {name: value.decode() for name, value in cloud_event(made, "v2x/test", "a/b")}
    assert told == {
        "content-type": "a/b",
        "ce_specversion": "1.0",
        "ce_id": f"{made.id}.1",
        "ce_type": "v2x.alert.v1",
        "ce_source": "v2x/test",
        "ce_time": "2026-03-01T02:00:00.000Z",
        "ce_subject": made.id,
        "ce_partitionkey": made.id,
        "ce_sequence": "1",
        "ce_alerttype": "zone_intrusion",
        "ce_severity": "1",
        "ce_condition": "active",
        "ce_state": "open",
        "ce_drill": "false",
        "ce_replay": "false",
    }


def test_msgpack_on_request_says_the_same(producers: list[Producer], made: Alert) -> None:
    sink = KafkaAlerts("one:9092", content="msgpack")
    sink.send(made)
    _, _, value, headers = producers[0].sent[0]
    assert msgpack.unpackb(value) == made.body
    assert list(msgpack.unpackb(value)) == sorted(made.body)
    assert dict(headers)["content-type"] == b"application/msgpack"


def test_a_dead_letter_carries_its_place_and_its_raw_bytes(producers: list[Producer]) -> None:
    dead = letter(7, b"\x7e\x00\xff\x7e", "bad_escape")
    KafkaAlerts("one:9092").send_dead_letter(dead.frame, dead.reason)
    topic, key, value, headers = producers[0].sent[0]
    assert (topic, key, value) == ("v2x.deadletter.v1", b"bds-1", b"\x7e\x00\xff\x7e")
    assert dict(headers) == {
        "reason": b"bad_escape",
        "topic": b"frames",
        "partition": b"2",
        "offset": b"7",
        "sensor": b"bds-1",
        "format": b"jt808",
        "recv_ns": b"5007",
    }


def test_trouble_is_tried_again_with_a_new_producer_and_too_big_is_given_up(
    producers: list[Producer], made: Alert, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kafka.errors import KafkaTimeoutError, MessageSizeTooLargeError, NotEnoughReplicasError

    sink = KafkaAlerts("one:9092")
    for trouble in (KafkaTimeoutError("late"), NotEnoughReplicasError("two of three")):
        monkeypatch.setattr(Producer, "trouble", trouble)
        with pytest.raises(RetryLater, match=r"v2x\.alerts\.v1 at one:9092: .*broker up"):
            sink.send(made)
        assert producers[-1].closed
    assert len(producers) == 2
    monkeypatch.setattr(Producer, "trouble", MessageSizeTooLargeError("2 MB"))
    with pytest.raises(GiveUp, match="too many"):
        sink.send(made)
    monkeypatch.setattr(Producer, "trouble", None)
    sink.send(made)
    assert len(producers) == 3


def test_no_broker_is_no_reason_not_to_start(made: Alert) -> None:
    sink = KafkaAlerts("127.0.0.1:1, [::1]:1")
    with pytest.raises(RetryLater, match=r"127\.0\.0\.1:1,\[::1\]:1: .*is the broker up"):
        sink.send(made)
    sink.close()


@pytest.mark.parametrize("bootstrap", ["", " , ", "host", "host:", ":9092", "host:kafka"])
def test_a_bootstrap_list_that_is_none_is_refused(bootstrap: str) -> None:
    with pytest.raises(ConfigError, match=r"kafka\.bootstrap"):
        KafkaAlerts(bootstrap)
