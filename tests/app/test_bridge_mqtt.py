"""Roadside units over a real MQTT broker: topics to sensors, nothing lost or acked too early."""

import itertools
import json
import time
from collections import Counter

import pytest
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from v2x.ingest.transports.mqtt import levels_of, matches

from .bridges import PATIENCE_S, Memory, running, settings, wait
from .mqtt_broker import MqttBroker
from .mqtt_wire import Peer

SENSOR = {"filter": "V2X/RSU/+/RSM/UP", "sensor": "rsu-{1}"}
ENVELOPE = b"1\0\0\0\0\0\0\0" + bytes(8) + b"\x03\0abc"


@pytest.fixture
def broker(tmp_path):
    own = MqttBroker(tmp_path)
    yield own
    own.close()


class Unit:
    """A roadside unit: a client that publishes at QoS 1 and waits for the broker's word."""

    def __init__(self, broker: MqttBroker) -> None:
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id="unit")
        self._client.connect("127.0.0.1", broker.port)
        self._client.loop_start()

    def say(self, topic: str, payloads: list[bytes], qos: int = 1) -> None:
        told = [self._client.publish(topic, payload, qos) for payload in payloads]
        for one in told:
            one.wait_for_publish(PATIENCE_S)
            assert one.is_published()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._client.disconnect()
        self._client.loop_stop()


def config(tmp_path, broker: MqttBroker, *topics, **more):
    mqtt = {"name": "m", "broker": broker.address, "client_id": "bridge", "topics": list(topics)}
    return settings(tmp_path, mqtt=[mqtt], **more)


def up(bridge, times: int = 1) -> None:
    """Wait until the bridge is connected and, a moment later, subscribed."""
    wait(lambda: bridge.intake.tally.events["m", "connected"] >= times)
    time.sleep(0.3)


def test_messages_get_the_sensor_and_format_of_the_first_filter_that_fits(tmp_path, broker):
    outlet = Memory()
    topics = [
        {"filter": "V2X.RSU.RSM.UP", "sensor": "rsu-{rsu}"},
        {"filter": "V2X.RSU.HB.UP", "sensor": "rsu-{rsu}", "format": "rsu_status"},
        SENSOR,
        {"filter": "V2X/RSU/+/HB/#", "sensor": "rsu-{1}", "format": "rsu_status"},
        {"filter": "elsewhere/#", "sensor": "rsu-{rsu}"},
    ]
    with running(config(tmp_path, broker, *topics), outlet) as (bridge, told):
        up(bridge)
        with Unit(broker) as unit:
            unit.say("V2X.RSU.RSM.UP", [ENVELOPE])
            unit.say("V2X.RSU.HB.UP", [json.dumps({"rsuEsn": "1"}).encode()])
            unit.say("V2X/RSU/1/RSM/UP", [b"rsm"], qos=0)
            unit.say("V2X/RSU/1/HB/UP", [b"hb"])
            unit.say("V2X/RSU/2/RSM/UP", [b"nobody's"])
            unit.say("V2X.RSU.RSM.UP", [b"2" + ENVELOPE[1:]])
            unit.say("elsewhere/too", [b"nobody's"])
        wait(lambda: bridge.intake.tally.frames["m"] == 7)
        wait(lambda: bridge.intake.tally.confirmed == 4)
    got = Counter((f.sensor, f.format, f.payload) for f in outlet.frames)
    assert got == {
        ("rsu-1", "rsu", ENVELOPE): 1,
        ("rsu-1", "rsu_status", b'{"rsuEsn": "1"}'): 1,
        ("rsu-1", "rsu", b"rsm"): 1,
        ("rsu-1", "rsu_status", b"hb"): 1,
    }
    assert told["dropped"] == {"m": {"unknown_sensor": 3}}


def test_hundreds_of_messages_arrive_once_and_in_order(tmp_path, broker):
    outlet = Memory()
    sent = [b"%d" % i for i in range(500)]
    with running(config(tmp_path, broker, SENSOR), outlet) as (bridge, told):
        up(bridge)
        with Unit(broker) as unit:
            unit.say("V2X/RSU/1/RSM/UP", sent)
        wait(lambda: bridge.intake.tally.confirmed >= 500)
    assert [f.payload for f in outlet.frames] == sent
    assert told["events"]["m"] == {"closed": 1, "connected": 1}


@pytest.fixture
def peer():
    own = Peer()
    yield own
    own.close()


TOPIC = "V2X/RSU/1/RSM/UP"


def test_a_message_is_acknowledged_when_it_is_safe_and_not_before(tmp_path, peer):
    outlet = Memory()
    outlet.open.clear()
    with running(config(tmp_path, peer, SENSOR), outlet) as (bridge, told):
        connect = peer.accept(session=False)
        assert connect[:7] == b"\0\4MQTT\4"
        assert not connect[7] & 2  # the session is persistent
        assert connect[10:] == b"\0\6bridge"
        assert peer.subscribed == [(SENSOR["filter"], 1)]
        peer.publish(11, TOPIC, b"a")
        peer.publish(12, TOPIC, b"b")
        wait(lambda: len(outlet.frames) == 2)
        assert peer.acknowledged(0.3) == 0
        outlet.open.set()
        assert [peer.acknowledged(), peer.acknowledged()] == [11, 12]
        bridge.stop()
        assert peer.left() == b"\xe0\0"
    assert told["drained"]


