"""Whole messages as plain data, both ways, against another encoder; maps in degrees."""

import json
import math
import os

import numpy as np
import pytest

from tests.ingest import naive_uper, roadside
from tests.ingest.roadside import (
    BSM,
    FORMAT,
    MAP,
    MAP_2020,
    RSI,
    RSI_2020,
    RSM,
    SPAT,
    SSM,
    TYPES,
    as_plain,
    decode,
    encoded,
    schema,
)
from tests.ingest.test_ydt3709 import added
from tests.shared_data import shared
from v2x.ingest.decoded import Reject
from v2x.ingest.formats.rsu import FORMATS as RSU
from v2x.ingest.j2735cn_encode import encode_envelope
from v2x.ingest.j2735cn_events import EVENTS, event_name, sign_name
from v2x.ingest.j2735cn_map import coverage_of, nodes_of
from v2x.ingest.j2735cn_plain import read_message, write_message
from v2x.ingest.j2735cn_types import types_of
from v2x.ingest.uper_plain import RefusedError, read, write
from v2x.ingest.uper_types import parsed

VECTORS = [
    (RSM, "2019"), (BSM, "2019"), (RSI, "2019"), (SPAT, "2019"), (MAP, "2019"), (RSI_2020, "2020"),
    (MAP_2020, "2020"), (SSM, "day2"),
]  # fmt: skip
EDITIONS = [
    *((kind, "2019") for kind in list(TYPES)[:5]), ("mapFrame", "2020"), ("rsiFrame", "2020"),
    ("bsmFrame", "2020"), ("SensorSharingMsg", "day2"), ("rsiFrame", "day2"),
]  # fmt: skip


@pytest.mark.parametrize(("frame", "edition"), VECTORS)
def test_vectors_are_written_as_they_were_read(frame, edition):
    kind, value, _ = read_message(frame, edition)
    assert write_message(kind, value, edition) == frame


def test_made_frames_are_written_as_they_were_read():
    frames = json.loads(shared("rsu/made_frames.json").read_text())["frames"]
    for frame in frames:
        payload = bytes.fromhex(frame["frame_hex"])
        kind, value, edition = read_message(payload)
        assert (kind, edition) == (frame["kind"], "2019")
        assert write_message(kind, value) == payload


@pytest.mark.parametrize(("kind", "edition"), EDITIONS)
def test_another_encoder_agrees_both_ways(kind, edition):
    rng = np.random.default_rng(37)
    n = 2000 if os.environ.get("V2X_SOAK") else 60
    for _ in range(n):
        wire = naive_uper.invented(rng, TYPES[kind], edition, rng.random(), 3)
        frame = encoded(kind, wire, edition)
        value = as_plain(wire, TYPES[kind], edition)
        assert read_message(frame, edition) == (kind, value, edition)
        assert write_message(kind, value, edition) == frame
        name, got = schema(edition).decode("MessageFrame", write_message(kind, value, edition))
        if kind == "SensorSharingMsg":
            assert (name, got["messageId"]) == ("msgFrameExt", 12)
            got = schema(edition).decode(kind, got["value"])
        assert got == wire


@pytest.mark.parametrize("kind", list(TYPES)[:5])
def test_what_a_later_edition_adds_is_kept_and_written_again(kind):
    rng = np.random.default_rng(99)
    grown = 0
    for _ in range(40):
        wire = naive_uper.invented(rng, TYPES[kind], "2019", rng.random(), 3)
        wire = added(wire, naive_uper.EDITION["2019"], TYPES[kind], rng)
        frame = encoded(kind, wire, "later")
        value = read_message(frame, "2019").value
        grown += "+" in value
        assert write_message(kind, value) == frame
    assert grown


def test_values_and_alternatives_of_a_later_edition_are_written_again():
    wire = schema("2019").decode("MessageFrame", RSM)[1]
    wire["participants"][0]["ptcType"] = "w1"
    frame = encoded("rsmFrame", wire, "later")
    kind, value, _ = read_message(frame)
    assert value["participants"][0]["ptcType"] == "+1"
    assert write_message(kind, value) == frame
    wire = schema("2019").decode("MessageFrame", MAP)[1]
    lane = wire["nodes"][0]["inLinks"][0]["lanes"][0]
    lane["laneAttributes"] = {"laneType": ("more", b"abc")}
    frame = encoded("mapFrame", wire, "later")
    kind, value, _ = read_message(frame)
    lane = value["nodes"][0]["inLinks"][0]["lanes"][0]
    assert lane["laneAttributes"]["laneType"] == {"+0": b"abc"}
    assert write_message(kind, value) == frame


