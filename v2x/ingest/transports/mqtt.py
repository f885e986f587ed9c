"""MQTT 3.1.1: roadside units publish, we subscribe with a persistent session at QoS 1.

A message is acknowledged when its frame is safe behind the outlet. Until then the broker keeps it,
and sends it again after a reconnect or a restart of ours: nothing is lost, a few come twice. While
there is no room the client's thread waits and reads nothing, so that the broker holds the rest; if
that outlasts the keep-alive the broker ends the connection, and it is made anew.

An acknowledgement belongs to the connection that brought the message: a later one may use its
number for another message.
"""

import asyncio
import ssl
from concurrent.futures import CancelledError, Future
from functools import partial
from typing import Any

import structlog
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from v2x.bridge import MqttSettings
from v2x.errors import ConfigError
from v2x.ingest.transports.backoff import Backoff
from v2x.ingest.transports.intake import Intake

log = structlog.get_logger()

_QOS = 1


class Subscriber:
    """One broker."""

    def __init__(self, settings: MqttSettings, intake: Intake) -> None:
        self._settings, self._intake = settings, intake
        self._backoff = Backoff(0.5, 60.0)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._down = asyncio.Event()
        self._stopping = False
        self._connection = 0
        self._waiting: Future[None] | None = None
        self._tls = _context(settings) if settings.tls else None
        self._client: paho.Client | None = None

    def _made(self) -> paho.Client:
        """A client for one connection: paho 2 leaves sockets of an earlier one open."""
        settings = self._settings
        client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=settings.client_id, clean_session=False,
            reconnect_on_failure=False, manual_ack=True,
        )  # fmt: skip
        if settings.username:
            client.username_pw_set(settings.username, settings.password)
        if self._tls is not None:
            client.tls_set_context(self._tls)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        return client

    async def start(self) -> None:
        """Begin to connect; a broker that is away may come later."""
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        name, tally = self._settings.name, self._intake.tally
        host, _, port = self._settings.broker.rpartition(":")
        while not self._stopping:
            self._down.clear()
            self._connection += 1
            client = self._client = self._made()
            try:
                await asyncio.to_thread(
                    client.connect, host.strip("[]"), int(port), self._settings.keepalive_s
                )
            except OSError as e:
                tally.events[name, "not_connected"] += 1
                if self._backoff.tries == 0:
                    log.warning("no MQTT broker", transport=name, error=str(e))
            else:
                client.loop_start()
                try:
                    await self._down.wait()
                finally:
                    await asyncio.to_thread(client.loop_stop)
            if not self._stopping:
                await asyncio.sleep(self._backoff.next_s())

    def _on_connect(self, client: Any, userdata: Any, flags: Any, reason: Any, _: Any) -> None:
        """In the client's thread: subscribe, whether the broker remembers us or not."""
        if reason.is_failure:
            self._say("refused", error=str(reason))
            return
        self._say("connected", session=bool(flags.session_present))
        client.subscribe([(topic.filter, _QOS) for topic in self._settings.topics])
        self._backoff.reset()

    def _on_disconnect(self, client: Any, userdata: Any, flags: Any, reason: Any, _: Any) -> None:
        self._say("lost" if reason.is_failure else "closed")
        self._call(self._down.set)

    def _on_message(self, client: Any, userdata: Any, message: Any) -> None:
        """In the client's thread: wait until there is room; while we stop, leave it unanswered."""
        loop = self._loop
        if self._stopping or loop is None:
            return
        given = self._put(bytes(message.payload), _topic(message), message.mid, message.qos)
        self._waiting = asyncio.run_coroutine_threadsafe(given, loop)
        try:
            self._waiting.result()
        except CancelledError:
            return

    async def _put(self, payload: bytes, topic: str, mid: int, qos: int) -> None:
        intake, name = self._intake, self._settings.name
        safe = partial(self._acknowledge, mid, qos, self._connection)
        rule = next((r for r in self._settings.topics if matches(r.filter, topic)), None)
        if rule is None:
            intake.tally.frames[name] += 1
            intake.stranger(name, "unknown_topic", topic)
            safe()
            return
        levels = levels_of(rule.filter, topic)
        if not await intake.put(name, rule.sensor, rule.format, payload, safe, levels):
            safe()

    def _acknowledge(self, mid: int, qos: int, connection: int) -> None:
        current = qos == _QOS and connection == self._connection and not self._down.is_set()
        if current and self._client is not None:
            self._client.ack(mid, qos)

    async def stop(self) -> None:
        """Take no more messages; what was taken is still acknowledged until `finish`."""
        self._stopping = True
        if self._waiting is not None:
            self._waiting.cancel()

    async def finish(self) -> None:
        """Leave the broker; it keeps the session and what is not acknowledged."""
        if self._task is None:
            return
        client, self._client = self._client, None
        if client is not None and client.is_connected():
            client.disconnect()
            try:
                async with asyncio.timeout(5.0):
                    await self._down.wait()
                    await self._task
            except TimeoutError:
                pass
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def _say(self, event: str, **more: Any) -> None:
        log.info("MQTT " + event, transport=self._settings.name, **more)
        self._call(partial(self._count, event))

    def _count(self, event: str) -> None:
        self._intake.tally.events[self._settings.name, event] += 1

    def _call(self, what: Any) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(what)


def _context(settings: MqttSettings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
    except OSError as e:
        raise ConfigError(
            f"[[bridge.mqtt]] {settings.name}: ca_file: {settings.ca_file}: {e.strerror or e}"
        ) from e
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _topic(message: Any) -> str:
    try:
        return str(message.topic)
    except UnicodeDecodeError:
        return ""


def matches(filter: str, topic: str) -> bool:
    """Whether a topic falls under a filter (MQTT 3.1.1, 4.7)."""
    return bool(paho.topic_matches_sub(filter, topic))


def levels_of(filter: str, topic: str) -> list[str]:
    """Levels of a topic that stand where the filter has a ``+``."""
    pairs = zip(filter.split("/"), topic.split("/"), strict=False)
    return [level for want, level in pairs if want == "+"]
