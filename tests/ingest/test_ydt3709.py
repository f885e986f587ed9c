"""Roadside messages: vectors, recordings, two independent decoders, damage, and every rule."""

import copy
import json
import os
from math import nan

import numpy as np
import pytest

from tests.ingest import naive_j2735cn, naive_uper, roadside
from tests.ingest.roadside import (
    BSM,
    FORMAT,
    MAP,
    RECV,
    RSI,
    RSM,
    SPAT,
    SSM,
    assert_rows,
    assert_same,
    decode,
    encoded,
    table,
)
from tests.shared_data import shared
from v2x.ingest import j2735cn, j2735cn_decode, j2735cn_names, j2735cn_told, j2735cn_unit
from v2x.ingest.decoded import Reject
from v2x.ingest.j2735cn_encode import Participant, Vehicle, encode_bsm, encode_rsm
from v2x.ingest.timestamps import parse_iso
from v2x.observations import Flag, Kind, ident_of
from v2x.readings import Name


@pytest.fixture(scope="module")
def schema():
    return {edition: roadside.schema(edition) for edition in ("2019", "2020", "later")}


def outcome(data, recv=RECV, edition="auto", sd=nan, sd_up=nan):
    """(reject name, rows, readings) by the slow twin, for a sensor without history."""
    guesses = {"auto": ("2019", "2020"), "day2": ("2020",)}.get(edition, (edition,))
    first, found = None, None
    for guess in guesses:
        try:
            kind, value = naive_uper.read(data, guess)
            made = twin(kind, value, recv, edition == "auto", sd, sd_up)
        except naive_uper.RefusedError as bad:
            first = first or str(bad)
            continue
        made = ("OK" if made[0] else "NOTHING_TO_OBSERVE", *made)
        if kind != "mapFrame" or in_district(value):
            return made
        linked = any("inLinks" in node for node in value["nodes"])
        if guess == guesses[0] or linked:
            found = found or made
    return found or (first, [], [])


def twin(kind, value, recv, auto, sd, sd_up):
    if kind == "bsmFrame":
        matters = "initialPosition" in value.get("safetyExt", {}).get("pathHistory", {})
        return naive_j2735cn.bsm(value, recv, sd, sd_up, guessed=matters and auto)
    if kind == "rsiFrame":
        listed = value.get("rtes", []) + value.get("rtss", [])
        matters = any("referencePaths" in one for one in listed)
        return naive_j2735cn.rsi(value, recv, sd, sd_up, guessed=matters and auto)
    if kind == "spatFrame":
        return naive_j2735cn.spat(value, recv)
    if kind == "mapFrame":
        return naive_j2735cn.map_of(value)
    of_kind = {"rsmFrame": naive_j2735cn.rsm, "ssmFrame": naive_j2735cn.ssm}[kind]
    return of_kind(value, recv, sd, sd_up)


def in_district(value):
    lat, lon = (value["nodes"][0]["refPos"][name] for name in ("lat", "long"))
    return 30_000_000 <= lat <= 540_000_000 and 730_000_000 <= lon <= 1_360_000_000


# --- vectors and recordings ------------------------------------------------------------------


def test_rsm_vector():
    made = decode(RSM, sd_m=0.1, sd_up_m=1.5)
    seen = made.observations
    assert made.rejects.tolist() == [Reject.OK]
    assert seen.track_ref.tolist() == [7, 8]
    assert seen.kind.tolist() == [Kind.CAR, Kind.PEDESTRIAN]
    assert seen.lat.tolist() == [39.1245678, 39.12398]
    assert seen.lon.tolist() == [117.3458766, 117.34601]
    np.testing.assert_allclose(seen.height, [-5.3, nan])
    np.testing.assert_allclose(seen.vel, [[13.9, 0, nan], [nan] * 3], atol=1e-9)
    np.testing.assert_allclose(seen.size, [[4.5, 1.8, 1.5], [nan] * 3], rtol=1e-6)
    np.testing.assert_allclose(
        seen.cov, [[0.25, 0, 0, 0.25, 0, 2.25], [0.01, 0, 0, 0.01, 0, nan]], atol=1e-12
    )
    assert seen.t_ns[0] == parse_iso("2026-03-01T08:00:12.345Z")
    assert made.readings.name.tolist() == [Name.RSM_COUNT]
    assert made.readings.value.tolist() == [2.0]
    assert made.idents == {int(made.readings.ident[0]): "rsu:DL000001"}


def test_bsm_vector():
    made = decode(BSM)
    seen = made.observations
    assert seen.t_ns[0] == parse_iso("2026-03-01T07:59:59.999Z")
    assert (seen.kind[0], seen.flags[0]) == (Kind.EMERGENCY_VEHICLE, Flag.SELF_REPORTED)
    assert made.idents == {int(seen.ident[0]): "bsm:0102030405060708"}
    np.testing.assert_allclose(seen.vel[0], [0, -20, nan], atol=1e-9)
    np.testing.assert_allclose(seen.cov[0], [4, 0, 0, 1, 0, nan], atol=1e-4)
    said = dict(zip(made.readings.name.tolist(), made.readings.value.tolist(), strict=True))
    assert said == {Name.SIREN: 1.0, Name.BRAKE: 0.0}
    assert (made.readings.ident == seen.ident[0]).all()


