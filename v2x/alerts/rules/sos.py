"""Somebody pressed the emergency button of a vehicle."""

from collections.abc import Iterator
from math import isfinite

import numpy as np

from v2x.alert import Finding
from v2x.picture import Picture
from v2x.readings import Name

SOS_BIT = 0
LATEST_S = 600.0


class Sos:
    """Bit 0 of the alarm word of a JT/T 808 terminal.

    Cause: the driver's button. Consequence: life at risk. Answer now: call back, send police.

    Raises up to 600 s late at arrival (`late_s`): a terminal out of reach stores its reports. An
    older one is history. Latched: only a person ends it, since the terminal drops the bit once
    it was acknowledged. Severity 1, whoever says so.
    """

    type = "sos"
    hold_s = 0.0
    quiet_s = float("inf")
    reads = (Name.ALARM_BITS,)

    def check(self, picture: Picture) -> Iterator[Finding]:
        """One finding per terminal whose newest alarm word has the bit."""
        readings = picture.readings
        for k in np.flatnonzero(readings.name == Name.ALARM_BITS).tolist():
            word, ident = float(readings.value[k]), int(readings.ident[k])
            late_s = (int(readings.recv_ns[k]) - int(readings.t_ns[k])) / 1e9
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
                ),
                track=rows[0] if rows else -1,
                lat=float(readings.lat[k]),
                lon=float(readings.lon[k]),
                evidence=(sensor,),
                ident=ident,
            )


def _unnamed(picture: Picture, sensor: int, ident: int) -> str:
    """Stand-in for a terminal whose number could not be read: it is never dropped for that."""
    name = picture.sensors[sensor].name
    return f"sensor:{name}" if ident < 0 else f"sensor:{name}/{ident:016x}"


RULE = Sos()
