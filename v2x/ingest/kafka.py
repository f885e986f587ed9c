"""Frames from Kafka topics, merged over partitions into one order.

A record's value is one frame; its headers ``format``, ``sensor`` and ``recv_ns`` (decimal) say
what it is, the topic's configuration fills in what is missing, and the record's timestamp stands
in for a missing arrival. Several partitions are merged by arrival: a frame leaves when every
partition has a later one or has been read to its end, so the order does not depend on how the
broker cut its answers. What arrives after its turn is counted and goes on as late.

The process owns all partitions of its topics. Where to read from is the word of the checkpoint or
the store; offsets are committed to the group for lag displays only.
"""

import ssl
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from ipaddress import ip_address
from typing import Any

from v2x.config import KafkaSettings
from v2x.errors import ConfigError, SourceError
from v2x.frames import LAST_NS, Frame, Place, Poll, Tick

with warnings.catch_warnings():  # kafka-python 3.0 loads its schemas with a call of old
    warnings.filterwarnings("ignore", "(read|open)_text is deprecated", DeprecationWarning)
    from kafka import KafkaConsumer, TopicPartition
    from kafka.errors import KafkaError
    from kafka.net.compat import KafkaNetClient
    from kafka.structs import OffsetAndMetadata

CONSUMER: Mapping[str, Any] = {
    "enable_auto_commit": False,
    "auto_offset_reset": "none",
    "isolation_level": "read_uncommitted",
    "max_poll_records": 500,
    "max_partition_fetch_bytes": 4 << 20,
    "fetch_max_bytes": 16 << 20,
    "fetch_min_bytes": 1,
    "fetch_max_wait_ms": 100,
    "session_timeout_ms": 10_000,
    "heartbeat_interval_ms": 3_000,
    "max_poll_interval_ms": 60_000,
    "receive_message_max_bytes": 32 << 20,
    "bootstrap_timeout_ms": 5_000,
    "request_timeout_ms": 10_000,
    "reconnect_backoff_max_ms": 1_000,
}

STALL_NS = 60_000_000_000
"""A source that is behind the end and reads nothing for this long gives up."""

_POLL_MS, _ENDS_MS, _COMMIT_MS, _CLOSE_MS = 100, 1_000, 2_000, 2_000
_PAUSE_AT, _RESUME_AT = 5_000, 1_000


def connection(settings: KafkaSettings) -> dict[str, Any]:
    """Client settings for host, transport and login, shared by consumer and producers.

    Raises
    ------
    ConfigError
        No broker is named, or plaintext would leave this machine without `allow_plaintext`.
    """
    hosts = [host.strip() for host in settings.bootstrap.split(",") if host.strip()]
    if not hosts:
        raise ConfigError("[kafka] bootstrap: no broker is named (V2X_KAFKA_BOOTSTRAP works too)")
    made: dict[str, Any] = {
        "bootstrap_servers": hosts,
        "security_protocol": settings.security_protocol,
    }
    for host in hosts:
        if not host.rpartition(":")[2].isdigit():
            raise ConfigError(f"[kafka] bootstrap: {host!r} is no host:port")
    if settings.security_protocol == "PLAINTEXT":
        far = [host for host in hosts if not _is_here(host)]
        if far and not settings.allow_plaintext:
            raise ConfigError(
                f"[kafka] bootstrap: plaintext to {', '.join(far)}; set security_protocol, or "
                "allow_plaintext = true if the network is yours alone"
            )
        return made
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
    except OSError as e:
        raise ConfigError(f"[kafka] ca_file: {settings.ca_file}: {e.strerror or e}") from e
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    made["ssl_context"] = context
    if settings.security_protocol == "SASL_SSL":
        made["sasl_mechanism"] = settings.sasl_mechanism
        made["sasl_plain_username"] = settings.username
        made["sasl_plain_password"] = settings.password
    return made


def _is_here(broker: str) -> bool:
    """Tell whether ``host:port`` is this machine, by its address and not by how it begins."""
    host = broker.rpartition(":")[0].strip("[]")
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def connected(kind: Any, settings: Mapping[str, Any]) -> Any:
    """Make a consumer or producer of class `kind`, around two faults of kafka-python 3.0.12.

    It does not hand ``allow_auto_create_topics`` on to its metadata, so that a topic somebody
    deletes would come into being again; and one that finds no broker leaves its thread running.
    """
    clients: list[Any] = []

    def client(**given: Any) -> Any:
        made = KafkaNetClient(**given)
        clients.append(made)
        made._manager.cluster.config["allow_auto_create_topics"] = False
        return made

    try:
        return kind(kafka_client=client, **settings)
    except BaseException:
        for made in clients:
            made.close()
        raise