def test_vectors_encode_to_the_same_bytes():
    car = Participant(
        7, 39.1245678, 117.3458766, -5.3, 1, 6, 12345, 9, 8, 13.9, 90.0, 5, 4, width=1.8,
        length=4.5, height=1.5, vehicle_class=10, alternative=2, alternative_up=1,
    )  # fmt: skip
    walker = Participant(
        8, 39.12398, 117.34601, ptc_type=3, source=3, sec_mark=12300, alternative=1
    )
    assert encode_rsm(b"DL000001", 39.124, 117.346, -5.0, [car, walker], 5) == RSM
    police = Vehicle(
        bytes(range(1, 9)), 39.124, 117.346, sec_mark=59999, semi_major=2, semi_minor=1,
        orientation=90, transmission=2, speed=20, heading=180, acceleration=1.5, wheel_brakes=0,
        width=2, length=5, vehicle_class=66, response=1, siren=2,
    )  # fmt: skip
    assert encode_bsm(police, 127) == BSM


@pytest.mark.parametrize("frame", [b"\x81\x01\x00", b"\xff", b"\xc0\x00\x00"])
def test_extensions_of_another_kind_are_unknown_messages(frame):
    assert decode(frame).rejects.tolist() == [Reject.UNKNOWN_MESSAGE]


@pytest.mark.parametrize("frame", [b"\x50", b"\x7f\x00\x00"])
def test_what_is_no_message_frame_is_bad_magic(frame):
    assert decode(frame).rejects.tolist() == [Reject.BAD_MAGIC]


def test_recorded_rsm():
    recorded = json.loads(shared("rsu/rsm.json").read_text())
    made = decode(bytes.fromhex(recorded["frame_hex"]))
    si = recorded["si"]
    seen = made.observations
    assert (seen.lat[0], seen.lon[0], seen.kind[0]) == (si["lat"], si["lon"], Kind.BICYCLE)
    assert np.hypot(*seen.vel[0, :2]) == pytest.approx(si["speed_mps"])
    heading = np.degrees(np.arctan2(seen.vel[0, 0], seen.vel[0, 1])) % 360
    assert heading == pytest.approx(si["heading_deg"])
    assert np.isnan(seen.size).all()


def test_made_frames():
    frames = json.loads(shared("rsu/made_frames.json").read_text())["frames"]
    made = decode([bytes.fromhex(f["frame_hex"]) for f in frames])
    known = 0
    for i, frame in enumerate(frames):
        seen = made.observations.take(made.observations.frame == i)
        if frame["kind"] not in ("rsmFrame", "bsmFrame"):
            assert made.rejects[i] in (Reject.OK, Reject.NOTHING_TO_OBSERVE)
            continue
        assert made.rejects[i] == Reject.OK
        assert len(seen) == len(frame["si"])
        for k, si in enumerate(frame["si"]):
            known += 1
            assert (seen.lat[k], seen.lon[k]) == (si["lat"], si["lon"])
            plain = [si[key] for key in ("length_m", "width_m", "height_m")]
            np.testing.assert_allclose(seen.size[k], [v or nan for v in plain], rtol=1e-6)
            if si["hae_m"] is not None or frame["kind"] == "bsmFrame":  # RSM list none summed
                height = nan if si["hae_m"] is None else si["hae_m"]
                np.testing.assert_allclose(seen.height[k], height)
            speed = np.hypot(seen.vel[k, 0], seen.vel[k, 1])
            if si["speed_mps"] is None or si["heading_deg"] is None:
                assert np.isnan(speed) or speed == 0.0
            else:
                assert speed == pytest.approx(si["speed_mps"])
    assert known == 113


# --- independent decoders ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "name", "edition", "n"),
    [
        ("rsmFrame", "RoadsideSafetyMessage", "2019", 300),
        ("bsmFrame", "BasicSafetyMessage", "2019", 300),
        ("bsmFrame", "BasicSafetyMessage", "2020", 200),
        ("rsiFrame", "RoadSideInformation", "2019", 200),
        ("rsiFrame", "RoadSideInformation", "2020", 100),
        ("spatFrame", "SPAT", "2019", 200),
        ("mapFrame", "MapData", "2019", 60),
        ("mapFrame", "MapData", "2020", 60),
        ("ssmFrame", "SensorSharingMsg", "day2", 200),
    ],
)
def test_random_messages_of_another_encoder(kind, name, edition, n):
    rng = np.random.default_rng(3709)
    n *= 20 if os.environ.get("V2X_SOAK") else 1
    largest = {"rsmFrame": None, "bsmFrame": None, "ssmFrame": 3}.get(kind, 5)
    values = [naive_uper.invented(rng, name, edition, rng.random(), largest) for _ in range(n)]
    frames = [encoded(kind, value, edition) for value in values]
    made = decode(frames, sd_m=0.3, sd_up_m=0.7, edition=edition)
    for i, (value, frame) in enumerate(zip(values, frames, strict=True)):
        assert naive_uper.read(frame, edition) == (kind, value)
        code, rows, readings = outcome(frame, RECV, edition, 0.3, 0.7)
        assert Reject(int(made.rejects[i])).name == code
        assert_rows(made, rows, readings, i)


def test_what_we_encode_another_decoder_reads(schema):
    rng = np.random.default_rng(5)
    for _ in range(250):
        wire = naive_uper.invented(rng, "RoadsideSafetyMessage", fill=rng.random())
        wire["refPos"] |= {"lat": int(rng.integers(-8e8, 8e8)), "long": int(rng.integers(1.7e9))}
        for one in wire["participants"]:
            simplified(one, wire["refPos"])
        ref = wire["refPos"]
        payload = encode_rsm(
            wire["id"], ref["lat"] / 1e7, ref["long"] / 1e7, ref.get("elevation", nan) / 10,
            [participant(p, ref) for p in wire["participants"]], wire["msgCnt"],
        )  # fmt: skip
        assert schema["2019"].decode("MessageFrame", payload) == ("rsmFrame", wire)
    for _ in range(250):
        wire = naive_uper.invented(rng, "BasicSafetyMessage", fill=rng.random())
        payload = encode_bsm(vehicle(wire), wire["msgCnt"])
        assert schema["2019"].decode("MessageFrame", payload) == ("bsmFrame", wire)


