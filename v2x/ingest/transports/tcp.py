"""Streams: a port that terminals connect to, or a receiver that we connect to.

A connection is read only while there is room for what it sends (TCP then slows the sender down),
is cut into frames, and ends after a silence. Frames of one connection keep their order.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import structlog

from v2x.bridge import TcpSettings
from v2x.errors import SourceError
from v2x.ingest.transports.backoff import Backoff
from v2x.ingest.transports.framing import Broken, Cutter, cutter
from v2x.ingest.transports.intake import Intake

log = structlog.get_logger()

Reply = Callable[[bytes, int], bytes | None]
"""Answer to a frame, with the number of the answer on its connection; None: no answer."""

_READ_BYTES = 65_536
_ANSWERS_MOST = 65_536
"""Bytes of answers that a terminal may leave unread before it is cut off."""
_CONNECT_S, _LAST_ANSWERS_S, _CLOSE_S = 10.0, 10.0, 2.0


class Stream:
    """What one connection says, from the first byte to the last, and what it is answered."""

    def __init__(
        self, settings: TcpSettings, intake: Intake, reply: Reply | None,
        writer: asyncio.StreamWriter,
    ) -> None:  # fmt: skip
        self._settings, self._intake = settings, intake
        self._reply = reply if settings.reply else None
        self._writer = writer
        self._unanswered = self._answers = 0
        self._all_answered = asyncio.Event()

    async def run(self, reader: asyncio.StreamReader) -> None:
        """Read until the other side ends, falls silent, or sends what cannot be cut.

        Cancelled, it stops reading and leaves the connection open for answers: `close` ends it.
        """
        name, tally = self._settings.name, self._intake.tally
        tally.connections[name] += 1
        cut = cutter(self._settings.framing, self._intake.most_frame_bytes)
        end = "closed"
        try:
            while True:
                async with asyncio.timeout(self._settings.idle_s):
                    data = await reader.read(_READ_BYTES)
                if not data:
                    await self._rest()
                    break
                await self._take(cut, data)
        except TimeoutError:
            end = "idle"
        except Broken:
            end = "broken"
        except OSError:
            end = "lost"
        except asyncio.CancelledError:
            end = "stopped"
            raise
        finally:
            tally.connections[name] -= 1
            tally.events[name, end] += 1
            tally.skipped_bytes[name] += cut.pending
            self._count(cut)
            if end != "stopped":
                await self.close()

    async def close(self) -> None:
        """End the connection; what the other side does not read is given up."""
        self._writer.close()
        try:
            async with asyncio.timeout(_CLOSE_S):
                await self._writer.wait_closed()
        except OSError:  # TimeoutError is one
            self._writer.transport.abort()

    async def _take(self, cut: Cutter, data: bytes) -> None:
        name, settings = self._settings.name, self._settings
        try:
            frames = cut.feed(data)
        finally:
            self._count(cut)
        for payload in frames:
            done = None
            if self._reply is not None:
                done = partial(self._answer, payload)
                self._unanswered += 1
            if not await self._intake.put(name, settings.sensor, settings.format, payload, done):
                self._unanswered -= done is not None

    async def _rest(self) -> None:
        """The other side says no more, but may still listen for what it is owed."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_ANSWERS_S):
                while self._unanswered and not self._writer.is_closing():
                    self._all_answered.clear()
                    await self._all_answered.wait()

    def _count(self, cut: Cutter) -> None:
        """Move the cutter's counters into the tally."""
        tally, name = self._intake.tally, self._settings.name
        tally.skipped_bytes[name] += cut.skipped
        if cut.oversize:
            tally.frames[name] += cut.oversize
            tally.dropped[name, "oversize"] += cut.oversize
        cut.skipped = cut.oversize = 0

    def _answer(self, payload: bytes) -> None:
        """Acknowledge a frame that is safe, if its connection is still there."""
        self._unanswered -= 1
        if not self._unanswered:
            self._all_answered.set()
        if self._reply is None or self._writer.is_closing():
            return
        answer = self._reply(payload, self._answers)
        if answer is None:
            return
        self._answers += 1
        if self._writer.transport.get_write_buffer_size() > _ANSWERS_MOST:
            self._intake.tally.events[self._settings.name, "does_not_read"] += 1
            self._writer.transport.abort()
            return
        self._writer.write(answer)
        self._intake.tally.events[self._settings.name, "answered"] += 1


