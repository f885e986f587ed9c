"""The column frame: round trip, height references, datums, and everything that is refused."""

import msgpack
import numpy as np
import pytest

from v2x.frames import FrameBatch
from v2x.ingest.decoded import Reject
from v2x.ingest.formats.columns import COLUMNS, ColumnFrame, encode_columns
from v2x.ingest.skim import skim
from v2x.observations import Flag, Kind, Model, ident_of
from v2x.readings import Name
from v2x.sensors import Datum, Sensor, SensorTable

T0 = 1_795_486_272_345_000_000
SENSORS = SensorTable.of(
    [
        Sensor("gcj", "columns", datum=Datum.GCJ02),
        Sensor("radar", "columns", sd_m=3.0, sd_up_m=4.0, sd_range_m=5.0, sd_deg=0.5),
    ]
)
RADAR, GCJ = SENSORS.row("radar"), SENSORS.row("gcj")


def batch(*payloads: bytes, sensor: int = RADAR) -> FrameBatch:
    n = len(payloads)
    return FrameBatch.of("columns", payloads, [sensor] * n, [T0 + 50_000_000] * n)


def decode(*payloads: bytes, sensor: int = RADAR):
    return ColumnFrame().decode(batch(*payloads, sensor=sensor), SENSORS, None)


def row(**more):
    return {"lat": [39.124], "lon": [117.346], **more}