def simplified(one, ref):
    """Leave out what the encoder does not write."""
    for key in ("angle", "accelSet"):
        one.pop(key, None)
    if "motionCfd" in one:
        one["motionCfd"].pop("steerCfd", None)
        if not one["motionCfd"]:
            del one["motionCfd"]
    if one["heading"] == 28800 or one["speed"] == 8190:
        one["heading"] = 28800
    one["size"].pop("height", None) if one["size"].get("height") == 0 else None
    form, ll = one["pos"]["offsetLL"]
    if form == "position-LatLon":
        # Far from the reference; the encoder takes an offset where one holds it.
        ll |= {"lat": -850_000_000, "lon": -1_700_000_000}
    if "offsetV" in one["pos"]:
        form, v = one["pos"]["offsetV"]
        here = ref.get("elevation")
        narrow = form != "elevation" and v == -(64 << int(form[-1]) - 1)
        if narrow or here is None or (form != "elevation" and not -4096 <= here + v <= 61439):
            del one["pos"]["offsetV"]


def participant(one, ref):
    form, ll = one["pos"]["offsetLL"]
    absolute = form == "position-LatLon"
    lat0, lon0 = (0, 0) if absolute else (ref["lat"], ref["long"])
    elevation, alternative_up = nan, None
    if "offsetV" in one["pos"]:
        kind, v = one["pos"]["offsetV"]
        alternative_up = 6 if kind == "elevation" else int(kind[-1]) - 1
        elevation = (v if kind == "elevation" else ref["elevation"] + v) / 10
    return Participant(
        one["ptcId"], (lat0 + ll["lat"]) / 1e7, (lon0 + ll["lon"]) / 1e7, elevation,
        number(one["ptcType"]), number(one["source"]), one["secMark"],
        number(one["posConfidence"]["pos"]), number(one["posConfidence"].get("elevation")),
        ident=one.get("id", b""), transmission=number(one.get("transmission")),
        alternative=6 if absolute else int(form[-1]) - 1, alternative_up=alternative_up,
        vehicle_class=one.get("vehicleClass", {}).get("classification"),
        fuel=one.get("vehicleClass", {}).get("fuelType"), **shared_fields(one),
    )  # fmt: skip


def vehicle(wire):
    """Vehicle of a random BSM, from which everything is taken that the encoder does not write."""
    wire.pop("timeConfidence", None)
    wire.pop("angle", None)
    wire["accelSet"] |= {"lat": 2001, "vert": -127, "yaw": 0}
    wire["brakes"] = {k: v for k, v in wire["brakes"].items() if k in ("brakePadel", "wheelBrakes")}
    if "motionCfd" in wire:
        wire["motionCfd"].pop("steerCfd", None)
        if not wire["motionCfd"]:
            del wire["motionCfd"]
    if "events" in wire.get("safetyExt", {}):
        wire["safetyExt"] = {"events": wire["safetyExt"]["events"]}
    else:
        wire.pop("safetyExt", None)
    if not wire.get("emergencyExt"):
        wire.pop("emergencyExt", None)
    wire["size"].pop("height", None) if wire["size"].get("height") == 0 else None
    if "posAccuracy" in wire:
        for axis in ("semiMajor", "semiMinor"):
            wire["posAccuracy"][axis] = min(wire["posAccuracy"][axis], 254)
    ellipse = wire.get("posAccuracy", {})
    turn = ellipse.get("orientation", 65535)
    confidence, emergency = wire.get("posConfidence", {}), wire.get("emergencyExt", {})
    pos, forward = wire["pos"], wire["accelSet"]["long"]
    return Vehicle(
        wire["id"], nan if pos["lat"] == 900000001 else pos["lat"] / 1e7,
        nan if pos["long"] == 1800000001 else pos["long"] / 1e7,
        pos.get("elevation", nan) / 10, wire["secMark"],
        ellipse.get("semiMajor", nan) * 0.05, ellipse.get("semiMinor", nan) * 0.05,
        nan if turn == 65535 else turn * 360 / 65535,
        number(confidence.get("pos")), number(confidence.get("elevation")),
        transmission=number(wire["transmission"]),
        acceleration=nan if forward == 2001 else forward / 100,
        brake=number(wire["brakes"].get("brakePadel")),
        wheel_brakes=from_bits(wire["brakes"].get("wheelBrakes")),
        vehicle_class=wire["vehicleClass"]["classification"],
        fuel=wire["vehicleClass"].get("fuelType"),
        events=from_bits(wire.get("safetyExt", {}).get("events")),
        response=number(emergency.get("responseType")),
        siren=number(emergency.get("sirenUse")), lights=number(emergency.get("lightsUse")),
        **shared_fields(wire),
    )  # fmt: skip


def shared_fields(one):
    motion, size = one.get("motionCfd", {}), one["size"]
    return {
        "speed": nan if one["speed"] == 8191 else one["speed"] / 50,
        "heading": nan if one["heading"] == 28800 else one["heading"] / 80,
        "speed_code": number(motion.get("speedCfd")),
        "heading_code": number(motion.get("headingCfd")),
        "width": size["width"] / 100, "length": size["length"] / 100,
        "height": size.get("height", nan) / 20,
    }  # fmt: skip