def test_additions_of_day2_that_are_known_are_read_and_the_others_kept():
    wire = schema("2020").decode("MessageFrame", MAP_2020)[1]
    wire["nodes"][0] |= {"inLinks-ex": b"abc", "prohibitedzone": b"de"}
    frame = encoded("mapFrame", wire, "day2")
    kind, value, edition = read_message(frame)
    assert (edition, len(value["nodes"][0]["+"])) == ("day2", 2)
    assert write_message(kind, value, edition) == frame
    sign = {"rtsId": 1, "signType": 85, "auxiliarySign": {"signDirection": "v3"}}
    wire = {"msgCnt": 1, "id": bytes(8), "refPos": {"lat": 1, "long": 2}, "rtss": [sign]}
    frame = encoded("rsiFrame", wire, "day2")
    kind, value, _ = read_message(frame, "day2")
    assert value["rtss"][0]["auxiliarySign"] == {"signDirection": 3}
    assert write_message(kind, value, "day2") == frame
    assert read_message(frame, "2020").value["rtss"][0]["+"] == [b"\x26"]


@pytest.mark.parametrize(("frame", "edition"), VECTORS)
def test_every_truncation_is_refused_with_the_code_of_the_decoder(frame, edition):
    for n in range(len(frame)):
        with pytest.raises(RefusedError) as refused:
            read_message(frame[:n], edition)
        assert refused.value.reject == Reject.SHORT
        assert FORMAT.extra(frame[:n]) == {}


def test_damage_is_refused_here_where_the_decoder_refuses_it():
    rng = np.random.default_rng(8)
    for frame, edition in VECTORS:
        for bit in rng.integers(0, 8 * len(frame), 120):
            broken = bytearray(frame)
            broken[bit // 8] ^= 0x80 >> bit % 8
            code = Reject(int(decode(bytes(broken), edition=edition).rejects[0]))
            try:
                read_message(bytes(broken), edition)
                mine = Reject.OK
            except RefusedError as refused:
                mine = refused.reject
            if Reject.VALUE_RANGE in (code, mine):
                continue  # a pair that was swapped, or an offset over the pole
            well = (Reject.OK, Reject.NOTHING_TO_OBSERVE)
            other = (Reject.UNKNOWN_MESSAGE, Reject.BAD_MAGIC)  # not what this is about
            assert (mine == Reject.OK) == (code in well) or code in other


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("rsmFrame", {"msgCnt": 128}), ("rsmFrame", {"id": b"short"}), ("rsmFrame", {"name": 1}),
        ("rsmFrame", {"participants": []}), ("spatFrame", {"moy": 527_041}),
        ("spatFrame", {"name": ""}), ("rsiFrame", {"moy": -1}),
        ("spatFrame", {"intersections": [{"intersectionId": {"id": 1}}]}),
        ("spatFrame", {"intersections": [{"intersectionId": {"id": 1}, "status": "01",
                                          "phases": []}]}),
    ],
)  # fmt: skip
def test_values_that_do_not_fit_are_refused(kind, change):
    frame = {"rsmFrame": RSM, "spatFrame": SPAT, "rsiFrame": RSI}[kind]
    with pytest.raises(ValueError, match=r"."):
        write_message(kind, read_message(frame).value | change)


def test_alternatives_that_are_none_are_refused():
    value = read_message(MAP).value
    value["nodes"][0]["inLinks"][0]["points"][0]["posOffset"]["offsetLL"] = {"position-LL9": {}}
    with pytest.raises(ValueError, match="position-LL9"):
        write_message("mapFrame", value)


def test_a_message_of_too_many_values_is_too_complex():
    one = {"type": 4, "speed": 1000}
    lane = {"laneID": 1, "speedLimits": [one] * 9}
    link = {"upstreamNodeId": {"id": 1}, "lanes": [lane] * 32}
    node = {"id": {"id": 1}, "refPos": {"lat": 1, "long": 2}, "inLinks": [link] * 32}
    frame = write_message("mapFrame", {"msgCnt": 1, "nodes": [node] * 6})
    with pytest.raises(RefusedError, match="too_complex"):
        read_message(frame, "2019")


def test_tables_say_what_is_wrong_with_them():
    with pytest.raises(ValueError, match="2 optional fields, 1 announced"):
        parsed("Sequence: 1\n    a? u7; b? u8")
    with pytest.raises(ValueError, match="no code"):
        parsed("Sequence:\n    a z7")
    types = parsed("Letters: x 1\n    name? a[1..63]6; rest open; flags xb3")
    value = {"name": "AB", "rest": b"xyz", "flags": "10101"}
    assert read("Letters", write("Letters", value, types), types) == value


def test_every_type_that_a_message_names_is_in_its_table_but_for_two():
    types = types_of("day2")
    named = set()
    for kind in types.values():
        for field in (*kind.fields, *kind.added):
            named |= {field.code.of} | {inner.code.of for inner in field.code.fields}
    assert named - set(types) == {"", "LinkEx", "ProhibitedZone"}


# --- what v2x decode shows --------------------------------------------------------------------


