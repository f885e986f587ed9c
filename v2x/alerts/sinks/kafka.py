"""Kafka: alert revisions as CloudEvents on one topic, dead letters on another.

A record is confirmed by its own future: that ``flush`` returned proves nothing. The producer
connects at the first send, so that a process starts without its broker; after any error it is
thrown away with what it still held, and the next send begins with a new one.
"""

import json
import socket
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal

import msgpack

from v2x.alert import Alert, Delivery
from v2x.alerts import envelope
from v2x.errors import ConfigError, GiveUp, RetryLater
from v2x.frames import Frame

with warnings.catch_warnings():  # kafka-python 3.0 loads its schemas with a call of old
    warnings.filterwarnings("ignore", "(read|open)_text is deprecated", DeprecationWarning)
    from kafka import KafkaProducer
    from kafka.errors import (
        InvalidTopicError,
        KafkaError,
        MessageSizeTooLargeError,
        RecordListTooLargeError,
    )
    from kafka.net.compat import KafkaNetClient

SETTINGS: Mapping[str, Any] = {
    "acks": "all",
    "enable_idempotence": True,
    "linger_ms": 0,
    "batch_size": 65_536,
    "request_timeout_ms": 5_000,
    "delivery_timeout_ms": 15_000,
    "max_block_ms": 1_000,
    "max_request_size": 1 << 20,
    "bootstrap_timeout_ms": 5_000,
}
"""Alerts are few and small: sent at once, and not compressed."""

KNOCK_S = 2.0
CONTENT = {"json": "application/json", "msgpack": "application/msgpack"}
Headers = list[tuple[str, bytes]]


class KafkaAlerts:
    """The alerts topic, and the topic of dead letters.

    Parameters
    ----------
    bootstrap
        Brokers, ``host:port`` separated by commas.
    topic, dead_letter_topic
        Both must exist: a typo must be an error.
    source
        Who says it: the CloudEvents ``source``, such as ``v2x/<site>``.
    options
        Further settings of the producer: security, client id, shorter time limits.

    Raises
    ------
    ConfigError
        `bootstrap` is no list of ``host:port``.
    """

    def __init__(
        self,
        bootstrap: str,
        topic: str = "v2x.alerts.v1",
        dead_letter_topic: str = "v2x.deadletter.v1",
        *,
        source: str = "v2x",
        name: str = "kafka",
        content: Literal["json", "msgpack"] = "json",
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.name = name
        self.topic = topic
        self.dead_letter_topic = dead_letter_topic
        self._source = source
        self._content = content
        self._settings = {
            **SETTINGS,
            "bootstrap_servers": _brokers(bootstrap),
            **(options or {}),
        }
        self._producer: Any = None

    def send(self, alert: Alert) -> Delivery:
        """Deliver one revision. A repeat has the same key, value and headers, byte for byte."""
        value = alert.canonical()
        if self._content == "msgpack":
            value = msgpack.packb(json.loads(value))  # the canonical order of keys stays
        headers = cloud_event(alert, self._source, CONTENT[self._content])
        return self._send(self.topic, alert.id.encode(), value, headers)

    def send_dead_letter(self, frame: Frame, reason: str) -> Delivery:
        """Deliver the raw bytes of a frame, with the reason and where it lies in headers."""
        topic, partition = frame.place
        told = {
            "reason": reason,
            "topic": topic,
            "partition": str(partition),
            "offset": str(frame.seq),
            "sensor": frame.sensor,
            "format": frame.format,
            "recv_ns": str(frame.recv_ns),
        }
        headers = [(name, text.encode()) for name, text in told.items()]
        return self._send(self.dead_letter_topic, frame.sensor.encode(), frame.payload, headers)

    def close(self) -> None:
        """Close the producer. What was not confirmed comes again from the outbox."""
        producer, self._producer = self._producer, None
        if producer is not None:
            with suppress(KafkaError):  # its flush does not wait, and says so
                producer.close(timeout=0)

    def _send(self, topic: str, key: bytes, value: bytes, headers: Headers) -> Delivery:
        try:
            if self._producer is None:
                _knock(self._settings["bootstrap_servers"])
                self._producer = _connected(self._settings)
            future = self._producer.send(topic, value, key=key, headers=headers)
            limit_s = self._settings["delivery_timeout_ms"] / 1e3 + 1.0
            told = future.get(timeout=limit_s)
        except (MessageSizeTooLargeError, RecordListTooLargeError) as e:
            raise GiveUp(f"topic {topic}: {len(value)} bytes are too many: {e}") from e
        except InvalidTopicError as e:
            raise GiveUp(f"topic {topic}: no valid name: {e}") from e
        except (KafkaError, OSError) as e:
            self.close()
            brokers = ",".join(self._settings["bootstrap_servers"])
            what = str(e).removeprefix(f"{type(e).__name__}: ")
            raise RetryLater(
                f"topic {topic} at {brokers}: {type(e).__name__}: {what}; is the broker up, and "
                "does the topic exist?"
            ) from e
        return Delivery(self.name, f"{told.topic}/{told.partition}/{told.offset}")


def _brokers(bootstrap: str) -> list[str]:
    brokers = [broker.strip() for broker in bootstrap.split(",") if broker.strip()]
    for broker in brokers:
        if not broker.rpartition(":")[2].isdigit() or not broker.rpartition(":")[0]:
            raise ConfigError(f"kafka.bootstrap: {broker!r} is no host:port")
    if not brokers:
        raise ConfigError("kafka.bootstrap: no broker is named")
    return brokers


def _knock(brokers: Sequence[str]) -> None:
    """Raise `OSError` unless one of the brokers takes a connection.

    kafka-python 3.0 does not close the socket of a connection that failed; the collector does,
    some day. An outage of hours must not be a thousand of them, so it is not asked in vain.
    """
    error: OSError | None = None
    for broker in brokers:
        host, _, port = broker.rpartition(":")
        try:
            with socket.create_connection((host.strip("[]"), int(port)), timeout=KNOCK_S):
                return
        except OSError as e:
            error = e
    raise error if error is not None else OSError("no bootstrap broker is configured")


def _connected(settings: Mapping[str, Any]) -> Any:
    """Make a producer, around two faults of kafka-python 3.0.12.

    It does not hand ``allow_auto_create_topics`` on to its metadata, so that a mistyped topic
    would come into being; and one that cannot reach its broker leaves its sockets open.
    """
    clients: list[Any] = []

    def client(**given: Any) -> Any:
        made = KafkaNetClient(**given)
        clients.append(made)
        made._manager.cluster.config["allow_auto_create_topics"] = False
        return made

    try:
        return KafkaProducer(kafka_client=client, **settings)
    except BaseException:
        for made in clients:
            made.close()
        raise


def cloud_event(alert: Alert, source: str, content_type: str) -> Headers:
    """Attributes of the CloudEvents 1.0 Kafka binding, binary mode."""
    told = {f"ce_{name}": text for name, text in envelope.attributes(alert, source).items()}
    return [(name, text.encode()) for name, text in {"content-type": content_type, **told}.items()]
