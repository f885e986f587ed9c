"""Somebody pressed the emergency button of a vehicle."""

from collections.abc import Iterator
from math import isfinite

import numpy as np

from v2x.alert import Finding
from v2x.picture import Picture
from v2x.readings import Name

SOS_BIT = 0
LATEST_S = 600.0
NEAR_NS = 600_000_000_000


class Sos:
    """Bit 0 of the alarm word of a JT/T 808 terminal.

    Cause: the driver's button. Consequence: life at risk. Answer now: call back, send police.

    Raises up to 600 s late at arrival (`late_s`): a terminal out of reach stores its reports. An
    older one is history. But lateness is by the terminal's own clock: where its reports that were
    not stored say how wrong that is (`clock_offset_s`), it is put right, so that a call sent now
    by a clock that is hours behind raises now. Latched: only a person ends it, since the terminal
    drops the bit once it was acknowledged. Severity 1, whoever says so.
    """

    type = "sos"
    hold_s = 0.0
    quiet_s = float("inf")
    reads = (Name.ALARM_BITS, Name.CLOCK_OFFSET_S)

    def check(self, picture: Picture) -> Iterator[Finding]:
        """One finding per terminal whose newest alarm word has the bit."""
        readings = picture.readings
        for k in np.flatnonzero(readings.name == Name.ALARM_BITS).tolist():
            word, ident = float(readings.value[k]), int(readings.ident[k])
            offset_s = _offset_s(picture, k)
            late_s = (int(readings.recv_ns[k]) - int(readings.t_ns[k])) / 1e9 + offset_s
            if not isfinite(word) or not int(word) >> SOS_BIT & 1 or late_s > LATEST_S:
                continue
            rows = np.flatnonzero((picture.tracks.ident == ident) & (ident >= 0)).tolist()
            sensor = int(readings.sensor[k])
            yield Finding(
                ("ident", picture.idents.get(ident) or _unnamed(picture, sensor, ident)),
                1,
                value=late_s,
                limit=LATEST_S,
                reasons=(
                    ("alarm_bit", SOS_BIT, None, ""),
                    ("late_s", max(late_s, 0.0), LATEST_S, "s"),
                    *((("clock_offset_s", offset_s, None, "s"),) if offset_s else ()),
                ),
                track=rows[0] if rows else -1,
                lat=float(readings.lat[k]),
                lon=float(readings.lon[k]),
                evidence=(sensor,),
                ident=ident,
            )


def _offset_s(picture: Picture, k: int) -> float:
    """By how much the clock behind a reading is off, seconds, negative: behind; 0 if in order.

    Told by the same message, or by another of the same terminal that arrived within 10 min of it:
    a clock that was put right meanwhile is none of that.
    """
    readings = picture.readings
    told = readings.name == Name.CLOCK_OFFSET_S
    if not told.any():
        return 0.0
    told &= (readings.sensor == readings.sensor[k]) & (readings.ident == readings.ident[k])
    apart = np.abs(readings.recv_ns - readings.recv_ns[k])
    with_it = (apart == 0) & (readings.t_ns == readings.t_ns[k])
    told &= with_it | ((apart <= NEAR_NS) & (readings.ident >= 0))
    rows = np.flatnonzero(told & np.isfinite(readings.value) & (readings.value < 0.0))
    return float(readings.value[rows[0]]) if rows.size else 0.0


def _unnamed(picture: Picture, sensor: int, ident: int) -> str:
    """Stand-in for a terminal whose number could not be read: it is never dropped for that."""
    name = picture.sensors[sensor].name
    return f"sensor:{name}" if ident < 0 else f"sensor:{name}/{ident:016x}"


RULE = Sos()
