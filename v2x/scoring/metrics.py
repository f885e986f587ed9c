"""All metrics of a sequence in one call."""

from dataclasses import asdict, dataclass
from math import nan

from v2x.columns import F8
from v2x.scoring.clear import Clear
from v2x.scoring.frames import Frames, Near
from v2x.scoring.gospa import series
from v2x.scoring.identity import Hota, idf1
from v2x.scoring.ospa import ospa2_series


@dataclass(frozen=True)
class Score:
    """Means over instants; NaN where there was nothing to judge.

    Attributes
    ----------
    gospa, gospa_localisation, gospa_missed, gospa_false
        m; the parts are averaged on their own and do not add up to the whole.
    gospa_n
        GOSPA over the p-th root of the mean number of objects: comparable over sizes.
    ospa2
        m, 0 to the cut-off: OSPA of the pieces of path within the last 10 instants.
    mota, motp
        1 - (missed + false + switches) / objects; mean distance of the pairs, m.
    idf1
        Share of instants explained by the best one-to-one choice of tracks and objects.
    hota, det_a, ass_a
        0 to 1, means over 19 thresholds of similarity: both together, detection, association.
    id_switches, frames
        Counts.
    """

    gospa: float
    gospa_localisation: float
    gospa_missed: float
    gospa_false: float
    gospa_n: float
    ospa2: float
    mota: float
    motp: float
    idf1: float
    hota: float
    det_a: float
    ass_a: float
    id_switches: int
    frames: int

    def as_dict(self) -> dict[str, float | int]:
        """Keys and values for JSON."""
        return asdict(self)


def score(truth: Frames, tracks: Frames, c: float = 5.0, p: float = 2.0) -> Score:
    """Compare tracks with the truth at the same instants.

    Parameters
    ----------
    truth, tracks
        Equally many instants, positions of one width.
    c
        Cut-off of GOSPA and OSPA(2) and largest distance of a pair, m.
    p
        Order of GOSPA and OSPA(2).

    Raises
    ------
    ValueError
        The instants or widths differ, an id stands twice in one instant, or `c` is not above 0.
    """
    near = Near.of(truth, tracks, c)
    gospa, clear, hota = series(near, p), Clear.of(near), Hota.of(near)
    n, frames, whole = len(truth.id), len(truth), _mean(gospa.gospa)
    errors = clear.missed + clear.false + clear.switches
    return Score(
        gospa=whole,
        gospa_localisation=_mean(gospa.localisation),
        gospa_missed=_mean(gospa.missed),
        gospa_false=_mean(gospa.false),
        gospa_n=whole / (n / frames) ** (1.0 / p) if n else nan,
        ospa2=_mean(ospa2_series(near, p)),
        mota=1.0 - errors / n if n else nan,
        motp=clear.distance / clear.matched if clear.matched else nan,
        idf1=idf1(near),
        hota=hota.hota,
        det_a=hota.det_a,
        ass_a=hota.ass_a,
        id_switches=clear.switches,
        frames=frames,
    )


def _mean(values: F8) -> float:
    return float(values.mean()) if len(values) else nan
