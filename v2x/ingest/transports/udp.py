"""Datagrams: nobody can slow their sender down, so what finds no room is dropped and counted.

What the system dropped before we read it is counted too, where Linux tells (``/proc/net/udp``).
"""

import asyncio
import os
import socket
import struct
from pathlib import Path

from v2x.bridge import UdpSettings
from v2x.errors import SourceError
from v2x.ingest.transports.intake import Intake

_LOOK_S = 1.0


class Datagrams(asyncio.DatagramProtocol):
    """One port."""

    def __init__(self, settings: UdpSettings, intake: Intake) -> None:
        self._settings, self._intake = settings, intake
        self._socket: socket.socket | None = None
        self._transport: asyncio.DatagramTransport | None = None
        self._looking: asyncio.Task[None] | None = None
        self._lost = 0

    @property
    def port(self) -> int:
        """Port that was taken: the configured one, or what 0 became."""
        assert self._socket is not None
        return int(self._socket.getsockname()[1])

    async def start(self) -> None:
        """Open the port and join the group; `SourceError` if that cannot be."""
        settings = self._settings
        host, _, port = settings.listen.rpartition(":")
        host = host.strip("[]")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        own = socket.socket(family, socket.SOCK_DGRAM)
        try:
            own.setblocking(False)
            own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, settings.buffer_bytes)
            if settings.multicast is not None:
                own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            own.bind((host, int(port)))
            if settings.multicast is not None:
                member = struct.pack(
                    "4s4s",
                    socket.inet_aton(settings.multicast),
                    socket.inet_aton(settings.interface),
                )
                own.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
        except OSError as e:
            own.close()
            raise SourceError(
                f"{settings.name}: cannot read datagrams at {settings.listen}"
                f"{f', group {settings.multicast}' if settings.multicast else ''}: "
                f"{e.strerror or e}"
            ) from e
        self._socket = own
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, sock=own)
        self._looking = asyncio.create_task(self._look())

    def datagram_received(self, data: bytes, addr: object) -> None:
        """Take one datagram: a frame, or a frame a line."""
        settings = self._settings
        if settings.framing == "datagram":
            payloads = [data] if data else []
        else:
            payloads = [line for part in data.split(b"\n") if (line := part.rstrip(b"\r"))]
        for payload in payloads:
            self._intake.offer(settings.name, settings.sensor, settings.format, payload)

    def error_received(self, exc: Exception) -> None:
        """Count what the system reports of the port."""
        self._intake.tally.events[self._settings.name, "socket_error"] += 1

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            self._count_lost()

    def _count_lost(self) -> None:
        if self._socket is not None and self._socket.fileno() >= 0:
            lost = system_drops(self._socket)
            self._intake.tally.events[self._settings.name, "dropped_by_system"] += lost - self._lost
            self._lost = lost

    async def stop(self) -> None:
        """Close the port."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
            self._count_lost()
        if self._transport is not None:
            self._transport.close()
            await asyncio.sleep(0)  # the loop closes the socket in its next turn

    async def finish(self) -> None:
        """Do nothing: nothing is acknowledged."""


def system_drops(own: socket.socket) -> int:
    """Datagrams that the system dropped for want of room in the socket's buffer; 0 if untold."""
    inode = str(os.fstat(own.fileno()).st_ino)
    table = Path("/proc/net/udp6" if own.family == socket.AF_INET6 else "/proc/net/udp")
    try:
        rows = table.read_text().splitlines()[1:]
    except OSError:
        return 0
    for row in rows:
        cells = row.split()
        if len(cells) > 12 and cells[9] == inode:
            return int(cells[12])
    return 0
