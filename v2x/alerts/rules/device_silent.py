"""A device that stopped talking."""

from collections.abc import Iterator

import numpy as np

from v2x.alert import Finding
from v2x.picture import Picture

PERIODS = 3.0
LEAST_S = 3.0


class DeviceSilent:
    """No frame of a sensor for more than three of its periods, and more than 3 s.

    Cause: power, link or the device. Consequence: what it watched is not watched. Answer within
    the shift: look at power and link, send the patrol.

    Only sensors with a configured period are judged; one that never spoke counts from the start
    of watching. Clears when it has talked for as long as its silence would have taken. Severity
    3; "2 where protected coverage is lost with it" waits for coverage in the picture.
    """

    type = "device_silent"
    cause = "device"
    auto = True
    hold_s = 0.0
    quiet_s = LEAST_S

    def check(self, picture: Picture) -> Iterator[Finding]:
        """Findings on silent sensors."""
        devices = picture.devices
        limit = np.maximum(PERIODS * devices.period_s, LEAST_S)
        last = np.where(devices.last_ns >= 0, devices.last_ns, devices.since_ns)
        silent = (picture.t_ns - last) / 1e9
        for i in np.flatnonzero(np.isfinite(limit) & (silent > limit)).tolist():
            sensor = picture.sensors[i]
            yield Finding(
                ("device", sensor.name),
                3,
                value=float(silent[i]),
                limit=float(limit[i]),
                reasons=(("silent_s", float(silent[i]), float(limit[i]), "s"),),
                lat=sensor.lat,
                lon=sensor.lon,
                evidence=(i,),
                quiet_s=float(limit[i]),
            )


RULE = DeviceSilent()
