"""The other end of an MQTT connection, packet by packet: for what a broker does not tell.

Only what the tests need of MQTT 3.1.1: CONNECT, SUBSCRIBE, PUBLISH at QoS 1, PUBACK, PINGREQ.
"""

import socket
import struct

from .bridges import PATIENCE_S


class Peer:
    """A listening port that plays the broker."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self._server.settimeout(PATIENCE_S)
        self.address = f"127.0.0.1:{self._server.getsockname()[1]}"
        self._own: socket.socket | None = None
        self.subscribed: list[tuple[str, int]] = []

    def accept(self, *, session: bool) -> bytes:
        """Take a connection and its subscriptions; the variable header of its CONNECT."""
        self._own, _ = self._server.accept()
        self._own.settimeout(PATIENCE_S)
        kind, connect = self._read()
        assert kind == 0x10
        self._own.sendall(bytes([0x20, 2, session, 0]))
        kind, body = self._read()
        assert kind == 0x82
        at, self.subscribed = 2, []
        while at < len(body):
            n = int.from_bytes(body[at : at + 2], "big")
            self.subscribed.append((body[at + 2 : at + 2 + n].decode(), body[at + 2 + n]))
            at += 3 + n
        told = bytes([1] * len(self.subscribed))
        self._own.sendall(bytes([0x90, 2 + len(told)]) + body[:2] + told)
        return connect

    def publish(self, mid: int, topic: str, payload: bytes, *, again: bool = False) -> None:
        assert self._own is not None
        name = topic.encode()
        body = struct.pack(">H", len(name)) + name + struct.pack(">H", mid) + payload
        self._own.sendall(bytes([0x32 | again << 3, len(body)]) + body)

    def acknowledged(self, patience_s: float = PATIENCE_S) -> int:
        """Number of the next PUBACK; 0 if none comes in time."""
        assert self._own is not None
        self._own.settimeout(patience_s)
        try:
            while True:
                kind, body = self._read()
                if kind == 0x40:
                    return int.from_bytes(body, "big")
                assert kind == 0xC0, kind
                self._own.sendall(b"\xd0\0")
        except TimeoutError:
            return 0

    def left(self) -> bytes:
        """What the other side says until it closes: a DISCONNECT, if it is polite."""
        assert self._own is not None
        data = b""
        while more := self._own.recv(100):
            data += more
        return data

    def drop(self) -> None:
        """Cut the connection."""
        assert self._own is not None
        self._own.close()

    def close(self) -> None:
        if self._own is not None:
            self._own.close()
        self._server.close()

    def _read(self) -> tuple[int, bytes]:
        head = self._exactly(2)
        size, shift, byte = head[1] & 127, 7, head[1]
        while byte & 128:
            byte = self._exactly(1)[0]
            size |= (byte & 127) << shift
            shift += 7
        return head[0], self._exactly(size)

    def _exactly(self, n: int) -> bytes:
        assert self._own is not None
        data = b""
        while len(data) < n:
            more = self._own.recv(n - len(data))
            assert more, "closed"
            data += more
        return data
