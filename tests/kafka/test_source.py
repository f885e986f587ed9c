"""The Kafka source alone against a real broker: odd topics, odd records, odd positions."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord

from v2x.config import KafkaSettings, KafkaTopic
from v2x.errors import SourceError
from v2x.frames import Frame, Place
from v2x.ingest.kafka import KafkaSource

from .broker import Broker
from .conftest import NewTopic, OutsideBroker

pytestmark = pytest.mark.kafka

Sent = tuple[int, int]  # partition, arrival in ns


@contextlib.contextmanager
def reading(
    broker: str, topic: str, start: Mapping[Place, int] | None = None, *, until_end: bool = True
) -> Iterator[KafkaSource]:
    settings = KafkaSettings(
        bootstrap=broker,
        group=topic,
        topics=(KafkaTopic(topic=topic, format="nmea", sensor="s"),),
        on_missing="earliest",
        allow_plaintext=True,
    )
    with contextlib.closing(KafkaSource(settings, start, until_end=until_end)) as source:
        yield source


def frames(source: KafkaSource, most: int | None = None) -> list[Frame]:
    """Frames to the end of the source, or the first polls that hold `most` of them."""
    got: list[Frame] = []
    for poll in source:
        got += poll.frames
        if most is not None and len(got) >= most:
            source.stopping = True
    return got


def produce(broker: str, topic: str, sent: Sequence[Sent]) -> None:
    with contextlib.closing(KafkaProducer(bootstrap_servers=broker, linger_ms=20)) as producer:
        futures = [
            producer.send(topic, b"x", partition=partition, headers=[("recv_ns", b"%d" % t)])
            for partition, t in sent
        ]
        producer.flush(timeout=30)
        assert all(future.succeeded() for future in futures)


def test_a_topic_that_ends_with_a_marker_of_a_transaction_has_an_end(
    broker: Broker | OutsideBroker, topic: NewTopic
) -> None:
    name = topic(2)
    producer = KafkaProducer(bootstrap_servers=broker.bootstrap, transactional_id=name)
    with contextlib.closing(producer):
        producer.init_transactions()
        producer.begin_transaction()
        for partition, t in ((0, 5), (1, 7), (0, 6)):
            headers = [("recv_ns", b"%d" % t)]
            producer.send(name, b"x", partition=partition, headers=headers)
        producer.commit_transaction()
    with reading(broker.bootstrap, name) as source:
        assert [f.recv_ns for f in frames(source)] == [5, 6, 7]


def test_more_frames_of_one_instant_than_a_partition_may_hold_back_do_not_stop_it(
    broker: Broker | OutsideBroker, topic: NewTopic
) -> None:
    name = topic(2)
    produce(broker.bootstrap, name, [(0, 5)] * 6_500 + [(1, 4), (1, 9), (0, 8)])
    with reading(broker.bootstrap, name) as source:
        got = [f.recv_ns for f in frames(source)]
    assert got == [4] + [5] * 6_500 + [8, 9]


def test_a_partition_far_ahead_waits_for_the_other_and_all_come_in_order(
    broker: Broker | OutsideBroker, topic: NewTopic
) -> None:
    name = topic(2)
    sent = [(0, 2 * t) for t in range(6_000)] + [(1, 2 * t + 1) for t in range(6_000)]
    produce(broker.bootstrap, name, sent)
    for until_end in (True, False):
        with reading(broker.bootstrap, name, until_end=until_end) as source:
            got = [f.recv_ns for f in frames(source, 12_000)]
        assert got == list(range(12_000))


def test_a_record_with_odd_headers_takes_what_the_topic_and_the_record_say(
    broker: Broker | OutsideBroker, topic: NewTopic
) -> None:
    name = topic()
    odd = [
        [],
        [("recv_ns", b"-1")],
        [("recv_ns", b"soon")],
        [("recv_ns", b"9" * 5_000)],
        [("recv_ns", b"4000000"), ("sensor", b"\xff\xfe"), ("format", b"rsu")],
    ]
    with contextlib.closing(KafkaProducer(bootstrap_servers=broker.bootstrap)) as producer:
        for n, headers in enumerate(odd):
            producer.send(name, b"x", headers=headers, timestamp_ms=n + 1).get(timeout=10)
        producer.send(name, None, key=b"k", timestamp_ms=0).get(timeout=10)
    with reading(broker.bootstrap, name) as source:
        got = sorted(frames(source), key=lambda f: f.seq)
        null = [("recv_ns", None), ("sensor", None), ("format", None)]  # no client here sends it
        got.append(source._frame(ConsumerRecord(name, 0, 0, 6, 7, 0, None, b"x", null, *[0] * 4)))
    ms = 1_000_000
    assert [f.recv_ns for f in got] == [ms, 2 * ms, 3 * ms, 4 * ms, 4 * ms, 0, 7 * ms]
    assert [(f.sensor, f.format) for f in (*got[:4], *got[5:])] == [("s", "nmea")] * 6
    assert (got[4].sensor, got[4].format) == ("\ufffd\ufffd", "rsu")
    assert got[5].payload == b""


def test_frames_that_aged_out_before_they_were_read_are_counted(
    broker: Broker | OutsideBroker, topic: NewTopic, admin: KafkaAdminClient
) -> None:
    name = topic()
    produce(broker.bootstrap, name, [(0, t) for t in range(10)])
    admin.delete_records({TopicPartition(name, 0): 4})
    with reading(broker.bootstrap, name, {(name, 0): 1}) as source:
        assert source.lost_upstream == 3
        assert [f.seq for f in frames(source)] == [4, 5, 6, 7, 8, 9]


def test_a_topic_that_ends_before_our_position_is_named(
    broker: Broker | OutsideBroker, topic: NewTopic
) -> None:
    name = topic()
    produce(broker.bootstrap, name, [(0, 1)])
    with pytest.raises(SourceError, match=f"'{name}' partition 0 ends at 1, before our position 9"):
        KafkaSource(
            KafkaSettings(
                bootstrap=broker.bootstrap, topics=(KafkaTopic(topic=name),), allow_plaintext=True
            ),
            {(name, 0): 9},
        )


def test_commits_are_those_of_the_group(broker: Broker | OutsideBroker, topic: NewTopic) -> None:
    name = topic()
    produce(broker.bootstrap, name, [(0, t) for t in range(3)])
    with reading(broker.bootstrap, name) as source:
        frames(source)
        source.commit({(name, 0): 2})
        assert source.commit_failures == 0
    looking = KafkaConsumer(
        bootstrap_servers=broker.bootstrap, group_id=name, enable_auto_commit=False
    )
    with contextlib.closing(looking):
        assert looking.committed(TopicPartition(name, 0)) == 2