@dataclass
class _Partition:
    """What was read of one partition and not yet released."""

    frames: deque[Frame] = field(default_factory=deque)
    newest_ns: int = -(1 << 62)
    next_offset: int = 0
    end_offset: int = 0
    paused: bool = False
    ahead: set[int] = field(default_factory=set)
    """Offsets above the position that were released already: not given again after a restart."""

    @property
    def at_end(self) -> bool:
        return self.next_offset >= self.end_offset and not self.paused

    @property
    def position(self) -> int:
        """Lowest offset that was not yet released; frames wait in the order they were read in."""
        return self.frames[0].seq if self.frames else self.next_offset


class Merge:
    """Frames of several partitions in the order (`recv_ns`, sensor name, source order).

    Pure bookkeeping, so that it can be tested without a broker.

    Parameters
    ----------
    ends, starts
        End offsets known so far, and where to begin, per partition.
    state
        What the merge of an earlier process gave as its `state`, if `starts` continue it.
    """

    def __init__(
        self,
        ends: Mapping[Place, int],
        starts: Mapping[Place, int],
        state: Mapping[str, Any] | None = None,
    ) -> None:
        self.partitions = {
            place: _Partition(next_offset=starts[place], end_offset=end)
            for place, end in sorted(ends.items())
        }
        self._released_ns = -(1 << 62)
        self.disorder = 0
        if state is not None:
            self._released_ns = state["released_ns"]
            for topic, number, ahead in state["ahead"]:
                if (topic, number) in self.partitions:
                    self.partitions[topic, number].ahead = set(ahead)

    def state(self) -> dict[str, Any]:
        """What a restart from `positions` must know beside them."""
        return {
            "released_ns": self._released_ns,
            "ahead": [(*place, sorted(p.ahead)) for place, p in self.partitions.items() if p.ahead],
        }

    def put(self, frame: Frame) -> None:
        """Take a frame that was read from its partition."""
        partition = self.partitions[frame.place]
        partition.newest_ns = max(partition.newest_ns, frame.recv_ns)
        partition.next_offset = frame.seq + 1
        if frame.seq in partition.ahead:
            return
        partition.frames.append(frame)
        if frame.recv_ns < self._released_ns:
            self.disorder += 1

    def bound(self) -> int:
        """Arrival from which on a partition may still hold an earlier frame than the others."""
        return min((p.newest_ns for p in self.partitions.values() if not p.at_end), default=LAST_NS)

    def release(self) -> list[Frame]:
        """Frames whose turn has come, in order."""
        bound = self.bound()
        out: list[Frame] = []
        for partition in self.partitions.values():
            keep: deque[Frame] = deque()
            for frame in partition.frames:
                if frame.recv_ns >= bound:
                    keep.append(frame)
                    continue
                out.append(frame)
                if keep:
                    partition.ahead.add(frame.seq)
            partition.frames = keep
            if partition.ahead:
                position = partition.position
                partition.ahead = {seq for seq in partition.ahead if seq > position}
        out.sort(key=lambda f: (f.recv_ns, f.sensor, f.place, f.seq))
        if out:
            self._released_ns = max(self._released_ns, out[-1].recv_ns)
        return out

    def positions(self) -> dict[Place, int]:
        """Lowest offset per partition that was not yet released."""
        return {place: p.position for place, p in self.partitions.items()}

    @property
    def at_end(self) -> bool:
        """Every partition was read to its end offset and nothing waits."""
        return all(p.at_end and not p.frames for p in self.partitions.values())


