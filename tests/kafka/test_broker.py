"""What the other broker tests stand on: the broker is real, keeps what it took, and comes back."""

import contextlib
import shutil
import time
import types
from collections.abc import Iterable

import crc32c
import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.record import util

from .broker import Broker, find_libs
from .conftest import NewTopic, OutsideBroker

pytestmark = pytest.mark.kafka

Sent = tuple[int, bytes, list[tuple[str, bytes]]]  # partition, value, headers


def produce(bootstrap: str, topic: str, records: Iterable[Sent]) -> None:
    """Send, and see every record acknowledged: ``flush`` alone is no proof."""
    with contextlib.closing(KafkaProducer(bootstrap_servers=bootstrap, acks="all")) as producer:
        futures = [
            producer.send(topic, value, partition=partition, headers=headers)
            for partition, value, headers in records
        ]
        producer.flush(timeout=20)
        assert all(future.succeeded() for future in futures)


def read(
    bootstrap: str, topic: str, partitions: int, isolation: str = "read_uncommitted"
) -> dict[int, list[ConsumerRecord]]:
    """All records of a topic from the first to the end of each partition at this moment."""
    consumer = KafkaConsumer(
        bootstrap_servers=bootstrap, group_id=None, enable_auto_commit=False,
        auto_offset_reset="none", allow_auto_create_topics=False, isolation_level=isolation,
    )  # fmt: skip
    with contextlib.closing(consumer):
        assigned = [TopicPartition(topic, p) for p in range(partitions)]
        consumer.assign(assigned)
        consumer.seek_to_beginning(*assigned)
        ends = consumer.end_offsets(assigned)
        got: dict[int, list[ConsumerRecord]] = {p: [] for p in range(partitions)}
        deadline = time.monotonic() + 20
        while any(consumer.position(tp) < ends[tp] for tp in assigned):
            assert time.monotonic() < deadline, f"read {got}, wanted up to {ends}"
            for tp, records in consumer.poll(timeout_ms=500).items():
                got[tp.partition] += records
    return got


def frames(count: int, partitions: int = 3) -> list[Sent]:
    """Numbered records dealt to the partitions in turn."""
    return [
        (n % partitions, b"frame %d" % n, [("sensor", b"radar-%d" % (n % 2)), ("seq", b"%d" % n)])
        for n in range(count)
    ]


def as_sent(got: dict[int, list[ConsumerRecord]]) -> dict[int, list[Sent]]:
    return {p: [(r.partition, r.value, r.headers) for r in records] for p, records in got.items()}


def by_partition(sent: Iterable[Sent], partitions: int = 3) -> dict[int, list[Sent]]:
    return {p: [record for record in sent if record[0] == p] for p in range(partitions)}


def test_records_of_three_partitions_come_back_in_order_with_their_headers(
    broker: Broker | OutsideBroker, topic: NewTopic
) -> None:
    name, sent = topic(3), frames(300)
    produce(broker.bootstrap, name, sent)
    got = read(broker.bootstrap, name, 3)
    assert as_sent(got) == by_partition(sent)
    assert [[r.offset for r in got[p]] for p in range(3)] == [list(range(100))] * 3


def test_every_topic_has_a_name_of_its_own_and_the_partitions_asked_for(
    topic: NewTopic, admin: KafkaAdminClient
) -> None:
    names = [topic(), topic(5, {"retention.ms": "60000"})]
    assert len(set(names)) == 2
    told = {t["name"]: len(t["partitions"]) for t in admin.describe_topics(names)}
    assert told == {names[0]: 1, names[1]: 5}


def test_a_group_is_served_and_its_position_is_kept(
    broker: Broker | OutsideBroker, topic: NewTopic
) -> None:
    name, sent = topic(), frames(10, 1)
    produce(broker.bootstrap, name, sent)
    values: list[bytes] = []
    for _ in range(2):  # the second member goes on after the fifth record
        consumer = KafkaConsumer(
            name, bootstrap_servers=broker.bootstrap, group_id=name, enable_auto_commit=False,
            auto_offset_reset="earliest", max_poll_records=5,
        )  # fmt: skip
        with contextlib.closing(consumer):
            deadline = time.monotonic() + 20
            while not (polled := consumer.poll(timeout_ms=500)):
                assert time.monotonic() < deadline
            values += [r.value for records in polled.values() for r in records]
            consumer.commit()
    assert values == [value for _, value, _ in sent]


def test_an_aborted_transaction_is_hidden_from_readers_of_committed_records(
    broker: Broker | OutsideBroker, topic: NewTopic
) -> None:
    name = topic()
    producer = KafkaProducer(bootstrap_servers=broker.bootstrap, transactional_id=name)
    with contextlib.closing(producer):
        producer.init_transactions()
        producer.begin_transaction()
        producer.send(name, b"taken back").get(timeout=20)
        producer.abort_transaction()
        producer.begin_transaction()
        producer.send(name, b"meant")
        producer.commit_transaction()
    committed = read(broker.bootstrap, name, 1, "read_committed")[0]
    everything = read(broker.bootstrap, name, 1)[0]
    assert [r.value for r in committed] == [b"meant"]
    assert [r.value for r in everything] == [b"taken back", b"meant"]


def test_a_broker_killed_and_started_again_on_its_folder_keeps_the_records(
    own_broker: Broker,
) -> None:
    bootstrap, name, sent = own_broker.bootstrap, "kept", frames(300)
    with contextlib.closing(KafkaAdminClient(bootstrap_servers=bootstrap)) as admin:
        admin.create_topics({name: {"num_partitions": 3}}, wait_for_metadata=True)
    produce(bootstrap, name, sent)
    killed = own_broker.pid
    own_broker.kill()
    own_broker.start()
    assert own_broker.bootstrap == bootstrap
    assert own_broker.pid != killed
    assert as_sent(read(bootstrap, name, 3)) == by_partition(sent)
    own_broker.restart()
    assert as_sent(read(bootstrap, name, 3)) == by_partition(sent)


def test_without_java_the_reason_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setattr(shutil, "which", lambda *args, **kwargs: None)
    libs, why = find_libs()
    assert libs is None
    assert "java is not on PATH" in why


def test_the_client_checks_records_with_compiled_crc32c() -> None:
    assert isinstance(crc32c.crc32c, types.BuiltinFunctionType)
    assert util.calc_crc32c.__defaults__ == (crc32c.crc32c,)
    assert util.calc_crc32c(memoryview(b"123456789")) == 0xE3069283  # its check value
