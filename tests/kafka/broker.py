"""A real Apache Kafka broker as a child process: one KRaft node, no Docker.

::

    libs, why = find_libs()
    broker = Broker(folder, libs)
    broker.start()          # formats the folder the first time; returns when a topic has a leader
    broker.bootstrap        # "127.0.0.1:PORT", the same for the life of the object
    broker.kill()           # SIGKILL: what was written stays in the folder
    broker.start()          # same folder, same ports
    broker.stop()           # SIGTERM

Three listeners, all plain text: ``bootstrap`` for tests, ``proxied`` for fault tests, one for the
controller. A client that bootstraps at ``proxied`` is told to go on at ``proxy_port``, where the
test puts whatever forwards, delays or drops bytes on their way to ``proxied_port``.
"""

import contextlib
import itertools
import os
import re
import shutil
import socket
import subprocess
import time
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from pathlib import Path

with warnings.catch_warnings():  # kafka-python 3.0.12 loads its schemas with a call of old
    warnings.filterwarnings("ignore", "(read|open)_text is deprecated", DeprecationWarning)
    from kafka import KafkaAdminClient
    from kafka.errors import KafkaError, TopicAlreadyExistsError

POM = Path(__file__).with_name("pom.xml")
LIBS = Path(__file__).parents[2] / ".kafka" / "lib"
JAVA_MIN = 17
HOST = "127.0.0.1"
CLUSTER_ID = "djJ4IHRlc3QgYnJva2VyIQ"  # 16 bytes, url-safe base64, no padding; "-" must not lead
FETCH_S = 600.0
READY_S = 60.0
STOP_S = 30.0


class BrokerError(Exception):
    """The broker did not start or stop; the message ends with the last lines of its log."""


def find_java() -> tuple[str | None, str]:
    """Path of a Java that can run the broker, or None and what is missing."""
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=f"{home}/bin") if home else None
    java = java or shutil.which("java")
    if java is None:
        return None, f"no Kafka broker: java is not on PATH (Java {JAVA_MIN} or later is needed)"
    told = subprocess.run([java, "--version"], capture_output=True, text=True, check=False).stdout
    major = re.match(r"\S+ (\d+)", told)
    if major is None or int(major[1]) < JAVA_MIN:
        found = told.partition("\n")[0] or "a Java before 9"
        return None, f"no Kafka broker: Java {JAVA_MIN} or later is needed, {java} is {found}"
    return java, ""


def find_libs() -> tuple[Path | None, str]:
    """Folder of the broker's jars, fetched by Maven the first time, or None and the reason."""
    java, why = find_java()
    if java is None:
        return None, why
    if all((LIBS / jar).is_file() for jar in _jars_of_pom()):
        return LIBS, ""
    maven = shutil.which("mvn")
    if maven is None:
        return None, f"no Kafka broker: {LIBS} lacks its jars and mvn is not on PATH to fetch them"
    return _fetch(maven)