class KafkaSource:
    """Polls of the configured topics.

    Parameters
    ----------
    settings
        The ``[kafka]`` table.
    start
        Offsets to read from; partitions it does not name start by ``on_missing``.
    until_end
        Stop at the end offsets seen at the start instead of going on for ever.
    state
        What the source of an earlier process gave as its `state`: read on from there; its
        positions win over `start`.
    monotonic_ns
        Clock between records, for ticks.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        start: Mapping[Place, int] | None = None,
        *,
        until_end: bool = False,
        state: Mapping[str, Any] | None = None,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        if not settings.topics:
            raise ConfigError("[kafka] topics: no topic of frames is named")
        self._settings = settings
        self._until_end = until_end
        self._monotonic_ns = monotonic_ns
        self._topics = {topic.topic: topic for topic in settings.topics}
        self.stopping = False
        self.commit_failures = 0
        self._newest_ns = self._clock_ns = 0
        if state is not None:
            self._newest_ns, self._clock_ns = state["newest_ns"], state["clock_ns"]
            start = {**(start or {}), **{(t, p): seq for t, p, seq in state["positions"]}}
        try:
            self._consumer = connected(
                KafkaConsumer, {**CONSUMER, **connection(settings), "group_id": settings.group}
            )
        except KafkaError as e:
            raise SourceError(f"Kafka at {settings.bootstrap}: no broker answers: {e}") from e
        try:
            self._merge = self._assign(start or {}, state)
        except BaseException:
            self.close()
            raise

    def _assign(self, start: Mapping[Place, int], state: Mapping[str, Any] | None) -> Merge:
        consumer = self._consumer
        places: list[Place] = []
        for topic in self._topics:
            places += [(topic, p) for p in self._partitions(topic)]
        assigned = [TopicPartition(*place) for place in places]
        consumer.assign(assigned)
        first = self._ask(lambda: consumer.beginning_offsets(assigned))
        ends = self._ask(lambda: consumer.end_offsets(assigned))
        starts: dict[Place, int] = {}
        self.lost_upstream = 0
        for place, tp in zip(places, assigned, strict=True):
            if place in start:
                wanted = start[place]
                if wanted < first[tp]:
                    self.lost_upstream += first[tp] - wanted
                    wanted = first[tp]
                if wanted > ends[tp]:
                    raise SourceError(
                        f"Kafka topic {place[0]!r} partition {place[1]} ends at {ends[tp]}, before "
                        f"our position {wanted}: it was recreated or truncated"
                    )
            else:
                wanted = first[tp] if self._settings.on_missing == "earliest" else ends[tp]
            consumer.seek(tp, wanted)
            starts[place] = wanted
        self.starts = starts
        known = {p: ends[tp] for p, tp in zip(places, assigned, strict=True)}
        return Merge(known, starts, None if state is None else state["merge"])

    def state(self) -> dict[str, Any]:
        """Where reading stands between two polls, for a checkpoint."""
        return {
            "positions": [(*place, seq) for place, seq in self._merge.positions().items()],
            "merge": self._merge.state(),
            "newest_ns": self._newest_ns,
            "clock_ns": self._clock_ns,
        }

    def require(self, *topics: str) -> None:
        """Raise `SourceError` unless the topics are there: those we write to, say."""
        for topic in topics:
            self._partitions(topic)

    def _partitions(self, topic: str) -> list[int]:
        found = self._ask(partial(self._consumer.partitions_for_topic, topic))
        if not found:
            raise SourceError(
                f"Kafka topic {topic!r} does not exist at {self._settings.bootstrap}, or is closed "
                "to us: create it, or correct its name in [kafka]"
            )
        return sorted(found)

    def _ask(self, question: Callable[[], Any]) -> Any:
        try:
            return question()
        except KafkaError as e:
            raise SourceError(f"Kafka at {self._settings.bootstrap}: {e}") from e

    def __iter__(self) -> Iterator[Poll]:
        """Polls, until the end offsets seen at the start or until `stopping` is set."""
        merge = self._merge
        base_ns, read_at, before, idle_ns = self._clock_ns, self._monotonic_ns(), 0, 0
        while not self.stopping:
            if self._until_end and merge.at_end:
                return
            began = self._monotonic_ns()
            read = self._read()
            idle_ns = 0 if read or merge.at_end else idle_ns + self._monotonic_ns() - began
            if idle_ns > STALL_NS:
                raise self._stalled()
            now_ns = self._monotonic_ns()
            sure = self._ask(partial(self._follow_ends, read))
            frames = merge.release()
            self._press_back()
            ticks: list[Tick] = []
            if frames:
                self._newest_ns = max(self._newest_ns, frames[-1].recv_ns)
                self._clock_ns = base_ns = self._newest_ns
                read_at = now_ns
            elif base_ns and sure and merge.at_end:
                self._clock_ns = base_ns + now_ns - read_at
                ticks.append(Tick(self._clock_ns))
            if frames or ticks:
                disorder, before = merge.disorder - before, merge.disorder
                yield Poll(frames, ticks, merge.positions(), disorder)

    def _read(self) -> int:
        """Put what the broker sent into the merge; the number of records."""
        answer = self._ask(partial(self._consumer.poll, timeout_ms=_POLL_MS))
        for tp, records in answer.items():
            partition = self._merge.partitions[tp.topic, tp.partition]
            for record in records:
                if self._until_end and record.offset >= partition.end_offset:
                    break
                self._merge.put(self._frame(record))
        return sum(map(len, answer.values()))

    def _stalled(self) -> SourceError:
        behind = [
            f"{topic}/{number} at {p.next_offset} of {p.end_offset}"
            for (topic, number), p in self._merge.partitions.items()
            if not p.at_end
        ]
        return SourceError(
            f"Kafka at {self._settings.bootstrap}: nothing read for {STALL_NS // 10**9} s although "
            f"there is more: {', '.join(behind)}"
        )

    def _follow_ends(self, read: int) -> bool:
        """Move positions over gaps (markers, compaction); live, follow the growing ends.

        The client learns of an end when it hands out what it fetched. Where that is not enough the
        broker is asked: behind a full poll more waits inside the client, and behind an empty one
        the clock may go on only if there truly is nothing, which an outage would look like.

        Returns
        -------
        bool
            Live, and the broker has just told all ends.
        """
        tps = {TopicPartition(*place): p for place, p in self._merge.partitions.items()}
        told: Mapping[Any, int] = {}
        if not self._until_end and (not read or read >= CONSUMER["max_poll_records"]):
            with suppress(KafkaError):  # away: as good as not asked
                told = self._consumer.end_offsets(list(tps), timeout_ms=_ENDS_MS)
        for tp, partition in tps.items():
            if partition.paused:
                continue
            if not partition.at_end:
                position = self._consumer.position(tp, timeout_ms=0)
                partition.next_offset = max(partition.next_offset, position or 0)
            if not self._until_end:
                end = max(self._consumer.highwater(tp) or 0, told.get(tp, 0))
                partition.end_offset = max(partition.end_offset, end)
        return bool(told)

    def _press_back(self) -> None:
        """Read no further where others hold many frames up; never where it holds up itself.

        Partitions leave the assignment and come back to it: kafka-python 3.0.12 never again gives
        records of one that was paused while the client had parsed some of them.
        """
        bound = self._merge.bound()
        tps = {TopicPartition(*place): p for place, p in self._merge.partitions.items()}
        before = [p.paused for p in tps.values()]
        resumed: list[Any] = []
        for tp, partition in tps.items():
            waiting, ahead = len(partition.frames), partition.newest_ns > bound
            if not partition.paused:
                partition.paused = ahead and waiting > _PAUSE_AT
            elif waiting < _RESUME_AT or not ahead:
                partition.paused = False
                resumed.append(tp)
        if before != [p.paused for p in tps.values()]:
            self._consumer.assign([tp for tp, p in tps.items() if not p.paused])
            for tp in resumed:
                self._consumer.seek(tp, tps[tp].next_offset)

    def _frame(self, record: Any) -> Frame:
        headers = dict(record.headers or ())
        topic = self._topics[record.topic]
        sensor = headers.get("sensor")
        form = headers.get("format")
        try:
            recv_ns = int(headers.get("recv_ns") or b"")  # a header's value may be null
        except ValueError:
            recv_ns = -1
        if not 0 <= recv_ns < LAST_NS:
            recv_ns = min(max(record.timestamp or 0, 0) * 1_000_000, LAST_NS - 1)
        return Frame(
            recv_ns,
            (topic.sensor or "") if sensor is None else sensor.decode("utf-8", "replace"),
            (topic.format or "") if form is None else form.decode("utf-8", "replace"),
            record.value or b"",
            (record.topic, record.partition),
            record.offset,
        )

    def commit(self, positions: Mapping[Place, int]) -> None:
        """Tell the group how far we are durable; a failure only blinds the lag display."""
        offsets = {
            TopicPartition(*place): OffsetAndMetadata(offset, "", -1)
            for place, offset in positions.items()
        }
        try:
            self._consumer.commit(offsets, timeout_ms=_COMMIT_MS)
        except KafkaError:
            self.commit_failures += 1

    def close(self) -> None:
        """Leave the broker."""
        self._consumer.close(timeout_ms=_CLOSE_MS)
