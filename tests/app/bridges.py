"""A running bridge for tests: in a thread of its own, with ports of the system's choice."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from v2x.app.bridging import Bridge
from v2x.config import Config, config_from
from v2x.errors import RetryLater
from v2x.frames import Frame

SENSORS = [
    {"name": "gateway", "format": "jt808"},
    {"name": "car-13800138000", "format": "jt808"},
    {"name": "box", "format": "nmea"},
    {"name": "ears", "format": "adsb"},
    {"name": "rsu-1", "format": "rsu"},
]
PATIENCE_S = 30.0


class Memory:
    """An outlet in memory that can be held up."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.open = threading.Event()
        self.open.set()
        self._told = 0

    def send(self, frame: Frame) -> None:
        self.frames.append(frame)

    def confirmed(self) -> Sequence[bool]:
        if not self.open.is_set():
            return []
        told, self._told = self._told, len(self.frames)
        return [True] * (self._told - told)

    def reset(self) -> None:
        raise AssertionError("it does not fail")

    def close(self) -> None:
        pass

    def discard(self) -> None:
        pass


class Away(Memory):
    """An outlet that fails until it is opened, as one whose broker is away."""

    def send(self, frame: Frame) -> None:
        if not self.open.is_set():
            raise RetryLater("away")
        super().send(frame)

    def reset(self) -> None:
        del self.frames[self._told :]


def settings(folder: Path, **bridge: Any) -> Config:
    tree = {"site": {"lat": 39.1, "lon": 117.3}, "sensors": SENSORS, "bridge": bridge}
    return config_from(tree, str(folder / "v2x.toml"), folder)


@contextlib.contextmanager
def running(config: Config, outlet: Any = None, **more: Any) -> Iterator[tuple[Bridge, dict]]:
    """A bridge that has started; afterwards the dictionary holds what it told."""
    bridge = Bridge(config, outlet=outlet, **more)
    told: dict[str, Any] = {}

    def run() -> None:
        try:
            told.update(bridge.run())
        except Exception as e:
            told["error"] = e

    thread = threading.Thread(target=run)
    thread.start()
    try:
        wait(lambda: bridge.started or "error" in told)
        yield bridge, told
    finally:
        bridge.stop()
        thread.join(PATIENCE_S)
        assert not thread.is_alive()
        if "error" in told:
            raise told["error"]


def wait(until: Callable[[], Any], patience_s: float = PATIENCE_S) -> None:
    """Wait until something is true."""
    end = time.monotonic() + patience_s
    while not until():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.005)


def connected(port: int) -> socket.socket:
    made = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made