def full(n: int, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    cov = np.zeros((n, 6), "f4")
    cov[:, [0, 3, 5]] = rng.uniform(1, 9, (n, 3))
    return {
        "dt": rng.integers(-1000, 1000, n),
        "lat": rng.uniform(38, 40, n),
        "lon": rng.uniform(116, 118, n),
        "height": rng.uniform(-10, 300, n).astype("f4"),
        "vel": rng.normal(0, 10, (n, 3)).astype("f4"),
        "vel_sd": np.full(n, 0.5, "f4"),
        "cov": cov,
        "radial": rng.normal(0, 10, n).astype("f4"),
        "rssi": np.full(n, -70, "f4"),
        "size": rng.uniform(1, 10, (n, 3)).astype("f4"),
        "track_ref": np.arange(n),
        "ident": np.arange(n) % 3 - 1,
        "kind": rng.integers(0, 13, n),
        "kind_conf": np.full(n, 0.75, "f4"),
        "flags": np.full(n, int(Flag.SIMULATED), "u2"),
    }


def test_what_is_encoded_comes_back_exactly():
    sent = full(100)
    made = decode(encode_columns(T0, 7, sent, ["rid:ABC", "thing"]))
    rows = made.observations
    assert made.rejects.tolist() == [0]
    assert np.array_equal(rows.t_ns, T0 + sent["dt"] * 1000)
    for name in ("lat", "lon", "height", "vel", "cov", "radial", "rssi", "size", "track_ref"):
        assert np.array_equal(getattr(rows, name), sent[name].astype(getattr(rows, name).dtype))
    assert np.array_equal(rows.kind, sent["kind"])
    hashes = np.array([-1, ident_of("rid:ABC"), ident_of("ext:thing")])
    assert np.array_equal(rows.ident, hashes[sent["ident"] + 1])
    assert made.idents == {ident_of("rid:ABC"): "rid:ABC", ident_of("ext:thing"): "ext:thing"}
    assert (rows.flags == int(Flag.SIMULATED)).all()


def test_encoding_decoded_columns_again_gives_the_same_bytes():
    payload = encode_columns(T0, 7, full(9), ["rid:ABC", "b:c"], datum="wgs84")
    tree = msgpack.unpackb(payload)
    columns = {
        name: np.frombuffer(data, COLUMNS[name][0]).reshape(9, -1)
        for name, data in tree["c"].items()
    }
    again = encode_columns(tree["t0"], tree["seq"], columns, tree["idents"], datum=tree["datum"])
    assert again == payload


def test_one_frame_at_a_time_gives_the_rows_of_all_at_once():
    payloads = [encode_columns(T0 + i, i, full(1 + i, i), ["a:b", "c:d"]) for i in range(8)]
    payloads[3] = encode_columns(T0, 3, {"lat": [39.0], "lon": [117.0]})
    payloads[5] = b"\x81\xa1v\x01"
    together = decode(*payloads)
    alone = [decode(payload) for payload in payloads]
    assert together.rejects.tolist() == [int(one.rejects[0]) for one in alone]
    for name, _, _, _ in together.observations.schema():
        if name != "frame":
            joined = np.concatenate([getattr(one.observations, name) for one in alone])
            assert np.array_equal(getattr(together.observations, name), joined, equal_nan=True), (
                name
            )


def test_an_empty_look_is_a_reading_and_no_reject_to_dead_letter():
    made = decode(encode_columns(T0, 1, {}))
    assert made.rejects.tolist() == [Reject.NOTHING_TO_OBSERVE]
    assert made.readings.name.tolist() == [Name.SCAN_EMPTY]
    assert made.readings.t_ns.tolist() == [T0]


def test_a_height_above_sea_level_becomes_one_above_the_ellipsoid():
    made = decode(encode_columns(T0, 1, row(height=[10.0]), reference="amsl"))
    assert made.observations.height[0] == pytest.approx(10.0 - 8.2, abs=0.1)
    assert made.amsl is not None
    assert made.amsl[0] == 10.0


@pytest.mark.parametrize(
    ("reference", "flag"),
    [
        ("agl", Flag.DATUM_UNCERTAIN),
        ("takeoff", Flag.HEIGHT_ABOVE_TAKEOFF),
        ("baro", Flag.HEIGHT_BAROMETRIC),
    ],
)
def test_a_height_that_cannot_be_converted_stays_unmeasured_and_flagged(reference, flag):
    rows = decode(encode_columns(T0, 1, row(height=[60.0]), reference=reference)).observations
    assert np.isnan(rows.height[0])
    assert rows.flags[0] & flag


def test_a_datum_other_than_the_configured_one_is_refused_by_name():
    payload = encode_columns(T0, 1, row(), datum="gcj02")
    assert decode(payload).rejects.tolist() == [Reject.UNKNOWN_EDITION]
    assert decode(payload, sensor=GCJ).rejects.tolist() == [Reject.OK]


def test_polar_rows_carry_range_and_angles_and_the_sensors_noise():
    made = decode(encode_columns(T0, 1, {"az": [1.0], "el": [0.1], "range": [500.0]}))
    rows = made.observations
    assert rows.model.tolist() == [Model.POLAR]
    assert rows.range_sd.tolist() == [5.0]
    assert rows.ang_sd[0] == pytest.approx(np.radians(0.5))
    assert decode(
        encode_columns(T0, 1, {"az": [1.0], "el": [0.1]})
    ).observations.model.tolist() == [Model.BEARING]


def test_a_covariance_that_is_none_gives_way_to_the_sensors_noise_and_is_flagged():
    bad = np.array([[1, 5, 0, 1, 0, 1]], "f4")
    rows = decode(encode_columns(T0, 1, row(cov=bad, height=[5.0]))).observations
    assert rows.cov[0].tolist() == [9.0, 0.0, 0.0, 9.0, 0.0, 16.0]
    assert rows.flags[0] & Flag.LOW_QUALITY
    rows = decode(encode_columns(T0, 1, row(height=[5.0]))).observations
    assert rows.cov[0].tolist() == [9.0, 0.0, 0.0, 9.0, 0.0, 16.0]
    assert not rows.flags[0]


def test_a_row_out_of_range_is_dropped_alone_and_counted():
    made = decode(encode_columns(T0, 1, {"lat": [39.0, np.inf, 0.0], "lon": [117.0, 117.0, 0.0]}))
    assert made.rejects.tolist() == [0]
    assert len(made.observations) == 1
    assert made.counts["position_out_of_range"] == 2


def test_an_unknown_kind_number_is_an_unknown_object():
    rows = decode(encode_columns(T0, 1, row(kind=[200]))).observations
    assert rows.kind.tolist() == [Kind.UNKNOWN]


def tree(**more):
    base = {"v": 1, "seq": 1, "t0": T0, "n": 1}
    base["c"] = {
        "dt": bytes(4),
        "lat": np.array([39.0]).tobytes(),
        "lon": np.array([117.0]).tobytes(),
    }
    return {**base, **more}


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"", Reject.SHORT),
        (msgpack.packb([1, 2]), Reject.BAD_MAGIC),
        (msgpack.packb({"a": 1}), Reject.BAD_MAGIC),
        (msgpack.packb(tree()) + b"\0", Reject.TRAILING_DATA),
        (msgpack.packb(tree())[:-1], Reject.SHORT),
        (msgpack.packb(tree(v=2)), Reject.UNSUPPORTED_VERSION),
        (msgpack.packb(tree(t0=-1)), Reject.VALUE_RANGE),
        (msgpack.packb(tree(t0=1 << 63)), Reject.VALUE_RANGE),
        (msgpack.packb(tree(t0=1.5)), Reject.BAD_MAP),
        (msgpack.packb(tree(n=5000)), Reject.TOO_COMPLEX),
        (msgpack.packb(tree(n=2)), Reject.BAD_COLUMN),
        (msgpack.packb(tree(c={"lat": bytes(8)})), Reject.BAD_COLUMN),
        (msgpack.packb(tree(c={"dt": "text"})), Reject.BAD_COLUMN),
        (msgpack.packb(tree(idents="x")), Reject.BAD_MAP),
        (msgpack.packb(tree(idents=[1])), Reject.BAD_MAP),
        (msgpack.packb(tree(hr="moon")), Reject.BAD_MAP),
        (b"\x82\xa1v\x01\xa1v\x01", Reject.BAD_MAP),
        (b"\x81\xc4\x01v\x01", Reject.BAD_MAP),
        (msgpack.packb(tree(x=msgpack.ExtType(1, b"a"))), Reject.BAD_MAP),
    ],
)
def test_a_malformed_frame_is_refused_by_name(payload, code):
    made = decode(payload, encode_columns(T0, 1, row()))
    assert made.rejects.tolist() == [code, Reject.OK]
    assert len(made.observations) == 1


def test_bombs_that_pass_the_limits_of_the_library_are_refused_before_they_are_built():
    nested = b"\xdc\x10\x00" * 1000
    wide = b"\xdc\x00\xff" + (b"\xdc\x10\x00" + b"\x90" * 4096) * 255
    claims = b"\xdd\xff\xff\xff\xff"
    deep = b"\x91" * 1024 + b"\x01"
    got = skim(*_buffers(nested, wide, claims, deep)).tolist()
    assert got == [Reject.SHORT, Reject.TOO_COMPLEX, Reject.SHORT, Reject.TOO_COMPLEX]


def test_the_skim_takes_whatever_the_library_takes_within_the_limits():
    values = [1, -1, 2.5, "a" * 300, b"b" * 70_000, None, True, [1] * 20, {"k": [[], {}]}, 1 << 63]
    values += [-(1 << 40), "é", [{}] * 3]
    packed = [msgpack.packb(v) for v in values]
    packed += [msgpack.packb(v, use_single_float=True) for v in (1.5, [0.25])]
    assert not skim(*_buffers(*packed)).any()
    cut = [p[:-1] for p in packed]
    assert (skim(*_buffers(*cut)) == Reject.SHORT).all()


def _buffers(*payloads: bytes):
    made = batch(*payloads)
    return made.buf, made.off
