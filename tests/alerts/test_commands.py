"""Commands: what is one, and what is refused by name."""

import contextlib
import json
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from v2x.alerts.commands import MOST_BYTES, Command
from v2x.alerts.stamps import iso_utc, ns_of
from v2x.errors import DecodeError

ID = "0123456789abcdef0123456789abcdef"
GOOD: dict[str, Any] = {"id": ID, "event": "ack", "who": "li.wei", "role": "operator", "key": "k1"}
T = 1_772_330_400_000_000_000


def parsed(**more: Any) -> Command:
    return Command.parse(json.dumps(GOOD | more).encode(), T)


def test_json_and_msgpack_say_the_same() -> None:
    plain = GOOD | {"event": "assign", "unit": "patrol-1", "eta_s": 90, "if_match": "ab"}
    one = Command.parse(json.dumps(plain).encode())
    assert one == Command.parse(msgpack.packb(plain))
    assert one == Command.parse(b"  " + json.dumps(plain, indent=2).encode())
    assert (one.event, one.given, one.if_match) == ("assign", {"unit": "patrol-1", "eta_s": 90},
                                                    "ab")  # fmt: skip


def test_other_words_for_an_event_and_a_note_as_its_text() -> None:
    assert parsed(event="depart").event == "accept"
    assert parsed(event="attach", file="sha256:00").given == {"file": "sha256:00"}
    assert parsed(event="note", note="seen").given == {"text": "seen"}
    assert parsed(event="note", note="seen", text="heard").given == {"text": "heard"}


def test_a_shelf_ends_at_a_time_or_after_a_while() -> None:
    assert parsed(event="shelve", for_s=60).transition(T).given["until_ns"] == T + 60 * 10**9
    until = parsed(event="shelve", until="2026-03-01T12:00:00+08:00", for_s=60)
    assert until.transition(T).given["until_ns"] == T + 7200 * 10**9
    assert "until_ns" not in parsed(event="shelve").transition(T).given


def test_without_a_key_the_same_bytes_at_the_same_arrival_are_one_command() -> None:
    keyless = {k: v for k, v in GOOD.items() if k != "key"}
    payload = json.dumps(keyless).encode()
    assert Command.parse(payload, T).key == Command.parse(payload, T).key
    assert Command.parse(payload, T).key != Command.parse(payload, T + 1).key


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        (b"", "neither JSON nor msgpack"),
        (b"{", "neither JSON nor msgpack"),
        (b"\xc1", "neither JSON nor msgpack"),
        (b"\x01", "wanted a map"),
        (b'{"id": NaN}', "NaN is no number"),
        (b'{"id": "a", "id": "b"}', "a field twice"),
        (b"{" + b" " * MOST_BYTES + b"}", "bytes, at most"),
        (b"[" * 5000, "neither"),
        (b'{"a":' * 3000, "neither"),
        (b"\x91" * 5000, "neither"),
        (msgpack.packb({"id": b"x"}), "neither"),
        (msgpack.packb({1: 2}), "neither"),
        (msgpack.packb({"id": [1]}), "neither"),
    ],
)
def test_bytes_that_are_no_command(payload: bytes, says: str) -> None:
    with pytest.raises(DecodeError, match=says):
        Command.parse(payload)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"id": "xyz"}, "id: wanted the 32 hex digits"),
        ({"id": ID.upper()}, "id: wanted the 32 hex digits"),
        ({"id": ""}, "id: missing"),
        ({"id": 7}, "id: wanted"),
        ({"parent": "7"}, "parent: wanted"),
        ({"event": "raise"}, "event: 'raise' is none of ack"),
        ({"event": "clear"}, "event"),
        ({"event": "explode"}, "event"),
        ({"event": ""}, "event"),
        ({"role": "engine"}, "role: 'engine' is none of viewer"),
        ({"role": None}, "role"),
        ({"who": ""}, "who: missing"),
        ({"who": 3}, "who: wanted a text"),
        ({"who": "x" * 201}, "who: wanted a text of at most 200"),
        ({"until": "tomorrow"}, "until: 'tomorrow' is no ISO"),
        ({"until": "2026-03-01T12:00:00"}, "until"),
        ({"until": 7}, "until"),
        ({"for_s": -1}, "for_s: -1 is out of range"),
        ({"for_s": True}, "for_s: wanted a number"),
        ({"for_s": 1e300}, "for_s"),
        ({"eta_s": "soon"}, "eta_s: wanted a number"),
        ({"override": 1}, "override: wanted true or false"),
        ({"severity": 1}, "severity: no such field"),
    ],
)
def test_fields_that_are_refused(more: dict[str, Any], says: str) -> None:
    with pytest.raises(DecodeError, match=says):
        parsed(**more)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_command_or_refused(payload: bytes) -> None:
    with contextlib.suppress(DecodeError):
        assert Command.parse(payload).who


@given(st.integers(min_value=0, max_value=len(json.dumps(GOOD)) - 1))
def test_every_truncation_is_refused(at: int) -> None:
    for payload in (json.dumps(GOOD).encode(), msgpack.packb(GOOD)):
        with pytest.raises(DecodeError):
            Command.parse(payload[: min(at, len(payload) - 1)])


@given(st.integers(min_value=-62_000_000_000 * 10**9, max_value=250_000_000_000 * 10**9))
def test_a_time_as_text_is_read_back(t_ns: int) -> None:
    assert ns_of(iso_utc(t_ns)) == t_ns


def test_times_are_read_as_the_library_reads_them() -> None:
    from datetime import datetime

    for text in ("2024-02-29T23:59:59.5+08:00", "1970-01-01T00:00:00Z", "2026-12-31T00:00:00-09:30",
                 "2100-03-01T00:00:00.000001Z"):  # fmt: skip
        whole = datetime.fromisoformat(text)
        assert ns_of(text) == round(whole.timestamp() * 1e6) * 1000


@pytest.mark.parametrize(
    "text",
    ["2023-02-29T00:00:00Z", "2100-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z",
     "2026-01-00T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026-01-01T00:00:60Z",
     "2026-01-01T00:00:00", "2026-01-01 00:00:00Z", "2026-01-01T00:00:00.Z", "", "x",
     "2026-01-01T00:00:00+25:00", "２026-01-01T00:00:00Z"],
)  # fmt: skip
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match=r"wanted a time|no such time"):
        ns_of(text)
