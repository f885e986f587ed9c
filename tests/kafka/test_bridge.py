"""The bridge into a real broker: in order per sensor, through an outage, and then a run of it."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from kafka import KafkaAdminClient

from tests.app.bridges import PATIENCE_S, connected, running, wait
from tests.app.test_bridging import frame_808
from v2x.config import config_from
from v2x.ingest.jt808_encode import encode_frame, position_body

from .broker import Broker
from .conftest import NewTopic, OutsideBroker
from .test_source import frames, reading

pytestmark = pytest.mark.kafka

ROOT = Path(__file__).resolve().parents[2]
TERMINALS = {"name": "808", "listen": "127.0.0.1:0", "framing": "jt808", "sensor": "car-{phone}"}


def config(folder: Path, bootstrap: str, topic: str, **more):
    sensors = [{"name": f"car-{i}", "format": "jt808"} for i in range(1, 9)]
    tree = {
        "site": {"lat": 39.1, "lon": 117.3},
        "sensors": sensors,
        "kafka": {"bootstrap": bootstrap, "allow_plaintext": True},
        "bridge": {"topic": topic, "tcp": [TERMINALS], **more},
    }
    return config_from(tree, str(folder / "v2x.toml"), folder)


def say(port: int, phones: range, serials: range) -> None:
    for phone in phones:
        with connected(port) as own:
            own.sendall(b"".join(frame_808(phone, serial) for serial in serials))


def by_sensor(broker: str, topic: str) -> dict[str, list[bytes]]:
    """Payloads per sensor as the pipeline would see them: a redelivery counts once."""
    got: dict[str, dict[tuple[int, bytes], None]] = {}
    with reading(broker, topic) as source:
        for frame in frames(source):
            assert frame.format == "jt808"
            got.setdefault(frame.sensor, {})[frame.recv_ns, frame.payload] = None
    return {sensor: [payload for _, payload in rows] for sensor, rows in got.items()}


def test_frames_of_many_terminals_stand_in_the_topic_once_and_in_order(
    broker: Broker | OutsideBroker, topic: NewTopic, tmp_path: Path
) -> None:
    name = topic(3)
    with running(config(tmp_path, broker.bootstrap, name)) as (bridge, told):
        say(bridge.transports[0].port, range(1, 9), range(500))
        wait(lambda: bridge.intake.tally.confirmed == 4_000)
    assert told["drained"]
    assert told["retries"] == 0
    assert by_sensor(broker.bootstrap, name) == {
        f"car-{phone}": [frame_808(phone, serial) for serial in range(500)] for phone in range(1, 9)
    }


def test_an_outage_of_the_broker_loses_no_frame_and_changes_no_order(
    own_broker: Broker, tmp_path: Path
) -> None:
    with contextlib.closing(KafkaAdminClient(bootstrap_servers=own_broker.bootstrap)) as admin:
        admin.create_topics(
            {"outage": {"num_partitions": 2, "replication_factor": 1}}, wait_for_metadata=True
        )
    with running(config(tmp_path, own_broker.bootstrap, "outage")) as (bridge, told):
        port = bridge.transports[0].port
        say(port, range(1, 5), range(100))
        wait(lambda: bridge.intake.tally.confirmed == 400)
        own_broker.kill()
        say(port, range(1, 5), range(100, 200))
        wait(lambda: bridge.intake.tally.waiting_frames == 400)
        time.sleep(1.0)
        own_broker.start()
        say(port, range(1, 5), range(200, 300))
        wait(lambda: bridge.intake.tally.confirmed == 1_200, 90.0)
    assert told["drained"]
    assert by_sensor(own_broker.bootstrap, "outage") == {
        f"car-{phone}": [frame_808(phone, serial) for serial in range(300)] for phone in range(1, 5)
    }


def test_a_topic_that_does_not_exist_is_not_made_and_what_waits_is_told(
    broker: Broker | OutsideBroker, admin: KafkaAdminClient, topic: NewTopic, tmp_path: Path
) -> None:
    missing = topic() + "-missing"
    with running(config(tmp_path, broker.bootstrap, missing, drain_s=0.5)) as (bridge, told):
        say(bridge.transports[0].port, range(1, 2), range(1))
        wait(lambda: bridge.intake.tally.waiting_frames == 1)
    assert not told["drained"]
    assert told["waiting"] == 1
    assert missing not in admin.list_topics()


SITE = """
[site]
lat = 39.1244
lon = 117.346

[kafka]
bootstrap = "{bootstrap}"
allow_plaintext = true
on_missing = "earliest"
group = "{topic}"
alerts_topic = "{alerts}"
dead_letter_topic = "{letters}"
topics = [{{ topic = "{topic}" }}]

[[sensors]]
name = "gateway-808"
format = "jt808"
kind = "self_report"

[[sensors]]
name = "objects"
format = "objects"
kind = "radar"
sd_m = 2.0

[bridge]
topic = "{topic}"

[[bridge.tcp]]
name = "terminals"
listen = "127.0.0.1:{port}"
framing = "jt808"
sensor = "gateway-808"

[[bridge.udp]]
name = "objects"
listen = "127.0.0.1:{port}"
sensor = "objects"
"""


def test_what_the_bridge_brought_is_what_a_run_to_the_end_reads(
    broker: Broker | OutsideBroker, topic: NewTopic, tmp_path: Path
) -> None:
    name, alerts, letters = topic(2), topic(), topic()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    file = tmp_path / "v2x.toml"
    file.write_text(
        SITE.format(
            bootstrap=broker.bootstrap, topic=name, alerts=alerts, letters=letters, port=port
        )
    )
    command = [sys.executable, "-m", "v2x"]
    process = subprocess.Popen(
        [*command, "bridge", "--config", str(file), "--json"], cwd=ROOT, env=os.environ,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert "bridge runs" in process.stderr.readline()
        with connected(port) as own:
            body = position_body(time.time_ns(), 39.124, 117.35, 3.0, 12.5, 90.0)
            own.sendall(encode_frame(0x0200, "13800138000", 1, body))
            own.sendall(b"".join(frame_808(13_800_138_000, i) for i in range(30)))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
            for i in range(10):
                own.sendto(b'{"lat": 39.12%d, "lon": 117.34}' % i, ("127.0.0.1", port))
            own.sendto(b"no map", ("127.0.0.1", port))
        time.sleep(1.0)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=PATIENCE_S)
    finally:
        process.kill()
    assert process.returncode == 0, err
    assert json.loads(out)["confirmed"] == 42
    done = subprocess.run(
        [*command, "run", "--config", str(file), "--until-end", "--json"], cwd=ROOT,
        env=os.environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["frames"]["in"] == 42
    assert told["frames"]["dead_letter"] == 1
    assert told["frames"]["processed"] == 41
