"""The bridge: transports of a site into Kafka or a drive, until it is told to stop.

Everything runs in one event loop but the outlet, which blocks and has a thread of its own. To stop,
no transport reads any more; what was taken goes out, and is acknowledged as it becomes safe, for at
most ``drain_s``; then the connections end.
"""

import asyncio
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from time import time_ns
from typing import Any, Protocol

import structlog

from v2x.config import Config
from v2x.errors import ConfigError, V2XError
from v2x.ingest.drive import DriveSink
from v2x.ingest.formats import format_named
from v2x.ingest.jt808_replies import reply_to
from v2x.ingest.transports.forwarder import DriveOutlet, Forwarder, Outlet
from v2x.ingest.transports.intake import Intake, Taken
from v2x.ingest.transports.metrics import Page
from v2x.ingest.transports.mqtt import Subscriber
from v2x.ingest.transports.tcp import Dialer, Listener, Reply
from v2x.ingest.transports.topic import KafkaOutlet
from v2x.ingest.transports.udp import Datagrams

log = structlog.get_logger()

CONFIG_NAME = "v2x.toml"
"""Name of the configuration among the attachments of a drive."""

_PASSWORD = re.compile(rb"""(\bpassword["']?\s*=\s*)("(?:[^"\\\n]|\\.)*"|'[^'\n]*')""")
_SECRET = re.compile(rb"whsec_[A-Za-z0-9+/=]*")


class Transport(Protocol):
    """One wire."""

    async def start(self) -> None:
        """Open it, or begin to try."""
        ...

    async def stop(self) -> None:
        """Read no more."""
        ...

    async def finish(self) -> None:
        """Acknowledge no more; end the connections."""
        ...


class Bridge:
    """See the module.

    Parameters
    ----------
    config
        The whole configuration: ``[bridge]``, the sensors, and ``[kafka]`` for its broker.
    out
        Drive to write instead of Kafka.
    outlet
        Where frames go instead of either.
    reply
        What terminals are answered where ``reply`` is set.

    Raises
    ------
    ConfigError
        No transport is configured, a format is unknown, or a sensor that a transport names does
        not exist.
    """

    def __init__(
        self,
        config: Config,
        out: Path | None = None,
        *,
        outlet: Outlet | None = None,
        reply: Reply | None = reply_to,
        clock_ns: Callable[[], int] = time_ns,
    ) -> None:
        self.config = config
        settings = config.bridge
        _check(config)
        self.intake = Intake(
            {sensor.name: sensor.format for sensor in config.sensors},
            settings.waiting_frames,
            settings.waiting_bytes,
            settings.max_frame_bytes,
            clock_ns,
        )
        if outlet is not None:
            self.outlet = outlet
        elif out is not None:
            self.outlet = DriveOutlet(DriveSink(out, carried(config)))
        else:
            self.outlet = KafkaOutlet(config.kafka, settings.topic)
        self.transports: list[Transport] = []
        self._reply = reply
        self.page: Page | None = None
        self.error: V2XError | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ends = asyncio.Event()
        self._stopped = False
        self.started = False

    def run(self) -> dict[str, Any]:
        """Run until `stop`; what was counted.

        Raises
        ------
        V2XError
            A port cannot be had, or a drive cannot be written.
        """
        return asyncio.run(self.main())

    def stop(self) -> None:
        """End soon: from any thread, or a handler of signals."""
        self._stopped = True
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._ends.set)

    async def main(self) -> dict[str, Any]:
        """The same as `run`, in a loop that is there."""
        settings = self.config.bridge
        self._loop = asyncio.get_running_loop()
        if self._stopped:
            self._ends.set()
        forwarder = Forwarder(self.intake.queue, self.outlet, self._confirmed, self._failed)
        self.transports = [
            *(Subscriber(one, self.intake) for one in settings.mqtt),
            *(
                (Listener if one.listen else Dialer)(one, self.intake, self._reply)
                for one in settings.tcp
            ),
            *(Datagrams(one, self.intake) for one in settings.udp),
        ]
        forwarder.start()
        drained = self.started = False
        try:
            if settings.metrics is not None:
                self.page = Page(settings.metrics, self.intake.tally, lambda: forwarder.retries)
            for transport in self.transports:
                await transport.start()
            self.started = True
            log.info("bridge runs", transports=len(self.transports))
            await self._ends.wait()
        finally:
            for transport in self.transports:
                await transport.stop()
            drained = await asyncio.to_thread(forwarder.drain, settings.drain_s)
            await asyncio.sleep(0)  # confirmations that the other thread has just handed over
            for transport in self.transports:
                await transport.finish()
            if self.page is not None:
                self.page.close()
            if not self.started:
                self.outlet.discard()
        if self.error is not None:
            with suppress(V2XError):  # a full disk, say, which is told already
                self.outlet.close()
            raise self.error
        await asyncio.to_thread(self.outlet.close)
        told = {**self.intake.tally.told(), "retries": forwarder.retries, "drained": drained}
        log.info("bridge stopped", drained=drained, confirmed=told["confirmed"])
        return told

    def _confirmed(self, taken: list[Taken], safe: Sequence[bool]) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self.intake.confirmed, taken, safe)

    def _failed(self, error: V2XError) -> None:
        self.error = error
        log.error("outlet failed", error=str(error))
        self.stop()


def _check(config: Config) -> None:
    """Raise `ConfigError` where a transport names what is not there."""
    settings = config.bridge
    rules: list[tuple[str, str, str | None]] = []
    for broker in settings.mqtt:
        rules += [(broker.name, topic.sensor, topic.format) for topic in broker.topics]
    rules += [(one.name, one.sensor, one.format) for one in settings.tcp]
    rules += [(one.name, one.sensor, one.format) for one in settings.udp]
    if not rules:
        raise config.error("[bridge]: no transport: add [[bridge.mqtt]], [[bridge.tcp]] or udp")
    formats = {sensor.name: sensor.format for sensor in config.sensors}
    for name, sensor, form in rules:
        if "{" not in sensor and sensor not in formats:
            raise config.error(f"[bridge] {name}: no [[sensors]] entry is named {sensor!r}")
        try:
            if form or "{" not in sensor:
                format_named(form or formats[sensor])
        except ConfigError as e:
            raise config.error(f"[bridge] {name}: {e}") from None


def carried(config: Config) -> dict[str, bytes]:
    """Configuration without its passwords and secrets, and its files, as a drive carries them.

    Raises
    ------
    ConfigError
        It did not come from a file, or a file stands in a folder: a drive has none.
    """
    if not config.origin:
        raise ConfigError("a drive carries its configuration, and this one is in no file")
    told = _PASSWORD.sub(rb'\1""', Path(config.origin).read_bytes())
    files = {CONFIG_NAME: _SECRET.sub(b"", told)}
    airspace = config.airspace
    names = [airspace.zones, airspace.registry, airspace.plans, config.site.terrain]
    names += config.mapping_files
    for name in names:
        path = config.file(name)
        if name is None or path is None:
            continue
        if "/" in name:
            raise config.error(f"{name}: a drive can only carry files beside the configuration")
        files[name] = path.read_bytes()
    return files
