"""``v2x decode`` as a user types it."""

import json
import struct
import subprocess
import sys

import pytest

from tests.ingest.roadside import MAP
from v2x.ingest.cutting import payloads
from v2x.ingest.formats import format_named
from v2x.ingest.formats.columns import encode_columns

T808 = (
    "7e020000280138001380007d027d0100000000000c00030254fc2006fe9e70000301c8005a2611241011120104"
    "0000102030011531010cad7e"
)
NMEA = (
    "$GNGGA,021112.00,3907.4400000,N,11721.0000000,E,4,24,0.6,3.20,M,-8.19,M,1.0,0001*4D\r\n"
    "$GNGST,021112.00,12,3.2,1.6,149,2.9,2.1,4.0*7D\r\n"
    "$GNRMC,021112.00,A,3907.4400000,N,11721.0000000,E,24.62,090.0,241126,,,R,S*2D\r\n"
)
RECV = ("--recv", "2026-11-24T02:11:13Z")


def v2x(*arguments: str, stdin: str | bytes = b""):
    data = stdin.encode() if isinstance(stdin, str) else stdin
    done = subprocess.run(
        [sys.executable, "-m", "v2x", *arguments], input=data, capture_output=True
    )
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith(b"{")]
    return done.returncode, lines, done.stderr.decode()


def test_a_hex_line_becomes_a_json_line_in_si_units_and_degrees():
    code, lines, _ = v2x("decode", "jt808", "-", "--json", *RECV, stdin=T808)
    assert code == 0
    row = lines[0]["observations"][0]
    assert row["t"] == "2026-11-24T02:11:12Z"
    assert (row["lat"], row["lon"]) == (39.124, 117.35)
    assert row["ident"] == "808:13800138000"
    assert row["kind"] == "car"
    assert row["amsl_m"] == 3.0
    assert row["hae_m"] == pytest.approx(-5.2, abs=0.1)
    assert row["speed"] == pytest.approx(45.6 / 3.6, abs=1e-3)
    assert row["heading_deg"] == pytest.approx(90.0)
    assert row["flags"] == ["self_reported"]
    assert {r["name"] for r in lines[0]["readings"]} >= {"alarm_bits", "status_bits", "fix"}
    assert lines[-1] == {"ok": True, "end": True, "observations": [], "readings": []}


def test_what_is_pending_at_the_end_stands_on_the_last_line():
    code, lines, _ = v2x("decode", "nmea", "-", "--input", "lines", "--json", *RECV, stdin=NMEA)
    assert code == 0
    assert [len(line["observations"]) for line in lines] == [0, 0, 0, 1]
    row = lines[-1]["observations"][0]
    assert row["hae_m"] == pytest.approx(-4.99)
    assert row["cov"][:4] == pytest.approx([4.597, -3.391, 0.0, 8.203], abs=1e-3)
    assert row["vel"][0] == pytest.approx(12.67, abs=0.01)


def test_a_reject_is_named_and_makes_the_exit_code_one():
    code, lines, _ = v2x("decode", "jt808", "-", "--json", *RECV, stdin=f"{T808}\nzz not hex\n")
    assert code == 1
    assert lines[0]["ok"]
    assert lines[1] == {"ok": False, "reason": "bad_magic"}


def test_what_fits_no_column_stands_under_extra():
    good = MAP.hex()
    code, lines, _ = v2x("decode", "ydt3709", "-", "--json", *RECV, stdin=f"{good}\n{good[:40]}")
    assert code == 1
    assert lines[0]["extra"]["nodes"][0]["place"] == [39.124, 117.346, None]
    assert lines[0]["readings"][1]["name"] == "map_nodes"
    assert lines[1] == {"ok": False, "reason": "short"}
    assert "extra" not in lines[2]


def test_an_unknown_format_names_the_known_ones_and_exits_with_three():
    code, _, told = v2x("decode", "morse", "-", stdin="00")
    assert code == 3
    assert "jt808" in told


def test_a_missing_file_is_input_and_output_and_exits_with_four():
    code, _, told = v2x("decode", "jt808", "/nowhere/frames.hex")
    assert code == 4
    assert "/nowhere/frames.hex" in told


@pytest.mark.parametrize("option", [("--recv", "soon"), ("--at", "1"), ("--input", "tape")])
def test_a_wrong_option_is_usage_and_exits_with_two(option):
    code, _, told = v2x("decode", "jt808", "-", *option, stdin="00")
    assert code == 2
    assert option[0] in told


def pcap(packets: list[bytes], link: int, magic: int = 0xA1B2C3D4) -> bytes:
    out = struct.pack("<IHHiIII", magic, 2, 4, 0, 0, 65535, link)
    for i, packet in enumerate(packets):
        out += struct.pack("<4I", 1_795_486_272 + i, 345_000, len(packet), len(packet)) + packet
    return out


def udp(payload: bytes) -> bytes:
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 28 + len(payload), 0, 0, 64, 17, 0, b"abcd", b"efgh")
    return bytes(12) + b"\x08\x00" + ip + struct.pack(">4H", 1, 2, 8 + len(payload), 0) + payload


def test_a_capture_gives_payload_and_arrival_of_each_packet(tmp_path):
    frame = encode_columns(1_795_486_272_300_000_000, 1, {"lat": [39.1], "lon": [117.3]})
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap([udp(frame), udp(b"\xc1")], 1))
    code, lines, _ = v2x("decode", "columns", str(path), "--input", "pcap", "--json")
    assert code == 1
    assert lines[0]["observations"][0]["t_ns"] == 1_795_486_272_300_000_000
    assert lines[1]["reason"] == "bad_map"


def test_vlan_tags_ipv6_tcp_and_padding_are_taken_off():
    decoder = format_named("columns")
    tagged = udp(b"hello")
    tagged = tagged[:12] + b"\x81\x00\x00\x05" + tagged[12:] + bytes(10)
    tcp = bytes(12) + b"\x50" + bytes(7) + b"stream"
    six = b"\x60" + bytes(5) + b"\x06" + bytes(33) + tcp
    got = list(payloads(decoder, pcap([tagged, bytes(12) + b"\x86\xdd" + six], 1), "pcap"))
    assert [p for p, _ in got] == [b"hello", b"stream"]
    assert got[0][1] == 1_795_486_272_345_000_000
    assert [p for p, _ in payloads(decoder, pcap([b"80211"], 105), "pcap")] == [b"80211"]
