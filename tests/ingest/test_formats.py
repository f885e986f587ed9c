"""Every registered wire format, by the same rules."""

import json
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from v2x.frames import FrameBatch
from v2x.ingest.decoded import Reject
from v2x.ingest.formats import registry
from v2x.ingest.timestamps import parse_iso
from v2x.mapping import JsonMapping
from v2x.sensors import Datum, Sensor, SensorTable

SAMPLES = Path(__file__).parent / "samples"
RECV = parse_iso("2026-11-24T02:11:12.400Z")
FORMATS = sorted(registry())


def samples(name: str) -> list[dict]:
    return json.loads((SAMPLES / f"{name}.json").read_text("utf-8"))


def sensors(name: str, more: dict | None = None) -> SensorTable:
    settings = dict(more or {})
    if "datum" in settings:
        settings["datum"] = Datum(settings["datum"])
    if "mapping" in settings:
        settings["mapping"] = JsonMapping.model_validate(settings["mapping"]).text()
    return SensorTable.of([Sensor("s", name, **{"sd_m": 2.0, "sd_up_m": 3.0, **settings})])


def decode(name: str, payloads: list[bytes], table: SensorTable, recv: int = RECV, state=None):
    fmt = registry()[name]
    batch = FrameBatch.of(name, payloads, [0] * len(payloads), [recv] * len(payloads))
    return fmt.decode(batch, table, fmt.new_state() if state is None else state)


