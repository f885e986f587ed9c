"""What a unit says of the road: events, signs, lights, maps, what it shares of its sensors."""

import copy
import os
from math import nan

import numpy as np
import pytest

from tests.ingest import naive_uper, roadside
from tests.ingest.roadside import (
    BSM,
    FORMAT,
    MAP,
    MAP_2020,
    RECV,
    RSI,
    RSI_2020,
    RSM,
    SPAT,
    SSM,
    assert_same,
    decode,
    encoded,
    said,
)
from v2x.ingest import j2735cn
from v2x.ingest.decoded import Reject
from v2x.ingest.j2735cn_encode import Participant, encode_rsm
from v2x.ingest.j2735cn_map import nodes_of
from v2x.ingest.j2735cn_plain import read_message, write_message
from v2x.ingest.j2735cn_types import types_of
from v2x.ingest.timestamps import SECOND, parse_iso
from v2x.ingest.uper_plain import write
from v2x.observations import Flag, Kind
from v2x.readings import Name

HOUR = 3600
GROUND = {"hae_m": -5.0, "lat": 39.1, "lon": 117.3}


def rsi(**fields):
    """Wire value of an RSI with one event, from the vector; `fields` go into the event."""
    value = copy.deepcopy(read_message(RSI).value)
    value["rtes"][0] |= fields
    return value


def frame(value, kind="rsiFrame", edition="2019"):
    return write_message(kind, value, edition)


def reading(made, name):
    rows = made.readings.take(made.readings.name == name)
    assert len(rows) == 1
    return rows


# --- events and signs -------------------------------------------------------------------------


def test_debris_that_the_unit_detected_is_an_obstacle_and_a_reading():
    made = decode(RSI, sd_m=1.0)
    seen = made.observations
    assert made.rejects.tolist() == [Reject.OK]
    assert (seen.kind[0], seen.track_ref[0], seen.ident[0]) == (Kind.OBSTACLE, 3, -1)
    assert seen.kind_conf[0] == pytest.approx(0.9)
    assert (seen.lat[0], seen.lon[0]) == (39.123994, 117.346005)
    np.testing.assert_allclose(seen.cov[0], [25, 0, 0, 25, 0, nan])
    assert seen.t_ns[0] == RECV
    assert said(made) == [("ROAD_EVENT", 401.0), ("ROAD_EVENT_RADIUS_M", 10.0)]
    event = reading(made, Name.ROAD_EVENT)
    assert made.idents[int(event.ident[0])] == "event:DL000001/3"
    assert made.idents[int(event.ident2[0])] == "text:抛洒物"
    assert (event.lat[0], event.lon[0], event.t_ns[0]) == (39.123994, 117.346005, RECV)


@pytest.mark.parametrize(
    ("fields", "rows"),
    [
        ({}, 1), ({"eventType": 411}, 1), ({"eventType": 407}, 0), ({"eventType": 400}, 0),
        ({"eventSource": 1}, 0), ({"eventSource": "+0"}, 0),
    ],
)  # fmt: skip
def test_only_detected_debris_and_damage_are_obstacles(fields, rows):
    made = decode(frame(rsi(**fields)))
    assert len(made.observations) == rows
    assert reading(made, Name.ROAD_EVENT).value[0] == fields.get("eventType", 401)


def test_an_event_without_a_place_is_a_reading_alone():
    value = rsi()
    del value["rtes"][0]["eventPos"]
    made = decode(frame(value))
    assert made.rejects.tolist() == [Reject.NOTHING_TO_OBSERVE]
    assert np.isnan(reading(made, Name.ROAD_EVENT).lat[0])


