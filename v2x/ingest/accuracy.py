"""From the accuracy codes of the wires to covariances.

Codes are 95 % figures, so one standard deviation is half of them per axis. Position and elevation
confidence of YD/T 3709; NACp, vertical and speed accuracy of ADS-B, ASTM F3411 and GB 46750.
A claim is believed down to the sensor's configured noise and no further: sigma is the larger.
"""

import numpy as np

from v2x.columns import F8

YDT3709_POSITION_SD: F8 = (
    np.array([np.nan, 500, 200, 100, 50, 20, 10, 5, 2, 1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01]) / 2
)
"""Standard deviation in metres by PositionConfidence and ElevationConfidence 0..15."""

YDT3709_SPEED_SD: F8 = np.array([np.nan, 100, 10, 5, 1, 0.1, 0.05, 0.01]) / 2
"""Standard deviation in m/s by SpeedConfidence 0..7."""

YDT3709_HEADING_SD: F8 = np.radians(np.array([np.nan, 10, 5, 1, 0.1, 0.05, 0.01, 0.0125]) / 2)
"""Standard deviation in rad by HeadingConfidence 0..7 (not monotone, by the schema)."""

NACP_SD: F8 = (
    np.array(
        [
            np.nan,
            18520,
            7408,
            3704,
            1852,
            926,
            555.6,
            185.2,
            92.6,
            30,
            10,
            3,
            1,
            np.nan,
            np.nan,
            np.nan,
        ]
    )
    / 2
)
"""Horizontal standard deviation in metres by NACp, F3411 and GB 46750 accuracy 0..15."""

VERTICAL_SD: F8 = np.array([np.nan, 150, 45, 25, 10, 3, 1] + [np.nan] * 9) / 2
"""Vertical standard deviation in metres by F3411 and GB 46750 accuracy 0..15."""

SPEED_SD: F8 = np.array([np.nan, 10, 3, 1, 0.3] + [np.nan] * 11) / 2
"""Speed standard deviation in m/s by NACv, F3411 and GB 46750 accuracy 0..15."""


def believed(claimed: F8, floor: F8) -> F8:
    """Larger of the claimed and the configured standard deviation; either may be NaN."""
    return np.fmax(claimed, floor)


def isotropic(sd: F8, sd_up: F8) -> F8:
    """(n, 6) covariance ``[EE, EN, EU, NN, NU, UU]`` of a round horizontal error.

    `sd`, `sd_up` (n,) metres; a NaN vertical leaves UU NaN, its cross terms 0.
    """
    n = np.shape(sd)[0]
    cov = np.zeros((n, 6))
    cov[:, 0] = cov[:, 3] = np.square(sd)
    cov[:, 5] = np.square(sd_up)
    return cov
