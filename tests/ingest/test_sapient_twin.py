"""The kernel that reads SAPIENT messages, against the plain reader on the same polls."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ingest.test_formats import mutations
from tests.ingest.test_sapient import BEARING, HERE, TABLE, TURNED, S, T, message, seen, values
from v2x.frames import FrameBatch
from v2x.ingest.decoded import Reject
from v2x.ingest.formats import format_named, sapient
from v2x.ingest.protobuf import MOST_FIELDS
from v2x.ingest.sapient_messages import SCHEMA, encode_sapient
from v2x.ingest.sapient_rows import PLAIN
from v2x.ingest.texts import CHUNK_BYTES, MOST_BYTES
from v2x.ingest.timestamps import SECOND
from v2x.observations import Observations, ident_of
from v2x.readings import Name, Readings

ODD = [0.0, -1.0, math.nan, math.inf, -math.inf, 1e-9, 0.5, 1.0, 2.0, 89.0, 1e3, 1e6, 1e300]
WORDS = ["", "Human", "Bird", "UAV rotary wing", "Air Vehicle", "Land vehicle", "car", "x" * 255,
         "x" * 256, "无人机 uav", "UAV_KAMIKAZE", "Drone-2"]  # fmt: skip


def plainly(payloads, rows, monkeypatch):
    """What the plain reader makes of every frame."""

    def none(batch, at, to, sensors, state, code, idents, counts):
        code[at:to] = PLAIN
        return Observations.blank(), Readings.blank(), np.zeros(0)

    with monkeypatch.context() as patch:
        patch.setattr(sapient, "_chunk", none)
        return decode(payloads, rows)


def decode(payloads, rows, state=None):
    fmt, n = format_named("sapient"), len(payloads)
    batch = FrameBatch.of("sapient", payloads, rows, [T] * n)
    return fmt.decode(batch, TABLE, fmt.new_state() if state is None else state)


def same(made, want):
    """Compare everything that two decoders of the same poll gave."""
    assert made.rejects.tolist() == want.rejects.tolist()
    for got, rows in ((made.observations, want.observations), (made.readings, want.readings)):
        assert len(got) == len(rows)
        for column, dtype, *_ in rows.schema():
            one, other = getattr(got, column), getattr(rows, column)
            if dtype.kind == "f":
                np.testing.assert_allclose(one, other, 1e-12, 1e-12, err_msg=column)
            else:
                assert np.array_equal(one, other), column
    np.testing.assert_array_equal(made.amsl, want.amsl)
    used = {int(i) for rows in (made.observations, made.readings) for i in rows.ident}
    used |= {int(i) for i in made.readings.ident2}
    assert {i: made.idents[i] for i in used - {-1}} == {i: want.idents[i] for i in used - {-1}}
    assert made.counts == want.counts


def both(payloads, rows, monkeypatch):
    same(decode(payloads, rows), plainly(payloads, rows, monkeypatch))


class Drawn:
    """Messages whose fields are there or not, in and out of range, and told twice."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def one(self, of):
        return of[int(self.rng.integers(len(of)))]

    def some(self, fields, chance=0.7):
        return {name: draw() for name, draw in fields.items() if self.rng.random() < chance}

    def number(self, low, high):
        return self.one(ODD) if self.rng.random() < 0.1 else self.rng.uniform(low, high)

    def location(self):
        at = self.some(
            {
                "z": lambda: self.number(-10, 100), "x_error": lambda: self.number(0, 0.02),
                "y_error": lambda: self.number(0, 0.02), "z_error": lambda: self.number(0, 9),
                "datum": lambda: int(self.rng.integers(4)),
                "utm_zone": lambda: self.one(["50S", " 50 s ", "50", "1 H", "5O", "61N", "123", "",
                                              "50\x1cT\n", "50南"]),
            }
        )  # fmt: skip
        unit = int(self.one([1, 1, 1, 2, 5, 5, 0, 3]))
        lon, lat = self.number(117.2, 117.4), self.number(39, 39.2)
        if unit == 2:
            lon, lat = math.radians(lon), math.radians(lat)
        if unit == 5:
            lon, lat = self.number(4e5, 6e5), self.number(4.3e6, 4.4e6)
        return (
            at | self.some({"x": lambda: lon, "y": lambda: lat}, 0.95) | {"coordinate_system": unit}
        )

    def bearing(self):
        return self.some(
            {
                "azimuth": lambda: self.number(-400, 400), "elevation": lambda: self.number(-2, 2),
                "range": lambda: self.number(0, 5e3), "azimuth_error": lambda: self.number(0, 2),
                "elevation_error": lambda: self.number(0, 2),
                "range_error": lambda: self.number(0, 20),
                "datum": lambda: int(self.rng.integers(5)),
                "coordinate_system": lambda: int(self.one([1, 1, 2, 3, 4, 0, 5])),
            },
            0.9,
        )  # fmt: skip

    def confidence(self):
        odd = [0.0, 0.5, 0.5, 1.0, -1.0, 2.0, math.nan, math.inf]
        return self.one(odd) if self.rng.random() < 0.4 else float(np.float32(self.rng.random()))

    def classes(self, depth=0):
        n = int(self.rng.integers(0, 4 - min(depth, 3)))
        return [
            self.some(
                {
                    "type": lambda: self.one(WORDS),
                    "confidence": self.confidence,
                    "sub_class": lambda: self.classes(depth + 1),
                },
                0.8,
            )
            for _ in range(n)
        ]

    def detection(self):
        made = self.some(
            {
                "report_id": lambda: "r", "object_id": lambda: self.one([*WORDS, "a", "b"]),
                "id": lambda: self.one(["", "B-1", "机"]),
                "classification": self.classes,
                "enu_velocity": lambda: self.some(
                    {f"{axis}_rate{end}": lambda: self.number(-5, 5)
                     for axis in ("east", "north", "up") for end in ("", "_error")}
                ),
                "prediction_location": lambda: {"location": self.location()},
            }
        )  # fmt: skip
        if self.rng.random() < 0.2:
            made["state"] = self.one(
                [" Lost\n", "OBJECT LOST", "found", "lost\u3000", "object", ""]
            )
        place = self.rng.random()
        if place < 0.6:
            made["location"] = self.location()
        elif place < 0.9:
            made["range_bearing"] = self.bearing()
        return made

    def status(self):
        entry = {
            "status_level": lambda: int(self.rng.integers(4)),
            "status_type": lambda: int(self.rng.integers(-3, 9)),
            "status_value": lambda: self.one(WORDS),
        }
        return self.some(
            {
                "system": lambda: int(self.rng.integers(6)), "mode": lambda: "m",
                "power": lambda: self.some({"level": lambda: int(self.rng.integers(-5, 101))}),
                "node_location": self.location,
                "status": lambda: [self.some(entry) for _ in range(self.rng.integers(0, 130))],
                "obscuration": lambda: [{"location_list": {"locations": [self.location()]}}] * 2,
            }
        )  # fmt: skip

    def content(self):
        draw = self.rng.random()
        if draw < 0.6:
            return {"detection_report": self.detection()}
        if draw < 0.75:
            return {"status_report": self.status()}
        if draw < 0.88:
            alert = {"alert_id": lambda: self.one(WORDS), "location": self.location,
                     "alert_type": lambda: int(self.rng.integers(6)),
                     "status": lambda: int(self.rng.integers(-1, 7))}  # fmt: skip
            return {"alert": self.some(alert)}
        if draw < 0.95:
            types = [{"node_type": int(k)} for k in self.rng.integers(0, 9, self.rng.integers(3))]
            return {"registration": self.some({"node_definition": lambda: types,
                                               "name": lambda: self.one(WORDS)})}  # fmt: skip
        return {self.one(["task", "error", "alert_ack"]): {}}

    def message(self):
        stamp = {"seconds": T // SECOND - int(self.rng.integers(-9, 99)), "nanos": 5}
        if self.rng.random() < 0.1:
            stamp |= {self.one(["seconds", "nanos"]): self.one([0, -1, 2**31 - 1])}
        return (
            self.some(
                {
                    "timestamp": lambda: stamp,
                    "node_id": lambda: self.one(["n", "节点", "", "y" * 300]),
                },
                0.9,
            )
            | self.content()
        )

    def payload(self):
        """A message, or two run together, which protobuf merges."""
        data = encode_sapient(self.message(), prefixed=False)
        if self.rng.random() < 0.2:
            data += encode_sapient(self.message(), prefixed=False)
        return len(data).to_bytes(4, "little") + data if self.rng.random() < 0.5 else data


def test_kernel_and_plain_reader_agree_on_any_message(monkeypatch):
    rng = np.random.default_rng(335)
    drawn = Drawn(rng)
    payloads = [drawn.payload() for _ in range(3_000)]
    rows = rng.integers(0, 3, len(payloads))
    made = decode(payloads, rows)
    assert {Reject.OK, Reject.NOTHING_TO_OBSERVE, Reject.VALUE_RANGE} <= set(made.rejects)
    assert {0, 1, 2} == set(made.observations.model)
    assert len(set(made.observations.kind)) > 4
    assert {"error_in_metres", "azimuth_without_yaw", "task"} <= set(made.counts)
    same(made, plainly(payloads, rows, monkeypatch))


def test_kernel_and_plain_reader_agree_on_broken_bytes(monkeypatch):
    rng = np.random.default_rng(336)
    drawn = Drawn(rng)
    payloads = mutations("sapient")
    for _ in range(1_500):
        good = bytearray(drawn.payload())
        for at in rng.integers(0, len(good), int(rng.integers(1, 4))) if good else ():
            good[at] = int(rng.integers(256))
        payloads.append(bytes(good[: int(rng.integers(len(good) + 1))] if good else good))
    made = decode(payloads, [S] * len(payloads))
    for reason in ("OK", "SHORT", "BAD_MAGIC", "BAD_LENGTH", "UNKNOWN_MESSAGE"):
        assert Reject[reason] in made.rejects, reason
    same(made, plainly(payloads, [S] * len(payloads), monkeypatch))


@settings(max_examples=150, deadline=None)
@given(st.lists(values("SapientMessage", 1), min_size=1, max_size=8))
def test_kernel_and_plain_reader_agree_on_any_fields(drawn):
    with pytest.MonkeyPatch.context() as patch:
        both([encode_sapient(one) for one in drawn], [TURNED] * len(drawn), patch)


def nested(field, message, depth):
    """`depth` messages in one another."""
    number = next(n for n, f in SCHEMA[message].items() if f.name == field)
    data = b""
    for _ in range(depth):
        data = bytes([number << 3 | 2, *size(len(data))]) + data
    return data


def size(n):
    out = []
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    return bytes([*out, n])


@pytest.mark.parametrize(
    "payload",
    [
        b"\x12\x00" * MOST_FIELDS + b"\x12\x00",
        b"\x12\x00" * (MOST_FIELDS - 1) + b"\x52\x00",
        *(b"\x3a" + size(len(inner)) + inner
          for inner in (b"\x5a" + size(len(c)) + c
                        for c in (nested("sub_class", "SubClass", d)
                                  .replace(b"\x22", b"\x22") for d in (13, 14, 15, 40)))),
        b"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
        b"\x3a\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00",
        b"\x80" * 9 + b"\x01",
        b"\xff" * 70_000,
        b"\x0a\x00" * 40_000,
        b"\x3b\x3c",
        b"\x52\x06\x10\xff\xff\xff\xff\x0f",
        b"\x42\x04\x3a\x02\x12\xff\x52\x00",
    ],
    ids=lambda payload: payload[:6].hex(),
)  # fmt: skip
def test_kernel_and_plain_reader_agree_on_hostile_bytes(payload, monkeypatch):
    both([payload, seen(HERE), payload], [S] * 3, monkeypatch)


def test_a_class_tree_may_come_in_any_order_of_its_fields(monkeypatch):
    def field(number, data):
        return bytes([number << 3 | 2]) + size(len(data)) + data

    def sure(value):
        return b"\x15" + np.float32(value).tobytes()

    inner = sure(0.5) + field(1, b"Bird")
    report = field(11, field(3, inner) + field(1, b"Animal") + sure(0.9)) + field(
        11, sure(0.95) + field(3, sure(1.0) + field(1, b"drone")) + field(3, inner)
    )
    place = encode_sapient({"detection_report": {"location": HERE}}, prefixed=False)
    payload = place + field(7, report)
    made = decode([payload], [S])
    assert made.observations.kind.tolist() == [8]
    np.testing.assert_allclose(made.observations.kind_conf, [0.95], 1e-6)
    both([payload], [S], monkeypatch)


def test_how_polls_are_cut_and_what_is_at_hand_changes_nothing():
    rng = np.random.default_rng(9)
    drawn = Drawn(rng)
    payloads = [drawn.payload() for _ in range(400)]
    fmt = format_named("sapient")
    together, state = decode(payloads, [S] * 400), fmt.new_state()
    parts = [decode([payload], [S], state) for payload in payloads]
    for name in ("observations", "readings"):
        joined = type(getattr(together, name)).concat([getattr(part, name) for part in parts])
        for column, *_ in joined.schema():
            if column != "frame":
                one, other = getattr(joined, column), getattr(getattr(together, name), column)
                assert np.array_equal(one, other, equal_nan=True), column


def test_more_texts_than_the_table_holds_are_hashed_all_the_same():
    state = format_named("sapient").new_state()
    for poll in range(3):
        names = [f"{poll}-{k}-" + "x" * 200 for k in range(6_000)]
        payloads = [
            encode_sapient({"detection_report": {"object_id": name, "location": HERE}})
            for name in names
        ]
        assert sum(map(len, payloads)) > CHUNK_BYTES
        made = decode(payloads, [S] * 6_000, state)
        want = [ident_of(f"object:{name}") for name in names]
        assert made.observations.track_ref.tolist() == want


def test_texts_of_any_length_are_read():
    for n in (255, 256, 60_000, MOST_BYTES + 1):
        payload = encode_sapient(message(alert={"alert_id": "a" * n, "alert_type": 3}))
        made = decode([payload], [S])
        assert made.readings.name.tolist() == [Name.NODE_ALERT]
        assert made.idents[int(made.readings.ident2[0])] == "alert:" + "a" * n


def test_frames_left_to_the_plain_reader_stay_in_their_place(monkeypatch):
    odd, long = seen(HERE, state="消失"), seen(HERE, colour="x" * MOST_BYTES)
    payloads = [seen(HERE), odd, seen(bearing=BEARING), long, seen(HERE | {"datum": 2})]
    made = decode(payloads, [S] * 5)
    assert made.observations.frame.tolist() == [0, 1, 2, 3, 4]
    both(payloads, [S] * 5, monkeypatch)