def number(name):
    return None if name is None else int(name[1:])


def from_bits(value):
    if value is None:
        return None
    octets, n = value
    return int("".join(f"{byte:08b}" for byte in octets)[:n][::-1], 2)


def test_additions_of_a_later_edition_are_skipped_by_their_length(schema):
    rng = np.random.default_rng(157)
    for kind, name in list(roadside.TYPES.items())[:5]:
        plain, extended = [], []
        for _ in range(100):
            value = naive_uper.invented(rng, name, fill=rng.random(), largest=4)
            plain.append(bytes(schema["2019"].encode("MessageFrame", (kind, value))))
            grown = added(copy.deepcopy(value), naive_uper.EDITION["2019"], name, rng)
            extended.append(bytes(schema["later"].encode("MessageFrame", (kind, grown))))
        assert sum(map(len, extended)) > sum(map(len, plain)) + 100
        one, other = decode(plain), decode(extended)
        np.testing.assert_array_equal(one.rejects, other.rejects)
        assert_same(one.observations, other.observations)
        if kind == "mapFrame":  # the hash of other bits is another
            rest = [m.readings.take(m.readings.name == Name.MAP_NODES) for m in (one, other)]
            assert_same(*rest)
        else:
            assert_same(one.readings, other.readings)


def added(value, types, name, rng):
    """The same value with additions in about half of its extensible sequences."""
    extensible, choice, fields = types[name]
    if choice > 0:
        alternative, inner = value
        code = next(code for field, _, code in fields if field == alternative)
        nested = code["name"] and isinstance(inner, dict)
        return alternative, (added(inner, types, code["name"], rng) if nested else inner)
    if choice < 0:
        return [added(one, types, fields[0][2]["of"], rng) for one in value]
    for field, _, code in fields:
        if field not in value:
            continue
        if code["name"]:
            value[field] = added(value[field], types, code["name"], rng)
        elif code["of"]:
            value[field] = [added(one, types, code["of"], rng) for one in value[field]]
    if extensible and rng.random() < 0.5:
        value["more"] = rng.bytes(3)
        if rng.random() < 0.5:
            value["last"] = True
    return value


def test_enumeration_values_of_a_later_edition_are_unknown(schema):
    value = schema["2019"].decode("MessageFrame", RSM)[1]
    value["participants"][0] |= {"ptcType": "w1", "source": "w0"}
    del value["participants"][0]["vehicleClass"]
    made = decode(bytes(schema["later"].encode("MessageFrame", ("rsmFrame", value))))
    assert made.observations.kind.tolist() == [Kind.UNKNOWN, Kind.PEDESTRIAN]
    assert made.observations.flags[0] == 0


def test_messages_of_the_extension_are_counted_by_their_id(schema):
    ids = [0, 10, 11, 13, 13, 14, 15, 16, 17, 18, 500]
    frames = [
        schema["later"].encode("MessageFrame", ("msgFrameExt", {"messageId": i, "value": b"x"}))
        for i in ids
    ]
    made = decode([bytes(frame) for frame in frames])
    unknown, nothing = Reject.UNKNOWN_MESSAGE, Reject.NOTHING_TO_OBSERVE
    assert made.rejects.tolist() == [unknown if i in (15, 18, 500) else nothing for i in ids]
    assert made.counts == {f"extension_{i}": ids.count(i) for i in set(ids)}