def mutations(name: str) -> list[bytes]:
    rng = np.random.default_rng(list(name.encode()))
    made: list[bytes] = []
    for sample in samples(name):
        good = bytes.fromhex(sample["hex"])
        made += [good[:i] for i in range(len(good))]
        for bit in range(len(good) * 8):
            flipped = bytearray(good)
            flipped[bit // 8] ^= 1 << bit % 8
            made.append(bytes(flipped))
        for _ in range(50):
            hit = bytearray(good)
            for at in rng.integers(0, max(len(hit), 1), 4) if hit else ():
                hit[at] = rng.integers(256)
            made.append(bytes(hit))
    made += [rng.bytes(int(n)) for n in rng.integers(0, 300, 2_000)]
    return made


def check_ranges(made, n: int) -> None:
    rows = made.observations
    assert made.rejects.shape == (n,)
    assert np.isin(made.rejects, [int(code) for code in Reject]).all()
    assert ((rows.frame >= 0) & (rows.frame < n)).all()
    assert (np.diff(rows.frame) >= 0).all()
    accepted = np.isin(made.rejects, (Reject.OK, Reject.NOTHING_TO_OBSERVE))
    assert accepted[rows.frame].all()
    assert accepted[made.readings.frame].all()
    flat = rows.model == 0
    assert (np.abs(rows.lat[flat]) <= 90).all()
    assert (np.abs(rows.lon[flat]) <= 180).all()
    assert (np.isnan(rows.height) | (np.abs(rows.height) < 1e5)).all()
    assert (rows.kind <= 12).all()
    assert ((rows.kind_conf >= 0) & (rows.kind_conf <= 1)).all()
    for variance in (0, 3, 5):
        column = rows.cov[:, variance]
        assert (np.isnan(column) | ((column >= 0) & (column < 1e12))).all()
    assert (np.isnan(rows.vel) | (np.abs(rows.vel) < 5000)).all()
    assert not np.isinf(made.readings.value).any()
    assert all(made.idents.get(int(i)) for i in rows.ident[rows.ident != -1])


def test_there_are_formats_and_each_has_samples():
    assert {"columns", "rsu", "ydt3709", "rsu_status", "jt808", "nmea"} <= set(FORMATS)
    assert {"remote_id", "gb46750", "odid", "adsb"} <= set(FORMATS)
    assert {path.stem for path in SAMPLES.glob("*.json")} == set(FORMATS)


@pytest.mark.parametrize("name", FORMATS)
def test_samples_decode_to_what_they_say(name):
    good = 0
    for sample in samples(name):
        fmt, table = registry()[name], sensors(name, sample.get("sensor"))
        state = fmt.new_state()
        recv = parse_iso(sample["recv"])
        made = decode(name, [bytes.fromhex(sample["hex"])], table, recv, state)
        assert Reject(int(made.rejects[0])).name == sample["reject"], sample
        assert len(made.observations) == sample["observations"], sample
        assert len(made.readings) == sample["readings"], sample
        rest = fmt.finish(table, state)
        assert len(rest.observations) == sample.get("finish_observations", 0), sample
        check_ranges(made, 1)
        good += sample["reject"] == "OK"
    assert good >= 2


@pytest.mark.parametrize("name", FORMATS)
def test_any_bytes_give_rows_or_a_named_reject(name):
    payloads = mutations(name)
    made = decode(name, payloads, sensors(name, samples(name)[0].get("sensor")))
    check_ranges(made, len(payloads))


@pytest.mark.parametrize("name", FORMATS)
def test_one_frame_a_batch_gives_the_rows_of_all_in_one(name):
    payloads = [bytes.fromhex(s["hex"]) for s in samples(name)] + mutations(name)[:40]
    table = sensors(name, samples(name)[0].get("sensor"))
    together = decode(name, payloads, table)
    state = registry()[name].new_state()
    at = 0
    for i, payload in enumerate(payloads):
        alone = decode(name, [payload], table, state=state)
        assert alone.rejects[0] == together.rejects[i], payload.hex()
        n = len(alone.observations)
        for column, _, _, _ in together.observations.schema():
            if column != "frame":
                want = getattr(together.observations, column)[at : at + n]
                got = getattr(alone.observations, column)
                assert np.array_equal(got, want, equal_nan=True), (column, payload.hex())
        at += n
    assert at == len(together.observations)


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_frames_twice_give_the_same_rows(name):
    payloads = mutations(name)[::7]
    table = sensors(name, samples(name)[0].get("sensor"))
    first, second = (decode(name, payloads, table) for _ in range(2))
    assert np.array_equal(first.rejects, second.rejects)
    for column, _, _, _ in first.observations.schema():
        one, two = getattr(first.observations, column), getattr(second.observations, column)
        assert np.array_equal(one, two, equal_nan=True), column


KIN = {"remote_id": {"odid", "gb46750"}}
"""Formats that take the frames of others on purpose."""


@pytest.mark.parametrize("name", FORMATS)
def test_no_format_takes_the_frames_of_another_family(name):
    for other in set(FORMATS) - {name, *KIN, *KIN.get(name, ())}:
        good = [bytes.fromhex(s["hex"]) for s in samples(other) if s["reject"] == "OK"]
        made = decode(name, good, sensors(name))
        assert not len(made.observations), (name, other)


def hostile_kinds(name: str, size: int) -> list[bytes]:
    """Payloads of `size` bytes that invite a decoder to work: good heads again and again."""
    made = [byte * size for byte in (b"\0", b"\xff", b"$", b"{", b"[", b"\x1a", b"\x7e", b"\x91")]
    made += [b"\x1a3" * (size // 2), b'{"a":' * (size // 5), b"\xfa\x0b\xbc\x0d" * (size // 4)]
    for sample in samples(name):
        good = bytes.fromhex(sample["hex"])
        if good:
            made.append((good * (size // len(good) + 1))[:size])
            made.append((good[: len(good) // 2] * (2 * size // len(good) + 2))[:size])
    return made


def cost_s(fmt, table, payload: bytes) -> float:
    """Least CPU time of three decodes, each from no state."""
    spent = []
    for _ in range(3):
        batch, state = FrameBatch.of(fmt.name, [payload], [0], [RECV]), fmt.new_state()
        begin = time.process_time()
        fmt.decode(batch, table, state)
        spent.append(time.process_time() - begin)
    return min(spent)


@pytest.mark.parametrize("name", FORMATS)
def test_hostile_bytes_cost_as_much_as_there_are_of_them(name):
    fmt, table = registry()[name], sensors(name, samples(name)[0].get("sensor"))
    fmt.decode(FrameBatch.of(name, [b"\0"], [0], [RECV]), table, fmt.new_state())
    for small, large in zip(hostile_kinds(name, 8_192), hostile_kinds(name, 65_536), strict=True):
        # Eight times the bytes: eight times the work, and never its square. What takes less than
        # five milliseconds is not worth a look.
        cost = cost_s(fmt, table, large)
        assert cost < max(0.005, 24 * cost_s(fmt, table, small)), large[:40].hex()


@pytest.mark.parametrize("name", FORMATS)
def test_hostile_bytes_fill_no_memory(name):
    fmt, table = registry()[name], sensors(name, samples(name)[0].get("sensor"))
    payloads = hostile_kinds(name, 65_536)
    fmt.decode(FrameBatch.of(name, payloads[:1], [0], [RECV]), table, fmt.new_state())
    for payload in payloads:
        batch, state = FrameBatch.of(name, [payload], [0], [RECV]), fmt.new_state()
        tracemalloc.start()
        try:
            fmt.decode(batch, table, state)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 512 * len(payload), payload[:40].hex()


@pytest.mark.parametrize("name", [name for name in FORMATS if hasattr(registry()[name], "extra")])
def test_what_fits_no_column_is_plain_data_for_any_bytes(name):
    for payload in [bytes.fromhex(s["hex"]) for s in samples(name)] + mutations(name)[::5]:
        json.dumps(registry()[name].extra(payload))


@pytest.mark.parametrize("name", [name for name in FORMATS if hasattr(registry()[name], "cut")])
def test_a_stream_is_cut_into_what_it_was_joined_of_and_never_raises(name):
    fmt = registry()[name]
    for payload in mutations(name)[::11]:
        pieces = list(fmt.cut(payload))
        assert all(pieces)
        assert sum(map(len, pieces)) <= len(payload)
