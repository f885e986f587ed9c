"""Heights in three references, each with what is not known left open.

Above the ellipsoid (HAE) is what is stored; above sea level is HAE less the undulation, above
ground is that less the ground's own height. N is negative around Tianjin (-8.2 m at the airport):
the runway lies at 3 m AMSL and -5 m HAE, so that 0 is a height like any other.
"""

import numpy as np

from v2x.columns import F8
from v2x.geodesy import Tile, undulation
from v2x.lowalt.files import REFERENCES
from v2x.lowalt.terrain import Ground
from v2x.picture import Heights
from v2x.tracks import Tracks

NEVER_MEASURED_SD_M = 100.0
"""A height less sure than this was never measured: the tracker's wide prior. Ours; unknown air
pressure, the worst of the measured kinds, is taken as 100 m too and decides nothing alone."""

SPHERE_M = 6_371_000.0
"""Mean radius of the Earth, metres; for the height of a point whose height does not matter."""


def track_heights(tile: Tile, tracks: Tracks, ground: Ground) -> tuple[F8, Heights]:
    """Latitude and longitude (n, 2) of tracks, and their heights.

    Up is never read as height: HAE comes from the exact inverse of the local frame. A track whose
    height was never measured has NaN in all references and lies where it would on the tile's own
    height (within 2 cm at 60 km). Outside the geoid table HAE stands and the two others are NaN;
    both cases have ``datum_known`` 0.
    """
    sd = np.sqrt(tracks.P[:, 2, 2])
    measured = sd <= NEVER_MEASURED_SD_M
    place = tracks.x[:, :3].copy()
    level = -(place[:, 0] ** 2 + place[:, 1] ** 2) / (2.0 * SPHERE_M)
    place[~measured, 2] = level[~measured]
    lat, lon, hae = tile.to_geodetic(place)
    hae[~measured] = np.nan
    amsl, agl = above_sea_and_ground(lat, lon, hae, ground)
    heights = Heights(
        hae=hae,
        amsl=amsl,
        agl=agl,
        sd=np.where(measured, sd, np.nan),
        datum_known=np.isfinite(amsl).astype(np.uint8),
    )
    return np.column_stack((lat, lon)), heights


def above_sea_and_ground(lat: F8, lon: F8, hae: F8, ground: Ground) -> tuple[F8, F8]:
    """AMSL and AGL (n,) of heights above the ellipsoid; NaN where the geoid is not known."""
    amsl = hae - undulation(lat, lon)
    return amsl, amsl - ground.at(lat, lon).amsl


def in_all_references(lat: F8, lon: F8, value: F8, reference: str, ground: Ground) -> F8:
    """(n, 3) HAE, AMSL and AGL of heights given in one reference, metres; NaN where unknown."""
    n = undulation(lat, lon)
    value = np.broadcast_to(value, n.shape).astype(np.float64)
    level = ground.at(lat, lon).amsl
    hae = value + (np.zeros_like(n), n, n + level)[REFERENCES.index(reference)]
    amsl = hae - n
    agl = amsl - level
    made = np.column_stack((hae, amsl, agl))
    # What was given stays as given, to the last bit: a point on a limit is on it.
    made[:, REFERENCES.index(reference)] = value
    return made
