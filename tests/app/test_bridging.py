"""Terminals, receivers and datagrams over real sockets, through the bridge."""

import contextlib
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from v2x.app.bridging import Bridge, carried
from v2x.config import config_from, load_config
from v2x.errors import ConfigError, SourceError
from v2x.ingest.drive import DriveSource, attachments
from v2x.ingest.jt808_encode import encode_frame
from v2x.ingest.jt808_replies import authentication_code, reply_to

from .bridges import PATIENCE_S, Away, Memory, connected, running, settings, wait

ROOT = Path(__file__).resolve().parents[2]
TERMINALS = {"name": "808", "listen": "127.0.0.1:0", "framing": "jt808", "sensor": "gateway"}


def frame_808(phone: int, serial: int, body: bytes = b"") -> bytes:
    """A heartbeat of a terminal, 2013 edition."""
    plain = struct.pack(">HH", 0x0002, len(body)) + bytes.fromhex(f"{phone:012d}")
    plain += struct.pack(">H", serial & 0xFFFF) + body
    check = 0
    for byte in plain:
        check ^= byte
    plain += bytes([check])
    return b"\x7e" + plain.replace(b"\x7d", b"\x7d\x01").replace(b"\x7e", b"\x7d\x02") + b"\x7e"


class Terminal(threading.Thread):
    """One terminal that sends frames in pieces of any size."""

    def __init__(self, port: int, phone: int, frames: int, seed: int) -> None:
        super().__init__()
        rng = np.random.default_rng(seed)
        self.sent = [
            frame_808(phone, serial, struct.pack(">I", serial) + rng.bytes(int(rng.integers(60))))
            for serial in range(frames)
        ]
        stream = b"".join(self.sent)
        cuts = np.sort(rng.integers(0, len(stream), frames // 3)).tolist()
        pairs = zip([0, *cuts], [*cuts, len(stream)], strict=True)
        self._pieces = [stream[a:b] for a, b in pairs]
        self._port = port

    def run(self) -> None:
        with connected(self._port) as own:
            for piece in self._pieces:
                own.sendall(piece)


def test_thousands_of_frames_of_many_terminals_arrive_once_and_in_order(tmp_path):
    outlet = Memory()
    with running(settings(tmp_path, tcp=[TERMINALS]), outlet) as (bridge, told):
        port = bridge.transports[0].port
        terminals = [Terminal(port, 13_800_000_000 + i, 250, i) for i in range(40)]
        for terminal in terminals:
            terminal.start()
        for terminal in terminals:
            terminal.join(PATIENCE_S)
        wait(lambda: bridge.intake.tally.confirmed == 10_000)
        wait(lambda: bridge.intake.tally.connections["808"] == 0)
    by_phone: dict[bytes, list[bytes]] = {}
    phones = {terminal.sent[0][5:11]: terminal for terminal in terminals}
    for frame in outlet.frames:
        by_phone.setdefault(frame.payload[5:11], []).append(frame.payload)
    assert by_phone == {phone: terminal.sent for phone, terminal in phones.items()}
    arrivals = [frame.recv_ns for frame in outlet.frames]
    assert arrivals == sorted(set(arrivals))
    assert {(frame.sensor, frame.format) for frame in outlet.frames} == {("gateway", "jt808")}
    assert told["frames"] == {"808": 10_000}
    assert told["confirmed"] == 10_000
    assert told["drained"]
    assert told["events"]["808"] == {"accepted": 40, "closed": 40}


def test_a_slow_outlet_makes_terminals_wait_and_loses_nothing(tmp_path):
    outlet = Memory()
    outlet.open.clear()
    config = settings(tmp_path, tcp=[TERMINALS], waiting_frames=50)
    body = bytes(900)
    sent = 0
    with running(config, outlet) as (bridge, told):
        with connected(bridge.transports[0].port) as own:
            own.settimeout(1.0)
            with contextlib.suppress(TimeoutError):
                while sent < 1_000_000:  # until all buffers on the way are full
                    own.sendall(frame_808(1, sent, body))
                    sent += 1
            assert bridge.intake.tally.waiting_frames == 50
            assert len(outlet.frames) <= 50
            outlet.open.set()
            wait(lambda: bridge.intake.tally.confirmed >= sent)
        wait(lambda: not bridge.intake.tally.connections["808"])
    assert [struct.unpack(">H", f.payload[11:13])[0] for f in outlet.frames[:100]] == [*range(100)]
    assert told["confirmed"] >= sent > 50
    assert told["dropped"] == {}


def test_a_terminal_that_is_cut_off_and_comes_back_loses_the_half_frame_only(tmp_path):
    outlet = Memory()
    frames = [frame_808(1, i) for i in range(20)]
    with running(settings(tmp_path, tcp=[TERMINALS]), outlet) as (bridge, told):
        port = bridge.transports[0].port
        for i in range(0, 20, 4):
            own = connected(port)
            own.sendall(b"".join(frames[i : i + 4]) + frames[0][:9])
            wait(lambda n=i + 4: bridge.intake.tally.frames["808"] == n)
            own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            own.close()  # a reset: nothing is said any more
        wait(lambda: not bridge.intake.tally.connections["808"])
    assert [f.payload for f in outlet.frames] == frames
    events = told["events"]["808"]
    assert events["accepted"] == 5
    assert events.get("lost", 0) + events.get("closed", 0) == 5
    assert 0 < told["skipped_bytes"]["808"] <= 5 * 8


def test_garbage_giants_and_silence_end_no_other_connection(tmp_path):
    outlet = Memory()
    quiet = {**TERMINALS, "idle_s": 0.5}
    config = settings(tmp_path, tcp=[quiet], max_frame_bytes=64)
    with running(config, outlet) as (bridge, told):
        port = bridge.transports[0].port
        good = connected(port)
        bad = connected(port)
        bad.sendall(b"GET / HTTP/1.1\r\n\r\n" + b"\x7e" + bytes(100_000))
        bad.sendall(b"\x7e" + frame_808(2, 5))
        for i in range(20):
            good.sendall(frame_808(1, i))
            time.sleep(0.05)
        wait(lambda: bridge.intake.tally.confirmed == 21)
        for own in (good, bad):
            own.settimeout(PATIENCE_S)
            assert own.recv(1) == b""
            own.close()
    assert told["dropped"] == {"808": {"oversize": 1}}
    assert told["events"]["808"] == {"accepted": 2, "idle": 2}
    assert told["skipped_bytes"]["808"] == 100_018


def test_more_connections_than_allowed_are_refused_and_room_comes_back(tmp_path):
    outlet = Memory()
    config = settings(tmp_path, tcp=[{**TERMINALS, "max_connections": 2}])
    with running(config, outlet) as (bridge, told):
        port = bridge.transports[0].port
        first, second = connected(port), connected(port)
        wait(lambda: bridge.intake.tally.connections["808"] == 2)
        third = connected(port)
        third.settimeout(PATIENCE_S)
        with contextlib.suppress(ConnectionResetError):
            assert third.recv(1) == b""
        first.close()
        wait(lambda: bridge.intake.tally.connections["808"] == 1)
        again = connected(port)
        again.sendall(frame_808(1, 1))
        wait(lambda: bridge.intake.tally.confirmed == 1)
        for own in (second, third, again):
            own.close()
    assert told["events"]["808"]["refused"] == 1


def echo(frame: bytes, serial: int) -> bytes | None:
    """Stands for the answer to a terminal: what is answered, and the number of the answer."""
    return None if frame[1:3] == b"\x00\x01" else b"<" + frame[11:13] + bytes([serial]) + b">"


def received(own: socket.socket, n: int) -> bytes:
    own.settimeout(PATIENCE_S)
    data = b""
    while len(data) < n and (more := own.recv(n - len(data))):
        data += more
    return data


def test_a_terminal_is_answered_when_its_frame_is_safe_and_not_before(tmp_path):
    outlet = Memory()
    outlet.open.clear()
    config = settings(tmp_path, tcp=[{**TERMINALS, "reply": True}])
    with running(config, outlet, reply=echo) as (bridge, told):
        own = connected(bridge.transports[0].port)
        own.sendall(b"".join(frame_808(1, i) for i in range(3)))
        wait(lambda: len(outlet.frames) == 3)
        own.settimeout(0.2)
        with pytest.raises(TimeoutError):
            own.recv(1)
        outlet.open.set()
        assert received(own, 15) == b"".join(bytes([60, 0, i, i, 62]) for i in range(3))
        own.sendall(frame_808(1, 3))
        own.shutdown(socket.SHUT_WR)  # it says no more, and still listens
        assert received(own, 6) == b"<\0\3\3>"
        own.close()
    assert told["events"]["808"]["answered"] == 4


def test_a_terminal_registers_reports_and_is_answered_as_the_standard_says(tmp_path):
    phone = "13800138000"
    said = [
        encode_frame(0x0100, phone, 1, bytes(37)),
        encode_frame(0x0102, phone, 2, authentication_code(bytes.fromhex(phone.zfill(12)))),
        encode_frame(0x0002, phone, 3, b""),
        POSITION,
    ]
    want = [reply_to(frame, serial) for serial, frame in enumerate(said)]
    assert [frame[1:3] for frame in want] == [b"\x81\0", b"\x80\1", b"\x80\1", b"\x80\1"]
    outlet = Memory()
    config = settings(tmp_path, tcp=[{**TERMINALS, "reply": True}])
    with running(config, outlet) as (bridge, told), connected(bridge.transports[0].port) as own:
        for frame, answer in zip(said, want, strict=True):
            own.sendall(frame)
            assert received(own, len(answer)) == answer
    assert [f.payload for f in outlet.frames] == said
    assert told["events"]["808"]["answered"] == 4


def test_a_terminal_that_does_not_read_its_answers_is_cut_off_and_holds_nobody_up(tmp_path):
    outlet = Memory()
    config = settings(tmp_path, tcp=[{**TERMINALS, "reply": True}])
    with running(config, outlet, reply=lambda frame, serial: bytes(1 << 20)) as (bridge, told):
        port = bridge.transports[0].port
        deaf, late = connected(port), connected(port)
        deaf.sendall(b"".join(frame_808(1, i) for i in range(20)))
        wait(lambda: bridge.intake.tally.events["808", "does_not_read"] >= 1)
        late.sendall(frame_808(2, 1))  # and its one answer is never read either
        wait(lambda: bridge.intake.tally.confirmed == 21)
    assert told["drained"]
    for own in (deaf, late):
        own.close()


def test_a_stop_brings_out_what_was_taken_and_answers_it(tmp_path):
    outlet = Memory()
    outlet.open.clear()
    config = settings(tmp_path, tcp=[{**TERMINALS, "reply": True}])
    with running(config, outlet, reply=echo) as (bridge, told):
        own = connected(bridge.transports[0].port)
        own.sendall(frame_808(1, 7))
        wait(lambda: len(outlet.frames) == 1)
        bridge.stop()
        time.sleep(0.1)
        outlet.open.set()
        assert received(own, 6) == b"<\0\7\0>"
        own.close()
    assert told["drained"]
    assert told["confirmed"] == 1


def test_an_outlet_that_stays_away_is_told_at_the_end_of_the_patience(tmp_path):
    outlet = Away()
    outlet.open.clear()
    config = settings(tmp_path, tcp=[TERMINALS], drain_s=0.2)
    with running(config, outlet) as (bridge, told), connected(bridge.transports[0].port) as own:
        own.sendall(frame_808(1, 7))
        wait(lambda: bridge.intake.tally.waiting_frames == 1)
    assert not told["drained"]
    assert told["waiting"] == 1
    assert told["retries"] >= 1


def test_a_terminal_gets_the_sensor_of_its_phone_and_a_stranger_none(tmp_path):
    outlet = Memory()
    config = settings(tmp_path, tcp=[{**TERMINALS, "sensor": "car-{phone}"}])
    with running(config, outlet) as (bridge, told), connected(bridge.transports[0].port) as own:
        own.sendall(frame_808(13_800_138_000, 1) + frame_808(13_999_999_999, 1) + b"x\x7e")
        wait(lambda: bridge.intake.tally.frames["808"] == 3)
        wait(lambda: bridge.intake.tally.confirmed == 1)
    assert [f.sensor for f in outlet.frames] == ["car-13800138000"]
    assert told["dropped"] == {"808": {"unknown_sensor": 2}}


def test_a_receiver_that_goes_away_is_connected_to_again(tmp_path):
    beast = [b"\x1a2" + bytes([i + 32]) * 14 for i in range(30)]
    outlet = Memory()
    server = socket.create_server(("127.0.0.1", 0))
    where = f"127.0.0.1:{server.getsockname()[1]}"
    dial = {"name": "ears", "connect": where, "framing": "beast", "sensor": "ears"}
    with running(settings(tmp_path, tcp=[dial]), outlet) as (bridge, told):
        for part in (beast[:10], beast[10:20], beast[20:]):
            own, _ = server.accept()
            own.sendall(b"".join(part) + b"\x1a2half")
            own.close()
        wait(lambda: bridge.intake.tally.confirmed == 30)
    server.close()
    assert [f.payload for f in outlet.frames] == beast
    assert told["events"]["ears"]["connected"] >= 3


def test_a_receiver_that_is_not_there_yet_is_tried_until_it_is(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    outlet = Memory()
    dial = {"name": "ears", "connect": f"127.0.0.1:{port}", "framing": "lines", "sensor": "box"}
    with running(settings(tmp_path, tcp=[dial]), outlet) as (bridge, _):
        wait(lambda: bridge.intake.tally.events["ears", "not_connected"] >= 1)
        with socket.create_server(("127.0.0.1", port)) as server:
            own, _ = server.accept()
            own.sendall(b"$GPGGA,1\r\n$GPGGA,2\r\n")
            wait(lambda: bridge.intake.tally.confirmed == 2)
            own.close()
    assert [f.payload for f in outlet.frames] == [b"$GPGGA,1", b"$GPGGA,2"]


def test_datagrams_are_frames_or_their_lines_are_and_a_group_is_joined(tmp_path):
    outlet = Memory()
    ports = [
        {"name": "blocks", "listen": "127.0.0.1:0", "sensor": "rsu-1"},
        {"name": "text", "listen": "127.0.0.1:0", "sensor": "box", "framing": "lines"},
        {"name": "group", "listen": "0.0.0.0:0", "sensor": "rsu-1", "format": "rsu_status",
         "multicast": "239.18.8.1", "interface": "127.0.0.1"},
    ]  # fmt: skip
    with (
        running(settings(tmp_path, udp=ports), outlet) as (bridge, told),
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own,
    ):
        own.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
        blocks, text, group = (transport.port for transport in bridge.transports)
        for i in range(100):
            own.sendto(b"block %d\n" % i, ("127.0.0.1", blocks))
        own.sendto(b"$A\r\n\r\n$B\r\n$C", ("127.0.0.1", text))
        own.sendto(b"", ("127.0.0.1", blocks))
        own.sendto(b"hb", ("239.18.8.1", group))
        wait(lambda: bridge.intake.tally.confirmed == 104)
    payloads: dict[str, list[bytes]] = {}
    for frame in outlet.frames:
        payloads.setdefault(frame.format, []).append(frame.payload)
    assert payloads == {
        "rsu": [b"block %d\n" % i for i in range(100)],
        "nmea": [b"$A", b"$B", b"$C"],
        "rsu_status": [b"hb"],
    }
    assert told["frames"] == {"blocks": 100, "text": 3, "group": 1}


def test_datagrams_that_find_no_room_are_counted_here_or_by_the_system(tmp_path):
    outlet = Memory()
    outlet.open.clear()
    port = {"name": "u", "listen": "127.0.0.1:0", "sensor": "box", "buffer_bytes": 65_536}
    config = settings(tmp_path, udp=[port], waiting_frames=10)
    with running(config, outlet) as (bridge, told):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
            for i in range(3_000):
                own.sendto(bytes(500) + b"%d" % i, ("127.0.0.1", bridge.transports[0].port))
        tally = bridge.intake.tally
        wait(lambda: tally.frames["u"] + tally.events["u", "dropped_by_system"] == 3_000)
        outlet.open.set()
        wait(lambda: tally.confirmed == 10)
    assert told["frames"]["u"] == told["confirmed"] + told["dropped"]["u"]["no_room"]
    assert told["confirmed"] == 10


def test_the_page_of_prometheus_adds_up(tmp_path):
    config = settings(tmp_path, tcp=[TERMINALS], metrics="127.0.0.1:0")
    with running(config, Memory()) as (bridge, _), connected(bridge.transports[0].port) as own:
        own.sendall(frame_808(1, 1) + b"\x7e" + frame_808(1, 2) + bytes(5))
        wait(lambda: bridge.intake.tally.confirmed == 2)
        url = f"http://127.0.0.1:{bridge.page.port}/metrics"
        text = urllib.request.urlopen(url, timeout=PATIENCE_S).read().decode()
    rows = dict(row.rsplit(" ", 1) for row in text.splitlines() if not row.startswith("#"))
    assert rows['v2x_bridge_frames_total{transport="808"}'] == "2.0"
    assert rows["v2x_bridge_confirmed_total"] == "2.0"
    assert rows["v2x_bridge_waiting_frames"] == "0.0"
    assert rows['v2x_bridge_connections{transport="808"}'] == "1.0"
    assert rows['v2x_bridge_events_total{event="accepted",transport="808"}'] == "1.0"


def test_a_port_that_is_taken_is_an_error_that_names_it(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        for bridge in (
            {"tcp": [{**TERMINALS, "listen": where}]},
            {"tcp": [TERMINALS], "metrics": where},
        ):
            with pytest.raises(SourceError, match=where):
                Bridge(settings(tmp_path, **bridge), outlet=Memory()).run()


@pytest.mark.parametrize(
    ("bridge", "named"),
    [
        ({}, "no transport"),
        ({"tcp": [{**TERMINALS, "sensor": "nobody"}]}, "no [[sensors]] entry is named 'nobody'"),
        ({"tcp": [{**TERMINALS, "format": "morse"}]}, "unknown wire format 'morse'"),
        ({"tcp": [{**TERMINALS, "listen": "here"}]}, "'here' is no host:port"),
        ({"tcp": [{**TERMINALS, "connect": "a:1"}]}, "either listen or connect"),
        ({"tcp": [{**TERMINALS, "framing": "beast", "reply": True}]}, "reply: only jt808"),
        ({"tcp": [{**TERMINALS, "sensor": "{rsu}"}]}, "{rsu} is nothing that jt808 tells"),
        ({"tcp": [{**TERMINALS, "sensor": "{fon}"}]}, "{fon} is unknown"),
        ({"tcp": [{**TERMINALS, "sensor": "{phone"}]}, "a brace without its partner"),
        ({"tcp": [{**TERMINALS, "prot": 1}]}, "tcp.0.prot: unknown key"),
        ({"tcp": [TERMINALS, TERMINALS]}, "name: used twice: 808"),
        ({"udp": [{"name": "u", "listen": "a:1", "sensor": "box", "multicast": "10.0.0.1"}]},
         "'10.0.0.1' is no IPv4 group"),
        ({"mqtt": [{"name": "m", "broker": "a:1", "client_id": "c", "topics": []}]}, "topics"),
        ({"mqtt": [{"name": "m", "broker": "a:1", "client_id": "c",
                    "topics": [{"filter": "a/+/b", "sensor": "{2}"}]}]}, "{2} is nothing"),
        ({"mqtt": [{"name": "m", "broker": "a:1", "client_id": "c",
                    "topics": [{"filter": "a/#/b", "sensor": "box"}]}]}, "# stands alone"),
        ({"mqtt": [{"name": "m", "broker": "a:1", "client_id": "c",
                    "topics": [{"filter": "a+/b", "sensor": "box"}]}]}, "+ stands alone"),
    ],
)  # fmt: skip
def test_a_bridge_that_cannot_work_is_refused_at_the_start(tmp_path, bridge, named):
    with pytest.raises(ConfigError) as refused:
        Bridge(settings(tmp_path, **bridge), outlet=Memory())
    assert named in str(refused.value)


SITE = """
[site]
lat = 39.1244
lon = 117.346

[airspace]
zones = "zones.geojson"

[[sensors]]
name = "gateway-808"
format = "jt808"
kind = "self_report"

[[sensors]]
name = "radar"
format = "json"
mapping = "radar.toml"

[[bridge.tcp]]
name = "terminals"
listen = "127.0.0.1:{port}"
framing = "jt808"
sensor = "gateway-808"

[[bridge.udp]]
name = "radar"
listen = "127.0.0.1:{port}"
sensor = "radar"
"""
POSITION = bytes.fromhex(
    "7e020000280138001380007d027d0100000000000c00030254fc2006fe9e70000301c8005a2611241011120104"
    "0000102030011531010cad7e"
)


def site(folder: Path) -> Path:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (folder / "v2x.toml").write_text(SITE.replace("{port}", str(port)))
    (folder / "zones.geojson").write_text('{"type": "FeatureCollection", "features": []}')
    (folder / "radar.toml").write_text('[fields]\nlat = "la"\nlon = "lo"\n')
    return folder / "v2x.toml"


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "v2x", *words]


def test_a_drive_of_the_bridge_is_replayed_without_anything_beside_it(tmp_path):
    config, drive = site(tmp_path), tmp_path / "d.mcap"
    port = load_config(config, {}).bridge.udp[0].listen.rpartition(":")[2]
    process = subprocess.Popen(
        command("bridge", "--config", str(config), "--out", str(drive), "--json"), cwd=ROOT,
        env=os.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert "bridge runs" in process.stderr.readline()
        with connected(int(port)) as own:
            for i in range(20):
                own.sendall(frame_808(13_800_138_000, i))
            own.sendall(POSITION)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
            for i in range(5):
                own.sendto(b'{"la": 39.12%d, "lo": 117.34}' % i, ("127.0.0.1", int(port)))
        time.sleep(1.0)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=PATIENCE_S)
    finally:
        process.kill()
    assert process.returncode == 0, err
    told = json.loads(out)
    assert told["frames"] == {"radar": 5, "terminals": 21}
    assert told["confirmed"] == 26
    assert set(attachments(drive)) == {"v2x.toml", "zones.geojson", "radar.toml"}
    frames = [f for poll in DriveSource(drive) for f in poll.frames]
    assert sum(f.sensor == "gateway-808" for f in frames) == 21
    done = subprocess.run(
        command("replay", str(drive), "--json"), cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["frames"]["in"] == 26
    assert summary["frames"]["dead_letter"] == 0


def test_a_drive_carries_no_password(tmp_path):
    file = site(tmp_path)
    secrets = """
[kafka]
password = "se\\"cret1"
[[bridge.mqtt]]
name = "m"
broker = "127.0.0.1:1"
client_id = "c"
password='secret2' # the broker's
topics = [{ filter = "a", sensor = "radar" }]
"""
    file.write_text(file.read_text() + secrets)
    config = load_config(file, {})
    assert config.bridge.mqtt[0].password == "secret2"
    text = carried(config)["v2x.toml"].decode()
    assert "cret" not in text
    (tmp_path / "v2x.toml").write_text(text)
    assert load_config(file, {}).kafka.password == ""


def test_the_example_of_a_bridge_is_good():
    bridge = Bridge(load_config(ROOT / "docs" / "example" / "bridge.toml", {}))
    assert len(bridge.config.bridge.tcp) == 3


def test_a_drive_carries_only_files_that_stand_beside_the_configuration(tmp_path):
    config = load_config(site(tmp_path), {})
    assert set(carried(config)) == {"v2x.toml", "zones.geojson", "radar.toml"}
    tree = {"site": {"lat": 39.1, "lon": 117.3}, "airspace": {"zones": "maps/zones.geojson"}}
    with pytest.raises(ConfigError, match=r"maps/zones\.geojson"):
        carried(config_from(tree, str(tmp_path / "v2x.toml"), tmp_path))