@pytest.mark.parametrize(
    ("radius", "sd_m", "sd"), [(100, 1.0, 5.0), (100, 7.0, 7.0), (0, 2.0, 2.0), (None, nan, nan),
                               (None, 2.0, 2.0), (100, nan, 5.0)],
)  # fmt: skip
def test_half_the_radius_is_the_noise_down_to_the_sensors(radius, sd_m, sd):
    value = rsi()
    del value["rtes"][0]["eventRadius"]
    if radius is not None:
        value["rtes"][0]["eventRadius"] = radius
    np.testing.assert_allclose(decode(frame(value), sd_m=sd_m).observations.cov[0, 0], sd**2)


@pytest.mark.parametrize(
    ("description", "text"),
    [
        ({"textGB2312": "前方施工".encode("gb18030")}, "text:前方施工"),
        ({"textGB2312": b"\xff\xff"}, "text:\ufffd\ufffd"),
        ({"textString": "ROAD WORKS"}, "text:ROAD WORKS"),
        ({"textGB2312": "㐂𠀀".encode("gb18030")}, "text:㐂𠀀"),
    ],
)
def test_descriptions_in_either_form(description, text):
    made = decode(frame(rsi(description=description)))
    assert made.idents[int(reading(made, Name.ROAD_EVENT).ident2[0])] == text


def test_texts_are_found_behind_other_frames_and_without_text_there_is_none():
    value = rsi()
    del value["rtes"][0]["description"]
    made = decode([SPAT, RSM, frame(value), RSI])
    events = made.readings.take(made.readings.name == Name.ROAD_EVENT)
    assert events.frame.tolist() == [2, 3]
    assert events.ident2[0] == -1
    assert made.idents[int(events.ident2[1])] == "text:抛洒物"


def test_signs_have_their_type_and_their_place():
    value = read_message(RSI).value
    del value["rtes"]
    near = {"offsetLL": {"position-LL1": {"lon": 1, "lat": 2}}}
    value["rtss"] = [
        {"rtsId": 9, "signType": 85, "signPos": near},
        {"rtsId": 10, "signType": 38, "description": {"textString": "AHEAD"}},
    ]  # fmt: skip
    made = decode(frame(value))
    assert said(made) == [("SIGN", 85.0), ("SIGN", 38.0)]
    assert [made.idents[i] for i in made.readings.ident.tolist()] == [
        "sign:DL000001/9", "sign:DL000001/10",
    ]  # fmt: skip
    np.testing.assert_array_equal(made.readings.lat, [39.1240002, nan])
    assert made.idents[int(made.readings.ident2[1])] == "text:AHEAD"


@pytest.mark.parametrize(
    ("recv", "end", "t"),
    [
        ("2026-03-01T08:00:00Z", 59 * 1440 + 600, "2026-03-01T10:00:00Z"),
        ("2026-12-31T23:00:00Z", 60, "2027-01-01T01:00:00Z"),
        ("2028-02-29T00:00:00Z", 60 * 1440, "2028-03-01T00:00:00Z"),
        ("2026-01-01T01:00:00Z", 364 * 1440, "2025-12-31T00:00:00Z"),
    ],
)
def test_the_end_of_an_event_is_a_full_time(recv, end, t):
    made = decode(frame(rsi(timeDetails={"endTime": end})), parse_iso(recv))
    assert reading(made, Name.ROAD_EVENT_END).value[0] == parse_iso(t) / SECOND


@pytest.mark.parametrize(
    ("moy", "flagged"),
    [
        ("08:00", False), ("07:59", False), ("08:01", True), ("07:00", True), ("00:00", True),
        ("07:25", False), (None, False),
    ],
)  # fmt: skip
def test_a_unit_whose_minute_is_ahead_or_whole_hours_off_is_suspect(moy, flagged):
    value = rsi()
    value["moy"] = 527040
    if moy is not None:
        value["moy"] = (parse_iso(f"2026-03-01T{moy}Z") - parse_iso("2026-01-01")) // (60 * SECOND)
    flags = decode(frame(value)).observations.flags[0]
    assert flags & Flag.TIME_FROM_ARRIVAL
    assert bool(flags & Flag.TIME_SUSPECT) == flagged


