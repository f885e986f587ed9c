"""JT/T 808 and NMEA decoding: a poll to columns, beside the plain twin and beside pynmeagps.

Results are compared before anything is timed, so a figure is a ratio on one host.
"""

import numpy as np
import pytest

from tests.ingest import naive_jt808
from v2x.frames import FrameBatch
from v2x.ingest.decoded import Reject
from v2x.ingest.formats import jt808, nmea
from v2x.ingest.timestamps import SECOND, parse_iso
from v2x.sensors import Sensor, SensorTable

T = parse_iso("2026-11-24T02:11:12Z")
POLL = 500
EXTRAS = {0x01: (4128).to_bytes(4, "big"), 0x30: b"\x15", 0x31: b"\x0c"}


def reports(terminals: int) -> list[bytes]:
    rng = np.random.default_rng(808)
    return [
        jt808.encode_position(
            str(13800000000 + k % terminals), k, T + k // terminals * SECOND,
            39.0 + rng.random() / 4, 117.2 + rng.random() / 4, float(rng.integers(1, 60)),
            float(rng.integers(0, 33)), float(rng.integers(0, 360)), extras=EXTRAS,
        )
        for k in range(POLL)
    ]  # fmt: skip


@pytest.mark.parametrize("terminals", [1, 100, POLL])
@pytest.mark.benchmark(group="jt808, 500 frames of 0x0200")
def test_jt808_ours(benchmark, terminals):
    frames = reports(terminals)
    (decoder,) = jt808.FORMATS
    sensors = SensorTable.of([Sensor("fleet", "jt808")])
    state = decoder.new_state()
    batch = FrameBatch.of("jt808", frames, [0] * POLL, [T + SECOND] * POLL)
    d = decoder.decode(batch, sensors, state)
    rows = [naive_jt808.decode(frame, T + SECOND).observations[0] for frame in frames]
    for name in ("t_ns", "ident", "lat", "lon", "height", "cov", "vel", "flags"):
        want = np.array([row[name] for row in rows])
        np.testing.assert_allclose(getattr(d.observations, name), want, rtol=1e-12, atol=1e-9)
    benchmark(decoder.decode, batch, sensors, state)
    benchmark.extra_info["frames"] = POLL


@pytest.mark.parametrize("items", [5, 30])
@pytest.mark.benchmark(group="jt808, positions in 0x0704")
def test_jt808_batches_ours(benchmark, items):
    bodies = [
        jt808.position_body(T - k * SECOND, 39.1 + k / 1000, 117.2, 3.0, 10.0, 90.0, extras=EXTRAS)
        for k in range(items)
    ]
    frames = [jt808.encode_batch(str(13800000000 + k), k, bodies) for k in range(POLL)]
    (decoder,) = jt808.FORMATS
    sensors = SensorTable.of([Sensor("fleet", "jt808")])
    state = decoder.new_state()
    batch = FrameBatch.of("jt808", frames, [0] * POLL, [T + SECOND] * POLL)
    d = decoder.decode(batch, sensors, state)
    assert len(d.observations) == POLL * items
    row = naive_jt808.decode(frames[-1], T + SECOND).observations[-1]
    for name in ("t_ns", "ident", "lat", "lon", "height", "vel", "flags"):
        np.testing.assert_allclose(getattr(d.observations, name)[-1], row[name], rtol=1e-12)
    benchmark(decoder.decode, batch, sensors, state)
    benchmark.extra_info["positions"] = POLL * items


@pytest.mark.benchmark(group="jt808, 500 frames of 0x0200")
def test_jt808_naive(benchmark):
    frames = reports(100)
    benchmark(lambda: [naive_jt808.decode(frame, T + SECOND) for frame in frames])
    benchmark.extra_info["frames"] = POLL


EPOCHS = 400


def drive() -> list[bytes]:
    lines = []
    for k in range(EPOCHS):
        t, lat, lon = T + k * SECOND, 39.124 + k * 1e-5, 117.35 + k * 1e-5
        lines.append(nmea.encode_rmc(t, lat, lon, 12.67, 37.5, mode="R"))
        lines.append(nmea.encode_gga(t, lat, lon, 3.2, -8.19, quality=4, hdop=0.6))
        lines.append(nmea.encode_gst(t, 0.02, 0.01, 0.04))
    return lines


@pytest.mark.benchmark(group="nmea, 1200 sentences that are read")
def test_nmea_ours(benchmark):
    pynmeagps = pytest.importorskip("pynmeagps")
    lines = drive()
    (decoder,) = nmea.FORMATS
    sensors = SensorTable.of([Sensor("bus", "nmea")])
    recv = [T + k // 3 * SECOND + k % 3 * 1000 for k in range(len(lines))]
    batch = FrameBatch.of("nmea", lines, [0] * len(lines), recv)

    def ours():
        return decoder.decode(batch, sensors, decoder.new_state())

    d = ours()
    # All epochs but the last, whose end only `finish` could tell apart from a lost sentence.
    assert (d.rejects == Reject.OK).all()
    assert len(d.observations) >= EPOCHS - 1
    said = [pynmeagps.NMEAReader.parse(line + b"\r\n") for line in lines[1::3]]
    rows = len(d.observations)
    np.testing.assert_allclose(d.observations.lat, [m.lat for m in said][:rows], atol=1e-9)
    np.testing.assert_allclose(d.observations.lon, [m.lon for m in said][:rows], atol=1e-9)
    want = [m.alt + m.sep for m in said][:rows]
    np.testing.assert_allclose(d.observations.height, want, atol=1e-9)
    benchmark(ours)
    benchmark.extra_info["sentences"] = len(lines)


@pytest.mark.benchmark(group="nmea, 1200 sentences that are read")
def test_nmea_pynmeagps(benchmark):
    parse = pytest.importorskip("pynmeagps").NMEAReader.parse
    lines = [line + b"\r\n" for line in drive()]
    benchmark(lambda: [parse(line) for line in lines])
    benchmark.extra_info["sentences"] = len(lines)
