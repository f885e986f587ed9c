"""The Kafka sink against a real broker: what arrives, and what happens while it is away."""

import contextlib
import gc
import logging
import time
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord

from v2x.alert import Alert
from v2x.alerts.delivery import Worker
from v2x.alerts.sinks.kafka import KafkaAlerts
from v2x.alerts.store import Store
from v2x.errors import GiveUp, RetryLater
from v2x.frames import Frame

from .broker import Broker
from .conftest import NewTopic, OutsideBroker

pytestmark = pytest.mark.kafka


def alert(name: str, rev: int = 1, **more: object) -> Alert:
    body = {"id": name, "rev": rev, "event_time": "2026-03-01T02:00:00.000Z", "state": "open",
            "drill": False, "replay": False, "text": {"zh-CN": "无人机"}}  # fmt: skip
    return Alert(name, rev, "sos", 1, "active", rev, body | more)


def read(bootstrap: str, topic: str, partitions: int = 1) -> list[ConsumerRecord]:
    """All records of a topic, partition by partition."""
    consumer = KafkaConsumer(
        bootstrap_servers=bootstrap, group_id=None, enable_auto_commit=False,
        auto_offset_reset="none", allow_auto_create_topics=False,
    )  # fmt: skip
    with contextlib.closing(consumer):
        assigned = [TopicPartition(topic, p) for p in range(partitions)]
        consumer.assign(assigned)
        consumer.seek_to_beginning(*assigned)
        ends = consumer.end_offsets(assigned)
        got: list[ConsumerRecord] = []
        deadline = time.monotonic() + 20
        while any(consumer.position(tp) < ends[tp] for tp in assigned):
            assert time.monotonic() < deadline
            for records in consumer.poll(timeout_ms=500).values():
                got += records
        return sorted(got, key=lambda r: (r.partition, r.offset))


def test_revisions_and_dead_letters_arrive_with_key_headers_and_bytes(
    broker: Broker | OutsideBroker, topic: NewTopic
) -> None:
    alerts, letters = topic(4), topic()
    sink = KafkaAlerts(broker.bootstrap, alerts, letters, source="v2x/test")
    with contextlib.closing(sink):
        for made in (alert("a"), alert("b"), alert("a", 2), alert("a", 2)):
            sink.send(made)
        sink.send_dead_letter(Frame(9, "bds-1", "jt808", b"\x7e\x00\xff", ("f", 2), 41), "short")
        with pytest.raises(GiveUp, match="too many"):
            sink.send(alert("huge", filler="x" * (2 << 20)))
    got = read(broker.bootstrap, alerts, 4)
    of_a = [r for r in got if r.key == b"a"]
    assert [r.value for r in of_a] == [
        alert("a").canonical(), alert("a", 2).canonical(), alert("a", 2).canonical(),
    ]  # fmt: skip
    assert len({r.partition for r in of_a}) == 1
    assert of_a[1].headers == of_a[2].headers
    assert dict(of_a[1].headers)["ce_id"] == b"a.2"
    assert len(got) == 4
    (dead,) = read(broker.bootstrap, letters)
    assert (dead.key, dead.value) == (b"bds-1", b"\x7e\x00\xff")
    told = dict(dead.headers)
    assert (told["reason"], told["topic"], told["partition"], told["offset"]) == (
        b"short", b"f", b"2", b"41",
    )  # fmt: skip


def test_a_topic_that_is_not_there_is_told_by_name_and_not_made(
    broker: Broker | OutsideBroker, admin: KafkaAdminClient
) -> None:
    for _ in range(2):
        sink = KafkaAlerts(broker.bootstrap, "nobody-made-this-topic")
        with contextlib.closing(sink), pytest.raises(RetryLater, match="nobody-made-this-topic"):
            sink.send(alert("a"))
    assert "nobody-made-this-topic" not in admin.list_topics()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_broker_that_dies_and_comes_back_gets_everything_in_order(
    own_broker: Broker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, "kafka")  # else kept records keep its sockets open
    with contextlib.closing(KafkaAdminClient(bootstrap_servers=own_broker.bootstrap)) as admin:
        admin.create_topics({"alerts": {"num_partitions": 2}}, wait_for_metadata=True)
    store = Store.open(tmp_path / "s.sqlite", ["kafka"])
    short = {"request_timeout_ms": 1_000, "delivery_timeout_ms": 2_000, "bootstrap_timeout_ms": 500}
    worker = Worker(store, KafkaAlerts(own_broker.bootstrap, "alerts", options=short))
    worker.start()
    store.record([alert(f"a{i}", 1) for i in range(5)])
    worker.wake()
    assert worker.drain(20.0)
    own_broker.kill()
    store.record([alert(f"a{i}", rev) for rev in (2, 3) for i in range(5)])
    worker.wake()
    assert not worker.drain(3.0)
    own_broker.start()
    assert worker.drain(60.0)
    assert worker.stop(20.0)
    worker.check()
    got = read(own_broker.bootstrap, "alerts", 2)
    for i in range(5):
        told = [r.value for r in got if r.key == f"a{i}".encode()]
        assert list(dict.fromkeys(told)) == [alert(f"a{i}", n).canonical() for n in (1, 2, 3)]
    assert store.stats()["outbox"]["kafka"] == {"sent": 15, "waiting": 0, "gave_up": 0}
    store.close()
    gc.collect()  # kafka-python leaves sockets that did not connect to the collector