def test_strangers_are_acknowledged_for_they_would_come_again_for_ever(tmp_path, peer):
    with running(config(tmp_path, peer, SENSOR), Memory()) as (_, told):
        peer.accept(session=False)
        peer.publish(5, "else/where", b"a")
        peer.publish(6, "V2X/RSU/77/RSM/UP", b"a")
        assert [peer.acknowledged(), peer.acknowledged()] == [5, 6]
    assert told["dropped"] == {"m": {"unknown_sensor": 1, "unknown_topic": 1}}
    assert told["frames"] == {"m": 2}


def test_an_acknowledgement_never_goes_to_another_connection_than_its_message_came_by(
    tmp_path, peer
):
    outlet = Memory()
    outlet.open.clear()
    with running(config(tmp_path, peer, SENSOR), outlet) as (bridge, _):
        peer.accept(session=False)
        peer.publish(1, TOPIC, b"first")
        wait(lambda: len(outlet.frames) == 1)
        peer.drop()
        peer.accept(session=True)
        wait(lambda: bridge.intake.tally.events["m", "connected"] == 2)
        outlet.open.set()  # the first is safe, but its connection is gone
        wait(lambda: bridge.intake.tally.confirmed == 1)
        outlet.open.clear()
        peer.publish(1, TOPIC, b"another with its number")
        wait(lambda: len(outlet.frames) == 2)
        assert peer.acknowledged(0.3) == 0
        outlet.open.set()
        assert peer.acknowledged() == 1


def test_while_the_bridge_stops_messages_are_left_to_the_broker(tmp_path, peer):
    outlet = Memory()
    outlet.open.clear()
    stopping = config(tmp_path, peer, SENSOR, waiting_frames=1, drain_s=0.5)
    with running(stopping, outlet) as (bridge, told):
        peer.accept(session=False)
        for mid in (1, 2, 3):
            peer.publish(mid, TOPIC, b"%d" % mid)
        wait(lambda: bridge.intake.tally.frames["m"] >= 2)  # the second waits for room
        bridge.stop()
        time.sleep(0.1)
        outlet.open.set()
        assert peer.acknowledged() == 1
        assert peer.left() == b"\xe0\0"
    assert [f.payload for f in outlet.frames] == [b"1"]
    assert told["drained"]


def test_a_broker_that_is_killed_is_found_again_and_what_comes_then_arrives(tmp_path, broker):
    outlet = Memory()
    with running(config(tmp_path, broker, SENSOR), outlet) as (bridge, told):
        up(bridge)
        with Unit(broker) as unit:
            unit.say("V2X/RSU/1/RSM/UP", [b"before"])
        wait(lambda: bridge.intake.tally.confirmed == 1)
        broker.kill()
        wait(lambda: bridge.intake.tally.events["m", "not_connected"] >= 1)
        broker.start()
        up(bridge, 2)
        with Unit(broker) as unit:
            unit.say("V2X/RSU/1/RSM/UP", [b"after"])
        wait(lambda: bridge.intake.tally.confirmed == 2)
    assert [f.payload for f in outlet.frames] == [b"before", b"after"]
    assert told["events"]["m"]["lost"] == 1


def test_a_slow_outlet_holds_messages_at_the_broker_and_loses_none(tmp_path, broker):
    outlet = Memory()
    outlet.open.clear()
    sent = [b"%d" % i for i in range(200)]
    slow = config(tmp_path, broker, SENSOR, waiting_frames=10)
    with running(slow, outlet) as (bridge, _):
        up(bridge)
        with Unit(broker) as unit:
            unit.say("V2X/RSU/1/RSM/UP", sent)
        wait(lambda: bridge.intake.tally.waiting_frames == 10)
        time.sleep(0.3)
        assert len(outlet.frames) == 10
        outlet.open.set()
        wait(lambda: bridge.intake.tally.confirmed >= 200)
    assert list(dict.fromkeys(f.payload for f in outlet.frames)) == sent


def test_a_broker_that_is_not_there_does_not_keep_the_bridge_from_ending(tmp_path):
    class Nowhere:
        address = "127.0.0.1:1"

    with running(config(tmp_path, Nowhere(), SENSOR), Memory()) as (bridge, told):
        wait(lambda: bridge.intake.tally.events["m", "not_connected"] >= 1)
    assert told["drained"]


def test_filters_match_as_the_standard_says():
    pairs = {
        "a/b": {"a/b"}, "a/+": {"a/b", "a/"}, "a/#": {"a", "a/b", "a/", "a/b/c"}, "+": {"a"},
        "+/+": {"a/b", "a/", "/a"}, "#": {"a", "a/b", "a/", "/a", "a/b/c"},
    }  # fmt: skip
    for (filter, want), topic in itertools.product(
        pairs.items(), ["a", "a/b", "a/", "/a", "a/b/c", "$SYS/x"]
    ):
        assert matches(filter, topic) == (topic in want), (filter, topic)
    assert levels_of("a/+/b/+", "a/1/b/2") == ["1", "2"]
    assert levels_of("+/#", "x/y/z") == ["x"]
