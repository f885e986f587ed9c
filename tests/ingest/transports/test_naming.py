"""Whose frame it is."""

import json

import pytest

from v2x.ingest.transports.naming import phone_of, sensor_name, unit_of

TWENTY13 = bytes.fromhex(
    "7e020000280138001380007d027d0100000000000c00030254fc2006fe9e70000301c8005a2611241011120104"
    "0000102030011531010cad7e"
)
TWENTY19 = bytes.fromhex(
    "7e020040280100000000013800138000000100000000000c00030254fc2006fe9e70000301c8005a2611241011"
    "1201040000102030011531010cee7e"
)
ENVELOPE = b"DL000001" + bytes(8) + b"\x03\0abc"


def test_a_terminal_is_named_by_its_phone_in_both_editions():
    assert phone_of(TWENTY13) == phone_of(TWENTY19) == "13800138000"
    assert sensor_name("car-{phone}", TWENTY13) == "car-13800138000"


def test_an_escape_inside_the_phone_is_undone():
    frame = b"\x7e\x02\x00\x00\x28" + b"\x01\x7d\x02\x7d\x01\x38\x00\x12" + b"\0\x01x\x7e"
    assert phone_of(frame) == "17e7d380012"


def test_a_unit_is_named_by_its_envelope_or_its_message():
    assert unit_of(ENVELOPE) == "DL000001"
    assert unit_of(b"R1\0\0\0\0\0\0" + ENVELOPE[8:]) == "R1"
    for message in ({"rsuEsn": "R7"}, {"rsuId": "R7"}, {"base": {"ID": "R7"}}):
        assert unit_of(json.dumps(message).encode()) == "R7"
    assert unit_of(b"\xef\xbb\xbf" + json.dumps({"rsuEsn": "R7"}).encode()) == "R7"


def test_levels_of_a_topic_stand_for_the_numbers():
    assert sensor_name("{2}-{1}", b"", ["a", "b"]) == "b-a"


@pytest.mark.parametrize(
    ("template", "payload", "levels"),
    [
        ("{phone}", b"\x7e\x01\x7e", ()),
        ("{phone}", b"", ()),
        ("{rsu}", b"short", ()),
        ("{rsu}", b"{broken", ()),
        ("{rsu}", b'{"hb": 1}', ()),
        ("{rsu}", b"\xff" * 30, ()),
        ("{rsu}", b"a/b\0\0\0\0\0" + bytes(12), ()),
        ("{1}", b"", ["../etc"]),
        ("{1}", b"", [""]),
        ("{1}", b"", ["x" * 65]),
        ("{2}", b"", ["a"]),
    ],
)
def test_what_does_not_tell_a_plain_name_names_no_sensor(template, payload, levels):
    assert sensor_name(template, payload, levels) == ""
    assert sensor_name("rsu-" + template, payload, levels) == ""
