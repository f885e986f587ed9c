"""A real MQTT broker for tests, as a process that may be killed: amqtt."""

import socket
import subprocess
import sys
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

CODE = """
import asyncio, sys
from amqtt.broker import Broker

async def main():
    config = {
        "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{sys.argv[1]}"}},
        "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
    }
    broker = Broker(config)
    await broker.start()
    await asyncio.Event().wait()

asyncio.run(main())
"""


class MqttBroker:
    """One broker on a port that stays its own over restarts."""

    def __init__(self, folder: Path) -> None:
        assert find_spec("amqtt"), "the broker of the dev extra is not installed"
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        self._log = (folder / "mqtt.log").open("ab")
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", CODE, str(self.port)], stdout=self._log, stderr=self._log
        )
        end = time.monotonic() + 60.0
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1.0):
                return
            assert time.monotonic() < end, "the broker did not start"
            assert self._process.poll() is None, "the broker ended"
            time.sleep(0.05)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        self.kill()
        self._log.close()
