"""Tracks: estimated objects; Residuals, Looks, SensorFacts: what each sensor said against them."""

from dataclasses import dataclass
from enum import IntEnum

from v2x.columns import B1, F4, F8, I4, I8, U1, U2, Columns, column


class Status(IntEnum):
    """A reading of existence and of the last update, nothing else."""

    TENTATIVE = 0
    CONFIRMED = 1
    COASTING = 2


@dataclass(frozen=True, slots=True)
class Tracks(Columns):
    """Objects at one time, one a row, in the order of their founding.

    Attributes
    ----------
    id
        63 bits from the founding plot (tile, sensor name, time, position, identity text).
    t_ns
        Time of the state.
    x, P
        (n, 6) east, north, up in m and their rates in m/s in the tile's frame; (n, 6, 6).
        Without any height up stays 0 with a wide finite variance.
    exist
        Probability that the object is there.
    kind, kind_prob
        Most likely `Kind`, and how likely.
    ident
        Identity claim it carries, -1 none. A claim, never a key.
    first_ns, last_ns
        Founding plot and newest plot.
    status
        `Status`.
    n_sensors, sensor_kinds
        Sensors that fed it in the last 5 s, and the bit set of their `SensorKind`.
    """

    id: I8 = column("i8")
    t_ns: I8 = column("i8")
    x: F8 = column("f8", 6)
    P: F8 = column("f8", (6, 6))
    exist: F8 = column("f8")
    kind: U1 = column("u1")
    kind_prob: F4 = column("f4", blank=0)
    ident: I8 = column("i8", blank=-1)
    first_ns: I8 = column("i8")
    last_ns: I8 = column("i8")
    status: U1 = column("u1")
    n_sensors: U1 = column("u1")
    sensor_kinds: U2 = column("u2")


@dataclass(frozen=True, slots=True)
class Residuals(Columns):
    """Plots that belong to a track beyond doubt (weight above 0.9), against its prediction.

    Attributes
    ----------
    t_ns, sensor, track, ident
        When, who said it, of which track id, with which claim (-1 none).
    innovation
        (n, 3) plot minus predicted position, m; up NaN where the height was not measured.
    nis
        Squared Mahalanobis length of the innovation; its expectation is ``dim``.
    dim
        2 or 3. Of a line of sight the number of its angles; its innovation is what it misses the
        track by, m.
    conflict
        1: the row claims the identity of this track but lies outside its gate.
    """

    t_ns: I8 = column("i8")
    sensor: I4 = column("i4")
    track: I8 = column("i8")
    ident: I8 = column("i8", blank=-1)
    innovation: F8 = column("f8", 3)
    nis: F4 = column("f4")
    dim: U1 = column("u1")
    conflict: U1 = column("u1")


@dataclass(frozen=True, slots=True)
class Looks(Columns):
    """What the scans of a step gave, one a row, in the order they were folded in.

    Attributes
    ----------
    t_ns, sensor
        When, and who looked.
    hits
        Tracks confirmed before this look that got a plot of it: a sum of probabilities.
    expected
        How many of them the sensor could have seen, by its coverage and their existence; hits
        over expected is its detection probability. 0 for sensors whose misses mean nothing.
    unexplained
        Plots that belong to no track, a sum of probabilities. New objects are among them.
    area
        What it covers, m², or m³ where it measures heights; NaN where it is unbounded.
    plots, duplicates
        Rows received, and those dropped as copies.
    """

    t_ns: I8 = column("i8")
    sensor: I4 = column("i4")
    hits: F8 = column("f8")
    expected: F8 = column("f8")
    unexplained: F8 = column("f8")
    area: F8 = column("f8")
    plots: I8 = column("i8")
    duplicates: I8 = column("i8")


@dataclass(frozen=True, slots=True)
class SensorFacts(Columns):
    """What is known of each sensor, a row each in the order of the table; NaN: not observable.

    Biases are against the consensus of the sensors: what all share cannot be seen. Where it is
    open who is off (two sensors that differ), both are half off, with a deviation as large.

    Attributes
    ----------
    offset, offset_sd
        (n, 3) east, north, up, m.
    yaw, yaw_sd, scale, scale_sd, clock_s, clock_sd
        psi in rad, kappa, tau in s, of the formula in `v2x.fusion.registration`.
    cov
        (n, 6, 6) covariance of offset, yaw, scale, clock; where not observable, the prior's.
    observable
        (n, 6) which of the six the data can tell.
    agreement
        Weight in the consensus: 1 like the others, near 0 let go.
    windows
        Windows that speak of it, those of the past half-lives counted less.
    noise
        Variance of its plots about the paths over the stated one, 1 if they are honest.
    nis
        NIS per dimension; expected 1.
    p_detect, p_detect_sd
        Share of expected looks at confirmed tracks that gave a plot.
    clutter, clutter_sd
        Unexplained plots per look and unit of area or volume.
    duplicates
        Share of plots that were copies.
    """

    offset: F8 = column("f8", 3)
    offset_sd: F8 = column("f8", 3)
    yaw: F8 = column("f8")
    yaw_sd: F8 = column("f8")
    scale: F8 = column("f8")
    scale_sd: F8 = column("f8")
    clock_s: F8 = column("f8")
    clock_sd: F8 = column("f8")
    cov: F8 = column("f8", (6, 6))
    observable: B1 = column("?", 6)
    agreement: F8 = column("f8")
    windows: F8 = column("f8")
    noise: F8 = column("f8")
    nis: F8 = column("f8")
    p_detect: F8 = column("f8")
    p_detect_sd: F8 = column("f8")
    clutter: F8 = column("f8")
    clutter_sd: F8 = column("f8")
    duplicates: F8 = column("f8")


@dataclass(frozen=True, slots=True)
class CrossResiduals(Columns):
    """Plots of closed windows against the path of the *other* sensors in the window.

    Attributes
    ----------
    t_ns, sensor, track
        Of the plot.
    residual
        (n, 3) plot minus path, m; up NaN where either has no height.
    cov
        (n, 6) its covariance, m², upper triangle: that of plot and path, biases aside.
    vel
        (n, 3) velocity of that path, m/s.
    """

    t_ns: I8 = column("i8")
    sensor: I4 = column("i4")
    track: I8 = column("i8")
    residual: F8 = column("f8", 3)
    cov: F8 = column("f8", 6)
    vel: F8 = column("f8", 3)