class Listener:
    """A port to take connections at."""

    def __init__(self, settings: TcpSettings, intake: Intake, reply: Reply | None) -> None:
        self._settings, self._intake, self._reply = settings, intake, reply
        self._server: asyncio.Server | None = None
        self._open: dict[asyncio.Task[None], Stream] = {}
        self._owed: list[Stream] = []

    @property
    def port(self) -> int:
        """Port that was taken: the configured one, or what 0 became."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def start(self) -> None:
        """Open the port; `SourceError` if it cannot be had."""
        host, _, port = (self._settings.listen or "").rpartition(":")
        try:
            self._server = await asyncio.start_server(
                self._serve, host.strip("[]"), int(port), limit=_READ_BYTES, backlog=1024
            )
        except OSError as e:
            raise SourceError(
                f"{self._settings.name}: cannot listen at {self._settings.listen}: "
                f"{e.strerror or e}"
            ) from e

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        name, tally = self._settings.name, self._intake.tally
        if len(self._open) >= self._settings.max_connections:
            tally.events[name, "refused"] += 1
            writer.transport.abort()
            return
        tally.events[name, "accepted"] += 1
        task = asyncio.current_task()
        assert task is not None
        stream = Stream(self._settings, self._intake, self._reply, writer)
        self._open[task] = stream
        try:
            await stream.run(reader)
        except asyncio.CancelledError:
            self._owed.append(stream)  # the bridge ends: nobody but `stop` waits for this task
        finally:
            del self._open[task]

    async def stop(self) -> None:
        """Take no more connections and read no more; answers still go out until `finish`."""
        if self._server is None:
            return
        self._server.close()
        open_now = list(self._open)
        for task in open_now:
            task.cancel()
        await asyncio.gather(*open_now, return_exceptions=True)

    async def finish(self) -> None:
        """End the connections."""
        await asyncio.gather(*(stream.close() for stream in self._owed))


class Dialer:
    """A receiver that we connect to, again after every loss."""

    def __init__(self, settings: TcpSettings, intake: Intake, reply: Reply | None) -> None:
        self._settings, self._intake, self._reply = settings, intake, reply
        self._backoff = Backoff(0.5, 60.0)
        self._task: asyncio.Task[None] | None = None
        self._stream: Stream | None = None

    async def start(self) -> None:
        """Begin to connect; what is away may come later."""
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        name, tally = self._settings.name, self._intake.tally
        host, _, port = (self._settings.connect or "").rpartition(":")
        while True:
            before = tally.frames[name]
            try:
                async with asyncio.timeout(_CONNECT_S):
                    reader, writer = await asyncio.open_connection(
                        host.strip("[]"), int(port), limit=_READ_BYTES
                    )
            except OSError as e:  # TimeoutError is one
                tally.events[name, "not_connected"] += 1
                if self._backoff.tries == 0:
                    log.warning("cannot connect", transport=name, error=str(e) or "timed out")
            else:
                tally.events[name, "connected"] += 1
                self._stream = Stream(self._settings, self._intake, self._reply, writer)
                await self._stream.run(reader)
                if tally.frames[name] > before:
                    self._backoff.reset()
            await asyncio.sleep(self._backoff.next_s())

    async def stop(self) -> None:
        """Read no more and connect no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def finish(self) -> None:
        """End the connection."""
        if self._stream is not None:
            await self._stream.close()