# --- lights -----------------------------------------------------------------------------------


def spat(states, recv="2026-11-24T02:00:31Z", **fields):
    value = copy.deepcopy(read_message(SPAT).value)
    value["intersections"][0]["phases"] = [{"id": 1, "phaseStates": states}]
    value |= fields
    return decode(frame(value, "spatFrame"), parse_iso(recv))


def counting(light, start, end):
    return {"light": light, "timing": {"counting": {"startTime": start, "likelyEndTime": end}}}


def utc(light, start, end):
    times = {"startUTCTime": start, "likelyEndUTCTime": end}
    return {"light": light, "timing": {"utcTiming": times}}


def test_lights_of_the_vector():
    recv = parse_iso("2026-11-24T02:00:31Z")
    made = decode(SPAT, recv)
    assert made.rejects.tolist() == [Reject.NOTHING_TO_OBSERVE]
    sent = parse_iso("2026-11-24T02:00:30.5Z")  # minute 471000 of 2026, 30.5 s
    assert said(made) == [
        ("CLOCK_OFFSET_S", -0.5), ("SIGNAL_LIGHT", 6.0), ("SIGNAL_LEFT_S", 12.0),
        ("SIGNAL_STATUS", 32.0),
    ]  # fmt: skip
    assert made.readings.t_ns.tolist() == [sent] * 4
    texts = [made.idents[i] for i in made.readings.ident.tolist()]
    assert texts == ["node:110/1021", "phase:110/1021/1", "phase:110/1021/1", "node:110/1021"]


@pytest.mark.parametrize(
    ("states", "light", "left"),
    [
        ([counting(3, 300, 600), counting(6, 0, 300)], 6, 30.0),
        ([counting(3, 0, 36001)], 3, nan), ([counting(3, 0, 36000)], 3, 3600.0),
        ([{"light": 8}], 8, None), ([counting(3, 10, 40), {"light": 1}], 1, None),
        ([counting(3, 10, 40)], None, None), ([counting("+0", 0, 40)], 0, 4.0),
        # 02:00:30.5 is mark 305 of the hour
        ([utc(6, 100, 400), utc(7, 400, 430)], 6, 9.5), ([utc(6, 35900, 310)], 6, 0.5),
        ([utc(6, 100, 300), utc(7, 300, 330)], 7, 2.5), ([utc(6, 100, 300)], None, None),
        ([utc(6, 36001, 300)], None, None),
    ],
)  # fmt: skip
def test_the_state_that_runs_is_the_light(states, light, left):
    told = dict(said(spat(states)))
    assert told.get("SIGNAL_LIGHT") == light
    assert ("SIGNAL_LEFT_S" in told) == (left is not None)
    if left is not None:
        np.testing.assert_equal(told["SIGNAL_LEFT_S"], left)


@pytest.mark.parametrize(("start", "end"), [(250, 30), (250, 250)])
def test_a_duration_where_an_end_belongs_leaves_nothing_known_and_is_counted(start, end):
    made = spat([counting(6, 0, 250), counting(7, start, end)])
    assert dict(said(made))["SIGNAL_LIGHT"] == 6
    assert np.isnan(dict(said(made))["SIGNAL_LEFT_S"])
    assert made.counts == {"spat_end_before_start": 1}


@pytest.mark.parametrize("hours", [8, -8, -1, 24, -48])
def test_a_clock_whole_hours_off_is_told_and_the_arrival_is_the_time(hours):
    recv = "2026-11-24T02:00:31Z"
    moy = 471000 + hours * 60
    made = spat([counting(6, 0, 120)], recv, moy=moy)
    assert dict(said(made))["CLOCK_OFFSET_S"] == hours * HOUR - 0.5
    assert (made.readings.t_ns == parse_iso(recv)).all()


