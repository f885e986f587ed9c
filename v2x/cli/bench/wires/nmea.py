"""NMEA 0183: what a multi-constellation receiver sends ten times a second, a sentence a frame."""

from collections.abc import Callable, Sequence

import numpy as np

from v2x.cli.bench.wires import T_NS, Peer, Wire
from v2x.ingest.sentences import encode_gga, encode_gst, encode_rmc, sentence

_EPOCH_NS = 100_000_000


def _fixes(rng: np.random.Generator, n: int) -> list[bytes]:
    """GGA, GST and RMC of one epoch after another."""
    made: list[bytes] = []
    for k in range(-(-n // 3)):
        t_ns, lat, lon = T_NS + k * _EPOCH_NS, 39.1 + rng.random() / 10, 117.3 + rng.random() / 10
        made.append(encode_gga(t_ns, lat, lon, 3.2, -8.19, quality=4, hdop=0.6, age_s=1.0))
        made.append(encode_gst(t_ns, 0.02, 0.03, 0.05, ellipse=(0.03, 0.02, 30.0)))
        made.append(encode_rmc(t_ns, lat, lon, 30.0 * rng.random(), 360.0 * rng.random()))
    return made[:n]


def _bursts(rng: np.random.Generator, n: int) -> list[bytes]:
    """The same with two GSA and eight GSV behind them."""
    made: list[bytes] = []
    fixes = iter(_fixes(rng, n))
    while len(made) < n:
        made += [next(fixes) for _ in range(3)]
        made += [
            sentence(f"GNGSA,A,3,02,06,12,13,15,17,19,24,28,,,,1.48,0.76,1.27,{k}") for k in (1, 4)
        ]
        for talker in ("GP", "GB"):
            for k in range(1, 5):
                seen = ",".join(f"{4 * k + j:02d},45,180,{rng.integers(25, 50)}" for j in range(4))
                made.append(sentence(f"{talker}GSV,4,{k},16,{seen},1"))
    return made[:n]


def _pynmeagps() -> Callable[[Sequence[bytes]], int]:
    from pynmeagps import NMEAReader

    def read(payloads: Sequence[bytes]) -> int:
        return sum(NMEAReader.parse(payload + b"\r\n") is not None for payload in payloads)

    return read


PEER = Peer("pynmeagps", "pynmeagps", _pynmeagps)

WIRES = (
    Wire("nmea-fixes", "nmea", _fixes, floor=5e4, peer=PEER, step_ns=33_333_333, fresh=True),
    Wire("nmea-bursts", "nmea", _bursts, floor=5e4, peer=PEER, step_ns=7_692_307, fresh=True),
)