def test_event_bits_behind_the_thirteenth_are_kept():
    value = {"events": 0b1000000000001}
    frame = encode_bsm(Vehicle(b"ABCDEFGH", 39.0, 117.0, events=value["events"]))
    text = "".join(f"{byte:08b}" for byte in frame)
    at = text.rindex("1000000000001") - 1
    longer = text[:at] + "1" + "00001111" + "1000000000001" + "01" + text[at + 14 :]
    longer = longer.rstrip("0")
    grown = int(longer.ljust(-(-len(longer) // 8) * 8, "0"), 2)
    made = decode(grown.to_bytes(-(-len(longer) // 8), "big"))
    said = dict(zip(made.readings.name.tolist(), made.readings.value.tolist(), strict=True))
    assert said[Name.BSM_EVENTS] == 1 + (1 << 12) + (1 << 14)


# --- damage -----------------------------------------------------------------------------------


def with_path(rng, schema, edition, initial=True):
    while True:
        value = naive_uper.invented(rng, "BasicSafetyMessage", edition, 0.9)
        path = value.get("safetyExt", {}).get("pathHistory", {})
        value["pos"] |= {"lat": 391240000, "long": 1173460000}
        if path and ("initialPosition" in path) == initial:
            path["crumbData"] = path["crumbData"][:3]
            return bytes(schema[edition].encode("MessageFrame", ("bsmFrame", value)))


@pytest.fixture(scope="module")
def samples(schema):
    rng = np.random.default_rng(11)
    busy = naive_uper.invented(rng, "RoadsideSafetyMessage", fill=0.9)
    busy["participants"] = busy["participants"][:3]
    busy["refPos"]["lat"] = 391240000
    return [
        RSM, BSM, RSI, SPAT, MAP, SSM, with_path(rng, schema, "2019"),
        bytes(schema["2019"].encode("MessageFrame", ("rsmFrame", busy))),
        bytes(schema["later"].encode("MessageFrame", ("rsmFrame", added(
            busy, naive_uper.EDITION["2019"], "RoadsideSafetyMessage", rng)))),
    ]  # fmt: skip


def test_every_truncation_is_refused(samples):
    for sample in samples:
        made = decode([sample[:n] for n in range(len(sample))])
        assert not len(made.observations)
        assert not len(made.readings)
        assert set(made.rejects.tolist()) <= {Reject.SHORT}


def test_every_flipped_bit_gives_what_the_slow_twin_says(samples):
    for sample in samples:
        damaged = []
        for bit in range(8 * len(sample)):
            broken = bytearray(sample)
            broken[bit // 8] ^= 0x80 >> bit % 8
            damaged.append(bytes(broken))
        for i, frame in enumerate(damaged):
            made = decode(frame)
            code, rows, readings = outcome(frame)
            assert Reject(int(made.rejects[0])).name == code, (i, frame.hex())
            assert_rows(made, rows, readings)
            assert_in_range(made)


def test_random_bytes_give_what_the_slow_twin_says():
    rng = np.random.default_rng(0)
    frames = [rng.bytes(int(rng.integers(0, 90))) for _ in range(1000)]
    frames += [
        bytes([(0x00, 0x20, 0x30, 0x40, 0x10, 0x80)[i % 6]]) + rng.bytes(int(rng.integers(0, 90)))
        for i in range(1500)
    ]
    for frame in frames:
        made = decode(frame)
        assert Reject(int(made.rejects[0])).name == outcome(frame)[0]
        assert_in_range(made)


def assert_in_range(made):
    seen = made.observations
    assert (np.abs(seen.lat) <= 90).all()
    assert (np.abs(seen.lon) <= 180).all()
    assert (np.isnan(seen.height) | ((seen.height > -409.6) & (seen.height <= 6348.6))).all()
    speed = np.hypot(seen.vel[:, 0], seen.vel[:, 1])
    assert (np.isnan(speed) | (speed <= 163.9)).all()
    assert (seen.kind <= max(Kind)).all()
    assert not (seen.size <= 0).any()


@pytest.mark.parametrize("tail", [b"\0", b"\x80", b"abc"])
def test_data_behind_the_message_is_refused(tail):
    made = decode([RSM + tail, BSM + tail])
    assert made.rejects.tolist() == [Reject.TRAILING_DATA] * 2


def test_a_one_bit_in_the_padding_is_trailing_data():
    assert decode(RSM[:-1] + bytes([RSM[-1] | 1])).rejects.tolist() == [Reject.TRAILING_DATA]


def test_fragmented_lengths_are_oversize():
    # RSM extension bit, then after the last participant: one addition with length bits 11.
    frame = bytearray(encode_rsm(b"DL000001", 39.0, 117.0, nan, [Participant(1, 39.0, 117.0)]))
    text = "".join(f"{byte:08b}" for byte in frame)
    text = text[:4] + "1" + text[5:-8].rstrip("0")
    bits = 140 + 4 + 7 + 4 + 16 + 4 + 16 + 1 + 3 + 24 + 5 + 13 + 15 + 23
    text = text.ljust(bits, "0")[:bits] + "0" + "000000" + "1" + "11" + "000000"
    size = -(-len(text) // 8)
    made = decode(int(text.ljust(8 * size, "0"), 2).to_bytes(size, "big"))
    assert made.rejects.tolist() == [Reject.OVERSIZE]


# --- editions ---------------------------------------------------------------------------------


def test_auto_learns_the_edition_and_says_it_guessed(schema):
    rng = np.random.default_rng(2)
    old = [with_path(rng, schema, "2019") for _ in range(40)]
    new = [with_path(rng, schema, "2020") for _ in range(40)]
    state = FORMAT.new_state()
    made = decode([BSM, *old], state=state)
    assert (made.rejects == Reject.OK).all()
    assert not made.observations.flags[0] & Flag.EDITION_GUESSED
    assert (made.observations.flags[1:] & Flag.EDITION_GUESSED).all()
    assert state.learned.tolist() == [j2735cn.EDITION_2019]
    made = decode(new, state=state)
    assert (made.rejects == Reject.OK).all()
    assert state.learned.tolist() == [j2735cn.EDITION_2020]


def test_a_named_edition_is_not_guessed(schema):
    rng = np.random.default_rng(4)
    new = [with_path(rng, schema, "2020") for _ in range(20)]
    for edition in ("2020", "day2"):
        made = decode(new, edition=edition)
        assert (made.rejects == Reject.OK).all()
        assert not (made.observations.flags & Flag.EDITION_GUESSED).any()
    assert (decode(new, edition="2019").rejects != Reject.OK).sum() >= 18


@pytest.mark.parametrize("edition", ["2017", "1997"])
def test_unknown_editions_are_refused_by_name(edition):
    made = decode([RSM, BSM, MAP, RSI, SPAT, SSM, b""], edition=edition)
    assert made.rejects.tolist() == [Reject.UNKNOWN_EDITION] * 6 + [Reject.SHORT]


def test_paths_without_a_position_are_the_same_in_both_editions(schema):
    frame = with_path(np.random.default_rng(6), schema, "2019", initial=False)
    for edition in ("auto", "2019", "2020"):
        made = decode(frame, edition=edition)
        assert made.rejects.tolist() == [Reject.OK]
        assert not made.observations.flags[0] & Flag.EDITION_GUESSED


# --- polls ------------------------------------------------------------------------------------


def test_one_frame_a_poll_gives_the_same_rows(schema, samples):
    rng = np.random.default_rng(8)
    frames = [*samples, MAP, b"", RSM[:20]]
    frames += [with_path(rng, schema, ("2019", "2020")[i // 5 % 2]) for i in range(20)]
    whole = decode(frames)
    state = FORMAT.new_state()
    parts = []
    for frame in frames:
        parts.append(decode(frame, state=state))
        state = copy.deepcopy(state)
    for name in ("observations", "readings"):
        rows = [getattr(p, name) for p in parts]
        for i, made in enumerate(rows):
            made.frame[:] = i
        assert_same(getattr(whole, name), type(rows[0]).concat(rows))
    assert whole.rejects.tolist() == [int(p.rejects[0]) for p in parts]
    assert whole.idents == {k: v for p in parts for k, v in p.idents.items()}
    assert_same(whole.observations, decode(frames).observations)


def test_no_frames_no_rows():
    made = decode([])
    assert (len(made.observations), len(made.readings), len(made.rejects)) == (0, 0, 0)
    assert len(FORMAT.finish(table(), FORMAT.new_state()).observations) == 0
    assert FORMAT.timed(RSM)


def test_kernels_equal_their_python(samples, monkeypatch):
    frames = [*samples, MAP, b"", RSM[:20], b"\x50"]
    compiled = decode(frames)
    monkeypatch.setattr(j2735cn_decode, "walk", j2735cn.walk.py_func)
    monkeypatch.setattr(j2735cn_decode, "rows_at_most", j2735cn.rows_at_most.py_func)
    monkeypatch.setattr(j2735cn_decode, "become", j2735cn_decode.become.py_func)
    monkeypatch.setattr(j2735cn_told, "read_units", j2735cn_unit.read_units.py_func)
    plain = decode(frames)
    for name in ("observations", "readings"):
        assert_same(getattr(compiled, name), getattr(plain, name))
    np.testing.assert_array_equal(compiled.rejects, plain.rejects)


def test_a_full_table_of_names_changes_no_row(monkeypatch):
    monkeypatch.setattr(j2735cn_decode, "MOST_IDENTS", 3)
    frames = [encode_bsm(Vehicle(bytes([i % 5 + 1] * 8), 39.0, 117.0)) for i in range(20)]
    state = FORMAT.new_state()
    made = decode(frames, state=state)
    assert len(state.names) <= 3
    assert made.observations.ident.tolist() == [
        ident_of("bsm:" + bytes([i % 5 + 1] * 8).hex()) for i in range(20)
    ]


# --- rules ------------------------------------------------------------------------------------


def one(**fields):
    given = {"ptc_id": 1, "lat": 39.1, "lon": 117.3} | fields
    return encode_rsm(b"DL000001", 39.1, 117.3, -5.0, [Participant(**given)])


def seen(recv=RECV, sensor=None, **fields):
    return decode(one(**fields), recv, **(sensor or {})).observations


@pytest.mark.parametrize(
    ("sec_mark", "recv", "t", "flags"),
    [
        (12_000, "08:00:12.5", "08:00:12", 0),
        (59_900, "08:00:00.1", "07:59:59.9", 0),
        (100, "07:59:59.9", "08:00:00.1", 0),
        (14_400, "08:00:12.5", "08:00:14.4", 0),
        (14_600, "08:00:12.5", "08:00:14.6", Flag.TIME_SUSPECT),
        (60_250, "08:00:00.5", "08:00:00.25", 0),
        (65_535, "08:00:12.5", "08:00:12.5", Flag.TIME_FROM_ARRIVAL),
        (61_000, "08:00:12.5", "08:00:12.5", Flag.TIME_FROM_ARRIVAL),
    ],
)
def test_second_of_the_minute(sec_mark, recv, t, flags):
    rows = seen(parse_iso(f"2026-03-01T{recv}Z"), sec_mark=sec_mark)
    assert rows.t_ns[0] == parse_iso(f"2026-03-01T{t}Z")
    assert rows.flags[0] == flags


@pytest.mark.parametrize(
    ("speed", "heading", "east", "north"),
    [
        (nan, 90, nan, nan), (nan, nan, nan, nan), (10, nan, nan, nan), (0.5, nan, nan, nan),
        (0.48, nan, 0, 0), (0, nan, 0, 0), (10, 90, 10, 0), (10, 0, 0, 10), (10, 270, -10, 0),
    ],
)  # fmt: skip
def test_velocity(speed, heading, east, north):
    rows = seen(speed=speed, heading=heading)
    np.testing.assert_allclose(rows.vel[0], [east, north, nan], atol=1e-9)


@pytest.mark.parametrize(
    ("speed", "speed_code", "heading_code", "sd"),
    [(20, None, None, nan), (20, 4, None, 0.5), (20, 5, 1, 20 * np.radians(5)), (1.0, 5, 4, 1.0),
     (1.0, None, None, nan)],
)  # fmt: skip
def test_velocity_noise(speed, speed_code, heading_code, sd):
    rows = seen(speed=speed, heading=10, speed_code=speed_code, heading_code=heading_code)
    np.testing.assert_allclose(rows.vel_sd[0], sd, rtol=1e-6)


@pytest.mark.parametrize(
    ("code", "sd_m", "sd"),
    [(0, 0.7, 0.7), (0, nan, nan), (15, 0.7, 0.7), (7, 0.7, 2.5), (15, nan, 0.005)],
)
def test_position_noise_is_believed_down_to_the_sensor(code, sd_m, sd):
    sensor = {"sd_m": sd_m, "sd_up_m": sd_m}
    rows = seen(sensor=sensor, position_code=code, elevation=-4.0, elevation_code=code)
    np.testing.assert_allclose(rows.cov[0], [sd**2, 0, 0, sd**2, 0, sd**2])


def test_ellipse_becomes_a_full_covariance():
    frame = encode_bsm(
        Vehicle(b"ABCDEFGH", 39.0, 117.0, semi_major=3.2, semi_minor=1.6, orientation=149)
    )
    cov = decode(frame).observations.cov[0]
    np.testing.assert_allclose(cov[[0, 1, 3]], [4.597, -3.391, 8.203], atol=2e-3)
    cov = decode(frame, sd_m=3.2).observations.cov[0]
    np.testing.assert_allclose(cov[[0, 1, 3]], [10.24, 0, 10.24], atol=1e-9)


def test_ellipse_without_orientation_is_round_and_without_an_axis_the_class_counts():
    frame = encode_bsm(Vehicle(b"ABCDEFGH", 39.0, 117.0, semi_major=3, semi_minor=1))
    np.testing.assert_allclose(decode(frame).observations.cov[0, [0, 1, 3]], [9, 0, 9])
    frame = encode_bsm(Vehicle(b"ABCDEFGH", 39.0, 117.0, position_code=7))
    np.testing.assert_allclose(decode(frame).observations.cov[0, [0, 1, 3]], [6.25, 0, 6.25])


@pytest.mark.parametrize(
    ("lat", "lon"), [(0.0, 0.0), (0.0099, -0.0099), (nan, 117.0), (39.0, nan), (nan, nan)]
)
def test_no_fix_is_no_row(lat, lon):
    frames = [one(lat=lat, lon=lon), encode_bsm(Vehicle(b"ABCDEFGH", lat, lon, events=1))]
    made = decode(frames)
    assert made.rejects.tolist() == [Reject.NOTHING_TO_OBSERVE] * 2
    assert len(made.observations) == 0
    assert made.readings.name.tolist() == [Name.RSM_COUNT, Name.BSM_EVENTS]


def test_on_the_equator_is_a_place():
    assert seen(lat=0.0, lon=117.0).lat.tolist() == [0.0]


def test_an_unknown_reference_loses_offsets_and_keeps_places(schema):
    value = schema["2019"].decode("MessageFrame", RSM)[1]
    value["refPos"] = {"lat": 900000001, "long": 1800000001}
    absolute = ("position-LatLon", {"lon": 1173000000, "lat": 391000000})
    value["participants"][1]["pos"] = {"offsetLL": absolute}
    made = decode(bytes(schema["2019"].encode("MessageFrame", ("rsmFrame", value))))
    assert made.observations.track_ref.tolist() == [8]


def test_an_offset_over_the_pole_is_out_of_range_and_over_the_date_line_is_not():
    near = Participant(1, 89.9999, -10.0)
    frame = encode_rsm(b"DL000001", 89.9999, -10.0, nan, [near])
    value = bytearray(frame)
    text = "".join(f"{byte:08b}" for byte in value)
    at = 140 + 4 + 7 + 4 + 16 + 4 + 16 + 1 + 3 + 12  # latitude offset of 12 bits
    over = int(text[:at] + "111111111111" + text[at + 12 :], 2).to_bytes(len(frame), "big")
    assert decode([frame, over]).rejects.tolist() == [Reject.OK, Reject.VALUE_RANGE]
    at -= 12
    frame = encode_rsm(b"DL000001", 20.0, 179.9999, nan, [Participant(1, 20.0, 179.9999)])
    text = "".join(f"{byte:08b}" for byte in frame)
    across = int(text[:at] + "111111111111" + text[at + 12 :], 2).to_bytes(len(frame), "big")
    assert decode(across).observations.lon[0] == pytest.approx(-179.9998953)


@pytest.mark.parametrize(
    ("up", "height"), [(-409.5, -409.5), (0.0, 0.0), (-5.0, -5.0), (nan, nan), (6143.9, 6143.9)]
)
def test_elevation_of_a_vehicle(up, height):
    rows = decode(encode_bsm(Vehicle(b"ABCDEFGH", 39.0, 117.0, up))).observations
    np.testing.assert_allclose(rows.height, [height])


def test_lowest_rise_and_lowest_elevation_mean_unknown(schema):
    value = schema["2019"].decode("MessageFrame", RSM)[1]
    for rise in (("offset1", -64), ("offset6", -2048), ("elevation", -4096)):
        value["participants"][0]["pos"]["offsetV"] = rise
        made = decode(bytes(schema["2019"].encode("MessageFrame", ("rsmFrame", value))))
        assert np.isnan(made.observations.height).all()
        assert np.isnan(made.observations.cov[:, 5]).all()


def test_the_unit_itself_is_a_reading():
    itself = Participant(0, 39.1001, 117.3001, -3.0, ptc_type=4, source=1, sec_mark=12_000)
    car = Participant(5, 39.1, 117.3)
    made = decode(encode_rsm(b"DL000001", 39.1, 117.3, -5.0, [car, itself]))
    assert made.observations.track_ref.tolist() == [5]
    said = made.readings
    assert said.name.tolist() == [Name.RSU_LOCATION, Name.RSM_COUNT]
    assert said.value.tolist() == [-3.0, 1.0]
    assert (said.lat[0], said.lon[0]) == (39.1001, 117.3001)
    assert [made.idents[i] for i in said.ident.tolist()] == ["rsu:DL000001"] * 2
    alone = decode(encode_rsm(bytes(8), 39.1, 117.3, nan, [itself]))
    assert alone.rejects.tolist() == [Reject.NOTHING_TO_OBSERVE]
    assert alone.readings.ident.tolist() == [-1, -1]


@pytest.mark.parametrize(
    ("source", "flags"),
    [(0, 0), (1, 0), (2, Flag.SELF_REPORTED | Flag.RELAYED), (3, 0), (6, 0), (7, Flag.RELAYED)],
)
def test_relayed_reports_are_flagged(source, flags):
    assert seen(source=source, sec_mark=12_000).flags.tolist() == [flags]


@pytest.mark.parametrize(
    ("vehicle_class", "ptc_type", "kind", "sure"),
    [
        (10, 3, Kind.CAR, 0.7), (24, 1, Kind.CAR, 0.7), (25, 1, Kind.TRUCK, 0.7),
        (39, 1, Kind.TRUCK, 0.7), (40, 1, Kind.MOTORCYCLE, 0.7), (59, 1, Kind.BUS, 0.7),
        (60, 1, Kind.EMERGENCY_VEHICLE, 0.7), (80, 1, Kind.PEDESTRIAN, 0.7),
        (85, 1, Kind.BICYCLE, 0.7), (86, 1, Kind.PEDESTRIAN, 0.7), (93, 1, Kind.OBSTACLE, 0.7),
        (9, 1, Kind.CAR, 0.5), (70, 2, Kind.BICYCLE, 0.6), (255, 0, Kind.UNKNOWN, 0.0),
        (None, 1, Kind.CAR, 0.5), (None, 2, Kind.BICYCLE, 0.6), (None, 3, Kind.PEDESTRIAN, 0.7),
        (None, 0, Kind.UNKNOWN, 0.0), (None, 4, Kind.UNKNOWN, 0.0),
    ],
)  # fmt: skip
def test_kind_of_a_participant(vehicle_class, ptc_type, kind, sure):
    rows = seen(vehicle_class=vehicle_class, ptc_type=ptc_type)
    assert rows.kind[0] == kind
    assert rows.kind_conf[0] == pytest.approx(sure)


@pytest.mark.parametrize(
    ("vehicle_class", "response", "kind", "sure"),
    [(50, None, Kind.BUS, 0.9), (50, 1, Kind.EMERGENCY_VEHICLE, 0.9), (50, 2, Kind.BUS, 0.9),
     (66, None, Kind.EMERGENCY_VEHICLE, 0.9), (0, None, Kind.CAR, 0.5)],
)  # fmt: skip
def test_kind_of_a_vehicle(vehicle_class, response, kind, sure):
    frame = encode_bsm(
        Vehicle(b"ABCDEFGH", 39.0, 117.0, vehicle_class=vehicle_class, response=response)
    )
    rows = decode(frame).observations
    assert (rows.kind[0], rows.kind_conf[0]) == (kind, pytest.approx(sure))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, {}),
        ({"events": 0b1000_0001}, {Name.BSM_EVENTS: 0b1000_0001}),
        ({"siren": 2}, {Name.SIREN: 1}), ({"siren": 1}, {Name.SIREN: 0}), ({"siren": 0}, {}),
        ({"brake": 2}, {Name.BRAKE: 1}), ({"brake": 1, "wheel_brakes": 6}, {Name.BRAKE: 0}),
        ({"brake": 0, "wheel_brakes": 6}, {Name.BRAKE: 1}), ({"wheel_brakes": 1}, {}),
    ],
)  # fmt: skip
def test_readings_of_a_vehicle(fields, said):
    made = decode(encode_bsm(Vehicle(b"ABCDEFGH", 39.0, 117.0, **fields)))
    readings = made.readings
    assert dict(zip(readings.name.tolist(), readings.value.tolist(), strict=True)) == said
    assert all(made.idents[i] == "bsm:4142434445464748" for i in readings.ident.tolist())


@pytest.mark.parametrize(
    ("scheme", "octets", "text"),
    [
        ("rsu", b"DL000001", "rsu:DL000001"), ("rsu", b"AB12\0\0\0\0", "rsu:AB12"),
        ("rsu", b"AB12    ", "rsu:AB12"), ("rsu", bytes(8), ""), ("rsu", b" " * 8, ""),
        ("rsu", b"\xff" * 8, "rsu:ffffffffffffffff"), ("bsm", bytes(8), ""),
        ("bsm", b"ABCDEFGH", "bsm:4142434445464748"),
    ],
)  # fmt: skip
def test_identity_texts(scheme, octets, text):
    assert j2735cn_names.ident_text(scheme, octets) == text


def test_values_that_do_not_fit_are_refused_by_the_encoder():
    for bad in (
        lambda: encode_rsm(b"short", 39, 117, nan, [Participant(1, 39, 117)]),
        lambda: encode_rsm(b"DL000001", 39, 117, nan, []),
        lambda: encode_rsm(b"DL000001", 39, 117, nan, [Participant(70_000, 39, 117)]),
        lambda: encode_rsm(b"DL000001", 91, 117, nan, [Participant(1, 39, 117)]),
        lambda: encode_bsm(Vehicle(b"ABCDEFGH", 39, 117, width=20.0)),
        lambda: encode_bsm(Vehicle(b"ABCDEFGH", 39, 117, events=1 << 13)),
        lambda: encode_bsm(Vehicle(b"ABCDEFGH", 39, 117, -410.0)),
    ):
        with pytest.raises(ValueError, match=r"."):
            bad()