def test_extra_is_the_whole_message_and_json():
    for frame, _ in VECTORS:
        shown = json.loads(json.dumps(FORMAT.extra(frame), allow_nan=False))
        assert shown["message"] in ("rsm", "bsm", "rsi", "spat", "map", "ssm")
    shown = FORMAT.extra(RSI)
    assert shown["value"]["rtes"][0]["description"] == {"textGB2312": "抛洒物"}
    assert (shown["edition"], shown["events"], shown["signs"]) == ("2019", {"3": "debris"}, {})
    assert shown["value"]["id"] == b"DL000001".hex()
    assert FORMAT.extra(SPAT)["value"]["intersections"][0]["phases"][0]["id"] == 1
    assert FORMAT.extra(bytes.fromhex("8005000d0200ff"))["message"] == "VehIntentionAndRequest"
    assert FORMAT.extra(b"\x5a" * 9) == FORMAT.extra(b"") == {}


def test_extra_of_an_envelope_shows_every_message_in_it():
    shown = RSU[0].extra(encode_envelope("DL000001", 1000, [BSM, b"", MAP]))
    assert [one.get("message") for one in shown["messages"]] == ["bsm", None, "map"]
    assert shown["unix_ms"] == 1000
    assert shown["messages"][2]["nodes"][0]["id"] == [110, 1021]
    assert RSU[0].extra(b"nothing") == RSU[0].extra(encode_envelope("A", 1, b"")) == {}


def test_events_are_called_by_their_table_then_by_their_class():
    assert event_name(407) == "water on the road"
    assert (event_name(498), event_name(801)) == ("road surface 498", "801")
    assert {code // 100 for code in EVENTS} == {1, 2, 3, 4, 5, 6, 7, 9}
    assert (sign_name(85), sign_name(999)) == ("speed limit", "999")


# --- maps -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("frame", "edition"), [(MAP, "2019"), (MAP_2020, "2020")])
def test_a_map_in_degrees(frame, edition):
    (node,) = nodes_of(frame, edition)
    assert (node.id, node.name) == ((110, 1021), "")
    assert node.place[:2] == (39.124, 117.346)
    assert math.isnan(node.place[2])
    (link,) = node.links
    assert (link.upstream, link.width_m) == ((110, 1020), 7.0)
    assert link.movements == (((110, 1022), 1),)
    np.testing.assert_allclose(
        [p[:2] for p in link.points], [[39.127, 117.344], [39.124015, 117.34599]]
    )
    (lane,) = link.lanes
    assert (lane.number, lane.width_m, lane.maneuvers) == (1, 3.5, "110000000000")
    assert lane.connects == (((110, 1022), 1, 1),)
    assert lane.points == lane.limits == ()
    assert nodes_of(frame) == (node,)


def test_a_made_map_has_its_lanes_limits_and_heights():
    frames = json.loads(shared("rsu/made_frames.json").read_text())["frames"]
    made = next(f for f in frames if f["kind"] == "mapFrame")
    (node,) = nodes_of(bytes.fromhex(made["frame_hex"]))
    assert (node.name, node.place) == ("crossing", (39.087, 117.313, -5.0))
    (link,) = node.links
    assert link.limits == ((5, 16.68),)
    assert [lane.number for lane in link.lanes] == [1, 2, 3]
    lane = link.lanes[0]
    assert (lane.kind, len(lane.points)) == ("vehicle", 3)
    np.testing.assert_allclose(lane.points[0][:2], (39.096, 117.3131))


def test_points_count_from_their_node_or_stand_for_themselves():
    value = read_message(MAP).value
    node = value["nodes"][0]
    node["refPos"] = {"lat": 10_000_000, "long": 1_799_999_000, "elevation": 100}
    forms = [
        {"offsetLL": {"position-LL1": {"lon": 2000, "lat": 5}}, "offsetV": {"offset1": -12}},
        {"offsetLL": {"position-LatLon": {"lon": 7, "lat": 8}}, "offsetV": {"elevation": 250}},
        {"offsetLL": {"position-LL1": {"lon": 0, "lat": 0}}, "offsetV": {"offset2": -128}},
    ]
    node["inLinks"][0]["points"] = [{"posOffset": form} for form in forms]
    (made,) = nodes_of(write_message("mapFrame", value))
    points = made.links[0].points
    np.testing.assert_allclose(
        points, [[1.0000005, -179.9999, 8.8], [8e-7, 7e-7, 25.0], [1.0, 179.9999, np.nan]]
    )
    assert nodes_of(RSM) == coverage_of(MAP) == ()


def test_a_coverage_in_degrees():
    kind, value, _ = read_message(SSM)
    corner = {"offsetLL": {"position-LL2": {"lon": 1000, "lat": -2000}}}
    value["detectedRegion"] = [[corner] * 4]
    frame = write_message(kind, value)
    ((first, *_),) = coverage_of(frame)
    np.testing.assert_allclose(first, [39.1238, 117.3461, np.nan])
    assert FORMAT.extra(frame)["coverage"][0][0][2] is None
    assert roadside.decode(frame).rejects.tolist() == [Reject.OK]