class Broker:
    """One Kafka node on one folder.

    Parameters
    ----------
    folder : Path
        Made if missing. Holds ``server.properties``, ``broker.log`` and ``data``.
    libs : Path
        Folder of jars, from `find_libs`.
    settings : Mapping
        Keys of ``server.properties`` to add or replace.
    """

    def __init__(self, folder: Path, libs: Path, settings: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.log = folder / "broker.log"
        self.port, self.proxied_port, self.proxy_port, self.controller_port = _free_ports(4)
        self.bootstrap = f"{HOST}:{self.port}"
        self.proxied = f"{HOST}:{self.proxied_port}"
        self._libs = libs
        self._process: subprocess.Popen[bytes] | None = None
        self._settings = {**self._defaults(), **(settings or {})}
        (folder / "tmp").mkdir(parents=True, exist_ok=True)
        self._properties = folder / "server.properties"
        self._properties.write_text("".join(f"{k}={v}\n" for k, v in self._settings.items()))

    @property
    def pid(self) -> int:
        """Process id of java itself: no shell stands between."""
        if self._process is None:
            raise BrokerError(f"the broker on {self.folder} is not running")
        return self._process.pid

    def start(self, ready_s: float = READY_S) -> None:
        """Run the node and return once it leads the partition of a topic made just now."""
        if self._process is not None:
            raise BrokerError(f"the broker on {self.folder} is already running")
        if not (self.folder / "data" / "meta.properties").exists():
            self._format()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._java("kafka.Kafka", str(self._properties)),
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip
        try:
            self._wait_ready(time.monotonic() + ready_s)
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """SIGTERM, and wait: leaders are handed over, logs closed. No error if not running."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()
            why = f"SIGTERM did not end the broker in {STOP_S} s{self._tail()}"
            raise BrokerError(why) from None
        self._process = None

    def kill(self) -> None:
        """SIGKILL: the broker gets no chance to close anything. No error if not running."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        self._process = None

    def restart(self) -> None:
        """Stop with SIGTERM and start on the same folder and ports."""
        self.stop()
        self.start()

    def _defaults(self) -> dict[str, str]:
        quorum = f"{HOST}:{self.controller_port}"
        plain, proxied = f"PLAINTEXT://{self.bootstrap}", f"PROXIED://{self.proxied}"
        return {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@{quorum}",
            "listeners": f"{plain},{proxied},CONTROLLER://{quorum}",
            "advertised.listeners": f"{plain},PROXIED://{HOST}:{self.proxy_port}",
            "listener.security.protocol.map":
                "PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "PLAINTEXT",
            "log.dirs": str(self.folder / "data"),
            "log.segment.bytes": str(16 * 1024 * 1024),
            "log.retention.ms": "-1",  # recorded frames are years old: a week's retention eats them
            "num.partitions": "1",
            "offsets.topic.num.partitions": "4",
            "offsets.topic.replication.factor": "1",
            "transaction.state.log.num.partitions": "4",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            # a killed node is let back in only when its old session ends: 12 s with the default 9 s
            "broker.session.timeout.ms": "3000",
            "broker.heartbeat.interval.ms": "500",
            "group.initial.rebalance.delay.ms": "0",
            "group.min.session.timeout.ms": "1000",
        }  # fmt: skip

    def _java(self, main: str, *args: str) -> list[str]:
        java, why = find_java()
        if java is None:
            raise BrokerError(why)
        return [
            java, "-Xms256m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
            "-XX:-UsePerfData",
            f"-Djava.io.tmpdir={self.folder / 'tmp'}",  # SIGKILL leaves unpacked codecs
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-Dorg.slf4j.simpleLogger.showDateTime=true",
            "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
            "-cp", f"{self._libs}/*",  # java itself expands the star
            main, *args,
        ]  # fmt: skip

    def _format(self) -> None:
        command = self._java(
            "kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", str(self._properties)
        )
        with self.log.open("ab") as log:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                timeout=READY_S, check=False,
            )  # fmt: skip
        if done.returncode:
            raise BrokerError(f"the folder {self.folder} could not be formatted{self._tail()}")

    def _wait_ready(self, deadline: float) -> None:
        last: Exception | None = None
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                raise BrokerError(f"the broker ended while it was starting{self._tail()}")
            try:
                # asked first: a client is slow to notice a port that opened after it looked
                socket.create_connection((HOST, self.port), timeout=1).close()
                self._lead_a_topic()
            except (OSError, KafkaError) as error:
                last = error
                time.sleep(0.05)
            else:
                return
        raise BrokerError(f"the broker is not ready in time: {last!r}{self._tail()}")

    def _lead_a_topic(self) -> None:
        admin = KafkaAdminClient(
            bootstrap_servers=self.bootstrap, bootstrap_timeout_ms=5000, request_timeout_ms=15000
        )
        with contextlib.closing(admin):
            # a new topic each start; it stays, and no test looks at topics that are not its own
            for n in itertools.count():
                probe = {f"broker-probe-{n}": {"num_partitions": 1}}
                with contextlib.suppress(TopicAlreadyExistsError):
                    admin.create_topics(probe, wait_for_metadata=True)
                    return

    def _tail(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        said = [line for line in lines if not line.startswith("\tat ")]  # no stack frames
        return "\n".join([f"; {self.log} ends:", *said[-15:]])


def _jars_of_pom() -> Iterator[str]:
    maven = "{http://maven.apache.org/POM/4.0.0}"
    for d in ET.parse(POM).iter(f"{maven}dependency"):
        yield f"{d.findtext(f'{maven}artifactId')}-{d.findtext(f'{maven}version')}.jar"


def _fetch(maven: str) -> tuple[Path | None, str]:
    part = LIBS.with_name(f"lib.part-{os.getpid()}")  # renamed when whole: a cut fetch is no cache
    command = [
        maven, "-q", "-B", "-f", str(POM), "dependency:copy-dependencies",
        "-DincludeScope=runtime", f"-DoutputDirectory={part}", "-Dstyle.color=never",
    ]  # fmt: skip
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=FETCH_S,
            check=False,
        )  # fmt: skip
        if done.returncode:
            said = re.sub(r"\x1b\[\d*m", "", done.stdout + done.stderr).strip().partition("\n")[0]
            return None, f"no Kafka broker: Maven could not fetch it: {said}"
        shutil.rmtree(LIBS, ignore_errors=True)
        part.rename(LIBS)
    except subprocess.TimeoutExpired:
        return None, f"no Kafka broker: Maven did not fetch it in {FETCH_S} s"
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return LIBS, ""


def _free_ports(count: int) -> list[int]:
    """Ports nobody listens on, below the range the system hands to outgoing connections.

    A port of that range is unfit: while the broker is down, a client that keeps trying to reach it
    can be given the very port as its own, connect to itself, and keep the broker from coming back.
    """
    ports: list[int] = []
    first = 12000 + os.getpid() * 8 % 16000  # two test runs at once look in different places
    for port in range(first, first + 4000):
        if port in _taken:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
        ports.append(port)
        if len(ports) == count:
            _taken.update(ports)
            return ports
    raise BrokerError(f"no {count} free ports from {first} on")


_taken: set[int] = set()  # a broker that is down still owns its ports