def test_a_second_without_its_minute_is_completed_and_without_both_the_arrival_counts():
    made = spat([counting(6, 0, 120)], moy=527040)
    assert "CLOCK_OFFSET_S" not in dict(said(made))
    assert made.readings.t_ns[0] == parse_iso("2026-11-24T02:00:30.5Z")
    made = spat([counting(6, 0, 120)], moy=527040, timeStamp=65535)
    assert made.readings.t_ns[0] == parse_iso("2026-11-24T02:00:31Z")


def test_an_intersection_has_a_time_and_a_name_of_its_own():
    value = read_message(SPAT).value
    first, second = value["intersections"][0], copy.deepcopy(value["intersections"][0])
    second |= {"timeStamp": 30_900, "intersectionId": {"id": 7}, "status": "1000000010000001"}
    value["intersections"] = [first, second, first]
    made = decode(frame(value, "spatFrame"), parse_iso("2026-11-24T02:00:31Z"))
    status = made.readings.take(made.readings.name == Name.SIGNAL_STATUS)
    assert [made.idents[i] for i in status.ident.tolist()] == [
        "node:110/1021", "node:7", "node:110/1021",
    ]  # fmt: skip
    assert status.value.tolist() == [32.0, 1.0 + (1 << 8) + (1 << 15), 32.0]
    assert (status.t_ns % (60 * SECOND) // 1_000_000).tolist() == [30_500, 30_900, 30_500]


def test_the_largest_message_of_lights_is_read_whole():
    value = read_message(SPAT).value
    states = [counting(3, 0, 100)] + [{"light": 0}] * 15
    crossing = value["intersections"][0]
    crossing["phases"] = [{"id": i, "phaseStates": states} for i in range(16)]
    value["intersections"] = [crossing | {"intersectionId": {"id": i}} for i in range(32)]
    made = decode([frame(value, "spatFrame")] * 3)
    assert len(made.readings) == 3 * 32 * (2 + 2 * 16)
    assert len(set(made.readings.ident.tolist())) == 32 * 17


# --- maps -------------------------------------------------------------------------------------


def test_a_map_is_a_hash_and_a_count_at_its_first_node():
    made = decode(MAP)
    assert made.rejects.tolist() == [Reject.NOTHING_TO_OBSERVE]
    assert [name for name, _ in said(made)] == ["MAP_HASH", "MAP_NODES"]
    assert made.readings.value[1] == 1.0
    assert {made.idents[i] for i in made.readings.ident.tolist()} == {"node:110/1021"}
    assert (made.readings.lat[0], made.readings.lon[0]) == (39.124, 117.346)
    text = made.idents[int(made.readings.ident2[0])]
    assert int(made.readings.value[0]) == int(text.removeprefix("map:")[:12], 16)


def test_the_hash_of_a_map_follows_its_content_alone():
    value = read_message(MAP).value

    def hashed(**fields):
        return decode(frame(value | fields, "mapFrame")).readings.ident2[0]

    same = {hashed(msgCnt=count, timeStamp=minute) for count in (0, 127) for minute in (0, 99_999)}
    assert len(same) == 1
    other = copy.deepcopy(value["nodes"])
    other[0]["inLinks"][0]["lanes"][0]["laneWidth"] += 1
    assert hashed(nodes=other) not in same
    del value["timeStamp"]
    assert len({hashed(msgCnt=count) for count in (0, 127)}) == 1


# --- what an SSM shares -----------------------------------------------------------------------


def ssm(participants=(), **fields):
    value = copy.deepcopy(read_message(SSM).value)
    del value["obstacles"]
    if participants:
        value["participants"] = list(participants)
    return write_message("SensorSharingMsg", value | fields)


def seen_by(unit=None, **fields):
    ptc = read_message(RSM).value["participants"][0] | (unit or {})
    return {"ptc": ptc} | fields


def test_a_manhole_without_its_cover():
    made = decode(SSM, parse_iso("2026-03-01T08:00:20Z"))
    seen = made.observations
    assert made.rejects.tolist() == [Reject.OK]
    assert (seen.kind[0], seen.track_ref[0]) == (Kind.OBSTACLE, 12)
    assert seen.kind_conf[0] == 0.75
    assert (seen.lat[0], seen.lon[0]) == (39.12396, 117.34603)
    np.testing.assert_allclose(seen.size[0], [0.7, 0.7, nan], rtol=1e-6)
    assert seen.t_ns[0] == parse_iso("2026-03-01T08:00:19.95Z")
    assert said(made) == [("OBSTACLE_TYPE", 9.0), ("SSM_COUNT", 1.0)]
    texts = [made.idents[i] for i in made.readings.ident.tolist()]
    assert texts == ["obstacle:DL000001/12", "rsu:DL000001"]
    assert made.readings.lat[0] == 39.12396


@pytest.mark.parametrize(
    ("detected", "vehicle_class", "kind"),
    [
        (3, 50, Kind.CAR), (4, None, Kind.CAR), (5, 10, Kind.TRUCK), (6, 10, Kind.BUS),
        (7, None, Kind.BICYCLE), (8, None, Kind.MOTORCYCLE), (9, None, Kind.MOTORCYCLE),
        (10, None, Kind.PEDESTRIAN), (3, 66, Kind.EMERGENCY_VEHICLE), (0, 50, Kind.BUS),
        (2, None, Kind.CAR), ("+1", 50, Kind.BUS), (None, 50, Kind.BUS),
    ],
)  # fmt: skip
def test_the_detected_type_beats_the_class_but_not_the_duty(detected, vehicle_class, kind):
    one = seen_by()
    del one["ptc"]["vehicleClass"]
    if vehicle_class is not None:
        one["ptc"]["vehicleClass"] = {"classification": vehicle_class}
    if detected is not None:
        one |= {"detectedPTCType": detected, "typeConfidence": 180}
    rows = decode(ssm([one])).observations
    assert rows.kind[0] == kind
    trusted = isinstance(detected, int) and detected > 2 and kind != Kind.EMERGENCY_VEHICLE
    own = 0.5 if detected == 2 else 0.7
    assert rows.kind_conf[0] == pytest.approx(0.9 if trusted else own)


def test_an_ssm_with_an_event_over_the_pole_is_refused_with_its_participants():
    value = read_message(RSI).value
    pole = read_message(SSM).value["sensorPos"] | {"lat": 899_000_000}
    event = copy.deepcopy(value["rtes"][0])
    event["eventPos"] = {"offsetLL": {"position-LL6": {"lon": 0, "lat": 8_000_000}}}
    frames = [
        ssm([seen_by()], sensorPos=pole, rtes=[one])
        for one in (
            event,
            event | {"eventPos": {"offsetLL": {"position-LL1": {"lon": 0, "lat": 9}}}},
        )
    ]
    made = decode([frames[1], frames[0], frames[1]])
    assert made.rejects.tolist() == [Reject.OK, Reject.VALUE_RANGE, Reject.OK]
    assert set(made.observations.frame.tolist()) == {0, 2}
    assert set(made.readings.frame.tolist()) == {0, 2}


def test_participants_of_an_ssm_are_those_of_an_rsm():
    value = read_message(RSM).value
    shared = ssm(
        [{"ptc": one, "tracking": 50} for one in value["participants"]], sensorPos=value["refPos"]
    )
    one, other = decode(RSM, sd_m=0.1), decode(shared, sd_m=0.1)
    assert_same(one.observations, other.observations)
    assert said(other) == [("SSM_COUNT", 2.0)]


def test_many_objects_in_one_message():
    listed = [seen_by({"ptcId": i + 1}) for i in range(400)]
    made = decode([RSM, ssm(listed), SSM])
    assert made.observations.frame.tolist() == [0, 0] + [1] * 400 + [2]
    assert made.observations.track_ref[2:402].tolist() == list(range(1, 401))


def test_a_message_longer_than_its_length_can_say_is_refused_in_whole():
    with pytest.raises(ValueError, match="fragments"):
        write("MessageFrame", {"+1": bytes(16_384)}, types_of("day2"))
    fragmented = bytes.fromhex("80c1") + bytes(17_000)
    assert decode(fragmented).rejects.tolist() == [Reject.OVERSIZE]


def test_a_unit_that_shares_nothing_still_counts_nothing():
    made = decode(ssm())
    assert made.rejects.tolist() == [Reject.NOTHING_TO_OBSERVE]
    assert said(made) == [("SSM_COUNT", 0.0)]


def test_a_coverage_is_a_hash_of_its_polygons_and_their_place():
    def corner(lon, lat):
        return {"offsetLL": {"position-LL3": {"lon": lon, "lat": lat}}}

    square = [corner(0, 0), corner(900, 0), corner(900, 900), corner(0, 900)]
    other = [corner(0, 0), corner(901, 0), corner(900, 900), corner(0, 900)]

    def hashed(**fields):
        made = decode(ssm(**fields))
        row = reading(made, Name.COVERAGE_HASH)
        assert made.idents[int(row.ident2[0])].startswith("coverage:")
        assert (row.lat[0], np.isfinite(row.lon[0])) == (fields.get("at", 39.124), True)
        return int(row.ident2[0])

    first = hashed(detectedRegion=[square])
    assert first == hashed(detectedRegion=[square], msgCnt=99, secMark=1)
    assert first != hashed(detectedRegion=[other])
    assert first != hashed(detectedRegion=[square, square])
    base = read_message(SSM).value["sensorPos"] | {"long": 1_173_460_001}
    assert first != hashed(detectedRegion=[square], sensorPos=base)


def test_events_of_an_ssm_are_those_of_an_rsi():
    value = read_message(RSI_2020, "2020").value | {"moy": 527_040}
    shared = ssm([seen_by()], sensorPos=value["refPos"], rtes=value["rtes"])
    alone = frame(value, edition="2020")
    made, plain = decode(shared, sd_m=1.0), decode(alone, sd_m=1.0, edition="2020")
    assert made.observations.kind.tolist() == [Kind.CAR, Kind.OBSTACLE]
    assert_same(made.observations.take(slice(1, 2)), plain.observations)
    assert said(made) == [("SSM_COUNT", 1.0), *said(plain)]
    alone = decode(ssm(rtes=value["rtes"]))
    assert alone.rejects.tolist() == [Reject.OK]


# --- editions ---------------------------------------------------------------------------------


def paths(value):
    return any("referencePaths" in one for one in value.get("rtes", []) + value.get("rtss", []))


@pytest.mark.parametrize("sent", ["2019", "2020"])
@pytest.mark.parametrize("kind", ["mapFrame", "rsiFrame"])
def test_a_message_of_another_edition_is_refused_and_never_moves_an_object(kind, sent):
    rng = np.random.default_rng(20)
    other = {"2019": "2020", "2020": "2019"}[sent]
    n = 5000 if os.environ.get("V2X_SOAK") else 400
    frames = []
    while len(frames) < n:
        value = naive_uper.invented(rng, roadside.TYPES[kind], sent, rng.random(), 3)
        if kind == "mapFrame" or paths(value):
            frames.append(encoded(kind, value, sent))
    right, wrong = decode(frames, edition=sent), decode(frames, edition=other)
    bad = ~np.isin(wrong.rejects, (Reject.OK, Reject.NOTHING_TO_OBSERVE))
    assert bad.mean() >= 0.98
    for j in wrong.observations.frame.tolist():
        before = [m.observations.take(m.observations.frame == j) for m in (right, wrong)]
        assert before[1].lat.tolist() == before[0].lat.tolist()[: len(before[1])]


@pytest.mark.parametrize(("old", "new"), [(MAP, MAP_2020), (RSI, RSI_2020)])
def test_auto_reads_either_edition_and_remembers_it(old, new):
    state = FORMAT.new_state()
    one, other = decode(old, state=state), decode(new, state=state)
    assert one.rejects[0] == other.rejects[0]
    assert said(one)[1:] == said(other)[1:]
    assert state.unit.tolist() == [j2735cn.EDITION_2020]
    assert state.learned.tolist() == [0]  # vehicles are other writers
    decode(old, state=state)
    assert state.unit.tolist() == [j2735cn.EDITION_2019]
    for edition in ("2020", "day2"):
        made = decode([old, new], edition=edition)
        fine = (Reject.OK, Reject.NOTHING_TO_OBSERVE)
        assert [bool(np.isin(code, fine)) for code in made.rejects] == [False, True]


def test_an_object_of_a_guessed_edition_says_so():
    made = decode([RSI, RSI_2020])
    assert (made.observations.flags & Flag.EDITION_GUESSED).all()
    value = rsi()
    del value["rtes"][0]["referencePaths"]
    for plain in (decode(frame(value)), decode(RSI, edition="2019")):
        assert not plain.observations.flags[0] & Flag.EDITION_GUESSED


@pytest.mark.parametrize(
    ("edition", "sent"),
    [
        ("2020", "112803bdb348c6327698f0d07734d8"), ("2020", "10a80027d4f2a595c6efbca04c"),
        ("2020", "15116a83801a64b46975172e1919f0400000"),
        ("2019", "13880097088377bb1b55d9c450"), ("2019", "121003657713cc8e19033f65f789c4"),
    ],
)  # fmt: skip
def test_of_two_editions_that_both_take_a_map_the_one_in_the_district_counts(edition, sent):
    sent = bytes.fromhex(sent)
    right, wrong = (
        decode(sent, edition=name).readings
        for name in (edition, {"2019": "2020", "2020": "2019"}[edition])
    )
    assert right.lat.tolist() != wrong.lat.tolist()
    for state in (None, decode_after(MAP), decode_after(MAP_2020)):
        assert decode(sent, state=state).readings.lat.tolist() == right.lat.tolist()
    assert nodes_of(sent)[0].place[0] == right.lat[0]


def decode_after(frame):
    state = FORMAT.new_state()
    decode(frame, state=state)
    return state


def test_a_map_cut_short_is_no_bare_node_of_the_other_edition():
    for sent in (MAP, MAP_2020):
        made = decode([sent[:n] for n in range(len(sent))])
        assert not np.isin(made.rejects, (Reject.OK, Reject.NOTHING_TO_OBSERVE)).any()


# --- sloppy senders ---------------------------------------------------------------------------


def test_longitude_where_latitude_belongs_is_turned_round_and_flagged():
    value = read_message(RSM).value
    value["refPos"] = {"lat": 1_173_460_000, "long": 391_240_000}
    types = roadside.schema("2019")  # an encoder that does not look at ranges
    sent = bytes(types.encode("MessageFrame", ("rsmFrame", roadside.as_asn1tools(
        value, "RoadsideSafetyMessage"))))  # fmt: skip
    made = decode(sent)
    assert made.rejects.tolist() == [Reject.OK]
    assert (made.observations.flags & Flag.ORDER_GUESSED).all()
    assert made.observations.lat[1] == pytest.approx(39.12401, abs=1e-9)
    assert made.observations.lon[1] == pytest.approx(117.34598, abs=1e-9)
    vehicle = read_message(BSM).value
    vehicle["pos"] = {"lat": 1_173_460_000, "long": 391_240_000}
    sent = bytes(types.encode("MessageFrame", ("bsmFrame", roadside.as_asn1tools(
        vehicle, "BasicSafetyMessage"))))  # fmt: skip
    rows = decode(sent).observations
    assert (rows.lat[0], rows.lon[0]) == (39.124, 117.346)
    assert rows.flags[0] & Flag.ORDER_GUESSED


def test_a_latitude_beyond_the_pole_that_is_no_place_either_way_is_out_of_range():
    vehicle = read_message(BSM).value
    vehicle["pos"] = {"lat": 1_173_460_000, "long": 600_000_000}
    sent = bytes(roadside.schema("2019").encode("MessageFrame", ("bsmFrame", roadside.as_asn1tools(
        vehicle, "BasicSafetyMessage"))))  # fmt: skip
    assert decode(sent).rejects.tolist() == [Reject.VALUE_RANGE]


@pytest.mark.parametrize(
    ("lat", "lon", "turned"),
    [(39.0, 117.0, False), (-33.9, 151.2, False), (80.0, 20.0, True), (80.0, -20.0, False),
     (51.5, 0.1, False), (89.0, 2.9, False), (89.0, 54.1, False), (72.9, 30.0, False)],
)  # fmt: skip
def test_a_pair_that_is_no_place_of_the_district_either_way_stays_as_read(lat, lon, turned):
    made = decode(encode_rsm(b"DL000001", lat, lon, nan, [Participant(1, lat, lon)]))
    rows = made.observations
    assert (rows.lat[0], rows.lon[0]) == ((lon, lat) if turned else (lat, lon))
    assert bool(rows.flags[0] & Flag.ORDER_GUESSED) == turned


@pytest.mark.parametrize(
    ("up", "off"),
    [(-5.0, False), (0.0, False), (0.2, True), (2.9, True), (3.3, True), (6.0, True), (6.5, False),
     (30.0, False), (nan, False)],
)  # fmt: skip
def test_elevation_in_another_datum_is_told_and_gives_no_heights(up, off):
    # Ground -5 m above the ellipsoid here is 3.3 m above the sea: the geoid lies at -8.3 m.
    sent = encode_rsm(b"DL000001", 39.1, 117.3, up, [Participant(1, 39.1, 117.3, up)])
    made = decode(sent, **GROUND)
    told = made.readings.name == Name.HEIGHT_DATUM_SUSPECT
    assert told.any() == off
    if off:
        assert made.readings.value[told][0] == pytest.approx(up + 5.0)
    height = nan if off else up
    np.testing.assert_allclose(made.observations.height, [height])
    assert not (decode(sent).readings.name == Name.HEIGHT_DATUM_SUSPECT).any()


def test_events_and_maps_of_a_unit_in_another_datum():
    value = rsi()
    value["refPos"]["elevation"] = 10
    value["rtes"][0]["eventPos"]["offsetV"] = {"offset1": 3}
    made = decode(frame(value), **GROUND)
    assert said(made)[0] == ("HEIGHT_DATUM_SUSPECT", 6.0)
    assert np.isnan(made.observations.height[0])
    np.testing.assert_allclose(decode(frame(value)).observations.height, [1.3])
    roads = read_message(MAP).value
    roads["nodes"][0]["refPos"]["elevation"] = 10
    made = decode(frame(roads, "mapFrame"), **GROUND)
    assert said(made)[0] == ("HEIGHT_DATUM_SUSPECT", 6.0)
    assert made.readings.name[1] == Name.MAP_HASH
    assert made.idents[int(made.readings.ident2[1])].startswith("map:")


# --- hostile ----------------------------------------------------------------------------------


@pytest.mark.parametrize("head", [b"\x10", b"\x30", b"\x40", b"\x80\x80\x0c"])
def test_long_frames_give_rows_or_a_code(head):
    rng = np.random.default_rng(64)
    frames = [head + rng.bytes(65_000), head + bytes(65_000), head + b"\xff" * 65_000]
    frames += [head + bytes(70_000)]
    made = decode(frames)
    assert (made.rejects != Reject.OK).all()
    assert not len(made.observations)
    if head[0] < 0x80:
        assert made.rejects[3] == Reject.OVERSIZE
