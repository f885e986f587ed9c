"""Frames into a Kafka topic: key = sensor id, headers ``format``, ``sensor``, ``recv_ns``.

The producer connects at the first frame, so that a bridge starts before its broker. A frame is
confirmed by its own future. After any failure the producer is thrown away with what it held: only
a new one, given everything again in order, keeps the order.
"""

import socket
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from kafka import KafkaProducer
from kafka.errors import (
    InvalidTopicError,
    KafkaError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    UnknownTopicOrPartitionError,
)

from v2x.config import KafkaSettings
from v2x.errors import RetryLater
from v2x.frames import Frame
from v2x.ingest.kafka import connected, connection

PRODUCER: Mapping[str, Any] = {
    "acks": "all",
    "enable_idempotence": True,
    "linger_ms": 5,
    "batch_size": 262_144,
    "request_timeout_ms": 5_000,
    "delivery_timeout_ms": 15_000,
    "max_block_ms": 1_000,
    "max_request_size": 1 << 20,
    "bootstrap_timeout_ms": 5_000,
}
"""Frames are not compressed: a reader bounds what it fetches by compressed bytes."""

_KNOCK_S, _CLOSE_S = 2.0, 1.0


class KafkaOutlet:
    """Frames into one topic.

    Raises
    ------
    ConfigError
        The settings name no broker, or plaintext would leave this machine.
    """

    def __init__(self, settings: KafkaSettings, topic: str) -> None:
        self.topic = topic
        self._settings = {**PRODUCER, **connection(settings)}
        self._producer: Any = None
        self._futures: deque[Any] = deque()

    def send(self, frame: Frame) -> None:
        """Hand a frame to the producer."""
        headers = [
            ("format", frame.format.encode()),
            ("sensor", frame.sensor.encode()),
            ("recv_ns", b"%d" % frame.recv_ns),
        ]
        try:
            if self._producer is None:
                _knock(self._settings["bootstrap_servers"])
                self._producer = connected(KafkaProducer, self._settings)
            self._futures.append(
                self._producer.send(
                    self.topic, key=frame.sensor.encode(), value=frame.payload, headers=headers
                )
            )
        except MessageSizeTooLargeError:
            self._futures.append(None)
        except (KafkaError, OSError, AssertionError) as e:
            raise RetryLater(self._says(e)) from e

    def confirmed(self) -> Sequence[bool]:
        """Fates of the oldest frames that the broker has answered for."""
        fates: list[bool] = []
        while self._futures:
            future = self._futures[0]
            if future is None:
                fates.append(False)
            elif not future.is_done:
                break
            elif future.succeeded():
                fates.append(True)
            elif isinstance(future.exception, (MessageSizeTooLargeError, RecordListTooLargeError)):
                fates.append(False)
            elif fates:
                break  # these first; the next call fails
            else:
                raise RetryLater(self._says(future.exception))
            self._futures.popleft()
        return fates

    def reset(self) -> None:
        """Throw the producer away, and what it held."""
        self._futures.clear()
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.close(timeout=0)

    def close(self) -> None:
        """Close the producer; what is confirmed is confirmed."""
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.close(timeout=_CLOSE_S)

    def discard(self) -> None:
        """Close the producer."""
        self.close()

    def _says(self, error: BaseException) -> str:
        hosts = ", ".join(self._settings["bootstrap_servers"])
        text = f"Kafka at {hosts}, topic {self.topic!r}: {str(error) or type(error).__name__}"
        if isinstance(error, (InvalidTopicError, UnknownTopicOrPartitionError)):
            text += "; does the topic exist?"
        return text


def _knock(brokers: Sequence[str]) -> None:
    """Raise `OSError` unless a broker takes a connection: the client leaks one that fails."""
    error: OSError | None = None
    for broker in brokers:
        host, _, port = broker.rpartition(":")
        try:
            with socket.create_connection((host.strip("[]"), int(port)), timeout=_KNOCK_S):
                return
        except OSError as e:
            error = e
    raise error if error is not None else OSError("no bootstrap broker is configured")
