"""``v2x bench decode``: what it measures and what it prints, never how fast."""

import json
import shlex
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from typer.testing import CliRunner

from v2x import cli
from v2x.cli.bench import decoding
from v2x.cli.bench.wires import Peer, Wire, wires
from v2x.errors import V2XError
from v2x.ingest.formats import registry


def invoke(*words):
    made = CliRunner().invoke(
        cli.app, ["bench", "decode", *(str(w) for w in words)], env={"COLUMNS": "300"}
    )
    return made.exit_code, made.output


def wire(name="gb46750", **changes) -> Wire:
    return replace(wires()[name], **changes)


def test_every_wire_is_of_a_format_that_there_is():
    assert {w.format for w in wires().values()} <= set(registry())
    assert all(name.startswith(w.format) for name, w in wires().items())
    assert {"columns", "ydt3709", "jt808", "nmea", "gb46750", "odid", "adsb"} <= {
        w.format for w in wires().values()
    }


@pytest.mark.parametrize("name", wires())
def test_payloads_come_from_the_seed_alone_and_are_all_accepted(name):
    made = wires()[name]
    one, two = (made.make(np.random.default_rng(5), 40) for _ in range(2))
    assert one == two
    assert len(one) == 40
    assert one != made.make(np.random.default_rng(6), 40)
    row = decoding.measure(made, 40, 0, 0.0, peer=False)
    assert row["objects"] + row["readings"] > 0
    assert row["frames_per_s"] > 0


@pytest.mark.parametrize("name", ["gb46750", "adsb-position", "jt808-position", "columns-100"])
def test_a_peer_reads_the_same_payloads_and_is_compared(name):
    row = decoding.measure(wires()[name], 20, 0, 0.0, peer=True)
    assert "missing" not in row["peer"]
    assert row["peer"]["ratio"] == pytest.approx(row["peer"]["us_per_poll"] / row["us_per_poll"])


def test_a_peer_that_finds_another_number_of_objects_is_no_peer():
    odd = Peer("odd", "", lambda: lambda payloads: len(payloads) + 1)
    with pytest.raises(V2XError, match="odd found 21 objects in 20 frames, v2x 20"):
        decoding.measure(wire(peer=odd), 20, 0, 0.0, peer=True)


def test_a_peer_that_is_not_installed_is_named_and_not_run():
    def absent():
        raise ImportError("No module named 'elsewhere'")

    row = decoding.measure(wire(peer=Peer("elsewhere", "", absent)), 5, 0, 0.0, peer=True)
    assert row["peer"]["missing"] == "No module named 'elsewhere'"
    assert decoding.cells(row)[5] == "elsewhere (not here)"


def test_payloads_that_are_refused_are_no_measurement():
    with pytest.raises(V2XError, match="gb46750: 3 payloads refused, the first: bad_magic"):
        decoding.measure(wire(make=lambda rng, n: [b"nothing"] * n), 3, 0, 0.0, peer=False)


def test_json_has_figures_floors_machine_and_the_command_that_makes_them():
    code, told = invoke("--format", "gb46750,nmea", "--frames", 30, "--seconds", 0, "--json")
    assert code == 0, told
    made = json.loads(told)
    assert {row["wire"] for row in made["results"]} == {"gb46750", "nmea-fixes", "nmea-bursts"}
    for row in made["results"]:
        assert row["frames"] == 30
        assert row["holds"] is (row["frames_per_s"] >= row["floor"])
    assert {"cpu", "cores", "load_1min"} <= set(made["machine"])
    assert {"python", "v2x", "numpy", "numba"} <= set(made["versions"])
    words = shlex.split(made["command"])
    assert words[:3] == ["v2x", "bench", "decode"]
    code, again = invoke(*words[3:], "--json")
    assert code == 0
    assert [r["objects"] for r in json.loads(again)["results"]] == [
        r["objects"] for r in made["results"]
    ]


def test_the_table_and_the_page_hold_the_same_rows(tmp_path):
    page = tmp_path / "decode.html"
    code, told = invoke(
        "--format", "odid-location", "--frames", 20, "--seconds", 0, "--no-peer", "--html", page
    )
    assert code == 0, told
    assert "odid-location" in told
    text = page.read_text()
    assert "odid-location" in text
    assert "frames per CPU second" in text
    for outside in ("http://", "https://", "<script", "src="):
        assert outside not in text.replace("http://www.w3.org", "")
    HTMLParser().feed(text)


@pytest.mark.parametrize(
    ("words", "said"),
    [("--format morse", "'morse'"), ("--frames 0", "from 1"), ("--seed -1", "0 or above"),
     ("--seconds -1", "from 0"), ("--html /nowhere/at/all.html", "a file in a folder")],
)  # fmt: skip
def test_what_cannot_be_asked_is_refused_by_name(words, said):
    code, told = invoke(*shlex.split(words))
    assert code == 2
    assert said in told
