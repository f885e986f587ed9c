"""The command line as a process: exit codes, and what it does with a bad environment."""

import json
import os
import subprocess
import sys

import pytest

FRAME = "8D780ABC580B82132FFD91A418AC\n"


def v2x(*arguments, stdin="", shell_to=None, **environment):
    return subprocess.run(
        [sys.executable, "-m", "v2x", *arguments],
        input=stdin,
        stdout=shell_to or subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )


def test_a_kernel_cache_that_cannot_be_made_is_a_configuration_error(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    done = v2x("decode", "adsb", "-", stdin=FRAME, V2X_CACHE=str(file))
    assert done.returncode == 3
    assert "V2X_CACHE" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
def test_a_full_standard_output_is_an_output_error():
    with open("/dev/full", "w") as full:
        done = v2x("decode", "adsb", "-", "--json", stdin=FRAME, shell_to=full)
    assert done.returncode == 4
    assert "No space left" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_reader_that_goes_away_ends_decode_without_a_word():
    command = f"{sys.executable} -m v2x decode adsb - --json | head -1"
    done = subprocess.run(
        ["bash", "-c", command], input=FRAME * 5_000, capture_output=True, text=True
    )
    assert done.stdout.startswith('{"ok": true')
    assert done.stderr == ""


def test_a_terminal_without_the_character_gets_a_replacement():
    zones = os.path.join(os.path.dirname(__file__), "../../docs/example/zones.geojson")
    done = v2x("zones", "check", zones, PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert "ZBTJ-P1" in done.stdout


def test_a_receiver_off_the_globe_is_a_usage_error():
    for at in ("95,10", "10,400", "nan,nan", "1", "a,b"):
        assert v2x("decode", "adsb", "-", "--at", at, stdin=FRAME).returncode == 2, at


def test_zones_go_from_one_format_to_another_and_back(tmp_path):
    zones = os.path.join(os.path.dirname(__file__), "../../docs/example/zones.geojson")
    made = v2x("zones", "convert", zones, "--to", "ed318", "--country", "CHE")
    assert made.returncode == 0, made.stderr
    assert '"country": "CHE"' in made.stdout
    path = tmp_path / "zones.json"
    path.write_text(made.stdout, "utf-8")
    hashes = [
        json.loads(v2x("zones", "check", str(file), "--json").stdout)["zones_hash"]
        for file in (zones, path)
    ]
    assert hashes[0] == hashes[1]
    assert v2x("zones", "convert", zones, "--to", "kml").returncode == 2
